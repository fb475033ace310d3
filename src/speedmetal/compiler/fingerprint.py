"""What a kernel means, as a short text that is the same in every process: its key on disk.

It is found without parsing: from the source text of the kernel and of every function that it
refers to, and the values of the names in them. Everything that the text names counts, used or not,
so that two kernels with the same fingerprint are the same program; the reverse need not hold.
"""

from __future__ import annotations

import enum
import functools
import inspect
import itertools
import os
import re
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from speedmetal.dtypes import DType
from speedmetal.frontend.capture import Dependency, end_of_body, parts_of
from speedmetal.frontend.signature import (
    Argument,
    ArrayArgument,
    ExpressionArgument,
    FollowedArgument,
    ScalarArgument,
    StaticArgument,
    TupleArgument,
    field_names,
    is_dataclass,
    is_record_class,
    keywords_of,
    record_defaults,
    record_fields,
    record_items,
)
from speedmetal.frontend.sources import lines_of
from speedmetal.frontend.static import static
from speedmetal.frontend.wrapped import function_of
from speedmetal.system.digest import blake2b

_WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")
_PLAIN = (bool, int, float, complex, str, bytes, types.NoneType, types.EllipsisType, slice, range)
_NAMED = (types.BuiltinFunctionType, types.MethodDescriptorType, np.ufunc)
# Modules whose functions are the same wherever the same versions are installed.
_FIXED_MODULES = frozenset(
    {"builtins", "math", "cmath", "numpy", "speedmetal", "operator", "typing", "functools"}
)
_CLOSING = frozenset(")]}")
"""What a line may begin with that belongs to what stands before it."""


class UnkeyableError(Exception):
    """Something has no text that is the same in every process: the disk cache cannot be used."""


class Fingerprint:
    """Collects the parts of one kernel's fingerprint.

    Args:
        with_places: Whether files and line numbers count: where a failure shows them.

    Attributes:
        dependencies: Every name that was looked at, with its value: what a launch must look at
            again.
    """

    def __init__(self, *, with_places: bool) -> None:
        self._with_places = with_places
        self.dependencies: list[Dependency] = []
        self._parts: list[str] = []
        self._numbers: dict[int, int] = {}  # of functions, classes and modules, in order
        self._modules: set[str] = set()  # that are being looked at
        self._kept: list[object] = []  # so that no two have one address

    def digest(self) -> str:
        """The digest of everything that was added, in hexadecimal."""
        return blake2b("\0".join(self._parts).encode(), digest_size=20).hexdigest()

    def add(self, value: Any) -> None:
        """Add a value that the kernel may use.

        Raises:
            UnkeyableError: It cannot be described.
        """
        kind = type(value)
        self._parts.append(f"{kind.__module__}.{kind.__qualname__}")
        if isinstance(value, enum.Enum):
            self._parts.append(value.name)
            self.add(value.value)
        elif isinstance(value, (*_PLAIN, np.generic, np.dtype, DType)):
            self._parts.append(repr(value))
        elif _is_of_ours(kind) and isinstance(getattr(value, "name", None), str):
            self._parts.append(value.name)  # intrinsics and constructs; their tables are ours
        elif isinstance(value, static):
            self.add(value.value)
        elif isinstance(value, tuple):
            self._parts.append(str(len(value)))
            for item in value:
                self.add(item)
        elif isinstance(value, _NAMED) or _is_fixed(value):
            self._parts.append(f"{_module_of(value)}.{value.__name__}")
        else:
            self._add_once(value)

    def _add_once(self, value: Any) -> None:
        """Functions, classes, modules and records: what may refer to itself."""
        number = self._numbers.get(id(value))
        if number is not None:
            self._parts.append(f"#{number}")
            return
        self._numbers[id(value)] = len(self._numbers)
        self._kept.append(value)
        function = function_of(value)
        if function is value:
            self._add_function(function)
        elif isinstance(value, functools.partial | types.MethodType):
            self.add((record_items(value), keywords_of(value)))
        elif function is not None:  # a kernel's
            self.add(function)
        elif isinstance(value, types.ModuleType):
            self._parts.append(value.__name__)
        elif isinstance(value, type):
            self._add_class(value)
        elif is_dataclass(kind := type(value)):
            self.add(kind)
            for name in field_names(kind):
                self.add(getattr(value, name))
        else:
            raise UnkeyableError(f"a {type(value).__name__}")

    def _add_class(self, cls: type) -> None:
        self._parts.append(f"{cls.__module__}.{cls.__qualname__}")
        if is_record_class(cls):
            self.add(field_names(cls))
            self.dependencies.append((cls, *record_fields(cls)))
            for name, default in sorted(record_defaults(cls).items()):
                self._parts.append(name)
                self._describes(default)
        for base in cls.__mro__:
            if _is_fixed(base):
                continue
            for name, value in sorted(vars(base).items()):
                if name.startswith("__") and not isinstance(value, types.FunctionType):
                    continue  # documentation, annotations, and what Python itself keeps there
                self._parts.append(name)
                self._add_member(base, name, value)

    def _add_member(self, cls: type, name: str, value: Any) -> None:
        if self._describes(_plain_function(value)):
            seen = getattr(cls, name)
            if not isinstance(seen, types.MethodType):  # a method of the class: new each time
                self.dependencies.append((cls, name, seen))

    def _add_function(self, function: types.FunctionType) -> None:
        self.dependencies += parts_of(function)
        code = function.__code__
        text = source_block(function)
        self._parts.append(text)
        if self._with_places:
            self._parts += (code.co_filename, str(code.co_firstlineno))
        if code.co_name == "<lambda>":  # which one of the line
            self._parts.append(repr(list(code.co_positions())))
        self.add(function.__defaults__)
        self.add(tuple(sorted((function.__kwdefaults__ or {}).items())))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self.dependencies.append((cell, "cell_contents", value))
            self._parts.append(name)
            self.add(value)
        self._add_globals(function, text)

    def _add_globals(self, function: types.FunctionType, text: str) -> None:
        code, known = function.__code__, function.__globals__
        loaded = set(_names(code))
        hidden = {*code.co_varnames, *code.co_freevars, *code.co_cellvars}
        for name in sorted(
            {*_WORD.findall(text)} - hidden - {code.co_name} | ({code.co_name} & loaded)
        ):
            if name not in known:
                continue
            value = known[name]
            self._parts.append(name)
            if name in loaded:
                self.dependencies.append((known, name, value))
                self.add(value)
            else:  # in a comment, or an annotation of a local name, which leaves no instruction
                self._add_leniently(known, name, value)
            if isinstance(value, types.ModuleType) and not _is_fixed(value):
                self._add_attributes(value, loaded)

    def _add_attributes(self, module: types.ModuleType, names: set[str]) -> None:
        if module.__name__ in self._modules:
            return
        self._modules.add(module.__name__)
        for name in sorted(names & vars(module).keys()):
            value = vars(module)[name]
            self._parts.append(name)
            self._add_leniently(module, name, value)
            if isinstance(value, types.ModuleType) and not _is_fixed(value):
                self._add_attributes(value, names)
        self._modules.discard(module.__name__)  # another function may name others of its attributes

    def _add_leniently(self, namespace: Any, name: str, value: Any) -> None:
        """Add a name that is probably not used."""
        if self._describes(value):
            self.dependencies.append((namespace, name, value))

    def _describes(self, value: Any) -> bool:
        """Add a value; what cannot be described counts by its type."""
        before = len(self._parts), len(self.dependencies), dict(self._numbers)
        try:
            self.add(value)
        except UnkeyableError:
            parts, dependencies, self._numbers = before
            del self._parts[parts:], self.dependencies[dependencies:]
            self._parts.append(type(value).__name__)
            return False
        return True

    def add_argument(self, argument: Argument) -> None:
        """Add the type of an argument of the call."""
        if isinstance(argument, ArrayArgument):
            self._parts.append(f"{argument.type} {argument.type.unit_axis}")
        elif isinstance(argument, ScalarArgument):
            self._parts.append(f"{argument.dtype} {argument.weak}")
        elif isinstance(argument, TupleArgument):
            self._parts.append(f"tuple {len(argument.items)} {argument.keywords}")
            self.add(argument.cls)
            for item in argument.items:
                self.add_argument(item)
        elif isinstance(argument, ExpressionArgument):
            parts = argument.structure.digest, argument.rank, argument.axes, argument.memory
            self._parts.append(" ".join(map(str, parts)))
            for leaf in argument.leaves:
                self.add_argument(leaf)
        elif isinstance(argument, FollowedArgument):
            self._parts.append(f"{argument.structure.digest} {argument.hole} {argument.axes}")
            for leaf in (argument.target, *argument.leaves):
                self.add_argument(leaf)
        else:
            assert isinstance(argument, StaticArgument)
            self.add(argument.value)


def source_block(function: types.FunctionType) -> str:
    """The lines of a function; of a lambda those that its instructions come from.

    Raises:
        UnkeyableError: There is no source.
    """
    code, lines = function.__code__, lines_of(function)
    first = code.co_firstlineno - 1
    if not 0 <= first < len(lines):
        raise UnkeyableError(f"{code.co_filename} has no line {first + 1}")
    if code.co_name == "<lambda>":
        return "".join(lines[first : _last_line(code)])
    end = end_of_body(code, lines)
    closing = itertools.takewhile(lambda line: line.lstrip()[:1] in _CLOSING, lines[end:])
    text = "".join((*lines[first:end], *closing))
    # `inspect.getblock` is always right, but its first call prepares a tokenizer for 10 ms.
    return text if _is_whole(text) else "".join(inspect.getblock(lines[first:]))


def _is_whole(text: str) -> bool:
    """Whether no string and no bracket of a text is open at its end; False where in doubt."""
    is_closed = all(text.count(quotes) % 2 == 0 for quotes in ('"""', "'''"))
    is_balanced = all(text.count(left) == text.count(right) for left, right in ("()", "[]", "{}"))
    return is_closed and is_balanced and not text.rstrip().endswith("\\")


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _last_line(code: types.CodeType) -> int:
    return max(line for part in _codes(code) for *_, line in part.co_lines() if line)


def _names(code: types.CodeType) -> Iterator[str]:
    for part in _codes(code):
        yield from part.co_names


def _module_of(value: Any) -> str:
    name = value.__name__ if isinstance(value, types.ModuleType) else None
    return name or getattr(value, "__module__", None) or "builtins"


def _plain_function(value: Any) -> Any:
    """The function behind a static method, a class method or a property."""
    if isinstance(value, property):
        return value.fget
    return getattr(value, "__func__", value)


def _is_of_ours(kind: type) -> bool:
    return kind.__module__.startswith("speedmetal.intrinsics.")


def _is_fixed(value: Any) -> bool:
    """Whether it belongs to a library whose version tells all about it."""
    if not isinstance(getattr(value, "__name__", None), str):
        return False
    if "<" in str(getattr(value, "__qualname__", "")):
        return False  # made by a function: many have this name
    module = _module_of(value).partition(".")[0]
    # Python calls functions of a nameless namespace "builtins".
    is_nameless = isinstance(value, types.FunctionType) and module == "builtins"
    return module in _FIXED_MODULES and not is_nameless


@functools.cache
def package_identity() -> str:
    """Of the installed speedmetal: changes with every change of its files, and of NumPy's version.

    Sizes and times of the files are taken, not their content: reading them all takes longer than
    a launch may.
    """
    state = [np.__version__, *_files(_PACKAGE)]
    return blake2b("\n".join(state).encode(), digest_size=20).hexdigest()


_PACKAGE = __file__.rpartition("/compiler/")[0]
_OTHER_FOLDERS = frozenset({"bench", "__pycache__"})


def _files(folder: str) -> Iterator[str]:
    """Names, sizes and times of all files below that may have to do with kernels' code."""
    with os.scandir(folder) as entries:  # twice as fast as by pathlib
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                if entry.name not in _OTHER_FOLDERS:
                    yield entry.name
                    yield from _files(entry.path)
            elif entry.name.endswith((".py", ".ll")):
                found = entry.stat()
                yield f"{entry.name} {found.st_size} {found.st_mtime_ns}"
