"""The tables that the terminal and Markdown reports share: words in cells, no layout.

A cell carries a tone, which the terminal shows as a colour and Markdown leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from speedmetal.bench.compare import Verdict
from speedmetal.bench.operations import words
from speedmetal.bench.record import EnvironmentRecord
from speedmetal.bench.report import notation, summaries
from speedmetal.bench.report.figures import Row, RunFigures
from speedmetal.bench.store import Records


@dataclass(frozen=True)
class Cell:
    """Text with a tone: a verdict, a status, ``"muted"``, or nothing."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Section:
    """A table with its heading; ``numeric`` names the columns that align to the right.

    ``rules`` are the rows before which a line is drawn. ``grouped`` says that the first column
    names a group of rows and is blank in all but the first of them. ``empty`` is said instead of
    a table without rows; a section without either is left out. ``remark`` stands below.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[str, ...] = ()
    rules: frozenset[int] = frozenset()
    grouped: bool = False
    empty: str = ""
    remark: str = ""


def sections_of(records: Records, run: RunFigures) -> list[Section]:
    """Every section of the report of a run, in order; sections with nothing to say are left out."""
    sections = [
        *(_operation(title, cases) for title, cases in run.by_operation().items()),
        families(run),
        floors(run),
        ceilings(records, run),
        statuses(run),
        throttled(run),
        findings(records, run),
        environments(records, run),
    ]
    return [section for section in sections if section.rows or section.empty]


def description(records: Records, run: RunFigures) -> list[str]:
    """What ran, in a few lines."""
    cases = len({row.case_key for row in run.rows})
    counts = summaries.status_counts(run).items()
    results = ", ".join(f"{count} {status}" for status, count in counts) or "no result"
    contenders = words.count(len(run.contenders), "contender")
    lines = [f"run {run.run_id}: {words.count(cases, 'case')} on {contenders}; {results}"]
    lines += _starts(records, run)
    if run.baseline:
        lines.append(f"ratios are times over the time of {run.baseline}; below 1 is faster")
    return lines


def _starts(records: Records, run: RunFigures) -> list[str]:
    """When a run began, and how often it was continued: a line a suite and version."""
    starts: dict[str, list[str]] = {}
    for record in records.runs:
        if record.run_id == run.run_id:
            what = f"suite {record.suite}, speedmetal {record.speedmetal_version}"
            starts.setdefault(what, []).append(record.time_utc)
    lines = []
    for what, (first, *later) in starts.items():
        resumed = f", resumed {words.count(len(later), 'time')}, last {later[-1]}" if later else ""
        lines.append(f"{what}, {first}{resumed}")
    return lines


def bad_lines(records: Records) -> list[str]:
    """Lines of the file that are no records."""
    source = records.source or "the record file"
    return [f"{source}, {bad} (the line was left out)" for bad in records.bad_lines]


def bound_of(row: Row) -> str:
    """The share of the ceiling as text, and which ceiling it is."""
    if row.ceiling_share is None:
        return notation.MISSING
    return f"{notation.percent(row.ceiling_share)} of {row.bound}"


def _operation(title: str, cases: dict[str, list[Row]]) -> Section:
    rows: list[tuple[Cell, ...]] = []
    rules = []
    for members in cases.values():
        rules.append(len(rows))
        name = words.variant_in_words(members[0].records[0].case)
        for position, row in enumerate(members):
            rows.append((Cell("" if position else name), *_result(row)))
    return Section(
        heading=title,
        columns=(
            "case",
            "contender",
            "median",
            "±",
            "ratio",
            "95 % interval",
            "verdict",
            "share of ceiling",
            "first call",
            "n",
        ),
        rows=tuple(rows),
        numeric=("median", "±", "ratio", "share of ceiling", "first call", "n"),
        rules=frozenset(rules[1:]),
        grouped=True,
    )


def _result(row: Row) -> tuple[Cell, ...]:
    contender = Cell(row.contender)
    if not row.has_time:
        blank = Cell("")
        return (contender, Cell(row.status, row.status), *[blank] * 7)
    return (
        contender,
        Cell(notation.seconds(row.median)),
        Cell(notation.plus_minus(row.median, row.low, row.high), "muted"),
        Cell(notation.ratio(row.ratio), row.verdict),
        Cell(notation.interval(row.ratio_low, row.ratio_high), "muted"),
        Cell(row.verdict or notation.MISSING, row.verdict),
        Cell(bound_of(row)),
        Cell(notation.seconds(row.first_call), "muted"),
        Cell(samples_of(row), "muted"),
    )


def samples_of(row: Row) -> str:
    """Number of samples, and of sessions where there are several."""
    if row.samples is None:
        return notation.MISSING
    return f"{row.samples}" + (f" in {row.sessions}" if row.sessions > 1 else "")


def families(run: RunFigures) -> Section:
    """Geometric means of ratios per family, with the number of losses."""
    found = summaries.family_summaries(run)
    rows = [
        (
            Cell(s.family),
            Cell(s.contender),
            # Where no case is decided, neither is their mean.
            Cell(notation.ratio(s.ratio), Verdict.UNDECIDED if s.undecided == s.count else ""),
            Cell(str(s.count)),
            Cell(str(s.faster), Verdict.FASTER if s.faster else "muted"),
            Cell(str(s.slower), Verdict.SLOWER if s.slower else "muted"),
            Cell(str(s.equivalent), "muted"),
            Cell(str(s.undecided), "muted"),
        )
        for s in found
    ]
    families = [s.family for s in found]
    rules = {i for i in range(1, len(families)) if families[i] != families[i - 1]}
    return Section(
        heading=f"Summary against {run.baseline}",
        columns=("family", "contender", "ratio", "n", "faster", "losses", "equivalent", "open"),
        rows=tuple(rows),
        numeric=("ratio", "n", "faster", "losses", "equivalent", "open"),
        rules=frozenset(rules),
        remark="Ratio: geometric mean of the ratios of the n cases that both have a time of.",
    )


def floors(run: RunFigures) -> Section:
    """The A/A control of the run."""
    floor = summaries.run_floor(run)
    row = (
        Cell(notation.noise_floor(floor.share)),
        Cell(str(floor.pairs)),
        Cell(str(floor.called_different)),
    )
    remark = (
        "Two processes of one contender in the same rounds; 95 % of the ratios of equal contenders"
        " stay within the noise floor, and no verdict is given below it."
    )
    if not floor.is_known:
        remark = "Too few controls in two processes: every verdict is undecided."
    return Section(
        heading="Noise floor (A/A control)",
        columns=("noise floor", "controls", "called different"),
        rows=(row,),
        numeric=("noise floor", "controls", "called different"),
        remark=remark,
    )


def ceilings(records: Records, run: RunFigures) -> Section:
    """What the machine reached in every session."""
    rows = []
    for ceiling in summaries.latest_ceilings(records, run):
        bandwidth = summaries.main_memory_bandwidth(ceiling)
        flops = (
            f"{kind}: {notation.rate(value, 'FLOP/s')}"
            for kind, value in sorted(ceiling.flops_per_second.items())
        )
        floors = (
            f"{key}: {notation.seconds(value)}"
            for key, value in sorted(ceiling.call_floor_seconds.items())
        )
        rows.append(
            (
                Cell(str(ceiling.session)),
                Cell(ceiling.device),
                Cell(notation.rate(bandwidth, "B/s")),
                Cell(", ".join(flops)),
                Cell(", ".join(floors)),
            )
        )
    return Section(
        heading="Ceilings measured on this machine",
        columns=("session", "device", "memory bandwidth", "matrix product", "one call"),
        rows=tuple(rows),
        numeric=("session", "memory bandwidth"),
    )


def statuses(run: RunFigures) -> Section:
    """Everything that did not end well, with its reason."""
    rows = [
        (
            Cell(words.case_in_words(row.records[0].case)),
            Cell(row.contender),
            Cell(row.status, row.status),
            Cell(row.reason),
        )
        for row in summaries.without_time(run)
    ]
    return Section(
        heading="Results that are not ok",
        columns=("case", "contender", "status", "reason"),
        rows=tuple(rows),
        empty="Every case has a time on every contender." if run.rows else "",
    )


def findings(records: Records, run: RunFigures) -> Section:
    """What else a reader of the run must know."""
    rows = [
        (Cell(f.kind), Cell(f.contender), Cell(f.operation), Cell(f.message))
        for f in records.findings
        if f.run_id == run.run_id
    ]
    return Section(
        heading="Findings", columns=("kind", "contender", "operation", "message"), rows=tuple(rows)
    )


def throttled(run: RunFigures) -> Section:
    """The results at which the card's clocks were held down, and by what."""
    rows = [
        (
            Cell(words.case_in_words(row.records[0].case)),
            Cell(row.contender),
            Cell(row.throttled, "undecided"),
        )
        for row in run.rows
        if row.throttled
    ]
    return Section(
        heading="Throttled",
        columns=("case", "contender", "what held the card's clocks down"),
        rows=tuple(rows),
        remark="Such times are of a slower card than the others'.",
    )


def environments_of(records: Records, run: RunFigures) -> list[EnvironmentRecord]:
    """The environments in which a run's results were measured."""
    known = records.environments
    keys = dict.fromkeys(record.environment for record in run.cases)
    return [known[key] for key in keys if key in known]


def environments(records: Records, run: RunFigures) -> Section:
    """The machine and the software."""
    rows = tuple(
        (Cell(name), Cell(value))
        for environment in environments_of(records, run)
        for name, value in environment_facts(environment)
    )
    return Section(heading="Environment", columns=("fact", "value"), rows=rows)


def environment_facts(environment: EnvironmentRecord) -> Sequence[tuple[str, str]]:
    """What is known of an environment, as names and texts; unknown facts are left out."""
    cores = f"{environment.cores}"
    if environment.core_split:
        cores += f" ({environment.core_split})"
    facts = (
        ("chip", environment.chip),
        ("cores", cores),
        ("memory", notation.size(environment.memory_bytes)),
        ("last-level cache", notation.size(environment.last_level_cache_bytes)),
        ("system", environment.system),
        ("power", environment.governor),
        ("Python", environment.python),
        ("threads", str(environment.threads)),
        ("devices", _pairs(environment.devices.items())),
        ("cards", _pairs(environment.cards.items())),
        ("packages", _pairs(environment.packages.items())),
        ("settings", _pairs(environment.settings.items())),
        ("variables", _pairs(environment.variables.items())),
        ("key", environment.key),
    )
    return [(name, value) for name, value in facts if value]


def _pairs(items: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(items))
