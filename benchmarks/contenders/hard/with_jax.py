"""JAX: functions of arrays under `jax.jit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from side_by_side.contender import Prepare, Table
from side_by_side.hard_cases import EPSILON, SUMMED, TABLE_COLUMNS, TABLE_ROWS

from contenders.with_jax import TABLE as SIMPLER
from contenders.with_jax import jit


def _layer_norm(x: Array) -> Array:
    return (x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True) + EPSILON)


def _cross_entropy(p: Array, t: Array) -> Array:
    return -jnp.mean(t * jnp.log(p) + (1 - t) * jnp.log1p(-p))


def _convolution(spatial: str) -> dict[str, Prepare | str]:
    """Without padding, the channels last."""
    numbers = (f"N{spatial}C", f"O{spatial}I", f"N{spatial}C")

    def convolve(x: Array, weights: Array) -> Array:
        steps = (1,) * len(spatial)
        y: Array = jax.lax.conv_general_dilated(
            x, weights, steps, "VALID", dimension_numbers=numbers
        )
        return y

    return {"jit": jit(convolve)}


def _attention(q: Array, k: Array, v: Array) -> Array:
    scores = jnp.einsum("hqd,hkd->hqk", q, k) / jnp.sqrt(q.shape[2])
    return jnp.einsum("hqk,hkd->hqd", jax.nn.softmax(scores, -1), v)


def _scatter_add(rows: Array, places: Array) -> Array:
    return jnp.zeros((TABLE_ROWS, TABLE_COLUMNS)).at[places].add(rows)


def _one(function: Callable[..., Any]) -> dict[str, Prepare | str]:
    return {"jit": jit(function)}


_SOFTMAX = _one(lambda x: jax.nn.softmax(x, 1))
_COLUMN_SUMS = _one(lambda x: jnp.sum(x, 0))
TABLE: Table = {
    "layer_norm": _one(_layer_norm),
    **{f"softmax_{columns}": _SOFTMAX for columns in (8, 64, 128, 1024, 1_000_000)},
    "cross_entropy": _one(_cross_entropy),
    "convolution_3": _convolution("HW"),
    "convolution_12": _convolution("HW"),
    "convolution_128": _convolution("HW"),
    "convolution_1d": _convolution("W"),
    "attention": _one(_attention),
    "column_sums": _COLUMN_SUMS,
    "column_sums_wide": _COLUMN_SUMS,
    "column_sums_narrow": _COLUMN_SUMS,
    "sum_of_all": SIMPLER["reduction"],
    "argmax_rows": _one(lambda x: jnp.argmax(x, 1)),
    "argmax_columns": _one(lambda x: jnp.argmax(x, 0)),
    "sum_down_rows": _one(jnp.add),
    "transposed_sum": _one(lambda a, b: a.T + b),
    "strided_copy": _one(lambda a: a[::2]),
    "reversed_copy": _one(lambda a: a[::-1]),
    "sort_16": _one(lambda x: jnp.sort(x, 0)),
    "scatter_add": _one(_scatter_add),
    "gather": _one(lambda table, places: table[places]),
    "product": _one(jnp.matmul),
    "exponential_by_floor": _one(jnp.exp),
    "exponential_by_constant": _one(jnp.exp),
    "sums_of_8": _one(lambda x: x.reshape(-1, SUMMED).sum(1)),
}
