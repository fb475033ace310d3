typedef signed char int8;
typedef long long int64;
typedef unsigned char uint8;
typedef unsigned short uint16;
typedef unsigned long long uint64;
typedef unsigned int uint32;

// Rounds to zero; ends at the type's ends; NaN is 0.
static __device__ inline int8 saturating_int8(float x) {
    if (isnan(x)) return 0;
    if (x >= 128.0f) return 127;
    if (x <= -128.0f) return (-127 - 1);
    return int8(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static __device__ inline short saturating_int16(float x) {
    if (isnan(x)) return 0;
    if (x >= 32768.0f) return 32767;
    if (x <= -32768.0f) return (-32767 - 1);
    return short(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static __device__ inline int64 saturating_int64(float x) {
    if (isnan(x)) return 0;
    if (x >= 9223372036854775808.0f) return 9223372036854775807ll;
    if (x <= -9223372036854775808.0f) return (-9223372036854775807ll - 1);
    return int64(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static __device__ inline uint8 saturating_uint8(float x) {
    if (isnan(x)) return 0;
    if (x >= 256.0f) return 255;
    if (x <= 0.0f) return 0;
    return uint8(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static __device__ inline uint16 saturating_uint16(float x) {
    if (isnan(x)) return 0;
    if (x >= 65536.0f) return 65535;
    if (x <= 0.0f) return 0;
    return uint16(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static __device__ inline uint64 saturating_uint64(float x) {
    if (isnan(x)) return 0;
    if (x >= 18446744073709551616.0f) return 18446744073709551615ull;
    if (x <= 0.0f) return 0ull;
    return uint64(x);
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
    float given;
};

extern "C" __global__ void __launch_bounds__(256) operations_float32(
    const float* x,
    float* out,
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
    float a = x[i];
    float c = x[i + 1];
    bool flag = flags[i];
    bool other = flags[1];
    out[i + 0] = a + c;
    out[i + 1] = a - c;
    out[i + 2] = a * c;
    out[i + 3] = a / c;
    out[i + 4] = -a;
    out[i + 5] = -(-a);
    flags[i + 6] = a == c;
    flags[i + 7] = a != c;
    flags[i + 8] = a < c;
    flags[i + 9] = a <= c;
    flags[i + 10] = a > c;
    flags[i + 11] = a >= c;
    out[i + 12] = (a + 1.0f) * (a - c);
    out[i + 13] = a - (c - 1.0f);
    flags[i + 14] = (a < c) == (c < a);
    out[i + 15] = 0.1f;
    out[i + 16] = -1.5f;
    out[i + 17] = 1e-30f;
    out[i + 18] = __int_as_float(0x7f800000);
    out[i + 19] = -__int_as_float(0x7f800000);
    out[i + 20] = __int_as_float(0x7fc00000);
    out[i + 21] = 3.0f;
    out[i + 22] = flag ? a : arguments.given;
    flags[i + 23] = flag && !other;
    out[i + 24] = float(a != 0.0f);
    out[i + 25] = float(saturating_int8(a));
    out[i + 26] = float(saturating_int16(a));
    out[i + 27] = float(__float2int_rz(a));
    out[i + 28] = float(saturating_int64(a));
    out[i + 29] = float(saturating_uint8(a));
    out[i + 30] = float(saturating_uint16(a));
    out[i + 31] = float(__float2uint_rz(a));
    out[i + 32] = float(saturating_uint64(a));
    out[i + 33] = float(half(a));
    out[i + 34] = float(bfloat(a));
    out[i + 35] = a;
    out[i + 36] = as_type<float>(as_type<int>(a));
    out[i + 37] = as_type<float>(as_type<uint32>(a));
    out[i + 38] = a;
}
