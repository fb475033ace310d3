"""Layers of graphs: what the neighbours of each node have, combined."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from speedmetal.arrays.algebra.products import matmul
from speedmetal.arrays.algebra.sparse import CSRArray, coo_array
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.operands import cast
from speedmetal.arrays.indices.scattering import segment_max, segment_sum
from speedmetal.arrays.indices.taking import take
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import with_article
from speedmetal.nn.arguments import check_shape, floats_of
from speedmetal.nn.grouped_rows import Groups, check_reduction, combined_rows


def graph_convolution(x: Any, adjacency: CSRArray, weight: Any, bias: Any = None) -> Array:
    """What each node's neighbours have, added up and multiplied (Kipf and Welling, 2017).

        ``adjacency @ x @ weight^T + bias``

    The paper's layer has :func:`normalised_adjacency` for the matrix. The product that leaves less
    to do for the other one comes first.

    Args:
        x: ``(nodes, features)``, of floats.
        adjacency: ``(targets, nodes)``, of ``sm.sparse``: how much of each node's features comes
            to each target.
        weight: ``(out, features)``.
        bias: ``(out,)``; None: there is none.

    Returns:
        ``(targets, out)``, lazy, of the promoted dtype. float16 and bfloat16 are computed in
        float32.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> ring = sm.sparse.coo_array([1.0, 1.0, 1.0], [0, 1, 2], [1, 2, 0], (3, 3))
        >>> sm.nn.graph_convolution(sm.array([[1.0], [2.0], [4.0]]), ring, sm.array([[10.0]]))
        Array([[20.],
               [40.],
               [10.]], dtype=float32, device='cpu')
    """
    name = "graph_convolution"
    matrix = _checked_matrix(name, adjacency)
    wide, dtype = floats_of(name, x=x, weight=weight, bias=bias)
    nodes, factors, shift = wide["x"], wide["weight"], wide["bias"]
    assert nodes is not None
    assert factors is not None
    if nodes.ndim != 2 or factors.ndim != 2:
        raise UserInputError(
            f"{name} expected x of shape (nodes, features) and weight of shape (out, features), got"
            f" {nodes.shape} and {factors.shape}"
        )
    features, out = nodes.shape[1], factors.shape[0]
    check_shape(name, "x", nodes, (matrix.shape[1], features), "(nodes, features)")
    check_shape(name, "weight", factors, (out, features), "(out, features)")
    if shift is not None:
        check_shape(name, "bias", shift, (out,), "(out,)")
    if out < features:
        total = matrix @ matmul(nodes, factors.T)
    else:
        total = matmul(matrix @ nodes, factors.T)
    found: Array = cast(total if shift is None else total + shift, dtype)
    return found


def normalised_adjacency(adjacency: CSRArray, *, self_loops: bool = True) -> CSRArray:
    """The adjacency matrix of :func:`graph_convolution` in the paper of Kipf and Welling.

        ``D^(-1/2) (A + I) D^(-1/2)``, where ``D`` has the sums of the rows of ``A + I``

    It is made on the host, once for a graph. A row whose sum is 0 stays 0.

    Args:
        adjacency: ``(nodes, nodes)``, of float32 or float64, not negative.
        self_loops: Whether ``I`` is added; else it is ``D^(-1/2) A D^(-1/2)``.

    Raises:
        UserInputError: It is no square matrix of ``sm.sparse``, or of other numbers.

    Example:
        >>> import speedmetal as sm
        >>> edge = sm.sparse.coo_array([1.0, 1.0], [0, 1], [1, 0], (2, 2))
        >>> sm.nn.normalised_adjacency(edge).todense()
        Array([[0.5, 0.5],
               [0.5, 0.5]], dtype=float32, device='cpu')
    """
    name = "normalised_adjacency"
    matrix = _checked_matrix(name, adjacency)
    count = matrix.shape[0]
    if matrix.shape[1] != count or matrix.dtype.kind != "f":
        raise UserInputError(
            f"{name} expected a square matrix of floats, got shape {matrix.shape} of {matrix.dtype}"
        )
    data, columns = matrix.data.numpy(), matrix.indices.numpy()
    rows = _rows_of(matrix)
    if self_loops:
        data = np.append(data, np.ones(count, data.dtype))
        rows, columns = (np.append(places, np.arange(count)) for places in (rows, columns))
    degrees = np.bincount(rows, weights=data, minlength=count)
    if (data < 0).any():
        raise UserInputError(f"{name} expected no negative elements, got {data.min()}")
    with np.errstate(divide="ignore"):
        roots = np.where(degrees > 0, 1 / np.sqrt(degrees), 0)
    scaled = (data * roots[rows] * roots[columns]).astype(data.dtype)
    return coo_array(scaled, rows, columns, matrix.shape, matrix.device)


def aggregate_neighbours(
    x: Any, edges: Any, *, nodes: int | None = None, reduction: str = "sum"
) -> Array:
    """What each node's neighbours have, added up or otherwise combined.

    Args:
        x: ``(sources, ...)``, of floats: what each node has.
        edges: ``(sources, targets)``, two rows of integers, as in an array of shape ``(2, count)``:
            each edge leads from a node of ``x`` to one of the result. Or the matrix of the graph,
            of ``sm.sparse``: row ``i`` has stored elements in the columns of the neighbours of
            ``i``. Only their places count; ``matrix @ x`` weighs by them.
        nodes: How many the result has; None: as many as ``x``. A matrix tells it by its rows.
        reduction: ``"sum"``, ``"mean"`` or ``"max"``.

    Returns:
        ``(nodes, ...)``, lazy for a matrix, the dtype of ``x``; 0 where a node has no neighbours.
        On the CPU the order of a sum is that of the edges.

    Raises:
        IndexError: An edge leads to or from a node that there is not.
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> x, edges = sm.array([[1.0], [2.0], [4.0]]), sm.array([[0, 1, 2], [1, 2, 1]])
        >>> sm.nn.aggregate_neighbours(x, edges)
        Array([[0.],
               [5.],
               [2.]], dtype=float32, device='cpu')
    """
    name = "aggregate_neighbours"
    check_reduction(name, reduction)
    wide, dtype = floats_of(name, x=x)
    table = wide["x"]
    assert table is not None
    if not table.ndim:
        raise UserInputError(f"{name} expected x of shape (sources, ...), got ()")
    if isinstance(edges, CSRArray):
        return _of_matrix(table, _checked_matrix(name, edges), nodes, reduction).astype(
            dtype, copy=False
        )
    sources, targets = _checked_edges(edges)
    count = table.shape[0] if nodes is None else operator.index(nodes)
    rows = take(table, sources, axis=0)
    found = (segment_max if reduction == "max" else segment_sum)(rows, targets, count)
    if reduction == "max":
        has_some = np.bincount(targets, minlength=count) > 0
        found = apply("where", _along_first(has_some, found), found, 0)
    elif reduction == "mean":
        degrees = np.maximum(np.bincount(targets, minlength=count), 1)
        found = found / _along_first(degrees.astype(table.dtype), found)
    result: Array = cast(found, dtype)
    return result


def _of_matrix(x: Array, matrix: CSRArray, nodes: int | None, reduction: str) -> Array:
    name = "aggregate_neighbours"
    count, sources = matrix.shape
    if x.shape[0] != sources or nodes not in (None, count):
        raise UserInputError(
            f"{name} expected x of shape ({sources}, ...) for a matrix of shape {matrix.shape}, and"
            f" nodes={count} or None; got {x.shape} and {nodes}"
        )
    if x.device is not matrix.device:
        raise UserInputError(
            f"{name}: the matrix is on {matrix.device.name}, x on {x.device.name}; write"
            f" x.to({matrix.device.name!r})"
        )
    groups = Groups(matrix.indices, matrix.indptr)
    rows = x.reshape((sources, math.prod(x.shape[1:])))
    found = combined_rows(name, rows, groups, reduction, x.layout.dtype)
    return found if x.ndim == 2 else found.reshape((count, *x.shape[1:]))


# --- What was given ------------------------------------------------------------------------------


def _checked_matrix(name: str, adjacency: Any) -> CSRArray:
    if not isinstance(adjacency, CSRArray):
        raise UserInputError(
            f"{name} expected a matrix of sm.sparse, got {with_article(type(adjacency).__name__)};"
            " see sm.sparse.coo_array and sm.sparse.asarray"
        )
    return adjacency


def _checked_edges(edges: Any) -> tuple[HostArray, HostArray]:
    """Where the edges come from, and where they lead to."""
    is_pair = isinstance(edges, tuple | list) and len(edges) == 2
    rows = edges if is_pair else [edges]
    host = [row.numpy() if isinstance(row, Array) else np.asarray(row) for row in rows]
    both = [*host] if is_pair else [*host[0]] if host[0].ndim == 2 else []
    is_right = len(both) == 2 and both[0].ndim == 1 and both[0].shape == both[1].shape
    if not is_right or any(row.dtype.kind not in "iu" and row.size for row in both):
        shapes = " and ".join(f"{row.dtype} of shape {row.shape}" for row in host)
        raise UserInputError(
            f"aggregate_neighbours expected edges (sources, targets), two rows of integers of one"
            f" length, or a matrix of sm.sparse, got {shapes}"
        )
    sources, targets = (row if row.size else row.astype(np.int64) for row in both)
    return sources, targets


def _along_first(values: HostArray, like: Array) -> Array:
    """One number for each row, as an array that is broadcast over rows."""
    shape = (-1, *(1,) * (like.ndim - 1))
    return asarray(values, device=like.device).reshape(shape)


def _rows_of(matrix: CSRArray) -> HostArray:
    """The row of each element."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr.numpy()))
