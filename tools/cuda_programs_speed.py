"""Measure programs of the kernel language on this machine's NVIDIA GPU, beside other languages.

    python tools/cuda_programs_speed.py [NAME OF A PROGRAM] ...

The programs are those of ``examples/``; ``tools/programs/`` has the same with CuPy's raw and
elementwise kernels, Numba's CUDA and Triton, of which those are measured that are installed. All
candidates of a program take float32, run in one process, one round of each after the other, and are
timed by events of the card; printed are the median round and the best. Results are compared with
PyTorch's in float64. Products and sums are contracted by all (ours by rule, the others where their
compilers like); nobody's "fast math" is on.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))

from cuda_speed import our_seconds, torch_seconds
from programs.cases import CASES, Case

import speedmetal as sm

ROUNDS = 9
LANGUAGES = {
    "speedmetal": "in_speedmetal",
    "CuPy": "in_cupy",
    "Numba": "in_numba",
    "Triton": "in_triton",
}
SHARE_OF_PEER = "of best peer"


def candidates(case: Case, inputs: tuple[Any, ...]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Who writes the program, and what times one run of it; the result has been compared."""
    for language, module in LANGUAGES.items():
        try:
            programs = importlib.import_module(f"programs.{module}").PROGRAMS[case.name]
        except ImportError as error:
            print(f"{language} is not measured: {error}")
            continue
        for kind, make in programs.items():
            name = f"{language}, {kind}"
            try:
                run, result = make(*inputs)
                run()
                sm.synchronize()
                torch.cuda.synchronize()
                error = case.error(result(), *inputs)
            except Exception:  # noqa: BLE001 - one that fails must not end the others
                print(f"{case.name}, {name}:\n{traceback.format_exc(limit=-3)}")
                continue
            if not error <= case.allowed:
                print(f"{case.name}, {name}: WRONG, error {error:.1e}")
            timed = our_seconds if language == "speedmetal" else torch_seconds
            yield f"{name} (error {error:.0e})", lambda run=run, timed=timed: timed(run)


def measure(case: Case) -> Iterator[str]:
    """A table of the candidates of a program."""
    torch.manual_seed(7)
    inputs = case.inputs()
    runs = dict(candidates(case, inputs))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, seconds in runs.items():
            times[name].append(seconds())
    medians = {name: statistics.median(found) for name, found in times.items()}
    peers = [median for name, median in medians.items() if not name.startswith("speedmetal")]
    best = min(peers, default=float("nan"))
    yield f"{case.name:48}{'ms':>10}{'best':>10}{case.unit:>12}{SHARE_OF_PEER:>14}"
    for name, median in medians.items():
        yield (
            f"{name:48}{median * 1e3:>10.4f}{min(times[name]) * 1e3:>10.4f}"
            f"{case.work / median:>12.1f}{best / median:>14.1%}"
        )


def main() -> None:
    """Measure what was named, or everything."""
    print(sm.device("cuda").description, sm.device("cuda").identity)
    for case in CASES:
        if not sys.argv[1:] or case.name in sys.argv[1:]:
            for line in measure(case):
                print(line, flush=True)
            sm.empty_cache()
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
