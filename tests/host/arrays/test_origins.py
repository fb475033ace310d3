"""Errors of an evaluation say where the operations were written that failed."""

from __future__ import annotations

import _thread
import inspect
import linecache
import pickle
import sys
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import speedmetal as sm
from speedmetal.arrays.deferred import graph, origins
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.memory.kept import Kept
from speedmetal.launch.waiting import WAITING

FIRST, HERE = "the first of this form was written here", "written here"


def big() -> Any:
    """More elements than there is memory for, of which one is stored."""
    return sm.broadcast_to(sm.ones(1), (2**50,))


def error_of(*arrays: Any) -> Exception:
    with pytest.raises(sm.OutOfMemoryError) as caught:
        sm.eval(*arrays)
    return caught.value


def notes_of(*arrays: Any) -> list[str]:
    return getattr(error_of(*arrays), "__notes__", [])


def line_of(function: Callable[..., Any], words: str) -> tuple[int, str]:
    """The number and text of the line of a function that has these words."""
    lines, first = inspect.getsourcelines(function)
    (place,) = (place for place, line in enumerate(lines) if words in line)
    return first + place, lines[place].rstrip("\n")


# --- Expressions ---------------------------------------------------------------------------------


def chain(x: Any) -> Any:
    y = x + 1.0
    return (2 * y) - sm.sin(x)  # the last operation


def test_the_line_of_an_expression_and_its_operation_are_told():
    """Proves the whole note: words, place, line and carets; the message stays as it was."""
    x = big()
    chain(x)  # whose recipes are kept then
    error = error_of(chain(x))
    number, line = line_of(chain, "the last operation")
    margin = " " * len(str(number))
    (note,) = error.__notes__
    assert note == (
        f"while computing 2.0 * (a + 1.0) - sin(a), written here:\n"
        f"{__file__}:{number}:12: in chain\n"
        f"    {number} | {line}\n"
        f"    {margin} |            ^^^^^^^^^^^^^^^^^^^"
    )
    assert type(error) is sm.OutOfMemoryError
    assert str(error).startswith("the CPU has no memory for ")


WRITTEN: dict[str, Callable[[Any, Any], Any]] = {
    "arrays": lambda x, y: x + y,
    "an expression and its leaf": lambda x, y: (x + y) * y,
    "an expression and an array": lambda x, y: -x * y,
    "expressions": lambda x, y: (x + y) * (x - y),
    "a number": lambda x, _: x * 3.5,
    "an expression and a number": lambda x, _: -x * 3.5,
    "a number before": lambda x, _: 1 / x,
    "one": lambda x, _: -x,
    "a word": lambda x, _: sm.tan(x),
    "a word of two": lambda x, y: sm.atan2(y, x),
    "a word and a number": lambda x, _: sm.atan2(x, 2.0),
    "a function": lambda x, y: sm.subtract(y, x),
    "a conversion": lambda x, _: x.astype("i16"),
}
COMPOSED: dict[str, Callable[[Any, Any], Any]] = {
    "where": lambda x, y: sm.where(x > y, x, y),
    "a power": lambda x, _: x**3,
    "several operations": lambda x, _: sm.gelu(x),
}


def written_by(function: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
    return function(x, y)  # it is not here


@pytest.mark.parametrize("name", WRITTEN)
def test_each_way_to_write_an_operation_is_found(name):
    """Proves that it is the line of the operation, and not that of its function's caller."""
    x, y = big(), big()
    function = WRITTEN[name]
    number, _ = line_of(function, f'"{name}"')
    for _ in range(3):
        (note,) = notes_of(written_by(function, x, y))
        assert f", {HERE}:\n{__file__}:{number}:" in note
        assert ": in <lambda>\n" in note


@pytest.mark.parametrize("name", COMPOSED)
def test_of_composed_functions_the_first_line_is_told(name, monkeypatch):
    """Proves what is said of expressions whose operations speedmetal wrote, and that it says so."""
    monkeypatch.setattr(origins, "_first", Kept(8))  # no other test wrote one before
    monkeypatch.setattr(graph, "_recipes", Kept(8))
    x, y = big(), big()
    function = COMPOSED[name]
    number, _ = line_of(function, f'"{name}"')
    for how in (HERE, FIRST, FIRST):
        (note,) = notes_of(written_by(function, x, y))
        assert f", {how}:\n{__file__}:{number}:" in note


def test_views_and_computing_at_once():
    x = big()
    (note,) = notes_of((x + 7.5)[::2])
    assert f"in {inspect.currentframe().f_code.co_qualname}\n" in note
    with sm.no_fusion(), pytest.raises(sm.OutOfMemoryError) as caught:
        sm.exp2(x) + 1
    assert (
        caught.traceback[0].lineno + 1
        == line_of(test_views_and_computing_at_once, "sm.exp2(x) + 1\n")[0]
    )
    assert len(caught.value.__notes__) == 1


def test_what_is_computed_together_is_told_together():
    x = big()
    y, z = x - 4, x * x
    note = "\n".join(notes_of(y, z))
    assert "while computing a - 4.0" in note
    assert "while computing a * a" in note


def test_what_waits_to_read_is_told_by_who_writes():
    """Proves that a write that computes what was written before names that."""
    x = sm.ones(4)
    waiting = sm.broadcast_to(x[0], (2**50,)) + 2.25
    with pytest.raises(sm.OutOfMemoryError) as caught:
        x[0] = 5
    (note,) = caught.value.__notes__
    number, _ = line_of(test_what_waits_to_read_is_told_by_who_writes, "+ 2.25\n")
    assert f"{__file__}:{number}:" in note
    assert waiting.pending is not None
    assert x.tolist() == [1, 1, 1, 1]


# --- Calls ---------------------------------------------------------------------------------------

CALLS: dict[str, Callable[[Any], Any]] = {
    "sum(a + 1.0)": lambda x: sm.sum(x + 1),
    "argmax(a)": lambda x: x.argmax(),
    "cumulative_sum(a)": lambda x: sm.cumulative_sum(x, axis=0),
    "concat(a, a)": lambda x: sm.concat([x, x]),
    "map(a * 3.0)": lambda x: sm.map(lambda v: v / 2, x * 3.0),
    "max(a)": lambda x: sm.softmax(x, axis=0),
}


@pytest.mark.parametrize("words", CALLS)
def test_calls_know_their_line(words):
    with pytest.raises(sm.OutOfMemoryError) as caught:
        sm.eval(written_by(lambda x, _: CALLS[words](x), big(), None))
    (note,) = caught.value.__notes__
    number, _ = line_of(CALLS[words], f'"{words}"')
    assert note.startswith(f"while computing {words}, {HERE}:\n{__file__}:{number}:")


def positive(v: Any) -> Any:
    assert v > 0, "too small"  # which is so
    return v


def test_a_function_that_fails_is_told_with_the_line_that_called_it():
    with sm.debug_level(2), pytest.raises(sm.KernelError, match="assertion failed: too") as caught:
        sm.map(positive, sm.zeros(3))  # here
    number, line = line_of(positive, "which is so")
    assert f"{__file__}:{number}:5: in thread" in str(caught.value)
    assert line.strip() in str(caught.value)
    (note,) = caught.value.__notes__
    number, _ = line_of(
        test_a_function_that_fails_is_told_with_the_line_that_called_it, ")  # here\n"
    )
    assert f"{__file__}:{number}:9: in test_a_function" in note


def own_code(source: str) -> dict[str, Any]:
    """What a module of speedmetal's with this source would have."""
    found: dict[str, Any] = {}
    code = compile(source, str(Path(origins.__file__).with_name("not_there.py")), "exec")
    exec(code, found)  # noqa: S102
    return found


def test_operations_inside_of_a_call_are_no_lines_of_the_user():
    """Proves that the call is told, once, and neither who asked nor who wrote a like expression."""
    x = big()
    like = x + 1.5
    run = own_code("def run(x):\n    y = x + 1.5\n    y.address\n    return [y]\n")["run"]
    node = Call("mystery", (x,), partial(run, x), callers=1)
    (lazy,) = call(sm.Array, node, [(x.shape, x.dtype)], x.device)
    (note,) = notes_of(lazy)
    number, _ = line_of(test_operations_inside_of_a_call_are_no_lines_of_the_user, ", callers=1)\n")
    assert note.startswith(f"while computing mystery(a), {HERE}:\n{__file__}:{number}:")
    assert like.pending is not None


def test_the_innermost_place_is_told_alone():
    x = big()
    inner = x - 0.5
    node = Call("outer", (), lambda: [inner, inner.address])
    (lazy,) = call(sm.Array, node, [(x.shape, x.dtype)], x.device)
    (note,) = notes_of(lazy)
    assert note.startswith("while computing a - 0.5")


# --- What is kept --------------------------------------------------------------------------------


class Witness:
    """Goes with the frame that it is a variable of."""


def test_frames_are_not_kept():
    def write(x: Any) -> tuple[Any, weakref.ref[Witness]]:
        witness = Witness()
        return [x + 1, sm.sum(x), sm.gelu(x)], weakref.ref(witness)

    lazy, witness = write(sm.ones(3))
    assert witness() is None
    sm.eval(lazy)


def run_as(name: str, source: str) -> Any:
    found: dict[str, Any] = {"sm": sm, "x": big()}
    exec(compile(source, name, "exec"), found)  # noqa: S102
    return found["y"]


def test_cells_of_notebooks_are_shown(monkeypatch):
    """Proves that what is not in a file is found where Python looks for it."""
    source = "y = sm.sum(x)\n"
    entry = (len(source), None, source.splitlines(keepends=True), "<cell 1>")
    monkeypatch.setitem(linecache.cache, "<cell 1>", entry)
    (note,) = notes_of(run_as("<cell 1>", source))
    assert note == (
        "while computing sum(a), written here:\n<cell 1>:1:5: in <module>\n"
        "    1 | y = sm.sum(x)\n      |     ^^^^^^^^^"
    )


def test_without_source_the_place_is_told():
    (note,) = notes_of(run_as("<gone>", "y = sm.sum(x)\n"))
    assert note == "while computing sum(a), written here:\n<gone>:1:5: in <module>"


def test_columns_are_those_of_characters(monkeypatch):
    source = "é = 1; y = sm.sum(x)\n"
    entry = (len(source), None, source.splitlines(keepends=True), "<cell 2>")
    monkeypatch.setitem(linecache.cache, "<cell 2>", entry)
    (note,) = notes_of(run_as("<cell 2>", source))
    assert note.endswith("<module>\n    1 | é = 1; y = sm.sum(x)\n      |            ^^^^^^^^^")


def test_pickling_keeps_notes_and_forgets_places():
    error = error_of(big() + 1)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert again.__notes__ == error.__notes__
    array = pickle.loads(pickle.dumps(sm.ones(3) + 1))  # noqa: S301 - our own bytes
    assert array.tolist() == [2, 2, 2]


def test_operations_that_no_code_of_python_calls(monkeypatch):
    """Proves that a node is made where there is no frame to look at."""
    failed = []
    monkeypatch.setattr(sys, "unraisablehook", failed.append)
    x = sm.ones(3)
    _ = -x  # whose recipe is kept then
    known = len(WAITING)
    _thread.start_new_thread(x.__neg__, ())
    while len(WAITING) == known and not failed:
        time.sleep(0.001)
    assert not failed
