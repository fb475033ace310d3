typedef unsigned int uint32;
typedef unsigned char uint8;

static __device__ inline uint32 atomic_add(uint32* address, uint32 value) {
    return uint32(atomicAdd(address, value));
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

extern "C" __global__ void __launch_bounds__(256) histogram(
    const uint8* x,
    uint32* counts,
    const Arguments arguments) {
    __shared__ uint32 local[256];
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
    int index_ = thread_index_in_threadgroup;
    for (int k = index_; k < 256; k += threads_per_threadgroup_x) {
        local[k] = 0u;
    }
    __syncthreads();
    int i = thread_position_in_grid_x;
    atomic_add(&local[int(x[i])], 1u);
    __syncthreads();
    for (int k_1 = index_; k_1 < 256; k_1 += threads_per_threadgroup_x) {
        atomic_add(&counts[k_1], local[k_1]);
    }
}
