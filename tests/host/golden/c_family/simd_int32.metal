#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

static inline int simdgroup_shuffle_up(uint lane, int x, int operand) {
    uint active = uint(simd_vote::vote_t(simd_ballot(true)));
    uint place = lane & 31;
    uint source = place - uint(operand);
    int other = simd_shuffle(x, ushort(source & 31));
    // Where no active thread is in that place, the thread's own value.
    return source < 32 && (active >> (source) & 1) != 0 ? other : x;
}

static inline int simdgroup_shuffle_down(uint lane, int x, int operand) {
    uint active = uint(simd_vote::vote_t(simd_ballot(true)));
    uint place = lane & 31;
    uint source = place + uint(operand);
    int other = simd_shuffle(x, ushort(source & 31));
    // Where no active thread is in that place, the thread's own value.
    return source < 32 && (active >> (source) & 1) != 0 ? other : x;
}

static inline uint simdgroup_ballot(uint lane, bool predicate) {
    return uint(simd_vote::vote_t(simd_ballot(predicate)));
}

static inline int simdgroup_sum_8(uint lane, int x) {
    uint active = uint(simd_vote::vote_t(simd_ballot(true)));
    if (active == 0xffffffff) {
        for (int offset = 4; offset > 0; offset /= 2) {
            int other = int(simd_shuffle_xor(x, ushort(offset)));
            x = int(uint(x) + uint(other));
        }
        return x;
    }
    int result = int(0);
    for (uint k = 0; k < 8; ++k) {
        uint source = (lane & ~7u) + k;
        int other = simd_shuffle(x, ushort(source));
        if ((active >> source & 1) != 0) result = int(uint(result) + uint(other));
    }
    return result;
}

static inline int maximum(int a, int b) {
    return a > b ? a : b;
}

static inline int simdgroup_max_16(uint lane, int x) {
    uint active = uint(simd_vote::vote_t(simd_ballot(true)));
    if (active == 0xffffffff) {
        for (int offset = 8; offset > 0; offset /= 2) {
            int other = int(simd_shuffle_xor(x, ushort(offset)));
            x = maximum(x, other);
        }
        return x;
    }
    int result = (-2147483647 - 1);
    for (uint k = 0; k < 16; ++k) {
        uint source = (lane & ~15u) + k;
        int other = simd_shuffle(x, ushort(source));
        if ((active >> source & 1) != 0) result = maximum(result, other);
    }
    return result;
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

kernel void simd_of_int32(
    device const int* x [[buffer(0)]],
    device int* out [[buffer(1)]],
    device uint* votes [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]],
    uint thread_index_in_simdgroup [[thread_index_in_simdgroup]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    int value = x[i];
    int r1 = int(simd_sum(uint(value)));
    out[i + 1] = r1;
    int r2 = int(simd_product(uint(value)));
    out[i + 2] = r2;
    int r3 = simd_min(value);
    out[i + 3] = r3;
    int r4 = simd_max(value);
    out[i + 4] = r4;
    int r5 = simd_and(value);
    out[i + 5] = r5;
    int r6 = simd_or(value);
    out[i + 6] = r6;
    int r7 = simd_xor(value);
    out[i + 7] = r7;
    int r8 = simd_shuffle(value, ushort(1));
    out[i + 8] = r8;
    int r9 = simdgroup_shuffle_up(thread_index_in_simdgroup, value, 1);
    out[i + 9] = r9;
    int r10 = simdgroup_shuffle_down(thread_index_in_simdgroup, value, 1);
    out[i + 10] = r10;
    int r11 = simd_shuffle_xor(value, ushort(1));
    out[i + 11] = r11;
    int r12 = simd_broadcast(value, ushort(1));
    out[i + 12] = r12;
    uint r13 = simdgroup_ballot(thread_index_in_simdgroup, value != 0);
    votes[i + 13] = r13;
    bool r14 = simd_any(value != 0);
    votes[i + 14] = uint(r14);
    bool r15 = simd_all(value != 0);
    votes[i + 15] = uint(r15);
    int r16 = int(simd_prefix_inclusive_sum(uint(value)));
    out[i + 16] = r16;
    int r17 = int(simd_prefix_exclusive_sum(uint(value)));
    out[i + 17] = r17;
    int r18 = int(simd_prefix_inclusive_product(uint(value)));
    out[i + 18] = r18;
    int r19 = int(simd_prefix_exclusive_product(uint(value)));
    out[i + 19] = r19;
    int r20 = simd_broadcast_first(value);
    out[i + 20] = r20;
    bool r21 = simd_is_first();
    votes[i + 21] = uint(r21);
    int simd_sum_8 = simdgroup_sum_8(thread_index_in_simdgroup, value);
    out[i + 29] = simd_sum_8;
    int simd_max_16 = simdgroup_max_16(thread_index_in_simdgroup, value);
    out[i + 37] = simd_max_16;
    if (value > 1) {
        int odd = int(simd_sum(uint(value)));
        out[i] = odd;
    } else {
        int inner = simd_max(value);
        out[i] = inner;
        simdgroup_barrier(mem_flags::mem_none);
    }
    if (value > 2) {
        return;
    }
    int last = simd_broadcast_first(value);
    out[0] = last;
}
