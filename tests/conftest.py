"""Makes `tests/strategies.py` importable from every test, and gives Hypothesis its profiles."""

import os
import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).parent))

# Times of examples vary with the load of the machine and prove nothing about the code.
# Where others wait for the answer, the same examples are tried every time.
IS_CI = os.environ.get("CI") == "true"
hypothesis.settings.register_profile("default", deadline=None, max_examples=60, derandomize=IS_CI)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
