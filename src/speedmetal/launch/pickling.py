"""Kernels in other processes: pickled by name, as functions are, or else by source.

By source goes the text of a function, and what the names in it stand for: other functions in the
same way where no module has them, modules by name, and whatever else as the pickler at work does.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import sys
import types
from typing import Any, Protocol

from speedmetal.common.records import record
from speedmetal.errors import CompileError, UserInputError
from speedmetal.frontend.capture import Captured, capture
from speedmetal.frontend.sources import give_source
from speedmetal.frontend.wrapped import function_of
from speedmetal.launch.parameters import static_annotations

_MAIN = "__main__"


class Kernel(Protocol):
    """What pickling needs of :class:`speedmetal.Kernel`, which cannot be imported here."""

    function: types.FunctionType
    name: str

    @property
    def options(self) -> tuple[Any, ...]:
        """The arguments of ``@sm.kernel``: the name that was given, the debug level."""


@record
class _Module:
    """A module, which is imported where it is needed."""

    name: str


@record
class _Function:
    """A function by its source.

    Args:
        module: Where it was defined.
        name: Its ``__qualname__``.
        file: The name of its file, for messages.
        text: Its ``def``, or a lambda, at its line of the file.
        defaults: The defaults of its parameters, and those of keyword-only ones.
        names: What the names in it stand for.
        annotations: Those that say ``static``; no other annotation counts.
    """

    module: str
    name: str
    file: str
    text: str
    defaults: tuple[tuple[Any, ...], dict[str, Any]]
    names: dict[str, Any]
    annotations: dict[str, Any]


def reduce_kernel(kernel: Kernel) -> str | tuple[Any, ...]:
    """What ``__reduce__`` of a kernel gives.

    The program that is started is another one in each process (``__main__``). What it defines is
    looked for there, and made from its source where it is not found.

    Raises:
        UserInputError: Nothing finds the kernel in another process.
    """
    module, name = kernel.function.__module__, _name_of(kernel)
    if name and module != _MAIN:
        return name
    try:
        by_source = _pack_function(kernel.function, ())
    except CompileError:
        if name:
            return name
        raise UserInputError(
            f"kernel {kernel.name!r} cannot be pickled: no name of module {module!r} is this"
            " kernel, and its source is not available; define it at the top level of a module, or"
            " give the text: @sm.kernel(source=...)"
        ) from None
    return _restore_kernel, (type(kernel), by_source, name, *kernel.options)


def _name_of(kernel: Kernel) -> str:
    """The name by which the kernel's module has it; empty where it has none."""
    module = sys.modules.get(kernel.function.__module__ or "")
    qualified = kernel.function.__qualname__
    if _find_attribute(module, qualified) is kernel:
        return qualified
    for name, value in list(vars(module).items()) if module else ():
        if value is kernel:
            return name
    return ""


def _find_attribute(module: types.ModuleType | None, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _pack_function(
    function: types.FunctionType, callers: tuple[types.FunctionType, ...]
) -> _Function:
    """A function by its source; the names of those that call it are left out.

    Raises:
        CompileError: Its source is not available.
    """
    captured = capture(function)
    callers = (*callers, function)
    names = {
        name: _pack_value(value, callers)
        for name, value in _names_in(function, captured).items()
        if all(function_of(value) is not caller for caller in callers)
    }
    keyword_defaults = function.__kwdefaults__ or {}
    return _Function(
        function.__module__ or _MAIN,
        function.__qualname__,
        function.__code__.co_filename,
        _text_of(captured),
        (
            tuple(_pack_value(value, callers) for value in function.__defaults__ or ()),
            {name: _pack_value(value, callers) for name, value in keyword_defaults.items()},
        ),
        names,
        static_annotations(function),
    )


def _pack_value(value: Any, callers: tuple[types.FunctionType, ...]) -> Any:
    if isinstance(value, types.ModuleType):
        return _Module(value.__name__)
    function = function_of(value)
    if function is None or _is_importable(value):
        return value
    return _pack_function(function, callers)


def _is_importable(value: Any) -> bool:
    if value.__module__ == _MAIN:
        return False
    return _find_attribute(sys.modules.get(value.__module__ or ""), value.__qualname__) is value


def _names_in(function: types.FunctionType, captured: Captured) -> dict[str, Any]:
    """What the names in a function's body stand for, those aside that it binds itself."""
    known = {**function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not assigned yet
            known[name] = cell.cell_contents
    body = captured.node.body
    names = {
        node.id
        for part in (body if isinstance(body, list) else [body])
        for node in ast.walk(part)
        if isinstance(node, ast.Name)
    }
    return {name: known[name] for name in sorted(names & known.keys())}


def _text_of(captured: Captured) -> str:
    """The function's text without decorators, at its line of the file."""
    node = captured.node
    span = captured.source.span(node)
    if isinstance(node, ast.Lambda):
        return "\n" * (span.line - 1) + f"({ast.unparse(node)})\n"
    lines = [span.text.line(number) for number in range(span.line, span.end_line + 1)]
    before = "\n" * (span.line - 1)
    if lines[0][:1].isspace():
        before = before[:-1] + "if True:\n"  # so that the columns stay, too
    return before + "\n".join(lines) + "\n"


# --- In the other process ------------------------------------------------------------------------


def _restore_kernel(
    cls: type[Any], by_source: _Function, name: str, given_name: str | None, debug: int | None
) -> Kernel:
    """The program's own kernel of this name and text, or one made from the text."""
    known = _find_attribute(sys.modules.get(_MAIN), name) if name else None
    if isinstance(known, cls) and _has_text(known.function, by_source.text):
        kernel: Kernel = known
    else:
        kernel = cls(_unpack_function(by_source), name=given_name, debug=debug)
    return kernel


def _has_text(function: types.FunctionType, text: str) -> bool:
    with contextlib.suppress(CompileError):
        return _text_of(capture(function)) == text
    return False


def _unpack_value(value: Any) -> Any:
    if isinstance(value, _Module):
        return importlib.import_module(value.name)
    return _unpack_function(value) if isinstance(value, _Function) else value


def _unpack_function(packed: _Function) -> types.FunctionType:
    names = {"__name__": packed.module, "__builtins__": builtins}
    names |= {name: _unpack_value(value) for name, value in packed.names.items()}
    code = compile(packed.text, packed.file, "exec", dont_inherit=True)
    # The function's own code is taken out: its defaults and annotations are not evaluated again.
    # It comes last, behind functions among these.
    *_, own = (part for part in code.co_consts if isinstance(part, types.CodeType))
    positional, by_name = packed.defaults
    function = types.FunctionType(own, names, own.co_name, tuple(map(_unpack_value, positional)))
    by_name = {key: _unpack_value(value) for key, value in by_name.items()}
    function.__kwdefaults__ = by_name or None
    function.__annotations__ = dict(packed.annotations)
    function.__module__, function.__qualname__ = packed.module, packed.name
    give_source(function, packed.text)
    return function
