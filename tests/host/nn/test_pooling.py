"""Pooling against PyTorch's; of small whole numbers all sums are exact."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.bench.operations import pooling as benchmark
from tiers import examples

torch = pytest.importorskip("torch")

LAYOUTS = ("channels_last", "channels_first")
DTYPES = [np.dtype(name) for name in ("float32", "float64", "float16")]


def numbers(shape: tuple[int, ...], dtype: Any = np.float32, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype)


def given_as(layout: str, x: np.ndarray) -> sm.Array:
    """Images that have their channels first, in a layout."""
    return sm.asarray(x if layout == "channels_first" else np.moveaxis(x, 1, -1))


def check(layout: str, found: sm.Array, expected: Any, dtype: Any, tolerance: float = 0.0) -> None:
    wide = expected.numpy()
    if layout == "channels_last":
        wide = np.moveaxis(wide, 1, -1)
    assert found.dtype == sm.asarray(np.zeros(1, dtype)).dtype
    assert found.shape == wide.shape
    np.testing.assert_allclose(
        found.numpy().astype(np.float64), wide.astype(dtype).astype(np.float64), rtol=tolerance
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """Images, with their channels first, and a window that is no larger than they are."""
    rank = draw(st.integers(1, 3))
    axes = range(rank)
    size = tuple(draw(st.integers(1, 3)) for _ in axes)
    window: dict[str, Any] = {
        "kernel_size": size,
        "stride": draw(st.sampled_from([None, tuple(draw(st.integers(1, 3)) for _ in axes)])),
        "padding": tuple(draw(st.integers(0, n // 2)) for n in size),
        "dilation": tuple(draw(st.sampled_from([1, 1, 2])) for _ in axes),
    }
    least = [(n - 1) * d + 1 for n, d in zip(size, window["dilation"], strict=True)]
    space = [n + draw(st.sampled_from([0, 1, 7])) for n in least]
    shape = (draw(st.integers(1, 2)), draw(st.sampled_from([1, 3, 17])), *space)
    return numbers(shape, draw(st.sampled_from(DTYPES))), window


@given(case=cases(), layout=st.sampled_from(LAYOUTS), step=st.sampled_from([1, 2, -1]))
@settings(max_examples=examples(60), deadline=None)
def test_they_are_pytorchs(case, layout, step):
    x, window = case
    rank = x.ndim - 2
    wide = torch.from_numpy(x.astype(np.float64))
    ours = sm.asarray(np.repeat(given_as(layout, x).numpy(), abs(step), axis=1)[:, ::step])[:, ::1]
    if step < 0:  # the same elements, backwards in memory
        ours = given_as(layout, x)[:, ::-1].copy()[:, ::-1]
    greatest = getattr(torch.nn.functional, f"max_pool{rank}d")(wide, **window)
    found = getattr(sm.nn, f"max_pool{rank}d")(ours, **window, layout=layout)
    check(layout, found, greatest, x.dtype)
    window.pop("dilation")
    tolerance = {"f2": 1e-3, "f4": 1e-6, "f8": 1e-15}[x.dtype.str[1:]]
    for counts in (True, False):
        options = {**window, "count_include_pad": counts}
        mean = getattr(torch.nn.functional, f"avg_pool{rank}d")(wide, **options)
        found = getattr(sm.nn, f"avg_pool{rank}d")(ours, **options, layout=layout)
        check(layout, found, mean, x.dtype, tolerance)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=3),
    layout=st.sampled_from(LAYOUTS),
)
@settings(max_examples=examples(40), deadline=None)
def test_adaptive_ones_are_pytorchs(sizes, layout):
    rank = len(sizes)
    x = numbers((2, 5, *(extent for extent, _ in sizes)))
    windows = tuple(count for _, count in sizes)
    for name in ("avg", "max"):
        theirs = getattr(torch.nn.functional, f"adaptive_{name}_pool{rank}d")
        ours = getattr(sm.nn, f"adaptive_{name}_pool{rank}d")
        expected = theirs(torch.from_numpy(x), windows)
        check(layout, ours(given_as(layout, x), windows, layout=layout), expected, x.dtype, 1e-6)


def test_numbers_of_windows_may_be_left_as_they_are():
    x = numbers((1, 4, 6, 3))
    assert sm.nn.adaptive_avg_pool2d(sm.asarray(x), (None, 4)).shape == (1, 4, 4, 3)
    assert (
        sm.nn.adaptive_max_pool2d(sm.asarray(x), 1).tolist()[0][0][0] == x.max((1, 2))[0].tolist()
    )
    assert sm.nn.adaptive_avg_pool1d(sm.zeros((2, 5, 3)), 0).shape == (2, 0, 3)


@pytest.mark.parametrize("operation", benchmark.OPERATIONS, ids=lambda o: o.name)
def test_they_are_the_benchmarks(operation):
    params = {"shape": [2, 8, 6, 5], "window": 2}
    inputs = operation.inputs(params, np.random.default_rng(1))
    (expected,) = operation.reference(params, inputs)
    found = getattr(sm.nn, operation.name)(sm.asarray(inputs["x"]), 2)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nan_stays_and_borders_are_below_everything(layout):
    x = np.full((1, 2, 3, 3), -np.inf, np.float32)
    x[0, 1, 1, 1] = np.nan
    found = sm.nn.max_pool2d(given_as(layout, x), 2, 1, padding=1, layout=layout).numpy()
    wide = found if layout == "channels_first" else np.moveaxis(found, -1, 1)
    assert (wide[0, 0] == -np.inf).all()
    assert np.isnan(wide[0, 1]).sum() == 4
    far = sm.nn.max_pool2d(given_as(layout, x), 2, padding=5, layout=layout)  # borders alone
    assert far.numpy().ravel()[0] == -np.inf


def test_integers_have_a_greatest():
    x = numbers((1, 4, 4, 2), np.int8)
    found = sm.nn.max_pool2d(sm.asarray(x), 3, 1, padding=1)
    assert found.dtype == sm.int8
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-128)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    np.testing.assert_array_equal(found.numpy(), windows.max((-2, -1)))


def test_numbers_of_16_bits_are_summed_in_float32():
    """Proves it with means that a sum in bfloat16 misses by far."""
    x = np.full((1, 40, 40, 2), 1.0078125, ml_dtypes.bfloat16)
    assert (sm.nn.avg_pool2d(sm.asarray(x), 20).numpy() == x[0, 0, 0, 0]).all()
    assert (sm.nn.adaptive_avg_pool2d(sm.asarray(x), 3).numpy() == x[0, 0, 0, 0]).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_producers_and_followers_are_fused(name, layout):
    x = sm.asarray(numbers((2, 6, 8, 4)))
    function = getattr(sm.nn, name)
    lazy = sm.nn.relu(function(x * 2 + 1, 2, layout=layout)) * 3
    steps = sm.explain(lazy).steps
    assert len(steps) == 1
    stored = sm.asarray(x.numpy() * 2 + 1)
    expected = np.maximum(function(stored, 2, layout=layout).numpy(), 0) * 3
    np.testing.assert_array_equal(lazy.numpy(), expected)


def test_no_images_have_no_results():
    assert sm.nn.max_pool2d(sm.zeros((0, 4, 4, 3)), 2).shape == (0, 2, 2, 3)
    assert sm.nn.avg_pool1d(sm.zeros((2, 4, 0)), 2).numpy().shape == (2, 2, 0)


def test_errors_say_what_is_wrong():
    x = sm.zeros((2, 4, 5, 3))
    with pytest.raises(
        sm.UserInputError, match=r"along columns the window reaches over 6 elements"
    ):
        sm.nn.max_pool2d(x, (1, 6))
    with pytest.raises(sm.UserInputError, match=r"for kernel_size an integer of 1 or more or 2 of"):
        sm.nn.max_pool2d(x, 0)
    with pytest.raises(
        sm.UserInputError, match=r"expected x of 3 axes, \(batch, length, channels\)"
    ):
        sm.nn.max_pool1d(x, 2)
    with pytest.raises(sm.UserInputError, match=r"avg_pool2d expected floats, got int32; convert"):
        sm.nn.avg_pool2d(x.astype(sm.int32), 2)
    with pytest.raises(sm.UserInputError, match=r"expected real numbers, got complex64"):
        sm.nn.max_pool2d(x.astype(sm.complex64), 2)
    with pytest.raises(sm.UserInputError, match=r"has no elements to share out"):
        sm.nn.adaptive_avg_pool2d(sm.zeros((2, 0, 5, 3)), 2)
