"""Arguments of hand-written kernels: checked, and turned into what a dispatch binds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from speedmetal.backends.base import ArrayLayout, DeviceArray
from speedmetal.backends.metal.program import LENGTH_ALIGNMENT_BYTES
from speedmetal.backends.metal.queue import SET_BYTES_LIMIT
from speedmetal.backends.metal.signatures import Parameter, Role, Signature
from speedmetal.dtypes import DType, bool_, float32, from_numpy, int32
from speedmetal.errors import LaunchError, UserInputError

if TYPE_CHECKING:
    from speedmetal.backends.metal.device import MetalDevice

BUFFER_INDICES = 31
"""Buffers of one kernel (Metal Feature Set Tables, "entries in the buffer argument table")."""

Binding = tuple[Any, int, int]
"""A buffer, an offset and an index; or bytes, their length and an index."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a dispatch binds.

    Args:
        bindings: At their indices.
        touched_bytes: Size of the arrays among them.
    """

    bindings: tuple[Binding, ...]
    touched_bytes: int


def bound(
    kernel: str, signature: Signature | None, device: MetalDevice, arguments: Sequence[Any]
) -> Bound:
    """The arguments of a call, argument ``n`` at ``[[buffer(n)]]``; None leaves an index free.

    Args:
        kernel: Its name, for messages.
        signature: What it takes; None where that is not known.
        device: Where it runs.
        arguments: Arrays, numbers, bytes.

    Raises:
        LaunchError: They do not fit.
    """
    parameters = None
    if signature is not None:
        parameters = {p.index: p for p in signature if p.role is Role.BUFFER}
        _check_count(kernel, parameters, arguments)
    elif len(arguments) > BUFFER_INDICES:
        raise LaunchError(
            f"kernel {kernel!r}: {len(arguments)} arguments given; Metal has {BUFFER_INDICES}"
            " buffer indices; pass several as one array"
        )
    bindings: list[Binding] = []
    touched_bytes = 0
    for index, argument in enumerate(arguments):
        if argument is None:
            continue
        parameter = None if parameters is None else parameters[index]
        where = f"kernel {kernel!r}: argument {index}"
        where += f" ({parameter.declared})" if parameter is not None else ""
        if isinstance(argument, DeviceArray):
            _check_array(where, parameter, device, argument.layout)
            touched_bytes += _size(argument.layout)
            address = argument.address
            bindings.append((address.buffer, address.offset, index))
        else:
            content = _content(where, parameter, device, argument)
            bindings.append((content, len(content), index))
    return Bound(tuple(bindings), touched_bytes)


def _check_count(
    kernel: str, parameters: Mapping[int, Parameter], arguments: Sequence[Any]
) -> None:
    given = {index for index, argument in enumerate(arguments) if argument is not None}
    missing = [p for index, p in sorted(parameters.items()) if index not in given]
    surplus = sorted(given - parameters.keys())
    if not missing and not surplus:
        return
    takes = "; ".join(f"{n}: {p.declared}" for n, p in sorted(parameters.items())) or "none"
    fault = (
        f"missing: {', '.join(p.name for p in missing)}"
        if missing
        else f"it has no buffer {', '.join(map(str, surplus))}"
    )
    raise LaunchError(
        f"kernel {kernel!r}: the buffers that it takes are {takes}; got {len(arguments)}"
        f" {'argument' if len(arguments) == 1 else 'arguments'}, {fault}"
    )


# --- Arrays --------------------------------------------------------------------------------------


def _size(layout: ArrayLayout) -> int:
    return math.prod(layout.shape) * layout.dtype.itemsize


def _check_array(
    where: str, parameter: Parameter | None, device: MetalDevice, layout: ArrayLayout
) -> None:
    if layout.device is not device:
        raise LaunchError(
            f"{where}: the kernel runs on {device.name}, the array is on {layout.device.name}; move"
            f" it with x.to({device.name!r})"
        )
    if not _is_contiguous(layout):
        raise LaunchError(
            f"{where}: the array has strides {layout.strides} (bytes) at shape {layout.shape};"
            " Metal passes a pointer and no strides, so it must be contiguous: pass x.copy(), or"
            " the array that it views"
        )
    if layout.is_readonly and (parameter is None or parameter.is_writable):
        raise LaunchError(
            f"{where}: the array is read-only, and the kernel may write to it; declare the pointer"
            " const, or give it a copy: x.copy()"
        )
    if parameter is None or parameter.dtype in (None, layout.dtype):
        return
    raise LaunchError(
        f"{where}: expected elements of {parameter.dtype}, got {layout.dtype}; convert with"
        f" x.astype(sm.{parameter.dtype}), or declare the pointer for {layout.dtype}"
    )


def _is_contiguous(layout: ArrayLayout) -> bool:
    expected = layout.dtype.itemsize
    if 0 in layout.shape:
        return True
    for extent, stride in zip(reversed(layout.shape), reversed(layout.strides), strict=True):
        if extent != 1 and stride != expected:
            return False
        expected *= extent
    return True


# --- Numbers and bytes ---------------------------------------------------------------------------


def _content(where: str, parameter: Parameter | None, device: MetalDevice, argument: Any) -> bytes:
    if isinstance(argument, np.ndarray):
        raise LaunchError(
            f"{where} is a NumPy array; move it with sm.array(x, device={device.name!r})"
        )
    if parameter is not None and parameter.is_writable:
        raise LaunchError(
            f"{where} is a {type(argument).__name__}, and the kernel may write there; pass an array"
            " of this device, or declare the pointer const"
        )
    if isinstance(argument, bytes | bytearray | memoryview):
        content = bytes(argument)
        _check_length(where, parameter, content)
        return content
    if isinstance(argument, bool | int | float | np.generic):
        return _number(where, None if parameter is None else parameter.dtype, argument)
    raise LaunchError(
        f"{where} is a {type(argument).__name__}; expected an array of this device, a number, or"
        " bytes"
    )


def _check_length(where: str, parameter: Parameter | None, content: bytes) -> None:
    if not 0 < len(content) <= SET_BYTES_LIMIT:
        raise LaunchError(
            f"{where}: {len(content)} bytes given; Metal copies 1 to {SET_BYTES_LIMIT} into a"
            " launch; pass more as an array"
        )
    if parameter is None or parameter.dtype is None or not parameter.is_reference:
        return
    if len(content) != parameter.dtype.itemsize:
        raise LaunchError(
            f"{where}: expected the {parameter.dtype.itemsize} bytes of a {parameter.dtype}, got"
            f" {len(content)}"
        )


def _number(where: str, expected: DType | None, value: Any) -> bytes:
    """A number's bytes: Python's have the declared type, or bool, int32, float32 if it is unknown.

    NumPy's have their own type, which must be the declared one.
    """
    if isinstance(value, np.generic):
        _check_scalar(where, expected, value)
        return value.tobytes()
    dtype = expected or {bool: bool_, int: int32}.get(type(value), float32)
    if isinstance(value, bool) is not dtype.is_bool:
        raise LaunchError(f"{where}: expected a {dtype}, got {value!r}")
    if dtype.is_integer:
        if not isinstance(value, int):
            raise LaunchError(f"{where}: expected an integer ({dtype}), got {value!r}")
        if not dtype.minimum <= value <= dtype.maximum:
            advice = "" if expected else "; give a NumPy number of the type that the kernel has"
            raise LaunchError(f"{where}: {value} is beyond {dtype}{advice}")
    with np.errstate(over="ignore"):  # a float beyond its type is an infinity
        return np.asarray(value).astype(dtype.numpy).tobytes()


def _check_scalar(where: str, expected: DType | None, value: np.generic) -> None:
    if value.dtype.kind == "V" and value.dtype.names:  # a structure, as NumPy lays it out
        return
    try:
        found = from_numpy(value.dtype)
    except UserInputError as error:
        raise LaunchError(f"{where}: {error}") from None
    if expected not in (None, found):
        raise LaunchError(
            f"{where}: expected a {expected}, got a {found}; write np.{expected}(...), or a Python"
            " number"
        )


# --- Threadgroup memory --------------------------------------------------------------------------


def threadgroup_lengths(
    kernel: str, signature: Signature | None, given: Mapping[int, int]
) -> tuple[int, ...]:
    """The lengths of threadgroup memory at the indices from 0, each rounded up to 16 bytes.

    Args:
        kernel: Its name, for messages.
        signature: What it takes; None where that is not known.
        given: Bytes for each ``[[threadgroup(n)]]``.

    Raises:
        LaunchError: One is missing, or is no size.
    """
    for index, length in given.items():
        if not _is_size(index, 0) or not _is_size(length, 1):
            raise LaunchError(
                f"kernel {kernel!r}: threadgroup_bytes={dict(given)!r}: expected an index and a"
                f" number of bytes, got {index!r}: {length!r}"
            )
    if signature is not None:
        _check_indices(kernel, {p.index: p for p in signature if p.role is Role.THREADGROUP}, given)
    return tuple(_lengths(given))


def _is_size(value: Any, least: int) -> bool:
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_integer and int(value) >= least


def _check_indices(
    kernel: str, parameters: Mapping[int, Parameter], given: Mapping[int, int]
) -> None:
    for index in sorted(parameters.keys() ^ given.keys()):
        if index in given:
            raise LaunchError(
                f"kernel {kernel!r} has no [[threadgroup({index})]], for which threadgroup_bytes"
                f" gives {given[index]}"
            )
        raise LaunchError(
            f"kernel {kernel!r} needs the size of {parameters[index].declared}"
            f" [[threadgroup({index})]]: threadgroup_bytes={{{index}: ...}}"
        )


def _lengths(given: Mapping[int, int]) -> Iterator[int]:
    step = LENGTH_ALIGNMENT_BYTES
    for index in range(max(given, default=-1) + 1):
        yield -(-int(given.get(index, 1)) // step) * step
