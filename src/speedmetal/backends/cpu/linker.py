"""Objects to images: the work of a linker, done once when a kernel is compiled.

What LLVM writes for kernels is simple: sections of code, of constants and of variables, and places
in them that hold the distance to another place. These distances stay the same wherever the image
lies, so they are filled in here. A call out of the image goes to a stub, which jumps to an address
that is looked up when the image is mapped.

The formats are those of the System V ABI (ELF-64 object file format; AMD64 supplement, section
4.4.1, which names the relocations). An object of another kind is not linked: it stays an object,
for LLVM's own linker.
"""

from __future__ import annotations

import mmap
import struct

from speedmetal.backends.cpu.image import Image, round_up
from speedmetal.common.records import field, record


class UnknownObjectError(Exception):
    """The object file holds something that this linker does not handle."""


def link(object_bytes: bytes) -> Image:
    """The image of an object.

    Args:
        object_bytes: As LLVM wrote it, for x86-64 and ELF.

    Raises:
        UnknownObjectError: It is of another kind.
    """
    try:
        sections, symbols = _parse_object(object_bytes)
        return _Layout(sections, symbols).image()
    except (struct.error, LookupError, ValueError) as error:
        raise UnknownObjectError(f"not as ELF describes it: {error}") from error


# --- What an object says -------------------------------------------------------------------------

_FILE_HEADER = struct.Struct("<4sBB10xHH20xQ12xHH")
_SECTION = struct.Struct("<IIQ8xQQIIQQ")
_SYMBOL = struct.Struct("<IBxHQQ")
_RELOCATION = struct.Struct("<QIIq")

_ELF, _CLASS_64, _LITTLE_ENDIAN, _RELOCATABLE, _X86_64 = b"\x7fELF", 2, 1, 1, 62
_KNOWN_SECTIONS = (".text", ".rodata", ".data", ".bss")
"""With their parts (``.rodata.cst4``). Others may have to be run before all else (``.ctors``)."""
_PROGBITS, _SYMBOLS, _RELOCATIONS, _NOTE, _NOBITS, _UNWIND = 1, 2, 4, 7, 8, 0x7000_0001
_WRITABLE, _ALLOCATED, _EXECUTABLE, _THREAD_LOCAL = 1, 2, 4, 0x400
_UNDEFINED, _FIRST_RESERVED = 0, 0xFF00
_INDIRECT_FUNCTION = 10


@record(frozen=False)
class _Section:
    """A section that is in memory; ``place`` is where the image has it."""

    flags: int
    content: bytearray
    zeros: int
    alignment: int
    relocations: list[tuple[int, int, int, int]] = field(default_factory=list)
    place: int = 0


@record
class _Symbol:
    """A symbol; ``section`` is None where the running process defines it."""

    name: str
    section: _Section | None
    offset: int
    is_function: bool


def _parse_object(content: bytes) -> tuple[list[_Section], list[_Symbol]]:
    """The sections that are in memory, with their relocations, and the symbols by number."""
    magic, width, order, kind, machine, start, count, names_at = _FILE_HEADER.unpack_from(content)
    found = (magic, width, order, kind, machine)
    if found != (_ELF, _CLASS_64, _LITTLE_ENDIAN, _RELOCATABLE, _X86_64):
        raise UnknownObjectError(f"no object for x86-64: {found}")
    headers = [_SECTION.unpack_from(content, start + n * _SECTION.size) for n in range(count)]
    names = _part(content, headers[names_at])
    sections = {n: _section(content, header, names) for n, header in enumerate(headers)}
    symbols: list[_Symbol] = []
    for _, kind, _, at, size, strings, *_ in headers:
        if kind == _SYMBOLS:
            names = _part(content, headers[strings])
            symbols = [
                _symbol(parts, names, sections)
                for parts in _SYMBOL.iter_unpack(content[at : at + size])
            ]
    for _, kind, _, at, size, _, target, *_ in headers:
        section = sections[target] if kind == _RELOCATIONS else None
        if section is not None:
            section.relocations += _RELOCATION.iter_unpack(content[at : at + size])
    return [section for section in sections.values() if section is not None], symbols


def _part(content: bytes, header: tuple[int, ...]) -> bytes:
    """The bytes of a section in the file."""
    at, size = header[3:5]
    found = content[at : at + size]
    if len(found) != size:
        raise ValueError("a section beyond its end")
    return found


def _section(content: bytes, header: tuple[int, ...], names: bytes) -> _Section | None:
    """A section of the image; None for what is only for linkers, debuggers and unwinding."""
    name_at, kind, flags, _, size, _, _, alignment, _ = header
    if not flags & _ALLOCATED or kind in (_UNWIND, _NOTE):
        return None
    name = _name(names, name_at)
    is_zero, is_written = kind == _NOBITS, bool(flags & _WRITABLE)
    is_known = (
        any(name == known or name.startswith(f"{known}.") for known in _KNOWN_SECTIONS)
        and kind in (_PROGBITS, _NOBITS)
        and not flags & _THREAD_LOCAL
        and not (is_zero and not is_written)
        and not (is_written and flags & _EXECUTABLE)
    )
    if not is_known:
        raise UnknownObjectError(f"the section {name} of type {kind} with flags {flags:#x}")
    inside = b"" if is_zero else _part(content, header)
    return _Section(flags, bytearray(inside), size if is_zero else 0, max(alignment, 1))


def _name(names: bytes, start: int) -> str:
    return names[start : names.index(b"\0", start)].decode("ascii")


def _symbol(parts: tuple[int, ...], names: bytes, sections: dict[int, _Section | None]) -> _Symbol:
    name_at, info, number, value, _ = parts
    name = _name(names, name_at)
    if info & 15 == _INDIRECT_FUNCTION or _FIRST_RESERVED <= number != 0xFFF1:
        raise UnknownObjectError(f"the symbol {name} of type {info & 15} in section {number:#x}")
    is_inside = _UNDEFINED < number < _FIRST_RESERVED
    return _Symbol(name, sections[number] if is_inside else None, value, info & 15 == 2)


# --- The image -----------------------------------------------------------------------------------

_JUMP = struct.Struct("<2si2x")
_JUMP_OPCODE = b"\xff\x25"  # jmp *distance(%rip)
_JUMP_BYTES = 6
_ADDRESS_BYTES = 8

# Relocations of x86-64: each writes a distance from its own place, but for ADDRESS.
_NONE, _ADDRESS, _DISTANCE, _CALL = 0, 1, 2, 4
_TO_POINTER = frozenset({9, 41, 42})  # GOTPCREL, GOTPCRELX, REX_GOTPCRELX
_LONG_DISTANCE = 24


class _Layout:
    """The places of sections, pointers and stubs in the image, and the relocations at them."""

    def __init__(self, sections: list[_Section], symbols: list[_Symbol]) -> None:
        self._symbols = symbols
        self._code = [s for s in sections if s.flags & _EXECUTABLE]
        writable = [s for s in sections if s.flags & _WRITABLE]
        self._variables = sorted(writable, key=lambda section: bool(section.zeros))
        self._constants = [s for s in sections if not s.flags & (_EXECUTABLE | _WRITABLE)]
        self._pointers: dict[int, int] = {}  # of symbols, by number: places in the constants
        self._stubs: dict[int, int] = {}
        self._outer: list[tuple[int, str]] = []
        self._inner: list[tuple[int, int]] = []

    def image(self) -> Image:
        """The image, with each section at its place and each relocation done."""
        page = mmap.PAGESIZE
        stubs_start = round_up(_place(self._code, 0), _JUMP.size)
        self._stubs = self._assign_places({_CALL}, stubs_start, _JUMP.size, only_outer=True)
        code_size = stubs_start + len(self._stubs) * _JUMP.size
        constants_start = round_up(code_size, page)
        pointers_start = round_up(_place(self._constants, constants_start), _ADDRESS_BYTES)
        self._pointers = self._assign_places(_TO_POINTER, pointers_start, _ADDRESS_BYTES)
        for number in self._stubs:
            end = pointers_start + len(self._pointers) * _ADDRESS_BYTES
            self._pointers.setdefault(number, end)
        constants_end = pointers_start + len(self._pointers) * _ADDRESS_BYTES
        variables_start = round_up(constants_end, page)
        variables_end = _place(self._variables, variables_start)
        self._relocate()
        code = bytearray(code_size)
        code[:stubs_start] = _join_sections(self._code, 0, stubs_start)
        for number, stub in self._stubs.items():
            distance = self._pointers[number] - stub - _JUMP_BYTES
            _JUMP.pack_into(code, stub, _JUMP_OPCODE, distance)
        filled = [s for s in self._variables if not s.zeros]
        filled_end = max([s.place + len(s.content) for s in filled], default=variables_start)
        return Image(
            page,
            bytes(code),
            _join_sections(self._constants, constants_start, constants_end),
            _join_sections(filled, variables_start, filled_end),
            variables_end - filled_end,
            {s.name: self._place_of(s, 0) for s in self._symbols if s.is_function and s.section},
            tuple(self._outer),
            tuple(self._inner),
        )

    def _assign_places(
        self, kinds: set[int] | frozenset[int], start: int, step: int, *, only_outer: bool = False
    ) -> dict[int, int]:
        """A place for each symbol that relocations of these kinds name."""
        places: dict[int, int] = {}
        for section in (*self._code, *self._constants, *self._variables):
            for _, kind, number, _ in section.relocations:
                is_meant = not only_outer or self._symbols[number].section is None
                if kind in kinds and is_meant and number not in places:
                    places[number] = start + len(places) * step
        return places

    def _place_of(self, symbol: _Symbol, addend: int) -> int:
        if symbol.section is None:
            raise UnknownObjectError(f"a distance to {symbol.name!r}, which is not in the object")
        return symbol.section.place + symbol.offset + addend

    def _relocate(self) -> None:
        for number, place in self._pointers.items():
            self._point(place, self._symbols[number], 0)
        for section in (*self._code, *self._constants, *self._variables):
            for offset, kind, number, addend in section.relocations:
                self._relocate_one(section, offset, kind, number, addend)

    def _relocate_one(
        self, section: _Section, offset: int, kind: int, number: int, addend: int
    ) -> None:
        symbol, place = self._symbols[number], section.place + offset
        if kind == _NONE:
            return
        if kind == _ADDRESS:
            if section.flags & _EXECUTABLE:
                raise UnknownObjectError("an address in the code")
            self._point(place, symbol, addend)
            return
        if kind in _TO_POINTER:
            aim = self._pointers[number] + addend
        elif kind == _CALL and number in self._stubs:
            aim = self._stubs[number] + addend
        elif kind in (_DISTANCE, _CALL, _LONG_DISTANCE):
            aim = self._place_of(symbol, addend)
        else:
            raise UnknownObjectError(f"the relocation {kind} for {symbol.name!r}")
        form = "<q" if kind == _LONG_DISTANCE else "<i"
        struct.pack_into(form, section.content, offset, aim - place)

    def _point(self, place: int, symbol: _Symbol, addend: int) -> None:
        if symbol.section is not None:
            self._inner.append((place, self._place_of(symbol, addend)))
        elif addend or not symbol.name:
            raise UnknownObjectError(f"an address beside {symbol.name!r}")
        else:
            self._outer.append((place, symbol.name))


def _place(sections: list[_Section], start: int) -> int:
    """Give sections their places from ``start`` on; where they end."""
    for section in sections:
        if section.alignment > mmap.PAGESIZE:
            raise UnknownObjectError(f"an alignment of {section.alignment} bytes")
        section.place = round_up(start, section.alignment)
        start = section.place + len(section.content) + section.zeros
    return start


def _join_sections(sections: list[_Section], start: int, end: int) -> bytes:
    content = bytearray(end - start)
    for section in sections:
        at = section.place - start
        content[at : at + len(section.content)] = section.content
    return bytes(content)
