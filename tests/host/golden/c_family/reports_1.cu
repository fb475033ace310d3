typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef long long int64;
typedef unsigned char uint8;

// The first failure of a launch is the one that is told.
static __device__ inline void report_failure(uint32* mailbox, uint32 site) {
    if (atomicExch(mailbox, 1) != 0) return;
    mailbox[1] = site;
}

// Room for the values of one print; none when the mailbox is full.
static __device__ inline uint32* open_record(uint32* mailbox, uint32 site, uint32 words) {
    uint32 first = atomicAdd(mailbox + 8, words);
    uint32 capacity = mailbox[9];
    if (first > capacity || words > capacity - first) return nullptr;
    uint32* record = mailbox + 11 + first;
    record[0] = site;
    return record + 1;
}

static __device__ inline void write_value(uint32* record, uint64 value) {
    record[0] = uint32(value);
    record[1] = uint32(value >> 32);
}

__device__ inline unsigned long long double_bits(double x) {
    return (unsigned long long)__double_as_longlong(x);
}

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
    int x_extent0;
};

extern "C" __global__ void __launch_bounds__(256) reports_1(
    const float* x,
    const half* h,
    const Arguments arguments,
    uint32* mailbox) {
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int i = thread_position_in_grid_x;
    if (!(i >= 0 && i < arguments.x_extent0)) {
        // index out of bounds: index 0 of x
        report_failure(mailbox, 0);
        return;
    }
    if (!(x[i] > 0.0f)) {
        // assertion failed: not positive
        report_failure(mailbox, 1);
        return;
    }
    if (i == 5) {
        // assertion failed
        report_failure(mailbox, 2);
        return;
    }
    if (uint32* record = open_record(mailbox, 0, 9)) {
        write_value(record, uint64(int64(i)));
        write_value(record + 2, double_bits(x[i]));
        write_value(record + 4, double_bits(float(h[i])));
        write_value(record + 6, uint64(uint8(i)));
    }
    if (uint32* record_1 = open_record(mailbox, 1, 3)) {
        write_value(record_1, uint64(x[i] > 0.0f));
    }
    open_record(mailbox, 2, 1);
}
