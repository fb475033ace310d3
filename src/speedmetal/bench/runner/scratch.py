"""Folders for a run's data, which no run leaves behind, however it ends.

A folder is locked for as long as its run lives: the lock ends with the process, also where it is
killed. What is there without a lock is of a dead run, and the next run removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "speedmetal-run-"


@contextlib.contextmanager
def scratch_folder(parent: str | Path) -> Iterator[Path]:
    """A folder of this run alone; it is removed at the end.

    Args:
        parent: Where it is made; folders of dead runs there are removed first.
    """
    remove_dead(parent)
    folder, descriptor = _make_locked(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make_locked(parent: str | Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        descriptor = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # a file system without locks: nobody removes it
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if folder.exists():
            return folder, descriptor
        os.close(descriptor)  # another run took it for a dead one's before it was locked


def remove_dead(parent: str | Path) -> None:
    """Remove the folders of this user's runs that are alive no more."""
    for folder in Path(parent).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # gone by now, or not ours to touch
            if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                _remove_unlocked(folder)


def _remove_unlocked(folder: Path) -> None:
    """Remove a folder whose run is dead.

    Raises:
        OSError: It is locked: its run is alive.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
