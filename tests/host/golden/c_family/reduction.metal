#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

// One step of a range; stop where the range ends, so that nothing overflows.
static inline int range_next(int i, int stop, int step) {
    uint left = step > 0 ? uint(stop) - uint(i) : uint(i) - uint(stop);
    uint size = step > 0 ? uint(step) : uint(0) - uint(step);
    return left > size ? int(i + step) : stop;
}

static inline float atomic_add(device float* address, float value) {
    return atomic_fetch_add_explicit((device atomic_float*)address, value, memory_order_relaxed);
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int x_extent0;
};

kernel void reduction(
    device const float* x [[buffer(0)]],
    device float* out [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint simdgroup_index_in_threadgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups_per_threadgroup [[simdgroups_per_threadgroup]],
    uint thread_index_in_simdgroup [[thread_index_in_simdgroup]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    threadgroup float partial[32];
    float total = 0.0f;
    for (int i = int(thread_position_in_grid.x); i < arguments.x_extent0; i = range_next(i, arguments.x_extent0, arguments.grid_x)) {
        total += x[i];
    }
    int lane = int(thread_index_in_simdgroup);
    int group = int(simdgroup_index_in_threadgroup);
    total = simd_sum(total);
    if (lane == 0) {
        partial[group] = total;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (group == 0) {
        total = 0.0f;
        if (lane < int(simdgroups_per_threadgroup)) {
            total = partial[lane];
        }
        float whole = simd_sum(total);
        if (lane == 0) {
            atomic_add(&out[0], whole);
        }
    }
}
