"""What is written to a card to empty its cache, and to keep it busy.

A buffer of twice the cache leaves nothing in it of what was there. A larger one takes the card a
known time, in which the host asks for what is to be timed behind it: marks in the card's queue then
have nothing of the host's pace between them.
"""

from __future__ import annotations

import numpy as np

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter
from speedmetal.bench.measure import ceilings

CACHE_FACTOR = 2
# To write it takes longer than to ask for that, or the host would never be ahead.
BUSY_FACTOR, LEAST_BUSY_BYTES = 4, 128 << 20
_SECONDS = 0.01  # to find how long it takes
_QUEUED = 4


class CacheBuffer:
    """The buffers of one worker, kept for all of its cases.

    Args:
        adapter: Who writes them, by its own ``copy``.
        cache_bytes: Of the card's cache; 0 where nobody tells.

    Attributes:
        bytes: That they hold as long as they are there.
        seconds: That the card takes for one of many writes of the larger.
    """

    def __init__(self, adapter: Adapter, cache_bytes: int) -> None:
        self._adapter = adapter
        emptying = max(4, CACHE_FACTOR * cache_bytes)
        busy = max(BUSY_FACTOR * cache_bytes, LEAST_BUSY_BYTES)
        self.bytes = emptying + busy
        adapter.begin("float32")
        self._emptying, self._busy = (
            adapter.to_device(np.zeros(size // 4, np.float32), Layout.PLAIN)
            for size in (emptying, busy)
        )
        self.seconds = ceilings.best_seconds(self._write_some, _SECONDS) / _QUEUED
        adapter.release()  # what follows has a peak of its own

    def _write_some(self) -> None:
        self.queue(_QUEUED - 1)
        self._adapter.force((self._adapter.copy(self._busy),))

    def queue(self, times: int = 1) -> None:
        """Keep the card busy, and wait for nothing."""
        for _ in range(times):
            self._adapter.start((self._adapter.copy(self._busy),))

    def overwrite(self) -> None:
        """Empty the cache, and wait for that."""
        self._adapter.force((self._adapter.copy(self._emptying),))
