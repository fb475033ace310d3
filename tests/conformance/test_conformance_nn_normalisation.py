"""Kernels of normalisation on every device: each of them, whole vectors and parts of some."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.along_axes.normalising import MOST_KEPT
from speedmetal.arrays.along_axes.sorted_axes import SHORT


def normalised(x, axes, eps=1e-5, *, centred=True):
    wide = x.astype(np.float64)
    mean = wide.mean(axes, keepdims=True) if centred else 0.0
    return (wide - mean) / np.sqrt(np.mean((wide - mean) ** 2, axes, keepdims=True) + eps)


def numbers(*shape, dtype="float32", seed=1):
    return (np.random.default_rng(seed).standard_normal(shape) + 3).astype(dtype)


def close(found, expected, dtype="float32"):
    assert found.dtype == dtype
    tolerance = 3e-3 if dtype == "float16" else 2e-5
    np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("length", [SHORT - 1, 100, 128, MOST_KEPT + 30])
@pytest.mark.parametrize("axis", [0, 1])
def test_layer_norm_and_rms_norm(device, length, dtype, axis):
    host = numbers(3, length, dtype=dtype)
    host = host if axis else np.ascontiguousarray(host.T)
    ours = sm.array(host, device=device)
    close(sm.nn.layer_norm(ours, axis=axis), normalised(host, axis), dtype)
    close(sm.nn.rms_norm(ours, axis=axis), normalised(host, axis, centred=False), dtype)


@pytest.mark.parametrize("length", [SHORT - 1, 100, MOST_KEPT + 30])
def test_affine_parts_and_producers(device, length):
    """Proves that what is fused has the bits of what is computed apart."""
    host, weight, bias = numbers(3, length), numbers(length, seed=2), numbers(length, seed=3)
    x, w, b = (sm.array(each, device=device) for each in (host, weight, bias))
    fused = sm.nn.layer_norm(x * 2.0, w, b)
    assert len(sm.explain(fused).steps) == 1
    with sm.no_fusion():
        apart = sm.nn.layer_norm(x * 2.0, w, b)
    assert fused.numpy().tobytes() == apart.numpy().tobytes()
    close(fused, normalised(host * 2.0, 1) * weight + bias)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_channels(device, layout):
    """Proves the moments of rows and of columns, in parts, and joined over groups."""
    host, weight, bias = numbers(2, 300, 4), numbers(4, seed=2), numbers(4, seed=3)
    moved = np.ascontiguousarray(np.moveaxis(host, -1, 1)) if layout == "channels_first" else host
    x, w, b = (sm.array(each, device=device) for each in (moved, weight, bias))

    def check(found, expected):
        back = sm.moveaxis(found, 1, -1) if layout == "channels_first" else found
        close(back, expected * weight + bias)

    check(sm.nn.batch_norm(x, w, b, layout=layout), normalised(host, (0, 1)))
    groups = normalised(host.reshape(2, 300, 2, 2), (1, 3)).reshape(host.shape)
    check(sm.nn.group_norm(x, 2, w, b, layout=layout), groups)
    check(sm.nn.instance_norm(x, w, b, layout=layout), normalised(host, 1))
    mean, variance = sm.nn.batch_statistics(x, layout=layout)
    np.testing.assert_allclose(mean.numpy(), host.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(variance.numpy(), host.var((0, 1)), rtol=1e-4)
    known = sm.nn.batch_norm(x, w, b, mean=mean, variance=variance, layout=layout)
    check(known, normalised(host, (0, 1)))
