typedef long long int64;

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
    int64 grid_x;
    int64 grid_y;
    int64 grid_z;
    int64 x_stride0;
    int64 x_stride1;
    int64 y_stride1;
    half alpha;
    bool flag;
};

extern "C" __global__ void __launch_bounds__(256) saxpy(
    const half* x,
    half* y,
    const Arguments arguments) {
    int64 thread_position_in_grid_x = int64(blockIdx.x) * int64(blockDim.x) + int64(threadIdx.x);
    int64 thread_position_in_grid_y = int64(blockIdx.y) * int64(blockDim.y) + int64(threadIdx.y);
    int64 thread_position_in_grid_z = int64(blockIdx.z) * int64(blockDim.z) + int64(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int64 j = thread_position_in_grid_x;
    int64 i = thread_position_in_grid_y;
    y[i + (j + 1ll) * arguments.y_stride1] = arguments.alpha * x[i * arguments.x_stride0 + j * arguments.x_stride1] + y[i + (j + 1ll) * arguments.y_stride1];
}
