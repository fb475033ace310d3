"""What a kernel reports to the host: failures and prints, read from the mailbox.

The layout of the mailbox is in :mod:`speedmetal.backends.mailbox`.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from speedmetal.backends import mailbox
from speedmetal.dtypes import DType, Kind, float32, float64
from speedmetal.errors import KernelError
from speedmetal.source import SourceSpan

POSITIONS_LEVEL = 2
"""The debug level from which a failing kernel tells the thread, and looks at barriers."""

_NO_SITE = 0xFFFF_FFFF
"""What stands where no print has written its number."""

Words = np.ndarray[Any, np.dtype[np.uint32]]


@dataclass(frozen=True, slots=True)
class AssertSite:
    """One check in a kernel, and what to say where it fails."""

    kind: str
    reason: str
    span: SourceSpan


@dataclass(frozen=True, slots=True)
class PrintSite:
    """One ``print`` of a kernel: its texts (None for the next value) and its values' types."""

    parts: tuple[str | None, ...]
    dtypes: tuple[DType, ...]


@dataclass(frozen=True, slots=True)
class ReportSites:
    """Everything that a kernel may report, in program order."""

    kernel: str
    debug: int
    asserts: tuple[AssertSite, ...]
    prints: tuple[PrintSite, ...]

    def __bool__(self) -> bool:
        """Whether there is anything to report, so that a launch needs a mailbox."""
        return bool(self.asserts or self.prints or self.debug >= POSITIONS_LEVEL)

    def empty_mailbox(self) -> Words:
        """A mailbox for one launch."""
        capacity = mailbox.DEFAULT_CAPACITY_WORDS if self.prints else 0
        words = np.full(mailbox.PRINT_AREA + capacity, _NO_SITE, np.uint32)
        words[: mailbox.PRINT_AREA] = 0
        words[mailbox.PRINT_CAPACITY] = capacity
        return words

    def deliver(self, words: Words) -> None:
        """Write what was printed to ``sys.stdout``, then raise what failed.

        Raises:
            KernelError: A thread failed.
        """
        if words[mailbox.PRINT_CURSOR]:
            sys.stdout.write("".join(self._lines(words)))
        if words[mailbox.FAILED]:
            raise KernelError(self._failure(words))

    def _failure(self, words: Words) -> str:
        site = self.asserts[int(words[mailbox.SITE])]
        text = f"kernel {self.kernel!r}: {site.kind}" + (f": {site.reason}" if site.reason else "")
        if self.debug < POSITIONS_LEVEL:
            return f"{text} (debug=2 shows the line and the thread)"
        thread = _position(words, mailbox.THREAD)
        group = _position(words, mailbox.THREADGROUP)
        excerpt = "\n".join(f"    {line}" for line in site.span.excerpt().splitlines())
        return (
            f"{text}\n{site.span.place}: in thread {thread} of threadgroup {group} (x, y, z)\n"
            f"{excerpt}"
        )

    def _lines(self, words: Words) -> Iterator[str]:
        asked, capacity = int(words[mailbox.PRINT_CURSOR]), int(words[mailbox.PRINT_CAPACITY])
        area = words[mailbox.PRINT_AREA : mailbox.PRINT_AREA + min(asked, capacity)].tolist()
        position = 0
        while position < len(area):
            if area[position] == _NO_SITE:  # a record that found no room
                break
            site = self.prints[area[position]]
            end = position + 1 + 2 * len(site.dtypes)
            yield _printed(site, area[position + 1 : end])
            position = end
        if asked > capacity:
            yield (
                f"[kernel {self.kernel!r}: the room for prints was used up;"
                f" {asked - position} of {asked} words were dropped]\n"
            )


def _position(words: Words, start: int) -> tuple[int, ...]:
    return tuple(int(word) for word in words[start : start + 3])


def _printed(site: PrintSite, words: list[int]) -> str:
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
