"""Intrinsics of IR that the front end does not write."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import speedmetal as sm
from cpu_programs import run_ir
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.jit import vector_unit
from text_patterns import assert_follows


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


@sm.kernel
def invert_roots(x, out):
    i = sm.thread_position_in_grid().x
    out[i] = sm.rsqrt(x[i])


def test_reciprocal_roots_at_the_ends_of_the_range():
    """Newton's step gives no number there, and leaves the estimate as it is."""
    ends = [0.0, -0.0, np.inf, np.nan, -1.0, -np.inf, 1e-45, 1.1754944e-38, 3.4028235e38, 1.0]
    x = np.array(ends * 3, np.float32)  # whole vectors, and a part of one
    out = np.empty_like(x)
    invert_roots(x, out, grid=x.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = (1 / np.sqrt(x.astype(np.float64))).astype(np.float32)
    np.testing.assert_array_max_ulp(out, wanted, maxulp=2)
    np.testing.assert_array_equal(np.signbit(out[:2]), [False, True])


@pytest.mark.skipif(not vector_unit().has_root_estimate, reason="for AVX-512")
def test_newtons_step_needs_no_mask():
    """One minimum keeps the ends of the range right: a mask would cost two instructions."""
    text = sm.code(invert_roots, "f32[:] f32[:]", target="cpu", stage="assembly")
    assert_follows(
        text,
        """
        vrsqrt14ps
        vfnmadd
        not: vcmp
        vminps
        not: %k
        vfmadd
        """,
    )
