"""The text formats: golden files, escaping of text from records, and what empty files give."""

import csv
import io
from collections.abc import Callable

import msgspec
import pytest
import synthetic
from synthetic import CASES, CONTENDERS

from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.report import FORMATS, Options, find_format, format_of_suffix, sections
from speedmetal.bench.report.csv_table import cell
from speedmetal.bench.report.figures import COLUMNS, figures_of
from speedmetal.bench.report.markdown import escape_markdown
from speedmetal.bench.store import Records
from speedmetal.errors import UnknownNameError

RECORDS = synthetic.records()
EVIL = "<script>alert(1)</script> | [bold]x[/bold] \x1b[31m"


def text(name: str, records: Records = RECORDS, options: Options | None = None) -> str:
    rendered = FORMATS[name].render(records, options or Options())
    assert isinstance(rendered, str)
    return rendered


def evil_record() -> CaseRecord:
    """A record whose every free text is an attempt at markup."""
    return synthetic.case_record(
        msgspec.structs.replace(CASES[0], title=EVIL, arguments="=cmd()|' /C calc'!A0"),
        msgspec.structs.replace(CONTENDERS[0][0], device_name=f"=1+1 {EVIL}"),
        1e-3,
        status=Status.CRASH,
        reason=f"=2+2 {EVIL}",
    )


@pytest.mark.parametrize("name", ["terminal", "markdown", "csv", "published"])
def test_golden(name: str, golden: Callable[[str, str], None]) -> None:
    """The whole text of the report of the synthetic records."""
    golden(f"{name}{FORMATS[name].suffix}", text(name))


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_renders_a_file_without_cases(name: str) -> None:
    """A run that was stopped before its first case is a report, not a traceback."""
    rendered = FORMATS[name].render(Records((synthetic.run_record(),)), Options())
    assert rendered


@pytest.mark.parametrize("name", list(FORMATS))
def test_rendering_is_pure(name: str) -> None:
    """The same records give the same report."""
    first, second = (FORMATS[name].render(RECORDS, Options()) for _ in range(2))
    assert first == second


def test_a_baseline_of_ones_own_is_used() -> None:
    """All ratios are against it, and it has none."""
    own = "mlx:gpu:eager"
    rows = list(csv.DictReader(io.StringIO(text("csv", options=Options(baseline=own)))))
    assert {row["baseline"] for row in rows} == {own}
    mine = {(row["ratio"], row["verdict"]) for row in rows if row["contender"] == own}
    assert mine == {("", "baseline")}


def test_terminal_colours_only_on_demand() -> None:
    """Escape sequences stay out of files."""
    assert "\x1b[" not in text("terminal")
    assert "\x1b[" in text("terminal", options=Options(ansi=True))


def test_terminal_lets_no_control_character_or_markup_through() -> None:
    """A record can neither write escape sequences nor use the library's own markup."""
    plain = text("terminal", Records((evil_record(),)), Options(width=200))
    assert "\x1b" not in plain
    assert "[bold]x[/bold]" in plain


def test_markdown_escapes_tags_and_cells() -> None:
    """No tag starts and no cell is added by the text of a record."""
    rendered = text("markdown", Records((evil_record(),)))
    assert "<script>" not in rendered.replace("\\<script\\>", "")
    line = next(line for line in rendered.splitlines() if "calc" in line and "2+2" in line)
    assert line.replace("\\|", "").count("|") == 5
    assert escape_markdown("a\nb") == "a b"


def test_published_escapes_names() -> None:
    """The heading and the rows of the table take no markup from a record."""
    rendered = text("published", Records((evil_record(),)))
    assert "<script>" not in rendered.replace("\\<script\\>", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_csv_defuses_formulas(start: str) -> None:
    """Text that a spreadsheet would run becomes text; numbers stay numbers."""
    assert cell(f"{start}cmd()") == f"'{start}cmd()"
    assert cell(-1.5e-9) == "-1.5e-09"
    assert cell(-3) == "-3"


def test_csv_cells_of_a_hostile_record() -> None:
    """The device, arguments and reason of the record arrive defused and in their own cells."""
    (row,) = csv.DictReader(io.StringIO(text("csv", Records((evil_record(),)))))
    assert row["device_name"].startswith("'=1+1")
    assert row["arguments"].startswith("'=cmd()")
    assert row["reason"].startswith("'=2+2")
    assert row["status"] == "crash"


def test_csv_has_one_line_per_case_and_contender() -> None:
    """48 results, all columns, numbers that read back exactly."""
    rows = list(csv.DictReader(io.StringIO(text("csv"))))
    assert len(rows) == 48
    assert tuple(rows[0]) == COLUMNS
    assert float(rows[0]["median"]) > 0


def test_formats_have_names_suffixes_and_descriptions() -> None:
    """The table that the command line offers."""
    assert list(FORMATS) == ["terminal", "markdown", "csv", "parquet", "published", "html"]
    assert all(f.suffix.startswith(".") and f.description for f in FORMATS.values())
    assert format_of_suffix(".HTML") is FORMATS["html"]
    assert format_of_suffix(".docx") is None
    with pytest.raises(UnknownNameError, match="did you mean markdown"):
        find_format("markdwn")


def test_people_read_words_and_machines_the_published_spelling() -> None:
    """A case is said in words by terminal and Markdown, in its records' spelling by CSV."""
    failed = msgspec.structs.replace(
        synthetic.in_words(), status=Status.CRASH, reason="signal 9", timing=None
    )
    other = msgspec.structs.replace(synthetic.in_words(), contender=CONTENDERS[1][0])
    records = Records((failed, other))
    for name in ("terminal", "markdown"):
        assert "GroupNorm 8 x 32 x 64, groups 8" in text(name, records)
        assert "grp=8" not in text(name, records)
    assert "dim=8x32x64 grp=8" in text("csv", records)


def test_a_resumed_run_is_told_once() -> None:
    """With the times of its first start and its last continuation."""
    first = synthetic.run_record()
    later = [
        msgspec.structs.replace(first, time_utc=f"2026-01-02T0{hour}:00:00Z", resumed=True)
        for hour in (4, 5)
    ]
    said = text("terminal", synthetic.records(extra=tuple(later)))
    assert f"{first.time_utc}, resumed 2 times, last 2026-01-02T05:00:00Z" in said
    assert said.count(first.speedmetal_version) == 1


def test_a_mean_of_undecided_ratios_is_undecided() -> None:
    """Three rounds allow no verdict, so the family's mean is grey too; with many it is not."""

    def tones(rounds: int) -> set[str]:
        made = synthetic.records(sessions=1, rounds=rounds)
        (run,) = figures_of(made, Options())
        table = sections.families(run)
        place = table.columns.index("ratio")
        return {row[place].tone for row in table.rows}

    assert tones(3) == {"undecided"}
    assert "" in tones(24)
