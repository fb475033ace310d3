"""A worker as the coordinator sees it: started, asked, timed out, killed, started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from speedmetal.bench import environment
from speedmetal.bench.frameworks import find_framework
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.record import Contender, Status
from speedmetal.bench.runner import protocol
from speedmetal.bench.runner.protocol import Failed, Hello, Reply, Request
from speedmetal.bench.runner.worker import REFERENCE
from speedmetal.errors import SpeedmetalError

START_SECONDS = 180.0
_R = TypeVar("_R", bound=Reply)


class WorkerFailedError(SpeedmetalError):
    """A request did not get its answer; ``status`` and ``reason`` go into the record.

    ``is_alive`` tells whether the worker can go on with another case.
    """

    def __init__(self, status: Status, reason: str, *, is_alive: bool) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason
        self.is_alive = is_alive


# The GNU C library gives large blocks back to the system when they are freed, and each of their
# pages is cleared again at its next use. With these it never does.
KEPT_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 46),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


def worker_environment(settings: Settings) -> dict[str, str]:
    """Variables that make every framework use the same number of threads, and sleep when idle.

    A pool that spins while it waits would take a core from the worker whose turn it is. The memory
    policy is the same for all, too.
    """
    threads = str(settings.threads)
    return {
        **(KEPT_MEMORY if settings.memory == "kept" else {}),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "VECLIB_MAXIMUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "passive",
        "GOMP_SPINCOUNT": "0",
        "KMP_BLOCKTIME": "0",
        "OPENBLAS_THREAD_TIMEOUT": "4",
        "PYTHONUNBUFFERED": "1",
    }


class WorkerProcess:
    """One worker process. It is started on the first request, and anew after it failed.

    Args:
        name: Framework name, or ``"reference"``.
        device, mode: As in the contender.
        settings: The run's.
        log: File for what the worker prints.
    """

    def __init__(self, name: str, device: str, mode: str, settings: Settings, log: Path) -> None:
        self._name = name
        self._arguments = [name, device, mode, str(settings.threads), settings.precision]
        self._settings = settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._is_abandoned = False
        self.hello: Hello | None = None

    @classmethod
    def of(
        cls, contender: Contender, settings: Settings, log_folder: Path, label: str = ""
    ) -> WorkerProcess:
        """A worker of a contender; ``label`` tells two of them apart."""
        name = f"{contender.key}{label}".replace(":", "-").replace("/", "-")
        log = log_folder / f"{name}.log"
        return cls(contender.framework, contender.device, contender.mode, settings, log)

    @classmethod
    def reference(cls, settings: Settings, log_folder: Path) -> WorkerProcess:
        """The worker that makes inputs and references."""
        return cls(REFERENCE, "cpu", "eager", settings, log_folder / "reference.log")

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> Hello:
        """Start the process and wait for its hello.

        Raises:
            WorkerFailedError: The framework cannot be started.
        """
        if self._process is not None and self.hello is not None:
            return self.hello
        if self._is_abandoned:
            raise WorkerFailedError(Status.SKIPPED, "the run was stopped", is_alive=False)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "speedmetal.bench.runner.worker", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C is the coordinator's to handle
                bufsize=0,
            )
        self._limit_processors(self._process.pid)
        self.hello = self._receive(Hello, START_SECONDS)
        return self.hello

    def _environment(self) -> Mapping[str, str]:
        environment = {**os.environ, **worker_environment(self._settings)}
        if self._name != REFERENCE:
            environment.update(find_framework(self._name).environment(self._settings))
        return environment

    def _limit_processors(self, pid: int) -> None:
        """Bind the worker to as many processors as it may use threads, where the system can.

        For frameworks whose pools are sized by the processors alone.
        """
        if not hasattr(os, "sched_setaffinity"):
            return
        threads = self._settings.threads
        with contextlib.suppress(OSError):  # it is already gone; the next read will say so
            os.sched_setaffinity(pid, environment.equal_processors(threads)[:threads])

    def ask(self, request: Request, kind: type[_R], timeout_seconds: float) -> _R:
        """Send a request and wait for its answer.

        Raises:
            WorkerFailedError: It failed, with what that means for the record.
        """
        self.start()
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            protocol.send(self._process.stdin.fileno(), request)
        except protocol.ChannelClosedError:
            raise self._death_error() from None
        return self._receive(kind, timeout_seconds)

    def _receive(self, kind: type[_R], timeout_seconds: float) -> _R:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            reply = protocol.receive_reply(self._process.stdout.fileno(), timeout_seconds)
        except protocol.ChannelTimeoutError:
            self.kill()
            raise WorkerFailedError(
                Status.TIMEOUT, f"no answer within {timeout_seconds:.0f} s", is_alive=False
            ) from None
        except protocol.ChannelClosedError:
            raise self._death_error() from None
        except protocol.ChannelError as error:
            self.kill()
            raise WorkerFailedError(Status.CRASH, f"worker {error}", is_alive=False) from error
        if isinstance(reply, Failed):
            raise WorkerFailedError(Status(reply.status), reply.reason, is_alive=True)
        if not isinstance(reply, kind):
            self.kill()
            raise WorkerFailedError(
                Status.CRASH, f"worker sent a {type(reply).__name__} out of turn", is_alive=False
            )
        return reply

    def _death_error(self) -> WorkerFailedError:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        self.kill()
        reason = _exit_reason(code)
        tail = self._log_tail()
        status = Status.OUT_OF_MEMORY if "bad_alloc" in tail else Status.CRASH
        return WorkerFailedError(
            status, f"{reason}{': ' + tail if tail else ''}"[:500], is_alive=False
        )

    def _log_tail(self) -> str:
        """The last line that the worker printed: where it crashed, often the cause."""
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip()[:300] if lines else ""

    def abandon(self) -> None:
        """End the process for good, while another thread may be waiting for its answer.

        That thread sees the process die; it closes the pipes.
        """
        self._is_abandoned = True
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process and whatever it started, at once."""
        process, self._process, self.hello = self._process, None, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Ask the process to end by closing its pipe; kill it where it does not."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        deadline = time.monotonic() + timeout_seconds
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill()


def _exit_reason(code: int | None) -> str:
    if code is None:
        return "worker closed its pipe"
    if code >= 0:
        return f"worker exited with status {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    hint = " (often: the system ran out of memory)" if name == "SIGKILL" else ""
    return f"worker was ended by {name}{hint}"
