"""Plans of launches that read an array, which may be an expression: found once, and filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from speedmetal.arrays.deferred.following import Follower
from speedmetal.arrays.memory.kept import Kept
from speedmetal.launch.modes import stated_math_mode
from speedmetal.launch.readers import read_argument

_Plan = TypeVar("_Plan")

_math_mode = stated_math_mode


def planned(
    plans: Kept[_Plan],
    what: tuple[Any, ...],
    source: Any,
    make: Callable[[], _Plan],
    follower: Follower | None = None,
) -> tuple[_Plan, list[Any]]:
    """The plan, and the values of a launch, among which the second one, the target's, is open.

    Args:
        plans: Those of before. A plan has ``moves``: how far the first element that a launch reads
            is from each leaf's, in bytes, by its place among the values.
        what: All that a plan depends on besides the source.
        source: An array whose leaves are in memory.
        make: Makes the plan where there is none.
        follower: Of the result. The values of its leaves come after the target's.
    """
    key: list[Any] = [*what, _math_mode.get(), source.layout]
    values: list[Any] = [0, None]
    if follower is not None:
        follower.read(key, values)
    read_argument(source, key, values)
    plan = plans.get(tuple(key))
    if plan is None:
        plan = plans.keep(tuple(key), make())
    found: Any = plan
    for place, distance in found.moves:
        values[place] += distance
    return plan, values
