"""The tool that runs the public array API suite: what it reads, counts, tells and returns.

The suite itself is not here. A small one takes its place: its tests pass, fail and die on purpose.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "tools"))

import array_api_suite as tool

MODULE = "array_api_tests/test_small.py"
CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--max-examples", type=int)
    parser.addoption("--disable-deadline", action="store_true")
    parser.addoption("--derandomize", action="store_true")
"""
TESTS = """
import os

import hypothesis
import pytest

import speedmetal as sm


def test_good(request):
    assert os.environ["ARRAY_API_TESTS_MODULE"] == "speedmetal"
    assert request.config.getoption("--max-examples") == 5
    assert hypothesis.HealthCheck.too_slow in hypothesis.settings().suppress_health_check


def test_device():
    assert sm.default_device().name == os.environ["EXPECTED_DEVICE"]
    assert os.environ["ARRAY_API_TESTS_SKIP_DTYPES"] == os.environ["EXPECTED_SKIPPED"]


@pytest.mark.parametrize("n", [1, 2])
def test_bad(n):
    assert n == 3, f"{n} is not\\nthree"


@pytest.fixture
def broken():
    yield
    raise RuntimeError("left a mess")


def test_ends_badly(broken):
    pass


def test_skipped():
    pytest.skip("there is no such thing")
"""
BAD = [f"{MODULE}::test_bad[1]", f"{MODULE}::test_bad[2]"]
OTHER = "array_api_tests/test_other.py"
NO_IMPORT = "raise ImportError('no such name')\n"


def record(test, outcome, message="", seconds=1.0):
    return {
        "test": test,
        "outcome": outcome,
        "seconds": seconds,
        "message": message,
        "details": message,
    }


def excused(path, *entries):
    """A file of exceptions; each entry is the text of its table."""
    path.write_text("".join(f"[[exception]]\n{entry}\n" for entry in entries), encoding="utf-8")
    return path


def entry(test, reason="known"):
    return f'test = "{test}"\nreason = "{reason}"'


# --- The exceptions ------------------------------------------------------------------------------


def test_exceptions_are_those_of_the_device(tmp_path):
    file = excused(
        tmp_path / "exceptions.toml",
        entry("a.py::test_everywhere"),
        entry("a.py::test_x[1]", "here") + '\ndevices = ["metal-sim", "metal"]',
        entry("a.py::test_x[1]", "there") + '\ndevices = ["cpu"]',
    )
    everywhere = {"a.py::test_everywhere": "known"}
    assert tool.read_exceptions(file, "metal-sim") == everywhere | {"a.py::test_x[1]": "here"}
    assert tool.read_exceptions(file, "cpu") == everywhere | {"a.py::test_x[1]": "there"}
    assert tool.read_exceptions(file, "cuda") == everywhere


def test_the_exceptions_of_the_repository_can_be_read():
    for device in tool.DEVICES:
        for test in tool.read_exceptions(tool.EXCEPTIONS, device):
            assert test.startswith("array_api_tests/test_")
            assert "::test_" in test


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('test = "a"', "needs 'reason', a text that is not empty; got None"),
        ('reason = "a"', "needs 'test', a text that is not empty; got None"),
        ('test = "a"\nreason = " "', "needs 'reason', a text that is not empty; got ' '"),
        ('test = "a"\nreason = 3', "needs 'reason', a text that is not empty; got 3"),
        (
            'test = "a"\nreason = "b"\ndevice = "cpu"',
            "expected 'test', 'reason' and 'devices', got ['device']",
        ),
        (
            'test = "a"\nreason = "b"\ndevices = ["gpu"]',
            f"'devices' must be some of {list(tool.DEVICES)}, got ['gpu']",
        ),
        (
            'test = "a"\nreason = "b"\ndevices = "cpu"',
            f"'devices' must be some of {list(tool.DEVICES)}, got 'cpu'",
        ),
        (entry("first"), "first is excused twice on cpu"),
    ],
)
def test_a_wrong_exception_is_told(tmp_path, text, message):
    file = excused(tmp_path / "exceptions.toml", entry("first"), text)
    with pytest.raises(tool.InputError) as caught:
        tool.read_exceptions(file, "cpu")
    assert str(caught.value) == f"{file}, exception 2: {message}"


def test_a_file_that_has_no_exceptions_is_told(tmp_path):
    file = tmp_path / "exceptions.toml"
    file.write_text("[[exceptions]]\n")
    with pytest.raises(tool.InputError) as caught:
        tool.read_exceptions(file, "cpu")
    assert str(caught.value) == f"{file}: expected [[exception]] tables, got exceptions"
    file.write_text("[[exception]\n")
    with pytest.raises(tool.InputError, match=r"exceptions\.toml: Expected"):
        tool.read_exceptions(file, "cpu")


# --- What came of it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "outcome", "outcome_excused"),
    [
        (["passed"], "passed", "xpassed"),
        (["failed"], "failed", "xfailed"),
        (["skipped"], "skipped", "skipped"),
        (["passed", "failed"], "failed", "xfailed"),  # the test, and what ends it
        (["failed", "passed"], "failed", "xfailed"),
    ],
)
def test_an_outcome_is_the_worst_of_a_test(recorded, outcome, outcome_excused):
    records = [record("a.py::test_x", state) for state in recorded]
    (found,) = tool.results_of(records, {})
    assert (found.outcome, found.seconds) == (outcome, len(recorded))
    (found,) = tool.results_of(records, {"a.py::test_x": "known"})
    assert (found.outcome, found.reason) == (outcome_excused, "known")


SUMMARY = tool.Summary(
    {"module": "speedmetal 1.0", "device": "cpu"},
    tuple(
        tool.results_of(
            [
                record("f/b.py::test_ok", "passed", seconds=0.75),
                record("f/b.py::test_bad[x | y]", "failed", "AssertionError: 1 != 2"),
                record("f/a.py::test_known", "failed", "TypeError"),
                record("f/a.py::test_mended", "passed"),
                record("f/a.py::test_none", "skipped", "no linalg"),
                record("f/a.py::test_none_either", "skipped", "no linalg"),
            ],
            {"f/a.py::test_known": "not yet", "f/a.py::test_mended": "was bad"},
        )
    ),
    ("f/a.py::test_gone",),
)

PAGE = """\
# Array API suite

- module: speedmetal 1.0
- device: cpu

| module | passed | failed | skipped | xfailed | xpassed | seconds |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| a.py | 0 | 0 | 2 | 1 | 1 | 4 |
| b.py | 1 | 1 | 0 | 0 | 0 | 2 |
| **all** | 1 | 1 | 2 | 1 | 1 | 6 |

## Failed

- `f/b.py::test_bad[x | y]`: AssertionError: 1 != 2

## Excused, and passed: take the entries out

- `f/a.py::test_mended`: was bad

## Excused, and no test of the suite

- `f/a.py::test_gone`

## Excused

- `f/a.py::test_known`: not yet

## Skipped

- 2: no linalg
"""


def test_the_page_has_counts_and_names():
    assert tool.markdown(SUMMARY) == PAGE


def test_json_has_the_same_and_the_details():
    content = json.loads(tool.as_json(SUMMARY))
    assert content["run"] == {"module": "speedmetal 1.0", "device": "cpu"}
    counts = {"passed": 1, "failed": 1, "skipped": 2, "xfailed": 1, "xpassed": 1}
    assert content["counts"] == counts
    assert content["modules"]["b.py"] == dict.fromkeys(counts, 0) | {
        "passed": 1,
        "failed": 1,
        "seconds": 1.75,
    }
    assert content["unknown_exceptions"] == ["f/a.py::test_gone"]
    bad = next(result for result in content["results"] if result["outcome"] == "failed")
    assert (bad["test"], bad["details"]) == ("f/b.py::test_bad[x | y]", "AssertionError: 1 != 2")


def test_what_is_expected():
    def summary(outcome, reasons, unknown=()):
        results = tool.results_of([record("a.py::test_x", outcome)], reasons)
        return tool.Summary({}, tuple(results), unknown)

    known = {"a.py::test_x": "known"}
    assert summary("passed", {}).is_as_expected()
    assert summary("failed", known).is_as_expected()
    assert summary("passed", known).is_as_expected()  # told, but few examples may miss a fault
    assert not summary("failed", {}).is_as_expected()
    assert not summary("passed", {}, ("gone",)).is_as_expected()


# --- The options ---------------------------------------------------------------------------------


def test_dtypes_are_chosen_by_name():
    chosen = argparse.Namespace(dtypes=tool._dtypes("float32, int32"))
    assert set(tool._skipped_dtypes(chosen, "cpu")) == set(tool.DTYPES) - {
        "bool",
        "float32",
        "int32",
    }
    every = argparse.Namespace(dtypes=None)
    assert tool._skipped_dtypes(every, "cpu") == []
    assert tool._skipped_dtypes(every, "") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dtypes", "float33,int8"], "unknown dtypes 'float33'; valid are bool, int8, int16"),
        (["--out", "a.txt"], "expected a name with .md or .json, got 'a.txt'"),
        (["--workers", "0"], "expected a whole number from 1, got '0'"),
        (["--max-examples", "many"], "expected a whole number from 1, got 'many'"),
        (["--quick", "--max-examples", "7"], "not allowed with argument --quick"),
        (["--device", "gpu"], "invalid choice: 'gpu'"),
    ],
)
def test_a_wrong_option_is_told(capsys, arguments, message):
    with pytest.raises(SystemExit):
        tool.main(arguments)
    assert message in capsys.readouterr().err


def test_a_device_is_for_speedmetal_alone(capsys):
    assert tool.main(["--module", "numpy", "--device", "cpu"]) == 2
    assert "--device is for speedmetal, not for numpy" in capsys.readouterr().err


# --- The suite -----------------------------------------------------------------------------------


def git(folder, *arguments):
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def repository(folder, file):
    (folder / file).parent.mkdir(parents=True)
    (folder / file).write_text("")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "all")
    return git(folder, "rev-parse", "HEAD")


def test_the_suite_is_cloned_once_at_its_commit(monkeypatch, tmp_path):
    for name, file in {"SUITE": "array_api_tests/a.py", "SPECIFICATION": "src/b.py"}.items():
        origin = tmp_path / name
        monkeypatch.setattr(tool, f"{name}_COMMIT", repository(origin, file))
        monkeypatch.setattr(tool, f"{name}_URL", str(origin))
        git(origin, "commit", "--quiet", "--allow-empty", "-m", "later")
    suite = tool.clone_suite(tmp_path / "cache")
    tool.check_suite(suite)
    assert tool.commit_of(suite, tool.SUITE_COMMIT) == tool.SUITE_COMMIT[:12]
    commit = tool.SPECIFICATION_COMMIT
    assert tool.commit_of(suite / "array-api", commit) == commit[:12]
    assert list((tmp_path / "cache").iterdir()) == [suite]

    monkeypatch.setattr(tool, "_clone", None)  # a second one would fail
    assert tool.clone_suite(tmp_path / "cache") == suite


def test_a_clone_that_fails_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(tool, "SUITE_URL", str(tmp_path / "nowhere"))
    with pytest.raises(tool.InputError, match=r"nowhere cannot be cloned: .*--suite PATH"):
        tool.clone_suite(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_checkout_at_another_commit_is_told(tmp_path):
    commit = repository(tmp_path, "array_api_tests/a.py")
    assert tool.commit_of(tmp_path, "0" * 40) == f"{commit[:12]}, not the stated 000000000000"
    unknown = "an unknown commit, not surely 000000000000"
    assert tool.commit_of(tmp_path / "array_api_tests", "0" * 40) == unknown


def test_a_checkout_that_lacks_something_is_told(tmp_path):
    with pytest.raises(tool.InputError, match="it has no folder array_api_tests"):
        tool.check_suite(tmp_path)
    (tmp_path / "array_api_tests").mkdir()
    with pytest.raises(tool.InputError, match=r"has no specification; run: git -C .* submodule"):
        tool.check_suite(tmp_path)


def test_missing_packages_are_told(monkeypatch, capsys):
    monkeypatch.setattr(tool, "PACKAGES", {"pytest": "pytest", "no_such_module": "no-such-thing"})
    assert tool.main([]) == 2
    told = "the suite needs more packages; run: pip install no-such-thing"
    assert told in capsys.readouterr().err


# --- The whole of it -----------------------------------------------------------------------------


@pytest.fixture
def run_small(monkeypatch, tmp_path):
    """Runs the tool over the small suite; gives its exit status and its JSON."""
    suite = tmp_path / "suite"
    (suite / "array-api" / "src").mkdir(parents=True)
    (suite / "array_api_tests").mkdir()
    files = {"pytest.ini": "[pytest]\n", "conftest.py": CONFTEST, MODULE: TESTS, OTHER: NO_IMPORT}
    for name, text in files.items():
        (suite / name).write_text(text)
    monkeypatch.setattr(tool, "PACKAGES", {})  # the suite's own are not needed for this one
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")  # as where these tests have workers themselves

    def run(device, entries, *arguments):
        monkeypatch.setenv("EXPECTED_DEVICE", device)
        file = excused(tmp_path / "exceptions.toml", *entries)
        out = tmp_path / "out" / "summary.json"
        status = tool.main(
            [
                *("--suite", str(suite), "--device", device, "--exceptions", str(file), "--quick"),
                *("--out", str(out), *arguments),
            ]
        )
        return status, json.loads(out.read_text())

    return run


def test_a_run_tells_each_test(monkeypatch, run_small):
    monkeypatch.setenv("EXPECTED_SKIPPED", "float64,complex128")
    excuses = [entry(BAD[0]), entry(f"{MODULE}::test_good")]
    status, content = run_small("metal-sim", excuses)
    told = {r["test"].rpartition("::")[2]: (r["outcome"], r["message"]) for r in content["results"]}
    assert told == {
        "test_good": ("xpassed", ""),
        "test_device": ("passed", ""),
        "test_bad[1]": ("xfailed", "AssertionError: 1 is not"),
        "test_bad[2]": ("failed", "AssertionError: 2 is not"),
        "test_ends_badly": ("failed", "RuntimeError: left a mess"),
        "test_skipped": ("skipped", "Skipped: there is no such thing"),
        OTHER: ("failed", "E   ImportError: no such name"),
    }
    assert status == 1
    assert content["run"]["device"] == "metal-sim"
    details = {r["test"]: r["details"] for r in content["results"]}
    assert "2 is not\nE     three" in details[BAD[1]]
    assert details[f"{MODULE}::test_device"] == ""


@pytest.mark.parametrize(
    ("kind", "outcome", "told", "message"),
    [
        (pytest.TestReport, "passed", "[gw0] linux", ""),  # a worker adds where it ran
        (
            pytest.TestReport,
            "failed",
            "worker 'gw1' crashed\nwhile running it",
            "worker 'gw1' crashed",
        ),
        (pytest.TestReport, "skipped", ("f.py", 3, "Skipped: no"), "Skipped: no"),
        (
            pytest.CollectReport,
            "failed",
            "While importing\nE   ImportError: no",
            "E   ImportError: no",
        ),
    ],
)
def test_what_a_worker_sends_is_told(tmp_path, kind, outcome, told, message):
    common = {"nodeid": "a.py::test_x", "outcome": outcome, "longrepr": told}
    recorder = tool.Recorder(tmp_path / "records")
    if kind is pytest.CollectReport:
        recorder.pytest_collectreport(kind(**common, result=None))
    else:
        location = ("a.py", 1, "test_x")
        report = kind(**common, location=location, keywords={}, when="call", duration=0.5)
        recorder.pytest_runtest_logreport(report)
    (line,) = (tmp_path / "records").read_text().splitlines()
    written = json.loads(line)
    assert (written["outcome"], written["message"]) == (outcome, message)


@pytest.fixture
def pytest_says(monkeypatch):
    """Has the tool take an exit status and records, without running anything."""

    def say(status, **outcomes):
        records = [record(f"{MODULE}::{name}", outcome) for name, outcome in outcomes.items()]
        monkeypatch.setattr(tool, "_run_pytest", lambda *_: (status, records))

    return say


def test_a_run_is_good_where_all_that_failed_is_excused(pytest_says, run_small):
    pytest_says(1, test_good="passed", test_bad="failed")
    assert run_small("cpu", [entry(f"{MODULE}::test_bad")])[0] == 0
    assert run_small("cpu", [entry(f"{MODULE}::test_good")])[0] == 1


def test_an_excused_test_that_is_not_there_is_told(pytest_says, run_small, capsys):
    pytest_says(0, test_good="passed")
    gone = f"{MODULE}::test_gone"
    status, content = run_small("cpu", [entry(gone)])
    assert (status, content["unknown_exceptions"]) == (1, [gone])
    assert f"## Excused, and no test of the suite\n\n- `{gone}`" in capsys.readouterr().out
    # A part of the suite says nothing of it.
    status, content = run_small("cpu", [entry(gone)], "-k", "good")
    assert (status, content["unknown_exceptions"]) == (0, [])


@pytest.mark.parametrize(("status", "outcomes"), [(5, {}), (0, {}), (-11, {"test_good": "passed"})])
def test_a_run_that_does_not_come_to_its_end_is_told(
    pytest_says, run_small, capsys, status, outcomes
):
    pytest_says(status, **outcomes)
    assert run_small("cpu", [])[0] == 2
    told = f"the suite did not run to its end (pytest's exit status is {status})"
    assert told in capsys.readouterr().err
