"""Measure arrays on the NVIDIA GPU of this machine: what memory holds up, beside other libraries.

    python tools/cuda_arrays_speed.py [check] [reductions] [softmaxes] [norms] [scans] [copies]
        [indices] [layers] [--only WORDS] [--no-compile] [--csv FILE]
    python tools/cuda_arrays_speed.py sizes FILE

``check`` computes each case once, by all, compares results with PyTorch's, and fills the caches of
compiled code; nothing is timed then. Otherwise figures are GB/s, what must be read and written at
the least over the time by the card's clock, of ``REPEATS`` in a row; printed are medians of
rounds in which one candidate follows the other, and the share of PyTorch's copy, which is one of
them; of ``layers``, attention and convolutions, they are GFLOP/s. ``sizes`` writes what an
operation costs for arrays from 1 KiB to 8 GiB.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cuda_arrays_cases as cases
from cuda_arrays_cases import Case, Run, torch
from cuda_layers_cases import layers
from cuda_speed import our_seconds, torch_seconds

import speedmetal as sm

GROUPS = {**cases.GROUPS, "layers": layers}
ROUNDS = 7
COPIED = 1 << 28
"""Elements of the copy that all is compared with."""
SLOW_US = 50_000
"""Who takes longer for a call than all others for 8 GiB is not asked for larger arrays."""


def compiled(case: Case) -> Run | None:
    """The operation by ``torch.compile``."""
    if case.compiled is None:
        return None
    function, tensors = case.compiled
    torch().compiler.reset()
    run = torch().compile(function, dynamic=False)
    return lambda: run(*tensors)


def as_tensor(result: Any) -> Any:
    """A result of anybody's as a tensor in double precision, or of integers."""
    (result,) = result if isinstance(result, tuple) and len(result) == 1 else (result,)
    if type(result).__module__.startswith("cupy"):
        result = torch().from_dlpack(result)
    elif isinstance(result, sm.Array):
        sm.synchronize()
        result = torch().from_dlpack(result)
    return result


def error(case: Case, found: Any, expected: Any) -> float:
    """How far a result is from PyTorch's; infinity: of another shape."""
    found, expected = case.seen(as_tensor(found)), case.seen(as_tensor(expected))
    if found.shape != expected.shape:
        return float("inf")
    if case.tolerance == 0:
        return 0.0 if bool((found == expected).all()) else float("inf")
    # In pieces: the whole in double precision would take more memory than all else.
    squares = differences = 0.0
    for own, other in zip(
        found.reshape(-1).split(1 << 26), expected.reshape(-1).split(1 << 26), strict=True
    ):
        squares += float((other.double() ** 2).sum())
        differences += float(((own.double() - other.double()) ** 2).sum())
    return float((differences / max(squares, 1e-300)) ** 0.5)


def candidates(case: Case, *, compiles: bool) -> dict[str, Run]:
    """What is measured, by name, each after a first result that was compared."""
    expected = case.peers["torch"]()
    runs: dict[str, Run] = {"speedmetal": case.ours, **case.peers}
    if compiles and (run := compiled(case)) is not None:
        runs["compile"] = run
    for name in list(runs):
        try:
            off = error(case, runs[name](), expected)
        except Exception as fault:  # noqa: BLE001 - whatever a peer has
            print(f"  {case.name}: {name} failed: {type(fault).__name__}: {str(fault)[:200]}")
            if name == "speedmetal":
                traceback.print_exc()
            del runs[name]
            continue
        if not off <= case.tolerance:
            print(f"  {case.name}: {name} differs by {off:.1e}")
    return runs


def seconds(name: str, run: Run) -> float:
    """Of one of several in a row, by the card's clock."""
    return our_seconds(run) if name == "speedmetal" else torch_seconds(run)


NAMES = ("speedmetal", "torch", "compile", "triton", "cupy")


def measured(chosen: Iterator[Case], *, compiles: bool, only: str) -> Iterator[dict[str, Any]]:
    """A row of the table for each case."""
    x, y = (torch().empty(COPIED, device="cuda") for _ in range(2))
    for case in chosen:
        if only not in case.name:
            continue
        runs = candidates(case, compiles=compiles)
        times: dict[str, list[float]] = {name: [] for name in (*runs, "copy")}
        for _ in range(ROUNDS):
            times["copy"].append(torch_seconds(partial(y.copy_, x)))
            for name, run in runs.items():
                times[name].append(seconds(name, run))
        copy = 8 * COPIED / statistics.median(times.pop("copy")) / 1e9
        rates = {n: case.nbytes / statistics.median(t) / 1e9 for n, t in times.items()}
        yield {"case": case.name, "copy": copy, **rates}


def line(row: dict[str, Any]) -> str:
    """A row as it is printed."""
    ours, copy = row.get("speedmetal", 0.0), row["copy"]
    others = [row[name] for name in NAMES[1:] if name in row]
    rates = "".join(f"{row[n]:>11.0f}" if n in row else f"{'':>11}" for n in NAMES)
    best = ours / max(others) if others else 0.0
    return f"{row['case']:48}{rates}{copy:>8.0f}{ours / copy:>8.1%}{best:>8.2f}"


def table(chosen: list[str], *, compiles: bool, only: str, path: str | None) -> None:
    """Print all rows of some groups."""
    rows = []
    head = "".join(f"{n:>11}" for n in NAMES)
    print(f"{'GB/s':48}{head}{'copy':>8}{'of copy':>8}{'of best':>8}", flush=True)
    for group in chosen:
        for row in measured(GROUPS[group](), compiles=compiles, only=only):
            print(line(row), flush=True)
            rows.append(row)
        if path is not None:
            with Path(path).open("w", newline="") as file:
                writer = csv.DictWriter(file, ["case", *NAMES, "copy"], restval="")
                writer.writeheader()
                writer.writerows(rows)


def check(chosen: list[str], *, compiles: bool, only: str) -> None:
    """Compute each case once."""
    for group in chosen:
        for case in GROUPS[group]():
            if only in case.name:
                begin = time.perf_counter()
                runs = candidates(case, compiles=compiles)
                took = time.perf_counter() - begin
                print(f"{case.name}: {', '.join(runs)} ({took:.1f} s)", flush=True)


# --- Sizes ---------------------------------------------------------------------------------------

SMALLEST, LARGEST = 10, 33  # powers of two: bytes of an array
LARGE = 31
REPEATS_OF_SMALL = 50
ROW = 1024
"""Elements of a softmax's rows, where there are so many."""


def _operations(log_bytes: int) -> dict[str, dict[str, Run]]:
    """For each operation who does it, on arrays of so many bytes."""
    count = 1 << (log_bytes - 2)
    (a, x), (b, y) = (cases.shared((count,)) for _ in range(2))
    rows = max(count // ROW, 1), min(count, ROW)
    a2, x2 = a.reshape(rows), x.reshape(rows)
    th = torch()
    functions: dict[str, tuple[Callable[[], Any], Callable[..., Any], tuple[Any, ...]]] = {
        "elementwise": (
            lambda: a * a + sm.exp(sm.sin(b)),
            lambda x, y: x * x + th.exp(th.sin(y)),
            (x, y),
        ),
        "sum": (a.sum, th.sum, (x,)),
        "softmax": (lambda: sm.softmax(a2), lambda x: x.softmax(-1), (x2,)),
    }
    found: dict[str, dict[str, Run]] = {}
    for name, (ours, theirs, tensors) in functions.items():
        fast = _COMPILED.setdefault(name, th.compile(theirs, dynamic=True))
        found[name] = {
            "speedmetal": lambda ours=ours: cases.computed(ours()),
            "torch": lambda theirs=theirs, tensors=tensors: theirs(*tensors),
            "torch.compile": lambda fast=fast, tensors=tensors: fast(*tensors),
        }
    if (cupy := cases.cupy_of(x, y)) is not None:
        module, (c, d) = cupy
        found["elementwise"]["cupy"] = lambda: c * c + module.exp(module.sin(d))
        found["sum"]["cupy"] = c.sum
    _add_jax(found, x, y, rows)
    return found


_COMPILED: dict[str, Any] = {}


def _add_jax(found: dict[str, dict[str, Run]], x: Any, y: Any, rows: tuple[int, int]) -> None:
    try:
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # memory is for all
        import jax
    except ImportError:
        return
    numpy = jax.numpy
    a, b = (jax.dlpack.from_dlpack(t) for t in (x, y))
    functions = {
        "elementwise": (jax.jit(lambda a, b: a * a + numpy.exp(numpy.sin(b))), (a, b)),
        "sum": (jax.jit(numpy.sum), (a,)),
        "softmax": (jax.jit(jax.nn.softmax), (a.reshape(rows),)),
    }
    for name, (run, arguments) in functions.items():
        found[name]["jax"] = lambda run=run, arguments=arguments: run(*arguments)


def release() -> None:
    """Give back what libraries keep: large arrays of all do not fit into memory."""
    sm.empty_cache()
    torch().cuda.empty_cache()
    if "cupy" in sys.modules:
        sys.modules["cupy"].get_default_memory_pool().free_all_blocks()


def wall(name: str, run: Run, repeats: int) -> float:
    """Seconds of one of several calls that are waited for together, by the host's clock."""
    last = run()
    _done(name, last)
    begin = time.perf_counter()
    for _ in range(repeats):
        last = run()
    _done(name, last)
    return (time.perf_counter() - begin) / repeats


def _done(name: str, last: Any) -> None:
    if name == "jax":
        last.block_until_ready()
    elif name == "speedmetal":
        sm.synchronize()
    else:
        cases.wait()


def sizes(path: str) -> None:
    """Write microseconds of each operation at each size."""
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["operation", "bytes", "who", "us"])
        too_slow: set[tuple[str, str]] = set()
        for log_bytes in range(SMALLEST, LARGEST + 1):
            repeats = REPEATS_OF_SMALL if log_bytes < 26 else 5
            for operation, all_runs in _operations(log_bytes).items():
                runs = {who: all_runs[who] for who in all_runs if (operation, who) not in too_slow}
                times: dict[str, list[float]] = {}
                for number in range(5 * len(runs)):
                    who = list(runs)[number % len(runs)]
                    try:
                        times.setdefault(who, []).append(wall(who, runs[who], repeats))
                        if log_bytes >= LARGE:
                            release()
                    except Exception as fault:  # noqa: BLE001 - as above
                        print(f"{operation} 2^{log_bytes}: {who}: {fault!s:.200}", flush=True)
                for who, found in times.items():
                    us = statistics.median(found) * 1e6
                    writer.writerow([operation, 1 << log_bytes, who, f"{us:.2f}"])
                    if us > SLOW_US:
                        too_slow.add((operation, who))
            file.flush()
            print(f"2^{log_bytes}", flush=True)
            release()


def main() -> None:
    """Measure what was named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--only", default="")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--csv")
    given = parser.parse_args()
    print(sm.device("cuda").description, sm.device("cuda").identity, flush=True)
    words = list(given.words)
    if words[:1] == ["sizes"]:
        sizes(words[1])
        return
    chosen = [word for word in words if word != "check"] or list(GROUPS)
    options: dict[str, Any] = {"compiles": not given.no_compile, "only": given.only}
    if "check" in words:
        check(chosen, **options)
    else:
        table(chosen, path=given.csv, **options)


if __name__ == "__main__":
    sys.exit(main())
