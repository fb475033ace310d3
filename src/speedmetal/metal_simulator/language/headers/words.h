// Words of the language and the scalar types.
//
// These headers are read in two ways. "Simulated": plain C++17, in which the address spaces are
// empty words, compiled and run. "Checked": C++ for OpenCL, which knows address spaces, for the
// checks alone; no code comes of it, so that functions are declared and not defined there.
#pragma once

#ifdef __OPENCL_CPP_VERSION__
#define SMR_CHECKED 1
#pragma OPENCL EXTENSION __cl_clang_function_pointers : enable
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define device __global
#define threadgroup __local
#define thread __private
#define constant const __constant
// OpenCL's own words are free names in Metal.
#define global smr_name_global
#define local smr_name_local
#define generic smr_name_generic
#define pipe smr_name_pipe
#define read_write smr_name_read_write
#define read_only smr_name_read_only
#define write_only smr_name_write_only
#define kernel smr_name_kernel
#define vec_step smr_name_vec_step
#define event_t smr_name_event_t
#define atomic_int smr_atomic_int
#define atomic_uint smr_atomic_uint
#define atomic_float smr_atomic_float
#define atomic_bool smr_atomic_bool
#define atomic_long smr_atomic_long
#define atomic_ulong smr_atomic_ulong
#define SMR_BODY(...) ;
#else
#define SMR_CHECKED 0
#include "../../runtime/abi.h"
namespace smr {
// Under names that are no words of Metal.
inline unsigned long long buffer_address(const smr_thread* of, int index) {
    return of->buffers[index];
}
inline unsigned long long threadgroup_address(const smr_thread* of, int index) {
    return of->threadgroup[index];
}
}  // namespace smr
#define device
#define threadgroup
#define thread
#define constant const
#define SMR_BODY(...) { __VA_ARGS__ }
typedef _Float16 half;
#endif
#define coherent(...)
#define METAL_FUNC inline
#define METAL_CONST constant

// Functions in which the threads of a simdgroup meet: calls must neither be merged nor moved, and
// each must have a frame of its own, by which the runtime tells the places of a program apart. Their
// own arrays need no checks.
#if SMR_CHECKED
#define SMR_COLLECTIVE inline
#else
#define SMR_COLLECTIVE \
    __attribute__((convergent, nomerge, noinline, minsize, no_sanitize("thread", "bounds", "kernel-address"))) inline
#endif

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
typedef unsigned long size_t;
typedef long ptrdiff_t;
typedef unsigned long uintptr_t;
typedef long intptr_t;
typedef decltype(nullptr) nullptr_t;

#if SMR_CHECKED
typedef __bf16 bfloat;
#else
// A number of 16 bits with float's range. It becomes a float by itself, integers become a bfloat by
// themselves; other floats need a cast. Each operation is rounded to it: float has more than twice its digits, so that
// rounding twice gives what rounding once would.
struct bfloat;

namespace smr {
template <bool B, class T = void>
struct enable {};
template <class T>
struct enable<true, T> {
    typedef T type;
};
template <class T>
constexpr bool is_cast = __is_same(T, int);
// Not of bfloat itself, which must not be asked while it is not complete.
template <class T, bool IS_CLASS = __is_class(T) && !__is_same(T, bfloat)>
constexpr bool is_like_bool = false;
template <class T>
constexpr bool is_like_bool<T, true> = __is_convertible(T, bool);
template <class T>
using if_integer = typename enable<__is_integral(T)>::type;
}  // namespace smr

struct bfloat {
    unsigned short smr_bits;

    bfloat() = default;
    template <class T, class = typename smr::enable<!__is_integral(T)>::type, class = void,
              class = typename smr::enable<!smr::is_like_bool<T>>::type>
    explicit constexpr bfloat(T value) : smr_bits(smr_rounded(static_cast<float>(value))) {}
    // What a text's own type becomes by itself, a bfloat becomes of it.
    template <class T, class = typename smr::enable<smr::is_like_bool<T>>::type, class = void,
              class = void, class = void>
    constexpr bfloat(T value) : smr_bits(smr_rounded(static_cast<float>(value))) {}
    template <class T, class = smr::if_integer<T>>
    constexpr bfloat(T value) : smr_bits(smr_rounded(static_cast<float>(value))) {}
    // Templates, so that no second conversion follows: a bfloat becomes a float and nothing else.
    template <class T, class = typename smr::enable<__is_same(T, float)>::type>
    constexpr operator T() const {
        return __builtin_bit_cast(float, (uint)smr_bits << 16);
    }
    // To int by a cast alone, though Metal has it: else `c ? x : 0` could be either of the two.
    template <class T, class = smr::if_integer<T>, class = void,
              class = typename smr::enable<smr::is_cast<T>>::type>
    explicit constexpr operator T() const {
        return static_cast<T>((float)*this);
    }
    template <class T, class = smr::if_integer<T>, class = void, class = void,
              class = typename smr::enable<!smr::is_cast<T>>::type>
    constexpr operator T() const {
        return static_cast<T>((float)*this);
    }
    explicit constexpr operator half() const { return static_cast<half>((float)*this); }

    // To nearest, ties to even.
    static constexpr unsigned short smr_rounded(float value) {
        uint bits = __builtin_bit_cast(uint, value);
        if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)(bits >> 16 | 0x40u);
        return (unsigned short)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
    }

#define SMR_OPERATOR(type, op)                                                                   \
    friend constexpr type operator op(bfloat a, bfloat b) { return type((float)a op(float) b); } \
    template <class T, class = smr::if_integer<T>>                                               \
    friend constexpr type operator op(bfloat a, T b) {                                           \
        return type((float)a op(float) bfloat(b));                                               \
    }                                                                                            \
    template <class T, class = smr::if_integer<T>>                                               \
    friend constexpr type operator op(T a, bfloat b) {                                           \
        return type((float)bfloat(a) op(float) b);                                               \
    }                                                                                            \
    friend void operator op(bfloat, half) = delete;                                              \
    friend void operator op(half, bfloat) = delete;
    SMR_OPERATOR(bfloat, +)
    SMR_OPERATOR(bfloat, -)
    SMR_OPERATOR(bfloat, *)
    SMR_OPERATOR(bfloat, /)
    SMR_OPERATOR(bool, ==)
    SMR_OPERATOR(bool, !=)
    SMR_OPERATOR(bool, <)
    SMR_OPERATOR(bool, <=)
    SMR_OPERATOR(bool, >)
    SMR_OPERATOR(bool, >=)
#undef SMR_OPERATOR
#define SMR_OPERATOR(op)                                                              \
    template <class T, class = typename smr::enable<__is_arithmetic(T)>::type>        \
    friend constexpr T& operator op##=(T& a, bfloat b) {                              \
        return a = static_cast<T>((float)a op(float) b);                              \
    }
    SMR_OPERATOR(+)
    SMR_OPERATOR(-)
    SMR_OPERATOR(*)
    SMR_OPERATOR(/)
#undef SMR_OPERATOR
#define SMR_OPERATOR(type, op)                                                        \
    friend constexpr type operator op(bfloat a, float b) { return (float)a op b; }    \
    friend constexpr type operator op(float a, bfloat b) { return a op(float) b; }
    SMR_OPERATOR(float, +)
    SMR_OPERATOR(float, -)
    SMR_OPERATOR(float, *)
    SMR_OPERATOR(float, /)
    SMR_OPERATOR(bool, ==)
    SMR_OPERATOR(bool, !=)
    SMR_OPERATOR(bool, <)
    SMR_OPERATOR(bool, <=)
    SMR_OPERATOR(bool, >)
    SMR_OPERATOR(bool, >=)
#undef SMR_OPERATOR
    friend constexpr bfloat operator-(bfloat a) { return bfloat(-(float)a); }
    friend constexpr bfloat operator+(bfloat a) { return a; }
    friend constexpr bool operator!(bfloat a) { return (float)a == 0.0f; }
    constexpr bfloat& operator+=(bfloat b) { return *this = *this + b; }
    constexpr bfloat& operator-=(bfloat b) { return *this = *this - b; }
    constexpr bfloat& operator*=(bfloat b) { return *this = *this * b; }
    constexpr bfloat& operator/=(bfloat b) { return *this = *this / b; }
    template <class T, class = smr::if_integer<T>>
    constexpr bfloat& operator+=(T b) { return *this = *this + b; }
    template <class T, class = smr::if_integer<T>>
    constexpr bfloat& operator-=(T b) { return *this = *this - b; }
    template <class T, class = smr::if_integer<T>>
    constexpr bfloat& operator*=(T b) { return *this = *this * b; }
    template <class T, class = smr::if_integer<T>>
    constexpr bfloat& operator/=(T b) { return *this = *this / b; }
    constexpr bfloat& operator++() { return *this = *this + 1; }
    constexpr bfloat& operator--() { return *this = *this - 1; }
    constexpr bfloat operator++(int) { bfloat old = *this; ++*this; return old; }
    constexpr bfloat operator--(int) { bfloat old = *this; --*this; return old; }
};
#endif
