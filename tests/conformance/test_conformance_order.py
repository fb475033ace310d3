"""Sorting on every device, by each algorithm, against NumPy in float64 or the widest integers.

NumPy's own sort of float16 is not what they are compared with: with AVX-512 it misplaces numbers
beside NaN (version 2.4), so that floating numbers are compared as wider ones.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.arrays.order import by_kernels

ALGORITHMS = ("auto", "native", "vendor")
DTYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "bfloat16", "float32", "float64"),
)
SPECIAL = (-np.inf, -2.5, -1.0, -0.0, 0.0, 1.0, 2.5, np.inf, np.nan, -np.nan, 6e-8, -6e-8)
SHAPES = ((1,), (2,), (33,), (3, 64), (2, 3, 65), (7, 1), (5, 0), (0, 5), (4100,), (3, 4097))


@pytest.fixture(params=ALGORITHMS)
def algorithm(request, device):
    """Each one that the device has."""
    if request.param == "vendor" and device.routines is not None:
        missing = device.routines.compute.missing()
        if missing is not None:
            pytest.skip(str(missing))
    return request.param


@pytest.fixture(params=DTYPES)
def dtype(request, device):
    if request.param == "float64" and not device.target.has_float64:
        pytest.skip("the device has no float64")
    return np.dtype(getattr(ml_dtypes, request.param, None) or request.param)


def elements(shape, dtype, seed=0):
    """Many of them equal; of floating numbers all special ones."""
    random = np.random.default_rng(seed)
    if dtype.kind in "iub":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        few = random.integers(low, high, 9, dtype=np.int64 if low else np.uint64, endpoint=True)
        return random.choice(few, shape).astype(dtype)
    few = np.concatenate([SPECIAL, random.normal(size=9)])
    return random.choice(few, shape).astype(dtype)


def wide(x):
    return x.astype(np.float64) if x.dtype.kind in "fV" else x


def in_order(x, axis=-1, *, descending=False):
    """The positions of NumPy's stable sort."""
    if not descending:
        return np.argsort(wide(x), axis=axis, kind="stable")
    turned = np.flip(wide(x), axis)
    return x.shape[axis] - 1 - np.flip(np.argsort(turned, axis=axis, kind="stable"), axis)


def same(ours, expected):
    found = ours.numpy()
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(wide(found), wide(expected))


def small_in_simulator(device, shape):
    if device.name == "metal-sim" and np.prod(shape) > 400:
        pytest.skip("it takes minutes there")


@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows(device, algorithm, dtype, shape, descending):
    """Values, and positions of which equal elements keep their order, zeros of both signs too."""
    small_in_simulator(device, shape)
    x = elements(shape, dtype)
    ours = sm.array(x, device=device)
    places = in_order(x, descending=descending)
    options = {"descending": descending, "algorithm": algorithm}
    same(sm.sort(ours, **options), np.take_along_axis(x, places, -1))
    same(sm.argsort(ours, **options), places)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_axes_and_views(device, algorithm, axis):
    x = elements((4, 6, 10), np.dtype("f4"))
    ours = sm.array(x, device=device)
    same(sm.sort(ours, axis, algorithm=algorithm), np.sort(x, axis))
    for view in (lambda a: a[::-1, ::2, 1:], lambda a: a.transpose((2, 0, 1)), lambda a: a[:, 3:4]):
        seen = view(x)
        same(sm.sort(view(ours), axis, algorithm=algorithm), np.sort(seen, axis))
        same(sm.argsort(view(ours), axis, algorithm=algorithm), in_order(seen, axis))


def test_lazy_elements(device, algorithm):
    """What is sorted may not be computed yet."""
    x = elements((3, 50), np.dtype("f4"), seed=1)
    ours = sm.array(x, device=device)
    same(sm.sort(ours * 2 + 1, algorithm=algorithm), np.sort(x * 2 + 1))
    same(sm.argsort(-ours, algorithm=algorithm), in_order(-x))


def test_by_a_key(device, algorithm):
    x = np.arange(-20, 21, dtype=np.int32)
    ours = sm.array(x, device=device)
    found = sm.sort(ours, key=lambda v: v * v, algorithm=algorithm)
    same(found, x[np.argsort(x * x, kind="stable")])


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize(("shape", "k"), [((50,), 7), ((3, 33), 33), ((2, 9001), 5), ((9001,), 0),
                                          ((3, 4500), 2000), ((2, 4097), 1024)])  # fmt: skip
def test_topk(device, algorithm, dtype, shape, k, largest):
    """In order; of equal elements any."""
    small_in_simulator(device, shape)
    x = elements(shape, dtype, seed=2)
    values, indices = sm.topk(sm.array(x, device=device), k, largest=largest, algorithm=algorithm)
    expected = np.take_along_axis(x, in_order(x, descending=largest), -1)[..., :k]
    same(values, expected)
    found = indices.numpy()
    assert found.dtype == np.int64
    np.testing.assert_array_equal(wide(np.take_along_axis(x, found, -1)), wide(expected))
    for row in found.reshape(-1, k) if k else ():
        assert len(set(row.tolist())) == k


@pytest.mark.parametrize("length", [4096, 8192, 8193, 12_289, 100_003, 140_000])
def test_lengths_around_parts(device, algorithm, length):
    """Rows that are one part, whole parts, and one element more; merged once and several times."""
    small_in_simulator(device, (length,))
    random = np.random.default_rng(length)
    for x in (random.integers(0, 300, length), random.normal(size=length)):
        given = x.astype(np.float32)
        ours = sm.array(given, device=device)
        same(sm.sort(ours, algorithm=algorithm), np.sort(given))
        same(sm.argsort(ours, algorithm=algorithm), np.argsort(given, kind="stable"))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_rows(device, algorithm, data):
    if device.name == "metal-sim":
        pytest.skip("it takes minutes there")
    name = data.draw(st.sampled_from([n for n in DTYPES if n != "float64"]))
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    shape = data.draw(st.lists(st.integers(1, 70), min_size=1, max_size=3).map(tuple))
    axis = data.draw(st.integers(0, len(shape) - 1))
    descending = data.draw(st.booleans())
    x = elements(shape, dtype, seed=data.draw(st.integers(0, 99)))
    ours = sm.array(x, device=device)
    places = in_order(x, axis, descending=descending)
    options = {"axis": axis, "descending": descending, "algorithm": algorithm}
    same(sm.argsort(ours, **options), places)
    same(sm.sort(ours, **options), np.take_along_axis(x, places, axis))


def test_complex_numbers_are_numpys(device):
    x = np.array([1 + 2j, 1 - 1j, 0.5 + 9j, -1], np.complex64)
    ours = sm.array(x, device=device)
    same(sm.sort(ours), np.sort(x))
    with pytest.raises(sm.UserInputError) as caught:
        sm.sort(ours, algorithm="native")
    assert str(caught.value) == (
        "sort by algorithm='native' expected real numbers, got complex64; leave algorithm= out:"
        " NumPy sorts complex ones on the host"
    )


def test_an_unknown_algorithm(device):
    with pytest.raises(sm.UnknownNameError, match="algorithm"):
        sm.sort(sm.arange(3, device=device), algorithm="quick")


@pytest.mark.parametrize("length", [100, 20_000])
def test_in_a_graph(device, algorithm, length):
    """Sorting waits for nothing; a replay sorts what is in the array then."""
    if device.kind != "cuda":
        pytest.skip("the device has no graphs")
    random = np.random.default_rng(3)
    first, second = random.normal(size=(2, length)).astype(np.float32)
    ours = sm.array(first, device=device)
    sm.eval(sm.sort(ours, algorithm=algorithm), sm.argsort(ours, algorithm=algorithm))
    with sm.capture() as graph:
        values, places = sm.sort(ours, algorithm=algorithm), sm.argsort(ours, algorithm=algorithm)
        sm.eval(values, places)
    ours[...] = sm.array(second, device=device)
    graph.replay()
    same(values, np.sort(second))
    same(places, np.argsort(second, kind="stable"))


def test_parts_fit_everywhere():
    assert by_kernels.PART * 8 == 32768


# --- What is made of it --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1,), (40,), (3, 0), (3, 7, 11), (5000,)], ids=str)
def test_sets(device, dtype, shape):
    small_in_simulator(device, shape)
    x = elements(shape, dtype, seed=4)
    x = np.where(np.isnan(wide(x)), x.dtype.type(0), x) if dtype.kind in "fV" else x
    values, indices, inverse, counts = np.unique(
        wide(x), return_index=True, return_inverse=True, return_counts=True
    )
    found = sm.unique_all(sm.array(x, device=device))
    same(found.values, values.astype(dtype))
    same(found.indices, indices)
    same(found.inverse_indices, inverse.reshape(shape))
    same(found.counts, counts)
    same(sm.unique_values(sm.array(x, device=device)), values.astype(dtype))
    same(sm.unique_counts(sm.array(x, device=device)).counts, counts)


def test_each_nan_is_one_of_its_own(device):
    x = sm.array(np.array([np.nan, 1, np.nan, 1], np.float32), device=device)
    found = sm.unique_all(x)
    same(found.values, np.array([1, np.nan, np.nan], np.float32))
    same(found.counts, np.array([2, 1, 1]))
    same(found.inverse_indices, np.array([1, 0, 2, 0]))


@pytest.mark.parametrize("share", [0, 0.3, 1])
@pytest.mark.parametrize("shape", [(1,), (31,), (0, 3), (7, 9, 11), (100_003,)], ids=str)
def test_places(device, dtype, shape, share):
    """Of what is not 0; NaN is not."""
    small_in_simulator(device, shape)
    x = np.where(np.random.default_rng(5).random(shape) < share, 1, 0).astype(dtype)
    if dtype.kind in "fV":
        x = np.where(x != 0, dtype.type(np.nan), x)
    expected = np.nonzero(wide(x) != 0)
    ours = sm.array(x, device=device)
    for found, places in zip(sm.nonzero(ours), expected, strict=True):
        same(found, places)
    same(sm.argwhere(ours), np.argwhere(wide(x) != 0))
    if x.ndim == 3:
        turned = ours.transpose((2, 0, 1))[::-1]
        host = wide(x).transpose((2, 0, 1))[::-1] != 0
        same(sm.argwhere(turned), np.argwhere(host))


def test_findall(device):
    x = np.arange(1000, dtype=np.int32)
    same(sm.findall(lambda v: v % 7 == 0, sm.array(x, device=device)), np.nonzero(x % 7 == 0)[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_parts_and_several_keys(device, axis):
    x = elements((30, 20), np.dtype("i4"), seed=6)
    ours = sm.array(x, device=device)
    found = sm.partition(ours, 5, axis).numpy()
    np.testing.assert_array_equal(found.take(5, axis), np.sort(x, axis).take(5, axis))
    places = sm.argpartition(ours, 5, axis).numpy()
    assert places.dtype == np.int64
    by_places = np.take_along_axis(x, places, axis)
    np.testing.assert_array_equal(by_places.take(5, axis), np.sort(x, axis).take(5, axis))
    y = elements((30, 20), np.dtype("f4"), seed=7)
    keys = [sm.array(y, device=device), ours]
    same(sm.lexsort(keys, axis), np.lexsort([y, x], axis))
