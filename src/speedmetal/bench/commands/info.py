"""``speedmetal info``: the machine, the frameworks and their devices."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from speedmetal import __version__
from speedmetal.bench import environment
from speedmetal.bench.commands import output
from speedmetal.bench.frameworks import framework_names
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.runner.probe import Availability, probe_all


def execute(*, as_json: bool) -> int:
    """Print this machine, and every framework and device or why it is missing; the exit status."""
    machine = environment.read_machine()
    settings = Settings(environment.default_threads())
    available = probe_all(framework_names(), settings)
    if as_json:
        output.write(msgspec.json.format(msgspec.json.encode(_document(machine, available))), None)
    else:
        _show(machine, available)
    return 0


def _document(machine: environment.Machine, available: Sequence[Availability]) -> dict[str, object]:
    return {
        "speedmetal": __version__,
        "machine": machine,
        "threads": environment.default_threads(),
        "frameworks": [
            {
                "name": one.framework.name,
                "version": one.version,
                "devices": one.devices,
                "modes": one.framework.modes,
                "unavailable": one.reason,
            }
            for one in available
        ],
    }


def _show(machine: environment.Machine, available: Sequence[Availability]) -> None:
    console = Console()
    facts = Table.grid(padding=(0, 2))
    cores = f"{machine.cores}" + (f" ({machine.core_split})" if machine.core_split else "")
    for name, value in (
        ("speedmetal", __version__),
        ("system", machine.system),
        ("chip", machine.chip),
        ("cores", f"{cores}, {environment.default_threads()} usable"),
        (
            "memory",
            " GiB, ".join(
                f"{size / 2**30:.1f}"
                for size in (machine.memory_bytes, machine.memory_available_bytes)
            )
            + " GiB available",
        ),
        ("last-level cache", f"{machine.last_level_cache_bytes / 2**20:.0f} MiB"),
        ("power", machine.governor or "unknown"),
        ("python", machine.python),
    ):
        facts.add_row(Text(name, style="dim"), Text(value))
    console.print(facts)
    table = Table("framework", "version", "device", "modes", box=None, header_style="bold")
    for one in available:
        if not one.is_available:
            table.add_row(one.framework.name, one.version or "-", Text(one.reason, "yellow"), "")
        for device in one.devices:
            table.add_row(
                one.framework.name,
                one.version,
                Text(f"{device.name}: {device.description}"),
                ", ".join(one.framework.modes),
            )
    console.print()
    console.print(table)
