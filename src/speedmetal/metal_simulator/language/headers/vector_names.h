// What Metal calls the vectors of its numbers; vectors of bool differ in the two readings.
#pragma once

#define SMR_VECTOR_NAMES(T)                        \
    typedef metal::vec<T, 2> T##2;                 \
    typedef metal::vec<T, 3> T##3;                 \
    typedef metal::vec<T, 4> T##4;                 \
    typedef metal::packed_vec<T, 2> packed_##T##2; \
    typedef metal::packed_vec<T, 3> packed_##T##3; \
    typedef metal::packed_vec<T, 4> packed_##T##4;
SMR_VECTOR_NAMES(char)
SMR_VECTOR_NAMES(uchar)
SMR_VECTOR_NAMES(short)
SMR_VECTOR_NAMES(ushort)
SMR_VECTOR_NAMES(int)
SMR_VECTOR_NAMES(uint)
SMR_VECTOR_NAMES(long)
SMR_VECTOR_NAMES(ulong)
SMR_VECTOR_NAMES(half)
SMR_VECTOR_NAMES(bfloat)
SMR_VECTOR_NAMES(float)
