"""Integer operations and all conversions, as kernels compute them, against Python's own integers.

Each operation is written for operands that vary over a vector's lanes, that are uniform, that are
steps apart, and that are constants: all have code of their own.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpu_programs import IrProgram
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.dtypes import DType

LANES = 37  # two vectors and a part of one, on every processor
INTEGERS = d.INTEGERS
DIVISORS = (0, 1, -1, 2, -2, 3, -7, 10, 16, -64)


def wrapped(value: int, dtype: DType) -> int:
    return (value - dtype.minimum) % (1 << dtype.bits) + dtype.minimum


MEANING: dict[str, Callable[[int, int, int], int]] = {
    "floor_divide": lambda a, b, _: a // b if b else 0,
    "remainder": lambda a, b, _: a % b if b else 0,
    "shift_left": lambda a, b, bits: a << b if 0 <= b < bits else 0,
    "shift_right": lambda a, b, bits: a >> (b if 0 <= b < bits else bits),
    "add": lambda a, b, _: a + b,
    "subtract": lambda a, b, _: a - b,
    "multiply": lambda a, b, _: a * b,
    "bit_and": lambda a, b, _: a & b,
    "bit_or": lambda a, b, _: a | b,
    "bit_xor": lambda a, b, _: a ^ b,
}
"""The operators in the IR, on unbounded integers; the third is the width, and results wrap."""
OPERATORS = tuple(MEANING)


def expected(operator: str, a: int, b: int, dtype: DType) -> int:
    return wrapped(MEANING[operator](a, b, dtype.bits), dtype)


def edges(dtype: DType) -> list[int]:
    near = [0, 1, 2, 3, 5, 7, 8, dtype.bits - 1, dtype.bits, dtype.bits + 1, 100]
    far = [
        dtype.maximum,
        dtype.maximum - 1,
        dtype.maximum // 2 + 1,
        dtype.minimum,
        dtype.minimum + 1,
    ]
    values = {wrapped(v * sign, dtype) for v in near + far for sign in (1, -1)}
    return sorted(values)


def lanes_of(dtype: DType) -> st.SearchStrategy[list[int]]:
    one = st.one_of(st.sampled_from(edges(dtype)), st.integers(dtype.minimum, dtype.maximum))
    return st.lists(one, min_size=LANES, max_size=LANES)


@functools.cache
def operations(dtype: DType, left: str, right: str) -> IrProgram:
    """All operators in one kernel, a row of the result for each; operands vary or are uniform."""
    b = Builder("operations")
    out = b.array("out", dtype, 2)
    i = b.let("i", b.position("thread_position_in_grid"))
    operands = []
    for name, how in (("a", left), ("b", right)):
        if how == "uniform":
            operands.append(b.value(b.scalar(name, dtype)))
        else:
            operands.append(b.load(b.array(name, dtype), i))
    for row, operator in enumerate(OPERATORS):
        b.emit(b.store(out, [row, i], b.binary(operator, *operands)))
    return IrProgram(b.kernel())


def check_rows(
    rows: np.ndarray[Any, Any],
    a: Sequence[int],
    b: Sequence[int],
    dtype: DType,
    operators: Sequence[str] = OPERATORS,
) -> None:
    for row, operator in zip(rows.tolist(), operators, strict=True):
        wanted = [expected(operator, x, y, dtype) for x, y in zip(a, b, strict=True)]
        assert row == wanted, operator


@pytest.mark.parametrize("shapes", ["varying varying", "varying uniform", "uniform varying"])
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_operators(dtype: DType, shapes: str, data: st.DataObject) -> None:
    """Python's signs, 0 for what is divided by 0, nothing for what is shifted too far."""
    left, right = shapes.split()
    a, b = (data.draw(lanes_of(dtype)) for _ in range(2))
    given_a, given_b = np.array(a, dtype.numpy), np.array(b, dtype.numpy)
    out = np.zeros((len(OPERATORS), LANES), dtype.numpy)
    operations(dtype, left, right).run(
        out,
        a[0] if left == "uniform" else given_a,
        b[0] if right == "uniform" else given_b,
        grid=(LANES,),
        threads=(32,),
    )
    a = a[:1] * LANES if left == "uniform" else a
    b = b[:1] * LANES if right == "uniform" else b
    check_rows(out, a, b, dtype)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_operators_on_every_pair_of_edges(dtype: DType) -> None:
    """The least by -1, anything by 0, shifts by the width: all at once, in vectors and alone."""
    a, b = (
        list(v) for v in zip(*((x, y) for x in edges(dtype) for y in edges(dtype)), strict=True)
    )
    out = np.zeros((len(OPERATORS), len(a)), dtype.numpy)
    arrays = np.array(a, dtype.numpy), np.array(b, dtype.numpy)
    operations(dtype, "varying", "varying").run(out, *arrays, grid=(len(a),), threads=(64,))
    check_rows(out, a, b, dtype)
    alone = operations(dtype, "uniform", "uniform")
    single = np.zeros((len(OPERATORS), 1), dtype.numpy)
    for x, y in zip(a, b, strict=True):
        alone.run(single, x, y)
        check_rows(single, [x], [y], dtype)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_divisors_and_counts_that_are_constants(dtype: DType) -> None:
    """LLVM divides by them without a division; by the least, too."""
    constants = sorted({wrapped(v, dtype) for v in (*DIVISORS, dtype.minimum, dtype.maximum)})
    operators = ("floor_divide", "remainder", "shift_left", "shift_right")
    b = Builder("by_constants")
    out, a = b.array("out", dtype, 2), b.array("a", dtype)
    i = b.let("i", b.position("thread_position_in_grid"))
    pairs = [(operator, constant) for operator in operators for constant in constants]
    for row, (operator, constant) in enumerate(pairs):
        b.emit(b.store(out, [row, i], b.binary(operator, b.load(a, i), b.value(constant, dtype))))
    values = edges(dtype)
    result = np.zeros((len(pairs), len(values)), dtype.numpy)
    size = (len(values),)
    IrProgram(b.kernel()).run(result, np.array(values, dtype.numpy), grid=size, threads=size)
    for row, (operator, constant) in zip(result, pairs, strict=True):
        check_rows(row[None], values, [constant] * len(values), dtype, [operator])


@pytest.mark.parametrize("index_type", [d.int32, d.int64], ids=str)
@given(n=st.one_of(st.sampled_from(edges(d.int32)), st.integers(-(2**31), 2**31 - 1)))
def test_operators_on_positions(index_type: DType, n: int) -> None:
    """Lanes that are steps apart: the steps wrap round where the numbers do."""
    out = np.zeros((len(STEPS), LANES), index_type.numpy)
    steps(index_type).run(out, n, grid=(LANES,), threads=(LANES,))
    for row, (_, of) in zip(out.tolist(), STEPS, strict=True):
        assert row == [wrapped(of(i, n, index_type), index_type) for i in range(LANES)]


STEPS = (
    (lambda b, i, n: b.add(i, n), lambda i, n, _: i + n),
    (lambda b, i, n: b.binary("subtract", n, i), lambda i, n, _: n - i),
    (lambda b, i, n: b.multiply(b.binary("subtract", i, n), 3), lambda i, n, _: (i - n) * 3),
    (lambda b, i, n: b.multiply(-5, i), lambda i, n, _: -5 * i),
    (lambda b, i, n: b.multiply(i, n), lambda i, n, _: i * n),
    (lambda b, i, n: b.unary("negate", b.add(i, i)), lambda i, n, _: -2 * i),
    (lambda b, i, n: b.binary("floor_divide", b.add(i, n), 4),
     lambda i, n, dtype: wrapped(i + n, dtype) // 4),
)  # fmt: skip


@functools.cache
def steps(index_type: DType) -> IrProgram:
    b = Builder("steps", index_type=index_type)
    out, n = b.array("out", index_type, 2), b.scalar("n", index_type)
    i = b.let("i", b.position("thread_position_in_grid"))
    for row, (make, _) in enumerate(STEPS):
        b.emit(b.store(out, [row, i], make(b, b.value(i), b.value(n))))
    return IrProgram(b.kernel())


# --- conversions

# Bits of the significand, least and greatest exponent (IEEE 754-2008, table 3.2; bfloat16 has
# float32's exponents).
FORMATS = {
    d.float16: (11, -14, 15),
    d.bfloat16: (8, -126, 127),
    d.float32: (24, -126, 127),
    d.float64: (53, -1022, 1023),
}
SCALARS = (d.bool_, *INTEGERS, *d.FLOATS)


def nearest(value: float, dtype: DType) -> float:
    """A number in a float type, rounded once, half to even."""
    if isinstance(value, float) and (not math.isfinite(value) or not value):
        return value
    if not value:
        return 0.0
    precision, least, greatest = FORMATS[dtype]
    exact = Fraction(value)
    exponent = math.frexp(float(abs(exact)))[1] - 1
    exponent -= Fraction(2) ** exponent > abs(exact)  # float() may have rounded up
    quantum = Fraction(2) ** (max(exponent, least) - precision + 1)
    rounded = round(exact / quantum) * quantum
    if abs(rounded) >= Fraction(2) ** (greatest + 1):
        return math.copysign(math.inf, value)
    return math.copysign(float(rounded), value)


def converted(value: float, target: DType) -> float:
    """What a conversion means in the IR."""
    if target.is_bool:
        return value != 0
    if target.is_float:
        return nearest(value, target)
    if not isinstance(value, float):
        return wrapped(int(value), target)
    if math.isnan(value):
        return 0
    return int(min(max(value, target.minimum), target.maximum))


@functools.cache
def conversions(source: DType, how: str) -> IrProgram:
    """One kernel that converts to every type, each into an array of its own."""
    b = Builder("conversions")
    arrays = [b.array(f"out_{target.name}", target) for target in SCALARS]
    i = b.let("i", b.position("thread_position_in_grid"))
    given = b.scalar("x", source) if how == "uniform" else b.load(b.array("x", source), i)
    value = b.let("value", given)
    for array, target in zip(arrays, SCALARS, strict=True):
        b.emit(b.store(array, [i], b.convert(value, target)))
    return IrProgram(b.kernel())


def source_edges(dtype: DType) -> list[float]:
    if dtype.is_bool:
        return [False, True]
    if dtype.is_integer:
        powers = [1 << n for n in (8, 11, 24, 25, 53, 54, 62)]
        halves = [p + e for p in powers for e in (-1, 0, 1, p >> 8, (p >> 8) + 1, p >> 11)]
        return [*edges(dtype), *(v for v in halves if v <= dtype.maximum)]
    bounds = [float(t.minimum) for t in INTEGERS] + [float(t.maximum) for t in INTEGERS]
    near = [0.0, 0.5, 1.5, 2.5, 0.999, 1e-8, 3e-41, 65504.0, 65519.9, 65520.0, 3.4e38, 1e300]
    # Halfway between two bfloat16, and a bit more than float32 can tell.
    near += [1 + 2**-8, 1 + 2**-8 + 2**-40, 1 + 3 * 2**-8, 1 + 2**-11 + 2**-45, 1 + 2**-24]
    beside = [v + e for v in bounds for e in (-1, -0.5, 0, 0.5, 1)]
    values = [s * v for v in (*near, *beside) for s in (1, -1)]
    kept = np.array(values).astype(dtype.numpy).astype(np.float64).tolist()
    return [*kept, math.inf, -math.inf, math.nan]


def any_of(dtype: DType) -> st.SearchStrategy[Any]:
    """Of floats any bits, so that all magnitudes are as likely."""
    if dtype.is_bool:
        return st.booleans()
    if dtype.is_integer:
        return st.integers(dtype.minimum, dtype.maximum)
    bits = st.integers(0, 2**dtype.bits - 1)
    unsigned = np.dtype(f"uint{dtype.bits}")
    return bits.map(lambda n: float(np.array(n, unsigned).view(dtype.numpy)))


def check_conversions(source: DType, values: list[Any], how: str) -> None:
    outs = [np.zeros(len(values), target.numpy) for target in SCALARS]
    if how == "varying":
        array = np.array(values, source.numpy)
        size = (len(values),)
        conversions(source, how).run(*outs, array, grid=size, threads=(64,))
    else:
        for n, value in enumerate(values):
            parts = [out[n : n + 1] for out in outs]
            conversions(source, how).run(*parts, value)
    for target, out in zip(SCALARS, outs, strict=True):
        wanted = [converted(value, target) for value in values]
        found = out.astype(np.float64).tolist() if target.is_float else out.tolist()
        for value, x, y in zip(values, found, wanted, strict=True):
            both_nan = x != x and y != y  # noqa: PLR0124 - true of NaN alone
            same = x == y and math.copysign(1, x) == math.copysign(1, y)
            assert same or both_nan, f"{source} {value!r} to {target}: {x}, expected {y}"


@pytest.mark.parametrize("how", ["varying", "uniform"])
@pytest.mark.parametrize("source", SCALARS, ids=str)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_conversions_of_edges(source: DType, how: str) -> None:
    """From every type to every type: wrapped, saturated, rounded once, NaN to 0."""
    check_conversions(source, source_edges(source), how)


@pytest.mark.parametrize("source", SCALARS, ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_conversions(source: DType, data: st.DataObject) -> None:
    """The same for any values."""
    values = data.draw(st.lists(any_of(source), min_size=LANES, max_size=LANES))
    check_conversions(source, values, "varying")
