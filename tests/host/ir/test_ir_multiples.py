"""What is called a multiple is one, whatever the program does; and the usual indices are found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.ir import nodes as ir
from speedmetal.ir.multiples import MOST, Multiples, divides
from speedmetal.source import NOWHERE

OPERATORS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "remainder": lambda a, b: a % b if b else 0,
    "floor_divide": lambda a, b: a // b if b else 0,
    "bit_and": lambda a, b: a & b,
    "bit_or": lambda a, b: a | b,
    "bit_xor": lambda a, b: a ^ b,
    "shift_left": lambda a, b: a << b if 0 <= b < 32 else 0,
    "shift_right": lambda a, b: a >> b if 0 <= b < 32 else 0,
}


def wrapped(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def trees() -> st.SearchStrategy:
    leaf = st.one_of(st.integers(-300, 300), st.sampled_from(["x", "y"]))
    return st.recursive(
        leaf, lambda t: st.tuples(st.sampled_from(sorted(OPERATORS)), t, t), max_leaves=8
    )


@pytest.mark.parametrize("factor", [1, 8])
@given(tree=trees(), x=st.integers(-1000, 1000), y=st.integers(-(1 << 31), (1 << 31) - 1))
def test_multiples_are_multiples(factor, tree, x, y):
    b = Builder("k")
    given_x, given_y = b.scalar("given", d.int32), b.scalar("y", d.int32)
    own = b.let("x", b.multiply(given_x, factor))
    values = {"x": wrapped(x * factor), "y": y}

    def build(part) -> tuple[ir.Expression, int]:
        if isinstance(part, int):
            return b.value(part), part
        if isinstance(part, str):
            return ir.Read(own if part == "x" else given_y, NOWHERE), values[part]
        operator, *operands = part
        (left, first), (right, second) = map(build, operands)
        value = wrapped(OPERATORS[operator](first, second))
        return ir.Binary(operator, left, right, d.int32, NOWHERE), value

    expression, value = build(tree)
    found = Multiples(tuple(b.statements)).of(expression)
    assert MOST % found == 0
    assert value % found == 0


def test_a_variable_of_a_loop_is_what_all_its_values_are():
    b = Builder("k")
    n, c = b.scalar("n", d.int32), b.variable("c", d.int32)
    total = b.let("total", 32)
    b.emit(b.loop(c, 16, n, 8, [b.assign(total, b.add(total, b.multiply(c, 2)))]))
    found = Multiples(tuple(b.statements))
    assert [found.of(ir.Read(v, NOWHERE)) for v in (c, total, n)] == [8, 16, 1]
    assert divides(found, 16, [(ir.Read(c, NOWHERE), 2), (ir.Read(n, NOWHERE), 48)])
    assert not divides(found, 32, [(ir.Read(c, NOWHERE), 2)])


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 3.5])
def test_nothing_is_known_of_floats(value):
    """Also where a function is given them beside integers."""
    assert Multiples(()).of(ir.Constant(value, d.float32, NOWHERE)) == 1
