"""The charts of the HTML report as Vega-Lite specifications.

The specifications hold no data: the page fills the named data sets, so that one filter acts on
all charts. No text of a record is ever part of an expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

Spec = dict[str, Any]

# Okabe and Ito's palette ("Color Universal Design", 2008), without black and its pale yellow,
# then darker companions for more than six contenders.
PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#7f7f7f",
    "#6a3d9a",
    "#8c6d31",
    "#17607a",
)
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

# Blue to orange: safe for every kind of colour vision.
FASTEST, FAST, EVEN, SLOW, SLOWEST = "#08519c", "#7fb2dd", "#f4f4f2", "#fdae61", "#b35806"
_HEAT_LIMIT = 3  # factor 8 and beyond get the full colour
# Kinds of cells that carry no decided ratio, with their fill.
CELL_KINDS = {
    "equivalent": "#d9eadf",
    "undecided": "#c9c9c9",
    "baseline": "#ffffff",
    "no time": "#f3dede",
    "no common rounds": "#ececec",
}
_INK, _INK_ON_DARK = "#1c1c1c", "#ffffff"
_TICKS = 8


def _tick_label(text: str) -> str:
    """An expression for the labels of a logarithmic axis: 1, 2 and 5 of each decade only."""
    mantissa = "round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))"
    return f"indexof([1, 2, 5], {mantissa}) >= 0 ? {text} : ''"


_SECONDS = _tick_label("format(datum.value, '~s') + 's'")
_PREFIXED = _tick_label("format(datum.value, '~s')")
_PLAIN = _tick_label("format(datum.value, '~r')")


def specifications(contenders: Sequence[str]) -> dict[str, Spec]:
    """Every chart by name.

    Args:
        contenders: Keys in the order of the colours.
    """
    charts = {
        "heat": _heat(contenders),
        "sizes": _sizes(contenders),
        "roofline": _roofline(contenders),
        "samples": _samples(contenders),
        "controls": _controls(),
    }
    return {name: _specification(chart) for name, chart in charts.items()}


def _specification(chart: Any) -> Spec:
    spec: Spec = chart.to_dict()
    # The page brings its own colours; and the schema's address is of no use without a network.
    spec.pop("config", None)
    spec.pop("$schema", None)
    return spec


def _data(name: str) -> Any:
    return alt.NamedData(name=name)


def _colour(contenders: Sequence[str]) -> Any:
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(contenders))]
    return alt.Color(
        "contender:N",
        scale=alt.Scale(domain=list(contenders), range=colours),
        legend=_legend(),
    )


def _legend() -> Any:
    return alt.Legend(title=None, orient="top", columns=6, labelLimit=260, symbolOpacity=1)


def _shape(contenders: Sequence[str]) -> Any:
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(contenders))]
    # The same domain as the colour, so that both share one legend.
    return alt.Shape(
        "contender:N",
        scale=alt.Scale(domain=list(contenders), range=shapes),
        legend=_legend(),
    )


def _tooltip(*fields: tuple[str, str]) -> list[Any]:
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in fields]


_RESULT = (
    ("label", "case"),
    ("contender", "contender"),
    ("timeText", "median"),
    ("ratioText", "ratio to baseline"),
    ("verdict", "verdict"),
    ("shareText", "share of ceiling"),
    ("status", "status"),
    ("reason", "reason"),
)


def _heat(contenders: Sequence[str]) -> Any:
    base = alt.Chart(_data("rows")).encode(
        x=alt.X(
            "contender:N",
            sort=list(contenders),
            axis=alt.Axis(title=None, orient="top", labelAngle=0, labelLimit=130, domain=False),
        ),
        y=alt.Y(
            "label:N",
            sort=None,
            axis=alt.Axis(title=None, labelLimit=420, ticks=False, domain=False, labelPadding=8),
        ),
        tooltip=_tooltip(*_RESULT),
    )
    decided = (
        base.mark_rect(stroke=EVEN, strokeWidth=1, cursor="pointer")
        .transform_filter("datum.kind === 'decided'")
        .encode(
            color=alt.Color(
                "log2:Q",
                scale=alt.Scale(
                    domain=[-_HEAT_LIMIT, -1, 0, 1, _HEAT_LIMIT],
                    range=[FASTEST, FAST, EVEN, SLOW, SLOWEST],
                    clamp=True,
                    interpolate="lab",
                ),
                legend=alt.Legend(
                    title="time / baseline",
                    orient="top",
                    gradientLength=220,
                    values=[-3, -2, -1, 0, 1, 2, 3],
                    labelExpr="format(pow(2, datum.value), '~r')",
                ),
            )
        )
    )
    others = (
        base.mark_rect(stroke=EVEN, strokeWidth=1, cursor="pointer")
        .transform_filter("datum.kind !== 'decided'")
        .encode(
            fill=alt.Fill(
                "kind:N",
                scale=alt.Scale(domain=list(CELL_KINDS), range=list(CELL_KINDS.values())),
                legend=alt.Legend(title="other cells", orient="top", symbolType="square"),
            )
        )
    )
    hatched = (
        base.mark_rect(stroke="#b04a4a", strokeDash=[3, 3], filled=False, strokeWidth=1)
        .transform_filter("datum.kind === 'no time'")
        .encode(tooltip=alt.value(None))
    )
    text = base.mark_text(fontSize=11, cursor="pointer").encode(
        text="cell:N",
        color=alt.condition(
            "datum.kind === 'decided' && (datum.log2 < -1.4 || datum.log2 > 2.1)",
            alt.value(_INK_ON_DARK),
            alt.value(_INK),
        ),
    )
    layers = alt.layer(decided, others, hatched, text)
    return layers.properties(width=alt.Step(124), height=alt.Step(21))


def _log(field: str, title: str | None, label: str) -> dict[str, Any]:
    return {
        "shorthand": f"{field}:Q",
        "scale": alt.Scale(type="log", nice=False, padding=12),
        "axis": alt.Axis(title=title, labelExpr=label, tickCount=_TICKS, labelOverlap="greedy"),
    }


def _sizes(contenders: Sequence[str]) -> Any:
    base = alt.Chart().encode(
        x=alt.X(**_log("size", None, _PREFIXED)),
        y=alt.Y(**_log("median", None, _SECONDS)),
        color=_colour(contenders),
    )
    # Several cases can have one size; the line joins the middles of their medians.
    line = base.mark_line(opacity=0.35, strokeWidth=1.2).encode(
        y=alt.Y(aggregate="median", **_split_shorthand(_log("median", None, _SECONDS)))
    )
    bars = base.mark_rule(strokeWidth=1.4).encode(y="low:Q", y2="high:Q")
    points = base.mark_point(filled=True, size=38, opacity=0.9, cursor="pointer").encode(
        shape=_shape(contenders), tooltip=_tooltip(*_RESULT)
    )
    return (
        alt.layer(line, bars, points, data=_data("timed"))
        .properties(width=248, height=170)
        .facet(
            facet=alt.Facet("title:N", sort=None, header=alt.Header(title=None, labelFontSize=12)),
            columns=4,
            bounds="flush",
            spacing={"row": 62, "column": 52},
        )
        .resolve_scale(x="independent", y="independent")
    )


def _split_shorthand(log: dict[str, Any]) -> dict[str, Any]:
    """The arguments of :func:`_log` with a plain field, for an encoding with an aggregate."""
    field, _, kind = log["shorthand"].partition(":")
    rest = {name: value for name, value in log.items() if name != "shorthand"}
    return {"field": field, "type": {"Q": "quantitative"}[kind], **rest}


def _roofline(contenders: Sequence[str]) -> Any:
    x = alt.X(**_log("intensity", "FLOP per byte (least traffic)", _PLAIN))
    y = alt.Y(**_log("flopRate", "FLOP/s", _PREFIXED))
    roofs = (
        alt.Chart(_data("roofs"))
        .mark_line(color="#8a8a8a", strokeWidth=1.5)
        .encode(
            x=x,
            y=y,
            detail="roof:N",
            strokeDash=alt.StrokeDash(
                "device:N", legend=alt.Legend(title="measured ceilings", orient="right")
            ),
        )
    )
    names = (
        alt.Chart(_data("roofNames"))
        .mark_text(align="right", dy=-7, fontSize=10, color="#8a8a8a")
        .encode(x=x, y=y, text="roof:N")
    )
    points = (
        alt.Chart(_data("work"))
        .mark_point(filled=True, size=50, opacity=0.85, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=_colour(contenders),
            shape=_shape(contenders),
            tooltip=_tooltip(*_RESULT, ("rateText", "rate")),
        )
    )
    return alt.layer(roofs, names, points).properties(width="container", height=430)


def _samples(contenders: Sequence[str]) -> Any:
    base = alt.Chart(_data("samples")).encode(
        x=alt.X("place:Q", axis=alt.Axis(title="round"), scale=alt.Scale(nice=False, padding=8)),
        y=alt.Y(**_log("seconds", "seconds per call", _SECONDS)),
        color=_colour(contenders),
    )
    line = base.mark_line(opacity=0.25, strokeWidth=1).encode(detail="series:N")
    points = base.mark_point(filled=True, size=16, opacity=0.8).encode(
        shape=_shape(contenders),
        tooltip=_tooltip(
            ("contender", "contender"),
            ("session", "session"),
            ("round", "round"),
            ("timeText", "per call"),
            ("relative", "of its median"),
        ),
    )
    starts = alt.Chart(_data("sessions")).encode(x="place:Q")
    rules = starts.mark_rule(strokeDash=[4, 4], color="#8a8a8a")
    names = starts.mark_text(align="left", dx=4, dy=8, fontSize=10, color="#8a8a8a").encode(
        y=alt.value(0), text="name:N"
    )
    return alt.layer(rules, names, line, points).properties(width="container", height=330)


def _controls() -> Any:
    x = alt.X(
        "place:Q",
        axis=alt.Axis(title="case, in the order measured", tickMinStep=1),
        scale=alt.Scale(zero=False, nice=False, padding=10),
    )
    y_axis = alt.Axis(title="time / time of itself", format=".3~f")
    base = alt.Chart(_data("controls")).encode(
        x=x,
        tooltip=_tooltip(("label", "case"), ("session", "session"), ("ratioText", "ratio")),
    )
    scale = alt.Scale(zero=False, nice=False, padding=10)
    bars = base.mark_rule(color="#0072b2", opacity=0.5).encode(
        y=alt.Y("low:Q", axis=y_axis, scale=scale), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=26, color="#0072b2", opacity=1).encode(
        y=alt.Y("ratio:Q", axis=y_axis, scale=scale)
    )
    band = (
        alt.Chart(_data("floors"))
        .mark_rule(strokeDash=[5, 4], color="#d55e00")
        .encode(y=alt.Y("edge:Q", axis=y_axis, scale=scale))
    )
    return alt.layer(band, bars, points).properties(width="container", height=200)
