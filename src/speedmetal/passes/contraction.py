"""Turns ``a * b + c`` into one operation with one rounding, ``fma``.

Compilers of GPUs do it on their own, each where it likes. Here it is done once, for all targets,
and their compilers are told not to; so all targets give the same bits.
"""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.common.records import replace
from speedmetal.intrinsics import TABLE
from speedmetal.ir import walk
from speedmetal.ir.nodes import Binary, Call, Expression, Function, Invoke, Kernel, Unary

_CONTRACTED = (dtypes.float32, dtypes.float64)


def contract(kernel: Kernel) -> Kernel:
    """The kernel and its functions with multiplications and additions fused."""
    functions: dict[Function, Function] = {}

    def change(expression: Expression) -> Expression:
        if isinstance(expression, Invoke):
            return replace(expression, function=functions[expression.function])
        return fuse_sum(expression)

    for function in kernel.functions:
        body = walk.rewrite_body(function.body, change)
        functions[function] = replace(function, body=body)
    body = walk.rewrite_body(kernel.body, change)
    return replace(kernel, body=body, functions=tuple(functions.values()))


def fuse_sum(node: Expression) -> Expression:
    """The fused operation, where the node is a sum with a product in it."""
    is_sum = isinstance(node, Binary) and node.operator in ("add", "subtract")
    if not is_sum or node.type not in _CONTRACTED:
        return node
    assert isinstance(node, Binary)
    subtracts = node.operator == "subtract"
    match node.left, node.right:
        case Binary("multiply", a, b), c:
            return _fma(node, a, b, _negate(c) if subtracts else c)
        case c, Binary("multiply", a, b):
            return _fma(node, _negate(a) if subtracts else a, b, c)
    return node


def _fma(node: Binary, *operands: Expression) -> Call:
    return Call(TABLE["fma"], operands, node.type, node.span)


def _negate(operand: Expression) -> Expression:
    assert isinstance(operand.type, dtypes.DType)
    return Unary("negate", operand, operand.type, operand.span)
