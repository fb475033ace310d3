"""From a function to its source, its syntax tree and the values of its names."""

from __future__ import annotations

import ast
import builtins
import contextlib
import inspect
import itertools
import textwrap
import tokenize
import types
import weakref
from collections.abc import Iterator
from typing import Any

from speedmetal.common.records import record
from speedmetal.errors import CompileError, Diagnostic
from speedmetal.frontend.sources import lines_of, place_of
from speedmetal.source import SourceSpan, SourceText

FunctionNode = ast.FunctionDef | ast.Lambda


@record(eq=False)
class Source:
    """A piece of a file that was parsed on its own.

    Args:
        text: The lines, with their numbers in the file.
        line_offset: What to add to a node's line number to get the file's.
    """

    text: SourceText
    line_offset: int

    def span(self, node: ast.AST) -> SourceSpan:
        """Where a node stands in the file."""
        cached: SourceSpan | None = getattr(node, "_speedmetal_span", None)
        if cached is not None:
            return cached
        line = node.lineno + self.line_offset  # type: ignore[attr-defined]
        end_line = node.end_lineno + self.line_offset  # type: ignore[attr-defined]
        span = SourceSpan(
            self.text,
            line,
            self._column(line, node.col_offset),  # type: ignore[attr-defined]
            end_line,
            self._column(end_line, node.end_col_offset),  # type: ignore[attr-defined]
        )
        node._speedmetal_span = span  # type: ignore[attr-defined] # noqa: SLF001 - a cache of ours
        return span

    def _column(self, line: int, column: int) -> int:
        # Python counts bytes of UTF-8; people and our messages count characters.
        text = self.text.line(line)
        return column if text.isascii() else len(text.encode()[:column].decode(errors="ignore"))


@record(eq=False, weakref_slot=True)
class Captured:
    """A function's source and tree."""

    name: str
    node: FunctionNode
    source: Source


_CAPTURED: weakref.WeakKeyDictionary[types.CodeType, tuple[str, Captured]] = (
    weakref.WeakKeyDictionary()
)
"""What was captured, and where: equal functions of two files have equal code in Python."""


def capture(function: types.FunctionType) -> Captured:
    """The source and tree of a plain Python function or lambda.

    Raises:
        CompileError: Its source cannot be found.
    """
    code = function.__code__
    place, found = _CAPTURED.get(code, ("", None))
    if found is None or place != place_of(function):
        found = _capture(function, code)
        _CAPTURED[code] = place_of(function), found
    return found


def _capture(function: types.FunctionType, code: types.CodeType) -> Captured:
    lines = lines_of(function)
    if not 0 < code.co_firstlineno <= len(lines):
        raise _failure(
            code,
            f"the source of {code.co_name!r} is not available: Python does not keep that of"
            " functions typed at its prompt, read from the standard input, given to exec or defined"
            " inside %%timeit; put it into a file or a notebook cell, or give the text:"
            " @sm.kernel(source=...)",
        )
    if code.co_name == "<lambda>":
        return _capture_lambda(code, lines)
    return _capture_def(code, lines)


def _failure(code: types.CodeType, message: str) -> CompileError:
    return CompileError(code.co_name, [Diagnostic(first_line(code), message)])


def first_line(code: types.CodeType) -> SourceSpan:
    """Where a function starts, without its text."""
    line = code.co_firstlineno
    return SourceSpan(SourceText(code.co_filename, line, ()), line, 0, line, 0)


def _stale_source_error(code: types.CodeType) -> CompileError:
    return _failure(
        code,
        f"the file no longer has {code.co_name!r} at this line: it was changed after the function"
        " was imported; import it again",
    )


def _last_line(code: types.CodeType) -> int:
    """The last line in which a function does anything."""
    ends = [end for _, end, _, _ in code.co_positions() if end is not None]
    inner = [_last_line(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    return max([code.co_firstlineno, *ends, *inner])


def end_of_body(code: types.CodeType, lines: list[str]) -> int:
    """How many lines of a file there are up to a function's last, but for closing brackets."""
    last = _last_line(code)
    if code.co_firstlineno > len(lines):
        return last
    column = _indentation(lines[code.co_firstlineno - 1])
    inside = itertools.takewhile(
        lambda line: not line.strip() or _indentation(line) > column, lines[last:]
    )
    return last + len(list(inside))  # what is never reached leaves no trace in the code


def _blocks(code: types.CodeType, lines: list[str]) -> Iterator[list[str]]:
    """What may be a function's lines: up to the last that does anything, or one more, ...

    `inspect.getblock` alone would do, but its first call prepares a tokenizer for 15 ms.
    """
    start, last = code.co_firstlineno - 1, end_of_body(code, lines)
    if start >= len(lines):
        return
    for more in range(_CLOSING_LINES):
        if last + more <= len(lines):
            yield lines[start : last + more]
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        yield inspect.getblock(lines[start:])


_CLOSING_LINES = 4
"""Lines of closing brackets that may follow, as far left as the function itself."""


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _parse_block(code: types.CodeType, lines: list[str]) -> tuple[list[str], Any]:
    """A function's lines, and the tree of them."""
    for block in _blocks(code, lines):
        texts = ["".join(block)]
        if block[0][:1].isspace():
            # Parsed inside an `if`, so that columns stay those of the file; a comment or a
            # string's lines may stand further left than the function.
            moved = textwrap.indent(textwrap.dedent(texts[0]), " ")
            texts = ["if True:\n" + texts[0], "if True:\n" + moved]
        for text in texts:
            with contextlib.suppress(SyntaxError):
                tree = ast.parse(text)
                if tree.body:
                    return block, tree
    raise _stale_source_error(code)


def _capture_def(code: types.CodeType, lines: list[str]) -> Captured:
    block, tree = _parse_block(code, lines)
    text = SourceText(
        code.co_filename, code.co_firstlineno, tuple(line.rstrip("\r\n") for line in block)
    )
    indented = block[0][:1].isspace()
    node = tree.body[0].body[0] if indented else tree.body[0]
    if isinstance(node, ast.AsyncFunctionDef):
        span = Source(text, code.co_firstlineno - 1 - indented).span(node)
        message = "an async function cannot be compiled; write a plain def"
        raise CompileError(code.co_name, [Diagnostic(span, message)])
    if not isinstance(node, ast.FunctionDef) or node.name != code.co_name:
        raise _stale_source_error(code)
    return Captured(node.name, node, Source(text, code.co_firstlineno - 1 - indented))


_FILES: dict[str, tuple[list[str], list[ast.Lambda]]] = {}


def _capture_lambda(code: types.CodeType, lines: list[str]) -> Captured:
    """Finds the lambda whose text holds every instruction of the code."""
    cached = _FILES.get(code.co_filename)
    if cached is None or cached[0] is not lines:
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:
            raise _stale_source_error(code) from None
        cached = lines, [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
        _FILES[code.co_filename] = cached
    fitting = [node for node in cached[1] if _holds(node, code)]
    if not fitting:
        raise _stale_source_error(code)
    node = min(fitting, key=_extent)
    if sum(_extent(other) == _extent(node) for other in fitting) > 1:
        raise _failure(code, "several lambdas on this line look alike; use def, or one line each")
    text = SourceText(code.co_filename, 1, tuple(line.rstrip("\r\n") for line in lines))
    return Captured("lambda", node, Source(text, 0))


def _holds(node: ast.Lambda, code: types.CodeType) -> bool:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if tuple(names) != code.co_varnames[: len(names)] or node.lineno != code.co_firstlineno:
        return False
    body = node.body
    start, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    for line, end_line, column, end_column in code.co_positions():
        if not line or not end_line or not end_column or column is None:
            continue  # prologue, or an interpreter without columns
        if (line, column) < start or (end_line, end_column) > end:
            return False
    return True


def _extent(node: ast.Lambda) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno - node.lineno, node.end_col_offset - node.col_offset


# --- Names -----------------------------------------------------------------------------------

Dependency = tuple[Any, str, Any]
"""Where a name was looked up (a module's dictionary, a closure's cell), the name, its value."""

_MISSING = object()

_CONSTANT_MODULES = frozenset({"math", "cmath", "numpy", "builtins", "speedmetal", "operator"})
"""What is in these does not change while a program runs; to look at every launch would take time.
"""


def _is_constant(module: str | None) -> bool:
    return (module or "").partition(".")[0] in _CONSTANT_MODULES


class Dependencies:
    """Every name outside the kernel that its meaning depends on, each one once."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, str], Dependency] = {}

    def add(self, namespace: Any, name: str, value: Any) -> None:
        self._found.setdefault((id(namespace), name), (namespace, name, value))

    def add_function(self, function: types.FunctionType) -> None:
        for dependency in parts_of(function):
            self.add(*dependency)

    def all(self) -> tuple[Dependency, ...]:
        return tuple(self._found.values())


def parts_of(function: types.FunctionType) -> Iterator[Dependency]:
    """What can be replaced in a function that stays the same object: its code, its defaults.

    Whoever reloads modules does so, for instance ``%autoreload 2`` of notebooks. Where there are no
    defaults, none are needed: new ones would not change what was compiled.
    """
    if _is_constant(function.__module__):
        return
    yield function, "__code__", function.__code__
    if function.__defaults__ is not None:
        yield function, "__defaults__", function.__defaults__
    if function.__kwdefaults__ is not None:
        yield function, "__kwdefaults__", function.__kwdefaults__
        for name, value in function.__kwdefaults__.items():
            yield function.__kwdefaults__, name, value


def is_current(dependency: Dependency) -> bool:
    """Whether the name still has the value with which the kernel was compiled.

    >>> names = {"scale": 2.0}
    >>> dependency = (names, "scale", names["scale"])
    >>> is_current(dependency)
    True
    >>> names["scale"] = 3.0
    >>> is_current(dependency)
    False
    """
    namespace, name, value = dependency
    if type(namespace) is dict:
        return namespace.get(name, _MISSING) is value
    try:
        return getattr(namespace, name) is value
    except (AttributeError, ValueError):  # ValueError: an empty cell
        return False


def look_up(function: types.FunctionType, name: str, dependencies: Dependencies) -> Any:
    """The value of a name that a function does not bind itself: closure, global, builtin.

    Raises:
        KeyError: Nothing has this name.
    """
    code = function.__code__
    if name in code.co_freevars:
        cell = (function.__closure__ or ())[code.co_freevars.index(name)]
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            raise KeyError(name) from None
        dependencies.add(cell, "cell_contents", value)
        return value
    value = function.__globals__.get(name, _MISSING)
    if value is not _MISSING:
        if not _is_constant(function.__module__):
            dependencies.add(function.__globals__, name, value)
        return value
    return vars(builtins)[name]


def look_up_attribute(owner: Any, name: str, dependencies: Dependencies) -> Any:
    """``owner.name`` of a module or class, noted as a dependency.

    Raises:
        AttributeError: There is none.
    """
    value = getattr(owner, name)
    if isinstance(owner, types.ModuleType):
        if not _is_constant(owner.__name__):
            dependencies.add(owner, name, value)
    elif isinstance(owner, type) and not isinstance(value, types.MethodType):
        dependencies.add(owner, name, value)  # a method of the class is a new object each time
    return value
