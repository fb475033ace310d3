"""The parts of the CPU's code generator, each alone: what is decided, what is written."""

from __future__ import annotations

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.codegen.decisions import costs
from speedmetal.backends.cpu.codegen.decisions.lane_strides import VARYING, LaneStrides
from speedmetal.backends.cpu.codegen.decisions.plan import plan_kernel
from speedmetal.backends.cpu.codegen.decisions.rows import Rows
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter, Module
from speedmetal.backends.cpu.codegen.operations.select_chains import SelectChains
from speedmetal.backends.cpu.codegen.operations.single_lanes import SingleLanes
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.threadgroups.rooms import Rooms
from speedmetal.backends.cpu.codegen.threads.exits import Exits, Loop
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.backends.cpu.codegen.vector_unit import AVX2, AVX512, NEON
from speedmetal.intrinsics.record import SIMDGROUP_LANES
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import Space


class Writer:
    """The lowest parts, for vectors of four lanes."""

    def __init__(self) -> None:
        self.emit = Emitter(Module())
        self.lanes = Lanes(self.emit, 4)
        self.active = ActiveLanes(self.emit, self.lanes)
        self.conversions = Conversions(self.emit, self.lanes, AVX512)
        chains = SelectChains(self.emit)
        self.arithmetic = Arithmetic(self.emit, self.lanes, self.conversions, chains)

    @property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.emit.body().splitlines()[1:]]


@pytest.fixture
def w() -> Writer:
    return Writer()


# --- decisions


def scaled(name: str = "scaled", *, reads: bool = False) -> Builder:
    """``v[i] = 2``, or ``v[i] = v[i] * 2``."""
    b = Builder(name)
    v = b.array("v", d.float32)
    i = b.let("i", b.position("thread_position_in_grid"))
    b.emit(b.store(v, [i], b.multiply(b.load(v, i), 2.0) if reads else 2.0))
    return b


def test_vectors_are_as_wide_as_the_unit_or_a_simdgroup():
    b = scaled()
    plans = [plan_kernel(b.kernel(), unit) for unit in (AVX512, AVX2)]
    assert [plan.lanes for plan in plans] == [16, 8]
    b.let("lane", b.position("thread_index_in_simdgroup", None))
    assert plan_kernel(b.kernel(), AVX2).lanes == SIMDGROUP_LANES


def test_a_kernel_is_flat_where_no_barrier_cuts_it():
    b = scaled()
    assert plan_kernel(b.kernel(), AVX512).is_flat
    b.emit(b.barrier("threadgroup", Space.DEVICE), *scaled().statements)
    plan = plan_kernel(b.kernel(), AVX512)
    assert not plan.is_flat
    assert len(plan.pieces) == 3


def test_arrays_are_streamed_to_that_are_only_written_by_units_that_can():
    def streamed(b: Builder, unit=AVX512) -> list[str]:
        return [array.name for array in plan_kernel(b.kernel(), unit).streamable]

    assert streamed(scaled()) == ["v"]
    assert streamed(scaled(reads=True)) == []
    assert streamed(scaled(), NEON) == []


@pytest.mark.parametrize(("linear", "stride"), [(False, 1), (True, VARYING)])
def test_positions_are_steps_apart_in_rows_alone(linear, stride):
    b = scaled()
    b.let("lane", b.position("thread_index_in_simdgroup", None))
    plan = plan_kernel(b.kernel(), AVX512, Rows(linear=linear))
    assigned = b.statements[0]
    assert isinstance(assigned, ir.Assign)
    assert plan.strides.of[assigned.variable] == stride
    assert ("thread_position_in_grid", 0) in plan.positions


def test_a_few_assignments_are_cheaper_than_a_branch_and_a_load_is_not():
    b = Builder("bodies")
    v, x = b.array("v", d.float32), b.variable("x", d.float32)
    cheap = b.assign(x, b.multiply(x, 2.0))
    assert costs.is_cheap((cheap,) * 4)
    assert not costs.is_cheap((cheap,) * 5)
    assert not costs.is_cheap((b.assign(x, b.load(v, 0)),))


def test_full_vectors_pay_where_masks_are_dear_or_arrays_are_streamed_to():
    body = tuple(scaled().statements[1:])
    pays = costs.gains_from_full_vectors
    assert pays(body, AVX2, lambda _: False)
    assert not pays(body, AVX512, lambda _: False)
    assert pays(body, AVX512, lambda _: True)
    assert not pays(body * 200, AVX2, lambda _: True)


# --- operations


def test_what_is_steps_apart_stays_a_scalar(w):
    x, n = Value("%x", d.int32, 1), Value("%n", d.int32)
    assert w.arithmetic.binary("add", x, n) == Value("%t1", d.int32, 1)
    assert w.lines == ["%t1 = add i32 %x, %n"]


def test_what_varies_meets_a_splat(w):
    x = Value("%x", d.int32, VARYING)
    w.arithmetic.binary("add", x, Value("7", d.int32))
    assert w.lines == ["%t1 = add <4 x i32> %x, splat (i32 7)"]


def test_masks_cost_nothing_where_all_lanes_are_active(w):
    assert w.active.select("<4 x i32>", "%a", "%b") == "%a"
    assert w.active.narrowed("%c") == "%c"
    assert (w.active.any(), w.active.bits()) == ("true", "-1")
    assert (w.active.first(), w.active.last()) == ("0", "3")
    assert w.lines == []


def test_masks_choose_where_some_are_idle(w):
    w.active.mask = "%m"
    w.active.select("<4 x i32>", "%a", "%b")
    w.active.narrowed("%c")
    w.active.take_out_of("%slot")
    assert w.lines == [
        "%t1 = select <4 x i1> %m, <4 x i32> %a, <4 x i32> %b",
        "%t2 = and <4 x i1> %m, %c",
        "%t3 = load <4 x i1>, ptr %slot",
        "%t4 = xor <4 x i1> %m, splat (i1 true)",
        "%t5 = and <4 x i1> %t3, %t4",
        "store <4 x i1> %t5, ptr %slot",
    ]


def test_single_lanes_of_booleans_are_bytes(w):
    singles = SingleLanes(w.emit, w.lanes, w.conversions)
    place = singles.spread(Value("%p", d.bool_, VARYING))
    found = singles.lane_of(place, "%n")
    assert found.type is d.bool_
    assert f"{found.text} = icmp ne i8" in w.lines[-1]
    assert "store volatile <4 x i8>" in "\n".join(w.lines)


# --- threads


def strides_of(b: Builder) -> LaneStrides:
    return LaneStrides([((), tuple(b.statements))], {}, lambda _: 1)


def test_fixed_values_outlive_a_vector_and_bound_ones_do_not(w):
    b = Builder("variables")
    fixed, bound = b.let("fixed", 1), b.let("bound", 2)
    variables = Variables(w.emit, w.lanes, w.active, strides_of(b), SelectChains(w.emit))
    variables.fix(fixed, Value("%f", d.int32))
    variables.bind(bound, Value("%b", d.int32))
    variables.forget()
    assert variables.read(fixed).text == "%f"
    assert variables.read(bound).text != "%b"
    assert any(line.startswith("%bound.") and "alloca i32" in line for line in w.lines)


@pytest.mark.parametrize("live", ["", "%live"])
def test_all_lanes_jump_out_of_a_loop_and_some_leave_it_by_a_mask(w, live):
    b = Builder("exits")
    node = b.loop(b.variable("k", d.int32), 0, 4, 1, [])
    exits = Exits(w.emit, w.lanes, w.active, strides_of(b))
    exits.enter(Loop(node, "next", "end", live, live and "%iteration"))
    exits.take_break()
    jumps = [line for line in w.lines if line.startswith("br")]
    stores = [line.rpartition(" ")[2] for line in w.lines if line.startswith("store")]
    assert jumps == ([] if live else ["br label %end"])
    assert stores == (["%live", "%iteration"] if live else [])


# --- threadgroups


@pytest.mark.parametrize(("count", "heap"), [("16", False), ("4097", True)])
def test_rooms_are_on_the_stack_where_that_is_small(w, count, heap):
    rooms = Rooms(w.emit)
    rooms.make("<4 x i32>", 16, count, "room")
    rooms.free()
    text = "\n".join(w.lines)
    assert ("@malloc" in text) == heap
    assert ("@free" in text) == heap
    assert ("alloca" in text) != heap


def test_rooms_of_unknown_size_are_chosen_when_the_kernel_runs(w):
    rooms = Rooms(w.emit)
    rooms.make("<4 x i32>", 16, "%count", "room")
    text = "\n".join(w.lines)
    assert "alloca <4 x i32>, i64 %count" in text
    assert "@malloc" in text
    assert text.count("phi ptr") == 2


@pytest.mark.parametrize(("rows", "is_streamed"), [(1, True), (4, True), (16, False)])
def test_arrays_of_which_many_rows_are_open_at_once_are_not_streamed_to(rows, is_streamed):
    b = Builder("rows")
    v = b.array("v", d.float32, rank=2)
    i = b.let("i", b.position("thread_position_in_grid"))
    for row in range(rows):
        b.emit(b.store(v, [row, i], 2.0), b.store(v, [row, b.add(i, 64)], 3.0))
    streamable = plan_kernel(b.kernel(), AVX512).streamable
    assert [array.name for array in streamable] == (["v"] if is_streamed else [])
