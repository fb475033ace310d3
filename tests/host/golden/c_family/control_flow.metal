#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

// Has the sign of b, as in Python; 0 where b is 0.
static inline int floor_remainder(int a, int b) {
    if (b == 0 || b == -1) return int(0);
    int rest = int(a % b);
    return rest != 0 && (rest ^ b) < 0 ? int(rest + b) : rest;
}

// One step of a range; stop where the range ends, so that nothing overflows.
static inline int range_next(int i, int stop, int step) {
    uint left = step > 0 ? uint(stop) - uint(i) : uint(i) - uint(stop);
    uint size = step > 0 ? uint(step) : uint(0) - uint(step);
    return left > size ? int(i + step) : stop;
}

// One step of a range; stop where the range ends, so that nothing overflows.
static inline uint range_next(uint i, uint stop, uint step) {
    return stop - i > step ? uint(i + step) : stop;
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int n;
    int step;
};

namespace functions {

static inline int twice(int v) {
    return 2;
}

static inline int clamp_1(int v) {
    if (v < 0) {
        return 0;
    }
    return floor_remainder(v, 7);
}

}

kernel void kernel_kernel(
    device int* out [[buffer(0)]],
    constant Arguments& arguments [[buffer(1)]]) {
    int n = arguments.n;
    int total = 0;
    n = n >> 1;
    for (int i = n; i > 0; --i) {
        total = int(uint(total) + 1u);
    }
    for (int j = 0; arguments.step > 0 ? j < n : arguments.step < 0 && j > n; j = range_next(j, n, arguments.step)) {
        total = int(uint(total) + 1u);
    }
    for (int k = 10; k > 0; k -= 3) {
        total = int(uint(total) + 1u);
    }
    for (int m = 0; m < 2147483647; m = range_next(m, 2147483647, 5)) {
        total = int(uint(total) + 1u);
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
    for (uint u = 0u; uint(arguments.step) != 0u && u < 4294967295u; u = range_next(u, 4294967295u, uint(arguments.step))) {
        total = int(u);
    }
    while (total < n) {
        if (total == 3) {
            total = int(uint(total) * 2u);
        } else if (total == 4) {
            total = 9;
        } else {
            total = int(uint(total) + 1u);
        }
        if (total <= 100) {
            total = int(uint(total) + 2u);
        }
    }
    out[functions::twice(n)] = functions::clamp_1(int(-uint(total)));
    return;
}
