"""``speedmetal compare``: two runs, case by case."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from speedmetal.bench.commands import output
from speedmetal.bench.compare import Comparison, Verdict, compare_runs, noise_floors
from speedmetal.bench.record import EnvironmentRecord
from speedmetal.bench.store import Records, read_records
from speedmetal.errors import UserInputError

EXIT_REGRESSION = 1
# Where these differ, a ratio speaks of the machines and not of the software.
_MACHINE_FACTS = ("system", "chip", "cores", "memory_bytes", "threads")
_STYLES = {Verdict.FASTER: "green", Verdict.SLOWER: "red", Verdict.UNDECIDED: "dim"}


def execute(*, before: str, after: str, threshold: float, force: bool, as_json: bool) -> int:
    """Compare; 1 where a case is significantly slower beyond the threshold, else 0."""
    if threshold < 0:
        raise UserInputError(f"--threshold: expected 0 or more percent, got {threshold:g}")
    first, second = read_records(before), read_records(after)
    for warning in check_environments(first, second, force=force):
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201 - a command speaks
    comparisons = compare_runs(first, second)
    if not comparisons:
        raise UserInputError(f"{before} and {after} have no timed case and contender in common")
    regressions = find_regressions(comparisons, threshold)
    if as_json:
        output.write(_json(comparisons, regressions), None)
    else:
        _show(comparisons, regressions, threshold, first, second)
    return EXIT_REGRESSION if regressions else 0


def check_environments(first: Records, second: Records, *, force: bool) -> list[str]:
    """What differs between the environments of two runs.

    Raises:
        UserInputError: The machines differ, and ``force`` is not given.
    """
    ones, others = list(first.environments.values()), list(second.environments.values())
    if not ones or not others:
        return ["one of the runs does not say on what machine it ran"]
    one, other = ones[-1], others[-1]
    differences = [
        f"{fact}: {getattr(one, fact)} before, {getattr(other, fact)} after"
        for fact in _MACHINE_FACTS
        if getattr(one, fact) != getattr(other, fact)
    ]
    if differences and not force:
        raise UserInputError(
            f"the runs come from different machines or settings ({'; '.join(differences)});"
            " a ratio of them would not be about the software; --force compares all the same"
        )
    return differences + _software_differences(one, other)


def _software_differences(one: EnvironmentRecord, other: EnvironmentRecord) -> list[str]:
    found = []
    for kind in ("packages", "variables", "settings"):
        old, new = getattr(one, kind), getattr(other, kind)
        found += [
            f"{kind}: {name} was {old.get(name, 'absent')}, is {new.get(name, 'absent')}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    return found


def find_regressions(comparisons: Sequence[Comparison], threshold: float) -> list[Comparison]:
    """Cases that are slower, significantly, and by more than ``threshold`` percent."""
    return [
        c
        for c in comparisons
        if c.verdict is Verdict.SLOWER and c.ratio.ratio > 1 + threshold / 100
    ]


def _show(
    comparisons: Sequence[Comparison],
    regressions: Sequence[Comparison],
    threshold: float,
    first: Records,
    second: Records,
) -> None:
    table = Table("case", "contender", "time B / A", "95 % interval", "verdict", box=None)
    for c in comparisons:
        table.add_row(
            Text(c.case.case.label),
            Text(c.case.contender.key),
            f"{c.ratio.ratio:.3f}",
            f"{c.ratio.low:.3f} to {c.ratio.high:.3f}",
            Text(c.verdict.value, _STYLES.get(c.verdict, "")),
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    counts = Counter(c.verdict.value for c in comparisons)
    floors = {**noise_floors(first.cases), **noise_floors(second.cases)}
    noise = max((floor.relative for floor in floors.values()), default=0.0)
    summary = ", ".join(f"{counts[v.value]} {v.value}" for v in Verdict)
    console.print(f"\n{summary}; noise floor {noise:.1%}")
    if regressions:
        console.print(f"{len(regressions)} regressions beyond {threshold:g} %", style="red")


def _json(comparisons: Sequence[Comparison], regressions: Sequence[Comparison]) -> bytes:
    slower = {id(c) for c in regressions}
    return msgspec.json.format(
        msgspec.json.encode(
            [
                {
                    "case": c.case.case.label,
                    "key": c.case.case.key,
                    "contender": c.case.contender.key,
                    "ratio": c.ratio.ratio,
                    "low": c.ratio.low,
                    "high": c.ratio.high,
                    "p_value": c.ratio.p_value,
                    "verdict": c.verdict.value,
                    "regression": id(c) in slower,
                }
                for c in comparisons
            ]
        )
    )
