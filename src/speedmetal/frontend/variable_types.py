"""The types of names: what all the values that are bound to one name have in common.

A name that is bound at several places, or that differs between the ways to a place, is a variable
of the running program. Its *slot* is the join of everything that is bound to it.
"""

from __future__ import annotations

from typing import Any

from speedmetal import dtypes
from speedmetal.common.records import record, replace
from speedmetal.dtypes import DType, beside_running_number, holds_all_values, kind_rank
from speedmetal.frontend.signature import literal_dtype
from speedmetal.frontend.values import (
    Aggregate,
    AnyArray,
    ArrayView,
    Complex,
    Matrix,
    Scalar,
    Static,
    Value,
    describe,
    describe_matrix,
)
from speedmetal.ir.types import MatrixType

Key = tuple[int, str]
"""A name of one frame; stays the same from run to run."""


@record
class NumberVariable:
    """A number; ``literal``: a weak one that is known while compiling wherever it is bound."""

    dtype: DType
    weak: bool = False
    literal: bool = False

    def __str__(self) -> str:
        return self.dtype.name


@record
class ComplexVariable:
    """A complex number, whose parts are numbers of ``dtype.part``."""

    dtype: DType
    weak: bool = False

    @property
    def part(self) -> NumberVariable:
        """The variable of either part."""
        return NumberVariable(self.dtype.part, self.weak)

    def __str__(self) -> str:
        return self.dtype.name


@record
class MatrixVariable:
    type: MatrixType

    def __str__(self) -> str:
        return describe_matrix(self.type)


@record
class AggregateVariable:
    items: tuple[VariableType, ...]
    cls: type | None = None

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.items))
        return f"({inner})" if self.cls is None else f"{self.cls.__name__}({inner})"


@record
class ViewVariable:
    array: AnyArray
    indices: int

    def __str__(self) -> str:
        return f"part of {self.array.name}"


@record(eq=False)
class OtherVariable:
    """What is never a variable: a function, a dtype, None."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OtherVariable) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)

    def __str__(self) -> str:
        return describe(self.value if isinstance(self.value, Value) else Static(self.value))


VariableType = (
    NumberVariable
    | ComplexVariable
    | MatrixVariable
    | AggregateVariable
    | ViewVariable
    | OtherVariable
)


def slot_of(value: Value, default_float: DType) -> VariableType:  # noqa: PLR0911 - one for each kind
    """The variable type of a single value."""
    match value:
        case Static(found) if value.is_number:
            if isinstance(found, complex):
                return ComplexVariable(dtypes.complex_of(default_float), weak=True)
            is_weak = not isinstance(found, bool)
            return NumberVariable(literal_dtype(found, default_float), is_weak, is_weak)
        case Scalar(_, weak):
            return NumberVariable(value.dtype, weak)
        case Complex(_, _, weak):
            return ComplexVariable(value.dtype, weak)
        case Matrix():
            return MatrixVariable(value.type)
        case Aggregate(items, cls):
            return AggregateVariable(tuple(slot_of(item, default_float) for item in items), cls)
        case ArrayView(array, prefix):
            return ViewVariable(array, len(prefix))
        case Static(found):
            return OtherVariable(found)
        case _:
            return OtherVariable(value)


def as_running(slot: VariableType) -> VariableType:
    """The variable type with literals, which a name may start with, as numbers of the running
    program.
    """
    match slot:
        case NumberVariable(literal=True):
            return replace(slot, literal=False)
        case AggregateVariable(items):
            return replace(slot, items=tuple(map(as_running, items)))
    return slot


def join(left: VariableType, right: VariableType) -> VariableType | None:  # noqa: PLR0911 - one for each kind
    """The variable type that holds the values of both; None where there is none.

    >>> weak, strong = NumberVariable(dtypes.int32, weak=True), NumberVariable(dtypes.float16)
    >>> str(join(weak, strong)), join(NumberVariable(dtypes.int32), strong)
    ('float32', None)
    """
    if left == right:
        return left
    match left, right:
        case NumberVariable(), NumberVariable():
            return _join_numbers(left, right)
        case ComplexVariable(), ComplexVariable():
            return _complex_of(_join_numbers(left.part, right.part))
        case (ComplexVariable() as number, NumberVariable() as real) | (
            NumberVariable() as real,
            ComplexVariable() as number,
        ):
            return _join_complex(number, real)
        case AggregateVariable(a_items, a_class), AggregateVariable(b_items, b_class):
            if a_class is not b_class or len(a_items) != len(b_items):
                return None
            joined = [join(x, y) for x, y in zip(a_items, b_items, strict=True)]
            kept = tuple(item for item in joined if item is not None)
            return AggregateVariable(kept, a_class) if len(kept) == len(joined) else None
    return None


def _complex_of(part: NumberVariable | None) -> ComplexVariable | None:
    """The complex number of two such parts."""
    return None if part is None else ComplexVariable(dtypes.complex_of(part.dtype), part.weak)


def _join_complex(number: ComplexVariable, real: NumberVariable) -> ComplexVariable | None:
    """Weak real numbers of any kind become complex, and strong floats."""
    if real.weak and not real.dtype.is_float:
        return number
    return _complex_of(_join_numbers(number.part, real)) if real.dtype.is_float else None


def _join_numbers(left: NumberVariable, right: NumberVariable) -> NumberVariable | None:
    if left.weak and right.weak:
        wider = dtypes.promote(left.dtype, right.dtype)
        is_literal = left.literal and right.literal
        return None if wider is None else NumberVariable(wider, weak=True, literal=is_literal)
    if left.weak or right.weak:
        return _join_weak(left, right) if left.weak else _join_weak(right, left)
    return _join_strong(left.dtype, right.dtype)


def _join_weak(weak: NumberVariable, strong: NumberVariable) -> NumberVariable | None:
    if kind_rank(weak.dtype) > kind_rank(strong.dtype):
        return None
    if weak.literal:
        return strong
    wide = beside_running_number(strong.dtype, weak.dtype)
    if wide is strong.dtype:
        return strong
    # One that does not take the other type is a Python number still, and holds what it held.
    return _join_numbers(weak, NumberVariable(wide, weak=True))


def _join_strong(left: DType, right: DType) -> NumberVariable | None:
    if left.kind is not right.kind and not (left.is_integer and right.is_integer):
        return None
    if holds_all_values(left, right):
        return NumberVariable(left)
    return NumberVariable(right) if holds_all_values(right, left) else None


def is_variable(slot: VariableType) -> bool:
    """Whether any part of a variable type lives in the running program."""
    if isinstance(slot, AggregateVariable):
        return any(is_variable(item) for item in slot.items)
    return not isinstance(slot, OtherVariable) and not (
        isinstance(slot, ViewVariable) and slot.indices == 0
    )
