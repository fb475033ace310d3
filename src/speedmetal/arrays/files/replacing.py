"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of another once everything is written.

    It is written beside the other one, as ``.NAME.RANDOM.part``, and renamed at the end. Until then
    the old file is there, whatever happens: an exception, a full disk, the end of the process.
    Whoever has the old one open or mapped keeps its content. Permissions stay, and a link goes on
    to point to the file.

    Args:
        path: Which file; if it is no ordinary one (a pipe, a device), it is written as it is.

    Raises:
        FileNotFoundError: Its folder is not there.
    """
    target = path.resolve()
    if not target.parent.is_dir():  # else the message would name the file that is written first
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(target.parent))
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.part")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else the name may reach the disk before the content
        with suppress(FileNotFoundError):
            shutil.copymode(target, beside)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
