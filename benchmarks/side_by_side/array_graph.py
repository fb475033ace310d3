"""What the graph of lazy arrays costs: memory over many operations, and compiling what is new.

Each question is asked in a process of its own, whose memory and caches nothing else has touched.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from side_by_side import page
from side_by_side.worker import environment
from speedmetal.bench.measure.statistics import summarise

# --- the random walk -------------------------------------------------------------------------

ARRAYS, ELEMENTS = 6, 1000
PROGRAMS, PROGRAM_STEPS = 40, 30
SETTLED = 0.2  # of the walk: until then code is compiled and pools fill
CHECKS = 200
LIVE = 5  # programs whose results are not dropped yet


@dataclass(frozen=True)
class Step:
    """A step of the walk, which keeps values between -1 and 1.

    Args:
        operations: How many of arrays it is.
        apply: Of the package and two arrays.
    """

    operations: int
    apply: Callable[[Any, Any, Any], Any]


STEPS = (
    Step(2, lambda _, x, y: (x + y) * 0.5),
    Step(2, lambda _, x, y: (x - y) * 0.5),
    Step(3, lambda _, x, y: 1.0 - abs(x * y)),
    Step(1, lambda sm, x, _: sm.cos(x)),
    Step(1, lambda sm, x, _: sm.sin(x)),
    Step(1, lambda _, x, __: x[::-1]),
    Step(1, lambda _, x, __: -x),
)


@dataclass(frozen=True)
class Program:
    """Steps, each from two arrays to a third, and which arrays are read after them."""

    steps: list[tuple[Step, int, int, int]]
    read: list[int]

    def run(self, sm: Any, start: Sequence[Any]) -> tuple[list[Any], int]:
        """What is read, evaluated, and how many operations were written."""
        state = list(start)
        for step, left, right, target in self.steps:
            state[target] = step.apply(sm, state[left], state[right])
        results = [state[k] for k in self.read]
        sm.eval(results)
        return results, sum(step.operations for step, *_ in self.steps)


def programs(seed: int) -> list[Program]:
    """Random programs; a walk repeats them in random order, so that what it compiles is bounded."""
    generator = random.Random(seed)  # noqa: S311

    def steps() -> list[tuple[Step, int, int, int]]:
        return [
            (generator.choice(STEPS), *(generator.randrange(ARRAYS) for _ in range(3)))
            for _ in range(PROGRAM_STEPS)
        ]

    def read() -> list[int]:
        return generator.sample(range(ARRAYS), generator.randrange(1, ARRAYS))

    return [Program(steps(), read()) for _ in range(PROGRAMS)]


def _inputs(sm: Any) -> list[Any]:
    return [
        sm.asarray(np.linspace(-1, 1, ELEMENTS, dtype=np.float32) / k) for k in range(1, 1 + ARRAYS)
    ]


def walk(operations: int, seed: int = 0) -> list[tuple[int, int]]:
    """Run random programs, of whose results the last few live on; what is not read is dropped.

    Returns:
        Operations done, and bytes of the process that are in memory then, from time to time.
    """
    import psutil

    import speedmetal as sm

    generator, process = random.Random(seed), psutil.Process()  # noqa: S311
    known, start = programs(seed), _inputs(sm)
    kept: deque[Any] = deque(maxlen=LIVE)
    done, seen = 0, []
    while done < operations:
        results, written = generator.choice(known).run(sm, start)
        kept.append(results)
        done += written
        if done >= operations * len(seen) / CHECKS:
            seen.append((done, process.memory_info().rss))
    return seen


def chain(operations: int) -> tuple[int, int, float]:
    """Many operations on one another, of which only the last result is read.

    Returns:
        Bytes in memory before, at most, and the seconds of everything.
    """
    import resource

    import psutil

    import speedmetal as sm

    start = _inputs(sm)[0]

    def write(count: int) -> Any:
        x = start
        for _ in range(count // 2):
            x = x * 0.5 + start
        sm.eval(x)
        return x

    write(CHECKS)  # what it compiles is there
    before, began = psutil.Process().memory_info().rss, time.perf_counter()
    x = write(operations)
    seconds = time.perf_counter() - began
    assert np.allclose(x.numpy(), 2 * start.numpy(), rtol=1e-5)
    return before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, seconds


def growth(seen: Sequence[tuple[int, int]]) -> float:
    """Bytes an operation, by a least-squares line through what was seen after it had settled."""
    late = [pair for pair in seen if pair[0] >= SETTLED * seen[-1][0]]
    done, held = np.array(late, np.float64).T
    return float(np.polyfit(done, held, 1)[0])


# --- compiling what is new -------------------------------------------------------------------

SHAPE = (64, 1024)
TERMS: tuple[Callable[[Any, Any, Any], Any], ...] = (
    lambda _, x, y: x + y,
    lambda _, x, y: x - y,
    lambda _, x, y: x * y,
    lambda _, x, __: x * 0.5,
    lambda _, x, __: -x,
    lambda sm, x, _: sm.sin(x),
    lambda sm, x, _: sm.cos(x),
)
KINDS: Mapping[str, Callable[[Any, Any], Any]] = {
    "evaluated": lambda _, x: x,
    "summed over its rows": lambda sm, x: sm.sum(x, axis=-1),
    "softmax of its rows": lambda sm, x: sm.softmax(x, axis=-1),
}


def expression(sm: Any, seed: int, inputs: Sequence[Any]) -> Any:
    """Ten random operations on one another."""
    generator = random.Random(seed)  # noqa: S311
    x = inputs[0]
    for _ in range(10):
        x = generator.choice(TERMS)(sm, x, generator.choice(inputs))
    return x


def first_seconds(kind: str, samples: int) -> list[float]:
    """By how much the first evaluation of a new expression takes longer than the next ones.

    The time is that of the processor, of all threads: other work on the machine counts less.
    """
    import speedmetal as sm

    generator = np.random.default_rng(0)
    inputs = [sm.asarray(generator.random(SHAPE, np.float32)) for _ in range(3)]

    def seconds(seed: int) -> float:
        start = time.process_time()
        sm.eval(KINDS[kind](sm, expression(sm, seed, inputs)))
        return time.process_time() - start

    seconds(-1)  # what every first evaluation loads
    return [seconds(seed) - min(seconds(seed) for _ in range(3)) for seed in range(samples)]


# --- asking in another process ---------------------------------------------------------------


def elsewhere(variables: Mapping[str, str], function: Callable[..., Any], *arguments: Any) -> Any:
    """A function's result, or the error as text, from a new process with this environment."""
    context = mp.get_context("spawn")
    kept = dict(os.environ)
    os.environ.update(variables)
    try:
        with context.Pool(1) as pool:
            return pool.apply(_answer, (function, arguments))
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 - a row of the table
        return f"{type(error).__name__}: {error}"


def report(operations: int, samples: int, threads: int) -> str:
    """Both tables."""
    with tempfile.TemporaryDirectory() as cache:
        variables = {**environment(threads, "default"), "SPEEDMETAL_CACHE_DIR": cache}
        walked = elsewhere(variables, walk, operations)
        chained = elsewhere(variables, chain, operations)
    rows = [_walk_row(operations, walked), _chain_row(operations, chained)]
    head = ["", "in memory, settled", "at most", "at the end", "growth an operation"]
    return "\n\n".join([page.table(head, rows), compile_table(samples, threads)])


def _mib(size: float) -> str:
    return f"{size / 2**20:.1f} MiB"


def _walk_row(operations: int, seen: Any) -> list[str]:
    title = f"random walk of {operations:,} operations, {ELEMENTS} elements each"
    if isinstance(seen, str):
        return [title, f"no result: {seen}", "", "", ""]
    late = [held for done, held in seen if done >= SETTLED * seen[-1][0]]
    return [title, *map(_mib, (late[0], max(late), late[-1])), f"{growth(seen):.2f} bytes"]


def _chain_row(operations: int, found: Any) -> list[str]:
    title = f"a chain of {operations:,}, of which the last result alone is read"
    if isinstance(found, str):
        return [title, f"no result: {found}", "", "", ""]
    before, most, seconds = found
    growing = f"{(most - before) / operations:.0f} bytes at most; {seconds:.2f} s in all"
    return [title, _mib(before), _mib(most), "", growing]


def compile_table(samples: int, threads: int) -> str:
    """What a new expression of ten operations takes, by kind, cold and from disk."""
    rows = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as cache:
            variables = {
                **environment(threads),
                "SPEEDMETAL_CACHE": "1",
                "SPEEDMETAL_CACHE_DIR": str(Path(cache)),
            }
            found = [elsewhere(variables, first_seconds, kind, samples) for _ in range(2)]
        rows.append([kind, *map(_seconds_cell, found)])
    return page.table(["a new expression of ten operations", "cold", "from disk"], rows)


def _seconds_cell(found: Any) -> str:
    if isinstance(found, str):
        return f"no result: {found.splitlines()[0]}"
    times = summarise([max(seconds, 1e-9) for seconds in found])
    low, high = map(page.seconds_text, (times.low, times.high))
    return f"{page.seconds_text(times.median)} [{low}, {high}]"
