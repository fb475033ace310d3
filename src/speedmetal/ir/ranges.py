"""The values that a kernel's integers can have, as far as positions, sizes and constants tell.

Sound, and coarse: a variable has one range for the whole program, from everything that is ever
assigned to it; conditions tell nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple, TypeVar

from speedmetal.dtypes import DType
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Call,
    Constant,
    Convert,
    Expression,
    Extent,
    For,
    Function,
    Invoke,
    Kernel,
    Read,
    Return,
    Select,
    Statement,
    Unary,
    Variable,
)
from speedmetal.ir.types import ValueType, greatest_index


class Range(NamedTuple):
    """The integers from ``least`` to ``greatest``, both included."""

    least: int
    greatest: int

    def is_within(self, other: Range) -> bool:
        return other.least <= self.least and self.greatest <= other.greatest

    def join(self, other: Range) -> Range:
        return Range(min(self.least, other.least), max(self.greatest, other.greatest))


TRUTH = Range(0, 1)


def range_of_type(dtype: DType) -> Range:
    """Everything that an integer type, or bool, has.

    >>> from speedmetal.dtypes import int8
    >>> range_of_type(int8)
    Range(least=-128, greatest=127)
    """
    return TRUTH if dtype.is_bool else Range(int(dtype.minimum), int(dtype.maximum))


class Ranges:
    """The ranges of a kernel's integers and booleans, in its body and its functions.

    They are found by repetition: first nothing is assigned, and each round joins what it finds;
    a bound that goes on changing is given up for the type's own.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._greatest = greatest_index(kernel.index_type)
        self._index = Range(0, self._greatest)
        self._variables: dict[Variable, Range] = {}
        self._results: dict[Function, Range] = {}
        self._found: dict[Expression, Range | None] = {}
        self._is_solved = False
        for parameter in kernel.parameters:
            if isinstance(parameter, Variable):
                self._join(parameter, _of(parameter.type))
        for number in count(1):
            before = dict(self._variables), dict(self._results)
            self._round(kernel)
            if before == (self._variables, self._results):
                break
            if number >= _ROUNDS:
                _widen(self._variables, before[0], lambda variable: variable.type)
                _widen(self._results, before[1], lambda function: function.result)
        self._is_solved = True

    def of(self, expression: Expression) -> Range:
        """The range of an integer's or boolean's values."""
        if expression not in self._found:
            self._evaluate(expression)
        return self._found[expression] or _of(expression.type) or TRUTH

    def exact_range(self, node: Unary | Binary) -> Range:
        """The range of a sum, difference, product or negation if it did not wrap."""
        if isinstance(node, Unary):
            operand = self.of(node.operand)
            return Range(-operand.greatest, -operand.least)
        return self._known_product(node) or _EXACT[node.operator](
            self.of(node.left), self.of(node.right)
        )

    # --- The rounds ----------------------------------------------------------------------------

    def _round(self, kernel: Kernel) -> None:
        for array in kernel.arrays:
            for size in array.shape or ():
                if not isinstance(size, int):
                    self._evaluate(size)
        self._body(kernel.body, None)
        for function in kernel.functions:
            self._body(function.body, function)

    def _body(self, body: tuple[Statement, ...], function: Function | None) -> None:
        for statement in walk.statements(body):
            for operand in walk.operands(statement):
                self._evaluate(operand)
            match statement:
                case Assign(variable, value):
                    self._join(variable, self._found[value])
                case Atomic(result=Variable() as result):
                    self._join(result, _of(result.type))
                case For():
                    self._join(statement.counter, self._counter(statement))
                case Return(value) if function is not None and value is not None:
                    if (found := self._found[value]) is not None:
                        self._results[function] = found.join(self._results.get(function, found))

    def _join(self, variable: Variable, found: Range | None) -> None:
        if found is not None:
            self._variables[variable] = found.join(self._variables.get(variable, found))

    def _counter(self, loop: For) -> Range | None:
        """What a counter is in the body: there it has not come to the stop."""
        bounds = [self._found[bound] for bound in walk.operands(loop)]
        if None in bounds:
            return None
        start, stop, step = (bound for bound in bounds if bound is not None)
        least, greatest = start
        if step.greatest > 0:
            greatest = max(greatest, stop.greatest - 1)
        if step.least < 0:
            least = min(least, stop.least + 1)
        return Range(least, greatest)

    # --- Expressions ---------------------------------------------------------------------------

    def _evaluate(self, expression: Expression) -> None:
        """Find the ranges of an expression and its parts; None where nothing came there yet."""
        for node in (*walk.expressions(expression), expression):
            self._found[node] = self._value(node)

    def _value(self, node: Expression) -> Range | None:  # noqa: PLR0911 - one for each kind
        whole = _of(node.type)
        match node:
            case Constant(value) if whole:
                return Range(int(value), int(value))
            case Read(variable):
                return self._variables.get(variable, whole if self._is_solved else None)
            case Extent():
                return self._index
            case Call(intrinsic=intrinsic) if intrinsic.bounds is not None:
                return Range(*intrinsic.bounds(self._greatest))
            case Invoke(function, arguments):
                for parameter, argument in zip(function.parameters, arguments, strict=True):
                    self._join(parameter, self._found[argument])
                return self._results.get(function)
        if whole is None or not isinstance(node, Unary | Binary | Select | Convert | Call):
            return whole
        operands = list(walk.operands(node))
        if any(_of(operand.type) is None for operand in operands):
            return whole
        if any(self._found[operand] is None for operand in operands):
            return None
        found = self._range_of_operation(node)
        return found if found is not None and found.is_within(whole) else whole

    def _range_of_operation(  # noqa: PLR0911 - one for each kind
        self, node: Unary | Binary | Select | Convert | Call
    ) -> Range | None:
        """The range that the operands' ranges give; None, or a range beyond the type, where
        unknown.
        """
        match node:
            case Binary() if node.operator in _EXACT:
                return self.exact_range(node)
            case Binary(operator, left, right):
                bits = node.type.bits
                return _OTHER[operator](self.of(left), self.of(right), bits)
            case Unary("negate"):
                return self.exact_range(node)
            case Convert(operand):
                return TRUTH if node.type.is_bool else self.of(operand)
            case Select(_, when_true, when_false):
                return self.of(when_true).join(self.of(when_false))
            case Call(intrinsic, arguments) if intrinsic.name in _MATH:
                return _MATH[intrinsic.name](*map(self.of, arguments))
        return None

    def _known_product(self, node: Binary) -> Range | None:
        """Products of which more is known than their factors tell."""
        if node.operator != "multiply":
            return None
        match node.left, node.right:
            case Call() as left, Call() as right:
                # The threads before this threadgroup, along an axis.
                names = {left.intrinsic.name, right.intrinsic.name}
                return self._index if names == _BEFORE and left.axis == right.axis else None
            case _, Extent(array):
                factors = list(_factors(node))
                own = (f for f in factors if isinstance(f, Extent) and f.array is array)
                # All of an array's elements, or those of some of its axes.
                return self._index if len({f.axis for f in own}) == len(factors) else None
        return None


def _factors(node: Expression) -> Iterator[Expression]:
    while isinstance(node, Binary) and node.operator == "multiply":
        yield node.right
        node = node.left
    yield node


_ROUNDS = 3
_BEFORE = {"threadgroup_position_in_grid", "threads_per_threadgroup"}


def _of(kind: ValueType) -> Range | None:
    """The range of an integer type or bool; None for any other type."""
    if not isinstance(kind, DType) or not (kind.is_integer or kind.is_bool):
        return None
    return range_of_type(kind)


_Key = TypeVar("_Key")


def _widen(
    found: dict[_Key, Range], before: dict[_Key, Range], kind: Callable[[_Key], ValueType]
) -> None:
    """Give up the bounds that have changed in a round; a lower one stops at 0 on its way."""
    for key, (least, greatest) in found.items():
        old, whole = before.get(key), _of(kind(key))
        if old is None or whole is None:
            continue
        found[key] = Range(
            least if least == old.least else 0 if least >= 0 else whole.least,
            greatest if greatest == old.greatest else whole.greatest,
        )


# --- Operators -------------------------------------------------------------------------------


def _hull(*values: int) -> Range:
    return Range(min(values), max(values))


def _product(a: Range, b: Range) -> Range:
    return _hull(*(x * y for x in a for y in b))


_EXACT: dict[str, Callable[[Range, Range], Range]] = {
    "add": lambda a, b: Range(a.least + b.least, a.greatest + b.greatest),
    "subtract": lambda a, b: Range(a.least - b.greatest, a.greatest - b.least),
    "multiply": _product,
}


def _quotient(a: Range, b: Range, _bits: int) -> Range | None:
    if b.least < 0:
        return None
    divisors = (max(b.least, 1), max(b.greatest, 1))
    quotients = _hull(*(x // y for x in a for y in divisors))
    return quotients.join(Range(0, 0)) if b.least == 0 else quotients


def _remainder(a: Range, b: Range, _bits: int) -> Range:
    """It has the divisor's sign, and is nearer to 0; 0 where the divisor is 0."""
    greatest = max(b.greatest - 1, 0)
    if a.least >= 0 and b.least >= 0:
        greatest = min(greatest, a.greatest)
    return Range(min(b.least + 1, 0), greatest)


def _and(a: Range, b: Range, _bits: int) -> Range | None:
    greatest = [x.greatest for x in (a, b) if x.least >= 0]
    return Range(0, min(greatest)) if greatest else None


def _or(a: Range, b: Range, _bits: int) -> Range | None:
    if a.least < 0 or b.least < 0:
        return None
    return Range(0, (1 << max(a.greatest, b.greatest).bit_length()) - 1)


def _shift_left(a: Range, count: Range, bits: int) -> Range | None:
    if not count.is_within(Range(0, bits - 1)):
        return None
    return _product(a, Range(1 << count.least, 1 << count.greatest))


def _shift_right(a: Range, count: Range, bits: int) -> Range:
    counts = (0, bits) if count.least < 0 else (min(count.least, bits), min(count.greatest, bits))
    return _hull(*(x >> n for x in a for n in counts))


_OTHER: dict[str, Callable[[Range, Range, int], Range | None]] = {
    "floor_divide": _quotient,
    "remainder": _remainder,
    "bit_and": _and,
    "bit_or": _or,
    "bit_xor": _or,
    "shift_left": _shift_left,
    "shift_right": _shift_right,
}


def _absolute(a: Range) -> Range:
    ends = _hull(abs(a.least), abs(a.greatest))
    return ends.join(Range(0, 0)) if a.least < 0 < a.greatest else ends


_MATH: dict[str, Callable[..., Range]] = {
    "abs": _absolute,
    "minimum": lambda a, b: Range(min(a.least, b.least), min(a.greatest, b.greatest)),
    "maximum": lambda a, b: Range(max(a.least, b.least), max(a.greatest, b.greatest)),
}
