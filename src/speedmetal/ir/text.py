"""The IR's text form: what ``stage="ir"`` shows, and what golden tests hold.

It reads like typed Python. Every variable is declared by its first assignment, with its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from speedmetal.dtypes import DType
from speedmetal.ir.nodes import (
    BINARY,
    COMPARE,
    UNARY,
    Array,
    Assert,
    Assign,
    AsyncCopy,
    AsyncGroup,
    AsyncWait,
    Atomic,
    Barrier,
    Binary,
    Bitcast,
    Break,
    Call,
    Compare,
    Constant,
    Continue,
    Convert,
    Expression,
    Extent,
    For,
    Function,
    If,
    Invoke,
    Kernel,
    Load,
    Logical,
    MatrixLoad,
    MatrixStore,
    Print,
    Read,
    Return,
    Select,
    Statement,
    Store,
    Unary,
    Variable,
    While,
)
from speedmetal.ir.types import MatrixType

_INDENT = "    "


def kernel_text(kernel: Kernel) -> str:
    """The text of a kernel and of the functions it calls."""
    return _Text().kernel(kernel)


def expression_text(expression: Expression) -> str:
    """The text of an expression, with parentheses around every inner operation."""
    return _EXPRESSIONS[type(expression)](expression)


class _Text:
    """Writes statements; remembers which variables have been declared."""

    def __init__(self) -> None:
        self._declared: set[Variable] = set()

    def kernel(self, kernel: Kernel) -> str:
        lines = []
        for function in kernel.functions:
            lines += [*self._function(function), ""]
        lines.append(f"kernel {kernel.name}({', '.join(map(_parameter, kernel.parameters))}):")
        lines += [_INDENT + _array(array) for array in kernel.arrays]
        lines += self._body(kernel.body)
        return "\n".join(lines) + "\n"

    def _function(self, function: Function) -> list[str]:
        head = ", ".join(map(_parameter, function.parameters))
        return [
            f"function {function.name}({head}) -> {function.result.short}:",
            *self._body(function.body),
        ]

    def _body(self, body: tuple[Statement, ...]) -> list[str]:
        lines = [line for statement in body for line in self._statement(statement)]
        return [_INDENT + line for line in lines or ["pass"]]

    def _statement(self, statement: Statement) -> Iterator[str]:
        match statement:
            case Assign(variable, value):
                yield f"{self._target(variable)} = {expression_text(value)}"
            case Store(array, indices, value, _, part):
                yield f"{_element(array, indices, part)} = {expression_text(value)}"
            case MatrixStore(array, indices, value):
                assert isinstance(value.type, MatrixType)
                place = f"{array.name}[{_list(indices)} : {_size(value.type)}]"
                yield f"{place} = {expression_text(value)}"
            case If(condition, body, orelse):
                yield f"if {expression_text(condition)}:"
                yield from self._body(body)
                if orelse:
                    yield "else:"
                    yield from self._body(orelse)
            case For(counter, start, stop, step, body):
                self._declared.add(counter)
                bounds = _list((start, stop, step))
                yield f"for {counter.name}: {_type(counter.type)} in range({bounds}):"
                yield from self._body(body)
            case While(condition, body):
                yield f"while {expression_text(condition)}:"
                yield from self._body(body)
            case _:
                yield self._simple(statement)

    def _simple(self, statement: Statement) -> str:  # noqa: PLR0911 - one line per statement
        match statement:
            case Break():
                return "break"
            case Continue():
                return "continue"
            case Return(value):
                return "return" if value is None else f"return {expression_text(value)}"
            case Barrier(scope, memory):
                spaces = ", ".join(sorted(space.value for space in memory))
                return f"{scope}_barrier({spaces})"
            case AsyncCopy() | AsyncGroup() | AsyncWait():
                return _copy(statement)
            case Atomic(operation, array, indices, values, result):
                call = f"atomic_{operation}({_list((_Place(array, indices), *values))})"
                return call if result is None else f"{self._target(result)} = {call}"
            case Print(parts, values):
                rest = iter(values)
                shown = (repr(p) if p is not None else expression_text(next(rest)) for p in parts)
                return f"print({', '.join(shown)})"
            case Assert(condition, kind, reason):
                return f"assert {expression_text(condition)}, {kind!r}, {reason!r}"
        raise TypeError(f"not a statement: {statement!r}")

    def _target(self, variable: Variable) -> str:
        if variable in self._declared:
            return variable.name
        self._declared.add(variable)
        return f"{variable.name}: {_type(variable.type)}"


def _copy(statement: AsyncCopy | AsyncGroup | AsyncWait) -> str:
    match statement:
        case AsyncCopy(array, indices, source, source_indices, count):
            places = _list((_Place(array, indices), _Place(source, source_indices)))
            return f"async_copy({places}, {count})"
        case AsyncWait(pending):
            return f"async_copy_wait({pending})"
    return "async_copy_group()"


class _Place:
    """An array element among operands."""

    def __init__(self, array: Array, indices: tuple[Expression, ...]) -> None:
        self.array, self.indices = array, indices


def _type(value_type: DType | MatrixType) -> str:
    return value_type.short if isinstance(value_type, DType) else str(value_type)


def _parameter(parameter: Variable | Array) -> str:
    shown = parameter.type if isinstance(parameter, Array) else _type(parameter.type)
    return f"{parameter.name}: {shown}"


def _array(array: Array) -> str:
    sizes = (s if isinstance(s, int) else expression_text(s) for s in array.shape or ())
    shape = ", ".join(map(str, sizes))
    return f"{array.type.space.value} {array.name}: {array.type.dtype.short}[{shape}]"


def _list(items: tuple[Any, ...]) -> str:
    return ", ".join(
        _element(item.array, item.indices) if isinstance(item, _Place) else expression_text(item)
        for item in items
    )


def _element(array: Array, indices: tuple[Expression, ...], part: int | None = None) -> str:
    suffix = "" if part is None else (".real", ".imag")[part]
    return f"{array.name}[{_list(indices)}]{suffix}"


def _constant(node: Constant) -> str:
    return repr(node.value) if node.type.is_bool else f"{node.value!r}{node.type.short}"


def _operand(expression: Expression) -> str:
    text = expression_text(expression)
    infix = isinstance(expression, Binary | Compare | Logical | Select | Unary)
    return f"({text})" if infix else text


def _call(node: Call) -> str:
    axis = "" if node.axis is None else f".{'xyz'[node.axis]}"
    return f"{node.intrinsic.name}({_list(node.arguments)}){axis}"


def _size(matrix: MatrixType) -> str:
    return f"{matrix.rows}x{matrix.columns}"


def _matrix_load(node: MatrixLoad) -> str:
    assert isinstance(node.type, MatrixType)
    kind = MatrixType(node.type.dtype, *reversed(node.type.shape)) if node.transpose else node.type
    block = f"{node.array.name}[{_list(node.indices)} : {_size(kind)}]"
    return f"{block}.T" if node.transpose else block


_EXPRESSIONS: dict[type, Callable[[Any], str]] = {
    Constant: _constant,
    Read: lambda e: e.variable.name,
    Unary: lambda e: f"{UNARY[e.operator]}{_operand(e.operand)}",
    Binary: lambda e: f"{_operand(e.left)} {BINARY[e.operator]} {_operand(e.right)}",
    Compare: lambda e: f"{_operand(e.left)} {COMPARE[e.operator]} {_operand(e.right)}",
    Logical: lambda e: f"{_operand(e.left)} {e.operator} {_operand(e.right)}",
    Select: lambda e: (
        f"{_operand(e.when_true)} if {_operand(e.condition)} else {_operand(e.when_false)}"
    ),
    Convert: lambda e: f"{e.type.short}({expression_text(e.operand)})",
    Bitcast: lambda e: f"bitcast_{e.type.short}({expression_text(e.operand)})",
    Load: lambda e: _element(e.array, e.indices, e.part),
    Extent: lambda e: f"{e.array.name}.shape[{e.axis}]",
    Call: _call,
    Invoke: lambda e: f"{e.function.name}({_list(e.arguments)})",
    MatrixLoad: _matrix_load,
}
