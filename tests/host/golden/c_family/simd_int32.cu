typedef unsigned int uint32;

// The thread's place among the 32 of its simdgroup.
__device__ inline unsigned int lane_index() {
    unsigned int lane;
    asm("mov.u32 %0, %laneid;" : "=r"(lane));
    return lane;
}

static __device__ inline int simdgroup_sum(uint32 mask, int x) {
    uint32 active = mask;
    if (active == 0xffffffff) {
        for (int offset = 16; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = int(uint32(x) + uint32(other));
        }
        return x;
    }
    int result = int(0);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        int other = __shfl_sync(mask, x, __ffs(rest) - 1);
        result = int(uint32(result) + uint32(other));
    }
    return result;
}

static __device__ inline int simdgroup_product(uint32 mask, int x) {
    uint32 active = mask;
    if (active == 0xffffffff) {
        for (int offset = 16; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = int(uint32(x) * uint32(other));
        }
        return x;
    }
    int result = int(1);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        int other = __shfl_sync(mask, x, __ffs(rest) - 1);
        result = int(uint32(result) * uint32(other));
    }
    return result;
}

static __device__ inline int minimum(int a, int b) {
    return a < b ? a : b;
}

static __device__ inline int simdgroup_min(uint32 mask, int x) {
    uint32 active = mask;
    if (active == 0xffffffff) {
        for (int offset = 16; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = minimum(x, other);
        }
        return x;
    }
    int result = 2147483647;
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        int other = __shfl_sync(mask, x, __ffs(rest) - 1);
        result = minimum(result, other);
    }
    return result;
}

static __device__ inline int maximum(int a, int b) {
    return a > b ? a : b;
}

static __device__ inline int simdgroup_max(uint32 mask, int x) {
    uint32 active = mask;
    if (active == 0xffffffff) {
        for (int offset = 16; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = maximum(x, other);
        }
        return x;
    }
    int result = (-2147483647 - 1);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        int other = __shfl_sync(mask, x, __ffs(rest) - 1);
        result = maximum(result, other);
    }
    return result;
}

static __device__ inline int simdgroup_and(uint32 mask, int x) {
    uint32 active = mask;
    if (active == 0xffffffff) {
        for (int offset = 16; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = x & other;
        }
        return x;
    }
    int result = int(~int(0));
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        int other = __shfl_sync(mask, x, __ffs(rest) - 1);
        result = result & other;
    }
    return result;
}

static __device__ inline int simdgroup_or(uint32 mask, int x) {
    uint32 active = mask;
    if (active == 0xffffffff) {
        for (int offset = 16; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = x | other;
        }
        return x;
    }
    int result = int(0);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        int other = __shfl_sync(mask, x, __ffs(rest) - 1);
        result = result | other;
    }
    return result;
}

static __device__ inline int simdgroup_xor(uint32 mask, int x) {
    uint32 active = mask;
    if (active == 0xffffffff) {
        for (int offset = 16; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = x ^ other;
        }
        return x;
    }
    int result = int(0);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        int other = __shfl_sync(mask, x, __ffs(rest) - 1);
        result = result ^ other;
    }
    return result;
}

static __device__ inline int simdgroup_shuffle(uint32 mask, int x, int operand) {
    uint32 lane = lane_index();
    uint32 place = lane & 31;
    uint32 source = uint32(operand);
    return __shfl_sync(mask, x, source & 31);
}

static __device__ inline int simdgroup_shuffle_up(uint32 mask, int x, int operand) {
    uint32 active = mask;
    uint32 lane = lane_index();
    uint32 place = lane & 31;
    uint32 source = place - uint32(operand);
    int other = __shfl_sync(mask, x, source & 31);
    // Where no active thread is in that place, the thread's own value.
    return source < 32 && (active >> (source) & 1) != 0 ? other : x;
}

static __device__ inline int simdgroup_shuffle_down(uint32 mask, int x, int operand) {
    uint32 active = mask;
    uint32 lane = lane_index();
    uint32 place = lane & 31;
    uint32 source = place + uint32(operand);
    int other = __shfl_sync(mask, x, source & 31);
    // Where no active thread is in that place, the thread's own value.
    return source < 32 && (active >> (source) & 1) != 0 ? other : x;
}

static __device__ inline int simdgroup_shuffle_xor(uint32 mask, int x, int operand) {
    uint32 lane = lane_index();
    uint32 place = lane & 31;
    uint32 source = place ^ uint32(operand);
    return __shfl_sync(mask, x, source & 31);
}

static __device__ inline int simdgroup_broadcast(uint32 mask, int x, int operand) {
    uint32 lane = lane_index();
    uint32 place = lane & 31;
    uint32 source = uint32(operand);
    return __shfl_sync(mask, x, source & 31);
}

static __device__ inline uint32 simdgroup_ballot(uint32 mask, bool predicate) {
    return __ballot_sync(mask, predicate);
}

static __device__ inline bool simdgroup_any(uint32 mask, bool predicate) {
    return (__ballot_sync(mask, predicate)) != 0;
}

static __device__ inline bool simdgroup_all(uint32 mask, bool predicate) {
    uint32 active = mask;
    return ((__ballot_sync(mask, predicate) ^ active)) == 0;
}

static __device__ inline int simdgroup_prefix_inclusive_sum(uint32 mask, int x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (unsigned int offset = 1; offset < 32; offset *= 2) {
            int other = int(__shfl_up_sync(mask, x, offset));
            if (lane >= offset) x = int(uint32(other) + uint32(x));
        }
        return x;
    }
    int result = int(0);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        uint32 source = __ffs(rest) - 1;
        int other = __shfl_sync(mask, x, source);
        if (source <= lane) result = int(uint32(result) + uint32(other));
    }
    return result;
}

static __device__ inline int simdgroup_prefix_exclusive_sum(uint32 mask, int x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (unsigned int offset = 1; offset < 32; offset *= 2) {
            int other = int(__shfl_up_sync(mask, x, offset));
            if (lane >= offset) x = int(uint32(other) + uint32(x));
        }
        int before = __shfl_sync(mask, x, lane - 1 & 31);
        return lane == 0 ? int(0) : before;
    }
    int result = int(0);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        uint32 source = __ffs(rest) - 1;
        int other = __shfl_sync(mask, x, source);
        if (source < lane) result = int(uint32(result) + uint32(other));
    }
    return result;
}

static __device__ inline int simdgroup_prefix_inclusive_product(uint32 mask, int x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (unsigned int offset = 1; offset < 32; offset *= 2) {
            int other = int(__shfl_up_sync(mask, x, offset));
            if (lane >= offset) x = int(uint32(other) * uint32(x));
        }
        return x;
    }
    int result = int(1);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        uint32 source = __ffs(rest) - 1;
        int other = __shfl_sync(mask, x, source);
        if (source <= lane) result = int(uint32(result) * uint32(other));
    }
    return result;
}

static __device__ inline int simdgroup_prefix_exclusive_product(uint32 mask, int x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (unsigned int offset = 1; offset < 32; offset *= 2) {
            int other = int(__shfl_up_sync(mask, x, offset));
            if (lane >= offset) x = int(uint32(other) * uint32(x));
        }
        int before = __shfl_sync(mask, x, lane - 1 & 31);
        return lane == 0 ? int(1) : before;
    }
    int result = int(1);
    for (uint32 rest = active; rest != 0; rest &= rest - 1) {
        uint32 source = __ffs(rest) - 1;
        int other = __shfl_sync(mask, x, source);
        if (source < lane) result = int(uint32(result) * uint32(other));
    }
    return result;
}

static __device__ inline int simdgroup_broadcast_first(uint32 mask, int x) {
    uint32 active = mask;
    return __shfl_sync(mask, x, __ffs(active) - 1);
}

static __device__ inline bool simdgroup_is_first(uint32 mask) {
    uint32 active = mask;
    uint32 lane = lane_index();
    return lane == __ffs(active) - 1;
}

static __device__ inline int simdgroup_sum_8(uint32 mask, int x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (int offset = 4; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = int(uint32(x) + uint32(other));
        }
        return x;
    }
    int result = int(0);
    for (uint32 k = 0; k < 8; ++k) {
        uint32 source = (lane & ~7u) + k;
        int other = __shfl_sync(mask, x, source);
        if ((active >> source & 1) != 0) result = int(uint32(result) + uint32(other));
    }
    return result;
}

static __device__ inline int simdgroup_max_16(uint32 mask, int x) {
    uint32 active = mask;
    uint32 lane = lane_index();
    if (active == 0xffffffff) {
        for (int offset = 8; offset > 0; offset /= 2) {
            int other = int(__shfl_xor_sync(mask, x, offset));
            x = maximum(x, other);
        }
        return x;
    }
    int result = (-2147483647 - 1);
    for (uint32 k = 0; k < 16; ++k) {
        uint32 source = (lane & ~15u) + k;
        int other = __shfl_sync(mask, x, source);
        if ((active >> source & 1) != 0) result = maximum(result, other);
    }
    return result;
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

extern "C" __global__ void __launch_bounds__(256) simd_of_int32(
    const int* x,
    int* out,
    uint32* votes,
    const Arguments arguments) {
    int threads_per_threadgroup_x = min(int(blockDim.x), arguments.grid_x - int(blockIdx.x) * int(blockDim.x));
    int threads_per_threadgroup_y = min(int(blockDim.y), arguments.grid_y - int(blockIdx.y) * int(blockDim.y));
    int threads_per_threadgroup_z = min(int(blockDim.z), arguments.grid_z - int(blockIdx.z) * int(blockDim.z));
    int threads = threads_per_threadgroup_x * threads_per_threadgroup_y * threads_per_threadgroup_z;
    int thread_index_in_threadgroup = int(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
    // No thread runs beyond the grid; those left at its edge are numbered anew.
    if (thread_index_in_threadgroup >= threads) return;
    uint3 place = threadIdx;
    if (threads != int(blockDim.x * blockDim.y * blockDim.z)) {
        place.x = thread_index_in_threadgroup % threads_per_threadgroup_x;
        place.y = thread_index_in_threadgroup / threads_per_threadgroup_x % threads_per_threadgroup_y;
        place.z = thread_index_in_threadgroup / (threads_per_threadgroup_x * threads_per_threadgroup_y);
    }
    // A bit for each thread of the simdgroup.
    uint32 simdgroup_mask = 0xffffffff >> max(32 - int(threads - (thread_index_in_threadgroup & ~31)), 0);
    int thread_position_in_grid_x = int(blockIdx.x) * int(blockDim.x) + int(place.x);
    int i = thread_position_in_grid_x;
    int value = x[i];
    int r1 = simdgroup_sum(simdgroup_mask, value);
    out[i + 1] = r1;
    int r2 = simdgroup_product(simdgroup_mask, value);
    out[i + 2] = r2;
    int r3 = simdgroup_min(simdgroup_mask, value);
    out[i + 3] = r3;
    int r4 = simdgroup_max(simdgroup_mask, value);
    out[i + 4] = r4;
    int r5 = simdgroup_and(simdgroup_mask, value);
    out[i + 5] = r5;
    int r6 = simdgroup_or(simdgroup_mask, value);
    out[i + 6] = r6;
    int r7 = simdgroup_xor(simdgroup_mask, value);
    out[i + 7] = r7;
    int r8 = simdgroup_shuffle(simdgroup_mask, value, 1);
    out[i + 8] = r8;
    int r9 = simdgroup_shuffle_up(simdgroup_mask, value, 1);
    out[i + 9] = r9;
    int r10 = simdgroup_shuffle_down(simdgroup_mask, value, 1);
    out[i + 10] = r10;
    int r11 = simdgroup_shuffle_xor(simdgroup_mask, value, 1);
    out[i + 11] = r11;
    int r12 = simdgroup_broadcast(simdgroup_mask, value, 1);
    out[i + 12] = r12;
    uint32 r13 = simdgroup_ballot(simdgroup_mask, value != 0);
    votes[i + 13] = r13;
    bool r14 = simdgroup_any(simdgroup_mask, value != 0);
    votes[i + 14] = uint32(r14);
    bool r15 = simdgroup_all(simdgroup_mask, value != 0);
    votes[i + 15] = uint32(r15);
    int r16 = simdgroup_prefix_inclusive_sum(simdgroup_mask, value);
    out[i + 16] = r16;
    int r17 = simdgroup_prefix_exclusive_sum(simdgroup_mask, value);
    out[i + 17] = r17;
    int r18 = simdgroup_prefix_inclusive_product(simdgroup_mask, value);
    out[i + 18] = r18;
    int r19 = simdgroup_prefix_exclusive_product(simdgroup_mask, value);
    out[i + 19] = r19;
    int r20 = simdgroup_broadcast_first(simdgroup_mask, value);
    out[i + 20] = r20;
    bool r21 = simdgroup_is_first(simdgroup_mask);
    votes[i + 21] = uint32(r21);
    int simd_sum_8 = simdgroup_sum_8(simdgroup_mask, value);
    out[i + 29] = simd_sum_8;
    int simd_max_16 = simdgroup_max_16(simdgroup_mask, value);
    out[i + 37] = simd_max_16;
    uint32 branch_mask = __ballot_sync(simdgroup_mask, value > 1);
    if (value > 1) {
        int odd = simdgroup_sum(branch_mask, value);
        out[i] = odd;
    } else {
        int inner = simdgroup_max(simdgroup_mask & ~branch_mask, value);
        out[i] = inner;
        __syncwarp(simdgroup_mask & ~branch_mask);
    }
    if (value > 2) {
        return;
    }
    int last = simdgroup_broadcast_first(__activemask(), value);
    out[0] = last;
}
