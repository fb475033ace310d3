"""Kernels that sort and find, compiled by NVRTC as they are printed; nothing runs."""

from __future__ import annotations

from functools import partial

import pytest

import speedmetal as sm
from speedmetal.arrays.kernels import find, sort
from speedmetal.backends.cuda import nvrtc
from speedmetal.compiler import pipeline
from speedmetal.frontend.signature import signature_of
from speedmetal.frontend.static import static

pytestmark = pytest.mark.skipif(not nvrtc.is_available(), reason="NVRTC is not installed")


def compiled(kernel, *arguments):
    specialisation = kernel.specialisation(signature_of(arguments))
    lowered, _ = pipeline.lower(specialisation, "cuda")
    return nvrtc.compile_ptx(pipeline.print_source(lowered, "cuda"), "sm_90")


def zeros(dtype, shape=(4, 6)):
    return sm.zeros(shape, dtype=dtype, device="cpu")


@pytest.mark.parametrize("dtype", [sm.bool_, sm.int8, sm.uint16, sm.float16, sm.bfloat16,
                                   sm.float32, sm.int64, sm.float64], ids=str)  # fmt: skip
def test_sorts(dtype):
    is_wide = dtype.itemsize == 8
    kind = sm.uint64 if is_wide else sm.uint32
    x = zeros(dtype)
    numbers = (static(1), static(2), 2, 3, 4)
    pack = partial(sort.item_of_key, kind, True)
    compiled(sort.sort_parts, x, x.T, pack, partial(sort.element_of, dtype, True), kind, *numbers)
    if is_wide:
        return
    items, pack = zeros(sm.uint64), partial(sort.item_of_place, False)
    compiled(sort.sort_parts, items, x, pack, sort.kept_item, sm.uint64, *numbers)
    compiled(sort.merge_runs, zeros(sm.int64), items, sort.place_in, 4096)
    key = partial(sort.joined_key_in_row, False)
    compiled(sort.pack_rows, items, zeros(sm.int32), x, key)


@pytest.mark.parametrize("dtype", [sm.bool_, sm.uint8, sm.bfloat16, sm.float64], ids=str)
def test_finds(dtype):
    counts, starts = zeros(sm.int32, 6), zeros(sm.int64, 7)
    compiled(find.count_parts, counts, zeros(dtype), 256, 6)
    compiled(find.add_up, starts, counts)
    compiled(find.write_places, zeros(sm.int64), zeros(dtype), starts, 256, 6)


@sm.kernel
def counted(a, b):
    threads = sm.threads_per_threadgroup().x
    place = sm.thread_index_in_threadgroup()
    shared = sm.threadgroup_array(64, sm.float32)
    shared[place] = a[place]
    sm.threadgroup_barrier()
    b[place] = shared[threads - 1 - place]


def test_names_that_the_printer_has_for_itself():
    """A kernel's own variables get others."""
    compiled(counted, zeros(sm.float32, 64), zeros(sm.float32, 64))
