"""Softmax and scans of columns on every device, against NumPy: kept, read again, and in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.along_axes import teams

SHAPES = [
    *((3, 5, 200), (2, 17, 70), (2, 64, 33), (1, 300, 40), (4, 600, 8), (2, 513, 3)),
    *((1, 2000, 36), (2, 4100, 2)),
]
"""Along the middle one: columns of a thread, of several, read twice, and so few that these have
parts; and few beside each other."""


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


COLUMNS: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "softmax": (lambda x: sm.softmax(x, axis=1), softmax),
    "log_softmax": (lambda x: sm.log_softmax(x, axis=1), lambda x: np.log(softmax(x))),
    "cumsum": (lambda x: sm.cumulative_sum(x, axis=1), lambda x: x.cumsum(axis=1)),
    "cummax": (lambda x: sm.cummax(x, axis=1), lambda x: np.maximum.accumulate(x, axis=1)),
    "producer": (lambda x: sm.softmax(x * 2 + 1, axis=1), lambda x: softmax(x * 2 + 1)),
    "follower": (lambda x: sm.softmax(x, axis=1) * x + 1, lambda x: softmax(x) * x + 1),
    "scan's follower": (
        lambda x: sm.cumulative_sum(x, axis=1) * 2 - x,
        lambda x: x.cumsum(axis=1) * 2 - x,
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", COLUMNS)
def test_columns_are_numpys(device, name, shape, dtype):
    ours, reference = COLUMNS[name]
    host = np.random.default_rng(1).uniform(-1, 1, shape).astype(dtype)
    expected = reference(host.astype(np.float64))
    found = ours(sm.array(host, device=device)).numpy()
    size = 1e-5 if dtype is np.float32 else 1e-2
    np.testing.assert_allclose(found, expected, rtol=size, atol=size * shape[1] ** 0.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("columns", [92, 94])
def test_scans_of_many_columns(device, monkeypatch, columns, dtype):
    """A thread takes four beside each other, or two, as it does where there are enough."""
    monkeypatch.setattr(teams, "BUSY_THREADS", 1)
    host = np.random.default_rng(4).integers(0, 3, (2, 290, columns)).astype(dtype)
    found = sm.cumulative_sum(sm.array(host, device=device), axis=1).numpy()
    np.testing.assert_array_equal(found, host.cumsum(axis=1, dtype=dtype))


@pytest.mark.parametrize("length", [7, 100, 900, 5000])
def test_special_numbers_of_columns(device, length):
    host = np.zeros((length, 6), np.float32)
    host[:, 0] = -np.inf
    host[length // 2, 1] = np.inf
    host[length - 1, 2] = np.nan
    host[3, 3] = -np.inf
    host[1:, 4] = -np.inf
    host[:-1, 5] = -1000
    with np.errstate(invalid="ignore"):
        expected = softmax(host.astype(np.float64)[None])[0]
    found = sm.softmax(sm.array(host, device=device), axis=0).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.complex64])
def test_running_sums_of_columns(device, dtype):
    host = np.random.default_rng(2).integers(0, 3, (700, 36)).astype(dtype)
    wide = host.dtype if host.dtype.kind == "c" else np.int64
    found = sm.cumulative_sum(sm.array(host, device=device), axis=0).numpy()
    np.testing.assert_array_equal(found, host.astype(wide).cumsum(axis=0))


def test_a_users_operation_on_columns(device):
    """It does not commute."""

    def first_unless_zero(a, b):
        return b if b != 0 else a

    host = np.random.default_rng(3).integers(0, 3, (900, 5)).astype(np.int32)
    found = sm.accumulate(first_unless_zero, sm.array(host, device=device), axis=0).numpy()
    last = np.maximum.accumulate(np.where(host != 0, np.arange(900)[:, None], 0))
    np.testing.assert_array_equal(found, np.take_along_axis(host, last, axis=0))
