"""Rotary position embedding (RoPE), in one kernel, by :mod:`speedmetal.nn.kernels.rotary`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.following import (
    Follower,
    followed,
    follower_layouts,
    result_layouts,
    takes_any,
)
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.host_routines import operands_of
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static
from speedmetal.nn.arguments import floats_of


def rope(
    x: Any,
    *,
    positions: Any = None,
    offset: int = 0,
    base: float = 10000.0,
    traditional: bool = False,
    cosine: Any = None,
    sine: Any = None,
) -> Array:
    """Features in pairs, each turned by an angle that tells the position (Su and others, 2021).

    With the angle ``t = p * base**(-2 i / size)`` of pair ``i`` at position ``p``, the features
    ``a`` and ``b`` of the pair become

        ``a cos(t) - b sin(t)`` and ``b cos(t) + a sin(t)``

    Angles are computed as the elements are loaded, so there is no table in memory. They are
    float32, or float64 where ``x`` is, and so off by up to ``p`` times a unit in their last place.

    Args:
        x: ``(..., length, size)``, of floats; ``size`` is even.
        positions: Numbers that are broadcast to ``(..., length)``; None: ``offset``, ``offset + 1``
            and so on along ``length``.
        offset: The first position: how many there were before, in a cache for example.
        base: See above.
        traditional: Which features are a pair: ``2 i`` and ``2 i + 1``, as in the paper; else ``i``
            and ``i + size / 2``, as in GPT-NeoX and Llama.
        cosine: Of the angles, broadcast to ``(..., length, size / 2)``, where they are known
            already; positions and base do not count then.
        sine: The same.

    Returns:
        The shape and the dtype of ``x``; lazy. float16 and bfloat16 are computed in float32.

    Raises:
        UserInputError: Shapes or dtypes are wrong, or both positions and cosines are given.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[1.0, 1.0], [1.0, 1.0]])
        >>> sm.nn.rope(x, positions=sm.array([0.0, sm.pi / 2])).round(3)
        Array([[ 1.,  1.],
               [-1.,  1.]], dtype=float32, device='cpu')
    """
    wide, dtype = floats_of("rope", x=x, cosine=cosine, sine=sine)
    own, tables = (
        wide["x"],
        [table for table in (wide["cosine"], wide["sine"]) if table is not None],
    )
    assert own is not None
    _check_pairs(own)
    _check_angles(len(tables), positions, offset)
    source = peeked(own)
    angles, operands = _angles(source, positions, offset, base, tables)
    shape, device = own.shape, own.device
    check_computes("rope", device, dtype, own.layout.dtype)

    def run(follower: Follower | None = None) -> list[Array]:
        elements, layout, size_bytes = result_layouts(follower, shape, dtype, device)
        result = Array(device.allocate(size_bytes), elements, layout)
        target, _ = followed(follower, result, follower_layouts(follower, shape))
        if result.size:
            _launch(target, source, angles, bool(traditional))
        return [result]

    node = Call("rope", (source, *operands), run, callers=2, takes=takes_any)
    found: list[Array] = call(Array, node, [(shape, dtype)], device)
    return found[0]


def _launch(target: Any, x: Array, angles: Callable[..., Any], is_traditional: bool) -> None:  # noqa: FBT001 - of one caller
    from speedmetal.nn.kernels.rotary import turn_pairs  # with its first use

    *others, length, size = x.shape
    grid = (size // 2, length, math.prod(others))
    traditional: Any = static(is_traditional)
    turn_pairs(target, x, angles, traditional, grid=grid, debug=0)


def _angles(
    x: Array, positions: Any, offset: int, base: float, tables: list[Array]
) -> tuple[Callable[..., Any], list[Array]]:
    """The function that tells a pair's cosine and sine, and the arrays that it reads."""
    from speedmetal.nn.kernels import rotary as kernels  # as above

    *outer, size = x.shape
    if tables:
        named = zip(("cosine", "sine"), tables, strict=True)
        known = [_broadcast(key, table, (*outer, size // 2)) for key, table in named]
        return functools.partial(kernels.given, *known), known
    slope = x.dtype.type(-2 * math.log2(base) / max(size, 1))
    if positions is None:
        return functools.partial(kernels.in_order, offset, slope), []
    _, given = operands_of("rope", x, positions)
    places = _broadcast("positions", given, tuple(outer))
    return functools.partial(kernels.at_positions, places, slope), [places]


def _broadcast(what: str, array: Array, shape: tuple[int, ...]) -> Array:
    try:
        wide: Array = peeked(array.broadcast_to(shape))
    except ValueError:
        raise UserInputError(
            f"rope expected {what} of a shape that is broadcast to {shape}, got {array.shape}"
        ) from None
    return wide


def _check_pairs(x: Array) -> None:
    if x.ndim < 2 or x.shape[-1] % 2:
        raise UserInputError(
            f"rope expected x of shape (..., length, size) with an even size, got {x.shape}"
        )


def _check_angles(tables: int, positions: Any, offset: Any) -> None:
    if type(offset) is not int:
        raise UserInputError(
            f"rope expected an int as offset, got {offset!r}; give other positions as positions="
        )
    ways = (tables > 0) + (positions is not None) + (offset != 0)
    if tables == 1 or ways > 1:
        raise UserInputError(
            "rope takes one of positions, an offset, and cosine and sine together; got"
            f" {'cosine or sine' if tables else 'positions'} and another, or one without the other"
        )
