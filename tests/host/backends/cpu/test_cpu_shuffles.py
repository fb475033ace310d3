"""Exchange within a simdgroup: by the processor's shuffles, without memory."""

from __future__ import annotations

import re

import numpy as np
import pytest

import speedmetal as sm
from cpu_programs import prepare_kernel
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.codegen.operations.permutations import source_lanes
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.backends.cpu.codegen.vector_unit import AVX2, AVX512, NEON, VectorUnit
from speedmetal.backends.cpu.jit import assembly, vector_unit
from speedmetal.dtypes import DType
from speedmetal.ir import nodes as ir
from text_patterns import assert_follows

UNITS = {"AVX512": AVX512, "AVX2": AVX2, "NEON": NEON}
SHUFFLES = ["simd_shuffle", "simd_shuffle_up", "simd_shuffle_down", "simd_shuffle_xor"]
FIRST_LANES = {
    "simd_shuffle": "3, i32 3, i32 3, i32 3",
    "simd_shuffle_up": "0, i32 1, i32 2, i32 0",
    "simd_shuffle_down": "3, i32 4, i32 5, i32 6",
    "simd_shuffle_xor": "3, i32 2, i32 1, i32 0",
    "quad_shuffle_down": "3, i32 1, i32 2, i32 3",
    "quad_broadcast": "3, i32 3, i32 3, i32 3",
}


def exchanged(name: str, dtype: DType, operand: int | str | None = None) -> ir.Kernel:
    """``out[i] = name(a[i], operand)``; a name is that of an int32 parameter."""
    b = Builder("exchanged")
    out, a = b.array("out", dtype), b.array("a", dtype)
    given = b.scalar(operand, d.int32) if isinstance(operand, str) else operand
    i = b.let("i", b.position("thread_position_in_grid"))
    x = b.load(a, i)
    found = b.let("found", b.call(name, x) if given is None else b.call(name, x, given))
    b.emit(b.store(out, [i], found))
    return prepare_kernel(b.kernel())


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", FIRST_LANES)
def test_a_constant_shuffle_is_one_instruction(name: str, unit: str) -> None:
    text = print_kernel(exchanged(name, d.float32, 3), unit=UNITS[unit])
    assert f"<32 x i32> <i32 {FIRST_LANES[name]}, i32" in text
    assert "masked.gather" not in text
    assert "%lanes" not in text


@pytest.mark.parametrize("name", [*SHUFFLES, "quad_shuffle_xor"])
def test_a_constant_shuffle_does_without_memory(name: str) -> None:
    text = assembly(print_kernel(exchanged(name, d.float32, 1), unit=vector_unit()))
    assert "gather" not in text
    assert not re.search(r"vmov\w+\t%[xyz]mm\d+, [\w-]*\(%rsp", text)


@pytest.mark.parametrize("dtype", [d.int8, d.int16, d.float32, d.float64], ids=str)
@pytest.mark.parametrize("name", SHUFFLES)
def test_running_lanes_are_picked_by_the_processor(name: str, dtype: DType) -> None:
    kernel = exchanged(name, dtype, "n")
    registers = 2 if dtype.bits == 64 else 1
    wide = print_kernel(kernel, unit=AVX512)
    assert wide.count("call <16 x i32> @llvm.x86.avx512.vpermi2var.d.512") % (2 * registers) == 0
    assert "@llvm.x86.avx2.permd" in print_kernel(kernel, unit=AVX2)
    assert "masked.gather" not in wide
    assert "masked.gather" in print_kernel(kernel, unit=NEON)


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_a_reduction_halves_the_vector(unit: VectorUnit) -> None:
    """And so does no work for lanes that nobody wants."""
    assert_follows(
        print_kernel(exchanged("simd_sum", d.float32), unit=unit),
        """
        {first} = fadd <16 x float>
        shufflevector <16 x float> {first}
        shufflevector <16 x float> {first}
        not: <16 x float>
        fadd <8 x float>
        fadd <4 x float>
        {last} = fadd <2 x float>
        {left} = extractelement <2 x float> {last}, i64 0
        {right} = extractelement <2 x float> {last}, i64 1
        fadd float {left}, {right}
        """,
    )


@pytest.mark.parametrize("name", ["simd_min", "quad_max"])
def test_extremes_of_floats_are_found_as_integers(name: str) -> None:
    text = print_kernel(exchanged(name, d.float32), unit=AVX512)
    assert f"@llvm.s{name[-3:]}." in text
    assert "@llvm.minimum" not in text
    assert "@llvm.maximum" not in text


@pytest.mark.parametrize("name", ["quad_any", "quad_all", "quad_ballot"])
def test_quads_vote_by_the_bits_of_the_simdgroup(name: str) -> None:
    b = Builder("votes")
    out, a = b.array("out", d.uint32), b.array("a", d.int32)
    i = b.let("i", b.position("thread_position_in_grid"))
    found = b.let("found", b.call(name, b.compare("gt", b.load(a, i), 0)))
    b.emit(b.store(out, [i], b.convert(found, d.uint32)))
    text = print_kernel(prepare_kernel(b.kernel()), unit=AVX512)
    assert re.search(r"bitcast <32 x i1> %t\d+ to i32", text)
    assert "<32 x i32> <i32 1, i32 0" not in text  # no lanes change places


def test_the_sources_of_a_shuffle() -> None:
    def of(operation: str, operand: int, span: int = 8) -> list[int]:
        return source_lanes(operation, [operand] * 8, span)

    own = list(range(8))
    assert of("shuffle", 5) == [5] * 8
    assert of("shuffle", 1, 4) == [1, 1, 1, 1, 5, 5, 5, 5]
    assert of("shuffle", 9) == of("shuffle", -1) == own
    assert of("shuffle_xor", 4) == [4, 5, 6, 7, 0, 1, 2, 3]
    assert of("shuffle_xor", 4, 4) == own
    assert of("shuffle_up", 2) == [0, 1, 0, 1, 2, 3, 4, 5]
    assert of("shuffle_up", -1) == of("shuffle_down", 1) == [1, 2, 3, 4, 5, 6, 7, 7]
    assert of("shuffle_down", 1 << 31) == own


# --- Blocks transposed in registers


def with_item(items: tuple, n: int, item: object) -> tuple:
    return (*items[:n], item, *items[n + 1 :])


def transposed(rows: tuple) -> tuple:
    """Row k of a block is ``rows[k]`` in as many lanes; so are its columns afterwards."""
    lane = sm.thread_index_in_simdgroup()
    for distance in DISTANCES:
        is_upper = lane & distance != 0
        for k in sm.static_range(BLOCK):
            if k & distance == 0:
                low, high = rows[k], rows[k | distance]
                moved = sm.simd_shuffle_xor(high, distance)
                rows = with_item(rows, k, sm.select(is_upper, moved, low))
                moved = sm.simd_shuffle_xor(low, distance)
                rows = with_item(rows, k | distance, sm.select(is_upper, high, moved))
    return rows


BLOCK = 8
DISTANCES = (4, 2, 1)


@sm.kernel
def transpose_blocks(a, out):
    """Four blocks of 8x8 side by side."""
    lane = sm.thread_index_in_simdgroup()
    rows = transposed(tuple(a[k, lane] for k in sm.static_range(BLOCK)))
    for k in sm.static_range(BLOCK):
        out[k, lane] = rows[k]


def test_blocks_are_transposed_in_registers() -> None:
    a = np.arange(8 * 32, dtype=np.float32).reshape(8, 32)
    out = np.zeros_like(a)
    transpose_blocks(a, out, grid=32, threads=32)
    blocks = a.reshape(8, 4, 8).transpose(2, 1, 0)
    np.testing.assert_array_equal(out, blocks.reshape(8, 32))


@pytest.mark.skipif(vector_unit() is NEON, reason="the words are those of x86")
def test_a_block_is_transposed_by_few_shuffles() -> None:
    """As by hand: two vectors into one, for each row and distance; some take AVX2 two steps."""
    text = sm.code(transpose_blocks, "f32[:,:] f32[:,:]", target="cpu", stage="assembly")
    whole = text[text.index("sm_entry:") :]
    shuffles = re.findall(r"\tv(?:unpck|shuf|perm|blend|insert|mov\w+\t%zmm\d+, %zmm\d+ {)", whole)
    registers = 32 // vector_unit().lanes
    at_best = registers * BLOCK * len(DISTANCES)
    assert 0 < len(shuffles) <= (at_best if vector_unit() is AVX512 else at_best * 3 // 2)
    assert "gather" not in whole
