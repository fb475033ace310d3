"""Sparse matrices: ``sm.sparse``, what graphs need: products with vectors and dense matrices.

A matrix is stored by rows, as in SciPy's ``csr_array``: ``data`` and ``indices`` have, row after
row, the elements that are stored and their columns; ``indptr`` tells where each row begins. Other
forms are converted once. Products run on the matrix's device, in kernels of
:mod:`speedmetal.arrays.kernels.sparse`; they are lazy, and read what is lazy as it is needed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from speedmetal.arrays import creation
from speedmetal.arrays.along_axes.reductions import sum as sum_of
from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.assembling import common_dtype
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.indices.scattering import add_at, segment_sum
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import Device
from speedmetal.backends.registry import device as find_device
from speedmetal.dtypes import as_dtype, complex64, complex128, float32, float64, int32
from speedmetal.errors import UserInputError

__all__ = ["CSRArray", "asarray", "coo_array", "csr_array"]

_DTYPES = (float32, float64, complex64, complex128)
LONG_ROW = 24
"""Elements of a row, on the average, from which on most lanes of a GPU's simdgroup have work. On
the CPU a thread for each row is as fast with rows of any length, so it takes no simdgroups."""


class CSRArray:
    """A sparse matrix; made by :func:`csr_array`, :func:`coo_array` and :func:`asarray`.

    Attributes:
        data: ``(nnz,)``, the elements that are stored. It may be written to.
        indices: ``(nnz,)``, their columns; read-only.
        indptr: ``(rows + 1,)``, where in both each row begins, and the end; read-only.
        shape: ``(rows, columns)``.
    """

    __slots__ = ("data", "indices", "indptr", "shape")

    __array_ufunc__ = None  # NumPy's arrays leave operators to this class
    ndim = 2

    def __init__(self, data: Array, indices: Array, indptr: Array, shape: tuple[int, int]) -> None:
        self.data = data
        self.indices = indices
        self.indptr = indptr
        self.shape = shape

    def __repr__(self) -> str:
        return (
            f"CSRArray(shape={self.shape}, nnz={self.nnz}, dtype={self.data.layout.dtype},"
            f" device={self.device.name!r})"
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """The elements' type."""
        return self.data.dtype

    @property
    def device(self) -> Device:
        """Where the matrix is."""
        return self.data.device

    @property
    def nnz(self) -> int:
        """How many elements are stored, zeros among them."""
        return self.data.size

    # --- Products ----------------------------------------------------------------------------

    def __matmul__(self, x: Any) -> Array:
        """The product with a vector or a dense matrix, lazy.

        Args:
            x: ``(columns,)`` or ``(columns, n)``, of any dtype.

        Returns:
            ``(rows,)`` or ``(rows, n)``, of the promoted dtype. On one kind of device the order
            of each sum depends on shapes and ``nnz`` alone.

        Raises:
            UserInputError: The shapes, dtypes or devices do not go together, or the device has no
                numbers of the result's dtype.

        Example:
            >>> import speedmetal as sm
            >>> a = sm.sparse.csr_array([2.0, 3.0], [0, 2], [0, 1, 2], (2, 3))
            >>> a @ sm.array([1.0, 10.0, 100.0])
            Array([  2., 300.], dtype=float32, device='cpu')
        """
        if isinstance(x, CSRArray) or hasattr(x, "tocsr"):
            raise UserInputError(
                f"a sparse matrix is multiplied by a dense array, got {type(x).__name__};"
                " write a @ b.todense()"
            )
        dense = x if isinstance(x, Array) else creation.asarray(x, device=self.device)
        return _product(self, dense)

    def __rmatmul__(self, x: Any) -> Array:
        """``x @ a``, as ``(a.T @ x.T).T``; to multiply often, keep ``a.T``."""
        dense = x if isinstance(x, Array) else creation.asarray(x, device=self.device)
        return (self.T @ dense.T).T

    def __mul__(self, number: Any) -> CSRArray:
        """The matrix times a number, which promotes as with an array; lazy.

        Raises:
            UserInputError: It is no number.
        """
        return self._with_data(self.data * _checked_number("*", number))

    __rmul__ = __mul__

    def __truediv__(self, number: Any) -> CSRArray:
        """The matrix divided by a number, as for ``*``."""
        return self._with_data(self.data / _checked_number("/", number))

    def __neg__(self) -> CSRArray:
        return self._with_data(-self.data)

    def _with_data(self, data: Array) -> CSRArray:
        return CSRArray(data, self.indices, self.indptr, self.shape)

    # --- Other forms -------------------------------------------------------------------------

    @property
    def T(self) -> CSRArray:  # noqa: N802 - the array API's name
        """The transposed matrix: a copy, whose places the host sorts.

        >>> import speedmetal as sm
        >>> sm.sparse.csr_array([2.0, 3.0], [0, 2], [0, 1, 2], (2, 3)).T.todense()
        Array([[2., 0.],
               [0., 0.],
               [0., 3.]], dtype=float32, device='cpu')
        """
        columns = self.indices.numpy()
        order = np.argsort(columns, kind="stable")
        return _stored(
            self.data.numpy()[order],
            self._rows()[order],
            _starts(columns, self.shape[1]),
            (self.shape[1], self.shape[0]),
            self.device,
        )

    def todense(self) -> Array:
        """The whole matrix, ``(rows, columns)``; elements that are stored twice are added."""
        dense = creation.zeros(self.shape, self.dtype, self.device)
        if self.nnz:
            add_at(dense, (self._rows(), self.indices), self.data)
        return dense

    def astype(self, dtype: Any) -> CSRArray:
        """The matrix with its elements converted.

        Raises:
            UserInputError: It is not float32, float64, complex64 or complex128.
        """
        _check_dtype("astype", as_dtype(dtype))
        return self._with_data(self.data.astype(dtype, copy=False))

    def to(self, device: str | Device) -> CSRArray:
        """The matrix on a device: itself where it is there already, else a copy."""
        target = find_device(device)
        if target is self.device:
            return self
        indices, indptr = (_frozen(part.numpy(), target) for part in (self.indices, self.indptr))
        return CSRArray(self.data.to(target), indices, indptr, self.shape)

    def sum(self, axis: int | None = None) -> Array:
        """The sums of all elements (None), of columns (0), or of rows (1).

        Raises:
            UserInputError: There is no such axis.

        Example:
            >>> import speedmetal as sm
            >>> a = sm.sparse.csr_array([2.0, 3.0], [0, 2], [0, 1, 2], (2, 3))
            >>> a.sum(0), a.sum().item()
            (Array([2., 0., 3.], dtype=float32, device='cpu'), 5.0)
        """
        if axis is None:
            total: Array = sum_of(self.data)
            return total
        if axis not in (-2, -1, 0, 1):
            raise UserInputError(f"sum: a matrix has the axes 0 and 1, got {axis!r}")
        if axis in (-1, 1):
            return self @ creation.ones(self.shape[1], self.dtype, self.device)
        return segment_sum(self.data, self.indices, self.shape[1])

    def _rows(self) -> HostArray:
        """The row of each element."""
        counts = np.diff(self.indptr.numpy())
        return np.repeat(np.arange(self.shape[0], dtype=self.indices.dtype), counts)


# --- Making --------------------------------------------------------------------------------------


def csr_array(
    data: Any, indices: Any, indptr: Any, shape: tuple[int, int], device: Any = None
) -> CSRArray:
    """A sparse matrix from what it is stored as.

    Args:
        data: ``(nnz,)``, of float32, float64, complex64 or complex128; shared where that is
            possible.
        indices: ``(nnz,)`` integers, the column of each, in any order within a row; copied. Where
            a row has a column twice, both elements count.
        indptr: ``(rows + 1,)`` integers, where each row begins, and the end; copied.
        shape: ``(rows, columns)``.
        device: Where to; None: the device of ``data``.

    Raises:
        IndexError: A column is outside, or ``indptr`` does not rise from 0 to ``nnz``. It is
            checked here, once.
        UserInputError: Shapes or dtypes are wrong.

    Example:
        >>> import speedmetal as sm
        >>> sm.sparse.csr_array([2.0, 3.0], [0, 2], [0, 1, 2], (2, 3))
        CSRArray(shape=(2, 3), nnz=2, dtype=float32, device='cpu')
    """
    extents = _checked_shape("csr_array", shape)
    elements = _elements("csr_array", data, device)
    columns = _positions("csr_array", "indices", indices, elements.size)
    starts = _positions("csr_array", "indptr", indptr, extents[0] + 1)
    _check_within("csr_array", "indices", columns, extents[1], "columns")
    _check_rising(starts, elements.size)
    return _stored(elements, columns, starts, extents, elements.device)


def coo_array(
    data: Any, rows: Any, columns: Any, shape: tuple[int, int], device: Any = None
) -> CSRArray:
    """A sparse matrix from elements with their rows and columns, in any order.

    Elements of one place are added. The host sorts them; the edges of a graph are such elements.

    Args:
        data: ``(nnz,)``, of float32, float64, complex64 or complex128.
        rows: ``(nnz,)`` integers.
        columns: ``(nnz,)`` integers.
        shape: ``(rows, columns)``.
        device: Where to; None: the device of ``data``.

    Raises:
        IndexError: A row or a column is outside.
        UserInputError: Shapes or dtypes are wrong.

    Example:
        >>> import speedmetal as sm
        >>> sm.sparse.coo_array([1.0, 2.0, 4.0], [1, 0, 1], [2, 0, 2], (2, 3)).todense()
        Array([[2., 0., 0.],
               [0., 0., 5.]], dtype=float32, device='cpu')
    """
    extents = _checked_shape("coo_array", shape)
    elements = _elements("coo_array", data, device)
    ys = _positions("coo_array", "rows", rows, elements.size)
    xs = _positions("coo_array", "columns", columns, elements.size)
    _check_within("coo_array", "rows", ys, extents[0], "rows")
    _check_within("coo_array", "columns", xs, extents[1], "columns")
    order = np.lexsort((xs, ys))
    ys, xs, host = ys[order], xs[order], elements.numpy()[order]
    is_first = np.ones(len(ys), bool)
    is_first[1:] = (ys[1:] != ys[:-1]) | (xs[1:] != xs[:-1])
    if not is_first.all():
        host = np.add.reduceat(host, np.flatnonzero(is_first))
        ys, xs = ys[is_first], xs[is_first]
    return _stored(host, xs, _starts(ys, extents[0]), extents, elements.device)


def asarray(matrix: Any, device: Any = None) -> CSRArray:
    """A sparse matrix of SciPy's, in any of its forms, as one of ours.

    The elements of a matrix in CSR form are shared where that is possible; others are converted.

    Args:
        matrix: A sparse array or matrix of SciPy's with two axes, or one of ours.
        device: Where to; None: where it is, for SciPy's the default device.

    Raises:
        UserInputError: It is none, or its dtype is not supported.

    Example:
        >>> import scipy.sparse, speedmetal as sm
        >>> sm.sparse.asarray(scipy.sparse.eye_array(3, dtype="f4")) @ sm.array([1.0, 2.0, 3.0])
        Array([1., 2., 3.], dtype=float32, device='cpu')
    """
    if isinstance(matrix, CSRArray):
        return matrix if device is None else matrix.to(device)
    if not hasattr(matrix, "tocsr") or len(matrix.shape) != 2:
        raise UserInputError(
            f"sparse.asarray expected a sparse matrix of SciPy's, got {type(matrix).__name__}"
            f" of shape {getattr(matrix, 'shape', ())}; use sparse.coo_array or sparse.csr_array"
        )
    rows = matrix.tocsr()
    return csr_array(rows.data, rows.indices, rows.indptr, rows.shape, device)


# --- Products ------------------------------------------------------------------------------------


def _product(a: CSRArray, x: Array) -> Array:
    if x.ndim not in (1, 2) or x.shape[0] != a.shape[1]:
        raise UserInputError(
            f"a sparse matrix of shape {a.shape} is multiplied by an array of shape"
            f" ({a.shape[1]},) or ({a.shape[1]}, n), got {x.shape}"
        )
    if x.device is not a.device:
        raise UserInputError(
            f"the sparse matrix is on {a.device.name}, the array on {x.device.name}; write"
            f" a @ x.to({a.device.name!r})"
        )
    dtype = common_dtype("a @ x", (a.data.layout.dtype, x.layout.dtype))
    if dtype.part is float64 and not a.device.target.has_float64:
        raise UserInputError(f"{a.device.name} has no {dtype}; convert with a.astype and x.astype")
    data, dense = a.data.astype(dtype, copy=False), x.astype(dtype, copy=False)
    shape = (a.shape[0], *x.shape[1:])
    if not a.nnz or not math.prod(shape):
        return creation.zeros(shape, dtype, a.device)

    def run() -> tuple[Array]:
        target = Array.allocate(shape, dtype, a.device)
        _launch(target, data, a.indices, a.indptr, dense)
        return (target,)

    reads = max(1, a.nnz // a.shape[1], *x.shape[1:])
    node = Call("sparse_matmul", (data, a.indices, a.indptr, dense), run, reads)
    found: list[Array] = call(Array, node, [(shape, dtype)], a.device)
    return found[0]


def _launch(target: Array, data: Array, indices: Array, starts: Array, dense: Array) -> None:
    from speedmetal.arrays.kernels import sparse as kernels  # with their first use, as in `copying`

    rows = target.shape[0]
    if target.ndim == 2:
        grid = (target.shape[1], rows)
        kernels.multiply_columns(target, data, indices, starts, dense, grid=grid, debug=0)
    elif is_on_cpu(target) or data.size < LONG_ROW * rows:
        kernels.multiply_short_rows(target, data, indices, starts, dense, grid=rows, debug=0)
    else:
        kernels.multiply_long_rows(
            target, data, indices, starts, dense, grid=rows * kernels.LANES, debug=0
        )


def _checked_number(sign: str, number: Any) -> Any:
    if isinstance(number, CSRArray) or np.ndim(number):
        raise UserInputError(
            f"a sparse matrix {sign} expects a number, got {type(number).__name__};"
            f" write a.todense() {sign} x"
        )
    return number


# --- What was given ------------------------------------------------------------------------------


def _stored(
    data: Any, columns: HostArray, starts: HostArray, shape: tuple[int, int], device: Device
) -> CSRArray:
    """The matrix of checked parts; its places are nobody else's, so that they stay checked."""
    kind = np.int32 if max(len(columns), *shape) <= int32.maximum else np.int64
    indices, indptr = (_frozen(part.astype(kind), device) for part in (columns, starts))
    elements = data if isinstance(data, Array) else upload(data, device)
    return CSRArray(elements, indices, indptr, shape)


def _frozen(positions: HostArray, device: Device) -> Array:
    own = upload(positions, device)
    return own.with_elements(own.elements, is_readonly=True)


def _starts(rows: HostArray, count: int) -> HostArray:
    """Where each row begins among elements that are sorted by rows, and the end."""
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=count), out=starts[1:])
    return starts


def _checked_shape(name: str, shape: Any) -> tuple[int, int]:
    extents = tuple(shape) if np.iterable(shape) else ()
    if len(extents) != 2 or any(not hasattr(n, "__index__") or n < 0 for n in extents):
        raise UserInputError(f"{name} expected a shape (rows, columns), got {shape!r}")
    return int(extents[0]), int(extents[1])


def _elements(name: str, data: Any, device: Any) -> Array:
    elements = creation.asarray(data, device=device)
    if elements.ndim != 1:
        raise UserInputError(f"{name} expected data with one axis, got shape {elements.shape}")
    _check_dtype(name, elements.layout.dtype)
    return elements


def _check_dtype(name: str, dtype: Any) -> None:
    if dtype not in _DTYPES:
        raise UserInputError(
            f"{name}: a sparse matrix has elements of {', '.join(d.name for d in _DTYPES)}, got"
            f" {dtype}; convert with x.astype(sm.float32)"
        )


def _positions(name: str, what: str, given: Any, count: int) -> HostArray:
    """Integers as NumPy's array."""
    host = given.numpy() if isinstance(given, Array) else np.asarray(given)
    if host.shape != (count,) or (host.dtype.kind not in "iu" and host.size):
        raise UserInputError(
            f"{name} expected {count} integers as {what}, got {host.dtype} of shape {host.shape}"
        )
    return host if host.size else host.astype(np.int64)


def _check_within(name: str, what: str, host: HostArray, extent: int, axis: str) -> None:
    is_outside = (host < 0) | (host >= extent)
    if is_outside.any():
        place = int(is_outside.argmax())
        raise IndexError(
            f"{name}: {what}[{place}] is {host[place]}, but there are {extent} {axis}, counted from"
            " 0"
        )


def _check_rising(starts: HostArray, count: int) -> None:
    if starts[0] != 0 or starts[-1] != count:
        raise IndexError(
            f"csr_array: indptr goes from {starts[0]} to {starts[-1]}, expected 0 to {count}, the"
            " number of elements"
        )
    is_falling = starts[1:] < starts[:-1]
    if is_falling.any():
        place = int(is_falling.argmax())
        raise IndexError(
            f"csr_array: indptr[{place + 1}] is {starts[place + 1]}, which is less than"
            f" {starts[place]} before it"
        )
