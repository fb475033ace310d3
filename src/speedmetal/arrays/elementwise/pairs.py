"""Functions with two results, and the ones that put such pairs together again."""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.operands import cast, checked, float_type


def sincos(x: Any, /) -> tuple[Any, Any]:
    """The pair (sin(x), cos(x)).

    >>> import speedmetal as sm
    >>> sm.sincos(sm.array([0.0]))
    (Array([0.], dtype=float32, device='cpu'), Array([1.], dtype=float32, device='cpu'))
    """
    (x,) = checked("sincos", x)
    return apply("sin", x), apply("cos", x)


def frexp(x: Any, /) -> tuple[Any, Any]:
    """The pair (mantissa, exponent): ``mantissa * 2**exponent`` is x, 0.5 <= |mantissa| < 1.

    >>> import speedmetal as sm
    >>> sm.frexp(sm.array([6.0]))
    (Array([0.75], dtype=float32, device='cpu'), Array([3], dtype=int32, device='cpu'))
    """
    (x,) = checked("frexp", x)
    return apply("frexp_mantissa", x), apply("frexp_exponent", x)


def ldexp(x: Any, exponent: Any, /) -> Any:
    """``x * 2**exponent``, rounded once.

    >>> import speedmetal as sm
    >>> sm.ldexp(sm.array([0.75]), 3)
    Array([6.], dtype=float32, device='cpu')
    """
    x, exponent = checked("ldexp", x, exponent)
    if type(exponent) is int:  # which has a type of its own, not that of x
        exponent = np.int32(np.clip(exponent, -(2**31), 2**31 - 1))
    return apply("ldexp", x, exponent)


def modf(x: Any, /) -> tuple[Any, Any]:
    """The pair (fraction, whole part), both floats with the sign of x; NaN gives NaN twice.

    >>> import speedmetal as sm
    >>> sm.modf(sm.array([-2.5]))
    (Array([-0.5], dtype=float32, device='cpu'), Array([-2.], dtype=float32, device='cpu'))
    """
    (x,) = checked("modf", x)
    x = cast(x, float_type("modf", [x]))
    whole = apply("trunc", x)
    fraction = apply("where", apply("isinf", x), 0, x - whole)
    return apply("copysign", fraction, x), whole
