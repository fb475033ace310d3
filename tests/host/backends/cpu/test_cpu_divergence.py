"""Debug level 2 looks whether all threads of a threadgroup go the same way round a barrier."""

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.errors import KernelError


@sm.kernel
def wait_after_a_race(a, limit):
    """Nobody waits between writing and reading, so threads read what different threads wrote."""
    i = sm.thread_index_in_threadgroup()
    shared = sm.threadgroup_array(1, sm.int32)
    shared[0] = i
    last = shared[0]
    if last > limit:
        sm.threadgroup_barrier()
    a[i] += 1


@sm.kernel
def loop_after_a_race(a):
    """The same with the bound of a loop, in the second threadgroup alone."""
    x, y, _ = sm.thread_position_in_threadgroup()
    shared = sm.threadgroup_array(1, sm.int32)
    shared[0] = y
    rounds = shared[0]
    for _ in range(rounds * sm.threadgroup_position_in_grid().x):
        sm.threadgroup_barrier()
    a[y, x] = 1


def test_a_condition_that_differs_is_reported_with_its_first_thread() -> None:
    """The first thread that goes another way than thread 0, and the line; nothing after it runs."""
    a = np.zeros(96, np.float32)
    with pytest.raises(KernelError) as caught:
        wait_after_a_race(a, 31, grid=96, threads=96, debug=2)
    message = str(caught.value)
    assert "threads of a threadgroup disagree" in message
    assert "in thread (32, 0, 0) of threadgroup (0, 0, 0)" in message
    assert "if last > limit:" in message
    assert not a.any()


def test_the_device_goes_on_after_threads_have_disagreed() -> None:
    """Other arguments, with which all agree, run as they should."""
    a = np.zeros(96, np.float32)
    with pytest.raises(KernelError):
        wait_after_a_race(a, 31, grid=96, threads=96, debug=2)
    for limit in (-1, 96):
        wait_after_a_race(a, limit, grid=96, threads=96, debug=2)
    np.testing.assert_array_equal(a, np.full(96, 2, np.float32))


def test_bounds_of_a_loop_that_differ_are_reported() -> None:
    """In a grid of two dimensions; the threadgroup is named as well."""
    a = np.zeros((2, 32), np.float32)
    loop_after_a_race(a, grid=(32, 2), threads=(32, 2), debug=2)
    with pytest.raises(KernelError, match=r"in thread \(0, 1, 0\) of threadgroup \(1, 0, 0\)"):
        loop_after_a_race(a, grid=(64, 2), threads=(32, 2), debug=2)
