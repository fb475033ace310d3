# ruff: noqa: S102 - programs are our own text
"""Runs a fuzzed program as plain Python, thread by thread; and on a device, as a kernel."""

from __future__ import annotations

import linecache
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_expressions import INPUT_FLOAT, INPUT_INT, INPUT_SIZE, THREADS
from fuzz_programs import OUTPUTS, Program

import speedmetal as sm
from thread_model import Thread, threadgroups_of

BARRIER = "sm.threadgroup_barrier()"
HEADER = "import math\nimport speedmetal as sm\n\n"
SCALARS = (5, 2.25)

_random = np.random.default_rng(1234)
INTS = _random.integers(-INPUT_INT, INPUT_INT + 1, INPUT_SIZE).astype(np.int32)
FLOATS = (_random.integers(-8 * INPUT_FLOAT, 8 * INPUT_FLOAT + 1, INPUT_SIZE) / 8).astype(
    np.float32
)


class Outputs:
    """The three arrays that programs write to."""

    def __init__(self) -> None:
        shape = (THREADS, OUTPUTS)
        self.whole = np.zeros(shape, np.int32)
        self.exact = np.zeros(shape, np.float32)
        self.rough = np.zeros(shape, np.float32)

    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.whole, self.exact, self.rough


class _Input(list):
    """An input array, of Python's numbers; a negative index is out of bounds, as in kernels."""

    size = INPUT_SIZE

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < INPUT_SIZE:
            raise IndexError(f"index {index} is out of bounds: the program is wrong")
        return super().__getitem__(index)


class Language:
    """``sm`` as the plain Python function sees it, for the thread that runs now."""

    int32 = int

    def __init__(self) -> None:
        self.thread: Thread | None = None
        self.shared: dict[int, list[Any]] = {}

    def __getattr__(self, name: str) -> Callable[[], Any]:
        found = getattr(self.thread, name)
        return lambda: found

    @staticmethod
    def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    @staticmethod
    def static_range(*bounds: int) -> range:
        return range(*bounds)

    @staticmethod
    def thread_array(shape: tuple[int], _dtype: Any) -> list[Any]:
        return [None] * shape[0]

    def threadgroup_array(self, shape: tuple[int], _dtype: Any) -> list[Any]:
        return self.shared.setdefault(0, [None] * shape[0])

    @staticmethod
    def floor(x: float) -> float:
        return float(math.floor(x))

    @staticmethod
    def ceil(x: float) -> float:
        return float(math.ceil(x))

    @staticmethod
    def trunc(x: float) -> float:
        return float(math.trunc(x))


def compute_expected(program: Program) -> Outputs:
    """What the program means: each thread as plain Python, in turns from barrier to barrier."""
    language = Language()
    names: dict[str, Any] = {"sm": language, "math": math}
    text = program.source.replace(BARRIER, "yield")
    exec(compile(text, f"<model of {program.name}>", "exec"), names)
    stored: list[dict[Any, Any]] = [defaultdict(int), defaultdict(float), defaultdict(float)]
    inputs = (_Input(INTS.tolist()), _Input(FLOATS.tolist()))
    arguments = (*inputs, *SCALARS, *stored)
    for threads in threadgroups_of(THREADS, program.threads):
        language.shared = {}
        _run_threadgroup(language, threads, names[program.name], arguments)
    outputs = Outputs()
    for array, values in zip(outputs.arrays(), stored, strict=True):
        for place, value in values.items():
            array[place] = value
    return outputs


def _run_threadgroup(
    language: Language,
    threads: list[Thread],
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    running = []
    for thread in threads:
        language.thread = thread
        running.append((thread, function(*arguments)))  # without barriers it has run by now
    while running and running[0][1] is not None:
        waiting = []
        for thread, generator in running:
            language.thread = thread
            try:
                next(generator)
                waiting.append((thread, generator))
            except StopIteration:
                pass
        assert len(waiting) in (0, len(running)), "threads disagree on a barrier"
        running = waiting


def load(program: Program, path: Path) -> sm.Kernel:
    """Write the program into a file and run that; the kernel that it defines.

    The file stays, so that a crash of the process leaves what crashed it.
    """
    text = f"{HEADER}{program.source}\n"
    path.write_text(text)
    linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))
    names: dict[str, Any] = {}
    exec(compile(text, str(path), "exec"), names)
    kernel: sm.Kernel = names[program.name]
    return kernel


def launch_program(kernel: sm.Kernel, program: Program, device: str = "cpu") -> Outputs:
    """What the kernel writes."""
    outputs = Outputs()
    host = outputs.arrays()
    given = [sm.asarray(array, device=device) for array in (INTS, FLOATS, *host)]
    kernel(
        *(*given[:2], *SCALARS, *given[2:]),
        grid=THREADS,
        threads=program.threads,
        debug=program.debug,
    )
    for array, moved in zip(host, given[2:], strict=True):
        array[...] = moved.numpy()
    return outputs


def differences(found: Outputs, wanted: Outputs) -> list[str]:
    """Where the results are not what they should be."""
    lines = []
    tolerances = {"whole": (0.0, 0.0), "exact": (0.0, 0.0), "rough": (1e-4, 2e-3)}
    for name, (relative, absolute) in tolerances.items():
        ours, theirs = getattr(found, name), getattr(wanted, name)
        wrong = ~np.isclose(ours, theirs, rtol=relative, atol=absolute)
        lines += [
            f"{name}[{thread}, {place}]: expected {theirs[thread, place]},"
            f" got {ours[thread, place]}"
            for thread, place in np.argwhere(wrong)
        ]
    return lines
