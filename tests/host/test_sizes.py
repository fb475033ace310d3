"""Sizes of a launch: what is chosen covers the grid, what is wrong is said with the full text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.backends.device import DeviceLimits
from speedmetal.launch.geometry import LaunchGeometry, chosen_threads, resolve_geometry

CPU = sm.device("cpu")
EXTENTS = st.integers(1, 5000)


@given(grid=st.tuples(EXTENTS, EXTENTS, EXTENTS), most=st.sampled_from([32, 256, 1024]))
def test_chosen_threads_fit_and_groups_cover_the_grid(grid, most):
    threads = chosen_threads(grid, most, DeviceLimits())
    assert threads[0] * threads[1] * threads[2] <= most
    assert all(1 <= t <= g for t, g in zip(threads, grid, strict=True))
    sizes = LaunchGeometry(grid, threads).sizes(1024)
    for whole, part, count in zip(sizes.grid, sizes.threads, sizes.groups, strict=True):
        assert (count - 1) * part < whole <= count * part


@given(grid=st.tuples(EXTENTS, EXTENTS, EXTENTS), most=st.sampled_from([256, 1024]))
def test_chosen_threads_leave_no_more_threadgroups_than_can_be(grid, most):
    limits = DeviceLimits(threadgroups=(2**31 - 1, 400, 400))  # NVIDIA's are 65535
    sizes = LaunchGeometry(grid, None, limits).sizes(most)
    assert sizes.group_size <= most
    assert max(sizes.groups[1:]) <= 400


def test_kernels_with_loops_get_more_threadgroups():
    request = resolve_geometry("k", CPU, 100_000, None, None)
    assert request.sizes(256).group_count > request.sizes(1024).group_count


def test_groups_times_threads_is_the_grid():
    assert resolve_geometry("k", CPU, None, (4, 2), (8, 1, 3)).grid == (32, 2, 3)
    assert resolve_geometry("k", CPU, np.int64(7), None, [np.uint8(2)]) == LaunchGeometry(
        (7, 1, 1), (2, 1, 1)
    )


def test_of_a_size_of_zero_nothing_runs():
    for grid in (0, (5, 0), (3, 4, 0)):
        request = resolve_geometry("k", CPU, grid, None, None)
        assert request.is_empty
        assert min(request.sizes(1024).threads) >= 1
    assert resolve_geometry("k", CPU, None, (7, 0), 64).is_empty
    assert not resolve_geometry("k", CPU, (1, 1), None, None).is_empty


LEAST = "; it must be {} or more"


@pytest.mark.parametrize(
    ("grid", "groups", "threads", "message"),
    [
        (
            None,
            None,
            None,
            (
                "state how many threads run, grid=..., or how many threadgroups,"
                " groups=..., threads=..."
            ),
        ),
        (
            1,
            2,
            3,
            (
                "grid=1 and groups=2 are both given; grid counts threads, groups counts"
                " threadgroups: give one of them"
            ),
        ),
        (None, 2, None, "groups=2 needs threads=..., the threads of each threadgroup"),
        (-1, None, None, "grid is -1 along x" + LEAST.format(0)),
        ((3, -1), None, None, "grid is -1 along y" + LEAST.format(0)),
        (None, (0, 1, -2), 1, "groups is -2 along z" + LEAST.format(0)),
        (8, None, 0, "threads is 0 along x" + LEAST.format(1)),
        (
            (1, 2, 3, 4),
            None,
            None,
            ("grid=(1, 2, 3, 4) has 4 sizes; expected one to three (x, y, z)"),
        ),
        ((), None, None, "grid=() has 0 sizes; expected one to three (x, y, z)"),
        (
            2.0,
            None,
            None,
            (
                "grid=2.0: expected integers, got float; write int(...) or sm.cdiv(a, b)"
                " for a quotient"
            ),
        ),
        (
            (1, True),
            None,
            None,
            (
                "grid=(1, True): expected integers, got bool; write int(...) or"
                " sm.cdiv(a, b) for a quotient"
            ),
        ),
        (
            "7",
            None,
            None,
            (
                "grid='7': expected integers, got str; write int(...) or sm.cdiv(a, b)"
                " for a quotient"
            ),
        ),
        (
            8,
            None,
            (32, 33),
            (
                "threads=32 * 33 * 1 = 1056 per threadgroup requested, cpu allows 1024;"
                " use fewer, or leave threads out"
            ),
        ),
        (
            (1, 2**32),
            None,
            None,
            (
                "4294967296 threads along y requested, cpu allows 4294967295; let"
                " each thread do several elements, or launch parts"
            ),
        ),
        (
            None,
            2**31,
            2,
            (
                "4294967296 threads along x requested, cpu allows 4294967295; let each"
                " thread do several elements, or launch parts"
            ),
        ),
    ],
)
def test_wrong_sizes(grid, groups, threads, message):
    with pytest.raises(sm.LaunchError) as caught:
        resolve_geometry("k", CPU, grid, groups, threads)
    assert str(caught.value) == f"kernel 'k': {message}"


def test_an_array_is_no_size():
    with pytest.raises(sm.LaunchError, match=r"expected integers, got an array; write a\.size"):
        resolve_geometry("k", CPU, np.zeros(2), None, None)
