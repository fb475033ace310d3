"""Norms, powers and other functions of matrices that need no decomposition of their own.

Part of ``sm.linalg``. They are lazy but where singular values are needed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from speedmetal.arrays.algebra.decompositions import inv, svdvals
from speedmetal.arrays.algebra.products import matmul
from speedmetal.arrays.algebra.products import outer as outer_product
from speedmetal.arrays.along_axes.reducing import accumulator
from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.operands import cast
from speedmetal.arrays.host_routines import operands_of
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.shaping import diagonals
from speedmetal.arrays.shaping.joining import stack
from speedmetal.dtypes import DEFAULT_FLOAT
from speedmetal.errors import UserInputError

# --- Vectors -------------------------------------------------------------------------------------


def outer(x1: Any, x2: Any, /) -> Array:
    """All products of an element of ``x1`` with one of ``x2``, which are vectors.

    Returns:
        ``(x1.size, x2.size)``.

    Raises:
        UserInputError: One is no vector; ``sm.outer`` takes other shapes, too.
    """
    arrays = operands_of("outer", x1, x2)
    for array in arrays:
        if array.ndim != 1:
            raise UserInputError(
                f"sm.linalg.outer takes vectors, got shape {array.shape}; sm.outer takes any shape"
            )
    return outer_product(*arrays)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The cross products of vectors of three elements.

    Args:
        x1: With extent 3 along the axis.
        x2: The same; the other axes are broadcast.
        axis: Counted from the last.

    Raises:
        UserInputError: The axis has another extent, or the shapes do not go together.
        AxisError: One of the arrays has no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.cross(sm.array([1.0, 0.0, 0.0]), sm.array([0.0, 1.0, 0.0]))
        Array([0., 0., 1.], dtype=float32, device='cpu')
    """
    left, right = operands_of("cross", x1, x2)
    a, b = _three_parts(left, axis), _three_parts(right, axis)
    return stack([a[k - 2] * b[k - 1] - a[k - 1] * b[k - 2] for k in range(3)], axis)


def _three_parts(array: Array, axis: int) -> list[Array]:
    (place,) = axes_of(axis, array.ndim)
    if array.shape[place] != 3:
        raise UserInputError(
            f"cross takes vectors of three elements, got extent {array.shape[place]} of axis {axis}"
            f" of shape {array.shape}"
        )
    front = (slice(None),) * place
    return [array[(*front, k)] for k in range(3)]


def vector_norm(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    ord: float = 2,  # noqa: A002 - the array API's name
) -> Array:
    """``sum(abs(x) ** ord) ** (1 / ord)`` along axes.

    Args:
        x: Of any shape; integers and bools are converted to float32.
        axis: Along which; None: all elements are one vector.
        keepdims: Whether the axes stay, with extent 1.
        ord: Any number; ``inf`` gives the greatest, ``-inf`` the least ``abs(x)``, 0 how many are
            not 0.

    Returns:
        Real floats.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.vector_norm(sm.array([3.0, -4.0])).item()
        5.0
    """
    (array,) = operands_of("vector_norm", x)
    narrow = _sizes(array)
    own = narrow.layout.dtype
    dtype = accumulator(own)
    sizes = cast(narrow, dtype)  # whose powers may be beyond the numbers of the array
    options = {"axis": axis, "keepdims": keepdims}
    if ord == math.inf:
        found: Array = sizes.max(**options)
    elif ord == -math.inf:
        found = sizes.min(**options)
    elif ord == 0:
        found = (sizes != 0).sum(dtype=dtype, **options)
    elif ord == 1:
        found = sizes.sum(dtype=dtype, **options)
    elif ord == 2:
        found = apply("sqrt", (sizes * sizes).sum(dtype=dtype, **options))
    else:
        found = (sizes ** float(ord)).sum(dtype=dtype, **options) ** (1.0 / ord)
    result: Array = cast(found, own)
    return result


def _sizes(array: Array) -> Array:
    """Absolute values, as floats."""
    dtype = array.layout.dtype
    floats = array if dtype.is_float or dtype.is_complex else array.astype(DEFAULT_FLOAT)
    found: Array = abs(floats)
    return found


# --- Matrices ------------------------------------------------------------------------------------


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """The view of the diagonals of matrices.

    Args:
        x: ``(..., rows, columns)``.
        offset: How far above the main diagonal (below, where it is negative).

    Returns:
        ``(..., length)``.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.diagonal(sm.array([[1, 2], [3, 4]]))
        Array([1, 4], dtype=int32, device='cpu')
    """
    array = _matrix("diagonal", x)
    return diagonals.diagonal(array, operator.index(offset), -2, -1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals of matrices.

    Args:
        x: ``(..., rows, columns)``.
        offset: As in :func:`diagonal`.
        dtype: Of the sum; None: as in ``sm.sum``.

    Returns:
        ``(...)``.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.trace(sm.array([[1.0, 2.0], [3.0, 4.0]])).item()
        5.0
    """
    found: Array = diagonal(_matrix("trace", x), offset=offset).sum(axis=-1, dtype=dtype)
    return found


def matrix_power(x: Any, n: int, /) -> Array:
    """The product of ``n`` matrices ``x``; for a negative ``n`` of ``-n`` inverses.

    Args:
        x: ``(..., m, m)``.
        n: A whole number; 0 gives the identity.

    Raises:
        UserInputError: The matrices are not square.
        LinAlgError: ``n`` is negative and one is singular.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.matrix_power(sm.array([[1.0, 1.0], [0.0, 1.0]]), 5)
        Array([[1., 5.],
               [0., 1.]], dtype=float32, device='cpu')
    """
    array = _matrix("matrix_power", x)
    power = operator.index(n)
    if array.shape[-1] != array.shape[-2]:
        raise UserInputError(
            f"matrix_power takes square matrices, (..., m, m), got shape {array.shape}"
        )
    if power == 0:
        one = diagonals.eye(array.shape[-1], dtype=array.dtype, device=array.device)
        return one.broadcast_to(array.shape).copy()
    base, power = (inv(array), -power) if power < 0 else (array, power)
    found = None
    while True:
        if power & 1:
            found = base if found is None else matmul(found, base)
        power >>= 1
        if not power:
            break
        base = matmul(base, base)
    assert found is not None
    return found.copy() if found is array else found


def matrix_norm(
    x: Any,
    /,
    *,
    keepdims: bool = False,
    ord: float | str = "fro",  # noqa: A002 - the array API's name
) -> Array:
    """A norm of matrices.

    Args:
        x: ``(..., rows, columns)``.
        keepdims: Whether the two axes stay, with extent 1.
        ord: ``"fro"``: the root of the sum of squares; ``"nuc"``: the sum of the singular values;
            2, -2: the greatest, the least of them; 1, -1: the greatest, the least sum of absolute
            values of a column; inf, -inf: of a row.

    Returns:
        Real floats, ``(...)``.

    Raises:
        UserInputError: ``ord`` is another.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[1.0, -2.0], [3.0, 4.0]])
        >>> [sm.linalg.matrix_norm(x, ord=k).item() for k in (1, float("inf"))]
        [6.0, 7.0]
    """
    array = _matrix("matrix_norm", x)
    if ord not in _MATRIX_NORMS:
        allowed = ", ".join(map(repr, _MATRIX_NORMS))
        raise UserInputError(f"matrix_norm: expected ord to be one of {allowed}, got {ord!r}")
    found = _MATRIX_NORMS[ord](array)
    return found[..., None, None] if keepdims else found


def _of_singular_values(reduce: str) -> Callable[[Array], Array]:
    return lambda array: getattr(svdvals(array), reduce)(axis=-1)


def _of_sums(axis: int, reduce: str) -> Callable[[Array], Array]:
    """Of the sums along an axis the greatest or least, along the other, which is then the last."""

    def norm(array: Array) -> Array:
        sizes = _sizes(array)
        sums = sizes.sum(axis=axis, dtype=sizes.dtype)
        found: Array = getattr(sums, reduce)(axis=-1)
        return found

    return norm


_MATRIX_NORMS: dict[Any, Callable[[Array], Array]] = {
    "fro": lambda array: vector_norm(array, axis=(-2, -1)),
    "nuc": _of_singular_values("sum"),
    1: _of_sums(-2, "max"),
    -1: _of_sums(-2, "min"),
    2: _of_singular_values("max"),
    -2: _of_singular_values("min"),
    math.inf: _of_sums(-1, "max"),
    -math.inf: _of_sums(-1, "min"),
}


def norm(
    x: Any,
    /,
    ord: float | str | None = None,  # noqa: A002 - NumPy's name
    axis: int | tuple[int, ...] | None = None,
    *,
    keepdims: bool = False,
) -> Array:
    """NumPy's ``norm``: of vectors along one axis, of matrices in two.

    Args:
        x: Of any shape.
        ord: As in :func:`vector_norm` or :func:`matrix_norm`; None: the root of the sum of squares.
        axis: One, or a pair; None: ``x`` is one vector or one matrix, or, without ``ord``, of any
            shape.
        keepdims: Whether the axes stay, with extent 1.

    Raises:
        UserInputError: ``ord`` was given for another number of axes.

    Example:
        >>> import speedmetal as sm
        >>> sm.linalg.norm(sm.array([[3.0, 4.0], [0.0, 0.0]])).item()
        5.0
    """
    (array,) = operands_of("norm", x)
    axes = axes_of(range(array.ndim) if axis is None else axis, array.ndim)
    if ord is None:
        return vector_norm(array, axis=axes, keepdims=keepdims)
    if len(axes) == 1:
        return vector_norm(array, axis=axes[0], keepdims=keepdims, ord=_number("norm", ord))
    if len(axes) != 2:
        raise UserInputError(
            f"norm: ord={ord!r} is of one axis or two, got {len(axes)} of shape {array.shape};"
            " name them with axis="
        )
    others = [k for k in range(array.ndim) if k not in axes]
    found = matrix_norm(array.transpose((*others, *axes)), ord=ord)
    if not keepdims:
        return found
    return found[tuple(None if k in axes else slice(None) for k in range(array.ndim))]


def _number(name: str, ord: Any) -> float:  # noqa: A002 - as above
    if isinstance(ord, str):
        raise UserInputError(f"{name}: ord={ord!r} is of matrices; for vectors give a number")
    return float(ord)


def _matrix(name: str, x: Any) -> Array:
    (array,) = operands_of(name, x)
    if array.ndim < 2:
        raise UserInputError(
            f"{name} takes a matrix or a stack of them, (..., rows, columns), got shape"
            f" {array.shape}"
        )
    return array
