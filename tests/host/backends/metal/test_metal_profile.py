"""`sm.profile`: time on devices, names, traces."""

from __future__ import annotations

import time
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal import profile
from speedmetal.arrays.deferred import wording
from speedmetal.backends.cpu import driver
from speedmetal.backends.launch_names import Naming
from speedmetal.errors import DeviceError, KernelError, UserInputError
from speedmetal.profile import DeviceTime, Span


@sm.kernel
def double(a):
    i = sm.thread_position_in_grid().x
    a[i] = 2 * a[i]


@sm.kernel
def outside(a, index):
    a[index] = 1.0


@pytest.fixture(params=["cpu", "metal-sim"])
def device(request):
    return sm.device(request.param)


def test_time_is_that_of_the_launches_inside(device):
    a = sm.array(np.ones(1000, np.float32), device=device)
    double(a, grid=1000)  # compiled, and still running perhaps
    started = time.perf_counter()
    with sm.profile.gpu_time(device) as measured:
        for _ in range(3):
            double(a, grid=1000)
        time.sleep(0.05)
    elapsed = time.perf_counter() - started
    assert 0 < measured.seconds < elapsed - 0.05
    names = [name for span in measured.spans for name in span.kernels]
    assert names == ["double"] * 3
    assert a.numpy().tolist() == [16.0] * 1000


def test_what_is_outside_does_not_count(device):
    a = sm.array(np.ones(8, np.float32), device=device)
    with sm.profile.gpu_time(device) as measured:
        pass
    double(a, grid=8)
    sm.synchronize()
    assert measured.seconds == 0
    assert measured.spans == []


def test_measurements_nest(device):
    a = sm.array(np.ones(8, np.float32), device=device)
    with sm.profile.gpu_time(device) as outer:
        double(a, grid=8)
        with sm.profile.gpu_time(device) as inner:
            double(a, grid=8)
    assert len(outer.spans) == 2
    assert len(inner.spans) == 1
    assert inner.spans[0] == outer.spans[1]


def test_nothing_is_left_behind(device):
    with pytest.raises(ZeroDivisionError), sm.profile.gpu_time(device):
        raise ZeroDivisionError
    assert driver.recorders == []
    if device.name != "cpu":
        assert device.queue.recorder is None
        assert device.queue.label_list is list
    assert Naming.count == 0


def test_failures_inside_come_out():
    device = sm.device("metal-sim")
    a = sm.zeros(4, device=device)
    with pytest.raises(KernelError, match="index out of bounds"), sm.profile.gpu_time(device):
        outside(a, 9, grid=1, debug=1)
    sm.synchronize()


_SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=8)


@given(_SPANS)
def test_overlapping_spans_count_once(spans):
    spans = [Span((), float(start), float(start + length)) for start, length in spans]
    covered = {second for s in spans for second in range(int(s.start_seconds), int(s.end_seconds))}
    assert DeviceTime(spans).seconds == len(covered)


# --- Names ---------------------------------------------------------------------------------------


@contextmanager
def busy(device):
    """What is launched first stays in execution until the end: the rest is collected meanwhile."""
    device.bridge.simulation.configure(hang=True)
    try:
        yield
    finally:
        device.bridge.simulation.configure(hang=False)


def test_names_are_in_the_record():
    """Proves that launches are recorded under their labels, and that labels part batches."""
    device = sm.device("metal-sim")
    a = sm.zeros(8, device=device)
    with sm.profile.gpu_time(device) as measured, busy(device):
        double(a, grid=8)
        double(a, grid=8)
        with sm.profile.label("step"), sm.profile.label("forward"):
            double(a, grid=8)
            double(a, grid=8)
    assert [span.kernels for span in measured.spans] == [
        ("double",),
        ("double",),
        ("step/forward/double", "step/forward/double"),
    ]
    assert not device.queue.annotates


def names_in(measured):
    return [name for span in measured.spans for name in span.kernels]


def assign_a_product(a, b):
    out = sm.empty(a.shape, device=a.device)
    out[...] = a * b


COMPUTED = {
    "sqrt(a * a + b * b) * 0.5 [copy]": lambda a, b: sm.eval(sm.sqrt(a * a + b * b) * 0.5),
    "sum(a * b) [reduce_rows]": lambda a, b: sm.eval(sm.sum(a * b, axis=1)),
    "a + b and a - b [copy_together]": lambda a, b: sm.eval(a - b, a + b),
    "map(a + 1.0, b) [map_elements]": lambda a, b: sm.map(max, a + 1, b),
    "a * b [copy]": assign_a_product,
}


@pytest.mark.parametrize("name", COMPUTED)
def test_lazy_arrays_are_named_by_what_is_computed(name, device):
    """Proves that the record has the expression, and that the kernel's name is found in it."""
    a, b = (sm.array(np.ones((50, 60), np.float32), device=device) for _ in range(2))
    with sm.profile.gpu_time(device) as measured:
        COMPUTED[name](a, b)
    assert set(names_in(measured)) == {name}


def test_what_several_kernels_compute_has_one_name(device):
    a = sm.array(np.ones(300_000, np.float32), device=device)
    with sm.profile.gpu_time(device) as measured:
        sm.eval(sm.cumulative_sum(a * 2))  # which reads elements twice
        double(a, grid=4)
    first, *computed, last = names_in(measured)
    assert first == "a * 2.0 [copy]"
    assert len(computed) > 1
    assert all(name.startswith("cumulative_sum(a) [") for name in computed)
    assert last == "double"


def test_long_names_are_cut(device):
    x = a = sm.array(np.ones(8, np.float32), device=device)
    for number in range(40):
        x = x * a + number
    with sm.profile.gpu_time(device) as measured:
        sm.eval(x)
    (name,) = names_in(measured)
    assert name.endswith(" ... [copy]")
    assert len(name) < 100


def test_labels_stand_before_what_is_computed():
    device = sm.device("metal-sim")
    a = sm.zeros(8, device=device)
    with sm.profile.gpu_time(device) as measured, sm.profile.label("forward"):
        sm.eval(a + 1)
    assert names_in(measured) == ["forward/a + 1.0 [copy]"]


def test_without_a_record_nothing_is_named(device, monkeypatch):
    """Proves that evaluations do not pay for names that nobody reads."""
    monkeypatch.setattr(wording, "described", lambda _: pytest.fail("nobody reads it"))
    a = sm.array(np.ones(8, np.float32), device=device)
    sm.eval(a + 1, sm.sum(a * 2))
    a[...] = a * 3
    sm.synchronize()


def test_names_are_in_the_messages_of_failures():
    @sm.kernel
    def far(a):
        a[sm.thread_position_in_grid().x + 1_000_000] = 1.0

    device = sm.device("metal-sim")
    a = sm.zeros(8, device=device)
    with sm.profile.label("backward"):
        far(a, grid=1)
    with pytest.raises(KernelError, match="backward/far"):
        sm.synchronize()


@pytest.mark.parametrize("name", ["", None, 3])
def test_names_are_texts(name):
    message = "expected a name as a text that is not empty"
    with pytest.raises(UserInputError, match=message), sm.profile.label(name):
        pytest.fail("nothing may run")


# --- Traces --------------------------------------------------------------------------------------


def test_traces_are_for_metal_devices(tmp_path):
    path = tmp_path / "a.gputrace"
    with pytest.raises(DeviceError) as caught, sm.profile.capture(path, device="cpu"):
        pytest.fail("nothing may run")
    assert str(caught.value) == (
        "GPU traces are made by Metal devices, and this is cpu; name one: device='metal'"
    )


def test_a_trace_of_the_default_device(monkeypatch, tmp_path):
    monkeypatch.setenv("MTL_CAPTURE_ENABLED", "1")
    path = tmp_path / "a.gputrace"
    device = sm.device("metal-sim")
    a = sm.array(np.ones(8, np.float32), device=device)
    with device, profile.capture(str(path)):
        double(a, grid=8)
    assert path.exists()
    assert a.numpy().tolist() == [2.0] * 8
