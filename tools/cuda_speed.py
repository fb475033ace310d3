"""Measure the CUDA backend on the NVIDIA GPU of this machine, beside other libraries.

    python tools/cuda_speed.py [host] [elementwise] [graph] [products] [first]

What each part times is said in its function. All figures of a run come from one process, one round
of each candidate after the other; printed are the median round and the best. It needs PyTorch for
the copy and the peers; ``cuda.core`` and CuPy are measured where they are installed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import first_calls

import speedmetal as sm

ROUNDS = 30
LAUNCHES = 200  # of a round: fewer than the driver queues without waiting
ELEMENTS = 1 << 27
REPEATS = 10  # of a round, one behind the other, so that the way to the card does not count

Candidates = dict[str, Callable[[], object]]


@sm.kernel
def add(a: Any, b: Any, c: Any) -> None:
    """The sum of two arrays."""
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


@sm.kernel
def yardstick(a: Any, b: Any, c: Any) -> None:
    """Two loads, one store, and some mathematics."""
    i = sm.thread_position_in_grid().x
    c[i] = a[i] * a[i] + sm.exp(sm.sin(b[i]))


# --- The host's time of a launch -----------------------------------------------------------------


def host() -> Iterator[str]:
    """Microseconds of the host for one launch among ``LAUNCHES`` that are not waited for."""
    import torch

    a, b, c = (sm.ones(1024, device="cuda") for _ in range(3))
    x, y, z = (torch.ones(1024, device="cuda") for _ in range(3))
    candidates: Candidates = {
        "speedmetal": lambda: add(a, b, c, grid=1024),
        "torch.add(out=)": lambda: torch.add(x, y, out=z),
        **_cuda_core(a, b, c),
        **_cupy(),
    }
    rounds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, launch in candidates.items():
            launch()
            torch.cuda.synchronize()
            begin = time.perf_counter()
            for _ in range(LAUNCHES):
                launch()
            rounds[name].append((time.perf_counter() - begin) / LAUNCHES * 1e6)
            sm.synchronize()
    yield f"{'host, one launch of three arrays':48}{'median':>10}{'best':>10}"
    for name, times in rounds.items():
        yield f"{name:48}{statistics.median(times):>7.2f} us{min(times):>7.2f} us"


_SOURCE = """extern "C" __global__ void add(const float* a, const float* b, float* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}"""


def _cuda_core(*arrays: Any) -> Candidates:
    try:
        import numpy as np
        from cuda.core import Device, LaunchConfig, Program, ProgramOptions, launch
    except ImportError:
        return {}
    device = Device()
    device.set_current()
    stream = device.create_stream()
    options = ProgramOptions(arch=sm.device("cuda").architecture)  # type: ignore[attr-defined]
    kernel = Program(_SOURCE, "c++", options).compile("cubin").get_kernel("add")
    config = LaunchConfig(grid=4, block=256)
    addresses, count = [array.address for array in arrays], np.int32(1024)
    return {"cuda.core, addresses": lambda: launch(stream, config, kernel, *addresses, count)}


def _cupy() -> Candidates:
    try:
        import cupy
    except ImportError:
        return {}
    kernel = cupy.RawKernel(_SOURCE, "add")
    a, b, c = (cupy.ones(1024, dtype="f4") for _ in range(3))
    arguments = (a, b, c, cupy.int32(1024))
    return {"CuPy RawKernel": lambda: kernel((4,), (256,), arguments)}


# --- Bytes a second ------------------------------------------------------------------------------


def elementwise() -> Iterator[str]:
    """Bytes a second of ``a * a + exp(sin(b))`` on ``ELEMENTS`` float32, by events of the card."""
    import torch

    b = torch.rand(ELEMENTS, device="cuda") * 6 - 3
    a, c = torch.rand_like(b), torch.empty_like(b)
    x, y, z = (sm.array(t.cpu().numpy(), device="cuda") for t in (a, b, c))
    compiled = torch.compile(lambda a, b: a * a + torch.exp(torch.sin(b)))
    peers: dict[str, tuple[int, Callable[[], object]]] = {
        "torch copy": (2, lambda: c.copy_(a)),
        "torch.compile": (3, lambda: compiled(a, b)),
        "torch eager": (3, lambda: a * a + torch.exp(torch.sin(b))),
    }
    ours: dict[str, tuple[int, Callable[[], object]]] = {
        "speedmetal kernel": (3, lambda: yardstick(x, y, z, grid=ELEMENTS)),
        **{
            f"speedmetal kernel, threads={threads}": (3, _with_threads(x, y, z, threads))
            for threads in (128, 256, 512, 1024)
        },
        "speedmetal kernel, views that begin at 4 bytes": (
            *(3, lambda: yardstick(x[1:], y[1:], z[1:], grid=ELEMENTS - 1)),
        ),
        "speedmetal kernel, views that go backwards": (
            *(3, lambda: yardstick(x[::-1], y[::-1], z[::-1], grid=ELEMENTS)),
        ),
        "speedmetal arrays": (3, lambda: sm.eval(x * x + sm.exp(sm.sin(y)))),
    }
    rounds: dict[str, list[float]] = {name: [] for name in (*peers, *ours)}
    for _ in range(ROUNDS):
        for name, (arrays, run) in peers.items():
            rounds[name].append(arrays * ELEMENTS * 4 / torch_seconds(run) / 1e9)
        for name, (arrays, run) in ours.items():
            rounds[name].append(arrays * ELEMENTS * 4 / our_seconds(run) / 1e9)
    head = "a * a + exp(sin(b)), 2**27 float32, GB/s"
    yield f"{head:48}{'median':>10}{'best':>10}{'of copy':>10}"
    copy = statistics.median(rounds["torch copy"])
    for name, rates in rounds.items():
        median = statistics.median(rates)
        yield f"{name:48}{median:>10.0f}{max(rates):>10.0f}{median / copy:>10.1%}"


def _with_threads(x: Any, y: Any, z: Any, threads: int) -> Callable[[], object]:
    return lambda: yardstick(x, y, z, grid=ELEMENTS, threads=threads)


def torch_seconds(run: Callable[[], object]) -> float:
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    run()
    torch.cuda.synchronize()
    begin.record()
    for _ in range(REPEATS):
        run()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000 / REPEATS


def our_seconds(run: Callable[[], object]) -> float:
    run()
    sm.synchronize()
    with sm.profile.gpu_time("cuda") as measured:
        for _ in range(REPEATS):
            run()
    return measured.seconds / REPEATS


# --- Graphs --------------------------------------------------------------------------------------


def graph() -> Iterator[str]:
    """Microseconds for each launch of a graph, of some replays that are waited for together."""
    import torch

    a, b, c = (sm.ones(1024, device="cuda") for _ in range(3))
    x, y, z = (torch.ones(1024, device="cuda") for _ in range(3))
    yield f"{'graph, 10 replays, for each launch':48}{'median':>10}{'best':>10}"
    for count in (20, 100, 1000):
        with sm.capture("cuda") as ours:
            for _ in range(count):
                add(a, b, c, grid=1024)
        theirs = torch.cuda.CUDAGraph()
        with torch.cuda.graph(theirs):
            for _ in range(count):
                torch.add(x, y, out=z)
        candidates: Candidates = {"speedmetal": ours.replay, "torch": theirs.replay}
        rounds: dict[str, list[float]] = {name: [] for name in candidates}
        for _ in range(ROUNDS):
            for name, replay in candidates.items():
                begin = time.perf_counter()
                for _ in range(REPEATS):
                    replay()
                sm.synchronize() if name == "speedmetal" else torch.cuda.synchronize()
                rounds[name].append((time.perf_counter() - begin) / count / REPEATS * 1e6)
        for name, times in rounds.items():
            title = f"{name}, {count} launches"
            yield f"{title:48}{statistics.median(times):>7.3f} us{min(times):>7.3f} us"


# --- Products ------------------------------------------------------------------------------------

SIZE = 4096
_IEEE, _TF32 = "ieee", "tf32"


def products() -> Iterator[str]:
    """TFLOP/s of the kernels of ``examples/fast_matmul.py`` beside ``torch.matmul`` (cuBLAS).

    Of ``SIZE`` squared, by events of the card. The result is held against the product in float64:
    the largest error is stated in units of the sum of magnitudes.
    """
    import torch

    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
    import fast_matmul

    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    matrices, registers = fast_matmul.product_by_matrices, fast_matmul.product_by_registers
    kinds = [
        (torch.bfloat16, sm.bfloat16, _IEEE, matrices, fast_matmul.LARGE_TILES[matrices]),
        (torch.float16, sm.float16, _IEEE, matrices, fast_matmul.LARGE_TILES[matrices]),
        (torch.float32, sm.float32, _IEEE, registers, fast_matmul.LARGE_TILES[registers]),
        (torch.float32, sm.float32, _TF32, matrices, fast_matmul.Tiles(128, 256, 32, 3, 64, 64)),
    ]
    head = f"products of {SIZE} x {SIZE}, TFLOP/s"
    yield f"{head:48}{'median':>10}{'best':>10}{'of torch':>10}{'error':>10}"
    for theirs, ours, precision, make, tiles in kinds:
        torch.backends.cuda.matmul.allow_tf32 = precision == _TF32
        x, y = (torch.randn(SIZE, SIZE, device="cuda").to(theirs) for _ in range(2))
        a, b = (sm.array(t.float().cpu().numpy(), device="cuda").astype(ours) for t in (x, y))
        c = sm.full((SIZE, SIZE), float("nan"), device="cuda")
        threads = tiles.workers * (1 if make is registers else 32)
        options = {"groups": (SIZE // tiles.columns, SIZE // tiles.rows), "threads": threads}
        kernel, z = make(tiles), torch.empty_like(x)
        peer = partial(torch.matmul, x, y, out=z)
        with sm.math_mode(_TF32 if precision == _TF32 else "safe"):
            run = partial(kernel, a, b, c, **options)
            rounds = [(torch_seconds(peer), our_seconds(run)) for _ in range(ROUNDS)]
        exact, sizes = x.double() @ y.double(), x.double().abs() @ y.double().abs()
        results = {"torch.matmul": z, make.__name__: torch.from_dlpack(c)}
        base = statistics.median(seconds for seconds, _ in rounds)
        for number, (name, result) in enumerate(results.items()):
            times = [seconds[number] for seconds in rounds]
            median = statistics.median(times)
            error = ((result.double() - exact).abs() / sizes).max().item()
            rates = (2 * SIZE**3 / t / 1e12 for t in (median, min(times)))
            title = f"{ours.name}, {precision}: {name}"
            numbers = "".join(f"{rate:>10.1f}" for rate in rates)
            yield f"{title:48}{numbers}{base / median:>10.1%}{error:>10.1e}"


PARTS = {
    "host": host,
    "elementwise": elementwise,
    "graph": graph,
    "products": products,
    "first": first_calls.first,
}


def main() -> None:
    """Measure what was named, or everything."""
    print(sm.device("cuda").description, sm.device("cuda").identity)
    for name in sys.argv[1:] or PARTS:
        for line in PARTS[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
