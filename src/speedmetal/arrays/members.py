"""Methods of arrays that are functions of a family: one line each, imported when first called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def _member(home: str, name: str) -> Callable[..., Any]:
    """The method that calls a function of a module of :mod:`speedmetal.arrays`.

    Families are built on arrays; so an array looks for them when it needs them.
    """
    found: list[Callable[..., Any]] = []

    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        if not found:
            found.append(getattr(import_module(f"speedmetal.arrays.{home}"), name))
        return found[0](self, *arguments, **options)

    method.__name__ = name
    method.__doc__ = f"See :func:`speedmetal.{name}`."
    return method


def _reflected(home: str, name: str) -> Callable[..., Any]:
    forward = _member(home, name)
    return lambda self, other: forward(other, self)


_array_function = _member("numpy_protocols", "array_function")


class Members:
    """What ``x.sum(...)``, ``x @ y`` and their like mean."""

    __slots__ = ()

    __array_ufunc__ = _member("numpy_protocols", "array_ufunc")

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        """What a function of NumPy's does with arrays; see :mod:`.numpy_protocols`."""
        del types  # others than NumPy's and ours are asked as well
        return _array_function(self, function, args, options)

    sum, prod = _member("along_axes.reductions", "sum"), _member("along_axes.reductions", "prod")
    mean, var, std = (_member("along_axes.reductions", name) for name in ("mean", "var", "std"))
    min, max = _member("along_axes.reductions", "min"), _member("along_axes.reductions", "max")
    all, any = _member("along_axes.reductions", "all"), _member("along_axes.reductions", "any")
    argmin, argmax = (
        _member("along_axes.reductions", "argmin"),
        _member("along_axes.reductions", "argmax"),
    )
    cumsum, cumprod = _member("along_axes.scans", "cumsum"), _member("along_axes.scans", "cumprod")

    round, clip = (_member("elementwise.rounding", name) for name in ("round", "clip"))
    conj, _real, _imag = (
        _member("elementwise.complex_numbers", name) for name in ("conj", "real", "imag")
    )

    squeeze, swapaxes = (
        _member("shaping.manipulation", "squeeze"),
        _member("shaping.manipulation", "swapaxes"),
    )
    flatten, ravel = (
        _member("shaping.manipulation", "flatten"),
        _member("shaping.manipulation", "ravel"),
    )
    repeat, diagonal = (
        _member("shaping.rearranging", "repeat"),
        _member("shaping.diagonals", "diagonal"),
    )

    take, nonzero = _member("indices.taking", "take"), _member("indices.searching", "nonzero")
    at = property(
        _member("indices.scattering", "at"),
        doc="``x.at[index].add(values)``: a copy with elements changed; see `scattering.At`.",
    )
    # What an index with arrays in it means.
    _get_chosen = _member("indices.gathering", "get_chosen")
    _set_chosen = _member("indices.writing", "set_chosen")
    argsort = _member("order.sorting", "argsort")
    dot = _member("algebra.products", "dot")
    __matmul__ = _member("algebra.products", "at_operator")
    __rmatmul__ = _reflected("algebra.products", "at_operator")
