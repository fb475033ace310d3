"""Kernels of MLX, which nobody wrote for the simulator, give NumPy's results."""

from __future__ import annotations

import pytest
from mlx_cases import CASES, Case
from mlx_kernels import ABSENT, run
from mlx_sources import Sources, SourcesError, find_installed_sources

FEW = ("softmax, float", "argsort, float", "scan, inclusive", "matrix product 50x70x37, float")
NIGHTLY = pytest.mark.tier("nightly")


@pytest.fixture(scope="module")
def sources() -> Sources:
    try:
        return find_installed_sources()
    except SourcesError as error:
        pytest.skip(f"MLX's sources are not to be had: {error}")


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c.name, marks=() if c.name in FEW else NIGHTLY) for c in CASES],
)
def test_a_kernel_of_mlx_gives_the_result(case: Case, sources: Sources) -> None:
    """The right one, or the simulator finds what is wrong with the kernel itself."""
    (outcome,) = run(sources, [case])
    if outcome.result.startswith(ABSENT):
        pytest.skip(outcome.result)
    assert outcome.is_expected, outcome.result


def test_the_few_are_cases() -> None:
    assert set(FEW) <= {case.name for case in CASES}
