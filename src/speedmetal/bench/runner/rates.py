"""What a contender reaches at best on its device: the parts that ceilings are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Function, Tensor
from speedmetal.bench.measure import ceilings
from speedmetal.bench.record import CopyPoint
from speedmetal.bench.runner.data import dtype_of
from speedmetal.bench.runner.finished import ATTEMPTS, peek_seconds, unfinished_reason
from speedmetal.bench.runner.protocol import CeilingsMeasured, MeasureCeilings
from speedmetal.errors import SpeedmetalError

PRODUCT_SIZES = (256, 512, 1024, 2048)
# Seven calls are made of each size. A product that takes longer is bound by its arithmetic long
# before (NumPy's of float16 is a plain loop, at 0.6 GFLOP/s): a larger one would show no more.
LONGEST_PRODUCT_SECONDS = 0.25


class UnfinishedError(SpeedmetalError):
    """A rate that nobody waited for: it would let every time on this device pass."""


class RateMeter:
    """Measures the rates of one adapter in one mode; about ``seconds`` are spent on each."""

    def __init__(self, adapter: Adapter, mode: str, seconds: float) -> None:
        self._adapter = adapter
        self._is_compiled = mode == "compiled"
        self._seconds = seconds

    def measure(self, request: MeasureCeilings) -> CeilingsMeasured:
        """Everything that is asked for.

        Raises:
            UnfinishedError: The framework does not wait for its results.
        """
        copy, read = [], []
        for size in request.sizes_bytes:
            x = self._on_device((max(1, size // 8),), "float32")
            copied = self._rate(self._adapter.copy, size, x)
            was_read = self._rate(self._adapter.read, size / 2, x)
            copy.append(CopyPoint(working_set_bytes=size, bytes_per_second=copied))
            read.append(CopyPoint(working_set_bytes=size, bytes_per_second=was_read))
        flops = {
            dtype: self._product_rate(dtype)
            for dtype in request.dtypes
            if dtype not in self._adapter.unsupported_dtypes
        }
        floor = 1 / self._rate(self._adapter.copy, 1.0, self._on_device((1,), "float32"))
        self._adapter.release()
        return CeilingsMeasured(copy, read, flops, floor)

    def _product_rate(self, dtype: str) -> float:
        best = 0.0
        for size in PRODUCT_SIZES:
            work = ceilings.product_flops(size)
            if work > LONGEST_PRODUCT_SECONDS * best > 0:
                break
            a, b = (self._on_device((size, size), dtype) for _ in range(2))
            best = max(best, self._rate(self._adapter.product, work, a, b))
        return best

    def _on_device(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        self._adapter.begin(dtype)
        return self._adapter.to_device(values.astype(dtype_of(dtype)), Layout.PLAIN)

    def _rate(self, function: Function, work: float, *inputs: Tensor) -> float:
        made = self._adapter.compile(function) if self._is_compiled else function

        def forced_call() -> Sequence[Tensor]:
            outputs = (made(*inputs),)
            self._adapter.force(outputs)
            return outputs

        peek_seconds(self._adapter, forced_call)
        unfinished = ""
        for _ in range(ATTEMPTS):
            seconds = ceilings.best_seconds(forced_call, self._seconds)
            # Right after many calls: if nobody waited for them, they are all still in the queue.
            unfinished = unfinished_reason(self._adapter, forced_call, seconds, 0.0)
            if not unfinished:
                return work / seconds
        raise UnfinishedError(unfinished)
