"""The kernels of attention, on every device."""

from __future__ import annotations

import math

import numpy as np
import pytest

import speedmetal as sm


def reference(query, key, value, mask):
    scores = query @ np.swapaxes(key, -1, -2) / math.sqrt(query.shape[-1])
    scores = np.where(mask, scores, -np.inf)
    powers = np.exp(scores - np.maximum(scores.max(axis=-1, keepdims=True), -1e30))
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total) @ value


@pytest.mark.parametrize("queries", [3, 9])
@pytest.mark.parametrize("mask", ["none", "bools", "numbers"])
def test_attention(device, queries, mask):
    """Both ways to lay threads over the work, with blocks that are hidden, full and ragged."""
    generator = np.random.default_rng(queries)
    shapes = ((1, 2, queries, 6), (1, 1, 40, 6), (1, 1, 40, 9))
    query, key, value = (generator.normal(size=shape).astype("f4") for shape in shapes)
    seen = np.ones((queries, 40), bool)
    given = None
    if mask != "none":
        seen = generator.random((queries, 40)) > 0.5
        seen[1], seen[:, 32:] = False, False
        given = seen if mask == "bools" else np.where(seen, 0, -np.inf).astype("f4")
        given = sm.array(given, device=device)
    operands = (sm.array(x, device=device) for x in (query, key, value))
    found = sm.nn.scaled_dot_product_attention(*operands, mask=given, causal=True)
    whole = seen & np.tri(queries, 40, 40 - queries, dtype=bool)
    expected = reference(query, key, value, whole)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)
