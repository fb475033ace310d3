"""Asking for values: :func:`eval`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred import schedule
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import with_article


def eval(*arrays: Any) -> None:  # noqa: A001 - MLX's name for it, and everybody's
    """Compute lazy arrays now, together: what they share is computed once.

    On the CPU they are computed at return, on GPUs it has been asked for.

    Args:
        arrays: Arrays, or lists, tuples and dictionaries of them.

    Raises:
        UserInputError: Something else was given.
        DeviceError: There is not enough memory; the arrays stay lazy.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.arange(4)
        >>> y, z = x + 1, x * x
        >>> sm.eval(y, z)
        >>> y
        Array([1, 2, 3, 4], dtype=int32, device='cpu')
    """
    if len(arrays) == 1 and type(arrays[0]) is Array:
        if arrays[0].pending is not None:
            schedule.evaluate_one(arrays[0])
    else:
        schedule.evaluate(_flat(arrays))


@contextmanager
def no_fusion() -> Iterator[None]:
    """Compute each operation at once, in a kernel of its own, while in the ``with`` statement.

    The results have the same bits as fused ones. It is meant for finding out what fusion brings.

    Example:
        >>> import speedmetal as sm
        >>> with sm.no_fusion():
        ...     y = sm.ones(3) * 2 + 1
        >>> y
        Array([3., 3., 3.], dtype=float32, device='cpu')
    """
    with schedule.at_once():
        yield


def _flat(items: Any) -> list[Array]:
    found: list[Array] = []
    for item in items:
        if isinstance(item, Array):
            found.append(item)
        elif isinstance(item, dict):
            found += _flat(item.values())
        elif isinstance(item, list | tuple):
            found += _flat(item)
        else:
            raise UserInputError(
                f"eval takes arrays and lists, tuples and dictionaries of them, got"
                f" {with_article(type(item).__name__)}"
            )
    return found
