"""When results are the same, and when a second launch may do something else."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import speedmetal as sm
from speedmetal.tuning import proving
from speedmetal.tuning.proving import TOLERANCES, difference, may_differ_again

FLOATS = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "float64": np.float64,
}


def close(x, r, tolerance, largest):
    if x == r or (math.isnan(x) and math.isnan(r)):
        return True
    if not (math.isfinite(x) and math.isfinite(r)):
        return False
    return abs(x - r) <= tolerance * (abs(r) + largest)


@given(hnp.arrays(np.float32, 5), hnp.arrays(np.float32, 5), st.floats(0, 1))
def test_floats_are_compared_as_is_stated(x, r, tolerance):
    """In one piece, and in several."""
    finite = [abs(float(value)) for value in r if np.isfinite(value)]
    largest = max(finite, default=0.0)
    right = [close(float(a), float(b), tolerance, largest) for a, b in zip(x, r, strict=True)]
    found = difference([x], [r], tolerance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "_PIECE", 2)
        assert difference([x], [r], tolerance) == found
    assert (found == "") == all(right)
    if found:
        assert f" {right.count(False)} of 5 elements of array 1 that it writes" in found
        assert f"at [{right.index(False)}]" in found


@pytest.mark.parametrize("name", FLOATS)
def test_each_type_has_its_tolerance(name):
    r = np.array([0.25, 1.0, 4.0]).astype(FLOATS[name])
    tolerance = TOLERANCES[name]
    for share, is_same in ((0.4, True), (4.0, False)):
        x = (r.astype(np.float64) + share * tolerance * 5).astype(FLOATS[name])
        assert (difference([x], [r], None) == "") == is_same
    assert difference([x], [r], 1.0) == ""
    assert (difference([r + r[:1] * 0], [r], 0.0)) == ""


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.bool_, np.int64])
def test_integers_and_bools_must_be_equal(dtype):
    r = np.array([[1, 0, 1], [0, 1, 1]], dtype)
    x = r.copy()
    assert difference([x], [r], 1.0) == ""
    x[1, 0] = 1
    assert "1 of 6 elements of array 1 that it writes, at [1, 0]" in difference([x], [r], 1.0)


def test_nan_and_infinities_have_their_places():
    nan, inf = math.nan, math.inf
    r = np.array([nan, inf, -inf, 1.0], np.float32)
    assert difference([r.copy()], [r], None) == ""
    for place, value in ((0, 1.0), (1, 3e38), (2, inf), (3, nan), (3, inf)):
        x = r.copy()
        x[place] = value
        assert f"at [{place}]" in difference([x], [r], None)


def test_complex_numbers_are_compared_by_distance():
    r = np.array([1 + 1j, 2j], np.complex64)
    assert difference([r + np.complex64(1e-6)], [r], None) == ""
    assert difference([r * np.complex64(1j)], [r], None)


@sm.kernel
def copied(out, x):
    i = sm.thread_position_in_grid().x
    out[i] = x[i] + 1


@sm.kernel
def counted(out, x):
    sm.atomic_add(out, 0, x[sm.thread_position_in_grid().x])


@pytest.mark.parametrize("name", ["cpu", "metal-sim"])
def test_what_is_read_and_written_is_found_by_its_memory(name):
    memory = sm.zeros(100, dtype=sm.int32, device=name)
    other = sm.zeros(100, dtype=sm.int32, device=name)

    def may(kernel, out, x):
        return may_differ_again(kernel.examine((out, x), {}, (10, None, None)))

    assert not may(copied, other, memory)
    assert may(copied, memory, memory)
    assert may(copied, memory[1:], memory[:-1])
    assert may(counted, other, memory)
    if name == "cpu":
        host = np.zeros(100, np.int32)
        assert may(copied, host[1:], host[:-1])
        assert not may(copied, host[50:], host[:50])


def test_arrays_of_no_elements_are_the_same():
    empty = np.zeros((0, 3), np.float32)
    assert difference([empty], [empty.copy()], None) == ""


def test_every_array_is_compared():
    r = [np.zeros(3, np.float32), np.zeros((), np.int32)]
    x = [np.zeros(3, np.float32), np.ones((), np.int32)]
    assert "1 of 1 elements of array 2 that it writes, at [] 1 in place of 0" in difference(
        x, r, None
    )
