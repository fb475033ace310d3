"""LLVM's text: names of types, constants, and a writer of one function.

Text is printed directly, without a tree of LLVM objects in between: it is what is shown to the
user, it is deterministic, and building it takes a tenth of the time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.ir.types import MatrixType, ValueType

MATRIX_ELEMENTS = 64

# A type's name in a register. bfloat16 is its 16 bits: LLVM would call library functions for it.
_REGISTER = {
    dtypes.bool_: "i1",
    dtypes.bfloat16: "i16",
    dtypes.float16: "half",
    dtypes.float32: "float",
    dtypes.float64: "double",
}
_SUFFIX = {"half": "f16", "float": "f32", "double": "f64"}


def register_type(dtype: DType) -> str:
    """The type of one element in a register.

    >>> register_type(dtypes.uint16), register_type(dtypes.bool_)
    ('i16', 'i1')
    """
    return _REGISTER.get(dtype) or f"i{dtype.bits}"


def memory_type(dtype: DType) -> str:
    """The type of one element in memory: a boolean is a byte."""
    return "i8" if dtype.is_bool else register_type(dtype)


def vector_type(element: str, lanes: int) -> str:
    """The type of a value that a vector's lanes hold; the element itself for no lanes."""
    return f"<{lanes} x {element}>" if lanes else element


def value_type(kind: ValueType, lanes: int) -> str:
    """The type of a variable: ``lanes`` is 0 where it is uniform."""
    if isinstance(kind, MatrixType):
        return vector_type(register_type(kind.dtype), MATRIX_ELEMENTS)
    return vector_type(register_type(kind), lanes)


def overload(element: str, lanes: int) -> str:
    """The suffix that names a type in an intrinsic's name.

    >>> overload("float", 16), overload("i32", 0)
    ('v16f32', 'i32')
    """
    name = _SUFFIX.get(element, element)
    return f"v{lanes}{name}" if lanes else name


def constant(value: float, dtype: DType) -> str:
    """The text of a constant of one element.

    >>> constant(1.0, dtypes.float32), constant(True, dtypes.bool_), constant(255, dtypes.uint8)
    ('0x3FF0000000000000', 'true', '255')
    """
    if dtype.is_bool:
        return "true" if value else "false"
    if dtype.is_integer:
        return str(int(value))
    if dtype is dtypes.bfloat16:
        return str(int(np.array(value, ml_dtypes.bfloat16).view(np.uint16)))
    if dtype is dtypes.float16:
        return f"0xH{int(np.array(value, np.float16).view(np.uint16)):04X}"
    with np.errstate(over="ignore"):
        exact = float(np.float32(value)) if dtype is dtypes.float32 else float(value)
    return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"


def constant_vector(element: str, values: list[int] | range) -> str:
    """The text of a vector of integer constants."""
    return f"<{', '.join(f'{element} {value}' for value in values)}>"


@dataclass
class Module:
    """What a module declares, each once."""

    declarations: dict[str, str] = field(default_factory=dict)

    def declare(self, result: str, name: str, arguments: tuple[str, ...]) -> str:
        """Make an outside function or an LLVM intrinsic known; returns its name."""
        if name not in self.declarations:
            self.declarations[name] = f"declare {result} @{name}({', '.join(arguments)})"
        return name


class Writer:
    """Writes the body of one function: instructions with fresh names, blocks, stack slots."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._lines: list[str] = []
        self._slots: list[str] = []
        self._count = 0

    def fresh(self, hint: str = "") -> str:
        """A new local name, without its ``%``."""
        self._count += 1
        return f"{hint}.{self._count}" if hint else f"t{self._count}"

    def let(self, text: str, hint: str = "") -> str:
        """Write an instruction with a result; returns the result's name."""
        name = f"%{self.fresh(hint)}"
        self._lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Write an instruction without a result."""
        self._lines.append(f"  {text}")

    def call(self, result: str, name: str, *arguments: tuple[str, str]) -> str:
        """Call an outside function or intrinsic with (type, text) arguments."""
        self.module.declare(result, name, tuple(kind for kind, _ in arguments))
        given = ", ".join(f"{kind} {text}" for kind, text in arguments)
        if result == "void":
            self.do(f"call void @{name}({given})")
            return ""
        return self.let(f"call {result} @{name}({given})")

    def slot(self, kind: str, hint: str = "slot", count: str = "") -> str:
        """A place on the stack, made when the function starts."""
        name = f"%{self.fresh(hint)}"
        size = f", i64 {count}" if count else ""
        self._slots.append(f"  {name} = alloca {kind}{size}, align 64")
        return name

    def label(self, hint: str) -> str:
        """A name for a block that is started later."""
        return self.fresh(hint)

    def start(self, label: str) -> None:
        """Start a block; the one before must have ended in a jump."""
        self._lines.append(f"{label}:")

    def jump(self, label: str) -> None:
        self.do(f"br label %{label}")

    def branch(self, condition: str, when_true: str, when_false: str) -> None:
        self.do(f"br i1 {condition}, label %{when_true}, label %{when_false}")

    def body(self) -> str:
        """The function's blocks."""
        return "\n".join(["entry:", *self._slots, *self._lines])
