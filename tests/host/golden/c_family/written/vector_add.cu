// Elements side by side, which are loaded and stored as a whole.
template <typename T, int count>
struct alignas(sizeof(T) * count) neighbours {
    T element[count];
};

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int c_extent0;
};

extern "C" __global__ void __launch_bounds__(256) vector_add(
    const float* a,
    const float* b,
    float* c,
    const Arguments arguments) {
    int first_neighbour = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * 4;
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int thread_position_in_grid_x = first_neighbour;
    int i = thread_position_in_grid_x;
    bool is_aligned = ((size_t(&a[i]) | size_t(&b[i]) | size_t(&c[i])) & 15) == 0;
    int start = is_aligned ? first_neighbour : first_neighbour - int(threadIdx.x) * 3;
    int step = is_aligned ? int(1) : int(blockDim.x);
    bool together = arguments.grid_x - start > 3 * step;
    // What holds for the first and the last of them holds for all.
    {
        int thread_position_in_grid_x = start;
        int i = thread_position_in_grid_x;
        together = together && (i < arguments.c_extent0);
    }
    {
        int thread_position_in_grid_x = start + 3 * step;
        int i = thread_position_in_grid_x;
        together = together && (i < arguments.c_extent0);
    }
    if (together) {
        neighbours<float, 4> a_neighbours;
        neighbours<float, 4> b_neighbours;
        neighbours<float, 4> c_neighbours;
        if (is_aligned) {
            a_neighbours = *(const neighbours<float, 4>*)&a[i];
            b_neighbours = *(const neighbours<float, 4>*)&b[i];
        } else {
            #pragma unroll
            for (int lane = 0; lane < 4; ++lane) {
                int thread_position_in_grid_x = start + lane * step;
                int i = thread_position_in_grid_x;
                a_neighbours.element[lane] = *&a[i];
                b_neighbours.element[lane] = *&b[i];
            }
        }
        #pragma unroll
        for (int lane = 0; lane < 4; ++lane) {
            int thread_position_in_grid_x = start + lane * step;
            int i = thread_position_in_grid_x;
            if (i < arguments.c_extent0) {
                c_neighbours.element[lane] = a_neighbours.element[lane] + b_neighbours.element[lane];
            }
        }
        if (is_aligned) {
            *(neighbours<float, 4>*)&c[i] = c_neighbours;
        } else {
            #pragma unroll
            for (int lane = 0; lane < 4; ++lane) {
                int thread_position_in_grid_x = start + lane * step;
                int i = thread_position_in_grid_x;
                *&c[i] = c_neighbours.element[lane];
            }
        }
        return;
    }
    #pragma unroll 1
    for (int lane = 0; lane < 4 && start + lane * step < arguments.grid_x; ++lane) {
        int thread_position_in_grid_x = start + lane * step;
        int i = thread_position_in_grid_x;
        if (i < arguments.c_extent0) {
            c[i] = a[i] + b[i];
        }
    }
}
