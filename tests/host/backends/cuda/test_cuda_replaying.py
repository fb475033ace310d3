"""Small calls that are made again: the same launches as the first time, of other arrays.

The printed text runs on the host (`cuda_on_the_host`), so that a wrong address gives wrong numbers.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest

import speedmetal as sm
from cuda_foreign import DlpackTensor, OtherLibrary
from cuda_machine import addressed_device, dry_device
from speedmetal.arrays import replaying
from speedmetal.arrays.deferred import schedule
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.order.sorting import TopK
from speedmetal.backends import registry
from speedmetal.launch import direct


class All(Kept):
    """Has been told of every call."""

    def __contains__(self, _key):
        return True


@pytest.fixture(params=["Python", "machine code"])
def device(driver, monkeypatch, request):
    monkeypatch.setattr(replaying, "_known", Kept(64))
    monkeypatch.setattr(replaying, "_met", All(64))
    if request.param == "Python":
        return dry_device(driver)
    monkeypatch.setattr(direct, "LAUNCHES_BEFORE", 1)
    return addressed_device(driver, monkeypatch)


def rows(device, *shape, start=0):
    host = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape) + start
    return host, sm.array(host, device=device)


def calls_of(function):
    """The function as it is marked, and how often it really ran."""
    count = [0]

    def counted(*arguments, **named):
        count[0] += 1
        return function.__wrapped__(*arguments, **named)

    return replaying.replayed(counted), count


def test_a_call_is_made_once_for_each_way_in_which_arrays_lie(device):
    concat, count = calls_of(sm.concat)
    for number in range(4):
        (a, x), (b, y) = rows(device, 3, 4, start=number), rows(device, 2, 4, start=-number)
        np.testing.assert_array_equal(concat([x, y]).numpy(), np.concatenate([a, b]))
        np.testing.assert_array_equal(concat((y, x)).numpy(), np.concatenate([b, a]))
        np.testing.assert_array_equal(
            concat([x.T, y.T], axis=1).numpy(), np.concatenate([a.T, b.T], 1)
        )
    assert count[0] == 3


def test_a_call_is_kept_when_it_is_made_a_second_time(device, monkeypatch):
    monkeypatch.setattr(replaying, "_met", Kept(64))

    def shifted(x, offset):
        return x + offset

    again, count = calls_of(replaying.replayed(shifted))
    host, x = rows(device, 5)
    for offset in range(3):
        np.testing.assert_array_equal(again(x, offset).numpy(), host + offset)
    assert (count[0], len(replaying._known)) == (3, 0)
    for _ in range(3):
        np.testing.assert_array_equal(again(x, 1).numpy(), host + 1)
    assert (count[0], len(replaying._known)) == (4, 1)


def test_arrays_that_are_the_same_once_need_not_be_so_again(device):
    concat, count = calls_of(sm.concat)
    (a, x), (b, y) = rows(device, 3, 4), rows(device, 3, 4, start=50)
    for _ in range(2):
        np.testing.assert_array_equal(concat([x, x]).numpy(), np.concatenate([a, a]))
        np.testing.assert_array_equal(concat([x, y]).numpy(), np.concatenate([a, b]))
        np.testing.assert_array_equal(concat([y, y]).numpy(), np.concatenate([b, b]))
    assert count[0] == 2
    whole, z = rows(device, 6, 4)
    for _ in range(2):
        np.testing.assert_array_equal(concat([z[:3], z[3:]]).numpy(), whole)
        np.testing.assert_array_equal(concat([z[3:], z[:3]]).numpy(), np.roll(whole, 3, 0))
        np.testing.assert_array_equal(concat([z[:3], z[1:4]]).numpy(), whole[[0, 1, 2, 1, 2, 3]])


def test_memory_of_results_is_new_each_time(device):
    concat, _ = calls_of(sm.concat)
    (a, x), (b, y) = rows(device, 3), rows(device, 3, start=50)
    found = [concat([x, y]), concat([x, y]), concat([y, x])]
    found[1][:] = 7
    x[:] = -1
    np.testing.assert_array_equal(found[0].numpy(), np.concatenate([a, b]))
    np.testing.assert_array_equal(found[2].numpy(), np.concatenate([b, a]))
    assert (found[1].numpy() == 7).all()


def test_several_results_and_named_ones(device):
    def both(x, *, by):
        return x * by, x + by

    def named(x):
        return TopK(x * 2, x * 3)

    host, x = rows(device, 5)
    for function in (both, named):
        again, count = calls_of(replaying.replayed(function))
        for _ in range(3):
            found = again(x, by=2.0) if function is both else again(x)
            assert type(found) is (tuple if function is both else TopK)
            np.testing.assert_array_equal(found[0].numpy(), host * 2)
            second = host + 2 if function is both else host * 3
            np.testing.assert_array_equal(found[1].numpy(), second)
        assert count[0] == 1


def test_numbers_are_told_apart_by_type_and_sign(device):
    def scaled(x, factor):
        return x * factor

    again, count = calls_of(replaying.replayed(scaled))
    host, x = rows(device, 5, start=1)
    for factor in (1, 1.0, True, 0.0, -0.0, 2):
        for _ in range(2):
            found = again(x, factor).numpy()
            np.testing.assert_array_equal(found, host * np.float32(factor))
            assert (np.signbit(found) == np.signbit(host * np.float32(factor))).all()
    assert count[0] == 6


def test_nothing_is_kept_of_calls_with_nan_which_would_not_be_found(device):
    def scaled(x, factor):
        return x * factor

    again, count = calls_of(replaying.replayed(scaled))
    _, x = rows(device, 5)
    for _ in range(3):
        assert np.isnan(again(x, float("nan")).numpy()).all()
    assert count[0] == 3
    assert not replaying._known


def test_what_asks_for_more_than_launches_is_called_each_time(device):
    def looks(x):
        return x * float(x[0].numpy())

    def brings(x):
        return x * sm.array(np.float32([3]), device=x.device)

    def gives_a_view(x):
        return x[1:]

    def gives_no_array(x):
        return x.size

    def is_lazy(x):
        return (x + 1) * 2

    host, x = rows(device, 5, start=2)
    for function in (looks, brings, gives_a_view, gives_no_array):
        again, count = calls_of(replaying.replayed(function))
        for _ in range(3):
            again(x)
        assert count[0] == 3, function
    again, count = calls_of(replaying.replayed(is_lazy))
    for _ in range(3):
        np.testing.assert_array_equal(again(x + 1).numpy(), (host + 2) * 2)
    assert count[0] == 3  # of a lazy array it stays a part of the expression


def test_large_calls_stay_lazy(device):
    def doubled(x):
        return x * 2

    again, count = calls_of(replaying.replayed(doubled))
    x = sm.zeros((replaying.FEW_BYTES // 4 + 1,), device=device)
    assert [again(x).pending is None for _ in range(2)] == [False, False]
    assert count[0] == 2


def test_large_calls_with_small_results_are_made_again(device, monkeypatch):
    def ends(x):
        return sm.stack([x[0], x[-1]]) + 1

    again, count = calls_of(replaying.replayed(ends))
    x = sm.zeros((replaying.FEW_BYTES // 4 + 1,), device=device)
    assert [again(x).numpy().tolist() for _ in range(3)] == [[1, 1]] * 3
    assert count[0] == 1
    x[-1] = 4
    assert again(x).pending is None
    assert again(x).numpy().tolist() == [1, 5]
    assert count[0] == 1
    monkeypatch.setattr(replaying, "MORE_BYTES", 5 * replaying.FEW_BYTES)
    longer = sm.zeros((6 * replaying.FEW_BYTES // 4,), device=device)
    assert [again(longer).pending is None for _ in range(3)] == [False] * 3


def test_calls_inside_others_and_errors(device):
    def inner(x):
        return x + 1

    inner = replaying.replayed(inner)

    def outer(x, axis):
        if axis:
            raise ValueError("no such axis")
        return inner(x) * 2

    again, count = calls_of(replaying.replayed(outer))
    host, x = rows(device, 5)
    for _ in range(2):
        with pytest.raises(ValueError, match="no such axis"):
            again(x, 1)
        np.testing.assert_array_equal(again(x, 0).numpy(), (host + 1) * 2)
        np.testing.assert_array_equal(inner(x).numpy(), host + 1)
    assert count[0] == 3


def test_in_a_graph_they_are_launches_as_all_others(device):
    def outer(x):
        return (x + 1).reshape(-1) * 2

    again, _ = calls_of(replaying.replayed(outer))
    host, x = rows(device, 5)
    for _ in range(2):
        with sm.capture(device) as graph:
            found = again(x)
            sm.eval(found)
        x[:] = host + 3
        graph.replay()
        np.testing.assert_array_equal(found.numpy(), (host + 4) * 2)
        x[:] = host
        again(x)  # known from now on


def test_records_have_the_names_of_what_is_computed(device):
    def outer(x):
        return x * 2

    again, count = calls_of(replaying.replayed(outer))
    _, x = rows(device, 5)
    for _ in range(2):
        again(x)
    with sm.profile.gpu_time(device):
        again(x)
    assert count[0] == 2


def test_other_threads_go_on_while_a_call_is_traced_and_are_not_of_it(device, monkeypatch):
    """They may hold what the call needs next: what evaluates lazy arrays, or the pool."""
    is_evaluating, is_tracing = threading.Event(), threading.Event()
    compute = schedule.compute
    (a, x), (b, y) = rows(device, 5), rows(device, 5, start=7)
    lazy = y * 3

    def compute_late(array):
        if threading.current_thread() is evaluating:
            is_evaluating.set()
            is_tracing.wait(5)
        compute(array)

    def doubled(x):
        if not evaluating.is_alive():
            evaluating.start()
            is_evaluating.wait(5)
        is_tracing.set()
        evaluating.join(0.2)
        return x * 2

    again, count = calls_of(replaying.replayed(doubled))
    found = []
    monkeypatch.setattr(schedule, "compute", compute_late)
    evaluating = threading.Thread(target=lambda: sm.eval(lazy), daemon=True)
    tracing = threading.Thread(target=lambda: found.append(again(x)), daemon=True)
    tracing.start()
    for thread in (tracing, evaluating):
        thread.join(20)
        assert not thread.is_alive(), "the threads wait for each other"
    np.testing.assert_array_equal(found[0].numpy(), 2 * a)
    np.testing.assert_array_equal(lazy.numpy(), 3 * b)
    y[:] = 0
    np.testing.assert_array_equal(again(x).numpy(), 2 * a)
    np.testing.assert_array_equal(lazy.numpy(), 3 * b)
    assert count[0] == 1


def test_a_tensor_of_another_library_that_is_given_twice(driver, device, monkeypatch):
    """Two arrays, of memory of their own as far as we know, of which one address says nothing."""
    concat, _ = calls_of(sm.concat)
    monkeypatch.setitem(registry._present, "cuda", device)
    other = OtherLibrary(driver)

    def pieces(start):
        tensor = DlpackTensor(other, np.arange(8, dtype=np.float32) + start)
        arrays = [sm.asarray(tensor)]
        tensor.view = tensor.view[2:]
        arrays.append(sm.asarray(tensor))
        return arrays

    whole, part = pieces(0)
    _, part_of_another = pieces(50)
    for _ in range(2):
        for second in (part, part_of_another):
            expected = np.concatenate([whole.numpy(), second.numpy()])
            np.testing.assert_array_equal(concat([whole, second]).numpy(), expected)
