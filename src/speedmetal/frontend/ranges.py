"""How a loop over a range counts, so that its variable has Python's values in every type.

The IR's counter rises, or falls in a signed type. Where Python's range does neither, as one that
falls in an unsigned type or is reversed, the counter takes as many turns the other way, and the
variable is computed from it. That cannot go wrong where the range's own values fit: integers wrap.
"""

from __future__ import annotations

import ast

from speedmetal import dtypes
from speedmetal.common.records import record, replace
from speedmetal.dtypes import DType
from speedmetal.frontend.convert import (
    as_number,
    as_scalar,
    constant,
    convert_expression,
    convert_operand,
)
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.modular import Known, Modular
from speedmetal.frontend.promotion import common_type
from speedmetal.frontend.unpack import count_turns
from speedmetal.frontend.values import Range, Scalar, Static, Value, describe
from speedmetal.frontend.variable_types import NumberVariable
from speedmetal.ir import nodes as ir
from speedmetal.ir.counting import may_be_zero
from speedmetal.source import SourceSpan


@record
class Course:
    """A loop of the IR, and its variable: ``offset + factor * counter``.

    Args:
        number: The variable's type.
        bounds: The counter's start, stop and step.
        factor: A constant, or what only the running program knows; None: the counter itself is
            the variable.
        offset: The variable where the counter is 0.
        turns: How many, where that is known while compiling.
    """

    number: NumberVariable
    bounds: tuple[ir.Expression, ir.Expression, ir.Expression]
    factor: ir.Expression | None = None
    offset: ir.Expression | None = None
    turns: int | None = None

    def value(self, counter: ir.Read) -> ir.Expression:
        """The loop variable's value in the turn that a counter has reached."""
        if self.factor is None or self.offset is None:
            return counter
        modular = Modular(self.number.dtype, counter.span)
        if isinstance(self.factor, ir.Constant) and self.factor.value == modular.number(-1).value:
            return modular.binary("subtract", self.offset, counter)
        scaled = modular.binary("multiply", counter, self.factor)
        return modular.binary("add", self.offset, scaled)


def course_of(run: AbstractInterpreter, node: ast.expr, bounds: Range) -> Course:
    """How a loop over a range counts.

    Args:
        run: Statements that compute the course are emitted here.
        node: The range, for messages.
        bounds: The range.

    Raises:
        Fault: The bounds are no integers, or have no common type; the step is 0.
    """
    start, stop, step = (_integer(run, node, p) for p in (bounds.start, bounds.stop, bounds.step))
    if _constant_value(step) == 0:
        raise run.fault(node, "the step of range is 0, expected another number")
    number = _type_of(run, (start, stop, step), run.span(node))
    known = tuple(map(_constant_value, (start, stop, step)))
    backwards, count = bounds.is_reversed, None
    if None not in known:
        every = range(*known)  # type: ignore[arg-type]
        count = count_turns(every)
        back = every[::-1]
        ends = back.start, back.stop, back.step
        if backwards and count and all(_holds(number.dtype, end) for end in ends):
            (start, stop, step), backwards = map(Static, ends), False
    counting = _Counting(run, run.span(node), number, start, stop, step)
    return replace(counting.course(backwards=backwards), turns=count)


def _integer(run: AbstractInterpreter, node: ast.expr, part: Value) -> Static | Scalar:
    """A bound. Constants stay Python's; a bool counts as 0 or 1, as in Python."""
    if isinstance(part, Static) and isinstance(part.value, int):
        return Static(int(part.value))
    bound = as_number(run, part, run.span(node))
    if isinstance(bound, Scalar) and bound.dtype.is_bool:
        return Scalar(convert_expression(bound.expression, dtypes.DEFAULT_INT), weak=True)
    if isinstance(bound, Scalar) and bound.dtype.is_integer:
        return bound
    way = "count with integers, and multiply" if isinstance(part, Static) else "write int(x)"
    raise run.fault(node, f"range expects integers, found {describe(part)}; {way}")


def _constant_value(part: Static | Scalar) -> int | None:
    if isinstance(part, Static):
        return int(part.value)
    expression = part.expression
    return int(expression.value) if isinstance(expression, ir.Constant) else None


def _holds(dtype: DType, value: int) -> bool:
    return dtype.minimum <= value <= dtype.maximum


# --- The variable's type ---------------------------------------------------------------------


Parts = tuple[Static | Scalar, Static | Scalar, Static | Scalar]


def _type_of(run: AbstractInterpreter, parts: Parts, span: SourceSpan) -> NumberVariable:
    """The type of a range's numbers: that of its bounds, with 32 bits at least.

    Raises:
        Fault: The bounds have no common type.
    """
    number = _type_of_running(run, parts, span)
    for part in parts:
        if isinstance(part, Static) and not _goes_into(number.dtype, part, parts):
            wider = dtypes.promote(number.dtype, as_scalar(run, part, span).dtype)
            if wider is None:
                way_out = "convert the other bounds: x.astype(sm.int64)"
                constant(part.value, number.dtype, span, way_out)  # a fault
            else:
                number = NumberVariable(wider, number.weak)
    return number


def _type_of_running(run: AbstractInterpreter, parts: Parts, span: SourceSpan) -> NumberVariable:
    """The type of the bounds that are no constants of Python's."""
    running = tuple(part for part in parts if isinstance(part, Scalar))
    ends = tuple(part for part in parts[:2] if isinstance(part, Scalar))
    if not running:
        is_large = any((_constant_value(part) or 0) > dtypes.int64.maximum for part in parts[:2])
        return NumberVariable(dtypes.uint64 if is_large else dtypes.DEFAULT_INT, weak=True)
    number = common_type(run, ends or running, span, "range")
    if number.dtype is dtypes.uint64:
        return number  # whatever the sign of the step
    number = common_type(run, running, span, "range")
    if number.dtype.bits < dtypes.DEFAULT_INT.bits:
        return NumberVariable(dtypes.DEFAULT_INT, weak=True)
    if number.dtype is dtypes.uint32 and any(part.dtype.is_signed for part in running):
        return NumberVariable(dtypes.int64, number.weak)  # a Python number may be negative
    return number


def _goes_into(dtype: DType, part: Static, parts: Parts) -> bool:
    """Whether a range of a type can have this constant bound."""
    value, step = int(part.value), _constant_value(parts[2])
    if _holds(dtype, value):
        return True
    if dtype.is_signed or step is None or step > 0:
        return False
    if part is parts[2]:
        return -value <= dtype.maximum
    # Down to 0 and no further; a narrower type is made int64 instead.
    return part is parts[1] and value == -1 and dtype is dtypes.uint64


# --- The way it is counted -------------------------------------------------------------------


@record
class _Counting:
    run: AbstractInterpreter
    span: SourceSpan
    number: NumberVariable
    start: Static | Scalar
    stop: Static | Scalar
    step: Static | Scalar

    @property
    def modular(self) -> Modular:
        """Arithmetic that wraps as the loop variable's type does."""
        return Modular(self.number.dtype, self.span)

    @property
    def sizes(self) -> Modular:
        """Arithmetic of distances between the variable's values."""
        return Modular(dtypes.unsigned_of(self.number.dtype), self.span)

    def course(self, *, backwards: bool) -> Course:
        is_mirrored = self._may_fall() and not self.number.dtype.is_signed
        if is_mirrored and isinstance(self.stop, Static) and self.stop.value < 0:
            return self._down_to_zero(backwards=backwards)
        if is_mirrored or backwards:
            return self._mirror_course(backwards=backwards)
        step = self._check_step(self._convert_part(self.step))
        return Course(
            self.number, (self._convert_part(self.start), self._convert_part(self.stop), step)
        )

    def _may_fall(self) -> bool:
        known = _constant_value(self.step)
        if known is not None or isinstance(self.step, Static):
            return known is not None and known < 0
        return self.step.dtype.is_signed

    def _convert_part(self, part: Static | Scalar) -> ir.Expression:
        return convert_operand(self.run, part, self.number.dtype, self.span)

    def _keep_part(self, part: Static | Scalar, name: str) -> ir.Expression:
        return self.run.keep(self._convert_part(part), name)

    def _check_step(self, step: ir.Expression) -> ir.Expression:
        """The step; from debug level 1 on, the launch fails where it is 0."""
        run = self.run
        if run.debug and may_be_zero(step):
            run.require_inlining()
            step = run.keep(step, "step")
            zero = constant(0, _dtype(step), self.span)
            nonzero = self.modular.compare("ne", step, zero)
            run.emit(
                ir.Assert(nonzero, "step of zero", "the third argument of range is 0", self.span)
            )
        return step

    def _mirror_course(self, *, backwards: bool) -> Course:
        """The course of a range that is reversed, or unsigned with a step that may be negative."""
        modular, sizes = self.modular, self.sizes
        start, stop = self._keep_part(self.start, "start"), self._keep_part(self.stop, "stop")
        rises, size, step = self._direction()
        ends = modular.binary("add", start, stop)
        one, minus_one = modular.number(1), modular.number(-1)
        is_signed = self.number.dtype.is_signed
        if is_signed:
            bounds = start, stop, step
        else:
            bounds = modular.select(rises, start, stop), modular.select(rises, stop, start), size
        if not backwards:
            factor = modular.select(rises, one, minus_one)
            return self._course(bounds, factor, modular.select(rises, modular.number(0), ends))
        low, high = map(sizes.convert, (start, stop))
        distance = sizes.select(
            rises, sizes.binary("subtract", high, low), sizes.binary("subtract", low, high)
        )
        rest = sizes.binary("remainder", sizes.binary("subtract", distance, sizes.number(1)), size)
        # What lies between the last value and stop, stop included.
        tail = self.run.keep(modular.binary("add", modular.convert(rest), one), "tail")
        lowest = modular.binary("add", ends, tail) if is_signed else tail
        offset = modular.select(rises, modular.binary("subtract", ends, tail), lowest)
        factor = minus_one if is_signed else modular.select(rises, minus_one, one)
        return self._course(bounds, factor, offset)

    def _direction(self) -> tuple[Known, ir.Expression, ir.Expression]:
        """Whether the step leads upwards, its size, and the step itself."""
        sizes, known = self.sizes, _constant_value(self.step)
        if known is not None:
            return known > 0, sizes.number(abs(known)), self.modular.number(known)
        assert isinstance(self.step, Scalar)
        in_type = (
            self._convert_part(self.step) if self.number.dtype.is_signed else self.step.expression
        )
        step = self.run.keep(self._check_step(in_type), "step")
        if not _dtype(step).is_signed:
            return True, sizes.convert(step), step
        forth = sizes.convert(step)
        back = sizes.binary("subtract", sizes.number(0), forth)
        rises = self.modular.compare("gt", step, constant(0, _dtype(step), self.span))
        return rises, self.run.keep(sizes.select(rises, forth, back), "step_size"), step

    def _down_to_zero(self, *, backwards: bool) -> Course:
        """A range of unsigned numbers that stops at -1: its turns are counted."""
        modular, known = self.modular, _constant_value(self.step)
        assert known is not None
        start, size = self._keep_part(self.start, "start"), modular.number(-known)
        last = modular.binary("floor_divide", start, size)
        count = modular.binary("add", last, modular.number(1))
        if known == -1:  # 2**64 turns are one too many for the type, and for anybody's time
            greatest = modular.number(-1)
            is_greatest = modular.compare("eq", start, greatest)
            count = modular.select(is_greatest, greatest, count)
        bounds = modular.number(0), count, modular.number(1)
        if backwards:
            return self._course(bounds, size, modular.binary("remainder", start, size))
        return self._course(bounds, modular.number(known), start)

    def _course(
        self,
        bounds: tuple[ir.Expression, ir.Expression, ir.Expression],
        factor: ir.Expression,
        offset: ir.Expression,
    ) -> Course:
        """The course; factor and offset, which each turn reads, are kept in variables before the
        loop.
        """
        return Course(
            self.number,
            bounds,
            self._keep_before_loop(factor, "factor"),
            self._keep_before_loop(offset, "offset"),
        )

    def _keep_before_loop(self, value: ir.Expression, name: str) -> ir.Expression:
        """The value before the loop, whatever becomes of the names that it reads."""
        return value if isinstance(value, ir.Constant) else self.run.assign_new(name, value)


def _dtype(expression: ir.Expression) -> DType:
    assert isinstance(expression.type, DType)
    return expression.type
