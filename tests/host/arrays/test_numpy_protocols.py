"""NumPy's functions on arrays give arrays, with NumPy's values."""

from __future__ import annotations

import warnings

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


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.sum(x, 0),
        lambda m, x: m.sum(x, 0, np.float64),
        lambda m, x: m.mean(x, 1, np.float64),
        lambda m, x: m.argmax(x, 1),
        lambda m, x: m.reshape(x, (3, 2)),
        lambda m, x: x.reshape(3, 2),
        lambda m, x: m.transpose(x, (1, 0)),
        lambda m, x: m.concatenate([x, x], 1),
        lambda m, x: m.stack([x, x], 1),
        lambda m, x: m.where(x > 1, x, 0),
        lambda m, x: m.clip(x, 0, 2),
        lambda m, x: m.tensordot(x, x.T, 1),
        lambda m, x: m.tensordot(x, x, ([0, 1], [0, 1])),
        lambda m, x: m.sort(x, 0),
        lambda m, x: m.argsort(x, 0),
        lambda m, x: m.diff(x, 2),
        lambda m, x: m.diff(x, 1, 0),
        lambda m, x: m.searchsorted(m.sort(x[0]), x[1], "right"),
        lambda m, x: m.triu(x, 1),
        lambda m, x: m.tril(x, -1),
        lambda m, x: m.linalg.svd(x, False)[1],
        lambda m, x: m.linalg.qr(x, "complete")[1],
        lambda m, x: m.linalg.norm(x, None, 1),
        lambda m, x: m.fft.rfft(x, 4, 0),
        lambda m, x: m.fft.ifft(m.fft.fft(x, 3, 1, "ortho"), 3, 1, "ortho"),
        lambda m, x: m.fft.fftn(x, (2, 2), (0, 1)),
        lambda m, x: m.fft.fftshift(x, 1),
        lambda m, x: m.nansum(x, 0, np.float64),
        lambda m, x: m.histogram(x, 2, (-3, 9), True)[0],
    ],
)
def test_arguments_without_names_mean_what_they_mean_in_numpy(call):
    found, expected = call(sm, sm.array(HOST)), call(np, HOST)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.nan_to_num(x, True, 7.0),
        lambda x: np.zeros_like(x, "i4", "C"),
        lambda x: np.full_like(x, 3, "i4", "C"),
        lambda x: np.select([x > 1], [x], np.float32(5)),
        lambda x: np.histogram(x, 2, (-3, 9), True)[0],
    ],
)
def test_numpys_functions_keep_the_order_of_their_arguments(call):
    check(call(sm.array(HOST)), call(HOST))


def test_numpys_ends_of_ranges_may_be_arrays():
    x = sm.array(HOST)
    np.testing.assert_allclose(
        np.linspace(x[0], x[1], 3, False).numpy(),
        np.linspace(HOST[0], HOST[1], 3, False),
        rtol=1e-6,
    )


def test_what_is_no_number_among_arrays_is_left_to_numpy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wide, row, other = np.broadcast_arrays(sm.array(HOST), sm.array(HOST[0]), None)
        check(wide, HOST)
        check(row, np.broadcast_to(HOST[0], HOST.shape))
    assert other.shape == HOST.shape
    assert other.dtype == object


def _nan():
    return np.array([[np.nan, 1.0, np.inf], [3.0, -np.inf, np.inf]], "f4")


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.nanstd(x),
        lambda m, x: m.nanvar(x, axis=0),
        lambda m, x: m.nanvar(x[:, :2], axis=1),
        lambda m, x: m.nan_to_num(x),
        lambda m, x: m.nan_to_num(x, nan=5.0, posinf=7.0, neginf=-2.0),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_beside_infinities_and_nan_the_values_are_numpys(call, dtype):
    host = _nan().astype(dtype)
    with np.errstate(all="ignore"):
        expected = call(np, host)
    found = call(sm, sm.array(host))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.median(x, axis=1),
        lambda m, x: m.quantile(x, 0.5, axis=1, keepdims=True),
        lambda m, x: m.percentile(x, [10, 50], axis=1),
        lambda m, x: m.median(x.T, axis=0),
    ],
)
def test_quantiles_of_nothing_are_nothing_where_none_is_asked_for(call):
    host = np.zeros((0, 3), "f4")
    found, expected = call(sm, sm.array(host)), call(np, host)
    assert (found.shape, found.dtype) == (expected.shape, np.float32)


@pytest.mark.parametrize(
    "host", [np.array([[True, False], [False, False]]), np.zeros((0, 2), bool)]
)
def test_sums_and_products_as_bools_are_numpys(host):
    for name in ("sum", "prod"):
        found = getattr(sm, name)(sm.array(host), 0, bool)
        expected = getattr(np, name)(host, 0, bool)
        assert (found.dtype, found.tolist()) == (np.bool_, expected.tolist())
