"""Functions of scalars as LLVM functions: one for each shape of the operands.

Small ones are inlined always, because the call would spill every vector register; large ones that
are called often are not, to keep compile time in proportion to the program. What counts is a
function with all that it calls, and how often it would stand in the kernel, which the callers tell:
so these are written first. In the text of partial vectors, which seldom runs, none but the small
ones are inlined where that makes several copies: so each call in the text of full vectors costs one
copy, not two.

A function that is called takes vectors of two registers at most, one after the other: of code for
more registers at once there would be more, and they would be spilled.

What a library function calls under a condition is for few arguments: it is called, not inlined.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from speedmetal.backends.cpu.codegen.decisions.lane_strides import VARYING, LaneStrides, Stride
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter, Module
from speedmetal.backends.cpu.codegen.operations.llvm_text import value_type
from speedmetal.backends.cpu.codegen.operations.values import Value
from speedmetal.backends.cpu.codegen.threads.parts import (
    expression_parts,
    statement_part,
    value_parts,
)
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.common.records import record
from speedmetal.errors import InternalError
from speedmetal.ir import walk
from speedmetal.ir.float_bounds import FloatBounds
from speedmetal.ir.nodes import Call, For, Function, If, Invoke, Statement, While

_INLINED_EXPRESSIONS = 60
_INLINED_IN_ALL = 870  # expressions of all copies of a function: of 8 logarithms in a loop
_CALLED_IN_TAILS = 4  # calls, from which one function for them is less than so many copies
_SMALL_IN_TAILS = 20  # expressions
_TAIL = ".tail"


@record(eq=False)
class _Measure:
    """What is known of a function before it is written.

    Args:
        size: How many expressions it has, with those of all that it calls, but for few arguments.
        height: How many calls it is away from functions that call none, at most.
        rare: What it calls for few arguments alone.
    """

    size: int
    height: int
    rare: frozenset[Function]


@record(frozen=False)
class _Variant:
    """A function for one shape of its operands.

    Args:
        name: Of the LLVM function.
        function: What it is of.
        strides: Of the operands.
        lanes: Of the vectors; 0: it is of numbers.
        measure: Of the function.
        calls: How often it is called, in all copies of all callers, but in tails.
        calls_in_tails: The same in tails.
        rare_calls: How many calls are for few arguments.
        is_part: Whether it does the work of functions of longer vectors.
    """

    name: str
    function: Function
    strides: tuple[Stride, ...]
    lanes: int
    measure: _Measure
    calls: int = 0
    calls_in_tails: int = 0
    rare_calls: int = 0
    is_part: bool = False

    @property
    def is_inlined(self) -> bool:
        size = self.measure.size
        if size <= _INLINED_EXPRESSIONS:
            return True
        if self.rare_calls or self.is_part:
            return False
        return self.calls <= 1 or size * self.calls <= _INLINED_IN_ALL

    @property
    def is_called_in_tails(self) -> bool:
        """Whether tails call a function of their own, where full vectors have copies."""
        often = self.calls_in_tails >= _CALLED_IN_TAILS
        return often and self.is_inlined and self.measure.size > _SMALL_IN_TAILS

    @property
    def copies(self) -> int:
        """How often its text stands in the module in the end."""
        if not self.is_inlined:
            return 1
        return self.calls + (1 if self.is_called_in_tails else self.calls_in_tails)


class Functions:
    """Names functions as they are called, and writes them when all calls are known."""

    def __init__(self, module: Module, unit: VectorUnit) -> None:
        self._unit = unit
        self._module = module
        self._variants: dict[tuple[Function, tuple[Stride, ...], int], _Variant] = {}
        self._unwritten: list[_Variant] = []
        self._measures: dict[Function, _Measure] = {}
        self._caller: _Variant | None = None

    def name_of(
        self, function: Function, strides: tuple[Stride, ...], lanes: int, *, in_tail: bool
    ) -> str:
        variant = self._variant(function, strides, lanes)
        copies = 1 if self._caller is None else self._caller.copies
        if self._caller is not None and function in self._caller.measure.rare:
            variant.rare_calls += copies
        if in_tail:
            variant.calls_in_tails += copies
            return variant.name + _TAIL
        variant.calls += copies
        return variant.name

    def takes_mask(self, function: Function) -> bool:
        return _has_control_flow(function.body)

    def texts(self, body: str) -> list[str]:
        """The functions' text, callees first, and the kernel's, which calls them."""
        result = [body]
        while self._unwritten:
            # Nobody is left to be written who calls it.
            variant = max(self._unwritten, key=lambda v: (v.measure.height, v.lanes))
            self._unwritten.remove(variant)
            self._caller = variant
            result.append(self._definition(variant))
            head, tail_head = f"@{variant.name}(", f"@{variant.name}{_TAIL}("
            if variant.is_called_in_tails:
                tail = result[-1].replace(head, tail_head, 1)
                result.append(tail.replace("alwaysinline", "noinline", 1))
            elif variant.calls_in_tails:
                result[0] = result[0].replace(tail_head, head)
        return result[::-1]

    def _variant(self, function: Function, strides: tuple[Stride, ...], lanes: int) -> _Variant:
        key = (function, strides, lanes)
        found = self._variants.get(key)
        if found is None:
            shape = "".join("v" if s is VARYING else "u" for s in strides)
            name = f"{function.name}.{shape}{lanes or ''}"
            found = _Variant(name, function, strides, lanes, self._measure(function))
            self._variants[key] = found
            self._unwritten.append(found)
        return found

    def _measure(self, function: Function) -> _Measure:
        found = self._measures.get(function)
        if found is None:
            size, height = 0, 0
            rare, usual = set[Function](), set[Function]()
            for statement, under in _with_conditions(function.body):
                expressions = walk.expressions(statement)
                size += len(expressions)
                callees = rare if under and function.is_total else usual
                for called in (e.function for e in expressions if isinstance(e, Invoke)):
                    inner = self._measure(called)
                    height = max(height, inner.height + 1)
                    if callees is usual or inner.size <= _INLINED_EXPRESSIONS:
                        size += inner.size
                    callees.add(called)
            found = self._measures[function] = _Measure(size, height, frozenset(rare - usual))
        return found

    # --- Texts

    def _definition(self, variant: _Variant) -> str:
        is_rare = variant.rare_calls == variant.calls
        # Of two registers one is at work while the other waits. What few arguments need takes half
        # a register, because the library of float32 computes it in float64.
        width = self._unit.lanes // 2 if is_rare else 2 * self._unit.lanes
        if variant.is_inlined:
            return self._text(variant, "alwaysinline")
        if variant.lanes > width:
            return self._text_of_parts(variant, width)
        return self._text(variant, "noinline cold" if is_rare else "noinline")

    def _text_of_parts(self, variant: _Variant, width: int) -> str:
        """The function of a long vector, which calls that of short ones."""
        part = self._variant(variant.function, variant.strides, width)
        count = variant.lanes // width
        part.calls += count * variant.calls
        part.rare_calls += count * variant.rare_calls
        part.is_part = True
        emit = Emitter(self._module)
        parameters = self._parameters(variant.function, variant.strides, variant.lanes)
        kinds = self._parameters(variant.function, variant.strides, width)
        result = value_type(variant.function.result, width)
        results = []
        for number in range(count):
            lanes = range(number * width, (number + 1) * width)
            given = [
                f"{kind} {name if kind == long else _picked(emit, long, name, name, lanes)}"
                for (kind, name), (long, _) in zip(kinds, parameters, strict=True)
            ]
            results.append(emit.let(f"call {result} @{part.name}({', '.join(given)})"))
        while len(results) > 1:
            kind = f"<{variant.lanes // len(results)} x {_element(result)}>"
            lanes = range(2 * variant.lanes // len(results))
            results = [
                _picked(emit, kind, one, other, lanes)
                for one, other in zip(results[::2], results[1::2], strict=True)
            ]
        whole = value_type(variant.function.result, variant.lanes)
        emit.do(f"ret {whole} {results[0]}")
        return _function(variant.name, whole, parameters, "alwaysinline", emit)

    def _parameters(
        self, function: Function, strides: tuple[Stride, ...], lanes: int
    ) -> list[tuple[str, str]]:
        """LLVM's types and names of the operands, and of the mask."""
        found = [
            (value_type(variable.type, lanes if stride is VARYING else 0), f"%a{number}")
            for number, (variable, stride) in enumerate(
                zip(function.parameters, strides, strict=True)
            )
        ]
        if lanes and self.takes_mask(function):
            found.append((f"<{lanes} x i1>", "%mask"))
        return found

    def _text(self, variant: _Variant, attributes: str) -> str:
        function, lanes = variant.function, variant.lanes
        emit = Emitter(self._module)
        given = dict(zip(function.parameters, variant.strides, strict=True))
        inside = LaneStrides([((), function.body)], given, _no_position)
        bounds = FloatBounds(function.parameters, function.body)
        values = value_parts(emit, lanes, self._unit)
        parts = expression_parts(values, inside, bounds, self, self._unit, _no_position)
        code = statement_part(values, parts, inside, self._unit, None)
        for number, (variable, stride) in enumerate(given.items()):
            parts.variables.bind(variable, Value(f"%a{number}", variable.type, stride))
        kind = value_type(function.result, lanes)
        slot, end, live = emit.slot(kind, "result"), emit.label("return"), ""
        if lanes and self.takes_mask(function):
            values.active.mask = "%mask"
            if inside.has_masked_return:
                live = emit.slot(values.lanes.mask_type, "live")
                emit.do(f"store {values.lanes.mask_type} %mask, ptr {live}")
        parts.exits.begin(end, live)
        parts.exits.expect_result(slot, lanes)
        code.block(function.body, ())
        emit.jump(end)
        emit.start(end)
        emit.do(f"ret {kind} {emit.let(f'load {kind}, ptr {slot}')}")
        parameters = self._parameters(function, variant.strides, lanes)
        return _function(variant.name, kind, parameters, attributes, emit)


def _function(
    name: str, result: str, parameters: list[tuple[str, str]], attributes: str, emit: Emitter
) -> str:
    shown = ", ".join(f"{kind} {parameter}" for kind, parameter in parameters)
    head = f"define internal {result} @{name}({shown}) {attributes}"
    return f"{head} nounwind {{\n{emit.body()}\n}}"


def _picked(emit: Emitter, kind: str, one: str, other: str, lanes: range) -> str:
    """Lanes of two vectors of a type, which are numbered one after the other."""
    numbers = ", ".join(f"i32 {lane}" for lane in lanes)
    picks = f"<{len(lanes)} x i32> <{numbers}>"
    return emit.let(f"shufflevector {kind} {one}, {kind} {other}, {picks}")


def _element(vector: str) -> str:
    """LLVM's type of the elements of a vector.

    >>> _element("<16 x float>")
    'float'
    """
    return vector.removesuffix(">").partition(" x ")[2]


def _with_conditions(
    body: tuple[Statement, ...], *, under: bool = False
) -> Iterator[tuple[Statement, bool]]:
    """Every statement, and whether it stands under a condition."""
    for statement in body:
        yield statement, under
        for block in walk.blocks(statement):
            yield from _with_conditions(block, under=under or isinstance(statement, If))


def _has_control_flow(body: tuple[Statement, ...]) -> bool:
    return any(isinstance(statement, If | For | While) for statement in body)


def _no_position(call: Call) -> NoReturn:
    raise InternalError(f"{call.intrinsic.name} stands in a function")
