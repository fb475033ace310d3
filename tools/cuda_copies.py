"""Measure copies of NVIDIA GPUs: from the host and back, pageable and page-locked, and to another.

    python tools/cuda_copies.py [--megabytes N]

Each row is of one copy at a time, the median of `ROUNDS`: its rate until it is there, and how long
the call took, after which the host goes on. PyTorch and CuPy are measured where they are installed,
copies to another GPU where there are two.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import speedmetal as sm

ROUNDS = 15
Row = tuple[str, Callable[[], object], Callable[[], object]]
"""What it is called, what asks for the copy, what waits for it."""


def ours(count: int) -> Iterator[Row]:
    """Copies of speedmetal's."""
    plain = np.ones(count, np.float32)
    locked = sm.cuda.pinned_empty(count)
    locked[...] = 1
    x = sm.array(plain, device="cuda")
    yield "speedmetal: sm.array(pageable)", lambda: sm.array(plain, device="cuda"), sm.synchronize
    yield "speedmetal: sm.array(pinned)", lambda: sm.array(locked, device="cuda"), sm.synchronize
    yield "speedmetal: x.copy_to(pageable)", lambda: x.copy_to(plain), sm.synchronize
    yield "speedmetal: x.copy_to(pinned)", lambda: x.copy_to(locked), sm.synchronize
    cards = [device for device in sm.devices() if device.kind == "cuda"]
    if len(cards) > 1:
        y = sm.array(plain, device=cards[1])
        yield "speedmetal: x.to('cuda:1')", lambda: x.to("cuda:1"), sm.synchronize
        yield "speedmetal: y.to('cuda')", lambda: y.to("cuda"), sm.synchronize


def torchs(count: int) -> Iterator[Row]:
    """The same of PyTorch's."""
    import torch

    plain = torch.ones(count)
    locked = torch.ones(count).pin_memory()
    x = plain.cuda()
    wait = torch.cuda.synchronize
    yield "PyTorch: pageable.cuda()", plain.cuda, wait
    yield "PyTorch: pinned.cuda(non_blocking)", lambda: locked.cuda(non_blocking=True), wait
    yield "PyTorch: pageable.copy_(x)", lambda: plain.copy_(x), wait
    yield "PyTorch: pinned.copy_(x, True)", lambda: locked.copy_(x, non_blocking=True), wait
    if torch.cuda.device_count() > 1:

        def both() -> None:
            torch.cuda.synchronize(0)
            torch.cuda.synchronize(1)

        yield "PyTorch: x.to('cuda:1')", lambda: x.to("cuda:1", non_blocking=True), both


def cupys(count: int) -> Iterator[Row]:
    """The same of CuPy's."""
    import cupy
    import cupyx

    plain = np.ones(count, np.float32)
    locked = cupyx.empty_pinned(count, np.float32)
    locked[...] = 1
    x = cupy.asarray(plain)
    wait = cupy.cuda.Device().synchronize
    yield "CuPy: asarray(pageable)", lambda: cupy.asarray(plain), wait
    yield "CuPy: asarray(pinned)", lambda: cupy.asarray(locked), wait
    yield "CuPy: x.get(out=pageable)", lambda: x.get(out=plain), wait
    yield "CuPy: x.get(out=pinned)", lambda: x.get(out=locked, blocking=False), wait


def measured(row: Row) -> tuple[float, float]:
    """The medians of the seconds of a copy until it is there, and of the call."""
    _, ask, wait = row
    whole, asking = [], []
    for _ in range(ROUNDS):
        wait()
        begin = time.perf_counter()
        result: Any = ask()
        asked = time.perf_counter()
        wait()
        whole.append(time.perf_counter() - begin)
        asking.append(asked - begin)
        del result
    return statistics.median(whole), statistics.median(asking)


def overlap(count: int) -> str:
    """How long a copy and the host's own work take, and both; when the copy was done is an event's.

    The event is asked right after the call, and waited for behind the work.
    """
    device: Any = sm.device("cuda")
    locked = sm.cuda.pinned_empty(count)
    locked[...] = 1
    copy_seconds, _ = measured(("", lambda: sm.array(locked, device="cuda"), sm.synchronize))

    def work() -> None:
        end = time.perf_counter() + copy_seconds
        while time.perf_counter() < end:
            """As long as the copy."""

    both, is_done_at_once = [], []
    for _ in range(ROUNDS):
        sm.synchronize()
        begin = time.perf_counter()
        copied = sm.array(locked, device="cuda")
        event = device.new_event()
        reached = event.signal(device.stream)
        is_done_at_once.append(event.value() >= reached)
        work()
        event.wait_on_host(10)
        both.append(time.perf_counter() - begin)
        del copied
    return (
        f"  a pinned copy takes {copy_seconds * 1e3:.2f} ms; with as much of the host's own work"
        f" {statistics.median(both) * 1e3:.2f} ms; right after the call it was done in"
        f" {sum(is_done_at_once)} of {ROUNDS} rounds"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, nargs="*", default=[1, 256])
    for megabytes in parser.parse_args().megabytes:
        count = (megabytes << 20) // 4
        print(f"{megabytes} MiB: {'GB/s':>37} {'us of the call':>15}")
        print(overlap(count))
        for rows in (ours, torchs, cupys):
            with contextlib.suppress(ImportError):
                for row in rows(count):
                    whole, asking = measured(row)
                    print(f"  {row[0]:38} {count * 4 / whole / 1e9:6.1f} {asking * 1e6:15.1f}")


if __name__ == "__main__":
    main()
