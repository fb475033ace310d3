"""What a kernel reports to the host: failures and prints, read from the mailbox.

The layout of the mailbox is in :mod:`speedmetal.backends.mailbox`.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from speedmetal.backends import mailbox
from speedmetal.dtypes import DType, Kind, float32, float64
from speedmetal.errors import KernelError
from speedmetal.ir.report_sites import POSITIONS_LEVEL, PrintSite, ReportSites

_NO_SITE = 0xFFFF_FFFF
"""What stands where no print has written its number."""

Words = np.ndarray[Any, np.dtype[np.uint32]]


def empty_mailbox(sites: ReportSites) -> Words:
    """A mailbox for one launch."""
    capacity = mailbox.DEFAULT_CAPACITY_WORDS if sites.prints else 0
    words = np.full(mailbox.PRINT_AREA + capacity, _NO_SITE, np.uint32)
    words[: mailbox.PRINT_AREA] = 0
    words[mailbox.PRINT_CAPACITY] = capacity
    return words


def deliver(sites: ReportSites, words: Words) -> None:
    """Write what was printed to ``sys.stdout``, then raise what failed.

    Raises:
        KernelError: A thread failed.
    """
    if words[mailbox.PRINT_CURSOR]:
        sys.stdout.write("".join(_lines(sites, words)))
    if words[mailbox.FAILED]:
        raise KernelError(_failure(sites, words))


def _failure(sites: ReportSites, words: Words) -> str:
    site = sites.asserts[int(words[mailbox.SITE])]
    text = f"kernel {sites.kernel!r}: {site.kind}" + (f": {site.reason}" if site.reason else "")
    if sites.debug < POSITIONS_LEVEL:
        return f"{text} (debug=2 shows the line and the thread)"
    thread = _position(words, mailbox.THREAD)
    group = _position(words, mailbox.THREADGROUP)
    excerpt = "\n".join(f"    {line}" for line in site.span.excerpt().splitlines())
    return (
        f"{text}\n{site.span.place}: in thread {thread} of threadgroup {group} (x, y, z)\n{excerpt}"
    )


def _lines(sites: ReportSites, words: Words) -> Iterator[str]:
    asked, capacity = int(words[mailbox.PRINT_CURSOR]), int(words[mailbox.PRINT_CAPACITY])
    area = words[mailbox.PRINT_AREA : mailbox.PRINT_AREA + min(asked, capacity)].tolist()
    position = 0
    while position < len(area):
        if area[position] == _NO_SITE:  # a record that found no room
            break
        site = sites.prints[area[position]]
        end = position + 1 + 2 * len(site.dtypes)
        yield _format_print(site, area[position + 1 : end])
        position = end
    if asked > capacity:
        yield (
            f"[kernel {sites.kernel!r}: the room for prints was used up;"
            f" {asked - position} of {asked} words were dropped]\n"
        )


def _position(words: Words, start: int) -> tuple[int, ...]:
    return tuple(int(word) for word in words[start : start + 3])


def _format_print(site: PrintSite, words: list[int]) -> str:
    values = iter(zip(site.dtypes, words[::2], words[1::2], strict=True))
    return "".join(_text(*next(values)) if part is None else part for part in site.parts)


_FORMATS = {Kind.FLOAT: "<d", Kind.SIGNED: "<q", Kind.UNSIGNED: "<Q", Kind.BOOL: "<Q"}


def _text(dtype: DType, low: int, high: int) -> str:
    """As Python prints the number: floats with the digits that their own type needs."""
    (number,) = struct.unpack(_FORMATS[dtype.kind], struct.pack("<II", low, high))
    if dtype.is_float and dtype is not float64:
        # NumPy writes short types shortly; bfloat16 has no digits of its own there.
        narrow = dtype.numpy.type(number)
        return str(narrow if dtype.numpy.kind == "f" else float32(float(narrow)))
    return str(bool(number)) if dtype.is_bool else str(number)
