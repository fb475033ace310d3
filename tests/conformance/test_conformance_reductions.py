"""Reductions, scans and softmax by the kernels of arrays, on every device: each kernel, each way.

Sums are of whole numbers, so that they are exact whatever the order.
"""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.along_axes.normalising import MOST_KEPT
from speedmetal.arrays.along_axes.passes import PART_OF_COLUMN
from speedmetal.arrays.along_axes.sorted_axes import SHORT
from speedmetal.arrays.kernels import extremes, reduce
from speedmetal.frontend.static import static

SHAPES = [
    ((), None),
    ((5, SHORT - 1), 1),
    ((5, 40), 1),
    ((3, 1200), 1),
    ((1200, 3), 0),
    ((2, 2 * PART_OF_COLUMN + 9, 5), 1),
    ((70, 70), None),
    ((2, 3, 4, 5), (0, 2)),
]
DTYPES = ["float32", "int32", "uint8", "int64", "float16"]


def numbers(shape, dtype) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, shape).astype(dtype)


def few_twos(shape, dtype) -> np.ndarray:
    """Numbers whose product is exact."""
    size = int(np.prod(shape))
    return (1 + (np.arange(size) % 400 == 7)).astype(dtype).reshape(shape)


@pytest.mark.parametrize("name", ["sum", "max", "min", "all", "any", "prod"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_reductions(device, shape, axis, dtype, name):
    host = few_twos(shape, dtype) if name == "prod" else numbers(shape, dtype)
    found = getattr(sm, name)(sm.array(host, device=device), axis=axis)
    options = {"dtype": found.dtype} if name == "prod" else {}
    np.testing.assert_array_equal(found.numpy(), getattr(host, name)(axis=axis, **options))


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_reductions_of_expressions(device, shape, axis):
    host = numbers(shape, "float32")
    ours = sm.array(host, device=device) * 2.0 + 1.0
    np.testing.assert_array_equal(sm.sum(ours, axis=axis).numpy(), (host * 2 + 1).sum(axis))
    np.testing.assert_allclose(
        sm.std(ours, axis=axis).numpy(), (host * 2 + 1).std(axis), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vectors", [2, 4])
def test_whole_rows_of_columns(device, vectors, dtype):
    """The kernels that the CPU alone chooses: parts of rows, the last of which is short."""
    columns = 2 * reduce.COLUMNS * vectors
    host = numbers((2, 7, columns), dtype)
    x = sm.array(host, device=device)
    sizes = {"groups": (2, 3, 2), "threads": reduce.COLUMNS}
    total = sm.zeros((2, 3, columns), dtype, device=device)
    reduce.reduce_whole_rows_of_columns(
        total, x, reduce.SUM, reduce.as_it_is, 1, static(vectors), 1.0, 3, **sizes
    )
    places = sm.zeros((2, 3, columns), sm.int32, device=device)
    extremes.places_in_whole_rows_of_columns(
        places, x, None, extremes.GREATEST, 1, static(vectors), 3, **sizes
    )
    for part in range(3):
        own = host[:, 3 * part : 3 * part + 3]
        np.testing.assert_array_equal(total.numpy()[:, part], own.sum(1, dtype=dtype))
        np.testing.assert_array_equal(places.numpy()[:, part], own.argmax(1) + 3 * part)


VIEWS = {
    "steps": lambda a: a.transpose(2, 0, 1)[:, ::2, 1:],
    "steps backwards": lambda a: a.transpose(2, 0, 1)[:, ::-2, 1:],
    "reversed": lambda a: a[::-1, ::-1, ::-1],
}


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), None])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_reductions_of_views(device, view, axis):
    """Where a view's steps are below 0, its elements lie before the first one."""
    whole = numbers((6, 40, 5), "float32")
    host = view(whole)
    ours = view(sm.array(whole, device=device))
    np.testing.assert_array_equal(sm.sum(ours, axis=axis).numpy(), host.sum(axis))
    if not isinstance(axis, tuple):
        np.testing.assert_array_equal(sm.argmax(ours, axis=axis).numpy(), host.argmax(axis))


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
@pytest.mark.parametrize(
    ("shape", "axis"), [(s, a) for s, a in SHAPES if isinstance(a, int)], ids=str
)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_of_extremes(device, name, shape, axis, dtype):
    host = numbers(shape, dtype)
    found = getattr(sm, name)(sm.array(host, device=device), axis=axis)
    np.testing.assert_array_equal(found.numpy(), getattr(host, name)(axis))


def test_nan_is_the_extreme(device):
    host = numbers((4, 50), "float32")
    host[1, 20] = host[2, 0] = host[2, 40] = np.nan
    ours = sm.array(host, device=device)
    for axis in (0, 1):
        for name in ("max", "min", "argmax", "argmin", "nanmax", "nanmin", "nansum"):
            found = getattr(sm, name)(ours, axis=axis).numpy()
            np.testing.assert_array_equal(found, getattr(np, name)(host, axis=axis), name)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
@pytest.mark.parametrize(
    ("shape", "axis"), [(s, a) for s, a in SHAPES if isinstance(a, int)], ids=str
)
@pytest.mark.parametrize("name", ["cumulative_sum", "cummax"])
def test_scans(device, name, shape, axis, dtype):
    host = numbers(shape, dtype)
    ours = sm.array(host, device=device)
    if name == "cummax":
        found, expected = sm.cummax(ours, axis), np.maximum.accumulate(host, axis=axis)
    else:
        found = sm.cumulative_sum(ours, axis=axis, include_initial=True)
        expected = np.cumulative_sum(host, axis=axis, dtype=found.dtype, include_initial=True)
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("axis", [0, 1])
def test_scans_and_softmax_backwards(device, axis):
    host = numbers((70, 90), "float32")
    ours, backwards = sm.array(host, device=device)[::-1, ::-1], host[::-1, ::-1]
    found = sm.cumulative_sum(ours, axis=axis).numpy()
    np.testing.assert_array_equal(found, np.cumsum(backwards, axis))
    powers = np.exp(backwards.astype(np.float64))
    expected = powers / powers.sum(axis, keepdims=True)
    np.testing.assert_allclose(sm.softmax(ours, axis=axis).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "axis"), [((5, SHORT - 1), 1), ((5, 300), 1), ((1200, 5), 0)], ids=str
)
def test_followers(device, shape, axis):
    """Proves that what a kernel computes as it stores has the bits of what is computed after."""
    host = np.random.default_rng(3).standard_normal(shape).astype("float32")
    ours, mask = sm.array(host, device=device), sm.array(host[::-1].copy(), device=device)

    def made() -> list[sm.Array]:
        return [
            sm.softmax(ours, axis=axis) * mask + 0.5,
            sm.cumulative_sum(ours, axis=axis) * mask - mask,
            (sm.mean(ours, axis=axis, keepdims=True) * 2.5).astype(sm.float16),
            sm.argmax(ours, axis=axis) + 1,
        ]

    fused = made()
    assert all(len(sm.explain(array).steps) == 1 for array in fused)
    with sm.no_fusion():
        apart = made()
    for one, other in zip(fused, apart, strict=True):
        assert one.numpy().tobytes() == other.numpy().tobytes()


LENGTHS = [SHORT - 1, 100, MOST_KEPT + 30]


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("axis", [0, 1])
def test_softmax(device, name, length, dtype, axis):
    host = np.random.default_rng(2).standard_normal((3, length)).astype(dtype)
    host = host if axis else np.ascontiguousarray(host.T)
    wide = host.astype(np.float64)
    powers = np.exp(wide - wide.max(axis, keepdims=True))
    total = powers.sum(axis, keepdims=True)
    expected = {
        "softmax": powers / total,
        "log_softmax": np.log(powers / total),
        "logsumexp": np.log(total.squeeze(axis)) + wide.max(axis),
    }[name]
    rounded = {
        "rtol": 2e-3 if dtype == "float16" else 1e-5,
        "atol": 1e-5 if name == "log_softmax" else 0,
    }
    found = getattr(sm, name)(sm.array(host, device=device), axis=axis).numpy()
    np.testing.assert_allclose(found, expected, **rounded)
