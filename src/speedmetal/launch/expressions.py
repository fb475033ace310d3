"""Elementwise expressions over arrays, as arguments of kernels.

An :class:`Expression` computes nothing. A kernel that is given one where it expects an array reads
``x[i, j]``, ``x.shape``, ``x.dtype`` and ``x.size`` as ever, and each read computes the element
from the leaves; see :mod:`speedmetal.frontend.elements`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.backends.device import DeviceArray
from speedmetal.backends.packing import bfloat16_bits
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend import structure
from speedmetal.frontend.signature import (
    ArrayArgument,
    ExpressionArgument,
    FollowedArgument,
    ScalarArgument,
    TypedArgument,
    array_argument,
    literal_dtype,
    unit_axis,
)
from speedmetal.frontend.structure import CAST, NUMBER, LeafNumbers, Structure
from speedmetal.ir.types import ArrayType
from speedmetal.launch.result_types import result_type


class Number:
    """A number in an expression.

    An object of its own, so that a number that is used twice is one leaf, and two numbers are two
    even where they are equal: the structure does not depend on values.

    Attributes:
        value: As it is packed: rounded to its type, a bfloat16 as its bits.
    """

    __slots__ = ("value",)

    def __init__(self, value: complex) -> None:
        self.value = value


Leaf = DeviceArray | Number

FEW_LEAVES = 12
"""So many arrays of an expression may be bound one by one, whatever else a kernel is given."""


class Expression(TypedArgument):
    """An elementwise expression that nobody has evaluated.

    Attributes:
        structure: What is computed.
        leaves: Its arrays and numbers, each once, however often it is used.
        shape: To which all of them are broadcast.
    """

    __slots__ = ("leaves", "shape", "structure")

    def __init__(
        self, computed: Structure, leaves: tuple[Leaf, ...], shape: tuple[int, ...]
    ) -> None:
        self.structure = computed
        self.leaves = leaves
        self.shape = shape

    def __repr__(self) -> str:
        return f"<expression of shape {self.shape}: {self.structure!r}>"

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self.structure.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def argument_type(self) -> ExpressionArgument:
        """Its structure, and its leaves' types on its axes."""
        placed = placed_leaves(self)
        kinds = zip(placed, self.structure.leaf_types, strict=True)
        return ExpressionArgument(
            self.structure,
            len(self.shape),
            tuple(_leaf_type(leaf, dtype) for leaf, dtype in kinds),
            tuple(leaf.axes for leaf in placed),
            shared_memory(self),
        )

    def astype(self, dtype: Any) -> Expression:
        """The elements converted, as a kernel's ``x.astype(dtype)`` converts them."""
        wanted = dtypes.as_dtype(dtype)
        inner = self.structure
        if inner.dtype is wanted:
            return self
        found = structure.combine(CAST, (inner,), (_all(inner),), wanted)
        return Expression(found, self.leaves, self.shape)


class Followed(TypedArgument):
    """An array whose elements are computed from what a kernel stores there: its *follower*'s.

    A kernel that is given one where it expects an array to write to stores ``x[i, j] = value`` as
    ever, and what comes to lie in memory is the follower's element of that value. For the kernel it
    is an array of the values that it stores; it cannot be read. The array in memory must be one
    that nobody else has.

    Attributes:
        structure: What is computed.
        hole: The number of its leaf that is what the kernel stores.
        leaves: The other ones, in order.
        target: The array in memory.
    """

    __slots__ = ("hole", "leaves", "structure", "target")

    def __init__(
        self, computed: Structure, hole: int, leaves: tuple[Leaf, ...], target: DeviceArray
    ) -> None:
        self.structure = computed
        self.hole = hole
        self.leaves = leaves
        self.target = target

    @property
    def dtype(self) -> DType:
        """The type of what is stored."""
        return self.structure.leaf_types[self.hole]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the array, to which the leaves are broadcast."""
        return self.target.layout.shape

    def argument_type(self) -> FollowedArgument:
        """Its structure, the type of the array, and the leaves' types on its axes."""
        placed = placed_followers(self)
        types = self.structure.leaf_types
        kinds = zip(placed, types[: self.hole] + types[self.hole + 1 :], strict=True)
        return FollowedArgument(
            self.structure,
            self.hole,
            array_argument(self.target.layout),
            tuple(_leaf_type(leaf, dtype) for leaf, dtype in kinds),
            tuple(leaf.axes for leaf in placed),
        )


@record(eq=False)
class PlacedLeaf:
    """A leaf on the axes of its expression.

    Args:
        value: The array, or the number.
        axes: The axes of the expression that its own are, but for those along which it repeats
            itself.
        shape: Their extents.
        strides: Distances of neighbours along them, in bytes; 0 where no leaf has the axis.
    """

    value: Any
    axes: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()

    @property
    def itemsize(self) -> int:
        """The size of one element, in bytes."""
        size: int = self.value.layout.dtype.itemsize
        return size


def of_array(array: DeviceArray) -> Expression:
    """The expression that is an array."""
    return Expression(structure.leaf(array.layout.dtype), (array,), array.layout.shape)


def combine(operation: str, *operands: Any) -> Expression:
    """The expression that computes an operation on others, broadcast as in the array API.

    Args:
        operation: A name of :data:`speedmetal.frontend.elements.OPERATIONS`, such as ``"add"``,
            ``"sqrt"``, ``"where"``.
        operands: Expressions, arrays and numbers, an array or expression among them. A Python
            number takes the type of the others where that has its kind, and is rounded to it here.

    Raises:
        UserInputError: The shapes do not go together, or the operation does not take the types.
    """
    parts = [of_array(item) if isinstance(item, DeviceArray) else item for item in operands]
    wide = [part for part in parts if isinstance(part, Expression)]
    shape = broadcast(operation, [part.shape for part in wide])
    strong = [part.dtype for part in wide[operation == "where" and wide[0] is parts[0] :]]
    expressions = [
        part if isinstance(part, Expression) else _number(operation, part, strong) for part in parts
    ]
    leaves, maps = _merge_leaves([expression.leaves for expression in expressions])
    children = tuple(expression.structure for expression in expressions)
    dtype = result_type(operation, tuple(child.dtype for child in children))
    return Expression(structure.combine(operation, children, maps, dtype), leaves, shape)


def broadcast(operation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape to which all are broadcast: extents of 1 repeat, axes are aligned at the last.

    Raises:
        UserInputError: Two extents differ and neither is 1.

    >>> broadcast("add", [(3, 1), (4,)])
    (3, 4)
    """
    if all(shape == shapes[0] for shape in shapes):
        return shapes[0]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        shown = " and ".join(map(str, shapes))
        raise UserInputError(
            f"{operation}: the shapes {shown} do not go together; counted from the last axis, two"
            " extents must be equal, or one of them 1"
        ) from None


def _all(computed: Structure) -> LeafNumbers:
    return tuple(range(len(computed.leaf_types)))


def _merge_leaves(
    groups: Sequence[tuple[Leaf, ...]],
) -> tuple[tuple[Leaf, ...], tuple[LeafNumbers, ...]]:
    """All leaves, each once, and which of them each group's are."""
    merged: list[Leaf] = []
    places: dict[int, int] = {}
    maps = []
    for leaves in groups:
        numbers = []
        for leaf in leaves:
            number = places.setdefault(id(leaf), len(merged))
            if number == len(merged):
                merged.append(leaf)
            numbers.append(number)
        maps.append(tuple(numbers))
    return tuple(merged), tuple(maps)


# --- Numbers ---------------------------------------------------------------------------------


def _number(operation: str, value: Any, others: Sequence[DType]) -> Expression:
    """A Python or NumPy number as a leaf of the type that it has beside others.

    Raises:
        UserInputError: It is no number, or the type does not hold it.
    """
    dtype = number_type(operation, value, others)
    packed = packer(operation, dtype)(value)
    return Expression(structure.leaf(dtype, NUMBER), (Number(packed),), ())


def packer(operation: str, dtype: DType) -> Callable[[Any], Any]:
    """What makes of a Python or NumPy number one of a type, as a launch packs it.

    The function raises UserInputError where an integer type does not hold the number.

    Args:
        operation: For the message.
        dtype: The type.
    """
    if dtype.is_integer:
        return lambda value: _checked(operation, dtype, int(value))
    if dtype is dtypes.float32 or dtype is dtypes.float64:
        return _PACK_FLOAT[dtype.name]
    return lambda value: _rounded(dtype, value)


def _checked(operation: str, dtype: DType, value: int) -> int:
    if not dtype.minimum <= value <= dtype.maximum:
        raise UserInputError(
            f"{operation}: the number {value} does not fit into {dtype.name}; convert the other"
            " operand to a wider type"
        )
    return value


def _rounded(dtype: DType, value: Any) -> Any:
    with np.errstate(over="ignore"):  # a float too large for its type is an infinity
        number = dtype.numpy.type(value)
    return bfloat16_bits(number) if dtype is dtypes.bfloat16 else number.item()


_GREATEST_FLOAT32 = float(np.finfo(np.float32).max)


def _pack_float32(value: Any) -> Any:
    # What is packed is rounded; a number of Python's need not be before.
    if type(value) is int and -_GREATEST_FLOAT32 <= value <= _GREATEST_FLOAT32:
        return float(value)
    if type(value) is float and -_GREATEST_FLOAT32 <= value <= _GREATEST_FLOAT32:
        return value
    return _rounded(dtypes.float32, value)


_PACK_FLOAT: dict[str, Callable[[Any], Any]] = {"float32": _pack_float32, "float64": float}


def number_type(operation: str, value: Any, others: Sequence[DType]) -> DType:
    """The dtype that a Python or NumPy number has beside others.

    Raises:
        UserInputError: It is no number.
    """
    if isinstance(value, np.generic):
        return dtypes.from_numpy(value.dtype)
    if not isinstance(value, bool | int | float | complex):
        raise UserInputError(
            f"{operation} takes arrays, expressions and numbers, got {type(value).__name__}"
        )
    common = others[0] if others else dtypes.bool_
    for dtype in others[1:]:
        common = dtypes.promote(common, dtype) or common
    if isinstance(value, complex):
        return dtypes.complex_of(common)
    if common.is_complex:
        return common if isinstance(value, float) else common.part
    own = literal_dtype(value, dtypes.DEFAULT_FLOAT)
    return own if dtypes.kind_rank(own) > dtypes.kind_rank(common) else common


# --- For a launch, once for a key --------------------------------------------------------------


def placed_followers(followed: Followed) -> list[PlacedLeaf]:
    """The leaves of a follower on the axes of its array, which has all of them."""
    return [_place_leaf(leaf, followed.shape) for leaf in followed.leaves]


def placed_leaves(expression: Expression) -> list[PlacedLeaf]:
    """The leaves on the axes of an expression, without axes along which they repeat themselves.

    So what is read along such an axis stays the same for the compiler as well, and is read once.
    An axis that no leaf has keeps its extent all the same: the first array gets it, with stride 0.
    """
    rank = len(expression.shape)
    placed = [_place_leaf(leaf, expression.shape) for leaf in expression.leaves]
    missing = set(range(rank)).difference(*(leaf.axes for leaf in placed))
    if missing:
        first = next(n for n, leaf in enumerate(placed) if isinstance(leaf.value, DeviceArray))
        placed[first] = _with_axes(placed[first], expression.shape, missing)
    return placed


def shared_memory(expression: Any) -> tuple[int, ...]:
    """For each leaf the first one that lies in the same piece of memory, where that may matter.

    Views of one array are one piece. Kernels of few leaves are the same whether they are or not.
    """
    if len(expression.leaves) <= FEW_LEAVES:
        return ()
    first: dict[object, int] = {}
    found = []
    for number, leaf in enumerate(expression.leaves):
        piece = _memory_of(leaf)
        found.append(number if piece is None else first.setdefault(piece, number))
    return tuple(found)


def _memory_of(leaf: Leaf) -> object:
    return leaf.layout.device.memory_of(leaf.address) if isinstance(leaf, DeviceArray) else None


def _place_leaf(leaf: Leaf, shape: tuple[int, ...]) -> PlacedLeaf:
    if not isinstance(leaf, DeviceArray):
        return PlacedLeaf(leaf.value)
    layout = leaf.layout
    first = len(shape) - len(layout.shape)
    kept = [
        (first + axis, extent, stride)
        for axis, (extent, stride) in enumerate(zip(layout.shape, layout.strides, strict=True))
        if extent == shape[first + axis] and (stride != 0 or extent < 2)
    ]
    axes, extents, strides = zip(*kept, strict=True) if kept else ((), (), ())
    return PlacedLeaf(leaf, axes, extents, strides)


def _leaf_type(leaf: PlacedLeaf, dtype: DType) -> ScalarArgument | ArrayArgument:
    if not isinstance(leaf.value, DeviceArray):
        return ScalarArgument(dtype)
    return ArrayArgument(ArrayType(dtype, len(leaf.shape), unit_axis(leaf, dtype.itemsize)))


def _with_axes(leaf: PlacedLeaf, shape: tuple[int, ...], more: set[int]) -> PlacedLeaf:
    known = dict(zip(leaf.axes, leaf.strides, strict=True))
    axes = tuple(sorted({*known, *more}))
    extents = tuple(shape[axis] for axis in axes)
    return PlacedLeaf(leaf.value, axes, extents, tuple(known.get(axis, 0) for axis in axes))
