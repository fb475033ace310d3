"""Intrinsics on bits agree with Python's integers, in every integer type."""

import numpy as np
import pytest

from speedmetal.dtypes import INTEGERS
from speedmetal.intrinsics import TABLE

DTYPES = pytest.mark.parametrize("dtype", [d.numpy for d in INTEGERS], ids=str)


def _sample(dtype):
    limits = np.iinfo(dtype)
    random = np.random.default_rng(1)
    drawn = random.integers(limits.min, limits.max, 500, dtype=dtype, endpoint=True)
    powers = np.array([1 << k for k in range(limits.bits - 1)], dtype)
    return np.concatenate([np.array([0, limits.min, limits.max], dtype), drawn, powers])


def _patterns(x):
    return [int(value) & ((1 << (x.itemsize * 8)) - 1) for value in x]


def _in_type(values, dtype):
    width = dtype.itemsize * 8
    return np.array([v & ((1 << width) - 1) for v in values], f"u{dtype.itemsize}").view(dtype)


EXPECTED = {
    "popcount": lambda bits, width: bits.bit_count(),
    "clz": lambda bits, width: width - bits.bit_length(),
    "ctz": lambda bits, width: (bits & -bits).bit_length() - 1 if bits else width,
    "reverse_bits": lambda bits, width: int(f"{bits:0{width}b}"[::-1], 2),
}


@DTYPES
@pytest.mark.parametrize("name", EXPECTED)
def test_bits_are_counted_and_reversed(name, dtype, compiled):
    x = _sample(dtype)
    width = dtype.itemsize * 8
    expected = _in_type([EXPECTED[name](bits, width) for bits in _patterns(x)], dtype)
    np.testing.assert_array_equal(TABLE[name](x), expected)
    np.testing.assert_array_equal(compiled(name, x), expected)


@DTYPES
def test_the_high_half_of_a_product(dtype, compiled):
    a = _sample(dtype)
    b = np.random.default_rng(2).permutation(a)
    width = dtype.itemsize * 8
    expected = _in_type([int(x) * int(y) >> width for x, y in zip(a, b, strict=True)], dtype)
    np.testing.assert_array_equal(TABLE["mulhi"](a, b), expected)
    np.testing.assert_array_equal(compiled("mulhi", a, b), expected)


@pytest.mark.parametrize(("name", "expected"), [("popcount", 3), ("clz", 29), ("ctz", 0)])
def test_pythons_ints_are_int32(name, expected):
    assert TABLE[name](7) == expected
