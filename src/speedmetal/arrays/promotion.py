"""The type that arrays and dtypes together have."""

from __future__ import annotations

from collections.abc import Iterable

from speedmetal.dtypes import DType, Kind, bool_, promote
from speedmetal.errors import UserInputError


def promote_all(name: str, dtypes: Iterable[DType]) -> DType:
    """The type that an operation on all of these is done in, in whatever order they come.

    Integers have no say beside floats: int64, uint64 and float32 together are float32.

    Args:
        name: What is done, for the message.
        dtypes: None of them: bool.

    Raises:
        UserInputError: There is none, as for int64 and uint64.

    >>> from speedmetal.dtypes import float32, int64, uint64
    >>> promote_all("add", [int64, uint64, float32])
    float32
    """
    given = list(dtypes)
    common = bool_
    for dtype in [d for d in given if d.is_float or d.is_complex] or given:
        found = promote(common, dtype)
        if found is None:
            raise UserInputError(
                f"{name}: there is no common type for {common.name} and {dtype.name}; convert one:"
                f" x.astype(sm.{common.name}) or x.astype(sm.{dtype.name})"
            )
        common = found
    return common


_KINDS = (Kind.BOOL, Kind.UNSIGNED, Kind.SIGNED, Kind.FLOAT, Kind.COMPLEX)


def is_same_kind(target: DType, source: DType) -> bool:
    """Whether numbers of one type may be written to another without saying so, as in NumPy.

    Floats do not become integers, nor signed integers unsigned ones; how wide a type is does not
    count.

    >>> from speedmetal.dtypes import float32, float64, int8, uint8
    >>> is_same_kind(float32, float64), is_same_kind(int8, uint8), is_same_kind(uint8, int8)
    (True, True, False)
    """
    return _KINDS.index(source.kind) <= _KINDS.index(target.kind)
