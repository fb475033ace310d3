"""Drives PyTorch. Native layouts: channels first, attention (batch, heads, length, size)."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import (
    APPLE_GPU,
    Adapter,
    Device,
    DeviceClock,
    Function,
    Settings,
    Tensor,
)
from speedmetal.bench.frameworks.torch.cells import CELLS

# Freed memory that a worker may keep for its next turn; more is given back.
CACHE_BYTES = 1 << 30


class TorchAdapter(Adapter):
    """PyTorch on one device."""

    cells = CELLS

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._has_compiled = False
        torch.set_num_threads(settings.threads)
        torch.set_grad_enabled(False)
        allow_tf32 = settings.precision == "tf32"
        torch.set_float32_matmul_precision("high" if allow_tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = allow_tf32
        if device == "mps":
            self.unsupported_dtypes = {"float64": "Apple GPUs have no float64"}

    @classmethod
    def devices(cls) -> list[Device]:
        found = [Device("cpu", platform.processor() or platform.machine())]
        if torch.cuda.is_available():
            found.append(_card())
        if torch.backends.mps.is_available():
            found.append(Device("mps", APPLE_GPU))
        return found

    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        return self._on_host(array, layout).to(self.device)

    def rewrite(self, tensor: Tensor, array: NDArray[Any], layout: Layout) -> Tensor:
        return tensor.copy_(self._on_host(array, layout))

    def _on_host(self, array: NDArray[Any], layout: Layout) -> Tensor:
        """The array in the native layout; a copy of it where the tensor computes."""
        if layout in (Layout.CHANNELS_LAST, Layout.CONVOLUTION_WEIGHT):
            array = np.moveaxis(array, -1, 1)
        elif layout is Layout.TRANSPOSED_CONVOLUTION_WEIGHT:
            array = np.moveaxis(array, -1, 0)  # (in, out, kernel...)
        if np.issubdtype(array.dtype, np.integer):
            array = array.astype(np.int64)  # what PyTorch indexes with
        # A tensor may share its memory with the array, unless it goes on to a device.
        is_shared = self.device == "cpu"
        array = np.array(array, order="C") if is_shared else np.asarray(array, order="C")
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(array)

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        tensor = tensor.detach().cpu()
        if tensor.dtype == torch.bfloat16:
            import ml_dtypes

            array = tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        else:
            array = tensor.numpy()
        if layout in (Layout.CHANNELS_LAST, Layout.CONVOLUTION_WEIGHT):
            array = np.moveaxis(array, 1, -1)
        elif layout is Layout.TRANSPOSED_CONVOLUTION_WEIGHT:
            array = np.moveaxis(array, 0, -1)
        return np.asarray(array)

    def force(self, outputs: Sequence[Tensor]) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
        elif self.device == "mps":
            torch.mps.synchronize()

    def compile(self, function: Function) -> Function:
        self._has_compiled = True
        return torch.compile(function, dynamic=False, fullgraph=True)

    def gradient(self, function: Function, positions: Sequence[int], count: int) -> Function:
        def gradients(*arguments: Tensor) -> tuple[Tensor, ...]:
            inputs = [
                x.detach().requires_grad_() if i in positions else x
                for i, x in enumerate(arguments[:count])
            ]
            with torch.enable_grad():
                outputs = function(*inputs)
                outputs = outputs if isinstance(outputs, tuple) else (outputs,)
                return torch.autograd.grad(
                    outputs, [inputs[i] for i in positions], arguments[count:]
                )

        return gradients

    def compile_gradient(
        self, function: Function, positions: Sequence[int], count: int
    ) -> Function:
        # PyTorch compiles the backward pass of a compiled function; it does not trace autograd.
        return self.gradient(self.compile(function), positions, count)

    def copy(self, x: Tensor) -> Tensor:
        return x + 1

    def read(self, x: Tensor) -> Tensor:
        return x.max()

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def end_turn(self) -> None:
        if self.device == "cuda" and torch.cuda.memory_reserved() > CACHE_BYTES:
            torch.cuda.empty_cache()

    def release(self) -> None:
        if self._has_compiled:  # it imports the compiler, which takes seconds
            torch.compiler.reset()
            self._has_compiled = False
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif self.device == "mps":
            torch.mps.empty_cache()

    def device_peak_bytes(self) -> int | None:
        return int(torch.cuda.max_memory_allocated()) if self.device == "cuda" else None

    def device_clock(self) -> DeviceClock | None:
        return _CudaClock() if self.device == "cuda" else None

    def report_settings(self) -> dict[str, str]:
        return {
            "threads": str(torch.get_num_threads()),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "cudnn.allow_tf32": str(torch.backends.cudnn.allow_tf32),
        }


def _card() -> Device:
    """The first NVIDIA GPU; older versions of PyTorch tell less of it."""
    properties = torch.cuda.get_device_properties(0)
    parts = [getattr(properties, f"pci_{name}_id", -1) for name in ("domain", "bus", "device")]
    return Device(
        "cuda",
        properties.name,
        uuid=str(getattr(properties, "uuid", "")),
        pci="" if -1 in parts else "{:04x}:{:02x}:{:02x}.0".format(*parts),
        cache_bytes=int(getattr(properties, "L2_cache_size", 0)),
    )


class _CudaClock(DeviceClock):
    """CUDA events on the current stream."""

    def __init__(self) -> None:
        self._start = torch.cuda.Event(enable_timing=True)
        self._stop = torch.cuda.Event(enable_timing=True)

    def start(self) -> None:
        self._start.record()

    def stop_nanoseconds(self) -> int:
        self._stop.record()
        self._stop.synchronize()
        return round(self._start.elapsed_time(self._stop) * 1e6)
