"""How long do the kernels of a whole suite of the benchmark take to compile, and to load from disk?

A fresh process calls every case of the suite twice, with the benchmark's own inputs and cells of
speedmetal, and adds up by how much first calls are longer than second ones: once with an empty disk
cache, then in another process with what the first one has kept. Rewrites the section
`suite_first_calls` of docs/speed.md.

    python benchmarks/suite_first_calls.py [--rounds 3] [--dry]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from side_by_side import page

from speedmetal.bench.environment import default_threads, read_conditions
from speedmetal.bench.measure.statistics import summarise

SUITES = ("mlx-benchmark", "layers", "fused")
CACHE_VARIABLE = "SPEEDMETAL_CACHE_DIR"
LONGEST = 5  # first calls that are named
LEAST_FOR_AN_INTERVAL = 3


def surplus_of_first_calls(suite_name: str) -> dict[str, float]:
    """Seconds by case: of the first call, less those of the second, in this process."""
    from speedmetal.bench.frameworks.base import Settings
    from speedmetal.bench.frameworks.speedmetal.adapter import SpeedmetalAdapter
    from speedmetal.bench.runner.data import make_inputs
    from speedmetal.bench.suites import cases_of, load_suite

    adapter = SpeedmetalAdapter("cpu", Settings(threads=default_threads()))
    found = {}
    for case in cases_of(load_suite(suite_name)):
        function = adapter.compile(adapter.cells[case.operation](case.parameters))
        inputs = [_input(adapter, array) for array in make_inputs(case, 0).values()]
        first, second = (_seconds(adapter, function, inputs) for _ in range(2))
        found[case.label] = max(0.0, first - second)
        adapter.end_turn()
    return found


def _input(adapter: Any, array: Any) -> Any:
    from speedmetal.bench.contract import Layout

    return adapter.to_device(array, Layout.PLAIN)


def _seconds(adapter: Any, function: Any, inputs: list[Any]) -> float:
    begin = time.perf_counter()
    outputs = function(*inputs)
    adapter.force(outputs if isinstance(outputs, tuple) else (outputs,))
    return time.perf_counter() - begin


def in_a_process(suite_name: str, cache: str) -> dict[str, float]:
    """The same in a process of its own, with a disk cache there."""
    done = subprocess.run(
        [sys.executable, __file__, "--suite", suite_name],
        env={**os.environ, CACHE_VARIABLE: cache},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return dict(json.loads(done.stdout))


def section(rounds: int) -> str:
    """The section's text."""
    load = read_conditions().load
    rows, longest = [], []
    for suite_name in SUITES:
        cold, kept = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                cold.append(in_a_process(suite_name, cache))
                kept.append(in_a_process(suite_name, cache))
        rows.append([f"{suite_name}, {len(cold[0])} cases", _sum(cold), _sum(kept)])
        longest += [(min(each[label] for each in cold), label) for label in cold[0]]
    named = ", ".join(
        f"{label} {page.seconds_text(seconds)}"
        for seconds, label in sorted(longest, reverse=True)[:LONGEST]
    )
    packages = ("llvmlite", "numpy", "speedmetal")
    return "\n\n".join(
        [
            page.circumstances(packages, default_threads(), load),
            page.table(["suite", "empty cache, sum [95 %]", "from disk, sum [95 %]"], rows),
            f"The longest with an empty cache: {named}.",
        ]
    )


def _sum(samples: list[dict[str, float]]) -> str:
    times = summarise([sum(each.values()) for each in samples])
    if len(samples) < LEAST_FOR_AN_INTERVAL:
        return page.seconds_text(times.median)
    low, high = page.seconds_text(times.low), page.seconds_text(times.high)
    return f"{page.seconds_text(times.median)} [{low}, {high}]"


def main() -> None:
    """Measure, print, rewrite the section; with --suite one process's part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of two processes for each suite")
    parser.add_argument("--dry", action="store_true", help="leave docs/speed.md as it is")
    parser.add_argument("--suite", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.suite:
        print(json.dumps(surplus_of_first_calls(options.suite)))
        return
    text = section(options.rounds)
    print(text)
    if not options.dry:
        page.write_section("suite_first_calls", text)


if __name__ == "__main__":
    main()
