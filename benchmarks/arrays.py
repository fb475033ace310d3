"""How fast are arrays on the CPU, beside what else computes with whole arrays from Python?

Beside NumPy, NumExpr, PyTorch (eager and `torch.compile`), JAX (`jit`), MLX (eager and `compile`)
and Dr.Jit. Each formula is written once, over the names of a library; every contender makes a new
result in each call, in a process of its own with the same number of threads, and is compared with a
reference in double precision before and after the timing. Samples are taken in rounds of random
order; a ratio is the median over the rounds of the ratio of the two times in that round, with its
95 % bootstrap interval. Rewrites the section `arrays` of docs/arrays-speed.md, unless only some
cases or contenders were chosen; `--sizes` and `--graph` ask other questions, and have sections of
their own.

    python benchmarks/arrays.py [--quick | --full] [--memory both] [--cases fused_5 sum_all]
    python benchmarks/arrays.py --sizes
    python benchmarks/arrays.py --graph

NumExpr and Dr.Jit are no dependencies of the project: `pip install numexpr drjit`. Dr.Jit needs
LLVM's library from version 15, for example Debian's libllvm15, which it finds by itself or at
DRJIT_LIBLLVM_PATH.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from side_by_side import array_graph, array_report, array_sizes, page
from side_by_side.array_cases import FAMILIES, SWEEP, SWEPT, Family, size_text, sizes_of
from side_by_side.cases import Case
from side_by_side.contender import ARRAY_FRAMEWORKS
from side_by_side.results import Result
from side_by_side.rounds import Effort, measure_case
from side_by_side.worker import MEMORY_POLICIES, Worker, WorkerFailedError, running

from speedmetal.bench.environment import available_memory_bytes, default_threads, read_conditions

PAGE = page.PAGE.with_name("arrays-speed.md")
FIGURE = page.PAGE.with_name("arrays-sizes.svg")
EFFORTS = {
    "quick": Effort(rounds=10, seconds=2.0),
    "default": Effort(rounds=20, seconds=4.0),
    "full": Effort(rounds=40, seconds=9.0),
}
SWEEP_EFFORT = Effort(rounds=10, seconds=2.0)
LIMIT_SECONDS = 120.0  # for one answer of a worker: torch.compile is the slowest
BUSY = 0.5  # of a process for each processor, from which a run says so
WALK_OPERATIONS = 100_000
GRAPH_SAMPLES = 16
# What a process holds of a case's arrays, about, and the one that makes inputs and reference.
HELD_BY_EACH, HELD_BY_DRIVER = 2.5, 6


def main() -> None:
    """Answer the question that is asked, print it, rewrite its section."""
    options = _options()
    load, start = read_conditions().load, time.perf_counter()
    mode = _sizes if options.sizes else _graph if options.graph else _cases
    name, text = mode(options, load)
    print(text)
    print(f"\n{time.perf_counter() - start:.0f} s", file=sys.stderr)
    if not (options.cases or options.only or options.dry):
        page.write_section(name, text, PAGE)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few cases, fewer samples")
    parser.add_argument("--full", action="store_true", help="all cases at all sizes: hours")
    parser.add_argument("--sizes", action="store_true", help="one formula's cost against its size")
    parser.add_argument("--graph", action="store_true", help="memory of the graph, and compiling")
    parser.add_argument("--memory", choices=(*MEMORY_POLICIES, "both"), default="kept")
    parser.add_argument("--dry", action="store_true", help="leave docs/ as it is")
    names = [family.name for family in FAMILIES]
    parser.add_argument("--cases", nargs="+", choices=names, metavar="CASE", help=" ".join(names))
    parser.add_argument("--only", nargs="+", choices=[record.name for record in ARRAY_FRAMEWORKS])
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--log", help="file for what the frameworks print")
    options = parser.parse_args()
    if sum((options.quick, options.full)) > 1 or sum((options.sizes, options.graph)) > 1:
        parser.error("give one of --quick and --full, and one of --sizes and --graph")
    return options


# --- processes -------------------------------------------------------------------------------


@contextmanager
def _present(
    options: argparse.Namespace, memory: str, scratch: Path
) -> Iterator[tuple[list[Worker], list[str]]]:
    """The processes of what can be imported, and a sentence about each that cannot."""
    log = Path(options.log or scratch / "workers.log")
    chosen = (
        Worker(record.name, options.threads, LIMIT_SECONDS, log, memory=memory)
        for record in ARRAY_FRAMEWORKS
        if not options.only or record.name in options.only
    )
    with running(chosen) as workers:
        present, absent = [], []
        for worker in workers:
            try:
                worker.ask("variants", SWEEP.case(1).name)
            except WorkerFailedError as error:
                absent.append(f"Left out: `{worker.framework}` ({error}).")
            else:
                present.append(worker)
        yield present, absent


def _circumstances(options: argparse.Namespace, absent: Iterable[str], load: float | None) -> str:
    left_out = " ".join(absent)
    packages = [
        package
        for record in ARRAY_FRAMEWORKS
        if f"`{record.name}`" not in left_out
        for package in record.packages
    ]
    return page.circumstances(packages, options.threads, load)


def busy_notes(load: float | None, processors: int) -> list[str]:
    """A sentence where other work had the processors: the page must not hide it.

    Args:
        load: Before the run.
        processors: Of the machine.
    """
    if load is None or load < BUSY * processors:
        return []
    told = f"**The machine was busy** (load {load:.1f} on {processors} processors)"
    return [f"{told}: times are too long, and ratios uncertain. Run it again on a quiet machine."]


def fits(family: Family, size: int, processes: int, free_bytes: int) -> bool:
    """Whether a case's arrays fit into memory, in all processes at once."""
    held = HELD_BY_EACH * processes + HELD_BY_DRIVER
    return family.traffic_bytes(size) * held <= free_bytes


# --- the questions ---------------------------------------------------------------------------


def _cases(options: argparse.Namespace, load: float | None) -> tuple[str, str]:
    effort = "quick" if options.quick else "full" if options.full else "default"
    policies = MEMORY_POLICIES if options.memory == "both" else (options.memory,)
    runs, notes = {}, []
    for memory in policies:
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            with _present(options, memory, scratch) as (workers, absent):
                cases, too_large = chosen_cases(options.cases, effort, len(workers))
                notes = [*busy_notes(load, os.cpu_count() or 1), *absent, *too_large]
                arrays = scratch / "arrays"
                arrays.mkdir()
                runs[memory] = [
                    Result(case, tuple(measure_case(case, workers, EFFORTS[effort], arrays)))
                    for case in cases
                ]
    text = array_report.report(runs, _circumstances(options, notes, load), notes)
    return "arrays", text


def chosen_cases(
    names: Sequence[str] | None, effort: str, processes: int
) -> tuple[list[Case], list[str]]:
    """The cases of a run, and a sentence about those that the memory does not hold.

    Args:
        names: Of families; None: all. Of those that are named, none is left out for being slow.
        effort: "quick", "default" or "full".
        processes: That hold the arrays.
    """
    free, cases, too_large = available_memory_bytes(), [], []
    for family in FAMILIES:
        if names is not None and family.name not in names:
            continue
        sizes = sizes_of(family, effort)
        if names is not None and not sizes:
            sizes = family.chosen[:1] or family.sizes[-2:-1]
        for size in sizes:
            if fits(family, size, processes, free):
                cases.append(family.case(size))
            else:
                too_large.append(f"{family.name} of {size_text(size)}")
    left_out = [f"Left out, too large for the memory: {', '.join(too_large)}."] if too_large else []
    return cases, left_out


def _sizes(options: argparse.Namespace, load: float | None) -> tuple[str, str]:
    memory = "kept" if options.memory == "both" else options.memory
    sizes = SWEPT[::3] if options.quick else SWEPT
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with _present(options, memory, scratch) as (workers, absent):
            arrays = scratch / "arrays"
            arrays.mkdir()
            free = available_memory_bytes()
            held = [size for size in sizes if fits(SWEEP, size, len(workers), free)]
            entries = {
                size: measure_case(SWEEP.case(size), workers, SWEEP_EFFORT, arrays) for size in held
            }
    if not (options.only or options.dry):
        array_sizes.draw(entries, FIGURE)
    ended = f"`{SWEEP.title}` of float32, in one call of up to {size_text(held[-1])} elements"
    if held[-1] != sizes[-1]:
        ended += f"; for {size_text(sizes[-1])}, in all processes at once, the memory is too small"
    parts = [
        _circumstances(options, absent, load),
        *busy_notes(load, os.cpu_count() or 1),
        *absent,
        f"{ended}. Memory policy: {memory}.",
        array_sizes.table(entries),
        f"![Time of a call over elements]({FIGURE.name})",
    ]
    return "sizes", "\n\n".join(parts)


def _graph(options: argparse.Namespace, load: float | None) -> tuple[str, str]:
    operations = WALK_OPERATIONS // 10 if options.quick else WALK_OPERATIONS
    samples = GRAPH_SAMPLES // 2 if options.quick else GRAPH_SAMPLES
    found = array_graph.report(operations, samples, options.threads)
    circumstances = page.circumstances(("speedmetal", "llvmlite", "numpy"), options.threads, load)
    return "graph", f"{circumstances}\n\n{found}"


if __name__ == "__main__":
    main()
