"""Measure sorts, scans and searches on the NVIDIA GPU of this machine.

    python tools/cuda_order_speed.py [sort] [argsort] [rows] [topk] [scan] [accumulate] [find]
        [first]

Beside PyTorch and CuPy, where these are installed. All figures of a run come from one process, one
round of each candidate after the other; printed are median rounds, of each candidate two figures:
microseconds of the card (a graph of several in a row; of CuPy, and of what waits for the card
itself, there is none), and microseconds of the host's clock for one of several that are asked for
in a row, until all are done. Each result is compared with PyTorch's first. ``first`` is what the
first call of a process takes, with an empty cache on disk and with a full one.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from cuda_speed import our_seconds, torch_seconds

import speedmetal as sm

try:
    import cupy
except ImportError:
    cupy = None

ROUNDS = 5
SIZES = tuple(1 << power for power in (10, 16, 20, 24, 27))
KEYS = ("float32", "int32", "int64", "float16")
ROWS = ((64, 128, 128), (4096, 1024))
IN_A_ROW = 20
ELEMENTS = 1 << 26
"""Of what is asked for in a row, about."""
NATIVE_UP_TO = 1 << 24
"""Elements up to which our kernels are timed where the library is faster: it takes long."""

Run = Callable[[], Any]


def _given(dtype: str, shape: tuple[int, ...]) -> Any:
    kind = getattr(torch, dtype)
    if kind.is_floating_point:
        return torch.randn(shape, device="cuda").to(kind)
    least, greatest = torch.iinfo(kind).min, torch.iinfo(kind).max
    return torch.randint(least, greatest, shape, device="cuda", dtype=kind)


def _ours(tensor: Any) -> Any:
    return sm.array(tensor.cpu().numpy(), device="cuda")


def _with(tensor: Any, function: Callable[[Any], Any]) -> Run:
    """A function of CuPy's array of a tensor's elements."""
    theirs = cupy.from_dlpack(tensor)
    return lambda: function(theirs)


def _host(found: Any) -> Any:
    if isinstance(found, sm.Array):
        return found.numpy()
    return found.cpu().numpy() if isinstance(found, torch.Tensor) else cupy.asnumpy(found)


def _wait(name: str) -> None:
    if name == "torch":
        torch.cuda.synchronize()
    elif name == "CuPy":
        cupy.cuda.get_current_stream().synchronize()
    else:
        sm.synchronize()


def _evaluated(name: str, run: Run) -> Run:
    return run if name in ("torch", "CuPy") else lambda: sm.eval(run())


def _graph(name: str, run: Run, count: int) -> Callable[[], float] | None:
    """What times a candidate by the card."""
    if name == "CuPy":
        return None
    if name == "torch":
        theirs = torch.cuda.CUDAGraph()
        with torch.cuda.graph(theirs):
            for _ in range(count):
                run()
        return lambda: torch_seconds(theirs.replay) / count
    with sm.capture("cuda") as ours:
        for _ in range(count):
            sm.eval(run())
    return lambda: our_seconds(ours.replay) / count


def _row(
    title: str, size: int, runs: dict[str, Run], compare: Callable[[Any, Any], str], *, waits: bool
) -> str:
    count = max(1, min(IN_A_ROW, ELEMENTS // size))
    parts = []
    expected = None
    timers: dict[str, tuple[Callable[[], float] | None, Run]] = {}
    remarks: dict[str, str] = {}
    for name, run in {"torch": runs["torch"], **runs}.items():
        try:
            found = run()
            remarks[name] = ""
            if name == "torch":
                expected = found
            else:
                remarks[name] = compare(found, expected)
            del found
            by_card = None if waits else _graph(name, run, count)
            timers[name] = by_card, _evaluated(name, run)
        except Exception as error:  # noqa: BLE001 - the others are measured all the same
            remarks[name] = f" {type(error).__name__}: {str(error).splitlines()[0][:90]}"
    cards: dict[str, list[float]] = {name: [] for name in timers}
    walls: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(ROUNDS):
        for name, (by_card, run) in timers.items():
            if by_card is not None:
                cards[name].append(by_card())
            run()
            _wait(name)
            begin = time.perf_counter()
            for _ in range(count):
                run()
            _wait(name)
            walls[name].append((time.perf_counter() - begin) / count)
    for name in runs:
        if name in timers:
            card = f"{statistics.median(cards[name]) * 1e6:9.1f}" if cards[name] else f"{'':9}"
            parts.append(
                f"{name} {card} {statistics.median(walls[name]) * 1e6:9.1f}{remarks[name]}"
            )
        else:
            parts.append(f"{name}{remarks[name]}")
    return f"{title:30}" + "  ".join(parts)


def _equal(found: Any, expected: Any) -> str:
    return "" if np.array_equal(_host(found), _host(expected)) else " WRONG"


def _near(found: Any, expected: Any) -> str:
    ours, theirs = (_host(x).astype(np.float64) for x in (found, expected))
    difference = np.linalg.norm(ours - theirs) / (np.linalg.norm(theirs) or 1)
    return "" if difference < 1e-4 else f" WRONG by {difference:.0e}"


def _places_of(keys: Any) -> Callable[[Any, Any], str]:
    """Compares elements at positions: of equal ones PyTorch may have others first."""

    def compare(found: Any, expected: Any) -> str:
        ours, theirs = (torch.from_numpy(_host(x)).cuda() for x in (found, expected))
        a, b = (torch.gather(keys, -1, places) for places in (ours, theirs))
        return "" if torch.equal(a, b) else " WRONG"

    return compare


def _by_each(size: int, function: Callable[..., Any]) -> dict[str, Run]:
    names = ("auto", "vendor", "native") if size <= NATIVE_UP_TO else ("auto", "vendor")
    return {name: lambda name=name: function(algorithm=name) for name in names}


def _cases() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    for dtype in KEYS:
        for size in SIZES:
            if dtype in ("float32", "int32") or size in (1 << 10, 1 << 20, 1 << 27):
                yield f"{dtype} 2**{size.bit_length() - 1}", dtype, (size,)


def sort() -> Iterator[str]:
    """Values."""
    for title, dtype, shape in _cases():
        a = _given(dtype, shape)
        x = _ours(a)
        runs = _by_each(a.numel(), lambda x=x, **how: sm.sort(x, **how))
        runs["torch"] = lambda a=a: torch.sort(a)[0]
        if cupy is not None:
            runs["CuPy"] = _with(a, cupy.sort)
        yield _row(f"sort {title}", a.numel(), runs, _equal, waits=False)


def argsort() -> Iterator[str]:
    """Positions."""
    for title, dtype, shape in _cases():
        if dtype not in ("float32", "int64"):
            continue
        a = _given(dtype, shape)
        x = _ours(a)
        runs = _by_each(a.numel(), lambda x=x, **how: sm.argsort(x, **how))
        runs["torch"] = lambda a=a: torch.sort(a, stable=True)[1]
        if cupy is not None:
            runs["CuPy"] = _with(a, cupy.argsort)
        yield _row(f"argsort {title}", a.numel(), runs, _places_of(a), waits=False)


def rows() -> Iterator[str]:
    """Rows."""
    for shape, axis in ((ROWS[0], 1), (ROWS[0], -1), (ROWS[1], -1), ((64, 65536), -1)):
        a = _given("float32", shape)
        x = _ours(a)
        title = f"{' x '.join(map(str, shape))} axis {axis}"
        runs = _by_each(a.numel(), lambda x=x, axis=axis, **how: sm.sort(x, axis, **how))
        runs["torch"] = lambda a=a, axis=axis: torch.sort(a, axis)[0]
        if cupy is not None:
            runs["CuPy"] = _with(a, lambda b, axis=axis: cupy.sort(b, axis))
        yield _row(f"sort {title}", a.numel(), runs, _equal, waits=False)
        if axis == -1:
            runs = _by_each(a.numel(), lambda x=x, **how: sm.argsort(x, **how))
            runs["torch"] = lambda a=a: torch.sort(a, stable=True)[1]
            yield _row(f"argsort {title}", a.numel(), runs, _places_of(a), waits=False)


def topk() -> Iterator[str]:
    """The first few."""
    cases = [
        *(((size,), 10) for size in SIZES),
        ((1 << 20,), 1000),
        (ROWS[1], 10),
        ((64, 65536), 50),
    ]
    for shape, k in cases:
        a = _given("float32", shape)
        x = _ours(a)
        runs = _by_each(a.numel(), lambda x=x, k=k, **how: sm.topk(x, k, **how).values)
        runs["torch"] = lambda a=a, k=k: torch.topk(a, k)[0]
        yield _row(
            f"topk {k} of {' x '.join(map(str, shape))}", a.numel(), runs, _equal, waits=False
        )


def scan() -> Iterator[str]:
    """Sums up to each."""
    for dtype in ("float32", "int32"):
        for shape in (*((size,) for size in SIZES), ROWS[1]):
            a = _given(dtype, shape)
            if dtype == "int32":
                a %= 7
            x = _ours(a)
            runs = _by_each(
                a.numel(), lambda x=x, **how: sm.cumulative_sum(x, -1, dtype=x.dtype, **how)
            )
            runs["torch"] = lambda a=a: torch.cumsum(a, -1, dtype=a.dtype)
            if cupy is not None:
                runs["CuPy"] = _with(a, lambda b: cupy.cumsum(b, -1, dtype=b.dtype))
            title = f"cumulative_sum {dtype} {' x '.join(map(str, shape))}"
            yield _row(title, a.numel(), runs, _near, waits=False)


def _joined(a: Any, b: Any) -> Any:
    return max(a, b)


def accumulate() -> Iterator[str]:
    """A user's operation; PyTorch has the same of its own."""
    for size in SIZES[:-1]:  # PyTorch takes half a second for the last
        a = _given("float32", (size,))
        x = _ours(a)
        runs = _by_each(a.numel(), lambda x=x, **how: sm.accumulate(_joined, x, **how))
        runs["torch"] = lambda a=a: torch.cummax(a, -1)[0]
        yield _row(f"accumulate {size}", size, runs, _equal, waits=False)


def find() -> Iterator[str]:
    """Places; all of them wait for how many there are."""
    for size in SIZES:
        a = _given("float32", (size,))
        x = _ours(a)
        runs: dict[str, Run] = {"ours": lambda x=x: sm.findall(lambda v: v > 1, x)}
        runs["torch"] = lambda a=a: torch.nonzero(a > 1)[:, 0]
        if cupy is not None:
            runs["CuPy"] = _with(a, lambda b: cupy.nonzero(b > 1)[0])
        yield _row(f"findall {size}", size, runs, _equal, waits=True)
        few = (a * 100).to(torch.int32)
        y = _ours(few)
        runs = {"ours": lambda y=y: sm.unique_values(y)}
        runs["torch"] = lambda few=few: torch.unique(few)
        if cupy is not None:
            runs["CuPy"] = _with(few, cupy.unique)
        yield _row(f"unique_values {size}", size, runs, _equal, waits=True)


_FIRST = """
import time; begin = time.perf_counter()
import speedmetal as sm
x = sm.ones(1 << 20, device="cuda"); sm.synchronize(); made = time.perf_counter()
{call}; sm.synchronize()
print(f"{{time.perf_counter() - made:.2f}} s, after {{made - begin:.2f}} s for the device")
"""


def first() -> Iterator[str]:
    """The first call of a process."""
    calls = {
        "sort, native": "sm.sort(x, algorithm='native')",
        "sort, vendor": "sm.sort(x, algorithm='vendor')",
        "argsort, vendor": "sm.argsort(x, algorithm='vendor')",
        "cumulative_sum, vendor": "sm.eval(sm.cumulative_sum(x, algorithm='vendor'))",
    }
    for title, call in calls.items():
        with tempfile.TemporaryDirectory() as folder:
            for which in ("an empty cache", "a full cache"):
                done = subprocess.run(
                    [sys.executable, "-c", _FIRST.format(call=call)],
                    env={**os.environ, "SPEEDMETAL_CACHE_DIR": f"{folder}/cache"},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                said = done.stdout.strip() or done.stderr.strip()[-200:]
                yield f"{title}, {which}: {said}"


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "sort": sort,
    "argsort": argsort,
    "rows": rows,
    "topk": topk,
    "scan": scan,
    "accumulate": accumulate,
    "find": find,
    "first": first,
}


def main() -> None:
    """Measure what was named, or everything."""
    print(sm.device("cuda").description, sm.device("cuda").identity)
    print("of each: microseconds of the card, of the host's clock")
    for name in sys.argv[1:] or PARTS:
        begin = time.monotonic()
        try:
            for line in PARTS[name]():
                print(line, flush=True)
                torch.cuda.empty_cache()
                sm.empty_cache()
                if cupy is not None:
                    cupy.get_default_memory_pool().free_all_blocks()
        except Exception as error:  # noqa: BLE001 - the other parts are measured all the same
            print(f"{name}: {type(error).__name__}: {error}"[:500], flush=True)
        finally:
            print(f"-- {name}: {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
