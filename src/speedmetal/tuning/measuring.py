"""How long launches take: the device's own time, in rounds that take turns."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

from speedmetal.arrays.deferred.schedule import evaluating_alone
from speedmetal.backends.device import Device, LaunchGraph
from speedmetal.common.records import record
from speedmetal.profile import gpu_time

ROUNDS = 15
_FEWEST_ROUNDS = 3
_SECONDS = 2.0
"""After so long no further round begins, once there were the fewest."""
_SAMPLE_SECONDS = 3e-4
"""What the launches of a sample take together, at least, where one may follow another."""
_MOST_LAUNCHES = 64
_HOPELESS = 1.5
"""What takes so many times as long as the fastest, after the fewest rounds, is left out."""

Restore = Callable[[], None]


@record(eq=False)
class Contender:
    """One of what is compared.

    Args:
        launch: Asks for a launch.
        restores: Whether the arrays must be made what they were before each launch.
    """

    launch: Callable[[], None]
    restores: bool


def measure(
    device: Device, contenders: Sequence[Contender], restore: Restore
) -> list[tuple[float, int]]:
    """The median time of a launch of each, in seconds, and the number of its rounds.

    Evaluation model::

        for each round, for each contender in random order:
            restore the arrays if a launch would read what it changes; wait
            start the device's clock; launch it n times; wait; stop the clock
            sample = time / n

    On a device with graphs the n launches are one graph, so that no pause of the host is among
    them. n is 1 where a launch changes what the next one would read.

    Args:
        device: Where they run.
        contenders: Which all have run before.
        restore: Makes the arrays what they were.
    """

    def seconds(contender: Contender, run: Callable[[], None]) -> float:
        if contender.restores:
            restore()
        with gpu_time(device) as measured:
            run()
        return measured.seconds

    firsts = [seconds(contender, contender.launch) for contender in contenders]
    count = min(_MOST_LAUNCHES, int(_SAMPLE_SECONDS / max(min(firsts), 1e-9)) + 1)
    runs = [_repeated(device, c.launch, 1 if c.restores else count) for c in contenders]
    samples: list[list[float]] = [[] for _ in contenders]
    live = list(range(len(contenders)))
    order = random.Random(0)  # noqa: S311 - an order, no secret
    start = perf_counter()
    for turn in range(ROUNDS):
        if turn >= _FEWEST_ROUNDS:
            if perf_counter() - start > _SECONDS:
                break
            times = {n: median(samples[n]) for n in live}
            live = [n for n in live if times[n] <= _HOPELESS * min(times.values())]
        for number in order.sample(live, len(live)):
            contender = contenders[number]
            launches = 1 if contender.restores else count
            samples[number].append(seconds(contender, runs[number]) / launches)
    return [(median(taken), len(taken)) for taken in samples]


def _repeated(device: Device, launch: Callable[[], None], count: int) -> Callable[[], None]:
    """So many launches with one call."""

    def run() -> None:
        for _ in range(count):
            launch()

    if not device.has_graphs or count == 1:
        return run
    graph: LaunchGraph
    with evaluating_alone(), device.capture() as graph:
        run()
    return graph.replay
