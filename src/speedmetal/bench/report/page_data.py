"""What the HTML page's script works on: rows, samples, roofs and controls as plain JSON values.

The size of the page is mostly this. Rows are arrays without names, numbers have four digits, and
samples are whole thousandths of their row's median.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from speedmetal.bench import compare
from speedmetal.bench.report import notation, summaries
from speedmetal.bench.report.figures import Row, RunFigures
from speedmetal.bench.store import Records

# The page's names of the columns of rows, and where each comes from.
ROW_COLUMNS = {
    "label": "label",
    "title": "title",
    "family": "family",
    "contender": "contender",
    "status": "status",
    "reason": "reason",
    "median": "median",
    "low": "low",
    "high": "high",
    "minimum": "minimum",
    "p10": "p10",
    "p90": "p90",
    "mad": "mad",
    "samples": "samples",
    "outliers": "outliers",
    "autocorrelation": "autocorrelation",
    "sessions": "sessions",
    "firstCall": "first_call",
    "ratio": "ratio",
    "ratioLow": "ratio_low",
    "ratioHigh": "ratio_high",
    "verdict": "verdict",
    "bound": "bound",
    "share": "ceiling_share",
    "byteRate": "bytes_per_second",
    "flopRate": "flops_per_second",
    "bytes": "bytes_minimum",
    "flops": "flops",
    "error": "max_relative",
    "tolerance": "tolerance_max",
    "memory": "memory_host_peak",
    "deviceMemory": "memory_device_peak",
    "timingMode": "timing_mode",
    "cache": "cache",
    "notes": "notes",
}

# About 600 kB of JSON; beyond it only every k-th sample is drawn, and the page says so.
SAMPLES_AT_MOST = 120_000
_PER_MILLE = 1000
_NAME_ROOM = 12  # how far, as a factor, a roof goes on behind its ridge, for its name
_CONTROL_DIGITS = 6  # they differ from 1 by less than a thousandth
_EDGES = (("low", "median"), ("high", "median"), ("ratioLow", "ratio"), ("ratioHigh", "ratio"))


def page_data(records: Records, runs: Sequence[RunFigures]) -> dict[str, Any]:
    """Everything that the page's script needs but the charts' specifications."""
    rows = [row for run in runs for row in run.rows]
    total = sum(row.samples or 0 for row in rows)
    stride = max(1, math.ceil(total / SAMPLES_AT_MOST))
    return {
        "contenders": list(dict.fromkeys(c for run in runs for c in run.contenders)),
        "columns": list(ROW_COLUMNS),
        "rows": [_row(row, several=len(runs) > 1) for row in rows],
        "stride": stride,
        "samples": [_samples(row, stride) for row in rows],
        "roofs": [roof for run in runs for roof in _roofs(records, run, rows)],
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


def _row(row: Row, *, several: bool) -> list[float | str | None]:
    values = {name: round_for_json(getattr(row, field)) for name, field in ROW_COLUMNS.items()}
    if several:
        values["label"] = f"{row.label} ({row.run_id})"
    # An edge that only says "not known" would stretch every axis.
    for edge, centre in _EDGES:
        value, middle = values[edge], values[centre]
        if isinstance(value, float) and isinstance(middle, float):
            known = 1 / notation.RATIO_EDGE < value / middle < notation.RATIO_EDGE
            values[edge] = value if known else None
    return list(values.values())


def _samples(row: Row, stride: int) -> list[dict[str, Any]]:
    """The samples of a row's sessions, in thousandths of the row's median; none without a time."""
    if row.median is None:
        return []
    scale = _PER_MILLE / row.median
    found = []
    for record in row.records:
        if record.timing is None:
            continue
        values = [round(v * scale) for v in compare.seconds_per_call(record.timing)[::stride]]
        rounds = record.timing.rounds[::stride]
        series: dict[str, Any] = {"session": record.session, "values": values}
        if rounds != list(range(0, len(rounds) * stride, stride)):
            series["rounds"] = rounds
        found.append(series)
    return found


def _roofs(records: Records, run: RunFigures, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The roofs of a run's last session: two lines, bandwidth up to the ridge, then flat."""
    ceilings = {c.device: c for c in summaries.latest_ceilings(records, run)}
    intensities = [r.flops / r.bytes_minimum for r in rows if r.flops and r.bytes_minimum]
    if not intensities:
        return []
    found = [
        (device, kind, flops, bandwidth)
        for device, ceiling in ceilings.items()
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
            "label": control.record.case.label,
            "session": control.record.session,
            "ratio": round_for_json(control.ratio.ratio, _CONTROL_DIGITS),
            "low": round_for_json(control.ratio.low, _CONTROL_DIGITS),
            "high": round_for_json(control.ratio.high, _CONTROL_DIGITS),
        }
        for control in summaries.controls(run)
    ]


def _floor_edges(run: RunFigures) -> list[float]:
    floor = summaries.run_floor(run)
    return [1 + floor.relative, 1 / (1 + floor.relative)] if floor.pairs else []
