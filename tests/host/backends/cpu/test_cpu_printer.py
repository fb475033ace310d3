"""The CPU's text: kernels of every kind are valid LLVM, on every unit; some have a form."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal import passes
from speedmetal.backends.cpu import jit
from speedmetal.backends.cpu.codegen.decisions.rows import Rows
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.backends.cpu.codegen.vector_unit import AVX2, AVX512
from speedmetal.backends.cpu.jit import Effort, assembly, compile_object
from speedmetal.backends.targets import find_target
from speedmetal.frontend.infer import infer_function
from speedmetal.ir import nodes as ir
from speedmetal.ir.analysis import facts
from speedmetal.ir.types import Space
from speedmetal.source import NOWHERE
from text_patterns import assert_follows

sys.path.insert(0, str(Path(__file__).parents[1] / "c_family"))
from c_family_kernels import EVERY_TYPE
from c_family_kernels import GOLDEN as KERNELS


def prepared(kernel: ir.Kernel) -> ir.Kernel:
    return passes.run(kernel, target=find_target("cpu"), compile_function=infer_function)


PROCESSORS = {AVX512: "x86-64-v4", AVX2: "x86-64-v3"}


@pytest.fixture
def compile_for(monkeypatch):
    """Compiles for a processor that has a unit, whatever this one has: LLVM ends the process over
    an instruction that its processor lacks."""

    def compile_text(text, unit):
        monkeypatch.setenv(jit.CPU_VARIABLE, PROCESSORS[unit])
        jit._host.cache_clear()
        jit._pass_builder.cache_clear()
        return compile_object(text, effort=Effort.SHORT)

    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("its units are of x86-64")
    yield compile_text
    monkeypatch.undo()
    jit._host.cache_clear()
    jit._pass_builder.cache_clear()


@pytest.mark.tier("default")
@pytest.mark.parametrize("unit", [AVX512, AVX2], ids=["avx512", "avx2"])
@pytest.mark.parametrize("name", [*KERNELS, *EVERY_TYPE])
def test_llvm_accepts_every_kernel(name, unit, compile_for):
    kernel = EVERY_TYPE[name] if name in EVERY_TYPE else KERNELS[name]()
    text = print_kernel(prepared(kernel), unit=unit)
    assert compile_for(text, unit)


@pytest.mark.parametrize(
    "name", [n for n, k in KERNELS.items() if facts(prepared(k())).tells_simdgroups]
)
def test_llvm_accepts_vectors_cut_from_the_linear_index(name, compile_for):
    text = print_kernel(prepared(KERNELS[name]()), rows=Rows(linear=True))
    assert compile_for(text, AVX512)


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


PATTERNS = {
    "guarded": """
        {guard} = icmp slt <16 x i32>               ;; the position of each lane, and the extent
        {bits} = bitcast <16 x i1> {guard} to i16
        {any} = icmp ne i16 {bits}, 0               ;; no lane inside: jump over the body
        br i1 {any}, label %{some}, label %{join}
        {some}:
        not: {join}:
        {order} = call <16 x i32> @llvm.masked.load ... <16 x i1> {guard}
        {place} = sext <16 x i32> {order} to <16 x i64>
        {where} = getelementptr float, ptr ..., <16 x i64> {place}
        {value} = call <16 x float> @llvm.masked.gather ... {where}, <16 x i1> {guard}
        {double} = fmul <16 x float> {value}, splat
        call void @llvm.masked.store ... {double}, ... <16 x i1> {guard}
        {join}:
        not: masked
        store i32 7, ptr                            ;; once, by no mask
        tail                                        ;; the lanes that are left of a row
        {lanes} = icmp slt <16 x i32>
        {guard2} = icmp slt <16 x i32>
        {both} = and <16 x i1> {lanes}, {guard2}
        call <16 x i32> @llvm.masked.load ... <16 x i1> {both}
        call <16 x float> @llvm.masked.gather ... <16 x i1> {both}
        call void @llvm.masked.store ... <16 x i1> {both}
        store i32 7, ptr
        ret void
    """,
    "escaping": """
        store <16 x i1> splat (i1 true), ptr {thread}   ;; which lanes have not returned
        store <16 x i32> splat (i32 0), ptr {total}
        store <16 x i1> splat (i1 true), ptr {loop}     ;; which have not left the loop
        store i32 0, ptr {k}                            ;; one counter for all
        head
        {active} = load <16 x i1>, ptr {loop}
        store <16 x i1> {active}, ptr {turn}
        {element} = load i32, ptr                       ;; loaded once for all lanes
        insertelement <16 x i32> poison, i32 {element}
        {here} = icmp eq <16 x i32>
        {found} = and <16 x i1> {active}, {here}
        some                                            ;; the return: out of thread, loop and turn
        xor <16 x i1> {found}, splat (i1 true)
        store <16 x i1> ..., ptr {thread}
        xor <16 x i1> {found}, splat (i1 true)
        store <16 x i1> ..., ptr {loop}
        xor <16 x i1> {found}, splat (i1 true)
        store <16 x i1> ..., ptr {turn}
        {still} = load <16 x i1>, ptr {thread}
        bitcast <16 x i1> {still} to i16
        label %vector.end                               ;; nobody is left: the vector has ended
        {rest} = load <16 x i1>, ptr {turn}
        {going} = and <16 x i1> {active}, {rest}
        {over} = icmp sgt <16 x i32>
        {beyond} = and <16 x i1> {going}, {over}
        some                                            ;; the break: out of loop and turn
        not: ptr {thread}
        store <16 x i1> ..., ptr {loop}
        store <16 x i1> ..., ptr {turn}
        {on} = load <16 x i1>, ptr {turn}
        {adding} = and <16 x i1> {active}, {on}
        {sum} = add <16 x i32>
        {kept} = select <16 x i1> {adding}, <16 x i32> {sum}
        store <16 x i32> {kept}, ptr {total}
        next
        store i32 ..., ptr {k}
        label %head
        {last} = load <16 x i1>, ptr {thread}           ;; who returned stores nothing
        call void @llvm.masked.store ... <16 x i1> {last}
        tail
        {inside} = icmp slt <16 x i32>
        store <16 x i1> {inside}, ptr
        store <16 x i1> {inside}, ptr
        ret void
    """,
    "waiting": """
        {tile} = alloca [64 x float], align 64
        icmp ule i64 ..., 65536                         ;; places of variables: on the stack, or not
        call ptr @malloc
        %t.all.{t} = getelementptr i8, ptr              ;; t and total have a place for each vector
        %total.all.{all} = getelementptr i8, ptr
        store <16 x float> splat (float 0x0000000000000000), ptr {total}
        {first} = getelementptr <16 x float>, ptr %total.all.{all}
        store <16 x float> ..., ptr {first}
        store i32 0, ptr {k}                            ;; one loop for the whole threadgroup
        head
        body
        count                                           ;; all vectors up to the first barrier
        {loaded} = load <16 x float>
        getelementptr float, ptr {tile}
        store <16 x float> {loaded}
        tail
        {left} = call <16 x float> @llvm.masked.load
        call void @llvm.masked.store ... {left}
        count                                           ;; all vectors up to the second
        not: store i32 ..., ptr {k}
        {before} = getelementptr <16 x float>, ptr %total.all.{all}
        load <16 x float>, ptr {before}
        getelementptr float, ptr {tile}
        {other} = call <16 x float> @llvm.masked.gather
        {more} = fadd <16 x float> ..., {other}
        store <16 x float> {more}, ptr {total}
        {after} = getelementptr <16 x float>, ptr %total.all.{all}
        store <16 x float> ..., ptr {after}
        next
        store i32 ..., ptr {k}
        label %head
        end.loop
        not: store <16 x float> ..., align 4            ;; the result, by a mask: it is written once
        call void @llvm.masked.store
        not: call void @llvm.masked.store
        call void @free
        ret void
    """,
}
WHOLE = {"guarded": guarded, "escaping": escaping, "waiting": waiting}


@pytest.mark.parametrize("name", WHOLE)
def test_text_has_this_form(name):
    assert_follows(print_kernel(prepared(WHOLE[name]()), unit=AVX512), PATTERNS[name])


def test_without_masks_in_registers_full_vectors_have_code_of_their_own():
    """Where all lanes are inside, whole vectors are loaded and stored; else by the mask."""
    text = print_kernel(prepared(guarded()), unit=AVX2)
    assert_follows(
        text,
        """
        {guard} = icmp slt <8 x i32>
        {bits} = bitcast <8 x i1> {guard} to i8
        {all} = icmp eq i8 ..., -1
        br i1 {all}, label %{full}, label %{part}
        {full}:
        not: masked.load
        not: masked.store
        load <8 x i32>, ptr
        store <8 x float>
        {part}:
        not: store <8 x float>
        call <8 x i32> @llvm.masked.load ... <8 x i1> {guard}
        call void @llvm.masked.store ... <8 x i1> {guard}
        store i32 7, ptr
        """,
    )


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
