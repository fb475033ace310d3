"""Thread arrays with constant indices, which targets may keep in registers: tiles."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal import dtypes

GRID = 77  # vectors, and a part of one
INDEX = np.arange(GRID)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_elements_of_every_type_are_kept(launch, dtype):
    @sm.kernel
    def rotated(a, turns, out):
        i = sm.thread_position_in_grid().x
        own = sm.thread_array((2, 2), dtype)
        for k in sm.static_range(4):
            own[k // 2, k % 2] = a[i, k]
        for _ in range(turns[i]):
            own[0, 0], own[0, 1], own[1, 0], own[1, 1] = own[0, 1], own[1, 0], own[1, 1], own[0, 0]
        for k in sm.static_range(4):
            out[i, k] = own[k // 2, k % 2]

    raw = np.random.default_rng(3).integers(0, 100, (2, GRID, 4))
    a = raw[0] + 1j * raw[1] if dtype.is_complex else raw[0] % 2 if dtype.is_bool else raw[0]
    a = a.astype(dtype.numpy)
    turns = (INDEX * 7 % 5).astype(np.int32)
    out = np.zeros_like(a)
    launch(rotated, a, turns, out, grid=GRID)
    wanted = [np.roll(row, -count) for row, count in zip(a, turns, strict=True)]
    np.testing.assert_array_equal(out, np.stack(wanted))


@sm.kernel
def multiply_by_tiles(a, b, out):
    """Three rows and two columns of a product for each thread."""
    column = sm.thread_position_in_grid().x * 2
    if column >= b.shape[1]:
        return
    total = sm.thread_array((3, 2), sm.float32)
    for r in sm.static_range(3):
        for c in sm.static_range(2):
            total[r, c] = 0.0
    for k in range(a.shape[1]):
        factor = sm.thread_array(2, sm.float32)
        factor[0], factor[1] = b[k, column], b[k, column + 1]
        for r in sm.static_range(3):
            for c in sm.static_range(2):
                total[r, c] += a[r, k] * factor[c]
    for r in sm.static_range(3):
        for c in sm.static_range(2):
            out[r, column + c] = total[r, c]


def test_a_tile_of_a_product(launch):
    random = np.random.default_rng(4)
    a = random.integers(-9, 9, (3, 11)).astype(np.float32)
    b = random.integers(-9, 9, (11, 2 * GRID)).astype(np.float32)
    out = np.zeros((3, 2 * GRID), np.float32)
    launch(multiply_by_tiles, a, b, out, grid=GRID + 5)
    np.testing.assert_array_equal(out, a @ b)


@sm.kernel
def go_different_ways(out):
    i = sm.thread_position_in_grid().x
    own = sm.thread_array(3, sm.int32)
    own[0] = i
    own[1] = -1
    own[2] = 0
    if i % 3 == 0:
        own[1] = own[0] * 2
        if i % 2 == 0:
            own[2] = own[1] + 1
    elif i % 3 == 1:
        own[0], own[1] = own[1], own[0]
    n = 0
    while n < i % 7:
        if n == 4:
            break
        n += 1
        if n % 2 == 0:
            continue
        own[2] += own[0] + n
    for k in sm.static_range(3):
        out[i, k] = own[k]


def of_thread_that_went(i):
    own = [i, -1, 0]
    if i % 3 == 0:
        own[1:] = i * 2, (i * 2 + 1 if i % 2 == 0 else 0)
    elif i % 3 == 1:
        own[:2] = own[1], own[0]
    own[2] += sum(own[0] + n for n in (1, 3) if n <= min(i % 7, 4))
    return own


def test_threads_that_go_different_ways_have_their_own(launch):
    out = np.zeros((GRID, 3), np.int32)
    launch(go_different_ways, out, grid=GRID)
    np.testing.assert_array_equal(out, [of_thread_that_went(i) for i in range(GRID)])


def test_a_turn_of_a_loop_hands_its_elements_to_the_next(launch):
    """They are read above where they are assigned, once in the program's text."""

    @sm.kernel
    def previous(a, out):
        i = sm.thread_position_in_grid().x
        own = sm.thread_array(1, sm.float32)
        for k in range(i % 9):
            if k > 0:
                out[i] += own[0] * a[k]
            own[0] = a[k]

    a = np.arange(1, 10, dtype=np.float32)
    out = np.zeros(GRID, np.float32)
    launch(previous, a, out, grid=GRID)
    products = np.concatenate([[0], np.cumsum(a[1:] * a[:-1])])
    np.testing.assert_array_equal(out, [products[max(i % 9 - 1, 0)] for i in range(GRID)])


def test_elements_live_across_barriers(launch):
    """Also from one turn of a loop to the next, in one stretch between barriers."""

    @sm.kernel
    def exchanged(a, out):
        i = sm.thread_position_in_grid().x
        t = sm.thread_index_in_threadgroup()
        tile = sm.threadgroup_array(8, sm.float32)
        own = sm.thread_array(3, sm.float32)
        own[0] = a[i]
        for k in range(4):
            tile[t] = own[0]
            if k > 0:
                own[2] = own[1] + own[0]
            own[1] = a[i] + k
            sm.threadgroup_barrier()
            own[0] = tile[t ^ 1] + 1.0
            sm.threadgroup_barrier()
        out[i, 0] = own[0]
        out[i, 1] = own[1]
        out[i, 2] = own[2]

    a = np.random.default_rng(5).integers(0, 50, 40).astype(np.float32)
    out = np.zeros((40, 3), np.float32)
    launch(exchanged, a, out, grid=40, threads=8)
    other = a.reshape(-1, 2)[:, ::-1].ravel()
    np.testing.assert_array_equal(out, np.stack([a + 4, a + 3, a + 2 + other + 3], axis=1))


def test_early_returns_leave_the_others_alone(launch):
    @sm.kernel
    def leaving(a, out):
        i = sm.thread_position_in_grid().x
        own = sm.thread_array(2, sm.float32)
        own[0] = a[i]
        own[1] = 1.0
        for k in range(10):
            own[1] += own[0]
            if own[1] > 20.0:
                out[i] = own[1]
                return
            if k == i % 11:
                return
        out[i] = -own[1]

    def of_thread(i, x):
        total = 1.0
        for k in range(10):
            total += x
            if total > 20:
                return total
            if k == i % 11:
                return 0
        return -total

    a = (INDEX % 6).astype(np.float32)
    out = np.zeros(GRID, np.float32)
    launch(leaving, a, out, grid=GRID)
    np.testing.assert_array_equal(out, [of_thread(i, x) for i, x in enumerate(a)])


def test_integers_in_thread_arrays_wrap(launch):
    """What comes from an element wraps, also where it is read in indices alone."""

    @sm.kernel
    def wrapped(start, a, out):
        i = sm.thread_position_in_grid().x
        own = sm.thread_array(2, sm.int32)
        own[0] = start + i
        own[1] = own[0] + 2**30 + 2**30
        out[i] = a[own[1] + 2**30 + 2**30 - start]

    a = np.arange(GRID, dtype=np.float32)
    out = np.zeros(GRID, np.float32)
    launch(wrapped, np.int32(2**31 - 40), a, out, grid=GRID)
    np.testing.assert_array_equal(out, a)


def test_some_indices_of_the_running_program(launch):
    """An array with one of these and another without: each means the same."""

    @sm.kernel
    def mixed(at, out):
        i = sm.thread_position_in_grid().x
        kept = sm.thread_array(4, sm.int32)
        chosen = sm.thread_array(4, sm.int32)
        for k in sm.static_range(4):
            kept[k] = i + k
            chosen[k] = kept[k] * 10
        chosen[at[i]] = kept[2]
        for k in sm.static_range(4):
            out[i, k] = chosen[k] + kept[k]

    at = (INDEX * 5 % 4).astype(np.int32)
    out = np.zeros((GRID, 4), np.int32)
    launch(mixed, at, out, grid=GRID)
    kept = INDEX[:, None] + np.arange(4)
    chosen = kept * 10
    chosen[INDEX, at] = kept[:, 2]
    np.testing.assert_array_equal(out, chosen + kept)
