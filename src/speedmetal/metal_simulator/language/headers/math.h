// <metal_common>, <metal_math>, <metal_relational>, <metal_geometric>, <metal_integer>, <metal_pack>.
#pragma once
#include "words.h"
#if SMR_CHECKED
#include "checked_vectors.h"
#else
#include "vectors.h"
#endif

#if !SMR_CHECKED
// The system's mathematical library.
#define SMR_LIBRARY1(name) float smr_##name(float) __asm__(#name "f");
#define SMR_LIBRARY2(name) float smr_##name(float, float) __asm__(#name "f");
extern "C" {
SMR_LIBRARY1(sin)
SMR_LIBRARY1(cos)
SMR_LIBRARY1(tan)
SMR_LIBRARY1(asin)
SMR_LIBRARY1(acos)
SMR_LIBRARY1(atan)
SMR_LIBRARY1(sinh)
SMR_LIBRARY1(cosh)
SMR_LIBRARY1(tanh)
SMR_LIBRARY1(asinh)
SMR_LIBRARY1(acosh)
SMR_LIBRARY1(atanh)
SMR_LIBRARY1(exp)
SMR_LIBRARY1(exp2)
SMR_LIBRARY1(exp10)
SMR_LIBRARY1(log)
SMR_LIBRARY1(log2)
SMR_LIBRARY1(log10)
SMR_LIBRARY2(pow)
SMR_LIBRARY2(atan2)
SMR_LIBRARY2(fmod)
SMR_LIBRARY2(nextafter)
float smr_ldexp(float, int) __asm__("ldexpf");
float smr_frexp(float, int*) __asm__("frexpf");
int smr_ilogb(float) __asm__("ilogbf");
double smr_sin_double(double) __asm__("sin");
double smr_cos_double(double) __asm__("cos");
}
#undef SMR_LIBRARY1
#undef SMR_LIBRARY2
namespace smr {
// sin(pi * x): the reduction to half a turn is exact; a whole x has a zero with its own sign (IEEE
// 754-2019, 9.2.1).
inline float sinpi(float x) {
    if (x == __builtin_rintf(x) && __builtin_isfinite(x)) return __builtin_copysignf(0.0f, x);
    float turn = x - 2.0f * __builtin_rintf(0.5f * x);
    return (float)smr_sin_double((double)turn * (double)3.14159265358979323846L);
}
inline float cospi(float x) {
    float turn = __builtin_fabsf(x - 2.0f * __builtin_rintf(0.5f * x));
    if (turn == 0.5f) return 0.0f;
    return (float)smr_cos_double((double)turn * (double)3.14159265358979323846L);
}
inline float tanpi(float x) { return sinpi(x) / cospi(x); }
// Less than one in the precision of the type, although a little less than zero rounds to one.
template <class T>
inline T fract(T x) {
    constexpr float below_one = __is_same(T, float) ? 0x1.fffffep-1f : 0x1.ffcp-1f;
    const T f = (T)((float)x - __builtin_floorf((float)x));
    return f < (T)below_one || f != f ? f : (T)below_one;
}
// A power of a base that is not negative: exp(y * log(x)) (IEEE 754-2019, 9.2.1).
inline float powr(float x, float y) {
    const bool is_edge = x == 0.0f || x == (float)__builtin_inff();
    if (x < 0.0f || x != x || y != y || (is_edge && y == 0.0f)) return __builtin_nanf("");
    if (x == 1.0f && __builtin_isinf(y)) return __builtin_nanf("");
    return smr_pow(__builtin_fabsf(x), y);
}
inline float sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x == 0.0f ? x : 0.0f; }
// Rounded once: by way of the float that tells by its last bit that there was more.
constexpr half half_of(double x) {
    float nearest = (float)x;
    if (x != x || (double)nearest == x) return (half)nearest;
    uint bits = __builtin_bit_cast(uint, nearest);
    if (__builtin_fabs((double)nearest) > __builtin_fabs(x)) bits -= 1;
    return (half)__builtin_bit_cast(float, bits | 1u);
}
template <class T>
constexpr T fused(T a, T b, T c) {
    if constexpr (__is_same(T, float)) {
        if (__builtin_is_constant_evaluated()) return (float)((double)a * (double)b + (double)c);
        return __builtin_fmaf(a, b, c);
    } else {
        // A product of two halves is exact in double, and so is every sum that lies near a tie.
        return half_of((double)a * (double)b + (double)c);
    }
}
}  // namespace smr
#endif

namespace smr {
template <class T>
SMR_VALUE bool is_float = __is_same(element<T>, float) || __is_same(element<T>, half);
template <class T>
SMR_VALUE bool is_integer = __is_integral(element<T>) && !__is_same(element<T>, bool);
template <class T>
using if_float = metal::enable_if_t<is_float<T>>;
template <class T>
using if_bfloat = metal::enable_if_t<__is_same(T, bfloat)>;
template <class T>
using if_float_vector = metal::enable_if_t<is_float<T> && shape<T>::is_vector>;
template <class T>
using if_integers = metal::enable_if_t<is_integer<T>>;
template <class T>
using if_number = metal::enable_if_t<is_float<T> || is_integer<T>>;
template <class T>
using if_scalar = metal::enable_if_t<!shape<T>::is_vector>;

// The type in which a function of floats is found for arguments of several types.
template <class... A>
struct common {
    static SMR_VALUE bool has_half = (__is_same(A, half) || ...);
    static SMR_VALUE bool has_bfloat = (__is_same(A, bfloat) || ...);
    static SMR_VALUE bool has_float = (__is_same(A, float) || ...);
    static SMR_VALUE bool has_integer = (__is_integral(A) || ...);
    static SMR_VALUE bool are_numbers =
        ((__is_integral(A) || is_float<A> || __is_same(A, bfloat)) && ...) &&
        ((!shape<A>::is_vector) && ...);
    static SMR_VALUE bool fits = are_numbers && (has_half != (has_float || has_bfloat)) &&
                                 (has_integer || (has_float && has_bfloat));
    typedef metal::conditional_t<has_half, half, float> type;
};
// The vectors' type, where numbers stand among them for each of their elements.
template <class... A>
struct among {
    typedef void type;
};
template <class A, class... B>
struct among<A, B...> {
    typedef metal::conditional_t<shape<A>::is_vector, A, typename among<B...>::type> type;
};
template <class V, class... A>
SMR_VALUE bool are_mixed =
    shape<V>::is_vector && (!shape<A>::is_vector || ...) &&
    ((__is_same(A, V) || __is_arithmetic(A) || is_float<A> || __is_same(A, bfloat)) && ...);
template <class... A>
using mixed_vector =
    metal::enable_if_t<are_mixed<typename among<A...>::type, A...>, typename among<A...>::type>;

template <class... A>
using common_float = metal::enable_if_t<common<A...>::fits, typename common<A...>::type>;

// Of elements E, as many as T has.
template <class E, class T, bool = shape<T>::is_vector>
struct like_shape {
    typedef E type;
};
template <class E, class T>
struct like_shape<E, T, true> {
    typedef metal::vec<E, shape<T>::count> type;
};
#if SMR_CHECKED
template <class T>
struct like_shape<bool, T, true> {
    typedef truth<shape<T>::count> type;
};
#endif
template <class E, class T>
using like = typename like_shape<E, T>::type;

#if !SMR_CHECKED
// f of the numbers, or of the vectors' elements one by one.
template <class R, class F, class A, class... B>
constexpr R each(F f, A a, B... b) {
    if constexpr (shape<A>::is_vector) {
        R result{};
        for (int i = 0; i < shape<A>::count; ++i) {
            result[i] = static_cast<element<R>>(f(a[i], b[i]...));
        }
        return result;
    } else {
        return static_cast<R>(f(a, b...));
    }
}
#endif
}  // namespace smr

#define SMR_RETURN_EACH(R, parameters, expression, ...) \
    SMR_BODY(return smr::each<R>([] parameters { return expression; }, __VA_ARGS__);)
// A bfloat becomes a float, of which the function then is.
#define SMR_BFLOAT1(name)                             \
    template <class T, class = smr::if_bfloat<T>>     \
    constexpr float name(T x) SMR_BODY(return name((float)x);)
#define SMR_BFLOAT2(name)                             \
    template <class T, class = smr::if_bfloat<T>>     \
    constexpr float name(T x, T y) SMR_BODY(return name((float)x, (float)y);)
// Numbers of which some are integers, or both bfloat and float.
#define SMR_CONVERTED2(name)                                        \
    template <class A, class B, class F = smr::common_float<A, B>>  \
    constexpr F name(A x, B y) SMR_BODY(return name((F)x, (F)y);)
#define SMR_CONVERTED3(name)                                                \
    template <class A, class B, class C, class F = smr::common_float<A, B, C>> \
    constexpr F name(A x, B y, C z) SMR_BODY(return name((F)x, (F)y, (F)z);)
#define SMR_FLOAT1(name, expression)                 \
    template <class T, class = smr::if_float<T>>     \
    constexpr T name(T x) SMR_RETURN_EACH(T, (float a), expression, x) \
    SMR_BFLOAT1(name)
// Computed in the type's own precision.
#define SMR_OWN1(name, expression)                   \
    template <class T, class = smr::if_float<T>>     \
    constexpr T name(T x) SMR_RETURN_EACH(T, (smr::element<T> a), expression, x) \
    SMR_BFLOAT1(name)
// Two operands: vectors, numbers, or a vector and a number that stands for each element.
#define SMR_MIXED2(name, condition)                                              \
    template <class E, int N, class = condition<E>>                              \
    constexpr vec<E, N> name(vec<E, N> x, smr::same<E> y)                        \
        SMR_BODY(return name(x, vec<E, N>(y));)                                  \
    template <class E, int N, class = condition<E>>                              \
    constexpr vec<E, N> name(smr::same<E> x, vec<E, N> y)                        \
        SMR_BODY(return name(vec<E, N>(x), y);)
// Three, of which some are numbers.
#define SMR_MIXED3(name, condition)                                                           \
    template <class A, class B, class C, class V = smr::mixed_vector<A, B, C>,                \
              class = condition<V>>                                                           \
    constexpr V name(A x, B y, C z) SMR_BODY(return name(V(x), V(y), V(z));)
#define SMR_FLOAT2(name, expression)                 \
    template <class T, class = smr::if_float<T>>     \
    constexpr T name(T x, T y)                       \
        SMR_RETURN_EACH(T, (float a, float b), expression, x, y) \
    SMR_MIXED2(name, smr::if_float)                  \
    SMR_BFLOAT2(name)                                \
    SMR_CONVERTED2(name)
#define SMR_FLOAT3(name, expression)                 \
    template <class T, class = smr::if_float<T>>     \
    constexpr T name(T x, T y, T z)                  \
        SMR_RETURN_EACH(T, (float a, float b, float c), expression, x, y, z) \
    SMR_MIXED3(name, smr::if_float)                  \
    SMR_CONVERTED3(name)

#define SMR_FLOAT_FUNCTIONS                                                  \
    SMR_FLOAT1(sin, smr_sin(a))                                              \
    SMR_FLOAT1(cos, smr_cos(a))                                              \
    SMR_FLOAT1(tan, smr_tan(a))                                              \
    SMR_FLOAT1(asin, smr_asin(a))                                            \
    SMR_FLOAT1(acos, smr_acos(a))                                            \
    SMR_FLOAT1(atan, smr_atan(a))                                            \
    SMR_FLOAT1(sinh, smr_sinh(a))                                            \
    SMR_FLOAT1(cosh, smr_cosh(a))                                            \
    SMR_FLOAT1(tanh, smr_tanh(a))                                            \
    SMR_FLOAT1(asinh, smr_asinh(a))                                          \
    SMR_FLOAT1(acosh, smr_acosh(a))                                          \
    SMR_FLOAT1(atanh, smr_atanh(a))                                          \
    SMR_FLOAT1(sinpi, smr::sinpi(a))                                         \
    SMR_FLOAT1(cospi, smr::cospi(a))                                         \
    SMR_FLOAT1(tanpi, smr::tanpi(a))                                         \
    SMR_FLOAT1(exp, smr_exp(a))                                              \
    SMR_FLOAT1(exp2, smr_exp2(a))                                            \
    SMR_FLOAT1(exp10, smr_exp10(a))                                          \
    SMR_FLOAT1(log, smr_log(a))                                              \
    SMR_FLOAT1(log2, smr_log2(a))                                            \
    SMR_FLOAT1(log10, smr_log10(a))                                          \
    SMR_FLOAT1(sqrt, __builtin_sqrtf(a))                                     \
    SMR_FLOAT1(rsqrt, (float)((double)1 / __builtin_sqrt((double)a)))        \
    SMR_FLOAT1(floor, __builtin_floorf(a))                                   \
    SMR_FLOAT1(ceil, __builtin_ceilf(a))                                     \
    SMR_FLOAT1(trunc, __builtin_truncf(a))                                   \
    SMR_FLOAT1(rint, __builtin_rintf(a))                                     \
    SMR_FLOAT1(round, __builtin_roundf(a))                                   \
    SMR_FLOAT1(fabs, __builtin_fabsf(a))                                     \
    SMR_OWN1(fract, smr::fract(a))                                           \
    SMR_FLOAT1(sign, smr::sign(a))                                           \
    SMR_FLOAT1(saturate, a > 0.0f ? (a < 1.0f ? a : 1.0f) : 0.0f)            \
    SMR_FLOAT2(pow, smr_pow(a, b))                                           \
    SMR_FLOAT2(powr, smr::powr(a, b))                                        \
    SMR_FLOAT2(fmod, smr_fmod(a, b))                                         \
    SMR_FLOAT2(atan2, smr_atan2(a, b))                                       \
    SMR_FLOAT2(divide, a / b)                                                \
    SMR_FLOAT2(fmin, __builtin_fminf(a, b))                                  \
    SMR_FLOAT2(fmax, __builtin_fmaxf(a, b))                                  \
    SMR_FLOAT2(fdim, a != a || b != b ? NAN : a > b ? a - b : 0.0f)          \
    SMR_FLOAT2(copysign, __builtin_copysignf(a, b))                          \
    SMR_FLOAT3(fmin3, __builtin_fminf(a, __builtin_fminf(b, c)))             \
    SMR_FLOAT3(fmax3, __builtin_fmaxf(a, __builtin_fmaxf(b, c)))             \
    SMR_FLOAT3(fmedian3, __builtin_fmaxf(__builtin_fminf(a, b),              \
                                         __builtin_fminf(__builtin_fmaxf(a, b), c))) \
    template <class T, class = smr::if_float<T>>                             \
    constexpr T sincos(T x, thread T& c) SMR_BODY(c = cos(x); return sin(x);) \
    template <class T, class = smr::if_float<T>>                             \
    constexpr T modf(T x, thread T& whole)                                   \
        SMR_BODY(whole = trunc(x);                                           \
                 return smr::each<T>(                                        \
                     [](float a) {                                           \
                         return __builtin_isinf(a) ? __builtin_copysignf(0.0f, a) \
                                                   : __builtin_copysignf(a - __builtin_truncf(a), a); \
                     },                                                      \
                     x);)

namespace metal {
SMR_FLOAT_FUNCTIONS
namespace precise {
using namespace metal;
SMR_FLOAT_FUNCTIONS
}  // namespace precise
namespace fast {
using namespace metal;
SMR_FLOAT_FUNCTIONS
}  // namespace fast

template <class T, class = smr::if_float<T>>
constexpr T nextafter(T x, T y)
    SMR_BODY(return smr::each<T>(
                 []<class E>(E a, E b) {
                     if constexpr (__is_same(E, float)) {
                         return smr_nextafter(a, b);
                     } else {
                         if (a != a || b != b) return a + b;
                         if (a == b) return b;
                         short bits = __builtin_bit_cast(short, a);
                         if (a == E(0)) return __builtin_bit_cast(E, (short)(b > a ? 1 : 0x8001));
                         bits += (a < b) == (a > E(0)) ? 1 : -1;
                         return __builtin_bit_cast(E, bits);
                     }
                 },
                 x, y);)
template <class T, class = smr::if_float<T>>
constexpr T fma(T a, T b, T c)
    SMR_BODY(return smr::each<T>([](auto x, auto y, auto z) { return smr::fused(x, y, z); }, a, b,
                                 c);)
template <class T, class = smr::if_bfloat<T>>
constexpr float fma(T a, T b, T c) SMR_BODY(return fma((float)a, (float)b, (float)c);)
SMR_MIXED3(fma, smr::if_float)
SMR_CONVERTED3(fma)
template <class T, class = smr::if_float<T>>
constexpr T ldexp(T x, smr::like<int, T> k)
    SMR_RETURN_EACH(T, (float a, int n), smr_ldexp(a, n), x, k)
template <class T, class = smr::if_float<T>>
constexpr smr::like<int, T> ilogb(T x)
    SMR_BODY(typedef smr::like<int, T> R; return smr::each<R>([](float a) { return smr_ilogb(a); }, x);)
template <class T, class = smr::if_float<T>>
constexpr T frexp(T x, thread smr::like<int, T>& exponent)
    SMR_BODY(if constexpr (smr::shape<T>::is_vector) {
        T result{};
        for (int i = 0; i < smr::shape<T>::count; ++i) {
            int power = 0;
            result[i] = (smr::element<T>)smr_frexp((float)x[i], &power);
            exponent[i] = power;
        }
        return result;
    } else { return (T)smr_frexp((float)x, &exponent); })

// --- Common ---------------------------------------------------------------------------------------
#define SMR_NUMBER2(name, ...)                       \
    template <class T, class = smr::if_number<T>>    \
    constexpr T name(T x, T y) SMR_BODY(__VA_ARGS__) \
    SMR_MIXED2(name, smr::if_number)                 \
    SMR_BFLOAT2(name)
SMR_NUMBER2(min, if constexpr (smr::is_float<T>) { return fmin(x, y); } else {
    return smr::each<T>([](auto a, auto b) { return b < a ? b : a; }, x, y);
})
SMR_NUMBER2(max, if constexpr (smr::is_float<T>) { return fmax(x, y); } else {
    return smr::each<T>([](auto a, auto b) { return a < b ? b : a; }, x, y);
})
#undef SMR_NUMBER2
#define SMR_NUMBER3(name, expression)             \
    template <class T, class = smr::if_number<T>> \
    constexpr T name(T x, T y, T z) SMR_BODY(return expression;) \
    SMR_MIXED3(name, smr::if_number)
SMR_NUMBER3(min3, min(x, min(y, z)))
SMR_NUMBER3(max3, max(x, max(y, z)))
SMR_NUMBER3(median3, max(min(x, y), min(max(x, y), z)))
SMR_NUMBER3(clamp, min(max(x, y), z))
#undef SMR_NUMBER3
template <class T, class = smr::if_number<T>>
constexpr T abs(T x)
    SMR_BODY(if constexpr (smr::is_float<T>) { return fabs(x); } else {
        typedef smr::element<T> E;
        return smr::each<T>([](E a) { return a < E(0) ? E(make_unsigned_t<E>(0) - make_unsigned_t<E>(a)) : a; }, x);
    })
SMR_BFLOAT1(abs)
template <class T, class = smr::if_float<T>>
constexpr T mix(T x, T y, T a) SMR_BODY(return x + (y - x) * a;)
SMR_MIXED3(mix, smr::if_float)
SMR_FLOAT2(step, b < a ? 0.0f : 1.0f)
template <class T, class = smr::if_float<T>>
constexpr T smoothstep(T low, T high, T x)
    SMR_BODY(T t = saturate((x - low) / (high - low)); return t * t * (T(3) - T(2) * t);)
SMR_MIXED3(smoothstep, smr::if_float)

// --- Relational -----------------------------------------------------------------------------------
#define SMR_PREDICATE1(name, expression)         \
    template <class T, class = smr::if_float<T>> \
    constexpr smr::like<bool, T> name(T x)       \
        SMR_BODY(typedef smr::like<bool, T> R; return smr::each<R>([](auto a) { return expression; }, x);) \
    template <class T, class = smr::if_bfloat<T>> \
    constexpr bool name(T x) SMR_BODY(return name((float)x);)
#define SMR_PREDICATE2(name, expression)         \
    template <class T, class = smr::if_float<T>> \
    constexpr smr::like<bool, T> name(T x, T y)  \
        SMR_BODY(typedef smr::like<bool, T> R; return smr::each<R>([](auto a, auto b) { return expression; }, x, y);)
SMR_PREDICATE1(isnan, a != a)
SMR_PREDICATE1(isinf, __builtin_isinf(a))
SMR_PREDICATE1(isfinite, __builtin_isfinite(a))
SMR_PREDICATE1(isnormal, __builtin_isnormal(a))
SMR_PREDICATE1(signbit, __builtin_signbit(a) != 0)
SMR_PREDICATE2(isordered, a == a && b == b)
SMR_PREDICATE2(isunordered, a != a || b != b)
#undef SMR_PREDICATE1
#undef SMR_PREDICATE2
template <class T>
constexpr T select(T x, T y, bool c) SMR_BODY(return c ? y : x;)
template <class A, class B, class C, class V = smr::mixed_vector<A, B>>
constexpr V select(A x, B y, C c) SMR_BODY(return select(V(x), V(y), c);)
#if SMR_CHECKED
template <class T, int N, class M>
constexpr vec<T, N> select(vec<T, N>, vec<T, N>, vec<M, N>);
template <class T, int N>
constexpr vec<T, N> select(vec<T, N>, vec<T, N>, smr::truth<N>);
template <class M, int N>
constexpr bool all(vec<M, N>);
template <class M, int N>
constexpr bool any(vec<M, N>);
template <int N>
constexpr bool all(smr::truth<N>);
template <int N>
constexpr bool any(smr::truth<N>);
#else
template <class T, int N>
constexpr vec<T, N> select(vec<T, N> x, vec<T, N> y, vec<bool, N> c) {
    typedef vec<T, N> R;
    return smr::each<R>([](auto a, auto b, bool chosen) { return chosen ? b : a; }, x, y, c);
}
template <int N>
constexpr bool all(vec<bool, N> c) {
    bool result = true;
    for (int i = 0; i < N; ++i) result = result && c[i];
    return result;
}
template <int N>
constexpr bool any(vec<bool, N> c) {
    bool result = false;
    for (int i = 0; i < N; ++i) result = result || c[i];
    return result;
}
#endif
constexpr bool all(bool c) SMR_BODY(return c;)
constexpr bool any(bool c) SMR_BODY(return c;)

// --- Geometric ------------------------------------------------------------------------------------
template <class T, class = smr::if_float_vector<T>>
constexpr smr::element<T> dot(T x, T y)
    SMR_BODY(smr::element<T> sum = x[0] * y[0];
             for (int i = 1; i < smr::shape<T>::count; ++i) sum += x[i] * y[i];
             return sum;)
// Chosen before a text's own template of any type, as Metal's function of these types is.
template <class E, int N, class = smr::if_float_vector<vec<E, N>>>
constexpr E dot(vec<E, N> x, vec<E, N> y) SMR_BODY(return dot<vec<E, N>>(x, y);)
template <class T, class = smr::if_float<T>>
constexpr vec<T, 3> cross(vec<T, 3> x, vec<T, 3> y)
    SMR_BODY(return vec<T, 3>(x.y * y.z - x.z * y.y, x.z * y.x - x.x * y.z, x.x * y.y - x.y * y.x);)
template <class T, class = smr::if_float_vector<T>>
constexpr smr::element<T> length_squared(T x) SMR_BODY(return dot(x, x);)
template <class T, class = smr::if_float_vector<T>>
constexpr smr::element<T> length(T x) SMR_BODY(return sqrt(dot(x, x));)
template <class T, class = smr::if_float_vector<T>>
constexpr smr::element<T> distance(T x, T y) SMR_BODY(return length(T(x - y));)
template <class T, class = smr::if_float_vector<T>>
constexpr smr::element<T> distance_squared(T x, T y) SMR_BODY(return length_squared(T(x - y));)
template <class T, class = smr::if_float_vector<T>>
constexpr T normalize(T x) SMR_BODY(return x * rsqrt(dot(x, x));)
template <class T, class = smr::if_float_vector<T>>
constexpr T faceforward(T n, T i, T reference)
    SMR_BODY(return dot(reference, i) < smr::element<T>(0) ? n : T(-n);)
template <class T, class = smr::if_float_vector<T>>
constexpr T reflect(T i, T n)
    SMR_BODY(return i - n * (smr::element<T>(2) * dot(n, i));)
template <class T, class = smr::if_float_vector<T>>
constexpr T refract(T i, T n, smr::element<T> eta)
    SMR_BODY(typedef smr::element<T> E; E d = dot(n, i); E k = E(1) - eta * eta * (E(1) - d * d);
             return k < E(0) ? T(E(0)) : T(i * eta - n * (eta * d + sqrt(k)));)

// --- Integer --------------------------------------------------------------------------------------
#define SMR_INTEGER1(name, ...)                     \
    template <class T, class = smr::if_integers<T>> \
    constexpr T name(T x)                           \
        SMR_BODY(typedef smr::element<T> E; return smr::each<T>([](E a) -> E { __VA_ARGS__ }, x);)
#define SMR_INTEGER2(name, ...)                     \
    template <class T, class = smr::if_integers<T>> \
    constexpr T name(T x, T y)                      \
        SMR_BODY(typedef smr::element<T> E;         \
                 return smr::each<T>([](E a, E b) -> E { __VA_ARGS__ }, x, y);) \
    SMR_MIXED2(name, smr::if_integers)
#define SMR_INTEGER3(name, ...)                     \
    template <class T, class = smr::if_integers<T>> \
    constexpr T name(T x, T y, T z)                 \
        SMR_BODY(typedef smr::element<T> E;         \
                 return smr::each<T>([](E a, E b, E c) -> E { __VA_ARGS__ }, x, y, z);)
#define SMR_WIDE __int128
SMR_INTEGER1(popcount, return (E)__builtin_popcountg((make_unsigned_t<E>)a);)
SMR_INTEGER1(clz, return (E)__builtin_clzg((make_unsigned_t<E>)a, (int)(8 * sizeof(E)));)
SMR_INTEGER1(ctz, return (E)__builtin_ctzg((make_unsigned_t<E>)a, (int)(8 * sizeof(E)));)
SMR_INTEGER1(reverse_bits, if constexpr (sizeof(E) == 1) return (E)__builtin_bitreverse8((uchar)a);
             else if constexpr (sizeof(E) == 2) return (E)__builtin_bitreverse16((ushort)a);
             else if constexpr (sizeof(E) == 4) return (E)__builtin_bitreverse32((uint)a);
             else return (E)__builtin_bitreverse64((ulong)a);)
template <class T, class = smr::if_integers<T>>
constexpr smr::like<make_unsigned_t<smr::element<T>>, T> absdiff(T x, T y)
    SMR_BODY(typedef smr::element<T> E; typedef make_unsigned_t<E> U;
             return smr::each<smr::like<U, T>>(
                 [](E a, E b) -> U { return a < b ? U(U(b) - U(a)) : U(U(a) - U(b)); }, x, y);)
SMR_INTEGER2(addsat, E r = 0; if (!__builtin_add_overflow(a, b, &r)) return r;
             return b < E(0) ? numeric_limits<E>::min() : numeric_limits<E>::max();)
SMR_INTEGER2(subsat, E r = 0; if (!__builtin_sub_overflow(a, b, &r)) return r;
             return E(-1) < E(0) && b < E(0) ? numeric_limits<E>::max() : numeric_limits<E>::min();)
SMR_INTEGER2(hadd, return (E)(((SMR_WIDE)a + (SMR_WIDE)b) >> 1);)
SMR_INTEGER2(rhadd, return (E)(((SMR_WIDE)a + (SMR_WIDE)b + 1) >> 1);)
SMR_INTEGER2(mulhi, if constexpr (E(-1) < E(0)) return (E)(((SMR_WIDE)a * (SMR_WIDE)b) >> (8 * sizeof(E)));
             else return (E)(((unsigned SMR_WIDE)a * (unsigned SMR_WIDE)b) >> (8 * sizeof(E)));)
SMR_INTEGER2(mul24, typedef make_unsigned_t<E> U; return E(U(a) * U(b));)
SMR_INTEGER2(rotate, typedef make_unsigned_t<E> U; const int n = 8 * sizeof(E); int k = (int)(U(b) % U(n));
             return k == 0 ? a : E((U)(U(a) << k) | (U)(U(a) >> (n - k)));)
SMR_INTEGER3(mad24, typedef make_unsigned_t<E> U; return E(U(a) * U(b) + U(c));)
SMR_INTEGER3(madhi, typedef make_unsigned_t<E> U; return E(U(mulhi(a, b)) + U(c));)
SMR_INTEGER3(madsat, SMR_WIDE r = (SMR_WIDE)a * (SMR_WIDE)b + (SMR_WIDE)c;
             SMR_WIDE low = numeric_limits<E>::min(); SMR_WIDE high = numeric_limits<E>::max();
             return r < low ? (E)low : r > high ? (E)high : (E)r;)
template <class T, class = smr::if_integers<T>>
constexpr T extract_bits(T x, uint offset, uint bits)
    SMR_BODY(typedef smr::element<T> E; return smr::each<T>([=](E a) -> E {
                 const uint n = 8 * sizeof(E);
                 if (bits == 0) return E(0);
                 typedef make_unsigned_t<E> U;
                 return smr::element_shift_right((E)smr::element_shift_left(U(a), n - offset - bits), n - bits);
             }, x);)
template <class T, class = smr::if_integers<T>>
constexpr T insert_bits(T base, T insert, uint offset, uint bits)
    SMR_BODY(typedef smr::element<T> E; return smr::each<T>([=](E a, E b) -> E {
                 if (bits == 0) return a;
                 typedef make_unsigned_t<E> U;
                 const U low = smr::element_shift_right(U(~U(0)), 8 * sizeof(E) - bits);
                 const U mask = smr::element_shift_left(low, offset);
                 return E((U(a) & U(~mask)) | (smr::element_shift_left(U(b), offset) & mask));
             }, base, insert);)
#undef SMR_INTEGER1
#undef SMR_INTEGER2
#undef SMR_INTEGER3
}  // namespace metal

// The same bits as another type.
template <class D, class S>
constexpr D as_type(S value)
#if SMR_CHECKED
{
    static_assert(sizeof(D) == sizeof(S), "as_type: both types must be of the same size");
    return D(0);
}
#else
{
    static_assert(sizeof(D) == sizeof(S), "as_type: both types must be of the same size");
    return __builtin_bit_cast(D, value);
}
#endif
namespace metal {
using ::as_type;
}
#undef SMR_CONVERTED2
#undef SMR_CONVERTED3
#undef SMR_BFLOAT1
#undef SMR_BFLOAT2
#undef SMR_FLOAT1
#undef SMR_OWN1
#undef SMR_FLOAT2
#undef SMR_FLOAT3
#undef SMR_MIXED2
#undef SMR_MIXED3
#undef SMR_FLOAT_FUNCTIONS
#undef SMR_RETURN_EACH
