"""Rounds: how many samples each takes, when they suffice, who is the control, who is hopeless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench import environment
from speedmetal.bench.record import Contender, Status
from speedmetal.bench.runner import rounds, terms
from speedmetal.bench.runner.placement import Placement
from speedmetal.bench.runner.process import WorkerFailedError
from speedmetal.bench.runner.protocol import Prepared, Sample, Sampled
from speedmetal.bench.runner.rounds import (
    LEAST_SAMPLES,
    PILOT_ROUNDS,
    Precision,
    Sampling,
    Series,
    TimeAccount,
)

PRECISION = Precision(least_rounds=6, most_rounds=20, half_width=0.02)
MILLISECOND = 1_000_000
ANYWHERE = Placement((), threads=1)


def sampled(nanoseconds: int, **changes: Any) -> Sampled:
    return Sampled(nanoseconds, **changes)


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
    answers: Sequence[Sampled | WorkerFailedError] = (sampled(1000),),
    *,
    call_nanoseconds: int = 1000,
    calls: int = 1,
    limit_seconds: float = 100.0,
    samples: Sequence[int] = (),
    busy_threads: int = 1,
    control_of: Series | None = None,
) -> Series:
    worker: Any = FakeWorker(answers)
    return Series(
        Contender(framework=name, device="cpu", mode="eager"),
        worker,
        TimeAccount(limit_seconds),
        Prepared(Status.OK, call_nanoseconds=call_nanoseconds, busy_threads=busy_threads),
        control_of=control_of,
        calls=calls,
        samples=[sampled(n) for n in samples],
        rounds=list(range(len(samples))),
    )


def requests_of(one: Series) -> list[Sample]:
    worker: Any = one.worker
    return worker.requests


def sample(
    members: Sequence[Series],
    precision: Precision = PRECISION,
    allowance: float = 1000.0,
    *,
    pilot: bool = False,
    placement: Placement = ANYWHERE,
    target_nanoseconds: int = 1000,
) -> None:
    """Sample the members; without a pilot the first answer is of the first round."""
    sampling = Sampling(
        members,
        precision,
        placement,
        target_nanoseconds,
        np.random.default_rng(0),
    )
    if not pilot:
        sampling._run_pilot = lambda: None  # type: ignore[method-assign]
    sampling.run(allowance)


# -- Quotas ------------------------------------------------------------------------------------


def test_a_slow_one_gets_three_samples_and_a_quick_one_all() -> None:
    """Proves that equal shares of time become quotas, between three and the most rounds."""
    slow = series(call_nanoseconds=10_000_000_000)
    middle = series(call_nanoseconds=999_000_000)
    quick = series(call_nanoseconds=1000)
    rounds.plan_quotas([slow, middle, quick], 40.0, PRECISION)
    assert (slow.quota, middle.quota, quick.quota) == (3, 13, 20)


def test_who_ends_its_turns_late_pays_for_it_itself() -> None:
    """Proves that quotas come from what turns took, not from what their samples say: one that
    takes a second about each quick sample gets fewer of them, and the others all theirs."""
    late, quick = series("late"), series("quick")
    for one, seconds in ((late, 1.0), (quick, 0.001)):
        turn = terms.Turn(0, round(seconds * 1e9), sampled(1000), calls=1, is_verified=False)
        one.turns = [turn] * 3
    rounds.plan_quotas([late, quick], 14.0, PRECISION)
    assert (late.quota, quick.quota) == (7, 20)


@pytest.mark.parametrize(("calls", "quota"), [(4, 12), (16, 5), (64, 3)])
def test_quotas_count_the_calls_that_are_yet_to_come(calls: int, quota: int) -> None:
    """Proves that turns of 16 calls, 1.6 ms and 0.4 ms beside them, stand for turns of 0.8 ms
    where the pilot leaves 4 calls, and for turns of 6.8 ms where it asks for 64."""
    one = series(calls=calls, call_nanoseconds=1)
    one.turns = [terms.Turn(0, 2_000_000, sampled(1_600_000), calls=16, is_verified=False)] * 3
    rounds.plan_quotas([one], 0.01001, PRECISION)
    assert one.quota == quota


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


# -- Calls of a sample ---------------------------------------------------------------------------


def test_contenders_of_one_magnitude_take_the_same_calls() -> None:
    """Proves that the quickest of a magnitude sets the calls of all of it, another magnitude has
    its own, and all are powers of two that reach the target."""
    members = [series(call_nanoseconds=n) for n in (10_000, 70_000, 2_000_000, 90_000, 30_000)]
    rounds.plan_calls(members, MILLISECOND)
    assert [one.calls for one in members] == [128, 128, 1, 16, 128]


def test_calls_are_found_anew_after_the_pilot() -> None:
    """Proves that what a call takes beside the others counts, not what it took in the warm-up:
    samples of 16 calls that took 1.6 ms become samples of 4, and those of the pilot are not in the
    record."""
    answers = [*[sampled(1_600_000)] * PILOT_ROUNDS, sampled(400_000)]
    one = series(answers=answers, call_nanoseconds=25_000)
    sample([one], pilot=True, target_nanoseconds=400_000)
    asked = [request.calls for request in requests_of(one)]
    assert asked[:PILOT_ROUNDS] == [16] * PILOT_ROUNDS
    assert set(asked[PILOT_ROUNDS:]) == {4}
    assert one.nanoseconds == [400_000] * (len(asked) - PILOT_ROUNDS)
    assert one.rounds == list(range(len(one.samples)))
    assert len(one.positions) == len(one.samples)


def test_a_slow_one_takes_no_pilot() -> None:
    """Proves that calls of a tenth of a second are not repeated for nothing."""
    slow, quick = series("slow", call_nanoseconds=10**8), series("quick")
    sample([slow, quick], pilot=True)
    assert len(requests_of(slow)) == len(slow.samples)
    assert len(requests_of(quick)) == len(quick.samples) + PILOT_ROUNDS


def test_one_that_fails_in_the_pilot_has_failed() -> None:
    """Proves that a failure of the pilot is not forgotten with its samples."""
    failure = WorkerFailedError(Status.CRASH, "gone", is_alive=False)
    one, other = series("one", [failure]), series("other")
    sample([one, other], pilot=True)
    assert one.failure is failure
    assert len(requests_of(one)) == 1
    assert len(other.samples) >= PRECISION.least_rounds


# -- Processors --------------------------------------------------------------------------------


def test_all_turns_of_a_round_are_on_the_same_processors_and_rounds_rotate() -> None:
    """Proves the placement that requests carry: two threads get the round's two processors, a
    single-threaded contender the first of them, and the next round moves on by one."""
    one, two = series("one"), series("two", busy_threads=2)
    sample([one, two], placement=Placement((0, 2, 4), threads=2))
    assert [r.processors for r in requests_of(one)][:4] == [[0], [2], [4], [0]]
    assert [r.processors for r in requests_of(two)][:4] == [[0, 2], [2, 4], [4, 0], [0, 2]]


def test_without_a_choice_of_processors_none_is_asked_for() -> None:
    """Proves that where the system places processes itself it is left to it."""
    one = series()
    sample([one], placement=Placement((), threads=4))
    assert all(request.processors == [] for request in requests_of(one))


# -- The control -------------------------------------------------------------------------------


def test_the_control_is_sampled_in_every_round_and_holds_nobody_up() -> None:
    """Proves that a second process takes part in the same rounds, that its own noise asks for no
    further rounds, and that it does not go on alone."""
    one = series("one")
    noise = [sampled(n) for n in np.random.default_rng(0).integers(1000, 5000, 100)]
    twin = series("one", noise, control_of=one)
    sample([one, twin], precision=Precision(least_rounds=6, most_rounds=200))
    assert one.rounds == twin.rounds == list(range(6))
    short = series("short", call_nanoseconds=10**9)
    long = series("short", control_of=short)
    sample([short, long], allowance=6.0)
    assert len(short.samples) == len(long.samples) == LEAST_SAMPLES


# -- Sampling ----------------------------------------------------------------------------------


def test_equal_times_stop_at_the_least_rounds() -> None:
    """Proves that sampling ends as soon as all ratios are precise, and that each round has each
    contender once."""
    a, b = series("a"), series("b", [sampled(2000)])
    sample([a, b], precision=Precision(least_rounds=9, most_rounds=200))
    assert a.rounds == b.rounds == list(range(9))
    assert a.nanoseconds == [1000] * 9
    assert b.nanoseconds == [2000] * 9


@pytest.mark.parametrize(
    ("sessions", "least", "most", "half_width"),
    [(1, 21, 200, 0.02), (3, 7, 67, 0.02 * 3**0.5), (5, 6, 40, 0.02 * 5**0.5)],
)
def test_sessions_share_the_rounds(sessions: int, least: int, most: int, half_width: float) -> None:
    """Proves each session's part: enough for a verdict by itself, and together at least as many
    rounds and as narrow an interval as one session would have."""
    part = Precision().of_session(sessions)
    assert (part.least_rounds, part.most_rounds) == (least, most)
    assert part.half_width == pytest.approx(half_width)


def test_scattered_times_go_on_to_the_most_rounds() -> None:
    """Proves that imprecise ratios take all rounds that are allowed."""
    scattered = [sampled(n) for n in np.random.default_rng(0).integers(1000, 5000, 100)]
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
    a, b = series("a", [sampled(1), sampled(1), failure]), series("b")
    sample([a, b])
    assert a.failure is failure
    assert len(requests_of(a)) == 3
    assert len(a.nanoseconds) == 2
    assert len(b.nanoseconds) >= PRECISION.least_rounds


def test_a_timeout_after_enough_samples_is_a_note() -> None:
    """Proves that three samples are kept where the next one does not come in time."""
    failure = WorkerFailedError(Status.TIMEOUT, "no answer within 9 s", is_alive=False)
    a = series("a", [sampled(1), sampled(1), sampled(1), failure])
    sample([a])
    assert len(a.nanoseconds) == 3
    assert a.notes == ["stopped early: no answer within 9 s"]


def test_a_wrong_result_among_the_samples_is_a_failure() -> None:
    """Proves that a sample whose result is not the proved one ends the contender as wrong, with
    the worker's reason, and is not counted."""
    a = series("a", [sampled(1, failure="a timed call gave another result than the proved one")])
    sample([a])
    assert a.failure is not None
    assert a.failure.status is Status.WRONG
    assert a.failure.is_alive
    assert a.failure.reason == "a timed call gave another result than the proved one"
    assert a.nanoseconds == []


def test_a_sample_of_no_time_is_a_failure() -> None:
    """Proves that a clock that stands still ends the contender as implausible, after one turn."""
    a = series("a", [sampled(0)])
    sample([a])
    assert a.failure is not None
    assert (a.failure.status, a.failure.is_alive) == (Status.IMPLAUSIBLE, True)
    assert (len(requests_of(a)), a.nanoseconds) == (1, [])


def test_which_results_are_looked_at_cannot_be_foretold() -> None:
    """Proves that about one of eight samples is verified, at no fixed distance, and that two
    contenders of a round are not asked alike."""
    a, b = series("a"), series("b")
    sample([a, b], precision=Precision(least_rounds=399, most_rounds=399))
    asked = [[i for i, r in enumerate(requests_of(one)) if r.verify] for one in (a, b)]
    assert all(0.08 * 399 < len(rounds_) < 0.18 * 399 for rounds_ in asked)
    assert len(set(np.diff(asked[0]))) > 5
    assert asked[0] != asked[1]


def test_a_slow_one_is_looked_at_each_time_and_not_woken() -> None:
    """Proves that calls of a tenth of a second or more are all verified, and wake by themselves."""
    a = series("a", call_nanoseconds=200_000_000)
    sample([a], precision=Precision(least_rounds=4, most_rounds=4))
    assert [(r.wake, r.verify) for r in requests_of(a)] == [(False, True)] * 4


def test_late_rounds_stop_after_three() -> None:
    """Proves that even without time three rounds are made, so that there is a result."""
    a = series("a")
    sample([a], allowance=0.0)
    assert len(a.nanoseconds) == LEAST_SAMPLES


def test_the_state_of_the_machine_stands_beside_each_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proves that load and clock are read once a round, before anybody's turn, and kept for each
    contender's sample; nothing is kept where they are not told."""
    readings = iter(float(n) for n in range(1000))
    monkeypatch.setattr(environment, "waiting_processes", lambda: next(readings))
    monkeypatch.setattr(environment, "clock_mhz", lambda cpu: 3000.0 + cpu)
    a, b = series("a"), series("b")
    sample([a, b], placement=Placement((4, 5), threads=1))
    assert a.load == b.load == [float(n) for n in range(len(a.samples))]
    assert a.frequency_mhz[:3] == [3004.0, 3005.0, 3004.0]
    monkeypatch.setattr(environment, "waiting_processes", lambda: None)
    unknown = series()
    sample([unknown])
    assert (unknown.load, unknown.frequency_mhz) == ([], [])


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
