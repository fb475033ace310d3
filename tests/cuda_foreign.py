"""Another library on the card of the stand-in for NVIDIA's driver (`cuda_machine`).

It has a stream and memory of its own, and hands both out as PyTorch and CuPy do. What it does is
queued in its stream, as kernels are.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from cuda_machine import CONTEXT, DryDriver, Mark, Work


class OtherLibrary:
    """What uses the card beside ours.

    Args:
        driver: Of the card.
        number: Of its stream; None: a new one.

    Attributes:
        waited: Streams that were made to wait for its own.
    """

    def __init__(self, driver: DryDriver, number: int | None = None) -> None:
        self.driver = driver
        if number is None:
            number = 0x2000 + len(driver.streams)
            driver.streams[number] = deque()
            driver.owners[number] = CONTEXT
        self.number = number
        self.waited: list[int] = []

    def do(self, action: Callable[[], object]) -> None:
        """Queue something in its stream."""
        self.driver.streams[self.number].append(Work(action))

    def finish(self) -> None:
        """Do what is in its stream, and no more than that and what it waits for."""
        while self.driver.streams[self.number]:
            assert self.driver._does_some(self.number), "the stream waits for ever"

    def tensor(self, host: Any, kind: type[Tensor] | None = None) -> Tensor:
        """An array in its memory."""
        return (kind or DlpackTensor)(self, np.array(host))

    def let_wait(self, stream: int) -> None:
        """Have another stream wait for its own, as producers of DLPack do."""
        self.waited.append(stream)
        mark = Mark(self.number)
        self.driver.streams[self.number].append(Work(lambda: self.driver._reach(mark)))
        self.driver.streams[stream].append(Work(waits_for=mark))

    # --- As PyTorch's or CuPy's stream ---------------------------------------------------------

    @property
    def cuda_stream(self) -> int:
        return self.number


class Tensor:
    """An array of the other library.

    Attributes:
        view: Its elements: the card's memory is the host's.
    """

    def __init__(self, library: OtherLibrary, host: np.ndarray[Any, Any]) -> None:
        self.library = library
        driver = library.driver
        driver.current.append(CONTEXT)
        self.address = driver._new_memory(driver.memory, max(host.nbytes, 1))
        driver.current.pop()
        memory = (ctypes.c_char * max(host.nbytes, 1)).from_address(self.address)
        self.view = np.frombuffer(memory, host.dtype, host.size).reshape(host.shape)
        self.view[...] = host

    def free(self) -> None:
        """Give the memory back, in the order of its library's stream: it is used again at once."""
        view = self.view
        self.library.do(lambda: view.fill(99))


class InterfaceTensor(Tensor):
    """An array with the CUDA array interface alone.

    Attributes:
        stream: That it names; None: its library's.
    """

    stream: int | None = None

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        view = self.view
        return {
            "version": 3,
            "shape": view.shape,
            "typestr": view.dtype.str,
            "strides": view.strides,
            "data": (view.__array_interface__["data"][0], False),
            "stream": self.stream or self.library.number,
        }


class DlpackTensor(InterfaceTensor):
    """An array with DLPack as well."""

    place = (2, 0)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.place

    def __dlpack__(self, *, stream: int | None = None, max_version: Any = None) -> Any:
        assert type(stream) is int
        assert stream != 0
        if stream not in (-1, self.library.number):
            self.library.let_wait(stream)
        capsule = self.view.__dlpack__(max_version=max_version)
        name, offset = (b"dltensor", 0) if max_version is None else (b"dltensor_versioned", 32)
        at = _pointer(capsule, name) + offset
        (ctypes.c_int32 * 2).from_address(at + 8)[:] = self.place
        return capsule


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
