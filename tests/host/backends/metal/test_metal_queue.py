"""Queues: batches, order, few messages, events, and waiting with a limit."""

from dataclasses import replace

import numpy as np
import pytest

from metal_machine import floats, launch, machine, number, pipeline, upload_array
from speedmetal.backends.metal.driver.errors import FAULTS
from speedmetal.backends.metal.driver.queue import LIMITS
from speedmetal.errors import DeviceError


def arrays(device, count=64):
    values = np.arange(count, dtype=np.float32)
    return [
        upload_array(device, values),
        upload_array(device, values),
        upload_array(device, values * 0),
    ]


def test_a_launch_runs_over_the_whole_grid_and_not_beyond():
    device = machine()
    a, b, c = arrays(device, 1003)
    launch(device, pipeline(device, "add"), [a, b, c], packed=number(1003), grid=1003, threads=256)
    assert floats(device, c).tolist() == (2 * np.arange(1003)).tolist()


def test_launches_see_the_results_of_those_before():
    device = machine()
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    for _ in range(3 * LIMITS.launches + 1):
        launch(device, state, [buffer], grid=64)
    expected = np.arange(64) + 3 * LIMITS.launches + 1
    assert floats(device, buffer).tolist() == expected.tolist()


def test_offsets_reach_the_kernel():
    device = machine()
    (buffer, *_) = arrays(device)
    moved = buffer.address + 16
    device.queue.dispatch(
        pipeline(device, "increment"),
        [moved.buffer],
        [moved.offset],
        b"",
        None,
        (),
        (4, 1, 1),
        (32, 1, 1),
        "increment",
        0,
    )
    expected = np.arange(64)
    expected[4:8] += 1
    assert floats(device, buffer).tolist() == expected.tolist()


@pytest.mark.parametrize("has_mailbox", [False, True])
def test_arguments_too_long_for_set_bytes_go_through_a_buffer(has_mailbox):
    device = machine()
    (buffer, *_) = arrays(device, 1)
    mailbox = (device.allocate(64).address.buffer, 0) if has_mailbox else None
    values = np.arange(2048, dtype=np.float32) % 7
    state = pipeline(device, "sum_arguments")
    launch(device, state, [buffer], packed=values.tobytes(), mailbox=mailbox)
    assert floats(device, buffer).tolist() == [values.sum()]


@pytest.mark.parametrize("pad", [0, 8192])
def test_the_mailbox_stands_behind_the_arguments(pad):
    device = machine()
    (buffer, *_) = arrays(device, 1)
    mailbox = device.allocate(64)
    mailbox.host[:] = 0
    launch(
        device,
        pipeline(device, "report"),
        [buffer],
        packed=number(77) + bytes(pad),
        mailbox=(mailbox.address.buffer, 16),
    )
    device.synchronize()
    assert mailbox.host.view(np.uint32)[4] == 77


def test_threadgroup_memory_is_rounded_up_and_changes_between_launches():
    device = machine()
    state = pipeline(device, "through_threadgroup")
    plain = pipeline(device, "increment")
    for count in (8, 5, 32, 1):
        values = np.arange(count, dtype=np.float32)
        buffer = upload_array(device, values)
        lengths = (4 * count, 4 * count)
        packed = number(count)
        launch(device, state, [buffer], packed=packed, grid=count, lengths=lengths)
        launch(device, plain, [buffer], grid=count)
        assert floats(device, buffer).tolist() == (2 * values[::-1] + 1).tolist()


def test_threadgroup_memory_of_an_earlier_launch_does_not_count():
    device = machine(hang=True)
    two, one = pipeline(device, "through_threadgroup"), pipeline(device, "through_one")
    buffer = upload_array(device, np.ones(8, np.float32))
    launch(device, one, [buffer], grid=8, lengths=(32,))
    launch(device, two, [buffer], packed=number(8), grid=8, lengths=(16384, 16384))
    launch(device, one, [buffer], grid=8, lengths=(32768,))
    device.bridge.simulation.configure(hang=False)
    assert floats(device, buffer).tolist() == [5.0] * 8


# --- Messages and batches ------------------------------------------------------------------------


def messages(device, action):
    before = device.bridge.simulation.messages
    action()
    return device.bridge.simulation.messages - before


def test_a_launch_takes_three_messages_in_a_batch():
    device = machine(hang=True)
    state = pipeline(device, "add")
    buffers = arrays(device)

    def one():
        launch(device, state, buffers, packed=number(64), grid=64)

    one()  # at once, since nothing runs
    one()
    assert messages(device, one) == 0
    two = messages(device, device.queue.flush)
    for _ in range(12):
        one()
    assert messages(device, device.queue.flush) == two + 10 * 3
    device.bridge.simulation.configure(hang=False)
    assert floats(device, buffers[2])[3] == 6


def test_an_idle_gpu_gets_work_at_once_and_a_busy_one_gets_it_together():
    device = machine()
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    for round_ in range(3):
        launch(device, state, [buffer], grid=64)
        assert device.queue.open_serial == round_ + 2
        device.queue.finish()
    device.bridge.simulation.configure(hang=True)
    for _ in range(10):
        launch(device, state, [buffer], grid=64)
    assert device.queue.open_serial == 5
    device.bridge.simulation.configure(hang=False)
    assert floats(device, buffer)[0] == 13


def test_a_batch_is_committed_when_it_is_full():
    device = machine(hang=True)
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    launch(device, state, [buffer], grid=64)
    for _ in range(LIMITS.launches):
        assert device.queue.open_serial == 2
        launch(device, state, [buffer], grid=64)
    assert device.queue.open_serial == 3
    device.queue.limits = replace(LIMITS, touched_bytes=1000)
    launch(device, state, [buffer], grid=64, touched_bytes=999)
    assert device.queue.open_serial == 3
    launch(device, state, [buffer], grid=64, touched_bytes=1)
    assert device.queue.open_serial == 4
    device.bridge.simulation.configure(hang=False)
    device.synchronize()


def test_no_more_than_so_many_batches_are_in_flight():
    device = machine()
    device.queue.limits = replace(LIMITS, launches=1)
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    for _ in range(10 * LIMITS.in_flight):
        launch(device, state, [buffer], grid=64)
        in_flight = device.queue.open_serial - 1 - device.queue.completed_serial
        assert in_flight <= LIMITS.in_flight
    assert floats(device, buffer)[0] == 10 * LIMITS.in_flight


def test_the_gpus_times_are_recorded_for_each_batch():
    device = machine()
    seen = []
    device.queue.recorder = seen.append
    device.queue.limits = replace(LIMITS, launches=2)
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    device.bridge.simulation.configure(hang=True)
    for name in "abcd":
        launch(device, state, [buffer], grid=64, label=name)
    device.bridge.simulation.configure(hang=False)
    device.synchronize()
    assert [timing.labels for timing in seen] == [("a",), ("b", "c"), ("d",)]
    assert all(timing.end_seconds >= timing.start_seconds > 0 for timing in seen)
    device.queue.recorder = None
    launch(device, state, [buffer], grid=64)
    device.synchronize()
    assert len(seen) == 3


def test_annotated_launches_compute_the_same():
    device = machine()
    device.queue.annotates = True
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    for _ in range(3):
        launch(device, state, [buffer], grid=64)
    assert floats(device, buffer)[0] == 3


# --- Events --------------------------------------------------------------------------------------


def test_a_queue_waits_for_another():
    device = machine()
    other = device.new_queue()
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    event = device.new_event()
    for _ in range(20):
        launch(device, state, [buffer], grid=64)
        event.signal(device.queue)
        event.wait(other)
        launch(device, state, [buffer], grid=64, queue=other)
        event.signal(other)
        event.wait(device.queue)
    assert floats(device, buffer)[0] == 40


def test_the_host_waits_for_a_queue():
    device = machine()
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    event = device.new_event()
    launch(device, state, [buffer], grid=64)
    event.signal(device.queue)
    event.wait_on_host(10)
    assert buffer.host.view(np.float32)[0] == 1


def test_a_queue_waits_for_the_host():
    device = machine()
    state = pipeline(device, "increment")
    (buffer, *_) = arrays(device)
    event = device.new_event()
    event.wait(device.queue, 1)
    launch(device, state, [buffer], grid=64)
    device.queue.flush()
    device.time_limit_seconds = 0.05
    with pytest.raises(DeviceError, match="has not finished after"):
        device.synchronize()
    assert event.signal_from_host() == 1
    device.time_limit_seconds = None
    assert floats(device, buffer)[0] == 1


def test_the_host_does_not_wait_for_ever():
    event = machine().new_event()
    with pytest.raises(DeviceError) as caught:
        event.wait_on_host(0.01, 3)
    assert str(caught.value) == (
        "an event was not signalled within 0.01 s: its value is 0, expected 3"
    )


# --- The table of faults -------------------------------------------------------------------------


def test_the_table_of_faults_has_the_sdks_codes():
    metal = machine().bridge.Metal
    named = [fault for fault in FAULTS if fault.constant]
    assert len(named) >= 8
    for fault in named:
        assert getattr(metal, fault.constant) == fault.code, fault.constant
