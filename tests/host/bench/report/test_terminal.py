"""The running table: the last cases, their medians or statuses, the fastest marked."""

import io

import synthetic
from rich.console import Console
from synthetic import CASES, CONTENDERS

from speedmetal.bench.operations import words
from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.report.terminal import RUNNING_CASES, running_table


def shown(records: list[CaseRecord], *, ansi: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=150, force_terminal=ansi, color_system="256" if ansi else None
    )
    with console.capture() as capture:
        console.print(running_table(records))
    return capture.get()


def finished(case_index: int, contender_index: int, **rest: object) -> CaseRecord:
    contender = CONTENDERS[contender_index][0]
    return synthetic.case_record(
        CASES[case_index],
        contender,
        1e-3 * (contender_index + 1),
        **rest,  # type: ignore[arg-type]
    )


def test_only_the_last_cases_are_shown() -> None:
    """The table keeps its height however long the run is."""
    text = shown([finished(index, 0) for index in range(len(CASES))])
    assert words.case_in_words(CASES[-1]) in text
    assert words.case_in_words(CASES[0]) not in text
    assert sum("1.00 ms" in line for line in text.splitlines()) == (RUNNING_CASES)


def test_statuses_stand_in_for_times() -> None:
    """A crash shows as a word, a contender that has not come yet as a dash."""
    text = shown([finished(0, 0), finished(0, 1, status=Status.CRASH), finished(1, 0)])
    first, second = text.splitlines()[-2:]
    assert "1.00 ms" in first
    assert "crash" in first
    assert "\N{EN DASH}" in second


def test_the_fastest_is_marked() -> None:
    """One cell of the row carries the style of the fastest."""
    text = shown([finished(0, 0), finished(0, 1)], ansi=True)
    assert text.count("\x1b[1;94m") == 1


def test_nothing_finished_is_an_empty_table() -> None:
    """Before the first case there is a heading and no traceback."""
    assert "case" in shown([])
