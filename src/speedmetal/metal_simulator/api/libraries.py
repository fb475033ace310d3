"""Libraries: MSL text that is compiled, its functions and their constants."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import ctypes
import hashlib
import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.foundation import Error, failure
from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.validation import MetalValidationError, require

if TYPE_CHECKING:
    from speedmetal.metal_simulator.language.program import Function as CompiledFunction
    from speedmetal.metal_simulator.language.program import Program

_FAST = sdk.ENUMERATIONS["MTLMathModeFast"]
_SAFE = sdk.ENUMERATIONS["MTLMathModeSafe"]
_NEWEST_LANGUAGE = {14: (3, 1), 15: (3, 2), 26: (4, 0)}

# The struct module's letter of each scalar; BFloat has none: it is the upper half of a float.
_LETTERS = {
    "Float": "f", "Half": "e", "Int": "i", "UInt": "I", "Short": "h", "UShort": "H",
    "Char": "b", "UChar": "B", "Bool": "?", "Long": "q", "ULong": "Q",
}  # fmt: skip


def newest_language(system: System) -> tuple[int, int]:
    """The newest version of the Metal language that this macOS compiles."""
    major = system.configuration.os_version[0]
    return max(version for since, version in _NEWEST_LANGUAGE.items() if since <= max(major, 14))


class CompileOptions(Native):
    """``MTLCompileOptions``: fast math is on unless it is switched off."""

    OWNER = "MTLCompileOptions"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "preprocessorMacros": None,
        "mathFloatingPointFunctions": 0,
        "preserveInvariance": False,
        "optimizationLevel": 0,
        "maxTotalThreadsPerThreadgroup": 0,
        "enableLogging": False,
        "mathMode": _FAST,
    }

    __slots__ = ("_version",)

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self._version = newest_language(system)

    def fastMathEnabled(self) -> bool:
        return bool(self.properties["mathMode"] == _FAST)

    def setFastMathEnabled_(self, enabled: bool) -> None:  # noqa: FBT001
        self.properties["mathMode"] = _FAST if enabled else _SAFE

    def languageVersion(self) -> int:
        major, minor = self._version
        return major << 16 | minor

    def setLanguageVersion_(self, version: int) -> None:
        require(
            version in _LANGUAGE_VERSIONS,
            f"setLanguageVersion: {version} is no constant of MTLLanguageVersion",
        )
        self._version = (version >> 16, version & 0xFFFF)

    def arguments(self) -> dict[str, Any]:
        """The options as keyword arguments of the simulator's compiler."""
        macros = self.properties["preprocessorMacros"] or {}
        return {
            "language_version": self._version,
            "defines": {str(name): str(value) for name, value in macros.items()},
            "fast_math": self.properties["mathMode"] != _SAFE,
        }


_LANGUAGE_VERSIONS = frozenset(
    value for name, value in sdk.ENUMERATIONS.items() if name.startswith("MTLLanguageVersion")
)


class Library(Labelled):
    """``MTLLibrary``."""

    OWNER = "MTLLibrary"

    __slots__ = ("_arguments", "_programs", "source")

    def __init__(
        self, system: System, device: Native, source: str, arguments: Mapping[str, Any]
    ) -> None:
        super().__init__(system, device)
        self.source = source
        self._arguments = dict(arguments)
        self._programs: dict[tuple[Any, ...], Program] = {}
        self.program({}, check_races=False)

    def program(
        self,
        constants: Mapping[int | str, Any],
        *,
        check_races: bool,
        functions: Sequence[str] | None = None,
    ) -> Program:
        """The compiled text; compiled again for other constants, or to look for races.

        Raises:
            MslError: It is not valid.
        """
        from speedmetal.metal_simulator.language.program import compile_source

        key = (check_races, functions, *constants.items())
        if key not in self._programs:
            self.system.compilations += 1
            self._programs[key] = compile_source(
                self.source,
                constants=constants,
                check_races=check_races,
                functions=functions,
                **self._arguments,
            )
        return self._programs[key]

    @property
    def identity(self) -> str:
        """What its functions' identity in archives begins with."""
        return repr((self.source, sorted(self._arguments.items())))

    def functionNames(self) -> list[str]:
        return list(self.program({}, check_races=False).functions)

    def type(self) -> int:
        return sdk.ENUMERATIONS["MTLLibraryTypeExecutable"]

    def newFunctionWithName_(self, name: str) -> Function | None:
        if name not in self.program({}, check_races=False).functions:
            return None
        return Function(self, name, None)

    def newFunctionWithName_constantValues_error_(
        self, name: str, values: FunctionConstantValues
    ) -> tuple[Function | None, Error | None]:
        if name not in self.program({}, check_races=False).functions:
            text = f"the library has no function {name!r}"
            domain, code = "MTLLibraryErrorDomain", "MTLLibraryErrorFunctionNotFound"
            return None, failure(self.system, domain, code, text)
        try:
            return Function(self, name, dict(values.values)), None
        except msl_error() as error:
            return None, compile_failure(self.system, str(error))


def msl_error() -> type[Exception]:
    """The exception of the compiler, which is imported when first needed."""
    from speedmetal.metal_simulator.language.program import MslError

    return MslError


def compile_failure(system: System, text: str) -> Error:
    """The error of a text that does not compile."""
    return failure(system, "MTLLibraryErrorDomain", "MTLLibraryErrorCompileFailure", text)


def compile_library(
    system: System, device: Native, source: str, options: CompileOptions | None
) -> tuple[Library | None, Error | None]:
    """A library, or the error with the compiler's diagnostics."""
    arguments = (options or CompileOptions(system)).arguments()
    if system.configuration.fail_compile is not None:
        return None, compile_failure(system, system.configuration.fail_compile)
    if arguments["language_version"] > newest_language(system):
        asked = ".".join(map(str, arguments["language_version"]))
        return None, compile_failure(system, f"this macOS does not know Metal language {asked}")
    try:
        return Library(system, device, source, arguments), None
    except msl_error() as error:
        return None, compile_failure(system, str(error))


class Function(Labelled):
    """``MTLFunction``, with its constants' values where it was specialised."""

    OWNER = "MTLFunction"

    __slots__ = ("_name", "constants", "library")

    def __init__(
        self, library: Library, name: str, constants: Mapping[int | str, Any] | None
    ) -> None:
        super().__init__(library.system, library.device())
        self._name = name
        self.library = library
        self.constants = constants
        self.compile_for_host(check_races=False)

    def compile_for_host(self, *, check_races: bool) -> CompiledFunction:
        """The function of this machine."""
        if self.constants is None:
            program = self.library.program({}, check_races=check_races)
        else:
            program = self.library.program(
                self.constants, check_races=check_races, functions=(self._name,)
            )
        return program.functions[self._name]

    @property
    def missing_constants(self) -> list[str]:
        """Names of the required constants that have no value."""
        given = self.constants or {}
        return [
            constant.name
            for constant in self.compile_for_host(check_races=False).constants
            if constant.is_required and not {constant.name, constant.index} & given.keys()
        ]

    @property
    def identity(self) -> str:
        """What a binary archive knows the function by."""
        constants = sorted((self.constants or {}).items(), key=str)
        text = repr((self.library.identity, self._name, constants))
        return hashlib.sha256(text.encode()).hexdigest()

    def name(self) -> str:
        return self._name

    def functionType(self) -> int:
        stage = self.compile_for_host(check_races=False).stage
        return sdk.ENUMERATIONS[f"MTLFunctionType{stage.capitalize()}"]

    def functionConstantsDictionary(self) -> dict[str, Native]:
        constants = self.compile_for_host(check_races=False).constants
        return {constant.name: FunctionConstant(self.system, constant) for constant in constants}


class FunctionConstant(Native):
    """``MTLFunctionConstant``."""

    OWNER = "MTLFunctionConstant"

    __slots__ = ("_constant",)

    def __init__(self, system: System, constant: Any) -> None:
        super().__init__(system)
        self._constant = constant

    def name(self) -> str:
        return str(self._constant.name)

    def type(self) -> int:
        return _TYPES_OF_MSL.get(self._constant.type_text, 0)

    def index(self) -> int:
        return int(self._constant.index)

    def required(self) -> bool:
        return bool(self._constant.is_required)


_SCALARS_OF_MSL = {
    "float": "Float", "half": "Half", "bfloat": "BFloat", "int": "Int", "uint": "UInt",
    "short": "Short", "ushort": "UShort", "char": "Char", "uchar": "UChar", "bool": "Bool",
    "long": "Long", "ulong": "ULong",
}  # fmt: skip
_TYPES_OF_MSL = {
    msl + width: sdk.ENUMERATIONS[f"MTLDataType{metal}{width}"]
    for msl, metal in _SCALARS_OF_MSL.items()
    for width in ("", "2", "3", "4")
}
# Type constant -> scalar's name and count of elements.
_SHAPES_OF_TYPES = {
    sdk.ENUMERATIONS[f"MTLDataType{metal}{width or ''}"]: (metal, width or 1)
    for metal in _SCALARS_OF_MSL.values()
    for width in (0, 2, 3, 4)
}


class FunctionConstantValues(Native):
    """``MTLFunctionConstantValues``: values by index or by name, read from memory when set."""

    OWNER = "MTLFunctionConstantValues"
    CREATABLE = True

    __slots__ = ("values",)

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self.values: dict[int | str, Any] = {}

    def setConstantValue_type_atIndex_(self, address: int, kind: int, index: int) -> None:
        self.values[index] = _read_constant(address, kind)[0]

    def setConstantValue_type_withName_(self, address: int, kind: int, name: str) -> None:
        self.values[name] = _read_constant(address, kind)[0]

    def setConstantValues_type_withRange_(
        self, address: int, kind: int, span: tuple[int, int]
    ) -> None:
        first, count = span
        value_address = address
        for index in range(first, first + count):
            self.values[index], size = _read_constant(value_address, kind)
            value_address += size

    def reset(self) -> None:
        self.values.clear()


def _read_constant(address: int, kind: int) -> tuple[Any, int]:
    require(address, "setConstantValue: the address is null")
    if kind not in _SHAPES_OF_TYPES:
        raise MetalValidationError(f"setConstantValue: {kind} is no type of a function constant")
    scalar, count = _SHAPES_OF_TYPES[kind]
    stored = 4 if count == 3 else count  # three elements are aligned as four
    if scalar == "BFloat":
        raw = ctypes.string_at(address, 2 * count)
        halves = struct.unpack(f"<{count}H", raw)
        values: tuple[Any, ...] = struct.unpack(
            f"<{count}f", struct.pack(f"<{count}I", *(half << 16 for half in halves))
        )
        return values[0] if count == 1 else values, 2 * stored
    letter = _LETTERS[scalar]
    size = struct.calcsize(f"<{letter}")
    values = struct.unpack(f"<{count}{letter}", ctypes.string_at(address, size * count))
    return values[0] if count == 1 else values, size * stored


NATIVES: tuple[type[Native], ...] = (
    CompileOptions,
    Library,
    Function,
    FunctionConstant,
    FunctionConstantValues,
)
