"""Python's operators on arrays: each is a lazy elementwise operation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from speedmetal.arrays.deferred.graph import apply, binary, reflected, unary
from speedmetal.arrays.deferred.lazy import Lazy
from speedmetal.arrays.elementwise.arithmetic import pow  # noqa: A004 - the array API's name
from speedmetal.arrays.elementwise.bits import bitwise_left_shift, bitwise_right_shift
from speedmetal.arrays.elementwise.operands import beside, copied, refuse_lists

_OWN = (Lazy, bool, int, float, complex)
_NUMPYS = (np.generic, np.ndarray)


def _operand(array: Any, value: Any) -> Any:
    """A value as an operand beside an array; NotImplemented where its own class is to say.

    NumPy's arrays are copied: nobody would know when they are written to.
    """
    if isinstance(value, _NUMPYS):
        return beside("an operator", array, value)
    if isinstance(value, _OWN):
        return value
    refuse_lists("an operator", (value,))  # `==` would be False in silence
    return NotImplemented


def _binary(operation: str) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int or kind is type(self):
            return binary(operation, self, other)
        other = _operand(self, other)
        return NotImplemented if other is NotImplemented else apply(operation, self, other)

    return operator


def _reflected(operation: str) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        kind = type(other)
        if kind is float or kind is int:
            return reflected(operation, other, self)
        other = _operand(self, other)
        return NotImplemented if other is NotImplemented else apply(operation, other, self)

    return operator


def _unary(operation: str) -> Callable[[Any], Any]:
    def operator(self: Any) -> Any:
        return unary(operation, self)

    return operator


def _in_place(operation: str) -> Callable[[Any, Any], Any]:
    return _updating(operation, partial(apply, operation))


def _updating(name: str, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        other = _operand(self, other)
        return NotImplemented if other is NotImplemented else self.update(name, function, other)

    return operator


def _calling(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An operator that is more than one operation, or looks at the numbers that it is given."""

    def operator(self: Any, other: Any) -> Any:
        other = _operand(self, other)
        return NotImplemented if other is NotImplemented else function(self, other)

    return operator


class Operators:
    """What ``+ - * / // % ** & | ^ << >> == != < <= > >= - + ~ abs`` do with arrays."""

    __slots__ = ()

    __add__, __radd__, __iadd__ = _binary("add"), _reflected("add"), _in_place("add")
    __sub__, __rsub__ = _binary("subtract"), _reflected("subtract")
    __isub__ = _in_place("subtract")
    __mul__, __rmul__ = _binary("multiply"), _reflected("multiply")
    __imul__ = _in_place("multiply")
    __truediv__, __rtruediv__ = _binary("divide"), _reflected("divide")
    __itruediv__ = _in_place("divide")
    __floordiv__, __rfloordiv__ = _binary("floor_divide"), _reflected("floor_divide")
    __ifloordiv__ = _in_place("floor_divide")
    __mod__, __rmod__, __imod__ = (
        _binary("remainder"),
        _reflected("remainder"),
        _in_place("remainder"),
    )
    __pow__, __rpow__, __ipow__ = _calling(pow), _reflected("power"), _updating("power", pow)
    __and__, __rand__, __iand__ = _binary("bit_and"), _reflected("bit_and"), _in_place("bit_and")
    __or__, __ror__, __ior__ = _binary("bit_or"), _reflected("bit_or"), _in_place("bit_or")
    __xor__, __rxor__, __ixor__ = _binary("bit_xor"), _reflected("bit_xor"), _in_place("bit_xor")
    __lshift__, __rlshift__ = _calling(bitwise_left_shift), _reflected("shift_left")
    __ilshift__ = _updating("shift_left", bitwise_left_shift)
    __rshift__, __rrshift__ = _calling(bitwise_right_shift), _reflected("shift_right")
    __irshift__ = _updating("shift_right", bitwise_right_shift)

    __eq__, __ne__ = _binary("eq"), _binary("ne")
    __lt__, __le__ = _binary("lt"), _binary("le")
    __gt__, __ge__ = _binary("gt"), _binary("ge")

    __neg__, __invert__, __abs__ = _unary("negate"), _unary("invert"), _unary("abs")

    __pos__ = copied

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self
