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

// The thread's place among the 32 of its simdgroup.
__device__ inline unsigned int lane_index() {
    unsigned int lane;
    asm("mov.u32 %0, %laneid;" : "=r"(lane));
    return lane;
}

// A thread's two elements of an 8x8 matrix that a simdgroup holds: in row lane / 4, columns
// 2 * (lane % 4) and the next, as tensor cores have them.
template <typename T>
struct matrix8x8 {
    T first, second;
};

__device__ inline float widened(float x) { return x; }
__device__ inline double widened(double x) { return x; }

template <typename T>
__device__ inline matrix8x8<T> matrix_fill(T value) {
    return {value, value};
}

template <typename T, typename Index>
__device__ inline matrix8x8<T> matrix_load(const T* from, Index row_stride, Index column_stride) {
    Index row = lane_index() / 4, column = lane_index() % 4 * 2;
    const T* first = from + row * row_stride + column * column_stride;
    return {first[0], first[column_stride]};
}

template <typename T, typename Index>
__device__ inline void matrix_store(
    matrix8x8<T> matrix, T* to, Index row_stride, Index column_stride) {
    Index row = lane_index() / 4, column = lane_index() % 4 * 2;
    T* first = to + row * row_stride + column * column_stride;
    first[0] = matrix.first;
    first[column_stride] = matrix.second;
}

// a @ b + c, each product added with one rounding, in the order of the inner axis.
template <typename T, typename U>
__device__ inline matrix8x8<U> matrix_multiply_accumulate(
    matrix8x8<T> a, matrix8x8<T> b, matrix8x8<U> c) {
    auto first = widened(c.first), second = widened(c.second);
    unsigned int lane = lane_index();
#pragma unroll
    for (unsigned int k = 0; k < 8; ++k) {
        auto even = __shfl_sync(0xffffffff, widened(a.first), (lane & ~3u) + k / 2);
        auto odd = __shfl_sync(0xffffffff, widened(a.second), (lane & ~3u) + k / 2);
        auto left = k % 2 == 0 ? even : odd;
        first = fma(left, __shfl_sync(0xffffffff, widened(b.first), k * 4 + lane % 4), first);
        second = fma(left, __shfl_sync(0xffffffff, widened(b.second), k * 4 + lane % 4), second);
    }
    return {U(first), U(second)};
}

__device__ inline float widened(half x) { return float(x); }

#if __CUDA_ARCH__ >= 750
// By tensor cores, as the upper half of a product of 16x8 and 8x8; sums are in float32.
template <typename U>
__device__ inline matrix8x8<U> matrix_multiply_accumulate(
    matrix8x8<half> a, matrix8x8<half> b, matrix8x8<U> c) {
    unsigned int left = a.first.bits | (unsigned int)(a.second.bits) << 16;
    unsigned int right = b.first.bits | (unsigned int)(b.second.bits) << 16;
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(right) : "r"(right));
    float first = widened(c.first), second = widened(c.second), unused = 0.0f, unused_too = 0.0f;
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(first), "+f"(second), "+f"(unused), "+f"(unused_too)
        : "r"(left), "r"(0), "r"(right));
    return {U(first), U(second)};
}
#endif

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int a_stride0;
    int a_extent1;
    int b_stride0;
    int c_stride0;
};

extern "C" __global__ void __launch_bounds__(256) matrix_product(
    const half* a,
    const half* b,
    half* c,
    const Arguments arguments) {
    int threads_per_threadgroup_x = min(int(blockDim.x), arguments.grid_x - int(blockIdx.x) * int(blockDim.x));
    int threads_per_threadgroup_y = min(int(blockDim.y), arguments.grid_y - int(blockIdx.y) * int(blockDim.y));
    int threads_per_threadgroup_z = min(int(blockDim.z), arguments.grid_z - int(blockIdx.z) * int(blockDim.z));
    int threads = threads_per_threadgroup_x * threads_per_threadgroup_y * threads_per_threadgroup_z;
    int thread_index_in_threadgroup = int(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
    // No thread runs beyond the grid; those left at its edge are numbered anew.
    if (thread_index_in_threadgroup >= threads) return;
    uint3 place = threadIdx;
    if (threads != int(blockDim.x * blockDim.y * blockDim.z)) {
        place.x = thread_index_in_threadgroup % threads_per_threadgroup_x;
        place.y = thread_index_in_threadgroup / threads_per_threadgroup_x % threads_per_threadgroup_y;
        place.z = thread_index_in_threadgroup / (threads_per_threadgroup_x * threads_per_threadgroup_y);
    }
    int row = int(blockIdx.y) * 8;
    int column = int(blockIdx.x) * 8;
    matrix8x8<half> total = matrix_fill(half(0.0f));
    for (int k = 0; k < arguments.a_extent1; k += 8) {
        matrix8x8<half> left = matrix_load(&a[row * arguments.a_stride0 + k], arguments.a_stride0, 1);
        matrix8x8<half> right = matrix_load(&b[k * arguments.b_stride0 + column], arguments.b_stride0, 1);
        total = matrix_multiply_accumulate(left, right, total);
    }
    matrix_store(total, &c[row * arguments.c_stride0 + column], arguments.c_stride0, 1);
}
