"""The types of a call's arguments: what a kernel is specialised on.

A signature is hashable, so that it can be the key of a compiled kernel. The *leaves* of its
arguments, from left to right and from outside to inside, are the compiled kernel's parameters: an
array or a scalar is one leaf, a complex scalar two (real and imaginary part), a tuple or record
the leaves of its items, an expression the leaves of its structure, a followed array itself and then
the other leaves of what follows, a static argument none.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.common.records import record
from speedmetal.dtypes import DType, LanguageValue
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static
from speedmetal.frontend.structure import Structure
from speedmetal.ir.types import ArrayType


@record
class ScalarArgument:
    """A number whose value is known at the launch; ``weak`` where Python's own type gave it."""

    dtype: DType
    weak: bool = False

    def __str__(self) -> str:
        return self.dtype.short


@record
class ArrayArgument:
    """An array in device memory."""

    type: ArrayType

    def __str__(self) -> str:
        return str(self.type)


@record
class TupleArgument:
    """What is given item by item: a tuple, or an instance of ``cls``, see :func:`record_items`.

    Args:
        items: Of a named tuple or frozen dataclass its fields, of a partial the function and its
            arguments.
        cls: None: a plain tuple.
        keywords: The names of a partial's last items.
    """

    items: tuple[Argument, ...]
    cls: type | None = None
    keywords: tuple[str, ...] = ()

    def __str__(self) -> str:
        inner = ",".join(map(str, self.items)) + ("," if len(self.items) == 1 else "")
        return f"({inner})" if self.cls is None else f"{self.cls.__name__}({inner})"


@record
class StaticArgument:
    """A compile-time value: a function, a dtype, a string, None, or what ``static`` wraps."""

    value: Any

    def __str__(self) -> str:
        return getattr(self.value, "__name__", None) or repr(self.value)


@record
class ExpressionArgument:
    """An elementwise expression that nobody has evaluated, over arrays and numbers.

    Args:
        structure: What is computed; compared by identity.
        rank: The number of axes.
        leaves: The types of the structure's leaves. An array has no axis along which it repeats
            itself, unless no other leaf has that axis.
        axes: For each leaf, the axes of the expression that its own axes are.
        memory: For each leaf, the first one that lies in the same piece of memory; empty where
            nobody has to know.
    """

    structure: Structure
    rank: int
    leaves: tuple[ScalarArgument | ArrayArgument, ...]
    axes: tuple[tuple[int, ...], ...]
    memory: tuple[int, ...] = ()

    def __str__(self) -> str:
        axes = ",".join(":" * self.rank)
        return f"{self.structure.dtype.short}[{axes}]/{self.structure.operation}"


@record
class FollowedArgument:
    """An array whose elements are computed from what a kernel stores there.

    Args:
        structure: What is computed; compared by identity.
        hole: The number of its leaf that is what the kernel stores.
        target: The type of the array in memory.
        leaves: The types of the other leaves.
        axes: For each of them, the axes of the array that its own axes are.
    """

    structure: Structure
    hole: int
    target: ArrayArgument
    leaves: tuple[ScalarArgument | ArrayArgument, ...]
    axes: tuple[tuple[int, ...], ...]

    @property
    def stored(self) -> DType:
        """The type of what the kernel stores: for the kernel, that of the array."""
        return self.structure.leaf_types[self.hole]

    def __str__(self) -> str:
        return f"{self.stored.short}>{self.structure.operation}>{self.target}"


Argument = (
    ScalarArgument | ArrayArgument | TupleArgument | StaticArgument | ExpressionArgument
    | FollowedArgument
)  # fmt: skip


class TypedArgument:
    """What says itself what it is as an argument."""

    __slots__ = ()

    def argument_type(self) -> Argument:
        """Its type, which stays the same between launches with the same key."""
        raise NotImplementedError


def with_article(name: str) -> str:
    """The name of a class in a sentence.

    >>> with_article("list"), with_article("Array")
    ('a list', 'an Array')
    """
    return f"an {name}" if name[0] in "AEIOUaeiou" or name == "ndarray" else f"a {name}"


def field_names(cls: Any) -> tuple[str, ...]:
    """The fields of a named tuple or a dataclass, in order.

    >>> from typing import NamedTuple
    >>> class Point(NamedTuple):
    ...     x: float
    ...     y: float
    >>> field_names(Point)
    ('x', 'y')
    """
    if issubclass(cls, tuple):
        names: tuple[str, ...] = getattr(cls, "_fields", ())
        return names
    import dataclasses  # 2 ms, with what it imports; here, whoever made the class has it

    return tuple(field.name for field in dataclasses.fields(cls))


def record_fields(cls: Any) -> tuple[str, Any]:
    """The attribute of a record's class that has its fields' defaults, and what it holds."""
    name = "_field_defaults" if issubclass(cls, tuple) else "__dataclass_fields__"
    return name, getattr(cls, name, None)


def record_defaults(cls: Any) -> dict[str, Any]:
    """The defaults of a record's fields, where they have one that is a value."""
    if issubclass(cls, tuple):
        found: dict[str, Any] = getattr(cls, "_field_defaults", {})
        return found
    import dataclasses  # as above

    return {
        field.name: field.default
        for field in dataclasses.fields(cls)
        if field.default is not dataclasses.MISSING
    }


def is_dataclass(cls: type) -> bool:
    """Whether a class is a dataclass, frozen or not."""
    return hasattr(cls, "__dataclass_fields__")


def is_record_class(cls: Any) -> bool:
    """Whether instances are aggregates: of a named tuple's or a frozen dataclass's class."""
    if not isinstance(cls, type) or issubclass(cls, LanguageValue):
        return False
    if issubclass(cls, tuple):
        return hasattr(cls, "_fields")
    parameters = getattr(cls, "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)


def is_partial_class(cls: type) -> bool:
    """Whether instances are functions with some of their arguments."""
    return issubclass(cls, functools.partial | types.MethodType)


def is_aggregate(value: Any) -> bool:
    """Whether a kernel is given it item by item: a tuple, a record, a partial, a method."""
    cls = type(value)
    return issubclass(cls, tuple) or is_partial_class(cls) or is_record_class(cls)


def keywords_of(value: Any) -> tuple[str, ...]:
    """The names of a partial's last items; of others none has a name of its own."""
    return tuple(value.keywords) if isinstance(value, functools.partial) else ()


def record_items(value: Any) -> tuple[Any, ...]:
    """The items of a tuple, named tuple or frozen dataclass; of a partial its function first."""
    if isinstance(value, tuple):
        return tuple(value)
    if isinstance(value, functools.partial):
        return (value.func, *value.args, *value.keywords.values())
    if isinstance(value, types.MethodType):
        return value.__func__, value.__self__
    return tuple(getattr(value, name) for name in field_names(type(value)))


def signature_of(arguments: Sequence[Any], *, has_float64: bool = True) -> tuple[Argument, ...]:
    """The types of real arguments.

    Python's floats are float32, or float64 where any array or number among the arguments is
    float64 or complex128, so that no precision is lost, and its complex numbers complex64 or
    complex128; its ints are int32, or int64 where they do not fit.

    Args:
        arguments: Arrays (anything with ``dtype``, ``shape`` and ``strides``), NumPy's and
            Python's numbers, tuples, named tuples, frozen dataclasses, functions, dtypes, strings.
        has_float64: Whether the device has it; where not, NumPy's float64 numbers are Python's
            floats, and its complex128 numbers Python's complex ones.

    Raises:
        UserInputError: An argument can not be given to a kernel.

    >>> [str(a) for a in signature_of((np.zeros((2, 3), "f4"), 1.5, (1, True)))]
    ['f32[:,:]', 'f32', '(i32,bool)']
    """
    numbers = numbers_among(_items(arguments), has_float64=has_float64)
    return tuple(argument_type(value, numbers) for value in arguments)


def _items(arguments: Sequence[Any]) -> Iterator[Any]:
    for argument in arguments:
        if is_aggregate(argument):
            yield from _items(record_items(argument))
        else:
            yield argument


def all_leaves(
    arguments: Sequence[Argument],
) -> Iterator[
    ScalarArgument | ArrayArgument | StaticArgument | ExpressionArgument | FollowedArgument
]:
    """What tuples and records come down to, in order; a complex scalar is one leaf here."""
    for argument in arguments:
        if isinstance(argument, TupleArgument):
            yield from all_leaves(argument.items)
        else:
            yield argument


def leaves(arguments: Sequence[Argument]) -> Iterator[ScalarArgument | ArrayArgument]:
    """The leaves in the order of the kernel's parameters; a complex scalar is one leaf here."""
    for argument in all_leaves(arguments):
        if isinstance(argument, ExpressionArgument):
            yield from argument.leaves
        elif isinstance(argument, FollowedArgument):
            yield argument.target
            yield from argument.leaves
        elif not isinstance(argument, StaticArgument):
            yield argument


_WIDE = (dtypes.float64, dtypes.complex128)


def _is_wide(value: Any) -> bool:
    if isinstance(value, float):  # np.float64 is a float, too
        return isinstance(value, np.float64)
    if isinstance(value, DType):  # a dtype is no number, though NumPy finds one in it
        return False
    dtype = getattr(value, "dtype", None)
    return isinstance(dtype, np.dtype | DType) and dtype in _WIDE


@record
class Numbers:
    """What the numbers of a call are: Python's floats, and whether NumPy's float64 is one."""

    weak_float: DType
    has_float64: bool


def numbers_among(items: Iterable[Any], *, has_float64: bool) -> Numbers:
    """What Python's floats are among arguments, tuples and records taken apart."""
    is_wide = has_float64 and any(map(_is_wide, items))
    return Numbers(dtypes.float64 if is_wide else dtypes.DEFAULT_FLOAT, has_float64)


def argument_type(value: Any, numbers: Numbers) -> Argument:
    """The type of one real argument.

    Raises:
        UserInputError: It can not be given to a kernel.
    """
    number = _number(value, numbers)
    if number is not None:
        return number
    if isinstance(value, TypedArgument):
        return value.argument_type()
    if is_aggregate(value):
        items = tuple(argument_type(item, numbers) for item in record_items(value))
        cls = None if type(value) is tuple else type(value)
        return TupleArgument(items, cls, keywords_of(value))
    if hasattr(value, "dtype") and hasattr(value, "shape") and hasattr(value, "strides"):
        return array_argument(value)
    if _is_static(value):
        return StaticArgument(dtypes.from_numpy(value) if isinstance(value, np.dtype) else value)
    if is_dataclass(type(value)):
        name = type(value).__name__
        raise UserInputError(
            f"a kernel can not take a {name}, because it is not frozen; write"
            f" @dataclass(frozen=True) above class {name}"
        )
    raise UserInputError(
        f"a kernel can not take {with_article(type(value).__name__)}; allowed are arrays, numbers,"
        " tuples, named tuples, frozen dataclasses, functions, dtypes and strings"
    )


def _is_static(value: Any) -> bool:
    """Whether an argument is a compile-time value; callables are, where they have a name."""
    if value is None or isinstance(value, static | str | LanguageValue | type | np.dtype):
        return True
    # Functions of Python's, NumPy's and ours, and kernels; no objects of classes with __call__,
    # which may hold anything.
    return callable(value) and isinstance(getattr(value, "__name__", None), str)


def _number(value: Any, numbers: Numbers) -> ScalarArgument | None:
    is_pythons = is_wide_number(value) and not numbers.has_float64
    if isinstance(value, np.generic) and not is_pythons:
        return ScalarArgument(dtypes.from_numpy(value.dtype))
    if isinstance(value, bool):
        return ScalarArgument(dtypes.bool_)
    if isinstance(value, int):
        return ScalarArgument(int_type(value), weak=True)
    if isinstance(value, float):
        return ScalarArgument(numbers.weak_float, weak=True)
    if isinstance(value, complex):
        return ScalarArgument(dtypes.complex_of(numbers.weak_float), weak=True)
    return None


def is_wide_number(value: Any) -> bool:
    """Whether it is a number of NumPy's that has float64 in it: Python's where there is none."""
    return isinstance(value, np.float64 | np.complex128)


def int_type(value: int) -> DType:
    """The type of a Python int: int32, or the first of int64 and uint64 that holds it.

    Raises:
        UserInputError: It needs more than 64 bits.

    >>> int_type(5), int_type(2**31), int_type(2**63)
    (int32, int64, uint64)
    """
    for dtype in (dtypes.DEFAULT_INT, dtypes.int64, dtypes.uint64):
        if dtype.minimum <= value <= dtype.maximum:
            return dtype
    bits = value.bit_length()
    shown = f"the integer {value}" if bits <= 128 else f"an integer of {bits} bits"
    raise UserInputError(f"{shown} does not fit into 64 bits")


def literal_dtype(value: complex, default_float: DType) -> DType:
    """The type in which a number of Python's is kept where it meets none.

    Raises:
        UserInputError: An int needs more than 64 bits.
    """
    if isinstance(value, bool):
        return dtypes.bool_
    if isinstance(value, int):
        return int_type(value)
    return dtypes.complex_of(default_float) if isinstance(value, complex) else default_float


def array_argument(value: Any) -> ArrayArgument:
    """The type of what has ``dtype``, ``shape`` and ``strides``, as an array in memory."""
    dtype = value.dtype
    known = dtype if isinstance(dtype, DType) else dtypes.from_numpy(dtype)
    return ArrayArgument(ArrayType(known, len(value.shape), unit_axis(value, known.itemsize)))


def unit_axis(array: Any, itemsize: int) -> int | None:
    """The axis along which neighbours touch in memory, the last one where several do.

    An axis with fewer than two elements has no neighbours, so that its stride does not count: the
    last axis is taken where it is such a one.

    >>> unit_axis(np.zeros((2, 3), "f4"), 4), unit_axis(np.zeros((2, 3), "f4").T, 4)
    (1, 0)
    >>> unit_axis(np.zeros(8, "f4")[::2], 4) is None
    True
    """
    shape, strides = array.shape, array.strides
    rank = len(shape)
    if rank == 0:
        return None
    if strides is None or strides[-1] == itemsize or shape[-1] < 2:
        return rank - 1
    return next((axis for axis in reversed(range(rank)) if strides[axis] == itemsize), None)
