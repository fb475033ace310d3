"""Layers of graphs against dense matrices, and loops over edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from tiers import examples


@st.composite
def graphs(draw):
    """Edges between nodes of two sides, some of them several times, and what the sources have."""
    sources, targets = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    count = draw(st.integers(0, 20))
    edges = generator.integers(0, sources, count), generator.integers(0, targets, count)
    dtype = draw(st.sampled_from(["float32", "float64", "float16"]))
    width = tuple(draw(st.lists(st.integers(0, 4), max_size=2)))
    x = generator.integers(-5, 6, (sources, *width)).astype(dtype)
    return x, edges, targets


def combined(x, edges, targets, reduction):
    """What each target's sources have, edge by edge."""
    found = np.zeros((targets, *x.shape[1:]))
    for target in range(targets):
        rows = x[edges[0][edges[1] == target]].astype("f8")
        if len(rows):
            found[target] = {"sum": rows.sum, "mean": rows.mean, "max": rows.max}[reduction](axis=0)
    return found


@given(graphs(), st.sampled_from(["sum", "mean", "max"]))
@settings(max_examples=examples(80), deadline=None)
def test_neighbours_are_combined_edge_by_edge(graph, reduction):
    """From lists of edges, and from matrices, whose elements do not count."""
    x, edges, targets = graph
    expected = combined(x, edges, targets, reduction)
    ours = sm.asarray(x)
    given_ = sm.asarray(np.stack(edges)) if len(edges[0]) % 2 else edges
    found = sm.nn.aggregate_neighbours(ours, given_, nodes=targets, reduction=reduction)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-3)
    starts = np.append(0, np.bincount(edges[1], minlength=targets).cumsum())
    columns = edges[0][np.argsort(edges[1], kind="stable")]
    elements = np.full(len(columns), 7.0, "f4")
    matrix = sm.sparse.csr_array(elements, columns, starts, (targets, len(x)))
    by_rows = sm.nn.aggregate_neighbours(ours, matrix, reduction=reduction)
    assert by_rows.dtype == x.dtype
    np.testing.assert_allclose(by_rows.numpy(), expected, rtol=2e-3)


@given(graphs(), st.integers(1, 5), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_convolutions_are_products_of_dense_matrices(graph, out, has_bias):
    x, edges, targets = graph
    if x.ndim != 2:
        return
    generator = np.random.default_rng(out)
    elements = generator.integers(-3, 4, len(edges[0])).astype("f4")
    matrix = sm.sparse.coo_array(elements, edges[1], edges[0], (targets, len(x)))
    weight = generator.integers(-3, 4, (out, x.shape[1])).astype(x.dtype)
    bias = generator.integers(-3, 4, out).astype(x.dtype) if has_bias else None
    found = sm.nn.graph_convolution(sm.asarray(x), matrix, weight, bias)
    expected = matrix.todense().numpy().astype("f8") @ x @ weight.T + (bias if has_bias else 0)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3)


@given(st.integers(1, 7), st.booleans(), st.sampled_from(["float32", "float64"]))
@settings(max_examples=examples(40), deadline=None)
def test_normalised_matrices_are_the_papers(count, self_loops, dtype):
    """With nodes that have no neighbours, which stay 0."""
    generator = np.random.default_rng(count)
    dense = np.triu(generator.random((count, count)) < 0.4, 1).astype(dtype)
    dense = dense + dense.T
    rows, columns = dense.nonzero()
    matrix = sm.sparse.coo_array(dense[rows, columns], rows, columns, dense.shape)
    found = sm.nn.normalised_adjacency(matrix, self_loops=self_loops)
    whole = dense + (np.eye(count) if self_loops else 0)
    degrees = whole.sum(axis=1)
    roots = np.divide(1, np.sqrt(degrees), out=np.zeros(count), where=degrees > 0)
    assert found.dtype == dtype
    np.testing.assert_allclose(
        found.todense().numpy(), roots[:, None] * whole * roots, rtol=1e-6, atol=1e-7
    )


def test_a_layer_is_a_mean_where_all_nodes_are_alike():
    """On a ring with its own nodes, each of three neighbours has a third."""
    nodes = np.arange(6)
    rows, columns = np.tile(nodes, 2), np.append((nodes + 1) % 6, (nodes - 1) % 6)
    ring = sm.sparse.coo_array(np.ones(12, "f4"), rows, columns, (6, 6))
    x = sm.arange(6.0)[:, None]
    found = sm.nn.graph_convolution(x, sm.nn.normalised_adjacency(ring), sm.ones((1, 1)))
    expected = (x.numpy() + np.roll(x.numpy(), 1, 0) + np.roll(x.numpy(), -1, 0)) / 3
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_nan_reaches_the_neighbours_alone():
    x = sm.array([[float("nan")], [1.0]])
    for reduction in ("sum", "mean", "max"):
        for edges in (([0, 1], [0, 1]), sm.sparse.csr_array([1.0, 1.0], [0, 1], [0, 1, 2], (2, 2))):
            found = sm.nn.aggregate_neighbours(x, edges, reduction=reduction).numpy()
            assert np.isnan(found[0, 0])
            assert found[1, 0] == 1


def test_infinities_are_not_taken_for_nothing():
    """The greatest of -inf alone is -inf; of no neighbours 0."""
    x = sm.array([[float("-inf")]])
    found = sm.nn.aggregate_neighbours(x, ([0], [0]), nodes=2, reduction="max")
    assert found.tolist() == [[float("-inf")], [0.0]]


RING = sm.sparse.csr_array([1.0, 1.0], [1, 0], [0, 1, 2], (2, 2))
WIDE = sm.sparse.csr_array([1.0], [1], [0, 1], (1, 2))
X = sm.ones((2, 3))
WRONG = {
    r"graph_convolution expected a matrix of sm.sparse, got an Array; see": lambda: (
        sm.nn.graph_convolution(X, sm.eye(2), sm.ones((1, 3)))
    ),
    r"x of shape \(nodes, features\) and weight of shape .* got \(2,\) and \(1, 3\)": lambda: (
        sm.nn.graph_convolution(sm.ones(2), RING, sm.ones((1, 3)))
    ),
    r"x of shape \(nodes, features\) = \(2, 3\), got \(4, 3\)": lambda: sm.nn.graph_convolution(
        sm.ones((4, 3)), RING, sm.ones((1, 3))
    ),
    r"weight of shape \(out, features\) = \(1, 3\), got \(1, 2\)": lambda: sm.nn.graph_convolution(
        X, RING, sm.ones((1, 2))
    ),
    r"bias of shape \(out,\) = \(1,\), got \(3,\)": lambda: sm.nn.graph_convolution(
        X, RING, sm.ones((1, 3)), sm.ones(3)
    ),
    r"a square matrix of floats, got shape \(1, 2\) of float32": lambda: sm.nn.normalised_adjacency(
        WIDE
    ),
    r"no negative elements, got -1.0": lambda: sm.nn.normalised_adjacency(-RING),
    r"unknown aggregate_neighbours reduction 'least'": lambda: sm.nn.aggregate_neighbours(
        X, RING, reduction="least"
    ),
    r"edges \(sources, targets\), two rows of integers .* got int64 of shape \(3,\)": lambda: (
        sm.nn.aggregate_neighbours(X, np.arange(3))
    ),
    r"got float64 of shape \(1,\) and int64 of shape \(1,\)": lambda: sm.nn.aggregate_neighbours(
        X, (np.ones(1), np.ones(1, "i8"))
    ),
    r"x of shape \(2, ...\) for a matrix of shape \(2, 2\).* got \(3, 1\) and None": lambda: (
        sm.nn.aggregate_neighbours(sm.ones((3, 1)), RING)
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_told(message):
    with pytest.raises(sm.UserInputError, match=message):
        WRONG[message]()


@pytest.mark.parametrize("edges", [([2], [0]), ([0], [2]), ([0], [-1])])
def test_nodes_outside_are_told(edges):
    with pytest.raises(IndexError):
        sm.nn.aggregate_neighbours(X, edges)
