"""Figures as people read them: units, digits, and edges that say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench.report import notation

SCALES = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


@given(st.floats(1e-9, 1e4))
def test_a_time_read_back_is_the_time_to_three_digits(value: float) -> None:
    """Number times unit is the value within half a unit of the third digit."""
    number, unit = notation.seconds(value).split()
    assert float(number) * SCALES[unit] == pytest.approx(value, rel=5.1e-3)


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300))
def test_intervals_are_short_whatever_their_edges(low: float, high: float) -> None:
    """An interval of one round spans all numbers; it never prints three hundred digits."""
    assert len(notation.interval(low, high)) < 24
    assert len(notation.plus_minus(1.0, min(low, 1.0), max(high, 1.0))) < 10


def test_missing_figures_are_a_dash() -> None:
    """Every writer says the same of a figure that does not exist."""
    writers = (notation.seconds, notation.ratio, notation.percent, notation.size)
    assert {writer(None) for writer in writers} == {notation.MISSING}
    assert notation.interval(None, None) == notation.plus_minus(None, None, None) == ""
