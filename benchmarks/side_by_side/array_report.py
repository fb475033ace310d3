"""The results of arrays as Markdown: by group, beside the best of all peers and `torch.compile`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

from side_by_side import page
from side_by_side.array_cases import FAMILY, Family, size_text
from side_by_side.contender import Contender, Kind
from side_by_side.results import Result, copy_bandwidth, details
from side_by_side.rounds import Entry, best, speed_ratio
from speedmetal.bench.measure.statistics import Ratio, geometric_mean

COMPILED = Contender("torch", "compile")
SLOWER_BELOW = 0.95
NOTHING = "—"
_HEAD = (
    *("case", "speedmetal", "best peer", "times as fast as the best peer"),
    *("as torch.compile", "share of the copy"),
)
_LEFT_OUT_OF_MEAN = ("copy", "left to a library")
_MEMORY_TITLES = {
    "default": "Memory as the allocators have it",
    "kept": "Freed memory is kept",
}


def report(runs: Mapping[str, Sequence[Result]], circumstances: str, notes: Iterable[str]) -> str:
    """The whole section.

    Args:
        runs: Results by memory policy.
        circumstances: Of the run.
        notes: Sentences about what is missing.
    """
    parts = [circumstances, *notes]
    for memory, results in runs.items():
        parts += [f"## {_MEMORY_TITLES[memory]}", summary(results), *map(details, results)]
    return "\n\n".join(parts)


def family_of(result: Result) -> Family:
    return FAMILY[result.case.family]


def summary(results: Sequence[Result]) -> str:
    """The means, a table of all cases by group, and where it is slower."""
    rows = []
    for group, members in itertools.groupby(results, lambda result: family_of(result).group):
        found = list(members)
        rows += [_row(result, results) for result in found]
        if len(found) > 1:
            rows.append(_mean_row(f"{group}, mean of {len(found)}", found, results))
    counted = [r for r in results if family_of(r).group not in _LEFT_OUT_OF_MEAN]
    total = _mean_row(f"mean of all {len(counted)}", counted, results) if counted else None
    parts = [page.table(_HEAD, rows + ([total] if total else []))]
    rates = [
        f"{size_text(size)}: {rate / 1e9:.1f} GB/s" for size, rate in _copy_rates(results).items()
    ]
    if rates:
        parts.append(
            "Read and written by the fastest copy of so many float32, of which the shares are: "
            + ", ".join(rates)
            + ". Means are geometric; copies and what is left to a library are not in that of all."
        )
    return "\n\n".join([*parts, slower_text(results)])


# --- cells -----------------------------------------------------------------------------------


def _row(result: Result, results: Sequence[Result]) -> list[str]:
    ours, peer = best(result.entries, Kind.OURS), best(result.entries, Kind.PEER)
    return [
        result.case.title,
        _time(ours),
        _time(peer, peer.contender.label if peer else ""),
        _bold(to_peer(result)),
        _plain(to_compiled(result)),
        _percent(_share(result, results)),
    ]


def _mean_row(title: str, members: Sequence[Result], results: Sequence[Result]) -> list[str]:
    shares = [share for r in members if (share := _share(r, results)) is not None]
    return [
        f"**{title}**",
        *("", ""),
        _bold(mean_ratio(map(to_peer, members))),
        _bold(mean_ratio(map(to_compiled, members))),
        f"**{_percent(geometric_mean(shares))}**" if shares else NOTHING,
    ]


def _time(entry: Entry | None, label: str = "") -> str:
    if entry is None:
        return "no result"
    return f"{page.seconds_text(entry.summary().median)} {label}".strip()


def _plain(ratio: Ratio | None) -> str:
    return NOTHING if ratio is None else page.ratio_text(ratio.ratio, ratio.low, ratio.high)


def _bold(ratio: Ratio | None) -> str:
    return NOTHING if ratio is None else f"**{_plain(ratio)}**"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.0%}"


# --- figures ---------------------------------------------------------------------------------


def to_peer(result: Result) -> Ratio | None:
    """How many times as fast as the best peer; None where one of the two has no result."""
    return _ratio(result, best(result.entries, Kind.PEER))


def to_compiled(result: Result) -> Ratio | None:
    """How many times as fast as `torch.compile`."""
    found = [e for e in result.entries if e.contender == COMPILED and e.is_measured]
    return _ratio(result, found[0] if found else None)


def _ratio(result: Result, other: Entry | None) -> Ratio | None:
    ours = best(result.entries, Kind.OURS)
    if ours is None or other is None or not ours.seconds.keys() & other.seconds.keys():
        return None
    return speed_ratio(ours, other)


def mean_ratio(ratios: Iterable[Ratio | None]) -> Ratio | None:
    """The geometric mean of those that there are, with its interval.

    The logarithms' half widths are added as those of independent errors are: the square root of the
    sum of squares, divided by their number.
    """
    found = [ratio for ratio in ratios if ratio is not None]
    if not found:
        return None
    mean = geometric_mean([ratio.ratio for ratio in found])
    halves = [(math.log(ratio.high) - math.log(ratio.low)) / 2 for ratio in found]
    factor = math.exp(min(math.hypot(*halves) / len(found), 700.0))
    return Ratio(mean, mean / factor, mean * factor, min(r.rounds for r in found), math.nan)


def _copy_rates(results: Sequence[Result]) -> dict[int, float]:
    """Bytes a second of the fastest copy, by the number of elements."""
    return {
        _size(result): copy_bandwidth([result], result.case.name)
        for result in results
        if family_of(result).name == "copy" and any(e.is_measured for e in result.entries)
    }


def _size(result: Result) -> int:
    return int(result.case.name.rpartition("@")[2])


def _share(result: Result, results: Sequence[Result]) -> float | None:
    """Of the bandwidth of the fastest copy of so many elements."""
    ours, rate = best(result.entries, Kind.OURS), _copy_rates(results).get(_size(result))
    if ours is None or rate is None or not result.case.traffic_bytes:
        return None
    return result.case.traffic_bytes / ours.summary().median / rate


def slower_text(results: Sequence[Result]) -> str:
    """Where it is slower than the best peer, the worst first; and where it has no result."""
    ratios = [(ratio, r) for r in results if (ratio := to_peer(r)) and ratio.ratio < SLOWER_BELOW]
    lines = [
        f"- {_plain(ratio)}: {result.case.title}; the best is {_best_label(result)}"
        for ratio, result in sorted(ratios, key=lambda pair: pair[0].ratio)
    ]
    lines += [
        f"- No result: {result.case.title}: {entry.failure}"
        for result in results
        for entry in result.entries
        if entry.contender.kind is Kind.OURS and entry.failure
    ]
    if not lines:
        return f"Nowhere is it slower than {SLOWER_BELOW} of the best peer's speed."
    return "\n".join(
        [f"Below {SLOWER_BELOW} of the best peer's speed, or without a result:", "", *lines]
    )


def _best_label(result: Result) -> str:
    peer = best(result.entries, Kind.PEER)
    assert peer is not None
    return peer.contender.label
