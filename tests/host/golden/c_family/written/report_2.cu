typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef long long int64;

// The first failure of a launch is the one that is told.
static __device__ inline void report_failure(
    uint32* mailbox,
    uint32 site,
    uint32 thread_x,
    uint32 thread_y,
    uint32 thread_z,
    uint32 threadgroup_x,
    uint32 threadgroup_y,
    uint32 threadgroup_z) {
    if (atomicExch(mailbox, 1) != 0) return;
    mailbox[1] = site;
    mailbox[2] = thread_x;
    mailbox[3] = thread_y;
    mailbox[4] = thread_z;
    mailbox[5] = threadgroup_x;
    mailbox[6] = threadgroup_y;
    mailbox[7] = threadgroup_z;
}

// Room for the values of one print; none when the mailbox is full.
static __device__ inline uint32* open_record(uint32* mailbox, uint32 site, uint32 words) {
    uint32 first = atomicAdd(mailbox + 8, words);
    uint32 capacity = mailbox[9];
    if (first > capacity || words > capacity - first) return nullptr;
    uint32* record = mailbox + 11 + first;
    record[0] = site;
    return record + 1;
}

static __device__ inline void write_value(uint32* record, uint64 value) {
    record[0] = uint32(value);
    record[1] = uint32(value >> 32);
}

__device__ inline unsigned long long double_bits(double x) {
    return (unsigned long long)__double_as_longlong(x);
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int x_extent0;
};

extern "C" __global__ void __launch_bounds__(256) report(
    float* x,
    const Arguments arguments,
    uint32* mailbox) {
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x);
    int thread_position_in_grid_y = int(blockIdx.y) * int(blockDim.y) + int(threadIdx.y);
    int thread_position_in_grid_z = int(blockIdx.z) * int(blockDim.z) + int(threadIdx.z);
    // No thread runs beyond the grid.
    if (thread_position_in_grid_x >= arguments.grid_x ||
        thread_position_in_grid_y >= arguments.grid_y ||
        thread_position_in_grid_z >= arguments.grid_z) return;
    int i = thread_position_in_grid_x;
    if (!(i >= 0 && i < arguments.x_extent0)) {
        // index out of bounds: x[i]
        report_failure(mailbox, 0, uint32(threadIdx.x), uint32(threadIdx.y), uint32(threadIdx.z), uint32(blockIdx.x), uint32(blockIdx.y), uint32(blockIdx.z));
        return;
    }
    if (!(x[i] >= 0.0f)) {
        // assertion failed: a negative element
        report_failure(mailbox, 1, uint32(threadIdx.x), uint32(threadIdx.y), uint32(threadIdx.z), uint32(blockIdx.x), uint32(blockIdx.y), uint32(blockIdx.z));
        return;
    }
    if (i == 3) {
        if (!(i >= 0 && i < arguments.x_extent0)) {
            // index out of bounds: x[i]
            report_failure(mailbox, 2, uint32(threadIdx.x), uint32(threadIdx.y), uint32(threadIdx.z), uint32(blockIdx.x), uint32(blockIdx.y), uint32(blockIdx.z));
            return;
        }
        if (uint32* record = open_record(mailbox, 0, 5)) {
            write_value(record, uint64(int64(i)));
            write_value(record + 2, double_bits(x[i]));
        }
    }
    if (!(i >= 0 && i < arguments.x_extent0)) {
        // index out of bounds: x[i]
        report_failure(mailbox, 3, uint32(threadIdx.x), uint32(threadIdx.y), uint32(threadIdx.z), uint32(blockIdx.x), uint32(blockIdx.y), uint32(blockIdx.z));
        return;
    }
    if (!(i >= 0 && i < arguments.x_extent0)) {
        // index out of bounds: x[i]
        report_failure(mailbox, 4, uint32(threadIdx.x), uint32(threadIdx.y), uint32(threadIdx.z), uint32(blockIdx.x), uint32(blockIdx.y), uint32(blockIdx.z));
        return;
    }
    x[i] = sqrt(x[i]);
}
