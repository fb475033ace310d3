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
    int a_stride0;
    int a_extent1;
    int b_stride0;
    int c_stride0;
};

kernel void matmul(
    device const float* a [[buffer(0)]],
    device const float* b [[buffer(1)]],
    device float* c [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]],
    uint3 thread_position_in_threadgroup [[thread_position_in_threadgroup]]) {
    threadgroup float tile_a[16][16];
    threadgroup float tile_b[16][16];
    int row = int(thread_position_in_grid.y);
    int column = int(thread_position_in_grid.x);
    int y = int(thread_position_in_threadgroup.y);
    int x = int(thread_position_in_threadgroup.x);
    float total = 0.0f;
    for (int start = 0; start < arguments.a_extent1; start += 16) {
        tile_a[y][x] = a[row * arguments.a_stride0 + start + x];
        tile_b[y][x] = b[(start + y) * arguments.b_stride0 + column];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (int k = 0; k < 16; ++k) {
            total = fma(tile_a[y][k], tile_b[k][x], total);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    c[row * arguments.c_stride0 + column] = total;
}
