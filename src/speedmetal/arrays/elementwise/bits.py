"""Bits of integers, and the logic of truth."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.deferred.lazy import Lazy
from speedmetal.arrays.elementwise.operands import checked, compute
from speedmetal.errors import UserInputError


def bitwise_and(x1: Any, x2: Any, /) -> Any:
    """``x1 & x2`` of integers or bools.

    >>> import speedmetal as sm
    >>> sm.bitwise_and(sm.array([5, 6]), 4)
    Array([4, 4], dtype=int32, device='cpu')
    """
    return compute("bitwise_and", "bit_and", x1, x2)


def bitwise_or(x1: Any, x2: Any, /) -> Any:
    """``x1 | x2`` of integers or bools.

    >>> import speedmetal as sm
    >>> sm.bitwise_or(sm.array([1, 2]), 4)
    Array([5, 6], dtype=int32, device='cpu')
    """
    return compute("bitwise_or", "bit_or", x1, x2)


def bitwise_xor(x1: Any, x2: Any, /) -> Any:
    """``x1 ^ x2`` of integers or bools.

    >>> import speedmetal as sm
    >>> sm.bitwise_xor(sm.array([5, 6]), 4)
    Array([1, 2], dtype=int32, device='cpu')
    """
    return compute("bitwise_xor", "bit_xor", x1, x2)


def bitwise_invert(x: Any, /) -> Any:
    """``~x`` of integers or bools.

    >>> import speedmetal as sm
    >>> sm.bitwise_invert(sm.array([0, 1]))
    Array([-1, -2], dtype=int32, device='cpu')
    """
    return compute("bitwise_invert", "invert", x)


def bitwise_left_shift(x1: Any, x2: Any, /) -> Any:
    """``x1 << x2``; 0 where all bits are shifted out.

    Raises:
        UserInputError: ``x2`` is a negative number. (Of negative elements the result is undefined.)

    >>> import speedmetal as sm
    >>> sm.bitwise_left_shift(sm.array([1, 2]), 4)
    Array([16, 32], dtype=int32, device='cpu')
    """
    return compute("bitwise_left_shift", "shift_left", x1, _checked_shift("left", x2))


def bitwise_right_shift(x1: Any, x2: Any, /) -> Any:
    """``x1 >> x2``, rounded down: the sign stays.

    Raises:
        UserInputError: ``x2`` is a negative number. (Of negative elements the result is undefined.)

    >>> import speedmetal as sm
    >>> sm.bitwise_right_shift(sm.array([16, -1]), 2)
    Array([ 4, -1], dtype=int32, device='cpu')
    """
    return compute("bitwise_right_shift", "shift_right", x1, _checked_shift("right", x2))


def _checked_shift(direction: str, count: Any) -> Any:
    if isinstance(count, int) and count < 0:
        raise UserInputError(
            f"bitwise_{direction}_shift expected a shift of 0 or more, got {count}; shift the other"
            " way"
        )
    return count


def bitcast(x: Any, dtype: Any) -> Any:
    """The same bits as elements of another dtype of the same size: a view, as ``x.view(dtype)``.

    >>> import speedmetal as sm
    >>> sm.bitcast(sm.array([1.0]), sm.uint32)
    Array([1065353216], dtype=uint32, device='cpu')
    """
    (x,) = checked("bitcast", x)
    return x.view(dtype)


# --- Truth -----------------------------------------------------------------------------------


def truth(x: Any) -> Any:
    """Whether an operand is not 0: an array of bools, or a bool."""
    if not isinstance(x, Lazy):
        return bool(x)
    return x if x.layout.dtype.is_bool else apply("ne", x, 0)


def logical_and(x1: Any, x2: Any, /) -> Any:
    """Whether both are true; of numbers all but 0 are.

    >>> import speedmetal as sm
    >>> sm.logical_and(sm.array([True, False]), sm.array([2, 2]))
    Array([ True, False], dtype=bool_, device='cpu')
    """
    return apply("bit_and", *map(truth, checked("logical_and", x1, x2)))


def logical_or(x1: Any, x2: Any, /) -> Any:
    """Whether one or both are true; of numbers all but 0 are.

    >>> import speedmetal as sm
    >>> sm.logical_or(sm.array([True, False]), sm.array([0, 0]))
    Array([ True, False], dtype=bool_, device='cpu')
    """
    return apply("bit_or", *map(truth, checked("logical_or", x1, x2)))


def logical_xor(x1: Any, x2: Any, /) -> Any:
    """Whether one is true and the other is not; of numbers all but 0 are true.

    >>> import speedmetal as sm
    >>> sm.logical_xor(sm.array([True, False]), sm.array([2, 2]))
    Array([False,  True], dtype=bool_, device='cpu')
    """
    return apply("bit_xor", *map(truth, checked("logical_xor", x1, x2)))


def logical_not(x: Any, /) -> Any:
    """Whether an element is false; of numbers 0 is.

    >>> import speedmetal as sm
    >>> sm.logical_not(sm.array([0.0, 2.0]))
    Array([ True, False], dtype=bool_, device='cpu')
    """
    return apply("invert", *map(truth, checked("logical_not", x)))


# NumPy's names for them.
bitwise_not = invert = bitwise_invert
left_shift, right_shift = bitwise_left_shift, bitwise_right_shift
