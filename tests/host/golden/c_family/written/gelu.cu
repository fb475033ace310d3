// Elements side by side, which are loaded and stored as a whole.
template <typename T, int count>
struct alignas(sizeof(T) * count) neighbours {
    T element[count];
};

// A float of 16 bits: the upper half of a float of 32. Each operation is rounded to nearest.
struct bfloat {
    unsigned short bits;

    bfloat() = default;
    __device__ explicit bfloat(float x) {
#if __CUDA_ARCH__ >= 800
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
#else
        unsigned int word = __float_as_uint(x);
        unsigned int rounded = word + 0x7fff + (word >> 16 & 1);
        bits = x == x ? rounded >> 16 : 0x7fff;
#endif
    }
    // Rounded to odd on the way, so that the second rounding sees what the first one cut off.
    __device__ explicit bfloat(double x) {
        float cut = __double2float_rz(x);
        bool exact = double(cut) == x || x != x;
        *this = bfloat(__uint_as_float(__float_as_uint(cut) | (exact ? 0 : 1)));
    }
    __device__ explicit operator float() const {
        return __uint_as_float((unsigned int)(bits) << 16);
    }
    __device__ bfloat operator-() const {
        bfloat x;
        x.bits = bits ^ 0x8000;
        return x;
    }
};

__device__ inline bfloat operator+(bfloat a, bfloat b) { return bfloat(float(a) + float(b)); }
__device__ inline bfloat operator-(bfloat a, bfloat b) { return bfloat(float(a) - float(b)); }
__device__ inline bfloat operator*(bfloat a, bfloat b) { return bfloat(float(a) * float(b)); }
__device__ inline bfloat operator/(bfloat a, bfloat b) { return bfloat(float(a) / float(b)); }
__device__ inline bool operator==(bfloat a, bfloat b) { return float(a) == float(b); }
__device__ inline bool operator!=(bfloat a, bfloat b) { return float(a) != float(b); }
__device__ inline bool operator<(bfloat a, bfloat b) { return float(a) < float(b); }
__device__ inline bool operator<=(bfloat a, bfloat b) { return float(a) <= float(b); }
__device__ inline bool operator>(bfloat a, bfloat b) { return float(a) > float(b); }
__device__ inline bool operator>=(bfloat a, bfloat b) { return float(a) >= float(b); }
__device__ inline bfloat& operator+=(bfloat& a, bfloat b) { return a = a + b; }
__device__ inline bfloat& operator-=(bfloat& a, bfloat b) { return a = a - b; }
__device__ inline bfloat& operator*=(bfloat& a, bfloat b) { return a = a * b; }
__device__ inline bfloat& operator/=(bfloat& a, bfloat b) { return a = a / b; }

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

extern "C" __global__ void __launch_bounds__(256) gelu(
    const bfloat* x,
    bfloat* out,
    const Arguments arguments) {
    int first_neighbour = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * 8;
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int thread_position_in_grid_x = first_neighbour;
    int i = thread_position_in_grid_x;
    bool is_aligned = ((size_t(&x[i]) | size_t(&out[i])) & 15) == 0;
    int start = is_aligned ? first_neighbour : first_neighbour - int(threadIdx.x) * 7;
    int step = is_aligned ? int(1) : int(blockDim.x);
    bool together = arguments.grid_x - start > 7 * step;
    if (together) {
        neighbours<bfloat, 8> x_neighbours;
        neighbours<bfloat, 8> out_neighbours;
        if (is_aligned) {
            x_neighbours = *(const neighbours<bfloat, 8>*)&x[i];
        } else {
            #pragma unroll
            for (int lane = 0; lane < 8; ++lane) {
                int thread_position_in_grid_x = start + lane * step;
                int i = thread_position_in_grid_x;
                x_neighbours.element[lane] = *&x[i];
            }
        }
        #pragma unroll
        for (int lane = 0; lane < 8; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            out_neighbours.element[lane] = bfloat(0.5f) * x_neighbours.element[lane] * (bfloat(1.0f) + bfloat(erf(float(x_neighbours.element[lane] / bfloat(1.4140625f)))));
        }
        if (is_aligned) {
            *(neighbours<bfloat, 8>*)&out[i] = out_neighbours;
        } else {
            #pragma unroll
            for (int lane = 0; lane < 8; ++lane) {
                int thread_position_in_grid_x = start + lane * step;
                int i = thread_position_in_grid_x;
                *&out[i] = out_neighbours.element[lane];
            }
        }
        return;
    }
    #pragma unroll 1
    for (int lane = 0; lane < 8 && start + lane * step < arguments.grid_x; ++lane) {
        int thread_position_in_grid_x = start + lane * step;
        int i = thread_position_in_grid_x;
        out[i] = bfloat(0.5f) * x[i] * (bfloat(1.0f) + bfloat(erf(float(x[i] / bfloat(1.4140625f)))));
    }
}
