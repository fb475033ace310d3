# ruff: noqa: C901, PLR0912, SIM113 - kernels count by hand, one loop after the other
"""Ranges have the numbers of Python's, in every integer type and however near to its ends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import speedmetal as sm
from strategies import ranges_near_ends
from tiers import examples

SIGNED = (np.int8, np.int16, np.int32, np.int64)
UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)
ROWS = 24  # more than a vector of the CPU has lanes
TURNS = 8  # then the loop is left
few_examples = settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@sm.kernel
def forwards(bounds, found, ends):
    i = sm.thread_position_in_grid().x
    n = 0
    v = bounds[i, 0]
    for v in range(bounds[i, 0], bounds[i, 1], bounds[i, 2]):
        if n == TURNS:
            break
        n += 1
        if n == 3:
            continue
        found[i, n - 1] = v
    ends[i, 0] = n
    found[i, TURNS] = v


@sm.kernel
def backwards(bounds, found, ends):
    i = sm.thread_position_in_grid().x
    n = 0
    v = bounds[i, 0]
    for v in reversed(range(bounds[i, 0], bounds[i, 1], bounds[i, 2])):
        if n == TURNS:
            break
        n += 1
        if n == 3:
            continue
        found[i, n - 1] = v
    ends[i, 0] = n
    found[i, TURNS] = v


@sm.kernel
def one_after_the_other(bounds, found, ends):
    """The same by one thread: its loops are the same for all lanes."""
    for i in range(bounds.shape[0]):
        n = 0
        last = bounds[i, 0]
        for v in range(bounds[i, 0], bounds[i, 1], bounds[i, 2]):
            last = v
            if n == TURNS:
                break
            n += 1
            if n == 3:
                continue
            found[i, n - 1] = v
        ends[i, 0] = n
        found[i, TURNS] = last


@sm.kernel
def together(bounds, found, ends):
    """The same by a threadgroup that waits in each turn."""
    i = sm.thread_position_in_threadgroup().x
    shared = sm.threadgroup_array(ROWS, sm.int32)
    for row in range(bounds.shape[0]):
        n = 0
        last = bounds[row, 0]
        for v in range(bounds[row, 0], bounds[row, 1], bounds[row, 2]):
            shared[i] = n
            sm.threadgroup_barrier()
            last = v
            if n == TURNS:
                break
            n += 1
            if n != 3 and i == 0 and shared[1] == n - 1:
                found[row, n - 1] = v
            sm.threadgroup_barrier()
        if i == 0:
            ends[row, 0] = n
            found[row, TURNS] = last


def wanted(rows: list[tuple[int, int, int]], order: Callable[[range], Any]) -> list[list[int]]:
    """What the kernels store for each range: turns, their numbers, the variable afterwards."""
    lines = []
    for start, stop, step in rows:
        every = list(islice(order(range(start, stop, step)), TURNS + 1))
        numbers = [0 if n == 2 else v for n, v in enumerate(every[:TURNS])]
        numbers += [0] * (TURNS - len(numbers))
        lines.append([min(len(every), TURNS), *numbers, every[-1] if every else start])
    return lines


def check(launch, kernel, rows, dtype, order=iter, **size: Any) -> None:
    rows = (rows * ROWS)[:ROWS]
    bounds = np.array(rows, dtype)
    found = np.zeros((ROWS, TURNS + 1), dtype)
    ends = np.zeros((ROWS, 1), np.int32)
    launch(kernel, bounds, found, ends, **(size or {"grid": ROWS}))
    assert np.concatenate([ends.astype(object), found], axis=1).tolist() == wanted(rows, order)


def rows_of(dtype) -> st.SearchStrategy[list[tuple[int, int, int]]]:
    return st.lists(ranges_near_ends(np.dtype(dtype)), min_size=ROWS, max_size=ROWS)


@pytest.mark.tier("default")
@pytest.mark.parametrize("dtype", [*SIGNED, *UNSIGNED])
@few_examples
@given(data=st.data())
def test_ranges_are_pythons(launch, dtype, data):
    check(launch, forwards, data.draw(rows_of(dtype)), dtype)


@pytest.mark.tier("default")
@pytest.mark.parametrize("dtype", [*SIGNED, *UNSIGNED])
@few_examples
@given(data=st.data())
def test_reversed_ranges_are_pythons(launch, dtype, data):
    check(launch, backwards, data.draw(rows_of(dtype)), dtype, reversed)


@pytest.mark.tier("default")
@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint64])
@few_examples
@given(data=st.data())
def test_ranges_of_one_thread_are_pythons(launch, dtype, data):
    check(launch, one_after_the_other, data.draw(rows_of(dtype)), dtype, grid=1)


@pytest.mark.parametrize("dtype", [np.int32, np.uint64])
def test_ranges_around_barriers_are_pythons(launch, dtype):
    high = int(np.iinfo(dtype).max)
    rows = [(high - 5, high, 3), (0, high, high // 2), (7, 7, 1), (1, 4, high), (0, 40, 2)]
    rows += (
        [(-high, -high - 1, -5), (3, -high - 1, -high - 1), (9, 0, -4)]
        if np.iinfo(dtype).min
        else []
    )
    check(launch, together, rows, dtype, groups=1, threads=2)


@sm.kernel
def falling(bounds, found, steps):
    """Ranges with negative steps, of bounds that cannot be negative."""
    i = sm.thread_position_in_grid().x
    n = 0
    for v in range(bounds[i, 0], bounds[i, 1], -1):
        if n < 4:
            found[i, n] = v
        n += 1
        if n == 4:
            break
    n = 4
    for v in range(bounds[i, 0], bounds[i, 1], -100):
        found[i, n] = v
        n += 1
        if n == 6:
            break
    n = 6
    for v in reversed(range(bounds[i, 0], bounds[i, 1], -2)):
        found[i, n] = v
        n += 1
        if n == 8:
            break
    n = 8
    for v in range(bounds[i, 0], -1, -1):
        found[i, n] = v
        n += 1
        if n == 10:
            break
    n = 10
    for v in reversed(range(bounds[i, 0], -1, -7)):
        found[i, n] = v
        n += 1
        if n == 12:
            break
    n = 12
    for v in range(bounds[i, 0], bounds[i, 1], steps[i]):
        found[i, n] = v
        n += 1
        if n == 14:
            break
    n = 14
    for v in reversed(range(bounds[i, 0], bounds[i, 1], steps[i])):
        found[i, n] = v
        n += 1
        if n == 16:
            break


def wanted_falling(start: int, stop: int, step: int) -> list[int]:
    parts = [
        (range(start, stop, -1), 4),
        (range(start, stop, -100), 2),
        (range(start, stop, -2)[::-1], 2),
        (range(start, -1, -1), 2),
        (range(start, -1, -7)[::-1], 2),
        (range(start, stop, step), 2),
        (range(start, stop, step)[::-1], 2),
    ]
    return [v for numbers, room in parts for v in [*islice(numbers, room), *[0] * room][:room]]


@pytest.mark.tier("default")
@pytest.mark.parametrize("dtype", UNSIGNED)
@few_examples
@given(data=st.data())
def test_unsigned_ranges_fall(launch, dtype, data):
    rows = data.draw(rows_of(dtype))
    steps = data.draw(st.lists(st.integers(-300, 300).filter(bool), min_size=ROWS, max_size=ROWS))
    bounds = np.array([row[:2] for row in rows], dtype)
    found = np.zeros((ROWS, 16), dtype)
    launch(falling, bounds, found, np.array(steps, np.int32), grid=ROWS)
    lines = zip(rows, steps, strict=True)
    assert found.tolist() == [wanted_falling(start, stop, step) for (start, stop, _), step in lines]


def constant_bounds(out):
    n = 0
    for v in range(2**31 - 10, 2**31 - 1, 4):
        out[n] = v
        n += 1
    for v in range(-(2**31) + 5, -(2**31), -3):
        out[n] = v
        n += 1
    for v in reversed(range(-(2**31), -(2**31) + 5, 2)):
        out[n] = v
        n += 1
    for v in reversed(range(-(2**63), -(2**63) + 2)):
        out[n] = v
        n += 1
    for v in range(2**63 - 5, 2**63 - 1, 3):
        out[n] = v
        n += 1
    for v in range(5, 0, 2):
        out[n] = v
    for v in range(True):
        out[n] = v + 7
        n += 1
    out[n] = -1


@pytest.mark.parametrize("level", [0, 1])
def test_ranges_over_constants_are_pythons(launch, level):
    out = np.zeros(24, np.int64)
    launch(sm.kernel(constant_bounds), out, grid=1, debug=level)
    python = [0] * 24
    constant_bounds(python)
    assert out.tolist() == python


@sm.kernel
def stepped(start, stop, step, out):
    i = sm.thread_position_in_grid().x
    n = 0
    for v in range(start[i], stop[i], step[i]):
        n += int(v)
        if n > 50:
            break
    out[i] = n


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_a_step_of_zero_fails_at_debug_levels_and_makes_no_turns_without(launch, dtype):
    start, stop = np.array([0, 5, 3], dtype), np.array([5, 0, 3], dtype)
    zeros, out = np.zeros(3, dtype), np.full(3, 9, np.int64)
    launch(stepped, start, stop, zeros, out, grid=3)
    assert out.tolist() == [0, 0, 0]
    for level in (1, 2):
        with pytest.raises(sm.KernelError) as caught:
            launch(stepped, start, stop, zeros, out, grid=3, debug=level)
        message = str(caught.value)
        assert message.startswith("kernel 'stepped': step of zero"), message
        assert "the third argument of range is 0" in message
    launch(stepped, start, stop, np.ones(3, dtype), out, grid=3, debug=2)
    assert out.tolist() == [10, 0, 0]


def test_bounds_of_different_types_meet_in_one_that_holds_both(launch):
    @sm.kernel
    def mixed(unsigned, signed, low, out):
        n = 0
        for v in range(signed[0], unsigned[0], 2**30):
            out[n] = v
            n += 1
        for v in range(low, unsigned[1]):  # a Python number, which may be negative
            out[n] = v
            n += 1
        for v in range(unsigned[1], -1, -1):
            out[n] = v
            n += 1
        for v in range(unsigned[0] > 0):
            out[n] = v + 100
            n += 1

    out = np.zeros(20, np.int64)
    bounds = np.array([2**32 - 1, 2], np.uint32), np.array([-5], np.int32)
    launch(mixed, *bounds, -2, out, grid=1)
    numbers = [*range(-5, 2**32 - 1, 2**30), *range(-2, 2), *range(2, -1, -1), 100]
    assert out.tolist() == numbers + [0] * (20 - len(numbers))


def test_the_variable_of_narrow_bounds_has_32_bits(launch):
    @sm.kernel
    def squares(a, narrow, out):
        n = 0
        for v in range(a[0], a[1], a[2]):
            out[n] = v * v
            out[n + 4] = v * narrow[0]
            n += 1

    out = np.zeros(8, np.int64)
    a = np.array([100, 255, 50], np.uint8)
    launch(squares, a, np.array([100], np.int8), out, grid=1)
    assert out.tolist() == [10000, 22500, 40000, 62500, 10000, 15000, 20000, 25000]


def test_bounds_are_those_of_before_the_loop(launch):
    @sm.kernel
    def changing(a, out):
        n = a[0]
        k = 0
        for v in range(n, 0, -1):
            n = a[1]
            a[0] = 50
            out[k] = v
            k += 1
        m = 3
        for v in reversed(range(m)):
            m += 5
            out[k] = v
            k += 1

    out = np.zeros(8, np.int32)
    launch(changing, np.array([3, 100], np.uint32), out, grid=1)
    assert out.tolist() == [3, 2, 1, 2, 1, 0, 0, 0]


def test_counters_of_lanes_that_are_done_do_not_disturb_the_others(launch):
    """The first lane of the CPU leaves int32 while others go on, with numbers that are widened."""

    end = 2**31 - 1

    @sm.kernel
    def lasts(out):
        i = sm.thread_position_in_grid().x
        for v in range(end - i, end, 7):
            next_number = v + 1
            out[i] = v
            out[i + 32] = next_number

    out = np.zeros(64, np.int64)
    launch(lasts, out, grid=32)
    numbers = [0, *(range(end - i, end, 7)[-1] for i in range(1, 32))]
    assert out.tolist() == numbers + [n and n + 1 for n in numbers]
