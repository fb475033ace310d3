"""Commands where nobody listens, or cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from speedmetal.bench.record import FindingRecord
from speedmetal.bench.store import RecordWriter


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record file in a folder of the test's own, with a finding."""
    monkeypatch.chdir(tmp_path)
    finding = FindingRecord(
        run_id="r", session=1, time_utc="2026-01-01T00:00:00+00:00", kind="size", message="strange"
    )
    with RecordWriter(Path("a.jsonl")) as writer:
        writer.append([finding])
    return Path("a.jsonl")


DUMB = {"TERM": "dumb", "COLUMNS": "60"}
STREAMS = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")


@pytest.mark.parametrize(
    ("closed", "environment"),
    [
        *(pytest.param(closed, {}, id=closed) for closed in STREAMS),
        pytest.param(STREAMS[-1], DUMB, id=f"{STREAMS[-1]} dumb"),
        *(
            pytest.param(closed, DUMB, id=f"{closed} dumb", marks=pytest.mark.tier("nightly"))
            for closed in STREAMS[:-1]
        ),
    ],
)
def test_closed_streams_are_no_fault(records: Path, closed: str, environment) -> None:
    """Proves that a command works where nobody listens, and that nothing it says gets into a file
    that was given the closed stream's number."""
    before = records.read_bytes()
    report = f"{sys.executable} -m speedmetal report {records}"
    done = subprocess.run(
        ["sh", "-c", f"{report} {closed} | cat >/dev/null; {report} --out page.md {closed}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr in ("", "wrote page.md (0.00 MB)\n")
    assert Path("page.md").read_text() == "# speedmetal benchmark\n\nNo case was measured.\n"
    assert records.read_bytes() == before


def test_a_full_standard_output_is_told(records: Path) -> None:
    """Proves the message and the exit status."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "speedmetal", "report", str(records)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr.startswith("speedmetal: cannot write to standard output: ")
    assert "Traceback (" not in done.stderr
