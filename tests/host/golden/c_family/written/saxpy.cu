// Elements side by side, which are loaded and stored as a whole.
template <typename T, int count>
struct alignas(sizeof(T) * count) neighbours {
    T element[count];
};

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    float alpha;
};

extern "C" __global__ void __launch_bounds__(256) saxpy(
    const float* x,
    float* y,
    const Arguments arguments) {
    int first_neighbour = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * 4;
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int thread_position_in_grid_x = first_neighbour;
    int i = thread_position_in_grid_x;
    bool is_aligned = ((size_t(&x[i]) | size_t(&y[i])) & 15) == 0;
    int start = is_aligned ? first_neighbour : first_neighbour - int(threadIdx.x) * 3;
    int step = is_aligned ? int(1) : int(blockDim.x);
    bool together = arguments.grid_x - start > 3 * step;
    if (together) {
        neighbours<float, 4> x_neighbours;
        neighbours<float, 4> y_neighbours;
        if (is_aligned) {
            x_neighbours = *(const neighbours<float, 4>*)&x[i];
            y_neighbours = *(const neighbours<float, 4>*)&y[i];
        } else {
            #pragma unroll
            for (int lane = 0; lane < 4; ++lane) {
                int thread_position_in_grid_x = start + lane * step;
                int i = thread_position_in_grid_x;
                x_neighbours.element[lane] = *&x[i];
                y_neighbours.element[lane] = *&y[i];
            }
        }
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            y_neighbours.element[lane] = fma(arguments.alpha, x_neighbours.element[lane], y_neighbours.element[lane]);
        }
        if (is_aligned) {
            *(neighbours<float, 4>*)&y[i] = y_neighbours;
        } else {
            #pragma unroll
            for (int lane = 0; lane < 4; ++lane) {
                int thread_position_in_grid_x = start + lane * step;
                int i = thread_position_in_grid_x;
                *&y[i] = y_neighbours.element[lane];
            }
        }
        return;
    }
    #pragma unroll 1
    for (int lane = 0; lane < 4 && start + lane * step < arguments.grid_x; ++lane) {
        int thread_position_in_grid_x = start + lane * step;
        int i = thread_position_in_grid_x;
        y[i] = fma(arguments.alpha, x[i], y[i]);
    }
}
