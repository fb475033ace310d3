#include <metal_stdlib>
using namespace metal;

// Each operation is rounded by itself; NaN and infinities are kept.
#if __METAL_VERSION__ >= 320
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)
#else
#pragma clang fp contract(off)
#endif

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
};

namespace functions {

static inline float at_most(float x_1) {
    return x_1 > 4.0f ? 4.0f : x_1;
}

static inline float erf_(float x_1) {
    float a = fabs(x_1);
    float x_1_1 = functions::at_most(a) - 2.5f;
    float total = fma(-0.00018654074f, x_1_1, 0.0001509381f);
    total = fma(total, x_1_1, -0.0024678505f);
    total = fma(total, x_1_1, 0.010708609f);
    total = fma(total, x_1_1, 0.94388205f);
    total = fma(total, x_1_1, 5.352694f);
    total = fma(total, x_1_1, 7.806818f);
    float logarithm = total;
    float x_2 = -logarithm;
    float shifted = fma(x_2, 1.442695f, 1.2582912e+07f);
    float shifted_1 = shifted;
    float n = shifted - 1.2582912e+07f;
    float r = fma(n, 1.9046542e-09f, fma(n, -0.6931472f, x_2));
    float total_1 = fma(0.0013747055f, r, 0.008369115f);
    total_1 = fma(total_1, r, 0.041669633f);
    total_1 = fma(total_1, r, 0.16666517f);
    total_1 = fma(total_1, r, 0.49999988f);
    int bits = as_type<int>(fma(fma(total_1, r, 1.0f), r, 1.0f));
    float tail = 1.0f - as_type<float>(int(uint(bits) + (as_type<uint>(shifted_1) << 23)));
    float far = a >= 4.0f ? 1.0f : a >= 1.0f ? tail : a;
    float x_3 = x_1 * x_1;
    float total_2 = fma(7.842288e-05f, x_3, -0.0008006793f);
    total_2 = fma(total_2, x_3, 0.0051879627f);
    total_2 = fma(total_2, x_3, -0.026853643f);
    total_2 = fma(total_2, x_3, 0.112835824f);
    total_2 = fma(total_2, x_3, -0.37612626f);
    total_2 = fma(total_2, x_3, 0.12837917f);
    return a < 1.0f ? fma(total_2, x_1, x_1) : copysign(far, x_1);
}

}

kernel void gelu(
    device const bfloat* x [[buffer(0)]],
    device bfloat* out [[buffer(1)]],
    constant Arguments& arguments [[buffer(2)]],
    uint3 thread_position_in_grid [[thread_position_in_grid]]) {
    int i = int(thread_position_in_grid.x);
    out[i] = bfloat(0.5f) * x[i] * (bfloat(1.0f) + bfloat(functions::erf_(float(x[i] / bfloat(1.4140625f)))));
}
