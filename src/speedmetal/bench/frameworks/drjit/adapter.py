"""Drives Dr.Jit: calls are traced, and ``eval`` compiles and runs what they traced.

Its compiled mode is ``dr.freeze``: a call is traced once, and its kernels are launched again.
Native layouts are the canonical ones.
"""

from __future__ import annotations

import importlib
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import drjit as dr
import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Device, Function, Settings, Tensor
from speedmetal.bench.frameworks.drjit.cells import CELLS, UNSUPPORTED

# What a case may have had at most for its freed memory to be kept for the next turn.
CACHE_BYTES = 1 << 30

# Device -> the backend's name, as an attribute and in small letters as a module.
_BACKENDS = {"cpu": "LLVM", "cuda": "CUDA", "metal": "Metal"}
_MISSING = "Dr.Jit finds no LLVM from version 15: name it in DRJIT_LIBLLVM_PATH"
_TENSORS = {
    "float16": "TensorXf16",
    "float32": "TensorXf",
    "float64": "TensorXf64",
    "int32": "TensorXi",
    "uint32": "TensorXu",
    "bool": "TensorXb",
}


class _Frozen:
    """A frozen function whose results without axes have none.

    They come out of ``dr.freeze`` with an axis of length 1 (Dr.Jit 1.5). Which they are is seen
    when the function is traced.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._frozen = dr.freeze(self._trace)
        self._is_without_axes: tuple[bool, ...] = ()

    def _trace(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        result = self._function(*arguments)
        results = result if isinstance(result, tuple) else (result,)
        self._is_without_axes = tuple(tensor.ndim == 0 for tensor in results)
        return results

    def __call__(self, *arguments: Tensor) -> Tensor:
        results = self._frozen(*arguments)
        if any(self._is_without_axes):
            marked = zip(results, self._is_without_axes, strict=True)
            results = tuple(type(x)(x.array, ()) if bare else x for x, bare in marked)
        return results[0] if len(results) == 1 else results


class DrJitAdapter(Adapter):
    """Dr.Jit on one device."""

    cells = CELLS
    unsupported = UNSUPPORTED
    unsupported_dtypes = {"bfloat16": "Dr.Jit has no bfloat16"}
    differentiates = False

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        if not dr.has_backend(getattr(dr.JitBackend, _BACKENDS[device])):
            raise ImportError(_MISSING)  # it would end the process later
        dr.set_thread_count(settings.threads)  # the calling one included
        self._backend = getattr(dr.JitBackend, _BACKENDS[device])
        self._types = importlib.import_module(f"drjit.{_BACKENDS[device].lower()}")
        if device == "metal":
            self.unsupported_dtypes = {
                **DrJitAdapter.unsupported_dtypes,
                "float64": "Apple GPUs have no float64",
            }

    @classmethod
    def devices(cls) -> list[Device]:
        found = [
            Device(device, platform.processor() or platform.machine() if device == "cpu" else name)
            for device, name in _BACKENDS.items()
            if dr.has_backend(getattr(dr.JitBackend, name))
        ]
        if not found:
            raise ImportError(_MISSING)
        return found

    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        tensor_type = getattr(self._types, _TENSORS[array.dtype.name])
        tensor = tensor_type(np.array(array, order="C"))  # it may keep a view of the host's memory
        self.force([tensor])
        return tensor

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        return np.asarray(tensor.numpy())

    def peek(self, tensor: Tensor) -> NDArray[Any]:
        dr.eval(tensor)  # the whole of it, however it was forced
        return np.asarray(tensor.array[0])

    def force(self, outputs: Sequence[Tensor]) -> None:
        dr.eval(*outputs)
        dr.sync_thread()

    def start(self, outputs: Sequence[Tensor]) -> None:
        dr.eval(*outputs)

    def compile(self, function: Function) -> Function:
        return _Frozen(function)

    def copy(self, x: Tensor) -> Tensor:
        return x + 1

    def read(self, x: Tensor) -> Tensor:
        return (dr.any if dr.is_mask_v(x) else dr.max)(x, axis=None)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def end_turn(self) -> None:
        if dr.detail.malloc_watermark(self._backend) > CACHE_BYTES:
            dr.flush_malloc_cache()

    def release(self) -> None:
        dr.sync_thread()
        dr.flush_malloc_cache()
        dr.detail.malloc_clear_statistics()

    def device_peak_bytes(self) -> int | None:
        return int(dr.detail.malloc_watermark(self._backend))

    def reason_against(self, operation: str, dtype: str, direction: str) -> str | None:
        reason = super().reason_against(operation, dtype, direction)
        if direction == "backward" and reason == "no automatic differentiation":
            return "its types with gradients (drjit.llvm.ad) are not driven here"
        return reason

    def report_settings(self) -> dict[str, str]:
        return {
            "threads": str(dr.thread_count()),
            "kernels on disk": str(Path.home() / ".drjit"),
            "memory": "freed memory stays in the library's own pool, under each memory policy",
        }
