"""Accesses that nothing orders are found in every order of threads, and no others are."""

# ruff: noqa: E501 - kernels have the lines that they need

from __future__ import annotations

import numpy as np
import pytest
from simulator_kernels import compile_kernels, device

from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.settings import ORDERS, Settings

TEXT = """
/* ---- of one threadgroup */
KERNEL(neighbour) {
    uint *shared = ARRAY(uint, 0, 256);
    shared[L] = L;
    BUFFER(uint, 0)[I] = shared[(L + 1) % t->threads_per_threadgroup[0]];
}
KERNEL(neighbour_behind_barrier) {
    uint *shared = ARRAY(uint, 0, 256);
    for (int i = 0; i < 3; i++) {
        shared[L] = L;
        __smr_threadgroup_barrier(BUFFER(int, 1)[0]);
        BUFFER(uint, 0)[I] = shared[(L + 1) % t->threads_per_threadgroup[0]];
        __smr_threadgroup_barrier(BUFFER(int, 1)[0]);
    }
}
KERNEL(device_behind_barrier) {
    BUFFER(uint, 0)[I] = I;
    __smr_threadgroup_barrier(BUFFER(int, 1)[0]);
    BUFFER(uint, 2)[I] = BUFFER(uint, 0)[I ^ 1];
}
KERNEL(all_read_then_one_writes) {
    uint *shared = ARRAY(uint, 0, 1);
    if (L == 0) shared[0] = 5;
    barrier();
    uint x = shared[0];
    if (BUFFER(int, 1)[0]) barrier();
    if (L == BUFFER(int, 1)[1]) shared[0] = x + 1;
}
KERNEL(one_sum) { /* the lost update */
    uint *shared = ARRAY(uint, 0, 1);
    if (L == 0) shared[0] = 0;
    barrier();
    shared[0] = shared[0] + 1;
}
KERNEL(atomic_sum) {
    uint *shared = ARRAY(uint, 0, 1);
    if (L == 0) shared[0] = 0;
    barrier();
    __atomic_fetch_add(shared, 1, __ATOMIC_RELAXED);
    if (BUFFER(int, 1)[0]) barrier();
    BUFFER(uint, 0)[I] = shared[0];
}
KERNEL(atomics_of_all_kinds) {
    uint *shared = ARRAY(uint, 0, 4);
    uint zero = 0;
    __atomic_store_n(shared, 0, __ATOMIC_RELAXED);
    __atomic_fetch_sub(shared, 1, __ATOMIC_RELAXED);
    __atomic_fetch_xor(shared, 1, __ATOMIC_RELAXED);
    __atomic_compare_exchange_n(shared, &zero, 3, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    __atomic_exchange_n((ulong *)(shared + 2), 7, __ATOMIC_RELAXED);
    BUFFER(uint, 0)[I] = __atomic_load_n(shared, __ATOMIC_RELAXED);
}

/* ---- sizes */
KERNEL(bytes) { ARRAY(uchar, 0, 64)[L + BUFFER(int, 1)[0] * (L == 5)] = 1; }
KERNEL(halves) { ARRAY(ushort, 0, 64)[L + BUFFER(int, 1)[0] * (L == 5)] = 1; }
KERNEL(word_and_byte) {
    uchar *shared = ARRAY(uchar, 0, 64);
    if (L == 0) *(uint *)shared = 1;
    if (L == 1) shared[BUFFER(int, 1)[0]] = 1;
}
KERNEL(byte_and_word) {
    uchar *shared = ARRAY(uchar, 0, 64);
    if (L == 1) *(uint *)shared = 1;
    if (L == 0) shared[BUFFER(int, 1)[0]] = 1;
}
typedef struct { uint x[4]; } Quad;
KERNEL(copies) {
    Quad *shared = ARRAY(Quad, 0, 64);
    shared[L] = BUFFER(Quad, 0)[L];
    if (BUFFER(int, 1)[0]) barrier();
    __builtin_memcpy(BUFFER(Quad, 2) + L, shared + (L ^ 1), sizeof(Quad));
}

/* ---- simdgroups */
KERNEL(lanes_behind_simdgroup_barrier) {
    uint *shared = ARRAY(uint, 0, 256);
    shared[L] = L;
    __smr_simdgroup_barrier(BUFFER(int, 1)[0]);
    BUFFER(uint, 0)[I] = shared[L ^ BUFFER(int, 1)[1]];
}
KERNEL(sum_between_write_and_read) {
    uint *shared = ARRAY(uint, 0, 32);
    shared[L] = L;
    simd_sum(1);
    BUFFER(uint, 0)[I] = shared[L ^ 1];
}
KERNEL(sum_between_read_and_write) {
    uint *shared = ARRAY(uint, 0, 1);
    if (L == 0) shared[0] = 3;
    barrier();
    uint sum = simd_sum(shared[0]);
    if (L == 0) shared[0] = sum;
}
/* 0 writes; 0 and 1 meet, then 1 and 2: so 2 knows what 0 did, and 3 does not. */
KERNEL(chain_of_meetings) {
    uint *shared = ARRAY(uint, 0, 1), lane = t->lane;
    if (lane == 0) shared[0] = 3;
    if (lane < 2) __smr_simdgroup_barrier(THREADGROUP);
    if (lane == 1 || lane == 2) __smr_simdgroup_barrier(THREADGROUP);
    simd_sum(1); /* lets the reader run last, and orders no memory */
    if (lane == BUFFER(int, 1)[0]) BUFFER(uint, 0)[0] = shared[0];
}

/* ---- of several threadgroups */
KERNEL(all_write_one) { BUFFER(uint, 0)[0] = 1; }
KERNEL(each_its_own) { BUFFER(uint, 0)[I] = I; BUFFER(uint, 0)[I] += BUFFER(uint, 2)[0]; }
KERNEL(reads_of_others) {
    if (L == 0) BUFFER(uint, 0)[t->threadgroup_position[0]] = 1;
    barrier();
    if (L == 1) BUFFER(uint, 2)[t->threadgroup_position[0]] = BUFFER(uint, 0)[t->threadgroup_position[0] ^ 1];
}
KERNEL(last_one_sums) { /* each group's part, a fence, a count; the last reads all parts */
    uint *parts = BUFFER(uint, 0), *count = BUFFER(uint, 2), fences = BUFFER(int, 1)[0];
    parts[I] = I;
    if (fences) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_fetch_add(count, 1, __ATOMIC_RELAXED) + 1 < t->threads_per_grid[0]) return;
    if (fences) __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint i = 0; i < t->threads_per_grid[0]; i++) BUFFER(uint, 3)[0] += parts[i];
}
KERNEL(one_buffer_twice) { BUFFER(uint, 0)[I] = 1; BUFFER(uint, 3)[I ^ 1] = 2; }
"""


@pytest.fixture(scope="module")
def kernels():
    return compile_kernels(TEXT, "-fsanitize=thread")


def line_of(text: str) -> int:
    return 1 + next(i for i, line in enumerate(TEXT.splitlines()) if text in line)


def run(kernels, name, *numbers, order="forward", grid=32, threads=32, fibers=True, again=None):
    """Runs a kernel; gives the text of the races found, "" for none."""
    memories = [device(np.uint32, 4 * 512)[0] for _ in range(4)]
    small, values = device(np.int32, 4)
    values[: len(numbers)] = numbers
    memories[1] = small
    if again is not None:
        memories[again] = memories[0]
    how = Settings(order=order, check_races=True, workers=2, strict=name != "chain_of_meetings")
    try:
        kernels.run(name, *memories, grid=grid, threads=threads, fibers=fibers, settings=how)
    except SimulationError as error:
        return f"{error.kind}: {error}"
    return ""


RACES = [
    ("neighbour", (), 64, 32),
    ("neighbour_behind_barrier", (0,), 64, 64),  # mem_none
    ("neighbour_behind_barrier", (1,), 64, 64),  # mem_device, for threadgroup memory
    ("device_behind_barrier", (2,), 64, 64),  # mem_threadgroup, for device memory
    ("all_read_then_one_writes", (0, 5), 32, 32),
    ("all_read_then_one_writes", (0, 0), 64, 64),
    ("one_sum", (), 64, 64),
    ("atomic_sum", (0,), 32, 32),
    ("bytes", (1,), 32, 32),
    ("bytes", (-3,), 32, 32),
    ("halves", (1,), 32, 32),
    ("halves", (-1,), 32, 32),
    ("word_and_byte", (0,), 32, 32),
    ("word_and_byte", (3,), 32, 32),
    ("byte_and_word", (2,), 32, 32),
    ("copies", (0,), 64, 64),
    ("lanes_behind_simdgroup_barrier", (2, 32), 64, 64),  # another simdgroup's
    ("lanes_behind_simdgroup_barrier", (1, 1), 64, 64),  # mem_device
    ("sum_between_write_and_read", (), 32, 32),
    ("chain_of_meetings", (3,), 32, 32),
    ("all_write_one", (), 4, 1),
    ("all_write_one", (), 4, 4),
    ("reads_of_others", (), 128, 32),
    ("last_one_sums", (0,), 128, 32),
    ("one_buffer_twice", (), 64, 32, 3),
    ("one_buffer_twice", (), 8, 1, 3),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", RACES, ids=str)
def test_races_are_found(kernels, case, order):
    name, numbers, grid, threads, *again = case
    again = again[0] if again else None
    text = run(kernels, name, *numbers, order=order, grid=grid, threads=threads, again=again)
    assert text.startswith("race: ")
    assert "nothing orders the two" in text


RIGHT = [
    ("neighbour", (), 4, 1),  # one thread in a threadgroup
    ("neighbour_behind_barrier", (2,), 256, 64),
    ("neighbour_behind_barrier", (3,), 256, 64),
    ("device_behind_barrier", (1,), 256, 64),
    ("device_behind_barrier", (3,), 64, 64),
    ("all_read_then_one_writes", (1, 5), 128, 64),
    ("atomic_sum", (1,), 128, 64),
    ("atomics_of_all_kinds", (), 128, 64),
    ("bytes", (0,), 128, 64),
    ("bytes", (40,), 32, 32),
    ("halves", (0,), 128, 64),
    ("word_and_byte", (4,), 32, 32),
    ("byte_and_word", (4,), 32, 32),
    ("copies", (1,), 64, 64),
    ("lanes_behind_simdgroup_barrier", (2, 1), 128, 64),
    ("lanes_behind_simdgroup_barrier", (3, 31), 128, 64),
    ("sum_between_read_and_write", (), 64, 32),
    ("chain_of_meetings", (0,), 32, 32),
    ("chain_of_meetings", (1,), 32, 32),
    ("chain_of_meetings", (2,), 32, 32),
    ("each_its_own", (), 256, 32),
    ("last_one_sums", (1,), 128, 32),
    ("one_buffer_twice", (), 64, 32),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", RIGHT, ids=str)
def test_ordered_accesses_are_no_races(kernels, case, order):
    name, numbers, grid, threads = case
    assert run(kernels, name, *numbers, order=order, grid=grid, threads=threads) == ""


def test_a_race_names_both_threads_and_lines(kernels):
    line = line_of("BUFFER(uint, 0)[0] = 1")
    assert run(kernels, "all_write_one", grid=4, threads=2, fibers=False) == (
        "race: kernel 'all_write_one': 3 accesses conflict with another thread's, and nothing orders the "
        "two:\n"
        f"  buffer 0 ('a'), byte offset 0 (4 bytes): thread (0, 0, 0) of threadgroup (0, 0, 0) wrote "
        f"(line {line}), then thread (1, 0, 0) of threadgroup (0, 0, 0) wrote (line {line})\n"
        "Put a barrier between them whose mem_flags name the memory (threads of one threadgroup), "
        "use atomics, or let each thread write elements of its own; threadgroups of one dispatch "
        "cannot wait for each other"
    )


def test_a_race_of_an_atomic_says_so(kernels):
    text = run(kernels, "atomic_sum", 0)
    write, read = (
        line_of("__atomic_fetch_add(shared, 1"),
        line_of("BUFFER(uint, 0)[I] = shared[0];"),
    )
    assert "threadgroup memory (4 bytes): thread (0, 0, 0) of threadgroup (0, 0, 0) " in text
    assert f"wrote atomically (line {write})" in text
    assert f"read (line {read})" in text


def test_threadgroups_of_a_race_are_told_apart(kernels):
    text = run(kernels, "reads_of_others", grid=128, threads=32)
    assert "thread (0, 0, 0) of threadgroup (0, 0, 0) wrote" in text
    assert "thread (1, 0, 0) of threadgroup (1, 0, 0) read" in text


def test_programs_built_for_races_run_without_looking(kernels):
    memory, _ = device(np.uint32, 64)
    execution = kernels.run("neighbour", memory, grid=64, threads=32)
    assert execution.races == 0


def test_the_runtime_s_copies_are_copies(kernels):
    source, values = device(np.uint32, 256)
    flag, flags = device(np.int32, 1)
    target, result = device(np.uint32, 256)
    values[:] = np.arange(256)
    flags[0] = 1
    how = Settings(check_races=True)
    kernels.run("copies", source, flag, target, grid=64, threads=64, settings=how)
    assert np.array_equal(result.reshape(64, 4), values.reshape(64, 4)[np.arange(64) ^ 1])
