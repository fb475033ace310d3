"""Dropout: elements that are left out at random."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.along_axes.reducing import accumulator
from speedmetal.arrays.creation import zeros_like
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.operands import cast, copied
from speedmetal.arrays.randomness import random
from speedmetal.arrays.randomness.generator import Generator
from speedmetal.errors import UserInputError
from speedmetal.nn.arguments import check_floats


def dropout(x: Any, /, p: float = 0.5, *, generator: Generator | None = None) -> Any:
    """``x / (1 - p)``, but 0 with probability ``p`` (N. Srivastava and others, 2014).

    So the mean stays. Which elements are 0 is decided when it is called: those where
    ``generator.random(x.shape)`` is below ``p``. The numbers are not stored: they, what ``x`` is
    computed from and what follows are one kernel, where ``x`` lies in C order.

    Args:
        x: Floats of any shape.
        p: From 0 to 1. With 0 or 1 nothing is drawn: the result is a copy, or all 0.
        generator: Of the random numbers; None: that of ``sm.random``, which ``sm.random.seed``
            starts anew.

    Returns:
        The shape and the dtype of ``x``.

    Raises:
        UserInputError: ``x`` has no floats, or ``p`` is not from 0 to 1.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.dropout(sm.ones(6), 0.5, generator=sm.random.default_rng(4)).tolist()
        [0.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    """
    check_floats("dropout", x)
    if not 0 <= p <= 1:
        raise UserInputError(f"dropout expected p from 0 to 1, got {p}")
    if p == 0:
        return copied(x)
    if p == 1:
        return zeros_like(x)
    own = x.layout.dtype
    source = random if generator is None else generator
    numbers = source.random(x.shape, device=x.device)
    scaled = cast(x, accumulator(own)) * (1.0 / (1.0 - p))
    return cast(apply("where", numbers >= p, scaled, 0.0), own)
