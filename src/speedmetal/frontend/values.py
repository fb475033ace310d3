"""What an expression can be while a kernel is compiled.

Only numbers of a type reach the IR. Everything else is resolved here: compile-time values, tuples
and records, complex numbers (pairs), views of arrays, functions.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from speedmetal.common.records import record, replace
from speedmetal.dtypes import DType, complex_of
from speedmetal.frontend.signature import (
    ExpressionArgument,
    FollowedArgument,
    field_names,
    with_article,
)
from speedmetal.intrinsics.record import Intrinsic
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import ArrayType, MatrixType, Space

if TYPE_CHECKING:  # a frame's names have values, some of which keep the frame
    from speedmetal.frontend.frames import Frame


@record(eq=False)
class Static:
    """A Python object that is known while compiling."""

    value: Any

    @property
    def is_number(self) -> bool:
        return isinstance(self.value, bool | int | float | complex)


@record(eq=False)
class Scalar:
    """A number of the running program; a weak one adapts to the type it meets."""

    expression: ir.Expression
    weak: bool = False

    @property
    def dtype(self) -> DType:
        found = self.expression.type
        assert isinstance(found, DType)
        return found


@record(eq=False)
class Complex:
    """A complex number as its two parts, which are of one float type, float32 or float64."""

    real: ir.Expression
    imag: ir.Expression
    weak: bool = False

    @property
    def dtype(self) -> DType:
        part = self.real.type
        assert isinstance(part, DType)
        return complex_of(part)


@record(eq=False)
class Aggregate:
    """A tuple, or a record (named tuple or frozen dataclass) of class ``cls``."""

    items: tuple[Value, ...]
    cls: type | None = None

    @property
    def is_tuple(self) -> bool:
        return self.cls is None or issubclass(self.cls, tuple)

    @property
    def fields(self) -> tuple[str, ...]:
        return () if self.cls is None else field_names(self.cls)


@record(eq=False)
class ExpressionArray:
    """An expression that was given as an argument: it stands where an array stands.

    Args:
        name: Of the parameter.
        argument: Its type.
        leaves: A whole view of an array, or a number, for each leaf.
    """

    name: str
    argument: ExpressionArgument
    leaves: tuple[ArrayView | Scalar | Complex, ...]

    @property
    def type(self) -> ArrayType:
        """That of an array with such elements; nothing lies side by side in memory."""
        return ArrayType(self.argument.structure.dtype, self.argument.rank, None)

    @property
    def shape(self) -> None:
        """Known at the launch alone, as that of every argument."""


@record(eq=False)
class FollowedArray:
    """An array that gets something computed from what the kernel stores in it.

    Args:
        name: Of the parameter.
        argument: Its type.
        target: The array in memory.
        leaves: As of an expression, but for the one that is what is stored.
    """

    name: str
    argument: FollowedArgument
    target: ir.Array
    leaves: tuple[ArrayView | Scalar | Complex, ...]

    @property
    def type(self) -> ArrayType:
        """That of an array of what the kernel stores."""
        return ArrayType(self.argument.stored, self.argument.target.type.rank, None)

    @property
    def shape(self) -> None:
        """Known at the launch alone, as that of every argument."""


AnyArray = ir.Array | ExpressionArray | FollowedArray


@record(eq=False)
class ArrayView:
    """An array, an expression or a followed array, or the part at the first few indices."""

    array: AnyArray
    prefix: tuple[ir.Expression, ...] = ()

    @property
    def rank(self) -> int:
        return self.array.type.rank - len(self.prefix)

    @property
    def dtype(self) -> DType:
        return self.array.type.dtype


@record(eq=False)
class Matrix:
    """A simdgroup matrix."""

    expression: ir.Expression

    @property
    def type(self) -> MatrixType:
        found = self.expression.type
        assert isinstance(found, MatrixType)
        return found

    @property
    def dtype(self) -> DType:
        return self.type.dtype


@record(eq=False)
class Position:
    """A position whose axis has not been chosen yet."""

    intrinsic: Intrinsic


@record(eq=False)
class Range:
    """``range(...)`` over numbers of the running program; reversed: its numbers from the last."""

    start: Value
    stop: Value
    step: Value
    is_reversed: bool = False


@record(eq=False)
class Method:
    """A method of the language's own values: ``x.astype``, ``z.conjugate``."""

    receiver: Value
    name: str


@record(eq=False)
class Partial:
    """A function some of whose arguments are given: a method of the user's, a functools.partial."""

    function: Value
    positional: tuple[Value, ...]
    named: tuple[tuple[str, Value], ...] = ()

    @property
    def parts(self) -> tuple[Value, ...]:
        return (self.function, *self.positional, *(value for _, value in self.named))


@record(eq=False)
class Closure:
    """A function defined inside a kernel."""

    node: ast.FunctionDef | ast.Lambda
    frame: Frame
    defaults: dict[str, Value]

    @property
    def name(self) -> str:
        return self.node.name if isinstance(self.node, ast.FunctionDef) else "lambda"


@record(eq=False)
class Generator:
    """``f(x) for x in t``, not evaluated yet, but for what its first loop goes over."""

    node: ast.GeneratorExp | ast.ListComp
    frame: Frame
    first: Value


@record(eq=False)
class Broken:
    """A name that cannot be read here; ``message`` is None where the reason was reported.

    ``exchanged``: what it would be is known while compiling on each way, as an array is.
    """

    message: str | None = None
    node: ast.AST | None = None
    why: str = ""
    exchanged: bool = False


@record(eq=False)
class Undecided:
    """A name that ways to here left different; whoever reads it makes it a variable."""

    either: Value


Value = (
    Static | Scalar | Complex | Aggregate | ArrayView | Matrix | Position | Range | Method
    | Partial | Closure | Generator | Broken | Undecided
)  # fmt: skip

NONE = Static(None)
REPORTED = Broken()


def expressions_of(value: Value) -> Iterator[ir.Expression]:
    """The IR expressions that a value holds."""
    match value:
        case Scalar(expression) | Matrix(expression):
            yield expression
        case Complex(real, imag):
            yield real
            yield imag
        case Aggregate(items=parts) | Partial(parts=parts):
            for part in parts:
                yield from expressions_of(part)
        case ArrayView(_, prefix):
            yield from prefix
        case Range(start, stop, step):
            for part in (start, stop, step):
                yield from expressions_of(part)
        case Method(receiver):
            yield from expressions_of(receiver)
        case Generator(first=first):
            yield from expressions_of(first)
        case _:
            return


ValueT = TypeVar("ValueT", bound=Value)


def with_expressions(value: ValueT, change: Callable[[ir.Expression], ir.Expression]) -> ValueT:
    """The value with each of its expressions replaced."""
    return cast(ValueT, _with_expressions(value, change))


def _with_expressions(  # noqa: PLR0911 - one line for each kind of value
    value: Value, change: Callable[[ir.Expression], ir.Expression]
) -> Value:
    match value:
        case Scalar(expression, weak):
            return Scalar(change(expression), weak)
        case Matrix(expression):
            return Matrix(change(expression))
        case Complex(real, imag, weak):
            return Complex(change(real), change(imag), weak)
        case Aggregate(items):
            return replace(value, items=tuple(with_expressions(item, change) for item in items))
        case ArrayView(_, prefix):
            return replace(value, prefix=tuple(change(index) for index in prefix))
        case Range():
            start = with_expressions(value.start, change)
            stop, step = (with_expressions(part, change) for part in (value.stop, value.step))
            return replace(value, start=start, stop=stop, step=step)
        case Method(receiver):
            return replace(value, receiver=with_expressions(receiver, change))
        case Generator(first=first):
            return replace(value, first=with_expressions(first, change))
        case Partial(function, positional, named):
            return Partial(
                with_expressions(function, change),
                tuple(with_expressions(item, change) for item in positional),
                tuple((name, with_expressions(item, change)) for name, item in named),
            )
        case _:
            return value


def describe(value: Value) -> str:
    """What a value is, in words of the user's."""
    return _DESCRIPTIONS.get(type(value), lambda _: "an invalid value")(value)


def _describe_static(value: Static) -> str:
    found = value.value
    if found is None or isinstance(found, bool | int | float | complex | str):
        return repr(found)
    if isinstance(found, DType):
        return f"the dtype {found.name}"
    if isinstance(found, type):
        return f"the class {found.__name__}"
    name = getattr(found, "__name__", None)
    if name is not None:
        return f"the {'function' if callable(found) else 'module'} {name}"
    shown = getattr(found, "name", None) if callable(found) else None
    return f"sm.{shown}" if isinstance(shown, str) else with_article(type(found).__name__)


def _is_array(found: Any) -> bool:
    is_instance = not isinstance(found, type | types.ModuleType)
    return is_instance and hasattr(found, "dtype") and hasattr(found, "shape")


def advice(value: Value) -> str:  # noqa: PLR0911 - one for each kind of value
    """What to do where a value of this kind does not fit, after ``; ``; or nothing."""
    match value:
        case Static(None):
            return "; a function that returns nothing gives None"
        case Static(str()):
            return '; a kernel does not compute with text: print("x =", x) writes both'
        case Static(list()):
            return "; make it a tuple, whose items are constants, or give the kernel an array"
        case Static(dict()):
            return "; make it a named tuple or a frozen dataclass"
        case Static(found) if _is_array(found):
            return "; arrays are arguments of the kernel, not constants"
        case Static(found) if callable(found) and not isinstance(found, DType | type):
            return "; call it with ()"
        case Closure() | Partial() | Method():
            return "; call it with ()"
        case Generator():
            return (
                "; it stands only in sum, min, max, any, all, tuple, sorted and math.prod: where"
                " the count is constant write tuple(... for ...) around it"
            )
    return ""


_KINDS = {
    Space.DEVICE: "an array",
    Space.THREADGROUP: "a threadgroup array",
    Space.THREAD: "a thread array",
}


def _kind(array: AnyArray) -> str:
    return "an expression" if isinstance(array, ExpressionArray) else _KINDS[array.type.space]


def describe_matrix(matrix: MatrixType) -> str:
    """``a simdgroup matrix of float32``, with its size where it is not the smallest."""
    size = "" if matrix.is_smallest else f"{matrix.rows}x{matrix.columns} "
    return f"a {size}simdgroup matrix of {matrix.dtype.name}"


_DESCRIPTIONS: dict[type, Callable[[Any], str]] = {
    Static: _describe_static,
    Scalar: lambda v: v.dtype.name,
    Complex: lambda v: v.dtype.name,
    Aggregate: lambda v: with_article(v.cls.__name__) if v.cls else f"a tuple of {len(v.items)}",
    ArrayView: lambda v: f"{_kind(v.array)} of {v.dtype.name} of rank {v.rank}",
    Matrix: lambda v: describe_matrix(v.type),
    Position: lambda v: f"{v.intrinsic.name}() without .x, .y or .z",
    Range: lambda _: "a range",
    Method: lambda v: f"the method {v.name}",
    Partial: lambda v: describe(v.function),
    Closure: lambda v: f"the function {v.name}",
    Generator: lambda v: (
        "a generator" if isinstance(v.node, ast.GeneratorExp) else "a list comprehension"
    ),
}
