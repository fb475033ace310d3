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

kernel void product_of_tiles(
    device const half* a [[buffer(0)]],
    device const half* b [[buffer(1)]],
    device float* c [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]],
    uint thread_index_in_threadgroup [[thread_index_in_threadgroup]],
    uint3 threadgroup_position_in_grid [[threadgroup_position_in_grid]]) {
    threadgroup half tile_a[2][32][24];
    threadgroup half tile_b[2][16][40];
    int row = int(threadgroup_position_in_grid.y) * 32;
    int column = int(threadgroup_position_in_grid.x) * 32;
    int t = int(thread_index_in_threadgroup);
    simdgroup_float8x8 total_0_0 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_0_1 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_0_2 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_0_3 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_1_0 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_1_1 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_1_2 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_1_3 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_2_0 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_2_1 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_2_2 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_2_3 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_3_0 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_3_1 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_3_2 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_float8x8 total_3_3 = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    int step__stop = arguments.a_extent1 >> 4;
    for (int step_ = 0; step_ < step__stop; ++step_) {
        int stage = step_ & 1;
        int index_ = row + t;
        int index_1 = 16 * step_ + 0;
        tile_a[stage][t][0] = a[index_ * arguments.a_stride0 + index_1];
        tile_a[stage][t][0 + 1] = a[index_ * arguments.a_stride0 + index_1 + 1];
        tile_a[stage][t][0 + 2] = a[index_ * arguments.a_stride0 + index_1 + 2];
        tile_a[stage][t][0 + 3] = a[index_ * arguments.a_stride0 + index_1 + 3];
        tile_a[stage][t][0 + 4] = a[index_ * arguments.a_stride0 + index_1 + 4];
        tile_a[stage][t][0 + 5] = a[index_ * arguments.a_stride0 + index_1 + 5];
        tile_a[stage][t][0 + 6] = a[index_ * arguments.a_stride0 + index_1 + 6];
        tile_a[stage][t][0 + 7] = a[index_ * arguments.a_stride0 + index_1 + 7];
        int place_0 = t >> 1;
        int place_1 = 16 * (t & 1) + 0;
        int index_2 = 16 * step_ + (t >> 1);
        int index_3 = column + place_1;
        tile_b[stage][place_0][place_1] = b[index_2 * arguments.b_stride0 + index_3];
        tile_b[stage][place_0][place_1 + 1] = b[index_2 * arguments.b_stride0 + index_3 + 1];
        tile_b[stage][place_0][place_1 + 2] = b[index_2 * arguments.b_stride0 + index_3 + 2];
        tile_b[stage][place_0][place_1 + 3] = b[index_2 * arguments.b_stride0 + index_3 + 3];
        tile_b[stage][place_0][place_1 + 4] = b[index_2 * arguments.b_stride0 + index_3 + 4];
        tile_b[stage][place_0][place_1 + 5] = b[index_2 * arguments.b_stride0 + index_3 + 5];
        tile_b[stage][place_0][place_1 + 6] = b[index_2 * arguments.b_stride0 + index_3 + 6];
        tile_b[stage][place_0][place_1 + 7] = b[index_2 * arguments.b_stride0 + index_3 + 7];
        int index_4 = row + t;
        int index_5 = 16 * step_ + 8;
        tile_a[stage][t][8] = a[index_4 * arguments.a_stride0 + index_5];
        tile_a[stage][t][8 + 1] = a[index_4 * arguments.a_stride0 + index_5 + 1];
        tile_a[stage][t][8 + 2] = a[index_4 * arguments.a_stride0 + index_5 + 2];
        tile_a[stage][t][8 + 3] = a[index_4 * arguments.a_stride0 + index_5 + 3];
        tile_a[stage][t][8 + 4] = a[index_4 * arguments.a_stride0 + index_5 + 4];
        tile_a[stage][t][8 + 5] = a[index_4 * arguments.a_stride0 + index_5 + 5];
        tile_a[stage][t][8 + 6] = a[index_4 * arguments.a_stride0 + index_5 + 6];
        tile_a[stage][t][8 + 7] = a[index_4 * arguments.a_stride0 + index_5 + 7];
        place_0 = t >> 1;
        place_1 = 16 * (t & 1) + 8;
        int index_6 = 16 * step_ + (t >> 1);
        int index_7 = column + place_1;
        tile_b[stage][place_0][place_1] = b[index_6 * arguments.b_stride0 + index_7];
        tile_b[stage][place_0][place_1 + 1] = b[index_6 * arguments.b_stride0 + index_7 + 1];
        tile_b[stage][place_0][place_1 + 2] = b[index_6 * arguments.b_stride0 + index_7 + 2];
        tile_b[stage][place_0][place_1 + 3] = b[index_6 * arguments.b_stride0 + index_7 + 3];
        tile_b[stage][place_0][place_1 + 4] = b[index_6 * arguments.b_stride0 + index_7 + 4];
        tile_b[stage][place_0][place_1 + 5] = b[index_6 * arguments.b_stride0 + index_7 + 5];
        tile_b[stage][place_0][place_1 + 6] = b[index_6 * arguments.b_stride0 + index_7 + 6];
        tile_b[stage][place_0][place_1 + 7] = b[index_6 * arguments.b_stride0 + index_7 + 7];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        simdgroup_half8x8 left_0_0;
        simdgroup_load(left_0_0, &tile_a[stage][0][0], ulong(24), ulong2(0, 0), false);
        simdgroup_half8x8 left_0_1;
        simdgroup_load(left_0_1, &tile_a[stage][0][8], ulong(24), ulong2(0, 0), false);
        simdgroup_half8x8 left_1_0;
        simdgroup_load(left_1_0, &tile_a[stage][8][0], ulong(24), ulong2(0, 0), false);
        simdgroup_half8x8 left_1_1;
        simdgroup_load(left_1_1, &tile_a[stage][8][8], ulong(24), ulong2(0, 0), false);
        simdgroup_half8x8 left_2_0;
        simdgroup_load(left_2_0, &tile_a[stage][16][0], ulong(24), ulong2(0, 0), false);
        simdgroup_half8x8 left_2_1;
        simdgroup_load(left_2_1, &tile_a[stage][16][8], ulong(24), ulong2(0, 0), false);
        simdgroup_half8x8 left_3_0;
        simdgroup_load(left_3_0, &tile_a[stage][24][0], ulong(24), ulong2(0, 0), false);
        simdgroup_half8x8 left_3_1;
        simdgroup_load(left_3_1, &tile_a[stage][24][8], ulong(24), ulong2(0, 0), false);
        simdgroup_half8x8 right_0_0;
        simdgroup_load(right_0_0, &tile_b[stage][0][0], ulong(40), ulong2(0, 0), false);
        simdgroup_half8x8 right_0_1;
        simdgroup_load(right_0_1, &tile_b[stage][0][8], ulong(40), ulong2(0, 0), false);
        simdgroup_half8x8 right_0_2;
        simdgroup_load(right_0_2, &tile_b[stage][0][16], ulong(40), ulong2(0, 0), false);
        simdgroup_half8x8 right_0_3;
        simdgroup_load(right_0_3, &tile_b[stage][0][24], ulong(40), ulong2(0, 0), false);
        simdgroup_half8x8 right_1_0;
        simdgroup_load(right_1_0, &tile_b[stage][8][0], ulong(40), ulong2(0, 0), false);
        simdgroup_half8x8 right_1_1;
        simdgroup_load(right_1_1, &tile_b[stage][8][8], ulong(40), ulong2(0, 0), false);
        simdgroup_half8x8 right_1_2;
        simdgroup_load(right_1_2, &tile_b[stage][8][16], ulong(40), ulong2(0, 0), false);
        simdgroup_half8x8 right_1_3;
        simdgroup_load(right_1_3, &tile_b[stage][8][24], ulong(40), ulong2(0, 0), false);
        simdgroup_multiply_accumulate(total_0_0, left_0_0, right_0_0, total_0_0);
        simdgroup_multiply_accumulate(total_0_0, left_0_1, right_1_0, total_0_0);
        simdgroup_multiply_accumulate(total_0_1, left_0_0, right_0_1, total_0_1);
        simdgroup_multiply_accumulate(total_0_1, left_0_1, right_1_1, total_0_1);
        simdgroup_multiply_accumulate(total_0_2, left_0_0, right_0_2, total_0_2);
        simdgroup_multiply_accumulate(total_0_2, left_0_1, right_1_2, total_0_2);
        simdgroup_multiply_accumulate(total_0_3, left_0_0, right_0_3, total_0_3);
        simdgroup_multiply_accumulate(total_0_3, left_0_1, right_1_3, total_0_3);
        simdgroup_multiply_accumulate(total_1_0, left_1_0, right_0_0, total_1_0);
        simdgroup_multiply_accumulate(total_1_0, left_1_1, right_1_0, total_1_0);
        simdgroup_multiply_accumulate(total_1_1, left_1_0, right_0_1, total_1_1);
        simdgroup_multiply_accumulate(total_1_1, left_1_1, right_1_1, total_1_1);
        simdgroup_multiply_accumulate(total_1_2, left_1_0, right_0_2, total_1_2);
        simdgroup_multiply_accumulate(total_1_2, left_1_1, right_1_2, total_1_2);
        simdgroup_multiply_accumulate(total_1_3, left_1_0, right_0_3, total_1_3);
        simdgroup_multiply_accumulate(total_1_3, left_1_1, right_1_3, total_1_3);
        simdgroup_multiply_accumulate(total_2_0, left_2_0, right_0_0, total_2_0);
        simdgroup_multiply_accumulate(total_2_0, left_2_1, right_1_0, total_2_0);
        simdgroup_multiply_accumulate(total_2_1, left_2_0, right_0_1, total_2_1);
        simdgroup_multiply_accumulate(total_2_1, left_2_1, right_1_1, total_2_1);
        simdgroup_multiply_accumulate(total_2_2, left_2_0, right_0_2, total_2_2);
        simdgroup_multiply_accumulate(total_2_2, left_2_1, right_1_2, total_2_2);
        simdgroup_multiply_accumulate(total_2_3, left_2_0, right_0_3, total_2_3);
        simdgroup_multiply_accumulate(total_2_3, left_2_1, right_1_3, total_2_3);
        simdgroup_multiply_accumulate(total_3_0, left_3_0, right_0_0, total_3_0);
        simdgroup_multiply_accumulate(total_3_0, left_3_1, right_1_0, total_3_0);
        simdgroup_multiply_accumulate(total_3_1, left_3_0, right_0_1, total_3_1);
        simdgroup_multiply_accumulate(total_3_1, left_3_1, right_1_1, total_3_1);
        simdgroup_multiply_accumulate(total_3_2, left_3_0, right_0_2, total_3_2);
        simdgroup_multiply_accumulate(total_3_2, left_3_1, right_1_2, total_3_2);
        simdgroup_multiply_accumulate(total_3_3, left_3_0, right_0_3, total_3_3);
        simdgroup_multiply_accumulate(total_3_3, left_3_1, right_1_3, total_3_3);
    }
    simdgroup_store(total_0_0, &c[row * arguments.c_stride0 + column], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_0_1, &c[row * arguments.c_stride0 + column + 8], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_0_2, &c[row * arguments.c_stride0 + column + 16], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_0_3, &c[row * arguments.c_stride0 + column + 24], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_1_0, &c[(row + 8) * arguments.c_stride0 + column], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_1_1, &c[(row + 8) * arguments.c_stride0 + column + 8], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_1_2, &c[(row + 8) * arguments.c_stride0 + column + 16], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_1_3, &c[(row + 8) * arguments.c_stride0 + column + 24], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_2_0, &c[(row + 16) * arguments.c_stride0 + column], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_2_1, &c[(row + 16) * arguments.c_stride0 + column + 8], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_2_2, &c[(row + 16) * arguments.c_stride0 + column + 16], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_2_3, &c[(row + 16) * arguments.c_stride0 + column + 24], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_3_0, &c[(row + 24) * arguments.c_stride0 + column], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_3_1, &c[(row + 24) * arguments.c_stride0 + column + 8], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_3_2, &c[(row + 24) * arguments.c_stride0 + column + 16], ulong(arguments.c_stride0), ulong2(0, 0), false);
    simdgroup_store(total_3_3, &c[(row + 24) * arguments.c_stride0 + column + 24], ulong(arguments.c_stride0), ulong2(0, 0), false);
}
