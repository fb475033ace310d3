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
from speedmetal.arrays.along_axes.normalising import is_enough_for_one_launch
from speedmetal.arrays.along_axes.passes import groups_of_rows
from speedmetal.arrays.along_axes.reducing import check_array
from speedmetal.arrays.along_axes.softmaxes import logsumexp
from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.graph import apply, common_device, peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.elementwise.operands import cast
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.indices.gathering import take, take_along_axis
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import grid_of, in_order_of_memory
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.shaping.manipulation import expand_dims, moveaxis
from speedmetal.arrays.user_functions.user_operands import expressions_of, readable
from speedmetal.backends.device import SIMDGROUP_SIZE
from speedmetal.dtypes import DType, int64
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static
from speedmetal.nn.arguments import check_floats, floats_of, one_of

REDUCTIONS = ("mean", "sum", "none")
_PART = 16384
"""Elements whose losses one simdgroup adds up."""
_READS_OF_ROWS = 2


# --- Of two arrays of one shape ------------------------------------------------------------------


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


def l1_loss(x: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """Absolute errors: ``abs(x - target)``; arguments and errors are those of :func:`mse_loss`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nn.l1_loss(sm.array([1.0, 2.0]), sm.array([1.0, 4.0])))
        1.0
    """
    x, target, dtype = _operands("l1_loss", x, target)
    return _reduced("l1_loss", abs(x - target), weight, reduction, dtype)


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
        return cast(_REDUCE[reduction](loss), dtype)
    share = _weight(name, weight, loss)
    if reduction == "mean":
        return cast(reductions.sum(share * loss) / reductions.sum(share), dtype)
    return cast(_REDUCE[reduction](share * loss), dtype)


def _all(loss: Any) -> Any:
    return loss


_REDUCE: dict[str, Any] = {"mean": reductions.mean, "sum": reductions.sum, "none": _all}


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
            map_elements(target, loss, sources, numbers, grid=grid_of(placed[0].shape))
        return (made,)

    return _called(name, given, run, shape, dtype)


def _total(name: str, loss: Any, operands: tuple[Any, ...]) -> Any:
    """The sum of the losses: those of parts, and these added up."""
    shape, dtype = operands[-1].shape, operands[-1].layout.dtype
    given = readable(operands)
    count = -(-math.prod(shape) // _PART)

    def run() -> tuple[Any]:
        from speedmetal.nn.kernels.losses import sums_of_parts  # with its first use

        parts = Array.allocate((count,), dtype, given[0].layout.device)
        if count:
            sources = tuple(expressions_of(given, shape, _in_order))
            sums_of_parts(parts, loss, sources, _PART, groups=count, threads=SIMDGROUP_SIZE)
        return (parts,)

    return reductions.sum(_called(name, given, run, (count,), dtype))


def _in_order(layouts: list[Layout]) -> list[Layout]:
    """On as few axes as possible, sorted as the last one lies, which is no weight."""
    return list(in_order_of_memory(*layouts[::-1]))[::-1]


def _called(
    name: str,
    operands: Sequence[Any],
    run: Any,
    shape: tuple[int, ...],
    dtype: DType,
    reads: int = 1,
) -> Any:
    device = operands[0].layout.device
    check_computes(name, device, *(operand.layout.dtype for operand in operands), dtype)
    node = Call(name, operands, run, reads, callers=4)
    return call(Array, node, [(shape, dtype)], device)[0]


# --- Of rows -------------------------------------------------------------------------------------


def cross_entropy(
    logits: Any,
    target: Any,
    weight: Any = None,
    *,
    axis: int = -1,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """Of logits of classes: ``-sum(q * log_softmax(logits))`` with the target's distribution ``q``.

    Of labels that is ``log(sum(exp(logits))) - logits[label]``. Nothing overflows.

    Args:
        logits: ``(..., classes, ...)``, of floats.
        target: Labels, integers from 0 to ``classes - 1``, of the shape without the axis; or
            probabilities, floats of the shape of the logits.
        weight: ``(classes,)``, of floats; None: 1.
        axis: Which one the classes are; PyTorch has them on axis 1.
        ignore_index: Rows with this label have no loss, and do not count in a mean.
        label_smoothing: From 0 to 1: ``q`` is so much of the uniform distribution, and the rest of
            the target (C. Szegedy and others, 2015).
        reduction: "mean": of labels the sum divided by that of their weights, of probabilities
            divided by the number of rows; "sum"; "none": the loss of each row.

    Returns:
        In the dtype of the logits; a mean of no rows is NaN.

    Raises:
        UserInputError: The logits have no floats, a shape is wrong, or the smoothing is.
        IndexError: A label is no class.
        AxisError: There is no such axis.
        UnknownNameError: The reduction is another one.

    Example:
        >>> import speedmetal as sm
        >>> logits = sm.array([[0.0, 0.0], [1000.0, 0.0]])
        >>> sm.nn.cross_entropy(logits, sm.array([1, 1]), reduction="none")
        Array([6.931472e-01, 1.000000e+03], dtype=float32, device='cpu')
        >>> float(sm.nn.cross_entropy(logits, sm.array([[0.5, 0.5], [1.0, 0.0]])))
        0.3465735912322998
    """
    name = "cross_entropy"
    one_of("reduction", reduction, REDUCTIONS)
    if not 0 <= label_smoothing <= 1:
        raise UserInputError(f"{name} expected label_smoothing from 0 to 1, got {label_smoothing}")
    x, share = _classes(name, "logits", logits, weight, axis)
    check_array(name, target)
    if target.layout.dtype.is_float:
        loss = _of_probabilities(name, x, share, target, logits, axis, label_smoothing)
        return cast(_REDUCE[reduction](loss), logits.layout.dtype)
    labels = _labels(name, target, x, ignore_index)
    loss = _of_labels(x, labels, ignore_index)
    counted = labels != ignore_index
    weights = None if share is None else _weights_of(labels, counted, share)
    if weights is not None:
        loss = loss * weights
    if label_smoothing:
        rest = _row_sums(_distances(x), share) * (label_smoothing / x.shape[-1])
        loss = (1.0 - label_smoothing) * loss + apply("where", counted, rest, 0.0)
    return _of_rows(loss, counted, weights, reduction, logits.layout.dtype)


def nll_loss(
    log_probability: Any,
    target: Any,
    weight: Any = None,
    *,
    axis: int = -1,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """Of logarithms of probabilities: ``-log_probability[label]`` of each row.

    After :func:`log_softmax` it is :func:`cross_entropy`, which is one kernel.

    Args:
        log_probability: ``(..., classes, ...)``, of floats.
        target: Labels, integers from 0 to ``classes - 1``, of the shape without the axis.
        weight: ``(classes,)``, of floats; None: 1.
        axis: Which one the classes are; PyTorch has them on axis 1.
        ignore_index: Rows with this label have no loss, and do not count in a mean.
        reduction: "mean": the sum, divided by that of the labels' weights; "sum"; "none".

    Returns:
        In the dtype of ``log_probability``; a mean of no rows is NaN.

    Raises:
        UserInputError: The first operand has no floats, the labels no integers, or a shape is
            wrong.
        IndexError: A label is no class.
        AxisError: There is no such axis.
        UnknownNameError: The reduction is another one.

    Example:
        >>> import speedmetal as sm
        >>> rows = sm.array([[-1.0, -2.0], [-3.0, -4.0]])
        >>> float(sm.nn.nll_loss(rows, sm.array([0, 1])))
        2.5
    """
    name = "nll_loss"
    one_of("reduction", reduction, REDUCTIONS)
    x, share = _classes(name, "log_probability", log_probability, weight, axis)
    labels = _labels(name, target, x, ignore_index)
    counted = labels != ignore_index
    loss = apply("where", counted, -_own(x, apply("where", counted, labels, 0)), 0.0)
    weights = None if share is None else _weights_of(labels, counted, share)
    if weights is not None:
        loss = loss * weights
    return _of_rows(loss, counted, weights, reduction, log_probability.layout.dtype)


def _classes(name: str, what: str, x: Any, weight: Any, axis: int) -> tuple[Any, Any]:
    """What is said of classes, with these on the last axis, and their weights.

    Raises:
        UserInputError: Either has no floats, there are no classes, or not as many weights.
    """
    given, _ = floats_of(name, **{what: x, "weight": weight})
    wide: Any = given[what]
    share: Any = given["weight"]
    (place,) = axes_of(axis, wide.ndim)
    count = wide.shape[place]
    if not count:
        raise UserInputError(f"{name} expected one class or more, got shape {wide.shape}")
    if share is not None and share.shape != (count,):
        raise UserInputError(
            f"{name} expected weight of shape ({count},), one for each class, got {share.shape}"
        )
    return wide if place == wide.ndim - 1 else moveaxis(wide, place, -1), share


def _labels(name: str, target: Any, x: Any, ignored: int) -> Any:
    """Labels as int64.

    Raises:
        UserInputError: They are no integers, or have another shape than the rows.
        IndexError: One is no class: they are looked at where they are the CPU's.
    """
    check_array(name, target)
    if not target.layout.dtype.is_integer:
        raise UserInputError(
            f"{name} expected labels as integers, got {target.layout.dtype}; convert them with"
            " target.astype(sm.int32)"
        )
    if target.shape != x.shape[:-1]:
        raise UserInputError(
            f"{name} expected labels of shape {x.shape[:-1]}, one for each row, got {target.shape}"
        )
    common_device(name, [x, target])
    if is_on_cpu(target):
        seen = target.numpy()
        wrong = ((seen < 0) | (seen >= x.shape[-1])) & (seen != ignored)
        if wrong.any():
            raise IndexError(
                f"{name} expected labels from 0 to {x.shape[-1] - 1}, or ignore_index={ignored},"
                f" got {seen[wrong][0]}"
            )
    return cast(target, int64)


def _weights_of(labels: Any, counted: Any, share: Any) -> Any:
    own = take(share, apply("where", counted, labels, 0))
    return apply("where", counted, own, 0.0)


def _own(x: Any, labels: Any) -> Any:
    """What each row has for its label."""
    return take_along_axis(x, expand_dims(labels, -1), -1).reshape(labels.shape)


def _of_labels(x: Any, labels: Any, ignored: int) -> Any:
    """The losses of rows: by one kernel, where classes lie beside each other."""
    rows = peeked(x.reshape((-1, x.shape[-1])))
    is_near = abs(rows.elements.strides[1]) <= rows.elements.itemsize
    if not (rows.size and is_near and is_enough_for_one_launch(rows.elements, 1)):
        counted = labels != ignored
        own = _own(x, apply("where", counted, labels, 0))
        return apply("where", counted, logsumexp(x, -1) - own, 0.0)
    (flat,) = readable([labels.reshape((-1,))])

    def run() -> tuple[Any]:
        from speedmetal.nn.kernels.losses import cross_entropy_of_rows  # with its first use

        losses = Array.allocate(flat.shape, rows.layout.dtype, rows.layout.device)
        groups, each = groups_of_rows(*rows.shape)
        cross_entropy_of_rows(
            *(losses, rows, flat, ignored, each), groups=groups, threads=SIMDGROUP_SIZE
        )
        return (losses,)

    shape, dtype = flat.shape, rows.layout.dtype
    found = _called("cross_entropy", (rows, flat), run, shape, dtype, _READS_OF_ROWS)
    return found.reshape(labels.shape)


def _distances(x: Any) -> Any:
    """The negative logarithms of all classes' probabilities."""
    return logsumexp(x, -1, keepdims=True) - x


def _row_sums(x: Any, share: Any) -> Any:
    return reductions.sum(x if share is None else x * share, axis=-1)


def _of_probabilities(
    name: str, x: Any, share: Any, target: Any, logits: Any, axis: int, smoothing: float
) -> Any:
    """The losses of rows whose targets are distributions."""
    if target.shape != logits.shape:
        raise UserInputError(
            f"{name} expected probabilities of the logits' shape {logits.shape}, got {target.shape}"
        )
    common_device(name, [x, target])
    q = cast(moveaxis(target, axis, -1), x.layout.dtype)
    if smoothing:
        q = q * (1.0 - smoothing) + smoothing / x.shape[-1]
    return _row_sums(q * _distances(x), share)


def _of_rows(loss: Any, counted: Any, weights: Any, reduction: str, dtype: DType) -> Any:
    """The losses of rows as they are asked for."""
    if reduction == "mean":
        count = reductions.sum(counted if weights is None else weights, dtype=loss.layout.dtype)
        return cast(reductions.sum(loss) / count, dtype)
    return cast(_REDUCE[reduction](loss), dtype)
