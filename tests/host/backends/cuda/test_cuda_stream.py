"""CUDA's streams behind a driver that works late: order, batches, reports, events, limits."""

from __future__ import annotations

import gc
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from cuda_machine import CONTEXT, DryDriver, Fault, Launched, addressed_device, dry_device
from speedmetal.backends.cuda.driver import device as device_module
from speedmetal.backends.cuda.driver import stream
from speedmetal.backends.cuda.driver.library import SUCCESS
from speedmetal.backends.cuda.driver.stream import LIMITS
from speedmetal.backends.mailbox import PRINT_AREA, PRINT_CURSOR
from speedmetal.backends.stream import MAILBOXES_PENDING
from speedmetal.launch import direct
from speedmetal.profile import gpu_time

ILLEGAL_ADDRESS = 700
OTHER_CONTEXT = 0x1001
LENGTH = 8


@sm.kernel
def scaled(out, x, factor):
    i = sm.thread_position_in_grid().x
    out[i] = x[i] * factor


@sm.kernel
def checked(x):
    i = sm.thread_position_in_grid().x
    print("at", i)  # noqa: T201
    assert x[i] > 0, "not above 0"


def floats_at(address: int, count: int = LENGTH):
    return np.ctypeslib.as_array((np.ctypeslib.ctypes.c_float * count).from_address(address))


def words_at(address: int, count: int):
    return np.ctypeslib.as_array((np.ctypeslib.ctypes.c_uint32 * count).from_address(address))


def number(launch: Launched, place: int) -> int:
    return int.from_bytes(launch.bytes_of(place, 8), "little")


def scale(launch: Launched):
    """What ``scaled`` does, when it runs."""
    out, x = number(launch, 0), number(launch, 1)
    count, _, _, factor = struct.unpack("iiif", launch.bytes_of(2, 16))

    def run():
        floats_at(out, count)[:] = floats_at(x, count) * np.float32(factor)

    return run


def report(launch: Launched, *, place: int, fails: bool = True):
    """What ``checked`` does at one place, when it runs."""
    mailbox = number(launch, len(launch.parameters) - 1)

    def run():
        words = words_at(mailbox, PRINT_AREA + 3)
        assert not words[:2].any(), "the mailbox was not filled before"
        words[:2] = (int(fails), 1)  # at the second place that can: behind the index
        words[PRINT_CURSOR] = 3
        words[PRINT_AREA : PRINT_AREA + 3] = (0, place, 0)

    return run


@pytest.fixture
def driver():
    return DryDriver()


@pytest.fixture(params=["Python", "machine code"])
def device(driver, monkeypatch, request):
    driver.on_launch = scale
    if request.param == "Python":
        made = dry_device(driver)
    else:
        monkeypatch.setattr(direct, "LAUNCHES_BEFORE", 1)
        made = addressed_device(driver, monkeypatch)
    made.time_limit_seconds = 20
    return made


def array(device, *values):
    return sm.array(np.resize(np.array(values, np.float32), LENGTH), device=device)


def launch(device, out, x, factor=2.0):
    scaled(out, x, factor, grid=LENGTH, device=device)


# --- Order ---------------------------------------------------------------------------------------


def test_nothing_is_done_before_somebody_looks_and_all_of_it_in_order(device, driver):
    x, out = array(device, 1, 2, 3), array(device, 0)
    launch(device, out, x)
    launch(device, out, out, 10.0)
    assert any(driver.streams.values())
    assert out.numpy()[:3].tolist() == [20, 40, 60]
    assert not any(driver.streams.values())


def test_a_new_array_in_the_memory_of_an_old_one_waits_for_the_launches_that_use_it(device, driver):
    x, out = array(device, 1), array(device, 0)
    driver.is_held = True
    launch(device, out, x)
    address = x.address
    del x
    gc.collect()
    y = array(device, 7)
    assert y.address == address
    driver.is_held = False
    assert out.numpy()[0] == 2
    assert y.numpy()[0] == 7


def test_what_is_uploaded_may_be_changed_at_once(device, driver):
    driver.is_held = True
    content = np.ones(LENGTH, np.float32)
    x = sm.array(content, device=device)
    content[:] = 5
    y = sm.array(content, device=device)
    content[:] = 9
    driver.is_held = False
    assert (x.numpy()[0], y.numpy()[0]) == (1, 5)


def test_long_copies_wait_within_the_limit_before_the_driver_does_without_one(
    device, driver, monkeypatch
):
    monkeypatch.setattr(device_module, "STAGING_BYTES", 16)
    x, out = array(device, 1), array(device, 0)
    assert not driver.host_memory
    launch(device, out, x)
    assert out.numpy()[0] == 2
    launch(device, out, x)
    driver.is_held = True
    device.time_limit_seconds = 0.02
    for use in (out.numpy, lambda: array(device, 3)):
        with pytest.raises(sm.DeviceError, match="running or waiting: 'scaled'"):
            use()
    driver.is_held = False
    device.time_limit_seconds = 20
    assert out.numpy()[0] == 2


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["scale", "scale", "scale", "new", "read", "wait", "trim", "busy"]),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=25,
)


@given(OPERATIONS, st.booleans(), st.sampled_from([16, 1 << 20]))
def test_any_program_gives_what_numpy_gives(operations, is_eager, staging_bytes):
    driver = DryDriver()
    driver.on_launch = scale
    device = dry_device(driver)
    device.time_limit_seconds = 20
    driver.is_eager = is_eager
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device_module, "STAGING_BYTES", staging_bytes)
        ours = [array(device, n) for n in range(3)]
        theirs = [np.full(LENGTH, n, np.float32) for n in range(3)]
        for step, (what, one, other) in enumerate(operations):
            if what == "scale":
                launch(device, ours[one], ours[other], float(step % 3))
                theirs[one] = theirs[other] * np.float32(step % 3)
            elif what == "new":
                ours[one] = array(device, step)
                theirs[one] = np.full(LENGTH, step, np.float32)
            elif what == "read":
                np.testing.assert_array_equal(ours[one].numpy(), theirs[one])
            elif what == "wait":
                device.synchronize()
            elif what == "trim":
                device.empty_cache()
            else:
                # So long, a query finds nothing over; long copies wait for that.
                driver.busy_polls = 3 * other
        for mine, expected in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine.numpy(), expected)


# --- Batches -------------------------------------------------------------------------------------


def test_the_card_gets_each_launch_at_once_and_a_marker_behind_several(device, driver):
    x, out = array(device, 2.0**-127), array(device, 0)
    device.synchronize()
    driver.calls.clear()
    driver.is_held = True
    for count in range(1, 2 * LIMITS.launches + 2):
        launch(device, out, out if count > 1 else x)
        assert driver.calls.count("cuLaunchKernelEx") == count
        assert driver.calls.count("cuEventRecord") == count // LIMITS.launches
    assert device.stream.labels_in_flight() == ["scaled"] * (2 * LIMITS.launches + 1)
    driver.is_held = False
    assert out.numpy()[0] == 2.0 ** (2 * LIMITS.launches - 126)
    assert driver.calls.count("cuEventRecord") == 3  # the copy shares the third


def test_a_busy_card_is_not_asked_whether_it_is_idle(device, driver):
    x, out = array(device, 1), array(device, 0)
    launch(device, out, x)
    driver.is_held = True
    driver.calls.clear()
    for _ in range(LIMITS.launches - 2):
        launch(device, out, x)
    assert set(driver.calls) == {"cuLaunchKernelEx"}
    driver.is_held = False


def test_a_launch_while_another_is_given_to_the_driver_waits_and_leaves_its_arguments(
    device, driver
):
    """As finalisers and signal handlers do it, which come in the middle of anything."""
    x, y, out = array(device, 1), array(device, 3), array(device, 0)
    launch(device, out, x)  # what follows goes the short way

    def scale_after_another(asked: Launched):
        driver.on_launch = scale
        launch(device, out, out, 10.0)
        return scale(asked)

    driver.on_launch = scale_after_another
    launch(device, out, y, 5.0)
    assert out.numpy()[0] == 150


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_launch_where_another_context_is_current_is_done_all_the_same(device, driver, is_begun):
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    if is_begun:
        launch(device, x, x)
    driver.current[:] = [OTHER_CONTEXT]
    launch(device, out, x)
    assert driver.current == [OTHER_CONTEXT]
    driver.current.clear()
    launch(device, out, out)
    assert out.numpy()[0] == (8 if is_begun else 4)


def test_where_no_context_is_current_a_launch_leaves_the_cards(device, driver):
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    assert driver.current == []
    launch(device, out, x)
    assert driver.current == [CONTEXT]
    device.synchronize()
    assert driver.current == [CONTEXT]


def test_a_batch_that_gets_no_marker_is_done_all_the_same(device, driver):
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    device.stream._markers._idle[False].clear()
    driver.failures["cuEventCreate"] = [2]
    for _ in range(LIMITS.launches + 1):
        launch(device, out, x)
    assert not driver.failures["cuEventCreate"]
    assert out.numpy()[0] == 2


def test_markers_are_used_again(device, driver):
    x, out = array(device, 1), array(device, 0)
    for _ in range(20):
        for _ in range(LIMITS.launches + 1):
            launch(device, out, x)
        device.synchronize()
    assert driver.calls.count("cuEventCreate") <= 2 + LIMITS.in_flight
    assert driver.calls.count("cuEventRecord") >= 20


def test_what_is_over_soon_is_waited_for_without_a_marker(device, driver, monkeypatch):
    monkeypatch.setattr(stream, "_SOON_SECONDS", 60.0)  # however busy the machine is
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    driver.calls.clear()
    for _ in range(20):
        launch(device, out, x)
        driver.busy_polls = 3
        device.synchronize()
    assert out.numpy()[0] == 2
    assert "cuEventRecord" not in driver.calls
    assert driver.calls.count("cuStreamQuery") >= 80


def test_a_launch_without_a_marker_is_waited_for_all_the_same(device, driver):
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    driver.failures["cuEventRecord"] = [2]
    launch(device, out, x)
    device.synchronize()
    assert not any(driver.streams.values())
    assert out.numpy()[0] == 2


def test_a_signal_handler_that_launches_just_when_a_stream_is_over(
    device, driver, capsys, monkeypatch
):
    """What it asks for is not taken to be over as well, and its report is delivered."""
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    query, calls = device.stream._query, []

    def interrupted(native):
        code = query(native)
        if code == SUCCESS and not calls:
            calls.append(code)
            driver.on_launch = lambda launch: report(launch, place=4, fails=False)
            checked(x, grid=LENGTH, debug=1, device=device)
        return code

    monkeypatch.setattr(stream, "_SOON_SECONDS", 60.0)
    monkeypatch.setattr(device.stream, "_query", interrupted)
    launch(device, out, x)
    device.synchronize()
    assert calls
    assert not any(driver.streams.values())
    assert capsys.readouterr().out == "at 4\n"
    assert device.stream.pending_deliveries == 0


# --- Reports -------------------------------------------------------------------------------------


def test_reports_are_delivered_by_the_next_synchronisation_in_order(device, driver, capsys):
    places = iter(range(10))
    driver.on_launch = lambda launch: report(launch, place=next(places), fails=False)
    x = array(device, 1)
    for _ in range(4):
        checked(x, grid=LENGTH, debug=1, device=device)
    assert capsys.readouterr().out == ""
    device.synchronize()
    assert capsys.readouterr().out == "at 0\nat 1\nat 2\nat 3\n"
    device.synchronize()
    assert capsys.readouterr().out == ""


def test_a_failed_assertion_is_raised_by_whoever_waits(device, driver, capsys):
    driver.on_launch = lambda launch: report(launch, place=4)
    x = array(device, 0)
    device.synchronize()
    before = device.memory_info().bytes_in_use
    checked(x, grid=LENGTH, debug=1, device=device)
    with pytest.raises(sm.KernelError, match="kernel 'checked': assertion failed: not above 0"):
        x.numpy()
    assert capsys.readouterr().out == "at 4\n"
    assert x.numpy()[0] == 0
    assert device.memory_info().bytes_in_use == before


def test_a_report_outlives_a_later_launch_that_ends_the_context(device, driver, capsys):
    x, out = array(device, 1), array(device, 0)
    driver.on_launch = lambda launch: report(launch, place=4)
    checked(x, grid=LENGTH, debug=1, device=device)
    driver.on_launch = lambda _launch: illegal_access
    launch(device, out, x)
    with pytest.raises(sm.KernelError, match="assertion failed") as caught:
        device.synchronize()
    assert capsys.readouterr().out == "at 4\n"
    assert len(caught.value.__notes__) == 1
    assert "in one of the launches of 'checked', 'scaled'" in caught.value.__notes__[0]


def test_not_too_many_mailboxes_wait(device, driver):
    driver.on_launch = lambda launch: report(launch, place=0, fails=False)
    driver.busy_polls = 10**6
    x = array(device, 1)
    most = 0
    for count in range(2 * MAILBOXES_PENDING):
        if count == MAILBOXES_PENDING:
            driver.busy_polls = 0
        checked(x, grid=LENGTH, debug=1, device=device)
        most = max(most, device.stream.pending_deliveries)
    assert most == MAILBOXES_PENDING
    device.synchronize()
    assert device.stream.pending_deliveries == 0


# --- Failures ------------------------------------------------------------------------------------


def illegal_access():
    raise Fault(ILLEGAL_ADDRESS)


def test_all_kernels_in_flight_may_have_ended_the_context_and_it_is_told_once(device, driver):
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    driver.is_held = True
    driver.on_launch = lambda _launch: illegal_access
    launch(device, out, x)  # at once
    checked(x, grid=LENGTH, device=device)
    device.stream.flush()
    launch(device, out, x)
    driver.is_held = False
    with pytest.raises(sm.KernelError) as caught:
        device.synchronize()
    assert "in one of the launches of 'scaled', 'checked'; to find" in str(caught.value)
    assert not hasattr(caught.value, "__notes__")
    for use in (device.synchronize, out.numpy, lambda: launch(device, out, x)):
        with pytest.raises(sm.DeviceError, match="cuda failed before: CUDA_ERROR_700"):
            use()


def test_a_context_that_is_found_lost_by_a_launch_blames_what_ran_before(device, driver):
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    driver.on_launch = lambda _launch: illegal_access
    driver.is_eager = True
    checked(x, grid=LENGTH, device=device)  # fails at once; the marker behind it is refused
    with pytest.raises(sm.KernelError, match="in one of the launches of 'checked'; to find"):
        device.synchronize()
    assert out.size


def test_waiting_has_a_limit_and_the_device_stays_usable(device, driver):
    x, out = array(device, 1), array(device, 0)
    launch(device, out, x)
    driver.is_held = True
    device.time_limit_seconds = 0.02
    with pytest.raises(sm.DeviceError, match="still running or waiting: 'scaled'"):
        device.synchronize()
    driver.is_held = False
    device.synchronize()
    assert out.numpy()[0] == 2


# --- Events and several streams ------------------------------------------------------------------


@pytest.fixture
def on(device):
    """A launch on another stream than the device's own."""
    kernels = {}  # programs that nobody has are waited for

    def launch_on(stream, out, x, factor=2.0):
        kernel = kernels.setdefault(stream, sm.kernel(scaled.function))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(device, "stream", stream)  # where what is loaded now will run
            kernel(out, x, factor, grid=LENGTH, device=device)

    return launch_on


def test_a_stream_waits_for_another(device, driver, on):
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    other, event = device.new_stream(), device.new_event()
    for _ in range(3):
        launch(device, out, x)
        event.signal(device.stream)
        event.wait(other)
        on(other, x, out)
        event.signal(other)
        event.wait(device.stream)
    # The one that waits is looked at first: a wait that was lost would read what was there before.
    other.finish()
    assert x.numpy()[0] == 4.0**3


def test_without_an_event_the_streams_have_no_order(device, driver, on):
    """What the test before would see, were it not for the event."""
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    other = device.new_stream()
    launch(device, out, x)
    on(other, x, out)
    other.finish()
    device.synchronize()
    assert x.numpy()[0] == 0


def test_a_stream_waits_for_the_first_signal_that_suffices(device, driver):
    x, y = array(device, 1), array(device, 1)
    device.synchronize()
    driver.is_held = True
    other, event = device.new_stream(), device.new_event()
    launch(device, x, x)
    first = event.signal(device.stream)
    event.wait(other, first)
    launch(device, y, y)
    event.signal(device.stream)
    other.flush()
    (wait,) = [work for work in driver.streams[other.native.value] if work.waits_for is not None]
    driver.is_held = False
    while wait.waits_for.reached_at is None:
        event.value()
    assert (floats_at(x.address)[0], floats_at(y.address)[0]) == (2, 1)
    device.synchronize()
    assert floats_at(y.address)[0] == 2


def test_the_host_waits_for_a_stream(device, driver):
    x, out = array(device, 1), array(device, 0)
    event = device.new_event()
    launch(device, out, x)
    driver.is_held = True
    value = event.signal(device.stream)
    assert event.value() == 0
    with pytest.raises(sm.DeviceError, match=r"within 0.05 s: its value is 0, expected 1"):
        event.wait_on_host(0.05)
    driver.is_held = False
    event.wait_on_host(10)
    assert event.value() == value == 1
    assert floats_at(out.address)[0] == 2
    assert event.signal_from_host() == 2
    event.wait(device.stream)
    device.synchronize()


def test_a_signal_to_come_cannot_be_waited_for(device):
    event = device.new_event()
    with pytest.raises(sm.DeviceError) as caught:
        event.wait(device.stream, 1)
    assert str(caught.value) == (
        "cuda can wait for signals that were asked for; this event has 0 of them, expected 1:"
        " signal it first"
    )


def test_a_lost_context_lets_nobody_wait_for_its_signals(device, driver):
    x, out = array(device, 1), array(device, 0)
    other, event = device.new_stream(), device.new_event()
    driver.on_launch = lambda _launch: illegal_access
    launch(device, out, x)
    event.signal(device.stream)
    event.wait(other)
    event.wait_on_host(10)
    with pytest.raises(sm.KernelError, match="in one of the launches of 'scaled'"):
        device.synchronize()


def test_memory_that_two_streams_use_waits_for_both(device, driver, on):
    other = device.new_stream()
    x, out = array(device, 1), array(device, 0)
    device.synchronize()
    driver.is_held = True
    on(other, out, x)
    address = x.address
    del x
    gc.collect()
    y = array(device, 7)
    assert y.address != address
    driver.is_held = False
    device.synchronize()
    assert out.numpy()[0] == 2
    assert array(device, 7).address == address


# --- Times, forks --------------------------------------------------------------------------------


def test_the_cards_time_is_measured_where_somebody_asks(device, driver):
    x, out = array(device, 1), array(device, 0)
    launch(device, out, x)
    with gpu_time(device) as measured:
        launch(device, out, x)
        launch(device, out, x)
    # Of two launches one is done at once; of each, it and the marker behind it take a millisecond.
    assert [span.kernels for span in measured.spans] == [("scaled",), ("scaled",)]
    assert [span.end_seconds - span.start_seconds for span in measured.spans] == [
        pytest.approx(0.002),
        pytest.approx(0.002),
    ]
    first, second = measured.spans
    assert second.start_seconds == pytest.approx(first.end_seconds + 0.001)
    launch(device, out, x)
    device.synchronize()
    assert len(measured.spans) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_can_neither_launch_nor_wait_nor_ask_for_memory(device):
    x, out = array(device, 1), array(device, 0)
    uses = (lambda: launch(device, out, x), device.synchronize, lambda: array(device, 1), out.numpy)
    launch(device, out, x)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for use in uses:
                try:
                    use()
                except sm.DeviceError as error:
                    os.write(writer, f"{error}\n".encode())
            device.drain()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as told:
        lines = told.read().splitlines()
    assert len(lines) == len(uses)
    assert all("cuda cannot be used in a process that was forked" in line for line in lines)
    assert out.numpy()[0] == 2
