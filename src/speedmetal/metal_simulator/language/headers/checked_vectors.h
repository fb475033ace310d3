// Vectors of the compiler, for the checked reading: it knows their address spaces, swizzles and
// conversions. The source's constructors have become `smr::make<float4>(...)`.
#pragma once
#include "traits.h"

namespace smr {
// Comparisons of the compiler's vectors give integers; both are a vector of bool in Metal.
template <int N>
struct truth;
#define SMR_TRUTH(N, ...)                                                                \
    template <>                                                                          \
    struct truth<N> {                                                                    \
        bool __VA_ARGS__;                                                                \
        truth() = default;                                                               \
        truth(bool);                                                                     \
        template <class T>                                                               \
        truth(metal::vec<T, N>);                                                         \
        template <class... A, class = metal::enable_if_t<(sizeof...(A) > 1)>>            \
        truth(A...);                                                                     \
        bool operator[](int) const;                                                      \
        bool operator[](int) const device;                                               \
        bool operator[](int) const constant;                                             \
        bool operator[](int) const threadgroup;                                          \
        thread bool& operator[](int);                                                    \
        operator metal::vec<int, N>() const;                                             \
    };                                                                                   \
    truth<N> operator!(truth<N>);                                                        \
    truth<N> operator&&(truth<N>, truth<N>);                                             \
    truth<N> operator||(truth<N>, truth<N>);                                             \
    truth<N> operator&(truth<N>, truth<N>);                                              \
    truth<N> operator|(truth<N>, truth<N>);                                              \
    truth<N> operator^(truth<N>, truth<N>);                                              \
    truth<N> operator==(truth<N>, truth<N>);                                             \
    truth<N> operator!=(truth<N>, truth<N>);
SMR_TRUTH(2, x, y)
SMR_TRUTH(3, x, y, z)
SMR_TRUTH(4, x, y, z, w)
#undef SMR_TRUTH
}  // namespace smr
typedef smr::truth<2> bool2;
typedef smr::truth<3> bool3;
typedef smr::truth<4> bool4;

namespace metal {
template <class T, int N>
struct packed_vec;
}
#define SMR_PACKED(N, ...)                                                \
    template <class T>                                                    \
    struct packed_vec<T, N> {                                             \
        T __VA_ARGS__;                                                    \
        packed_vec() = default;                                           \
        packed_vec(T);                                                    \
        packed_vec(vec<T, N>);                                            \
        packed_vec(const packed_vec&) = default;                          \
        packed_vec(const __constant packed_vec&);                         \
        packed_vec& operator=(const packed_vec&) = default;               \
        template <class A, class B, class... C>                           \
        packed_vec(A, B, C...);                                           \
        operator vec<T, N>() const;                                       \
        operator vec<T, N>() const device;                                \
        operator vec<T, N>() const constant;                              \
        operator vec<T, N>() const threadgroup;                           \
        device T& operator[](int) device;                                 \
        const device T& operator[](int) const device;                     \
        const constant T& operator[](int) const constant;                 \
        threadgroup T& operator[](int) threadgroup;                       \
        thread T& operator[](int);                                        \
    };
namespace metal {
SMR_PACKED(2, x, y)
SMR_PACKED(3, x, y, z)
SMR_PACKED(4, x, y, z, w)
#define SMR_OPERATOR(R, op)                                                             \
    template <class T, int N>                                                           \
    R operator op(packed_vec<T, N>, packed_vec<T, N>);                                  \
    template <class T, int N>                                                           \
    R operator op(packed_vec<T, N>, smr::same<T>);                                      \
    template <class T, int N>                                                           \
    R operator op(smr::same<T>, packed_vec<T, N>);                                      \
    template <class T, int N>                                                           \
    R operator op(packed_vec<T, N>, smr::same<vec<T, N>>);                              \
    template <class T, int N>                                                           \
    R operator op(smr::same<vec<T, N>>, packed_vec<T, N>);
#define SMR_ARITHMETIC(op)                                                                     \
    SMR_OPERATOR(vec<T SMR_COMMA N>, op)                                                       \
    SMR_ASSIGNING(thread, op)                                                                  \
    SMR_ASSIGNING(device, op)                                                                  \
    SMR_ASSIGNING(threadgroup, op)
#define SMR_COMMA ,
#define SMR_ASSIGNING(space, op)                                                               \
    template <class T, int N>                                                                  \
    space packed_vec<T, N>& operator op##=(space packed_vec<T, N>&, smr::same<vec<T, N>>);
SMR_ARITHMETIC(+)
SMR_ARITHMETIC(-)
SMR_ARITHMETIC(*)
SMR_ARITHMETIC(/)
#define SMR_COMPARING(op) SMR_OPERATOR(smr::truth<N>, op)
SMR_COMPARING(==)
SMR_COMPARING(!=)
SMR_COMPARING(<)
SMR_COMPARING(<=)
SMR_COMPARING(>)
SMR_COMPARING(>=)
#undef SMR_OPERATOR
#undef SMR_ARITHMETIC
#undef SMR_COMMA
#undef SMR_ASSIGNING
#undef SMR_COMPARING
template <class T, int N>
vec<T, N> operator-(packed_vec<T, N>);
}  // namespace metal
#undef SMR_PACKED
#include "vector_names.h"

namespace smr {
// What a member of an object in thread memory refers to.
template <class T>
thread T& in_thread(__generic T& value);
template <class T>
thread T* in_thread(__generic T* value);

template <class T>
struct shape {
    typedef T element;
    static SMR_VALUE int count = 1;
    static SMR_VALUE bool is_vector = false;
};
template <class T, int N>
struct shape<metal::vec<T, N>> {
    typedef T element;
    static SMR_VALUE int count = N;
    static SMR_VALUE bool is_vector = true;
};
template <class T, int N>
struct shape<metal::packed_vec<T, N>> : shape<metal::vec<T, N>> {};
template <int N>
struct shape<truth<N>> {
    typedef bool element;
    static SMR_VALUE int count = N;
    static SMR_VALUE bool is_vector = true;
};
template <class T>
using element = typename shape<T>::element;

// A constructor's argument with the vector's elements. Of classes no value is known here.
template <class E, class A>
constexpr auto part(A value) {
    if constexpr (!shape<A>::is_vector) {
        return static_cast<E>(value);
    } else if constexpr (__is_class(A)) {
        return metal::vec<E, shape<A>::count>(0);
    } else {
        return __builtin_convertvector(value, metal::vec<E, shape<A>::count>);
    }
}
template <class V, class... A>
constexpr V make(A... values) {
    typedef element<V> E;
    constexpr int given = (0 + ... + shape<A>::count);
    static_assert(sizeof...(A) == 0 || given == shape<V>::count ||
                      (sizeof...(A) == 1 && given == 1),
                  "the vector's constructor has the wrong number of components");
    if constexpr (__is_class(V)) {
        return V(values...);
    } else if constexpr (given == 0) {
        return V(0);
    } else if constexpr (given == 1) {
        return V((part<E>(values), ...));
    } else if constexpr (given == shape<V>::count) {
        return V{part<E>(values)...};
    }
}
}  // namespace smr
