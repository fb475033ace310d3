"""Printed expressions mean what the IR means, with parentheses only where they are needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ir_builder import Builder
from nvrtc import needs_nvrtc
from speedmetal import dtypes as d
from speedmetal.backends.c_family.expressions import ExpressionPrinter
from speedmetal.backends.c_family.operators import Text
from speedmetal.backends.cuda.codegen.printer import CudaPrinter
from speedmetal.backends.cuda.nvrtc import compile_ptx
from speedmetal.backends.metal.codegen.printer import MetalPrinter
from speedmetal.ir import nodes as ir

B = Builder("k")
X, Y = B.array("x", d.float32, rank=2), B.array("y", d.int32, unit_axis=None)
K, J = (B.variable(name, d.int32) for name in "ij")
F, G = (B.variable(name, d.float32) for name in "fg")
M, N = (B.variable(name, d.uint32) for name in "mn")
W, L = B.variable("w", d.uint16), B.variable("l", d.int64)
LANE = B.position("thread_index_in_simdgroup", None)
U, V = (B.variable(name, d.uint8) for name in "uv")
P, Q = (B.variable(name, d.bool_) for name in "pq")


def metal(expression: ir.Expression) -> str:
    return MetalPrinter(B.kernel()).expression_text(expression)


def cuda(expression: ir.Expression) -> str:
    return CudaPrinter(B.kernel()).expression_text(expression)


CASES = [
    (B.add(B.multiply(M, N), 1), "m * n + 1u"),
    (B.multiply(B.add(M, N), 2), "(m + n) * 2u"),
    (B.binary("subtract", M, B.binary("subtract", N, 1)), "m - (n - 1u)"),
    (B.binary("subtract", B.binary("subtract", M, N), 1), "m - n - 1u"),
    (B.add(B.multiply(K, J), 1), "int(uint(i) * uint(j) + 1u)"),
    (B.multiply(B.add(K, J), -2), "int((uint(i) + uint(j)) * uint(-2))"),
    (B.add(K, -(2**31)), "int(uint(i) + 2147483648u)"),
    (B.binary("subtract", K, B.binary("subtract", J, 1)), "int(uint(i) - (uint(j) - 1u))"),
    (B.unary("negate", K), "int(-uint(i))"),
    (B.unary("negate", B.unary("negate", K)), "int(-(-uint(i)))"),
    (B.unary("negate", B.convert(M, d.int32)), "int(-m)"),
    (B.add(B.convert(M, d.int32), B.bitcast(F, d.int32)), "int(m + as_type<uint>(f))"),
    (B.add(B.binary("shift_left", K, 5), K), "int((uint(i) << 5) + uint(i))"),
    (B.add(B.binary("bit_and", K, 255), 1), "(i & 255) + 1"),
    (B.multiply(B.binary("shift_right", K, 8), 256), "(i >> 8) * 256"),
    (B.multiply(B.binary("shift_right", K, 8), 257), "int(uint(i >> 8) * 257u)"),
    (B.multiply(W, W), "ushort(uint(w) * uint(w))"),
    (B.multiply(B.multiply(W, W), W), "ushort(uint(w) * uint(w) * uint(w))"),
    (B.add(B.multiply(W, 3), W), "ushort(ushort(w * 3) + w)"),
    (B.multiply(L, 3), "long(ulong(l) * 3ul)"),
    (B.unary("negate", B.unary("negate", F)), "-(-f)"),
    (B.unary("negate", B.add(F, 1.0)), "-(f + 1.0f)"),
    (B.binary("bit_and", K, B.binary("bit_or", J, 1)), "i & (j | 1)"),
    (B.compare("eq", B.binary("bit_and", K, 1), 0), "(i & 1) == 0"),
    (B.binary("floor_divide", K, 8), "i >> 3"),
    (B.binary("remainder", K, 8), "i & 7"),
    (B.binary("floor_divide", K, 3), "floor_divide(i, 3)"),
    (B.binary("shift_right", K, 2), "i >> 2"),
    (B.binary("shift_left", K, 2), "int(uint(i) << 2)"),
    (B.binary("shift_left", K, J), "shift_left(i, j)"),
    (B.add(U, V), "uchar(u + v)"),
    (B.add(U, 3), "uchar(u + 3)"),
    (B.convert(F, d.int32), "saturating_int32(f)"),
    (B.convert(K, d.uint8), "uchar(i)"),
    (B.convert(F, d.bool_), "f != 0.0f"),
    (B.convert(K, d.float16), "half(float(i))"),
    (B.bitcast(F, d.uint32), "as_type<uint>(f)"),
    (B.select(P, K, J), "p ? i : j"),
    (B.add(B.select(P, M, N), 1), "(p ? m : n) + 1u"),
    (B.logical("or", P, B.logical("and", Q, P)), "p || (q && p)"),
    (B.logical("and", B.logical("and", P, Q), B.unary("not", Q)), "p && q && !q"),
    (B.unary("not", B.compare("lt", F, G)), "!(f < g)"),
    (
        B.load(X, B.add(LANE, 1), J),
        "x[(int(thread_index_in_simdgroup) + 1) * arguments.x_stride0 + j]",
    ),
    (B.load(X, 0, J), "x[j]"),
    (B.load(X, 0, 0), "x[0]"),
    (B.load(Y, K), "y[i * arguments.y_stride0]"),
    (B.call("sin", F), "precise::sin(f)"),
    (B.call("minimum", F, G), "minimum(f, g)"),
    (B.call("abs", F), "fabs(f)"),
    (B.value(-(2**31)), "(-2147483647 - 1)"),
    (B.value(0.1), "0.1f"),
    (B.value(1e10), "1e+10f"),
    (B.value(0.1, d.float16), "half(0.099975586f)"),
    (B.value(float("-inf")), "-INFINITY"),
    (B.add(F, B.value(float("nan"))), "f + NAN"),
]


@pytest.mark.parametrize(("expression", "text"), CASES, ids=[text for _, text in CASES])
def test_text_for_metal(expression, text):
    assert metal(expression) == text


def test_words_that_cuda_has_of_its_own():
    assert cuda(B.convert(F, d.int32)) == "__float2int_rz(f)"
    assert cuda(B.value(float("-inf"))) == "-__int_as_float(0x7f800000)"
    assert cuda(B.value(7, d.uint64)) == "7ull"
    assert cuda(B.convert(K, d.int8)) == "int8(i)"
    assert cuda(B.call("clz", K)) == "__clz(i)"


def test_operands_of_a_format_have_parentheses_only_where_it_has_none():
    printer = CudaPrinter(B.kernel())
    operands = (B.add(M, 1), B.value(M))
    formatted = printer._fill_format("({0} * {1}) >> 8", d.uint32, operands)
    assert formatted == Text("((m + 1u) * m) >> 8", 0)
    assert printer._fill_format("f({0}, {1})", d.uint32, operands).text == "f(m + 1u, m)"


def test_narrow_floats_go_by_way_of_float():
    half = B.variable("h", d.float16)
    assert metal(B.convert(half, d.bfloat16)) == "bfloat(float(h))"
    assert metal(B.convert(half, d.int32)) == "saturating_int32(float(h))"
    assert metal(B.convert(half, d.float32)) == "float(h)"


# --- The law: what the compiler computes is what the IR says ------------------------------------


def wrapped(value: int) -> int:
    """What is left of an integer in 32 bits."""
    return (value + 2**31) % 2**32 - 2**31


INFIX = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "bit_and": lambda a, b: a & b,
    "bit_or": lambda a, b: a | b,
    "bit_xor": lambda a, b: a ^ b,
}
COMPARE = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "ge": lambda a, b: a >= b,
}


def numbers(inner: st.SearchStrategy) -> st.SearchStrategy:
    """Expressions of int32, of a pair of an expression and its value."""

    def binary(operator, a, b):
        return B.binary(operator, a[0], b[0]), wrapped(INFIX[operator](a[1], b[1]))

    def unary(operator, a):
        return B.unary(operator, a[0]), wrapped(-a[1] if operator == "negate" else ~a[1])

    def shift(operator, a, count):
        value = a[1] >> count if operator == "shift_right" else a[1] << count
        return B.binary(operator, a[0], count), wrapped(value)

    def select(compare, a, b, c):
        chosen = b if COMPARE[compare](a[1], c[1]) else c
        return B.select(B.compare(compare, a[0], c[0]), b[0], c[0]), chosen[1]

    def divide(a, divisor):
        return B.binary("floor_divide", a[0], divisor), a[1] // divisor

    return st.one_of(
        st.builds(binary, st.sampled_from(list(INFIX)), inner, inner),
        st.builds(unary, st.sampled_from(["negate", "invert"]), inner),
        st.builds(shift, st.sampled_from(["shift_left", "shift_right"]), inner, st.integers(0, 31)),
        st.builds(divide, inner, st.sampled_from([1, 2, 16])),
        st.builds(select, st.sampled_from(list(COMPARE)), inner, inner, inner),
    )


EDGES = st.sampled_from([2**31 - 1, -(2**31), 2**30, 46341, -(2**31) + 1])
LEAF = st.one_of(st.integers(-9, 9), EDGES).map(lambda n: (B.value(n), n))


@needs_nvrtc
@given(st.recursive(LEAF, numbers, max_leaves=12))
def test_the_compiler_reads_the_same_expression(case):
    """No part may overflow either: that would be no constant of C++."""
    expression, value = case
    shown = value if value > -(2**31) else "-2147483647 - 1"
    law = f'static_assert(({cuda(expression)}) == ({shown}), "");'
    compile_ptx(f"typedef unsigned int uint32;\n{law}", "compute_80")


def test_the_printer_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        ExpressionPrinter(None, B.kernel())
