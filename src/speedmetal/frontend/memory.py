"""Elements of arrays: indices, loads and stores."""

from __future__ import annotations

import ast

from speedmetal import dtypes
from speedmetal.common.records import record
from speedmetal.frontend import elements
from speedmetal.frontend.comparison import compare, select
from speedmetal.frontend.convert import (
    POSITION_HINT,
    as_complex,
    as_scalar,
    convert_expression,
    implicit,
    unwrap,
)
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.unpack import spread_values
from speedmetal.frontend.values import (
    Aggregate,
    AnyArray,
    ArrayView,
    Complex,
    ExpressionArray,
    FollowedArray,
    Position,
    Scalar,
    Static,
    Value,
    describe,
)
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import Space
from speedmetal.source import SourceSpan


@record(eq=False)
class Element:
    """One element of an array, with an index for each axis, checked where the level asks for it."""

    array: AnyArray
    indices: tuple[ir.Expression, ...]
    node: ast.expr


def locate(run: AbstractInterpreter, node: ast.Subscript) -> Element:
    """The element that a subscript on the left of an assignment names.

    Raises:
        Fault: It names none.
    """
    values = spread_values(run, [node.value, *index_nodes(node)])
    view = values[0]
    if isinstance(view, Aggregate):
        raise run.fault(
            node,
            "the items of a tuple cannot be assigned; use sm.thread_array(shape, dtype)",
        )
    if not isinstance(view, ArrayView):
        raise run.fault(node.value, f"expected an array, found {describe(view)}")
    return element(run, view, values[1:], node)


def index_nodes(node: ast.Subscript) -> list[ast.expr]:
    """The indices of a subscript as they are written."""
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def element(
    run: AbstractInterpreter, view: ArrayView, values: list[Value], node: ast.expr
) -> Element:
    """The element of an array at these indices.

    Raises:
        Fault: Too many or too few indices, one that is no integer or out of range.
    """
    values = flatten_indices(values)
    if len(values) != view.rank:
        count = f"{view.rank} {'index' if view.rank == 1 else 'indices'}"
        raise run.fault(
            node,
            f"expected {count} for {view.array.name!r}, an array of rank {view.array.type.rank},"
            f" found {len(values)}",
        )
    indices = view.prefix + index_expressions(run, view, values, node)
    return Element(view.array, check_bounds(run, view.array, indices, node), node)


def flatten_indices(values: list[Value]) -> list[Value]:
    """Indices of which one may be a tuple: ``a[(i, j)]``, ``position = i, j; a[position]``."""
    flat: list[Value] = []
    for value in values:
        is_tuple = isinstance(value, Aggregate) and value.is_tuple
        flat += value.items if isinstance(value, Aggregate) and is_tuple else [value]
    return flat


def index_expressions(
    run: AbstractInterpreter, view: ArrayView, values: list[Value], node: ast.expr
) -> tuple[ir.Expression, ...]:
    """Indices of the axes after a view's own, in the index type."""
    run.require_inlining()
    first = len(view.prefix)
    places = index_nodes(node) if isinstance(node, ast.Subscript) else []
    if len(places) != len(values):  # a tuple as index
        places = [node] * len(values)
    return tuple(
        axis_index(run, view.array, first + number, value, place)
        for number, (value, place) in enumerate(zip(values, places, strict=True))
    )


def axis_index(
    run: AbstractInterpreter,
    array: AnyArray,
    axis: int,
    value: Value,
    node: ast.expr,
) -> ir.Expression:
    """One index, in the index type.

    Raises:
        Fault: It is no integer, or a constant beyond the array.
    """
    span = run.span(node)
    value = unwrap(value, span)
    if isinstance(value, Position):
        raise run.fault(
            node, f"expected an integer as index, found {describe(value)}; {POSITION_HINT}"
        )
    expected = f"expected an integer as index {axis} of {array.name!r}, found {describe(value)}"
    if isinstance(value, Static) and not value.is_number:
        raise run.fault(node, expected)
    scalar = as_scalar(run, value, span)
    if not scalar.dtype.is_integer:
        raise run.fault(node, f"{expected}; {_way_to_index(scalar)}")
    if isinstance(scalar.expression, ir.Constant):
        return _constant_index(run, array, axis, int(scalar.expression.value), span)
    return convert_expression(_narrowable(run, scalar.expression), run.index_type)


def _narrowable(run: AbstractInterpreter, index: ir.Expression) -> ir.Expression:
    """From level 1 on, -1 in place of an index that the index type does not hold.

    Narrowed, it could come to lie in the array again. A 32-bit unsigned one, or a 64-bit one where
    indices have 64 bits, comes to lie below 0 at worst.
    """
    kind = index.type
    assert isinstance(kind, dtypes.DType)
    if not run.debug or kind.bits <= run.index_type.bits:
        return index
    span, index = index.span, run.keep(index, "index")
    greatest = ir.Constant(run.index_type.maximum, kind, span)
    held: ir.Expression = ir.Compare("le", index, greatest, dtypes.bool_, span)
    if kind.is_signed:
        zero = ir.Constant(0, kind, span)
        not_below = ir.Compare("ge", index, zero, dtypes.bool_, span)
        held = ir.Logical("and", not_below, held, dtypes.bool_, span)
    outside = ir.Constant(-1, run.index_type, span)
    return ir.Select(held, convert_expression(index, run.index_type), outside, run.index_type, span)


def _way_to_index(scalar: Scalar) -> str:
    if scalar.dtype.is_bool:
        return "where a mask is meant, write if"
    quotient = isinstance(scalar.expression, ir.Binary) and scalar.expression.operator == "divide"
    return "write a // b" if quotient else "write int(x)"


def _constant_index(
    run: AbstractInterpreter,
    array: AnyArray,
    axis: int,
    index: int,
    span: SourceSpan,
) -> ir.Expression:
    size = None if array.shape is None else array.shape[axis]
    if isinstance(size, int):
        if not -size <= index < size:
            raise Fault(
                span,
                f"expected index {axis} of {array.name!r} from {-size} to {size - 1},"
                f" found {index}",
            )
        return ir.Constant(index % size, run.index_type, span)
    if abs(index) > run.index_type.maximum:
        raise Fault(span, f"the index {index} is beyond every element of {array.name!r}")
    if index >= 0:
        return ir.Constant(index, run.index_type, span)
    back = ir.Constant(-index, run.index_type, span)
    return ir.Binary("subtract", extent(run, array, axis, span), back, run.index_type, span)


def extent(run: AbstractInterpreter, array: AnyArray, axis: int, span: SourceSpan) -> ir.Expression:
    """An array's size along an axis, in the index type."""
    if isinstance(array, ExpressionArray):
        return elements.extent(run, array, axis, span)
    if isinstance(array, FollowedArray):
        array = array.target
    if array.shape is None:
        return ir.Extent(array, axis, run.index_type, span)
    size = array.shape[axis]
    if isinstance(size, int):
        return ir.Constant(size, run.index_type, span)
    return convert_expression(size, run.index_type)


def check_bounds(
    run: AbstractInterpreter,
    array: AnyArray,
    indices: tuple[ir.Expression, ...],
    node: ast.expr,
) -> tuple[ir.Expression, ...]:
    """From level 1 on, an assertion that the indices are in bounds; indices safe to read twice."""
    if not run.debug:
        return indices
    span = run.span(node)
    steady = tuple(i if run.is_lazy_safe(i) else run.keep(i, "index") for i in indices)
    zero = ir.Constant(0, run.index_type, span)
    condition: ir.Expression | None = None
    for axis, index in enumerate(steady):
        known = array.shape is not None and isinstance(array.shape[axis], int)
        if known and isinstance(index, ir.Constant):
            continue  # checked while compiling
        size = extent(run, array, axis, span)
        inside: ir.Expression = ir.Compare("lt", index, size, dtypes.bool_, span)
        if not isinstance(index, ir.Constant):  # those are not below 0
            low = ir.Compare("ge", index, zero, dtypes.bool_, span)
            inside = ir.Logical("and", low, inside, dtypes.bool_, span)
        condition = (
            inside
            if condition is None
            else ir.Logical("and", condition, inside, dtypes.bool_, span)
        )
    if condition is not None:
        run.emit(ir.Assert(condition, "index out of bounds", ast.unparse(node), span))
    return steady


def load(run: AbstractInterpreter, place: Element) -> Value:
    """The element's value.

    Raises:
        Fault: It is one of an array with a follower, and nowhere.
    """
    span = run.span(place.node)
    if isinstance(place.array, ExpressionArray):
        return elements.element(run, place.array, place.indices, _loader(span), span)
    return _load_element(in_memory(run, place.array, place.node), place.indices, span)


def _loader(span: SourceSpan) -> elements.Load:
    """What loads elements of the arrays that others are computed from."""

    def load_leaf(view: ArrayView, indices: tuple[ir.Expression, ...]) -> Value:
        assert isinstance(view.array, ir.Array)
        return _load_element(view.array, indices, span)

    return load_leaf


def _load_element(array: ir.Array, indices: tuple[ir.Expression, ...], span: SourceSpan) -> Value:
    dtype = array.type.dtype
    if dtype.is_complex:
        real, imag = (ir.Load(array, indices, dtype.part, span, part) for part in (0, 1))
        return Complex(real, imag)
    return Scalar(ir.Load(array, indices, dtype, span))


def in_memory(run: AbstractInterpreter, array: AnyArray, node: ast.AST) -> ir.Array:
    """An array whose elements lie in memory, where they can be read and written.

    Raises:
        Fault: It is an expression, or has a follower.
    """
    if isinstance(array, ir.Array):
        return array
    if isinstance(array, FollowedArray):
        raise run.fault(
            node,
            f"{array.name!r} was given with a follower, which is computed from each element that is"
            " stored and takes its place in memory: it can be stored to with [...] = ... alone",
        )
    raise run.fault(
        node,
        f"{array.name!r} was given as an expression, which has no memory of its own; evaluate it"
        " into an array before the launch",
    )


def store(run: AbstractInterpreter, place: Element, value: Value, source: ast.AST) -> None:
    """Write the element; ``source`` is where the value is written.

    Raises:
        Fault: The value's type does not go into the array.
    """
    run.require_inlining()
    array, span = place.array, run.span(place.node)
    fitted = _fit(run, array, value, run.span(source))
    if not isinstance(array, FollowedArray):
        _store_element(run, in_memory(run, array, place.node), place.indices, fitted, span)
        return
    indices = tuple(i if run.is_lazy_safe(i) else run.keep(i, "index") for i in place.indices)
    follower = elements.follower(run, array, indices, fitted, _loader(span), span)
    _store_element(run, array.target, indices, follower, span)


def _fit(
    run: AbstractInterpreter, array: AnyArray, value: Value, span: SourceSpan
) -> Scalar | Complex:
    """A value in the type of an array's elements.

    Raises:
        Fault: It does not go into the array.
    """
    dtype = array.type.dtype
    if dtype.is_complex:
        return as_complex(run, value, dtype, span)
    return Scalar(implicit(run, value, dtype, span, f"an element of {array.name!r}"))


def _store_element(
    run: AbstractInterpreter,
    array: ir.Array,
    indices: tuple[ir.Expression, ...],
    value: Scalar | Complex,
    span: SourceSpan,
) -> None:
    note_write(run, array)
    if isinstance(value, Scalar):
        run.emit(ir.Store(array, indices, value.expression, span))
        return
    # Both halves are computed before one is written.
    simple = run.is_lazy_safe(value.real, value.imag)
    real = value.real if simple else run.keep(value.real, "real")
    imag = value.imag if simple else run.keep(value.imag, "imag")
    run.emit(ir.Store(array, indices, real, span, 0))
    run.emit(ir.Store(array, indices, imag, span, 1))


def note_write(run: AbstractInterpreter, array: ir.Array) -> None:
    """Remember that the kernel writes to the array."""
    if array.type.space is Space.DEVICE:
        run.written.add(array)


def subscript(
    run: AbstractInterpreter, node: ast.Subscript, view: ArrayView, values: list[Value]
) -> Value:
    """``a[...]``: an element, or the part of the array at the first few indices."""
    values = flatten_indices(values)
    if len(values) >= view.rank:
        return load(run, element(run, view, values, node))
    return ArrayView(view.array, view.prefix + index_expressions(run, view, values, node))


def item(run: AbstractInterpreter, node: ast.Subscript, value: Aggregate, index: Value) -> Value:
    """``t[k]`` of a tuple: by a constant, or among items of one kind by a number."""
    span = run.span(node)
    if isinstance(index, Static) and isinstance(index.value, int):
        count = len(value.items)
        if not -count <= index.value < count:
            raise run.fault(
                node, f"expected an index from {-count} to {count - 1}, found {index.value}"
            )
        return value.items[index.value]
    is_number = not isinstance(index, Static) or index.is_number
    number = as_scalar(run, index, span) if is_number else None
    if number is None or not number.dtype.is_integer or not value.items:
        raise run.fault(node.slice, f"expected an integer as index, found {describe(index)}")
    position = run.keep_scalar(number, "position")
    result = value.items[-1]
    for place in reversed(range(len(value.items) - 1)):
        here = compare(run, "eq", position, Static(place), span)
        assert isinstance(here, Scalar)
        result = select(run, here.expression, value.items[place], result, span)
    return result
