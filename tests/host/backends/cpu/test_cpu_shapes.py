"""How values vary over lanes: strides, masks, exits; and what code that took them wrongly would do.

A stride that is claimed wrongly makes a kernel read and write the wrong elements, which the second
half of this file looks at; a stride that is not found only makes it slow.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cpu_programs import prepare_kernel, run_ir
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.codegen.decisions.lane_strides import (
    UNIFORM,
    VARYING,
    Accesses,
    LaneStrides,
    Stride,
    join,
)
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.backends.cpu.codegen.vector_unit import AVX2, AVX512, VectorUnit
from speedmetal.ir import nodes as ir
from speedmetal.ir.ranges import Ranges, range_of_type
from speedmetal.ir.types import MatrixType, Space
from speedmetal.source import NOWHERE


def stride_of_position(call: ir.Call) -> Stride:
    """As in vectors that are rows: x goes up by 1, y and z are the same."""
    return 1 if call.axis == 0 and call.intrinsic.name.startswith("thread_position") else UNIFORM


def shapes_of(b: Builder, *given: ir.Variable) -> LaneStrides:
    """The shapes of a kernel that is one run; scalar parameters are uniform."""
    known = dict.fromkeys(given or [p for p in b.parameters if isinstance(p, ir.Variable)], UNIFORM)
    ranges = Ranges(b.kernel())

    def may_wrap(value: ir.Expression) -> bool:
        return ranges.of(value) == range_of_type(value.type)

    return LaneStrides([((), tuple(b.statements))], known, stride_of_position, may_wrap=may_wrap)


@pytest.fixture
def b() -> Builder:
    return Builder("shaped")


def x_of(b: Builder) -> ir.Variable:
    return b.let("x", b.position("thread_position_in_grid", 0))


# --- expressions

Make = Callable[[Builder, ir.Variable, ir.Variable], ir.Expression]

EXPRESSIONS: dict[str, tuple[Stride, Make]] = {
    "x": (1, lambda b, x, n: b.value(x)),
    "x + n": (1, lambda b, x, n: b.add(x, n)),
    "x + x": (2, lambda b, x, n: b.add(x, x)),
    "n - x": (-1, lambda b, x, n: b.binary("subtract", n, x)),
    "x - x": (UNIFORM, lambda b, x, n: b.binary("subtract", x, x)),
    "-x": (-1, lambda b, x, n: b.unary("negate", x)),
    "3 * x": (3, lambda b, x, n: b.multiply(3, x)),
    "x * -5": (-5, lambda b, x, n: b.multiply(x, -5)),
    "0 * x": (UNIFORM, lambda b, x, n: b.multiply(0, x)),
    "n * x": (VARYING, lambda b, x, n: b.multiply(n, x)),  # a step that only the launch knows
    "x * x": (VARYING, lambda b, x, n: b.multiply(x, x)),
    "n * n": (UNIFORM, lambda b, x, n: b.multiply(n, n)),
    "x // 2": (VARYING, lambda b, x, n: b.binary("floor_divide", x, 2)),
    "x << 1": (VARYING, lambda b, x, n: b.binary("shift_left", x, 1)),
    "~x": (VARYING, lambda b, x, n: b.unary("invert", x)),
    "x < n": (VARYING, lambda b, x, n: b.compare("lt", x, n)),
    "n < 3": (UNIFORM, lambda b, x, n: b.compare("lt", n, 3)),
    "int64(x)": (1, lambda b, x, n: b.convert(x, d.int64)),
    "int64(x + 9)": (1, lambda b, x, n: b.convert(b.add(x, 9), d.int64)),
    "int64(2 * x)": (VARYING, lambda b, x, n: b.convert(b.multiply(2, x), d.int64)),
    "int64(x + n)": (VARYING, lambda b, x, n: b.convert(b.add(x, n), d.int64)),
    "int16(x)": (VARYING, lambda b, x, n: b.convert(x, d.int16)),  # wraps in some lanes
    "uint32(x)": (VARYING, lambda b, x, n: b.convert(x, d.uint32)),
    "float32(x)": (VARYING, lambda b, x, n: b.convert(x, d.float32)),
    "float32(n)": (UNIFORM, lambda b, x, n: b.convert(n, d.float32)),
    "uint32(x) + 1": (VARYING, lambda b, x, n: b.add(b.convert(x, d.uint32), 1)),
    "n if n < 3 else x": (VARYING, lambda b, x, n: b.select(b.compare("lt", n, 3), n, x)),
    "simd_sum(x)": (UNIFORM, lambda b, x, n: b.call("simd_sum", x)),
    "quad_sum(x)": (VARYING, lambda b, x, n: b.call("quad_sum", x)),
    "simd_prefix(n)": (VARYING, lambda b, x, n: b.call("simd_prefix_inclusive_sum", n)),
    "simd_broadcast(x, n)": (UNIFORM, lambda b, x, n: b.call("simd_broadcast", x, n)),
    "simd_broadcast(n, x)": (VARYING, lambda b, x, n: b.call("simd_broadcast", n, x)),
    "abs(x)": (VARYING, lambda b, x, n: b.call("abs", x)),
    "abs(n)": (UNIFORM, lambda b, x, n: b.call("abs", n)),
    "y": (UNIFORM, lambda b, x, n: b.position("thread_position_in_grid", 1)),
}  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_strides_of_expressions(b: Builder, text: str) -> None:
    """Steps between lanes are followed through sums and constant factors, and no further."""
    wanted, make = EXPRESSIONS[text]
    n, x = b.scalar("n", d.int32), x_of(b)
    value = b.let("value", make(b, x, n))
    assert shapes_of(b).of[value] == wanted


def test_strides_of_loads(b: Builder) -> None:
    """One element for all lanes is uniform, but not a thread's own, which each lane has."""
    n = b.scalar("n", d.int32)
    device = b.array("device", d.float32)
    shared = b.memory("shared", d.float32, [8], Space.THREADGROUP)
    own = b.memory("own", d.float32, [8], Space.THREAD)
    x = x_of(b)
    loads = [
        b.let(f"v{k}", b.load(a, i)) for a in (device, shared, own) for k, i in enumerate((n, x))
    ]
    found = shapes_of(b).of
    assert [found[v] for v in loads] == [UNIFORM, VARYING, UNIFORM, VARYING, VARYING, VARYING]


def test_matrices_are_one_value_of_all_lanes(b: Builder) -> None:
    """The lanes hold them together."""
    a = b.array("a", d.float32, 2)
    matrix = b.let("matrix", b.matrix_load(a, 0, 0))
    filled = b.let("filled", b.call("simdgroup_matrix_fill", 0.0))
    product = b.let("product", b.call("simdgroup_multiply", matrix, filled))
    assert isinstance(product.type, MatrixType)
    assert {shapes_of(b).of[v] for v in (matrix, filled, product)} == {UNIFORM}


def test_join_keeps_what_both_have() -> None:
    """A known step, where it is the same."""
    assert join(1, 1) == 1
    assert join(UNIFORM, 1) is VARYING
    assert join(VARYING, VARYING) is VARYING


# --- variables


def test_several_values_of_one_shape_keep_it(b: Builder) -> None:
    """In program order, and round a loop, where a later assignment is seen by an earlier one."""
    n, x = b.scalar("n", d.int32), x_of(b)
    steady, moving = b.let("steady", x), b.let("moving", n)
    k = b.variable("k", d.int32)
    body = [b.assign(steady, b.add(steady, n)), b.assign(moving, b.add(moving, k))]
    b.emit(b.loop(k, 0, n, 1, body), b.assign(moving, b.add(moving, 1)))
    found = shapes_of(b).of
    assert (found[steady], found[moving], found[k]) == (1, UNIFORM, UNIFORM)
    b.emit(b.assign(moving, x))
    assert shapes_of(b).of[moving] is VARYING


def test_an_assignment_for_some_lanes_makes_a_variable_varying(b: Builder) -> None:
    """The others keep what they had."""
    n, x = b.scalar("n", d.int32), x_of(b)
    some, all_lanes = b.let("some", 0), b.let("all_lanes", 0)
    b.emit(b.when(b.compare("lt", x, n), [b.assign(some, 1)]))
    b.emit(b.when(b.compare("lt", n, 3), [b.assign(all_lanes, 1)]))
    b.let("sum", b.add(some, all_lanes))
    found = shapes_of(b)
    assert (found.of[some], found.of[all_lanes]) == (VARYING, UNIFORM)
    assert len(found.varying) == 1


def test_a_variable_that_lives_under_one_condition_stays_uniform(b: Builder) -> None:
    """Idle lanes never read it."""
    n, x = b.scalar("n", d.int32), x_of(b)
    out = b.array("out", d.int32)
    inner = b.variable("inner", d.int32)
    body = [b.assign(inner, n), b.assign(inner, b.add(inner, 1)), b.store(out, [x], inner)]
    b.emit(b.when(b.compare("lt", x, n), body))
    found = shapes_of(b)
    assert found.of[inner] == UNIFORM
    condition = b.statements[-1]
    assert not found.leaves_lanes_behind(inner, ((condition, 0),))


def loop_that_lanes_leave(
    b: Builder, *, read_after: bool, skips: bool
) -> tuple[ir.Variable, ir.While]:
    """Lanes go round the loop as often as their own limit says."""
    out, limits = b.array("out", d.int32), b.array("limits", d.int32)
    x = x_of(b)
    total = b.let("total", 0)
    body: list[ir.Statement] = [b.assign(total, b.add(total, 1)), b.store(out, [x], total)]
    if skips:
        body.insert(0, b.when(b.compare("eq", b.load(out, x), 7), [ir.Continue(NOWHERE)]))
    loop = b.loop_while(b.compare("lt", b.load(out, x), b.load(limits, x)), body)
    b.emit(loop)
    if read_after:
        b.emit(b.store(out, [x], total))
    return total, loop


@pytest.mark.parametrize(
    ("read_after", "skips", "leaves"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_lanes_that_left_a_loop_for_good(
    b: Builder, *, read_after: bool, skips: bool, leaves: bool
) -> None:
    """They may miss an assignment, if they never read it: not after the loop, nor the next time."""
    total, loop = loop_that_lanes_leave(b, read_after=read_after, skips=skips)
    found = shapes_of(b)
    assert loop in found.varying
    assert found.leaves_lanes_behind(total, ((loop, 0),)) is leaves
    assert found.of[total] == (VARYING if leaves else UNIFORM)


def test_a_condition_inside_a_loop_leaves_lanes_behind(b: Builder) -> None:
    """They come again in the next iteration, whatever follows the loop."""
    n, x = b.scalar("n", d.int32), x_of(b)
    out = b.array("out", d.int32)
    k, total = b.variable("k", d.int32), b.let("total", 0)
    some = b.when(b.compare("eq", x, k), [b.assign(total, b.add(total, 1))])
    loop = b.loop(k, 0, n, 1, [some, b.store(out, [x], total)])
    b.emit(loop)
    found = shapes_of(b)
    assert found.varying == {some}
    assert found.leaves_lanes_behind(total, ((loop, 0), (some, 0)))
    assert found.of[total] is VARYING


def test_a_loop_that_lanes_leave_for_good_comes_again_in_a_loop_around_it(b: Builder) -> None:
    """No statement after the inner loop reads the variable, but the next iteration does."""
    n, x = b.scalar("n", d.int32), x_of(b)
    out, limits = b.array("out", d.int32), b.array("limits", d.int32)
    k, total = b.variable("k", d.int32), b.let("total", 0)
    count = [b.assign(total, b.add(total, 1)), b.store(limits, [x], b.add(b.load(limits, x), -1))]
    inner = b.loop_while(b.compare("gt", b.load(limits, x), 0), count)
    outer = b.loop(k, 0, n, 1, [b.store(out, [x], total), inner])
    b.emit(outer)
    found = shapes_of(b)
    assert found.leaves_lanes_behind(total, ((outer, 0), (inner, 0)))
    assert found.of[total] is VARYING
    values, given = np.zeros(40, np.int32), np.arange(40, dtype=np.int32) % 7
    run_ir(b.kernel(), 2, values, given, grid=(40,), threads=(40,))
    np.testing.assert_array_equal(values, np.arange(40) % 7)


def test_loops_whose_bounds_vary(b: Builder) -> None:
    """Lanes that are left have gone round as often: counters stay as far apart as at first."""
    n, x = b.scalar("n", d.int32), x_of(b)
    i, j, k = (b.variable(name, d.int32) for name in "ijk")
    b.emit(b.loop(i, 0, x, 1, []), b.loop(j, x, n, 2, []), b.loop(k, 0, n, b.add(x, 1), []))
    found = shapes_of(b)
    assert [found.of[v] for v in (i, j, k)] == [UNIFORM, 1, VARYING]
    assert found.varying == set(b.statements[1:])


# --- exits


def exits(
    b: Builder, *inside: ir.Statement, uniform: bool = False
) -> tuple[LaneStrides, ir.For, ir.If]:
    """A loop with statements under a condition."""
    n, x = b.scalar("n", d.int32), x_of(b)
    k = b.variable("k", d.int32)
    condition = b.when(b.compare("lt", n if uniform else x, 3), inside)
    loop = b.loop(k, 0, n, 1, [condition])
    b.emit(loop)
    return shapes_of(b), loop, condition


@pytest.mark.parametrize("leave", [ir.Break, ir.Continue], ids=["break", "continue"])
def test_exits_of_some_lanes_need_masks(b: Builder, leave: type[ir.Break | ir.Continue]) -> None:
    """The loop goes on for the others."""
    found, loop, condition = exits(b, leave(NOWHERE))
    assert found.masked_exits == {loop}
    assert found.varying == {loop, condition}
    assert not found.has_masked_return


@pytest.mark.parametrize(
    "leave", [ir.Break(NOWHERE), ir.Continue(NOWHERE), ir.Return(None, NOWHERE)]
)
def test_exits_of_all_lanes_are_jumps(b: Builder, leave: ir.Statement) -> None:
    """No lane is left, so nothing must be remembered."""
    found, _, _ = exits(b, leave, uniform=True)
    assert found.masked_exits == found.varying == set()
    assert not found.has_masked_return


def test_returns_of_some_lanes_reach_through_loops(b: Builder) -> None:
    """Every loop around them keeps masks from then on."""
    found, loop, _ = exits(b, ir.Return(None, NOWHERE))
    assert found.has_masked_return
    assert found.masked_exits == {loop}


def test_where_some_return_by_a_mask_all_returns_do(b: Builder) -> None:
    """A return that all active lanes take must not end the lanes that are idle."""
    n, x = b.scalar("n", d.int32), x_of(b)
    k = b.variable("k", d.int32)
    alike = b.when(b.compare("eq", k, n), [b.leave()])
    loop = b.loop(k, 0, n, 1, [alike])
    b.emit(loop, b.when(b.compare("lt", x, n), [b.leave()]))
    found = shapes_of(b)
    assert loop in found.masked_exits
    assert alike not in found.varying


def test_asserts_are_masked_returns(b: Builder) -> None:
    """A thread that fails goes, its vector stays."""
    found, loop, _ = exits(b, b.check(False, "never"), uniform=True)
    assert found.has_masked_return
    assert found.masked_exits == {loop}


# --- accesses


def test_homes_and_single_assignments() -> None:
    """A variable's home is the innermost block with all that touches it."""
    outer, inner, other = ("outer",), ("outer", "inner"), ("outer", "other")
    assert Accesses([inner], [inner]).innermost_block() == inner
    assert Accesses([inner], [other]).innermost_block() == outer
    assert Accesses([outer], [inner, other]).is_single
    assert not Accesses([inner], [other]).is_single
    assert not Accesses([outer, outer], []).is_single


# --- what code does with it

UNITS = {"avx512": AVX512, "avx2": AVX2}


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
@pytest.mark.parametrize("read_after", [False, True])
def test_lanes_keep_their_own_count(unit: VectorUnit, *, read_after: bool) -> None:
    """A count taken for uniform would be that of the lane that goes round most often."""
    b = Builder("counting")
    loop_that_lanes_leave(b, read_after=read_after, skips=False)
    limits = np.array([0, 3, 1, 9, 2, 0, 5, 4] * 5, np.int32)
    out = np.zeros(40, np.int32)
    run_ir(b.kernel(), out, limits, grid=(40,), threads=(40,), unit=unit)
    np.testing.assert_array_equal(out, limits)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_lanes_that_skip_iterations_keep_their_total(unit: VectorUnit) -> None:
    """Each lane leaves out its own iterations, and stops at its own."""
    b = Builder("skipping")
    out = b.array("out", d.int32)
    x = x_of(b)
    k, total = b.variable("k", d.int32), b.let("total", 0)
    rest = b.binary("remainder", b.add(x, k), 3)
    body = [
        b.when(b.compare("eq", rest, 0), [ir.Continue(NOWHERE)]),
        b.when(b.compare("gt", k, x), [ir.Break(NOWHERE)]),
        b.assign(total, b.add(total, k)),
    ]
    b.emit(b.loop(k, 0, 20, 1, body), b.store(out, [x], total))
    values = np.zeros(45, np.int32)
    run_ir(b.kernel(), values, grid=(45,), threads=(45,), unit=unit)
    for thread, found in enumerate(values):
        wanted = 0
        for n in range(20):
            if (thread + n) % 3 == 0:
                continue
            if n > thread:
                break
            wanted += n
        assert found == wanted


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_steps_that_wrap_in_a_narrow_type_are_not_followed(unit: VectorUnit) -> None:
    """int16(x) of x beyond 32767: the lanes of one vector lie on both sides of the wrap."""
    b = Builder("wrapping")
    out = b.array("out", d.int64)
    x = x_of(b)
    far = b.add(x, 32_760)
    narrow = b.convert(b.convert(far, d.int16), d.int64)
    unsigned = b.convert(b.binary("subtract", b.convert(x, d.uint32), 5), d.int64)
    b.emit(b.store(out, [x], b.add(narrow, b.multiply(unsigned, 2))))
    values = np.zeros(32, np.int64)
    run_ir(b.kernel(), values, grid=(32,), threads=(32,), unit=unit)
    threads = np.arange(32)
    wanted = (threads + 32_760).astype(np.int16).astype(np.int64)
    wanted += 2 * (threads - 5).astype(np.uint32).astype(np.int64)
    np.testing.assert_array_equal(values, wanted)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_counters_that_begin_at_the_position(unit: VectorUnit) -> None:
    """As many rounds as each lane needs, by steps that are constant, uniform, or the lane's own."""
    b = Builder("striding")
    out, n = b.array("out", d.int32, 2), b.scalar("n", d.int32)
    x = x_of(b)
    for row, step in enumerate((5, n, b.add(x, 1))):
        k, total = b.variable(f"k{row}", d.int32), b.let(f"total{row}", 0)
        skip = b.when(b.compare("eq", b.binary("remainder", k, 4), 3), [ir.Continue(NOWHERE)])
        body = [skip, b.assign(total, b.add(total, k))]
        b.emit(b.loop(k, x, 100, step, body), b.store(out, [row, x], total))
    values = np.zeros((3, 37), np.int32)
    run_ir(b.kernel(), values, 7, grid=(37,), threads=(37,), unit=unit)
    for thread in range(37):
        for row, step in enumerate((5, 7, thread + 1)):
            wanted = sum(k for k in range(thread, 100, step) if k % 4 != 3)
            assert values[row, thread] == wanted


def test_backwards_and_by_twos() -> None:
    """Steps other than 1 are gathered and scattered, each lane where it belongs."""
    b = Builder("stepping")
    out, a = b.array("out", d.float32), b.array("a", d.float32)
    x = x_of(b)
    b.emit(b.store(out, [b.multiply(x, 2)], b.load(a, b.binary("subtract", 36, x))))
    values, given = np.zeros(80, np.float32), np.arange(37, dtype=np.float32)
    run_ir(b.kernel(), values, given, grid=(37,), threads=(37,))
    np.testing.assert_array_equal(values[:74:2], given[::-1])
    assert not values[1::2].any()
    text = print_kernel(prepare_kernel(b.kernel()), unit=AVX512)
    assert "call <16 x float> @llvm.masked.gather" in text
    assert "@llvm.masked.scatter" in text
