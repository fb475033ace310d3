// Elements side by side, which are loaded and stored as a whole.
template <typename T, int count>
struct alignas(sizeof(T) * count) neighbours {
    T element[count];
};

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int x_extent0;
    int x_stride0;
    int x_extent1;
    int out_stride0;
};

extern "C" __global__ void __launch_bounds__(256) stencil(
    const float* x,
    float* out,
    const Arguments arguments) {
    int first_neighbour = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * 4;
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int start = first_neighbour - int(threadIdx.x) * 3;
    int step = int(blockDim.x);
    bool together = arguments.grid_x - start > 3 * step;
    // What holds for the first and the last of them holds for all.
    {
        int thread_position_in_grid_x = start;
        int i = thread_position_in_grid_x;
        int j = thread_position_in_grid_y;
        together = together && (0 < i && i < arguments.x_extent0 - 1 && (0 < j && j < arguments.x_extent1 - 1));
    }
    {
        int thread_position_in_grid_x = start + 3 * step;
        int i = thread_position_in_grid_x;
        int j = thread_position_in_grid_y;
        together = together && (0 < i && i < arguments.x_extent0 - 1 && (0 < j && j < arguments.x_extent1 - 1));
    }
    if (together) {
        neighbours<float, 4> x_neighbours;
        neighbours<float, 4> x_neighbours_1;
        neighbours<float, 4> out_neighbours;
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            int j = thread_position_in_grid_y;
            x_neighbours.element[lane] = *&x[i * arguments.x_stride0 + j - 1];
            x_neighbours_1.element[lane] = *&x[i * arguments.x_stride0 + j + 1];
        }
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            int j = thread_position_in_grid_y;
            if (0 < i && i < arguments.x_extent0 - 1 && (0 < j && j < arguments.x_extent1 - 1)) {
                out_neighbours.element[lane] = 0.25f * (x[(i - 1) * arguments.x_stride0 + j] + x[(i + 1) * arguments.x_stride0 + j] + x_neighbours.element[lane] + x_neighbours_1.element[lane]);
            }
        }
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            int j = thread_position_in_grid_y;
            *&out[i * arguments.out_stride0 + j] = out_neighbours.element[lane];
        }
        return;
    }
    #pragma unroll 1
    for (int lane = 0; lane < 4 && start + lane * step < arguments.grid_x; ++lane) {
        int thread_position_in_grid_x = start + lane * step;
        int i = thread_position_in_grid_x;
        int j = thread_position_in_grid_y;
        if (0 < i && i < arguments.x_extent0 - 1 && (0 < j && j < arguments.x_extent1 - 1)) {
            out[i * arguments.out_stride0 + j] = 0.25f * (x[(i - 1) * arguments.x_stride0 + j] + x[(i + 1) * arguments.x_stride0 + j] + x[i * arguments.x_stride0 + j - 1] + x[i * arguments.x_stride0 + j + 1]);
        }
    }
}
