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

kernel void matrix_product(
    device const float* a [[buffer(0)]],
    device const float* b [[buffer(1)]],
    device float* c [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]],
    uint3 threadgroup_position_in_grid [[threadgroup_position_in_grid]]) {
    int row = int(threadgroup_position_in_grid.y) * 8;
    int column = int(threadgroup_position_in_grid.x) * 8;
    simdgroup_float8x8 total = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    for (int k = 0; k < arguments.a_extent1; k += 8) {
        simdgroup_float8x8 left;
        simdgroup_load(left, &a[row * arguments.a_stride0 + k], ulong(arguments.a_stride0), ulong2(0, 0), false);
        simdgroup_float8x8 right;
        simdgroup_load(right, &b[k * arguments.b_stride0 + column], ulong(arguments.b_stride0), ulong2(0, 0), false);
        simdgroup_multiply_accumulate(total, left, right, total);
    }
    simdgroup_store(total, &c[row * arguments.c_stride0 + column], ulong(arguments.c_stride0), ulong2(0, 0), false);
}
