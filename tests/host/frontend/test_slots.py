"""Laws of the join of types, and of names."""

from __future__ import annotations

import graphlib
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from speedmetal import dtypes as d
from speedmetal.frontend.identifiers import RESERVED, Names, valid_identifier
from speedmetal.frontend.variable_types import (
    AggregateVariable,
    ComplexVariable,
    MatrixVariable,
    NumberVariable,
    OtherVariable,
    as_running,
    join,
)
from speedmetal.ir.types import MatrixType

REAL = [dtype for dtype in d.ALL if not dtype.is_complex]
WEAK = [d.int32, d.int64, d.float32, d.float64]
STRONG = [NumberVariable(dtype) for dtype in REAL]
RUNNING = [NumberVariable(dtype, weak=True) for dtype in WEAK]
LITERAL = [NumberVariable(dtype, weak=True, literal=True) for dtype in WEAK]
COMPLEX = [ComplexVariable(dtype, weak) for dtype in d.COMPLEX for weak in (False, True)]
LEAVES = [
    *(*STRONG, *RUNNING, *LITERAL, *COMPLEX),
    *(MatrixVariable(MatrixType(dtype)) for dtype in d.FLOATS),
    *(OtherVariable(None), OtherVariable(len)),
]
leaf = st.sampled_from(LEAVES)
slots = leaf | st.builds(AggregateVariable, st.lists(leaf, min_size=1, max_size=3).map(tuple))


@given(slots)
def test_join_with_itself_is_itself(slot):
    assert join(slot, slot) == slot


@given(slots, slots)
def test_order_does_not_matter(a, b):
    assert join(a, b) == join(b, a)


JOINABLE = [(a, b) for a in LEAVES for b in LEAVES if join(a, b) is not None]


@pytest.mark.parametrize("make", [lambda leaf: leaf, lambda leaf: AggregateVariable((leaf, leaf))])
def test_join_holds_both(make):
    """Of all pairs: what a slot does not hold, no run would assign to it."""
    for a, b in (map(make, pair) for pair in JOINABLE):
        joined = join(a, b)
        assert (join(joined, a), join(joined, b)) == (joined, joined), (a, b)


def test_join_only_widens():
    """What is joined again and again settles: no chain of joins comes back to where it was."""
    wider = {leaf: set() for leaf in LEAVES}
    for a, b in JOINABLE:
        joined = join(a, b)
        assert joined in wider
        wider[a] |= {joined} - {a}
    graphlib.TopologicalSorter(wider).prepare()


@given(st.sampled_from(LITERAL), st.sampled_from(STRONG))
def test_strong_types_win_over_literals(a, b):
    joined = join(a, b)
    assume(joined is not None)
    assert joined == b


@given(st.sampled_from(RUNNING), st.sampled_from([*STRONG, *RUNNING, *LITERAL]))
def test_running_numbers_keep_32_bits(a, b):
    joined = join(a, b)
    assume(joined is not None)
    assert joined.dtype.bits >= 32
    assert joined.weak == (b.weak or joined.dtype is not b.dtype)


@given(slots)
def test_the_slot_of_a_name_has_no_literals(slot):
    assert "literal=True" not in repr(as_running(slot))
    assert str(as_running(slot)) == str(slot)


def test_running_numbers_take_types_that_are_wide_enough():
    count, factor = NumberVariable(d.int32, weak=True), NumberVariable(d.float32, weak=True)
    assert join(count, NumberVariable(d.uint8)) == count
    assert join(count, NumberVariable(d.uint32)) == NumberVariable(d.uint32)
    assert join(count, NumberVariable(d.float16)) == factor
    assert join(factor, NumberVariable(d.bfloat16)) == factor
    assert join(factor, NumberVariable(d.float64)) == NumberVariable(d.float64)
    big = NumberVariable(d.int64, weak=True)
    assert join(big, NumberVariable(d.int32)) == big
    assert join(big, NumberVariable(d.float32)) == NumberVariable(d.float32)


def test_kinds_do_not_mix():
    assert join(NumberVariable(d.int32), NumberVariable(d.float32)) is None
    assert join(NumberVariable(d.bool_), NumberVariable(d.int32)) is None
    assert join(NumberVariable(d.uint32), NumberVariable(d.int32)) is None
    assert join(NumberVariable(d.float32, weak=True), NumberVariable(d.int32)) is None
    assert join(NumberVariable(d.float16), NumberVariable(d.bfloat16)) is None


@given(st.text(min_size=1).filter(str.isidentifier))
def test_names_are_valid_everywhere(name):
    made = valid_identifier(name)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", made)
    assert made not in RESERVED
    assert "__" not in made
    assert not made.startswith("sm_") or made.endswith("_")


@given(st.lists(st.sampled_from(["x", "x_1", "float", "float_", "_x", "x__1"]), max_size=12))
def test_names_are_unique(wanted):
    names = Names()
    made = [names.unique(name) for name in wanted]
    assert len(set(made)) == len(made)
    assert not RESERVED & set(made)
