"""A run on a card: one device under two names, its own time, its cache, its state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_cards import CACHE_BYTES, HOST_SECONDS, NAME, UUID, NamelessAdapter, QueuedAdapter
from small_run import Silent, case_of, measure

from speedmetal.bench.record import CaseRecord, Contender, Status
from speedmetal.bench.runner.cards import Cards
from speedmetal.bench.runner.task import UNKNOWN_CACHE
from speedmetal.bench.store import Records

CARD = f"GPU-{UUID}"
RELU = case_of("relu", shape=[64, 1024])
DEVICES = (QueuedAdapter.device_of(), NamelessAdapter.device_of())


def run(out: Path, cards: Cards | None = None, **options: Any) -> Records:
    """A run of both frameworks on the card."""
    cards = cards or Cards(DEVICES)
    contenders = [
        Contender(
            framework=f"planted_cards:{name}",
            device=device.name,
            mode="eager",
            device_name=device.description,
            card=cards.of(device),
        )
        for name, device in zip(("QUEUED", "NAMELESS"), DEVICES, strict=True)
    ]
    return measure(out, [RELU], [], Silent(), contenders=contenders, cards=cards, **options)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Records:
    return run(tmp_path_factory.mktemp("warm") / "run.jsonl")


def of(records: Records, name: str) -> CaseRecord:
    (found,) = [r for r in records.cases if r.contender.framework.endswith(name)]
    assert found.status is Status.OK, found.reason
    assert found.timing is not None
    return found


def test_one_card_under_two_names_has_one_set_of_ceilings(warm: Records) -> None:
    """Proves that both frameworks are on one card, measured once, by each of them."""
    assert {r.contender.card for r in warm.cases} == {CARD}
    (ceilings,) = warm.ceilings
    assert (ceilings.card, ceilings.device) == (CARD, "cuda, gpu")
    assert sorted(ceilings.call_floor_seconds) == [
        "planted_cards:NAMELESS:gpu:eager",
        "planted_cards:QUEUED:cuda:eager",
    ]
    (environment,) = warm.environments.values()
    assert environment.cards == {CARD: NAME}


def test_a_record_has_latency_throughput_and_the_cards_own_time(warm: Records) -> None:
    """Proves that each sample has all three, that what a call takes the host is in none of the
    card's time, and that a framework without marks has none of it."""
    timing = of(warm, "QUEUED").timing
    assert timing is not None
    count = len(timing.samples_nanoseconds)
    assert count == len(timing.device_nanoseconds) == len(timing.queued_nanoseconds)
    assert timing.l2 == "warm"
    assert timing.device_calls == min(8, timing.calls_per_sample)
    assert timing.queued_calls == timing.calls_per_sample
    on_card = np.median(timing.device_nanoseconds) / timing.device_calls
    latency = np.median(timing.samples_nanoseconds) / timing.calls_per_sample
    assert latency >= HOST_SECONDS * 1e9
    assert on_card < HOST_SECONDS * 1e9
    bare = of(warm, "NAMELESS").timing
    assert bare is not None
    assert bare.queued_nanoseconds
    assert not bare.device_nanoseconds
    assert bare.device_calls == 0


def test_the_peak_does_not_count_the_buffer(warm: Records) -> None:
    """Proves that what the benchmark itself holds on the card is not the framework's."""
    memory = of(warm, "QUEUED").memory
    assert memory is not None
    assert memory.device_peak == 0  # 3 MiB, less than the 64 MiB of the least buffer


def test_a_cold_cache_is_written_over_before_each_call(tmp_path: Path) -> None:
    """Proves that samples are of few calls, each by itself, with nothing in flight."""
    records = run(tmp_path / "run.jsonl", l2="cold")
    timing = of(records, "QUEUED").timing
    assert timing is not None
    assert (timing.l2, timing.device_calls, timing.queued_calls) == ("cold", 1, 0)
    assert timing.calls_per_sample <= 16
    assert len(timing.device_nanoseconds) == len(timing.samples_nanoseconds)


def test_a_cache_of_unknown_size_cannot_be_cold(tmp_path: Path) -> None:
    """Proves the status and the full text where no framework tells the size."""
    cards = Cards([NamelessAdapter.device_of()])
    records = run(tmp_path / "run.jsonl", cards, l2="cold")
    assert {(r.status, r.reason) for r in records.cases if "NAMELESS" in r.contender.key} == {
        (Status.UNSUPPORTED, UNKNOWN_CACHE)
    }
    assert CACHE_BYTES  # which the other framework would have told
