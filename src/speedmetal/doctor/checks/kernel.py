"""A first kernel on a device: the shortest way through all parts, to see where it ends."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import speedmetal as sm
from speedmetal.doctor.results import Finding
from speedmetal.doctor.worker import Task

SIZE = 1_000_003
"""Not a multiple of any threadgroup: the last one is smaller."""


def add(a: Any, b: Any, c: Any) -> None:
    """A sum of two vectors, as a kernel."""
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


def examine(task: Task) -> Finding:
    """Add two vectors, and compare every element with NumPy's."""
    device = sm.device(task.subject)
    random = np.random.default_rng(1)
    a, b = random.random((2, SIZE), np.float32)
    left, right, out = (sm.array(x, device=device) for x in (a, b, np.zeros_like(a)))
    start = time.perf_counter()
    sm.kernel(add)(left, right, out, grid=SIZE)
    sm.synchronize()
    seconds = time.perf_counter() - start
    found, wanted = out.numpy(), a + b
    wrong = np.flatnonzero(found != wanted)
    problems = []
    if wrong.size:
        place = int(wrong[0])
        problems.append(
            f"{wrong.size} of {SIZE} sums are wrong; the first is number {place}:"
            f" {a[place]!r} + {b[place]!r} gave {found[place]!r}, expected {wanted[place]!r}"
        )
    facts = {"elements": SIZE, "wrong": int(wrong.size), "first_call_seconds": seconds}
    return Finding(facts, tuple(problems), note=f"{SIZE} sums right, first call {seconds:.3f} s")
