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
from speedmetal.backends.cpu.codegen.decisions.rows import Rows, cut_rows, does_for
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.backends.cpu.codegen.vector_unit import AVX2, AVX512
from speedmetal.ir import analysis
from speedmetal.ir import nodes as ir
from speedmetal.launch.geometry import LaunchGeometry

sizes = st.tuples(st.integers(1, 5000), st.integers(1, 100), st.integers(1, 100))
rows_of_threads = st.tuples(
    st.sampled_from([1, 8, 16, 24, 30, 32, 48, 64, 96]), st.integers(1, 4), st.just(2)
)


@given(grid=sizes, threads=st.none() | rows_of_threads, most=st.sampled_from([1024, 256]))
@pytest.mark.parametrize("unit", [8, 16, 24, 32])
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
    if "sixteens" in words:
        assert all(row % 16 == 0 for row in rows)
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


def test_kernels_that_take_long_to_compile_have_less_text_for_whole_rows():
    kernel = prepare_kernel(doubled(20).kernel())
    every = print_kernel(kernel)
    for rows in (Rows(whole=True), Rows(sixteens=True, linear=True)):
        text = print_kernel(kernel, rows=rows)
        assert "tail" not in text
        assert "masked" not in text
        assert len(text) < 0.6 * len(every)


def test_code_for_any_rows_serves_whole_ones_where_it_has_full_vectors():
    kernel, long = (prepare_kernel(doubled(n).kernel()) for n in (20, 100))
    anyhow, whole = (cut_rows(kernel, AVX512, rows) for rows in (Rows(), Rows(whole=True)))
    assert anyhow != whole
    assert does_for(anyhow, whole, kernel)
    assert not does_for(whole, anyhow, kernel)
    assert not does_for(anyhow, whole, long)  # it has a mask in each statement
    eights = cut_rows(kernel, AVX512, Rows(eights=True))
    assert not does_for(anyhow, eights, kernel)  # vectors are not as long


def test_a_compile_counts_expressions_once_for_all_variants(monkeypatch):
    asked = []
    count = analysis.size_with_callees
    monkeypatch.setattr(analysis, "size_with_callees", lambda body: asked.append(0) or count(body))
    sm.device("cpu").variants_served(prepare_kernel(doubled(20).kernel()), "")
    assert len(asked) == 1


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
        for threads in (None, (width, 1, 1), (8, 1, 1), (32, 2, 1), (16, 2, 2)):
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


def test_kernels_that_use_simdgroups_have_no_text_for_parts_of_them_where_rows_are_whole():
    b = Builder("sum_of_simdgroup")
    v = b.array("v", d.float32)
    i = b.let("i", b.position("thread_position_in_grid"))
    b.emit(b.store(v, [i], b.let("total", b.call("simd_sum", b.load(v, i)))))
    text = print_kernel(prepare_kernel(b.kernel()), rows=Rows(whole=True))
    assert "tail" not in text
    assert "masked" not in text


def sums_down_rows(axes: int) -> ir.Kernel:
    """Of one image, or of the same one for each row of threads."""
    b = Builder("sums_down_rows")
    v, out = b.array("v", d.float32, 2), b.array("out", d.float32, axes)
    n, k = b.scalar("n", d.int32), b.variable("k", d.int32)
    place = [b.let(name, b.position("thread_position_in_grid", axis)) for axis, name in
             reversed(list(enumerate("xy"[:axes])))]  # fmt: skip
    total = b.let("total", 0.0)
    b.emit(
        b.loop(k, 0, n, 1, [b.assign(total, b.add(total, b.load(v, k, place[-1])))]),
        b.store(out, place, total),
    )
    return prepare_kernel(b.kernel())


def blocks_named(hint: str, text: str) -> int:
    return len(re.findall(rf"^{hint}\.\d+:", text, re.MULTILINE))


def test_what_stands_beside_a_loop_is_written_once_where_masks_cost_nothing():
    """The loop alone has a tail; or what is before and behind it as well."""
    masked, twice = (print_kernel(sums_down_rows(1), unit=unit) for unit in (AVX512, AVX2))
    assert (blocks_named("tail", masked), blocks_named("tail", twice)) == (1, 3)
    assert len(re.findall("call void @llvm.masked.store", masked)) == 1


def test_one_loop_goes_over_all_rows_where_nothing_asks_for_them():
    """Around those over the vectors of three runs; or it stands in one that goes over layers."""
    flat, deep = (print_kernel(sums_down_rows(axes)) for axes in (1, 2))
    assert (blocks_named("count", flat), blocks_named("count", deep)) == (4, 5)


@sm.kernel
def counts_columns(v):
    sm.atomic_add(v, sm.thread_position_in_grid().x, 1)


@sm.kernel
def counts_places(v):
    sm.atomic_add(v, sm.thread_index_in_threadgroup(), 1)


@pytest.mark.parametrize("threads", [(5, 3, 2), (16, 3, 2), (32, 2, 1), (40, 2, 3)])
def test_kernels_that_ask_for_no_row_run_in_every_row(threads):
    columns = np.zeros(80, np.int32)
    counts_columns(columns, grid=(80, 6, 6), threads=threads)
    assert (columns == 36).all()
    places = np.zeros(threads[0] * threads[1] * threads[2], np.int32)
    counts_places(places, grid=threads, threads=threads)
    assert (places == 1).all()
