"""Where commands write: a file, or standard output."""

from __future__ import annotations

import sys
from pathlib import Path

from speedmetal.errors import UserInputError


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
