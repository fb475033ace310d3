"""Short ways to write the records of mathematical intrinsics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.common.target_names import TARGETS
from speedmetal.dtypes import Kind
from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result, Spelling, Varies

FLOATS = frozenset({Kind.FLOAT})
INTEGERS = frozenset({Kind.SIGNED, Kind.UNSIGNED})
NUMBERS = FLOATS | INTEGERS


def spell_per_target(cpu: Spelling, cuda: Spelling, metal: Spelling) -> dict[str, Spelling]:
    """Spellings that differ from target to target."""
    return {"cpu": cpu, "cuda": cuda, "metal": metal}


def spell_for_all_targets(function: Callable[..., Any]) -> dict[str, Spelling]:
    """A function of the kernel language that serves every target."""
    return dict.fromkeys(TARGETS, function)


def aliases(*names: str, modules: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    """The objects of these names in the modules; a name that a version lacks is left out."""
    found = [getattr(module, name, None) for module in modules for name in names]
    return tuple(dict.fromkeys(f for f in found if f is not None))


def elementwise(
    name: str,
    operands: tuple[str, ...],
    meaning: str,
    reference: Callable[..., Any],
    spellings: dict[str, Spelling],
    *,
    accepts: frozenset[Kind] = FLOATS,
    result: Result = Result.SAME,
    **more: Any,
) -> Intrinsic:
    """The record of a function that is computed element by element."""
    return Intrinsic(
        name=name,
        kind=IntrinsicKind.MATH,
        varies=Varies.NOWHERE,
        operands=operands,
        accepts=accepts,
        result=result,
        meaning=meaning,
        reference=reference,
        spellings=spellings,
        **more,
    )


def numpy_type(operand: Any) -> np.dtype[Any]:
    """The type of an operand; Python's ints are int32 where they fit."""
    if isinstance(operand, int) and not isinstance(operand, bool):
        return np.dtype(np.int32 if -(1 << 31) <= operand < 1 << 31 else np.int64)
    return np.asarray(operand).dtype
