"""Measure what small calls of arrays cost on the NVIDIA GPU of this machine, beside PyTorch.

    python tools/cuda_small_calls.py

Of each function the host's time among ``CALLS`` that nobody waits for, and the time of one that is
waited for: medians of ``ROUNDS``, one round of each library after the other. What both compute is
compared first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it

import speedmetal as sm

CALLS, WAITED, ROUNDS = 100, 20, 12
ROWS, COLUMNS = 64, 128


@sm.kernel
def add(a: Any, b: Any, c: Any) -> None:
    """The sum of two arrays."""
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


def cases() -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """The name of each, ours, and PyTorch's."""
    random = np.random.default_rng(0)

    def both(*shape: int, below: int = 0) -> tuple[Any, Any]:
        host = random.integers(0, below, shape) if below else random.uniform(0.1, 0.9, shape)
        host = host if below else host.astype(np.float32)
        return sm.array(host, device="cuda"), torch.from_numpy(host).cuda()

    (a, ta), (b, tb), (c, tc) = both(1024), both(1024), both(1024)
    (x, tx), (row, trow) = both(ROWS, COLUMNS), both(COLUMNS)
    (rows, trows), (labels, tlabels) = both(ROWS, below=ROWS), both(ROWS, below=COLUMNS)
    q, tq = both(1, 2, 32, 128)

    def launch() -> Any:
        add(a, b, c, grid=1024)
        return c

    yield "a kernel: `add(a, b, c)`", launch, lambda: torch.add(ta, tb, out=tc)
    yield "`a + b`", lambda: a + b, lambda: ta + tb
    yield (
        *("`a * a + exp(sin(b))`", lambda: a * a + sm.exp(sm.sin(b))),
        lambda: ta * ta + torch.exp(torch.sin(tb)),
    )
    yield "`relu`", lambda: sm.nn.relu(x), lambda: F.relu(tx)
    yield "`sum` of all", lambda: sm.sum(x), tx.sum
    yield "`sum` of rows", lambda: sm.sum(x, axis=1), lambda: tx.sum(1)
    yield "`argmax` of rows", lambda: sm.argmax(x, axis=1), lambda: tx.argmax(1)
    yield "`cumulative_sum`", lambda: sm.cumulative_sum(x, axis=1), lambda: tx.cumsum(1)
    yield "`softmax`", lambda: sm.softmax(x), lambda: F.softmax(tx, -1)
    yield (
        *("`layer_norm`", lambda: sm.nn.layer_norm(x, row, row)),
        lambda: F.layer_norm(tx, (COLUMNS,), trow, trow),
    )
    yield "`rms_norm`", lambda: sm.nn.rms_norm(x, row), lambda: F.rms_norm(tx, (COLUMNS,), trow)
    yield (
        *("`batch_norm`", lambda: sm.nn.batch_norm(x, row, row)),
        lambda: F.batch_norm(tx, None, None, trow, trow, training=True),
    )
    yield (
        *("`binary_cross_entropy`", lambda: sm.nn.binary_cross_entropy(x, x)),
        lambda: F.binary_cross_entropy(tx, tx),
    )
    yield (
        *("`cross_entropy`", lambda: sm.nn.cross_entropy(x, labels)),
        lambda: F.cross_entropy(tx, tlabels),
    )
    yield "`take` of rows", lambda: sm.take(x, rows, axis=0), lambda: tx[trows]
    yield (
        *("`x.at[rows].add(x)`", lambda: x.at[rows].add(x)),
        lambda: tx.index_add(0, trows, tx),
    )
    yield "`concat`", lambda: sm.concat([x, x]), lambda: torch.cat([tx, tx])
    yield "`x.T.copy()`", x.T.copy, tx.T.contiguous
    yield "`x @ x.T`", lambda: x @ x.T, lambda: tx @ tx.T
    yield (
        *("attention", lambda: sm.nn.scaled_dot_product_attention(q, q, q)),
        lambda: F.scaled_dot_product_attention(tq, tq, tq),
    )
    yield "`sort` of rows", lambda: sm.sort(x, axis=1), lambda: tx.sort(1).values
    yield "`topk`", lambda: sm.topk(x, 4).values, lambda: tx.topk(4).values
    yield "`fft`", lambda: sm.fft.fft(x), lambda: torch.fft.fft(tx)


def measured(ours: Callable[[], Any], theirs: Callable[[], Any]) -> list[float]:
    """Microseconds: of the host, ours and PyTorch's; waited for, the same."""
    np.testing.assert_allclose(ours().numpy(), theirs().cpu().numpy(), rtol=2e-4, atol=2e-4)
    found: list[list[float]] = [[], [], [], []]
    sides = ((lambda: sm.eval(ours()), sm.synchronize), (theirs, torch.cuda.synchronize))
    for _ in range(ROUNDS):
        for side, (call, wait) in enumerate(sides):
            begin = time.perf_counter()
            for _ in range(CALLS):
                call()
            found[side].append((time.perf_counter() - begin) / CALLS)
            wait()
            begin = time.perf_counter()
            for _ in range(WAITED):
                call()
                wait()
            found[2 + side].append((time.perf_counter() - begin) / WAITED)
    return [statistics.median(times) * 1e6 for times in found]


def main() -> None:
    """Print the table."""
    print(sm.device("cuda").description, f"PyTorch {torch.__version__}")
    print("| float32, 64 x 128 mostly | host, us | PyTorch | waited for, us | PyTorch |")
    print("| --- | --- | --- | --- | --- |")
    for name, ours, theirs in cases():
        try:
            print(f"| {name} |", " | ".join(f"{us:.1f}" for us in measured(ours, theirs)), "|")
        except (AssertionError, sm.DeviceError) as error:
            print(f"| {name} | {type(error).__name__}: {str(error)[:200]!r} |")


if __name__ == "__main__":
    main()
