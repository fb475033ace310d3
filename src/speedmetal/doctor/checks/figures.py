"""First speed figures of a device: bandwidth and launches, beside NumPy, each with an interval.

A short run on a machine as it is: they say whether something is far off, not how fast the machine
is. ``speedmetal bench`` and ``benchmarks/`` measure.

Evaluation: contenders are timed in rounds of random order; a round's time is that of a batch of
calls and the wait for all of them, divided by the calls. Results are checked before and after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import speedmetal as sm
from speedmetal.backends import registry
from speedmetal.bench.measure.statistics import Summary, paired_ratio, summarise
from speedmetal.doctor.checks.kernel import add
from speedmetal.doctor.results import Finding
from speedmetal.doctor.worker import Task

BYTES = 64 << 20
"""Of each large array: beyond the caches."""

QUICK_BYTES = 32 << 20
SMALL = 64
"""Elements of the kernel that has nothing to do but to be launched."""

ROUNDS = 24
QUICK_ROUNDS = 9
BATCH_SECONDS = 0.02
MAXIMUM_BATCH = 500

LABEL = "first figures of a short run, to see whether anything is far off; no measurement"


def copy(a: Any, b: Any) -> None:
    """A copy, as a kernel."""
    i = sm.thread_position_in_grid().x
    b[i] = a[i]


@dataclass(frozen=True)
class Contender:
    """Something to be timed.

    Args:
        name: For people.
        call: Begins the work.
        wait: Returns when all work that was begun is done.
        is_right: Whether the result of the last call is what it must be.
    """

    name: str
    call: Callable[[], Any]
    wait: Callable[[], Any]
    is_right: Callable[[], bool]


@dataclass(frozen=True)
class Case:
    """Contenders that do the same; the first is speedmetal.

    Args:
        name: For people.
        moved_bytes: Read and written by a call; 0 where the time itself is the figure.
        contenders: At least one.
        waits_for_each: Whether each call is waited for, which batches hide.
    """

    name: str
    moved_bytes: int
    contenders: tuple[Contender, ...]
    waits_for_each: bool = False


def examine(task: Task) -> Finding:
    """Time all cases; a wrong result before or after is a problem, and takes the figures away."""
    if task.subject in registry.SIMULATED:
        return Finding(skipped="a simulator's speed says nothing about the device")
    device = sm.device(task.subject)
    random = np.random.default_rng(3)
    facts: dict[str, Any] = {"label": LABEL}
    problems: list[str] = []
    all_cases = cases(device, random, QUICK_BYTES if task.is_quick else BYTES)
    for number, case in enumerate(all_cases):
        task.progress(number, len(all_cases))
        wrong = [c.name for c in case.contenders if not _is_right(c)]
        if not wrong:
            seconds = _time_contenders(case, QUICK_ROUNDS if task.is_quick else ROUNDS, random)
            wrong = [c.name for c in case.contenders if not c.is_right()]
        if wrong:
            problems.append(f"{case.name}: wrong result of {', '.join(wrong)}")
        else:
            facts[case.name] = _figures(case, seconds)
    short = "; ".join(
        f"{name} {fact['speedmetal']['text']}" for name, fact in facts.items() if name != "label"
    )
    return Finding(facts, tuple(problems), note=short)


def cases(device: Any, random: np.random.Generator, size_bytes: int) -> list[Case]:
    """The cases on a device, with arrays of random numbers of that size."""
    count = size_bytes // 4
    a, b = (random.random(count, np.float32) for _ in range(2))
    host = np.zeros_like(a)
    x, y, z = (sm.array(v, device=device) for v in (a, b, host))
    u, v, w = (sm.array(v[:SMALL].copy(), device=device) for v in (a, b, host))
    addition, copying = sm.kernel(add), sm.kernel(copy)
    total, small_total = a + b, a[:SMALL] + b[:SMALL]

    def ours(call: Callable[[], Any], out: sm.Array, wanted: np.ndarray[Any, Any]) -> Contender:
        return Contender(
            "speedmetal", call, sm.synchronize, lambda: np.array_equal(out.numpy(), wanted)
        )

    def numpy_of(call: Callable[[], Any], wanted: np.ndarray[Any, Any]) -> Contender:
        return Contender("numpy", call, lambda: None, lambda: np.array_equal(host, wanted))

    launch = ours(lambda: addition(u, v, w, grid=SMALL), w, small_total)
    return [
        Case(
            "copy bandwidth",
            2 * size_bytes,
            (
                ours(lambda: copying(x, z, grid=count), z, a),
                numpy_of(lambda: np.copyto(host, a), a),
            ),
        ),
        Case(
            "vector add bandwidth",
            3 * size_bytes,
            (
                ours(lambda: addition(x, y, z, grid=count), z, total),
                numpy_of(lambda: np.add(a, b, out=host), total),
            ),
        ),
        Case("launch, many in flight", 0, (launch,)),
        Case("launch and wait", 0, (launch,), waits_for_each=True),
    ]


def _is_right(contender: Contender) -> bool:
    contender.call()
    contender.wait()
    return contender.is_right()


def _time_contenders(
    case: Case, rounds: int, random: np.random.Generator
) -> list[np.ndarray[Any, Any]]:
    """Seconds a call, by contender and round."""
    batches = [_batch(case, contender) for contender in case.contenders]
    seconds = [np.zeros(rounds) for _ in case.contenders]
    for round_number in range(rounds):
        for place in random.permutation(len(case.contenders)):
            seconds[place][round_number] = _batch_seconds(
                case, case.contenders[place], batches[place]
            )
    return seconds


def _batch(case: Case, contender: Contender) -> int:
    """Calls that take about `BATCH_SECONDS`; this also warms up."""
    first = max(_batch_seconds(case, contender, 3), 1e-7)
    return int(min(MAXIMUM_BATCH, max(1, BATCH_SECONDS / first)))


def _batch_seconds(case: Case, contender: Contender, calls: int) -> float:
    """Seconds of a call, over a batch; each is waited for where the case says so, else the last."""
    start = time.perf_counter()
    for _ in range(calls):
        contender.call()
        if case.waits_for_each:
            contender.wait()
    contender.wait()
    return (time.perf_counter() - start) / calls


def _figures(case: Case, seconds: Sequence[np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Each contender's figure, and the ratios of their times to ours."""
    figures: dict[str, Any] = {}
    for contender, own in zip(case.contenders, seconds, strict=True):
        times = summarise(own)
        figures[contender.name] = {
            "seconds": times.median,
            "95 %": [times.low, times.high],
            "rounds": times.samples,
            "text": _text(case, times),
        }
    for contender, own in list(zip(case.contenders, seconds, strict=True))[1:]:
        ratio = paired_ratio(own, seconds[0])
        figures[f"time of {contender.name} over time of speedmetal"] = {
            "ratio": ratio.ratio,
            "95 %": [ratio.low, ratio.high],
        }
    return figures


def _text(case: Case, times: Summary) -> str:
    if case.moved_bytes:
        low, middle, high = (
            case.moved_bytes / s / 1e9 for s in (times.high, times.median, times.low)
        )
        return f"{middle:.1f} GB/s [{low:.1f}, {high:.1f}]"
    low, middle, high = (s * 1e6 for s in (times.low, times.median, times.high))
    return f"{middle:.1f} us [{low:.1f}, {high:.1f}]"
