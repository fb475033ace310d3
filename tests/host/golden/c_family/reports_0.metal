#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

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
};

kernel void reports_0(
    device const float* x [[buffer(0)]],
    device const half* h [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    device uint* mailbox [[buffer(3)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    if (device uint* record = open_record(mailbox, 0, 9)) {
        write_value(record, ulong(long(i)));
        write_value(record + 2, double_bits(x[i]));
        write_value(record + 4, double_bits(float(h[i])));
        write_value(record + 6, ulong(uchar(i)));
    }
    if (device uint* record_1 = open_record(mailbox, 1, 3)) {
        write_value(record_1, ulong(x[i] > 0.0f));
    }
    open_record(mailbox, 2, 1);
}
