"""Advanced indices are taken apart as NumPy does it."""

import numpy as np
import pytest

from speedmetal.arrays.memory.selection import check_positions, has_arrays, has_outside, select


def test_arrays_next_to_each_other_stay_in_their_place():
    found = select((slice(None), [0, 1], [1, 1], None), (2, 3, 4), np.asarray)
    assert (found.lead, found.order, found.shape) == (1, None, (2,))
    assert found.axes == (1, 2)
    assert found.extents == (3, 4)


@pytest.mark.parametrize(
    "index",
    [([0], slice(None), [0]), (0, slice(None), [0]), ([0], None, [0]), ([0], ..., [0], [0])],
)
def test_arrays_that_something_parts_come_first(index):
    found = select(index, (2, 3, 4), np.asarray)
    assert found.lead == 0
    host = np.zeros((2, 3, 4))
    view = host[found.basic]
    view = view if found.order is None else view.transpose(found.order)
    assert found.shape_of(view.shape) == host[index].shape


def test_what_has_arrays():
    assert all(map(has_arrays, ([0], np.arange(2), True, (0, [1]), (..., np.False_))))
    assert not any(map(has_arrays, (0, None, ..., slice(2), (0, 1), "a", 1.5, {0})))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u4", "i8", "u8"])
def test_positions_outside_are_found(dtype):
    least = np.iinfo(dtype).min
    for value in (0, 4, -5, 5, -6, 100, least, np.iinfo(dtype).max):
        if value < least:
            continue
        positions = np.array([0, 1, value, 2], dtype)
        assert has_outside(positions, 5) is (not -5 <= value < 5)
        if not -5 <= value < 5:
            message = f"index {value} is out of bounds for axis 3 of extent 5: allowed are -5 to 4"
            with pytest.raises(IndexError) as raised:
                check_positions(positions, 3, 5)
            assert str(raised.value) == message
    assert not has_outside(np.array([], dtype), 0)
    with pytest.raises(IndexError, match="it has no elements"):
        check_positions(np.zeros(1, dtype), 0, 0)


MESSAGES = [
    (([0, 1], [0, 1, 2]), r"index arrays of shapes \(2,\) and \(3,\) do not go together"),
    ((0, 0, [0]), "too many indices: the array has 2 axes, 3 were indexed"),
    ((..., [0], ...), r"an index can have one \.\.\., got 2"),
    (np.zeros(3, bool), r"a mask of shape \(3,\) does not fit the axes from 0 on, whose extents"),
    ((0, np.zeros((2, 1), bool)), "too many indices"),
    ([0.5], "has integers or booleans, got float64"),
]


@pytest.mark.parametrize(("index", "message"), MESSAGES, ids=lambda x: str(x)[:20])
def test_indices_that_do_not_go(index, message):
    with pytest.raises(IndexError, match=message):
        select(index, (2, 3), np.asarray)
