"""``speedmetal doctor`` with planted checks that fail, crash or hang: what it says; its file."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from doctor_world import LONG, PLANTED, entry, is_alive, report, wait_until

import speedmetal as sm
from speedmetal.doctor import conformance, document, examination


def test_all_is_well(plant, doctor, tmp_path):
    plant({"fine": PLANTED["fine"]})
    outcome = doctor()
    assert outcome.status == 0
    content = report(tmp_path / "here")
    (path,) = (tmp_path / "here").iterdir()
    assert re.fullmatch(r"speedmetal-doctor-\d{4}-\d\d-\d\d-\d{6}\.json", path.name)
    assert outcome.out == (f"all checks hold: 3 ok, 1 skipped\neverything is in {path.name}\n")
    assert content["conclusion"] == "all checks hold: 3 ok, 1 skipped"
    assert content["overview"] == [
        "ok      machine                               M9",
        "ok      devices                               cpu",
        "skipped device on cuda                        no NVIDIA here",
        "ok      fine on cpu                           all right",
    ]
    assert outcome.err.splitlines() == content["overview"]
    assert content["speedmetal"] == sm.__version__
    assert content["settings"] == {"budget_seconds": 600.0, "quick": False}
    assert entry(content, "machine")["facts"] == {"chip": "M9"}
    assert "output" not in entry(content, "fine")


FAULTS = {
    "problem": (
        "print('words'); return Finding({'a': 1}, problems=('2 is wrong', '3 is'))",
        "2 is wrong",
        "words",
    ),
    "exception": (
        "raise ValueError('bad luck')",
        "the process ended with status 1: ValueError: bad luck",
        "Traceback",
    ),
    "signal": (
        "os.kill(os.getpid(), signal.SIGABRT)",
        "the process was ended by SIGABRT: ",
        "in examine",
    ),
    "silent_end": ("os._exit(0)", "the process ended with status 0", ""),
    "late_crash": (
        "import atexit; atexit.register(os.kill, os.getpid(), signal.SIGBUS); return Finding()",
        "after the check, the process was ended by SIGBUS",
        "Bus error",
    ),
    "hang": ("time.sleep(600)", "the process took too long: ", "in examine"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_check_that_goes_wrong_does_not_end_the_others(
    plant, doctor, tmp_path, monkeypatch, name
):
    body, note, output = FAULTS[name]
    monkeypatch.setattr(examination, "HANGS_AFTER_SECONDS", 5.0 if name == "hang" else LONG)
    plant({name: body, "fine": PLANTED["fine"]})
    outcome = doctor("--out", "x.json")
    assert outcome.status == 1
    content = report(tmp_path / "here")
    found = entry(content, name)
    assert found["status"] == "failed"
    assert found["note"].startswith(note)
    assert output in "\n".join(found.get("output", []))
    assert entry(content, "fine")["status"] == "ok"
    assert content["conclusion"] == "something is wrong: 3 ok, 1 failed, 1 skipped"
    assert outcome.out.startswith(content["conclusion"])


def test_problems_are_told_on_the_terminal_as_well(plant, doctor):
    plant({"bad": "return Finding(problems=('one', 'two', 'three'))"})
    assert (
        "failed  bad on cpu                            one\n        two\n        three\n"
        in doctor().err
    )


def test_a_check_may_not_apply(plant, doctor, tmp_path):
    plant({"odd": "return Finding(skipped='only on Sundays')"})
    assert doctor().status == 0
    assert entry(report(tmp_path / "here"), "odd")["note"] == "only on Sundays"


def test_checks_of_other_kinds_of_devices_are_not_planned(plant, doctor, tmp_path):
    plant({"apple": "return Finding()"}, kinds=frozenset({"metal"}))
    assert doctor().status == 0
    names = [each["check"] for each in report(tmp_path / "here")["checks"]]
    assert names == ["machine", "devices", "device"]


def test_devices_that_cannot_be_listed_are_tried_all_the_same(plant, doctor, tmp_path):
    plant({"devices": "os.kill(os.getpid(), signal.SIGKILL)", "fine": PLANTED["fine"]})
    assert doctor().status == 1
    content = report(tmp_path / "here")
    assert entry(content, "devices")["note"] == "the process was ended by SIGKILL"
    assert entry(content, "fine") | {"seconds": 0} == {
        "check": "fine", "on": "cpu", "status": "ok", "note": "all right", "seconds": 0
    }  # fmt: skip


def test_what_the_budget_does_not_allow_is_not_run(plant, doctor, tmp_path):
    plant({"slow": "time.sleep(600)", "fine": PLANTED["fine"]})
    outcome = doctor("--budget", "5s")
    assert outcome.status == 1
    content = report(tmp_path / "here")
    assert entry(content, "slow")["status"] == "not run"
    assert entry(content, "slow")["note"] == "out of time"
    assert entry(content, "fine")["note"] == "out of time"
    assert content["conclusion"] == "not everything was checked: 2 ok, 1 skipped, 2 not run"


def test_a_quick_run_is_told_to_the_checks(plant, doctor, tmp_path):
    plant({"asked": "return Finding(note=f'{task.subject} {task.is_quick}')"})
    assert doctor("--quick").status == 0
    content = report(tmp_path / "here")
    assert entry(content, "asked")["note"] == "cpu True"
    assert content["settings"]["quick"] is True


def test_compiled_code_of_checks_does_not_come_to_the_users_cache(plant, doctor, tmp_path):
    plant({"cached": "return Finding(note=os.environ['SPEEDMETAL_CACHE_DIR'])"})
    doctor("--out", "x.json")
    note = entry(report(tmp_path / "here"), "cached")["note"]
    assert re.fullmatch(r"(<temporary>|/tmp)/speedmetal-doctor-\w+/cache", note)


# --- The file ------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["no/such/folder/x.json", "../full", "."])
def test_a_file_that_cannot_be_written_is_told_before_anything_else(plant, doctor, tmp_path, out):
    (tmp_path / "full").symlink_to("/dev/full")
    plant({"fine": f"Path({str(tmp_path / 'here' / 'ran')!r}).touch()"})
    outcome = doctor("--out", out)
    assert outcome.status == 2
    assert re.match(r"speedmetal: cannot write .*; name another file with --out\n", outcome.err)
    assert list((tmp_path / "here").iterdir()) == []


def test_a_report_that_can_no_longer_be_written_is_printed(plant, doctor, tmp_path):
    folder = tmp_path / "stick"
    folder.mkdir()
    plant({"unplug": f"import shutil; shutil.rmtree({str(folder)!r}); return Finding(note='gone')"})
    outcome = doctor("--out", folder / "x.json")
    assert outcome.status == 3
    content = json.loads(outcome.out)
    assert entry(content, "unplug")["note"] == "gone"
    assert "cannot write" in outcome.err.splitlines()[-1]


def test_a_full_disk_keeps_what_was_written_before(tmp_path):
    """Proves that the last whole report stays, by a limit on the size of files."""
    path = tmp_path / "x.json"
    document.write("old\n", path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(document.ReportError, match=r"cannot write .*File too large"):
            document.write("x" * 20_000, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(plant, doctor, tmp_path):
    """Proves that what is named is written to, such as /dev/stdout, and never replaced."""
    plant({"fine": PLANTED["fine"]})
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target.json")
    assert doctor("--out", link).status == 0
    assert link.is_symlink()
    assert json.loads((tmp_path / "target.json").read_text())["speedmetal doctor"] == 1


def test_an_unknown_budget_is_told(doctor):
    outcome = doctor("--budget", "soon")
    assert outcome.status == 2
    assert "--budget: expected a duration above zero" in outcome.err


def test_what_is_short_stands_on_one_line():
    content = {"a": [1.5, 2], "b": {"c": ["x" * 60, "y" * 60], "d": {}}, "e": 'ü"\n'}
    text = document.render_document(content)
    assert json.loads(text) == content
    assert text.splitlines()[1] == '  "a": [1.5, 2],'
    assert max(map(len, text.splitlines())) < 90


# --- Ctrl-C --------------------------------------------------------------------------------------

DRIVER = """
from pathlib import Path
from speedmetal import cli
from speedmetal.doctor import conformance, examination, suite
conformance.MAXIMUM_PARTS = 1
examination.PACKAGE = "planted_checks"
examination.DEVICE_CHECKS = {checks!r}
suite.PLACES = (Path({suite!r}),)
cli.main()
"""


@pytest.fixture
def interrupted(plant, tmp_path) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Starts a doctor of its own, sends it a signal when a file appears, and waits for its end."""

    def run(
        checks: Mapping[str, str], number: signal.Signals, *, folder: Path | None = None
    ) -> tuple[int, dict[str, Any], str]:
        plant(checks)
        planned = [(name, None) for name in checks if name not in PLANTED]
        planned += [(conformance.NAME, None)] if folder else []
        driver = tmp_path / "driver.py"
        driver.write_text(DRIVER.format(checks=planned, suite=str(folder or tmp_path)))
        command = [sys.executable, driver, "doctor", "--out", "x.json"]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=tmp_path, stderr=log)
            ready = tmp_path / "ready"  # made before its text is written
            wait_until(lambda: (ready.exists() and ready.read_text()) or process.poll() is not None)
            process.send_signal(number)
            status = process.wait(LONG)
        content = json.loads((tmp_path / "x.json").read_text())
        return status, content, ready.read_text()

    return run


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_writes_what_there_is(interrupted, tmp_path, number):
    ready = str(tmp_path / "ready")
    checks = {
        "quick_one": "return Finding(note='done')",
        "endless": f"Path({ready!r}).write_text(str(os.getpid())); time.sleep(600)",
        "later": "return Finding()",
    }
    status, content, child = interrupted(checks, number)
    assert status == 130
    assert entry(content, "quick_one")["note"] == "done"
    for name in ("endless", "later"):
        assert entry(content, name)["status"] == "not run"
        assert entry(content, name)["note"] == "interrupted"
    assert content["conclusion"].startswith("not everything was checked: 3 ok")
    assert not is_alive(int(child))


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_keeps_the_tests_that_have_run(interrupted, small_suite, tmp_path):
    ready = str(tmp_path / "ready")
    more = f"""
    def test_endless(device):
        open({ready!r}, "w").write(str(os.getpid()))
        time.sleep(600)
    """
    status, content, child = interrupted({}, signal.SIGINT, folder=small_suite(more))
    assert status == 130
    assert entry(content, "conformance")["note"] == "6 passed, 1 skipped, 1 not run"
    assert not is_alive(int(child))


def test_a_doctor_that_is_killed_leaves_the_checks_that_ended(interrupted, tmp_path):
    ready = str(tmp_path / "ready")
    checks = {
        "quick_one": "return Finding(note='done')",
        "endless": f"Path({ready!r}).write_text(str(os.getpid())); time.sleep(600)",
    }
    status, content, child = interrupted(checks, signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert content["conclusion"] == "incomplete: it was cut short"
    assert entry(content, "quick_one")["note"] == "done"
    os.kill(int(child), signal.SIGKILL)  # its group is its own
