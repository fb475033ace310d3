// <metal_simdgroup_matrix>: 8 x 8 matrices that the threads of a simdgroup hold together, each two
// neighbours of a row. Which thread has which is known from code that runs on Apple's GPUs; products
// are summed in float.
#pragma once
#include "threads.h"

namespace metal {
template <class T, int C, int R>
struct simdgroup_matrix {
    static_assert(C == 8 && R == 8, "simdgroup matrices are 8 x 8");
    static_assert(is_floating_point_v<T>, "simdgroup matrices have elements half, bfloat or float");
    typedef vec<T, 2> storage_type;
#if SMR_CHECKED
    simdgroup_matrix() = default;
    explicit simdgroup_matrix(T diagonal);
    thread vec<T, 2>& thread_elements();
    const thread vec<T, 2>& thread_elements() const;
    vec<T, 2> smr_elements;
#else
    simdgroup_matrix() = default;
    explicit simdgroup_matrix(T diagonal) {
        const uint lane = __smr_lane();
        for (uint k = 0; k < 2; ++k) {
            smr_elements[k] = smr_row(lane) == smr_column(lane) + k ? diagonal : T(0);
        }
    }
    vec<T, 2>& thread_elements() { return smr_elements; }
    const vec<T, 2>& thread_elements() const { return smr_elements; }

    static constexpr uint smr_row(uint lane) { return (lane / 4 & 4u) + lane / 2 % 4; }
    static constexpr uint smr_column(uint lane) { return (lane / 4 & 2u) * 2 + lane % 2 * 2; }
    vec<T, 2> smr_elements;
#endif
};
typedef simdgroup_matrix<half, 8, 8> simdgroup_half8x8;
typedef simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef simdgroup_matrix<bfloat, 8, 8> simdgroup_bfloat8x8;

template <class T, int C, int R = C>
inline simdgroup_matrix<T, C, R> make_filled_simdgroup_matrix(T value)
    SMR_BODY(simdgroup_matrix<T, C, R> m; m.smr_elements = vec<T, 2>(value); return m;)
template <class T, int C, int R = C>
inline simdgroup_matrix<T, C, R> make_diagonal_simdgroup_matrix(T value)
    SMR_BODY(return simdgroup_matrix<T, C, R>(value);)

// Loads and stores are of the whole simdgroup: what one thread stores another may load next.
#define SMR_MATRIX_MEMORY(space)                                                                  \
    template <class T>                                                                            \
    SMR_MATRIX_INLINE void simdgroup_load(thread simdgroup_matrix<T, 8, 8>& d,                    \
                                          const volatile space T* source, ulong row = 8,          \
                                          ulong2 origin = ulong2(0), bool transpose = false)      \
        SMR_BODY(const uint lane = __smr_lane(); const uint i = d.smr_row(lane);                  \
                 for (uint k = 0; k < 2; ++k) {                                                   \
                     const uint j = d.smr_column(lane) + k;                                       \
                     const ulong y = (transpose ? j : i) + origin.y;                              \
                     const ulong x = (transpose ? i : j) + origin.x;                              \
                     d.smr_elements[k] = const_cast<const T*>(source)[y * row + x];               \
                 } __smr_simdgroup_barrier(0);)                                                   \
    template <class T>                                                                            \
    SMR_MATRIX_INLINE void simdgroup_store(simdgroup_matrix<T, 8, 8> a, volatile space T* target, \
                                           ulong row = 8, ulong2 origin = ulong2(0),              \
                                           bool transpose = false)                                \
        SMR_BODY(const uint lane = __smr_lane(); const uint i = a.smr_row(lane);                  \
                 __smr_simdgroup_barrier(0); for (uint k = 0; k < 2; ++k) {                       \
                     const uint j = a.smr_column(lane) + k;                                       \
                     const ulong y = (transpose ? j : i) + origin.y;                              \
                     const ulong x = (transpose ? i : j) + origin.x;                              \
                     const_cast<T*>(target)[y * row + x] = a.smr_elements[k];                     \
                 } __smr_simdgroup_barrier(0);)
#if SMR_CHECKED
#define SMR_MATRIX_INLINE inline
SMR_MATRIX_MEMORY(device)
SMR_MATRIX_MEMORY(threadgroup)
#else
#define SMR_MATRIX_INLINE __attribute__((convergent, nomerge, noinline)) inline
SMR_MATRIX_MEMORY(device)
#endif
#undef SMR_MATRIX_MEMORY

template <class D, class A, class B, class C>
SMR_COLLECTIVE void simdgroup_multiply_accumulate(thread simdgroup_matrix<D, 8, 8>& d,
                                                  simdgroup_matrix<A, 8, 8> a,
                                                  simdgroup_matrix<B, 8, 8> b,
                                                  simdgroup_matrix<C, 8, 8> c)
    SMR_BODY(struct pair { vec<A, 2> a; vec<B, 2> b; };
             const auto all = smr::publish<pair>(pair{a.smr_elements, b.smr_elements});
             const uint lane = __smr_lane();
             const uint row = d.smr_row(lane); const uint column = d.smr_column(lane);
             float left[8]; float right[8][2];
             for (uint i = 0; i < smr::all_lanes; ++i) {
                 if (d.smr_row(i) != row && d.smr_column(i) != column) continue;
                 const pair held = all.at(i);
                 for (uint k = 0; k < 2; ++k) {
                     if (d.smr_row(i) == row) left[d.smr_column(i) + k] = (float)held.a[k];
                     if (d.smr_column(i) == column) right[d.smr_row(i)][k] = (float)held.b[k];
                 }
             }
             for (uint k = 0; k < 2; ++k) {
                 float sum = (float)c.smr_elements[k];
                 for (uint i = 0; i < 8; ++i) sum = __builtin_fmaf(left[i], right[i][k], sum);
                 d.smr_elements[k] = (D)sum;
             })
template <class D, class A, class B>
SMR_MATRIX_INLINE void simdgroup_multiply(thread simdgroup_matrix<D, 8, 8>& d,
                                          simdgroup_matrix<A, 8, 8> a, simdgroup_matrix<B, 8, 8> b)
    SMR_BODY(simdgroup_matrix<float, 8, 8> zero; zero.smr_elements = vec<float, 2>(0.0f);
             simdgroup_multiply_accumulate(d, a, b, zero);)
template <class A, class B>
SMR_MATRIX_INLINE simdgroup_matrix<A, 8, 8> operator*(simdgroup_matrix<A, 8, 8> a,
                                                      simdgroup_matrix<B, 8, 8> b)
    SMR_BODY(simdgroup_matrix<A, 8, 8> d; simdgroup_multiply(d, a, b); return d;)
#undef SMR_MATRIX_INLINE

// --- Matrices of one thread, by columns -----------------------------------------------------------
#if !SMR_CHECKED
template <class T, int C, int R>
struct matrix {
    vec<T, R> columns[C];
    matrix() = default;
    constexpr explicit matrix(T diagonal) : columns{} {
        for (int i = 0; i < C && i < R; ++i) columns[i][i] = diagonal;
    }
    template <class... V, class = enable_if_t<sizeof...(V) == C - 1>>
    constexpr matrix(vec<T, R> first, V... rest) : columns{first, vec<T, R>(rest)...} {}
    template <class... V, enable_if_t<sizeof...(V) == C * R - 2, int> = 0>
    constexpr matrix(T first, T second, V... rest) : columns{} {
        const T all[] = {first, second, T(rest)...};
        for (int i = 0; i < C * R; ++i) columns[i / R][i % R] = all[i];
    }
    template <class U, class = enable_if_t<!is_same_v<U, T>>>
    constexpr explicit matrix(matrix<U, C, R> other) : columns{} {
        for (int i = 0; i < C; ++i) columns[i] = vec<T, R>(other.columns[i]);
    }
    constexpr vec<T, R>& operator[](ulong i) { return columns[i]; }
    constexpr const vec<T, R>& operator[](ulong i) const { return columns[i]; }
    friend constexpr matrix operator+(matrix a, matrix b) {
        for (int i = 0; i < C; ++i) a[i] += b[i];
        return a;
    }
    friend constexpr matrix operator-(matrix a, matrix b) {
        for (int i = 0; i < C; ++i) a[i] -= b[i];
        return a;
    }
    friend constexpr matrix operator*(matrix a, T s) {
        for (int i = 0; i < C; ++i) a[i] *= s;
        return a;
    }
    friend constexpr matrix operator*(T s, matrix a) { return a * s; }
    friend constexpr vec<T, R> operator*(matrix a, vec<T, C> v) {
        vec<T, R> sum = a[0] * v[0];
        for (int i = 1; i < C; ++i) sum += a[i] * v[i];
        return sum;
    }
    friend constexpr vec<T, C> operator*(vec<T, R> v, matrix a) {
        vec<T, C> r{};
        for (int i = 0; i < C; ++i) r[i] = dot(v, a[i]);
        return r;
    }
    template <int K>
    constexpr matrix<T, K, R> operator*(matrix<T, K, C> b) const {
        matrix<T, K, R> r{};
        for (int i = 0; i < K; ++i) r[i] = *this * b[i];
        return r;
    }
};
template <class T, int C, int R>
constexpr matrix<T, R, C> transpose(matrix<T, C, R> m) {
    matrix<T, R, C> r{};
    for (int i = 0; i < C; ++i)
        for (int j = 0; j < R; ++j) r[j][i] = m[i][j];
    return r;
}
template <class T>
constexpr T determinant(matrix<T, 2, 2> m) {
    return m[0][0] * m[1][1] - m[1][0] * m[0][1];
}
template <class T>
constexpr T determinant(matrix<T, 3, 3> m) {
    return dot(m[0], cross(m[1], m[2]));
}
template <class T>
constexpr T determinant(matrix<T, 4, 4> m) {
    T sum = T(0);
    for (int i = 0; i < 4; ++i) {
        matrix<T, 3, 3> minor{};
        for (int c = 1; c < 4; ++c)
            for (int r = 0, k = 0; r < 4; ++r)
                if (r != i) minor[c - 1][k++] = m[c][r];
        sum += (i % 2 ? -m[0][i] : m[0][i]) * determinant(minor);
    }
    return sum;
}
#else
template <class T, int C, int R>
struct matrix {
    vec<T, R> columns[C];
    matrix() = default;
    explicit matrix(T);
    template <class... V, class = enable_if_t<sizeof...(V) == C - 1>>
    matrix(vec<T, R>, V...);
    template <class... V, enable_if_t<sizeof...(V) == C * R - 2, int> = 0>
    matrix(T, T, V...);
    template <class U, class = enable_if_t<!is_same_v<U, T>>>
    explicit matrix(matrix<U, C, R>);
    vec<T, R> operator[](ulong) const&&;
    thread vec<T, R>& operator[](ulong) &;
    const thread vec<T, R>& operator[](ulong) const&;
    device vec<T, R>& operator[](ulong) device&;
    const device vec<T, R>& operator[](ulong) const device&;
    threadgroup vec<T, R>& operator[](ulong) threadgroup&;
    const threadgroup vec<T, R>& operator[](ulong) const threadgroup&;
    const constant vec<T, R>& operator[](ulong) const constant&;
};
#define SMR_MATRIX template <class T, int C, int R>
SMR_MATRIX matrix<T, C, R> operator+(matrix<T, C, R>, matrix<T, C, R>);
SMR_MATRIX matrix<T, C, R> operator-(matrix<T, C, R>, matrix<T, C, R>);
SMR_MATRIX matrix<T, C, R> operator*(matrix<T, C, R>, smr::same<T>);
SMR_MATRIX matrix<T, C, R> operator*(smr::same<T>, matrix<T, C, R>);
SMR_MATRIX vec<T, R> operator*(matrix<T, C, R>, vec<T, C>);
SMR_MATRIX vec<T, C> operator*(vec<T, R>, matrix<T, C, R>);
template <class T, int C, int R, int K>
matrix<T, K, R> operator*(matrix<T, C, R>, matrix<T, K, C>);
SMR_MATRIX matrix<T, R, C> transpose(matrix<T, C, R>);
template <class T, int N>
T determinant(matrix<T, N, N>);
#undef SMR_MATRIX
#endif
}  // namespace metal
#define SMR_NAMES(T)                       \
    typedef metal::matrix<T, 2, 2> T##2x2; \
    typedef metal::matrix<T, 2, 3> T##2x3; \
    typedef metal::matrix<T, 2, 4> T##2x4; \
    typedef metal::matrix<T, 3, 2> T##3x2; \
    typedef metal::matrix<T, 3, 3> T##3x3; \
    typedef metal::matrix<T, 3, 4> T##3x4; \
    typedef metal::matrix<T, 4, 2> T##4x2; \
    typedef metal::matrix<T, 4, 3> T##4x3; \
    typedef metal::matrix<T, 4, 4> T##4x4;
SMR_NAMES(half)
SMR_NAMES(float)
#undef SMR_NAMES
