"""Vectors whose lanes are steps apart, as positions are: these have code of their own."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpu_programs import IrProgram
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.dtypes import DType

LANES = 37  # two vectors and a part of one, on every processor
EDGES = [0, 1, -1, 2, 3, 7, 31, 32, 2**30, 2**31 - 2, 2**31 - 1, -(2**31), -(2**31) + 1]


def wrapped(value: int, dtype: DType) -> int:
    return (value - dtype.minimum) % (1 << dtype.bits) + dtype.minimum


@pytest.mark.parametrize("index_type", [d.int32, d.int64], ids=str)
@given(n=st.one_of(st.sampled_from(EDGES), st.integers(-(2**31), 2**31 - 1)))
def test_operators_on_positions(index_type: DType, n: int) -> None:
    """The steps wrap round where the numbers do."""
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
