"""What does a launch cost, when the kernel itself has next to nothing to do?

Times repeated launches, from Python, of an addition with three arrays of 64 float32: one small
threadgroup. Contenders have processes of their own, timed in rounds of random order; each
result is checked before and after. Rewrites the section `launch` of docs/speed.md.

    python benchmarks/launch.py [--quick] [--dry]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from side_by_side import page
from side_by_side.contender import FRAMEWORKS, contender_of
from side_by_side.rounds import Effort, Entry, prepare, sample, speed_ratio
from side_by_side.small_cases import ADDITION
from side_by_side.worker import Worker, WorkerFailedError, store

from speedmetal.bench.environment import default_threads, read_conditions

LIMIT_SECONDS = 90.0


def main() -> None:
    """Measure, print, rewrite the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--dry", action="store_true", help="leave docs/speed.md as it is")
    parser.add_argument("--only", nargs="+", choices=[record.name for record in FRAMEWORKS])
    options = parser.parse_args()
    load = read_conditions().load
    threads = default_threads()
    effort = Effort(rounds=10 if options.quick else 60, seconds=60.0)
    with tempfile.TemporaryDirectory() as scratch:
        workers = [
            Worker(record.name, threads, LIMIT_SECONDS, Path(scratch) / "log")
            for record in FRAMEWORKS
            if not options.only or record.name in options.only
        ]
        try:
            entries = measure_contenders(workers, Path(scratch), effort)
        finally:
            for worker in workers:
                worker.stop()
    packages = [name for record in FRAMEWORKS for name in record.packages]
    text = "\n\n".join([page.circumstances(packages, threads, load), report(entries)])
    print(text)
    if not options.dry and not options.only:
        page.write_section("launch", text)


def measure_contenders(workers: Sequence[Worker], scratch: Path, effort: Effort) -> list[Entry]:
    """All contenders' samples."""
    inputs = ADDITION.inputs(np.random.default_rng(1))
    store(scratch, inputs, ADDITION.reference(inputs))
    entries = []
    for worker in workers:
        try:
            variants = worker.ask("variants", ADDITION.name)
            worker.ask("begin", ADDITION.name, str(scratch))
        except WorkerFailedError as error:
            entries.append(Entry(contender_of(worker.framework, ""), worker, failure=str(error)))
            continue
        for variant in variants:
            entry = Entry(contender_of(worker.framework, variant), worker)
            prepare(entry)
            entries.append(entry)
        print(worker.framework, file=sys.stderr)
    sample(entries, effort, np.random.default_rng(2))
    return entries


def report(entries: Sequence[Entry]) -> str:
    """The table; ratios are against the first of ours."""
    ours = next((entry for entry in entries if entry.is_measured), None)
    rows = []
    for entry in sorted(entries, key=lambda e: e.summary().median if e.is_measured else 1e9):
        if not entry.is_measured:
            rows.append([entry.contender.label, f"no result: {entry.failure}", "", ""])
            continue
        times = entry.summary()
        ratio = "" if ours is None or entry is ours else _times(ours, entry)
        span = f"[{page.seconds_text(times.low)}, {page.seconds_text(times.high)}]"
        rows.append([entry.contender.label, page.seconds_text(times.median), span, ratio])
    first = ours.contender.label if ours else "speedmetal"
    return page.table(["", "median", "95 %", f"times of {first}'s"], rows)


def _times(ours: Entry, entry: Entry) -> str:
    ratio = speed_ratio(ours, entry)
    return page.ratio_text(ratio.ratio, ratio.low, ratio.high)


if __name__ == "__main__":
    main()
