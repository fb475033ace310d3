"""How the arguments of a call meet the buffers of a kernel in Metal source.

One set of rules for kernels on a Metal device and in the simulator. Where a kernel's parameters are
not known, because only a compiler could read them, what can be checked without them is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.errors import LaunchError, UserInputError
from speedmetal.msl.kernels import BUFFERS
from speedmetal.msl.parameters import Parameter
from speedmetal.msl.types import Element

MAXIMUM_BYTES = 4096
"""Of an argument that is not an array, as ``setBytes`` takes (Metal Feature Set Tables)."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument at its buffer index.

    Args:
        kernel: The kernel's name.
        index: Of the buffer.
        parameter: What the kernel has there; None: not known.
        value: What was given.
    """

    kernel: str
    index: int
    parameter: Parameter | None
    value: Any

    def fault(self, message: str) -> LaunchError:
        """An error about the argument."""
        declared = f" ({self.parameter.declaration})" if self.parameter is not None else ""
        return LaunchError(f"kernel {self.kernel!r}: argument {self.index}{declared}{message}")

    @property
    def may_be_written(self) -> bool:
        """Whether the kernel may write it; True where that is not known."""
        return self.parameter is None or self.parameter.is_writable

    @property
    def size_bytes(self) -> int:
        """Of what the kernel reads there at least, if it reads at all; 0 where it is unknown."""
        if self.parameter is None:
            return 0
        element = self.parameter.element
        return self.parameter.size_bytes or (element.size_bytes if element is not None else 0)

    @property
    def is_structure(self) -> bool:
        """Whether it is known to be neither a number nor a vector."""
        known = self.parameter is not None and self.parameter.size_bytes > 0
        return known and self.parameter is not None and self.parameter.element is None


# --- Which argument is for which buffer ----------------------------------------------------------


def at_buffers(
    kernel: str, parameters: Sequence[Parameter] | None, arguments: Sequence[Any]
) -> tuple[Argument, ...]:
    """The arguments of a call, each with its buffer.

    Argument ``n`` is for ``[[buffer(n)]]``. None leaves an index free: of a buffer, too, which the
    kernel must then not touch. Where the indices of the kernel have gaps, one argument for each
    buffer, in the order of their indices, is understood as well.

    Args:
        kernel: Its name, for messages.
        parameters: All that it has; None where they are not known.
        arguments: As they were given.

    Raises:
        LaunchError: One is missing, or there is no such buffer.

    Example:
        >>> given = at_buffers("f", None, (1.0, None, 2.0))
        >>> [(argument.index, argument.value) for argument in given]
        [(0, 1.0), (2, 2.0)]
    """
    if parameters is None:
        _check_indices(kernel, arguments)
        at = dict(enumerate(arguments))
        return tuple(Argument(kernel, i, None, v) for i, v in at.items() if v is not None)
    buffers = {p.index: p for p in parameters if p.role == "buffer"}
    places: Sequence[int] = sorted(buffers)
    if len(arguments) != len(buffers):
        places = range(len(arguments))
    at = dict(zip(places, arguments, strict=True))
    _check_presence(kernel, buffers, at)
    return tuple(Argument(kernel, i, buffers[i], v) for i, v in at.items() if v is not None)


def _check_indices(kernel: str, arguments: Sequence[Any]) -> None:
    if len(arguments) > BUFFERS:
        raise LaunchError(
            f"kernel {kernel!r}: {len(arguments)} arguments given; Metal has {BUFFERS}"
            " buffer indices; pass several as one array"
        )


def _check_presence(kernel: str, buffers: Mapping[int, Parameter], at: Mapping[int, Any]) -> None:
    missing = [p for i, p in sorted(buffers.items()) if i not in at and not p.is_optional]
    surplus = sorted(i for i, value in at.items() if i not in buffers and value is not None)
    if not missing and not surplus:
        return
    takes = "; ".join(f"{n}: {p.declaration}" for n, p in sorted(buffers.items())) or "none"
    fault = (
        f"missing: {', '.join(p.name for p in missing)}"
        if missing
        else f"it has no buffer {', '.join(map(str, surplus))}"
    )
    raise LaunchError(
        f"kernel {kernel!r}: the buffers that it takes are {takes}; got {len(at)}"
        f" {'argument' if len(at) == 1 else 'arguments'}, {fault}"
    )


# --- Arrays --------------------------------------------------------------------------------------


def check_array(argument: Argument, dtype: np.dtype[Any], size_bytes: int) -> None:
    """Whether an array's elements are what the kernel has there, and enough.

    Arrays of bytes are raw memory, which every kernel may read as it likes.

    Args:
        argument: The array's place.
        dtype: Of its elements.
        size_bytes: Of all of them.

    Raises:
        LaunchError: They are not.
    """
    parameter = argument.parameter
    if parameter is None:
        return
    element = parameter.element
    if dtype.names is not None:
        _check_record(argument, dtype)
    elif element is not None and dtype not in _RAW and not _is_alike(dtype, element.dtype):
        shown, given = element.dtype.name, _name_of(dtype)
        raise argument.fault(
            f": expected elements of {shown}, got {given}; convert with x.astype({shown!r}), or"
            f" declare the pointer for {given}"
        )
    needed = argument.size_bytes
    if size_bytes < needed and (parameter.is_reference or size_bytes > 0):
        raise argument.fault(
            f": needs at least the {needed} bytes of a {parameter.pointee}, got an array of"
            f" {size_bytes} bytes{_about_gap(parameter.pointee, element)}"
        )


def _about_gap(pointee: str, element: Element | None) -> str:
    """What to do about a vector of 3, which is as large as one of 4."""
    if element is None or element.components != 3 or element.is_packed:
        return ""
    return (
        f"; {pointee} is as large as 4 elements: give (x, y, z) as a tuple, or a fourth element, or"
        f" declare it packed_{pointee}"
    )


_RAW = (np.dtype(np.uint8), np.dtype(np.void))


def _is_alike(given: np.dtype[Any], expected: DType) -> bool:
    """Whether an array's dtype does: the type itself, its integer of other sign, 16 bits for
    bfloat.
    """
    if given == expected.numpy:
        return True
    if given.itemsize != expected.itemsize:
        return False
    is_bits = expected is dtypes.bfloat16 and given == np.dtype(np.uint16)
    return is_bits or (given.kind in "iu" and expected.is_integer)


def _name_of(dtype: np.dtype[Any]) -> str:
    return "bfloat16" if dtype == np.dtype(ml_dtypes.bfloat16) else str(dtype)


def _check_record(argument: Argument, record: np.dtype[Any]) -> None:
    """Records must be as large as the structure; of numbers and vectors they are a whole number."""
    parameter, size = argument.parameter, argument.size_bytes
    assert parameter is not None
    is_whole = size > 0 and record.itemsize % size == 0
    if size in (0, record.itemsize) or (is_whole and not argument.is_structure):
        return
    raise argument.fault(
        f": expected records of the {size} bytes of a {parameter.pointee}, got records of"
        f" {record.itemsize}; give the dtype the structure's layout: Metal aligns each field to its"
        " size (float3 is as large as float4), so add fields that fill the gaps, at the end too"
    )


# --- Numbers and bytes ---------------------------------------------------------------------------


def content_of(argument: Argument) -> bytes:
    """The bytes of an argument that is no array.

    Python's numbers get the declared type, or bool, int32 and float32 where it is not known; lists
    and tuples are several, or vectors. NumPy's have their own type, which must be the declared one.

    Raises:
        LaunchError: It has none, or they do not fit.
    """
    value = argument.value
    if argument.parameter is not None and argument.parameter.is_writable:
        raise argument.fault(
            f" is a {type(value).__name__}, and the kernel may write there; pass an array, or"
            " declare the pointer const"
        )
    if isinstance(value, bytes | bytearray | memoryview):
        content = bytes(value)
    elif isinstance(value, np.generic):
        content = _of_numpy(argument, value)
    elif isinstance(value, bool | int | float):
        content = _of_python(argument, value)
    else:
        content = _of_list(argument, value)
    _check_length(argument, content)
    return content


def _of_list(argument: Argument, value: Any) -> bytes:
    """The bytes of a list or tuple of numbers, or of vectors, of which one may stand alone."""
    element = argument.parameter.element if argument.parameter is not None else None
    content = None
    if isinstance(value, list | tuple) and element is not None:
        vectors = [value] if element.components > 1 and all(map(_is_number, value)) else value
        content = _of_items(argument, vectors, element)
    if content is None:
        raise argument.fault(f" is a {type(value).__name__}; expected an array, a number, or bytes")
    return content


def _of_items(argument: Argument, values: Sequence[Any], element: Element) -> bytes | None:
    """The bytes of numbers or vectors side by side; None: one is something else."""
    parts: list[bytes] = []
    for value in values:
        numbers = (value,) if element.components == 1 else value
        is_vector = isinstance(numbers, list | tuple) and len(numbers) == element.components
        if not is_vector or not all(map(_is_number, numbers)):
            return None
        content = b"".join(_number(argument, number, element.dtype) for number in numbers)
        parts.append(content.ljust(element.size_bytes, b"\0"))  # the gap behind a float3
    return b"".join(parts)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _check_length(argument: Argument, content: bytes) -> None:
    if not 0 < len(content) <= MAXIMUM_BYTES:
        raise argument.fault(
            f": {len(content)} bytes given; Metal copies 1 to {MAXIMUM_BYTES} into a launch; pass"
            " more as an array"
        )
    parameter, size = argument.parameter, argument.size_bytes
    if parameter is None or size == 0:
        return
    is_exact = parameter.is_reference and not argument.is_structure
    if len(content) < size or (is_exact and len(content) > size):
        raise argument.fault(
            f": expected the {size} bytes of a {parameter.pointee}, got {len(content)}"
        )


def _of_numpy(argument: Argument, value: np.generic) -> bytes:
    if value.dtype.names is not None:  # a structure, as NumPy lays it out
        if argument.parameter is not None:
            _check_record(argument, value.dtype)
        return value.tobytes()
    try:
        found = dtypes.from_numpy(value.dtype)
    except UserInputError as error:
        raise argument.fault(f": {error}") from None
    expected = _scalar(argument)
    if expected not in (None, found):
        raise argument.fault(
            f": expected a {expected}, got a {found}; write np.{expected}(...), or a Python number"
        )
    return value.tobytes()


def _scalar(argument: Argument) -> DType | None:
    """The type of the one number that is wanted; None: something else, or not known."""
    element = argument.parameter.element if argument.parameter is not None else None
    return element.dtype if element is not None and element.components == 1 else None


def _of_python(argument: Argument, value: float) -> bytes:
    expected = _scalar(argument)
    if expected is None and argument.parameter is not None and argument.size_bytes:
        raise argument.fault(
            f" is a number, and the kernel has a {argument.parameter.pointee} there; pass an array,"
            " a NumPy number, or bytes"
        )
    dtype = expected or {bool: dtypes.bool_, int: dtypes.int32}.get(type(value), dtypes.float32)
    advice = "" if expected else "; give a NumPy number of the type that the kernel has"
    return _number(argument, value, dtype, advice)


def _number(argument: Argument, value: float, dtype: DType, advice: str = "") -> bytes:
    """A number of Python's in a type; ``advice`` says what to do where it does not fit."""
    if isinstance(value, bool) is not dtype.is_bool:
        raise argument.fault(f": expected a {dtype}, got {value!r}")
    if dtype.is_integer:
        if not isinstance(value, int):
            raise argument.fault(f": expected an integer ({dtype}), got {value!r}")
        if not dtype.minimum <= value <= dtype.maximum:
            raise argument.fault(f": {value} is beyond {dtype}{advice}")
    with np.errstate(over="ignore"):  # a float beyond its type is an infinity
        return np.asarray(value).astype(dtype.numpy).tobytes()


# --- Threadgroup memory --------------------------------------------------------------------------


def threadgroup_sizes(
    kernel: str, parameters: Sequence[Parameter] | None, given: Mapping[int, int]
) -> dict[int, int]:
    """Bytes of threadgroup memory at the indices that have some.

    Args:
        kernel: Its name, for messages.
        parameters: All that it has; None where they are not known.
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
    if parameters is not None:
        needed = {p.index: p for p in parameters if p.role == "threadgroup"}
        for fault in _threadgroup_faults(kernel, needed, given):
            raise fault
    return {int(index): int(length) for index, length in given.items()}


def _is_size(value: Any, least: int) -> bool:
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_integer and int(value) >= least


def _threadgroup_faults(
    kernel: str, needed: Mapping[int, Parameter], given: Mapping[int, int]
) -> Iterator[LaunchError]:
    for index in sorted(needed.keys() ^ given.keys()):
        if index in given:
            yield LaunchError(
                f"kernel {kernel!r} has no [[threadgroup({index})]], for which threadgroup_bytes"
                f" gives {given[index]}"
            )
        elif not needed[index].is_optional:
            yield LaunchError(
                f"kernel {kernel!r} needs the size of {needed[index].declaration}"
                f" [[threadgroup({index})]]: threadgroup_bytes={{{index}: ...}}"
            )
