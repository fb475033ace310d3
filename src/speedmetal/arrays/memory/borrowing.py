"""Memory of other libraries on NVIDIA GPUs, as memory of arrays: where it is, without a copy.

By DLPack, whose producer has our stream wait for its own; else by the CUDA array interface, which
names a stream that ours waits for. The host waits for nothing.
"""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.memory.dlpack import describe_capsule
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.strided import launch_layout_of
from speedmetal.backends.device import Buffer, LaunchLayout
from speedmetal.backends.exchange import Exchange
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

_NEWEST = (1, 0)
"""Version of DLPack; with 1.0 came the flag of what is read-only."""


def borrowed(x: Any) -> Borrowed | None:
    """What an array on the memory of an object is made of; None: it is not on an NVIDIA GPU.

    Raises:
        UserInputError: It is, and cannot be used here; the message says why, and what to do.
        DeviceError: Its library captures its stream, and ours is another one.
    """
    if hasattr(x, "__dlpack_device__"):
        place = x.__dlpack_device__()
        number = number_of(place)
        return None if number is None else _by_dlpack(x, number, place)
    if hasattr(x, "__cuda_array_interface__"):
        memory = described(x)
        assert memory is not None
        exchange = _exchange(x, memory.number, "__cuda_array_interface__")
        if memory.stream is not None:
            exchange.follow(memory.stream)
        return _made(exchange, memory, x)
    return None


def is_on_gpu(x: Any) -> bool:
    """Whether an object with ``__dlpack__`` is on an NVIDIA GPU."""
    return hasattr(x, "__dlpack_device__") and number_of(x.__dlpack_device__()) is not None


def _by_dlpack(x: Any, number: int, place: tuple[Any, int]) -> Borrowed:
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
    steps = [step * (n - 1) for n, step in zip(memory.shape, memory.strides, strict=True)]
    is_empty = 0 in memory.shape
    below = 0 if is_empty else -sum(step for step in steps if step < 0)
    above = 0 if is_empty else sum(step for step in steps if step > 0) + memory.dtype.itemsize
    buffer: Buffer = exchange.borrow(memory.address - below, below + above, lender)
    elements = Layout(memory.dtype, memory.shape, memory.strides, below)
    is_readonly = memory.is_readonly or memory.is_repeated
    return buffer, elements, launch_layout_of(elements, buffer.device, is_readonly)
