"""Functions that neural networks use between their layers."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.exponentials import logaddexp
from speedmetal.arrays.elementwise.operands import compute, of_floats
from speedmetal.errors import UnknownNameError


@of_floats
def sigmoid(x: Any, /) -> Any:
    """``1 / (1 + exp(-x))``: 0 at -inf, 1 at inf.

    >>> import speedmetal as sm
    >>> sm.sigmoid(sm.array([0.0, 100.0]))
    Array([0.5, 1. ], dtype=float32, device='cpu')
    """
    return 1 / (1 + apply("exp", -x))


def relu(x: Any, /) -> Any:
    """``maximum(x, 0)``, in the type of ``x``. NaN stays.

    >>> import speedmetal as sm
    >>> sm.relu(sm.array([-1.0, 2.0]))
    Array([0., 2.], dtype=float32, device='cpu')
    """
    return compute("relu", "maximum", x, 0)


@of_floats
def silu(x: Any, /) -> Any:
    """``x * sigmoid(x)`` (Elfwing and others, 2017), which is called swish, too. NaN at -inf.

    >>> import speedmetal as sm
    >>> sm.silu(sm.array([-100.0, 0.0, 100.0]))
    Array([ -0.,   0., 100.], dtype=float32, device='cpu')
    """
    return x / (1 + apply("exp", -x))


def gelu(x: Any, /, approximate: str = "none") -> Any:
    """``x`` times the probability that a normal number is below it (Hendrycks and Gimpel, 2016).

    Args:
        x: Floats. NaN at -inf.
        approximate: "none": ``x / 2 * erfc(-x / sqrt(2))``; "tanh": the paper's formula
            ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x**3)))``.

    Raises:
        UnknownNameError: ``approximate`` is something else.

    Example:
        >>> import speedmetal as sm
        >>> sm.gelu(sm.array([-1.0, 0.0, 3.0]))
        Array([-0.15865526,  0.        ,  2.9959502 ], dtype=float32, device='cpu')
    """
    if approximate not in _GELU:
        raise UnknownNameError("approximation", approximate, _GELU)
    return _GELU[approximate](x)


@of_floats
def _gelu(x: Any) -> Any:
    return 0.5 * x * apply("erfc", x * -math.sqrt(0.5))


@of_floats
def _gelu_by_tanh(x: Any) -> Any:
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
    return 0.5 * x * (1 + apply("tanh", inner))


_GELU = {"none": _gelu, "tanh": _gelu_by_tanh}


def softplus(x: Any, /) -> Any:
    """``log(1 + exp(x))``, without overflow.

    >>> import speedmetal as sm
    >>> sm.softplus(sm.array([0.0, 1000.0]))
    Array([6.931472e-01, 1.000000e+03], dtype=float32, device='cpu')
    """
    return logaddexp(x, 0.0)
