"""Is speedmetal as fast as it was? Two checkouts of it, side by side in one run.

Every kernel of benchmarks/kernels.py and the launch of benchmarks/launch.py, from this checkout and
from an earlier one, each in a process of its own with a disk cache of its own; the same inputs, the
results proved, samples in rounds of random order. A ratio is the earlier time over today's, so that
above 1 we have become faster.

    git worktree add ../earlier COMMIT
    python benchmarks/before_and_after.py ../earlier [--quick] [--cases stencil scan]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from side_by_side import page
from side_by_side.cases import CASES, Case
from side_by_side.contender import contender_of
from side_by_side.rounds import SEED, Effort, Entry, prepare, sample, speed_ratio
from side_by_side.small_cases import ADDITION
from side_by_side.worker import Worker, store

from speedmetal.bench.environment import default_threads, read_conditions

HERE = Path(__file__).parents[1]
LIMIT_SECONDS = 90.0


def main() -> None:
    """Measure every variant of every case in both, print a table."""
    options = _options()
    load = read_conditions().load
    sources = (options.earlier / "src", HERE / "src")
    effort = Effort(rounds=12, seconds=3.0) if options.quick else Effort()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["SPEEDMETAL_CACHE"] = "0"  # no checkout runs what the other has compiled
        workers = [
            Worker("speedmetal", options.threads, LIMIT_SECONDS, folder / "log", source)
            for source in sources
        ]
        try:
            for case in (*CASES, ADDITION):
                if not options.cases or case.name in options.cases:
                    rows += _rows(case, workers, folder, effort)
        finally:
            for worker in workers:
                worker.stop()
    print(page.circumstances(["speedmetal", "llvmlite"], options.threads, load), end="\n\n")
    print(page.table(["case", "before", "after", "times as fast as before"], rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("earlier", type=Path, help="folder of the earlier checkout")
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--cases", nargs="+", choices=[c.name for c in (*CASES, ADDITION)])
    parser.add_argument("--threads", type=int, default=default_threads())
    return parser.parse_args()


def _rows(case: Case, workers: Sequence[Worker], folder: Path, effort: Effort) -> list[list[str]]:
    """A line for each variant of a case."""
    generator = np.random.default_rng(SEED)
    inputs = case.inputs(generator)
    store(folder, inputs, case.reference(inputs))
    pairs: list[tuple[Entry, Entry]] = []
    variants = workers[1].ask("variants", case.name)
    for worker in workers:
        worker.ask("begin", case.name, str(folder))
    for variant in variants:
        before, after = (Entry(contender_of(w.framework, variant), w) for w in workers)
        prepare(before)
        prepare(after)
        pairs.append((before, after))
    sample([entry for pair in pairs for entry in pair], effort, generator)
    return [_row(case, before, after) for before, after in pairs]


def _row(case: Case, before: Entry, after: Entry) -> list[str]:
    variant = after.contender.variant
    title = f"{case.title} ({variant})" if variant else case.title
    times = [
        page.seconds_text(entry.summary().median) if entry.is_measured else entry.failure
        for entry in (before, after)
    ]
    if not (before.is_measured and after.is_measured):
        return [title, *times, ""]
    ratio = speed_ratio(after, before)
    return [title, *times, page.ratio_text(ratio.ratio, ratio.low, ratio.high)]


if __name__ == "__main__":
    main()
