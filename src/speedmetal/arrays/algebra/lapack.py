"""Stacks of matrices given to LAPACK: NumPy's, or that of a GPU's vendor.

The matrices are computed at once, so that what is wrong with one is told where it was given. They
are float32, float64, complex64 or complex128; float16, bfloat16 and integers are converted to
float32, and the floats among the results of float16 and bfloat16 are converted back. On a device
that does not share memory with the host they are copied there and back, but for what its vendor's
libraries do (:mod:`speedmetal.arrays.algebra.library_matrices`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import common_dtype
from speedmetal.arrays.host_routines import (
    computed_type,
    in_parts,
    operands_of,
)
from speedmetal.arrays.hosting import owned
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError

Routine = Callable[..., Any]


class LinAlgError(UserInputError, np.linalg.LinAlgError):
    """A matrix has not what a function of ``sm.linalg`` needs: it is singular, for example.

    It is NumPy's ``LinAlgError`` as well, so that programs that catch that go on.
    """


class _Failure(NamedTuple):
    """Why a routine failed: NumPy's words for it, and ours."""

    words: str
    reason: str


_REASONS = (
    _Failure("Singular matrix", "is singular"),
    _Failure("Matrix is not positive definite", "is not positive definite"),
    _Failure("did not converge", "has NaN or infinite elements, or no solution was found"),
    _Failure("infs or NaNs", "has NaN or infinite elements"),
)


def matrices_of(name: str, *values: Any, square: bool = False) -> tuple[list[Array], DType]:
    """Arguments as arrays of the type that they are computed in, and their common dtype.

    Raises:
        UserInputError: One has fewer than two axes, or is not square though it must be.
    """
    arrays = operands_of(name, *values)
    for array in arrays:
        if array.ndim < 2:
            raise UserInputError(
                f"{name} takes a matrix or a stack of them, (..., rows, columns), got shape"
                f" {array.shape}"
            )
    shape = arrays[0].shape
    if square and shape[-1] != shape[-2]:
        raise UserInputError(
            f"{name} takes square matrices, (..., n, n), got shape {shape} of {shape[-2]} rows and"
            f" {shape[-1]} columns"
        )
    dtype = common_dtype(name, [array.layout.dtype for array in arrays])
    computed = computed_type(dtype)
    return [array.astype(computed, copy=False) for array in arrays], dtype


def converted_back(array: Array, dtype: DType) -> Array:
    """A result as the caller's floats, where these are narrower than what was computed in."""
    is_narrow = dtype.is_float and dtype is not computed_type(dtype)
    return array.astype(dtype) if is_narrow and array.layout.dtype.is_float else array


def run(
    name: str,
    routine: Routine,
    arrays: Sequence[Array],
    dtype: DType,
    *,
    is_split: bool = True,
    own: Callable[..., tuple[Array, ...]] | None = None,
) -> tuple[Array, ...]:
    """The results of a routine of NumPy's for stacks of matrices, as arrays of their device.

    Args:
        name: Of the function, for its messages.
        routine: Takes NumPy's arrays; gives one, or a tuple of them.
        arrays: ``(..., rows, columns)``, with stacks of one shape.
        dtype: Of the caller's arrays.
        is_split: Whether a part of a stack may be given to it.
        own: Does it instead where the device's vendor has libraries for it: takes arrays with at
            least one element, gives arrays.

    Raises:
        LinAlgError: A matrix has not what the routine needs.
    """
    if own is not None and _solves(arrays):
        return tuple(converted_back(one, dtype) for one in own(*arrays))
    hosts = [array.numpy() for array in arrays]
    try:
        found = _in_stacks(routine, hosts) if is_split else _as_tuple(routine(*hosts))
    except np.linalg.LinAlgError as error:
        stack = hosts[0].shape[:-2] if is_split else ()
        raise LinAlgError(f"{name}: {_explained(routine, hosts, stack, error)}") from None
    device = arrays[0].device
    return tuple(converted_back(owned(np.asarray(one), device), dtype) for one in found)


def _solves(arrays: Sequence[Array]) -> bool:
    """Whether a device's libraries decompose these matrices."""
    routines = arrays[0].device.routines
    if routines is None or not all(array.size for array in arrays):
        return False
    return all(routines.has(name) for name in ("cusolverDn", "cublas"))


_LARGEST_IN_PARTS = 128
"""Rows of a matrix beyond which OpenBLAS uses its own threads for one."""


def _in_stacks(routine: Routine, hosts: Sequence[HostArray]) -> tuple[Any, ...]:
    """The routine's results, of parts of a stack at a time where it is one of small matrices."""
    *stack, rows, columns = hosts[0].shape
    is_whole = (
        not stack
        or max(rows, columns) > _LARGEST_IN_PARTS
        or any(host.shape[:-2] != tuple(stack) for host in hosts)
        or 0 in hosts[0].shape
    )
    if is_whole:
        return _as_tuple(routine(*hosts))
    flat = [host.reshape((-1, *host.shape[-2:])) for host in hosts]
    count = flat[0].shape[0]
    operations = count * rows * columns * max(rows, columns)
    parts = in_parts(
        lambda part: _as_tuple(routine(*(host[part] for host in flat))), count, operations
    )
    return tuple(
        np.concatenate(pieces).reshape((*stack, *pieces[0].shape[1:]))
        for pieces in zip(*parts, strict=True)
    )


def _as_tuple(found: Any) -> tuple[Any, ...]:
    return tuple(found) if isinstance(found, tuple) else (found,)


def _explained(
    routine: Routine, hosts: Sequence[HostArray], stack: tuple[int, ...], error: Exception
) -> str:
    """What is wrong, and with which matrix of a stack."""
    words = str(error)
    reason = next((known.reason for known in _REASONS if known.words in words), f"has {words}")
    if not stack:
        return f"{'the' if hosts[0].ndim == 2 else 'a'} matrix {reason}"
    for index in np.ndindex(stack):
        try:
            routine(*(host[index] if host.shape[:-2] == stack else host for host in hosts))
        except np.linalg.LinAlgError:
            place = ", ".join(map(str, index))
            return f"matrix [{place}] of the stack {reason}"
    return f"a matrix of the stack {reason}"
