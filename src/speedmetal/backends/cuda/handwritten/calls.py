"""Arguments of hand-written kernels, as a launch passes them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from speedmetal.backends.cuda.handwritten.declared import Parameter
from speedmetal.backends.device import Device, DeviceArray
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import LaunchError

ALIGNMENT_BYTES = 16
"""Where each number begins in what is passed: the greatest that CUDA's types ask for."""
_ADDRESS_BYTES = 8
_WORD = np.dtype(np.uint8)


@record(eq=False)
class Passed:
    """The arguments of a call, packed: the arrays' addresses first.

    Args:
        content: The bytes.
        places: Where each parameter of the kernel begins among them.
        array_count: How many addresses there are.
        written: The arrays that the kernel may write to.
    """

    content: bytes
    places: tuple[int, ...]
    array_count: int
    written: tuple[Any, ...]


def passed(
    kernel: str, parameters: Sequence[Parameter], device: Device, arguments: Sequence[Any]
) -> Passed:
    """The arguments of a call.

    Args:
        kernel: Its name, for messages.
        parameters: What it takes.
        device: Where it runs.
        arguments: Arrays, numbers; None: no array, of which the kernel gets the null pointer.

    Raises:
        LaunchError: They do not fit.
    """
    if len(arguments) != len(parameters):
        takes = ", ".join(parameter.text for parameter in parameters) or "nothing"
        raise LaunchError(
            f"kernel {kernel!r} takes {len(parameters)} arguments ({takes}), got {len(arguments)}"
        )
    addresses: list[int] = []
    numbers: list[bytes] = []
    places: list[tuple[bool, int]] = []
    written = []
    for place, (parameter, value) in enumerate(zip(parameters, arguments, strict=True)):
        argument = _Argument(kernel, place, parameter)
        if parameter.is_pointer:
            places.append((True, len(addresses)))
            addresses.append(0 if value is None else argument.address_of(device, value))
            if value is not None and not parameter.is_const:
                written.append(value)
        else:
            places.append((False, sum(map(len, numbers))))
            numbers.append(argument.content_of(value))
    head = struct.pack(f"={len(addresses)}Q", *addresses)
    head = head.ljust(-(-len(head) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES, b"\0")
    begins = [at * _ADDRESS_BYTES if is_array else len(head) + at for is_array, at in places]
    # What reads a structure beyond what was given for it stays in the memory.
    content = head + b"".join(numbers) + bytes(ALIGNMENT_BYTES)
    return Passed(content, tuple(begins), len(addresses), tuple(written))


@record
class _Argument:
    """A parameter of a call."""

    kernel: str
    place: int
    parameter: Parameter

    def fault(self, message: str) -> LaunchError:
        return LaunchError(
            f"kernel {self.kernel!r}: argument {self.place} ({self.parameter.text}){message}"
        )

    def address_of(self, device: Device, value: Any) -> int:
        """Of an array's first element."""
        if isinstance(value, np.ndarray):
            raise self.fault(f" is a NumPy array; move it with sm.array(x, device={device.name!r})")
        if not isinstance(value, DeviceArray):
            raise self.fault(f": expected an array, got {type(value).__name__}")
        layout = value.layout
        if layout.device is not device:
            raise self.fault(
                f": the kernel runs on {device.name}, the array is on {layout.device.name}; move it"
                f" with x.to({device.name!r})"
            )
        address: int = value.address  # the memory is made here, and the layout may be another then
        layout = value.layout
        if not layout.is_contiguous:
            raise self.fault(
                f": the array has strides {layout.strides} (bytes) at shape {layout.shape}; CUDA"
                " passes a pointer and no strides, so it must be contiguous: pass x.copy(), or the"
                " array that it views"
            )
        if layout.is_readonly and not self.parameter.is_const:
            raise self.fault(
                ": the array is read-only, and the kernel may write to it; declare the pointer"
                " const, or give it a copy: x.copy()"
            )
        self._check_elements(layout.dtype)
        return address

    def _check_elements(self, dtype: DType) -> None:
        expected = self.parameter.dtype
        if expected is None or dtype.numpy == _WORD:  # bytes are raw memory
            return
        is_alike = dtype.is_integer and expected.is_integer and dtype.bits == expected.bits
        is_part = dtype.is_complex and dtype.part is expected
        is_pair = expected.is_complex and dtype is expected.part
        if not (dtype is expected or is_alike or is_part or is_pair):
            raise self.fault(
                f": expected elements of {expected.name}, got {dtype.name}; convert with"
                f" x.astype({expected.name!r}), or declare the pointer for {dtype.name}"
            )

    def content_of(self, value: Any) -> bytes:
        """A number's bytes, and zeros up to where the next one begins."""
        content = self._bytes_of(value)
        return content.ljust(-(-len(content) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES, b"\0")

    def _bytes_of(self, value: Any) -> bytes:
        expected = self.parameter.dtype
        if isinstance(value, bytes):
            return value
        if isinstance(value, np.void):
            return value.tobytes()
        if isinstance(value, DeviceArray | np.ndarray):
            raise self.fault(" takes a number, got an array; x.item() is one")
        if expected is None:
            if isinstance(value, np.generic):
                return value.tobytes()
            raise self.fault(
                ": its type is not plain from the source; expected a number of NumPy's, a"
                f" structure or bytes, got {type(value).__name__}"
            )
        if isinstance(value, np.generic) and value.dtype != expected.numpy:
            raise self.fault(f": expected {expected.name}, got {value.dtype}")
        return self._converted(value, expected)

    def _converted(self, value: Any, expected: DType) -> bytes:
        wanted: tuple[type, ...] = (bool,) if expected.is_bool else (bool, int)
        if expected.is_float:
            wanted = (bool, int, float)
        if not isinstance(value, (*wanted, np.generic)):
            raise self.fault(f": expected a number of {expected.name}, got {value!r}")
        try:
            return np.asarray(value, expected.numpy).tobytes()
        except OverflowError:
            raise self.fault(f": {value} does not fit {expected.name}") from None
