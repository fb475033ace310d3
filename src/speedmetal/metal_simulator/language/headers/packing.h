// <metal_pack>: numbers of 0 to 1, or of -1 to 1, as integers of a few bits; the first component has
// the lowest ones. Numbers beyond are the nearest of these, NaN is 0.
#pragma once
#include "math.h"

#if !SMR_CHECKED
namespace smr {
// What the bits of a normalised integer mean: signed ones have two for -1.
constexpr float normalised(uint bits, int width, bool is_signed) {
    if (!is_signed) return (float)bits / (float)((1u << width) - 1u);
    const int value = (int)(bits << (32 - width)) >> (32 - width);
    const float f = (float)value / (float)((1u << (width - 1)) - 1u);
    return f < -1.0f ? -1.0f : f;
}
inline uint bits_of_normalised(float x, int width, bool is_signed) {
    const float low = is_signed ? -1.0f : 0.0f;
    const float scale = (float)((1u << (width - is_signed)) - 1u);
    const float f = x != x ? 0.0f : __builtin_fminf(__builtin_fmaxf(x, low), 1.0f);
    return (uint)(int)__builtin_rintf(f * scale) & ((1u << width) - 1u);
}
// The nearest integer of a narrower type.
template <class R, class T>
constexpr R saturated(R value) {
    const long low = metal::numeric_limits<T>::min(), high = metal::numeric_limits<T>::max();
    return (R)((long)value < low ? low : (long)value > high ? high : (long)value);
}
// Between linear light and sRGB (IEC 61966-2-1).
inline float srgb_of_linear(float x) {
    if (!(x > 0.0f)) return 0.0f;
    if (x >= 1.0f) return 1.0f;
    return x < 0.0031308f ? 12.92f * x : 1.055f * smr_pow(x, 1.0f / 2.4f) - 0.055f;
}
inline float linear_of_srgb(float x) {
    return x <= 0.04045f ? x / 12.92f : smr_pow((x + 0.055f) / 1.055f, 2.4f);
}
}  // namespace smr
#endif

namespace metal {
// Each component's width, from the lowest bits on.
#define SMR_PACKING(E, N, P, suffix, is_signed, ...)                                        \
    constexpr vec<E, N> unpack_##suffix##_to_##E(P x)                                       \
        SMR_BODY(vec<E, N> r{}; const int widths[] = {__VA_ARGS__}; int place = 0;          \
                 for (int i = 0; i < N; place += widths[i++]) {                             \
                     const uint bits = ((uint)x >> place) & ((1u << widths[i]) - 1u);       \
                     r[i] = (E)smr::normalised(bits, widths[i], is_signed);                 \
                 } return r;)                                                               \
    inline P pack_##E##_to_##suffix(vec<E, N> x)                                            \
        SMR_BODY(uint r = 0; const int widths[] = {__VA_ARGS__}; int place = 0;             \
                 for (int i = 0; i < N; place += widths[i++]) {                             \
                     r |= smr::bits_of_normalised((float)x[i], widths[i], is_signed) << place; \
                 } return (P)r;)
#define SMR_PACKINGS(E)                                            \
    SMR_PACKING(E, 4, uint, unorm4x8, false, 8, 8, 8, 8)           \
    SMR_PACKING(E, 4, uint, snorm4x8, true, 8, 8, 8, 8)            \
    SMR_PACKING(E, 2, uint, unorm2x16, false, 16, 16)              \
    SMR_PACKING(E, 2, uint, snorm2x16, true, 16, 16)               \
    SMR_PACKING(E, 4, uint, unorm10a2, false, 10, 10, 10, 2)       \
    SMR_PACKING(E, 3, ushort, unorm565, false, 5, 6, 5)            \
    inline vec<E, 4> unpack_unorm4x8_srgb_to_##E(uint x)           \
        SMR_BODY(vec<float, 4> r = unpack_unorm4x8_to_float(x);    \
                 for (int i = 0; i < 3; ++i) r[i] = smr::linear_of_srgb(r[i]); \
                 return vec<E, 4>((E)r[0], (E)r[1], (E)r[2], (E)r[3]);) \
    inline uint pack_##E##_to_srgb_unorm4x8(vec<E, 4> x)           \
        SMR_BODY(vec<float, 4> r(smr::srgb_of_linear((float)x[0]), smr::srgb_of_linear((float)x[1]), \
                                 smr::srgb_of_linear((float)x[2]), (float)x[3]); \
                 return pack_float_to_unorm4x8(r);)
SMR_PACKINGS(float)
SMR_PACKINGS(half)
#undef SMR_PACKINGS
#undef SMR_PACKING
}  // namespace metal
