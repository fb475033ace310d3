"""Attention, by :mod:`speedmetal.nn.kernels.attention`: the scores are never all in memory."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import empty, zeros
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.deferred.schedule import evaluate
from speedmetal.arrays.host_routines import operands_of
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.replaying import replayed
from speedmetal.backends.device import SIMDGROUP_SIZE
from speedmetal.common.records import record
from speedmetal.dtypes import bool_
from speedmetal.errors import UserInputError
from speedmetal.frontend.structure import Structure
from speedmetal.launch.expressions import Expression, of_array
from speedmetal.nn.arguments import floats_alike

FEW_QUERIES = 8
"""Fewer of them share a simdgroup: lanes with queries of their own would be half empty."""
LONG_HEAD = 256
"""Of longer heads a thread does not hold what it needs close by."""
LANES_OF_CPU = 16
"""Threads of a threadgroup there: a vector; with two queries each, keys are read half as often."""


@replayed
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    *,
    mask: Any = None,
    causal: bool = False,
    scale: float | None = None,
) -> Array:
    """``softmax(scale * query @ key.T + mask) @ value`` (Vaswani and others, 2017, equation 1).

    The scores are made block by block and are never all in memory. Keys that no query of a block
    may see are left out. Key and value may have fewer heads, a divisor of the query's: each is that
    of as many consecutive heads (grouped queries).

    A query that may see no key gives 0, as PyTorch does from 2.5 on. NaN in a score that counts
    makes the query's row NaN.

    Args:
        query: ``(..., heads, queries, head_size)``, of floats.
        key: ``(..., key_heads, keys, head_size)``.
        value: ``(..., key_heads, keys, value_size)``.
        mask: Broadcast to ``(..., heads, queries, keys)``: bools, True where a query may attend, or
            floats, which are added to the scores. None: all may.
        causal: Whether query i of n sees key j of m only if ``j - m <= i - n``. The last query sees
            all keys, as behind a cache of keys, in MLX and in PyTorch's ``causal_lower_right``;
            PyTorch's ``is_causal`` counts from the first ones, which is the same where there are as
            many. It may be given beside a mask.
        scale: Of the scores; None: ``1 / sqrt(head_size)``.

    Returns:
        ``(..., heads, queries, value_size)``, of the promoted dtype of query, key and value; lazy.
        float16 and bfloat16 are computed in float32; GPUs round the weights of the values to the
        dtype, so that tensor cores multiply them.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[[1.0, 0.0], [0.0, 1.0]]])
        >>> sm.nn.scaled_dot_product_attention(x, x, x, causal=True, scale=100.0)
        Array([[[1., 0.],
                [0., 1.]]], dtype=float32, device='cpu')
    """
    name = "scaled_dot_product_attention"
    known, dtype = floats_alike(name, query=query, key=key, value=value)
    _check_shapes(name, known)
    own, keys, values = known["query"], known["key"], known["value"]
    shape, device = (*own.shape[:-1], values.shape[-1]), own.device
    check_computes(name, device, dtype)
    masks = [] if mask is None else [_mask_of(name, mask, own, keys.shape[-2])]
    if not math.prod(shape) or not keys.shape[-2]:
        return zeros(shape, dtype, device=device)
    operands: list[Any] = [peeked(_with_four_axes(array)) for array in (own, keys, values)]
    factor = 1 / math.sqrt(max(own.shape[-1], 1)) if scale is None else float(scale)
    options = _Options(bool(causal), factor, masks[0] if masks else None)

    def run() -> list[Array]:
        rows, others, weighed = operands
        found = None if is_on_cpu(rows) else _by_tiles(rows, others, weighed, options)
        if found is None:
            way = _by_heads if _is_by_heads(rows, others, weighed) else _by_queries
            found = way(rows, others, weighed, options)
        made: Array = found.astype(dtype, copy=False).reshape(shape)
        evaluate((made,))
        return [made]

    # Keys are read by each group of queries: where they are costly, they are stored first.
    node = Call(name, (*operands, *masks), run, -(-own.shape[-2] // FEW_QUERIES))
    (result,) = call(Array, node, [(shape, dtype)], device)
    attended: Array = result
    return attended


@record(eq=False)
class _Options:
    """What there is beside query, key and value.

    Args:
        causal: Whether later keys are hidden.
        scale: Of the scores.
        mask: ``(batch or 1, heads or 1, queries or 1, keys or 1)``, or None.
    """

    causal: bool
    scale: float
    mask: Array | None


# --- Operands ------------------------------------------------------------------------------------


def _check_shapes(name: str, known: dict[str, Array]) -> None:
    query, key, value = (known[what] for what in ("query", "key", "value"))
    heads, key_heads = (math.prod(array.shape[-3:-2]) for array in (query, key))
    are_alike = (
        len({query.ndim, key.ndim, value.ndim}) == 1
        and query.ndim > 1
        and query.shape[-1] == key.shape[-1]
        and query.shape[:-3] == key.shape[:-3]
        and key.shape[:-1] == value.shape[:-1]
        and (heads == key_heads or (key_heads and heads % key_heads == 0))
    )
    if not are_alike:
        raise UserInputError(
            f"{name} expected query of shape (..., heads, queries, head_size), key (..., key_heads,"
            " keys, head_size) and value (..., key_heads, keys, value_size), where key_heads"
            f" divides heads; got {query.shape}, {key.shape} and {value.shape}"
        )


def _with_four_axes(array: Any) -> Any:
    """``(batch, heads, length, size)``: axes in front are one, or of extent 1."""
    if array.ndim <= 4:
        return array.reshape((1,) * (4 - array.ndim) + array.shape)
    return array.reshape((math.prod(array.shape[:-3]), *array.shape[-3:]))


def _mask_of(name: str, mask: Any, query: Array, keys: int) -> Array:
    """The mask with four axes, those of extent 1 where it is the same along them."""
    _, known = operands_of(name, query, mask)
    dtype = known.layout.dtype
    if dtype is not bool_ and not dtype.is_float:
        raise UserInputError(
            f"{name} expected a mask of bools, True where a query may attend, or of floats to add,"
            f" got {dtype}; convert with mask != 0"
        )
    check_computes(name, query.device, dtype)
    whole = (*query.shape[:-1], keys)
    own = known.shape
    pairs = zip(reversed(own), reversed(whole), strict=False)
    if len(own) > len(whole) or any(mine not in (1, extent) for mine, extent in pairs):
        raise UserInputError(
            f"{name} expected a mask that is broadcast to (..., heads, queries, keys) = {whole},"
            f" got {own}"
        )
    if len(own) > 4 and math.prod(own[:-3]) > 1:
        known = known.broadcast_to((*whole[:-3], *own[-3:]))
    found: Array = peeked(_with_four_axes(known))
    return found


def _broadcast(array: Any, shape: tuple[int, ...]) -> Expression:
    """An array as an expression, which is read once along axes along which it is the same."""
    if type(array.pending) is Structure:
        return Expression(array.pending, array.leaves, shape)
    own = of_array(array)
    return Expression(own.structure, own.leaves, shape)


# --- Launches ------------------------------------------------------------------------------------


def _by_tiles(query: Any, key: Any, value: Any, options: _Options) -> Any:
    """As GPUs do; None: they do not."""
    from speedmetal.nn import tiled_attention as tiled  # with its first use

    mask: Any = options.mask
    if mask is not None:
        evaluate((mask,))
        mask = _broadcast(mask, (*query.shape[:3], key.shape[2]))
    given = tiled.Options(options.causal, options.scale, mask)
    return tiled.attended(query, key, value, given)


def _is_by_heads(query: Any, key: Any, value: Any) -> bool:
    queries = query.shape[2]
    return bool(queries < FEW_QUERIES or max(key.shape[3], value.shape[3]) > LONG_HEAD)


def _by_heads(query: Any, key: Any, value: Any, options: _Options) -> Any:
    """The threads of a simdgroup share a few queries: gives the result in the type of sums."""
    from speedmetal.nn.kernels import attention_by_heads as kernels  # with its first use
    from speedmetal.nn.kernels.attention import total_type

    batch, heads, queries, _ = query.shape
    key_heads, keys, size = value.shape[1:]
    count = heads // key_heads * queries
    kind = total_type(query.layout.dtype)
    sums = empty((batch, heads, queries, size), kind, device=query.device)
    mask = None
    if options.mask is not None:
        mask = _broadcast(options.mask, (batch, heads, queries, keys))
    common = (sums, query, key, value, mask, options.scale, options.causal)
    whole, rest = divmod(count, kernels.ROWS)
    for rows, first, parts in ((kernels.ROWS, 0, whole), (rest, count - rest, 1)):
        if rows and parts:
            sizes: Any = {"groups": batch * key_heads * parts, "threads": SIMDGROUP_SIZE}
            kernels.attend_by_heads(*common, rows, first, parts, **sizes)
    return sums


def _by_queries(query: Any, key: Any, value: Any, options: _Options) -> Any:
    """Threads have queries of their own: gives the result in its dtype."""
    from speedmetal.nn.kernels import attention as kernels  # as above

    batch, heads, queries, head_size = query.shape
    dtype, device = query.layout.dtype, query.device
    lanes, each = SIMDGROUP_SIZE, 1
    if is_on_cpu(query):
        lanes, each = LANES_OF_CPU, 2 if queries > LANES_OF_CPU else 1
        # One element after the other is brought to all threads: that takes as long as to multiply.
        kind = kernels.total_type(dtype)
        key, value = (array.astype(kind, copy=False) for array in (key, value))
        evaluate((key, value))
    parts, keys, size = -(-queries // (lanes * each)), value.shape[2], value.shape[3]
    out = empty((batch, heads, queries, size), dtype, device=device)
    mask = seen = None
    if options.mask is not None:
        turned = options.mask.transpose((0, 1, 3, 2)).copy()  # neighbours are read by neighbours
        outer = turned.shape[:2]
        mask = _broadcast(turned, (batch, heads, keys, queries))
        if keys > kernels.BLOCK:
            found = empty((*outer, parts, -(-keys // kernels.BLOCK)), bool_, device=device)
            wide = _broadcast(turned, (*outer, keys, queries))
            kernels.find_seen(found, wide, each, groups=found.size, threads=lanes)
            seen = _broadcast(found, (batch, heads, *found.shape[2:]))
    kernels.attend_by_queries(
        *(out, query, key, value, mask, seen, options.scale, options.causal),
        *(head_size, size, each),
        groups=batch * heads * parts,
        threads=lanes,
    )
    return out
