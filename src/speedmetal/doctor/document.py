"""The one file: JSON that a person can read from the top, and that can be attached to an issue."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from speedmetal import __version__
from speedmetal.doctor.privacy import Redaction
from speedmetal.doctor.results import Result, Status
from speedmetal.errors import SpeedmetalError

TITLE_WIDTH = 38
FORMAT = 1
"""Changes when readers of the file must change."""

SHORT = 90
"""Characters of a line that lists and objects may fill."""

_ABOUT = (
    "What `speedmetal doctor` found on one machine. An overview comes first, the details below."
    " Names of users and hosts, and places of files, were replaced; please look before you share."
)


class ReportError(SpeedmetalError):
    """The file cannot be written."""


def document(
    results: Sequence[Result],
    *,
    started: str,
    settings: Mapping[str, Any],
    is_complete: bool,
    redaction: Redaction,
) -> dict[str, Any]:
    """The content of the file.

    Args:
        results: In the order of the checks.
        started: Date and time, UTC.
        settings: What was asked for.
        is_complete: Whether all checks were come to; else the run goes on, or was cut short.
        redaction: Of every text.
    """
    return {
        "speedmetal doctor": FORMAT,
        "about": _ABOUT,
        "speedmetal": __version__,
        "started": started,
        "settings": dict(settings),
        "conclusion": conclusion(results) if is_complete else "incomplete: it was cut short",
        "overview": [redaction.of_text(overview_line(result)) for result in results],
        "checks": [_entry(result, redaction) for result in results],
    }


def conclusion(results: Sequence[Result]) -> str:
    """One line about all of them.

    Example:
        >>> conclusion([Result("a", "", Status.OK), Result("b", "", Status.SKIPPED)])
        'all checks hold: 1 ok, 1 skipped'
    """
    counts = Counter(result.status for result in results)
    said = ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])
    if counts[Status.FAILED]:
        return f"something is wrong: {said}"
    return (
        f"not everything was checked: {said}"
        if counts[Status.NOT_RUN]
        else (f"all checks hold: {said}")
    )


def overview_line(result: Result) -> str:
    """Status, check and note of a result."""
    return f"{result.status.value:8}{result.title:{TITLE_WIDTH}}{result.note}".rstrip()


def render_document(content: Mapping[str, Any]) -> str:
    """The document as JSON text, with what is short on one line.

    Example:
        >>> print(render_document({"95 %": [1.5, 2.0], "text": "x" * 99})[:27])
        {
          "95 %": [1.5, 2.0],
          "
    """
    return _render_value(content, "") + "\n"


def _render_value(value: Any, indent: str) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not isinstance(value, dict | list) or len(indent) + len(text) <= SHORT:
        return text
    inner = indent + "  "
    if isinstance(value, dict):
        names = (f"{json.dumps(str(k), ensure_ascii=False)}: " for k in value)
        parts = [
            name + _render_value(v, inner) for name, v in zip(names, value.values(), strict=True)
        ]
        opening, closing = "{}"
    else:
        parts = [_render_value(v, inner) for v in value]
        opening, closing = "[]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{closing}"


def write(text: str, path: Path) -> None:
    """Replace the file at once, so that it is whole at any time.

    A link, and what is no file (a terminal, a pipe), stays what it is, and is written to.

    Raises:
        ReportError: It cannot be written; what was there before is still there.
    """
    is_replaced = not path.is_symlink() and (path.is_file() or not path.exists())
    target = path.with_name(f".{path.name}.{os.getpid()}") if is_replaced else path
    try:
        target.write_text(text, "utf-8")
        if target is not path:
            target.replace(path)
    except OSError as error:
        if target is not path:
            with suppress(OSError):
                target.unlink()
        raise ReportError(f"cannot write {path}: {error.strerror or error}") from error


def _entry(result: Result, redaction: Redaction) -> dict[str, Any]:
    entry = {
        "check": result.check,
        "on": result.subject,
        "simulated": result.is_simulated,
        "status": result.status.value,
        "note": redaction.of_text(result.note),
        "seconds": round(result.seconds, 3),
        "problems": redaction.of_value(result.problems),
        "facts": redaction.of_value(dict(result.facts)),
        "output": redaction.of_value(result.output),
    }
    return {
        name: value
        for name, value in entry.items()
        if value is not False and value not in ("", [], {})
    }
