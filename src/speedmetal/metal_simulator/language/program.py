"""Compiles Metal Shading Language for the processor: functions that the runtime can launch."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

from speedmetal.metal_simulator import toolchain as toolchains
from speedmetal.metal_simulator.language import building, messages
from speedmetal.metal_simulator.language.preprocess import (
    Preprocessed,
    existing_folders,
    preprocess,
    relocate_error,
    tokens_of,
)
from speedmetal.metal_simulator.language.translation import (
    ENTRY,
    FACTS,
    MAXIMUM_SITE,
    Entry,
    Translation,
    translate,
)
from speedmetal.metal_simulator.language.words import Reading
from speedmetal.metal_simulator.runtime import library as runtime_library
from speedmetal.metal_simulator.runtime.records import Region
from speedmetal.metal_simulator.toolchain import Toolchain
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.parameters import Parameter
from speedmetal.system.disk_cache import default_cache

# smr::texture_facts in headers/textures.h.
_ELEMENTS = ("float", "half", "int", "uint", "short", "ushort")
_ACCESSES = ("sample", "read", "write", "read_write")
_AT_ONCE = 64  # functions of a text that are compiled together; of more, each for itself
_loaded: dict[str, Program] = {}  # by key; code is never unloaded, so none is loaded twice


@dataclass(frozen=True, slots=True)
class FunctionConstant:
    """A function constant.

    Args:
        name: Its name.
        index: Its index.
        type_text: Its type.
        is_required: Whether a function that uses it needs its value.
    """

    name: str
    index: int
    type_text: str
    is_required: bool


def region_of(parameter: Parameter, address: int, size_bytes: int, bytes_before: int = 0) -> Region:
    """Memory that is bound to a parameter, as messages tell of it."""
    return Region(
        *(address, size_bytes, parameter.name, parameter.pointee, parameter.size_bytes),
        bytes_before=bytes_before,
    )


@dataclass(frozen=True, eq=False, slots=True)
class Function:
    """A kernel that can be launched.

    Args:
        name: The name by which the host asks for it.
        parameters: The parameters that it gets.
        uses_fibers: Whether its threads may wait for each other: it may reach a barrier or a
            function of simdgroups or quadgroups.
        static_threadgroup_bytes: Of its own declarations of threadgroup memory.
        constants: The function constants that it may use.
        max_threads: ``[[max_total_threads_per_threadgroup(n)]]``; None: none stated.
        arrays: Its declarations of threadgroup memory, by number, without addresses.
        text: As it was compiled, for messages.
        stage: ``kernel``; or of what else the text has, such as ``vertex``, which has no code.
    """

    name: str
    parameters: tuple[Parameter, ...]
    uses_fibers: bool
    static_threadgroup_bytes: int
    constants: tuple[FunctionConstant, ...]
    max_threads: int | None
    arrays: Mapping[int, Region]
    text: str = field(repr=False)
    stage: str
    _address: int
    _missing: MslError | None = None

    def threadgroup_arrays(self, sizes: Mapping[int, int]) -> dict[int, Region]:
        """Its threadgroup memory, as `Dispatch.threadgroup_arrays` has it.

        Args:
            sizes: Bytes of the ``[[threadgroup(n)]]`` parameters, by ``n``.
        """
        given = {
            -1 - parameter.index: region_of(parameter, 0, sizes.get(parameter.index, 0))
            for parameter in self.parameters
            if parameter.role == "threadgroup"
        }
        return {**self.arrays, **given}

    @property
    def entry(self) -> int:
        """The address of the function's code, of type ``smr_entry`` in runtime/abi.h.

        Raises:
            MslError: A function constant that it needs has no value, or it is one that the
                simulator leaves out.
        """
        if self._missing is not None:
            raise self._missing
        return self._address


@dataclass(frozen=True, eq=False, slots=True)
class Program:
    """Compiled text; its code stays loaded.

    Args:
        functions: By name. Those of a text with very many are compiled when they are asked for.
        constants: All function constants of the text.
    """

    functions: Mapping[str, Function]
    constants: tuple[FunctionConstant, ...]


def compile_source(
    source: str,
    *,
    language_version: tuple[int, int] = (3, 1),
    defines: Mapping[str, str] | None = None,
    constants: Mapping[int | str, object] | None = None,
    fast_math: bool = False,
    check_races: bool = False,
    include_folders: Sequence[str | Path] = (),
    functions: Sequence[str] | None = None,
) -> Program:
    """Compile a text for the processor; the result is kept in this process, and on disk.

    Args:
        source: The text.
        language_version: Of the language, as in MTLCompileOptions.
        defines: Macros.
        constants: Values of function constants, by index or name.
        fast_math: Whether the compiler may take NaN and infinities for impossible, as Metal's
            does by default; results are then not those of IEEE arithmetic.
        check_races: Whether accesses to memory are reported to the runtime, which needs it for
            ``Settings.check_races``.
        include_folders: Where ``#include "..."`` looks; by default nowhere.
        functions: Names of the functions that are needed; by default all.

    Raises:
        MslError: The text is not valid, or uses what the simulator does not know.
        UserInputError: A folder is not there, or a constant cannot have its value.
        DeviceError: There is no compiler for the simulator.
    """
    request = _Request(
        source,
        language_version,
        dict(defines or {}),
        dict(constants or {}),
        fast_math,
        check_races,
        existing_folders(include_folders),
        None if functions is None else frozenset(functions),
    )
    return _program(request)


def _program(request: _Request) -> Program:
    toolchain = toolchains.find()
    included = ""
    if request.include_folders:  # what is there may change without the text changing
        included = request.preprocess_source(toolchain).text
    key = request.key(toolchain, included)
    if key not in _loaded:
        content = default_cache().get_or_build(key, lambda: _compile_request(request, toolchain))
        program = _load_program(request, content)
        _loaded.setdefault(key, program)  # another thread may have been first
    return _loaded[key]


@dataclass(frozen=True)
class _Request:
    source: str
    language_version: tuple[int, int]
    defines: dict[str, str]
    constants: dict[int | str, object]
    fast_math: bool
    check_races: bool
    include_folders: tuple[Path, ...]
    functions: frozenset[str] | None

    def preprocess_source(self, toolchain: Toolchain) -> Preprocessed:
        return preprocess(
            self.source,
            toolchain,
            language_version=self.language_version,
            defines=self.defines,
            include_folders=self.include_folders,
        )

    def key(self, toolchain: Toolchain, included: str) -> str:
        values = sorted((str(key), repr(value)) for key, value in self.constants.items())
        names = None if self.functions is None else sorted(self.functions)
        parts = (
            self.source,
            self.language_version,
            sorted(self.defines.items()),
            values,
            names,
            self.flags(),
            included,
        )
        digest = blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
        return f"msl-program:{building.identity(toolchain)}:{digest}"

    def flags(self) -> list[str]:
        return building.flags_of(
            Reading.SIMULATED, fast_math=self.fast_math, check_races=self.check_races
        )


@dataclass(frozen=True)
class _Described:
    """What a cached library does not say itself."""

    functions: list[dict[str, Any]] = field(default_factory=list)
    constants: list[dict[str, Any]] = field(default_factory=list)
    arrays: list[dict[str, str]] = field(default_factory=list)
    text: str = ""  # that was compiled
    later: list[str] = field(default_factory=list)  # functions to be compiled when asked for


def _compile_request(request: _Request, toolchain: Toolchain) -> bytes:
    """The description and the library, in one."""
    text = request.preprocess_source(toolchain)
    tokens = tokens_of(text)
    try:
        translation = translate(
            tokens, Reading.SIMULATED, constants=request.constants, functions=request.functions
        )
    except MslError as error:
        raise relocate_error(error, text) from None
    entries, later = translation.entries, []
    if request.functions is None and len(entries) > _AT_ONCE:
        later = [entry.name for entry in entries]
        entries = ()
        translation = translate(
            tokens, Reading.SIMULATED, constants=request.constants, functions=frozenset()
        )
    lined = messages.with_lines(translation.rewritten, text)
    library = _library(lined, translation, text, request, toolchain)
    described = _Described(
        [_description(entry, tokens.place, text) for entry in entries],
        [_constant(constant) for constant in translation.constants],
        [asdict(array) for array in translation.arrays],
        lined,
        later,
    )
    head = json.dumps(asdict(described)).encode()
    return len(head).to_bytes(8, "little") + head + library


def _library(
    lined: str,
    translation: Translation,
    text: Preprocessed,
    request: _Request,
    toolchain: Toolchain,
) -> bytes:
    flags = request.flags()
    done = building.compile_text(toolchain, lined, Reading.SIMULATED, flags)
    if done.output is None:
        plain = building.with_library(toolchain, Reading.SIMULATED, flags)
        found = messages.read_messages(
            toolchain.check(translation.rewritten.text, plain) or done.messages,
            translation.rewritten,
            text,
        )
        errors = [diagnostic for diagnostic in found if diagnostic.severity == "error"]
        raise MslError(errors or [messages.make_unplaced_fault(done.messages)], text.source)
    return toolchain.link([done.output])


def _description(entry: Entry, place: Any, text: Preprocessed) -> dict[str, Any]:
    missing = [entry.omission] if entry.omission else []
    missing += [
        f"the function constant {c.name} (index {c.index}, {c.type_text}) has no value, and the "
        f"function {entry.name} needs it; give it with setConstantValue:type:atIndex:, or ask "
        f"is_function_constant_defined({c.name}) in the text"
        for c in entry.missing
    ]
    return {
        "number": entry.number,
        "name": entry.name,
        "parameters": [asdict(replace(p.parameter, is_optional=False)) for p in entry.parameters],
        "places": entry.places,
        "signature_length": entry.signature_length,
        "uses_fibers": entry.uses_fibers,
        "constants": [_constant(c) for c in entry.constants],
        "missing": missing,
        "stage": entry.stage,
        "place": text.place(*place(entry.declaration.name_index)),
    }


def _constant(constant: Any) -> dict[str, Any]:
    return {
        "name": constant.name,
        "index": constant.index,
        "type_text": constant.type_text,
        "is_required": constant.is_required,
    }


def _load_program(request: _Request, content: bytes) -> Program:
    length = int.from_bytes(content[:8], "little")
    described = _Described(**json.loads(content[8 : 8 + length]))
    runtime_library.runtime()  # whose names the library needs
    loaded = runtime_library.load_bytes(content[8 + length :])
    rows = _rows(loaded)
    functions = {
        facts["name"]: _function(facts, loaded, rows, described, request.source)
        for facts in described.functions
    }
    constants = tuple(FunctionConstant(**constant) for constant in described.constants)
    if described.later:
        return Program(_Later(request, described.later), constants)
    return Program(MappingProxyType(functions), constants)


class _Later(Mapping[str, Function]):
    """The functions of a large text: each is compiled when it is asked for."""

    def __init__(self, request: _Request, names: list[str]) -> None:
        self._request = request
        self._names = dict.fromkeys(names)
        self._found: dict[str, Function] = {}

    def __getitem__(self, name: str) -> Function:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._found:
            one = replace(self._request, functions=frozenset({name}))
            self._found[name] = _program(one).functions[name]
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


_Row = tuple[int, int, int, int, int]


def _rows(loaded: ctypes.CDLL) -> list[_Row]:
    """The table of threadgroup memory: entry, declaration, size, alignment, size of an element."""
    begin, end = (
        ctypes.c_size_t.in_dll(loaded, name).value for name in ("smr_sites_begin", "smr_sites_end")
    )
    numbers = (ctypes.c_uint64 * ((end - begin) // 8)).from_address(begin)
    return [tuple(numbers[i : i + 5]) for i in range(0, len(numbers), 6)]  # type: ignore[misc]


def _parameter(given: Mapping[str, Any], size: int, alignment: int) -> Parameter:
    """A parameter, of which the compiler told two numbers: of textures other ones."""
    told: dict[str, Any]
    if given["role"] == "texture":
        told = {"elements": _ELEMENTS[size], "access": _ACCESSES[alignment]}
    else:
        told = {"size_bytes": size, "alignment": alignment}
    return Parameter(**{**given, **told})


def _function(
    facts: dict[str, Any],
    loaded: ctypes.CDLL,
    rows: list[_Row],
    described: _Described,
    source: str,
) -> Function:
    number = facts["number"]
    constants = tuple(FunctionConstant(**constant) for constant in facts["constants"])
    if facts["missing"]:
        line, column = facts["place"]
        found = [MslDiagnostic(line, column, "error", text) for text in facts["missing"]]
        parameters = tuple(Parameter(**given) for given in facts["parameters"])
        return Function(
            facts["name"],
            parameters,
            facts["uses_fibers"],
            0,
            constants,
            None,
            {},
            "",
            facts["stage"],
            0,
            MslError(found, source),
        )
    total = facts["signature_length"] + 1
    table = (ctypes.c_uint32 * (2 * total)).in_dll(loaded, FACTS.format(number))
    parameters = tuple(
        _parameter(given, table[i], table[total + i])
        for i, given in zip(facts["places"], facts["parameters"], strict=True)
    )
    own = {row[1]: row for row in rows if row[0] == number}
    maximum = own.pop(MAXIMUM_SITE, None)
    static = sum(-(-size // alignment) * alignment for _, _, size, alignment, _ in own.values())
    address = ctypes.cast(getattr(loaded, ENTRY.format(number)), ctypes.c_void_p).value
    assert address is not None
    return Function(
        facts["name"],
        parameters,
        facts["uses_fibers"],
        static,
        constants,
        None if maximum is None else maximum[2],
        {
            site: Region(
                0, size, described.arrays[site]["name"], described.arrays[site]["element"], element
            )
            for _, site, size, _, element in own.values()
        },
        described.text,
        facts["stage"],
        address,
    )


__all__ = [
    "Function",
    "FunctionConstant",
    "MslDiagnostic",
    "MslError",
    "Program",
    "compile_source",
]
