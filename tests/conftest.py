"""Makes the modules of this folder importable from every test, and gives Hypothesis its profiles.

Which tests run is chosen in `tiers.py`.
"""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))

# A plugin: hooks of this file itself are asked about this folder alone, and doctests are in `src`.
pytest_plugins = ("tiers",)

# Times of examples vary with the load of the machine and prove nothing about the code.
# Where others wait for the answer, the same examples are tried every time.
# How many there are, the tier chooses (`tiers.py`); ``HYPOTHESIS_PROFILE`` may.
IS_CI = os.environ.get("CI") == "true"
for profile, number in {"quick": 10, "default": 30, "nightly": 60}.items():
    hypothesis.settings.register_profile(
        profile, deadline=None, max_examples=number, derandomize=IS_CI
    )
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)

# Kernels of tests are compiled for each run: a cache on disk would keep thousands that nobody
# runs again. The tests of the cache turn it on for themselves.
os.environ.setdefault("SPEEDMETAL_CACHE", "0")


# Collecting tests makes a million objects that stay; looking for garbage among them took a third of
# the time. They are not looked at while they are made, nor afterwards in each full collection.
gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes that the test starts can be interrupted.

    What a script starts with ``&``, a test run perhaps, ignores SIGINT, and so does all that it
    starts itself.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
