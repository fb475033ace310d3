"""What launches are called in records: by what the user wrote, and the kernel that computes it.

Nobody makes a name unless somebody keeps a record: :class:`Naming` says whether that is so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_text: ContextVar[str] = ContextVar("launch_text", default="")


class Naming:
    """How many records are kept, in any thread, whose launches are to be named: mostly none."""

    count = 0


@contextmanager
def naming() -> Iterator[None]:
    """Keep a record in which launches have names."""
    Naming.count += 1
    try:
        yield
    finally:
        Naming.count -= 1


@contextmanager
def launches_of(text: str) -> Iterator[None]:
    """Say what the launches inside compute; what was said outside holds.

    Example:
        >>> with launches_of("sum(a * b)"), launches_of("a * b"):
        ...     name_of("reduce_rows"), name_of("forward/copy")
        ('sum(a * b) [reduce_rows]', 'forward/sum(a * b) [copy]')
    """
    token = _text.set(_text.get() or text)
    try:
        yield
    finally:
        _text.reset(token)


def name_of(label: str) -> str:
    """The name of a launch that is made now.

    Args:
        label: The kernel's name, behind those of stretches of the program.
    """
    text = _text.get()
    if not text:
        return label
    prefix, slash, kernel = label.rpartition("/")
    return f"{prefix}{slash}{text} [{kernel}]"


class Names(list[str]):
    """The labels of launches, each with what it computes."""

    __slots__ = ()

    def append(self, label: str) -> None:
        super().append(name_of(label))
