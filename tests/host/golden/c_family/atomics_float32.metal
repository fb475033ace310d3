#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

static inline uint threadgroup_read_word(threadgroup uint* word) {
    return atomic_load_explicit((threadgroup atomic_uint*)word, memory_order_relaxed);
}

static inline bool threadgroup_replace_word(threadgroup uint* word, thread uint& old, uint desired) {
    return atomic_compare_exchange_weak_explicit(
        (threadgroup atomic_uint*)word, &old, desired, memory_order_relaxed, memory_order_relaxed);
}

static inline float threadgroup_atomic_load(threadgroup float* address) {
    threadgroup uint* word = (threadgroup uint*)address;
    uint old = threadgroup_read_word(word);
    return as_type<float>(old);
}

static inline void threadgroup_atomic_store(threadgroup float* address, float value) {
    threadgroup uint* word = (threadgroup uint*)address;
    uint old = threadgroup_read_word(word);
    while (true) {
        uint desired = as_type<uint>(value);
        if (threadgroup_replace_word(word, old, desired)) return;
    }
}

static inline float threadgroup_atomic_exchange(threadgroup float* address, float value) {
    threadgroup uint* word = (threadgroup uint*)address;
    uint old = threadgroup_read_word(word);
    while (true) {
        float current = as_type<float>(old);
        uint desired = as_type<uint>(value);
        if (threadgroup_replace_word(word, old, desired)) return current;
    }
}

static inline float threadgroup_atomic_compare_exchange(
    threadgroup float* address,
    float expected,
    float desired) {
    threadgroup uint* word = (threadgroup uint*)address;
    uint old = threadgroup_read_word(word);
    while (old == as_type<uint>(expected)) {
        if (threadgroup_replace_word(word, old, as_type<uint>(desired))) return expected;
    }
    return as_type<float>(old);
}

static inline float threadgroup_atomic_add(threadgroup float* address, float value) {
    threadgroup uint* word = (threadgroup uint*)address;
    uint old = threadgroup_read_word(word);
    while (true) {
        float current = as_type<float>(old);
        uint desired = as_type<uint>(current + value);
        if (threadgroup_replace_word(word, old, desired)) return current;
    }
}

static inline float threadgroup_atomic_subtract(threadgroup float* address, float value) {
    threadgroup uint* word = (threadgroup uint*)address;
    uint old = threadgroup_read_word(word);
    while (true) {
        float current = as_type<float>(old);
        uint desired = as_type<uint>(current - value);
        if (threadgroup_replace_word(word, old, desired)) return current;
    }
}

// NaN where either is NaN.
static inline float minimum(float a, float b) {
    return isnan(a) || a < b ? a : b;
}

static inline float threadgroup_atomic_min(threadgroup float* address, float value) {
    threadgroup uint* word = (threadgroup uint*)address;
    uint old = threadgroup_read_word(word);
    while (true) {
        float current = as_type<float>(old);
        uint desired = as_type<uint>(minimum(current, value));
        if (threadgroup_replace_word(word, old, desired)) return current;
    }
}

// NaN where either is NaN.
static inline float maximum(float a, float b) {
    return isnan(a) || a > b ? a : b;
}

static inline float threadgroup_atomic_max(threadgroup float* address, float value) {
    threadgroup uint* word = (threadgroup uint*)address;
    uint old = threadgroup_read_word(word);
    while (true) {
        float current = as_type<float>(old);
        uint desired = as_type<uint>(maximum(current, value));
        if (threadgroup_replace_word(word, old, desired)) return current;
    }
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    float given;
};

kernel void atomics_float32_threadgroup(
    device float* x [[buffer(0)]],
    constant Arguments& arguments [[buffer(1)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    threadgroup float shared[64];
    int i = int(thread_position_in_grid.x);
    float old0 = threadgroup_atomic_load(&shared[i]);
    x[i + 0] = old0;
    threadgroup_atomic_store(&shared[i], arguments.given);
    float old2 = threadgroup_atomic_exchange(&shared[i], arguments.given);
    x[i + 2] = old2;
    float old3 = threadgroup_atomic_compare_exchange(&shared[i], arguments.given, arguments.given);
    x[i + 3] = old3;
    float old4 = threadgroup_atomic_add(&shared[i], arguments.given);
    x[i + 4] = old4;
    float old5 = threadgroup_atomic_subtract(&shared[i], arguments.given);
    x[i + 5] = old5;
    float old6 = threadgroup_atomic_min(&shared[i], arguments.given);
    x[i + 6] = old6;
    float old7 = threadgroup_atomic_max(&shared[i], arguments.given);
    x[i + 7] = old7;
}
