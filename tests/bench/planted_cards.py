"""A card that is not there: NumPy, whose calls run later, in the order of a queue, on a thread.

Frameworks on it take part as ``"planted_cards:NAME"``. Marks in the queue take the time, as a
card's events do; it has a cache of 1 MiB, and an address that some of the frameworks tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout, Params
from speedmetal.bench.frameworks.base import Cell, Device, DeviceClock, Framework, Function, Tensor
from speedmetal.bench.frameworks.numpy.adapter import NumPyAdapter
from speedmetal.bench.frameworks.numpy.cells import CELLS

UUID = "6f1c3a52-0b1d-4e6a-9f00-112233445566"
NAME, PCI, CACHE_BYTES = "NVIDIA Fictional 100", "0000:0a:00.0", 1 << 20
HOST_SECONDS = 200e-6  # that a call takes the host, before the card has it


class Later:
    """A result that the queue comes to."""

    def __init__(self, future: Future[Any], shape: tuple[int, ...]) -> None:
        self.future, self.shape = future, shape

    def __getitem__(self, index: Any) -> Any:
        return self.future.result()[index]


class QueuedAdapter(NumPyAdapter):
    """Calls go into a queue; ``force`` waits for all of it."""

    device_name, is_told = "cuda", True

    def __init__(self, device: str, settings: Any) -> None:
        super().__init__(device, settings)
        self._queue = ThreadPoolExecutor(1)
        self.cells = {name: self._queued(cell) for name, cell in CELLS.items()}

    @classmethod
    def devices(cls) -> list[Device]:
        return [cls.device_of()]

    @classmethod
    def device_of(cls) -> Device:
        address = {"uuid": UUID, "pci": PCI, "cache_bytes": CACHE_BYTES} if cls.is_told else {}
        return Device(cls.device_name, NAME, **address)

    def _queued(self, cell: Cell) -> Cell:
        def queued_cell(params: Params) -> Function:
            function = cell(params)

            def call(*inputs: Tensor) -> Later:
                time.sleep(HOST_SECONDS)
                return self._ask(lambda: function(*inputs))

            return call

        return queued_cell

    def _ask(self, work: Callable[[], Any]) -> Later:
        return Later(self._queue.submit(work), ())

    def copy(self, x: Tensor) -> Tensor:
        return self._ask(lambda: x + 1)

    def read(self, x: Tensor) -> Tensor:
        return self._ask(x.max)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return self._ask(lambda: a @ b)

    def force(self, outputs: Sequence[Tensor]) -> None:
        self._queue.submit(lambda: None).result()

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        return np.asarray(tensor.future.result() if isinstance(tensor, Later) else tensor)

    def peek(self, tensor: Tensor) -> NDArray[Any]:
        host = self.to_host(tensor, Layout.PLAIN)
        return np.asarray(host[(0,) * host.ndim])

    def device_peak_bytes(self) -> int | None:
        return 3 * CACHE_BYTES

    def device_clock(self) -> DeviceClock | None:
        return QueueClock(self._queue)


class QueueClock(DeviceClock):
    """Marks in the queue."""

    def __init__(self, queue: ThreadPoolExecutor) -> None:
        self._queue = queue

    def start(self) -> None:
        self._start = self._queue.submit(time.perf_counter_ns)

    def stop_nanoseconds(self) -> int:
        stop = self._queue.submit(time.perf_counter_ns)
        return stop.result() - self._start.result()


class NamelessAdapter(QueuedAdapter):
    """On the same card, which it calls otherwise, and tells by its name alone; it has no marks."""

    device_name, is_told = "gpu", False

    def device_clock(self) -> DeviceClock | None:
        return None


def _planted(adapter: type[QueuedAdapter]) -> Framework:
    return Framework(
        name=adapter.__name__,
        adapter=f"planted_cards:{adapter.__name__}",
        packages=("numpy",),
        modes=("eager",),
        default_modes=("eager",),
    )


QUEUED, NAMELESS = _planted(QueuedAdapter), _planted(NamelessAdapter)
