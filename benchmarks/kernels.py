"""How fast are kernels on the CPU, beside what else runs loops fast from Python?

Every contender computes the same from the same inputs, in a process of its own with the same number
of threads; its result is compared with a reference in double precision before and after the timing.
Samples are taken in rounds of random order. A ratio is the median over the rounds of the ratio of
the two times in that round, with its 95 % bootstrap interval. Rewrites the section `kernels` of
docs/speed.md, unless only some cases or contenders were chosen.

    python benchmarks/kernels.py [--quick] [--cases stencil scan] [--only speedmetal numba]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from side_by_side import page
from side_by_side.cases import CASES, Case
from side_by_side.contender import FRAMEWORKS, contender_of
from side_by_side.results import Result, report
from side_by_side.rounds import Effort, Entry, prepare, sample
from side_by_side.worker import Worker, WorkerFailedError, store

from speedmetal.bench.environment import default_threads, read_conditions

QUICK = Effort(rounds=10, seconds=2.0)
LIMIT_SECONDS = 90.0  # for one answer of a worker: torch.compile is the slowest
SEED = 20240531


def main() -> None:
    """Run the chosen cases, print the tables, rewrite the page's section."""
    options = _options()
    load = read_conditions().load
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(options.log or Path(scratch) / "workers.log")
        workers = [
            Worker(framework.name, options.threads, LIMIT_SECONDS, log)
            for framework in FRAMEWORKS
            if not options.only or framework.name in options.only
        ]
        try:
            results = [
                run_case(case, workers, QUICK if options.quick else Effort(), Path(scratch))
                for case in CASES
                if not options.cases or case.name in options.cases
            ]
        finally:
            for worker in workers:
                worker.stop()
    packages = [name for framework in FRAMEWORKS for name in framework.packages]
    text = report(results, page.circumstances(packages, options.threads, load))
    print(text)
    print(f"\n{time.perf_counter() - start:.0f} s", file=sys.stderr)
    if not (options.cases or options.only or options.dry):
        page.write_section("kernels", text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--dry", action="store_true", help="leave docs/speed.md as it is")
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--only", nargs="+", choices=[record.name for record in FRAMEWORKS])
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--log", help="file for what the frameworks print")
    return parser.parse_args()


def run_case(case: Case, workers: Sequence[Worker], effort: Effort, scratch: Path) -> Result:
    """Prepare, prove and time all contenders of a case."""
    print(f"{case.name}:", end=" ", flush=True, file=sys.stderr)
    start = time.perf_counter()
    generator = np.random.default_rng(SEED)
    inputs = case.inputs(generator)
    store(scratch, inputs, case.reference(inputs))
    entries: list[Entry] = []
    for worker in workers:
        entries += _entries(case, worker, scratch)
    prepared = time.perf_counter()
    sample(entries, effort, generator)
    print(
        f"{prepared - start:.0f} s to prepare, {time.perf_counter() - prepared:.0f} s of samples",
        file=sys.stderr,
    )
    return Result(case, tuple(entries))


def _entries(case: Case, worker: Worker, scratch: Path) -> list[Entry]:
    """A framework's contenders of a case, prepared; or one that says why there are none."""
    try:
        variants = worker.ask("variants", case.name)
        worker.ask("begin", case.name, str(scratch))
    except WorkerFailedError as error:
        return [Entry(contender_of(worker.framework, ""), worker, failure=str(error))]
    entries = []
    for variant, missing in variants.items():
        entry = Entry(contender_of(worker.framework, variant), worker, failure=missing)
        if not missing:
            prepare(entry)
        entries.append(entry)
        if not worker.is_running:
            _begin_again(worker, case, scratch, entries)
    return entries


def _begin_again(worker: Worker, case: Case, scratch: Path, entries: Sequence[Entry]) -> None:
    """After the process has ended a new one takes over, which knows nothing yet."""
    try:
        worker.ask("begin", case.name, str(scratch))
    except WorkerFailedError:
        return
    for entry in entries:
        if not entry.failure:
            prepare(entry)


if __name__ == "__main__":
    main()
