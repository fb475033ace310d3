"""What is done to matrices around the routines of a library."""

from __future__ import annotations

from typing import Any

import speedmetal as sm


@sm.kernel
def keep_triangle(x: Any, upper: Any) -> None:
    """Write zeros above the diagonal, or below it; a thread for each element, columns along x.

    Args:
        x: ``(stack, rows, columns)``.
        upper: Whether the upper triangle is kept; known when it is compiled.
    """
    column, row, place = sm.thread_position_in_grid()
    is_outside = column < row if upper else column > row
    if is_outside:
        x[place, row, column] = 0


@sm.kernel
def write_identity(x: Any) -> None:
    """Write ones on the diagonal, and zeros; a thread for each element, columns along x.

    Args:
        x: ``(stack, rows, columns)``.
    """
    column, row, place = sm.thread_position_in_grid()
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


# --- Reflections: I - factor * v @ conj(v).T -----------------------------------------------------


@sm.kernel
def lay_reflections(v: Any, a: Any, factors: Any) -> None:
    """Write the vectors of reflections as columns: LAPACK leaves them below a diagonal of ones.

    One whose factor is 0 reflects nothing, and gets a vector of zeros.

    Args:
        v: ``(stack, rows, count)``; a thread for each element, columns along x.
        a: ``(stack, rows, columns)``, as LAPACK's ``geqrf`` leaves it.
        factors: ``(stack, count)``.
    """
    column, row, place = sm.thread_position_in_grid()
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
    column, row, place = sm.thread_position_in_grid()
    if row > column:
        products[place, row, column] = 0
    if row == column:
        factor = factors[place, column]
        products[place, row, column] = 1 / factor if factor != 0 else products.dtype(1)


@sm.kernel
def take_from_identity(x: Any) -> None:
    """Write the identity less the matrices; a thread for each element, columns along x.

    Args:
        x: ``(stack, rows, columns)``.
    """
    column, row, place = sm.thread_position_in_grid()
    whole = x.dtype(1) if column == row else x.dtype(0)
    x[place, row, column] = whole - x[place, row, column]
