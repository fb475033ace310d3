typedef unsigned int uint32;
typedef unsigned char uint8;

static __device__ inline void atomic_store(uint32* address, uint32 value) {
    *(volatile uint32*)address = value;
}

static __device__ inline uint32 atomic_add(uint32* address, uint32 value) {
    return uint32(atomicAdd(address, value));
}

static __device__ inline uint32 atomic_max(uint32* address, uint32 value) {
    return atomicMax(address, value);
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int x_extent0;
    int bins;
};

extern "C" __global__ void __launch_bounds__(256) histogram(
    const uint8* x,
    uint32* out,
    const Arguments arguments) {
    extern __shared__ __align__(16) unsigned char threadgroup_memory[];
    short mine[4];
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
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(place.x);
    int counts_extent0 = arguments.bins;
    uint32* counts = (uint32*)(threadgroup_memory);
    size_t counts_end = ((counts_extent0 * sizeof(uint32) + 15) & ~size_t(15));
    int spare_extent0 = threads_per_threadgroup_x;
    float* spare = (float*)(threadgroup_memory + counts_end);
    int i = thread_position_in_grid_x;
    int index = thread_index_in_threadgroup;
    for (int k = index; k < counts_extent0; k += threads_per_threadgroup_x) {
        atomic_store(&counts[k], 0u);
    }
    spare[index * 4 + 1] = 0.5f;
    mine[0] = short(7);
    __syncthreads();
    if (i < arguments.x_extent0) {
        uint32 old = atomic_add(&counts[x[i]], 1u);
    }
    __syncthreads();
    atomic_max(&out[index], counts[index]);
    out[int(mine[0])] = uint32(spare_extent0);
}
