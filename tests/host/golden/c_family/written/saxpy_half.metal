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
    int y_stride0;
    half alpha;
};

kernel void saxpy(
    device const half* x [[buffer(0)]],
    device half* y [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    y[i * arguments.y_stride0] = arguments.alpha * x[i] + y[i * arguments.y_stride0];
}
