"""Of which powers of two a kernel's integers are multiples, as far as its text shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from types import MappingProxyType

from speedmetal.dtypes import DType
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Constant,
    Convert,
    Expression,
    For,
    Invoke,
    Read,
    Return,
    Select,
    Statement,
    Unary,
    Variable,
)

MOST = 64
"""The greatest power of two that is told apart. An integer that wraps stays a multiple of it."""


class Multiples:
    """For each integer of a body the greatest power of two, up to ``MOST``, that divides it.

    A variable has one for the whole body, from everything that is ever assigned to it. They are
    found by repetition: first nothing is assigned, and each round takes what it finds into account.

    Args:
        body: Of a kernel, or of a function.
        parameters: What is known of a function's.
    """

    def __init__(
        self, body: tuple[Statement, ...], parameters: Mapping[Variable, int] = MappingProxyType({})
    ) -> None:
        self._variables: dict[Variable, int] = dict(parameters)
        self._is_known = False
        while not self._is_known:
            self._is_known = True
            for statement in walk.statements(body):
                self._statement(statement)

    def of(self, expression: Expression) -> int:
        """The greatest power of two that is known to divide an integer's values; 1 of others."""
        return self._integer(expression) if _is_integer(expression) else 1

    def _integer(self, expression: Expression) -> int:
        match expression:
            case Constant(value):
                return math.gcd(int(value), MOST)
            case Read(variable):
                return self._variables.get(variable, 1)
            case Convert(operand=operand) | Unary(operator="negate", operand=operand):
                return self.of(operand)
            case Select(when_true=a, when_false=b):
                return math.gcd(self.of(a), self.of(b))
            case Invoke():
                return self._result(expression)
        return self._binary(expression) if isinstance(expression, Binary) else 1

    def _result(self, call: Invoke) -> int:
        given = zip(call.function.parameters, map(self.of, call.arguments), strict=True)
        inside = Multiples(call.function.body, dict(given))
        returns = (s for s in walk.statements(call.function.body) if isinstance(s, Return))
        return reduce(math.gcd, (inside.of(s.value) for s in returns if s.value is not None), MOST)

    def _binary(self, node: Binary) -> int:
        left, right = self.of(node.left), self.of(node.right)
        match node.operator:
            case "multiply":
                return min(left * right, MOST)
            case "add" | "subtract" | "remainder" | "bit_or" | "bit_xor":
                return math.gcd(left, right)
            case "bit_and":
                return max(left, right)
            case "shift_left" if isinstance(node.right, Constant):
                return min(left << min(max(int(node.right.value), 0), MOST), MOST)
        return 1

    def _statement(self, statement: Statement) -> None:
        match statement:
            case Assign(variable, value) if _is_integer(variable):
                self._join(variable, self.of(value))
            case For(counter=counter, start=start, step=step):
                self._join(counter, math.gcd(self.of(start), self.of(step)))
            case Atomic(result=Variable() as result):
                self._join(result, 1)

    def _join(self, variable: Variable, found: int) -> None:
        known = self._variables.get(variable, MOST)
        if variable not in self._variables or known > math.gcd(known, found):
            self._is_known = False
            self._variables[variable] = math.gcd(known, found)


def _is_integer(value: Variable | Expression) -> bool:
    return isinstance(value.type, DType) and value.type.is_integer


def divides(multiples: Multiples, step: int, terms: list[tuple[Expression, int]]) -> bool:
    """Whether a power of two divides the sum of products of expressions and factors."""
    return reduce(math.gcd, (multiples.of(e) * factor for e, factor in terms), step) == step
