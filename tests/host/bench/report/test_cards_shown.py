"""Cards in reports and comparisons: each once, its times by each measure, and held-down clocks."""

from __future__ import annotations

from typing import Any

import pytest
import synthetic
from msgspec.structs import replace
from synthetic import CASES

from speedmetal.bench.compare import ratio_of
from speedmetal.bench.measures import by_measure
from speedmetal.bench.record import CaseRecord, Contender, Energy, Record, Status
from speedmetal.bench.report import Options, comparison, csv_table
from speedmetal.bench.report.comparison import Changes
from speedmetal.bench.report.figures import RunFigures, ceilings_for, figures_of
from speedmetal.bench.report.html import cards, policies
from speedmetal.bench.report.sections import throttled
from speedmetal.bench.report.summary import conditions
from speedmetal.bench.store import Records
from speedmetal.errors import UnknownNameError

CARD, NAME = "GPU-6f1c3a52-0b1d-4e6a-9f00-112233445566", "NVIDIA H200"
TORCH, JAX = (
    Contender(framework=framework, device=device, mode="eager", device_name=NAME, card=CARD)
    for framework, device in (("torch", "cuda"), ("jax", "gpu"))
)
ENVIRONMENT = replace(synthetic.ENVIRONMENT, cards={CARD: f"{NAME}, driver 580.95.05"})


def on_card(contender: Contender, device_factor: float | None, **changes: Any) -> CaseRecord:
    """A record whose calls take 100 us one at a time, half of it in flight, and as much on the
    card as the factor says."""
    record = synthetic.case_record(CASES[0], contender, 1e-4, rounds=20, control=True)
    timing = record.timing
    assert timing is not None
    of_calls = [n * 8 // timing.calls_per_sample for n in timing.samples_nanoseconds]
    scaled = [round(n * (device_factor or 0)) for n in of_calls]
    timing = replace(
        timing,
        l2="warm",
        queued_nanoseconds=[n // 2 for n in of_calls],
        queued_calls=8,
        device_nanoseconds=scaled if device_factor else [],
        device_calls=8 if device_factor else 0,
        control_device_nanoseconds=scaled if device_factor else [],
    )
    return replace(record, timing=timing, environment=ENVIRONMENT.key, **changes)


def run_of(*records: Record) -> tuple[Records, RunFigures]:
    whole = Records((synthetic.run_record(), ENVIRONMENT, *records), source="run.jsonl")
    (run,) = figures_of(whole, Options())
    return whole, run


HELD = {"power cap": 0.3, "thermal slowdown": 0.001}


def test_a_card_is_named_once_with_all_of_its_names() -> None:
    """Proves one line for one card, and one set of ceilings for both of its names."""
    ceilings = replace(synthetic.ceilings(0, "cuda, gpu"), card=CARD)
    records, run = run_of(on_card(TORCH, 0.2), on_card(JAX, None), ceilings)
    assert cards(records, run) == [f"device cuda or gpu: {NAME}, driver 580.95.05"]
    assert [ceilings_for(r, records.ceilings) for r in records.cases] == [ceilings, ceilings]
    assert all(row.ceiling_share is not None for row in run.rows)
    assert policies(run).startswith("measure: latency (each call waited for); ")
    assert "L2: warm" in policies(run)


def test_rows_have_all_measures() -> None:
    """Proves seconds of a call in flight and on the card, and energy of a call."""
    energy = Energy(joules=6.0, calls=300, seconds=0.1)
    _, run = run_of(on_card(TORCH, 0.2, energy=energy), on_card(JAX, None))
    torch, jax = run.rows
    assert torch.median == pytest.approx(1e-4, rel=0.02)
    assert torch.throughput == pytest.approx(5e-5, rel=0.02)
    assert torch.device_time == pytest.approx(2e-5, rel=0.02)
    assert torch.joules == pytest.approx(0.02)
    assert (jax.device_time, jax.joules) == (None, None)


def test_a_report_by_the_cards_own_time() -> None:
    """Proves that figures and ratios are those of the measure, and that who lacks it says so."""
    fast = Contender(framework="fast", device="cuda", mode="eager", card=CARD)
    records, _ = run_of(on_card(TORCH, 0.2), on_card(fast, 0.1), on_card(JAX, None))
    seen = by_measure(records, "device")
    torch, other, jax = seen.cases
    ratio = ratio_of(other, torch)
    assert ratio is not None
    assert ratio.ratio == pytest.approx(0.5, rel=0.02)
    assert (jax.status, jax.reason) == (
        Status.UNSUPPORTED,
        "it has no device: the framework has no marks in a device's queue, or its calls were long",
    )
    (run,) = figures_of(seen, Options())
    assert run.rows[0].timing_mode == "device"
    assert conditions(run).startswith("the device's own time, ")
    assert by_measure(records, None) is records
    assert by_measure(records, "latency") == records


def test_what_older_schemas_called_the_devices_time_is_not_taken_for_it() -> None:
    """Proves that spans in which the card waited for the host give no device time."""
    record = on_card(TORCH, 0.2)
    assert record.timing is not None
    older = replace(record, schema_version=2, timing=replace(record.timing, device_calls=0))
    assert run_of(older)[1].rows[0].device_time is None
    (seen,) = by_measure(run_of(older)[0], "device").cases
    assert seen.status is Status.UNSUPPORTED


def test_an_unknown_measure_is_named() -> None:
    """Proves the full text."""
    with pytest.raises(UnknownNameError) as caught:
        by_measure(run_of(on_card(TORCH, 0.2))[0], "devise")
    assert str(caught.value) == (
        "unknown measure 'devise'; did you mean device? Valid measures: device, latency, throughput"
    )


def test_held_down_clocks_are_marked_with_their_reason() -> None:
    """Proves the mark, its reason and share, and that what is next to nothing is none."""
    records, run = run_of(on_card(TORCH, 0.2, throttling=HELD), on_card(JAX, None))
    assert [row.throttled for row in run.rows] == ["power cap in 30 % of its time", ""]
    ((_, contender, reason),) = throttled(run).rows
    assert (contender.text, reason.text) == (TORCH.key, "power cap in 30 % of its time")
    assert conditions(run).endswith("; 1 result at held-down clocks")
    assert "power cap in 30 % of its time" in csv_table.render(records, Options())


def test_a_comparison_shows_device_and_marks_without_clutter() -> None:
    """Proves the device once, the ratio on the device, and the mark with its explanation; and none
    of them where there is nothing to tell."""
    before, _ = run_of(on_card(TORCH, 0.4))
    after, _ = run_of(on_card(TORCH, 0.2, throttling=HELD))
    text = comparison.render_text(Changes.between(before, after, 5.0), Options(width=160))
    assert text.count(NAME) == 1
    assert "on the device" in text
    assert "0.500" in text
    assert "1 case at held-down clocks (marked *)" in text
    host = synthetic.records()
    plain = comparison.render_text(Changes.between(host, host, 5.0), Options(width=160))
    assert "device" not in plain
    assert "*" not in plain
