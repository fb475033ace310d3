"""How long does a person wait for the first call of a new kernel, and for the import?

Every sample is a fresh process that imports its framework, makes the same ten-line kernel with a
constant that no kernel had before, and times its first call: with the disk cache off, or a second
process's call of the same kernel where the cache is on. The call's result is checked. Imports are
timed in processes of their own. Rewrites the section `first_call` of docs/speed.md.

What whole processes cost is a part of its own (`side_by_side/processes.py`), in the section
`first_process`: `--processes` measures that alone, beside an earlier checkout if one is named.

    python benchmarks/first_call.py [--quick] [--dry]
    python benchmarks/first_call.py --processes [--rounds 40] [--earlier CHECKOUT] [--dry]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path

from side_by_side import page, processes
from side_by_side.worker import environment

from speedmetal.bench.environment import default_threads, read_conditions
from speedmetal.bench.measure.statistics import summarise

BODY = """
    value = {array}[i] * {constant}
    total = value
    for step in range(4):
        total = total * value + 0.5
    if total > 2.0:
        total = total - 1.0
    else:
        total = total + 1.0
    {result}[i] = total
"""
"""The kernel: ten lines with a signature and a position, for the three that compile loops."""

EXPECTED = """
value = a * np.float32({constant})
total = value.copy()
for step in range(4):
    total = total * value + np.float32(0.5)
wanted = np.where(total > 2, total - 1, total + 1)
assert np.allclose(np.asarray(c), wanted, 1e-4, 1e-4), "wrong result"
print(seconds)
"""

BEGIN = """import time, numpy as np
a = np.linspace(0, 1, 1000, dtype=np.float32)
c = np.empty_like(a)
"""
START = "start = time.perf_counter()\n"
STOP = "seconds = time.perf_counter() - start\n"

WHOLE_ARRAY = """
def f(a):
    value = a * {constant}
    total = value
    for step in range(4):
        total = total * value + 0.5
    return {where}(total > 2.0, total - 1.0, total + 1.0)
"""


class Before(Enum):
    """What is in the disk cache already."""

    NOTHING = auto()
    ANOTHER = auto()
    SAME = auto()


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Args:
        label: Of the line.
        program: What a process runs after BEGIN; prints the seconds of the first call.
        samples: Fresh processes; slow ones get fewer.
        before: What an earlier process left in the disk cache: nothing, another kernel (and with
            it what all kernels share), or the same kernel.
        variables: Of the environment.
    """

    label: str
    program: str
    samples: int
    before: Before = Before.NOTHING
    variables: tuple[tuple[str, str], ...] = ()


def _loop_program(head: str, call: str, array: str = "a", result: str = "c") -> str:
    body = BODY.replace("{array}", array).replace("{result}", result)
    return head + body + START + call + STOP + EXPECTED


SPEEDMETAL = _loop_program(
    "import speedmetal as sm\nsm.default_device()\n"
    "@sm.kernel\ndef k(a, c):\n    i = sm.thread_position_in_grid().x",
    "k(a, c, grid=a.size)\n",
)
SPEEDMETAL_LOADED = SPEEDMETAL.replace(
    "sm.default_device()\n",
    "sm.default_device()\nimport llvmlite.binding\n"
    "import speedmetal.launch.kernel, speedmetal.frontend.infer\n"
    "from speedmetal.backends.cpu import driver, jit, pool\n"
    "from speedmetal.backends.cpu.codegen import printer\n",
)
NUMBA = _loop_program(
    "import numba\n@numba.njit{options}\ndef k(a, c):\n  for i in {range}(a.size):", "k(a, c)\n"
)
WARP = _loop_program(
    "import warp as wp\nwp.config.quiet = True\nwp.init()\n"
    "@wp.kernel\ndef k(a: wp.array(dtype=float), c: wp.array(dtype=float)):\n    i = wp.tid()",
    "wp.launch(k, dim=a.size, inputs=[wa, wc], device='cpu')\nc = wc.numpy()\n",
).replace(START, "wa, wc = wp.array(a, device='cpu'), wp.array(c, device='cpu')\n" + START)
JAX = (
    "import jax, jax.numpy as jnp\nja = jax.block_until_ready(jnp.asarray(a))"
    + WHOLE_ARRAY.replace("{where}", "jnp.where")
    + START
    + "c = jax.block_until_ready(jax.jit(f)(ja))\n"
    + STOP
    + EXPECTED
)
TORCH = (
    "import torch, torch._dynamo\nta = torch.from_numpy(a)"
    + WHOLE_ARRAY.replace("{where}", "torch.where")
    + START
    + "c = torch.compile(f)(ta).numpy()\n"
    + STOP
    + EXPECTED
)
MLX = (
    "import mlx.core as mx\nmx.set_default_device(mx.cpu)\nma = mx.array(a)\nmx.eval(ma)"
    + WHOLE_ARRAY.replace("{where}", "mx.where")
    + START
    + "c = mx.compile(f)(ma)\nmx.eval(c)\n"
    + STOP
    + EXPECTED
)


def _numba(options: str, loop: str) -> str:
    return NUMBA.replace("{options}", options).replace("{range}", loop)


CACHE_OFF = (("SPEEDMETAL_CACHE", "0"),)
PACKAGES = ("speedmetal", "numpy", "llvmlite", "numba", "warp-lang", "jax", "torch", "mlx")
ROWS = (
    Row("speedmetal, no disk cache", SPEEDMETAL_LOADED, 25, variables=CACHE_OFF),
    Row("speedmetal, a new kernel", SPEEDMETAL_LOADED, 25, Before.ANOTHER),
    Row("speedmetal, from its disk cache", SPEEDMETAL_LOADED, 25, Before.SAME),
    Row("no disk cache, with late imports", SPEEDMETAL, 25, variables=CACHE_OFF),
    Row("from its disk cache, with late imports", SPEEDMETAL, 25, Before.SAME),
    Row("numba, njit", _numba("", "range"), 7),
    Row("numba, njit(parallel=True)", _numba("(parallel=True)", "numba.prange"), 5),
    Row(
        "numba, njit(cache=True), from its disk cache",
        _numba("(cache=True)", "range"),
        7,
        Before.SAME,
    ),
    Row("warp", WARP, 7),
    Row("warp, from its disk cache", WARP, 5, Before.SAME),
    Row("jax.jit", JAX, 9),
    Row("torch.compile", TORCH, 3),
    Row("mlx, mx.compile", MLX, 5),
)
IMPORTS = (
    *(("numpy", 21), ("speedmetal", 21), ("speedmetal; speedmetal.kernel", 21)),
    *(("numba", 5), ("warp", 5), ("jax", 5), ("torch", 5), ("mlx.core", 5)),
)
"""What is imported, and in how many processes."""
QUICK_SAMPLES = 3


# As after an installation: Python's own compiler is not what is timed.
_BYTECODE_FOLDER = tempfile.TemporaryDirectory()
_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": _BYTECODE_FOLDER.name}


class ProcessFailedError(Exception):
    """A sample's process gave no time."""


def run(program: str, folder: Path, variables: Sequence[tuple[str, str]] = ()) -> float:
    """Seconds that a program printed last, in a fresh process with caches in this folder."""
    path = folder / "program.py"  # kernels are read from their file
    if not path.exists() or path.read_text() != program:  # Numba's cache goes by the file's time
        path.write_text(program)
    found = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={
            **os.environ,
            **environment(default_threads()),
            "SPEEDMETAL_CACHE_DIR": str(folder / "speedmetal"),
            "NUMBA_CACHE_DIR": str(folder / "numba"),
            "WARP_CACHE_PATH": str(folder / "warp"),
            "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch"),
            "JAX_ENABLE_COMPILATION_CACHE": "false",
            "TMPDIR": str(folder),  # MLX keeps compiled code there
            **_BYTECODE,
            **dict(variables),
        },
    )
    if found.returncode:
        last = found.stderr.strip().splitlines() or [f"exit status {found.returncode}"]
        raise ProcessFailedError(last[-1][:160])
    return float(found.stdout.split()[-1])


def first_call(row: Row, number: int) -> float:
    """Seconds of a first call, with a constant of its own."""
    program = BEGIN + row.program
    with tempfile.TemporaryDirectory() as scratch:
        if row.before is not Before.NOTHING:
            earlier = number + (0.5 if row.before is Before.ANOTHER else 0.0)
            run(_with_constant(program, earlier), Path(scratch), row.variables)
        return run(_with_constant(program, number), Path(scratch), row.variables)


def _with_constant(program: str, number: float) -> str:
    return program.replace("{constant}", repr(1 + number / 1024))


def import_seconds(module: str, _: int) -> float:
    """Seconds of an import, as the process itself sees it."""
    program = f"import time\n{START}import {module}\n{STOP}print(seconds)\n"
    with tempfile.TemporaryDirectory() as scratch:
        return run(program, Path(scratch))


def process_seconds(module: str, _: int) -> float:
    """What an import adds to a whole process: wall time with it, less that of an empty one."""
    times = []
    for statement in ("pass", f"import {module}"):
        program = (
            f"import subprocess, sys, time\n{START}"
            f"subprocess.run([sys.executable, '-c', {statement!r}], check=True)\n"
            f"{STOP}print(seconds)\n"
        )
        with tempfile.TemporaryDirectory() as scratch:
            times.append(run(program, Path(scratch)))
    return times[1] - times[0]


Job = tuple[int, Callable[[int], float]]
"""How many samples, and what takes one, given its number."""


def sample_jobs(jobs: dict[str, Job], most: int) -> dict[str, list[float] | str]:
    """Samples of every job, in random order; a text says why there is none."""
    turns = [
        (label, number) for label, (count, _) in jobs.items() for number in range(min(count, most))
    ]
    random.Random(1).shuffle(turns)  # noqa: S311 - an order, no secret
    results: dict[str, list[float] | str] = {label: [] for label in jobs}
    for _, job in jobs.values():  # writes bytecode, fetches files into memory
        with suppress(ProcessFailedError, subprocess.TimeoutExpired):
            job(len(turns))
    for label, number in turns:
        series = results[label]
        if isinstance(series, str):
            continue
        try:
            series.append(jobs[label][1](number))
        except (ProcessFailedError, subprocess.TimeoutExpired) as error:
            results[label] = str(error)
    return results


def lines(results: dict[str, list[float] | str]) -> list[list[str]]:
    """Rows of a table: median, interval, least, processes."""
    rows = []
    for label, series in results.items():
        if isinstance(series, str):
            rows.append([label, f"no result: {series}", "", "", ""])
            continue
        times = summarise(series)
        span = f"[{page.seconds_text(times.low)}, {page.seconds_text(times.high)}]"
        least, median = page.seconds_text(min(series)), page.seconds_text(times.median)
        rows.append([label, median, span, least, str(len(series))])
    return rows


def slowest_imports() -> str:
    """The modules with the most time of their own in ``import speedmetal``."""
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import speedmetal; speedmetal.kernel"],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = []
    for line in found.stderr.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdecimal():
            modules.append((int(parts[0]), parts[2].strip()))
    top = sorted(modules, reverse=True)[:6]
    return ", ".join(f"`{name}` {own / 1000:.1f} ms" for own, name in top)


def whole_processes(rounds: int, earlier: Path | None) -> str:
    """The section about whole processes."""
    load = read_conditions().load
    variables = {**environment(default_threads()), **_BYTECODE, "SPEEDMETAL_CACHE": "1"}
    with tempfile.TemporaryDirectory() as scratch:
        found = processes.measured(
            Path(__file__).parents[1], earlier, rounds, Path(scratch), variables
        )
    packages = ("numpy", "llvmlite", "speedmetal")
    head = f"{page.circumstances(packages, default_threads(), load)} {rounds} rounds."
    return f"{head}\n\n{processes.report(found)}"


def first_calls(most: int) -> str:
    """The section about first calls and imports."""
    load = read_conditions().load
    calls = sample_jobs({row.label: (row.samples, partial(first_call, row)) for row in ROWS}, most)
    imports = sample_jobs(
        {
            **{f"import {name}": (count, partial(import_seconds, name)) for name, count in IMPORTS},
            "import speedmetal, added to the process": (21, partial(process_seconds, "speedmetal")),
        },
        most,
    )
    head = ["", "median", "95 %", "least", "processes"]
    return "\n\n".join(
        [
            page.circumstances(PACKAGES, default_threads(), load),
            "The first call of a new kernel of ten lines, in a fresh process, without imports:",
            page.table(head, lines(calls)),
            "Imports:",
            page.table(head, lines(imports)),
            f"Most of the time of `import speedmetal; speedmetal.kernel`: {slowest_imports()}.",
        ]
    )


def main() -> None:
    """Measure, print, rewrite the sections."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three processes each")
    parser.add_argument("--dry", action="store_true", help="leave docs/speed.md as it is")
    parser.add_argument("--processes", action="store_true", help="whole processes alone")
    parser.add_argument("--rounds", type=int, default=40, help="of whole processes")
    parser.add_argument("--earlier", type=Path, help="an earlier checkout, for whole processes")
    options = parser.parse_args()
    rounds = QUICK_SAMPLES if options.quick else options.rounds
    sections = {"first_process": whole_processes(rounds, options.earlier)}
    if not options.processes:
        sections["first_call"] = first_calls(QUICK_SAMPLES if options.quick else 1000)
    for name, text in sections.items():
        print(text, end="\n\n")
        if not options.dry:
            page.write_section(name, text)


if __name__ == "__main__":
    main()
