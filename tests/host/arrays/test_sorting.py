"""Arrays in order: NumPy's order, of positions the stable one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_array import RemoteDevice

import speedmetal as sm
from speedmetal import dtypes
from speedmetal.arrays import spreading
from speedmetal.arrays.array import upload
from tiers import examples

DEVICES = [sm.device("cpu"), RemoteDevice()]
ORDERED = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"]


@st.composite
def cases(draw, min_side=0):
    dtype = np.dtype(draw(st.sampled_from(ORDERED)))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=min_side, max_side=6))
    few = (
        st.sampled_from([0, 1, 2, dtypes.from_numpy(dtype).minimum]) if dtype.kind in "iu" else None
    )
    if dtype.kind == "f":
        few = st.sampled_from([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan, -np.nan])
    host = draw(hnp.arrays(dtype, shape, elements=few))
    return host, draw(st.integers(-len(shape), len(shape) - 1))


def reversed_order(host, axis):
    """The stable order from the greatest, by another way: of numbers of float64."""
    ranks = np.searchsorted(np.sort(host, axis=None), host)  # NaN: the same rank
    return np.argsort(-ranks.astype(np.int64), axis=axis, kind="stable")


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@settings(max_examples=examples(300), deadline=None)
@given(case=cases())
def test_order_is_numpys(device, case):
    host, axis = case
    ours = upload(host, device)
    np.testing.assert_array_equal(sm.sort(ours, axis=axis).numpy(), np.sort(host, axis))
    np.testing.assert_array_equal(
        sm.sort(ours, axis=axis, descending=True).numpy(), np.flip(np.sort(host, axis), axis)
    )
    expected = np.argsort(host, axis, kind="stable")
    np.testing.assert_array_equal(sm.argsort(ours, axis=axis).numpy(), expected)
    np.testing.assert_array_equal(
        sm.argsort(ours, axis=axis, descending=True).numpy(), reversed_order(host, axis)
    )
    loose = sm.argsort(ours, axis=axis, stable=False, descending=True)
    np.testing.assert_array_equal(
        np.take_along_axis(host, loose.numpy(), axis), np.flip(np.sort(host, axis), axis)
    )
    np.testing.assert_array_equal(ours.numpy(), host)


@settings(max_examples=examples(200), deadline=None)
@given(case=cases(min_side=1), data=st.data())
def test_parts_of_the_order(case, data):
    host, axis = case
    length = host.shape[axis]
    kth = data.draw(st.integers(-length, length - 1))
    ordered = np.sort(host, axis)
    ours = sm.array(host)
    for found in (
        sm.partition(ours, kth, axis).numpy(),
        sm.take_along_axis(ours, sm.argpartition(ours, kth, axis), axis).numpy(),
    ):
        np.testing.assert_array_equal(np.take(found, kth, axis), np.take(ordered, kth, axis))
        np.testing.assert_array_equal(np.sort(found, axis), ordered)
        low, high = np.split(found, [kth % length], axis)
        np.testing.assert_array_equal(
            np.concatenate([np.sort(low, axis), np.sort(high, axis)], axis), ordered
        )
    k = data.draw(st.integers(0, length))
    for largest in (True, False):
        values, indices = sm.topk(ours, k, axis=axis, largest=largest)
        wanted = np.take(np.flip(ordered, axis) if largest else ordered, range(k), axis)
        np.testing.assert_array_equal(values.numpy(), wanted)
        found = np.take_along_axis(host, indices.numpy(), axis)
        np.testing.assert_array_equal(found, wanted)
        apart = np.sort(indices.numpy(), axis)
        assert (np.diff(apart, axis=axis) > 0).all()


@pytest.mark.parametrize("shape", [(300_000,), (1000, 300), (3, 100_000), (300, 1000, 1)])
@pytest.mark.parametrize("dtype", ["f4", "i8"])
def test_long_rows_and_many(shape, dtype):
    host = np.random.default_rng(5).integers(-1000, 1000, shape).astype(dtype)
    ours = sm.array(host)
    for axis in {0, len(shape) - 1}:
        np.testing.assert_array_equal(sm.sort(ours, axis=axis).numpy(), np.sort(host, axis))
        expected = np.argsort(host, axis, kind="stable")
        np.testing.assert_array_equal(sm.argsort(ours, axis=axis).numpy(), expected)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "u8", "i2", "i1", "c8"])
@pytest.mark.parametrize("processors", [1, 2, 3])
def test_rows_too_few_for_all_threads_are_sorted_by_all(processors, dtype, monkeypatch):
    """Each sorts a part of a row, whose elements come before those of the next part."""
    monkeypatch.setattr(spreading, "_processors", lambda: processors)
    host = (np.random.default_rng(7).normal(size=(2, 500_001)) * 1000).astype(dtype)
    if host.dtype.kind in "fc":
        host[0, ::1000] = np.nan
    np.testing.assert_array_equal(sm.sort(sm.array(host[0])).numpy(), np.sort(host[0]))
    np.testing.assert_array_equal(sm.sort(sm.array(host), axis=1).numpy(), np.sort(host, 1))


@pytest.mark.parametrize("length", [40, 700])
@pytest.mark.parametrize("dtype", ["f4", "i8", "f2"])
def test_the_first_of_rows_with_equal_ones_and_nan(length, dtype):
    """Whose last one's value alone does not tell which they are."""
    host = np.random.default_rng(1).integers(0, 9 * length, (3, length)).astype(dtype)
    host[1] //= 3 * length
    if dtype != "i8":
        host[2, ::3] = np.nan
        host[1, 5] = np.nan
    ordered = np.sort(host, -1)
    for rows in (slice(None), slice(1), slice(1, 2), slice(2, 3)):
        for largest in (True, False):
            wanted = (ordered[rows, ::-1] if largest else ordered[rows])[:, :7]
            values, indices = sm.topk(sm.array(host[rows]), 7, largest=largest)
            np.testing.assert_array_equal(values.numpy(), wanted)
            at = indices.numpy()
            np.testing.assert_array_equal(np.take_along_axis(host[rows], at, 1), wanted)
            assert (np.diff(np.sort(at, 1)) > 0).all()
            alone = sm.topk(sm.array(host[rows]), 7, largest=largest).values
            np.testing.assert_array_equal(alone.numpy(), wanted)


def test_a_row_with_too_many_and_one_with_too_few_are_told_apart():
    """Of one with equal first elements, and one whose first is NaN, as many are found in all."""
    host = np.array([[5.0, 5.0, 1.0], [1.0, np.nan, 0.0]], np.float32)
    values, indices = sm.topk(sm.array(host), 1)
    np.testing.assert_array_equal(values.numpy(), [[5], [np.nan]])
    assert indices.tolist() in ([[0], [1]], [[1], [1]])


def test_the_first_are_those_that_were_there_when_they_were_asked_for():
    x = sm.array([[1.0, 5.0, 3.0], [9.0, 7.0, 8.0]])
    values, indices = sm.topk(x, 2)
    alone = sm.topk(x, 1, axis=0).values
    x[...] = 0
    assert values.tolist() == [[5, 3], [9, 8]]
    assert indices.tolist() == [[1, 2], [0, 2]]
    assert alone.tolist() == [[9, 7, 8]]


def test_bfloat16_complex_numbers_and_lazy_operands():
    x = sm.array([3, 1, float("nan"), -2], "bf16")
    assert sm.sort(x).dtype == sm.bfloat16
    assert sm.sort(x).tolist()[:3] == [-2, 1, 3]
    assert sm.argsort(x).tolist() == [3, 1, 0, 2]
    assert sm.topk(x, 2).values.dtype == sm.bfloat16
    assert sm.sort(sm.array([2j, 1, 1j])).tolist() == [1j, 2j, 1]
    assert sm.argsort(sm.array([2j, 1, 1j])).tolist() == [2, 0, 1]
    assert sm.sort(-sm.arange(4)).tolist() == [-3, -2, -1, 0]
    assert sm.arange(3).argsort(descending=True).tolist() == [2, 1, 0]


def test_several_keys():
    random = np.random.default_rng(0)
    keys = random.integers(0, 3, (3, 50))
    np.testing.assert_array_equal(sm.lexsort(sm.array(keys)).numpy(), np.lexsort(keys))
    with pytest.raises(sm.UserInputError, match="at least one key"):
        sm.lexsort([])


def test_what_is_refused():
    x = sm.arange(4)
    with pytest.raises(sm.UserInputError, match="k from 0 to 4, the extent of the axis, got 5"):
        sm.topk(x, 5)
    with pytest.raises(IndexError, match="kth 4 is out of bounds for an axis of extent 4"):
        sm.partition(x, 4)
    with pytest.raises(IndexError, match="kth -5 is out of bounds"):
        sm.argpartition(x, [0, -5])
    with pytest.raises(IndexError, match="axis 1 is out of bounds"):
        sm.sort(x, axis=1)


@pytest.mark.parametrize("seed", range(8))
def test_halves_beside_infinities_and_nan(seed):
    """NumPy's own sort of them, with AVX-512, misplaces numbers."""
    special = [-np.inf, np.inf, np.nan, -0.0, 0.0, 1, -1, 2.5, -3]
    x = np.random.default_rng(seed).choice(special, 9001).astype(np.float16)
    expected = np.sort(x.astype(np.float32))
    ours = sm.array(x, device="cpu")
    np.testing.assert_array_equal(sm.sort(ours).numpy().astype(np.float32), expected)
    first = sm.topk(ours, 5000, largest=False).values
    np.testing.assert_array_equal(first.numpy().astype(np.float32), expected[:5000])
    found = sm.unique_values(ours).numpy().astype(np.float32)
    np.testing.assert_array_equal(found[:7], [-np.inf, -3, -1, 0, 1, 2.5, np.inf])
