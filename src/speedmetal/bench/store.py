"""Record files: JSON Lines, append-only, whole after ``kill -9`` at any moment.

A record is written as one line with one ``write`` and one ``fsync``. Only the last line can be
torn; a reader names it and uses the rest, a writer starts on a fresh line after it.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

import filelock
import msgspec
from msgspec.structs import replace

from speedmetal.bench.record import (
    SCHEMA_VERSION,
    CaseRecord,
    CeilingRecord,
    EnvironmentRecord,
    FindingRecord,
    Record,
    RunRecord,
    Status,
    Timing,
)
from speedmetal.errors import StoreError, UserInputError

_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_Kind = TypeVar("_Kind", CaseRecord, CeilingRecord, EnvironmentRecord, RunRecord, FindingRecord)


@dataclass(frozen=True)
class BadLine:
    """A line that is no record, with the reason."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"


@dataclass(frozen=True)
class Records:
    """The content of a record file: its records in order, and the lines that are none."""

    records: tuple[Record, ...]
    bad_lines: tuple[BadLine, ...] = field(default=())
    source: str = ""

    def of_run(self, run_id: str) -> Records:
        """The records of one run alone, and all environments."""
        kept = [r for r in self.records if getattr(r, "run_id", run_id) == run_id]
        return Records(tuple(kept), self.bad_lines, self.source)

    def _of(self, kind: type[_Kind]) -> list[_Kind]:
        return [record for record in self.records if isinstance(record, kind)]

    @property
    def cases(self) -> list[CaseRecord]:
        return self._of(CaseRecord)

    @property
    def ceilings(self) -> list[CeilingRecord]:
        return self._of(CeilingRecord)

    @property
    def environments(self) -> dict[str, EnvironmentRecord]:
        return {record.key: record for record in self._of(EnvironmentRecord)}

    @property
    def runs(self) -> list[RunRecord]:
        return self._of(RunRecord)

    @property
    def findings(self) -> list[FindingRecord]:
        return self._of(FindingRecord)


def decode_line(line: bytes) -> Record:
    """Decode one line.

    Raises:
        msgspec.ValidationError: It is JSON, but no record of this or an earlier schema.
        msgspec.DecodeError: It is not JSON.
    """
    try:
        record = _DECODER.decode(line)
        version = record.schema_version
    except msgspec.ValidationError:
        # A newer schema may have another shape: the version is the better reason.
        version = _version_of(line)
        if version <= SCHEMA_VERSION:
            raise
    if version > SCHEMA_VERSION:
        raise msgspec.ValidationError(
            f"schema version {version} is newer than {SCHEMA_VERSION};"
            " upgrade speedmetal to read it"
        )
    return _withdraw_impossible(record) if isinstance(record, CaseRecord) else record


def _withdraw_impossible(record: CaseRecord) -> CaseRecord:
    """The record, as implausible where no figure can be computed from its samples.

    Here, because everybody who computes figures reads records first.
    """
    reason = _reason_against(record.timing) if record.status.has_time else ""
    return replace(record, status=Status.IMPLAUSIBLE, reason=reason) if reason else record


def _reason_against(timing: Timing | None) -> str:
    """Why these samples are no times; "" where they are."""
    if timing is None or not timing.samples_nanoseconds:
        return "the record has no samples"
    if timing.calls_per_sample < 1:
        return f"a sample of {timing.calls_per_sample} calls is no time of a call"
    for samples, rounds, kind in (
        (timing.samples_nanoseconds, timing.rounds, "samples"),
        (timing.control_nanoseconds, timing.control_rounds, "samples of the control"),
    ):
        if len(samples) != len(rounds):
            return f"the record has {len(samples)} {kind} and {len(rounds)} rounds of them"
    least = min([*timing.samples_nanoseconds, *timing.control_nanoseconds])
    if least > 0:
        return ""
    return f"a sample took {least} ns: the clock {'stood still' if least == 0 else 'went back'}"


class _Header(msgspec.Struct):
    schema_version: int = 0


def _version_of(line: bytes) -> int:
    try:
        return msgspec.json.decode(line, type=_Header).schema_version
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0


def read_records(path: Path | str) -> Records:
    """Read a record file (``.jsonl``, or ``.jsonl.gz``), line by line.

    Torn and foreign lines are kept apart with their numbers; the rest is used.

    Raises:
        UserInputError: The file does not exist, cannot be read, or holds no record at all.
    """
    path = Path(path)
    records: list[Record] = []
    bad_lines: list[BadLine] = []
    try:
        for number, line in _lines(path):
            try:
                records.append(decode_line(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                bad_lines.append(BadLine(number, str(error)))
    except (OSError, EOFError, zlib.error) as error:
        raise UserInputError(f"cannot read records from {path}: {error}") from error
    if not records:
        hint = f" (first problem: {bad_lines[0]})" if bad_lines else " (the file is empty)"
        raise UserInputError(
            f"{path} holds no record{hint}; expected a file that `speedmetal bench --out` wrote"
        )
    return Records(tuple(records), tuple(bad_lines), str(path))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their numbers in the file."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


class RecordWriter:
    """Appends records to a file; one writer at a time.

    Args:
        path: The file; it is created with its folder where it does not exist.

    Raises:
        StoreError: Another process writes to the file, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(path.with_name(path.name + ".lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
            self._file: IO[bytes] = path.open("ab", buffering=0)
            self._end_torn_line()
        except filelock.Timeout as error:
            raise StoreError(
                f"{path} is being written by another run; wait for it, or give another --out"
            ) from error
        except OSError as error:
            self._lock.release()
            raise StoreError(f"cannot write records to {path}: {error}") from error

    def _end_torn_line(self) -> None:
        size = self.path.stat().st_size
        if size == 0:
            return
        with self.path.open("rb") as file:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                self._file.write(b"\n")

    def append(self, records: Iterable[Record]) -> None:
        """Write records and return when they are on the disk.

        Raises:
            StoreError: The disk is full or failing. What was written before stays whole.
        """
        data = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        if not data:
            return
        start = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:])
            os.fsync(self._file.fileno())
        except BaseException as error:
            # A torn tail would only cost its own line, but there is no need to leave one, and this
            # writer may go on. A disk that fails here too must not hide why.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), start)
            if not isinstance(error, OSError):
                raise
            raise StoreError(
                f"cannot write to {self.path}: {error}; what was written before is whole:"
                " free some space and continue with --resume"
            ) from error

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
