// <metal_type_traits>, <metal_limits> and the constants of <metal_math>.
#pragma once
#include "words.h"

#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#define HUGE_VALF __builtin_inff()
#define HUGE_VALH ((half)__builtin_inff())
#define MAXFLOAT 0x1.fffffep127f
#define MAXHALF ((half)65504.0f)
#define FLT_DIG 6
#define FLT_MANT_DIG 24
#define FLT_MAX_10_EXP 38
#define FLT_MAX_EXP 128
#define FLT_MIN_10_EXP (-37)
#define FLT_MIN_EXP (-125)
#define FLT_RADIX 2
#define FLT_MAX 0x1.fffffep127f
#define FLT_MIN 0x1p-126f
#define FLT_TRUE_MIN 0x1p-149f
#define FLT_DECIMAL_DIG 9
#define FLT_EPSILON 0x1p-23f
#define HALF_DIG 3
#define HALF_MANT_DIG 11
#define HALF_MAX_10_EXP 4
#define HALF_MAX_EXP 16
#define HALF_MIN_10_EXP (-4)
#define HALF_MIN_EXP (-13)
#define HALF_RADIX 2
#define HALF_MAX ((half)65504.0f)
#define HALF_MIN ((half)0x1p-14f)
#define HALF_TRUE_MIN ((half)0x1p-24f)
#define HALF_EPSILON ((half)0x1p-10f)
#define CHAR_BIT 8
#define SCHAR_MAX 127
#define SCHAR_MIN (-128)
#define UCHAR_MAX 255
#define CHAR_MAX 127
#define CHAR_MIN (-128)
#define USHRT_MAX 65535
#define SHRT_MAX 32767
#define SHRT_MIN (-32768)
#define UINT_MAX 4294967295u
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define ULONG_MAX 18446744073709551615ul
#define LONG_MAX 9223372036854775807l
#define LONG_MIN (-9223372036854775807l - 1)
#define FP_ILOGB0 (-2147483647 - 1)
#define FP_ILOGBNAN (-2147483647 - 1)

#define M_E_F 2.71828182845904523536f
#define M_LOG2E_F 1.44269504088896340736f
#define M_LOG10E_F 0.43429448190325182765f
#define M_LN2_F 0.69314718055994530942f
#define M_LN10_F 2.30258509299404568402f
#define M_PI_F 3.14159265358979323846f
#define M_PI_2_F 1.57079632679489661923f
#define M_PI_4_F 0.78539816339744830962f
#define M_1_PI_F 0.31830988618379067154f
#define M_2_PI_F 0.63661977236758134308f
#define M_2_SQRTPI_F 1.12837916709551257390f
#define M_SQRT2_F 1.41421356237309504880f
#define M_SQRT1_2_F 0.70710678118654752440f
#define M_E_H ((half)M_E_F)
#define M_LOG2E_H ((half)M_LOG2E_F)
#define M_LOG10E_H ((half)M_LOG10E_F)
#define M_LN2_H ((half)M_LN2_F)
#define M_LN10_H ((half)M_LN10_F)
#define M_PI_H ((half)M_PI_F)
#define M_PI_2_H ((half)M_PI_2_F)
#define M_PI_4_H ((half)M_PI_4_F)
#define M_1_PI_H ((half)M_1_PI_F)
#define M_2_PI_H ((half)M_2_PI_F)
#define M_2_SQRTPI_H ((half)M_2_SQRTPI_F)
#define M_SQRT2_H ((half)M_SQRT2_F)
#define M_SQRT1_2_H ((half)M_SQRT1_2_F)

#define SMR_VALUE constexpr constant

namespace metal {
#if SMR_CHECKED
template <class T, int N>
using vec = T __attribute__((ext_vector_type(N)));
#else
template <class T, int N>
struct vec;
#endif
}  // namespace metal

namespace metal {
template <class T, T V>
struct integral_constant {
    static SMR_VALUE T value = V;
    typedef T value_type;
    typedef integral_constant type;
    constexpr operator T() const { return V; }
    constexpr T operator()() const { return V; }
};
template <bool B>
using bool_constant = integral_constant<bool, B>;
typedef bool_constant<true> true_type;
typedef bool_constant<false> false_type;

template <bool B, class T = void>
struct enable_if {};
template <class T>
struct enable_if<true, T> {
    typedef T type;
};
template <bool B, class T = void>
using enable_if_t = typename enable_if<B, T>::type;
template <bool B, class T, class F>
struct conditional {
    typedef T type;
};
template <class T, class F>
struct conditional<false, T, F> {
    typedef F type;
};
template <bool B, class T, class F>
using conditional_t = typename conditional<B, T, F>::type;

#define SMR_REMOVE(name, from)    \
    template <class T>            \
    struct name {                 \
        typedef T type;           \
    };                            \
    template <class T>            \
    struct name<from> {           \
        typedef T type;           \
    };                            \
    template <class T>            \
    using name##_t = typename name<T>::type;
SMR_REMOVE(remove_const, const T)
SMR_REMOVE(remove_volatile, volatile T)
SMR_REMOVE(remove_pointer, T*)
#undef SMR_REMOVE
template <class T>
struct remove_cv {
    typedef remove_const_t<remove_volatile_t<T>> type;
};
template <class T>
using remove_cv_t = typename remove_cv<T>::type;
template <class T>
struct remove_reference {
    typedef T type;
};
template <class T>
struct remove_reference<T&> {
    typedef T type;
};
template <class T>
struct remove_reference<T&&> {
    typedef T type;
};
template <class T>
using remove_reference_t = typename remove_reference<T>::type;
template <class T>
struct add_const {
    typedef const T type;
};
template <class T>
using add_const_t = const T;
template <class T>
struct remove_addrspace {
    typedef T type;
};
#if SMR_CHECKED
template <class T>
struct remove_addrspace<device T> {
    typedef T type;
};
template <class T>
struct remove_addrspace<threadgroup T> {
    typedef T type;
};
template <class T>
struct remove_addrspace<constant T> {
    typedef T type;
};
template <class T>
struct remove_addrspace<thread T> {
    typedef T type;
};
#endif
template <class T>
using remove_addrspace_t = typename remove_addrspace<T>::type;
template <class T>
using decay_t = remove_cv_t<remove_addrspace_t<remove_reference_t<T>>>;
template <class T>
struct decay {
    typedef decay_t<T> type;
};

template <class A, class B>
struct is_same : false_type {};
template <class A>
struct is_same<A, A> : true_type {};
template <class A, class B>
SMR_VALUE bool is_same_v = __is_same(A, B);

}  // namespace metal
namespace smr {
// Questions about numbers are answered for a vector as for its elements.
template <class T>
struct lane_of {
    typedef T type;
};
template <class T, int N>
struct lane_of<metal::vec<T, N>> {
    typedef T type;
};
template <class T>
using lane = typename lane_of<metal::remove_cv_t<T>>::type;
}  // namespace smr
namespace metal {
#define SMR_QUESTION(name, ...)                    \
    template <class T>                             \
    SMR_VALUE bool name##_v = __VA_ARGS__;         \
    template <class T>                             \
    struct name : bool_constant<name##_v<T>> {};
SMR_QUESTION(is_floating_point, __is_same(smr::lane<T>, float) || __is_same(smr::lane<T>, half) ||
                                    __is_same(smr::lane<T>, bfloat))
SMR_QUESTION(is_integral, __is_integral(smr::lane<T>))
SMR_QUESTION(is_arithmetic, is_floating_point_v<T> || is_integral_v<T>)
SMR_QUESTION(is_scalar, (is_arithmetic_v<T> && __is_same(smr::lane<T>, remove_cv_t<T>)) || __is_pointer(T) || __is_enum(T))
SMR_QUESTION(is_signed, is_floating_point_v<T> || __is_signed(smr::lane<T>))
SMR_QUESTION(is_unsigned, __is_unsigned(smr::lane<T>))
SMR_QUESTION(is_void, __is_void(T))
SMR_QUESTION(is_pointer, __is_pointer(T))
SMR_QUESTION(is_reference, __is_reference(T))
SMR_QUESTION(is_lvalue_reference, __is_lvalue_reference(T))
SMR_QUESTION(is_rvalue_reference, __is_rvalue_reference(T))
SMR_QUESTION(is_array, __is_array(T))
SMR_QUESTION(is_enum, __is_enum(T))
SMR_QUESTION(is_class, __is_class(T))
SMR_QUESTION(is_union, __is_union(T))
SMR_QUESTION(is_function, __is_function(T))
SMR_QUESTION(is_const, __is_const(T))
SMR_QUESTION(is_volatile, __is_volatile(T))
SMR_QUESTION(is_trivial, __is_trivially_copyable(T))
SMR_QUESTION(is_trivially_copyable, __is_trivially_copyable(T))
SMR_QUESTION(is_standard_layout, __is_standard_layout(T))
#undef SMR_QUESTION
#define SMR_QUESTION(name, builtin)                \
    template <class A, class B>                    \
    SMR_VALUE bool name##_v = builtin(A, B);       \
    template <class A, class B>                    \
    struct name : bool_constant<builtin(A, B)> {};
SMR_QUESTION(is_convertible, __is_convertible)
SMR_QUESTION(is_base_of, __is_base_of)
SMR_QUESTION(is_assignable, __is_assignable)
#undef SMR_QUESTION
template <class T, class... A>
struct is_constructible : bool_constant<__is_constructible(T, A...)> {};
template <class T, class... A>
SMR_VALUE bool is_constructible_v = __is_constructible(T, A...);

template <class... B>
struct conjunction : bool_constant<(bool(B::value) && ...)> {};
template <class... B>
SMR_VALUE bool conjunction_v = (bool(B::value) && ...);
template <class... B>
struct disjunction : bool_constant<(bool(B::value) || ...)> {};
template <class... B>
SMR_VALUE bool disjunction_v = (bool(B::value) || ...);
template <class B>
struct negation : bool_constant<!bool(B::value)> {};
template <class B>
SMR_VALUE bool negation_v = !bool(B::value);
// MLX knows these by the library's own names.
template <class... B>
using _disjunction = disjunction<B...>;
template <class... B>
using _conjunction = conjunction<B...>;

template <class T>
struct make_unsigned {
    typedef __make_unsigned(T) type;
};
template <class T>
using make_unsigned_t = __make_unsigned(T);
template <class T>
struct make_signed {
    typedef __make_signed(T) type;
};
template <class T>
using make_signed_t = __make_signed(T);
template <class T>
struct underlying_type {
    typedef __underlying_type(T) type;
};
template <class T>
using underlying_type_t = __underlying_type(T);

// Public code adds its own types under the library's inner name.
template <class T>
struct _numeric_limits_impl {
    static SMR_VALUE bool is_specialized = false;
};
template <class T>
struct numeric_limits : _numeric_limits_impl<T> {};
template <class T>
struct numeric_limits<const T> : numeric_limits<T> {};
#define SMR_LIMITS(T, low, high)                                    \
    template <>                                                     \
    struct _numeric_limits_impl<T> {                                \
        static SMR_VALUE bool is_specialized = true;                \
        static SMR_VALUE bool is_integer = true;                    \
        static SMR_VALUE bool is_signed = (T)-1 < (T)1;             \
        static SMR_VALUE bool is_exact = true;                      \
        static SMR_VALUE bool has_infinity = false;                 \
        static SMR_VALUE bool has_quiet_NaN = false;                \
        static SMR_VALUE int digits = 8 * sizeof(T) - is_signed;    \
        static SMR_VALUE int digits10 = digits * 3 / 10;            \
        static SMR_VALUE int radix = 2;                             \
        static constexpr T min() { return low; }                    \
        static constexpr T max() { return high; }                   \
        static constexpr T lowest() { return low; }                 \
    };
SMR_LIMITS(bool, false, true)
SMR_LIMITS(char, -128, 127)
SMR_LIMITS(signed char, -128, 127)
SMR_LIMITS(uchar, 0, 255)
SMR_LIMITS(short, -32768, 32767)
SMR_LIMITS(ushort, 0, 65535)
SMR_LIMITS(int, INT_MIN, INT_MAX)
SMR_LIMITS(uint, 0, UINT_MAX)
SMR_LIMITS(long, LONG_MIN, LONG_MAX)
SMR_LIMITS(ulong, 0, ULONG_MAX)
#undef SMR_LIMITS
#define SMR_LIMITS(T, least, greatest, step, tiny, bits, decimals, low_exponent, high_exponent) \
    template <>                                                                                 \
    struct _numeric_limits_impl<T> {                                                            \
        static SMR_VALUE bool is_specialized = true;                                            \
        static SMR_VALUE bool is_integer = false;                                               \
        static SMR_VALUE bool is_signed = true;                                                 \
        static SMR_VALUE bool is_exact = false;                                                 \
        static SMR_VALUE bool has_infinity = true;                                              \
        static SMR_VALUE bool has_quiet_NaN = true;                                             \
        static SMR_VALUE int digits = bits;                                                     \
        static SMR_VALUE int digits10 = decimals;                                               \
        static SMR_VALUE int radix = 2;                                                         \
        static SMR_VALUE int min_exponent = low_exponent;                                       \
        static SMR_VALUE int max_exponent = high_exponent;                                      \
        static constexpr T min() { return (T)least; }                                           \
        static constexpr T max() { return (T)greatest; }                                        \
        static constexpr T lowest() { return (T)-greatest; }                                    \
        static constexpr T epsilon() { return (T)step; }                                        \
        static constexpr T denorm_min() { return (T)tiny; }                                     \
        static constexpr T round_error() { return (T)0.5f; }                                    \
        static constexpr T infinity() { return (T)INFINITY; }                                   \
        static constexpr T quiet_NaN() { return (T)NAN; }                                       \
        static constexpr T signaling_NaN() { return (T)NAN; }                                   \
    };
SMR_LIMITS(float, 0x1p-126f, 0x1.fffffep127f, 0x1p-23f, 0x1p-149f, 24, 6, -125, 128)
SMR_LIMITS(half, 0x1p-14f, 65504.0f, 0x1p-10f, 0x1p-24f, 11, 3, -13, 16)
SMR_LIMITS(bfloat, 0x1p-126f, 0x1.fep127f, 0x1p-7f, 0x1p-133f, 8, 2, -125, 128)
#undef SMR_LIMITS
// Of a vector: those of its elements, each time.
template <class T, int N>
struct _numeric_limits_impl<vec<T, N>> : _numeric_limits_impl<T> {
#define SMR_LIMIT(name)                                                                   \
    template <class L = _numeric_limits_impl<T>, class = decltype(L::name())>             \
    static constexpr vec<T, N> name() {                                                   \
        return vec<T, N>(L::name());                                                      \
    }
    SMR_LIMIT(min)
    SMR_LIMIT(max)
    SMR_LIMIT(lowest)
    SMR_LIMIT(epsilon)
    SMR_LIMIT(denorm_min)
    SMR_LIMIT(round_error)
    SMR_LIMIT(infinity)
    SMR_LIMIT(quiet_NaN)
    SMR_LIMIT(signaling_NaN)
#undef SMR_LIMIT
};

template <class T>
constexpr remove_reference_t<T>&& move(T&& value) {
    return static_cast<remove_reference_t<T>&&>(value);
}
template <class T>
constexpr void swap(thread T& a, thread T& b) {
    T old = a;
    a = b;
    b = old;
}
}  // namespace metal

namespace std {
// What braces hold; the compiler knows it by this name and these members.
template <class T>
class initializer_list {
    const T* smr_begin;
    size_t smr_size;

   public:
    constexpr const T* begin() const { return smr_begin; }
    constexpr size_t size() const { return smr_size; }
};
}  // namespace std

namespace smr {
// T, where it must not take part in finding out what T is.
template <class T>
struct as_is {
    typedef T type;
};
template <class T>
using same = typename as_is<T>::type;
}  // namespace smr
