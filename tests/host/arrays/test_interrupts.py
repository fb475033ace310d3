"""Ctrl-C during an evaluation: what is not computed stays lazy, and can be computed later."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.deferred.graph import MOST_CALLS


def is_usable_by_others(x: Any) -> bool:
    """Whether no lock is held that another thread needs."""
    other = threading.Thread(target=lambda: sm.eval(x + 1), daemon=True)
    other.start()
    other.join(timeout=60)
    return not other.is_alive()


@pytest.mark.usefixtures("interruptible")
def test_signals_during_a_long_evaluation():
    """Proves that an evaluation that is interrupted again and again ends with the right values."""
    x = sm.array(np.linspace(0, 1, 300_000, dtype=np.float32))
    lazy = computed = x
    for _ in range(MOST_CALLS - 1):
        lazy = sm.cumulative_sum(sm.sin(lazy))  # each is a step of its own
        computed = sm.cumulative_sum(sm.sin(computed))
        sm.eval(computed)
    count, seconds = 0, 0.005
    while lazy.pending is not None:
        # Behind the end of the evaluation it comes into the wait. Later each time, since what an
        # interrupted step has computed is lost.
        seconds *= 1.5
        sender = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
        try:
            sender.start()
            sm.eval(lazy)
            time.sleep(60)
        except KeyboardInterrupt:
            count += 1
        sender.join()
    assert count
    np.testing.assert_array_equal(lazy.numpy(), computed.numpy())
    assert is_usable_by_others(x)
