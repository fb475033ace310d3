// Vectors as classes, for the simulated reading: constructors, conversions and comparisons (which
// give bool vectors) as Metal has them, where the compiler's own vectors differ.
//
// A swizzle `v.xy` of the source has become `v.smr_get<0, 1>()`, or `v.smr_at<0, 1>()` where it is
// assigned to.
#pragma once
#include "operators.h"

namespace metal {
template <class T, int N>
struct packed_vec;
}  // namespace metal

namespace smr {
template <class T>
struct shape {
    typedef T element;
    static constexpr int count = 1;
    static constexpr bool is_vector = false;
};
template <class T>
struct shape<const T> : shape<T> {};
template <class T, int N>
struct shape<metal::vec<T, N>> {
    typedef T element;
    static constexpr int count = N;
    static constexpr bool is_vector = true;
};
template <class T, int N>
struct shape<metal::packed_vec<T, N>> : shape<metal::vec<T, N>> {};
template <class T>
using element = typename shape<T>::element;

template <class T, int N>
struct components {
    T at[N];
    template <class A>
    constexpr int put(int place, A value) {
        if constexpr (shape<A>::is_vector) {
            for (int i = 0; i < shape<A>::count; ++i) at[place + i] = static_cast<T>(value[i]);
        } else {
            at[place] = static_cast<T>(value);
        }
        return place + shape<A>::count;
    }
};
// The numbers between braces, and zeros for those that are not there.
template <class T, int N>
constexpr components<T, N> listed(std::initializer_list<T> values) {
    components<T, N> result{};
    for (int i = 0; i < N && i < (int)values.size(); ++i) result.at[i] = values.begin()[i];
    return result;
}
template <class T, int N, class... A>
constexpr components<T, N> joined(A... values) {
    components<T, N> result{};
    int place = 0;
    ((place = result.put(place, values)), ...);
    return result;
}

// Some components of a vector, to be assigned to.
template <class V, int... I>
struct chosen {
    V& whole;
    typedef metal::vec<element<V>, sizeof...(I)> value;
    constexpr operator value() const { return value(whole[I]...); }
    constexpr chosen& operator=(value v) {
        int i = 0;
        ((whole[I] = v[i++]), ...);
        return *this;
    }
    constexpr chosen& operator=(const chosen& other) { return *this = value(other); }
#define SMR_OPERATOR(op) \
    constexpr chosen& operator op##=(value v) { return *this = value(*this) op v; }
    SMR_OPERATOR(+)
    SMR_OPERATOR(-)
    SMR_OPERATOR(*)
    SMR_OPERATOR(/)
    SMR_OPERATOR(%)
    SMR_OPERATOR(&)
    SMR_OPERATOR(|)
    SMR_OPERATOR(^)
    SMR_OPERATOR(<<)
    SMR_OPERATOR(>>)
#undef SMR_OPERATOR
    constexpr chosen& operator++() { return *this += value(1); }
    constexpr chosen& operator--() { return *this -= value(1); }
    constexpr value operator++(int) {
        value old = *this;
        ++*this;
        return old;
    }
    constexpr value operator--(int) {
        value old = *this;
        --*this;
        return old;
    }
};
}  // namespace smr

#define SMR_SWIZZLES                                                                     \
    template <int... I>                                                                  \
    constexpr auto smr_get() const {                                                     \
        static_assert(((I < smr_count) && ...), "the vector has no such component");     \
        return vec<T, (int)sizeof...(I)>((*this)[I]...);                                 \
    }                                                                                    \
    template <int... I>                                                                  \
    constexpr auto smr_get() const volatile {                                            \
        return vec<T, smr_count>(*this).template smr_get<I...>();                        \
    }                                                                                    \
    template <int... I>                                                                  \
    constexpr auto smr_at() {                                                            \
        static_assert(((I < smr_count) && ...), "the vector has no such component");     \
        return smr::chosen<smr_self, I...>{*this};                                       \
    }
#define SMR_COMPONENTS(N)                                                                          \
    typedef vec smr_self;                                                                          \
    static constexpr int smr_count = N;                                                            \
    vec() = default;                                                                               \
    template <class A, class B, class... C,                                                        \
              class = enable_if_t<((smr::shape<A>::count + smr::shape<B>::count) + ... +           \
                                   smr::shape<C>::count) == N>>                                    \
    constexpr vec(A a, B b, C... c) : vec(smr::joined<T, N>(a, b, c...)) {}                        \
    template <class U, class = enable_if_t<is_same_v<U, T>>>                                       \
    constexpr vec(const volatile vec<U, N>& other) {                                               \
        for (int i = 0; i < N; ++i) (*this)[i] = (&other.x)[i];                                    \
    }                                                                                              \
    template <class U, class = enable_if_t<is_same_v<U, T>>>                                       \
    constexpr void operator=(vec<U, N> other) volatile {                                           \
        for (int i = 0; i < N; ++i) (&x)[i] = other[i];                                            \
    }                                                                                              \
    template <class U, class = enable_if_t<is_same_v<T, bfloat> && __is_integral(U)>>              \
    constexpr vec(U number) : vec(T(number)) {}                                                    \
    constexpr vec(std::initializer_list<T> list) : vec(smr::listed<T, N>(list)) {}                 \
    SMR_SWIZZLES                                                                                   \
    constexpr T& operator[](ulong i) { return const_cast<T&>(static_cast<const vec&>(*this)[i]); }
#define SMR_EACH(R, op, expression)                                                         \
    friend constexpr vec<R, smr_count> operator op(vec a, vec b) {                          \
        smr::components<R, smr_count> r{};                                                  \
        for (int i = 0; i < smr_count; ++i) r.at[i] = static_cast<R>(expression);           \
        return vec<R, smr_count>(r);                                                        \
    }
#define SMR_BINARY(R, op) SMR_EACH(R, op, a[i] op b[i])
#define SMR_WITH(op) \
    constexpr vec& operator op##=(vec b) { return *this = *this op b; }
#define SMR_ASSIGNING(op) SMR_BINARY(T, op) SMR_WITH(op)
#define SMR_DIVIDING(op, function) SMR_EACH(T, op, function(a[i], b[i])) SMR_WITH(op)
// Counts may be integers of another type than what is shifted.
#define SMR_SHIFTING(op, function)                                                          \
    SMR_DIVIDING(op, function)                                                              \
    template <class U, class = enable_if_t<__is_integral(U) && !is_same_v<U, T>>>           \
    friend constexpr vec operator op(vec a, vec<U, smr_count> b) {                          \
        for (int i = 0; i < smr_count; ++i) a[i] = function(a[i], b[i]);                    \
        return a;                                                                           \
    }                                                                                       \
    template <class U, class = enable_if_t<__is_integral(U) && !is_same_v<U, T>>>           \
    constexpr vec& operator op##=(vec<U, smr_count> b) { return *this = *this op b; }
#define SMR_OPERATORS                                                           \
    SMR_ASSIGNING(+)                                                            \
    SMR_ASSIGNING(-)                                                            \
    SMR_ASSIGNING(*)                                                            \
    SMR_DIVIDING(/, smr::element_quotient)                                      \
    SMR_DIVIDING(%, smr::element_remainder)                                     \
    SMR_ASSIGNING(&)                                                            \
    SMR_ASSIGNING(|)                                                            \
    SMR_ASSIGNING(^)                                                            \
    SMR_SHIFTING(<<, smr::element_shift_left)                                   \
    SMR_SHIFTING(>>, smr::element_shift_right)                                  \
    SMR_BINARY(bool, ==)                                                        \
    SMR_BINARY(bool, !=)                                                        \
    SMR_BINARY(bool, <)                                                         \
    SMR_BINARY(bool, <=)                                                        \
    SMR_BINARY(bool, >)                                                         \
    SMR_BINARY(bool, >=)                                                        \
    SMR_BINARY(bool, &&)                                                        \
    SMR_BINARY(bool, ||)                                                        \
    constexpr vec operator+() const { return *this; }                           \
    constexpr vec operator-() const {                                           \
        vec r = *this;                                                          \
        for (int i = 0; i < smr_count; ++i) r[i] = static_cast<T>(-r[i]);       \
        return r;                                                               \
    }                                                                           \
    constexpr vec operator~() const {                                           \
        vec r = *this;                                                          \
        for (int i = 0; i < smr_count; ++i) r[i] = static_cast<T>(~r[i]);       \
        return r;                                                               \
    }                                                                           \
    constexpr vec<bool, smr_count> operator!() const {                          \
        smr::components<bool, smr_count> r{};                                   \
        for (int i = 0; i < smr_count; ++i) r.at[i] = !(*this)[i];              \
        return vec<bool, smr_count>(r);                                         \
    }                                                                           \
    constexpr vec& operator++() { return *this += vec(T(1)); }                  \
    constexpr vec& operator--() { return *this -= vec(T(1)); }                  \
    constexpr vec operator++(int) {                                             \
        vec old = *this;                                                        \
        ++*this;                                                                \
        return old;                                                             \
    }                                                                           \
    constexpr vec operator--(int) {                                             \
        vec old = *this;                                                        \
        --*this;                                                                \
        return old;                                                             \
    }

namespace metal {
template <class T>
struct alignas(2 * sizeof(T)) vec<T, 2> {
    union {
        T x, r;
    };
    union {
        T y, g;
    };
    SMR_COMPONENTS(2)
    constexpr vec(T s) : x(s), y(s) {}
    explicit constexpr vec(smr::components<T, 2> c) : x(c.at[0]), y(c.at[1]) {}
    template <class U, class = enable_if_t<!is_same_v<U, T>>>
    explicit constexpr vec(vec<U, 2> v) : x(static_cast<T>(v.x)), y(static_cast<T>(v.y)) {}
    constexpr const T& operator[](ulong i) const {
        if (!__builtin_is_constant_evaluated()) return (&x)[i];
        return i == 0 ? x : y;
    }
    SMR_OPERATORS
};
template <class T>
struct alignas(4 * sizeof(T)) vec<T, 3> {
    union {
        T x, r;
    };
    union {
        T y, g;
    };
    union {
        T z, b;
    };
    SMR_COMPONENTS(3)
    constexpr vec(T s) : x(s), y(s), z(s) {}
    explicit constexpr vec(smr::components<T, 3> c) : x(c.at[0]), y(c.at[1]), z(c.at[2]) {}
    template <class U, class = enable_if_t<!is_same_v<U, T>>>
    explicit constexpr vec(vec<U, 3> v)
        : x(static_cast<T>(v.x)), y(static_cast<T>(v.y)), z(static_cast<T>(v.z)) {}
    constexpr const T& operator[](ulong i) const {
        if (!__builtin_is_constant_evaluated()) return (&x)[i];
        return i == 0 ? x : i == 1 ? y : z;
    }
    SMR_OPERATORS
};
template <class T>
struct alignas(4 * sizeof(T)) vec<T, 4> {
    union {
        T x, r;
    };
    union {
        T y, g;
    };
    union {
        T z, b;
    };
    union {
        T w, a;
    };
    SMR_COMPONENTS(4)
    constexpr vec(T s) : x(s), y(s), z(s), w(s) {}
    explicit constexpr vec(smr::components<T, 4> c)
        : x(c.at[0]), y(c.at[1]), z(c.at[2]), w(c.at[3]) {}
    template <class U, class = enable_if_t<!is_same_v<U, T>>>
    explicit constexpr vec(vec<U, 4> v)
        : x(static_cast<T>(v.x)),
          y(static_cast<T>(v.y)),
          z(static_cast<T>(v.z)),
          w(static_cast<T>(v.w)) {}
    constexpr const T& operator[](ulong i) const {
        if (!__builtin_is_constant_evaluated()) return (&x)[i];
        return i == 0 ? x : i == 1 ? y : i == 2 ? z : w;
    }
    SMR_OPERATORS
};

// Vectors without padding, aligned as their elements.
#define SMR_PACKED(N)                                                                     \
    typedef packed_vec smr_self;                                                          \
    static constexpr int smr_count = N;                                                   \
    packed_vec() = default;                                                               \
    constexpr packed_vec(T s) : packed_vec(vec<T, N>(s)) {}                               \
    template <class U, class = enable_if_t<!is_same_v<U, T>>>                             \
    explicit constexpr packed_vec(vec<U, N> v) : packed_vec(vec<T, N>(v)) {}              \
    template <class A, class B, class... C,                                               \
              class = enable_if_t<((smr::shape<A>::count + smr::shape<B>::count) + ... +  \
                                   smr::shape<C>::count) == N>>                           \
    constexpr packed_vec(A a, B b, C... c) : packed_vec(vec<T, N>(a, b, c...)) {}         \
    template <class U>                                                                    \
    explicit constexpr operator vec<U, N>() const {                                       \
        return vec<U, N>(vec<T, N>(*this));                                               \
    }                                                                                     \
    constexpr T& operator[](ulong i) { return (&x)[i]; }                                  \
    constexpr const T& operator[](ulong i) const { return (&x)[i]; }                      \
    constexpr packed_vec& operator+=(vec<T, N> b) { return *this = vec<T, N>(*this) + b; } \
    constexpr packed_vec& operator-=(vec<T, N> b) { return *this = vec<T, N>(*this) - b; } \
    constexpr packed_vec& operator*=(vec<T, N> b) { return *this = vec<T, N>(*this) * b; } \
    constexpr packed_vec& operator/=(vec<T, N> b) { return *this = vec<T, N>(*this) / b; } \
    constexpr vec<T, N> operator-() const { return -vec<T, N>(*this); }                   \
    SMR_SWIZZLES

template <class T>
struct packed_vec<T, 2> {
    union {
        T x, r;
    };
    union {
        T y, g;
    };
    SMR_PACKED(2)
    constexpr packed_vec(vec<T, 2> v) : x(v.x), y(v.y) {}
    constexpr operator vec<T, 2>() const { return vec<T, 2>(x, y); }
};
template <class T>
struct packed_vec<T, 3> {
    union {
        T x, r;
    };
    union {
        T y, g;
    };
    union {
        T z, b;
    };
    SMR_PACKED(3)
    constexpr packed_vec(vec<T, 3> v) : x(v.x), y(v.y), z(v.z) {}
    constexpr operator vec<T, 3>() const { return vec<T, 3>(x, y, z); }
};
template <class T>
struct packed_vec<T, 4> {
    union {
        T x, r;
    };
    union {
        T y, g;
    };
    union {
        T z, b;
    };
    union {
        T w, a;
    };
    SMR_PACKED(4)
    constexpr packed_vec(vec<T, 4> v) : x(v.x), y(v.y), z(v.z), w(v.w) {}
    constexpr operator vec<T, 4>() const { return vec<T, 4>(x, y, z, w); }
};
#define SMR_OPERATOR(op)                                                            \
    template <class T, int N>                                                       \
    constexpr auto operator op(packed_vec<T, N> a, packed_vec<T, N> b) {            \
        return vec<T, N>(a) op vec<T, N>(b);                                        \
    }                                                                               \
    template <class T, int N>                                                       \
    constexpr auto operator op(packed_vec<T, N> a, smr::same<T> b) {                \
        return vec<T, N>(a) op vec<T, N>(b);                                        \
    }                                                                               \
    template <class T, int N>                                                       \
    constexpr auto operator op(smr::same<T> a, packed_vec<T, N> b) {                \
        return vec<T, N>(a) op vec<T, N>(b);                                        \
    }
SMR_OPERATOR(+)
SMR_OPERATOR(-)
SMR_OPERATOR(*)
SMR_OPERATOR(/)
SMR_OPERATOR(==)
SMR_OPERATOR(!=)
SMR_OPERATOR(<)
SMR_OPERATOR(<=)
SMR_OPERATOR(>)
SMR_OPERATOR(>=)
#undef SMR_OPERATOR
}  // namespace metal
#undef SMR_COMPONENTS
#undef SMR_PACKED
#undef SMR_EACH
#undef SMR_BINARY
#undef SMR_WITH
#undef SMR_ASSIGNING
#undef SMR_DIVIDING
#undef SMR_SHIFTING
#undef SMR_OPERATORS
#undef SMR_SWIZZLES

#include "vector_names.h"
SMR_VECTOR_NAMES(bool)
