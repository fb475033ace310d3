#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    uint seed;
};

namespace functions {

static inline uint bits(uint seed, int counter) {
    ulong wide = ulong(long(counter));
    uint low = uint(wide & 4294967295ul);
    uint high = uint(wide >> 32);
    ulong wide_1 = ulong(long(seed));
    uint key_0 = uint(wide_1 & 4294967295ul);
    uint key_1 = uint(wide_1 >> 32);
    uint a = low;
    uint b = high;
    uint c = 0u;
    uint d = 0u;
    uint first = mulhi(a, 3528531795u);
    uint second = mulhi(c, 3449720151u);
    uint first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    uint second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    uint key_0_1 = uint(ulong(key_0) + 0ul & 4294967295ul);
    uint key_1_1 = uint(ulong(key_1) + 0ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 2654435769ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 3144134277ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 5308871538ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 6288268554ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 7963307307ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 9432402831ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 10617743076ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 12576537108ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 13272178845ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 15720671385ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 15926614614ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 18864805662ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 18581050383ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 22008939939ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 21235486152ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 25153074216ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = mulhi(a, 3528531795u);
    second = mulhi(c, 3449720151u);
    first_low = uint(ulong(a) * 3528531795ul & 4294967295ul);
    second_low = uint(ulong(c) * 3449720151ul & 4294967295ul);
    key_0_1 = uint(ulong(key_0) + 23889921921ul & 4294967295ul);
    key_1_1 = uint(ulong(key_1) + 28297208493ul & 4294967295ul);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    return a;
}

static inline float uniform(uint seed, int counter) {
    return float(int(functions::bits(seed, counter) >> 8)) * 5.9604645e-08f;
}

}

kernel void noise(
    device float* out [[buffer(0)]],
    constant Arguments& arguments [[buffer(1)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    out[i] = functions::uniform(arguments.seed, i);
}
