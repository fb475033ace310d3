"""What the exchange with PyTorch and CuPy takes of the host, in microseconds, on one NVIDIA GPU.

Prints a table for docs/nvidia-speed.md: `python tools/cuda_exchange_speed.py`. Medians of rounds,
each the mean of 200 calls that nobody waits for; the GPU is idle before each round.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cupy
import torch

import speedmetal as sm

ROUNDS, CALLS = 30, 200
COUNT = 1024


@sm.kernel
def add(a: Any, b: Any, c: Any) -> None:
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


def microseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    """Of the host, for one call."""
    for _ in range(20):
        call()
    rounds = []
    for _ in range(ROUNDS):
        sm.synchronize()
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(calls):
            call()
        rounds.append((time.perf_counter() - began) / calls * 1e6)
    return statistics.median(rounds)


def measured() -> list[tuple[str, float]]:
    """What is measured, and how long it takes."""
    ours = [sm.ones(COUNT, device="cuda") for _ in range(3)]
    tensors = [torch.ones(COUNT, device="cuda") for _ in range(3)]
    theirs = [cupy.ones(COUNT, cupy.float32) for _ in range(3)]
    found = []

    def row(what: str, call: Callable[[], object]) -> None:
        found.append((what, microseconds(call)))

    def in_their_stream(what: str, call: Callable[[], object], stream: object) -> None:
        with sm.cuda.stream(stream):
            row(what, call)

    row("`sm.asarray` of a tensor of PyTorch", lambda: sm.asarray(tensors[0]))
    row("`sm.asarray` of an array of CuPy", lambda: sm.asarray(theirs[0]))
    row("`torch.from_dlpack` of ours", lambda: torch.from_dlpack(ours[0]))
    row("`cupy.from_dlpack` of ours", lambda: cupy.from_dlpack(ours[0]))
    row("`cupy.from_dlpack` of a tensor of PyTorch", lambda: cupy.from_dlpack(tensors[0]))
    row("a launch of three arrays of ours", lambda: add(*ours, grid=COUNT))
    row("of three tensors of PyTorch", lambda: add(*tensors, grid=COUNT))
    row("of three arrays of CuPy", lambda: add(*theirs, grid=COUNT))
    row("PyTorch: `torch.add(x, y, out=z)`", lambda: torch.add(*tensors[:2], out=tensors[2]))

    def entered() -> None:
        with sm.cuda.stream(torch.cuda.current_stream()):
            add(*ours, grid=COUNT)

    row("`with sm.cuda.stream(torch.cuda.current_stream()):` around a launch of ours", entered)
    for name, stream in (
        ("default stream", torch.cuda.current_stream()),
        ("other stream", torch.cuda.Stream()),
    ):
        with torch.cuda.stream(stream):
            for what, call in (
                ("a launch of three arrays of ours", lambda: add(*ours, grid=COUNT)),
                ("of three tensors of PyTorch", lambda: add(*tensors, grid=COUNT)),
                ("`sm.asarray` of a tensor of PyTorch", lambda: sm.asarray(tensors[0])),
                ("`torch.from_dlpack` of ours", lambda: torch.from_dlpack(ours[0])),
            ):
                in_their_stream(f"inside the block of PyTorch's {name}: {what}", call, stream)
    return found


def main() -> None:
    lines = [
        f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}, CuPy {cupy.__version__}"
    ]
    lines += ["| | us |", "| --- | --- |"]
    lines += [f"| {what} | {value:.1f} |" for what, value in measured()]
    text = "\n".join(lines)
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text + "\n")


if __name__ == "__main__":
    main()
