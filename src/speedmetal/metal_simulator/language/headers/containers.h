// <metal_array>, <metal_uniform>.
#pragma once
#include "math.h"

namespace metal {
template <class T, size_t N>
struct array {
    T smr_elements[N];
    static constexpr size_t size() { return N; }
    static constexpr bool empty() { return N == 0; }
#if SMR_CHECKED
#define SMR_ACCESS(space)                                                        \
    constexpr space T& operator[](size_t i) space { return smr_elements[i]; }    \
    constexpr const space T& operator[](size_t i) const space { return smr_elements[i]; }
    SMR_ACCESS(thread)
    SMR_ACCESS(device)
    SMR_ACCESS(threadgroup)
#undef SMR_ACCESS
    constexpr const constant T& operator[](size_t i) const constant { return smr_elements[i]; }
#else
    constexpr T& operator[](size_t i) { return smr_elements[i]; }
    constexpr const T& operator[](size_t i) const { return smr_elements[i]; }
    constexpr T* data() { return smr_elements; }
    constexpr const T* data() const { return smr_elements; }
    constexpr T* begin() { return smr_elements; }
    constexpr const T* begin() const { return smr_elements; }
    constexpr T* end() { return smr_elements + N; }
    constexpr const T* end() const { return smr_elements + N; }
#endif
};

// A value that is the same in all threads of a simdgroup.
template <class T>
struct uniform {
    T smr_value;
    uniform() = default;
    constexpr uniform(T value) : smr_value(value) {}
    constexpr operator T() const { return smr_value; }
    constexpr uniform& operator=(T value) {
        smr_value = value;
        return *this;
    }
};
template <class T>
constexpr uniform<T> make_uniform(T value) {
    return uniform<T>(value);
}
}  // namespace metal
