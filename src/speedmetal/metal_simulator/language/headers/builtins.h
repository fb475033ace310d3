// Functions of Apple's compiler beneath its library, which public kernels call for bfloat.
#pragma once
#include "names.h"

#define __METAL_FAST_MATH__ 1
#define __METAL_PRECISE_MATH__ 0
#define __METAL_MAYBE_FAST_MATH__ 0

#define SMR_BUILTIN1(name) \
    template <class T>     \
    inline T __metal_##name(T x, int) SMR_BODY(return metal::name(x);)
#define SMR_BUILTIN2(name) \
    template <class T>     \
    inline T __metal_##name(T x, T y, int) SMR_BODY(return metal::name(x, y);)
#define SMR_BUILTIN3(name) \
    template <class T>     \
    inline T __metal_##name(T x, T y, T z, int) SMR_BODY(return metal::name(x, y, z);)
SMR_BUILTIN1(fabs)
SMR_BUILTIN1(acos)
SMR_BUILTIN1(acosh)
SMR_BUILTIN1(asin)
SMR_BUILTIN1(asinh)
SMR_BUILTIN1(atan)
SMR_BUILTIN1(atanh)
SMR_BUILTIN1(ceil)
SMR_BUILTIN1(cos)
SMR_BUILTIN1(cosh)
SMR_BUILTIN1(cospi)
SMR_BUILTIN1(exp)
SMR_BUILTIN1(exp10)
SMR_BUILTIN1(exp2)
SMR_BUILTIN1(floor)
SMR_BUILTIN1(fract)
SMR_BUILTIN1(log)
SMR_BUILTIN1(log10)
SMR_BUILTIN1(log2)
SMR_BUILTIN1(rint)
SMR_BUILTIN1(round)
SMR_BUILTIN1(rsqrt)
SMR_BUILTIN1(sin)
SMR_BUILTIN1(sinh)
SMR_BUILTIN1(sinpi)
SMR_BUILTIN1(sqrt)
SMR_BUILTIN1(tan)
SMR_BUILTIN1(tanh)
SMR_BUILTIN1(tanpi)
SMR_BUILTIN1(trunc)
SMR_BUILTIN2(atan2)
SMR_BUILTIN2(divide)
SMR_BUILTIN2(fmax)
SMR_BUILTIN2(fmin)
SMR_BUILTIN2(fmod)
SMR_BUILTIN2(pow)
SMR_BUILTIN2(powr)
SMR_BUILTIN3(fmax3)
SMR_BUILTIN3(fmedian3)
SMR_BUILTIN3(fmin3)
#undef SMR_BUILTIN1
#undef SMR_BUILTIN2
#undef SMR_BUILTIN3
template <class T>
inline T __metal_fma(T x, T y, T z) SMR_BODY(return metal::fma(x, y, z);)
template <class T>
inline T __metal_nextafter(T x, T y) SMR_BODY(return metal::nextafter(x, y);)
template <class T>
inline T __metal_ldexp(T x, int k, int) SMR_BODY(return metal::ldexp(x, k);)
template <class T>
inline T __metal_frexp(T x, thread int* exponent) SMR_BODY(return metal::frexp(x, *exponent);)

#define SMR_BUILTIN(name) \
    template <class T>    \
    inline T __metal_##name(T x) SMR_BODY(return metal::name(x);)
SMR_BUILTIN(simd_sum)
SMR_BUILTIN(simd_product)
SMR_BUILTIN(simd_min)
SMR_BUILTIN(simd_max)
SMR_BUILTIN(simd_prefix_inclusive_sum)
SMR_BUILTIN(simd_prefix_exclusive_sum)
SMR_BUILTIN(simd_prefix_inclusive_product)
SMR_BUILTIN(simd_prefix_exclusive_product)
#undef SMR_BUILTIN
#define SMR_BUILTIN(name) \
    template <class T>    \
    inline T __metal_##name(T x, ushort of) SMR_BODY(return metal::name(x, of);)
SMR_BUILTIN(simd_broadcast)
SMR_BUILTIN(simd_shuffle)
SMR_BUILTIN(simd_shuffle_down)
SMR_BUILTIN(simd_shuffle_up)
SMR_BUILTIN(simd_shuffle_xor)
SMR_BUILTIN(simd_shuffle_rotate_down)
SMR_BUILTIN(simd_shuffle_rotate_up)
#undef SMR_BUILTIN
#define SMR_BUILTIN(name)                                                           \
    template <class T>                                                              \
    inline T __metal_##name(T data, T filling, ushort delta, ushort modulo)         \
        SMR_BODY(return metal::name(data, filling, delta, modulo);)
SMR_BUILTIN(simd_shuffle_and_fill_down)
SMR_BUILTIN(simd_shuffle_and_fill_up)
#undef SMR_BUILTIN
inline float __metal_simd_xor(float x)
    SMR_BODY(return as_type<float>(metal::simd_xor(as_type<uint>(x)));)
constexpr ushort __metal_get_simdgroup_size(ushort) { return 32; }
inline ushort __metal_get_thread_index_in_simdgroup(ushort) SMR_BODY(return (ushort)__smr_lane();)
