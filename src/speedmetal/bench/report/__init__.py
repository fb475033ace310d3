"""Reports: one renderer per format, each a pure function from records to text or bytes.

A renderer computes no statistics: all of them print the rows of :mod:`.figures`, which come from
:mod:`speedmetal.bench.compare`. A format is one line of :data:`FORMATS` and one module with a
function ``render(records, options)``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from speedmetal.bench.report.options import Options
from speedmetal.bench.store import Records
from speedmetal.errors import UnknownNameError

__all__ = ["FORMATS", "Format", "Options", "find_format", "format_of_suffix"]

Renderer = Callable[[Records, Options], str | bytes]


@dataclass(frozen=True)
class Format:
    """A way to show records.

    Attributes:
        name: What the user writes.
        suffix: Of the files that hold it, with the dot.
        render: Records to text, or to bytes where the format is not text.
        description: One line for people.
    """

    name: str
    suffix: str
    render: Renderer
    description: str


def _in_module(module: str) -> Renderer:
    """The renderer of a module that is imported when it is first used.

    The charts, the Parquet library and the terminal library each take a noticeable time to
    import, and no report needs all of them.
    """

    def render(records: Records, options: Options) -> str | bytes:
        renderer: Renderer = importlib.import_module(f"{__name__}.{module}").render
        return renderer(records, options)

    return render


FORMATS: dict[str, Format] = {
    format_.name: format_
    for format_ in (
        Format("terminal", ".txt", _in_module("terminal"), "tables for the terminal"),
        Format("markdown", ".md", _in_module("markdown"), "tables for GitHub"),
        Format("csv", ".csv", _in_module("csv_table"), "every figure, a line a result"),
        Format("parquet", ".parquet", _in_module("parquet"), "every figure and every sample"),
        Format("published", ".md", _in_module("published"), "the published tables' own layout"),
        Format("html", ".html", _in_module("html"), "one page with charts that works offline"),
    )
}


def find_format(name: str) -> Format:
    """The format of a name.

    Raises:
        UnknownNameError: There is none of this name.
    """
    if name not in FORMATS:
        raise UnknownNameError("format", name, FORMATS)
    return FORMATS[name]


def format_of_suffix(suffix: str) -> Format | None:
    """The first format whose files end in ``suffix`` (``".html"``), or None."""
    return next((f for f in FORMATS.values() if f.suffix == suffix.lower()), None)
