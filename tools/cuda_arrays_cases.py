"""What ``cuda_arrays_speed.py`` measures: operations of arrays that are held up by memory.

Each case is one operation, in this library's words and in those of its peers, on the same memory:
arrays are made here, filled by PyTorch, and read by every peer where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal import nn

DEVICE = "cuda"
LOG_ELEMENTS = 28
"""Of the largest arrays, of which most cases have one."""

Run = Callable[[], Any]
HALVES = (sm.float16, sm.bfloat16)


class Case(NamedTuple):
    """An operation.

    Args:
        name: As the table has it.
        nbytes: What must be read and written, each element once.
        ours: What is measured.
        peers: The same by others, by their names; ``"torch"`` is what results are compared with.
        compiled: What ``torch.compile`` is given, with no arguments; None: nothing.
        tolerance: Of the relative error, in the norm of the result; 0: results are equal.
        seen: What of a result is compared.
    """

    name: str
    nbytes: int
    ours: Run
    peers: dict[str, Run]
    compiled: tuple[Callable[..., Any], tuple[Any, ...]] | None = None
    tolerance: float = 1e-5
    seen: Callable[[Any], Any] = lambda result: result


def torch() -> Any:
    """PyTorch, which every case needs."""
    import torch

    return torch


def cupy_of(*tensors: Any) -> tuple[Any, list[Any]] | None:
    """CuPy, and tensors as its arrays; None where it is not there, or has no such elements."""
    try:
        import cupy
    except ImportError:
        return None
    if any(t.dtype == torch().bfloat16 for t in tensors):
        return None
    return cupy, [cupy.from_dlpack(t) for t in tensors]


def shared(shape: tuple[int, ...], dtype: Any = sm.float32) -> tuple[Any, Any]:
    """Random numbers between 0 and 1: an array, and a tensor of the same memory."""
    array = sm.empty(shape, dtype=dtype, device=DEVICE)
    tensor = torch().from_dlpack(array)
    if dtype.is_float:
        tensor.uniform_()
    wait()
    return array, tensor


def random_places(count: int, extent: int) -> tuple[Any, Any]:
    """Positions from 0 up to an extent: an array, and a tensor of the same memory."""
    array = sm.empty((count,), dtype=sm.int64, device=DEVICE)
    tensor = torch().from_dlpack(array)
    tensor.random_(0, extent)
    wait()
    return array, tensor


def wait() -> None:
    """Until all that was asked of PyTorch is done."""
    if DEVICE == "cuda":
        torch().cuda.synchronize()


def computed(result: Any) -> Any:
    """A lazy result, in memory."""
    sm.eval(result)
    return result


def case(
    name: str,
    nbytes: int,
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    pairs: tuple[tuple[Any, Any], ...],
    **more: Any,
) -> Case:
    """A case whose functions take arrays and tensors; ``cupy`` among ``more`` takes CuPy first."""
    arrays, tensors = [a for a, _ in pairs], tuple(t for _, t in pairs)
    peers: dict[str, Run] = {"torch": lambda: theirs(*tensors)}
    with_cupy = more.pop("cupy", None)
    if with_cupy is not None and DEVICE == "cuda":
        found = cupy_of(*tensors)
        if found is not None:
            module, converted = found
            peers["cupy"] = lambda: with_cupy(module, *converted)
    with_triton = more.pop("triton", None)
    if with_triton is not None and DEVICE == "cuda":
        peers["triton"] = lambda: with_triton(*tensors)
    compiled = (theirs, tensors) if more.pop("compiles", True) else None
    return Case(name, nbytes, lambda: computed(ours(*arrays)), peers, compiled, **more)


def two_to(power: int) -> int:
    """A power of two, less where the largest arrays are smaller."""
    return 1 << max(power + LOG_ELEMENTS - 28, 0)


def elements_of_rows(dtype: Any) -> int:
    """As many bytes of each type: with fewer, the host takes as long for a call as the card."""
    return two_to(27 if dtype.itemsize > 2 else 28)


def halved(dtype: Any) -> dict[str, Any]:
    """How near the results of a type must be."""
    return {"tolerance": 1e-5 if dtype.itemsize > 2 else 1e-2}


# --- Reductions ----------------------------------------------------------------------------------


def reductions() -> Iterator[Case]:
    """Of all elements, and along axes."""
    count = two_to(28)
    x = shared((count,))
    size = 4 * count
    simple = {
        "sum": (lambda t: t.sum(), lambda _, c: c.sum()),
        "max": (lambda t: t.max(), lambda _, c: c.max()),
        "mean": (lambda t: t.mean(), lambda _, c: c.mean()),
        "var": (lambda t: t.var(correction=0), lambda _, c: c.var()),
    }
    for name, (theirs, with_cupy) in simple.items():
        ours = getattr(sm, name)
        yield case(f"{name} of all", size, ours, theirs, (x,), cupy=with_cupy)
    array, tensor = x
    yield case(
        *("argmax of all", size, sm.argmax, lambda t: t.argmax(), (x,)),
        cupy=lambda _, c: c.argmax(),
        seen=lambda place: tensor[int(place)],
    )
    for dtype in HALVES:
        y = shared((count,), dtype)
        yield case(
            *(f"mean of all, {dtype.name}", 2 * count, sm.mean, lambda t: t.mean(), (y,)),
            tolerance=1e-2,
        )
    y = shared((count,))
    yield case(
        *("sum of (x - y)**2", 2 * size, lambda a, b: ((a - b) ** 2).sum()),
        *(lambda a, b: ((a - b) ** 2).sum(), (x, y)),
    )
    for shape, axis in (
        *(((14, 14), -1), ((20, 8), -1), ((24, 4), -1), ((14, 14), 0), ((20, 8), 0), ((24, 4), 0)),
        *(((8, 10, 10), 1), ((12, 8, 8), 1), ((10, 8, 10), (0, 2))),
    ):
        extents = tuple(two_to(n) if k == 0 else 1 << n for k, n in enumerate(shape))
        pair = array.reshape(extents), tensor.reshape(extents)
        title = f"sum of {' x '.join(f'2^{n}' for n in shape)} along {axis}"
        yield case(
            *(title, size, lambda a, axis=axis: a.sum(axis=axis)),
            *(lambda t, axis=axis: t.sum(dim=axis), (pair,)),
            cupy=lambda _, c, axis=axis: c.sum(axis=axis),
        )
    square = two_to(14), 1 << 14
    pair = array.reshape(square), tensor.reshape(square)
    for axis in (-1, 0):
        yield case(
            *(f"var of 2^14 x 2^14 along {axis}", size, lambda a, axis=axis: a.var(axis=axis)),
            *(lambda t, axis=axis: t.var(dim=axis, correction=0), (pair,)),
        )
        yield case(
            *(f"argmax of 2^14 x 2^14 along {axis}", size),
            *(lambda a, axis=axis: a.argmax(axis=axis), lambda t, axis=axis: t.argmax(axis)),
            *((pair,),),
            seen=lambda places, axis=axis: pair[1].gather(axis, places.unsqueeze(axis)),
        )
    for dtype in HALVES:
        y = shared(square, dtype)
        for axis in (-1, 0):
            yield case(
                *(f"sum of 2^14 x 2^14 along {axis}, {dtype.name}", size // 2),
                *(lambda a, axis=axis: a.sum(axis=axis), lambda t, axis=axis: t.sum(dim=axis)),
                *((y,),),
                tolerance=1e-2,
            )


# --- Softmax -------------------------------------------------------------------------------------


def softmaxes() -> Iterator[Case]:
    """Softmax and its like along rows, and columns."""
    from cuda_triton_peers import softmax as by_triton

    functional = torch().nn.functional
    for dtype in (sm.float32, *HALVES):
        for log_length in (7, 10, 12, 15):
            shape = elements_of_rows(dtype) >> log_length, 1 << log_length
            x = shared(shape, dtype)
            size = 2 * shape[0] * shape[1] * dtype.itemsize
            words = f"rows of {shape[1]}, {dtype.name}"
            yield case(
                *(f"softmax, {words}", size, sm.softmax, lambda t: t.softmax(-1), (x,)),
                triton=by_triton,
                **halved(dtype),
            )
            if dtype is not sm.float32:
                continue
            yield case(
                *(f"log_softmax, {words}", size, sm.log_softmax),
                *(lambda t: functional.log_softmax(t, -1), (x,)),
            )
            yield case(
                *(f"logsumexp, {words}", size // 2, lambda a: sm.logsumexp(a, axis=-1)),
                *(lambda t: t.logsumexp(-1), (x,)),
            )
    shape = two_to(15), 1 << 12
    x = shared(shape)
    yield case(
        *("softmax, columns of 2^15 x 4096", 8 * shape[0] * shape[1]),
        *(lambda a: sm.softmax(a, axis=0), lambda t: t.softmax(0), (x,)),
    )
    mask = sm.empty(shape, dtype=sm.bool_, device=DEVICE)
    other = torch().from_dlpack(mask)
    other.copy_(x[1] > 0.3)
    wait()
    yield case(
        "softmax of masked x * 0.125, rows of 4096",
        9 * shape[0] * shape[1],
        lambda a, m: sm.softmax(sm.where(m, a * 0.125, float("-inf"))),
        lambda t, m: torch().where(m, t * 0.125, float("-inf")).softmax(-1),
        (x, (mask, other)),
    )


# --- Norms and losses ----------------------------------------------------------------------------


def norms() -> Iterator[Case]:
    """Normalisation, and cross entropy."""
    from cuda_triton_peers import layer_norm as by_triton

    functional = torch().nn.functional
    for dtype in (sm.float32, *HALVES):
        for log_length in (8, 10, 12, 15) if dtype is sm.float32 else (10, 12):
            length = 1 << log_length
            shape = elements_of_rows(dtype) >> log_length, length
            x, w, b = shared(shape, dtype), shared((length,), dtype), shared((length,), dtype)
            size = 2 * shape[0] * length * dtype.itemsize
            words = f"rows of {length}, {dtype.name}"
            yield case(
                f"layer_norm, {words}",
                size,
                nn.layer_norm,
                lambda t, w, b, n=length: functional.layer_norm(t, (n,), w, b),
                (x, w, b),
                triton=by_triton,
                **halved(dtype),
            )
            yield case(
                f"rms_norm, {words}",
                size,
                nn.rms_norm,
                lambda t, w, n=length: functional.rms_norm(t, (n,), w, 1e-5),
                (x, w),
                **halved(dtype),
            )
    shape = two_to(15), 1 << 12
    x, y, w, b = shared(shape), shared(shape), shared(shape[1:]), shared(shape[1:])
    yield case(
        "layer_norm of x + y, rows of 4096",
        12 * shape[0] * shape[1],
        lambda a, c, w, b: nn.layer_norm(a + c, w, b),
        lambda t, u, w, b: functional.layer_norm(t + u, shape[1:], w, b),
        (x, y, w, b),
    )
    yield from _channels(functional)
    yield from _losses(functional)


def _channels(functional: Any) -> Iterator[Case]:
    shape = max(two_to(28) >> 21, 1), 64, 64, 256  # an image's, channels last
    x, w, b = shared(shape), shared(shape[3:]), shared(shape[3:])
    size = 4 * x[1].numel()
    # Twice read, as nothing holds what all images have in common.
    yield case(
        "batch_norm, channels last",
        3 * size,
        nn.batch_norm,
        lambda t, w, b: functional.batch_norm(
            t.permute(0, 3, 1, 2), None, None, w, b, training=True
        ).permute(0, 2, 3, 1),
        (x, w, b),
    )
    yield case(
        "group_norm, 32 groups, channels last",
        3 * size,
        lambda a, w, b: nn.group_norm(a, 32, w, b),
        lambda t, w, b: functional.group_norm(t.permute(0, 3, 1, 2), 32, w, b).permute(0, 2, 3, 1),
        (x, w, b),
    )
    first = x[0].reshape(shape[0], 256, 64, 64), x[1].reshape(shape[0], 256, 64, 64)
    yield case(
        "batch_norm, channels first",
        3 * size,
        lambda a, w, b: nn.batch_norm(a, w, b, layout="channels_first"),
        lambda t, w, b: functional.batch_norm(t, None, None, w, b, training=True),
        (first, w, b),
    )


def _losses(functional: Any) -> Iterator[Case]:
    for log_length in (12, 15):
        rows = two_to(28) >> log_length
        x, labels = shared((rows, 1 << log_length)), random_places(rows, 1 << log_length)
        yield case(
            f"cross_entropy, {1 << log_length} classes",
            4 * rows << log_length,
            nn.cross_entropy,
            functional.cross_entropy,
            (x, labels),
        )


# --- Scans, copies, indices ----------------------------------------------------------------------


def scans() -> Iterator[Case]:
    """Running sums."""
    x = shared((two_to(27),))
    for shape, axis in (((27,), 0), ((17, 10), -1), ((13, 14), -1), ((14, 13), 0), ((10, 17), 0)):
        extents = tuple(two_to(n) if k == 0 else 1 << n for k, n in enumerate(shape))
        pair = x[0].reshape(extents), x[1].reshape(extents)
        yield case(
            f"cumulative_sum of {' x '.join(f'2^{n}' for n in shape)} along {axis}",
            8 * x[1].numel(),
            lambda a, axis=axis: sm.cumulative_sum(a, axis=axis),
            lambda t, axis=axis: t.cumsum(axis),
            (pair,),
            tolerance=1e-4,
            cupy=lambda _, c, axis=axis: c.cumsum(axis=axis),
        )


def copies() -> Iterator[Case]:
    """Copies into another order, and of parts."""
    exact = {"tolerance": 0.0, "compiles": False}
    for dtype in (sm.float32, sm.float16, sm.uint8):
        shape = two_to(14), 1 << 14
        x = shared(shape, dtype)
        size = 2 * x[1].numel() * dtype.itemsize
        yield case(
            f"transpose, 2^14 x 2^14, {dtype.name}",
            size,
            lambda a: a.T.copy(),
            lambda t: t.T.contiguous(),
            (x,),
            cupy=lambda cp, c: cp.ascontiguousarray(c.T),
            **exact,
        )
    x = shared((two_to(10), 1 << 9, 1 << 9))
    size = 8 * x[1].numel()
    for axes in ((1, 0, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1)):
        yield case(
            f"permute_dims {axes} of 2^10 x 2^9 x 2^9",
            size,
            lambda a, axes=axes: sm.permute_dims(a, axes).copy(),
            lambda t, axes=axes: t.permute(axes).contiguous(),
            (x,),
            **exact,
        )
    y = shared(x[0].shape)
    yield case(
        *("concat of two along 0", 2 * size, lambda a, b: sm.concat([a, b])),
        *(lambda t, u: torch().cat([t, u]), (x, y)),
        **exact,
    )
    yield case(
        *("concat of two along -1", 2 * size, lambda a, b: sm.concat([a, b], axis=-1)),
        *(lambda t, u: torch().cat([t, u], -1), (x, y)),
        **exact,
    )
    yield case(
        *("repeat 2 along -1", size * 3 // 2, lambda a: sm.repeat(a, 2, axis=-1)),
        *(lambda t: t.repeat_interleave(2, -1), (x,)),
        **exact,
    )
    yield case(
        *("flip along -1", size, lambda a: sm.flip(a, axis=-1).copy(), lambda t: t.flip(-1), (x,)),
        **exact,
    )
    yield case(
        *("every second row", size // 2, lambda a: a[:, ::2].copy()),
        *(lambda t: t[:, ::2].contiguous(), (x,)),
        **exact,
    )


def indices() -> Iterator[Case]:
    """Reading and adding at places that arrays tell."""
    exact = {"tolerance": 0.0, "compiles": False}
    for log_length, dtype in (
        (8, sm.float32),
        (10, sm.float32),
        (10, sm.float16),
        (12, sm.bfloat16),
    ):
        count = two_to(27) >> log_length
        x = shared((count, 1 << log_length), dtype)
        places = random_places(count, count)
        size = 2 * x[1].numel() * dtype.itemsize + 8 * count
        yield case(
            f"take of rows of {1 << log_length}, {dtype.name}",
            size,
            lambda a, i: sm.take(a, i, axis=0),
            lambda t, i: t[i],
            (x, places),
            **exact,
        )
        yield case(
            f"embedding, {1 << log_length} features, {dtype.name}",
            size,
            nn.embedding,
            torch().nn.functional.embedding,
            (places, x),
            **exact,
        )
    count = two_to(26)
    x, places = shared((count,)), random_places(count, count)
    yield case(
        *("take of 2^26 elements of 2^26", 16 * count, lambda a, i: sm.take(a, i, axis=0)),
        *(lambda t, i: t[i], (x, places)),
        **exact,
    )
    updates = shared((count,))
    yield case(
        "scatter_add of 2^26 elements to 2^26",
        20 * count,
        sm.scatter_add,
        lambda t, i, u: t.scatter_add(0, i, u),
        (x, places, updates),
        compiles=False,
    )
    rows = two_to(18)
    x, places, updates = shared((rows, 256)), random_places(rows, rows), shared((rows, 256))
    yield case(
        "scatter_add of 2^18 rows of 256",
        4 * 4 * rows * 256,
        sm.scatter_add,
        lambda t, i, u: t.index_add(0, i, u),
        (x, places, updates),
        compiles=False,
    )


GROUPS = {
    "reductions": reductions,
    "softmaxes": softmaxes,
    "norms": norms,
    "scans": scans,
    "copies": copies,
    "indices": indices,
}
