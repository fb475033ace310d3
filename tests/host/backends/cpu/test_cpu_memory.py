"""The CPU's memory: reused without page faults, bounded, given back, safe in threads and forks."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.backends.cpu import memory as memory_module
from speedmetal.backends.cpu.device import CpuDevice
from speedmetal.backends.cpu.memory import (
    ALIGNMENT_BYTES,
    HUGE_PAGE_BYTES,
    IDLE_FLOOR_BYTES,
    HostPool,
    MappedBlock,
    capacity_of,
)
from speedmetal.errors import DeviceError

MIB = 1 << 20
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's accounts")


@pytest.fixture
def device():
    """A CPU with memory of its own."""
    return CpuDevice()


def page_faults():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def run(program, **variables):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# --- Reuse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 256, 100_000, 3 * MIB])
def test_a_freed_block_is_used_again(device, size):
    first = device.allocate(size).address
    assert device.allocate(size).address == first
    kept = device.allocate(size)
    assert device.allocate(size).address != kept.address
    assert device.memory_info().allocations == 4


def test_the_peak_can_be_counted_anew(device):
    kept, large = device.allocate(MIB), device.allocate(8 * MIB)
    del large
    assert device.memory_info().peak_bytes == 9 * MIB
    device.forget_peak()
    assert device.memory_info().peak_bytes == MIB
    more = device.allocate(2 * MIB)
    assert device.memory_info().peak_bytes == 3 * MIB
    del kept, more


@given(st.lists(st.integers(0, 5 * MIB), min_size=1, max_size=8))
def test_live_buffers_are_aligned_and_apart(sizes):
    device = CpuDevice()
    kept = []
    for number, size in enumerate(sizes):
        buffer = device.allocate(size)
        assert buffer.address % ALIGNMENT_BYTES == 0
        assert (buffer.host.nbytes, buffer.size_bytes) == (size, size)
        buffer.host[:] = number
        if number % 3 != 2:
            kept.append((number, buffer))
    assert all((buffer.host == number).all() for number, buffer in kept)


def test_large_blocks_begin_at_a_huge_page(device):
    if not memory_module._has_huge_pages():
        pytest.skip("this system has no huge pages")
    for size in (HUGE_PAGE_BYTES, HUGE_PAGE_BYTES + 1, 10 * MIB + 12345):
        assert device.allocate(size).address % HUGE_PAGE_BYTES == 0


def test_memory_works_without_huge_pages(device, monkeypatch):
    monkeypatch.setattr(memory_module, "_has_huge_pages", lambda: False)
    buffer = device.allocate(5 * MIB + 1)
    assert buffer.is_zeroed
    assert not buffer.host.any()
    buffer.host[:] = 3
    address = buffer.address
    del buffer
    assert device.allocate(5 * MIB + 2).address == address


def test_views_keep_the_memory_alive(device):
    buffer = device.allocate(64)
    view = buffer.host[8:16]
    view[:] = 7
    address = buffer.address
    del buffer
    other = device.allocate(64)
    assert other.address != address
    other.host[:] = 0
    assert view.tolist() == [7] * 8
    del view
    assert device.allocate(64).address == address


@needs_linux
def test_the_second_large_array_costs_no_page_faults():
    def faults_of_an_array():
        before = page_faults()
        array = sm.empty(16 * MIB, device="cpu")
        array[:] = 1
        return page_faults() - before

    sm.empty_cache()
    first = faults_of_an_array()
    second = min(faults_of_an_array() for _ in range(3))
    assert first >= 64 * MIB // HUGE_PAGE_BYTES
    assert second * 8 < first


# --- Zeros ---------------------------------------------------------------------------------------


def test_zeros_are_zeros_on_fresh_and_on_used_memory():
    sm.empty_cache()
    for _ in range(3):
        for size in (10, MIB, 3 * MIB):
            array = sm.zeros(size, "i8", device="cpu")
            assert not array.numpy().any()
            array[:] = 5


def test_minus_zero_is_written_on_fresh_memory():
    sm.empty_cache()
    assert np.signbit(sm.full(MIB, -0.0, device="cpu").numpy()).all()


def test_only_fresh_mappings_are_known_to_be_zero(device):
    assert not device.allocate(1000).is_zeroed
    assert device.allocate(3 * MIB).is_zeroed
    assert not device.allocate(3 * MIB).is_zeroed
    device.memory_info()
    assert not device.allocate(3 * MIB).is_zeroed


@needs_linux
def test_zeros_on_fresh_memory_touch_no_page():
    sm.empty_cache()
    before = page_faults()
    array = sm.zeros(16 * MIB, device="cpu")
    assert page_faults() - before < 64 * MIB // HUGE_PAGE_BYTES
    assert array.numpy()[:: 1 << 19].sum() == 0


# --- Bounds --------------------------------------------------------------------------------------


def test_as_much_may_be_idle_as_was_in_use_but_no_more(monkeypatch):
    monkeypatch.setattr(memory_module, "IDLE_FLOOR_BYTES", 0)
    device = CpuDevice()
    for size in (20, 17, 13, 11, 9, 7, 5, 3):
        device.allocate(size * MIB)
        assert device.memory_info().bytes_cached <= 20 * MIB * 9 // 8
    assert device.memory_info().bytes_cached > 10 * MIB


def test_a_quarter_of_the_machine_is_the_most(monkeypatch):
    monkeypatch.setattr(memory_module, "_machine_bytes", lambda: 40 * MIB)
    device = CpuDevice()
    kept = [device.allocate(4 * MIB) for _ in range(5)]
    del kept
    assert device.memory_info().bytes_cached == 8 * MIB


def test_the_limit_follows_what_arrays_have_used(monkeypatch):
    monkeypatch.setattr(memory_module, "_machine_bytes", lambda: 1 << 60)
    pool = HostPool()
    assert pool.idle_limit(0) == IDLE_FLOOR_BYTES
    assert pool.idle_limit(1 << 40) == 9 << 37
    assert capacity_of((1 << 40) - 1) <= pool.idle_limit((1 << 40) - 1)


# --- Giving back ---------------------------------------------------------------------------------


def test_the_cache_is_seen_and_emptied():
    sm.empty_cache()
    before = sm.memory_info("cpu")
    assert before.bytes_cached == 0
    array = sm.empty(1000, device="cpu")
    assert sm.memory_info("cpu").bytes_cached == 0
    del array
    after = sm.memory_info("cpu")
    assert after.bytes_cached == 4096
    assert after.bytes_in_use == before.bytes_in_use
    sm.empty_cache()
    assert sm.memory_info("cpu").bytes_cached == 0


@needs_linux
def test_emptying_the_cache_unmaps_it(device):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    device.allocate(64 * MIB).host[:] = 1
    device.memory_info()
    before = resident()
    device.empty_cache()
    assert resident() < before - 60 * MIB


@needs_linux
def test_the_system_may_take_idle_pages():
    if not memory_module._has_huge_pages():
        pytest.skip("this system has no huge pages")
    block = MappedBlock(8 * MIB)
    np.frombuffer(block.owner, np.uint8)[:] = 1

    def lazily_free_kib():
        """Of the mapping that holds the block's first byte."""
        is_inside = False
        for line in Path("/proc/self/smaps").read_text().splitlines():
            name, _, rest = line.partition(" ")
            if "-" in name:
                begin, end = (int(bound, 16) for bound in name.split("-"))
                is_inside = begin <= block.address < end
            elif is_inside and name == "LazyFree:":
                return int(rest.split()[0])
        return None

    assert lazily_free_kib() == 0
    block.rest()
    assert lazily_free_kib() == 8 << 10


PRESSURE = """
    import resource
    import numpy as np
    import speedmetal as sm
    from speedmetal.errors import DeviceError

    MIB = 1 << 20
    def bytes_of(size):
        return sm.empty(size, sm.uint8, device="cpu")
    first = bytes_of(1000)  # what is loaded late is there before the process's space is counted
    try:
        bytes_of(1 << 60)
    except DeviceError:
        del first
    sm.empty_cache()
    with open("/proc/self/statm") as pages:
        mapped = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 320 * MIB,) * 2)
    idle = [bytes_of(80 * MIB) for _ in range(2)]
    del idle
    assert sm.memory_info("cpu").bytes_cached == 160 * MIB
    large = bytes_of(224 * MIB)      # not without what is idle
    large.numpy()[:] = 1
    assert sm.memory_info("cpu").bytes_cached == 0
    try:
        bytes_of(224 * MIB)
    except DeviceError as error:
        print(error)
    small = [bytes_of(1000) for _ in range(100)]
    del large
    assert bytes_of(200 * MIB).nbytes == 200 * MIB
"""


@needs_linux
def test_idle_memory_is_given_back_before_memory_is_refused():
    # A thread of NumPy's, one for each core, may take 64 MiB of addresses whenever it first runs.
    alone = {"SPEEDMETAL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    ended = run(PRESSURE, **alone)
    assert ended.returncode == 0, ended.stderr
    in_use = 224 * MIB
    assert re.fullmatch(
        rf"the CPU has no memory for {in_use} bytes: \d+ are available, {in_use} are in use by"
        r" arrays; delete some, or use smaller ones\n",
        ended.stdout,
    )


@needs_linux
def test_more_than_is_left_is_refused_before_the_machine_swaps(device, monkeypatch, tmp_path):
    """Proves that a large block is held against what the system says is available, and that the
    error is Python's for that as well."""
    state = tmp_path / "meminfo"
    state.write_text("MemTotal: 9000000 kB\nMemAvailable: 300000 kB\n")
    monkeypatch.setattr(memory_module, "MEMORY_STATE", str(state))
    with pytest.raises(MemoryError, match="536870912 bytes: 307200000 are available, 0 are in"):
        device.allocate(512 * MIB)
    assert device.allocate(260 * MIB).size_bytes == 260 * MIB


@pytest.mark.parametrize("size", [1 << 55, 1 << 63, 1 << 80])
def test_more_than_any_machine_has_is_refused(device, size):
    with pytest.raises(DeviceError, match=f"the CPU has no memory for {size} bytes"):
        device.allocate(size)
    assert device.memory_info().bytes_in_use == 0


# --- Threads, finalisers, forks ------------------------------------------------------------------


def test_threads_make_and_drop_arrays_at_once(device):
    failures = []

    def work(mark):
        random = np.random.default_rng(mark)
        held = []
        for size in random.integers(1, 40_000, 400):
            buffer = device.allocate(int(size))
            buffer.host[:] = mark
            held.append(buffer)
            if len(held) > 5:
                gone = held.pop(int(random.integers(0, 5)))
                if not (gone.host == mark).all():
                    failures.append(gone)

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert device.memory_info().bytes_in_use == 0


def test_arrays_in_cycles_come_back_when_they_are_collected(device):
    gc.collect()
    cycle = [device.allocate(1000)]
    cycle.append(cycle)
    del cycle
    assert device.memory_info().bytes_in_use == 1000
    gc.collect()
    assert device.memory_info().bytes_in_use == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_forked_child_makes_and_drops_arrays(device):
    buffer = device.allocate(3 * MIB)
    buffer.host[:] = 1
    device.allocate(5 * MIB)
    held, release = threading.Event(), threading.Event()

    def hold():
        with device.pool.lock:
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    child = os.fork()
    if child == 0:
        try:
            again = device.allocate(5 * MIB)
            again.host[:] = 2
            buffer.host[:] = 3
            del again
            device.empty_cache()
            is_right = device.memory_info().bytes_in_use == 3 * MIB
        except BaseException:  # noqa: BLE001 - nothing may come back from the child
            is_right = False
        os._exit(0 if is_right else 1)
    release.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert (buffer.host == 1).all()
    assert device.memory_info().bytes_in_use == 3 * MIB
