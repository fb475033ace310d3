"""Records that operations and frameworks share, though neither imports the other."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

Params = Mapping[str, Any]  # parameters of one case of an operation


class Layout(StrEnum):
    """What the axes of an array mean, for frameworks that order them otherwise.

    Operations give every array in the order written here; an adapter converts it to its
    framework's native order outside the timed region.
    """

    PLAIN = "plain"
    CHANNELS_LAST = "channels_last"  # (batch, space..., channels)
    # (out_channels, kernel..., in_channels of a group); depthwise: (channels, kernel..., 1)
    CONVOLUTION_WEIGHT = "convolution_weight"
    # The same order, out_channels being those of the (larger) result; frameworks differ on it.
    TRANSPOSED_CONVOLUTION_WEIGHT = "transposed_convolution_weight"
    ATTENTION = "attention"  # (batch, heads, length, head_size)


class AdamStep(NamedTuple):
    """Numbers of a step of Adam (D. Kingma and J. Ba, 2014, algorithm 1), at their usual values.

    The moments of a step t are divided by ``1 - beta**t``.
    """

    learning_rate: float = 1e-3
    first_beta: float = 0.9
    second_beta: float = 0.999
    epsilon: float = 1e-8
    step: int = 10

    @property
    def first_correction(self) -> float:
        """By what the first moment is divided."""
        return 1 - self.first_beta**self.step

    @property
    def second_correction(self) -> float:
        """By what the second moment is divided."""
        return 1 - self.second_beta**self.step


# What the suite ``fused`` has as constants, on every framework.
ADAM = AdamStep()
KEPT_SHARE = 0.9  # of the elements that dropout leaves; they are divided by it
LABEL_SMOOTHING = 0.1


class ChainStep(NamedTuple):
    """One step of an elementwise chain: a function, and its second argument where it takes one."""

    function: str
    constant: float | None = None


# What ``chain5`` and ``chain20`` apply in turn: arithmetic and transcendental functions, arranged
# so that no step takes the root, logarithm or reciprocal of a number near zero: the errors of
# twenty roundings in a row stay below ten (measured in float32, float16 and bfloat16).
CHAIN_STEPS = (
    ChainStep("multiply", 0.9),
    ChainStep("add", 0.2),
    ChainStep("tanh"),
    ChainStep("multiply", 1.5),
    ChainStep("sin"),  # the end of chain5: within [-1, 1]
    ChainStep("square"),
    ChainStep("add", 0.5),
    ChainStep("sqrt"),
    ChainStep("exp"),
    ChainStep("multiply", 0.4),
    ChainStep("log"),
    ChainStep("multiply", 3.0),
    ChainStep("sin"),
    ChainStep("add", 1.5),
    ChainStep("reciprocal"),
    ChainStep("multiply", 2.0),
    ChainStep("negative"),
    ChainStep("exp"),
    ChainStep("add", -0.5),
    ChainStep("tanh"),
)
