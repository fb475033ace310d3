"""Cases in words, wherever people read; tables that machines read keep the published spelling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from speedmetal.bench.record import CaseSpec


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun, in the singular for one alone.

    Example:
        >>> count(1, "case"), count(2, "case"), count(3, "query", "queries")
        ('1 case', '2 cases', '3 queries')
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def case_in_words(case: CaseSpec) -> str:
    """Operation, parameters and whatever is not the default.

    Example:
        >>> case_in_words(CaseSpec(
        ...     operation="softmax", title="Softmax", family="normalisation", dtype="float16",
        ...     arguments="dim=64x1024 axi=-1", parameters={"shape": [64, 1024], "axis": -1},
        ... ))
        'Softmax 64 x 1024, last axis, float16'
    """
    return f"{case.title} {variant_in_words(case)}"


def variant_in_words(case: CaseSpec) -> str:
    """A case among those of its operation: its parameters and whatever is not the default."""
    extras = (
        case.dtype if case.dtype != "float32" else "",
        case.precision if case.precision != "ieee" else "",
        case.direction if case.direction != "forward" else "",
    )
    return ", ".join([parameters_in_words(case), *filter(None, extras)])


def parameters_in_words(case: CaseSpec) -> str:
    """The parameters of a case.

    A case with parameters that this version does not know (of another version, or made by hand)
    keeps the label that its record carries.

    Example:
        >>> parameters_in_words(CaseSpec(
        ...     operation="group_norm", title="GroupNorm", family="normalisation",
        ...     arguments="dim=8x32x64 grp=8", parameters={"shape": [8, 32, 64], "groups": 8},
        ... ))
        '8 x 32 x 64, groups 8'
    """
    values: Mapping[str, Any] = case.parameters
    if not values or not values.keys() <= _WORDS.keys():
        return case.arguments
    words = (say(values[name]) for name, say in _WORDS.items() if name in values)
    return "".join(words).removeprefix(", ")


def shape_in_words(extents: Sequence[int]) -> str:
    """A shape.

    Example:
        >>> shape_in_words([64, 1024]), shape_in_words([1000]), shape_in_words([1])
        ('64 x 1024', '1000 elements', '1 element')
    """
    if len(extents) == 1:
        return count(extents[0], "element")
    return " x ".join(str(extent) for extent in extents)


def _say(before: str, words: Callable[[Any], str] = str) -> Callable[[Any], str]:
    return lambda value: before + words(value)


def _axis(axis: int) -> str:
    return "last axis" if axis == -1 else f"axis {axis}"


# How each parameter is said behind those before it, in the order in which they are said; a test
# asks for one for each parameter that an operation has.
_WORDS: Mapping[str, Callable[[Any], str]] = {
    "shape": _say(", ", shape_in_words),
    "a": _say(", ", shape_in_words),
    "b": _say(" and ", shape_in_words),
    "x": _say(", ", shape_in_words),
    "weight": _say(", weight ", shape_in_words),
    "tokens": _say(", tokens ", shape_in_words),
    "axis": _say(", ", _axis),
    "count": _say(", ", lambda value: count(value, "index", "indices")),
    "stride": _say(", stride "),
    "groups": _say(", groups "),
    "window": _say(", window "),
    "k": _say(", largest "),
    "batch": _say(", batch "),
    "heads": _say(", heads "),
    "query_length": _say(", queries "),
    "key_length": _say(", keys "),
    "length": _say(", length "),
    "head_size": _say(", head size "),
    "input_size": _say(", inputs "),
    "hidden_size": _say(", hidden "),
}
