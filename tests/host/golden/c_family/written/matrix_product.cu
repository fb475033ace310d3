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

struct Arguments {
    int grid_x;
    int grid_y;
    int grid_z;
    int a_stride0;
    int a_extent1;
    int b_stride0;
    int c_stride0;
};

extern "C" __global__ void __launch_bounds__(256) matrix_product(
    const float* a,
    const float* b,
    float* c,
    const Arguments arguments) {
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
    int row = int(blockIdx.y) * 8;
    int column = int(blockIdx.x) * 8;
    simdgroup_matrix<float, 8, 8> total = matrix_fill<8, 8>(0.0f);
    for (int k = 0; k < arguments.a_extent1; k += 8) {
        simdgroup_matrix<float, 8, 8> left = matrix_load<8, 8>(&a[row * arguments.a_stride0 + k], arguments.a_stride0, 1);
        simdgroup_matrix<float, 8, 8> right = matrix_load<8, 8>(&b[k * arguments.b_stride0 + column], arguments.b_stride0, 1);
        total = matrix_multiply_accumulate(left, right, total);
    }
    matrix_store(total, &c[row * arguments.c_stride0 + column], arguments.c_stride0, 1);
}
