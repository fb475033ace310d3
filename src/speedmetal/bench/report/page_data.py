"""What the HTML page's script works on: rows, samples, roofs and controls as plain JSON values.

Every figure that a reader sees as text is written here, by :mod:`notation`, so that the page and
the terminal round alike; the numbers beside the texts only sort and draw. The size of the page is
mostly this: rows are arrays without names, numbers have four digits, and samples are ten
thousandths of their row's median, as distances from it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from speedmetal.bench import compare
from speedmetal.bench.operations import words
from speedmetal.bench.record import CaseRecord, Timing
from speedmetal.bench.report import notation, sections, summaries
from speedmetal.bench.report.figures import Row, RunFigures
from speedmetal.bench.store import Records

# About 600 kB of JSON; beyond it only every k-th sample is drawn, and the page says so.
SAMPLES_AT_MOST = 120_000
SAMPLE_SCALE = 10_000
# Sizes are several where the largest is at least this many times the smallest: a reduction's
# result, which is smaller along one axis than along another, makes no case another size.
SEVERAL_SIZES = 2.0
_NAME_ROOM = 12  # how far, as a factor, a roof goes on behind its ridge, for its name
_CONTROL_DIGITS = 6  # they differ from 1 by less than a thousandth
_EDGES = (("low", "median"), ("high", "median"), ("ratioLow", "ratio"), ("ratioHigh", "ratio"))

Number = float | int | None


@dataclass(frozen=True)
class Figure:
    """A figure of a row: the number that sorts and draws, and the text that is read."""

    number: Callable[[Row], Number]
    text: Callable[[Row], str]


def _figure(field: str, write: Callable[[Any], str]) -> Figure:
    return Figure(lambda row: getattr(row, field), lambda row: write(getattr(row, field)))


def _timings(row: Row) -> list[Timing]:
    return [record.timing for record in row.records if record.timing is not None]


def processors(row: Row) -> float | None:
    """How many processors a row's calls kept busy: CPU time over wall time, all samples."""
    timings = [timing for timing in _timings(row) if timing.cpu_nanoseconds]
    wall = sum(sum(timing.samples_nanoseconds) for timing in timings)
    return sum(sum(timing.cpu_nanoseconds) for timing in timings) / wall if wall else None


def page_faults(row: Row) -> float | None:
    """Page faults of one call, over all samples."""
    timings = [timing for timing in _timings(row) if timing.page_faults]
    calls = sum(len(timing.page_faults) * timing.calls_per_sample for timing in timings)
    return sum(sum(timing.page_faults) for timing in timings) / calls if calls else None


def interruptions(row: Row) -> float | None:
    """Context switches of a sample that the process did not ask for, over all samples."""
    counts = [count for timing in _timings(row) for count in timing.context_switches]
    return sum(counts) / len(counts) if counts else None


def _half_width(row: Row) -> float | None:
    if row.median is None or row.low is None or row.high is None:
        return None
    return (row.high - row.low) / row.median


# The page's names of the figures of rows, and where each comes from.
FIGURES: Mapping[str, Figure] = {
    "median": _figure("median", notation.seconds),
    "spread": Figure(_half_width, lambda r: notation.plus_minus(r.median, r.low, r.high)),
    "ratio": _figure("ratio", notation.ratio),
    "interval": Figure(
        lambda row: row.ratio_low, lambda row: notation.interval(row.ratio_low, row.ratio_high)
    ),
    "share": Figure(lambda row: row.ceiling_share, sections.bound_of),
    "byteRate": _figure("bytes_per_second", lambda value: notation.rate(value, "B/s")),
    "flopRate": _figure("flops_per_second", lambda value: notation.rate(value, "FLOP/s")),
    "firstCall": _figure("first_call", notation.seconds),
    "error": _figure("max_relative", notation.error),
    "tolerance": _figure("tolerance_max", notation.error),
    "samples": Figure(lambda row: row.samples, sections.samples_of),
    "minimum": _figure("minimum", notation.seconds),
    "p10": _figure("p10", notation.seconds),
    "p90": _figure("p90", notation.seconds),
    "mad": _figure("mad", notation.seconds),
    "outliers": _figure("outliers", notation.number),
    "autocorrelation": _figure(
        "autocorrelation", lambda value: notation.MISSING if value is None else f"{value:.2f}"
    ),
    "processors": Figure(processors, lambda row: notation.number(processors(row))),
    "pageFaults": Figure(page_faults, lambda row: notation.number(page_faults(row))),
    "interruptions": Figure(interruptions, lambda row: notation.number(interruptions(row))),
    "memory": _figure("memory_host_peak", notation.size),
    "deviceMemory": _figure("memory_device_peak", notation.size),
    "throughput": _figure("throughput", notation.seconds),
    "deviceTime": _figure("device_time", notation.seconds),
    "joules": _figure("joules", lambda value: notation.rate(value, "J")),
}
# Numbers that are drawn, not written.
EDGES = {"low": "low", "high": "high", "ratioLow": "ratio_low", "ratioHigh": "ratio_high"}
TEXTS = {
    "contender": "contender",
    "status": "status",
    "reason": "reason",
    "verdict": "verdict",
    "note": "verdict_note",
    "timingMode": "timing_mode",
    "cache": "cache",
    "memoryPolicy": "memory_policy",
    "l2": "l2",
    "throttled": "throttled",
    "notes": "notes",
}


def page_data(records: Records, runs: Sequence[RunFigures]) -> dict[str, Any]:
    """Everything that the page's script needs but the charts' specifications."""
    rows = [row for run in runs for row in run.rows]
    cases = list(dict.fromkeys((row.run_id, row.case_key) for row in rows))
    places = {case: place for place, case in enumerate(cases)}
    members: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        members[row.run_id, row.case_key].append(row)
    total = sum(row.samples or 0 for row in rows)
    stride = max(1, math.ceil(total / SAMPLES_AT_MOST))
    return {
        "seconds": notation.SECOND_UNITS,
        "contenders": list(dict.fromkeys(c for run in runs for c in run.contenders)),
        "cases": [_case(members[case][0], several=len(runs) > 1) for case in cases],
        "sized": {size: sized_series(rows, size) for size in ("bytes", "flops")},
        "figures": list(FIGURES),
        "edges": list(EDGES),
        "texts": list(TEXTS),
        "rows": [[places[row.run_id, row.case_key], *_row(row)] for row in rows],
        "sampleScale": SAMPLE_SCALE,
        "stride": stride,
        "samples": [_samples(row, stride) for row in rows],
        "machine": machine_states(runs, places),
        "roofs": [roof for run in runs for roof in _roofs(records, run)],
        "controls": [control for run in runs for control in _controls(run)],
        "floors": [edge for run in runs for edge in _floor_edges(run)],
    }


def round_for_json(value: float | str | None, digits: int = 4) -> float | str | None:
    """A number with a few significant digits; None for what JSON cannot hold.

    Example:
        >>> [round_for_json(value) for value in (0.123456, float("inf"), "text", 123456)]
        [0.1235, None, 'text', 123456]
    """
    if not isinstance(value, float):
        return value
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def sized_series(rows: Iterable[Row], size: str) -> list[str]:
    """The series (see :func:`series_of`) whose cases with a time have several sizes.

    Args:
        rows: Rows of any operations.
        size: ``"bytes"`` that must move, or ``"flops"``.
    """
    sizes: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        value = row.bytes_minimum if size == "bytes" else row.flops
        if row.has_time and value:
            sizes[series_of(row)].add(value)
    return [name for name, found in sizes.items() if max(found) >= SEVERAL_SIZES * min(found)]


def series_of(row: Row) -> str:
    """What the cases that a line of time against size joins have in common."""
    usual = {"dtype": "float32", "precision": "ieee", "direction": "forward"}
    extras = [
        value for name, standard in usual.items() if (value := getattr(row, name)) != standard
    ]
    return ", ".join([row.title, *extras])


def _case(row: Row, *, several: bool) -> dict[str, Any]:
    case = row.records[0].case
    name = words.case_in_words(case)
    return {
        "name": f"{name} (run {row.run_id})" if several else name,
        "variant": words.variant_in_words(case),
        "label": row.label,  # that of the records, for those who search by it
        "title": row.title,
        "family": row.family,
        "series": series_of(row),
        "bytes": row.bytes_minimum,
        "flops": row.flops,
        "bytesText": notation.size(row.bytes_minimum) if row.bytes_minimum else notation.MISSING,
        "flopsText": notation.rate(row.flops, "FLOP") if row.flops else notation.MISSING,
    }


def _row(row: Row) -> list[Any]:
    numbers = {name: figure.number(row) for name, figure in FIGURES.items()}
    edges = {name: getattr(row, field) for name, field in EDGES.items()}
    # An edge that only says "not known" would stretch every axis.
    for edge, centre in _EDGES:
        value, middle = edges[edge], numbers[centre]
        if value is not None and middle is not None:
            known = 1 / notation.RATIO_EDGE < value / middle < notation.RATIO_EDGE
            edges[edge] = value if known else None
    return [
        [round_for_json(value) for value in (*numbers.values(), *edges.values())],
        [figure.text(row) for figure in FIGURES.values()],
        [getattr(row, field) for field in TEXTS.values()],
    ]


def _samples(row: Row, stride: int) -> list[dict[str, Any]]:
    """The samples of a row's sessions as distances from the row's median; none without a time."""
    if row.median is None:
        return []
    scale = SAMPLE_SCALE / row.median
    found = []
    for record in row.records:
        if record.timing is None:
            continue
        seconds = compare.seconds_per_call(record.timing)[::stride]
        rounds = record.timing.rounds[::stride]
        series: dict[str, Any] = {
            "session": record.session,
            "distances": [round(value * scale) - SAMPLE_SCALE for value in seconds],
        }
        if rounds != list(range(0, len(rounds) * stride, stride)):
            series["rounds"] = rounds
        found.append(series)
    return found


def machine_states(
    runs: Sequence[RunFigures], places: Mapping[tuple[str, str], int]
) -> list[dict[str, Any]]:
    """The machine's load and clock in every round of each case and session that recorded them.

    ``minute`` counts from the run's first record on. The load is the same for all contenders of a
    round; of their clock frequencies the mean is taken.
    """
    found = []
    for run in runs:
        visits: dict[tuple[str, int], list[CaseRecord]] = defaultdict(list)
        for record in run.cases:
            visits[record.case.key, record.session].append(record)
        ends = {visit: max(map(_time, members)) for visit, members in visits.items()}
        start = min(ends.values(), default=None)
        for (case_key, session), members in visits.items():
            state = {
                "load": _by_round(members, lambda timing: timing.load),
                "clock": _by_round(members, lambda timing: timing.frequency_mhz),
            }
            if start is not None and any(state.values()):
                minute = (ends[case_key, session] - start).total_seconds() / 60
                place = places[run.run_id, case_key]
                visit = {"case": place, "session": session, "minute": round_for_json(minute)}
                found.append({**visit, **state})
    return found


def _time(record: CaseRecord) -> datetime:
    return datetime.fromisoformat(record.time_utc)


def _by_round(
    members: Iterable[CaseRecord], values: Callable[[Timing], Sequence[float]]
) -> list[list[Any]]:
    """Pairs of a round and the mean of its values, over all contenders that have them."""
    rounds: dict[int, list[float]] = defaultdict(list)
    for timing in (record.timing for record in members if record.timing is not None):
        # Empty where the system does not tell.
        for number, value in zip(timing.rounds, values(timing), strict=False):
            rounds[number].append(value)
    return [[number, round_for_json(float(np.mean(rounds[number])))] for number in sorted(rounds)]


def _roofs(records: Records, run: RunFigures) -> list[dict[str, Any]]:
    """The roofs of a run's last session: two lines, bandwidth up to the ridge, then flat."""
    ceilings = {c.place: c for c in summaries.latest_ceilings(records, run)}
    intensities = [r.flops / r.bytes_minimum for r in run.rows if r.flops and r.bytes_minimum]
    if not intensities:
        return []
    found = [
        (ceiling.device, kind, flops, bandwidth)
        for ceiling in ceilings.values()
        for kind, flops in sorted(ceiling.flops_per_second.items())
        for bandwidth in [summaries.main_memory_bandwidth(ceiling)]
        if bandwidth and flops
    ]
    ridges = [flops / bandwidth for _, _, flops, bandwidth in found]
    left = min([*intensities, *ridges]) / 2
    right = max([*intensities, *(_NAME_ROOM * ridge for ridge in ridges)])
    roofs = []
    for device, kind, flops, bandwidth in found:
        places = (left, flops / bandwidth, right)
        name = f"{device} {kind}: {notation.rate(flops, 'FLOP/s')}"
        roofs.append(
            {
                "device": device,
                "roof": f"{name}, {notation.rate(bandwidth, 'B/s')}",
                "corners": [
                    [round_for_json(x), round_for_json(min(flops, bandwidth * x))] for x in places
                ],
            }
        )
    return roofs


def _controls(run: RunFigures) -> list[dict[str, Any]]:
    return [
        {
            "name": words.case_in_words(control.record.case),
            "session": control.record.session,
            "ratio": round_for_json(control.ratio.ratio, _CONTROL_DIGITS),
            "low": round_for_json(control.ratio.low, _CONTROL_DIGITS),
            "high": round_for_json(control.ratio.high, _CONTROL_DIGITS),
            "text": f"{control.ratio.ratio:.4f}{notation.TIMES}"
            f" {notation.interval(control.ratio.low, control.ratio.high)}",
        }
        for control in summaries.controls(run)
    ]


def _floor_edges(run: RunFigures) -> list[float]:
    floor = summaries.run_floor(run)
    return [1 + floor.relative, 1 / (1 + floor.relative)] if floor.pairs else []
