"""Elements that were loaded before: when they are loaded again, and when they must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.launch.kernel import Kernel

SIZE = 100  # whole vectors, and a part of one


@sm.kernel
def loaded_before(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    value = x[i]
    if i % 3 == 0:
        value += x[i + 1] * x[i]
    y[i] = value


@sm.kernel
def changed_by_the_thread(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    value = x[i]
    x[i] = value + 1.0
    if i % 3 == 0:
        value += y[i] * x[i]
    y[i] = value


@sm.kernel
def changed_under_a_condition(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    value = x[i]
    if i % 2 == 0:
        x[i] = value + 1.0
    if i % 3 == 0:
        value += y[i] * x[i]
    y[i] = value


@sm.kernel
def changed_by_an_atomic(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    value = x[i]
    sm.atomic_add(x, i, 1.0)
    if i % 3 == 0:
        value += y[i] * x[i]
    y[i] = value


@sm.kernel
def loaded_by_some(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    value = 0.0
    if i % 3 == 0:
        value = y[i] * x[i]
    if i % 2 == 0:
        value += y[i] + x[i]
    y[i] = value + x[i]


@sm.kernel
def loaded_by_all_or_none(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    value = 0.0
    if x.shape[0] < 5:
        value = y[i] * x[i]
    y[i] = value + x[i]


@sm.kernel
def changed_by_the_turn_before(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    total = x[i]
    for k in range(3):
        total += x[i] * k
        if i % 3 == 0:
            x[i] = total
    y[i] = total + x[i]


@sm.kernel
def loaded_by_those_in_a_loop(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    total = 0.0
    count = 0
    while x[i] > count:
        total += x[i]
        count += 2
    y[i] = total + x[i]


def wanted(name: str, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> None:
    """What a kernel does, thread by thread."""
    for i in range(SIZE):
        third = i % 3 == 0
        if name == "loaded_before":
            y[i] = x[i] + (x[i + 1] * x[i] if third else 0)
        elif name.startswith("changed_by_the_turn"):
            total = x[i]
            for k in range(3):
                total += x[i] * k
                x[i] = total if third else x[i]
            y[i] = total + x[i]
        elif name.startswith("changed"):
            before = x[i]
            x[i] += i % 2 == 0 or "condition" not in name
            y[i] = before + (y[i] * x[i] if third else 0)
        elif name == "loaded_by_some":
            y[i] = (y[i] * x[i] if third else 0) + (y[i] + x[i] if i % 2 == 0 else 0) + x[i]
        elif name == "loaded_by_all_or_none":
            y[i] = x[i]
        else:
            y[i] = x[i] * ((x[i] + 1) // 2) + x[i]


KERNELS = (
    loaded_before,
    changed_by_the_thread,
    changed_under_a_condition,
    changed_by_an_atomic,
    loaded_by_some,
    loaded_by_all_or_none,
    changed_by_the_turn_before,
    loaded_by_those_in_a_loop,
)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_what_lanes_find(kernel: Kernel) -> None:
    """Small whole numbers, of which every sum and product is exact."""
    x, y = (np.arange(first, first + SIZE + 1, dtype=np.float32) % 7 + 1 for first in (3, 5))
    right_x, right_y = x.copy(), y.copy()
    wanted(kernel.name, right_x, right_y)
    kernel(x, y, grid=SIZE, device="cpu")
    np.testing.assert_array_equal(x, right_x)
    np.testing.assert_array_equal(y, right_y)


def test_lanes_do_not_load_again_what_all_have_loaded() -> None:
    """In the text of full vectors; the other load is of the neighbour."""
    text = sm.code(loaded_before, "f32[:] f32[:]", target="cpu", stage="source")
    full = text.partition("\ntail")[0]
    assert full.count("@llvm.masked.load") == 1
