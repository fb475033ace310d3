"""What operations and frameworks agree on, though neither knows the other."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

Params = Mapping[str, Any]  # parameters of one case of an operation


class Layout(StrEnum):
    """What the axes of an array mean, for frameworks that order them otherwise.

    Operations give every array in the order written here; an adapter converts it to its
    framework's native order outside the timed region.
    """

    PLAIN = "plain"
    CHANNELS_LAST = "channels_last"  # (batch, space..., channels)
    CONVOLUTION_WEIGHT = "convolution_weight"  # (out_channels, kernel..., in_channels)
    ATTENTION = "attention"  # (batch, heads, length, head_size)
