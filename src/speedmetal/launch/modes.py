"""What launches do where neither call nor kernel says it: the debug level, the mathematics."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, get_args

from speedmetal.errors import LaunchError, UserInputError

stated_debug_level: ContextVar[int | None] = ContextVar("debug_level", default=None)
"""Of the innermost :func:`debug_level`; None outside of all."""

MathMode = Literal["safe", "tf32", "fast"]
stated_math_mode: ContextVar[MathMode] = ContextVar("math_mode", default="safe")
"""Of the innermost :func:`math_mode`."""


def current_math_mode() -> MathMode:
    """The mode of the innermost :func:`math_mode` of this thread or task."""
    return stated_math_mode.get()


@contextmanager
def math_mode(mode: MathMode) -> Iterator[None]:
    """Launch kernels with mathematics of a mode, inside ``with sm.math_mode(mode):``.

    In the safe mode, the default, each operation is rounded by itself, and NaN, infinities and
    signed zeros are kept: all devices give the same results.

    The mode ``"tf32"`` is the same, but that tensor cores of NVIDIA GPUs multiply float32, rounded
    to TF32 first, which has 11 bits: simdgroup matrices in kernels, and products of arrays where
    cuBLASLt makes them. Their sums are float32. Other devices have no TF32: it is the safe mode.

    The fast mode lets Metal's compiler reorder and contract operations, take NaN and infinities not
    to occur, and use its own less exact functions. On NVIDIA GPUs it does the same but for
    reordering, and NaN and infinities stay (``--use_fast_math``: divisions, roots, exponentials and
    the like are approximate in float32, subnormal numbers are 0); and it has TF32 as well. The CPU
    knows the safe mode alone.

    Raises:
        UserInputError: The mode is none of ``"safe"``, ``"tf32"`` and ``"fast"``.

    Example:
        >>> with math_mode("fast"):
        ...     pass
    """
    if mode not in get_args(MathMode):
        raise UserInputError(f"expected the math mode 'safe', 'tf32' or 'fast', got {mode!r}")
    token = stated_math_mode.set(mode)
    try:
        yield
    finally:
        stated_math_mode.reset(token)


@contextmanager
def debug_level(level: int) -> Iterator[None]:
    """Launch kernels at a debug level, inside ``with sm.debug_level(level):``.

    Level 0 adds nothing to a kernel. Level 1 checks indices and assertions, and raises
    :class:`~speedmetal.errors.KernelError` with kind and reason; level 2 adds the thread, the
    threadgroup and the source line.

    Raises:
        UserInputError: The level is not 0, 1 or 2.

    Example:
        >>> with debug_level(1):
        ...     pass
    """
    token = stated_debug_level.set(check_debug_level(level))
    try:
        yield
    finally:
        stated_debug_level.reset(token)


def check_debug_level(level: Any) -> int:
    if type(level) is not int or level not in (0, 1, 2):
        raise LaunchError(f"expected a debug level of 0, 1 or 2, got {level!r}")
    return level


@functools.cache
def environment_debug() -> int:
    given = os.environ.get("SPEEDMETAL_DEBUG", "0")
    if given not in ("0", "1", "2"):
        raise UserInputError(f"SPEEDMETAL_DEBUG is {given!r}; expected 0, 1 or 2")
    return int(given)
