"""A buffer of twice a card's cache: to write it leaves nothing in the cache of what was there.

To write it also keeps the card busy for a known time, while the host asks for what is to be timed
behind it: marks in the card's queue then have nothing of the host's pace between them.
"""

from __future__ import annotations

import numpy as np

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter
from speedmetal.bench.measure import ceilings

CACHE_FACTOR = 2
LEAST_BYTES = 64 << 20  # where the cache's size is not known: long enough to be ahead of the card
_SECONDS = 0.01  # to find how long it takes
_QUEUED = 4


class CacheBuffer:
    """The buffer of one worker, kept for all of its cases.

    Args:
        adapter: Who writes it, by its own ``copy``.
        cache_bytes: Of the card's cache; 0 where nobody tells.

    Attributes:
        bytes: That it holds as long as it is there.
        seconds: That the card takes for one of many writes.
    """

    def __init__(self, adapter: Adapter, cache_bytes: int) -> None:
        self._adapter = adapter
        self.bytes = max(CACHE_FACTOR * cache_bytes, LEAST_BYTES)
        adapter.begin("float32")
        self._tensor = adapter.to_device(np.zeros(self.bytes // 4, np.float32), Layout.PLAIN)
        self.seconds = ceilings.best_seconds(self._write_some, _SECONDS) / _QUEUED
        adapter.release()  # what follows has a peak of its own

    def _write_some(self) -> None:
        self.queue(_QUEUED - 1)
        self.overwrite()

    def queue(self, times: int = 1) -> None:
        """Have it written, and wait for nothing."""
        for _ in range(times):
            self._adapter.start((self._adapter.copy(self._tensor),))

    def overwrite(self) -> None:
        """Write it, and wait for that."""
        self._adapter.force((self._adapter.copy(self._tensor),))
