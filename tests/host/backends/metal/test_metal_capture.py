"""GPU traces, and the names that launches have in them."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

import speedmetal as sm
from metal_machine import machine
from speedmetal.backends.metal.driver import labels
from speedmetal.backends.metal.driver.commands import Encoding
from speedmetal.backends.metal.profiling import capture, debug_groups
from speedmetal.backends.metal.profiling.capture import capture_trace
from speedmetal.errors import DeviceError, UserInputError

PERMISSION = (
    "start the program with the environment variables MTL_CAPTURE_ENABLED=1 and"
    " METAL_CAPTURE_ENABLED=1, which Metal reads once at its start: setting them in Python is too"
    " late"
)


@pytest.fixture
def allowed(monkeypatch):
    monkeypatch.setenv("MTL_CAPTURE_ENABLED", "1")


@sm.kernel
def double(a):
    i = sm.thread_position_in_grid().x
    a[i] = 2 * a[i]


def zeros(device):
    """An array in fresh memory, which the host fills without waiting for the device."""
    return sm.array(np.zeros(4, np.float32), device=device)


def ran(device, count=1):
    a = sm.array(np.ones(4, np.float32), device=device)
    for _ in range(count):
        double(a, grid=4)
    return a


def commands(path):
    return json.loads((path / "commands.json").read_text())


def test_a_trace_has_what_was_asked_inside(allowed, tmp_path):
    device = sm.device("metal-sim")
    manager = device.bridge.Metal.MTLCaptureManager.sharedCaptureManager()
    path = tmp_path / "step.gputrace"
    a = ran(device, 3)
    with capture_trace(device, path):
        assert manager.isCapturing()
        double(a, grid=4)
        double(a, grid=4)
    assert not manager.isCapturing()
    ran(device)
    assert commands(path) == [["Dispatch"], ["Dispatch"]]
    assert a.numpy().tolist() == [32.0] * 4


def test_launches_in_a_trace_have_names(allowed, monkeypatch, tmp_path):
    seen = []
    annotated = Encoding.annotated_dispatch

    def noted(self, *command):
        seen.append(command[-1])
        annotated(self, *command)

    monkeypatch.setattr(Encoding, "annotated_dispatch", noted)
    device = sm.device("metal-sim")
    a = ran(device)
    with capture_trace(device, tmp_path / "named.gputrace"):
        double(a, grid=4)
        with labels.label_launches("forward"):
            double(a, grid=4)
    double(a, grid=4)
    sm.synchronize()
    assert seen == ["double", "forward/double"]


def test_without_permission(monkeypatch, tmp_path):
    monkeypatch.delenv("MTL_CAPTURE_ENABLED", raising=False)
    monkeypatch.delenv("METAL_CAPTURE_ENABLED", raising=False)
    with pytest.raises(DeviceError) as caught, capture_trace(machine(), tmp_path / "a.gputrace"):
        pass
    assert str(caught.value).endswith(PERMISSION)


def test_one_capture_at_a_time(allowed, tmp_path):
    device = machine()
    with capture_trace(device, tmp_path / "a.gputrace"):
        with pytest.raises(DeviceError) as caught, capture_trace(device, tmp_path / "b.gputrace"):
            pass
        assert str(caught.value).startswith("Metal does not start a GPU trace: ")
        assert str(caught.value).endswith(
            "another capture is running in this process: end it first"
        )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.trace", "expected a path that ends in .gputrace, as Xcode wants it, got"),
        ("there.gputrace", "exists, and Metal does not replace traces; choose another name"),
        ("missing/a.gputrace", "of the trace does not exist; make it"),
    ],
)
def test_paths_that_cannot_be_used(tmp_path, name, message):
    (tmp_path / "there.gputrace").mkdir()
    with pytest.raises(UserInputError, match=message), capture_trace(machine(), tmp_path / name):
        pytest.fail("nothing may run")


def test_a_capture_ends_whatever_happens_inside(allowed, tmp_path):
    device = sm.device("metal-sim")
    manager = device.bridge.Metal.MTLCaptureManager.sharedCaptureManager()

    def fail():
        assert manager.isCapturing()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), capture_trace(device, tmp_path / "a.gputrace"):
        fail()
    assert not manager.isCapturing()
    assert not device.queue.annotates


class Slow:
    """A capture manager that needs time, or never ends."""

    def __init__(self, rounds):
        self.rounds = rounds

    def stopCapture(self):  # noqa: N802 - Metal's
        pass

    def isCapturing(self):  # noqa: N802 - Metal's
        self.rounds -= 1
        return self.rounds > 0


def test_the_end_waits_until_the_trace_is_written(tmp_path, monkeypatch):
    slow = Slow(5)
    capture._stop(machine(), slow, tmp_path)
    assert slow.rounds == 0
    monkeypatch.setattr(capture, "LONGEST_STOP_SECONDS", 0.01)
    with pytest.raises(DeviceError, match=r"has not finished the trace .* capture fewer launches"):
        capture._stop(machine(), Slow(10**9), tmp_path)


# --- Names ---------------------------------------------------------------------------------------


def test_stretches_nest_and_end():
    assert labels.current_prefix() == ""
    with labels.label_launches("a"):
        with labels.label_launches("b"):
            assert labels.current_prefix() == "a/b/"
        assert labels.current_prefix() == "a/"
    assert labels.current_prefix() == ""


def test_annotations_are_counted():
    queue = machine().queue
    with debug_groups.annotate_launches([queue]):
        with debug_groups.annotate_launches([queue]):
            assert queue.annotates
        assert queue.annotates
    assert not queue.annotates


@pytest.fixture
def hanging():
    """A device whose command buffers do not end before the test says so."""
    device = sm.device("metal-sim")
    sm.synchronize()
    device.bridge.simulation.configure(hang=True)
    yield device
    device.bridge.simulation.configure(hang=False)
    sm.synchronize()


def test_what_was_asked_before_and_after_is_not_annotated(hanging):
    simulation = hanging.bridge.simulation
    a = zeros(hanging)
    double(a, grid=4)  # is committed at once: nothing else was to do
    commits = simulation.commits
    double(a, grid=4)
    with debug_groups.annotate_launches([hanging.queue]):
        assert simulation.commits == commits + 1
        double(a, grid=4)
        assert simulation.commits == commits + 1
    assert simulation.commits == commits + 2


def test_a_trace_ends_when_everything_in_it_has_ended(allowed, hanging, monkeypatch, tmp_path):
    stopped = []
    stop = capture._stop

    def noted(device, *rest):
        stopped.append(device.queue.completed_serial == device.queue.open_serial - 1)
        stop(device, *rest)

    monkeypatch.setattr(capture, "_stop", noted)
    release = threading.Timer(0.1, lambda: hanging.bridge.simulation.configure(hang=False))
    with capture_trace(hanging, tmp_path / "a.gputrace"):
        double(zeros(hanging), grid=4)
        release.start()
    release.join()
    assert stopped == [True]
