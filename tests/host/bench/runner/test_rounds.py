"""Rounds: how many samples each takes, when they suffice, who is the control, who is hopeless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench.record import Contender, Status
from speedmetal.bench.runner import rounds
from speedmetal.bench.runner.process import WorkerFailedError
from speedmetal.bench.runner.protocol import Prepared, Sample, Sampled
from speedmetal.bench.runner.rounds import LEAST_SAMPLES, Precision, Series, TimeAccount

PRECISION = Precision(least_rounds=5, most_rounds=20, half_width=0.02)


class FakeWorker:
    """Answers each request with the next of its answers, the last one for ever."""

    def __init__(self, answers: Sequence[Sampled | WorkerFailedError]) -> None:
        self.answers = list(answers)
        self.requests: list[Sample] = []

    def ask(self, request: Sample, kind: type, timeout_seconds: float) -> Sampled:
        assert kind is Sampled
        assert timeout_seconds >= 1.0
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, WorkerFailedError):
            raise answer
        return answer


def series(
    name: str = "a",
    answers: Sequence[Sampled | WorkerFailedError] = (Sampled(1000),),
    *,
    call_nanoseconds: int = 1000,
    calls: int = 1,
    limit_seconds: float = 100.0,
    samples: Sequence[int] = (),
) -> Series:
    worker: Any = FakeWorker(answers)
    one = Series(
        Contender(framework=name, device="cpu", mode="eager"),
        worker,
        TimeAccount(limit_seconds),
        Prepared(Status.OK, call_nanoseconds=call_nanoseconds, calls_per_sample=calls),
    )
    one.nanoseconds = list(samples)
    one.rounds = list(range(len(samples)))
    return one


def sample(
    members: Sequence[Series],
    control: Series | None = None,
    precision: Precision = PRECISION,
    allowance: float = 1000.0,
) -> None:
    for one in members:
        one.quota = precision.most_rounds
    rounds.sample_rounds(members, precision, allowance, np.random.default_rng(0), control)


# -- Quotas ------------------------------------------------------------------------------------


def test_a_slow_one_gets_three_samples_and_a_quick_one_all() -> None:
    """Proves that equal shares of time become quotas, between three and the most rounds."""
    slow = series(call_nanoseconds=10_000_000_000)
    middle = series(call_nanoseconds=999_000_000)
    quick = series(call_nanoseconds=1000)
    rounds.plan_quotas([slow, middle, quick], 40.0, PRECISION)
    assert (slow.quota, middle.quota, quick.quota) == (3, 10, 20)


@given(
    allowance=st.floats(min_value=0, max_value=1e5),
    calls=st.lists(st.integers(min_value=1, max_value=10**12), max_size=6),
)
def test_quotas_stay_within_their_bounds(allowance: float, calls: list[int]) -> None:
    """Proves that nobody gets fewer than three samples, nor more than the most rounds, and that
    together they overdraw the time by those three alone."""
    members = [series(call_nanoseconds=call) for call in calls]
    rounds.plan_quotas(members, allowance, PRECISION)
    assert all(LEAST_SAMPLES <= one.quota <= PRECISION.most_rounds for one in members)
    beyond = sum(one.quota * one.turn_seconds for one in members if one.quota > LEAST_SAMPLES)
    assert beyond <= allowance * (1 + 1e-9)


def test_who_cannot_take_three_samples_in_time_fails_with_the_reason() -> None:
    """Proves the full text, and that who can is left alone."""
    slow = series(call_nanoseconds=2_000_000_000, limit_seconds=10.0)
    slow.account.used_seconds = 6.0
    quick = series(call_nanoseconds=1_000_000_000, limit_seconds=10.0)
    rounds.fail_hopeless([slow, quick])
    assert quick.failure is None
    assert slow.failure is not None
    assert (slow.failure.status, slow.failure.is_alive) == (Status.TIMEOUT, True)
    assert slow.failure.reason == (
        "one call takes 2 s; 3 samples do not fit into what is left (4 s) of the case's time limit"
        " (10 s); raise --case-timeout"
    )


def test_what_the_budget_cut_is_skipped_and_not_timed_out() -> None:
    """Proves that where the budget's end set the limit, the case is left for a continued run."""
    slow = series(call_nanoseconds=2_000_000_000, limit_seconds=5.0)
    slow.account.option = "--budget"
    rounds.fail_hopeless([slow])
    assert slow.failure is not None
    assert slow.failure.status is Status.SKIPPED
    assert slow.failure.reason.endswith("(5 s); raise --budget")


# -- The control -------------------------------------------------------------------------------


def test_the_control_moves_on_with_the_cases() -> None:
    """Proves that each contender is the control in turn, but no slow and no failed one."""
    quick = [series(name) for name in "abc"]
    slow = series("slow", call_nanoseconds=10**9)
    failed = series("failed")
    failed.failure = WorkerFailedError(Status.CRASH, "gone", is_alive=False)
    members = [slow, *quick, failed]
    chosen = [rounds.choose_control(members, number) for number in range(4)]
    assert chosen == [quick[0], quick[1], quick[2], quick[0]]


def test_there_may_be_no_control() -> None:
    """Proves that a case of slow contenders has none."""
    assert rounds.choose_control([series(call_nanoseconds=10**9)], 0) is None
    assert rounds.choose_control([], 3) is None


# -- Sampling ----------------------------------------------------------------------------------


def test_equal_times_stop_at_the_least_rounds() -> None:
    """Proves that sampling ends as soon as all ratios are precise, and that each round has each
    contender once, and the control twice."""
    a, b = series("a"), series("b", [Sampled(2000)])
    precision = Precision(least_rounds=10, most_rounds=200)
    sample([a, b], control=a, precision=precision)
    assert a.rounds == b.rounds == list(range(10))
    assert a.nanoseconds == [1000] * 10
    assert b.nanoseconds == [2000] * 10
    assert a.control_rounds == list(range(10))
    assert b.control_nanoseconds == []


def test_scattered_times_go_on_to_the_most_rounds() -> None:
    """Proves that imprecise ratios take all rounds that are allowed."""
    scattered = [Sampled(n) for n in np.random.default_rng(0).integers(1000, 5000, 100)]
    a, b = series("a"), series("b", scattered)
    sample([a, b])
    assert len(a.nanoseconds) == len(b.nanoseconds) == 20


def test_the_order_is_random_and_the_same_for_a_seed() -> None:
    """Proves that positions vary, cover each round, and are reproducible."""
    precision = Precision(least_rounds=30, most_rounds=30)
    runs = []
    for _ in range(2):
        members = [series(name) for name in "abc"]
        sample(members, precision=precision)
        runs.append([one.positions for one in members])
    assert runs[0] == runs[1]
    assert {tuple(sorted(places)) for places in zip(*runs[0], strict=True)} == {(0, 1, 2)}
    assert all(len(set(places)) == 3 for places in runs[0])


def test_a_failure_ends_one_and_not_the_others() -> None:
    """Proves that who fails is asked no more, keeps what it had, and costs the others nothing."""
    failure = WorkerFailedError(Status.CRASH, "gone", is_alive=False)
    a, b = series("a", [Sampled(1), Sampled(1), failure]), series("b")
    sample([a, b])
    assert a.failure is failure
    assert len(a.worker.requests) == 3
    assert len(a.nanoseconds) == 2
    assert len(b.nanoseconds) >= PRECISION.least_rounds


def test_a_timeout_after_enough_samples_is_a_note() -> None:
    """Proves that three samples are kept where the next one does not come in time."""
    failure = WorkerFailedError(Status.TIMEOUT, "no answer within 9 s", is_alive=False)
    a = series("a", [Sampled(1), Sampled(1), Sampled(1), failure])
    sample([a])
    assert len(a.nanoseconds) == 3
    assert a.notes == ["stopped early: no answer within 9 s"]


def test_a_wrong_result_among_the_samples_is_a_failure() -> None:
    """Proves that a sample whose result is not the proved one ends the contender as wrong, and
    is not counted."""
    a = series("a", [Sampled(1, verified=False)])
    sample([a])
    assert a.failure is not None
    assert a.failure.status is Status.WRONG
    assert a.failure.reason == "a timed call gave another result than the proved one"
    assert a.nanoseconds == []


def test_results_are_looked_at_again_and_again() -> None:
    """Proves that the first round asks for a check of its result, and every sixteenth after it."""
    a = series("a")
    sample([a], precision=Precision(least_rounds=40, most_rounds=40))
    asked = [i for i, request in enumerate(a.worker.requests) if request.verify]
    assert asked == [0, 16, 32]


def test_a_slow_one_is_looked_at_each_time_and_not_woken() -> None:
    """Proves that calls of a tenth of a second or more are all verified, and wake by themselves."""
    a = series("a", call_nanoseconds=200_000_000)
    sample([a], precision=Precision(least_rounds=4, most_rounds=4))
    assert [(r.wake, r.verify) for r in a.worker.requests] == [(False, True)] * 4


def test_late_rounds_stop_after_three() -> None:
    """Proves that even without time three rounds are made, so that there is a result."""
    a = series("a")
    sample([a], allowance=0.0)
    assert len(a.nanoseconds) == LEAST_SAMPLES


def test_device_times_are_kept() -> None:
    """Proves that times of the device's own clock stand beside those of the host."""
    a = series("a", [Sampled(1000, device_nanoseconds=900)])
    sample([a])
    assert a.device_nanoseconds == [900] * len(a.nanoseconds)


# -- Precision ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "precise"),
    [
        ([100] * 10, True),
        ([100, 101] * 10, True),
        ([100, 200] * 10, False),
        ([100] * 5, False),  # no order statistics bound the median of five at 95 %
    ],
)
def test_precision_of_one_alone(samples: list[int], precise: bool) -> None:
    """Proves that without a partner the contender's own median decides."""
    one = series(samples=samples)
    assert rounds.is_precise(one, [one], PRECISION) is precise


def test_precision_is_of_ratios() -> None:
    """Proves that common drift does not matter: the ratio is what must be known."""
    drift = [1000, 2000, 1500, 3000, 1200, 2500, 1800, 1100, 2700, 1400]
    a = series("a", samples=drift)
    b = series("b", samples=[2 * n for n in drift])
    assert rounds.is_precise(a, [a, b], PRECISION)
    assert not rounds.is_precise(a, [a], PRECISION)


def test_a_failed_one_holds_nobody_up() -> None:
    """Proves that who failed counts as known, and is nobody's partner."""
    failed = series("failed", samples=[1, 1000] * 10)
    failed.failure = WorkerFailedError(Status.CRASH, "gone", is_alive=False)
    steady = series("steady", samples=[1000] * 20)
    assert rounds.is_precise(failed, [failed, steady], PRECISION)
    assert rounds.is_precise(steady, [failed, steady], PRECISION)
