typedef long long int64;
typedef unsigned long long uint64;
typedef unsigned int uint32;

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

extern "C" __global__ void __launch_bounds__(256) collatz(
    const int64* n,
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
    int64 value = n[i];
    int steps = 0;
    while (value > 1ll) {
        value = (value & 1ll) == 0ll ? value >> 1 : int64(3ull * uint64(value) + 1ull);
        steps = int(uint32(steps) + 1u);
        if (steps == 1000) {
            break;
        }
    }
    out[i] = steps;
}
