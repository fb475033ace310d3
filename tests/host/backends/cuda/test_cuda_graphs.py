"""Graphs of launches, behind a driver that works late; kernels run on the host."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import dry_device
from speedmetal.arrays.deferred import schedule
from speedmetal.backends.stream import finish_all

LENGTH = 21


@sm.kernel
def scaled(out, x, factor):
    i = sm.thread_position_in_grid().x
    out[i] = x[i] * factor


@sm.kernel
def checked(x):
    i = sm.thread_position_in_grid().x
    assert x[i] > 0, "not above 0"


@pytest.fixture
def device(driver):
    made = dry_device(driver)
    made.time_limit_seconds = 20
    return made


def array(device, value):
    return sm.array(np.full(LENGTH, value, np.float32), device=device)


def scale(device, out, x, factor):
    scaled(out, x, factor, grid=LENGTH, device=device)


def first(array):
    found = array.numpy()
    assert (found == found[0]).all()
    return found[0]


def test_a_replay_does_all_launches_again_in_order(device, driver):
    x, y = array(device, 1), array(device, 0)
    with sm.capture(device) as graph:
        scale(device, y, x, 3.0)
        scale(device, x, y, 2.0)
    assert len(graph) == 2
    assert (first(x), first(y)) == (1, 0)
    driver.calls.clear()
    for _ in range(3):
        graph.replay()
    assert driver.calls.count("cuGraphLaunch") == 3
    assert "cuLaunchKernelEx" not in driver.calls
    assert (first(x), first(y)) == (6**3, 3 * 6**2)


def test_replays_and_launches_come_in_the_order_of_asking(device):
    x = array(device, 1)
    with sm.capture(device) as graph:
        scale(device, x, x, 3.0)
    graph.replay()
    x[:] = 5
    graph.replay()
    scale(device, x, x, 0.5)
    assert first(x) == 7.5


def test_what_arrays_compute_is_captured_too(device):
    x, y = array(device, 1), array(device, 2)
    with sm.capture(device) as graph:
        total = x * 2 + y
        sm.eval(total)
    x[:] = 10
    graph.replay()
    assert first(total) == 22


def test_the_memory_of_a_graph_lives_as_long_as_it(device):
    """Of arrays that are gone, and of those that were made and went while it was captured."""
    x, y = array(device, 1), array(device, 0)
    before = device.memory_info().bytes_in_use
    with sm.capture(device) as graph:
        between = sm.empty(LENGTH, device=device)
        addresses = {between.address, x.address}
        scale(device, between, x, 2.0)
        scale(device, y, between, 10.0)
        del between
    del x
    gc.collect()
    others = [array(device, 7) for _ in range(6)]
    assert not addresses & {other.address for other in others}
    graph.replay()
    assert first(y) == 20
    assert [first(other) for other in others] == [7] * 6
    del others, graph
    gc.collect()
    device.synchronize()
    assert device.memory_info().bytes_in_use == before // 2
    others = [array(device, 7) for _ in range(3)]
    assert addresses <= {other.address for other in others}


def test_what_waits_to_read_is_computed_before_a_replay_writes(device):
    x, y = array(device, 1), array(device, 4)
    with sm.capture(device) as graph:
        scale(device, y, x, 3.0)
    later = y + 100
    graph.replay()
    assert (first(later), first(y)) == (104, 3)


def test_what_waits_to_read_is_computed_before_the_capture(device):
    x, y = array(device, 1), array(device, 4)
    later = y + 100
    with sm.capture(device) as graph:
        scale(device, y, x, 3.0)
    assert len(graph) == 1
    assert first(later) == 104


@pytest.mark.parametrize(
    ("use", "what"),
    [
        (lambda _, x: x.numpy(), "copy between the host and arrays"),
        (lambda device, _: array(device, 1), "copy between the host and arrays"),
        (lambda device, _: device.synchronize(), "wait"),
        (lambda device, _: device.new_event().signal(device.stream), "copy between the host"),
        (lambda device, x: checked(x, grid=1, debug=1, device=device), "launch kernel 'checked'"),
        (lambda device, _: sm.capture(device).__enter__(), "capture another graph"),
    ],
)
def test_what_no_graph_can_do_is_refused_and_the_device_goes_on(device, use, what):
    x, y = array(device, 1), array(device, 0)
    expected = f"cuda cannot {what}.* inside sm.capture()"
    with (  # noqa: PT012 - it is the block that fails
        pytest.raises(sm.DeviceError, match=expected) as caught,
        sm.capture(device) as graph,
    ):
        scale(device, y, x, 2.0)
        use(device, x)
    assert "do it before the block, or behind it" in str(caught.value)
    with pytest.raises(sm.DeviceError, match="this graph is not finished"):
        graph.replay()
    scale(device, y, x, 2.0)
    assert first(y) == 2


def test_a_graph_is_not_replayed_in_another(device):
    x = array(device, 1)
    with sm.capture(device) as graph:
        scale(device, x, x, 2.0)
    refused = pytest.raises(sm.DeviceError, match="cuda cannot replay another graph inside")
    with refused, sm.capture(device):
        graph.replay()
    graph.replay()
    assert first(x) == 2


def test_a_refused_capture_is_told(device, driver):
    x = array(device, 1)
    driver.failures["cuGraphInstantiateWithFlags"] = [2]
    refused = pytest.raises(sm.DeviceError, match="cuGraphInstantiateWithFlags: CUDA_ERROR_2")
    with refused, sm.capture(device):
        scale(device, x, x, 2.0)
    assert not driver.graphs
    assert first(x) == 1


def test_graphs_go_with_their_last_owner_after_their_replays(device, driver):
    x = array(device, 1)
    with sm.capture(device) as graph:
        scale(device, x, x, 2.0)
    graph.replay()
    del graph
    gc.collect()
    assert len(driver.graphs) == 1
    device.synchronize()
    assert not driver.graphs
    assert first(x) == 2


def test_a_number_is_joined_without_a_copy_from_the_host(device, driver):
    """Which no graph can have; the kernel needs atomics, which the host has under other names."""
    x = array(device, 1)
    index = sm.array(np.array([1, -1, 3]), device=device)
    driver.on_launch = lambda launch: None
    with sm.capture(device) as graph:
        sm.eval(x.at[index].add(5))
    assert len(graph) >= 2


def test_another_thread_waits_for_the_end_of_a_capture(device):
    x, y = array(device, 1), array(device, 1)
    thread = threading.Thread(target=lambda: scale(device, y, y, 3.0))
    with sm.capture(device) as graph:
        thread.start()
        thread.join(0.05)
        scale(device, x, x, 2.0)
        assert thread.is_alive()
    thread.join()
    assert len(graph) == 1
    assert (first(x), first(y)) == (1, 3)


def test_a_capture_begins_when_no_other_thread_is_getting_memory(device, monkeypatch):
    """Which may wait for the stream: with the pool, that the capture needs."""
    is_getting, is_capturing = threading.Event(), threading.Event()

    def wait_for_the_stream():
        if threading.current_thread() is getting:
            is_getting.set()
            is_capturing.wait(0.3)
            finish_all(device.streams)

    def capture():
        with sm.capture(device):
            is_capturing.set()
            sm.empty(9000, device=device)

    def synchronize():
        getting.start()
        is_getting.wait()

    monkeypatch.setattr(device.context, "free", wait_for_the_stream)
    monkeypatch.setattr(device, "synchronize", synchronize)
    getting = threading.Thread(target=lambda: sm.empty(5000, device=device), daemon=True)
    capturing = threading.Thread(target=capture, daemon=True)
    capturing.start()
    for thread in (capturing, getting):
        thread.join(20)
        assert not thread.is_alive(), "the threads wait for each other"


def test_a_capture_and_another_thread_that_evaluates_do_not_wait_for_each_other(
    device, driver, monkeypatch
):
    is_evaluating, is_capturing = threading.Event(), threading.Event()
    compute = schedule.compute
    driver.on_launch = lambda launch: None

    def compute_late(lazy):
        if threading.current_thread() is evaluating:
            is_evaluating.set()
            is_capturing.wait(0.3)
        compute(lazy)

    def capture():
        evaluating.start()
        is_evaluating.wait()
        with sm.capture(device):
            is_capturing.set()
            sm.eval(x + 1)

    x = array(device, 1)
    monkeypatch.setattr(schedule, "compute", compute_late)
    evaluating = threading.Thread(target=lambda: sm.eval(x * 3), daemon=True)
    capturing = threading.Thread(target=capture, daemon=True)
    capturing.start()
    for thread in (capturing, evaluating):
        thread.join(20)
        assert not thread.is_alive(), "the threads wait for each other"


def test_other_devices_have_no_graphs():
    refused = pytest.raises(sm.DeviceError, match="cpu has no graphs of launches")
    with refused, sm.capture("cpu"):
        pass
