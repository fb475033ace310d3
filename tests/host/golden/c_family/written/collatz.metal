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

kernel void collatz(
    device const long* n [[buffer(0)]],
    device int* out [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    long value = n[i];
    int steps = 0;
    while (value > 1l) {
        value = (value & 1l) == 0l ? value >> 1 : long(3ul * ulong(value) + 1ul);
        steps = int(uint(steps) + 1u);
        if (steps == 1000) {
            break;
        }
    }
    out[i] = steps;
}
