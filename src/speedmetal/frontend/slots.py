"""The types of names: what all the values that are bound to one name have in common.

A name that is bound at several places, or that differs between the ways to a place, is a variable
of the running program. Its *slot* is the join of everything that is bound to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from speedmetal import dtypes
from speedmetal.dtypes import DType, beside_running_number, holds_all_values, kind_rank
from speedmetal.frontend.signature import int_type
from speedmetal.frontend.values import (
    Aggregate,
    ArrayView,
    Complex,
    Matrix,
    Scalar,
    Static,
    Value,
    describe,
)
from speedmetal.ir import nodes as ir


@dataclass(frozen=True, slots=True)
class NumberSlot:
    """A number; ``literal``: a weak one that is known while compiling wherever it is bound."""

    dtype: DType
    weak: bool = False
    literal: bool = False

    def __str__(self) -> str:
        return self.dtype.name


@dataclass(frozen=True, slots=True)
class ComplexSlot:
    weak: bool = False

    def __str__(self) -> str:
        return "complex64"


@dataclass(frozen=True, slots=True)
class MatrixSlot:
    dtype: DType

    def __str__(self) -> str:
        return f"a simdgroup matrix of {self.dtype.name}"


@dataclass(frozen=True, slots=True)
class AggregateSlot:
    items: tuple[Slot, ...]
    cls: type | None = None

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.items))
        return f"({inner})" if self.cls is None else f"{self.cls.__name__}({inner})"


@dataclass(frozen=True, slots=True)
class ViewSlot:
    array: ir.Array
    indices: int

    def __str__(self) -> str:
        return f"part of {self.array.name}"


@dataclass(frozen=True, slots=True, eq=False)
class OtherSlot:
    """What is never a variable: a function, a dtype, None."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OtherSlot) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)

    def __str__(self) -> str:
        return describe(self.value if isinstance(self.value, Value) else Static(self.value))


Slot = NumberSlot | ComplexSlot | MatrixSlot | AggregateSlot | ViewSlot | OtherSlot


def literal_dtype(value: complex, default_float: DType) -> DType:
    """The type in which a number of Python's is kept where it meets none.

    Raises:
        UserInputError: An int needs more than 64 bits.
    """
    if isinstance(value, bool):
        return dtypes.bool_
    if isinstance(value, int):
        return int_type(value)
    return dtypes.complex64 if isinstance(value, complex) else default_float


def slot_of(value: Value, default_float: DType) -> Slot:  # noqa: PLR0911 - one for each kind
    """The slot that holds just this value."""
    match value:
        case Static(found) if value.is_number:
            if isinstance(found, complex):
                return ComplexSlot(weak=True)
            is_weak = not isinstance(found, bool)
            return NumberSlot(literal_dtype(found, default_float), is_weak, is_weak)
        case Scalar(_, weak):
            return NumberSlot(value.dtype, weak)
        case Complex(_, _, weak):
            return ComplexSlot(weak)
        case Matrix():
            return MatrixSlot(value.dtype)
        case Aggregate(items, cls):
            return AggregateSlot(tuple(slot_of(item, default_float) for item in items), cls)
        case ArrayView(array, prefix):
            return ViewSlot(array, len(prefix))
        case Static(found):
            return OtherSlot(found)
        case _:
            return OtherSlot(value)


def as_running(slot: Slot) -> Slot:
    """The slot of a name: a literal that a name starts with becomes a running number."""
    match slot:
        case NumberSlot(literal=True):
            return replace(slot, literal=False)
        case AggregateSlot(items):
            return replace(slot, items=tuple(map(as_running, items)))
    return slot


def join(left: Slot, right: Slot) -> Slot | None:  # noqa: PLR0911 - one for each kind
    """The slot that holds the values of both; None where there is none.

    >>> weak, strong = NumberSlot(dtypes.int32, weak=True), NumberSlot(dtypes.float16)
    >>> str(join(weak, strong)), join(NumberSlot(dtypes.int32), strong)
    ('float32', None)
    """
    if left == right:
        return left
    match left, right:
        case NumberSlot(), NumberSlot():
            return _join_numbers(left, right)
        case (ComplexSlot(a), ComplexSlot(b)):
            return ComplexSlot(a and b)
        case (ComplexSlot(), NumberSlot() as number) | (NumberSlot() as number, ComplexSlot()):
            narrow = number.dtype.is_float and number.dtype is not dtypes.float64
            return ComplexSlot() if number.weak or narrow else None
        case AggregateSlot(a_items, a_class), AggregateSlot(b_items, b_class):
            if a_class is not b_class or len(a_items) != len(b_items):
                return None
            joined = [join(x, y) for x, y in zip(a_items, b_items, strict=True)]
            kept = tuple(item for item in joined if item is not None)
            return AggregateSlot(kept, a_class) if len(kept) == len(joined) else None
    return None


def _join_numbers(left: NumberSlot, right: NumberSlot) -> NumberSlot | None:
    if left.weak and right.weak:
        wider = dtypes.promote(left.dtype, right.dtype)
        is_literal = left.literal and right.literal
        return None if wider is None else NumberSlot(wider, weak=True, literal=is_literal)
    if left.weak or right.weak:
        return _join_weak(left, right) if left.weak else _join_weak(right, left)
    return _join_strong(left.dtype, right.dtype)


def _join_weak(weak: NumberSlot, strong: NumberSlot) -> NumberSlot | None:
    if kind_rank(weak.dtype) > kind_rank(strong.dtype):
        return None
    if weak.literal:
        return strong
    wide = beside_running_number(strong.dtype, weak.dtype)
    # One that does not take the other type is a Python number still.
    return strong if wide is strong.dtype else NumberSlot(wide, weak=True)


def _join_strong(left: DType, right: DType) -> NumberSlot | None:
    if left.kind is not right.kind and not (left.is_integer and right.is_integer):
        return None
    if holds_all_values(left, right):
        return NumberSlot(left)
    return NumberSlot(right) if holds_all_values(right, left) else None


def is_variable(slot: Slot) -> bool:
    """Whether any part of it lives in the running program."""
    if isinstance(slot, AggregateSlot):
        return any(is_variable(item) for item in slot.items)
    return not isinstance(slot, OtherSlot) and not (
        isinstance(slot, ViewSlot) and slot.indices == 0
    )
