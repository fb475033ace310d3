"""The page's colours and units: each in one place, for light and for dark."""

import json
import re
from pathlib import Path

import pytest

from speedmetal.bench.report import charts, notation

PAGE = Path(charts.__file__).with_name("page")
CSS = (PAGE / "report.css").read_text("utf-8")
SCRIPT = (PAGE / "report.js").read_text("utf-8")
TEMPLATE = (PAGE / "report.html.j2").read_text("utf-8")
CONTENDERS = [f"framework{number}:cpu:eager" for number in range(12)]
SPECIFICATIONS = json.dumps(charts.specifications(CONTENDERS))

DEFINITION = re.compile(r"^\s*--([\w-]+): (.*);$", re.MULTILINE)
USE = re.compile(r"var\(--([\w-]+)\)")
LITERAL = re.compile(
    r"#[0-9a-f]{3,8}\b(?=[;,\s\"')])|\b(?:rgba?|hsla?|oklch)\(|[\s\"'](?:black|white|gr[ae]y|red)(?=[;\"'])",
    re.IGNORECASE,
)
SET_BY_SCRIPT = {"strength"}  # how much of a colour a cell of the heat map has


def test_every_colour_has_a_light_and_a_dark_side() -> None:
    """So that nothing stays light on dark paper."""
    colours = dict(DEFINITION.findall(CSS))
    assert len(colours) > 25
    for name, value in colours.items():
        assert re.fullmatch(r"light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)", value), name


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("style sheet", DEFINITION.sub("", CSS)),
        ("script", SCRIPT),
        ("template", TEMPLATE),
        ("charts", SPECIFICATIONS),
    ],
)
def test_no_colour_stands_outside_the_list(where: str, text: str) -> None:
    """Style sheet, script, template and charts name colours of the list alone."""
    prose = re.sub(
        r"/\*.*?\*/|//[^\n]*|>[^<>{}]*<|\"test\": \"[^\"]*\"", " ", text, flags=re.DOTALL
    )
    assert LITERAL.findall(prose) == [], where
    assert set(USE.findall(text)) <= {name for name, _ in DEFINITION.findall(CSS)} | SET_BY_SCRIPT


def test_contenders_have_colours_and_shapes_again_after_the_last() -> None:
    """Twelve contenders are drawn with ten colours."""
    assert f"var(--contender-{charts.COLOURS})" in SPECIFICATIONS
    assert f"var(--contender-{charts.COLOURS + 1})" not in SPECIFICATIONS


@pytest.mark.parametrize(
    ("chart", "units"),
    [
        ("spread", notation.SECOND_UNITS),
        ("rounds", notation.SECOND_UNITS),
        ("sizesBytes", notation.BINARY_UNITS),
        ("sizesFlops", tuple((scale, f"{prefix}FLOP") for scale, prefix in notation.DECIMAL_UNITS)),
        ("roofline", tuple((scale, f"{prefix}FLOP/s") for scale, prefix in notation.DECIMAL_UNITS)),
    ],
)
def test_axes_have_the_units_of_the_texts(chart: str, units: tuple[tuple[float, str], ...]) -> None:
    """Every unit that a text may have, an axis may have."""
    spec = json.dumps(charts.specifications(CONTENDERS)[chart], ensure_ascii=False)
    for scale, unit in units:
        assert f"datum.value / {scale!r}, '.3~r') + ' {unit}'" in spec
