"""What may overflow: all but what cannot, and what serves indices alone."""

from __future__ import annotations

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.ir import nodes as ir
from speedmetal.ir.overflow import Overflow
from speedmetal.ir.types import INDEX_HEADROOM, Space
from speedmetal.source import NOWHERE


@pytest.fixture
def b() -> Builder:
    builder = Builder("overflowing")
    builder.array("x", d.int32)
    builder.scalar("n", d.int32)
    return builder


def parts(b: Builder) -> tuple[ir.Array, ir.Variable, ir.Expression]:
    """An array, a number of the launch, a position."""
    array, number = b.parameters
    return array, number, b.position("thread_position_in_grid")


def may(b: Builder, node: ir.Binary | ir.Unary) -> bool:
    return Overflow(b.kernel()).leaves(node, node.type)


def test_a_value_may_and_an_index_of_the_same_parts_may_not(b):
    x, n, i = parts(b)
    value, row = b.multiply(i, n), b.multiply(i, n)
    index = b.add(row, 7)
    b.emit(b.store(x, [index], value))
    assert may(b, value)
    assert not may(b, row)
    assert not may(b, index)


def test_where_the_ranges_fit_nothing_may(b):
    _, n, i = parts(b)
    assert not may(b, b.add(i, INDEX_HEADROOM))
    assert not may(b, b.unary("negate", i))
    assert may(b, b.multiply(i, 2))
    assert may(b, b.unary("negate", b.value(n)))


def test_a_counter_stays_in_its_type_where_its_stop_is_far_from_the_end(b):
    x, n, _ = parts(b)
    size, given = b.let("size", b.extent(x, 0)), b.let("given", b.value(n))
    grid = b.position("threads_per_grid")
    cases = [(size, 128, False), (size, INDEX_HEADROOM + 1, False), (size, 1 << 17, True)]
    cases += [(given, 128, True), (size, grid, True), (size, b.value(n), True)]
    loops = [b.loop(b.variable("i", d.int32), 0, stop, step, []) for stop, step, _ in cases]
    b.emit(*loops)
    overflow = Overflow(b.kernel())
    assert [overflow.counter_leaves(each) for each in loops] == [leaves for _, _, leaves in cases]


def test_variables_are_followed_into_indices(b):
    x, n, i = parts(b)
    row = b.multiply(i, n)
    index = b.let("index", row)
    b.emit(b.store(x, [b.add(index, 1)], 0))
    assert not may(b, row)


@pytest.mark.parametrize("elsewhere", ["value", "condition", "print", "bound", "shift", "function"])
def test_a_variable_that_is_read_elsewhere_is_no_index(b, elsewhere):
    x, n, i = parts(b)
    row = b.multiply(i, n)
    index = b.let("index", row)
    read = b.value(index)
    p = b.variable("p", d.int32)
    same = b.function("same", [p], [ir.Return(b.value(p), NOWHERE)])
    b.emit(b.store(x, [index], 0))
    b.emit(
        {
            "value": lambda: b.store(x, [0], read),
            "condition": lambda: b.when(b.compare("lt", read, 5), []),
            "print": lambda: b.show(read),
            "bound": lambda: b.loop(b.variable("k", d.int32), 0, read, 1, []),
            "shift": lambda: b.store(x, [b.binary("shift_right", read, 2)], 0),
            "function": lambda: b.store(x, [0], b.invoke(same, read)),
        }[elsewhere]()
    )
    assert may(b, row)


def test_a_node_that_stands_in_an_index_and_elsewhere_may(b):
    x, n, i = parts(b)
    row = b.multiply(i, n)
    b.emit(b.store(x, [row], row))
    assert may(b, row)


@pytest.mark.parametrize("operator", ["remainder", "bit_and", "floor_divide", "shift_right"])
def test_what_is_cut_to_an_index_may(b, operator):
    x, n, i = parts(b)
    hashed = b.multiply(i, n)
    b.emit(b.store(x, [b.binary(operator, hashed, 9)], 0))
    assert may(b, hashed)


def test_data_may_even_in_an_index(b):
    x, n, i = parts(b)
    of_element = b.multiply(b.load(x, i), n)
    b.emit(b.store(x, [b.multiply(of_element, 2)], 0))
    assert may(b, of_element)
    old = b.variable("old", d.int32)
    of_atomic, of_float = b.multiply(old, n), b.multiply(b.convert(0.5, d.int32), n)
    b.emit(b.atomic("add", x, [0], 1, result=old), b.store(x, [of_atomic], 0))
    b.emit(b.store(x, [of_float], 0))
    assert may(b, of_atomic)
    assert may(b, of_float)
    kept = b.let("kept", b.load(x, i))
    of_variable = b.multiply(kept, 3)
    b.emit(b.store(x, [of_variable], 0))
    assert may(b, of_variable)


def test_an_index_that_would_wrap_out_of_every_array_may_not_even_of_data(b):
    x, n, i = parts(b)
    element = b.load(x, i)
    plus, minus = b.add(element, i), b.binary("subtract", element, INDEX_HEADROOM)
    reverse = b.binary("subtract", i, b.load(x, 1))
    for index in (plus, minus, reverse):
        b.emit(b.store(x, [index], 0))
        assert not may(b, index)
    below, far = b.add(element, n), b.binary("subtract", element, INDEX_HEADROOM + 1)
    for index in (below, far):
        b.emit(b.store(x, [index], 0))
        assert may(b, index)
    inner = b.add(element, i)
    b.emit(b.store(x, [b.add(inner, i)], 0))
    assert may(b, inner)  # after another addition it could be back in bounds


def test_functions_that_serve_indices_alone_may_not(b):
    x, n, i = parts(b)
    row, width = b.variable("row", d.int32), b.variable("width", d.int32)
    product = b.multiply(row, width)
    place = b.function("place", [row, width], [ir.Return(product, NOWHERE)])
    b.emit(b.store(x, [b.invoke(place, i, b.value(n))], 0))
    assert not may(b, product)
    b.emit(b.store(x, [b.invoke(place, b.load(x, 0), b.value(n))], 0))
    assert may(b, product)


def test_a_function_that_also_gives_a_value_may(b):
    x, _, i = parts(b)
    row = b.variable("row", d.int32)
    product = b.multiply(row, 9)
    place = b.function("place", [row], [ir.Return(product, NOWHERE)])
    b.emit(b.store(x, [b.invoke(place, i)], b.invoke(place, i)))
    assert may(b, product)


def test_sizes_of_threadgroup_arrays_are_no_indices(b):
    _, n, _ = parts(b)
    size = b.multiply(n, 9)
    b.memory("tile", d.int32, [size], Space.THREADGROUP)
    assert may(b, size)


def test_the_type_asked_about_counts(b):
    _, _, i = parts(b)
    doubled = b.multiply(i, 2)
    overflow = Overflow(b.kernel())
    assert overflow.leaves(doubled, d.int32)
    assert not overflow.leaves(doubled, d.int64)
