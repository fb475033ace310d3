"""Losses: how far predictions are from targets, for each element or row, or as one number.

All are lazy, and computed in one pass over what they are given: the losses themselves are stored
only where they are asked for. Sums of float16 and bfloat16 are float32, and long ones are added up
in parts, so that a mean of millions has the accuracy of its type.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from speedmetal.arrays.along_axes import reductions
from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.graph import apply, common_device
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.elementwise.operands import cast
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import grid_of, in_order_of_memory
from speedmetal.arrays.replaying import replayed
from speedmetal.arrays.user_functions.user_operands import expressions_of, readable
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static
from speedmetal.nn.arguments import check_floats, floats_of, one_of
from speedmetal.nn.launches import launch, launch_simdgroups

REDUCTIONS = ("mean", "sum", "none")
_PART = 16384
_PART_OF_GPU = 512
"""Elements whose losses one simdgroup adds up; a GPU runs thousands of them at once."""
_WORK = 170
"""About how many expressions a loss takes: two logarithms, or one and an exponential."""


# --- Of two arrays of one shape ------------------------------------------------------------------


@replayed
def mse_loss(x: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """Squared errors: ``(x - target)**2``.

    Args:
        x: Floats of any shape.
        target: The same shape.
        weight: Of each loss: floats that are broadcast to the shape; None: 1.
        reduction: "mean": ``sum(weight * loss) / sum(weight)``; "sum": ``sum(weight * loss)``;
            "none": ``weight * loss``, in the shape of ``x``.

    Returns:
        In the dtype of ``x``; the mean of nothing is NaN.

    Raises:
        UserInputError: The operands have no floats, or their shapes differ.
        UnknownNameError: The reduction is another one.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nn.mse_loss(sm.array([1.0, 2.0]), sm.array([1.0, 4.0])))
        2.0
    """
    x, target, dtype = _operands("mse_loss", x, target)
    distance = x - target
    return _reduced("mse_loss", distance * distance, weight, reduction, dtype)


@replayed
def l1_loss(x: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """Absolute errors: ``abs(x - target)``; arguments and errors are those of :func:`mse_loss`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nn.l1_loss(sm.array([1.0, 2.0]), sm.array([1.0, 4.0])))
        1.0
    """
    x, target, dtype = _operands("l1_loss", x, target)
    return _reduced("l1_loss", abs(x - target), weight, reduction, dtype)


@replayed
def huber_loss(
    x: Any, target: Any, weight: Any = None, *, delta: float = 1.0, reduction: str = "mean"
) -> Any:
    """Squared errors up to ``delta``, and beyond lines (P. J. Huber, 1964).

        ``d**2 / 2`` where ``d = abs(x - target) <= delta``, else ``delta * (d - delta / 2)``

    Args and errors are those of :func:`mse_loss`, and ``delta`` is above 0. A mean divides by the
    sum of the weights; PyTorch divides that of this loss by the number of elements.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nn.huber_loss(sm.array([0.0, 3.0]), sm.array([1.0, 0.0])))
        1.5
    """
    if not delta > 0:
        raise UserInputError(f"huber_loss expected delta above 0, got {delta}")
    x, target, dtype = _operands("huber_loss", x, target)
    distance = abs(x - target)
    near = 0.5 * distance * distance
    loss = apply("where", distance <= delta, near, delta * (distance - 0.5 * delta))
    return _reduced("huber_loss", loss, weight, reduction, dtype)


@replayed
def smooth_l1_loss(
    x: Any, target: Any, weight: Any = None, *, beta: float = 1.0, reduction: str = "mean"
) -> Any:
    """Absolute errors that are squared near 0 (R. Girshick, 2015).

        ``d**2 / (2 * beta)`` where ``d = abs(x - target) < beta``, else ``d - beta / 2``

    Args and errors are those of :func:`mse_loss`, and ``beta`` is 0 or more: with 0 it is
    :func:`l1_loss`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nn.smooth_l1_loss(sm.array([0.0, 3.0]), sm.array([1.0, 0.0])))
        1.5
    """
    if not beta >= 0:
        raise UserInputError(f"smooth_l1_loss expected beta of 0 or more, got {beta}")
    x, target, dtype = _operands("smooth_l1_loss", x, target)
    distance = abs(x - target)
    loss = distance
    if beta:
        near = distance * distance * (0.5 / beta)
        loss = apply("where", distance < beta, near, distance - 0.5 * beta)
    return _reduced("smooth_l1_loss", loss, weight, reduction, dtype)


@replayed
def kl_div(x: Any, target: Any, *, log_target: bool = False, reduction: str = "mean") -> Any:
    """The divergence of S. Kullback and R. A. Leibler (1951) of ``exp(x)`` from the target.

        ``target * (log(target) - x)``, or ``exp(target) * (target - x)`` with ``log_target``

    ``x`` is a logarithm always: that of what is predicted.

    Args:
        x: Logarithms of probabilities, of any shape.
        target: Probabilities; with ``log_target`` their logarithms. Where a probability is 0, the
            loss is.
        log_target: Whether the target is given by logarithms.
        reduction: "mean" over all elements, "sum", "none", or "batchmean": the sum, divided by the
            extent of the first axis, which is the divergence of distributions that are rows.

    Returns:
        In the dtype of ``x``.

    Raises:
        UserInputError: The operands have no floats, or their shapes differ.
        UnknownNameError: The reduction is another one.

    Example:
        >>> import speedmetal as sm
        >>> half = sm.array([[0.5, 0.5]])
        >>> float(sm.nn.kl_div(sm.log(half), sm.array([[1.0, 0.0]]), reduction="batchmean"))
        0.6931471824645996
    """
    one_of("reduction", reduction, (*REDUCTIONS, "batchmean"))
    x, target, dtype = _operands("kl_div", x, target)
    if log_target:
        none = target == -math.inf
        loss = apply("exp", target) * (target - x)
    else:
        none = target == 0.0
        loss = target * (apply("log", target) - x)
    loss = apply("where", none, 0.0, loss)
    if reduction != "batchmean":
        return _reduced("kl_div", loss, None, reduction, dtype)
    rows = x.shape[0] if x.ndim else 1
    return cast(reductions.sum(loss) / rows, dtype)


@replayed
def binary_cross_entropy(
    probability: Any, target: Any, weight: Any = None, *, reduction: str = "mean"
) -> Any:
    """Of probabilities: ``-(target * log(p) + (1 - target) * log(1 - p))``.

    The second logarithm is ``log1p(-p)``, so that small probabilities count. Logarithms are -100 at
    least, as PyTorch has it: a wrong prediction of 0 or 1 is no infinite loss. What is no
    probability gives NaN.

    Args:
        probability: From 0 to 1, floats of any shape.
        target: The same shape, from 0 to 1: floats.
        weight: Of each loss: floats that are broadcast to the shape; None: 1.
        reduction: "mean": ``sum(weight * loss)``, divided by the number of elements; "sum":
            ``sum(weight * loss)``; "none": ``weight * loss``, in the shape of the operands.

    Returns:
        In the dtype of ``probability``; the mean of nothing is NaN.

    Raises:
        UserInputError: The operands have no floats, or their shapes differ.
        UnknownNameError: The reduction is another one.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nn.binary_cross_entropy(sm.array([0.5, 0.0]), sm.array([1.0, 0.0])))
        0.3465735912322998
    """
    from speedmetal.nn.kernels.losses import binary_cross_entropy as loss  # with its first use

    name = "binary_cross_entropy"
    probability, target, dtype = _operands(name, probability, target)
    return _binary(name, loss, (probability, target), weight, reduction, dtype)


@replayed
def binary_cross_entropy_with_logits(
    logits: Any,
    target: Any,
    weight: Any = None,
    *,
    pos_weight: Any = None,
    reduction: str = "mean",
) -> Any:
    """Of logits: :func:`binary_cross_entropy` of ``sigmoid(logits)``, for logits of any size.

        ``maximum(x, 0) - x * target + log1p(exp(-abs(x)))``

    Args:
        logits: Floats of any shape.
        target: The same shape, from 0 to 1: floats.
        weight: Of each loss: floats that are broadcast to the shape; None: 1.
        pos_weight: Of what the target adds, against what ``1 - target`` adds: floats that are
            broadcast to the shape; None: 1.
        reduction: As of :func:`binary_cross_entropy`.

    Returns:
        In the dtype of ``logits``; the mean of nothing is NaN.

    Raises:
        UserInputError: The operands have no floats, or their shapes differ.
        UnknownNameError: The reduction is another one.

    Example:
        >>> import speedmetal as sm
        >>> x, target = sm.array([0.0, 1000.0]), sm.array([1.0, 1.0])
        >>> float(sm.nn.binary_cross_entropy_with_logits(x, target))
        0.3465735912322998
    """
    from speedmetal.nn.kernels import losses  # with its first use

    name = "binary_cross_entropy_with_logits"
    logits, target, dtype = _operands(name, logits, target)
    if pos_weight is None:
        loss: Any = losses.binary_cross_entropy_with_logits
        return _binary(name, loss, (logits, target), weight, reduction, dtype)
    share = _weight(name, pos_weight, logits, "pos_weight")
    operands = share, logits, target
    return _binary(name, losses.with_positive_weight, operands, weight, reduction, dtype)


def _operands(name: str, x: Any, target: Any) -> tuple[Any, Any, DType]:
    """Two arrays of one shape, in the dtype in which is computed, and the result's dtype."""
    given, dtype = floats_of(name, x=x, target=target)
    left: Any = given["x"]
    right: Any = given["target"]
    if left.shape != right.shape:
        raise UserInputError(
            f"{name} expected a target of the shape {left.shape} of what is predicted, got"
            f" {right.shape}; sm.broadcast_to makes one of the other"
        )
    return left, right, dtype


def _weight(name: str, weight: Any, x: Any, what: str = "weight") -> Any:
    """Weights, broadcast to the shape of an array, in its dtype."""
    check_floats(name, weight, what)
    common_device(name, [x, weight])
    try:
        wide = weight.broadcast_to(x.shape)
    except ValueError:
        raise UserInputError(
            f"{name} expected {what} that is broadcast to {x.shape}, got shape {weight.shape}"
        ) from None
    return cast(wide, x.layout.dtype)


def _reduced(name: str, loss: Any, weight: Any, reduction: str, dtype: DType) -> Any:
    """Losses that are an expression, with weights, by whose sum a mean divides."""
    one_of("reduction", reduction, REDUCTIONS)
    if weight is None:
        return cast(REDUCE[reduction](loss), dtype)
    share = _weight(name, weight, loss)
    if reduction == "mean":
        return cast(reductions.sum(share * loss) / reductions.sum(share), dtype)
    return cast(REDUCE[reduction](share * loss), dtype)


def _all(loss: Any) -> Any:
    return loss


REDUCE: dict[str, Any] = {"mean": reductions.mean, "sum": reductions.sum, "none": _all}


# --- Losses that are functions of a kernel -------------------------------------------------------


def _binary(
    name: str, loss: Any, operands: tuple[Any, ...], weight: Any, reduction: str, dtype: DType
) -> Any:
    one_of("reduction", reduction, REDUCTIONS)
    if weight is not None:
        from speedmetal.nn.kernels.losses import weighted  # with its first use

        loss = partial(weighted, loss)
        operands = (_weight(name, weight, operands[-1]), *operands)
    if reduction == "none":
        return cast(_each(name, loss, operands), dtype)
    total = _total(name, loss, operands)
    size = operands[-1].size
    if reduction == "mean":
        total = total / size if size else total * math.nan
    return cast(total, dtype)


def _each(name: str, loss: Any, operands: tuple[Any, ...]) -> Any:
    """The losses, of the shape of the operands."""
    shape, dtype = operands[-1].shape, operands[-1].layout.dtype
    given = readable(operands)

    def run() -> tuple[Any]:
        from speedmetal.arrays.kernels.higher_order import map_elements  # with its first use

        made = Array.allocate(shape, dtype, given[0].layout.device)
        if made.size:
            placed: list[Layout] = []

            def arrange(layouts: list[Layout]) -> list[Layout]:
                placed[:] = in_order_of_memory(made.elements, *layouts)
                return placed[1:]

            sources = tuple(expressions_of(given, shape, arrange))
            target = made.with_elements(placed[0])
            numbers: Any = static((False,) * len(sources))
            grid = grid_of(placed[0].shape)
            launch(map_elements, (target, loss, sources, numbers), grid)
        return (made,)

    return called_with(name, given, run, shape, dtype)


def _total(name: str, loss: Any, operands: tuple[Any, ...]) -> Any:
    """The sum of the losses: those of parts, and these added up."""
    shape, dtype = operands[-1].shape, operands[-1].layout.dtype
    given = readable(operands)
    size = math.prod(shape)
    part = _PART if given[0].layout.device.kind == "cpu" else _PART_OF_GPU
    count = -(-size // part)

    def run() -> tuple[Any]:
        from speedmetal.nn.kernels.losses import sums_of_parts  # with its first use

        parts = Array.allocate((count,), dtype, given[0].layout.device)
        if count:
            sources = tuple(expressions_of(given, shape, _in_order))
            launch_simdgroups(sums_of_parts, (parts, loss, sources, part), count, _WORK * size)
        return (parts,)

    return reductions.sum(called_with(name, given, run, (count,), dtype))


def _in_order(layouts: list[Layout]) -> list[Layout]:
    """On as few axes as possible, sorted as the last one lies, which is no weight."""
    return list(in_order_of_memory(*layouts[::-1]))[::-1]


def called_with(
    name: str,
    operands: Sequence[Any],
    run: Any,
    shape: tuple[int, ...],
    dtype: DType,
    reads: int = 1,
) -> Any:
    """The lazy result of a call.

    Args:
        name: Of the function.
        operands: What it reads.
        run: Gives the result in memory.
        shape: Of the result.
        dtype: Of the result.
        reads: How often an element is read.
    """
    device = operands[0].layout.device
    check_computes(name, device, *(operand.layout.dtype for operand in operands), dtype)
    node = Call(name, operands, run, reads, callers=4)
    return call(Array, node, [(shape, dtype)], device)[0]
