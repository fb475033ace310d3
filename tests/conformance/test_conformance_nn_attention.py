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


SHAPES = {
    "tiles": ((2, 2, 40, 16), 1, 100, 16),
    "several tiles": ((1, 1, 150, 32), 1, 150, 64),
    "ragged": ((1, 3, 33, 5), 1, 70, 3),
    "pieces of 8 bytes": ((1, 2, 20, 36), 2, 41, 20),
    "long heads": ((1, 1, 20, 129), 1, 40, 200),
    "one query": ((2, 4, 1, 64), 2, 700, 64),
    "few queries": ((1, 6, 2, 40), 2, 300, 24),
    "few queries, long heads": ((1, 2, 3, 200), 1, 50, 256),
}


@pytest.mark.parametrize("dtype", [sm.float32, sm.float16, sm.bfloat16], ids=str)
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("causal", [False, True])
def test_shapes_and_types(device, name, dtype, causal):
    """Tiles that are full and not, heads that share keys, and keys in one part and several."""
    shape, key_heads, keys, size = SHAPES[name]
    generator = np.random.default_rng(keys)
    shapes = (shape, (shape[0], key_heads, keys, shape[3]), (shape[0], key_heads, keys, size))
    operands = [
        sm.array(2 * generator.normal(size=each), device=device, dtype=sm.float32).astype(dtype)
        for each in shapes
    ]
    found = sm.nn.scaled_dot_product_attention(*operands, causal=causal)
    assert found.dtype == dtype
    query, key, value = (operand.numpy().astype("f8") for operand in operands)
    key, value = (np.repeat(x, shape[1] // key_heads, axis=1) for x in (key, value))
    queries = shape[2]
    seen = np.tri(queries, keys, keys - queries, dtype=bool) | (not causal)
    expected = reference(query, key, value, seen)
    unit = {sm.float32: 2.0**-17, sm.float16: 2.0**-9, sm.bfloat16: 2.0**-6}[dtype]
    np.testing.assert_allclose(found.numpy().astype("f8"), expected, rtol=unit, atol=unit)


@pytest.mark.parametrize("dtype", [sm.float32, sm.float16], ids=str)
@pytest.mark.parametrize("queries", [3, 40])
def test_the_greatest_score_may_come_late(device, queries, dtype):
    """What was summed before is scaled when greater scores come, by little and by much."""
    generator = np.random.default_rng(queries)
    query = np.ones((1, queries, 4), "f4")
    key, value = generator.normal(size=(1, 300, 4)), generator.normal(size=(1, 300, 4))
    key += 0.03 * np.arange(300)[:, None] + 8 * (np.arange(300) > 200)[:, None]
    operands = [
        sm.array(x, device=device, dtype=sm.float32).astype(dtype) for x in (query, key, value)
    ]
    found = sm.nn.scaled_dot_product_attention(*operands)
    expected = reference(*(x.numpy().astype("f8") for x in operands), np.ones(300, bool))
    unit = 1e-4 if dtype is sm.float32 else 2e-3
    np.testing.assert_allclose(found.numpy().astype("f8"), expected, rtol=unit, atol=unit)


@pytest.mark.parametrize("dtype", [sm.float32, sm.float16], ids=str)
@pytest.mark.parametrize("queries", [4, 40])
def test_nan_stays_in_its_row_and_hidden_keys_do_not_count(device, queries, dtype):
    generator = np.random.default_rng(queries)
    shapes = ((1, queries, 16), (1, 50, 16), (1, 50, 16))
    query, key, value = (generator.normal(size=shape).astype("f4") for shape in shapes)
    query[0, 2], key[0, 7] = np.nan, np.nan
    mask = np.ones((queries, 50), bool)
    mask[:, 7], mask[3] = False, False
    operands = (sm.array(x, device=device).astype(dtype) for x in (query, key, value))
    mask = sm.array(mask, device=device)
    found = sm.nn.scaled_dot_product_attention(*operands, mask=mask).numpy()
    assert np.isnan(found[0, 2]).all()
    assert not np.isnan(np.delete(found, 2, axis=1)).any()
    assert not found[0, 3].any()


LOWEST = {sm.float32: np.finfo("f4").min, sm.bfloat16: -(2.0 - 2.0**-7) * 2.0**127}


@pytest.mark.parametrize("dtype", [sm.float32, sm.float16, sm.bfloat16], ids=str)
@pytest.mark.parametrize("mask", LOWEST, ids=str)
@pytest.mark.parametrize("queries", [3, 40])
def test_keys_with_the_lowest_finite_mask_weigh_alike(device, queries, mask, dtype):
    """Rows that are hidden by such numbers wholly see all keys; others only what is not hidden."""
    generator = np.random.default_rng(queries)
    shapes = ((2, queries, 16), (2, 45, 16), (2, 45, 16))
    query, key, value = (
        sm.array(generator.normal(size=shape).astype("f4"), device=device).astype(dtype)
        for shape in shapes
    )
    numbers = np.full((2, queries, 45), LOWEST[mask], "f4")
    numbers[:, 1, 20:], numbers[:, 2] = 0, -np.inf
    given = sm.array(numbers, device=device).astype(mask)
    found = sm.nn.scaled_dot_product_attention(query, key, value, mask=given)
    operands = [x.numpy().astype("f8") for x in (query, key, value)]
    operands[0] = np.where(np.arange(queries)[:, None] == 1, operands[0], 0)  # all alike
    expected = reference(*operands, (numbers == 0) | (np.arange(queries)[:, None] != 1))
    expected[:, 2] = 0
    unit = {sm.float32: 2.0**-17, sm.float16: 2.0**-9, sm.bfloat16: 2.0**-6}[dtype]
    np.testing.assert_allclose(found.numpy().astype("f8"), expected, rtol=unit, atol=unit)


@pytest.mark.parametrize("dtype", [sm.float32, sm.float16, sm.bfloat16], ids=str)
@pytest.mark.parametrize(("queries", "keys"), [(1, 45), (3, 700), (40, 45)])
def test_the_last_value_may_be_infinite(device, queries, keys, dtype):
    """Places of a block behind the last key have no value, though nothing divides their number."""
    generator = np.random.default_rng(keys)
    shapes = ((2, queries, 16), (2, keys, 16), (2, keys, 16))
    query, key, value = (generator.normal(size=shape).astype("f4") for shape in shapes)
    value[:, -1, ::2] = np.inf
    operands = [sm.array(x, device=device).astype(dtype) for x in (query, key, value)]
    found = sm.nn.scaled_dot_product_attention(*operands).numpy().astype("f8")
    expected = reference(*(x.numpy().astype("f8") for x in operands), np.ones(keys, bool))
    assert np.isposinf(expected[..., ::2]).all()
    unit = {sm.float32: 2.0**-17, sm.float16: 2.0**-9, sm.bfloat16: 2.0**-6}[dtype]
    np.testing.assert_allclose(found, expected, rtol=unit, atol=unit)


def test_operands_lie_as_they_may(device):
    """Transposed ones are copied; those that are computed before are, once."""
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=(2, 32, 40, 2)).astype("f4") for _ in range(3)]
    given = [sm.array(x, device=device).transpose((0, 3, 2, 1)) for x in arrays]
    found = sm.nn.scaled_dot_product_attention(given[0] * 2, given[1], given[2] + 1)
    query, key, value = (x.transpose(0, 3, 2, 1).astype("f8") for x in arrays)
    expected = reference(query * 2, key, value + 1, np.ones(40, bool))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)
