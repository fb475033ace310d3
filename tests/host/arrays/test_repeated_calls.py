"""Calls with functions of the user's, made again: what is kept of them is right, and is used."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.arrays.user_functions import folding, higher_order
from speedmetal.arrays.user_functions.folding import WHOLE
from tiers import examples

STEP = 1


def affine(a, b):
    return 3 * a + b, a - b


def scaled_by_global(a):
    return a * STEP


@pytest.fixture
def is_made_again(monkeypatch):
    """From when it is called on, calls that were not made before fail."""

    def fail(*_arguments, **_options):
        raise AssertionError("this call is found out about once more")

    def begin():
        for module in (higher_order, folding):
            monkeypatch.setattr(module, "computed_now", fail)

    return begin


BEGINNINGS = st.integers(0, 5)
SLICES = st.sampled_from([slice(None), slice(None, None, -1), slice(None, None, 2)])


def parts_of(host, first, rows, columns):
    """A view of an array and of NumPy's, of 6 x 8 elements before it is cut."""
    return [x[first : first + 6, first : first + 8][rows, columns] for x in (sm.array(host), host)]


@settings(max_examples=examples(60))
@given(firsts=st.lists(BEGINNINGS, min_size=4, max_size=4), rows=SLICES, columns=SLICES)
def test_views_that_lie_alike_are_read_where_each_begins(firsts, rows, columns):
    """Their strides are the same, and what the kernels of one of them are given is kept."""
    random = np.random.default_rng(1)
    for first in firsts:
        hosts = random.integers(-9, 9, (2, 12, 14)).astype(np.int32)
        (a, host_a), (b, host_b) = (parts_of(host, first, rows, columns) for host in hosts)
        for ours, theirs in zip(sm.map(affine, a, b), affine(host_a, host_b), strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs)
        total = sm.mapreduce(lambda x, y: x * y, lambda p, q: p + q, a, b, axis=1)
        np.testing.assert_array_equal(total.numpy(), (host_a * host_b).sum(1))
        greatest = sm.reduce(max, a, axis=0, keepdims=True)
        np.testing.assert_array_equal(greatest.numpy(), host_a.max(0, keepdims=True))


@pytest.mark.parametrize("length", [10, WHOLE + 1, 50_000])
def test_what_was_found_out_is_used_again(is_made_again, length):
    """Also where a row is folded in parts, and beside numbers."""

    def calls(host):
        x = sm.array(host)
        return [
            (sm.map(lambda v, k: v * k, x, 3), host * 3),
            (sm.reduce(lambda p, q: p + q, x, init=5), host.sum() + 5),
            (sm.mapreduce(lambda v: (v, -v), max, x), (host.max(), -host.max())),
            (sm.count(lambda v: v > 2, x), (host > 2).sum()),
        ]

    random = np.random.default_rng(length)
    hosts = random.integers(-50, 50, (3, length)).astype(np.int32)
    calls(hosts[0])
    is_made_again()
    for host in hosts:
        for ours, theirs in calls(host):
            found = tuple(map(int, ours)) if isinstance(ours, tuple) else ours.numpy()
            np.testing.assert_array_equal(found, theirs)
    with pytest.raises(AssertionError, match="once more"):
        sm.map(lambda v, k: v * k, sm.array(hosts[0]), 3.0)


def test_numbers_of_functions_and_operands_are_read_each_time(is_made_again):
    x = sm.arange(4)

    def fifth(v, k):
        return v * k

    def call(bound, beside):
        first = sm.map(functools.partial(fifth, k=bound), x)
        return first.tolist(), sm.map(fifth, x, beside).tolist()

    assert call(2, 1j) == ([0, 2, 4, 6], [0, 1j, 2j, 3j])
    is_made_again()
    assert call(5, 2 + 1j) == ([0, 5, 10, 15], [0, 2 + 1j, 4 + 2j, 6 + 3j])


def test_what_a_function_means_now_counts(monkeypatch):
    """A name that the code depends on has another value, and even another type."""
    x = sm.arange(3)
    for value, wanted in ((1, [0, 1, 2]), (4, [0, 4, 8]), (0.5, [0, 0.5, 1]), (1, [0, 1, 2])):
        monkeypatch.setattr(f"{__name__}.STEP", value)
        found = sm.map(scaled_by_global, x)
        assert (found.tolist(), found.dtype == sm.float32) == (wanted, isinstance(value, float))
        total = sm.mapreduce(scaled_by_global, lambda p, q: p + q, x)
        assert (total.tolist(), total.dtype) == (sum(wanted), found.dtype)


def test_numbers_that_compare_equal_are_told_apart():
    """As what comes first, their types decide on the result's."""
    x = sm.array([True, True])
    for init, dtype in ((1, sm.int32), (1.0, sm.float32), (True, sm.bool_), (1, sm.int32)):
        assert sm.reduce(lambda p, _: p, x, init=init).dtype == dtype, init
    assert sm.reduce(lambda p, q: p + q, sm.arange(3), init=-0.0).dtype == sm.float32


def test_operands_that_are_lazy_or_lie_otherwise():
    """The same function on memory, on what is computed, and on what is transposed."""
    host = np.arange(12, dtype=np.float32).reshape(3, 4)
    for make in (lambda x: x, lambda x: x + 0, lambda x: x.T, lambda x: (x + 0).T, lambda x: x):
        ours, theirs = make(sm.array(host)), make(host)
        found = sm.map(lambda v: v * 2, ours)
        np.testing.assert_array_equal(found.numpy(), theirs * 2)
        found = sm.reduce(lambda p, q: p * 2 + q if p < 50 else p, ours, axis=0)
        wanted = [functools.reduce(lambda p, q: p * 2 + q if p < 50 else p, c) for c in theirs.T]
        np.testing.assert_array_equal(found.numpy(), wanted)


def test_levels_of_debugging_are_kept_apart():
    def checked(v):
        assert v >= 0, "negative"
        return v

    x, negative = sm.array([1.0, 2.0]), sm.array([1.0, -2.0])
    assert sm.map(checked, x).tolist() == [1, 2]
    assert sm.map(checked, negative).tolist() == [1, -2]
    with sm.debug_level(1):
        assert sm.map(checked, x).tolist() == [1, 2]
        with pytest.raises(sm.KernelError, match="negative"):
            sm.map(checked, negative)
    assert sm.map(checked, negative).tolist() == [1, -2]


def test_without_elements():
    empty = sm.zeros((0, 3), dtype=sm.int32)
    for _ in range(2):
        assert sm.map(lambda v: v + 0.5, empty).dtype == sm.float32
        assert sm.reduce(lambda p, q: p + q, empty, axis=0, init=7).tolist() == [7, 7, 7]
        assert sm.reduce(lambda p, q: p + q, empty, axis=1).shape == (0,)
        with pytest.raises(sm.UserInputError, match="no elements"):
            sm.reduce(lambda p, q: p + q, empty, axis=0)


def test_launches_are_named_by_what_was_written_each_time():
    x = sm.arange(10)
    for _ in range(2):
        with sm.profile.gpu_time("cpu") as measured:
            sm.map(lambda v: v + 1, x)
            sm.reduce(max, x)
        kernels = [span.kernels for span in measured.spans]
        assert kernels == [("map(a) [map_elements]",), ("reduce(a) [fold_parts]",)]
