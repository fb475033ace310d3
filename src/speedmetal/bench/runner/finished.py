"""Whether a result was finished when its call had been forced.

Reading a result that exists costs what reading costs. What that is, a *twin* tells: the same values
put on the device by hand, of the same shape and dtype. Of a result that is still being computed, or
that is computed when somebody asks for it, reading takes the rest of the computation as well,
however long it was left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Tensor
from speedmetal.bench.measure import clock
from speedmetal.bench.operations.base import Array

UNFINISHED_SHARE = 0.5  # of a call's time
TWIN_SHARE = 1.0  # of the time that reading a twin takes
UNFINISHED_FLOOR_SECONDS = 2e-6  # of one result; many are read at a time
# A busy machine can stop a read for milliseconds; a framework that does not wait is caught every
# time.
ATTEMPTS = 3
WHOLE_BYTES = 64 << 10  # larger results are not transferred: one element is read
# An attempt reads so often, each time a batch of results, as far as that takes no longer than this.
READS = 5
LEAST_READS = 2  # where it is the twins that take long to make, as of large results on a card
ATTEMPT_SECONDS = 0.02
BATCH = 16


@dataclass(frozen=True)
class Reading:
    """What reading results cost.

    Args:
        call_seconds: One forced call.
        fresh_seconds: Reading what it made.
        twin_seconds: Reading the same values, put there by hand.
    """

    call_seconds: float
    fresh_seconds: float
    twin_seconds: float

    @property
    def is_of_unfinished(self) -> bool:
        limit = max(
            UNFINISHED_SHARE * self.call_seconds,
            TWIN_SHARE * self.twin_seconds,
            UNFINISHED_FLOOR_SECONDS,
        )
        # A clock that runs backwards tells nothing here; the samples tell of the clock.
        return self.fresh_seconds > 0 and self.fresh_seconds - self.twin_seconds > limit

    @property
    def failure(self) -> str:
        """What to say of a result that was not finished; "" of one that was."""
        if not self.is_of_unfinished:
            return ""
        return (
            "the result was not finished when its call had been forced: reading it took"
            f" {self.fresh_seconds:.3g} s, reading the same values put on the device by hand"
            f" {self.twin_seconds:.3g} s"
        )


class Reader:
    """Reads results of a call, and twins of them.

    Args:
        adapter: Whose ``force`` is in question.
        forced_call: Makes a result and forces it.
        values: What it holds, on the host, with the layout of each output.
        call_seconds: About what a forced call takes.
    """

    def __init__(
        self,
        adapter: Adapter,
        forced_call: Callable[[], Sequence[Tensor]],
        values: Sequence[tuple[Array, Layout]],
        call_seconds: float,
    ) -> None:
        self._adapter = adapter
        self._call_seconds = call_seconds
        self._call = forced_call
        self._twin_seconds = 0.0  # to make one
        # Results may be views of any order, which not every framework takes.
        self._values = [(np.asarray(array, order="C"), layout) for array, layout in values]
        self._is_whole = sum(array.nbytes for array, _ in values) <= WHOLE_BYTES

    def read(self) -> Reading:
        """One attempt, or several where the first looks as if nobody had waited."""
        start = clock.now_nanoseconds()
        twin = self._twin()
        self._twin_seconds = _seconds_since(start)
        self._read([twin])  # reading an element may be compiled first
        del twin
        reading = self._attempt()
        for _ in range(ATTEMPTS - 1):
            if not reading.is_of_unfinished:
                break
            reading = self._attempt()
        return reading

    def _attempt(self) -> Reading:
        batch, reads = self._plan()
        call = fresh = twin = float("inf")
        for _ in range(reads):
            start = clock.now_nanoseconds()
            results = [self._call() for _ in range(batch)]
            call = min(call, _seconds_since(start) / batch)
            fresh = min(fresh, self._read(results))
            results = [self._twin() for _ in range(batch)]
            twin = min(twin, self._read(results))
        return Reading(call, fresh, twin)

    def _plan(self) -> tuple[int, int]:
        """How many results are made before they are read, and how often."""
        calls = int(ATTEMPT_SECONDS / max(self._call_seconds, 1e-9))
        batch = max(1, min(BATCH, calls // READS)) if self._is_whole else 1
        reads = max(1, min(READS, calls // batch))
        twins = int(ATTEMPT_SECONDS / max(batch * self._twin_seconds, 1e-9))
        return batch, min(reads, max(LEAST_READS, twins))

    def _twin(self) -> list[Tensor]:
        return [self._adapter.to_device(array, layout) for array, layout in self._values]

    def _read(self, results: Sequence[Sequence[Tensor]]) -> float:
        """Seconds to read one result."""
        adapter, layouts = self._adapter, [layout for _, layout in self._values]
        start = clock.now_nanoseconds()
        for outputs in results:
            for output, layout in zip(outputs, layouts, strict=True):
                if self._is_whole:
                    adapter.to_host(output, layout)
                else:
                    adapter.peek(output)
        return _seconds_since(start) / len(results)


def _seconds_since(start_nanoseconds: int) -> float:
    return (clock.now_nanoseconds() - start_nanoseconds) / 1e9
