"""Guard bytes find a kernel that writes beyond its arrays."""

import pytest
from guarded_memory import GUARD_BYTES, guarded

import speedmetal as sm


@sm.kernel
def writes(a, place):
    a[place] = 7


def write(place):
    cpu = sm.device("cpu")
    with guarded(cpu):
        writes(sm.zeros(5, dtype=sm.int32, device=cpu), place, grid=1)


@pytest.mark.parametrize("place", [-1, 5, 5 + GUARD_BYTES // 4 - 1])
def test_a_write_beyond_an_array_is_found(place):
    with pytest.raises(AssertionError, match=f"byte {4 * place} of an array of 20 bytes"):
        write(place)


def test_writes_to_arrays_are_not():
    cpu = sm.device("cpu")
    with guarded(cpu):
        a = sm.zeros(5, dtype=sm.int32, device=cpu)
        for place in range(5):
            writes(a, place, grid=1)
        assert (a.numpy() == 7).all()
    assert "allocate" not in vars(cpu)
