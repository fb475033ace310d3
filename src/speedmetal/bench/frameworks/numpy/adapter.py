"""Drives NumPy: every call has finished when it returns, so there is nothing to force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Device, Tensor
from speedmetal.bench.frameworks.numpy.cells import CELLS


class NumPyAdapter(Adapter):
    """NumPy; its native layouts are the canonical ones."""

    cells = CELLS
    unsupported_dtypes = {
        "bfloat16": "NumPy has no bfloat16 of its own",
    }
    differentiates = False

    @classmethod
    def devices(cls) -> list[Device]:
        return [Device("cpu", "host CPU")]

    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        return np.array(array)

    def rewrite(self, tensor: Tensor, array: NDArray[Any], layout: Layout) -> Tensor:
        np.copyto(tensor, array)
        return tensor

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        return np.asarray(tensor)

    def force(self, outputs: Sequence[Tensor]) -> None:
        pass

    def copy(self, x: Tensor) -> Tensor:
        return x + 1

    def read(self, x: Tensor) -> Tensor:
        return x.max()

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def report_settings(self) -> dict[str, str]:
        from threadpoolctl import threadpool_info

        return {
            str(pool["internal_api"]): f"{pool['num_threads']} threads, {pool.get('version')}"
            for pool in threadpool_info()
        }
