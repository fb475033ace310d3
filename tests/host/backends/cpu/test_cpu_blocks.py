"""Loads of transposed arrays, taken in blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from cpu_programs import prepare_kernel
from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.codegen.decisions.transposes import transposed_loads


@sm.kernel
def shifted_sum(a, b, out, down):
    x, y, z = sm.thread_position_in_grid()
    row = x + down
    out[z, y, x] = a[z, y + 1, row] * 100 + b[y, x]


@sm.kernel
def in_place(a, out):
    x, y, _ = sm.thread_position_in_grid()
    out[y, x] = a[y, x] + 1


@sm.kernel
def after_a_store(a, out, last):
    x, y, _ = sm.thread_position_in_grid()
    out[y, x] = 5
    last[y, x] = a[y, x]


@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 70), st.integers(1, 70)),
    threads=st.sampled_from([None, (16, 16), (32, 32), (17, 20), (64, 2), (16, 20, 2)]),
    name=st.sampled_from(["int8", "float16", "int32", "float64"]),
)
def test_blocks_and_what_is_left_of_them_are_loaded_right(sizes, threads, name):
    z, y, x = sizes
    base = (np.arange(z * (x + 3) * (y + 1)) % 97).astype(name).reshape(z, x + 3, y + 1)
    a, b = base.transpose(0, 2, 1), (np.arange(x * y) % 50).astype(name).reshape(y, x)
    out = np.full((z, y, x + 40), -1, name)
    shifted_sum(a, b, out[:, :, :x], 2, grid=(x, y, z), threads=threads)
    with np.errstate(over="ignore"):
        wanted = a[:, 1 : y + 1, 2 : x + 2] * np.asarray(100, name) + b
    assert (out[:, :, :x] == wanted).all()
    assert (out[:, :, x:] == -1).all()


def test_every_thread_may_write_where_it_has_read():
    a = np.arange(40 * 50, dtype=np.int32).reshape(40, 50)
    wanted = a + 1
    in_place(a.T, a.T, grid=(40, 50))
    assert (a == wanted).all()


def test_what_was_stored_before_is_loaded():
    a = np.zeros((40, 50), np.int32)
    last = np.zeros((50, 40), np.int32)
    after_a_store(a.T, a.T, last, grid=(40, 50))
    assert (last == 5).all()


def transposed(index_of, *, guarded: bool = False, debug: int = 0, before: bool = False) -> int:
    """How many loads ``a[index_of(x, y)]`` of a transposed array are taken in blocks."""
    b = Builder("k", debug=debug)
    a, out = b.array("a", d.float32, rank=2, unit_axis=0), b.array("out", d.float32, rank=2)
    x, y = (b.let(n, b.position("thread_position_in_grid", k)) for k, n in enumerate("xy"))
    if before:
        b.emit(b.store(out, [y, x], 1.0))
    store = b.store(out, [y, x], b.load(a, *index_of(b, x, y)))
    b.emit(b.when(b.compare("gt", x, 3), [store]) if guarded else store)
    return len(transposed_loads(prepare_kernel(b.kernel())))


def test_which_loads_are_taken_in_blocks():
    assert transposed(lambda b, x, y: (y, x)) == 1
    assert transposed(lambda b, x, y: (b.add(y, 1), x)) == 1
    assert transposed(lambda b, x, y: (x, y)) == 0  # neighbours along x
    assert transposed(lambda b, x, y: (b.multiply(y, 2), x)) == 0
    assert transposed(lambda b, x, y: (b.add(y, x), x)) == 0
    assert transposed(lambda b, x, y: (y, b.multiply(x, 2))) == 0
    assert transposed(lambda b, x, y: (y, 3)) == 0


def test_loads_that_not_every_thread_makes_first_are_not():
    assert transposed(lambda b, x, y: (y, x), guarded=True) == 0
    assert transposed(lambda b, x, y: (y, x), before=True) == 0


def test_threadgroups_of_such_kernels_are_blocks():
    cpu = sm.device("cpu")
    b = Builder("k")
    a, out = b.array("a", d.float32, rank=2, unit_axis=0), b.array("out", d.float32, rank=2)
    x, y = (b.let(n, b.position("thread_position_in_grid", k)) for k, n in enumerate("xy"))
    b.emit(b.store(out, [y, x], b.load(a, y, x)))
    threads = cpu.suitable_threads(prepare_kernel(b.kernel()))
    assert threads is not None
    assert threads[0] % 16 == 0 == threads[1] % 16


@pytest.mark.parametrize("threads", [None, (64, 16)])
def test_a_transposed_sum_of_large_arrays(threads):
    a = np.random.default_rng(0).random((333, 257), np.float32)
    out = np.zeros((257, 333), np.float32)
    in_place(a.T, out, grid=(333, 257), threads=threads)
    assert (out == a.T + 1).all()


@sm.kernel
def width_of_group(x, out):
    i = sm.thread_position_in_grid().x
    total = 0.0
    for row in range(x.shape[0]):
        total += x[row, i]
    out[i] = total * 0.0 + sm.threads_per_threadgroup().x


def test_long_rows_are_chosen_only_where_there_is_work_for_all_cores():
    cpu = sm.device("cpu")
    for size in (1 << 12, 1 << 20):
        out = np.zeros(size, np.float32)
        width_of_group(np.zeros((3, size), np.float32), out, grid=size)
        busy = size // 1024 >= cpu.fewest_groups
        assert out[0] == (1024 if busy else 256)
    width_of_group(np.zeros((3, 1 << 20), np.float32), out, grid=1 << 20, threads=128)
    assert out[0] == 128
