"""The preprocessor: macros, conditions and includes of the user's text.

Texts with no more than includes of Metal's headers, pragmas and comparisons of
``__METAL_VERSION__`` are done here, which keeps every character at its place; all others go through
clang.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path

from speedmetal.errors import UserInputError
from speedmetal.metal_simulator.toolchain import Toolchain, scratch_file
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.tokens import Tokens

_NAMES = """
algorithm array assert atomic cache_control command_buffer common compute compute_synchronization
config cooperative_tensor curves data extended_vector function geometric graphics imageblocks
indirect_command_buffer initializer_list integer interpolate interpolation limits logging math
matrix memory mesh numeric object_data os_log pack packed_vector pixel pull_model quadgroup
raster_order_group rasterization raytracing reference relational simdgroup simdgroup_event
simdgroup_matrix stage_in stdlib tensor tessellation texture texture_base thread tuple type_traits
types uniform utility vector visible visible_function_table warp work_distribution
"""
HEADERS = tuple(_NAMES.split())
"""Names of the headers ``<metal_...>``; they have no content of their own here."""

_INCLUDE = re.compile(r"\s*#\s*include\s*<(?:metal_(\w+)|(metal/metal|simd/simd\.h))>\s*")
_OTHER_HEADERS = (
    "metal/metal",
    "simd/simd.h",
    "TargetConditionals.h",
    "MetalPerformancePrimitives/MetalPerformancePrimitives.h",
)
_CONDITION = re.compile(r"\s*#\s*if\s+__METAL_VERSION__\s*(>=|>|<=|<|==|!=)\s*(\d+)\s*")
_SIMPLE = re.compile(r"\s*#\s*(else|endif|pragma\b.*)\s*")
_COMPARISONS = {">=": ge, ">": gt, "<=": le, "<": lt, "==": eq, "!=": ne}
_MARKER = re.compile(r'# (\d+) "((?:\\.|[^"])*)"')
# Hints how far to unroll a loop, by a name: clang leaves macros in them as they are.
_HINT = re.compile(
    r"\s*#\s*pragma\s+(?:(?:GCC\s+)?unroll\b[^A-Za-z_]*[A-Za-z_]|"
    r"clang\s+loop\b.*\(\s*(?!full\b|enable\b|disable\b|\d+\s*\)))"
)
_FILE = "program_source"


@dataclass(frozen=True)
class Preprocessed:
    """Text without directives, and the way back to the user's text.

    Args:
        source: The user's text.
        text: Its content after the preprocessor.
        lines: For each line of ``text`` its line in ``source``; None: they are the same text,
            with directives blanked out.
    """

    source: str
    text: str
    lines: tuple[int, ...] | None = None

    def place(self, line: int, column: int) -> tuple[int, int]:
        """The place in the user's text of a place in ``text``; all counted from 1."""
        if self.lines is None:
            return line, column
        if line > len(self.lines):
            return max(len(self._sources), 1), 1
        number = self.lines[line - 1]
        if number > len(self._sources):
            return max(len(self._sources), 1), 1
        return number, self._column(number, line, column)

    def _column(self, number: int, line: int, column: int) -> int:
        """Macros and blanks change columns: look for the same token in the user's line."""
        source = self._sources[number - 1]
        shown = self._texts[line - 1]
        words = [(w.start(), w[0]) for w in re.finditer(r"\w+|[^\w\s]", shown)]
        own = [(w.start(), w[0]) for w in re.finditer(r"\w+|[^\w\s]", source)]
        index = max((i for i, (start, _) in enumerate(words) if start < column), default=None)
        if index is None or not own:
            return len(source) - len(source.lstrip()) + 1
        word = words[index][1]
        if len(words) == len(own):
            return own[index][0] + 1
        before = sum(1 for _, other in words[:index] if other == word)
        same = [start for start, other in own if other == word]
        if not same:
            return own[0][0] + 1
        return same[min(before, len(same) - 1)] + 1

    @cached_property
    def _sources(self) -> list[str]:
        return self.source.split("\n")

    @cached_property
    def _texts(self) -> list[str]:
        return self.text.split("\n")


def existing_folders(folders: Sequence[str | Path]) -> tuple[Path, ...]:
    """The folders in which includes are looked for.

    Raises:
        UserInputError: One is not there.

    Example:
        >>> existing_folders(["no such folder"])
        Traceback (most recent call last):
            ...
        speedmetal.errors.UserInputError: include_folders: 'no such folder' is no folder
    """
    if isinstance(folders, str | Path):
        raise UserInputError(f"include_folders must be a list of folders, got {folders!r}")
    for folder in folders:
        if not Path(folder).is_dir():
            raise UserInputError(f"include_folders: {str(folder)!r} is no folder")
    return tuple(Path(folder).resolve() for folder in folders)


def preprocess(
    source: str,
    toolchain: Toolchain,
    *,
    language_version: tuple[int, int],
    defines: Mapping[str, str],
    include_folders: Sequence[Path] = (),
) -> Preprocessed:
    """The text that the compiler proper sees.

    Raises:
        MslError: A directive is wrong, or an include is not there.
    """
    version = language_version[0] * 100 + language_version[1] * 10
    if not defines and (done := _blank_directives(source, version)) is not None:
        return Preprocessed(source, done)
    return _by_clang(source, toolchain, version, defines, include_folders)


def _blank_directives(source: str, version: int) -> str | None:
    """The text with blanks for directives; None where there is more than the simple ones."""
    if "#" not in source:
        return None if "__METAL" in source else source
    lines = []
    taken: list[bool] = []  # of each open condition: whether its lines count
    for line in source.split("\n"):
        kept = line
        if line.lstrip().startswith("#"):
            if line.endswith("\\") or not _follow(line, version, taken):
                return None
            kept = " " * len(line)
        elif "__METAL" in line or "__HAVE" in line or "??" in line:
            return None
        lines.append(kept if all(taken) else " " * len(line))
    return None if taken else "\n".join(lines)


def _follow(line: str, version: int, taken: list[bool]) -> bool:
    """Obey one simple directive; False: it is not simple."""
    if include := _INCLUDE.fullmatch(line):
        return include[1] in HEADERS or include[2] is not None
    if condition := _CONDITION.fullmatch(line):
        taken.append(_compare(version, condition[1], int(condition[2])))
        return True
    simple = _SIMPLE.fullmatch(line)
    if simple is None:
        return False
    if simple[1] == "else":
        if not taken:
            return False
        taken[-1] = not taken[-1]
    elif simple[1] == "endif":
        if not taken:
            return False
        taken.pop()
    return True


def _compare(a: int, operator: str, b: int) -> bool:
    return {">=": a >= b, ">": a > b, "<=": a <= b, "<": a < b, "==": a == b, "!=": a != b}[
        operator
    ]


def _by_clang(
    source: str,
    toolchain: Toolchain,
    version: int,
    defines: Mapping[str, str],
    include_folders: Sequence[Path],
) -> Preprocessed:
    macros = {
        "__METAL__": "1",
        "__METAL_VERSION__": str(version),
        "__METAL_MACOS__": "1",
        "__HAVE_BFLOAT__": "1" if version >= 310 else "0",
        "__cplusplus": "201703L",
        "__clang__": "1",
        "__AIR64__": "1",
        "__APPLE__": "1",
    }
    if version < 310:
        del macros["__HAVE_BFLOAT__"]
    macros.update(defines)
    # The markers name the file, so that lines of includes are told from the text's own.
    flags = ["-x", "c++", "-std=c++17", "-nostdinc", "-undef", "-Wno-everything"]
    flags += [f"-D{name}={value}" for name, value in macros.items()]
    flags += ["-isystem", str(_stub_folder_of(os.getpid()))]
    flags += [part for folder in include_folders for part in ("-I", str(folder))]
    done = toolchain.preprocess(f'#line 1 "{_FILE}"\n{source}', flags)
    if done.output is None:
        raise MslError(_faults(done.messages, source), source)
    return _join_lines(source, done.output.decode("utf-8", "replace"))


def _join_lines(source: str, output: str) -> Preprocessed:
    texts: list[str] = []
    numbers: list[int] = []
    number, own = 1, 1
    is_own = True
    for line in output.split("\n"):
        marker = _MARKER.match(line)
        if marker:
            is_own = marker[2] == _FILE
            number = int(marker[1])
            continue
        texts.append("" if _HINT.match(line) else line)
        if is_own:
            own = number
        numbers.append(own)
        number += 1
    return Preprocessed(source, "\n".join(texts), tuple(numbers))


_MESSAGE = re.compile(r"^(.*?):(\d+):(\d+): (?:fatal )?error: (.*)$")
_INCLUDED = re.compile(rf"^In file included from {_FILE}:(\d+):")


def _faults(messages: str, source: str) -> list[MslDiagnostic]:
    """The preprocessor's errors; those in an included file are told where it is included."""
    found: list[MslDiagnostic] = []
    including = 1
    for shown in messages.splitlines():
        if included := _INCLUDED.match(shown):
            including = int(included[1])
        elif error := _MESSAGE.match(shown):
            file, line, column, message = error[1], int(error[2]), int(error[3]), error[4]
            if file == _FILE:
                words = _in_words(message, source.split("\n")[line - 1])
                found.append(MslDiagnostic(line, column, "error", words))
            else:
                where = f"{Path(file).name}:{line}:{column}"
                found.append(MslDiagnostic(including, 1, "error", f"{where}: {message}"))
    return found or [MslDiagnostic(1, 1, "error", messages.strip() or "the text is not valid")]


def _in_words(message: str, directive: str) -> str:
    missing = re.fullmatch(r"'(.*)' file not found", message)
    if missing is None:
        return message
    if '"' in directive:
        return (
            f'there is no file "{missing[1]}" where includes are looked for: name its folder, '
            "include_folders=[...] (of sm.metal.simulate and sm.metal.lint), or put its content "
            "into the text; Metal itself, and so sm.metal.library, compiles one text without files"
        )
    return (
        f"there is no header <{missing[1]}>: Metal has its own library, <metal_stdlib>, and none "
        "of C or C++"
    )


@cache
def _stub_folder_of(_process: int) -> Path:
    """A folder of headers without content."""
    folder = scratch_file(".include")
    for name in (*(f"metal_{header}" for header in HEADERS), *_OTHER_HEADERS):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#pragma once\n")
    return folder


def tokens_of(text: Preprocessed) -> Tokens:
    """The tokens of a preprocessed text; faults are shown in the user's own.

    Raises:
        MslError: A bracket has no partner.
    """
    try:
        return Tokens(text.text)
    except MslError as error:
        raise relocate_error(error, text) from None


def relocate_error(error: MslError, text: Preprocessed) -> MslError:
    """The error with each fault at its place in the user's text."""
    moved = [
        MslDiagnostic(*text.place(found.line, found.column), found.severity, found.message)
        for found in error.diagnostics
    ]
    return MslError(moved, text.source)
