"""Diagonals and triangles are NumPy's; a diagonal is a view, a triangle part of its reader."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from strategies import ARRAY_DTYPES, array_pairs, axes_of
from tiers import examples

MATRICES = st.lists(st.integers(0, 4), min_size=2, max_size=3).map(tuple)
OFFSETS = st.integers(-6, 6)


def same(found: sm.Array, expected: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found.numpy(), expected)


@settings(max_examples=examples(200))
@given(array_pairs(shapes=MATRICES), OFFSETS)
def test_triangles(pair, k):
    host, ours = pair
    same(sm.triu(ours, k=k), np.triu(host, k))
    same(sm.tril(ours, k=k), np.tril(host, k))
    assert (sm.triu(ours, k=10**30) == 0).numpy().all()
    same(sm.tril(ours, k=10**30), host)


@settings(max_examples=examples(200))
@given(st.data(), OFFSETS)
def test_diagonals(data, k):
    host, ours = data.draw(array_pairs(shapes=MATRICES))
    axes = data.draw(axes_of(host.ndim, least=2))[:2]
    same(sm.diagonal(ours, k, *axes), np.diagonal(host, k, *axes))
    host, ours = host.copy(), ours.copy()
    sm.diagonal(ours, k, *axes)[...] = 1
    view = np.diagonal(host, k, *axes)
    view.flags.writeable = True
    view[...] = 1
    np.testing.assert_array_equal(ours.numpy(), host)


@settings(max_examples=examples(100))
@given(array_pairs(shapes=st.integers(0, 4).map(lambda n: (n,))), OFFSETS)
def test_matrices_of_a_diagonal(pair, k):
    host, ours = pair
    same(sm.diag(ours, k), np.diag(host, k))
    same(sm.diag(sm.diag(ours, k), k), host)


@settings(max_examples=examples(60))
@given(st.integers(0, 4), st.none() | st.integers(0, 4), OFFSETS, st.sampled_from(ARRAY_DTYPES))
def test_unit_matrices(rows, columns, k, dtype):
    same(sm.eye(rows, columns, k=k, dtype=np.dtype(dtype)), np.eye(rows, columns, k, dtype))
    same(sm.identity(rows), np.eye(rows, dtype=np.float32))


def test_a_triangle_is_computed_by_its_reader():
    x = sm.ones((3, 3)) * 2
    y = sm.triu(x) + sm.tril(x)
    assert y.tolist() == [[4, 2, 2], [2, 4, 2], [2, 2, 4]]
    assert x.pending is not None


def test_bfloat16():
    x = sm.ones((2, 2), "bf16")
    assert sm.triu(x).dtype == sm.bfloat16
    assert sm.eye(2, dtype="bf16").tolist() == [[1, 0], [0, 1]]


def test_what_has_no_diagonal():
    with pytest.raises(sm.UserInputError, match=r"triu expected two axes or more, got shape \(3,"):
        sm.triu(sm.zeros(3))
    with pytest.raises(sm.UserInputError, match=r"diag expected one axis or two, got shape \(\)"):
        sm.diag(sm.zeros(()))
    with pytest.raises(ValueError, match="expected different axes"):
        sm.diagonal(sm.zeros((2, 2)), 0, 1, 1)
