"""``einsum`` is NumPy's, whatever letters stand where."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.arrays.algebra.contraction import einsum
from tiers import examples

LETTERS = "abcd"


@st.composite
def contractions(draw):
    """Subscripts with operands of small whole numbers, repeated letters and ones to broadcast."""
    extents = {letter: draw(st.integers(1, 4)) for letter in LETTERS}
    terms = draw(st.lists(st.text(LETTERS, max_size=4), min_size=1, max_size=4))
    ellipsis = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    hidden = [draw(st.integers(0, len(ellipsis))) if draw(st.booleans()) else -1 for _ in terms]
    present = sorted(set("".join(terms)))
    output = "".join(draw(st.permutations(present))[: draw(st.integers(0, len(present)))])
    operands = []
    for number, (term, count) in enumerate(zip(terms, hidden, strict=True)):
        shape = tuple(extents[letter] for letter in term)
        front = ellipsis[len(ellipsis) - count :] if count > 0 else ()
        generator = np.random.default_rng(number)
        operands.append(generator.integers(-2, 3, front + shape).astype(np.float32))
    parts = [
        "..." + term if count >= 0 else term for term, count in zip(terms, hidden, strict=True)
    ]
    result = ("..." if max(hidden) >= 0 else "") + output
    return f"{','.join(parts)}->{result}", operands


@settings(max_examples=examples(400), deadline=None)
@given(contractions())
def test_it_is_numpys(case):
    subscripts, operands = case
    wanted = np.einsum(subscripts, *operands)
    result = einsum(subscripts, *map(sm.asarray, operands))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result.numpy(), wanted)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ba", [(2, 3)]),
        ("ii", [(3, 3)]),
        ("iii->i", [(3, 3, 3)]),
        ("i,i", [(3,), (3,)]),
        ("ij,kj->ik", [(2, 3), (1, 1)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("bqhd,bkhd->kbqh", [(2, 4, 3, 5), (2, 6, 3, 5)]),
        ("abcd,cdef->fab", [(2, 3, 4, 5), (4, 5, 6, 2)]),
        ("abcd,cdef->fbea", [(2, 3, 4, 5), (4, 5, 6, 2)]),
        ("ij,jk,kl,lm->im", [(2, 9), (9, 2), (2, 9), (9, 3)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
        ("i...->...", [(3, 2)]),
        (" i j , j -> i ", [(2, 3), (3,)]),
        ("ij,ij,ij->", [(0, 3), (0, 3), (0, 3)]),
    ],
)
def test_known_forms(subscripts, shapes):
    generator = np.random.default_rng(0)
    operands = [generator.integers(-3, 4, shape).astype(np.int32) for shape in shapes]
    result = einsum(subscripts, *map(sm.asarray, operands))
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result.numpy(), np.einsum(subscripts, *operands))


def test_dtypes_promote_and_diagonals_are_views():
    x = sm.ones((3, 3), sm.float16)
    assert einsum("ij,j->i", x, sm.arange(3)).dtype == np.float16
    einsum("ii->i", x)[1] = 7.0
    assert x[1, 1].item() == 7.0


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij", [(2,)], "'ij' of 'ij' names 2 axes, but the array of shape (2,) has 1"),
        ("i,j", [(2,)], "'i,j' has 2 operands, but 1 were given"),
        ("i->j", [(2,)], "the result of 'i->j' has 'j', which must be a letter of an operand"),
        ("i->ii", [(2,)], "the result of 'i->ii' has 'i', which must be a letter of an operand"),
        ("i,i", [(2,), (3,)], "axes of 'i,i' named 'i' have extents 2 and 3; they must be equal"),
        ("i1", [(2, 2)], "expected letters and one ... in each part of 'i1', got 'i1'"),
        ("ii", [(1, 2)], "the diagonal of axes named 'i' needs equal extents, got 1 and 2"),
    ],
)
def test_messages(subscripts, shapes, message):
    with pytest.raises(sm.UserInputError) as caught:
        einsum(subscripts, *(sm.ones(shape) for shape in shapes))
    assert message in str(caught.value)
