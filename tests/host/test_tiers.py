"""The sample of a test has all that its tier asks for, in few combinations, and the same always."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from tiers import Tier, class_of, covering, dtype_of, facts_of

SETS = st.lists(st.frozensets(st.integers(0, 9), min_size=1), min_size=1, max_size=12)


@given(SETS)
def test_a_sample_has_what_all_have_and_nothing_for_nothing(wanted):
    chosen = covering(wanted, "seed")
    assert set().union(*(wanted[n] for n in chosen)) == set().union(*wanted)
    assert chosen == sorted(set(chosen)) == covering(wanted, "seed")
    # The fullest of what was missing came first, so each chosen one had something to add.
    assert len(chosen) <= len(set().union(*wanted))


def test_a_sample_of_three_parameters_is_little_larger_than_its_pairs():
    """Proves that combinations are taken by how much they add: at random it takes about 50."""
    wanted = [
        facts_of({"a": a, "b": b, "c": c}, Tier.DEFAULT)
        for a, b, c in itertools.product(range(5), range(5), range(6))
    ]
    assert 30 <= len(covering(wanted, "seed")) <= 36


def test_the_seed_decides_among_equals():
    wanted = [{n % 2} for n in range(20)]
    assert len({tuple(covering(wanted, str(seed))) for seed in range(20)}) > 1


@pytest.mark.parametrize("names", [("int32", "int64"), ("i4", "<i8"), (np.int8, np.dtype("i2"))])
def test_names_of_dtypes_and_numpys_are_dtypes(names):
    """Proves that integer types stand for each other however a test writes them."""
    one, other = names
    assert class_of(one) == class_of(other) == class_of(sm.int16) == "signed"
    alike = [facts_of({"dtype": name, "axis": 1}, Tier.DEFAULT) for name in names]
    pairs = [{fact for fact in facts if len(fact) == 4} for facts in alike]
    assert pairs[0] == pairs[1]
    assert alike[0] != alike[1]  # each is in the sample, with one axis or another


@pytest.mark.parametrize("word", ["sum", "int", "i", "f3", np.integer, np.str_, int, None, 3])
def test_words_that_name_no_dtype_stand_for_themselves(word):
    assert dtype_of(word) is None
    assert class_of(word) == id(word)


def test_floats_stand_for_themselves():
    found = [dtype_of(name) for name in ("float16", "f32", "f8", "bfloat16", "c8", "bool")]
    wanted = [sm.float16, sm.float32, sm.float64, sm.bfloat16, sm.complex64, sm.bool_]
    assert found == wanted
    assert class_of("float16") != class_of("float32")
