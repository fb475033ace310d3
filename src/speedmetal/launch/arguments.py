"""A call's arguments, read for a launch: a cheap key, what changes, and what does not.

A *reader* takes an argument apart on every launch: it adds to the launch's key what a compiled
kernel and its sizes depend on (dtype, shape, strides, a number's type), and to the values what may
differ between launches with the same key (an address, a number). The rest is done once for a key.
"""

from __future__ import annotations

import math
from array import array as buffer_array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from speedmetal.backends.cpu.device import address_of
from speedmetal.backends.device import ArrayParameter, Device, DeviceArray, ScalarParameter
from speedmetal.dtypes import DType, bfloat16, complex64, float32
from speedmetal.errors import LaunchError, UserInputError
from speedmetal.frontend.signature import (
    Argument,
    ArrayArgument,
    ScalarArgument,
    TupleArgument,
    is_aggregate,
    is_partial_class,
    is_record_class,
    keywords_of,
    parse_signature,
    record_items,
    signature_of,
)
from speedmetal.frontend.static import static

Reader = Callable[[Any, list[Any], list[Any]], None]

# --- Readers ---------------------------------------------------------------------------------


def _read_ndarray(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append((argument.dtype, argument.shape, argument.strides, argument.flags.num))
    values.append(address_of(argument))


def _read_array(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(argument.layout)
    values.append(argument.address)


def _read_number(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(type(argument))
    values.append(argument)


def _read_int(argument: int, key: list[Any], values: list[Any]) -> None:
    is_short = -0x8000_0000 <= argument <= 0x7FFF_FFFF
    # The sign and the length decide on a long integer's type, or that there is none.
    key.append(int if is_short else (argument < 0, argument.bit_length()))
    values.append(argument)


def _read_complex(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(type(argument))
    values += (argument.real, argument.imag)


def _read_bfloat16(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(bfloat16)
    values.append(int(argument.view(np.uint16)))


def _read_record(argument: Any, key: list[Any], values: list[Any]) -> None:
    items = record_items(argument)
    key += (type(argument), len(items))
    for item in items:
        read(item, key, values)


def _read_partial(argument: Any, key: list[Any], values: list[Any]) -> None:
    key.append(keywords_of(argument))
    _read_record(argument, key, values)


def _read_static(argument: Any, key: list[Any], _values: list[Any]) -> None:
    key.append((type(argument), argument))


def _read_known(argument: Any, key: list[Any], _values: list[Any]) -> None:
    key.append(argument.key)


_READERS: dict[type, Reader] = {
    np.ndarray: _read_ndarray,
    int: _read_int,
    float: _read_number,
    bool: _read_number,
    complex: _read_complex,
    np.complex64: _read_complex,
    ml_dtypes.bfloat16: _read_bfloat16,
    static: _read_known,
}


def read(argument: Any, key: list[Any], values: list[Any]) -> None:
    """Read one argument of any type."""
    kind = type(argument)
    (_READERS.get(kind) or reader_for(kind))(argument, key, values)


def reader_for(kind: type) -> Reader:
    """The reader of a type; remembered."""
    reader: Reader
    if issubclass(kind, DeviceArray):
        reader = _read_array
    elif issubclass(kind, np.ndarray):
        reader = _read_ndarray
    elif issubclass(kind, np.generic):
        reader = _read_number
    elif issubclass(kind, tuple) or is_record_class(kind):
        reader = _read_record
    elif is_partial_class(kind):
        reader = _read_partial
    else:
        reader = _read_static
    _READERS[kind] = reader
    return reader


READERS = _READERS

# --- Once for a key --------------------------------------------------------------------------


def checked_signature(
    kernel: str, names: Sequence[str], arguments: Sequence[Any], *, has_float64: bool
) -> tuple[Argument, ...]:
    """The types of a call's arguments, for a device that has float64 or not.

    Raises:
        LaunchError: One of them cannot be given to a kernel; the message names the parameter.
    """
    for name, argument in zip(names, arguments, strict=True):
        _check_array(f"kernel {kernel!r}: argument {name}", argument)
        try:
            signature_of((argument,))
        except UserInputError as error:
            advice = _advice(argument)
            raise LaunchError(f"kernel {kernel!r}: argument {name}: {error}{advice}") from None
    return signature_of(arguments, has_float64=has_float64)


def _advice(argument: Any) -> str:
    if hasattr(argument, "__dlpack__") and not isinstance(argument, np.ndarray):
        return "; share its memory with sm.from_dlpack(...)"
    if isinstance(argument, (list, range)):
        return "; make an array with sm.array(...)"
    if isinstance(argument, (memoryview, bytearray, buffer_array)):
        return "; np.asarray(...) is an array on its memory"
    return ""


def _check_array(where: str, argument: Any) -> None:
    if is_aggregate(argument):
        for item in record_items(argument):
            _check_array(where, item)
    if not isinstance(argument, np.ndarray):
        return
    dtype = argument.dtype
    if not dtype.isnative:
        raise LaunchError(
            f"{where} has dtype {dtype.newbyteorder('=')} in foreign byte order ({dtype.str});"
            " convert it with x.astype(x.dtype.newbyteorder('='))"
        )
    is_uneven = any(stride % (dtype.itemsize or 1) for stride in argument.strides)
    if not argument.flags.aligned or is_uneven:
        raise LaunchError(
            f"{where}: its elements are not aligned to their size of {dtype.itemsize} bytes"
            f" (strides {argument.strides}); make a copy with x.copy()"
        )


def stated_types(given: Sequence[Any]) -> tuple[Any, ...]:
    """Type strings and dtypes among ``given`` as argument types; the rest as it is.

    Raises:
        UserInputError: A string is no type.
    """
    stated: list[Any] = []
    for item in given:
        if isinstance(item, str):
            stated += parse_signature(item)
        else:
            stated.append(ScalarArgument(item) if isinstance(item, DType) else item)
    return tuple(stated)


def mixed_signature(given: Sequence[Any], *, has_float64: bool) -> tuple[Argument, ...]:
    """Argument types of what is partly a type already, partly a real argument."""
    # The real ones together, because float64 among them widens Python's floats.
    real = [item for item in given if not isinstance(item, Argument)]
    typed = iter(signature_of(real, has_float64=has_float64))
    return tuple(item if isinstance(item, Argument) else next(typed) for item in given)


def layouts(arguments: Sequence[Any]) -> Iterator[Any]:
    """All arrays among the arguments, NumPy's and ours, in the order of their leaves."""
    for argument in arguments:
        if isinstance(argument, (np.ndarray, DeviceArray)):
            yield argument
        elif is_aggregate(argument):
            yield from layouts(record_items(argument))


def largest_extent(arguments: Sequence[Any]) -> int:
    """The greatest index, extent or distance in elements that the arrays among them need.

    Axes of no elements count as one: what is beside them is a size that a kernel may read, and
    multiply, all the same.

    >>> largest_extent((np.empty((2, 3)), np.empty((7, 0))))
    7
    """
    largest = 0
    for array in layouts(arguments):
        shape = [size or 1 for size in array.shape]
        steps = zip(shape, array.strides, strict=True)
        span = sum(abs(stride) // array.itemsize * (size - 1) for size, stride in steps) + 1
        largest = max(largest, math.prod(shape), span)
    return largest


def launch_parameters(
    arguments: Sequence[Any], signature: Sequence[Argument]
) -> Iterator[ArrayParameter | ScalarParameter]:
    """The parameters of the compiled kernel: one for each value that a reader reads."""
    for argument, kind in zip(arguments, signature, strict=True):
        if isinstance(kind, TupleArgument):
            yield from launch_parameters(record_items(argument), kind.items)
        elif isinstance(kind, ArrayArgument):
            strides = tuple(stride // argument.itemsize for stride in argument.strides)
            yield ArrayParameter(argument.shape, strides)
        elif isinstance(kind, ScalarArgument):
            is_complex = kind.dtype is complex64
            yield from (
                (ScalarParameter(float32),) * 2 if is_complex else (ScalarParameter(kind.dtype),)
            )


def check_devices(kernel: str, arguments: Sequence[Any], device: Device) -> None:
    """Every array must live where the kernel runs.

    Raises:
        LaunchError: One does not.
    """
    for array in layouts(arguments):
        if isinstance(array, np.ndarray):
            if device.kind != "cpu":
                raise LaunchError(
                    f"kernel {kernel!r} runs on {device.name}, but an argument is a NumPy array;"
                    f" move it with sm.array(x, device={device.name!r})"
                )
        elif array.layout.device is not device:
            raise LaunchError(
                f"kernel {kernel!r} runs on {device.name}, but an argument is an array on"
                f" {array.layout.device.name}; move it with x.to({device.name!r})"
            )


def device_of(arguments: Sequence[Any]) -> Device | None:
    """The device of the first array of ours among the arguments."""
    for array in layouts(arguments):
        if isinstance(array, DeviceArray):
            return array.layout.device
    return None


def check_writable(
    kernel: str,
    names: Sequence[str],
    arguments: Sequence[Any],
    signature: Sequence[Argument],
    written: frozenset[int],
) -> None:
    """No array that the kernel writes to may be read-only.

    Raises:
        LaunchError: One is.
    """
    parameter = 0
    for name, argument, kind in zip(names, arguments, signature, strict=True):
        for leaf in _leaves(argument, kind):
            if parameter in written and _is_readonly(leaf):
                raise LaunchError(
                    f"kernel {kernel!r} writes to argument {name}, which is read-only; give it a"
                    " copy: x.copy()"
                )
            parameter += 1


def leaves(arguments: Sequence[Any], signature: Sequence[Argument]) -> Iterator[Any]:
    """One item for each parameter of the compiled kernel: an array, or a number."""
    for argument, kind in zip(arguments, signature, strict=True):
        yield from _leaves(argument, kind)


def _leaves(argument: Any, kind: Argument) -> Iterator[Any]:
    if isinstance(kind, TupleArgument):
        yield from leaves(record_items(argument), kind.items)
    elif isinstance(kind, ArrayArgument):
        yield argument
    elif isinstance(kind, ScalarArgument):
        yield from (argument.real, argument.imag) if kind.dtype is complex64 else (argument,)


def _is_readonly(array: Any) -> bool:
    if isinstance(array, np.ndarray):
        return not array.flags.writeable
    return bool(array.layout.is_readonly)
