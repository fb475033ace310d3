"""What `sm.occupancy` says fits together, and launches with what it suggests."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm


@sm.kernel
def squared(a):
    i = sm.thread_position_in_grid().x
    a[i] = a[i] * a[i]


@sm.kernel
def by_thread(a, each: sm.static[int]):
    """Each thread brings threadgroup memory of its own."""
    own = sm.threadgroup_array((sm.threads_per_threadgroup().x, each), sm.float32)
    i, t = sm.thread_position_in_grid().x, sm.thread_position_in_threadgroup().x
    own[t, each - 1] = a[i]
    sm.threadgroup_barrier()
    a[i] = own[t, each - 1] + 1


@sm.kernel
def in_registers(a, n: sm.static[int]):
    """Keeps `n` numbers of a thread until all are read."""
    i = sm.thread_position_in_grid().x
    kept = sm.thread_array(n, sm.float32)
    for k in sm.static_range(n):
        kept[k] = a[(i + k) % a.size]
    total = 0.0
    for turn in range(3):
        for k in sm.static_range(n):
            kept[k] = kept[k] * kept[(k + 1) % n] + turn
            total += kept[k]
    a[i] = total


def launches():
    yield from ((squared, (), threads) for threads in (None, 32, 96, 128, 256, 1024))
    for each in (1, 16, 40):
        yield from ((by_thread, (each,), threads) for threads in (None, 32, 64, 100))
    for n in (8, 64, 128):
        yield from ((in_registers, (n,), threads) for threads in (None, 64, 192, 256))


@pytest.mark.parametrize(("kernel", "more", "threads"), list(launches()))
def test_an_answer_fits_together(device, kernel, more, threads):
    x = sm.array(np.ones(4096, np.float32), device=device)
    found = sm.occupancy(kernel, x, *more, grid=4096, threads=threads)
    assert found.device == device.name
    assert found.threads == ((threads, 1, 1) if threads else found.suggested_threads)
    if device.kind != "cuda":
        assert found.fraction is None
        return
    program = kernel.examine((x, *more), {}, (4096, None, threads)).compiled.program
    bounds = device.multiprocessor.bounds(
        found.threads[0], found.registers, found.threadgroup_memory_bytes
    )
    assert min(bounds.values()) == found.groups_per_core, (bounds, found)
    assert 0 < found.fraction <= 1
    assert found.registers * found.threads[0] * found.groups_per_core <= 65536
    assert program.thread_choices[0] == 256


def test_a_launch_with_what_is_suggested_is_right(device, launch):
    x = np.arange(5000, dtype=np.float32)
    given = sm.array(x, device=device)
    found = sm.occupancy(by_thread, given, 30, grid=x.size, device=device)
    launch(by_thread, x, 30, grid=x.size)
    by_thread(given, 30, grid=x.size, threads=found.suggested_threads)
    np.testing.assert_array_equal(x, np.arange(5000) + 1)
    np.testing.assert_array_equal(given.numpy(), np.arange(5000) + 1)
