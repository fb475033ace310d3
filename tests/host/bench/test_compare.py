"""From records to figures: what is paired with what, and which verdict a figure earns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from speedmetal.bench import compare
from speedmetal.bench.compare import NoiseFloor, Verdict
from speedmetal.bench.measure.statistics import Ratio
from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    CeilingRecord,
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


def verdicts(records: Sequence[CaseRecord]) -> dict[tuple[str, str], Verdict]:
    found = compare.compare_with_baseline(records, BASELINE)
    return {(c.case.group, c.case.contender.key): c.verdict for c in found}


def test_every_contender_is_compared_with_the_baseline_of_its_own_group() -> None:
    """Proves the pairs of a table: groups do not mix, the baseline is not its own contender, and
    a case without the baseline is left out."""
    table = [
        record(noisy(1), contender=BASELINE),
        record(noisy(2, centre=2 * MILLISECOND)),
        record(noisy(3, centre=MILLISECOND / 2), contender="jax:cpu:compiled"),
        record(noisy(4, centre=8 * MILLISECOND), contender=BASELINE, group="h"),
        record(noisy(5, centre=2 * MILLISECOND), group="h"),
        record(noisy(6), group="without a baseline"),
        record(None, group="h", contender="mlx:cpu:eager", status=Status.UNSUPPORTED),
    ]
    assert verdicts(table) == {
        ("g", "torch:cpu:eager"): Verdict.SLOWER,
        ("g", "jax:cpu:compiled"): Verdict.FASTER,
        ("h", "torch:cpu:eager"): Verdict.FASTER,
    }
    comparison = compare.compare_with_baseline(table, BASELINE)[0]
    assert comparison.against is table[0]
    assert comparison.case is table[1]


def test_the_noise_floor_of_the_session_blocks_a_smaller_difference() -> None:
    """Proves that the same 10 % is a verdict in a quiet session and none in a noisy one."""

    def table(control_factor: float) -> list[CaseRecord]:
        base = noisy(1, spread=0.002)
        control = {
            "control_nanoseconds": [round(s * control_factor) for s in base],
            "control_rounds": list(range(len(base))),
        }
        return [
            record(base, contender=BASELINE, timed=control),
            record(noisy(2, centre=1.1 * MILLISECOND, spread=0.002)),
        ]

    key = ("g", "torch:cpu:eager")
    assert verdicts(table(1.01))[key] is Verdict.SLOWER
    assert verdicts(table(1.30))[key] is Verdict.UNDECIDED


def test_a_difference_among_many_tests_must_be_significant_after_adjustment() -> None:
    """Proves that the table's size counts: what is significant alone is not among 40 ties."""
    # 8 of 8 rounds slower: the smallest p-value that 8 rounds can give, 2 / 2^8 = 0.0078.
    pair = [
        record([100_000] * 8, contender=BASELINE),
        record([110_000 + 10 * n for n in range(8)]),
    ]
    assert verdicts(pair)["g", "torch:cpu:eager"] is Verdict.SLOWER
    ties = []
    for index in range(40):
        group = f"tie {index}"
        ties.append(record(noisy(2 * index, spread=0.05), contender=BASELINE, group=group))
        ties.append(record(noisy(2 * index + 1, spread=0.05), group=group))
    found = verdicts([*pair, *ties])
    assert found["g", "torch:cpu:eager"] is Verdict.UNDECIDED


def test_few_rounds_rest_on_their_interval_alone() -> None:
    """Proves that 5 rounds, too few for the test, still give a verdict where it is clear, that
    the p-values of others stay with their own comparison, and that 5 ties give none."""
    clear = [1.0, 1.001, 1.002, 1.001, 1.0]
    table = [
        record([MILLISECOND * f for f in clear], contender=BASELINE),
        record([2 * MILLISECOND * f for f in reversed(clear)]),
        record(noisy(1, 5, spread=0.2), contender=BASELINE, group="ties"),
        record(noisy(2, 5, spread=0.2), group="ties"),
        record(noisy(3), contender=BASELINE, group="many"),
        record(noisy(4, centre=3 * MILLISECOND), group="many"),
    ]
    assert list(verdicts(table).values()) == [Verdict.SLOWER, Verdict.UNDECIDED, Verdict.SLOWER]


def test_a_single_round_decides_nothing() -> None:
    """Proves that one sample, with no interval, is undecided however large the ratio."""
    table = [record([100], contender=BASELINE), record([100_000])]
    assert list(verdicts(table).values()) == [Verdict.UNDECIDED]


def test_no_records_make_an_empty_table() -> None:
    """Proves that empty runs and unknown baselines give no comparison and no error."""
    assert compare.compare_with_baseline([], BASELINE) == []
    assert compare.compare_with_baseline([record([100] * 10)], "no:such:baseline") == []


# -- Noise floors --------------------------------------------------------------------------------


def controlled(samples: Sequence[float], control: Sequence[float], **changes: Any) -> CaseRecord:
    timed = {
        "control_nanoseconds": [round(c) for c in control],
        "control_rounds": list(range(len(control))),
    }
    return record(samples, timed=timed, **changes)


def test_the_noise_floor_is_the_95th_percentile_of_control_deviations() -> None:
    """Proves the figure on known deviations, to both sides of 1."""
    deviations = [0.001 * n for n in range(21)]
    records = [
        controlled([1e9] * 10, [1e9 * math.exp(d if n % 2 else -d)] * 10)
        for n, d in enumerate(deviations)
    ]
    floor = compare.noise_floor(records)
    assert floor.pairs == 21
    assert floor.relative == pytest.approx(math.expm1(0.019), rel=1e-6)
    # Exact series have intervals of no width: all but those within 2 % of 1 differ.
    assert floor.called_different == 1


def test_no_controls_give_no_floor() -> None:
    """Proves the empty case, and that controls of fewer than 8 rounds are not used."""
    assert compare.noise_floor([record([100] * 10)]) == NoiseFloor(0.0, 0, 0)
    assert compare.noise_floor([controlled([100] * 7, [200] * 7)]) == NoiseFloor(0.0, 0, 0)
    assert compare.noise_floor([controlled([100] * 8, [200] * 8)]).pairs == 1
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


def test_floors_are_kept_by_run_and_session() -> None:
    """Proves that a noisy session does not silence a quiet one."""
    quiet = controlled([100_000] * 10, [101_000] * 10, session=1)
    noisy_ = controlled([100_000] * 10, [150_000] * 10, session=2)
    other = controlled([100_000] * 10, [120_000] * 10, run_id="other")
    floors = compare.noise_floors([quiet, noisy_, other])
    assert {key: round(floor.relative, 3) for key, floor in floors.items()} == {
        ("run", 1): 0.01,
        ("run", 2): 0.5,
        ("other", 1): 0.2,
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


def test_two_runs_are_matched_by_case_and_contender() -> None:
    """Proves after over before, and that what only one run has, or has no time, is left out."""
    other_case = {"parameters": {"n": 2}}
    before = run_of(
        record(noisy(1), group="x"),
        record(noisy(2), case=other_case),
        record(noisy(3), contender="jax:cpu:eager"),
        record(noisy(4), contender="mlx:cpu:eager", status=Status.WRONG),
    )
    after = run_of(
        record(noisy(5, centre=2 * MILLISECOND), run_id="later", group="y"),
        record(noisy(6, centre=MILLISECOND / 2), run_id="later", case=other_case),
        record(None, run_id="later", contender="jax:cpu:eager", status=Status.CRASH),
        record(noisy(7), run_id="later", contender="mlx:cpu:eager"),
        record(noisy(8), run_id="later", contender="cupy:cuda:eager"),
    )
    found = compare.compare_runs(before, after)
    assert [c.verdict for c in found] == [Verdict.SLOWER, Verdict.FASTER]
    assert [c.ratio.ratio for c in found] == pytest.approx([2, 0.5], rel=0.02)
    assert found[0].case is after.cases[0]
    assert found[0].against is before.cases[0]


def test_the_larger_floor_of_two_runs_bounds_the_verdict() -> None:
    """Proves that either run's noise withholds a verdict on a smaller difference."""
    samples, slower = noisy(1, spread=0.002), noisy(2, centre=1.1 * MILLISECOND, spread=0.002)
    for loud in ("before", "after"):
        factors = {"before": 1.01, "after": 1.01, loud: 1.3}
        found = compare.compare_runs(
            run_of(controlled(samples, [s * factors["before"] for s in samples])),
            run_of(controlled(slower, [s * factors["after"] for s in slower], run_id="later")),
        )
        assert [c.verdict for c in found] == [Verdict.UNDECIDED], loud
    quiet = compare.compare_runs(run_of(record(samples)), run_of(record(slower, run_id="later")))
    assert [c.verdict for c in quiet] == [Verdict.SLOWER]


def test_a_run_compared_with_itself_finds_nothing() -> None:
    """Proves ratio 1 and no verdict of a difference for a file against itself."""
    run = run_of(*(record(noisy(n), case={"parameters": {"n": n}}) for n in range(5)))
    found = compare.compare_runs(run, run)
    assert [c.ratio.ratio for c in found] == [1.0] * 5
    assert {c.verdict for c in found} <= {Verdict.EQUIVALENT, Verdict.UNDECIDED}


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
