"""Losses that are added up as they are computed: what each is of an element, and the sums.

A loss is a function of the elements at one place. What costs most in these are logarithms and
exponentials, which stand in the kernel itself; nothing is stored but a total for each part.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import unravel
from speedmetal.arrays.kernels.log_sums import (
    base_above,
    greatest_of_team,
    read_once,
    sums_above,
)
from speedmetal.arrays.kernels.teams import (
    across_team,
    own_place,
    room,
)

LANES = 32  # of a simdgroup
TOTALS = 4  # of a thread, running at once: an addition takes as long as so many can start in
LEAST_LOGARITHM = -100.0
"""So that a loss is finite where a probability is 0, as PyTorch has it."""


# --- Of an element -------------------------------------------------------------------------------


def binary_cross_entropy(probability: Any, target: Any) -> Any:
    """``-(target * log(probability) + (1 - target) * log(1 - probability))``."""
    positive = max(math.log(probability), LEAST_LOGARITHM)
    negative = max(math.log1p(-probability), LEAST_LOGARITHM)
    return -(target * positive + (1.0 - target) * negative)


def binary_cross_entropy_with_logits(logit: Any, target: Any) -> Any:
    """The same of ``sigmoid(logit)``, whose logarithm is taken where nothing overflows."""
    return max(logit, 0.0) - logit * target + math.log1p(math.exp(-abs(logit)))


def with_positive_weight(positive_weight: Any, logit: Any, target: Any) -> Any:
    """The same, where what a true target adds has a weight."""
    surplus = max(-logit, 0.0) + math.log1p(math.exp(-abs(logit)))
    return (1.0 - target) * logit + (1.0 + (positive_weight - 1.0) * target) * surplus


def weighted(loss: Any, weight: Any, *elements: Any) -> Any:
    """A loss, times a weight."""
    return weight * loss(*elements)


# --- Sums ----------------------------------------------------------------------------------------


@sm.kernel
def sums_of_parts(parts: Any, loss: Any, operands: Any, length: int) -> None:
    """parts[part] = the losses of so many consecutive elements; a simdgroup takes a part.

    Args:
        parts: ``(parts,)``, of the dtype in which is added up.
        loss: A function of an element of each operand.
        operands: A tuple of arrays of one shape.
        length: Elements of a part.
    """
    lane = sm.thread_index_in_threadgroup()
    part = sm.threadgroup_position_in_grid().x
    shape = operands[0].shape
    begin = part * length
    end = min(begin + length, math.prod(shape))
    totals = sm.thread_array(TOTALS, parts.dtype)
    for k in sm.static_range(TOTALS):
        totals[k] = 0.0
    step = LANES * TOTALS
    whole = begin + (end - begin) // step * step
    for start in range(begin, whole, step):
        for k in sm.static_range(TOTALS):
            totals[k] += loss_at(loss, operands, unravel(start + LANES * k + lane, shape))
    for start in range(whole, end, LANES):
        if start + lane < end:
            totals[0] += loss_at(loss, operands, unravel(start + lane, shape))
    total = sm.simd_sum((totals[0] + totals[1]) + (totals[2] + totals[3]))
    if lane == 0:
        parts[part] = total


def loss_at(loss: Any, operands: Any, index: Any) -> Any:
    """A loss of the elements at an index."""
    return loss(*tuple(operand[index] for operand in operands))


# --- Of rows -------------------------------------------------------------------------------------


@sm.kernel
def cross_entropy_of_rows(
    losses: Any,
    logits: Any,
    labels: Any,
    ignored: int,
    is_smoothed: sm.static[bool],
    smoothing: Any,
    team: Any,
    vectors: Any,
    keeps: sm.static[bool],
    rows: int,
) -> None:
    """losses[row] = log(sum(exp(logits[row]))) - sum(q * logits[row]), q as the label has it.

    That is 1 for the label, or where ``is_smoothed`` a share ``smoothing`` for all classes alike,
    and the rest for the label. A team takes so many ``rows``, one after the other, and ``keeps``
    their ``vectors``, or takes so many at once, which it reads once; where there are 0 it reads
    rows twice, the second time from the cache. Rows whose label is ``ignored`` have the loss 0; a
    label that is none of the classes gives NaN.
    """
    lane, number = own_place(team)
    classes = logits.shape[1]
    nothing = logits.dtype(0.0)
    extremes, sums = room(team, logits.dtype), room(team, logits.dtype)
    more = room(team, logits.dtype)
    kept = sm.thread_array(max(vectors * team.width, 1), logits.dtype)
    for row in range(number * rows, min(number * rows + rows, logits.shape[0])):
        place = (row,)
        label = labels[row]  # long before it is needed: nobody waits for it then
        is_class = label >= 0 and label < classes
        distances = nothing
        if keeps or vectors == 0:
            base = greatest_of_team(logits, place, classes, lane, team, vectors, kept, extremes)
            expected = logits[row, label] if is_class else logits.dtype(math.nan)
            found = sums_above(logits, place, classes, lane, team, vectors, kept, base, is_smoothed)
            total, distances = found
        else:
            own, total = read_once(logits, place, classes, lane, team, kept)
            expected = logits[row, label] if is_class else logits.dtype(math.nan)
            greatest = across_team(own, sm.simd_max, -math.inf, team, extremes)
            base = base_above(greatest)
            total = total * math.exp(own - base)
        total = across_team(total, sm.simd_sum, nothing, team, sums)
        if is_smoothed:
            distances = across_team(distances, sm.simd_sum, nothing, team, more)
        if lane == 0:
            expected = expected - base
            if is_smoothed:
                expected = (1.0 - smoothing) * expected + smoothing * (distances / classes)
            losses[row] = nothing if label == ignored else math.log(total) - expected
