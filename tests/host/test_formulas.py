"""Sizes that the host computes are those that kernels compute: the same formula on both sides."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cpu_programs import run_ir
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.compiler.size_expression import LaunchValues, evaluate, extents
from speedmetal.dtypes import DType
from speedmetal.errors import InternalError
from speedmetal.ir import nodes as ir
from speedmetal.ir.analysis import formula_of
from speedmetal.ir.size_expression import SizedArray, formula_from, reads_scalars
from tiers import examples

TYPES = (d.int32, d.int64, d.uint8, d.int16, d.uint32, d.uint64, d.float32, d.float64, d.float16)
INTEGER_OPERATORS = (
    *("add", "subtract", "multiply", "floor_divide", "remainder"),
    *("bit_and", "bit_or", "bit_xor", "shift_left", "shift_right"),
)
FLOAT_OPERATORS = ("add", "subtract", "multiply", "divide")
CALLS = {
    True: ("minimum", "maximum", "abs", "popcount", "clz", "ctz"),
    False: ("minimum", "maximum", "abs", "sqrt", "floor", "ceil", "trunc", "rint", "fmin", "fmax"),
}
ARITY = {"minimum": 2, "maximum": 2, "fmin": 2, "fmax": 2}
EXTENT, THREADS = 17, (5, 3, 2)

small = st.integers(-3, 70)
any_integer = st.one_of(small, st.integers(-(2**63), 2**64 - 1), st.sampled_from([2**31, -(2**31)]))


def wrapped(value: int, dtype: DType) -> int:
    return (value - dtype.minimum) % (1 << dtype.bits) + dtype.minimum


@st.composite
def constants(draw: st.DrawFn, b: Builder, dtype: DType) -> ir.Expression:
    if dtype.is_integer:
        return b.value(wrapped(draw(any_integer), dtype), dtype)
    return b.value(float(dtype.numpy.type(draw(st.floats(width=16)))), dtype)


@st.composite
def atoms(draw: st.DrawFn, b: Builder, dtype: DType) -> ir.Expression:
    """What a launch knows without computing."""
    known = [p for p in b.parameters if isinstance(p, ir.Variable) and p.type is dtype]
    options = [draw(constants(b, dtype)), *map(b.value, known)]
    if dtype is b.index_type:
        array = next(p for p in b.parameters if isinstance(p, ir.Array))
        threads = b.position("threads_per_threadgroup", draw(st.integers(0, 2)))
        options += [b.extent(array), threads]
    return draw(st.sampled_from(options))


@st.composite
def expressions(draw: st.DrawFn, b: Builder, dtype: DType, depth: int) -> ir.Expression:
    """Any expression that may stand in a size, of this type."""
    inner: Callable[[DType], ir.Expression] = lambda t: draw(expressions(b, t, depth - 1))  # noqa: E731
    if depth == 0:
        return draw(atoms(b, dtype))
    match draw(st.sampled_from(["binary", "binary", "unary", "select", "convert", "call", "bits"])):
        case "binary":
            operators = INTEGER_OPERATORS if dtype.is_integer else FLOAT_OPERATORS
            return b.binary(draw(st.sampled_from(operators)), inner(dtype), inner(dtype))
        case "unary":
            operators = ("negate", "invert") if dtype.is_integer else ("negate",)
            return b.unary(draw(st.sampled_from(operators)), inner(dtype))
        case "select":
            first, second = (draw(conditions(b, inner)) for _ in range(2))
            both = b.logical(draw(st.sampled_from(["and", "or"])), first, b.unary("not", second))
            return b.select(both, inner(dtype), inner(dtype))
        case "bits" if dtype in (d.int32, d.uint32, d.float32):
            return b.bitcast(inner(draw(st.sampled_from([d.int32, d.uint32, d.float32]))), dtype)
        case "call":
            name = draw(st.sampled_from(CALLS[dtype.is_integer]))
            # float16 is computed in float32: the front end converts.
            wide = d.float32 if dtype is d.float16 else dtype
            made: ir.Expression = b.call(name, *(inner(wide) for _ in range(ARITY.get(name, 1))))
        case _:
            made = inner(draw(st.sampled_from(TYPES)))
    return made if made.type is dtype else b.convert(made, dtype)


@st.composite
def conditions(
    draw: st.DrawFn, b: Builder, inner: Callable[[DType], ir.Expression]
) -> ir.Expression:
    dtype = draw(st.sampled_from(TYPES))
    return b.compare(draw(st.sampled_from(sorted(ir.COMPARE))), inner(dtype), inner(dtype))


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@pytest.mark.tier("default")
@given(data=st.data())
@settings(max_examples=examples(100))
def test_the_host_computes_what_a_kernel_computes(data: st.DataObject) -> None:
    """Any expression of any types, over numbers, extents and the threadgroup's size."""
    dtype = data.draw(st.sampled_from(TYPES))
    b = Builder("sized")
    out = b.array("out", dtype)
    scalars = [b.scalar(f"n_{t.name}", t) for t in TYPES]
    expression = data.draw(expressions(b, dtype, data.draw(st.integers(0, 3))))
    b.emit(b.store(out, [0], expression))
    kernel = b.kernel()

    given = [
        wrapped(data.draw(any_integer), t)
        if t.is_integer
        else float(t.numpy.type(data.draw(st.floats(width=16))))
        for t in TYPES
    ]
    array = np.zeros(EXTENT, dtype.numpy)
    run_ir(kernel, array, *given, grid=THREADS, threads=THREADS)

    formula = formula_of(expression, kernel)
    formula = formula_from(json.loads(json.dumps(formula)))
    values = LaunchValues([0, *given], [(EXTENT,), *((),) * len(scalars)], THREADS)
    assert same(evaluate(formula, values), array[0].item())


def test_bfloat16_numbers_are_packed_as_their_bits() -> None:
    """What a launch packs is what the host reads."""
    b = Builder("sized")
    n = b.scalar("n", d.bfloat16)
    formula = formula_of(b.convert(b.value(n), d.int32), b.kernel())
    bits = int(np.asarray(3.5, d.bfloat16.numpy).view(np.uint16))
    assert evaluate(formula, LaunchValues([bits], [()], (1, 1, 1))) == 3


def test_numbers_are_read_in_every_launch_and_extents_once() -> None:
    """Launches with the same types and shapes differ in numbers alone."""
    b = Builder("sized")
    array, n = b.array("a", d.float32, 2), b.scalar("n", d.int32)
    kernel = b.kernel()
    fixed = b.add(b.extent(array, 1), b.position("threads_per_threadgroup", 0))
    assert not reads_scalars(formula_of(fixed, kernel))
    assert reads_scalars(formula_of(b.multiply(fixed, n), kernel))
    sized = SizedArray("tile", 4, (7, formula_of(b.multiply(fixed, n), kernel)))
    assert sized.reads_scalars
    assert extents(sized, LaunchValues([0, 3], [(2, 10), ()], (32, 1, 1))) == (7, 126)


def test_what_no_launch_knows_is_no_formula() -> None:
    """The front end lets no such size through; if it did, the host must not guess."""
    b = Builder("sized")
    array = b.array("a", d.int32)
    for unknown in (b.load(array, 0), b.position("thread_position_in_grid")):
        with pytest.raises(InternalError, match="in a size that a launch should know"):
            formula_of(b.add(unknown, 1), b.kernel())
