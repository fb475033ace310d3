"""An audit as text for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from speedmetal.bench.audit.audited import Audit
from speedmetal.bench.audit.rules import RULES, Judgement, count
from speedmetal.bench.audit.sections import Section, all_sections, brief_sections, title_of

JSON_VERSION = 1
# Of no use in a terminal's width; the Markdown report has it.
_LEFT_OUT_OF_TEXT = frozenset({"evidence", "reason"})


def render_text(audit: Audit) -> Group:
    """What fits a terminal, to be printed with ``rich``."""
    parts: list[Text | Table] = [Text(_replace_controls(title_of(audit)), style="bold")]
    for section in brief_sections(audit):
        parts += [Text(), Text(section.title, style="bold")]
        if section.note:
            parts.append(Text(_replace_controls(section.note)))
        if section.rows:
            parts.append(_table(section))
    return Group(*parts)


def _table(section: Section) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    kept = [i for i, name in enumerate(section.columns) if name not in _LEFT_OUT_OF_TEXT]
    for place in kept:
        name = section.columns[place]
        right = name in section.numbers
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in section.rows:
        table.add_row(*(escape(_replace_controls(row[place])) for place in kept))
    return table


def render_markdown(audit: Audit) -> str:
    """The whole report; tables are in the pipe syntax that GitHub and most others render."""
    lines = [f"# {_replace_controls(title_of(audit))}", ""]
    for section in all_sections(audit):
        lines += [f"## {section.title}", ""]
        if section.note:
            lines += [_replace_controls(section.note), ""]
        if section.rows:
            lines += [*_markdown_table(section), ""]
    return "\n".join(lines)


def _markdown_table(section: Section) -> list[str]:
    rulers = ["---:" if name in section.numbers else "---" for name in section.columns]
    rows = [section.columns, tuple(rulers), *section.rows]
    return ["| " + " | ".join(_markdown_cell(text) for text in row) + " |" for row in rows]


def _markdown_cell(text: str) -> str:
    return _replace_controls(text).replace("|", "\\|").replace("<", "&lt;")


def _replace_controls(text: str) -> str:
    """Names and reasons come from files: no line end or terminal control may pass."""
    return "".join(character if character.isprintable() else " " for character in text)


def render_json(audit: Audit) -> bytes:
    """The findings for programs: every judgement by its line, every conclusion with its check.

    ``cells`` gives only their number: they are the input file's own.
    """
    document = {
        "audit_version": JSON_VERSION,
        "source": audit.source,
        "measured": audit.measured,
        "cells": len(audit.cells),
        "counts": {table: count(audit.judgements, table) for table in ("detailed", "average")},
        "rules": [
            {"name": r.name, "kind": r.kind, "reason": r.reason, "evidence": r.evidence}
            for r in RULES
        ],
        "judgements": [_judgement(judgement) for judgement in audit.judgements],
        "conclusions": [
            {**msgspec.to_builtins(conclusion), "claim": conclusion.claim}
            for conclusion in audit.conclusions
        ],
        "checks": audit.checks,
    }
    return msgspec.json.encode(document)


def _judgement(judgement: Judgement) -> dict[str, Any]:
    return {
        "rule": judgement.rule,
        "kind": judgement.kind,
        "grounds": judgement.grounds,
        "cell": judgement.cell,
    }
