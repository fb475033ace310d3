"""Expressions as arguments: kernels that were written for arrays read them, on every device."""

from __future__ import annotations

import math
import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lacking import skip_where_lacking

import speedmetal as sm
from speedmetal.dtypes import COMPLEX
from speedmetal.launch.expressions import Expression, Followed, combine, of_array
from tiers import examples

# --- Kernels, as they are written for arrays ---------------------------------------------------


@sm.kernel
def evaluate_0(x, out):
    out[()] = x[()]


@sm.kernel
def evaluate_1(x, out):
    i = sm.thread_position_in_grid().x
    out[i] = x[i]


@sm.kernel
def evaluate_2(x, out):
    p = sm.thread_position_in_grid()
    out[p.y, p.x] = x[p.y, p.x]


@sm.kernel
def evaluate_3(x, out):
    p = sm.thread_position_in_grid()
    out[p.z, p.y, p.x] = x[p.z, p.y, p.x]


EVALUATE = (evaluate_0, evaluate_1, evaluate_2, evaluate_3)


@sm.kernel
def sum_rows(x, out):
    lane = sm.thread_position_in_grid().x
    row = sm.thread_position_in_grid().y
    total = x.dtype(0)
    for j in range(lane, x.shape[1], 32):
        total += x[row, j]
    total = sm.simd_sum(total)
    if lane == 0:
        out[row] = total


@sm.kernel
def sum_columns(x, out):
    j = sm.thread_position_in_grid().x
    total = x.dtype(0)
    for i in range(len(x)):
        total += x[i][j]
    out[j] = total


@sm.kernel
def softmax_rows(x, out):
    row = sm.threadgroup_position_in_grid().y
    lane = sm.thread_index_in_threadgroup()
    largest = x.dtype(-math.inf)
    for j in range(lane, x.shape[1], 32):
        largest = max(largest, x[row, j])
    largest = sm.simd_max(largest)
    total = x.dtype(0)
    for j in range(lane, x.shape[1], 32):
        total += sm.exp(x[row, j] - largest)
    total = sm.simd_sum(total)
    for j in range(lane, x.shape[1], 32):
        out[row, j] = sm.exp(x[row, j] - largest) / total


@sm.kernel
def argmax_rows(x, out):
    row = sm.thread_position_in_grid().x
    best, place = x[row, 0], 0
    for j in range(1, x.shape[1]):
        if x[row, j] > best:
            best, place = x[row, j], j
    out[row] = place


@sm.kernel
def facts(x, out):
    out[0] = x.size
    out[1] = x.shape[0]
    out[2] = x.shape[1]
    out[3] = x.ndim
    out[4] = len(x)
    out[5] = 1 if x.dtype == sm.float32 else 0
    out[6] = int(x[-1, -1])


def evaluated(x: Any, device: Any) -> Any:
    """The array that an expression or an array is, made by one of the kernels above."""
    shape = x.shape
    dtype = x.dtype if isinstance(x, Expression) else x.layout.dtype
    out = sm.zeros(shape, dtype, device=device)
    EVALUATE[len(shape)](x, out, grid=tuple(reversed(shape)) or 1)
    return out


def finished(kernel: sm.Kernel, *arguments: Any, **options: Any) -> None:
    """Launch, and wait for what the threads report."""
    kernel(*arguments, **options)
    sm.synchronize()


def arrays(device: Any, *shapes: tuple[int, ...], dtype: Any = np.float32) -> list[Any]:
    random = np.random.default_rng(1)
    return [
        sm.array(random.standard_normal(shape).astype(dtype), device=device) for shape in shapes
    ]


# --- The same kernels ----------------------------------------------------------------------------


def test_kernels_of_arrays_take_expressions(device):
    a, b = arrays(device, (5, 70), (70,))
    x = combine("multiply", combine("add", a, b), 1.5)
    host = (a.numpy() + b.numpy()) * np.float32(1.5)
    for given_x in (x, evaluated(x, device)):
        rows, columns = sm.zeros(5, device=device), sm.zeros(70, device=device)
        soft, place = sm.zeros((5, 70), device=device), sm.zeros(5, sm.int32, device=device)
        sum_rows(given_x, rows, grid=(32, 5), threads=(32, 1))
        sum_columns(given_x, columns, grid=70)
        softmax_rows(given_x, soft, groups=(1, 5), threads=(32, 1))
        argmax_rows(given_x, place, grid=5)
        np.testing.assert_allclose(rows.numpy(), host.sum(1), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(columns.numpy(), host.sum(0), rtol=1e-5, atol=1e-5)
        powers = np.exp(host - host.max(1, keepdims=True))
        np.testing.assert_allclose(soft.numpy(), powers / powers.sum(1, keepdims=True), rtol=1e-5)
        np.testing.assert_array_equal(place.numpy(), host.argmax(1))


def test_what_kernels_ask_of_arrays(device):
    a, b = arrays(device, (3, 1), (1, 4))
    out = sm.zeros(7, sm.int32, device=device)
    facts(combine("add", combine("multiply", a, 0), combine("multiply", b, 0)), out, grid=1)
    assert out.tolist() == [12, 3, 4, 2, 3, 1, 0]


def test_inside_tuples_beside_numbers(device):
    @sm.kernel
    def weighted(pair, scale, out):
        i = sm.thread_position_in_grid().x
        out[i] = (pair[0][i] + pair[1][i]) * scale

    a, b = arrays(device, (6,), (6,))
    out = sm.zeros(6, device=device)
    weighted((combine("negate", a), combine("add", b, 1)), 0.5, out, grid=6)
    want = (-a.numpy() + (b.numpy() + np.float32(1))) * np.float32(0.5)
    np.testing.assert_array_equal(out.numpy(), want)


def test_an_array_may_be_read_and_written_beside_an_expression_of_it(device):
    (a,) = arrays(device, (8,))
    want = a.numpy() * 2 + 1
    evaluate_1(combine("add", combine("multiply", a, 2), 1), a, grid=8)
    np.testing.assert_array_equal(a.numpy(), want)


# --- Axes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shapes",
    [
        [(), ()],
        [(4,), ()],
        [(3, 4), (4,)],
        [(3, 1), (1, 4)],
        [(2, 1, 4), (3, 1)],
        [(1, 4), (1,)],
        [(1, 1), (1,)],
        [(0, 4), (1, 4)],
        [(2, 3, 1), (2, 3, 1)],
    ],
    ids=str,
)
def test_broadcasting(device, shapes):
    a, b = arrays(device, *shapes)
    x = combine("subtract", a, b)
    np.testing.assert_array_equal(evaluated(x, device).numpy(), a.numpy() - b.numpy())


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[::-1],
        lambda a: a[:, ::2],
        lambda a: a[1],
        lambda a: a[1:2],
        lambda a: a[None, :, 0],
        lambda a: a[:1].broadcast_to((6, 6)),
        lambda a: a[0, 0].broadcast_to((6, 6)),
    ],
)
def test_views_as_leaves(device, view):
    a, b = arrays(device, (6, 6), (6, 6))
    left, right = view(a), view(b.T)
    x = combine("maximum", combine("multiply", left, right), 0.25)
    want = np.maximum(left.numpy() * right.numpy(), np.float32(0.25))
    np.testing.assert_array_equal(evaluated(x, device).numpy(), want)


def test_an_axis_that_no_leaf_has_keeps_its_extent(device):
    (a,) = arrays(device, (4,))
    x = of_array(a.broadcast_to((3, 4)))
    np.testing.assert_array_equal(evaluated(x, device).numpy(), np.tile(a.numpy(), (3, 1)))
    point = a[1].broadcast_to((2, 3))
    y = combine("add", point, point)
    np.testing.assert_array_equal(evaluated(y, device).numpy(), np.full((2, 3), 2 * a.numpy()[1]))


def test_the_index_type_sees_the_size_of_the_expression(device):
    @sm.kernel
    def halves(x, out):
        out[0] = x.size // 65536
        out[1] = x.size % 65536

    a, b = arrays(device, (65536, 1), (1, 65537))
    out = sm.zeros(2, sm.int64, device=device)
    halves(combine("add", a, b), out, grid=1)
    assert out.tolist() == [65537, 0]


# --- Values --------------------------------------------------------------------------------------

BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "floor_divide": lambda a, b: a // b,
    "remainder": lambda a, b: a % b,
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("dtypes", ["f4 f4", "i4 f4", "i1 u1", "u2 f2", "? i4"])
def test_operations_are_those_of_kernels(device, name, dtypes):
    operation = BINARY[name]

    @sm.kernel
    def directly(a, b, out):
        i = sm.thread_position_in_grid().x
        out[i] = operation(a[i], b[i])

    random = np.random.default_rng(2)
    a, b = (
        sm.array(random.integers(1, 9, 40).astype(dtype), device=device) for dtype in dtypes.split()
    )
    x = combine(name, a, b)
    out = sm.zeros(40, x.dtype, device=device)
    directly(a, b, out, grid=40)
    np.testing.assert_array_equal(evaluated(x, device).numpy(), out.numpy())


def test_choices_and_conversions(device):
    a, b = arrays(device, (30,), (30,))
    positive = combine("gt", a, 0)
    x = combine("where", positive, combine("sqrt", combine("abs", a)), combine("invert", positive))
    assert x.dtype is sm.float32
    want = np.where(a.numpy() > 0, np.sqrt(np.abs(a.numpy())), ~(a.numpy() > 0))
    np.testing.assert_array_equal(evaluated(x, device).numpy(), want)
    y = combine("multiply", b, 10).astype(sm.int8)
    want = (b.numpy() * np.float32(10)).astype(np.int8)
    np.testing.assert_array_equal(evaluated(y, device).numpy(), want)


@pytest.mark.parametrize("dtype", COMPLEX, ids=str)
def test_complex_numbers(device, dtype):
    skip_where_lacking(device, dtype)
    random = np.random.default_rng(3)
    host = (random.standard_normal(9) + 1j * random.standard_normal(9)).astype(dtype.numpy)
    z = sm.array(host, device=device)
    x = combine("multiply", combine("add", z, 2.1 - 1j), z)
    assert x.dtype is dtype
    near = 8 * np.finfo(dtype.numpy).eps
    wanted = (host.astype(complex) + (2.1 - 1j)) * host
    np.testing.assert_allclose(evaluated(x, device).numpy(), wanted, rtol=near)
    y = combine("add", combine("abs", z), 0.5)
    assert y.dtype is dtype.part
    np.testing.assert_allclose(evaluated(y, device).numpy(), np.abs(host) + 0.5, rtol=near)
    half = combine("divide", z.astype(sm.complex64), sm.full(9, 2, dtype.part, device=device))
    assert half.dtype is dtype
    np.testing.assert_allclose(evaluated(half, device).numpy(), host.astype(np.complex64) / 2)


@pytest.mark.parametrize("dtype", COMPLEX, ids=str)
def test_functions_and_conversions_of_complex_numbers(device, dtype):
    """Of a complex number another type takes the real part, as arrays convert."""
    skip_where_lacking(device, dtype)
    host = np.array([0.5 - 1j, 0, 2j, -3 + 0.25j], dtype.numpy)
    z = sm.array(host, device=device)
    twice = combine("multiply", z, 2)
    for found, wanted in (
        (combine("sin", combine("exp", z)), np.sin(np.exp(host))),
        (combine("abs", combine("exp", z)), np.abs(np.exp(host))),
        (twice.astype(sm.float32), (2 * host).real.astype(np.float32)),
        (twice.astype(sm.int8), (2 * host).real.astype(np.int8)),
        (twice.astype(sm.bool_), host != 0),
        (twice.astype(sm.complex64), 2 * host.astype(np.complex64)),
    ):
        assert found.dtype == wanted.dtype
        near = 8 * np.finfo(dtype.numpy).eps
        np.testing.assert_allclose(evaluated(found, device).numpy(), wanted, rtol=near)


def test_numbers_are_rounded_once_when_the_node_is_built(device):
    host = np.arange(1, 50).astype(ml_dtypes.bfloat16)
    x = combine("multiply", sm.array(host, device=device), 0.1)
    assert x.dtype is sm.bfloat16
    want = host * ml_dtypes.bfloat16(0.1)
    np.testing.assert_array_equal(evaluated(x, device).numpy(), want)
    half = sm.array(np.ones(2, np.float16), device=device)
    np.testing.assert_array_equal(
        evaluated(combine("add", half, 1e9), device).numpy(), np.full(2, np.inf, np.float16)
    )


def test_a_value_that_is_used_again_and_again_is_computed_once(device):
    a = sm.array(np.ones(3, np.float32), device=device)
    x = of_array(a)
    for _ in range(40):
        x = combine("multiply", x, x)
    assert len(x.leaves) == 1
    assert evaluated(x, device).tolist() == [1, 1, 1]


def test_a_chain_of_four_hundred(device):
    a = sm.array(np.zeros(3, np.float32), device=device)
    one = sm.array(np.ones(3, np.float32), device=device)
    x = of_array(a)
    for _ in range(400):
        x = combine("add", x, one)
    assert evaluated(x, device).tolist() == [400, 400, 400]


# --- Fused and unfused ---------------------------------------------------------------------------

OPERATIONS = {"add": 2, "subtract": 2, "multiply": 2, "maximum": 2, "negate": 1, "fma": 3, "sin": 1}


@st.composite
def trees(draw, depth=0):
    """A nested tuple: an operation and its operands; integers are leaves, floats numbers."""
    if depth == 4 or draw(st.integers(0, 3)) == 0:
        return draw(st.integers(0, 2))
    name = draw(st.sampled_from(sorted(OPERATIONS)))
    operands = [draw(trees(depth=depth + 1)) for _ in range(OPERATIONS[name])]
    if len(operands) == 2 and draw(st.booleans()):
        operands[1] = draw(st.floats(-4, 4, width=16))
    return (name, *operands)


def together(tree, leaves):
    """The expression of a tree."""
    if not isinstance(tree, tuple):
        return leaves[tree] if isinstance(tree, int) else tree
    return combine(tree[0], *(together(operand, leaves) for operand in tree[1:]))


def one_by_one(tree, leaves, device):
    """The array of a tree, each node of which is stored."""
    if not isinstance(tree, tuple):
        return leaves[tree] if isinstance(tree, int) else tree
    operands = [one_by_one(operand, leaves, device) for operand in tree[1:]]
    return evaluated(combine(tree[0], *operands), device)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_fused_and_unfused_agree_bit_for_bit(device, dtype):
    leaves = arrays(device, (33,), (33,), (1,), dtype=dtype)

    @settings(max_examples=examples(12), deadline=None, derandomize=True)
    @given(trees())
    def law(tree):
        x = together(tree, leaves)
        at_once = evaluated(of_array(x) if not isinstance(x, Expression) else x, device)
        stored = one_by_one(tree, leaves, device)
        bits = np.dtype(dtype).itemsize
        np.testing.assert_array_equal(
            at_once.numpy().view(f"u{bits}"), stored.numpy().view(f"u{bits}")
        )

    law()


def test_a_product_and_a_sum_of_two_nodes_are_rounded_twice(device):
    a = sm.array(np.full(4, 1 + 2**-12, np.float32), device=device)
    product = combine("multiply", a, a)
    x = combine("subtract", product, 1 + 2**-11)
    want = np.float32(np.float32((1 + 2**-12) ** 2) - np.float32(1 + 2**-11))
    assert evaluated(x, device).tolist() == [want] * 4 == [0.0] * 4


# --- Followers -----------------------------------------------------------------------------------


@sm.kernel
def multiply_2(x, y, out):
    p = sm.thread_position_in_grid()
    out[p.y, p.x] = x[p.y, p.x] * y[p.y, p.x]


@sm.kernel
def facts_of_target(out, found):
    found[0] = len(out)
    found[1] = out.shape[1]
    found[2] = 1 if out.dtype == sm.float32 else 0
    out[1, -1] = 2.5


def followed(hole: Any, computed: Expression, target: Any) -> Followed:
    """A target that gets an expression of ``hole``, which stands in it for what is stored."""
    place = next(k for k, leaf in enumerate(computed.leaves) if leaf is hole)
    others = tuple(leaf for leaf in computed.leaves if leaf is not hole)
    return Followed(computed.structure, place, others, target)


FOLLOWERS: list[tuple[str, str, Any]] = [
    ("float32", "float32", lambda h, b, c: combine("add", combine("multiply", h, b), c)),
    ("float32", "float32", lambda h, b, c: combine("subtract", combine("multiply", c, h), h)),
    ("float16", "float32", lambda h, b, c: combine("divide", h.astype(sm.float32), 3.0)),
    ("float32", "int32", lambda h, b, c: combine("multiply", h, 9.5).astype(sm.int32)),
    ("int32", "bool", lambda h, b, c: combine("lt", h, 1)),
    ("int32", "int32", lambda h, b, c: h),
    ("float32", "complex64", lambda h, b, c: combine("complex", combine("add", h, b), h)),
    ("complex64", "complex64", lambda h, b, c: combine("multiply", combine("conj", h), 2 - 1j)),
    ("complex64", "float32", lambda h, b, c: combine("add", combine("imag", h), b)),
]


@pytest.mark.parametrize("debug", [0, 2])
@pytest.mark.parametrize("number", range(len(FOLLOWERS)))
def test_what_follows_a_store_is_stored(device, number, debug):
    """Proves the same bits as of a target in memory, and of an expression of that."""
    stored, result, make = FOLLOWERS[number]
    x, y, between = arrays(device, *[(3, 40)] * 3, dtype=stored)
    b, c = arrays(device, (40,), (3, 1))
    apart, target = (sm.zeros((3, 40), result, device=device) for _ in range(2))
    computed = make(of_array(between), b, c)
    finished(multiply_2, x, y, followed(between, computed, target), grid=(40, 3), debug=debug)
    finished(multiply_2, x, y, between, grid=(40, 3))
    finished(evaluate_2, computed, apart, grid=(40, 3))
    assert target.numpy().tobytes() == apart.numpy().tobytes()


def test_a_target_with_a_follower_is_an_array_of_what_is_stored(device):
    (between,) = arrays(device, (3, 4))
    found, target = sm.zeros(3, sm.int32, device=device), sm.zeros((3, 4), sm.int32, device=device)
    computed = combine("multiply", between, 2.0).astype(sm.int32)
    facts_of_target(followed(between, computed, target), found, grid=1)
    assert found.tolist() == [3, 4, 1]
    assert target.tolist() == [[0] * 4, [0, 0, 0, 5], [0] * 4]


def test_a_target_with_a_follower_is_checked_like_any(device):
    x, between = arrays(device, (3, 4), (3, 4))
    target = followed(between, combine("negate", between), sm.zeros((3, 4), device=device))
    with pytest.raises(sm.KernelError, match="index out of bounds"):
        finished(evaluate_2, x, target, grid=(5, 3), debug=2)


# --- Faults --------------------------------------------------------------------------------------


@sm.kernel
def add_to(x, out):
    i = sm.thread_position_in_grid().x
    out[i] += x[i]


def test_a_target_with_a_follower_cannot_be_read(device):
    x, between = arrays(device, (4,), (4,))
    target = followed(between, combine("negate", between), sm.zeros(4, device=device))
    message = (
        "'out' was given with a follower, which is computed from each element that is stored and"
        " takes its place in memory: it can be stored to with [...] = ... alone"
    )
    with pytest.raises(sm.CompileError, match=re.escape(message)):
        add_to(x, target, grid=4)


def test_an_expression_has_no_memory_to_write_to(device):
    (a,) = arrays(device, (4,))

    @sm.kernel
    def add_one(x):
        sm.atomic_add(x, 0, 1)

    for kernel in (evaluate_1, add_one):
        arguments = (a, combine("negate", a)) if kernel is evaluate_1 else (combine("negate", a),)
        with pytest.raises(sm.CompileError, match="was given as an expression"):
            kernel(*arguments, grid=1)


def test_bounds_are_those_of_the_expression(device):
    a, b = arrays(device, (4, 1), (1, 3))
    x = combine("add", a, b)
    out = sm.zeros((4, 5), device=device)
    with pytest.raises(sm.KernelError, match="index out of bounds"):
        finished(evaluate_2, x, out, grid=(4, 4), debug=2)
    finished(evaluate_2, x, out, grid=(3, 4), debug=2)
    np.testing.assert_array_equal(out.numpy()[:, :3], a.numpy() + b.numpy())


def test_divisors_are_checked_in_expressions_too(device):
    a = sm.array(np.array([6, 5], np.int32), device=device)
    b = sm.array(np.array([3, 0], np.int32), device=device)
    out = sm.zeros(2, sm.int32, device=device)
    with pytest.raises(sm.KernelError, match="integer division by zero"):
        finished(evaluate_1, combine("floor_divide", a, b), out, grid=2, debug=1)


def test_leaves_on_another_device_are_refused(device):
    if device.name == "cpu":
        pytest.skip("the CPU is where the other arrays are")
    a = sm.zeros(3, device="cpu")
    x = combine("negate", a)
    with pytest.raises(sm.LaunchError, match="is an array on cpu"):
        evaluate_1(x, sm.zeros(3, device=device), grid=3, device=device)


def test_views_of_one_array_take_one_place(device):
    """Metal binds 29 buffers for arrays; a stencil of many points is one of them."""
    (a,) = arrays(device, (80,))
    out = sm.zeros(40, device=device)
    x = combine("multiply", a[0:40], 0.5)
    for start in range(1, 40):
        x = combine("add", x, a[start : start + 40])
    assert len(x.leaves) == 41
    evaluate_1(x, out, grid=40)
    want = a.numpy()[:40] * np.float32(0.5)
    for start in range(1, 40):
        want = want + a.numpy()[start : start + 40]
    np.testing.assert_array_equal(out.numpy(), want)


def test_many_arrays_and_views_share_where_they_may(device):
    host = np.arange(60, dtype=np.float32)
    a, b = sm.array(host, device=device), sm.array(host * 2, device=device)
    c = sm.array(host.astype(np.int16), device=device)
    out = sm.zeros(20, device=device)

    def value(many):
        x, want = combine("negate", a[40:]), -host[40:]
        for start in range(many):
            x = combine("add", x, b[start : start + 20])
            x = combine("add", x, c[2 * start : 2 * start + 20][::-1])
            want = want + host[start : start + 20] * 2
            want = want + host[2 * start : 2 * start + 20][::-1]
        return x, want

    for many in (3, 15):  # few and many leaves
        x, want = value(many)
        evaluate_1(x, out, grid=20)
        np.testing.assert_array_equal(out.numpy(), want)
    # The same form with other views: what lies in one piece of memory is another matter.
    parts = [sm.array(host[:20] + k, device=device) for k in range(13)]
    same = [a[k : k + 20] for k in range(13)]
    for leaves in (parts, same, [*parts[:6], *same[:7]]):
        x = of_array(leaves[0])
        want = leaves[0].numpy()
        for leaf in leaves[1:]:
            x, want = combine("add", x, leaf), want + leaf.numpy()
        evaluate_1(x, out, grid=20)
        np.testing.assert_array_equal(out.numpy(), want)
