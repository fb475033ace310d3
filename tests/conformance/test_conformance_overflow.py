"""Integers wrap, whatever a compiler could make of the formula: held against Python's integers."""

from __future__ import annotations

import itertools
from typing import Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal import dtypes
from tiers import examples

ALL_INTEGERS = pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)


class Wrapped(int):
    """An integer of a type: Python's own, cut off at its width."""

    dtype: dtypes.DType

    def __new__(cls, value: int, dtype: dtypes.DType) -> Self:
        value = int(value) & (1 << dtype.bits) - 1
        if dtype.is_signed and value > dtype.maximum:
            value -= 1 << dtype.bits
        made = super().__new__(cls, value)
        made.dtype = dtype
        return made

    def __floordiv__(self, other: int) -> Wrapped:
        return Wrapped(int(self) // int(other) if other else 0, self.dtype)

    def __mod__(self, other: int) -> Wrapped:
        return Wrapped(int(self) % int(other) if other else 0, self.dtype)


def _add_operators() -> None:
    def operator_of(method):
        def applied(self, *others):
            return Wrapped(method(int(self), *map(int, others)), self.dtype)

        return applied

    for name in ("add", "sub", "mul", "pow", "and", "or", "xor", "lshift", "rshift"):
        setattr(Wrapped, f"__{name}__", operator_of(getattr(int, f"__{name}__")))
    Wrapped.__rsub__ = lambda self, other: Wrapped(other, self.dtype) - self
    for name in ("neg", "abs", "invert"):
        setattr(Wrapped, f"__{name}__", operator_of(getattr(int, f"__{name}__")))


_add_operators()


def truths(x, y):
    """What a compiler would know, if numbers did not wrap."""
    return (
        x + 1 > x,
        x - 1 < x,
        x + y - y == x,
        (x + y > x) == (y > 0),
        x - y < x,
        x < -x,
        0 - (0 - x) == x,
        negated(negated(x)) == x,
        -x // 2 <= 0,
        abs(x) >= 0,
        abs(-x) == abs(x),
        x * x >= 0,
        x**2 + 1 > 0,
        x * 2 // 2 == x,
        x * 3 // 3 == x,
        x * y // y == x,
        x * 6 % 3 == 0,
        x + x > x,
        (x + 5) - 5 == x,
        x // y * y + x % y == x,
        (x + y) // 2 >= x,
        (x << 1) >> 1 == x,
    )


def negated(x):
    return -x


def numbers(x, y):
    return (
        x + y,
        x - y,
        x * y,
        -x,
        abs(x),
        x // y,
        x % y,
        -x // y,
        (x + y) // 2,
        (x - y) % 7,
        x * y + x - 7,
        x - (y - x * 3),
        -(x + y) - y,
        abs(x) * 3,
        ~x * y,
        x**3,
        x**5,
        (x ^ y) * 31 + (x << 3),
        (x << 5) - x,
        (x >> 1) * (y >> 1),
        hashed(x, y),
    )


def hashed(x, y):
    h = x
    for _ in range(4):
        h = (h ^ y) * 31 + 7
        if h < x:
            h = -h
    return h


COUNT_OF_TRUTHS = len(truths(Wrapped(1, sm.int32), Wrapped(1, sm.int32)))
COUNT_OF_NUMBERS = len(numbers(Wrapped(1, sm.int32), Wrapped(1, sm.int32)))


@sm.kernel
def both(a, b, truth, number):
    i = sm.thread_position_in_grid().x
    for k, holds in enumerate(truths(a[i], b[i])):
        truth[i, k] = holds
    for k, value in enumerate(numbers(a[i], b[i])):
        number[i, k] = value


def edges(dtype: dtypes.DType) -> list[int]:
    half = dtype.maximum // 2
    values = [dtype.minimum, dtype.minimum + 1, dtype.maximum - 1, dtype.maximum, 0, 1, 2, 3]
    values += [half, half + 1, half + 2]
    return values + ([-1, -2, -half, -half - 1, -half - 2] if dtype.is_signed else [])


def check(launch, dtype: dtypes.DType, pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=dtype.numpy).T.copy()
    truth = np.zeros((len(pairs), COUNT_OF_TRUTHS), np.bool_)
    number = np.zeros((len(pairs), COUNT_OF_NUMBERS), dtype.numpy)
    launch(both, a, b, truth, number, grid=len(pairs))
    for (x, y), found_truths, found_numbers in zip(pairs, truth, number, strict=True):
        given_pair = Wrapped(x, dtype), Wrapped(y, dtype)
        assert found_truths.tolist() == list(truths(*given_pair)), (x, y)
        assert found_numbers.tolist() == list(map(int, numbers(*given_pair))), (x, y)


@ALL_INTEGERS
def test_formulas_of_edges_wrap(launch, dtype):
    check(launch, dtype, list(itertools.product(edges(dtype), repeat=2)))


@pytest.mark.tier("default")
@ALL_INTEGERS
def test_formulas_of_anything_wrap(launch, dtype):
    values = st.one_of(st.integers(dtype.minimum, dtype.maximum), st.sampled_from(edges(dtype)))

    @settings(max_examples=examples(15))
    @given(st.lists(st.tuples(values, values), min_size=1, max_size=40))
    def law(pairs):
        check(launch, dtype, pairs)

    law()


@ALL_INTEGERS
def test_conversions_of_what_has_wrapped_wrap(launch, dtype):
    @sm.kernel
    def narrowed(a, out):
        i = sm.thread_position_in_grid().x
        product = a[i] * 3
        out[i, 0] = sm.int8(product)
        out[i, 1] = sm.uint8(product)
        out[i, 2] = sm.int16(product)
        out[i, 3] = sm.uint16(product)
        out[i, 4] = sm.int32(product)
        out[i, 5] = sm.uint32(product)
        out[i, 6] = sm.int64(product)

    types = (sm.int8, sm.uint8, sm.int16, sm.uint16, sm.int32, sm.uint32, sm.int64)
    a = np.array(edges(dtype), dtype.numpy)
    out = np.zeros((a.size, len(types)), np.int64)
    launch(narrowed, a, out, grid=a.size)
    for value, row in zip(edges(dtype), out, strict=True):
        product = Wrapped(value, dtype) * 3
        assert row.tolist() == [Wrapped(product, t) for t in types]


def test_positions_wrap_like_all_integers(launch):
    """Also where they are kept as steps from thread to thread, and widened, on the CPU."""

    @sm.kernel
    def positions(out, steep):
        i = sm.thread_position_in_grid().x
        out[i, 0] = sm.int64(i + 2147483640)
        out[i, 1] = sm.int64(-(i + 2147483645) - 2)
        out[i, 2] = sm.int64(i * 100000000)
        out[i, 3] = sm.int64(i + 5)
        out[i, 4] = sm.int64(i * i * i * i * i * i * i)
        steep[i] = i * 2000000000 + 7

    out, steep = np.zeros((40, 5), np.int64), np.zeros(40, np.int32)
    launch(positions, out, steep, grid=40)
    for i in range(40):
        k = Wrapped(i, sm.int32)
        wanted = (k + 2147483640, -(k + 2147483645) - 2, k * 100000000, k + 5, k**7)
        assert out[i].tolist() == list(wanted)
        assert steep[i] == k * 2000000000 + 7


def test_a_hash_of_positions_finds_its_element(launch):
    """The products leave the type on the way to an index."""

    @sm.kernel
    def scattered(table, out):
        i = sm.thread_position_in_grid().x
        out[i, 0] = table[i * 1640531527 + 12345 & 255]
        out[i, 1] = table[(i * 1640531527 ^ i) % 256]
        out[i, 2] = table[table[i] * -1431655765 * 3]

    table, out = np.arange(256, dtype=np.int32), np.zeros((256, 3), np.int32)
    launch(scattered, table, out, grid=256)
    for i in range(256):
        k = Wrapped(i, sm.int32)
        assert out[i, 0] == k * 1640531527 + 12345 & 255
        assert out[i, 1] == (k * 1640531527 ^ k) % 256
        assert out[i, 2] == i  # 3 times the factor is 1


# --- Between threads -------------------------------------------------------------------------


@ALL_INTEGERS
def test_sums_and_products_of_simdgroups_wrap(launch, dtype):
    @sm.kernel
    def collected(x, out):
        i = sm.thread_position_in_grid().x
        out[i, 0] = sm.simd_sum(x[i])
        out[i, 1] = sm.simd_product(x[i])
        out[i, 2] = sm.simd_prefix_inclusive_sum(x[i])
        out[i, 3] = sm.simd_prefix_exclusive_sum(x[i])
        out[i, 4] = sm.simd_prefix_inclusive_product(x[i])
        out[i, 5] = sm.simd_prefix_exclusive_product(x[i])
        out[i, 6] = sm.quad_sum(x[i])
        out[i, 7] = sm.quad_product(x[i])

    x = np.array([v | 1 for v in edges(dtype)] * 4, dtype.numpy)[:32]
    out = np.zeros((32, 8), dtype.numpy)
    launch(collected, x, out, grid=32, threads=32)
    values = [Wrapped(v, dtype) for v in x]
    zero, one = Wrapped(0, dtype), Wrapped(1, dtype)
    for i in range(32):
        four = values[i // 4 * 4 : i // 4 * 4 + 4]
        wanted = [sum(values, zero), _product(values, one)]
        wanted += [sum(values[: i + 1], zero), sum(values[:i], zero)]
        wanted += [_product(values[: i + 1], one), _product(values[:i], one)]
        wanted += [sum(four, zero), _product(four, one)]
        assert out[i].tolist() == wanted, i


def _product(values: list[Wrapped], result: Wrapped) -> Wrapped:
    for value in values:
        result = result * value
    return result


@ALL_INTEGERS
def test_atomic_sums_wrap(launch, dtype):
    @sm.kernel
    def counted(up, down, by):
        sm.atomic_add(up, 0, by[0])
        sm.atomic_sub(down, 0, by[0])

    for start, step in itertools.product(edges(dtype), (1, dtype.maximum, dtype.minimum)):
        up, down = np.array([start], dtype.numpy), np.array([start], dtype.numpy)
        launch(counted, up, down, np.array([step], dtype.numpy), grid=3)
        first, by = Wrapped(start, dtype), Wrapped(step, dtype)
        assert up[0] == first + by + by + by
        assert down[0] == first - by - by - by


# --- Sizes -----------------------------------------------------------------------------------


def test_sizes_beside_an_axis_of_no_elements_are_not_cut_off(launch, device):
    @sm.kernel
    def sizes(x, out):
        out[0] = x.shape[1]
        out[1] = x.size

    x, out = sm.zeros((0, 3_000_000_000), sm.uint8, device=device), np.zeros(2, np.int64)
    launch(sizes, x, out, grid=1)
    assert out.tolist() == [3_000_000_000, 0]
