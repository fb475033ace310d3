"""Lines of the source text for addresses of compiled code: reads the line table of a library.

Reads what clang writes: ELF with 64 bits, DWARF version 5. Source: the DWARF standard, version 5,
section 6.2 (https://dwarfstd.org/dwarf5std.html).
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from speedmetal.metal_simulator.runtime import library

SOURCE_NAME = "program_source"
"""The name that a program's text has for the compiler (``#line 1 "program_source"``)."""

_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")  # Elf64_Shdr
_VERSION = 5

# Forms (7.5.6) and content types (7.22) that occur in the tables of names.
_FORM_STRING, _FORM_LINE_STRP, _FORM_STRP, _FORM_UDATA = 0x08, 0x1F, 0x0E, 0x0F
_FORM_SIZES = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}  # data1, 2, 4, 8, 16
_CONTENT_PATH = 1

# Opcodes (7.22).
_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _CONST_ADD_PC, _FIXED_ADVANCE_PC = 1, 2, 3, 4, 8, 9
_END_SEQUENCE, _SET_ADDRESS = 1, 2


class _Reader:
    """Numbers of a line table, one after another."""

    def __init__(self, content: bytes, position: int) -> None:
        self.content = content
        self.position = position

    def read_integer(self, size: int) -> int:
        """An unsigned number of `size` bytes."""
        self.position += size
        return int.from_bytes(self.content[self.position - size : self.position], "little")

    def read_uleb128(self) -> int:
        """An unsigned number in ULEB128 form."""
        value = shift = 0
        while True:
            byte = self.read_integer(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def read_sleb128(self) -> int:
        """A signed number in SLEB128 form."""
        begin = self.position
        value = self.read_uleb128()
        bits = 7 * (self.position - begin)
        return value - (1 << bits) if value >> (bits - 1) else value

    def read_string(self) -> str:
        """A text with a zero behind it."""
        end = self.content.index(b"\0", self.position)
        text = self.content[self.position : end].decode(errors="replace")
        self.position = end + 1
        return text


@dataclass(slots=True)
class _Program:
    """The header of one line program, and its registers (6.2.2)."""

    minimum_length: int
    line_base: int
    line_range: int
    opcode_base: int
    operand_counts: list[int]
    files: list[str]
    address: int = 0
    file: int = 1
    line: int = 1

    def advance(self, adjusted: int) -> None:
        self.address += adjusted // self.line_range * self.minimum_length

    def reset(self) -> None:
        self.address, self.file, self.line = 0, 1, 1


_Row = tuple[int, int]  # offset of the code, line; 0: no line, -1: nothing follows


@dataclass(frozen=True, slots=True)
class LineTable:
    """Lines of one source file in a compiled library.

    Args:
        rows: Where the code of each line begins, sorted.
        offsets: The first member of each row, for the search.

    Example:
        >>> LineTable(((0, 3), (8, 4), (20, -1))).line(9)
        4
    """

    rows: tuple[_Row, ...]
    offsets: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "offsets", tuple(offset for offset, _ in self.rows))

    def line(self, offset: int) -> int | None:
        """The line of the code at an offset from the library's begin.

        Code that came from another file (a function of a header, inlined) has the line before it:
        that of the call.
        """
        index = bisect.bisect_right(self.offsets, offset) - 1
        while index >= 0 and self.rows[index][1] == 0:
            index -= 1
        return self.rows[index][1] if index >= 0 and self.rows[index][1] > 0 else None


def source_line(address: int) -> int | None:
    """The line of the program's text for an address in a loaded library; None: there is none."""
    begin: int = library.runtime().smr_library_begin(address)
    return _table_at(begin).line(address - begin)


@lru_cache(maxsize=16)
def _table_at(begin: int) -> LineTable:
    return line_table(library.content_of(begin), SOURCE_NAME)


def line_table(content: bytes, file_name: str) -> LineTable:
    """The lines of a file; empty where the library has none, or none that can be read.

    Args:
        content: The bytes of an ELF file.
        file_name: As the compiler was told it.
    """
    sections = _sections(content)
    rows: list[_Row] = []
    try:
        for program, reader, end in _programs(sections.get(".debug_line", b""), sections):
            rows += _rows(program, reader, end, file_name)
    except (LookupError, ValueError):
        return LineTable(())
    # Where code of one function ends and another's begins, the begin counts.
    return LineTable(tuple(sorted(rows, key=lambda row: (row[0], row[1] >= 0))))


def _sections(content: bytes) -> dict[str, bytes]:
    if content[:5] != b"\x7fELF\x02":
        return {}
    (table,) = struct.unpack_from("<Q", content, 0x28)
    size, count, names_index = struct.unpack_from("<HHH", content, 0x3A)
    headers = [_SECTION_HEADER.unpack_from(content, table + size * i) for i in range(count)]
    contents = [content[header[4] : header[4] + header[5]] for header in headers]
    names = contents[names_index] if contents else b""
    return {
        _Reader(names, header[0]).read_string(): part
        for header, part in zip(headers, contents, strict=True)
    }


def _programs(
    content: bytes, sections: dict[str, bytes]
) -> Iterator[tuple[_Program, _Reader, int]]:
    reader = _Reader(content, 0)
    while reader.position < len(content):
        length = reader.read_integer(4)
        end = reader.position + length
        if reader.read_integer(2) == _VERSION:
            yield _header(reader, sections), reader, end
        reader.position = end


def _header(reader: _Reader, sections: dict[str, bytes]) -> _Program:
    reader.read_integer(2)  # sizes of addresses and of segment selectors
    header_length = reader.read_integer(4)
    begin = reader.position + header_length
    minimum_length = reader.read_integer(1)
    reader.read_integer(2)  # operations of an instruction; whether lines are statements at first
    line_base = reader.read_integer(1)
    line_range = reader.read_integer(1)
    opcode_base = reader.read_integer(1)
    operand_counts = [0] + [reader.read_integer(1) for _ in range(opcode_base - 1)]
    _names(reader, sections)  # folders
    files = _names(reader, sections)
    reader.position = begin
    return _Program(
        minimum_length,
        line_base - 256 if line_base > 127 else line_base,
        line_range,
        opcode_base,
        operand_counts,
        files,
    )


def _names(reader: _Reader, sections: dict[str, bytes]) -> list[str]:
    formats = [
        (reader.read_uleb128(), reader.read_uleb128()) for _ in range(reader.read_integer(1))
    ]
    names = []
    for _ in range(reader.read_uleb128()):
        name = ""
        for content, form in formats:
            value = _value(reader, form, sections)
            if content == _CONTENT_PATH:
                name = value
        names.append(name)
    return names


def _value(reader: _Reader, form: int, sections: dict[str, bytes]) -> str:
    if form == _FORM_STRING:
        return reader.read_string()
    if form in (_FORM_LINE_STRP, _FORM_STRP):
        name = ".debug_line_str" if form == _FORM_LINE_STRP else ".debug_str"
        return _Reader(sections[name], reader.read_integer(4)).read_string()
    if form == _FORM_UDATA:
        reader.read_uleb128()
    else:
        reader.read_integer(_FORM_SIZES[form])
    return ""


def _rows(program: _Program, reader: _Reader, end: int, file_name: str) -> Iterator[_Row]:
    while reader.position < end:
        opcode = reader.read_integer(1)
        if opcode >= program.opcode_base:
            adjusted = opcode - program.opcode_base
            program.advance(adjusted)
            program.line += program.line_base + adjusted % program.line_range
            yield _row(program, file_name)
        elif opcode == 0:
            yield from _run_extended_opcode(program, reader)
        elif opcode == _COPY:
            yield _row(program, file_name)
        else:
            _run_standard_opcode(program, reader, opcode)


def _row(program: _Program, file_name: str) -> _Row:
    is_ours = program.files[program.file] == file_name
    return program.address, program.line if is_ours else 0


def _run_extended_opcode(program: _Program, reader: _Reader) -> Iterator[_Row]:
    length = reader.read_uleb128()
    following = reader.position + length
    opcode = reader.read_integer(1)
    if opcode == _END_SEQUENCE:
        yield program.address, -1
        program.reset()
    elif opcode == _SET_ADDRESS:
        program.address = reader.read_integer(length - 1)
    reader.position = following


def _run_standard_opcode(program: _Program, reader: _Reader, opcode: int) -> None:
    if opcode == _ADVANCE_PC:
        program.address += reader.read_uleb128() * program.minimum_length
    elif opcode == _ADVANCE_LINE:
        program.line += reader.read_sleb128()
    elif opcode == _SET_FILE:
        program.file = reader.read_uleb128()
    elif opcode == _CONST_ADD_PC:
        program.advance(255 - program.opcode_base)
    elif opcode == _FIXED_ADVANCE_PC:
        program.address += reader.read_integer(2)
    else:
        for _ in range(program.operand_counts[opcode]):
            reader.read_uleb128()
