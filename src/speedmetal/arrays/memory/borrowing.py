"""Memory of other libraries on NVIDIA GPUs, as memory of arrays: where it is, without a copy.

By DLPack, whose producer has our stream wait for its own; else by the CUDA array interface, which
names a stream that ours waits for. The host waits for nothing. PyTorch's tensors are read by their
attributes, unless DLPack is asked for by its name: PyTorch takes several times as long to wait.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from speedmetal.arrays.memory.dlpack import describe_capsule
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.arrays.memory.strided import launch_layout_of
from speedmetal.backends.device import Buffer, LaunchLayout
from speedmetal.backends.exchange import Exchange
from speedmetal.dtypes import DType
from speedmetal.errors import DeviceError, UserInputError
from speedmetal.launch.foreign import (
    ForeignMemory,
    described,
    device_numbered,
    is_torch_class,
    number_of,
    torch_stream,
)

Borrowed = tuple[Buffer, Layout, LaunchLayout]
"""What an array is made of."""

_OF_THE_HOST = frozenset({np.ndarray, list, tuple, int, float, bool, complex})
_NEWEST = (1, 0)
"""Version of DLPack; with 1.0 came the flag of what is read-only."""


def borrowed(x: Any) -> Borrowed | None:
    """What an array on the memory of an object is made of; None: it is not on an NVIDIA GPU.

    Raises:
        UserInputError: It is, and cannot be used here; the message says why, and what to do.
        DeviceError: Its library captures its stream, and ours is another one.
    """
    if type(x) in _OF_THE_HOST:
        return None
    if hasattr(x, "__dlpack_device__") and not is_torch_class(type(x)):
        return borrowed_by_dlpack(x)
    memory = described(x)
    if memory is None:
        return None
    exchange = _exchange(x, memory.number, "__cuda_array_interface__")
    if memory.stream is not None:
        exchange.follow(memory.stream)
    return _made(exchange, memory, x)


def borrowed_by_dlpack(x: Any) -> Borrowed | None:
    """As :func:`borrowed`, of an object with ``__dlpack__``."""
    if not hasattr(x, "__dlpack_device__"):
        return None
    place = x.__dlpack_device__()
    number = number_of(place)
    if number is None:
        return None
    exchange = _exchange(x, number, f"DLPack device type {int(place[0])}")
    if is_torch_class(type(x)):
        exchange.check_order(torch_stream(x))
    stream = exchange.stream_number
    try:
        try:
            capsule = x.__dlpack__(stream=stream, max_version=_NEWEST)
        except TypeError:  # a producer from before the protocol had versions
            capsule = x.__dlpack__(stream=stream)
        memory = describe_capsule(capsule)
    except (BufferError, RuntimeError, TypeError) as error:
        raise UserInputError(f"from_dlpack: {type(x).__name__}: {error}") from error
    if memory is None or memory.number != number:
        raise UserInputError(
            f"from_dlpack: {type(x).__name__} says that it is on {place}, and is elsewhere"
        )
    return _made(exchange, memory, capsule)


def _exchange(x: Any, number: int, what: str) -> Exchange:
    try:
        found = device_numbered(number).exchange
    except DeviceError as error:
        raise UserInputError(
            f"from_dlpack expected an object in the CPU's memory, got a {type(x).__name__} on"
            f" another device ({what}); copy it to the CPU first. Of that device: {error}"
        ) from error
    assert found is not None
    return found


def _made(exchange: Exchange, memory: ForeignMemory, lender: object) -> Borrowed:
    memory.check_alignment()
    elements, size_bytes = _placed(memory.dtype, memory.shape, memory.strides)
    buffer: Buffer = exchange.borrow(memory.address - elements.offset, size_bytes, lender)
    is_readonly = memory.is_readonly or memory.is_repeated
    return buffer, elements, launch_layout_of(elements, buffer.device, is_readonly)


@lru_cache(maxsize=1024)
def _placed(dtype: DType, shape: Shape, strides: tuple[int, ...]) -> tuple[Layout, int]:
    """Where elements are in the memory that they take, and how much that is."""
    if 0 in shape:
        return Layout(dtype, shape, strides, 0), 0
    steps = [step * (n - 1) for n, step in zip(shape, strides, strict=True)]
    below = -sum(step for step in steps if step < 0)
    above = sum(step for step in steps if step > 0) + dtype.itemsize
    return Layout(dtype, shape, strides, below), below + above
