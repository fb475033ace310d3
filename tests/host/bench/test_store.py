"""Record files: readable after anything that can happen to them, and never silently wrong."""

from __future__ import annotations

import gzip
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from speedmetal.bench.record import (
    SCHEMA_VERSION,
    CaseRecord,
    CaseSpec,
    Contender,
    FindingRecord,
    Record,
    RunRecord,
    Status,
    Timing,
)
from speedmetal.bench.store import BadLine, RecordWriter, decode_line, read_records
from speedmetal.errors import StoreError, UserInputError
from strategies import records

KILLS = 12


def finding(message: str = "m", session: int = 1) -> FindingRecord:
    return FindingRecord(
        run_id="r", session=session, time_utc="2025-03-04T05:06:07Z", kind="k", message=message
    )


def line(message: str = "m") -> bytes:
    return msgspec.json.encode(finding(message)) + b"\n"


def messages(path: Path) -> list[str]:
    return [found.message for found in read_records(path).findings]


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


@given(st.lists(records, min_size=1, max_size=6), st.booleans())
def test_what_is_written_is_read(written: list[Record], at_once: bool) -> None:
    """Proves that a file gives back all records of all kinds, in order, and no bad line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new" / "run.jsonl"
        with RecordWriter(path) as writer:
            for batch in [written] if at_once else [[record] for record in written]:
                writer.append(batch)
        found = read_records(path)
    assert list(found.records) == written
    assert found.bad_lines == ()
    assert found.source == str(path)


def test_records_are_given_by_kind(tmp_path: Path) -> None:
    """Proves that each view holds its own kind only, and environments are found by key."""
    run = RunRecord(
        run_id="r", time_utc="t", suite="s", command="c", settings={}, speedmetal_version="1"
    )
    with RecordWriter(tmp_path / "run.jsonl") as writer:
        writer.append([run, finding("a"), finding("b")])
    found = read_records(tmp_path / "run.jsonl")
    assert found.runs == [run]
    assert [f.message for f in found.findings] == ["a", "b"]
    assert (found.cases, found.ceilings, found.environments) == ([], [], {})


def test_a_second_writer_appends(tmp_path: Path) -> None:
    """Proves that opening a file again keeps what is in it."""
    path = tmp_path / "run.jsonl"
    for message in ("first", "second"):
        with RecordWriter(path) as writer:
            writer.append([finding(message)])
    assert messages(path) == ["first", "second"]


def test_appending_nothing_writes_nothing(tmp_path: Path) -> None:
    """Proves that an empty batch leaves the file as it is."""
    path = tmp_path / "run.jsonl"
    with RecordWriter(path) as writer:
        writer.append([])
    assert path.read_bytes() == b""


# -- Damaged files -----------------------------------------------------------------------------


@given(st.integers(min_value=1, max_value=len(line("last")) - 2))
def test_a_last_line_torn_anywhere_costs_only_itself(cut: int) -> None:
    """Proves that a torn last line is named by its number and the lines before it are used."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(line("a") + line("b") + line("last")[:cut])
        found = read_records(path)
    assert [f.message for f in found.findings] == ["a", "b"]
    assert [bad.number for bad in found.bad_lines] == [3]


@given(st.integers(min_value=1, max_value=len(line("last")) - 2))
def test_appending_after_a_torn_line_starts_on_a_fresh_line(cut: int) -> None:
    """Proves that a record written after a tear is not glued to the torn line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(line("a") + line("last")[:cut])
        with RecordWriter(path) as writer:
            writer.append([finding("after")])
        found = read_records(path)
    assert [f.message for f in found.findings] == ["a", "after"]
    assert [bad.number for bad in found.bad_lines] == [2]


def test_a_whole_last_line_that_only_lacks_its_end_is_used(tmp_path: Path) -> None:
    """Proves that a record whose line end alone is missing counts, before and after an append."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(line("a")[:-1])
    assert messages(path) == ["a"]
    with RecordWriter(path) as writer:
        writer.append([finding("b")])
    assert messages(path) == ["a", "b"]
    assert read_records(path).bad_lines == ()


def test_appending_to_a_whole_file_adds_no_empty_line(tmp_path: Path) -> None:
    """Proves that files hold records and nothing else."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(line("a"))
    with RecordWriter(path) as writer:
        writer.append([finding("b")])
    assert path.read_bytes() == line("a") + line("b")


@pytest.mark.parametrize(
    ("foreign", "reason"),
    [
        (b"hello", "JSON is malformed: invalid character (byte 0)"),
        (b"[1, 2]", "Expected `object`, got `array`"),
        (b'{"a": 1}', "Object missing required field `type`"),
        (b'{"type": "song"}', "Invalid value 'song' - at `$.type`"),
        (b"\xff\xfe\x00", "JSON is malformed: invalid character (byte 0)"),
        (b"\0" * 64, "JSON is malformed: invalid character (byte 0)"),
        (line("a")[:-1] + line("b")[:-1], "JSON is malformed: trailing characters"),
    ],
)
def test_a_foreign_line_is_named_and_the_rest_is_used(
    tmp_path: Path, foreign: bytes, reason: str
) -> None:
    """Proves that a line that is no record is kept apart with its number and the reason."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(line("a") + foreign + b"\n" + line("b"))
    found = read_records(path)
    assert [f.message for f in found.findings] == ["a", "b"]
    (bad,) = found.bad_lines
    assert bad.number == 2
    assert bad.reason.startswith(reason)
    assert str(bad) == f"line 2: {bad.reason}"


def test_invalid_utf8_inside_a_record_is_a_bad_line(tmp_path: Path) -> None:
    """Proves that a flipped byte in a text costs its line and not the file."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(line("a") + line("XYZ").replace(b"XYZ", b"\xff\xc0\x80") + line("b"))
    found = read_records(path)
    assert [f.message for f in found.findings] == ["a", "b"]
    assert [bad.number for bad in found.bad_lines] == [2]
    assert "utf-8" in found.bad_lines[0].reason.lower()


@given(st.binary(max_size=80), st.integers(min_value=0, max_value=len(line("b")) - 1))
def test_arbitrary_damage_to_a_line_costs_no_other_line(garbage: bytes, place: int) -> None:
    """Proves that whatever bytes get into a line, the lines before and after it are used."""
    damaged = line("b")[:place] + garbage + line("b")[place:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(line("a") + damaged + line("c"))
        found = messages(path)
    assert (found[0], found[-1]) == ("a", "c")


def test_bad_lines_are_numbered_as_editors_number_them(tmp_path: Path) -> None:
    """Proves that the number of a bad line leads to it, also where empty lines stand before it."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(line("a") + b"\n\nhello\n")
    assert [bad.number for bad in read_records(path).bad_lines] == [4]


def newer(record: dict[str, Any]) -> bytes:
    return msgspec.json.encode(record | {"schema_version": SCHEMA_VERSION + 1})


NEWER = (
    f"schema version {SCHEMA_VERSION + 1} is newer than {SCHEMA_VERSION};"
    " upgrade speedmetal to read it"
)


def test_a_line_of_a_newer_schema_says_so(tmp_path: Path) -> None:
    """Proves the advice to upgrade, and that older lines of the same file are used."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(line("a") + newer(msgspec.json.decode(line("b"))) + b"\n")
    found = read_records(path)
    assert [f.message for f in found.findings] == ["a"]
    assert found.bad_lines == (BadLine(2, NEWER),)


@pytest.mark.parametrize("record", [{"type": "song"}, {"type": "finding", "message": ["a", "b"]}])
def test_a_newer_schema_says_so_also_where_its_shape_is_another(record: dict[str, Any]) -> None:
    """Proves that the cause is named, a newer version, not its consequence in some field."""
    with pytest.raises(msgspec.ValidationError, match=re.escape(NEWER)):
        decode_line(newer(record))


# -- Samples that are no times -------------------------------------------------------------------

IMPOSSIBLE = {
    "a clock that stood still": (
        {"samples_nanoseconds": [5, 0, 5]},
        "a sample took 0 ns: the clock stood still",
    ),
    "a clock that went back": (
        {"samples_nanoseconds": [5, -7, 0]},
        "a sample took -7 ns: the clock went back",
    ),
    "a control whose clock stood still": (
        {"control_nanoseconds": [0], "control_rounds": [0]},
        "a sample took 0 ns: the clock stood still",
    ),
    "samples of no call": ({"calls_per_sample": 0}, "a sample of 0 calls is no time of a call"),
    "no samples": ({"samples_nanoseconds": [], "rounds": []}, "the record has no samples"),
    "a sample without a round": (
        {"rounds": [0, 1]},
        "the record has 3 samples and 2 rounds of them",
    ),
}


def timed(**changes: Any) -> CaseRecord:
    """A timed record of three samples, with other values in its timing."""
    timing: dict[str, Any] = {
        "mode": "latency",
        "cache": "warm",
        "calls_per_sample": 1,
        "samples_nanoseconds": [5, 6, 5],
        "rounds": [0, 1, 2],
        "positions": [0, 0, 0],
        "first_call_nanoseconds": 9,
    }
    return CaseRecord(
        run_id="r",
        session=1,
        time_utc="2025-03-04T05:06:07Z",
        case=CaseSpec(operation="o", title="O", family="f", arguments="a", parameters={}),
        contender=Contender(framework="numpy", device="cpu", mode="eager"),
        environment="e",
        group="g",
        status=Status.OK,
        timing=Timing(**(timing | changes)),
    )


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_samples_that_are_no_times_are_no_result(name: str, tmp_path: Path) -> None:
    """Proves that a record which no figure can be computed from is read as implausible, with the
    reason, and loses none of what it holds; and that the others stay as they are."""
    changes, reason = IMPOSSIBLE[name]
    strange, sound = timed(**changes), timed()
    with RecordWriter(tmp_path / "run.jsonl") as writer:
        writer.append([strange, sound])
    found = read_records(tmp_path / "run.jsonl").cases
    assert found == [replace(strange, status=Status.IMPLAUSIBLE, reason=reason), sound]


def test_a_missing_file_is_an_error_of_the_user(tmp_path: Path) -> None:
    """Proves the full text."""
    path = tmp_path / "no.jsonl"
    with pytest.raises(UserInputError) as info:
        read_records(path)
    assert str(info.value) == (
        f"cannot read records from {path}: [Errno 2] No such file or directory: {str(path)!r}"
    )


def test_a_folder_is_no_record_file(tmp_path: Path) -> None:
    """Proves that naming a folder is answered as an error of the user."""
    with pytest.raises(UserInputError, match="cannot read records from"):
        read_records(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \n"])
def test_an_empty_file_is_an_error_of_the_user(tmp_path: Path, content: bytes) -> None:
    """Proves the full text, for no bytes and for empty lines alone."""
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserInputError) as info:
        read_records(path)
    assert str(info.value) == (
        f"{path} holds no record (the file is empty);"
        " expected a file that `speedmetal bench --out` wrote"
    )


def test_a_file_without_any_record_names_its_first_problem(tmp_path: Path) -> None:
    """Proves the full text for a file of another program."""
    path = tmp_path / "other.csv"
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(UserInputError) as info:
        read_records(path)
    assert str(info.value) == (
        f"{path} holds no record"
        " (first problem: line 1: JSON is malformed: invalid character (byte 0));"
        " expected a file that `speedmetal bench --out` wrote"
    )


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    """Proves that `.jsonl.gz` gives the same records as the plain file."""
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(line("a") + b"foreign\n" + line("b")))
    found = read_records(path)
    assert [f.message for f in found.findings] == ["a", "b"]
    assert [bad.number for bad in found.bad_lines] == [2]


def test_a_truncated_compressed_file_is_an_error_of_the_user(tmp_path: Path) -> None:
    """Proves that a broken download is named, and not taken for a smaller run."""
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(line("a") * 50)[:-12])
    with pytest.raises(UserInputError) as info:
        read_records(path)
    assert str(info.value) == (
        f"cannot read records from {path}:"
        " Compressed file ended before the end-of-stream marker was reached"
    )


def test_a_plain_file_named_gz_is_an_error_of_the_user(tmp_path: Path) -> None:
    """Proves that a wrong name is answered clearly."""
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(line("a"))
    with pytest.raises(UserInputError, match="Not a gzipped file"):
        read_records(path)


def test_a_damaged_compressed_file_is_an_error_of_the_user(tmp_path: Path) -> None:
    """Proves that damage in the middle of compressed data ends in our own error."""
    path = tmp_path / "run.jsonl.gz"
    data = bytearray(gzip.compress(b"".join(line(str(n)) for n in range(500))))
    data[10:40] = b"\xff" * 30
    path.write_bytes(data)
    with pytest.raises(UserInputError, match="cannot read records from"):
        read_records(path)


# -- Writers -----------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    return f"{path} is being written by another run; wait for it, or give another --out"


def test_two_writers_in_one_process_are_refused(tmp_path: Path) -> None:
    """Proves the full text, and that the first writer is not disturbed."""
    path = tmp_path / "run.jsonl"
    with RecordWriter(path) as writer:
        with pytest.raises(StoreError) as info:
            RecordWriter(path)
        assert str(info.value) == refusal(path)
        writer.append([finding("a")])
    with RecordWriter(path) as writer:
        writer.append([finding("b")])
    assert messages(path) == ["a", "b"]


def test_two_writing_processes_are_refused(tmp_path: Path) -> None:
    """Proves that the lock holds between processes, and ends with its owner."""
    path = tmp_path / "run.jsonl"
    code = (
        "import sys, pathlib\n"
        "from speedmetal.bench.store import RecordWriter\n"
        "from speedmetal.errors import StoreError\n"
        "try:\n"
        "    RecordWriter(pathlib.Path(sys.argv[1])).close()\n"
        "except StoreError as error:\n"
        "    print(error)\n"
        "else:\n"
        "    print('opened')\n"
    )
    with RecordWriter(path):
        assert run_python(code, str(path)).stdout.strip() == refusal(path)
    assert run_python(code, str(path)).stdout.strip() == "opened"


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    """Proves that a file in place of a folder ends in a StoreError that names the path."""
    (tmp_path / "file").write_text("x")
    path = tmp_path / "file" / "run.jsonl"
    with pytest.raises(StoreError, match=f"^cannot write records to {re.escape(str(path))}: "):
        RecordWriter(path)


def test_a_writer_that_could_not_open_its_file_leaves_no_lock(tmp_path: Path) -> None:
    """Proves that a second try is not told of another run that does not exist."""
    path = tmp_path / "run.jsonl"
    path.mkdir()
    with pytest.raises(StoreError) as first:
        RecordWriter(path)
    assert "Is a directory" in str(first.value)
    path.rmdir()
    with RecordWriter(path) as writer:
        writer.append([finding("a")])
    assert messages(path) == ["a"]


KILLED_WRITER = """
import os, pathlib, random, sys
from speedmetal.bench.record import FindingRecord
from speedmetal.bench.store import RecordWriter

writer = RecordWriter(pathlib.Path(sys.argv[1]))
life, generator = int(sys.argv[2]), random.Random(int(sys.argv[2]))
os.write(1, b"ready\\n")
for number in range(1_000_000):
    size = generator.choice([10, 5_000, 400_000])
    record = FindingRecord(
        run_id="r", session=life, time_utc="t", kind=str(number), message="x" * size
    )
    writer.append([record])
    os.write(1, b"%d\\n" % number)
"""


def live_and_die(path: Path, life: int, seconds: float) -> int:
    """Write records until killed; the number of records that `append` said are on the disk."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(path), str(life)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(seconds)
    process.kill()
    said = process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return said.count(b"\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_9_at_any_moment_costs_at_most_the_line_being_written(tmp_path: Path) -> None:
    """Proves that after each real kill every finished record is there, at most the last line is
    torn, and the next process appends to the same file."""
    path = tmp_path / "run.jsonl"
    generator = random.Random(20250304)
    finished = {}
    for life in range(1, KILLS + 1):
        finished[life] = live_and_die(path, life, generator.uniform(0, 0.05))
        if not path.read_bytes():
            continue
        found = read_records(path)
        lines = path.read_bytes().count(b"\n")
        assert len(found.bad_lines) <= life
        # A tear of this life is the last line of all; earlier tears were ended by a fresh line.
        assert all(bad.number <= lines + 1 for bad in found.bad_lines)
    with RecordWriter(path) as writer:
        writer.append([finding("epilogue", session=KILLS + 1)])
    found = read_records(path)
    assert found.findings[-1].message == "epilogue"
    for life, count in finished.items():
        numbers = [int(f.kind) for f in found.findings if f.session == life]
        # A record may be on the disk before its writer could say so.
        assert numbers in (list(range(count)), list(range(count + 1)))
    assert sum(finished.values()) > KILLS
    assert len(found.bad_lines) <= KILLS


FULL_DISK = """
import pathlib, resource, signal, sys
from speedmetal.bench.record import FindingRecord
from speedmetal.bench.store import RecordWriter
from speedmetal.errors import StoreError

def finding(message):
    return FindingRecord(run_id="r", session=1, time_utc="t", kind="k", message=message)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = pathlib.Path(sys.argv[1])
with RecordWriter(path) as writer:
    writer.append([finding("before")])
    whole = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole + 1000, hard))
    try:
        writer.append([finding("x" * 200), finding("y" * 5000)])
    except StoreError as error:
        print(error)
    print(path.stat().st_size == whole)
    writer.append([finding("small")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    writer.append([finding("after")])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes")
def test_a_full_disk_is_a_clear_error_and_earlier_records_stay_whole(tmp_path: Path) -> None:
    """Proves, with a real limit of the kernel, the full text, that no tail is left, and that the
    same writer goes on once there is room."""
    path = tmp_path / "run.jsonl"
    done = run_python(FULL_DISK, str(path))
    assert done.stderr == ""
    message, unchanged = done.stdout.splitlines()
    assert re.fullmatch(
        re.escape(f"cannot write to {path}: ")
        + r"\[Errno 27\] File too large"
        + re.escape(
            "; what was written before is whole: free some space and continue with --resume"
        ),
        message,
    )
    assert unchanged == "True"
    assert messages(path) == ["before", "small", "after"]
    assert read_records(path).bad_lines == ()


class HalfWriter:
    """A file that fails with an exception after half of each write."""

    def __init__(self, file: Any, error: BaseException) -> None:
        self.file, self.error = file, error

    def fileno(self) -> int:
        return int(self.file.fileno())

    def write(self, data: bytes) -> int:
        self.file.write(data[: len(data) // 2])
        raise self.error


def test_an_interrupted_write_does_not_tear_the_next_record(tmp_path: Path) -> None:
    """Proves that Ctrl-C in the middle of a write costs that record alone, in the same writer."""
    path = tmp_path / "run.jsonl"
    with RecordWriter(path) as writer:
        writer.append([finding("a")])
        file = writer._file
        writer._file = HalfWriter(file, KeyboardInterrupt())  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            writer.append([finding("lost")])
        writer._file = file
        writer.append([finding("b")])
    assert messages(path) == ["a", "b"]


def test_a_failing_disk_is_a_store_error_even_where_nothing_can_be_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a failing truncation does not hide the first error or its advice."""
    path = tmp_path / "run.jsonl"
    with RecordWriter(path) as writer:
        file = writer._file
        writer._file = HalfWriter(file, OSError(5, "Input/output error"))  # type: ignore[assignment]

        def fail(*_: object) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr("os.ftruncate", fail)
        with pytest.raises(StoreError, match="Input/output error"):
            writer.append([finding("lost")])
        writer._file = file


def test_a_short_write_is_continued(tmp_path: Path) -> None:
    """Proves that a write that the kernel cuts short is finished, not lost."""
    path = tmp_path / "run.jsonl"

    class ShortWriter(HalfWriter):
        def write(self, data: bytes) -> int:
            return int(self.file.write(data[: max(1, len(data) // 3)]))

    with RecordWriter(path) as writer:
        file = writer._file
        writer._file = ShortWriter(file, OSError())  # type: ignore[assignment]
        writer.append([finding("a"), finding("b" * 1000)])
        writer._file = file
    assert messages(path) == ["a", "b" * 1000]
