"""The graph of lazy operations: what is computed, when, and what of writes it sees."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.deferred import graph, pending, schedule
from speedmetal.dtypes import COMPLEX
from speedmetal.errors import UserInputError
from speedmetal.frontend.structure import Structure, ordered_nodes


def is_lazy(array: sm.Array) -> bool:
    return array.pending is not None


def numbers(*shape: int) -> sm.Array:
    return sm.array(np.arange(np.prod(shape), dtype="f4").reshape(shape))


# --- When memory is made -------------------------------------------------------------------------


def test_operations_make_no_memory():
    """Proves that building a graph allocates nothing, and that a value makes one array."""
    a = numbers(1 << 20)
    gc.collect()  # what other tests have left must not go in between
    before = sm.memory_info().bytes_in_use
    y = sm.sqrt(2 * a + 1) - a
    assert sm.memory_info().bytes_in_use <= before
    sm.eval(y)
    assert not is_lazy(y)
    assert before < sm.memory_info().bytes_in_use <= before + y.nbytes


def test_one_expression_is_one_kernel(monkeypatch):
    """Proves that ten operations are computed by one launch."""
    launched = []
    monkeypatch.setattr(schedule, "compute", lambda a: launched.append(a) or compute(a))
    from speedmetal.arrays.deferred.computing import compute

    a = numbers(100)
    y = a
    for _ in range(10):
        y = y * 1.5 + 1.0
    schedule.evaluate_one(y)
    assert len(launched) == 1


@pytest.mark.parametrize(
    "ask", [repr, bool, float, int, sm.Array.item, sm.Array.tolist, np.asarray]
)
def test_values_are_computed_when_they_are_asked_for(ask):
    x = numbers(2)[1:] + 1
    y = x.reshape(()) * 2 if ask in (bool, float, int, sm.Array.item) else x * 2
    ask(y)
    assert not is_lazy(y)


def test_an_element_is_read_without_the_rest():
    """Proves that indexing pushes the index down: the whole stays lazy."""
    a = numbers(100, 100)
    whole = sm.exp(-a) + a.T
    assert float(whole[3, 4]) == pytest.approx(np.exp(-304.0) + 403.0)
    assert whole[:2, :2].tolist()[1][0] == pytest.approx(np.exp(-100.0) + 1)
    assert is_lazy(whole)
    repr(whole)
    assert is_lazy(whole)  # it has 10,000 elements, of which 36 are shown


def test_what_is_costly_and_read_twice_is_stored_once():
    a = numbers(10)
    x = sm.exp(a)
    y, z = x + 1, x * 2
    assert z.leaves[0] is x
    sm.eval(z)
    assert not is_lazy(x)
    assert is_lazy(y)
    cheap = a + 1
    p, q = cheap + 1, cheap * 2
    sm.eval(p, q)
    assert is_lazy(cheap)


def test_shared_parts_are_computed_together():
    """Proves that several outputs come of one kernel, with the values of each alone."""
    a = numbers(7, 5)
    x = sm.sqrt(a)
    outputs = [x + 1, x * a, a > 3, x.astype(sm.float16)]
    alone = [np.asarray(o) for o in (sm.sqrt(a) + 1, sm.sqrt(a) * a, a > 3)]
    sm.eval(outputs)
    for output, expected in zip(outputs, alone, strict=False):
        np.testing.assert_array_equal(output.numpy(), expected)
    np.testing.assert_array_equal(outputs[3].numpy(), np.sqrt(a.numpy()).astype("f2"))


def test_a_loop_that_nobody_asks_is_cut():
    """Proves that 100,000 operations neither overflow the stack nor make one large kernel, and that
    the graph does not grow."""
    x = start = sm.zeros(4)
    for _ in range(100_000):
        x = x + 1.0
        assert x.pending is not None
    assert len(ordered_nodes(x.pending)) <= 2 * 128
    assert x.tolist() == [100_000.0] * 4
    assert start.tolist() == [0.0] * 4


def test_many_leaves_are_cut():
    arrays = [sm.full(3, float(k)) for k in range(100)]
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    assert len([x for x in total.leaves if isinstance(x, sm.Array)]) <= 24
    assert total.tolist() == [4950.0] * 3


def test_the_same_loop_compiles_nothing_again():
    def turn(x: sm.Array) -> sm.Array:
        y = x * 0.5 + 1.0
        sm.eval(y)
        return y

    x = turn(turn(numbers(50)))
    known = dict(graph._recipes)
    for _ in range(5):
        x = turn(x)
    assert graph._recipes.keys() == known.keys()


def test_the_noted_are_forgotten_when_they_are_gone():
    a = numbers(4)
    for _ in range(10_000):
        sm.eval(a * 2.0)
    assert len(pending.WAITING) < 5000


# --- Views and writes ----------------------------------------------------------------------------


def test_writing_computes_what_reads_the_memory():
    a = numbers(4)
    y, z = a * 2, a[1:] + a[:-1]
    a[1] = 100
    assert not is_lazy(y)
    assert y.tolist() == [0, 2, 4, 6]
    assert z.tolist() == [1, 3, 5]


def test_writing_elsewhere_computes_nothing():
    a = numbers(10)
    y = a[:5] * 2
    a[5:] = 0
    assert is_lazy(y)


def test_views_of_what_is_lazy_share_its_memory():
    x = numbers(3, 4) + 1
    row, column = x[1], x.T[2]
    assert is_lazy(row)
    row[0] = 50
    x[1, 2] = 70
    column[0] = 90
    assert x.tolist() == [[1, 2, 90, 4], [50, 6, 70, 8], [9, 10, 11, 12]]
    assert row.tolist() == [50, 6, 70, 8]
    assert column.tolist() == [90, 70, 11]


def test_views_of_views_of_what_is_lazy():
    x = numbers(4, 6) * 2
    v = x[::2].T[::-1].reshape(3, 2, 2)[1]
    expected = (np.arange(24.0).reshape(4, 6) * 2)[::2].T[::-1].reshape(3, 2, 2)[1]
    assert (v + 0).tolist() == expected.tolist()


def test_in_place_operations_keep_older_values():
    a = numbers(4)
    view, older = a[1:], a * 10
    a += 1
    a *= a
    assert a.tolist() == [1, 4, 9, 16]
    assert view.tolist() == [4, 9, 16]
    assert older.tolist() == [0, 10, 20, 30]
    b = numbers(4)
    b[1:] += b[:-1]
    assert b.tolist() == [0, 1, 3, 5]


@pytest.mark.parametrize(
    "write",
    [
        lambda m: m.__setitem__(slice(None), m.T),
        lambda m: m.__setitem__(slice(1, None), m[:-1] + m[1:]),
        lambda m: m.__setitem__(slice(None), m[::-1] * 2),
        lambda m: m.__setitem__(slice(None), m * 2 + m.T),
        lambda m: m.__iadd__(m.T),
        lambda m: m.__imul__(m[:, ::-1]),
    ],
)
def test_what_is_written_is_what_the_value_was(write):
    host = np.arange(4096.0 * 9, dtype="f4").reshape(192, 192)
    device = sm.array(host)
    write(host)
    write(device)
    np.testing.assert_array_equal(device.numpy(), host)


def test_kernels_write_behind_what_waits():
    @sm.kernel
    def bump(x, y):
        i = sm.thread_position_in_grid().x
        x[i] += y[i]

    a = numbers(5)
    older, lazy = a + 1, a * 3
    bump(a, lazy, grid=5)
    assert a.tolist() == [0, 4, 8, 12, 16]
    assert older.tolist() == [1, 2, 3, 4, 5]
    target = a * 1
    bump(target, a, grid=5)  # a kernel that writes to a lazy array gets its memory
    assert target.tolist() == [0, 8, 16, 24, 32]
    again = a * 1
    bump(again, a, grid=5)
    assert again.tolist() == [0, 8, 16, 24, 32]


def test_kernels_read_costly_elements_from_memory_where_they_read_them_again():
    """Which ones do is seen by their code, and by how many threads there are for the elements."""

    @sm.kernel
    def product(c, a, b):
        column, row, _ = sm.thread_position_in_grid()
        total = 0.0
        for k in range(a.shape[1]):
            total += a[row, k] * b[k, column]
        c[row, column] = total

    @sm.kernel
    def row_sums(c, a):
        row = sm.thread_position_in_grid().x
        total = 0.0
        for k in range(a.shape[1]):
            total += a[row, k]
        c[row] = total

    @sm.kernel
    def smooth(c, a):
        i = sm.thread_position_in_grid().x
        c[i] = a[i] + a[i + 1] + a[i + 2]

    @sm.kernel
    def pairs(c, a):
        i = sm.thread_position_in_grid().x
        c[i] = a[2 * i] + a[2 * i + 1]

    a = sm.array(np.linspace(0, 1, 256, dtype="f4").reshape(16, 16))
    host = np.exp(np.sin(a.numpy()))
    for _ in range(2):
        costly, cheap = sm.exp(sm.sin(a)), a * 2
        result = sm.zeros((16, 16))
        product(result, costly, cheap, grid=(16, 16))
        assert (is_lazy(costly), is_lazy(cheap)) == (False, True)
        np.testing.assert_allclose(result.numpy(), host @ (2 * a.numpy()), rtol=1e-5)
    costly, result = sm.exp(sm.sin(a)), sm.zeros(16)
    row_sums(result, costly, grid=16)
    assert is_lazy(costly)  # each element was read once
    np.testing.assert_allclose(result.numpy(), host.sum(axis=1), rtol=1e-5)
    line, flat = a.reshape(-1), host.reshape(-1)
    costly, result = sm.exp(sm.sin(line)), sm.zeros(254)
    smooth(result, costly, grid=254)
    assert not is_lazy(costly)
    np.testing.assert_allclose(result.numpy(), flat[:-2] + flat[1:-1] + flat[2:], rtol=1e-5)
    costly, result = sm.exp(sm.sin(line)), sm.zeros(128)
    pairs(result, costly, grid=128)
    assert is_lazy(costly)
    np.testing.assert_allclose(result.numpy(), flat[::2] + flat[1::2], rtol=1e-5)


def test_two_names_of_one_memory():
    host = np.zeros(4, "f4")
    one, other = sm.asarray(host), sm.asarray(host)
    y = one + 1
    other[0] = 5
    assert y.tolist() == [1, 1, 1, 1]


# --- Results -------------------------------------------------------------------------------------


def test_results_lie_as_their_operands():
    a, b = numbers(3, 4), numbers(4, 3)
    assert (a.T * 2).strides == (4, 16)
    assert (a.T + b).strides == (4, 16)
    assert (a[:, ::-1] + 1).strides == (16, 4)
    assert (a + sm.ones(4)).strides == (16, 4)
    np.testing.assert_array_equal((a.T + b).numpy(), a.numpy().T + b.numpy())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lambda a, i: a + 1, "f4"),
        (lambda a, i: i + 1, "i4"),
        (lambda a, i: i * 1.5, "f4"),
        (lambda a, i: i / i, "f4"),
        (lambda a, i: a + i, "f4"),
        (lambda a, i: i > 2, "?"),
        (lambda a, i: a.astype("f16") * 2.0, "f2"),
        (lambda a, i: i + np.float32(1), "f4"),
        (lambda a, i: True + i, "i4"),
        (lambda a, i: i.astype(sm.int64) + 2**40, "i8"),
    ],
)
def test_dtypes_of_results(given, expected):
    found = given(numbers(3), sm.arange(3))
    assert isinstance(found.pending, Structure)
    assert found.dtype == expected


def test_numbers_keep_their_values_apart():
    """Proves that a structure that is shared does not share its numbers."""
    a = numbers(3)
    x, y = a * 2.0, a * 3.0
    assert x.pending is y.pending
    assert x.tolist() == [0, 2, 4]
    assert y.tolist() == [0, 3, 6]
    assert (a * 1e300).tolist() == [pytest.approx(np.nan, nan_ok=True), np.inf, np.inf]


def test_what_does_not_go_together_is_told():
    with pytest.raises(UserInputError, match=r"add: the shapes \(3,\) and \(4,\) do not go"):
        numbers(3) + numbers(4)
    with pytest.raises(UserInputError, match="300 does not fit into uint8"):
        sm.ones(3, "u8") + 300
    with pytest.raises(UserInputError, match="on cpu and metal-sim"):
        numbers(3) + sm.ones(3, device="metal-sim")
    with pytest.raises(TypeError):
        numbers(3) + "x"
    with pytest.raises(UserInputError, match="in place"):
        numbers(3).__iadd__(numbers(2, 3))
    integers = sm.arange(3)
    with pytest.raises(UserInputError, match=r"divide of int32 gives float32"):
        integers /= 2
    floats = sm.ones(3)
    with pytest.raises(UserInputError, match=r"add of float32 gives complex64"):
        floats += 1j
    with pytest.raises(UserInputError, match="read-only"):
        sm.zeros(1).broadcast_to(3).__iadd__(1)
    with pytest.raises(UserInputError, match="eval takes arrays"):
        sm.eval(1)


@pytest.mark.parametrize("dtype", COMPLEX, ids=str)
def test_complex_numbers_are_computed_lazily(dtype):
    z = sm.array(np.array([0.5 - 1j, 0, 2j]), dtype=dtype)
    big = z.broadcast_to((5000, 3))
    host = big.numpy().copy()
    assert (big * 2j).dtype == (2.5 + big).dtype == sm.exp(big).dtype == dtype
    assert (big * sm.float64(2)).dtype == (big * sm.ones(3, "f64")).dtype == sm.complex128
    np.testing.assert_array_equal((big + 1).astype("f32").numpy(), (host + 1).real)
    np.testing.assert_array_equal((big * 2).astype(bool).numpy(), host != 0)
    near = 4 * np.finfo(dtype.numpy).eps
    np.testing.assert_allclose(sm.exp(big * 2).numpy(), np.exp(host * 2), rtol=near)
    z += 1.5
    np.testing.assert_array_equal(z.numpy(), host[0] + 1.5)


def test_threads_share_lazy_arrays():
    """Proves that one memory is made, whichever thread asks first."""
    for _ in range(50):
        x = numbers(1000) * 2
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda array: array.address, [x] * 4))
        assert len(set(found)) == 1
        assert x[999].item() == 1998


def test_an_array_of_numpy_is_an_operand():
    a, host = numbers(3), np.ones(3, "f4")
    for y in (a + host, host + a):
        assert isinstance(y, sm.Array)
    y = a + host
    host[:] = 7
    assert y.tolist() == [1, 2, 3]


def test_walking_over_an_array_computes_it_once():
    x = numbers(3) * 2
    assert [float(value) for value in x] == [0, 2, 4]
    assert not is_lazy(x)


def test_an_expression_waits_for_leaves_that_read_each_other():
    """Proves that whatever is asked for together comes in an order in which it can be computed."""
    x = np.linspace(0.1, 1, 50, dtype="f4")
    h = sm.exp(sm.array(x))
    s = h / (h + 1)
    t = s / (s + 1)
    (step,) = sm.explain(s, t).steps
    assert step.results[-2:] == ("r1", "r2")
    sm.eval(s, t)
    assert s.pending is t.pending is None
    wanted = np.exp(x) / (np.exp(x) + 1)
    np.testing.assert_allclose(s.numpy(), wanted, rtol=1e-6)
    np.testing.assert_allclose(t.numpy(), wanted / (wanted + 1), rtol=1e-6)


@pytest.mark.parametrize("count", [7, 8, 9, 12])
def test_an_expression_of_many_costly_leaves_is_computed_before_it_is_written_to(count):
    costly = [sm.exp(sm.ones(100) * n / 10) for n in range(count)]
    read_before = [each + 1 for each in costly]
    start = sm.zeros(100)
    total = start
    for each in costly:
        total = total + each
    assert sm.explain(total).steps[-1].results[-1] == "r"
    start[...] = 100
    assert total.pending is None
    np.testing.assert_allclose(
        total.numpy(), np.full(100, sum(np.exp(n / 10) for n in range(count))), rtol=1e-5
    )
    assert len(read_before) == count
