#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

// NaN where any thread has NaN.
static inline float quadgroup_min(float x) {
    float extremum = quad_min(x);
    return quad_any(isnan(x)) ? NAN : extremum;
}

// NaN where any thread has NaN.
static inline float quadgroup_max(float x) {
    float extremum = quad_max(x);
    return quad_any(isnan(x)) ? NAN : extremum;
}

static inline float quadgroup_shuffle_up(uint lane, float x, int operand) {
    uint active = uint(simd_vote::vote_t(simd_ballot(true)));
    uint place = lane & 3;
    uint source = place - uint(operand);
    float other = simd_shuffle(x, ushort((lane & ~3u) + (source & 3)));
    // Where no active thread is in that place, the thread's own value.
    return source < 4 && (active >> ((lane & ~3u) + source) & 1) != 0 ? other : x;
}

static inline float quadgroup_shuffle_down(uint lane, float x, int operand) {
    uint active = uint(simd_vote::vote_t(simd_ballot(true)));
    uint place = lane & 3;
    uint source = place + uint(operand);
    float other = simd_shuffle(x, ushort((lane & ~3u) + (source & 3)));
    // Where no active thread is in that place, the thread's own value.
    return source < 4 && (active >> ((lane & ~3u) + source) & 1) != 0 ? other : x;
}

static inline uint quadgroup_ballot(uint lane, bool predicate) {
    return uint(simd_vote::vote_t(simd_ballot(predicate))) >> (lane & ~3u) & 15;
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

kernel void quad_of_float32(
    device const float* x [[buffer(0)]],
    device float* out [[buffer(1)]],
    device uint* votes [[buffer(2)]],
    constant Arguments& arguments [[buffer(3)]],
    uint thread_index_in_simdgroup [[thread_index_in_simdgroup]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    float value = x[i];
    float r1 = quad_sum(value);
    out[i + 1] = r1;
    float r2 = quad_product(value);
    out[i + 2] = r2;
    float r3 = quadgroup_min(value);
    out[i + 3] = r3;
    float r4 = quadgroup_max(value);
    out[i + 4] = r4;
    float r8 = quad_shuffle(value, ushort(1));
    out[i + 8] = r8;
    float r9 = quadgroup_shuffle_up(thread_index_in_simdgroup, value, 1);
    out[i + 9] = r9;
    float r10 = quadgroup_shuffle_down(thread_index_in_simdgroup, value, 1);
    out[i + 10] = r10;
    float r11 = quad_shuffle_xor(value, ushort(1));
    out[i + 11] = r11;
    float r12 = quad_broadcast(value, ushort(1));
    out[i + 12] = r12;
    uint r13 = quadgroup_ballot(thread_index_in_simdgroup, value != 0.0f);
    votes[i + 13] = r13;
    bool r14 = quad_any(value != 0.0f);
    votes[i + 14] = uint(r14);
    bool r15 = quad_all(value != 0.0f);
    votes[i + 15] = uint(r15);
}
