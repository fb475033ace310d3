"""Right kernels pass lint, and give NumPy's results in every order and in the race build."""

from __future__ import annotations

from typing import Any

import pytest
from right_msl import CASES, Case, mismatch

from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.settings import ORDERS
from speedmetal.metal_simulator.simulate import simulate

SOURCES = {case.source: case for case in CASES}


@pytest.fixture(scope="module")
def libraries():
    """Compiled programs, of which many cases have the same."""
    kept: dict[Any, Any] = {}

    def library(case: Case, **settings: Any) -> Any:
        key = (case.source, repr(case.constants), repr(settings))
        if key not in kept:
            kept[key] = simulate(case.source, constants=case.constants, **settings)
        return kept[key]

    return library


def run(case: Case, library: Any) -> tuple[list[Any], dict[int, Any], Any]:
    arguments, expected = case.make()
    execution = library.function(case.function)(
        *arguments,
        grid=case.grid,
        threads=case.threads,
        threadgroup_bytes=dict(case.threadgroup_bytes),
    )
    return arguments, expected, execution


@pytest.mark.parametrize("source", SOURCES, ids=[SOURCES[source].name for source in SOURCES])
def test_lint_has_nothing_to_say(source):
    assert lint(source) == ()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_order_gives_the_result(case, order, libraries):
    arguments, expected, execution = run(case, libraries(case, order=order))
    assert mismatch(arguments, expected, case.tolerance) == ""
    assert execution.divergent_barriers == 0
    assert execution.mixed_collectives == 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_race_is_seen(case, libraries):
    arguments, expected, execution = run(case, libraries(case, check_races=True))
    assert mismatch(arguments, expected, case.tolerance) == ""
    assert execution.races == 0
