#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

// The first failure of a launch is the one that is told.
static inline void report_failure(
    device uint* mailbox,
    uint site,
    uint thread_x,
    uint thread_y,
    uint thread_z,
    uint threadgroup_x,
    uint threadgroup_y,
    uint threadgroup_z) {
    if (atomic_exchange_explicit((device atomic_uint*)mailbox, 1, memory_order_relaxed) != 0) return;
    mailbox[1] = site;
    mailbox[2] = thread_x;
    mailbox[3] = thread_y;
    mailbox[4] = thread_z;
    mailbox[5] = threadgroup_x;
    mailbox[6] = threadgroup_y;
    mailbox[7] = threadgroup_z;
}

// Room for the values of one print; none when the mailbox is full.
static inline device uint* open_record(device uint* mailbox, uint site, uint words) {
    uint first = atomic_fetch_add_explicit((device atomic_uint*)(mailbox + 8), words, memory_order_relaxed);
    uint capacity = mailbox[9];
    if (first > capacity || words > capacity - first) return nullptr;
    device uint* record = mailbox + 11 + first;
    record[0] = site;
    return record + 1;
}

static inline void write_value(device uint* record, ulong value) {
    record[0] = uint(value);
    record[1] = uint(value >> 32);
}

// The bits of the same number as a float of 64 bits.
static inline ulong double_bits(float x) {
    uint bits = as_type<uint>(x);
    ulong sign = ulong(bits >> 31) << 63;
    uint exponent = (bits >> 23) & 0xffu;
    ulong fraction = bits & 0x7fffffu;
    if (exponent == 0xffu) return sign | ulong(0x7ff) << 52 | fraction << 29;
    if (exponent == 0u && fraction == 0) return sign;
    if (exponent == 0u) {
        // A subnormal: it is a normal number of 64 bits.
        exponent = 1u;
        while ((fraction & 0x800000u) == 0) {
            fraction <<= 1;
            exponent -= 1u;
        }
        fraction &= 0x7fffffu;
    }
    return sign | ulong(exponent + 896u) << 52 | fraction << 29;
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int x_extent0;
};

kernel void report(
    device float* x [[buffer(0)]],
    constant Arguments& arguments [[buffer(1)]],
    device uint* mailbox [[buffer(2)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]],
    uint3 thread_position_in_threadgroup [[thread_position_in_threadgroup]],
    uint3 threadgroup_position_in_grid [[threadgroup_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    if (!(i >= 0 && i < arguments.x_extent0)) {
        // index out of bounds: x[i]
        report_failure(mailbox, 0, thread_position_in_threadgroup.x, thread_position_in_threadgroup.y, thread_position_in_threadgroup.z, threadgroup_position_in_grid.x, threadgroup_position_in_grid.y, threadgroup_position_in_grid.z);
        return;
    }
    if (!(x[i] >= 0.0f)) {
        // assertion failed: a negative element
        report_failure(mailbox, 1, thread_position_in_threadgroup.x, thread_position_in_threadgroup.y, thread_position_in_threadgroup.z, threadgroup_position_in_grid.x, threadgroup_position_in_grid.y, threadgroup_position_in_grid.z);
        return;
    }
    if (i == 3) {
        if (!(i >= 0 && i < arguments.x_extent0)) {
            // index out of bounds: x[i]
            report_failure(mailbox, 2, thread_position_in_threadgroup.x, thread_position_in_threadgroup.y, thread_position_in_threadgroup.z, threadgroup_position_in_grid.x, threadgroup_position_in_grid.y, threadgroup_position_in_grid.z);
            return;
        }
        if (device uint* record = open_record(mailbox, 0, 5)) {
            write_value(record, ulong(long(i)));
            write_value(record + 2, double_bits(x[i]));
        }
    }
    if (!(i >= 0 && i < arguments.x_extent0)) {
        // index out of bounds: x[i]
        report_failure(mailbox, 3, thread_position_in_threadgroup.x, thread_position_in_threadgroup.y, thread_position_in_threadgroup.z, threadgroup_position_in_grid.x, threadgroup_position_in_grid.y, threadgroup_position_in_grid.z);
        return;
    }
    if (!(i >= 0 && i < arguments.x_extent0)) {
        // index out of bounds: x[i]
        report_failure(mailbox, 4, thread_position_in_threadgroup.x, thread_position_in_threadgroup.y, thread_position_in_threadgroup.z, threadgroup_position_in_grid.x, threadgroup_position_in_grid.y, threadgroup_position_in_grid.z);
        return;
    }
    x[i] = precise::sqrt(x[i]);
}
