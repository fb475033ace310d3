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
    int x_extent0;
    int x_stride0;
    int x_extent1;
    int out_stride0;
};

kernel void stencil(
    device const float* x [[buffer(0)]],
    device float* out [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    int j = int(thread_position_in_grid.y);
    if (0 < i && i < arguments.x_extent0 - 1 && (0 < j && j < arguments.x_extent1 - 1)) {
        out[i * arguments.out_stride0 + j] = 0.25f * (x[(i - 1) * arguments.x_stride0 + j] + x[(i + 1) * arguments.x_stride0 + j] + x[i * arguments.x_stride0 + j - 1] + x[i * arguments.x_stride0 + j + 1]);
    }
}
