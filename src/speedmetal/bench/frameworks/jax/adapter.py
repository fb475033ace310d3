"""Drives JAX. Native layouts: channels last, attention (batch, length, heads, size)."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Device, Function, Settings, Tensor
from speedmetal.bench.frameworks.jax.cells import CELLS

# Of a row of spread 1 at an offset of 1000, float32 keeps two digits by that formula.
_FAST_VARIANCE = (
    'jax.nn.standardize takes the variance as mean(x^2) - mean(x)^2 by default ("fast"), which "can'
    ' suffer from catastrophic cancellation", as its documentation says'
)


class JAXAdapter(Adapter):
    """JAX on one device. It has no marks in a device's queue, so no time of the device's own."""

    cells = CELLS
    unstable = dict.fromkeys(
        ("layer_norm", "layer_norm_affine", "group_norm", "batch_norm", "residual_layer_norm"),
        _FAST_VARIANCE,
    )

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._device = jax.devices(device)[0]
        self._earlier_peak = 0
        jax.config.update("jax_default_device", self._device)
        precision = "tensorfloat32" if settings.precision == "tf32" else "highest"
        jax.config.update("jax_default_matmul_precision", precision)

    @classmethod
    def devices(cls) -> list[Device]:
        found = [Device("cpu", platform.processor() or platform.machine())]
        if jax.default_backend() != "cpu":
            found.append(Device("gpu", jax.devices()[0].device_kind))
        return found

    def begin(self, dtype: str) -> None:
        # With x64 on, other results widen too (positions become int64): only where it is asked for.
        jax.config.update("jax_enable_x64", dtype == "float64")

    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        if layout is Layout.ATTENTION:
            array = np.swapaxes(array, 1, 2)
        elif layout is Layout.CONVOLUTION_WEIGHT:
            array = np.moveaxis(array, 0, -1)  # (kernel..., in, out)
        elif layout is Layout.TRANSPOSED_CONVOLUTION_WEIGHT:
            array = np.moveaxis(array, 0, -2)  # (kernel..., out, in)
        # A copy: JAX may otherwise keep a view of the host's memory.
        return jax.block_until_ready(jax.device_put(np.array(array, order="C"), self._device))

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        array = np.asarray(tensor)
        if layout is Layout.ATTENTION:
            array = np.swapaxes(array, 1, 2)
        elif layout is Layout.CONVOLUTION_WEIGHT:
            array = np.moveaxis(array, -1, 0)
        elif layout is Layout.TRANSPOSED_CONVOLUTION_WEIGHT:
            array = np.moveaxis(array, -2, 0)
        return array

    def force(self, outputs: Sequence[Tensor]) -> None:
        jax.block_until_ready(outputs)

    def compile(self, function: Function) -> Function:
        return jax.jit(function)

    def gradient(self, function: Function, positions: Sequence[int], count: int) -> Function:
        def gradients(*arguments: Tensor) -> tuple[Tensor, ...]:
            def of_primals(*primals: Tensor) -> tuple[Tensor, ...]:
                inputs = list(arguments[:count])
                for i, primal in zip(positions, primals, strict=True):
                    inputs[i] = primal
                outputs = function(*inputs)
                return outputs if isinstance(outputs, tuple) else (outputs,)

            _, pull_back = jax.vjp(of_primals, *(arguments[i] for i in positions))
            return pull_back(tuple(arguments[count:]))

        return gradients

    def copy(self, x: Tensor) -> Tensor:
        return x + 1

    def read(self, x: Tensor) -> Tensor:
        return jnp.max(x)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def release(self) -> None:
        jax.clear_caches()
        self._earlier_peak = self._process_peak()

    def device_peak_bytes(self) -> int | None:
        # JAX counts from the process's start.
        peak = self._process_peak()
        return peak if peak > self._earlier_peak else None

    def _process_peak(self) -> int:
        statistics = self._device.memory_stats()
        return int(statistics["peak_bytes_in_use"]) if statistics else 0

    def report_settings(self) -> dict[str, str]:
        return {
            "NPROC": os.environ.get("NPROC", "unset"),
            "matmul_precision": str(jax.config.jax_default_matmul_precision),
            "x64": str(jax.config.jax_enable_x64),
        }
