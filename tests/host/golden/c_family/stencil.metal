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
    int column = int(thread_position_in_grid.x);
    int row = int(thread_position_in_grid.y);
    if (row >= arguments.x_extent0 || (column >= arguments.x_extent1 || column < 1)) {
        return;
    }
    float total = 0.0f;
    for (int k = -1; k < 2; ++k) {
        if (!(column + k >= 0 && !(column + k >= arguments.x_extent1))) {
            continue;
        }
        total += x[row * arguments.x_stride0 + column + k];
        if (total > 1e+30f) {
            break;
        }
    }
    out[row * arguments.out_stride0 + column] = total / 3.0f;
}
