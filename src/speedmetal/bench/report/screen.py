"""The end of a run on one screen of a terminal, whatever the run's size."""

from __future__ import annotations

import shlex

from rich.console import Console, Group, RenderableType
from rich.text import Text

from speedmetal.bench.compare import Verdict
from speedmetal.bench.operations import words
from speedmetal.bench.report import notation
from speedmetal.bench.report.console import STYLES, capture, plain_text, printable, replace_controls
from speedmetal.bench.report.figures import Row, figures_of
from speedmetal.bench.report.options import Options
from speedmetal.bench.report.summary import Standing, Summary, summarise_run
from speedmetal.bench.store import Records

LINES = 24
LEAST_REASON = 12  # a reason cut shorter than this says nothing
MARGIN = "  "

Block = list[Text]


def render(records: Records, options: Options) -> str:
    """The summaries of the runs of a record file as text, with colours where they are wanted."""
    return capture(renderable(records, options), options)


def renderable(records: Records, options: Options) -> RenderableType:
    """The same for a console of one's own."""
    parts: list[RenderableType] = []
    for run in figures_of(records, options):
        if parts:
            parts.append(Text())
        parts += screen_of(summarise_run(records, run), options.width)
    return Group(*parts or [Text("no case was measured")])


def screen_of(summary: Summary, width: int) -> list[Text]:
    """The lines of a summary, none longer than the width.

    Where there is room on the screen, its parts are set apart; where there is none, fewer effects
    are shown.
    """
    before = [*_conditions(summary, width), *_standings(summary, width)]
    after = [*_gaps(summary, width), *_sharpening(summary, width), *_places(summary, width)]
    room = LINES - len(before) - len(after)
    blocks = [block for block in (before, _effects(summary, room, width), after) if block]
    # The prompt that follows takes a line of the screen too.
    if sum(map(len, blocks)) + len(blocks) > LINES:
        return [line for block in blocks for line in block]
    return [line for block in blocks for line in (Text(), *block)][1:]


def _conditions(summary: Summary, width: int) -> Block:
    lines = [*_one_line(plain_text(summary.conditions, "dim"), width)] if summary.conditions else []
    # What was told after the run is of the run itself.
    for load in summary.loads[-1:]:
        lines += _one_line(plain_text(f"machine: {load}", "yellow"), width)
    return lines


def _standings(summary: Summary, width: int) -> Block:
    """The first in words, the others in a line each."""
    lines = _wrap(plain_text(summary.sentences[0], "bold"), width)
    others = summary.standings[1:]
    titles = [replace_controls(summary.titles[one.overall.contender]) for one in others]
    broad = max(map(len, titles), default=0)
    for title, standing in zip(titles, others, strict=True):
        lines += _one_line(_standing(title.ljust(broad), standing), width)
    return lines


def _standing(title: str, standing: Standing) -> Text:
    overall = standing.overall
    counts = {verdict: getattr(overall, verdict.value) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    faster, slower = standing.high < 1, standing.low > 1
    tone = Verdict.FASTER if faster else Verdict.SLOWER if slower else Verdict.UNDECIDED
    return Text.assemble(
        f"{title}{MARGIN}",
        (f"{notation.ratio(overall.ratio):>6}", STYLES[tone]),
        (f" {notation.interval(standing.low, standing.high)}", "dim"),
        f"{MARGIN}{told}",
    )


def _effects(summary: Summary, room: int, width: int) -> Block:
    heading = _wrap(Text(_knowledge(summary), "bold"), width)
    rows = summary.effects[: max(1, room - len(heading))]
    if not rows:
        return heading if summary.precision else []
    several = len(summary.standings) > 1
    titles = [replace_controls(summary.titles[row.contender]) for row in rows]
    broad = max(map(len, titles)) if several else 0
    lines = heading
    for title, row in zip(titles, rows, strict=True):
        who = f"{title.ljust(broad)}{MARGIN}" if several else ""
        lines += _one_line(_effect(who, row), width)
    return lines


def _effect(who: str, row: Row) -> Text:
    assert row.ratio is not None  # it is decided
    factor = max(row.ratio, 1 / row.ratio)
    spread = notation.plus_minus(row.ratio, row.ratio_low, row.ratio_high)
    case = words.case_in_words(row.records[0].case) if row.records else row.label
    return Text.assemble(
        (f"{MARGIN}{notation.ratio(factor):>6} {row.verdict}", STYLES[row.verdict]),
        (f" {spread:<7}{MARGIN}", "dim"),
        who,
        plain_text(case),
    )


def _knowledge(summary: Summary) -> str:
    """How well the ratios are known, as the heading of the largest."""
    if summary.precision is None:
        return ""
    widths = (summary.precision.median, summary.precision.nine_of_ten)
    typical, most = (notation.percent_in_words(width) for width in widths)
    known = f"ratios known to {typical} (median), {most} (9 of 10)"
    return f"{known}; the largest differences:" if summary.effects else f"{known}; none decided"


def _gaps(summary: Summary, width: int) -> Block:
    """What was not measured: all of it, and as many of the reasons as fit on a line."""
    gaps = [(f"{one.count} {one.status}", one.reason) for one in summary.missing]
    gaps += [_head_and_reason(message) for message in summary.absent]
    if not gaps:
        return []
    bare = "not measured: " + ", ".join(head for head, _ in gaps)
    # The commonest have their reasons first.
    for told in range(len(gaps), 0, -1):
        room = (width - len(bare)) // told - len(" ()")
        if room >= LEAST_REASON:
            bare = "not measured: " + ", ".join(
                f"{head} ({_shorten(reason, room)})" if reason and place < told else head
                for place, (head, reason) in enumerate(gaps)
            )
            break
    return _wrap(plain_text(bare), width)


def _head_and_reason(message: str) -> tuple[str, str]:
    head, _, reason = message.partition(": ")
    return head, reason


def _shorten(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _sharpening(summary: Summary, width: int) -> Block:
    return _command("to sharpen: ", summary.sharpen, width) if summary.sharpen else []


def _places(summary: Summary, width: int) -> Block:
    if not summary.source:
        return []
    command = shlex.join(["speedmetal", "report", summary.source, "--out", "page.html"])
    return [
        _whole(f"records: {printable(summary.source)}"),
        *_command("page: ", command, width),
    ]


def _command(label: str, command: str, width: int) -> Block:
    """A command that can be typed as it stands, where it takes several lines too."""
    lines, line = [], label
    *parts, last = [printable(shlex.quote(part)) for part in shlex.split(command)]
    for part in [f"{part} \\" for part in parts] + [last]:
        if len(line) + len(part) > width and line not in (label, MARGIN):
            lines.append(_whole(f"{line}\\"))
            line = MARGIN
        line += part.removesuffix("\\")
    return [*lines, _whole(line)]


def _whole(line: str) -> Text:
    """A line that the terminal may wrap, but nobody cuts: a path that is cut cannot be typed."""
    return Text(line, no_wrap=True, overflow="ignore")


def _one_line(text: Text, width: int) -> Block:
    text.truncate(width, overflow="ellipsis")
    return [text]


def _wrap(text: Text, width: int) -> Block:
    return list(text.wrap(Console(width=width), width))
