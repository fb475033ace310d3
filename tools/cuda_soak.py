"""Ask an NVIDIA GPU for a million things, and see whether memory stays what it was.

    python tools/cuda_soak.py [--asks N] [--device cuda:1]

Kernels, expressions of arrays, copies in both directions (of page-locked memory too), reports of
kernels, graphs that are captured, replayed and let go; arrays of changing sizes are made and freed
all the while. A launch, an expression, a copy count as one, a replay as many as its graph has
launches. There are ten readings; the exit status is 1 where the host's memory, or the GPU's that
arrays have or had, is more at the last one than at the first by more than `GROWTH_BYTES`. What the
driver has for the process on the GPU, code and graphs with it, counts as well where nvidia-smi
tells of it.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import speedmetal as sm

ASKS = 1_000_000
READINGS = 10
GROWTH_BYTES = 8 << 20
LAUNCHES_OF_A_GRAPH = 20
SIZES = 50
CYCLES_OF_A_GRAPH = 25
"""A graph is replayed in so many cycles, then another is captured."""


@sm.kernel
def add(a: Any, b: Any, c: Any) -> None:
    """The sum of two arrays."""
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


@sm.kernel
def checked(a: Any) -> None:
    """A kernel with a mailbox."""
    i = sm.thread_position_in_grid().x
    assert a[i] >= 0, "never"


class Load:
    """What is asked of the GPU, in cycles.

    Args:
        device: Which.
    """

    def __init__(self, device: Any) -> None:
        self.device = device
        self.a, self.b, self.c = (sm.ones(1024, device=device) for _ in range(3))
        self.host = sm.cuda.pinned_empty(4096, device=device)
        self.host[...] = 1
        self.graph = self._captured()

    def _captured(self) -> Any:
        with sm.capture(self.device) as graph:
            for _ in range(LAUNCHES_OF_A_GRAPH):
                add(self.a, self.b, self.c, grid=1024)
        return graph

    def cycle(self, number: int) -> int:
        """Ask for many things; how many."""
        for _ in range(60):
            add(self.a, self.b, self.c, grid=1024)
        size = 1000 + number % SIZES * 97
        for _ in range(8):
            x = sm.arange(size, dtype=sm.float32, device=self.device)
            sm.eval(x * 2 + 1, (x * x).sum())
        y = sm.array(np.ones(size, np.float32), device=self.device)
        z = sm.array(self.host, device=self.device)
        z[: size % 4096] = y[: size % 4096]
        z.copy_to(self.host)
        checked(z, grid=4096)
        assert y.numpy().sum() == size
        if number % CYCLES_OF_A_GRAPH == 0:
            self.graph = self._captured()
        self.graph.replay()
        return 60 + 8 * 3 + 6 + len(self.graph)


def readings(load: Load, asks: int) -> Iterator[tuple[int, float, int, int, int]]:
    """After each tenth: things asked for, seconds; bytes of the host, of arrays, of the GPU."""
    begin = time.monotonic()
    done = number = 0
    for reading in range(1, READINGS + 1):
        while done < asks * reading // READINGS:
            done += load.cycle(number)
            number += 1
        load.device.synchronize()
        gc.collect()
        held = load.device.pool.held()
        own = held.bytes_in_use + held.bytes_cached
        yield done, time.monotonic() - begin, resident_bytes(), own, driver_bytes()


def resident_bytes() -> int:
    """Of this process in the host's memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def driver_bytes() -> int:
    """Of this process on the GPU, to a MiB; 0 where nvidia-smi does not tell."""
    question = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader"]
    try:
        said = subprocess.run(question, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    lines = [line.split(",") for line in said.stdout.splitlines()]
    own = (line[1].split()[0] for line in lines if line[0] == str(os.getpid()))
    return sum(int(size) for size in own if size.isdigit()) << 20


def main() -> int:
    """Run, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--asks", type=int, default=ASKS)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    device: Any = sm.device(options.device)
    print(f"{device.description}: launches, expressions, copies, replays")
    print(f"{'asked':>9} {'seconds':>8} {'host, MiB':>10} {'arrays, KiB':>12} {'GPU, MiB':>9}")
    load = Load(device)
    found = []
    for asked, seconds, host, own, gpu in readings(load, options.asks):
        found.append((host, own, gpu))
        sizes = f"{host / 2**20:10.1f} {own / 2**10:12.1f} {gpu / 2**20:9.1f}"
        print(f"{asked:9} {seconds:8.1f} {sizes}", flush=True)
    growth = [last - first for first, last in zip(found[0], found[-1], strict=True)]
    host, own, gpu = growth
    print(f"from the first reading to the last: host {host:+} bytes, arrays {own:+}, GPU {gpu:+}")
    return int(max(growth) > GROWTH_BYTES)


if __name__ == "__main__":
    sys.exit(main())
