"""Softmax and its like against SciPy's in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.arrays.along_axes.normalising import LONG, MOST_KEPT
from speedmetal.arrays.along_axes.sorted_axes import SHORT
from strategies import axes_for, views
from tiers import examples

NAMES = ("softmax", "log_softmax", "logsumexp")


def check(name: str, host: np.ndarray, ours: sm.Array, axis: object) -> None:
    wide = host.astype(np.float64)
    found = getattr(sm, name)(ours, axis=axis)
    expected = getattr(scipy.special, name)(wide, axis=axis)
    assert found.dtype == (host.dtype if host.dtype.kind == "f" else np.float32)
    assert found.shape == expected.shape
    tolerance = 2e-3 if host.dtype == np.float16 else 3e-6
    np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=examples(150), deadline=None)
def test_they_are_scipys(name, data):
    dtypes = st.sampled_from([np.dtype(n) for n in ("int16", "float16", "float32", "float64")])
    host = data.draw(views(dtypes, st.sampled_from([1, 2, 3, 5, 17, 33])))
    axis = data.draw(axes_for(host.ndim))
    if axis == ():
        axis = None
    check(name, host, sm.asarray(host), axis)


LENGTHS = [1, SHORT - 1, SHORT, 32, 100, MOST_KEPT, MOST_KEPT + 1, 1000]
SHAPES = [
    *(((5, n), 1) for n in LENGTHS),
    *(((2, n, 9), 1) for n in LENGTHS),
    *(((9, n), 1) for n in (LONG, LONG + 1)),
    ((2, LONG + 1), 1),
    ((LONG + 1, 2), 0),
    ((40, 2000), 0),
    ((300, 300), None),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_rows_and_columns_of_all_lengths(name, dtype, shape, axis):
    host = (np.random.default_rng(4).standard_normal(shape) * 4).astype(dtype)
    check(name, host, sm.asarray(host), axis)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overflows(name):
    host = np.array([[1000.0, 999.0, -1000.0], [-1e30, -1e30, -1e30]], np.float32)
    check(name, host, sm.asarray(host), 1)
    check(name, host.T.copy(), sm.asarray(host.T.copy()), 0)


def test_logsumexp_of_infinities():
    rows = [[-math.inf, -math.inf], [math.inf, 1.0], [-math.inf, 2.0], [math.nan, 1.0]]
    found = sm.logsumexp(sm.array(rows), axis=1).tolist()
    assert found[:3] == [-math.inf, math.inf, 2.0]
    assert math.isnan(found[3])


def test_nothing_has_a_softmax_of_no_elements():
    assert sm.softmax(sm.zeros((0, 3))).shape == (0, 3)
    assert sm.log_softmax(sm.zeros((3, 0))).shape == (3, 0)
    assert sm.logsumexp(sm.zeros((2, 0)), axis=1).tolist() == [-math.inf, -math.inf]


@given(data=st.data())
@settings(max_examples=examples(100), deadline=None)
def test_fused_producers_change_no_bit(data):
    host = data.draw(views(st.just(np.dtype(np.float32)), st.sampled_from([1, 3, 17, 300]), 3))
    axis = data.draw(st.integers(-host.ndim, host.ndim - 1)) if host.ndim else None
    stored = sm.asarray(host) * 1.3
    sm.eval(stored)
    for name in NAMES:
        fused = getattr(sm, name)(sm.asarray(host) * 1.3, axis=axis)
        unfused = getattr(sm, name)(stored, axis=axis)
        assert fused.numpy().tobytes() == unfused.numpy().tobytes()
