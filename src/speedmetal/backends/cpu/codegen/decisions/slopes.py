"""By how much values grow where another grows by 1: a counter, or a position."""

from __future__ import annotations

from collections.abc import Callable

from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assign,
    Binary,
    Constant,
    Convert,
    Expression,
    Kernel,
    Read,
    Variable,
)


class Slopes:
    """The slopes of a kernel's values, with variables that are assigned in one place seen through.

    Of a variable that is assigned in several places nothing is known, and 0 is said: whoever needs
    certainty asks only about values without such (see `resolve`).
    """

    def __init__(self, kernel: Kernel) -> None:
        self._definitions = _definitions(kernel)

    def of(  # noqa: PLR0911 - a case each
        self, expression: Expression, is_base: Callable[[Expression], bool]
    ) -> int | None:
        """By how much a value grows where what ``is_base`` tells grows by 1; None: not known."""
        if is_base(expression):
            return 1
        match expression:
            case Read(variable):
                value = self._definitions.get(variable)
                return 0 if value is None else self.of(value, is_base)
            case Convert(operand):
                return self.of(operand, is_base)
            case Binary("add" | "subtract" as operator, left, right):
                first, second = self.of(left, is_base), self.of(right, is_base)
                if first is None or second is None:
                    return None
                return first + second if operator == "add" else first - second
            case Binary("multiply", factor, Constant(value)):
                return _scale(self.of(factor, is_base), value)
            case Binary("multiply", Constant(value), factor):
                return _scale(self.of(factor, is_base), value)
        slopes = (self.of(operand, is_base) for operand in walk.operands(expression))
        return 0 if all(slope == 0 for slope in slopes) else None

    def resolve(self, expression: Expression) -> Expression:
        """The value with each variable that is assigned in one place replaced by what it is."""

        def change(part: Expression) -> Expression:
            if isinstance(part, Read) and part.variable in self._definitions:
                return self.resolve(self._definitions[part.variable])
            return part

        return walk.rewrite(expression, change)


def _scale(slope: int | None, factor: float) -> int | None:
    return None if slope is None else slope * int(factor)


def _definitions(kernel: Kernel) -> dict[Variable, Expression]:
    """The values of the variables that are assigned in one place."""
    found: dict[Variable, list[Expression]] = {}
    for statement in walk.statements(kernel.body):
        if isinstance(statement, Assign):
            found.setdefault(statement.variable, []).append(statement.value)
    return {variable: values[0] for variable, values in found.items() if len(values) == 1}
