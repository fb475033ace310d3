"""Threads that run the threadgroups of a kernel on all processors, at a cost of microseconds.

The inner part, runtime.ll, is compiled by LLVM, so no C compiler is needed. That takes longer than
a kernel, so what ``tools/build_runtime.py`` made of it for every x86-64 processor under Linux comes
along, in runtime.image; elsewhere it is compiled once, and kept in the disk cache. Python only
starts the threads; they wait and work inside one ctypes call, which has released the interpreter
lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import threading
import time
import weakref
from collections.abc import Callable

from speedmetal.backends.cpu.identity import code_identity
from speedmetal.backends.cpu.image import CAN_MAP
from speedmetal.backends.cpu.jit import (
    Effort,
    LoadedObject,
    compile_object,
    load,
    prepare_for_loading,
)
from speedmetal.backends.forks import call_in_children
from speedmetal.errors import UserInputError
from speedmetal.system.digest import blake2b
from speedmetal.system.disk_cache import default_cache

THREADS_VARIABLE = "SPEEDMETAL_NUM_THREADS"
"""Environment variable with the number of threads, the calling one included."""

SPIN_MICROSECONDS = 50.0
"""How long a thread spins before it sleeps: after its last job, or for the others to finish.

A launch that comes sooner finds the workers awake. Measured by benchmarks/dispatch.py on two cores
of a virtual Zen 4: 40 us of work, 20 us after the last launch, take 24 us on two threads with 50 us
of spinning, and 50 us, more than on one thread, with none. Kernels follow each other in less than
50 us where one Python statement launches each. A worker that sleeps comes in after some 40 us.
"""

_FOLDER = __file__.rpartition("/")[0]
READY_RUNTIME = f"{_FOLDER}/runtime.image"
"""A line with the digest of the text that it was made from, and by what; then an image."""

_JOIN_SECONDS = 1.0

_RELAX_HINTS = {
    "x86_64": ("call void @llvm.x86.sse2.pause()", "declare void @llvm.x86.sse2.pause()"),
    # yield is a no-operation on Apple's and most other cores; isb waits a few nanoseconds.
    "aarch64": ("call void @llvm.aarch64.isb(i32 15)", "declare void @llvm.aarch64.isb(i32)"),
}
_MACHINE_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
_SYMBOLS = ("sm_reset", "sm_spin", "sm_stop", "sm_worker", "sm_parallel_for")

# Faults of the thread itself, which must not be blocked: their default action has to see them.
_FAULTS = {
    getattr(signal, name)
    for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS")
}


class ThreadPool:
    """A pool of threads for compiled kernels.

    The threads start with the first `parallel_for`, and end with the pool or the process. A forked
    child has a pool of its own: its threads start with the child's first call.

    Args:
        threads: How many threads work, the calling one included; at least 1.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise UserInputError(f"expected at least 1 thread, got {threads}")
        self.threads = threads
        self._code = load(runtime_code(), *_SYMBOLS)
        self._reset = _function(self._code, "sm_reset", ctypes.c_int64)
        self._run = _function(
            self._code,
            "sm_parallel_for",
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_int64,
            ctypes.c_int64,
        )
        self._spin_rounds = _spin_rounds(self._code)
        self._workers: list[threading.Thread] = []
        self._closed = False
        self._renew()
        self._finalizer = weakref.finalize(self, _shut_down, self._code, self._workers)
        call_in_children(self._renew)

    def parallel_for(self, entry: int, arguments: int | bytes, groups: int, chunk: int) -> None:
        """Runs ``entry(arguments, begin, end)`` until it has been given each of the groups once.

        The calling thread takes part. It returns when all groups are done. A call from within a
        kernel, or while another thread uses the pool, runs on the calling thread alone.

        Args:
            entry: Address of a ``void (ptr, i64 begin, i64 end)``; it **must** bear to be called by
                several threads at once, with ranges that do not meet.
            arguments: What the entry gets as its first parameter: an address, or the bytes there.
            groups: How many groups there are; none of them is run for 0 or less.
            chunk: How many consecutive groups a thread takes at a time; at least 1.
        """
        if not self._started:
            self._start()
        self._run(entry, arguments, groups, chunk if chunk > 0 else 1)

    def close(self) -> None:
        """Ends the worker threads; later calls run on the calling thread alone."""
        self._closed = self._started = True
        self._finalizer()

    def _start(self) -> None:
        with self._lock:
            while not self._closed and len(self._workers) < self.threads - 1:
                name = f"speedmetal-worker-{len(self._workers) + 1}"
                # The thread keeps the code, not the pool, so that the pool can end before it.
                worker = threading.Thread(target=_work, args=(self._code,), name=name, daemon=True)
                worker.start()
                self._workers.append(worker)
            self._started = True

    def _renew(self) -> None:
        """The state of a pool without threads: of a new one, and of one in a forked child."""
        self._lock = threading.Lock()
        self._started = self._closed
        self._workers.clear()
        self._reset(self._spin_rounds)


def default_pool() -> ThreadPool:
    """The pool that launches use, with `default_threads` threads.

    Raises:
        UserInputError: ``SPEEDMETAL_NUM_THREADS`` is not a positive whole number.
    """
    global _default_pool  # noqa: PLW0603 - one pool for the process, made at the first launch
    if _default_pool is None:
        with _default_pool_lock:
            if _default_pool is None:
                _default_pool = ThreadPool(default_threads())
    return _default_pool


def default_threads() -> int:
    """How many threads launches use: ``SPEEDMETAL_NUM_THREADS``, or the processors we may run on.

    Raises:
        UserInputError: The variable is not a positive whole number.
    """
    stated = os.environ.get(THREADS_VARIABLE, "").strip()
    if not stated:
        return _usable_processors()
    if not stated.isdecimal() or int(stated) < 1:
        raise UserInputError(
            f"expected a whole number of at least 1 in {THREADS_VARIABLE}, got {stated!r}; "
            "set it to the number of threads, or unset it to use all processors"
        )
    return int(stated)


def runtime_code() -> bytes:
    """The machine code of runtime.ll for this computer: as it comes along, or as compiled here."""
    text = runtime_text(platform.machine())
    digest = runtime_digest(text)
    made_from, _, image = _read(READY_RUNTIME).partition(b"\n")
    if CAN_MAP and made_from.decode().split()[0] == digest:
        return image
    key = f"cpu runtime {digest} {code_identity()}"
    return default_cache().get_or_build(key, lambda: compiled_runtime(text))


def runtime_digest(text: str) -> str:
    """What tells states of the runtime's text, and processors' texts, apart."""
    return blake2b(text.encode(), digest_size=20).hexdigest()


def compiled_runtime(text: str) -> bytes:
    """The machine code of such a text for this computer."""
    return prepare_for_loading(compile_object(text, effort=Effort.NORMAL))


def runtime_text(machine: str) -> str:
    """runtime.ll with a processor's hint for waiting loops.

    Args:
        machine: Name of the processor as ``platform.machine()`` gives it.

    Example:
        >>> "llvm.aarch64.isb" in runtime_text("arm64")
        True
    """
    text = _read(f"{_FOLDER}/runtime.ll").decode()
    name = _MACHINE_NAMES.get(machine.lower(), machine.lower())
    call, declaration = _RELAX_HINTS.get(name, ("", ""))
    return text.replace(";RELAX", call) + declaration + "\n"


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes longer to import
        return file.read()


_default_pool: ThreadPool | None = None
_default_pool_lock = threading.Lock()


def _renew_default_pool_lock() -> None:
    global _default_pool_lock  # noqa: PLW0603 - it may have been held when the process forked
    _default_pool_lock = threading.Lock()


call_in_children(_renew_default_pool_lock)


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _function(code: LoadedObject, symbol: str, *parameters: type) -> Callable[..., None]:
    return ctypes.CFUNCTYPE(None, *parameters)(code.address(symbol))


def _spin_rounds(code: LoadedObject) -> int:
    """Rounds of a waiting loop in `SPIN_MICROSECONDS`; what a round takes differs tenfold."""
    spin = _function(code, "sm_spin", ctypes.c_int64)
    rounds = 200
    nanoseconds = min(_nanoseconds(spin, rounds) for _ in range(5))
    return max(1, int(SPIN_MICROSECONDS * 1000 * rounds / max(nanoseconds, 1)))


def _nanoseconds(spin: Callable[..., None], rounds: int) -> int:
    begin = time.perf_counter_ns()
    spin(rounds)
    return time.perf_counter_ns() - begin


def _work(code: LoadedObject) -> None:
    """A worker thread, from its start to the pool's end."""
    # Signals are for Python's main thread, whose system calls they must interrupt.
    with contextlib.suppress(OSError, ValueError):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _FAULTS)
    _function(code, "sm_worker")()


def _shut_down(code: LoadedObject, workers: list[threading.Thread]) -> None:
    _function(code, "sm_stop")()
    deadline = time.monotonic() + _JOIN_SECONDS
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
    workers.clear()
