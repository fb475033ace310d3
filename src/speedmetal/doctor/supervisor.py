"""Runs processes that may crash, hang or write without end, and says how each ended."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from speedmetal.doctor import events

TAIL_LINES = 60
"""Of a process's output are kept."""

TAIL_WIDTH = 400
"""Characters of each line are kept."""

_LOOK_SECONDS = 0.2  # how long a look at the pipes may take while nothing comes
_LAST_WORDS_SECONDS = 1.0  # for a hanging process to say where it hangs
_REAPING_SECONDS = 5.0  # a process that a driver holds may not end even when it is killed
_CHUNK_BYTES = 1 << 16


class How(Enum):
    """The ways in which a process can end."""

    RETURNED = "returned"
    CRASHED = "was ended by a signal"
    STALLED = "said nothing for too long"
    OUT_OF_TIME = "took too long"
    STOPPED = "was stopped"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended.

    Args:
        how: In which way.
        code: Its exit status, or the negative number of the signal.
        tail: The last lines of its output.
    """

    how: How
    code: int
    tail: tuple[str, ...]

    def describe(self) -> str:
        """How the process ended, in words.

        Example:
            >>> Ending(How.CRASHED, -signal.SIGSEGV, ()).describe()
            'the process was ended by SIGSEGV'
        """
        if self.how is How.CRASHED:
            return f"the process was ended by {_signal_name(-self.code)}"
        if self.how is How.RETURNED:
            return f"the process ended with status {self.code}"
        return f"the process {self.how.value}"


class Supervisor:
    """Starts processes, each in a group of its own, and ends all of them when it is told to.

    Its methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        return self._is_stopped

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        seconds: float,
        stall_seconds: float,
        on_event: Callable[[Mapping[str, Any]], None],
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> Ending:
        """Run a command to its end.

        Args:
            command: Program and arguments.
            folder: The process's working folder.
            seconds: The most that it may take.
            stall_seconds: The most that may pass between two events.
            on_event: Called with each event, in this thread.
            variables: Of the environment, beside ours.
        """
        started = self._start(command, folder, {**os.environ, **variables})
        if started is None:
            return Ending(How.STOPPED, 0, ())
        process, pipe = started
        watch = _Watch(process, pipe, on_event)
        try:
            how = watch.until_end(time.monotonic() + seconds, stall_seconds)
        finally:
            _end(process, watch)
            watch.close()
            with self._lock:
                self._running.discard(process)
        code = process.returncode if process.returncode is not None else -signal.SIGKILL
        if how is How.RETURNED and self._is_stopped:
            how = How.STOPPED
        elif how is How.RETURNED and code < 0:
            how = How.CRASHED
        return Ending(how, code, watch.tail())

    def stop(self) -> None:
        """End every process; those that are still to be started are not."""
        with self._lock:
            self._is_stopped = True
            running = tuple(self._running)
        for process in running:
            _kill(process)

    def _start(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> tuple[subprocess.Popen[bytes], int] | None:
        with self._lock:
            if self._is_stopped:
                return None
            ours, theirs = os.pipe()
            try:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs,),
                    start_new_session=True,
                    env={**environment, events.VARIABLE: str(theirs), "PYTHONUNBUFFERED": "1"},
                )
            except BaseException:
                os.close(ours)
                raise
            finally:
                os.close(theirs)
            self._running.add(process)
            return process, ours


class _Watch:
    """Reads a process's two pipes until it ends, stalls, or is out of time."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        pipe: int,
        on_event: Callable[[Mapping[str, Any]], None],
    ) -> None:
        assert process.stdout is not None
        self._process = process
        self._on_event = on_event
        self._pipe = pipe
        self._event_bytes = b""
        self._line = b""
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._last_event = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._selector.register(process.stdout.fileno(), selectors.EVENT_READ, self._add_output)
        self._selector.register(pipe, selectors.EVENT_READ, self._add_events)

    def until_end(self, deadline: float, stall_seconds: float) -> How:
        """Returns when there is nothing more to wait for; the process may live on."""
        while True:
            now = time.monotonic()
            has_ended = self._process.poll() is not None
            if now >= deadline and not has_ended:
                return How.OUT_OF_TIME
            if now >= self._last_event + stall_seconds and not has_ended:
                return How.STALLED
            # What an ended process left in the pipes is read to its end; children of its own that
            # hold the pipes open are not waited for.
            if not self.read(0.0 if has_ended else _LOOK_SECONDS) and has_ended:
                return How.RETURNED

    def read(self, seconds: float) -> bool:
        """Read what comes within a time; whether anything came."""
        if not self._selector.get_map():
            time.sleep(min(seconds, 0.01))
            return False
        came = False
        for key, _ in self._selector.select(seconds):
            data = os.read(key.fd, _CHUNK_BYTES)
            if data:
                key.data(data)
                came = True
            else:
                self._selector.unregister(key.fd)
        return came

    def tail(self) -> tuple[str, ...]:
        """The last lines of the output."""
        last = [_text(self._line)] if self._line else []
        return tuple([*self._lines, *last][-TAIL_LINES:])

    def close(self) -> None:
        self._selector.close()
        os.close(self._pipe)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _add_output(self, data: bytes) -> None:
        *lines, rest = (self._line + data).split(b"\n")
        self._lines.extend(_text(line) for line in lines[-TAIL_LINES:])
        self._line = rest[-4 * TAIL_WIDTH :]

    def _add_events(self, data: bytes) -> None:
        self._last_event = time.monotonic()
        *lines, self._event_bytes = (self._event_bytes + data).split(b"\n")
        for line in lines:
            self._on_event(json.loads(line))


def _end(process: subprocess.Popen[bytes], watch: _Watch) -> None:
    """End a process and all that it started; one that lives still may first say where it is."""
    if process.poll() is None:
        # Checks answer this signal with the stacks of their threads (`traces.install`).
        with suppress(OSError):
            os.kill(process.pid, signal.SIGUSR1)
        end = time.monotonic() + _LAST_WORDS_SECONDS
        while process.poll() is None and time.monotonic() < end:
            if not watch.read(_LOOK_SECONDS):
                break
    _kill(process)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAPING_SECONDS)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")[:TAIL_WIDTH]
