struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int a_stride0;
    int a_extent1;
    int b_stride0;
    int c_stride0;
};

extern "C" __global__ void __launch_bounds__(256) tiled_matmul(
    const float* a,
    const float* b,
    float* c,
    const Arguments arguments) {
    __shared__ float tile_a[16][16];
    __shared__ float tile_b[16][17];
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int tx = int(threadIdx.x);
    int ty = int(threadIdx.y);
    int row = thread_position_in_grid_y;
    int column = thread_position_in_grid_x;
    float total = 0.0f;
    for (int start = 0; start < arguments.a_extent1; start += 16) {
        tile_a[ty][tx] = a[row * arguments.a_stride0 + start + tx];
        tile_b[ty][tx] = b[(start + ty) * arguments.b_stride0 + column];
        __syncthreads();
        for (int k = 0; k < 16; ++k) {
            total = fma(tile_a[ty][k], tile_b[k][tx], total);
        }
        __syncthreads();
    }
    c[row * arguments.c_stride0 + column] = total;
}
