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
        names.append(specialisation.source.name)
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


def test_unknown_names_and_wrong_arity_are_errors_before_dispatch(launch):
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
def test_sizes_are_integers_of_any_kind_or_up_to_three(launch, threads, groups):
    assert ones_in(launch, groups=groups, threads=threads) == int(np.prod(threads))


@pytest.mark.parametrize("sizes", [{"grid": -1}, {"grid": (4, -1)}, {"groups": -1, "threads": 2},
                                   {"groups": 2, "threads": -2}, {"grid": 1, "threads": 0}],
                         ids=str)  # fmt: skip
def test_a_negative_size_is_an_error_and_of_zero_nothing_runs(launch, sizes):
    with pytest.raises(sm.LaunchError, match=r"it must be (0|1) or more"):
        ones_in(launch, **sizes)
    for empty in ({"grid": 0}, {"grid": (4, 0)}, {"grid": (4, 1, 0), "threads": 2},
                  {"groups": 0, "threads": 2}, {"groups": (1, 0), "threads": 2}):  # fmt: skip
        for debug in (0, 1, 2):
            assert ones_in(launch, **empty, debug=debug) == 0


@pytest.mark.parametrize("factor", [1, 2])
def test_too_many_threads_per_threadgroup_are_an_error(launch, device, factor):
    allowed = device.limits.threads_per_threadgroup
    threads = allowed + 1 if factor == 1 else (allowed - 24, 2)
    with pytest.raises(sm.LaunchError, match=f"allows {allowed}"):
        ones_in(launch, groups=1, threads=threads)


def test_a_grid_is_never_truncated(launch, device):
    beyond = device.limits.grid_size + 1
    for grid in (beyond, (1, beyond), (1, 1, beyond * 2)):
        with pytest.raises(sm.LaunchError, match="allows"):
            ones_in(launch, grid=grid)
    with pytest.raises(sm.LaunchError, match="allows"):
        ones_in(launch, groups=beyond, threads=2)


def test_threads_and_groups_say_how_many_elements_are_written(launch):
    assert ones_in(launch, groups=1, threads=2) == 2
    assert ones_in(launch, groups=3, threads=2) == 6
    assert ones_in(launch, grid=5, threads=2) == 5


def test_a_kernel_is_compiled_without_a_launch(device, launch, compilations):
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


def test_a_kernel_is_compiled_again_only_where_something_changed(launch, compilations):
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


def test_reflection_shows_a_compiled_kernel_and_leaves_it_as_it_is(launch, compilations):
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


def test_a_kernels_name_is_in_its_code():
    named = sm.kernel(name="chosen_name")(increase.function)
    for target in ("cpu", "cuda", "metal"):
        assert "chosen_name" in sm.code(named, "i32[:]", target=target)


def test_a_kernel_that_one_target_refuses_can_still_be_read(launch):
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


def test_what_a_target_lacks_is_named_at_its_place():
    @sm.kernel
    def wide(a):
        i = sm.thread_position_in_grid().x
        a[i] = a[i] + 1

    with pytest.raises(sm.CompileError, match=r"float64.*(Metal|Apple)") as caught:
        sm.code(wide, "f64[:]", target="metal")
    assert "test_portable_behaviours.py" in str(caught.value)


def test_arguments_of_every_kind_arrive(launch):
    @sm.kernel
    def write(a, value, pair, nested, dtype):
        (inner, more), extra = nested
        a[0] = value + pair[0]
        inner[0] = dtype(pair[1]) + more + extra

    a, b = np.zeros(1, np.int32), np.zeros(1, np.int32)
    launch(write, a, 40, (2, 30.7), ((b, 5), np.int32(7)), sm.int32, grid=1)
    assert (a[0], b[0]) == (42, 42)


def test_launches_and_copies_keep_their_order(device):
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


def test_a_refused_launch_spoils_nothing(device):
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


def test_a_failure_is_raised_once(device):
    a = sm.zeros(4, sm.int32, device=device)
    with pytest.raises(sm.KernelError, match="kernel 'store_at'"):
        store_at(a, 9, grid=1, debug=1)
        sm.synchronize()
    sm.synchronize()
    increase(a, grid=4, debug=1)
    sm.synchronize()
    assert a.tolist() == [1] * 4


def test_launches_leave_no_memory_behind(device):
    a = sm.zeros(1000, sm.int32, device=device)
    increase(a, grid=1000, debug=2)
    sm.synchronize()
    before = sm.memory_info(device).bytes_in_use
    for _ in range(200):
        increase(a, grid=1000)
        increase(a, grid=1000, debug=2)
    sm.synchronize()
    assert sm.memory_info(device).bytes_in_use <= before  # less: what other tests have dropped


def test_each_level_tells_more(device):
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


def test_a_bool_array_takes_no_two(launch):
    @sm.kernel
    def fill(a):
        i = sm.thread_position_in_grid().x
        a[i] = 2

    with pytest.raises(sm.CompileError, match="bool"):
        launch(fill, np.zeros(3, np.bool_), grid=3)


def test_prints_need_no_particular_version_of_metal():
    @sm.kernel
    def talk(n):
        print(n[0])

    source = sm.code(talk, "i32[:]", target="metal")
    assert "os_log" not in source
    assert "printf" not in source


@pytest.mark.parametrize("threads", [2, 32, 250, 1024])
def test_a_sum_behind_a_barrier_sees_every_thread(launch, threads):
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
