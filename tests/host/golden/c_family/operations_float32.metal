#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline char saturating_int8(float x) {
    if (isnan(x)) return 0;
    if (x >= 128.0f) return 127;
    if (x <= -128.0f) return (-127 - 1);
    return char(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline short saturating_int16(float x) {
    if (isnan(x)) return 0;
    if (x >= 32768.0f) return 32767;
    if (x <= -32768.0f) return (-32767 - 1);
    return short(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline int saturating_int32(float x) {
    if (isnan(x)) return 0;
    if (x >= 2147483648.0f) return 2147483647;
    if (x <= -2147483648.0f) return (-2147483647 - 1);
    return int(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline long saturating_int64(float x) {
    if (isnan(x)) return 0;
    if (x >= 9223372036854775808.0f) return 9223372036854775807l;
    if (x <= -9223372036854775808.0f) return (-9223372036854775807l - 1);
    return long(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline uchar saturating_uint8(float x) {
    if (isnan(x)) return 0;
    if (x >= 256.0f) return 255;
    if (x <= 0.0f) return 0;
    return uchar(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline ushort saturating_uint16(float x) {
    if (isnan(x)) return 0;
    if (x >= 65536.0f) return 65535;
    if (x <= 0.0f) return 0;
    return ushort(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline uint saturating_uint32(float x) {
    if (isnan(x)) return 0;
    if (x >= 4294967296.0f) return 4294967295u;
    if (x <= 0.0f) return 0u;
    return uint(x);
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline ulong saturating_uint64(float x) {
    if (isnan(x)) return 0;
    if (x >= 18446744073709551616.0f) return 18446744073709551615ul;
    if (x <= 0.0f) return 0ul;
    return ulong(x);
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    float given;
};

kernel void operations_float32(
    device const float* x [[buffer(0)]],
    device float* out [[buffer(1)]],
    device bool* flags [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
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
    out[i + 18] = INFINITY;
    out[i + 19] = -INFINITY;
    out[i + 20] = NAN;
    out[i + 21] = 3.0f;
    out[i + 22] = flag ? a : arguments.given;
    flags[i + 23] = flag && !other;
    out[i + 24] = float(a != 0.0f);
    out[i + 25] = float(saturating_int8(a));
    out[i + 26] = float(saturating_int16(a));
    out[i + 27] = float(saturating_int32(a));
    out[i + 28] = float(saturating_int64(a));
    out[i + 29] = float(saturating_uint8(a));
    out[i + 30] = float(saturating_uint16(a));
    out[i + 31] = float(saturating_uint32(a));
    out[i + 32] = float(saturating_uint64(a));
    out[i + 33] = float(half(a));
    out[i + 34] = float(bfloat(a));
    out[i + 35] = a;
    out[i + 36] = as_type<float>(as_type<int>(a));
    out[i + 37] = as_type<float>(as_type<uint>(a));
    out[i + 38] = a;
}
