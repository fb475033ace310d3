"""Reading what people type: lists with commas, and durations."""

from __future__ import annotations

import re

from speedmetal.errors import UserInputError

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def names(text: str | None) -> list[str]:
    """Names between commas; none where nothing was given.

    Example:
        >>> names("softmax, sort"), names(None)
        (['softmax', 'sort'], [])
    """
    return [part for part in re.split(r"[,\s]+", text or "") if part]


def seconds(option: str, text: str | None) -> float | None:
    """Seconds of a duration such as ``90``, ``90s``, ``10m``, ``1.5h``; None where none is given.

    Raises:
        UserInputError: It is no positive duration.

    Example:
        >>> seconds("--budget", "1.5h")
        5400.0
    """
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([smh]?)\s*", text)
    value = float(match.group(1)) * _SECONDS[match.group(2)] if match else 0.0
    if value <= 0:
        raise UserInputError(
            f"{option}: expected a duration above zero such as 90s, 10m or 1.5h, got {text!r}"
        )
    return value


def duration(seconds: float) -> str:
    """Seconds for people, to the second.

    Example:
        >>> duration(165.0), duration(30.4), duration(7200.0)
        ('2 min 45 s', '30 s', '2 h')
    """
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
