"""Ceilings of each device: the best of everybody who computes on it.

They are taken rate by rate, so that they can end at any of them. On processors the small arrays
come first: without their rates, results in a cache would seem faster than the machine. On cards the
largest comes first: small arrays are bound by the call there, and with their rates alone all larger
results would seem too fast. What was measured in the last day is not measured again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.measure.ceilings import host_bandwidth
from speedmetal.bench.record import Contender, CopyPoint, EnvironmentRecord
from speedmetal.bench.runner.kept_rates import KeptRates, Rates, key_of
from speedmetal.bench.runner.process import WorkerFailedError, WorkerProcess
from speedmetal.bench.runner.protocol import CeilingsMeasured, MeasureCeilings
from speedmetal.bench.runner.rates import HostBounds, measure_host_bounds, within_host_bounds

_Step = tuple[list[int], list[str]]  # the sizes and the dtypes that are asked for at once

CEILING_SECONDS = 0.1  # per rate
CEILING_TIMEOUT_SECONDS = 120.0
PLAIN = "plain copies and reads"


@dataclass(frozen=True)
class DeviceCeilings:
    """What a device reaches, as :class:`~speedmetal.bench.record.CeilingRecord` has it."""

    copy: list[CopyPoint]
    read: list[CopyPoint]
    flops_per_second: dict[str, float]
    call_floor_seconds: dict[str, float]
    measured_at: float  # the oldest of them, in seconds since 1970


def working_sets(last_level_cache_bytes: int) -> list[int]:
    """Working sets from a small cache's to well beyond the last-level cache, in bytes.

    Example:
        >>> [size >> 10 for size in working_sets(32 << 20)]
        [64, 512, 4096, 32768, 262144]
    """
    largest = max(256 << 20, 4 * last_level_cache_bytes)
    sizes = [64 << 10]
    while sizes[-1] * 8 < largest:
        sizes.append(sizes[-1] * 8)
    return [*sizes, largest]


@dataclass
class CeilingMeter:
    """Measures ceilings, and remembers them.

    Args:
        workers: By contender key.
        sizes: Working sets in bytes, the smallest first.
        card_sizes: Those of a card by its name in records; of one that is not in it, ``sizes``.
        dtypes: Of the matrix products.
        settings: The run's.
        environment: The run's.
        kept: What other runs measured.
        limit_seconds: How long all of it may take.
        on_phase: Told what is going on.
        on_failure: Told who could not be measured, and why; the others count.
    """

    workers: Mapping[str, WorkerProcess]
    sizes: Sequence[int]
    dtypes: Sequence[str]
    settings: Settings
    environment: EnvironmentRecord
    kept: KeptRates
    limit_seconds: float
    on_phase: Callable[[str], None]
    on_failure: Callable[[Contender, str], None]
    card_sizes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def measure(self, contenders: Sequence[Contender]) -> dict[str, DeviceCeilings]:
        """Ceilings by place, once for each card; ``missing`` says what there was no time for.

        Args:
            contenders: Those that were started.
        """
        deadline = time.monotonic() + self.limit_seconds
        measured: dict[str, dict[str, Rates]] = {c.place: {} for c in contenders}
        seen = set()
        for number, contender in enumerate(contenders):
            # A framework's second mode reaches no more, and may compile for each size.
            is_first = (contender.framework, contender.device) not in seen
            seen.add((contender.framework, contender.device))
            share = (deadline - time.monotonic()) / (len(contenders) - number + 1)
            try:
                rates = self._rates_of(contender, share, everything=is_first)
            except WorkerFailedError as error:
                self.on_failure(contender, f"ceilings could not be measured: {error.reason}")
                continue
            measured[contender.place][contender.key] = rates
        if "cpu" in measured:  # no framework may be needed for what plain copies reach
            measured["cpu"][PLAIN] = self._plain_rates(deadline - time.monotonic())
        return {place: self._combine(rates) for place, rates in measured.items()}

    def _rates_of(self, contender: Contender, limit_seconds: float, *, everything: bool) -> Rates:
        worker = self.workers[contender.key]

        def ask(sizes: list[int], dtypes: list[str]) -> CeilingsMeasured:
            request = MeasureCeilings(sizes, dtypes, CEILING_SECONDS)
            answer = worker.ask(request, CeilingsMeasured, CEILING_TIMEOUT_SECONDS)
            return self._within_bounds(contender, answer) if contender.device == "cpu" else answer

        if not everything:
            return self._complete(contender, ask, (), (), limit_seconds)
        sizes = self.card_sizes.get(contender.card, self.sizes)
        return self._complete(contender, ask, sizes, self.dtypes, limit_seconds)

    def _within_bounds(self, contender: Contender, answer: CeilingsMeasured) -> CeilingsMeasured:
        """Without rates that no work is done at: they would let every time pass."""
        kept, told = within_host_bounds(answer, self._host_bounds)
        for text in told:
            self.on_failure(contender, f"left out of the ceilings: {text}")
        return kept

    @cached_property
    def _host_bounds(self) -> HostBounds:
        return measure_host_bounds(self.settings.threads)

    def _plain_rates(self, limit_seconds: float) -> Rates:
        def ask(sizes: list[int], _: list[str]) -> CeilingsMeasured:
            copied, was_read = host_bandwidth(self.settings.threads, sizes[0], CEILING_SECONDS)
            point = partial(CopyPoint, working_set_bytes=sizes[0])
            return CeilingsMeasured(
                [point(bytes_per_second=copied)], [point(bytes_per_second=was_read)], {}, 0.0
            )

        return self._complete(None, ask, self.sizes, (), limit_seconds)

    def _complete(
        self,
        contender: Contender | None,
        ask: Callable[[list[int], list[str]], CeilingsMeasured],
        sizes: Sequence[int],
        dtypes: Sequence[str],
        limit_seconds: float,
    ) -> Rates:
        """What is kept of one contender, and what is not kept but wanted, as far as time goes."""
        name = contender.key if contender else PLAIN
        key = key_of(self.environment, contender, CEILING_SECONDS)
        found = self.kept.find(key)
        rates = found or Rates.none_yet()
        there = {point.working_set_bytes for point in rates.answer.copy}
        by_size: list[_Step] = [([size], []) for size in sizes if size not in there]
        products: list[_Step] = [([], [dtype]) for dtype in dtypes if dtype not in rates.dtypes]
        if contender is not None and contender.card:
            largest_first = by_size[::-1]
            steps = [*largest_first[:1], *products, *largest_first[1:]]
        else:
            steps = [*by_size, *products]
        if not steps and found is None:
            steps = [([], [])]  # the call floor alone
        if steps:
            self.on_phase(f"measuring this machine's ceilings (kept for a day): {name}")
        deadline = time.monotonic() + limit_seconds
        last = 0.0  # the next step takes at least as long
        for number, (step_sizes, step_dtypes) in enumerate(steps):
            start = time.monotonic()
            if number and start + last > deadline:
                self.missing.append(f"{name}: {_list_steps(steps[number:])}")
                break
            rates = rates.joined(ask(step_sizes, step_dtypes), step_dtypes)
            last = time.monotonic() - start
        self.used.add(key)
        if steps:
            self.kept.keep(key, rates)
        return rates

    def _combine(self, measured: Mapping[str, Rates]) -> DeviceCeilings:
        rates: dict[str, float] = {}
        answers = {name: one.answer for name, one in measured.items()}
        for answer in answers.values():
            for dtype, rate in answer.flops_per_second.items():
                key = f"{dtype}/{self.settings.precision}"
                rates[key] = max(rates.get(key, 0.0), rate)
        return DeviceCeilings(
            copy=_best_points(answer.copy for answer in answers.values()),
            read=_best_points(answer.read for answer in answers.values()),
            flops_per_second=rates,
            call_floor_seconds={
                name: answer.call_floor_seconds for name, answer in answers.items() if name != PLAIN
            },
            measured_at=min((one.measured_at for one in measured.values()), default=time.time()),
        )


def _list_steps(steps: Sequence[tuple[list[int], list[str]]]) -> str:
    """Steps for people: ``"32 MiB, 256 MiB, products of float32"``."""
    sizes = [_binary_size(size) for step_sizes, _ in steps for size in step_sizes]
    products = [f"products of {dtype}" for _, dtypes in steps for dtype in dtypes]
    return ", ".join([*sizes, *products]) or "one call"


def _binary_size(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def _best_points(curves: Iterable[Sequence[CopyPoint]]) -> list[CopyPoint]:
    best: dict[int, float] = {}
    for curve in curves:
        for point in curve:
            size = point.working_set_bytes
            best[size] = max(best.get(size, 0.0), point.bytes_per_second)
    return [CopyPoint(working_set_bytes=s, bytes_per_second=r) for s, r in sorted(best.items())]
