"""Threads that take several neighbours: the same elements are written, and no others.

The printed text runs on the host (`cuda_on_the_host`), with its loads and stores of 16 bytes.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import speedmetal as sm
from cuda_machine import DryDriver, dry_device

LENGTH = 90
BEYOND = 77
"""What is in memory that no kernel may write to."""


@sm.kernel
def axpy(a, x, y):
    i = sm.thread_position_in_grid().x
    y[i] = a * x[i] + y[i]


@sm.kernel
def doubled(out, x):
    i = sm.thread_position_in_grid().x
    out[i] = x[i] * 2


@sm.kernel
def bounded(out, x, first, last):
    """Where a thread has nothing to do it returns; where it has, there is another condition."""
    i = sm.thread_position_in_grid().x
    if i < first or i >= last:
        return
    if i < out.shape[0]:
        out[i] = x[i] + 1


@sm.kernel
def rows(out, x, row, column):
    i, j, k = sm.thread_position_in_grid()
    out[k, j, i] = x[k, j, i] - row[i] * column[j]


@sm.kernel
def gathered(out, x, places, last):
    """Elements that lie elsewhere, for the first threads."""
    i = sm.thread_position_in_grid().x
    if i < last:
        out[i] = x[places[i]] + x[places[i] + 1]


@pytest.fixture(scope="module")
def device(host):
    driver = DryDriver()
    made = dry_device(driver)
    driver.on_launch = host.run
    driver.untold = ()
    made.time_limit_seconds = 20
    return made


def placed(device, shape, offset, dtype=np.float32, seed=0):
    """An array so many elements into its memory, and the whole memory, which it ends short of."""
    size = int(np.prod(shape))
    whole = np.full(offset + size + 9, BEYOND, dtype)
    whole[offset : offset + size] = np.arange(seed, seed + size) % 50
    ours = sm.array(whole, device=device)
    return ours[offset : offset + size].reshape(shape), ours


def content(array, offset, size):
    """The elements, where all others are as they were."""
    found = array.numpy()
    assert (found[:offset] == BEYOND).all()
    assert (found[offset + size :] == BEYOND).all()
    return found[offset : offset + size]


THREADS = st.sampled_from([None, 1, 3, 8, 32])
OFFSETS = st.sampled_from([0, 0, 4, 4, 8, 1, 3, 6, 9])
"""Of the first element in its memory, which is aligned: more often so than not."""


def test_such_kernels_take_neighbours(device, host):
    x, _ = placed(device, 20, 0)
    for kernel, arguments in ((axpy, (2.0, x, x)), (doubled, (x, x)), (bounded, (x, x, 0, 9))):
        kernel(*arguments, grid=20)
        assert "neighbours<float, 4>" in host.text_of(host.launches[-1])
    device.synchronize()


@given(st.integers(1, LENGTH), OFFSETS, OFFSETS, THREADS, st.booleans())
def test_an_element_in_place_wherever_arrays_begin(device, grid, one, other, threads, in_place):
    x, _ = placed(device, LENGTH, other, seed=3)
    y, whole = placed(device, LENGTH, one)
    axpy(2.0, y if in_place else x, y, grid=grid, threads=threads)
    expected = np.arange(LENGTH, dtype=np.float32) % 50
    added = expected if in_place else np.arange(3, LENGTH + 3) % 50
    expected[:grid] += np.float32(2) * added[:grid].astype(np.float32)
    np.testing.assert_array_equal(content(whole, one, LENGTH), expected)


@pytest.mark.parametrize(
    ("out", "source", "count"),
    [
        *(("f8", "f8", 2), ("f8", "f4", 2), ("f4", "f8", 2), ("i4", "i4", 4), ("f4", "i2", 4)),
        *(("i8", "u1", 2), ("i2", "i2", 8), ("u1", "u1", 8), ("i1", "i1", 8), ("i4", "u1", 4)),
    ],
)
def test_every_size_of_elements(device, host, out, source, count):
    for offset in range(9):
        x, _ = placed(device, 43, offset, source)
        y, whole = placed(device, 43, 8 - offset, out)
        doubled(y, x, grid=43)
        expected = (np.arange(43).astype(source) * np.array(2, source)).astype(out)
        np.testing.assert_array_equal(content(whole, 8 - offset, 43), expected)
    device.synchronize()
    taken = re.findall(r"neighbours<\w+, (\d)> \w+;", host.text_of(host.launches[-1]))
    assert taken == 2 * [str(count)]


@example(LENGTH, 0, 0, None, 2, 30)
@example(LENGTH, 0, 4, 8, 0, 50)
@given(
    st.integers(1, LENGTH), OFFSETS, OFFSETS, THREADS, st.integers(-3, 30), st.integers(0, LENGTH)
)
def test_conditions_hold_for_each_neighbour_alone(device, grid, one, other, threads, first, last):
    length = 60
    x, _ = placed(device, LENGTH, other, seed=5)
    y, whole = placed(device, length, one)
    bounded(y, x, first, last, grid=grid, threads=threads)
    expected = np.arange(length, dtype=np.float32) % 50
    chosen = slice(max(first, 0), min(last, length, grid))
    expected[chosen] = (np.arange(5, LENGTH + 5) % 50)[:length][chosen] + 1
    np.testing.assert_array_equal(content(whole, one, length), expected)


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 19)),
    st.integers(0, 5),
    st.tuples(OFFSETS, OFFSETS, OFFSETS),
    st.sampled_from([None, (4, 2), (16,), (3, 2, 2)]),
)
def test_rows_that_begin_anywhere(device, shape, wider, offsets, threads):
    planes, height, width = shape
    stored = (planes, height, width + wider)
    x, _ = placed(device, shape, offsets[0], seed=7)
    row, _ = placed(device, width, offsets[1], seed=1)
    column, _ = placed(device, height, 0, seed=2)
    whole, memory = placed(device, stored, offsets[2])
    rows(whole[:, :, :width], x, row, column, grid=(width, height, planes), threads=threads)
    expected = (np.arange(np.prod(stored)) % 50).astype(np.float32).reshape(stored)
    product = (np.arange(2, 2 + height) % 50)[:, None] * (np.arange(1, 1 + width) % 50)
    given_x = (np.arange(7, 7 + np.prod(shape)) % 50).reshape(shape)
    expected[:, :, :width] = given_x - product
    np.testing.assert_array_equal(content(memory, offsets[2], expected.size), expected.reshape(-1))


@given(st.integers(1, LENGTH), OFFSETS, OFFSETS, THREADS, st.integers(-1, LENGTH + 9))
def test_elements_that_lie_elsewhere(device, grid, one, other, threads, last):
    places = np.arange(LENGTH) * 7 % (LENGTH - 1)
    x, _ = placed(device, LENGTH, other, seed=5)
    y, whole = placed(device, LENGTH, one)
    gathered(y, x, sm.array(places, device=device), last, grid=grid, threads=threads)
    expected, elements = (np.arange(n, LENGTH + n, dtype=np.float32) % 50 for n in (0, 5))
    chosen = slice(0, max(min(grid, last), 0))
    expected[chosen] = (elements[places] + elements[places + 1])[chosen]
    np.testing.assert_array_equal(content(whole, one, LENGTH), expected)


@given(st.integers(1, LENGTH), OFFSETS, OFFSETS, THREADS, st.booleans(), st.booleans())
def test_arrays_that_go_backwards(device, grid, one, other, threads, turns_x, turns_y):
    x, _ = placed(device, LENGTH, other, seed=5)
    y, whole = placed(device, LENGTH, one)
    steps = (-1 if turns_y else 1), (-1 if turns_x else 1)
    doubled(y[:: steps[0]], x[:: steps[1]], grid=grid, threads=threads)
    expected, elements = (np.arange(n, LENGTH + n, dtype=np.float32) % 50 for n in (0, 5))
    expected[:: steps[0]][:grid] = 2 * elements[:: steps[1]][:grid]
    np.testing.assert_array_equal(content(whole, one, LENGTH), expected)


def test_positions_apart_are_taken_at_once(device, host):
    """As many as are in the grid: what is loaded is on its way together."""
    x, _ = placed(device, 43, 0)
    doubled(x, x[::-1], grid=43)
    device.synchronize()
    text = host.text_of(host.launches[-1])
    assert "is_aligned" not in text
    assert "int step = int(blockDim.x);" in text
    assert (host.launches[-1].groups, host.launches[-1].threads) == ((1, 1, 1), (11, 1, 1))


def test_lazy_arrays_take_neighbours(device, host):
    x, _ = placed(device, (5, 7), 1)
    row, _ = placed(device, 7, 0)
    expected = x.numpy() * 2 + row.numpy()
    computed = x * 2 + row
    sm.eval(computed)
    assert "neighbours<float, 4>" in host.text_of(host.launches[-1])
    np.testing.assert_array_equal(computed.numpy(), expected)


def test_what_is_aligned_together_is_taken_together(device, host):
    for out_offset, x_offset, count in [(0, 0, 10), (4, 8, 10), (0, 1, 0), (1, 1, 0), (2, 4, 0)]:
        x, _ = placed(device, 43, x_offset)
        out, _ = placed(device, 43, out_offset)
        device.synchronize()
        doubled(out, x, grid=43)
        launch = host.launches[-1]
        host.taken_together(launch)
        device.synchronize()
        assert host.taken_together(launch) == count


@pytest.mark.parametrize(
    ("grid", "threads", "expected"),
    [
        (1000, None, ((1, 1, 1), (250, 1, 1))),
        (5000, None, ((5, 1, 1), (256, 1, 1))),
        (1000, 64, ((4, 1, 1), (64, 1, 1))),
        ((30, 1000), None, ((1, 32, 1), (8, 32, 1))),
    ],
)
def test_a_launch_has_as_many_threads_fewer(device, host, grid, threads, expected):
    x, _ = placed(device, 5000, 0)
    doubled(x, x, grid=grid, threads=threads)
    device.synchronize()
    assert (host.launches[-1].groups, host.launches[-1].threads) == expected
