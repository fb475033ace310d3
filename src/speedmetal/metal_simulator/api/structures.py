"""Structures as PyObjC has them: fields by name and by position, both changeable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.conversions import Place, to_int, to_uint


class StructureValue:
    """A value of a C structure."""

    FIELDS: ClassVar[tuple[tuple[str, str], ...]] = ()

    __slots__ = ()

    def __init__(self, *values: Any) -> None:
        if len(values) > len(self.FIELDS):
            raise TypeError(f"{type(self).__name__} has {len(self.FIELDS)} fields")
        padded = (*values, *[0] * (len(self.FIELDS) - len(values)))
        for (name, kind), value in zip(self.FIELDS, padded, strict=True):
            place = Place(type(self).__name__, name, 0, kind)
            setattr(self, name, to_uint(value, place) if kind == "uint" else to_int(value, place))

    def _asdict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name, _ in self.FIELDS}

    def __iter__(self) -> Iterator[int]:
        return iter(self._asdict().values())

    def __len__(self) -> int:
        return len(self.FIELDS)

    def __getitem__(self, index: int) -> int:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StructureValue | tuple):
            return tuple(self) == tuple(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # its fields can change

    def __repr__(self) -> str:
        fields = " ".join(f"{name}={value}" for name, value in self._asdict().items())
        return f"<{type(self).__name__} {fields}>"


def _structure(name: str, fields: tuple[tuple[str, str], ...]) -> type[StructureValue]:
    slots = tuple(field for field, _ in fields)
    return type(name, (StructureValue,), {"__slots__": slots, "FIELDS": fields})


STRUCTURES: Mapping[str, type[StructureValue]] = {
    structure.name: _structure(structure.name, structure.fields)
    for structure in sdk.STRUCTURES.values()
}
