"""Arguments of hand-written kernels, as a dispatch binds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from speedmetal.backends.device import Device, DeviceArray, LaunchLayout
from speedmetal.backends.metal.driver.commands import LENGTH_ALIGNMENT_BYTES
from speedmetal.msl.arguments import (
    Argument,
    at_buffers,
    check_array,
    content_of,
    threadgroup_sizes,
)
from speedmetal.msl.declared import Parameters

Binding = tuple[Any, int, int]
"""A buffer, an offset and an index; or bytes, their length and an index."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a dispatch binds.

    Args:
        bindings: At their indices.
        touched_bytes: Size of the arrays among them.
        written: The arrays that the kernel may write to.
    """

    bindings: tuple[Binding, ...]
    touched_bytes: int
    written: tuple[DeviceArray, ...]


def bind_arguments(
    kernel: str, parameters: Parameters | None, device: Device, arguments: Sequence[Any]
) -> Bound:
    """The arguments of a call, each at its buffer (:func:`speedmetal.msl.arguments.at_buffers`).

    Args:
        kernel: Its name, for messages.
        parameters: What it takes; None where that is not known.
        device: Where it runs.
        arguments: Arrays, numbers, bytes; None leaves an index free.

    Raises:
        LaunchError: They do not fit.
    """
    bindings: list[Binding] = []
    written: list[DeviceArray] = []
    touched_bytes = 0
    for argument in at_buffers(kernel, parameters, arguments):
        value = argument.value
        if isinstance(value, DeviceArray):
            _check_array(argument, device, value.layout)
            touched_bytes += _size(value.layout)
            bindings.append((value.address.buffer, value.address.offset, argument.index))
            if argument.may_be_written:
                written.append(value)
        elif isinstance(value, np.ndarray):
            raise argument.fault(
                f" is a NumPy array; move it with sm.array(x, device={device.name!r})"
            )
        else:
            content = content_of(argument)
            bindings.append((content, len(content), argument.index))
    return Bound(tuple(bindings), touched_bytes, tuple(written))


# --- Arrays --------------------------------------------------------------------------------------


def _size(layout: LaunchLayout) -> int:
    return math.prod(layout.shape) * layout.dtype.itemsize


def _check_array(argument: Argument, device: Device, layout: LaunchLayout) -> None:
    if layout.device is not device:
        raise argument.fault(
            f": the kernel runs on {device.name}, the array is on {layout.device.name}; move it"
            f" with x.to({device.name!r})"
        )
    if not layout.is_contiguous:
        raise argument.fault(
            f": the array has strides {layout.strides} (bytes) at shape {layout.shape}; Metal"
            " passes a pointer and no strides, so it must be contiguous: pass x.copy(), or the"
            " array that it views"
        )
    if layout.is_readonly and argument.may_be_written:
        raise argument.fault(
            ": the array is read-only, and the kernel may write to it; declare the pointer const,"
            " or give it a copy: x.copy()"
        )
    check_array(argument, layout.dtype.numpy, _size(layout))


# --- Threadgroup memory --------------------------------------------------------------------------


def threadgroup_lengths(
    kernel: str, parameters: Parameters | None, given: Mapping[int, int]
) -> tuple[int, ...]:
    """The lengths of threadgroup memory at the indices from 0, each rounded up to 16 bytes.

    Args:
        kernel: Its name, for messages.
        parameters: What it takes; None where that is not known.
        given: Bytes for each ``[[threadgroup(n)]]``.

    Raises:
        LaunchError: One is missing, or is no size.
    """
    sizes = threadgroup_sizes(kernel, parameters, given)
    step = LENGTH_ALIGNMENT_BYTES
    return tuple(
        -(-sizes.get(index, 1) // step) * step for index in range(max(sizes, default=-1) + 1)
    )
