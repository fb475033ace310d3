"""How exact are reductions and what is made of them, beside PyTorch and NumPy?

Each function is computed in float32, float16 and bfloat16 of the same inputs, and in float64 of the
same inputs as they were rounded. The error of a result is the distance from that, divided by the
unit in which an ideal result would be rounded: the dtype's epsilon, times the result's magnitude,
or for sums that may cancel times the sum of the magnitudes of what is added up. The greatest and
the root of the mean square over all results are kept, over several seeds. Rewrites the section
`reductions` of docs/accuracy.md.

    python benchmarks/reduction_accuracy.py [--dry]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from side_by_side import page

import speedmetal as sm

PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
SEEDS = range(3)
DTYPES = ("float32", "float16", "bfloat16")
EPSILON = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}


@dataclass(frozen=True)
class Case:
    """A function of one array.

    Args:
        name: As the table has it.
        shape: Of the array.
        ours: The function in speedmetal.
        theirs: In PyTorch; of float64 it is also the reference.
        numpys: In NumPy; None: it has none.
        scale: What errors are measured in, besides the epsilon, of float64; None: the result.
        shift: Added to a standard normal distribution.
    """

    name: str
    shape: tuple[int, ...]
    ours: Callable[[Any], Any]
    theirs: Callable[[torch.Tensor], torch.Tensor]
    numpys: Callable[[Any], Any] | None = None
    scale: Callable[[torch.Tensor], torch.Tensor] | None = None
    shift: float = 0.0


def _magnitudes(axis: int | None) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: x.abs().sum() if axis is None else x.abs().sum(axis)


def _layer_norm(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


def _sums(title: str, shape: tuple[int, ...], axis: int | None, shift: float) -> Case:
    return Case(
        f"{title} {'x'.join(map(str, shape))}, mean {shift:g}",
        shape,
        lambda x: sm.sum(x, axis=axis),
        lambda x: x.sum() if axis is None else x.sum(axis),
        lambda x: np.sum(x, axis=axis),
        _magnitudes(axis),
        shift,
    )


CASES = (
    _sums("sum over all of", (1 << 22,), None, 0.0),
    _sums("sum over all of", (1 << 22,), None, 0.01),
    _sums("sum of rows of", (512, 4096), 1, 0.0),
    _sums("sum of columns of", (4096, 512), 0, 0.0),
    Case(
        *("mean of rows of 512x4096, mean 1", (512, 4096), lambda x: sm.mean(x, axis=1)),
        *(lambda x: x.mean(1), lambda x: np.mean(x, axis=1)),
        shift=1.0,
    ),
    Case(
        *("variance of rows of 512x4096, mean 10", (512, 4096), lambda x: sm.var(x, axis=1)),
        *(lambda x: x.var(1, correction=0), lambda x: np.var(x, axis=1)),
        shift=10.0,
    ),
    Case(
        *("logsumexp of rows of 512x4096", (512, 4096), lambda x: sm.logsumexp(x, axis=1)),
        lambda x: torch.logsumexp(x, 1),
    ),
    Case(
        *("softmax of rows of 512x4096", (512, 4096), lambda x: sm.softmax(x, axis=1)),
        lambda x: torch.softmax(x, 1),
    ),
    Case(
        *("layer_norm of rows of 512x4096, mean 3", (512, 4096), sm.nn.layer_norm, _layer_norm),
        scale=lambda x: _layer_norm(x).abs() + 1,
        shift=3.0,
    ),
    Case(
        *("norm of rows of 512x4096", (512, 4096), lambda x: sm.linalg.vector_norm(x, axis=1)),
        *(lambda x: torch.linalg.vector_norm(x, dim=1), lambda x: np.linalg.norm(x, axis=1)),
    ),
    Case(
        *("cumsum of rows of 512x4096", (512, 4096), lambda x: sm.cumsum(x, axis=1)),
        *(lambda x: x.cumsum(1), lambda x: np.cumsum(x, axis=1)),
        scale=lambda x: x.abs().cumsum(1),
    ),
    Case(
        *("x @ x.T of 256x2048", (256, 2048), lambda x: x @ x.T, lambda x: x @ x.T),
        lambda x: x @ x.T,
        scale=lambda x: x.abs() @ x.abs().T,
    ),
)


def errors(case: Case, dtype: str) -> dict[str, list[np.ndarray[Any, Any]]]:
    """Of each library, the errors of all results, over the seeds."""
    found: dict[str, list[np.ndarray[Any, Any]]] = {"speedmetal": [], "PyTorch": [], "NumPy": []}
    for seed in SEEDS:
        plain = np.random.default_rng(seed).standard_normal(case.shape, np.float32) + case.shift
        given = torch.from_numpy(plain.astype(np.float32)).to(getattr(torch, dtype))
        wide = given.double()
        wanted = case.theirs(wide)
        scale = wanted.abs() if case.scale is None else case.scale(wide)
        unit = (scale * EPSILON[dtype]).numpy()
        results = {"speedmetal": _ours(case, wide, dtype), "PyTorch": case.theirs(given).double()}
        if case.numpys is not None and dtype != "bfloat16":
            results["NumPy"] = torch.from_numpy(np.asarray(case.numpys(given.numpy()), np.float64))
        for name, result in results.items():
            found[name].append(np.abs((result - wanted).numpy()) / unit)
    return found


def _ours(case: Case, wide: torch.Tensor, dtype: str) -> torch.Tensor:
    given = sm.array(wide.numpy().astype(np.float32)).astype(getattr(sm, dtype))
    return torch.from_numpy(case.ours(given).astype(sm.float64).numpy())


def _text(parts: list[np.ndarray[Any, Any]]) -> str:
    if not parts:
        return "—"
    whole = np.concatenate([np.atleast_1d(part).reshape(-1) for part in parts])
    return f"{whole.max():.2f} ({np.sqrt(np.mean(whole**2)):.2f})"


def main() -> None:
    """Measure, print, rewrite the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="leave docs/accuracy.md as it is")
    options = parser.parse_args()
    rows = []
    for case in CASES:
        for dtype in DTYPES:
            found = errors(case, dtype)
            rows.append([f"{case.name}, {dtype}", *(_text(parts) for parts in found.values())])
    text = page.table(["function, dtype", "speedmetal", "PyTorch", "NumPy"], rows)
    print(text)
    if not options.dry:
        page.write_section("reductions", text, PAGE)


if __name__ == "__main__":
    main()
