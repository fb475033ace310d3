"""What docs/coming-from-arrays.md says of NumPy, MLX and PyTorch, said by them.

Each row of a table whose two sides compute something is run by both; the results are the same, and
the row stands in the page. A library that is not installed is skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import speedmetal as sm

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-arrays.md"


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        cell: What its first column begins with, without the marks of code.
        theirs: An expression of the other library.
        ours: Of speedmetal.
    """

    cell: str
    theirs: str
    ours: str


NUMPY = [
    Row(
        "np.array, zeros",
        "np.linspace(0, 1, 5), np.arange(3)",
        "sm.linspace(0, 1, 5), sm.arange(3)",
    ),
    Row("np.asarray(x)", "np.asarray(host)", "sm.asarray(host)"),
    Row("x.astype(np.float64)", "x.astype(np.float64)", "x.astype(sm.float64)"),
    Row("x[0] is a scalar", "float(x[0, 1])", "float(x[0, 1])"),
    Row("x[1:3] = v", "x[x > 2], x[[0, 1]], x[:, None]", "x[x > 2], x[[0, 1]], x[:, None]"),
    Row("np.add.at(x, i, v)", "(np.add.at(x, [0, 0], 1), x)[1]", "(sm.add_at(x, [0, 0], 1), x)[1]"),
    Row("np.add(a, b, out=c)", "np.add(x, x, out=x)", "(x.__setitem__(..., x + x), x)[1]"),
    Row("x.fill(v)", "(x.fill(7), x)[1]", "(x.__setitem__(..., 7), x)[1]"),
    Row("x.std(ddof=1)", "x.std(ddof=1)", "x.std(correction=1)"),
    Row(
        "np.concatenate, stack",
        "np.clip(np.stack([x, x]), 1, 3)",
        "sm.clip(sm.stack([x, x]), 1, 3)",
    ),
    Row("np.unique(x)", "np.unique(x)", "sm.unique_values(x)"),
    Row("np.vectorize(f)(x)", "np.vectorize(double)(x)", "sm.map(double, x)"),
    Row(
        "np.linalg, np.fft",
        "np.linalg.svd(x)[1], np.fft.fft(x)",
        "sm.linalg.svd(x)[1], sm.fft.fft(x)",
    ),
]
MLX = [
    Row(
        "mx.array([1.0]), mx.arange(3)",
        "mx.array([1.0]), mx.arange(3)",
        "sm.array([1.0]), sm.arange(3)",
    ),
    Row("mx.eval(x, y)", "mx.eval(x)", "sm.eval(x)"),
    Row("x.at[i].add(v)", "x.at[mx.array([0, 0])].add(1)", "x.at[[0, 0]].add(1)"),
    Row(
        "mx.concatenate",
        "mx.transpose(mx.concatenate([x, x]))",
        "sm.transpose(sm.concatenate([x, x]))",
    ),
    Row(
        "mx.take_along_axis",
        "mx.put_along_axis(x, mx.array([[0], [1]]), mx.array(9.0), axis=1)",
        "(sm.put_along_axis(x, sm.array([[0], [1]]), 9.0, axis=1), x)[1]",
    ),
    Row(
        "mx.softmax, mx.logsumexp",
        "mx.softmax(x), mx.logsumexp(x), mx.cummax(x, axis=1)",
        "sm.softmax(x, axis=None), sm.logsumexp(x), sm.cummax(x, axis=1)",
    ),
    Row(
        "mx.random.seed(0)", "mx.random.normal((2, 3)).shape", "sm.random.normal(size=(2, 3)).shape"
    ),
]
TORCH = [
    Row("torch.from_numpy(x)", "torch.from_numpy(host)", "sm.asarray(host)"),
    Row("x.cpu().numpy()", "x.cpu().numpy()", "x.numpy()"),
    Row('x.to("cuda"), x.float()', "x.float()", "x.astype(sm.float32)"),
    Row("x.sum(dim=1, keepdim=True)", "x.sum(dim=1, keepdim=True)", "x.sum(axis=1, keepdims=True)"),
    Row("x.max(dim=1)", "tuple(x.max(dim=1))", "(x.max(axis=1), x.argmax(axis=1))"),
    Row("x.std()", "x.std()", "x.std(correction=1)"),
    Row(
        "x.view(2, 3), x.permute(1, 0)",
        "x.view(3, 2), x.permute(1, 0), x.unsqueeze(0)",
        "x.reshape(3, 2), sm.permute_dims(x, (1, 0)), sm.expand_dims(x, axis=0)",
    ),
    Row("torch.cat", "torch.clamp(torch.cat([x, x]), 1, 3)", "sm.clip(sm.concat([x, x]), 1, 3)"),
    Row("x.add_(1)", "x.add_(1)", "x.__iadd__(1)"),
    Row(
        "torch.gather(x, 1, i)",
        "torch.gather(x, 1, torch.tensor([[2], [0]]))",
        "sm.take_along_axis(x, sm.array([[2], [0]]), axis=1)",
    ),
    Row(
        "x.index_add_(0, i, v)",
        "x.index_add_(0, torch.tensor([0, 0]), torch.ones(2, 3))",
        "(sm.add_at(x, [0, 0], sm.ones((2, 3))), x)[1]",
    ),
    Row("torch.topk(x, 2)", "tuple(torch.topk(x, 2))", "tuple(sm.topk(x, 2))"),
    Row(
        "torch.manual_seed(0)",
        "tuple(torch.randn(2, 3).shape)",
        "sm.random.normal(size=(2, 3)).shape",
    ),
]
LIBRARIES = {
    "NumPy": ("numpy", "np", NUMPY),
    "MLX": ("mlx.core", "mx", MLX),
    "PyTorch": ("torch", "torch", TORCH),
}


def double(v: Any) -> Any:
    return 2 * v


def first_cells(library: str) -> list[str]:
    """The first column of the library's table, as plain text."""
    page = PAGE.read_text().partition(f"## From {library}\n")[2].partition("\n## ")[0]
    return [row.replace("`", "") for row in re.findall(r"^\| (.*?) \|", page, re.MULTILINE)][2:]


def same(theirs: Any, ours: Any) -> None:
    if isinstance(ours, tuple):
        assert len(theirs) == len(ours)
        for each in zip(theirs, ours, strict=True):
            same(*each)
        return
    if ours is None:
        return
    np.testing.assert_allclose(np.asarray(theirs), np.asarray(ours), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("library", "row"),
    [(library, row) for library, (_, _, rows) in LIBRARIES.items() for row in rows],
    ids=lambda value: value if isinstance(value, str) else value.cell,
)
def test_both_sides_of_a_row_are_the_same(library: str, row: Row) -> None:
    """Proves the two programs of a row against each other, and that the page has the row."""
    module, alias, _ = LIBRARIES[library]
    peer = pytest.importorskip(module, exc_type=ImportError, reason=f"{library} is not installed")
    assert any(cell.startswith(row.cell) for cell in first_cells(library))
    host = np.array([[1.0, 4.0, 2.5], [3.0, 0.5, 5.0]], "f4")
    make = {"NumPy": "array", "MLX": "array", "PyTorch": "tensor"}[library]
    names = {"host": host, "double": double}
    theirs = eval(row.theirs, {**names, alias: peer, "x": getattr(peer, make)(host.copy())})  # noqa: S307 - the tests' own
    same(theirs, eval(row.ours, {**names, "sm": sm, "x": sm.array(host)}))  # noqa: S307


def test_what_is_said_of_numpy() -> None:
    """Proves the sentences about types below the table of NumPy."""
    assert np.ones(2, "f2").sum().dtype == sm.ones(2, "f16").sum().dtype == np.float16
    assert np.ones(2, "i1").sum().dtype == np.int64
    assert sm.ones(2, "i8").sum().dtype == np.int32


def test_what_is_said_of_mlx() -> None:
    """Proves what is different: copies in the place of views, places outside, float64, places."""
    mx = pytest.importorskip("mlx.core", exc_type=ImportError, reason="MLX is not installed")
    whole = mx.zeros(4)
    part = whole[1:3]
    part[0] = 1.0
    assert whole.tolist() == [0, 0, 0, 0]
    mx.eval(whole[10])  # no error
    assert mx.array(np.ones(2)).dtype == mx.float32
    assert mx.argmax(whole).dtype == mx.uint32


def test_what_is_said_of_pytorch() -> None:
    """Proves the default types, the divisor of `std`, and what division by zero does."""
    torch = pytest.importorskip("torch", exc_type=ImportError, reason="PyTorch is not installed")
    assert torch.tensor([1, 2]).dtype == torch.int64
    assert torch.tensor([1, 2], dtype=torch.int8).sum().dtype == torch.int64
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        torch.tensor([1]) // 0
