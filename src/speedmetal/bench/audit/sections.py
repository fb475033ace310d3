"""The parts of an audit's report as titles, notes and tables of text, in no format yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from speedmetal.bench.audit.audited import Audit
from speedmetal.bench.audit.conclusions import (
    ON_OTHER_DEVICE,
    Claim,
    Conclusion,
    ConclusionCheck,
    Outcome,
)
from speedmetal.bench.audit.published import MLX_BACKENDS, TORCH_BACKENDS, PublishedCell
from speedmetal.bench.audit.rules import PROGRAM, RULES, Counts, Grounds, Judgement, Kind, count

COMPILE_PAIR = ("mlx_gpu_compile", "mlx_gpu")
TELLING = (Outcome.FLIPS, Outcome.VANISHES)


@dataclass(frozen=True)
class Section:
    """A title, a note above, and a table of text; ``numbers`` are the columns set to the right."""

    title: str
    note: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    numbers: frozenset[str] = frozenset()


def title_of(audit: Audit) -> str:
    """The report's first line."""
    return f"Audit of {audit.source}" if audit.source else "Audit"


def all_sections(audit: Audit) -> list[Section]:
    """Every part of the report."""
    return [
        *_findings(audit),
        _named_cells(audit, tuple(Kind)),
        _conclusions(audit, tuple(Outcome)),
    ]


def brief_sections(audit: Audit) -> list[Section]:
    """What fits a terminal: the cells that measure other work, and the conclusions that speak."""
    grave = (Kind.NOT_DONE, Kind.PARTIAL, Kind.DIFFERENT, Kind.IMPLAUSIBLE)
    speaking = (*TELLING, Outcome.HOLDS, Outcome.UNDECIDED)
    return [*_findings(audit), _named_cells(audit, grave), _conclusions(audit, speaking)]


def _findings(audit: Audit) -> list[Section]:
    counts = count(audit.judgements)
    return [_summary(audit, counts), _rules(audit), _kinds(counts), _softmax(audit)]


def _select_detailed_cells(audit: Audit, backends: Sequence[str]) -> list[PublishedCell]:
    return [c for c in audit.cells if c.table == "detailed" and c.backend in backends]


def _share(cells: int, total: int) -> str:
    if not cells:
        return "-"
    return f"{cells:,} ({cells / total:.1%})" if total else f"{cells:,}"


def _summary(audit: Audit, counts: Counts) -> Section:
    mlx = set(_select_detailed_cells(audit, MLX_BACKENDS))
    undone = {
        j.cell
        for j in audit.judgements
        if j.kind is Kind.NOT_DONE and j.grounds is not Grounds.POSSIBLE and j.cell in mlx
    }
    tables = len({(cell.device, cell.config) for cell in audit.cells})
    averages = sum(cell.table == "average" for cell in audit.cells)
    note = (
        f"{len(audit.cells):,} cells of {tables} device tables ({averages:,} of them averages)."
        f" Of the {len(mlx):,} detailed MLX cells {_share(len(undone), len(mlx))} do not measure"
        f" the labelled work. Counts are of detailed cells; averages repeat them."
        f" Defects are those of {PROGRAM}."
    )
    if counts.possible:
        note += (
            f" {counts.possible:,} judgements are only possible: they hold if the table was made"
            " by that program, which the file does not say."
        )
    return Section("Summary", note)


def _rules(audit: Audit) -> Section:
    mlx, torch = (
        len(_select_detailed_cells(audit, names)) for names in (MLX_BACKENDS, TORCH_BACKENDS)
    )
    rows = []
    for rule in RULES:
        own = [j for j in audit.judgements if j.rule == rule.name and j.cell.table == "detailed"]
        if own:
            on_mlx = sum(j.cell.backend in MLX_BACKENDS for j in own)
            rows.append(
                (
                    rule.name,
                    rule.kind.value,
                    _share(on_mlx, mlx),
                    _share(len(own) - on_mlx, torch),
                    _grounds(own),
                    rule.reason,
                    rule.evidence,
                )
            )
    return Section(
        "Cells by rule",
        "" if rows else "No rule applies to any cell.",
        ("rule", "kind", "MLX cells", "torch cells", "grounds", "what is wrong", "evidence"),
        tuple(rows),
        frozenset({"MLX cells", "torch cells"}),
    )


def _grounds(judgements: Iterable[Judgement]) -> str:
    present = {judgement.grounds for judgement in judgements}
    return ", ".join(grounds.value for grounds in Grounds if grounds in present)


def _kinds(counts: Counts) -> Section:
    rows = tuple(
        (
            kind,
            f"{cells:,}",
            ", ".join(f"{name} {n:,}" for name, n in counts.by_operation[kind].items()),
            ", ".join(f"{name} {n:,}" for name, n in counts.by_backend[kind].items()),
        )
        for kind, cells in counts.by_kind.items()
    )
    return Section(
        "Cells by kind",
        "A cell that several rules of a kind name is counted once.",
        ("kind", "cells", "by operation", "by backend"),
        rows,
        frozenset({"cells"}),
    )


def _named_cells(audit: Audit, kinds: Sequence[Kind]) -> Section:
    groups: dict[tuple[str, str, str], list[Judgement]] = {}
    for judgement in audit.judgements:
        cell = judgement.cell
        if judgement.kind in kinds:
            key = (judgement.rule, cell.operation, cell.arguments or "(average)")
            groups.setdefault(key, []).append(judgement)
    rank = {rule.name: place for place, rule in enumerate(RULES)}
    ordered = sorted(groups.items(), key=lambda item: rank.get(item[0][0], len(rank)))
    names = _device_names(audit)
    rows = tuple(
        (
            *key,
            _join_unique(j.cell.backend for j in own),
            f"{len(own):,}",
            names(own),
            _grounds(own),
        )
        for key, own in ordered
    )
    left_out = len({kind for kind in Kind if kind not in kinds})
    return Section(
        "Cells named",
        f"Of the kinds {', '.join(kinds)}; the others are in the Markdown report."
        if left_out
        else "",
        ("rule", "operation", "arguments", "backends", "cells", "devices", "grounds"),
        rows,
        frozenset({"cells"}),
    )


def _join_unique(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _device_names(audit: Audit) -> Callable[[Iterable[Judgement]], str]:
    """A function that names the device tables of judgements, in file order.

    A device that has several tables in the file is named with its config where not all of them
    are meant, and with their number where they are.
    """
    in_file = Counter(device for device, _ in {(c.device, c.config) for c in audit.cells})

    def name(judgements: Iterable[Judgement]) -> str:
        tables = dict.fromkeys((j.cell.device, j.cell.config) for j in judgements)
        here = Counter(device for device, _ in tables)
        return _join_unique(
            f"{device} {config}"
            if here[device] < in_file[device]
            else device + (f" (x{here[device]})" if here[device] > 1 else "")
            for device, config in tables
        )

    return name


# ---- Conclusions ----


def _softmax(audit: Audit) -> Section:
    own = [
        item
        for item in _sort_checks(audit)
        if item.conclusion.operation == "Softmax"
        and (item.conclusion.first, item.conclusion.second) == COMPILE_PAIR
    ]
    spoiled = any(j.rule == "softmax axis dropped" for j in audit.judgements)
    note = "The file compares no compiled with an eager Softmax."
    if own:
        note = "Time ratio, compiled over eager: below 1 compiling is faster."
    if own and spoiled:
        note += (
            " The published gain is over a call that lost its axis and ran as five kernels; with"
            " its axis, eager Softmax is one fused kernel already."
        )
    return _conclusion_section("Softmax, compiled against eager", note, audit, own)


def _conclusions(audit: Audit, outcomes: Sequence[Outcome]) -> Section:
    items = _sort_checks(audit)
    shown = [item for item in items if item.outcome in outcomes]
    if audit.checks:
        title, note = "Conclusions, flips first", _tally(audit, items)
    else:
        title = "Conclusions as published"
        note = (
            "Nothing was measured here. Rerun the cases of the file to see which of its signs"
            " hold on this machine."
        )
    if len(shown) < len(items):
        note += f" {len(items) - len(shown):,} more are in the Markdown report."
    return _conclusion_section(title, note, audit, shown)


def _tally(audit: Audit, items: Sequence[ConclusionCheck]) -> str:
    tally = Counter(item.outcome for item in items)
    note = f"Measured in {audit.measured}. " if audit.measured else ""
    note += ", ".join(f"{o.value}: {tally[o]:,}" for o in Outcome) + "."
    if any(item.on_other_device for item in items):
        note += f' "Other device": measured {ON_OTHER_DEVICE}.'
    return note


def _sort_checks(audit: Audit) -> list[ConclusionCheck]:
    """Checks with flips first; without records, conclusions with an empty check each."""
    rank = {outcome: place for place, outcome in enumerate(Outcome)}
    if audit.checks:
        return sorted(audit.checks, key=lambda item: rank[item.outcome])
    return [ConclusionCheck(c, Outcome.NOT_MEASURABLE) for c in audit.conclusions]


def _conclusion_section(
    title: str, note: str, audit: Audit, items: Sequence[ConclusionCheck]
) -> Section:
    if not items:
        return Section(title, note)
    against = _rules_by_case(audit)
    columns = ["case", "ratio of", "published ratio", "tables", "published", "defects"]
    rows = [_published_row(item.conclusion, against) for item in items]
    if audit.checks:
        columns += ["measured here", "outcome", "reason"]
        rows = [(*row, *_measured_row(item)) for row, item in zip(rows, items, strict=True)]
    return Section(title, note, tuple(columns), tuple(rows), frozenset({"published ratio"}))


_Against = dict[tuple[str, str, str], tuple[str, ...]]


def _rules_by_case(audit: Audit) -> _Against:
    """Rules that name a detailed cell, by operation, arguments and backend."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for judgement in audit.judgements:
        cell = judgement.cell
        if judgement.kind is not Kind.MISSING:
            key = (cell.operation, cell.arguments, cell.backend)
            found.setdefault(key, {})[judgement.rule] = None
    return {key: tuple(names) for key, names in found.items()}


def _published_row(conclusion: Conclusion, against: _Against) -> tuple[str, ...]:
    names = (
        name
        for backend in (conclusion.first, conclusion.second)
        for name in against.get((conclusion.operation, conclusion.arguments, backend), ())
    )
    return (
        f"{conclusion.operation} / {conclusion.arguments}",
        f"{conclusion.first} / {conclusion.second}",
        f"{conclusion.ratio:.3g}",
        f"{conclusion.faster} faster, {conclusion.slower} slower, {conclusion.undecided} open",
        conclusion.claim.value
        if conclusion.claim is Claim.NONE
        else f"{conclusion.first} is {conclusion.claim.value}",
        _join_unique(names) or "-",
    )


def _measured_row(item: ConclusionCheck) -> tuple[str, ...]:
    measured = "-"
    if item.ratio is not None:
        measured = f"{item.ratio.ratio:.4g} [{item.ratio.low:.4g}, {item.ratio.high:.4g}]"
    place = " (other device)" if item.on_other_device and item.ratio is not None else ""
    reason = item.reason.removesuffix(f"; {ON_OTHER_DEVICE}")  # the section's note says it once
    return measured, item.outcome.value + place, reason
