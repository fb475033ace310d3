"""From a Python function and the types of its arguments to the typed IR."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from speedmetal import dtypes
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import (
    CompileError,
    Diagnostic,
    InternalError,
    NestingError,
    SpeedmetalError,
    UserInputError,
)
from speedmetal.frontend import calls, loops, statements
from speedmetal.frontend.binding import bind_parameter
from speedmetal.frontend.capture import Dependency, first_line
from speedmetal.frontend.convert import as_number
from speedmetal.frontend.emit import freeze
from speedmetal.frontend.exits import run_with_label
from speedmetal.frontend.fixpoint import solve
from speedmetal.frontend.forms import Tree, make_tree
from speedmetal.frontend.frames import Env, Frame, Label
from speedmetal.frontend.functions import (
    Callee,
    python_defaults,
    reachable,
    result_of,
    specialise,
)
from speedmetal.frontend.identifiers import valid_identifier
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.lift import lift, partial_of
from speedmetal.frontend.parse import Parsed, parse
from speedmetal.frontend.session import Session, Specialised, Unit
from speedmetal.frontend.signature import (
    Argument,
    ArrayArgument,
    ExpressionArgument,
    FollowedArgument,
    ScalarArgument,
    StaticArgument,
    TupleArgument,
    all_leaves,
    field_names,
    is_partial_class,
)
from speedmetal.frontend.static import static
from speedmetal.frontend.values import (
    REPORTED,
    Aggregate,
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
from speedmetal.ir.types import ArrayType
from speedmetal.source import SourceSpan
from speedmetal.system.deep_stack import with_room

Leaf = ArrayView | Scalar | Complex
Leaves = tuple[Leaf, ...]

_REGISTERED = (calls, loops, statements)  # importing them gives every kind of node its meaning


@record
class InferredKernel:
    """A kernel's IR, and every name outside it that its meaning depends on."""

    kernel: ir.Kernel
    dependencies: tuple[Dependency, ...]


def infer_kernel(
    function: types.FunctionType,
    arguments: Sequence[Argument],
    *,
    name: str | None = None,
    index_type: DType = dtypes.int32,
    debug: int = 0,
    has_float64: bool = True,
) -> InferredKernel:
    """The typed IR of a kernel.

    Args:
        function: A plain Python function.
        arguments: A type for each of its parameters.
        name: The kernel's name; the function's by default.
        index_type: int32, or int64 where an array or the grid needs it.
        debug: 0; 1 adds assertions for bounds and divisors; 2 reports where they failed.
        has_float64: Whether the target has it; where not, NumPy's captured ones are Python's.

    Raises:
        CompileError: The function is not valid; it has all the faults that were found.
        InternalError: A bug of ours.
    """

    def infer() -> InferredKernel:
        session = Session(name or function.__name__, index_type, debug, has_float64)
        with _stage(session, function):
            return _Kernel(session, parse(function), function, arguments).infer()

    return with_room(infer)


@contextmanager
def _stage(session: Session, function: types.FunctionType) -> Iterator[None]:
    """A message of our own for whatever goes wrong inside."""
    try:
        yield
    except SpeedmetalError:
        raise
    except RecursionError:
        place = session.place
        span = place[0].span(place[1]) if place else first_line(function.__code__)
        raise NestingError.at(session.name, span) from None
    except Exception as error:
        raise _internal(session, error) from error


def _internal(session: Session, error: Exception) -> InternalError:
    where = ""
    if session.place is not None:
        source, node = session.place
        span: SourceSpan = source.span(node)
        where = f" at {span.place}\n{span.excerpt()}\n"
    return InternalError(
        f"stage infer of kernel {session.name!r} failed{where}: {type(error).__name__}: {error};"
        " please report this message with the kernel's source"
    )


class _Kernel:
    """One kernel on its way through inference."""

    def __init__(
        self,
        session: Session,
        parsed: Parsed,
        function: types.FunctionType,
        arguments: Sequence[Argument],
    ) -> None:
        self._session = session
        self._parsed = parsed
        self._function = function
        self._arguments = self._by_name(arguments)
        self._parameters: list[ir.Variable | ir.Array] = []

    def _by_name(self, arguments: Sequence[Argument]) -> dict[str, Argument]:
        """The arguments by the names of their parameters."""
        spec = self._parsed.node.args
        names = [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
        if len(arguments) != len(names):
            raise CompileError(
                self._session.name,
                [
                    Diagnostic(
                        self._parsed.source.span(self._parsed.node),
                        f"expected {len(names)} arguments ({', '.join(names)}),"
                        f" found {len(arguments)}",
                    )
                ],
            )
        return dict(zip(names, arguments, strict=True))

    def _solve(self, start: Callable[[AbstractInterpreter], None]) -> AbstractInterpreter:
        session = self._session
        arguments = all_leaves([*self._arguments.values()])
        wide = any(_is_wide(argument) for argument in arguments)
        default_float = dtypes.float64 if wide else dtypes.DEFAULT_FLOAT
        unit = Unit(session, session.name, is_function=False, default_float=default_float)
        session.call_stack.append((self._function.__code__, session.name, None))
        session.dependencies.add_function(self._function)
        run = solve(unit, start)
        if run.diagnostics:
            ordered = sorted(run.diagnostics.values(), key=lambda d: (d.span.line, d.span.column))
            raise CompileError(session.name, ordered)
        return run

    def infer_result(self) -> InferredResult:
        found: list[Tree] = []

        def start(run: AbstractInterpreter) -> None:
            self._take_arguments(run)
            try:
                found[:] = [self._result(run)]
            except Fault as fault:
                run.report(fault)

        self._solve(start)
        return InferredResult(found[0], self._session.dependencies.all())

    def _result(self, run: AbstractInterpreter) -> Tree:
        frame = run.frame

        def body(label: Label) -> None:
            frame.label = label
            run.execute(self._parsed.body)

        run_with_label(run, "returned", self._parsed.node, body)
        span = self._parsed.source.span(self._parsed.node)
        return _dtypes_of(run, result_of(run, frame, span), span)

    def infer(self) -> InferredKernel:
        session = self._session
        run = self._solve(self._start)
        body = freeze(run.block)
        kernel = ir.Kernel(
            name=valid_identifier(session.name),
            parameters=tuple(self._parameters),
            arrays=tuple(run.arrays),
            functions=reachable(body),
            body=body,
            index_type=session.index_type,
            span=self._parsed.source.span(self._parsed.node),
            debug=session.debug,
            written=frozenset(run.written),
        )
        return InferredKernel(kernel, session.dependencies.all())

    def _start(self, run: AbstractInterpreter) -> None:
        self._take_arguments(run)
        run.execute(self._parsed.body)

    def _take_arguments(self, run: AbstractInterpreter) -> None:
        self._parameters.clear()
        run.names.taken.add(valid_identifier(self._session.name))
        run.frame = Frame(self._parsed, self._function, 0, Env())
        spec = self._parsed.node.args
        every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
        for place in every:
            value = self._value(run, place.arg, self._arguments[place.arg], run.span(place))
            try:
                bind_parameter(run, place.arg, value, place)
            except Fault as fault:  # an annotation inside wants another type
                run.report(fault)
                run.frame.env.own[place.arg] = REPORTED

    def _value(  # noqa: PLR0911 - one for each kind of argument
        self, run: AbstractInterpreter, name: str, argument: Argument, span: SourceSpan
    ) -> Value:
        match argument:
            case ScalarArgument(dtype, weak) if dtype.is_complex:
                parts = [
                    self._scalar(run, f"{name}_{part}", dtype.part, span)
                    for part in ("real", "imag")
                ]
                return Complex(parts[0], parts[1], weak)
            case ScalarArgument(dtype, weak):
                return Scalar(self._scalar(run, name, dtype, span), weak)
            case ArrayArgument(array_type):
                return ArrayView(self._array(run, name, array_type, span))
            case ExpressionArgument():
                return ArrayView(
                    ExpressionArray(name, argument, self._leaves(run, name, argument, span))
                )
            case FollowedArgument(target=target):
                whole = self._array(run, name, target.type, span, is_alone=True)
                leaves = self._leaves(run, name, argument, span)
                return ArrayView(FollowedArray(name, argument, whole, leaves))
            case TupleArgument(items, cls, keywords):
                numbers = tuple(map(str, range(len(items) - len(keywords))))
                is_partial = cls is not None and is_partial_class(cls)
                names = field_names(cls) if cls and not is_partial else (*numbers, *keywords)
                parts_of = zip(names, items, strict=True)
                values = tuple(self._value(run, f"{name}_{n}", item, span) for n, item in parts_of)
                return partial_of(values, keywords) if is_partial else Aggregate(values, cls)
            case StaticArgument(static() as known):
                return lift(known.value, has_float64=True)  # Python's numbers: it does not count
            case StaticArgument(value):
                return Static(value)

    def _leaves(
        self,
        run: AbstractInterpreter,
        name: str,
        argument: ExpressionArgument | FollowedArgument,
        span: SourceSpan,
    ) -> Leaves:
        leaves: list[Leaf] = []
        memory_of = argument.memory if isinstance(argument, ExpressionArgument) else ()
        for number, leaf in enumerate(argument.leaves):
            unique = f"{name}_{number}"
            first = memory_of[number] if memory_of else number
            if isinstance(leaf, ArrayArgument) and first != number:
                holder = cast(ArrayView, leaves[first]).array
                memory = cast(ir.Array, holder)
                leaves.append(ArrayView(self._array(run, unique, leaf.type, span, memory)))
            else:
                leaves.append(cast(Leaf, self._value(run, unique, leaf, span)))
        return tuple(leaves)

    def _array(
        self,
        run: AbstractInterpreter,
        name: str,
        array_type: ArrayType,
        span: SourceSpan,
        memory: ir.Array | None = None,
        *,
        is_alone: bool = False,
    ) -> ir.Array:
        unique = run.names.unique(name)
        run.session.variable_names.add(unique)
        array = ir.Array(unique, array_type, span, memory=memory, is_alone=is_alone)
        self._parameters.append(array)
        return array

    def _scalar(
        self, run: AbstractInterpreter, name: str, dtype: DType, span: SourceSpan
    ) -> ir.Read:
        variable = run.variable(name, dtype, span)
        self._parameters.append(variable)
        run.parameters.add(variable)
        return ir.Read(variable, span)


def _is_wide(leaf: Argument) -> bool:
    """Whether an array's or an expression's elements, or a number, have parts of 64 bits."""
    match leaf:
        case ArrayArgument(typed) | ExpressionArgument(typed) | ScalarArgument(typed):
            dtype = typed if isinstance(typed, DType) else typed.dtype
            return dtype.part is dtypes.float64
        case FollowedArgument():
            return leaf.stored.part is dtypes.float64
    return False


# --- Types of results --------------------------------------------------------------------------


@record
class InferredResult:
    """The dtypes of what a function gives, and every name outside that it depends on."""

    dtypes: Tree
    dependencies: tuple[Dependency, ...]


def infer_result(
    function: types.FunctionType,
    arguments: Sequence[Argument],
    *,
    user: object,
    has_float64: bool = True,
) -> InferredResult:
    """The dtypes of what a function gives for arguments of these types.

    Args:
        function: A plain Python function of the library's, which calls the user's.
        arguments: A type for each of its parameters, the user's function among them.
        user: The user's function, for messages.
        has_float64: Whether the target has it.

    Raises:
        CompileError: The user's function is not valid, takes other arguments, or gives no numbers;
            nothing is said of the library's function.
        UserInputError: The same of a function that is none of Python's.
        InternalError: A bug of ours.
    """

    def infer() -> InferredResult:
        name = getattr(user, "__name__", type(user).__name__)
        session = Session(name, dtypes.int32, 0, has_float64)
        with _stage(session, function):
            parsed = parse(function)
            try:
                return _Kernel(session, parsed, function, arguments).infer_result()
            except CompileError as error:
                raise _told_of(user, parsed.source.text.name, error) from None

    return with_room(infer)


def _told_of(user: object, file: str, error: CompileError) -> UserInputError:
    """The error, without what it says about a file of the library's."""
    outside = [found for found in error.diagnostics if found.span.text.name != file]
    if not outside:
        message = error.diagnostics[0].message
        if not isinstance(user, types.FunctionType):
            return UserInputError(f"{error.kernel}: {message}")
        parsed = parse(user)
        span = parsed.source.span(parsed.node)
        return CompileError(error.kernel, [Diagnostic(span, message)])
    shown = [
        Diagnostic(
            found.span,
            found.message,
            tuple(note for note in found.related if note[0].text.name != file),
        )
        for found in outside
    ]
    return CompileError(error.kernel, shown)


def _dtypes_of(run: AbstractInterpreter, value: Value, span: SourceSpan) -> Tree:
    if isinstance(value, Aggregate):
        items = [_dtypes_of(run, item, span) for item in value.items]
        return make_tree(value.cls or tuple, items)
    is_number = isinstance(value, Scalar | Complex | Position) or (
        isinstance(value, Static) and (value.is_number or isinstance(value.value, np.generic))
    )
    if not is_number:
        raise Fault(
            span,
            "expected a number, or a tuple or named tuple of numbers, as the result,"
            f" found {describe(value)}",
        )
    return as_number(run, value, span).dtype


# What the functions of the library call, which many of them share: a program has each once.
_specialised: dict[Any, Specialised] = {}


def infer_function(function: types.FunctionType, dtypes_: tuple[DType, ...]) -> ir.Function:
    """The IR of a plain function of scalars, for arguments of these types.

    Raises:
        CompileError: The function is not valid, or not one of scalars without effects.
        InternalError: A bug of ours.
    """

    def infer() -> ir.Function:
        session = Session(function.__name__, dtypes.int32, 0, specialised=_specialised)
        with _stage(session, function):
            return _infer_function(session, function, dtypes_)

    return with_room(infer)


def _infer_function(
    session: Session, function: types.FunctionType, dtypes_: tuple[DType, ...]
) -> ir.Function:
    parsed = parse(function)
    run = AbstractInterpreter(Unit(session, function.__name__, is_function=True))
    callee = Callee(parsed, function, python_defaults(run, function), None, function.__code__)
    run.frame = Frame(parsed, function, 0, Env())
    span = parsed.source.span(parsed.node)
    names = [a.arg for a in (*parsed.node.args.posonlyargs, *parsed.node.args.args)]
    bound: dict[str, Value] = {
        name: Scalar(ir.Read(ir.Variable(name, dtype, span), span))
        for name, dtype in zip(names, dtypes_, strict=True)
    }
    session.call_stack.append((function.__code__, function.__name__, None))
    found = specialise(run, callee, bound, span)
    if run.diagnostics:
        raise CompileError(function.__name__, list(run.diagnostics.values()))
    if found.function is None:
        message = "expected a function that computes one scalar from its arguments alone"
        raise CompileError(function.__name__, [Diagnostic(span, message)])
    return found.function
