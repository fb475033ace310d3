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
    long grid_x;
    long grid_y;
    long grid_z;
    long x_stride0;
    long x_stride1;
    long y_stride1;
    half alpha;
    bool flag;
};

kernel void saxpy(
    device const half* x [[buffer(0)]],
    device half* y [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    long j = long(thread_position_in_grid.x);
    long i = long(thread_position_in_grid.y);
    y[i + (j + 1l) * arguments.y_stride1] = arguments.alpha * x[i * arguments.x_stride0 + j * arguments.x_stride1] + y[i + (j + 1l) * arguments.y_stride1];
}
