// The names of types where the language has them twice: Metal's own in the namespace metal as well,
// and those of <simd/simd.h>.
#pragma once
#include "matrices.h"

#define SMR_SCALARS(F)                                                                          \
    F(uchar) F(ushort) F(uint) F(ulong) F(size_t) F(ptrdiff_t) F(uintptr_t) F(intptr_t)         \
    F(int8_t) F(uint8_t) F(int16_t) F(uint16_t) F(int32_t) F(uint32_t) F(int64_t) F(uint64_t)
#define SMR_VECTORS(F) \
    F(bool) F(char) F(uchar) F(short) F(ushort) F(int) F(uint) F(long) F(ulong) F(half) F(float)
#define SMR_SHAPES(F, T) \
    F(T##2x2) F(T##2x3) F(T##2x4) F(T##3x2) F(T##3x3) F(T##3x4) F(T##4x2) F(T##4x3) F(T##4x4)

namespace metal {
#define SMR_USING(T) using ::T;
#define SMR_USING_VECTORS(T) using ::T##2; using ::T##3; using ::T##4;
#define SMR_USING_PACKED(T) using ::packed_##T##2; using ::packed_##T##3; using ::packed_##T##4;
SMR_SCALARS(SMR_USING)
SMR_VECTORS(SMR_USING_VECTORS)
SMR_USING_VECTORS(bfloat)
#define SMR_NO_BOOL(F) \
    F(char) F(uchar) F(short) F(ushort) F(int) F(uint) F(long) F(ulong) F(half) F(bfloat) F(float)
SMR_NO_BOOL(SMR_USING_PACKED)
SMR_SHAPES(SMR_USING, half)
SMR_SHAPES(SMR_USING, float)
}  // namespace metal

namespace simd {
SMR_SCALARS(SMR_USING)
SMR_VECTORS(SMR_USING_VECTORS)
SMR_NO_BOOL(SMR_USING_PACKED)
SMR_SHAPES(SMR_USING, half)
SMR_SHAPES(SMR_USING, float)
}  // namespace simd

namespace metal {
// The library's inner names that public code knows.
template <class T>
struct vec_elements : integral_constant<int, smr::shape<T>::is_vector ? smr::shape<T>::count : 0> {};
template <class T>
struct __is_valid_simdgroup_type : bool_constant<smr::is_exchangeable<T>> {};
using std::initializer_list;
}  // namespace metal

// What a kernel computes for the tessellator.
struct MTLQuadTessellationFactorsHalf {
    half edgeTessellationFactor[4];
    half insideTessellationFactor[2];
};
struct MTLTriangleTessellationFactorsHalf {
    half edgeTessellationFactor[3];
    half insideTessellationFactor;
};

#define SMR_SIMD(T)                                                            \
    typedef T##2 simd_##T##2; typedef T##3 simd_##T##3; typedef T##4 simd_##T##4; \
    typedef T##2 vector_##T##2; typedef T##3 vector_##T##3; typedef T##4 vector_##T##4;
SMR_NO_BOOL(SMR_SIMD)
#define SMR_SIMD_MATRIX(T) typedef T simd_##T; typedef T matrix_##T;
SMR_SHAPES(SMR_SIMD_MATRIX, half)
SMR_SHAPES(SMR_SIMD_MATRIX, float)
#undef SMR_SCALARS
#undef SMR_VECTORS
#undef SMR_SHAPES
#undef SMR_NO_BOOL
#undef SMR_USING
#undef SMR_USING_VECTORS
#undef SMR_USING_PACKED
#undef SMR_SIMD
#undef SMR_SIMD_MATRIX
