typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef long long int64;

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    uint32 seed;
};

static __device__ inline uint32 bits(uint32 seed, int counter) {
    uint64 wide = uint64(int64(counter));
    uint32 low = uint32(wide & 4294967295ull);
    uint32 high = uint32(wide >> 32);
    uint64 wide_1 = uint64(int64(seed));
    uint32 key_0 = uint32(wide_1 & 4294967295ull);
    uint32 key_1 = uint32(wide_1 >> 32);
    uint32 a = low;
    uint32 b = high;
    uint32 c = 0u;
    uint32 d = 0u;
    uint32 first = __umulhi(a, 3528531795u);
    uint32 second = __umulhi(c, 3449720151u);
    uint32 first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    uint32 second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    uint32 key_0_1 = uint32(uint64(key_0) + 0ull & 4294967295ull);
    uint32 key_1_1 = uint32(uint64(key_1) + 0ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 2654435769ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 3144134277ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 5308871538ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 6288268554ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 7963307307ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 9432402831ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 10617743076ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 12576537108ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 13272178845ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 15720671385ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 15926614614ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 18864805662ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 18581050383ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 22008939939ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 21235486152ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 25153074216ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    first = __umulhi(a, 3528531795u);
    second = __umulhi(c, 3449720151u);
    first_low = uint32(uint64(a) * 3528531795ull & 4294967295ull);
    second_low = uint32(uint64(c) * 3449720151ull & 4294967295ull);
    key_0_1 = uint32(uint64(key_0) + 23889921921ull & 4294967295ull);
    key_1_1 = uint32(uint64(key_1) + 28297208493ull & 4294967295ull);
    a = second ^ b ^ key_0_1;
    b = second_low;
    c = first ^ d ^ key_1_1;
    d = first_low;
    return a;
}

static __device__ inline float uniform(uint32 seed, int counter) {
    return float(int(bits(seed, counter) >> 8)) * 5.9604645e-08f;
}

extern "C" __global__ void __launch_bounds__(256) noise(
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
    out[i] = uniform(arguments.seed, i);
}
