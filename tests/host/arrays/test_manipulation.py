"""Views of the same elements with other axes: NumPy's, of stored arrays and of lazy ones."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from strategies import array_pairs, axes_of
from tiers import examples


def check(function: Any, host: Any, ours: Any) -> None:
    """What the function makes with NumPy, it makes with us."""
    expected, found = function(np, host), function(sm, ours)
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
    else:
        expected, found = [expected], [found]
    for a, b in zip(expected, found, strict=True):
        assert isinstance(b, sm.Array)
        assert (b.shape, b.dtype) == (a.shape, a.dtype)
        np.testing.assert_array_equal(b.numpy(), a)


def writing_reaches_the_same(function: Any, host: Any, ours: Any) -> None:
    """What is written to the view is seen in the array, as with NumPy."""
    before = host.copy()
    function(np, host)[...] = 1
    function(sm, ours)[...] = 1
    np.testing.assert_array_equal(ours.numpy(), host)
    assert not host.size or before.shape == ours.shape


@st.composite
def view_functions(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """A function of a module and an array that gives a view."""
    ndim = len(shape)
    order, some = draw(axes_of(ndim, least=ndim)), draw(axes_of(ndim))
    places = draw(axes_of(ndim, least=len(some)))[: len(some)]
    ones = tuple(axis for axis in some if shape[axis] == 1)
    count = draw(st.integers(0, 2))
    new = draw(axes_of(ndim + count, least=count))[:count]
    functions = [
        lambda xp, x: xp.permute_dims(x, order),
        lambda xp, x: xp.moveaxis(x, some, places),
        lambda xp, x: xp.flip(x, axis=some),
        lambda xp, x: xp.flip(x),
        lambda xp, x: xp.squeeze(x, axis=ones),
        lambda xp, x: xp.squeeze(x),
        lambda xp, x: xp.expand_dims(x, axis=new),
        lambda xp, x: xp.transpose(x),
        lambda xp, x: xp.atleast_1d(x),
        lambda xp, x: xp.atleast_2d(x),
        lambda xp, x: xp.atleast_3d(x),
    ]
    if ndim > 1:
        k, pair = draw(st.integers(-3, 5)), order[:2]
        functions += [
            lambda xp, x: xp.rot90(x, k, axes=pair),
            lambda xp, x: xp.swapaxes(x, *pair),
            lambda xp, x: xp.matrix_transpose(x) if xp is np else x.mT,
        ]
    return draw(st.sampled_from(functions))


@settings(max_examples=examples(600))
@given(st.data())
def test_views_are_numpys(data: st.DataObject):
    host, ours = data.draw(array_pairs())
    check(data.draw(view_functions(host.shape)), host, ours)


@settings(max_examples=examples(300))
@given(st.data())
def test_what_is_written_to_a_view_is_seen_in_the_array(data: st.DataObject):
    host, ours = data.draw(array_pairs().filter(lambda pair: pair[0].ndim))
    writing_reaches_the_same(
        data.draw(view_functions(host.shape)),
        host.copy(),
        data.draw(st.sampled_from([ours.copy(), ours * 1])),
    )


@settings(max_examples=examples(200))
@given(st.data())
def test_reshape_is_a_view_where_numpys_is(data: st.DataObject):
    host, ours = data.draw(array_pairs())
    size = host.size
    divisors = [n for n in range(1, size + 1) if size % n == 0] or [1]
    first = data.draw(st.sampled_from(divisors))
    shape = data.draw(st.sampled_from([(first, -1), (-1, first), (first, size // first), -1]))
    if not size and shape in ((first, -1), (-1, first)):
        shape = (0, 3)
    check(lambda xp, x: xp.reshape(x, shape), host, ours)
    check(lambda xp, x: xp.ravel(x), host, ours)
    stored, own = ours.copy(), host.copy()
    check(lambda xp, x: xp.reshape(x, shape, copy=True), host, ours)
    writing_reaches_the_same(lambda xp, x: xp.reshape(x, shape), own, stored)


def test_flatten_copies():
    x = sm.arange(4)
    y = sm.flatten(x)
    y[0] = 9
    assert x.tolist() == [0, 1, 2, 3]
    z = (x + 1).flatten()
    assert z.pending is not None
    assert z.tolist() == [1, 2, 3, 4]


def test_views_of_expressions_stay_lazy_and_are_computed_with_them(monkeypatch):
    """Proves that a reader of a view of an expression needs no memory for the expression."""
    x = sm.ones((3, 4)) * 2
    y = sm.flip(sm.permute_dims(x, (1, 0)), axis=0) + 1
    assert y.tolist() == [[3.0] * 3] * 4
    assert x.pending is not None


# --- Broadcasting --------------------------------------------------------------------------------


@settings(max_examples=examples(100))
@given(st.data())
def test_broadcasting_is_numpys(data: st.DataObject):
    host, ours = data.draw(array_pairs())
    shape = (*data.draw(st.sampled_from([(), (2,), (3, 2)])), *host.shape)
    check(lambda xp, x: xp.broadcast_to(x, shape), host, ours)
    assert sm.broadcast_to(ours, shape).is_readonly
    other = np.ones((2, *(1 for _ in host.shape)), np.float32)
    both = [sm.array(other), ours]
    check(lambda xp, x: xp.broadcast_arrays(*x), [other, host], both)
    assert sm.broadcast_shapes(other.shape, shape) == np.broadcast_shapes(other.shape, shape)


def test_shapes_that_do_not_go_together():
    message = "broadcast_arrays: the shapes (2,) and (3,) do not go together"
    with pytest.raises(sm.UserInputError, match=re.escape(message)):
        sm.broadcast_arrays(sm.zeros(2), sm.zeros(3))
    with pytest.raises(ValueError, match="broadcast_shapes: the shapes"):
        sm.broadcast_shapes((2,), (3,))
    with pytest.raises(ValueError, match="cannot broadcast shape"):
        sm.broadcast_to(sm.zeros(2), (3,))
    assert sm.broadcast_arrays() == ()
    assert sm.broadcast_shapes() == ()


# --- Parts ---------------------------------------------------------------------------------------


@settings(max_examples=examples(200))
@given(st.data())
def test_parts_are_numpys(data: st.DataObject):
    host, ours = data.draw(array_pairs().filter(lambda pair: pair[0].ndim))
    axis = data.draw(axes_of(host.ndim, least=1))[0]
    extent = host.shape[axis]
    borders = sorted(data.draw(st.lists(st.integers(0, extent + 1), max_size=3)))
    number = data.draw(st.integers(1, 5))
    check(lambda xp, x: xp.unstack(x, axis=axis), host, ours)
    check(lambda xp, x: xp.split(x, borders, axis=axis), host, ours)
    check(lambda xp, x: xp.array_split(x, number, axis=axis), host, ours)
    if extent % number == 0:
        check(lambda xp, x: xp.split(x, number, axis=axis), host, ours)


def test_parts_that_there_are_not():
    message = (
        "split: axis 0 of extent 5 cannot be divided into 2 equal parts; array_split gives parts of"
        " two extents"
    )
    with pytest.raises(sm.UserInputError, match=re.escape(message)):
        sm.split(sm.zeros(5), 2)
    with pytest.raises(sm.UserInputError, match="array_split expected one part or more, got 0"):
        sm.array_split(sm.zeros(5), 0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: sm.flip(x, axis=2),
        lambda x: sm.moveaxis(x, 0, 2),
        lambda x: sm.squeeze(x, 2),
        lambda x: sm.expand_dims(x, 3),
        lambda x: sm.unstack(x, axis=-3),
        lambda x: sm.swapaxes(x, 0, 2),
    ],
)
def test_axes_that_there_are_not(function):
    with pytest.raises(IndexError, match="is out of bounds for"):
        function(sm.zeros((1, 2)))


def test_matrices_are_transposed():
    x = sm.arange(6).reshape(1, 2, 3)
    assert x.mT.shape == (1, 3, 2)
    assert x.mT.address == x.address
    with pytest.raises(sm.UserInputError, match=r"mT expected two axes or more, got shape \(3,\)"):
        _ = sm.zeros(3).mT


@pytest.mark.parametrize("dtype", ["f4", "i1", "f8", "c8", "?", "f2"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_channels_that_lie_side_by_side_are_taken_apart(channels, dtype):
    x = (np.random.default_rng(0).random((7, 50, 30, channels)) * 100).astype(dtype)
    apart, wanted = sm.moveaxis(sm.array(x), -1, 1), np.moveaxis(x, -1, 1)
    np.testing.assert_array_equal(apart.copy().numpy(), wanted)
    np.testing.assert_array_equal(apart[1:, ::-1, ::2].copy().numpy(), wanted[1:, ::-1, ::2])
