"""Function constants of hand-written kernels: values that Metal's compiler takes for literals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.errors import describe_error
from speedmetal.dtypes import (
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from speedmetal.errors import UnknownNameError, UserInputError

Constants = Mapping[str | int, Any]
"""Values of function constants, by name or by index."""

# MTLDataType of Apple's SDK 26.5.
DTYPES: dict[int, DType] = {
    3: float32, 16: float16, 121: bfloat16, 53: bool_,
    45: int8, 37: int16, 29: int32, 81: int64,
    49: uint8, 41: uint16, 33: uint32, 85: uint64,
}  # fmt: skip


def constant_values(
    function: str, declared: Mapping[str, Any], given: Constants, general: Constants
) -> dict[str, bytes]:
    """The bytes of each constant that a function declares and somebody states.

    Args:
        function: Its name, for messages.
        declared: Its ``functionConstantsDictionary``.
        given: For this function: each must be one of its constants.
        general: For all functions: those that this one has count, unless ``given`` has them.

    Raises:
        UserInputError: A constant is missing, unknown, or of a wrong type.
    """
    names: dict[str | int, str] = {name: name for name in declared}
    names |= {int(constant.index()): name for name, constant in declared.items()}
    stated = {names[key]: value for key, value in general.items() if key in names}
    for key, value in given.items():
        if key not in names:
            raise UnknownNameError("function constant", str(key), declared)
        stated[names[key]] = value
    missing = [n for n, c in declared.items() if c.required() and n not in stated]
    if missing:
        raise UserInputError(
            f"function {function!r} needs the function constants {', '.join(missing)}:"
            f" constants={{{missing[0]!r}: ...}}"
        )
    return {name: _constant(name, declared[name], value) for name, value in stated.items()}


def _constant(name: str, declared: Any, value: Any) -> bytes:
    dtype = DTYPES.get(int(declared.type()))
    if dtype is None:
        raise UserInputError(
            f"function constant {name!r} is no scalar (MTLDataType {int(declared.type())}); only"
            " scalars can be stated"
        )
    if not _is_constant(dtype, value):
        raise UserInputError(f"function constant {name!r}: expected a {dtype}, got {value!r}")
    return np.asarray(value).astype(dtype.numpy).tobytes()


def _is_constant(dtype: DType, value: Any) -> bool:
    """Whether a constant of this type can have this value."""
    if dtype.is_bool:
        return isinstance(value, bool | np.bool_)
    if dtype.is_integer:
        is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
        return is_integer and dtype.minimum <= int(value) <= dtype.maximum
    return isinstance(value, int | float | np.integer | np.floating | bfloat16.numpy.type)


def specialise_function(
    bridge: Bridge,
    library: Any,
    name: str,
    declared: Mapping[str, Any],
    values: Mapping[str, bytes],
) -> Any:
    """The ``MTLFunction`` with its constants.

    Raises:
        UserInputError: Metal refuses them.
    """
    constants = bridge.Metal.MTLFunctionConstantValues.alloc().init()
    for constant, content in values.items():
        # The bridge takes an address; the bytes must live until the call is over.
        memory = np.frombuffer(content, np.uint8).copy()
        constants.setConstantValue_type_atIndex_(
            memory.ctypes.data, declared[constant].type(), declared[constant].index()
        )
    native, error = library.newFunctionWithName_constantValues_error_(name, constants, None)
    if native is None:
        raise UserInputError(
            f"Metal does not specialise function {name!r}: {describe_error(error)}"
        )
    return native
