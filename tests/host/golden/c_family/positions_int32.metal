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

kernel void positions_int32(
    device int* out [[buffer(0)]],
    constant Arguments& arguments [[buffer(1)]],
    uint simdgroup_index_in_threadgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups_per_threadgroup [[simdgroups_per_threadgroup]],
    uint thread_index_in_simdgroup [[thread_index_in_simdgroup]],
    uint thread_index_in_threadgroup [[thread_index_in_threadgroup]],
    uint3 thread_position_in_grid [[thread_position_in_grid]],
    uint3 thread_position_in_threadgroup [[thread_position_in_threadgroup]],
    uint3 threadgroup_position_in_grid [[threadgroup_position_in_grid]],
    uint3 threadgroups_per_grid [[threadgroups_per_grid]],
    uint3 threads_per_threadgroup [[threads_per_threadgroup]]) {
    out[0] = int(thread_position_in_grid.x);
    out[1] = int(thread_position_in_grid.y);
    out[2] = int(thread_position_in_grid.z);
    out[3] = int(thread_position_in_threadgroup.x);
    out[4] = int(thread_position_in_threadgroup.y);
    out[5] = int(thread_position_in_threadgroup.z);
    out[6] = int(threadgroup_position_in_grid.x);
    out[7] = int(threadgroup_position_in_grid.y);
    out[8] = int(threadgroup_position_in_grid.z);
    out[9] = int(threads_per_threadgroup.x);
    out[10] = int(threads_per_threadgroup.y);
    out[11] = int(threads_per_threadgroup.z);
    out[12] = int(threadgroups_per_grid.x);
    out[13] = int(threadgroups_per_grid.y);
    out[14] = int(threadgroups_per_grid.z);
    out[15] = arguments.grid_x;
    out[16] = arguments.grid_y;
    out[17] = arguments.grid_z;
    out[18] = int(thread_index_in_threadgroup);
    out[19] = int(thread_index_in_simdgroup);
    out[20] = int(simdgroup_index_in_threadgroup);
    out[21] = 32;
    out[22] = int(simdgroups_per_threadgroup);
}
