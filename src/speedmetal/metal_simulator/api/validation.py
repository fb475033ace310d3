"""What happens where Metal's validation would end the process."""

from __future__ import annotations

from speedmetal.errors import SpeedmetalError


class MetalValidationError(SpeedmetalError):
    """A message that Metal forbids; on a Mac the process would end, or go wrong silently."""


def require(condition: object, message: str) -> None:
    """Stop where Metal's validation would.

    Raises:
        MetalValidationError: ``condition`` does not hold.
    """
    if not condition:
        raise MetalValidationError(message)
