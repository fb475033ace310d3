"""Everything that the audit of one file found, as one record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from speedmetal.bench.audit.conclusions import Conclusion, ConclusionCheck, check, conclusions
from speedmetal.bench.audit.published import PublishedCell
from speedmetal.bench.audit.rules import Judgement, judge
from speedmetal.bench.store import Records


@dataclass(frozen=True)
class Audit:
    """The findings on a published file; ``checks`` is empty where nothing was measured."""

    source: str
    cells: tuple[PublishedCell, ...]
    judgements: tuple[Judgement, ...]
    conclusions: tuple[Conclusion, ...]
    checks: tuple[ConclusionCheck, ...] = ()
    measured: str = ""  # the record file that the checks rest on


def audit_cells(
    cells: Iterable[PublishedCell], source: str = "", records: Records | None = None
) -> Audit:
    """Judge the cells, collect their conclusions, and check these where there are records.

    Args:
        cells: From :func:`~speedmetal.bench.audit.published.load_published_cells`.
        source: The file's name for the report.
        records: Measurements of :func:`~speedmetal.bench.audit.published.cases_to_rerun`.
    """
    cells = tuple(cells)
    published = conclusions(cells)
    return Audit(
        source=source,
        cells=cells,
        judgements=judge(cells),
        conclusions=published,
        checks=() if records is None else check(published, records),
        measured="" if records is None else records.source,
    )
