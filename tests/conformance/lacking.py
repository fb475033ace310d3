"""Skips of tests that need what a device lacks."""

from __future__ import annotations

from typing import Any

import pytest

import speedmetal as sm
from speedmetal.dtypes import DType


def skip_where_lacking(device: Any, dtype: DType) -> None:
    """Skip the test where the device's kernels do not compute with the dtype."""
    if dtype.part is sm.float64 and not device.target.has_float64:
        pytest.skip(f"{device.name} has no {dtype}")
