"""How the table of SDK facts is written, and the records that it becomes.

An owner is a protocol or class. Below it stands a line per selector: the name as PyObjC spells it
(each colon of the selector is an underscore), what kind each argument is of, what comes back, and
the macOS version that introduced it where that is not the owner's. ``+`` marks a method of the
class itself, ``guarded`` one that is younger than the oldest macOS that speedmetal supports, so
that its use must be guarded::

    protocol MTLBuffer(MTLResource) 10.11
        length() -> uint
        gpuAddress() -> uint @13.0

Kinds: ``uint``, ``int``, ``byte`` (signed, 8 bits), ``bool``, ``double``, ``string``, ``list``,
``dict``, ``object``, ``block``, ``selector``; ``address`` (an untyped pointer, which the bridge
takes as an integer); ``null`` (a pointer that must be None); ``bytes[n]`` and ``NAME[n]`` (a C
array whose length is in argument ``n``); ``out KIND`` (pass None, get the value in the result); the
name of a structure, a class or a protocol. Results also: ``memory`` (a pointer to memory of unknown
length), ``NSData``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Version = tuple[int, ...]

# The oldest macOS that speedmetal supports; whatever is younger must be guarded.
FLOOR: Version = (14, 0)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a selector.

    Args:
        kind: ``uint``, ``bytes``, ``MTLBuffer``...
        out: Whether None is passed and the value comes back in the result.
        length_from: For C arrays, the position of the argument that has their length.
    """

    kind: str
    out: bool = False
    length_from: int | None = None

    @property
    def text(self) -> str:
        """The kind as the table writes it."""
        length = "" if self.length_from is None else f"[{self.length_from}]"
        return f"{'out ' if self.out else ''}{self.kind}{length}"


@dataclass(frozen=True, slots=True)
class Selector:
    """One method: what it takes, what it gives, since when.

    Args:
        name: As PyObjC spells it, for example ``setBytes_length_atIndex_``.
        arguments: In order.
        result: The kind of what it gives; empty for nothing.
        introduced: The macOS version that has it first.
        of_class: Whether the class itself has it, not its objects.
        guarded: Whether it is younger than :data:`FLOOR`.
    """

    name: str
    arguments: tuple[Argument, ...]
    result: str
    introduced: Version
    of_class: bool = False
    guarded: bool = False

    @property
    def objective_c(self) -> str:
        """The selector as Objective-C writes it, with colons."""
        return self.name.replace("_", ":")

    @property
    def outputs(self) -> tuple[Argument, ...]:
        """The arguments that come back in the result."""
        return tuple(argument for argument in self.arguments if argument.out)

    @property
    def gives_ownership(self) -> bool:
        """Whether the caller owns the result, by the naming rule of Objective-C."""
        return bool(self.result) and re.match(r"new(?![a-z])", self.name) is not None


@dataclass(frozen=True, slots=True)
class Owner:
    """A class or a protocol with its selectors, those of its parents left out."""

    name: str
    is_class: bool
    parents: tuple[str, ...]
    introduced: Version
    selectors: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A C function of a framework."""

    name: str
    arguments: tuple[str, ...]
    result: str
    introduced: Version


@dataclass(frozen=True, slots=True)
class Structure:
    """A C structure: its fields, each with its kind."""

    name: str
    fields: tuple[tuple[str, str], ...]


def version(text: str) -> Version:
    """``"10.15"`` as ``(10, 15)``.

    Example:
        >>> version("13.3") < FLOOR
        True
    """
    return tuple(int(part) for part in text.split("."))


_OWNER = re.compile(r"(class|protocol) (\w+)(?:\(([\w, ]+)\))? ([\d.]+)( guarded)?")
_SELECTOR = re.compile(r"(\+ )?(\w+)\((.*?)\)(?: -> ([\w]+))?(?: @([\d.]+))?( guarded)?")
_ARGUMENT = re.compile(r"(out )?(\w+)(?:\[(\d+)\])?")


def read_owners(text: str) -> tuple[Owner, ...]:
    """The owners of a table.

    Raises:
        ValueError: A line is not as the module's text says.
    """
    return tuple(_owners(text))


def _owners(text: str) -> Iterator[Owner]:
    blocks = re.split(r"\n(?=\S)", text.strip())
    for block in blocks:
        heading, *lines = block.splitlines()
        match = _OWNER.fullmatch(heading)
        if match is None:
            raise ValueError(f"not an owner: {heading!r}")
        kind, name, parents, introduced, guarded = match.groups()
        since = version(introduced)
        yield Owner(
            name=name,
            is_class=kind == "class",
            parents=tuple(parents.split(", ")) if parents else (),
            introduced=since,
            selectors=tuple(_selector(line.strip(), since, bool(guarded)) for line in lines),
        )


def _selector(line: str, since: Version, guarded: bool) -> Selector:  # noqa: FBT001
    line = re.sub(r"\s+", " ", line)  # long rows are continued
    match = _SELECTOR.fullmatch(line)
    if match is None:
        raise ValueError(f"not a selector: {line!r}")
    of_class, name, arguments, result, introduced, own_guard = match.groups()
    read = tuple(_argument(part) for part in arguments.split(", ") if part)
    if len(read) != name.count("_"):
        raise ValueError(f"{line!r} has {len(read)} arguments, its name {name.count('_')} colons")
    return Selector(
        name=name,
        arguments=read,
        result=result or "",
        introduced=version(introduced) if introduced else since,
        of_class=bool(of_class),
        guarded=guarded or bool(own_guard),
    )


def _argument(text: str) -> Argument:
    match = _ARGUMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an argument: {text!r}")
    out, kind, length = match.groups()
    return Argument(kind, bool(out), int(length) if length else None)
