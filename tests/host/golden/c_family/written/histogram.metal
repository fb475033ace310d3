#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

static inline uint threadgroup_atomic_add(threadgroup uint* address, uint value) {
    return atomic_fetch_add_explicit((threadgroup atomic_uint*)address, value, memory_order_relaxed);
}

static inline uint atomic_add(device uint* address, uint value) {
    return atomic_fetch_add_explicit((device atomic_uint*)address, value, memory_order_relaxed);
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

kernel void histogram(
    device const uchar* x [[buffer(0)]],
    device uint* counts [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint thread_index_in_threadgroup [[thread_index_in_threadgroup]],
    uint3 thread_position_in_grid [[thread_position_in_grid]],
    uint3 threads_per_threadgroup [[threads_per_threadgroup]]) {
    threadgroup uint local[256];
    int index_ = int(thread_index_in_threadgroup);
    for (int k = index_; k < 256; k += int(threads_per_threadgroup.x)) {
        local[k] = 0u;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    int i = int(thread_position_in_grid.x);
    threadgroup_atomic_add(&local[int(x[i])], 1u);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (int k_1 = index_; k_1 < 256; k_1 += int(threads_per_threadgroup.x)) {
        atomic_add(&counts[k_1], local[k_1]);
    }
}
