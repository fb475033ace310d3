"""Drives CuPy on one NVIDIA GPU. Its native layouts are the canonical ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import cupy as cp
import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Device, DeviceClock, Settings, Tensor
from speedmetal.bench.frameworks.cupy.cells import CELLS

# Freed memory that a worker may keep for its next turn; more is given back.
CACHE_BYTES = 1 << 30


class CuPyAdapter(Adapter):
    """CuPy on the first card."""

    cells = CELLS
    # Of bfloat16, reductions and special functions are float32 or float64, and products, sorting
    # and running sums are refused (CuPy 14.2).
    unsupported_dtypes = {"bfloat16": "most of CuPy's functions do not take bfloat16, or widen it"}
    differentiates = False

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._pool = cp.get_default_memory_pool()

    @classmethod
    def devices(cls) -> list[Device]:
        properties = cp.cuda.runtime.getDeviceProperties(0)
        return [
            Device(
                "cuda",
                properties["name"].decode(errors="replace"),
                uuid=bytes(properties["uuid"]).hex(),
                pci=cp.cuda.Device(0).pci_bus_id,
                cache_bytes=int(properties["l2CacheSize"]),
            )
        ]

    def reason_against(self, operation: str, dtype: str, direction: str) -> str | None:
        if (operation, dtype) == ("scatter_max", "float16"):
            return "cupyx.scatter_max does not take float16"
        return super().reason_against(operation, dtype, direction)

    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        return cp.array(np.asarray(array, order="C"))

    def rewrite(self, tensor: Tensor, array: NDArray[Any], layout: Layout) -> Tensor:
        tensor.set(np.asarray(array, order="C"))
        return tensor

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        return np.asarray(cp.asnumpy(tensor))

    def force(self, outputs: Sequence[Tensor]) -> None:
        cp.cuda.get_current_stream().synchronize()

    def copy(self, x: Tensor) -> Tensor:
        return x + 1

    def read(self, x: Tensor) -> Tensor:
        return x.max()

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def end_turn(self) -> None:
        if self._pool.total_bytes() > CACHE_BYTES:
            self._pool.free_all_blocks()

    def release(self) -> None:
        self._pool.free_all_blocks()
        # Plans of transforms hold memory that they work in.
        cp.fft.config.clear_plan_cache()

    def device_peak_bytes(self) -> int | None:
        # What the pool holds: it gives nothing back before `end_turn` or `release` ask it to.
        return int(self._pool.total_bytes())

    def device_clock(self) -> DeviceClock | None:
        return _EventClock()

    def report_settings(self) -> dict[str, str]:
        return {
            "CUPY_TF32": os.environ.get("CUPY_TF32", "unset"),
            "CUPY_ACCELERATORS": os.environ.get("CUPY_ACCELERATORS", "unset"),
            "memory": "freed memory stays in the library's own pool, under each memory policy",
        }


class _EventClock(DeviceClock):
    """CUDA events on the current stream."""

    def __init__(self) -> None:
        self._start, self._stop = cp.cuda.Event(), cp.cuda.Event()

    def start(self) -> None:
        self._start.record()

    def stop_nanoseconds(self) -> int:
        self._stop.record()
        self._stop.synchronize()
        return round(cp.cuda.get_elapsed_time(self._start, self._stop) * 1e6)
