"""Atomics: every operation, on every type that has it, in device and threadgroup memory."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm

THREADS = 500
INTEGERS = [sm.int32, sm.uint32, sm.int64, sm.uint64]
TYPES = [*INTEGERS, sm.float32]


OPERATIONS = {
    # construct, the result of a run of operations from 0 on any order
    "add": (sm.atomic_add, lambda start, values: start + values.sum()),
    "sub": (sm.atomic_sub, lambda start, values: (-values).sum() + start),
    "min": (sm.atomic_min, lambda start, values: min(start, values.min())),
    "max": (sm.atomic_max, lambda start, values: max(start, values.max())),
    "and": (sm.atomic_and, lambda start, values: np.bitwise_and.reduce(values) & start),
    "or": (sm.atomic_or, lambda start, values: np.bitwise_or.reduce(values) | start),
    "xor": (sm.atomic_xor, lambda start, values: np.bitwise_xor.reduce(values) ^ start),
}
BITWISE = {"and", "or", "xor"}
CASES = [
    pytest.param(name, dtype, id=f"{name}-{dtype.name}")
    for name in OPERATIONS
    for dtype in TYPES
    if not (dtype.is_float and name in BITWISE)
]


def values_of(dtype) -> np.ndarray:
    random = np.random.default_rng(9)
    low = -40 if dtype.is_signed or dtype.is_float else 0
    return random.integers(low, 41, THREADS).astype(dtype.numpy)


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_contended_operations_on_device_memory(launch, name, dtype):
    operation, meaning = OPERATIONS[name]

    @sm.kernel
    def contended(values, cells):
        i = sm.thread_position_in_grid().x
        operation(cells, 1, values[i])
        operation(cells, 2 + i % 3, values[i])

    values = values_of(dtype)
    start = dtype.numpy.type(7)
    wanted = [start, meaning(start, values)]
    wanted += [meaning(start, values[k::3]) for k in range(3)] + [start]
    for threads in (1, 64, 500):
        cells = np.full(6, start)
        launch(contended, values, cells, grid=THREADS, threads=threads)
        np.testing.assert_array_equal(cells, np.array(wanted).astype(dtype.numpy))


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_contended_operations_on_threadgroup_memory(launch, name, dtype):
    operation, meaning = OPERATIONS[name]

    @sm.kernel
    def contended(values, out):
        i = sm.thread_position_in_grid().x
        lane = sm.thread_position_in_threadgroup().x
        cells = sm.threadgroup_array((3,), dtype)
        if lane < 3:
            cells[lane] = 7
        sm.threadgroup_barrier()
        operation(cells, i % 3, values[i])
        sm.threadgroup_barrier()
        if lane < 3:
            out[sm.threadgroup_position_in_grid().x, lane] = cells[lane]

    values = values_of(dtype)
    threads = 120
    groups = -(-THREADS // threads)
    found = np.zeros((groups, 3), dtype.numpy)
    launch(contended, values, found, grid=THREADS, threads=threads)
    start = dtype.numpy.type(7)
    places = np.arange(THREADS)
    for group in range(groups):
        own = (places >= group * threads) & (places < (group + 1) * threads)
        for cell in range(3):
            wanted = meaning(start, values[own & (places % 3 == cell)])
            assert found[group, cell] == np.array(wanted).astype(dtype.numpy)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_old_values_are_the_history_of_the_element(launch, dtype):
    @sm.kernel
    def tickets(counter, out):
        i = sm.thread_position_in_grid().x
        out[i] = sm.atomic_add(counter, 0, 2)

    counter, out = np.zeros(1, dtype.numpy), np.zeros(THREADS, dtype.numpy)
    launch(tickets, counter, out, grid=THREADS, threads=64)
    assert sorted(out.tolist()) == list(range(0, 2 * THREADS, 2))
    assert counter[0] == 2 * THREADS


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_exchange_passes_every_value_on_once(launch, dtype):
    @sm.kernel
    def passed(cell, out):
        i = sm.thread_position_in_grid().x
        out[i] = sm.atomic_exchange(cell, 0, i + 1)

    cell, out = np.zeros(1, dtype.numpy), np.zeros(THREADS, dtype.numpy)
    launch(passed, cell, out, grid=THREADS, threads=64)
    assert sorted([*out.tolist(), cell[0]]) == list(range(THREADS + 1))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_compare_exchange_lets_one_thread_win(launch, dtype):
    @sm.kernel
    def claimed(cells, out):
        i = sm.thread_position_in_grid().x
        out[i] = sm.atomic_compare_exchange(cells, i % 4, 0, i + 1)

    cells, out = np.zeros(4, dtype.numpy), np.zeros(THREADS, dtype.numpy)
    launch(claimed, cells, out, grid=THREADS, threads=64)
    for cell in range(4):
        olds = out[cell::4]
        assert (olds == 0).sum() == 1
        winner = cell + 4 * int(np.argmax(olds == 0))
        assert cells[cell] == winner + 1
        assert set(olds[olds != 0].tolist()) <= {winner + 1}


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_load_and_store(launch, dtype):
    @sm.kernel
    def moved(a, out):
        i = sm.thread_position_in_grid().x
        sm.atomic_store(out, i, sm.atomic_load(a, i))

    a = values_of(dtype)
    out = np.zeros_like(a)
    launch(moved, a, out, grid=THREADS)
    np.testing.assert_array_equal(out, a)


def with_one_more(a, b):
    return a + b + 1


def larger_squared(a, b):
    return max(a, b) if a * a > b else b


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_users_function_is_applied_once_for_each_thread(launch, dtype):
    @sm.kernel
    def updated(cells, out):
        i = sm.thread_position_in_grid().x
        out[i] = sm.atomic_update(cells, i % 2, with_one_more, 3)

    cells, out = np.zeros(2, dtype.numpy), np.zeros(THREADS, dtype.numpy)
    launch(updated, cells, out, grid=THREADS, threads=64)
    assert cells.tolist() == [THREADS // 2 * 4] * 2
    assert sorted(out[::2].tolist()) == list(range(0, THREADS // 2 * 4, 4))


def test_a_users_function_on_threadgroup_memory(launch):
    @sm.kernel
    def updated(out):
        lane = sm.thread_position_in_threadgroup().x
        cell = sm.threadgroup_array((1,), sm.float32)
        if lane == 0:
            cell[0] = 0
        sm.threadgroup_barrier()
        sm.atomic_update(cell, 0, with_one_more, 1)
        sm.threadgroup_barrier()
        if lane == 0:
            out[sm.threadgroup_position_in_grid().x] = cell[0]

    out = np.zeros(3, np.float32)
    launch(updated, out, groups=3, threads=70)
    assert out.tolist() == [140.0] * 3


def test_atomics_under_divergent_conditions(launch):
    @sm.kernel
    def counted(a, cells):
        i = sm.thread_position_in_grid().x
        for k in range(a[i] % 5):
            if k == 3:
                break
            if (i + k) % 2:
                continue
            sm.atomic_add(cells, (i % 2, k), 1)

    a = np.random.default_rng(3).integers(0, 100, THREADS).astype(np.int32)
    cells = np.zeros((2, 5), np.int32)
    launch(counted, a, cells, grid=THREADS, threads=128)
    wanted = np.zeros_like(cells)
    for i, value in enumerate(a):
        for k in range(min(value % 5, 3)):
            if (i + k) % 2 == 0:
                wanted[i % 2, k] += 1
    np.testing.assert_array_equal(cells, wanted)


@pytest.mark.parametrize("dtype", [sm.int32, sm.uint32, sm.float32], ids=str)
def test_a_histogram(launch, dtype):
    @sm.kernel
    def histogram(values, bins):
        i = sm.thread_position_in_grid().x
        sm.atomic_add(bins, values[i], 1)

    values = np.random.default_rng(0).integers(0, 16, 5000).astype(np.int32)
    bins = np.zeros(16, dtype.numpy)
    launch(histogram, values, bins, grid=values.size)
    np.testing.assert_array_equal(bins, np.bincount(values, minlength=16))


@pytest.mark.parametrize("name", ["min", "max"])
def test_min_and_max_of_floats_with_both_signs_and_zeros(launch, name):
    operation, meaning = OPERATIONS[name]

    @sm.kernel
    def extreme(values, cell):
        i = sm.thread_position_in_grid().x
        operation(cell, 0, values[i])

    for start in (-5.5, 0.0, 3.25):
        values = np.array([-0.0, 0.0, -3.5, 2.5, -1e-30, 1e-30], np.float32)
        cell = np.array([start], np.float32)
        launch(extreme, values, cell, grid=values.size)
        assert cell[0] == meaning(np.float32(start), values)


@pytest.mark.parametrize("dtype", [sm.int32, sm.uint32, sm.float32], ids=str)
def test_operations_on_both_memories_in_one_kernel_are_exact(launch, dtype):
    @sm.kernel
    def count(device, out):
        i = sm.thread_index_in_threadgroup()
        own = sm.threadgroup_array((2,), dtype)
        if i < 2:
            sm.atomic_store(own, i, 0)
        sm.threadgroup_barrier()
        sm.atomic_add(own, 0, 1)
        sm.atomic_max(own, 1, i)
        sm.atomic_add(device, 0, 2)
        sm.atomic_sub(device, 0, 1)
        sm.atomic_min(device, 1, i)
        old = sm.atomic_compare_exchange(device, 2, 0, i + 1)
        if old == 0:
            sm.atomic_exchange(device, 3, 5)
        sm.threadgroup_barrier()
        if i == 0:
            group = sm.threadgroup_position_in_grid().x
            out[group, 0], out[group, 1] = sm.atomic_load(own, 0), own[1]

    device, out = np.array([0, 99, 0, 0], dtype.numpy), np.zeros((4, 2), dtype.numpy)
    launch(count, device, out, groups=4, threads=100)
    assert device[[0, 1, 3]].tolist() == [400, 0, 5]
    assert 1 <= device[2] <= 100
    assert out.tolist() == [[100, 99]] * 4


def test_the_last_child_to_come_computes_its_parent(launch):
    leaves = 1024

    @sm.kernel
    def refit(sums, arrived):
        node = sm.thread_position_in_grid().x + leaves
        sm.atomic_store(sums, node, 2)
        while node > 1:
            node = node // 2
            if sm.atomic_add(arrived, node, 1) == 0:
                return
            left, right = sm.atomic_load(sums, 2 * node), sm.atomic_load(sums, 2 * node + 1)
            sm.atomic_store(sums, node, left + right)

    sums, arrived = np.zeros(2 * leaves, np.int32), np.zeros(leaves, np.int32)
    launch(refit, sums, arrived, grid=leaves, threads=64)
    assert sums[1] == 2048
    assert (arrived[1:] == 2).all()
