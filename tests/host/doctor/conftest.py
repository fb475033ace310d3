"""A small suite, planted checks, and the command itself."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from doctor_world import CHECKOUT, HEAD, PLANTED, SMALL_SUITE, Outcome

import speedmetal as sm
from speedmetal import cli
from speedmetal.doctor import examination


@pytest.fixture
def small_suite(tmp_path) -> Callable[[str], Path]:
    """Writes a suite of 7 tests for each of two devices, with more of them."""

    def write(more: str = "") -> Path:
        folder = tmp_path / "tests"
        (folder / "conformance").mkdir(parents=True)
        (folder / "conformance" / "conftest.py").touch()
        text = SMALL_SUITE + textwrap.dedent(more)
        (folder / "conformance" / "test_small.py").write_text(text)
        return folder

    return write


@pytest.fixture
def plant(tmp_path, monkeypatch) -> Callable[..., None]:
    """Puts checks of a test in the place of the doctor's own."""
    package = tmp_path / "planted_checks"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{CHECKOUT / 'src'}")
    monkeypatch.setattr(examination, "PACKAGE", package.name)

    def plant(checks: Mapping[str, str], *, kinds: frozenset[str] | None = None) -> None:
        for name, body in {**PLANTED, **checks}.items():
            (package / f"{name}.py").write_text(HEAD.format(body))
        planned = tuple((name, kinds) for name in checks if name not in {"machine", "devices"})
        monkeypatch.setattr(examination, "DEVICE_CHECKS", planned)

    return plant


@pytest.fixture
def doctor(monkeypatch, capfd, tmp_path) -> Callable[..., Outcome]:
    """Runs the console script's own entry point in this process, in a folder of the test."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["speedmetal", "doctor", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capfd.readouterr()
        return Outcome(int(stopped.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def simulator() -> Any:
    """The simulated device, where it can be had."""
    try:
        return sm.device("metal-sim")
    except sm.DeviceError as error:
        pytest.skip(str(error))
