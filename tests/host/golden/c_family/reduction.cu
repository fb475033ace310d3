typedef unsigned int uint32;

// How many turns a range has whose step is greater than 0.
static __device__ inline uint32 range_turns(int start, int stop, int step) {
    return start < stop ? (uint32(stop) - uint32(start) - 1) / uint32(step) + 1 : 0;
}

// The thread's place among the 32 of its simdgroup.
__device__ inline unsigned int lane_index() {
    unsigned int lane;
    asm("mov.u32 %0, %laneid;" : "=r"(lane));
    return lane;
}

static __device__ inline float simdgroup_sum(uint32 mask, float x) {
    uint32 active = mask;
    if (active == 0xffffffff) {
        for (int offset = 16; offset > 0; offset /= 2) {
            float other = float(__shfl_xor_sync(mask, x, offset));
            x = x + other;
        }
        return x;
    }
    float result = float(0);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        float other = __shfl_sync(mask, x, __ffs(rest) - 1);
        result = result + other;
    }
    return result;
}

static __device__ inline float atomic_add(float* address, float value) {
    return atomicAdd(address, value);
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int x_extent0;
};

extern "C" __global__ void __launch_bounds__(256) reduction(
    const float* x,
    float* out,
    const Arguments arguments) {
    __shared__ float partial[32];
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
    float total = 0.0f;
    uint32 i_turns = range_turns(thread_position_in_grid_x, arguments.x_extent0, arguments.grid_x);
    for (int i = thread_position_in_grid_x; i_turns > 0; --i_turns, i = int(uint32(i) + uint32(arguments.grid_x))) {
        total += x[i];
    }
    int lane = thread_index_in_threadgroup & 31;
    int group = thread_index_in_threadgroup >> 5;
    total = simdgroup_sum(simdgroup_mask, total);
    if (lane == 0) {
        partial[group] = total;
    }
    __syncthreads();
    if (group == 0) {
        total = 0.0f;
        if (lane < (threads + 31) >> 5) {
            total = partial[lane];
        }
        float whole = simdgroup_sum(simdgroup_mask, total);
        if (lane == 0) {
            atomic_add(&out[0], whole);
        }
    }
}
