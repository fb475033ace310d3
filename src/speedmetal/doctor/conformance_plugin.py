"""The doctor's eyes in pytest: chooses the tests of one device, and tells of each as it happens.

Loaded with ``-p speedmetal.doctor.conformance_plugin``; what it must do is in its options.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from speedmetal.doctor import traces
from speedmetal.doctor.events import Events

EXCERPT_LINES = 40
"""Of a failure's report are told: its end, where the message is."""

_events = Events()
_ended: dict[str, tuple[str, str]] = {}
"""Outcome of the present test, and why."""

# At once, before pytest takes standard error for itself.
traces.install()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("speedmetal doctor")
    group.addoption("--doctor-device", help="the device whose tests run")
    group.addoption("--doctor-part", default="0/1", help="K/N: every Nth test from the Kth on")
    group.addoption("--doctor-every", type=int, default=1, help="a sample: one test in so many")
    group.addoption("--doctor-without", help="a file with the tests that must not run, one a line")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests that were asked for, in their order."""
    part, parts = map(int, config.getoption("--doctor-part").split("/"))
    without = _lines(config.getoption("--doctor-without"))
    device = config.getoption("--doctor-device")
    own = [item for item in items if device_of(item) == device]
    sample = own[:: config.getoption("--doctor-every")]
    wanted = [item for item in sample[part::parts] if item.nodeid not in without]
    chosen = set(wanted)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = wanted
    _events.send(collected=len(wanted))


def device_of(item: pytest.Item) -> str | None:
    """The device that a test is about; None where it is about none: about the suite itself."""
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("device")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tell that a test starts, and how it ended once it has cleared up."""
    _ended.clear()
    _tell(started=item.nodeid)
    result = yield
    outcome, text = _ended.get(item.nodeid, ("failed", "no report of it"))
    _tell(ended=item.nodeid, outcome=outcome, text=text)
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst of setting up, the call and clearing up."""
    if report.failed:
        excerpt = "\n".join(report.longreprtext.splitlines()[-EXCERPT_LINES:])
        before = _ended.get(report.nodeid, ("", ""))
        _ended[report.nodeid] = ("failed", before[1] if before[0] == "failed" else excerpt)
    elif report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "expected to fail"
        _ended.setdefault(report.nodeid, ("skipped", reason.removeprefix("Skipped: ")))
    elif report.when == "call":
        _ended.setdefault(report.nodeid, ("passed", ""))


def _tell(**fields: str) -> None:
    try:
        _events.send(**fields)
    except BrokenPipeError:  # the doctor is gone; nobody waits for the rest
        os._exit(1)


def _lines(path: str | None) -> frozenset[str]:
    return frozenset(Path(path).read_text("utf-8").splitlines()) if path else frozenset()
