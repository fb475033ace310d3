"""Expressions: each node kind has one method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import (
    UNIFORM,
    VARYING,
    LaneStrides,
    Stride,
)
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.addresses import Addresses
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.collectives import Collectives
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import constant, value_type
from speedmetal.backends.cpu.codegen.operations.loads_stores import Memory
from speedmetal.backends.cpu.codegen.operations.mathematics import Mathematics
from speedmetal.backends.cpu.codegen.operations.matrices import Matrices
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.dtypes import DType
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir.float_bounds import ANYTHING, FloatBounds
from speedmetal.ir.nodes import (
    Binary,
    Bitcast,
    Call,
    Compare,
    Constant,
    Convert,
    Expression,
    Extent,
    Function,
    Invoke,
    Load,
    Logical,
    MatrixLoad,
    Read,
    Select,
    Unary,
)


class FunctionTable(Protocol):
    """Where functions of the module are made, each once for every shape of its operands.

    A protocol: what makes functions writes their bodies, whose expressions call functions.
    """

    def name_of(
        self, function: Function, strides: tuple[Stride, ...], lanes: int, *, in_tail: bool
    ) -> str:
        """The name of the LLVM function for operands of these shapes.

        Args:
            function: That is called.
            strides: Of its operands.
            lanes: Of the call.
            in_tail: Whether the call stands in the text of partial vectors.
        """

    def takes_mask(self, function: Function) -> bool:
        """Whether it has the active lanes as a last operand."""


class Expressions:
    """Evaluates expressions for the lanes of a vector.

    Owns which part writes which node; asks all of them, and the variables for their values.

    Args:
        strides: How the variables vary.
        bounds: Where the body's floats lie.
        functions: The module's functions.
        position: The value of a position intrinsic.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        variables: Variables,
        conversions: Conversions,
        arithmetic: Arithmetic,
        mathematics: Mathematics,
        addresses: Addresses,
        memory: Memory,
        collectives: Collectives,
        matrices: Matrices,
        strides: LaneStrides,
        bounds: FloatBounds,
        functions: FunctionTable,
        position: Callable[[Call], Value],
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._variables = variables
        self._conversions = conversions
        self._arithmetic = arithmetic
        self._mathematics = mathematics
        self._addresses = addresses
        self._memory = memory
        self._collectives = collectives
        self._matrices = matrices
        self._strides = strides
        self._bounds = bounds
        self._functions = functions
        self._position = position

    def evaluate(self, expression: Expression) -> Value:
        """Write what computes an expression."""
        return self._EXPRESSIONS[type(expression)](self, expression)

    def evaluate_all(self, expressions: tuple[Expression, ...]) -> tuple[Value, ...]:
        return tuple(self.evaluate(expression) for expression in expressions)

    # --- nodes

    def _constant(self, node: Constant) -> Value:
        return Value(constant(node.value, node.type), node.type, UNIFORM)

    def _read(self, node: Read) -> Value:
        return self._variables.read(node.variable)

    def _unary(self, node: Unary) -> Value:
        return self._arithmetic.unary(node.operator, self.evaluate(node.operand))

    def _binary(self, node: Binary) -> Value:
        left = self.evaluate(node.left)
        return self._arithmetic.binary(node.operator, left, self.evaluate(node.right))

    def _compare(self, node: Compare) -> Value:
        left = self.evaluate(node.left)
        return self._arithmetic.compare(node.operator, left, self.evaluate(node.right))

    def _logical(self, node: Logical) -> Value:
        left = self.evaluate(node.left)
        return self._arithmetic.logical(node.operator, left, self.evaluate(node.right))

    def _select(self, node: Select) -> Value:
        condition = self.evaluate(node.condition)
        when_true = self.evaluate(node.when_true)
        return self._arithmetic.select(condition, when_true, self.evaluate(node.when_false))

    def _convert(self, node: Convert) -> Value:
        value = self.evaluate(node.operand)
        if value.stride not in (UNIFORM, VARYING) and self._strides.stride(node) is VARYING:
            value = self._lanes.varying(value)
        source = node.operand.type
        assert isinstance(source, DType)
        is_cut = source.is_float and node.type.is_integer
        bounds = self._bounds.of(node.operand) if is_cut else ANYTHING
        return self._conversions.convert(value, node.type, bounds)

    def _bitcast(self, node: Bitcast) -> Value:
        return self._arithmetic.bitcast(self.evaluate(node.operand), node.type)

    def _load(self, node: Load) -> Value:
        known = self._memory.find_vector(node)
        if known is not None:
            return known
        return self._memory.load(node.array, self.evaluate_all(node.indices), node.part)

    def _extent(self, node: Extent) -> Value:
        extent = Value(self._addresses.of(node.array).extents[node.axis], dtypes.int64, UNIFORM)
        return self._conversions.convert(extent, node.type)

    def _matrix_load(self, node: MatrixLoad) -> Value:
        indices = self.evaluate_all(node.indices)
        return self._matrices.load(node.array, indices, transpose=node.transpose)

    def _invoke(self, node: Invoke) -> Value:
        function = node.function
        given = self.evaluate_all(node.arguments)
        lanes = self._lanes.width(*given)
        strides: tuple[Stride, ...] = tuple(UNIFORM if v.is_uniform else VARYING for v in given)
        name = self._functions.name_of(function, strides, lanes, in_tail=self._active.in_tail)
        arguments = [
            f"{value_type(v.type, 0 if v.is_uniform else lanes)} "
            f"{v.text if v.is_uniform else self._lanes.vector(v)}"
            for v in given
        ]
        if lanes and self._functions.takes_mask(function):
            arguments.append(f"<{lanes} x i1> {self._active.text()}")
        kind = value_type(function.result, lanes)
        text = self._emit.let(f"call {kind} @{name}({', '.join(arguments)})")
        return self._lanes.result(text, function.result, lanes)

    # --- intrinsics

    def _call(self, node: Call) -> Value:
        kind, exchange = node.intrinsic.kind, node.intrinsic.exchange
        if kind is IntrinsicKind.POSITION:
            return self._position(node)
        given = self.evaluate_all(node.arguments)
        if exchange is not None:
            return self._collectives.operation(exchange, given)
        if kind is IntrinsicKind.MATRIX:
            return self._matrices.operation(given)
        return self._mathematics.call(node, given)

    _EXPRESSIONS: ClassVar[dict[type, Callable[[Any, Any], Value]]] = {
        Constant: _constant,
        Read: _read,
        Unary: _unary,
        Binary: _binary,
        Compare: _compare,
        Logical: _logical,
        Select: _select,
        Convert: _convert,
        Bitcast: _bitcast,
        Load: _load,
        Extent: _extent,
        Call: _call,
        Invoke: _invoke,
        MatrixLoad: _matrix_load,
    }
