"""Conversions of floats to integers, and rounding: whole vectors at a time."""

from __future__ import annotations

import pytest

from cpu_programs import prepare_kernel
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.backends.cpu.codegen.vector_unit import AVX2, AVX512, NEON, VectorUnit
from speedmetal.backends.cpu.jit import assembly, vector_unit
from speedmetal.dtypes import DType
from speedmetal.ir import nodes as ir
from text_patterns import assert_follows

# x86 has no instruction for 64 bits before AVX-512.
WIDEST = 64 if vector_unit() is AVX512 else 32


def mapped(source: DType, target: DType, name: str = "") -> ir.Kernel:
    """``out[i] = a[i]`` as another type, or an intrinsic of it."""
    b = Builder("mapped")
    out, a = b.array("out", target), b.array("a", source)
    i = b.let("i", b.position("thread_position_in_grid"))
    x = b.load(a, i)
    if name:
        x = b.convert(b.call(name, b.convert(x, d.float32)), target)
    b.emit(b.store(out, [i], x if name else b.convert(x, target)))
    return prepare_kernel(b.kernel())


def instructions(kernel: ir.Kernel) -> str:
    return assembly(print_kernel(kernel, unit=vector_unit()))


@pytest.mark.parametrize("target", [t for t in d.INTEGERS if t.bits <= WIDEST], ids=str)
@pytest.mark.parametrize("source", [d.float16, d.bfloat16, d.float32, d.float64], ids=str)
def test_floats_become_integers_without_going_lane_by_lane(source: DType, target: DType) -> None:
    text = instructions(mapped(source, target))
    assert "cvttss2" not in text
    assert "cvttsd2" not in text
    assert "fcvtzs\tw" not in text


@pytest.mark.parametrize("unit", [AVX512, AVX2], ids=["AVX512", "AVX2"])
def test_what_a_conversion_cannot_take_is_chosen_away(unit: VectorUnit) -> None:
    """The greatest int32 is no float32: what is above becomes it after the conversion."""
    assert_follows(
        print_kernel(mapped(d.float32, d.int32), unit=unit),
        """
        {above} = fcmp ogt ... {x}, splat (float 0xC1E0000000000000)
        {kept} = select ... {above}, ... {x}, ...
        {cut} = fptosi ... {kept} to
        {number} = fcmp ord ... {x}, {x}
        {some} = select ... {number}, ... {cut}, ... splat (i32 0)
        {beyond} = fcmp oge ... {x}, splat (float 0x41E0000000000000)
        select ... {beyond}, ... splat (i32 2147483647), ... {some}
        """,
    )


def test_small_unsigned_integers_take_two_bounds_and_no_more() -> None:
    text = print_kernel(mapped(d.float32, d.uint8), unit=AVX512)
    assert_follows(
        text,
        """
        fcmp ogt ... splat (float 0x0000000000000000)
        fcmp olt ... splat (float 0x406FE00000000000)
        fptosi <16 x float> ... to <16 x i32>
        not: fcmp ord
        trunc <16 x i32> ... to <16 x i8>
        """,
    )


def test_what_is_known_to_fit_is_not_looked_at() -> None:
    """But for NaN. Idle lanes may hold what does not fit: that is no poison afterwards."""
    b = Builder("clamped")
    out, a = b.array("out", d.int32), b.array("a", d.float32)
    i = b.let("i", b.position("thread_position_in_grid"))
    x = b.let("x", b.call("minimum", b.call("maximum", b.load(a, i), -87.0), 88.0))
    b.emit(b.store(out, [i], b.convert(b.call("rint", x), d.int32)))
    assert_follows(
        print_kernel(prepare_kernel(b.kernel()), unit=AVX512),
        """
        {x} = call <16 x float> @llvm.roundeven
        not: fcmp o
        {cut} = fptosi <16 x float> {x} to
        {number} = fcmp ord ... {x}, {x}
        {some} = select ... {number}, ... {cut}
        freeze <16 x i32> {some}
        """,
    )


def test_a_processor_that_saturates_is_asked_to() -> None:
    text = print_kernel(mapped(d.float32, d.int32), unit=NEON)
    assert "@llvm.fptosi.sat.v8i32.v8f32" in text
    assert "fcmp" not in text


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "rint"])
@pytest.mark.parametrize("dtype", [d.float16, d.bfloat16, d.float32], ids=str)
def test_rounding_takes_whole_vectors(name: str, dtype: DType) -> None:
    """LLVM would round float16 in float16, which it does for each lane alone."""
    text = instructions(mapped(dtype, dtype, name))
    assert "roundss" not in text
    assert "rndscaless" not in text
