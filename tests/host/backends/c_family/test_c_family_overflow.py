"""Integers wrap in the printed text, and index arithmetic is left as it was written."""

from __future__ import annotations

import re

import pytest

import speedmetal as sm
from nvrtc import needs_nvrtc
from speedmetal.backends.cuda.nvrtc import compile_ptx
from speedmetal.ir.neighbours import MOST_APART

# --- What NVIDIA's compiler makes of it ---------------------------------------------------------

# It computes the number, or the truth, from the element: nothing of it may be known beforehand.
FORMULAS = {
    "x * 2 // 2": (lambda x: x * 2 // 2, r"shl\.b\d+|mul|bfe\.s|prmt"),
    "x * 3 // 3": (lambda x: x * 3 // 3, r"mul\.lo\.s\d+"),
    "x + 1 > x": (lambda x: x + 1 > x, r"setp\.\w+\.[bsu]\d+"),
    "x - 1 < x": (lambda x: x - 1 < x, r"setp\.\w+\.[bsu]\d+"),
    "x < -x": (lambda x: x < -x, r"neg\.s\d+"),
    "abs(x) >= 0": (lambda x: abs(x) >= 0, r"setp\.\w+\.[bsu]\d+|shr\.u\d+"),
    "x * x >= 0": (lambda x: x * x >= 0, r"mul\.lo\.s\d+"),
    "(x + x) // 2": (lambda x: (x + x) // 2, r"shl\.b\d+|add\.s\d+|bfe\.s"),
}


@needs_nvrtc
@pytest.mark.parametrize("dtype", ["i32", "i64"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_nvidias_compiler_folds_nothing_away(formula, dtype):
    compute, instruction = FORMULAS[formula]

    @sm.kernel
    def kernel(x, out):
        i = sm.thread_position_in_grid().x
        out[i] = compute(x[i])

    kind = "bool" if re.search("[<>]", formula) else dtype
    source = sm.code(kernel, f"{dtype}[:] {kind}[:]", target="cuda")
    ptx = compile_ptx(str(source), "compute_80")
    loaded = re.split(r"ld\.global\S*\s", ptx, maxsplit=1)
    assert len(loaded) == 2, "the element is not even read"
    assert re.search(instruction, loaded[1]), loaded[1]


@needs_nvrtc
def test_neighbours_in_an_index_are_neighbours_to_nvidias_compiler():
    """One address, with offsets: not one for each element."""

    @sm.kernel
    def stencil(x, out, width):
        i = sm.thread_position_in_grid().x
        place = i * width + 3
        out[i] = x[place - 1] + x[place] + x[place + 1]

    ptx = compile_ptx(str(sm.code(stencil, "f32[:] f32[:] i32", target="cuda")), "compute_80")
    addresses = re.findall(r"ld\.global\S*\s+%\w+, \[(%\w+)(?:\+-?\d+)?\]", ptx)
    turns = MOST_APART + 1  # positions that a thread takes at once, and one of those at the edge
    assert len(addresses) == 3 * turns
    assert len(set(addresses)) == turns


# --- What is printed ----------------------------------------------------------------------------


@sm.kernel
def indices(x, y, order, out, width, offset):
    i, j = sm.thread_position_in_grid().x, sm.thread_position_in_grid().y
    column = sm.thread_position_in_threadgroup().x
    out[i + 1] = x[j * width + i]
    place = (j + 1) * width - offset
    out[place] = x[place + 3]
    for k in range(0, y.shape[0], 16):
        if k + column < x.size:
            out[k * 16 + i] = y[k + 1, i - 1]
    following = sm.threadgroup_position_in_grid().x * sm.threads_per_threadgroup().x
    if following + column < y.size:
        out[-1] = x[at(j, i, width)]
    out[i] = x[order[i] + 1]


def at(row, column, width):
    return row * width + column


INDEX_ARITHMETIC = """\
    int i = int(thread_position_in_grid.x);
    int j = int(thread_position_in_grid.y);
    int column = int(thread_position_in_threadgroup.x);
    out[i + 1] = x[j * arguments.width + i];
    int place = (j + 1) * arguments.width - arguments.offset;
    out[place] = x[place + 3];
    for (int k = 0; k < arguments.y_extent0; k += 16) {
        if (k + column < arguments.x_extent0) {
            out[k * 16 + i] = y[(k + 1) * arguments.y_stride0 + i - 1];
        }
    }
    int following = int(threadgroup_position_in_grid.x) * int(threads_per_threadgroup.x);
"""


def test_index_arithmetic_is_printed_as_it_is_written():
    text = sm.code(indices, "f32[:] f32[:,:] i32[:] f32[:] i32 i32", target="metal")
    assert INDEX_ARITHMETIC in str(text)
    assert "return row * width + column;" in str(text)
    assert "x[order[i] + 1]" in str(text)
    assert not re.search(r"uint\(\w", str(text))


@sm.kernel
def values(x, total, width):
    i = sm.thread_position_in_grid().x
    total[0] = i * width + x[i]
    count = 0
    for k in range(i):
        if x[k] > 0:
            count += 1
    total[1] = -count
    total[2] = x[x[i] * width + i]
    total[3] = abs(x[i]) // 2


VALUES = """\
    total[0] = int(uint(i) * uint(arguments.width) + uint(x[i]));
    int count = 0;
    for (int k = 0; k < i; ++k) {
        if (x[k] > 0) {
            count = int(uint(count) + 1u);
        }
    }
    total[1] = int(-uint(count));
    total[2] = x[int(uint(x[i]) * uint(arguments.width)) + i];
    total[3] = absolute(x[i]) >> 1;
"""


def test_what_may_wrap_goes_by_way_of_unsigned_numbers():
    assert VALUES in str(sm.code(values, "i32[:] i32[:] i32", target="metal"))
    cuda = VALUES.replace("uint(", "uint32(")
    assert cuda in str(sm.code(values, "i32[:] i32[:] i32", target="cuda"))
