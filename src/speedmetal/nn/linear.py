"""Layers that are products: :func:`linear` and :func:`bilinear`."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.algebra.products import matmul
from speedmetal.arrays.along_axes.reductions import sum as sum_along
from speedmetal.arrays.array import Array
from speedmetal.arrays.replaying import replayed
from speedmetal.errors import UserInputError
from speedmetal.nn.arguments import check_shape, floats_alike, floats_of


def linear(x: Any, weight: Any, bias: Any = None) -> Array:
    """``x @ weight.T + bias``: each output is a sum of weighted inputs.

    The bias, and what follows elementwise, is added as sums are stored where a kernel of ours
    multiplies (see :mod:`speedmetal.arrays.algebra.tiled`), else by one kernel after BLAS.

    Args:
        x: ``(..., inputs)``, of floats.
        weight: ``(outputs, inputs)``, as in PyTorch and MLX.
        bias: ``(outputs,)``; None: there is none.

    Returns:
        ``(..., outputs)``, of the promoted dtype; lazy. float16 and bfloat16 are summed in float32.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> weight = sm.array([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]])
        >>> sm.nn.linear(sm.array([1.0, 10.0]), weight, sm.array([0.0, 0.0, 5.0]))
        Array([21., 10., 16.], dtype=float32, device='cpu')
    """
    given = {"x": x, "weight": weight} | ({} if bias is None else {"bias": bias})
    known, _ = floats_alike("linear", **given)
    own, matrix = known["x"], known["weight"]
    if matrix.ndim != 2 or not own.ndim or own.shape[-1] != matrix.shape[1]:
        raise UserInputError(
            "linear expected x of shape (..., inputs) and weight of shape (outputs, inputs), got"
            f" {own.shape} and {matrix.shape}"
        )
    product = matmul(own, matrix.T)
    if bias is None:
        return product
    check_shape("linear", "bias", known["bias"], matrix.shape[:1], "(outputs,)")
    total: Array = product + known["bias"]
    return total


@replayed
def bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None) -> Array:
    """``y[..., o] = sum over i, j of x1[..., i] weight[o, i, j] x2[..., j]``, plus ``bias[o]``.

    The longer of the axes of inputs is summed over by a product of matrices, the other one as its
    result is read.

    Args:
        x1: ``(..., inputs1)``, of floats.
        x2: ``(..., inputs2)``; the axes in front are those of ``x1``.
        weight: ``(outputs, inputs1, inputs2)``.
        bias: ``(outputs,)``; None: there is none.

    Returns:
        ``(..., outputs)``, of the promoted dtype; lazy. float16 and bfloat16 are computed in
        float32.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.bilinear(sm.array([1.0, 2.0]), sm.array([3.0, 4.0]), sm.ones((1, 2, 2)))
        Array([21.], dtype=float32, device='cpu')
    """
    wide, dtype = floats_of("bilinear", x1=x1, x2=x2, weight=weight, bias=bias)
    first, second, tensor, vector = (wide[name] for name in ("x1", "x2", "weight", "bias"))
    assert first is not None and second is not None and tensor is not None  # noqa: PT018
    are_inputs = first.ndim and second.ndim and first.shape[:-1] == second.shape[:-1]
    if not are_inputs or tensor.ndim != 3:
        raise UserInputError(
            "bilinear expected x1 of shape (..., inputs1), x2 of shape (..., inputs2) and weight of"
            f" shape (outputs, inputs1, inputs2), got {first.shape}, {second.shape} and"
            f" {tensor.shape}"
        )
    outputs, *sizes = tensor.shape
    wanted = (outputs, first.shape[-1], second.shape[-1])
    check_shape("bilinear", "weight", tensor, wanted, "(outputs, inputs1, inputs2)")
    if sizes[0] < sizes[1]:
        first, second, tensor = second, first, tensor.transpose((0, 2, 1))
    inputs, left = tensor.shape[1:]
    rows = first.reshape((math.prod(first.shape[:-1]), inputs))
    product = matmul(rows, tensor.transpose((1, 0, 2)).reshape((inputs, outputs * left)))
    parts = product.reshape((*first.shape[:-1], outputs, left))
    total: Array = sum_along(parts * second[..., None, :], axis=-1)
    if vector is not None:
        check_shape("bilinear", "bias", vector, (outputs,), "(outputs,)")
        total = total + vector
    return total.astype(dtype, copy=False)
