// Division and shifts of integers as Metal has them, for the simulated reading.
//
// `a / b` of the source has become `a / smr::by / b`, which binds as it did, and `a /= b` has become
// `a /= smr::by /= b`. An integer left of `by` waits there for its right operand; all else passes.
// Metal takes the low bits of a shift's count; it leaves a division by zero, and the least number by
// -1, without a value, but goes on.
#pragma once
#include "traits.h"

extern "C" __attribute__((cold)) void __smr_undefined_division(void);

namespace smr {
struct by_type {};
constexpr by_type by{};

template <class T>
using unqualified = metal::remove_cv_t<metal::remove_reference_t<T>>;
// Numbers of the language's own, and what becomes one by itself.
template <class T>
SMR_VALUE bool is_whole = __is_integral(T) || (__is_enum(T) && __is_convertible(T, int));
template <class T>
using if_whole = metal::enable_if_t<is_whole<unqualified<T>>>;
template <class T>
using if_other = metal::enable_if_t<!is_whole<unqualified<T>>>;
template <class T>
using promoted = decltype(+T());

#define SMR_VISIBLE __attribute__((always_inline, nodebug)) constexpr
template <class A, class B>
SMR_VISIBLE promoted<A> shift_left(A a, B count) {
    typedef promoted<A> T;
    return (T)((__make_unsigned(T))a << ((uint)count & (8 * sizeof(T) - 1)));
}
template <class A, class B>
SMR_VISIBLE promoted<A> shift_right(A a, B count) {
    typedef promoted<A> T;
    return (T)((T)a >> ((uint)count & (8 * sizeof(T) - 1)));
}
// Whether there is a quotient; a kernel that takes one that there is not is told of.
template <class T>
SMR_VISIBLE bool is_divisible(T a, T b) {
    const bool fits = T(-1) > T(0) || b != T(-1) || a != metal::numeric_limits<T>::min();
    if (b != 0 && fits) return true;
    if (!__builtin_is_constant_evaluated()) __smr_undefined_division();
    return false;
}
// Without a value: all bits set for what was divided by zero, the least number by -1 wraps.
template <class A, class B>
SMR_VISIBLE auto quotient(A left, B right) {
    typedef decltype(left / right) T;
    const T a = (T)left, b = (T)right;
    if (__builtin_is_constant_evaluated() || is_divisible(a, b)) return a / b;
    return b == 0 ? T(-1) : a;
}
template <class A, class B>
SMR_VISIBLE auto remainder(A left, B right) {
    typedef decltype(left % right) T;
    const T a = (T)left, b = (T)right;
    if (__builtin_is_constant_evaluated() || is_divisible(a, b)) return a % b;
    return b == 0 ? T(-1) : T(0);
}

// The same for elements of a vector, which keep their type: so does the width of their shifts.
template <class T>
SMR_VISIBLE T element_quotient(T a, T b) {
    if constexpr (__is_integral(T)) return static_cast<T>(quotient(a, b));
    else return a / b;
}
template <class T>
SMR_VISIBLE T element_remainder(T a, T b) {
    if constexpr (__is_integral(T)) return static_cast<T>(remainder(a, b));
    else return a % b;
}
template <class T, class U>
SMR_VISIBLE T element_shift_left(T a, U count) {
    if constexpr (__is_integral(T)) return (T)shift_left(a, (uint)count & (8 * sizeof(T) - 1));
    else return a << count;
}
template <class T, class U>
SMR_VISIBLE T element_shift_right(T a, U count) {
    if constexpr (__is_integral(T)) return (T)shift_right(a, (uint)count & (8 * sizeof(T) - 1));
    else return a >> count;
}

// An integer that waits for the other operand: left of it, and right of it in an assignment.
template <class T>
struct smr_operand {
    T value;
};
template <class T>
struct smr_assigned {
    T value;
};
#define SMR_OPERATOR(op, function)                                                          \
    template <class A, class = if_whole<A>>                                                 \
    SMR_VISIBLE smr_operand<A> operator op(A a, by_type) { return smr_operand<A>{a}; }      \
    template <class A, class = if_other<A>>                                                 \
    SMR_VISIBLE A&& operator op(A&& a, by_type) { return static_cast<A&&>(a); }             \
    template <class A, class B, class = if_whole<B>>                                        \
    SMR_VISIBLE auto operator op(smr_operand<A> a, B b) { return function(a.value, b); }    \
    template <class A, class B, class = if_other<B>>                                        \
    SMR_VISIBLE auto operator op(smr_operand<A> a, B&& b)->decltype(a.value op b) {         \
        return a.value op b;                                                                \
    }                                                                                       \
    template <class B, class = if_whole<B>>                                                 \
    SMR_VISIBLE smr_assigned<B> operator op##=(by_type, B b) { return smr_assigned<B>{b}; } \
    template <class B, class = if_other<B>>                                                 \
    SMR_VISIBLE B&& operator op##=(by_type, B&& b) { return static_cast<B&&>(b); }          \
    template <class A, class B, class = if_whole<A>>                                        \
    SMR_VISIBLE A& operator op##=(A& a, smr_assigned<B> b) {                                \
        return a = static_cast<unqualified<A>>(function((unqualified<A>)a, b.value));       \
    }                                                                                       \
    template <class A, class B, class = if_other<A>>                                        \
    SMR_VISIBLE auto operator op##=(A&& a, smr_assigned<B> b)->decltype(a op##= b.value) {  \
        return a op##= b.value;                                                             \
    }
SMR_OPERATOR(/, quotient)
SMR_OPERATOR(%, remainder)
SMR_OPERATOR(<<, shift_left)
SMR_OPERATOR(>>, shift_right)
#undef SMR_OPERATOR
#undef SMR_VISIBLE
}  // namespace smr
