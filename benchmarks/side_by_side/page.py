"""A page that several scripts write: each owns the section between its markers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from speedmetal.bench.environment import package_versions, read_conditions, read_machine

PAGE = Path(__file__).parents[2] / "docs" / "speed.md"


def replace_section(text: str, name: str, body: str) -> str:
    """A page's text with a new body of one section.

    >>> print(replace_section(chr(10).join(["<!-- begin a -->", "<!-- end a -->"]), "a", "new"))
    <!-- begin a -->
    new
    <!-- end a -->

    Raises:
        ValueError: The page has no such section.
    """
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"the page has no section {name!r}: it needs the lines {begin}{end}")
    before, rest = text.split(begin, 1)
    return f"{before}{begin}{body.rstrip()}\n{end}{rest.split(end, 1)[1]}"


def write_section(name: str, body: str, page: Path = PAGE) -> None:
    """Put a new body between a section's markers."""
    page.write_text(replace_section(page.read_text(), name, body))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers or short.

    >>> print(table(["a", "b"], [["x", "1"]]))
    | a | b |
    | --- | ---: |
    | x | 1 |
    """
    rules = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rules, *rows))


def circumstances(packages: Iterable[str], threads: int, load_before: float | None) -> str:
    """A paragraph about the machine, the versions, the date and the load."""
    machine = read_machine()
    versions = ", ".join(
        f"{name} {version}" for name, version in package_versions(packages).items()
    )
    load = [f"{value:.2f}" for value in (load_before, read_conditions().load) if value is not None]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine.chip}, {os.cpu_count()} cores,"
        f" {machine.system}, {machine.python}; {threads} threads each; load"
        f" {' before, '.join(load)} after. Versions: {versions}."
    )


def seconds_text(seconds: float) -> str:
    """A time with three digits and its unit.

    >>> seconds_text(0.01234), seconds_text(2.5e-6), seconds_text(3.0)
    ('12.3 ms', '2.50 us', '3.00 s')
    """
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale or unit == "us":
            value = seconds / scale
            digits = max(0, 2 - len(str(int(value))) + 1)
            return f"{value:.{digits}f} {unit}"
    raise AssertionError


def ratio_text(ratio: float, low: float, high: float) -> str:
    """A ratio with its interval.

    >>> ratio_text(2.345, 2.31, 2.38)
    '2.35 [2.31, 2.38]'
    """
    return f"{ratio:.2f} [{low:.2f}, {high:.2f}]"
