"""Which loops a threadgroup takes at once, for the order of memory accesses; and that it may."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from cpu_programs import prepare_kernel
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.codegen.decisions import plan
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, LaneStrides
from speedmetal.backends.cpu.codegen.decisions.ordering import (
    Block,
    cut_into_blocks,
    may_stream,
    streaming_loops,
)
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import Space
from speedmetal.source import NOWHERE


def found(b: Builder, *, by_rows: bool = False) -> int:
    """How many loops of a kernel stream."""
    return len(loops_of(b, by_rows=by_rows))


def loops_of(b: Builder, *, by_rows: bool = False) -> dict[ir.Statement, Block]:
    """The loops of a kernel that stream, with their blocks."""
    kernel = b.kernel()

    def position(call: ir.Call) -> int:
        is_along_x = call.intrinsic.name.startswith("thread_") and not call.axis
        return 1 if is_along_x else UNIFORM

    shapes = LaneStrides([((), kernel.body)], {}, position)
    return streaming_loops(kernel, shapes.stride, by_rows=by_rows) if may_stream(kernel) else {}


class Case:
    """A kernel that sums ``v[index(k)]`` for k in a range."""

    def __init__(self, debug: int = 0) -> None:
        self.b = Builder("streams", debug=debug)
        self.v = self.b.array("v", d.float32)
        self.image = self.b.array("image", d.float32, rank=2)
        self.n = self.b.scalar("n", d.int32)
        self.t = self.b.let("t", self.b.position("thread_index_in_threadgroup", None))
        self.total = self.b.let("total", 0.0)
        self.k = self.b.variable("k", d.int32)

    def sum(self, index: ir.Expression, array: ir.Array | None = None) -> ir.Assign:
        value = self.b.load(array or self.v, index)
        return self.b.assign(self.total, self.b.add(self.total, value))

    def loop(self, *body: ir.Statement, start=0, stop=None, step=256) -> ir.For:
        end = self.n if stop is None else stop
        return self.b.loop(self.k, start, end, step, body)

    def index(self) -> ir.Expression:
        return self.b.add(self.k, self.t)


def plain(c: Case) -> list[ir.Statement]:
    return [c.loop(c.sum(c.index()))]


def through_a_variable(c: Case) -> list[ir.Statement]:
    i = c.b.variable("i", d.int32)
    return [c.loop(c.b.assign(i, c.index()), c.sum(c.b.value(i)))]


def scaled(c: Case) -> list[ir.Statement]:
    scaled_counter = c.b.multiply(c.b.multiply(c.k, 4), 8)
    return [c.loop(c.sum(c.b.binary("subtract", c.b.add(c.t, c.n), scaled_counter)), step=1)]


def down_rows(c: Case) -> list[ir.Statement]:
    load = c.b.load(c.image, c.k, c.t)
    return [c.loop(c.b.assign(c.total, c.b.add(c.total, load)), step=1)]


def fills(c: Case) -> list[ir.Statement]:
    return [c.loop(c.b.store(c.image, [c.k, c.t], 1.0), step=1)]


def inside_shared_flow(c: Case) -> list[ir.Statement]:
    wait = c.b.barrier("threadgroup", Space.THREADGROUP)
    return [c.b.when(c.b.compare("gt", c.n, 3), [c.loop(c.sum(c.index())), wait])]


STREAM: dict[str, Callable[[Case], list[ir.Statement]]] = {
    f.__name__: f for f in (plain, through_a_variable, scaled, down_rows, fills, inside_shared_flow)
}


@pytest.mark.parametrize("name", STREAM)
def test_loops_that_walk_through_memory_stream(name):
    c = Case()
    c.b.emit(*STREAM[name](c))
    assert found(c.b) == 1


def gathered(c: Case) -> list[ir.Statement]:
    return [c.loop(c.sum(c.b.multiply(c.t, c.k)))]


def neighbours(c: Case) -> list[ir.Statement]:
    """A window of a few elements: each vector has them in its caches."""
    return [c.loop(c.sum(c.index()), step=1)]


def shared_by_lanes(c: Case) -> list[ir.Statement]:
    return [c.loop(c.sum(c.b.value(c.k)))]


def own_bounds(c: Case) -> list[ir.Statement]:
    return [c.loop(c.sum(c.index()), start=c.t)]


def leaves_early(c: Case) -> list[ir.Statement]:
    beyond = c.b.when(c.b.compare("gt", c.total, 9.0), [ir.Break(NOWHERE)])
    return [c.loop(c.sum(c.index()), beyond)]


def returns_before(c: Case) -> list[ir.Statement]:
    return [c.b.when(c.b.compare("gt", c.t, 3), [c.b.leave()]), c.loop(c.sum(c.index()))]


def in_divergent_flow(c: Case) -> list[ir.Statement]:
    return [c.b.when(c.b.compare("gt", c.t, 3), [c.loop(c.sum(c.index()))])]


def large(c: Case) -> list[ir.Statement]:
    return [c.loop(*(c.sum(c.index()) for _ in range(12)))]


def from_threadgroup_memory(c: Case) -> list[ir.Statement]:
    tile = c.b.memory("tile", d.float32, [1024], Space.THREADGROUP)
    return [c.loop(c.sum(c.index(), tile))]


DO_NOT: dict[str, Callable[[Case], list[ir.Statement]]] = {
    f.__name__: f
    for f in (
        *(gathered, neighbours, shared_by_lanes, own_bounds, leaves_early),
        *(returns_before, in_divergent_flow, large, from_threadgroup_memory),
    )
}


@pytest.mark.parametrize("name", DO_NOT)
def test_other_loops_do_not(name):
    c = Case()
    c.b.emit(*DO_NOT[name](c))
    assert found(c.b) == 0


def test_bounds_that_differ_between_rows_are_no_matter_where_rows_go_by_themselves():
    c = Case()
    y = c.b.let("y", c.b.position("thread_position_in_threadgroup", 1))
    c.b.emit(c.loop(c.sum(c.b.add(c.index(), y)), start=y))
    assert found(c.b) == 0
    assert found(c.b, by_rows=True) == 1
    lane = Case()
    lane.b.emit(*own_bounds(lane))
    assert found(lane.b, by_rows=True) == 0


@pytest.mark.parametrize("threads", [(16, 4), (33, 5, 2), (1, 7), (64, 1, 3)])
def test_rows_with_bounds_of_their_own_keep_their_values(threads):
    @sm.kernel
    def sums(x, out):
        i, j, k = sm.thread_position_in_grid()
        total = 0
        for row in range(j, x.shape[0] - k):
            total = total * 3 + x[row, i]
        doubled = total * 2
        for row in range(k, j):
            doubled += x[row, i]
        out[k, j, i] = doubled

    x = np.arange(23 * 70, dtype=np.int32).reshape(23, 70) % 11
    out = np.zeros((4, 9, 70), np.int32)
    sums(x, out, grid=(70, 9, 4), threads=threads)
    for k in range(4):
        for j in range(9):
            total = np.zeros(70, np.int32)
            for row in range(j, 23 - k):
                total = total * 3 + x[row]
            assert (out[k, j] == total * 2 + x[k:j].sum(0)).all()


def test_a_compile_looks_for_such_loops_once(monkeypatch):
    """The threads that suit a kernel depend on them, and then what is printed."""
    c, asked = Case(), []
    c.b.emit(*plain(c))
    kernel = prepare_kernel(c.b.kernel())

    def find(*arguments, **options):
        asked.append(arguments)
        return streaming_loops(*arguments, **options)

    monkeypatch.setattr(plan, "streaming_loops", find)
    plan.suitable_threads(kernel)
    print_kernel(kernel)
    assert len(asked) == 1


def test_no_strides_are_found_for_loops_that_are_too_long(monkeypatch):
    c = Case()
    c.b.emit(*large(c))
    monkeypatch.setattr(plan, "LaneStrides", None)
    assert plan.suitable_threads(prepare_kernel(c.b.kernel())) is None


def test_with_checks_no_loop_streams():
    """A thread that fails leaves; the others go on."""
    c = Case(debug=1)
    c.b.emit(*plain(c))
    assert found(c.b) == 0


@pytest.mark.parametrize("threads", [1, 7, 32, 64, 257])
def test_what_threads_carry_through_such_loops_stays_their_own(threads):
    @sm.kernel
    def sums(x, out, length):
        thread = sm.thread_index_in_threadgroup()
        group = sm.threadgroup_position_in_grid().x
        width = sm.threads_per_threadgroup().x
        total, count, last = 0.0, 0, -1.0
        for start in range(group * length, (group + 1) * length, 64):
            i = start + thread
            if i < x.size and thread < 64:
                total += x[i]
                last = x[i]
                count += 1
        out[group * width + thread] = total * 1000 + last + count * 0.25

    length, groups = 640, 3
    x = np.arange(groups * length - 37, dtype=np.float32) % 13
    out = np.zeros(groups * threads, np.float32)
    sums(x, out, length, groups=groups, threads=threads)
    for group in range(groups):
        for thread in range(threads):
            first = group * length + thread
            mine = [x[i] for i in range(first, (group + 1) * length + thread, 64) if i < x.size]
            mine = mine if thread < 64 else []
            wanted = sum(mine) * 1000 + (mine[-1] if mine else -1) + len(mine) * 0.25
            assert out[group * threads + thread] == wanted


def down_by(step: int, *, stores: bool):
    @sm.kernel
    def visits(x, out, start, stop, first):
        t = sm.thread_position_in_grid().x
        total = sm.int64(0)
        for k in range(start, stop, step):
            total = total * 3 + k + x[k - first, t]
            if stores:
                x[k - first, t] += 1
        out[t] = total

    return visits


STEPS = {(n, stores): down_by(n, stores=stores) for n in (1, 3, -1, -7) for stores in (False, True)}
INT32 = np.iinfo(np.int32)


@given(
    corner=st.sampled_from([INT32.min, INT32.max - 40, -20]),
    begin=st.integers(0, 40),
    end=st.integers(0, 40),
    kind=st.sampled_from([*STEPS]),
    columns=st.sampled_from([50, 256, 257]),  # rows that are short, and that are not
)
def test_blocks_visit_what_the_range_has_in_its_order(corner, begin, end, kind, columns):
    step, stores = kind
    x = np.zeros((41, columns), np.int32)
    out = np.zeros(50, np.int64)
    STEPS[kind](x, out, np.int32(corner + begin), np.int32(corner + end), np.int32(corner), grid=50)
    total = 0
    for k in range(corner + begin, corner + end, step):
        total = total * 3 + k
    wanted = (total + 2**63) % 2**64 - 2**63
    assert (out == wanted).all()
    assert x[:, 0].sum() == (len(range(begin, end, step)) if stores else 0)


def test_rows_of_loops_are_taken_in_blocks():
    b = Case()
    b.b.emit(*down_rows(b))
    kernel = b.b.kernel()
    loop = kernel.body[-1]
    cut, (outer,) = cut_into_blocks(kernel, {loop: Block(8)})
    assert cut.body[-1] is outer
    assert isinstance(outer, ir.For)
    (inner,) = outer.body
    assert isinstance(inner, ir.For)
    assert (inner.counter, inner.step) == (loop.counter, loop.step)
    assert outer.step.value > inner.step.value


def test_blocks_of_loops_along_rows_are_single_iterations():
    """Then the vectors of a threadgroup read one stretch of memory, as processors foresee it."""
    c = Case()
    c.b.emit(*plain(c))
    assert [*loops_of(c.b).values()] == [Block(1)]
    c = Case()
    c.b.emit(*down_rows(c))
    loading = [*loops_of(c.b).values()]
    c = Case()
    c.b.emit(*fills(c))
    (storing,) = loops_of(c.b).values()
    assert loading[0].iterations > storing.iterations > 1


@pytest.mark.parametrize(("columns", "iterations"), [(64, 1), (256, 1), (257, 8), (4096, 8)])
def test_blocks_down_short_rows_are_single_iterations(columns, iterations):
    """The length of a block is found when the kernel runs: by how many bytes a row has."""
    c = Case()
    c.b.emit(*down_rows(c))
    kernel = c.b.kernel()
    _, (outer,) = cut_into_blocks(kernel, loops_of(c.b))
    assert isinstance(outer, ir.For)
    choice = outer.step
    assert isinstance(choice, ir.Select)
    assert choice.condition.operator == "le"
    assert isinstance(choice.condition.left, ir.Extent)
    is_short = columns <= choice.condition.right.value
    chosen = choice.when_true if is_short else choice.when_false
    assert chosen.value == iterations * kernel.body[-1].step.value
