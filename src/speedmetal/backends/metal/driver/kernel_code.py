"""A kernel as it lies on disk: the printed source, and what a launch must bind.

That is no machine code: Apple's compiler makes that of it when a program is loaded, once for each
kernel and GPU; :mod:`speedmetal.backends.metal.driver.archive` keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from speedmetal.backends.c_family.layout import ArgumentLayout
from speedmetal.backends.kept_code import Envelope
from speedmetal.backends.metal.codegen.printer import Place, PrintedKernel
from speedmetal.backends.metal.driver.bridge import Version


@dataclass(frozen=True, slots=True)
class MetalCode:
    """A kernel ready for Metal's compiler: all that a later process needs to load it.

    Args:
        printed: The source, and what a launch must bind.
        element_bytes: Sizes of the arrays' elements, in the order of the buffers.
        math_mode: A key of :data:`speedmetal.backends.metal.driver.libraries.MATH_MODES`.
        language: The version of Metal's language.
    """

    printed: PrintedKernel
    element_bytes: tuple[int, ...]
    math_mode: str
    language: Version


_ENVELOPE = Envelope("metal", 2)
"""The number changes with what is kept."""


def packed(code: MetalCode) -> bytes:
    """The bytes of a kernel; the inverse of :func:`unpacked`."""
    return _ENVELOPE.sealed(_record(code))


def unpacked(data: bytes) -> MetalCode:
    """The kernel in bytes that :func:`packed` made.

    Raises:
        InternalError: These are others, or damaged.
    """
    return _ENVELOPE.opened(data, _code)


def _record(code: MetalCode) -> dict[str, Any]:
    text = code.printed
    size, fields = text.layout.record()
    return {
        "text": text.text,
        "entry": text.entry,
        "fields": fields,
        "size": size,
        "arrays": text.arrays,
        "has_mailbox": text.has_mailbox,
        "sized_arrays": text.sized_arrays,
        "places": [(p.printed_line, p.file, p.line, p.text) for p in text.places],
        "element_bytes": code.element_bytes,
        "math_mode": code.math_mode,
        "language": code.language,
    }


def _code(record: dict[str, Any], _body: bytes) -> MetalCode:
    fields, size = record["fields"], record["size"]
    major, minor = record["language"]
    text = PrintedKernel(
        record["text"],
        record["entry"],
        ArgumentLayout.from_record([size, fields]),
        tuple(record["arrays"]),
        record["has_mailbox"],
        record["sized_arrays"],
        tuple(Place(*place) for place in record["places"]),
    )
    return MetalCode(text, tuple(record["element_bytes"]), record["math_mode"], (major, minor))
