"""Run the conformance suite on the NVIDIA GPU of this machine, and write one summary.

    python tools/cuda_conformance.py FOLDER [--jobs N] [--seconds S] [what else pytest is given]

It needs NVIDIA's driver, NVRTC, NumPy, ml_dtypes, msgspec, pytest, pytest-timeout, pytest-xdist and
hypothesis; LLVM it does not need. ``FOLDER/cuda.txt`` says where it ran, how many tests passed, and
why the others did not; ``FOLDER/cuda.xml`` is pytest's record. The exit status is 0 where there is
a GPU and no test failed.

Every array has guard bytes around it. A kernel that ends its process's use of the GPU ends the
process as well, and another one goes on with the tests that are left: for that, this file is a
plugin of the processes that run the tests.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import speedmetal as sm

ROOT = Path(__file__).resolve().parents[1]
TEST_SECONDS = 60
LOST_STATUS = 70
"""Exit status of a process that lost the GPU."""
LINES_OF_A_FAILURE = 25
PACKAGES = ("numpy", "ml_dtypes", "llvmlite", "pytest", "pytest-xdist", "nvidia-cuda-nvrtc")


# --- In the processes that run the tests ---------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """End the process where it can use the GPU no longer: the test that did it is known then."""
    device = item.funcargs.get("device") if isinstance(item, pytest.Function) else None
    problem = getattr(getattr(device, "context", None), "problem", "")
    if call.excinfo is not None and problem:
        with Path(os.environ["CUDA_CONFORMANCE_LOG"]).open("a") as log:
            log.write(f"{item.nodeid}: {call.excinfo.exconly()}\n")
        os._exit(LOST_STATUS)


# --- Here ----------------------------------------------------------------------------------------


def main() -> int:
    """Run the tests, write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=int, default=540, help="for all tests together")
    options, further = parser.parse_known_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    record, log = options.folder / "cuda.xml", options.folder / "cuda_lost.txt"
    for old in (record, log):
        old.unlink(missing_ok=True)
    begin = time.monotonic()
    status = _run(record, log, options.jobs, options.seconds, further)
    lines = [*_machine(), f"{time.monotonic() - begin:.0f} s, {status}", *_outcome(record)]
    lost = log.read_text() if log.exists() else "none"
    text = "\n".join([*lines, "", "tests that lost the GPU:", lost]) + "\n"
    (options.folder / "cuda.txt").write_text(text)
    print(text)
    is_here = "cuda" in [device.name for device in sm.devices()]
    return int(not is_here or status != "pytest's exit status is 0")


def _run(record: Path, log: Path, jobs: int, seconds: int, further: list[str]) -> str:
    command = [
        *(sys.executable, "-m", "pytest", "-q", "--device", "cuda", "--guards", "--tb=short"),
        *("-p", Path(__file__).stem, "-p", "no:cacheprovider", "-n", str(jobs), "--dist=worksteal"),
        *("--max-worker-restart=300", f"--timeout={TEST_SECONDS}", "--timeout-method=thread"),
        *(f"--junitxml={record.resolve()}", "tests/conformance", *further),
    ]
    folders = [str(ROOT / "src"), str(ROOT / "tools"), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | {
        "PYTHONPATH": os.pathsep.join(folders),
        "CUDA_CONFORMANCE_LOG": str(log.resolve()),
    }
    try:
        done = subprocess.run(command, cwd=ROOT, env=variables, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"stopped after {seconds} s"
    return f"pytest's exit status is {done.returncode}"


def _machine() -> Iterator[str]:
    yield f"Python {platform.python_version()} on {platform.platform()}"
    for name in PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} is not installed"
    try:
        device = sm.device("cuda")
    except sm.DeviceError as error:
        yield str(error)
        return
    yield f"{device.description}: {device.identity}"
    yield str(device.limits)


def _outcome(record: Path) -> Iterator[str]:
    if not record.exists():
        yield "pytest left no record"
        return
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    failures: list[str] = []
    for case in ET.parse(record).getroot().iter("testcase"):  # noqa: S314 - our own
        state = next((child for child in case if child.tag in _STATES), None)
        counts[state.tag if state is not None else "passed"] += 1
        if state is not None and state.tag == "skipped":
            reasons[state.get("message", "")] += 1
        elif state is not None:
            end = (state.text or state.get("message") or "").splitlines()[-LINES_OF_A_FAILURE:]
            place = f"{case.get('classname')}::{case.get('name')}"
            failures.append("\n    ".join([f"{state.tag}: {place}", *end]))
    yield ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no tests"
    yield from (f"skipped {count}: {reason}" for reason, count in reasons.most_common())
    yield from failures


_STATES = ("failure", "error", "skipped")

if __name__ == "__main__":
    sys.exit(main())
