"""Integers compute as Metal has them, not as the host's processor: shifts, division, overflow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from right_case import HEADER

from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.simulate import simulate

TYPES = ("char", "uchar", "short", "ushort", "int", "uint", "long", "ulong")
DTYPES = dict(zip(TYPES, ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"], strict=True))
KERNELS = HEADER + "".join(
    f"""
kernel void shifts_{kind}(device const {kind}* a [[buffer(0)]], device const int* n [[buffer(1)]],
                          device {kind}* o [[buffer(2)]], uint i [[thread_position_in_grid]],
                          uint count [[threads_per_grid]]) {{
  {kind} x = a[i];
  o[i] = x << n[i];
  o[count + i] = x >> n[i];
  {kind} y = x, z = x;
  y <<= n[i]; z >>= ulong(n[i]);
  o[2 * count + i] = y;
  o[3 * count + i] = z;
  o[4 * count + i] = ({kind}2(x) << {kind}2({kind}(n[i])))[1];
  o[5 * count + i] = ({kind}3(x) >> uint3(uint(n[i]))).z;
}}
kernel void divisions_{kind}(device const {kind}* a [[buffer(0)]],
                             device const {kind}* b [[buffer(1)]], device {kind}* o [[buffer(2)]],
                             uint i [[thread_position_in_grid]],
                             uint count [[threads_per_grid]]) {{
  {kind} x = a[i], y = b[i];
  o[i] = x / y;
  o[count + i] = x % y;
  {kind} z = x, w = x;
  z /= y; w %= y;
  o[2 * count + i] = z;
  o[3 * count + i] = w;
  o[4 * count + i] = ({kind}4(x) / y).w;
  o[5 * count + i] = (x % {kind}2(y)).x;
}}
"""
    for kind in TYPES
)
NEVER = (
    HEADER
    + """
constant constexpr uint MASK = (1u << 33) - 1;
template <int bits>
constexpr uint mask() { return (1u << bits) - 1; }
template <int N>
struct Half { array<vec<int, (N >> 1)>, (N / 2)> values; };
struct Fields { uint low : 4; uint high : 28; };
enum Kind { FIRST = 5, SECOND = 40 / FIRST };

kernel void constants(device uint* o [[buffer(0)]], device int* s [[buffer(1)]]) {
  o[0] = MASK;
  o[1] = mask<32>();
  o[2] = 0xFFu >> 36;
  o[3] = sizeof(Half<4>) / sizeof(int);
  Fields fields;
  fields.high = 100; fields.low = 3;
  o[4] = fields.high / fields.low + (fields.high << fields.low);
  o[5] = SECOND;
  o[6] = 100 / SECOND % FIRST * 2;
  int big = 0x7FFFFFFF;
  s[0] = big + int(fields.low);
  s[1] = -(big + 1);
  s[2] = big * 3;
  s[3] = abs(big + 1);
  s[4] = as_type<int2>(int2(big) + 1).x;
  s[5] = -8 << 29;
  s[6] = bool(fields.low) << 4;
  s[7] = s[7] + 1 > s[7];
}
"""
)


@pytest.fixture(scope="module")
def library() -> Any:
    return simulate(KERNELS, strict=False)


def edges(kind: str) -> np.ndarray[Any, Any]:
    info = np.iinfo(DTYPES[kind])
    values = {info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, 7, 100}
    if info.min < 0:
        values |= {-1, -2, -7}
    return np.array(sorted(values), DTYPES[kind])


def wrapped(values: list[int], kind: str) -> np.ndarray[Any, Any]:
    bits = 8 * np.dtype(DTYPES[kind]).itemsize
    unsigned = np.array([value & ((1 << bits) - 1) for value in values], np.uint64)
    return unsigned.astype(f"u{bits // 8}").view(DTYPES[kind])


@pytest.mark.parametrize("kind", TYPES)
def test_shifts_take_the_low_bits_of_their_count(library, kind):
    """A scalar is shifted as an int at least, an element of a vector as what it is."""
    counts = [0, 1, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 1000, -1, -33]
    a = np.repeat(edges(kind), len(counts))
    n = np.tile(np.array(counts, np.int32), len(edges(kind)))
    out = np.zeros((6, a.size), a.dtype)
    library.function(f"shifts_{kind}")(a, n, out, grid=a.size)
    width = 8 * a.itemsize
    scalar, element = max(width, 32) - 1, width - 1
    pairs = [(int(x), int(k)) for x, k in zip(a, n, strict=True)]
    left = wrapped([x << (k & scalar) for x, k in pairs], kind)
    right = wrapped([x >> (k & scalar) for x, k in pairs], kind)
    np.testing.assert_array_equal(out[0], left)
    np.testing.assert_array_equal(out[1], right)
    np.testing.assert_array_equal(out[2], left)
    np.testing.assert_array_equal(out[3], right)
    np.testing.assert_array_equal(out[4], wrapped([x << (k & element) for x, k in pairs], kind))
    np.testing.assert_array_equal(out[5], wrapped([x >> (k & element) for x, k in pairs], kind))


def divided(x: int, y: int) -> tuple[int, int]:
    """Quotient and remainder as the simulator gives them: all bits where there is none."""
    if y == 0:
        return -1, -1
    quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
    return quotient, x - quotient * y


@pytest.mark.parametrize("kind", TYPES)
def test_divisions_without_a_result_are_counted_and_go_on(library, kind):
    values = edges(kind)
    a, b = np.repeat(values, values.size), np.tile(values, values.size)
    out = np.zeros((6, a.size), a.dtype)
    execution = library.function(f"divisions_{kind}")(a, b, out, grid=a.size)
    found = [divided(int(x), int(y)) for x, y in zip(a, b, strict=True)]
    quotients = wrapped([quotient for quotient, _ in found], kind)
    remainders = wrapped([remainder for _, remainder in found], kind)
    for row, expected in enumerate(
        [quotients, remainders, quotients, remainders, quotients, remainders]
    ):
        np.testing.assert_array_equal(out[row], expected)
    # Narrow scalars divide as int, where their least number by -1 has a result.
    least = int(np.iinfo(a.dtype).min) if np.iinfo(a.dtype).min < 0 else None
    is_wide = a.itemsize >= 4
    wraps = sum(int(x) == least and int(y) == -1 for x, y in zip(a, b, strict=True))
    per_zero = 2 + 2 + 4 + 2  # the vectors divide each element
    assert execution.undefined_divisions == per_zero * (
        int(np.sum(b == 0)) + (wraps if is_wide else 0)
    )


@pytest.mark.parametrize(("dividend", "divisor"), [(5, 0), (-(2**31), -1)])
@pytest.mark.parametrize("check_races", [False, True])
def test_strictly_a_division_without_a_result_ends_the_run(dividend, divisor, check_races):
    source = (
        HEADER
        + """kernel void k(device int* o [[buffer(0)]], constant int& n [[buffer(1)]],
              uint i [[thread_position_in_grid]]) {
  if (i == 3)
    o[i] = o[i] / n;
}
"""
    )
    with pytest.raises(SimulationError) as caught:
        simulate(source, check_races=check_races).function("k")(
            np.full(4, dividend, np.int32), divisor, grid=4
        )
    assert str(caught.value) == (
        "kernel 'k': thread (3, 0, 0) of threadgroup (0, 0, 0) divided an integer by zero, or the "
        "smallest by -1 (line 6); Metal leaves the result undefined: test the divisor before, or "
        "let strict=False count such divisions if nothing uses their results"
    )
    assert caught.value.kind == "failed"


def test_a_division_whose_result_nothing_uses_is_counted():
    source = (
        HEADER
        + """kernel void k(device int* o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
  o[i] = select(12 / o[i], 0, o[i] == 0);
}
"""
    )
    o = np.arange(4, dtype=np.int32)
    execution = simulate(source, strict=False).function("k")(o, grid=4)
    assert execution.undefined_divisions == 1
    np.testing.assert_array_equal(o, [0, 12, 6, 4])


def test_constants_shift_and_divide_as_values_do_and_sums_wrap():
    o, s = np.zeros(7, np.uint32), np.full(8, 2**31 - 1, np.int32)
    simulate(NEVER).function("constants")(o, s, grid=1)
    np.testing.assert_array_equal(o, [1, 0, 0xF, 4, 833, 8, 4])
    np.testing.assert_array_equal(
        s, [-(2**31) + 2, -(2**31), 2**31 - 3, -(2**31), -(2**31), 0, 16, 0]
    )
