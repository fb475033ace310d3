typedef unsigned int uint32;

static __device__ inline float atomic_load(float* address) {
    return *(volatile float*)address;
}

static __device__ inline void atomic_store(float* address, float value) {
    *(volatile float*)address = value;
}

static __device__ inline float atomic_exchange(float* address, float value) {
    return atomicExch(address, value);
}

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

static __device__ inline float atomic_compare_exchange(
    float* address,
    float expected,
    float desired) {
    uint32* word = (uint32*)address;
    uint32 old = read_word(word);
    while (old == as_type<uint32>(expected)) {
        if (replace_word(word, old, as_type<uint32>(desired))) return expected;
    }
    return as_type<float>(old);
}

static __device__ inline float atomic_add(float* address, float value) {
    return atomicAdd(address, value);
}

static __device__ inline float atomic_subtract(float* address, float value) {
    return atomicAdd(address, -value);
}

// NaN where either is NaN.
static __device__ inline float minimum(float a, float b) {
    #if __CUDA_ARCH__ >= 800
    float extremum;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(extremum) : "f"(a), "f"(b));
    return extremum;
    #else
    return isnan(a) || a < b ? a : b;
    #endif
}

static __device__ inline float atomic_min(float* address, float value) {
    uint32* word = (uint32*)address;
    uint32 old = read_word(word);
    while (true) {
        float current = as_type<float>(old);
        uint32 desired = as_type<uint32>(minimum(current, value));
        if (replace_word(word, old, desired)) return current;
    }
}

// NaN where either is NaN.
static __device__ inline float maximum(float a, float b) {
    #if __CUDA_ARCH__ >= 800
    float extremum;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(extremum) : "f"(a), "f"(b));
    return extremum;
    #else
    return isnan(a) || a > b ? a : b;
    #endif
}

static __device__ inline float atomic_max(float* address, float value) {
    uint32* word = (uint32*)address;
    uint32 old = read_word(word);
    while (true) {
        float current = as_type<float>(old);
        uint32 desired = as_type<uint32>(maximum(current, value));
        if (replace_word(word, old, desired)) return current;
    }
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    float given;
};

extern "C" __global__ void __launch_bounds__(256) atomics_float32_threadgroup(
    float* x,
    const Arguments arguments) {
    __shared__ float shared[64];
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int i = thread_position_in_grid_x;
    float old0 = atomic_load(&shared[i]);
    x[i + 0] = old0;
    atomic_store(&shared[i], arguments.given);
    float old2 = atomic_exchange(&shared[i], arguments.given);
    x[i + 2] = old2;
    float old3 = atomic_compare_exchange(&shared[i], arguments.given, arguments.given);
    x[i + 3] = old3;
    float old4 = atomic_add(&shared[i], arguments.given);
    x[i + 4] = old4;
    float old5 = atomic_subtract(&shared[i], arguments.given);
    x[i + 5] = old5;
    float old6 = atomic_min(&shared[i], arguments.given);
    x[i + 6] = old6;
    float old7 = atomic_max(&shared[i], arguments.given);
    x[i + 7] = old7;
}
