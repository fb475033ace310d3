"""Between what numbers a float lies, as far as constants and clamps tell.

Sound, and coarse: a variable has one interval for the whole body, from everything that is ever
assigned to it; conditions tell nothing. Any float may be NaN besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from speedmetal.dtypes import DType
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Array,
    Assign,
    Atomic,
    Binary,
    Call,
    Constant,
    Convert,
    Expression,
    For,
    Function,
    Invoke,
    Read,
    Return,
    Select,
    Statement,
    Unary,
    Variable,
)
from speedmetal.ir.ranges import range_of_type


class Interval(NamedTuple):
    """The numbers from ``least`` to ``greatest``, both included."""

    least: float
    greatest: float

    def join(self, other: Interval) -> Interval:
        return Interval(min(self.least, other.least), max(self.greatest, other.greatest))


ANYTHING = Interval(-math.inf, math.inf)

_DEPTH = 24
"""Of expressions, through variables: what lies deeper may be anything."""


class FloatBounds:
    """The intervals of the floats of a body, whose parameters may be anything.

    >>> from speedmetal.dtypes import float32
    >>> from speedmetal.source import NOWHERE
    >>> FloatBounds((), ()).of(Constant(1.5, float32, NOWHERE))
    Interval(least=1.5, greatest=1.5)
    """

    def __init__(self, parameters: Iterable[Variable | Array], body: tuple[Statement, ...]) -> None:
        self._assigned: dict[Variable, list[Expression]] = {}
        self._known = {p: ANYTHING for p in parameters if isinstance(p, Variable)}
        for statement in walk.statements(body):
            match statement:
                case Assign(variable, value):
                    self._assigned.setdefault(variable, []).append(value)
                case Atomic(result=Variable() as result):
                    self._known[result] = ANYTHING
                case For(counter=counter):
                    self._known[counter] = ANYTHING

    def of(self, expression: Expression) -> Interval:
        """The interval of a number's values that are not NaN."""
        return self._of(expression, {}, _DEPTH)

    def _of(  # noqa: PLR0911 - one for each kind
        self, node: Expression, given: Mapping[Variable, Interval], depth: int
    ) -> Interval:
        if not depth or not isinstance(node.type, DType):
            return ANYTHING
        match node:
            case Constant(value):
                return ANYTHING if value != value else Interval(value, value)  # noqa: PLR0124
            case Read(variable):
                return given.get(variable) or self._of_variable(variable, depth)
            case Invoke(function):
                return self._of_result(function, self._all(node, given, depth), depth)
            case Convert():
                return self._converted(node, given, depth)
            case Select(_, when_true, when_false):
                left, right = (self._of(n, given, depth - 1) for n in (when_true, when_false))
                return left.join(right)
        return self._of_operation(node, given, depth) if node.type.is_float else ANYTHING

    def _all(
        self, node: Expression, given: Mapping[Variable, Interval], depth: int
    ) -> list[Interval]:
        return [self._of(operand, given, depth - 1) for operand in walk.operands(node)]

    def _of_operation(
        self, node: Expression, given: Mapping[Variable, Interval], depth: int
    ) -> Interval:
        match node:
            case Binary(operator) if operator in _EXACT:
                found = _EXACT[operator](*self._all(node, given, depth))
            case Call(intrinsic) if intrinsic.name in _EXACT:
                found = _EXACT[intrinsic.name](*self._all(node, given, depth))
            case Call(intrinsic) if intrinsic.name in _CHOSEN:
                return _CHOSEN[intrinsic.name](*self._all(node, given, depth))
            case Unary("negate"):
                (operand,) = self._all(node, given, depth)
                return Interval(-operand.greatest, -operand.least)
            case _:
                return ANYTHING
        return _rounded(found, node.type)

    def _converted(self, node: Convert, given: Mapping[Variable, Interval], depth: int) -> Interval:
        source = node.operand.type
        if not isinstance(source, DType) or not node.type.is_float:
            return ANYTHING
        if source.is_float:
            return _rounded(self._of(node.operand, given, depth - 1), node.type)
        least, greatest = range_of_type(source)
        return _rounded(Interval(least, greatest), node.type)

    def _of_variable(self, variable: Variable, depth: int) -> Interval:
        if variable not in self._known:
            self._known[variable] = ANYTHING  # for what is made from itself
            values = self._assigned.get(variable)
            if values:
                self._known[variable] = _hull(self._of(value, {}, depth - 1) for value in values)
        return self._known[variable]

    def _of_result(self, function: Function, given: list[Interval], depth: int) -> Interval:
        """Of functions that are one expression."""
        match function.body:
            case (Return(value),) if value is not None:
                known = dict(zip(function.parameters, given, strict=True))
                return self._of(value, known, depth - 1)
        return ANYTHING


def _hull(intervals: Iterable[Interval]) -> Interval:
    first, *others = intervals
    for other in others:
        first = first.join(other)
    return first


def _rounded(found: Interval, kind: object) -> Interval:
    """What an exact result may become when it is rounded to a float type, and was itself here."""
    assert isinstance(kind, DType)
    if any(end != end for end in found):  # noqa: PLR0124 - NaN, from infinities
        return ANYTHING
    error = 2.0 ** (-7 if kind.bits == 16 else -20)
    least, greatest = found
    least -= abs(least) * error + _SUBNORMAL[kind.bits]
    greatest += abs(greatest) * error + _SUBNORMAL[kind.bits]
    limit = _LARGEST[kind.bits]
    return Interval(
        least if least >= -limit else -math.inf, greatest if greatest <= limit else math.inf
    )


_SUBNORMAL = {16: 1e-7, 32: 1e-37, 64: 1e-300}
_LARGEST = {16: 6.0e4, 32: 3.0e38, 64: 1.0e308}


# --- Operations ------------------------------------------------------------------------------


def _product(a: Interval, b: Interval) -> Interval:
    ends = [x * y for x in a for y in b]
    return Interval(min(ends), max(ends)) if all(e == e for e in ends) else ANYTHING  # noqa: PLR0124


def _sum(a: Interval, b: Interval) -> Interval:
    return Interval(a.least + b.least, a.greatest + b.greatest)


_EXACT: dict[str, Callable[..., Interval]] = {
    "add": _sum,
    "subtract": lambda a, b: Interval(a.least - b.greatest, a.greatest - b.least),
    "multiply": _product,
    "fma": lambda a, b, c: _sum(_product(a, b), c),
}
"""What is computed and then rounded."""


def _by_ends(function: Callable[[float], float]) -> Callable[[Interval], Interval]:
    """A function that never falls."""
    return lambda a: Interval(*(function(end) if math.isfinite(end) else end for end in a))


_CHOSEN: dict[str, Callable[..., Interval]] = {
    "minimum": lambda a, b: Interval(min(a.least, b.least), min(a.greatest, b.greatest)),
    "maximum": lambda a, b: Interval(max(a.least, b.least), max(a.greatest, b.greatest)),
    "floor": _by_ends(math.floor),
    "ceil": _by_ends(math.ceil),
    "trunc": _by_ends(math.trunc),
    "rint": _by_ends(round),
}
"""What is exact."""
