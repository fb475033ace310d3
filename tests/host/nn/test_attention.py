"""Attention against its formula in double precision, and against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.bench.operations.attention import OPERATIONS
from speedmetal.nn import attention
from tiers import examples

attend = sm.nn.scaled_dot_product_attention


def by_formula(query, key, value, mask=None, causal=False, scale=None):
    """``softmax(scale * query @ key.T + mask) @ value``; 0 where a query sees nothing."""
    query, key, value = (x.astype("f8") for x in (query, key, value))
    if query.ndim > 2:
        group = query.shape[-3] // key.shape[-3]
        key, value = (np.repeat(x, group, axis=-3) for x in (key, value))
    scores = query @ np.swapaxes(key, -1, -2)
    scores *= 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        n, m = scores.shape[-2:]
        scores = np.where(np.tri(n, m, m - n, dtype=bool), scores, -np.inf)
    greatest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    powers = np.exp(scores - np.where(np.isneginf(greatest), 0, greatest))
    total = powers.sum(axis=-1, keepdims=True)
    return (powers / np.where(total == 0, 1, total)) @ value


def numbers(seed, *shape, dtype="f4"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def check(found, expected, unit=2.0**-16):  # scores of 50 have errors of 2**-18
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy().astype("f8"), expected, rtol=unit, atol=unit)


def drawn_mask(draw, shape):
    """None, bools or numbers, some of them -inf, along some of the axes."""
    kind = draw(st.sampled_from(["none", "bools", "numbers"]))
    if kind == "none":
        return None
    own = [extent if draw(st.booleans()) else 1 for extent in shape]
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    seen = generator.random(own[draw(st.integers(0, len(own) - 2)) :]) > 0.4
    if kind == "bools":
        return seen
    return np.where(seen, generator.normal(size=seen.shape), -np.inf).astype("f4")


@st.composite
def calls(draw, queries, sizes):
    """Operands of any batch, whose axes lie in any order, and the options."""
    group, key_heads = draw(st.sampled_from([(1, 1), (1, 2), (2, 2), (3, 1)]))
    outer = draw(st.sampled_from([(), (2,), (2, 1)]))
    n, m = draw(queries), draw(st.sampled_from([0, 1, 5, 32, 33, 70]))
    head_size, value_size = sizes
    shapes = (
        (*outer, group * key_heads, n, head_size),
        (*outer, key_heads, m, head_size),
        (*outer, key_heads, m, value_size),
    )
    operands = []
    for seed, shape in enumerate(shapes):
        x = numbers(seed, *shape)
        if draw(st.booleans()):  # as projections leave them: (batch, length, heads, size)
            x = np.ascontiguousarray(np.swapaxes(x, -2, -3)).swapaxes(-2, -3)
        operands.append(x)
    mask = drawn_mask(draw, (*shapes[0][:-1], m))
    scale = draw(st.sampled_from([None, 3.0]))
    return operands, {"mask": mask, "causal": draw(st.booleans()), "scale": scale}


@given(calls(st.sampled_from([8, 16, 17, 40, 70]), (7, 5)))
@settings(max_examples=examples(60), deadline=None)
def test_threads_with_queries_of_their_own(call):
    operands, options = call
    found = attend(*map(sm.asarray, operands), **options)
    check(found, by_formula(*operands, **options))


@given(calls(st.sampled_from([0, 1, 2, 5]), (37, 70)))
@settings(max_examples=examples(60), deadline=None)
def test_simdgroups_that_share_queries(call):
    operands, options = call
    found = attend(*map(sm.asarray, operands), **options)
    check(found, by_formula(*operands, **options))


@pytest.mark.parametrize("sizes", [(16, 16), (64, 64), (80, 96), (129, 1), (256, 256), (300, 300)])
@pytest.mark.parametrize("n", [3, 20])
def test_sizes_of_heads(sizes, n):
    operands = (
        numbers(0, 1, 2, n, sizes[0]),
        numbers(1, 1, 2, 40, sizes[0]),
        numbers(2, 1, 2, 40, sizes[1]),
    )
    check(attend(*map(sm.asarray, operands), causal=True), by_formula(*operands, causal=True))


@pytest.mark.parametrize("dtype", [sm.float16, sm.bfloat16, sm.float64], ids=str)
@pytest.mark.parametrize("n", [2, 20])
def test_dtypes_and_what_is_computed_before(dtype, n):
    """Half precision is computed in float32 and rounded once; operands may be expressions."""
    operands = [numbers(k, 2, n if k == 0 else 50, 8).astype(dtype.numpy) for k in range(3)]
    query, key, value = map(sm.asarray, operands)
    found = attend(query * 2, key * 0.5, -value, mask=sm.asarray(numbers(4, n, 50)) > 0)
    assert found.dtype == dtype
    query, key, value = operands
    two, half = dtype.numpy.type(2), dtype.numpy.type(0.5)
    expected = by_formula(query * two, key * half, -value, mask=numbers(4, n, 50) > 0)
    check(
        found,
        expected,
        {16: 2.0**-8 if dtype is sm.bfloat16 else 2.0**-11, 64: 2.0**-48}[dtype.bits],
    )


@pytest.mark.parametrize("case", [case.parameters for case in OPERATIONS[0].cases], ids=str)
def test_the_benchmarks_operation(case):
    params = {**case, "batch": 1, "heads": 2}
    inputs = OPERATIONS[0].inputs(params, np.random.default_rng(0))
    wide = {k: x.astype("f8") if x.dtype != bool else x for k, x in inputs.items()}
    (expected,) = OPERATIONS[0].reference(params, wide)
    operands = [sm.asarray(inputs[what]) for what in ("query", "key", "value")]
    check(attend(*operands, mask=sm.asarray(inputs["mask"])), expected)
    check(attend(*operands, causal=True), expected)


@pytest.mark.parametrize("n", [4, 40])
def test_large_scores_do_not_overflow(n):
    query, key, value = (numbers(k, 1, n if k == 0 else 50, 16) for k in range(3))
    query *= 1000
    check(attend(*map(sm.asarray, (query, key, value))), by_formula(query, key, value), 2.0**-9)


@pytest.mark.parametrize("n", [4, 40])
def test_nan_stays_in_its_row_and_a_hidden_key_does_not_count(n):
    query, key, value = (numbers(k, 1, n if k == 0 else 50, 16) for k in range(3))
    query[0, 2], key[0, 7] = np.nan, np.nan
    mask = np.ones((n, 50), bool)
    mask[:, 7] = False
    found = attend(*map(sm.asarray, (query, key, value)), mask=mask).numpy()
    assert np.isnan(found[0, 2]).all()
    assert not np.isnan(np.delete(found, 2, axis=1)).any()


@pytest.mark.parametrize("n", [4, 40])
def test_queries_without_a_key_give_0_as_in_pytorch(n):
    torch = pytest.importorskip("torch")
    operands = [numbers(k, 1, 2, n if k == 0 else 50, 16) for k in range(3)]
    mask = np.random.default_rng(0).random((n, 50)) > 0.5
    mask[1] = False
    found = attend(*map(sm.asarray, operands), mask=mask).numpy()
    given_ = [torch.from_numpy(x) for x in (*operands, mask)]
    theirs = torch.nn.functional.scaled_dot_product_attention(*given_).numpy()
    assert not found[:, :, 1].any()
    np.testing.assert_allclose(found, theirs, rtol=1e-5, atol=1e-6)


def test_blocks_that_a_mask_hides_are_left_out():
    """The keys of such blocks are never read: NaN there does not come through."""
    operands = [numbers(k, 1, 64, 16) for k in range(3)]
    operands[1][0, 32:] = operands[2][0, 32:] = np.nan
    mask = np.ones((64, 64), bool)
    mask[:, 32:] = False
    for seen in (mask, np.where(mask, 0.0, -np.inf).astype("f4")):
        assert not np.isnan(attend(*map(sm.asarray, operands), mask=seen).numpy()).any()


def test_each_group_of_queries_has_hidden_blocks_of_its_own():
    operands = [numbers(k, 1, 70, 16) for k in range(3)]
    mask = np.kron(1 - np.eye(3), np.ones((32, 32)))[:70, :70].astype(bool)
    check(attend(*map(sm.asarray, operands), mask=mask), by_formula(*operands, mask=mask))


@pytest.mark.parametrize("n", [4, 40])
@pytest.mark.parametrize("slope", [-0.2, 0.2])
def test_the_greatest_score_may_be_in_any_block(n, slope):
    """What was summed before is scaled, once, when greater scores come."""
    query, key, value = np.ones((1, n, 4), "f4"), numbers(1, 1, 100, 4), numbers(2, 1, 100, 4)
    key += slope * np.arange(100, dtype="f4")[:, None]
    check(attend(*map(sm.asarray, (query, key, value))), by_formula(query, key, value))


def test_it_is_one_lazy_step():
    x = sm.ones((1, 2, 20, 8))
    found = attend(2 * x, x, x)
    assert "scaled_dot_product_attention" in str(sm.explain(found))
    np.testing.assert_allclose(found.numpy(), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        ([(2, 5, 8), (3, 5, 8), (3, 5, 8)], {}, "key_heads divides heads; got"),
        ([(2, 5, 8), (2, 5, 7), (2, 5, 8)], {}, "expected query of shape"),
        ([(2, 5, 8), (2, 5, 8), (2, 6, 8)], {}, "expected query of shape"),
        ([(5,), (5,), (5,)], {}, "expected query of shape"),
        ([(2, 5, 8)] * 3, {"mask": np.ones((5, 4), bool)}, r"broadcast to .* = \(2, 5, 5\), got"),
        ([(2, 5, 8)] * 3, {"mask": np.ones((5, 5), int)}, "bools, True where .* got int64"),
    ],
)
def test_what_is_wrong(shapes, options, words):
    with pytest.raises(sm.UserInputError, match=words):
        attend(*(sm.ones(shape) for shape in shapes), **options)
    x = sm.ones((2, 5, 8))
    with pytest.raises(sm.UserInputError, match="expected floats for key, got int32"):
        attend(x, x.astype(sm.int32), x)


def test_the_ways_are_those_that_the_tests_mean():
    x, long = sm.ones((1, 2, 20, 8)), sm.ones((1, 2, 20, attention.LONG_HEAD + 1))
    assert not attention._is_by_heads(x, x, x)
    assert attention._is_by_heads(x[:, :, :5], x, x)
    assert attention._is_by_heads(long, long, x)
