"""Run the public test suite of the Python array API standard against speedmetal.

    python tools/array_api_suite.py --device cpu --out results.md
    python tools/array_api_suite.py --device metal-sim --quick -k "linalg and not svd"
    python tools/array_api_suite.py --module array_api_strict    # does the suite itself work here?

The suite and the specification that it reads are cloned once, at the commits that are stated below;
``--suite`` takes a checkout that is there. Options that are not known here are pytest's.

``tools/array_api_exceptions.toml`` names the tests that are known to fail. The exit status is 0
where only those failed, 1 where another one did or an exception names no test, and 2 where the
suite did not run to its end. Examples are the same in every run, unless ``--random`` is given; but
the suite draws the one example of each unary special case anew.

Each test's outcome is written down as soon as it is known: for that, and to enter the device, this
file is a plugin of the process that runs the tests, and of each of ``--workers``. A worker that
dies costs the test it was at; without workers the run ends there, and that is told.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import speedmetal as sm
from speedmetal.backends.registry import KNOWN as DEVICES
from speedmetal.system.disk_cache import user_folder

ROOT = Path(__file__).resolve().parents[1]
EXCEPTIONS = ROOT / "tools" / "array_api_exceptions.toml"

SUITE_URL = "https://github.com/data-apis/array-api-tests"
SUITE_COMMIT = "55fcc60179efa2680ddd6cd926ddf17b83530e2b"
SPECIFICATION_URL = "https://github.com/data-apis/array-api"
SPECIFICATION_COMMIT = "5f847a3858875c682ae901aa22b0413bf24be9da"
"""The one that the suite's commit names as its submodule."""

DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float32", "float64", "complex64", "complex128"),
)
WITH_FLOAT64 = frozenset({"float64", "complex128"})
PACKAGES = {
    "ndindex": "ndindex",
    "pytest_jsonreport": "pytest-json-report",
    "pytest_timeout": "pytest-timeout",
    "xdist": "pytest-xdist",
}
"""What the suite and this tool import, and what to install for it."""

DEFAULT_EXAMPLES = 100
QUICK_EXAMPLES = 5
DETAIL_LINES = 60
"""Of a failure, from its end: there stand the example and the error."""

RECORDS_VARIABLE = "ARRAY_API_SUITE_RECORDS"
DEVICE_VARIABLE = "ARRAY_API_SUITE_DEVICE"


# --- In the processes that run the tests ---------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Enter the device before the suite is imported: it may make arrays as soon as it is."""
    if name := os.environ.get(DEVICE_VARIABLE):
        sm.device(name).__enter__()  # until the process ends


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let no example fail for the time that it takes; the suite has chosen its settings by now."""
    settings = hypothesis.settings()
    # Making a failing example smaller takes most of the time where many tests fail.
    late = {hypothesis.Phase.shrink, hypothesis.Phase.explain}
    is_quick = settings.max_examples <= QUICK_EXAMPLES
    hypothesis.settings.register_profile(
        "array-api-suite",
        settings,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        phases=[phase for phase in settings.phases if not (is_quick and phase in late)],
    )
    hypothesis.settings.load_profile("array-api-suite")
    if not hasattr(config, "workerinput"):  # the process that starts the workers hears of all
        config.pluginmanager.register(Recorder(Path(os.environ[RECORDS_VARIABLE])))


class Recorder:
    """Writes down what comes of each test.

    Args:
        path: The file, with one JSON object in each line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self._write(report, report.duration)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report, 0.0)

    def _write(self, report: pytest.TestReport | pytest.CollectReport, seconds: float) -> None:
        end = report.longreprtext.splitlines()[-DETAIL_LINES:] if report.failed else []
        record = {
            "test": report.nodeid,
            "outcome": report.outcome,
            "seconds": seconds,
            "message": _message(report).strip().partition("\n")[0],
            "details": "\n".join(end),
        }
        with self._path.open("a", encoding="utf-8") as records:
            records.write(json.dumps(record) + "\n")


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    told = report.longrepr
    if report.passed:
        return ""
    if isinstance(told, tuple):
        return told[2]  # the reason of a skip, after its path and line
    if crash := getattr(told, "reprcrash", None):
        return crash.message
    if isinstance(report, pytest.CollectReport):  # of what cannot be imported: the error is last
        return report.longreprtext.strip().rpartition("\n")[2]
    return report.longreprtext  # a worker has died


# --- What is excused -----------------------------------------------------------------------------


class InputError(Exception):
    """What was given cannot be used; the message says what to do."""


def read_exceptions(path: Path, device: str) -> dict[str, str]:
    """Tests that may fail on a device, and why.

    Raises:
        InputError: The file is no TOML, or an entry is not as its head says.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from error
    if set(tables) - {"exception"}:
        raise InputError(f"{path}: expected [[exception]] tables, got {', '.join(sorted(tables))}")
    reasons: dict[str, str] = {}
    for number, entry in enumerate(tables.get("exception", ()), 1):
        if fault := _fault_of(entry):
            raise InputError(f"{path}, exception {number}: {fault}")
        if device not in entry.get("devices", DEVICES):
            continue
        test = entry["test"]
        if test in reasons:
            raise InputError(f"{path}, exception {number}: {test} is excused twice on {device}")
        reasons[test] = entry["reason"]
    return reasons


def _fault_of(entry: Mapping[str, Any]) -> str:
    """Why an entry is not as it should be; nothing where it is."""
    for name in ("test", "reason"):
        value = entry.get(name)
        if not isinstance(value, str) or not value.strip():
            return f"needs {name!r}, a text that is not empty; got {value!r}"
    if unknown := set(entry) - {"test", "reason", "devices"}:
        return f"expected 'test', 'reason' and 'devices', got {sorted(unknown)}"
    devices = entry.get("devices", list(DEVICES))
    if not isinstance(devices, list) or not devices or set(devices) - set(DEVICES):
        return f"'devices' must be some of {list(DEVICES)}, got {devices!r}"
    return ""


# --- What came of it -----------------------------------------------------------------------------

OUTCOMES = ("passed", "failed", "skipped", "xfailed", "xpassed")
"""Of a test; the last two are an excused one's that failed, and that passed."""


@dataclass(frozen=True)
class Result:
    """What came of one test."""

    test: str
    outcome: str
    seconds: float
    message: str = ""
    details: str = ""
    reason: str = ""  # why it is excused

    @property
    def module(self) -> str:
        return Path(self.test.partition("::")[0]).name


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Args:
        run: What was run, where and how: facts by their names.
        results: One for each test, in the order of their names.
        unknown: Excused tests that the suite does not have.
    """

    run: Mapping[str, str]
    results: tuple[Result, ...]
    unknown: tuple[str, ...] = field(default=())

    def of(self, outcome: str) -> list[Result]:
        return [result for result in self.results if result.outcome == outcome]

    def counts(self) -> dict[str, int]:
        return {outcome: len(self.of(outcome)) for outcome in OUTCOMES}

    def modules(self) -> dict[str, dict[str, float]]:
        """The counts of each module, and its seconds."""
        rows: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(OUTCOMES, 0))
        for result in self.results:
            row = rows[result.module]
            row[result.outcome] += 1
            row["seconds"] = row.get("seconds", 0.0) + result.seconds
        return dict(rows)

    def is_as_expected(self) -> bool:
        return not self.of("failed") and not self.unknown


def results_of(records: Iterable[Mapping[str, Any]], reasons: Mapping[str, str]) -> list[Result]:
    """One result for each test: the worst of what was written down of it.

    A test has several records where its setup or its end failed, or where it was begun twice.
    """
    severity = {"passed": 0, "skipped": 1, "failed": 2}
    worst: dict[str, Mapping[str, Any]] = {}
    seconds: Counter[str] = Counter()
    for record in records:
        test = record["test"]
        seconds[test] += record["seconds"]
        before = worst.get(test)
        if before is None or severity[record["outcome"]] > severity[before["outcome"]]:
            worst[test] = record
    excused = {"passed": "xpassed", "failed": "xfailed", "skipped": "skipped"}
    results = []
    for test, record in sorted(worst.items()):
        outcome = excused[record["outcome"]] if test in reasons else record["outcome"]
        told = (record["message"], record["details"], reasons.get(test, ""))
        results.append(Result(test, outcome, seconds[test], *told))
    return results


def markdown(summary: Summary) -> str:
    """The summary as a page."""
    return "\n".join(_markdown_lines(summary)) + "\n"


def _markdown_lines(summary: Summary) -> Iterator[str]:
    yield "# Array API suite"
    yield ""
    yield from (f"- {name}: {value}" for name, value in summary.run.items())
    yield ""
    yield f"| module | {' | '.join(OUTCOMES)} | seconds |"
    yield f"| --- |{' ---: |' * (len(OUTCOMES) + 1)}"
    rows = summary.modules()
    total = summary.counts() | {"seconds": sum(row["seconds"] for row in rows.values())}
    for name, row in (rows | {"**all**": total}).items():
        yield f"| {name} | {' | '.join(str(row[o]) for o in OUTCOMES)} | {row['seconds']:.0f} |"
    yield from _listed("Failed", [f"`{r.test}`: {r.message}" for r in summary.of("failed")])
    passed = [f"`{r.test}`: {r.reason}" for r in summary.of("xpassed")]
    yield from _listed("Excused, and passed: take the entries out", passed)
    yield from _listed("Excused, and no test of the suite", [f"`{t}`" for t in summary.unknown])
    yield from _listed("Excused", [f"`{r.test}`: {r.reason}" for r in summary.of("xfailed")])
    skipped = Counter(result.message for result in summary.of("skipped"))
    yield from _listed("Skipped", [f"{n}: {reason}" for reason, n in skipped.most_common()])


def _listed(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"- {item}" for item in items]
    if lines:
        yield from ("", f"## {title}", "", *lines)


def as_json(summary: Summary) -> str:
    """The summary for programs, with the end of what pytest said of each failure."""
    content = {
        "run": dict(summary.run),
        "counts": summary.counts(),
        "modules": summary.modules(),
        "unknown_exceptions": list(summary.unknown),
        "results": [asdict(result) for result in summary.results],
    }
    return json.dumps(content, indent=1) + "\n"


FORMATS = {".md": markdown, ".json": as_json}


# --- The suite -----------------------------------------------------------------------------------


def clone_suite(folder: Path) -> Path:
    """The suite at its stated commit, with the specification; cloned where it is not there yet."""
    suite = folder / f"array-api-tests-{SUITE_COMMIT[:12]}-{SPECIFICATION_COMMIT[:12]}"
    if suite.exists():
        return suite
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        # Whole, or not there: renamed when both are complete.
        unfinished = Path(temporary) / "suite"
        _clone(SUITE_URL, SUITE_COMMIT, unfinished)
        _clone(SPECIFICATION_URL, SPECIFICATION_COMMIT, unfinished / "array-api")
        unfinished.rename(suite)
    return suite


def _clone(url: str, commit: str, folder: Path) -> None:
    for arguments in (
        ("init", "--quiet", str(folder)),
        ("-C", str(folder), "fetch", "--quiet", "--depth=1", url, commit),
        ("-C", str(folder), "checkout", "--quiet", "--detach", "FETCH_HEAD"),
    ):
        done = subprocess.run(["git", *arguments], check=False, capture_output=True, text=True)
        if done.returncode:
            said = done.stderr.strip().partition("\n")[0]
            raise InputError(
                f"{url} cannot be cloned: {said}; give a checkout with its submodule, --suite PATH"
            )


def check_suite(suite: Path) -> None:
    """Raises:
    InputError: There is no suite, or its submodule is empty.
    """
    if not (suite / "array_api_tests").is_dir():
        raise InputError(f"{suite} is no checkout of {SUITE_URL}: it has no folder array_api_tests")
    if not (suite / "array-api" / "src").is_dir():
        raise InputError(
            f"{suite / 'array-api'} has no specification; run:"
            f" git -C {suite} submodule update --init"
        )


def commit_of(checkout: Path, stated: str) -> str:
    """Which commit a checkout is at, and whether that is the stated one."""
    ask = ["git", "-C", str(checkout), "rev-parse", "--show-toplevel", "HEAD"]
    done = subprocess.run(ask, check=False, capture_output=True, text=True)
    top, _, commit = done.stdout.strip().partition("\n")
    if done.returncode or Path(top).resolve() != checkout.resolve():
        return f"an unknown commit, not surely {stated[:12]}"  # a folder within another checkout
    return commit[:12] if commit == stated else f"{commit[:12]}, not the stated {stated[:12]}"


# --- The run -------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Run the suite, tell what came of it."""
    options, further = _parser().parse_known_args(arguments)
    try:
        return _run(options, further)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--device", choices=DEVICES, help="without: the first of this machine")
    parser.add_argument("--module", default="speedmetal", help="another module, with no exceptions")
    parser.add_argument("--suite", type=Path, help="a checkout of the suite, with its submodule")
    examples = parser.add_mutually_exclusive_group()
    examples.add_argument("--max-examples", type=_positive, default=DEFAULT_EXAMPLES)
    examples.add_argument(
        "--quick",
        dest="max_examples",
        action="store_const",
        const=QUICK_EXAMPLES,
        help=f"{QUICK_EXAMPLES} examples, not {DEFAULT_EXAMPLES}; failing ones stay as large",
    )
    parser.add_argument("--random", action="store_true", help="other examples in every run")
    parser.add_argument("--dtypes", type=_dtypes, help="these and bool alone, with commas between")
    parser.add_argument("--workers", type=_positive, default=1, help="processes, of pytest-xdist")
    parser.add_argument("--seconds", type=_positive, default=600, help="for one test")
    parser.add_argument(
        "-k", default="", metavar="EXPRESSION", help="which tests, as pytest has it"
    )
    parser.add_argument(
        *("--out", "-o"),
        type=_report,
        action="append",
        default=[],
        metavar="FILE",
        help=f"the summary as a file, {' or '.join(FORMATS)}; may be given twice",
    )
    parser.add_argument("--exceptions", type=Path, default=EXCEPTIONS, help=argparse.SUPPRESS)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def _dtypes(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if unknown := sorted(set(names) - set(DTYPES)):
        raise argparse.ArgumentTypeError(
            f"unknown dtypes {', '.join(map(repr, unknown))}; valid are {', '.join(DTYPES)}"
        )
    return names


def _report(text: str) -> Path:
    path = Path(text)
    if path.suffix not in FORMATS:
        raise argparse.ArgumentTypeError(
            f"expected a name with {' or '.join(FORMATS)}, got {text!r}"
        )
    return path


def _run(options: argparse.Namespace, further: list[str]) -> int:
    _check_packages()
    device = _device_name(options)
    reasons = read_exceptions(options.exceptions, device) if device else {}
    suite = (options.suite or clone_suite(_cache_folder())).resolve()
    check_suite(suite)
    skipped = _skipped_dtypes(options, device)
    begin = time.monotonic()
    status, records = _run_pytest(options, further, suite, device, skipped)
    results = results_of(records, reasons)
    is_whole = not (options.k or options.dtypes or further)
    seen = {result.test for result in results}
    run = {
        "module": f"{options.module} {_version(options.module)}",
        "device": device or "the module's own",
        "suite": commit_of(suite, SUITE_COMMIT),
        "specification": commit_of(suite / "array-api", SPECIFICATION_COMMIT),
        "examples": f"{options.max_examples}, {'random' if options.random else 'the same ones'}",
        "dtypes skipped": ", ".join(skipped) or "none",
        "tests": options.k or "all",
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "seconds": f"{time.monotonic() - begin:.0f}",
        "pytest's exit status": str(status),
    }
    summary = Summary(run, tuple(results), tuple(sorted(set(reasons) - seen)) if is_whole else ())
    for path in options.out:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FORMATS[path.suffix](summary), encoding="utf-8")
    print("\n" + markdown(summary))
    if status not in {0, 1} or not results:
        raise InputError(f"the suite did not run to its end (pytest's exit status is {status})")
    return 0 if summary.is_as_expected() else 1


def _check_packages() -> None:
    missing = [name for module, name in PACKAGES.items() if not importlib.util.find_spec(module)]
    if missing:
        raise InputError(f"the suite needs more packages; run: pip install {' '.join(missing)}")
    if shutil.which("git") is None:
        raise InputError("git is not there; it clones the suite and tells its commit")


def _device_name(options: argparse.Namespace) -> str:
    """The device's name; nothing for another module."""
    if options.module != "speedmetal":
        if options.device:
            raise InputError(f"--device is for speedmetal, not for {options.module}")
        return ""
    try:
        return str((sm.device(options.device) if options.device else sm.default_device()).name)
    except sm.DeviceError as error:
        raise InputError(str(error)) from error


def _skipped_dtypes(options: argparse.Namespace, device: str) -> list[str]:
    """Those that were not asked for; without a choice those that the device lacks."""
    if options.dtypes:
        return [name for name in DTYPES if name not in {"bool", *options.dtypes}]
    lacks_float64 = device and not sm.device(device).target.has_float64
    return [name for name in DTYPES if lacks_float64 and name in WITH_FLOAT64]


def _cache_folder() -> Path:
    """Beside that of compiled kernels, which holds nothing else."""
    return Path(user_folder()).with_name("speedmetal-tools")


def _version(module: str) -> str:
    try:
        return importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"


def _run_pytest(
    options: argparse.Namespace, further: list[str], suite: Path, device: str, skipped: list[str]
) -> tuple[int, list[dict[str, Any]]]:
    """Pytest's exit status, and what was written down."""
    command = [
        *(sys.executable, "-m", "pytest", "-c", "pytest.ini", "--rootdir=.", "array_api_tests"),
        *("-p", Path(__file__).stem, "-p", "no:cacheprovider", "-q", "--tb=short", "--no-summary"),
        *(["-n", str(options.workers), "--max-worker-restart=300"] if options.workers > 1 else []),
        f"--timeout={options.seconds}",
        "--continue-on-collection-errors",
        f"--max-examples={options.max_examples}",
        "--disable-deadline",
        *([] if options.random else ["--derandomize"]),
        *(["-k", options.k] if options.k else []),
        *further,
    ]
    folders = [str(ROOT / "src"), str(ROOT / "tools"), os.environ.get("PYTHONPATH", "")]
    with tempfile.TemporaryDirectory() as temporary:
        records = Path(temporary) / "records.jsonl"
        records.touch()
        # Pytest's own are those of a run that this one may be a part of.
        outer = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
        variables = outer | {
            "PYTHONPATH": os.pathsep.join(folders),
            "ARRAY_API_TESTS_MODULE": options.module,
            "ARRAY_API_TESTS_SKIP_DTYPES": ",".join(skipped),
            RECORDS_VARIABLE: str(records),
            DEVICE_VARIABLE: device,
        }
        done = subprocess.run(command, cwd=suite, env=variables, check=False)
        lines = records.read_text(encoding="utf-8").splitlines()
    return done.returncode, [json.loads(line) for line in lines]


if __name__ == "__main__":
    sys.exit(main())
