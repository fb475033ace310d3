"""What a newcomer writes at first, and the message that leads on: the whole text of each."""

import inspect
import math
from collections.abc import Callable

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.errors import CompileError

LIST = [1.0, 2.0]
ARRAY = np.ones(2, np.float32)


def forgets_to_call_a_position(a):
    a[sm.thread_position_in_grid.x] = 1.0


def forgets_to_call_a_barrier(a):
    sm.threadgroup_barrier  # noqa: B018 - that is the mistake
    a[0] = 1.0


def forgets_an_axis(a):
    a[sm.thread_position_in_grid()] = 1.0


def forgets_the_third_axis(a):
    i, _ = sm.thread_position_in_grid()
    a[i] = 1.0


def indexes_with_a_float(a):
    a[0] = a[a[0]]


def reads_a_list_of_the_module(a):
    a[0] = LIST[0]


def reads_an_array_of_the_module(a):
    a[0] = ARRAY[0]


def makes_an_array(a):
    a[0] = sm.zeros(3)[0]


def draws_with_numpy(a):
    a[0] = np.random.rand()  # noqa: NPY002 - that is the mistake


def waits_for_the_device(a):
    sm.synchronize()
    a[0] = 1.0


MESSAGES: dict[Callable[..., None], tuple[str, str]] = {
    forgets_to_call_a_position: (
        "sm.thread_position_in_grid.x",
        "sm.thread_position_in_grid is a function; write sm.thread_position_in_grid().x",
    ),
    forgets_to_call_a_barrier: (
        "sm.threadgroup_barrier",
        "sm.threadgroup_barrier is named but not called; write sm.threadgroup_barrier()",
    ),
    forgets_an_axis: (
        "sm.thread_position_in_grid()",
        (
            "expected an integer as index, found thread_position_in_grid() without .x, .y or .z; a"
            " position has an axis: write .x, .y or .z, or unpack it: x, y, z = ..."
        ),
    ),
    forgets_the_third_axis: (
        "i, _",
        "expected 2 values to unpack, found 3; a position has three axes: x, y, z = ...",
    ),
    indexes_with_a_float: (
        "a[0]",
        "expected an integer as index 0 of 'a', found float32; write int(x)",
    ),
    reads_a_list_of_the_module: (
        "LIST",
        (
            "expected an array or a tuple, found a list; make it a tuple, whose items are"
            " constants, or give the kernel an array"
        ),
    ),
    reads_an_array_of_the_module: (
        "ARRAY",
        (
            "expected an array or a tuple, found an ndarray; arrays are arguments of the kernel,"
            " not constants"
        ),
    ),
    makes_an_array: (
        "sm.zeros(3)",
        (
            "sm.zeros works outside kernels only; arrays inside are sm.thread_array(shape, dtype)"
            " and sm.threadgroup_array(shape, dtype)"
        ),
    ),
    draws_with_numpy: (
        "np.random.rand()",
        (
            "numpy.random.rand cannot be called in kernels; did you mean"
            " sm.random.uniform(seed, counter)?"
        ),
    ),
    waits_for_the_device: ("sm.synchronize()", "sm.synchronize works outside kernels only"),
}
"""For each function the guilty text, under which the carets stand, and the message."""


@pytest.mark.parametrize("function", MESSAGES, ids=lambda function: function.__name__)
def test_message_leads_on(function: Callable[..., None]) -> None:
    """One diagnostic, with the whole message, at the guilty text."""
    guilty, message = MESSAGES[function]
    with pytest.raises(CompileError) as caught:
        sm.code(function, "f32[:]", stage="ir")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == message
    span = diagnostic.span
    assert span.text.line(span.line)[span.column : span.end_column] == guilty
    first = inspect.getsourcelines(function)[1]
    assert first < span.line <= first + 3


def test_functions_of_the_language_are_not_for_the_host() -> None:
    """Library code that kernels may call is no host function."""

    def draws(a):
        a[0] = sm.random.uniform(1, 2)

    assert "fma" not in sm.code(draws, "f32[:]", stage="ir")


WRITTEN_OUT = {
    "np.round(x)": "np.rint(x)",
    "np.mean(a)": "sum(a[i] for i in range(n)) / n",
    "np.dot(a, b)": "sum(a[i] * b[i] for i in range(n))",
    "np.matmul(a, b)": "sum(a[i, k] * b[k, j] for k in range(n))",
    "np.linalg.norm(a)": "math.sqrt(sum(a[i] * a[i] for i in range(n)))",
    "np.argmax(a)": "max(range(n), key=lambda i: a[i], default=-1)",
    "np.argmin(a)": "min(range(n), key=lambda i: a[i], default=-1)",
    "np.count_nonzero(a)": "sum(1 for i in range(n) if a[i] != 0)",
}


@pytest.mark.parametrize("expression", WRITTEN_OUT)
def test_functions_of_whole_arrays_have_another_way_that_works(expression: str) -> None:
    way = WRITTEN_OUT[expression]
    types = "f32[:,:] f32[:,:]" if "i, k" in way else "f32[:] f32[:]"

    def code(value: str) -> str:
        text = f"def kernel(a, b):\n    x, n, i, j = 1.5, len(a), 0, 0\n    y = {value}\n"
        scope = {"np": np, "math": math}
        exec(text, scope)  # noqa: S102 - as a newcomer would write it
        return sm.code(sm.kernel(source=text)(scope["kernel"]), types, stage="ir")

    with pytest.raises(CompileError) as caught:
        code(expression)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message.endswith(f" cannot be called in kernels; write {way}")
    assert code(way)
