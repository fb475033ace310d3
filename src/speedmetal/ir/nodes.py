"""The whole typed IR.

A kernel is a tree of statements over scalar variables and arrays. What the IR does not have was
resolved before it: tuples and records are separate variables, complex numbers are two floats,
compile-time values are constants, calls that handle anything but scalars are inlined, literals
have a type. Every operation has operands of one type; a conversion is always a node.

Rules that the types below cannot say are in :mod:`speedmetal.ir.verify`. The three to remember:

* Expressions have no effects, and may be evaluated in any order *within one statement*.
* Integers wrap. :class:`~speedmetal.ir.overflow.Overflow` tells printers where none can.
* What a lazy operand (:class:`Logical`'s right one, both of :class:`Select`) holds is safe to
  evaluate always: no :class:`Load`, no :class:`Invoke` of a function that may not end. Where
  Python's short circuit matters, the front end writes an :class:`If`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.intrinsics.record import Intrinsic
from speedmetal.ir.types import ArrayType, Space, ValueType
from speedmetal.source import SourceSpan


@record(eq=False)
class Variable:
    """A thread's own scalar (or matrix). Compared by identity; names are unique in a kernel."""

    name: str
    type: ValueType
    span: SourceSpan


# --- Expressions. `type` is the result's type ------------------------------------------------


@record(eq=False)
class Constant:
    value: bool | int | float
    type: DType
    span: SourceSpan


@record(eq=False)
class Read:
    variable: Variable
    span: SourceSpan

    @property
    def type(self) -> ValueType:
        return self.variable.type


@record(eq=False)
class Unary:
    operator: str  # a key of UNARY
    operand: Expression
    type: DType
    span: SourceSpan


@record(eq=False)
class Binary:
    operator: str  # a key of BINARY
    left: Expression
    right: Expression
    type: DType
    span: SourceSpan


@record(eq=False)
class Compare:
    operator: str  # a key of COMPARE
    left: Expression
    right: Expression
    type: DType  # bool_
    span: SourceSpan


@record(eq=False)
class Logical:
    operator: str  # "and" | "or", of bool_
    left: Expression
    right: Expression
    type: DType
    span: SourceSpan


@record(eq=False)
class Select:
    condition: Expression
    when_true: Expression
    when_false: Expression
    type: DType
    span: SourceSpan


@record(eq=False)
class Convert:
    """To another type: numbers keep their value where the type holds it.

    Integers wrap; floats to integers round to zero, saturate, NaN gives 0; to bool is ``!= 0``.
    """

    operand: Expression
    type: DType
    span: SourceSpan


@record(eq=False)
class Bitcast:
    """The same bits as another type of the same size."""

    operand: Expression
    type: DType
    span: SourceSpan


@record(eq=False)
class Load:
    """An element of an array. ``part`` is 0 or 1, a complex number's real or imaginary half."""

    array: Array
    indices: tuple[Expression, ...]
    type: DType
    span: SourceSpan
    part: int | None = None


@record(eq=False)
class Extent:
    """An array's size along an axis."""

    array: Array
    axis: int
    type: DType  # the kernel's index type
    span: SourceSpan


@record(eq=False)
class Call:
    """An intrinsic of kind MATH, POSITION, COLLECTIVE or MATRIX applied to its operands.

    A position with axes has ``axis`` 0, 1 or 2. A collective or matrix call stands only as the
    whole value of an :class:`Assign`, so that nothing moves it into other control flow.
    """

    intrinsic: Intrinsic
    arguments: tuple[Expression, ...]
    type: ValueType
    span: SourceSpan
    axis: int | None = None


@record(eq=False)
class Invoke:
    """A call of a :class:`Function`."""

    function: Function
    arguments: tuple[Expression, ...]
    span: SourceSpan

    @property
    def type(self) -> DType:
        return self.function.result


@record(eq=False)
class MatrixLoad:
    """The block of an array's last two axes whose first element has these indices.

    It is as large as the matrix; transposed, as the matrix's transpose.
    """

    array: Array
    indices: tuple[Expression, ...]
    transpose: bool
    type: ValueType
    span: SourceSpan


Expression = (
    Constant | Read | Unary | Binary | Compare | Logical | Select | Convert | Bitcast
    | Load | Extent | Call | Invoke | MatrixLoad
)  # fmt: skip

UNARY = {"negate": "-", "not": "not ", "invert": "~"}
BINARY = {
    "add": "+", "subtract": "-", "multiply": "*",
    "divide": "/",  # floats alone
    "floor_divide": "//", "remainder": "%",  # integers alone: Python's signs; by 0 gives 0
    "bit_and": "&", "bit_or": "|", "bit_xor": "^",
    "shift_left": "<<", "shift_right": ">>",  # by the width or more: 0 (or the sign)
}  # fmt: skip
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


# --- Statements ------------------------------------------------------------------------------


@record(eq=False)
class Assign:
    variable: Variable
    value: Expression
    span: SourceSpan


@record(eq=False)
class Store:
    array: Array
    indices: tuple[Expression, ...]
    value: Expression
    span: SourceSpan
    part: int | None = None


@record(eq=False)
class MatrixStore:
    array: Array
    indices: tuple[Expression, ...]
    value: Expression
    span: SourceSpan


@record(eq=False)
class If:
    condition: Expression
    body: tuple[Statement, ...]
    orelse: tuple[Statement, ...]
    span: SourceSpan


@record(eq=False)
class For:
    """Python's ``for counter in range(start, stop, step)``: the three are evaluated once.

    The counter takes Python's values and no other, however near they are to the ends of its type;
    a step that the running program finds to be 0 makes no turns. Nothing assigns ``counter`` in
    the body, nor reads it after the loop. A constant ``step`` is not 0.
    """

    counter: Variable
    start: Expression
    stop: Expression
    step: Expression
    body: tuple[Statement, ...]
    span: SourceSpan


@record(eq=False)
class While:
    condition: Expression
    body: tuple[Statement, ...]
    span: SourceSpan


@record(eq=False)
class Break:
    span: SourceSpan


@record(eq=False)
class Continue:
    span: SourceSpan


@record(eq=False)
class Return:
    """Ends the thread in a kernel (no value), the call in a function (a value)."""

    value: Expression | None
    span: SourceSpan


@record(eq=False)
class Barrier:
    """All threads of the scope arrive; writes to the named memories before it are seen after it."""

    scope: str  # "threadgroup" | "simdgroup"
    memory: frozenset[Space]
    span: SourceSpan


@record(eq=False)
class AsyncCopy:
    """The thread copies neighbours along the last axes of two arrays; it need not wait for them.

    ``count`` elements from ``source`` at ``source_indices`` on, to ``array``, in threadgroup
    memory, at ``indices`` on. They are there once the thread has passed an :class:`AsyncWait`.
    Until then nobody accesses these elements of ``array``, nor writes those of ``source``.
    """

    array: Array
    indices: tuple[Expression, ...]
    source: Array
    source_indices: tuple[Expression, ...]
    count: int
    span: SourceSpan


@record(eq=False)
class AsyncGroup:
    """The copies that the thread has asked for since the last group form one."""

    span: SourceSpan


@record(eq=False)
class AsyncWait:
    """The thread waits until all its copies but those of its ``pending`` latest groups are done."""

    pending: int
    span: SourceSpan


@record(eq=False)
class Atomic:
    """An atomic access to one element; ``result`` receives the old value, if anyone needs it.

    The operation is a key of ATOMICS, with that many operands. ``compare_exchange`` has the
    operands expected and desired; it fails only where the old value differs from the expected bits.
    """

    operation: str
    array: Array
    indices: tuple[Expression, ...]
    operands: tuple[Expression, ...]
    result: Variable | None
    span: SourceSpan


ATOMICS = {
    "load": 0, "store": 1, "exchange": 1, "compare_exchange": 2,
    "add": 1, "subtract": 1, "min": 1, "max": 1, "and": 1, "or": 1, "xor": 1,
}  # fmt: skip


@record(eq=False)
class Print:
    """Python's print: ``parts`` are texts, and None for the next of ``values``."""

    parts: tuple[str | None, ...]
    values: tuple[Expression, ...]
    span: SourceSpan


@record(eq=False)
class Assert:
    """Where the condition is false, the thread ends and the launch fails. None at debug level 0."""

    condition: Expression
    kind: str  # "assertion failed", "index out of bounds", ...
    reason: str
    span: SourceSpan


Statement = (
    Assign | Store | MatrixStore | If | For | While | Break | Continue | Return
    | Barrier | AsyncCopy | AsyncGroup | AsyncWait | Atomic | Print | Assert
)  # fmt: skip


# --- Programs --------------------------------------------------------------------------------


@record(eq=False)
class Array:
    """An array: a parameter (space DEVICE), or memory of a threadgroup or a thread (C order).

    ``shape`` is None for a parameter. Elsewhere it has integers, or, for threadgroup memory sized
    at launch, expressions over scalar parameters, extents and ``threads_per_threadgroup``.

    ``memory`` is another parameter in whose memory this one is known to lie, further on or back by
    a distance that a launch knows; targets that bind each piece of memory once bind that one alone.
    ``is_alone`` says that it is in none of the others' memory.
    """

    name: str
    type: ArrayType
    span: SourceSpan
    shape: tuple[int | Expression, ...] | None = None
    memory: Array | None = None
    is_alone: bool = False

    @property
    def is_sized_at_launch(self) -> bool:
        """Whether the shape has a size that only a launch knows."""
        return any(not isinstance(size, int) for size in self.shape or ())

    @property
    def size_bytes(self) -> int:
        """Size of an array whose shape is constant."""
        sizes = (size for size in self.shape or () if isinstance(size, int))
        return math.prod(sizes) * self.type.dtype.itemsize


@record(eq=False)
class Function:
    """A function of scalars, without effects: no arrays, barriers, positions, prints, asserts.

    Every path of ``body`` ends in a :class:`Return` with a value. ``is_total`` says that it is
    known to end for all arguments: a library function behind an intrinsic.
    """

    name: str
    parameters: tuple[Variable, ...]
    result: DType
    body: tuple[Statement, ...]
    span: SourceSpan
    is_total: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A program that every thread of a grid runs.

    Args:
        name: A valid identifier of C.
        parameters: In the order in which a launch passes them.
        arrays: Threadgroup and thread arrays; declared here, whatever the scope of their use.
        functions: Callees before callers.
        body: No :class:`Return` has a value.
        index_type: int32, or int64 where an array or the grid needs it. No extent, position or
            distance in elements is above :func:`~speedmetal.ir.types.greatest_index` of it.
        debug: Level 0, 1 or 2.
        written: The parameters that the front end has seen it change.
        facts: What :func:`speedmetal.ir.analysis.facts` has found. A kernel that `replace` makes
            has none.
    """

    name: str
    parameters: tuple[Variable | Array, ...]
    arrays: tuple[Array, ...]
    functions: tuple[Function, ...]
    body: tuple[Statement, ...]
    index_type: DType
    span: SourceSpan
    debug: int = 0
    written: frozenset[Array] = field(default_factory=frozenset)
    facts: Any = field(default=None, init=False, repr=False)
