"""Layouts do to shape, strides and offset what NumPy does to its views."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.lib.array_utils import byte_bounds

from speedmetal.arrays.memory.layout import Layout, collapse_axes
from speedmetal.arrays.memory.overlap import may_have_solution, merge_terms
from speedmetal.dtypes import (
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    from_numpy,
    int8,
    int16,
    int32,
    int64,
)
from tiers import examples

MEMORY = np.zeros(1 << 18, np.uint8)
START = byte_bounds(MEMORY)[0]


@dataclass(frozen=True)
class Pair:
    """A NumPy view of the memory, and the layout that must say the same."""

    view: np.ndarray[Any, Any]
    layout: Layout

    def check(self) -> None:
        view, layout = self.view, self.layout
        assert layout.shape == view.shape
        assert layout.dtype.numpy == view.dtype
        assert (layout.ndim, layout.size, layout.nbytes) == (view.ndim, view.size, view.nbytes)
        assert len(layout.strides) == view.ndim
        assert layout.is_c_contiguous == view.flags.c_contiguous
        assert layout.is_f_contiguous == view.flags.f_contiguous
        low, high = layout.byte_bounds
        if not view.size:
            assert low == high
            return
        assert layout.offset == view.__array_interface__["data"][0] - START
        for extent, stride, expected in zip(view.shape, layout.strides, view.strides, strict=True):
            assert extent == 1 or stride == expected
        assert (START + low, START + high) == byte_bounds(view)


def pair_of(view: np.ndarray[Any, Any]) -> Pair:
    offset = view.__array_interface__["data"][0] - START
    return Pair(view, Layout(from_numpy(view.dtype), view.shape, view.strides, offset))


@st.composite
def contiguous(draw: st.DrawFn, max_side: int = 5) -> Pair:
    dtype = draw(st.sampled_from([int8, int16, float32, complex64, complex128]))
    shape = draw(npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=max_side))
    offset = draw(st.integers(0, 8)) * dtype.itemsize
    layout = Layout.c_contiguous(dtype, shape, offset)
    return Pair(np.ndarray(shape, dtype.numpy, MEMORY.data, offset), layout)


def axes_of(draw: st.DrawFn, ndim: int, min_size: int = 0) -> tuple[int, ...]:
    """Different axes, some counted from the end."""
    axes = st.lists(st.integers(0, ndim - 1), unique=True, min_size=min_size)
    drawn = draw(axes) if ndim else []
    return tuple(axis - ndim if draw(st.booleans()) else axis for axis in drawn)


def factors(draw: st.DrawFn, size: int) -> tuple[int, ...]:
    """A shape of this many elements, where one extent is -1 at times."""
    shape = []
    left = size
    while left > 1 and len(shape) < 3:
        factor = draw(st.sampled_from([k for k in range(1, left + 1) if left % k == 0]))
        shape.append(factor)
        left //= factor
    shape.append(left)
    extents = draw(st.permutations(shape))
    if draw(st.booleans()) and 0 not in extents:
        extents[draw(st.integers(0, len(extents) - 1))] = -1
    return tuple(extents)


def step_index(draw: st.DrawFn, pair: Pair) -> Pair:
    index = draw(npst.basic_indices(pair.view.shape, allow_newaxis=True, max_dims=6))
    whole = index if isinstance(index, tuple) else (index,)
    view = pair.view[whole if Ellipsis in whole else (*whole, ...)]
    return Pair(view, pair.layout[index])


def step_slices(draw: st.DrawFn, pair: Pair) -> Pair:
    """Slices that reach over the ends, and give fewer parts than there are axes."""
    ends = st.none() | st.integers(-8, 8)
    steps = st.none() | st.integers(-3, 3).filter(bool)
    part = st.builds(slice, ends, ends, steps)
    index = tuple(draw(st.lists(part, max_size=pair.view.ndim)))
    return Pair(pair.view[*index, ...], pair.layout[index])


def step_transpose(draw: st.DrawFn, pair: Pair) -> Pair:
    if draw(st.booleans()):
        return Pair(pair.view.T, pair.layout.transpose())
    ndim = pair.view.ndim
    order = draw(st.permutations(range(ndim)))
    axes = tuple(axis - ndim if draw(st.booleans()) else axis for axis in order)
    return Pair(pair.view.transpose(axes), pair.layout.transpose(axes))


def step_moveaxis(draw: st.DrawFn, pair: Pair) -> Pair:
    source = axes_of(draw, pair.view.ndim)
    places = axes_of(draw, pair.view.ndim, min_size=len(source))[: len(source)]
    return Pair(np.moveaxis(pair.view, source, places), pair.layout.moveaxis(source, places))


def step_flip(draw: st.DrawFn, pair: Pair) -> Pair:
    axes = draw(st.none()) if draw(st.booleans()) else axes_of(draw, pair.view.ndim)
    # NumPy's flip of no axes gives a scalar, which is a copy.
    view = np.flip(pair.view, axes) if pair.view.ndim else pair.view
    return Pair(view, pair.layout.flip(axes))


def step_expand(draw: st.DrawFn, pair: Pair) -> Pair:
    if pair.view.ndim > 5:
        return pair
    count = draw(st.integers(1, 2))
    axes = axes_of(draw, pair.view.ndim + count, min_size=count)[:count]
    return Pair(np.expand_dims(pair.view, axes), pair.layout.expand_dims(axes))


def step_squeeze(draw: st.DrawFn, pair: Pair) -> Pair:
    ones = [axis for axis, extent in enumerate(pair.view.shape) if extent == 1]
    if not ones or draw(st.booleans()):
        return Pair(pair.view.squeeze(), pair.layout.squeeze())
    axis = draw(st.sampled_from(ones))
    return Pair(pair.view.squeeze(axis), pair.layout.squeeze(axis))


def step_broadcast(draw: st.DrawFn, pair: Pair) -> Pair:
    if pair.view.size > 2000:
        return pair
    stretched = [draw(st.integers(0, 3)) if n == 1 else n for n in pair.view.shape]
    front = draw(st.lists(st.integers(0, 3), max_size=max(0, min(2, 6 - pair.view.ndim))))
    shape = (*front, *stretched)
    return Pair(np.broadcast_to(pair.view, shape), pair.layout.broadcast_to(shape))


def step_reshape(draw: st.DrawFn, pair: Pair) -> Pair:
    shape = factors(draw, pair.view.size)
    layout = pair.layout.reshape(shape)
    try:
        view = np.reshape(pair.view, shape, copy=False)
    except ValueError:
        assert layout is None
        return pair
    assert layout is not None
    return Pair(view, layout)


SAME_SIZES = {
    1: [int8, bool_],
    2: [int16, float16],
    4: [float32, int32],
    8: [complex64, int64],
    16: [complex128],
}


def step_view(draw: st.DrawFn, pair: Pair) -> Pair:
    dtype = draw(st.sampled_from(SAME_SIZES[pair.layout.itemsize]))
    return Pair(pair.view.view(dtype.numpy), pair.layout.view(dtype))


def step_halve(_draw: st.DrawFn, pair: Pair) -> Pair:
    dtype = pair.layout.dtype
    if not dtype.is_complex:
        return pair
    shape, strides = (*pair.view.shape, 2), (*pair.view.strides, dtype.part.itemsize)
    view = np.lib.stride_tricks.as_strided(pair.view.real, shape, strides)
    return Pair(view, pair.layout.halve(dtype.part))


def step_collapse(_draw: st.DrawFn, pair: Pair) -> Pair:
    layout = pair.layout.collapse()
    return Pair(np.reshape(pair.view, layout.shape, copy=False), layout)


STEPS = (
    *(step_index, step_slices, step_transpose, step_moveaxis, step_flip, step_expand),
    *(step_squeeze, step_broadcast, step_reshape, step_view, step_halve, step_collapse),
)


@st.composite
def views(draw: st.DrawFn, max_steps: int = 3, max_side: int = 5) -> Pair:
    """A view after some steps, unchecked."""
    pair = draw(contiguous(max_side))
    for step in draw(st.lists(st.sampled_from(STEPS), max_size=max_steps)):
        pair = step(draw, pair)
    return pair


@pytest.mark.parametrize("step", STEPS)
@given(st.data())
@settings(max_examples=examples(60), deadline=None)
def test_each_step_from_any_view_is_numpys(step: Any, data: st.DataObject) -> None:
    pair = data.draw(views())
    step(data.draw, pair).check()


@given(st.data())
@settings(max_examples=examples(100), deadline=None)
def test_every_layout_of_a_chain_is_numpys(data: st.DataObject) -> None:
    pair = data.draw(contiguous())
    pair.check()
    for _ in range(data.draw(st.integers(1, 8))):
        pair = data.draw(st.sampled_from(STEPS))(data.draw, pair)
        pair.check()


@given(contiguous(), st.data())
@settings(max_examples=examples(100), deadline=None)
def test_strides_and_offset_are_numpys_even_where_nothing_is_taken(
    pair: Pair, data: st.DataObject
) -> None:
    taken = step_slices(data.draw, pair)
    address = taken.view.__array_interface__["data"][0]
    assert taken.layout.strides == taken.view.strides
    assert START + taken.layout.offset == address


@given(views(), views())
@settings(max_examples=examples(250), deadline=None)
def test_overlap_is_numpys_shares_memory(one: Pair, other: Pair) -> None:
    expected = np.shares_memory(one.view, other.view)
    assert one.layout.overlaps(other.layout) == expected
    assert other.layout.overlaps(one.layout) == expected


@given(st.data())
@settings(max_examples=examples(250), deadline=None)
def test_overlap_of_sparse_views_of_any_strides_is_numpys(data: st.DataObject) -> None:
    """Strides that do not divide each other, elements at odd bytes: the search has to search."""
    one, other = (data.draw(scattered()) for _ in range(2))
    expected = np.shares_memory(one.view, other.view)
    assert one.layout.overlaps(other.layout) == expected
    assert one.layout.overlaps(other.layout, max_steps=data.draw(st.integers(0, 3))) >= expected


@st.composite
def scattered(draw: st.DrawFn) -> Pair:
    dtype = draw(st.sampled_from([np.int8, np.int16, np.float32]))
    shape = draw(npst.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6))
    strides = tuple(draw(st.integers(-90, 90)) for _ in shape)
    offset = 3000 + draw(st.integers(0, 40))
    view = np.lib.stride_tricks.as_strided(MEMORY[offset : offset + 8].view(dtype), shape, strides)
    return pair_of(view)


terms = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 4)), max_size=4)


@given(terms, st.integers(-3, 200))
@settings(max_examples=examples(200), deadline=None)
def test_solutions_of_sums_are_those_that_trying_all_finds(
    given_terms: list[tuple[int, int]], target: int
) -> None:
    assert may_have_solution(given_terms, target, 10**6) == (target in sums(given_terms))
    assert may_have_solution(given_terms, target, 0) >= (target in sums(given_terms))


@given(terms)
@settings(max_examples=examples(150), deadline=None)
def test_merged_terms_have_the_same_sums(given_terms: list[tuple[int, int]]) -> None:
    merged = merge_terms(given_terms)
    assert sums(merged) == sums(given_terms)
    assert len(merged) <= len(given_terms)


def sums(some: list[tuple[int, int]]) -> set[int]:
    reached = {0}
    for coefficient, bound in some:
        reached = {r + coefficient * x for r in reached for x in range(bound + 1)}
    return reached


def test_a_search_out_of_steps_does_not_say_that_there_is_no_solution() -> None:
    """A sum of 14 unrelated numbers that does not exist, which takes many steps to prove."""
    hard = [(2**20 + 7 * 3**k % 2**19, 1) for k in range(14)]
    reached = sums(hard)
    target = next(t for t in range(7 * 2**20 + 10**6, 2**24) if t not in reached)
    assert may_have_solution(hard, target, max_steps=50)
    assert not may_have_solution(hard, target, max_steps=10**6)


@given(views(), st.data())
@settings(max_examples=examples(150), deadline=None)
def test_axes_merged_together_walk_over_the_same_elements(one: Pair, data: st.DataObject) -> None:
    """Of layouts of one shape, each in the order of its own elements, and as far as possible."""
    shape = one.layout.shape
    second = Layout.c_contiguous(float32, shape)
    row = Layout.c_contiguous(int8, shape[1:]).broadcast_to(shape)
    group = (one.layout, *data.draw(st.sampled_from([(), (second,), (row,), (second, row)])))
    merged = collapse_axes(*group)
    assert len({layout.shape for layout in merged}) == 1
    for before, after in zip(group, merged, strict=True):
        assert element_offsets(after) == element_offsets(before)
    for k in range(merged[0].ndim - 1):
        extent = merged[0].shape[k + 1]
        assert any(x.strides[k] != x.strides[k + 1] * extent for x in merged)
    assert 1 not in merged[0].shape


def element_offsets(layout: Layout) -> list[int]:
    return [
        layout.offset + sum(i * s for i, s in zip(index, layout.strides, strict=True))
        for index in np.ndindex(layout.shape)
    ]


def test_contiguous_operands_become_one_axis() -> None:
    x = Layout.c_contiguous(float32, (4, 5, 6))
    assert [y.shape for y in collapse_axes(x, x, x)] == [(120,)] * 3
    assert [y.shape for y in collapse_axes(x, x.flip())] == [(120,)] * 2
    assert [y.shape for y in collapse_axes(x, x.flip(1))] == [(4, 5, 6)] * 2
    with pytest.raises(ValueError, match=r"one shape.*\(4, 5, 6\), \(6, 5, 4\)"):
        collapse_axes(x, x.transpose())


X = Layout.c_contiguous(float32, (2, 3))


def test_indices_of_other_integer_types_are_integers() -> None:
    for index in (np.int64(-1), np.array(1), np.uint8(1)):
        assert X[index] == X[1]
        assert X[index, index] == X[1, int(index)]


@pytest.mark.parametrize(
    ("index", "error", "words"),
    [
        (2, IndexError, r"index 2 is out of bounds for axis 0 of extent 2: allowed are -2 to 1"),
        ((0, -4), IndexError, r"index -4 is out of bounds for axis 1 of extent 3"),
        ((0, 0, 0), IndexError, r"too many indices: the array has 2 axes, 3 were indexed"),
        ((None, 0, ..., 0, 0), IndexError, r"too many indices"),
        ((..., ...), IndexError, r"one \.\.\., got 2"),
        ((slice(None, None, 0),), ValueError, r"step cannot be zero"),
        (True, TypeError, r"expected integers, slices, None, .* as index, got bool"),
        (np.True_, TypeError, r"got bool"),
        (1.0, TypeError, r"got float"),
        ([0, 1], TypeError, r"got list"),
        (np.array([0]), TypeError, r"got ndarray"),
    ],
)
def test_wrong_indices_are_refused_as_numpy_users_expect(
    index: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        X[index]


def test_no_index_fits_an_axis_without_elements_or_no_axis() -> None:
    with pytest.raises(IndexError, match="axis 0 of extent 0: it has no elements"):
        X[2:][0]
    with pytest.raises(IndexError, match="0 axes, 1 were indexed"):
        X[0, 0][0]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: X.transpose((0, 2)), np.exceptions.AxisError, r"axis 2.*2 axes.*-2 to 1"),
        (lambda: X.transpose((0, 0)), ValueError, r"one comes twice"),
        (lambda: X.transpose((0, -2)), ValueError, r"one comes twice"),
        (lambda: X.transpose((0,)), ValueError, r"name every axis once"),
        (lambda: X.moveaxis((0, 1), 0), ValueError, r"as many of one as of the other"),
        (lambda: X.flip(5), IndexError, r"axis 5"),
        (lambda: X[0, 0].flip(0), IndexError, r"there are none"),
        (lambda: X.squeeze(0), ValueError, r"squeeze axis 0 of shape \(2, 3\).*must be 1"),
        (lambda: X.expand_dims(3), ValueError, r"axis 3.*3 axes"),
        (lambda: X.broadcast_to((2, 4)), ValueError, r"broadcast shape \(2, 3\) to \(2, 4\)"),
        (lambda: X.broadcast_to(3), ValueError, r"broadcast shape \(2, 3\) to \(3,\)"),
        (lambda: X.broadcast_to((-1, 3)), ValueError, r"0 or more, got shape \(-1, 3\)"),
        (lambda: X.reshape(4), ValueError, r"reshape 6 elements of shape \(2, 3\) into.*\(4,\)"),
        (lambda: X.reshape((4, -1)), ValueError, r"reshape 6 elements"),
        (lambda: X.reshape((-1, -1)), ValueError, r"only one extent may be -1"),
        (lambda: X.reshape((-2, 3)), ValueError, r"expected extents of -1 or more"),
        (lambda: X[:0].reshape((0, -1)), ValueError, r"reshape 0 elements"),
    ],
)
def test_wrong_axes_and_shapes_are_refused_with_what_was_given(
    call: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call()


def test_a_layout_is_a_value() -> None:
    same = Layout(float32, (2, 3), (12, 4))
    assert same == X
    assert hash(same) == hash(X)
    assert pickle.loads(pickle.dumps(X)) == X  # noqa: S301
    assert len({X, X.flip(), X[:, ::1], Layout.c_contiguous(bool_, (2, 3))}) == 3
    with pytest.raises(AttributeError):
        X.offset = 4  # type: ignore[misc]
