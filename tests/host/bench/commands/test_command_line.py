"""What a person types: every command, its messages and its exit status."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from small_ceilings import small_ceilings
from speedmetal import cli
from speedmetal.bench.commands import bench, progress
from speedmetal.bench.frameworks import FRAMEWORKS
from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    Check,
    Contender,
    EnvironmentRecord,
    Record,
    RunRecord,
    Status,
    Timing,
)
from speedmetal.bench.runner import device_ceilings
from speedmetal.bench.store import RecordWriter, read_records

SUITE = '[[case]]\noperation = "relu"\nshape = [64, 64]\n'
PUBLISHED = (
    "device,config,table,operation,arguments,backend,milliseconds\n"
    "M9,(cores: 4E),detailed,ReLU,dim=128x16x1024,mlx_gpu,1.50\n"
    "M9,(cores: 4E),detailed,ReLU,dim=128x16x1024,mlx_gpu_compile,0.75\n"
    "M9,(cores: 4E),detailed,ReLU,dim=128x16x1024,mps,3.00\n"
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture
def speedmetal(monkeypatch, capfdbinary):
    """Runs the console script's own entry point in this process, with ceilings in milliseconds."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["speedmetal", *map(str, arguments)])
        with small_ceilings(), pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capfdbinary.readouterr()
        code = stopped.value.code
        return Outcome(int(code or 0), captured.out.decode(), captured.err.decode())

    return run


def environment(**changes: object) -> EnvironmentRecord:
    facts: dict[str, object] = {
        "system": "Linux",
        "chip": "Chip",
        "cores": 2,
        "core_split": "",
        "memory_bytes": 1 << 30,
        "last_level_cache_bytes": 1 << 20,
        "python": "CPython 3.12.0",
        "threads": 2,
        "governor": "",
        "packages": {"numpy": "2.0.0"},
        "devices": {"numpy:cpu": "Chip"},
        "variables": {},
        "settings": {},
    }
    return EnvironmentRecord(**(facts | changes))


def record(
    seconds: float, operation: str, env: EnvironmentRecord, session: int, run_id: str
) -> CaseRecord:
    """A timed record whose 10 samples, and those of its control, lie within 1 % around a time."""
    scale = 1 + 0.0005 * session
    samples = [round(seconds * 1e9 * scale * (1 + 0.005 * (i * 7 % 5 - 2))) for i in range(10)]
    return CaseRecord(
        run_id=run_id,
        session=session,
        time_utc="2026-01-01T00:00:00+00:00",
        case=CaseSpec(
            operation=operation,
            title=operation.title(),
            family="f",
            arguments="dim=8",
            parameters={"shape": [8]},
        ),
        contender=Contender(framework="numpy", device="cpu", mode="eager"),
        environment=env.key,
        group=f"{operation} {session}",
        status=Status.OK,
        check=Check(
            max_absolute=0.0,
            max_relative=0.0,
            rms_relative=0.0,
            tolerance_max=1.0,
            tolerance_rms=1.0,
            elements=8,
            outputs=1,
            nan_matches=True,
            second_seed="reference",
            passed=True,
        ),
        timing=Timing(
            mode="latency",
            cache="warm",
            calls_per_sample=1,
            samples_nanoseconds=samples,
            rounds=list(range(10)),
            positions=[0] * 10,
            first_call_nanoseconds=samples[0],
            control_nanoseconds=samples[::-1],
            control_rounds=list(range(10)),
        ),
    )


def store(
    path: Path,
    seconds: dict[str, float],
    *,
    sessions: int = 3,
    time_utc: str = "2026-01-01T00:00:00+00:00",
    **changes: object,
) -> Path:
    """A record file with one case per operation, each in several sessions."""
    env = environment(**changes)
    start = RunRecord(
        run_id=path.stem,
        time_utc=time_utc,
        suite="s",
        command="speedmetal bench",
        settings={},
        speedmetal_version="0",
    )
    records: list[Record] = [start, env]
    records += [
        record(time, operation, env, session, path.stem)
        for session in range(1, sessions + 1)
        for operation, time in seconds.items()
    ]
    with RecordWriter(path) as writer:
        writer.append(records)
    return path


# -- Help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["info", "bench", "report", "compare", "history", "audit"])
def test_help_shows_examples(speedmetal, command: str) -> None:
    """Proves that every command's help has examples that start with the command itself."""
    outcome = speedmetal(command, "--help")
    assert outcome.status == 0
    assert "Examples" in outcome.out
    assert f"speedmetal {command}" in outcome.out


def test_help_imports_nothing_heavy() -> None:
    """Proves that asking for help imports no framework, no NumPy and no part of the benchmark."""
    script = (
        "import sys; sys.argv = ['speedmetal', '--help']\n"
        "from speedmetal import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "names = ('numpy', 'mlx', 'torch', 'jax', 'scipy', 'speedmetal.bench')\n"
        "print('HEAVY', [n for n in names if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "HEAVY []"


def test_version(speedmetal) -> None:
    """Proves that --version prints the package's version."""
    from speedmetal import __version__

    assert speedmetal("--version") == Outcome(0, f"speedmetal {__version__}\n", "")


# -- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bench", "--ops", "sofmax"), "unknown operation 'sofmax'; did you mean softmax"),
        (("bench", "--suite", "quik"), "unknown suite 'quik'; did you mean quick?"),
        (("bench", "--suite", "no.toml"), "cannot read suite no.toml"),
        (
            ("bench", "--frameworks", "nunpy"),
            "unknown framework 'nunpy'; did you mean numpy or cupy?",
        ),
        (
            ("bench", "--frameworks", "numpy", "--devices", "cpuu"),
            "unknown device 'cpuu'; did you mean cpu? Valid devices: cpu",
        ),
        (("bench", "--dtypes", "float23"), "unknown dtype 'float23'; did you mean float"),
        (("bench", "--directions", "foreward"), "unknown direction 'foreward'; did you mean"),
        (("bench", "--frameworks", "numpy", "--modes", "eagre"), "unknown mode 'eagre'"),
        (("bench", "--precision", "tf23"), "unknown precision 'tf23'; did you mean tf32?"),
        (("bench", "--timing", "latancy"), "unknown timing 'latancy'; did you mean latency?"),
        (("bench", "--cache", "hot"), "unknown cache 'hot'"),
        (
            ("bench", "--frameworks", "numpy", "--budget", "soon"),
            "--budget: expected a duration above zero such as 90s",
        ),
        (("bench", "--frameworks", "numpy", "--case-timeout", "0"), "--case-timeout: expected"),
        (("bench", "--l2", "icy"), "unknown l2 'icy'. Valid l2s: cold, warm"),
        (
            ("bench", "--l2", "cold", "--timing", "throughput"),
            (
                "--l2 cold: of calls in flight each finds in the cache what the one before it left;"
                " measure it with --timing latency"
            ),
        ),
        (("bench", "--energy", "0s"), "--energy: expected a duration above zero"),
        (("bench", "--threads", "0"), "--threads: expected 1 to"),
        (("bench", "--sessions", "0"), "--sessions: expected at least 1, got 0"),
        (("bench", "--seed", "-1"), "--seed: expected 0 to 4294967295, got -1"),
        (("bench", "--resume"), "--resume needs --out FILE"),
        (("bench", "--resume", "--out", "no.jsonl"), "cannot read records from no.jsonl"),
        (("report", "no.jsonl"), "cannot read records from no.jsonl"),
        (("compare", "no.jsonl", "no.jsonl"), "cannot read records from no.jsonl"),
        (("compare", "a", "b", "--threshold", "-1"), "--threshold: expected 0 or more percent"),
        (("compare", "a", "b", "--format", "markdwon"), "did you mean markdown?"),
        (("bench", "--compare-to", "no.jsonl"), "cannot read records from no.jsonl"),
        (("bench", "--threshold", "3"), "--threshold goes with --compare-to FILE"),
        (("bench", "--summary", "s.md"), "--summary goes with --compare-to FILE"),
        (("history", "no.jsonl"), "cannot read records from no.jsonl"),
        (("audit", "no.csv"), "no.csv"),
        (("audit", "x.csv", "--format", "mark"), "unknown format 'mark'; did you mean markdown?"),
    ],
)
def test_bad_input_is_named_and_ends_with_status_2(
    speedmetal, monkeypatch, tmp_path, arguments: tuple[str, ...], message: str
) -> None:
    """Proves that bad input exits with 2, one message on standard error, and no traceback."""
    monkeypatch.chdir(tmp_path)
    outcome = speedmetal(*arguments)
    assert outcome.status == 2
    assert outcome.err.startswith("speedmetal: ")
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert not list(tmp_path.iterdir()), "bad input must leave nothing behind"


def test_a_missing_extra_is_explained(speedmetal, monkeypatch) -> None:
    """Proves that without the extra the message says what to install."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    for name in [n for n in sys.modules if n.startswith("speedmetal.bench")]:
        monkeypatch.delitem(sys.modules, name)
    outcome = speedmetal("info")
    assert outcome.status == 2
    assert 'pip install "speedmetal[bench]"' in outcome.err


# -- Info ----------------------------------------------------------------------------------------


def test_info_lists_every_framework(speedmetal) -> None:
    """Proves that info gives, for every framework, devices or the reason why there is none."""
    outcome = speedmetal("info", "--json")
    assert outcome.status == 0
    document = msgspec.json.decode(outcome.out)
    frameworks = {f["name"]: f for f in document["frameworks"]}
    assert {"numpy", "torch", "mlx", "jax", "drjit", "speedmetal"} <= frameworks.keys()
    assert all(bool(f["devices"]) != bool(f["unavailable"]) for f in frameworks.values())
    assert frameworks["numpy"]["devices"][0]["name"] == "cpu"
    assert document["machine"]["chip"]


# -- Bench ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """The folder of a real run of one small case on NumPy."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.toml").write_text(SUITE)
    command = [*(sys.executable, "-m", "speedmetal", "bench", "--suite", "tiny.toml")]
    command += ["--frameworks", "numpy", "--out", "tiny.jsonl", "--budget", "60s", "--quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "tiny.jsonl: NumPy ran alone: 1 time, nothing to compare with.\n"
    return folder


@pytest.fixture
def tiny_run(measured, tmp_path, monkeypatch) -> Path:
    """The records of that run, in a folder of the test's own."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Path("tiny.jsonl")


def test_a_run_is_recorded_reported_and_resumed(speedmetal, tiny_run: Path) -> None:
    """Proves the main path: run, report in every format, and resume with nothing left to do."""
    cases = read_records(tiny_run).cases
    assert [c.status.has_time for c in cases] == [True] * 3

    for suffix in ("md", "csv", "parquet", "html"):
        outcome = speedmetal("report", tiny_run, "--out", f"report.{suffix}")
        assert outcome.status == 0
        assert Path(f"report.{suffix}").stat().st_size > 100
    assert "ReLU" in speedmetal("report", tiny_run).out

    outcome = speedmetal("bench", "--out", tiny_run, "--resume")
    assert outcome.status == 0
    assert read_records(tiny_run).cases == cases


def test_a_run_never_overwrites_another(speedmetal, tiny_run: Path) -> None:
    """Proves that an existing record file is refused and left as it is."""
    before = tiny_run.read_bytes()
    outcome = speedmetal(
        *("bench", "--suite", "tiny.toml", "--frameworks", "numpy", "--out", tiny_run)
    )
    assert outcome.status == 2
    assert "tiny.jsonl exists; give another --out, --resume to continue its run, or" in outcome.err
    assert tiny_run.read_bytes() == before


def test_json_prints_the_records(speedmetal, tiny_run: Path) -> None:
    """Proves that --json prints exactly what the file holds."""
    outcome = speedmetal("bench", "--out", tiny_run, "--resume", "--json")
    assert outcome.out == tiny_run.read_text()


def test_a_run_names_its_steps_and_ends_with_its_summary(speedmetal, tmp_path, monkeypatch) -> None:
    """Proves that progress knows what is going on from the search for frameworks on, and that the
    last that is printed is one screen, not the tables of all cases."""
    steps: list[str] = []

    class Noting(progress.PlainProgress):
        def phase(self, case: str, text: str) -> None:
            steps.append(f"{case}: {text}" if case else text)
            super().phase(case, text)

    monkeypatch.setattr(bench, "PlainProgress", Noting)
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(SUITE)
    outcome = speedmetal(
        *("bench", "--suite", "tiny.toml", "--frameworks", "numpy", "--budget", "60s")
    )
    assert steps[:6] == [
        "looking for numpy",
        "starting workers",
        "measuring this machine's ceilings (kept for a day): numpy:cpu:eager",
        "measuring this machine's ceilings (kept for a day): plain copies and reads",
        "ReLU 64 x 64: making inputs and reference",
        "ReLU 64 x 64: proving numpy:cpu:eager",
    ]
    (file,) = Path("runs").glob("tiny-*.jsonl")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("latency, warm caches, memory as shipped, 3 sessions")
    assert "NumPy ran alone: 1 time, nothing to compare with." in lines
    assert "\n".join(lines).endswith(
        f"to sharpen: speedmetal bench --out {file} --resume \\\n  --sessions 6\n"
        f"records: {file}\npage: speedmetal report {file} --out page.html"
    )
    assert outcome.err.startswith("1 case in each of 3 sessions; at most about 1:00\n")
    assert len(outcome.err.splitlines()) < 10
    tables = speedmetal("report", file).out
    assert "Environment" in tables
    assert tables.endswith(f"page: speedmetal report {file} --out page.html\n")


def test_what_sharpens_a_run_takes_more_sessions(speedmetal, tiny_run: Path) -> None:
    """Proves that the command that the summary gives does what it says."""
    (line,) = [
        line
        for line in speedmetal("report", tiny_run).out.splitlines()
        if line.startswith("to sharpen: speedmetal ")
    ]
    assert speedmetal(*line.removeprefix("to sharpen: speedmetal ").split()).status == 0
    assert {record.session for record in read_records(tiny_run).cases} == {1, 2, 3, 4, 5, 6}


class Listening:
    """A standard error that lets a test wait for a text."""

    def __init__(self) -> None:
        self.text = ""
        self._written = threading.Condition()

    def write(self, text: str) -> None:
        with self._written:
            self.text += text
            self._written.notify_all()

    def flush(self) -> None:
        """Do nothing: all is there already."""

    def hears(self, text: str) -> bool:
        with self._written:
            return self._written.wait_for(lambda: text in self.text, timeout=60.0)


def test_what_takes_long_is_told_without_a_terminal(monkeypatch) -> None:
    """Proves that a step of a case that does not come to its end is told, and told again."""
    heard = Listening()
    monkeypatch.setattr(sys, "stderr", heard)
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.01)
    with progress.PlainProgress() as display:
        display.start_run(2, 0)
        display.phase("ReLU / dim=64x64", "proving numpy:cpu:eager")
        assert heard.hears("[0/2] 0:00: ReLU / dim=64x64: proving numpy:cpu:eager\n")
        display.phase("ReLU / dim=64x64", "round 7")
        assert heard.hears("[0/2] 0:00: ReLU / dim=64x64: round 7\n")
    assert heard.text.startswith("2 cases\n")


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_was_measured_before_an_interruption_is_shown(
    speedmetal, tiny_run: Path, monkeypatch
) -> None:
    """Proves that Ctrl-C ends with status 130, the results so far, and how to go on."""
    before = tiny_run.read_bytes()
    monkeypatch.setattr(bench, "run", interrupt)
    outcome = speedmetal("bench", "--out", tiny_run, "--resume")
    assert outcome.status == 130
    assert "NumPy ran alone" in outcome.out
    assert outcome.err.endswith(
        "stopped; tiny.jsonl is whole. To continue:\n  speedmetal bench --out tiny.jsonl --resume\n"
    )
    assert tiny_run.read_bytes() == before


def test_an_interruption_before_the_first_result(speedmetal, tiny_run: Path, monkeypatch) -> None:
    """Proves that Ctrl-C while the ceilings are measured shows no empty tables; the run goes on."""
    monkeypatch.setattr(device_ceilings.CeilingMeter, "measure", interrupt)
    outcome = speedmetal(
        *("bench", "--suite", "tiny.toml", "--frameworks", "numpy", "--out", "new.jsonl")
    )
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err.endswith(
        "stopped before a case was finished. To continue:\n"
        "  speedmetal bench --out new.jsonl --resume\n"
    )


def test_an_interruption_of_the_search_for_frameworks(speedmetal, tmp_path, monkeypatch) -> None:
    """Proves that Ctrl-C before there is a file ends as politely."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "probe_all", interrupt)
    outcome = speedmetal("bench", "--frameworks", "numpy")
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err == "stopped; nothing was measured yet\n"
    assert not any(tmp_path.iterdir())


# -- Report --------------------------------------------------------------------------------------


def test_report_names_bad_lines_and_uses_the_rest(speedmetal, tmp_path) -> None:
    """Proves that a torn line is named by number and the others are reported."""
    path = store(tmp_path / "a.jsonl", {"relu": 1e-3})
    with path.open("a") as file:
        file.write('{"type":"case","sch')
    outcome = speedmetal("report", path)
    assert outcome.status == 0
    assert "line 6: " in outcome.err
    assert "the rest is used" in outcome.err
    assert "Relu" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--baseline", "numpi:cpu:eager"), "did you mean numpy:cpu:eager?"),
        (("--format", "htm"), "unknown format 'htm'; did you mean html?"),
        (("--format", "parquet"), "parquet is not for the terminal"),
        (("--out", "x.docx"), "no format has the ending '.docx'"),
        (("--out", "missing/x.html"), "cannot write missing/x.html"),
    ],
)
def test_report_options_are_checked(
    speedmetal, tmp_path, monkeypatch, arguments: tuple[str, ...], message: str
) -> None:
    """Proves the messages of wrong report options."""
    monkeypatch.chdir(tmp_path)
    outcome = speedmetal("report", store(tmp_path / "a.jsonl", {"relu": 1e-3}), *arguments)
    assert outcome.status == 2
    assert message in outcome.err


# -- Compare -------------------------------------------------------------------------------------


def stored_pair(folder: Path, sessions: int = 3) -> tuple[Path, Path]:
    """Two runs, of which the second is slower in one case, faster in one, and equal in one."""
    times = {"relu": 1e-3, "sum": 1e-3, "sort": 1e-3}
    before = store(folder / "a.jsonl", times, sessions=sessions)
    later = {"relu": 1.2e-3, "sum": 0.5e-3, "sort": 1e-3}
    return before, store(
        folder / "b.jsonl", later, sessions=sessions, time_utc="2026-01-02T00:00:00+00:00"
    )


def test_compare_gives_status_1_on_a_regression_alone(speedmetal, tmp_path) -> None:
    """Proves the exit status: 1 where a case is slower beyond the threshold, else 0."""
    before, after = stored_pair(tmp_path)
    worse = speedmetal("compare", before, after, "--json")
    verdicts = {row["case"]: row["verdict"] for row in msgspec.json.decode(worse.out)}
    assert worse.status == 1
    assert verdicts == {
        "Relu / dim=8": "slower",
        "Sum / dim=8": "faster",
        "Sort / dim=8": "equivalent",
    }
    assert speedmetal("compare", before, after, "--threshold", "50").status == 0
    assert speedmetal("compare", before, before).status == 0
    shown = speedmetal("compare", before, after)
    assert "1 faster, 1 slower, 1 equivalent, 0 undecided; noise floor " in shown.out
    assert shown.out.endswith("1 regression beyond 5 %\n")


def test_compare_of_one_session_says_what_to_do(speedmetal, tmp_path) -> None:
    """Proves that runs which started everything once decide nothing, and say why."""
    before, after = stored_pair(tmp_path, sessions=1)
    outcome = speedmetal("compare", before, after)
    assert outcome.status == 0
    assert "0 faster, 0 slower, 0 equivalent, 3 undecided" in outcome.out
    told = " ".join(outcome.out.split())
    assert "3 cases undecided: each run started every contender once" in told
    assert "run with --sessions 3" in told


def test_compare_writes_markdown_for_a_pull_request(speedmetal, tmp_path) -> None:
    """Proves the whole text: what changed first, the rest folded away."""
    before, after = stored_pair(tmp_path)
    outcome = speedmetal("compare", before, after, "--format", "markdown")
    lines = outcome.out.splitlines()
    assert lines[0] == "## speedmetal: 1 regression beyond 5 %"
    table = [line for line in lines if line.startswith("|")]
    assert table[0] == "| verdict | ratio | 95 % interval | case | contender |"
    assert [line.split("|")[1].strip() for line in table[2:4]] == ["**slower**", "faster"]
    assert "1.20\N{MULTIPLICATION SIGN}" in table[2]
    folded = lines.index("<details><summary>1 case without a decided change</summary>")
    assert "| equivalent |" in "\n".join(lines[folded:])
    assert lines[-1] == "</details>"


def test_history_marks_what_changed(speedmetal, tmp_path, monkeypatch) -> None:
    """Proves the table, the page and JSON of two runs, whatever their order, and its bad input."""
    before, after = stored_pair(tmp_path)
    monkeypatch.chdir(tmp_path)
    outcome = speedmetal("history", after, before)
    assert outcome.status == 0
    assert "3 series over 2 runs; 2 changed" in outcome.out
    told = " ".join(outcome.out.split())
    assert "1.20 times slower" in told
    assert "2.00 times faster" in told
    assert speedmetal("history", before, after, "--out", "history.html").status == 0
    assert "1.20 times slower from b on" in Path("history.html").read_text()
    document = msgspec.json.decode(speedmetal("history", after, before, "--json").out)
    assert [run["label"] for run in document["runs"]] == ["a", "b"]
    alone = speedmetal("history", before)
    assert alone.status == 2
    assert "a history needs two runs at least" in alone.err
    other = store(tmp_path / "c.jsonl", {"gelu": 1e-3})
    assert "have a timed case in common" in speedmetal("history", before, other).err


@pytest.mark.parametrize(("factor", "status"), [(1, 0), (50, 1)])
def test_a_run_is_compared_with_an_earlier_one(
    speedmetal, tiny_run: Path, monkeypatch, factor: int, status: int
) -> None:
    """Proves the gate of continuous integration: the same suite, status 1 where it is slower.

    The earlier run is a real one, or one that took a fiftieth of the time.
    """
    earlier = Path("earlier.jsonl")
    with RecordWriter(earlier) as writer:
        writer.append([quicker(record, factor) for record in read_records(tiny_run).records])
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "step.md")
    Path("step.md").write_text("before\n")
    outcome = speedmetal(
        *("bench", "--compare-to", earlier, "--threshold", "1000"),
        *("--out", "now.jsonl", "--summary", "summary.md"),
    )
    assert outcome.status == status, outcome.err
    cases = read_records("now.jsonl").cases
    assert {(c.case.operation, c.contender.framework) for c in cases} == {("relu", "numpy")}
    summary = Path("summary.md").read_text()
    assert Path("step.md").read_text() == f"before\n{summary}"
    told = "1 regression beyond 1000 %" if status else "no regression beyond 1000 %"
    assert summary.startswith(f"## speedmetal: {told}\n")
    assert outcome.out.endswith(f"{told}\n")
    assert "records: now.jsonl" in outcome.out


def quicker(record: Record, factor: int) -> Record:
    """A record of the same with times that are smaller by a factor."""
    if not isinstance(record, CaseRecord) or record.timing is None:
        return record
    timing = record.timing
    changed = {
        name: [value // factor for value in getattr(timing, name)]
        for name in ("samples_nanoseconds", "control_nanoseconds")
    }
    return replace(record, timing=replace(timing, **changed))


def test_another_machine_is_refused_before_anything_is_measured(
    speedmetal, tmp_path, monkeypatch
) -> None:
    """Proves that no time is spent on a comparison that would say nothing of the software."""
    monkeypatch.chdir(tmp_path)
    before = store(tmp_path / "a.jsonl", {"relu": 1e-3}, chip="Other")
    outcome = speedmetal("bench", "--compare-to", before, "--frameworks", "numpy")
    assert outcome.status == 2
    assert "comes from another machine or other settings" in outcome.err
    assert not Path("runs").exists()


def test_compare_refuses_other_machines(speedmetal, tmp_path) -> None:
    """Proves that different machines are refused, and compared under --force with a warning."""
    before = store(tmp_path / "a.jsonl", {"relu": 1e-3})
    after = store(tmp_path / "b.jsonl", {"relu": 1e-3}, chip="Other")
    refused = speedmetal("compare", before, after)
    assert refused.status == 2
    assert "chip: Chip before, Other after" in refused.err
    forced = speedmetal("compare", before, after, "--force")
    assert forced.status == 0
    assert "warning: chip: Chip before, Other after" in forced.err


def test_compare_tells_what_changed_in_the_software(speedmetal, tmp_path) -> None:
    """Proves that other package versions are told, and are no reason to refuse."""
    before = store(tmp_path / "a.jsonl", {"relu": 1e-3})
    after = store(tmp_path / "b.jsonl", {"relu": 1e-3}, packages={"numpy": "3.0.0"})
    outcome = speedmetal("compare", before, after)
    assert outcome.status == 0
    assert "warning: packages: numpy was 2.0.0, is 3.0.0" in outcome.err


def test_compare_needs_something_in_common(speedmetal, tmp_path) -> None:
    """Proves that runs without a common timed case are bad input, not success."""
    before = store(tmp_path / "a.jsonl", {"relu": 1e-3})
    after = store(tmp_path / "b.jsonl", {"sum": 1e-3})
    outcome = speedmetal("compare", before, after)
    assert outcome.status == 2
    assert "no timed case and contender in common" in outcome.err


# -- Audit ---------------------------------------------------------------------------------------


def test_audit_without_a_rerun(speedmetal, tmp_path) -> None:
    """Proves that a file is judged by itself where no rerun is wanted."""
    published = tmp_path / "published.csv"
    published.write_text(PUBLISHED)
    outcome = speedmetal("audit", published, "--no-rerun", "--format", "markdown")
    assert outcome.status == 0
    assert "ReLU" in outcome.out


def test_audit_reruns_the_published_shapes(speedmetal, tmp_path, monkeypatch) -> None:
    """Proves that the shapes of the file are run here, and the records kept; on NumPy alone."""
    for name in set(FRAMEWORKS) - {"numpy"}:
        monkeypatch.delitem(FRAMEWORKS, name)
    monkeypatch.chdir(tmp_path)
    Path("published.csv").write_text(PUBLISHED)
    outcome = speedmetal("audit", "published.csv", "--ops", "relu", "--budget", "1s")
    assert outcome.status == 0
    (run,) = Path("runs").glob("*.jsonl")
    cases = read_records(run).cases
    assert {(c.case.operation, c.contender.framework) for c in cases} == {("relu", "numpy")}


def test_audit_needs_a_known_operation(speedmetal, tmp_path) -> None:
    """Proves that asking for an operation that the file has no numbers of is bad input."""
    published = tmp_path / "published.csv"
    published.write_text(PUBLISHED)
    outcome = speedmetal("audit", published, "--ops", "sort")
    assert outcome.status == 2
    assert "the file has no numbers of sort; it has ReLU" in outcome.err


def test_statuses_without_a_time_are_not_compared(speedmetal, tmp_path) -> None:
    """Proves that a record without a time is left out of a comparison."""
    before = store(tmp_path / "a.jsonl", {"relu": 1e-3, "sum": 1e-3})
    env = environment()
    failed = replace(record(1e-3, "sum", env, 1, "b"), status=Status.WRONG, timing=None)
    after = store(tmp_path / "b.jsonl", {"relu": 1e-3})
    with RecordWriter(after) as writer:
        writer.append([failed])
    rows = msgspec.json.decode(speedmetal("compare", before, after, "--json").out)
    assert [row["case"] for row in rows] == ["Relu / dim=8"]
