"""Thread arrays whose every index is known become variables; the others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal import passes
from speedmetal.backends.targets import TARGETS, find_target
from speedmetal.dtypes import DType
from speedmetal.ir import nodes as ir
from speedmetal.ir.text import kernel_text
from speedmetal.ir.types import Space
from speedmetal.ir.verify import verify
from speedmetal.passes.scalar_replacement import MOST_REPLACED_ELEMENTS, replace_thread_arrays


class Own:
    """A kernel under construction, with an array of each thread's own."""

    def __init__(self, shape: tuple[int, ...] = (4,), dtype: DType = d.float32) -> None:
        self.b = Builder("tiles")
        self.n = self.b.scalar("n", d.int32)
        self.x = self.b.array("x", d.float32)
        self.own = self.b.memory("own", dtype, shape, Space.THREAD)

    def load(self, *indices, part=None) -> ir.Load:
        return self.b.load(self.own, *indices, part=part)

    def store(self, *indices, value, part=None) -> ir.Store:
        return self.b.store(self.own, indices, value, part=part)

    def show(self, *indices) -> ir.Store:
        return self.b.store(self.x, [0], self.load(*indices))

    def result(self, *body: ir.Statement) -> ir.Kernel:
        kernel = replace_thread_arrays(replace(self.b.kernel(), body=(*self.b.statements, *body)))
        verify(kernel, "scalar replacement")
        return kernel

    def text(self, *body: ir.Statement) -> list[str]:
        """The lines of the body, without their first indent."""
        text = kernel_text(self.result(*body))
        return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def counted(own: Own, *body: ir.Statement) -> ir.For:
    return own.b.loop(own.b.variable("k", d.int32), 0, own.n, 1, body)


def branch(own: Own, then: list[ir.Statement], orelse: Sequence[ir.Statement] = ()) -> ir.If:
    return own.b.when(own.b.compare("gt", own.n, 3), then, orelse)


def test_elements_are_variables():
    own = Own((2, 3))
    product = own.b.multiply(own.load(1, 2), 2.0)
    assert own.text(
        own.store(1, 2, value=1.5),
        own.store(0, 0, value=own.load(1, 2)),
        counted(own, own.store(1, 2, value=product)),
        own.b.store(own.x, [0], own.load(0, 0)),
    ) == [
        "own_1_2: f32 = 1.5f32",
        "own_0_0: f32 = own_1_2",
        "for k: i32 in range(0i32, n, 1i32):",
        "    own_1_2 = own_1_2 * 2.0f32",
        "x[0i32] = own_0_0",
    ]


def test_the_array_is_gone_and_others_stay():
    own = Own()
    tile = own.b.memory("tile", d.float32, (4,), Space.THREADGROUP)
    body = (own.store(0, value=1.0), own.b.store(tile, [0], 2.0), own.show(0))
    assert own.result(*body).arrays == (tile,)


@pytest.mark.parametrize(
    ("dtype", "shown"), [(d.bool_, "False"), (d.int8, "0i8"), (d.float16, "0.0f16")], ids=str
)
def test_every_type_has_its_own_zero(dtype, shown):
    own = Own(dtype=dtype)
    again = own.store(1, value=own.load(0))
    assert own.text(again) == [f"own_0: {dtype.short} = {shown}", f"own_1: {dtype.short} = own_0"]


@pytest.mark.parametrize("dtype", d.COMPLEX, ids=str)
def test_complex_numbers_are_two_variables(dtype):
    own, part = Own(dtype=dtype), dtype.part.short
    assert own.text(
        own.store(0, value=1.0, part=0),
        own.store(0, value=own.load(0, part=0), part=1),
        own.b.store(own.x, [0], own.b.convert(own.load(0, part=1), d.float32)),
    ) == [
        f"own_0_real: {part} = 1.0{part}",
        f"own_0_imag: {part} = own_0_real",
        "x[0i32] = f32(own_0_imag)",
    ]


def test_names_do_not_meet_others():
    own = Own()
    own.b.let("own_0", 1.0)
    assert own.text(own.store(0, value=2.0), own.show(0))[1:] == [
        "own_0_2: f32 = 2.0f32",
        "x[0i32] = own_0_2",
    ]


class TestLeftInMemory:
    def stays(self, own: Own, *body: ir.Statement) -> bool:
        kernel = replace(own.b.kernel(), body=body)
        return replace_thread_arrays(kernel) is kernel

    def test_where_an_index_is_of_the_running_program(self):
        own = Own()
        assert self.stays(own, own.store(0, value=1.0), own.show(own.n))
        own = Own((2, 2))
        assert self.stays(own, own.store(own.n, 0, value=1.0), own.show(1, 1))

    @pytest.mark.parametrize("index", [-1, 4])
    def test_where_an_index_is_outside(self, index):
        own = Own()
        assert self.stays(own, own.store(index, value=1.0), own.show(0))

    def test_where_an_index_of_an_index_is_not_known(self):
        """An access inside the index of another counts."""
        own = Own(dtype=d.int32)
        assert self.stays(own, own.b.store(own.x, [own.load(own.n)], 1.0))

    def test_where_it_is_large(self):
        for size, is_large in ((MOST_REPLACED_ELEMENTS, False), (MOST_REPLACED_ELEMENTS + 1, True)):
            own = Own((size,))
            assert self.stays(own, own.store(0, value=1.0), own.show(0)) is is_large

    def test_where_matrices_are_loaded(self):
        own = Own((8, 8))
        m = own.b.matrix_load(own.own, 0, 0)
        body = (own.store(0, 0, value=1.0), ir.Assign(own.b.variable("m", m.type), m, m.span))
        assert self.stays(own, *body)

    def test_where_it_is_of_the_threadgroup(self):
        own = Own()
        tile = own.b.memory("tile", d.float32, (4,), Space.THREADGROUP)
        kernel = replace(own.b.kernel(), body=(own.b.store(tile, [0], 1.0),), arrays=(tile,))
        assert replace_thread_arrays(kernel) is kernel


class TestFirstValues:
    """Unspecified ones are 0: only where some way leads to a read without an assignment."""

    def zeros(self, own: Own, *body: ir.Statement) -> list[int]:
        """The numbers of the body's lines that are first values."""
        lines = own.text(*body)
        return [n for n, line in enumerate(lines) if line.strip() == "own_0: f32 = 0.0f32"]

    def test_none_where_every_way_assigns(self):
        own = Own()
        assign = own.store(0, value=1.0)
        assert not self.zeros(own, assign, counted(own, own.show(0)), own.show(0))
        assert not self.zeros(own, branch(own, [assign], [assign]), own.show(0))
        assert not self.zeros(own, branch(own, [assign], [own.b.leave()]), own.show(0))
        assert not self.zeros(own, counted(own, assign, own.show(0)))

    def test_where_a_branch_or_loop_may_not_assign(self):
        own = Own()
        assign = own.store(0, value=1.0)
        assert self.zeros(own, branch(own, [assign]), own.show(0)) == [0]
        assert self.zeros(own, counted(own, assign), own.show(0)) == [0]
        skips = branch(own, [ir.Continue(own.own.span)])
        assert self.zeros(own, counted(own, skips, assign), own.show(0)) == [0]

    def test_a_turn_hands_its_value_to_the_next(self):
        """So the first value is before the loop, not in it."""
        own = Own()
        assert self.zeros(own, counted(own, own.show(0), own.store(0, value=1.0))) == [0]
        inside = branch(own, [own.show(0), own.store(0, value=1.0)])
        assert self.zeros(own, own.b.store(own.x, [0], 1.0), counted(own, inside)) == [1]

    def test_it_is_in_the_branch_that_touches_the_element(self):
        own = Own()
        assign = own.store(0, value=1.0)
        inside = (branch(own, [assign]), own.show(0))
        assert self.zeros(own, branch(own, [*inside])) == [1]
        elsewhere = own.b.store(own.x, [0], 1.0)
        assert self.zeros(own, branch(own, [elsewhere], [*inside])) == [3]
        assert self.zeros(own, branch(own, [branch(own, [*inside])])) == [2]
        two = branch(own, [own.show(0)], [own.show(0)])
        assert self.zeros(own, two, own.show(0)) == [0]

    def test_a_condition_is_outside_its_branches(self):
        own = Own()
        asked = own.b.when(own.b.compare("gt", own.load(0), 1.0), [own.store(0, value=1.0)])
        assert self.zeros(own, asked) == [0]

    def test_what_is_never_assigned_has_one(self):
        own = Own()
        assert own.text(own.show(2)) == ["own_2: f32 = 0.0f32", "x[0i32] = own_2"]


@pytest.mark.parametrize("target", TARGETS)
def test_only_the_cpu_asks_for_it(target):
    own = Own()
    kernel = replace(own.b.kernel(), body=(own.store(0, value=1.0), own.show(0)))
    after = passes.run(kernel, target=find_target(target), compile_function=None)
    assert bool(after.arrays) is (target != "cpu")
