"""A warning where a kernel takes long to compile, which says what of it is long."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speedmetal.ir import nodes as ir

LONG_COMPILE_SECONDS = 5.0
"""From here on a compile is told of: far above the tenth of a second that most kernels take."""


class LongCompileWarning(UserWarning):
    """A kernel took long to compile."""


def warn_if_long(kernel: ir.Kernel, name: str, seconds: float) -> None:
    """Warn of a compile that took more than `LONG_COMPILE_SECONDS`.

    Args:
        kernel: As it was built: unrolled and lowered.
        name: The user's name of it.
        seconds: From the start of the front end to loaded code.
    """
    if seconds > LONG_COMPILE_SECONDS:
        place = kernel.span
        message = f"{_description(kernel, name, seconds)}; {_ADVICE}"
        warnings.warn_explicit(message, LongCompileWarning, place.text.name, place.line)


_ADVICE = (
    "a loop over range(...) is not unrolled where it needs no constant, and a "
    "kernel of several smaller ones compiles faster; the code is kept on disk for the next process"
)


def _description(kernel: ir.Kernel, name: str, seconds: float) -> str:
    from speedmetal.ir import walk  # not where the code comes from disk

    statements = [*walk.statements(kernel.body)]
    size = walk.size_with_callees(kernel.body)
    text = (
        f"kernel {name!r} took {seconds:.1f} s to compile: it has {len(statements)} statements and "
        f"{size} expressions after unrolling and with the functions that it calls"
    )
    lines = Counter((s.span.text.name, s.span.line, s.span.text) for s in statements)
    if not lines:
        return text
    (file, number, source), count = max(lines.items(), key=lambda item: item[1])
    if count == 1:
        return text
    excerpt = source.line(number).strip()
    return f"{text}, and {count} of the statements are line {number} of {file}, {excerpt!r}"
