"""One HTML page with charts and a sortable table that needs no network, not even for its fonts.

All text of records reaches the page either through the template, which escapes it, or as JSON in
a data block in which no ``<`` can occur; the page's script puts it into text nodes only. The
page's content security policy forbids every request and every evaluation of text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import vl_convert
from markupsafe import Markup

from speedmetal.bench.operations.words import count
from speedmetal.bench.report import charts, notation, sections, summaries, summary
from speedmetal.bench.report.figures import RunFigures, figures_of
from speedmetal.bench.report.options import Options
from speedmetal.bench.report.page_data import page_data
from speedmetal.bench.report.sections import Section
from speedmetal.bench.report.summary import Standing
from speedmetal.bench.report.templates import own_text, template
from speedmetal.bench.store import Records

_SNIPPET = "window.vegaEmbed = vegaEmbed;"  # all that the page's script uses
SIZES = {
    "bytes": "bytes that must move (each input once, each output once)",
    "flops": "floating-point operations",
}
MEMORY_POLICIES = {
    "default": "default (as each framework ships it)",
    "kept": "kept (freed memory is used again)",
}
CACHE_POLICIES = {
    "warm": "warm (the same inputs again and again)",
    "cold": "cold (inputs that no cache holds)",
}
L2_POLICIES = {
    "warm": "warm (as the call before leaves it)",
    "cold": "cold (twice its size is written before each call)",
}
MEASURES = {
    "latency": "latency (each call waited for)",
    "throughput": "throughput (many calls in flight)",
    "device": "the device's own time (between marks in its queue)",
}
_UNSAFE_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


@dataclass(frozen=True)
class Tile:
    """A figure of the run's summary."""

    figure: str
    caption: str


@dataclass(frozen=True)
class RunView:
    """What the template shows of one run."""

    run_id: str
    baseline: str
    conclusions: tuple[str, ...]
    notices: tuple[str, ...]
    lines: tuple[str, ...]
    tiles: tuple[Tile, ...]
    standings: tuple[Standing, ...]
    sections: tuple[Section, ...]


def render(records: Records, options: Options) -> str:
    """The report as one HTML page that needs no network."""
    runs = figures_of(records, options)
    data = page_data(records, runs)
    specs = charts.specifications(data["contenders"])
    return template("report.html.j2").render(
        title=options.title,
        views=[_view(records, run) for run in runs],
        bad_lines=sections.bad_lines(records),
        notation=notation,
        css=own_text("report.css"),
        script=own_text("report.js"),
        library=_library(),
        sizes=[(size, text) for size, text in SIZES.items() if data["sized"][size]],
        compared=any(row.ratio is not None for run in runs for row in run.rows),
        has_roofs=bool(data["roofs"]),
        has_machine=bool(data["machine"]),
        stride=data["stride"],
        data=script_json({**data, "specs": specs}),
    )


def script_json(data: Any) -> Markup:
    r"""JSON that can stand in a script element: no tag can begin or end in it.

    Example:
        >>> print(script_json({"a": "</script>&"}))
        {"a":"\u003c/script\u003e\u0026"}
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character, escape in _UNSAFE_IN_SCRIPT.items():
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704 - escaped above


def _library() -> Markup:
    """Vega, Vega-Lite and vega-embed in one script."""
    bundle: str = vl_convert.javascript_bundle(_SNIPPET)
    return Markup(bundle.replace("</script", "<\\/script"))  # noqa: S704 - no text of a record


def _view(records: Records, run: RunFigures) -> RunView:
    found = (
        sections.families(run),
        sections.statuses(run),
        sections.throttled(run),
        sections.findings(records, run),
        sections.floors(run),
        sections.ceilings(records, run),
        sections.environments(records, run),
    )
    told = summary.summarise_run(records, run)
    return RunView(
        run_id=run.run_id,
        baseline=run.baseline,
        conclusions=told.sentences,
        notices=told.loads,
        lines=(
            *machines(records, run),
            *cards(records, run),
            *sections.description(records, run),
            policies(run),
        ),
        tiles=tuple(_tiles(run)),
        standings=told.standings,
        sections=tuple(section for section in found if section.rows or section.empty),
    )


def machines(records: Records, run: RunFigures) -> list[str]:
    """The machine, or the machines where a run was continued on another."""
    found = [
        ", ".join(
            filter(
                None,
                (
                    environment.chip,
                    count(environment.cores, "core"),
                    notation.size(environment.memory_bytes),
                    environment.system,
                ),
            )
        )
        for environment in sections.environments_of(records, run)
    ]
    return [f"machine: {text}" for text in dict.fromkeys(found)]


def cards(records: Records, run: RunFigures) -> list[str]:
    """The cards, each once, with the names by which frameworks call it."""
    facts = {
        card: text
        for environment in sections.environments_of(records, run)
        for card, text in environment.cards.items()
    }
    names: dict[str, set[str]] = {}
    for row in run.rows:
        names.setdefault(row.card, set()).add(row.device)
    return [
        f"device {' or '.join(sorted(names[card]))}: {facts.get(card, card)}"
        for card in names
        if card
    ]


def policies(run: RunFigures) -> str:
    """What was asked of the memory and the caches, whatever was measured."""
    asked = (
        ("measure", MEASURES, {row.timing_mode for row in run.rows}),
        ("memory", MEMORY_POLICIES, {row.memory_policy for row in run.rows}),
        ("cache", CACHE_POLICIES, {row.cache for row in run.rows}),
        ("L2", L2_POLICIES, {row.l2 for row in run.rows}),
    )
    told = (
        f"{name}: {' and '.join(names.get(policy, policy) for policy in sorted(found - {''}))}"
        for name, names, found in asked
        if found - {""}
    )
    return "; ".join(told)


def _tiles(run: RunFigures) -> list[Tile]:
    rows = run.rows
    timed = sum(row.has_time for row in rows)
    compared = [row for row in rows if row.ratio is not None]
    decided = sum(row.verdict in ("faster", "slower", "equivalent") for row in compared)
    floor = summaries.run_floor(run)
    counted = (
        (len({row.case_key for row in rows}), "case"),
        (len(run.contenders), "contender"),
        (len({record.session for record in run.cases}), "session"),
    )
    tiles = [Tile(*count(number, noun).split(" ", 1)) for number, noun in counted]
    tiles.append(Tile(f"{timed} / {len(rows)}", "results proved and timed"))
    tiles.append(Tile(f"{decided} / {len(compared)}", "comparisons decided"))
    tiles.append(Tile(notation.noise_floor(floor.share), "noise floor (A/A control)"))
    return tiles
