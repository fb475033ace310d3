"""What tests of NVIDIA's compiler need: it, and more time than a quick run has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speedmetal.backends.cuda.nvrtc import is_available

_IS_THERE = pytest.mark.skipif(
    not is_available(), reason="NVRTC (nvidia-cuda-nvrtc) is not installed"
)


def needs_nvrtc(test: Callable[..., Any]) -> Callable[..., Any]:
    """The test is skipped where NVRTC is not installed, and left out of quick runs."""
    return pytest.mark.tier("default")(_IS_THERE(test))


NEEDS_NVRTC = [_IS_THERE, pytest.mark.tier("default")]
"""The same of a whole module, as its `pytestmark`."""
