"""Drives speedmetal: lazy arrays that ``eval`` computes. Native layouts are the canonical ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

import speedmetal as sm
from speedmetal.bench.contract import Layout, Params
from speedmetal.bench.frameworks.base import (
    Adapter,
    Cell,
    Device,
    DeviceClock,
    Function,
    Settings,
    Tensor,
)
from speedmetal.bench.frameworks.speedmetal.cells import CELLS

# Freed memory that a worker may keep for its next turn; more is given back.
CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class _AtOnce:
    """The function of a cell, each of whose operations is computed where it is written."""

    lazy: Function

    def __call__(self, *arrays: Tensor) -> Tensor:
        with sm.no_fusion():
            return self.lazy(*arrays)


def _at_once(cell: Cell) -> Cell:
    def cell_at_once(params: Params) -> Function:
        return _AtOnce(cell(params))

    return cell_at_once


class SpeedmetalAdapter(Adapter):
    """speedmetal on one device.

    Its compiled mode is what arrays do by themselves: a function writes an expression, which is
    fused and compiled when it is forced. In eager mode each operation is computed at once.
    """

    cells = {name: _at_once(cell) for name, cell in CELLS.items()}
    differentiates = False

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._device = sm.device(device)
        self._is_asynchronous = device != "cpu"
        if not self._device.target.has_float64:
            self.unsupported_dtypes = {"float64": f"{device} has no float64"}

    @classmethod
    def devices(cls) -> list[Device]:
        return [
            Device(
                device.name,
                device.description,
                pci=getattr(device, "bus_id", ""),
                cache_bytes=getattr(device, "cache_bytes", 0),
            )
            for device in sm.devices()
            if ":" not in device.name  # of several GPUs the first, as the other frameworks
        ]

    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        tensor = sm.array(array, device=self._device)
        self.force([tensor])
        return tensor

    def rewrite(self, tensor: Tensor, array: NDArray[Any], layout: Layout) -> Tensor:
        tensor[...] = array
        return tensor

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        return tensor.numpy()

    def force(self, outputs: Sequence[Tensor]) -> None:
        sm.eval(*outputs)
        if self._is_asynchronous:
            sm.synchronize()

    def start(self, outputs: Sequence[Tensor]) -> None:
        sm.eval(*outputs)

    def compile(self, function: Function) -> Function:
        # Nothing to do: expressions are fused and compiled by themselves.
        return function.lazy if isinstance(function, _AtOnce) else function

    def copy(self, x: Tensor) -> Tensor:
        return x + 1

    def read(self, x: Tensor) -> Tensor:
        return sm.max(x)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def end_turn(self) -> None:
        if sm.memory_info(self._device).bytes_cached > CACHE_BYTES:
            sm.empty_cache()

    def release(self) -> None:
        sm.synchronize()
        sm.empty_cache()
        self._device.forget_peak()

    def device_peak_bytes(self) -> int | None:
        return sm.memory_info(self._device).peak_bytes if self._is_asynchronous else None

    def device_clock(self) -> DeviceClock | None:
        from speedmetal.backends.cuda.driver.device import CudaDevice
        from speedmetal.bench.frameworks.speedmetal.cuda_clock import CudaClock

        return CudaClock(self._device) if isinstance(self._device, CudaDevice) else None

    def report_settings(self) -> dict[str, str]:
        from threadpoolctl import threadpool_info

        from speedmetal.backends.cpu.pool import default_threads

        # Products of matrices on the CPU are the BLAS's that NumPy brings.
        blas = [f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()]
        return {
            "threads": ", ".join([str(default_threads()), *blas]),
            "memory": "freed memory stays in the library's own pool, under each memory policy",
        }
