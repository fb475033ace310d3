"""Metal source to libraries: what Metal's compiler takes, and what it complains about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from speedmetal.backends.metal.driver.bridge import Version
from speedmetal.backends.metal.driver.context import MetalContext
from speedmetal.backends.metal.driver.errors import describe_error

MATH_MODES = {"safe": 0, "relaxed": 1, "fast": 2}
"""Values of ``MTLMathMode``. Before macOS 15 there is one switch, fast or not: relaxed is safe."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """One message of Metal's compiler, with its place in the source (from 1)."""

    line: int
    column: int
    message: str


class RefusedSourceError(Exception):
    """Metal's compiler refused a source; for those who know whose fault that is.

    Args:
        text: What it said.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.complaints = tuple(_complaints(text))


_COMPLAINT = re.compile(r"^[^\s:][^:\n]*:(\d+):(\d+): (?:fatal )?error: (.*)$", re.MULTILINE)


def _complaints(text: str) -> Iterator[Complaint]:
    for match in _COMPLAINT.finditer(text):
        yield Complaint(int(match[1]), int(match[2]), match[3])


def compile_library(
    context: MetalContext,
    source: str,
    *,
    language: Version,
    math_mode: str,
    label: str,
) -> Any:
    """An ``MTLLibrary`` made of Metal source.

    Args:
        context: Where it will run.
        source: In Metal Shading Language.
        language: Version of it.
        math_mode: A key of :data:`MATH_MODES`.
        label: For Apple's tools.

    Raises:
        RefusedSourceError: The compiler found an error.
    """
    bridge = context.bridge
    with bridge.objc.autorelease_pool():
        options = bridge.Metal.MTLCompileOptions.alloc().init()
        options.setLanguageVersion_(language[0] << 16 | language[1])
        if bridge.has("setMathMode_"):
            options.setMathMode_(MATH_MODES[math_mode])
        else:
            options.setFastMathEnabled_(math_mode == "fast")
        library, error = context.native.newLibraryWithSource_options_error_(source, options, None)
        if library is None:  # not the error: warnings set it too, beside a library
            raise RefusedSourceError(describe_error(error))
        library.setLabel_(label)
    return library
