"""Between what numbers floats lie: what is found, and that nothing is found that is not so."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.ir import nodes as ir
from speedmetal.ir.float_bounds import ANYTHING, FloatBounds, Interval


@pytest.fixture
def b() -> Builder:
    return Builder("bounded")


def bounds_of(b: Builder, value: ir.Expression) -> Interval:
    return FloatBounds(b.parameters, tuple(b.statements)).of(value)


def clamped(b: Builder, x: ir.Variable, least: float, greatest: float) -> ir.Expression:
    return b.call("minimum", b.call("maximum", x, least), greatest)


def test_a_clamp_bounds_what_is_made_from_it(b: Builder) -> None:
    x = b.scalar("x", d.float32)
    y = b.let("y", clamped(b, x, -2.0, 3.0))
    n = b.let("n", b.call("rint", b.multiply(y, 1.4)))
    assert bounds_of(b, b.value(x)) == ANYTHING
    assert bounds_of(b, b.value(y)) == (-2, 3)
    assert bounds_of(b, b.value(n)) == (-3, 4)
    assert bounds_of(b, b.call("floor", b.binary("subtract", y, 0.25))) == (-3, 2)


def test_one_side_may_be_known(b: Builder) -> None:
    x = b.scalar("x", d.float32)
    assert bounds_of(b, b.call("maximum", x, 0.0)) == (0, math.inf)
    assert bounds_of(b, b.call("minimum", x, 0.0)) == (-math.inf, 0)


def test_integers_are_as_their_type(b: Builder) -> None:
    n = b.scalar("n", d.uint8)
    least, greatest = bounds_of(b, b.convert(n, d.float32))
    assert -1 < least <= 0
    assert 255 <= greatest < 256


def test_a_variable_has_what_it_ever_gets(b: Builder) -> None:
    x = b.scalar("x", d.float32)
    y = b.let("y", b.value(1.0))
    b.emit(b.when(b.compare("gt", x, 0.0), [b.assign(y, b.value(5.0))]))
    assert bounds_of(b, b.value(y)) == (1, 5)
    b.emit(b.assign(y, b.multiply(y, 0.5)))  # made from itself
    assert bounds_of(b, b.value(y)) == ANYTHING


def test_a_parameter_may_be_anything_though_it_is_assigned_to(b: Builder) -> None:
    x = b.scalar("x", d.float32)
    b.emit(b.assign(x, b.value(1.0)))
    assert bounds_of(b, b.value(x)) == ANYTHING


def test_nan_and_overflow_tell_nothing(b: Builder) -> None:
    x = b.scalar("x", d.float32)
    assert bounds_of(b, b.value(math.nan)) == ANYTHING
    far = clamped(b, x, -1e30, 1e30)
    assert bounds_of(b, b.multiply(far, far)) == ANYTHING
    assert bounds_of(b, b.multiply(x, 0.0)) == ANYTHING


def test_deep_expressions_are_given_up(b: Builder) -> None:
    x = b.value(1.0)
    for _ in range(5000):
        x = b.add(x, 0.0)
    assert bounds_of(b, x) == ANYTHING


def test_rounded_results_lie_within() -> None:
    """Operations in float16 and float32 on ends, where rounding goes beyond what is exact."""
    random = np.random.default_rng(5)
    for dtype in (d.float16, d.float32):
        for _ in range(300):
            least, greatest = sorted(random.uniform(-9, 9, 2).astype(dtype.numpy).tolist())
            factor = float(dtype.numpy.type(random.uniform(-3, 3)))
            b = Builder("bounded")
            x = b.scalar("x", dtype)
            y = clamped(b, x, least, greatest)
            values = np.array([least, greatest], dtype.numpy)
            for found, exact in (
                (b.multiply(y, factor), values * dtype.numpy.type(factor)),
                (b.add(y, factor), values + dtype.numpy.type(factor)),
                (b.binary("subtract", y, factor), values - dtype.numpy.type(factor)),
            ):
                low, high = bounds_of(b, found)
                assert ((low <= exact) & (exact <= high)).all()
