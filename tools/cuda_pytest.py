"""A plugin for pytest: tests that launch kernels launch them on an NVIDIA GPU.

Run: ``PYTHONPATH=src:tools python -m pytest -p cuda_pytest -n 16 tests/conformance``. Results go,
as they come, to the file in ``CUDA_CHECK_RESULTS``, a JSON object a line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import cuda_program
import pytest


def pytest_configure(config: pytest.Config) -> None:
    del config
    cuda_program.install(dry=os.environ.get("CUDA_CHECK_DRY") == "1")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    path = os.environ.get("CUDA_CHECK_RESULTS")
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    if not path or is_worker or (report.when != "call" and report.outcome == "passed"):
        return
    text = str(report.longrepr) if report.failed else ""
    record = {"test": report.nodeid, "outcome": report.outcome, "text": text[-3000:]}
    with Path(path).open("a") as file:
        file.write(json.dumps(record) + "\n")
