"""Einstein's sums: :func:`einsum`, a chain of products of two operands each.

Which two come next is NumPy's choice (:func:`numpy.einsum_path`). Of a pair, axes that only one has
and nobody needs are summed first; then axes that both have are a stack or are summed over by a
product of matrices, so that the work is BLAS's; where there are none, the product is elementwise
and lazy.
"""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from speedmetal.arrays.algebra.products import matmul
from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import common_dtype
from speedmetal.arrays.host_routines import operands_of
from speedmetal.arrays.shaping.diagonals import diagonal
from speedmetal.common.records import record
from speedmetal.errors import UserInputError

_LETTERS = frozenset(string.ascii_letters)


@record(eq=False)
class Term:
    """An operand, with a letter for each axis."""

    array: Array
    letters: str

    def extent(self, letter: str) -> int:
        """The extent of the axis of a letter; 1 where it has none."""
        return self.array.shape[self.letters.index(letter)] if letter in self.letters else 1


def einsum(subscripts: str, /, *operands: Any, algorithm: str = "auto") -> Array:
    """Sums of products of elements, by letters for axes, as NumPy's ``einsum``.

    Args:
        subscripts: For each operand a letter for each axis, separated by commas, then ``->`` and
            the letters of the result. A letter that is not in the result is summed over; one that
            comes twice in an operand takes its diagonal. ``...`` stands for axes that are
            broadcast. Without ``->`` the result has the letters that come once, in alphabetical
            order.
        operands: Arrays, of any dtypes that promote.
        algorithm: Of the products, as in :func:`speedmetal.matmul`.

    Returns:
        An array of the promoted dtype.

    Raises:
        UserInputError: The subscripts are wrong, or do not go together with the operands.

    Example:
        >>> import speedmetal as sm
        >>> x, y = sm.ones((2, 3)), sm.ones((3, 4))
        >>> einsum("ij,jk->ik", x, y).shape
        (2, 4)
        >>> einsum("ii", sm.array([[1, 2], [3, 4]])).item()
        5
    """
    if not operands:
        raise UserInputError("einsum takes subscripts and at least one array, got no array")
    arrays = operands_of("einsum", *operands)
    dtype = common_dtype("einsum", [array.layout.dtype for array in arrays])
    shapes = tuple(array.shape for array in arrays)
    arrangement = _one_product(subscripts, shapes) if type(subscripts) is str else None
    if arrangement is not None:
        left, right = (array.astype(dtype, copy=False) for array in arrays)
        return arrangement.product(left, right, algorithm)
    inputs, output = parsed(subscripts, shapes)
    terms = [
        _without_repeats(Term(array.astype(dtype, copy=False), letters))
        for array, letters in zip(arrays, inputs, strict=True)
    ]
    for chosen in _path(inputs, output, shapes):
        picked = [terms.pop(place) for place in sorted(chosen, reverse=True)]
        needed = {letter for term in terms for letter in term.letters} | set(output)
        terms.append(_joined(picked[::-1], needed, algorithm))
    return _arranged(terms[0], output)


# --- Subscripts ----------------------------------------------------------------------------------


def parsed(subscripts: str, shapes: Sequence[tuple[int, ...]]) -> tuple[tuple[str, ...], str]:
    """The letters of the operands and of the result, with letters of their own for ``...``.

    Raises:
        UserInputError: They are wrong, or do not go together with the shapes.

    >>> parsed("ij,j", [(2, 3), (3,)])
    (('ij', 'j'), 'i')
    >>> parsed("...i->...", [(2, 3)])
    (('Ai',), 'A')
    """
    if not isinstance(subscripts, str):
        raise UserInputError(f"einsum takes subscripts as a text, got {subscripts!r}")
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    if len(terms) != len(shapes):
        raise UserInputError(
            f"einsum: {subscripts!r} has {len(terms)} operands, but {len(shapes)} were given"
        )
    free = iter(sorted(_LETTERS - set(subscripts)))
    hidden = [_hidden(subscripts, term, shape) for term, shape in zip(terms, shapes, strict=True)]
    ellipsis = "".join(next(free) for _ in range(max(hidden)))
    inputs = tuple(
        term.replace("...", ellipsis[len(ellipsis) - count :])
        for term, count in zip(terms, hidden, strict=True)
    )
    counts = Counter("".join(terms).replace(".", ""))
    if arrow:
        output = result.replace("...", ellipsis, 1)
    else:
        output = ellipsis + "".join(sorted(letter for letter, n in counts.items() if n == 1))
    _check(subscripts, inputs, output, shapes)
    return inputs, output


def _hidden(subscripts: str, term: str, shape: tuple[int, ...]) -> int:
    """How many axes ``...`` stands for."""
    named = term.replace("...", "", 1)
    if not set(named) <= _LETTERS:
        raise UserInputError(
            f"einsum: expected letters and one ... in each part of {subscripts!r}, got {term!r}"
        )
    count = len(shape) - len(named)
    if count < 0 or (count and named == term):
        raise UserInputError(
            f"einsum: {term!r} of {subscripts!r} names {len(named)} axes, but the array of shape"
            f" {shape} has {len(shape)}"
        )
    return count


def _check(
    subscripts: str, inputs: Sequence[str], output: str, shapes: Sequence[tuple[int, ...]]
) -> None:
    known = set("".join(inputs))
    wrong = [letter for letter in output if letter not in known or output.count(letter) > 1]
    if wrong:
        raise UserInputError(
            f"einsum: the result of {subscripts!r} has {wrong[0]!r}, which must be a letter of an"
            " operand and come once"
        )
    extents: dict[str, int] = {}
    for letters, shape in zip(inputs, shapes, strict=True):
        for letter, extent in zip(letters, shape, strict=True):
            before = extents.setdefault(letter, extent)
            if before != extent and 1 not in (before, extent):
                raise UserInputError(
                    f"einsum: axes of {subscripts!r} named {letter!r} have extents {before} and"
                    f" {extent}; they must be equal"
                )
            extents[letter] = max(before, extent) if 0 not in (before, extent) else 0


@lru_cache(maxsize=512)
def _path(
    inputs: tuple[str, ...], output: str, shapes: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    """Which operands are joined at each step; what comes of them is put at the end."""
    if len(inputs) < 3:
        return (tuple(range(len(inputs))),)
    models = (np.broadcast_to(np.float32(0), shape) for shape in shapes)  # no memory
    steps = np.einsum_path(f"{','.join(inputs)}->{output}", *models, optimize="greedy")[0][1:]
    return tuple(tuple(step) for step in steps)


# --- Joining -------------------------------------------------------------------------------------


def _without_repeats(term: Term) -> Term:
    """An operand each of whose letters comes once: diagonals are taken."""
    array, letters = term.array, term.letters
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            first = letters.index(letter)
            second = letters.index(letter, first + 1)
            if array.shape[first] != array.shape[second]:
                raise UserInputError(
                    f"einsum: the diagonal of axes named {letter!r} needs equal extents, got"
                    f" {array.shape[first]} and {array.shape[second]}"
                )
            array = diagonal(array, 0, first, second)
            letters = letters[:first] + letters[first + 1 : second] + letters[second + 1 :] + letter
    return Term(array, letters)


def _joined(terms: Sequence[Term], needed: set[str], algorithm: str) -> Term:
    """What one step makes of its operands: two, but where NumPy takes another number at once."""
    joined = terms[0]
    for place, term in enumerate(terms[1:], 2):
        later = {letter for other in terms[place:] for letter in other.letters}
        joined = _pair(joined, term, needed | later, algorithm)
    return _summed(joined, needed)


def _pair(left: Term, right: Term, needed: set[str], algorithm: str) -> Term:
    left = _summed(left, needed | set(right.letters))
    right = _summed(right, needed | set(left.letters))
    left, right = _without_ones(left, right), _without_ones(right, left)
    left, right = (
        _summed(left, needed | set(right.letters)),
        _summed(right, needed | set(left.letters)),
    )
    shared = [letter for letter in left.letters if letter in right.letters]
    inner = [letter for letter in shared if letter not in needed]
    if not inner:
        return _elementwise(left, right)
    batch = [letter for letter in shared if letter in needed]
    return _product(left, right, batch, inner, algorithm)


def _without_ones(term: Term, other: Term) -> Term:
    """Without axes of extent 1 that the other has longer ones for: they are broadcast."""
    gone = [
        axis
        for axis, letter in enumerate(term.letters)
        if term.array.shape[axis] == 1 and letter in other.letters and other.extent(letter) != 1
    ]
    if not gone:
        return term
    index = tuple(0 if axis in gone else slice(None) for axis in range(term.array.ndim))
    kept = "".join(letter for axis, letter in enumerate(term.letters) if axis not in gone)
    return Term(term.array[index], kept)


def _summed(term: Term, needed: set[str]) -> Term:
    """Without the axes that nobody needs."""
    gone = tuple(axis for axis, letter in enumerate(term.letters) if letter not in needed)
    if not gone:
        return term
    array = term.array
    total = array.sum(axis=gone, dtype=array.dtype)
    return Term(total, "".join(letter for letter in term.letters if letter in needed))


def _elementwise(left: Term, right: Term) -> Term:
    letters = left.letters + "".join(k for k in right.letters if k not in left.letters)
    product: Array = _placed(left, letters) * _placed(right, letters)
    return Term(product, letters)


def _placed(term: Term, letters: str) -> Array:
    """The view with an axis for each of the letters, of extent 1 where it has none."""
    array = _arranged(term, "".join(letter for letter in letters if letter in term.letters))
    return array[tuple(slice(None) if letter in term.letters else None for letter in letters)]


def _product(
    left: Term, right: Term, batch: Sequence[str], inner: Sequence[str], algorithm: str
) -> Term:
    """Letters of both as a stack, or summed over; the others are rows and columns."""
    shapes = left.array.shape, right.array.shape
    found, letters = _arrangement((left.letters, right.letters), shapes, batch, inner)
    return Term(found.product(left.array, right.array, algorithm), letters)


@record(eq=False)
class _Arrangement:
    """How two operands are made stacks of matrices, and their product the result.

    Args:
        axes: Of each operand, in the order in which they are taken.
        shapes: Of each, then.
        shape: Of the product, with the axes apart.
        order: Of these; None: they stay.
    """

    axes: tuple[tuple[int, ...], tuple[int, ...]]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    shape: tuple[int, ...]
    order: tuple[int, ...] | None = None

    def product(self, left: Array, right: Array, algorithm: str) -> Array:
        a, b = left.transpose(self.axes[0]), right.transpose(self.axes[1])
        a = a if a.shape == self.shapes[0] else a.reshape(self.shapes[0])
        b = b if b.shape == self.shapes[1] else b.reshape(self.shapes[1])
        found = matmul(a, b, algorithm=algorithm)
        found = found if found.shape == self.shape else found.reshape(self.shape)
        return found if self.order is None else found.transpose(self.order)


def _arrangement(
    letters: tuple[str, str],
    shapes: Sequence[tuple[int, ...]],
    batch: Sequence[str],
    inner: Sequence[str],
) -> tuple[_Arrangement, str]:
    """The arrangement of operands with these letters, and the letters of their product."""
    used = {*batch, *inner}
    rows, columns = ([k for k in own if k not in used] for own in letters)
    extents = {
        k: n
        for own, shape in zip(letters, shapes, strict=True)
        for k, n in zip(own, shape, strict=True)
    }

    def of(*parts: Sequence[str]) -> tuple[int, ...]:
        return tuple(extents[letter] for part in parts for letter in part)

    taken = ([*batch, *rows, *inner], [*batch, *inner, *columns])
    axes = tuple(
        tuple(own.index(letter) for letter in order)
        for own, order in zip(letters, taken, strict=True)
    )
    length, height, width = (math.prod(of(part)) for part in (inner, rows, columns))
    stack = of(batch)
    stacks = (*stack, height, length), (*stack, length, width)
    found = _Arrangement((axes[0], axes[1]), stacks, of(batch, rows, columns))
    return found, "".join((*batch, *rows, *columns))


@lru_cache(maxsize=512)
def _one_product(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> _Arrangement | None:
    """The arrangement where all that is to be done is one product; None: there is more, or less."""
    if len(shapes) != 2 or subscripts.count(",") != 1:
        return None
    (left, right), output = parsed(subscripts, shapes)
    shared = [letter for letter in left if letter in right]
    inner = [letter for letter in shared if letter not in output]
    has_repeats = len({*left}) < len(left) or len({*right}) < len(right)
    alone = ({*left} ^ {*right}) - {*output}
    if not inner or has_repeats or alone:
        return None
    if any(shapes[0][left.index(k)] != shapes[1][right.index(k)] for k in shared):
        return None  # one of them is broadcast
    batch = [letter for letter in shared if letter in output]
    found, letters = _arrangement((left, right), shapes, batch, inner)
    if letters == output:
        return found
    return replace(found, order=tuple(letters.index(letter) for letter in output))


def _arranged(term: Term, letters: str) -> Array:
    """The view whose axes are in the order of the letters."""
    return term.array.transpose(tuple(term.letters.index(letter) for letter in letters))
