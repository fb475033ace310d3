"""Rows of tables and of graphs, combined in groups, on every device; sums are exact."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm

TABLE = np.random.default_rng(0).integers(-9, 10, (6, 37)).astype("f4")
BAGS = [[0, 1, 5], [], [3, 3], [2]]
FOLDS = {"sum": np.sum, "mean": np.mean, "max": np.max}


def combined(bags, reduction):
    rows = [FOLDS[reduction](TABLE[bag], axis=0) if bag else np.zeros(37) for bag in bags]
    return np.array(rows)


@pytest.mark.parametrize("reduction", FOLDS)
def test_bags_of_tokens(device, reduction):
    """With a token that does not count, scales, and what is fused on both sides."""
    table = sm.array(TABLE, device=device)
    tokens, offsets = np.array([token for bag in BAGS for token in bag]), [0, 3, 3, 5]
    found = sm.nn.embedding_bag(tokens, table * 2, offsets, reduction=reduction) + 1
    np.testing.assert_allclose(found.numpy(), 2 * combined(BAGS, reduction) + 1, rtol=1e-6)
    fewer = [[token for token in bag if token != 3] for bag in BAGS]
    found = sm.nn.embedding_bag(tokens, table, offsets, reduction=reduction, padding_index=3)
    np.testing.assert_allclose(found.numpy(), combined(fewer, reduction), rtol=1e-6)
    if reduction == "sum":
        scales = sm.arange(6.0, device=device)
        found = sm.nn.embedding_bag(tokens, table, offsets, reduction="sum", scales=scales)
        weighed = np.add.reduceat(TABLE[tokens] * np.arange(6)[:, None], [0, 3, 5])
        np.testing.assert_array_equal(found.numpy()[[0, 2, 3]], weighed)


@pytest.mark.parametrize("reduction", FOLDS)
def test_neighbours_of_nodes(device, reduction):
    """By a matrix, and by a list of edges."""
    table = sm.array(TABLE, device=device)
    sources = np.array([token for bag in BAGS for token in bag])
    targets = np.repeat(np.arange(4), [len(bag) for bag in BAGS])
    starts, elements = [0, 3, 3, 5, 6], np.ones(6, "f4")
    matrix = sm.sparse.csr_array(elements, sources, starts, (4, 6), device)
    expected = combined(BAGS, reduction)
    for edges in (matrix, (sources, targets)):
        found = sm.nn.aggregate_neighbours(table, edges, nodes=4, reduction=reduction)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_rows_and_ones(device):
    table, tokens = sm.array(TABLE, device=device), sm.array([[1, -1], [0, 5]], device=device)
    np.testing.assert_array_equal(
        sm.nn.embedding(tokens, table, padding_index=5).numpy(),
        TABLE[tokens.numpy()] * np.array([[1, 0], [1, 0]])[..., None],
    )
    assert sm.nn.one_hot(tokens, 2).tolist() == [[[0, 1], [0, 0]], [[1, 0], [0, 0]]]


def test_convolutions_of_graphs(device):
    dense = np.array([[0, 1, 0], [2, 0, 3]], "f4")
    rows, columns = dense.nonzero()
    matrix = sm.sparse.coo_array(dense[rows, columns], rows, columns, dense.shape, device)
    x, bias = TABLE[:3, :4], np.ones(2, "f4")
    for weight in (TABLE[:2, :4], TABLE[:5, :4]):
        own = bias if len(weight) == 2 else None
        there = [None if a is None else sm.array(a, device=device) for a in (x, weight, own)]
        found = sm.nn.graph_convolution(there[0], matrix, *there[1:])
        np.testing.assert_array_equal(found.numpy(), dense @ x @ weight.T + (own is not None))
