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
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int column = thread_position_in_grid_x;
    int row = thread_position_in_grid_y;
    if (row >= arguments.x_extent0 || (column >= arguments.x_extent1 || column < 1)) {
        return;
    }
    float total = 0.0f;
    for (int k = -1; k < 2; ++k) {
        if (!(column + k >= 0 && !(column + k >= arguments.x_extent1))) {
            continue;
        }
        total += x[row * arguments.x_stride0 + column + k];
        if (total > 1e+30f) {
            break;
        }
    }
    out[row * arguments.out_stride0 + column] = total / 3.0f;
}
