"""Kernels of losses, and dropout, on every device."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm


def close(found, expected, dtype="float32"):
    tolerance = 2e-3 if dtype == "float16" else 1e-5
    assert found.dtype == dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("size", [5, 300])
def test_binary_cross_entropy(device, size, dtype, reduction):
    rng = np.random.default_rng(1)
    p, target = (rng.uniform(0.05, 0.95, size).astype(dtype) for _ in range(2))
    p[0], target[0] = 0, 1
    arrays = [sm.array(each, device=device) for each in (p, target)]
    wide, to = p.astype("f8"), target.astype("f8")
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(wide), -100), np.log1p(-wide)
    losses = -(to * logs[0] + (1 - to) * logs[1])
    expected = losses.mean() if reduction == "mean" else losses
    close(sm.nn.binary_cross_entropy(*arrays, reduction=reduction), expected, dtype)


def test_logits_with_weights(device):
    rng = np.random.default_rng(2)
    x = (rng.standard_normal((7, 40)) * 60).astype("float32")
    target = rng.uniform(0, 1, (7, 40)).astype("float32")
    weight, share = rng.uniform(0, 2, (7, 1)), rng.uniform(0, 3, 40)
    x_, t_, w_, s_ = (
        sm.array(each.astype("float32"), device=device) for each in (x, target, weight, share)
    )
    wide = x.astype("f8")
    losses = (1 - target) * wide + (1 + (share - 1) * target) * np.logaddexp(0, -wide)
    found = sm.nn.binary_cross_entropy_with_logits(x_, t_, w_, pos_weight=s_, reduction="sum")
    close(found / 1000, (weight * losses).sum() / 1000)
    close(
        sm.nn.binary_cross_entropy_with_logits(x_, t_),
        (np.logaddexp(0, wide) - target * wide).mean(),
    )


@pytest.mark.parametrize("classes", [3, 32, 75])
def test_cross_entropy(device, classes):
    rng = np.random.default_rng(3)
    x = (rng.standard_normal((5, classes)) * 30).astype("float32")
    labels = rng.integers(0, classes, 5)
    labels[1] = -100
    wide = x.astype("f8")
    rows = np.logaddexp.reduce(wide, axis=1) - wide[np.arange(5), np.maximum(labels, 0)]
    arrays = sm.array(x, device=device), sm.array(labels.astype("int32"), device=device)
    rows[1] = 0
    close(sm.nn.cross_entropy(*arrays, reduction="none"), rows)
    close(sm.nn.cross_entropy(*arrays), rows.sum() / 4)


def test_dropout(device):
    """Proves that every device leaves out the same elements, in the kernel that draws."""
    host = np.random.default_rng(4).standard_normal((5, 9)).astype("float32")
    x = sm.array(host, device=device)
    found = sm.nn.dropout(x * 2.0, 0.4, generator=sm.random.default_rng(6)) + x
    assert len(sm.explain(found).steps) == 1
    kept = sm.random.default_rng(6).random((5, 9), device="cpu").numpy() >= np.float32(0.4)
    close(found, np.where(kept, host * 2 / 0.6, 0) + host)
