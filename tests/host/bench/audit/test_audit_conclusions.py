"""Published signs are collected as printed and held against measured pairs without guessing."""

from pathlib import Path

import pytest

from speedmetal.bench.audit import (
    Claim,
    Conclusion,
    Outcome,
    PublishedCell,
    check,
    conclusions,
    load_published_cells,
)
from speedmetal.bench.audit.conclusions import ON_OTHER_DEVICE
from speedmetal.bench.record import CaseRecord, CaseSpec, Contender, Status, Timing
from speedmetal.bench.store import Records

HERE = Path(__file__).parent
ARGUMENTS = "dim=64x16 axi=-1"
ROUNDS = 20


def cells(*times, first="mlx_gpu_compile", second="mlx_gpu"):
    """One device table for each pair of times."""
    return [
        PublishedCell(f"D{n}", "()", "detailed", "Softmax", ARGUMENTS, backend, time)
        for n, pair in enumerate(times)
        for backend, time in zip((first, second), pair, strict=True)
    ]


def claim(first, second, faster=3):
    """Most tables print the first as faster."""
    return Conclusion("Softmax", ARGUMENTS, first, second, 0.5, faster, 0, 0)


def record(
    key,
    microseconds,
    *,
    session=1,
    mode="latency",
    status=Status.OK,
    reason="",
    control_factor=None,
    **case,
):
    """A record whose samples scatter by 0.2 % around a time, with a control where it has one."""
    framework, device, contender_mode = key.split(":")
    samples = [int(microseconds * 1000 * (1 + 0.002 * (n % 3 - 1))) for n in range(ROUNDS)]
    timing = Timing(
        mode=mode,
        cache="warm",
        calls_per_sample=1,
        samples_nanoseconds=samples,
        rounds=list(range(ROUNDS)),
        positions=[0] * ROUNDS,
        first_call_nanoseconds=1,
        control_nanoseconds=[int(control_factor * t) for t in samples] if control_factor else [],
        control_rounds=list(range(ROUNDS)) if control_factor else [],
    )
    spec = {"operation": "softmax", "title": "Softmax", "family": "f", "arguments": ARGUMENTS}
    return CaseRecord(
        run_id="r",
        session=session,
        time_utc="2026-01-01T00:00:00Z",
        case=CaseSpec(**{**spec, "parameters": {}, "published": True, **case}),
        contender=Contender(framework=framework, device=device, mode=contender_mode),
        environment="e",
        group=f"{session}-{mode}",
        status=status,
        reason=reason,
        timing=timing if status.has_time else None,
    )


def outcome(conclusion, *records, control_factor=1.001):
    """The outcome in a run with three controls, in cases that nothing was published of."""
    controls = [
        record("numpy:cpu:eager", 100, arguments=f"n={n}", control_factor=control_factor)
        for n in range(3)
    ]
    (only,) = check([conclusion], Records((*records, *controls)))
    return only


COMPILE = claim("mlx_gpu_compile", "mlx_gpu")
CPU = claim("mlx_cpu", "cpu")


def test_signs_medians_and_tables():
    """Signs are counted over tables; the ratio is the median of time over time."""
    (found,) = conclusions(cells((1.0, 2.0), (1.0, 1.5), (3.0, 2.0)))
    assert found == Conclusion(
        "Softmax", ARGUMENTS, "mlx_gpu_compile", "mlx_gpu", 1.0 / 1.5, faster=2, slower=1,
        undecided=0,
    )  # fmt: skip
    assert found.claim is Claim.FASTER


@pytest.mark.parametrize(
    ("times", "sign"),
    [
        ((1.00, 1.02), "undecided"),  # within 2 %
        ((0.25, 0.26), "undecided"),  # 4 %, but two decimals cannot tell
        ((0.00, 0.01), "undecided"),
        ((0.00, 0.30), "faster"),
        ((0.30, 0.00), "slower"),
        ((1.00, 1.05), "faster"),
    ],
)
def test_a_sign_needs_more_than_two_percent_and_the_printed_decimals(times, sign):
    (found,) = conclusions(cells(times))
    assert {s: getattr(found, s) for s in ("faster", "slower", "undecided")} == {
        "faster": 0, "slower": 0, "undecided": 0, sign: 1,
    }  # fmt: skip


def test_no_majority_is_no_claim():
    """As many tables one way as the other say nothing."""
    (found,) = conclusions(cells((1.0, 2.0), (2.0, 1.0)))
    assert found.claim is Claim.NONE


def test_missing_times_and_averages_give_no_conclusion():
    """A pair needs both times of one detailed table."""
    alone = cells((1.0, None))
    averages = [PublishedCell("D", "()", "average", "Sum", "", b, 1.0) for b in ("cpu", "cuda")]
    assert conclusions([*alone, *averages]) == ()


def test_pairs_of_the_excerpt():
    """All five pairs are collected where a table has both columns."""
    found = conclusions(load_published_cells(HERE / "excerpt.md"))
    pairs = {(c.first, c.second) for c in found if c.arguments.startswith("dim=1000x28x28")}
    assert len(pairs) == 5
    (softmax,) = (
        c for c in found if (c.first, c.arguments) == ("mlx_gpu_compile", "dim=64x1000000 axi=-1")
    )
    assert softmax.ratio == pytest.approx(17.09 / 22.02)
    assert softmax.claim is Claim.FASTER


def test_holds():
    """The same sign here, between the same columns."""
    found = outcome(CPU, record("mlx:cpu:eager", 50), record("torch:cpu:eager", 100))
    assert (found.outcome, found.on_other_device) == (Outcome.HOLDS, False)
    assert found.ratio.ratio == pytest.approx(0.5)
    assert found.reason == "mlx:cpu:eager is faster than torch:cpu:eager"


def test_flips():
    """The opposite sign here."""
    found = outcome(CPU, record("mlx:cpu:eager", 200), record("torch:cpu:eager", 100))
    assert found.outcome is Outcome.FLIPS
    assert found.reason == "mlx:cpu:eager is slower than torch:cpu:eager"


def test_vanishes_on_another_device():
    """Without a GPU the same framework and mode is compared on the CPU, and the row says so."""
    found = outcome(COMPILE, record("mlx:cpu:compiled", 100), record("mlx:cpu:eager", 100))
    assert (found.outcome, found.on_other_device) == (Outcome.VANISHES, True)
    assert found.reason == f"mlx:cpu:compiled is within 2 % of mlx:cpu:eager; {ON_OTHER_DEVICE}"


def test_the_gpu_is_used_where_it_was_measured():
    """No fallback where both columns have records of their own."""
    found = outcome(COMPILE, record("mlx:gpu:compiled", 50), record("mlx:gpu:eager", 100))
    assert (found.first, found.second) == ("mlx:gpu:compiled", "mlx:gpu:eager")
    assert (found.outcome, found.on_other_device) == (Outcome.HOLDS, False)


def test_a_gpu_is_never_compared_with_a_cpu_in_place_of_a_gpu():
    """MLX's GPU and no MPS: both sides of the pair go to the CPU, together."""
    found = outcome(
        claim("mlx_gpu", "mps"),
        record("mlx:gpu:eager", 1),
        record("mlx:cpu:eager", 200),
        record("torch:cpu:eager", 100),
    )
    assert (found.first, found.second) == ("mlx:cpu:eager", "torch:cpu:eager")
    assert (found.outcome, found.on_other_device) == (Outcome.FLIPS, True)


def test_undecided_where_sessions_disagree():
    """One session faster and one slower decide nothing; the interval spans both."""
    found = outcome(
        CPU,
        record("mlx:cpu:eager", 90, session=1),
        record("torch:cpu:eager", 100, session=1),
        record("mlx:cpu:eager", 110, session=2),
        record("torch:cpu:eager", 100, session=2),
    )
    assert found.outcome is Outcome.UNDECIDED
    assert found.reason == "mlx:cpu:eager is not told apart from torch:cpu:eager"
    assert found.ratio.low < 0.91
    assert found.ratio.high > 1.09


def test_undecided_below_the_noise_floor():
    """Controls that deviate by 30 % hide a difference of 5 %."""
    pair = record("mlx:cpu:eager", 95), record("torch:cpu:eager", 100)
    assert outcome(CPU, *pair).outcome is Outcome.HOLDS
    assert outcome(CPU, *pair, control_factor=1.3).outcome is Outcome.UNDECIDED


def test_undecided_without_a_noise_floor():
    """A run without controls decides nothing, whatever the difference."""
    pair = record("mlx:cpu:eager", 50), record("torch:cpu:eager", 100)
    (found,) = check([CPU], Records(pair))
    assert found.outcome is Outcome.UNDECIDED
    assert found.ratio.ratio == pytest.approx(0.5)


def test_latency_is_preferred():
    """The published program waits for each call, so throughput decides only where it is alone."""
    latency = [record("mlx:cpu:eager", 50), record("torch:cpu:eager", 100)]
    throughput = [
        record("mlx:cpu:eager", 200, mode="throughput"),
        record("torch:cpu:eager", 100, mode="throughput"),
    ]
    assert outcome(CPU, *latency, *throughput).outcome is Outcome.HOLDS
    assert outcome(CPU, *throughput).outcome is Outcome.FLIPS


EAGER = record("mlx:cpu:eager", 50)


@pytest.mark.parametrize(
    ("conclusion", "records", "reason"),
    [
        (
            claim("mlx_gpu", "mlx_cpu"),
            [EAGER],
            "no GPU here: both columns would be mlx:cpu:eager",
        ),
        (CPU, [EAGER], "no record of this case on torch:cpu:eager"),
        (
            CPU,
            [EAGER, record("torch:cpu:eager", 1, status=Status.OUT_OF_MEMORY, reason="3 GB")],
            "torch:cpu:eager: oom, 3 GB",
        ),
        (
            CPU,
            [EAGER, record("torch:cpu:eager", 1, session=2)],
            "mlx:cpu:eager and torch:cpu:eager were not sampled in common rounds",
        ),
        (CPU, [EAGER, record("torch:cpu:eager", 1, dtype="float16")],
         "no record of this case on torch:cpu:eager"),
        (CPU, [EAGER, record("torch:cpu:eager", 1, published=False)],
         "no record of this case on torch:cpu:eager"),
        (CPU, [EAGER, record("torch:cpu:eager", 1, arguments="dim=8")],
         "no record of this case on torch:cpu:eager"),
    ],
)  # fmt: skip
def test_not_measurable(conclusion, records, reason):
    """The reason is given, and no ratio."""
    found = outcome(conclusion, *records)
    assert (found.outcome, found.ratio) == (Outcome.NOT_MEASURABLE, None)
    assert found.reason == reason


def test_no_claim_is_no_outcome():
    """Where tables disagree there is nothing to hold or to flip; the measurement is shown."""
    found = outcome(claim("mlx_cpu", "cpu", faster=0), EAGER, record("torch:cpu:eager", 100))
    assert found.outcome is Outcome.NO_CLAIM
    assert found.ratio.ratio == pytest.approx(0.5)
