#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

static inline void threadgroup_atomic_store(threadgroup uint* address, uint value) {
    atomic_store_explicit((threadgroup atomic_uint*)address, value, memory_order_relaxed);
}

static inline uint threadgroup_atomic_add(threadgroup uint* address, uint value) {
    return atomic_fetch_add_explicit((threadgroup atomic_uint*)address, value, memory_order_relaxed);
}

static inline uint atomic_max(device uint* address, uint value) {
    return atomic_fetch_max_explicit((device atomic_uint*)address, value, memory_order_relaxed);
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int x_extent0;
    int bins;
};

kernel void histogram(
    device const uchar* x [[buffer(0)]],
    device uint* out [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    threadgroup uint* counts [[threadgroup(0)]],
    threadgroup float* spare [[threadgroup(1)]],
    uint thread_index_in_threadgroup [[thread_index_in_threadgroup]],
    uint3 thread_position_in_grid [[thread_position_in_grid]],
    uint3 threads_per_threadgroup [[threads_per_threadgroup]]) {
    int counts_extent0 = arguments.bins;
    int spare_extent0 = int(threads_per_threadgroup.x);
    short mine[4];
    int i = int(thread_position_in_grid.x);
    int index = int(thread_index_in_threadgroup);
    for (int k = index; k < counts_extent0; k += int(threads_per_threadgroup.x)) {
        threadgroup_atomic_store(&counts[k], 0u);
    }
    spare[index * 4 + 1] = 0.5f;
    mine[0] = short(7);
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
    if (i < arguments.x_extent0) {
        uint old = threadgroup_atomic_add(&counts[x[i]], 1u);
    }
    threadgroup_barrier(mem_flags::mem_none);
    atomic_max(&out[index], counts[index]);
    out[int(mine[0])] = uint(spare_extent0);
}
