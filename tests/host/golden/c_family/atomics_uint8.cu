typedef unsigned char uint8;
typedef unsigned int uint32;

// The same bits as another type.
template <typename To, typename From>
__device__ inline To as_type(From from) {
    static_assert(sizeof(To) == sizeof(From), "the sizes differ");
    To to;
    memcpy(&to, &from, sizeof(To));
    return to;
}

__device__ inline unsigned int read_word(unsigned int* word) {
    return *(volatile unsigned int*)word;
}

__device__ inline bool replace_word(unsigned int* word, unsigned int& old, unsigned int desired) {
    unsigned int seen = atomicCAS(word, old, desired);
    bool replaced = seen == old;
    old = seen;
    return replaced;
}

__device__ inline unsigned long long read_word(unsigned long long* word) {
    return *(volatile unsigned long long*)word;
}

__device__ inline bool replace_word(unsigned long long* word, unsigned long long& old, unsigned long long desired) {
    unsigned long long seen = atomicCAS(word, old, desired);
    bool replaced = seen == old;
    old = seen;
    return replaced;
}

static __device__ inline uint8 atomic_load(uint8* address) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    return uint8(old >> shift);
}

static __device__ inline void atomic_store(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint32 desired = (old & ~mask) | (uint32(value) << shift);
        if (replace_word(word, old, desired)) return;
    }
}

static __device__ inline uint8 atomic_exchange(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint8 current = uint8(old >> shift);
        uint32 desired = (old & ~mask) | (uint32(value) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static __device__ inline uint8 atomic_compare_exchange(
    uint8* address,
    uint8 expected,
    uint8 desired) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (uint8(old >> shift) == expected) {
        if (replace_word(word, old, (old & ~mask) | (uint32(desired) << shift))) return expected;
    }
    return uint8(old >> shift);
}

static __device__ inline uint8 atomic_add(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint8 current = uint8(old >> shift);
        uint32 desired = (old & ~mask) | (uint32(uint8(current + value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static __device__ inline uint8 atomic_subtract(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint8 current = uint8(old >> shift);
        uint32 desired = (old & ~mask) | (uint32(uint8(current - value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static __device__ inline uint8 minimum(uint8 a, uint8 b) {
    return a < b ? a : b;
}

static __device__ inline uint8 atomic_min(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint8 current = uint8(old >> shift);
        uint32 desired = (old & ~mask) | (uint32(minimum(current, value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static __device__ inline uint8 maximum(uint8 a, uint8 b) {
    return a > b ? a : b;
}

static __device__ inline uint8 atomic_max(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint8 current = uint8(old >> shift);
        uint32 desired = (old & ~mask) | (uint32(maximum(current, value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static __device__ inline uint8 atomic_and(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint8 current = uint8(old >> shift);
        uint32 desired = (old & ~mask) | (uint32(uint8(current & value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static __device__ inline uint8 atomic_or(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint8 current = uint8(old >> shift);
        uint32 desired = (old & ~mask) | (uint32(uint8(current | value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

static __device__ inline uint8 atomic_xor(uint8* address, uint8 value) {
    // The element is a part of a word of 32 bits.
    size_t place = (size_t)address;
    uint32* word = (uint32*)(place & ~size_t(3));
    uint32 shift = uint32(place & 3) * 8;
    uint32 mask = uint32(255) << shift;
    uint32 old = read_word(word);
    while (true) {
        uint8 current = uint8(old >> shift);
        uint32 desired = (old & ~mask) | (uint32(uint8(current ^ value)) << shift);
        if (replace_word(word, old, desired)) return current;
    }
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    uint8 given;
};

extern "C" __global__ void __launch_bounds__(256) atomics_uint8_device(
    uint8* x,
    const Arguments arguments) {
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int i = thread_position_in_grid_x;
    uint8 old0 = atomic_load(&x[i]);
    x[i + 0] = old0;
    atomic_store(&x[i], arguments.given);
    uint8 old2 = atomic_exchange(&x[i], arguments.given);
    x[i + 2] = old2;
    uint8 old3 = atomic_compare_exchange(&x[i], arguments.given, arguments.given);
    x[i + 3] = old3;
    uint8 old4 = atomic_add(&x[i], arguments.given);
    x[i + 4] = old4;
    uint8 old5 = atomic_subtract(&x[i], arguments.given);
    x[i + 5] = old5;
    uint8 old6 = atomic_min(&x[i], arguments.given);
    x[i + 6] = old6;
    uint8 old7 = atomic_max(&x[i], arguments.given);
    x[i + 7] = old7;
    uint8 old8 = atomic_and(&x[i], arguments.given);
    x[i + 8] = old8;
    uint8 old9 = atomic_or(&x[i], arguments.given);
    x[i + 9] = old9;
    uint8 old10 = atomic_xor(&x[i], arguments.given);
    x[i + 10] = old10;
}
