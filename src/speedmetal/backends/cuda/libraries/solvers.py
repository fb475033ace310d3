"""Decompositions of matrices by cuSOLVER, and of stacks of small ones by cuBLAS.

Matrices lie by columns, without gaps, one after the other; a routine writes over them. What went
wrong with one is a number in memory of the GPU, ``info``, of which 0 means nothing.

Of stacks that no routine does as a whole the matrices are done one after the other.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from speedmetal.backends.cuda.libraries.bindings import CUDA_TYPES, NAMES, RoutineError, symbol
from speedmetal.backends.cuda.libraries.handles import Handles
from speedmetal.common.records import record
from speedmetal.dtypes import DType, complex64, complex128, float32, float64

_LETTERS = {float32: "s", float64: "d", complex64: "c", complex128: "z"}
LOWER, UPPER = 0, 1  # cublasFillMode_t
AS_IT_IS, TRANSPOSED = 0, 1  # cublasOperation_t

LARGEST_OF_MANY = 256
"""Rows of matrices that cuBLAS factorises as a stack; larger ones keep the GPU busy one by one."""
LARGEST_SINGULAR_OF_MANY = 32
"""The same of singular values, which is cuSOLVER's own limit."""


@record(eq=False)
class Memory:
    """An array in memory that goes with a stack of matrices, one part with each.

    Args:
        address: Of its first byte.
        step_bytes: From one part to the next.
        owner: What keeps it alive.
    """

    address: int
    step_bytes: int
    owner: object

    def at(self, place: int) -> int:
        """The address of a part."""
        return self.address + place * self.step_bytes


@record(eq=False)
class Stack:
    """Matrices in memory, by columns and without gaps between these.

    Args:
        memory: Theirs, one part with each.
        dtype: Of their elements.
        count: How many.
        rows: Of each.
        columns: Of each.
    """

    memory: Memory
    dtype: DType
    count: int
    rows: int
    columns: int

    @property
    def address(self) -> int:
        """Of the first element."""
        return self.memory.address

    def at(self, place: int) -> int:
        """The address of a matrix."""
        return self.memory.at(place)


class Solvers:
    """What decomposes matrices, on one device.

    Args:
        handles: Of the device.
    """

    def __init__(self, handles: Handles) -> None:
        self._handles = handles
        self._library = handles.bindings("cusolverDn")
        self._handle = handles.handle("cusolverDn")
        with handles.device.context:
            self._parameters = self._library.call("create_params")
            self._jacobi = self._library.call("create_gesvdj_info")

    # --- Symmetric matrices --------------------------------------------------------------------

    def cholesky(self, triangle: int, a: Stack, info: Memory) -> None:
        """Write the triangle of the decomposition over that of the matrices.

        Args:
            triangle: ``LOWER`` or ``UPPER``, of what lies by columns.
            a: Square ones.
            info: int32 for each; a positive one: it is not positive definite.
        """
        kind = CUDA_TYPES[a.dtype]

        def given(place: int) -> tuple[int, ...]:
            return (triangle, a.rows, kind, a.at(place), a.rows, kind)

        self._each("xpotrf", given(0), given, a.count, (a, info))

    def cholesky_of_many(self, triangle: int, a: Stack, places: Memory, info: Memory) -> None:
        """The same of a stack of small matrices.

        Args:
            triangle: As there.
            a: As there.
            places: The address of each.
            info: As there.
        """
        name = f"{_LETTERS[a.dtype]}potrf_batched"
        arguments = (triangle, a.rows, places.address, a.rows, info.address, a.count)
        self._run("cusolverDn", name, arguments, (a, places, info))

    def eigen(
        self, triangle: int, a: Stack, values: Memory, info: Memory, *, vectors: bool
    ) -> None:
        """Write eigenvalues, and the eigenvectors over the matrices.

        Args:
            triangle: Which one is read.
            a: Square ones.
            values: Of the real dtype, rising.
            info: int32 for each; another than 0: no solution was found.
            vectors: Whether these are asked for.
        """
        kind, real = CUDA_TYPES[a.dtype], CUDA_TYPES[a.dtype.part]

        def given(place: int) -> tuple[int, ...]:
            head = (int(vectors), triangle, a.rows, kind, a.at(place), a.rows)
            return (*head, real, values.at(place), kind)

        used = (a, values, info)
        if a.count > 1:
            try:
                asked = (*given(0), a.count)
                self._each("xsyev_batched", asked, given, 1, used, (a.count,))
            except RoutineError:  # a library before that of CUDA 12.6
                pass
            else:
                return
        self._each("xsyevd", given(0), given, a.count, used)

    # --- Square matrices -----------------------------------------------------------------------

    def lu(self, a: Stack, pivots: Memory, info: Memory) -> None:
        """Write both triangles over the matrices.

        Args:
            a: Square ones.
            pivots: int64, ``rows`` for each: the row, from 1 on, that each row changed places with.
            info: int32 for each; a positive one: it is singular.
        """
        kind = CUDA_TYPES[a.dtype]

        def given(place: int) -> tuple[int, ...]:
            return (a.rows, a.rows, kind, a.at(place), a.rows, pivots.at(place), kind)

        asked = (a.rows, a.rows, kind, a.address, a.rows, kind)
        self._each("xgetrf", asked, given, a.count, (a, pivots, info))

    def lu_of_many(self, a: Stack, places: Memory, pivots: Memory, info: Memory) -> None:
        """The same of a stack of small matrices, with pivots of int32.

        Args:
            a: As there.
            places: The address of each.
            pivots: As there, but int32.
            info: As there.
        """
        name = f"{_LETTERS[a.dtype]}getrf_batched"
        arguments = (a.rows, places.address, a.rows, pivots.address, info.address, a.count)
        self._run("cublas", name, arguments, (a, places, pivots, info))

    def solve(self, operation: int, lu: Stack, pivots: Memory, b: Stack, info: Memory) -> None:
        """Write solutions over right sides.

        Args:
            operation: ``TRANSPOSED``: of the transposed matrices; else ``AS_IT_IS``.
            lu: What :meth:`lu` made.
            pivots: The same.
            b: Right sides, as columns.
            info: int32 for each: whether the arguments were right.
        """
        kind = CUDA_TYPES[lu.dtype]
        for place in range(lu.count):
            matrix = (kind, lu.at(place), lu.rows, pivots.at(place))
            sides = (kind, b.at(place), b.rows, info.at(place))
            arguments = (self._parameters, operation, lu.rows, b.columns, *matrix, *sides)
            self._run("cusolverDn", "xgetrs", arguments, (lu, pivots, b, info))

    def solve_many(
        self, operation: int, lu: Stack, places: Memory, pivots: Memory, b: Stack, sides: Memory
    ) -> None:
        """The same of a stack of small matrices.

        Args:
            operation: As there.
            lu: What :meth:`lu_of_many` made.
            places: The address of each matrix.
            pivots: As :meth:`lu_of_many` made them.
            b: As there.
            sides: The address of each one's right sides.
        """
        answer = ctypes.c_int()  # on the host: whether the arguments were right
        arguments = (
            *(operation, lu.rows, b.columns, places.address, lu.rows, pivots.address),
            *(sides.address, b.rows, ctypes.addressof(answer), lu.count),
        )
        used = (lu, places, pivots, b, sides)
        self._run("cublas", f"{_LETTERS[lu.dtype]}getrs_batched", arguments, used, answer)

    # --- Rectangular matrices ------------------------------------------------------------------

    def reflections(self, a: Stack, factors: Memory, info: Memory) -> None:
        """Write ``R``, and below it the reflections that make it, over the matrices.

        Args:
            a: As many columns as there are to be reflected.
            factors: Of the dtype, as many as the fewer of rows and columns.
            info: int32 for each.
        """
        kind = CUDA_TYPES[a.dtype]

        def given(place: int) -> tuple[int, ...]:
            matrix = (a.rows, a.columns, kind, a.at(place), a.rows)
            return (*matrix, kind, factors.at(place), kind)

        self._each("xgeqrf", given(0), given, a.count, (a, factors, info))

    def reflections_of_many(
        self, a: Stack, places: Memory, factors: Stack, factor_places: Memory
    ) -> None:
        """The same of a stack of small matrices.

        Args:
            a: As there.
            places: The address of each.
            factors: As there.
            factor_places: The address of each one's factors.
        """
        answer = ctypes.c_int()  # on the host: whether the arguments were right
        arguments = (
            *(a.rows, a.columns, places.address, a.rows, factor_places.address),
            *(ctypes.addressof(answer), a.count),
        )
        used = (a, places, factors, factor_places)
        self._run("cublas", f"{_LETTERS[a.dtype]}geqrf_batched", arguments, used, answer)

    def reflected(self, a: Stack, reflections: int, factors: Memory, info: Memory) -> None:
        """Write the product of the reflections over them.

        Args:
            a: As :meth:`reflections` left it; as many columns are made.
            reflections: How many.
            factors: Theirs.
            info: int32 for each.
        """
        name = _LETTERS[a.dtype] + ("ungqr" if a.dtype.is_complex else "orgqr")

        def given(place: int) -> tuple[int, ...]:
            return (a.rows, a.columns, reflections, a.at(place), a.rows, factors.at(place))

        length = self._asked(f"{name}_buffer_size", *given(0))
        for place in range(a.count):
            tail = (length, info.at(place))
            self._run_with(name, given(place), length * a.dtype.itemsize, tail, (a, factors, info))

    def singular(self, jobs: str, a: Stack, s: Memory, u: Stack, vt: Stack, info: Memory) -> None:
        """Write singular values and vectors; the matrices are lost.

        Args:
            jobs: LAPACK's letters for ``u`` and ``vt``: A all, S the first ones, N none.
            a: With as many rows as columns at least.
            s: Of the real dtype, falling.
            u: The left vectors, as columns.
            vt: The right ones, conjugated, as rows.
            info: int32 for each; another than 0: no solution was found.
        """
        kind, real = CUDA_TYPES[a.dtype], CUDA_TYPES[a.dtype.part]

        def given(place: int) -> tuple[int, ...]:
            head = (*map(ord, jobs), a.rows, a.columns, kind, a.at(place), a.rows)
            vectors = (kind, u.at(place), u.rows, kind, vt.at(place), vt.rows, kind)
            return (*head, real, s.at(place), *vectors)

        self._each("xgesvd", given(0), given, a.count, (a, s, u, vt, info))

    def singular_of_many(
        self, a: Stack, s: Memory, u: Stack, v: Stack, info: Memory, *, vectors: bool
    ) -> None:
        """The same of a stack of small matrices, of any rows and columns, by Jacobi's method.

        Args:
            a: As there, of up to `LARGEST_SINGULAR_OF_MANY` rows and columns.
            s: As there.
            u: All left vectors, as columns.
            v: All right vectors, as columns.
            info: As there.
            vectors: Whether these are asked for.
        """
        name = f"{_LETTERS[a.dtype]}gesvdj_batched"
        head = (int(vectors), a.rows, a.columns, a.address, a.rows, s.address)
        given = (*head, u.address, a.rows, v.address, a.columns)
        length = self._asked(f"{name}_buffer_size", *given, self._jacobi, a.count)
        tail = (length, info.address, self._jacobi, a.count)
        self._run_with(name, given, length * a.dtype.itemsize, tail, (a, s, u, v, info))

    # --- Calling -------------------------------------------------------------------------------

    def _asked(self, name: str, *arguments: Any) -> Any:
        """What cuSOLVER answers at once."""
        with self._handles.asking():
            return self._library.call(name, self._handle, *arguments)

    def _each(
        self,
        name: str,
        asked: tuple[int, ...],
        given: Callable[[int], tuple[int, ...]],
        count: int,
        used: tuple[Any, ...],
        tail: tuple[int, ...] = (),
    ) -> None:
        """Call a routine of cuSOLVER's newer kind for each matrix.

        Args:
            name: In nvmath-python.
            asked: What its memory depends on.
            given: Its arguments for a matrix, up to the memory.
            count: How many times.
            used: Memory that it uses, of which the last is ``info``.
            tail: Arguments behind ``info``.
        """
        on_device, on_host = self._asked(f"{name}_buffer_size", self._parameters, *asked)
        host = ctypes.create_string_buffer(max(on_host, 1))
        address = ctypes.addressof(host)
        for place in range(count):
            end = (on_device, address, on_host, used[-1].at(place), *tail)
            arguments = (self._parameters, *given(place))
            self._run_with(name, arguments, on_device, end, (*used, host))

    def _run_with(
        self,
        name: str,
        arguments: tuple[int, ...],
        workspace_bytes: int,
        tail: tuple[int, ...],
        used: tuple[Any, ...],
    ) -> None:
        """Call a routine of cuSOLVER's whose workspace comes between its arguments."""
        library, handle = self._library, self._handle

        def call(_stream: int, workspace: int) -> None:
            library.call(name, handle, *arguments, workspace, *tail)

        self._launch("cusolverDn", name, call, used, workspace_bytes)

    def _run(
        self,
        library: str,
        name: str,
        arguments: tuple[int, ...],
        used: tuple[Any, ...],
        kept: object = None,
    ) -> None:
        """Call a routine that needs no workspace, or has one of its own."""
        found, handle = self._handles.bindings(library), self._handles.handle(library)

        def call(_stream: int, _workspace: int) -> None:
            found.call(name, handle, *arguments)

        self._launch(library, name, call, (*used, kept))

    def _launch(
        self,
        library: str,
        name: str,
        call: Callable[[int, int], object],
        used: tuple[Any, ...],
        workspace_bytes: int = 0,
    ) -> None:
        addresses = tuple(memory.address for memory in used if isinstance(memory, Memory | Stack))
        label = symbol(NAMES[library].prefix, name)

        def aimed(stream: int, workspace: int) -> None:
            self._handles.aim(library, stream)
            call(stream, workspace)

        self._handles.run(label, aimed, addresses, used, workspace_bytes)
