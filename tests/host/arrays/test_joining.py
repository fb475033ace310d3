"""Arrays put together are what NumPy makes of them, and each is computed where it belongs."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.arrays.deferred import schedule
from strategies import ARRAY_DTYPES, array_pairs, axes_of
from tiers import examples

PAIRS_OF_DTYPES = [("i1", "u1"), ("u2", "i4"), ("f4", "f8"), ("f4", "c8"), ("bool", "i4")]
SHAPES = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)


@st.composite
def groups(draw: st.DrawFn, *, axis_varies: bool):
    """Arrays of one shape, but for one axis; in the result's dtype or beside another."""
    shape = draw(SHAPES)
    axis = draw(axes_of(len(shape), least=1))[0]
    alone = st.sampled_from(ARRAY_DTYPES).map(lambda name: (name,))
    names = draw(st.one_of(alone, st.sampled_from(PAIRS_OF_DTYPES)))
    pairs = []
    for _ in range(draw(st.integers(1, 4))):
        extents = list(shape)
        if axis_varies:
            extents[axis] = draw(st.integers(0, 3))
        same = st.just(tuple(extents))
        pairs.append(draw(array_pairs(shapes=same, dtypes=st.sampled_from(names))))
    return axis, [host for host, _ in pairs], [ours for _, ours in pairs]


def same(found: sm.Array, expected: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found.numpy(), expected)


@settings(max_examples=examples(400))
@given(groups(axis_varies=True))
def test_arrays_one_after_the_other(group):
    axis, hosts, ours = group
    same(sm.concat(ours, axis=axis), np.concat(hosts, axis=axis))
    same(sm.concat(ours, axis=None), np.concat(hosts, axis=None))
    same(sm.concatenate(tuple(ours), axis), np.concatenate(hosts, axis))


@settings(max_examples=examples(300))
@given(groups(axis_varies=False))
def test_arrays_side_by_side(group):
    axis, hosts, ours = group
    same(sm.stack(ours, axis=axis), np.stack(hosts, axis=axis))
    same(sm.hstack(ours), np.hstack(hosts))
    same(sm.vstack(ours), np.vstack(hosts))
    same(sm.dstack(ours), np.dstack(hosts))


def test_numbers_and_lists_are_arrays():
    same(sm.hstack([1, sm.arange(2), [3, 4]]), np.array([1, 0, 1, 3, 4], np.int32))
    same(sm.stack([sm.float32(1), sm.zeros(())]), np.array([1, 0], np.float32))


def test_parts_are_computed_into_their_places():
    """Proves that joining expressions stores them once: the peak is the result alone."""
    x = sm.ones(1 << 20)
    before = sm.memory_info().bytes_in_use
    joined = sm.concat([x + 1, x[::-1] * 2, x])
    assert joined.pending is not None
    assert sm.memory_info().bytes_in_use == before
    sm.eval(joined)
    assert sm.memory_info().bytes_in_use == before + joined.nbytes
    assert joined[:: 1 << 19].tolist() == [2.0, 2.0, 2.0, 2.0, 1.0, 1.0]


def test_of_a_view_no_more_is_computed_than_it_shows():
    """Proves that joining views of expressions leaves the expressions lazy."""
    whole = sm.ones((100, 100)) * 2
    joined = sm.concat([whole[0], whole[::-1, 3]])
    assert joined.tolist() == [2.0] * 200
    assert whole.pending is not None


def test_what_is_costly_and_read_elsewhere_is_computed_once(monkeypatch):
    made = []
    occupy = sm.Array.occupy
    monkeypatch.setattr(sm.Array, "occupy", lambda *given: (made.append(given[0]), occupy(*given)))
    x = sm.exp(sm.exp(sm.ones(8)))
    assert schedule.is_costly(x.pending)
    y = x + 1
    joined = sm.concat([x, x])
    sm.eval(y, joined)
    assert x.pending is None
    assert [array for array in made if array is x] == [x]


def test_what_is_joined_is_what_it_was():
    """Proves that writing to an array after it was joined changes nothing in the result."""
    x, base = sm.zeros(3), sm.zeros(3) + 1
    joined = sm.concat([x, 2 * x, base[::-1]])
    x[:] = 5
    base[:] = 7
    assert joined.tolist() == [0.0] * 6 + [1.0] * 3


REFUSED = {
    "stack: all arrays must have one shape, got (2,) and, at position 1, (3,)": lambda: sm.stack(
        [sm.zeros(2), sm.zeros(3)]
    ),
    "concat along axis 0: all other extents must be equal, got shape (2, 2) and, at position 1,"
    " (2, 3), which differ in axis 1": lambda: sm.concat([sm.zeros((2, 2)), sm.zeros((2, 3))]),
    "concat: all arrays must have as many axes, got shape (2,) and, at position 1,"
    " (2, 2)": lambda: sm.concat([sm.zeros(2), sm.zeros((2, 2))]),
    "concat: arrays without axes have none to follow along; use stack": lambda: sm.concat(
        [sm.zeros(())]
    ),
    "concat expected one array or more, got none": lambda: sm.concat([]),
    "concat expected a list or tuple of arrays, got an int": lambda: sm.concat(3),
    "stack: no dtype holds both int64 and uint64; convert one of the arrays with"
    " x.astype(dtype)": lambda: sm.stack([sm.zeros(2, "i64"), sm.zeros(2, "u64")]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_go_together(message):
    with pytest.raises(sm.UserInputError, match=f"^{re.escape(message)}$"):
        REFUSED[message]()


def test_columns_side_by_side():
    a, b = np.arange(3.0, dtype="f4"), np.arange(6.0, dtype="f4").reshape(3, 2)
    found = sm.column_stack([sm.array(a), sm.array(b)])
    np.testing.assert_array_equal(found.numpy(), np.column_stack([a, b]))
