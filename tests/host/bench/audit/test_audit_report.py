"""The report says what was found: golden text in both forms, and JSON that holds every judgement.

Set SPEEDMETAL_UPDATE_GOLDEN=1 to write the golden files anew; review the difference.
"""

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from speedmetal.bench.audit import (
    Claim,
    ConclusionCheck,
    Outcome,
    PublishedCell,
    audit_cells,
    load_published_cells,
    render_json,
    render_markdown,
    render_text,
)
from speedmetal.bench.audit.audited import Audit
from speedmetal.bench.measure.statistics import Ratio

HERE = Path(__file__).parent


def checked(conclusion):
    """A check with made-up results, one of each outcome."""
    pair = (conclusion.first, conclusion.second)
    if conclusion.claim is Claim.NONE:
        return ConclusionCheck(conclusion, Outcome.NO_CLAIM, "a is faster than b", "a", "b")
    if pair == ("mlx_gpu_compile", "mlx_gpu"):
        ratio = Ratio(1.001, 0.995, 1.006, 30, 0.7)
        return ConclusionCheck(
            conclusion, Outcome.VANISHES, "a is within 2 % of b", "a", "b", ratio, True
        )
    if pair == ("mlx_cpu", "cpu") and conclusion.operation == "Sort":
        ratio = Ratio(0.4, 0.39, 0.41, 30, 1e-6)
        return ConclusionCheck(conclusion, Outcome.FLIPS, "a is faster than b", "a", "b", ratio)
    return ConclusionCheck(conclusion, Outcome.NOT_MEASURABLE, "no GPU here")


@pytest.fixture(scope="module")
def audit():
    return audit_cells(load_published_cells(HERE / "excerpt.md"), source="excerpt.md")


@pytest.fixture(scope="module")
def measured(audit):
    checks = tuple(checked(conclusion) for conclusion in audit.conclusions)
    return Audit(
        audit.source, audit.cells, audit.judgements, audit.conclusions, checks, "records.jsonl"
    )


def text_of(audit, width=140):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render_text(audit))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def assert_golden(name, text):
    path = HERE / "golden" / name
    if os.environ.get("SPEEDMETAL_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_markdown_without_measurements(audit):
    assert_golden("published.md", render_markdown(audit))


def test_markdown_with_measurements(measured):
    assert_golden("measured.md", render_markdown(measured))


def test_text_with_measurements(measured):
    assert_golden("measured.txt", text_of(measured))


def test_unknown_table(audit):
    """What is only possible is called so, in the summary and in each row."""
    unknown = audit_cells(load_published_cells(HERE / "unknown.csv"), source="unknown.csv")
    assert_golden("unknown.md", render_markdown(unknown))


def test_flips_come_first(measured):
    """The conclusions start with flips, then what vanishes; Softmax has its own part before."""
    text = render_markdown(measured)
    table = text.split("## Conclusions, flips first")[1]
    assert table.index("| flips |") < table.index("| vanishes") < table.index("| not measurable")
    assert text.index("## Softmax, compiled against eager") < text.index("## Cells named")


def test_json_holds_everything(measured):
    """Counts, every judgement with its cell, every conclusion, every check."""
    document = json.loads(render_json(measured))
    assert document["source"] == "excerpt.md"
    assert document["cells"] == len(measured.cells)
    assert len(document["judgements"]) == len(measured.judgements)
    assert document["judgements"][0]["cell"]["line"] > 0
    assert document["counts"]["detailed"]["by_rule"]["softmax axis dropped"] == 6
    assert {c["claim"] for c in document["conclusions"]} == set(Claim)
    assert {c["outcome"] for c in document["checks"]} == {
        "flips", "vanishes", "not measurable here", "no claim",
    }  # fmt: skip


def test_text_from_files_cannot_break_the_report():
    """Pipes, markup, HTML and control characters of a file are shown, not obeyed."""
    nasty = PublishedCell("[red]M9|", "<b>\x1b[31m", "detailed", "Sum[/x]", "dim=8", "cpu", None)
    audit = audit_cells([nasty], source="a\n# b")
    markdown = render_markdown(audit)
    assert markdown.startswith("# Audit of a # b\n")
    assert "[red]M9\\|" in markdown
    for text in (markdown, text_of(audit, 300)):
        assert "\x1b" not in text
        assert "Sum[/x]" in text


def test_nothing_found():
    """A file without defects or pairs says so."""
    cell = PublishedCell("M9", "()", "detailed", "Sigmoid", "dim=8", "cpu", 1.0)
    text = text_of(audit_cells([cell]))
    assert "No rule applies to any cell." in text
    assert "The file compares no compiled with an eager Softmax." in text


def test_a_device_with_several_tables_is_named_apart():
    """One of two tables is named with its config, both with their number."""
    cells = [
        PublishedCell("M3", config, "detailed", "MatMul", arguments, "cpu", time)
        for config in ("(8GB)", "(16GB)")
        for arguments, time in (("dim=8x8 dim=8x8", None), ("dim=8", None if "8" in config else 1))
    ]
    rows = render_markdown(audit_cells(cells)).splitlines()
    assert "| no time given | MatMul | dim=8x8 dim=8x8 | cpu | 2 | M3 (x2) | numbers |" in rows
    assert "| no time given | MatMul | dim=8 | cpu | 1 | M3 (8GB) | numbers |" in rows
