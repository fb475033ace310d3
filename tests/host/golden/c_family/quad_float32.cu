typedef unsigned int uint32;

// The thread's place among the 32 of its simdgroup.
__device__ inline unsigned int lane_index() {
    unsigned int lane;
    asm("mov.u32 %0, %laneid;" : "=r"(lane));
    return lane;
}

static __device__ inline float quadgroup_sum(uint32 mask, float x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (int offset = 2; offset > 0; offset /= 2) {
            float other = float(__shfl_xor_sync(mask, x, offset));
            x = x + other;
        }
        return x;
    }
    float result = float(0);
    for (uint32 k = 0; k < 4; ++k) {
        uint32 source = (lane & ~3u) + k;
        float other = __shfl_sync(mask, x, source);
        if ((active >> source & 1) != 0) result = result + other;
    }
    return result;
}

static __device__ inline float quadgroup_product(uint32 mask, float x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (int offset = 2; offset > 0; offset /= 2) {
            float other = float(__shfl_xor_sync(mask, x, offset));
            x = x * other;
        }
        return x;
    }
    float result = float(1);
    for (uint32 k = 0; k < 4; ++k) {
        uint32 source = (lane & ~3u) + k;
        float other = __shfl_sync(mask, x, source);
        if ((active >> source & 1) != 0) result = result * other;
    }
    return result;
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

static __device__ inline float quadgroup_min(uint32 mask, float x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (int offset = 2; offset > 0; offset /= 2) {
            float other = float(__shfl_xor_sync(mask, x, offset));
            x = minimum(x, other);
        }
        return x;
    }
    float result = __int_as_float(0x7f800000);
    for (uint32 k = 0; k < 4; ++k) {
        uint32 source = (lane & ~3u) + k;
        float other = __shfl_sync(mask, x, source);
        if ((active >> source & 1) != 0) result = minimum(result, other);
    }
    return result;
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

static __device__ inline float quadgroup_max(uint32 mask, float x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (int offset = 2; offset > 0; offset /= 2) {
            float other = float(__shfl_xor_sync(mask, x, offset));
            x = maximum(x, other);
        }
        return x;
    }
    float result = -__int_as_float(0x7f800000);
    for (uint32 k = 0; k < 4; ++k) {
        uint32 source = (lane & ~3u) + k;
        float other = __shfl_sync(mask, x, source);
        if ((active >> source & 1) != 0) result = maximum(result, other);
    }
    return result;
}

static __device__ inline float quadgroup_shuffle(uint32 mask, float x, int operand) {
    uint32 lane = lane_index();
    uint32 place = lane & 3;
    uint32 source = uint32(operand);
    return __shfl_sync(mask, x, (lane & ~3u) + (source & 3));
}

static __device__ inline float quadgroup_shuffle_up(uint32 mask, float x, int operand) {
    uint32 active = mask;
    uint32 lane = lane_index();
    uint32 place = lane & 3;
    uint32 source = place - uint32(operand);
    float other = __shfl_sync(mask, x, (lane & ~3u) + (source & 3));
    // Where no active thread is in that place, the thread's own value.
    return source < 4 && (active >> ((lane & ~3u) + source) & 1) != 0 ? other : x;
}

static __device__ inline float quadgroup_shuffle_down(uint32 mask, float x, int operand) {
    uint32 active = mask;
    uint32 lane = lane_index();
    uint32 place = lane & 3;
    uint32 source = place + uint32(operand);
    float other = __shfl_sync(mask, x, (lane & ~3u) + (source & 3));
    // Where no active thread is in that place, the thread's own value.
    return source < 4 && (active >> ((lane & ~3u) + source) & 1) != 0 ? other : x;
}

static __device__ inline float quadgroup_shuffle_xor(uint32 mask, float x, int operand) {
    uint32 lane = lane_index();
    uint32 place = lane & 3;
    uint32 source = place ^ uint32(operand);
    return __shfl_sync(mask, x, (lane & ~3u) + (source & 3));
}

static __device__ inline float quadgroup_broadcast(uint32 mask, float x, int operand) {
    uint32 lane = lane_index();
    uint32 place = lane & 3;
    uint32 source = uint32(operand);
    return __shfl_sync(mask, x, (lane & ~3u) + (source & 3));
}

static __device__ inline uint32 quadgroup_ballot(uint32 mask, bool predicate) {
    uint32 lane = lane_index();
    return __ballot_sync(mask, predicate) >> (lane & ~3u) & 15;
}

static __device__ inline bool quadgroup_any(uint32 mask, bool predicate) {
    uint32 lane = lane_index();
    return (__ballot_sync(mask, predicate) >> (lane & ~3u) & 15) != 0;
}

static __device__ inline bool quadgroup_all(uint32 mask, bool predicate) {
    uint32 active = mask;
    uint32 lane = lane_index();
    return ((__ballot_sync(mask, predicate) ^ active) >> (lane & ~3u) & 15) == 0;
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

extern "C" __global__ void __launch_bounds__(256) quad_of_float32(
    const float* x,
    float* out,
    uint32* votes,
    const Arguments arguments) {
    int threads_per_threadgroup_x = min(int(blockDim.x), arguments.grid_x - int(blockIdx.x) * int(blockDim.x));
    int threads_per_threadgroup_y = min(int(blockDim.y), arguments.grid_y - int(blockIdx.y) * int(blockDim.y));
    int threads_per_threadgroup_z = min(int(blockDim.z), arguments.grid_z - int(blockIdx.z) * int(blockDim.z));
    int threads = threads_per_threadgroup_x * threads_per_threadgroup_y * threads_per_threadgroup_z;
    int thread_index_in_threadgroup = int(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
    // No thread runs beyond the grid; those left at its edge are numbered anew.
    if (thread_index_in_threadgroup >= threads) return;
    uint3 place = threadIdx;
    if (threads != int(blockDim.x * blockDim.y * blockDim.z)) {
        place.x = thread_index_in_threadgroup % threads_per_threadgroup_x;
        place.y = thread_index_in_threadgroup / threads_per_threadgroup_x % threads_per_threadgroup_y;
        place.z = thread_index_in_threadgroup / (threads_per_threadgroup_x * threads_per_threadgroup_y);
    }
    // A bit for each thread of the simdgroup.
    uint32 simdgroup_mask = 0xffffffff >> max(32 - int(threads - (thread_index_in_threadgroup & ~31)), 0);
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(place.x);
    int i = thread_position_in_grid_x;
    float value = x[i];
    float r1 = quadgroup_sum(simdgroup_mask, value);
    out[i + 1] = r1;
    float r2 = quadgroup_product(simdgroup_mask, value);
    out[i + 2] = r2;
    float r3 = quadgroup_min(simdgroup_mask, value);
    out[i + 3] = r3;
    float r4 = quadgroup_max(simdgroup_mask, value);
    out[i + 4] = r4;
    float r8 = quadgroup_shuffle(simdgroup_mask, value, 1);
    out[i + 8] = r8;
    float r9 = quadgroup_shuffle_up(simdgroup_mask, value, 1);
    out[i + 9] = r9;
    float r10 = quadgroup_shuffle_down(simdgroup_mask, value, 1);
    out[i + 10] = r10;
    float r11 = quadgroup_shuffle_xor(simdgroup_mask, value, 1);
    out[i + 11] = r11;
    float r12 = quadgroup_broadcast(simdgroup_mask, value, 1);
    out[i + 12] = r12;
    uint32 r13 = quadgroup_ballot(simdgroup_mask, value != 0.0f);
    votes[i + 13] = r13;
    bool r14 = quadgroup_any(simdgroup_mask, value != 0.0f);
    votes[i + 14] = uint32(r14);
    bool r15 = quadgroup_all(simdgroup_mask, value != 0.0f);
    votes[i + 15] = uint32(r15);
}
