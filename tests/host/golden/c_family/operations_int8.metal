#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

// Rounds down, as Python does; 0 where b is 0.
static inline char floor_divide(char a, char b) {
    if (b == 0) return char(0);
    if (b == -1) return char(uchar(0) - uchar(a));
    return char(a / b - (a % b != 0 && (a ^ b) < 0));
}

// Has the sign of b, as in Python; 0 where b is 0.
static inline char floor_remainder(char a, char b) {
    if (b == 0 || b == -1) return char(0);
    char rest = char(a % b);
    return rest != 0 && (rest ^ b) < 0 ? char(rest + b) : rest;
}

// As if by one bit, count times: all of them may be shifted out.
static inline char shift_left(char x, char count) {
    return uchar(count) < 8 ? char(uchar(x) << count) : char(0);
}

// As if by one bit, count times: all of them may be shifted out.
static inline char shift_right(char x, char count) {
    return char(x >> (uchar(count) < 8 ? count : char(7)));
}

// Rounds to zero; ends at the type's ends; NaN is 0.
static inline char saturating_int8(float x) {
    if (isnan(x)) return 0;
    if (x >= 128.0f) return 127;
    if (x <= -128.0f) return (-127 - 1);
    return char(x);
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    char given;
};

kernel void operations_int8(
    device const char* x [[buffer(0)]],
    device char* out [[buffer(1)]],
    device bool* flags [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    char a = x[i];
    char c = x[i + 1];
    bool flag = flags[i];
    bool other = flags[1];
    out[i + 0] = char(a + c);
    out[i + 1] = char(a - c);
    out[i + 2] = char(a * c);
    out[i + 3] = floor_divide(a, c);
    out[i + 4] = floor_remainder(a, c);
    out[i + 5] = char(a & c);
    out[i + 6] = char(a | c);
    out[i + 7] = char(a ^ c);
    out[i + 8] = shift_left(a, c);
    out[i + 9] = shift_right(a, c);
    out[i + 10] = floor_divide(a, char(3));
    out[i + 11] = char(a >> 2);
    out[i + 12] = floor_divide(a, char(0));
    out[i + 13] = char(a >> 3);
    out[i + 14] = floor_remainder(a, char(3));
    out[i + 15] = char(a & 3);
    out[i + 16] = floor_remainder(a, char(0));
    out[i + 17] = char(a & 7);
    out[i + 18] = char(uchar(a) << 3);
    out[i + 19] = char(uchar(a) << 4);
    out[i + 20] = char(uchar(a) << 0);
    out[i + 21] = shift_left(a, char(8));
    out[i + 22] = char(a >> 3);
    out[i + 23] = char(a >> 4);
    out[i + 24] = char(a >> 0);
    out[i + 25] = shift_right(a, char(8));
    out[i + 26] = char(~a);
    out[i + 27] = char(127);
    out[i + 28] = char(-128);
    out[i + 29] = char(-a);
    out[i + 30] = char(-char(-a));
    flags[i + 31] = a == c;
    flags[i + 32] = a != c;
    flags[i + 33] = a < c;
    flags[i + 34] = a <= c;
    flags[i + 35] = a > c;
    flags[i + 36] = a >= c;
    out[i + 37] = char(char(a + 1) * char(a - c));
    out[i + 38] = char(a - char(c - 1));
    flags[i + 39] = (a < c) == (c < a);
    out[i + 40] = flag ? a : arguments.given;
    flags[i + 41] = flag && !other;
    out[i + 42] = char(a != char(0));
    out[i + 43] = a;
    out[i + 44] = char(short(a));
    out[i + 45] = char(int(a));
    out[i + 46] = char(long(a));
    out[i + 47] = char(uchar(a));
    out[i + 48] = char(ushort(a));
    out[i + 49] = char(uint(a));
    out[i + 50] = char(ulong(a));
    out[i + 51] = saturating_int8(float(half(float(a))));
    out[i + 52] = saturating_int8(float(bfloat(float(a))));
    out[i + 53] = saturating_int8(float(a));
    out[i + 54] = a;
    out[i + 55] = as_type<char>(as_type<uchar>(a));
}
