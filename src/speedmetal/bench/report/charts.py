"""The charts of the HTML report as Vega-Lite specifications.

The specifications hold neither data nor colours nor sizes: the page fills the named data sets, so
that one filter acts on all charts; replaces the names of colours by the theme's; and gives each
``"container"`` the width that the reader's window has. No text of a record is ever part of an
expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from speedmetal.bench.report import notation

Spec = dict[str, Any]

COLOURS = 10  # that the page's style sheet has for contenders, after which they start again
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_TICKS = 6
_NAME_ROOM = 130  # of contenders' keys beside a chart
_AXIS_ROOM = 58  # of every vertical axis, so that charts below one another stand in line
FIT = "container"


# What is told of a sample, wherever one is drawn.
_SAMPLE_TIP = (
    ("contender", "contender"),
    ("session", "session"),
    ("round", "round"),
    ("timeText", "time of a call"),
    ("relativeText", "of its median"),
)


def colour(name: str) -> str:
    """The name of a colour of the page's style sheet."""
    return f"var(--{name})"


def specifications(contenders: Sequence[str]) -> dict[str, Spec]:
    """Every chart by name.

    Args:
        contenders: Keys in the order of the colours.
    """
    charts = {
        "spread": _spread(contenders, _log("x", "time of a call", _SECONDS), "exp(datum.value)"),
        "spreadRelative": _spread(
            contenders, _linear("x", "time / median of the contender", ".3~f"), "datum.value"
        ),
        "ratios": _ratios(contenders),
        "rounds": _rounds(contenders),
        "sizesBytes": _sizes(
            contenders, _log("size", "bytes that must move", _BYTES, base=2), "bytesText"
        ),
        "sizesFlops": _sizes(
            contenders, _log("size", "floating-point operations", _FLOP), "flopsText"
        ),
        "roofline": _roofline(contenders),
        "controls": _controls(),
        "machine": _machine(),
    }
    return {name: _specification(chart) for name, chart in charts.items()}


def _specification(chart: Any) -> Spec:
    # Altair knows the width of single charts alone to be the container's.
    spec: Spec = chart.to_dict(validate=False)
    # The page brings its own colours; and the schema's address is of no use without a network.
    spec.pop("config", None)
    spec.pop("$schema", None)
    return spec


# ---- axes ------------------------------------------------------------------------------------


def _with_units(units: Sequence[tuple[float, str]]) -> str:
    """An expression for an axis's labels: each value in its natural unit."""
    *larger, (scale, unit) = units
    text = _scaled(scale, unit)
    for scale, unit in reversed(larger):
        # Ticks may miss the unit they stand for by a rounding error.
        text = f"datum.value >= {scale * (1 - 1e-9)!r} ? {_scaled(scale, unit)} : {text}"
    return text


def _scaled(scale: float, unit: str) -> str:
    return f"format(datum.value / {scale!r}, '.3~r') + ' {unit}'"


def _decimal(unit: str) -> list[tuple[float, str]]:
    return [(scale, f"{prefix}{unit}") for scale, prefix in notation.DECIMAL_UNITS]


def _few(text: str) -> str:
    """On a logarithmic axis: 1, 2 and 5 of each decade only."""
    mantissa = "round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))"
    return f"indexof([1, 2, 5], {mantissa}) >= 0 ? ({text}) : ''"


# Lines of a logarithmic grid between the powers of ten are faint.
_DECADES_ONLY = {
    "condition": {"test": "abs(log(datum.value) / LN10 % 1) < 1e-6", "value": 0.8},
    "value": 0.3,
}
_SECONDS = _few(_with_units(notation.SECOND_UNITS))
_BYTES = _with_units([*notation.BINARY_UNITS, (1.0, "B")])
_FLOP = _few(_with_units(_decimal("FLOP")))
_FLOP_RATE = _few(_with_units(_decimal("FLOP/s")))
_PLAIN = _few("format(datum.value, '~r')")


def _log(field: str, title: str | None, label: str, base: int = 10) -> Spec:
    """The arguments of a channel with a logarithmic scale."""
    return {
        "field": field,
        "type": "quantitative",
        "scale": alt.Scale(type="log", base=base, nice=False, padding=12),
        "axis": alt.Axis(
            title=title,
            labelExpr=label,
            tickCount=_TICKS,
            labelOverlap="greedy",
            labelSeparation=8,
            gridOpacity=_DECADES_ONLY,
        ),
    }


def _linear(field: str, title: str, form: str, scale: Any = None) -> Spec:
    """The arguments of a channel with a linear scale, which need not begin at nought."""
    return {
        "field": field,
        "type": "quantitative",
        "scale": scale or alt.Scale(zero=False, nice=False, padding=10),
        "axis": alt.Axis(title=title, format=form, tickCount=_TICKS, labelOverlap="greedy"),
    }


def _upright(channel: Spec) -> Any:
    """A vertical channel whose axis is as broad as every other's."""
    axis = channel["axis"].copy()
    axis.minExtent = axis.maxExtent = _AXIS_ROOM
    return alt.Y(**{**channel, "axis": axis})


# ---- what charts share -----------------------------------------------------------------------


def _data(name: str) -> Any:
    return alt.NamedData(name=name)


def _colour(contenders: Sequence[str], *, legend: bool = True) -> Any:
    return alt.Color(
        "contender:N",
        scale=_contender_scale(contenders),
        legend=_legend() if legend else None,
    )


def _contender_scale(contenders: Sequence[str]) -> Any:
    names = [colour(f"contender-{place % COLOURS + 1}") for place in range(len(contenders))]
    return alt.Scale(domain=list(contenders), range=names)


def _legend() -> Any:
    # How many stand side by side is for the page to say, which knows its width.
    return alt.Legend(title=None, orient="top", labelLimit=260, symbolOpacity=1)


def _shape(contenders: Sequence[str]) -> Any:
    shapes = [SHAPES[place % len(SHAPES)] for place in range(len(contenders))]
    # The same domain as the colour, so that both share one legend.
    return alt.Shape(
        "contender:N",
        scale=alt.Scale(domain=list(contenders), range=shapes),
        legend=_legend(),
    )


def _tooltip(*fields: tuple[str, str]) -> list[Any]:
    return [alt.Tooltip(field=field, type="nominal", title=title) for field, title in fields]


_RESULT = (
    ("name", "case"),
    ("contender", "contender"),
    ("timeText", "median"),
    ("ratioText", "ratio to baseline"),
    ("verdict", "verdict"),
    ("shareText", "share of ceiling"),
)


def _points(base: Any, contenders: Sequence[str], *more: tuple[str, str]) -> Any:
    """A point a result, in its contender's colour; grey inside where the verdict is open."""
    return base.mark_point(filled=True, size=44, strokeWidth=1.6, cursor="pointer").encode(
        stroke=alt.Stroke("contender:N", scale=_contender_scale(contenders), legend=_legend()),
        fill=alt.condition(
            "datum.verdict === 'undecided'",
            alt.value(colour("undecided")),
            alt.Fill("contender:N", scale=_contender_scale(contenders), legend=_legend()),
        ),
        shape=_shape(contenders),
        tooltip=_tooltip(*_RESULT, *more),
    )


# ---- one case --------------------------------------------------------------------------------


def _spread(contenders: Sequence[str], x: Spec, back: str) -> Any:
    """For each contender its density above its samples, a lane a session, and its interval.

    Args:
        contenders: Keys in the order of the colours.
        x: The channel of the values.
        back: An expression for the value of which the data's field ``place``, in which the
            density is taken, is a function.
    """
    hidden = alt.Y(
        field="y", type="quantitative", axis=None, scale=alt.Scale(domain=[-1, 1], nice=False)
    )
    base = alt.Chart().encode(color=_colour(contenders, legend=False))
    density = (
        base.transform_filter("datum.kind === 'sample'")
        .transform_density(
            "place", as_=["value", "density"], groupby=["contender"], steps=160, minsteps=60
        )
        .transform_joinaggregate(peak="max(density)", groupby=["contender"])
        .transform_calculate(x=back, y="0.06 + 0.9 * datum.density / datum.peak", floor="0.06")
        .mark_area(opacity=0.45, interpolate="monotone")
        .encode(x=alt.X(**x), y=hidden, y2="floor:Q")
    )
    samples = (
        base.transform_filter("datum.kind === 'sample'")
        .mark_point(filled=True, size=13, opacity=0.55)
        .encode(
            x=alt.X(**x),
            y=hidden,
            tooltip=_tooltip(*_SAMPLE_TIP),
        )
    )
    medians = base.transform_filter("datum.kind === 'median'")
    interval = medians.mark_rect(opacity=0.25).encode(
        x=alt.X(field="low", type="quantitative"),
        x2="high:Q",
        y=alt.value(0),
        y2=alt.value(_STRIP_HEIGHT),
    )
    middle = medians.mark_rule(strokeWidth=1.5).encode(
        x=alt.X(**x),
        color=alt.value(colour("ink")),
        tooltip=_tooltip(
            ("contender", "contender"), ("timeText", "median"), ("ratioText", "ratio to baseline")
        ),
    )
    header = alt.Header(
        title=None,
        orient="top",
        labelAnchor="start",
        labelAngle=0,
        labelAlign="left",
        labelPadding=2,
        labelLimit=320,
    )
    return (
        alt.layer(density, interval, samples, middle, data=_data("spread"))
        .properties(width=FIT, height=_STRIP_HEIGHT)
        .facet(
            row=alt.Row("contender:N", sort=list(contenders), header=header),
            spacing=6,
        )
    )


_STRIP_HEIGHT = 58


def _ratios(contenders: Sequence[str]) -> Any:
    """The ratio of each contender with its interval, before the band that is noise."""
    scale = alt.Scale(type="log", nice=False, padding=12)
    x = _linear("ratio", "time / time of the baseline", ".3~r", scale)
    height = alt.value("height")
    noise = (
        alt.Chart(_data("noise"))
        .mark_rect(color=colour("undecided"), opacity=0.35)
        .encode(x=alt.X(**{**x, "field": "low"}), x2="high:Q", y=alt.value(0), y2=height)
    )
    even = alt.Chart(_data("even")).mark_rule(color=colour("soft")).encode(x=alt.X(**x))
    verdicts = ["faster", "equivalent", "undecided", "slower"]
    base = alt.Chart(_data("ratios")).encode(
        y=alt.Y(
            "contender:N",
            sort=list(contenders),
            axis=alt.Axis(title=None, minExtent=_NAME_ROOM, maxExtent=_NAME_ROOM, domain=False),
        ),
        color=alt.Color(
            "verdict:N",
            scale=alt.Scale(domain=verdicts, range=[colour(verdict) for verdict in verdicts]),
            legend=None,
        ),
        tooltip=_tooltip(
            ("contender", "contender"), ("ratioText", "ratio to baseline"), ("verdict", "verdict")
        ),
    )
    bars = base.mark_rule(strokeWidth=3).encode(x=alt.X(**{**x, "field": "low"}), x2="high:Q")
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X(**x))
    return alt.layer(noise, even, bars, points).properties(width=FIT, height=alt.Step(26))


def _rounds(contenders: Sequence[str]) -> Any:
    """Samples in the order of the rounds, and below them the machine's load and clock."""
    x = alt.X(
        field="place",
        type="quantitative",
        axis=alt.Axis(title=None, labels=False, ticks=False, grid=False),
        scale=alt.Scale(nice=False, padding=8),
    )
    base = alt.Chart(_data("samples")).encode(
        x=x,
        y=_upright(_log("seconds", "time of a call", _SECONDS)),
        color=_colour(contenders),
    )
    line = base.mark_line(opacity=0.25, strokeWidth=1).encode(detail="series:N")
    points = base.mark_point(filled=True, size=16, opacity=0.8).encode(
        shape=_shape(contenders),
        tooltip=_tooltip(*_SAMPLE_TIP),
    )
    starts = alt.Chart(_data("sessions")).encode(x=x)
    rules = starts.mark_rule(strokeDash=[4, 4], color=colour("soft"))
    names = starts.mark_text(align="left", dx=4, dy=8, fontSize=10, color=colour("soft")).encode(
        y=alt.value(0), text="name:N"
    )
    samples = alt.layer(rules, names, line, points).properties(width=FIT, height=270)
    return alt.vconcat(samples, *_state(x, "round"), spacing=12).resolve_scale(
        x="shared", color="independent", shape="independent"
    )


# ---- the machine -----------------------------------------------------------------------------


def _state(x: Any, where: str) -> list[Any]:
    """Load and clock over any horizontal channel; the page leaves out what has no data."""
    channels = (
        ("load", _linear("value", "load", "~r", alt.Scale(zero=True, nice=True))),
        ("clock", _linear("value", "clock (GHz)", ".3~r")),
    )
    charts = []
    for name, channel in channels:
        channel["axis"].tickCount = 3
        base = alt.Chart(_data(name)).encode(
            x=x,
            y=_upright(channel),
            tooltip=_tooltip(
                ("name", "case"), ("session", "session"), (where, where), ("text", name)
            ),
        )
        line = base.mark_line(strokeWidth=1, opacity=0.5, color=colour(name))
        points = base.mark_point(filled=True, size=16, opacity=0.9, color=colour(name))
        layers = alt.layer(line.encode(detail="session:N"), points)
        charts.append(layers.properties(name=name, width=FIT, height=64))
    return charts


def _machine() -> Any:
    x = alt.X(
        field="minute",
        type="quantitative",
        axis=alt.Axis(title="minutes since the first case", tickCount=_TICKS, format="~r"),
        scale=alt.Scale(nice=False, padding=8),
    )
    return alt.vconcat(*_state(x, "minute"), spacing=12).resolve_scale(x="shared")


# ---- all cases -------------------------------------------------------------------------------


def _sizes(contenders: Sequence[str], size: Spec, text: str) -> Any:
    median = _log("median", None, _SECONDS)
    size["axis"].title = None
    base = alt.Chart().encode(x=alt.X(**size), y=alt.Y(**median))
    coloured = base.encode(color=_colour(contenders))
    # Several cases can have one size; the line joins the middles of their medians.
    line = coloured.mark_line(opacity=0.35, strokeWidth=1.2).encode(
        y=alt.Y(aggregate="median", **median)
    )
    bars = coloured.mark_rule(strokeWidth=1.4).encode(y="low:Q", y2="high:Q")
    points = _points(base, contenders, (text, "size"))
    return (
        alt.layer(line, bars, points, data=_data("timed"))
        .properties(width=FIT, height=170)
        .facet(
            facet=alt.Facet(
                "series:N",
                sort=None,
                header=alt.Header(title=None, labelFontSize=12, labelAnchor="start"),
            ),
            columns=4,
            bounds="flush",
            spacing={"row": 58, "column": 66},
        )
        .resolve_scale(x="independent", y="independent")
    )


def _roofline(contenders: Sequence[str]) -> Any:
    x = alt.X(**_log("intensity", "FLOP per byte (least traffic)", _PLAIN))
    y = _upright(_log("flopRate", None, _FLOP_RATE))
    roofs = (
        alt.Chart(_data("roofs"))
        .mark_line(color=colour("soft"), strokeWidth=1.5)
        .encode(
            x=x,
            y=y,
            detail="roof:N",
            strokeDash=alt.StrokeDash(
                "device:N", legend=alt.Legend(title="measured ceilings", orient="bottom")
            ),
        )
    )
    names = (
        alt.Chart(_data("roofNames"))
        .mark_text(align="right", dy=-7, fontSize=10, color=colour("soft"))
        .encode(x=x, y=y, text="roof:N")
    )
    points = _points(alt.Chart(_data("work")).encode(x=x, y=y), contenders, ("rateText", "rate"))
    return alt.layer(roofs, names, points).properties(width=FIT, height=400)


def _controls() -> Any:
    x = alt.X(
        field="place",
        type="quantitative",
        axis=alt.Axis(title="control, in the order measured", tickMinStep=1, format="~r"),
        scale=alt.Scale(zero=False, nice=False, padding=10),
    )
    base = alt.Chart(_data("controls")).encode(
        x=x,
        tooltip=_tooltip(("name", "case"), ("session", "session"), ("text", "ratio")),
    )
    # A ratio and its inverse are equally far from 1.
    scale = alt.Scale(type="log", nice=False, padding=10)
    y = _linear("ratio", "time / time of itself", ".3~f", scale)
    bars = base.mark_rule(color=colour("accent"), opacity=0.5).encode(
        y=_upright({**y, "field": "low"}), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=26, color=colour("accent"), opacity=1).encode(
        y=_upright(y)
    )
    band = (
        alt.Chart(_data("floors"))
        .mark_rule(strokeDash=[5, 4], color=colour("slower"))
        .encode(y=_upright({**y, "field": "edge"}))
    )
    return alt.layer(band, bars, points).properties(width=FIT, height=200)
