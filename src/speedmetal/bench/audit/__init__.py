"""The audit of a published table of times: which cells do not say what they seem to say.

A table of milliseconds is read (:mod:`.published`), every cell is held against a table of known
defects and against physics (:mod:`.rules`), the signs of its speed-ups are collected as
conclusions and compared with what was measured and proved here (:mod:`.conclusions`), and the
whole is printed (:mod:`.report`).

    cells = load_published(path)
    cases = cases_to_rerun(cells)          # for the runner: the exact shapes of the file
    audit = audit_cells(cells, source=path, records=records)
    render_markdown(audit)

A verdict is about a cell of a file, never about a framework: a cell that is "not done" says that
the published program did not run the labelled work there, so the time belongs to something else.
"""

from speedmetal.bench.audit.audited import Audit, audit_cells
from speedmetal.bench.audit.conclusions import (
    Claim,
    Conclusion,
    ConclusionCheck,
    Outcome,
    check,
    conclusions,
)
from speedmetal.bench.audit.published import (
    BACKENDS,
    PublishedCell,
    cases_to_rerun,
    load_published_cells,
)
from speedmetal.bench.audit.report import render_json, render_markdown, render_text
from speedmetal.bench.audit.rules import (
    RULES,
    Counts,
    Grounds,
    Judgement,
    Kind,
    Rule,
    count,
    judge,
)

__all__ = [
    "BACKENDS",
    "RULES",
    "Audit",
    "Claim",
    "Conclusion",
    "ConclusionCheck",
    "Counts",
    "Grounds",
    "Judgement",
    "Kind",
    "Outcome",
    "PublishedCell",
    "Rule",
    "audit_cells",
    "cases_to_rerun",
    "check",
    "conclusions",
    "count",
    "judge",
    "load_published_cells",
    "render_json",
    "render_markdown",
    "render_text",
]
