"""Rows: sessions combined, superseded records, gravest status, default baseline, ceilings."""

import dataclasses

import msgspec
import numpy as np
import pytest
import synthetic
from synthetic import CASES, CONTENDERS

from speedmetal.bench import compare
from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.report import Options
from speedmetal.bench.report.figures import (
    COLUMNS,
    Row,
    ceilings_for,
    default_baseline,
    figures_of,
    latest,
)
from speedmetal.bench.store import Records
from speedmetal.errors import UnknownNameError

TORCH, MLX = CONTENDERS[0][0], CONTENDERS[1][0]


def record(seconds: float = 1e-3, **rest: object) -> CaseRecord:
    values: dict[str, object] = {"case": CASES[0], "contender": MLX, "seed": 7, **rest}
    return synthetic.case_record(seconds=seconds, **values)  # type: ignore[arg-type]


def controls() -> list[CaseRecord]:
    """Controls of other cases, from which the noise floor of the run is known."""
    return [record(contender=TORCH, case=CASES[n], seed=n, control=True) for n in (1, 2, 3)]


def rows_of(*records: CaseRecord, baseline: str | None = None) -> dict[str, Row]:
    (run,) = figures_of(Records((*records, *controls())), Options(baseline=baseline))
    return {row.contender: row for row in run.rows if row.case_key == CASES[0].key}


def test_a_row_agrees_with_the_comparison_it_comes_from() -> None:
    """One session: the row holds the very figures of compare, none computed anew."""
    base, other = record(contender=TORCH, seed=1), record(4e-4)
    row = rows_of(base, other)[MLX.key]
    summary = compare.summary_of(other)
    (comparison,) = compare.compare_with_baseline([base, other, *controls()], TORCH.key)
    assert summary is not None
    assert (row.median, row.low, row.high) == (summary.median, summary.low, summary.high)
    assert row.ratio == pytest.approx(comparison.ratio.ratio, rel=1e-12)
    assert (row.ratio_low, row.ratio_high) == (comparison.ratio.low, comparison.ratio.high)
    assert (row.verdict, row.ratio_rounds, row.verdict_note) == ("faster", 24, "")


def test_a_row_without_a_verdict_says_why() -> None:
    """Two rounds of three sessions are no six: the note of the comparison is the row's."""
    row = rows_of(record(contender=TORCH, seed=1, rounds=5), record(4e-4, rounds=5))[MLX.key]
    assert (row.verdict, row.verdict_note) == ("undecided", "fewer than 6 rounds")


def test_sessions_combine_by_the_mean_of_log_ratios() -> None:
    """Three sessions with ratios near 0.4, 0.5 and 0.45 give one, with the interval and verdict of
    compare, and a time whose interval is that of compare too."""
    bases = [record(contender=TORCH, session=s, seed=s) for s in range(3)]
    others = [record(f * 1e-3, session=s, seed=s + 9) for s, f in enumerate((0.4, 0.5, 0.45))]
    row = rows_of(*bases, *others)[MLX.key]
    ratios = [compare.ratio_of(o, b) for o, b in zip(others, bases, strict=True)]
    values = [r.ratio for r in ratios if r]
    assert row.ratio == pytest.approx(np.exp(np.mean(np.log(values))))
    (comparison,) = compare.compare_with_baseline([*bases, *others, *controls()], TORCH.key)
    assert (row.ratio_low, row.ratio_high) == (comparison.ratio.low, comparison.ratio.high)
    assert (row.sessions, row.samples, row.verdict) == (3, 72, "faster")
    time = compare.time_interval(others)
    assert (row.median, row.low, row.high) == (time.estimate, time.low, time.high)


def test_sessions_that_disagree_leave_the_verdict_open() -> None:
    """Faster in one session and slower in the other is undecided, never a vote."""
    bases = [record(contender=TORCH, session=s, seed=s) for s in range(2)]
    others = [record(f * 1e-3, session=s, seed=s + 9) for s, f in enumerate((0.5, 1.5))]
    assert rows_of(*bases, *others)[MLX.key].verdict == "undecided"


def test_a_later_record_supersedes_the_earlier_of_its_session() -> None:
    """A resumed run measured a case again: only the new record counts."""
    crash = record(status=Status.CRASH, reason="signal 9")
    again = record(2e-3)
    assert latest([crash, again]) == [again]
    row = rows_of(crash, again)[MLX.key]
    assert (row.status, row.sessions, row.samples) == ("ok", 1, 24)


def test_the_gravest_status_of_the_sessions_counts() -> None:
    """A contender that was wrong once has no time, and the reason says how often."""
    wrong = record(session=1, status=Status.WRONG, reason="shape ()")
    row = rows_of(record(), wrong, record(session=2))[MLX.key]
    assert (row.status, row.median, row.ratio) == ("wrong", None, None)
    assert row.reason == "in 1 of 3 sessions: shape ()"
    assert row.check_passed is False


def test_skipped_sessions_do_not_hide_measured_ones() -> None:
    """A session beyond the budget leaves the sessions before it as they are."""
    row = rows_of(record(), record(session=1, status=Status.SKIPPED, reason="budget"))[MLX.key]
    assert (row.status, row.sessions, row.reason) == ("ok", 1, "")
    only = rows_of(record(status=Status.SKIPPED, reason="budget"))[MLX.key]
    assert (only.status, only.reason) == ("skipped", "budget")


def test_no_common_rounds_means_no_ratio() -> None:
    """Records of different groups are not compared."""
    base, other = record(contender=TORCH), msgspec.structs.replace(record(), group="elsewhere")
    row = rows_of(base, other)[MLX.key]
    assert row.has_time
    assert (row.ratio, row.verdict) == (None, "")


def test_default_baseline_is_the_first_with_most_results() -> None:
    """Ties go to the first; a contender with failures stands back."""
    failed = record(contender=TORCH, status=Status.TIMEOUT)
    assert default_baseline([failed, record()]) == MLX.key
    assert default_baseline([record(contender=TORCH), record()]) == TORCH.key
    assert default_baseline([]) == ""


def test_an_unknown_baseline_is_named_with_the_valid_ones() -> None:
    """The error gives the contenders that the file has."""
    with pytest.raises(UnknownNameError) as caught:
        figures_of(Records((record(),)), Options(baseline="mlx:gpu:eagr"))
    assert str(caught.value) == (
        "unknown contender 'mlx:gpu:eagr'; did you mean mlx:gpu:eager?"
        " Valid contenders: mlx:gpu:eager"
    )


def test_runs_are_kept_apart() -> None:
    """Two runs in one file give two tables; neither's records enter the other's rows."""
    runs = figures_of(Records((record(), record(9e-3, run_id="later"))), Options())
    assert [run.run_id for run in runs] == [synthetic.RUN, "later"]
    assert all(row.samples == 24 for run in runs for row in run.rows)


def test_ceilings_of_a_device_with_two_names() -> None:
    """A device that a framework calls differently is found by the contender's own call floor."""
    mps, gpu, cpu = CONTENDERS[4][0], synthetic.ceilings(0, "gpu"), synthetic.ceilings(0, "cpu")
    assert mps.device == "mps"
    assert ceilings_for(record(contender=mps), [cpu, gpu]) is gpu
    assert ceilings_for(record(), [cpu, gpu]) is gpu
    # Ceilings are of the machine, and may have been measured in another session of the run.
    assert ceilings_for(record(session=1), [cpu, gpu]) is gpu
    assert ceilings_for(record(run_id="another"), [cpu, gpu]) is None


def test_ceilings_of_the_own_session_go_before_those_of_the_run() -> None:
    """A session that measured them anew is held against its own."""
    first, second = synthetic.ceilings(0, "gpu"), synthetic.ceilings(1, "gpu")
    assert ceilings_for(record(session=0), [first, second]) is first
    assert ceilings_for(record(session=1), [second, first]) is second


def test_columns_are_the_rows_fields() -> None:
    """A field added to the row is a column of every table format."""
    assert [*COLUMNS, "records"] == [f.name for f in dataclasses.fields(Row)]
