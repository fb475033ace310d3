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

kernel void mandelbrot(
    device const float2* c [[buffer(0)]],
    device int* out [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    float z_real = 0.0f;
    float z_imag = 0.0f;
    int steps = 0;
    while (steps < 50 && fma(z_real, z_real, z_imag * z_imag) < 4.0f) {
        float kept = fma(z_real, z_imag, z_imag * z_real) + c[i].y;
        z_real = fma(z_real, z_real, -(z_imag * z_imag)) + c[i].x;
        z_imag = kept;
        steps = int(uint(steps) + 1u);
    }
    out[i] = steps;
}
