"""Room for recursion: stages go down into programs as deep as these are nested."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from speedmetal.errors import NestingError

_Result = TypeVar("_Result")

_DEEPEST_FRAMES = 100_000
_DEEPEST_BYTES = 512 << 20
"""Of address space: memory is taken as it is used. Where C code calls Python, a frame of Python
takes up to 1 KiB of it, else none."""

_on_deep_stack = threading.local()


def with_room(function: Callable[[], _Result]) -> _Result:
    """What a function returns, which must not have changed anything when it fails.

    Where it needs more stack than is left, it runs once more on a deep stack of its own.

    Raises:
        RecursionError: The deep stack does not suffice, and the place in the program is not known.
        NestingError: The deep stack does not suffice; has the place in the program.

    >>> def depth(n):
    ...     return 1 + depth(n - 1) if n else 0
    >>> with_room(lambda: depth(20_000))
    20000
    """
    if hasattr(_on_deep_stack, "here"):
        return function()
    try:
        return function()
    except (RecursionError, NestingError):
        pass
    return _run_deep(function)


def _run_deep(function: Callable[[], _Result]) -> _Result:
    found: list[_Result] = []
    failed: list[BaseException] = []
    context = contextvars.copy_context()

    def run() -> None:
        _on_deep_stack.here = True
        try:
            with _LIMIT:
                found.append(context.run(function))
        except BaseException as error:  # noqa: BLE001 - raised by who waits
            failed.append(error)

    thread = threading.Thread(target=run, name="speedmetal deep stack", daemon=True)
    with _STARTING:
        before = threading.stack_size(_DEEPEST_BYTES)
        try:
            thread.start()
        except RuntimeError:  # no memory for such a stack
            raise RecursionError("no room for a deep stack") from None
        finally:
            threading.stack_size(before)
    thread.join()
    if failed and isinstance(failed[0], RecursionError):
        raise RecursionError(*failed[0].args)  # without its traceback, as long as the stack is deep
    if failed:
        raise failed[0]
    return found[0]


_STARTING = threading.Lock()  # the size of new threads' stacks is the process's


class _Limit:
    """Python's limit of recursion, which is the process's, raised while any thread goes deep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before = sys.getrecursionlimit()
                sys.setrecursionlimit(max(self._before, _DEEPEST_FRAMES))
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                sys.setrecursionlimit(self._before)


_LIMIT = _Limit()
