// Elements side by side, which are loaded and stored as a whole.
template <typename T, int count>
struct alignas(sizeof(T) * count) neighbours {
    T element[count];
};

// A float of 16 bits. Each operation is rounded to nearest, ties to even.
struct half {
    unsigned short bits;

    half() = default;
    __device__ explicit half(float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
    __device__ explicit half(double x) { asm("cvt.rn.f16.f64 %0, %1;" : "=h"(bits) : "d"(x)); }
    __device__ explicit operator float() const {
        float x;
        asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
        return x;
    }
    __device__ half operator-() const {
        half x;
        x.bits = bits ^ 0x8000;
        return x;
    }
};

__device__ inline half operator+(half a, half b) {
    half x;
    asm("add.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
__device__ inline half operator-(half a, half b) {
    half x;
    asm("sub.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
__device__ inline half operator*(half a, half b) {
    half x;
    asm("mul.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
__device__ inline half operator/(half a, half b) { return half(float(a) / float(b)); }
__device__ inline bool operator==(half a, half b) { return float(a) == float(b); }
__device__ inline bool operator!=(half a, half b) { return float(a) != float(b); }
__device__ inline bool operator<(half a, half b) { return float(a) < float(b); }
__device__ inline bool operator<=(half a, half b) { return float(a) <= float(b); }
__device__ inline bool operator>(half a, half b) { return float(a) > float(b); }
__device__ inline bool operator>=(half a, half b) { return float(a) >= float(b); }
__device__ inline half& operator+=(half& a, half b) { return a = a + b; }
__device__ inline half& operator-=(half& a, half b) { return a = a - b; }
__device__ inline half& operator*=(half& a, half b) { return a = a * b; }
__device__ inline half& operator/=(half& a, half b) { return a = a / b; }

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int y_stride0;
    half alpha;
};

extern "C" __global__ void __launch_bounds__(256) saxpy(
    const half* x,
    half* y,
    const Arguments arguments) {
    int first_neighbour = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * 4;
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int start = first_neighbour - int(threadIdx.x) * 3;
    int step = int(blockDim.x);
    bool together = arguments.grid_x - start > 3 * step;
    if (together) {
        neighbours<half, 4> x_neighbours;
        neighbours<half, 4> y_neighbours;
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            x_neighbours.element[lane] = *&x[i];
            y_neighbours.element[lane] = *&y[i * arguments.y_stride0];
        }
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            y_neighbours.element[lane] = arguments.alpha * x_neighbours.element[lane] + y_neighbours.element[lane];
        }
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            *&y[i * arguments.y_stride0] = y_neighbours.element[lane];
        }
        return;
    }
    #pragma unroll 1
    for (int lane = 0; lane < 4 && start + lane * step < arguments.grid_x; ++lane) {
        int thread_position_in_grid_x = start + lane * step;
        int i = thread_position_in_grid_x;
        y[i * arguments.y_stride0] = arguments.alpha * x[i] + y[i * arguments.y_stride0];
    }
}
