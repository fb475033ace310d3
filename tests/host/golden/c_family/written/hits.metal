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
    float ball_x;
    float ball_y;
    float ball_radius;
};

kernel void hits(
    device const float* xs [[buffer(0)]],
    device const float* ys [[buffer(1)]],
    device bool* out [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    float dx = xs[i] - arguments.ball_x;
    float dy = ys[i] - arguments.ball_y;
    out[i] = fma(dx, dx, dy * dy) < arguments.ball_radius * arguments.ball_radius;
}
