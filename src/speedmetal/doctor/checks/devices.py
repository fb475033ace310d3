"""Which devices there are, and why others are not."""

from __future__ import annotations

import contextlib
import sys
import traceback
from dataclasses import asdict
from typing import Any

from speedmetal.backends import registry
from speedmetal.backends.cuda.driver.library import library
from speedmetal.backends.device import Device
from speedmetal.doctor.results import Finding
from speedmetal.doctor.worker import Task
from speedmetal.errors import DeviceError
from speedmetal.metal_simulator.api import sdk


def expected_devices() -> frozenset[str]:
    """Devices whose absence is a problem: NVIDIA's where its driver finds a GPU."""
    names = {"cpu"}
    if sys.platform == "darwin":
        names.add("metal")
    with contextlib.suppress(DeviceError):
        library()
        names.add("cuda")
    return frozenset(names)


_FAMILY = "MTLGPUFamily"


def examine(task: Task) -> Finding:
    """Ask for every device that speedmetal knows.

    The facts have, by name, what it is; or the ``reason`` of its absence.
    """
    facts: dict[str, dict[str, Any]] = {}
    problems = []
    names = registry.known_names()
    for number, name in enumerate(names):
        task.progress(number, len(names))
        try:
            device = registry.device(name)
            facts[name] = _facts(device)
        except DeviceError as error:
            reason = str(error.__cause__ or error)
            facts[name] = {"reason": reason}
            if name in expected_devices():
                problems.append(f"device {name!r} is not available: {reason}")
        except Exception as error:  # noqa: BLE001 - the other devices are to be asked all the same
            facts[name] = {"reason": repr(error)}
            problems.append(f"device {name!r} cannot be asked for: {error!r}")
            traceback.print_exc()
    there = [name for name, fact in facts.items() if "reason" not in fact]
    return Finding(facts, tuple(problems), note=", ".join(there) or "none")


def _facts(device: Device) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "kind": device.kind,
        "description": device.description,
        "simulated": device.name in registry.SIMULATED,
        "limits": asdict(device.limits),
    }
    return facts | (_metal_facts(device) if device.kind == "metal" else {})


def _metal_facts(device: Any) -> dict[str, Any]:
    native = device.native
    with device.bridge.objc.autorelease_pool():
        return {
            "system": device.bridge.system_build,
            "architecture": str(native.architecture().name()),
            "families": [
                name.removeprefix(_FAMILY)
                for name, value in sdk.ENUMERATIONS.items()
                if name.startswith(_FAMILY) and native.supportsFamily_(value)
            ],
            "unified memory": bool(native.hasUnifiedMemory()),
            "recommended working set bytes": int(native.recommendedMaxWorkingSetSize()),
            "buffer bytes": int(native.maxBufferLength()),
        }
