"""``speedmetal compare``: two runs, case by case."""

from __future__ import annotations

import sys

from speedmetal.bench.commands import output
from speedmetal.bench.measures import by_measure
from speedmetal.bench.record import EnvironmentRecord
from speedmetal.bench.report import comparison
from speedmetal.bench.report.comparison import Changes
from speedmetal.bench.store import Records, read_records
from speedmetal.errors import UnknownNameError, UserInputError

EXIT_REGRESSION = 1
FORMATS = ("terminal", "markdown", "json")
# Where these differ, a ratio speaks of the machines and not of the software.
_MACHINE_FACTS = ("system", "chip", "cores", "memory_bytes", "threads")


def execute(
    *,
    before: str,
    after: str,
    threshold: float,
    force: bool,
    format_name: str,
    measure: str | None = None,
) -> int:
    """Compare; 1 where a case is significantly slower beyond the threshold, else 0."""
    check_threshold(threshold)
    if format_name not in FORMATS:
        raise UnknownNameError("format", format_name, FORMATS)
    first, second = (by_measure(read_records(file), measure) for file in (before, after))
    for warning in check_environments(first, second, force=force):
        print(f"warning: {warning}", file=sys.stderr)  # noqa: T201 - a command speaks
    changes = find_changes(first, second, threshold)
    output.write(_render(changes, format_name), None)
    return EXIT_REGRESSION if changes.regressions else 0


def check_threshold(threshold: float) -> None:
    """Refuse a threshold that is none.

    Raises:
        UserInputError: It is below zero, or no number.
    """
    if not threshold >= 0:
        raise UserInputError(f"--threshold: expected 0 or more percent, got {threshold:g}")


def find_changes(before: Records, after: Records, threshold: float) -> Changes:
    """What changed from one run to another.

    Raises:
        UserInputError: They have nothing in common.
    """
    changes = Changes.between(before, after, threshold)
    if not changes.comparisons:
        raise UserInputError(
            f"{before.source} and {after.source} have no timed case and contender in common"
        )
    return changes


def _render(changes: Changes, format_name: str) -> str | bytes:
    if format_name == "json":
        return comparison.render_json(changes)
    if format_name == "markdown":
        return comparison.render_markdown(changes)
    return comparison.render_text(changes, output.terminal_options(140))


def check_environments(first: Records, second: Records, *, force: bool) -> list[str]:
    """What differs between the environments of two runs.

    Raises:
        UserInputError: The machines differ, and ``force`` is not given.
    """
    ones, others = list(first.environments.values()), list(second.environments.values())
    if not ones or not others:
        return ["one of the runs does not say on what machine it ran"]
    one, other = ones[-1], others[-1]
    differences = machine_differences(one, other)
    if differences and not force:
        raise UserInputError(
            f"the runs come from different machines or settings ({'; '.join(differences)});"
            " a ratio of them would not be about the software; --force compares all the same"
        )
    return differences + _software_differences(one, other)


def machine_differences(one: EnvironmentRecord, other: EnvironmentRecord) -> list[str]:
    """What differs between the machines of two environments, and their threads."""
    return [
        f"{fact}: {getattr(one, fact)} before, {getattr(other, fact)} after"
        for fact in _MACHINE_FACTS
        if getattr(one, fact) != getattr(other, fact)
    ]


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
