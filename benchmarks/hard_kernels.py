"""How good is the code of the hardest kernels, before and after a change of the CPU's generator?

Hand-written kernels of the cases that ask most of it (`side_by_side/hard_cases.py`), from this
checkout and from an earlier one, each in a process of its own with speedmetal from its own `src`,
beside PyTorch, JAX and NumPy in the same run, with the same number of threads for all. What is not
installed is left out. Results are compared with a reference in double precision before the timing
and after it; samples are taken in rounds of random order; a ratio is the median over the rounds of
the ratio of the two times in that round, with its 95 % bootstrap interval. `--cpu x86-64-v3` adds a
table of the code for that processor (`SPEEDMETAL_CPU`). Rewrites the section `hard_kernels` of
docs/speed.md, unless only some cases were chosen.

    git worktree add ../earlier COMMIT
    python benchmarks/hard_kernels.py --earlier ../earlier --cpu x86-64-v3 [--quick] [--dry]
    python benchmarks/hard_kernels.py --quick --small --cases layer_norm,sort_16
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from side_by_side import page
from side_by_side.cases import CASES, Case
from side_by_side.contender import FRAMEWORKS, Kind
from side_by_side.hard_cases import HARD_CASES, SMALL_HARD_CASES
from side_by_side.results import Result, copy_bandwidth
from side_by_side.rounds import SEED, Effort, Entry, best, measure_case, speed_ratio
from side_by_side.small_cases import ADDITION
from side_by_side.worker import Worker, WorkerFailedError, running, store

from speedmetal.bench.environment import read_conditions

HERE = Path(__file__).parents[1]
LIMIT_SECONDS = 90.0  # for one answer of a worker: torch.compile is the slowest
THREADS = 2
PEERS = ("torch", "jax", "numpy")
COPY = next(case for case in CASES if case.name == "copy")
EFFORT, QUICK = Effort(rounds=20, seconds=3.0), Effort(rounds=4, seconds=0.5)
COMPILATIONS, QUICK_COMPILATIONS = 3, 1
NOTHING = "—"


@dataclass(frozen=True)
class State:
    """A checkout of speedmetal, making code for a processor.

    Args:
        checkout: Its folder.
        processor: A value of `SPEEDMETAL_CPU`; "": the processor that it runs on.
    """

    checkout: Path
    processor: str = ""

    def worker(self, log: Path) -> Worker:
        """A new process, which finds no code that another one has compiled."""
        variables = {"SPEEDMETAL_CACHE": "0"}
        if self.processor:
            variables["SPEEDMETAL_CPU"] = self.processor
        source = self.checkout.resolve() / "src"
        worker = Worker("speedmetal", THREADS, LIMIT_SECONDS, log, source, variables)
        origin = Path(worker.ask("origin")).resolve()
        assert origin.is_relative_to(source), f"speedmetal comes from {origin}, not from {source}"
        return worker


Compilations = dict[tuple[State, str, str], list[float]]
"""CPU seconds by state, case and variant."""


@dataclass(frozen=True)
class Comparison:
    """The two states whose code for a processor is compared; the earlier one may be missing."""

    now: State
    before: State | None


@dataclass(frozen=True)
class Measured:
    """A case with the entries of each state and of the peers."""

    case: Case
    states: dict[State, list[Entry]]
    peers: list[Entry]

    def result(self) -> Result:
        """All entries together."""
        ours = [entry for entries in self.states.values() for entry in entries]
        return Result(self.case, (*ours, *self.peers))


# --- measuring -------------------------------------------------------------------------------


def main() -> None:
    """Measure the chosen cases, print the tables, rewrite the page's section."""
    options = _options()
    if options.earlier and not (options.earlier / "src" / "speedmetal").is_dir():
        sys.exit(f"--earlier: {options.earlier} is no checkout: it has no folder src/speedmetal")
    load, start = read_conditions().load, time.perf_counter()
    cases = [
        case
        for case in (SMALL_HARD_CASES if options.small else HARD_CASES)
        if not options.cases or case.name in options.cases
    ]
    comparisons = [
        Comparison(State(HERE, cpu), State(options.earlier, cpu) if options.earlier else None)
        for cpu in ("", *options.cpu)
    ]
    states = [s for c in comparisons for s in (c.before, c.now) if s is not None]
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(options.log or Path(scratch) / "workers.log")
        rounds = QUICK_COMPILATIONS if options.quick else COMPILATIONS
        compilations = compile_all(cases, states, rounds, Path(scratch), log)
        effort = QUICK if options.quick else EFFORT
        measured, absent = measure_all(cases, states, effort, Path(scratch), log)
    text = "\n\n".join(
        [
            page.circumstances(_packages(absent), THREADS, load),
            *absent,
            report(measured, comparisons, compilations),
        ]
    )
    print(text)
    print(f"\n{time.perf_counter() - start:.0f} s", file=sys.stderr)
    if not (options.cases or options.dry or options.small):
        page.write_section("hard_kernels", text)


def _options() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        known = {case.name for case in HARD_CASES}
        found = text.split(",")
        unknown = sorted(set(found) - known)
        if unknown:
            raise argparse.ArgumentTypeError(
                f"there is no case {', '.join(unknown)}; there are {', '.join(sorted(known))}"
            )
        return found

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--earlier", type=Path, help="folder of the earlier checkout")
    parser.add_argument("--cpu", action="append", default=[], help="a table for this one as well")
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--small", action="store_true", help="small arrays: to try the script")
    parser.add_argument("--dry", action="store_true", help="leave docs/speed.md as it is")
    parser.add_argument("--cases", type=names, help="their names, with commas between them")
    parser.add_argument("--log", help="file for what the frameworks print")
    return parser.parse_args()


def _packages(absent: Sequence[str]) -> list[str]:
    left_out = " ".join(absent)
    return [
        package
        for record in FRAMEWORKS
        if record.name in ("speedmetal", *PEERS) and f"`{record.name}`" not in left_out
        for package in record.packages
    ]


def compile_all(
    cases: Sequence[Case], states: Sequence[State], rounds: int, scratch: Path, log: Path
) -> Compilations:
    """What the first call of each kernel takes, in fresh processes, on small arrays.

    Every round has new processes, one for each state, which take turns case by case. Each has
    compiled another kernel before, so that it has loaded what all kernels need.
    """
    small = {case.name: case for case in SMALL_HARD_CASES}
    seconds: Compilations = {}
    for _ in range(rounds):
        with running(state.worker(log) for state in states) as workers:
            for case in (ADDITION, *(small[case.name] for case in cases)):
                inputs = case.inputs(np.random.default_rng(SEED))
                store(scratch, inputs, case.reference(inputs))
                for state, worker in zip(states, workers, strict=True):
                    for variant, spent in _first_calls(case, worker, scratch):
                        seconds.setdefault((state, case.name, variant), []).append(spent)
    return seconds


def _first_calls(case: Case, worker: Worker, scratch: Path) -> Iterator[tuple[str, float]]:
    """Of those variants that the checkout accepts."""
    variants = worker.ask("variants", case.name)
    worker.ask("begin", case.name, str(scratch))
    for variant in (name for name, missing in variants.items() if not missing):
        try:
            yield variant, worker.ask("preparation", variant)
        except WorkerFailedError:
            if not worker.is_running:
                worker.ask("begin", case.name, str(scratch))


def measure_all(
    cases: Sequence[Case], states: Sequence[State], effort: Effort, scratch: Path, log: Path
) -> tuple[list[Measured], list[str]]:
    """The copy that gives the bandwidth, then each case; and sentences about absent peers."""
    peers = (Worker(name, THREADS, LIMIT_SECONDS, log) for name in PEERS)
    with running([*(state.worker(log) for state in states), *peers]) as workers:
        ours = dict(zip(states, workers, strict=False))
        absent = {}
        for worker in workers[len(ours) :]:
            try:
                worker.ask("variants", COPY.name)
            except WorkerFailedError as error:
                absent[worker] = f"Left out: `{worker.framework}` ({error})."
        present = [worker for worker in workers if worker not in absent]
        measured = []
        for case in (COPY, *cases):
            entries = measure_case(case, present, effort, scratch)
            of = {state: [e for e in entries if e.worker is ours[state]] for state in states}
            peer_entries = [e for e in entries if e.contender.framework in PEERS]
            measured.append(Measured(case, of, peer_entries))
    return measured, list(absent.values())


# --- reporting -------------------------------------------------------------------------------

HEAD = (
    *("case", "before", "now", "times as fast as before"),
    *("best peer", "times as fast as the best peer", "share of the copy, or rate"),
    *("to compile, before", "now"),
)


@dataclass(frozen=True)
class Line:
    """A variant of a case: its entries, the best peer's, and CPU seconds to compile."""

    case: Case
    now: Entry
    before: Entry | None
    peer: Entry | None
    compiled_now: float | None
    compiled_before: float | None


def report(
    measured: Sequence[Measured], comparisons: Sequence[Comparison], compilations: Compilations
) -> str:
    """A table for each processor."""
    copy = copy_bandwidth([one.result() for one in measured])
    parts = [f"Copy bandwidth, of the fastest copy: {copy / 1e9:.1f} GB/s read and written."]
    for comparison in comparisons:
        lines = [line for one in measured for line in _lines(one, comparison, compilations)]
        if comparison.now.processor:
            parts.append(f"Code for `{comparison.now.processor}`, on the same processor:")
        parts.append(page.table(HEAD, [*(_row(line, copy) for line in lines), _total(lines)]))
    refusals = [*_refusals(measured, comparisons), *_failures(measured)]
    return "\n\n".join([*parts, *(["\n".join(refusals)] if refusals else [])])


def _lines(one: Measured, comparison: Comparison, compilations: Compilations) -> Iterator[Line]:
    """A line for each variant; where the earlier checkout has no such code, beside its best."""
    before = one.states[comparison.before] if comparison.before else []
    peer = best(one.peers, Kind.PEER)

    def compiled(state: State | None, variant: str) -> float | None:
        found = compilations.get((state, one.case.name, variant)) if state else None
        return float(np.median(found)) if found else None

    for now in one.states[comparison.now]:
        variant = now.contender.variant
        same = [e for e in before if e.contender == now.contender and e.is_measured]
        earlier = same[0] if same else best(before, Kind.OURS)
        yield Line(
            *(one.case, now, earlier, peer),
            compiled(comparison.now, variant),
            compiled(comparison.before, variant),
        )


def _row(line: Line, copy: float) -> list[str]:
    variant = line.now.contender.variant
    title = f"{line.case.title} ({variant})" if variant else line.case.title
    before, peer = line.before, line.peer
    if not line.now.is_measured:
        return [title, NOTHING, "no result", *[NOTHING] * (len(HEAD) - 3)]
    another = before and before.contender.variant != variant
    return [
        title,
        _time(before, before.contender.variant if before and another else ""),
        _time(line.now),
        _ratio(line.now, before),
        _time(peer, peer.contender.label if peer else ""),
        _ratio(line.now, peer),
        _limit(line, copy),
        *map(_compilation, (line.compiled_before, line.compiled_now)),
    ]


def _time(entry: Entry | None, name: str = "") -> str:
    if entry is None:
        return NOTHING
    return f"{page.seconds_text(entry.summary().median)} {name}".strip()


def _ratio(now: Entry, other: Entry | None) -> str:
    if other is None:
        return NOTHING
    found = speed_ratio(now, other)
    return page.ratio_text(found.ratio, found.low, found.high)


def _limit(line: Line, copy: float) -> str:
    median = line.now.summary().median
    if line.case.traffic_bytes and copy:
        return f"{line.case.traffic_bytes / median / copy:.0%}"
    return f"{line.case.operations / median / 1e9:.3g} {line.case.unit}"


def _compilation(seconds: float | None) -> str:
    return NOTHING if seconds is None else page.seconds_text(seconds)


def _total(lines: Sequence[Line]) -> list[str]:
    """Geometric means of the ratios, and sums over what both checkouts compile."""
    timed = [line for line in lines if line.now.is_measured and line.case is not COPY]
    both = [
        (line.compiled_before, line.compiled_now)
        for line in lines
        if line.compiled_before is not None and line.compiled_now is not None
    ]
    sums = np.sum(both, 0) if both else None
    alone = sum(line.compiled_now or 0.0 for line in lines)
    return [
        "**geometric mean, sum**",
        *("", ""),
        _mean_ratio(timed, lambda line: line.before),
        "",
        _mean_ratio(timed, lambda line: line.peer),
        "",
        *map(_compilation, (None, alone) if sums is None else map(float, sums)),
    ]


def _mean_ratio(lines: Sequence[Line], other: Callable[[Line], Entry | None]) -> str:
    pairs = [(line.now, other(line)) for line in lines]
    ratios = [speed_ratio(now, entry).ratio for now, entry in pairs if entry is not None]
    return f"**{np.exp(np.mean(np.log(ratios))):.2f}**" if ratios else NOTHING


def _refusals(measured: Sequence[Measured], comparisons: Sequence[Comparison]) -> list[str]:
    """Why a checkout has no result, a point for each entry that has none."""
    return [
        _failure(one.case, entry, f"{when}, {state.processor}" if state.processor else when)
        for comparison in comparisons
        for when, state in (("now", comparison.now), ("before", comparison.before))
        if state
        for one in measured
        for entry in one.states[state]
        if entry.failure
    ]


def _failures(measured: Sequence[Measured]) -> list[str]:
    """Why a peer has none."""
    return [
        _failure(one.case, entry, entry.contender.framework)
        for one in measured
        for entry in one.peers
        if entry.failure
    ]


def _failure(case: Case, entry: Entry, who: str) -> str:
    variant = f" ({entry.contender.variant})" if entry.contender.variant else ""
    return f"- No result of {who}: {case.title}{variant}: {entry.failure}"


if __name__ == "__main__":
    main()
