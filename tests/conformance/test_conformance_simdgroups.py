"""Simdgroups: exchange among active threads, against a plain Python model; and their matrices."""

from __future__ import annotations

import functools
import itertools
import math
import operator

import numpy as np
import pytest

import speedmetal as sm
from speedmetal import dtypes
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import IntrinsicKind
from thread_model import simdgroups_of, threadgroups_of

SIZES = [(1, 1), (5, 5), (31, 31), (32, 32), (33, 33), (64, 64), (100, 100), (70, 33)]
"""Grid and threads of a threadgroup."""
NUMBERS = tuple(d for d in dtypes.ALL if not (d.is_bool or d.is_complex))

MASKS = {
    "all": lambda i: True,
    "even": lambda i: i % 2 == 0,
    "few": lambda i: i % 7 == 3,
    "low": lambda i: i % 32 < 5,
    "none in the second": lambda i: not 32 <= i < 64,
}
GRIDS = list(dict.fromkeys([
    *((*size, mask) for size in SIZES for mask in ("all", "even")),
    *((100, 100, mask) for mask in MASKS),
    *((70, 33, mask) for mask in MASKS),
]))  # fmt: skip
"""Grid, threads of a threadgroup, which of them are active."""
FAMILIES = {"simd": 32, "quad": 4}

REDUCTIONS = {
    "sum": lambda values: functools.reduce(operator.add, values),
    "product": lambda values: functools.reduce(operator.mul, values),
    "min": min,
    "max": max,
    "and": lambda values: functools.reduce(operator.and_, values),
    "or": lambda values: functools.reduce(operator.or_, values),
    "xor": lambda values: functools.reduce(operator.xor, values),
}


def _collective_cases():
    for family in FAMILIES:
        for name in REDUCTIONS:
            record = TABLE[f"{family}_{name}"]
            for dtype in NUMBERS:
                if dtype.kind in record.accepts:
                    yield pytest.param(family, name, dtype, id=f"{record.name}-{dtype.name}")


COLLECTIVE_CASES = list(_collective_cases())


def lanes_of(grid, threads, width):
    """Sets of threads that exchange values, as places in the grid."""
    for group in threadgroups_of(grid, threads):
        for simdgroup in simdgroups_of(group):
            places = [t.thread_position_in_grid.x for t in simdgroup]
            for start in range(0, len(places), width):
                yield places[start : start + width]


def test_every_thread_is_in_one_set_of_lanes():
    for grid, threads in SIZES:
        for width in FAMILIES.values():
            lanes = list(lanes_of(grid, threads, width))
            assert [place for places in lanes for place in places] == list(range(grid))
            assert max(map(len, lanes)) == min(width, threads)


def small_values(dtype, size) -> np.ndarray:
    """Values whose sums and products are exact in every type."""
    random = np.random.default_rng(size)
    values = np.ones(size)
    places = random.permutation(size)[: size // 6]
    values[places] = random.choice([2, 2, 3] if dtype.bits == 8 else [2, 3, -1], places.size)
    return (
        np.abs(values).astype(dtype.numpy)
        if dtype.kind is dtypes.Kind.UNSIGNED
        else (values.astype(dtype.numpy))
    )


def exact(values, dtype) -> list:
    return [float(v) if dtype.is_float else int(v) for v in values]


def to_type(value, dtype):
    if dtype.is_float:
        return dtype.numpy.type(value)
    value &= (1 << dtype.bits) - 1
    return value - (1 << dtype.bits) if dtype.is_signed and value > dtype.maximum else value


@functools.cache
def masked(collective, dtype):
    @sm.kernel
    def kernel(x, active, out):
        i = sm.thread_position_in_grid().x
        if active[i]:
            out[i] = collective(x[i])

    return kernel


@pytest.mark.parametrize(("family", "name", "dtype"), COLLECTIVE_CASES)
@pytest.mark.divergent
def test_reductions_over_the_active_threads(launch, family, name, dtype):
    kernel = masked(TABLE[f"{family}_{name}"], dtype)
    for grid, threads, mask in GRIDS:
        x = small_values(dtype, grid)
        active = np.array([MASKS[mask](i) for i in range(grid)])
        found = np.zeros(grid, dtype.numpy)
        launch(kernel, x, active, found, grid=grid, threads=threads)
        wanted = np.zeros(grid, dtype.numpy)
        for lanes in lanes_of(grid, threads, FAMILIES[family]):
            own = [k for k in lanes if active[k]]
            if own:
                wanted[own] = to_type(REDUCTIONS[name](exact(x[own], dtype)), dtype)
        np.testing.assert_array_equal(found, wanted)


WIDTHS = (2, 4, 8, 16, 32)
PART_CASES = [case for case in COLLECTIVE_CASES if case.values[0] == "simd"]


@functools.cache
def over_parts(collective):
    @sm.kernel
    def kernel(x, active, out):
        i = sm.thread_position_in_grid().x
        if active[i]:
            for n in sm.static_range(len(WIDTHS)):
                out[n, i] = collective(x[i], width=WIDTHS[n])

    return kernel


@pytest.mark.parametrize(("family", "name", "dtype"), PART_CASES)
@pytest.mark.divergent
def test_reductions_over_parts_of_a_simdgroup(launch, family, name, dtype):
    """Each group of lanes has its own result, of its active threads alone."""
    kernel = over_parts(TABLE[f"{family}_{name}"])
    for grid, threads, mask in GRIDS:
        x = small_values(dtype, grid)
        active = np.array([MASKS[mask](i) for i in range(grid)])
        found = np.zeros((len(WIDTHS), grid), dtype.numpy)
        launch(kernel, x, active, found, grid=grid, threads=threads)
        wanted = np.zeros_like(found)
        for row, width in zip(wanted, WIDTHS, strict=True):
            for lanes in lanes_of(grid, threads, width):
                own = [k for k in lanes if active[k]]
                if own:
                    row[own] = to_type(REDUCTIONS[name](exact(x[own], dtype)), dtype)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=str)
def test_parts_of_complex_numbers(launch, dtype):
    @sm.kernel
    def sums(z, out):
        i = sm.thread_position_in_grid().x
        out[i] = sm.simd_sum(z[i], width=8)

    z = (np.arange(40) + 1j * (np.arange(40) % 7)).astype(dtype.numpy)
    found = np.zeros_like(z)
    launch(sums, z, found, grid=40, threads=40)
    np.testing.assert_array_equal(found, np.repeat(z.reshape(5, 8).sum(axis=1), 8))


@sm.kernel
def sum_where_parts_agree(a, out):
    """A branch on what the lanes of a part agree on, but not those of a simdgroup."""
    i = sm.thread_position_in_grid().x
    if sm.simd_sum(a[i], width=8) > 10:
        out[i] = sm.simd_sum(a[i], width=16)


@pytest.mark.divergent
def test_parts_do_not_agree_with_each_other(launch):
    a = np.random.default_rng(4).integers(0, 4, 96).astype(np.int32)
    found = np.zeros(96, np.int32)
    launch(sum_where_parts_agree, a, found, grid=96, threads=96)
    taken = np.repeat(a.reshape(-1, 8).sum(axis=1) > 10, 8)
    assert taken.any()
    assert not taken.all()
    sums = np.repeat(np.where(taken, a, 0).reshape(-1, 16).sum(axis=1), 16)
    np.testing.assert_array_equal(found, np.where(taken, sums, 0))


PREFIXES = {
    "simd_prefix_inclusive_sum": (operator.add, 0, True),
    "simd_prefix_exclusive_sum": (operator.add, 0, False),
    "simd_prefix_inclusive_product": (operator.mul, 1, True),
    "simd_prefix_exclusive_product": (operator.mul, 1, False),
}


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize("name", PREFIXES)
@pytest.mark.divergent
def test_prefixes_over_the_active_threads(launch, name, dtype):
    combine, start, inclusive = PREFIXES[name]
    kernel = masked(TABLE[name], dtype)
    for grid, threads, mask in GRIDS:
        x = small_values(dtype, grid)
        active = np.array([MASKS[mask](i) for i in range(grid)])
        found = np.zeros(grid, dtype.numpy)
        launch(kernel, x, active, found, grid=grid, threads=threads)
        wanted = np.zeros(grid, dtype.numpy)
        for lanes in lanes_of(grid, threads, 32):
            running = start
            for k in lanes:
                if active[k]:
                    after = combine(running, exact(x[k : k + 1], dtype)[0])
                    wanted[k] = to_type(after if inclusive else running, dtype)
                    running = after
        np.testing.assert_array_equal(found, wanted)


# --- Shuffles --------------------------------------------------------------------------------

SOURCES = {
    # own lane, operand, lanes of a full group -> lane read; own value beyond those. What a lane
    # that a short group lacks would have given is unspecified.
    "shuffle": lambda lane, k, width: k % width,
    "shuffle_up": lambda lane, k, width: lane - k,
    "shuffle_down": lambda lane, k, width: lane + k,
    "shuffle_xor": lambda lane, k, width: lane ^ k,
}


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("family", FAMILIES)
def test_shuffles_are_permutations(launch, family, name, dtype):
    collective, width = TABLE[f"{family}_{name}"], FAMILIES[family]

    @sm.kernel
    def kernel(x, by, out):
        i = sm.thread_position_in_grid().x
        for k in range(by.shape[1]):
            out[i, k] = collective(x[i], by[i, k])
        out[i, by.shape[1]] = collective(x[i], 1)

    for grid, threads in [(32, 32), (64, 64), (96, 96), (31, 31), (70, 70)]:
        x = (np.arange(grid) * 3 % 101).astype(dtype.numpy)
        by = np.repeat([[0, 1, 2, 3, 5, 17, 31]], grid, 0).astype(np.int32) % width
        if name == "shuffle":  # each lane reads another
            by = (by + np.arange(grid, dtype=np.int32)[:, None] * 5) % width
        found = np.zeros((grid, by.shape[1] + 1), dtype.numpy)
        launch(kernel, x, by, found, grid=grid, threads=threads)
        operands = np.pad(by, ((0, 0), (0, 1)), constant_values=1)
        for lanes in lanes_of(grid, threads, width):
            for (lane, place), k in itertools.product(enumerate(lanes), range(operands.shape[1])):
                source = SOURCES[name](lane, int(operands[place, k]), width)
                if 0 <= source < len(lanes):
                    assert found[place, k] == x[lanes[source]], (grid, k, place)
                elif name in ("shuffle_up", "shuffle_down") and not 0 <= source < width:
                    assert found[place, k] == x[place], (grid, k, place)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [sm.int8, sm.int32, sm.uint64, sm.float16, sm.float64], ids=str)
def test_broadcasts(launch, family, dtype):
    collective, width = TABLE[f"{family}_broadcast"], FAMILIES[family]

    @sm.kernel
    def kernel(x, lane, out):
        i = sm.thread_position_in_grid().x
        out[i] = collective(x[i], lane)

    x = np.arange(64).astype(dtype.numpy)
    for lane in range(0, width, max(1, width // 5)):
        found = np.zeros(64, dtype.numpy)
        launch(kernel, x, lane, found, grid=64, threads=64)
        np.testing.assert_array_equal(found, x // width * width + lane)


@sm.kernel
def broadcast_shared(out, n):
    """A value that all lanes share, from one of them."""
    lane = sm.thread_index_in_simdgroup()
    out[lane] = sm.simd_broadcast(n + 3, 7) + sm.simd_broadcast(n, lane)


def test_values_that_all_lanes_share_are_those_of_each(launch):
    """From a lane that is the same for all, and from each one's own."""
    out = np.zeros(32, np.int32)
    launch(broadcast_shared, out, 4, grid=32, threads=32)
    np.testing.assert_array_equal(out, np.full(32, 11))


@pytest.mark.divergent
def test_the_first_active_thread(launch):
    @sm.kernel
    def first(x, active, value, is_first):
        i = sm.thread_position_in_grid().x
        if active[i]:
            value[i] = sm.simd_broadcast_first(x[i])
            is_first[i] = sm.simd_is_first()

    for mask in MASKS.values():
        active = np.array([mask(i) for i in range(70)])
        x = np.arange(70, dtype=np.float32) + 0.5
        value, is_first = np.zeros(70, np.float32), np.zeros(70, np.bool_)
        launch(first, x, active, value, is_first, grid=70, threads=70)
        for lanes in lanes_of(70, 70, 32):
            own = [k for k in lanes if active[k]]
            assert all(value[k] == x[own[0]] for k in own)
            assert [k for k in own if is_first[k]] == own[:1]


# --- Votes -----------------------------------------------------------------------------------


SOME_THRESHOLDS = (0, 1, 2, 3, 16, 31, 32, 33)


@functools.cache
def votes_of(family):
    ballot, any_of, all_of = (TABLE[f"{family}_{name}"] for name in ("ballot", "any", "all"))

    @sm.kernel
    def votes(active, limit, masks, some, every):
        i = sm.thread_position_in_grid().x
        lane = sm.thread_index_in_simdgroup()
        if active[i]:
            masks[i] = ballot(lane < limit)
            some[i] = any_of(lane < limit)
            every[i] = all_of(lane < limit)

    return votes


def check_votes(launch, family, threshold, grid, mask):
    active = np.array([mask(i) for i in range(grid)])
    masks = np.zeros(grid, np.uint32)
    some, every = np.zeros(grid, np.bool_), np.zeros(grid, np.bool_)
    launch(votes_of(family), active, threshold, masks, some, every, grid=grid, threads=64)
    for lanes in lanes_of(grid, 64, FAMILIES[family]):
        own = [k for k in lanes if active[k]]
        truths = [k % 32 < threshold for k in own]
        wanted = sum(1 << (k - lanes[0]) for k, t in zip(own, truths, strict=True) if t)
        assert all(masks[k] == wanted for k in own)
        assert all(some[k] == any(truths) for k in own)
        assert all(every[k] == all(truths) for k in own)


@pytest.mark.parametrize("family", FAMILIES)
def test_votes_of_all_threads(launch, family):
    for threshold in range(34):
        check_votes(launch, family, threshold, 32, MASKS["all"])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.divergent
def test_votes_of_the_active_threads(launch, family):
    for threshold in SOME_THRESHOLDS:
        for grid in (1, 32, 50, 64):
            for mask in MASKS.values():
                check_votes(launch, family, threshold, grid, mask)


def test_every_collective_is_tested_here():
    tested = {f"{family}_{name}" for family in FAMILIES for name in (*REDUCTIONS, *SOURCES)}
    tested |= {f"{f}_{name}" for f in FAMILIES for name in ("broadcast", "ballot", "any", "all")}
    tested |= {*PREFIXES, "simd_broadcast_first", "simd_is_first"}
    collectives = {r.name for r in TABLE.values() if r.kind is IntrinsicKind.COLLECTIVE}
    assert collectives == tested


@sm.kernel
def extremes_of_parts(x, out):
    i = sm.thread_position_in_grid().x
    out[0, i] = sm.simd_min(x[i], width=8)
    out[1, i] = sm.simd_max(x[i], width=8)


def test_a_nan_in_a_part_gives_nan_there_alone(launch):
    x = np.arange(48, dtype=np.float32)
    x[[3, 37]] = np.nan, -np.nan
    x[8:16] = -np.inf
    found = np.zeros((2, 48), np.float32)
    launch(extremes_of_parts, x, found, grid=48, threads=48)
    parts = x.reshape(6, 8)
    wanted = np.repeat([parts.min(axis=1), parts.max(axis=1)], 8, axis=1)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["simd_min", "simd_max", "quad_min", "quad_max"])
def test_a_nan_among_the_threads_gives_nan(launch, name):
    x = np.arange(40, dtype=np.float32)
    x[[3, 37]] = np.nan, -np.nan
    found = np.zeros(40, np.float32)
    launch(masked(TABLE[name], sm.float32), x, np.ones(40, bool), found, grid=40, threads=40)
    width = FAMILIES[name[:4]]
    for lanes in lanes_of(40, 40, width):
        assert np.isnan(found[lanes]).all() == np.isnan(x[lanes]).any()


@sm.kernel
def collectives_in_loops(a, out):
    i = sm.thread_position_in_grid().x
    total = 0
    for k in range(a[i]):
        if (i + k) % 3 == 0:
            continue
        total += sm.simd_sum(1)
        if k > 4:
            break
    out[i] = total


@pytest.mark.divergent
def test_collectives_in_divergent_loops(launch):
    a = (np.arange(80) * 7 % 9).astype(np.int32)
    found = np.zeros(80, np.int32)
    launch(collectives_in_loops, a, found, grid=80, threads=80)
    wanted = np.zeros(80, np.int64)
    for lanes in lanes_of(80, 80, 32):
        left = dict.fromkeys(lanes, True)
        for k in range(9):
            here = [i for i in lanes if left[i] and k < a[i] and (i + k) % 3 != 0]
            for i in here:
                wanted[i] += len(here)
                left[i] = k <= 4
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("threads", [(7, 3, 2), (8, 8), (16, 2, 2), (5, 13)], ids=str)
def test_simdgroups_are_runs_of_the_thread_index(launch, threads):
    @sm.kernel
    def total(out):
        x, y, z = sm.thread_position_in_grid()
        size = sm.threads_per_grid()
        place = x + size.x * (y + size.y * z)
        out[place] = sm.simd_sum(place)

    grid = tuple(n * 2 - 1 for n in threads)
    size = (*grid, 1, 1)[:3]
    found = np.zeros(math.prod(size), np.int32)
    launch(total, found, grid=grid, threads=threads)
    wanted = np.zeros_like(found)
    for group in threadgroups_of(grid, threads):
        for simdgroup in simdgroups_of(group):
            places = [
                p.x + size[0] * (p.y + size[1] * p.z)
                for p in (t.thread_position_in_grid for t in simdgroup)
            ]
            wanted[places] = sum(places)
    np.testing.assert_array_equal(found, wanted)


# --- Matrices --------------------------------------------------------------------------------

MATRIX_TYPES = (sm.float16, sm.bfloat16, sm.float32, sm.float64)


def small_matrix(shape, dtype, seed) -> np.ndarray:
    """Integers so small that every sum of products is exact."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype.numpy)


@pytest.mark.parametrize("dtype", MATRIX_TYPES, ids=str)
def test_a_product_of_8_by_8_matrices(launch, dtype):
    @sm.kernel
    def product(a, b, c, out):
        left = sm.simdgroup_load(a, (0, 0))
        right = sm.simdgroup_load(b, (0, 0), transpose=True)
        total = sm.simdgroup_multiply_accumulate(left, right, sm.simdgroup_load(c, (0, 0)))
        sm.simdgroup_store(total, out, (0, 0))
        sm.simdgroup_store(sm.simdgroup_multiply(left, right), out, (8, 0))
        sm.simdgroup_store(sm.simdgroup_matrix(2.5, dtype), out, (0, 8))

    a, b, c = (small_matrix((8, 8), dtype, seed) for seed in range(3))
    out = np.zeros((16, 16), dtype.numpy)
    launch(product, a, b, c, out, grid=32, threads=32)
    plain = a.astype(float) @ b.astype(float).T
    np.testing.assert_array_equal(out[:8, :8].astype(float), plain + c.astype(float))
    np.testing.assert_array_equal(out[8:, :8].astype(float), plain)
    assert (out[:8, 8:].astype(float) == 2.5).all()
    assert (out[8:, 8:].astype(float) == 0).all()


@pytest.mark.parametrize("dtype", MATRIX_TYPES, ids=str)
@pytest.mark.parametrize("strides", ["plain", "transposed", "part"])
def test_a_loop_of_products_is_a_product_of_matrices(launch, dtype, strides):
    @sm.kernel
    def gemm(a, b, c):
        row = sm.threadgroup_position_in_grid().y * 8
        column = sm.threadgroup_position_in_grid().x * 8
        total = sm.simdgroup_matrix(0.0, sm.float32 if dtype != sm.float64 else sm.float64)
        for k in range(0, a.shape[1], 8):
            left = sm.simdgroup_load(a, (row, k))
            right = sm.simdgroup_load(b, (k, column))
            total = sm.simdgroup_multiply_accumulate(left, right, total)
        sm.simdgroup_store(total, c, (row, column))

    a, b = small_matrix((16, 40), dtype, 1), small_matrix((40, 24), dtype, 2)
    if strides == "transposed":
        a, b = a.T.copy().T, b.T.copy().T
    elif strides == "part":
        a, b = np.pad(a, 5)[5:-5, 5:-5], np.repeat(b, 2, axis=1)[:, ::2]
    c = np.zeros((16, 24), np.float64 if dtype is sm.float64 else np.float32)
    launch(gemm, a, b, c, groups=(3, 2), threads=32)
    np.testing.assert_array_equal(c, a.astype(float) @ b.astype(float))


@pytest.mark.parametrize("debug", [0, 2])
@pytest.mark.parametrize("strides", ["plain", "transposed", "of a larger one"])
def test_matrices_of_rows_of_larger_arrays(launch, strides, debug):
    @sm.kernel
    def products(a, b, out):
        batch = sm.threadgroup_position_in_grid().x
        tiles = sm.threadgroup_array((2, 8, 16), sm.float32)
        left, right = sm.simdgroup_load(a[batch], (8, 0)), sm.simdgroup_load(b[batch], (0, -8))
        sm.simdgroup_store(sm.simdgroup_multiply(left, right), tiles[1], (0, 8))
        sm.simdgroup_barrier()
        turned = sm.simdgroup_load(tiles[1], (0, 8), transpose=True)
        sm.simdgroup_store(turned, out[1, batch], (0, 0))

    a, b = small_matrix((3, 16, 8), sm.float32, 6), small_matrix((3, 8, 24), sm.float32, 7)
    out = np.zeros((2, 3, 8, 8), np.float32)
    if strides == "transposed":
        a, b = (x.swapaxes(1, 2).copy().swapaxes(1, 2) for x in (a, b))
    elif strides == "of a larger one":
        a, b = np.pad(a, 3)[3:-3, 3:-3, 3:-3], np.repeat(b, 2, axis=0)[::2]
    launch(products, a, b, out, groups=3, threads=32, debug=debug)
    np.testing.assert_array_equal(out[1], (a[:, 8:] @ b[:, :, 16:]).swapaxes(1, 2))
    assert not out[0].any()


def test_several_simdgroups_of_a_threadgroup_have_their_own_matrices(launch):
    @sm.kernel
    def scaled(a, out):
        which = sm.simdgroup_index_in_threadgroup()
        own = sm.simdgroup_load(a, (which * 8, 0))
        other = sm.simdgroup_matrix(1.0, sm.float32)
        sm.simdgroup_store(sm.simdgroup_multiply(own, other), out, (which * 8, 0))

    a = small_matrix((24, 8), sm.float32, 5)
    out = np.zeros_like(a)
    launch(scaled, a, out, grid=96, threads=96)
    np.testing.assert_array_equal(out, a.reshape(3, 8, 8).sum(axis=2).ravel()[:, None] + 0 * a)


def test_two_names_of_one_matrix_stay_apart(launch):
    """One goes on, the other keeps its value."""

    @sm.kernel
    def kernel(out):
        kept = moved = sm.simdgroup_matrix(1.0, sm.float32)
        for _ in range(2):
            moved = sm.simdgroup_multiply_accumulate(kept, kept, moved)
        sm.simdgroup_store(moved, out, (0, 0))
        sm.simdgroup_store(kept, out, (0, 8))

    out = np.zeros((8, 16), np.float32)
    launch(kernel, out, groups=1, threads=32)
    assert (out[:, :8] == 17).all()
    assert (out[:, 8:] == 1).all()


def test_each_thread_has_the_loop_that_a_vote_gave_it(device):
    """Though it goes through memory, as loops do that a threadgroup may take at once."""

    @sm.kernel
    def sums(a, out):
        i = sm.thread_position_in_grid().x
        n = 0
        if sm.simd_is_first():
            n = 4
        total = 0.0
        for k in range(n):
            total += a[k * 64 + i]
        out[i] = total

    out = sm.zeros(64, device=device)
    sums(sm.ones(256, device=device), out, grid=64, threads=64)
    assert np.asarray(out).nonzero()[0].tolist() == [0, 32]


@sm.kernel
def tiled_product(a, b, c):
    """A product of matrices by 8x8 blocks; the sum lives on over the barriers of a loop."""
    total = sm.simdgroup_matrix(0.0, sm.float32)
    left = sm.threadgroup_array((8, 8), sm.float32)
    t = sm.thread_index_in_threadgroup()
    for k in range(0, a.shape[1], 8):
        for e in range(t, 64, 32):
            left[e // 8, e % 8] = a[e // 8, k + e % 8]
        sm.threadgroup_barrier()
        block = sm.simdgroup_load(left, (0, 0))
        total = sm.simdgroup_multiply_accumulate(block, sm.simdgroup_load(b, (k, 0)), total)
        sm.threadgroup_barrier()
    sm.simdgroup_store(total, c, (0, 0))


@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_matrices_live_on_over_barriers(launch, order):
    """And are stored wherever the strides say."""
    generator = np.random.default_rng(0)
    a = generator.integers(-4, 4, (8, 40)).astype(np.float32)
    b = generator.integers(-4, 4, (40, 8)).astype(np.float32)
    whole = np.zeros((16, 24), np.float32)
    c = {"C": np.zeros((8, 8), np.float32), "F": np.zeros((8, 8), np.float32, "F")}.get(order)
    c = whole[::2, ::3] if c is None else c
    launch(tiled_product, a, b, c, grid=32, threads=32)
    np.testing.assert_array_equal(c, a @ b)
    assert not whole[1::2].any()
