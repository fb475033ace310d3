"""What threads agree on: values and statements, in a threadgroup and in a simdgroup."""

from __future__ import annotations

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.intrinsics.record import Varies
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import Space
from speedmetal.ir.uniformity import Uniformities, Uniformity
from speedmetal.source import NOWHERE

UNIFORM, READ, UNKNOWN, DIVERGENT = Uniformity
GROUP, SIMDGROUP = Varies.THREADGROUPS, Varies.SIMDGROUPS


@pytest.fixture
def b():
    return Builder("k")


def found(b, within=GROUP, written=()):
    return Uniformities(tuple(b.statements), written, within)


def of(b, name, within=GROUP, written=()):
    """The uniformity of the variable with a name."""
    assigned = (s for s in b.statements if isinstance(s, ir.Assign))
    variable = next(s.variable for s in assigned if s.variable.name == name)
    return found(b, within, written).of(b.value(variable))


POSITIONS = {
    "thread_position_in_grid": (DIVERGENT, DIVERGENT),
    "thread_index_in_simdgroup": (DIVERGENT, DIVERGENT),
    "simdgroup_index_in_threadgroup": (DIVERGENT, UNIFORM),
    "threadgroup_position_in_grid": (UNIFORM, UNIFORM),
    "threads_per_grid": (UNIFORM, UNIFORM),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_positions(b, name):
    has_axes = name not in ("thread_index_in_simdgroup", "simdgroup_index_in_threadgroup")
    b.let("x", b.position(name, 0 if has_axes else None))
    assert (of(b, "x"), of(b, "x", SIMDGROUP)) == POSITIONS[name]


def test_memory_that_nothing_writes_is_the_same_for_all_who_read_one_place(b):
    array, tile = b.array("a", d.int32), b.memory("t", d.int32, [4], Space.THREADGROUP)
    own = b.memory("o", d.int32, [4], Space.THREAD)
    b.let("i", b.position("thread_position_in_grid"))
    for name, place in (("a", array), ("t", tile), ("o", own)):
        b.let(f"{name}_at_3", b.load(place, 3))
    b.let("a_at_i", b.load(array, b.statements[0].variable))
    assert of(b, "a_at_3") is READ
    assert of(b, "a_at_3", written={array}) is UNKNOWN
    assert of(b, "t_at_3") is UNKNOWN
    assert of(b, "o_at_3") is of(b, "a_at_i") is DIVERGENT


def test_a_collective_unites_the_threads_of_a_simdgroup(b):
    b.let("i", b.position("thread_position_in_grid"))
    i = b.statements[0].variable
    b.let("sum", b.call("simd_sum", i))
    b.let("quad", b.call("quad_sum", i))
    b.let("part", b.call("simd_sum_16", i))
    b.let("first", b.call("simd_is_first"))
    b.let("lane_1", b.call("simd_broadcast", i, 1))
    b.let("lane_i", b.call("simd_broadcast", i, i))
    in_simdgroup = {s.variable.name: of(b, s.variable.name, SIMDGROUP) for s in b.statements}
    assert in_simdgroup == {
        "i": DIVERGENT,
        "sum": UNIFORM,
        "quad": DIVERGENT,
        "part": DIVERGENT,
        "first": UNKNOWN,
        "lane_1": UNIFORM,
        "lane_i": DIVERGENT,
    }
    assert of(b, "sum") is DIVERGENT  # simdgroups have sums of their own
    assert of(b, "first") is UNKNOWN


def below_3(b, position):
    return b.compare("lt", b.position(position), 3)


@pytest.mark.parametrize(
    ("condition", "level"),
    [
        (lambda b: below_3(b, "threads_per_grid"), UNIFORM),
        (lambda b: b.call("simd_is_first"), UNKNOWN),
        (lambda b: below_3(b, "thread_position_in_grid"), DIVERGENT),
    ],
)
def test_what_is_assigned_where_some_threads_come_differs(b, condition, level):
    n = b.let("n", 0)
    here = b.let("here", condition(b))
    inner = b.assign(n, 8)
    branch = b.when(here, [inner])
    b.emit(branch)
    agreed = found(b)
    assert agreed.of(b.value(n)) is level
    assert agreed.is_reached_together(inner) == (level is UNIFORM)
    assert agreed.splits(branch) == (level is not UNIFORM)
    assert agreed.is_reached_together(branch)


@pytest.mark.parametrize("leave", [ir.Break, ir.Continue])
def test_threads_that_leave_a_loop_are_behind_in_those_around_it(b, leave):
    """In their values they differ in that loop alone."""
    outer, inner = b.variable("outer", d.int32), b.variable("inner", d.int32)
    m = b.let("m", 0)
    n = b.let("n", 0)
    away = b.when(below_3(b, "thread_position_in_grid"), [leave(NOWHERE)])
    in_inner, in_outer = b.assign(m, 1), b.assign(n, 1)
    after = b.assign(b.variable("after", d.int32), 1)
    turns = b.loop(inner, 0, 4, 1, [away, in_inner])
    b.emit(b.loop(outer, 0, 4, 1, [in_outer, turns]), after)
    agreed = found(b)
    assert agreed.of(b.value(m)) is DIVERGENT
    assert agreed.of(b.value(n)) is UNKNOWN
    assert not agreed.is_reached_together(in_outer)
    assert agreed.is_reached_together(after)


def test_behind_a_return_of_some_threads_the_others_are_alone(b):
    b.emit(b.when(below_3(b, "thread_position_in_grid"), [b.leave()]))
    n = b.let("n", 1)
    assert not found(b).is_reached_together(b.statements[-1])
    assert found(b).of(b.value(n)) is DIVERGENT


def test_a_check_says_nothing_of_values(b):
    """In programs that are right it ends no thread."""
    b.emit(b.check(below_3(b, "thread_position_in_grid"), "why"))
    n = b.let("n", 1)
    assert not found(b).is_reached_together(b.statements[-1])
    assert found(b).of(b.value(n)) is UNKNOWN


def test_what_an_atomic_gives_is_each_thread_s_own(b):
    old = b.variable("old", d.int32)
    b.emit(b.atomic("add", b.array("a", d.int32), [0], 1, result=old))
    assert found(b).of(b.value(old)) is DIVERGENT
