"""What CUDA C++ says about tiles of arrays: matrices, and copies that nobody waits for."""

from __future__ import annotations

import itertools

from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.backends.c_family.operators import PRIMARY, Text
from speedmetal.backends.c_family.together import TogetherPrinter
from speedmetal.dtypes import DType, bfloat16, float16, float32
from speedmetal.ir.multiples import divides
from speedmetal.ir.nodes import (
    Array,
    Assign,
    AsyncCopy,
    AsyncGroup,
    AsyncWait,
    Call,
    Expression,
    For,
    If,
    Invoke,
    Kernel,
    Load,
    MatrixLoad,
    MatrixStore,
    Read,
    Statement,
    Variable,
    While,
)
from speedmetal.ir.types import MatrixType, Space
from speedmetal.ir.walk import expressions, statements

_TENSOR_CORES = (float16, bfloat16)
"""What tensor cores multiply without rounding; sums are in float32, in an order of their own."""
_PIECES = (16, 8, 4)
"""Bytes that a thread copies at once without waiting (PTX, instruction cp.async)."""
_ALIGNED_ELEMENTS = 8
"""Elements of a row that a thread loads for others: 16 bytes (PTX, instruction ldmatrix)."""


class TilesPrinter(TogetherPrinter):
    """Prints what concerns many elements at once."""

    def __init__(self, dialect: Dialect, kernel: Kernel, math_mode: str) -> None:
        super().__init__(dialect, kernel)
        # What tensor cores multiply.
        self._of_cores = _TENSOR_CORES if math_mode == "safe" else (*_TENSOR_CORES, float32)
        self.current: Assign | None = None  # the assignment that is being printed
        self._conditions: dict[tuple[Array, int], str] = {}  # by source and bytes of a piece
        self._asked: str | None = None  # in a run of copies: the condition of their pieces

    def _assign(self, node: Assign) -> None:
        self.current = node
        super()._assign(node)

    # --- Matrices ------------------------------------------------------------------------------

    def matrix_type(self, kind: MatrixType) -> str:
        return self._matrix_type(kind, is_right=False)

    def variable_type(self, variable: Variable) -> str:
        kind = variable.type
        if isinstance(kind, MatrixType):
            return self._matrix_type(kind, is_right=self._is_right(variable))
        return super().variable_type(variable)

    def _matrix_type(self, kind: MatrixType, *, is_right: bool) -> str:
        element = self.helpers.type(kind.dtype)
        self.helpers.prelude("lane_index")
        self.helpers.prelude("matrix")
        if kind.dtype in _TENSOR_CORES:
            self.helpers.prelude("matrix_16_bit")
        if kind.dtype in self._of_cores:
            self.helpers.prelude(f"matrix_{element}")
        return f"simdgroup_matrix<{element}, {_template(kind, is_right=is_right)}>"

    def _is_right(self, variable: Variable) -> bool:
        """Whether a matrix is held as tensor cores want a right factor."""
        kind = variable.type
        is_of_cores = isinstance(kind, MatrixType) and kind.dtype in self._of_cores
        return is_of_cores and variable in self.facts.right_factors

    def _makes_right(self, node: Expression) -> bool:
        """Whether a statement assigns the expression to such a matrix."""
        statement = self.current
        return (
            statement is not None and statement.value is node and self._is_right(statement.variable)
        )

    def matrix_call(self, node: Call) -> Text:
        kind = node.type
        assert isinstance(kind, MatrixType)
        self.matrix_type(kind)
        arguments = list(map(self.expression_text, node.arguments))
        factors = len(node.intrinsic.matrix_operands)
        if not factors:
            sizes = _template(kind, is_right=self._makes_right(node))
            return Text(f"matrix_fill<{sizes}>({arguments[0]})", PRIMARY)
        if factors == 2:  # nothing is added
            zero = f"{self.type(kind.dtype)}(0.0f)"
            arguments.append(f"matrix_fill<{_template(kind)}>({zero})")
        return Text(f"matrix_multiply_accumulate({', '.join(arguments)})", PRIMARY)

    def matrix_load(self, node: MatrixLoad) -> Text:
        assert isinstance(node.type, MatrixType)
        self.matrix_type(node.type)
        sizes = _template(node.type, is_right=self._makes_right(node))
        rows, columns = self._strides(node.array)
        address = self.address(node.array, node.indices)
        if self._has_aligned_rows(node):
            turned = "true" if node.transpose else "false"
            right = "" if sizes.endswith("true") else ", false"
            name = f"matrix_load_aligned<{sizes}{right}, {turned}>"
            return Text(f"{name}({address}, {rows})", PRIMARY)
        if node.transpose:
            rows, columns = columns, rows
        return Text(f"matrix_load<{sizes}>({address}, {rows}, {columns})", PRIMARY)

    def _has_aligned_rows(self, node: MatrixLoad) -> bool:
        """Whether it is sure that each row of 8 elements is 16 bytes at a multiple of 16."""
        array = node.array
        if array.type.space is not Space.THREADGROUP or array.type.dtype not in _TENSOR_CORES:
            return False
        terms = self._terms(array, node.indices)
        if terms is None or (array.shape or ())[-1] % _ALIGNED_ELEMENTS:  # type: ignore[operator]
            return False
        return divides(self.facts.multiples, _ALIGNED_ELEMENTS, terms)

    def _terms(
        self, array: Array, indices: tuple[Expression, ...]
    ) -> list[tuple[Expression, int]] | None:
        """The offset of an element of a threadgroup array, as products with constants."""
        terms: list[tuple[Expression, int]] = []
        pitch = 1
        for index, size in zip(reversed(indices), reversed(array.shape or ()), strict=True):
            if not isinstance(size, int):
                return None
            terms.append((index, pitch))
            pitch *= size
        return terms

    def matrix_store(self, node: MatrixStore) -> str:
        rows, columns = self._strides(node.array)
        address = self.address(node.array, node.indices)
        return f"matrix_store({self.expression_text(node.value)}, {address}, {rows}, {columns})"

    def _strides(self, array: Array) -> tuple[str, str]:
        one = f"1{self.dialect.suffixes[self.index_type]}"
        rows, columns = array.type.matrix_axes
        return self.stride(array, rows) or one, self.stride(array, columns) or one

    # --- Copies --------------------------------------------------------------------------------

    def block(self, body: tuple[Statement, ...]) -> None:
        """A block, in which copies that stand side by side are asked once how to copy."""
        if not any(isinstance(statement, AsyncCopy) for statement in body):
            super().block(body)
            return
        for may_stand, group in itertools.groupby(body, _may_stand_between_copies):
            run = tuple(group)
            if may_stand and self._fits_in_run(run) and _can_be_repeated(run):
                self._depth += 1
                self._print_run(run, "")
                self._depth -= 1
            else:
                super().block(run)

    def _if(self, node: If) -> None:
        """Copies under a condition, and nothing else, become copies that each have it.

        So there is no branch, and what stands before and behind can be done meanwhile.
        """
        if node.orelse or not self._is_all_copies(node.body):
            super()._if(node)
            return
        name = self.names.fresh("copies")
        self.line(f"bool {name} = {self.expression_text(node.condition)};")
        self._print_run(node.body, name)

    def _is_all_copies(self, body: tuple[Statement, ...]) -> bool:
        declared = set(self._declarations.at)
        return (
            self._fits_in_run(body)
            and _can_be_repeated(body)
            and all(
                isinstance(s, AsyncCopy) or (isinstance(s, Assign) and _is_harmless(s))
                for s in body
            )
            and {s.variable for s in body if isinstance(s, Assign)}
            <= {self._declarations.at[s] for s in body if s in declared}
        )

    def _fits_in_run(self, run: tuple[Statement, ...]) -> bool:
        """Whether all copies move pieces, where the arrays allow for it."""
        copies = [s for s in run if isinstance(s, AsyncCopy)]
        return bool(copies) and all(self._pieces_condition(copy) != "false" for copy in copies)

    def _print_run(self, run: tuple[Statement, ...], wanted: str) -> None:
        """Copies by pieces under a condition, then by elements where pieces do not fit.

        Each piece is asked for under the condition, which takes no branch.
        """
        for statement in run:
            if (variable := self._declarations.at.pop(statement, None)) is not None:
                self.line(f"{self.variable_type(variable)} {self.variable(variable)};")
        asked = (self._pieces_condition(s) for s in run if isinstance(s, AsyncCopy))
        fits = " && ".join(dict.fromkeys(text for text in asked if text != "true"))
        self._asked = " && ".join(filter(None, (wanted, fits))) or "true"
        self._depth -= 1
        super().block(run)
        self._depth += 1
        if fits:
            self.line(f"if ({f'{wanted} && ' if wanted else ''}!({fits})) {{")
            self._asked = "false"
            super().block(tuple(s for s in run if not isinstance(s, AsyncGroup)))
            self.line("}")
        self._asked = None

    def async_copy(self, node: AsyncCopy) -> str:
        self.helpers.prelude("async_copy")
        one = f"1{self.dialect.suffixes[self.index_type]}"
        places = ((node.array, node.indices), (node.source, node.source_indices))
        addresses = ", ".join(self.address(array, indices) for array, indices in places)
        strides = ", ".join(self.stride(a, a.type.rank - 1) or one for a, _ in places)
        elements = f"copy_elements<{node.count}>({addresses}, {strides})"
        condition = self._pieces_condition(node)
        if condition == "false" or self._asked == "false":
            return elements
        piece = self._piece(node) or 1
        count = node.count * node.array.type.dtype.itemsize // piece
        pieces = f"copy_pieces<{piece}>({self._asked or 'true'}, {addresses}, {count})"
        is_decided = self._asked is not None or condition == "true"
        return pieces if is_decided else f"{condition} ? {pieces} : {elements}"

    def _piece(self, node: AsyncCopy) -> int | None:
        """The most bytes that such a copy moves at once, as far as its indices and counts tell."""
        unit = node.source.type.unit_axis
        if node.count > 1 and unit != node.source.type.rank - 1:
            return None
        size = node.array.type.dtype.itemsize
        into = self._terms(node.array, node.indices)
        if into is None:
            return None
        terms = into if unit is None else [*into, (node.source_indices[unit], 1)]
        sizes = (p for p in _PIECES if p % size == 0 and node.count * size % p == 0)
        return next((p for p in sizes if divides(self.facts.multiples, p // size, terms)), None)

    def _pieces_condition(self, node: AsyncCopy) -> str:
        """Whether a copy moves pieces: what of its array is found once."""
        piece = self._piece(node)
        if piece is None:
            return "false"
        is_single = piece == node.array.type.dtype.itemsize
        return "true" if is_single else self._conditions[node.source, piece]

    def find_conditions(self) -> None:
        """Variables for what the copies of the kernel ask of their sources."""
        for node in self.facts.async_copies:
            piece, array = self._piece(node), node.source
            if piece is None or piece == array.type.dtype.itemsize:
                continue
            if (key := (array, piece)) in self._conditions:
                continue
            name = self.names.fresh(f"{array.name}_fits_{piece}")
            axes = range(array.type.rank)
            strides = filter(None, (self.stride(array, a) for a in axes))
            size = array.type.dtype.itemsize
            terms = [f"(size_t){self.array(array)}", *(f"size_t({s}) * {size}" for s in strides)]
            self.line(f"bool {name} = ({' | '.join(terms)}) % {piece} == 0;")
            self._conditions[key] = name

    def async_group(self) -> str:
        self.helpers.prelude("async_copy")
        return "async_copy_group()"

    def async_wait(self, node: AsyncWait) -> str:
        self.helpers.prelude("async_copy")
        return f"async_copy_wait<{node.pending}>()"


def _template(kind: MatrixType, *, is_right: bool = False) -> str:
    return f"{kind.rows}, {kind.columns}{', true' if is_right else ''}"


def _may_stand_between_copies(statement: Statement) -> bool:
    return isinstance(statement, AsyncCopy | AsyncGroup) or (
        isinstance(statement, Assign) and _is_harmless(statement)
    )


def _is_harmless(statement: Assign) -> bool:
    """Whether computing a value, once more or for nothing, does no harm."""
    return isinstance(statement.variable.type, DType) and all(
        _is_harmless_part(part) for part in expressions(statement)
    )


def _is_harmless_part(part: Expression) -> bool:
    match part:
        case Call(intrinsic):
            return intrinsic.exchange is None
        case Invoke(function):
            return not any(isinstance(s, For | While) for s in statements(function.body)) and all(
                _is_harmless_part(e) for s in statements(function.body) for e in expressions(s)
            )
    return not isinstance(part, Load | MatrixLoad)


def _can_be_repeated(run: tuple[Statement, ...]) -> bool:
    """Whether no statement reads a variable that is assigned only then, or later."""
    assigned = {s.variable for s in run if isinstance(s, Assign)}
    done: set[Variable] = set()
    for statement in run:
        read = {e.variable for e in expressions(statement) if isinstance(e, Read)}
        if read & assigned - done:
            return False
        if isinstance(statement, Assign):
            done.add(statement.variable)
    return True
