"""Checks Metal Shading Language as far as a compiler without Metal can: with real address spaces.

The text is read as C++ for OpenCL, whose address spaces are those of Metal, and by rules on its
tokens for what that language allows and Metal does not. A text that passes is likely, not sure, to
be accepted by Apple's compiler.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from speedmetal.metal_simulator import toolchain as toolchains
from speedmetal.metal_simulator.language import building, messages, rules
from speedmetal.metal_simulator.language.preprocess import (
    Preprocessed,
    existing_folders,
    preprocess,
    relocate_error,
    tokens_of,
)
from speedmetal.metal_simulator.language.translation import Translation, translate
from speedmetal.metal_simulator.language.words import Reading
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.tokens import Tokens
from speedmetal.system.disk_cache import default_cache

_CLEAN = b"clean"


def lint(
    source: str,
    *,
    language_version: tuple[int, int] = (3, 1),
    defines: Mapping[str, str] | None = None,
    include_folders: Sequence[str | Path] = (),
) -> tuple[MslDiagnostic, ...]:
    """What Apple's compiler would not accept, or not mean as it looks.

    Args:
        source: The text.
        language_version: Of the language.
        defines: Macros.
        include_folders: Where ``#include "..."`` looks; by default nowhere.

    Returns:
        The faults in the text's order; none where it is clean.

    Raises:
        UserInputError: A folder is not there.
        DeviceError: There is no compiler for the simulator.
    """
    toolchain = toolchains.find()
    folders = existing_folders(include_folders)
    given = (source, language_version, sorted((defines or {}).items()))
    digest = blake2b(repr(given).encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
    key = f"msl-lint:{building.identity(toolchain)}:{digest}"
    if not include_folders and default_cache().get(key) == _CLEAN:
        return ()
    try:
        found = _find_faults(source, toolchain, language_version, dict(defines or {}), folders)
    except MslError as error:
        return error.diagnostics
    if not found and not include_folders:
        default_cache().put(key, _CLEAN)
    return found


def _find_faults(
    source: str,
    toolchain: toolchains.Toolchain,
    language_version: tuple[int, int],
    defines: Mapping[str, str],
    include_folders: Sequence[Path],
) -> tuple[MslDiagnostic, ...]:
    text = preprocess(
        source,
        toolchain,
        language_version=language_version,
        defines=defines,
        include_folders=include_folders,
    )
    tokens = tokens_of(text)
    by_rules = rules.faults(tokens, language_version)
    try:
        translation = translate(tokens, Reading.CHECKED, constants={})
    except MslError as error:
        raise relocate_error(error, text) from None
    flags = building.flags_of(Reading.CHECKED)
    done = building.compile_text(toolchain, translation.rewritten.text, Reading.CHECKED, flags)
    by_compiler = _by_compiler(
        messages.read_checked_messages(done.messages, translation.rewritten, text)
    )
    ours = [MslDiagnostic(*text.place(d.line, d.column), d.severity, d.message) for d in by_rules]
    ours += _warn_of_omissions(translation, tokens, text)
    lines = {(d.line, d.severity) for d in ours}
    # Where a rule speaks of a line, the compiler's words would say the same worse.
    rest = [d for d in by_compiler if (d.line, d.severity) not in lines]
    return tuple(sorted([*ours, *rest], key=lambda d: (d.line, d.column)))


def _warn_of_omissions(
    translation: Translation, tokens: Tokens, text: Preprocessed
) -> list[MslDiagnostic]:
    """Warnings about functions that were left out: that nothing is said of them means nothing."""
    return [
        MslDiagnostic(
            *text.place(*tokens.place(declaration.name_index)),
            "warning",
            f"not checked: {declaration.name} {reason}",
        )
        for declaration, reason in translation.omitted
    ]


_TO_BFLOAT = re.compile(r"implicit conversion .*: '([^']*)' to '(?:const )?bfloat'")


def _by_compiler(found: list[MslDiagnostic]) -> list[MslDiagnostic]:
    """The messages that are about Metal: errors, and of the warnings those about bfloat."""
    kept = []
    for diagnostic in found:
        loses = _TO_BFLOAT.match(diagnostic.message)
        if loses:
            message = f"a {loses[1]} does not become a bfloat by itself: write bfloat(...)"
            kept.append(replace(diagnostic, severity="error", message=message))
        elif diagnostic.severity == "error":
            kept.append(diagnostic)
    return kept
