"""Every group is run once, by several threads, whatever calls, forks, interrupts or ends meanwhile.

The entries are ctypes callbacks into Python where a test has to look into a kernel while it runs,
and compiled code elsewhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import platform
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import llvmlite
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.backends.cpu import driver
from speedmetal.backends.cpu import pool as pool_module
from speedmetal.backends.cpu.driver import CpuProgram
from speedmetal.backends.cpu.image import CAN_MAP
from speedmetal.backends.cpu.jit import compile_object
from speedmetal.backends.cpu.pool import (
    THREADS_VARIABLE,
    ThreadPool,
    default_threads,
    runtime_text,
)
from speedmetal.backends.device import Launch, Sizes
from speedmetal.errors import UserInputError

pytestmark = pytest.mark.tier("default")

ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
PATIENCE_SECONDS = 60.0  # for threads that must meet; only a defect makes anybody wait for so long

# Adds 1 to the int32 of each group: a group that is run twice, or never, shows.
COUNT = """
define void @sm_entry(ptr %args, i64 %begin, i64 %end) {
entry:
  %data = load ptr, ptr %args
  br label %head
head:
  %g = phi i64 [ %begin, %entry ], [ %next, %body ]
  %more = icmp slt i64 %g, %end
  br i1 %more, label %body, label %done
body:
  %p = getelementptr i32, ptr %data, i64 %g
  %x = load i32, ptr %p
  %y = add i32 %x, 1
  store i32 %y, ptr %p
  %next = add i64 %g, 1
  br label %head
done:
  ret void
}
"""


@functools.cache
def counter() -> CpuProgram:
    return CpuProgram(compile_object(COUNT))


def address(callback) -> int:
    return ctypes.cast(callback, ctypes.c_void_p).value


def count(pool: ThreadPool, groups: int, chunk: int, repeats: int = 1) -> np.ndarray:
    """How often each group was run."""
    counts = np.zeros(max(groups, 1), np.int32)
    arguments = counts.ctypes.data.to_bytes(8, sys.byteorder)
    program = counter()  # held here: its code lives as long as it does
    for _ in range(repeats):
        pool.parallel_for(program._address, arguments, groups, chunk)
    return counts[: max(groups, 0)]


@functools.cache
def shared_pool(threads: int) -> ThreadPool:
    return ThreadPool(threads)


def threads_that_meet(pool: ThreadPool, number: int) -> set[int]:
    """Runs a job that ends only when so many threads are in it together."""
    barrier = threading.Barrier(number)
    seen = set()

    @ENTRY
    def entry(_arguments, _begin, _end):
        barrier.wait(PATIENCE_SECONDS)
        seen.add(threading.get_ident())

    pool.parallel_for(address(entry), 0, number, 1)
    return seen


@given(
    threads=st.sampled_from([1, 2, 3, 8]),
    groups=st.integers(0, 300),
    chunk=st.integers(-1, 400),
)
def test_each_group_is_run_once(threads, groups, chunk):
    counts = count(shared_pool(threads), groups, chunk)
    np.testing.assert_array_equal(counts, np.ones_like(counts))


@pytest.mark.parametrize("groups", [0, -1, -(1 << 40)])
def test_nothing_is_run_where_there_are_no_groups(groups):
    calls = []
    entry = ENTRY(lambda *_: calls.append(1))
    shared_pool(2).parallel_for(address(entry), 0, groups, 1)
    assert not calls


def test_each_group_is_run_once_in_thousands_of_jobs_that_follow_each_other():
    counts = count(shared_pool(4), 37, 2, repeats=20_000)
    np.testing.assert_array_equal(counts, np.full(37, 20_000))


def test_each_group_is_run_once_while_workers_fall_asleep_and_wake():
    pool = shared_pool(3)
    for pause in np.linspace(0, 100e-6, 300):
        counts = count(pool, 9, 1)
        np.testing.assert_array_equal(counts, np.ones(9))
        until = time.perf_counter() + pause
        while time.perf_counter() < until:
            pass


def test_numbers_of_groups_may_exceed_32_bits():
    ranges = []

    @ENTRY
    def entry(_arguments, begin, end):
        ranges.append((begin, end))

    shared_pool(2).parallel_for(address(entry), 0, (1 << 40) + 5, 1 << 39)
    half = 1 << 39
    assert sorted(ranges) == [(0, half), (half, 2 * half), (2 * half, 2 * half + 5)]


@pytest.mark.parametrize("pause_seconds", [0.0, 0.02])
@pytest.mark.parametrize("threads", [2, 5])
def test_all_threads_work_together(threads, pause_seconds):
    """Hot workers, and ones that sleep: a few are woken by the caller, the others by workers."""
    pool = shared_pool(threads)
    for _ in range(10):
        seen = threads_that_meet(pool, threads)
        assert len(seen) == threads
        assert threading.get_ident() in seen
        time.sleep(pause_seconds)


def test_a_call_from_within_a_kernel_runs_on_its_own_thread():
    pool = shared_pool(3)
    inner_threads = []

    @ENTRY
    def inner(_arguments, begin, end):
        inner_threads.append((threading.get_ident(), end - begin))

    outer_threads = []

    @ENTRY
    def outer(_arguments, _begin, _end):
        outer_threads.append(threading.get_ident())
        pool.parallel_for(address(inner), 0, 10, 1)

    pool.parallel_for(address(outer), 0, 6, 1)
    assert sorted(inner_threads) == sorted((thread, 10) for thread in outer_threads)
    assert len(outer_threads) == 6


def test_calls_from_several_threads_at_once_are_all_complete():
    pool = shared_pool(3)
    faults = []

    def call():
        counts = count(pool, 100, 3, repeats=2000)
        if not np.array_equal(counts, np.full(100, 2000)):
            faults.append(counts)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not faults


@pytest.mark.parametrize("pause_seconds", [0.0, 0.05])
def test_workers_start_with_the_first_call_and_end_with_the_pool(pause_seconds):
    """Spinning workers see the end; sleeping ones are woken for it."""
    before = threading.active_count()
    pool = ThreadPool(4)
    assert threading.active_count() == before
    count(pool, 10, 1)
    assert threading.active_count() == before + 3
    workers = list(pool._workers)
    time.sleep(pause_seconds)
    del pool
    gc.collect()
    assert not any(worker.is_alive() for worker in workers)


def test_a_closed_pool_works_on_the_calling_thread():
    pool = ThreadPool(3)
    threads_that_meet(pool, 3)
    pool.close()
    pool.close()
    assert not pool._workers
    np.testing.assert_array_equal(count(pool, 10, 1), np.ones(10))
    assert not pool._workers


def test_a_pool_of_one_thread_has_no_workers():
    pool = ThreadPool(1)
    np.testing.assert_array_equal(count(pool, 10, 3), np.ones(10))
    assert not pool._workers


def test_a_pool_needs_a_thread():
    with pytest.raises(UserInputError, match=r"^expected at least 1 thread, got 0$"):
        ThreadPool(0)


# --- processes

PREAMBLE = f"""
import ctypes, os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks of processes with threads
from speedmetal.backends.cpu.pool import ThreadPool, default_pool
ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
def run(pool, function, groups):
    entry = ENTRY(function)
    pool.parallel_for(ctypes.cast(entry, ctypes.c_void_p).value, 0, groups, 1)
def meet(pool, number=2):
    barrier = threading.Barrier(number)
    run(pool, lambda *_: barrier.wait({PATIENCE_SECONDS}), number)
def address_in_libc(name):
    return ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value
def wait_for_child(child):
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, status
"""


def in_process(body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def assert_silent_success(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_ends_cleanly_with_sleeping_and_with_spinning_workers():
    assert_silent_success(in_process("meet(ThreadPool(2)); meet(default_pool())"))
    assert_silent_success(in_process("meet(ThreadPool(2)); time.sleep(0.05)"))


def test_a_process_ends_while_another_thread_still_runs_a_kernel():
    done = in_process("""
        pool = ThreadPool(2)
        began = threading.Event()
        def slow(*_):
            began.set()
            time.sleep(0.3)
        threading.Thread(target=run, args=(pool, slow, 1000), daemon=True).start()
        began.wait()
        """)
    assert done.returncode == 0


def test_a_forked_child_has_working_threads():
    assert_silent_success(
        in_process("""
        pool = ThreadPool(3)
        meet(pool, 3)
        child = os.fork()
        if child == 0:
            meet(pool, 3)
            grandchild = os.fork()
            if grandchild == 0:
                meet(pool, 3)
                sys.exit(0)
            wait_for_child(grandchild)
            sys.exit(0)
        wait_for_child(child)
        meet(pool, 3)
        """)
    )


def test_a_child_forked_while_a_kernel_runs_has_working_threads():
    assert_silent_success(
        in_process("""
        pool = ThreadPool(3)
        inside, leave = threading.Event(), threading.Event()
        def kernel(*_):
            inside.set()
            leave.wait()
        caller = threading.Thread(target=run, args=(pool, kernel, 3))
        caller.start()
        inside.wait()
        child = os.fork()
        if child == 0:
            meet(pool, 3)
            os._exit(0)
        wait_for_child(child)
        leave.set()
        caller.join()
        """)
    )


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_during_a_kernel_comes_after_it_and_the_pool_goes_on():
    assert_silent_success(
        in_process("""
        pool = ThreadPool(2)
        # The "kernel" is usleep(100_000), which Python cannot interrupt.
        interrupt = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        begin = time.monotonic()
        try:
            interrupt.start()
            pool.parallel_for(address_in_libc("usleep"), 100_000, 4, 1)
            time.sleep(60)
            sys.exit("no interrupt")
        except KeyboardInterrupt:
            assert time.monotonic() - begin >= 0.2, "the call did not end"
        meet(pool)
        """)
    )


def test_workers_leave_signals_to_the_main_thread():
    """A signal must interrupt the main thread's sleep; one that a worker took would not."""
    done = in_process("""
        pool = ThreadPool(4)
        meet(pool, 4)
        for worker in pool._workers:
            status = open(f"/proc/self/task/{worker.native_id}/status").read()
            blocked = int(status.split("SigBlk:")[1].split()[0], 16)
            assert blocked >> (signal.SIGINT - 1) & 1, status
            assert not blocked >> (signal.SIGSEGV - 1) & 1, status
        """)
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux shows the signals that a thread blocks")
    assert_silent_success(done)


def test_interrupts_at_any_moment_leave_the_pool_usable():
    assert_silent_success(
        in_process("""
        pool = ThreadPool(3)
        stop = False
        is_due = False
        def once(*_):
            # Only where the pool may be at work: the lines around it are not what is tested.
            global is_due
            if is_due:
                is_due = False
                raise KeyboardInterrupt
        signal.signal(signal.SIGINT, once)
        def interrupt():
            while not stop:
                time.sleep(0.0007)
                os.kill(os.getpid(), signal.SIGINT)
        sender = threading.Thread(target=interrupt)
        sender.start()
        caught = 0
        address = address_in_libc("getpid")
        while caught < 200:
            try:
                is_due = True
                while True:
                    pool.parallel_for(address, 0, 4, 1)
            except KeyboardInterrupt:
                caught += 1
        stop = True
        sender.join()
        meet(pool, 3)
        """)
    )


# --- numbers of threads


def test_the_variable_states_the_number_of_threads(monkeypatch):
    monkeypatch.setenv("SPEEDMETAL_NUM_THREADS", " 3 ")
    assert default_threads() == 3


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux has affinities")
def test_threads_are_as_many_as_processors_that_may_be_used(monkeypatch):
    monkeypatch.delenv("SPEEDMETAL_NUM_THREADS", raising=False)
    allowed = os.sched_getaffinity(0)
    assert default_threads() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert default_threads() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize("stated", ["0", "-2", "two", "1.5"])
def test_a_wrong_number_of_threads_is_refused(monkeypatch, stated):
    monkeypatch.setenv("SPEEDMETAL_NUM_THREADS", stated)
    with pytest.raises(UserInputError) as caught:
        default_threads()
    assert str(caught.value) == (
        "expected a whole number of at least 1 in SPEEDMETAL_NUM_THREADS, got "
        f"{stated!r}; set it to the number of threads, or unset it to use all processors"
    )


def test_the_default_pool_takes_the_stated_number():
    done = in_process("print(default_pool().threads)", SPEEDMETAL_NUM_THREADS="5")
    assert done.stdout == "5\n"


# --- the runtime's text


@pytest.mark.parametrize(
    ("machine", "hint"),
    [
        ("x86_64", "llvm.x86.sse2.pause"),
        ("AMD64", "llvm.x86.sse2.pause"),
        ("aarch64", "llvm.aarch64.isb"),
        ("arm64", "llvm.aarch64.isb"),
        ("riscv64", None),
    ],
)
def test_the_runtime_is_valid_for_every_processor(machine, hint):
    from llvmlite import binding

    text = runtime_text(machine)
    assert hint is None or text.count(hint) == 2
    binding.parse_assembly(text, binding.create_context()).verify()


needs_ready_runtime = pytest.mark.skipif(
    not CAN_MAP or platform.machine() != "x86_64", reason="for x86-64 under Linux"
)


@needs_ready_runtime
def test_the_ready_runtime_is_what_would_be_built(tmp_path):
    head, _, _ = Path(pool_module.READY_RUNTIME).read_bytes().partition(b"\n")
    digest, _, version = head.decode().split()
    hint = "run: python tools/build_runtime.py"
    assert digest == pool_module.runtime_digest(runtime_text("x86_64")), hint
    if version != llvmlite.__version__:
        pytest.skip(f"built by llvmlite {version}")
    built = tmp_path / "runtime.image"
    tool = Path(__file__).parents[4] / "tools" / "build_runtime.py"
    subprocess.run([sys.executable, str(tool), str(built)], check=True)
    assert built.read_bytes() == Path(pool_module.READY_RUNTIME).read_bytes(), hint


@needs_ready_runtime
def test_the_ready_runtime_is_neither_compiled_nor_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(pool_module, "compile_object", None)
    assert Path(pool_module.READY_RUNTIME).read_bytes().endswith(b"\n" + pool_module.runtime_code())
    assert not (tmp_path / "cache").exists()


def test_another_runtime_is_compiled_once_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    changed = runtime_text(platform.machine()) + "; changed\n"
    monkeypatch.setattr(pool_module, "runtime_text", lambda _: changed)
    compiled = pool_module.runtime_code()
    assert any((tmp_path / "cache").iterdir())
    with contextlib.closing(ThreadPool(2)) as pool:
        counts = np.zeros(100, np.int32)
        pool.parallel_for(counter()._address, counts.ctypes.data.to_bytes(8, sys.byteorder), 100, 3)
    np.testing.assert_array_equal(counts, np.ones(100))
    monkeypatch.setattr(pool_module, "compile_object", None)  # a second compilation would fail
    assert pool_module.runtime_code() == compiled


def test_programs_use_the_pool_only_where_there_is_more_than_a_chunk():
    counts = np.zeros(8, np.int32)
    arguments = counts.ctypes.data.to_bytes(8, sys.byteorder)
    counter().launch(arguments, 8, 8)
    counter().launch(arguments, 8, 2)
    counter().launch(arguments, 0, 4)
    np.testing.assert_array_equal(counts, np.full(8, 2))


@pytest.mark.parametrize(
    ("work", "chunks"),
    [(None, 8), (0, 1), (1000, 1), (1 << 20, 2), (5 << 19, 4), (1 << 40, 8)],
)
def test_little_work_is_left_to_one_thread_and_much_is_shared_out_evenly(work, chunks, monkeypatch):
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    launch = Launch(Sizes((1600, 1, 1), (1, 1, 1), (1600, 1, 1)), (), work=work)
    chunk = driver._chunk(launch)
    assert -(-1600 // chunk) == chunks
