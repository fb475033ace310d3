"""Simdgroup matrices of more than 8x8, and copies into threadgroup memory that nobody waits for."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm

TYPES = (sm.float16, sm.bfloat16, sm.float32, sm.float64)
SHAPES = [(16, 16, 16), (8, 24, 16), (24, 8, 8), (32, 16, 24), (64, 16, 32), (16, 40, 8)]
"""Rows, inner axis, columns of a product."""


def small_matrix(shape, dtype, seed) -> np.ndarray:
    """Integers so small that every sum of products is exact."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype.numpy)


def sums_of(dtype) -> sm.DType:
    return sm.float64 if dtype is sm.float64 else sm.float32


def laid_out(array: np.ndarray, strides: str) -> np.ndarray:
    """The same elements elsewhere: by columns, or as a part of an array."""
    if strides == "by columns":
        return array.T.copy().T
    if strides == "odd rows":
        return np.pad(array, 5)[5:-5, 5:-5]
    return np.repeat(array, 2, axis=1)[:, ::2] if strides == "strided" else array


LAYOUTS = ["plain", "by columns", "odd rows", "strided"]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
def test_products_of_larger_matrices(launch, dtype, shape):
    rows, inner, columns = shape

    @sm.kernel
    def product(a, b, c, out):
        left = sm.simdgroup_load(a, (0, 0), shape=(rows, inner))
        right = sm.simdgroup_load(b, (0, 0), shape=(inner, columns))
        total = sm.simdgroup_load(c, (0, 0), shape=(rows, columns))
        total = sm.simdgroup_multiply_accumulate(left, right, total)
        sm.simdgroup_store(total, out, (0, 0))
        sm.simdgroup_store(sm.simdgroup_multiply(left, right), out, (rows, 0))
        sm.simdgroup_store(sm.simdgroup_matrix(2.5, dtype, (rows, columns)), out, (0, columns))

    a, b = small_matrix((rows, inner), dtype, 1), small_matrix((inner, columns), dtype, 2)
    c, out = small_matrix((rows, columns), dtype, 3), np.zeros((2 * rows, 2 * columns), dtype.numpy)
    launch(product, a, b, c, out, grid=32, threads=32)
    plain = a.astype(float) @ b.astype(float)
    np.testing.assert_array_equal(out[:rows, :columns].astype(float), plain + c.astype(float))
    np.testing.assert_array_equal(out[rows:, :columns].astype(float), plain)
    assert (out[:rows, columns:].astype(float) == 2.5).all()
    assert (out[rows:, columns:].astype(float) == 0).all()


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("strides", LAYOUTS)
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True)], ids=str)
def test_larger_matrices_from_arrays_of_any_layout(launch, dtype, strides, turned):
    """Also transposed, and as factors that are right ones and left ones."""

    @sm.kernel
    def products(a, b, c):
        row, column = (
            32 * sm.threadgroup_position_in_grid().y,
            16 * sm.threadgroup_position_in_grid().x,
        )
        total = sm.simdgroup_matrix(0, c.dtype, (32, 16))
        for k in range(0, 48, 16):
            place = (k, row) if turned[0] else (row, k)
            left = sm.simdgroup_load(a, place, transpose=turned[0], shape=(32, 16))
            place = (column, k) if turned[1] else (k, column)
            right = sm.simdgroup_load(b, place, transpose=turned[1], shape=(16, 16))
            total = sm.simdgroup_multiply_accumulate(left, right, total)
        sm.simdgroup_store(total, c, (row, column))

    a, b = small_matrix((64, 48), dtype, 1), small_matrix((48, 32), dtype, 2)
    c = laid_out(np.zeros((64, 32), sums_of(dtype).numpy), strides)
    factors = [
        laid_out(x.T.copy() if is_turned else x, strides)
        for x, is_turned in zip((a, b), turned, strict=True)
    ]
    launch(products, *factors, c, groups=(2, 2), threads=32)
    np.testing.assert_array_equal(c, a.astype(float) @ b.astype(float))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("padding", [0, 4, 8])
@pytest.mark.parametrize("first", [0, 8, 3])
def test_larger_matrices_from_threadgroup_memory(launch, dtype, padding, first):
    """Whether rows begin at multiples of 16 bytes or not, as they are and transposed."""

    @sm.kernel
    def kernel(a, out):
        tiles = sm.threadgroup_array((2, 32, 32 + padding), a.dtype)
        t = sm.thread_index_in_threadgroup()
        for e in range(t, 1024, 64):
            tiles[1, e // 32, e % 32] = a[e // 32, e % 32]
        sm.threadgroup_barrier()
        row = 16 * sm.simdgroup_index_in_threadgroup()
        left = sm.simdgroup_load(tiles[1], (row, first), shape=(16, 24))
        right = sm.simdgroup_load(tiles[1], (first, 8), shape=(24, 16))
        total = sm.simdgroup_matrix(0, out.dtype, (16, 16))
        total = sm.simdgroup_multiply_accumulate(left, right, total)
        sm.simdgroup_store(total, out, (row, 0))
        left = sm.simdgroup_load(tiles[1], (first, row), transpose=True, shape=(16, 24))
        right = sm.simdgroup_load(tiles[1], (8, first), transpose=True, shape=(24, 16))
        total = sm.simdgroup_matrix(0, out.dtype, (16, 16))
        total = sm.simdgroup_multiply_accumulate(left, right, total)
        sm.simdgroup_store(total, out, (row, 16))

    a = small_matrix((32, 32), dtype, 4)
    out = np.zeros((32, 32), sums_of(dtype).numpy)
    launch(kernel, a, out, grid=64, threads=64)
    x, part = a.astype(float), slice(first, first + 24)
    np.testing.assert_array_equal(out[:, :16], x[:, part] @ x[part, 8:24])
    np.testing.assert_array_equal(out[:, 16:], x[part].T @ x[8:24, part].T)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_matrix_that_is_both_factors_and_the_sum(launch, dtype):
    """And goes round a loop, into a branch, and from name to name."""

    @sm.kernel
    def powers(a, n, out):
        base = sm.simdgroup_load(a, (0, 0), shape=(16, 16))
        power, spare = base, sm.simdgroup_matrix(0, dtype, (16, 16))
        for step in range(n):
            if step == 1:
                spare = power
            power = sm.simdgroup_multiply(power, power)
        both = sm.simdgroup_multiply_accumulate(base, spare, base)
        sm.simdgroup_store(power, out, (0, 0))
        sm.simdgroup_store(both, out, (16, 0))

    a = np.eye(16)[np.random.default_rng(5).permutation(16)].astype(dtype.numpy)
    out = np.zeros((32, 16), dtype.numpy)
    launch(powers, a, 2, out, grid=32, threads=32)
    x = a.astype(float)
    np.testing.assert_array_equal(out[:16].astype(float), x @ x @ x @ x)
    np.testing.assert_array_equal(out[16:].astype(float), x @ x @ x + x)


@pytest.mark.parametrize("debug", [0, 1])
def test_larger_matrices_beyond_the_array_are_told(launch, debug):
    @sm.kernel
    def kernel(a, k):
        sm.simdgroup_store(sm.simdgroup_matrix(1, sm.float32, (16, 16)), a, (k, 0))

    a = np.zeros((32, 16), np.float32)
    launch(kernel, a, 16, grid=32, threads=32, debug=debug)
    assert (a[16:] == 1).all()
    assert not a[:16].any()
    if debug:
        with pytest.raises(sm.KernelError, match="a 16x16 block of a, axis 0"):
            launch(kernel, a, 17, grid=32, threads=32, debug=debug)


@pytest.mark.parametrize(("mode", "bound"), [("safe", 1e-6), ("tf32", 2e-3), ("fast", 2e-3)])
@pytest.mark.parametrize("shape", [(16, 16, 16), (8, 24, 16), (24, 8, 8)], ids=str)
@pytest.mark.parametrize("use", ["right", "both"])
def test_float32_is_rounded_where_that_is_allowed(launch, mode, bound, shape, use):
    """To TF32 on NVIDIA GPUs, in two modes alone; the right factor is loaded, or computed."""
    rows, inner, columns = shape

    @sm.kernel
    def product(a, b, c, unit):
        left = sm.simdgroup_load(a, (0, 0), shape=(rows, inner))
        right = sm.simdgroup_load(b, (0, 0), shape=(inner, columns))
        if use == "both":
            one = sm.simdgroup_load(unit, (0, 0), shape=(columns, columns))
            right = sm.simdgroup_multiply(right, one)
        total = sm.simdgroup_matrix(1, sm.float32, (rows, columns))
        total = sm.simdgroup_multiply_accumulate(left, right, total)
        sm.simdgroup_store(total, c, (0, 0))

    generator = np.random.default_rng(9)
    a, b = (generator.standard_normal(s, np.float32) for s in ((rows, inner), (inner, columns)))
    c, unit = np.zeros((rows, columns), np.float32), np.eye(columns, dtype=np.float32)
    with sm.math_mode(mode):
        launch(product, a, b, c, unit, grid=32, threads=32)
    error = np.abs(c - 1 - a.astype(float) @ b) / (1 + np.abs(a).astype(float) @ np.abs(b))
    assert error.max() < bound


# --- Copies ----------------------------------------------------------------------------------

COPIED = (sm.bool_, sm.int8, sm.uint16, sm.float16, sm.int32, sm.float32, sm.int64, sm.float64)


@pytest.mark.parametrize("dtype", COPIED, ids=str)
@pytest.mark.parametrize("strides", LAYOUTS)
@pytest.mark.parametrize("count", [1, 3, 4, 8, 16])
def test_copies_arrive(launch, dtype, strides, count):
    """Each thread's own, in groups; the others' behind a barrier."""

    @sm.kernel
    def kernel(a, out):
        tile = sm.threadgroup_array((2, 32, 2 * count), a.dtype)
        t = sm.thread_index_in_threadgroup()
        sm.async_copy(tile, (0, t, 0), a, (t, 0), count)
        sm.async_copy_group()
        sm.async_copy(tile[1], (t, count), a, (31 - t, count), count)
        sm.async_copy_group()
        sm.async_copy_wait(1)
        for k in sm.static_range(count):
            out[t, k] = tile[0, t, k]
        sm.async_copy_wait()
        sm.threadgroup_barrier()
        for k in sm.static_range(count):
            out[t, count + k] = tile[1, 31 - t, count + k]

    a = np.random.default_rng(7).integers(0, 100, (32, 32)).astype(dtype.numpy)
    out = np.zeros((32, 2 * count), dtype.numpy)
    launch(kernel, laid_out(a, strides), out, grid=32, threads=32)
    np.testing.assert_array_equal(out, a[:, : 2 * count])


@pytest.mark.parametrize("count", [1, 4, 8, 16])
def test_a_place_that_the_copies_themselves_change_is_looked_up_once(launch, count):
    @sm.kernel
    def kernel(a, out):
        tile = sm.threadgroup_array(64, sm.int32)
        tile[0] = 0
        sm.async_copy(tile, tile[0], a, 0, count)
        sm.async_copy_wait()
        for k in sm.static_range(count):
            out[k] = tile[k]

    a = np.arange(5, 5 + count, dtype=np.int32)
    out = np.zeros(count, np.int32)
    launch(kernel, a, out, grid=1, threads=1)
    np.testing.assert_array_equal(out, a)


def test_copies_wait_for_one_another_in_a_ring_of_stages(launch):
    """Copies go ahead of what is read, by a number of steps that the sizes decide."""
    stages = 3

    @sm.kernel
    def sums(a, out):
        ring = sm.threadgroup_array((stages, 32), sm.float32)
        t = sm.thread_index_in_threadgroup()
        steps = a.shape[0]
        for step in sm.static_range(stages - 1):
            if step < steps:
                sm.async_copy(ring, (step, t), a, (step, t), 1)
            sm.async_copy_group()
        total = 0.0
        for step in range(steps):
            sm.async_copy_wait(stages - 2)
            sm.threadgroup_barrier()
            ahead = step + stages - 1
            if ahead < steps:
                sm.async_copy(ring, (ahead % stages, t), a, (ahead, t), 1)
            sm.async_copy_group()
            total += ring[step % stages, 31 - t]
        out[t] = total

    for steps in (0, 1, 2, 7):
        a = small_matrix((steps, 32), sm.float32, steps)
        out = np.zeros(32, np.float32)
        launch(sums, a, out, grid=32, threads=32)
        np.testing.assert_array_equal(out, a.sum(axis=0)[::-1])


def test_copies_in_large_threadgroup_memory(launch, device):
    """Of more than a kernel may declare on NVIDIA GPUs."""
    if device.limits.threadgroup_memory_bytes < 60000:
        pytest.skip(f"{device.name} has less threadgroup memory")

    @sm.kernel
    def kernel(a, out):
        tile = sm.threadgroup_array((2, 32, 240), sm.float32)
        t = sm.thread_index_in_threadgroup()
        for k in range(0, 240, 4):
            sm.async_copy(tile, (1, t, k), a, (t, k), 4)
        sm.async_copy_wait()
        sm.threadgroup_barrier()
        for k in range(240):
            out[t, k] = tile[1, 31 - t, k]

    a = small_matrix((32, 240), sm.float32, 8)
    out = np.zeros_like(a)
    launch(kernel, a, out, grid=32, threads=32)
    np.testing.assert_array_equal(out, a[::-1])


def test_copies_beyond_the_arrays_are_told(launch):
    @sm.kernel
    def kernel(a, k):
        tile = sm.threadgroup_array(16, sm.float32)
        sm.async_copy(tile, k, a, 0, 8)

    launch(kernel, np.ones(8, np.float32), 8, grid=1, threads=1, debug=1)
    with pytest.raises(sm.KernelError, match="8 elements of tile, axis 0"):
        launch(kernel, np.ones(8, np.float32), 9, grid=1, threads=1, debug=1)
    with pytest.raises(sm.KernelError, match="8 elements of a, axis 0"):
        launch(kernel, np.ones(7, np.float32), 8, grid=1, threads=1, debug=1)
