"""Numbers at regular distances and coordinates of grids: NumPy's, rounded once."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from tiers import examples


def same(found: sm.Array, expected: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found.numpy(), expected)


@settings(max_examples=examples(200))
@given(st.data())
def test_integers_of_ranges_are_exact(data):
    dtype = data.draw(st.sampled_from(["i4", "i8", "u8"]))
    limits = np.iinfo(dtype)
    ends = st.one_of(
        st.integers(int(limits.min), int(limits.max)),
        st.sampled_from([int(limits.min), int(limits.max), 0]),
    )
    start, stop = data.draw(ends), data.draw(ends)
    least = max(1, abs(stop - start) // 50)
    step = data.draw(st.integers(least, least + 9)) * (1 if stop >= start else -1)
    found = sm.arange(start, stop, step)
    assert found.tolist() == list(range(start, stop, step))
    same(sm.arange(start, stop, step, limits.dtype), np.array(range(start, stop, step), dtype))


def test_ranges():
    same(sm.arange(5.0), np.arange(5, dtype="f4"))
    same(sm.arange(1, 2, 0.25), np.arange(1, 2, 0.25, dtype="f4"))
    same(sm.arange(np.int8(3), sm.array(5)), np.array([3, 4], "i4"))
    same(sm.arange(3, 1), np.array([], "i4"))
    assert sm.arange(2**31 - 1, 2**31 + 1).dtype == sm.int64
    with pytest.raises(sm.UserInputError, match="do not fit into 64 bits"):
        sm.arange(-1, 2**64, 2**40 + 2**60)


@pytest.mark.parametrize("endpoint", [True, False])
def test_lines(endpoint):
    expected = np.linspace(-1, 2, 7, endpoint=endpoint)
    same(sm.linspace(-1, 2, 7, endpoint=endpoint), expected.astype("f4"))
    same(sm.linspace(-1, 2, 7, "f64", endpoint=endpoint), expected)
    same(sm.linspace(0, 1j, 3), np.linspace(0, 1j, 3).astype("c8"))
    same(
        sm.logspace(0, 2, 5, endpoint=endpoint, base=2.0),
        np.logspace(0, 2, 5, endpoint=endpoint, base=2.0).astype("f4"),
    )
    same(
        sm.geomspace(1, 16, 5, "f64", endpoint=endpoint),
        np.geomspace(1, 16, 5, endpoint=endpoint),
    )


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("count", range(5))
def test_coordinates(indexing, count):
    hosts = [np.arange(n + 1, dtype="f4") for n in range(count)]
    found = sm.meshgrid(*map(sm.array, hosts), indexing=indexing)
    assert isinstance(found, tuple)
    for ours, expected in zip(found, np.meshgrid(*hosts, indexing=indexing), strict=True):
        same(ours, expected)
        assert ours.is_readonly


def test_coordinates_take_no_memory():
    along = sm.arange(1000)
    before = sm.memory_info().bytes_in_use
    x, y = sm.meshgrid(along, along)
    assert sm.memory_info().bytes_in_use == before
    assert (x * 1000 + y)[3, 4].item() == 4003


def test_indices():
    for shape in [(), (2,), (2, 3), (0, 2)]:
        same(sm.indices(shape), np.indices(shape, dtype="i4"))
        sparse = sm.indices(shape, "i64", sparse=True)
        for ours, expected in zip(sparse, np.indices(shape, "i8", sparse=True), strict=True):
            same(ours, expected)


def test_functions_of_indices():
    found = sm.fromfunction(lambda i, j: sm.where(i == j, 1, i * 10), (3, 2))
    assert found.pending is not None
    same(found, np.array([[1, 0], [10, 1], [20, 20]], "i4"))
    same(sm.fromfunction(lambda i, _: i, (2, 2)), np.array([[0, 0], [1, 1]], "i4"))
    same(sm.fromfunction(lambda _: 2.5, (2,)), np.full(2, 2.5, "f4"))
    message = "fromfunction: the function gave shape (3,), which is not broadcast to (2,)"
    with pytest.raises(sm.UserInputError, match=re.escape(message)):
        sm.fromfunction(lambda _: sm.zeros(3), (2,))


REFUSED = {
    'meshgrid: there is no indexing \'yx\'; give "xy" or "ij"': lambda: sm.meshgrid(
        sm.zeros(2), indexing="yx"
    ),
    "meshgrid expected arrays with one axis, got shape (2, 2)": lambda: sm.meshgrid(
        sm.zeros((2, 2))
    ),
    "geomspace: no quotient leads to or from 0, got 0 to 1": lambda: sm.geomspace(0, 1),
    "logspace: expected 0 numbers or more, got -1": lambda: sm.logspace(0, 1, -1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(message):
    with pytest.raises(sm.UserInputError, match=f"^{re.escape(message)}$"):
        REFUSED[message]()


def test_ends_may_be_arrays():
    x = sm.array([1.0, 4.0])
    least, greatest = x.min(), x.max()
    same(sm.linspace(least, greatest, 4), np.linspace(1, 4, 4, dtype="f4"))
    same(sm.linspace(x, 2 * x, 3), np.linspace([1, 4], [2, 8], 3, dtype="f4"))
    same(sm.linspace(0, 1), np.linspace(0, 1).astype("f4"))
    same(sm.logspace(least, greatest, 4), np.logspace(1, 4, 4, dtype="f4"))
    same(sm.geomspace(least, greatest, 3), np.geomspace(1, 4, 3, dtype="f4"))
    with pytest.raises(sm.UserInputError, match="no quotient leads to or from 0"):
        sm.geomspace(x, sm.array([0.0, 1.0]))
