"""Kernels that apply a function to the elements of arrays; one for each function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import speedmetal as sm


@functools.cache
def elementwise(function: Callable[..., Any], operands: int) -> sm.Kernel:
    """``out[i] = function(a[i], ...)`` of up to three arrays."""
    return sm.kernel(_KERNELS[operands](function))


def _of_one(function: Any) -> Any:
    def apply(a, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i])

    return apply


def _of_two(function: Any) -> Any:
    def apply(a, b, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i], b[i])

    return apply


def _of_three(function: Any) -> Any:
    def apply(a, b, c, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i], b[i], c[i])

    return apply


_KERNELS = {1: _of_one, 2: _of_two, 3: _of_three}
