"""Names for stretches of a program, as they stand before kernels' names.

Error messages, GPU traces and Instruments show a launch under the name of its kernel; inside
:func:`label_launches` that of the stretch stands before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_prefix: ContextVar[str] = ContextVar("label_prefix", default="")

current_prefix = _prefix.get
"""What stands before a kernel's name here; empty outside of all stretches."""


@contextmanager
def label_launches(name: str) -> Iterator[None]:
    """Name the launches inside; a stretch inside another one has both names.

    Example:
        >>> with label_launches("step"), label_launches("forward"):
        ...     current_prefix() + "vadd"
        'step/forward/vadd'
    """
    token = _prefix.set(f"{_prefix.get()}{name}/")
    try:
        yield
    finally:
        _prefix.reset(token)
