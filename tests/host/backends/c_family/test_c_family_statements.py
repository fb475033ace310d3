"""Declarations, loops and names in printed bodies."""

from __future__ import annotations

import pytest

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cuda.codegen.printer import print_kernel as print_for_cuda
from speedmetal.backends.metal.codegen.printer import print_kernel
from speedmetal.ir import nodes as ir
from speedmetal.source import NOWHERE


def cuda_loop(b: Builder) -> list[str]:
    """The head of the only loop of a kernel for CUDA, with the line before it."""
    lines = [line.strip() for line in print_for_cuda(b.kernel()).splitlines()]
    (number,) = (n for n, line in enumerate(lines) if line.startswith("for ("))
    return lines[number - 1 : number + 1]


def body(b: Builder) -> str:
    """The lines of a kernel's body, without its indentation."""
    lines = print_kernel(b.kernel()).splitlines()
    start = max(
        number for number, line in enumerate(lines) if line.endswith(") {") and "[[" in line
    )
    return "\n".join(line.removeprefix("    ") for line in lines[start + 1 : -1])


@pytest.fixture
def b():
    builder = Builder("k")
    builder.array("out", d.int32)
    return builder


def keep(b: Builder, value):
    return b.store(b.parameters[0], [0], value)


def test_a_variable_is_declared_where_all_its_uses_are(b):
    x, y = b.variable("x", d.int32), b.variable("y", d.int32)
    b.emit(b.when(True, [b.assign(x, 1), keep(b, x)]))
    b.emit(b.when(True, [b.assign(y, 1)], [b.assign(y, 2)]), keep(b, y))
    assert body(b) == (
        "if (true) {\n    int x = 1;\n    out[0] = x;\n}\n"
        "int y;\nif (true) {\n    y = 1;\n} else {\n    y = 2;\n}\nout[0] = y;"
    )


def test_a_value_that_a_loop_carries_is_declared_outside_of_it(b):
    x, i = b.variable("x", d.int32), b.variable("i", d.int32)
    b.emit(b.loop(i, 0, 4, 1, [b.when(b.compare("eq", i, 0), [b.assign(x, 1)]), keep(b, x)]))
    assert body(b).splitlines()[:2] == ["int x;", "for (int i = 0; i < 4; ++i) {"]


def test_a_first_assignment_that_reads_the_variable_does_not_declare_it(b):
    x, i = b.variable("x", d.int32), b.variable("i", d.int32)
    b.emit(b.loop(i, 0, 4, 1, [b.assign(x, b.add(x, 1))]))
    assert body(b).startswith("int x;\nfor")


@pytest.mark.parametrize(
    ("start", "stop", "step", "head"),
    [
        (0, 8, 1, "for (int i = 0; i < 8; ++i) {"),
        (8, 0, -1, "for (int i = 8; i > 0; --i) {"),
        (0, 8, 3, "for (int i = 0; i < 8; i += 3) {"),
        (8, 0, -3, "for (int i = 8; i > 0; i -= 3) {"),
        (0, 2**31 - 1, 2, "for (int i = 0; i < 2147483647; i = range_next(i, 2147483647, 2)) {"),
        (0, -(2**31), -3, ("for (int i = 0; i > (-2147483647 - 1);"
         " i = range_next(i, (-2147483647 - 1), -3)) {")),
    ],
)  # fmt: skip
def test_loops_over_constant_ranges(b, start, stop, step, head):
    b.emit(b.loop(b.variable("i", d.int32), start, stop, step, [keep(b, 1)]))
    assert body(b).splitlines()[0] == head


def test_for_cuda_a_loop_whose_counter_may_leave_its_type_counts_its_turns(b):
    extent = b.extent(b.array("x", d.int32), 0)
    i, first, step = b.variable("i", d.int32), b.let("first", 3), b.position("threads_per_grid")
    b.emit(b.loop(i, b.add(first, 1), extent, step, [keep(b, 1)]))
    assert cuda_loop(b) == [
        "uint32 i_turns = range_turns(first + 1, arguments.x_extent0, arguments.grid_x);",
        (
            "for (int i = first + 1; i_turns > 0;"
            " --i_turns, i = int(uint32(i) + uint32(arguments.grid_x))) {"
        ),
    ]


def test_for_cuda_a_start_that_costs_something_is_computed_once(b):
    i, n = b.variable("i", d.int32), b.scalar("n", d.int32)
    b.emit(b.loop(i, b.binary("floor_divide", n, 3), n, 2, [keep(b, 1)]))
    before, head = cuda_loop(b)
    assert before == "uint32 i_turns = range_turns(i_start, arguments.n, 2);"
    assert head.startswith("for (int i = i_start; i_turns > 0;")


def test_for_cuda_a_step_of_unknown_sign_goes_on_as_elsewhere(b):
    step = b.scalar("step", d.int32)
    b.emit(b.loop(b.variable("i", d.int32), 0, 9, step, [keep(b, 1)]))
    assert "range_next(i, 9, arguments.step)" in cuda_loop(b)[1]


def test_a_stop_that_is_known_to_be_a_size_needs_no_care(b):
    count = b.let("count", b.extent(b.array("x", d.int32), 0))
    b.emit(b.loop(b.variable("i", d.int32), 0, count, 128, [keep(b, 1)]))
    assert cuda_loop(b)[1] == "for (int i = 0; i < count; i += 128) {"


def test_a_step_of_unknown_sign(b):
    step = b.scalar("step", d.int32)
    b.emit(b.loop(b.variable("i", d.int32), 0, 9, step, [keep(b, 1)]))
    assert body(b).splitlines()[0] == (
        "for (int i = 0; arguments.step > 0 ? i < 9 : arguments.step < 0 && i > 9;"
        " i = range_next(i, 9, arguments.step)) {"
    )


def test_a_step_that_may_be_0_makes_no_turns_then(b):
    step = b.scalar("step", d.uint32)
    bounds = b.value(0, d.uint32), b.value(9, d.uint32)
    b.emit(b.loop(b.variable("i", d.uint32), *bounds, step, [keep(b, 1)]))
    assert body(b).splitlines()[0] == (
        "for (uint i = 0u; arguments.step != 0u && i < 9u; i = range_next(i, 9u, arguments.step)) {"
    )


@pytest.mark.parametrize(
    ("stop", "advance"),
    [
        (2**31 - 1025, "i += int(threads_per_threadgroup.x)"),
        (2**31 - 1, "i = range_next(i, 2147483647, int(threads_per_threadgroup.x))"),
    ],
)
def test_a_stride_of_a_threadgroup_is_added_where_nothing_can_overflow(b, stop, advance):
    stride = b.position("threads_per_threadgroup")
    b.emit(b.loop(b.variable("i", d.int32), 0, stop, stride, [keep(b, 1)]))
    assert body(b).splitlines()[0] == f"for (int i = 0; i < {stop}; {advance}) {{"


def test_a_stride_of_the_grid_may_overflow_beyond_an_array(b):
    extent, stride = b.extent(b.parameters[0], 0), b.position("threads_per_grid")
    b.emit(b.loop(b.variable("i", d.int32), 0, extent, stride, [keep(b, 1)]))
    assert "range_next(i, " in body(b).splitlines()[0]


def test_a_bound_that_the_body_changes_is_computed_once(b):
    n, i = b.let("n", 4), b.variable("i", d.int32)
    b.emit(b.loop(i, 0, n, 1, [b.assign(n, b.add(n, 1))]), keep(b, n))
    assert body(b).splitlines()[1:3] == ["int i_stop = n;", "for (int i = 0; i < i_stop; ++i) {"]


def test_a_bound_in_memory_is_computed_once(b):
    b.emit(b.loop(b.variable("i", d.int32), 0, b.load(b.parameters[0], 0), 1, [keep(b, 1)]))
    assert body(b).splitlines()[:2] == [
        "int i_stop = out[0];",
        "for (int i = 0; i < i_stop; ++i) {",
    ]


def test_an_else_alone_and_a_chain(b):
    x = b.let("x", b.load(b.parameters[0], 0))
    f = b.let("f", b.convert(x, d.float32))
    b.emit(b.when(b.compare("lt", x, 1), [], [keep(b, 1)]))
    b.emit(b.when(b.compare("lt", f, 1.0), [], [keep(b, 1)]))
    lines = body(b).splitlines()
    assert lines[2] == "if (x >= 1) {"
    assert lines[5] == "if (!(f < 1.0f)) {"  # NaN is neither less nor not less


def test_names_that_mean_something_are_changed():
    b = Builder("kernel")
    device = b.array("device", d.float32)
    thread = b.scalar("thread", d.float32)
    sin = b.let("sin", b.call("sin", b.value(thread)))
    b.emit(b.store(device, [0], sin))
    text = print_kernel(b.kernel())
    assert "kernel void kernel_kernel(" in text
    assert "device float* device_1 [[buffer(0)]]" in text
    assert "float sin_1 = precise::sin(arguments.thread_);" in text


def test_an_assigned_parameter_is_copied(b):
    n = b.scalar("n", d.int32)
    b.emit(b.assign(n, b.add(n, 1)), keep(b, n))
    assert body(b) == "int n = arguments.n;\nn = int(uint(n) + 1u);\nout[0] = n;"


def test_an_assert_tells_its_reason_and_ends_the_thread(b):
    b.emit(b.check(b.compare("gt", b.load(b.parameters[0], 0), 0), "two\nlines\\"))
    assert body(b) == (
        "if (out[0] <= 0) {\n    // assertion failed: two lines/\n"
        "    report_failure(mailbox, 0);\n    return;\n}"
    )


def test_break_and_continue(b):
    stop = [ir.Break(NOWHERE)]
    b.emit(b.loop_while(True, [b.when(False, [ir.Continue(NOWHERE)]), b.when(True, stop)]))
    assert [line.strip() for line in body(b).splitlines()] == [
        "while (true) {", "if (false) {", "continue;", "}", "if (true) {", "break;", "}", "}",
    ]  # fmt: skip


def test_a_matrix_inside_an_expression_is_loaded_before_the_statement():
    b = Builder("k")
    x = b.array("x", d.float32, 2)
    b.emit(b.matrix_store(x, [0, 8], b.matrix_load(x, 8, 0)))
    assert body(b).splitlines() == [
        "simdgroup_float8x8 loaded;",
        (
            "simdgroup_load(loaded, &x[8 * arguments.x_stride0], ulong(arguments.x_stride0),"
            " ulong2(0, 0), false);"
        ),
        "simdgroup_store(loaded, &x[8], ulong(arguments.x_stride0), ulong2(0, 0), false);",
    ]
