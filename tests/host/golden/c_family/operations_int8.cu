typedef signed char int8;
typedef unsigned char uint8;
typedef long long int64;
typedef unsigned short uint16;
typedef unsigned int uint32;
typedef unsigned long long uint64;

// Rounds down, as Python does; 0 where b is 0.
static __device__ inline int8 floor_divide(int8 a, int8 b) {
    if (b == 0) return int8(0);
    if (b == -1) return int8(uint8(0) - uint8(a));
    return int8(a / b - (a % b != 0 && (a ^ b) < 0));
}

// Has the sign of b, as in Python; 0 where b is 0.
static __device__ inline int8 floor_remainder(int8 a, int8 b) {
    if (b == 0 || b == -1) return int8(0);
    int8 rest = int8(a % b);
    return rest != 0 && (rest ^ b) < 0 ? int8(rest + b) : rest;
}

// As if by one bit, count times: all of them may be shifted out.
static __device__ inline int8 shift_left(int8 x, int8 count) {
    return uint8(count) < 8 ? int8(uint8(x) << count) : int8(0);
}

// As if by one bit, count times: all of them may be shifted out.
static __device__ inline int8 shift_right(int8 x, int8 count) {
    return int8(x >> (uint8(count) < 8 ? count : int8(7)));
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

// Rounds to zero; ends at the type's ends; NaN is 0.
static __device__ inline int8 saturating_int8(float x) {
    if (isnan(x)) return 0;
    if (x >= 128.0f) return 127;
    if (x <= -128.0f) return (-127 - 1);
    return int8(x);
}

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

// The same bits as another type.
template <typename To, typename From>
__device__ inline To as_type(From from) {
    static_assert(sizeof(To) == sizeof(From), "the sizes differ");
    To to;
    memcpy(&to, &from, sizeof(To));
    return to;
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int8 given;
};

extern "C" __global__ void __launch_bounds__(256) operations_int8(
    const int8* x,
    int8* out,
    bool* flags,
    const Arguments arguments) {
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int i = thread_position_in_grid_x;
    int8 a = x[i];
    int8 c = x[i + 1];
    bool flag = flags[i];
    bool other = flags[1];
    out[i + 0] = int8(a + c);
    out[i + 1] = int8(a - c);
    out[i + 2] = int8(a * c);
    out[i + 3] = floor_divide(a, c);
    out[i + 4] = floor_remainder(a, c);
    out[i + 5] = int8(a & c);
    out[i + 6] = int8(a | c);
    out[i + 7] = int8(a ^ c);
    out[i + 8] = shift_left(a, c);
    out[i + 9] = shift_right(a, c);
    out[i + 10] = floor_divide(a, int8(3));
    out[i + 11] = int8(a >> 2);
    out[i + 12] = floor_divide(a, int8(0));
    out[i + 13] = int8(a >> 3);
    out[i + 14] = floor_remainder(a, int8(3));
    out[i + 15] = int8(a & 3);
    out[i + 16] = floor_remainder(a, int8(0));
    out[i + 17] = int8(a & 7);
    out[i + 18] = int8(uint8(a) << 3);
    out[i + 19] = int8(uint8(a) << 4);
    out[i + 20] = int8(uint8(a) << 0);
    out[i + 21] = shift_left(a, int8(8));
    out[i + 22] = int8(a >> 3);
    out[i + 23] = int8(a >> 4);
    out[i + 24] = int8(a >> 0);
    out[i + 25] = shift_right(a, int8(8));
    out[i + 26] = int8(~a);
    out[i + 27] = int8(127);
    out[i + 28] = int8(-128);
    out[i + 29] = int8(-a);
    out[i + 30] = int8(-int8(-a));
    flags[i + 31] = a == c;
    flags[i + 32] = a != c;
    flags[i + 33] = a < c;
    flags[i + 34] = a <= c;
    flags[i + 35] = a > c;
    flags[i + 36] = a >= c;
    out[i + 37] = int8(int8(a + 1) * int8(a - c));
    out[i + 38] = int8(a - int8(c - 1));
    flags[i + 39] = (a < c) == (c < a);
    out[i + 40] = flag ? a : arguments.given;
    flags[i + 41] = flag && !other;
    out[i + 42] = int8(a != int8(0));
    out[i + 43] = a;
    out[i + 44] = int8(short(a));
    out[i + 45] = int8(int(a));
    out[i + 46] = int8(int64(a));
    out[i + 47] = int8(uint8(a));
    out[i + 48] = int8(uint16(a));
    out[i + 49] = int8(uint32(a));
    out[i + 50] = int8(uint64(a));
    out[i + 51] = saturating_int8(float(half(float(a))));
    out[i + 52] = saturating_int8(float(bfloat(float(a))));
    out[i + 53] = saturating_int8(float(a));
    out[i + 54] = a;
    out[i + 55] = as_type<int8>(as_type<uint8>(a));
}
