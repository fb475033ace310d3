"""The table of SDK facts: every selector, function, constant and structure that a driver may use.

Facts of the macOS 26.5 SDK as PyObjC's metadata spells them; the contract test compares each row
with that metadata. Whatever is not here does not exist for the simulated API, so a driver cannot
use it by accident. Metal Performance Shaders and MPSGraph would be tables of their own, added to
``_TABLES``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from speedmetal.metal_simulator.api import (
    sdk_commands,
    sdk_foundation,
    sdk_instruments,
    sdk_objects,
    sdk_values,
)
from speedmetal.metal_simulator.api.facts import (
    FLOOR,
    Function,
    Owner,
    Selector,
    Structure,
    Version,
    read_owners,
    version,
)

# Which module of PyObjC offers which table's classes.
_TABLES = (
    ("Foundation", sdk_foundation.TABLE),
    ("Metal", sdk_objects.TABLE),
    ("Metal", sdk_commands.TABLE),
    ("Metal", sdk_instruments.TABLE),
)


@dataclass(frozen=True, slots=True)
class ExportedString:
    """A string constant of a framework."""

    name: str
    introduced: Version
    guarded: bool


def _read_enumerations(text: str) -> Iterator[tuple[str, int]]:
    for line in text.strip().splitlines():
        prefix, members = line.split(": ")
        for member in members.split():
            name, value = member.split("=")
            yield prefix + name, int(value)


def _read_strings(text: str) -> Iterator[ExportedString]:
    for line in text.strip().splitlines():
        name, since, *guarded = line.split()
        yield ExportedString(name, version(since[1:]), bool(guarded))


def _read_structures(text: str) -> Iterator[Structure]:
    for line in text.strip().splitlines():
        name, fields = line.split(": ")
        pairs = (field.split("=") for field in fields.split())
        yield Structure(name, tuple((field, kind) for field, kind in pairs))


def _read_functions(text: str) -> Iterator[Function]:
    for line in text.strip().splitlines():
        match = re.fullmatch(r"(\w+)\((.*)\) -> (\w+) @([\d.]+)", line)
        assert match is not None, line
        name, arguments, result, since = match.groups()
        kinds = tuple(part for part in arguments.split(", ") if part)
        yield Function(name, kinds, result, version(since))


_OWNERS = tuple((module, owner) for module, table in _TABLES for owner in read_owners(table))

OWNERS: Mapping[str, Owner] = MappingProxyType({owner.name: owner for _, owner in _OWNERS})
MODULES: Mapping[str, str] = MappingProxyType({owner.name: module for module, owner in _OWNERS})
ENUMERATIONS: Mapping[str, int] = MappingProxyType(
    dict(_read_enumerations(sdk_values.ENUMERATIONS))
)
STRINGS: Mapping[str, ExportedString] = MappingProxyType(
    {constant.name: constant for constant in _read_strings(sdk_values.STRINGS)}
)
STRUCTURES: Mapping[str, Structure] = MappingProxyType(
    {structure.name: structure for structure in _read_structures(sdk_values.STRUCTURES)}
)
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {function.name: function for function in _read_functions(sdk_values.FUNCTIONS)}
)


def selectors(owner: str) -> Iterator[tuple[Owner, Selector]]:
    """The selectors of an owner, its parents' first; each with the owner that declares it."""
    for parent in OWNERS[owner].parents:
        yield from selectors(parent)
    for selector in OWNERS[owner].selectors:
        yield OWNERS[owner], selector


def find_selectors(name: str) -> tuple[tuple[Owner, Selector], ...]:
    """Every row with a selector's name; several owners can have it."""
    return tuple(
        (owner, selector)
        for owner in OWNERS.values()
        for selector in owner.selectors
        if selector.name == name
    )


__all__ = [
    "ENUMERATIONS",
    "FLOOR",
    "FUNCTIONS",
    "MODULES",
    "OWNERS",
    "STRINGS",
    "STRUCTURES",
    "ExportedString",
    "find_selectors",
    "selectors",
]
