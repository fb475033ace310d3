"""One HTML page with charts and a sortable table that needs no network, not even for its fonts.

All text of records reaches the page either through the template, which escapes it, or as JSON in
a data block in which no ``<`` can occur; the page's script puts it into text nodes only. The
page's content security policy forbids every request and every evaluation of text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from speedmetal.bench.report import charts, notation, sections, summaries
from speedmetal.bench.report.figures import RunFigures, figures_of
from speedmetal.bench.report.options import Options
from speedmetal.bench.report.page_data import page_data
from speedmetal.bench.report.sections import Section
from speedmetal.bench.report.summaries import FamilySummary
from speedmetal.bench.store import Records

_PAGE = Path(__file__).with_name("page")
_SNIPPET = "window.vegaEmbed = vegaEmbed;"  # all that the page's script uses
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
    lines: tuple[str, ...]
    tiles: tuple[Tile, ...]
    overall: tuple[FamilySummary, ...]
    sections: tuple[Section, ...]


def render(records: Records, options: Options) -> str:
    """The report as one HTML page that needs no network."""
    runs = figures_of(records, options)
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(_PAGE),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = page_data(records, runs)
    contenders = data["contenders"]
    return environment.get_template("report.html.j2").render(
        title=options.title,
        views=[_view(records, run) for run in runs],
        bad_lines=sections.bad_lines(records),
        notation=notation,
        css=_own_text("report.css"),
        script=_own_text("report.js"),
        library=_library(),
        data=script_json({**data, "specs": charts.specifications(contenders)}),
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


def _own_text(name: str) -> Markup:
    return Markup((_PAGE / name).read_text("utf-8"))  # noqa: S704 - a file of this package


def _library() -> Markup:
    """Vega, Vega-Lite and vega-embed in one script."""
    bundle: str = vl_convert.javascript_bundle(_SNIPPET)
    return Markup(bundle.replace("</script", "<\\/script"))  # noqa: S704 - no text of a record


def _view(records: Records, run: RunFigures) -> RunView:
    found = (
        sections.families(run),
        sections.statuses(run),
        sections.findings(records, run),
        sections.floors(run),
        sections.ceilings(records, run),
        sections.environments(records, run),
    )
    overall = [s for s in summaries.family_summaries(run) if s.family == summaries.ALL_FAMILIES]
    return RunView(
        run_id=run.run_id,
        baseline=run.baseline,
        lines=tuple(sections.description(records, run)),
        tiles=tuple(_tiles(run)),
        overall=tuple(overall),
        sections=tuple(section for section in found if section.rows or section.empty),
    )


def _tiles(run: RunFigures) -> list[Tile]:
    timed = sum(row.has_time for row in run.rows)
    decided = sum(row.verdict in ("faster", "slower", "equivalent") for row in run.rows)
    compared = sum(row.ratio is not None for row in run.rows)
    floor = summaries.run_floor(run)
    tiles = [
        Tile(str(len({row.case_key for row in run.rows})), "cases"),
        Tile(str(len(run.contenders)), "contenders"),
        Tile(f"{timed} / {len(run.rows)}", "results proved and timed"),
        Tile(f"{decided} / {compared}", "comparisons decided"),
        Tile(str(len({record.session for record in run.cases})), "sessions"),
    ]
    if floor.is_known:
        tiles.append(Tile(f"±{floor.relative:.2%}", "noise floor (A/A control)"))
    return tiles
