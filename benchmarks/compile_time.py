"""How does the time to compile a kernel grow with its length?

Generates kernels of 10 to 2000 statements, straight-line code and code of branches and loops, and
compiles each for the CPU without caches, timing every stage. The lengths are visited in random
order, again and again. The exponent of growth is the slope of a least-squares line through the
logarithms of the longer lengths, with a 95 % bootstrap interval over the samples. Rewrites the
section `compile_time` of docs/speed.md and its figure.

    python benchmarks/compile_time.py [--quick] [--dry]
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from side_by_side import page

from speedmetal import passes
from speedmetal.backends.cpu.codegen.printer import print_kernel
from speedmetal.backends.cpu.jit import compile_object
from speedmetal.backends.targets import find_target
from speedmetal.bench.environment import read_conditions
from speedmetal.frontend.infer import infer_function, infer_kernel
from speedmetal.frontend.signature_text import parse_signature

LENGTHS = (10, 20, 50, 100, 200, 500, 1000, 2000)
QUICK_LENGTHS = (10, 100, 1000)
FITTED_FROM = 200  # shorter kernels show what is constant
STAGES = ("front end", "passes", "print", "LLVM")
VARIABLES = 16
SAMPLES = 5
RESAMPLES = 1000
FIGURE = page.PAGE.with_name("compile_time.svg")
Times = dict[tuple[str, int], list[tuple[float, ...]]]


def _straight(generator: random.Random) -> Iterator[str]:
    while True:
        target, left, right = (f"v{generator.randrange(VARIABLES)}" for _ in range(3))
        yield f"{target} = {left} * {generator.random():.6f} + {right}"


def _branching(generator: random.Random) -> Iterator[str]:
    plain = _straight(generator)
    while True:
        yield f"if v{generator.randrange(VARIABLES)} > {generator.random():.6f}:"
        yield "    " + next(plain)
        yield "else:"
        yield "    " + next(plain)
        yield f"for step in range({generator.randrange(2, 9)}):"
        yield "    " + next(plain)
        yield next(plain)


KINDS: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "straight-line": _straight,
    "branches and loops": _branching,
}


def source(kind: str, length: int, seed: int) -> str:
    """A kernel of so many statements, as text.

    >>> print(source("straight-line", 2, 0).splitlines()[0])
    import speedmetal as sm
    """
    lines = list(itertools.islice(KINDS[kind](random.Random(seed)), length))  # noqa: S311
    while lines[-1].endswith(":"):  # a block needs a statement
        lines.pop()
    starts = [f"v{n} = a[i] + {n}.0" for n in range(VARIABLES)]
    total = " + ".join(f"v{n}" for n in range(VARIABLES))
    body = ["i = sm.thread_position_in_grid().x", *starts, *lines, f"b[i] = {total}"]
    return "import speedmetal as sm\ndef kernel(a, b):\n" + "".join(f"    {x}\n" for x in body)


def compile_once(function: Any) -> tuple[float, ...]:
    """Seconds of each stage."""
    signature = parse_signature("f32[:] f32[:]")
    ticks = [time.perf_counter()]
    inferred = infer_kernel(function, signature)
    ticks.append(time.perf_counter())
    lowered = passes.run(
        inferred.kernel, target=find_target("cpu"), compile_function=infer_function
    )
    ticks.append(time.perf_counter())
    text = print_kernel(lowered)
    ticks.append(time.perf_counter())
    compile_object(text)
    ticks.append(time.perf_counter())
    return tuple(later - earlier for earlier, later in itertools.pairwise(ticks))


def load(text: str, folder: Path, name: str) -> ModuleType:
    """A module of this text; kernels are read from their files."""
    path = folder / f"{name}.py"
    path.write_text(text)
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def measure(lengths: tuple[int, ...], samples: int) -> Times:
    """Stage times for each kind and length; every sample is a kernel of its own."""
    turns = [(kind, length) for kind in KINDS for length in lengths]
    times: Times = {turn: [] for turn in turns}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(-1, samples):
            random.Random(seed).shuffle(turns)  # noqa: S311
            for number, (kind, length) in enumerate(turns):
                name = f"generated_{seed + 1}_{number}"
                module = load(source(kind, length, seed), Path(scratch), name)
                stages = compile_once(module.kernel)
                if seed >= 0:  # the first pass only loads what is loaded late
                    times[kind, length].append(stages)
                elif length == lengths[0] and kind == "straight-line":
                    break
            print(f"pass {seed + 1}", file=sys.stderr)
    return times


def exponent(times: Times, kind: str, stage: int | None) -> tuple[float, float, float]:
    """Slope of log time over log length, with its 95 % bootstrap interval; None: the total."""
    lengths = [n for k, n in times if k == kind and n >= FITTED_FROM]
    if len(lengths) < 3:
        lengths = [n for k, n in times if k == kind]

    def seconds(length: int) -> list[float]:
        found = times[kind, length]
        return [sum(s) if stage is None else s[stage] for s in found]

    columns = [np.log(seconds(length)) for length in lengths]
    generator = np.random.default_rng(0)
    x = np.log(lengths)

    def slope(picked: list[Any]) -> float:
        return float(np.polyfit(x, [np.median(c) for c in picked], 1)[0])

    resampled = [slope([generator.choice(c, c.size) for c in columns]) for _ in range(RESAMPLES)]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return slope(columns), float(low), float(high)


def tables(times: Times) -> str:
    """Medians by length and stage, and the exponents, for each kind."""
    parts = []
    for kind in KINDS:
        rows = []
        for length in sorted(n for k, n in times if k == kind):
            samples = np.array(times[kind, length])
            cells = [*np.median(samples, 0), np.median(samples.sum(1))]
            rows.append([str(length), *map(page.seconds_text, cells)])
        fits = [exponent(times, kind, stage) for stage in (*range(len(STAGES)), None)]
        rows.append(["exponent", *(page.ratio_text(*fit) for fit in fits)])
        head = ["statements", *STAGES, "total"]
        parts.append(f"**{kind.capitalize()}**\n\n{page.table(head, rows)}")
    return "\n\n".join(parts)


def draw(times: Times, path: Path) -> None:
    """The figure, as SVG beside the page and as PNG for a quick look."""
    import altair as alt

    rows = [
        {"kind": kind, "statements": length, "stage": stage, "ms": 1e3 * float(value)}
        for (kind, length), samples in times.items()
        for stage, value in zip(
            (*STAGES, "total"),
            (*np.median(samples, 0), np.median(np.sum(samples, 1))),
            strict=True,
        )
    ]
    colours = ["#4c78a8", "#f58518", "#54a24b", "#b279a2", "#222222"]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "statements:Q",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(title="statements", values=list(LENGTHS), grid=False),
        ),
        y=alt.Y(
            "ms:Q",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(title="time to compile, ms", values=[1, 10, 100, 1000]),
        ),
        color=alt.Color(
            "stage:N",
            scale=alt.Scale(domain=[*STAGES, "total"], range=colours),
            sort=None,
            legend=alt.Legend(title=None),
        ),
    )
    chart = (
        (base.mark_line() + base.mark_point(filled=True, size=30))
        .properties(width=320, height=260)
        .facet(alt.Column("kind:N", title=None, sort=list(KINDS)))
        .configure(background="white")
    )
    chart.save(str(path))
    chart.save(str(path.with_suffix(".png")), scale_factor=2)


def main() -> None:
    """Measure, print, rewrite the section and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few lengths, three samples")
    parser.add_argument("--dry", action="store_true", help="leave docs/ as it is")
    options = parser.parse_args()
    before = read_conditions().load
    times = measure(QUICK_LENGTHS if options.quick else LENGTHS, 3 if options.quick else SAMPLES)
    text = "\n\n".join(
        [
            page.circumstances(("speedmetal", "llvmlite", "numpy"), 1, before),
            tables(times),
            f"![Time to compile by length of the kernel]({FIGURE.name})",
        ]
    )
    print(text)
    if not options.dry:
        draw(times, FIGURE)
        page.write_section("compile_time", text)


if __name__ == "__main__":
    main()
