"""The conformance suite under the doctor: every way in which a test goes wrong; its shipping."""

from __future__ import annotations

import subprocess
import tomllib

import pytest
from doctor_world import CHECKOUT, conform

from speedmetal.doctor import conformance, suite
from speedmetal.doctor.results import Status


def test_the_tests_of_one_device_run(small_suite, tmp_path):
    seen = []
    result = conform(small_suite(), tmp_path, progress=lambda *counts: seen.append(counts))
    assert (result.check, result.subject, result.status) == ("conformance", "cpu", Status.OK)
    assert result.note == "6 passed, 1 skipped"
    assert result.facts["tests"] == 7
    assert result.facts["skipped because"] == {"no such thing here": 1}
    assert seen[-1] == (7, 7)


def test_parts_share_the_tests(small_suite, tmp_path, monkeypatch):
    monkeypatch.setattr(conformance.os, "cpu_count", lambda: 3)
    result = conform(small_suite(), tmp_path, "metal")
    assert result.note == "6 passed, 1 skipped"
    assert sorted(path.name for path in tmp_path.glob("without-*")) == [
        f"without-metal-{part}" for part in range(3)
    ]


def test_a_sample_is_taken_where_there_is_little_time(small_suite, tmp_path, monkeypatch):
    monkeypatch.setattr(conformance, "QUICK_EVERY", 3)
    assert conform(small_suite(), tmp_path, is_quick=True).facts["tests"] == 3


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("def test_wrong(device):\n    assert device == 'tpu'", "AssertionError"),
        ("def test_wrong(device, broken_start): pass", "no start"),
        ("def test_wrong(device, broken_end): pass", "no end"),
    ],
    ids=["call", "setup", "teardown"],
)
def test_a_failing_test_fails_the_check(small_suite, tmp_path, more, text):
    result = conform(small_suite(more), tmp_path)
    assert result.status is Status.FAILED
    name = "conformance/test_small.py::test_wrong[cpu]"
    assert result.problems == (f"failed: {name}",)
    assert result.note == "6 passed, 1 failed, 1 skipped"
    assert text in "\n".join(result.facts["failures"][name])


@pytest.mark.parametrize(
    ("fault", "outcome", "text"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed", "SIGSEGV"),
        ("os._exit(0)", "crashed", "status 0"),
        ("time.sleep(600)", "hung", "in test_a_lost_one"),
    ],
)
def test_a_test_that_takes_its_process_along_is_the_only_one_lost(
    small_suite, tmp_path, fault, outcome, text
):
    more = f"def test_a_lost_one(device):\n    {fault}\ndef test_after_it(device): pass"
    result = conform(small_suite(more), tmp_path, test_seconds=8.0)
    name = "conformance/test_small.py::test_a_lost_one[cpu]"
    assert result.problems == (f"{outcome}: {name}",)
    assert result.note == f"7 passed, 1 {outcome}, 1 skipped"
    assert text in "\n".join(result.facts["failures"][name])


def test_a_device_on_which_everything_crashes_is_given_up(small_suite, tmp_path, monkeypatch):
    monkeypatch.setattr(conformance, "MAXIMUM_LOSSES", 3)
    more = """
    @pytest.fixture(autouse=True)
    def crash():
        os._exit(1)
    """
    monkeypatch.setattr(conformance.os, "cpu_count", lambda: 1)
    result = conform(small_suite(more), tmp_path)
    assert result.status is Status.FAILED
    assert result.note == "3 crashed, 4 not run"
    assert result.problems[-1] == "3 processes were lost; the rest was left out"


def test_a_suite_that_cannot_be_read_fails_with_pytests_words(small_suite, tmp_path):
    result = conform(small_suite("import no_such_module"), tmp_path)
    assert result.status is Status.FAILED
    assert "outside of the tests, the process ended with status 2" in result.problems[0]
    assert "No module named 'no_such_module'" in "\n".join(result.output)


def test_a_device_without_tests_fails(small_suite, tmp_path):
    result = conform(small_suite(), tmp_path, "cuda")
    assert result.status is Status.FAILED
    assert result.problems == ("the suite has no test of cuda",)


def test_what_there_was_no_time_for_is_not_run(small_suite, tmp_path):
    more = "def test_long(device): time.sleep(600)"
    result = conform(small_suite(more), tmp_path, seconds=6.0)
    assert result.status is Status.NOT_RUN
    assert result.note == "6 passed, 1 skipped, 1 not run"
    nothing = conform(tmp_path / "tests", tmp_path, seconds=0.0)
    assert (nothing.status, nothing.note) == (Status.NOT_RUN, "no test has run, all not run")


def test_settings_and_plugins_of_the_user_do_not_matter(small_suite, tmp_path, monkeypatch):
    folder = small_suite()
    for place in (folder, tmp_path):
        (place / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--another-one")
    assert conform(folder, tmp_path).note == "6 passed, 1 skipped"


def test_the_wheel_has_all_that_the_suite_needs(tmp_path):
    """Proves that what pyproject.toml puts into the wheel can be collected by itself."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    package = tmp_path / "speedmetal" / "doctor"
    package.mkdir(parents=True)
    for source, target in included.items():
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / target).symlink_to(CHECKOUT / source)
    wheel = package / suite.PLACES[1].name
    assert suite.suite_folder([tmp_path / "nowhere", wheel]) == wheel
    copied = tmp_path / "copy"  # without links, pytest cannot look beside the originals
    subprocess.run(["cp", "-rL", wheel, copied], check=True)
    command = conformance.pytest_command(copied, "cpu", "--collect-only")
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert found.stdout.count("::") > 1000


def test_a_missing_suite_is_told(tmp_path):
    with pytest.raises(suite.SuiteError, match="the conformance suite is not here; expected it in"):
        suite.suite_folder([tmp_path])


def test_the_printed_sources_are_found():
    sources = suite.printed_sources()
    assert "vector_add" in sources
    assert "written/gelu" in sources
    assert all("#include <metal_stdlib>" in text for text in sources.values())
