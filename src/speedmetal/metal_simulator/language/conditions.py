"""Conditions of parameters, ``[[function_constant(name)]]``, and constants made of others."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from speedmetal.metal_simulator.language.constants import FunctionConstant
from speedmetal.msl.structure import Declaration, Sort
from speedmetal.msl.tokens import Kind, Tokens

Value = int | float | None
"""None: only the compiler can find it, or it has not been given."""


def _either(a: Value, b: Value) -> Value:
    return True if a or b else None if a is None or b is None else False


def _both(a: Value, b: Value) -> Value:
    is_false = (a is not None and not a) or (b is not None and not b)
    return False if is_false else None if a is None or b is None else True


def _propagate_unknown(function: Callable[..., Any]) -> Callable[..., Value]:
    """A function of values that are all known; else the result is not."""

    def of(*values: Value) -> Value:
        result: Value = None if None in values else function(*values)
        return result

    return of


# Each row binds tighter than those before it.
_LEVELS: tuple[Mapping[str, Callable[[Value, Value], Value]], ...] = (
    {"||": _either},
    {"&&": _both},
    {"|": _propagate_unknown(operator.or_)},
    {"^": _propagate_unknown(operator.xor)},
    {"&": _propagate_unknown(operator.and_)},
    {"==": _propagate_unknown(operator.eq), "!=": _propagate_unknown(operator.ne)},
    {
        "<": _propagate_unknown(operator.lt),
        "<=": _propagate_unknown(operator.le),
        ">": _propagate_unknown(operator.gt),
        ">=": _propagate_unknown(operator.ge),
    },
    {"+": _propagate_unknown(operator.add), "-": _propagate_unknown(operator.sub)},
    {"*": _propagate_unknown(operator.mul)},
)
_UNARY: Mapping[str, Callable[[Value], Value]] = {
    "!": _propagate_unknown(operator.not_),
    "-": _propagate_unknown(operator.neg),
    "+": _propagate_unknown(operator.pos),
    "~": _propagate_unknown(operator.invert),
}


class _NotUnderstoodError(Exception):
    """An expression of another kind than those that conditions are made of."""


class Conditions:
    """Which parameters are there, by the values of function constants.

    Args:
        tokens: The text.
        found: Its declarations.
        constants: Its function constants, by name.
    """

    def __init__(
        self,
        tokens: Tokens,
        found: Sequence[Declaration],
        constants: Mapping[str, FunctionConstant],
    ) -> None:
        self.tokens = tokens
        self.constants = constants
        self.variables = {d.name: d for d in found if d.sort is Sort.VARIABLE}

    def holds(self, name: str) -> bool:
        """Whether a parameter with this condition is there; yes, where that is not known."""
        if not name:
            return True
        try:
            value = self.value_of(name)
        except (_NotUnderstoodError, TypeError, RecursionError):
            return True
        return value is None or bool(value)

    def value_of(self, name: str) -> Value:
        """The value of a constant, or of a variable that is made of constants."""
        constant = self.constants.get(name)
        if constant is not None:
            value = constant.value
            return value if constant.is_given and isinstance(value, int | float) else None
        variable = self.variables.get(name)
        begin = None if variable is None else self._value_begin(variable)
        if variable is None or begin is None:
            return None
        return _Expression(self, begin, variable.end - 1).evaluate()

    def _value_begin(self, variable: Declaration) -> int | None:
        words = self.tokens.words
        places = range(variable.name_index, variable.end)
        return next((i + 1 for i in places if words[i] == "="), None)


class _Expression:
    """Computes an expression of a text."""

    def __init__(self, conditions: Conditions, begin: int, end: int) -> None:
        self.conditions = conditions
        self.tokens = conditions.tokens
        self.index = begin
        self.end = end

    def evaluate(self) -> Value:
        value = self._choice()
        if self.index != self.end:
            raise _NotUnderstoodError
        return value

    def _choice(self) -> Value:
        condition = self._level(0)
        if not self._take("?"):
            return condition
        first = self._choice()
        if not self._take(":"):
            raise _NotUnderstoodError
        second = self._choice()
        return None if condition is None else first if condition else second

    def _level(self, level: int) -> Value:
        if level == len(_LEVELS):
            return self._unary()
        value = self._level(level + 1)
        while (word := self._sign()) in _LEVELS[level]:
            self.index += 2 if word == ">=" else 1
            value = _LEVELS[level][word](value, self._level(level + 1))
        return value

    def _sign(self) -> str:
        """The sign here; ``>=`` is two tokens."""
        if self.index >= self.end:
            return ""
        word = self.tokens.words[self.index]
        return ">=" if word == ">" and self.tokens.word(self.index + 1) == "=" else word

    def _take(self, word: str) -> bool:
        found = self.index < self.end and self.tokens.words[self.index] == word
        self.index += found
        return found

    def _unary(self) -> Value:
        if self.index >= self.end:
            raise _NotUnderstoodError
        word = self.tokens.words[self.index]
        if word in _UNARY:
            self.index += 1
            return _UNARY[word](self._unary())
        if word == "(":
            inner = _Expression(self.conditions, self.index + 1, self.tokens.partner[self.index])
            self.index = inner.end + 1
            return inner.evaluate()
        return self._single(word)

    def _single(self, word: str) -> Value:
        """A number, ``true``, a name, or a question about a constant."""
        kind = self.tokens.list[self.index].kind
        self.index += 1
        if word in ("true", "false"):
            return word == "true"
        if kind is Kind.NUMBER:
            return _number(word)
        if kind is not Kind.NAME:
            raise _NotUnderstoodError
        if word == "is_function_constant_defined" and self._take("("):
            name = self.tokens.word(self.index)
            self.index += 2
            constant = self.conditions.constants.get(name)
            return constant is not None and constant.is_given
        return self.conditions.value_of(word)


def _number(word: str) -> Value:
    try:
        return int(word.rstrip("uUlL"), 0)
    except ValueError:
        raise _NotUnderstoodError from None
