"""Decompositions of matrices by the libraries of a GPU's vendor, cuSOLVER and cuBLAS.

The libraries' matrices lie by columns. One that lies by rows is its transpose by columns, and most
of what is asked for follows from the transpose's without moving an element. What must lie by
columns is copied so in the pass in which it is copied at all: the libraries write over what they
read.

Whether a matrix had what the routine needs is known when the GPU has come to it. Functions that
raise `LinAlgError` wait for that, for four bytes for each matrix; :func:`qr`, :func:`det` and
:func:`slogdet` wait for nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from speedmetal.arrays.algebra.lapack import LinAlgError
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.deferred.schedule import assign_lazily
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.shaping.diagonals import diagonal
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType, int32, int64, uint64
from speedmetal.frontend.static import static

# --- Memory --------------------------------------------------------------------------------------


@record(eq=False)
class Work:
    """Matrices in memory of their own, which a routine writes over.

    Args:
        array: ``(count, ...)``; of each matrix the elements in the order in which they lie.
        stack: The axes in front.
        rows: Of what lies by columns.
        columns: Of that.
    """

    array: Array
    stack: tuple[int, ...]
    rows: int
    columns: int

    @property
    def matrices(self) -> Any:
        """For the libraries."""
        from speedmetal.backends.cuda.libraries.solvers import Stack

        array = self.array
        sizes = (array.shape[0], self.rows, self.columns)
        return Stack(memory(array), array.layout.dtype, *sizes)

    @property
    def as_rows(self) -> Array:
        """The view of what lies in memory, taken by rows: the transposes."""
        array = self.array.reshape((self.array.shape[0], -1))[:, : self.rows * self.columns]
        return array.reshape((*self.stack, self.columns, self.rows))

    @property
    def places(self) -> Any:
        """The addresses of the matrices, in memory of the device."""
        from speedmetal.arrays.kernels.matrices import write_addresses

        made = self.matrices
        found = _fresh(made.count, (), uint64, self.array.device)
        numbers = np.uint64(made.address), np.uint64(made.memory.step_bytes)
        write_addresses(found, *numbers, grid=made.count)
        return memory(found)


def memory(array: Array) -> Any:
    """An array ``(count, ...)`` for the libraries: a part for each matrix."""
    from speedmetal.backends.cuda.libraries.solvers import Memory

    step = array.size // array.shape[0] * array.itemsize
    return Memory(array.address, step, array.buffer)


def _copied(x: Array, extra: int = 0) -> Work:
    """A copy that lies by rows: for the libraries the transposes, by columns.

    Args:
        x: ``(..., rows, columns)``.
        extra: How many rows to leave room for, behind each matrix.
    """
    *stack, rows, columns = x.shape
    count = math.prod(stack)
    room = Array.allocate((*stack, rows + extra, columns), x.layout.dtype, x.layout.device)
    assign_lazily(room[..., :rows, :] if extra else room, x)
    flat = room if len(stack) == 1 else room.reshape((count, rows + extra, columns))
    return Work(flat, tuple(stack), columns, rows)


def _sizes(x: Array) -> tuple[tuple[int, ...], int, int]:
    """Of the work on a copy: stack, and rows and columns of what lies by columns."""
    *stack, rows, columns = x.shape
    return tuple(stack), columns, rows


def _fresh(count: int, shape: tuple[int, ...], dtype: DType, device: Device) -> Array:
    return Array.allocate((count, *shape), dtype, device)


def _info(work: Work) -> Array:
    """Room for what each routine says of each matrix, as all do."""
    return _fresh(work.array.shape[0], (), int32, work.array.device)


def _stacked(array: Array, stack: tuple[int, ...]) -> Array:
    """``(count, ...)`` with the stack's axes in front."""
    return array.reshape((*stack, *array.shape[1:]))


def _refuse(name: str, is_wrong: HostArray, stack: tuple[int, ...], reason: str) -> None:
    """Raise LinAlgError where something is wrong with a matrix, and name the first."""
    if not is_wrong.any():
        return
    if not stack:
        raise LinAlgError(f"{name}: the matrix {reason}")
    place = ", ".join(map(str, np.unravel_index(int(is_wrong.argmax()), stack)))
    raise LinAlgError(f"{name}: matrix [{place}] of the stack {reason}")


_UNSOLVED = "has NaN or infinite elements, or no solution was found"

# --- Symmetric matrices --------------------------------------------------------------------------


def cholesky(x: Array, *, upper: bool) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.cholesky`, by the lower triangle of what lies by columns.

    With the upper one cuSOLVER took more than twice as long (2048 rows on an H200). Of a matrix by
    rows its upper triangle is the lower one of the transpose, ``conj(x)``: with ``conj(x) == L @
    conj(L).T`` it is ``x == conj(U).T @ U`` for ``U == L.T``, which is what lies by rows.
    """
    from speedmetal.backends.cuda.libraries.solvers import LARGEST_OF_MANY, LOWER

    work, solvers = _copied(x if upper else x.mT), x.device.routines.solvers
    info = _info(work)
    if work.array.shape[0] > 1 and work.rows <= LARGEST_OF_MANY:
        solvers.cholesky_of_many(LOWER, work.matrices, work.places, memory(info))
    else:
        solvers.cholesky(LOWER, work.matrices, memory(info))
    _keep_triangle(work.array, upper=True)
    _refuse("cholesky", info.numpy() != 0, work.stack, "is not positive definite")
    return (work.as_rows if upper else work.as_rows.mT,)


def _keep_triangle(x: Array, *, upper: bool) -> None:
    """Write zeros into the other one of ``(count, rows, columns)``."""
    from speedmetal.arrays.kernels.matrices import keep_triangle

    keep_triangle(x, static(upper), grid=x.size)


def eigh(x: Array) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.eigh`."""
    work, values = _eigen("eigh", x, vectors=True)
    return values, work.as_rows.mT


def eigvalsh(x: Array) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.eigvalsh`."""
    return (_eigen("eigvalsh", x, vectors=False)[1],)


def _eigen(name: str, x: Array, *, vectors: bool) -> tuple[Work, Array]:
    from speedmetal.backends.cuda.libraries.solvers import LOWER

    work = _copied(x.mT)
    info = _info(work)
    values = _fresh(work.array.shape[0], (work.rows,), x.layout.dtype.part, x.device)
    solvers = x.device.routines.solvers
    solvers.eigen(LOWER, work.matrices, memory(values), memory(info), vectors=vectors)
    _refuse(name, _is_unsolved(info, values), work.stack, _UNSOLVED)
    return work, _stacked(values, work.stack)


def _is_unsolved(info: Array, values: Array) -> HostArray:
    """Of each matrix, from the values that were found as well: NaN goes through to them."""
    wrong: HostArray = ~np.isfinite(values.numpy()).all(axis=-1) | (info.numpy() != 0)
    return wrong


# --- Square matrices -----------------------------------------------------------------------------


@record(eq=False)
class Factors:
    """Of transposed matrices: ``P.T @ L @ U == x.T``.

    Args:
        work: Both triangles.
        pivots: ``(count, n)``: with which row each changed places, from 1 on.
        info: ``(count,)``.
    """

    work: Work
    pivots: Array
    info: Array

    @property
    def is_many(self) -> bool:
        """Whether all were done at once."""
        return self.pivots.layout.dtype is int32


def _factorised(x: Array) -> Factors:
    from speedmetal.backends.cuda.libraries.solvers import LARGEST_OF_MANY

    work, solvers = _copied(x), x.device.routines.solvers
    count = work.array.shape[0]
    is_many = count > 1 and work.rows <= LARGEST_OF_MANY
    pivots = _fresh(count, (work.rows,), int32 if is_many else int64, x.device)
    found = Factors(work, pivots, _info(work))
    matrices, info = work.matrices, memory(found.info)
    if is_many:
        solvers.lu_of_many(matrices, work.places, memory(pivots), info)
    else:
        solvers.lu(matrices, memory(pivots), info)
    return found


def _solve(factors: Factors, sides: Work, operation: int) -> None:
    """Write solutions over right sides, which lie by columns."""
    work, pivots = factors.work, memory(factors.pivots)
    solvers = work.array.device.routines.solvers
    if factors.is_many:
        parts = (work.matrices, work.places, pivots, sides.matrices, sides.places)
        solvers.solve_many(operation, *parts)
    else:
        answers = memory(_info(work))
        solvers.solve(operation, work.matrices, pivots, sides.matrices, answers)


def solve(x1: Array, x2: Array) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.solve`, of right sides with two axes or more."""
    stack = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    x2 = x2.broadcast_to((*stack, *x2.shape[-2:]))
    if math.prod(stack) != math.prod(x1.shape[:-2]):
        x1 = x1.broadcast_to((*stack, *x1.shape[-2:]))
    factors, sides = _solved(x1, x2)
    _refuse("solve", factors.info.numpy() > 0, factors.work.stack, "is singular")
    return (sides.as_rows.mT,)


def _solved(x1: Array, x2: Array) -> tuple[Factors, Work]:
    """The factors, and the transposes of the solutions; nobody has looked for singular ones."""
    from speedmetal.backends.cuda.libraries.solvers import TRANSPOSED

    factors, sides = _factorised(x1), _copied(x2.mT)
    _solve(factors, sides, TRANSPOSED)
    return factors, sides


def inv(x: Array) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.inv`: the inverse of the transpose, transposed."""
    from speedmetal.arrays.kernels.matrices import write_identity
    from speedmetal.backends.cuda.libraries.solvers import AS_IT_IS

    factors = _factorised(x)
    sides = Work(Array.allocate(factors.work.array.shape, x.layout.dtype, x.device), *_sizes(x))
    write_identity(sides.array, grid=sides.array.size)
    _solve(factors, sides, AS_IT_IS)
    _refuse("inv", factors.info.numpy() > 0, factors.work.stack, "is singular")
    return (sides.as_rows,)


def det(x: Array) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.det`; a singular matrix has a 0 on the diagonal of ``U``."""
    from speedmetal.arrays.kernels.matrices import write_determinants

    factors = _factorised(x)
    array = factors.work.array
    found = _fresh(array.shape[0], (), array.layout.dtype, array.device)
    write_determinants(found, array, factors.pivots, grid=found.size)
    return (_stacked(found, factors.work.stack),)


def slogdet(x: Array) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.slogdet`."""
    factors = _factorised(x)
    values = _pivots_of(factors)
    sizes = abs(values)
    sign = apply("sign", values).prod(axis=-1) * _sign_of(factors)
    stack = factors.work.stack
    return _stacked(sign, stack), _stacked(apply("log", sizes).sum(axis=-1), stack)


def _pivots_of(factors: Factors) -> Array:
    """The diagonal of ``U``, ``(count, n)``."""
    return diagonal(factors.work.array, 0, -2, -1)


def _sign_of(factors: Factors) -> Array:
    """-1 for an odd number of rows that changed places, else 1, ``(count,)``, of the dtype."""
    from speedmetal.arrays.kernels.matrices import write_signs

    array = factors.work.array
    found = _fresh(array.shape[0], (), array.layout.dtype, array.device)
    write_signs(found, factors.pivots, grid=found.size)
    return found


# --- Rectangular matrices ------------------------------------------------------------------------


def qr(x: Array, mode: str) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.qr`."""
    from speedmetal.backends.cuda.libraries.solvers import LARGEST_OF_MANY

    rows, columns = x.shape[-2:]
    few = min(rows, columns)
    wide = rows if mode == "complete" else few
    if math.prod(x.shape[:-2]) > 1 and max(rows, columns) <= LARGEST_OF_MANY:
        return _qr_of_many(x, wide)
    work = _copied(x.mT, max(wide - columns, 0))
    solvers, info = x.device.routines.solvers, _info(work)
    factors = _fresh(work.array.shape[0], (few,), x.layout.dtype, x.device)
    solvers.reflections(work.matrices, memory(factors), memory(info))
    upper = work.as_rows.mT[..., :wide, :]
    kept = Array.allocate(upper.shape, upper.layout.dtype, upper.device)
    kept[...] = upper  # before it is written over
    _keep_triangle(kept.reshape((-1, wide, columns)), upper=True)
    whole = Work(work.array, work.stack, rows, wide)
    solvers.reflected(whole.matrices, few, memory(factors), memory(info))
    return whole.as_rows.mT, kept


def _qr_of_many(x: Array, wide: int) -> tuple[Array, ...]:
    """Of a stack at once, with as many columns of ``Q``.

    No library makes ``Q`` of many. It is ``I - v @ T @ conj(v).T``, with products of stacks.
    """
    from speedmetal.arrays.kernels.matrices import (
        lay_reflections,
        take_from_identity,
        weigh_reflections,
    )

    rows, columns = x.shape[-2:]
    work = _copied(x.mT)
    count, few, kind = work.array.shape[0], min(rows, columns), x.layout.dtype
    factors = Work(_fresh(count, (few,), kind, x.device), work.stack, few, 1)
    solvers = x.device.routines.solvers
    solvers.reflections_of_many(work.matrices, work.places, factors.matrices, factors.places)
    a, v = work.array.mT, _fresh(count, (rows, few), kind, x.device)
    lay_reflections(v, a, factors.array, grid=v.size)
    weights: Array = _adjoint(v) @ v
    weigh_reflections(weights, factors.array, grid=weights.size)
    q: Array = v @ _solved(weights, _adjoint(v[:, :wide]))[1].as_rows.mT
    take_from_identity(q, grid=q.size)
    r = _fresh(count, (wide, columns), kind, x.device)
    r[...] = a[:, :wide]
    _keep_triangle(r, upper=True)
    return _stacked(q, work.stack), _stacked(r, work.stack)


def svd(x: Array, *, full: bool) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.svd`."""
    return _singular("svd", x, "A" if full else "S")


def svdvals(x: Array) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.svdvals`."""
    return _singular("svdvals", x, "N")[1:2]


def _singular(name: str, x: Array, job: str) -> tuple[Array, ...]:
    from speedmetal.backends.cuda.libraries.solvers import LARGEST_SINGULAR_OF_MANY

    is_many = math.prod(x.shape[:-2]) > 1 and max(x.shape[-2:]) <= LARGEST_SINGULAR_OF_MANY
    found, info, values = (_singular_of_many if is_many else _singular_of_each)(x, job)
    _refuse(name, _is_unsolved(info, values), x.shape[:-2], _UNSOLVED)
    return found


def _singular_of_each(x: Array, job: str) -> tuple[tuple[Array, ...], Array, Array]:
    """By LAPACK's way, which wants as many rows as columns at least: else ``x.T`` is decomposed.

    With ``x.T == u @ diag(s) @ vt`` it is ``x == vt.T @ diag(s) @ u.T``.
    """
    is_tall = x.shape[-2] > x.shape[-1]
    work = _copied(x.mT if is_tall else x)
    count, few = work.array.shape[0], work.columns
    device, kind = x.device, x.layout.dtype
    wide = work.rows if job == "A" else few
    left = (work.rows, wide) if job != "N" else (work.rows, 1)
    right = (few, few) if job != "N" else (few, 1)
    u, vt = (
        Work(_fresh(count, shape[::-1], kind, device), work.stack, *shape)
        for shape in (left, right)
    )
    values, info = _fresh(count, (few,), kind.part, device), _info(work)
    parts = (memory(values), u.matrices, vt.matrices, memory(info))
    device.routines.solvers.singular(job * 2, work.matrices, *parts)
    s = _stacked(values, work.stack)
    if is_tall:
        return (u.as_rows.mT, s, vt.as_rows.mT), info, values
    return (vt.as_rows, s, u.as_rows), info, values


def _singular_of_many(x: Array, job: str) -> tuple[tuple[Array, ...], Array, Array]:
    """With ``x.T == u @ diag(s) @ conj(v).T`` it is ``x == conj(v) @ diag(s) @ u.T``."""
    work = _copied(x)
    count, few = work.array.shape[0], min(work.rows, work.columns)
    device, kind = x.device, x.layout.dtype
    u, v = (
        Work(_fresh(count, (side, side), kind, device), work.stack, side, side)
        for side in (work.rows, work.columns)
    )
    values, info = _fresh(count, (few,), kind.part, device), _info(work)
    parts = (memory(values), u.matrices, v.matrices, memory(info))
    device.routines.solvers.singular_of_many(work.matrices, *parts, vectors=job != "N")
    left = v.as_rows.mT.conj() if kind.is_complex else v.as_rows.mT
    right = u.as_rows
    if job == "S":
        left, right = left[..., :few], right[..., :few, :]
    return (left, _stacked(values, work.stack), right), info, values


# --- What follows from singular values -----------------------------------------------------------


def matrix_rank(x: Array, limit: Any) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.matrix_rank`.

    Args:
        x: ``(..., rows, columns)``.
        limit: The share of the largest singular value, NumPy's number or array ``(...)``.
    """
    values = _singular("matrix_rank", x, "N")[1]
    return (_counts(values, limit).sum(axis=-1, dtype=int32),)


def pinv(x: Array, limit: Any) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.pinv`, with the limit of :func:`matrix_rank`."""
    u, s, vh = _singular("pinv", x, "S")
    found: Array = (_adjoint(vh) * _inverted(s, limit)[..., None, :]) @ _adjoint(u)
    return (found,)


def lstsq(a: Array, b: Array, limit: Any) -> tuple[Array, ...]:
    """As :func:`speedmetal.linalg.lstsq`, of right sides with two axes."""
    u, s, vh = _singular("lstsq", a, "S")
    x: Array = _adjoint(vh) @ (_inverted(s, limit)[:, None] * (_adjoint(u) @ b))
    rank = _counts(s, limit).sum(axis=-1, dtype=int32)
    rows, columns = a.shape
    if rows > columns and rank.item() == columns:
        sizes = abs(b - a @ x)
        residuals: Array = (sizes * sizes).sum(axis=0)
    else:
        residuals = Array.allocate((0,), s.layout.dtype, s.device)
    return x, residuals, rank, s


def _counts(values: Array, limit: Any) -> Array:
    """Which singular values are no zeros."""
    share = asarray(np.asarray(limit)[..., None], device=values.device)
    found: Array = values > values[..., :1] * share
    return found


def _inverted(values: Array, limit: Any) -> Array:
    """The reciprocals of those that are no zeros, and zeros."""
    counts = _counts(values, limit)
    found: Array = apply("where", counts, 1 / apply("where", counts, values, 1), 0)
    return found


def _adjoint(x: Array) -> Array:
    found: Array = x.mT.conj() if x.layout.dtype.is_complex else x.mT
    return found
