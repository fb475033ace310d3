"""Scratch folders: nothing is left of a run that was killed, and a live one keeps its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from speedmetal.bench.runner.scratch import PREFIX, remove_dead, scratch_folder

OWNER = """
import sys
from speedmetal.bench.runner.scratch import scratch_folder

with scratch_folder(sys.argv[1]) as folder:
    (folder / "data").write_bytes(bytes(1000))
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def owner(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process with a scratch folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def test_a_folder_goes_with_its_run(tmp_path: Path) -> None:
    """Proves that it is private while it is there, and removed when its run ends, by an exception
    as well."""

    def use_and_fail() -> None:
        with scratch_folder(tmp_path) as folder:
            assert folder.stat().st_mode & 0o77 == 0
            (folder / "deep").mkdir()
            (folder / "deep" / "data").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use_and_fail()
    assert not any(tmp_path.iterdir())


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """Proves that a folder survives the death of its owner by SIGKILL, and not the next run."""
    with owner(tmp_path) as (process, left):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (left / "data").exists()
    with scratch_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_a_live_run_keeps_its_folder(tmp_path: Path) -> None:
    """Proves that neither another process nor this one takes the folder of a run that is alive."""
    with owner(tmp_path) as (_, theirs), scratch_folder(tmp_path) as mine:
        remove_dead(tmp_path)
        assert (theirs / "data").exists()
        assert mine.exists()


def test_what_others_made_stays(tmp_path: Path) -> None:
    """Proves that neither files, nor links, nor folders of other names are taken for a run's."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(target)
    (tmp_path / f"{PREFIX}file").touch()
    (tmp_path / "speedmetal-doctor-x").mkdir()
    before = sorted(tmp_path.iterdir())
    remove_dead(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    assert (target / "precious").exists()


def test_folders_of_other_users_stay(tmp_path: Path) -> None:
    """Proves that an unlocked folder of another user is not touched."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    folder = tmp_path / f"{PREFIX}theirs"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    remove_dead(tmp_path)
    assert folder.exists()
