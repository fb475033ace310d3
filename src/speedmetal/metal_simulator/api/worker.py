"""The thread that runs a queue's command buffers, in order, as a GPU would."""

from __future__ import annotations

import queue
import threading
from typing import Protocol

# A thread without work for this long ends; the next command buffer starts another.
_IDLE_SECONDS = 1.0


class Work(Protocol):
    """What a worker runs."""

    def run(self) -> None:
        """Do the work; must not raise."""


class Worker:
    """Runs what is handed in, one after the other, on a thread that exists while there is work."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pending: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running = False

    def submit(self, work: Work) -> None:
        """Run it after all that was handed in before."""
        self._pending.put(work)
        if not self._running:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                work = self._pending.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                if self._retire():
                    return
                continue
            work.run()
            del work  # a finished command buffer must not live on in this frame

    def _retire(self) -> bool:
        """End this thread, unless work came in while it woke up."""
        with self._lock:
            self._running = not self._pending.empty()
            return not self._running
