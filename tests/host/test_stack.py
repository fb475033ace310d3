"""Deep recursion gets a stack that is deep enough, and only then; what else is there stays."""

import contextvars
import functools
import linecache
import re
import sys
import threading

import pytest

import speedmetal as sm
from speedmetal.compiler import pipeline
from speedmetal.system import deep_stack
from speedmetal.system.deep_stack import with_room

LIMIT = sys.getrecursionlimit()


def depth(n):
    return 1 + depth(n - 1) if n else 0


def test_what_fits_runs_where_it_is_called():
    assert with_room(threading.current_thread) is threading.current_thread()


def test_what_does_not_fit_runs_again_on_a_deep_stack():
    limit, size = sys.getrecursionlimit(), threading.stack_size()
    starts = []

    def deep():
        starts.append(threading.current_thread())
        return depth(5 * limit)

    assert with_room(deep) == 5 * limit
    assert starts[0] is threading.current_thread() is not starts[1]
    assert (sys.getrecursionlimit(), threading.stack_size()) == (limit, size)


def test_python_that_c_code_calls_has_room_too():
    """Generators and ``map`` take the machine's stack, which overflows where it is short."""

    def nested(n):
        return max(map(nested, [n - 1])) + 1 if n else 0

    assert with_room(lambda: nested(6000)) == 6000 or sys.version_info >= (3, 12)


def test_a_deep_stack_is_made_once():
    def outer():
        depth(2 * LIMIT)
        return threading.current_thread(), with_room(threading.current_thread)

    first, second = with_room(outer)
    assert first is second is not threading.current_thread()


def test_context_and_errors_pass_through():
    variable = contextvars.ContextVar("variable")
    variable.set("mine")

    def fails():
        depth(2 * LIMIT)
        raise KeyError(variable.get())

    with pytest.raises(KeyError, match="mine"):
        with_room(fails)


def test_the_deepest_stack_has_an_end(monkeypatch):
    monkeypatch.setattr(deep_stack, "_DEEPEST_FRAMES", LIMIT + 500)
    with pytest.raises(RecursionError):
        with_room(lambda: depth(100 * LIMIT))


def test_a_machine_without_memory_for_it_says_the_same(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    size = threading.stack_size()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RecursionError):
        with_room(lambda: depth(2 * LIMIT))
    assert threading.stack_size() == size


def test_many_threads_go_deep_at_once():
    limit = sys.getrecursionlimit()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(with_room(lambda: depth(3 * limit))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3 * limit] * 8
    assert sys.getrecursionlimit() == limit


# --- Kernels ---------------------------------------------------------------------------------


def calls(count):
    """A kernel that calls functions, each of which calls the next."""
    name = f"<calls {count}>"
    text = "".join(f"def f{n}(a):\n    f{n + 1}(a)\n" for n in range(count))
    text += f"def f{count}(a):\n    a[0] = 1\ndef chain(a):\n    f0(a)\n"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names = {}
    exec(compile(text, name, "exec"), names)  # noqa: S102 - our own text
    return sm.kernel(names["chain"])


def test_kernels_may_be_launched_near_the_end_of_the_stack():
    kernel, a = calls(3), sm.zeros(1)

    def at(depth):
        if depth:
            at(depth - 1)
        else:
            kernel(a, grid=1)

    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1
    at(LIMIT - used - 60)
    assert a[0].item() == 1


def test_what_is_too_deep_for_every_stack_is_told(monkeypatch):
    monkeypatch.setattr(deep_stack, "_DEEPEST_FRAMES", LIMIT + 500)
    with pytest.raises(sm.CompileError) as caught:
        calls(400)(sm.zeros(1), grid=1)
    message = re.sub(r"f\d+", "f..", re.sub(r"\d+:5|\d+ \| ", "..", str(caught.value)))
    assert message.startswith(
        "1 error in kernel 'chain'\n\n<calls 400>:..: error: the code is nested too deeply; put a"
        " part of it into a function\n    ..    f..(a)\n"
    )


def test_every_stage_may_be_too_deep(monkeypatch):
    kernel = calls(2)

    def endless(*_, **__):
        return endless()

    for name in ("_lower", "_print_kernel", "_compile_for"):
        with monkeypatch.context() as patch:
            patch.setattr(deep_stack, "_DEEPEST_FRAMES", 3000)
            patch.setattr(pipeline, name, endless)
            call = kernel.compile if name == "_compile_for" else functools.partial(sm.code, kernel)
            with pytest.raises(sm.CompileError) as caught:
                call("f32[:]")
        assert str(caught.value).startswith("1 error in kernel 'chain'\n\n<calls 2>:7:1: error: ")
        assert "the code is nested too deeply; put a part of it into a function" in str(
            caught.value
        )
