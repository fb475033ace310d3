"""Continuing a run: what is done again, what is not, and what is another run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from planted import DEADLY_SHAPE
from small_run import Silent, case_of, contender_of, measure, worker_path

from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.record import CaseRecord, Record, RunRecord, Status
from speedmetal.bench.runner.resume import Earlier, find_earlier
from speedmetal.bench.runner.rounds import Precision
from speedmetal.bench.store import Records, RecordWriter, read_records
from speedmetal.errors import UserInputError

DEADLY = case_of("relu", shape=list(DEADLY_SHAPE))
RELU = case_of("relu", shape=[32, 32])
PRECISE = Precision(least_rounds=6, most_rounds=6, half_width=100.0)
NEVER = Precision(least_rounds=6, most_rounds=6, half_width=0.0)


SLOW = "planted:SLOW_CELL"


def count(records: Records) -> Counter[tuple[str, int, str]]:
    """Records by contender, session and status."""
    return Counter(
        (r.contender.framework.removeprefix("planted:"), r.session, r.status.value)
        for r in records.cases
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a finished run of one case."""
    out = tmp_path_factory.mktemp("finished") / "records.jsonl"
    measure(out, [RELU], ["HONEST"], sessions=1, precision=PRECISE)
    return out.read_bytes()


# -- What is done again ------------------------------------------------------------------------


def test_a_crash_is_tried_once_more_and_no_more(tmp_path: Path) -> None:
    """Proves that a case whose worker was killed is measured again by the first continuation, and
    by no other."""
    out, names = tmp_path / "records.jsonl", ["KILLED_IN_SAMPLE"]
    crashes = [
        count(measure(out, [DEADLY, RELU], names, resume=resume, sessions=1, precision=PRECISE))[
            "KILLED_IN_SAMPLE", 1, "crash"
        ]
        for resume in (False, True, True)
    ]
    assert crashes == [1, 2, 2]


def test_a_timeout_is_tried_again_with_more_time(tmp_path: Path) -> None:
    """Proves that what did not fit into --case-timeout is measured again where that is longer, and
    not where it is the same."""
    out = tmp_path / "records.jsonl"
    measure(out, [DEADLY], ["HANGS"], sessions=1, case_timeout_seconds=0.5)
    for seconds, tries in ((0.5, 1), (0.7, 2)):
        records = measure(
            out, [DEADLY], ["HANGS"], sessions=1, case_timeout_seconds=seconds, resume=True
        )
        assert count(records) == {("HANGS", 1, "timeout"): tries}


def test_ratios_that_are_not_known_well_get_another_session(tmp_path: Path) -> None:
    """Proves that a finished run gets a session more each time it is continued, where an interval
    is wider than wanted, and none where it is not."""
    out, names = tmp_path / "records.jsonl", ["HONEST", "HONEST_GRADIENT"]
    measure(out, [RELU], names, sessions=1, precision=PRECISE)
    assert {
        r.session
        for r in measure(out, [RELU], names, sessions=1, precision=PRECISE, resume=True).cases
    } == {1}
    for session in (2, 3):
        observer = Silent()
        records = measure(out, [RELU], names, observer, sessions=1, precision=NEVER, resume=True)
        assert {r.session for r in records.cases} == set(range(1, session + 1))
        assert observer.counts == [(2, 1)]
        assert observer.messages[0] == (
            f"every case has its sessions; session {session} adds samples to 1 of 1 cases, of which"
            " a ratio is not known to within 0%"
        )


def test_more_sessions_are_added(finished: bytes, tmp_path: Path) -> None:
    """Proves that a run is continued with as many sessions as are asked for."""
    out = tmp_path / "records.jsonl"
    out.write_bytes(finished)
    records = measure(out, [RELU], ["HONEST"], sessions=2, precision=PRECISE, resume=True)
    assert [r.session for r in records.cases] == [1, 2]


# -- Interruptions -----------------------------------------------------------------------------

DRIVER = """
from pathlib import Path
from small_run import Silent, case_of, measure
from speedmetal.bench.runner.rounds import Precision

class Telling(Silent):
    def phase(self, case, text):
        print(text, flush=True)

try:
    measure(
        Path({out!r}),
        [case_of("relu", shape=[32, 32]), case_of("relu", shape=[33, 32])],
        ["HONEST", "SLOW_CELL"],
        Telling(),
        sessions=1,
        precision=Precision(least_rounds=200, most_rounds=200),
    )
except KeyboardInterrupt:
    raise SystemExit(130)
"""


def interrupted_in(step: str, out: Path) -> list[CaseRecord]:
    """The cases of a run that is interrupted when it comes to a step."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(out=str(out))],
        env={**os.environ, **worker_path()},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any(line.strip() == step for line in process.stdout)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()
    return read_records(out).cases


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_case_keeps_its_samples(tmp_path: Path) -> None:
    """Proves that Ctrl-C in the middle of a case costs its turn alone where there are samples for
    a verdict, and ends the run."""
    cases = interrupted_in("round 7", tmp_path / "records.jsonl")
    assert [r.contender.framework for r in cases] == ["planted:HONEST", "planted:SLOW_CELL"]
    for record in cases:
        assert record.status is Status.OK, record.reason
        assert record.timing is not None
        rounds = len(record.timing.rounds)
        assert 7 <= rounds < 200
        assert len(record.timing.samples_nanoseconds) == rounds
        assert f"stopped by the user after {rounds} rounds" in record.notes


@pytest.mark.usefixtures("interruptible")
def test_a_case_of_few_samples_is_not_kept(tmp_path: Path) -> None:
    """Proves that what is too little for a verdict is left to the continuation."""
    assert interrupted_in("round 2", tmp_path / "records.jsonl") == []


# -- What is another run -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cases": [DEADLY]}, "of its 1 cases 1 are gone, and 1 are new"),
        ({"seed": 7, "cache": "cold"}, "cache was warm, is cold; seed was 0, is 7"),
        ({"settings": Settings(1, "ieee", "kept")}, "memory was default, is kept"),
        (
            {"contenders": [contender_of("HONEST"), contender_of("SLOW_CELL")]},
            f"{SLOW}:cpu:eager did not take part; version of {SLOW} was absent, is ",
        ),
        (
            {"contenders": [replace(contender_of("HONEST"), version="9.9")]},
            "version of planted:HONEST was , is 9.9",
        ),
    ],
    ids=["cases", "settings", "memory", "contenders", "version"],
)
def test_other_terms_are_another_run(
    change: dict[str, object], told: str, finished: bytes, tmp_path: Path
) -> None:
    """Proves that a refusal tells every difference and what to do, and leaves the file alone."""
    out = tmp_path / "records.jsonl"
    out.write_bytes(finished)
    options = {"cases": [RELU], "names": ["HONEST"], "resume": True, "precision": PRECISE} | change
    with pytest.raises(UserInputError) as caught:
        measure(out, **options)
    assert str(caught.value) == (
        f"{out} holds a run of other terms: {told}. Leave such options out to continue it, give"
        " another --out to keep them apart, or --append to add a run to the file"
    )
    assert out.read_bytes() == finished


def test_another_machine_does_not_continue_a_run(finished: bytes, tmp_path: Path) -> None:
    """Proves that times of two machines do not get into one run."""
    out = tmp_path / "records.jsonl"
    (start, *rest) = read_records_of(finished, tmp_path)
    assert isinstance(start, RunRecord)
    moved = replace(start, settings={**start.settings, "machine": "Another with 64 cores"})
    with RecordWriter(out) as writer:
        writer.append([moved, *rest])
    with pytest.raises(UserInputError, match="machine was Another with 64 cores, is "):
        measure(out, [RELU], ["HONEST"], resume=True, precision=PRECISE)


def test_a_run_is_added_to_a_file(finished: bytes, tmp_path: Path) -> None:
    """Proves that another run of other terms follows the first in the file, that its own records
    alone are given back, and that it is the one which is continued then."""
    out = tmp_path / "records.jsonl"
    out.write_bytes(finished)
    options = {"sessions": 1, "precision": PRECISE, "seed": 7}
    added = measure(out, [DEADLY], ["HONEST"], append=True, **options)
    assert [r.case.label for r in added.cases] == [DEADLY.label]
    assert out.read_bytes().startswith(finished)
    whole = read_records(out)
    assert len({run.run_id for run in whole.runs}) == 2
    continued = measure(out, [DEADLY], ["HONEST"], resume=True, **options)
    assert continued.cases == added.cases


def test_nothing_is_added_to_a_file_of_another_kind(tmp_path: Path) -> None:
    """Proves that --append checks what it adds to."""
    out = tmp_path / "notes.txt"
    out.write_text("precious\n")
    with pytest.raises(UserInputError, match="holds no record"):
        measure(out, [RELU], ["HONEST"], append=True)
    assert out.read_text() == "precious\n"


def read_records_of(content: bytes, folder: Path) -> tuple[Record, ...]:
    path = folder / "read.jsonl"
    path.write_bytes(content)
    return read_records(path).records


def test_an_older_file_is_continued(finished: bytes, tmp_path: Path) -> None:
    """Proves that what a run did not record is no difference."""
    (start, *rest) = read_records_of(finished, tmp_path)
    assert isinstance(start, RunRecord)
    kept = ("threads", "precision", "timing_mode", "cache", "seed", "case_timeout_seconds")
    older = replace(start, settings={name: start.settings[name] for name in kept})
    out = tmp_path / "records.jsonl"
    with RecordWriter(out) as writer:
        writer.append([older, *rest])
    earlier = find_earlier(out, {"seed": 0, "memory": "default"}, 0.02, 60.0)
    (case,) = (r for r in rest if isinstance(r, CaseRecord))
    assert earlier == Earlier(
        start.run_id, frozenset([(1, case.case.key, case.contender.key)]), sessions=1
    )
    assert case.status is not Status.SKIPPED
