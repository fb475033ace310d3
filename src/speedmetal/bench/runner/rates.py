"""What a contender reaches at best on its device: the parts that ceilings are made of.

A ceiling is what others' times are judged by, so it is proved as an operation is: the values are
right, follow the inputs, and were finished when they had been forced. What no host of this kind can
reach is left out all the same (:func:`within_host_bounds`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Function, Tensor
from speedmetal.bench.measure import ceilings
from speedmetal.bench.operations.base import Array
from speedmetal.bench.record import CopyPoint
from speedmetal.bench.runner.data import dtype_of
from speedmetal.bench.runner.finished import Reader
from speedmetal.bench.runner.protocol import CeilingsMeasured, MeasureCeilings
from speedmetal.errors import SpeedmetalError

PRODUCT_SIZES = (256, 512, 1024, 2048)
# Seven calls are made of each size. A product that takes longer is bound by its arithmetic long
# before (NumPy's of float16 is a plain loop, at 0.6 GFLOP/s): a larger one would show no more.
LONGEST_PRODUCT_SECONDS = 0.25


# A plain product of float32 in NumPy on all cores is a tuned library's; units for matrices of half
# precision do up to sixteen times as much. Copies are NumPy's own, in its best cache.
COPY_FACTOR, PRODUCT_FACTOR, HALF_FACTOR = 4.0, 4.0, 64.0
COPY_SIZES = (8 << 10, 64 << 10, 512 << 10, 4 << 20)  # bytes: one of them is in a near cache
BOUND_SECONDS = 0.2  # for each of the two: a bound that a busy machine made low would be unjust
PROBES = 1024  # elements of a copy that are compared
PROVED_ROWS = 4  # of a product
HALVES = ("float16", "bfloat16")


class UnprovedRateError(SpeedmetalError):
    """A rate of work that was not done: it would let every time on this device pass."""


@dataclass(frozen=True)
class HostBounds:
    """What this host reaches itself, on as many threads: bytes and float32 operations a second."""

    bytes_per_second: float
    flops_per_second: float


def measure_host_bounds(threads: int, seconds: float = BOUND_SECONDS) -> HostBounds:
    """What copies in the best cache and a product reach here, one core times ``threads``.

    Args:
        threads: That a contender may use.
        seconds: About how long to try, for each of the two.
    """
    copied = max(_copy_rate(size, seconds / len(COPY_SIZES)) for size in COPY_SIZES)
    multiplied = max(_product_rate(size, seconds / 2) for size in PRODUCT_SIZES[:2])
    return HostBounds(
        bytes_per_second=threads * copied,
        # However many threads the library took, it took one at least.
        flops_per_second=threads * multiplied,
    )


def _copy_rate(size: int, seconds: float) -> float:
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    return 2 * size / ceilings.best_seconds(lambda: np.copyto(target, source), seconds)


def _product_rate(size: int, seconds: float) -> float:
    a = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    return ceilings.product_flops(size) / ceilings.best_seconds(lambda: a @ a, seconds)


def within_host_bounds(
    measured: CeilingsMeasured, bounds: HostBounds
) -> tuple[CeilingsMeasured, list[str]]:
    """What a host can reach of a CPU's measured rates, and what is said of the rest.

    Example:
        >>> fast = CopyPoint(working_set_bytes=65536, bytes_per_second=2.58e14)
        >>> found = CeilingsMeasured([], [fast], {"float32": 1e11}, 1e-6)
        >>> kept, told = within_host_bounds(found, HostBounds(5e10, 1e11))
        >>> kept.read, kept.flops_per_second
        ([], {'float32': 100000000000.0})
        >>> told
        ['reading 64 KiB at 258000 GB/s is more than 4 times what plain copies reach (50 GB/s)']
    """
    told: list[str] = []

    def keep(points: Sequence[CopyPoint], what: str) -> list[CopyPoint]:
        kept = []
        for point in points:
            if point.bytes_per_second <= COPY_FACTOR * bounds.bytes_per_second:
                kept.append(point)
                continue
            told.append(
                f"{what} {point.working_set_bytes >> 10} KiB at"
                f" {point.bytes_per_second / 1e9:.6g} GB/s is more than {COPY_FACTOR:.0f} times"
                f" what plain copies reach ({bounds.bytes_per_second / 1e9:.3g} GB/s)"
            )
        return kept

    rates = {}
    for dtype, rate in measured.flops_per_second.items():
        factor = HALF_FACTOR if dtype in HALVES else PRODUCT_FACTOR
        if rate <= factor * bounds.flops_per_second:
            rates[dtype] = rate
            continue
        told.append(
            f"products of {dtype} at {rate / 1e9:.6g} GFLOP/s are more than {factor:.0f} times what"
            f" NumPy's of float32 reach ({bounds.flops_per_second / 1e9:.3g} GFLOP/s)"
        )
    copy, read = keep(measured.copy, "copying"), keep(measured.read, "reading")
    return (
        CeilingsMeasured(copy, read, rates, measured.call_floor_seconds),
        told,
    )


class RateMeter:
    """Measures the rates of one adapter in one mode; about ``seconds`` are spent on each."""

    def __init__(self, adapter: Adapter, mode: str, seconds: float) -> None:
        self._adapter = adapter
        self._is_compiled = mode == "compiled"
        self._seconds = seconds

    def measure(self, request: MeasureCeilings) -> CeilingsMeasured:
        """Everything that is asked for.

        Raises:
            UnprovedRateError: The work was not done, or not when it was timed.
        """
        copy, read = [], []
        for size in request.sizes_bytes:
            shape = (max(1, size // 8),)
            copied = self._rate("copy", self._adapter.copy, _same_copy, size, shape)
            was_read = self._rate("read", self._adapter.read, _same_maximum, size / 2, shape)
            copy.append(CopyPoint(working_set_bytes=size, bytes_per_second=copied))
            read.append(CopyPoint(working_set_bytes=size, bytes_per_second=was_read))
        flops = {
            dtype: self._product_rate(dtype)
            for dtype in request.dtypes
            if dtype not in self._adapter.unsupported_dtypes
        }
        floor = 1 / self._rate("copy", self._adapter.copy, _same_copy, 1.0, (1,))
        self._adapter.release()
        _values.cache_clear()
        return CeilingsMeasured(copy, read, flops, floor)

    def _product_rate(self, dtype: str) -> float:
        best = 0.0
        for size in PRODUCT_SIZES:
            work = ceilings.product_flops(size)
            if work > LONGEST_PRODUCT_SECONDS * best > 0:
                break
            sizes = ((size, size), (size, size))
            rate = self._rate(
                "product", self._adapter.product, _same_product, work, *sizes, dtype=dtype
            )
            best = max(best, rate)
        return best

    def _rate(
        self,
        name: str,
        function: Function,
        is_right: Callable[..., bool],
        work: float,
        *shapes: tuple[int, ...],
        dtype: str = "float32",
    ) -> float:
        """Work per second of a function that was seen to do it."""
        adapter = self._adapter
        adapter.begin(dtype)
        made = adapter.compile(function) if self._is_compiled else function
        first, values = (_values(shapes, dtype, seed) for seed in range(2))
        inputs = [adapter.to_device(array, Layout.PLAIN) for array in first]

        def forced_call() -> Sequence[Tensor]:
            outputs = (made(*inputs),)
            adapter.force(outputs)
            return outputs

        forced_call()
        # Other values in the same arrays: an answer from before is not theirs.
        inputs = [
            adapter.rewrite(tensor, array, Layout.PLAIN)
            for tensor, array in zip(inputs, values, strict=True)
        ]
        adapter.force(inputs)
        (result,) = forced_call()
        host = adapter.to_host(result, Layout.PLAIN)
        if not is_right(host, *values):
            raise UnprovedRateError(f"its function `{name}` gives a wrong result")
        # Right after many calls: if nobody waited for them, they are all still in the queue.
        seconds = ceilings.best_seconds(forced_call, self._seconds)
        reading = Reader(adapter, forced_call, [(host, Layout.PLAIN)], seconds).read()
        if reading.failure:
            raise UnprovedRateError(reading.failure)
        return work / seconds


@functools.lru_cache(maxsize=2)  # a copy and a reading have the same
def _values(shapes: tuple[tuple[int, ...], ...], dtype: str, seed: int) -> list[Array]:
    generator = np.random.default_rng(seed)
    return [
        generator.standard_normal(shape, dtype=np.float32).astype(dtype_of(dtype))
        for shape in shapes
    ]


def _same_copy(result: Array, x: Array) -> bool:
    """Whether the result is x + 1, as far as some of its elements tell."""
    if result.shape != x.shape or result.dtype != x.dtype:
        return False
    probes = np.random.default_rng(0).integers(0, x.size, PROBES)
    return bool(np.allclose(result[probes], x[probes] + 1, rtol=1e-6, atol=1e-6))


def _same_maximum(result: Array, x: Array) -> bool:
    return result.size == 1 and bool(np.max(result) == x.max())


def _same_product(result: Array, a: Array, b: Array) -> bool:
    """Whether some rows of the result are those of the product of a and b."""
    if result.shape != (len(a), b.shape[1]) or result.dtype != a.dtype:
        return False
    rows = np.random.default_rng(0).integers(0, len(a), PROVED_ROWS)
    expected = a[rows].astype(np.float64) @ b.astype(np.float64)
    error = np.abs(result[rows].astype(np.float64) - expected).max()
    # Generous: sums of half a precision, in that precision; anything else is not of this size.
    return bool(error <= 0.25 * np.sqrt(len(b)))
