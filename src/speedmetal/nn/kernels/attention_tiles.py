"""Tiles of queries, keys and values in threadgroup memory, which its threads fill together."""

from __future__ import annotations

from typing import Any

import speedmetal as sm


def ceil_to(size: Any, step: Any) -> Any:
    """The least multiple that is not less."""
    return sm.cdiv(size, step) * step


def clear_columns(tile: Any, first: Any, end: Any, threads: Any) -> None:
    """Put zeros behind what is copied of each row, as far as it is multiplied."""
    if end > first:
        width = end - first
        for place in range(sm.thread_index_in_threadgroup(), tile.shape[0] * width, threads):
            tile[place // width, first + place % width] = tile.dtype(0)


def copy_rows(tile: Any, array: Any, first: Any, size: Any, copied: Any, threads: Any) -> None:
    """Copy rows into a tile, from the first one on; behind the last one it comes once more."""
    pieces = size // copied  # of a row
    whole = tile.shape[0] * pieces
    thread = sm.thread_index_in_threadgroup()
    for start in sm.static_range(0, whole, threads):
        place = start + thread
        if start + threads <= whole or place < whole:
            y, x = place // pieces, place % pieces * copied
            source = min(first + y, array.shape[0] - 1)
            sm.async_copy(tile, (y, x), array, (source, x), copied)


def clear_rows(tile: Any, first: Any, size: Any, copied: Any, threads: Any) -> None:
    """Put zeros into rows from one on: values weigh 0 there, but an infinite one would give NaN.

    Threads clear what they copied themselves, so that they need not wait for each other.
    """
    pieces = size // copied
    for place in range(sm.thread_index_in_threadgroup(), tile.shape[0] * pieces, threads):
        if place // pieces >= first:
            for e in sm.static_range(copied):
                tile[place // pieces, place % pieces * copied + e] = tile.dtype(0)
