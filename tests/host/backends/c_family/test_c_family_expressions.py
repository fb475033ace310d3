"""Printed expressions mean what the IR means, with parentheses only where they are needed."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.c_family.expressions import ExpressionPrinter, Text
from speedmetal.backends.cuda.build import compile_ptx, is_available
from speedmetal.backends.cuda.printer import CudaPrinter
from speedmetal.backends.metal.printer import MetalPrinter
from speedmetal.ir import nodes as ir

B = Builder("k")
X, Y = B.array("x", d.float32, rank=2), B.array("y", d.int32, unit_axis=None)
K, J = (B.variable(name, d.int32) for name in "ij")
F, G = (B.variable(name, d.float32) for name in "fg")
U, V = (B.variable(name, d.uint8) for name in "uv")
P, Q = (B.variable(name, d.bool_) for name in "pq")


def metal(expression: ir.Expression) -> str:
    return MetalPrinter(B.kernel()).whole(expression)


def cuda(expression: ir.Expression) -> str:
    return CudaPrinter(B.kernel()).whole(expression)


CASES = [
    (B.add(B.multiply(K, J), 1), "i * j + 1"),
    (B.multiply(B.add(K, J), 2), "(i + j) * 2"),
    (B.binary("subtract", K, B.binary("subtract", J, 1)), "i - (j - 1)"),
    (B.binary("subtract", B.binary("subtract", K, J), 1), "i - j - 1"),
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
    (B.add(B.select(P, K, J), 1), "(p ? i : j) + 1"),
    (B.logical("or", P, B.logical("and", Q, P)), "p || (q && p)"),
    (B.logical("and", B.logical("and", P, Q), B.unary("not", Q)), "p && q && !q"),
    (B.unary("not", B.compare("lt", F, G)), "!(f < g)"),
    (B.load(X, B.add(K, 1), J), "x[(i + 1) * arguments.x_stride0 + j]"),
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
    operands = (B.add(K, 1), B.value(K))
    formatted = printer._formatted("({0} * {1}) >> 8", d.int32, operands)
    assert formatted == Text("((i + 1) * i) >> 8", 0)
    assert printer._formatted("f({0}, {1})", d.int32, operands).text == "f(i + 1, i)"


def test_narrow_floats_go_by_way_of_float():
    half = B.variable("h", d.float16)
    assert metal(B.convert(half, d.bfloat16)) == "bfloat(float(h))"
    assert metal(B.convert(half, d.int32)) == "saturating_int32(float(h))"
    assert metal(B.convert(half, d.float32)) == "float(h)"


# --- The law: what the compiler computes is what the IR says ------------------------------------

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
        return B.binary(operator, a[0], b[0]), INFIX[operator](a[1], b[1])

    def unary(operator, a):
        return B.unary(operator, a[0]), -a[1] if operator == "negate" else ~a[1]

    def shift(a, count):
        return B.binary("shift_right", a[0], count), a[1] >> count

    def select(compare, a, b, c):
        chosen = b if COMPARE[compare](a[1], c[1]) else c
        return B.select(B.compare(compare, a[0], c[0]), b[0], c[0]), chosen[1]

    def divide(a, divisor):
        return B.binary("floor_divide", a[0], divisor), a[1] // divisor

    return st.one_of(
        st.builds(binary, st.sampled_from(list(INFIX)), inner, inner),
        st.builds(unary, st.sampled_from(["negate", "invert"]), inner),
        st.builds(shift, inner, st.integers(0, 4)),
        st.builds(divide, inner, st.sampled_from([1, 2, 16])),
        st.builds(select, st.sampled_from(list(COMPARE)), inner, inner, inner),
    )


LEAF = st.integers(-9, 9).map(lambda n: (B.value(n), n))


@pytest.mark.skipif(not is_available(), reason="NVRTC is not installed")
@given(st.recursive(LEAF, numbers, max_leaves=12))
def test_the_compiler_reads_the_same_expression(case):
    expression, value = case
    assume(abs(value) < 2**31)
    text = cuda(expression)
    assume(all(abs(part) < 2**31 for part in _parts(expression)))
    compile_ptx(f'static_assert(({text}) == {value}, "");', "compute_80")


def _parts(expression: ir.Expression) -> list[int]:
    """The values of all parts: none may overflow, which C++ leaves undefined."""
    match expression:
        case ir.Constant(value=value):
            return [value]
        case ir.Unary(operator=operator, operand=operand):
            inner = _parts(operand)
            return [-inner[0] if operator == "negate" else ~inner[0], *inner]
        case ir.Binary(operator=operator, left=left, right=right):
            a, b = _parts(left), _parts(right)
            known = INFIX | {
                "shift_right": lambda x, n: x >> n,
                "floor_divide": lambda x, n: x // n,
            }
            return [known[operator](a[0], b[0]), *a, *b]
        case ir.Select(condition=condition, when_true=true, when_false=false):
            a, b = _parts(true), _parts(false)
            left, right = _parts(condition.left), _parts(condition.right)
            chosen = a if COMPARE[condition.operator](left[0], right[0]) else b
            return [chosen[0], *a, *b, *left, *right]
    raise AssertionError(expression)


def test_the_printer_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        ExpressionPrinter(None, d.int32)
