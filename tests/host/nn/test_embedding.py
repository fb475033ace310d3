"""Rows for tokens, against NumPy's indexing and PyTorch's functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from tiers import examples


@st.composite
def tokens_and_tables(draw, axes=None):
    """Tokens of any integers, some from the end, and a table of whole numbers."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=axes or 0, max_size=axes or 3)))
    count = draw(st.integers(1, 9))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    kind = draw(st.sampled_from(["int8", "int32", "int64", "uint16"]))
    tokens = generator.integers(0 if kind == "uint16" else -count, count, shape).astype(kind)
    dtype = draw(st.sampled_from(["float32", "float64", "float16"]))
    table = generator.integers(-9, 9, (count, draw(st.integers(0, 5)))).astype(dtype)
    return tokens, table, draw(st.none() | st.integers(-count, count - 1))


@given(tokens_and_tables())
@settings(max_examples=examples(80), deadline=None)
def test_rows_are_those_of_an_index(case):
    tokens, table, padding = case
    found = sm.nn.embedding(sm.asarray(tokens), sm.asarray(table), padding_index=padding)
    expected = table[tokens]
    if padding is not None:
        expected[(tokens.astype("i8") - padding) % len(table) == 0] = 0
    assert found.dtype == table.dtype
    np.testing.assert_array_equal(found.numpy(), expected)


@given(tokens_and_tables(), st.integers(0, 12))
@settings(max_examples=examples(40), deadline=None)
def test_one_hot_rows_have_a_one_where_there_is_such_a_place(case, count):
    tokens, _, _ = case
    found = sm.nn.one_hot(sm.asarray(tokens), count)
    expected = tokens[..., None].astype("i8") == np.arange(count)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.numpy(), expected.astype("f4"))
    assert sm.nn.one_hot(tokens, count, dtype=sm.int8).dtype == np.int8


def combined(rows, reduction):
    if not len(rows):
        return np.zeros(rows.shape[1:])
    return {"sum": rows.sum, "mean": rows.mean, "max": rows.max}[reduction](axis=0)


@given(tokens_and_tables(2), st.sampled_from(["sum", "mean", "max"]))
@settings(max_examples=examples(80), deadline=None)
def test_bags_combine_the_rows_that_count(case, reduction):
    tokens, table, padding = case
    options = {"reduction": reduction, "padding_index": padding}
    found = sm.nn.embedding_bag(sm.asarray(tokens), sm.asarray(table), **options)
    places = tokens.astype("i8") % len(table)
    bags = [row[row != padding % len(table)] if padding is not None else row for row in places]
    expected = np.array([combined(table[bag].astype("f8"), reduction) for bag in bags])
    assert found.dtype == table.dtype
    assert found.shape == (len(tokens), table.shape[1])
    np.testing.assert_allclose(found.numpy(), expected.reshape(found.shape), rtol=2e-3)
    flat = sm.nn.embedding_bag(
        tokens.ravel(), table, np.arange(len(tokens)) * tokens.shape[1], **options
    )
    np.testing.assert_array_equal(found.numpy(), flat.numpy())


@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2])
def test_they_are_pytorchs(reduction, padding):
    """Empty bags, several in one place, and scales."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    table, tokens = torch.randn(7, 5), torch.randint(0, 7, (20,))
    offsets, scales = torch.tensor([0, 4, 4, 11, 20]), torch.randn(20)
    more = {"per_sample_weights": scales} if reduction == "sum" else {}
    expected = torch.nn.functional.embedding_bag(
        tokens, table, offsets, mode=reduction, padding_idx=padding, **more
    )
    found = sm.nn.embedding_bag(
        sm.asarray(tokens.numpy()),
        sm.asarray(table.numpy()),
        sm.asarray(offsets.numpy()),
        reduction=reduction,
        padding_index=padding,
        scales=sm.asarray(scales.numpy()) if more else None,
    )
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        sm.nn.embedding(tokens.numpy(), table.numpy()).numpy(),
        torch.nn.functional.embedding(tokens, table).numpy(),
    )


def test_nan_counts_as_in_numpy():
    table = np.array([[1.0, np.nan], [2.0, 3.0]], "f4")
    for reduction in ("sum", "mean", "max"):
        found = sm.nn.embedding_bag(np.array([[0, 1]]), table, reduction=reduction).numpy()
        assert np.isnan(found).tolist() == [[False, True]]


def test_what_follows_is_computed_in_the_kernel_of_a_bag():
    tokens, table, bias = np.array([[0, 1], [1, 1]]), sm.array([[1.0, 2.0], [3.0, 4.0]]), sm.ones(2)
    explained = str(sm.explain(sm.nn.embedding_bag(tokens, table * 2) + bias))
    assert "1 step" in explained
    found = sm.nn.embedding_bag(tokens, table * 2) + bias
    assert found.tolist() == [[5.0, 7.0], [7.0, 9.0]]


@pytest.mark.parametrize("count", [1, 8])
def test_costly_tables_are_computed_once(count):
    generator = np.random.default_rng(0)
    table, tokens = sm.asarray(generator.standard_normal((4, 3))), np.arange(4 * count) % 4
    for _ in range(2):  # with and without a plan that is kept
        stored = sm.exp(sm.sin(table))
        sm.eval(stored)
        found = sm.nn.embedding_bag(tokens.reshape(-1, 4), sm.exp(sm.sin(table)))
        expected = sm.nn.embedding_bag(tokens.reshape(-1, 4), stored)
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_tokens_that_change_later_do_not_matter():
    """What was checked is what is read."""
    tokens = np.array([[0, 1]])
    lazy = sm.nn.embedding_bag(tokens, sm.array([[1.0], [3.0]]))
    tokens[...] = 10**6
    assert lazy.tolist() == [[2.0]]


TABLE = sm.ones((3, 2))
WRONG = {
    r"embedding expected weight of shape \(count, features\), got \(3,\)": lambda: sm.nn.embedding(
        [0], sm.ones(3)
    ),
    r"embedding expected integers as tokens, got float32; convert with": lambda: sm.nn.embedding(
        sm.ones(2), TABLE
    ),
    r"padding_index from -3 to 2, as there are 3 tokens, got 3": lambda: sm.nn.embedding(
        [0], TABLE, padding_index=3
    ),
    r"one_hot expected a count of 0 or more, got -1": lambda: sm.nn.one_hot([0], -1),
    r"unknown embedding_bag reduction 'least'.*: max, mean, sum": lambda: sm.nn.embedding_bag(
        [[0]], TABLE, reduction="least"
    ),
    r'takes scales for reduction="sum" alone, got \'mean\'': lambda: sm.nn.embedding_bag(
        [[0]], TABLE, scales=sm.ones((1, 1))
    ),
    r"scales of shape those of the tokens = \(1, 1\), got \(1,\)": lambda: sm.nn.embedding_bag(
        [[0]], TABLE, scales=sm.ones(1), reduction="sum"
    ),
    r"tokens of shape \(bags, length\), got \(1,\); tokens of one axis need": lambda: (
        sm.nn.embedding_bag([0], TABLE)
    ),
    r"tokens and offsets, integers, of one axis each, got tokens of shape \(1, 1\)": lambda: (
        sm.nn.embedding_bag([[0]], TABLE, [0])
    ),
}
OUTSIDE = {
    r"3 .*3": lambda: sm.nn.embedding([0, 3], TABLE),
    r"-4 .*3": lambda: sm.nn.embedding_bag([[0, -4]], TABLE),
    r"offsets that rise from 0 to at most 2, got \[1\]": lambda: sm.nn.embedding_bag(
        [0, 1], TABLE, [1]
    ),
    r"offsets that rise from 0 to at most 2, got \[0 2 1\]": lambda: sm.nn.embedding_bag(
        [0, 1], TABLE, [0, 2, 1]
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_told(message):
    with pytest.raises(sm.UserInputError, match=message):
        WRONG[message]()


@pytest.mark.parametrize("message", OUTSIDE)
def test_places_outside_are_told(message):
    with pytest.raises(IndexError, match=message):
        OUTSIDE[message]()
