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


def parenthesise(text: Text, binding: int) -> str:
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
    def cast_text(self, dtype: DType, text: str) -> Text:
        """A value converted to a type."""

    @abstractmethod
    def as_type(self, dtype: DType, text: str) -> str:
        """The bits of a value read as a value of another type of that size."""

    def expression_text(self, node: Expression) -> str:
        """An expression that stands alone, or between parentheses or commas."""
        return self.expression(node).text

    def _unary(self, node: Unary) -> Text:
        if node.operator == "negate" and node.type in self.dialect.negations:
            return self._negation(node.operand)
        if self.wraps(node):
            return self._print_wrapping(node)
        sign = {"negate": "-", "not": "!", "invert": "~"}[node.operator]
        operand = parenthesise(self.expression(node.operand), UNARY)
        if node.type.is_bool:
            return Text(f"!{operand}", UNARY)
        return self._narrow_from_int(node.type, _prefix_sign(sign, operand))

    def _negation(self, operand: Expression) -> Text:
        """A negation, by the target's own function where its minus sign is not to be trusted."""
        assert isinstance(operand.type, DType)
        return self._call(self.helpers.negation(operand.type), operand)

    def _narrow_from_int(self, dtype: DType, text: Text) -> Text:
        """The result in its own type: C++ widens narrower operands to int before it computes."""
        if dtype.is_float or dtype.bits >= 32:
            return text
        return self.cast_text(dtype, text.text)

    def _operand(self, node: Expression) -> Text:
        """An operand of an operator: a narrow constant needs no conversion there."""
        if isinstance(node, Constant) and node.type.is_integer:
            text = plain_integer(int(node.value), node.type, self.dialect)
            return Text(text, UNARY if text.startswith("-") else PRIMARY)
        return self.expression(node)

    def _infix(self, sign: str, binding: int, left: Expression, right: Expression) -> Text:
        first = parenthesise(self._operand(left), binding)
        second = parenthesise(self._operand(right), binding + 1)
        return Text(f"{first} {sign} {second}", binding)

    def _binary(self, node: Binary) -> Text:
        if _is_negation(node) and node.type in self.dialect.negations:
            return self._negation(node.right)
        if self.wraps(node):
            return self._print_wrapping(node)
        if node.operator in _BINARY:
            sign, binding = _BINARY[node.operator]
            return self._narrow_from_int(
                node.type, self._infix(sign, binding, node.left, node.right)
            )
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

    def _print_wrapping(self, node: Unary | Binary) -> Text:
        """A result that may wrap, computed in unsigned numbers, which C++ cuts off at the type's
        width.
        """
        unsigned = unsigned_type(max(node.type.bits, 32))
        return self.cast_text(node.type, self._print_as_unsigned(node, unsigned).text)

    def _print_as_unsigned(self, node: Expression, dtype: DType) -> Text:
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
                return Text(self.as_type(dtype, self.expression_text(operand)), PRIMARY)
            case Binary("shift_left", left, Constant(count)) if node.type.bits == dtype.bits:
                if 0 <= count < dtype.bits:
                    return self._print_left_shift(left, int(count), dtype)
            case Binary() | Unary() if node.type.bits in (dtype.bits, 16) and self.wraps(node):
                return self._unsigned_result(node, dtype)
        return self.cast_text(dtype, self._operand(node).text)

    def _print_left_shift(self, operand: Expression, count: int, dtype: DType) -> Text:
        return Text(
            f"{parenthesise(self._print_as_unsigned(operand, dtype), SHIFT)} << {count}", SHIFT
        )

    def _unsigned_result(self, node: Unary | Binary, dtype: DType) -> Text:
        if isinstance(node, Unary):
            return _prefix_sign(
                "-", parenthesise(self._print_as_unsigned(node.operand, dtype), UNARY)
            )
        sign, binding = _BINARY[node.operator]
        left, right = (
            self._print_as_unsigned(node.left, dtype),
            self._print_as_unsigned(node.right, dtype),
        )
        return Text(
            f"{parenthesise(left, binding)} {sign} {parenthesise(right, binding + 1)}", binding
        )

    def _integer_division(self, node: Binary) -> Text:
        """``//`` and ``%``: plain C++ where the divisor is known to be harmless."""
        divides = node.operator == "floor_divide"
        divisor = node.right.value if isinstance(node.right, Constant) else 0
        if divisor > 0 and node.type.kind is Kind.UNSIGNED:
            sign = "/" if divides else "%"
            return self._narrow_from_int(
                node.type, self._infix(sign, MULTIPLY, node.left, node.right)
            )
        if divisor > 0 and int(divisor) & (int(divisor) - 1) == 0:  # a power of two
            left = self.expression(node.left)
            count = int(divisor).bit_length() - 1
            if divides:
                text = Text(f"{parenthesise(left, SHIFT)} >> {count}", SHIFT)
            else:
                mask = plain_integer(int(divisor) - 1, node.type, self.dialect)
                text = Text(f"{parenthesise(left, BIT_AND)} & {mask}", BIT_AND)
            return self._narrow_from_int(node.type, text)
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
            text = self._print_left_shift(node.left, count, unsigned_type(width))
            return self.cast_text(node.type, text.text)
        operand, sign = self.expression(node.left), "<<" if left else ">>"
        shifted = Text(f"{parenthesise(operand, SHIFT)} {sign} {count}", SHIFT)
        return self._narrow_from_int(node.type, shifted)

    def _call(self, name: str, *arguments: Expression) -> Text:
        return Text(f"{name}({', '.join(map(self.expression_text, arguments))})", PRIMARY)

    def _compare(self, node: Compare) -> Text:
        binding = EQUAL if node.operator in ("eq", "ne") else LESS
        left, right = self._operand(node.left), self._operand(node.right)
        sign = COMPARE[node.operator]
        # Comparisons of comparisons read better, and compile without a warning, in parentheses.
        return Text(f"{parenthesise(left, SHIFT)} {sign} {parenthesise(right, SHIFT)}", binding)

    def _logical(self, node: Logical) -> Text:
        sign, binding = ("&&", AND) if node.operator == "and" else ("||", OR)
        left, right = self.expression(node.left), self.expression(node.right)
        # Compilers warn where && stands bare beside ||.
        inner = binding + 1 if binding == AND else EQUAL
        first = left if _is_same(node, node.left) else Text(parenthesise(left, inner), PRIMARY)
        return Text(f"{first.text} {sign} {parenthesise(right, inner)}", binding)

    def _select(self, node: Select) -> Text:
        condition = parenthesise(self.expression(node.condition), CONDITIONAL + 1)
        true = parenthesise(self.expression(node.when_true), CONDITIONAL + 1)
        false = parenthesise(self.expression(node.when_false), CONDITIONAL)
        return Text(f"{condition} ? {true} : {false}", CONDITIONAL)


def _prefix_sign(sign: str, operand: str) -> Text:
    """A sign before an operand: two minus signs would be a decrement."""
    return Text(f"{sign}({operand})" if operand.startswith(sign) else sign + operand, UNARY)


def _is_same(outer: Logical, inner: Expression) -> bool:
    return isinstance(inner, Logical) and inner.operator == outer.operator


def _is_negation(node: Binary) -> bool:
    """Whether it is ``0 - x``."""
    left = node.left
    return node.operator == "subtract" and isinstance(left, Constant) and left.value == 0
