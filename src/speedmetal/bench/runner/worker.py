"""A worker process: one framework on one device in one mode, or the maker of references.

Started as ``python -m speedmetal.bench.runner.worker FRAMEWORK DEVICE MODE THREADS PRECISION``.
Requests come on standard input, replies go to standard output; both are moved away before any
framework is imported, so that what a framework prints goes to the log and not into a reply.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from msgspec.structs import replace

from speedmetal.bench.frameworks import find_framework
from speedmetal.bench.frameworks.base import Adapter, Settings
from speedmetal.bench.measure import clock
from speedmetal.bench.record import Memory, Status
from speedmetal.bench.runner import protocol
from speedmetal.bench.runner.failure import status_of_exception
from speedmetal.bench.runner.protocol import (
    CeilingsMeasured,
    DatasetMade,
    Failed,
    Finish,
    Finished,
    Hello,
    MakeDataset,
    MeasureCeilings,
    Prepare,
    Prepared,
    Reply,
    Request,
    Sample,
    Sampled,
    Settle,
    Work,
    Worked,
)

if TYPE_CHECKING:  # frameworks are imported after the pipes have been moved away
    from speedmetal.bench.runner.cache_buffer import CacheBuffer

REFERENCE = "reference"  # the framework name of the worker that makes data
MEMORY_LIMIT_VARIABLE = "SPEEDMETAL_WORKER_MEMORY_BYTES"


class Worker:
    """Answers requests with an adapter; one case at a time."""

    def __init__(self, adapter: Adapter, mode: str) -> None:
        from speedmetal.bench.runner.task import Task

        self._adapter = adapter
        self._mode = mode
        self._make_task = Task
        self._task: Task | None = None
        self._used_at_end: int | None = None  # CPU time when the last turn ended
        self._buffer: CacheBuffer | None = None

    def answer(self, request: Request) -> Reply:
        if isinstance(request, Prepare):
            return self._prepare(request)
        if isinstance(request, Settle):
            return self._settle()
        if isinstance(request, Sample):
            return self._sample(request)
        if isinstance(request, Finish):
            return self._finish(verify=request.verify)
        if isinstance(request, Work):
            return self._work(request)
        if isinstance(request, MeasureCeilings):
            return self._measure_ceilings(request)
        raise TypeError(f"a worker cannot answer {type(request).__name__}")

    def _sample(self, request: Sample) -> Sampled:
        assert self._task is not None, "a sample was asked for before its case was prepared"
        begun, used = clock.now_nanoseconds(), clock.Usage.now().cpu_nanoseconds
        sampled = self._task.sample(request)
        self._adapter.end_turn()
        ended = clock.Usage.now().cpu_nanoseconds
        idle, self._used_at_end = used - (self._used_at_end or used), ended
        return replace(
            sampled,
            begun_nanoseconds=begun,
            clock_nanoseconds=clock.now_nanoseconds(),
            idle_cpu_nanoseconds=idle,
        )

    def _prepare(self, request: Prepare) -> Prepared:
        case = request.case
        reason = self._adapter.reason_against(case.operation, case.dtype, case.direction)
        if reason is not None:
            return Prepared(Status.UNSUPPORTED, reason)
        if request.l2 and self._buffer is None:
            from speedmetal.bench.runner.cache_buffer import CacheBuffer

            self._buffer = CacheBuffer(self._adapter, request.cache_bytes)
        self._task = self._make_task(self._adapter, self._mode, request, self._buffer)
        prepared = self._task.prepare()
        if prepared.status != Status.OK:
            self._finish()
        return prepared

    def _settle(self) -> Prepared:
        assert self._task is not None, "a case was to be settled before it was prepared"
        prepared = self._task.settle()
        if prepared.status != Status.OK:
            self._finish()
        return prepared

    def _finish(self, *, verify: bool = False) -> Finished:
        failure = self._task.verify() if verify and self._task is not None else ""
        device_peak = None
        if self._task is not None:
            device_peak = self._task.device_peak
            self._task.close()
            self._task = None
        return Finished(_memory(device_peak), failure)

    def _work(self, request: Work) -> Worked:
        assert self._task is not None, "work was asked for before its case was prepared"
        return self._task.work(request.seconds)

    def forget(self) -> None:
        """After a failure: drop the case, whatever state it is in."""
        try:
            self._finish()
        except Exception as error:  # noqa: BLE001 - the failure itself was reported already
            print(f"while letting go of a failed case: {error}", file=sys.stderr)  # noqa: T201

    def _measure_ceilings(self, request: MeasureCeilings) -> CeilingsMeasured:
        from speedmetal.bench.runner.rates import RateMeter

        return RateMeter(self._adapter, self._mode, request.seconds).measure(request)


class ReferenceMaker:
    """Answers requests for data; ``folders`` gets to know where they are."""

    def __init__(self, folders: set[str]) -> None:
        self._folders = folders

    def answer(self, request: Request) -> Reply:
        from speedmetal.bench.runner.data import make_dataset
        from speedmetal.bench.runner.proof import with_rms

        if not isinstance(request, MakeDataset):
            raise TypeError(f"the reference worker cannot answer {type(request).__name__}")
        self._folders.add(request.folder)
        dataset = make_dataset(
            request.case,
            request.seed,
            Path(request.folder),
            reference=request.reference,
            stress=request.stress,
        )
        return DatasetMade(with_rms(dataset))

    def forget(self) -> None:
        """Do nothing: a reference maker keeps nothing between requests."""


def _memory(device_peak: int | None) -> Memory:
    return Memory(
        host_resident=psutil.Process().memory_info().rss,
        host_peak=_peak_resident_bytes(),
        device_peak=device_peak,
    )


def _peak_resident_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


def _limit_memory() -> None:
    limit = os.environ.get(MEMORY_LIMIT_VARIABLE)
    if limit:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(limit), int(limit)))


def _private_pipes() -> tuple[int, int]:
    """Move the pipes to the coordinator off descriptors 0 and 1."""
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    return requests, replies


def _end_with_coordinator(requests: int, folders: Collection[str]) -> threading.Thread:
    """End this process, and remove ``folders``, once nobody holds the other end of ``requests``.

    :func:`serve` sees that only between two requests; a call that never returns would stay behind.
    The thread sleeps in the kernel until then, so that it costs the timed calls nothing.
    """

    def wait() -> None:
        poller = select.poll()
        poller.register(requests, 0)  # no events asked for: hang-ups are told all the same
        poller.poll()
        for folder in tuple(folders):
            _remove(Path(folder))
        os._exit(0)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def _remove(folder: Path) -> None:
    """Remove a folder into which others may be writing; one of several who try does it.

    Under another name first, so that no file is begun in it while its files are removed.
    """
    doomed = folder.with_name(f"{folder.name}-removed-by-{os.getpid()}")
    with contextlib.suppress(OSError):  # somebody else has it
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def serve(answerer: Worker | ReferenceMaker, requests: int, replies: int) -> None:
    """Answer requests until the coordinator closes the pipe."""
    while True:
        try:
            request = protocol.receive_request(requests)
        except protocol.ChannelClosedError:
            return
        try:
            reply = answerer.answer(request)
        except Exception as error:  # noqa: BLE001 - whatever a framework raises is a record
            status, reason = status_of_exception(error)
            reply = Failed(status, reason)
            del error
            answerer.forget()
        protocol.send(replies, reply)


def main(arguments: list[str]) -> None:
    """Start the framework, say hello, and serve."""
    framework_name, device, mode, threads, precision = arguments
    requests, replies = _private_pipes()
    folders: set[str] = set()
    ending = _end_with_coordinator(requests, folders)
    _limit_memory()
    start = time.perf_counter()
    if framework_name == REFERENCE:
        answerer: Worker | ReferenceMaker = ReferenceMaker(folders)
        settings: dict[str, str] = {}
    else:
        try:
            adapter_class = find_framework(framework_name).load_adapter()
            adapter = adapter_class(device, Settings(int(threads), precision))
        except Exception as error:  # noqa: BLE001 - whatever a framework raises is a record
            protocol.send(replies, Failed(Status.CRASH, f"{type(error).__name__}: {error}"))
            return
        answerer, settings = Worker(adapter, mode), adapter.report_settings()
    protocol.send(replies, Hello(settings, time.perf_counter() - start))
    serve(answerer, requests, replies)
    ending.join()  # it may be removing folders


if __name__ == "__main__":
    main(sys.argv[1:])
