"""Cost against size: one formula at many sizes, as a table and as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from side_by_side import page
from side_by_side.array_cases import size_text
from side_by_side.contender import Kind
from side_by_side.rounds import Entry, best, speed_ratio

Entries = Mapping[int, Sequence[Entry]]
"""By the number of elements."""

NOTHING = "—"
COLOURS = (
    *("#d62728", "#4c78a8", "#72b7b2", "#f58518", "#54a24b", "#b279a2", "#9d755d"),
    *("#eeca3b", "#ff9da6", "#7f7f7f"),
)


def table(entries: Entries) -> str:
    """A column for each contender; times of a call, and the ratio to the best peer."""
    labels = _labels(entries)
    rows = [_row(size, found, labels) for size, found in entries.items()]
    return page.table(["elements", *labels, "times as fast as the best peer"], rows)


def _labels(entries: Entries) -> list[str]:
    """Of all that have a result at any size, ours first."""
    measured = [e for found in entries.values() for e in found if e.is_measured]
    measured.sort(key=lambda entry: entry.contender.kind is not Kind.OURS)
    return list(dict.fromkeys(entry.contender.label for entry in measured))


def _row(size: int, entries: Sequence[Entry], labels: Sequence[str]) -> list[str]:
    times = {e.contender.label: e.summary().median for e in entries if e.is_measured}
    ours, peer = best(entries, Kind.OURS), best(entries, Kind.PEER)
    ratio = NOTHING
    if ours is not None and peer is not None:
        found = speed_ratio(ours, peer)
        ratio = f"**{page.ratio_text(found.ratio, found.low, found.high)}**"
    cells = [page.seconds_text(times[name]) if name in times else NOTHING for name in labels]
    return [size_text(size), *cells, ratio]


def draw(entries: Entries, path: Path) -> None:
    """The figure, as SVG: time of a call over elements, both logarithmic."""
    import altair as alt

    labels = _labels(entries)
    rows: list[dict[str, Any]] = [
        {
            "elements": size,
            "us": 1e6 * entry.summary().median,
            "contender": entry.contender.label,
            "is ours": entry.contender.kind is Kind.OURS,
        }
        for size, found in entries.items()
        for entry in found
        if entry.is_measured
    ]
    ticks = [1, 16, 256, 1 << 12, 1 << 16, 1 << 20, 1 << 24, 1 << 28]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "elements:Q",
            scale=alt.Scale(type="log", base=2, nice=False),
            axis=alt.Axis(
                title="elements (float32)",
                values=ticks,
                labelExpr="'2^' + format(log(datum.value) / log(2), '.0f')",
                grid=False,
            ),
        ),
        y=alt.Y(
            "us:Q",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(title="time of a call, µs"),
        ),
        color=alt.Color(
            "contender:N",
            scale=alt.Scale(domain=labels, range=list(COLOURS[: len(labels)])),
            sort=None,
            legend=alt.Legend(title=None),
        ),
        strokeWidth=alt.condition("datum['is ours']", alt.value(3), alt.value(1.5)),
    )
    chart = (
        (base.mark_line() + base.mark_point(filled=True, size=25))
        .properties(width=560, height=380)
        .configure(background="white")
    )
    chart.save(str(path))
