"""One framework's process: prepares contenders, proves their results, takes samples.

Every framework has a process of its own, because thread pools disturb each other, and a crash must
not end the run. The process does nothing but answer requests, so that it sleeps while others run.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import multiprocessing as mp
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from side_by_side.array_cases import ARRAY_CASES
from side_by_side.cases import CASES
from side_by_side.contender import ALL_FRAMEWORKS, Ready, spoil
from side_by_side.small_cases import ADDITION

Arrays = dict[str, NDArray[Any]]

_LATER_CALLS = 3  # beside a first one

_CASE = {case.name: case for case in (*CASES, *ARRAY_CASES, ADDITION)}
_FRAMEWORK = {framework.name: framework for framework in ALL_FRAMEWORKS}

# Memory that one call has freed serves the next: without this, every new array of 64 MiB is fetched
# from the kernel and cleared page by page, and that is what would be timed.
_KEPT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(1 << 26),
}


MEMORY_POLICIES = ("default", "kept")


def environment(threads: int, memory: str = "kept") -> dict[str, str]:
    """Variables that give each framework so many threads, which do not spin when they are idle.

    Args:
        threads: How many.
        memory: What the C library does with freed memory: "kept", or "default", as it is installed.
    """
    from speedmetal.bench.frameworks.base import Settings
    from speedmetal.bench.runner.process import worker_environment

    return {
        **worker_environment(Settings(threads)),
        **(_KEPT_MEMORY if memory == "kept" else {}),
        "NUMBA_NUM_THREADS": str(threads),
        "NPROC": str(threads),  # JAX
        "SPEEDMETAL_NUM_THREADS": str(threads),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "JAX_PLATFORMS": "cpu",
    }


def store(folder: Path, inputs: Arrays, reference: Sequence[NDArray[Any]]) -> None:
    """Write a case's arrays for :func:`load`, in place of those that are there."""
    for old in folder.glob("*.npy"):
        old.unlink()
    for name, array in inputs.items():
        np.save(folder / f"input-{name}.npy", array)
    for number, array in enumerate(reference):
        np.save(folder / f"reference-{number}.npy", array)


def load(folder: Path) -> tuple[Arrays, Arrays]:
    """Inputs, in memory of the caller's own, and the reference, which processes share."""
    stored = sorted(folder.glob("*.npy"), key=lambda path: path.stat().st_mtime_ns)  # their order
    inputs = {p.stem.removeprefix("input-"): np.load(p) for p in stored if "input-" in p.stem}
    reference = {p.stem: np.load(p, mmap_mode="r") for p in stored if "reference-" in p.stem}
    return inputs, reference


class WorkerFailedError(Exception):
    """A request has no answer; the text says why."""


class Worker:
    """A framework's process as the driver sees it; it is started again after it has failed.

    Args:
        framework: Its name.
        threads: For the framework.
        limit_seconds: For an answer.
        log: File for what the process prints.
        source: Folder from which the process imports speedmetal; None: this one's.
        variables: More of the process's environment.
        memory: One of :data:`MEMORY_POLICIES`.
    """

    def __init__(
        self,
        framework: str,
        threads: int,
        limit_seconds: float,
        log: Path,
        source: Path | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
        memory: str = "kept",
    ) -> None:
        self.framework = framework
        self._source = source
        self._environment = {**environment(threads, memory), **variables}
        self._limit_seconds = limit_seconds
        self._log = log
        self._process: mp.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process that knows what it was told."""
        return self._process is not None

    def ask(self, request: str, *arguments: Any) -> Any:
        """Send a request to the process's `_Bench`, and wait for the answer.

        Raises:
            WorkerFailedError: It raised, ended, or took too long.
        """
        if self._process is None:
            self._start()
        assert self._pipe is not None
        self._pipe.send((request, arguments))
        if not self._pipe.poll(self._limit_seconds):
            self.stop()
            raise WorkerFailedError(f"no answer within {self._limit_seconds:g} s")
        try:
            is_answer, answer = self._pipe.recv()
        except EOFError:
            assert self._process is not None
            self._process.join()
            status = self._process.exitcode
            self._process = None
            raise WorkerFailedError(f"the process ended with status {status}") from None
        if not is_answer:
            raise WorkerFailedError(answer)
        return answer

    def _start(self) -> None:
        context = mp.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self.framework, other, str(self._log)), daemon=True
        )
        kept, path = dict(os.environ), list(sys.path)
        os.environ.update(self._environment)  # libraries read them when they are loaded
        if self._source is not None:  # a new process searches where this one does
            sys.path.insert(0, str(self._source))
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(kept)
            sys.path[:] = path
        other.close()

    def stop(self) -> None:
        """End the process, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


@contextlib.contextmanager
def running(workers: Iterable[Worker]) -> Iterator[list[Worker]]:
    """Workers that are stopped at the end."""
    started = list(workers)
    try:
        yield started
    finally:
        for worker in started:
            worker.stop()


class _Bench:
    """What a worker can be asked for."""

    def __init__(self, framework: str) -> None:
        self._record = _FRAMEWORK[framework]
        self._ready: dict[str, Ready] = {}
        self._case = ""
        self._inputs: Arrays = {}
        self._reference: tuple[Any, ...] = ()
        self._last: Any = None

    def origin(self) -> str:
        """Where the process has its speedmetal from."""
        import speedmetal

        return str(speedmetal.__file__)

    def variants(self, case: str) -> dict[str, str]:
        """The variants of a case, each with the reason why it is missing, or ""."""
        cells = self._record.table().get(_CASE[case].key, {})
        return {name: cell if isinstance(cell, str) else "" for name, cell in cells.items()}

    def begin(self, case: str, folder: str) -> None:
        """Read the inputs and the reference of a case, and forget the case before."""
        self._ready.clear()
        self._last = None
        self._case = case
        self._inputs, reference = load(Path(folder))
        self._reference = tuple(reference.values())

    def prepare(self, variant: str) -> tuple[float, float]:
        """Build, prove and warm up; gives the seconds of the first call, and of a warm one."""
        from speedmetal.bench.measure.calibrate import warm_up

        cell = self._record.table()[_CASE[self._case].key][variant]
        assert not isinstance(cell, str)
        start = time.perf_counter()
        ready = cell(self._inputs)
        self._prove(ready)
        first = time.perf_counter() - start
        self._ready[variant] = ready
        start = time.perf_counter()
        ready.call()
        return first, warm_up(ready.call, time.perf_counter() - start)

    def preparation(self, variant: str) -> float:
        """What the first call of a variant takes longer than a later one: it compiles.

        The time is that of the processor, of all threads: other work on the machine counts less.
        """
        cell = self._record.table()[_CASE[self._case].key][variant]
        assert not isinstance(cell, str)
        ready = cell(self._inputs)
        spoil(ready.written)
        ticks = [time.process_time()]
        for _ in range(1 + _LATER_CALLS):
            ready.call()
            ticks.append(time.process_time())
        first, *later = (after - before for before, after in itertools.pairwise(ticks))
        return max(0.0, first - min(later))

    def sample(self, variant: str, calls: int, wake_calls: int) -> int:
        """Nanoseconds of so many calls; calls before them fill caches and wake threads."""
        from speedmetal.bench.measure.clock import time_latency

        call = self._ready[variant].call
        for _ in range(wake_calls):
            call()
        return time_latency(call, lambda _: None, calls).nanoseconds

    def prove(self, variant: str) -> None:
        """Check one more call."""
        self._prove(self._ready[variant])

    def _prove(self, ready: Ready) -> None:
        spoil(ready.written)
        results = ready.fetch(ready.call())
        fault = _CASE[self._case].fault(results, self._reference)
        if fault:
            raise ValueError(f"wrong result: {fault}")


def _cause(error: Exception) -> str:
    r"""The line that says what is wrong: in a compiler's message, the first one with "error:".

    >>> _cause(ValueError("1 error in kernel 'k'\n\nfile.py:3:5: error: there is no x"))
    'there is no x'
    """
    lines = str(error).strip().splitlines() or [""]
    told = next((line for line in lines if ": error: " in line), lines[0])
    return told.split(": error: ")[-1][:200]


def _serve(framework: str, pipe: Connection, log: str) -> None:
    with Path(log).open("a") as file:  # compilers write to the file descriptors themselves
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    faulthandler.enable()  # a crash leaves its place in the log
    bench = _Bench(framework)
    while True:
        try:
            request, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = (True, getattr(bench, request)(*arguments))
        except Exception as error:  # noqa: BLE001 - every failure is a row of the table
            with contextlib.suppress(Exception):
                import traceback

                traceback.print_exc()
            answer = (False, f"{type(error).__name__}: {_cause(error)}")
        pipe.send(answer)
