"""The results of a run as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from side_by_side.cases import Case
from side_by_side.contender import Kind
from side_by_side.page import ratio_text, seconds_text, table
from side_by_side.rounds import Entry, best, speed_ratio


@dataclass(frozen=True)
class Result:
    """A case with its timed contenders."""

    case: Case
    entries: tuple[Entry, ...]


def report(results: Sequence[Result], circumstances: str) -> str:
    """The whole section: circumstances, the summary, a table for each case."""
    return "\n\n".join([circumstances, summary(results), *map(details, results)])


def summary(results: Sequence[Result]) -> str:
    """One line a case: ours, the best peer, the ratio, the share of the copy bandwidth."""
    copy = copy_bandwidth(results)
    head = ["case", "speedmetal", "best peer", "times as fast as the best peer"]
    rows = [
        [result.case.title, *_ours_and_peer(result), *([_share(result, copy)] if copy else [])]
        for result in results
    ]
    if not copy:
        return table(head, rows)
    return (
        table([*head, "share of the copy bandwidth"], rows)
        + f"\n\nCopy bandwidth, of the fastest copy below: {copy / 1e9:.1f} GB/s read and"
        " written."
    )


def copy_bandwidth(results: Sequence[Result], name: str = "copy") -> float:
    """Bytes per second that the fastest copy reads and writes; 0.0 where none was timed.

    Args:
        results: Of all cases.
        name: Of the case that is the copy.
    """
    rates = [
        result.case.traffic_bytes / entry.summary().median
        for result in results
        if result.case.name == name
        for entry in result.entries
        if entry.is_measured
    ]
    return max(rates, default=0.0)


def _ours_and_peer(result: Result) -> list[str]:
    ours, peer = best(result.entries, Kind.OURS), best(result.entries, Kind.PEER)
    cells = [_describe_entry(ours), _describe_entry(peer)]
    if ours is None or peer is None:
        return [*cells, "-"]
    ratio = speed_ratio(ours, peer)
    return [*cells, f"**{ratio_text(ratio.ratio, ratio.low, ratio.high)}**"]


def _describe_entry(entry: Entry | None) -> str:
    if entry is None:
        return "no result"
    name = entry.contender.label.removeprefix("speedmetal").strip()
    return f"{seconds_text(entry.summary().median)} {name}".strip()


def _share(result: Result, copy: float) -> str:
    ours = best(result.entries, Kind.OURS)
    if ours is None or not result.case.traffic_bytes:
        return ""
    return f"{result.case.traffic_bytes / ours.summary().median / copy:.0%}"


def details(result: Result) -> str:
    """Every contender of a case, the fastest first; at the end those without a result."""
    ours = best(result.entries, Kind.OURS)
    measured = sorted(
        (e for e in result.entries if e.is_measured), key=lambda e: e.summary().median
    )
    rows = [_row(result.case, entry, ours) for entry in measured]
    rows += [
        [entry.contender.label, f"no result: {_cell(entry.failure)}", "", "", ""]
        for entry in result.entries
        if not entry.is_measured
    ]
    head = ["", "median [95 %]", result.case.unit, "times of speedmetal's", "first call"]
    return f"### {result.case.title}\n\n" + table(head, rows)


def _row(case: Case, entry: Entry, ours: Entry | None) -> list[str]:
    times = entry.summary()
    label = entry.contender.label
    against = ""
    if entry is ours:
        label = f"**{label}**"
    elif ours is not None:
        ratio = speed_ratio(ours, entry)
        against = ratio_text(ratio.ratio, ratio.low, ratio.high)
    if entry.contender.kind is Kind.REFERENCE:
        label = f"_{label}, for reference_"
    span = f"[{seconds_text(times.low)}, {seconds_text(times.high)}]"
    return [
        label,
        f"{seconds_text(times.median)} {span}",
        f"{case.operations / times.median / 1e9:.3g}",
        against,
        seconds_text(entry.first_seconds),
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
