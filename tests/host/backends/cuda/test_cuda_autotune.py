"""Tuning behind a driver that works late; kernels run on the host, and the clock is known."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import speedmetal as sm
from cuda_machine import DryDriver, Fault, dry_device
from speedmetal.arrays.deferred import schedule
from speedmetal.tuning import measuring

LENGTH = 500
ILLEGAL_ADDRESS = 700
SLOW, SLOW_BY = 64, 7.0
"""Threads with which a launch takes the card so many milliseconds longer."""


@sm.kernel
def scaled(out, x, factor):
    i = sm.thread_position_in_grid().x
    out[i] = x[i] * factor


@sm.kernel
def doubled(x):
    i = sm.thread_position_in_grid().x
    x[i] = x[i] * 2


@pytest.fixture
def driver(host, monkeypatch):
    monkeypatch.setattr(measuring, "ROUNDS", 4)
    monkeypatch.setattr(measuring, "_SAMPLE_SECONDS", 5e-3)  # of launches that take 1 ms each
    made = DryDriver()
    made.untold = ()

    def run(launch):
        work = host.run(launch)

        def with_time():
            made.clock += SLOW_BY * (launch.threads[0] == SLOW)
            work()

        return with_time

    made.on_launch = run
    return made


@pytest.fixture
def device(driver):
    made = dry_device(driver)
    made.time_limit_seconds = 20
    return made


def array(device, value):
    return sm.array(np.full(LENGTH, value, np.float32), device=device)


def test_the_cards_clock_decides(device, driver):
    tuned = sm.autotune(threads=[SLOW, 32, 128])(scaled)
    x, out = array(device, 3), array(device, 0)
    tuned(out, x, 2.0, grid=LENGTH)
    assert (out.numpy() == 6).all()
    (table,) = tuned.tuned
    slow, *fast = (trial.seconds for trial in table.trials)
    assert slow - fast[0] == pytest.approx(SLOW_BY / 1000)
    assert table.chosen in (1, 2)
    assert "a card that is not there" in str(table)


def test_launches_of_a_sample_are_one_graph(device, driver):
    tuned = sm.autotune(threads=[32, 128])(scaled)
    x, out = array(device, 3), array(device, 0)
    tuned(out, x, 2.0, grid=LENGTH)
    assert driver.calls.count("cuGraphLaunch") == 2 * 4
    assert all(len(runs) > 1 for runs in driver.graphs.values())
    seconds = [trial.seconds for trial in tuned.tuned[0].trials]
    assert max(seconds) < 1.5e-3  # of one launch, not of all


@pytest.mark.parametrize("evaluation_tunes", [False, True])
def test_while_another_thread_evaluates(device, monkeypatch, evaluation_tunes):
    """It may wait for what a capture keeps to itself, and has what a launch may need.

    What is evaluated, an operation of the user's, may call the kernel that is tuned.
    """
    is_evaluating, is_measuring = threading.Event(), threading.Event()
    compute, repeated = schedule.compute, measuring._repeated
    x, y, z = (array(device, 1) for _ in range(3))
    lazy, waiting = y * 3, y + 1
    tuned = sm.autotune(threads=[SLOW, 128])(scaled)

    def compute_late(array):
        if threading.current_thread() is evaluating:
            is_evaluating.set()
            is_measuring.wait(0.3)
            if evaluation_tunes:
                tuned(z, y, 2, grid=LENGTH)
        compute(array)

    def repeated_meanwhile(*arguments):
        if evaluating.ident is None:
            evaluating.start()
            is_evaluating.wait(0.3)
        return repeated(*arguments)

    monkeypatch.setattr(schedule, "compute", compute_late)
    monkeypatch.setattr(measuring, "_repeated", repeated_meanwhile)
    evaluating = threading.Thread(target=lambda: sm.eval(lazy), daemon=True)
    tuning = threading.Thread(target=lambda: tuned(x, y, 2, grid=LENGTH), daemon=True)
    tuning.start()
    tuning.join(20)
    assert not tuning.is_alive(), "the threads wait for each other"
    evaluating.join(20)
    assert (x.numpy()[0], lazy.numpy()[0], waiting.numpy()[0]) == (2, 3, 2)


def test_while_another_thread_captures(device):
    """What is captured calls the kernel as well, whose sizes one thread at a time chooses."""
    is_choosing, is_capturing = threading.Event(), threading.Event()
    x, y, z = (array(device, 1) for _ in range(3))
    tuned = sm.autotune(threads=[SLOW, 128])(scaled)

    def grid(_configuration):
        if threading.current_thread() is choosing:
            is_choosing.set()
            is_capturing.wait(0.3)
        return LENGTH

    def capture():
        is_choosing.wait(10)
        with sm.capture(device) as found:
            is_capturing.set()
            tuned(z, y, 3, grid=grid)
        graphs.append(found)

    graphs = []
    choosing = threading.Thread(target=lambda: tuned(x, y, 2, grid=grid), daemon=True)
    capturing = threading.Thread(target=capture, daemon=True)
    choosing.start()
    capturing.start()
    choosing.join(20)
    capturing.join(20)
    still = [thread for thread in (choosing, capturing) if thread.is_alive()]
    assert not still, "the threads wait for each other"
    graphs[0].replay()
    assert (x.numpy()[0], z.numpy()[0]) == (2, 3)


def test_what_reads_what_it_writes_begins_anew_for_each_launch(device, driver):
    tuned = sm.autotune(threads=[32, 128])(doubled)
    x = array(device, 3)
    tuned(x, grid=LENGTH)
    assert (x.numpy() == 6).all()
    assert "cuGraphLaunch" not in driver.calls
    tuned(x, grid=LENGTH)
    assert (x.numpy() == 12).all()


def test_in_a_capture_the_first_configuration_stands_in_for_what_is_not_known(device, driver, host):
    tuned = sm.autotune(threads=[96, 32])(scaled)
    x, out = array(device, 3), array(device, 0)
    with pytest.warns(sm.AutotuneWarning) as caught, sm.capture(device) as graph:
        tuned(out, x, 2.0, grid=LENGTH)
    assert str(caught[0].message) == (
        "sm.autotune of kernel 'scaled': nothing measured: a graph is being captured, and nothing"
        " runs; launch the kernel once before; the first configuration is used: threads=96"
    )
    assert not tuned.tuned
    graph.replay()
    assert (out.numpy() == 6).all()
    assert host.launches[-1].threads == (96, 1, 1)
    refused = pytest.raises(sm.LaunchError, match="nothing measured: a graph is being captured")
    with refused, sm.capture(device):
        tuned.tune(out, x, 2.0, grid=LENGTH)
    tuned.tune(out, x, 2.0, grid=LENGTH)
    with sm.capture(device):
        tuned(out, x, 2.0, grid=LENGTH)
    assert len(tuned.tuned) == 1


def test_a_launch_that_ends_the_context_is_what_is_told(device, driver):
    """And not that arrays could not be put back."""
    tuned = sm.autotune(threads=[32, SLOW])(scaled)
    x, out = array(device, 3), array(device, 0)
    device.synchronize()
    run = driver.on_launch

    def fails(launch):
        def fault():
            raise Fault(ILLEGAL_ADDRESS)

        return fault if launch.entry == "scaled" else run(launch)

    driver.on_launch = fails
    with pytest.raises(sm.KernelError, match="scaled"):
        tuned(out, x, 2.0, grid=LENGTH)
    assert not tuned.tuned


def test_without_memory_for_what_is_written_nothing_is_measured(device, driver):
    tuned = sm.autotune(threads=[32, 128])(scaled)
    x, out = array(device, 3), array(device, 0)
    device.synchronize()
    device.empty_cache()
    driver.failures["cuMemAlloc_v2"] = [2] * 9
    with pytest.warns(sm.AutotuneWarning, match="no memory to keep what it writes to: cuda has no"):
        tuned(out, x, 2.0, grid=LENGTH)
    assert len(driver.failures["cuMemAlloc_v2"]) < 9
    driver.failures.clear()
    tuned(out, x, 2.0, grid=LENGTH)  # asks for no memory again
    assert (out.numpy() == 6).all()
    assert not tuned.tuned
