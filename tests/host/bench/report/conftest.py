"""Makes `synthetic.py` importable and gives the golden files their one comparison."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

GOLDEN = Path(__file__).parent / "golden"
UPDATE = "SPEEDMETAL_UPDATE_GOLDEN"


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares text with a file in `golden/`; `SPEEDMETAL_UPDATE_GOLDEN=1` writes it instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get(UPDATE) == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode())
        expected = path.read_bytes().decode()
        assert text == expected, f"{name} differs; if that is meant, set {UPDATE}=1 and look"

    return compare
