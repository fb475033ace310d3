"""Everything that can go wrong on a GPU, caused on purpose: what is raised, and what is left."""

import gc

import numpy as np
import pytest

from metal_machine import caching_machine, floats, launch, machine, number, pipeline, upload_array
from speedmetal.backends.metal.driver.address import BufferAddress
from speedmetal.backends.metal.driver.commands import Encoding
from speedmetal.backends.stream import MAILBOXES_PENDING
from speedmetal.errors import DeviceError, KernelError, SimulationError
from speedmetal.metal_simulator.api.configuration import CommandBufferFault

DOMAIN = "MTLCommandBufferErrorDomain"


def started(**configuration):
    device = machine(**configuration)
    return device, pipeline(device, "increment"), upload_array(device, np.zeros(8, np.float32))


def failing(code, text, *, at=0):
    return started(command_buffer_faults={at: CommandBufferFault(DOMAIN, code, text)})


# --- No device -----------------------------------------------------------------------------------


def test_no_device_says_why():
    with pytest.raises(DeviceError) as caught:
        machine(device_count=0)
    assert str(caught.value) == (
        "Metal has no GPU here: this process may run in a virtual machine without one, or in a"
        " session that may not use it (over ssh, as a service, or sandboxed); run it in the"
        " session of a user who is logged in at the screen"
    )


def test_a_virtual_machines_gpu_is_taken_as_it_is():
    device, state, buffer = started(name="Apple Paravirtual device", families=frozenset({1005}))
    assert device.description == "Apple Paravirtual device"
    launch(device, state, [buffer], grid=8)
    assert floats(device, buffer).tolist() == [1.0] * 8


# --- Command buffers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "text", "kind", "words"),
    [
        (
            1,
            "(0000000e:kIOGPUCommandBufferCallbackErrorImpactingInteractivity)",
            KernelError,
            ("kept the GPU from drawing the screen", "let each launch do less"),
        ),
        (14, "", KernelError, ("kept the GPU from drawing the screen",)),
        (2, "Caused GPU Timeout Error", KernelError, ("it ran for too long", "does not end")),
        (
            3,
            "Caused GPU Address Fault Error",
            KernelError,
            ("memory that is not its own", "debug=1"),
        ),
        (3, "Caused GPU Hang Error (00000003)", KernelError, ("the GPU hung", "barriers")),
        (8, "Insufficient Memory", DeviceError, ("had not enough memory", "delete arrays")),
        (9, "", KernelError, ("used a buffer that is gone",)),
        (11, "", DeviceError, ("the GPU is gone", "start the program again")),
        (12, "", KernelError, ("a kernel's calls went too deep",)),
        (4, "", DeviceError, ("macOS took the GPU away",)),
        (
            5,
            "Innocent Victim (kIOGPUCommandBufferCallbackErrorInnocentVictim)",
            DeviceError,
            ("again",),
        ),
        (1, "Internal Error", DeviceError, ("Metal's driver failed",)),
    ],
)
def test_a_failed_command_buffer_says_what_happened_and_what_to_do(code, text, kind, words):
    device, state, buffer = failing(code, text)
    launch(device, state, [buffer], grid=8, label="step")
    with pytest.raises(kind) as caught:
        device.synchronize()
    for word in (*words, f"{DOMAIN} {code}", "kernel 'step'", "on metal-sim"):
        assert word in str(caught.value)
    assert type(caught.value) is kind


def test_the_text_of_a_failure():
    device, state, buffer = failing(2, "Caused GPU Timeout Error", at=1)
    device.bridge.simulation.configure(hang=True)
    for name in ("first", "step", "jump", "step"):
        launch(device, state, [buffer], grid=8, label=name)
    device.queue.flush()
    device.bridge.simulation.configure(hang=False)
    with pytest.raises(KernelError) as caught:
        device.synchronize()
    assert str(caught.value) == (
        "it ran for too long, and macOS stopped it (MTLCommandBufferErrorDomain 2: Caused GPU"
        " Timeout Error); let each launch do less: a smaller grid, or fewer rounds of its loops; if"
        " it should not have run for long, look for a loop that does not end\n"
        "on metal-sim, in one of 3 launches that ran together, of kernels 'step', 'jump'; the"
        " results of all of them are undefined"
    )


def test_a_failure_is_raised_once_and_the_device_stays_usable():
    device, state, buffer = failing(8, "Insufficient Memory")
    launch(device, state, [buffer], grid=8)
    with pytest.raises(DeviceError):
        device.synchronize()
    device.synchronize()
    buffer.host[:] = 0
    launch(device, state, [buffer], grid=8)
    assert floats(device, buffer).tolist() == [1.0] * 8


def test_a_failure_of_an_early_command_buffer_is_not_lost_behind_later_ones():
    device, state, buffer = failing(2, "Timeout", at=1)
    for _ in range(5):
        launch(device, state, [buffer], grid=8)
        device.queue.flush()
    with pytest.raises(KernelError, match="it ran for too long"):
        device.synchronize()


def test_several_failures_are_told_together():
    faults = {n: CommandBufferFault(DOMAIN, 8, f"memory {n}") for n in range(3)}
    device, state, buffer = started(command_buffer_faults=faults)
    for _ in range(3):
        launch(device, state, [buffer], grid=8)
        device.queue.flush()
    with pytest.raises(DeviceError, match="memory 0") as caught:
        device.synchronize()
    assert len(caught.value.__notes__) == 2
    assert "memory 1" in caught.value.__notes__[0]
    assert "memory 2" in caught.value.__notes__[1]
    device.synchronize()


def test_a_lost_device_fails_each_time_and_never_hangs():
    device, state, buffer = started(device_lost=True)
    for _ in range(3):
        launch(device, state, [buffer], grid=8)
        with pytest.raises(DeviceError, match="the GPU is gone"):
            device.synchronize()


def test_what_the_simulator_finds_is_told_in_its_own_words():
    device = machine()
    buffer = upload_array(device, np.zeros(8, np.float32))
    launch(device, pipeline(device, "outside"), [buffer], grid=8, label="outside")
    with pytest.raises(SimulationError) as caught:
        device.synchronize()
    assert caught.value.kind == "out of bounds"
    assert "wrote element 100000 of buffer 0 ('a', 8 elements of float)" in str(caught.value)
    assert str(caught.value).endswith("\non metal-sim, in the launch of kernel 'outside'")


def test_memory_of_a_failed_batch_comes_back():
    device = caching_machine(command_buffer_faults={0: CommandBufferFault(DOMAIN, 2, "Timeout")})
    buffer = upload_array(device, np.zeros(8, np.float32))
    launch(device, pipeline(device, "increment"), [buffer], grid=8)
    used = buffer.address.buffer
    del buffer
    with pytest.raises(KernelError):
        device.synchronize()
    assert device.allocate(32).address.buffer is used


def test_events_of_a_failed_batch_are_signalled_by_hand():
    device, state, buffer = failing(2, "Timeout", at=1)
    device.time_limit_seconds = 10
    other = device.new_queue()
    event = device.new_event()
    launch(device, state, [buffer], grid=8)
    event.signal(device.queue)
    event.wait(other)
    launch(device, state, [buffer], grid=8, queue=other)
    other.finish()
    event.wait_on_host(10)
    with pytest.raises(KernelError, match="it ran for too long"):
        device.synchronize()


def test_a_hang_is_not_fatal():
    device, state, buffer = started(hang=True)
    device.time_limit_seconds = 0.05
    launch(device, state, [buffer], grid=8, label="spin")
    with pytest.raises(DeviceError) as caught:
        device.synchronize()
    assert "metal-sim has not finished after" in str(caught.value)
    assert "(the time limit is 0.05 s); still running or waiting: 'spin'" in str(caught.value)
    device.bridge.simulation.configure(hang=False)
    device.time_limit_seconds = None
    assert floats(device, buffer).tolist() == [1.0] * 8


# --- Encoding ------------------------------------------------------------------------------------


def test_a_launch_that_cannot_be_encoded_does_not_lose_the_others():
    device, state, buffer = started()
    launch(device, state, [buffer], grid=8, label="good")
    device.queue.dispatch(state, ["no buffer"], [0], b"", None, (), (8, 1, 1), (32, 1, 1), "bad", 0)
    launch(device, state, [buffer], grid=8, label="good")
    with pytest.raises(DeviceError) as caught:
        device.synchronize()
    assert "metal-sim: the launch of kernel 'bad' was not done: TypeError" in str(caught.value)
    device.synchronize()
    assert floats(device, buffer).tolist() == [2.0] * 8
    assert device.bridge.simulation.reports == ()


def test_an_interruption_while_encoding_leaves_a_clean_state(monkeypatch):
    device, state, buffer = started()
    real = Encoding.dispatch

    def interrupted(self, *_arguments):
        self._open_compute()
        monkeypatch.setattr(Encoding, "dispatch", real)
        raise KeyboardInterrupt

    monkeypatch.setattr(Encoding, "dispatch", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        launch(device, state, [buffer], grid=8)
    assert caught.value.__notes__ == ["metal-sim: 1 launches or copies may not have been done"]
    del caught  # its traceback holds the encoder
    gc.collect()
    device.synchronize()
    assert floats(device, buffer).tolist() == [0.0] * 8
    launch(device, state, [buffer], grid=8)
    assert floats(device, buffer).tolist() == [1.0] * 8
    assert device.bridge.simulation.reports == ()


def test_metal_that_gives_no_encoder_is_an_error_of_each_launch(monkeypatch):
    device, state, buffer = started()

    def refused(_self):
        raise DeviceError("Metal gives no encoder for kernels")

    with monkeypatch.context() as patch:
        patch.setattr(Encoding, "_open_compute", refused)
        launch(device, state, [buffer], grid=8, label="step")
    with pytest.raises(DeviceError) as caught:
        device.synchronize()
    assert str(caught.value) == (
        "metal-sim: the launch of kernel 'step' was not done: DeviceError: Metal gives no encoder"
        " for kernels"
    )


# --- Mailboxes -----------------------------------------------------------------------------------


def report(device, state, buffer, deliver, value=1):
    def run(values):
        address = values[0]
        assert isinstance(address, BufferAddress)
        place = (address.buffer, address.offset)
        launch(device, state, [buffer], packed=number(value), mailbox=place, label="report")

    device.run_with_mailbox(run, [0], np.zeros(16, np.uint32), deliver)


def test_mailboxes_are_delivered_in_launch_order_when_the_launches_have_finished():
    device = machine()
    buffer, state = upload_array(device, np.zeros(8, np.float32)), pipeline(device, "report")
    seen = []
    for value in range(10, 20):
        report(device, state, buffer, lambda words: seen.append(int(words[0])), value)
    assert seen == []
    device.synchronize()
    assert seen == list(range(10, 20))
    device.synchronize()
    assert len(seen) == 10


def test_a_kernels_error_does_not_lose_what_others_print():
    device = machine()
    buffer, state = upload_array(device, np.zeros(8, np.float32)), pipeline(device, "report")
    seen = []

    def deliver(words):
        seen.append(int(words[0]))
        if words[0] % 2:
            raise KernelError(f"number {words[0]}")

    for value in range(4):
        report(device, state, buffer, deliver, value)
    with pytest.raises(KernelError, match="number 1") as caught:
        device.synchronize()
    assert caught.value.__notes__ == ["and after it: KernelError: number 3"]
    assert seen == [0, 1, 2, 3]
    device.synchronize()


def test_mailboxes_do_not_pile_up():
    device = machine()
    buffer, state = upload_array(device, np.zeros(8, np.float32)), pipeline(device, "report")
    seen = []
    for value in range(MAILBOXES_PENDING + 1):
        report(device, state, buffer, lambda words: seen.append(int(words[0])), value)
    assert seen == list(range(MAILBOXES_PENDING))


def test_half_a_report_of_a_failed_launch_is_not_an_error_of_its_own():
    device = machine(command_buffer_faults={0: CommandBufferFault(DOMAIN, 2, "Timeout")})
    buffer, state = upload_array(device, np.zeros(8, np.float32)), pipeline(device, "report")

    def deliver(_words):
        raise IndexError("no such site")

    report(device, state, buffer, deliver)
    with pytest.raises(KernelError, match="it ran for too long") as caught:
        device.synchronize()
    assert not hasattr(caught.value, "__notes__")
    report(device, state, buffer, deliver)
    with pytest.raises(IndexError, match="no such site"):
        device.synchronize()


def test_a_launch_that_fails_before_it_is_asked_for_leaves_no_mailbox():
    device = machine()

    def run(_values):
        raise DeviceError("refused")

    with pytest.raises(DeviceError, match="refused"):
        device.run_with_mailbox(run, [0], np.zeros(16, np.uint32), lambda _: None)
    buffer, state = upload_array(device, np.zeros(8, np.float32)), pipeline(device, "report")
    place = (buffer.address.buffer, 0)
    launch(device, state, [buffer], packed=number(1), mailbox=place)
    assert device.queue.pending_deliveries == 0
    device.synchronize()
