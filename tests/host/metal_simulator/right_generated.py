"""Right Metal kernels: as generators and large collections of kernels write them."""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

import numpy as np
from right_case import HEADER, Made, case, floats

# Generators name every type with its namespace, and use single names of it.
NAMES = """
#include <metal_stdlib>
#include <simd/simd.h>
using metal::uint;
struct Pair { metal::packed_float3 first; float second; metal::float2x2 turn; };
struct Numbers { metal::uint2 at; metal::bool2 is_on; metal::uint8_t small; };
kernel void spelled(device metal::float4* x [[buffer(0)]], device Pair* pairs [[buffer(1)]],
                    device uint* counts [[buffer(2)]], metal::uint3 id [[thread_position_in_grid]],
                    metal::uint3 origin [[grid_origin]]) {
    uint i = id.x + origin.x;
    Numbers n = {metal::uint2(i, 2u * i), metal::bool2(true, i > 1u), metal::uint8_t(i)};
    metal::float4 v = metal::float4(metal::float2(pairs[i].turn * x[i].xy), pairs[i].second, 1.0);
    x[i] = v + static_cast<metal::float4>(metal::int4(int(i)));
    pairs[i].first = metal::float3(1.0, 2.0, float(n.at.y));
    pairs[i].first[1] = pairs[i].first.x * 3.0;
    counts[i] = metal::select(0u, uint(n.small), n.is_on.y);
}
kernel void vectors_of_simd(device simd_float4* x [[buffer(0)]], device vector_float2* y [[buffer(1)]],
                            constant simd::float2x2& m [[buffer(2)]], uint i [[thread_position_in_grid]]) {
    y[i] = m * x[i].zw + simd::float2(1.0);
}
"""


@case(NAMES, grid=4, threads=4)
def spelled() -> Made:
    x = floats(4, 4, seed=1)
    pairs = np.zeros((4, 8), np.float32)  # packed_float3, float, then two columns
    pairs[:, 3:8] = floats(4, 5, seed=2)
    i = np.arange(4, dtype=np.float32)
    columns = pairs[:, 4:].reshape(4, 2, 2)
    turned = columns[:, 0] * x[:, :1] + columns[:, 1] * x[:, 1:2]
    result = np.concatenate([turned, pairs[:, 3:4], np.ones((4, 1), np.float32)], axis=1)
    after = pairs.copy()
    after[:, 0], after[:, 1], after[:, 2] = 1, 3, 2 * i
    counts = np.where(i > 1, i, 0).astype(np.uint32)
    return [x, pairs, np.zeros(4, np.uint32)], {0: result + i[:, None], 1: after, 2: counts}


@case(NAMES, grid=4, threads=4, tolerance=1e-6)
def vectors_of_simd() -> Made:
    x, m = floats(4, 4), floats(2, 2)
    return [x, np.zeros((4, 2), np.float32), m], {1: x[:, 2:] @ m + 1}


MEMBERS = (
    HEADER
    + """
typedef struct Row {
    float4 at[2];
    inline thread float4& operator[](const int i) { return at[i]; }
    inline device float4& operator[](const int i) device { return at[i]; }
    inline threadgroup float4& operator[](const int i) threadgroup { return at[i]; }
    inline const device float4& operator[](const int i) const device { return at[i]; }
} Row;
typedef struct { float by, plus; } Scale;
extern "C" struct Offset { float value; };
namespace inner {
class Sum {
  private:
    float total;
  public:
    Sum() thread = default;
    Sum() threadgroup = default;
    Sum(float start) : total(start) {}
    thread Sum& add(float x) { total += x; return *this; }
    thread float& value() { return total; }
    const thread float& value() const { return total; }
    thread float& behind();
};
}  // namespace inner
thread float& inner::Sum::behind() { return total; }
template <typename T> struct Holder { T value; constexpr Holder<T>() threadgroup = default; };
template <ushort N> float sum_of(threadgroup float parts[N], device float* unused) {
    float s = 0;
    for (ushort i = 0; i < N; ++i) s += parts[i];
    return s;
}
struct Parts {
    threadgroup float* at;
    Parts(threadgroup float all[4]) { at = all; }
};
extern "C" float tripled(float x) { return 3 * x; }
extern "C" kernel void members(device Row* rows [[buffer(0)]], constant Scale& scale [[buffer(1)]],
                               device float* out [[buffer(2)]], const device Row* more [[buffer(3)]],
                               uint i [[thread_index_in_threadgroup]]) {
    threadgroup float parts[4];
    parts[i] = rows[0][0][i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    Parts all(parts);
    Row own;
    own[0] = rows[0][1] * scale.by + scale.plus;
    own[1] = own[0] + more[0][1];
    inner::Sum sum(own[1][i]);
    sum.add(1).add(2);
    sum.value() += 3;
    sum.behind() += 1;
    const inner::Sum same = sum;
    out[i] = tripled(same.value()) + sum_of<4>(parts, out) + all.at[3 - i];
}
"""
)


@case(MEMBERS, grid=4, threads=4, tolerance=1e-6)
def members() -> Made:
    rows, more = floats(1, 2, 4, seed=3), floats(1, 2, 4, seed=4)
    own = rows[0, 1] * 2 + 0.5 + more[0, 1] + 7
    result = 3 * own + rows[0, 0].sum() + rows[0, 0][::-1]
    scale = np.array([2, 0.5], np.float32)
    return [rows, scale, np.zeros(4, np.float32), more], {2: result.astype(np.float32)}


SIZES = (
    HEADER
    + """
template <uint N> float total(vec<float, N> v) { float s = 0; for (uint i = 0; i < N; ++i) s += v[i]; return s; }
template <typename T> T shared(T v) { return simd_broadcast(v, 0); }
template <uint N> vec<bool, N> shared(vec<bool, N> v) { return (vec<bool, N>)simd_broadcast((vec<ushort, N>)v, 0); }
template <typename T, uint V, uint N> void copy(thread T (&to)[N], device const vec<T, V> (&from)[N]) {
    for (uint i = 0; i < N; i++) to[i] = from[i].x - (V - 5 < 0 ? 100 : 0);
}
template <typename T> struct Size;
template <typename T, size_t N> struct Size<vec<T, N>> { static constexpr constant size_t value = N; };
struct Block { float4 at[3]; };
kernel void sizes(device float4* x [[buffer(0)]], device Block& block [[buffer(1)]], device float* out [[buffer(2)]]) {
    float first[3];
    copy(first, block.at);
    out[0] = total(x[0]) + total(x[0].xy);
    bool4 is_positive = shared(x[0] > 0.0f);
    out[1] = all(is_positive) ? 1 : is_positive.y ? 2 : 3;
    out[2] = first[2] + shared(1.0f);
    out[3] = Size<float3>::value;
}
"""
)


@case(SIZES, grid=1, threads=1)
def sizes() -> Made:
    x = np.array([[-1, 2, 4, 8]], np.float32)
    block = np.arange(12, dtype=np.float32).reshape(3, 4)
    # 4 - 5 is great without a sign, as V has none.
    return [x, block, np.zeros(4, np.float32)], {2: np.array([14, 2, 9, 3], np.float32)}


CASTS = (
    HEADER
    + """
struct Quarter { float value; };
void read_quarter(device const Quarter* q, short i, thread float4& r) { r = (float4)q[i].value; }
template <short R, typename Q, void (*READ)(device const Q*, short, thread float4&)>
kernel void reads(device const Q* q [[buffer(0)]], device float4* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    float4 v;
    READ(q, i, v);
    out[i] = v * R;
}
typedef decltype(reads<2, Quarter, read_quarter>) reads_t;
template [[host_name("reads_2")]] kernel reads_t reads<2, Quarter, read_quarter>;

constexpr constant float4 steps = float4(1, 2, 3, 4);
constexpr float2 doubled(float a) { return float2(a, 2 * a); }
static_assert(int(steps.y) + int(doubled(3.0f)[1]) == 8, "vectors are known to the compiler");
struct Matrices { float4x4 square; float2x3 flat; };
float4 clamped(float4 x) { return clamp(x, (float4)-8.0, (float4)8.0); }
kernel void casts(device int4* whole [[buffer(0)]], device packed_float3* tight [[buffer(1)]],
                  device Matrices& m [[buffer(2)]], volatile device float4* watched [[buffer(3)]],
                  device half4* halves [[buffer(4)]], constant packed_float3& factor [[buffer(5)]]) {
    float4 v = (float4)whole[0] * 0.5f + static_cast<float4>(whole[1]);
    vec<bool, 4> is_less = v < (float4)(half4)halves[0];
    v = select(v, clamped(v) + (float4)(is_less.x ? 1.0f : 2.0f), is_less);
    watched[1] = v - watched[0] + (float4)(float(int3(0, 1, int(steps.x)).z) - 1.0f);
    tight[1] = 2.0f * tight[0] + tight[0] * factor;
    tight[1] += float3(1.0);
    ((device float*)&m.square[2])[1] = tight[1].z;
    device float* row = (device float*)&m.flat[1];
    row[0] = 7;
    halves[1] = (half4)v;
    thread float* parts = reinterpret_cast<thread float*>(&v);
    halves[2] = half4(parts[3]);
}
"""
)


@case(CASTS, grid=3, threads=3, kernel="reads_2")
def reads_2() -> Made:
    q = floats(3)
    return [q, np.zeros((3, 4), np.float32)], {1: np.repeat(2 * q[:, None], 4, axis=1)}


@case(CASTS, grid=1, threads=1)
def casts() -> Made:
    whole = np.array([[1, 2, 3, 40], [1, 1, 1, 1]], np.int32)
    tight = np.array([[1, 2, 3], [0, 0, 0]], np.float32)
    matrices = np.zeros(24, np.float32)
    watched = np.array([[1, 1, 1, 1], [0, 0, 0, 0]], np.float32)
    halves = np.zeros((3, 4), np.float16)
    halves[0] = [9, 0, 9, 9]
    factor = np.array([1, 10, 100], np.float32)
    v = np.array([1.5 + 1, 2, 2.5 + 1, 21], np.float32)
    after, changed = tight.copy(), matrices.copy()
    after[1] = 2 * tight[0] + tight[0] * factor + 1
    changed[9], changed[20] = after[1, 2], 7
    written = halves.copy()
    written[1], written[2] = v, v[3]
    seen = np.array([watched[0], v - watched[0]])
    expected = {1: after, 2: changed, 3: seen, 4: written}
    return [whole, tight, matrices, watched, halves, factor], expected


LIBRARY = (
    HEADER
    + """
#include <metal_assert>
#define LEAST(x, y) ((x) < (y) ? (x) : (y))
#define COUNT 4
struct Found { float value; uint at; };
template <> struct metal::_numeric_limits_impl<Found> {
    static constexpr constant bool is_specialized = true;
    static constexpr Found lowest() { return Found{-1.0f, 9u}; }
};
struct Always { constexpr operator bool() const { return true; } };
struct Quarter { constexpr operator float() const { return 0.25f; } };
inline float sum_of(float4 v) { return v.x + v.y + v.z + v.w; }
template <typename T> inline float dot(T a, T b) { return 100 * sum_of(a * b); }
constant half half_table[2] = {0.5h, 2.0h};
kernel void inner_names(device float* x [[buffer(0)]], device bfloat* b [[buffer(1)]], device uint* u [[buffer(2)]]) {
    assert(x[0] > 0 && x[1] > 0);
#pragma unroll(LEAST(COUNT, 8))
    for (short i = 0; i < COUNT; ++i) x[i] *= float(half_table[i & 1]);
#pragma clang loop unroll_count(COUNT)
    for (short i = 0; i < COUNT; ++i) x[i] += 1;
    x[4] = vec_elements<float3>::value + __is_valid_simdgroup_type<float2>::value;
    x[5] = numeric_limits<Found>::lowest().value + numeric_limits<half>::max();
    x[5] += numeric_limits<int3>::lowest().z == -2147483647 - 1 && numeric_limits<half2>::digits == 11;
    u[0] = b[0];
    u[0] += b[1];
    bool is_on = b[1];
    x[6] = is_on ? 1 : 2;
    x[6] += b[0];
    b[2] = is_on ? b[0] : 0;
    Always always;
    bfloat one = always;
    bfloat4 none = 0;
    none.y = one;
    x[8] = none.x + none.y + float(bfloat(Quarter()));
    x[9] = dot(float4(x[0]), float4(2.0f));
    simdgroup_float8x8 m[1];
    m[0] = make_filled_simdgroup_matrix<float, 8, 8>(3.0f);
    const thread auto& own = m[0].thread_elements();
    x[7] = own[1];
}
"""
)


@case(LIBRARY, grid=1, threads=1)
def inner_names() -> Made:
    x = np.array([1, 2, 3, 4, 0, 0, 0, 0, 0, 0], np.float32)
    b = np.array([0x4020, 0x3FC0, 0], np.uint16)  # 2.5, 1.5, 0 as bfloat
    result = np.array([1.5, 5, 2.5, 9, 4, 65504, 3.5, 3, 1.25, 12], np.float32)
    return [x, b, np.zeros(1, np.uint32)], {
        0: result,
        1: np.array([0x4020, 0x3FC0, 0x4020], np.uint16),
        2: np.array([3], np.uint32),
    }
