"""Code for a processor without masks gives the same results: vectors of 8, full ones on their own.

The suites run once more in another process, because a process writes code for one processor.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from llvmlite import binding

from speedmetal.backends.cpu.jit import CPU_VARIABLE

TESTS = Path(__file__).parents[3]
PROCESSOR = "x86-64-v3"


def _why_not() -> str:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"this machine is no x86-64 but {platform.machine()}"
    if not binding.get_host_cpu_features().get("avx2"):
        return "this processor has no AVX2"
    if os.environ.get(CPU_VARIABLE) == PROCESSOR:
        return f"all tests of this run are for {PROCESSOR} already"
    return ""


pytestmark = [pytest.mark.skipif(bool(_why_not()), reason=_why_not()), pytest.mark.tier("default")]


def run(*arguments: str) -> str:
    """The output of Python in a process that writes code for AVX2; it must succeed."""
    environment = {**os.environ, CPU_VARIABLE: PROCESSOR}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, check=False, env=environment, cwd=TESTS, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture
def run_tests(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Runs tests in a process that writes code for AVX2, of the tier below this run's."""
    tier = request.config.getoption("--tier")
    below = "default" if tier == "nightly" else "quick"

    def run_those(*arguments: str) -> None:
        said = run(
            "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tier", below, *arguments
        )
        assert " passed" in said.splitlines()[-1]

    return run_those


def test_the_other_process_writes_code_for_avx2() -> None:
    """Or the tests below would prove nothing."""
    program = "from speedmetal.backends.cpu.jit import vector_unit; print(vector_unit().lanes)"
    said = run("-c", program)
    assert said.strip() == "8"


def test_the_language_is_the_same(run_tests: Callable[..., None]) -> None:
    """Operators, control flow, memory, barriers, atomics and collectives."""
    suites = ("integers", "control_flow", "memory", "thread_arrays", "atomics", "simdgroups")
    # Of the collectives one type each: they differ by instructions, not by how they are written.
    chosen = "not metal and (not simdgroups or int32 or votes or divergent or matrices or first)"
    files = (f"conformance/test_conformance_{suite}.py" for suite in suites)
    run_tests("-k", chosen, *files)


def test_control_flow_on_vectors_is_the_same(run_tests: Callable[..., None]) -> None:
    """What is tested of the CPU's code alone."""
    names = ("divergence", "faults", "shapes", "steps")
    run_tests(*(f"host/backends/cpu/test_cpu_{name}.py" for name in names))
