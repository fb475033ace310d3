"""Right Metal kernels: vectors, matrices, bits, functions."""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from right_case import HEADER, Made, case, floats, random

VALUES = (
    HEADER
    + """
kernel void vectors(device float4* o [[buffer(0)]], device packed_float3* p [[buffer(1)]],
                    device const float4* in [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  float4 v = in[i];
  v.xy = v.wz;
  float3 w = float3(v.zyx);
  w *= 2;
  float4 q = float4(w.xy, float2(1, 2));
  q.w = dot(w, float3(1.0));
  q = select(q, v, q > v);
  o[i] = mix(q, float4(int4(v)), 0.25f) + float4(as_type<float>(as_type<uint>(1.5f)));
  p[i] = w;
}

kernel void packed(device const packed_short4* a [[buffer(0)]], device packed_short4* b [[buffer(1)]],
                   device const packed_uchar3* c [[buffer(2)]], device uchar4* d [[buffer(3)]],
                   uint i [[thread_position_in_grid]]) {
  short4 v = a[i];
  b[i] = packed_short4(v.wzyx + short4(1, 2, 3, 4));
  uchar3 t = c[i];
  d[i] = uchar4(t.bgr, uchar(255));
  d[i].r = t[1];
}

kernel void geometry(device const packed_float3* a [[buffer(0)]],
                     device const packed_float3* b [[buffer(1)]], device packed_float3* out [[buffer(2)]],
                     device float* numbers [[buffer(3)]], uint i [[thread_position_in_grid]],
                     uint n [[threads_per_grid]]) {
  float3 x = a[i], y = b[i];
  out[i] = cross(x, y);
  out[n + i] = normalize(x);
  out[2 * n + i] = reflect(x, normalize(y));
  numbers[i] = dot(x, y);
  numbers[n + i] = length(x);
  numbers[2 * n + i] = distance(x, y);
  numbers[3 * n + i] = length_squared(y);
}

kernel void small_matrices(device const float4x4* m [[buffer(0)]], device const float4* v [[buffer(1)]],
                           device float4* out [[buffer(2)]], device float* numbers [[buffer(3)]],
                           uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  float4x4 a = m[i];
  out[i] = a * v[i];
  out[n + i] = v[i] * a;
  out[2 * n + i] = (transpose(a) * a)[1];
  float2x2 s = float2x2(a[0][0], a[0][1], a[1][0], a[1][1]);
  numbers[i] = determinant(s);
  float3x2 r = float3x2(float2(1, 2), float2(3, 4), float2(5, 6));
  numbers[n + i] = (r * float3(1.0, v[i].x, 0.5)).y;
}

kernel void bits(device const uint* a [[buffer(0)]], device const uint* b [[buffer(1)]],
                 device uint* out [[buffer(2)]], device int* whole [[buffer(3)]],
                 uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  uint x = a[i], y = b[i];
  out[0 * n + i] = popcount(x);
  out[1 * n + i] = clz(x);
  out[2 * n + i] = ctz(x);
  out[3 * n + i] = reverse_bits(x);
  out[4 * n + i] = mulhi(x, y);
  out[5 * n + i] = rotate(x, 5u);
  out[6 * n + i] = absdiff(x, y);
  out[7 * n + i] = addsat(x, y);
  out[8 * n + i] = subsat(x, y);
  out[9 * n + i] = hadd(x, y);
  out[10 * n + i] = rhadd(x, y);
  out[11 * n + i] = extract_bits(x, 5, 11);
  out[12 * n + i] = insert_bits(x, y, 8, 6);
  out[13 * n + i] = clamp(x, 1000u, 4000000000u);
  out[14 * n + i] = max3(x, y, 7u) - min3(x, y, 7u) + median3(x, y, 7u);
  out[15 * n + i] = madhi(x, y, 3u);
  whole[0 * n + i] = abs(int(x));
  whole[1 * n + i] = addsat(int(x), int(y));
  whole[2 * n + i] = mulhi(int(x), int(y));
  whole[3 * n + i] = mul24(int(x & 0xFFFF), int(y & 0xFF)) + mad24(3, 4, 5);
  whole[4 * n + i] = extract_bits(int(x), 20, 12);
  whole[5 * n + i] = int(as_type<short2>(x).y);
}

kernel void relations(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                      device float* out [[buffer(2)]], device uint* truth [[buffer(3)]],
                      uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  float x = a[i], y = b[i];
  out[0 * n + i] = fmin(x, y);
  out[1 * n + i] = fmax(x, y);
  out[2 * n + i] = clamp(x, -0.5f, 0.5f);
  out[3 * n + i] = saturate(x);
  out[4 * n + i] = step(y, x);
  out[5 * n + i] = sign(x);
  out[6 * n + i] = floor(x) + ceil(y) + trunc(x) + rint(y);
  out[7 * n + i] = copysign(x, y);
  out[8 * n + i] = select(x, y, x > y);
  out[9 * n + i] = fract(fabs(y));
  out[10 * n + i] = fmod(x, 0.75f);
  out[11 * n + i] = fdim(x, y);
  out[12 * n + i] = round(x * 2.0);
  truth[0 * n + i] = isnan(y);
  truth[1 * n + i] = isinf(x);
  truth[2 * n + i] = isfinite(x);
  truth[3 * n + i] = signbit(y);
  truth[4 * n + i] = all(float2(x, y) > float2(0.0)) ? 1 : 0;
  truth[5 * n + i] = any(bool2(x > 0, y > 0));
  truth[6 * n + i] = isnormal(x) && !isunordered(x, y);
}

kernel void elementary(device const float* a [[buffer(0)]], device float* out [[buffer(1)]],
                       uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  float x = a[i];
  out[0 * n + i] = precise::exp(x);
  out[1 * n + i] = fast::exp(x);
  out[2 * n + i] = exp2(x);
  out[3 * n + i] = log(x);
  out[4 * n + i] = precise::log2(x);
  out[5 * n + i] = sin(x);
  out[6 * n + i] = metal::precise::cos(x);
  out[7 * n + i] = tanh(x);
  out[8 * n + i] = sqrt(x);
  out[9 * n + i] = rsqrt(x);
  out[10 * n + i] = pow(x, 1.5);
  out[11 * n + i] = atan2(x, 2.0f);
  out[12 * n + i] = exp10(x);
  out[13 * n + i] = powr(x, 0.25f);
  out[14 * n + i] = sinpi(x);
  float cosine;
  float sine = sincos(x, cosine);
  out[15 * n + i] = sine * cosine;
  out[16 * n + i] = log10(x) + log(x) * asin(x / 4) + acos(x / 4) + atan(x);
  out[17 * n + i] = sinh(x) - cosh(x) + asinh(x) + acosh(x + 1) + atanh(x / 4) + tan(x / 3);
  out[18 * n + i] = pow(2, x) + pow(x, 2) + fmax(x, 1);
}

kernel void parts(device const float* a [[buffer(0)]], device float* out [[buffer(1)]],
                  device int* powers [[buffer(2)]], uint i [[thread_position_in_grid]],
                  uint n [[threads_per_grid]]) {
  float x = a[i];
  int power;
  out[i] = frexp(x, power);
  powers[i] = power;
  float whole;
  out[n + i] = modf(x, whole);
  out[2 * n + i] = whole;
  out[3 * n + i] = ldexp(x, 3);
  out[4 * n + i] = nextafter(x, 10.0f);
  powers[n + i] = ilogb(x);
}

kernel void limits(device float* out [[buffer(0)]], device uint* whole [[buffer(1)]]) {
  out[0] = INFINITY;
  out[1] = numeric_limits<float>::max();
  out[2] = numeric_limits<float>::lowest();
  out[3] = float(numeric_limits<half>::max());
  out[4] = M_PI_F;
  out[5] = NAN;
  out[6] = numeric_limits<float>::epsilon();
  out[7] = MAXFLOAT;
  whole[0] = numeric_limits<uint>::max();
  whole[1] = uint(numeric_limits<int>::min());
  whole[2] = sizeof(float3) * 10000 + sizeof(packed_float3) * 100 + alignof(float3);
  whole[3] = sizeof(half4) * 10000 + sizeof(bool) * 100 + sizeof(long);
  whole[4] = sizeof(float3x3) * 1000 + sizeof(ushort3);
}

kernel void packing(device const float4* a [[buffer(0)]], device uint* out [[buffer(1)]],
                    device float4* back [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  out[i] = pack_float_to_unorm4x8(a[i]);
  back[i] = unpack_unorm4x8_to_float(out[i]);
}
"""
)

GENERIC = (
    HEADER
    + """
template <typename T, uint N>
T total(vec<T, N> v) {
  T sum = 0;
  for (uint k = 0; k < N; ++k) sum += v[k];
  return sum;
}
template <typename T>
T total(T v) { return -v; }

template <typename T, uint V, size_t N>
void firsts(thread T (&to)[N], device const vec<T, V> (&from)[N]) {
  for (uint k = 0; k < N; ++k) to[k] = from[k].x;
}
template <typename T, uint N>
void firsts(thread T (&to)[N], device const T (&from)[N]) {
  for (uint k = 0; k < N; ++k) to[k] = from[k];
}
struct Rows { float4 b[3]; };

kernel void counts(device const Rows& rows [[buffer(0)]], device float* out [[buffer(1)]]) {
  float t[3];
  firsts(t, rows.b);
  out[0] = t[1] + t[2];
  out[1] = total(rows.b[0]) + total(float2(1, 2));
  out[2] = total(long3(1, 2, 3)) + total(5);
  out[3] = sizeof(simdgroup_float8x8::storage_type);
}

kernel void matrix_places(device float4x4* m [[buffer(0)]], constant half2x2& h [[buffer(1)]],
                          device float* out [[buffer(2)]], uint i [[thread_index_in_threadgroup]]) {
  threadgroup float2x2 shared[1];
  if (i == 0) shared[0] = float2x2(h);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  device float* row = (device float*)&m[0][i];
  row[3] = shared[0][i % 2][1];
  out[i] = m[0][i].w + h[i % 2].x;
  const simdgroup_float8x8 filled = make_filled_simdgroup_matrix<float, 8, 8>(2.0f);
  thread const auto& held = filled.thread_elements();
  out[i] += held[1];
}
"""
)


@case(GENERIC, grid=1, threads=1)
def counts() -> Made:
    rows = np.arange(12, dtype=np.float32)
    return [rows, np.zeros(4, np.float32)], {1: np.array([12, 9, 1, 8], np.float32)}


@case(GENERIC, grid=4, threads=4)
def matrix_places() -> Made:
    m = np.arange(16, dtype=np.float32)
    h = np.array([1, 2, 3, 4], np.float16)
    changed = m.copy()
    changed[3::4] = [2, 4, 2, 4]
    out = np.array([2 + 1, 4 + 3, 2 + 1, 4 + 3], np.float32) + 2
    return [m, h, np.zeros(4, np.float32)], {0: changed, 2: out}


@case(VALUES, grid=64, threads=64, tolerance=1e-6)
def vectors() -> Made:
    given = floats(64, 4)
    v = given.copy()
    v[:, 0], v[:, 1] = given[:, 3], given[:, 2]
    w = v[:, [2, 1, 0]] * 2
    q = np.stack([w[:, 0], w[:, 1], np.ones(64), w.sum(1)], 1).astype(np.float32)
    q = np.where(q > v, v, q)
    out = (q + (np.trunc(v) - q) * 0.25 + 1.5).astype(np.float32)
    return [np.zeros((64, 4), np.float32), np.zeros((64, 3), np.float32), given], {0: out, 1: w}


@case(VALUES, grid=32, threads=32)
def packed() -> Made:
    a = random().integers(-100, 100, (32, 4)).astype(np.int16)
    c = random(1).integers(0, 256, (32, 3)).astype(np.uint8)
    d = np.concatenate([c[:, ::-1], np.full((32, 1), 255, np.uint8)], 1)
    d[:, 0] = c[:, 1]
    return (
        [a, np.zeros_like(a), c, np.zeros((32, 4), np.uint8)],
        {1: a[:, ::-1] + np.array([1, 2, 3, 4], np.int16), 3: d},
    )


@case(VALUES, grid=40, threads=32, tolerance=1e-6)
def geometry() -> Made:
    a, b = floats(40, 3), floats(40, 3, seed=1)
    x, y = a.astype(np.float64), b.astype(np.float64)
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    out = [
        np.cross(x, y),
        x / np.linalg.norm(x, axis=1, keepdims=True),
        x - 2 * (x * unit).sum(1, keepdims=True) * unit,
    ]
    numbers = [
        (x * y).sum(1),
        np.linalg.norm(x, axis=1),
        np.linalg.norm(x - y, axis=1),
        (y * y).sum(1),
    ]
    return (
        [a, b, np.zeros((3, 40, 3), np.float32), np.zeros((4, 40), np.float32)],
        {2: np.array(out, np.float32), 3: np.array(numbers, np.float32)},
    )


@case(VALUES, grid=32, threads=32, tolerance=1e-6)
def small_matrices() -> Made:
    m, v = floats(32, 4, 4), floats(32, 4, seed=1)  # m[i][column][row]
    columns, x = m.astype(np.float64), v.astype(np.float64)
    out = [
        np.einsum("icr,ic->ir", columns, x),
        np.einsum("icr,ir->ic", columns, x),
        np.einsum("icr,ir->ic", columns, columns[:, 1]),
    ]
    numbers = [
        columns[:, 0, 0] * columns[:, 1, 1] - columns[:, 1, 0] * columns[:, 0, 1],
        2 + 4 * x[:, 0] + 3,
    ]
    return (
        [m, v, np.zeros((3, 32, 4), np.float32), np.zeros((2, 32), np.float32)],
        {2: np.array(out, np.float32), 3: np.array(numbers, np.float32)},
    )


@case(VALUES, grid=64, threads=32)
def bits() -> Made:
    a = random().integers(1, 2**32, 64).astype(np.uint32)
    b = random(1).integers(1, 2**32, 64).astype(np.uint32)
    a[0], b[0] = 0, 0xFFFFFFFF
    x, y = [int(v) for v in a], [int(v) for v in b]

    def signed(v: int, width: int = 32) -> int:
        return (v & (1 << width) - 1) - ((v >> width - 1 & 1) << width)

    def each(f: Callable[[int, int], int]) -> list[int]:
        return [f(p, q) & 0xFFFFFFFF for p, q in zip(x, y, strict=True)]

    out = [
        each(lambda p, q: p.bit_count()),
        each(lambda p, q: 32 - p.bit_length()),
        each(lambda p, q: (p & -p).bit_length() - 1 if p else 32),
        each(lambda p, q: int(f"{p:032b}"[::-1], 2)),
        each(lambda p, q: p * q >> 32),
        each(lambda p, q: p << 5 | p >> 27),
        each(lambda p, q: abs(p - q)),
        each(lambda p, q: min(p + q, 0xFFFFFFFF)),
        each(lambda p, q: max(p - q, 0)),
        each(lambda p, q: p + q >> 1),
        each(lambda p, q: p + q + 1 >> 1),
        each(lambda p, q: p >> 5 & 0x7FF),
        each(lambda p, q: p & ~(0x3F << 8) | (q & 0x3F) << 8),
        each(lambda p, q: min(max(p, 1000), 4000000000)),
        each(lambda p, q: max(p, q, 7) - min(p, q, 7) + sorted((p, q, 7))[1]),
        each(lambda p, q: (p * q >> 32) + 3),
    ]
    whole = [
        each(lambda p, q: abs(signed(p))),
        each(lambda p, q: min(max(signed(p) + signed(q), -(2**31)), 2**31 - 1)),
        each(lambda p, q: signed(p) * signed(q) >> 32),
        each(lambda p, q: (p & 0xFFFF) * (q & 0xFF) + 17),
        each(lambda p, q: signed(p >> 20, 12)),
        each(lambda p, q: signed(p >> 16, 16)),
    ]
    return (
        [a, b, np.zeros((16, 64), np.uint32), np.zeros((6, 64), np.int32)],
        {2: np.array(out, np.uint32), 3: np.array(whole, np.uint32).view(np.int32)},
    )


@case(VALUES, grid=64, threads=32, tolerance=1e-6)
def relations() -> Made:
    a, b = 2 * floats(64), 2 * floats(64, seed=1)
    a[1], b[2] = np.inf, np.nan
    a[3] = b[3] = 0.0
    half = np.float32(0.5)
    with np.errstate(invalid="ignore"):
        out = [
            np.fmin(a, b),
            np.fmax(a, b),
            np.clip(a, -half, half),
            np.clip(a, 0, 1),
            np.where(a < b, 0.0, 1.0),
            np.sign(a),
            np.floor(a) + np.ceil(b) + np.trunc(a) + np.rint(b),
            np.copysign(a, b),
            np.where(a > b, b, a),
            np.modf(np.abs(b))[0],
            np.fmod(a, np.float32(0.75)),
            np.where(np.isnan(b), b, np.maximum(a - b, 0)),
            np.trunc(2 * a + np.copysign(half, a)),
        ]
        truth = [
            np.isnan(b),
            np.isinf(a),
            np.isfinite(a),
            np.signbit(b),
            (a > 0) & (b > 0),
            (a > 0) | (b > 0),
            np.isfinite(a) & (a != 0) & ~np.isnan(b),
        ]
    return (
        [a, b, np.zeros((13, 64), np.float32), np.zeros((7, 64), np.uint32)],
        {2: np.array(out, np.float32), 3: np.array(truth, np.uint32)},
    )


@case(VALUES, grid=64, threads=32, tolerance=2e-6)
def elementary() -> Made:
    a = (0.1 + 3 * random().random(64)).astype(np.float32)
    x = a.astype(np.float64)
    rows = [
        np.exp(x),
        np.exp(x),
        np.exp2(x),
        np.log(x),
        np.log2(x),
        np.sin(x),
        np.cos(x),
        np.tanh(x),
        np.sqrt(x),
        1 / np.sqrt(x),
        x**1.5,
        np.arctan2(x, 2),
        10**x,
        x**0.25,
        np.sin(np.pi * x),
        np.sin(x) * np.cos(x),
        np.log10(x) + np.log(x) * np.arcsin(x / 4) + np.arccos(x / 4) + np.arctan(x),
        np.sinh(x)
        - np.cosh(x)
        + np.arcsinh(x)
        + np.arccosh(x + 1)
        + np.arctanh(x / 4)
        + np.tan(x / 3),
        2**x + x**2 + np.fmax(x, 1),
    ]
    return [a, np.zeros((19, 64), np.float32)], {1: np.array(rows, np.float32)}


@case(VALUES, grid=32, threads=32)
def parts() -> Made:
    a = 5 * floats(32)
    mantissa, power = np.frexp(a)
    fraction, whole = np.modf(a)
    out = [mantissa, fraction, whole, a * 8, np.nextafter(a, np.float32(10))]
    return (
        [a, np.zeros((5, 32), np.float32), np.zeros((2, 32), np.int32)],
        {1: np.array(out, np.float32), 2: np.array([power, power - 1], np.int32)},
    )


@case(VALUES, grid=1, threads=1)
def limits() -> Made:
    info = np.finfo(np.float32)
    out = [np.inf, info.max, info.min, 65504, np.pi, np.nan, info.eps, info.max]
    whole = [2**32 - 1, 2**31, 16 * 10000 + 1200 + 16, 80000 + 100 + 8, 48 * 1000 + 8]
    return (
        [np.zeros(8, np.float32), np.zeros(5, np.uint32)],
        {0: np.array(out, np.float32), 1: np.array(whole, np.uint32)},
    )


@case(VALUES, grid=32, threads=32, tolerance=1e-6)
def packing() -> Made:
    levels = random().integers(0, 256, (32, 4))
    a = (levels / 255).astype(np.float32)
    right = levels.astype(np.uint8).view(np.uint32)[:, 0]
    return [a, np.zeros(32, np.uint32), np.zeros_like(a)], {1: right, 2: a}
