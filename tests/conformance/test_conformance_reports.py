# ruff: noqa: T201 - kernels that print are what is tested
"""What a kernel reports: prints, assertions, indices out of bounds, divisions by zero."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import speedmetal as sm

# --- Prints ----------------------------------------------------------------------------------


@sm.kernel
def print_numbers(a, big, half):
    i = sm.thread_position_in_grid().x
    print("x", i, a[i], -a[i] / 3)
    print(big[i], big[i] * 2, sep="|", end=";\n")
    print(half[i], a[i] > 0, True, None, 1.5, "text")


def test_numbers_are_printed_as_python_prints_them(launch, capsys):
    a = np.array([0.1], np.float32)
    big = np.array([2**62 - 1], np.int64)
    half = np.array([0.1], np.float16)
    launch(print_numbers, a, big, half, grid=1)
    third = str(-np.float32(0.1) / np.float32(3))
    assert capsys.readouterr().out == (
        f"x 0 0.1 {third}\n{2**62 - 1}|{2**63 - 2};\n0.1 True True None 1.5 text\n"
    )


@sm.kernel
def print_special(a, n):
    for k in range(len(a)):
        print(a[k], end=" ")
    print()
    print(n[0], n[1], n[2])
    print('100% {done} %d \\ "quoted" é\ttab')
    print((1, a[0]), "in", (), (n[1],))
    print()


def test_special_values_escapes_and_tuples(launch, capsys):
    a = np.array([np.inf, -np.inf, np.nan, -0.0, 1e20, 1e-7, 16777216.0, 123456.7], np.float32)
    n = np.array([0, 2**64 - 1, 2**63], np.uint64)
    launch(print_special, a, n, grid=1)
    wanted = " ".join(str(v) for v in a)
    assert capsys.readouterr().out == (
        f"{wanted} \n0 {2**64 - 1} {2**63}\n"
        '100% {done} %d \\ "quoted" é\ttab\n'
        f"(1, inf) in () ({2**64 - 1},)\n\n"
    )


@sm.kernel
def print_where(a):
    i = sm.thread_position_in_grid().x
    if a[i] > 2:
        for k in range(2):
            if k == 1 and a[i] > 3:
                break
            print(i, k, a[i])


def test_only_threads_that_come_there_print(launch, capsys):
    launch(print_where, np.array([1, 3, 2, 4], np.int32), grid=4)
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == ["1 0 3", "1 1 3", "3 0 4"]


@sm.kernel
def print_a_lot():
    i = sm.thread_position_in_grid().x
    for k in range(1000):
        print(i, k)


def test_prints_beyond_the_room_are_counted(launch, capsys):
    launch(print_a_lot, grid=100)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 100_000
    match = re.fullmatch(
        r"\[kernel 'print_a_lot': the room for prints was used up; (\d+) of (\d+) words were"
        r" dropped\]", lines[-1]
    )  # fmt: skip
    assert match
    assert int(match[2]) == 100_000 * 5
    assert len(lines) - 1 == (int(match[2]) - int(match[1])) // 5


# --- Failures --------------------------------------------------------------------------------


@sm.kernel
def positive(a, out):
    i = sm.thread_position_in_grid().x
    assert a[i] > 0, "a must be positive"
    out[i] = a[i]


@sm.kernel
def read_at(a, places, out):
    i = sm.thread_position_in_grid().x
    out[i] = a[places[i]]


@sm.kernel
def write_at(places, out):
    i = sm.thread_position_in_grid().x
    out[places[i]] = 1


@sm.kernel
def quotient(a, b, out):
    i = sm.thread_position_in_grid().x
    out[i] = a[i] // b[i]


def place(kernel, text) -> str:
    """``file:line`` of the first line of a kernel that has the text."""
    code = kernel.function.__code__
    lines = Path(code.co_filename).read_text().splitlines()
    line = next(n for n in range(code.co_firstlineno, len(lines)) if text in lines[n - 1])
    return f"{code.co_filename}:{line}"


def failure(launch, kernel, *arguments, **options) -> str:
    with pytest.raises(sm.KernelError) as caught:
        launch(kernel, *arguments, **options)
    return str(caught.value)


def test_a_failed_assertion_at_every_level(launch):
    a = np.array([1, 2, -3, 4], np.int32)
    out = np.zeros(4, np.int32)
    launch(positive, a, out, grid=4, debug=0)
    assert out.tolist() == [1, 2, -3, 4]
    out[:] = 0
    message = failure(launch, positive, a, out, grid=4, threads=2, debug=1)
    assert message == (
        "kernel 'positive': assertion failed: a must be positive"
        " (debug=2 shows the line and the thread)"
    )
    assert out[2] == 0  # the thread ended
    message = failure(launch, positive, a, out, grid=4, threads=2, debug=2)
    first, second, *excerpt = message.splitlines()
    assert first == "kernel 'positive': assertion failed: a must be positive"
    assert second.startswith(place(positive, "assert"))
    assert second.endswith(": in thread (0, 0, 0) of threadgroup (1, 0, 0) (x, y, z)")
    assert 'assert a[i] > 0, "a must be positive"' in "\n".join(excerpt)
    assert "^^^^" in "\n".join(excerpt)


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("wrong", [-1, 4, 1000, -(2**31), 2**31 - 1])
def test_reads_and_writes_out_of_bounds(launch, level, wrong):
    places = np.array([0, 1, wrong, 3], np.int32)
    a, out = np.arange(4, dtype=np.int32), np.zeros(4, np.int32)
    message = failure(launch, read_at, a, places, out, grid=4, debug=level)
    assert "kernel 'read_at': index out of bounds: a[places[i]]" in message
    message = failure(launch, write_at, places, out, grid=4, debug=level)
    assert "kernel 'write_at': index out of bounds: out[places[i]]" in message
    assert ("in thread (2, 0, 0)" in message) == (level == 2)
    launch(read_at, a, a, out, grid=4, debug=level)  # the device stays usable
    assert out.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("array", ["threadgroup_array", "thread_array"])
def test_arrays_of_threads_and_threadgroups_have_bounds(launch, array):
    make = getattr(sm, array)

    @sm.kernel
    def beyond(places, out):
        i = sm.thread_position_in_grid().x
        own = make((2, 3), sm.int32)
        own[places[i], 1] = 5
        own[1, places[i]] = 6
        out[i] = own[places[i], 1]

    out = np.zeros(2, np.int32)
    launch(beyond, np.array([0, 1], np.int32), out, grid=2, debug=1)
    message = failure(launch, beyond, np.array([0, 2], np.int32), out, grid=2, debug=1)
    assert "index out of bounds: own[places[i], 1]" in message


def test_every_axis_has_bounds(launch):
    @sm.kernel
    def corner(row, column, a):
        a[row, column] = 1

    a = np.zeros((3, 5), np.int32)
    launch(corner, 2, 4, a, grid=1, debug=2)
    for row, column in [(3, 0), (0, 5), (-1, 0), (0, -1)]:
        failure(launch, corner, row, column, a, grid=1, debug=2)
    assert a.sum() == 1


def test_atomics_have_bounds(launch):
    @sm.kernel
    def count(at, a):
        sm.atomic_add(a, at, 1)

    a = np.zeros(3, np.int32)
    launch(count, 2, a, grid=4, debug=1)
    assert "index out of bounds" in failure(launch, count, 3, a, grid=4, debug=1)
    assert a.tolist() == [0, 0, 4]


BEYOND_INT32 = [2**32 + 1, 1 - 2**32, 2**31, -(2**31) - 1, 2**63 - 1]


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("wrong", [*BEYOND_INT32, np.uint64(2**32), np.uint64(2**64 - 1)])
def test_an_index_beyond_the_index_type_is_not_narrowed_into_the_array(launch, level, wrong):
    @sm.kernel
    def count(at, a):
        sm.atomic_add(a, at, 1)

    @sm.kernel
    def read_row(x, at, out):
        row, other = x[at], x[0]
        for _ in range(out.size + 70):
            row, other = other, row
        out[0] = row[0] + other[0]

    a, x = np.zeros(3, np.int32), np.ones((3, 3), np.int32)
    for kernel, arguments in ((count, (wrong, a)), (read_row, (x, wrong, a))):
        assert "index out of bounds" in failure(launch, kernel, *arguments, grid=1, debug=level)
    assert a.tolist() == [0, 0, 0]
    launch(count, type(wrong)(2), a, grid=1, debug=level)
    assert a.tolist() == [0, 0, 1]


@pytest.mark.parametrize("wrong", [*BEYOND_INT32, -1, 1, 2**31 - 4])
def test_a_block_beyond_the_array_is_found(launch, wrong):
    @sm.kernel
    def copy(a, row, out):
        sm.simdgroup_store(sm.simdgroup_load(a, (row, 0)), out, (0, 0))

    a, out = np.ones((8, 8), np.float32), np.zeros((8, 8), np.float32)
    assert "an 8x8 block of a, axis 0" in failure(launch, copy, a, wrong, out, grid=32, debug=1)
    launch(copy, a, 0, out, grid=32, debug=1)
    assert out.all()


@pytest.mark.parametrize("dtype", [sm.int32, sm.uint8, sm.int64], ids=str)
def test_integer_division_by_zero(launch, dtype):
    a = np.array([7, 8, 9], dtype.numpy)
    b = np.array([2, 0, 3], dtype.numpy)
    out = np.zeros(3, dtype.numpy)
    launch(quotient, a, b, out, grid=3, debug=0)
    assert out.tolist() == [3, 0, 3]
    for level in (1, 2):
        message = failure(launch, quotient, a, b, out, grid=3, debug=level)
        assert message.startswith("kernel 'quotient': integer division by zero")


def test_a_division_by_zero_of_floats_is_no_failure(launch):
    out = np.zeros(2, np.float32)
    zeros = np.zeros(2, np.float32)
    launch(quotient, np.array([1, -1], np.float32), zeros, out, grid=2, debug=2)
    assert out.tolist() == [np.inf, -np.inf]


@pytest.mark.divergent
def test_the_other_threads_go_on_and_meet_at_barriers(launch):
    @sm.kernel
    def partly(a, out):
        i = sm.thread_position_in_grid().x
        shared = sm.threadgroup_array((64,), sm.int32)
        shared[i] = i
        assert a[i] == 0, "stop"
        sm.threadgroup_barrier()
        out[i] = shared[63 - i]

    a = np.zeros(64, np.int32)
    a[10] = 1
    out = np.full(64, -1, np.int32)
    failure(launch, partly, a, out, grid=64, threads=64, debug=1)
    assert out[10] == -1
    others = [i for i in range(64) if i != 10]
    assert out[others].tolist() == [63 - i for i in others]


def test_failures_in_helper_functions_name_their_line(launch):
    def checked(a, i):
        assert a[i] < 3, "too large"
        return a[i]

    @sm.kernel
    def uses(a, out):
        i = sm.thread_position_in_grid().x
        out[i] = checked(a, i)

    out = np.zeros(4, np.int32)
    message = failure(launch, uses, np.arange(4, dtype=np.int32), out, grid=4, debug=2)
    assert "kernel 'uses': assertion failed: too large" in message
    assert 'assert a[i] < 3, "too large"' in message
    assert out.tolist() == [0, 1, 2, 0]


def test_what_a_kernel_wrote_before_it_failed_is_seen(launch):
    """Whether the call itself says that it failed, or a later one."""

    def fails(a, **_options):
        a[:2] = 7
        raise sm.KernelError("failed")

    a = np.zeros(3, np.int32)
    with pytest.raises(sm.KernelError, match="failed"):
        launch(fails, a)
    assert a.tolist() == [7, 7, 0]


def test_prints_before_a_failure_are_delivered(launch, capsys):
    @sm.kernel
    def talks(a):
        print("before", a[0])
        assert a[0] > 0
        print("after")

    failure(launch, talks, np.zeros(1, np.int32), grid=1, debug=1)
    assert capsys.readouterr().out == "before 0\n"


def test_correct_kernels_do_the_same_at_every_level(launch):
    @sm.kernel
    def work(a, out):
        i = sm.thread_position_in_grid().x
        own = sm.thread_array((4,), sm.int32)
        for k in range(4):
            own[k] = a[(i + k) % a.size] // (k + 1)
        total = 0
        for k in range(3, -1, -1):
            total = total * 3 + own[k]
            assert total < 10**6
        out[i] = total

    a = np.random.default_rng(1).integers(-100, 100, 77).astype(np.int32)
    results = []
    for level in (0, 1, 2):
        out = np.zeros(77, np.int32)
        launch(work, a, out, grid=77, debug=level)
        results.append(out.tolist())
    assert results[0] == results[1] == results[2]
    assert len(set(results[0])) > 20
