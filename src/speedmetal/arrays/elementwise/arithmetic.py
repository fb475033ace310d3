"""Sums, products, quotients and powers."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.operands import checked, compute, copied, has_floats, of_floats
from speedmetal.errors import UserInputError


def add(x1: Any, x2: Any, /) -> Any:
    """``x1 + x2``. Integers wrap.

    >>> import speedmetal as sm
    >>> sm.add(sm.array([1, 2]), 0.5)
    Array([1.5, 2.5], dtype=float32, device='cpu')
    """
    return compute("add", "add", x1, x2)


def subtract(x1: Any, x2: Any, /) -> Any:
    """``x1 - x2``. Integers wrap.

    >>> import speedmetal as sm
    >>> sm.subtract(1, sm.array([1, 2]))
    Array([ 0, -1], dtype=int32, device='cpu')
    """
    return compute("subtract", "subtract", x1, x2)


def multiply(x1: Any, x2: Any, /) -> Any:
    """``x1 * x2``. Integers wrap.

    >>> import speedmetal as sm
    >>> sm.multiply(sm.array([1, 2]), sm.array([[3], [4]]))
    Array([[3, 6],
           [4, 8]], dtype=int32, device='cpu')
    """
    return compute("multiply", "multiply", x1, x2)


def divide(x1: Any, x2: Any, /) -> Any:
    """``x1 / x2``. Integers become the default float.

    >>> import speedmetal as sm
    >>> sm.divide(sm.array([1, 0]), 2)
    Array([0.5, 0. ], dtype=float32, device='cpu')
    """
    return compute("divide", "divide", x1, x2)


def pow(x1: Any, x2: Any, /) -> Any:  # noqa: A001 - the array API's name
    """``x1 ** x2``. Integers stay integers, and wrap; below 0 an exponent among them gives 0.

    A float to the power of a Python 2, 3 or 4 is a product.

    Raises:
        UserInputError: Integers have a negative Python number as exponent.

    >>> import speedmetal as sm
    >>> sm.pow(sm.array([1.5, -2.0]), 2)
    Array([2.25, 4.  ], dtype=float32, device='cpu')
    """
    base, exponent = checked("pow", x1, x2)
    if type(exponent) is not int:
        return apply("power", base, exponent)
    if exponent < 0 and not (base.layout.dtype.is_float or base.layout.dtype.is_complex):
        raise UserInputError(
            f"pow: an integer to the power of {exponent} is no integer; write"
            f" x.astype(sm.float32) ** {exponent}"
        )
    if exponent not in _PRODUCTS or base.layout.dtype.is_bool:
        return apply("power", base, exponent)
    return _product(base, exponent)


_PRODUCTS = frozenset({2, 3, 4})
"""Exponents whose powers are products: more exact than a logarithm, and quicker."""


def _product(base: Any, exponent: int) -> Any:
    square = apply("multiply", base, base)
    return apply("multiply", square, square if exponent == 4 else base) if exponent > 2 else square


def float_power(x1: Any, x2: Any, /) -> Any:
    """``x1 ** x2`` of floats: integers become the default float.

    >>> import speedmetal as sm
    >>> sm.float_power(sm.array([2, 4]), -1)
    Array([0.5 , 0.25], dtype=float32, device='cpu')
    """
    return compute("float_power", "pow", x1, x2)


def fmod(x1: Any, x2: Any, /) -> Any:
    """What is left of x1 divided by x2, with the sign of x1: of integers an integer.

    >>> import speedmetal as sm
    >>> sm.fmod(sm.array([-7, 7]), 3)
    Array([-1,  1], dtype=int32, device='cpu')
    """
    a, b = checked("fmod", x1, x2)
    if has_floats((a, b)):
        return apply("fmod", a, b)
    rest = apply("remainder", a, b)
    is_other_side = (rest != 0) & ((a < 0) != (b < 0))
    return apply("where", is_other_side, rest - b, rest)


def cdiv(a: Any, b: Any) -> Any:
    """The quotient of integers rounded up.

    >>> import speedmetal as sm
    >>> sm.cdiv(sm.array([6, 7, -7]), 3)
    Array([ 2,  3, -2], dtype=int32, device='cpu')
    """
    a, b = checked("cdiv", a, b)
    return a // b + (a % b != 0)


def negative(x: Any, /) -> Any:
    """``-x``. Integers wrap.

    >>> import speedmetal as sm
    >>> sm.negative(sm.array([1.0, -0.0]))
    Array([-1.,  0.], dtype=float32, device='cpu')
    """
    return compute("negative", "negate", x)


def positive(x: Any, /) -> Any:
    """``+x``: a copy, which is made when it is asked for.

    >>> import speedmetal as sm
    >>> sm.positive(sm.array([1, -1]))
    Array([ 1, -1], dtype=int32, device='cpu')
    """
    return copied(*checked("positive", x))


def square(x: Any, /) -> Any:
    """``x * x``. Integers wrap.

    >>> import speedmetal as sm
    >>> sm.square(sm.array([1 + 1j, 3]))
    Array([0.+2.j, 9.+0.j], dtype=complex64, device='cpu')
    """
    (x,) = checked("square", x)
    return apply("multiply", x, x)


def reciprocal(x: Any, /) -> Any:
    """``1 / x``. Integers become the default float; a zero gives an infinity of its sign.

    >>> import speedmetal as sm
    >>> sm.reciprocal(sm.array([4.0, -0.0]))
    Array([0.25, -inf], dtype=float32, device='cpu')
    """
    return compute("reciprocal", "divide", 1, x)


def sign(x: Any, /) -> Any:
    """-1, 0 or 1, in the same type; NaN stays. Of complex numbers ``x / |x|``, and 0 of 0.

    >>> import speedmetal as sm
    >>> sm.sign(sm.array([-2.0, -0.0, 3.0]))
    Array([-1.,  0.,  1.], dtype=float32, device='cpu')
    """
    (x,) = checked("sign", x)
    found = apply("sign", x)
    # In kernels a zero keeps its sign.
    return apply("where", x == 0, 0, found) if x.layout.dtype.is_float else found


def lcm(x1: Any, x2: Any, /) -> Any:
    """The least number that both integers divide; 0 where one is 0. It wraps.

    >>> import speedmetal as sm
    >>> sm.lcm(sm.array([4, -6, 0]), 10)
    Array([20, 30,  0], dtype=int32, device='cpu')
    """
    a, b = checked("lcm", x1, x2)
    divisor = apply("gcd", a, b)
    # Where both are 0, so is the divisor, and what divides by 0 is not taken.
    product = abs(a) // apply("maximum", divisor, 1) * abs(b)
    return apply("where", divisor == 0, divisor, product)


@of_floats
def lerp(start: Any, end: Any, weight: Any, /) -> Any:
    """From ``start`` (weight 0) to ``end`` (weight 1), which are met exactly.

    It is ``start + weight * (end - start)`` for weights below a half, and counted from the end for
    others.

    >>> import speedmetal as sm
    >>> sm.lerp(sm.array([0.0, 10.0]), 20.0, 0.25)
    Array([ 5. , 12.5], dtype=float32, device='cpu')
    """
    length = end - start
    return apply("where", weight < 0.5, start + weight * length, end - length * (1 - weight))


@of_floats
def heaviside(x: Any, at_zero: Any, /) -> Any:
    """0 below 0, ``at_zero`` at 0, 1 above; NaN stays.

    >>> import speedmetal as sm
    >>> sm.heaviside(sm.array([-2.0, 0.0, 3.0]), 0.5)
    Array([0. , 0.5, 1. ], dtype=float32, device='cpu')
    """
    at_or_nan = apply("where", x == 0, at_zero, x)
    return apply("where", x < 0, 0, apply("where", x > 0, 1, at_or_nan))


# NumPy's names for them.
power, true_divide = pow, divide
