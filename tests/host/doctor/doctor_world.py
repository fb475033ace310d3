"""What tests of the doctor share: small suites, planted checks, and how to look at a report."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from speedmetal.doctor import conformance
from speedmetal.doctor.results import Result
from speedmetal.doctor.supervisor import Supervisor
from speedmetal.doctor.worker import Task

CHECKOUT = Path(__file__).parents[3]
LONG = 60.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


def task(subject: str = "cpu") -> Task:
    return Task(subject, is_quick=True, progress=lambda done, total: None)


def is_alive(process: int) -> bool:
    """Whether a process runs still; one that has ended and was not asked about does not."""
    if sys.platform.startswith("linux"):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].strip()
        except (FileNotFoundError, ProcessLookupError):
            state = ""
    else:
        command = ["ps", "-o", "stat=", "-p", str(process)]
        state = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return bool(state) and not state.startswith("Z")


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


SMALL_SUITE = """
import os, signal, time
import pytest

@pytest.fixture(params=["cpu", "metal"])
def device(request):
    return request.param

@pytest.fixture
def broken_start():
    raise RuntimeError("no start")

@pytest.fixture
def broken_end():
    yield
    raise RuntimeError("no end")

@pytest.mark.parametrize("number", range(6))
def test_right(device, number):
    print("output")

def test_of_the_suite_itself():
    raise AssertionError

def test_left_out(device):
    pytest.skip("no such thing here")
"""


def conform(
    folder: Path, scratch: Path, device: str = "cpu", seconds: float = LONG, **options: Any
) -> Result:
    return conformance.Conformance(
        device=device,
        supervisor=options.pop("supervisor", None) or Supervisor(),
        scratch=scratch,
        deadline=time.monotonic() + seconds,
        is_quick=options.pop("is_quick", False),
        progress=options.pop("progress", lambda done, total: None),
        folder=folder,
        **options,
    ).run()


PLANTED = {
    "machine": "return Finding({'chip': 'M9'}, note='M9')",
    "devices": """
    cpu = {"kind": "cpu", "simulated": False}
    return Finding({"cpu": cpu, "cuda": {"reason": "no NVIDIA here"}}, note="cpu")""",
    "fine": "return Finding(note='all right')",
}
HEAD = """
import os, signal, subprocess, sys, time
from pathlib import Path
from speedmetal.doctor.results import Finding

def examine(task):
    {}
"""


def report(folder: Path) -> dict[str, Any]:
    """The only file in a folder."""
    (path,) = folder.iterdir()
    return json.loads(path.read_text("utf-8"))


def entry(content: Mapping[str, Any], check: str) -> Mapping[str, Any]:
    (found,) = (each for each in content["checks"] if each["check"] == check)
    return found
