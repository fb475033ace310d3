"""Elements that are equally far apart are taken one by one, which a processor foresees."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.backends.cpu.codegen.operations.steps import MOST_STEPPING


@sm.kernel
def copy(source, target):
    i = sm.thread_position_in_grid().x
    target[i] = source[i]


@sm.kernel
def every_third(source, target):
    i = sm.thread_position_in_grid().x
    target[i] = source[3 * i]


@sm.kernel
def chosen(source, target):
    i = sm.thread_position_in_grid().x
    target[i] = source[i * i]


@sm.kernel
def many(source, target):
    i = sm.thread_position_in_grid().x
    total = 0.0
    for n in sm.static_range(60):
        total += source[n + 2 * i]
    target[i] = total


A, STEP = np.zeros(64, np.float32), np.zeros(64, np.float32)[::2]


def gathers(kernel, *arguments) -> tuple[int, int]:
    """Gathers and scatters of what is printed, for full vectors and for the rest of a row."""
    text = sm.code(kernel, *arguments, target="cpu", stage="source")
    return text.count("@llvm.masked.gather.v"), text.count("@llvm.masked.scatter.v")


@pytest.mark.parametrize(
    ("kernel", "arguments", "wanted"),
    [
        (copy, (A, A), (0, 0)),
        (copy, (STEP, A), (1, 0)),  # in the rest of a row; and the declaration
        (copy, (A, STEP), (0, 1)),
        (every_third, (A, A), (1, 0)),
        (chosen, (A, A), (2, 0)),
    ],
)
def test_full_vectors_gather_only_what_lies_anywhere(kernel, arguments, wanted):
    loads, stores = gathers(kernel, *arguments)
    declared = (min(loads, 1), min(stores, 1))
    assert (loads - declared[0], stores - declared[1]) == wanted


def test_the_text_of_many_such_accesses_is_bounded():
    text = sm.code(many, A, A, target="cpu", stage="source")
    assert text.count("llvm.masked.gather.v") > 60 - MOST_STEPPING
    assert text.count("= load float, ptr") <= MOST_STEPPING * 16


@sm.kernel
def multiply(a, b, out):
    i = sm.thread_position_in_grid().x
    out[i] = a[i] * b[i]


@sm.kernel
def swap_halves(a):
    i = sm.thread_position_in_grid().x
    a[i] = complex(a[i].imag, a[i].real)


def test_halves_of_complex_numbers_are_loaded_and_stored_side_by_side():
    z = np.arange(70) + 1j * np.arange(70)[::-1]
    for dtype in (np.complex64, np.complex128):
        a, out = z.astype(dtype), np.zeros(70, dtype)
        multiply(a, a, out, grid=70)
        np.testing.assert_array_equal(out, a * a)
        swap_halves(a, grid=70)
        np.testing.assert_array_equal(a, z.astype(dtype).imag + 1j * z.astype(dtype).real)
    text = sm.code(multiply, out, out, out, target="cpu", stage="source")
    whole = text.split("call void @llvm.masked.scatter")[0]
    assert "extractelement" not in whole.split("shufflevector", 1)[1]


_AT_THE_END_OF_MEMORY = """
import ctypes, mmap, sys
import numpy as np
import speedmetal as sm

@sm.kernel
def take_part(source, target, step: sm.static[int]):
    i = sm.thread_position_in_grid().x
    target[i] = source[step * i + step - 1]

page = mmap.PAGESIZE
pages = mmap.mmap(-1, 2 * page)
begin = ctypes.addressof(ctypes.c_char.from_buffer(pages))
assert not ctypes.CDLL(None).mprotect(ctypes.c_void_p(begin + page), page, 0)
for step in (2, 3, 4):
    for dtype in ("f4", "i1", "c8"):
        size = 512 // step
        source = np.frombuffer(pages, dtype, page // np.dtype(dtype).itemsize)[-size * step:]
        target = np.zeros(size, dtype)
        take_part(source, target, step, grid=size)
        assert not target.any()
print("read", end="")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects memory as Linux does")
def test_nothing_beyond_the_last_element_is_read():
    """Proves it in a process of its own, with memory that nobody may read right behind."""
    done = subprocess.run(
        [sys.executable, "-c", _AT_THE_END_OF_MEMORY], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "read"), done.stderr
