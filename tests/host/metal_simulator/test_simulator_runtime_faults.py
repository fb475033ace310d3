"""A kernel that goes wrong ends its run with a report, and nothing else."""

# ruff: noqa: E501 - kernels have the lines that they need

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from simulator_kernels import compile_kernels, device

from speedmetal.errors import SimulationError, UserInputError
from speedmetal.metal_simulator.execution import Dispatch, Region, execute
from speedmetal.metal_simulator.memory import GuardedMemory
from speedmetal.metal_simulator.settings import Settings

TEXT = """
KERNEL(copy_from) { BUFFER(uint, 1)[I] = BUFFER(uint, 0)[I]; }
KERNEL(write_at) { BUFFER(uchar, 0)[BUFFER(long, 1)[0]] = 7; }
KERNEL(read_at) {
    if (I == 37)
        BUFFER(uint, 1)[0] = BUFFER(uint, 0)[BUFFER(long, 1)[1]];
}
KERNEL(beyond_array) {
    uint *shared = ARRAY(uint, 4, 20);
    if (L == 3)
        shared[20] = 1;
    barrier();
}
KERNEL(before_array) { ARRAY(uint, 4, 20)[-1] = 1; }
KERNEL(beyond_argument) { ((uint *)t->threadgroup[1])[8] = 1; }
KERNEL(large_array) { ARRAY(uchar, 0, 20000)[0] = 1; ARRAY(uchar, 1, 20000)[0] = 1; }
KERNEL(too_many_arrays) { __smr_threadgroup_memory(5000, 4, 4); }
KERNEL(unbound) { BUFFER(uint, 5)[I + 2] = 1; }
KERNEL(null) { *(volatile uint *)t->threadgroup[7] = 1; }
KERNEL(divide) { BUFFER(uint, 0)[I] = 7 / BUFFER(uint, 0)[I]; }
KERNEL(trap) { __builtin_trap(); }
KERNEL(says_why) { if (I == 5) __smr_fail("the number is 5"); }
__attribute__((noinline)) static uint deep(uint n, volatile uint *x) { volatile uint a[1000]; a[n % 1000] = *x; return n ? deep(n - 1, a) + a[0] : 0; }
KERNEL(recursion) { uint x = 1; deep(100000, &x); }
KERNEL(endless) { for (;;) __asm__ volatile(""); }
KERNEL(endless_after_barrier) { barrier(); if (I == 40) for (;;) __asm__ volatile(""); }
KERNEL(endless_barriers) { for (;;) barrier(); }
KERNEL(endless_but_one) { if (I < 32) BUFFER(uint, 0)[1 << 12] = 1; for (;;) __asm__ volatile(""); }
KERNEL(exchange_too_much) { char x[64]; uint mask; __smr_exchange((ulong)x, 64, (ulong)&mask); }
"""


@pytest.fixture(scope="module")
def kernels():
    return compile_kernels(TEXT)


def line_of(text: str) -> int:
    return 1 + next(i for i, line in enumerate(TEXT.splitlines()) if text in line)


def failure(kernels, name, *memories, grid=64, threads=32, **how):
    with pytest.raises(SimulationError) as caught:
        kernels.run(name, *memories, grid=grid, threads=threads, **how)
    return caught.value


# ---- device memory


@pytest.mark.parametrize("fibers", [False, True])
def test_one_too_far_is_told_with_buffer_thread_and_line(kernels, fibers):
    source, _ = device(np.uint32, 56)  # 224 bytes, a multiple of the alignment
    target, _ = device(np.uint32, 64)
    error = failure(kernels, "copy_from", source, target, fibers=fibers)
    assert error.kind == "out of bounds"
    assert str(error) == (
        "kernel 'copy_from': thread (24, 0, 0) of threadgroup (1, 0, 0) read buffer 0 ('a') at "
        "byte offset 224, 0 bytes behind its end (it has 224 bytes) "
        f"(line {line_of('copy_from')}); keep the index within the buffer: compare it with the "
        "number of elements first"
    )
    error = failure(kernels, "copy_from", target, source, fibers=fibers)
    assert "wrote buffer 1 ('b') at byte offset 224, 0 bytes behind its end" in str(error)


@pytest.mark.parametrize("size", [1, 4, 31, 32, 33, 100, 4095, 4096, 4097, 10000])
def test_every_write_near_a_buffer_is_found(kernels, size):
    """In the same page too, where no guard can be: then when the run has ended."""
    for offset in (-4096 * 3, -1, size, size + 1, size + 40, size + 100000):
        memory = GuardedMemory(size, fill=0)
        where, offsets = device(np.int64, 1)
        offsets[0] = offset
        if offset < -1 and size % 4096 < 10:
            continue  # far before a small buffer is memory of nobody
        error = failure(kernels, "write_at", memory, where, grid=1, threads=1, fibers=False)
        assert error.kind == "out of bounds"
        assert f"wrote buffer 0 ('a') at byte offset {offset}, " in str(error)
        assert (memory.array == 0).all()
    offsets[0] = size - 1
    kernels.run("write_at", memory, where, grid=1, threads=1, fibers=False)
    assert memory.array.tolist() == [0] * (size - 1) + [7]  # the damage was told once


def test_a_read_is_told_where_it_happens(kernels):
    memory, _ = device(np.uint32, 8)
    where, offsets = device(np.int64, 2)
    offsets[1] = 50
    error = failure(kernels, "read_at", memory, where, fibers=False)
    assert (
        "thread (5, 0, 0) of threadgroup (1, 0, 0) read buffer 0 ('a') at byte offset 200, 168"
        in (str(error))
    )


def test_memory_that_was_freed_is_told(kernels):
    source, _ = device(np.uint32, 64)
    target, _ = device(np.uint32, 64)
    dispatch = kernels.dispatch("copy_from", source, target, grid=64, threads=32, fibers=False)
    del source, _
    gc.collect()
    with pytest.raises(SimulationError, match=r"buffer 0 \('a'\) at byte offset 0, inside its 256"):
        execute(dispatch, Settings())


def test_an_index_without_a_buffer_is_told(kernels):
    error = failure(kernels, "unbound", fibers=False)
    assert "wrote buffer 5 at byte offset 8, but nothing is bound at this index" in str(error)
    assert "bind a buffer there, or do not use the parameter" in str(error)


def test_a_null_pointer_is_told(kernels):
    assert "wrote through a pointer that is null" in str(failure(kernels, "null", fibers=False))


# ---- threadgroup memory


def test_beyond_an_array_of_threadgroup_memory(kernels):
    error = failure(kernels, "beyond_array")
    assert error.kind == "out of bounds"
    assert str(error) == (
        "kernel 'beyond_array': thread (3, 0, 0) of threadgroup (0, 0, 0) wrote threadgroup array "
        f"number 5 of the text at byte offset 80 (line {line_of('shared[20]')}); make the array "
        "larger, or keep the index within it"
    )


def test_before_an_array_of_threadgroup_memory(kernels):
    error = failure(kernels, "before_array", fibers=False)
    assert error.kind == "out of bounds"
    assert "wrote threadgroup array number 5 of the text at byte offset -1" in str(error)


def test_beyond_an_argument_of_threadgroup_memory(kernels):
    error = failure(kernels, "beyond_argument", threadgroup_bytes={1: 32}, fibers=False)
    assert "wrote [[threadgroup(1)]] at byte offset 32" in str(error)


def test_too_much_threadgroup_memory_while_running(kernels):
    error = failure(kernels, "large_array", fibers=False)
    assert error.kind == "threadgroup memory"
    assert "use 40000 bytes of threadgroup memory or more, 32768 are allowed" in str(error)


def test_too_many_arrays(kernels):
    assert failure(kernels, "too_many_arrays", fibers=False).kind == "failed"


# ---- other ends


@pytest.mark.skipif(platform.machine() != "x86_64", reason="ARM processors divide by zero silently")
def test_division_by_zero(kernels):
    memory, _ = device(np.uint32, 64)
    error = failure(kernels, "divide", memory, fibers=False)
    assert error.kind == "failed"
    assert "divided an integer by zero" in str(error)


def test_traps_and_stated_failures(kernels):
    assert "must never be reached (a trap)" in str(failure(kernels, "trap", fibers=False))
    error = failure(kernels, "says_why", fibers=False)
    assert error.kind == "failed"
    assert "thread (5, 0, 0) of threadgroup (0, 0, 0): the number is 5 (line " in str(error)


@pytest.mark.parametrize("fibers", [False, True])
def test_the_end_of_the_stack(kernels, fibers):
    error = failure(kernels, "recursion", fibers=fibers)
    assert error.kind == "out of bounds"
    assert "beyond its own memory, of which there are 384 KiB" in str(error)


def test_exchanges_have_a_size(kernels):
    assert "at most 32 bytes" in str(failure(kernels, "exchange_too_much"))


# ---- the watchdog


@pytest.mark.parametrize(
    ("name", "fibers"),
    [
        ("endless", False),
        ("endless", True),
        ("endless_after_barrier", True),
        ("endless_barriers", True),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_endless_loops_end(kernels, name, fibers, workers):
    how = Settings(timeout=0.05, workers=workers)
    error = failure(kernels, name, fibers=fibers, settings=how)
    assert error.kind == "timeout"
    assert "it did not end within 0.05 s" in str(error)
    if name == "endless_after_barrier":
        assert "thread (8, 0, 0) of threadgroup (1, 0, 0) was still running (line" in str(error)


def test_a_fault_ends_the_other_workers(kernels):
    memory, _ = device(np.uint32, 8)
    how = Settings(timeout=None, workers=2)
    error = failure(kernels, "endless_but_one", memory, fibers=False, settings=how)
    assert error.kind == "out of bounds"


def test_many_threads_each_get_their_own_fault(kernels):
    found: dict[int, str] = {}

    def work(number: int) -> None:
        for _ in range(5):
            source, _ = device(np.uint32, 8 * number)
            target, _ = device(np.uint32, 128)
            found[number] = str(
                failure(kernels, "copy_from", source, target, grid=128, fibers=number % 2 == 0)
            )
            failure(kernels, "endless", fibers=False, settings=Settings(timeout=0.02))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    for number, text in found.items():
        assert f"read buffer 0 ('a') at byte offset {32 * number}, 0 bytes" in text


# ---- other users of signals


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Runs code in a new process; all of them share a cache."""
    folder = str(tmp_path_factory.mktemp("cache"))
    environment = os.environ | {"SPEEDMETAL_CACHE": "1", "SPEEDMETAL_CACHE_DIR": folder}
    return lambda code: run_python(code, environment)


def run_python(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    prelude = f"""
import ctypes, faulthandler, os, signal, sys, threading, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
faulthandler.enable()
import numpy as np
from simulator_kernels import compile_kernels, device
from test_simulator_runtime_faults import TEXT
from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.settings import Settings
kernels = compile_kernels(TEXT)
def fault(**how):
    try:
        kernels.run("null", grid=1, threads=1, fibers=False, **how)
    except SimulationError as error:
        return error.kind
def endless(seconds):
    try:
        kernels.run("endless", grid=1, threads=1, fibers=False, settings=Settings(timeout=seconds))
    except SimulationError as error:
        return error.kind
"""
    return subprocess.run(
        [sys.executable, "-c", prelude + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )


def test_faulthandler_works_after_a_run(python):
    done = python("assert fault() == 'out of bounds'\nctypes.string_at(0)")
    assert done.returncode == -11
    assert "Fatal Python error: Segmentation fault" in done.stderr


def test_faulthandler_works_during_a_run(python):
    """A fault of another thread is no kernel's."""
    done = python(
        "threading.Thread(target=endless, args=(30,), daemon=True).start()\n"
        "time.sleep(0.3)\nctypes.string_at(0)"
    )
    assert done.returncode == -11
    assert "Fatal Python error: Segmentation fault" in done.stderr


def test_handlers_are_as_before_when_no_run_is_under_way(python):
    done = python(
        "def caught():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return [line for line in lines if line.startswith(('SigCgt', 'SigBlk'))]\n"
        "before = caught()\n"
        "assert fault() == 'out of bounds'\n"
        "assert caught() == before\n"
    )
    assert done.returncode == 0, done.stderr


def test_handlers_set_during_a_run_stay(python):
    done = python(
        "thread = threading.Thread(target=endless, args=(0.5,))\n"
        "thread.start()\n"
        "time.sleep(0.2)\n"
        "seen = []\n"
        "signal.signal(signal.SIGURG, lambda *_: seen.append(1))\n"
        "thread_end = time.monotonic()\n"
        "time.sleep(0)\n"
        "os.kill(os.getpid(), signal.SIGURG)\n"
        "assert seen == [1]\n"
        "os._exit(0)\n"
    )
    assert done.returncode == 0, done.stderr


def test_python_sees_signals_that_come_during_a_run(python):
    done = python(
        "signal.signal(signal.SIGUSR1, lambda *_: print('seen'))\n"
        "pid = os.getpid()\n"
        "threading.Timer(0.1, lambda: os.kill(pid, signal.SIGUSR1)).start()\n"
        "print(endless(0.4))\n"
    )
    assert done.stdout.split() == ["seen", "timeout"], done.stderr


def test_a_forked_child_can_run_kernels(python):
    done = python(
        "threading.Thread(target=endless, args=(1.0,)).start()\n"
        "time.sleep(0.2)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os._exit(0 if (fault(), endless(0.1)) == ('out of bounds', 'timeout') else 1)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0\n"
    )
    assert done.returncode == 0, done.stderr


# ---- limits


def limits(kernels, match, kind="limits", **changes):
    sizes = {"grid": (8, 1, 1), "threads": (8, 1, 1), "buffers": {}, "threadgroup_bytes": {}}
    sizes["static_threadgroup_bytes"] = 0
    entry = kernels.dispatch("trap", grid=1, threads=1).entry
    dispatch = Dispatch(name="k", entry=entry, uses_fibers=False, **(sizes | changes))
    with pytest.raises(SimulationError, match=match) as caught:
        execute(dispatch, Settings())
    assert caught.value.kind == kind


def test_limits_of_metal(kernels):
    limits(kernels, "threads .* are 1056 in a threadgroup, at most 1024", threads=(33, 32, 1))
    limits(kernels, "threads .*: each of three extents must be 1 to 1024", threads=(0, 1, 1))
    limits(kernels, "grid .*: each of three extents must be 1 to 4294967295", grid=(1 << 32, 1, 1))
    limits(kernels, "grid .*: each of three", grid=(1, 0, 1))
    limits(kernels, "threadgroups are beyond any use", grid=((1 << 32) - 1,) * 3, threads=(1, 1, 1))
    limits(kernels, "buffer index 31: there are 31", buffers={31: Region(0, 0)})
    limits(kernels, "threadgroup index 31: there are 31", threadgroup_bytes={31: 16})
    limits(kernels, "20 bytes at threadgroup index 0: .* multiple of 16", threadgroup_bytes={0: 20})
    limits(
        kernels,
        r"32784 bytes of threadgroup memory \(32752 declared, 32 as arguments\), 32768 are allowed",
        kind="threadgroup memory",
        static_threadgroup_bytes=32752,
        threadgroup_bytes={3: 32},
    )


# ---- memory


def test_arrays_keep_their_memory():
    array = GuardedMemory(1000, fill=3).array[10:20]
    gc.collect()
    assert array.tolist() == [3] * 10
    array[0] = 4
    assert array[0] == 4


def test_memory_is_given_back():
    def mapped() -> int:
        return sum("rw-p" in line for line in Path("/proc/self/maps").read_text().splitlines())

    GuardedMemory(5000)
    before = mapped()
    for _ in range(50):
        GuardedMemory(5000).array[0] = 1
    gc.collect()
    assert mapped() <= before + 5


def test_sizes_of_memory():
    empty = GuardedMemory(0)
    assert (empty.size_bytes, empty.array.shape) == (0, (0,))
    assert empty.address > 0
    assert (GuardedMemory(77).array == 0xFF).all()
    assert GuardedMemory(77).address % 32 == 0
    memory = GuardedMemory(12, fill=1)
    assert memory.array is memory.array
    assert memory.array.ctypes.data == memory.address
    with pytest.raises(UserInputError, match="size_bytes must be 0 or more, got -1"):
        GuardedMemory(-1)
    with pytest.raises(UserInputError, match="fill must be a byte, 0 to 255, got 256"):
        GuardedMemory(1, fill=256)
    with pytest.raises(MemoryError, match="no memory for a buffer of"):
        GuardedMemory(1 << 60)


def test_memory_has_an_alignment_and_an_edge():
    for size in (1, 4, 100, 4096, 5000):
        for alignment in (1, 2, 4, 8, 16, 32):
            end = GuardedMemory(size, alignment=alignment)
            assert end.address % alignment == 0
            assert -(end.address + size) % 4096 < alignment
            assert GuardedMemory(size, alignment=alignment, edge="begin").address % 4096 == 0
    with pytest.raises(UserInputError, match="alignment must be 1, 2, 4, 8, 16 or 32, got 3"):
        GuardedMemory(4, alignment=3)


# ---- addresses that are not aligned

MOVES = {
    "vmovaps ({at}), %%ymm1": ("read", 32, 8),
    "vmovapd %%xmm9, 4({at})": ("wrote", 16, 12),
    "vmovdqa 1004({at}), %%xmm1": ("read", 16, 1012),
    "vmovdqa %%ymm1, ({at},%[index],4)": ("wrote", 32, 8 + 12),
    "vmovaps 1000({at},%[index],8), %%xmm12": ("read", 16, 1008 + 24),
    "vmovntps %%ymm3, -4({at},%[index])": ("wrote", 32, 8 - 4 + 3),
}
REGISTERS = ("rax", "rbx", "rsi", "r8", "r12", "r13", "r15")
MOVE_TEXT = "\n".join(
    f"""KERNEL(move_{number}_{register}) {{
    register char *at __asm__("{register}") = BUFFER(char, 0) + 8;
    __asm__ volatile("{move.format(at="%[at]")}" :: [at] "r"(at), [index] "r"(3ul) : "memory");
}}"""
    for number, move in enumerate(MOVES)
    for register in REGISTERS
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="ARM processors take any address")
def test_the_address_of_a_misaligned_access_is_read_from_the_instruction():
    kernels = compile_kernels(MOVE_TEXT, "-mavx2")
    for number, (verb, size, offset) in enumerate(MOVES.values()):
        for register in REGISTERS:
            memory = GuardedMemory(4096)
            name = f"move_{number}_{register}"
            error = failure(kernels, name, memory, grid=1, threads=1, fibers=False)
            assert error.kind == "misaligned"
            assert (
                f"{verb} buffer 0 ('a') at byte offset {offset} as a type whose alignment is {size} "
                "bytes or more" in str(error)
            )


def test_a_pointer_that_is_no_address():
    kernels = compile_kernels("KERNEL(wild) { *(volatile uint *)0xABCDEF0123456780ul = 1; }")
    error = failure(kernels, "wild", fibers=False)
    assert error.kind == "out of bounds"
    assert "no address at all" in str(error) or "is in no buffer" in str(error)
