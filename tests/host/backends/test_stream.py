"""Streams without a device: order, batches, failures that come later, waiting, events, forks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.backends.event import Event
from speedmetal.backends.stream import Stream, finish_all, raise_first
from speedmetal.backends.submission import BatchLimits, Status
from speedmetal.errors import DeviceError, KernelError

LIMITS = BatchLimits(launches=4, touched_bytes=1000, in_flight=2)


class Given:
    """What a recording stream was given at once."""

    def __init__(self, stream: RecordingStream) -> None:
        self.stream = stream
        self.commands: tuple[str, ...] = ()
        self.state = Status.RUNNING
        self.looks = 0

    def start(self, commands: Sequence[str]) -> list[tuple[str | None, Exception]]:
        self.stream.before_start(self)
        self.commands = tuple(commands)
        self.stream.given.append(self)
        self.stream.after_start(self)
        bad = [command for command in commands if command.startswith("bad")]
        return [(None if "copy" in c else c, ValueError(f"{c} cannot be")) for c in bad]

    def is_started(self) -> bool:
        return self in self.stream.given

    def status(self) -> Status:
        self.looks += 1
        if self.state is Status.RUNNING and self.stream.finishes(self):
            self.state = Status.DONE
            for command in self.commands:
                self.stream.ran.append(command)
        return self.state

    def failure(self, labels: Sequence[str]) -> Exception:
        return KernelError(f"failed: {', '.join(labels)}")

    def times(self) -> tuple[float, float]:
        begin = float(self.stream.given.index(self))
        return begin, begin + 0.5


class RecordingStream(Stream[str]):
    """A stream of texts, which writes down what it is given and ends it when a test says so.

    Attributes:
        given: All submissions, in order.
        ran: The commands of those that ended well.
        is_held: Whether submissions go on running.
    """

    def __init__(self, limits: BatchLimits = LIMITS) -> None:
        super().__init__("recorder", limits)
        self.given: list[Given] = []
        self.ran: list[str] = []
        self.is_held = True
        self.time_limit_seconds = 10
        self.before_start = self.after_start = lambda _given: None

    def new_submission(self) -> Given:
        return Given(self)

    def finishes(self, one: Given) -> bool:
        return not self.is_held and all(
            e.counter >= value for e, value in map(waited, one.commands) if e is not None
        )

    def ask(self, *commands: str, touched_bytes: int = 0, mailbox: object = None) -> None:
        for command in commands:
            self.launch(command, command, touched_bytes, mailbox)

    @property
    def batches(self) -> list[tuple[str, ...]]:
        return [one.commands for one in self.given]


def busy(limits: BatchLimits = LIMITS) -> RecordingStream:
    """A stream whose first submission, of ``"first"``, runs on."""
    stream = RecordingStream(limits)
    stream.ask("first")
    assert stream.batches == [("first",)]
    return stream


def asked_with(stream: RecordingStream, name: str, deliver) -> None:
    stream.with_delivery(deliver, lambda: stream.ask(name, mailbox="mailbox"))


# --- Order and batches ---------------------------------------------------------------------------


def test_an_idle_device_gets_a_launch_at_once_and_a_busy_one_what_has_gathered():
    stream = busy()
    stream.ask("a", "b")
    stream.submit("copy")
    assert stream.batches == [("first",)]
    stream.flush()
    assert stream.batches == [("first",), ("a", "b", "copy")]
    stream.is_held = False
    stream.finish()
    stream.ask("c")
    assert stream.batches[-1] == ("c",)


def test_a_copy_alone_waits_to_be_flushed():
    stream = RecordingStream()
    stream.submit("copy")
    assert stream.batches == []
    assert (stream.open_serial, stream.last_serial, stream.completed_serial) == (1, 1, 0)
    stream.flush()
    assert stream.batches == [("copy",)]


def test_a_batch_is_full_by_its_launches_or_by_the_bytes_that_they_touch():
    stream = busy()
    stream.ask("a", "b", "c")
    assert len(stream.batches) == 1
    stream.ask("d")
    assert stream.batches[1:] == [("a", "b", "c", "d")]
    stream.ask("e", touched_bytes=999)
    assert len(stream.batches) == 2
    stream.given[0].state = Status.DONE
    stream.ask("f", touched_bytes=1)
    assert stream.batches[2:] == [("e", "f")]
    stream.ask("g")
    assert len(stream.batches) == 3


def test_nothing_is_submitted_that_nobody_asked_for():
    stream = RecordingStream()
    stream.flush()
    stream.synchronize()
    assert stream.batches == []
    assert stream.open_serial == 1


def test_the_next_batch_waits_for_the_oldest_where_too_much_is_in_flight():
    stream = busy()
    for name in "ab":
        stream.ask(name)
        if name == "a":
            stream.flush()
    stream.given[0].state = Status.DONE
    stream.flush()
    assert stream.batches == [("first",), ("a",), ("b",)]
    assert stream.completed_serial == 1
    stream.time_limit_seconds = 0.01
    stream.ask("c")
    with pytest.raises(DeviceError, match="still running or waiting: 'a', 'b', 'c'"):
        stream.flush()


OPERATIONS = st.lists(st.sampled_from(["launch", "copy", "flush", "poll", "end", "synchronize"]))


@given(OPERATIONS, st.integers(1, 4), st.integers(0, 3))
def test_what_is_asked_first_is_done_first(operations, launches, in_flight):
    stream = RecordingStream(BatchLimits(launches, 10**9, max(in_flight, 1)))
    stream.is_held = False
    asked: list[str] = []
    for number, operation in enumerate(operations):
        stream.is_held = operation in ("launch", "copy") and len(stream._in_flight) < in_flight
        if operation == "launch":
            asked.append(f"launch {number}")
            stream.ask(asked[-1])
        elif operation == "copy":
            asked.append(f"copy {number}")
            stream.submit(asked[-1])
        elif operation == "flush":
            stream.flush()
        elif operation == "poll":
            stream.poll()
        elif operation == "synchronize":
            stream.synchronize()
            assert stream.ran == asked
            assert stream.completed_serial == stream.open_serial - 1
        assert [c for batch in stream.batches for c in batch] == asked[
            : sum(map(len, stream.batches))
        ]
        assert stream.completed_serial <= stream.last_serial <= stream.open_serial
        assert stream.ran == asked[: len(stream.ran)]
    stream.is_held = False
    stream.synchronize()
    assert stream.ran == asked
    for batch in stream.batches:
        assert sum(command.startswith("launch") for command in batch) <= launches


# --- Failures ------------------------------------------------------------------------------------


def test_a_failure_is_raised_once_by_the_next_synchronisation():
    stream = busy()
    stream.ask("a", "b")
    stream.flush()
    stream.given[0].state = Status.DONE
    stream.given[1].state = Status.FAILED
    stream.poll()
    stream.ask("c")
    stream.is_held = False
    with pytest.raises(KernelError, match=r"^failed: a, b$"):
        stream.synchronize()
    assert stream.ran == ["c"]
    stream.synchronize()


def test_several_failures_are_told_together_in_their_order():
    stream = busy()
    stream.ask("a")
    stream.flush()
    for one in stream.given:
        one.state = Status.FAILED
    with pytest.raises(KernelError, match="failed: first") as caught:
        stream.synchronize()
    assert caught.value.__notes__ == ["and after it: KernelError: failed: a"]


def test_what_cannot_be_given_does_not_lose_the_others():
    stream = busy()
    stream.is_held = False
    stream.ask("a", "bad", "b")
    stream.submit("bad copy")
    with pytest.raises(DeviceError) as caught:
        stream.synchronize()
    assert str(caught.value) == (
        "recorder: the launch of kernel 'bad' was not done: ValueError: bad cannot be"
    )
    assert caught.value.__notes__ == [
        "and after it: DeviceError: recorder: a copy was not done: ValueError: bad copy cannot be"
    ]
    assert {"a", "b"} <= set(stream.ran)


def test_a_device_that_takes_nothing_now_is_an_error_of_what_was_asked(monkeypatch):
    stream = RecordingStream()
    stream.is_held = False

    def refused():
        raise DeviceError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(stream, "new_submission", refused)
        stream.ask("a")
    with pytest.raises(DeviceError) as caught:
        stream.synchronize()
    assert str(caught.value) == (
        "recorder: the launch of kernel 'a' was not done: DeviceError: no room"
    )
    stream.ask("b")
    stream.synchronize()
    assert stream.ran == ["b"]


@pytest.mark.parametrize("is_started", [False, True])
def test_an_interruption_leaves_nothing_to_wait_for_that_never_began(is_started):
    stream = RecordingStream()

    def interrupted(_given):
        raise KeyboardInterrupt

    setattr(stream, "after_start" if is_started else "before_start", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        stream.ask("a")
    assert caught.value.__notes__ == ["recorder: 1 launches or copies may not have been done"]
    stream.before_start = stream.after_start = lambda _given: None
    stream.time_limit_seconds = 0.01
    if is_started:
        with pytest.raises(DeviceError, match="has not finished"):
            stream.synchronize()
        stream.is_held = False
    stream.synchronize()
    assert stream.ran == (["a"] if is_started else [])


# --- Mailboxes -----------------------------------------------------------------------------------


def test_mailboxes_are_read_in_launch_order_when_the_launches_have_finished():
    stream = busy()
    seen: list[str] = []
    for name in "abc":
        asked_with(stream, name, lambda name=name: seen.append(name))
    assert stream.pending_deliveries == 3
    stream.is_held = False
    stream.finish()
    assert seen == []
    stream.synchronize()
    assert seen == ["a", "b", "c"]
    assert stream.pending_deliveries == 0
    stream.synchronize()
    assert len(seen) == 3


def test_a_kernels_error_loses_no_other_print():
    stream = busy()
    seen: list[str] = []

    def deliver(name: str) -> None:
        seen.append(name)
        if name != "b":
            raise KernelError(f"in {name}")

    for name in "abc":
        asked_with(stream, name, lambda name=name: deliver(name))
    stream.is_held = False
    with pytest.raises(KernelError, match="in a") as caught:
        stream.synchronize()
    assert caught.value.__notes__ == ["and after it: KernelError: in c"]
    assert seen == ["a", "b", "c"]


@pytest.mark.parametrize("has_failed", [False, True])
def test_half_a_report_counts_only_where_the_launch_ended(has_failed):
    stream = RecordingStream()

    def deliver() -> None:
        raise IndexError("no such site")

    asked_with(stream, "a", deliver)
    stream.given[0].state = Status.FAILED if has_failed else Status.DONE
    with pytest.raises(KernelError if has_failed else IndexError) as caught:
        stream.synchronize()
    assert not hasattr(caught.value, "__notes__")


def test_a_launch_that_was_never_asked_for_leaves_no_mailbox():
    stream = RecordingStream()

    def refused() -> None:
        raise DeviceError("refused")

    with pytest.raises(DeviceError, match="refused"):
        stream.with_delivery(lambda: None, refused)
    stream.ask("a", mailbox="mailbox")
    assert stream.pending_deliveries == 0


# --- Waiting -------------------------------------------------------------------------------------


def test_waiting_ends_at_the_time_limit_and_the_stream_stays_usable():
    stream = busy()
    stream.ask("a", "a")
    stream.time_limit_seconds = 0.02
    with pytest.raises(DeviceError) as caught:
        stream.synchronize()
    assert "recorder has not finished after 0.0 s (the time limit is 0.02 s)" in str(caught.value)
    assert "still running or waiting: 'first', 'a'; look for a loop" in str(caught.value)
    stream.is_held = False
    stream.synchronize()
    assert stream.ran == ["first", "a", "a"]


def test_a_copy_that_does_not_end_is_called_one():
    stream = RecordingStream()
    stream.submit("copy")
    stream.time_limit_seconds = 0
    with pytest.raises(DeviceError, match="still running or waiting: copies;"):
        stream.synchronize()


def test_a_launch_in_the_middle_of_a_submission_comes_into_the_next_one():
    stream = RecordingStream()

    def launch_more(_given) -> None:
        stream.before_start = lambda _given: None
        stream.ask("from a finaliser")
        stream.flush()
        stream.poll()
        with pytest.raises(DeviceError, match="inside a finaliser or signal handler"):
            stream.finish()

    stream.before_start = launch_more
    stream.ask("a")
    assert stream.batches == [("a",)]
    stream.is_held = False
    stream.synchronize()
    assert stream.batches == [("a",), ("from a finaliser",)]


def test_times_are_told_of_what_the_device_had():
    stream = busy()
    seen = []
    stream.recorder = seen.append
    stream.ask("a", "b")
    stream.is_held = False
    stream.synchronize()
    stream.before_start = lambda _given: 1 / 0
    stream.ask("c")
    with pytest.raises(DeviceError, match="'c' was not done: ZeroDivisionError"):
        stream.synchronize()
    assert [(t.serial, t.labels, t.start_seconds, t.end_seconds) for t in seen] == [
        (1, ("first",), 0.0, 0.5),
        (2, ("a", "b"), 1.0, 1.5),
    ]


# --- Events --------------------------------------------------------------------------------------

_events: list[RecordedEvent] = []


class RecordedEvent(Event[str]):
    """A counter; its commands name it by its place in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.counter = 0
        self.number = len(_events)
        _events.append(self)

    def signal_command(self, value: int) -> str:
        return f"signal {self.number} {value}"

    def wait_command(self, value: int) -> str:
        return f"wait {self.number} {value}"

    def value(self) -> int:
        return self.counter

    def assign(self, value: int) -> None:
        self.counter = value

    def wait_for(self, value: int, seconds: float) -> bool:
        return self.counter >= value


def waited(command: str) -> tuple[RecordedEvent | None, int]:
    """The event that a command waits for, and the value."""
    if not command.startswith("wait "):
        return None, 0
    _, number, value = command.split()
    return _events[int(number)], int(value)


def test_an_event_orders_two_streams():
    first, second = RecordingStream(), RecordingStream()
    event = RecordedEvent()
    first.ask("a")
    assert event.signal(first) == 1
    event.wait(second)
    second.is_held = False
    second.ask("b")
    assert first.batches[-1] == (f"signal {event.number} 1",)
    second.time_limit_seconds = 0.01
    with pytest.raises(DeviceError, match="recorder has not finished"):
        second.synchronize()
    event.assign(1)
    second.synchronize()
    assert second.ran == [f"wait {event.number} 1", "b"]


def test_a_failed_batch_does_not_let_others_wait_for_ever():
    """Who waits looks at the stream that should signal, which raises the event in its place."""
    first, second = RecordingStream(), RecordingStream()
    event = RecordedEvent()
    first.ask("a")
    event.signal(first)
    event.wait(second)
    second.ask("b")
    for one in first.given:
        one.state = Status.FAILED
    second.is_held = False
    second.time_limit_seconds = 10
    second.synchronize()
    assert second.ran[-1] == "b"
    with pytest.raises(KernelError, match="failed: a"):
        first.synchronize()


def test_a_batch_that_was_never_given_raises_its_events_as_well():
    stream, event = RecordingStream(), RecordedEvent()
    stream.before_start = lambda _given: 1 / 0
    value = event.signal(stream)
    event.wait_on_host(1, value)
    assert event.value() == 1


def test_the_host_waits_no_longer_than_it_says():
    event = RecordedEvent()
    with pytest.raises(DeviceError) as caught:
        event.wait_on_host(0.05, 3)
    assert str(caught.value) == (
        "an event was not signalled within 0.05 s: its value is 0, expected 3"
    )
    assert event.signal_from_host() == 1
    event.wait_on_host(0)


def test_all_streams_are_submitted_before_one_is_waited_for():
    first, second = RecordingStream(), RecordingStream()
    event = RecordedEvent()
    event.wait(first, 1)
    second.submit(event.signal_command(1), raises=(event, 1))
    first.is_held = second.is_held = False
    second.after_start = lambda _given: event.assign(1)
    first.time_limit_seconds = 1
    finish_all([first, second])
    assert first.ran == [f"wait {event.number} 1"]


def test_of_no_errors_none_is_raised():
    raise_first([])


# --- Forks, and the end --------------------------------------------------------------------------

FORKED = (
    "recorder cannot be used in a process that was forked after it was first used; start processes"
    " with multiprocessing.get_context('spawn')"
)


@pytest.mark.parametrize(
    "use",
    [
        lambda stream: stream.ask("b"),
        lambda stream: stream.submit("copy"),
        RecordingStream.flush,
        RecordingStream.synchronize,
        RecordingStream.collect_errors,
    ],
)
def test_a_stream_that_was_closed_in_a_child_says_so(use):
    stream = busy()
    stream.close_in_child()
    with pytest.raises(DeviceError) as caught:
        use(stream)
    assert str(caught.value) == FORKED


PROGRAM = """
import os, sys
from speedmetal.backends.forks import call_in_children, drain_at_end

class Device:
    is_closed = False
    def __init__(self, name):
        self.name = name
        call_in_children(self.close_in_child)
        drain_at_end(self)
    def close_in_child(self):
        self.is_closed = True
    def drain(self):
        print("drained", self.name, flush=True)
        if self.name == "second":
            raise OSError("a failure that is told")

devices = Device("first"), Device("second")
Device("gone")
child = os.fork()
if child == 0:
    os._exit(10 + sum(device.is_closed for device in devices))
print("closed", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) - 10, flush=True)
print("here", sum(device.is_closed for device in devices), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_devices_are_closed_in_children_and_drained_at_the_end():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines() == ["closed 2", "here 0", "drained second", "drained first"]
    assert "a failure that is told" in done.stderr
