"""JAX: formulas under `jax.jit`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from side_by_side.array_cases import Names
from side_by_side.contender import Table

from contenders.arrays import table
from contenders.with_jax import jit

NAMES = Names(
    jnp,
    logsumexp=jax.nn.logsumexp,
    fft=jnp.fft.fft,
    solve=jnp.linalg.solve,
)
TABLE: Table = table(NAMES, {"jit": jit})
