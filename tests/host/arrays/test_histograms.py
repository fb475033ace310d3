"""Counts of bins are NumPy's, also where parts are counted apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_array import RemoteDevice

import speedmetal as sm
from speedmetal.arrays import spreading
from speedmetal.arrays.array import upload
from tiers import examples

DEVICES = [sm.device("cpu"), RemoteDevice()]


@pytest.fixture(params=["at once", "in parts"])
def parts(request, monkeypatch):
    if request.param == "in parts":
        from speedmetal.arrays.order import histograms

        monkeypatch.setattr(histograms, "parts_of", lambda n, *_: spreading.parts_of(n, 1 << 20, 1))
    return request.param


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_counts_of_numbers(device, parts):
    random = np.random.default_rng(0)
    for dtype in ("i4", "u1", "i8"):
        host = random.integers(0, 9, 1000).astype(dtype)
        ours = upload(host, device)
        np.testing.assert_array_equal(sm.bincount(ours).numpy(), np.bincount(host))
        found = sm.bincount(ours, minlength=20)
        np.testing.assert_array_equal(found.numpy(), np.bincount(host, minlength=20))
        weights = random.integers(0, 9, 1000).astype(np.float32)
        found = sm.bincount(ours, upload(weights, device))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.numpy(), np.bincount(host, weights))
    assert sm.bincount(sm.zeros(0, sm.int32)).tolist() == []


@settings(max_examples=examples(60), deadline=None)
@given(
    host=hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-5, 5, width=32)),
    bins=st.sampled_from([1, 7, [-3.0, 0.0, 0.5, 4.0], "sqrt"]),
    limits=st.sampled_from([None, (-2, 2)]),
    density=st.booleans(),
)
def test_histograms(host, bins, limits, density):
    if isinstance(bins, list):
        limits = None
    counts, edges = sm.histogram(sm.array(host), bins, limits, density=density)
    with np.errstate(invalid="ignore"):
        expected, expected_edges = np.histogram(host, bins, limits, density=density)
    np.testing.assert_allclose(counts.numpy(), expected)
    np.testing.assert_allclose(edges.numpy(), expected_edges)


def test_histograms_of_long_arrays_and_of_weights(parts):
    host = np.random.default_rng(3).standard_normal((300, 700)).astype(np.float32)
    counts, edges = sm.histogram(sm.array(host), 50)
    expected, expected_edges = np.histogram(host, 50)
    np.testing.assert_array_equal(counts.numpy(), expected)
    np.testing.assert_array_equal(edges.numpy(), expected_edges)
    counts, _ = sm.histogram(sm.array(host), 50, weights=sm.array(host * 0 + 2))
    np.testing.assert_array_equal(counts.numpy(), expected * 2)


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("edges", [[0.0, 1.0, 2.5], [3.0, 1.0, -1.0]])
def test_in_which_bin(right, edges, parts):
    host = np.linspace(-2, 4, 61).reshape(1, -1)
    found = sm.digitize(sm.array(host), sm.array(edges), right)
    np.testing.assert_array_equal(found.numpy(), np.digitize(host, np.array(edges, "f4"), right))


def test_what_is_refused():
    for use, message in [
        (lambda: sm.bincount(sm.ones(3)), "integers with one axis, got float32"),
        (lambda: sm.bincount(sm.array([0, -1])), "integers of 0 or more, got -1"),
        (lambda: sm.bincount(sm.array([0, 1]), sm.ones(3)), r"weights of shape \(2,\)"),
        (lambda: sm.histogram(sm.ones(3), 0), "histogram: `bins` must be positive"),
        (lambda: sm.histogram(sm.ones(3), [1.0, 0.0]), "histogram: .*monotonically"),
        (lambda: sm.digitize(sm.ones(3), sm.array([0.0, 2.0, 1.0])), "digitize: .*monotonic"),
    ]:
        with pytest.raises(sm.UserInputError, match=message):
            use()


def test_the_range_may_be_of_arrays():
    x = sm.array([1.0, 2.0, 4.0])
    counts, edges = sm.histogram(x, 3, (x.min(), x.max()))
    assert (counts.tolist(), edges.tolist()) == ([1, 1, 1], [1, 2, 3, 4])
