"""Arrays of devices, threadgroups and threads; barriers; strides, types and sizes of all kinds."""

from __future__ import annotations

import math

import numpy as np
import pytest

import speedmetal as sm
from speedmetal import dtypes
from thread_model import threadgroups_of

REAL_TYPES = [dtype for dtype in dtypes.ALL if not dtype.is_complex]
SIZES = [1, 2, 31, 32, 33, 97, 1023, 1025]


@sm.kernel
def copy_1d(a, out):
    i = sm.thread_position_in_grid().x
    out[i] = a[i]


@sm.kernel
def copy_2d(a, out):
    x, y, _ = sm.thread_position_in_grid()
    out[y, x] = a[y, x]


@sm.kernel
def copy_3d(a, out):
    x, y, z = sm.thread_position_in_grid()
    out[z, y, x] = a[z, y, x]


@sm.kernel
def increase(a):
    i = sm.thread_position_in_grid().x
    a[i] += 1


def numbered(shape, dtype=np.float32) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


# --- Device arrays ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_elements_of_every_type_are_copied(launch, dtype, size):
    random = np.random.default_rng(size)
    raw = random.integers(0, 100, size)
    a = (raw + 1j * raw[::-1]).astype(dtype.numpy) if dtype.is_complex else raw.astype(dtype.numpy)
    out = np.zeros_like(a)
    launch(copy_1d, a, out, grid=size)
    np.testing.assert_array_equal(out, a)


VIEWS = {
    "contiguous": lambda a: a,
    "reversed": lambda a: a[::-1, ::-1],
    "transposed": lambda a: a.T.copy().T,
    "every second": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "part": lambda a: np.pad(a, 3)[3:-3, 3:-3],
    "rows reversed": lambda a: a[::-1].copy()[::-1],
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "column": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "Fortran": np.asfortranarray,
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("shape", [(5, 7), (1, 33), (33, 1), (17, 31)], ids=str)
def test_views_are_read_as_numpy_reads_them(launch, view, shape):
    a = VIEWS[view](numbered(shape))
    out = np.zeros(shape, np.float32)
    launch(copy_2d, a, out, grid=shape[::-1])
    np.testing.assert_array_equal(out, a)


@pytest.mark.parametrize("view", [name for name in VIEWS if name not in ("broadcast", "column")])
def test_views_are_written_as_numpy_writes_them(launch, view):
    shape = (5, 7)
    target = VIEWS[view](np.zeros(shape, np.float32))
    a = numbered(shape)
    launch(copy_2d, a, target, grid=shape[::-1])
    np.testing.assert_array_equal(target, a)


@pytest.mark.parametrize("dtype", [sm.int8, sm.float16, sm.float32, sm.float64], ids=str)
@pytest.mark.parametrize("step", [-3, -1, 2, 5])
def test_steps_of_every_width(launch, dtype, step):
    a = numbered(60, dtype.numpy)[::step]
    out = np.zeros(a.size, dtype.numpy)
    launch(copy_1d, a, out, grid=a.size)
    np.testing.assert_array_equal(out, a)


def test_what_lies_between_the_elements_of_a_view_stays(launch):
    whole = np.full((6, 8), -1, np.int32)
    launch(copy_2d, numbered((3, 4), np.int32), whole[::2, ::2], grid=(4, 3))
    wanted = np.full((6, 8), -1, np.int32)
    wanted[::2, ::2] = numbered((3, 4), np.int32)
    np.testing.assert_array_equal(whole, wanted)


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 1, 33), (33, 1, 1), (5, 17, 3)], ids=str)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)], ids=str)
def test_three_axes_in_every_order(launch, shape, order):
    inverse = np.argsort(order)
    a = np.ascontiguousarray(numbered(shape).transpose(order)).transpose(inverse)
    out = np.zeros(shape, np.float32)
    launch(copy_3d, a, out, grid=shape[::-1])
    np.testing.assert_array_equal(out, a)


def test_arrays_of_our_own_are_views_as_well(device):
    a = sm.array(numbered((4, 6)), device=device)
    out = sm.zeros((6, 4), device=device)
    copy_2d(a.T, out, grid=(4, 6))
    np.testing.assert_array_equal(out.numpy(), numbered((4, 6)).T)
    part = sm.zeros((8, 12), device=device)
    copy_2d(a[::-1], part[::2, ::2], grid=(6, 4))
    np.testing.assert_array_equal(part.numpy()[::2, ::2], numbered((4, 6))[::-1])


def test_an_array_of_rank_0(launch):
    @sm.kernel
    def total(a, out):
        out[()] = a[()] * 2

    out = np.zeros((), np.float32)
    launch(total, np.array(21, np.float32), out, grid=1)
    assert out == 42


def test_one_array_may_be_given_twice(launch):
    @sm.kernel
    def shift(a, b):
        i = sm.thread_position_in_grid().x
        b[i] = a[i] * 2 + b[i]

    a = numbered(50, np.int32)
    launch(shift, a, a, grid=50)
    np.testing.assert_array_equal(a, numbered(50) * 3)


def test_arrays_may_overlap(launch):
    """Each thread reads before it writes; the threads do not touch each other's elements."""

    @sm.kernel
    def swap_halves(a, b):
        i = sm.thread_position_in_grid().x
        old = a[i]
        a[i] = b[i]
        b[i] = old

    whole = numbered(64, np.int32)
    launch(swap_halves, whole[:32], whole[32:], grid=32)
    np.testing.assert_array_equal(whole, np.roll(numbered(64), 32))


def test_sizes_of_arrays(launch):
    @sm.kernel
    def sizes(a, b, out):
        out[0], out[1], out[2], out[3] = a.shape[0], a.shape[-1], a.size, a.ndim
        out[4], out[5], out[6] = len(b), b.shape[0], a[0].size
        rows, columns = a.shape
        out[7] = rows * 100 + columns
        out[8] = a[-1, -2]

    out = np.zeros(9, np.int32)
    launch(sizes, numbered((3, 5), np.int32), numbered(7), out, grid=1)
    assert out.tolist() == [3, 5, 15, 2, 7, 7, 5, 305, 13]


def test_rows_are_views(launch):
    def total(row):
        result = row[0]
        for k in range(1, len(row)):
            result += row[k]
        return result

    @sm.kernel
    def row_sums(a, out):
        i = sm.thread_position_in_grid().x
        out[i] = total(a[i])

    a, out = numbered((5, 9)), np.zeros(5, np.float32)
    launch(row_sums, a, out, grid=5)
    np.testing.assert_array_equal(out, a.sum(axis=1))


def test_an_array_beyond_32_bits_is_indexed_with_64(launch, tmp_path, device):
    if device.kind != "cpu":
        pytest.skip("needs host memory that is larger than its file")
    size = 2**31 + 64
    far = np.memmap(tmp_path / "sparse", np.uint8, "w+", shape=(size,))  # takes a few pages
    near = np.zeros(1, np.uint8)

    @sm.kernel
    def ends(a, out):
        i = sm.thread_position_in_grid().x + 2147483647
        a[i + 1] = i % 251
        a[-1] = 9
        out[0] = a[a.size - 1]

    launch(ends, far, near, grid=8)
    wanted = [(2**31 - 1 + k) % 251 for k in range(8)]
    assert far[2**31 : 2**31 + 8].tolist() == wanted
    assert (far[-1], near[0]) == (9, 9)
    assert not far[: 2**16].any()


def test_a_small_grid_is_indexed_with_32_bits(launch):
    @sm.kernel
    def width(out):
        i = sm.thread_position_in_grid().x
        out[i] = 32 if i.dtype == sm.int32 else 64

    out = np.zeros(2, np.int32)
    launch(width, out, grid=2)
    assert out.tolist() == [32, 32]


def test_a_grid_of_no_threads_runs_nothing_whatever_the_kernel_has(launch, capsys):
    @sm.kernel
    def everything(a, empty, count):
        memory = sm.threadgroup_array(count, sm.float32)
        i = sm.thread_index_in_threadgroup()
        memory[i] = a[i]
        sm.threadgroup_barrier()
        print("never", memory[0])  # noqa: T201 - what is tested
        assert count > 5
        a[i] = memory[count - 1 - i]
        empty[i, 0] = 1.0

    a, empty = np.ones(4, np.float32), np.zeros((3, 0), np.float32)
    for count in (4, 0):
        for sizes in ({"grid": empty.shape}, {"groups": 0, "threads": 4}, {"grid": (0, 4)}):
            for debug in (0, 2):
                launch(everything, a, empty, count, **sizes, debug=debug)
    assert a.tolist() == [1] * 4
    assert not capsys.readouterr().out


def test_a_launch_of_no_threads_is_checked_like_any_other(launch):
    @sm.kernel
    def wrong(a):
        a[0] = "text"

    a = np.zeros(0, np.float32)
    with pytest.raises(sm.CompileError, match="text"):
        launch(wrong, a, grid=0)
    with pytest.raises(sm.LaunchError, match="can not take an object"):
        launch(increase, object(), grid=0)


@pytest.mark.parametrize("debug", [0, 1, 2])
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), (2, 0, 4)], ids=str)
def test_threads_may_run_beside_empty_arrays(launch, shape, debug):
    @sm.kernel
    def count(read, written, out):
        i = sm.thread_position_in_grid().x
        out[i] = read.size + 10 * len(written)
        if i < written.size:
            written[i, 0] = out[i]

    written, out = np.zeros((7, 0), np.int8), np.full(3, -1, np.int32)
    for read in (np.zeros(shape, np.int8), np.zeros(shape, np.float32)[::-1].T):
        launch(count, read, written, out, grid=3, debug=debug)
        assert out.tolist() == [70] * 3


def test_an_empty_array_may_be_given_along(launch):
    @sm.kernel
    def lengths(a, out):
        out[0] = a.size

    out = np.full(1, -1, np.int32)
    launch(lengths, np.zeros(0, np.float32), out, grid=1)
    assert out[0] == 0


# --- Thread arrays ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", REAL_TYPES, ids=str)
def test_thread_arrays_of_every_type_with_dynamic_indices(launch, dtype):
    @sm.kernel
    def rotated(a, by, out):
        i = sm.thread_position_in_grid().x
        own = sm.thread_array((2, 3), dtype)
        for k in range(6):
            own[k // 3, k % 3] = a[i, k]
        for k in range(6):
            m = (k + by[i]) % 6
            out[i, k] = own[m // 3, m % 3]

    a = np.random.default_rng(2).integers(0, 2, (40, 6)).astype(dtype.numpy)
    if not dtype.is_bool:
        a = np.random.default_rng(2).integers(0, 100, (40, 6)).astype(dtype.numpy)
    by = (np.arange(40) * 7 % 5).astype(np.int32)
    out = np.zeros_like(a)
    launch(rotated, a, by, out, grid=40)
    wanted = np.stack([np.roll(row, -shift) for row, shift in zip(a, by, strict=True)])
    np.testing.assert_array_equal(out, wanted)


def test_thread_arrays_live_across_barriers(launch):
    @sm.kernel
    def kept(out):
        i = sm.thread_position_in_grid().x
        own = sm.thread_array((3,), sm.int32)
        for k in range(3):
            own[k] = i * k
        sm.threadgroup_barrier()
        own[i % 3] += 1000
        sm.threadgroup_barrier()
        out[i] = own[0] + own[1] + own[2]

    out = np.zeros(77, np.int32)
    launch(kept, out, grid=77, threads=20)
    np.testing.assert_array_equal(out, np.arange(77) * 3 + 1000)


# --- Threadgroup arrays and barriers ---------------------------------------------------------


@pytest.mark.parametrize("dtype", REAL_TYPES, ids=str)
def test_a_threadgroup_is_reversed_through_shared_memory(launch, dtype):
    @sm.kernel
    def reverse(a, b, out_a, out_b):
        i = sm.thread_position_in_grid().x
        lane = sm.thread_position_in_threadgroup().x
        count = sm.threads_per_threadgroup().x
        first = sm.threadgroup_array((256,), dtype)
        second = sm.threadgroup_array((256,), dtype)
        first[lane] = a[i]
        second[lane] = b[i]
        sm.threadgroup_barrier()
        out_a[i] = first[count - 1 - lane]
        out_b[i] = second[count - 1 - lane]

    random = np.random.default_rng(4)
    for threads in (1, 5, 32, 33, 256):
        size = threads * 2 + threads // 2 + 1
        a, b = random.integers(0, 2 if dtype.is_bool else 100, (2, size)).astype(dtype.numpy)
        found = np.zeros((2, size), dtype.numpy)
        launch(reverse, a, b, found[0], found[1], grid=size, threads=threads)
        for start in range(0, size, threads):
            part = slice(start, min(start + threads, size))
            np.testing.assert_array_equal(found[0, part], a[part][::-1])
            np.testing.assert_array_equal(found[1, part], b[part][::-1])


def gaussian_integers(dtype: dtypes.DType, *shape: int, seed: int = 0) -> np.ndarray:
    """Complex numbers whose sums and products are exact."""
    parts = np.random.default_rng(seed).integers(-8, 9, (2, *shape))
    return (parts[0] + 1j * parts[1]).astype(dtype.numpy)


@sm.kernel
def twiddled(z, w, size):
    """Complex elements in memory of a constant size, of one known at launch, and of each thread."""
    i = sm.thread_position_in_threadgroup().x
    fixed = sm.threadgroup_array((2, 64), z.dtype)
    sized = sm.threadgroup_array(size, z.dtype)
    own = sm.thread_array((3, 2), z.dtype)
    fixed[i % 2, i] = z[i]
    sized[63 - i] = w[i]
    sm.threadgroup_barrier()
    j = (i + 1) % 64
    own[0, 0], own[0, 1] = fixed[j % 2, j], 2
    own[i % 3, 1] = sized[j].conjugate()
    own[i % 3, 1] *= own[0, 0] + 1j
    sm.threadgroup_barrier()
    z[i] = own[i % 3, 1] + own[0, i % 2]
    w[i] = abs(own[0, 0]) if own[0, 1] == 2 else own[0, 1].real


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=str)
def test_complex_numbers_in_memory_of_threadgroups_and_threads(launch, dtype):
    z, w = gaussian_integers(dtype, 64, seed=1), gaussian_integers(dtype, 64, seed=2)
    i = np.arange(64)
    first = np.roll(z, -1)
    product = np.roll(w[::-1], -1).conj() * (first + 1j)
    zero = i % 3 == 0
    second = np.where(zero, product, 2)
    wanted = product + np.where(i % 2, second, first)
    size = np.where(second == 2, np.abs(first), second.real)
    launch(twiddled, z, w, 64, groups=1, threads=64)
    np.testing.assert_array_equal(z, wanted)
    np.testing.assert_allclose(w, size, rtol=1e-6)


@sm.kernel
def fourier_transform(z, count):
    """Each threadgroup transforms a row by butterflies (J. W. Cooley and J. W. Tukey, 1965)."""
    i = sm.thread_position_in_threadgroup().x
    row = sm.threadgroup_position_in_grid().x
    near, far = sm.threadgroup_array(128, z.dtype), sm.threadgroup_array(128, z.dtype)
    near[i], near[i + 64] = z[row, i], z[row, i + 64]
    for level in range(7):
        sm.threadgroup_barrier()
        half = 1 << level
        k = i % half
        turn = complex(math.cos(-math.pi * k / half), math.sin(-math.pi * k / half))
        a, b = near[i], turn * near[i + 64]
        place = 2 * i - k
        far[place], far[place + half] = a + b, a - b
        near, far = far, near
    sm.threadgroup_barrier()
    z[row, i], z[row, i + 64] = near[i], near[i + 64]


@pytest.mark.parametrize("dtype", dtypes.COMPLEX, ids=str)
def test_fourier_transform_in_threadgroup_memory(launch, dtype):
    z = gaussian_integers(dtype, 3, 128)
    wanted = np.fft.fft(z.astype(complex))
    launch(fourier_transform, z, 128, groups=3, threads=64)
    unit = np.finfo(dtype.numpy).eps
    np.testing.assert_allclose(z, wanted, rtol=100 * unit, atol=1000 * unit)


def swapped_in_a_constant_range(a, b, n):
    for turn in range(3):
        for k in range(n):
            b[k] = a[k] + (turn + 1) * a[k - 1 if k else 3]
        a, b = b, a
    a[0] += 100


def swapped_in_a_static_range(a, b, n):
    for turn in sm.static_range(4):
        if turn == 1:
            continue
        b[0], a[n - 1] = 2 * a[1], b[2] + turn
        a, b = b, a
    b[3] = 7


@pytest.mark.parametrize(
    "function",
    [swapped_in_a_constant_range, swapped_in_a_static_range],
    ids=lambda f: f.__name__,
)
def test_arrays_change_their_names(launch, function, monkeypatch):
    """Names are swapped as in Python, which runs the function on the same arrays."""
    found = numbered(4) + 1, numbered(4) * 2
    wanted = tuple(array.copy() for array in found)
    launch(sm.kernel(function), *found, 4, grid=1)
    monkeypatch.setattr(sm, "static_range", range)
    function(*wanted, 4)
    np.testing.assert_array_equal(found, wanted)


@sm.kernel
def smoothed(a, turns):
    i = sm.thread_position_in_threadgroup().x
    both = sm.threadgroup_array((2, 64), sm.float32)
    near, far = both[0], both[1]
    near[i] = a[i]
    sm.threadgroup_barrier()
    for _ in range(turns):
        far[i] = near[i] + near[(i + 1) % 64]
        sm.threadgroup_barrier()
        near, far = far, near
    a[i] = near[i]


@pytest.mark.parametrize("turns", [0, 1, 4])
def test_rows_of_one_array_change_places_in_running_loops(launch, turns):
    a = np.arange(64, dtype=np.float32) % 5
    wanted = a.copy()
    for _ in range(turns):
        wanted = wanted + np.roll(wanted, -1)
    launch(smoothed, a, turns, groups=1, threads=64)
    np.testing.assert_array_equal(a, wanted)


@sm.kernel
def tree_sum(a, out):
    i = sm.thread_position_in_grid().x
    lane = sm.thread_position_in_threadgroup().x
    count = sm.threads_per_threadgroup().x
    shared = sm.threadgroup_array((1024,), sm.int32)
    shared[lane] = a[i]
    sm.threadgroup_barrier()
    step = 1
    while step < count:
        if lane % (2 * step) == 0 and lane + step < count:
            shared[lane] += shared[lane + step]
        sm.threadgroup_barrier()
        step *= 2
    if lane == 0:
        out[sm.threadgroup_position_in_grid().x] = shared[0]


@pytest.mark.parametrize("threads", [1, 7, 32, 100, 1024])
@pytest.mark.parametrize("level", [0, 2])
def test_barriers_in_loops(launch, threads, level):
    a = np.random.default_rng(6).integers(-50, 50, 1500).astype(np.int32)
    groups = -(-a.size // threads)
    out = np.zeros(groups, np.int32)
    launch(tree_sum, a, out, grid=a.size, threads=threads, debug=level)
    wanted = [a[k : k + threads].sum() for k in range(0, a.size, threads)]
    assert out.tolist() == wanted


@sm.kernel
def barriers_in_branches(mode, out):
    i = sm.thread_position_in_grid().x
    lane = sm.thread_position_in_threadgroup().x
    count = sm.threads_per_threadgroup().x
    shared = sm.threadgroup_array((64,), sm.int32)
    value = i * 3
    kept = i + 1000
    shared[lane] = value
    if mode > 0:
        sm.threadgroup_barrier()
        value = shared[(lane + 1) % count]
        if mode > 1:
            sm.threadgroup_barrier()
            shared[lane] = value + 1
            sm.threadgroup_barrier()
            value += shared[(lane + 2) % count]
        kept += 1
    else:
        value = -1
        sm.threadgroup_barrier()
    for turn in range(mode):
        if turn == 3:
            break
        sm.threadgroup_barrier()
        shared[lane] = value + turn
        sm.threadgroup_barrier()
        if turn == 1:
            continue
        value = shared[(lane + turn + 1) % count]
    out[i] = value + kept


def barrier_model(mode, group):
    count = len(group)
    places = [t.thread_position_in_grid.x for t in group]
    values, kept = [p * 3 for p in places], [p + 1000 for p in places]
    if mode > 0:
        values = [values[(k + 1) % count] for k in range(count)]
        if mode > 1:
            values = [values[k] + values[(k + 2) % count] + 1 for k in range(count)]
        kept = [k + 1 for k in kept]
    else:
        values = [-1] * count
    for turn in range(min(mode, 3)):
        if turn != 1:
            values = [values[(k + turn + 1) % count] + turn for k in range(count)]
    return [v + k for v, k in zip(values, kept, strict=True)]


@pytest.mark.parametrize("mode", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("threads", [1, 16, 33])
def test_barriers_in_branches_and_variables_across_them(launch, mode, threads):
    out = np.zeros(100, np.int32)
    launch(barriers_in_branches, mode, out, grid=100, threads=threads)
    wanted = [v for group in threadgroups_of(100, threads) for v in barrier_model(mode, group)]
    assert out.tolist() == wanted


def test_a_return_behind_a_barrier_ends_its_threadgroup_alone(launch):
    """The next threadgroup starts from the beginning."""

    @sm.kernel
    def returning(out, limits):
        i = sm.thread_position_in_grid().x
        for turn in range(6):
            sm.threadgroup_barrier("device")
            if turn >= limits[sm.threadgroup_position_in_grid().x]:
                return
            out[i] += 1
        out[i] = -1

    out = np.zeros(60, np.int32)
    launch(returning, out, np.array([2, 9, 0], np.int32), grid=60, threads=20)
    np.testing.assert_array_equal(out, np.repeat([2, -1, 0], 20))


@sm.kernel
def shifted(a, turns):
    """A barrier in a loop whose condition comes from memory."""
    i = sm.thread_index_in_threadgroup()
    done = 0
    while done < turns[0]:
        value = a[(i + 1) % a.size]
        sm.threadgroup_barrier(memory="device")
        a[i] = value
        sm.threadgroup_barrier(memory="device")
        done += 1


@pytest.mark.parametrize("level", [0, 1, 2])
def test_no_thread_goes_round_a_loop_before_the_others(launch, level):
    """Whole vectors, and threads left over."""
    for threads in (1, 8, 16, 33, 100):
        a = np.arange(threads, dtype=np.int32)
        launch(shifted, a, np.array([3], np.int32), grid=threads, threads=threads, debug=level)
        np.testing.assert_array_equal(a, (np.arange(threads) + 3) % threads)


def test_a_barrier_that_not_all_threads_reach_is_an_error(launch):
    @sm.kernel
    def divergent(out):
        i = sm.thread_position_in_grid().x
        if i > 3:
            sm.threadgroup_barrier()
        out[i] = i

    with pytest.raises(sm.CompileError, match="every thread of a threadgroup must reach"):
        launch(divergent, np.zeros(8, np.int32), grid=8)


@sm.kernel
def sized_at_launch(a, width, out):
    i = sm.thread_position_in_grid().x
    lane = sm.thread_position_in_threadgroup().x
    shared = sm.threadgroup_array((width, sm.threads_per_threadgroup().x), sm.float32)
    for row in range(width):
        shared[row, lane] = a[i] * row
    sm.threadgroup_barrier()
    total = sm.float32(0)
    for row in range(width):
        total += shared[row, sm.threads_per_threadgroup().x - 1 - lane]
    out[i] = total


@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("threads", [5, 32, 40])
def test_threadgroup_arrays_sized_at_launch(launch, width, threads):
    a = numbered(threads * 3)
    out = np.zeros_like(a)
    launch(sized_at_launch, a, width, out, grid=a.size, threads=threads)
    wanted = a.reshape(3, threads)[:, ::-1].ravel() * sum(range(width))
    np.testing.assert_array_equal(out, wanted)


def test_a_tile_is_transposed(launch):
    tile = 8

    @sm.kernel
    def transpose(a, out):
        x, y, _ = sm.thread_position_in_threadgroup()
        group = sm.threadgroup_position_in_grid()
        shared = sm.threadgroup_array((tile, tile + 1), sm.float32)
        shared[y, x] = a[group.y * tile + y, group.x * tile + x]
        sm.threadgroup_barrier()
        out[group.x * tile + y, group.y * tile + x] = shared[x, y]

    a = numbered((24, 40))
    out = np.zeros((40, 24), np.float32)
    launch(transpose, a, out, grid=(40, 24), threads=(tile, tile))
    np.testing.assert_array_equal(out, a.T)


def test_a_barrier_of_device_memory(launch):
    @sm.kernel
    def through_the_device(a):
        i = sm.thread_position_in_grid().x
        count = sm.threads_per_threadgroup().x
        a[i] = i
        sm.threadgroup_barrier("device")
        other = a[count - 1 - i]
        sm.threadgroup_barrier(memory="all")
        a[i] = other

    a = np.zeros(200, np.int32)
    launch(through_the_device, a, grid=200, threads=200)
    np.testing.assert_array_equal(a, np.arange(200)[::-1])


def test_a_tiled_product_of_matrices(launch):
    tile = 4

    @sm.kernel
    def matmul(a, b, c):
        x, y, _ = sm.thread_position_in_grid()
        inner = sm.thread_position_in_threadgroup()
        left = sm.threadgroup_array((tile, tile), sm.float32)
        right = sm.threadgroup_array((tile, tile), sm.float32)
        total = 0.0
        for start in range(0, a.shape[1], tile):
            inside_a = y < a.shape[0] and start + inner.x < a.shape[1]
            left[inner.y, inner.x] = a[y, start + inner.x] if inside_a else 0.0
            inside_b = start + inner.y < b.shape[0] and x < b.shape[1]
            right[inner.y, inner.x] = b[start + inner.y, x] if inside_b else 0.0
            sm.threadgroup_barrier()
            for k in sm.static_range(tile):
                total += left[inner.y, k] * right[k, inner.x]
            sm.threadgroup_barrier()
        if y < c.shape[0] and x < c.shape[1]:
            c[y, x] = total

    random = np.random.default_rng(1)
    a = random.integers(-4, 5, (10, 7)).astype(np.float32)
    b = random.integers(-4, 5, (7, 9)).astype(np.float32)
    c = np.zeros((10, 9), np.float32)
    launch(matmul, a, b, c, grid=(12, 12), threads=(tile, tile))
    np.testing.assert_array_equal(c, a @ b)
