"""Decompositions of matrices, and what is solved with them: part of ``sm.linalg``.

Leading axes are stacks of matrices. See :mod:`speedmetal.arrays.algebra.lapack` for dtypes, errors,
and when it is computed.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from speedmetal.arrays.algebra import library_matrices
from speedmetal.arrays.algebra.lapack import matrices_of, run
from speedmetal.arrays.array import Array
from speedmetal.arrays.host_routines import operands_of
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.dtypes import complex_of
from speedmetal.errors import UnknownNameError, UserInputError


class EighResult(NamedTuple):
    """Of :func:`eigh`."""

    eigenvalues: Array
    eigenvectors: Array


class EigResult(NamedTuple):
    """Of :func:`eig`."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """Of :func:`qr`."""

    Q: Array
    R: Array


class SlogdetResult(NamedTuple):
    """Of :func:`slogdet`."""

    sign: Array
    logabsdet: Array


class SVDResult(NamedTuple):
    """Of :func:`svd`."""

    U: Array
    S: Array
    Vh: Array


class LstsqResult(NamedTuple):
    """Of :func:`lstsq`."""

    x: Array
    residuals: Array
    rank: Array
    singular_values: Array


# --- Decompositions ------------------------------------------------------------------------------


def cholesky(x: Any, /, *, upper: bool = False) -> Array:
    """The triangular ``L`` of ``x == L @ conj(L).T``, or the ``U`` of ``x == conj(U).T @ U``.

    Args:
        x: ``(..., n, n)``, symmetric (or Hermitian) and positive definite; only the triangle that
            is asked for is read.
        upper: Whether to give the upper triangle.

    Raises:
        UserInputError: The matrices are not square.
        LinAlgError: One is not positive definite.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.cholesky(sm.array([[4.0, 2.0], [2.0, 5.0]]))
        Array([[2., 0.],
               [1., 2.]], dtype=float32, device='cpu')
    """
    arrays, dtype = matrices_of("cholesky", x, square=True)
    own = partial(library_matrices.cholesky, upper=upper)
    routine = partial(np.linalg.cholesky, upper=upper)
    (found,) = run("cholesky", routine, arrays, dtype, own=own)
    return found


def qr(x: Any, /, mode: str = "reduced") -> QRResult:
    """``Q`` with orthonormal columns and upper triangular ``R`` with ``Q @ R == x``.

    Args:
        x: ``(..., rows, columns)``.
        mode: ``"reduced"``: ``Q`` is ``(..., rows, k)`` and ``R`` ``(..., k, columns)`` with ``k``
            the smaller of both; ``"complete"``: ``Q`` is ``(..., rows, rows)``.

    Raises:
        UserInputError: ``x`` has fewer than two axes, or the mode is another.

    Example:
        >>> import speedmetal as sm
        >>> found = sm.linalg.qr(sm.ones((3, 2)))
        >>> found.Q.shape, found.R.shape
        ((3, 2), (2, 2))
    """
    if mode not in ("reduced", "complete"):
        raise UnknownNameError("mode", str(mode), ("reduced", "complete"))
    arrays, dtype = matrices_of("qr", x)
    routine: Any = np.linalg.qr  # whose stubs want literal modes
    own = partial(library_matrices.qr, mode=mode)
    return QRResult(*run("qr", lambda a: tuple(routine(a, mode)), arrays, dtype, own=own))


def svd(x: Any, /, full_matrices: bool = True) -> SVDResult:  # noqa: FBT001, FBT002 - as in NumPy
    """``U``, ``S`` and ``Vh`` with ``(U * S[..., None, :]) @ Vh == x``, ``S`` falling.

    Args:
        x: ``(..., rows, columns)``.
        full_matrices: Whether ``U`` is ``(..., rows, rows)`` and ``Vh`` ``(..., columns,
            columns)``; else they are ``(..., rows, k)`` and ``(..., k, columns)`` with ``k`` the
            smaller of both.

    Returns:
        ``S`` has real floats, ``(..., k)``.

    Raises:
        LinAlgError: A matrix has NaN or infinite elements.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.svd(sm.array([[3.0, 0.0], [0.0, -2.0]])).S
        Array([3., 2.], dtype=float32, device='cpu')
    """
    arrays, dtype = matrices_of("svd", x)
    own = partial(library_matrices.svd, full=full_matrices)

    def routine(a: HostArray) -> tuple[HostArray, ...]:
        return tuple(np.linalg.svd(a, full_matrices))

    return SVDResult(*run("svd", routine, arrays, dtype, own=own))


def svdvals(x: Any, /) -> Array:
    """The singular values, falling: ``S`` of :func:`svd` alone.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.svdvals(sm.array([[3.0, 0.0], [0.0, -2.0]]))
        Array([3., 2.], dtype=float32, device='cpu')
    """
    arrays, dtype = matrices_of("svdvals", x)
    (found,) = run("svdvals", np.linalg.svdvals, arrays, dtype, own=library_matrices.svdvals)
    return found


def eigh(x: Any, /) -> EighResult:
    """Eigenvalues, rising and real, and eigenvectors of symmetric (or Hermitian) matrices.

    Args:
        x: ``(..., n, n)``; only the lower triangle is read.

    Returns:
        ``eigenvalues`` ``(..., n)``, and ``eigenvectors`` ``(..., n, n)`` whose columns are of
        length 1.

    Raises:
        UserInputError: The matrices are not square.
        LinAlgError: One has NaN or infinite elements.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.eigh(sm.array([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        Array([1., 2.], dtype=float32, device='cpu')
    """
    arrays, dtype = matrices_of("eigh", x, square=True)
    own = library_matrices.eigh
    return EighResult(*run("eigh", lambda a: tuple(np.linalg.eigh(a)), arrays, dtype, own=own))


def eigvalsh(x: Any, /) -> Array:
    """The eigenvalues, rising and real, of symmetric (or Hermitian) matrices; see :func:`eigh`."""
    arrays, dtype = matrices_of("eigvalsh", x, square=True)
    (found,) = run("eigvalsh", np.linalg.eigvalsh, arrays, dtype, own=library_matrices.eigvalsh)
    return found


def eig(x: Any, /) -> EigResult:
    """Eigenvalues and eigenvectors of square matrices, which are complex whatever they are of.

    Args:
        x: ``(..., n, n)``.

    Returns:
        ``eigenvalues`` ``(..., n)`` in no order, and ``eigenvectors`` ``(..., n, n)`` whose columns
        are of length 1; complex64, or complex128 of float64 and complex128.

    Raises:
        UserInputError: The matrices are not square.
        LinAlgError: One has NaN or infinite elements.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.eig(sm.array([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        Array([2.+0.j, 1.+0.j], dtype=complex64, device='cpu')
    """
    arrays, dtype = matrices_of("eig", x, square=True)
    wanted = complex_of(dtype).numpy

    def routine(a: HostArray) -> tuple[HostArray, ...]:
        return tuple(one.astype(wanted, copy=False) for one in np.linalg.eig(a))

    return EigResult(*run("eig", routine, arrays, dtype))


def eigvals(x: Any, /) -> Array:
    """The eigenvalues of square matrices, which are complex; see :func:`eig`."""
    arrays, dtype = matrices_of("eigvals", x, square=True)
    wanted = complex_of(dtype).numpy
    (found,) = run(
        "eigvals", lambda a: np.linalg.eigvals(a).astype(wanted, copy=False), arrays, dtype
    )
    return found


# --- What is solved with them --------------------------------------------------------------------


def inv(x: Any, /) -> Array:
    """The inverses of matrices. To solve equations :func:`solve` is better.

    Args:
        x: ``(..., n, n)``.

    Raises:
        UserInputError: The matrices are not square.
        LinAlgError: One is singular.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.inv(sm.array([[2.0, 0.0], [0.0, 4.0]]))
        Array([[0.5 , 0.  ],
               [0.  , 0.25]], dtype=float32, device='cpu')
    """
    arrays, dtype = matrices_of("inv", x, square=True)
    (found,) = run("inv", np.linalg.inv, arrays, dtype, own=library_matrices.inv)
    return found


def solve(x1: Any, x2: Any, /) -> Array:
    """The ``x`` with ``x1 @ x == x2``.

    Args:
        x1: ``(..., n, n)``.
        x2: ``(n,)``, or ``(..., n, columns)`` whose stack is broadcast with that of ``x1``.

    Raises:
        UserInputError: The shapes do not go together.
        LinAlgError: A matrix is singular.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.solve(sm.array([[2.0, 0.0], [0.0, 4.0]]), sm.array([1.0, 1.0]))
        Array([0.5 , 0.25], dtype=float32, device='cpu')
    """
    left, right = operands_of("solve", x1, x2)
    is_vector = right.ndim == 1
    arrays, dtype = matrices_of("solve", left, right[:, None] if is_vector else right, square=True)
    matrices, columns = arrays
    if matrices.shape[-1] != columns.shape[-2]:
        raise UserInputError(
            f"solve: {matrices.shape[-1]} columns of shape {left.shape} do not go together with"
            f" {columns.shape[-2]} rows of shape {right.shape}; they must be as many"
        )
    try:
        np.broadcast_shapes(matrices.shape[:-2], columns.shape[:-2])
    except ValueError:
        raise UserInputError(
            f"solve: the stacks of shapes {left.shape} and {right.shape} do not go together;"
            " counted from the matrices, two extents must be equal, or one of them 1"
        ) from None
    (found,) = run("solve", np.linalg.solve, arrays, dtype, own=library_matrices.solve)
    return found[..., 0] if is_vector else found


def det(x: Any, /) -> Array:
    """The determinants; of large ones, that leave the type's range, :func:`slogdet` tells the size.

    Args:
        x: ``(..., n, n)``.

    Returns:
        ``(...)``.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.det(sm.array([[2.0, 0.0], [0.0, 4.0]])).item()
        8.0
    """
    arrays, dtype = matrices_of("det", x, square=True)
    (found,) = run("det", np.linalg.det, arrays, dtype, own=library_matrices.det)
    return found


def slogdet(x: Any, /) -> SlogdetResult:
    """The determinants as ``sign * exp(logabsdet)``.

    Args:
        x: ``(..., n, n)``.

    Returns:
        ``sign`` ``(...)``, of complex matrices a complex number of size 1, and the real
        ``logabsdet``; 0 and -inf for singular ones.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.slogdet(sm.array([[-2.0, 0.0], [0.0, 0.5]])).sign.item()
        -1.0
    """
    arrays, dtype = matrices_of("slogdet", x, square=True)
    own, routine = library_matrices.slogdet, np.linalg.slogdet
    return SlogdetResult(*run("slogdet", lambda a: tuple(routine(a)), arrays, dtype, own=own))


def pinv(x: Any, /, *, rtol: Any = None) -> Array:
    """The pseudo-inverse of Moore and Penrose.

    Args:
        x: ``(..., rows, columns)``.
        rtol: Singular values at most so many times the largest count as 0: a number, or one for
            each matrix, ``(...)``; None: ``max(rows, columns)`` times the dtype's epsilon.

    Returns:
        ``(..., columns, rows)``.

    Raises:
        LinAlgError: A matrix has NaN or infinite elements.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.pinv(sm.array([[2.0], [0.0]]))
        Array([[0.5, 0. ]], dtype=float32, device='cpu')
    """
    arrays, dtype = matrices_of("pinv", x)
    limit = _relative_limit(arrays[0], rtol)
    own = partial(library_matrices.pinv, limit=limit)
    routine = partial(np.linalg.pinv, rcond=limit)
    (found,) = run("pinv", routine, arrays, dtype, is_split=False, own=own)
    return found


def matrix_rank(x: Any, /, *, rtol: Any = None) -> Array:
    """The number of singular values that count.

    Args:
        x: ``(..., rows, columns)``.
        rtol: As in :func:`pinv`.

    Returns:
        ``(...)``, int32.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.matrix_rank(sm.ones((3, 3))).item()
        1
    """
    arrays, dtype = matrices_of("matrix_rank", x)
    limit = _relative_limit(arrays[0], rtol)

    def routine(a: HostArray) -> HostArray:
        values = np.linalg.svdvals(a)
        largest = values.max(axis=-1, keepdims=True, initial=0)
        return np.asarray((values > largest * np.asarray(limit)[..., None]).sum(-1, np.int32))

    own = partial(library_matrices.matrix_rank, limit=limit)
    (found,) = run("matrix_rank", routine, arrays, dtype, is_split=False, own=own)
    return found


def _relative_limit(array: Array, rtol: Any) -> Any:
    """The share of the largest singular value, as NumPy's number or array of the real dtype."""
    real = array.layout.dtype.part.numpy
    if rtol is None:
        return real.type(max(array.shape[-2:]) * np.finfo(real).eps)
    return np.asarray(rtol.numpy() if isinstance(rtol, Array) else rtol, real)


def lstsq(x1: Any, x2: Any, /, *, rtol: Any = None) -> LstsqResult:
    """The ``x`` for which ``x1 @ x - x2`` is shortest, and of those the shortest.

    Args:
        x1: ``(rows, columns)``: one matrix.
        x2: ``(rows,)`` or ``(rows, right_sides)``.
        rtol: As in :func:`pinv`, a number.

    Returns:
        ``x`` ``(columns,)`` or ``(columns, right_sides)``; ``residuals``, the squared lengths of
        the differences, empty where the rank is less than the columns or the rows are not more;
        ``rank``; and the singular values of ``x1``.

    Raises:
        UserInputError: ``x1`` is no matrix, or the rows differ.
        LinAlgError: It has NaN or infinite elements.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.lstsq(sm.array([[1.0], [1.0]]), sm.array([1.0, 3.0])).x
        Array([2.], dtype=float32, device='cpu')
    """
    left, right = operands_of("lstsq", x1, x2)
    if left.ndim != 2 or right.ndim not in (1, 2) or left.shape[0] != right.shape[0]:
        raise UserInputError(
            "lstsq takes one matrix (rows, columns) and (rows,) or (rows, right_sides), got shapes"
            f" {left.shape} and {right.shape}"
        )
    is_vector = right.ndim == 1
    arrays, dtype = matrices_of("lstsq", left, right[:, None] if is_vector else right)
    limit = _relative_limit(arrays[0], rtol)
    x, residuals, rank, values = run(
        "lstsq",
        lambda a, b: tuple(np.linalg.lstsq(a, b, rcond=limit)),
        arrays,
        dtype,
        is_split=False,
        own=partial(library_matrices.lstsq, limit=limit),
    )
    return LstsqResult(x[:, 0] if is_vector else x, residuals, rank.astype("int32"), values)


# --- The exponential -----------------------------------------------------------------------------

_PADE_13 = (
    *(64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000),
    *(10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1),
)
_THETA_13 = {4: 3.925724783138660, 8: 5.371920351148152}
"""Norms up to which the approximant is right to the bits of float32 and float64."""


def expm(x: Any, /) -> Array:
    """The exponential of each matrix, which is the sum of ``x**k / k!``.

    Of a matrix that was halved until its norm is small, the quotient of polynomials of degree 13 is
    squared as often: N. J. Higham, "The scaling and squaring method for the matrix exponential
    revisited", SIAM J. Matrix Anal. Appl. 26 (2005), algorithm 2.3.

    Args:
        x: ``(..., n, n)``.

    Raises:
        UserInputError: The matrices are not square.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.expm(sm.array([[0.0, 1.0], [0.0, 0.0]]))
        Array([[1., 1.],
               [0., 1.]], dtype=float32, device='cpu')
    """
    arrays, dtype = matrices_of("expm", x, square=True)
    (found,) = run("expm", _expm, arrays, dtype)
    return found


def _expm(a: HostArray) -> HostArray:
    if not a.size:
        return a.copy()
    real = a.real.dtype
    norm = np.abs(a).sum(axis=-2).max(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.ceil(np.log2(norm / _THETA_13[real.itemsize]))
    halvings = np.where(np.isfinite(needed), np.maximum(needed, 0), 0).astype(int)
    scaled = a * np.exp2(-halvings.astype(real))[..., None, None]
    found = _pade_13(scaled)
    for turn in range(int(halvings.max())):
        found = np.where((halvings > turn)[..., None, None], found @ found, found)
    return found


def _pade_13(a: HostArray) -> HostArray:
    b = np.asarray(_PADE_13, a.real.dtype)
    one = np.eye(a.shape[-1], dtype=a.dtype)
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    high = a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2)
    odd = a @ (high + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one)
    high = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2)
    even = high + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    return np.asarray(np.linalg.solve(even - odd, even + odd))
