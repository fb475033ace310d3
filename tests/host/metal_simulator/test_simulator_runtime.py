"""The runtime runs threads as a GPU may, in every order, and counts what goes wrong."""

# ruff: noqa: E501 - kernels have the lines that they need

from __future__ import annotations

import threading
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_kernels import compile_kernels, device

from speedmetal.errors import SimulationError, UserInputError
from speedmetal.metal_simulator.execution import execute
from speedmetal.metal_simulator.settings import ORDERS, Settings
from tiers import examples

TEXT = """
KERNEL(note_order) { uint *order = BUFFER(uint, 0), *count = BUFFER(uint, 1); order[(*count)++] = I; }
KERNEL(note_order_after_barrier) { barrier(); note_order(t); }
KERNEL(note_order_after_sum) { simd_sum(1); note_order(t); }
KERNEL(positions) {
    uint const *from = (uint const *)t;
    uint width = t->threads_per_grid[0], height = t->threads_per_grid[1];
    uint at = t->position_in_grid[0] + width * (t->position_in_grid[1] + height * t->position_in_grid[2]);
    for (int i = 0; i < 26; i++)
        BUFFER(uint, 0)[at * 26 + i] = from[i];
}
KERNEL(rotate_with_barrier) {
    uint *shared = ARRAY(uint, 0, 256);
    shared[L] = BUFFER(uint, 0)[I];
    barrier();
    BUFFER(uint, 1)[I] = shared[(L + 1) % t->threads_per_threadgroup[0]];
}
KERNEL(rotate_without_barrier) {
    uint *shared = ARRAY(uint, 0, 256);
    shared[L] = BUFFER(uint, 0)[I];
    BUFFER(uint, 1)[I] = shared[(L + 1) % t->threads_per_threadgroup[0]];
}
KERNEL(rotate_backward_without_barrier) {
    uint *shared = ARRAY(uint, 0, 256);
    uint n = t->threads_per_threadgroup[0];
    shared[L] = BUFFER(uint, 0)[I];
    BUFFER(uint, 1)[I] = shared[(L + n - 1) % n];
}
KERNEL(many_barriers) {
    uint *shared = ARRAY(uint, 0, 256), n = t->threads_per_threadgroup[0];
    shared[L] = L;
    for (int i = 0; i < 5; i++) {
        barrier();
        uint next = shared[(L + 1) % n];
        barrier();
        shared[L] = next;
    }
    BUFFER(uint, 0)[I] = shared[L];
}
KERNEL(uninitialised) {
    uint *shared = ARRAY(uint, 0, 32), *argument = (uint *)t->threadgroup[2];
    BUFFER(uint, 0)[I] = shared[L];
    BUFFER(uint, 1)[I] = argument[L];
    shared[L] = argument[L] = 5;
}
KERNEL(add_double) { double *x = BUFFER(double, 0); x[I] = x[I] + 1.0; }
KERNEL(halve) { float *x = BUFFER(float, 0); x[I] = x[I] * 0.5f; }

KERNEL(convert) { /* by the runtime's functions, where the processor has no instruction */
    float x = BUFFER(float, 0)[I];
    BUFFER(_Float16, 1)[I] = x;
    BUFFER(__bf16, 2)[I] = x;
    BUFFER(float, 3)[I] = BUFFER(_Float16, 4)[I];
}

/* ---- simdgroups */
KERNEL(sums) { BUFFER(uint, 0)[I] = simd_sum(I); }
KERNEL(branches) {
    uint lane = t->lane, result;
    if (lane % 3 == 0) result = simd_sum(1);
    else if (lane % 3 == 1) result = simd_sum(100);
    else result = simd_sum(10000);
    BUFFER(uint, 0)[I] = result;
    BUFFER(uint, 1)[I] = simd_sum(lane);
}
__attribute__((noinline, convergent, nomerge)) static uint helper(uint value) { return simd_sum(value); }
KERNEL(branches_of_helper) {
    uint result;
    if (t->lane < 8) result = helper(1); else result = helper(3);
    BUFFER(uint, 0)[I] = result;
}
KERNEL(loop_counts) { /* lanes leave the loop at different times, and meet behind it */
    uint lane = t->lane, total = 0;
    for (uint i = 0; i < lane % BUFFER(uint, 2)[0]; i++)
        total += simd_sum(1);
    BUFFER(uint, 0)[I] = total;
    BUFFER(uint, 1)[I] = simd_sum(lane);
}
KERNEL(two_at_once) { /* slots of an exchange stay until the next but one, whatever others did */
    uint lane = t->lane, mask, other;
    for (uint i = 0; i < BUFFER(uint, 1)[lane]; i++)
        simd_sum(i);
    uint *first = publish(lane + 1, &mask);
    uint *second = publish(1000 * (lane + 1), &other);
    BUFFER(uint, 0)[I] = sum_of(first, mask) + sum_of(second, other);
    BUFFER(uint, 2)[I] = mask & other;
}
KERNEL(returned_lanes) { if (t->lane < 5) return; BUFFER(uint, 0)[I] = simd_sum(1); }
KERNEL(uneven_simdgroup_barrier) { if (t->lane != 9) __smr_simdgroup_barrier(THREADGROUP); }

/* ---- divergence */
KERNEL(early_return) {
    if (L == 7) return;
    barrier();
    BUFFER(uint, 0)[I] = 1;
}
KERNEL(two_barriers) {
    if (L < 3)
        __smr_threadgroup_barrier(THREADGROUP);
    else
        __smr_threadgroup_barrier(THREADGROUP | DEVICE);
}
KERNEL(turns_of_a_loop) { /* lanes come to the sum in different turns */
    uint lane = t->lane, total = 0;
    uint loop = __smr_loop_enter();
    for (uint i = 0; __smr_loop_turn(loop), i < 4; i++)
        if (lane % 4 == i)
            total += simd_sum(1);
    __smr_loop_leave(loop);
    BUFFER(uint, 0)[I] = total;
}
KERNEL(too_many_loops) { for (int i = 0; i < 25; i++) __smr_loop_enter(); }
KERNEL(same_barrier_in_loop) {
    for (uint i = 0; i < 4; i++)
        if (i % 2 == 0)
            barrier();
}
"""


@pytest.fixture(scope="module")
def kernels():
    return compile_kernels(TEXT)


# ---- orders


@pytest.mark.parametrize(
    ("name", "fibers"),
    [("note_order", False), ("note_order_after_barrier", True), ("note_order_after_sum", True)],
)
def test_threads_run_in_the_order_asked_for(kernels, name, fibers):
    found = {}
    for order in ORDERS:
        memory, noted = device(np.uint32, 200)
        counter, _ = device(np.uint32, 1)
        how = Settings(order=order, seed=3)
        kernels.run(name, memory, counter, grid=200, threads=64, fibers=fibers, settings=how)
        found[order] = noted.tolist()
    assert found["forward"] == list(range(200))
    assert found["reverse"] == list(range(199, -1, -1))
    assert sorted(found["random"]) == list(range(200))
    assert found["random"] not in (found["forward"], found["reverse"])
    groups = [thread // 64 for thread in found["random"]]
    assert sum(a != b for a, b in pairwise(groups)) == 3  # one after another


@pytest.mark.parametrize("fibers", [False, True])
def test_the_random_order_follows_its_seed(kernels, fibers):
    def order(seed: int, grid: int = 64) -> list[int]:
        memory, noted = device(np.uint32, grid)
        counter, _ = device(np.uint32, 1)
        how = Settings(order="random", seed=seed)
        kernels.run(
            "note_order", memory, counter, grid=grid, threads=64, fibers=fibers, settings=how
        )
        return noted.tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)  # of the threads in a threadgroup
    assert [i // 64 for i in order(1, 1024)] != [i // 64 for i in order(2, 1024)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("fibers", [False, True])
@pytest.mark.parametrize(
    ("grid", "threads"),
    [((100, 1, 1), (32, 1, 1)), ((13, 7, 5), (4, 3, 2)), ((3, 2, 9), (8, 4, 4))],
)
def test_each_thread_knows_its_place(kernels, order, fibers, grid, threads):
    memory, found = device(np.uint32, int(np.prod(grid)) * 26)
    how = Settings(order=order, seed=9)
    kernels.run("positions", memory, grid=grid, threads=threads, fibers=fibers, settings=how)
    rows = iter(found.reshape(-1, 26).tolist())
    groups = [-(-g // t) for g, t in zip(grid, threads, strict=True)]
    for z, y, x in np.ndindex(grid[2], grid[1], grid[0]):
        position = (x, y, z)
        group = [p // t for p, t in zip(position, threads, strict=True)]
        local = [p % t for p, t in zip(position, threads, strict=True)]
        size = [min(t, g - i * t) for t, g, i in zip(threads, grid, group, strict=True)]
        index = local[0] + size[0] * (local[1] + size[1] * local[2])
        simdgroups = -(-int(np.prod(size)) // 32)
        whole = -(-int(np.prod(threads)) // 32)
        expected = [*position, *local, *group, *grid, *size, *threads, *groups]
        expected += [index, index % 32, index // 32, simdgroups, whole]
        assert next(rows) == expected


# ---- barriers and threadgroup memory


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_barrier_orders_threads(kernels, order, workers):
    source, values = device(np.uint32, 256 * 9 + 40)
    target, result = device(np.uint32, 256 * 9 + 40)
    values[:] = np.arange(values.size)
    how = Settings(order=order, workers=workers)
    execution = kernels.run(
        "rotate_with_barrier", source, target, grid=values.size, threads=256, settings=how
    )
    whole = np.roll(values[: 256 * 9].reshape(9, 256), -1, axis=1).ravel()
    assert np.array_equal(result, np.concatenate([whole, np.roll(values[256 * 9 :], -1)]))
    assert execution.divergent_barriers == 0
    assert execution.threadgroup_bytes == 1024
    assert execution.switches > 0
    assert execution.seconds > 0


@pytest.mark.parametrize("order", ORDERS)
def test_loops_of_barriers(kernels, order):
    memory, result = device(np.uint32, 1000)
    kernels.run("many_barriers", memory, grid=1000, threads=250, settings=Settings(order=order))
    assert np.array_equal(result, np.tile((np.arange(250) + 5) % 250, 4))


def test_a_missing_barrier_is_seen_in_some_order(kernels):
    """Forward, no thread sees what a later one writes; in reverse, no thread sees an earlier's."""
    values = np.arange(64, dtype=np.uint32)
    wrong = {}
    for name, shift in (("rotate_without_barrier", -1), ("rotate_backward_without_barrier", 1)):
        for order in ORDERS:
            source, given = device(np.uint32, 64)
            target, result = device(np.uint32, 64)
            given[:] = values
            how = Settings(order=order)
            kernels.run(name, source, target, grid=64, threads=64, settings=how)
            wrong[name, order] = not np.array_equal(result, np.roll(values, shift))
    assert wrong["rotate_without_barrier", "forward"]
    assert wrong["rotate_without_barrier", "random"]
    assert wrong["rotate_backward_without_barrier", "reverse"]
    assert wrong["rotate_backward_without_barrier", "random"]


def test_threadgroup_memory_is_poisoned_for_each_threadgroup(kernels):
    first, declared = device(np.uint32, 96)
    second, argument = device(np.uint32, 96)
    execution = kernels.run(
        "uninitialised", first, second, grid=96, threads=32, threadgroup_bytes={2: 128}
    )
    assert (declared == 0xFFFFFFFF).all()
    assert (argument == 0xFFFFFFFF).all()
    assert execution.threadgroup_bytes == 256


def test_without_poison_threadgroup_memory_keeps_what_was_there(kernels):
    first, declared = device(np.uint32, 96)
    second, argument = device(np.uint32, 96)
    how = Settings(poison=False)
    kernels.run(
        "uninitialised",
        first,
        second,
        grid=96,
        threads=32,
        threadgroup_bytes={2: 128},
        settings=how,
    )
    assert (declared[32:] == 5).all()
    assert (argument[32:] == 5).all()


# ---- simdgroups


@pytest.mark.parametrize("order", ORDERS)
def test_lanes_see_each_other(kernels, order):
    memory, result = device(np.uint32, 150)
    execution = kernels.run("sums", memory, grid=150, threads=75, settings=Settings(order=order))
    values = np.arange(150).reshape(2, 75)
    parts = [values[:, :32], values[:, 32:64], values[:, 64:]]
    expected = [np.broadcast_to(p.sum(1, keepdims=True), p.shape) for p in parts]
    assert np.array_equal(result, np.concatenate(expected, axis=1).ravel())
    assert (execution.mixed_collectives, execution.partial_collectives) == (0, 0)


@pytest.mark.parametrize("order", ORDERS)
def test_branches_do_not_mix(kernels, order):
    first, branch = device(np.uint32, 32)
    second, together = device(np.uint32, 32)
    how = Settings(order=order)
    execution = kernels.run("branches", first, second, grid=32, threads=32, settings=how)
    expected = [(11 * 1, 11 * 100, 10 * 10000)[lane % 3] for lane in range(32)]
    assert branch.tolist() == expected
    assert (together == sum(range(32))).all()
    assert execution.partial_collectives == 3
    assert execution.mixed_collectives == 3  # others wait in a branch, or behind all


def test_calls_of_one_helper_are_different_places(kernels):
    memory, result = device(np.uint32, 32)
    execution = kernels.run("branches_of_helper", memory, grid=32, threads=32)
    assert result.tolist() == [8] * 8 + [72] * 24
    assert execution.mixed_collectives == 1


@pytest.mark.parametrize("order", ORDERS)
def test_lanes_that_leave_a_loop_wait_behind_it(kernels, order):
    first, totals = device(np.uint32, 32)
    second, together = device(np.uint32, 32)
    third, modulus = device(np.uint32, 1)
    modulus[0] = 4
    how = Settings(order=order)
    kernels.run("loop_counts", first, second, third, grid=32, threads=32, settings=how)
    active = [sum(lane % 4 > turn for lane in range(32)) for turn in range(4)]
    assert totals.tolist() == [sum(active[: lane % 4]) for lane in range(32)]
    assert (together == sum(range(32))).all()


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.integers(0, 5), min_size=32, max_size=32), st.sampled_from(ORDERS))
def test_values_stay_through_the_next_exchange(kernels, counts, order):
    """However many exchanges each lane made alone before."""
    result_memory, result = device(np.uint32, 32)
    count_memory, given_counts = device(np.uint32, 32)
    mask_memory, mask = device(np.uint32, 32)
    given_counts[:] = counts
    how = Settings(order=order)
    kernels.run(
        "two_at_once", result_memory, count_memory, mask_memory, grid=32, threads=32, settings=how
    )
    assert (mask == 0xFFFFFFFF).all()
    assert (result == 1001 * sum(range(1, 33))).all()


@pytest.mark.parametrize("order", ORDERS)
def test_lanes_in_different_turns_are_not_together(kernels, order):
    memory, totals = device(np.uint32, 32)
    kernels.run("turns_of_a_loop", memory, grid=32, threads=32, settings=Settings(order=order))
    assert totals.tolist() == [8] * 32


def test_loops_have_a_depth(kernels):
    with pytest.raises(SimulationError, match="in more than 24 loops"):
        kernels.run("too_many_loops", grid=1, threads=1)


def test_returned_lanes_take_no_part(kernels):
    memory, result = device(np.uint32, 32)
    execution = kernels.run("returned_lanes", memory, grid=32, threads=32)
    assert result.tolist() == [0] * 5 + [27] * 27
    assert execution.partial_collectives == 1
    assert execution.mixed_collectives == 0


# ---- divergence


def test_a_return_before_a_barrier_is_an_error(kernels):
    memory, _ = device(np.uint32, 64)
    with pytest.raises(SimulationError) as caught:
        kernels.run("early_return", memory, grid=64, threads=32)
    line = 1 + TEXT.splitlines().index("KERNEL(early_return) {") + 2
    assert caught.value.kind == "divergence"
    assert str(caught.value) == (
        "kernel 'early_return': 31 of the 32 threads of a threadgroup came to a "
        f"threadgroup_barrier (line {line}), thread (0, 0, 0) of threadgroup (0, 0, 0) for one, "
        "while thread (7, 0, 0) has returned; on a GPU this hangs or goes wrong: let all threads "
        "reach each barrier, and guard loads and stores instead of returning early"
    )


def test_without_strictness_divergence_is_counted(kernels):
    memory, result = device(np.uint32, 64)
    how = Settings(strict=False)
    execution = kernels.run("early_return", memory, grid=64, threads=32, settings=how)
    assert execution.divergent_barriers == 2
    assert result.tolist() == [int(i % 32 != 7) for i in range(64)]


def test_threads_at_two_barriers_are_an_error(kernels):
    with pytest.raises(SimulationError, match=r"thread \(3, 0, 0\) waits at another barrier") as e:
        kernels.run("two_barriers", grid=32, threads=32)
    assert e.value.kind == "divergence"


def test_one_barrier_in_a_loop_is_right(kernels):
    assert kernels.run("same_barrier_in_loop", grid=64, threads=64).divergent_barriers == 0


def test_a_simdgroup_barrier_without_a_lane_is_an_error(kernels):
    with pytest.raises(SimulationError, match="31 of the 32 threads of a simdgroup") as caught:
        kernels.run("uneven_simdgroup_barrier", grid=32, threads=32)
    assert caught.value.kind == "divergence"


def test_a_barrier_in_a_kernel_without_fibers_is_an_error(kernels):
    memory, _ = device(np.uint32, 32)
    with pytest.raises(SimulationError, match="said to have none") as caught:
        kernels.run("sums", memory, grid=32, threads=32, fibers=False)
    assert caught.value.kind == "failed"


# ---- numbers


@pytest.mark.parametrize("fibers", [False, True])
def test_denormals_are_flushed_where_asked(kernels, fibers):
    for flush in (False, True):
        memory, values = device(np.float32, 4)
        values[:] = [1e-38, 2e-38, 1.0, 1e-40]
        expected = values * np.float32(0.5)
        how = Settings(flush_denormals=flush)
        kernels.run("halve", memory, grid=4, threads=4, fibers=fibers, settings=how)
        if flush:
            expected[[0, 1, 3]] = [0, 0 if expected[1] < np.finfo("f4").tiny else expected[1], 0]
        assert values.tolist() == expected.tolist()
        assert np.float32(1e-40) * np.float32(0.5) > 0  # the caller's mode is as before


@settings(max_examples=examples(20), deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_conversions_round_as_numpy_s(kernels, seed, flush):
    """Whatever the mode is for subnormal numbers."""
    rng = np.random.default_rng(seed)
    sources, x = device(np.uint32, 4096)
    x[:] = rng.integers(0, 2**32, 4096)
    x[:2048] = rng.integers(0x30000000, 0x48000000, 2048)  # around the range of half
    x[:512] &= 0xFFFFF000  # exact, or ties
    halves, to_half = device(np.uint16, 4096)
    bfloats, to_bfloat = device(np.uint16, 4096)
    floats, from_half = device(np.uint32, 4096)
    given_halves, half = device(np.uint16, 4096)
    half[:] = rng.integers(0, 2**16, 4096)
    memories = (sources, halves, bfloats, floats, given_halves)
    how = Settings(flush_denormals=flush)
    kernels.run("convert", *memories, grid=4096, threads=64, fibers=False, settings=how)
    exact = x.view(np.float32)
    number = ~np.isnan(exact)
    with np.errstate(all="ignore"):
        assert np.array_equal(to_half[number], exact[number].astype(np.float16).view(np.uint16))
        bits = exact[number].astype(ml_dtypes.bfloat16).view(np.uint16)
        assert np.array_equal(to_bfloat[number], bits)
    assert np.isnan(to_half[~number].view(np.float16)).all()
    assert np.isnan(to_bfloat[~number].view(ml_dtypes.bfloat16)).all()
    wide = half.view(np.float16).astype(np.float32)
    assert np.array_equal(np.isnan(wide), np.isnan(from_half.view(np.float32)))
    real = ~np.isnan(wide)
    assert np.array_equal(from_half[real], wide[real].view(np.uint32))


# ---- settings


def test_unknown_orders_and_timeouts_are_refused(kernels):
    dispatch = kernels.dispatch("same_barrier_in_loop", grid=1, threads=1)
    with pytest.raises(UserInputError, match="order must be one of forward, reverse, random"):
        execute(dispatch, Settings(order="sideways"))  # type: ignore[arg-type]
    with pytest.raises(UserInputError, match="timeout must be more than 0 seconds, or None"):
        execute(dispatch, Settings(timeout=0.0))


def test_the_observer_is_told_what_ran(kernels):
    seen = []
    how = Settings(observer=lambda *told: seen.append(told))
    execution = kernels.run("same_barrier_in_loop", grid=64, threads=64, settings=how)
    memory, _ = device(np.uint32, 64)
    with pytest.raises(SimulationError):
        kernels.run("early_return", memory, grid=64, threads=32, settings=how)
    assert [(dispatch.name, counted) for dispatch, counted in seen] == [
        ("same_barrier_in_loop", execution)
    ]


def test_any_number_of_threads_may_run_kernels(kernels):
    """More at once than there are workers."""
    errors = []

    def work(seed: int) -> None:
        try:
            for turn in range(4):
                memory, result = device(np.uint32, 1000)
                how = Settings(order=ORDERS[(seed + turn) % 3], workers=2)
                kernels.run("many_barriers", memory, grid=1000, threads=250, settings=how)
                assert np.array_equal(result, np.tile((np.arange(250) + 5) % 250, 4))
                memory, _ = device(np.uint32, 64)
                with pytest.raises(SimulationError):
                    kernels.run("early_return", memory, grid=64, threads=32)
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
