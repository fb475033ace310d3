"""Where a thread says that it is, in grids of every shape, is where plain Python says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import speedmetal as sm
from thread_model import Thread, threadgroups_of, triple

SHAPES = [
    # grid, threads
    (1, 1),
    (31, 32),
    (32, 32),
    (33, 32),
    (1023, 256),
    (1025, 1024),
    (97, 7),
    ((5, 3), (2, 2)),
    ((33, 5), (32, 2)),
    ((64, 4), (32, 4)),
    ((37, 11), (16, 3)),
    ((7, 3, 2), (7, 3, 2)),
    ((8, 7, 5), (7, 3, 2)),
    ((3, 50, 2), (3, 17, 2)),
    ((1, 1, 40), (1, 1, 9)),
    ((40, 2, 3), (40, 1, 3)),
]
WITH_AXES = [
    "thread_position_in_grid",
    "thread_position_in_threadgroup",
    "threadgroup_position_in_grid",
    "threads_per_threadgroup",
    "threadgroups_per_grid",
    "threads_per_grid",
]
WITHOUT_AXES = [
    "thread_index_in_threadgroup",
    "thread_index_in_simdgroup",
    "simdgroup_index_in_threadgroup",
    "threads_per_simdgroup",
    "simdgroups_per_threadgroup",
]


@sm.kernel
def positions(out):
    x, y, z = sm.thread_position_in_grid()
    size = sm.threads_per_grid()
    row = x + size.x * (y + size.y * z)
    out[row, 0], out[row, 1], out[row, 2] = x, y, z
    inner = sm.thread_position_in_threadgroup()
    out[row, 3], out[row, 4], out[row, 5] = inner.x, inner.y, inner.z
    group = sm.threadgroup_position_in_grid()
    out[row, 6], out[row, 7], out[row, 8] = group.x, group.y, group.z
    own = sm.threads_per_threadgroup()
    out[row, 9], out[row, 10], out[row, 11] = own.x, own.y, own.z
    groups = sm.threadgroups_per_grid()
    out[row, 12], out[row, 13], out[row, 14] = groups.x, groups.y, groups.z
    out[row, 15], out[row, 16], out[row, 17] = size.x, size.y, size.z


@sm.kernel
def indices(out):
    x, y, z = sm.thread_position_in_grid()
    size = sm.threads_per_grid()
    row = x + size.x * (y + size.y * z)
    out[row, 0] = sm.thread_index_in_threadgroup()
    out[row, 1] = sm.thread_index_in_simdgroup()
    out[row, 2] = sm.simdgroup_index_in_threadgroup()
    out[row, 3] = sm.threads_per_simdgroup()
    out[row, 4] = sm.simdgroups_per_threadgroup()


@sm.kernel
def indices_after_barrier(out):
    x, y, z = sm.thread_position_in_grid()
    size = sm.threads_per_grid()
    row = x + size.x * (y + size.y * z)
    before = sm.thread_index_in_threadgroup()
    sm.threadgroup_barrier()
    out[row, 0] = before
    out[row, 1] = sm.thread_index_in_simdgroup()
    out[row, 2] = sm.simdgroup_index_in_threadgroup()
    sm.threadgroup_barrier()
    out[row, 3] = sm.threads_per_simdgroup()
    out[row, 4] = sm.simdgroups_per_threadgroup()


def rows(grid, threads, row_of) -> np.ndarray:
    """What the model says, a row for each thread in the order of its place in the grid."""
    size = triple(grid)
    found: dict[int, list[int]] = {}
    for group in threadgroups_of(grid, threads):
        for thread in group:
            x, y, z = thread.thread_position_in_grid
            found[x + size.x * (y + size.y * z)] = row_of(thread)
    return np.array([found[row] for row in sorted(found)])


def with_axes(thread: Thread) -> list[int]:
    return [part for name in WITH_AXES for part in getattr(thread, name)]


def without_axes(thread: Thread) -> list[int]:
    return [getattr(thread, name) for name in WITHOUT_AXES]


def test_the_model_knows_every_position():
    names = {field.name for field in dataclasses.fields(Thread)}
    assert names == {*WITH_AXES, *WITHOUT_AXES}


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize(("grid", "threads"), SHAPES, ids=str)
@pytest.mark.parametrize(
    ("kernel", "row_of"),
    [(positions, with_axes), (indices, without_axes), (indices_after_barrier, without_axes)],
    ids=["axes", "indices", "barrier"],
)
def test_positions_are_those_of_the_model(launch, kernel, row_of, grid, threads, level):
    wanted = rows(grid, threads, row_of)
    found = np.full(wanted.shape, -1, np.int32)
    launch(kernel, found, grid=grid, threads=threads, debug=level)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("groups", "threads"), [(3, 2), ((2, 3), (7, 3, 2)), ((1, 2, 3), (7, 3, 2)), (1, 1)], ids=str
)
def test_groups_count_threadgroups(launch, groups, threads):
    grid = tuple(g * t for g, t in zip(triple(groups), triple(threads), strict=True))
    wanted = rows(grid, threads, with_axes)
    found = np.full(wanted.shape, -1, np.int32)
    launch(positions, found, groups=groups, threads=threads)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("grid", [1, 5, 1000, (5, 7), (100, 3, 2), (3, 3, 300)], ids=str)
def test_threads_that_nobody_states_still_cover_the_grid(launch, grid):
    size = triple(grid)
    found = np.full((size.x * size.y * size.z, 18), -1, np.int32)
    launch(positions, found, grid=grid)
    z, y, x = np.meshgrid(*(np.arange(n) for n in reversed(size)), indexing="ij")
    np.testing.assert_array_equal(found[:, :3], np.stack([x, y, z], -1).reshape(-1, 3))
    np.testing.assert_array_equal(found[:, 15:], np.broadcast_to(size, (len(found), 3)))


@sm.kernel
def before_the_first(out):
    i = sm.thread_position_in_grid().x
    out[i] = i - 1


def test_positions_are_signed(launch):
    found = np.zeros(3, np.int32)
    launch(before_the_first, found, grid=3)
    assert found.tolist() == [-1, 0, 1]


@sm.kernel
def mark(out):
    x, y = sm.thread_position_in_grid().x, sm.thread_position_in_grid().y
    sm.atomic_add(out, (y, x), 1)


@pytest.mark.parametrize("grid", [(1, 1), (3, 5), (31, 33), (17, 2)], ids=str)
@pytest.mark.parametrize("threads", [None, 32, (4, 4), (16, 2)], ids=str)
def test_no_thread_beyond_the_grid_can_be_seen(launch, grid, threads):
    found = np.zeros((40, 64), np.int32)
    launch(mark, found, grid=grid, threads=threads)
    wanted = np.zeros_like(found)
    wanted[: grid[1], : grid[0]] = 1
    np.testing.assert_array_equal(found, wanted)
