"""From records to figures: what is paired with what, and which verdict a figure earns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.stats import chi2

from speedmetal.bench import compare
from speedmetal.bench.compare import NoiseFloor, Verdict
from speedmetal.bench.measure.statistics import Ratio
from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    CeilingRecord,
    Conditions,
    Contender,
    CopyPoint,
    Status,
    Timing,
)
from speedmetal.bench.store import Records
from strategies import copy_points, working_sets

MILLISECOND = 1_000_000
BASELINE = "numpy:cpu:eager"


def timing(samples: Sequence[float], rounds: Sequence[int] | None = None, **changes: Any) -> Timing:
    """A timing of samples in nanoseconds, by default in rounds 0, 1, 2, ..."""
    rounds = list(range(len(samples)) if rounds is None else rounds)
    values: dict[str, Any] = {
        "mode": "latency",
        "cache": "warm",
        "calls_per_sample": 1,
        "samples_nanoseconds": [round(sample) for sample in samples],
        "rounds": rounds,
        "positions": [0] * len(rounds),
        "first_call_nanoseconds": 1,
    }
    return Timing(**(values | changes))


def record(
    samples: Sequence[float] | None,
    rounds: Sequence[int] | None = None,
    *,
    contender: str = "torch:cpu:eager",
    case: dict[str, Any] | None = None,
    timed: dict[str, Any] | None = None,
    **changes: Any,
) -> CaseRecord:
    framework, device, mode = contender.split(":")
    spec: dict[str, Any] = {
        "operation": "add",
        "title": "Add",
        "family": "elementwise",
        "arguments": "n=1",
        "parameters": {"n": 1},
    }
    values: dict[str, Any] = {
        "run_id": "run",
        "session": 1,
        "time_utc": "2025-03-04T05:06:07Z",
        "case": CaseSpec(**(spec | (case or {}))),
        "contender": Contender(framework=framework, device=device, mode=mode),
        "environment": "e",
        "group": "g",
        "status": Status.OK,
        "timing": None if samples is None else timing(samples, rounds, **(timed or {})),
    }
    return CaseRecord(**(values | changes))


def noisy(
    seed: int, size: int = 30, centre: float = MILLISECOND, spread: float = 0.01
) -> list[float]:
    generator = np.random.default_rng(seed)
    return list(centre * generator.lognormal(sigma=spread, size=size))


def ratio(low: float, high: float, p_value: float = 0.001, rounds: int = 20) -> Ratio:
    return Ratio(math.sqrt(low * high), low, high, rounds, p_value)


# -- Verdicts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "noise", "significant", "verdict"),
    [
        (0.45, 0.55, 0.0, True, Verdict.FASTER),
        (1.80, 2.20, 0.0, True, Verdict.SLOWER),
        (0.99, 1.01, 0.0, True, Verdict.EQUIVALENT),
        (0.99, 1.01, 0.015, False, Verdict.EQUIVALENT),
        (0.99, 1.01, 0.5, False, Verdict.UNDECIDED),  # the noise alone is larger than 2 %
        # Wholly on one side of 1, but inside the band of what nobody notices.
        (1.005, 1.015, 0.0, True, Verdict.EQUIVALENT),
        (1.005, 1.035, 0.0, True, Verdict.SLOWER),
        (0.90, 1.10, 0.0, True, Verdict.UNDECIDED),
        (0.98, 1.03, 0.0, True, Verdict.UNDECIDED),
        # The noise floor blocks a difference that is smaller, on both sides.
        (1.08, 1.12, 0.15, True, Verdict.UNDECIDED),
        (1.08, 1.12, 0.05, True, Verdict.SLOWER),
        (1 / 1.12, 1 / 1.08, 0.15, True, Verdict.UNDECIDED),
        (1 / 1.12, 1 / 1.08, 0.05, True, Verdict.FASTER),
        # So does a test that does not agree.
        (0.45, 0.55, 0.0, False, Verdict.UNDECIDED),
        (1.80, 2.20, 0.0, False, Verdict.UNDECIDED),
    ],
)
def test_the_table_of_verdicts(
    low: float, high: float, noise: float, significant: bool, verdict: Verdict
) -> None:
    """Proves each verdict, and each thing that withholds one."""
    assert compare.verdict_of(ratio(low, high), noise, significant=significant) is verdict


@given(
    st.floats(min_value=0.01, max_value=100),
    st.floats(min_value=1, max_value=3),
    st.floats(min_value=0, max_value=1),
    st.booleans(),
)
def test_verdicts_are_symmetric(
    centre: float, width: float, noise: float, significant: bool
) -> None:
    """Proves that a is faster than b exactly where b is slower than a."""
    there = Ratio(centre, centre / width, centre * width, 20, 0.001)
    back = Ratio(1 / centre, 1 / there.high, 1 / there.low, 20, 0.001)
    opposite = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    verdict = compare.verdict_of(there, noise, significant=significant)
    edges = (there.low, there.high)
    assume(all(abs(math.log(e) - s * math.log(1.02)) > 1e-9 for e in edges for s in (-1, 0, 1)))
    turned = compare.verdict_of(back, noise, significant=significant)
    assert turned is opposite.get(verdict, verdict)


# -- Pairing -------------------------------------------------------------------------------------


def test_only_common_rounds_are_paired() -> None:
    """Proves, with values that show any mix-up, that rounds are matched by their number."""
    first = record([100, 200, 300, 9999], rounds=[0, 1, 2, 7])
    second = record([600, 8888, 200, 400], rounds=[2, 5, 0, 1], contender=BASELINE)
    found = compare.ratio_of(first, second)
    assert found is not None
    assert found.rounds == 3
    assert (found.ratio, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


@given(st.permutations(range(10)), st.permutations(range(10)))
def test_the_order_of_samples_within_the_records_does_not_matter(
    first_order: list[int], second_order: list[int]
) -> None:
    """Proves that a ratio hangs on round numbers alone, the order of the bootstrap included."""
    top, bottom = noisy(1, 10, spread=0.3), noisy(2, 10, spread=0.3)
    plain = compare.ratio_of(record(top), record(bottom))
    # Strides that a set of integers does not iterate in order.
    turned = compare.ratio_of(
        record([top[r] for r in first_order], [37 * r for r in first_order]),
        record([bottom[r] for r in second_order], [37 * r for r in second_order]),
    )
    assert turned == plain


def test_calls_per_sample_are_divided_out() -> None:
    """Proves that ratios are of seconds per call, not of samples."""
    first = record([1000] * 10, timed={"calls_per_sample": 10})
    second = record([1000] * 10, timed={"calls_per_sample": 5}, contender=BASELINE)
    found = compare.ratio_of(first, second)
    assert found is not None
    assert found.ratio == pytest.approx(0.5)
    assert first.timing is not None
    assert compare.seconds_per_call(first.timing) == pytest.approx([1e-7] * 10)


@pytest.mark.parametrize(
    "other",
    [
        record([100] * 10, contender=BASELINE, group="another"),
        record([100] * 10, range(10, 20), contender=BASELINE),
        record(None, contender=BASELINE, status=Status.CRASH),
        record([100] * 10, contender=BASELINE, status=Status.WRONG),
        record([100] * 10, contender=BASELINE, status=Status.IMPLAUSIBLE),
        record(None, contender=BASELINE),
    ],
)
def test_what_was_not_sampled_together_has_no_ratio(other: CaseRecord) -> None:
    """Proves that another group, other rounds or a record without a valid time are not compared."""
    assert compare.ratio_of(record([100] * 10), other) is None
    assert compare.ratio_of(other, record([100] * 10)) is None


@pytest.mark.parametrize("status", list(Status))
def test_a_summary_is_given_where_a_time_may_be(status: Status) -> None:
    """Proves that no figure of a wrong or implausible record reaches a report."""
    summary = compare.summary_of(record(noisy(3), status=status))
    assert (summary is not None) == status.has_time


def test_a_summary_is_in_seconds_per_call() -> None:
    """Proves the unit."""
    summary = compare.summary_of(record([2e9] * 10, timed={"calls_per_sample": 4}))
    assert summary is not None
    assert summary.median == pytest.approx(0.5)
    assert summary.samples == 10


# -- Tables --------------------------------------------------------------------------------------


def case_number(number: int) -> dict[str, Any]:
    return {"parameters": {"n": number}}


def controlled(samples: Sequence[float], control: Sequence[float], **changes: Any) -> CaseRecord:
    timed = {
        "control_nanoseconds": [round(c) for c in control],
        "control_rounds": list(range(len(control))),
    }
    return record(samples, timed=timed, **changes)


def controls(factor: float = 1.001, count: int = 4, **changes: Any) -> list[CaseRecord]:
    """Cases of the baseline alone, whose second process takes ``factor`` times as long."""
    return [
        controlled(
            [MILLISECOND] * 10,
            [MILLISECOND * factor] * 10,
            contender=BASELINE,
            case=case_number(-1 - index),
            **changes,
        )
        for index in range(count)
    ]


def compared(
    records: Sequence[CaseRecord], control_factor: float = 1.001
) -> dict[tuple[int, str], compare.Comparison]:
    """Comparisons by the case's number and the contender, in a run whose controls are at hand."""
    table = [*records, *controls(control_factor)]
    found = compare.compare_with_baseline(table, BASELINE)
    return {(c.case.case.parameters["n"], c.case.contender.key): c for c in found}


def verdicts(
    records: Sequence[CaseRecord], control_factor: float = 1.001
) -> dict[tuple[int, str], Verdict]:
    return {key: c.verdict for key, c in compared(records, control_factor).items()}


def test_every_contender_is_compared_with_the_baseline_of_its_own_group() -> None:
    """Proves the pairs of a table: groups and cases do not mix, the baseline is not its own
    contender, and a case without the baseline is left out."""
    table = [
        record(noisy(1), contender=BASELINE),
        record(noisy(2, centre=2 * MILLISECOND)),
        record(noisy(3, centre=MILLISECOND / 2), contender="jax:cpu:compiled"),
        record(noisy(4, centre=8 * MILLISECOND), contender=BASELINE, case=case_number(2)),
        record(noisy(5, centre=2 * MILLISECOND), case=case_number(2)),
        record(noisy(9), contender=BASELINE, case=case_number(2), group="of memory"),
        record(noisy(6), case=case_number(3)),
        record(None, case=case_number(2), contender="mlx:cpu:eager", status=Status.UNSUPPORTED),
    ]
    assert verdicts(table) == {
        (1, "torch:cpu:eager"): Verdict.SLOWER,
        (1, "jax:cpu:compiled"): Verdict.FASTER,
        (2, "torch:cpu:eager"): Verdict.FASTER,
    }
    comparison = compare.compare_with_baseline(table, BASELINE)[0]
    assert comparison.against is table[0]
    assert comparison.case is table[1]


def sessions(
    factors: Sequence[float],
    *,
    seed: int = 0,
    rounds: int = 7,
    spread: float = 0.01,
    **changes: Any,
) -> list[CaseRecord]:
    """A contender and the baseline in as many sessions as factors: so much slower in each."""
    found = []
    for session, factor in enumerate(factors, 1):
        place = {"session": session, "group": f"g{session}", **changes}
        draw = 100 * seed + 2 * session
        found += [
            record(noisy(draw, rounds, spread=spread), contender=BASELINE, **place),
            record(noisy(draw + 1, rounds, factor * MILLISECOND, spread), **place),
        ]
    return found


TORCH = (1, "torch:cpu:eager")


def test_several_sessions_give_one_comparison() -> None:
    """Proves that three sessions are one line of the table: their mean of log-ratios, all rounds
    of all of them, and the last records of either."""
    table = sessions([1.2, 1.3, 1.4])
    ((key, found),) = compared(table).items()
    assert key == TORCH
    assert found.ratio.ratio == pytest.approx((1.2 * 1.3 * 1.4) ** (1 / 3), rel=0.01)
    assert (found.ratio.rounds, found.ratio.sessions) == (21, 3)
    assert found.case is table[-1]
    assert found.against is table[-2]
    # Student's t with two degrees of freedom, of the three log-ratios.
    logs = np.log([1.2, 1.3, 1.4])
    reach = 4.303 * np.std(logs, ddof=1) / math.sqrt(3)
    assert found.ratio.log_half_width == pytest.approx(reach, rel=0.15)


def test_what_differs_between_sessions_bounds_the_ratio() -> None:
    """Proves that 10 % in every session is a verdict, and -20 %, 10 % and 40 % is none, however
    many rounds each session has."""
    agreeing = sessions([1.1, 1.1, 1.1], rounds=60)
    disagreeing = sessions([0.8, 1.1, 1.4], rounds=60)
    assert verdicts(agreeing)[TORCH] is Verdict.SLOWER
    assert verdicts(disagreeing)[TORCH] is Verdict.UNDECIDED


def test_sessions_that_disagree_are_not_excused_by_others() -> None:
    """Proves that one case whose processes differ by half keeps that doubt among 30 cases that
    know nothing of it, which lend it their narrow intervals no more than a wide one."""
    quiet = [
        one
        for number in range(2, 32)
        for one in sessions([1.1, 1.1, 1.1], seed=number, case=case_number(number))
    ]
    found = verdicts([*sessions([0.7, 0.72, 1.1]), *quiet])
    assert found.pop(TORCH) is Verdict.UNDECIDED
    assert set(found.values()) == {Verdict.SLOWER}


def test_the_noise_floor_of_the_run_blocks_a_smaller_difference() -> None:
    """Proves that the same 10 % is a verdict in a quiet run and none in a noisy one."""
    table = [
        record(noisy(1, spread=0.002), contender=BASELINE),
        record(noisy(2, centre=1.1 * MILLISECOND, spread=0.002)),
    ]
    assert verdicts(table, 1.01)[TORCH] is Verdict.SLOWER
    assert verdicts(table, 1.30)[TORCH] is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("made", "decides"),
    [
        (controls(count=3), True),
        (controls(count=2), False),
        ([], False),
        (controls(schema_version=1), False),  # both labels of a control shared a process
        ([*controls(count=3), *controls(count=1, schema_version=1)], False),
        (controls(run_id="another"), False),
    ],
)
def test_no_verdict_where_the_floor_is_not_known(made: list[CaseRecord], *, decides: bool) -> None:
    """Proves that three controls, each in two processes and of the same run, are needed for any
    verdict, be it of a ratio of 3 or of equality, and that the note says so."""
    table = [
        record(noisy(1, spread=0.002), contender=BASELINE),
        record(noisy(2, centre=3 * MILLISECOND, spread=0.002)),
        record(noisy(3, spread=0.002), contender="jax:cpu:eager"),
    ]
    found = compare.compare_with_baseline([*table, *made], BASELINE)
    expected = [Verdict.SLOWER, Verdict.EQUIVALENT] if decides else [Verdict.UNDECIDED] * 2
    assert [c.verdict for c in found] == expected
    note = "" if decides else "the noise floor is not known: too few controls in two processes"
    assert {c.note for c in found} == {note}


def test_a_difference_among_many_tests_must_be_significant_after_adjustment() -> None:
    """Proves that the table's size counts: what is significant alone is not among 40 ties."""
    # 8 of 8 rounds slower: the smallest p-value that 8 rounds can give, 2 / 2^8 = 0.0078.
    pair = [
        record([100_000] * 8, contender=BASELINE),
        record([110_000 + 10 * n for n in range(8)]),
    ]
    assert verdicts(pair)[TORCH] is Verdict.SLOWER
    ties = []
    for index in range(40):
        case = case_number(2 + index)
        ties.append(record(noisy(2 * index, spread=0.05), contender=BASELINE, case=case))
        ties.append(record(noisy(2 * index + 1, spread=0.05), case=case))
    assert verdicts([*pair, *ties])[TORCH] is Verdict.UNDECIDED


def test_no_verdict_with_fewer_than_six_rounds() -> None:
    """Proves that 5 rounds, which no test finds significant, decide nothing however clear, and say
    why; that 8 do; and that the p-values of others stay with their own comparison."""
    clear = [1.0, 1.001, 1.002, 1.001, 1.0, 1.001, 1.002, 1.001]
    table = [
        record([MILLISECOND * f for f in clear[:5]], contender=BASELINE),
        record([2 * MILLISECOND * f for f in reversed(clear[:5])]),
        record([MILLISECOND * f for f in clear], contender=BASELINE, case=case_number(2)),
        record([2 * MILLISECOND * f for f in reversed(clear)], case=case_number(2)),
        record(noisy(3), contender=BASELINE, case=case_number(3)),
        record(noisy(4, centre=3 * MILLISECOND), case=case_number(3)),
    ]
    equal = [
        record([MILLISECOND] * 5, contender=BASELINE, case=case_number(4)),
        record([MILLISECOND] * 5, case=case_number(4)),
    ]
    found = compared([*table, *equal])
    assert [c.verdict for c in found.values()] == [
        *(Verdict.UNDECIDED, Verdict.SLOWER, Verdict.SLOWER, Verdict.UNDECIDED),
    ]
    few = "fewer than 6 rounds"
    assert [c.note for c in found.values()] == [few, "", "", few]


def test_a_single_round_decides_nothing() -> None:
    """Proves that one sample, with no interval, is undecided however large the ratio."""
    table = [record([100], contender=BASELINE), record([100_000])]
    assert list(verdicts(table).values()) == [Verdict.UNDECIDED]


def test_no_records_make_an_empty_table() -> None:
    """Proves that empty runs and unknown baselines give no comparison and no error."""
    assert compare.compare_with_baseline([], BASELINE) == []
    assert compare.compare_with_baseline([record([100] * 10)], "no:such:baseline") == []


# -- Noise floors --------------------------------------------------------------------------------


def exact_control(log: float, **changes: Any) -> CaseRecord:
    """A control that takes exp(log) times as long in every round: its rounds excuse nothing."""
    return controlled([1e9] * 10, [1e9 * math.exp(log)] * 10, **changes)


def floor_by_hand(deviations: Sequence[float], sessions: int = 1) -> float:
    """1.96 times the upper limit of the spread of deviations that have no errors of their own."""
    squares = np.square(deviations).sum()
    return math.expm1(1.959964 * math.sqrt(squares / chi2.ppf(0.2, len(deviations)) / sessions))


@pytest.mark.parametrize("count", [3, 4, 40])
def test_the_noise_floor_is_an_upper_limit_of_what_processes_differ_by(count: int) -> None:
    """Proves the figure on known deviations to both sides of 1, which is the higher the fewer
    controls there are."""
    deviations = [0.01 * (-1) ** n for n in range(count)]
    records = [exact_control(d, case=case_number(n)) for n, d in enumerate(deviations)]
    floor = compare.noise_floor(records)
    assert (floor.pairs, floor.two_processes, floor.is_known) == (count, True, True)
    assert floor.relative == pytest.approx(floor_by_hand(deviations), rel=1e-3)
    assert math.expm1(1.96 * 0.01) < floor.relative < 1.8 * math.expm1(1.96 * 0.01)


def test_controls_that_leave_out_1_are_counted() -> None:
    """Proves ``called_different``: exact series have intervals of no width, so that all but those
    within 2 % of 1 differ."""
    records = [exact_control(d, case=case_number(n)) for n, d in enumerate((0.01, 0.03, -0.05))]
    assert compare.noise_floor(records).called_different == 2


def test_what_the_rounds_explain_is_not_in_the_noise_floor() -> None:
    """Proves that equal processes have no floor however noisy their rounds, as their ratios have
    wide intervals anyway, and that a quiet case tells what a noisy one cannot."""

    def noisy_control(number: int, process: float) -> CaseRecord:
        control = noisy(2 * number + 1, 30, MILLISECOND * math.exp(process), spread=0.1)
        return controlled(noisy(2 * number, 30, spread=0.1), control, case=case_number(number))

    equal = [noisy_control(number, 0.0) for number in range(20)]
    ratios = [found for one in equal if (found := compare.control_ratio(one)) is not None]
    unexcused = floor_by_hand([math.log(found.ratio) for found in ratios])
    assert compare.noise_floor(equal).relative < 0.7 * unexcused
    different = [noisy_control(number, 0.2 * (-1) ** number) for number in range(20)]
    assert compare.noise_floor(different).relative > math.expm1(1.96 * 0.18)


def test_the_noise_floor_is_that_of_ratios_over_all_sessions() -> None:
    """Proves that the floor of a run of three sessions is smaller by the root of three, be the
    controls of each case in one session or in all of them."""
    each = [exact_control(0.03, case=case_number(n), session=n % 3) for n in range(30)]
    assert compare.noise_floor(each).relative == pytest.approx(
        floor_by_hand([0.03] * 30, 3), rel=1e-3
    )
    every = [
        exact_control(0.03, case=case_number(n), session=session)
        for n in range(10)
        for session in (1, 2, 3)
    ]
    assert compare.noise_floor(every).relative == compare.noise_floor(each).relative


def test_no_controls_give_no_floor() -> None:
    """Proves the empty case, and that controls of fewer than 3 rounds are not used."""
    assert compare.noise_floor([record([100] * 10)]) == NoiseFloor(0.0, 0, 0)
    assert compare.noise_floor([controlled([100] * 2, [200] * 2)]) == NoiseFloor(0.0, 0, 0)
    assert compare.noise_floor([controlled([100] * 3, [200] * 3)]).pairs == 1
    assert compare.control_ratio(record(None)) is None


def test_a_control_is_paired_by_round() -> None:
    """Proves that control samples meet those of their own rounds."""
    both = record(
        [float(100 + n) for n in range(12)],
        timed={
            "control_nanoseconds": [2 * (100 + n) for n in reversed(range(12))],
            "control_rounds": list(reversed(range(12))),
        },
    )
    found = compare.control_ratio(both)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.5, 0.5))


def test_floors_are_kept_by_run() -> None:
    """Proves that a noisy run does not silence a quiet one."""
    floors = compare.noise_floors([*controls(1.01, 20), *controls(1.2, 20, run_id="other")])
    assert {key: floor.relative for key, floor in floors.items()} == {
        "run": pytest.approx(floor_by_hand([math.log(1.01)] * 20), rel=1e-3),
        "other": pytest.approx(floor_by_hand([math.log(1.2)] * 20), rel=1e-3),
    }


def test_a_contender_against_itself_is_seldom_called_different() -> None:
    """Proves, over 400 pairs on a machine that drifts and jumps, that at most 8 % are called
    different before any noise floor, while blocks of the same samples would fail badly."""
    generator = np.random.default_rng(11)
    different = apart = 0
    for _ in range(400):
        machine = np.exp(np.cumsum(generator.normal(0, 0.03, 80)))
        machine[generator.integers(0, 80) :] *= 1.3  # another program starts
        samples = MILLISECOND * machine * generator.lognormal(sigma=0.04, size=80)
        # A sample of each in every round, in random order.
        swap = generator.integers(0, 2, 40)
        first = samples[np.arange(40) * 2 + swap]
        second = samples[np.arange(40) * 2 + 1 - swap]
        found = compare.ratio_of(record(first), record(second))
        assert found is not None
        different += compare.verdict_of(found) in (Verdict.FASTER, Verdict.SLOWER)
        blocks = compare.ratio_of(record(samples[:40]), record(samples[40:]))
        assert blocks is not None
        apart += compare.verdict_of(blocks) in (Verdict.FASTER, Verdict.SLOWER)
    assert different <= 0.08 * 400
    assert apart > 0.5 * 400


# -- Two runs ------------------------------------------------------------------------------------


def run_of(*members: CaseRecord) -> Records:
    return Records(members)


def run_in_sessions(
    seed: int,
    centres: dict[int, float],
    *,
    run_id: str = "run",
    contender: str = "torch:cpu:eager",
    control_factor: float = 1.001,
    spread: float = 0.01,
    **changes: Any,
) -> list[CaseRecord]:
    """Three sessions of the cases of these numbers and times, and controls."""
    members = [
        record(
            noisy(1000 * seed + 10 * number + session, 7, centre, spread),
            contender=contender,
            case=case_number(number),
            session=session,
            group=f"{run_id}{session}",
            run_id=run_id,
            **changes,
        )
        for session in (1, 2, 3)
        for number, centre in centres.items()
    ]
    return [*members, *controls(control_factor, run_id=run_id)]


LEVEL = dict.fromkeys(range(1, 6), MILLISECOND)


def by_number(found: Sequence[compare.Comparison]) -> dict[int, compare.Comparison]:
    return {n: c for c in found if (n := c.case.case.parameters["n"]) > 0}


def test_two_runs_are_matched_by_case_and_contender() -> None:
    """Proves after over before, over three sessions of each, and that what only one run has, or
    has no time, is left out."""
    before = run_of(
        *run_in_sessions(1, LEVEL),
        record(noisy(3), contender="jax:cpu:eager"),
        record(noisy(4), contender="mlx:cpu:eager", status=Status.WRONG),
    )
    after = run_of(
        *run_in_sessions(2, LEVEL | {1: 2 * MILLISECOND, 2: MILLISECOND / 2}, run_id="later"),
        record(None, run_id="later", contender="jax:cpu:eager", status=Status.CRASH),
        record(noisy(7), run_id="later", contender="mlx:cpu:eager"),
        record(noisy(8), run_id="later", contender="cupy:cuda:eager"),
    )
    found = by_number(compare.compare_runs(before, after))
    assert found.keys() == LEVEL.keys()
    assert found[1].verdict is Verdict.SLOWER
    assert found[2].verdict is Verdict.FASTER
    assert {found[n].verdict for n in (3, 4, 5)} <= {Verdict.EQUIVALENT, Verdict.UNDECIDED}
    assert [found[n].ratio.ratio for n in (1, 2)] == pytest.approx([2, 0.5], rel=0.02)
    assert found[1].ratio.rounds == 21
    assert (found[1].case.run_id, found[1].against.run_id) == ("later", "run")
    assert found[1].case.session == found[1].against.session == 3


def test_runs_of_one_session_decide_nothing() -> None:
    """Proves that a run that started every contender once says nothing of what differs between
    processes: each comparison is undecided and tells what to do, though 30 rounds each agree."""
    before = run_of(record(noisy(1)), *controls())
    later = {"run_id": "later"}
    after = run_of(record(noisy(5, centre=2 * MILLISECOND), **later), *controls(**later))
    found = compare.compare_runs(before, after)
    assert {(c.verdict, c.note) for c in found} == {(Verdict.UNDECIDED, compare.ONE_SESSION)}
    assert compare.ONE_SESSION == (
        "each run started every contender once: what differs between processes cannot be told from"
        " a change; run with --sessions 3"
    )
    assert found[0].ratio.ratio == pytest.approx(2, rel=0.02)


def test_three_sessions_speak_for_the_other_run_too() -> None:
    """Proves that a run of one session can be compared with one of three, at a wider interval than
    two of three have."""
    three, other = run_in_sessions(1, LEVEL), run_in_sessions(2, LEVEL, run_id="later")
    both = by_number(compare.compare_runs(run_of(*three), run_of(*other)))
    once = [r for r in other if r.session == 1]
    mixed = by_number(compare.compare_runs(run_of(*three), run_of(*once)))
    assert all(c.note == "" for c in mixed.values())
    assert all(mixed[n].ratio.log_half_width > both[n].ratio.log_half_width for n in both)


def test_the_larger_floor_of_two_runs_bounds_the_verdict() -> None:
    """Proves that either run's noise withholds a verdict on a smaller difference."""
    slower = dict.fromkeys(LEVEL, 1.1 * MILLISECOND)

    def verdicts_between(before: float, after: float) -> set[Verdict]:
        first = run_in_sessions(1, LEVEL, control_factor=before, spread=0.002)
        second = run_in_sessions(2, slower, control_factor=after, run_id="later", spread=0.002)
        found = by_number(compare.compare_runs(run_of(*first), run_of(*second)))
        return {c.verdict for c in found.values()}

    assert verdicts_between(1.001, 1.001) == {Verdict.SLOWER}
    assert verdicts_between(1.3, 1.001) == {Verdict.UNDECIDED}
    assert verdicts_between(1.001, 1.3) == {Verdict.UNDECIDED}


def test_a_run_compared_with_itself_finds_nothing() -> None:
    """Proves ratio 1 and no verdict of a difference for a file against itself."""
    run = run_of(*run_in_sessions(1, LEVEL))
    found = compare.compare_runs(run, run)
    assert [c.ratio.ratio for c in found] == pytest.approx([1.0] * 9)
    assert {c.verdict for c in found} <= {Verdict.EQUIVALENT, Verdict.UNDECIDED}


def with_yardsticks(records: Sequence[CaseRecord], factor: float) -> list[CaseRecord]:
    """The machine itself takes ``factor`` times as long for fixed work."""
    yardsticks = {"hash": round(2e6 * factor), "copy": round(1e6 * factor)}
    conditions = Conditions(yardstick_nanoseconds=yardsticks)
    return [msgspec.structs.replace(r, conditions=conditions) for r in records]


def test_a_machine_that_drifted_widens_the_intervals() -> None:
    """Proves that 10 % is a verdict where the machine's own work took as long in both runs, and
    none where that took 10 % longer too; that the drift is told by its median; and that without
    yardsticks there is none."""
    first = run_in_sessions(1, LEVEL, spread=0.002)
    slower = dict.fromkeys(LEVEL, 1.1 * MILLISECOND)
    second = run_in_sessions(2, slower, run_id="later", spread=0.002)
    before = with_yardsticks(first, 1.0)
    steady, drifted = with_yardsticks(second, 1.0), with_yardsticks(second, 1.1)
    assert compare.machine_drift(before, drifted) == pytest.approx(math.log(1.1), rel=1e-6)
    assert compare.machine_drift(before, steady) == 0.0
    assert compare.machine_drift(before, second) == 0.0
    widths = []
    for after, verdict in ((steady, Verdict.SLOWER), (drifted, Verdict.UNDECIDED)):
        found = by_number(compare.compare_runs(run_of(*before), run_of(*after)))
        assert {c.verdict for c in found.values()} == {verdict}
        widths.append(found[1].ratio.log_half_width)
    # The drift is an error of the ratio itself: more sessions do not average it out.
    assert widths[1] > 1.9 * math.log(1.1) > widths[0]


def test_time_over_sessions_is_the_geometric_mean_of_their_medians() -> None:
    """Proves the centre by hand, in seconds per call, and Student's interval around it."""
    times = [1e9, 2e9, 4e9]
    members = [
        record([t] * 7, session=n, timed={"calls_per_sample": 2}) for n, t in enumerate(times)
    ]
    interval = compare.time_interval(members)
    assert interval.estimate == pytest.approx(1.0)
    reach = 4.303 * math.log(2) / math.sqrt(3)
    assert math.log(interval.high) == pytest.approx(reach, rel=1e-3)
    assert math.log(interval.low) == pytest.approx(-reach, rel=1e-3)


# -- Simulated runs ------------------------------------------------------------------------------

PROCESS, ROUND = 0.03, 0.05  # what processes and rounds scatter by
CASES = 10


def simulated_run(
    generator: np.random.Generator,
    run_id: str,
    slower: dict[int, float] | None = None,
    cases: int = CASES,
) -> list[CaseRecord]:
    """Three sessions of 7 rounds of equal contenders; ``slower`` are factors of the second's cases.

    Each process has a speed of its own for each case, a control among them.
    """

    def process(number: int, factor: float = 1.0) -> list[float]:
        own = math.exp(generator.normal(0, PROCESS)) * factor
        times = MILLISECOND * (1 + 0.1 * number) * own * generator.lognormal(0, ROUND, 7)
        return [round(time) for time in times]

    table = []
    for session in (1, 2, 3):
        for number in range(1, cases + 1):
            place = {
                "case": case_number(number),
                "session": session,
                "group": f"{run_id}{number}{session}",
                "run_id": run_id,
            }
            base, control = process(number), process(number)
            table.append(controlled(base, control, contender=BASELINE, **place))
            factor = (slower or {}).get(number, 1.0)
            table.append(record(process(number, factor), **place))
    return table


def decided(found: Sequence[compare.Comparison]) -> list[compare.Comparison]:
    return [c for c in found if c.verdict in (Verdict.FASTER, Verdict.SLOWER)]


def is_regression(comparison: compare.Comparison) -> bool:
    return comparison.verdict is Verdict.SLOWER and comparison.ratio.ratio > 1.05


def of_torch(found: Sequence[compare.Comparison]) -> list[compare.Comparison]:
    return [c for c in found if c.case.contender.key == "torch:cpu:eager"]


@pytest.fixture(scope="module", params=[30, pytest.param(200, marks=pytest.mark.tier("nightly"))])
def equal_pairs(request: pytest.FixtureRequest) -> list[list[compare.Comparison]]:
    """Comparisons of many pairs of runs of the same software, of 20 cases and contenders each."""
    generator = np.random.default_rng(21)
    return [
        compare.compare_runs(
            run_of(*simulated_run(generator, "before")), run_of(*simulated_run(generator, "after"))
        )
        for _ in range(request.param)
    ]


def test_runs_of_the_same_software_are_seldom_called_different(
    equal_pairs: list[list[compare.Comparison]],
) -> None:
    """Proves, over pairs of runs whose processes differ by 3 % and rounds by 5 %, that fewer
    than 5 of 100 cases are called different, and that a regression beyond 5 %, which ends a
    command with status 1, is in at most 2 of 100 pairs."""
    everything = [c for found in equal_pairs for c in found]
    assert len(everything) == len(equal_pairs) * 2 * CASES
    assert len(decided(everything)) <= 0.05 * len(everything)
    alarms = sum(any(is_regression(c) for c in found) for found in equal_pairs)
    assert alarms <= 0.02 * len(equal_pairs)


def test_contenders_of_equal_speed_are_seldom_called_different() -> None:
    """Proves the same of two contenders of one run, whose verdicts are adjusted over the table."""
    generator = np.random.default_rng(22)
    everything = [
        comparison
        for n in range(30)
        for comparison in compare.compare_with_baseline(
            simulated_run(generator, f"run{n}"), BASELINE
        )
    ]
    assert len(everything) == 30 * CASES
    assert len(decided(everything)) <= 0.02 * len(everything)


@pytest.mark.parametrize(("factor", "least", "most"), [(1.3, 0.98, 1.0), (1.1, 0.25, 0.75)])
def test_a_planted_slowdown_is_found(factor: float, least: float, most: float) -> None:
    """Proves the power beside the caution: a contender that became 30 % slower in two of ten cases
    is found in nearly all of 20 pairs of runs; of one that became 10 % slower, some are found."""
    generator = np.random.default_rng(23)
    planted = {2: factor, 7: factor}
    found = missed = 0
    for _ in range(20):
        comparisons = compare.compare_runs(
            run_of(*simulated_run(generator, "before")),
            run_of(*simulated_run(generator, "after", planted)),
        )
        for comparison in of_torch(comparisons):
            if comparison.case.case.parameters["n"] in planted:
                found += comparison.verdict is Verdict.SLOWER
                missed += comparison.verdict is not Verdict.SLOWER
    assert least <= found / (found + missed) <= most


# -- Ceilings ------------------------------------------------------------------------------------


def ceilings(**changes: Any) -> CeilingRecord:
    values: dict[str, Any] = {
        "run_id": "run",
        "session": 1,
        "time_utc": "t",
        "environment": "e",
        "device": "cpu",
        "copy": [
            CopyPoint(working_set_bytes=2**20, bytes_per_second=100e9),
            CopyPoint(working_set_bytes=2**30, bytes_per_second=10e9),
        ],
        "read": [CopyPoint(working_set_bytes=2**30, bytes_per_second=12e9)],
        "flops_per_second": {"float32/ieee": 1e12, "float32/tf32": 8e12},
        "call_floor_seconds": {"torch:cpu:eager": 1e-5},
    }
    return CeilingRecord(**(values | changes))


def share(seconds: float, **case: Any) -> compare.CeilingShare:
    timed = record([seconds * 1e9] * 10, case=case)
    found = compare.share_of_ceiling(timed, ceilings())
    assert found is not None
    return found


def test_a_memory_bound_result_is_a_share_of_bandwidth() -> None:
    """Proves 12e9 bytes at 12e9 bytes/s in 2 s: bound by bandwidth, half of it."""
    found = share(2.0, bytes_minimum=12_000_000_000)
    assert found == compare.CeilingShare("bandwidth", 1.0, 0.5, plausible=True)


def test_a_small_working_set_is_held_against_the_cache() -> None:
    """Proves that the rate of nearer memory is the ceiling of small sizes."""
    found = share(1e-4, bytes_minimum=4_000_000)
    assert found.seconds == pytest.approx(4e-5)


def test_a_compute_bound_result_is_a_share_of_flops_in_its_precision() -> None:
    """Proves 1e12 operations in 2 s against 1e12/s, and against 8e12/s in TF32."""
    found = share(2.0, flops=10**12, bytes_minimum=1000)
    assert (found.bound, found.share, found.plausible) == ("flops", pytest.approx(0.5), True)
    assert share(2.0, flops=10**12, precision="tf32").share == pytest.approx(1 / 16)


def test_a_call_that_costs_more_than_its_work_is_bound_by_the_call() -> None:
    """Proves the third bound, with a share that is capped at 1."""
    assert share(2e-5, flops=1000) == compare.CeilingShare("call", 1e-5, 0.5, plausible=True)
    assert share(0.5e-5, flops=1000).share == 1.0


@pytest.mark.parametrize(("seconds", "plausible"), [(1.0, True), (0.7, True), (0.6, False)])
def test_work_done_faster_than_the_machine_can_is_implausible(
    seconds: float, plausible: bool
) -> None:
    """Proves the limit: half as fast again as the ceiling, which is itself a noisy figure."""
    assert share(seconds, flops=10**12).plausible is plausible


def test_a_scatter_that_never_ran_is_implausible_though_the_call_takes_longer() -> None:
    """Proves that the cost of a call never excuses work that was not done."""
    found = compare.share_of_ceiling(
        record([1e4] * 10, case={"bytes_minimum": 10**9}),
        ceilings(call_floor_seconds={"torch:cpu:eager": 1.0}),
    )
    assert found is not None
    assert (found.bound, found.plausible) == ("call", False)


def test_without_ceilings_nothing_is_implausible() -> None:
    """Proves that a missing measurement accuses no result."""
    none = ceilings(copy=[], read=[], flops_per_second={}, call_floor_seconds={})
    found = compare.ceiling_share(
        record([100] * 10, case={"flops": 10**15, "bytes_minimum": 10**12}), none, 1e-9
    )
    assert (found.seconds, found.share, found.plausible) == (0.0, 0.0, True)
    assert compare.share_of_ceiling(record(None), ceilings()) is None


# Copies were measured up to a gibibyte, reads only in the cache.
MIXED = [
    CopyPoint(working_set_bytes=2**30, bytes_per_second=10e9),
    CopyPoint(working_set_bytes=2**20, bytes_per_second=100e9),
]


@given(st.lists(copy_points, max_size=6), st.lists(working_sets, min_size=2, max_size=2))
@example(MIXED, [2**32, 2**40])
def test_larger_working_sets_never_have_a_higher_ceiling(
    points: list[CopyPoint], sizes: list[int]
) -> None:
    """Proves monotonicity, and that each ceiling is one of the measured rates."""
    small, large = sorted(sizes)
    assert compare.best_bandwidth(points, small) >= compare.best_bandwidth(points, large)
    assert compare.best_bandwidth(points, large) in {0.0, *(p.bytes_per_second for p in points)}
    if points:
        assert compare.best_bandwidth(points, 0) == max(p.bytes_per_second for p in points)


@given(st.lists(copy_points, min_size=1, max_size=6), st.randoms(), working_sets)
def test_the_order_of_bandwidth_points_does_not_matter(
    points: list[CopyPoint], random: Any, size: int
) -> None:
    """Proves that copy and read points can be listed in any order."""
    shuffled = list(points)
    random.shuffle(shuffled)
    assert compare.best_bandwidth(shuffled, size) == compare.best_bandwidth(points, size)


def test_ceilings_are_found_by_run_session_and_device() -> None:
    """Proves the index, which keeps two devices of a session apart."""
    cpu, gpu = ceilings(), ceilings(device="cuda")
    assert compare.ceilings_by_session(Records((cpu, gpu))) == {
        ("run", 1, "cpu"): cpu,
        ("run", 1, "cuda"): gpu,
    }
