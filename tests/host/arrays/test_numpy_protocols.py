"""NumPy's functions on arrays give arrays, with NumPy's values."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm

HOST = np.array([[1.0, 2.5, -3.0], [4.0, 0.5, 9.0]], "f4")


def check(found, expected):
    assert isinstance(found, sm.Array)
    assert found.dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        np.sin,
        np.abs,
        lambda x: np.add(x, 1),
        lambda x: np.multiply(2.5, x),
        lambda x: x + HOST,
        lambda x: HOST - x,
        lambda x: np.arctan2(x, HOST),
        lambda x: np.add(x, x, dtype="f8"),
        lambda x: np.add.reduce(x, axis=1),
        np.add.reduce,
        lambda x: np.maximum.accumulate(x, axis=1),
        lambda x: np.subtract.outer(x, x),
        lambda x: np.where(x > 1, x, np.float32(0)),
        lambda x: np.concatenate([x, x], axis=1),
        lambda x: np.transpose(x, (1, 0)),
        lambda x: np.cumsum(x, axis=1),
        np.rot90,
        lambda x: np.linalg.norm(x, axis=1),
    ],
)
def test_functions_of_numpy_give_arrays(call):
    check(call(sm.array(HOST)), call(HOST))


def test_results_are_written_where_they_are_asked_for():
    x, out, host = sm.array(HOST), sm.zeros((2, 3)), np.zeros((2, 3), "f4")
    assert np.sqrt(x * x, out=out) is out
    check(out, np.abs(HOST))
    np.add(x, 1, out=host)
    np.testing.assert_array_equal(host, HOST + 1)
    host += x
    np.testing.assert_array_equal(host, 2 * HOST + 1)


def test_what_is_lazy_stays_lazy():
    y = np.sin(np.add(sm.array(HOST), 1))
    assert y.pending is not None


def test_what_only_numpy_does_is_done_by_numpy():
    x = sm.array(HOST)
    check(np.unwrap(x), np.unwrap(HOST))
    assert np.shape(x) == (2, 3)
    assert np.array_equal(x, HOST)
