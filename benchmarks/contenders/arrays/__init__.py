"""How each array library computes the families of `side_by_side.array_cases`.

A formula is written once, over the names of a library; a module here says how the library is
called, under which names it has what formulas use, and makes its table with :func:`table`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from side_by_side.array_cases import FAMILIES, Function
from side_by_side.contender import Prepare, Table

Make = Callable[[Callable[..., Any]], Prepare]
NOT_LAZY = "it has no lazy arrays: an operation is computed when it is written"


def with_names(function: Function, names: Any) -> Callable[..., Any]:
    """A formula as a function of the inputs alone."""
    return lambda *inputs: function(names, *inputs)


def table(
    names: Any,
    variants: Mapping[str, Make],
    lazy: Make | str = NOT_LAZY,
    missing: Mapping[str, str] = MappingProxyType({}),
) -> Table:
    """A library's table.

    Args:
        names: What formulas use.
        variants: The ways to call it, each of which makes a contender of a function of the inputs.
        lazy: As a variant, for families whose nodes are made and not computed.
        missing: Why it has no contender in a family, by the family's name.
    """
    cells: dict[str, Mapping[str, Prepare | str]] = {}
    for family in FAMILIES:
        function = with_names(family.function, names)
        if family.name in missing:
            cells[family.key] = {"": missing[family.name]}
        elif family.is_lazy:
            cells[family.key] = {"": lazy if isinstance(lazy, str) else lazy(function)}
        else:
            cells[family.key] = {name: make(function) for name, make in variants.items()}
    return cells
