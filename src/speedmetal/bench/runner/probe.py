"""What is available here: every framework is tried in a process of its own.

A framework that crashes on import takes its probe with it and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata

import msgspec

from speedmetal.bench.frameworks import find_framework, framework_names
from speedmetal.bench.frameworks.base import Device, Framework, Settings
from speedmetal.bench.runner.process import worker_environment
from speedmetal.errors import UnknownNameError, UserInputError

PROBE_SECONDS = 120.0
_MARK = "speedmetal-probe:"


@dataclass(frozen=True)
class Availability:
    """A framework here: its version and devices, or the reason why it is not available."""

    framework: Framework
    version: str
    devices: tuple[Device, ...]
    reason: str = ""

    @property
    def is_available(self) -> bool:
        return not self.reason


def probe_all(names: Sequence[str], settings: Settings) -> list[Availability]:
    """Probe frameworks, two at a time (each imports a large library)."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda name: probe(name, settings), names))


def probe(name: str, settings: Settings) -> Availability:
    """Probe one framework.

    Raises:
        UnknownNameError: There is none of this name.
        UserInputError: A ``module:NAME`` cannot be loaded.
    """
    framework, reason = describe(name)
    if reason:
        return Availability(framework, "", (), reason)
    version = _version(framework)
    environment = {
        **os.environ,
        **worker_environment(settings),
        **framework.environment(settings),
    }
    try:
        result = subprocess.run(
            [sys.executable, "-m", "speedmetal.bench.runner.probe", name],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Availability(framework, version, (), f"no answer within {PROBE_SECONDS:.0f} s")
    answers = [line for line in result.stdout.splitlines() if line.startswith(_MARK)]
    if result.returncode == 0 and answers:
        devices = msgspec.json.decode(answers[-1][len(_MARK) :], type=tuple[Device, ...])
        return Availability(framework, version, devices)
    return Availability(framework, version, (), _reason(framework, result))


def describe(name: str) -> tuple[Framework, str]:
    """The framework of a name, and why its description cannot be loaded; "" where it can.

    What another package brings is there unasked: the others can be measured all the same.

    Raises:
        UnknownNameError: There is none of this name.
        UserInputError: A ``module:NAME`` cannot be loaded.
    """
    try:
        return find_framework(name), ""
    except UserInputError as error:
        if isinstance(error, UnknownNameError) or ":" in name or name not in framework_names():
            raise
        nothing = Framework(name=name, adapter="", packages=(), modes=(), default_modes=())
        return nothing, str(error)


def _version(framework: Framework) -> str:
    for package in framework.packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _reason(framework: Framework, result: subprocess.CompletedProcess[str]) -> str:
    lines = result.stderr.strip().splitlines()
    last = lines[-1].strip() if lines else ""
    if last.startswith("ModuleNotFoundError"):
        return f"not installed; {framework.install}" if framework.install else last
    if result.returncode < 0:
        return f"crashes on import (signal {-result.returncode}); last words: {last or 'none'}"
    return f"cannot be loaded: {last or f'exit status {result.returncode}'}"


def main(name: str) -> None:
    """Print the devices of a framework for :func:`probe`."""
    devices = find_framework(name).load_adapter().devices()
    print(_MARK + msgspec.json.encode(devices).decode())  # noqa: T201 - the answer


if __name__ == "__main__":
    main(sys.argv[1])
