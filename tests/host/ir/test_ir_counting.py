"""What is known of a loop's step and end."""

from __future__ import annotations

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.ir import counting
from speedmetal.ir import nodes as ir

GREATEST = 2**31 - 1


@pytest.fixture
def b() -> Builder:
    return Builder("k")


def loop(b: Builder, stop, step, dtype=d.int32) -> ir.For:
    return b.loop(b.variable("i", dtype), b.value(0, dtype), stop, step, [])


def test_steps_of_constants_and_sizes_are_known(b):
    threads, groups = b.position("threads_per_threadgroup"), b.position("threadgroups_per_grid")
    x = b.scalar("x", d.int32)
    steps = [b.value(3, d.int32), b.value(-3, d.int32), threads, b.multiply(threads, 4)]
    steps += [b.multiply(threads, groups), b.value(x)]
    assert list(map(counting.step_rises, steps)) == [True, False, True, True, True, None]
    assert list(map(counting.may_be_zero, steps)) == [False] * 5 + [True]


def test_an_unsigned_step_rises_but_may_be_zero(b):
    x = b.value(b.scalar("x", d.uint32))
    assert counting.step_rises(x)
    assert counting.may_be_zero(x)


def test_a_product_that_may_wrap_tells_nothing(b):
    wide = b.position("threads_per_grid", 0), b.position("threads_per_grid", 1)
    padded = b.position("threads_per_threadgroup", 0), b.position("threadgroups_per_grid", 1)
    for factors in (wide, padded):
        assert counting.step_rises(b.multiply(*factors)) is None
        assert counting.may_be_zero(b.multiply(*factors))


@pytest.mark.parametrize(
    ("stop", "step", "safe"),
    [
        (GREATEST, 1, True),
        (-GREATEST - 1, -1, True),
        (GREATEST, 2, False),
        (GREATEST - 1, 2, True),
        (-GREATEST - 1, -2, False),
        (-GREATEST, -2, True),
        (5, GREATEST - 4, True),
        (5, GREATEST - 3, False),
        (5, GREATEST, False),
    ],
)
def test_constant_ends(b, stop, step, safe):
    assert counting.cannot_overflow(loop(b, stop, step)) is safe


def test_extents_end_far_from_the_end_of_their_type(b):
    extent, x = b.extent(b.array("v", d.float32), 0), b.value(b.scalar("x", d.int32))
    threads, grid = b.position("threads_per_threadgroup"), b.position("threads_per_grid")
    cases = [(extent, 1 << 16, True), (extent, (1 << 16) + 1, False), (extent, threads, True)]
    cases += [(extent, grid, False), (extent, -2, False), (extent, x, False), (x, 2, False)]
    for stop, step, safe in cases:
        assert counting.cannot_overflow(loop(b, stop, step)) is safe
