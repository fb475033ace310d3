typedef unsigned int uint32;

// Has the sign of b, as in Python; 0 where b is 0.
static __device__ inline int floor_remainder(int a, int b) {
    if (b == 0 || b == -1) return int(0);
    int rest = int(a % b);
    return rest != 0 && (rest ^ b) < 0 ? int(rest + b) : rest;
}

// One step of a range; stop where the range ends, so that nothing overflows.
static __device__ inline int range_next(int i, int stop, int step) {
    uint32 left = step > 0 ? uint32(stop) - uint32(i) : uint32(i) - uint32(stop);
    uint32 size = step > 0 ? uint32(step) : uint32(0) - uint32(step);
    return left > size ? int(i + step) : stop;
}

// How many turns a range has whose step is greater than 0.
static __device__ inline uint32 range_turns(int start, int stop, int step) {
    return start < stop ? (uint32(stop) - uint32(start) - 1) / uint32(step) + 1 : 0;
}

// One step of a range; stop where the range ends, so that nothing overflows.
static __device__ inline uint32 range_next(uint32 i, uint32 stop, uint32 step) {
    return stop - i > step ? uint32(i + step) : stop;
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int n;
    int step;
};

static __device__ inline int twice(int v) {
    return 2;
}

static __device__ inline int clamp(int v) {
    if (v < 0) {
        return 0;
    }
    return floor_remainder(v, 7);
}

extern "C" __global__ void __launch_bounds__(256) kernel(
    int* out,
    const Arguments arguments) {
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int n = arguments.n;
    int total = 0;
    n = n >> 1;
    for (int i = n; i > 0; --i) {
        total = int(uint32(total) + 1u);
    }
    for (int j = 0; arguments.step > 0 ? j < n : arguments.step < 0 && j > n; j = range_next(j, n, arguments.step)) {
        total = int(uint32(total) + 1u);
    }
    for (int k = 10; k > 0; k -= 3) {
        total = int(uint32(total) + 1u);
    }
    uint32 m_turns = range_turns(0, 2147483647, 5);
    for (int m = 0; m_turns > 0; --m_turns, m = int(uint32(m) + uint32(5))) {
        total = int(uint32(total) + 1u);
        if (m > 9) {
            break;
        }
    }
    int seen;
    int p_stop = out[0];
    for (int p = 0; p < p_stop; ++p) {
        if (true) {
            seen = p;
        }
        int exp_1 = seen;
    }
    for (uint32 u = 0u; uint32(arguments.step) != 0u && u < 4294967295u; u = range_next(u, 4294967295u, uint32(arguments.step))) {
        total = int(u);
    }
    while (total < n) {
        if (total == 3) {
            total = int(uint32(total) * 2u);
        } else if (total == 4) {
            total = 9;
        } else {
            total = int(uint32(total) + 1u);
        }
        if (total <= 100) {
            total = int(uint32(total) + 2u);
        }
    }
    out[twice(n)] = clamp(int(-uint32(total)));
    return;
}
