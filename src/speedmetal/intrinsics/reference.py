"""The meaning of intrinsics on numbers and NumPy arrays: what runs outside kernels and in tests.

Float functions are evaluated in float64 and rounded once to the operands' type, so that a float32
reference is right to half a unit in the last place, save for the rare double rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.dtypes import is_bfloat16_class
from speedmetal.errors import UserInputError


def common_type(*operands: Any) -> np.dtype[Any]:
    """The type in which an intrinsic of floats works: that of its operands, float32 for integers.

    Python's numbers are weak: alone they give float64, which is what they are.

    >>> common_type(np.float16(1), 2.0), common_type(np.int32(1)), common_type(1)
    (dtype('float16'), dtype('float32'), dtype('float64'))
    """
    typed = [np.asarray(x).dtype for x in operands if not isinstance(x, bool | int | float)]
    if not typed:
        return np.dtype(np.float64)
    floats = [dtype for dtype in typed if dtype.kind == "f" or is_bfloat16_class(dtype.type)]
    if not floats:
        return np.dtype(np.float32)
    found = floats[0]
    for dtype in floats[1:]:
        if dtype != found:
            found = np.promote_types(np.promote_types(found, np.float32), dtype)
    return found


def without_warnings(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without NumPy's warnings: NaN and infinity are results like others."""

    def call(*operands: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*operands)

    call.__name__ = getattr(function, "__name__", "reference")
    return call


def of_floats(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference that evaluates ``function`` in float64 and rounds to the operands' type."""

    def evaluate(*operands: Any) -> Any:
        if any(map(np.iscomplexobj, operands)):
            return _of_complex(function, operands)
        dtype = common_type(*operands)
        wide = [np.asarray(x).astype(np.float64) for x in operands]
        result = np.asarray(function(*wide)).astype(dtype)
        return result if result.ndim else result[()]

    return without_warnings(evaluate)


_PYTHONS = (bool, int, float, complex)
_WIDE = (np.dtype(np.float64), np.dtype(np.complex128))


def _of_complex(function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """NumPy's function on complex numbers, of which Python's own keep their 64 bits a part."""
    if not (isinstance(function, np.ufunc) and "D->D" in "".join(function.types)):
        raise UserInputError("expected real numbers, found complex ones; use their parts")
    typed = [np.asarray(x).dtype for x in operands if type(x) not in _PYTHONS]
    narrow = np.complex64 in typed and not any(dtype in _WIDE for dtype in typed)
    result = np.asarray(function(*(np.asarray(x).astype(np.complex128) for x in operands)))
    result = result.astype(np.complex64) if narrow else result
    return result if result.ndim else result[()]


def to_bool(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference of floats whose result is a truth value."""

    def evaluate(*operands: Any) -> Any:
        is_complex = any(map(np.iscomplexobj, operands))
        wide = [np.asarray(x).astype(complex if is_complex else np.float64) for x in operands]
        return function(*wide)

    return without_warnings(evaluate)


def to_int32(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference of floats whose result is an int32."""

    def evaluate(*operands: Any) -> Any:
        wide = [np.asarray(x).astype(np.float64) for x in operands]
        result = np.asarray(function(*wide)).astype(np.int32)
        return result if result.ndim else result[()]

    return without_warnings(evaluate)


def one_by_one(function: Callable[..., float]) -> Callable[..., Any]:
    """A reference of floats from a function of Python's floats; what it refuses is NaN."""

    def element(*operands: float) -> float:
        try:
            return function(*operands)
        except OverflowError:
            return float("inf")
        except ValueError:
            return float("nan")

    vectorized = np.vectorize(element, otypes=[np.float64])
    return of_floats(vectorized)


def refuse_outside_kernel(name: str) -> Callable[..., Any]:
    """The reference of what has no meaning for a single thread: an error that says so."""

    def refuse(*_operands: Any, **_options: Any) -> Any:
        raise UserInputError(
            f"{name} is defined only inside a kernel; call it in a function decorated with"
            " @sm.kernel or in a function that one calls"
        )

    return refuse
