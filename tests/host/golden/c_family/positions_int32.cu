struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

extern "C" __global__ void __launch_bounds__(256) positions_int32(
    int* out,
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
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(place.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(place.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(place.z);
    out[0] = thread_position_in_grid_x;
    out[1] = thread_position_in_grid_y;
    out[2] = thread_position_in_grid_z;
    out[3] = int(place.x);
    out[4] = int(place.y);
    out[5] = int(place.z);
    out[6] = int(blockIdx.x);
    out[7] = int(blockIdx.y);
    out[8] = int(blockIdx.z);
    out[9] = threads_per_threadgroup_x;
    out[10] = threads_per_threadgroup_y;
    out[11] = threads_per_threadgroup_z;
    out[12] = int(gridDim.x);
    out[13] = int(gridDim.y);
    out[14] = int(gridDim.z);
    out[15] = arguments.grid_x;
    out[16] = arguments.grid_y;
    out[17] = arguments.grid_z;
    out[18] = thread_index_in_threadgroup;
    out[19] = thread_index_in_threadgroup & 31;
    out[20] = thread_index_in_threadgroup >> 5;
    out[21] = 32;
    out[22] = (threads + 31) >> 5;
}
