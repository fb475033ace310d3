"""Each pass on small kernels, by their text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ir_builder import Builder, span
from speedmetal import dtypes as d
from speedmetal import passes
from speedmetal.backends.targets import find_target
from speedmetal.errors import CompileError
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import Unsupported
from speedmetal.ir import nodes as ir
from speedmetal.ir.text import kernel_text
from speedmetal.ir.types import Space
from speedmetal.ir.verify import verify
from speedmetal.passes import lowering
from speedmetal.passes.barriers import check_barriers
from speedmetal.passes.contraction import contract
from speedmetal.passes.debug import drop_asserts
from speedmetal.source import NOWHERE


def body_text(kernel: ir.Kernel) -> list[str]:
    """The lines of a kernel's body, without their first indent."""
    return [line[4:] for line in kernel_text(kernel).splitlines() if line.startswith("    ")]


class TestContract:
    @pytest.mark.parametrize(
        ("dtype", "left", "operator", "right", "expected"),
        [
            (d.float32, "ab", "add", "c", "fma(a, b, c)"),
            (d.float64, "c", "add", "ab", "fma(a, b, c)"),
            (d.float32, "ab", "subtract", "c", "fma(a, b, -c)"),
            (d.float32, "c", "subtract", "ab", "fma(-a, b, c)"),
            (d.float32, "ab", "add", "ab", "fma(a, b, a * b)"),
            (d.float32, "c", "add", "c", "c + c"),
            (d.float16, "ab", "add", "c", "(a * b) + c"),
            (d.int32, "ab", "add", "c", "(a * b) + c"),
            (d.float32, "ab", "multiply", "c", "(a * b) * c"),
        ],
    )
    def test_products_in_sums_are_fused(self, dtype, left, operator, right, expected):
        b = Builder("contracted")
        a, second, c = (b.scalar(name, dtype) for name in "abc")
        terms = {"ab": b.multiply(a, second), "c": b.value(c)}
        b.let("r", b.binary(operator, terms[left], terms[right]))
        kernel = contract(b.kernel())
        assert body_text(kernel) == [f"r: {dtype.short} = {expected}"]

    def test_functions_are_fused_and_calls_go_to_the_new_ones(self):
        b = Builder("contracted")
        x = b.scalar("x", d.float32)
        h = b.variable("h", d.float32)
        square = b.function("square", [h], [b.leave(b.add(b.multiply(h, h), 1.0))])
        b.let("r", b.invoke(square, x))
        text = kernel_text(contract(b.kernel()))
        assert "return fma(h, h, 1.0f32)" in text
        kernel = contract(b.kernel())
        call = next(e for s in kernel.body for e in [s.value])
        assert call.function is kernel.functions[0]


class TestDropAsserts:
    def kernel(self, debug: int) -> ir.Kernel:
        b = Builder("checked", debug=debug)
        k, c = b.scalar("k", d.int32), b.variable("c", d.int32)
        positive = b.check(b.compare("gt", k, 0), "k is positive")
        b.emit(positive, b.loop(c, 0, k, 1, [positive]))
        return b.kernel()

    def test_level_0_has_none(self):
        assert body_text(drop_asserts(self.kernel(0))) == [
            "for c: i32 in range(0i32, k, 1i32):",
            "    pass",
        ]

    @pytest.mark.parametrize("debug", [1, 2])
    def test_the_other_levels_keep_them(self, debug):
        kernel = self.kernel(debug)
        assert drop_asserts(kernel) is kernel


class TestCheckBarriers:
    def faults(self, *body: ir.Statement, b: Builder) -> list[str]:
        kernel = replace(b.kernel(), body=(*b.statements, *body))
        return [fault.message.split(":")[0] for fault in check_barriers(kernel)]

    def setup_method(self):
        self.b = Builder("waits")
        self.v, self.n = self.b.array("v", d.int32), self.b.scalar("n", d.int32)
        self.i = self.b.let("i", self.b.position("thread_position_in_grid"))
        self.mine = self.b.compare("lt", self.i, 3)
        self.ours = self.b.compare("lt", self.n, 3)
        self.theirs = self.b.compare("lt", self.b.load(self.v, 0), 3)
        self.wait = ir.Barrier("threadgroup", frozenset({Space.THREADGROUP}), span(7, "wait"))

    DIVERGENT = ("threadgroup_barrier in divergent control flow",)

    def test_what_all_threads_do_alike_is_fine(self):
        b = self.b
        c = b.variable("c", d.int32)
        assert not self.faults(
            self.wait,
            b.when(self.ours, [self.wait], [self.wait]),
            b.when(self.theirs, [self.wait]),
            b.loop(c, 0, self.n, 1, [self.wait, b.when(self.theirs, [ir.Break(NOWHERE)])]),
            b.loop_while(self.ours, [b.when(self.ours, [ir.Continue(NOWHERE)]), self.wait]),
            b.when(self.ours, [b.leave()]),
            self.wait,
            b.when(self.mine, [b.leave()]),
            b=b,
        )

    @pytest.mark.parametrize("case", ["if", "else", "while", "for", "return", "break", "value"])
    def test_what_depends_on_the_thread_is_not(self, case):
        b = self.b
        c, flag = b.variable("c", d.int32), b.variable("flag", d.int32)
        cases = {
            "if": [b.when(self.mine, [self.wait])],
            "else": [b.when(self.mine, [], [self.wait])],
            "while": [b.loop_while(self.mine, [self.wait])],
            "for": [b.loop(c, 0, self.i, 1, [self.wait])],
            "return": [b.when(self.mine, [b.leave()]), self.wait],
            "break": [b.loop(c, 0, 9, 1, [b.when(self.mine, [ir.Break(NOWHERE)]), self.wait])],
            "value": [
                b.assign(flag, 0),
                b.when(self.mine, [b.assign(flag, 1)]),
                b.when(b.compare("eq", flag, 0), [self.wait]),
            ],
        }
        assert self.faults(*cases[case], b=b) == list(self.DIVERGENT)

    def test_a_break_at_the_end_of_a_body_holds_for_the_next_iteration(self):
        b = self.b
        c = b.variable("c", d.int32)
        late = [self.wait, b.when(self.mine, [ir.Break(NOWHERE)])]
        assert self.faults(b.loop(c, 0, 9, 1, late), b=b) == list(self.DIVERGENT)

    def test_an_old_value_is_each_threads_own(self):
        b = self.b
        old = b.variable("old", d.int32)
        ticket = b.atomic("add", self.v, [0], 1, result=old)
        last = b.when(b.compare("eq", old, 3), [self.wait])
        assert self.faults(ticket, last, b=b) == list(self.DIVERGENT)

    def test_simdgroup_barriers_are_no_concern(self):
        b = self.b
        assert not self.faults(b.when(self.mine, [b.barrier("simdgroup")]), b=b)

    def test_the_message_points_at_barrier_and_cause(self):
        mine = replace(self.mine, span=span(5, "if i < 3:"))
        kernel = replace(self.b.kernel(), body=(*self.b.statements, self.b.when(mine, [self.wait])))
        (fault,) = check_barriers(kernel)
        assert fault.render() == (
            "kernel.py:7:1: error: threadgroup_barrier in divergent control flow: every thread of"
            " a threadgroup must reach a threadgroup_barrier; move it out and guard the loads and"
            " stores instead\n"
            "    7 | wait\n"
            "      | ^^^^\n"
            "kernel.py:5:1: note: threads go different ways here\n"
            "    5 | if i < 3:\n"
            "      | ^^^^^^^^^"
        )


class TestLowerIntrinsics:
    def compile_twice(self, source, types):
        """A stand-in for the front end: the library function ``x -> x + x``."""
        self.compiled.append((source, types))
        b = Builder("library")
        x = b.variable("x", types[0])
        return b.function("twice", [x], [b.leave(b.add(x, x))])

    def setup_method(self):
        self.compiled: list[object] = []

    def lowered(self, spelling, monkeypatch, arguments: int = 1) -> ir.Kernel:
        record = replace(TABLE["sin"], spellings={"cuda": spelling})
        b = Builder("lowered")
        x = b.scalar("x", d.float32)
        for number in range(arguments):
            call = ir.Call(record, (b.value(x),), d.float32, span(3, "sin(x)"))
            b.let(f"r{number}", call)
        monkeypatch.setattr(lowering, "_library", {})
        return lowering.lower_intrinsics(b.kernel(), find_target("cuda"), self.compile_twice)

    def test_a_word_of_the_target_stays(self, monkeypatch):
        kernel = self.lowered("sinf", monkeypatch)
        assert body_text(kernel) == ["r0: f32 = sin(x)"]
        assert kernel.functions == ()

    def test_a_library_function_is_compiled_once_and_called(self, monkeypatch):
        kernel = self.lowered(len, monkeypatch, arguments=2)
        assert body_text(kernel) == ["return x + x", "r0: f32 = twice(x)", "r1: f32 = twice(x)"]
        assert self.compiled == [(len, (d.float32,))]

    def test_functions_that_were_compiled_apart_get_names_apart(self, monkeypatch):
        """Also from variables, which in C would hide the function."""
        b = Builder("lowered")
        x = b.scalar("twice", d.float32)
        for number, spelling in enumerate((len, abs)):
            record = replace(TABLE["sin"], spellings={"cuda": spelling})
            b.let(f"r{number}", ir.Call(record, (b.value(x),), d.float32, span(3, "sin(x)")))
        monkeypatch.setattr(lowering, "_library", {})
        kernel = lowering.lower_intrinsics(b.kernel(), find_target("cuda"), self.compile_twice)
        assert [function.name for function in kernel.functions] == ["twice_2", "twice_3"]
        assert body_text(kernel)[-2:] == ["r0: f32 = twice_2(twice)", "r1: f32 = twice_3(twice)"]
        verify(kernel, "the pass")

    def test_what_a_target_lacks_is_an_error_at_its_place(self, monkeypatch):
        with pytest.raises(CompileError) as caught:
            self.lowered(Unsupported("it has no sines"), monkeypatch)
        assert caught.value.diagnostics[0].render() == (
            "kernel.py:3:1: error: sin is not available on cuda: it has no sines\n"
            "    3 | sin(x)\n"
            "      | ^^^^^^"
        )


def test_all_passes_reject_a_divergent_barrier_before_anything_else():
    b = Builder("waits")
    i = b.let("i", b.position("thread_position_in_grid"))
    b.emit(b.when(b.compare("lt", i, 3), [b.barrier()]))
    with pytest.raises(CompileError, match="divergent control flow"):
        passes.run(b.kernel(), target=find_target("cpu"), compile_function=None)
