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
from pathlib import Path

from side_by_side import page
from side_by_side.cases import CASES
from side_by_side.contender import FRAMEWORKS
from side_by_side.results import Result, report
from side_by_side.rounds import Effort, measure_case
from side_by_side.worker import Worker, running

from speedmetal.bench.environment import default_threads, read_conditions

QUICK = Effort(rounds=10, seconds=2.0)
LIMIT_SECONDS = 90.0  # for one answer of a worker: torch.compile is the slowest


def main() -> None:
    """Run the chosen cases, print the tables, rewrite the page's section."""
    options = _options()
    load = read_conditions().load
    start = time.perf_counter()
    effort = QUICK if options.quick else Effort()
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(options.log or Path(scratch) / "workers.log")
        chosen = (
            Worker(framework.name, options.threads, LIMIT_SECONDS, log)
            for framework in FRAMEWORKS
            if not options.only or framework.name in options.only
        )
        with running(chosen) as workers:
            results = [
                Result(case, tuple(measure_case(case, workers, effort, Path(scratch))))
                for case in CASES
                if not options.cases or case.name in options.cases
            ]
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


if __name__ == "__main__":
    main()
