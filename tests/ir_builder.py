"""Builds IR by hand, for tests of what comes after the front end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from speedmetal import dtypes as d
from speedmetal.dtypes import DType
from speedmetal.intrinsics import find_intrinsic
from speedmetal.intrinsics.record import Result
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import ArrayType, MatrixType, Space, ValueType
from speedmetal.source import NOWHERE, SourceSpan, SourceText

Value = ir.Expression | ir.Variable | bool | int | float


def span(line: int = 1, text: str = "x = y") -> SourceSpan:
    """A place in a file, for messages."""
    return SourceSpan(SourceText("kernel.py", line, (text,)), line, 0, line, len(text))


class Builder:
    """Collects the parts of one kernel; its methods make nodes, statements are added in order."""

    def __init__(self, name: str, *, index_type: DType = d.int32, debug: int = 0) -> None:
        self.name, self.index_type, self.debug = name, index_type, debug
        self.parameters: list[ir.Variable | ir.Array] = []
        self.arrays: list[ir.Array] = []
        self.functions: list[ir.Function] = []
        self.statements: list[ir.Statement] = []

    def kernel(self) -> ir.Kernel:
        return ir.Kernel(
            self.name,
            tuple(self.parameters),
            tuple(self.arrays),
            tuple(self.functions),
            tuple(self.statements),
            self.index_type,
            NOWHERE,
            self.debug,
        )

    # --- Declarations --------------------------------------------------------------------------

    def scalar(self, name: str, dtype: DType) -> ir.Variable:
        variable = ir.Variable(name, dtype, NOWHERE)
        self.parameters.append(variable)
        return variable

    def array(self, name: str, dtype: DType, rank: int = 1, unit_axis: int | None = -1) -> ir.Array:
        axis = rank - 1 if unit_axis == -1 else unit_axis
        array = ir.Array(name, ArrayType(dtype, rank, axis), NOWHERE)
        self.parameters.append(array)
        return array

    def memory(
        self, name: str, dtype: DType, shape: Sequence[int | ir.Expression], space: Space
    ) -> ir.Array:
        kind = ArrayType(dtype, len(shape), len(shape) - 1, space)
        array = ir.Array(name, kind, NOWHERE, tuple(shape))
        self.arrays.append(array)
        return array

    def variable(self, name: str, kind: ValueType) -> ir.Variable:
        return ir.Variable(name, kind, NOWHERE)

    def function(
        self, name: str, parameters: Sequence[ir.Variable], body: Iterable[ir.Statement]
    ) -> ir.Function:
        statements = tuple(body)
        last = statements[-1]
        assert isinstance(last, ir.Return)
        assert last.value is not None
        result = last.value.type
        assert isinstance(result, DType)
        function = ir.Function(name, tuple(parameters), result, statements, NOWHERE)
        self.functions.append(function)
        return function

    # --- Expressions ---------------------------------------------------------------------------

    def value(self, value: Value, like: ValueType | None = None) -> ir.Expression:
        if isinstance(value, ir.Variable):
            return ir.Read(value, NOWHERE)
        if isinstance(value, bool | int | float):
            default = d.bool_ if isinstance(value, bool) else None
            default = default or (d.int32 if isinstance(value, int) else d.float32)
            dtype = like if isinstance(like, DType) else default
            return ir.Constant(value, dtype, NOWHERE)
        return value

    def _pair(self, left: Value, right: Value) -> tuple[ir.Expression, ir.Expression, DType]:
        known = next(
            (self.value(x).type for x in (left, right) if not isinstance(x, bool | int | float)),
            None,
        )
        a, b = self.value(left, known), self.value(right, known)
        assert isinstance(a.type, DType)
        return a, b, a.type

    def binary(self, operator: str, left: Value, right: Value) -> ir.Binary:
        a, b, dtype = self._pair(left, right)
        return ir.Binary(operator, a, b, dtype, NOWHERE)

    def add(self, left: Value, right: Value) -> ir.Binary:
        return self.binary("add", left, right)

    def multiply(self, left: Value, right: Value) -> ir.Binary:
        return self.binary("multiply", left, right)

    def compare(self, operator: str, left: Value, right: Value) -> ir.Compare:
        a, b, _ = self._pair(left, right)
        return ir.Compare(operator, a, b, d.bool_, NOWHERE)

    def logical(self, operator: str, left: Value, right: Value) -> ir.Logical:
        return ir.Logical(operator, self.value(left), self.value(right), d.bool_, NOWHERE)

    def unary(self, operator: str, operand: Value) -> ir.Unary:
        value = self.value(operand)
        assert isinstance(value.type, DType)
        return ir.Unary(operator, value, value.type, NOWHERE)

    def select(self, condition: Value, true: Value, false: Value) -> ir.Select:
        a, b, dtype = self._pair(true, false)
        return ir.Select(self.value(condition), a, b, dtype, NOWHERE)

    def convert(self, value: Value, dtype: DType) -> ir.Convert:
        return ir.Convert(self.value(value), dtype, NOWHERE)

    def bitcast(self, value: Value, dtype: DType) -> ir.Bitcast:
        return ir.Bitcast(self.value(value), dtype, NOWHERE)

    def load(self, array: ir.Array, *indices: Value, part: int | None = None) -> ir.Load:
        dtype = array.type.dtype if part is None else array.type.dtype.part
        return ir.Load(array, self._indices(indices), dtype, NOWHERE, part)

    def _indices(self, indices: Iterable[Value]) -> tuple[ir.Expression, ...]:
        return tuple(self.value(i, self.index_type) for i in indices)

    def extent(self, array: ir.Array, axis: int = 0) -> ir.Extent:
        return ir.Extent(array, axis, self.index_type, NOWHERE)

    def call(self, name: str, *arguments: Value, axis: int | None = None) -> ir.Call:
        record = find_intrinsic(name)
        values = tuple(map(self.value, arguments))
        types = {
            Result.BOOL: d.bool_,
            Result.INT32: d.int32,
            Result.UINT32: d.uint32,
            Result.INDEX: self.index_type,
        }
        kind = values[-1 if record.kind.value == "matrix" else 0].type if values else d.int32
        if name == "simdgroup_matrix_fill":
            assert isinstance(kind, DType)
            kind = MatrixType(kind)
        return ir.Call(record, values, types.get(record.result, kind), NOWHERE, axis)

    def position(self, name: str, axis: int | None = 0) -> ir.Call:
        return self.call(name, axis=axis)

    def invoke(self, function: ir.Function, *arguments: Value) -> ir.Invoke:
        return ir.Invoke(function, tuple(map(self.value, arguments)), NOWHERE)

    def matrix_load(
        self, array: ir.Array, *indices: Value, transpose: bool = False
    ) -> ir.MatrixLoad:
        kind = MatrixType(array.type.dtype)
        return ir.MatrixLoad(array, self._indices(indices), transpose, kind, NOWHERE)

    # --- Statements: made by a name ending in _, added to the kernel without -------------------

    def emit(self, *statements: ir.Statement) -> None:
        self.statements.extend(statements)

    def let(self, name: str, value: Value) -> ir.Variable:
        """Add the first assignment to a new variable."""
        given = self.value(value)
        variable = ir.Variable(name, given.type, NOWHERE)
        self.emit(self.assign(variable, given))
        return variable

    def assign(self, variable: ir.Variable, value: Value) -> ir.Assign:
        return ir.Assign(variable, self.value(value, variable.type), NOWHERE)

    def store(
        self, array: ir.Array, indices: Sequence[Value], value: Value, part: int | None = None
    ) -> ir.Store:
        dtype = array.type.dtype if part is None else array.type.dtype.part
        return ir.Store(array, self._indices(indices), self.value(value, dtype), NOWHERE, part)

    def matrix_store(
        self, array: ir.Array, indices: Sequence[Value], value: Value
    ) -> ir.MatrixStore:
        return ir.MatrixStore(array, self._indices(indices), self.value(value), NOWHERE)

    def when(
        self, condition: Value, body: Iterable[ir.Statement], orelse: Iterable[ir.Statement] = ()
    ) -> ir.If:
        return ir.If(self.value(condition), tuple(body), tuple(orelse), NOWHERE)

    def loop(
        self,
        counter: ir.Variable,
        start: Value,
        stop: Value,
        step: Value,
        body: Iterable[ir.Statement],
    ) -> ir.For:
        bounds = (self.value(b, counter.type) for b in (start, stop, step))
        return ir.For(counter, *bounds, tuple(body), NOWHERE)

    def loop_while(self, condition: Value, body: Iterable[ir.Statement]) -> ir.While:
        return ir.While(self.value(condition), tuple(body), NOWHERE)

    def leave(self, value: Value | None = None) -> ir.Return:
        return ir.Return(None if value is None else self.value(value), NOWHERE)

    def barrier(self, scope: str = "threadgroup", *memory: Space) -> ir.Barrier:
        return ir.Barrier(scope, frozenset(memory), NOWHERE)

    def atomic(
        self,
        operation: str,
        array: ir.Array,
        indices: Sequence[Value],
        *values: Value,
        result: ir.Variable | None = None,
    ) -> ir.Atomic:
        operands = tuple(self.value(v, array.type.dtype) for v in values)
        return ir.Atomic(operation, array, self._indices(indices), operands, result, NOWHERE)

    def show(self, *parts: str | Value) -> ir.Print:
        texts = tuple(p if isinstance(p, str) else None for p in parts)
        values = tuple(self.value(p) for p in parts if not isinstance(p, str))
        return ir.Print(texts, values, NOWHERE)

    def check(self, condition: Value, reason: str, kind: str = "assertion failed") -> ir.Assert:
        return ir.Assert(self.value(condition), kind, reason, NOWHERE)
