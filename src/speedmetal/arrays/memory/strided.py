"""What kernels and copies see of an array: a buffer, and where in it the elements are."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Self

import numpy as np

from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.cpu.address import address_of
from speedmetal.backends.device import (
    Buffer,
    Device,
    DeviceArray,
    LaunchLayout,
    elements_fault,
    launch_layout,
)
from speedmetal.dtypes import DType, from_numpy, is_supported

HostArray = np.ndarray[Any, Any]


class Strided(DeviceArray):
    """Elements in the memory of a device.

    Attributes:
        buffer: The memory, which is kept alive.
        elements: Where the elements are in it.
        address: Of the first one.
        layout: What a launch knows of them, made from ``elements``.
    """

    __slots__ = ("_host", "buffer", "elements")

    buffer: Buffer
    elements: Layout
    _host: HostArray  # of `on_host`; absent until it is asked for

    def __init__(self, buffer: Buffer, elements: Layout, layout: LaunchLayout) -> None:
        self.buffer = buffer
        self.elements = elements
        offset = elements.offset
        self.address = buffer.address + offset if offset else buffer.address
        self.layout = layout

    @classmethod
    def allocate(cls, shape: tuple[int, ...], dtype: DType, device: Device) -> Self:
        """New memory of undefined content, in C order."""
        elements, layout, size_bytes = fresh_layout(shape, dtype, device)
        return cls(device.allocate(size_bytes), elements, layout)

    @classmethod
    def wrap(cls, host: HostArray, device: Device) -> Self | None:
        """The elements of a NumPy array, which is kept alive; None where kernels cannot use them.

        It is read-only where that is, and where elements lie on each other (a stride is 0): what
        many threads write there has no order.
        """
        if not is_supported(host.dtype) or elements_fault(host):
            return None
        buffer = device.wrap(host)
        if buffer is None:
            return None
        assert buffer.host is not None
        offset = address_of(host) - address_of(buffer.host)
        elements = Layout(from_numpy(host.dtype), host.shape, host.strides, offset)
        is_repeated = host.size > 0 and any(
            n > 1 and not step for n, step in zip(host.shape, host.strides, strict=True)
        )
        is_readonly = is_repeated or not host.flags.writeable
        return cls(buffer, elements, launch_layout_of(elements, device, is_readonly))

    @classmethod
    def of_fresh(cls, host: HostArray, elements: Layout, layout: LaunchLayout) -> Self:
        """A NumPy array in C order that nobody else has, on a device that takes such.

        Args:
            host: What NumPy has made.
            elements: Its layout, as :func:`fresh_layout` gives it with the next one.
            layout: For launches.
        """
        buffer = layout.device.wrap(host)
        assert buffer is not None
        array = cls(buffer, elements, layout)
        array._host = host
        return array

    def with_elements(self, elements: Layout, *, is_readonly: bool = False) -> Self:
        """Other elements of the same buffer; read-only where these are, or if it is asked for."""
        own = self.layout
        layout = launch_layout_of(elements, own.device, is_readonly or own.is_readonly)
        return type(self)(self.buffer, elements, layout)

    def seen_from(self, other: Strided) -> Layout | None:
        """Another array's elements as they lie in this one's buffer; None: it is other memory.

        Arrays that share memory with NumPy's, or with other libraries' on a GPU, may have two
        buffers over the same bytes.
        """
        place = other.elements
        if self.buffer is other.buffer:
            return place
        own, others = self.buffer, other.buffer
        is_borrowed = own.device is others.device and (own.is_borrowed or others.is_borrowed)
        if not is_borrowed and not (own.is_shared and others.is_shared):
            return None
        distance = _host_address(others) - _host_address(own)
        return Layout(place.dtype, place.shape, place.strides, place.offset + distance)

    def shares_bytes(self, other: Strided) -> bool:
        """Whether both have a byte in common, as far as that can be told in a short time."""
        place = self.seen_from(other)
        return place is not None and self.elements.overlaps(place)

    @property
    def is_shared(self) -> bool:
        """Whether the host reads and writes the same bytes."""
        return self.buffer.is_shared

    def on_host(self) -> HostArray:
        """The elements in shared memory, after everything that the device was asked to do.

        It is one NumPy array for each object: who hands it out hands out a view.
        """
        self.layout.device.synchronize()
        try:
            return self._host
        except AttributeError:
            content = self.buffer.host
            assert content is not None
            self._host = self.in_bytes(content)
            if self.layout.is_readonly:
                self._host.flags.writeable = False
            return self._host

    def is_sooner_on_host(self, size_bytes: int) -> bool:
        """Whether the host reads or writes so much of the buffer before a launch begins."""
        return size_bytes <= self.layout.device.host_copy_bytes and self.buffer.is_shared

    def in_bytes(self, content: HostArray) -> HostArray:
        """The elements in the bytes of the whole buffer, or in a copy of them."""
        e = self.elements
        offset = e.offset if content.size else 0  # where an axis is empty, it may lie beyond
        return np.ndarray(e.shape, e.dtype.numpy, content.data, offset, e.strides)


def _host_address(buffer: Buffer) -> int:
    """Of the first byte, as the host sees it: addresses of a GPU's buffers cannot be compared."""
    if type(buffer.address) is int:
        return buffer.address
    assert buffer.host is not None
    return address_of(buffer.host)


def launch_layout_of(elements: Layout, device: Device, is_readonly: bool) -> LaunchLayout:  # noqa: FBT001 - lru_cache counts by position
    return launch_layout(elements.dtype, elements.shape, elements.strides, device, is_readonly)


@lru_cache(maxsize=1024)
def fresh_layout(
    shape: tuple[int, ...], dtype: DType, device: Device
) -> tuple[Layout, LaunchLayout, int]:
    """All about new memory but the memory: it costs a third of a small allocation."""
    elements = Layout.c_contiguous(dtype, shape)
    return elements, launch_layout_of(elements, device, is_readonly=False), elements.nbytes
