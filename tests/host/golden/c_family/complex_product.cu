struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

extern "C" __global__ void __launch_bounds__(256) complex_product(
    const float2* z,
    float2* out,
    const Arguments arguments) {
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int i = thread_position_in_grid_x;
    float re = z[i].x;
    float im = z[i].y;
    out[i].x = re * re - im * im;
    out[i].y = 2.0f * re * im;
}
