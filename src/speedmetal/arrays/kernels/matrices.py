"""What is done to matrices around the routines of a library.

Of what has a thread for each element, all elements of a stack are counted along x: along the other
axes a launch has fewer threads than a stack may have matrices.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm


def element_of(x: Any) -> tuple[Any, Any, Any]:
    """The matrix, the row and the column of a thread's element of ``(stack, rows, columns)``."""
    index, (_, rows, columns) = sm.thread_position_in_grid().x, x.shape
    return index // (rows * columns), index // columns % rows, index % columns


@sm.kernel
def keep_triangle(x: Any, upper: Any) -> None:
    """Write zeros above the diagonal, or below it; a thread for each element.

    Args:
        x: ``(stack, rows, columns)``.
        upper: Whether the upper triangle is kept; known when it is compiled.
    """
    place, row, column = element_of(x)
    is_outside = column < row if upper else column > row
    if is_outside:
        x[place, row, column] = 0


@sm.kernel
def write_identity(x: Any) -> None:
    """Write ones on the diagonal, and zeros; a thread for each element.

    Args:
        x: ``(stack, rows, columns)``.
    """
    place, row, column = element_of(x)
    x[place, row, column] = x.dtype(1) if column == row else x.dtype(0)


@sm.kernel
def write_addresses(places: Any, first: Any, step: Any) -> None:
    """Write the addresses of matrices that lie one after the other; a thread for each.

    Args:
        places: ``(stack,)``, uint64.
        first: Of the first one, uint64.
        step: To the next one, in bytes, uint64.
    """
    place = sm.thread_position_in_grid().x
    places[place] = first + sm.uint64(place) * step


# --- Determinants of what is factorised ----------------------------------------------------------


def sign_of(pivots: Any, place: Any) -> Any:
    """-1 where an odd number of rows changed places, else 1; each pivot counts from 1 on."""
    swaps = 0
    for row in range(pivots.shape[1]):
        swaps += pivots[place, row] != row + 1
    return 1 - 2 * (swaps % 2)


def normalised(z: Any) -> tuple[Any, Any]:
    """A number with a size near 1, and the power of 2 that it is to be multiplied by."""
    size = max(abs(z.real), abs(z.imag)) if z.dtype.is_complex else abs(z)
    exponent = math.frexp(size)[1]
    return scaled(z, -exponent), exponent


def scaled(z: Any, exponent: Any) -> Any:
    """``z * 2**exponent``."""
    if z.dtype.is_complex:
        return z.dtype(math.ldexp(z.real, exponent), math.ldexp(z.imag, exponent))
    return math.ldexp(z, exponent)


@sm.kernel
def write_signs(found: Any, pivots: Any) -> None:
    """Write what rows that changed places make of a determinant's sign; a thread for each matrix.

    Args:
        found: ``(stack,)``.
        pivots: ``(stack, n)``: with which row each changed places, from 1 on.
    """
    place = sm.thread_position_in_grid().x
    found[place] = found.dtype(sign_of(pivots, place))


@sm.kernel
def write_determinants(found: Any, factors: Any, pivots: Any) -> None:
    """Write the determinants: the products of diagonals; a thread for each matrix.

    Exponents are added up apart, so that only a determinant that is itself out of the type's range
    leaves it.

    Args:
        found: ``(stack,)``.
        factors: ``(stack, n, n)``, triangular.
        pivots: As for :func:`write_signs`.
    """
    place = sm.thread_position_in_grid().x
    product, power = found.dtype(sign_of(pivots, place)), 0
    for row in range(factors.shape[1]):
        product, more = normalised(product * factors[place, row, row])
        power += more
    found[place] = scaled(product, power)


# --- Reflections: I - factor * v @ conj(v).T -----------------------------------------------------


@sm.kernel
def lay_reflections(v: Any, a: Any, factors: Any) -> None:
    """Write the vectors of reflections as columns: LAPACK leaves them below a diagonal of ones.

    One whose factor is 0 reflects nothing, and gets a vector of zeros.

    Args:
        v: ``(stack, rows, count)``; a thread for each element.
        a: ``(stack, rows, columns)``, as LAPACK's ``geqrf`` leaves it.
        factors: ``(stack, count)``.
    """
    place, row, column = element_of(v)
    value = v.dtype(0)
    if factors[place, column] != 0:
        if row > column:
            value = a[place, row, column]
        if row == column:
            value = v.dtype(1)
    v[place, row, column] = value


@sm.kernel
def weigh_reflections(products: Any, factors: Any) -> None:
    """Write the inverse of the ``T`` with ``I - v @ T @ conj(v).T``, the product of reflections.

    It is upper triangular, with the products of the vectors and, on the diagonal, the reciprocals
    of the factors: T. Joffrain, T. M. Low, E. S. Quintana-Orti, R. van de Geijn, F. G. Van Zee,
    "Accumulating Householder transformations, revisited", ACM Trans. Math. Softw. 32 (2006).

    Args:
        products: ``conj(v).T @ v``, ``(stack, count, count)``; a thread for each element.
        factors: ``(stack, count)``.
    """
    place, row, column = element_of(products)
    if row > column:
        products[place, row, column] = 0
    if row == column:
        factor = factors[place, column]
        products[place, row, column] = 1 / factor if factor != 0 else products.dtype(1)


@sm.kernel
def take_from_identity(x: Any) -> None:
    """Write the identity less the matrices; a thread for each element.

    Args:
        x: ``(stack, rows, columns)``.
    """
    place, row, column = element_of(x)
    whole = x.dtype(1) if column == row else x.dtype(0)
    x[place, row, column] = whole - x[place, row, column]
