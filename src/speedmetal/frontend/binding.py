"""Binding values to names, and bringing together what different ways to a place have bound."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from speedmetal.common.records import replace
from speedmetal.dtypes import DType
from speedmetal.frontend.convert import as_complex, constant, implicit
from speedmetal.frontend.frames import Env, Frame, Pin
from speedmetal.frontend.interpreter import RETURN, AbstractInterpreter, Binding, Fault, Record
from speedmetal.frontend.values import (
    REPORTED,
    Aggregate,
    ArrayView,
    Broken,
    Closure,
    Complex,
    Matrix,
    Method,
    Partial,
    Range,
    Scalar,
    Static,
    Undecided,
    Value,
    describe,
    expressions_of,
)
from speedmetal.frontend.variable_types import (
    AggregateVariable,
    ComplexVariable,
    Key,
    MatrixVariable,
    NumberVariable,
    OtherVariable,
    VariableType,
    ViewVariable,
    as_running,
    is_variable,
    join,
    slot_of,
)
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import MatrixType
from speedmetal.source import SourceSpan


def bind(run: AbstractInterpreter, name: str, value: Value, node: ast.AST) -> None:
    """Bind a value to a name of the current frame.

    A name with a slot from the last run is a variable: the value is assigned to it. Otherwise a
    compile-time value is kept, and anything else goes into a new variable.
    """
    frame = run.frame
    if isinstance(value, Broken):
        frame.env.own[name] = value
        return
    key = frame.number, name
    span = run.span(node)
    value = _freeze_value(run, value)
    _release_temporary(run, value)
    slot = _slot(run, name, value)
    _record(run, key, name, node, slot, compile_time=is_compile_time(value))
    fixed = run.unit.fixed.get(key)
    assumed = NumberVariable(fixed) if fixed is not None else run.unit.assumed.get(key)
    if key in run.unit.conflicts:
        frame.env.own[name] = REPORTED
    elif assumed is not None and is_variable(slot):
        if fixed is None and join(assumed, slot) != assumed:  # this run is not the last
            frame.env.own[name] = _variables(run, key, assumed, span)
            return
        variables = _variables(run, key, assumed, span)
        _assign(run, variables, value, assumed, name, span)
        frame.env.own[name] = variables
    elif is_compile_time(value):
        frame.env.own[name] = value
    else:
        variables = _variables(run, key, slot, span)
        _assign(run, variables, value, slot, name, span)
        _define(run, variables, value)
        frame.env.own[name] = variables


def _slot(run: AbstractInterpreter, name: str, value: Value) -> VariableType:
    """The variable type for a value that is bound to a name.

    The results of a function are alternatives, as in ``0.0 if c else x``: a literal among them
    takes the type of the others. A literal that another name starts with may grow.
    """
    slot = slot_of(value, run.unit.default_float)
    return slot if name == RETURN else as_running(slot)


def _freeze_value(run: AbstractInterpreter, value: Value) -> Value:
    """The value, where ranges and methods, which no variable holds, do not change any more."""
    match value:
        case Range() | Method() | Partial():
            return run.copy_value(value)
        case Aggregate(items):
            frozen = tuple(_freeze_value(run, item) for item in items)
            return value if frozen == items else replace(value, items=frozen)
    return value


def bind_parameter(run: AbstractInterpreter, name: str, value: Value, node: ast.AST) -> None:
    """Bind an argument: a name of the caller's stays one, unless the function assigns to it."""
    key = run.frame.number, name
    # A function inside the function could be called when the caller's name has changed.
    plain = not run.frame.parsed.nested and all(
        isinstance(part, ir.Constant | ir.Extent | ir.Read) for part in expressions_of(value)
    )
    if plain and key not in run.unit.assumed and key not in run.unit.fixed:
        slot = _slot(run, name, value)
        _record(run, key, name, node, slot, compile_time=is_compile_time(value))
        run.frame.env.own[name] = value
    else:
        bind(run, name, value, node)


def declare(run: AbstractInterpreter, name: str, node: ast.AST) -> None:
    """Make a name a variable that is 0 until it is bound; in the run after its type was found."""
    key = run.frame.number, name
    run.demoted.add(key)
    slot = run.unit.assumed.get(key)
    if slot is None:
        return
    span = run.span(node)
    variables = _variables(run, key, slot, span)
    for read in expressions_of(variables):
        if isinstance(read, ir.Read) and isinstance(read.type, DType):
            run.emit(ir.Assign(read.variable, constant(0, read.type, span), span))
    run.frame.env.own[name] = variables


def _record(
    run: AbstractInterpreter,
    key: Key,
    name: str,
    node: ast.AST,
    slot: VariableType,
    *,
    compile_time: bool,
) -> None:
    record = run.records.get(key)
    if record is None:
        record = run.records[key] = Record(name)
    record.bindings.append(Binding(node, run.span(node), slot, compile_time))


def is_compile_time(value: Value) -> bool:
    """Whether no part of a value belongs to the running program."""
    return next(iter(expressions_of(value)), None) is None


def bind_for_turn(run: AbstractInterpreter, name: str, value: Value, node: ast.AST) -> None:
    """Bind a name for a turn of an unrolled loop.

    Where other places make it a variable, that gets the value as well; but in the turn itself a
    value that is known while compiling remains known, until the turn binds the name again.
    """
    bind(run, name, value, node)
    frame = run.frame
    bound = frame.env.own[name]
    if bound is not value and is_compile_time(value) and not isinstance(bound, Broken):
        frame.pinned[name] = Pin(value, bound)
        frame.env.own[name] = value


def release(run: AbstractInterpreter, ways: Iterable[dict[str, Value]]) -> None:
    """After a turn, on each way out of it: names that it had pinned are variables."""
    for changes in ways:
        for name, pin in run.frame.pinned.items():
            if changes.get(name) is pin.value:
                changes[name] = pin.variable


def _variables(run: AbstractInterpreter, key: Key, slot: VariableType, span: SourceSpan) -> Value:
    """The variables of a name; the same ones for each binding of the run."""
    found = run.variables.get(key)
    if found is not None and found[0] == slot:
        return found[1]
    name = key[1]
    if name == RETURN:
        name = f"{run.frame.parsed.name}_result"
    made = _make(run, name, slot, span)
    run.variables[key] = slot, made
    return made


def _make(run: AbstractInterpreter, name: str, slot: VariableType, span: SourceSpan) -> Value:
    def read(suffix: str, value_type: DType | MatrixType) -> ir.Read:
        return ir.Read(run.variable(name + suffix, value_type, span), span)

    match slot:
        case NumberVariable(dtype, weak):
            return Scalar(read("", dtype), weak)
        case ComplexVariable(dtype, weak):
            return Complex(read("_real", dtype.part), read("_imag", dtype.part), weak)
        case MatrixVariable(matrix):
            return Matrix(read("", matrix))
        case AggregateVariable(items, cls):
            empty = Aggregate((), cls)
            names = empty.fields or tuple(map(str, range(len(items))))
            parts = (
                _make(run, f"{name}_{part}", item, span)
                for part, item in zip(names, items, strict=True)
            )
            return Aggregate(tuple(parts), cls)
        case ViewVariable(array, count):
            prefix = tuple(read(f"_index{axis}", run.index_type) for axis in range(count))
            return ArrayView(array, prefix)
        case OtherVariable(value):
            return value if isinstance(value, _VALUES) else Static(value)


_VALUES = Value.__args__  # the classes of the union


def _assign(
    run: AbstractInterpreter,
    variables: Value,
    value: Value,
    slot: VariableType,
    name: str,
    span: SourceSpan,
) -> None:
    """Assign every part at once: no assignment disturbs what a later one reads."""
    targets = [read.variable for read in expressions_of(variables) if isinstance(read, ir.Read)]
    shown = "the result" if name == RETURN else name
    parts = list(expressions_of(_fit_to_slot(run, value, slot, shown, span)))
    if len(targets) == 1 and _adopt(run, targets[0], parts[0], span):
        return
    remaining = tuple(map(Scalar, parts))
    for target in targets:
        expression = remaining[0].expression
        mark = len(run.block)
        if not (isinstance(expression, ir.Read) and expression.variable is target):
            run.emit(ir.Assign(target, expression, span))
        remaining = run.materialize_all_before(remaining[1:], mark)


def _define(run: AbstractInterpreter, variables: Value, value: Value) -> None:
    """Remember what a variable that is bound once stands for: the sizes of arrays need it."""
    reads, parts = tuple(expressions_of(variables)), tuple(expressions_of(value))
    is_whole = len(reads) == len(parts)  # constants among the items have no expressions
    for place, read in enumerate(reads):
        if isinstance(read, ir.Read):
            known = is_whole and read.variable not in run.definitions
            run.definitions[read.variable] = parts[place] if known else None


def _adopt(
    run: AbstractInterpreter, target: ir.Variable, value: ir.Expression, span: SourceSpan
) -> bool:
    """Let the statement that made a temporary write to the variable itself."""
    if not (isinstance(value, ir.Read) and run.block and value.variable in run.temporaries):
        return False
    last = run.block[-1]
    if isinstance(last, ir.Assign) and last.variable is value.variable:
        run.block[-1] = ir.Assign(target, last.value, span)
    elif isinstance(last, ir.Atomic) and last.result is value.variable:
        run.block[-1] = ir.Atomic(
            last.operation, last.array, last.indices, last.operands, target, last.span
        )
    else:
        return False
    return True


def _fit_to_slot(
    run: AbstractInterpreter, value: Value, slot: VariableType, name: str, span: SourceSpan
) -> Value:
    """The value converted to a variable type."""
    match slot:
        case NumberVariable(dtype, weak):
            return Scalar(implicit(run, value, dtype, span, name), weak)
        case ComplexVariable(dtype, weak):
            found = as_complex(run, value, dtype, span)
            return Complex(found.real, found.imag, weak)
        case AggregateVariable(items, cls):
            assert isinstance(value, Aggregate)
            pairs = zip(value.items, items, strict=True)
            return Aggregate(tuple(_fit_to_slot(run, v, s, name, span) for v, s in pairs), cls)
    return value


def _release_temporary(run: AbstractInterpreter, value: Value) -> None:
    """Free the name of a temporary that will be adopted, for the user's own."""
    if isinstance(value, Scalar) and isinstance(value.expression, ir.Read):
        variable = value.expression.variable
        if variable in run.temporaries and run.block and _target(run.block[-1]) is variable:
            run.names.taken.discard(variable.name)


def _target(statement: object) -> ir.Variable | None:
    match statement:
        case ir.Assign(variable=variable):
            return variable
        case ir.Atomic(result=result):
            return result
    return None


# --- Merging ---------------------------------------------------------------------------------


def merge(run: AbstractInterpreter, frame: Frame, ways: list[dict[str, Value]]) -> None:
    """Bring together what different ways to this place have bound since they parted."""
    if not ways:
        return
    if len(ways) == 1:
        frame.env.own.update(ways[0])
        return
    base = frame.env
    for name in dict.fromkeys(name for way in ways for name in way):
        before = base.get(name)
        found = [way.get(name, before) for way in ways]
        base.own[name] = _merge_values(run, frame, name, found)


def _merge_values(
    run: AbstractInterpreter, frame: Frame, name: str, found: list[Value | None]
) -> Value:
    first = found[0]
    if first is not None and all(value is first for value in found):
        return first
    for value in found:
        if isinstance(value, Broken) and value.message is None:
            return value
    for value in found:
        if isinstance(value, Broken | Undecided):
            return value
    present = [value for value in found if value is not None]
    if len(present) < len(found):
        return _unassigned_name(run, frame, name)
    result = present[0]
    for value in present[1:]:
        if not same(result, value):
            return _merge_different(run, name, result, value)
    return result


def resolve_name(run: AbstractInterpreter, frame: Frame, name: str, value: Value) -> Value:
    """The value of a name that is read; one that is undecided becomes a variable."""
    if not isinstance(value, Undecided):
        return value
    run.demoted.add((frame.number, name))
    return value.either


def same(left: Value, right: Value) -> bool:  # noqa: PLR0911 - one for each kind of value
    """Whether two values are one, wherever they come from."""
    if left is right:
        return True
    match left, right:
        case Static(a), Static(b):
            return a is b or (type(a) is type(b) and left.is_number and _same_number(a, b))
        case Scalar(a, a_weak), Scalar(b, b_weak):
            return a_weak == b_weak and _same_expression(a, b)
        case Complex() | Matrix(), Complex() | Matrix():
            pairs = zip(expressions_of(left), expressions_of(right), strict=False)
            return type(left) is type(right) and all(_same_expression(a, b) for a, b in pairs)
        case Aggregate(a_items, a_class), Aggregate(b_items, b_class):
            return (
                a_class is b_class
                and len(a_items) == len(b_items)
                and all(same(a, b) for a, b in zip(a_items, b_items, strict=True))
            )
        case ArrayView(a, a_prefix), ArrayView(b, b_prefix):
            return (
                a is b
                and len(a_prefix) == len(b_prefix)
                and all(_same_expression(x, y) for x, y in zip(a_prefix, b_prefix, strict=True))
            )
    return False


def _same_number(a: complex, b: complex) -> bool:
    return repr(a) == repr(b)  # tells -0.0 from 0.0, and NaN is NaN


def _same_expression(a: ir.Expression, b: ir.Expression) -> bool:
    if isinstance(a, ir.Read) and isinstance(b, ir.Read):
        return a.variable is b.variable
    if isinstance(a, ir.Constant) and isinstance(b, ir.Constant):
        return a.type is b.type and _same_number(a.value, b.value)
    return a is b


def _merge_different(
    run: AbstractInterpreter,
    name: str,
    left: Value,
    right: Value,
    way_out: Callable[[Value, Value], str] | None = None,
) -> Undecided | Broken:
    """What a name is that has two values: a variable, if one can hold both."""
    left_slot, right_slot = _slot(run, name, left), _slot(run, name, right)
    joined = join(left_slot, right_slot)
    if joined is not None and is_variable(joined):
        return Undecided(right if is_compile_time(left) else left)
    if is_variable(left_slot) and is_variable(right_slot):
        return Undecided(REPORTED)  # the next run will say what does not go together
    shown = "the result" if name == RETURN else repr(name)
    either = f"{_told_apart(left)} or {_told_apart(right)}"
    advice = (way_out or _way_out)(left, right)
    return Broken(
        f"{shown} is {either} here, which only the running program knows; {advice}",
        exchanged=is_compile_time(left) and is_compile_time(right),
    )


def _told_apart(value: Value) -> str:
    is_whole = isinstance(value, ArrayView) and not value.prefix
    return f"the array {value.array.name!r}" if is_whole else describe(value)  # type: ignore[union-attr]


def _way_out(left: Value, right: Value) -> str:
    if any(isinstance(value, Static) and value.value is None for value in (left, right)):
        return "begin with a number, such as 0.0 or -math.inf, instead of None"
    if all(isinstance(value, Static | ArrayView | Closure) for value in (left, right)):
        return "use the name inside the branches, or choose between results instead"
    return "a name that changes must hold numbers of one kind"


def _way_round(left: Value, right: Value) -> str:
    """The way out where a loop made the difference."""
    if not all(isinstance(value, ArrayView) and not value.prefix for value in (left, right)):
        return _way_out(left, right)
    return (
        "where the count is constant, write for i in sm.static_range(4); elsewhere make the two"
        " rows of one array, whose names can change places: a, b = both[0], both[1]"
    )


def _unassigned_name(run: AbstractInterpreter, frame: Frame, name: str) -> Broken:
    record = run.records.get((frame.number, name))
    if name == RETURN:
        message = (
            f"{frame.parsed.name!r} returns a value on some ways and none on others;"
            " return a value at its end"
        )
        return Broken(message, record.bindings[0].node if record else None, "a value is returned")
    return Broken(
        f"{name!r} may not have been assigned here; assign it before the branch or loop",
        record.bindings[0].node if record else None,
        "assigned only here",
    )


def open_loop(run: AbstractInterpreter, loop: ast.AST) -> None:
    """Break the names that the loop's body is known to make something else of.

    A name that is known while compiling in this turn of a loop around is no more so in a body
    that binds it: there it is its variable.
    """
    env = run.frame.env
    for name in run.frame.parsed.rebound[loop]:
        pin = run.frame.pinned.get(name)
        if pin is not None and env.get(name) is pin.value:
            env.own[name] = pin.variable
    for name, broken in run.unit.broken_by.get((run.frame.number, id(loop)), {}).items():
        env.own[name] = broken


def close_loop(
    run: AbstractInterpreter,
    frame: Frame,
    loop: ast.AST,
    start: Env,
    ends: Iterable[dict[str, Value]],
) -> None:
    """Make variables of the names that a loop's body leaves different from how it found them."""
    for end in ends:
        for name, value in end.items():
            before = start.get(name)
            if before is None or isinstance(before, Broken | Undecided) or same(before, value):
                continue
            changed = value
            if not isinstance(value, Broken | Undecided):
                changed = _merge_different(run, name, before, value, _way_round)
            if isinstance(changed, Broken) and changed.message is not None:
                run.broken_by.setdefault((frame.number, id(loop)), {})[name] = changed
            elif isinstance(changed, Undecided):
                run.demoted.add((frame.number, name))


def fault_of(run: AbstractInterpreter, node: ast.AST, broken: Broken) -> Fault:
    """The error of reading a name that has no one value here, with the line that is to blame."""
    if broken.message is None:
        return Fault(run.span(node), None)
    related = ((run.span(broken.node), broken.why),) if broken.node is not None else ()
    return Fault(run.span(node), broken.message, related)
