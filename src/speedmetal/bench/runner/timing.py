"""A record's timing from the samples of a series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speedmetal.bench.record import Timing
from speedmetal.bench.runner.protocol import Sampled
from speedmetal.bench.runner.rounds import Series

LATE_SHARE = 0.5  # of the samples, in which the card waited for the host


def timing_of(
    one: Series, control: Series | None, *, mode: str, cache: str, memory: str, l2: str
) -> Timing:
    """What a series was timed to take.

    Args:
        one: With at least one sample.
        control: The second process of its contender; None without.
        mode: Of the run.
        cache: Likewise.
        memory: Likewise.
        l2: Of the contender's card; "" where there is none.
    """
    samples = one.samples
    controls = control.samples if control else []
    return Timing(
        mode=mode,
        cache=cache,
        memory=memory,
        calls_per_sample=one.calls,
        samples_nanoseconds=one.nanoseconds,
        rounds=one.rounds,
        positions=one.positions,
        first_call_nanoseconds=one.prepared.first_call_nanoseconds,
        input_sets=one.prepared.input_sets,
        l2=l2,
        device_nanoseconds=_all_of([s.device_nanoseconds for s in samples]),
        device_calls=samples[0].device_calls,
        queued_nanoseconds=_all_of([s.queued_nanoseconds for s in samples]),
        queued_calls=samples[0].queued_calls,
        device_frequency_mhz=one.watch.frequency_mhz,
        cpu_nanoseconds=[s.cpu_nanoseconds for s in samples],
        page_faults=[s.page_faults for s in samples],
        context_switches=[s.context_switches for s in samples],
        load=one.load,
        frequency_mhz=one.frequency_mhz,
        control_nanoseconds=control.nanoseconds if control else [],
        control_rounds=control.rounds if control else [],
        control_device_nanoseconds=_all_of([s.device_nanoseconds for s in controls]),
        control_queued_nanoseconds=_all_of([s.queued_nanoseconds for s in controls]),
        wake_call=one.wakes,
    )


def _all_of(values: Sequence[int | None]) -> list[int]:
    """The values, where each sample has one, else none."""
    return [] if None in values else [value for value in values if value is not None]


def waits(samples: Sequence[Sampled]) -> str:
    """What to tell of a card that waited for the host between its marks; "" where it did not."""
    if np.mean([sample.device_waited for sample in samples] or [False]) <= LATE_SHARE:
        return ""
    return "the card's time has waits for the host in it: a call is not asked for faster, or waits"
