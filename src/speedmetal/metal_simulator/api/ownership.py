"""What a program may tell the bridge about a selector: that its result is already retained.

Metadata that is registered replaces what the framework's own says, all of it. So a registration
must restate each argument that the bridge treats specially, or the next message goes wrong.
"""

from __future__ import annotations

from typing import Any

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.facts import Argument, Selector
from speedmetal.metal_simulator.api.validation import MetalValidationError, require

# Arguments are counted from the receiver and the selector.
_FIRST_ARGUMENT = 2


def check_metadata(owner: bytes, selector: bytes, metadata: dict[Any, Any]) -> bool:
    """Refuse metadata that would break a selector.

    Returns:
        Whether it says that the result is already retained.

    Raises:
        MetalValidationError: The selector does not exist, its result is not owned by the caller, or
            an argument is not restated.
    """
    name = selector.decode().replace(":", "_")
    rows = sdk.find_selectors(name)
    require(rows, f"registerMetaDataForSelector: there is no selector {selector.decode()!r}")
    require(
        owner == b"NSObject" or owner.decode() in {holder.name for holder, _ in rows},
        f"registerMetaDataForSelector: {owner.decode()} has no {selector.decode()!r}",
    )
    row = rows[0][1]
    retained = bool(metadata.get("retval", {}).get("already_retained"))
    require(
        not retained or row.gives_ownership,
        f"{selector.decode()}: already_retained, but callers do not own what it gives",
    )
    _check_arguments(row, metadata.get("arguments", {}))
    return retained


def _check_arguments(row: Selector, stated: dict[Any, Any]) -> None:
    for index, argument in enumerate(row.arguments):
        needed = _special_metadata(argument)
        given = stated.get(index + _FIRST_ARGUMENT, {})
        for key, value in needed.items():
            if given.get(key) != value:
                raise MetalValidationError(
                    f"{row.objective_c}: the metadata replaces the framework's; argument "
                    f"{index + _FIRST_ARGUMENT} must say {key!r}: {value!r} again"
                )


def _special_metadata(argument: Argument) -> dict[str, Any]:
    if argument.out:
        return {"type_modifier": b"o"}
    if argument.length_from is not None:
        length = argument.length_from + _FIRST_ARGUMENT
        return {"type_modifier": b"n", "c_array_length_in_arg": length}
    return {}
