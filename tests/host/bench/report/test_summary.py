"""The end of a run: its sentences, its largest effects, how well it is known, what is missing."""

import dataclasses

import numpy as np
import pytest
import synthetic
from synthetic import CASES, CONTENDERS

from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.report import Options
from speedmetal.bench.report.figures import RunFigures, figures_of
from speedmetal.bench.report.summary import (
    contender_titles,
    largest_effects,
    mean_interval,
    missing,
    precision_of,
    sentences,
    standings,
)
from speedmetal.bench.store import Records


def figures(records: Records, baseline: str | None = None) -> RunFigures:
    (run,) = figures_of(records, Options(baseline=baseline))
    return run


RUN = figures(synthetic.records())


def run_of(*records: CaseRecord) -> RunFigures:
    return figures(Records((synthetic.run_record(), *records)))


def test_every_contender_has_its_sentence() -> None:
    """The fastest first, the machine and the cases named once, the counts of its own cases."""
    told = sentences(RUN)
    assert len(told) == len(CONTENDERS) - 1
    assert told[0].startswith("On this machine, MLX (gpu) is 3.0")
    assert " times faster than PyTorch (cpu) over these 8 cases (" in told[0]
    assert told[0].endswith("): 6 faster, 2 slower.")
    assert told[-1].startswith("NumPy is 2.70 times slower than PyTorch (cpu) over 4 cases (2.6")
    assert told[-1].endswith("): 4 slower.")
    assert sum("On this machine" in one for one in told) == 1


def test_a_ratio_whose_interval_holds_1_is_no_victory() -> None:
    """MLX's mean of 1.01 with an interval from below 1 names no winner."""
    (near,) = [one for one in sentences(RUN) if one.startswith("MLX (cpu)")]
    assert "equally fast, as far as is known" in near
    assert "times" not in near


def test_one_contender_has_nobody_to_beat() -> None:
    """A run of one contender, and one without times, say so instead of a comparison."""
    alone = synthetic.case_record(CASES[0], CONTENDERS[0][0], 1e-3)
    assert sentences(run_of(alone)) == ["PyTorch ran alone: 1 time, nothing to compare with."]
    crash = synthetic.case_record(CASES[0], CONTENDERS[0][0], 1e-3, status=Status.CRASH)
    assert sentences(run_of(crash)) == ["No case has a time."]


def test_titles_tell_contenders_apart() -> None:
    """All six of the run have names of their own, without what goes without saying."""
    titles = contender_titles([c.key for c, _ in CONTENDERS])
    assert list(titles.values()) == [
        *("PyTorch (cpu)", "MLX (gpu)", "MLX (gpu, compiled)", "MLX (cpu)", "PyTorch (mps)"),
        "NumPy",
    ]
    assert contender_titles(["my.module:NAME:cpu:eager"]) == {
        "my.module:NAME:cpu:eager": "my.module:NAME"
    }


def test_the_largest_effects_are_decided_and_in_order() -> None:
    """By their factors, in whichever direction; none that is open."""
    found = largest_effects(RUN)
    factors = [abs(np.log(row.ratio)) for row in found if row.ratio]
    assert len(found) == 10
    assert factors == sorted(factors, reverse=True)
    assert {row.verdict for row in found} <= {"faster", "slower"}
    assert factors[0] == max(abs(np.log(row.ratio)) for row in RUN.rows if row.ratio)


def test_the_interval_of_a_mean_is_that_of_cases_that_err_together() -> None:
    """As wide as its cases' intervals in the mean: many cases do not make it narrow."""
    rows = [row for row in RUN.rows if row.contender == "numpy:cpu:eager" and row.ratio]
    wide = [
        dataclasses.replace(row, ratio_low=row.ratio / 1.1, ratio_high=row.ratio * 1.2)
        for row in rows
        if row.ratio
    ]
    assert mean_interval(2.0, wide) == pytest.approx((2 / 1.1, 2 * 1.2))
    unknown = [dataclasses.replace(row, ratio_low=0.0, ratio_high=1e300) for row in rows]
    assert mean_interval(2.0, unknown) == pytest.approx((0.2, 20.0))
    assert all(s.low < s.overall.ratio < s.high for s in standings(RUN))


def test_standings_are_the_fastest_first() -> None:
    """The order is that of the ratios."""
    ratios = [s.overall.ratio for s in standings(RUN)]
    assert ratios == sorted(ratios)
    assert len(ratios) == 5


def test_precision_is_of_the_ratios_intervals() -> None:
    """Median and ninth decile of the half-widths, each one that some ratio has."""
    widths = sorted(
        (row.ratio_high - row.ratio_low) / (2 * row.ratio)
        for row in RUN.rows
        if row.ratio and row.ratio_low and row.ratio_high
    )
    found = precision_of(RUN)
    assert found is not None
    assert sum(w <= found.median for w in widths) == len(widths) // 2 + 1
    assert 0.9 * len(widths) <= sum(w <= found.nine_of_ten for w in widths) < len(widths)
    assert precision_of(run_of(synthetic.case_record(CASES[0], CONTENDERS[0][0], 1e-3))) is None


def test_what_is_missing_is_counted_with_its_commonest_reason() -> None:
    """Statuses by how often they occurred; of several reasons the one that most have."""
    endings = [
        (0, Status.SKIPPED, "the budget"),
        (1, Status.CRASH, "signal 9"),
        (2, Status.CRASH, "signal 11"),
        (3, Status.CRASH, "signal 11"),
    ]
    records = [
        synthetic.case_record(CASES[i], CONTENDERS[0][0], 1e-3, status=status, reason=reason)
        for i, status, reason in endings
    ]
    found = [(m.status, m.count, m.reason) for m in missing(run_of(*records))]
    assert found == [("crash", 3, "signal 11"), ("skipped", 1, "the budget")]
