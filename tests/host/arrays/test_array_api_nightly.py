"""The array API standard's own suite passes, on the CPU and in the simulator of Metal.

`VARIABLE` gives a checkout of it, with its submodule; `tools/array_api_suite.py` runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[3] / "tools" / "array_api_suite.py"
VARIABLE = "SPEEDMETAL_ARRAY_API_SUITE"
EXAMPLES = {"cpu": 100, "metal-sim": 100}
"""Of each law; a device is tried for about three minutes."""


@pytest.mark.tier("nightly")
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    not os.environ.get(VARIABLE),
    reason=f"{VARIABLE} does not say where data-apis/array-api-tests is, with its submodule",
)
@pytest.mark.parametrize("on", EXAMPLES)
def test_the_array_api_suite_passes(on: str, tmp_path: Path) -> None:
    """But for what `tools/array_api_exceptions.toml` excuses."""
    page = tmp_path / "page.md"
    options = {
        "--suite": os.environ[VARIABLE],
        "--device": on,
        "--max-examples": str(EXAMPLES[on]),
        "--out": str(page),
    }
    given = [word for option in options.items() for word in option]
    done = subprocess.run(
        [sys.executable, str(TOOL), *given], check=False, capture_output=True, text=True
    )
    told = page.read_text(encoding="utf-8") if page.exists() else done.stdout
    assert done.returncode == 0, f"{told}\n{done.stderr[-2000:]}"
