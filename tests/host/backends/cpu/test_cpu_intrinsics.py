"""What few kernels need: matrices that live on over barriers, shared lanes, plain bfloat16."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import speedmetal as sm
from cpu_programs import run_ir
from ir_builder import Builder
from speedmetal import dtypes as d


@sm.kernel
def tiled_product(a, b, c):
    """A product of matrices by 8x8 blocks; the sum lives on over the barriers of a loop."""
    total = sm.simdgroup_matrix(0.0, sm.float32)
    left = sm.threadgroup_array((8, 8), sm.float32)
    t = sm.thread_index_in_threadgroup()
    for k in range(0, a.shape[1], 8):
        for e in range(t, 64, 32):
            left[e // 8, e % 8] = a[e // 8, k + e % 8]
        sm.threadgroup_barrier()
        block = sm.simdgroup_load(left, (0, 0))
        total = sm.simdgroup_multiply_accumulate(block, sm.simdgroup_load(b, (k, 0)), total)
        sm.threadgroup_barrier()
    sm.simdgroup_store(total, c, (0, 0))


@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_matrices_live_on_over_barriers(order: str) -> None:
    """And are stored wherever the strides say."""
    generator = np.random.default_rng(0)
    a = generator.integers(-4, 4, (8, 40)).astype(np.float32)
    b = generator.integers(-4, 4, (40, 8)).astype(np.float32)
    whole = np.zeros((16, 24), np.float32)
    c = {"C": np.zeros((8, 8), np.float32), "F": np.zeros((8, 8), np.float32, "F")}.get(order)
    c = whole[::2, ::3] if c is None else c
    tiled_product(a, b, c, grid=32, threads=32)
    np.testing.assert_array_equal(c, a @ b)
    assert not whole[1::2].any()


@sm.kernel
def broadcast_shared(out, n):
    """A value that all lanes share, from one of them."""
    lane = sm.thread_index_in_simdgroup()
    out[lane] = sm.simd_broadcast(n + 3, 7) + sm.simd_broadcast(n, lane)


def test_values_that_all_lanes_share_are_those_of_each() -> None:
    """From a lane that is the same for all, and from each one's own."""
    out = np.zeros(32, np.int32)
    broadcast_shared(out, 4, grid=32, threads=32)
    np.testing.assert_array_equal(out, np.full(32, 11))


@pytest.mark.parametrize("name", ["abs", "sqrt", "floor", "minimum"])
def test_bfloat16_given_to_an_intrinsic_as_it_is(name: str) -> None:
    """The front end widens; IR that does not is right as well."""
    b = Builder("narrow")
    out, a = b.array("out", d.bfloat16), b.array("a", d.bfloat16)
    i = b.let("i", b.position("thread_position_in_grid"))
    given = [b.load(a, i)] * (2 if name == "minimum" else 1)
    b.emit(b.store(out, [i], b.call(name, *given)))
    values = np.array([0.0, 1.5, 2.0, 7.25, 1e4, -0.0], ml_dtypes.bfloat16)
    found = np.zeros(6, ml_dtypes.bfloat16)
    run_ir(b.kernel(), found, values, grid=(6,), threads=(6,))
    wanted = {"sqrt": np.sqrt, "floor": np.floor, "abs": np.abs}.get(name, np.asarray)(values)
    np.testing.assert_array_equal(found.astype(np.float32), wanted.astype(np.float32))
