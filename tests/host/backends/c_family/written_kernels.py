"""Kernels as users write them."""

# ruff: noqa: T201 - a kernel prints

from __future__ import annotations

import math
from dataclasses import dataclass

import speedmetal as sm


def vector_add(a, b, c):
    i = sm.thread_position_in_grid().x
    if i < c.size:
        c[i] = a[i] + b[i]


def saxpy(alpha, x, y):
    i = sm.thread_position_in_grid().x
    y[i] = alpha * x[i] + y[i]


def stencil(x, out):
    i = sm.thread_position_in_grid().x
    j = sm.thread_position_in_grid().y
    if 0 < i < x.shape[0] - 1 and 0 < j < x.shape[1] - 1:
        out[i, j] = 0.25 * (x[i - 1, j] + x[i + 1, j] + x[i, j - 1] + x[i, j + 1])


def reduction(x, out):
    partial = sm.threadgroup_array(32, sm.float32)
    total = 0.0
    for i in range(sm.thread_position_in_grid().x, x.size, sm.threads_per_grid().x):
        total += x[i]
    total = sm.simd_sum(total)
    lane = sm.thread_index_in_simdgroup()
    if lane == 0:
        partial[sm.simdgroup_index_in_threadgroup()] = total
    sm.threadgroup_barrier()
    if sm.simdgroup_index_in_threadgroup() == 0:
        share = partial[lane] if lane < sm.simdgroups_per_threadgroup() else 0.0
        whole = sm.simd_sum(share)
        if lane == 0:
            sm.atomic_add(out, 0, whole)


def matmul(a, b, c):
    tile_a = sm.threadgroup_array((16, 16), a.dtype)
    tile_b = sm.threadgroup_array((16, 16), b.dtype)
    row, column = sm.thread_position_in_grid().y, sm.thread_position_in_grid().x
    y, x = sm.thread_position_in_threadgroup().y, sm.thread_position_in_threadgroup().x
    total = 0.0
    for start in range(0, a.shape[1], 16):
        tile_a[y, x] = a[row, start + x]
        tile_b[y, x] = b[start + y, column]
        sm.threadgroup_barrier()
        for k in range(16):
            total += tile_a[y, k] * tile_b[k, x]
        sm.threadgroup_barrier()
    c[row, column] = total


def histogram(x, counts):
    local = sm.threadgroup_array(256, sm.uint32)
    index = sm.thread_index_in_threadgroup()
    for k in range(index, 256, sm.threads_per_threadgroup().x):
        local[k] = 0
    sm.threadgroup_barrier()
    i = sm.thread_position_in_grid().x
    sm.atomic_add(local, x[i], 1)
    sm.threadgroup_barrier()
    for k in range(index, 256, sm.threads_per_threadgroup().x):
        sm.atomic_add(counts, k, local[k])


def report(x):
    i = sm.thread_position_in_grid().x
    assert x[i] >= 0, "a negative element"
    if i == 3:
        print("element", i, "is", x[i])
    x[i] = math.sqrt(x[i])


@dataclass(frozen=True)
class Ball:
    x: float
    y: float
    radius: float


def hits(ball, xs, ys, out):
    i = sm.thread_position_in_grid().x
    dx, dy = xs[i] - ball.x, ys[i] - ball.y
    out[i] = dx * dx + dy * dy < ball.radius**2


def mandelbrot(c, out):
    i = sm.thread_position_in_grid().x
    z = 0j
    steps = 0
    while steps < 50 and z.real * z.real + z.imag * z.imag < 4:
        z = z * z + c[i]
        steps += 1
    out[i] = steps


def matrix_product(a, b, c):
    row = sm.threadgroup_position_in_grid().y * 8
    column = sm.threadgroup_position_in_grid().x * 8
    total = sm.simdgroup_matrix(0.0, a.dtype)
    for k in range(0, a.shape[1], 8):
        left = sm.simdgroup_load(a, (row, k))
        right = sm.simdgroup_load(b, (k, column))
        total = sm.simdgroup_multiply_accumulate(left, right, total)
    sm.simdgroup_store(total, c, (row, column))


def product_of_tiles(a, b, c):
    """Larger matrices, from tiles that are copied while nobody waits."""
    tile_a = sm.threadgroup_array((2, 32, 24), a.dtype)
    tile_b = sm.threadgroup_array((2, 16, 40), b.dtype)
    row = sm.threadgroup_position_in_grid().y * 32
    column = sm.threadgroup_position_in_grid().x * 32
    t = sm.thread_index_in_threadgroup()
    total = sm.simdgroup_matrix(0, sm.float32, (32, 32))
    for step in range(a.shape[1] // 16):
        stage = step % 2
        for piece in sm.static_range(2):
            x = 8 * piece
            sm.async_copy(tile_a[stage], (t, x), a, (row + t, 16 * step + x), 8)
            place = t // 2, 16 * (t % 2) + x
            sm.async_copy(tile_b[stage], place, b, (16 * step + t // 2, column + place[1]), 8)
        sm.async_copy_group()
        sm.async_copy_wait()
        sm.threadgroup_barrier()
        left = sm.simdgroup_load(tile_a[stage], (0, 0), shape=(32, 16))
        right = sm.simdgroup_load(tile_b[stage], (0, 0), shape=(16, 32))
        total = sm.simdgroup_multiply_accumulate(left, right, total)
    sm.simdgroup_store(total, c, (row, column))


def noise(seed, out):
    i = sm.thread_position_in_grid().x
    out[i] = sm.random.uniform(seed, i)


def gelu(x, out):
    i = sm.thread_position_in_grid().x
    out[i] = 0.5 * x[i] * (1 + math.erf(x[i] / math.sqrt(2)))


def collatz(n, out):
    i = sm.thread_position_in_grid().x
    value = n[i]
    steps = 0
    while value > 1:
        value = value // 2 if value % 2 == 0 else 3 * value + 1
        steps += 1
        if steps == 1000:
            break
    out[i] = steps


KERNELS = {
    "vector_add": (vector_add, "f32[:] f32[:] f32[:]", 0),
    "saxpy": (saxpy, "f32 f32[:] f32[:]", 0),
    "saxpy_half": (saxpy, "f16 f16[:] f16[:]/strided", 0),
    "stencil": (stencil, "f32[:,:] f32[:,:]", 0),
    "reduction": (reduction, "f32[:] f32[:]", 0),
    "matmul": (matmul, "f32[:,:] f32[:,:] f32[:,:]", 0),
    "histogram": (histogram, "u8[:] u32[:]", 0),
    "report_0": (report, "f32[:]", 0),
    "report_1": (report, "f32[:]", 1),
    "report_2": (report, "f32[:]", 2),
    "mandelbrot": (mandelbrot, "c64[:] i32[:]", 0),
    "matrix_product": (matrix_product, "f32[:,:] f32[:,:] f32[:,:]", 0),
    "matrix_product_half": (matrix_product, "f16[:,:] f16[:,:] f16[:,:]", 0),
    "product_of_tiles": (product_of_tiles, "f16[:,:] f16[:,:] f32[:,:]", 0),
    "noise": (noise, "u32 f32[:]", 0),
    "gelu": (gelu, "bf16[:] bf16[:]", 0),
    "collatz": (collatz, "i64[:] i32[:]", 0),
}
"""Name -> the function, its signature, the debug level."""
