"""What can be chosen among: the configurations of a kernel's launches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static

SIZES = ("threads", "groups")
"""The options of a launch that can be tuned."""
_MOST_AXES = 3


class Configuration:
    """Values of what is tuned, by name: ``c.tile`` or ``c["tile"]``.

    Sizes of a launch that depend on them are functions of it.

    Args:
        values: By the names of static parameters, and of ``threads`` and ``groups``.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        vars(self).update(values)

    def __getitem__(self, name: str) -> Any:
        return vars(self)[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"configurations can not be changed: {name}")

    def __repr__(self) -> str:
        return ", ".join(f"{name}={_shown(value)}" for name, value in vars(self).items())


@record(eq=False)
class Candidate:
    """A configuration, made ready for launches.

    Args:
        configuration: What it is.
        inserts: The places among all arguments, and the values, of its static parameters.
        threads: Of a threadgroup; None: not tuned.
        groups: How many; None: not tuned.
    """

    configuration: Configuration
    inserts: tuple[tuple[int, Any], ...]
    threads: Any
    groups: Any


def candidates_of(
    kernel: str,
    names: Sequence[str],
    given: Iterable[Mapping[str, Any]] | None,
    lists: Mapping[str, Any],
) -> tuple[Candidate, ...]:
    """What was stated, checked, in its order.

    Args:
        kernel: Its name, for messages.
        names: Of its parameters.
        given: Configurations one by one; None: all that ``lists`` gives.
        lists: The values of each name.

    Raises:
        UserInputError: Names or values are wrong, or there are none.
    """
    found = _listed(kernel, given) if given is not None else _combined(kernel, lists)
    if given is not None and lists:
        raise UserInputError(
            f"sm.autotune of kernel {kernel!r}: expected a list of configurations, or a list of"
            " values for each name, got both; write each configuration in full"
        )
    tuned = tuple(found[0])
    for name in tuned:
        if name not in (*SIZES, *names):
            raise UserInputError(
                f"sm.autotune of kernel {kernel!r}: {name!r} is no parameter of it;"
                f" {_meant(name, names)}its parameters are {', '.join(names) or 'none'}; threads"
                " and groups can be tuned as well"
            )
    for values in found:
        if set(values) != set(tuned):
            raise UserInputError(
                f"sm.autotune of kernel {kernel!r}: every configuration must give the same names:"
                f" expected {', '.join(tuned)}, got {', '.join(values) or 'none'}"
            )
    return tuple(_candidate(kernel, names, values) for values in found)


def _candidate(kernel: str, names: Sequence[str], values: Mapping[str, Any]) -> Candidate:
    arguments = {
        names.index(name): _argument(kernel, name, value)
        for name, value in values.items()
        if name in names
    }
    sizes = {name: _size(kernel, name, values) for name in SIZES if name not in names}
    inserts = tuple(sorted(arguments.items(), key=lambda item: item[0]))
    return Candidate(Configuration(values), inserts, sizes.get("threads"), sizes.get("groups"))


def _listed(kernel: str, given: Any) -> list[Mapping[str, Any]]:
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for values in found:
        if not isinstance(values, Mapping):
            raise UserInputError(
                f"sm.autotune of kernel {kernel!r}: expected configurations such as"
                f' {{"threads": 256}}, got {values!r}; values of one name are given by name:'
                " sm.autotune(threads=[128, 256])"
            )
    if not found or not found[0]:
        raise _nothing(kernel)
    return found


def _combined(kernel: str, lists: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not lists:
        raise _nothing(kernel)
    for name, values in lists.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise UserInputError(
                f"sm.autotune of kernel {kernel!r}: expected a list of values for {name}, got"
                f" {values!r}; write {name}=[{values!r}]"
            )
    whole = {name: list(values) for name, values in lists.items()}
    for name, values in whole.items():
        if not values:
            raise UserInputError(
                f"sm.autotune of kernel {kernel!r}: the list of {name} is empty; give one value or"
                " more"
            )
    return [dict(zip(whole, values, strict=True)) for values in itertools.product(*whole.values())]


def _nothing(kernel: str) -> UserInputError:
    return UserInputError(
        f"sm.autotune of kernel {kernel!r}: nothing to choose among; give values, such as"
        " threads=[128, 256], or a list of configurations"
    )


def _meant(name: str, names: Sequence[str]) -> str:
    import difflib  # for what is wrong alone

    near = difflib.get_close_matches(name, [*names, *SIZES], n=1)
    return f"did you mean {near[0]}? " if near else ""


def _argument(kernel: str, name: str, value: Any) -> Any:
    """A value as a kernel is given it: numbers are static ones."""
    if isinstance(value, static | str | DType) or callable(value):
        return value
    try:
        return static(value)
    except UserInputError as error:
        raise UserInputError(
            f"sm.autotune of kernel {kernel!r}: {name}={value!r}: {error}"
        ) from None


def _size(kernel: str, name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        return None
    size = values[name]
    parts = size if isinstance(size, tuple | list) else (size,)
    is_right = all(type(part) is int and part >= 1 for part in parts)
    if not (is_right and 1 <= len(parts) <= _MOST_AXES):
        raise UserInputError(
            f"sm.autotune of kernel {kernel!r}: expected {name} of 1 or more, one number or up to"
            f" three (x, y, z), got {size!r}"
        )
    return tuple(size) if isinstance(size, list) else size


def _shown(value: Any) -> str:
    value = value.value if isinstance(value, static) else value
    return getattr(value, "__name__", None) or repr(value)
