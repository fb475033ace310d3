typedef unsigned int uint32;

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

extern "C" __global__ void __launch_bounds__(256) mandelbrot(
    const float2* c,
    int* out,
    const Arguments arguments) {
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int i = thread_position_in_grid_x;
    float z_real = 0.0f;
    float z_imag = 0.0f;
    int steps = 0;
    while (steps < 50 && fma(z_real, z_real, z_imag * z_imag) < 4.0f) {
        float kept = fma(z_real, z_imag, z_imag * z_real) + c[i].y;
        z_real = fma(z_real, z_real, -(z_imag * z_imag)) + c[i].x;
        z_imag = kept;
        steps = int(uint32(steps) + 1u);
    }
    out[i] = steps;
}
