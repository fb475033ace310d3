"""Intrinsics of IR that the front end does not write."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from cpu_programs import run_ir
from ir_builder import Builder
from speedmetal import dtypes as d


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
