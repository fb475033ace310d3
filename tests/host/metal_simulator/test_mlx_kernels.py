"""Kernels of MLX, which nobody wrote for the simulator, give NumPy's results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))

from mlx_cases import CASES
from mlx_kernels import run
from mlx_sources import Sources, SourcesError, installed

NAMES = ("softmax, float", "argsort, float", "scan, inclusive", "matrix product 50x70x37, float")


@pytest.fixture(scope="module")
def sources() -> Sources:
    try:
        return installed()
    except SourcesError as error:
        pytest.skip(f"MLX's sources are not to be had: {error}")


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_of_mlx_gives_the_result(name, sources):
    (outcome,) = run(sources, [case for case in CASES if case.name == name])
    assert outcome.result == "right"
