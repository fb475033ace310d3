"""Variances of large arrays, which GPUs read once: exact also where they are far from zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.along_axes import variances

SHAPES: list[tuple[tuple[int, ...], Any]] = [
    ((70_001,), None),
    ((3, 5, 2048), (1, 2)),
    ((5, 4097), -1),
    ((40, 300), 1),
    ((6, 9000), -1),
    ((700, 40), 0),
    ((4, 90, 33), 1),
    ((6, 50, 40), (0, 1)),
    ((6, 50, 40), (0, 2)),
    ((3, 100), 0),
]


@pytest.fixture(autouse=True)
def _small_ones_as_large_ones(monkeypatch: Any) -> None:
    monkeypatch.setattr(variances, "_LEAST", 1)


@pytest.mark.parametrize("mean", [0.0, 1e4])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_variances_are_those_in_double_precision(
    device: Any, shape: tuple[int, ...], axis: Any, mean: float
) -> None:
    host = (np.random.default_rng(3).standard_normal(shape) + mean).astype(np.float32)
    x, exact = sm.array(host, device=device), host.astype(np.float64)
    # Two readings take distances from a mean that is rounded: they are off as the mean is.
    size = 2e-6 if variances.takes_variance(x, axis, 0) or not mean else 1e-4
    for options in ({}, {"keepdims": True}, {"correction": 1}):
        found = sm.var(x, axis=axis, **options).numpy()
        expected = exact.var(axis=axis, keepdims="keepdims" in options)
        count = exact.size // expected.size
        expected = expected * count / (count - options.get("correction", 0))
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=size)
    found = sm.std(x * 1.0, axis=axis).numpy()
    np.testing.assert_allclose(found, exact.std(axis=axis), rtol=size)


def test_variances_of_other_types(device: Any) -> None:
    host = np.random.default_rng(3).standard_normal((7, 1000)).astype(np.float16)
    found = sm.var(sm.array(host, device=device), axis=1)
    assert found.dtype == sm.float16
    np.testing.assert_allclose(found.numpy(), host.astype(np.float64).var(axis=1), rtol=1e-3)
    whole = np.arange(7000, dtype=np.int32).reshape(7, 1000)
    found = sm.var(sm.array(whole, device=device), axis=1).numpy()
    np.testing.assert_allclose(found, whole.var(axis=1), rtol=1e-6)


def test_variances_with_infinity_and_nan(device: Any) -> None:
    host = np.ones((3, 5000), np.float32)
    host[1, 77], host[2, 4999] = np.inf, np.nan
    found = sm.var(sm.array(host, device=device), axis=1).numpy()
    np.testing.assert_array_equal(found, np.array([0, np.nan, np.nan], np.float32))


def test_no_degrees_of_freedom(device: Any) -> None:
    x = sm.array(np.arange(1000, dtype=np.float32), device=device)
    assert np.isinf(float(sm.var(x, correction=1000)))
