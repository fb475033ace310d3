"""What first calls of kernels take, in this process and in fresh ones, beside other libraries.

    python tools/first_calls.py

Every call is of a kernel that this process has not called before, and is waited for. Its arrays are
there, and another kernel has run. Caches on disk are in a folder that begins empty: a kernel is
called cold, then again as a new object that finds its code on disk, then in a fresh process.
Of ours, what NVRTC needs for itself is told apart.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KERNELS = 9
SIZE = 1 << 16
CACHES = ("SPEEDMETAL_CACHE_DIR", "CUPY_CACHE_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
OLDER = 1000
"""Number of the kernel that has run before."""

Call = Callable[[], object]


@dataclass
class Library:
    """How kernels are called.

    Args:
        kernel: A new kernel object for a number, which its code contains; called, it launches.
        wait: Until all is done.
        compiler_seconds: What NVIDIA's compiler has taken so far, where it is told.
    """

    kernel: Callable[[int], Call]
    wait: Call
    compiler_seconds: Callable[[], float] | None = None

    def first_call(self, number: int) -> dict[str, float]:
        """Milliseconds of a first call."""
        told = self.compiler_seconds
        before = told() if told else 0.0
        begin = time.perf_counter()
        self.kernel(number)()
        self.wait()
        found = {"all": (time.perf_counter() - begin) * 1e3}
        if told:
            found["NVRTC"] = (told() - before) * 1e3
            found["besides"] = found["all"] - found["NVRTC"]
        return found


# --- Libraries -----------------------------------------------------------------------------------


def _nvrtc_clock() -> Callable[[], float]:
    """What tells the seconds that have been spent inside NVRTC."""
    from speedmetal.backends.cuda.driver import build

    compile_cubin, spent = build.compile_cubin, [0.0]

    def timed(text: str, architecture: str) -> bytes:
        begin = time.perf_counter()
        try:
            return compile_cubin(text, architecture)
        finally:
            spent[0] += time.perf_counter() - begin

    build.compile_cubin = timed
    return lambda: spent[0]


def speedmetal_elementwise() -> Library:
    """``c = number * a * a + exp(sin(b))``."""
    import speedmetal as sm

    a, b, c = (sm.ones(SIZE, device="cuda") for _ in range(3))

    def kernel(number: int) -> Call:
        @sm.kernel
        def scaled(a: Any, b: Any, c: Any) -> None:
            i = sm.thread_position_in_grid().x
            c[i] = number * a[i] * a[i] + sm.exp(sm.sin(b[i]))

        return lambda: scaled(a, b, c, grid=SIZE)

    return Library(kernel, sm.synchronize, _nvrtc_clock())


def speedmetal_tiles() -> Library:
    """Running totals of ``number * x``: threadgroup memory, barriers, simdgroups, loops."""
    import speedmetal as sm

    x, y = (sm.ones(SIZE, device="cuda") for _ in range(2))

    def kernel(number: int) -> Call:
        @sm.kernel
        def scanned(x: Any, y: Any) -> None:
            parts = sm.threadgroup_array(8, x.dtype)
            lane, simdgroup = sm.thread_index_in_simdgroup(), sm.simdgroup_index_in_threadgroup()
            group = sm.threadgroup_position_in_grid().x
            total = x.dtype(0)
            start = group * 4096 + simdgroup * 512
            for first in range(start, min(start + 512, x.size), 32):
                value = number * x[first + lane] if first + lane < x.size else 0
                value = total + sm.simd_prefix_inclusive_sum(value)
                total = sm.simd_shuffle(value, 31)
                y[first + lane] = value
            if lane == 0:
                parts[simdgroup] = total
            sm.threadgroup_barrier()
            for other in range(simdgroup):
                y[start + lane] += parts[other]

        return lambda: scanned(x, y, groups=SIZE // 4096, threads=256)

    return Library(kernel, sm.synchronize, _nvrtc_clock())


def cupy_raw_kernel() -> Library:
    """The elementwise kernel."""
    import cupy

    a, b, c = (cupy.ones(SIZE, dtype="f4") for _ in range(3))
    source = """extern "C" __global__ void scaled(const float* a, const float* b, float* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = NUMBER * a[i] * a[i] + expf(sinf(b[i]));
}"""

    def kernel(number: int) -> Call:
        made = cupy.RawKernel(source.replace("NUMBER", f"{number}.0f"), "scaled")
        return lambda: made((SIZE // 256,), (256,), (a, b, c, cupy.int32(SIZE)))

    return Library(kernel, cupy.cuda.Device().synchronize)


def numba_jit() -> Library:
    """The elementwise kernel; it keeps no code on disk for functions made inside others."""
    import math

    import numpy as np

    if not hasattr(np, "row_stack"):  # gone from NumPy 2.5; Numba 0.65 asks for it by name
        np.row_stack = np.vstack  # noqa: NPY201
    from numba import cuda

    a, b, c = (cuda.to_device(np.ones(SIZE, "f4")) for _ in range(3))

    def kernel(number: int) -> Call:
        factor = np.float32(number)

        @cuda.jit
        def scaled(a: Any, b: Any, c: Any) -> None:
            i = cuda.grid(1)
            if i < c.size:
                c[i] = factor * a[i] * a[i] + math.exp(math.sin(b[i]))

        return lambda: scaled[SIZE // 256, 256](a, b, c)

    return Library(kernel, cuda.synchronize)


def triton_jit() -> Library:
    """The elementwise kernel."""
    import torch
    from triton_scaled import scaled

    a, b, c = (torch.ones(SIZE, device="cuda") for _ in range(3))

    def kernel(number: int) -> Call:
        return lambda: scaled[(SIZE // 1024,)](a, b, c, SIZE, number, 1024)

    return Library(kernel, torch.cuda.synchronize)


def torch_compile() -> Library:
    """The elementwise expression."""
    import torch

    a, b = (torch.ones(SIZE, device="cuda") for _ in range(2))

    def kernel(number: int) -> Call:
        made = torch.compile(lambda a, b: number * a * a + torch.exp(torch.sin(b)))
        return lambda: made(a, b)

    return Library(kernel, torch.cuda.synchronize)


LIBRARIES: dict[str, Callable[[], Library]] = {
    "speedmetal, elementwise": speedmetal_elementwise,
    "speedmetal, running totals": speedmetal_tiles,
    "CuPy RawKernel": cupy_raw_kernel,
    "numba-cuda": numba_jit,
    "Triton": triton_jit,
    "torch.compile": torch_compile,
}
FEW = {"torch.compile": 2}
"""How many kernels of a library whose first calls take seconds."""


# --- Processes -----------------------------------------------------------------------------------


def _child(name: str, role: str) -> None:
    """In a process of its own: kernels cold and from disk, or one from disk."""
    library, found = LIBRARIES[name](), {}
    library.first_call(OLDER)
    numbers = range(FEW.get(name, KERNELS))
    if role == "warm":
        found["cold"] = [library.first_call(number) for number in numbers]
        found["disk"] = [library.first_call(number) for number in numbers]
    else:
        found["fresh"] = [library.first_call(0)]
    print(json.dumps(found))


def _asked(name: str, role: str, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, __file__, name, role]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def first() -> Iterator[str]:
    """Milliseconds of first calls: cold, from disk in a warm process, from disk in a fresh one."""
    yield f"{'first calls, ms':34}{'':18}{'median':>10}{'best':>10}"
    for name in LIBRARIES:
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, **{key: f"{folder}/{key}" for key in CACHES}}
            try:
                found = _asked(name, "warm", environment) | _asked(name, "fresh", environment)
            except (RuntimeError, ValueError, IndexError) as error:
                yield f"{name}: {error}"
                continue
            for role, calls in found.items():
                for part in calls[0]:
                    times = [call[part] for call in calls]
                    title = f"{name:34}{f'{role}: {part}':18}"
                    yield f"{title}{statistics.median(times):>10.2f}{min(times):>10.2f}"


def main() -> None:
    """Measure all, or what a process of the measurement was asked for."""
    sys.path.insert(0, str(Path(__file__).parent))
    if sys.argv[1:]:
        _child(*sys.argv[1:])
        return
    for line in first():
        print(line, flush=True)


if __name__ == "__main__":
    main()
