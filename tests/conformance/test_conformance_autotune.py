"""Tuning never changes what a kernel does, on any device."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import speedmetal as sm


@sm.kernel
def transposed(a, b, tile: sm.static[int]):
    """Write a.T to b, through a tile in threadgroup memory; both are of multiples of the tile."""
    kept = sm.threadgroup_array((tile, tile + 1), a.dtype)
    at, own = sm.thread_position_in_grid(), sm.thread_position_in_threadgroup()
    group = sm.threadgroup_position_in_grid()
    kept[own.y, own.x] = a[at.y, at.x]
    sm.threadgroup_barrier()
    b[group.x * tile + own.y, group.y * tile + own.x] = kept[own.x, own.y]


@sm.kernel
def added(total, x, each):
    """Add all of x to total, `each` elements of it in a thread."""
    first = each * sm.thread_position_in_grid().x
    mine = 0
    for k in sm.static_range(each):
        mine += x[first + k]
    sm.atomic_add(total, 0, mine)


@sm.kernel
def appended(out, count, x):
    """Append the elements above 0 to out; once more, and it would write beyond its end."""
    i = sm.thread_position_in_grid().x
    if x[i] > 0:
        out[sm.atomic_add(count, 0, 1)] = x[i]


@sm.kernel
def smoothed(out, x):
    i = sm.thread_position_in_grid().x
    left, right = max(i - 1, 0), min(i + 1, x.size - 1)
    out[i] = (x[left] + x[i] + x[right]) / 3


@sm.kernel
def by_configuration(out, wrong):
    out[sm.thread_position_in_grid().x] = wrong


def test_a_tile_is_chosen_with_sizes_that_depend_on_it(device):
    tuned = sm.autotune(tile=[4, 8, 16])(transposed)
    x = np.arange(32 * 48, dtype=np.float32).reshape(32, 48)
    for _ in range(2):
        a, b = sm.array(x, device=device), sm.zeros((48, 32), device=device)
        tuned(a, b, grid=(48, 32), threads=lambda c: (c.tile, c.tile))
        np.testing.assert_array_equal(b.numpy(), x.T)
        np.testing.assert_array_equal(a.numpy(), x)
    (table,) = tuned.tuned
    assert all(trial.seconds is not None for trial in table.trials), table
    assert min(trial.seconds for trial in table.trials) == table.trials[table.chosen].seconds


def test_what_a_kernel_adds_to_is_added_to_once(device):
    tuned = sm.autotune(each=[1, 2, 4, 8], threads=[32, 64])(added)
    x = sm.array(np.arange(512, dtype=np.int32), device=device)
    total = sm.array(np.array([7], np.int32), device=device)
    for count in (1, 2, 3):
        tuned(total, x, grid=lambda c: 512 // c.each)
        assert total.numpy()[0] == 7 + count * 511 * 256


def test_an_array_is_never_written_beyond_its_end(device):
    x = np.where(np.arange(300) % 3 == 0, 5, -1).astype(np.int32)
    out = sm.zeros(100, dtype=sm.int32, device=device)
    count = sm.zeros(1, dtype=sm.int32, device=device)
    tuned = sm.autotune(threads=[32, 128])(appended)
    tuned(out, count, sm.array(x, device=device), grid=300)
    assert count.numpy()[0] == 100
    assert (out.numpy() == 5).all()


def test_views_of_the_same_memory_are_read_and_written(device):
    memory = sm.array(np.arange(2000, dtype=np.float32) ** 2, device=device)
    x, out = memory[:1000], memory[1000:]
    tuned = sm.autotune(threads=[32, 128, 256])(smoothed)
    expected = sm.zeros(1000, device=device)
    smoothed(expected, x, grid=1000)
    tuned(out, x, grid=1000)
    np.testing.assert_array_equal(out.numpy(), expected.numpy())
    np.testing.assert_array_equal(x.numpy(), np.arange(1000, dtype=np.float32) ** 2)


@pytest.mark.parametrize("size", [100, 300_000])  # of which more than 1 MiB stays on a GPU
def test_a_configuration_with_other_results_is_not_chosen(device, size):
    tuned = sm.autotune(wrong=[3, 4], threads=[32, 64])(by_configuration)
    out = sm.zeros(size, dtype=sm.int32, device=device)
    with pytest.warns(sm.AutotuneWarning, match="results differ from the first's") as caught:
        tuned(out, grid=size)
    assert {warning.filename for warning in caught} == {__file__}
    assert (out.numpy() == 3).all()
    reasons = [trial.reason for trial in tuned.tuned[0].trials]
    assert [bool(reason) for reason in reasons[2:]] == [True, True]
    assert (
        f"{size} of {size} elements of array 1 that it writes, at [0] 4 in place of 3"
        in (reasons[2])
    )


@pytest.mark.parametrize("size", [100, 300_000])
def test_nan_and_roundings_are_the_same(device, size):
    """Sums in another order; NaN where one is among them."""

    @sm.autotune(forwards=[True, False])
    @sm.kernel
    def summed(out, x, forwards):
        i = sm.thread_position_in_grid().x
        total = 0.0
        for k in range(8):
            total += x[(i + (k if forwards else 7 - k)) % x.size]
        out[i] = total

    generator = np.random.default_rng(1)
    given = generator.standard_normal(size).astype(np.float32)
    given[17] = np.nan
    x, out = sm.array(given, device=device), sm.zeros(size, device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summed(out, x, grid=size)
    expected = sum(np.roll(given.astype(np.float64), -k) for k in range(8))
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-5)
    exact = sm.autotune(forwards=[True, False], tolerance=0)(summed.kernel)
    with pytest.warns(sm.AutotuneWarning, match="results differ"):
        exact(out, x, grid=size)


def test_what_does_not_fit_is_skipped(device):
    most = device.limits.threads_per_threadgroup
    tuned = sm.autotune(threads=[2 * most, 64])(smoothed)
    x, out = sm.ones(500, device=device), sm.zeros(500, device=device)
    tuned(out, x, grid=500)
    assert (out.numpy() == 1).all()
    assert tuned.tuned[0].chosen == 1
    assert f"{device.name} allows {most}" in tuned.tuned[0].trials[0].reason


def test_lazy_arrays_are_arguments(device):
    tuned = sm.autotune(threads=[32, 128])(smoothed)
    x, out = sm.arange(500, dtype=sm.float32, device=device), sm.zeros(500, device=device)
    before = out + 1  # reads what is written afterwards
    tuned(out, x * 0 + 6, grid=500)
    assert (out.numpy() == 6).all()
    assert (before.numpy() == 1).all()


def test_inside_a_capture_what_is_known_is_used(device):
    if device.kind != "cuda":
        pytest.skip("the device has no graphs of launches")
    tuned = sm.autotune(threads=[32, 64])(smoothed)
    x, out = sm.ones(500, device=device), sm.zeros(500, device=device)
    sm.eval(x, out)
    with pytest.warns(sm.AutotuneWarning, match="a graph is being captured"), sm.capture(device):
        tuned(out, x, grid=500)
    assert not tuned.tuned
    tuned(out, x, grid=500)
    with warnings.catch_warnings(), sm.capture(device) as graph:
        warnings.simplefilter("error")
        tuned(out, x, grid=500)
    out[:] = 0
    graph.replay()
    assert (out.numpy() == 1).all()
