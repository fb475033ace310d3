"""Text for the terminal: tones of verdicts and statuses, and nothing that a record can inject."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType
from rich.text import Text

from speedmetal.bench.compare import Verdict
from speedmetal.bench.record import Status
from speedmetal.bench.report.figures import BASELINE
from speedmetal.bench.report.options import Options

# Blue and orange stay apart for every kind of colour vision; red is left to what is broken.
STYLES: dict[str, str] = {
    "": "",
    "muted": "dim",
    BASELINE: "dim",
    Verdict.FASTER: "bold bright_blue",
    Verdict.SLOWER: "dark_orange",
    Verdict.EQUIVALENT: "cyan",
    Verdict.UNDECIDED: "dim",
    Status.OK: "",
    Status.WRONG: "bold red",
    Status.IMPLAUSIBLE: "bold magenta",
    Status.UNFAIR: "bold magenta",
    Status.UNSUPPORTED: "dim",
    Status.OUT_OF_MEMORY: "red",
    Status.TIMEOUT: "red",
    Status.CRASH: "bold red",
    Status.SKIPPED: "dim",
}


def capture(renderable: RenderableType, options: Options) -> str:
    """What a terminal of the options' width shows, with colours where they ask for them."""
    console = Console(
        file=io.StringIO(),
        width=options.width,
        force_terminal=options.ansi,
        color_system="256" if options.ansi else None,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(renderable, crop=False)  # a path that is cut off is none
    # Trailing blanks are padding: they only make a diff noisy.
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def plain_text(text: str, style: str = "") -> Text:
    """Text as it is: brackets of a record are no markup, and no control character gets through."""
    return Text(replace_controls(text), style=style)


def replace_controls(text: str) -> str:
    r"""The text with its control characters (of which escape sequences are made) replaced.

    Example:
        >>> replace_controls("a\x1b[31mb\nc") == "a\N{REPLACEMENT CHARACTER}[31mb c"
        True
    """
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """The text with a sign in the place of every character that does not show, but blanks."""
    return "".join(
        char if char.isprintable() or char == " " else "\N{REPLACEMENT CHARACTER}" for char in text
    )
