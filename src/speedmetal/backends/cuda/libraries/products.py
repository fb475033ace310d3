"""Products of matrices by cuBLASLt.

The library's matrices lie by columns. One that lies by rows is its transpose by columns, so what is
asked for here is ``d.T = b.T @ a.T``, without moving anything.

float32 is multiplied as IEEE 754 has it (``CUBLAS_COMPUTE_32F``), but for ``sm.math_mode("tf32")``
and ``"fast"``, in which tensor cores round it to TF32 first. float16 and bfloat16 are
multiplied and summed in float32; where the inner axis is cut into parts, these are added up in
float32 as well, so that the result is rounded once.
"""

from __future__ import annotations

import ctypes
import struct
import weakref
from typing import Any

from speedmetal.backends.cuda.libraries.bindings import CUDA_TYPES, Bindings, RoutineError
from speedmetal.backends.cuda.libraries.handles import Handles
from speedmetal.common.records import record
from speedmetal.dtypes import DType, complex128, float32, float64

# cublasComputeType_t, cublas_api.h
_COMPUTE_32F, _COMPUTE_32F_FAST_TF32, _COMPUTE_64F = 68, 77, 70
# cublasLt.h
_TRANSPOSE_A, _TRANSPOSE_B = 3, 4
_BATCH_COUNT, _BATCH_STRIDE = 5, 6
_WORKSPACE_BYTES, _REDUCTIONS, _ALIGNMENTS = 1, 3, (5, 6, 7, 8)
_REDUCE_IN_COMPUTE_TYPE = 2
_TRANSPOSED = 1  # CUBLAS_OP_T
_FOUND_BYTES, _FOUND_WORKSPACE = 128, 64  # cublasLtMatmulHeuristicResult_t: 64 are the algorithm's
_BEST_ALIGNMENT = 256

MOST_WORKSPACE_BYTES = 32 << 20
"""What NVIDIA advises for its Hopper GPUs (cublasSetWorkspace), and other libraries give."""


@record
class Operand:
    """A stack of matrices in memory.

    Args:
        is_by_rows: Whether the elements of a row are neighbours; else those of a column.
        leading: From one row, or column, to the next, in elements.
        stride: From one matrix to the next, in elements; 0: it is the same one.
    """

    is_by_rows: bool
    leading: int
    stride: int


@record
class Problem:
    """All that a product's algorithm depends on.

    Args:
        dtype: Of the operands and of the result.
        stack: How many products.
        rows: Of ``a`` and of the result.
        columns: Of ``b`` and of the result.
        inner: Columns of ``a``, rows of ``b``.
        a: The left operand.
        b: The right one.
        alignments: What divides the addresses of ``a``, ``b`` and the result, in bytes.
        is_rounded: Whether float32 may be rounded to TF32.
    """

    dtype: DType
    stack: int
    rows: int
    columns: int
    inner: int
    a: Operand
    b: Operand
    alignments: tuple[int, int, int]
    is_rounded: bool = False


def alignment_of(address: int) -> int:
    """The greatest power of two that divides an address, as far as it matters.

    >>> alignment_of(48), alignment_of(4096)
    (16, 256)
    """
    return min(address & -address or _BEST_ALIGNMENT, _BEST_ALIGNMENT)


class Plan:
    """How a product is done.

    Args:
        library: Which has made the descriptors; they go with this object.
        problem: What it is for.

    Attributes:
        description: ``cublasLtMatmulDesc_t``.
        first: ``cublasLtMatrixLayout_t`` of ``b``.
        second: The same of ``a``.
        result: The same of the result.
        one: Address of what the product is multiplied by.
        zero: Address of what that is multiplied by which was there before.
        algorithm: Address of ``cublasLtMatmulAlgo_t``.
        workspace_bytes: What the algorithm needs.
    """

    __slots__ = (
        *("__weakref__", "_factors", "_found", "algorithm", "description", "first", "one"),
        *("result", "second", "workspace_bytes", "zero"),
    )

    def __init__(self, library: Bindings, problem: Problem) -> None:
        p = problem
        kind = CUDA_TYPES[p.dtype]
        scale = kind if p.dtype.itemsize > 2 else CUDA_TYPES[float32]
        compute = _compute_type(p)
        whole = Operand(is_by_rows=True, leading=p.columns, stride=p.rows * p.columns)
        self.workspace_bytes = 0
        self._found = ctypes.create_string_buffer(_FOUND_BYTES)
        self._factors = ctypes.create_string_buffer(_factors(p.dtype), 32)
        self.algorithm = ctypes.addressof(self._found)
        self.one = ctypes.addressof(self._factors)
        self.zero = self.one + 16
        self.description = library.call("matmul_desc_create", compute, scale)
        self.first = _layout(library, kind, (p.columns, p.inner), p.b, p.stack)
        self.second = _layout(library, kind, (p.inner, p.rows), p.a, p.stack)
        self.result = _layout(library, kind, (p.columns, p.rows), whole, p.stack)
        for place, operand in ((_TRANSPOSE_A, p.b), (_TRANSPOSE_B, p.a)):
            if not operand.is_by_rows:
                _set(library, "matmul_desc", self.description, place, "i", _TRANSPOSED)
        layouts = (self.first, self.second, self.result)
        weakref.finalize(self, _destroy, library, self.description, layouts).atexit = False

    def find(self, library: Bindings, handle: int, problem: Problem) -> bool:
        """Ask the library for its best algorithm; whether it has one."""
        preference = library.call("matmul_preference_create")
        try:
            for place, kind, value in _preferences(problem):
                _set(library, "matmul_preference", preference, place, kind, value)
            count = ctypes.c_int()
            library.call(
                "matmul_algo_get_heuristic",
                *(handle, self.description, self.first, self.second, self.result, self.result),
                *(preference, 1, self.algorithm, ctypes.addressof(count)),
            )
        except RoutineError as error:
            if "NOT_SUPPORTED" in str(error):
                return False
            raise
        finally:
            library.call("matmul_preference_destroy", preference)
        self.workspace_bytes, status = struct.unpack_from("=Qi", self._found, _FOUND_WORKSPACE)
        return count.value > 0 and status == 0


def _compute_type(problem: Problem) -> int:
    if problem.dtype in (float64, complex128):
        return _COMPUTE_64F
    return _COMPUTE_32F_FAST_TF32 if problem.is_rounded else _COMPUTE_32F


def _preferences(problem: Problem) -> list[tuple[int, str, int]]:
    a, b, c = problem.alignments
    found = [(_WORKSPACE_BYTES, "Q", MOST_WORKSPACE_BYTES)]
    found += [(place, "I", of) for place, of in zip(_ALIGNMENTS, (b, a, c, c), strict=True)]
    if problem.dtype.itemsize == 2:
        found.append((_REDUCTIONS, "I", _REDUCE_IN_COMPUTE_TYPE))
    return found


def _factors(dtype: DType) -> bytes:
    """One, and 16 bytes on zero, of the type that a product is multiplied by."""
    one = struct.pack("=d" if dtype in (float64, complex128) else "=f", 1.0)
    return one.ljust(32, b"\0")


def _layout(
    library: Bindings, kind: int, shape: tuple[int, int], operand: Operand, stack: int
) -> int:
    """A ``cublasLtMatrixLayout_t``; the shape is that by columns of what lies by rows."""
    rows, columns = shape if operand.is_by_rows else shape[::-1]
    layout: int = library.call("matrix_layout_create", kind, rows, columns, operand.leading)
    if stack > 1:
        _set(library, "matrix_layout", layout, _BATCH_COUNT, "i", stack)
        _set(library, "matrix_layout", layout, _BATCH_STRIDE, "q", operand.stride)
    return layout


def _set(library: Bindings, what: str, handle: int, place: int, kind: str, value: int) -> None:
    content = struct.pack(f"={kind}", value)
    memory = ctypes.create_string_buffer(content, len(content))
    library.call(f"{what}_set_attribute", handle, place, ctypes.addressof(memory), len(content))


def _destroy(library: Bindings, description: int, layouts: tuple[int, ...]) -> None:
    """Let descriptors go: they are the host's memory, whatever the GPU does."""
    library.call("matmul_desc_destroy", description)
    for layout in layouts:
        library.call("matrix_layout_destroy", layout)


class Products:
    """What multiplies, on one device.

    Args:
        handles: Of the device.
    """

    def __init__(self, handles: Handles) -> None:
        self._handles = handles
        self._library = handles.bindings("cublasLt")
        self._handle = handles.handle("cublasLt")
        self._multiply = self._library.prepared("matmul")
        self._workspace: Any = None

    def plan(self, problem: Problem) -> Plan | None:
        """How a product is done; None: the library has no algorithm for it.

        Raises:
            RoutineError: The library refuses the question.
        """
        with self._handles.asking():
            found = Plan(self._library, problem)
            return found if found.find(self._library, self._handle, problem) else None

    def run(self, plan: Plan, addresses: tuple[int, int, int], kept: object) -> None:
        """Multiply.

        Args:
            plan: Of :meth:`plan`.
            addresses: Of ``a``, ``b`` and the result.
            kept: What keeps them alive until then.
        """
        a, b, c = addresses
        size = plan.workspace_bytes
        workspace = self._room(size) if size else None
        place = 0 if workspace is None else workspace.address

        def call(stream: int, _none: int) -> None:
            try:
                self._multiply(
                    *(self._handle, plan.description, plan.one, b, plan.first, a, plan.second),
                    *(plan.zero, c, plan.result, c, plan.result, plan.algorithm, place, size),
                    stream,
                )
            except Exception as error:
                raise self._library.explained("matmul", error) from error

        used = (*addresses, place) if place else addresses
        self._handles.run("cublasLtMatmul", call, used, (plan, kept, workspace))

    def forget_room(self) -> None:
        """Let the memory go that products work in; those under way keep it until they are done."""
        self._workspace = None

    def _room(self, size_bytes: int) -> Any:
        """Memory for products to work in, one after the other: the stream has them in order."""
        if self._handles.device.is_elsewhere:
            return self._handles.device.allocate(size_bytes)
        room = self._workspace
        if room is None or room.size_bytes < size_bytes:
            room = self._workspace = self._handles.device.allocate(size_bytes)
        return room
