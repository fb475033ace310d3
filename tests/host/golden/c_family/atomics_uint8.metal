#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

static inline uint read_word(device uint* word) {
    return atomic_load_explicit((device atomic_uint*)word, memory_order_relaxed);
}

static inline bool replace_word(device uint* word, thread uint& old, uint desired) {
    return atomic_compare_exchange_weak_explicit(
        (device atomic_uint*)word, &old, desired, memory_order_relaxed, memory_order_relaxed);
}

static inline uchar atomic_load(device uchar* address) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    return uchar(old >> shift);
}

static inline void atomic_store(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uint desired = (old & ~mask) | (uint(value) << shift);
        if (replace_word(word, old, desired)) return;
    }
}

static inline uchar atomic_exchange(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uchar current = uchar(old >> shift);
        uint desired = (old & ~mask) | (uint(value) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static inline uchar atomic_compare_exchange(device uchar* address, uchar expected, uchar desired) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (uchar(old >> shift) == expected) {
        if (replace_word(word, old, (old & ~mask) | (uint(desired) << shift))) return expected;
    }
    return uchar(old >> shift);
}

static inline uchar atomic_add(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uchar current = uchar(old >> shift);
        uint desired = (old & ~mask) | (uint(uchar(current + value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static inline uchar atomic_subtract(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uchar current = uchar(old >> shift);
        uint desired = (old & ~mask) | (uint(uchar(current - value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static inline uchar minimum(uchar a, uchar b) {
    return a < b ? a : b;
}

static inline uchar atomic_min(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uchar current = uchar(old >> shift);
        uint desired = (old & ~mask) | (uint(minimum(current, value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static inline uchar maximum(uchar a, uchar b) {
    return a > b ? a : b;
}

static inline uchar atomic_max(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uchar current = uchar(old >> shift);
        uint desired = (old & ~mask) | (uint(maximum(current, value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static inline uchar atomic_and(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uchar current = uchar(old >> shift);
        uint desired = (old & ~mask) | (uint(uchar(current & value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static inline uchar atomic_or(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uchar current = uchar(old >> shift);
        uint desired = (old & ~mask) | (uint(uchar(current | value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static inline uchar atomic_xor(device uchar* address, uchar value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    device uint* word = (device uint*)(place & ~size_t(3));
    uint shift = uint(place & 3) * 8;
    uint mask = uint(255) << shift;
    uint old = read_word(word);
    while (true) {
        uchar current = uchar(old >> shift);
        uint desired = (old & ~mask) | (uint(uchar(current ^ value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    uchar given;
};

kernel void atomics_uint8_device(
    device uchar* x [[buffer(0)]],
    constant Arguments& arguments [[buffer(1)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    uchar old0 = atomic_load(&x[i]);
    x[i + 0] = old0;
    atomic_store(&x[i], arguments.given);
    uchar old2 = atomic_exchange(&x[i], arguments.given);
    x[i + 2] = old2;
    uchar old3 = atomic_compare_exchange(&x[i], arguments.given, arguments.given);
    x[i + 3] = old3;
    uchar old4 = atomic_add(&x[i], arguments.given);
    x[i + 4] = old4;
    uchar old5 = atomic_subtract(&x[i], arguments.given);
    x[i + 5] = old5;
    uchar old6 = atomic_min(&x[i], arguments.given);
    x[i + 6] = old6;
    uchar old7 = atomic_max(&x[i], arguments.given);
    x[i + 7] = old7;
    uchar old8 = atomic_and(&x[i], arguments.given);
    x[i + 8] = old8;
    uchar old9 = atomic_or(&x[i], arguments.given);
    x[i + 9] = old9;
    uchar old10 = atomic_xor(&x[i], arguments.given);
    x[i + 10] = old10;
}
