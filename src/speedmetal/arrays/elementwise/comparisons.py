"""Comparisons, choices between elements, and what is true of all of them."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.deferred.lazy import Lazy
from speedmetal.arrays.elementwise.operands import cast, checked, compute, has_floats
from speedmetal.dtypes import float32, float64


def equal(x1: Any, x2: Any, /) -> Any:
    """``x1 == x2``, as bools. NaN equals nothing.

    >>> import speedmetal as sm
    >>> sm.equal(sm.array([1, 2]), 2)
    Array([False,  True], dtype=bool_, device='cpu')
    """
    return compute("equal", "eq", x1, x2)


def not_equal(x1: Any, x2: Any, /) -> Any:
    """``x1 != x2``, as bools.

    >>> import speedmetal as sm
    >>> sm.not_equal(sm.array([1, 2]), 2)
    Array([ True, False], dtype=bool_, device='cpu')
    """
    return compute("not_equal", "ne", x1, x2)


def less(x1: Any, x2: Any, /) -> Any:
    """``x1 < x2`` of real numbers, as bools. False beside NaN, as all four comparisons of order.

    >>> import speedmetal as sm
    >>> sm.less(sm.array([1, 2, 3]), 2)
    Array([ True, False, False], dtype=bool_, device='cpu')
    """
    return compute("less", "lt", x1, x2)


def less_equal(x1: Any, x2: Any, /) -> Any:
    """``x1 <= x2`` of real numbers, as bools.

    >>> import speedmetal as sm
    >>> sm.less_equal(sm.array([1, 2, 3]), 2)
    Array([ True,  True, False], dtype=bool_, device='cpu')
    """
    return compute("less_equal", "le", x1, x2)


def greater(x1: Any, x2: Any, /) -> Any:
    """``x1 > x2`` of real numbers, as bools.

    >>> import speedmetal as sm
    >>> sm.greater(sm.array([1, 2, 3]), 2)
    Array([False, False,  True], dtype=bool_, device='cpu')
    """
    return compute("greater", "gt", x1, x2)


def greater_equal(x1: Any, x2: Any, /) -> Any:
    """``x1 >= x2`` of real numbers, as bools.

    >>> import speedmetal as sm
    >>> sm.greater_equal(sm.array([1, 2, 3]), 2)
    Array([False,  True,  True], dtype=bool_, device='cpu')
    """
    return compute("greater_equal", "ge", x1, x2)


def where(condition: Any, x1: Any, x2: Any, /) -> Any:
    """``x1`` where the condition is true, else ``x2``: of arrays in memory and numbers alike.

    Args:
        condition: Bools; of other numbers all but 0 are true.
        x1: What is chosen where it is true.
        x2: What is chosen elsewhere; the result's type is that of an operation on both.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([1.0, -2.0])
        >>> sm.where(x > 0, x, 0)
        Array([1., 0.], dtype=float32, device='cpu')
    """
    return compute("where", "where", condition, x1, x2)


def fmin(a: Any, b: Any, /) -> Any:
    """The smaller operand; the other one where one is NaN. Of integers an integer.

    >>> import speedmetal as sm
    >>> sm.fmin(sm.array([1.0, float("nan")]), 2.0)
    Array([1., 2.], dtype=float32, device='cpu')
    """
    given = checked("fmin", a, b)
    return apply("fmin" if has_floats(given) else "minimum", *given)


def fmax(a: Any, b: Any, /) -> Any:
    """The greater operand; the other one where one is NaN. Of integers an integer.

    >>> import speedmetal as sm
    >>> sm.fmax(sm.array([1, 3]), 2)
    Array([2, 3], dtype=int32, device='cpu')
    """
    given = checked("fmax", a, b)
    return apply("fmax" if has_floats(given) else "maximum", *given)


# --- Nearly equal ----------------------------------------------------------------------------


def isclose(
    a: Any, b: Any, /, rtol: float = 1e-5, atol: float = 1e-8, *, equal_nan: bool = False
) -> Any:
    """Whether ``|a - b| <= atol + rtol * |b|``, as bools; infinities are close to themselves.

    Integers are compared in float64 where the device has it, else in float32.

    Args:
        a: Numbers.
        b: Numbers that ``a`` is measured by.
        rtol: A part of ``|b|``.
        atol: An amount.
        equal_nan: Whether NaN is close to NaN.

    Example:
        >>> import speedmetal as sm
        >>> sm.isclose(sm.array([1.0, 2.0]), sm.array([1.000001, 2.1]))
        Array([ True, False], dtype=bool_, device='cpu')
    """
    a, b = _inexact(*checked("isclose", a, b))
    size = abs(b)
    is_near = apply("le", abs(a - b), atol + rtol * size) & apply("lt", size, float("inf"))
    found = is_near | (a == b)
    return found | ((a != a) & (b != b)) if equal_nan else found  # noqa: PLR0124 - NaN alone


def _inexact(*operands: Any) -> tuple[Any, ...]:
    """Integers as floats, of which none that is compared here overflows."""
    array = next(operand for operand in operands if isinstance(operand, Lazy))
    wide = float64 if array.layout.device.target.has_float64 else float32
    return tuple(
        cast(each, wide)
        if isinstance(each, Lazy)
        and not (each.layout.dtype.is_float or each.layout.dtype.is_complex)
        else each
        for each in operands
    )


def allclose(
    a: Any, b: Any, /, rtol: float = 1e-5, atol: float = 1e-8, *, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, see :func:`isclose`; they are computed at once.

    >>> import speedmetal as sm
    >>> sm.allclose(sm.array([1e10, 1e-8]), sm.array([1.000001e10, 1e-9]))
    True
    """
    return bool(isclose(a, b, rtol, atol, equal_nan=equal_nan).all())


def array_equal(a: Any, b: Any, /, *, equal_nan: bool = False) -> bool:
    """Whether two arrays have the same shape and elements; they are computed at once.

    Args:
        a: An array.
        b: Another one.
        equal_nan: Whether NaN equals NaN.

    Example:
        >>> import speedmetal as sm
        >>> sm.array_equal(sm.array([1, 2]), sm.array([1.0, 2.0]))
        True
    """
    a, b = checked("array_equal", a, b)
    if getattr(a, "shape", ()) != getattr(b, "shape", ()):
        return False
    same = a == b
    return bool((same | ((a != a) & (b != b)) if equal_nan else same).all())  # noqa: PLR0124
