"""Functions of scalars as LLVM functions: one for each shape of the operands.

Small ones are inlined always, because the call would spill every vector register; large ones that
are called often are not, to keep compile time in proportion to the program. In the text of partial
vectors, which seldom runs, none but the small ones are inlined where that makes several copies: so
each call in the text of full vectors costs one copy, not two.
"""

from __future__ import annotations

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
from speedmetal.ir.nodes import Call, For, Function, If, Statement, While

_INLINED_EXPRESSIONS = 60
_INLINED_CALLS = 4
_INLINED_IN_ALL = 700  # expressions of all copies of a function
_CALLED_IN_TAILS = 4  # calls, from which one function for them is less than so many copies
_SMALL_IN_TAILS = 20  # expressions
_TAIL = ".tail"


@record(frozen=False)
class _Variant:
    name: str
    text: str
    size: int
    calls: int = 0
    calls_in_tails: int = 0

    @property
    def is_inlined(self) -> bool:
        if self.size <= _INLINED_EXPRESSIONS or self.calls <= _INLINED_CALLS:
            return True
        return self.size * self.calls <= _INLINED_IN_ALL

    @property
    def is_called_in_tails(self) -> bool:
        """Whether tails call a function of their own, where full vectors have copies."""
        often = self.calls_in_tails >= _CALLED_IN_TAILS
        return often and self.is_inlined and self.size > _SMALL_IN_TAILS


class Functions:
    """Makes functions when they are first called."""

    def __init__(self, module: Module, unit: VectorUnit) -> None:
        self._unit = unit
        self._module = module
        self._variants: dict[tuple[Function, tuple[Stride, ...], int], _Variant] = {}

    def name_of(
        self, function: Function, strides: tuple[Stride, ...], lanes: int, *, in_tail: bool
    ) -> str:
        key = (function, strides, lanes)
        if key not in self._variants:
            shape = "".join("v" if s is VARYING else "u" for s in strides)
            name = f"{function.name}.{shape}{lanes or ''}"
            size = walk.size(function.body)
            self._variants[key] = _Variant(name, "", size)
            self._variants[key].text = self._text(function, strides, lanes, name)
        variant = self._variants[key]
        if in_tail:
            variant.calls_in_tails += 1
            return variant.name + _TAIL
        variant.calls += 1
        return variant.name

    def takes_mask(self, function: Function) -> bool:
        return _has_control_flow(function.body)

    def texts(self, body: str) -> list[str]:
        """The functions' text, callees first, and the kernel's, which calls them."""
        result = []
        for variant in self._variants.values():
            attribute = "alwaysinline" if variant.is_inlined else "noinline"
            result.append(variant.text.replace("#inlining", attribute))
            head, tail_head = f"@{variant.name}(", f"@{variant.name}{_TAIL}("
            if variant.is_called_in_tails:
                tail = variant.text.replace(head, tail_head, 1)
                result.append(tail.replace("#inlining", "noinline"))
            elif variant.calls_in_tails:
                body = body.replace(tail_head, head)
        return [*result, body]

    def _text(self, function: Function, strides: tuple[Stride, ...], lanes: int, name: str) -> str:
        emit = Emitter(self._module)
        given = dict(zip(function.parameters, strides, strict=True))
        inside = LaneStrides([((), function.body)], given, _no_position)
        bounds = FloatBounds(function.parameters, function.body)
        values = value_parts(emit, lanes, self._unit)
        parts = expression_parts(values, inside, bounds, self, self._unit, _no_position)
        code = statement_part(values, parts, inside, self._unit, None)
        parameters = []
        for number, (variable, stride) in enumerate(given.items()):
            kind = value_type(variable.type, lanes if stride is VARYING else 0)
            parameters.append(f"{kind} %a{number}")
            parts.variables.bind(variable, Value(f"%a{number}", variable.type, stride))
        kind = value_type(function.result, lanes)
        slot, end, live = emit.slot(kind, "result"), emit.label("return"), ""
        if lanes and self.takes_mask(function):
            mask_kind = values.lanes.mask_type
            parameters.append(f"{mask_kind} %mask")
            values.active.mask = "%mask"
            if inside.has_masked_return:
                live = emit.slot(mask_kind, "live")
                emit.do(f"store {mask_kind} %mask, ptr {live}")
        parts.exits.begin(end, live)
        parts.exits.expect_result(slot, lanes)
        code.block(function.body, ())
        emit.jump(end)
        emit.start(end)
        emit.do(f"ret {kind} {emit.let(f'load {kind}, ptr {slot}')}")
        head = f"define internal {kind} @{name}({', '.join(parameters)}) #inlining"
        return f"{head} nounwind {{\n{emit.body()}\n}}"


def _has_control_flow(body: tuple[Statement, ...]) -> bool:
    return any(isinstance(statement, If | For | While) for statement in body)


def _no_position(call: Call) -> NoReturn:
    raise InternalError(f"{call.intrinsic.name} stands in a function")
