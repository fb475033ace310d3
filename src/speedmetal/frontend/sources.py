"""Where the source of a function is: a file, a notebook's cell, the command line, a given text."""

from __future__ import annotations

import ast
import functools
import linecache
import sys
import textwrap
import types
import weakref

from speedmetal.common.records import record
from speedmetal.errors import UserInputError
from speedmetal.frontend.notebooks import cell_of, codes_in


@record(eq=False)
class _Given:
    """A text that the user has given for a function, and its lines where the function has them."""

    text: str
    lines: list[str]


_GIVEN: weakref.WeakKeyDictionary[types.FunctionType, _Given] = weakref.WeakKeyDictionary()

_NAMES_OF_MANY = frozenset({"<string>", "<stdin>"})
"""What Python calls the files of functions that come from no file: all of them."""


def give_source(function: types.FunctionType, text: str) -> None:
    """Say where a function comes from whose source Python does not keep.

    Args:
        function: Defined by ``exec``, for instance.
        text: What was executed, or the function's ``def`` alone.

    Raises:
        UserInputError: The function is not in the text.
    """
    lines = text.splitlines(keepends=True)
    if not _makes(text, function.__code__):
        lines = _move_lines(function, text)
    _GIVEN[function] = _Given(text, lines)


def _move_lines(function: types.FunctionType, text: str) -> list[str]:
    """The lines of a text with the function's ``def``, moved to where its code says that it is."""
    code, text = function.__code__, textwrap.dedent(text)
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise UserInputError(
            f"the source given for {code.co_name!r} is no Python: {error.msg}, in line"
            f" {error.lineno}"
        ) from None
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or node.name != code.co_name:
            continue
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        if tuple(names) == parameters:
            first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
            before = ["\n"] * (code.co_firstlineno - 1)
            return before + text.splitlines(keepends=True)[first - 1 :]
    raise UserInputError(
        f"the source given for {code.co_name!r} has no def {code.co_name}({', '.join(parameters)});"
        " give the text that was executed, or that of the function"
    )


def lines_of(function: types.FunctionType) -> list[str]:
    """The lines of the file or text that a function stands in; none where unknown."""
    given = _GIVEN.get(function) or _given_beside(function)
    if given is not None:
        return given.lines
    code = function.__code__
    name = code.co_filename
    linecache.checkcache(name)
    lines = linecache.getlines(name, function.__globals__)
    if name in _NAMES_OF_MANY:
        texts = ("".join(lines), _command())
        found = (text for text in texts if _makes(text, code))
        lines = next(found, "").splitlines(keepends=True)
    return lines or cell_of(code)


def place_of(function: types.FunctionType) -> str:
    """What tells equal code of two places apart: a file's name, or the text that was given."""
    given = _GIVEN.get(function)
    return function.__code__.co_filename if given is None else given.text


def _given_beside(function: types.FunctionType) -> _Given | None:
    """The text that was given for another function which was defined together with this one."""
    if function.__code__.co_filename not in _NAMES_OF_MANY:
        return None
    for other, given in list(_GIVEN.items()):
        is_near = other.__globals__ is function.__globals__
        if is_near and _makes(given.text, function.__code__):
            found = _Given(given.text, given.text.splitlines(keepends=True))
            _GIVEN[function] = found
            return found
    return None


def _makes(text: str, code: types.CodeType) -> bool:
    """Whether Python makes this very code of a text."""
    return bool(text) and code in _codes(text, code.co_filename)


@functools.lru_cache(maxsize=8)
def _codes(text: str, name: str) -> frozenset[types.CodeType]:
    return frozenset(codes_in(text, name, functools.partial(compile, dont_inherit=True)))


@functools.cache
def _command() -> str:
    """The program of ``python -c PROGRAM``, which Python forgets before 3.13; or nothing."""
    if not sys.argv or sys.argv[0] != "-c":
        return ""
    options = iter(sys.orig_argv[1:])
    for option in options:
        if option == "--check-hash-based-pycs":
            next(options)
        letters = "" if option.startswith("--") else option[1:]
        for place, letter in enumerate(letters, start=2):
            if letter in "cWX":  # the options with a value, which may follow without a blank
                value = option[place:] or next(options, "")
                if letter == "c":
                    return value
                break
    return ""
