"""What a launch must know of a compiled kernel besides its code, and both as one entry on disk."""

from __future__ import annotations

import marshal
import struct
from typing import TYPE_CHECKING, Any

from speedmetal.common.records import record
from speedmetal.dtypes import find_dtype
from speedmetal.ir.report_sites import AssertSite, PrintSite, ReportSites
from speedmetal.ir.size_expression import SizedArray, formula_from
from speedmetal.source import SourceSpan, SourceText

if TYPE_CHECKING:
    from speedmetal.ir.analysis import KernelFacts

_MARSHAL_FORM = 4  # which every Python since 3.4 reads
_LENGTH = struct.Struct("<Q")


@record
class KernelMetadata:
    """What a launch must know of a kernel besides its code.

    Args:
        written: The parameters that it writes to, by number.
        has_loops: Whether the work of a thread may be long.
        size: How many expressions its code has, functions in the place of their calls.
        loads: For each parameter, how many elements a thread reads; see
            :class:`speedmetal.ir.analysis.KernelFacts`.
        variants: Of the device, those that the code does for.
        threads: Of a threadgroup along each axis, at most, that suit the kernel where nobody states
            any; None where no shape is better than others.
        threadgroup_memory_bytes: Bytes of the threadgroup arrays with constant shapes.
        sites: The asserts and prints that it may report.
        sized_arrays: Threadgroup arrays of which only a launch knows the sizes.
        updated: Of the parameters that it writes to, by number, those whose new content depends on
            the old one: a second launch on the same arrays may do something else.
    """

    written: frozenset[int]
    has_loops: bool
    size: int
    loads: tuple[int | None, ...]
    variants: tuple[str, ...]
    threads: tuple[int, int, int] | None
    threadgroup_memory_bytes: int
    sites: ReportSites
    sized_arrays: tuple[SizedArray, ...] = ()
    updated: frozenset[int] = frozenset()


def metadata_of(
    facts: KernelFacts,
    name: str,
    variants: tuple[str, ...],
    threads: tuple[int, int, int] | None,
) -> KernelMetadata:
    """Of what is known of a kernel, that which a launch needs.

    Args:
        facts: Of the kernel as it goes to the printer.
        name: The user's name of it, for messages.
        variants: Of the device, those that the code does for.
        threads: Of a threadgroup, that suit the kernel on the device.
    """
    return KernelMetadata(
        facts.written,
        facts.has_loops,
        facts.size_with_callees,
        facts.loads,
        variants,
        threads,
        facts.threadgroup_bytes,
        facts.report_sites(name),
        facts.sized_arrays,
        facts.updated,
    )


def pack_entry(metadata: KernelMetadata, code: bytes) -> bytes:
    """A kernel's metadata and machine code in one piece; the inverse of :func:`unpack_entry`."""
    sites = metadata.sites
    record = {
        "written": sorted(metadata.written),
        "has_loops": metadata.has_loops,
        "size": metadata.size,
        "loads": metadata.loads,
        "variants": metadata.variants,
        "threads": metadata.threads,
        "threadgroup_memory_bytes": metadata.threadgroup_memory_bytes,
        "kernel": sites.kernel,
        "debug": sites.debug,
        "asserts": [(site.kind, site.reason, _span_record(site.span)) for site in sites.asserts],
        "prints": [(site.parts, [d.name for d in site.dtypes]) for site in sites.prints],
        "sized_arrays": _sized_arrays_text(metadata.sized_arrays),
        "updated": sorted(metadata.updated),
    }
    text = marshal.dumps(record, _MARSHAL_FORM)
    return _LENGTH.pack(len(text)) + text + code


def unpack_entry(entry: bytes) -> tuple[KernelMetadata, bytes]:
    """The metadata and machine code of an entry on disk.

    Raises:
        ValueError, LookupError: The bytes are no such entry.
    """
    if len(entry) < _LENGTH.size:
        raise ValueError("too short")
    (length,) = _LENGTH.unpack_from(entry)
    end = _LENGTH.size + length
    record = _parse(entry[_LENGTH.size : end])
    sites = ReportSites(
        record["kernel"],
        record["debug"],
        tuple(AssertSite(kind, why, _span(*place)) for kind, why, place in record["asserts"]),
        tuple(
            PrintSite(tuple(p), tuple(map(find_dtype, dtypes))) for p, dtypes in record["prints"]
        ),
    )
    metadata = KernelMetadata(
        frozenset(record["written"]),
        record["has_loops"],
        record["size"],
        tuple(record["loads"]),
        tuple(record["variants"]),
        record["threads"],
        record["threadgroup_memory_bytes"],
        sites,
        _parse_sized_arrays(record["sized_arrays"]),
        frozenset(record["updated"]),
    )
    return metadata, entry[end:]


def _parse(record: bytes) -> dict[str, Any]:
    """What :mod:`marshal` has written: it is built in, where to import :mod:`json` takes 2 ms, and
    a parser of Python's literals takes 80 us for a record. The bytes must be as trusted as the code
    that lies beside them.

    Raises:
        ValueError: The bytes are something else.
    """
    try:
        found: dict[str, Any] = marshal.loads(record)  # noqa: S302 - see above
    except (EOFError, TypeError) as error:
        raise ValueError(str(error)) from error
    if type(found) is not dict:
        raise ValueError(f"a {type(found).__name__}")
    return found


def _sized_arrays_text(arrays: tuple[SizedArray, ...]) -> str:
    """JSON, which has NaN and infinities as well; empty where there are none, as nearly always."""
    if not arrays:
        return ""
    import json

    return json.dumps([(a.name, a.itemsize, a.shape) for a in arrays])


def _parse_sized_arrays(text: str) -> tuple[SizedArray, ...]:
    if not text:
        return ()
    import json

    return tuple(
        SizedArray(name, itemsize, formula_from(shape))
        for name, itemsize, shape in json.loads(text)
    )


def _span_record(span: SourceSpan) -> tuple[Any, ...]:
    """A span with the one line of text that its excerpt shows."""
    line = span.text.line(span.line)
    return span.text.name, line, span.line, span.column, span.end_line, span.end_column


def _span(
    name: str, text: str, line: int, column: int, end_line: int, end_column: int
) -> SourceSpan:
    return SourceSpan(SourceText(name, line, (text,)), line, column, end_line, end_column)
