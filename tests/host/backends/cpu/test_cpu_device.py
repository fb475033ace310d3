"""The CPU as a device: which code a launch needs."""

import pytest

import speedmetal as sm


@pytest.mark.parametrize(
    ("grid", "threads", "is_ragged"),
    [
        ((100, 1, 1), None, False),
        ((100, 8, 1), None, True),
        ((64, 8, 1), None, False),
        ((64, 8, 1), (10, 2, 1), True),
        ((70, 8, 1), (32, 2, 1), True),
        ((70, 8, 1), (32, 1, 1), False),
    ],
)
def test_rows_that_are_not_made_of_whole_simdgroups_need_code_of_their_own(
    grid, threads, is_ragged
):
    words = sm.device("cpu").variant_for(grid, threads).split()
    assert ("linear" in words) == is_ragged


@sm.kernel
def counts_threads(a):
    i = sm.thread_position_in_grid().x
    a[i] = sm.threads_per_threadgroup().x


@sm.kernel
def counts_lanes(a):
    i = sm.thread_position_in_grid().x
    a[i] = sm.thread_index_in_simdgroup()


@pytest.mark.parametrize(("kernel", "codes"), [(counts_threads, 1), (counts_lanes, 2)])
def test_kernels_without_simdgroups_are_compiled_once_for_all_sizes(kernel, codes):
    a = sm.zeros(64, dtype=sm.int32, device="cpu")
    for grid in ((64, 1), (9, 3), (64, 2)):
        kernel(a, grid=grid)
    assert len({id(compiled) for compiled in kernel._launcher.compiled.values()}) == codes
