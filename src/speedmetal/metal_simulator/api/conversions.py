"""What the bridge takes for each kind of argument.

These functions see only what the quick checks of the generated methods did not accept at once, and
refuse whatever PyObjC refuses, or accepts by accident (a float for an integer).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST_UINT = (1 << 64) - 1
_LARGEST_INT = (1 << 63) - 1


class Place:
    """Where an argument stands, for messages: owner, selector, position."""

    __slots__ = ("index", "kind", "owner", "selector")

    def __init__(self, owner: str, selector: str, index: int, kind: str) -> None:
        self.owner = owner
        self.selector = selector
        self.index = index
        self.kind = kind

    def refusal(self, value: object) -> str:
        """The text of the exception for a value that does not fit."""
        return (
            f"{self.owner} {self.selector}: expected {self.kind} for argument {self.index}, "
            f"got {type(value).__name__}"
        )


def to_uint(value: object, place: Place) -> int:
    """An unsigned integer of 64 bits.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is negative or too large.
    """
    return _integer(value, place, 0, LARGEST_UINT)


def to_int(value: object, place: Place) -> int:
    """A signed integer of 64 bits; raises as :func:`to_uint`."""
    return _integer(value, place, -_LARGEST_INT - 1, _LARGEST_INT)


def to_byte(value: object, place: Place) -> int:
    """A signed integer of 8 bits: PyObjC's metadata has no unsigned byte, so 255 is -1."""
    return _integer(value, place, -128, 127)


def to_address(value: object, place: Place) -> int:
    """A pointer without metadata: the bridge takes its address, an integer."""
    return 0 if value is None else _integer(value, place, 0, LARGEST_UINT)


def _integer(value: object, place: Place, least: int, most: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(place.refusal(value)) from None
    if not least <= number <= most:
        raise ValueError(
            f"{place.owner} {place.selector}: argument {place.index} is {number}, "
            f"expected {least} to {most}"
        )
    return number


def to_bool(value: object, place: Place) -> bool:
    """A truth value: a bool, or an integer."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return bool(value)
    raise TypeError(place.refusal(value))


def to_double(value: object, place: Place) -> float:
    """A floating-point number."""
    if isinstance(value, int | float):
        return float(value)
    raise TypeError(place.refusal(value))


def to_string(value: object, place: Place) -> str | None:
    """A string or nil."""
    if value is None or isinstance(value, str):
        return value
    raise TypeError(place.refusal(value))


def to_selector(value: object, place: Place) -> str:
    """A selector's name: text or bytes, with colons."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    raise TypeError(place.refusal(value))


def to_dict(value: object, place: Place) -> dict[Any, Any] | None:
    """A dictionary or nil."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(place.refusal(value))


def to_sequence(value: object, place: Place) -> Sequence[Any] | None:
    """A list or tuple, or nil."""
    if value is None or isinstance(value, list | tuple):
        return value
    raise TypeError(place.refusal(value))


def to_nothing(value: object, place: Place) -> None:
    """What an output, or a pointer that the bridge cannot fill, is passed as: None."""
    if value is not None:
        raise TypeError(
            f"{place.owner} {place.selector}: argument {place.index} ({place.kind}) is passed as "
            f"None, got {type(value).__name__}"
        )


def check_bytes(value: object, length: int, place: Place) -> None:
    """Refuse what does not offer ``length`` contiguous bytes.

    Raises:
        TypeError: It has no buffer.
        ValueError: The buffer is too short, or not contiguous.
    """
    try:
        view = memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(place.refusal(value)) from None
    if not view.c_contiguous:
        raise ValueError(f"{place.owner} {place.selector}: argument {place.index} has gaps")
    if view.nbytes < length:
        raise ValueError(
            f"{place.owner} {place.selector}: argument {place.index} has {view.nbytes} bytes, "
            f"{length} are asked for"
        )


def to_numbers(value: object, count: int, place: Place) -> list[int]:
    """A C array of unsigned integers, exactly ``count`` of them."""
    return [to_uint(item, place) for item in _check_count(value, count, place)]


def to_objects(value: object, count: int, proxy: type, place: Place) -> list[Any]:
    """A C array of objects, exactly ``count`` of them; nil is allowed."""
    return [to_native(item, proxy, place) for item in _check_count(value, count, place)]


def _check_count(value: object, count: int, place: Place) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(place.refusal(value))
    if len(value) != count:
        raise ValueError(
            f"{place.owner} {place.selector}: argument {place.index} has {len(value)} elements, "
            f"the count is {count}"
        )
    return value


def to_native(value: Any, proxy: type, place: Place) -> Any:
    """The native object behind an object of the right class, or nil."""
    if value is None:
        return None
    if isinstance(value, proxy):
        return value.native  # type: ignore[attr-defined]  # every proxy has it
    raise TypeError(place.refusal(value))


def to_structure(value: Any, kinds: Sequence[str], place: Place) -> tuple[int, ...]:
    """A structure: a tuple or list of its fields, or the structure's own class."""
    if not isinstance(value, tuple | list):
        fields = getattr(value, "_asdict", None)
        if fields is None:
            raise TypeError(place.refusal(value))
        value = tuple(fields().values())
    if len(value) != len(kinds):
        raise ValueError(
            f"{place.owner} {place.selector}: argument {place.index} ({place.kind}) has "
            f"{len(value)} fields, expected {len(kinds)}"
        )
    convert = {"uint": to_uint, "int": to_int}
    return tuple(convert[kind](item, place) for kind, item in zip(kinds, value, strict=True))


def to_block(value: object, place: Place) -> Any:
    """A callable, or nil."""
    if value is None or callable(value):
        return value
    raise TypeError(place.refusal(value))
