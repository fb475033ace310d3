"""What the bounds of a :class:`~speedmetal.ir.nodes.For` tell about how it goes and ends.

A counter that goes on by its step after the last turn may leave its type, and a loop that then
compares it with its stop does not end. Printers ask here whether that can be.
"""

from __future__ import annotations

from speedmetal.dtypes import DType
from speedmetal.ir.nodes import Binary, Call, Constant, Expression, Extent, For
from speedmetal.ir.types import INDEX_HEADROOM, greatest_index


def step_rises(step: Expression) -> bool | None:
    """Whether a step leads upwards; None where only the running program knows."""
    if isinstance(step, Constant):
        return step.value > 0
    assert isinstance(step.type, DType)
    return True if largest_step(step) is not None or not step.type.is_signed else None


def may_be_zero(step: Expression) -> bool:
    """Whether only the running program knows that a step is not 0."""
    return not isinstance(step, Constant) and largest_step(step) is None


def largest_step(step: Expression) -> int | None:
    """A bound of a step that is certainly positive; None where it may be 0 or less.

    A product counts only where it stays in its type: one that wraps may be anything.
    """
    match step:
        case Constant(value=value) if value > 0:
            return int(value)
        case Call(intrinsic=intrinsic, type=DType() as dtype) if intrinsic.bounds is not None:
            least, greatest = intrinsic.bounds(greatest_index(dtype))
            return greatest if least > 0 else None
        case Binary(operator="multiply", left=left, right=right):
            return _largest_product(left, right)
    return None


def _largest_product(left: Expression, right: Expression) -> int | None:
    first, second = largest_step(left), largest_step(right)
    assert isinstance(left.type, DType)
    if first is None or second is None:
        return None
    if first * second <= left.type.maximum:
        return first * second
    return left.type.maximum if _is_padded_grid(left, right) else None


def _is_padded_grid(left: Expression, right: Expression) -> bool:
    """Whether a product is the number of threads of all threadgroups along an axis."""
    if not (isinstance(left, Call) and isinstance(right, Call)):
        return False
    names = {left.intrinsic.name, right.intrinsic.name}
    return names == {"threads_per_threadgroup", "threadgroups_per_grid"} and left.axis == right.axis


def cannot_overflow(loop: For) -> bool:
    """Whether a counter that passes ``stop``, as it does after the last turn, is in its type."""
    step, stop, dtype = loop.step, loop.stop, loop.counter.type
    assert isinstance(dtype, DType)
    rising = step_rises(step)
    size = abs(int(step.value)) if isinstance(step, Constant) else largest_step(step)
    if rising is None or size is None:
        return False
    if size == 1:
        return True
    if isinstance(stop, Constant):
        if rising:
            return stop.value + size - 1 <= dtype.maximum
        return stop.value - size + 1 >= dtype.minimum
    return rising and isinstance(stop, Extent) and size <= INDEX_HEADROOM
