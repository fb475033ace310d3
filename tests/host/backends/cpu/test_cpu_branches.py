"""Conditions that lanes see differently: what is skipped, and what is run for no lane."""

from __future__ import annotations

from typing import Any

import numpy as np

import speedmetal as sm


@sm.kernel
def shift_left(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    y[i] = x[i + 1] if i + 1 < x.size else -1.0


def test_a_constant_is_chosen_without_asking_for_whom() -> None:
    """One branch around the load, which must not happen for no lane; none around the constant."""
    text = sm.code(shift_left, "f32[:] f32[:]", target="cpu", stage="source")
    full = text.partition("\ntail")[0]
    assert full.count("\nsome.") == 1
    x = np.arange(50, dtype=np.float32)
    y = np.zeros_like(x)
    shift_left(x, y, grid=x.size, device="cpu")
    np.testing.assert_array_equal(y, [*x[1:], -1.0])
