"""How often does the benchmark call a contender different from itself?

Samples pairs of equal contenders through the very rounds that a run uses, and counts verdicts.
Two designs: one worker process under two labels, as the control of every run, and two worker
processes, which adds what differs between processes (memory layout above all).

    python benchmarks/aa_control.py --pairs 120
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speedmetal.bench import environment
from speedmetal.bench.compare import Verdict, verdict_of
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.measure.statistics import Ratio, paired_ratio
from speedmetal.bench.operations import find_operation
from speedmetal.bench.record import CaseSpec, Contender
from speedmetal.bench.runner.process import WorkerProcess
from speedmetal.bench.runner.protocol import (
    DatasetMade,
    Finish,
    Finished,
    MakeDataset,
    Prepare,
    Prepared,
)
from speedmetal.bench.runner.rounds import Precision, Series, TimeAccount, sample_rounds
from speedmetal.bench.suites import SuiteEntry, make_case

CASES = (
    ("matmul", {"a": [256, 256], "b": [256, 256]}),
    ("softmax", {"shape": [256, 512], "axis": -1}),
    ("sum", {"shape": [64, 128, 64], "axis": 1}),
    ("relu", {"shape": [128, 16, 1024]}),
    ("sort", {"shape": [64, 1024], "axis": 1}),
)
CONTENDER = Contender(framework="numpy", device="cpu", mode="eager")
ROUNDS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=120, help="pairs per design")
    arguments = parser.parse_args()
    threads = environment.default_threads()
    print(f"{environment.read_machine().chip}, {threads} threads; {ROUNDS} rounds a pair\n")
    print("| design | pairs | called different at 95 % | median deviation | 95 % stay within |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(threads, scratch=scratch)
        for name, processes in (("one process, two labels", 1), ("two processes", 2)):
            ratios = sample_design(processes, arguments.pairs, settings, Path(scratch))
            print(row(name, ratios), flush=True)


def sample_design(processes: int, pairs: int, settings: Settings, scratch: Path) -> list[Ratio]:
    """Ratios of all pairs; every case in turn, each with fresh inputs."""
    workers = [WorkerProcess.of(CONTENDER, settings, scratch) for _ in range(processes)]
    reference = WorkerProcess.reference(settings, scratch)
    generator = np.random.default_rng(0)
    try:
        return [
            sample_pair(workers, reference, CASES[i % len(CASES)], i, scratch, generator)
            for i in range(pairs)
        ]
    finally:
        for worker in (*workers, reference):
            worker.kill()


def sample_pair(
    workers: Sequence[WorkerProcess],
    reference: WorkerProcess,
    what: tuple[str, dict[str, object]],
    seed: int,
    scratch: Path,
    generator: np.random.Generator,
) -> Ratio:
    case = make_case(SuiteEntry(find_operation(what[0]), what[1]), "float32", "forward", "ieee")
    series = [prepare(worker, reference, case, seed, scratch) for worker in workers]
    control = series[0] if len(series) == 1 else None
    precision = Precision(least_rounds=ROUNDS, most_rounds=ROUNDS)
    for one in series:
        one.quota = ROUNDS
    sample_rounds(series, precision, 120.0, generator, control)
    for worker in workers:
        worker.ask(Finish(), Finished, 60.0)
    second = series[1].nanoseconds if control is None else control.control_nanoseconds
    return paired_ratio(series[0].nanoseconds, second)


def prepare(
    worker: WorkerProcess, reference: WorkerProcess, case: CaseSpec, seed: int, scratch: Path
) -> Series:
    first, second = (
        reference.ask(
            MakeDataset(case, 1000 * seed + n, str(scratch), True, False), DatasetMade, 60.0
        ).dataset
        for n in (1, 2)
    )
    request = Prepare(case, first, second, "latency", "warm", 1_000_000, 0)
    prepared = worker.ask(request, Prepared, 60.0)
    assert prepared.status == "ok", prepared.reason
    return Series(CONTENDER, worker, TimeAccount(600.0), prepared)


def row(name: str, ratios: Sequence[Ratio]) -> str:
    different = [verdict_of(ratio, significant=ratio.p_value < 0.05) for ratio in ratios]
    called = sum(verdict in (Verdict.FASTER, Verdict.SLOWER) for verdict in different)
    deviations = np.abs(np.log([ratio.ratio for ratio in ratios]))
    return (
        f"| {name} | {len(ratios)} | {called} ({called / len(ratios):.1%})"
        f" | {np.expm1(np.median(deviations)):.2%}"
        f" | {np.expm1(np.quantile(deviations, 0.95)):.2%} |"
    )


if __name__ == "__main__":
    main()
