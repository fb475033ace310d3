"""Sums of numbers that are given by their logarithms."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.operands import of_floats


@of_floats
def logaddexp(x1: Any, x2: Any, /) -> Any:
    """``log(exp(x1) + exp(x2))``, without overflow: within 3 ULP of the larger operand.

    NaN where either is NaN.

    >>> import speedmetal as sm
    >>> sm.logaddexp(sm.array([1000.0]), 1000.0)
    Array([1000.6932], dtype=float32, device='cpu')
    """
    # Of two equal infinities the difference would be NaN.
    rest = apply("log1p", apply("exp", -abs(_difference(x1, x2))))
    return apply("maximum", x1, x2) + rest


@of_floats
def logaddexp2(x1: Any, x2: Any, /) -> Any:
    """``log2(2**x1 + 2**x2)``, without overflow: within 3 ULP of the larger operand.

    NaN where either is NaN.

    >>> import speedmetal as sm
    >>> sm.logaddexp2(sm.array([1000.0]), 1000.0)
    Array([1001.], dtype=float32, device='cpu')
    """
    rest = apply("log1p", apply("exp2", -abs(_difference(x1, x2)))) * (1 / math.log(2.0))
    return apply("maximum", x1, x2) + rest


def _difference(x1: Any, x2: Any) -> Any:
    """``x1 - x2``, 0 where they are equal: infinities, too."""
    return apply("where", x1 == x2, 0, x1 - x2)
