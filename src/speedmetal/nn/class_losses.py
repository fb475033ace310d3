"""Losses of classes: cross entropy of logits, and the negative logarithms of probabilities.

They are lazy. A row of logits is read twice, the second time from the cache, and what is stored is
one loss of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.arrays.along_axes import reductions
from speedmetal.arrays.along_axes.normalising import (
    KEPT_BY_THREAD,
    LONG_TO_KEEP,
    is_enough_for_one_launch,
    vectors_of_row,
)
from speedmetal.arrays.along_axes.passes import groups_of_rows
from speedmetal.arrays.along_axes.reducing import check_array
from speedmetal.arrays.along_axes.softmaxes import logsumexp
from speedmetal.arrays.along_axes.sorted_axes import known
from speedmetal.arrays.along_axes.teams import (
    ONE_SIMDGROUP,
    team_of_row,
    threads_of,
    width_of,
)
from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.graph import apply, common_device, peeked
from speedmetal.arrays.elementwise.operands import cast
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.indices.taking import take, take_along_axis
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.replaying import replayed
from speedmetal.arrays.shaping.manipulation import expand_dims, moveaxis
from speedmetal.arrays.user_functions.user_operands import readable
from speedmetal.common.records import record
from speedmetal.dtypes import DType, int64
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static
from speedmetal.nn.arguments import floats_of, one_of
from speedmetal.nn.launches import prepared
from speedmetal.nn.losses import REDUCE, REDUCTIONS, called_with

_READS_OF_ROWS = 2
_WORK = 90
"""About how many expressions an element takes, an exponential among them."""


@replayed
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
        return cast(REDUCE[reduction](loss), logits.layout.dtype)
    labels = _labels(name, target, x, ignore_index)
    weights = None if share is None else labels.or_0(take(share, labels.safe))
    loss = _of_labels(x, share, weights, labels, label_smoothing, logits.layout.dtype)
    return _of_rows(loss, labels, weights, reduction, logits.layout.dtype)


@replayed
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
    loss = labels.or_0(-_own(x, labels.safe))
    weights = None if share is None else labels.or_0(take(share, labels.safe))
    if weights is not None:
        loss = loss * weights
    return _of_rows(loss, labels, weights, reduction, log_probability.layout.dtype)


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


@record(eq=False)
class _Labels:
    """Labels of rows.

    Args:
        values: Integers that have a sign.
        ignored: Which of them is no class.
        count: How many are one, where that is known; else None.
    """

    values: Any
    ignored: int
    count: int | None

    @property
    def are_counted(self) -> Any:
        """For each row whether it has a class."""
        return self.values != self.ignored

    @property
    def safe(self) -> Any:
        """Classes, 0 for rows without one."""
        return self.values if self.are_all else self.or_0(self.values)

    @property
    def are_all(self) -> bool:
        """Whether all rows are known to have a class."""
        return bool(self.count == self.values.size)

    def or_0(self, numbers: Any) -> Any:
        """Numbers of rows, 0 for those without a class."""
        return numbers if self.are_all else apply("where", self.are_counted, numbers, 0)


def _labels(name: str, target: Any, x: Any, ignored: int) -> _Labels:
    """What is known of labels.

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
    count = None
    if is_on_cpu(target):
        seen = target.numpy()
        is_class = (seen >= 0) & (seen < x.shape[-1])
        wrong = ~is_class & (seen != ignored)
        if wrong.any():
            raise IndexError(
                f"{name} expected labels from 0 to {x.shape[-1] - 1}, or ignore_index={ignored},"
                f" got {seen[wrong][0]}"
            )
        count = int(np.count_nonzero(seen != ignored))
    values = target if target.layout.dtype.is_signed else cast(target, int64)
    return _Labels(values, ignored, count)


def _own(x: Any, labels: Any) -> Any:
    """What each row has for its label."""
    return take_along_axis(x, expand_dims(labels, -1), -1).reshape(labels.shape)


def _of_labels(
    x: Any, share: Any, weights: Any, labels: _Labels, smoothing: float, given: DType
) -> Any:
    """The losses of rows, weighted and smoothed; ``given`` is the dtype of the logits before.

    Where classes lie beside each other a kernel of rows computes them; without weights, it alone.
    """
    rows = peeked(x.reshape((-1, x.shape[-1])))
    is_near = abs(rows.elements.strides[1]) <= rows.elements.itemsize
    is_enough = rows.size and is_enough_for_one_launch(rows.elements, 1, rows.layout.device)
    is_direct = bool(is_near and is_enough)
    if is_direct and weights is None:
        return _directly(rows, labels, smoothing, given)
    if is_direct:
        loss = _directly(rows, labels, 0.0, given)
    else:
        loss = labels.or_0(logsumexp(x, -1) - _own(x, labels.safe))
    if weights is not None:
        loss = loss * weights
    if not smoothing:
        return loss
    rest = _row_sums(_distances(x), share) * (smoothing / x.shape[-1])
    return (1.0 - smoothing) * loss + labels.or_0(rest)


def _directly(rows: Any, labels: _Labels, smoothing: float, given: DType) -> Any:
    """The losses of rows ``(rows, classes)``, lazily, by one kernel."""
    values = labels.values
    (flat,) = readable([values if values.ndim == 1 else values.reshape((-1,))])

    def run() -> tuple[Any]:
        from speedmetal.nn.kernels.losses import cross_entropy_of_rows  # with its first use

        losses = Array.allocate(flat.shape, rows.layout.dtype, rows.layout.device)
        is_smoothed: Any = static(smoothing > 0.0)
        if rows.layout.device.kind == "cpu":
            team, taken = ONE_SIMDGROUP, (known(0), known(number=False))
            groups, each = groups_of_rows(*rows.shape)
        else:
            width = width_of(rows.elements, rows.shape[1], given)
            adds = smoothing > 0.0
            taken_at_once = rows.shape[1] if adds else min(rows.shape[1], LONG_TO_KEEP)
            team, each = team_of_row(taken_at_once, width, KEPT_BY_THREAD), 1
            groups = -(-rows.shape[0] // team.together)
            taken = vectors_of_row(rows.shape[1], team, adds=adds)
        numbers = (labels.ignored, is_smoothed, smoothing, team.known(), *taken, each)
        arguments = (losses, rows, flat, *numbers)
        sizes = {"groups": groups, "threads": threads_of(team), "work": _WORK * rows.size}
        launch, values = prepared(cross_entropy_of_rows, arguments, **sizes)
        launch(values)
        return (losses,)

    shape, dtype = flat.shape, rows.layout.dtype
    found = called_with("cross_entropy", (rows, flat), run, shape, dtype, _READS_OF_ROWS)
    return found if values.ndim == 1 else found.reshape(values.shape)


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


def _of_rows(loss: Any, labels: _Labels, weights: Any, reduction: str, dtype: DType) -> Any:
    """The losses of rows as they are asked for."""
    if reduction != "mean":
        return cast(REDUCE[reduction](loss), dtype)
    if weights is None and labels.count:
        return cast(reductions.sum(loss) * (1.0 / labels.count), dtype)
    counted = labels.are_counted if weights is None else weights
    return cast(reductions.sum(loss) / reductions.sum(counted, dtype=loss.layout.dtype), dtype)
