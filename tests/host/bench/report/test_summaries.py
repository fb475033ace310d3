"""Family summaries: geometric means, counts of verdicts, noise floors, ceilings."""

import numpy as np
import pytest
import synthetic

from speedmetal.bench.report import Options
from speedmetal.bench.report.figures import RunFigures, figures_of
from speedmetal.bench.report.summaries import (
    controls,
    family_summaries,
    latest_ceilings,
    main_memory_bandwidth,
    run_floor,
    status_counts,
)

RECORDS = synthetic.records()


@pytest.fixture(scope="module")
def figures() -> RunFigures:
    (run,) = figures_of(RECORDS, Options())
    return run


def test_a_familys_ratio_is_the_geometric_mean_of_its_ratios(figures: RunFigures) -> None:
    """Against a product of the rows' ratios."""
    found = family_summaries(figures)
    assert found
    for summary in found:
        ratios = [
            row.ratio
            for row in figures.rows
            if row.contender == summary.contender
            and row.ratio is not None
            and summary.family in (row.family, "all")
        ]
        assert summary.count == len(ratios)
        assert summary.ratio == pytest.approx(np.prod(ratios) ** (1 / len(ratios)))


def test_verdicts_of_a_family_sum_to_its_cases(figures: RunFigures) -> None:
    """No comparison is lost between the four verdicts, and losses are counted."""
    found = family_summaries(figures)
    assert all(s.faster + s.slower + s.equivalent + s.undecided == s.count for s in found)
    losses = {s.contender: s.slower for s in found if s.family == "reduction"}
    assert losses["mlx:gpu:eager"] == 2


def test_a_run_has_one_noise_floor(figures: RunFigures) -> None:
    """One control a case and session, which all count."""
    floor = run_floor(figures)
    assert (floor.pairs, floor.is_known) == (16, True)
    assert len(controls(figures)) == 16


def test_status_counts_cover_all_rows(figures: RunFigures) -> None:
    """Each row is counted once, under its status."""
    counts = status_counts(figures)
    assert sum(counts.values()) == len(figures.rows) == 48
    assert counts["ok"] == 40


def test_bandwidth_of_main_memory_is_that_of_the_largest_working_set(figures: RunFigures) -> None:
    """The cache's higher rate is no ceiling for work in memory."""
    cpu = latest_ceilings(RECORDS, figures)[0]
    assert main_memory_bandwidth(cpu) == 95e9
