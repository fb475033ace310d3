"""Measure products, transforms and decompositions on the NVIDIA GPU of this machine.

    python tools/cuda_library_speed.py [products] [followers] [host] [transforms] [matrices]

Beside PyTorch and CuPy, where these are installed. All figures of a run come from one process, one
round of each candidate after the other; printed are median rounds. Products and transforms are
timed by the card: a graph of ``REPEATS`` in a row, ours and PyTorch's; CuPy's between two events,
where what the host needs for each counts as well. Decompositions, in which libraries wait for the
card themselves, are timed by the host's clock until they are done. Each result is compared with the
same in double precision by PyTorch first: ``norm(found - expected) / norm(expected)``.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from cuda_speed import REPEATS, our_seconds, torch_seconds

import speedmetal as sm
from speedmetal.arrays.algebra.products import matmul

ROUNDS = 9
FEW_ROUNDS = 3
LAUNCHES = 200
NATIVE_UP_TO = 1 << 33
"""Multiplications up to which our own kernel is timed as well: it takes long."""

Run = Callable[[], Any]


def _torch() -> Any:
    import torch

    return torch


def _cupy() -> Any:
    try:
        import cupy
    except ImportError:
        return None
    return cupy


def _ours(tensor: Any) -> Any:
    """A tensor's elements as an array of ours."""
    torch = _torch()
    if tensor.dtype == torch.bfloat16:
        return sm.array(tensor.float().cpu().numpy(), device="cuda").astype(sm.bfloat16)
    return sm.array(tensor.cpu().numpy(), device="cuda")


def _theirs(array: Any) -> Any:
    """The elements of an array of anybody's as a tensor in double precision."""
    torch = _torch()
    if isinstance(array, sm.Array):
        if array.dtype == sm.bfloat16:
            array = array.astype(sm.float32)
        array = torch.from_numpy(array.numpy()).cuda()
    elif not isinstance(array, torch.Tensor):
        array = torch.from_dlpack(array)
    return array.to(torch.complex128 if array.is_complex() else torch.float64)


def _error(found: Any, expected: Any) -> float:
    difference = _theirs(found) - expected
    return float(difference.norm() / expected.norm())


def _cupy_seconds(run: Run) -> float:
    cupy = _cupy()
    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    run()
    cupy.cuda.get_current_stream().synchronize()
    begin.record()
    for _ in range(REPEATS):
        run()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(begin, end)) / 1000 / REPEATS


def _timed(name: str, run: Run) -> Callable[[], float]:
    """What times a candidate, for one run of it."""
    if name == "CuPy":
        return lambda: _cupy_seconds(run)
    if name == "torch":
        torch = _torch()
        theirs = torch.cuda.CUDAGraph()
        with torch.cuda.graph(theirs):
            for _ in range(REPEATS):
                run()
        return lambda: torch_seconds(theirs.replay) / REPEATS
    with sm.capture("cuda") as ours:
        for _ in range(REPEATS):
            sm.eval(run())
    return lambda: our_seconds(ours.replay) / REPEATS


def _row(title: str, runs: dict[str, Run], expected: Any, rounds: int = ROUNDS) -> str:
    errors = {name: _error(run(), expected) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    timed = {name: _timed(name, run) for name, run in runs.items()}
    for _ in range(rounds):
        for name, seconds in timed.items():
            times[name].append(seconds())
    return _printed(title, times, errors)


def _printed(title: str, times: dict[str, list[float]], errors: dict[str, float]) -> str:
    parts = [
        f"{name} {statistics.median(found) * 1e6:10.1f} us ({errors[name]:.0e})"
        for name, found in times.items()
    ]
    return f"{title:34}" + "  ".join(parts)


# --- Products ------------------------------------------------------------------------------------

SIZES: list[tuple[str, int, tuple[int, int, int]]] = [
    ("float32", 1, (64, 64, 64)),
    ("float32", 1, (256, 256, 256)),
    ("float32", 1, (512, 512, 512)),
    ("float32", 1, (1024, 1024, 1024)),
    ("float32", 1, (4096, 4096, 4096)),
    ("float32", 1, (8192, 8192, 1)),
    ("float32", 1, (16, 4096, 4096)),
    ("float32", 256, (128, 128, 128)),
    ("float64", 1, (4096, 4096, 4096)),
    ("complex64", 1, (2048, 2048, 2048)),
    ("float16", 1, (1024, 1024, 1024)),
    ("float16", 1, (8192, 8192, 8192)),
    ("bfloat16", 1, (8192, 8192, 8192)),
    ("bfloat16", 64, (512, 512, 512)),
]
"""dtype, matrices, then rows, inner and columns."""


def products() -> Iterator[str]:
    """Microseconds of the card for a product."""
    torch, cupy = _torch(), _cupy()
    for name, stack, (rows, inner, columns) in SIZES:
        dtype = getattr(torch, name)
        shape = (stack,) if stack > 1 else ()
        a = torch.randn((*shape, rows, inner), device="cuda", dtype=dtype)
        b = torch.randn((*shape, inner, columns), device="cuda", dtype=dtype)
        x, y = _ours(a), _ours(b)
        runs: dict[str, Run] = {"ours": _product(x, y, "vendor"), "torch": _product_of(torch, a, b)}
        if cupy is not None and name != "bfloat16":
            p, q = cupy.from_dlpack(a), cupy.from_dlpack(b)
            runs["CuPy"] = _product_of(cupy, p, q)
        if stack * rows * inner * columns <= NATIVE_UP_TO:
            runs["native"] = _product(x, y, "native")
        title = f"{name} {'' if stack == 1 else f'{stack} x '}{rows} x {inner} x {columns}"
        yield _row(title, runs, _theirs(a) @ _theirs(b))


def _product(x: Any, y: Any, algorithm: str) -> Run:
    return lambda: matmul(x, y, algorithm=algorithm)


def _product_of(library: Any, a: Any, b: Any) -> Run:
    return lambda: library.matmul(a, b)


def followers() -> Iterator[str]:
    """Microseconds of the card for ``maximum(x @ w + b, 0)``."""
    torch = _torch()
    fused = torch.compile(lambda x, w, b: torch.relu(torch.addmm(b, x, w)))
    for name, side in (("float32", 256), ("float32", 1024), ("float16", 1024), ("float16", 4096)):
        dtype = getattr(torch, name)
        x, w = (torch.randn((side, side), device="cuda", dtype=dtype) for _ in range(2))
        bias = torch.randn(side, device="cuda", dtype=dtype)
        a, b, c = _ours(x), _ours(w), _ours(bias)
        expected = torch.relu(_theirs(x) @ _theirs(w) + _theirs(bias))
        runs: dict[str, Run] = {
            "ours": lambda a=a, b=b, c=c: sm.maximum(a @ b + c, 0),
            "torch": lambda x=x, w=w, bias=bias: torch.relu(torch.addmm(bias, x, w)),
        }
        compiled = torch_seconds(lambda x=x, w=w, bias=bias: fused(x, w, bias))
        alone = _timed("native", lambda a=a, b=b: matmul(a, b, algorithm="native"))()
        yield (
            f"{_row(f'relu(x @ w + b) {name} {side}', runs, expected)}  torch.compile"
            f" {compiled * 1e6:.1f} us, our kernel's product alone {alone * 1e6:.1f} us"
        )


def host() -> Iterator[str]:
    """Microseconds of the host for one small product among some that are not waited for."""
    torch, cupy = _torch(), _cupy()
    a, b = (torch.randn((64, 64), device="cuda") for _ in range(2))
    x, y = _ours(a), _ours(b)
    runs: dict[str, Run] = {
        "ours, 64 x 64": lambda: sm.eval(x @ y),
        "torch": lambda: torch.matmul(a, b),
    }
    if cupy is not None:
        p, q = cupy.from_dlpack(a), cupy.from_dlpack(b)
        runs["CuPy"] = lambda: cupy.matmul(p, q)
    t = torch.randn(1024, device="cuda", dtype=torch.complex64)
    z = _ours(t)
    runs["ours, fft of 1024"] = lambda: sm.eval(sm.fft.fft(z))
    runs["torch, fft"] = lambda: torch.fft.fft(t)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            run()
            sm.synchronize()
            torch.cuda.synchronize()
            begin = time.perf_counter()
            for _ in range(LAUNCHES):
                run()
            times[name].append((time.perf_counter() - begin) / LAUNCHES)
            sm.synchronize()
            torch.cuda.synchronize()
    for name, found in times.items():
        yield f"host, {name:30}{statistics.median(found) * 1e6:8.1f} us"


# --- Transforms ----------------------------------------------------------------------------------


def transforms() -> Iterator[str]:
    """Microseconds of the card for a Fourier transform."""
    torch, cupy = _torch(), _cupy()
    cases: list[tuple[str, str, str, tuple[int, ...], dict[str, Any]]] = [
        ("fft, 2**24", "fft", "complex64", (1 << 24,), {}),
        ("fft, 4096 rows of 4096", "fft", "complex64", (4096, 4096), {}),
        ("ifft, 4096 rows of 4096", "ifft", "complex64", (4096, 4096), {}),
        ("fft, 4096 columns of 4096", "fft", "complex64", (4096, 4096), {"axis": 0}),
        ("fft, 65536 rows of 100", "fft", "complex64", (65536, 100), {}),
        ("fft2, 4096 x 4096", "fftn", "complex64", (4096, 4096), {}),
        ("fftn, 256 x 256 x 256", "fftn", "complex64", (256, 256, 256), {}),
        ("rfft, 4096 rows of 4096", "rfft", "float32", (4096, 4096), {}),
        ("irfft, 4096 rows of 4096", "irfft", "complex64", (4096, 2049), {}),
        ("fft, complex128, 2048 x 2048", "fft", "complex128", (2048, 2048), {}),
    ]
    for title, name, dtype, shape, options in cases:
        a = torch.randn(shape, device="cuda", dtype=getattr(torch, dtype))
        if name == "irfft":
            a[..., 0].imag.zero_()
            a[..., -1].imag.zero_()
        x = _ours(a)
        dims = {"dim": options["axis"]} if options else {}
        runs: dict[str, Run] = {
            "ours": _called(getattr(sm.fft, name), x, options),
            "torch": _called(getattr(torch.fft, name), a, dims),
        }
        if cupy is not None:
            runs["CuPy"] = _called(getattr(cupy.fft, name), cupy.from_dlpack(a), options)
        yield _row(title, runs, getattr(torch.fft, name)(_theirs(a), **dims))


def _called(function: Any, x: Any, options: dict[str, Any]) -> Run:
    return lambda: function(x, **options)


# --- Decompositions ------------------------------------------------------------------------------

STACKS = [(512, 512), (2048, 2048), (1000, 16, 16), (64, 256, 256)]
FUNCTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "cholesky": ("cholesky", lambda found: found),
    "inv": ("inv", lambda found: found),
    "solve": ("solve", lambda found: found),
    "det": ("slogdet", lambda found: found[1]),
    "qr": ("qr", lambda found: abs(found[1])),
    "eigh": ("eigh", lambda found: found[0]),
    "svdvals": ("svdvals", lambda found: found),
    "svd": ("svd", lambda found: found[1]),
}
"""Of each, what is called, and what of its results is compared."""


def matrices() -> Iterator[str]:
    """Microseconds until a decomposition of float32 is done, by the host's clock."""
    torch, cupy = _torch(), _cupy()
    for shape in STACKS:
        a = torch.randn(shape, device="cuda")
        a = a @ a.mT / shape[-1] + torch.eye(shape[-1], device="cuda")
        b = torch.randn((*shape[:-1], 4), device="cuda")
        for title, (name, kept) in FUNCTIONS.items():
            if len(shape) == 3 and shape[0] * shape[1] > 16000 and name in ("svd", "svdvals"):
                continue  # half a minute of the card
            sides = (b,) if name == "solve" else ()
            options = {"full_matrices": False} if name == "svd" else {}
            libraries = {"ours": sm.linalg, "torch": torch.linalg}
            given: dict[str, Any] = {"ours": [*map(_ours, (a, *sides))], "torch": [a, *sides]}
            if cupy is not None and name != "svdvals":
                libraries["CuPy"] = cupy.linalg
                given["CuPy"] = [*map(cupy.from_dlpack, (a, *sides))]
            runs: dict[str, Run] = {
                library: _decomposed(getattr(module, name), given[library], options, kept)
                for library, module in libraries.items()
            }
            wide = [x.double() for x in (a, *sides)]
            expected = kept(getattr(torch.linalg, name)(*wide, **options))
            yield _waited(f"{title} {' x '.join(map(str, shape))}", runs, expected)


def _decomposed(
    function: Any, given: list[Any], options: dict[str, Any], kept: Callable[[Any], Any]
) -> Run:
    return lambda: kept(function(*given, **options))


def _waited(title: str, runs: dict[str, Run], expected: Any) -> str:
    errors: dict[str, float] = {}
    times: dict[str, list[float]] = {}
    for name, run in runs.items():
        try:
            errors[name] = _error(run(), expected)
        except Exception as error:  # noqa: BLE001 - a peer may lack it
            print(f"{title}: {name}: {str(error).splitlines()[0]}"[:150])
            continue
        times[name] = []
    for _ in range(FEW_ROUNDS):
        for name, found_times in times.items():
            begin = time.perf_counter()
            found = runs[name]()
            if name == "ours":
                sm.eval(found)
                sm.synchronize()
            else:
                _torch().cuda.synchronize()
            found_times.append(time.perf_counter() - begin)
    return _printed(title, times, errors)


PARTS = {
    "products": products,
    "followers": followers,
    "host": host,
    "transforms": transforms,
    "matrices": matrices,
}


def main() -> None:
    """Measure what was named, or everything."""
    print(sm.device("cuda").description, sm.device("cuda").identity)
    for name in sys.argv[1:] or PARTS:
        begin = time.monotonic()
        try:
            for line in PARTS[name]():
                print(line, flush=True)
        finally:
            print(f"-- {name}: {time.monotonic() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
