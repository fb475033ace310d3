"""The machine, Python and the packages; and what of them speedmetal cannot work with."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import asdict

from speedmetal.bench import environment
from speedmetal.doctor.results import Finding
from speedmetal.doctor.worker import Task

MACOS_MINIMUM = 14
"""The first macOS with Metal 3.1, whose language the printed source is written in."""

PACKAGES = (
    *("speedmetal", "numpy", "llvmlite", "ml_dtypes", "hypothesis", "msgspec", "psutil", "pytest"),
    *("scipy", "ziglang", "pyobjc-core", "pyobjc-framework-Cocoa", "pyobjc-framework-Metal"),
    *("pyobjc-framework-MetalPerformanceShaders", "pyobjc-framework-MetalPerformanceShadersGraph"),
    *("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu12"),
)


def examine(task: Task) -> Finding:  # noqa: ARG001 - every check has this form
    """Read what there is; nothing is tried."""
    machine = environment.read_machine()
    facts = asdict(machine) | {
        "python": f"{machine.python}, {platform.machine()}, {' '.join(platform.python_build())}",
        "load": environment.read_conditions().load,
        "packages": environment.package_versions(PACKAGES),
        "variables": environment.relevant_variables(),
    }
    note = f"{machine.chip}, {machine.system}, {machine.python}"
    return Finding(facts, tuple(_macos_problems()), note=note)


def _macos_problems() -> list[str]:
    if platform.system() != "Darwin":
        return []
    problems = []
    version = platform.mac_ver()[0]
    if int(version.split(".")[0] or 0) < MACOS_MINIMUM:
        problems.append(f"speedmetal needs macOS {MACOS_MINIMUM} or newer, this is {version}")
    if platform.machine() != "arm64":
        problems.append(
            "this Python runs as an Intel program; install an arm64 build of Python"
            if _is_translated()
            else "speedmetal's Metal device needs an Apple chip, this Mac has another"
        )
    return problems


def _is_translated() -> bool:
    """Whether Rosetta runs this process on an Apple chip."""
    asked = subprocess.run(
        ["sysctl", "-n", "sysctl.proc_translated"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() == "1"
