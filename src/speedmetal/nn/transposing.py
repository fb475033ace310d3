"""Transposed convolutions as convolutions: one for each place between two steps of the window.

An output at ``q`` of a transposed convolution with stride ``s``, dilation ``d`` and a border of
``b`` elements is the sum of ``x[(q + b - k * d) / s] * weight[k]`` over those ``k`` for which that
is a whole number. They are the same for all ``q`` of one remainder modulo ``s``: so these outputs
are a convolution of ``x`` with some of the weights, in reverse order.

Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
chapter 4.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from speedmetal.nn.correlation import WHOLE, Part, Slice
from speedmetal.nn.windows import ALONE, DIMENSIONS, Span

_Phase = tuple[Span, Slice, Slice]


def parts_of_transposed(spans: Sequence[Span]) -> tuple[Part, ...]:
    """The convolutions that make a transposed one.

    Args:
        spans: Along each axis of space; ``windows`` is the result's extent.
    """
    missing: list[list[_Phase]] = [[(ALONE, WHOLE, WHOLE)]] * (DIMENSIONS - len(spans))
    found = []
    for phases in itertools.product(*missing, *map(_phases, spans)):
        own, place, taps = zip(*phases, strict=True)
        found.append(Part(own, place, taps))
    return tuple(found)


def _phases(span: Span) -> list[_Phase]:
    """For each remainder: the window of the convolution, which outputs it gives, which weights.

    >>> _phases(Span(3, 2, 1, 0, 5))[0]
    (Span(size=2, stride=1, dilation=1, before=1, windows=3), (0, None, 2), (2, None, -2))
    """
    common = math.gcd(span.stride, span.dilation)
    step, dilation = span.stride // common, span.dilation // common
    found: list[_Phase] = []
    for remainder in range(span.stride):
        first = (remainder - span.before) % span.stride
        if first >= span.windows:
            continue
        count = -(-(span.windows - first) // span.stride)
        taps = [k for k in range(span.size) if (k * span.dilation - remainder) % span.stride == 0]
        place = (first, None, span.stride)
        if not taps:
            found.append((Span(0, 1, 1, 0, count), place, (0, 0, None)))
            continue
        start = (first + span.before - taps[0] * span.dilation) // span.stride
        before = (len(taps) - 1) * dilation - start
        end = taps[0] - 1 if taps[0] else None
        own = Span(len(taps), 1, dilation, before, count)
        found.append((own, place, (taps[-1], end, -step)))
    return found
