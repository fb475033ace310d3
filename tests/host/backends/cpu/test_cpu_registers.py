"""What the machine code of a kernel keeps in registers: tiles of accumulators."""

from __future__ import annotations

import platform
import re

import pytest
from llvmlite import binding

import speedmetal as sm

ROWS, COLUMNS = 2, 4  # with a row of factors, a mask and a broadcast it fits into 16 registers
TILE = ROWS * COLUMNS
TYPES = "f32[:,:] f32[:,:] f32[:,:]"


def is_written_for() -> bool:
    """Whether the patterns below are this machine's assembly."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return is_x86 and bool(binding.get_host_cpu_features().get("avx2"))


@sm.kernel
def product(a, b, out):
    """A tile of a product of matrices for each thread, whose columns are 16 apart."""
    at = sm.threadgroup_position_in_grid()
    lane = sm.thread_index_in_threadgroup()
    total = sm.thread_array((ROWS, COLUMNS), sm.float32)
    for r in sm.static_range(ROWS):
        for c in sm.static_range(COLUMNS):
            total[r, c] = 0.0
    for k in range(a.shape[1]):
        factor = sm.thread_array(COLUMNS, sm.float32)
        for c in sm.static_range(COLUMNS):
            factor[c] = b[k, at.x * 16 * COLUMNS + lane + 16 * c]
        for r in sm.static_range(ROWS):
            for c in sm.static_range(COLUMNS):
                total[r, c] += a[at.y * ROWS + r, k] * factor[c]
    for r in sm.static_range(ROWS):
        for c in sm.static_range(COLUMNS):
            out[at.y * ROWS + r, at.x * 16 * COLUMNS + lane + 16 * c] = total[r, c]


@sm.kernel
def weigh(x, weights, out, n):
    """Sums whose factors are the same in each turn of the loop; they may lie in what is written."""
    i = sm.thread_position_in_grid().x
    total = sm.thread_array(2, sm.float32)
    total[0] = 0.0
    total[1] = 0.0
    for k in range(n):
        for r in sm.static_range(2):
            total[r] += weights[r] * (x[k, i] + out[r, i])
    out[0, i] = total[0]
    out[1, i] = total[1]


def fused_loops(assembly: str) -> list[str]:
    """The basic blocks that multiply, add, and jump back to their own start."""
    blocks = re.split(r"\n(?=\.?LBB)", assembly)
    return [
        block
        for block in blocks
        if "vfmadd" in block
        and re.search(rf"\tj\w+\t{re.escape(block.partition(':')[0])}\n", block)
    ]


@pytest.mark.skipif(not is_written_for(), reason="for x86-64 with AVX2")
def test_a_tile_stays_in_registers_while_it_grows():
    """The loop over the inner axis stores nothing, and fuses once for each element of the tile."""
    loops = fused_loops(sm.code(product, TYPES, target="cpu", stage="assembly"))
    assert loops
    for loop in loops:
        assert sum("vfmadd" in line for line in loop.splitlines()) == TILE
        assert not re.search(r"\tvmov\w+\t%[xyz]mm\d+, [^%]*\(", loop)


@pytest.mark.skipif(not is_written_for(), reason="for x86-64 with AVX2")
def test_what_no_turn_changes_is_loaded_before_the_loop():
    """Arrays may overlap; but a loop that stores nothing changes none of them."""
    loops = fused_loops(
        sm.code(weigh, "f32[:,:] f32[:] f32[:,:] i32", target="cpu", stage="assembly")
    )
    assert loops
    for loop in loops:
        assert len(re.findall(r"\(%", loop)) == 1  # of x


def test_no_array_is_left_in_the_text():
    text = sm.code(product, TYPES, target="cpu", stage="source")
    assert f"total_{ROWS - 1}_{COLUMNS - 1}" in text
    assert "alloca [" not in text
