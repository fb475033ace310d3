"""Integer arithmetic that wraps, as expressions of the IR; what is constant is computed here."""

from __future__ import annotations

import operator

from speedmetal import dtypes
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

_FOLD = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
}
_UNCHANGED_BY = {"add": 0, "subtract": 0, "multiply": 1, "floor_divide": 1}


Known = ir.Expression | bool
"""A condition; a bool where it is known while compiling."""


@record
class Modular:
    """Writes expressions of an integer type.

    Args:
        dtype: The type.
        span: The place of all expressions.
    """

    dtype: DType
    span: SourceSpan

    def number(self, value: int) -> ir.Constant:
        """A constant; one beyond the type wraps."""
        low, bits = self.dtype.minimum, self.dtype.bits
        return ir.Constant((value - low) % 2**bits + low, self.dtype, self.span)

    def binary(self, name: str, left: ir.Expression, right: ir.Expression) -> ir.Expression:
        """The value of an operator on two numbers of the type."""
        if isinstance(left, ir.Constant) and isinstance(right, ir.Constant) and right.value:
            return self.number(_FOLD[name](left.value, right.value))
        if isinstance(right, ir.Constant) and right.value == _UNCHANGED_BY.get(name):
            return left
        if name == "remainder" and isinstance(right, ir.Constant) and right.value == 1:
            return self.number(0)
        if name == "add" and isinstance(left, ir.Constant) and left.value == 0:
            return right
        return ir.Binary(name, left, right, self.dtype, self.span)

    def convert(self, value: ir.Expression) -> ir.Expression:
        """A number of another integer type, wrapped."""
        if isinstance(value, ir.Constant):
            return self.number(int(value.value))
        return value if value.type is self.dtype else ir.Convert(value, self.dtype, self.span)

    def compare(self, sign: str, left: ir.Expression, right: ir.Expression) -> ir.Compare:
        return ir.Compare(sign, left, right, dtypes.bool_, self.span)

    def select(
        self, condition: Known, when_true: ir.Expression, when_false: ir.Expression
    ) -> ir.Expression:
        """One of two numbers, where only the running program knows which."""
        if isinstance(condition, bool):
            return when_true if condition else when_false
        return ir.Select(condition, when_true, when_false, self.dtype, self.span)
