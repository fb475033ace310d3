"""Elements rolled, repeated, padded and taken with their neighbours are NumPy's."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from strategies import array_pairs, axes_of
from tiers import examples

WITH_AXES = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)


def same(found: sm.Array, expected: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found.numpy(), expected)


@settings(max_examples=examples(300))
@given(st.data())
def test_rolled_arrays(data: st.DataObject):
    host, ours = data.draw(array_pairs())
    shift = data.draw(st.integers(-9, 9))
    same(sm.roll(ours, shift), np.roll(host, shift))
    axes = data.draw(axes_of(host.ndim))
    shifts = tuple(data.draw(st.integers(-9, 9)) for _ in axes)
    if axes:
        same(sm.roll(ours, shifts, axis=axes), np.roll(host, shifts, axis=axes))
        same(sm.roll(ours, shift, axis=axes), np.roll(host, shift, axis=axes))
        same(sm.roll(ours, shift, axis=axes[0]), np.roll(host, shift, axis=axes[0]))


@settings(max_examples=examples(200))
@given(st.data())
def test_repeated_arrays(data: st.DataObject):
    host, ours = data.draw(array_pairs())
    times = tuple(data.draw(st.lists(st.integers(0, 3), max_size=4)))
    same(sm.tile(ours, times), np.tile(host, times))
    count = data.draw(st.integers(0, 3))
    same(sm.tile(ours, count), np.tile(host, count))
    same(sm.repeat(ours, count), np.repeat(host, count))
    for axis in data.draw(axes_of(host.ndim))[:1]:
        same(sm.repeat(ours, count, axis=axis), np.repeat(host, count, axis=axis))
        extent = host.shape[axis]
        counts = data.draw(st.lists(st.integers(0, 3), min_size=extent, max_size=extent))
        own = sm.array(counts, "i32")
        same(sm.repeat(ours, own, axis=axis), np.repeat(host, np.asarray(counts, int), axis=axis))


def test_repeated_arrays_are_their_own():
    x = sm.arange(3)
    y = sm.tile(x, 1)
    y[0] = 9
    assert x.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: sm.tile(x, 3),
        lambda x: sm.repeat(x, 3),
        lambda x: sm.repeat(x, [1, 3]),
        lambda x: sm.tile(x[::-1], 3),
    ],
)
def test_what_is_costly_is_computed_once_before_it_is_repeated(function):
    """Proves that elements are not computed again for each repetition: their memory is made."""
    x = sm.exp(sm.exp(sm.zeros(2)))
    y = function(x)
    assert x.pending is not None
    sm.eval(y)
    assert x.pending is None


@settings(max_examples=examples(500))
@given(st.data())
def test_padded_arrays(data: st.DataObject):
    host, ours = data.draw(array_pairs())
    mode = data.draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
    width = st.tuples(st.integers(0, 13), st.integers(0, 13))
    widths = [data.draw(width) if extent or mode == "constant" else (0, 0) for extent in host.shape]
    if host.ndim:
        same(sm.pad(ours, widths, mode), np.pad(host, widths, mode))
    pair = data.draw(width)
    if mode == "constant" or host.size:
        same(sm.pad(ours, pair, mode), np.pad(host, pair, mode))
        same(sm.pad(ours, pair[0], mode), np.pad(host, pair[0], mode))
    values = [(k % 2, (k + 1) % 2) for k in range(host.ndim)]
    if host.ndim:
        expected = np.pad(host, widths, "constant", constant_values=values)
        same(sm.pad(ours, widths, constant_values=values), expected)


@settings(max_examples=examples(200))
@given(st.data())
def test_differences(data: st.DataObject):
    host, ours = data.draw(array_pairs(shapes=WITH_AXES))
    axis, n = data.draw(axes_of(host.ndim, least=1))[0], data.draw(st.integers(0, 3))
    same(sm.diff(ours, axis=axis, n=n), np.diff(host, axis=axis, n=n))
    one = host.dtype.type(1)
    expected = np.diff(host, axis=axis, prepend=one, append=host)
    same(sm.diff(ours, axis=axis, prepend=1, append=ours), expected)


@settings(max_examples=examples(200))
@given(st.data())
def test_convolutions(data: st.DataObject):
    lengths = st.integers(1, 9).map(lambda n: (n,))
    dtypes = st.just(data.draw(st.sampled_from(["bool", "i4", "u8", "f2", "f4", "f8", "c8"])))
    (a, x), (b, y) = (data.draw(array_pairs(shapes=lengths, dtypes=dtypes)) for _ in range(2))
    mode = data.draw(st.sampled_from(["full", "same", "valid"]))
    same(sm.convolve(x, y, mode), np.convolve(a, b, mode))


@settings(max_examples=examples(100))
@given(array_pairs(dtypes=st.just("i4")), array_pairs(dtypes=st.just("i4")))
def test_kronecker_products(first, second):
    same(sm.kron(first[1], second[1]), np.kron(first[0], second[0]))


def test_borders_have_the_dtype_of_the_array():
    assert sm.pad(sm.zeros(1, "i8"), 1, constant_values=300).tolist() == [44, 0, 44]
    assert sm.pad(sm.zeros(1, "i32"), 1, constant_values=(-1.5, True)).tolist() == [-1, 0, 1]


def test_long_borders_need_few_copies(monkeypatch):
    """Proves that a border of many periods is not copied period by period."""
    from speedmetal.arrays import assembling

    copies = []
    assign = assembling.assign
    monkeypatch.setattr(assembling, "assign", lambda *a: (copies.append(a), assign(*a)))
    x = sm.pad(sm.arange(3), 100_000, "wrap")
    np.testing.assert_array_equal(x.numpy(), np.pad(np.arange(3, dtype="i4"), 100_000, "wrap"))
    assert len(copies) < 40


REFUSED = {
    "roll expected as many shifts as axes, or one for all, got 2 shifts for 3 axes": lambda: (
        sm.roll(sm.zeros((2, 2, 2)), (1, 2), (0, 1, 2))
    ),
    "tile expected numbers that are 0 or more, got -1": lambda: sm.tile(sm.zeros(2), -1),
    "repeat expected numbers that are 0 or more, got -1": lambda: sm.repeat(sm.zeros(2), -1),
    "repeat expected an integer or integers on one axis, got float32 of shape (2,)": lambda: (
        sm.repeat(sm.zeros(2), sm.zeros(2))
    ),
    "repeat: axis 0 has extent 2, got 3 repeats; give as many, or one": lambda: sm.repeat(
        sm.zeros(2), [1, 2, 3]
    ),
    "pad: there is no mode 'mirror'; allowed are constant, edge, reflect, symmetric,"
    " wrap": lambda: sm.pad(sm.zeros(2), 1, "mirror"),
    "pad: pad_width must be a number, a pair or a pair for each of 1 axes, got [(1, 2), (3,"
    " 4)]": lambda: sm.pad(sm.zeros(2), [(1, 2), (3, 4)]),
    "pad expected widths that are integers of 0 or more, got (-1, -1) for axis 0": lambda: sm.pad(
        sm.zeros(2), -1
    ),
    'pad: axis 0 of shape (0,) is empty, there is nothing to repeat; only mode "constant" can fill'
    " it": lambda: sm.pad(sm.zeros(0), 1, "edge"),
    "diff expected n of 0 or more, got -1": lambda: sm.diff(sm.zeros(2), n=-1),
    "convolve expected arrays with one axis that are not empty, got shapes (0,) and (2,)": lambda: (
        sm.convolve(sm.zeros(0), sm.zeros(2))
    ),
    "convolve: there is no mode 'all'; allowed are full, same, valid": lambda: sm.convolve(
        sm.zeros(2), sm.zeros(2), "all"
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(message):
    with pytest.raises(sm.UserInputError, match=f"^{re.escape(message)}$"):
        REFUSED[message]()


def test_bfloat16_is_moved_as_other_numbers_are():
    x = sm.array([1, 2, 3], "bf16")
    for found, expected in [
        (sm.concat([x, x * 2]), [1, 2, 3, 2, 4, 6]),
        (sm.roll(x, 1), [3, 1, 2]),
        (sm.pad(x, 1, constant_values=0.5), [0.5, 1, 2, 3, 0.5]),
        (sm.repeat(x, [1, 0, 2]), [1, 3, 3]),
        (sm.tile(x, 2), [1, 2, 3, 1, 2, 3]),
        (sm.diff(x), [1, 1]),
        (sm.convolve(x, x[:2]), [1, 4, 7, 6]),
    ]:
        assert (found.dtype, found.tolist()) == (sm.bfloat16, expected)
