"""Each fault in a kernel: the whole message, and the text that the caret is under."""

# ruff: noqa: F401, F821, F841, SIM105, C416, E731, T201, UP031, UP032, RET503, PLE0643, PLW0120, PLW0602
# The kernels here are wrong on purpose.

from __future__ import annotations

import math
import re

import pytest

import speedmetal as sm
from speedmetal.errors import CompileError, InternalError
from speedmetal.frontend import infer
from speedmetal.frontend.infer import infer_function, infer_kernel
from speedmetal.frontend.signature_text import parse_signature


def square(x):
    return x * x


def calls_itself(x):
    return calls_back(x) + 1


def calls_back(x):
    return calls_itself(x)


def unknown_name(a):
    a[0] = legnth
    length = 1


def cuda_word(a):
    a[threadIdx.x] = 1


def cuda_attribute(a):
    a[sm.blockIdx.x] = 1


def opencl_word(a):
    a[get_global_id(0)] = 1


def position_in_arithmetic(a):
    a[0] = sm.thread_position_in_grid() + 1


def too_many_indices(a):
    a[0, 1] = 2


def array_in_arithmetic(a):
    a[0] = a + 1


def constant_too_large(b):
    b[0] = 300


def constant_float_too_large(a):
    a[0] = a[1] * 1e39


def float_into_integers(b):
    b[0] = 2.5


def float_into_bools(c):
    c[0] = 2.5


def no_common_type(u, i):
    i[0] = u[0] + i[0]


def bits_of_floats(a):
    a[0] = a[0] & 1


def division_of_constants_by_zero(a):
    a[0] = 1 // 0


def size_known_too_late(a):
    tile = sm.threadgroup_array(sm.thread_position_in_grid().x, sm.float32)
    a[0] = tile[0]


def index_out_of_range(a):
    own = sm.thread_array((4, 3), sm.float32)
    a[0] = own[3, -4]


def missing_argument(a):
    a[0] = sm.simd_shuffle(a[0])


def width_of_no_part(a):
    a[0] = sm.simd_sum(a[0], width=12)


def width_known_too_late(a, n):
    a[0] = sm.simd_sum(a[0], width=n)


def width_of_a_shuffle(a):
    a[0] = sm.simd_shuffle_xor(a[0], 1, width=8)


def bits_of_floats_of_a_part(a):
    a[0] = sm.simd_and(a[0], width=8)


def too_many_arguments(a):
    a[0] = square(a[0], 2)


def wrong_keyword(a):
    a[0] = square(y=a[0])


def atomic_on_floats(a):
    sm.atomic_and(a, 0, 1)


def atomic_on_own_memory(a):
    own = sm.thread_array(4, sm.int32)
    sm.atomic_add(own, 0, 1)
    a[0] = own[0]


def assigned_in_a_branch(a):
    if a[0] > 0:
        value = 1
    a[0] = value


def assigned_in_a_loop(a, b):
    for k in range(b[0]):
        value = k
    a[0] = value


def two_types(a, b):
    x = a[0]
    x = b[0]
    a[0] = x


def returns_a_value(a):
    return a[0]


def recursion(a):
    a[0] = calls_itself(a[0])


def function_that_changes(a):
    f = math.sin
    if a[0] > 0:
        f = math.cos
    a[0] = f(1.0)


def function_that_changes_in_a_loop(a):
    f = math.sin
    for k in range(len(a)):
        a[k] = f(a[k])
        f = math.cos


def result_on_some_ways(a):
    def f(x):
        if x > 0:
            return x

    a[0] = f(a[1])


def too_much_unrolling(a):
    for k in sm.static_range(4097):
        a[0] += k


def loop_over_an_array(a):
    for x in a:
        a[0] = x


def range_of_floats(a):
    for k in range(a[0]):
        a[0] = k


def range_without_step(a):
    for k in range(0, 5, 0):
        a[0] = k


def unpacks_too_few(a):
    x, y = 1, 2, 3
    a[0] = x + y


def tuple_index_out_of_range(a):
    a[0] = (1, 2)[5]


def bitcast_of_other_size(a):
    a[0] = sm.bitcast(a[0], sm.int16)


def unknown_memory(a):
    sm.threadgroup_barrier(memory="texture")
    a[0] = 1


def annotation_contradicted(a):
    x: sm.int32 = 2.5
    a[0] = x


def negative_integer_power(a, b):
    b[0] = b[1] ** -1
    a[0] = 1


def complex_order(z):
    z[0] = z[0] < z[1]


def frozen_field(a, p):
    p.x = a[0]


CASES = {
    unknown_name: "f32[:]",
    cuda_word: "f32[:]",
    cuda_attribute: "f32[:]",
    opencl_word: "f32[:]",
    too_many_indices: "f32[:]",
    constant_too_large: "i8[:]",
    constant_float_too_large: "f32[:]",
    float_into_integers: "i8[:]",
    float_into_bools: "bool[:]",
    no_common_type: "u64[:] i64[:]",
    bits_of_floats: "f32[:]",
    division_of_constants_by_zero: "f32[:]",
    size_known_too_late: "f32[:]",
    index_out_of_range: "f32[:]",
    missing_argument: "f32[:]",
    width_of_no_part: "f32[:]",
    width_known_too_late: "f32[:] i32",
    width_of_a_shuffle: "f32[:]",
    bits_of_floats_of_a_part: "f32[:]",
    too_many_arguments: "f32[:]",
    wrong_keyword: "f32[:]",
    atomic_on_floats: "f32[:]",
    atomic_on_own_memory: "i32[:]",
    assigned_in_a_branch: "f32[:]",
    assigned_in_a_loop: "f32[:] i32[:]",
    returns_a_value: "f32[:]",
    function_that_changes: "f32[:]",
    function_that_changes_in_a_loop: "f32[:]",
    too_much_unrolling: "f32[:]",
    loop_over_an_array: "f32[:]",
    range_of_floats: "f32[:]",
    range_without_step: "f32[:]",
    unpacks_too_few: "f32[:]",
    tuple_index_out_of_range: "f32[:]",
    bitcast_of_other_size: "f32[:]",
    unknown_memory: "f32[:]",
    annotation_contradicted: "f32[:]",
    negative_integer_power: "f32[:] i32[:]",
    complex_order: "c64[:]",
    frozen_field: "f32[:] (f32,f32)",
    position_in_arithmetic: "f32[:]",
    array_in_arithmetic: "f32[:]",
    two_types: "f32[:] i32[:]",
    recursion: "f32[:]",
    result_on_some_ways: "f32[:]",
}


def faults(kernel, signature):
    with pytest.raises(CompileError) as caught:
        infer_kernel(kernel, parse_signature(signature))
    return caught.value.diagnostics


def marked(diagnostic):
    """The text under the carets."""
    span = diagnostic.span
    return span.text.line(span.line)[span.column : span.end_column]


def told(kernel, signature):
    """Each fault: the marked text, the message, and the notes."""
    lines = [f"{kernel.__name__}({signature})"]
    for diagnostic in faults(kernel, signature):
        lines += [f"    {marked(diagnostic)}", f"        {diagnostic.message}"]
        lines += [f"        note: {note}" for _, note in diagnostic.related]
    # Lines are counted from the kernel's own, so that the file does not change with this one.
    first = kernel.__code__.co_firstlineno
    return re.sub(r"line (\d+)", lambda m: f"line +{int(m[1]) - first}", "\n".join(lines)) + "\n"


def test_each_fault_has_this_message(golden_ir):
    golden_ir("errors", "\n".join(told(*case) for case in CASES.items()))


def test_everything_that_the_language_lacks_is_told_at_once(golden_ir):
    golden_ir("errors_of_syntax", told(unsupported, "f32[:]"))
    assert len(faults(unsupported, "f32[:]")) == 23


def test_two_types_of_a_name_show_both_places():
    (diagnostic,) = faults(two_types, "f32[:] i32[:]")
    ((span, _),) = diagnostic.related
    assert span.line == diagnostic.span.line - 1 == two_types.__code__.co_firstlineno + 1


def test_name_that_may_be_unassigned_shows_where_it_is_assigned():
    (diagnostic,) = faults(assigned_in_a_branch, "f32[:]")
    ((span, note),) = diagnostic.related
    assert (span.line, note) == (diagnostic.span.line - 1, "assigned only here")


def many_faults(a):
    a[0] = first
    x = second
    if x > third:
        a[0] = fourth
    a[1] = x


def test_all_faults_come_together_and_without_echoes():
    texts = [marked(diagnostic) for diagnostic in faults(many_faults, "f32[:]")]
    assert texts == ["first", "second", "fourth"]


def wrong_inside(x):
    return x + missing


def calls_wrong(a):
    a[0] = wrong_inside(a[0])


def test_fault_in_a_callee_names_the_call():
    (diagnostic,) = faults(calls_wrong, "f32[:]")
    assert diagnostic.message.startswith("the name 'missing' does not exist")
    ((span, note),) = diagnostic.related
    assert note == "'wrong_inside' is called here"
    assert span.line == calls_wrong.__code__.co_firstlineno + 1


def test_wrong_number_of_kernel_arguments():
    (diagnostic,) = faults(two_types, "f32[:]")
    assert diagnostic.message == "expected 2 arguments (a, b), found 1"


# --- What the language does not have ---------------------------------------------------------


def unsupported(a):
    try:
        pass
    except ValueError:
        pass
    with a:
        pass
    x = [1, 2]
    x = {1: 2}
    x = {1, 2}
    x = f"{a}"
    x = [i for i in range(3)]
    x = (i for i in range(3))
    import os

    global LIMIT
    x.append(3)
    del x
    for _ in range(3):
        pass
    else:
        x = 1

    class Inner:
        pass

    x = lambda **options: 1
    x = a @ a
    x = "%d" % 3
    x = "{}".format(3)
    x = b"bytes"
    raise ValueError
    match x:
        case 1:
            pass
    print(*x, **x)
    yield x


def test_function_without_source_is_told():
    names: dict = {}
    exec("def made(a):\n    a[0] = 1", names)  # noqa: S102 - that is what is tested
    (diagnostic,) = faults(names["made"], "f32[:]")
    assert "source" in diagnostic.message
    assert "put it into a file or a notebook cell" in diagnostic.message


def test_crash_becomes_an_internal_error_with_stage_kernel_and_place(monkeypatch):
    def crash(unit, start):
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(infer, "solve", crash)
    with pytest.raises(InternalError) as caught:
        infer_kernel(square, parse_signature("f32"))
    message = str(caught.value)
    assert message.startswith("stage infer of kernel 'square' failed")
    assert "ZeroDivisionError: boom" in message


def test_function_of_no_scalar_is_refused():
    with pytest.raises(CompileError, match="computes one scalar from its arguments alone"):
        infer_function(two_results, (sm.float32,))
    assert infer_function(square, (sm.float16,)).result is sm.float16


def two_results(x):
    return x, x
