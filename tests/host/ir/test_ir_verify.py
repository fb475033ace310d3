"""Each rule of the IR is broken once, and is found; a kernel that breaks none passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.errors import InternalError
from speedmetal.intrinsics import TABLE
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import MatrixType, Space
from speedmetal.ir.verify import EXPRESSION_RULES, STATEMENT_RULES, broken_rules, verify
from speedmetal.source import NOWHERE

B = Builder("broken")
VECTOR = B.array("v", d.float32)
IMAGE = B.array("m", d.float32, rank=2)
COMPLEX = B.array("z", d.complex64)
COUNTS = B.array("n", d.int32)
OWN = B.memory("own", d.int32, [4], Space.THREAD)
X = B.scalar("x", d.float32)
K = B.scalar("k", d.int32)
FUNCTION = B.function("half", [B.variable("h", d.float32)], [B.leave(0.5)])
x, k, one, yes = (B.value(v) for v in (X, K, 1, True))
load = B.load(VECTOR, k)


def constant(value: object, dtype: d.DType) -> ir.Constant:
    return ir.Constant(value, dtype, NOWHERE)  # type: ignore[arg-type]


SHARED = B.memory("tile", d.float32, [8], Space.THREADGROUP)
matrix = ir.Call(TABLE["simdgroup_matrix_fill"], (x,), MatrixType(d.float32), NOWHERE)

BROKEN_EXPRESSIONS: dict[tuple[type, str], ir.Expression] = {
    (ir.Constant, "its value is one of its type"): constant(300, d.int8),
    (ir.Unary, "its operator exists"): ir.Unary("root", x, d.float32, NOWHERE),
    (ir.Unary, "its operand has its type"): ir.Unary("negate", x, d.float64, NOWHERE),
    (ir.Unary, "only booleans are denied"): ir.Unary("not", k, d.int32, NOWHERE),
    (ir.Unary, "only integers are inverted"): ir.Unary("invert", x, d.float32, NOWHERE),
    (ir.Binary, "its operator exists"): ir.Binary("plus", k, k, d.int32, NOWHERE),
    (ir.Binary, "its operands have its type"): ir.Binary("add", k, x, d.int32, NOWHERE),
    (ir.Binary, "its type has the operator"): ir.Binary("divide", k, k, d.int32, NOWHERE),
    (ir.Compare, "its operator exists"): ir.Compare("near", k, k, d.bool_, NOWHERE),
    (ir.Compare, "its operands have one type"): ir.Compare("lt", k, x, d.bool_, NOWHERE),
    (ir.Compare, "it is a boolean"): ir.Compare("lt", k, k, d.int32, NOWHERE),
    (ir.Logical, "its operands are booleans"): ir.Logical("and", yes, k, d.bool_, NOWHERE),
    (ir.Logical, "its right operand is safe to evaluate"): B.logical(
        "and", yes, B.compare("lt", load, 0.0)
    ),
    (ir.Select, "its condition is a boolean"): ir.Select(k, x, x, d.float32, NOWHERE),
    (ir.Select, "its values have its type"): ir.Select(yes, x, k, d.float32, NOWHERE),
    (ir.Select, "its values are safe to evaluate"): B.select(yes, load, x),
    (ir.Convert, "it is between scalars"): ir.Convert(matrix, d.float32, NOWHERE),
    (ir.Convert, "complex numbers are two floats"): B.convert(x, d.complex64),
    (ir.Bitcast, "the types have one size"): B.bitcast(x, d.int64),
    (ir.Load, "it has an integer for each axis"): ir.Load(IMAGE, (k,), d.float32, NOWHERE),
    (ir.Load, "it has the element's type"): ir.Load(VECTOR, (k,), d.float64, NOWHERE),
    (ir.Load, "a complex number's part is named"): ir.Load(COMPLEX, (k,), d.complex64, NOWHERE),
    (ir.Extent, "the array has the axis"): B.extent(VECTOR, 1),
    (ir.Call, "it has the intrinsic's operands"): ir.Call(
        TABLE["sqrt"], (x, x), d.float32, NOWHERE
    ),
    (ir.Call, "matrices fit together"): ir.Call(
        TABLE["simdgroup_multiply"],
        (matrix, matrix),
        MatrixType(d.float32, 16, 8),
        NOWHERE,
    ),
    (ir.Invoke, "it has the function's parameters"): ir.Invoke(FUNCTION, (k,), NOWHERE),
    (ir.MatrixLoad, "the array has two axes or more"): B.matrix_load(VECTOR, k),
    (ir.MatrixLoad, "it is a matrix of the element's type"): ir.MatrixLoad(
        IMAGE, (k, k), transpose=False, type=MatrixType(d.float16), span=NOWHERE
    ),
}

COUNTER = B.variable("c", d.int32)
BROKEN_STATEMENTS: dict[tuple[type, str], ir.Statement] = {
    (ir.Assign, "the value has the variable's type"): ir.Assign(X, k, NOWHERE),
    (ir.Store, "it has an integer for each axis"): ir.Store(VECTOR, (x,), x, NOWHERE),
    (ir.Store, "the value has the element's type"): ir.Store(VECTOR, (k,), k, NOWHERE),
    (ir.Store, "a complex number's part is named"): ir.Store(VECTOR, (k,), x, NOWHERE, 1),
    (ir.MatrixStore, "the array has two axes or more"): ir.MatrixStore(VECTOR, (k,), x, NOWHERE),
    (ir.MatrixStore, "the value is a matrix of the element's type"): ir.MatrixStore(
        IMAGE, (k, k), x, NOWHERE
    ),
    (ir.If, "its condition is a boolean"): ir.If(k, (), (), NOWHERE),
    (ir.While, "its condition is a boolean"): ir.While(x, (), NOWHERE),
    (ir.For, "its bounds have the counter's type"): ir.For(COUNTER, one, x, one, (), NOWHERE),
    (ir.For, "its step is not 0"): B.loop(COUNTER, 0, 4, 0, []),
    (ir.Barrier, "its scope exists"): B.barrier("grid"),
    (ir.AsyncCopy, "it has an integer for each axis"): ir.AsyncCopy(
        SHARED, (k,), IMAGE, (k,), 1, NOWHERE
    ),
    (ir.AsyncCopy, "it goes into threadgroup memory"): ir.AsyncCopy(
        VECTOR, (k,), VECTOR, (k,), 1, NOWHERE
    ),
    (ir.AsyncCopy, "it comes from device memory"): ir.AsyncCopy(
        SHARED, (k,), SHARED, (k,), 1, NOWHERE
    ),
    (ir.AsyncCopy, "both arrays have elements of one type"): ir.AsyncCopy(
        SHARED, (k,), COUNTS, (k,), 1, NOWHERE
    ),
    (ir.AsyncWait, "it counts groups"): ir.AsyncWait(-1, NOWHERE),
    (ir.Atomic, "its operation exists"): ir.Atomic("pow", COUNTS, (k,), (), None, NOWHERE),
    (ir.Atomic, "it has its operands"): B.atomic("add", COUNTS, [k]),
    (ir.Atomic, "it has an integer for each axis"): B.atomic("add", COUNTS, [k, k], 1),
    (ir.Atomic, "the operands have the element's type"): ir.Atomic(
        "add", COUNTS, (k,), (x,), None, NOWHERE
    ),
    (ir.Atomic, "the result has the element's type"): B.atomic("load", COUNTS, [k], result=X),
    (ir.Atomic, "no other thread sees a thread's array"): B.atomic("add", OWN, [k], 1),
    (ir.Print, "each place has a value"): ir.Print((None,), (), NOWHERE),
    (ir.Assert, "its condition is a boolean"): B.check(k, "k"),
}


def with_body(*body: ir.Statement) -> ir.Kernel:
    return replace(B.kernel(), body=body)


def with_expression(expression: ir.Expression) -> ir.Kernel:
    variable = ir.Variable("result", expression.type, NOWHERE)
    return with_body(ir.Assign(variable, expression, NOWHERE))


@pytest.mark.parametrize("rule", EXPRESSION_RULES, ids=lambda r: f"{r[0].__name__}: {r[1]}")
def test_each_rule_of_expressions_is_enforced(rule):
    kernel = with_expression(BROKEN_EXPRESSIONS[rule[:2]])
    assert any(repr(rule[1]) in message for message in broken_rules(kernel))


@pytest.mark.parametrize("rule", STATEMENT_RULES, ids=lambda r: f"{r[0].__name__}: {r[1]}")
def test_each_rule_of_statements_is_enforced(rule):
    kernel = with_body(BROKEN_STATEMENTS[rule[:2]])
    assert any(repr(rule[1]) in message for message in broken_rules(kernel))


WHOLE: dict[str, Callable[[], ir.Kernel]] = {
    "k is given a value": lambda: with_body(
        B.assign(B.variable("r", d.int32), ir.Read(B.variable("k", d.int32), NOWHERE))
    ),
    "a kernel returns nothing": lambda: with_body(B.leave(1)),
    "a function returns a value of its type": lambda: replace(
        with_body(), functions=(replace(FUNCTION, result=d.int32),)
    ),
    "a collective is the whole value of an assignment": lambda: with_expression(
        B.add(B.call("simd_sum", x), 1.0)
    ),
    "it stands in a loop": lambda: with_body(ir.If(yes, (ir.Break(NOWHERE),), (), NOWHERE)),
    "its counter is not assigned in the body": lambda: with_body(
        B.loop(COUNTER, 0, 4, 1, [B.assign(COUNTER, 2)])
    ),
    "two things are named 'x'": lambda: replace(
        with_body(), parameters=(X, B.variable("x", d.int32))
    ),
}


@pytest.mark.parametrize("message", WHOLE)
def test_rules_of_whole_kernels_are_enforced(message):
    assert any(message in found for found in broken_rules(WHOLE[message]()))


def test_a_right_kernel_breaks_no_rule():
    total = B.variable("total", d.float32)
    summed = B.variable("summed", d.float32)
    body = (
        B.assign(total, 0.0),
        B.loop(COUNTER, 0, K, 1, [
            B.when(B.compare("lt", B.load(VECTOR, COUNTER), 0.0), [ir.Continue(NOWHERE)]),
            B.assign(total, B.add(total, B.load(VECTOR, COUNTER))),
        ]),
        B.assign(summed, B.call("simd_sum", total)),
        B.store(VECTOR, [0], B.invoke(FUNCTION, summed)),
        B.store(COMPLEX, [0], 1.0, part=1),
        B.leave(),
    )  # fmt: skip
    assert list(broken_rules(with_body(*body))) == []


def test_a_broken_rule_is_an_internal_error_that_names_stage_kernel_and_rule():
    kernel = with_body(ir.If(k, (), (), NOWHERE))
    with pytest.raises(InternalError) as caught:
        verify(kernel, "the front end")
    assert str(caught.value) == (
        "the front end made an invalid kernel 'broken': <speedmetal>:1:1: If breaks the rule"
        " 'its condition is a boolean'"
    )
