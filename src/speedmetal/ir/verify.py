"""The rules of the IR: one row each. A kernel that breaks one is a fault of speedmetal's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.errors import InternalError
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    ATOMICS,
    BINARY,
    COMPARE,
    UNARY,
    Array,
    Assert,
    Assign,
    AsyncCopy,
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
from speedmetal.ir.types import MatrixType, Space

_FLOAT_OPERATORS = frozenset({"add", "subtract", "multiply", "divide"})
_BOOL_OPERATORS = frozenset({"bit_and", "bit_or", "bit_xor"})
_ALONE = (IntrinsicKind.COLLECTIVE, IntrinsicKind.MATRIX)

Rule = tuple[type, str, Callable[[Any], bool]]


def _element(array: Array, part: int | None) -> DType:
    dtype = array.type.dtype
    return dtype.part if part is not None else dtype


def _fits(node: Constant) -> bool:
    if node.type.is_bool:
        return isinstance(node.value, bool)
    if node.type.is_integer:
        return isinstance(node.value, int) and (
            node.type.minimum <= node.value <= node.type.maximum
        )
    return node.type.is_float


def _operates(node: Binary) -> bool:
    if node.type.is_float:
        return node.operator in _FLOAT_OPERATORS
    if node.type.is_bool:
        return node.operator in _BOOL_OPERATORS
    return node.type.is_integer and node.operator != "divide"


def _are_indices(indices: tuple[Expression, ...]) -> bool:
    return all(isinstance(i.type, DType) and i.type.is_integer for i in indices)


def _is_access(node: Load | Store | Atomic | MatrixLoad | MatrixStore) -> bool:
    return len(node.indices) == node.array.type.rank and _are_indices(node.indices)


def _is_copy(node: AsyncCopy) -> bool:
    ranks = len(node.indices), len(node.source_indices)
    given = _are_indices((*node.indices, *node.source_indices))
    return ranks == (node.array.type.rank, node.source.type.rank) and given


def _matrices_fit(node: Call) -> bool:
    """Whether ``a @ b + c`` is defined, and has the call's type."""
    kinds = [node.arguments[n].type for n in node.intrinsic.matrix_operands]
    if not kinds:
        return True
    if not (isinstance(node.type, MatrixType) and all(isinstance(k, MatrixType) for k in kinds)):
        return False
    left, right, total = [k for k in (*kinds, node.type) if isinstance(k, MatrixType)][:3]
    return (left.columns, left.rows, right.columns) == (right.rows, total.rows, total.columns)


def _part_is_right(node: Load | Store) -> bool:
    return (node.part in (0, 1)) == node.array.type.dtype.is_complex


def _may_be_endless(expression: Expression) -> bool:
    """Whether it calls a user's function; those of the library end for all arguments."""
    return isinstance(expression, Invoke) and not expression.function.is_total


def _call_is_right(node: Call) -> bool:
    return len(node.arguments) == node.intrinsic.arity and (
        (node.axis in (0, 1, 2)) if node.intrinsic.axes else node.axis is None
    )


EXPRESSION_RULES: tuple[Rule, ...] = (
    (Constant, "its value is one of its type", _fits),
    (Unary, "its operator exists", lambda n: n.operator in UNARY),
    (Unary, "its operand has its type", lambda n: n.operand.type is n.type),
    (Unary, "only booleans are denied", lambda n: n.operator != "not" or n.type.is_bool),
    (Unary, "only integers are inverted", lambda n: n.operator != "invert" or n.type.is_integer),
    (Binary, "its operator exists", lambda n: n.operator in BINARY),
    (Binary, "its operands have its type", lambda n: n.left.type is n.right.type is n.type),
    (Binary, "its type has the operator", _operates),
    (Compare, "its operator exists", lambda n: n.operator in COMPARE),
    (Compare, "its operands have one type", lambda n: n.left.type is n.right.type),
    (Compare, "it is a boolean", lambda n: n.type.is_bool),
    (Logical, "its operands are booleans", lambda n: n.left.type is n.right.type is dtypes.bool_),
    (Select, "its condition is a boolean", lambda n: n.condition.type is dtypes.bool_),
    (Select, "its values have its type", lambda n: n.when_true.type is n.when_false.type is n.type),
    (Convert, "it is between scalars", lambda n: isinstance(n.operand.type, DType)),
    (Convert, "complex numbers are two floats", lambda n: not n.type.is_complex),
    (Bitcast, "the types have one size", lambda n: n.operand.type.bits == n.type.bits),
    (Load, "it has an integer for each axis", _is_access),
    (Load, "it has the element's type", lambda n: n.type is _element(n.array, n.part)),
    (Load, "a complex number's part is named", _part_is_right),
    (Extent, "the array has the axis", lambda n: 0 <= n.axis < n.array.type.rank),
    (Call, "it has the intrinsic's operands", _call_is_right),
    (Invoke, "it has the function's parameters",
     lambda n: [a.type for a in n.arguments] == [p.type for p in n.function.parameters]),
    (MatrixLoad, "the array has two axes or more",
     lambda n: n.array.type.rank >= 2 and _is_access(n)),
    (MatrixLoad, "it is a matrix of the element's type",
     lambda n: isinstance(n.type, MatrixType) and n.type.dtype is n.array.type.dtype),
    (Call, "matrices fit together", _matrices_fit),
)  # fmt: skip

STATEMENT_RULES: tuple[Rule, ...] = (
    (Assign, "the value has the variable's type", lambda n: n.value.type == n.variable.type),
    (Store, "it has an integer for each axis", _is_access),
    (Store, "the value has the element's type",
     lambda n: n.value.type is _element(n.array, n.part)),
    (Store, "a complex number's part is named", _part_is_right),
    (MatrixStore, "the array has two axes or more",
     lambda n: n.array.type.rank >= 2 and _is_access(n)),
    (MatrixStore, "the value is a matrix of the element's type",
     lambda n: isinstance(n.value.type, MatrixType) and n.value.type.dtype is n.array.type.dtype),
    (If, "its condition is a boolean", lambda n: n.condition.type is dtypes.bool_),
    (While, "its condition is a boolean", lambda n: n.condition.type is dtypes.bool_),
    (For, "its bounds have the counter's type",
     lambda n: n.start.type is n.stop.type is n.step.type is n.counter.type),
    (For, "its step is not 0",
     lambda n: not isinstance(n.step, Constant) or n.step.value != 0),
    (Barrier, "its scope exists", lambda n: n.scope in ("threadgroup", "simdgroup")),
    (AsyncCopy, "it has an integer for each axis", _is_copy),
    (AsyncCopy, "it goes into threadgroup memory",
     lambda n: n.array.type.space is Space.THREADGROUP and n.count >= 1),
    (AsyncCopy, "it comes from device memory", lambda n: n.source.type.space is Space.DEVICE),
    (AsyncCopy, "both arrays have elements of one type",
     lambda n: n.array.type.dtype is n.source.type.dtype),
    (AsyncWait, "it counts groups", lambda n: n.pending >= 0),
    (Atomic, "its operation exists", lambda n: n.operation in ATOMICS),
    (Atomic, "it has its operands", lambda n: len(n.operands) == ATOMICS[n.operation]),
    (Atomic, "it has an integer for each axis", _is_access),
    (Atomic, "the operands have the element's type",
     lambda n: all(o.type is n.array.type.dtype for o in n.operands)),
    (Atomic, "the result has the element's type",
     lambda n: n.result is None or n.result.type is n.array.type.dtype),
    (Atomic, "no other thread sees a thread's array",
     lambda n: n.array.type.space is not Space.THREAD),
    (Print, "each place has a value",
     lambda n: sum(p is None for p in n.parts) == len(n.values)),
    (Assert, "its condition is a boolean", lambda n: n.condition.type is dtypes.bool_),
)  # fmt: skip


def _by_type(rules: tuple[Rule, ...]) -> dict[type, list[Rule]]:
    table: dict[type, list[Rule]] = {}
    for rule in rules:
        table.setdefault(rule[0], []).append(rule)
    return table


_EXPRESSION_RULES = _by_type(EXPRESSION_RULES)
_STATEMENT_RULES = _by_type(STATEMENT_RULES)


def verify(kernel: Kernel, stage: str) -> None:
    """Check a kernel against every rule.

    Args:
        kernel: What a stage made.
        stage: Its name, for the message.

    Raises:
        InternalError: A rule is broken; the message names stage, rule and place.
    """
    for message in broken_rules(kernel):
        raise InternalError(f"{stage} made an invalid kernel {kernel.name!r}: {message}")


def broken_rules(kernel: Kernel) -> Iterator[str]:
    """A message for each rule that a kernel breaks."""
    known = set(kernel.parameters)
    for function in kernel.functions:
        yield from _of_body(function.body, set(function.parameters), function)
    yield from _of_body(kernel.body, known, None)
    yield from _of_names(kernel)


def _of_names(kernel: Kernel) -> Iterator[str]:
    names: dict[str, object] = {}
    for item in (*kernel.parameters, *kernel.arrays, *kernel.functions):
        if item.name in names:
            yield f"two things are named {item.name!r}"
        names[item.name] = item


def _of_body(
    body: tuple[Statement, ...], known: set[Any], function: Function | None
) -> Iterator[str]:
    assigned = {walk.assigned_variable(s) for s in walk.statements(body)} | known
    for statement in walk.statements(body):
        yield from _by_table(statement, _STATEMENT_RULES)
        yield from _of_exit(statement, function)
        expressions = walk.expressions(statement)
        for expression in expressions:
            yield from _by_table(expression, _EXPRESSION_RULES)
            if isinstance(expression, Read) and expression.variable not in assigned:
                yield _message(expression, f"{expression.variable.name} is given a value")
        yield from _of_lazy_operands(expressions)
        yield from _of_collectives(statement, expressions)
    yield from _of_loops(body, in_loop=False)


def _of_exit(statement: Statement, function: Function | None) -> Iterator[str]:
    if not isinstance(statement, Return):
        return
    if function is None and statement.value is not None:
        yield _message(statement, "a kernel returns nothing")
    if function is not None and (
        statement.value is None or statement.value.type is not function.result
    ):
        yield _message(statement, "a function returns a value of its type")


def _of_lazy_operands(expressions: list[Expression]) -> Iterator[str]:
    if not any(isinstance(expression, Logical | Select) for expression in expressions):
        return
    unsafe: set[Expression] = set()
    for expression in expressions:
        match expression:
            case Logical(right=right) if right in unsafe:
                yield _message(expression, "its right operand is safe to evaluate")
            case Select(when_true=a, when_false=b) if a in unsafe or b in unsafe:
                yield _message(expression, "its values are safe to evaluate")
        if (
            isinstance(expression, Load | MatrixLoad)
            or _may_be_endless(expression)
            or not unsafe.isdisjoint(walk.operands(expression))
        ):
            unsafe.add(expression)


def _of_collectives(statement: Statement, expressions: list[Expression]) -> Iterator[str]:
    whole = statement.value if isinstance(statement, Assign) else None
    for expression in expressions:
        is_alone = isinstance(expression, Call) and expression.intrinsic.kind in _ALONE
        if is_alone and expression is not whole:
            yield _message(expression, "a collective is the whole value of an assignment")


def _of_loops(body: tuple[Statement, ...], *, in_loop: bool) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, Break | Continue) and not in_loop:
            yield _message(statement, "it stands in a loop")
        if isinstance(statement, For) and any(
            isinstance(s, Assign) and s.variable is statement.counter
            for s in walk.statements(statement.body)
        ):
            yield _message(statement, "its counter is not assigned in the body")
        inside = in_loop or isinstance(statement, For | While)
        for block in walk.blocks(statement):
            yield from _of_loops(block, in_loop=inside)


def _by_table(node: Expression | Statement, rules: dict[type, list[Rule]]) -> Iterator[str]:
    for _, rule, holds in rules.get(type(node), ()):
        if not holds(node):
            yield _message(node, rule)


def _message(node: Expression | Statement | Variable, rule: str) -> str:
    return f"{node.span.place}: {type(node).__name__} breaks the rule {rule!r}"
