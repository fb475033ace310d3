"""Loops over ranges as lines of text."""

from __future__ import annotations

from speedmetal.backends.c_family.device_prelude import unsigned_type
from speedmetal.backends.c_family.operators import PRIMARY, UNARY, Text, parenthesise
from speedmetal.backends.c_family.statements import StatementPrinter
from speedmetal.dtypes import DType
from speedmetal.ir import counting
from speedmetal.ir.nodes import (
    Binary,
    Call,
    Constant,
    Convert,
    Expression,
    Extent,
    For,
    Read,
    Variable,
)
from speedmetal.ir.walk import assigned_variable, expressions, statements


class LoopPrinter(StatementPrinter):
    """Prints the statement ``For``."""

    def _for(self, node: For) -> None:
        dtype = node.counter.type
        assert isinstance(dtype, DType)
        changed = {v for s in statements(node.body) if (v := assigned_variable(s)) is not None}
        changed.add(node.counter)
        counter = self.variable(node.counter)
        if self._counts_turns(node):
            start, condition, advance = self._counted(node, counter, changed)
        else:
            start = self.expression_text(node.start)
            stop = self._print_bound(node, node.stop, "stop", changed)
            step = self._print_bound(node, node.step, "step", changed)
            condition, advance = self._progress(node, counter, stop, step)
        self.line(f"for ({self.type(dtype)} {counter} = {start}; {condition}; {advance}) {{")
        self.block(node.body)
        self.line("}")

    def _print_bound(self, node: For, bound: Expression, role: str, changed: set[Variable]) -> Text:
        """A bound as it may stand in the loop's head, where it is computed in every round."""
        if _is_fixed(bound, changed):
            return self.expression(bound)
        name = self.names.fresh(f"{node.counter.name}_{role}")
        self.line(f"{self.type(node.counter.type)} {name} = {self.expression_text(bound)};")
        return Text(name, PRIMARY)

    def _progress(self, node: For, i: str, stop: Text, step: Text) -> tuple[str, str]:
        """The condition and the advance of a loop."""
        dtype = node.counter.type
        assert isinstance(dtype, DType)
        up, down = f"{i} < {parenthesise(stop, UNARY)}", f"{i} > {parenthesise(stop, UNARY)}"
        rising, size = counting.step_rises(node.step), parenthesise(step, UNARY)
        if rising is None:
            condition = f"{size} > 0 ? {up} : {size} < 0 && {down}"
        elif counting.may_be_zero(node.step):
            condition = f"{size} != 0{self.dialect.suffixes[dtype]} && {up}"
        else:
            condition = up if rising else down
        if self.overflow.counter_leaves(node):
            name = self.helpers.range_next(dtype)
            return condition, f"{i} = {name}({i}, {stop.text}, {step.text})"
        if not isinstance(node.step, Constant):
            return condition, f"{i} += {step.text}"
        number = abs(int(node.step.value))
        if number == 1:
            return condition, f"++{i}" if rising else f"--{i}"
        return condition, f"{i} {'+=' if rising else '-='} {number}{self.dialect.suffixes[dtype]}"

    def _counts_turns(self, node: For) -> bool:
        """Whether a loop counts its turns, because its counter may leave its type behind the last.

        A compiler that sees the number of turns makes several at once, and has their loads on
        their way together.
        """
        rises = counting.step_rises(node.step) and not counting.may_be_zero(node.step)
        return self.dialect.counts_turns and bool(rises) and self.overflow.counter_leaves(node)

    def _counted(self, node: For, i: str, changed: set[Variable]) -> tuple[str, str, str]:
        """The start, the condition and the advance of such a loop."""
        dtype = node.counter.type
        assert isinstance(dtype, DType)
        bounds = {"start": node.start, "stop": node.stop, "step": node.step}
        start, stop, step = (
            self._print_bound(node, bound, role, changed).text for role, bound in bounds.items()
        )
        unsigned = self.helpers.type(unsigned_type(dtype.bits))
        turns = self.names.fresh(f"{node.counter.name}_turns")
        count = f"{self.helpers.range_turns(dtype)}({start}, {stop}, {step})"
        self.line(f"{unsigned} {turns} = {count};")
        next_value = f"{self.type(dtype)}({unsigned}({i}) + {unsigned}({step}))"
        return start, f"{turns} > 0", f"--{turns}, {i} = {next_value}"


def _is_fixed(bound: Expression, changed: set[Variable]) -> bool:
    """Whether computing a bound in every round is cheap and gives the same each time."""
    parts = [*expressions(bound), bound]
    allowed = Constant | Read | Extent | Convert | Binary | Call
    return (
        len(parts) <= 5
        and all(isinstance(part, allowed) for part in parts)
        and not any(isinstance(part, Read) and part.variable in changed for part in parts)
        and not any(isinstance(part, Call) and part.arguments for part in parts)
        and not any(isinstance(p, Binary) and p.operator in _DEAR for p in parts)
    )


_DEAR = frozenset({"divide", "floor_divide", "remainder"})
