"""Drives MLX: lazy arrays that ``eval`` computes. Native layouts are the canonical ones."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Device, Function, Settings, Tensor
from speedmetal.bench.frameworks.mlx.cells import CELLS

# Freed memory that a worker may keep for its next turn; more is given back.
CACHE_BYTES = 1 << 30


class MLXAdapter(Adapter):
    """MLX on one device."""

    cells = CELLS

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        mx.set_default_device(mx.gpu if device == "gpu" else mx.cpu)
        if device == "gpu":
            self.unsupported_dtypes = {"float64": "MLX has float64 on the CPU only"}

    @classmethod
    def devices(cls) -> list[Device]:
        found = [Device("cpu", platform.processor() or platform.machine())]
        if mx.is_available(mx.gpu):
            info = mx.device_info(mx.gpu)
            name, uuid, pci = (str(info.get(k, "")) for k in ("device_name", "uuid", "pci_bus_id"))
            found.append(Device("gpu", name or "GPU", uuid, pci))  # MLX for CUDA tells which card
        return found

    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        if array.dtype.name == "bfloat16":
            tensor = mx.array(np.ascontiguousarray(array).view(np.uint16)).view(mx.bfloat16)
        elif array.dtype == np.float64:
            tensor = mx.array(array, dtype=mx.float64)
        else:
            tensor = mx.array(array)
        mx.eval(tensor)
        return tensor

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        if tensor.dtype == mx.bfloat16:
            import ml_dtypes

            return np.array(tensor.view(mx.uint16)).view(ml_dtypes.bfloat16)
        return np.array(tensor, copy=False)

    def force(self, outputs: Sequence[Tensor]) -> None:
        mx.eval(*outputs)

    def compile(self, function: Function) -> Function:
        return mx.compile(function)

    def gradient(self, function: Function, positions: Sequence[int], count: int) -> Function:
        def gradients(*arguments: Tensor) -> tuple[Tensor, ...]:
            inputs = list(arguments[:count])

            def of_primals(*primals: Tensor) -> list[Tensor]:
                for i, primal in zip(positions, primals, strict=True):
                    inputs[i] = primal
                outputs = function(*inputs)
                return list(outputs) if isinstance(outputs, tuple) else [outputs]

            _, gradient = mx.vjp(
                of_primals, [arguments[i] for i in positions], list(arguments[count:])
            )
            return tuple(gradient)

        return gradients

    def copy(self, x: Tensor) -> Tensor:
        return x + 1

    def read(self, x: Tensor) -> Tensor:
        return x.max()

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def end_turn(self) -> None:
        if mx.get_cache_memory() > CACHE_BYTES:
            mx.clear_cache()

    def release(self) -> None:
        mx.clear_cache()
        mx.reset_peak_memory()

    def device_peak_bytes(self) -> int | None:
        return int(mx.get_peak_memory())

    def report_settings(self) -> dict[str, str]:
        return {
            "threads": "not adjustable: an operation on the CPU stream runs as MLX's build does it",
            "MLX_ENABLE_TF32": os.environ.get("MLX_ENABLE_TF32", "unset"),
        }
