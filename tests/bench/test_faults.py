"""What goes wrong around a measurement: killed, hanging, crashing and noisy processes, memory and
disks that are full, runs that are stopped. Each ends in a status; the rest goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from planted import DEADLY_SHAPE, HANGING_VARIABLE
from small_run import Silent, case_of, last_records, measure, worker_path

from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.runner import run as run_module
from speedmetal.bench.runner.probe import probe
from speedmetal.bench.runner.rounds import Precision
from speedmetal.bench.runner.worker import MEMORY_LIMIT_VARIABLE
from speedmetal.bench.store import RecordWriter, read_records
from speedmetal.errors import StoreError, UserInputError

DEADLY = case_of("relu", shape=list(DEADLY_SHAPE))
HARMLESS = case_of("relu", shape=[32, 32])
ENDLESS = case_of("relu", shape=[1 << 62, 1 << 62])

# -- Workers -----------------------------------------------------------------------------------

FAULTS = {
    "KILLED_IN_SAMPLE": (Status.CRASH, "worker was ended by SIGKILL"),
    "HANGS": (Status.TIMEOUT, "no answer within 3 s"),
    "HANGS_IN_SAMPLE": (Status.TIMEOUT, "no answer within 3 s"),
    "OUT_OF_MEMORY": (Status.OUT_OF_MEMORY, "MemoryError: Unable to allocate 16.0 GiB"),
    "GARBAGE_IN_PIPE": (Status.CRASH, "worker sent garbage: a frame of 4294967295 bytes"),
    "RAISES": (Status.CRASH, "ValueError: the kernel was not found"),
}

Measured = Mapping[tuple[str, str], CaseRecord]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """One real run of all faults: a case in which they show, one in which they do not, and one
    that nobody can have."""
    out = tmp_path_factory.mktemp("faults") / "records.jsonl"
    names = ["HONEST", *FAULTS, "NOISY"]
    return last_records(measure(out, [ENDLESS, DEADLY, HARMLESS], names, case_timeout_seconds=3.0))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_in_a_status(name: str, measured: Measured) -> None:
    """Proves the status and the reason of each fault."""
    status, reason = FAULTS[name]
    if name == "OUT_OF_MEMORY" and sys.platform != "linux":
        pytest.skip("only Linux enforces RLIMIT_AS")
    record = measured[DEADLY.label, name]
    assert (record.status, record.reason[: len(reason)]) == (status, reason)
    assert record.timing is None


@pytest.mark.parametrize("name", ["HONEST", *FAULTS])
def test_who_failed_in_one_case_goes_on_with_the_next(name: str, measured: Measured) -> None:
    """Proves that a worker that died is started again for the case after."""
    record = measured[HARMLESS.label, name]
    assert record.status.has_time, (record.status, record.reason)


@pytest.mark.parametrize("case", [DEADLY.label, HARMLESS.label])
def test_the_others_keep_their_results(case: str, measured: Measured) -> None:
    """Proves that six that fail in a case cost the honest one neither its result nor its rounds,
    and that a framework that prints wherever it can disturbs nothing."""
    for name in ("HONEST", "NOISY"):
        record = measured[case, name]
        assert record.status.has_time, (record.status, record.reason)
        assert record.timing is not None
        assert len(record.timing.samples_nanoseconds) >= 5


def test_inputs_that_do_not_fit_are_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a case whose data cannot be made is out of memory for everybody, and that the
    next case is measured."""
    if sys.platform != "linux":
        pytest.skip("only Linux enforces RLIMIT_AS")
    monkeypatch.setenv(MEMORY_LIMIT_VARIABLE, str(3 << 30))
    large = case_of("relu", shape=[1 << 15, 1 << 15])
    records = last_records(measure(tmp_path / "records.jsonl", [large, HARMLESS], ["HONEST"]))
    record = records[large.label, "HONEST"]
    assert record.status is Status.OUT_OF_MEMORY
    assert record.reason.startswith("inputs and reference could not be made: ")
    assert records[HARMLESS.label, "HONEST"].status.has_time


@pytest.mark.parametrize("name", ["HONEST", *FAULTS, "NOISY"])
def test_a_case_beyond_all_bounds_is_a_status(name: str, measured: Measured) -> None:
    """Proves that a shape whose byte count exceeds 64 bits ends in records and not in the run."""
    assert measured[ENDLESS.label, name].status in (Status.OUT_OF_MEMORY, Status.CRASH)


# -- Frameworks that cannot be loaded ----------------------------------------------------------

BROKEN = """
from speedmetal.bench.frameworks.base import Framework

def _framework(name, adapter):
    return Framework(
        name=name, adapter=adapter, packages=(), modes=("eager",), default_modes=("eager",)
    )

RAISING = _framework("Raising", "import_that_raises:Adapter")
CRASHING = _framework("Crashing", "import_that_crashes:Adapter")
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of frameworks whose imports fail."""
    name = f"broken_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(BROKEN)
    (tmp_path / "import_that_raises.py").write_text(
        'import sys\nprint("loading", file=sys.stderr)\nraise RuntimeError("no driver here")\n'
    )
    (tmp_path / "import_that_crashes.py").write_text(
        "import os, signal, sys\n"
        'print("about to fall", file=sys.stderr, flush=True)\n'
        "os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for variable, value in worker_path(tmp_path).items():
        monkeypatch.setenv(variable, value)
    return name


def test_a_framework_whose_import_raises_is_unavailable(broken: str) -> None:
    """Proves the full text of the reason."""
    found = probe(f"{broken}:RAISING", Settings(1))
    assert not found.is_available
    assert found.reason == "cannot be loaded: RuntimeError: no driver here"


def test_a_framework_whose_import_crashes_is_unavailable(broken: str) -> None:
    """Proves that a signal takes the probe alone, and that its last words are kept."""
    found = probe(f"{broken}:CRASHING", Settings(1))
    assert found.reason == (
        f"crashes on import (signal {int(signal.SIGSEGV)}); last words: about to fall"
    )


def test_a_framework_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proves the full text of the reason."""
    for variable, value in worker_path().items():
        monkeypatch.setenv(variable, value)
    found = probe("planted:NOT_INSTALLED", Settings(1))
    assert found.reason == ("not installed; pip install speedmetal-is-without-this-package")
    assert (found.version, found.devices) == ("", ())


def test_an_honest_framework_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that the probe finds the version and the devices of a plugged-in framework."""
    for variable, value in worker_path().items():
        monkeypatch.setenv(variable, value)
    found = probe("planted:HONEST", Settings(1))
    assert found.is_available, found.reason
    assert found.version
    assert [device.name for device in found.devices] == ["cpu"]


def test_a_worker_that_cannot_start_is_skipped_with_a_finding(tmp_path: Path) -> None:
    """Proves that a contender which is lost between the probe and the run costs a record in each
    case, and nothing else."""
    observer = Silent()
    records = measure(tmp_path / "records.jsonl", [HARMLESS], ["HONEST", "NOT_INSTALLED"], observer)
    last = last_records(records)
    absent = last[HARMLESS.label, "NOT_INSTALLED"]
    assert (absent.status, absent.reason) == (Status.SKIPPED, "the worker could not be started")
    assert last[HARMLESS.label, "HONEST"].status.has_time
    # What the machine was like is a finding as well.
    (finding,) = (found for found in records.findings if found.kind != "machine")
    assert finding.kind == "unavailable"
    assert finding.message.startswith("planted:NOT_INSTALLED:cpu:eager: ModuleNotFoundError: ")
    assert f"unavailable: {finding.message}" in observer.messages


# -- The coordinator ---------------------------------------------------------------------------

DRIVER = """
from pathlib import Path
from small_run import case_of, measure
from speedmetal.bench.runner import run as run_module

run_module.MEMORY_FILE_SYSTEM = {memory!r}

cases = [case_of("relu", shape=[n, 16]) for n in (8, 9, 10)] + [case_of("relu", shape=[31, 33])]
print("begin", flush=True)
try:
    measure(Path({out!r}), cases, {names!r}, case_timeout_seconds=300.0)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise SystemExit(130)
print("end", flush=True)
"""
INTERRUPTED_CASES = [case_of("relu", shape=[n, 16]) for n in (8, 9, 10)] + [DEADLY]


@contextmanager
def coordinator(out: Path, names: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, with its data in ``memory`` beside ``out``."""
    memory = out.with_name("memory")
    memory.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(out=str(out), names=names, memory=str(memory))],
        env={**os.environ, **worker_path(), HANGING_VARIABLE: str(out.with_name("hanging"))},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        workers = children_of(process.pid)
        process.kill()
        process.communicate()
        for worker in workers:
            if worker.is_running():
                worker.kill()


def children_of(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_until(is_true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that must happen."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def cases_in(out: Path) -> int:
    """Case records in a file that is being written."""
    return out.read_bytes().count(b'"type":"case"') if out.exists() else 0


def are_gone(workers: list[psutil.Process]) -> bool:
    """Whether they end by themselves within five seconds; who does not is ended here."""
    _, alive = psutil.wait_procs(workers, timeout=5.0)
    for worker in alive:
        worker.kill()
    return not alive


def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Proves that after SIGKILL in the middle of a run the file is whole, that no worker is left
    over, and that the continued run has every case exactly once."""
    out = tmp_path / "records.jsonl"
    names = ["HONEST", "SLOW_CELL"]
    with coordinator(out, names) as process:
        wait_until(lambda: cases_in(out) >= 2)
        workers = children_of(process.pid)
        process.kill()
        process.wait()
        assert are_gone(workers)
        assert len(workers) == 4  # two contenders, a control, the maker of data
    before = read_records(out)
    assert not before.bad_lines
    assert 2 <= len(before.cases) < 8
    observer = Silent()
    after = measure(out, INTERRUPTED_CASES, names, observer, resume=True)
    assert not after.bad_lines
    found = Counter((r.case.label, r.contender.framework) for r in after.cases)
    assert found == {
        (case.label, f"planted:{name}"): 1 for case in INTERRUPTED_CASES for name in names
    }
    assert after.cases[: len(before.cases)] == before.cases
    assert len({record.run_id for record in after.cases}) == 1
    assert [run.resumed for run in after.runs] == [False, True]
    assert observer.counts == [(4, len(before.cases) // 2)]


def test_no_worker_outlives_a_killed_run_even_one_that_hangs(tmp_path: Path) -> None:
    """Proves that a worker in a call that never comes back ends by itself with its coordinator,
    that the data which it computes on do not stay in memory, and that the file can be written at
    once after its coordinator was killed."""
    out = tmp_path / "records.jsonl"
    with coordinator(out, ["HANGS"]) as process:
        wait_until((tmp_path / "hanging").exists)
        workers = children_of(process.pid)
        with pytest.raises(StoreError), RecordWriter(out):
            pass
        process.kill()
        process.wait()
        with RecordWriter(out):
            pass
        assert are_gone(workers)
        assert len(workers) == 3
    assert not any((tmp_path / "memory").iterdir())


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_leaves_no_worker_and_a_whole_file(tmp_path: Path) -> None:
    """Proves that Ctrl-C reaches the caller as KeyboardInterrupt, after the workers are gone, even
    one that hangs, and that scratch data are removed."""
    out = tmp_path / "records.jsonl"
    with coordinator(out, ["HANGS"]) as process:
        wait_until((tmp_path / "hanging").exists)
        workers = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
        assert (process.returncode, output.split()) == (130, ["begin", "interrupted"])
        assert are_gone(workers)
    assert not any((tmp_path / "memory").iterdir())
    records = read_records(out)
    assert not records.bad_lines
    assert len(records.cases) == 3


# -- Continuing --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a finished run of one case."""
    out = tmp_path_factory.mktemp("finished") / "records.jsonl"
    measure(out, [HARMLESS], ["HONEST"])
    return out.read_bytes()


def test_a_file_that_exists_is_not_written_over(finished: bytes, tmp_path: Path) -> None:
    """Proves the full text of the refusal, and that the file is not touched."""
    out = tmp_path / "records.jsonl"
    out.write_bytes(finished)
    with pytest.raises(UserInputError) as caught:
        measure(out, [HARMLESS], ["HONEST"])
    assert str(caught.value) == (
        f"{out} exists; give another --out, --resume to continue its run, or --append to add"
        " another run to it"
    )
    assert out.read_bytes() == finished


def test_a_finished_run_has_nothing_to_continue(finished: bytes, tmp_path: Path) -> None:
    """Proves that continuing a finished run starts no worker and adds no case."""
    out = tmp_path / "records.jsonl"
    out.write_bytes(finished)
    observer = Silent()
    records = measure(out, [HARMLESS], ["HONEST"], observer, resume=True)
    assert observer.counts == [(1, 1)]
    assert len(records.cases) == 1
    assert len(records.environments) == 1


def test_a_run_without_time_skips_and_is_completed_later(tmp_path: Path) -> None:
    """Proves that a spent budget leaves a record of each case with its reason, and that these are
    the ones that a continued run measures."""
    out = tmp_path / "records.jsonl"
    first = measure(out, [HARMLESS, DEADLY], ["HONEST"], budget_seconds=0.01)
    reason = "the budget of 0 s was used up; continue with --resume"
    assert [(r.status, r.reason) for r in first.cases] == [(Status.SKIPPED, reason)] * 2
    second = measure(out, [HARMLESS, DEADLY], ["HONEST"], resume=True)
    assert len(second.cases) == 4
    assert all(r.status.has_time for r in last_records(second).values())


def test_too_few_rounds_are_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that two samples are a skipped case with its reason, not a median of two."""
    precision = Precision(least_rounds=2, most_rounds=2)
    monkeypatch.setattr(Precision, "of_session", lambda whole, _: whole)
    records = measure(tmp_path / "records.jsonl", [HARMLESS], ["HONEST"], precision=precision)
    (record,) = records.cases
    assert (record.status, record.reason) == (
        Status.SKIPPED,
        "only 2 samples fitted into the budget",
    )


# -- The disk ----------------------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_scratch_disk_is_a_status(
    tiny_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that data which do not fit on the disk cost their case, whose partial files go, so
    that the next case is measured; and that nothing stays behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tiny_disk))
    monkeypatch.setattr(run_module, "MEMORY_FILE_SYSTEM", str(tmp_path / "none"))
    large = case_of("relu", shape=[512, 512])
    records = last_records(measure(tmp_path / "records.jsonl", [large, HARMLESS], ["HONEST"]))
    record = records[large.label, "HONEST"]
    assert record.status is Status.CRASH
    assert record.reason.startswith("inputs and reference could not be made: OSError: ")
    assert records[HARMLESS.label, "HONEST"].status.has_time, records[HARMLESS.label, "HONEST"]
    assert list(tiny_disk.iterdir()) == []


def test_data_that_do_not_fit_in_memory_go_to_the_disk(
    tiny_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a file system in memory which turns out too small costs no case: what is moved
    at least (0.4 MB) seems to fit, but inputs and wide references of two seeds take 2 MB."""
    monkeypatch.setattr(run_module, "MEMORY_FILE_SYSTEM", str(tiny_disk))
    case = case_of("relu", dtype="float16", shape=[1000, 100])
    (record,) = measure(tmp_path / "records.jsonl", [case], ["HONEST"]).cases
    assert record.status.has_time, record.reason
    assert list(tiny_disk.iterdir()) == []
