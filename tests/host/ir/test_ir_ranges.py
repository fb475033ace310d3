"""Ranges hold every value that a program gives; positions, sizes and constants narrow them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.ir import nodes as ir
from speedmetal.ir.ranges import Range, Ranges, range_of_type
from speedmetal.ir.types import INDEX_HEADROOM, greatest_index
from speedmetal.source import NOWHERE

TOP = greatest_index(d.int32)
WHOLE = range_of_type(d.int32)


@pytest.fixture
def b() -> Builder:
    return Builder("ranged")


def range_of(b: Builder, expression: ir.Expression) -> Range:
    return Ranges(b.kernel()).of(expression)


def test_positions_and_sizes_leave_headroom(b):
    x = b.array("x", d.int32, rank=2)
    i, size = b.position("thread_position_in_grid"), b.extent(x, 1)
    assert range_of(b, i) == (0, TOP - 1)
    assert range_of(b, size) == (0, TOP)
    assert range_of(b, b.add(size, INDEX_HEADROOM)) == (INDEX_HEADROOM, d.int32.maximum)
    assert range_of(b, b.add(size, INDEX_HEADROOM + 1)) == WHOLE
    assert range_of(b, b.multiply(i, 2)) == WHOLE


def test_a_position_is_in_its_threadgroup_and_simdgroup(b):
    assert range_of(b, b.position("thread_index_in_simdgroup", None)) == (0, 31)
    assert range_of(b, b.position("threads_per_threadgroup")) == (1, 1024)
    group, size = b.position("threadgroup_position_in_grid"), b.position("threads_per_threadgroup")
    assert range_of(b, b.multiply(group, size)) == (0, TOP)
    assert range_of(b, b.multiply(size, group)) == (0, TOP)
    other_axis = b.position("threads_per_threadgroup", 1)
    assert range_of(b, b.multiply(group, other_axis)) == WHOLE


def test_the_elements_of_an_array_are_no_more_than_an_index_counts(b):
    x, y = b.array("x", d.int32, rank=3), b.array("y", d.int32)
    sizes = [b.extent(x, axis) for axis in range(3)]
    assert range_of(b, b.multiply(b.multiply(sizes[0], sizes[1]), sizes[2])) == (0, TOP)
    assert range_of(b, b.multiply(sizes[0], sizes[2])) == (0, TOP)
    assert range_of(b, b.multiply(sizes[0], b.extent(x, 0))) == WHOLE
    assert range_of(b, b.multiply(sizes[0], b.extent(y))) == WHOLE
    assert range_of(b, b.multiply(b.multiply(b.extent(y), sizes[1]), sizes[2])) == WHOLE


def test_a_counter_is_before_its_stop(b):
    x = b.array("x", d.int32)
    up, down = b.variable("up", d.int32), b.variable("down", d.int32)
    b.emit(b.loop(up, 3, b.extent(x), 2, []), b.loop(down, 9, -1, -1, []))
    assert range_of(b, b.value(up)) == (3, TOP - 1)
    assert range_of(b, b.value(down)) == (0, 9)


def test_a_variable_has_one_range_for_all_that_is_assigned(b):
    x = b.let("x", 5)
    b.emit(b.when(True, [b.assign(x, -7)]))
    assert range_of(b, b.value(x)) == (-7, 5)


def test_what_grows_in_a_loop_is_anything(b):
    x = b.let("x", 5)
    b.emit(b.loop_while(True, [b.assign(x, b.add(x, 1))]))
    assert range_of(b, b.value(x)) == WHOLE


def test_what_shrinks_in_a_loop_keeps_its_ends(b):
    x = b.let("x", 1000)
    b.emit(b.loop_while(True, [b.assign(x, b.binary("floor_divide", x, 2))]))
    assert range_of(b, b.value(x)) == (0, 1000)


def test_parameters_loads_and_conversions_of_floats_are_anything(b):
    n, x = b.scalar("n", d.int32), b.array("x", d.int32)
    assert range_of(b, b.value(n)) == WHOLE
    assert range_of(b, b.load(x, 0)) == WHOLE
    assert range_of(b, b.convert(b.value(0.5), d.int32)) == WHOLE


def test_conversions_keep_what_fits(b):
    i = b.position("thread_index_in_simdgroup", None)
    assert range_of(b, b.convert(i, d.int8)) == (0, 31)
    assert range_of(b, b.convert(b.multiply(i, 5), d.int8)) == range_of_type(d.int8)
    assert range_of(b, b.convert(b.compare("lt", i, 3), d.int32)) == (0, 1)


def test_a_function_has_the_arguments_and_the_results_of_its_calls(b):
    p = b.variable("p", d.int32)
    double = b.function("double", [p], [ir.Return(b.multiply(p, 2), NOWHERE)])
    b.let("x", b.invoke(double, b.value(21)))
    called = b.invoke(double, b.value(-4))
    b.let("y", called)
    assert range_of(b, b.value(p)) == (-4, 21)
    assert range_of(b, called) == (-8, 42)


# --- The law ---------------------------------------------------------------------------------

MEANING = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "floor_divide": lambda a, b: a // b if b else 0,
    "remainder": lambda a, b: a % b if b else 0,
    "bit_and": lambda a, b: a & b,
    "bit_or": lambda a, b: a | b,
    "bit_xor": lambda a, b: a ^ b,
    "shift_left": lambda a, n: a << n if 0 <= n < 8 else 0,
    "shift_right": lambda a, n: a >> (n if 0 <= n < 8 else 7),
}
BYTES = st.integers(-128, 127)


@pytest.mark.parametrize("operator", MEANING)
@given(ends=st.tuples(BYTES, BYTES, BYTES, BYTES), at=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_result_of_operands_in_range_is_in_range(operator, ends, at):
    b = Builder("law")
    sides = []
    values = []
    for number, place in enumerate(at):
        least, greatest = sorted(ends[2 * number : 2 * number + 2])
        side = b.variable(f"v{number}", d.int8)
        b.emit(b.assign(side, least), b.assign(side, greatest))
        sides.append(b.value(side))
        values.append(least + round(place * (greatest - least)))
    wanted = (MEANING[operator](*values) + 128) % 256 - 128
    found = range_of(b, b.binary(operator, *sides))
    assert found.least <= wanted <= found.greatest
