"""Normalisation against formulas in double precision, and PyTorch's."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.arrays.along_axes import moments
from speedmetal.arrays.along_axes.normalising import LONG, MOST_KEPT
from speedmetal.arrays.along_axes.sorted_axes import SHORT
from speedmetal.bench.operations import normalisation as references
from speedmetal.nn import normalised_channels
from strategies import views
from tiers import examples

nn = sm.nn


def normal(*shape: int, seed: int = 1, dtype: str = "float32", middle: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * 2 + middle).astype(dtype)


def normalised(x, axes, eps=1e-5, centred=True):
    wide = x.astype("f8")
    mean = wide.mean(axes, keepdims=True) if centred else 0.0
    return (wide - mean) / np.sqrt(np.mean((wide - mean) ** 2, axes, keepdims=True) + eps)


def close(found: sm.Array, expected: np.ndarray, dtype: object, loose: float = 1.0) -> None:
    assert found.dtype == dtype
    assert found.shape == expected.shape
    bits = {"float64": 1e-12, "float32": 3e-6, "float16": 2e-3, "bfloat16": 2e-2}
    tolerance = bits[np.dtype(dtype).name] * loose
    got = found.numpy().astype("f8")
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * 2)


# --- Rows ----------------------------------------------------------------------------------------

LENGTHS = [1, 2, SHORT - 1, SHORT, 31, 32, 33, 100, MOST_KEPT, MOST_KEPT + 1, 1000]
SHAPES = [
    *(((5, n), 1) for n in LENGTHS),
    *(((2, n, 9), 1) for n in LENGTHS),
    ((9, LONG + 1), 1),
    ((2, LONG + 1), 1),
    ((LONG + 1, 2), 0),
    ((40, 2000), 0),
    ((7,), 0),
]


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_rows_and_columns_of_all_lengths(shape, axis, dtype):
    """Proves each kernel, and each way to part what is long."""
    host = normal(*shape, dtype=dtype)
    close(nn.layer_norm(sm.asarray(host), axis=axis), normalised(host, axis), dtype)
    expected = normalised(host, axis, 0.1, centred=False)
    close(nn.rms_norm(sm.asarray(host), axis=axis, eps=0.1), expected, dtype)


@given(data=st.data())
@settings(max_examples=examples(120), deadline=None)
def test_views_of_any_strides(data):
    dtypes = st.sampled_from([np.dtype(n) for n in ("float16", "float32", "float64")])
    host = data.draw(views(dtypes, st.sampled_from([1, 2, 3, 5, 17, 40])).filter(lambda x: x.ndim))
    axis = data.draw(st.integers(-host.ndim, host.ndim - 1))
    close(nn.layer_norm(sm.asarray(host), axis=axis), normalised(host, axis), host.dtype)
    last = tuple(range(data.draw(st.integers(0, host.ndim - 1)), host.ndim))
    close(nn.layer_norm(sm.asarray(host), axis=last), normalised(host, last), host.dtype)
    expected = normalised(host, last, centred=False)
    close(nn.rms_norm(sm.asarray(host), axis=last), expected, host.dtype)


@pytest.mark.parametrize("shape", [(6, 9), (6, 100), (6, 700), (2, LONG + 1), (0, 5), (3, 4, 5)])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_affine_parts_follow_in_the_same_kernel(shape, dtype):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    host, weight, bias = normal(*shape, dtype=dtype), normal(shape[-1], seed=2), normal(shape[-1])
    weight, bias = weight.astype(dtype), bias.astype(dtype)
    arrays = [sm.asarray(each) for each in (host, weight, bias)]
    found = nn.layer_norm(*arrays)
    steps = len(sm.explain(found).steps)
    assert steps == 1 or shape[-1] > LONG
    expected = normalised(host, -1) * weight.astype("f8") + bias.astype("f8")
    close(found, expected, dtype, 2)
    with sm.no_fusion():
        apart = nn.layer_norm(*arrays)
    assert found.numpy().tobytes() == apart.numpy().tobytes()
    expected = normalised(host, -1, centred=False) * weight.astype("f8")
    close(nn.rms_norm(*arrays[:2]), expected, dtype, 2)


def test_affine_parts_of_several_axes_and_of_one_that_is_not_the_last():
    host, weight, bias = normal(3, 4, 5), normal(4, 5, seed=2), normal(4, 5, seed=3)
    found = nn.layer_norm(sm.array(host), sm.array(weight), sm.array(bias), axis=(-1, 1))
    close(found, normalised(host, (1, 2)) * weight + bias, "float32", 2)
    weight = normal(4)
    found = nn.rms_norm(sm.array(host), sm.array(weight), axis=1)
    close(found, normalised(host, 1, centred=False) * weight[:, None], "float32", 2)


def test_producers_are_computed_as_rows_are_read():
    host = normal(6, 100)
    x, other = sm.array(host), sm.array(host[::-1].copy())
    found = nn.layer_norm(sm.nn.gelu(x) + other) * 2.0
    assert len(sm.explain(found).steps) == 1  # rows are read once, so that costly ones are not kept
    stored = sm.nn.gelu(x) + other
    sm.eval(stored)
    assert found.numpy().tobytes() == (nn.layer_norm(stored) * 2.0).numpy().tobytes()


@pytest.mark.parametrize("shape", [(6, SHORT - 1), (6, 200), (6, 3000), (2, LONG + 1)])
def test_far_from_zero_little_is_lost(shape):
    """Proves that squares of large numbers are not subtracted: their digits would all be lost."""
    host = normal(*shape, middle=3000.0)
    found = nn.layer_norm(sm.array(host)).numpy()
    np.testing.assert_allclose(found, normalised(host, -1), atol=5e-4)
    columns = nn.layer_norm(sm.array(host.T.copy()), axis=0).numpy()
    np.testing.assert_allclose(columns, normalised(host, -1).T, atol=5e-4)
    channels = nn.batch_norm(sm.array(host.T.copy())).numpy()
    np.testing.assert_allclose(channels, normalised(host, -1).T, atol=5e-4)


@pytest.mark.parametrize("length", [3, 100, 700])
def test_special_rows(length):
    host = normal(6, length)
    host[1, 0], host[2, 1], host[3] = np.nan, np.inf, 5.0
    host[4] *= 1e-30  # squares vanish
    host[5] = 1e-40
    found = nn.layer_norm(sm.array(host)).numpy()
    assert np.isnan(found[1:3]).all()
    assert (found[3] == 0).all()
    np.testing.assert_allclose(found[[0, 4, 5]], normalised(host[[0, 4, 5]], -1), 3e-6, 3e-6)
    assert np.isnan(nn.rms_norm(sm.array(host)).numpy()[1]).all()


# --- Channels ------------------------------------------------------------------------------------

CHANNELS = [(5, 8), (4, 5, 6), (2, 3, 4, 8), (2, 2, 3, 2, 4), (1, 1, 4), (700, 4), (3, 0, 4)]
LAYOUTS = ["channels_last", "channels_first"]


def in_layout(host: np.ndarray, layout: str, *, is_transposed: bool) -> np.ndarray:
    """Elements with channels last as an array of a layout, whose memory may be the other's."""
    moved = np.moveaxis(host, -1, 1) if layout == "channels_first" else host
    if not is_transposed:
        return np.ascontiguousarray(moved)
    other = np.ascontiguousarray(np.moveaxis(host, -1, 1))
    return np.moveaxis(other, 1, -1) if layout == "channels_last" else moved


def back(found: sm.Array, layout: str) -> sm.Array:
    return sm.moveaxis(found, 1, -1) if layout == "channels_first" else found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("shape", CHANNELS, ids=str)
def test_channels(shape, layout, is_transposed):
    host = normal(*shape, middle=0.5)
    weight, bias = normal(shape[-1], seed=2), normal(shape[-1], seed=3)
    x = sm.asarray(in_layout(host, layout, is_transposed=is_transposed))
    affine = sm.array(weight), sm.array(bias)
    space = tuple(range(1, len(shape) - 1))
    options = {"eps": 0.1, "layout": layout}

    def check(found: sm.Array, expected: np.ndarray) -> None:
        close(back(found, layout), expected * weight + bias, "float32", 4)

    if host.size:
        check(nn.batch_norm(x, *affine, **options), normalised(host, (0, *space), 0.1))
        mean, variance = nn.batch_statistics(x, layout=layout)
        axes = (0, *space)
        np.testing.assert_allclose(mean.numpy(), host.mean(axes, dtype="f8"), rtol=1e-6)
        expected = host.var(axes, dtype="f8")
        np.testing.assert_allclose(variance.numpy(), expected, rtol=1e-4, atol=1e-9)
    given = normal(shape[-1]), np.abs(normal(shape[-1]))
    known = {"mean": sm.array(given[0]), "variance": sm.array(given[1])}
    expected = (host - given[0]) / np.sqrt(given[1].astype("f8") + 1e-3)
    check(nn.batch_norm(x, *affine, **known, eps=1e-3, layout=layout), expected)
    groups = 2
    each = host.reshape(*shape[:-1], groups, shape[-1] // groups)
    if host.size:
        expected = normalised(each, (*space, len(shape)), 0.1).reshape(shape)
        check(nn.group_norm(x, groups, *affine, **options), expected)
    if space and host.size:
        check(nn.instance_norm(x, *affine, **options), normalised(host, space, 0.1))
    if not host.size:
        assert nn.group_norm(x, 2, layout=layout).shape == x.shape
        assert nn.batch_norm(x, layout=layout).shape == x.shape
        assert np.isnan(nn.batch_statistics(x, layout=layout)[0].numpy()).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_channels_of_other_types(dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    host = normal(4, 5, 6, middle=3.0).astype(kind)
    x = sm.asarray(host)
    wide = host.astype("f8")
    close(nn.batch_norm(x), normalised(wide, (0, 1)), kind, 2)
    expected = normalised(wide.reshape(4, 5, 3, 2), (1, 3)).reshape(4, 5, 6)
    close(nn.group_norm(x, 3), expected, kind, 2)
    close(nn.instance_norm(x), normalised(wide, 1), kind, 2)
    assert nn.batch_statistics(x)[0].dtype == (sm.float64 if dtype == "float64" else sm.float32)


def test_channels_in_many_parts(monkeypatch):
    """Proves that parts are joined, the last ones of which are shorter, of rows and of columns."""
    monkeypatch.setattr(moments, "_PART_OF_ROW", 100)
    moments._plans.clear()
    host = normal(2, 1030, 4, middle=50.0)
    x, first = sm.array(host), sm.array(np.moveaxis(host, -1, 1).copy())
    expected = normalised(host, (0, 1))
    close(nn.batch_norm(x), expected, "float32", 8)
    close(back(nn.batch_norm(first, layout="channels_first"), "channels_first"), expected, "f4", 8)
    expected = normalised(host.reshape(2, 1030, 2, 2), (1, 3)).reshape(host.shape)
    close(nn.group_norm(x, 2), expected, "float32", 8)
    found = nn.group_norm(first, 2, layout="channels_first")
    close(back(found, "channels_first"), expected, "float32", 8)
    moments._plans.clear()


def test_costly_producers_of_channels_are_stored_once():
    x = sm.array(normal(40, 30, 8))
    found = nn.batch_norm(sm.nn.gelu(x))
    assert [step.name for step in sm.explain(found).steps] == ["elementwise", "batch_norm"]
    stored = sm.nn.gelu(x)
    sm.eval(stored)
    assert found.numpy().tobytes() == nn.batch_norm(stored).numpy().tobytes()


@pytest.fixture(params=[1, 1000], ids=["enough", "few"])
def threads(request, monkeypatch):
    """So many cores that the strips below are enough for all of them, or are not."""
    monkeypatch.setattr(normalised_channels, "default_threads", lambda: request.param)
    normalised_channels._plans.clear()
    yield request.param
    normalised_channels._plans.clear()


STRIPS = [
    ((4, 150, 64), "float32"),
    ((4, 150, 64), "float64"),
    ((3, 5, 13, 32), "bfloat16"),
    ((2, 1, 96), "float32"),
    ((1, 9000, 128), "float32"),
    ((5, 130, 40), "float16"),
]


@pytest.mark.parametrize(("shape", "dtype"), STRIPS, ids=str)
@pytest.mark.usefixtures("threads")
def test_strips_of_channels(shape, dtype):
    """Proves them with chunks and parts that are not whole, and with groups of all sizes."""
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    host = normal(*shape, middle=9.0).astype(kind)
    weight, bias = normal(shape[-1], seed=2).astype(kind), normal(shape[-1], seed=3).astype(kind)
    x, *affine = (sm.asarray(each) for each in (host, weight, bias))
    axes, wide = tuple(range(1, len(shape) - 1)), host.astype("f8")
    if kind.itemsize > 2:  # a sum with the bias that is near 0 has few digits
        mean, variance = nn.batch_statistics(x)
        close(mean, wide.mean((0, *axes)), dtype)
        close(variance, wide.var((0, *axes)), dtype, 10)
    found = nn.batch_norm(x, *affine)
    expected = normalised(wide, (0, *axes))
    close(found, expected * weight.astype("f8") + bias.astype("f8"), kind, 8)
    for groups in (1, 8, shape[-1]):
        each = wide.reshape(*shape[:-1], groups, shape[-1] // groups)
        expected = normalised(each, (*axes, len(shape))).reshape(shape)
        expected = expected * weight.astype("f8") + bias.astype("f8")
        found = nn.group_norm(x, groups, *affine)
        assert len(sm.explain(found).steps) == 1
        close(found, expected, kind, 8)
        with sm.no_fusion():
            apart = nn.group_norm(x, groups, *affine)
        assert found.numpy().tobytes() == apart.numpy().tobytes()


@pytest.mark.usefixtures("threads")
def test_what_follows_and_comes_before_strips_is_computed_with_them():
    host, more = normal(4, 70, 64), normal(4, 70, 64, seed=2)
    x, other = sm.array(host), sm.array(more)
    for function in (nn.batch_norm, lambda x: nn.group_norm(x, 4)):
        found = sm.maximum(function(x - other) + other, 0.0)
        assert len(sm.explain(found).steps) == 1
        stored = x - other
        sm.eval(stored)
        with sm.no_fusion():
            apart = sm.maximum(function(stored) + other, 0.0)
        assert found.numpy().tobytes() == apart.numpy().tobytes()
        # What lies otherwise than the result is read as well, or in a step of its own.
        turned = sm.array(np.moveaxis(more, -1, 1).copy())
        found = function(x) * sm.moveaxis(turned, 1, -1)
        np.testing.assert_array_equal(found.numpy(), function(x).numpy() * more)


# --- The benchmark's references, and PyTorch -----------------------------------------------------

CASES = {
    "layer_norm": lambda p, x: nn.layer_norm(x),
    "layer_norm_affine": lambda p, x, weight, bias: nn.layer_norm(x, weight, bias),
    "rms_norm": lambda p, x, weight: nn.rms_norm(x, weight),
    "group_norm": lambda p, x, weight, bias: nn.group_norm(x, p["groups"], weight, bias),
    "batch_norm": lambda p, x, weight, bias: nn.batch_norm(x, weight, bias),
}


@pytest.mark.parametrize("operation", references.OPERATIONS, ids=lambda o: o.name)
def test_they_are_the_benchmarks_operations(operation):
    parameters = {"shape": [3, 4, 5, 16], "groups": 4}
    inputs = operation.inputs(parameters, np.random.default_rng(1))
    inputs = {name: each.astype(np.float32) for name, each in inputs.items()}
    wide = {name: each.astype(np.float64) for name, each in inputs.items()}
    (expected,) = operation.reference(parameters, wide)
    arrays = {name: sm.array(each) for name, each in inputs.items()}
    close(CASES[operation.name](parameters, **arrays), expected, "float32", 2)


def test_they_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    functional = torch.nn.functional
    host, weight, bias = normal(3, 4, 5, 6), normal(4, seed=2), normal(4, seed=3)
    x, w, b = (torch.from_numpy(each) for each in (host, weight, bias))
    ours = [sm.array(each) for each in (host, weight, bias)]
    layout = {"layout": "channels_first"}
    found = nn.batch_norm(*ours, **layout)
    close(found, functional.batch_norm(x, None, None, w, b, training=True).numpy(), "float32", 2)
    found = nn.batch_norm(*ours, mean=ours[2], variance=ours[1] ** 2, **layout)
    close(found, functional.batch_norm(x, b, w * w, w, b).numpy(), "float32", 4)
    found = nn.group_norm(ours[0], 2, *ours[1:], **layout)
    close(found, functional.group_norm(x, 2, w, b).numpy(), "float32", 2)
    close(
        nn.instance_norm(*ours, **layout),
        functional.instance_norm(x, None, None, w, b).numpy(),
        "f4",
        2,
    )
    found = nn.layer_norm(ours[0], axis=(2, 3), eps=0.1)
    close(found, functional.layer_norm(x, (5, 6), eps=0.1).numpy(), "float32", 2)
    found = nn.rms_norm(ours[0], axis=(2, 3), eps=0.1)
    close(found, functional.rms_norm(x, (5, 6), eps=0.1).numpy(), "float32", 2)


# --- What is wrong -------------------------------------------------------------------------------

REFUSED = [
    (lambda x: nn.layer_norm(x.astype(sm.int32)), "layer_norm expected floats for x, got int32"),
    (lambda x: nn.layer_norm(x, sm.ones(3)), r"expected weight of shape \(features...\) = \(4,\)"),
    (lambda x: nn.layer_norm(x, axis=(0, 1)), r"expected one axis or the last ones, got axes \(0,"),
    (lambda x: nn.rms_norm(x, axis=()), "rms_norm expected an axis, or several, got none"),
    (lambda x: nn.batch_norm(x[0, 0]), "batch_norm expected x with a batch axis and channels"),
    (lambda x: nn.batch_norm(x, mean=sm.ones(4)), "or neither of them, got no variance"),
    (lambda x: nn.batch_norm(x, bias=sm.ones(5)), r"expected bias of shape \(channels,\) = \(4,\)"),
    (lambda x: nn.group_norm(x, 3), "group_norm expected groups to divide the 4 channels, got 3"),
    (lambda x: nn.group_norm(x, 0), "group_norm expected groups to divide the 4 channels, got 0"),
    (lambda x: nn.instance_norm(x[0]), "instance_norm expected x with a batch axis, axes of space"),
    (lambda x: nn.group_norm(x, 2, layout="NCHW"), "unknown layout 'NCHW'"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(sm.UserInputError, match=message):
        call(sm.ones((2, 3, 4)))
