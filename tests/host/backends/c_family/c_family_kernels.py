"""Kernels that together have every node of the IR, every type, and every intrinsic of printers."""

from __future__ import annotations

import itertools

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.dtypes import DType
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import MatrixType, Space

SCALARS = tuple(t for t in d.ALL if not t.is_complex)


def vector_add() -> ir.Kernel:
    b = Builder("vector_add")
    x, y, out = (b.array(name, d.float32) for name in "abc")
    n = b.scalar("n", d.int32)
    i = b.let("i", b.position("thread_position_in_grid"))
    sum_ = b.add(b.load(x, i), b.load(y, i))
    b.emit(b.when(b.compare("lt", i, n), [b.store(out, [i], sum_)]))
    return b.kernel()


def saxpy_strided() -> ir.Kernel:
    """Strides, a grid of 64-bit positions, a float16 scalar."""
    b = Builder("saxpy", index_type=d.int64)
    x = b.array("x", d.float16, rank=2, unit_axis=None)
    y = b.array("y", d.float16, rank=2, unit_axis=0)
    a = b.scalar("alpha", d.float16)
    b.scalar("flag", d.bool_)
    j = b.let("j", b.position("thread_position_in_grid", 0))
    i = b.let("i", b.position("thread_position_in_grid", 1))
    product = b.multiply(a, b.load(x, i, j))
    b.emit(b.store(y, [i, b.add(j, 1)], b.add(product, b.load(y, i, b.add(j, 1)))))
    return b.kernel()


def stencil() -> ir.Kernel:
    """A chain of conditions, a bound that is computed once, a loop with an early end."""
    b = Builder("stencil")
    x = b.array("x", d.float32, rank=2)
    out = b.array("out", d.float32, rank=2)
    column = b.let("column", b.position("thread_position_in_grid", 0))
    row = b.let("row", b.position("thread_position_in_grid", 1))
    outside = b.logical(
        "or",
        b.compare("ge", row, b.extent(x, 0)),
        b.logical("or", b.compare("ge", column, b.extent(x, 1)), b.compare("lt", column, 1)),
    )
    b.emit(b.when(outside, [b.leave()]))
    total, k = b.variable("total", d.float32), b.variable("k", d.int32)
    inside = b.logical(
        "and",
        b.compare("ge", b.add(column, k), 0),
        b.unary("not", b.compare("ge", b.add(column, k), b.extent(x, 1))),
    )
    b.emit(
        b.assign(total, 0.0),
        b.loop(
            k,
            -1,
            2,
            1,
            [
                b.when(b.unary("not", inside), [ir.Continue(b.kernel().span)]),
                b.assign(total, b.add(total, b.load(x, row, b.add(column, k)))),
                b.when(b.compare("gt", total, 1e30), [ir.Break(b.kernel().span)]),
            ],
        ),
        b.store(out, [row, column], b.binary("divide", total, 3.0)),
    )
    return b.kernel()


def reduction() -> ir.Kernel:
    """A grid-stride loop, a sum over the simdgroup and over the threadgroup, an atomic."""
    b = Builder("reduction")
    x, out = b.array("x", d.float32), b.array("out", d.float32)
    partial = b.memory("partial", d.float32, [32], Space.THREADGROUP)
    i, total = b.variable("i", d.int32), b.variable("total", d.float32)
    step = b.position("threads_per_grid")
    b.emit(
        b.assign(total, 0.0),
        b.loop(
            i,
            b.position("thread_position_in_grid"),
            b.extent(x),
            step,
            [b.assign(total, b.add(total, b.load(x, i)))],
        ),
    )
    lane = b.let("lane", b.call("thread_index_in_simdgroup"))
    group = b.let("group", b.call("simdgroup_index_in_threadgroup"))
    b.emit(b.assign(total, b.call("simd_sum", total)))
    b.emit(b.when(b.compare("eq", lane, 0), [b.store(partial, [group], total)]))
    b.emit(b.barrier("threadgroup", Space.THREADGROUP))
    count = b.call("simdgroups_per_threadgroup")
    first = b.when(b.compare("lt", lane, count), [b.assign(total, b.load(partial, lane))])
    whole = b.variable("whole", d.float32)
    add = b.when(b.compare("eq", lane, 0), [b.atomic("add", out, [0], whole)])
    b.emit(
        b.when(
            b.compare("eq", group, 0),
            [
                b.assign(total, 0.0),
                first,
                b.assign(whole, b.call("simd_sum", total)),
                add,
            ],
        )
    )
    return b.kernel()


def tiled_matmul() -> ir.Kernel:
    b = Builder("tiled_matmul")
    x, y, out = (b.array(name, d.float32, rank=2) for name in ("a", "b", "c"))
    tile_x = b.memory("tile_a", d.float32, [16, 16], Space.THREADGROUP)
    tile_y = b.memory("tile_b", d.float32, [16, 17], Space.THREADGROUP)
    tx = b.let("tx", b.position("thread_position_in_threadgroup", 0))
    ty = b.let("ty", b.position("thread_position_in_threadgroup", 1))
    row = b.let("row", b.position("thread_position_in_grid", 1))
    column = b.let("column", b.position("thread_position_in_grid", 0))
    total, start, k = b.let("total", 0.0), b.variable("start", d.int32), b.variable("k", d.int32)
    fma = b.call("fma", b.load(tile_x, ty, k), b.load(tile_y, k, tx), total)
    b.emit(
        b.loop(
            start,
            0,
            b.extent(x, 1),
            16,
            [
                b.store(tile_x, [ty, tx], b.load(x, row, b.add(start, tx))),
                b.store(tile_y, [ty, tx], b.load(y, b.add(start, ty), column)),
                b.barrier("threadgroup", Space.THREADGROUP),
                b.loop(k, 0, 16, 1, [b.assign(total, fma)]),
                b.barrier("threadgroup", Space.THREADGROUP),
            ],
        ),
        b.store(out, [row, column], total),
    )
    return b.kernel()


def histogram() -> ir.Kernel:
    """Threadgroup memory sized at launch, in two arrays, and atomics on it."""
    b = Builder("histogram")
    x, out = b.array("x", d.uint8), b.array("out", d.uint32)
    bins = b.scalar("bins", d.int32)
    rows = b.call("threads_per_threadgroup", axis=0)
    local = b.memory("counts", d.uint32, [b.value(bins)], Space.THREADGROUP)
    spare = b.memory("spare", d.float32, [rows, 4], Space.THREADGROUP)
    mine = b.memory("mine", d.int16, [4], Space.THREAD)
    i = b.let("i", b.position("thread_position_in_grid"))
    lane = b.let("index", b.call("thread_index_in_threadgroup"))
    k = b.variable("k", d.int32)
    b.emit(
        b.loop(
            k, lane, b.extent(local), b.position("threads_per_threadgroup"),
            [b.atomic("store", local, [k], 0)],
        ),
        b.store(spare, [lane, 1], 0.5),
        b.store(mine, [0], 7),
        b.barrier("threadgroup", Space.THREADGROUP, Space.DEVICE),
    )  # fmt: skip
    old = b.variable("old", d.uint32)
    b.emit(
        b.when(
            b.compare("lt", i, b.extent(x)),
            [b.atomic("add", local, [b.load(x, i)], 1, result=old)],
        ),
        b.barrier("threadgroup"),
        b.atomic("max", out, [lane], b.load(local, lane)),
        b.store(
            out, [b.convert(b.load(mine, 0), d.int32)], b.convert(b.extent(spare, 0), d.uint32)
        ),
    )
    return b.kernel()


def complex_product(dtype: DType = d.complex64) -> ir.Kernel:
    b = Builder("complex_product")
    x, out = b.array("z", dtype), b.array("out", dtype)
    i = b.let("i", b.position("thread_position_in_grid"))
    re, im = b.let("re", b.load(x, i, part=0)), b.let("im", b.load(x, i, part=1))
    square = b.binary("subtract", b.multiply(re, re), b.multiply(im, im))
    b.emit(b.store(out, [i], square, part=0))
    b.emit(b.store(out, [i], b.multiply(b.multiply(2.0, re), im), part=1))
    return b.kernel()


def matrices(dtype: DType = d.float32) -> ir.Kernel:
    b = Builder("matrices")
    x, y, out = b.array("a", dtype, 2), b.array("b", dtype, 2, unit_axis=0), b.array("c", dtype, 2)
    tile = b.memory("tile", dtype, [8, 16], Space.THREADGROUP)
    kind = MatrixType(dtype)
    total = b.let("total", b.call("simdgroup_matrix_fill", b.value(0.0, dtype)))
    k = b.variable("k", d.int32)
    left, right = b.variable("left", kind), b.variable("right", kind)
    b.emit(
        b.loop(
            k,
            0,
            b.extent(x, 1),
            8,
            [
                b.assign(left, b.matrix_load(x, 0, k)),
                b.assign(right, b.matrix_load(y, k, 0, transpose=True)),
                b.assign(total, b.call("simdgroup_multiply_accumulate", left, right, total)),
            ],
        ),
        b.assign(left, b.call("simdgroup_multiply", total, total)),
        b.matrix_store(tile, [0, 8], left),
        b.assign(right, b.matrix_load(tile, 0, 8)),
        b.barrier("simdgroup", Space.THREADGROUP),
        b.matrix_store(out, [0, 0], right),
    )
    return b.kernel()


def reports(debug: int) -> ir.Kernel:
    """Prints of every kind of value, and asserts."""
    b = Builder(f"reports_{debug}", debug=debug)
    x = b.array("x", d.float32)
    half = b.array("h", d.float16)
    i = b.let("i", b.position("thread_position_in_grid"))
    if debug:
        within = b.logical("and", b.compare("ge", i, 0), b.compare("lt", i, b.extent(x)))
        b.emit(b.check(within, "index 0 of x", kind="index out of bounds"))
        b.emit(b.check(b.compare("gt", b.load(x, i), 0.0), "not positive"))
        b.emit(b.check(b.compare("ne", i, 5), ""))
    b.emit(
        b.show("i =", i, "x =", b.load(x, i), b.load(half, i), b.convert(i, d.uint8)),
        b.show("positive", b.compare("gt", b.load(x, i), 0.0)),
        b.show("nothing"),
    )
    return b.kernel()


def control_flow() -> ir.Kernel:
    """Loops of every sort, names that mean something in C++, a parameter that is assigned."""
    b = Builder("kernel")
    out = b.array("out", d.int32)
    n, step = b.scalar("n", d.int32), b.scalar("step", d.int32)
    total = b.let("total", 0)
    names = ("i", "j", "k", "m", "p")
    i, j, k, m, p = (b.variable(name, d.int32) for name in names)
    u = b.variable("u", d.uint32)
    late, seen = b.variable("exp", d.int32), b.variable("seen", d.int32)
    body = b.assign(total, b.add(total, 1))
    parameter = b.function("twice", [b.variable("v", d.int32)], [b.leave(2)])
    v = b.variable("v", d.int32)
    clamped = b.function(
        "clamp",
        [v],
        [b.when(b.compare("lt", v, 0), [b.leave(0)]), b.leave(b.binary("remainder", v, 7))],
    )
    b.emit(
        b.assign(n, b.binary("floor_divide", n, 2)),
        b.loop(i, n, 0, -1, [body]),
        b.loop(j, 0, n, step, [body]),
        b.loop(k, 10, 0, -3, [body]),
        b.loop(m, 0, 2**31 - 1, 5, [body, b.when(b.compare("gt", m, 9), [ir.Break(out.span)])]),
        b.loop(p, 0, b.load(out, 0), 1, [b.when(True, [b.assign(seen, p)]), b.assign(late, seen)]),
        b.loop(u, b.value(0, d.uint32), b.value(2**32 - 1, d.uint32), b.convert(step, d.uint32), [
            b.assign(total, b.convert(u, d.int32)),
        ]),
        b.loop_while(
            b.compare("lt", total, n),
            [
                b.when(b.compare("eq", total, 3), [b.assign(total, b.multiply(total, 2))], [
                    b.when(b.compare("eq", total, 4), [b.assign(total, 9)], [body]),
                ]),
                b.when(b.compare("gt", total, 100), [], [b.assign(total, b.add(total, 2))]),
            ],
        ),
        b.store(out, [b.invoke(parameter, n)], b.invoke(clamped, b.unary("negate", total))),
        b.leave(),
    )  # fmt: skip
    return b.kernel()


def collectives(dtype: DType, prefix: str) -> ir.Kernel:
    """Every collective of simdgroups or quads on one type, in uniform and in divergent flow."""
    b = Builder(f"{prefix}_of_{dtype.name}")
    x = b.array("x", dtype)
    out, votes = b.array("out", dtype), b.array("votes", d.uint32)
    i = b.let("i", b.position("thread_position_in_grid"))
    value = b.let("value", b.load(x, i))
    number = 0
    for name, record in TABLE.items():
        if record.kind is not IntrinsicKind.COLLECTIVE or not name.startswith(prefix):
            continue
        number += 1
        given = []
        if record.operands:
            is_vote = record.operands[0] == "predicate"
            given = [b.compare("ne", value, 0)] if is_vote else [value]
            if not is_vote and dtype.kind not in record.accepts:
                continue
        arguments = [*given, *([1] if len(record.operands) > 1 else [])]
        result = b.let(f"r{number}", b.call(name, *arguments))
        target = out if result.type is dtype else votes
        stored = b.value(result)
        if result.type is not target.type.dtype:
            stored = b.convert(stored, target.type.dtype)
        b.emit(b.store(target, [b.add(i, number)], stored))
    if prefix == "quad":
        return b.kernel()
    for lanes, name in ((8, "simd_sum"), (16, "simd_max")):
        part = b.let(f"{name}_{lanes}", b.call(TABLE[name].parts[lanes].name, value))
        b.emit(b.store(out, [b.add(i, number + lanes)], part))
    odd, inner = b.variable("odd", dtype), b.variable("inner", dtype)
    last = b.variable("last", dtype)
    b.emit(
        b.when(
            b.compare("gt", value, 1),
            [b.assign(odd, b.call("simd_sum", value)), b.store(out, [i], odd)],
            [
                b.assign(inner, b.call("simd_max", value)),
                b.store(out, [i], inner),
                b.barrier("simdgroup"),
            ],
        ),
        b.when(b.compare("gt", value, 2), [b.leave()]),
        b.assign(last, b.call("simd_broadcast_first", value)),
        b.store(out, [0], last),
    )
    return b.kernel()


def operations(dtype: DType) -> ir.Kernel:
    """Every operator and every conversion of one type."""
    b = Builder(f"operations_{dtype.name}")
    x, out = b.array("x", dtype), b.array("out", dtype)
    flags = b.array("flags", d.bool_)
    given = b.scalar("given", dtype)
    i = b.let("i", b.position("thread_position_in_grid"))
    a, c = b.let("a", b.load(x, i)), b.let("c", b.load(x, b.add(i, 1)))
    results = [b.binary(operator, a, c) for operator in _operators(dtype)]
    if dtype.is_integer:
        results += _integer_results(b, a, dtype)
    if not dtype.is_bool:
        results += _number_results(b, a, c)
    if dtype.is_float:
        values = (0.1, -1.5, 1e-30, float("inf"), float("-inf"), float("nan"), 3.0)
        results += [b.value(value, dtype) for value in values]
    flag, other = b.let("flag", b.load(flags, i)), b.let("other", b.load(flags, 1))
    results += [
        b.select(flag, a, given),
        b.logical("and", flag, b.unary("not", other)),
        *_conversions(b, a, dtype),
    ]
    for number, result in enumerate(results):
        target = flags if result.type is d.bool_ and dtype is not d.bool_ else out
        kept = result if result.type is target.type.dtype else b.convert(result, dtype)
        b.emit(b.store(target, [b.add(i, number)], kept))
    return b.kernel()


def _integer_results(b: Builder, a: ir.Variable, dtype: DType) -> list[ir.Expression]:
    divisions = ("floor_divide", "remainder", "shift_left", "shift_right")
    constants = [c for c in (3, 4, 0, dtype.bits) if c <= 127]
    results: list[ir.Expression] = [
        b.binary(operator, a, c) for operator, c in itertools.product(divisions, constants)
    ]
    results += [b.unary("invert", a), b.value(2 ** (dtype.bits - 1) - 1, dtype)]
    if dtype.kind is d.Kind.SIGNED:
        results.append(b.value(-(2 ** (dtype.bits - 1)), dtype))
    return results


def _number_results(b: Builder, a: ir.Variable, c: ir.Variable) -> list[ir.Expression]:
    return [
        b.unary("negate", a),
        b.unary("negate", b.unary("negate", a)),
        *(b.compare(operator, a, c) for operator in ir.COMPARE),
        b.binary("multiply", b.binary("add", a, 1), b.binary("subtract", a, c)),
        b.binary("subtract", a, b.binary("subtract", c, 1)),
        b.compare("eq", b.compare("lt", a, c), b.compare("lt", c, a)),
    ]


def _conversions(b: Builder, a: ir.Variable, dtype: DType) -> list[ir.Expression]:
    there = [other for other in SCALARS if _is_there(other, dtype)]
    results: list[ir.Expression] = [b.convert(b.convert(a, other), dtype) for other in there]
    results += [
        b.bitcast(b.bitcast(a, other), dtype)
        for other in there
        if other.bits == dtype.bits and d.bool_ not in (other, dtype)
    ]
    return results


def _is_there(other: DType, dtype: DType) -> bool:
    """float64 stays among itself, so that the other kernels are ones for Metal, too."""
    return (other is d.float64) == (dtype is d.float64) or dtype is d.float64


def _operators(dtype: DType) -> list[str]:
    if dtype.is_bool:
        return ["bit_and", "bit_or", "bit_xor"]
    if dtype.is_float:
        return ["add", "subtract", "multiply", "divide"]
    return [name for name in ir.BINARY if name != "divide"]


def math_calls(dtype: DType) -> ir.Kernel:
    """Every mathematical intrinsic that both targets spell for one type."""
    b = Builder(f"math_{dtype.name}")
    x, out = b.array("x", dtype), b.array("out", dtype)
    i = b.let("i", b.position("thread_position_in_grid"))
    value = b.let("value", b.load(x, i))
    for number, (name, record) in enumerate(TABLE.items()):
        if record.kind is not IntrinsicKind.MATH or dtype.kind not in record.accepts:
            continue
        targets = ("cuda",) if dtype is d.float64 else ("cuda", "metal")
        spellings = [record.spelling(target, dtype) for target in targets]
        if not all(isinstance(s, str) and not s.startswith("llvm") for s in spellings):
            continue
        arguments = [1 if k in record.scalar_operands else value for k in range(record.arity)]
        result = b.call(name, *arguments)
        kept = result if result.type is dtype else b.convert(result, dtype)
        b.emit(b.store(out, [b.add(i, number)], kept))
    return b.kernel()


def positions(index_type: DType) -> ir.Kernel:
    b = Builder(f"positions_{index_type.name}", index_type=index_type)
    out = b.array("out", index_type)
    number = 0
    for name, record in TABLE.items():
        if record.kind is not IntrinsicKind.POSITION:
            continue
        for axis in range(3) if record.axes else (None,):
            b.emit(b.store(out, [number], b.position(name, axis)))
            number += 1
    return b.kernel()


def atomics(dtype: DType, space: Space) -> ir.Kernel:
    b = Builder(f"atomics_{dtype.name}_{space.value}")
    x = b.array("x", dtype)
    target = x if space is Space.DEVICE else b.memory("shared", dtype, [64], space)
    given = b.scalar("given", dtype)
    i = b.let("i", b.position("thread_position_in_grid"))
    for number, (operation, arity) in enumerate(ir.ATOMICS.items()):
        if (operation in ("and", "or", "xor") and dtype.is_float) or (
            dtype.is_bool and operation in ("add", "subtract", "min", "max")
        ):
            continue
        old = b.variable(f"old{number}", dtype)
        values = [given] * arity
        wanted = None if operation == "store" else old
        b.emit(b.atomic(operation, target, [i], *values, result=wanted))
        if wanted is not None:
            b.emit(b.store(x, [b.add(i, number)], old))
    return b.kernel()


def async_copies(dtype: DType = d.float16) -> ir.Kernel:
    """Pieces of 16 bytes and of less, elements, and matrices from where they arrive."""
    b = Builder("async_copies")
    x, y = b.array("a", dtype, 2), b.array("b", dtype, 2, unit_axis=None)
    out = b.array("c", dtype, 2)
    tile = b.memory("tile", dtype, [2, 16, 24], Space.THREADGROUP)
    i = b.let("i", b.call("thread_index_in_threadgroup"))
    nowhere = [(x, 8, i, 0), (x, 4, i, 0), (x, 8, i, 4), (y, 8, i, 0), (x, 1, i, 0)]
    for source, count, row, column in nowhere:
        places = (b.value(1), b.value(row), b.value(column)), (b.value(row), b.value(column))
        b.emit(ir.AsyncCopy(tile, places[0], source, places[1], count, b.kernel().span))
    b.emit(ir.AsyncGroup(b.kernel().span), ir.AsyncWait(0, b.kernel().span))
    b.emit(b.barrier("threadgroup", Space.THREADGROUP))
    kind = MatrixType(dtype, 16, 16)
    for name, column in (("left", 8), ("right", 0)):
        places = b.value(1), b.value(0), b.value(column)
        b.let(name, ir.MatrixLoad(tile, places, False, kind, b.kernel().span))
    left, right = (s.variable for s in b.statements[-2:] if isinstance(s, ir.Assign))
    total = b.let("total", b.call("simdgroup_multiply", left, right))
    b.emit(b.matrix_store(out, [0, 0], total))
    return b.kernel()


CUDA_ALONE = {"async_copies": async_copies}
"""Kernels whose text for CUDA is kept; for Metal passes replace what they have."""

GOLDEN = {
    "vector_add": vector_add,
    "saxpy_strided": saxpy_strided,
    "stencil": stencil,
    "reduction": reduction,
    "tiled_matmul": tiled_matmul,
    "histogram": histogram,
    "complex_product": complex_product,
    "matrices": matrices,
    "reports_0": lambda: reports(0),
    "reports_1": lambda: reports(1),
    "reports_2": lambda: reports(2),
    "control_flow": control_flow,
    "simd_int32": lambda: collectives(d.int32, "simd"),
    "quad_float32": lambda: collectives(d.float32, "quad"),
    "operations_int8": lambda: operations(d.int8),
    "operations_float32": lambda: operations(d.float32),
    "positions_int32": lambda: positions(d.int32),
    "atomics_float32": lambda: atomics(d.float32, Space.THREADGROUP),
    "atomics_uint8": lambda: atomics(d.uint8, Space.DEVICE),
}
"""Kernels whose text is kept."""


def _every_type() -> dict[str, ir.Kernel]:
    kernels = [operations(t) for t in SCALARS]
    kernels += [math_calls(t) for t in SCALARS if t not in (d.bool_, d.float16, d.bfloat16)]
    kernels += [positions(t) for t in (d.int32, d.int64)]
    kernels += [atomics(t, s) for t in SCALARS for s in (Space.DEVICE, Space.THREADGROUP)]
    exchanged = [t for t in SCALARS if t not in (d.bool_, d.float16, d.bfloat16)]
    kernels += [collectives(t, p) for t in exchanged for p in ("simd", "quad")]
    named = {k.name: k for k in kernels}
    for dtype in (d.float16, d.bfloat16, d.float32, d.float64):
        named[f"matrices_{dtype.name}"] = matrices(dtype)
    for dtype in d.COMPLEX:
        named[f"complex_product_{dtype.name}"] = complex_product(dtype)
    return named


EVERY_TYPE = _every_type()
"""Kernels that only have to compile: all operations on all types."""
