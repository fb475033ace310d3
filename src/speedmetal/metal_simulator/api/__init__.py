"""A simulated Metal: objects and selectors as PyObjC has them, on any machine.

A program that drives Metal through PyObjC's modules ``Metal``, ``objc`` and ``Foundation`` can be
handed these instead. Every message is checked against a table of facts of Apple's SDK
(:mod:`~speedmetal.metal_simulator.api.sdk`), and answered as Metal's documentation says; kernels
run in the simulator. What works here has not been run on Apple hardware.
"""

from __future__ import annotations

from speedmetal.metal_simulator.api.configuration import CommandBufferFault, Configuration
from speedmetal.metal_simulator.api.modules import Modules
from speedmetal.metal_simulator.api.validation import MetalValidationError


def modules(configuration: Configuration | None = None) -> Modules:
    """The modules of one simulated Mac; each call makes another Mac.

    Args:
        configuration: What the Mac is, and which faults it has.

    Example:
        >>> mac = modules(Configuration(name="Paravirtual"))
        >>> device = mac.Metal.MTLCreateSystemDefaultDevice()
        >>> device.name()
        'Paravirtual'
        >>> device.maxThreadsPerThreadgroup().width
        1024
    """
    return Modules(Configuration() if configuration is None else configuration)


__all__ = ["CommandBufferFault", "Configuration", "MetalValidationError", "Modules", "modules"]
