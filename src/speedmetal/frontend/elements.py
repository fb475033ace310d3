"""Elements of expressions that were given as arguments: reading one emits what computes it.

An :class:`~speedmetal.frontend.values.ExpressionArray` stands where an array stands: a kernel
indexes it, and asks for its shape and dtype, and what is emitted are loads of its leaves and one
call of a function of scalars. There is one such function for a structure in a program.

Each node's value goes into a variable: no two nodes are contracted to one rounding, so that an
expression that is computed at once and one that is computed node by node agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.frontend import arithmetic, complex_functions, complex_numbers
from speedmetal.frontend.comparison import SIGNS as COMPARISONS
from speedmetal.frontend.comparison import combine, compare, select
from speedmetal.frontend.convert import as_number, convert_operand, explicit, truth
from speedmetal.frontend.emit import freeze
from speedmetal.frontend.functions import unique_function_name
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.intrinsic_calls import apply
from speedmetal.frontend.promotion import common_complex_type
from speedmetal.frontend.structure import CAST, TUPLE, Node, Structure, operands, ordered_nodes
from speedmetal.frontend.values import (
    Aggregate,
    ArrayView,
    Complex,
    ExpressionArray,
    FollowedArray,
    Scalar,
    Static,
    Value,
    expressions_of,
    with_expressions,
)
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import nodes as ir
from speedmetal.source import NOWHERE, SourceSpan

Load = Callable[[ArrayView, tuple[ir.Expression, ...]], Value]
"""Emits the element of a leaf."""

Operation = Callable[[AbstractInterpreter, list[Value], SourceSpan], Value]
"""Emits an operation on values, as the same operation does in a kernel."""


def _binary(name: str) -> Operation:
    return lambda run, values, span: arithmetic.binary(run, name, values[0], values[1], span)


def _comparison(name: str) -> Operation:
    return lambda run, values, span: compare(run, name, values[0], values[1], span)


def _intrinsic(name: str) -> Operation:
    return lambda run, values, span: apply(run, TABLE[name], values, span)


def _where(run: AbstractInterpreter, values: list[Value], span: SourceSpan) -> Value:
    condition = convert_operand(run, truth(run, values[0], span), dtypes.bool_, span)
    return select(run, condition, values[1], values[2], span)


def _floor_divide(run: AbstractInterpreter, values: list[Value], span: SourceSpan) -> Value:
    """``a // b``, of infinite floats what the array API says: the quotient, made whole."""
    found = arithmetic.binary(run, "floor_divide", values[0], values[1], span)
    if not (isinstance(found, Scalar) and found.dtype.is_float):
        return found
    quotient = arithmetic.binary(run, "divide", values[0], values[1], span)
    whole = apply(run, TABLE["floor"], [quotient], span)
    infinite = [apply(run, TABLE["isinf"], [value], span) for value in values]
    either = combine(run, "or", cast("list[Static | Scalar]", infinite), span)
    return select(run, convert_operand(run, either, dtypes.bool_, span), whole, found, span)


def _conjugate(run: AbstractInterpreter, values: list[Value], span: SourceSpan) -> Value:
    number = as_number(run, values[0], span)
    return complex_numbers.conjugate(number) if isinstance(number, Complex) else number


def _part(name: str) -> Operation:
    return lambda run, values, span: complex_numbers.part(run, values[0], name, span)


def _complex(run: AbstractInterpreter, values: list[Value], span: SourceSpan) -> Value:
    dtype = common_complex_type(run, tuple(values), span).dtype
    return complex_numbers.of_parts(run, values[0], values[1], dtype, span)


OPERATIONS: dict[str, Operation] = {
    **{name: _intrinsic(name) for name, i in TABLE.items() if i.kind is IntrinsicKind.MATH},
    **{name: _binary(name) for name in arithmetic.SIGNS},
    **{name: _comparison(name) for name in COMPARISONS},
    "negate": lambda run, values, span: arithmetic.negate(run, values[0], span),
    "invert": lambda run, values, span: arithmetic.invert(run, values[0], span),
    "where": _where,
    "floor_divide": _floor_divide,
    "conj": _conjugate,
    "real": _part("real"),
    "imag": _part("imag"),
    "complex": _complex,
    "rect": lambda run, values, span: complex_functions.rect(run, values[0], values[1], span),
}
"""What nodes of a structure compute, besides leaves and casts."""


def new_number(
    run: AbstractInterpreter, name: str, dtype: DType
) -> tuple[Scalar | Complex, tuple[ir.Variable, ...]]:
    """A number in a new variable; a complex one is in two."""
    if not dtype.is_complex:
        variable = run.variable(name, dtype, NOWHERE)
        return Scalar(ir.Read(variable, NOWHERE)), (variable,)
    real, imag = (run.variable(f"{name}_{p}", dtype.part, NOWHERE) for p in ("real", "imag"))
    return Complex(ir.Read(real, NOWHERE), ir.Read(imag, NOWHERE)), (real, imag)


# --- Reading ---------------------------------------------------------------------------------


def extent(
    run: AbstractInterpreter, array: ExpressionArray, axis: int, span: SourceSpan
) -> ir.Expression:
    """The size along an axis: that of the first leaf which has the axis."""
    argument = array.argument
    for leaf, axes in zip(array.leaves, argument.axes, strict=True):
        if isinstance(leaf, ArrayView) and axis in axes:
            assert isinstance(leaf.array, ir.Array)
            return ir.Extent(leaf.array, axes.index(axis), run.index_type, span)
    raise AssertionError(f"no leaf of {array.name} has axis {axis}")


def element(
    run: AbstractInterpreter,
    array: ExpressionArray,
    indices: tuple[ir.Expression, ...],
    load: Load,
    span: SourceSpan,
) -> Value:
    """The element at these indices.

    Args:
        run: Into which it is emitted.
        array: The expression.
        indices: One for each of its axes, in bounds where that is checked.
        load: Emits the element of a leaf.
        span: Where the kernel reads it.
    """
    structure = array.argument.structure
    if len(array.leaves) > 1:  # a load, or a call, is not done once for each leaf
        indices = tuple(i if run.is_lazy_safe(i) else run.keep(i, "index") for i in indices)
    return _computed(run, structure, _leaves_at(array, indices, load), span)


def follower(
    run: AbstractInterpreter,
    array: FollowedArray,
    indices: tuple[ir.Expression, ...],
    stored: Scalar | Complex,
    load: Load,
    span: SourceSpan,
) -> Scalar | Complex:
    """What takes the place of an element that a kernel stores.

    Args:
        run: Into which it is emitted.
        array: With the follower.
        indices: One for each of its axes, in bounds where that is checked, safe to read twice.
        stored: What is stored, in the type of the array for the kernel. It is rounded as in memory:
            it goes into a variable.
        load: As of :func:`element`.
        span: Where the kernel stores it.
    """
    kept = with_expressions(stored, lambda e: run.keep(e, "stored"))
    leaves = _leaves_at(array, indices, load)
    leaves.insert(array.argument.hole, kept)
    return _strong(_computed(run, array.argument.structure, leaves, span), span)


def _leaves_at(
    array: ExpressionArray | FollowedArray, indices: tuple[ir.Expression, ...], load: Load
) -> list[Value]:
    return [
        load(leaf, tuple(indices[axis] for axis in axes)) if isinstance(leaf, ArrayView) else leaf
        for leaf, axes in zip(array.leaves, array.argument.axes, strict=True)
    ]


def _computed(
    run: AbstractInterpreter, structure: Structure, leaves: list[Value], span: SourceSpan
) -> Value:
    """The value of a structure of these leaves' values."""
    if not structure.children:
        return leaves[0]
    is_one_number = not structure.dtype.is_complex and structure.operation != TUPLE
    if run.debug or not is_one_number:  # a function neither asserts nor gives two numbers
        return _compute_nodes(run, structure, leaves, span)
    function = _function(run, structure)
    return Scalar(ir.Invoke(function, tuple(_parts(leaves)), span))


def _parts(values: list[Value]) -> Iterator[ir.Expression]:
    for value in values:
        yield from expressions_of(value)


def _function(run: AbstractInterpreter, structure: Structure) -> ir.Function:
    """The function that computes an element from its leaves' elements."""
    known = run.session.element_functions
    if structure not in known:
        given = [new_number(run, "leaf", dtype) for dtype in structure.leaf_types]
        with run.scratch() as block:
            value = _compute_nodes(run, structure, [value for value, _ in given], NOWHERE)
            assert isinstance(value, Scalar)
            run.emit(ir.Return(value.expression, NOWHERE))
        known[structure] = ir.Function(
            unique_function_name(run, "element"),
            tuple(variable for _, variables in given for variable in variables),
            structure.dtype,
            freeze(block),
            NOWHERE,
            is_total=True,
        )
    return known[structure]


def _compute_nodes(
    run: AbstractInterpreter, structure: Structure, leaves: list[Value], span: SourceSpan
) -> Value:
    """The value of a structure, each node of which is computed once."""
    known: dict[Node, Value] = {}
    for node in ordered_nodes(structure):
        part, numbers = node
        if not part.children:
            known[node] = leaves[numbers[0]]
            continue
        given = [known[operand] for operand in operands(node)]
        if part.operation == TUPLE:
            return Aggregate(tuple(given))
        if part.operation == CAST:
            value = _cast(run, given[0], part.dtype, span)
        else:
            value = OPERATIONS[part.operation](run, given, span)
        known[node] = with_expressions(_strong(value, span), lambda e: run.keep(e, "node"))
    return known[structure, tuple(range(len(leaves)))]


def _cast(run: AbstractInterpreter, value: Value, dtype: DType, span: SourceSpan) -> Value:
    """The number in another type, as arrays convert: of a complex one the real part is taken."""
    if not isinstance(value, Complex) or dtype.is_complex:
        return explicit(run, value, dtype, span)
    if dtype.is_bool:
        return truth(run, value, span)
    return explicit(run, Scalar(value.real), dtype, span)


def _strong(value: Value, span: SourceSpan) -> Scalar | Complex:
    """The number as one of its type: what stands in memory has no weak types."""
    if isinstance(value, Complex):
        return Complex(value.real, value.imag)
    if isinstance(value, Static):  # a comparison whose result is known
        return Scalar(ir.Constant(value.value, dtypes.bool_, span))
    return Scalar(cast(Scalar, value).expression)
