"""Several runs in a row: labels, order, changes, and what each format shows of them."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import synthetic
from msgspec.structs import replace
from synthetic import CASES, CONTENDERS

from speedmetal.bench.measure import steps
from speedmetal.bench.record import Record
from speedmetal.bench.report import Options, history
from speedmetal.bench.report.history import History, history_of, runs_of
from speedmetal.bench.store import Records

EVIL = "<script>alert(1)"


def run(number: int, factor: float, *, commit: str = "", sessions: int = 3) -> Records:
    """A run of four cases in which the first takes `factor` times as long as it did."""
    run_id = f"run{number}"
    start = replace(
        synthetic.run_record(),
        run_id=run_id,
        time_utc=f"2026-01-{number + 1:02}T03:04:05Z",
        settings={"commit": commit},
    )
    records: list[Record] = [start, synthetic.ENVIRONMENT]
    for session in range(1, sessions + 1):
        for place, case in enumerate(CASES[:4]):
            wobble = 1 + 0.01 * ((7 * number + 3 * session + 5 * place) % 5 - 2)
            seconds = 1e-3 * (place + 1) * wobble * (factor if place == 0 else 1.0)
            record = synthetic.case_record(
                *(case, CONTENDERS[0][0], seconds),
                session=session,
                seed=100 * number + 10 * session + place,
                control=True,
                run_id=run_id,
            )
            records.append(replace(record, schema_version=2))
    return Records(tuple(records), (), f"runs/night-{number}.jsonl")


def history_over(factors: Sequence[float], sessions: int = 3) -> History:
    return history_of(runs_of([run(i, f, sessions=sessions) for i, f in enumerate(factors)]))


MANY = history_over([1, 1, 1, 1, 1.3, 1.3, 1.3, 1.3, 1.3])


def test_golden(golden: Callable[[str, str], None]) -> None:
    """The table of nine runs of which the fifth made a case slower."""
    golden("history.txt", history.render_text(MANY, Options(width=110)))


def test_a_step_is_found_where_it_is_and_nowhere_else() -> None:
    """In the case that changed, at the run that changed it, by as much."""
    first, *others = MANY.series
    (change,) = first.changes
    assert change.run == 4
    assert np.isclose(change.ratio, 1.3, rtol=0.02)
    assert change.verdict == "slower"
    assert not any(one.changes for one in others)


def test_what_is_back_after_one_run_is_no_change() -> None:
    """A run on a bad day is a dot above the others, not a new level."""
    for place in (0, 4, 8):
        factors = [1.3 if i == place else 1.0 for i in range(9)]
        assert not any(one.changes for one in history_over(factors).series)


def test_few_runs_need_the_verdict_of_a_comparison() -> None:
    """Of two runs a change is told, but not where each started every contender once."""
    (change,) = history_over([1, 1.3]).series[0].changes
    assert change.run == 1
    assert not any(one.changes for one in history_over([1, 1.3], sessions=1).series)


def test_runs_are_ordered_by_time_and_called_by_their_commits() -> None:
    """Whatever order the files are given in; by their files where a commit comes twice."""
    files = [run(2, 1, commit="ccc"), run(0, 1, commit="aaa"), run(1, 1, commit="bbb")]
    assert [one.label for one in runs_of(files)] == ["aaa", "bbb", "ccc"]
    files[0] = run(2, 1, commit="aaa")
    assert [one.label for one in runs_of(files)] == ["night-0", "night-1", "night-2"]
    both = Records(run(0, 1).records + run(1, 1).records, (), "both.jsonl")
    assert [one.label for one in runs_of([both])] == ["both", "both#2"]


def test_chance_makes_few_steps() -> None:
    """Of 60 histories of 20 series without a change, about 5 % have a step somewhere."""
    generator = np.random.default_rng(0)
    limit = steps.penalty(10, 20)
    wrong = 0
    for _ in range(60):
        series = generator.normal(0, 0.05, (20, 10))
        usual = steps.noise_between(list(series))
        wrong += any(
            steps.find_steps(
                steps.without_spikes(one), [max(usual, steps.noise_between([one]))] * 10, limit
            )
            for one in series
        )
    assert wrong <= 6


def test_json_has_every_point() -> None:
    """Labels, times and changes, for programs."""
    document = msgspec.json.decode(history.render_json(MANY))
    assert [one["label"] for one in document["runs"]] == [f"night-{i}" for i in range(9)]
    first = document["series"][0]
    assert [len(one["points"]) for one in document["series"]] == [9] * 4
    assert first["changes"][0]["run"] == "night-4"
    assert first["changes"][0]["verdict"] == "slower"


def test_the_page_needs_nothing_and_escapes_everything() -> None:
    """One picture a series, a mark for the change, no request, and no tag of a record."""
    page = history.render_html(MANY)
    assert page.count("<svg") == 4
    assert page.count('class="mark-slower"') == 1
    assert page.count("<circle") == 36
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    several = [run(0, 1), run(1, 1)]
    several[1] = Records(several[1].records, (), f"{EVIL}.jsonl")
    evil = history.render_html(history_of(runs_of(several)))
    assert "<script" not in evil
    assert "&lt;script&gt;" in evil


def test_a_mark_is_between_the_runs_that_it_parts() -> None:
    """Left of the run that is the first of the new level."""
    plot = history._plot(MANY.series[0], MANY.runs)
    (mark,) = plot.marks
    assert plot.dots[3]["x"] < mark["x"] < plot.dots[4]["x"]
    assert all(dot["high"] <= dot["y"] <= dot["low"] for dot in plot.dots)
