"""LLVM's text: names of types, and constants.

Text is printed directly, without a tree of LLVM objects in between: it is what is shown to the
user, it is deterministic, and building it takes a tenth of the time.
"""

from __future__ import annotations

import struct

import numpy as np

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.ir.types import MatrixType, ValueType

MATRIX_ELEMENTS = 64

# Names of types in a register. bfloat16 is its 16 bits: LLVM would call library functions for it.
_REGISTER = {
    dtypes.bool_.name: "i1",
    dtypes.bfloat16.name: "i16",
    dtypes.float16.name: "half",
    dtypes.float32.name: "float",
    dtypes.float64.name: "double",
}
_SUFFIX = {"half": "f16", "float": "f32", "double": "f64"}


def register_type(dtype: DType) -> str:
    """The type of one element in a register.

    >>> register_type(dtypes.uint16), register_type(dtypes.bool_)
    ('i16', 'i1')
    """
    return _REGISTER.get(dtype.name) or f"i{dtype.bits}"


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
        return str(int(np.array(value, dtype.numpy).view(np.uint16)))
    if dtype is dtypes.float16:
        return f"0xH{int(np.array(value, np.float16).view(np.uint16)):04X}"
    with np.errstate(over="ignore"):
        exact = float(np.float32(value)) if dtype is dtypes.float32 else float(value)
    return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"


def constant_vector(element: str, values: list[int] | range) -> str:
    """The text of a vector of integer constants."""
    return f"<{', '.join(f'{element} {value}' for value in values)}>"
