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
};

kernel void complex_product(
    device const float2* z [[buffer(0)]],
    device float2* out [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    float re = z[i].x;
    float im = z[i].y;
    out[i].x = re * re - im * im;
    out[i].y = 2.0f * re * im;
}
