"""Rotary position embedding (RoPE), in one kernel, by :mod:`speedmetal.nn.kernels.rotary`."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
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
from speedmetal.arrays.replaying import replayed
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static
from speedmetal.nn.arguments import floats_of
from speedmetal.nn.launches import launch


@replayed
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
    wide, _ = floats_of("rope", x=x, cosine=cosine, sine=sine)
    own = wide["x"]
    assert own is not None
    _check_pairs(own)
    source, dtype = peeked(own), asarray(x).layout.dtype
    tables = {key: wide[key] for key in ("cosine", "sine")}
    angles = _angles(source, positions, _checked_offset(offset), base, tables)
    shape, device = own.shape, own.device
    check_computes("rope", device, dtype, own.layout.dtype)

    def run(follower: Follower | None = None) -> list[Array]:
        elements, layout, size_bytes = result_layouts(follower, shape, dtype, device)
        result = Array(device.allocate(size_bytes), elements, layout)
        target, _ = followed(follower, result, follower_layouts(follower, shape))
        if result.size:
            _launch(target, source, angles, is_traditional=bool(traditional))
        return [result]

    node = Call("rope", (source, *angles.operands), run, callers=2, takes=takes_any)
    found: list[Array] = call(Array, node, [(shape, dtype)], device)
    return found[0]


class _Angles(NamedTuple):
    """What tells the angles of pairs.

    Args:
        turn: As the kernel takes it.
        operands: The arrays that it reads.
        are_shared: Whether all tables of ``(length, size)`` have the same.
    """

    turn: Callable[..., Any]
    operands: tuple[Array, ...]
    are_shared: bool


_MOST_TABLES = 16
"""Tables that a thread turns by one angle: for more, their rows are too many places in memory."""
_FEWEST_THREADS = 1 << 14
"""As far as there are so many threads then."""


def _launch(target: Any, x: Array, angles: _Angles, *, is_traditional: bool) -> None:
    from speedmetal.nn.kernels.rotary import turn_pairs  # with its first use

    *others, length, size = x.shape
    tables, pairs = math.prod(others), x.size // 2
    each = max(1, min(_MOST_TABLES, tables, pairs // _FEWEST_THREADS)) if angles.are_shared else 1
    grid = (size // 2, length, -(-tables // each))
    traditional: Any = static(is_traditional)
    launch(turn_pairs, (target, x, angles.turn, traditional, each), grid)


def _angles(
    x: Array, positions: Any, offset: int, base: float, tables: dict[str, Array | None]
) -> _Angles:
    from speedmetal.nn.kernels import rotary as kernels  # as above

    given = {key: table for key, table in tables.items() if table is not None}
    ways = bool(given) + (positions is not None) + (offset != 0)
    if len(given) == 1 or ways > 1:
        raise UserInputError(
            "rope takes one of positions, an offset, and cosine and sine together; got"
            f" {'cosine or sine' if given else 'positions'} and another, or one without the other"
        )
    *outer, size = x.shape
    if given:
        shape = (*outer, size // 2)
        known = tuple(_broadcast(key, table, shape) for key, table in given.items())
        are_shared = all(math.prod(table.shape[:-2]) == 1 for table in given.values())
        return _Angles(functools.partial(kernels.given, *known), known, are_shared)
    slope = x.dtype.type(-2 * math.log2(base) / max(size, 1))
    if positions is None:
        return _Angles(functools.partial(kernels.in_order, offset, slope), (), are_shared=True)
    _, rows = operands_of("rope", x, positions)
    places = _broadcast("positions", rows, tuple(outer))
    are_shared = math.prod(rows.shape[:-1]) == 1
    return _Angles(functools.partial(kernels.at_positions, places, slope), (places,), are_shared)


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


def _checked_offset(offset: Any) -> int:
    if not hasattr(offset, "__index__") or isinstance(offset, Array):
        raise UserInputError(
            f"rope expected an int as offset, got {offset!r}; give other positions as positions="
        )
    return operator.index(offset)
