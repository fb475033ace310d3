"""Compiles translated text: the flags of both readings, the precompiled library, the messages."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Final

from speedmetal import msl
from speedmetal.errors import InternalError
from speedmetal.metal_simulator.language.words import Reading
from speedmetal.metal_simulator.toolchain import Compilation, Toolchain, scratch_file
from speedmetal.system.disk_cache import default_cache

_HEADERS: Final = Path(__file__).parent / "headers"
_ABI: Final = Path(__file__).parent.parent / "runtime" / "abi.h"
_MACHINE_FLAGS = {
    # Conversions of half and fused multiplications are single instructions from here on.
    "x86_64": ("-march=x86-64-v3",),
    "aarch64": (),
}
_COMMON = (
    "-Xclang",
    "-cl-single-precision-constant",
    "-fno-caret-diagnostics",
    "-fno-color-diagnostics",
    "-fno-diagnostics-show-option",
    "-ferror-limit=1000",
    "-ftemplate-backtrace-limit=1",
    "-Wno-everything",
    "-Werror=return-type",
    "-Werror=c++11-narrowing",
    "-fno-elide-type",
)
_SIMULATED = (
    "-x",
    "c++",
    "-std=c++17",
    "-nostdinc",
    "-O1",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fno-math-errno",
    "-fno-strict-aliasing",
    # Integers wrap; floats beyond an integer's range become its nearest number, and NaN 0.
    "-fwrapv",
    "-fno-strict-float-cast-overflow",
    "-fno-stack-protector",
    # A frame larger than a stack's guard page must not step over it.
    "-fstack-clash-protection",
    # What a kernel does with nullptr must happen, to be seen.
    "-fno-delete-null-pointer-checks",
    # The runtime tells places of the program apart by the chain of frames.
    "-fno-omit-frame-pointer",
    "-fno-optimize-sibling-calls",
    # Each operation is rounded by itself.
    "-ffp-contract=off",
    "-Xclang",
    "-ffloat16-excess-precision=none",
    "-gline-tables-only",
    # Branches stand before the place where they join, as in the text: lanes that parted wait for
    # each other in the code's order. And an endless loop stays one, for the watchdog.
    "-mllvm",
    "-disable-block-placement",
    "-mllvm",
    "-disable-branch-fold",
    "-fno-finite-loops",
    # An index is held against the size of the array where that stands in the text, and a pointer
    # into a thread's own array or a table against its end: no guard stands there. The first calls
    # the runtime, the second traps.
    "-fsanitize=array-bounds,local-bounds",
    "-fno-sanitize-recover=array-bounds",
    "-fsanitize-trap=local-bounds",
)
# Of the second sanitizer the gaps around variables alone; own_arrays.c has the offset too.
_GAPS = (
    "-asan-stack=1",
    "-asan-instrument-reads=0",
    "-asan-instrument-writes=0",
    "-asan-instrument-atomics=0",
    "-asan-instrument-dynamic-allocas=0",
    "-asan-use-after-scope=0",
    "-asan-max-inline-poisoning-size=0",
    f"-asan-mapping-offset={1 << 44}",
)
_RACES = (
    "-fsanitize=thread",
    "-mllvm",
    "-tsan-instrument-func-entry-exit=0",
    "-Xclang",
    "-fsanitize=kernel-address",
    *(part for option in _GAPS for part in ("-mllvm", option)),
)
_FAST = ("-ffast-math", "-ffp-contract=fast")
_CHECKED = (
    "-x",
    "clcpp",
    "-cl-std=clc++2021",
    "-cl-no-stdinc",
    "-Wimplicit-float-conversion",
    "-Werror=uninitialized",
    "-Werror=vla",
)
_HEADER_OF = {Reading.SIMULATED: "simulated.h", Reading.CHECKED: "checked.h"}


def flags_of(reading: Reading, *, fast_math: bool = False, check_races: bool = False) -> list[str]:
    """The flags with which clang compiles a program that is read in this way."""
    if reading is Reading.CHECKED:
        return [*_COMMON, *_CHECKED]
    flags = [*_SIMULATED, *_MACHINE_FLAGS[platform.machine()], *_COMMON]
    if fast_math:
        flags += _FAST
    if check_races:
        flags += _RACES
    return flags


@functools.cache
def headers_digest() -> str:
    """A digest of the simulator's headers, for keys of what was compiled with them."""
    return _digest([*sorted(_HEADERS.glob("*.h")), _ABI])


@functools.cache
def _translator_digest() -> str:
    """Changes with the text of the packages that read, translate and check."""
    folders = (Path(__file__).parent, Path(msl.__file__).parent)
    return _digest(path for folder in folders for path in sorted(folder.glob("*.py")))


def _digest(paths: Iterable[Path]) -> str:
    digest = blake2b(digest_size=12)
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def identity(toolchain: Toolchain) -> str:
    """What compiled code depends on beside its text."""
    return f"{toolchain.identity}:{headers_digest()}:{_translator_digest()}"


def with_library(toolchain: Toolchain, reading: Reading, flags: list[str]) -> list[str]:
    """The flags, and those that bring in the precompiled library."""
    return [
        *flags,
        "-include-pch",
        str(_write_precompiled_header(toolchain, reading, tuple(flags), os.getpid())),
    ]


@functools.cache
def _write_precompiled_header(
    toolchain: Toolchain, reading: Reading, flags: tuple[str, ...], _process: int
) -> Path:
    """The precompiled library as a file of this process."""
    header = _HEADERS / _HEADER_OF[reading]
    key = f"msl-library:{toolchain.identity}:{headers_digest()}:{header}:{' '.join(flags)}"
    content = default_cache().get_or_build(key, lambda: _precompile(toolchain, header, flags))
    path = scratch_file(".pch")
    path.write_bytes(content)
    return path


def _precompile(toolchain: Toolchain, header: Path, flags: tuple[str, ...]) -> bytes:
    language = flags[flags.index("-x") + 1]
    others = [*flags, "-x", f"{language}-header", "-Xclang", "-fno-pch-timestamp"]
    if language == "clcpp":
        others = [*flags, "-Xclang", "-emit-pch", "-Xclang", "-fno-pch-timestamp"]
    done = toolchain.compile_file(header, others)
    if done.output is None:
        raise InternalError(
            f"the Metal library of the simulator does not compile:\n{done.messages}"
        )
    return done.output


def compile_text(
    toolchain: Toolchain, text: str, reading: Reading, flags: list[str]
) -> Compilation:
    """Compile translated text to an object, or check it."""
    every = with_library(toolchain, reading, flags)
    if reading is Reading.CHECKED:
        return Compilation(None, toolchain.check(text, every))
    return toolchain.compile(text, every)
