// Elements side by side, which are loaded and stored as a whole.
template <typename T, int count>
struct alignas(sizeof(T) * count) neighbours {
    T element[count];
};

template <typename T, int count>
static __device__ inline void store_neighbours(T* first, const neighbours<T, count>& stored) {
    if ((size_t(first) & (sizeof(T) * count - 1)) == 0) {
        *(neighbours<T, count>*)first = stored;
    } else {
        for (int i = 0; i < count; ++i) first[i] = stored.element[i];
    }
}

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
    bool is_aligned = ((size_t(out)) & 15) == 0;
    if (is_aligned) {
        int* out_first = &out[0];
        neighbours<int, 4> out_together;
        out_together.element[0] = thread_position_in_grid_x;
        out_together.element[1] = thread_position_in_grid_y;
        out_together.element[2] = thread_position_in_grid_z;
        out_together.element[3] = int(place.x);
        *(neighbours<int, 4>*)out_first = out_together;
        int* out_first_1 = &out[4];
        neighbours<int, 4> out_together_1;
        out_together_1.element[0] = int(place.y);
        out_together_1.element[1] = int(place.z);
        out_together_1.element[2] = int(blockIdx.x);
        out_together_1.element[3] = int(blockIdx.y);
        *(neighbours<int, 4>*)out_first_1 = out_together_1;
        int* out_first_2 = &out[8];
        neighbours<int, 4> out_together_2;
        out_together_2.element[0] = int(blockIdx.z);
        out_together_2.element[1] = threads_per_threadgroup_x;
        out_together_2.element[2] = threads_per_threadgroup_y;
        out_together_2.element[3] = threads_per_threadgroup_z;
        *(neighbours<int, 4>*)out_first_2 = out_together_2;
        int* out_first_3 = &out[12];
        neighbours<int, 4> out_together_3;
        out_together_3.element[0] = int(gridDim.x);
        out_together_3.element[1] = int(gridDim.y);
        out_together_3.element[2] = int(gridDim.z);
        out_together_3.element[3] = arguments.grid_x;
        *(neighbours<int, 4>*)out_first_3 = out_together_3;
        int* out_first_4 = &out[16];
        neighbours<int, 4> out_together_4;
        out_together_4.element[0] = arguments.grid_y;
        out_together_4.element[1] = arguments.grid_z;
        out_together_4.element[2] = thread_index_in_threadgroup;
        out_together_4.element[3] = thread_index_in_threadgroup & 31;
        *(neighbours<int, 4>*)out_first_4 = out_together_4;
        int* out_first_5 = &out[20];
        neighbours<int, 2> out_together_5;
        out_together_5.element[0] = thread_index_in_threadgroup >> 5;
        out_together_5.element[1] = 32;
        *(neighbours<int, 2>*)out_first_5 = out_together_5;
        out[22] = (threads + 31) >> 5;
    } else {
        int* out_first_6 = &out[0];
        neighbours<int, 4> out_together_6;
        out_together_6.element[0] = thread_position_in_grid_x;
        out_together_6.element[1] = thread_position_in_grid_y;
        out_together_6.element[2] = thread_position_in_grid_z;
        out_together_6.element[3] = int(place.x);
        store_neighbours<int, 4>(out_first_6, out_together_6);
        int* out_first_7 = &out[4];
        neighbours<int, 4> out_together_7;
        out_together_7.element[0] = int(place.y);
        out_together_7.element[1] = int(place.z);
        out_together_7.element[2] = int(blockIdx.x);
        out_together_7.element[3] = int(blockIdx.y);
        store_neighbours<int, 4>(out_first_7, out_together_7);
        int* out_first_8 = &out[8];
        neighbours<int, 4> out_together_8;
        out_together_8.element[0] = int(blockIdx.z);
        out_together_8.element[1] = threads_per_threadgroup_x;
        out_together_8.element[2] = threads_per_threadgroup_y;
        out_together_8.element[3] = threads_per_threadgroup_z;
        store_neighbours<int, 4>(out_first_8, out_together_8);
        int* out_first_9 = &out[12];
        neighbours<int, 4> out_together_9;
        out_together_9.element[0] = int(gridDim.x);
        out_together_9.element[1] = int(gridDim.y);
        out_together_9.element[2] = int(gridDim.z);
        out_together_9.element[3] = arguments.grid_x;
        store_neighbours<int, 4>(out_first_9, out_together_9);
        int* out_first_10 = &out[16];
        neighbours<int, 4> out_together_10;
        out_together_10.element[0] = arguments.grid_y;
        out_together_10.element[1] = arguments.grid_z;
        out_together_10.element[2] = thread_index_in_threadgroup;
        out_together_10.element[3] = thread_index_in_threadgroup & 31;
        store_neighbours<int, 4>(out_first_10, out_together_10);
        int* out_first_11 = &out[20];
        neighbours<int, 2> out_together_11;
        out_together_11.element[0] = thread_index_in_threadgroup >> 5;
        out_together_11.element[1] = 32;
        store_neighbours<int, 2>(out_first_11, out_together_11);
        out[22] = (threads + 31) >> 5;
    }
}
