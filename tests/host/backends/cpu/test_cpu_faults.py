"""What would end the process or hang it is found before, or is harmless: the device goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import speedmetal as sm


def message(launch: Callable[[], None], kind: type[Exception] = sm.LaunchError) -> str:
    with pytest.raises(kind) as caught:
        launch()
    return str(caught.value)


# --- threadgroup memory of which only a launch knows the size


@sm.kernel
def reversed_tiles(a, n):
    """Each threadgroup turns its part round, in memory that the launch sizes."""
    tile = sm.threadgroup_array(n, sm.float32)
    t = sm.thread_index_in_threadgroup()
    i = sm.thread_position_in_grid().x
    tile[t] = a[i]
    sm.threadgroup_barrier()
    a[i] = tile[sm.threads_per_threadgroup().x - 1 - t]


@sm.kernel
def row_of_threads(a):
    """The size of the threadgroup is the size of the array."""
    tile = sm.threadgroup_array((sm.threads_per_threadgroup().x, 16), sm.float64)
    t = sm.thread_index_in_threadgroup()
    tile[t, 3] = a[t]
    sm.threadgroup_barrier()
    a[t] = tile[sm.threads_per_threadgroup().x - 1 - t, 3]


def test_threadgroup_memory_sized_at_launch_has_the_devices_limit() -> None:
    """32 KiB run, and a float more is refused before anything runs: the stack would overflow."""
    a = np.arange(64, dtype=np.float32)
    wanted = a.reshape(2, 32)[:, ::-1].ravel()
    reversed_tiles(a, 8192, grid=64, threads=32)
    np.testing.assert_array_equal(a, wanted)
    assert message(lambda: reversed_tiles(a, 8193, grid=64, threads=32)) == (
        "kernel 'reversed_tiles' needs 32772 bytes of threadgroup memory (tile has shape 8193 in"
        " this launch), cpu allows 32768; make its threadgroup arrays smaller"
    )
    np.testing.assert_array_equal(a, wanted)


@pytest.mark.parametrize("n", [8193, 2**31 - 1, 2**40, -1, 0, -(2**31)])
def test_a_size_that_does_not_fit_is_refused_in_every_launch(n: int) -> None:
    """The first launch of a key, and those that find its plan; good ones in between run."""
    a = np.arange(32, dtype=np.float32)
    for count in range(3):
        np.testing.assert_array_equal(a, np.arange(32)[:: -1 if count % 2 else 1])
        with pytest.raises(sm.LaunchError, match="reversed_tiles"):
            reversed_tiles(a, n, grid=32, threads=32)
        reversed_tiles(a, 32, grid=32, threads=32)


def test_a_size_below_1_is_refused_with_its_axis() -> None:
    """A negative size would let the stack pointer go the wrong way."""
    a = np.zeros((3, 4), np.float32)

    @sm.kernel
    def tiled(a, columns):
        tile = sm.threadgroup_array((a.shape[0], columns // 2), sm.float64)
        tile[0, 0] = a[0, 0]
        a[0, 0] = tile[0, 0]

    assert message(lambda: tiled(a, -7, grid=1)) == (
        "kernel 'tiled': threadgroup array tile has shape (3, -4) in this launch; expected a size"
        " of 1 or more along axis 1, got -4"
    )


def test_arrays_count_together_whatever_sizes_them() -> None:
    """Extents of arrays, numbers, constants."""

    @sm.kernel
    def tiled(a, columns):
        tile = sm.threadgroup_array((a.shape[0], columns // 2), sm.float64)
        other = sm.threadgroup_array(1000, sm.float32)
        tile[0, 0] = a[0, 0]
        other[0] = tile[0, 0]
        a[0, 0] = other[0] + 1

    a = np.zeros((100, 2), np.float32)
    tiled(a, 71, grid=1)
    assert a[0, 0] == 1
    assert "needs 32800 bytes" in message(lambda: tiled(a, 72, grid=1))
    assert "tile has shape (100, 36)" in message(lambda: tiled(a, 73, grid=1))
    wide = np.zeros((101, 2), np.float32)
    assert "needs 33088 bytes" in message(lambda: tiled(wide, 72, grid=1))


def test_memory_by_the_size_of_the_threadgroup() -> None:
    """Without numbers, one look at each new key is enough."""
    a = np.arange(512, dtype=np.float32)
    row_of_threads(a, grid=256, threads=256)
    np.testing.assert_array_equal(a[:256], np.arange(256)[::-1])
    said = message(lambda: row_of_threads(a, grid=512, threads=257))
    assert said.startswith("kernel 'row_of_threads' needs 32896 bytes")


@pytest.mark.tier("default")
def test_sizes_are_known_when_the_code_comes_from_disk(tmp_path: Any) -> None:
    """The second process does not see the program's IR."""
    program = tmp_path / "program.py"
    program.write_text(
        "import numpy as np, speedmetal as sm\n"
        "@sm.kernel\n"
        "def sized(a, n):\n"
        "    tile = sm.threadgroup_array((min(n, 5) * 4096, 1), sm.float32)\n"
        "    tile[0, 0] = a[0]\n"
        "    a[0] = tile[0, 0] + 1\n"
        "a = np.zeros(1, np.float32)\n"
        "sized(a, 2, grid=1)\n"
        "try:\n"
        "    sized(a, 9, grid=1)\n"
        "except sm.LaunchError as error:\n"
        "    print(a[0], error)\n"
    )
    environment = {
        **os.environ,
        "SPEEDMETAL_CACHE_DIR": str(tmp_path / "c"),
        "SPEEDMETAL_CACHE": "1",
    }
    said = [
        subprocess.run(
            [sys.executable, program], env=environment, text=True, capture_output=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert said[0].startswith("1.0 kernel 'sized' needs 81920 bytes of threadgroup memory")
    assert said[1] == said[0]
    assert list((tmp_path / "c").rglob("*"))


def test_functions_that_targets_round_differently_size_no_array() -> None:
    """The host could not know the size that the device finds."""

    @sm.kernel
    def logarithmic(a, n):
        tile = sm.threadgroup_array(int(sm.log2(n)), sm.float32)
        a[0] = tile[0]

    said = message(lambda: logarithmic(np.zeros(1, np.float32), 8.0, grid=1), sm.CompileError)
    assert "log2 cannot stand in the size of an array" in said


# --- memory of threads


@sm.kernel
def greedy_threads(a):
    first = sm.thread_array((32, 64), sm.float32)
    second = sm.thread_array(2049, sm.float32)
    i = sm.thread_position_in_grid().x
    first[0, i] = a[i]
    second[i] = first[0, i]
    a[i] = second[i]


def test_threads_have_so_much_memory() -> None:
    """The sum counts; the largest array is shown."""
    a = np.zeros(4, np.float32)
    said = message(lambda: greedy_threads(a, grid=4), sm.CompileError)
    assert "the thread arrays take 16388 bytes for each thread, of which there are 16384" in said
    assert "second = sm.thread_array(2049, sm.float32)" in said
    for target in ("metal", "cuda"):
        with pytest.raises(sm.CompileError, match="take 16388 bytes for each thread"):
            sm.code(greedy_threads, a, target=target)


@sm.kernel
def large_own(a):
    """16 KiB in each thread, 16 MiB in a threadgroup of 1,024."""
    own = sm.thread_array(4096, sm.float32)
    i = sm.thread_position_in_grid().x
    for k in range(4096):
        own[k] = a[i] + k
    sm.threadgroup_barrier()
    total = sm.float32(0)
    for k in range(0, 4096, 512):
        total += own[(k + i) % 4096]
    a[i] = total


def expected_large_own(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    k = (np.arange(0, 4096, 512)[:, None] + np.arange(a.size)) % 4096
    return (a + k).sum(0).astype(np.float32)


@pytest.mark.parametrize("threads", [16, 17, 32, 1024])
def test_threads_memory_beyond_any_stack(threads: int) -> None:
    """Below and above what is put on the stack; on all cores at once."""
    a = np.arange(2048, dtype=np.float32) % 7
    wanted = expected_large_own(a)
    large_own(a, grid=2048, threads=threads)
    np.testing.assert_array_equal(a, wanted)


def test_memory_of_threads_is_given_back() -> None:
    """A dozen launches of 16 MiB and more need no more memory than two."""
    resource = pytest.importorskip("resource", reason="the system does not tell a process's memory")
    unit = 1 if sys.platform == "darwin" else 1024
    a = np.zeros(1024, np.float32)
    peaks = []
    for launches in (2, 12):
        for _ in range(launches):
            large_own(a, grid=1024, threads=1024)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
    assert peaks[1] - peaks[0] < 100 * 2**20


LIVE = 40
_MADE = "".join(f"    v{n} = sm.float64(a[i]) * {n} + b[i]\n" for n in range(LIVE))
_USED = "".join(f"    total = total * 0.5 + v{n}\n" for n in range(LIVE))
SOURCE = f"""
import speedmetal as sm


@sm.kernel
def many_variables(a, b):
    i = sm.thread_position_in_grid().x
    own = sm.thread_array(64, sm.float32)
    for k in range(64):
        own[k] = k * a[i]
{_MADE}
    sm.threadgroup_barrier()
    total = sm.float64(own[i % 64])
    sm.threadgroup_barrier()
{_USED}
    b[i] = total
"""


@pytest.fixture
def many_variables(tmp_path: Any) -> sm.Kernel:
    """A kernel in which 40 float64 and an array of 64 floats live on over barriers."""
    program = tmp_path / "many_variables.py"
    program.write_text(SOURCE)
    scope: dict[str, Any] = {"__name__": "many_variables"}
    exec(compile(SOURCE, program, "exec"), scope)  # noqa: S102 - the source is in a file
    kernel: sm.Kernel = scope["many_variables"]
    return kernel


def expected_of_many(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    total = (np.arange(a.size) % 64 * a).astype(np.float64)
    for n in range(LIVE):
        total = total * 0.5 + (a.astype(np.float64) * n + b)
    return total


def test_many_variables_live_on_in_large_threadgroups(many_variables: sm.Kernel) -> None:
    """320 KiB of variables and 256 KiB of arrays for each core, on all cores."""
    a = np.arange(8192, dtype=np.float32) % 13
    b = np.arange(8192, dtype=np.float64) % 5
    wanted = expected_of_many(a, b)
    many_variables(a, b, grid=8192, threads=1024)
    np.testing.assert_array_equal(b, wanted)


def test_a_thread_with_a_small_stack_may_launch(many_variables: sm.Kernel) -> None:
    """Users choose the stack of their threads; a launch runs a part of the work there."""
    a, b = np.ones(1024, np.float32), np.ones(1024)
    many_variables(a, b, grid=1024, threads=1024)  # compiled here: LLVM needs a stack of its own
    a, b = np.arange(1024, dtype=np.float32), np.zeros(1024)
    wanted = expected_of_many(a, b)
    before = threading.stack_size(256 * 1024)
    try:
        worker = threading.Thread(
            target=many_variables, args=(a, b), kwargs={"grid": 1024, "threads": 1024}
        )
        worker.start()
        worker.join()
    finally:
        threading.stack_size(before)
    np.testing.assert_array_equal(b, wanted)


# --- threads that go different ways round a barrier


@sm.kernel
def some_simdgroups(a, limit):
    """Nobody waits before the vote, so that simdgroups may find different things in memory."""
    i = sm.thread_index_in_threadgroup()
    shared = sm.threadgroup_array(1, sm.int32)
    shared[0] = i
    if sm.simd_any(shared[0] > limit):
        sm.threadgroup_barrier()
    a[sm.thread_position_in_grid().x] += 1


@sm.kernel
def rounds_of_simdgroups(a, first):
    """The same for a loop, in a threadgroup of two dimensions whose rows are no simdgroups."""
    x, y, _ = sm.thread_position_in_threadgroup()
    shared = sm.threadgroup_array(1, sm.int32)
    shared[0] = max(y, first)
    most = sm.simd_max(shared[0])
    rounds = 0
    while rounds < most:
        a[y, x] += 1
        sm.threadgroup_barrier()
        rounds += 1


def test_simdgroups_that_vote_differently_are_reported() -> None:
    """The first thread of the first simdgroup that goes another way than the first."""
    a = np.zeros(256, np.float32)
    said = message(lambda: some_simdgroups(a, 70, grid=256, threads=128, debug=2), sm.KernelError)
    assert said.startswith(
        "kernel 'some_simdgroups': threads of a threadgroup disagree: a barrier stands inside,"
        " which all threads of the threadgroup must reach; move it out, or make the condition the"
        " same for all of them\n"
    )
    assert "in thread (64, 0, 0) of threadgroup (" in said
    assert "    if sm.simd_any(shared[0] > limit):" in said
    assert not a.any()
    for limit in (-1, 127):
        some_simdgroups(a, limit, grid=256, threads=128, debug=2)
    np.testing.assert_array_equal(a, np.full(256, 2))


def test_loops_of_simdgroups_that_differ_are_reported() -> None:
    """Vectors that are cut from the linear index; the first round in which they differ."""
    a = np.zeros((4, 24), np.float32)
    rounds_of_simdgroups(a, 3, grid=(24, 4), threads=(24, 4), debug=2)
    np.testing.assert_array_equal(a, np.full((4, 24), 3))
    a[:] = 0
    # Simdgroups end in the rows 1, 2 and 3; the second begins with thread 8 of row 1.
    with pytest.raises(sm.KernelError, match=r"in thread \(8, 1, 0\) of threadgroup \(0, 0, 0\)"):
        rounds_of_simdgroups(a, 1, grid=(24, 4), threads=(24, 4), debug=2)
    np.testing.assert_array_equal(a, np.ones((4, 24)))


@pytest.mark.parametrize("debug", [0, 1])
def test_divergence_below_level_2_neither_hangs_nor_crashes(debug: int) -> None:
    """What then happens is undefined, but it ends, and what follows is not harmed."""
    a, rows = np.zeros(128, np.float32), np.zeros((4, 24), np.float32)
    some_simdgroups(a, 70, grid=128, threads=128, debug=debug)
    rounds_of_simdgroups(rows, 1, grid=(24, 4), threads=(24, 4), debug=debug)
    a[:] = 0
    some_simdgroups(a, -1, grid=128, threads=128, debug=debug)
    np.testing.assert_array_equal(a, np.ones(128))
