"""What a whole process costs: empty, with an import, with a first launch from disk or cold.

Every sample is a fresh process, from its start to its end. Its time is that of the processor, of
all its threads, in Python and in the system: on a machine with other work the clock on the wall
tells more of that work. All kinds of process take their turns in one round after another, so that
what slows the machine for a while slows all of them; ratios are of the times of one round.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from side_by_side import page
from speedmetal.bench.measure.statistics import paired_ratio, summarise

LAUNCH = """
import numpy as np
import speedmetal as sm

@sm.kernel
def k(a, c):
    i = sm.thread_position_in_grid().x
    value = a[i] * 1.5
    total = value
    for step in range(4):
        total = total * value + 0.5
    if total > 2.0:
        total = total - 1.0
    else:
        total = total + 1.0
    c[i] = total

a = np.linspace(0, 1, 1000, dtype=np.float32)
c = np.empty_like(a)
k(a, c, grid=a.size)
assert c[0] == 1.5, c[0]
"""

EMPTY, NUMPY = "empty Python", "import numpy"
IMPORT, FROM_DISK, COLD = "import speedmetal", "first launch, from disk", "first launch, cold"


@dataclass
class Process:
    """A kind of process, and what its samples took.

    Args:
        label: Of its row.
        program: What it runs.
        source: The folder of packages that it imports speedmetal from.
        folder: Its own, for the program and the caches.
        keeps_cache: Whether it finds what the one before has compiled.
    """

    label: str
    program: str
    source: Path
    folder: Path
    keeps_cache: bool = True
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def run(self, variables: Mapping[str, str]) -> tuple[float, float]:
        """One process: seconds of the processor, and on the wall.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        cache, path = self.folder / "cache", self.folder / "program.py"
        if not self.keeps_cache:
            shutil.rmtree(cache, ignore_errors=True)
        self.folder.mkdir(exist_ok=True)
        path.write_text(self.program)
        command = [sys.executable, str(path)]
        own = {"PYTHONPATH": str(self.source), "SPEEDMETAL_CACHE_DIR": str(cache)}
        start = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, **variables, **own})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        return used.ru_utime + used.ru_stime, time.perf_counter() - start


def measured(
    ours: Path, earlier: Path | None, rounds: int, folder: Path, variables: Mapping[str, str]
) -> list[Process]:
    """Every kind of process in every round.

    Args:
        ours: A checkout of speedmetal.
        earlier: Another one, to compare with.
        rounds: How many.
        folder: An empty one.
        variables: Of the processes' environment.
    """
    checkouts = [("", ours)] + ([(", earlier", earlier)] if earlier else [])
    kinds = [(EMPTY, "pass", ours, True), (NUMPY, "import numpy", ours, True)]
    for suffix, checkout in checkouts:
        kinds += [
            (IMPORT + suffix, "import speedmetal", checkout, True),
            (FROM_DISK + suffix, LAUNCH, checkout, True),
            (COLD + suffix, LAUNCH, checkout, False),
        ]
    found = [
        Process(label, program, checkout.absolute() / "src", folder / str(number), keeps)
        for number, (label, program, checkout, keeps) in enumerate(kinds)
    ]
    for process in found:  # writes bytecode and caches
        process.run(variables)
    for number in range(rounds):
        turn = number % len(found)
        for process in found[turn:] + found[:turn]:
            cpu, wall = process.run(variables)
            process.cpu.append(cpu)
            process.wall.append(wall)
    return found


def report(processes: Sequence[Process]) -> str:
    """A table: times, and ratios to ``import numpy`` and to the earlier checkout."""
    by_label = {process.label: process for process in processes}
    has_earlier = f"{COLD}, earlier" in by_label
    rows = []
    for process in processes:
        times = summarise(process.cpu)
        median, low, high = map(page.seconds_text, (times.median, times.low, times.high))
        row = [
            process.label,
            f"{median} [{low}, {high}]",
            page.seconds_text(min(process.cpu)),
            page.seconds_text(min(process.wall)),
            _ratio(process, by_label[NUMPY]),
        ]
        earlier = by_label.get(f"{process.label}, earlier")
        rows.append([*row, _ratio(process, earlier)] if has_earlier else row)
    head = ["process", "CPU, median [95 %]", "CPU, least", "wall, least", f"times `{NUMPY}`"]
    return page.table([*head, "times the earlier one"] if has_earlier else head, rows)


def _ratio(process: Process, other: Process | None) -> str:
    if other is None or other is process:
        return ""
    found = paired_ratio(process.cpu, other.cpu)
    return f"{found.ratio:.2f} [{found.low:.2f}, {found.high:.2f}]"
