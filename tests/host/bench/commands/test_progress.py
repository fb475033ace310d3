"""The display of a run: the time that is left, the clock that moves, the failures that are told."""

import io
import sys
import threading

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from speedmetal.bench.commands import progress
from speedmetal.bench.commands.forecast import Forecast
from speedmetal.bench.record import CaseRecord, CaseSpec, Contender, Status
from speedmetal.bench.runner.plan import Budget, expected_seconds


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def case(number: int, flops: int = 0) -> CaseSpec:
    return CaseSpec(
        operation="relu",
        title="ReLU",
        family="activation",
        arguments=f"dim={number}",
        parameters={"number": number},
        flops=flops,
    )


def simulate(
    cases: list[CaseSpec], sessions: int, budget: float | None, needs: dict[str, float]
) -> list[tuple[float, float | None]]:
    """Moments of a run that shares its budget out as the runner does: (elapsed, forecast)."""
    clock = Clock()
    forecast = Forecast(cases, sessions, budget, clock)
    forecast.start(len(cases) * sessions)
    shared = Budget(budget, 480.0, 0.0)
    left = len(cases) * sessions
    clock.now += 5.0  # workers start
    moments: list[tuple[float, float | None]] = []
    for session in range(1, sessions + 1):
        for one in sorted(cases, key=expected_seconds):
            elapsed = clock.now - 1000.0
            budget_left = float("inf") if budget is None else budget - elapsed
            share = min(60.0, budget_left / (left + shared.RESERVED_SHARES))
            forecast.begin_case()
            taken = min(needs[one.key], share) if budget_left > 0 else 0.0
            for _ in range(4):
                clock.now += taken / 4
                moments.append((clock.now - 1000.0, forecast.left_seconds()))
            forecast.finish_case(one.key, session)
            left -= 1
    return moments


def worst_error(moments: list[tuple[float, float | None]]) -> float:
    """The largest relative error after the first quarter, but in the last twentieth."""
    end = moments[-1][0]
    errors = [
        abs(forecast - (end - elapsed)) / (end - elapsed)
        for elapsed, forecast in moments
        if forecast is not None and 0.25 * end <= elapsed <= 0.95 * end
    ]
    assert errors
    return max(errors)


@pytest.mark.parametrize("budget", [60.0, 300.0, 2000.0, None])
@pytest.mark.parametrize("sessions", [1, 3])
def test_the_time_left_is_right_within_a_third(sessions: int, budget: float | None) -> None:
    """After the first quarter, where shares bound all cases, some, or none.

    Costs are what calls take; a case takes a start and some hundred calls.
    """
    generator = np.random.default_rng(1)
    cases = [case(i, int(3e9 * cost)) for i, cost in enumerate(generator.lognormal(-5, 1.5, 40))]
    needs = {c.key: 1.0 + 150 * expected_seconds(c) for c in cases}
    assert worst_error(simulate(cases, sessions, budget, needs)) < 1 / 3


def test_before_the_first_case_the_budget_is_all_that_is_known() -> None:
    """Without one, no time is promised."""
    clock = Clock()
    forecast = Forecast([case(1)], 3, 60.0, clock)
    forecast.start(3)
    clock.now += 10
    assert forecast.left_seconds() == 50.0
    assert Forecast([case(1)], 3, None, clock).left_seconds() is None


def test_the_clock_moves_while_a_case_takes_long(monkeypatch) -> None:
    """The screen is drawn anew by itself, with another time, though nothing is told."""
    drawn = threading.Event()
    clock = Clock()
    texts: list[str] = []
    monkeypatch.setattr(progress, "REDRAWS_PER_SECOND", 50)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", io.StringIO())

    class Noting(progress.LiveProgress):
        def draw(self):
            console = Console(file=io.StringIO(), width=80)
            with console.capture() as capture:
                console.print(super().draw())
            texts.append(capture.get())
            clock.now += 1.0
            if any("0:30, about 0:30 left" in text for text in texts):
                drawn.set()
            return ""

    display = Noting()
    display._console.file = io.StringIO()
    display._console._force_terminal = True
    display.expect(Forecast([case(1)], 1, 60.0, clock))
    with display:
        display.start_run(1, 0)
        display.phase("ReLU / dim=1", "round 3")
        assert drawn.wait(30)
    assert any("0/1" in text and "ReLU / dim=1: round 3" in text for text in texts)


def record(status: Status, contender: str = "mlx", session: int = 1) -> CaseRecord:
    return CaseRecord(
        run_id="run",
        session=session,
        time_utc="2026-01-02T03:04:05Z",
        case=case(1),
        contender=Contender(framework=contender, device="cpu", mode="eager"),
        environment="",
        group="",
        status=status,
        reason="because",
    )


def test_a_failure_is_told_once_and_at_once(capsys) -> None:
    """In a log, though it comes in every session; what is left out by intention is not told."""
    display = progress.PlainProgress()
    with display:
        display.start_run(3, 0)
        for session in (1, 2, 3):
            crash = record(Status.CRASH, session=session)
            display.finish_case([crash, record(Status.SKIPPED), record(Status.UNSUPPORTED)])
        display.finish_case([replace(record(Status.CRASH, "numpy"), reason="\x1b[31m")])
    assert capsys.readouterr().err.splitlines() == [
        "3 cases",
        "crash: mlx:cpu:eager, ReLU dim=1: because",
        "crash: numpy:cpu:eager, ReLU dim=1: \N{REPLACEMENT CHARACTER}[31m",
    ]


def test_a_log_says_what_the_run_will_do(capsys) -> None:
    """Cases, sessions, what is done before, and the budget."""
    display = progress.PlainProgress()
    display.expect(Forecast([case(1), case(2)], 3, 90.0))
    display.start_run(6, 2)
    assert capsys.readouterr().err == (
        "2 cases in each of 3 sessions, 2 of 6 done before; at most about 1:30\n"
    )
