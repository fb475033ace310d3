"""What a target cannot do, found before anything is printed: one diagnostic for each place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from speedmetal.backends.c_family.layout import (
    all_nodes,
    argument_layout,
    function_nodes,
)
from speedmetal.dtypes import DType
from speedmetal.errors import Diagnostic
from speedmetal.intrinsics.record import Unsupported
from speedmetal.ir import analysis
from speedmetal.ir.nodes import (
    Array,
    Atomic,
    Call,
    Expression,
    Kernel,
    MatrixLoad,
    MatrixStore,
    Statement,
)
from speedmetal.ir.types import MatrixType, Space, ValueType
from speedmetal.ir.walk import assigned_variable
from speedmetal.source import SourceSpan

ARGUMENT_BYTES = 4096
"""Both targets copy this much into a launch: Metal's setBytes, CUDA's parameters before 12.1."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What a target lacks.

    Args:
        target: Its name in the records of intrinsics: ``"metal"`` or ``"cuda"``.
        place: For messages: ``"Metal GPUs"``.
        types: Types that it does not have, each with advice.
        atomic: Why an atomic operation is not possible; None where it is.
        threadgroup_bytes: The most bytes that the threadgroup arrays of a kernel may take together.
        buffers: Most array parameters; None where only the size of the arguments counts.
        matrix_types: Element types of simdgroup matrices.
        strided_matrices: Whether matrices are loaded from arrays without a unit axis.
    """

    target: str
    place: str
    types: dict[DType, str]
    atomic: Callable[[Atomic], str | None]
    threadgroup_bytes: int
    buffers: int | None
    matrix_types: frozenset[DType]
    strided_matrices: bool


_Finding = tuple[SourceSpan, str]


def check(kernel: Kernel, limits: Limits) -> list[Diagnostic]:
    """Every fault of a kernel on a target, in program order, each once."""
    found: dict[tuple[object, str], Diagnostic] = {}
    for span, message in _findings(kernel, limits):
        key = ((span.text.name, span.line, span.column), message)
        found.setdefault(key, Diagnostic(span, message))
    return list(found.values())


def _findings(kernel: Kernel, limits: Limits) -> Iterator[_Finding]:
    for parameter in kernel.parameters:
        dtype = parameter.type.dtype if isinstance(parameter, Array) else parameter.type
        assert isinstance(dtype, DType)
        yield from _type(dtype, parameter.span, limits)
    for array in kernel.arrays:
        yield from _type(array.type.dtype, array.span, limits)
    arrays = [a for a in (*kernel.parameters, *kernel.arrays) if isinstance(a, Array)]
    declared = {dtype for a in arrays for dtype in (a.type.dtype, a.type.dtype.part)}
    told = {*declared, *(p.type for p in kernel.parameters if not isinstance(p, Array))}
    for node in (*function_nodes(kernel), *all_nodes(kernel)):
        yield from _node(node, limits, told)
    yield from _sizes(kernel, limits)


def _type(dtype: DType, span: SourceSpan, limits: Limits) -> Iterator[_Finding]:
    if dtype in limits.types:
        yield span, f"{dtype} is not available on {limits.place}; {limits.types[dtype]}"


def _node(node: Statement | Expression, limits: Limits, told: set[ValueType]) -> Iterator[_Finding]:
    variable = assigned_variable(node) if isinstance(node, Statement) else None
    value_type = variable.type if variable is not None else getattr(node, "type", None)
    if isinstance(value_type, DType):
        # A type comes in at one place, and is then in every expression.
        if value_type not in told:
            yield from _type(value_type, node.span, limits)
        told.add(value_type)
    elif isinstance(value_type, MatrixType) and value_type.dtype not in limits.matrix_types:
        allowed = ", ".join(sorted(d.name for d in limits.matrix_types))
        message = f"simdgroup matrices of {value_type.dtype} are not available on {limits.place};"
        yield node.span, f"{message} their elements may be {allowed}"
    match node:
        case Call():
            yield from _call(node, limits)
        case Atomic():
            yield from _atomic(node, limits)
        case MatrixLoad() | MatrixStore() if not limits.strided_matrices:
            yield from _matrix(node, limits)


def _call(node: Call, limits: Limits) -> Iterator[_Finding]:
    given = node.arguments[0].type if node.arguments else None
    dtype = given.dtype if isinstance(given, MatrixType) else given
    spelling = node.intrinsic.spelling(limits.target, dtype)
    if isinstance(spelling, Unsupported):
        what = node.intrinsic.name if dtype is None else f"{node.intrinsic.name} of {dtype}"
        yield node.span, f"{what} is not available on {limits.place}: {spelling.because}"


def _atomic(node: Atomic, limits: Limits) -> Iterator[_Finding]:
    if node.array.type.space is Space.THREAD:
        message = (
            f"{node.array.name} is a thread's own array, which no other thread sees; expected a"
            " device or threadgroup array, or plain accesses instead of atomic ones"
        )
        yield node.span, message
    elif (because := limits.atomic(node)) is not None:
        what = f"atomic {node.operation} of {node.array.type.dtype}"
        yield node.span, f"{what} is not available on {limits.place}: {because}"


def _matrix(node: MatrixLoad | MatrixStore, limits: Limits) -> Iterator[_Finding]:
    array = node.array
    if array.shape is None and array.type.unit_axis not in array.type.matrix_axes:
        message = (
            f"simdgroup matrices on {limits.place} need an array with neighbouring elements"
            f" along one axis; {array.name} has strides along both; pass a contiguous copy"
        )
        yield node.span, message


def _sizes(kernel: Kernel, limits: Limits) -> Iterator[_Finding]:
    """Faults that no single statement has: too much of something."""
    shared = [a for a in kernel.arrays if a.type.space is Space.THREADGROUP]
    taken = analysis.facts(kernel).threadgroup_bytes
    if taken > limits.threadgroup_bytes:
        message = (
            f"the threadgroup arrays take {taken} bytes; {limits.place} have"
            f" {limits.threadgroup_bytes} for a threadgroup; use smaller arrays or narrower types"
        )
        yield shared[-1].span, message
    arrays = [p for p in kernel.parameters if isinstance(p, Array) and p.memory is None]
    if limits.buffers is not None and len(arrays) > limits.buffers:
        message = (
            f"the kernel has {len(arrays)} array parameters; {limits.place} take"
            f" {limits.buffers}; pass several as one array"
        )
        yield arrays[limits.buffers].span, message
    size = argument_layout(kernel).size + 8 * (len(arrays) + 1)
    if size > ARGUMENT_BYTES:
        message = (
            f"the arguments take {size} bytes; {limits.place} take {ARGUMENT_BYTES} in a launch;"
            " pass numbers in an array"
        )
        yield kernel.span, message
