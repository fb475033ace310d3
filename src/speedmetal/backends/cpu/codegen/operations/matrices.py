"""Simdgroup matrices: 64 elements, row after row, in one vector that a simdgroup has once."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.operations.addresses import Addresses, Storage
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    MATRIX_ELEMENTS,
    constant,
    constant_vector,
    memory_type,
    overload,
    register_type,
    value_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.dtypes import DType
from speedmetal.ir.nodes import Array
from speedmetal.ir.types import SIMDGROUP_MATRIX_SIZE, MatrixType

_N = SIMDGROUP_MATRIX_SIZE


class Matrices:
    """Writes operations on matrices. Owns nothing; asks where elements are."""

    def __init__(
        self, emit: Emitter, lanes: Lanes, conversions: Conversions, addresses: Addresses
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._conversions = conversions
        self._addresses = addresses
        # For a moment, the elements are the lanes of a vector of 64.
        self._of_elements = conversions.of_lanes(MATRIX_ELEMENTS)

    def operation(self, arguments: tuple[Value, ...]) -> Value:
        """The result of a matrix intrinsic on its operands, which tell the three apart."""
        match arguments:
            case (value,):
                return self._fill_matrix(value)
            case (left, right):
                return self._product(left, right, None)
        left, right, total = arguments
        return self._product(left, right, total)

    def _fill_matrix(self, value: Value) -> Value:
        kind = MatrixType(value.dtype)
        whole = value_type(kind, 0)
        element = register_type(value.dtype)
        text = self._lanes.first(value)
        first = self._emit.let(f"insertelement {whole} poison, {element} {text}, i64 0")
        zeros = f"<{MATRIX_ELEMENTS} x i32> zeroinitializer"
        splat = self._emit.let(f"shufflevector {whole} {first}, {whole} poison, {zeros}")
        return Value(splat, kind, UNIFORM)

    def _product(self, left: Value, right: Value, total: Value | None) -> Value:
        """Eight outer products; sums are kept in float32 where the elements are 16 bits wide.

        The result has the type of ``total``, which may be wider than the factors'.
        """
        assert isinstance(left.type, MatrixType)
        dtype = left.type.dtype
        result = left.type if total is None else total.type
        assert isinstance(result, MatrixType)
        single = dtypes.float64 if dtype is dtypes.float64 else dtypes.float32
        a, b = (self._elements(value.text, dtype, single) for value in (left, right))
        element = register_type(single)
        whole = vector_type(element, MATRIX_ELEMENTS)
        text = self._elements(total.text, result.dtype, single) if total is not None else (
            f"splat ({element} {constant(0.0, single)})"
        )  # fmt: skip
        for k in range(_N):
            column = self._shuffle_elements(
                whole, a, [row * _N + k for row in range(_N) for _ in range(_N)]
            )
            row = self._shuffle_elements(
                whole, b, [k * _N + col for _ in range(_N) for col in range(_N)]
            )
            name = f"llvm.fma.{overload(element, MATRIX_ELEMENTS)}"
            text = self._emit.call(whole, name, (whole, column), (whole, row), (whole, text))
        return Value(self._elements(text, single, result.dtype), result, UNIFORM)

    def _shuffle_elements(self, whole: str, text: str, numbers: list[int]) -> str:
        picked = f"<{MATRIX_ELEMENTS} x i32> {constant_vector('i32', numbers)}"
        return self._emit.let(f"shufflevector {whole} {text}, {whole} poison, {picked}")

    def _elements(self, text: str, source: DType, target: DType) -> str:
        """The elements as another type."""
        return self._of_elements.convert(Value(text, source, VARYING), target).text

    # --- memory

    def load(self, array: Array, indices: tuple[Value, ...], *, transpose: bool) -> Value:
        """The 8x8 block of an array that begins at an element."""
        dtype = array.type.dtype
        row_kind = vector_type(memory_type(dtype), _N)
        text = ""
        whole = value_type(MatrixType(dtype), 0)
        for row in range(_N):
            loaded = self._row(array, indices, row, row_kind, dtype)
            text = self._insert_row(text, loaded, row, row_kind, whole)
        if transpose:
            numbers = [col * _N + row for row in range(_N) for col in range(_N)]
            text = self._shuffle_elements(whole, text, numbers)
        return Value(text, MatrixType(dtype), UNIFORM)

    def _row(
        self, array: Array, indices: tuple[Value, ...], row: int, kind: str, dtype: DType
    ) -> str:
        pointers, contiguous = self._row_address(array, indices, row, dtype)
        if contiguous:
            return self._emit.let(f"load {kind}, ptr {pointers}, align {dtype.itemsize}")
        name = f"llvm.masked.gather.{overload(memory_type(dtype), _N)}.v{_N}p0"
        every = (f"<{_N} x i1>", "splat (i1 true)")
        target = (f"<{_N} x ptr> align {dtype.itemsize}", pointers)
        return self._emit.call(kind, name, target, every, (kind, "poison"))

    def _row_address(
        self, array: Array, indices: tuple[Value, ...], row: int, dtype: DType
    ) -> tuple[str, bool]:
        storage = self._addresses.of(array)
        rows, columns = array.type.matrix_axes
        places = [self._first_index(index) for index in indices]
        places[rows] = self._emit.let(f"add i64 {places[rows]}, {row}")
        offset = self._scale_index(array, storage, places[0], 0)
        for axis, place in enumerate(places[1:], 1):
            offset = self._emit.let(
                f"add i64 {offset}, {self._scale_index(array, storage, place, axis)}"
            )
        element = memory_type(dtype)
        pointer = self._emit.let(f"getelementptr {element}, ptr {storage.pointer}, i64 {offset}")
        if array.type.unit_axis == columns:
            return pointer, True
        many = vector_type("i64", _N)
        splat = self._emit.let(
            f"insertelement {many} poison, i64 {storage.strides[columns]}, i64 0"
        )
        zeros = f"<{_N} x i32> zeroinitializer"
        splat = self._emit.let(f"shufflevector {many} {splat}, {many} poison, {zeros}")
        steps = self._emit.let(f"mul {many} {splat}, {constant_vector('i64', range(_N))}")
        return self._emit.let(f"getelementptr {element}, ptr {pointer}, {many} {steps}"), False

    def _first_index(self, index: Value) -> str:
        """An index that is the same for the whole simdgroup, as i64."""
        scalar = Value(self._lanes.first(index), index.type, UNIFORM)
        return self._conversions.convert(scalar, dtypes.int64).text

    def _scale_index(self, array: Array, storage: Storage, index: str, axis: int) -> str:
        if array.type.unit_axis == axis:
            return index
        return self._emit.let(f"mul i64 {index}, {storage.strides[axis]}")

    def _insert_row(self, text: str, row_text: str, row: int, kind: str, whole: str) -> str:
        numbers = [n if n < _N else -1 for n in range(MATRIX_ELEMENTS)]
        picked = ", ".join("i32 poison" if n < 0 else f"i32 {n}" for n in numbers)
        spread = f"<{MATRIX_ELEMENTS} x i32> <{picked}>"
        wide = self._emit.let(f"shufflevector {kind} {row_text}, {kind} poison, {spread}")
        if not text:
            return wide
        chosen = [MATRIX_ELEMENTS + n % _N if n // _N == row else n for n in range(MATRIX_ELEMENTS)]
        places = f"<{MATRIX_ELEMENTS} x i32> {constant_vector('i32', chosen)}"
        return self._emit.let(f"shufflevector {whole} {text}, {whole} {wide}, {places}")

    def store(self, array: Array, indices: tuple[Value, ...], value: Value) -> None:
        """Write a matrix to the 8x8 block that begins at an element."""
        dtype = array.type.dtype
        kind, whole = vector_type(memory_type(dtype), _N), value_type(value.type, 0)
        for row in range(_N):
            numbers = constant_vector("i32", range(row * _N, (row + 1) * _N))
            picked = f"<{_N} x i32> {numbers}"
            text = self._emit.let(f"shufflevector {whole} {value.text}, {whole} poison, {picked}")
            pointers, contiguous = self._row_address(array, indices, row, dtype)
            if contiguous:
                self._emit.do(f"store {kind} {text}, ptr {pointers}, align {dtype.itemsize}")
                continue
            name = f"llvm.masked.scatter.{overload(memory_type(dtype), _N)}.v{_N}p0"
            every = (f"<{_N} x i1>", "splat (i1 true)")
            target = (f"<{_N} x ptr> align {dtype.itemsize}", pointers)
            self._emit.call("void", name, (kind, text), target, every)
