"""Which code a launch's rows need, and that what the code relies on holds."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from cpu_programs import prepare_kernel
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.codegen.decisions.rows import Rows, cut_rows
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.backends.cpu.codegen.vector_unit import AVX2, AVX512
from speedmetal.launch.geometry import LaunchGeometry

sizes = st.tuples(st.integers(1, 5000), st.integers(1, 100), st.integers(1, 100))
rows_of_threads = st.tuples(
    st.sampled_from([1, 8, 24, 30, 32, 64, 96]), st.integers(1, 4), st.just(2)
)


@given(grid=sizes, threads=st.none() | rows_of_threads, most=st.sampled_from([1024, 256]))
@pytest.mark.parametrize("unit", [8, 24, 32])
def test_rows_are_what_the_variant_says(unit, grid, threads, most):
    cpu = sm.device("cpu")
    grid = (grid[0] * unit, *grid[1:])
    words = cpu.variant_for(grid, threads).split()
    size = LaunchGeometry(grid, threads).sizes(most)
    rows = {min(size.threads[0], grid[0]), (grid[0] - 1) % size.threads[0] + 1}
    if "whole" in words:
        assert all(row % 32 == 0 for row in rows)
    if "eights" in words:
        assert rows <= {8, 24}
    if rows == {8} and grid[0] * grid[1] * grid[2] >= 512:
        assert "eights" in words


def doubled(statements: int = 1) -> Builder:
    b = Builder("doubled")
    v = b.array("v", d.float32)
    i = b.let("i", b.position("thread_position_in_grid"))
    for n in range(statements):
        b.emit(b.store(v, [i], b.multiply(b.load(v, i), float(n + 2))))
    return b


def test_long_bodies_are_written_once_without_a_mask_where_rows_are_whole():
    kernel = prepare_kernel(doubled(100).kernel())
    masked = print_kernel(kernel)
    plain = print_kernel(kernel, rows=Rows(whole=True))
    assert len(re.findall("masked.store", masked)) > 100
    assert "masked.store" not in plain
    assert len(plain) < len(masked)


def test_short_kernels_have_one_code_for_all_rows():
    kernel = prepare_kernel(doubled().kernel())
    assert cut_rows(kernel, AVX512, Rows(whole=True)) == cut_rows(kernel, AVX512, Rows())
    assert cut_rows(kernel, AVX2, Rows(eights=True)) == cut_rows(kernel, AVX2, Rows())


def test_rows_of_eight_are_vectors_of_eight():
    kernel = prepare_kernel(doubled().kernel())
    text = print_kernel(kernel, rows=Rows(eights=True, linear=True))
    assert "<8 x float>" in text
    assert "<16 x" not in text
    assert "masked" not in text


@sm.kernel
def long_sum(v, out):
    x, y, z = sm.thread_position_in_grid()
    t = 0.0
    for n in sm.static_range(60):
        t = t * 0.5 + v[z, y, x] * float(n)
    out[z, y, x] = t


@sm.kernel
def sum_of_simdgroup(v, out):
    x, y, z = sm.thread_position_in_grid()
    t = sm.simd_sum(v[z, y, x])
    for n in sm.static_range(60):
        t = t * 0.5 + v[z, y, x] * float(n)
    out[z, y, x] = t


@pytest.mark.parametrize("kernel", [long_sum, sum_of_simdgroup])
def test_every_variant_of_a_long_kernel_computes_the_same(kernel):
    """Each row of a launch is followed by memory that must stay as it was."""
    rng = np.random.default_rng(0)
    for width in (8, 24, 32, 33, 64):
        v = rng.integers(0, 9, (4, 40, width)).astype(np.float32)
        out = np.full((4, 40, width + 64), -1, np.float32)
        for threads in (None, (width, 1, 1), (8, 1, 1), (32, 2, 1)):
            if kernel is sum_of_simdgroup and threads != (width, 1, 1):
                continue
            out[:] = -1
            kernel(v, out[:, :, :width], grid=(width, 40, 4), threads=threads)
            wanted = np.zeros_like(v)
            if kernel is sum_of_simdgroup:
                for start in range(0, width, 32):
                    part = slice(start, start + 32)
                    wanted[:, :, part] = v[:, :, part].sum(2, keepdims=True)
            for n in range(60):
                wanted = wanted * np.float32(0.5) + v * np.float32(n)
            np.testing.assert_allclose(out[:, :, :width], wanted, rtol=1e-5)
            assert (out[:, :, width:] == -1).all()


def test_code_of_one_variant_serves_equal_ones_from_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path))

    def launch(size: int) -> int:
        @sm.kernel
        def increase(v):
            i = sm.thread_position_in_grid().x
            v[i] += 1.0

        v = np.zeros(size, np.float32)
        increase(v, grid=size)
        assert (v == 1).all()
        return len(list(tmp_path.rglob("*")))

    files = launch(100)
    assert launch(128) == files  # rows are whole there, which makes no difference to this kernel
