"""The intrinsics: one table for the front end, the printers, the tests and the documentation.

Spellings are explained in :mod:`speedmetal.intrinsics.record`; on every target ``"@name"`` is what
the target's printer writes itself.
"""

from __future__ import annotations

import copyreg
from collections.abc import Hashable

from speedmetal.intrinsics import bits, composed, elementary, exact, matrix, positions, simdgroup
from speedmetal.intrinsics.record import Intrinsic

__all__ = ["TABLE", "by_object"]

TABLE: dict[str, Intrinsic] = {
    record.name: record
    for module in (positions, exact, composed, elementary, bits, simdgroup, matrix)
    for record in module.RECORDS
}
"""Every intrinsic by its name."""


_OF_PARTS: dict[str, Intrinsic] = {
    part.name: part for record in TABLE.values() for part in record.parts.values()
}


def find_intrinsic(name: str) -> Intrinsic:
    """The intrinsic of this name, which may be one that `width=` gives."""
    return TABLE.get(name) or _OF_PARTS[name]


copyreg.pickle(
    Intrinsic, lambda record: (find_intrinsic, (record.name,))
)  # there is one in each process

_BY_ALIAS: dict[int, Intrinsic] = {
    id(alias): record for record in TABLE.values() for alias in record.aliases
}


def by_object(meant: object) -> Intrinsic | None:
    """The intrinsic that an object means: the record itself, or ``math.sin``, ``numpy.sin`` ...

    The lookup is by identity: the objects are modules' functions, which live as long as we do.

    >>> import math
    >>> by_object(math.sin), by_object(print) is None
    (<intrinsic sin>, True)
    """
    if isinstance(meant, Intrinsic):
        return meant
    return _BY_ALIAS.get(id(meant)) if isinstance(meant, Hashable) else None
