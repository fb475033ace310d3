"""Scans of one long row on every device, by each algorithm, against NumPy."""

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np
import pytest

import speedmetal as sm

ALGORITHMS = ("auto", "native", "vendor")
SIZES = (1, 2, 31, 1000, 70_001)


@pytest.fixture(params=ALGORITHMS)
def algorithm(request, device):
    """Each one that the device has."""
    if request.param == "vendor" and device.routines is not None:
        missing = device.routines.compute.missing()
        if missing is not None:
            pytest.skip(str(missing))
    return request.param


@pytest.fixture(params=SIZES)
def size(request, device):
    if device.name == "metal-sim" and request.param > 1000:
        pytest.skip("it takes minutes there")
    return request.param


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int32", "int64", "uint64"])
def test_sums_of_integers(device, algorithm, size, dtype):
    if device.name == "metal-sim" and np.dtype(dtype).itemsize == 8:
        pytest.skip("threads part there at prefix sums of 64 bits, where the last part is short")
    x = np.random.default_rng(size).integers(0, 2, size).astype(dtype)
    ours = sm.cumulative_sum(sm.array(x, device=device), algorithm=algorithm)
    np.testing.assert_array_equal(ours.numpy(), np.cumsum(x.astype(np.int64)))
    found = sm.cumulative_sum(sm.array(x, device=device), algorithm=algorithm, include_initial=True)
    assert found.shape == (size + 1,)
    np.testing.assert_array_equal(found.numpy()[1:], np.cumsum(x.astype(np.int64)))
    assert found.numpy()[0] == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_sums_of_floats(device, algorithm, size, dtype):
    if dtype == "float64" and not device.target.has_float64:
        pytest.skip("the device has no float64")
    kind = np.dtype(getattr(ml_dtypes, dtype, None) or dtype)
    x = np.random.default_rng(size).uniform(0, 1, size)
    x = (x / size if dtype in ("float16", "bfloat16") else x).astype(kind)
    found = sm.cumulative_sum(sm.array(x, device=device), algorithm=algorithm)
    assert found.numpy().dtype == kind
    wide = np.complex128 if kind.kind == "c" else np.float64
    expected = np.cumsum(x.astype(wide))
    # NumPy adds one after the other, in double precision as well.
    error = {"bfloat16": 2.0**-7, "float64": 1e-12}.get(dtype) or 20 * float(np.finfo(kind).eps)
    np.testing.assert_allclose(found.numpy().astype(wide), expected, rtol=error)


@pytest.mark.parametrize("dtype", ["int32", "float16", "bfloat16", "float32", "uint8"])
def test_extremes(device, algorithm, size, dtype):
    """NaN from the first one on."""
    kind = np.dtype(getattr(ml_dtypes, dtype, None) or dtype)
    x = np.random.default_rng(size).integers(0, 100, size).astype(kind)
    if kind.kind in "fV" and size > 2:
        x[size // 2] = np.nan
    wide = x.astype(np.float64)
    for ours, theirs in ((sm.cummax, np.maximum), (sm.cummin, np.minimum)):
        found = ours(sm.array(x, device=device), algorithm=algorithm).numpy()
        np.testing.assert_array_equal(found.astype(np.float64), theirs.accumulate(wide))


def test_products(device, algorithm, size):
    x = np.random.default_rng(size).choice([1, -1], size).astype(np.int32)
    found = sm.cumulative_prod(sm.array(x, device=device), algorithm=algorithm)
    np.testing.assert_array_equal(found.numpy(), np.cumprod(x, dtype=np.int32))


def test_a_users_operation(device, algorithm, size):
    """It is associative, and does not commute."""

    def first_unless_zero(a, b):
        return b if b != 0 else a

    x = np.random.default_rng(size).integers(0, 3, size).astype(np.int32)
    found = sm.accumulate(first_unless_zero, sm.array(x, device=device), algorithm=algorithm)
    last = np.maximum.accumulate(np.where(x != 0, np.arange(size), 0))
    np.testing.assert_array_equal(found.numpy(), x[last])


def test_operations_with_numbers_of_their_own(device, algorithm, size):
    """What a partial has, and what is closed over; the second one changes."""

    def least_of(limit, a, b):
        return min(a, b, limit)

    x = np.random.default_rng(size).integers(0, 100, size).astype(np.int32)
    ours = sm.array(x, device=device)
    for limit in (70, 50):
        bound = functools.partial(least_of, limit)
        found = sm.accumulate(bound, ours, algorithm=algorithm).numpy()
        expected = np.minimum.accumulate(np.minimum(x, limit))
        np.testing.assert_array_equal(found[1:], expected[1:])
        closed = sm.accumulate(lambda a, b: min(a, b, limit), ours, algorithm=algorithm)  # noqa: B023
        np.testing.assert_array_equal(closed.numpy()[1:], expected[1:])


def test_views_and_lazy_elements(device, algorithm):
    x = np.arange(3000, dtype=np.int32) % 11
    ours = sm.array(x, device=device)
    found = sm.cumulative_sum(ours[::-3] * 2 + 1, algorithm=algorithm)
    np.testing.assert_array_equal(found.numpy(), np.cumsum(x[::-3] * 2 + 1))
    found = sm.cumulative_sum(ours, algorithm=algorithm) * 2
    np.testing.assert_array_equal(found.numpy(), np.cumsum(x) * 2)


def test_several_rows(device):
    """The library takes one row."""
    x = sm.array(np.ones((3, 4), np.float32), device=device)
    if device.routines is None or device.routines.compute.missing() is not None:
        pytest.skip("the device has no such library")
    with pytest.raises(sm.UserInputError) as caught:
        sm.cumulative_sum(x, 1, algorithm="vendor")
    assert str(caught.value) == (
        "cumulative_sum by algorithm='vendor' expected one row, got shape (3, 4) along axis 1;"
        " leave algorithm= out, or scan x[k] one after the other"
    )


def test_in_a_graph(device, algorithm):
    """A scan waits for nothing; a replay scans what is in the array then."""
    if device.kind != "cuda":
        pytest.skip("the device has no graphs")
    x = np.arange(70_000, dtype=np.int32) % 5
    ours = sm.array(x, device=device)
    sm.eval(sm.cumulative_sum(ours, algorithm=algorithm))
    with sm.capture() as graph:
        sums = sm.cumulative_sum(ours, algorithm=algorithm)
        sm.eval(sums)
    ours[...] = sm.array(x[::-1].copy(), device=device)
    graph.replay()
    np.testing.assert_array_equal(sums.numpy(), np.cumsum(x[::-1]))
