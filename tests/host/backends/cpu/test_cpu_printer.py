"""The CPU's text: kernels of every kind are valid LLVM, on every unit; a few are kept whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal import passes
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.backends.cpu.codegen.vector_unit import AVX2, AVX512
from speedmetal.backends.cpu.jit import Effort, assembly, compile_object
from speedmetal.frontend.infer import infer_function
from speedmetal.ir import nodes as ir
from speedmetal.ir.analysis import uses_simdgroups
from speedmetal.ir.types import Space
from speedmetal.source import NOWHERE

sys.path.insert(0, str(Path(__file__).parents[1] / "c_family"))
from c_family_kernels import EVERY_TYPE
from c_family_kernels import GOLDEN as KERNELS

GOLDEN = Path(__file__).parents[2] / "golden" / "cpu"


def prepared(kernel: ir.Kernel) -> ir.Kernel:
    return passes.run(kernel, target="cpu", compile_function=infer_function)


@pytest.mark.parametrize("unit", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize("name", [*KERNELS, *EVERY_TYPE])
def test_llvm_accepts_every_kernel(name, unit):
    kernel = EVERY_TYPE[name] if name in EVERY_TYPE else KERNELS[name]()
    text = print_kernel(prepared(kernel), unit=unit)
    assert compile_object(text, effort=Effort.SHORT)


@pytest.mark.parametrize("name", [n for n, k in KERNELS.items() if uses_simdgroups(prepared(k()))])
def test_llvm_accepts_vectors_cut_from_the_linear_index(name):
    text = print_kernel(prepared(KERNELS[name]()), linear=True)
    assert compile_object(text, effort=Effort.SHORT)


def guarded() -> ir.Kernel:
    """A guard, a load that varies, a store that does not."""
    b = Builder("guarded")
    v, w = b.array("v", d.float32), b.array("w", d.int32)
    i = b.let("i", b.position("thread_position_in_grid"))
    inside = b.compare("lt", i, b.extent(v))
    gathered = b.load(v, b.load(w, i))
    b.emit(b.when(inside, [b.store(v, [i], b.multiply(gathered, 2.0))]))
    b.emit(b.store(w, [0], 7))
    return b.kernel()


def escaping() -> ir.Kernel:
    """A loop that threads leave one by one, some by a return."""
    b = Builder("escaping")
    v, n = b.array("v", d.int32), b.scalar("n", d.int32)
    i = b.let("i", b.position("thread_position_in_grid"))
    k, total = b.variable("k", d.int32), b.let("total", 0)
    found = b.when(b.compare("eq", b.load(v, k), i), [b.leave()])
    beyond = b.when(b.compare("gt", total, i), [ir.Break(NOWHERE)])
    b.emit(b.loop(k, 0, n, 1, [found, beyond, b.assign(total, b.add(total, b.load(v, k)))]))
    b.emit(b.store(v, [i], total))
    return b.kernel()


def waiting() -> ir.Kernel:
    """A value that lives on over a barrier in a loop that all threads take alike."""
    b = Builder("waiting")
    v, n = b.array("v", d.float32), b.scalar("n", d.int32)
    tile = b.memory("tile", d.float32, [64], Space.THREADGROUP)
    t = b.let("t", b.position("thread_index_in_threadgroup", None))
    total, k = b.let("total", 0.0), b.variable("k", d.int32)
    b.emit(
        b.loop(k, 0, n, 1, [
            b.store(tile, [t], b.load(v, b.add(t, k))),
            b.barrier("threadgroup", Space.THREADGROUP),
            b.assign(total, b.add(total, b.load(tile, b.binary("subtract", 63, t)))),
            b.barrier("threadgroup", Space.THREADGROUP),
        ]),
        b.store(v, [t], total),
    )  # fmt: skip
    return b.kernel()


WHOLE = {"guarded": guarded, "escaping": escaping, "waiting": waiting}


@pytest.mark.parametrize("unit", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize("name", WHOLE)
def test_text_is_as_it_was(name, unit):
    text = print_kernel(prepared(WHOLE[name]()), unit=unit)
    kept = GOLDEN / f"{name}.{unit.lanes}.ll"
    if os.environ.get("SPEEDMETAL_UPDATE_GOLDEN") == "1":
        kept.write_text(text)
    assert text == kept.read_text()


@pytest.mark.parametrize("name", WHOLE)
def test_text_is_the_same_every_time(name):
    assert print_kernel(prepared(WHOLE[name]())) == print_kernel(prepared(WHOLE[name]()))


def instructions(kernel: ir.Kernel) -> str:
    return assembly(print_kernel(prepared(kernel)))


def test_level_0_adds_no_instruction():
    def kernel(debug: int, *, asserts: bool) -> ir.Kernel:
        b = Builder("checked", debug=debug)
        v = b.array("v", d.float32)
        i = b.let("i", b.position("thread_position_in_grid"))
        if asserts:
            b.emit(b.check(b.compare("ge", b.load(v, i), 0.0), "v is not negative"))
        b.emit(b.store(v, [i], 1.0))
        return b.kernel()

    assert instructions(kernel(0, asserts=True)) == instructions(kernel(0, asserts=False))
    assert instructions(kernel(1, asserts=True)) != instructions(kernel(1, asserts=False))


def test_contiguous_accesses_are_no_gathers():
    b = Builder("contiguous")
    v = b.array("v", d.float32, rank=2)
    x = b.let("x", b.position("thread_position_in_grid", 0))
    y = b.let("y", b.position("thread_position_in_grid", 1))
    b.emit(b.store(v, [y, b.add(x, 1)], b.load(v, y, b.binary("subtract", x, 1))))
    text = print_kernel(prepared(b.kernel()))
    assert "gather" not in text
    assert "scatter" not in text
    assert "load <16 x float>" in text


def test_what_all_lanes_share_is_loaded_once():
    b = Builder("shared")
    v = b.array("v", d.float32)
    n = b.scalar("n", d.int32)
    i = b.let("i", b.position("thread_position_in_grid"))
    b.emit(b.store(v, [i], b.load(v, b.add(n, 1))))
    text = print_kernel(prepared(b.kernel()))
    assert "load float, ptr" in text
    assert "load <16 x float>" not in text
