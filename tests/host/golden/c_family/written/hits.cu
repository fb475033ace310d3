// Elements side by side, which are loaded and stored as a whole.
template <typename T, int count>
struct alignas(sizeof(T) * count) neighbours {
    T element[count];
};

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    float ball_x;
    float ball_y;
    float ball_radius;
};

extern "C" __global__ void __launch_bounds__(256) hits(
    const float* xs,
    const float* ys,
    bool* out,
    const Arguments arguments) {
    int first_neighbour = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * 4;
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int thread_position_in_grid_x = first_neighbour;
    int i = thread_position_in_grid_x;
    bool is_aligned = ((size_t(&xs[i]) | size_t(&ys[i])) & 15) == 0 && ((size_t(&out[i])) & 3) == 0;
    int start = is_aligned ? first_neighbour : first_neighbour - int(threadIdx.x) * 3;
    int step = is_aligned ? int(1) : int(blockDim.x);
    bool together = arguments.grid_x - start > 3 * step;
    if (together) {
        neighbours<float, 4> xs_neighbours;
        neighbours<float, 4> ys_neighbours;
        neighbours<bool, 4> out_neighbours;
        if (is_aligned) {
            xs_neighbours = *(const neighbours<float, 4>*)&xs[i];
            ys_neighbours = *(const neighbours<float, 4>*)&ys[i];
        } else {
            #pragma unroll
            for (int lane = 0; lane < 4; ++lane) {
                int thread_position_in_grid_x = start + lane * step;
                int i = thread_position_in_grid_x;
                xs_neighbours.element[lane] = *&xs[i];
                ys_neighbours.element[lane] = *&ys[i];
            }
        }
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            float dx = xs_neighbours.element[lane] - arguments.ball_x;
            float dy = ys_neighbours.element[lane] - arguments.ball_y;
            out_neighbours.element[lane] = fma(dx, dx, dy * dy) < arguments.ball_radius * arguments.ball_radius;
        }
        if (is_aligned) {
            *(neighbours<bool, 4>*)&out[i] = out_neighbours;
        } else {
            #pragma unroll
            for (int lane = 0; lane < 4; ++lane) {
                int thread_position_in_grid_x = start + lane * step;
                int i = thread_position_in_grid_x;
                *&out[i] = out_neighbours.element[lane];
            }
        }
        return;
    }
    #pragma unroll 1
    for (int lane = 0; lane < 4 && start + lane * step < arguments.grid_x; ++lane) {
        int thread_position_in_grid_x = start + lane * step;
        int i = thread_position_in_grid_x;
        float dx = xs[i] - arguments.ball_x;
        float dy = ys[i] - arguments.ball_y;
        out[i] = fma(dx, dx, dy * dy) < arguments.ball_radius * arguments.ball_radius;
    }
}
