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
        sys.stdout.flush()
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
        sys.stdout.flush()
        return
    try:
        Path(out).write_bytes(data)
    except OSError as error:
        raise UserInputError(f"cannot write {out}: {error}") from error
    print(f"wrote {out} ({len(data) / 1e6:.2f} MB)", file=sys.stderr)  # noqa: T201
