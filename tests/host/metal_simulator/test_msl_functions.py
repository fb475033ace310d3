"""Functions and conversions have Metal's results at their edges, for each type that they take.

The arguments come from memory, so that the compiler computes nothing beforehand.
"""

# ruff: noqa: E501 - the cases are tables

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from right_case import HEADER

from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.simulate import simulate

NAN, INF = float("nan"), float("inf")
LEAST = -(2**31)
FLOATS: dict[str, list[tuple[str, float]]] = {
    "least and greatest": [
        ("fmin(nan, one)", 1), ("fmax(one, nan)", 1), ("min(nan, one)", 1), ("max(nan, two)", 2),
        ("fmin(nan, nan)", NAN), ("clamp(nan, one, two)", 1), ("saturate(nan)", 0),
        ("saturate(-inf)", 0), ("saturate(half(two))", 1), ("median3(two, one, 3 * one)", 2),
        ("fmax3(one, nan, two)", 2), ("fmin(half(nan), half(one))", 1),
    ],
    "whole parts": [
        ("round(2.5f * one)", 3), ("round(-0.5f * one)", -1), ("round(half(2.5f * one))", 3),
        ("rint(2.5f * one)", 2), ("rint(-1.5f * one)", -2), ("rint(half(0.5f * one))", 0),
        ("fract(-1.25f * one)", 0.75), ("fract(-1e-9f * one)", 1 - 2**-24),
        ("fract(half(-1e-7f * one))", 1 - 2**-11), ("fract(inf)", NAN), ("fract(nan)", NAN),
        ("modf(-1.5f * one, w)", -0.5), ("w", -1), ("modf(-inf, w)", -0.0), ("w", -INF),
        ("fmod(-5.5f * one, two)", -1.5), ("fmod(one, zero)", NAN), ("fmod(one, inf)", 1),
        ("float3(fmod(float3(5.5f * one), 2)).y", 1.5),
    ],
    "signs and steps": [
        ("sign(nan)", 0), ("1 / sign(-zero)", -INF), ("sign(half(-two))", -1),
        ("step(nan, one)", 1), ("step(one, zero)", 0), ("copysign(one, -zero)", -1),
        ("fdim(one, nan)", NAN), ("fdim(one, two)", 0), ("abs(half(-inf))", INF),
    ],
    "powers": [
        ("pow(zero, zero)", 1), ("pow(-two, 3 * one)", -8), ("pow(-two, 0.5f)", NAN),
        ("powr(zero, zero)", NAN), ("powr(inf, zero)", NAN), ("powr(one, inf)", NAN),
        ("powr(-two, one)", NAN), ("powr(-zero, two)", 0), ("powr(zero, -one)", INF),
        ("ldexp(one, -149)", 2.0**-149), ("ldexp(half(one), 16)", INF),
        ("ldexp(half2(one, 3 * one), int2(-24, 2)).y", 12), ("frexp(zero, e)", 0), ("e", 0),
        ("frexp(half(6 * one), e)", 0.75), ("e", 3), ("frexp(-two, e)", -0.5), ("e", 2),
        ("ilogb(half(0x1p-20f * one))", -20), ("nextafter(half(one), half(two))", 1 + 2**-10),
    ],
    "vectors": [
        ("normalize(float3(zero)).x", NAN), ("normalize(float2(3, 4) * one).y", 0.8),
        ("fma(v, 2.0f, 1.0f).y", -3), ("fma(2, v, half(one)).z", 7), ("select(0, v, v > 0).y", 0),
        ("select(v, 9.0f, v > 0).x", 9), ("select(v, 0, true).x", 0), ("clamp(v, 0, 2.0f).z", 2),
        ("clamp(v, float4(2), 2.5f).z", 2.5), ("mix(0, v, 0.5f).y", -1), ("mix(v, 7, v).x", 7),
        ("smoothstep(-2, one, v).x", 1), ("max3(v, 0.5f, 0).y", 0.5),
        ("mix(half3(one), 3, half(0.5f)).z", 2),
    ],
    "conversions": [
        ("half(65519.0f * one)", 65504), ("half(65520.0f * one)", INF),
        ("half(1.00048828125f * one)", 1), ("half(1.00146484375f * one)", 1 + 2**-9),
        ("half(0x1.8p-25f * one)", 2.0**-24), ("half(70000 * int(one))", INF),
        ("float(bfloat(1.00390625f * one))", 1), ("float(bfloat(1.01171875f * one))", 1.015625),
        ("float(ulong(-1) * ulong(one))", 2.0**64), ("float(16777217 * int(one))", 2.0**24),
        ("bool(nan)", 1), ("bool(0.5f * one)", 1), ("bool(-zero)", 0),
        ("float3(bool3(float3(nan, zero, one))).x", 1), ("((half4)v).y", -2),
        ("((float4)two).w", 2), ("((float4)int4(v)).y", -2), ("(-(int4)v).y", 2),
        ("((int4)(half4)v * 2)[2]", 6), ("((vec<float, 2>)half2(one)).x", 1),
        ("((float4)(one < two ? 2 * one : 0.0f)).z", 2), ("vec<bool, 4>(v > 0).y", 0),
        ("half4x4(float4x4(two))[1][1]", 2), ("((float4x4)half4x4(half(two)))[3].w", 2),
        ("half2x3(float2x3(float3(1, 2, 3), v.xyz))[1].y", -2),
        ("as_type<float>(0x7f800000 * int(one))", INF), ("as_type<half2>(0x3c004000u).x", 2),
    ],
}  # fmt: skip
WHOLE: dict[str, list[tuple[str, int]]] = {
    "floats beyond the range": [
        ("int(3e10f * one)", 2**31 - 1), ("int(-inf)", LEAST), ("int(nan)", 0),
        ("uint(-3.0f * one)", 0), ("uint(5e9f * one)", 2**32 - 1), ("uint(-0.9f * one)", 0),
        ("uchar(300.0f * one)", 255), ("char(-300.0f * one)", -128), ("ushort(-one)", 0),
        ("short(half(inf))", 32767), ("long(1e30f * one) == 0x7fffffffffffffff", 1),
        ("ulong(-one)", 0), ("int3(float3(inf, one, nan)).x", 2**31 - 1), ("uchar4(v * 200).z", 255),
        ("uint(bfloat(-two))", 0), ("uchar(300 * int(one))", 44), ("int(-1.9f * one)", -1),
    ],
    "bits": [
        ("clz(n0)", 32), ("ctz(n0)", 32), ("clz(ushort(n0))", 16), ("ctz(char(n0))", 8),
        ("clz(ulong(n0))", 64), ("popcount(char(-1 - n0))", 8), ("popcount(long(-1 - n0))", 64),
        ("extract_bits(0xF0F0F0F0u + n0, 0, 32) == 0xF0F0F0F0u", 1), ("extract_bits(5u, 3, n0)", 0),
        ("extract_bits(-8 + n0, 3, 2)", -1), ("extract_bits(char(-1 - n0), 0, 8)", -1),
        ("extract_bits(0x80u + n0, 7, 1)", 1), ("insert_bits(7u, 9u, 0, 32 + n0)", 9),
        ("insert_bits(7u, 9u, 4, n0)", 7), ("insert_bits(uchar(0xFF), uchar(n0), 4, 4)", 15),
        ("rotate(uchar(0x81 + n0), uchar(9))", 3), ("rotate(1u + n0, 32u)", 1),
        ("rotate(int2(LEAST_INT), 1)[1]", 1), ("reverse_bits(uchar(1 + n0))", 128),
    ],
    "sums and products": [
        ("absdiff(LEAST_INT + n0, 2147483647) == 0xFFFFFFFFu", 1),
        ("absdiff(char(-100 + n0), char(100))", 200), ("absdiff(int4(-1), int4(2 + n0)).x", 3),
        ("addsat(char(100 + n0), char(100))", 127), ("addsat(char(-100 + n0), char(-100))", -128),
        ("subsat(uchar(3 + n0), uchar(5))", 0), ("subsat(2147483647 - n0, -1)", 2**31 - 1),
        ("hadd(char(-1 + n0), char(0))", -1), ("rhadd(char(-1 + n0), char(0))", 0),
        ("hadd(2147483647 + n0, 2147483645)", 2**31 - 2), ("rhadd(0xFFFFFFFFu, 1u + n0) >> 31", 1),
        ("mulhi(short(-300 + n0), short(300))", -2), ("mulhi(LEAST_INT + n0, LEAST_INT)", 2**30),
        ("madhi(1u << 31, 4u + n0, 5u)", 7), ("madsat(short(300), short(300 + n0), short(1))", 32767),
        ("madsat(LEAST_INT + n0, 2, 0)", LEAST), ("mul24(-5 + n0, 3)", -15), ("mad24(5, 3 + n0, -1)", 14),
        ("abs(LEAST_INT + n0)", LEAST), ("clamp(7 + n0, -1, 5)", 5),
        ("clamp(int3(7 + n0), 1, int3(3)).y", 3), ("max(uint2(1), 3u + n0).x", 3),
        ("select(int4(1), int4(2), bool4(true, false, true, false)).z", 2),
    ],
    "relations": [
        ("isnormal(half(0x1p-20f * one))", 0), ("isnormal(half(one))", 1), ("isnan(half(nan))", 1),
        ("isinf(half(70000.0f * one))", 1), ("isfinite(bfloat(one))", 1), ("signbit(-zero)", 1),
        ("isunordered(one, nan)", 1), ("isordered(half(one), half(two))", 1),
        ("all(isnan(float2(nan, one)))", 0), ("any(isnan(float2(nan, one)))", 1),
        ("nan == nan", 0), ("nan != nan", 1), ("is_integral<int4>::value", 1),
        ("is_integral_v<float2>", 0), ("is_floating_point_v<half3>", 1), ("is_scalar_v<int4>", 0),
    ],
    "packing": [
        ("pack_float_to_unorm4x8(float4(nan, -one, two, 0.5f)) == 0x80FF0000u", 1),
        ("pack_float_to_snorm4x8(float4(nan, -two, one, -0.5f)) == 0xC07F8100u", 1),
        ("pack_half_to_snorm2x16(half2(half(one), half(-one))) == 0x80017FFFu", 1),
        ("pack_float_to_unorm2x16(float2(one, zero))", 65535),
        ("pack_float_to_unorm10a2(float4(one, 0, 0, one)) == 0xC00003FFu", 1),
        ("pack_float_to_unorm565(float3(one, zero, one)) == 0xF81F", 1),
        ("pack_float_to_srgb_unorm4x8(float4(0.5f * one, 0, 1, 0.5f)) == 0x80FF00BCu", 1),
        ("int(unpack_snorm4x8_to_float(0x8081u + n0).y * 100)", -100),
        ("int(unpack_snorm4x8_to_float(0x8081u + n0).x * 100)", -100),
        ("int(unpack_unorm565_to_half(0x07E0 + n0).y)", 1),
        ("int(unpack_unorm10a2_to_float(0xC0000000u + n0).w)", 1),
        ("int(unpack_unorm4x8_srgb_to_float(0xFF0000BCu + n0).x * 1000)", 502),
    ],
    "shifts of vectors": [
        ("(int4(-8 + n0) >> uint4(1)).x", -4), ("(short4(1 + n0) << 17).x", 2),
        ("(uchar2(1 + n0) << int2(9))[0]", 2), ("(ulong2(1) << uint2(33 + n0)).y == 1ul << 33", 1),
    ],
}  # fmt: skip


def source(kind: str, cases: list[tuple[str, Any]]) -> str:
    lines = "\n".join(f"  o[{i}] = {expression};" for i, (expression, _) in enumerate(cases))
    return f"""{HEADER}
constant int LEAST_INT = -2147483647 - 1;
kernel void k(device {kind}* o [[buffer(0)]], device const float* f [[buffer(1)]],
              device const float4* vs [[buffer(2)]], constant uint& zero_uint [[buffer(3)]]) {{
  const float nan = f[0], inf = f[1], zero = f[2], one = f[3], two = f[4];
  const float4 v = vs[0];
  const int n0 = int(zero_uint);
  float w = nan + inf + zero + one + two + v.x;
  int e = n0;
{lines}
  o[{len(cases)}] = w + e;
}}
"""


def values(kind: str, dtype: Any, cases: list[tuple[str, Any]]) -> Any:
    out = np.zeros(len(cases) + 1, dtype)
    given = np.array([NAN, INF, 0, 1, 2], np.float32)
    vector = np.array([1, -2, 3, 4], np.float32)
    simulate(source(kind, cases)).function("k")(out, given, vector, np.uint32(0), grid=1)
    return out[:-1]


@pytest.mark.parametrize("topic", FLOATS)
def test_floats(topic):
    cases = FLOATS[topic]
    found = values("float", np.float32, cases)
    wrong = {
        expression: (float(value), right)
        for value, (expression, right) in zip(found, cases, strict=True)
        if not np.array_equal(value, np.float32(right), equal_nan=True)
    }
    assert wrong == {}


@pytest.mark.parametrize("topic", WHOLE)
def test_integers(topic):
    cases = WHOLE[topic]
    found = values("long", np.int64, cases)
    wrong = {
        expression: (int(value), right)
        for value, (expression, right) in zip(found, cases, strict=True)
        if value != right
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("kind", "cases"),
    [
        *(("float", cases) for cases in FLOATS.values()),
        *(("long", cases) for cases in WHOLE.values()),
    ],
)
def test_lint_has_nothing_to_say(kind, cases):
    assert lint(source(kind, cases)) == ()


BFLOATS = (
    HEADER
    + """
kernel void numbers(device const bfloat* b [[buffer(0)]], device float* o [[buffer(1)]],
                    device uint* u [[buffer(2)]], device short* s [[buffer(3)]],
                    uint i [[thread_position_in_grid]]) {
  o[i] = b[i];
  o[i] += b[i];
  o[i] -= 0.5f * b[i];
  u[i] = b[i];
  u[i] += b[i];
  s[i] = i < 2 ? b[i] : 0;
}

kernel void groups(device const bfloat* b [[buffer(0)]], device bfloat* o [[buffer(1)]],
                   uint i [[thread_position_in_grid]]) {
  o[i] = simd_sum(b[i]);
  o[32 + i] = simd_max(b[i]);
  o[64 + i] = simd_shuffle_xor(b[i], 1);
  o[96 + i] = simd_prefix_exclusive_sum(b[i]);
  o[128 + i] = quad_sum(bfloat2(b[i], bfloat(1.0f))).y;
}

kernel void volatiles(volatile device float4* v [[buffer(0)]], device float2* o [[buffer(1)]]) {
  v[1] = v[0] + float4(20.0f);
  float4 x = v[1];
  v[0] = x * 2;
  volatile int3 w = int3(1);
  w = int3(5, 6, 7);
  o[0] = v[0].zw + float2(w.x);
}
"""
)


@pytest.fixture(scope="module")
def bfloats() -> Any:
    return simulate(BFLOATS)


def test_a_bfloat_becomes_another_number_by_itself(bfloats):
    b = np.array([1.5, 7.75, 300], ml_dtypes.bfloat16)
    o, u, s = np.zeros(3, np.float32), np.zeros(3, np.uint32), np.zeros(3, np.int16)
    bfloats.function("numbers")(b, o, u, s, grid=3)
    np.testing.assert_array_equal(o, [2.25, 11.625, 450])
    np.testing.assert_array_equal(u, [2, 14, 600])
    np.testing.assert_array_equal(s, [1, 7, 0])


def test_simdgroups_combine_bfloats(bfloats):
    b = np.arange(32).astype(ml_dtypes.bfloat16)
    o = np.zeros((5, 32), ml_dtypes.bfloat16)
    bfloats.function("groups")(b, o, grid=32, threads=32)
    whole = np.arange(32)
    prefixes = np.zeros(32, ml_dtypes.bfloat16)
    for i in range(31):  # each sum is rounded to bfloat
        prefixes[i + 1] = prefixes[i] + b[i]
    for row, right in enumerate(
        [np.full(32, 496), np.full(32, 31), whole ^ 1, prefixes, 4 + 0 * whole]
    ):
        np.testing.assert_array_equal(o[row].astype(np.float32), right.astype(np.float32))


def test_volatile_vectors_are_read_and_written(bfloats):
    v, o = np.arange(8, dtype=np.float32).reshape(2, 4), np.zeros(2, np.float32)
    bfloats.function("volatiles")(v, o, grid=1)
    np.testing.assert_array_equal(v, [[40, 42, 44, 46], [20, 21, 22, 23]])
    np.testing.assert_array_equal(o, [49, 51])


def test_lint_knows_bfloats_and_volatile_vectors():
    assert lint(BFLOATS) == ()


LONG = """#include <metal_stdlib>
using namespace metal;
long simd_shuffle_down(long d, ushort n) {
  return as_type<long>(metal::simd_shuffle_down(as_type<uint2>(d), n));
}
kernel void k(device const long* a [[buffer(0)]], device long* o [[buffer(1)]],
              uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  o[i] = simd_sum(a[i]);
  o[n + i] = simd_max(a[i]);
  o[2 * n + i] = simd_prefix_inclusive_sum(a[i]);
  long2 swapped = simd_shuffle(long2(a[i], -a[i]), ushort(i ^ 1));
  o[3 * n + i] = swapped.x - swapped.y;
  long down = simd_shuffle_down(a[i], 1);
  o[4 * n + i] = i < n - 1 ? down : 0;
}
"""


def test_simdgroup_functions_of_64_bits_run_and_are_told_by_lint():
    """Metal has none, so that texts bring their own; those that do not are no reason to stop."""
    a = np.arange(32) * 2**33 - 5
    o = np.zeros((5, 32), np.int64)
    simulate(LONG).function("k")(a, o, grid=32)
    down = np.append(a[1:], 0)
    want = [np.full(32, a.sum()), np.full(32, a.max()), a.cumsum(), 2 * a[np.arange(32) ^ 1], down]
    assert o.tolist() == [row.tolist() for row in want]
    assert {found.line for found in lint(LONG)} == {8, 9, 10, 11}
