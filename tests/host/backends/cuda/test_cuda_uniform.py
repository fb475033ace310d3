"""Which threads a collective is told to wait for."""

from __future__ import annotations

import re

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cuda.codegen.printer import print_kernel
from speedmetal.ir import nodes as ir
from speedmetal.source import NOWHERE


@pytest.fixture
def b():
    builder = Builder("k")
    builder.array("x", d.int32)
    builder.scalar("n", d.int32)
    builder.let("i", builder.position("thread_position_in_grid"))
    builder.let("lane", builder.call("thread_index_in_simdgroup"))
    return builder


def variables(b):
    return [s.variable for s in b.statements if isinstance(s, ir.Assign)]


def total(b):
    """A sum over the simdgroup."""
    result = b.variable("total", d.int32)
    return b.assign(result, b.call("simd_sum", b.load(b.parameters[0], 0)))


def masks(b) -> list[str]:
    return re.findall(r"total\w* = simdgroup_sum\((.*?), x\[0\]\)", print_kernel(b.kernel()))


def test_at_the_top_all_threads_of_the_simdgroup(b):
    b.emit(total(b))
    assert masks(b) == ["simdgroup_mask"]


def test_under_a_condition_that_is_the_same_for_all(b):
    group = b.let("group", b.call("simdgroup_index_in_threadgroup"))
    b.emit(b.when(b.compare("lt", group, b.parameters[1]), [total(b)]))
    assert masks(b) == ["simdgroup_mask"]


def test_under_a_condition_that_differs_those_that_take_the_branch(b):
    lane = variables(b)[1]
    b.emit(b.when(b.compare("lt", lane, 7), [total(b)], [total(b)]))
    assert masks(b) == ["branch_mask", "simdgroup_mask & ~branch_mask"]
    assert "uint32 branch_mask = __ballot_sync(simdgroup_mask, lane < 7);" in print_kernel(
        b.kernel()
    )


def test_after_threads_have_left_those_that_the_hardware_runs(b):
    i = variables(b)[0]
    b.emit(b.when(b.compare("ge", i, b.parameters[1]), [b.leave()]), total(b))
    assert masks(b) == ["__activemask()"]


def test_after_a_return_of_all_or_none(b):
    b.emit(b.when(b.compare("lt", b.parameters[1], 3), [b.leave()]), total(b))
    assert masks(b) == ["simdgroup_mask"]


def test_after_an_assert_that_may_end_some_threads(b):
    b.emit(b.check(b.compare("lt", variables(b)[0], 3), ""), total(b))
    assert masks(b) == ["__activemask()"]


def test_loops_of_the_same_length_and_of_different_lengths(b):
    k = b.variable("k", d.int32)
    b.emit(b.loop(k, 0, b.parameters[1], 1, [total(b)]))
    b.emit(b.loop(b.variable("m", d.int32), 0, variables(b)[1], 1, [total(b)]))
    b.emit(total(b))
    assert masks(b) == ["simdgroup_mask", "__activemask()", "simdgroup_mask"]


def test_a_loop_that_some_threads_leave_early(b):
    lane = variables(b)[1]
    leave = b.when(b.compare("eq", lane, 3), [ir.Break(NOWHERE)])
    b.emit(b.loop(b.variable("k", d.int32), 0, 9, 1, [total(b), leave]), total(b))
    assert masks(b) == ["__activemask()", "simdgroup_mask"]


def test_a_variable_that_varies_by_way_of_a_loop(b):
    """The second round of the loop sees what the first one assigned."""
    flag, k = b.let("flag", 0), b.variable("k", d.int32)
    inside = [b.when(b.compare("gt", flag, 5), [total(b)]), b.assign(flag, variables(b)[1])]
    b.emit(b.loop(k, 0, 4, 1, inside))
    assert masks(b) == ["branch_mask"]


def test_what_a_vote_gives_is_the_same_for_all(b):
    lane = variables(b)[1]
    any_ = b.let("any_", b.call("simd_any", b.compare("gt", lane, 3)))
    b.emit(b.when(any_, [total(b)]))
    assert masks(b) == ["simdgroup_mask"]


def test_what_memory_holds_may_differ(b):
    x = b.parameters[0]
    b.emit(b.store(x, [0], 1), b.when(b.compare("gt", b.load(x, 0), 0), [total(b)]))
    assert masks(b) == ["branch_mask"]
