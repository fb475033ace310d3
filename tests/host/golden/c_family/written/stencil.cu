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
    int i = thread_position_in_grid_x;
    int j = thread_position_in_grid_y;
    if (0 < i && i < arguments.x_extent0 - 1 && (0 < j && j < arguments.x_extent1 - 1)) {
        out[i * arguments.out_stride0 + j] = 0.25f * (x[(i - 1) * arguments.x_stride0 + j] + x[(i + 1) * arguments.x_stride0 + j] + x[i * arguments.x_stride0 + j - 1] + x[i * arguments.x_stride0 + j + 1]);
    }
}
