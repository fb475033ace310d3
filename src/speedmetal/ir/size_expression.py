"""Sizes that only a launch knows, as data that is kept on disk with the code.

A size expression is what an expression of the IR becomes (in :mod:`speedmetal.ir.analysis`) when
what it reads is numbered: nested tuples of texts and numbers, which JSON holds.
:mod:`speedmetal.compiler.size_expression` computes with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from speedmetal.common.records import record

Formula = tuple[Any, ...]
"""A word that says what it is, its type's name, and its parts, of which some are formulas."""

CALL = "@"
"""Begins the word for a call of an intrinsic, which follows."""


def formula_from(record: Any) -> Formula:
    """The formula that JSON has made lists of.

    >>> formula_from(["negate", "int32", ["parameter", "int32", 0]])
    ('negate', 'int32', ('parameter', 'int32', 0))
    """
    return tuple(formula_from(part) if isinstance(part, list) else part for part in record)


def reads_scalars(formula: Formula) -> bool:
    """Whether its value may differ between launches with arguments of the same types and shapes.

    >>> reads_scalars(("add", "int32", ("threads", "int32", 0), ("parameter", "int32", 1)))
    True
    """
    return formula[0] == "parameter" or any(map(reads_scalars, _parts(formula)))


def _parts(formula: Formula) -> Iterator[Formula]:
    return (part for part in formula if isinstance(part, tuple))


@record
class SizedArray:
    """A threadgroup array of which only a launch knows the size.

    Args:
        name: In the user's program.
        itemsize: Bytes of an element.
        shape: Integers, and formulas.
    """

    name: str
    itemsize: int
    shape: tuple[int | Formula, ...]

    @property
    def reads_scalars(self) -> bool:
        """Whether launches with arguments of the same types and shapes may need different sizes."""
        return any(isinstance(size, tuple) and reads_scalars(size) for size in self.shape)
