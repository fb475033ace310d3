"""Scans against NumPy's: every function, over any dtypes, shapes, strides and axes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.exceptions import AxisError

import speedmetal as sm
from speedmetal.arrays.along_axes.scanning import PART_OF_COLUMN, PART_OF_ROW
from speedmetal.arrays.along_axes.sorted_axes import SHORT
from speedmetal.errors import UserInputError
from strategies import views
from tiers import examples

DTYPES = [np.dtype(n) for n in ("bool", "int8", "int32", "int64", "uint8", "float16", "float32")]


def axis_for(data: st.DataObject, host: np.ndarray) -> int | None:
    if not host.ndim:
        return None
    return data.draw(st.one_of(st.none(), st.integers(-host.ndim, host.ndim - 1)))


def flat(host: np.ndarray, axis: int | None) -> tuple[np.ndarray, int]:
    return (host.reshape(-1), 0) if axis is None else (host, axis)


@given(st.data(), views(st.sampled_from([*DTYPES, np.dtype(np.complex64)])))
@settings(max_examples=examples(400), deadline=None)
def test_sums_and_products_are_numpys(data, host):
    axis = axis_for(data, host)
    found = sm.cumsum(sm.asarray(host), axis)
    np.testing.assert_array_equal(found.numpy(), host.cumsum(axis, dtype=found.dtype))
    signs = np.sign(host) if host.dtype.kind in "if" else host != 0
    found = sm.cumprod(sm.asarray(signs), axis)
    np.testing.assert_array_equal(found.numpy(), signs.cumprod(axis, dtype=found.dtype))


@given(st.data(), views(st.sampled_from(DTYPES)))
@settings(max_examples=examples(300), deadline=None)
def test_extremes_are_numpys(data, host):
    axis = axis_for(data, host)
    for ours, theirs in ((sm.cummax, np.maximum), (sm.cummin, np.minimum)):
        found = ours(sm.asarray(host), axis)
        assert found.dtype == host.dtype
        whole, along = flat(host, axis)
        np.testing.assert_array_equal(found.numpy(), theirs.accumulate(whole, axis=along))


@given(st.data(), views(st.sampled_from([np.dtype(np.float32), np.dtype(np.int16)])))
@settings(max_examples=examples(200), deadline=None)
def test_logarithms_of_sums_are_numpys(data, host):
    axis = axis_for(data, host)
    whole, along = flat(host.astype(float) * 9, axis)
    found = sm.logcumsumexp(sm.asarray(host) * 9, axis)
    expected = np.logaddexp.accumulate(whole, axis=along)
    # Every step rounds to float32: over many elements NumPy's own error is the measure.
    theirs = np.logaddexp.accumulate(whole.astype(np.float32), axis=along)
    allowed = np.maximum(
        2e-6 * (1 + np.abs(expected)), np.max(np.abs(theirs - expected), initial=0)
    )
    assert np.all(np.abs(found.numpy() - expected) <= allowed)


@given(st.data(), views(st.sampled_from(DTYPES)), st.booleans())
@settings(max_examples=examples(200), deadline=None)
def test_the_initial_value_comes_first(data, host, include_initial):
    if not host.ndim:
        host = host.reshape(1)
    axis = data.draw(st.integers(-host.ndim, host.ndim - 1))
    signs = np.sign(host) if host.dtype.kind in "if" else host != 0
    for values, ours, theirs in (
        (host, sm.cumulative_sum, np.cumulative_sum),
        (signs, sm.cumulative_prod, np.cumulative_prod),
    ):
        found = ours(sm.asarray(values), axis=axis, include_initial=include_initial)
        expected = theirs(values, axis=axis, dtype=found.dtype, include_initial=include_initial)
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found.numpy(), expected)


LENGTHS = [SHORT - 1, SHORT, 33, 2 * PART_OF_ROW, 2 * PART_OF_ROW + 1, 5 * PART_OF_ROW]
SHAPES = [
    *(((n,), 0) for n in LENGTHS),
    *(((3, n), 1) for n in LENGTHS),
    *(((n, 3), 0) for n in (2 * PART_OF_COLUMN, 2 * PART_OF_COLUMN + 1, 1500)),
    ((2, 1500, 3), 1),
]


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_long_axes(shape, axis):
    """Proves rows, columns and parts of both, at the borders of what each takes."""
    host = np.random.default_rng(1).integers(-9, 9, shape)
    ours = sm.asarray(host.astype(np.int32))
    np.testing.assert_array_equal(sm.cumsum(ours, axis).numpy(), host.cumsum(axis))
    np.testing.assert_array_equal(
        sm.cummin(ours, axis).numpy(), np.minimum.accumulate(host, axis=axis)
    )


def test_running_sums_are_as_accurate_as_numpys():
    host = np.random.default_rng(2).random(1 << 20, np.float32)
    exact = host.cumsum(dtype=np.float64)
    error = np.abs(sm.cumsum(sm.asarray(host)).numpy() / exact - 1).max()
    assert error <= np.abs(host.cumsum() / exact - 1).max()


@given(st.data(), views(st.just(np.dtype(np.float32))))
@settings(max_examples=examples(150), deadline=None)
def test_fused_producers_change_no_bit(data, host):
    axis = axis_for(data, host)
    stored = sm.asarray(host) * 1.3 + 0.1
    sm.eval(stored)
    fused = sm.cumsum(sm.asarray(host) * 1.3 + 0.1, axis)
    assert fused.numpy().tobytes() == sm.cumsum(stored, axis).numpy().tobytes()


def test_special_values():
    inf, nan = math.inf, math.nan
    x = sm.array([1.0, nan, 2.0])
    np.testing.assert_array_equal(sm.cummax(x).numpy(), [1, nan, nan])
    np.testing.assert_array_equal(sm.cumsum(sm.array([inf, 1.0, -inf])).numpy(), [inf, inf, nan])
    found = sm.logcumsumexp(sm.array([-inf, -inf, 0.0, inf, inf])).numpy()
    np.testing.assert_array_equal(found, [-inf, -inf, 0, inf, inf])


def test_dtypes():
    assert sm.cumsum(sm.array([1, 2], "i8")).dtype == sm.int32
    assert sm.cumsum(sm.array([1, 2], "u8")).dtype == sm.uint32
    assert sm.cumsum(sm.array([1, 2]), dtype=sm.float64).dtype == sm.float64
    assert sm.cumulative_prod(sm.array([1.0], "bf16")).dtype == sm.bfloat16


MESSAGES = [
    (lambda: sm.cumsum([1.0]), UserInputError, "cumulative_sum expected an Array for x"),
    (
        lambda: sm.cumulative_sum(sm.zeros((2, 2))),
        UserInputError,
        (
            r"cumulative_sum of an array of 2 axes needs to know along which; give axis=\.\.\., or"
            r" x\.reshape\(-1\)"
        ),
    ),
    (lambda: sm.cummax(sm.array([1j])), UserInputError, "complex numbers have no order"),
    (lambda: sm.logcumsumexp(sm.array([1j])), UserInputError, "logcumsumexp expected real numbers"),
    (lambda: sm.cumsum(sm.zeros(2), 1), AxisError, "axis 1 is out of bounds"),
    (lambda: sm.cumsum(sm.zeros(()), 0), AxisError, "axis 0 is out of bounds"),
]


@pytest.mark.parametrize(("call", "error", "message"), MESSAGES)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=message):
        call()
