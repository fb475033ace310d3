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
    int b_stride1;
    int c_stride0;
};

kernel void matrices(
    device const float* a [[buffer(0)]],
    device const float* b [[buffer(1)]],
    device float* c [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]]) {
    threadgroup float tile[8][16];
    simdgroup_float8x8 total = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 left;
    simdgroup_float8x8 right;
    for (int k = 0; k < arguments.a_extent1; k += 8) {
        simdgroup_load(left, &a[k], ulong(arguments.a_stride0), ulong2(0, 0), false);
        simdgroup_load(right, &b[k], ulong(arguments.b_stride1), ulong2(0, 0), false);
        simdgroup_multiply_accumulate(total, left, right, total);
    }
    simdgroup_multiply(left, total, total);
    simdgroup_store(left, &tile[0][8], ulong(16), ulong2(0, 0), false);
    simdgroup_load(right, &tile[0][8], ulong(16), ulong2(0, 0), false);
    simdgroup_barrier(mem_flags::mem_threadgroup);
    simdgroup_store(right, &c[0], ulong(arguments.c_stride0), ulong2(0, 0), false);
}
