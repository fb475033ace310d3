"""Arguments as bytes: what is packed in pieces is what :mod:`struct` packs as a whole."""

from __future__ import annotations

import struct

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.backends.packing import (
    ADDRESS,
    CODES,
    Number,
    fit_number,
    pack_numbers,
    packer,
    size_of,
)
from speedmetal.dtypes import ALL, bfloat16

DTYPES = [dtype for dtype in ALL if not dtype.is_complex]


def number_of(dtype, seed):
    if dtype.is_bool:
        return bool(seed % 2)
    if dtype is bfloat16:
        return seed % 65536
    if dtype.is_float:
        return seed / 8
    return seed % (dtype.maximum + 1)


PIECES = st.lists(
    st.one_of(st.binary(max_size=9), st.tuples(st.sampled_from(DTYPES), st.integers(0, 8))),
    max_size=12,
)


@given(PIECES, st.integers(0, 10_000), st.booleans(), st.randoms(use_true_random=False))
def test_packing_in_pieces_is_packing_as_a_whole(given_pieces, seed, in_order, random):
    count = sum(not isinstance(piece, bytes) for piece in given_pieces)
    places = list(range(count))
    if not in_order:
        random.shuffle(places)
    left = iter(places)
    values = [None] * count
    pieces, form, whole = [], "=", []
    for piece in given_pieces:
        if isinstance(piece, bytes):
            pieces.append(piece)
            form += f"{len(piece)}s"
            whole.append(piece)
            continue
        dtype, padding = piece
        place = next(left)
        values[place] = number_of(dtype, seed + place)
        pieces.append(Number(place, dtype, padding))
        form += f"{CODES[dtype.name]}{padding}x"
        whole.append(values[place])
    pack = packer(pieces)
    assert pack(values) == pack(values) == struct.pack(form, *whole)


def test_values_that_nobody_asked_for_are_left_out():
    pack = packer([pack_numbers(sm.int32, 5), Number(2, sm.int16)])
    assert pack(["the mailbox", "an array", 7]) == struct.pack("=ih", 5, 7)
    assert packer([b"same"])([1, 2, 3]) == b"same"


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4),
    st.permutations([0, 1, 2, 3]),
    st.integers(1, 4),
    st.binary(max_size=9),
    st.booleans(),
)
def test_addresses_before_what_stays_the_same_are_packed_in_any_order(
    values, places, count, constant, in_order
):
    """Where they are neighbours among the values they are packed in one piece."""
    chosen = sorted(places[:count]) if in_order else places[:count]
    pieces = [*(Number(place, ADDRESS) for place in chosen), constant]
    wanted = struct.pack(f"={count}Q", *(values[place] for place in chosen)) + constant
    assert packer(pieces)(values) == wanted
    assert size_of(pieces) == len(wanted)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_is_packed_as_numpy_stores_it(dtype):
    wanted = np.array([1], dtype.numpy).tobytes()
    one = 0x3F80 if dtype is bfloat16 else 1
    assert pack_numbers(dtype, one) == packer([Number(0, dtype)])([one]) == wanted
    assert len(wanted) == dtype.itemsize
    assert np.asarray(1, ml_dtypes.bfloat16).view(np.uint16) == 0x3F80


def test_a_float_beyond_its_type_is_an_infinity():
    pack = packer([Number(0, sm.float32), Number(1, sm.float16), Number(2, sm.int8, 1)])
    assert pack([1e300, -1e9, 3]) == struct.pack("=feb1x", np.inf, -np.inf, 3)
    assert pack([1.0, 2.0, 3]) == struct.pack("=feb1x", 1.0, 2.0, 3)
    some = packer([Number(2, sm.float16)])
    assert some([0, 0, 1e9]) == struct.pack("=e", np.inf)
    assert fit_number(1e300, sm.float32) == np.inf
    assert fit_number(300, sm.int8) == 300
