"""How figures are written for people: units, digits and signs, the same in every format."""

from __future__ import annotations

import math

MISSING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
# An interval from one or two rounds can span the whole range of numbers; its edges say nothing.
RATIO_EDGE = 1e4
LEAST_FLOOR = 0.0005  # what is less than can be written
SPREAD_EDGE = 10.0
WHOLE_PERCENTS_FROM = 0.1
# From the largest to the smallest: the scale of a unit, and how it is written.
SECOND_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
DECIMAL_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
BINARY_UNITS = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


def digits(value: float) -> str:
    """Three significant digits without an exponent, for numbers from 0.001 to 9999.

    Example:
        >>> digits(1.2345), digits(12.345), digits(123.45), digits(1234.5), digits(0.012345)
        ('1.23', '12.3', '123', '1234', '0.0123')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def seconds(value: float | None) -> str:
    """A time in its natural unit.

    Example:
        >>> seconds(0.0012345), seconds(2e-6), seconds(None) == MISSING
        ('1.23 ms', '2.00 µs', True)
    """
    if value is None:
        return MISSING
    for scale, unit in SECOND_UNITS:
        if value >= scale:
            return f"{digits(value / scale)} {unit}"
    return f"{digits(value * 1e9)} ns"


def duration(value: float) -> str:
    """Minutes and seconds, with hours where there are any.

    Example:
        >>> duration(7.4), duration(125), duration(4000)
        ('0:07', '2:05', '1:06:40')
    """
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def plus_minus(median: float | None, low: float | None, high: float | None) -> str:
    """Half of a relative interval's width, empty where there is none.

    Example:
        >>> plus_minus(1.0, 0.98, 1.04), plus_minus(1.0, 0.0, 1e300)
        ('±3.0%', '±?')
    """
    if median is None or low is None or high is None:
        return ""
    half = (high - low) / (2 * median)
    return f"±{half:.1%}" if half < SPREAD_EDGE else "±?"


def ratio(value: float | None) -> str:
    """A ratio of times with three digits."""
    return MISSING if value is None else f"{digits(value)}{TIMES}"


def interval(low: float | None, high: float | None) -> str:
    """An interval of a ratio.

    Example:
        >>> interval(0.512, 0.533), interval(0.0, 1e300)
        ('[0.512, 0.533]', '[?, ?]')
    """
    if low is None or high is None:
        return ""
    edges = (digits(e) if 1 / RATIO_EDGE < e < RATIO_EDGE else "?" for e in (low, high))
    return f"[{', '.join(edges)}]"


def percent(value: float | None) -> str:
    """A share as a whole percentage; below ten, with a decimal."""
    if value is None:
        return MISSING
    return f"{value:.1%}" if abs(value) < WHOLE_PERCENTS_FROM else f"{value:.0%}"


def error(value: float | None) -> str:
    """An error, relative or absolute, with two digits.

    Example:
        >>> error(1.23e-6), error(0.0)
        ('1.2e-06', '0')
    """
    if value is None:
        return MISSING
    return f"{value:.1e}" if value else "0"


def number(value: float | None) -> str:
    """A count or a mean of counts; whole where it is whole.

    Example:
        >>> number(24), number(1.25), number(12345.6), number(None) == MISSING
        ('24', '1.25', '12346', True)
    """
    if value is None:
        return MISSING
    return f"{value:.0f}" if value == round(value) else digits(value)


def percent_in_words(share: float) -> str:
    """A share in a sentence.

    Example:
        >>> percent_in_words(0.0123), percent_in_words(0.004), percent_in_words(1e9)
        ('1 %', '0.4 %', '? %')
    """
    if share >= SPREAD_EDGE:
        return "? %"
    return f"{100 * share:.0f} %" if share >= 1 / 100 else f"{100 * share:.1f} %"


def noise_floor(share: float | None) -> str:
    """A run's noise floor, in a sentence or a table.

    Example:
        >>> noise_floor(0.031), noise_floor(0.0), noise_floor(None)
        ('3 %', 'within the intervals', 'not known')
    """
    if share is None:
        return "not known"
    return percent_in_words(share) if share >= LEAST_FLOOR else "within the intervals"


def rate(value: float | None, unit: str) -> str:
    """A rate with its decimal prefix.

    Example:
        >>> rate(3.2e11, "FLOP/s"), rate(None, "B/s") == MISSING
        ('320 GFLOP/s', True)
    """
    if value is None:
        return MISSING
    for scale, prefix in DECIMAL_UNITS:
        if value >= scale:
            return f"{digits(value / scale)} {prefix}{unit}"
    return f"{digits(value)} {unit}"


def size(value: float | None) -> str:
    """A number of bytes with its binary prefix.

    Example:
        >>> size(1536), size(12), size(None) == MISSING
        ('1.50 KiB', '12 B', True)
    """
    if value is None:
        return MISSING
    for scale, unit in BINARY_UNITS:
        if value >= scale:
            return f"{digits(value / scale)} {unit}"
    return f"{value:.0f} B"
