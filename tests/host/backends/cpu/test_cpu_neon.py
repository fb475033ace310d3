"""What is printed for processors with NEON, assembled for Apple's by LLVM, and read; never run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from llvmlite import binding

import speedmetal as sm
from speedmetal.backends.cpu import jit
from speedmetal.backends.cpu.codegen.vector_unit import unit_for

TRIPLE = "aarch64-apple-darwin"


@pytest.fixture
def assembly(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """The assembly of a kernel for an Apple processor, instead of this machine's."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    try:
        target = binding.Target.from_triple(TRIPLE)
    except RuntimeError as error:
        pytest.skip(f"this LLVM makes no code for {TRIPLE}: {error}")
    machine = target.create_target_machine(cpu="apple-m1", opt=2, reloc="pic", codemodel="small")
    host = jit._Host(TRIPLE, "apple-m1", "+neon", machine)
    jit._pass_builder.cache_clear()
    monkeypatch.setattr(jit, "_host", lambda: host)
    monkeypatch.setattr(jit, "vector_unit", lambda: unit_for({"neon"}))
    yield lambda kernel, types: sm.code(kernel, types, target="cpu", stage="assembly")
    jit._pass_builder.cache_clear()


def calls(text: str) -> list[str]:
    return re.findall(r"\tbl\s+(\w+)", text)


@sm.kernel
def exponential(x, out):
    i = sm.thread_position_in_grid().x
    out[i] = sm.exp(x[i]) + sm.log(x[i])


@sm.kernel
def whole(x, out):
    i = sm.thread_position_in_grid().x
    out[i] = sm.int32(sm.floor(x[i]))


@sm.kernel
def sums_of_eight(x, out):
    i = sm.thread_position_in_grid().x
    out[i] = sm.simd_sum(x[i], width=8)


@sm.kernel
def tile(a, b, out):
    i = sm.thread_position_in_grid().x
    sums = sm.thread_array(4, sm.float32)
    for r in sm.static_range(4):
        sums[r] = 0.0
    for k in range(a.shape[0]):
        for r in sm.static_range(4):
            sums[r] = sums[r] + a[k, r] * b[k, i]
    for r in sm.static_range(4):
        out[r, i] = sums[r]


def test_functions_of_numbers_are_vector_code(assembly):
    text = assembly(exponential, "f32[:] f32[:]")
    assert calls(text) == []
    assert re.search(r"fmla\.4s", text)


def test_floats_become_integers_a_vector_at_a_time(assembly):
    text = assembly(whole, "f32[:] i32[:]")
    assert re.search(r"frintm\.4s|fcvtms\.4s", text)
    assert re.search(r"fcvt[zm]s\.4s", text)
    assert calls(text) == []


def test_parts_of_a_simdgroup_are_summed_in_registers(assembly):
    text = assembly(sums_of_eight, "f32[:] f32[:]")
    assert re.search(r"fadd\.4s|faddp\.4s", text)
    assert calls(text) == []


def test_tiles_stay_in_registers(assembly):
    text = assembly(tile, "f32[:,:] f32[:,:] f32[:,:]")
    loops = re.findall(r"(LBB\w+):\n((?:(?!LBB\w+:).)*?fmla\.4s.*?)\n\tb\S*\s", text, re.DOTALL)
    assert loops
    assert not any(re.search(r"\tst[rp]\tq\d+, \[sp", body) for _, body in loops)
