"""Where commands write: a file, or standard output; and what a terminal there can show."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TextIO

from speedmetal.bench.report import Options
from speedmetal.errors import UserInputError


def terminal_options(width: int, baseline: str | None = None) -> Options:
    """How a report is shown on standard output.

    Args:
        width: Columns where it is no terminal.
        baseline: As in :class:`speedmetal.bench.report.Options`.
    """
    if not sys.stdout.isatty():
        return Options(baseline=baseline, width=width)
    columns = shutil.get_terminal_size((width, 24)).columns
    return Options(baseline=baseline, width=columns, ansi=shows_colours())


def shows_colours() -> bool:
    """Whether a terminal on standard output understands colours, and is wanted to show them."""
    return can_redraw(sys.stdout) and "NO_COLOR" not in os.environ


def can_redraw(stream: TextIO) -> bool:
    """Whether a stream is a terminal that understands escape sequences."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def write(content: str | bytes, out: str | None) -> None:
    """Write to a file (its folder must exist), or to standard output.

    Raises:
        UserInputError: The file cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    if out is None:
        _write_standard_output(data if data.endswith(b"\n") else data + b"\n")
        return
    try:
        Path(out).write_bytes(data)
    except OSError as error:
        raise UserInputError(f"cannot write {out}: {error}") from error
    print(f"wrote {out} ({len(data) / 1e6:.2f} MB)", file=sys.stderr)  # noqa: T201


def _write_standard_output(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:  # who read it has seen enough
        raise
    except OSError as error:
        raise UserInputError(f"cannot write to standard output: {error}") from error
