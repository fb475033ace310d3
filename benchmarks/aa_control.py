"""How often does the benchmark call equal things different, and does it find true differences?

Whole runs, each from scratch: NumPy, NumPy once more, and NumPy with 5, 10 and 30 % more work, as
five contenders of five cases. Asked are

- the verdicts within each run: equal contenders, and the planted differences;
- ``compare`` of each run with the next one and the one after: the same contender (nothing has
  changed), and NumPy with the slower NumPys in its place (a regression of known size).

Beside the runs, ``--load`` processes of other work want the same processors.

    python benchmarks/aa_control.py run --runs 101 --load 2 --out aa/load2
    python benchmarks/aa_control.py tell aa/load0 aa/load2 aa/load4
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from speedmetal.bench import compare, environment
from speedmetal.bench.commands.progress import QuietProgress
from speedmetal.bench.compare import Verdict
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.operations import find_operation
from speedmetal.bench.record import CaseSpec, Contender
from speedmetal.bench.report.comparison import Changes
from speedmetal.bench.runner.run import RunOptions, run
from speedmetal.bench.store import Records, read_records
from speedmetal.bench.suites import SuiteEntry, make_case

FOLDER = Path(__file__).parent
CASES = (
    ("matmul", {"a": [256, 256], "b": [256, 256]}),
    ("softmax", {"shape": [256, 512], "axis": -1}),
    ("sum", {"shape": [64, 128, 64], "axis": 1}),
    ("relu", {"shape": [128, 16, 1024]}),
    ("sort", {"shape": [64, 1024], "axis": 1}),
)
NUMPY = Contender(framework="numpy", device="cpu", mode="eager")
AGAIN = replace(NUMPY, framework="equal_numpy:AGAIN")
SLOWER = {
    percent: replace(NUMPY, framework=f"equal_numpy:SLOWER_{percent}") for percent in (5, 10, 30)
}
THRESHOLD_PERCENT = 5.0
# Half of it computes in the caches, half goes through memory, as other programs do.
SPIN = "while True: sum(range(10000))"
STREAM = "import numpy as np\nx = np.ones(1 << 23)\nwhile True: x += 1\n"  # 64 MiB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="make runs")
    runner.add_argument("--runs", type=int, default=101)
    runner.add_argument("--load", type=int, default=0, help="processes of other work")
    runner.add_argument("--sessions", type=int, default=3)
    runner.add_argument("--budget", type=float, default=15.0, help="seconds of a run")
    runner.add_argument("--first", type=int, default=0, help="number of the first run")
    runner.add_argument("--out", type=Path, required=True)
    teller = commands.add_parser("tell", help="make the tables")
    teller.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "run":
        with other_work(arguments.load):
            for number in range(arguments.first, arguments.first + arguments.runs):
                one_run(number, arguments)
    else:
        tell(arguments.folders)


@contextlib.contextmanager
def other_work(processes: int) -> Iterator[None]:
    """Other processes, as long as the ``with`` lasts."""
    work = [
        subprocess.Popen([sys.executable, "-c", SPIN if i % 2 == 0 else STREAM])
        for i in range(processes)
    ]
    try:
        yield
    finally:
        for process in work:
            process.kill()


def one_run(number: int, arguments: argparse.Namespace) -> None:
    """One run from scratch; its records are the file ``NUMBER.jsonl``."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, str(FOLDER))
    run(
        RunOptions(
            suite="equal",
            cases=[_case(name, parameters) for name, parameters in CASES],
            contenders=[NUMPY, AGAIN, *SLOWER.values()],
            settings=Settings(environment.default_threads()),
            out=arguments.out / f"{number:04d}.jsonl",
            budget_seconds=arguments.budget,
            sessions=arguments.sessions,
            seed=number,
        ),
        QuietProgress(),
    )


def _case(name: str, parameters: dict[str, object]) -> CaseSpec:
    return make_case(SuiteEntry(find_operation(name), parameters), "float32", "forward", "ieee")


# -- Telling ---------------------------------------------------------------------------------


@dataclass
class Tally:
    """Verdicts on one kind of pair."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    deviations: list[float] = field(default_factory=list)
    half_widths: list[float] = field(default_factory=list)

    def add(self, comparison: compare.Comparison) -> None:
        self.verdicts[comparison.verdict] += 1
        self.deviations.append(float(np.log(comparison.ratio.ratio)))
        self.half_widths.append(comparison.ratio.log_half_width)

    @property
    def count(self) -> int:
        return sum(self.verdicts.values())

    @property
    def different(self) -> int:
        return self.verdicts[Verdict.FASTER] + self.verdicts[Verdict.SLOWER]


def tell(folders: Sequence[Path]) -> None:
    """Print both tables."""
    print(
        "| other work | where | pairs | called different | found slower by 5 % | 10 % | 30 % |"
        " median deviation | 95 % stay within | interval, median | ended with status 1 |"
    )
    print("| --- |" + " ---: |" * 10)
    for folder in folders:
        runs = [read_records(path) for path in sorted(folder.glob("*.jsonl"))]
        print(_within(folder.name, runs), flush=True)
        print(_between(folder.name, runs), flush=True)


def _within(name: str, runs: Sequence[Records]) -> str:
    equal, slower = Tally(), {percent: Tally() for percent in SLOWER}
    for records in runs:
        for comparison in compare.compare_with_baseline(records.cases, NUMPY.key):
            key = comparison.case.contender.key
            if key == AGAIN.key:
                equal.add(comparison)
            for percent, contender in SLOWER.items():
                if key == contender.key:
                    slower[percent].add(comparison)
    return _row(name, "one run", equal, slower, "")


def _between(name: str, runs: Sequence[Records]) -> str:
    equal, slower = Tally(), {percent: Tally() for percent in SLOWER}
    ended = 0
    pairs = [*pairwise(runs), *zip(runs, runs[2:], strict=False)]
    for before, after in pairs:
        base = _only(before, NUMPY, "before")
        same = compare.compare_runs(base, _only(after, NUMPY, "after"))
        for comparison in same:
            equal.add(comparison)
        ended += bool(Changes(same, THRESHOLD_PERCENT, None).regressions)
        for percent, contender in SLOWER.items():
            for comparison in compare.compare_runs(base, _only(after, contender, "after")):
                slower[percent].add(comparison)
    share = f"{ended} of {len(pairs)} ({ended / len(pairs):.1%})"
    return _row(name, "two runs", equal, slower, share)


def _only(records: Records, contender: Contender, label: str) -> Records:
    """A run as if it had this contender alone, under NumPy's name.

    A run of one contender has its control in every session. Here another NumPy has it in two of
    the three: those stay, under names that the other run does not have.
    """

    def name(key: Contender) -> Contender:
        if key.key == contender.key:
            return NUMPY
        return replace(key, framework=f"{key.framework} {label}")

    return Records(tuple(replace(r, contender=name(r.contender)) for r in records.cases))


def _row(name: str, where: str, equal: Tally, slower: dict[int, Tally], ended: str) -> str:
    deviations = np.abs(equal.deviations)
    found = [f"{t.verdicts[Verdict.SLOWER] / max(t.count, 1):.0%}" for t in slower.values()]
    cells = [
        name,
        where,
        str(equal.count),
        f"{equal.different} ({equal.different / max(equal.count, 1):.1%})",
        *found,
        f"{np.expm1(np.median(deviations)):.1%}",
        f"{np.expm1(np.quantile(deviations, 0.95)):.1%}",
        f"±{np.expm1(np.median(equal.half_widths)):.1%}",
        ended,
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
