"""Tokens as vectors: rows of a table, sums of them, and rows of zeros with a single one."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import arange, asarray
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.host_routines import operands_of
from speedmetal.arrays.hosting import owned
from speedmetal.arrays.indices.taking import take
from speedmetal.arrays.memory.selection import check_positions
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import Device
from speedmetal.dtypes import as_dtype, float32, int32, int64
from speedmetal.errors import UserInputError
from speedmetal.nn.arguments import check_shape, floats_of
from speedmetal.nn.grouped_rows import Groups, check_reduction, combined_rows


def embedding(tokens: Any, weight: Any, *, padding_index: int | None = None) -> Array:
    """The rows of a table, one for each token: ``weight[tokens]``.

    Args:
        tokens: Integers of any shape, counted from the end where negative, as an index is.
        weight: ``(count, features)``, of any dtype: a vector for each token.
        padding_index: The token that stands for nothing: its vectors are 0, whatever its row is
            (``torch.nn.Embedding`` has zeros in that row); None: there is none.

    Returns:
        ``(*tokens.shape, features)``, the dtype of ``weight``; lazy.

    Raises:
        IndexError: A token is outside of the table.
        UserInputError: The tokens are no integers, or the table has another number of axes.

    Example:
        >>> import speedmetal as sm
        >>> table = sm.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        >>> sm.nn.embedding(sm.array([2, 0]), table)
        Array([[5., 6.],
               [1., 2.]], dtype=float32, device='cpu')
        >>> sm.nn.embedding(sm.array([2, 0]), table, padding_index=0)
        Array([[5., 6.],
               [0., 0.]], dtype=float32, device='cpu')
    """
    table = _table("embedding", weight)
    if padding_index is None:
        return take(table, _tokens("embedding", tokens), axis=0)
    padding = _padding("embedding", padding_index, table)
    given = _wide(asarray(_tokens("embedding", tokens), device=table.device))
    rows = take(table, given, axis=0)
    is_padding = (given == padding) | (given == padding - table.shape[0])
    found: Array = apply("where", is_padding[..., None], 0, rows)
    return found


def one_hot(tokens: Any, count: int, *, dtype: Any = float32) -> Array:
    """1 at each token's place among so many, and 0 elsewhere.

    Args:
        tokens: Integers of any shape. One that is outside, as -1 is, has zeros alone.
        count: How many tokens there are.
        dtype: Of the result.

    Returns:
        ``(*tokens.shape, count)``, lazy.

    Raises:
        UserInputError: The tokens are no integers, or the count is negative.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.one_hot(sm.array([2, 0, -1]), 3)
        Array([[0., 0., 1.],
               [1., 0., 0.],
               [0., 0., 0.]], dtype=float32, device='cpu')
    """
    places = _wide(asarray(_tokens("one_hot", tokens)))
    number = operator.index(count)
    if number < 0:
        raise UserInputError(f"one_hot expected a count of 0 or more, got {number}")
    columns = arange(number, dtype=places.dtype, device=places.device)
    found: Array = (places[..., None] == columns).astype(as_dtype(dtype))
    return found


def embedding_bag(
    tokens: Any,
    weight: Any,
    offsets: Any = None,
    *,
    reduction: str = "mean",
    scales: Any = None,
    padding_index: int | None = None,
) -> Array:
    """The rows of a table for each bag of tokens, added or otherwise combined as they are read.

    Args:
        tokens: ``(bags, length)`` integers, or ``(count,)`` with ``offsets``; counted from the end
            where negative.
        weight: ``(count, features)``, of floats.
        offsets: ``(bags,)`` integers: where among the tokens each bag begins, from 0 on; a bag may
            be empty. None: the tokens have two axes.
        reduction: ``"sum"``, ``"mean"`` or ``"max"``, over the tokens of a bag.
        scales: Of the shape of the tokens: by what each row is multiplied, for ``"sum"`` alone;
            None: by nothing.
        padding_index: The token that does not count; None: there is none.

    Returns:
        ``(bags, features)``, the dtype of ``weight``; 0 where no token of a bag counts; lazy.

    Raises:
        IndexError: A token is outside of the table, or offsets do not rise from 0.
        UserInputError: Shapes or dtypes are wrong.

    Example:
        >>> import speedmetal as sm
        >>> table = sm.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        >>> sm.nn.embedding_bag(sm.array([[0, 1], [2, 2]]), table)
        Array([[2., 3.],
               [5., 6.]], dtype=float32, device='cpu')
        >>> sm.nn.embedding_bag(sm.array([0, 1, 2]), table, sm.array([0, 0]), reduction="max")
        Array([[0., 0.],
               [5., 6.]], dtype=float32, device='cpu')
    """
    name = "embedding_bag"
    check_reduction(name, reduction)
    if scales is not None and reduction != "sum":
        raise UserInputError(f'{name} takes scales for reduction="sum" alone, got {reduction!r}')
    table, own = _table(name, weight), asarray(weight).layout.dtype
    wide, _ = floats_of(name, weight=table, scales=scales)
    host = np.asarray(_on_host(_tokens(name, tokens)))
    starts = _starts(host, offsets)
    check_positions(host, 0, table.shape[0])
    flat = host.reshape(-1).astype(np.int64)
    places = np.where(flat < 0, flat + table.shape[0], flat)
    padding = -1 if padding_index is None else _padding(name, padding_index, table)
    groups = Groups(_owned(places, table.device), _owned(starts, table.device), padding)
    rows, factors = wide["weight"], wide["scales"]
    assert rows is not None
    if factors is not None:
        check_shape(name, "scales", factors, host.shape, "those of the tokens")
        factors = factors.reshape(-1)
    return combined_rows(name, rows, groups, reduction, own, factors)


# --- What was given ------------------------------------------------------------------------------


def _table(name: str, weight: Any) -> Array:
    (table,) = operands_of(name, weight)
    if table.ndim != 2:
        raise UserInputError(
            f"{name} expected weight of shape (count, features), got {table.shape}"
        )
    return table


def _tokens(name: str, tokens: Any) -> Any:
    given = tokens if isinstance(tokens, Array) else np.asarray(tokens)
    if given.dtype.kind not in "iu" and given.size:
        raise UserInputError(
            f"{name} expected integers as tokens, got {given.dtype}; convert with"
            " x.astype(sm.int32)"
        )
    return given if given.size else given.astype(np.int32)


def _wide(tokens: Array) -> Array:
    """Tokens in a type that has numbers below 0, and any number of places."""
    is_narrow = tokens.itemsize < int32.itemsize
    wide = int32 if is_narrow else int64
    is_wide = not is_narrow and tokens.dtype.kind == "i"
    return tokens if is_wide else tokens.astype(wide)


def _padding(name: str, padding_index: int, table: Array) -> int:
    """The token of the padding, counted from 0."""
    index, count = operator.index(padding_index), table.shape[0]
    if not -count <= index < count:
        raise UserInputError(
            f"{name} expected padding_index from {-count} to {count - 1}, as there are {count}"
            f" tokens, got {index}"
        )
    return index % count


def _starts(tokens: HostArray, offsets: Any) -> HostArray:
    """Where each bag begins, and the end."""
    if offsets is None:
        if tokens.ndim != 2:
            raise UserInputError(
                f"embedding_bag expected tokens of shape (bags, length), got {tokens.shape}; tokens"
                " of one axis need offsets"
            )
        bags, length = tokens.shape
        found: HostArray = np.arange(bags + 1) * length
        return found
    given = np.asarray(_on_host(offsets))
    if tokens.ndim != 1 or given.ndim != 1 or (given.dtype.kind not in "iu" and given.size):
        raise UserInputError(
            "embedding_bag expected tokens and offsets, integers, of one axis each, got tokens of"
            f" shape {tokens.shape}, offsets of {given.dtype} and shape {given.shape}"
        )
    starts = np.append(given.astype(np.int64), tokens.size)
    if (given.size and starts[0]) or (starts[1:] < starts[:-1]).any():
        raise IndexError(
            f"embedding_bag expected offsets that rise from 0 to at most {tokens.size}, got"
            f" {np.array2string(given, threshold=8)}"
        )
    return starts


def _on_host(values: Any) -> Any:
    return values.numpy() if isinstance(values, Array) else values


def _owned(places: HostArray, device: Device) -> Array:
    """Positions as an array that nobody else writes to."""
    kind = np.int32 if not places.size or places.max() <= int32.maximum else np.int64
    return owned(places.astype(kind), device)
