// A float of 16 bits. Each operation is rounded to nearest, ties to even.
struct half {
    unsigned short bits;

    half() = default;
    __device__ explicit half(float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
    __device__ explicit half(double x) { asm("cvt.rn.f16.f64 %0, %1;" : "=h"(bits) : "d"(x)); }
    __device__ explicit operator float() const {
        float x;
        asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
        return x;
    }
    __device__ half operator-() const {
        half x;
        x.bits = bits ^ 0x8000;
        return x;
    }
};

__device__ inline half operator+(half a, half b) {
    half x;
    asm("add.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
__device__ inline half operator-(half a, half b) {
    half x;
    asm("sub.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
__device__ inline half operator*(half a, half b) {
    half x;
    asm("mul.rn.f16 %0, %1, %2;" : "=h"(x.bits) : "h"(a.bits), "h"(b.bits));
    return x;
}
__device__ inline half operator/(half a, half b) { return half(float(a) / float(b)); }
__device__ inline bool operator==(half a, half b) { return float(a) == float(b); }
__device__ inline bool operator!=(half a, half b) { return float(a) != float(b); }
__device__ inline bool operator<(half a, half b) { return float(a) < float(b); }
__device__ inline bool operator<=(half a, half b) { return float(a) <= float(b); }
__device__ inline bool operator>(half a, half b) { return float(a) > float(b); }
__device__ inline bool operator>=(half a, half b) { return float(a) >= float(b); }
__device__ inline half& operator+=(half& a, half b) { return a = a + b; }
__device__ inline half& operator-=(half& a, half b) { return a = a - b; }
__device__ inline half& operator*=(half& a, half b) { return a = a * b; }
__device__ inline half& operator/=(half& a, half b) { return a = a / b; }

// Neighbours into threadgroup memory, where wanted, in pieces of so many bytes at such multiples.
template <int bytes, typename T>
__device__ inline void copy_pieces(bool wanted, T* to, const T* from, int count) {
    struct alignas(bytes) Piece {
        unsigned char byte[bytes];
    };
#pragma unroll
    for (int piece = 0; piece < count; ++piece) {
        Piece* place = (Piece*)to + piece;
        const Piece* source = (const Piece*)from + piece;
#if __CUDA_ARCH__ >= 800
        unsigned int address = (unsigned int)__cvta_generic_to_shared(place);
        if (bytes == 16)
            asm volatile(
                "{.reg .pred wanted; setp.ne.b32 wanted, %2, 0;"
                " @wanted cp.async.cg.shared.global [%0], [%1], 16;}"
                :: "r"(address), "l"(source), "r"(int(wanted)) : "memory");
        else
            asm volatile(
                "{.reg .pred wanted; setp.ne.b32 wanted, %2, 0;"
                " @wanted cp.async.ca.shared.global [%0], [%1], %3;}"
                :: "r"(address), "l"(source), "r"(int(wanted)), "n"(bytes) : "memory");
#else
        if (wanted) *place = *source;
#endif
    }
}

template <int count, typename T, typename Index>
__device__ inline void copy_elements(T* to, const T* from, Index to_stride, Index from_stride) {
#pragma unroll 1
    for (int n = 0; n < count; ++n) to[n * to_stride] = from[n * from_stride];
}

__device__ inline void async_copy_group() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int pending>
__device__ inline void async_copy_wait() {
#if __CUDA_ARCH__ >= 800
    if (pending == 0)
        asm volatile("cp.async.wait_all;" ::: "memory");
    else
        asm volatile("cp.async.wait_group %0;" :: "n"(pending) : "memory");
#endif
}

// The thread's place among the 32 of its simdgroup.
__device__ inline unsigned int lane_index() {
    unsigned int lane;
    asm("mov.u32 %0, %laneid;" : "=r"(lane));
    return lane;
}

// A thread's two elements of a part of 8x8: in row lane / 4, columns 2 * (lane % 4) and the next.
template <typename T>
struct alignas(2 * sizeof(T)) matrix_pair {
    T one, other;
    matrix_pair() = default;
    __device__ matrix_pair(T first, T second) : one(first), other(second) {}
    __device__ T first() const { return one; }
    __device__ T second() const { return other; }
};

// A matrix that a simdgroup holds together. The parts of a right one are transposed.
template <typename T, int rows, int columns, bool right = false>
struct simdgroup_matrix {
    matrix_pair<T> part[rows / 8][columns / 8];
};

__device__ inline float widened(float x) { return x; }
__device__ inline double widened(double x) { return x; }

template <int rows, int columns, bool right = false, typename T>
__device__ inline simdgroup_matrix<T, rows, columns, right> matrix_fill(T value) {
    simdgroup_matrix<T, rows, columns, right> filled;
#pragma unroll
    for (int row = 0; row < rows / 8; ++row)
#pragma unroll
        for (int column = 0; column < columns / 8; ++column)
            filled.part[row][column] = matrix_pair<T>(value, value);
    return filled;
}

template <int bytes>
struct matrix_access {
    typedef unsigned int type;
};
template <>
struct matrix_access<8> {
    typedef unsigned long long type;
};

// Both elements of a thread as one word, which no compiler takes apart.
template <typename T>
__device__ inline matrix_pair<T> load_pair(const T* first) {
    typename matrix_access<2 * sizeof(T)>::type word;
    word = *(const decltype(word)*)first;
    matrix_pair<T> pair;
    memcpy(&pair, &word, sizeof(word));
    return pair;
}

template <typename T>
__device__ inline void store_pair(T* first, matrix_pair<T> pair) {
    typename matrix_access<2 * sizeof(T)>::type word;
    memcpy(&word, &pair, sizeof(word));
    *(decltype(word)*)first = word;
}

// Whether both elements of a thread lie side by side, for one access.
template <typename T, typename Index>
__device__ inline bool are_pairs(const T* first, Index along, Index across) {
    size_t distance = size_t(along) * sizeof(T);
    return sizeof(T) < 8 && across == 1 && ((size_t)first | distance) % (2 * sizeof(T)) == 0;
}

template <int rows, int columns, bool right = false, typename T, typename Index>
__device__ inline simdgroup_matrix<T, rows, columns, right> matrix_load(
    const T* from, Index row_stride, Index column_stride) {
    simdgroup_matrix<T, rows, columns, right> loaded;
    Index along = right ? column_stride : row_stride, across = right ? row_stride : column_stride;
    Index lane_row = lane_index() / 4, lane_column = lane_index() % 4 * 2;
    bool pairs = are_pairs(from, along, across);
#pragma unroll
    for (int row = 0; row < rows / 8; ++row)
#pragma unroll
        for (int column = 0; column < columns / 8; ++column) {
            const T* start = from + row * 8 * row_stride + column * 8 * column_stride;
            const T* first = start + lane_row * along + lane_column * across;
            loaded.part[row][column] =
                pairs ? load_pair(first) : matrix_pair<T>(first[0], first[across]);
        }
    return loaded;
}

template <int rows, int columns, typename T, typename Index>
__device__ inline void matrix_store(
    const simdgroup_matrix<T, rows, columns>& matrix, T* to, Index row_stride,
    Index column_stride) {
    Index lane_row = lane_index() / 4, lane_column = lane_index() % 4 * 2;
    bool pairs = are_pairs(to, row_stride, column_stride);
#pragma unroll
    for (int row = 0; row < rows / 8; ++row)
#pragma unroll
        for (int column = 0; column < columns / 8; ++column) {
            T* start = to + row * 8 * row_stride + column * 8 * column_stride;
            T* first = start + lane_row * row_stride + lane_column * column_stride;
            matrix_pair<T> pair = matrix.part[row][column];
            if (pairs) {
                store_pair(first, pair);
            } else {
                first[0] = pair.first();
                first[column_stride] = pair.second();
            }
        }
}

// a @ b + c, each product added with one rounding, in the order of the inner axis.
template <typename T, typename U, int rows, int inner, int columns, bool right>
__device__ inline simdgroup_matrix<U, rows, columns> multiply_by_shuffles(
    const simdgroup_matrix<T, rows, inner>& a, const simdgroup_matrix<T, inner, columns, right>& b,
    const simdgroup_matrix<U, rows, columns>& c) {
    using Sum = decltype(widened(T()));
    Sum first[rows / 8][columns / 8], second[rows / 8][columns / 8];
#pragma unroll
    for (int row = 0; row < rows / 8; ++row)
#pragma unroll
        for (int column = 0; column < columns / 8; ++column) {
            first[row][column] = widened(c.part[row][column].first());
            second[row][column] = widened(c.part[row][column].second());
        }
    unsigned int lane = lane_index();
#pragma unroll
    for (int k = 0; k < inner; ++k) {
        Sum below[columns / 8], beside[columns / 8];  // of row k of b, the thread's two columns
#pragma unroll
        for (int column = 0; column < columns / 8; ++column) {
            matrix_pair<T> pair = b.part[k / 8][column];
            Sum one = widened(right && k % 2 ? pair.second() : pair.first());
            Sum other = widened(right && k % 2 == 0 ? pair.first() : pair.second());
            unsigned int from = right ? lane % 4 * 8 + k % 8 / 2 : k % 8 * 4 + lane % 4;
            below[column] = __shfl_sync(0xffffffff, one, from);
            beside[column] = __shfl_sync(0xffffffff, other, right ? from + 4 : from);
        }
#pragma unroll
        for (int row = 0; row < rows / 8; ++row) {
            matrix_pair<T> pair = a.part[row][k / 8];
            Sum own = widened(k % 2 ? pair.second() : pair.first());
            Sum left = __shfl_sync(0xffffffff, own, (lane & ~3u) + k % 8 / 2);
#pragma unroll
            for (int column = 0; column < columns / 8; ++column) {
                first[row][column] = fma(left, below[column], first[row][column]);
                second[row][column] = fma(left, beside[column], second[row][column]);
            }
        }
    }
    simdgroup_matrix<U, rows, columns> sum;
#pragma unroll
    for (int row = 0; row < rows / 8; ++row)
#pragma unroll
        for (int column = 0; column < columns / 8; ++column)
            sum.part[row][column] =
                matrix_pair<U>(U(first[row][column]), U(second[row][column]));
    return sum;
}

template <typename T, typename U, int rows, int inner, int columns>
__device__ inline simdgroup_matrix<U, rows, columns> matrix_multiply_accumulate(
    const simdgroup_matrix<T, rows, inner>& a, const simdgroup_matrix<T, inner, columns>& b,
    const simdgroup_matrix<U, rows, columns>& c) {
    return multiply_by_shuffles(a, b, c);
}

template <typename T>
__device__ inline void multiply_16x8x8(
    float* x, unsigned int a0, unsigned int a1, unsigned int b0);
template <typename T>
__device__ inline void multiply_16x8x16(
    float* x, unsigned int a0, unsigned int a1, unsigned int a2, unsigned int a3, unsigned int b0,
    unsigned int b1);

// Both elements of a part in one word.
template <typename T>
struct matrix_word {
    unsigned int word;
    matrix_word() = default;
    __device__ matrix_word(T first, T second)
        : word(first.bits | (unsigned int)(second.bits) << 16) {}
    __device__ T first() const {
        T x;
        x.bits = (unsigned short)word;
        return x;
    }
    __device__ T second() const {
        T x;
        x.bits = (unsigned short)(word >> 16);
        return x;
    }
};

// Four parts, of which lane n has the address of row n % 8 of part n / 8.
template <bool transposed>
__device__ inline void load_four_parts(unsigned int* word, const void* row) {
    unsigned int from = (unsigned int)__cvta_generic_to_shared(row);
    if (transposed)
        asm volatile(
            "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
            : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3]) : "r"(from) : "memory");
    else
        asm volatile(
            "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
            : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3]) : "r"(from) : "memory");
}

// One part, of which each lane has the address of row lane % 8.
template <bool transposed>
__device__ inline void load_part(unsigned int& word, const void* row) {
    unsigned int from = (unsigned int)__cvta_generic_to_shared(row);
    if (transposed)
        asm volatile(
            "ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
            : "=r"(word) : "r"(from) : "memory");
    else
        asm volatile(
            "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
            : "=r"(word) : "r"(from) : "memory");
}

// From threadgroup memory, rows of 16 bytes at multiples of 16; of a turned matrix, columns. Parts
// come in twos by twos, column by column, into neighbouring registers, as products take them.
template <int rows, int columns, bool right, bool turned, typename T, typename Index>
__device__ inline simdgroup_matrix<T, rows, columns, right> matrix_load_aligned(
    const T* from, Index pitch) {
    Index down = turned ? 1 : pitch, across = turned ? pitch : 1;
#if __CUDA_ARCH__ >= 750
    simdgroup_matrix<T, rows, columns, right> loaded;
    unsigned int lane = lane_index();
    const T* line = from + Index(lane % 8) * pitch;
    const T* own = line + Index(lane & 8) * down + Index(lane / 16 * 8) * across;
#pragma unroll
    for (int row = 0; row < rows / 8; row += 2)
#pragma unroll
        for (int column = 0; column < columns / 8; column += 2) {
            if (row + 1 < rows / 8 && column + 1 < columns / 8) {
                unsigned int word[4];
                load_four_parts<right != turned>(word, own + row * 8 * down + column * 8 * across);
#pragma unroll
                for (int part = 0; part < 4; ++part)
                    loaded.part[row + part % 2][column + part / 2].word = word[part];
                continue;
            }
#pragma unroll
            for (int part = 0; part < 4; ++part) {
                int x = row + part % 2, y = column + part / 2;
                if (x < rows / 8 && y < columns / 8)
                    load_part<right != turned>(
                        loaded.part[x][y].word, line + x * 8 * down + y * 8 * across);
            }
        }
    return loaded;
#else
    return matrix_load<rows, columns, right>(from, down, across);
#endif
}

template <typename T, int rows, int columns>
__device__ inline simdgroup_matrix<T, rows, columns, true> as_right(
    const simdgroup_matrix<T, rows, columns>& matrix) {
    simdgroup_matrix<T, rows, columns, true> turned;
#pragma unroll
    for (int row = 0; row < rows / 8; ++row)
#pragma unroll
        for (int column = 0; column < columns / 8; ++column)
            asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;"
                : "=r"(turned.part[row][column].word) : "r"(matrix.part[row][column].word));
    return turned;
}

// a @ b + c by tensor cores, 16 rows at a time; sums are in float32.
template <typename T, typename U, int rows, int inner, int columns>
__device__ inline simdgroup_matrix<U, rows, columns> multiply_by_tensor_cores(
    const simdgroup_matrix<T, rows, inner>& a, const simdgroup_matrix<T, inner, columns, true>& b,
    const simdgroup_matrix<U, rows, columns>& c) {
    simdgroup_matrix<U, rows, columns> sum;
#pragma unroll
    for (int row = 0; row < rows / 8; row += 2)
#pragma unroll
        for (int column = 0; column < columns / 8; ++column) {
            bool two = row + 1 < rows / 8;  // or the lower half is nothing
            matrix_pair<U> upper = c.part[row][column];
            matrix_pair<U> lower = c.part[two ? row + 1 : row][column];
            float x[4] = {
                float(widened(upper.first())), float(widened(upper.second())), 0.0f, 0.0f};
            if (two) {
                x[2] = widened(lower.first());
                x[3] = widened(lower.second());
            }
#pragma unroll
            for (int k = 0; k < inner / 8; k += k + 1 < inner / 8 ? 2 : 1) {
                bool deep = k + 1 < inner / 8;
                int next = deep ? k + 1 : k;
                unsigned int a0 = a.part[row][k].word, b0 = b.part[k][column].word;
                unsigned int a1 = two ? a.part[two ? row + 1 : row][k].word : 0;
                unsigned int a3 = two ? a.part[two ? row + 1 : row][next].word : 0;
                if (deep)
                    multiply_16x8x16<T>(x, a0, a1, a.part[row][next].word, a3, b0,
                                        b.part[next][column].word);
                else
                    multiply_16x8x8<T>(x, a0, a1, b0);
            }
            sum.part[row][column] = matrix_pair<U>(U(x[0]), U(x[1]));
            if (two) sum.part[row + 1][column] = matrix_pair<U>(U(x[2]), U(x[3]));
        }
    return sum;
}

__device__ inline float widened(half x) { return float(x); }

template <>
struct matrix_pair<half> : matrix_word<half> {
    using matrix_word<half>::matrix_word;
    matrix_pair() = default;
};

template <>
__device__ inline void multiply_16x8x8<half>(
    float* x, unsigned int a0, unsigned int a1, unsigned int b0) {
#if __CUDA_ARCH__ >= 750
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3]) : "r"(a0), "r"(a1), "r"(b0));
#endif
}

template <>
__device__ inline void multiply_16x8x16<half>(
    float* x, unsigned int a0, unsigned int a1, unsigned int a2, unsigned int a3, unsigned int b0,
    unsigned int b1) {
#if __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#else
    multiply_16x8x8<half>(x, a0, a1, b0);
    multiply_16x8x8<half>(x, a2, a3, b1);
#endif
}

template <typename U, int rows, int inner, int columns>
__device__ inline simdgroup_matrix<U, rows, columns> matrix_multiply_accumulate(
    const simdgroup_matrix<half, rows, inner>& a,
    const simdgroup_matrix<half, inner, columns, true>& b,
    const simdgroup_matrix<U, rows, columns>& c) {
#if __CUDA_ARCH__ >= 750
    return multiply_by_tensor_cores(a, b, c);
#else
    return multiply_by_shuffles(a, b, c);
#endif
}

template <typename U, int rows, int inner, int columns>
__device__ inline simdgroup_matrix<U, rows, columns> matrix_multiply_accumulate(
    const simdgroup_matrix<half, rows, inner>& a,
    const simdgroup_matrix<half, inner, columns>& b,
    const simdgroup_matrix<U, rows, columns>& c) {
#if __CUDA_ARCH__ >= 750
    return multiply_by_tensor_cores(a, as_right(b), c);
#else
    return multiply_by_shuffles(a, b, c);
#endif
}

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int a_stride0;
    int b_stride0;
    int b_stride1;
    int c_stride0;
};

extern "C" __global__ void __launch_bounds__(256) async_copies(
    const half* a,
    const half* b,
    half* c,
    const Arguments arguments) {
    __shared__ __align__(16) half tile[2][16][24];
    int threads_per_threadgroup_x = min(int(blockDim.x), arguments.grid_x - int(blockIdx.x) * int(blockDim.x));
    int threads_per_threadgroup_y = min(int(blockDim.y), arguments.grid_y - int(blockIdx.y) * int(blockDim.y));
    int threads_per_threadgroup_z = min(int(blockDim.z), arguments.grid_z - int(blockIdx.z) * int(blockDim.z));
    int threads = threads_per_threadgroup_x * threads_per_threadgroup_y * threads_per_threadgroup_z;
    int thread_index_in_threadgroup = int(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
    // No thread runs beyond the grid; those left at its edge are numbered anew.
    if (thread_index_in_threadgroup >= threads) return;
    uint3 place = threadIdx;
    if (threads != int(blockDim.x * blockDim.y * blockDim.z)) {
        place.x = thread_index_in_threadgroup % threads_per_threadgroup_x;
        place.y = thread_index_in_threadgroup / threads_per_threadgroup_x % threads_per_threadgroup_y;
        place.z = thread_index_in_threadgroup / (threads_per_threadgroup_x * threads_per_threadgroup_y);
    }
    bool a_fits_16 = ((size_t)a | size_t(arguments.a_stride0) * 2) % 16 == 0;
    bool a_fits_8 = ((size_t)a | size_t(arguments.a_stride0) * 2) % 8 == 0;
    int i = thread_index_in_threadgroup;
    a_fits_16 ? copy_pieces<16>(true, &tile[1][i][0], &a[i * arguments.a_stride0], 1) : copy_elements<8>(&tile[1][i][0], &a[i * arguments.a_stride0], 1, 1);
    a_fits_8 ? copy_pieces<8>(true, &tile[1][i][0], &a[i * arguments.a_stride0], 1) : copy_elements<4>(&tile[1][i][0], &a[i * arguments.a_stride0], 1, 1);
    a_fits_8 ? copy_pieces<8>(true, &tile[1][i][4], &a[i * arguments.a_stride0 + 4], 2) : copy_elements<8>(&tile[1][i][4], &a[i * arguments.a_stride0 + 4], 1, 1);
    copy_elements<8>(&tile[1][i][0], &b[i * arguments.b_stride0], 1, arguments.b_stride1);
    copy_elements<1>(&tile[1][i][0], &a[i * arguments.a_stride0], 1, 1);
    async_copy_group();
    async_copy_wait<0>();
    __syncthreads();
    simdgroup_matrix<half, 16, 16> left = matrix_load_aligned<16, 16, false, false>(&tile[1][0][8], 24);
    simdgroup_matrix<half, 16, 16, true> right = matrix_load_aligned<16, 16, true, false>(&tile[1][0][0], 24);
    simdgroup_matrix<half, 16, 16> total = matrix_multiply_accumulate(left, right, matrix_fill<16, 16>(half(0.0f)));
    matrix_store(total, &c[0], arguments.c_stride0, 1);
}
