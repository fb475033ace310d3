"""Operators of the IR as text, with parentheses only where precedence asks for them.

Integers wrap, which C++ promises of unsigned ones alone. So what may leave a signed type is
computed in the unsigned one of its width, ``int(uint(a) + uint(b))``; what cannot is printed as it
is (:mod:`speedmetal.ir.overflow`): compilers for GPUs need to know of an index that it does not
wrap, to see that ``x[i]`` and ``x[i + 1]`` are neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from speedmetal.backends.c_family.device_prelude import DevicePrelude, unsigned_type
from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.literals import plain_integer
from speedmetal.dtypes import DType, Kind, int32
from speedmetal.ir.nodes import (
    COMPARE,
    Binary,
    Bitcast,
    Compare,
    Constant,
    Convert,
    Expression,
    Logical,
    Select,
    Unary,
)
from speedmetal.ir.overflow import Overflow

# How tightly C++'s operators bind.
LOOSEST, CONDITIONAL, OR, AND = 0, 2, 3, 4
BIT_OR, BIT_XOR, BIT_AND, EQUAL, LESS, SHIFT = 5, 6, 7, 8, 9, 10
ADD, MULTIPLY, UNARY, PRIMARY = 11, 12, 13, 14

_BINARY = {
    "add": ("+", ADD),
    "subtract": ("-", ADD),
    "multiply": ("*", MULTIPLY),
    "divide": ("/", MULTIPLY),
    "bit_and": ("&", BIT_AND),
    "bit_or": ("|", BIT_OR),
    "bit_xor": ("^", BIT_XOR),
}
_OVERFLOWING = frozenset({"add", "subtract", "multiply", "negate"})
_SHIFTS = ("shift_left", "shift_right")


class Text(NamedTuple):
    """Source text, and how tightly its outermost operator binds."""

    text: str
    binding: int


def within(text: Text, binding: int) -> str:
    """The text as an operand of something that binds this tightly."""
    return text.text if text.binding >= binding else f"({text.text})"


class OperatorPrinter(ABC):
    """Prints operators; how their operands are printed is said by whoever derives from it."""

    dialect: Dialect
    helpers: DevicePrelude
    overflow: Overflow

    @abstractmethod
    def expression(self, node: Expression) -> Text:
        """Any expression."""

    @abstractmethod
    def converted(self, dtype: DType, text: str) -> Text:
        """A value converted to a type."""

    @abstractmethod
    def as_type(self, dtype: DType, text: str) -> str:
        """The same bits as another type."""

    def whole(self, node: Expression) -> str:
        """An expression that stands alone, or between parentheses or commas."""
        return self.expression(node).text

    def _unary(self, node: Unary) -> Text:
        if node.operator == "negate" and node.type in self.dialect.negations:
            return self._negation(node.operand)
        if self.wraps(node):
            return self._wrapped(node)
        sign = {"negate": "-", "not": "!", "invert": "~"}[node.operator]
        operand = within(self.expression(node.operand), UNARY)
        if node.type.is_bool:
            return Text(f"!{operand}", UNARY)
        return self._narrowed(node.type, _signed(sign, operand))

    def _negation(self, operand: Expression) -> Text:
        """By the target's own function."""
        assert isinstance(operand.type, DType)
        return self._call(self.helpers.negation(operand.type), operand)

    def _narrowed(self, dtype: DType, text: Text) -> Text:
        """Back from int, to which C++ widens what is narrower before it computes."""
        if dtype.is_float or dtype.bits >= 32:
            return text
        return self.converted(dtype, text.text)

    def _operand(self, node: Expression) -> Text:
        """An operand of an operator: a narrow constant needs no conversion there."""
        if isinstance(node, Constant) and node.type.is_integer:
            text = plain_integer(int(node.value), node.type, self.dialect)
            return Text(text, UNARY if text.startswith("-") else PRIMARY)
        return self.expression(node)

    def _infix(self, sign: str, binding: int, left: Expression, right: Expression) -> Text:
        first = within(self._operand(left), binding)
        second = within(self._operand(right), binding + 1)
        return Text(f"{first} {sign} {second}", binding)

    def _binary(self, node: Binary) -> Text:
        if _is_negation(node) and node.type in self.dialect.negations:
            return self._negation(node.right)
        if self.wraps(node):
            return self._wrapped(node)
        if node.operator in _BINARY:
            sign, binding = _BINARY[node.operator]
            return self._narrowed(node.type, self._infix(sign, binding, node.left, node.right))
        if node.operator in _SHIFTS:
            return self._shift(node)
        return self._integer_division(node)

    def wraps(self, node: Unary | Binary) -> bool:
        """Whether a result may leave the signed type that C++ computes in, where it must wrap."""
        dtype = node.type
        if node.operator not in _OVERFLOWING or not dtype.is_integer:
            return False
        if dtype.bits < 32:  # computed as int, which all but products of uint16 fit
            return self.overflow.leaves(node, int32)
        return dtype.kind is Kind.SIGNED and self.overflow.leaves(node, dtype)

    def _wrapped(self, node: Unary | Binary) -> Text:
        """By way of unsigned numbers, whose results C++ cuts off at the type's width."""
        unsigned = unsigned_type(max(node.type.bits, 32))
        return self.converted(node.type, self._unsigned(node, unsigned).text)

    def _unsigned(self, node: Expression, dtype: DType) -> Text:
        """The value of an integer as an unsigned type has it; sums of sums stay in that type.

        So do products of uint16, which are computed in 32 bits and cut off at the end.
        """
        match node:
            case Constant(value) if value >= 0 or value == -(2 ** (dtype.bits - 1)):
                digits = plain_integer(abs(int(value)), dtype, self.dialect)
                return Text(digits, PRIMARY)
            case Convert(operand) if operand.type is dtype and node.type.bits == dtype.bits:
                return self.expression(operand)
            case Bitcast(operand) if node.type.bits == dtype.bits:
                return Text(self.as_type(dtype, self.whole(operand)), PRIMARY)
            case Binary("shift_left", left, Constant(count)) if node.type.bits == dtype.bits:
                if 0 <= count < dtype.bits:
                    return self._shifted_left(left, int(count), dtype)
            case Binary() | Unary() if node.type.bits in (dtype.bits, 16) and self.wraps(node):
                return self._unsigned_result(node, dtype)
        return self.converted(dtype, self._operand(node).text)

    def _shifted_left(self, operand: Expression, count: int, dtype: DType) -> Text:
        return Text(f"{within(self._unsigned(operand, dtype), SHIFT)} << {count}", SHIFT)

    def _unsigned_result(self, node: Unary | Binary, dtype: DType) -> Text:
        if isinstance(node, Unary):
            return _signed("-", within(self._unsigned(node.operand, dtype), UNARY))
        sign, binding = _BINARY[node.operator]
        left, right = self._unsigned(node.left, dtype), self._unsigned(node.right, dtype)
        return Text(f"{within(left, binding)} {sign} {within(right, binding + 1)}", binding)

    def _integer_division(self, node: Binary) -> Text:
        """``//`` and ``%``: plain C++ where the divisor is known to be harmless."""
        divides = node.operator == "floor_divide"
        divisor = node.right.value if isinstance(node.right, Constant) else 0
        if divisor > 0 and node.type.kind is Kind.UNSIGNED:
            sign = "/" if divides else "%"
            return self._narrowed(node.type, self._infix(sign, MULTIPLY, node.left, node.right))
        if divisor > 0 and int(divisor) & (int(divisor) - 1) == 0:  # a power of two
            left = self.expression(node.left)
            count = int(divisor).bit_length() - 1
            if divides:
                text = Text(f"{within(left, SHIFT)} >> {count}", SHIFT)
            else:
                mask = plain_integer(int(divisor) - 1, node.type, self.dialect)
                text = Text(f"{within(left, BIT_AND)} & {mask}", BIT_AND)
            return self._narrowed(node.type, text)
        helper = self.helpers.floor_divide if divides else self.helpers.remainder
        return self._call(helper(node.type), node.left, node.right)

    def _shift(self, node: Binary) -> Text:
        left, width = node.operator == "shift_left", node.type.bits
        if not (isinstance(node.right, Constant) and 0 <= node.right.value < width):
            name = self.helpers.shift(node.type, node.operator)
            return self._call(name, node.left, node.right)
        count = int(node.right.value)
        if left and node.type.kind is Kind.SIGNED:
            # Unsigned, since what leaves a signed number at the left is undefined in C++.
            text = self._shifted_left(node.left, count, unsigned_type(width))
            return self.converted(node.type, text.text)
        operand, sign = self.expression(node.left), "<<" if left else ">>"
        shifted = Text(f"{within(operand, SHIFT)} {sign} {count}", SHIFT)
        return self._narrowed(node.type, shifted)

    def _call(self, name: str, *arguments: Expression) -> Text:
        return Text(f"{name}({', '.join(map(self.whole, arguments))})", PRIMARY)

    def _compare(self, node: Compare) -> Text:
        binding = EQUAL if node.operator in ("eq", "ne") else LESS
        left, right = self._operand(node.left), self._operand(node.right)
        sign = COMPARE[node.operator]
        # Comparisons of comparisons read better, and compile without a warning, in parentheses.
        return Text(f"{within(left, SHIFT)} {sign} {within(right, SHIFT)}", binding)

    def _logical(self, node: Logical) -> Text:
        sign, binding = ("&&", AND) if node.operator == "and" else ("||", OR)
        left, right = self.expression(node.left), self.expression(node.right)
        # Compilers warn where && stands bare beside ||.
        inner = binding + 1 if binding == AND else EQUAL
        first = left if _is_same(node, node.left) else Text(within(left, inner), PRIMARY)
        return Text(f"{first.text} {sign} {within(right, inner)}", binding)

    def _select(self, node: Select) -> Text:
        condition = within(self.expression(node.condition), CONDITIONAL + 1)
        true = within(self.expression(node.when_true), CONDITIONAL + 1)
        false = within(self.expression(node.when_false), CONDITIONAL)
        return Text(f"{condition} ? {true} : {false}", CONDITIONAL)


def _signed(sign: str, operand: str) -> Text:
    """A sign before an operand: two minus signs would be a decrement."""
    return Text(f"{sign}({operand})" if operand.startswith(sign) else sign + operand, UNARY)


def _is_same(outer: Logical, inner: Expression) -> bool:
    return isinstance(inner, Logical) and inner.operator == outer.operator


def _is_negation(node: Binary) -> bool:
    """Whether it is ``0 - x``."""
    left = node.left
    return node.operator == "subtract" and isinstance(left, Constant) and left.value == 0
