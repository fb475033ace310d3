# ruff: noqa: PT012, S102, T201 - a launch and its synchronisation fail together; kernels are
# defined from text, and print
"""What users of GPU kernels rely on, whatever the system: one test for each behaviour."""

from __future__ import annotations

import itertools
import linecache

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.compiler import pipeline


@sm.kernel
def mark(a):
    i = sm.thread_position_in_grid().x
    a[i] = 1


@sm.kernel
def increase(a):
    i = sm.thread_position_in_grid().x
    a[i] += 1


def ones_in(launch, **sizes) -> int:
    a = np.zeros(8, np.int32)
    launch(mark, a, **sizes)
    count = int(a.sum())
    assert a.tolist() == [1] * count + [0] * (8 - count)
    return count


@pytest.fixture
def compilations(monkeypatch) -> list[str]:
    """The names of the kernels that are compiled during the test."""
    names: list[str] = []
    real = pipeline.lower

    def noted(specialisation, target):
        names.append(specialisation.name or specialisation.function.__name__)
        return real(specialisation, target)

    monkeypatch.setattr(pipeline, "lower", noted)
    return names


_files = itertools.count()


def defined(text: str) -> dict:
    """Define what a text says, as a notebook's cell would."""
    name = f"<cell {next(_files)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names = {"sm": sm, "np": np}
    exec(compile(text, name, "exec"), names)
    return names


def test_behaviour_01_unknown_names_and_wrong_arity_are_errors_before_dispatch(launch):
    @sm.kernel
    def undefined(a):
        a[0] = missing_function(a[0])  # noqa: F821 - what is tested

    a = np.zeros(4, np.int32)
    with pytest.raises(sm.CompileError, match="missing_function"):
        launch(undefined, a, grid=4)
    with pytest.raises(sm.LaunchError, match="mark"):
        launch(mark, a, a, grid=4)
    with pytest.raises(sm.LaunchError, match="missing: a"):
        launch(mark, grid=4)
    assert not a.any()


@pytest.mark.parametrize(
    "threads", [4, (4,), (4, 1), (2, 1, 1), np.int8(4), (np.uint16(4), np.int64(1))], ids=str
)
@pytest.mark.parametrize("groups", [1, (1,), (1, 1, 1), np.uint8(1)], ids=str)
def test_behaviour_02_sizes_are_integers_of_any_kind_or_up_to_three(launch, threads, groups):
    assert ones_in(launch, groups=groups, threads=threads) == int(np.prod(threads))


@pytest.mark.parametrize("sizes", [{"grid": -1}, {"grid": (4, -1)}, {"groups": -1, "threads": 2},
                                   {"groups": 2, "threads": -2}, {"grid": 1, "threads": 0}],
                         ids=str)  # fmt: skip
def test_behaviour_03_a_negative_size_is_an_error_and_of_zero_nothing_runs(launch, sizes):
    with pytest.raises(sm.LaunchError, match=r"it must be (0|1) or more"):
        ones_in(launch, **sizes)
    for empty in ({"grid": 0}, {"grid": (4, 0)}, {"grid": (4, 1, 0), "threads": 2},
                  {"groups": 0, "threads": 2}, {"groups": (1, 0), "threads": 2}):  # fmt: skip
        for debug in (0, 1, 2):
            assert ones_in(launch, **empty, debug=debug) == 0


@pytest.mark.parametrize("factor", [1, 2])
def test_behaviour_04_too_many_threads_per_threadgroup_are_an_error(launch, device, factor):
    allowed = device.limits.threads_per_threadgroup
    threads = allowed + 1 if factor == 1 else (allowed - 24, 2)
    with pytest.raises(sm.LaunchError, match=f"allows {allowed}"):
        ones_in(launch, groups=1, threads=threads)


def test_behaviour_05_a_grid_is_never_truncated(launch, device):
    beyond = device.limits.grid_size + 1
    for grid in (beyond, (1, beyond), (1, 1, beyond * 2)):
        with pytest.raises(sm.LaunchError, match="allows"):
            ones_in(launch, grid=grid)
    with pytest.raises(sm.LaunchError, match="allows"):
        ones_in(launch, groups=beyond, threads=2)


def test_behaviour_06_threads_and_groups_say_how_many_elements_are_written(launch):
    assert ones_in(launch, groups=1, threads=2) == 2
    assert ones_in(launch, groups=3, threads=2) == 6
    assert ones_in(launch, grid=5, threads=2) == 5


def test_behaviour_07_a_kernel_is_compiled_without_a_launch(device, launch, compilations):
    @sm.kernel
    def fresh(a):
        i = sm.thread_position_in_grid().x
        a[i] = i + 5

    info = fresh.compile("i32[:]", device=device)
    assert info.threads_per_threadgroup >= 256
    assert info.threads_per_simdgroup == 32
    assert compilations == ["fresh"]
    a = np.zeros(3, np.int32)
    launch(fresh, a, grid=3)
    assert a.tolist() == [5, 6, 7]
    assert compilations == ["fresh"]


def test_behaviour_08_a_kernel_is_compiled_again_only_where_something_changed(launch, compilations):
    names = defined("def step(x):\n    return x + 1\n")
    body = (
        "@sm.kernel\ndef apply(a):\n    i = sm.thread_position_in_grid().x\n    a[i] = step(a[i])\n"
    )
    names |= {"step": names["step"]}
    kernel_names = defined(body)
    kernel_names["step"] = names["step"]
    kernel = kernel_names["apply"]
    a = np.zeros(3, np.int32)
    launch(kernel, a, grid=3)
    launch(kernel, a, grid=2)
    launch(kernel, a, grid=3)
    assert compilations == ["apply"]
    launch(sm.kernel(name="renamed")(kernel.function), a, grid=3)
    assert compilations == ["apply", "renamed"]
    kernel_names["step"] = defined("def step(x):\n    return x + 100\n")["step"]
    launch(kernel, a, grid=3)
    assert compilations == ["apply", "renamed", "apply"]
    assert a.tolist() == [104, 104, 103]
    redefined = defined(body.replace("step(a[i])", "-a[i]"))["apply"]
    launch(redefined, a, grid=3)
    assert compilations == ["apply", "renamed", "apply", "apply"]
    assert a.tolist() == [-104, -104, -103]


def test_behaviour_09_reflection_shows_a_compiled_kernel_and_leaves_it_as_it_is(
    launch, compilations
):
    a = np.zeros(4, np.int32)
    launch(increase, a, grid=4)
    compilations.clear()
    for target in ("cpu", "cuda", "metal"):
        for stage in ("ir", "source"):
            assert "increase" in sm.code(increase, a, target=target, stage=stage)
    assert sm.code(increase, a, target="cpu", stage="assembly").strip()
    compilations.clear()
    launch(increase, a, grid=4)
    assert compilations == []
    assert a.tolist() == [2] * 4


def test_behaviour_10_reflection_needs_to_know_the_arguments():
    with pytest.raises(sm.LaunchError, match="missing: a"):
        sm.code(increase)
    with pytest.raises(sm.UserInputError):
        sm.code(42, np.zeros(1))


def test_behaviour_11_a_kernels_name_is_in_its_code():
    named = sm.kernel(name="chosen_name")(increase.function)
    for target in ("cpu", "cuda", "metal"):
        assert "chosen_name" in sm.code(named, "i32[:]", target=target)


def test_behaviour_12_a_kernel_that_one_target_refuses_can_still_be_read(launch):
    @sm.kernel
    def doubles(a):
        i = sm.thread_position_in_grid().x
        a[i] = a[i] * 2

    with pytest.raises(sm.CompileError):
        sm.code(doubles, "f64[:]", target="metal")
    assert "double" in sm.code(doubles, "f64[:]", target="cuda")
    assert "doubles" in sm.code(doubles, "f64[:]", target="cpu", stage="ir")

    @sm.kernel
    def invalid(a):
        a[0] = "text"

    with pytest.raises(sm.CompileError, match="text"):
        sm.code(invalid, "f32[:]", stage="ir")


def test_behaviour_13_levels_of_checking_are_levels_of_code():
    texts = [sm.code(increase, "i32[:]", stage="source", debug=level) for level in (0, 1, 2)]
    assert len(set(texts)) == 3
    assert len(texts[0]) < len(texts[1])


def test_behaviour_14_what_a_target_lacks_is_named_at_its_place():
    @sm.kernel
    def wide(a):
        i = sm.thread_position_in_grid().x
        a[i] = a[i] + 1

    with pytest.raises(sm.CompileError, match=r"float64.*(Metal|Apple)") as caught:
        sm.code(wide, "f64[:]", target="metal")
    assert "test_portable_behaviours.py" in str(caught.value)


def test_behaviour_15_arguments_of_every_kind_arrive(launch):
    @sm.kernel
    def write(a, value, pair, nested, dtype):
        (inner, more), extra = nested
        a[0] = value + pair[0]
        inner[0] = dtype(pair[1]) + more + extra

    a, b = np.zeros(1, np.int32), np.zeros(1, np.int32)
    launch(write, a, 40, (2, 30.7), ((b, 5), np.int32(7)), sm.int32, grid=1)
    assert (a[0], b[0]) == (42, 42)


def test_behaviour_16_launches_and_copies_keep_their_order(device):
    a = sm.zeros(4, sm.int32, device=device)
    for _ in range(8):
        increase(a, grid=4)
    sm.synchronize()
    assert a.tolist() == [8] * 4
    b = a.copy()
    increase(a, grid=4)
    a[:2] = 50
    increase(a, grid=4)
    assert (a.tolist(), b.tolist()) == ([51, 51, 10, 10], [8] * 4)


def test_behaviour_17_a_refused_launch_spoils_nothing(device):
    a = sm.zeros(4, sm.int32, device=device)
    increase(a, grid=4)
    with pytest.raises(sm.LaunchError):
        increase(object(), grid=4)
    with pytest.raises(sm.LaunchError):
        increase(a, grid=4, threads=10**9)
    increase(a, grid=4)
    assert a.tolist() == [2] * 4


@sm.kernel
def store_at(a, place):
    a[place] = 7


def test_behaviour_18_a_failure_is_raised_once(device):
    a = sm.zeros(4, sm.int32, device=device)
    with pytest.raises(sm.KernelError, match="kernel 'store_at'"):
        store_at(a, 9, grid=1, debug=1)
        sm.synchronize()
    sm.synchronize()
    increase(a, grid=4, debug=1)
    sm.synchronize()
    assert a.tolist() == [1] * 4


def test_behaviour_19_launches_leave_no_memory_behind(device):
    a = sm.zeros(1000, sm.int32, device=device)
    increase(a, grid=1000, debug=2)
    sm.synchronize()
    before = sm.memory_info(device).bytes_in_use
    for _ in range(200):
        increase(a, grid=1000)
        increase(a, grid=1000, debug=2)
    sm.synchronize()
    assert sm.memory_info(device).bytes_in_use == before


def test_behaviour_20_a_store_out_of_bounds_raises_and_the_device_goes_on(device):
    a = sm.zeros(4, sm.int32, device=device)
    for place in (4, -1, 2**30):
        with pytest.raises(sm.KernelError, match=r"index out of bounds: a\[place\]"):
            store_at(a, place, grid=1, debug=1)
            sm.synchronize()
    store_at(a, 3, grid=1, debug=1)
    assert a.tolist() == [0, 0, 0, 7]


def test_behaviour_21_each_level_tells_more(device):
    @sm.kernel
    def first_fails(a):
        x = sm.thread_position_in_grid().x
        if x == 3:
            a[x + 100] = 1

    a = sm.zeros(4, sm.int32, device=device)
    messages = []
    for level in (1, 2):
        with pytest.raises(sm.KernelError) as caught:
            first_fails(a, grid=(4, 1), threads=(4, 1), debug=level)
            sm.synchronize()
        messages.append(str(caught.value))
    assert messages[0] == (
        "kernel 'first_fails': index out of bounds: a[x + 100]"
        " (debug=2 shows the line and the thread)"
    )
    assert "in thread (3, 0, 0) of threadgroup (0, 0, 0)" in messages[1]
    assert "a[x + 100] = 1" in messages[1]


def test_behaviour_22_a_bool_array_takes_no_two(launch):
    @sm.kernel
    def fill(a):
        i = sm.thread_position_in_grid().x
        a[i] = 2

    with pytest.raises(sm.CompileError, match="bool"):
        launch(fill, np.zeros(3, np.bool_), grid=3)


def test_behaviour_23_prints_have_exactly_pythons_text(launch, capsys):
    @sm.kernel
    def talk(n, x):
        print("int:", n[0], "float:", x[0])
        print("100%\t\\n", (n[0], x[0]), sep=" / ")

    launch(talk, np.array([-(2**40)], np.int64), np.array([0.1], np.float32), grid=1)
    assert capsys.readouterr().out == (
        f"int: {-(2**40)} float: 0.1\n100%\t\\n / ({-(2**40)}, 0.1)\n"
    )


def test_behaviour_24_prints_need_no_particular_version_of_metal():
    @sm.kernel
    def talk(n):
        print(n[0])

    source = sm.code(talk, "i32[:]", target="metal")
    assert "os_log" not in source
    assert "printf" not in source


@pytest.mark.parametrize(
    "dtype", [sm.int8, sm.int16, sm.int32, sm.int64, sm.float16, sm.bfloat16, sm.float32], ids=str
)
def test_behaviour_25_two_threadgroup_arrays_do_not_overlap(launch, dtype):
    @sm.kernel
    def reverse(a, b):
        i = sm.thread_index_in_threadgroup()
        count = sm.threads_per_threadgroup().x
        first = sm.threadgroup_array((64,), dtype)
        second = sm.threadgroup_array((64,), dtype)
        first[i], second[i] = a[i], b[i]
        sm.threadgroup_barrier()
        a[i], b[i] = first[count - 1 - i], second[count - 1 - i]

    a, b = np.arange(64).astype(dtype.numpy), (np.arange(64) + 64).astype(dtype.numpy)
    launch(reverse, a, b, grid=64, threads=64)
    assert a.astype(int).tolist() == list(range(63, -1, -1))
    assert b.astype(int).tolist() == list(range(127, 63, -1))


@pytest.mark.parametrize("threads", [2, 32, 250, 1024])
def test_behaviour_26_a_sum_behind_a_barrier_sees_every_thread(launch, threads):
    @sm.kernel
    def count_others(out):
        i = sm.thread_index_in_threadgroup()
        flags = sm.threadgroup_array((1024,), sm.int32)
        flags[i] = i > 0
        sm.threadgroup_barrier()
        total = 0
        for k in range(sm.threads_per_threadgroup().x):
            total += flags[k]
        out[i] = total

    out = np.zeros(threads, np.int32)
    launch(count_others, out, grid=threads, threads=threads)
    assert out.tolist() == [threads - 1] * threads


EIGHT_TYPES = [sm.int8, sm.uint8, sm.int16, sm.uint16, sm.int32, sm.uint32, sm.float16, sm.float32]


@pytest.mark.parametrize("dtype", EIGHT_TYPES, ids=str)
def test_behaviour_27_shuffles_permute(launch, dtype):
    @sm.kernel
    def permute(a, out):
        i = sm.thread_index_in_threadgroup()
        out[0, i] = sm.simd_shuffle(a[i], (i + 5) % 32)
        out[1, i] = sm.simd_shuffle_xor(a[i], 9)
        up, down = sm.simd_shuffle_up(a[i], 3), sm.simd_shuffle_down(a[i], 3)
        out[2, i] = up if i >= 3 else 77
        out[3, i] = down if i < 29 else 77

    a, out = np.arange(32).astype(dtype.numpy), np.zeros((4, 32), dtype.numpy)
    launch(permute, a, out, grid=32, threads=32)
    lanes = np.arange(32)
    np.testing.assert_array_equal(out[0], (lanes + 5) % 32)
    np.testing.assert_array_equal(out[1], lanes ^ 9)
    np.testing.assert_array_equal(out[2], np.where(lanes >= 3, lanes - 3, 77))
    np.testing.assert_array_equal(out[3], np.where(lanes < 29, lanes + 3, 77))


@pytest.mark.parametrize("threshold", range(34))
def test_behaviour_28_votes_at_every_threshold(launch, threshold):
    masks, truths = np.zeros(32, np.uint32), np.zeros((2, 32), np.bool_)
    launch(_vote_simd, threshold, masks, truths, grid=32, threads=32)
    assert set(masks.tolist()) == {(1 << min(threshold, 32)) - 1}
    assert truths[0].all() == truths[0].any() == (threshold >= 32)
    assert truths[1].all() == truths[1].any() == (threshold > 0)


@sm.kernel
def _vote_simd(threshold, masks, truths):
    i = sm.thread_index_in_simdgroup()
    masks[i] = sm.simd_ballot(i < threshold)
    truths[0, i] = sm.simd_all(i < threshold)
    truths[1, i] = sm.simd_any(i < threshold)


@sm.kernel
def _vote_quad(threshold, a, masks, truths, out):
    i = sm.thread_index_in_simdgroup()
    masks[i] = sm.quad_ballot(i % 4 < threshold)
    truths[0, i] = sm.quad_all(i % 4 < threshold)
    truths[1, i] = sm.quad_any(i % 4 < threshold)
    out[0, i] = sm.quad_shuffle(a[i], (i + 1) % 4)
    out[1, i] = sm.quad_shuffle_xor(a[i], 2)
    out[2, i] = sm.quad_broadcast(a[i], 3)
    out[3, i] = sm.quad_sum(a[i])


@pytest.mark.parametrize("threshold", range(6))
def test_behaviour_29_quads_vote_and_shuffle(launch, threshold):
    masks, truths = np.zeros(32, np.uint32), np.zeros((2, 32), np.bool_)
    a, out = np.arange(32, dtype=np.float32), np.zeros((4, 32), np.float32)
    launch(_vote_quad, threshold, a, masks, truths, out, grid=32, threads=32)
    assert set(masks.tolist()) == {(1 << min(threshold, 4)) - 1}
    assert truths[0].all() == truths[0].any() == (threshold >= 4)
    assert truths[1].all() == truths[1].any() == (threshold > 0)
    lanes = np.arange(32)
    base = lanes // 4 * 4
    np.testing.assert_array_equal(out[0], base + (lanes + 1) % 4)
    np.testing.assert_array_equal(out[1], lanes ^ 2)
    np.testing.assert_array_equal(out[2], base + 3)
    np.testing.assert_array_equal(out[3], base * 4 + 6)


@pytest.mark.parametrize("dtype", [sm.float16, sm.bfloat16, sm.float32], ids=str)
def test_behaviour_30_matrices_load_store_transpose_and_multiply(launch, dtype):
    @sm.kernel
    def gemm(a, b, out, copied):
        total = sm.simdgroup_matrix(0.0, dtype)
        for k in range(0, a.shape[1], 8):
            left = sm.simdgroup_load(a, (0, k))
            right = sm.simdgroup_load(b, (0, k), transpose=True)
            total = sm.simdgroup_multiply_accumulate(left, right, total)
            sm.simdgroup_store(left, copied, (0, k))
        sm.simdgroup_store(total, out, (0, 0))

    random = np.random.default_rng(0)
    a, b = random.integers(-2, 3, (2, 8, 24)).astype(dtype.numpy)
    out, copied = np.zeros((8, 8), dtype.numpy), np.zeros_like(a)
    launch(gemm, a, b, out, copied, grid=32, threads=32)
    np.testing.assert_array_equal(out.astype(float), a.astype(float) @ b.astype(float).T)
    np.testing.assert_array_equal(copied.astype(float), a.astype(float))


@pytest.mark.parametrize("dtype", [sm.int32, sm.uint32, sm.float32], ids=str)
def test_behaviour_31_atomics_are_exact(launch, dtype):
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


@pytest.mark.parametrize("dtype", [sm.int32, sm.float32], ids=str)
def test_behaviour_32_an_atomic_of_a_users_function(launch, dtype):
    @sm.kernel
    def update(a):
        sm.atomic_update(a, 0, lambda x, y: x + y + 1, 2)

    a = np.zeros(1, dtype.numpy)
    launch(update, a, grid=700, threads=64)
    assert a[0] == 2100


def test_behaviour_33_the_last_child_to_come_computes_its_parent(launch):
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


def test_behaviour_34_random_numbers_repeat_and_differ(launch):
    @sm.kernel
    def draw(seed, out):
        i = sm.thread_position_in_grid().x
        out[i, 0] = sm.random.uniform(seed, 2 * i)
        out[i, 1] = sm.random.uniform(seed, 2 * i + 1)

    results = []
    for seed in (1, 1, 2):
        out = np.zeros((500, 2), np.float32)
        launch(draw, seed, out, grid=500)
        results.append(out)
    np.testing.assert_array_equal(results[0], results[1])
    assert (results[0] != results[2]).mean() > 0.99
    assert len(np.unique(results[0])) > 990
