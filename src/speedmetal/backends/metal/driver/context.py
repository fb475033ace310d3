"""A GPU, as those see it who compile for it and launch on it: no memory, no queues."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from speedmetal.backends.device import DeviceLimits
from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.capabilities import DeviceCapabilities, capabilities_of
from speedmetal.errors import DeviceError

LONGEST_GRID = 2**32 - 1
"""Threads along one axis (Metal Feature Set Tables)."""


class MetalContext:
    """One ``MTLDevice``, and what is known of it.

    Args:
        bridge: The way to Metal.
        name: ``"metal"`` or ``"metal-sim"``.

    Attributes:
        bridge: The way to Metal.
        name: The device's, for messages.
        native: The ``MTLDevice``.
        limits: What one launch may ask for.

    Raises:
        DeviceError: Metal has no GPU here.
    """

    def __init__(self, bridge: Bridge, name: str) -> None:
        self.bridge = bridge
        self.name = name
        with bridge.objc.autorelease_pool():
            self.native = _native_device(bridge)
            self.limits = DeviceLimits(
                int(self.native.maxThreadsPerThreadgroup().width),
                int(self.native.maxThreadgroupMemoryLength()),
                LONGEST_GRID,
            )

    @cached_property
    def description(self) -> str:
        """The maker's name of the GPU."""
        with self.bridge.objc.autorelease_pool():
            return str(self.native.name())

    @cached_property
    def identity(self) -> str:
        """What compiled code depends on besides its source: the GPU, and the build of macOS."""
        # Not its number in the registry, which changes with each start of the machine.
        with self.bridge.objc.autorelease_pool():
            facts = {
                "device": self.description,
                "architecture": str(self.native.architecture().name()),
                "system": self.bridge.system_build,
                "is_simulated": self.bridge.is_simulated,
            }
        return json.dumps(facts, sort_keys=True)

    def capabilities(self) -> DeviceCapabilities:
        """What decides on features, with what the environment says now.

        Raises:
            UserInputError: The environment says something unknown.
        """
        return capabilities_of(self.description, self.native, self.bridge.system_version)


def _native_device(bridge: Bridge) -> Any:
    native = bridge.Metal.MTLCreateSystemDefaultDevice()
    if native is None:
        native = next(iter(bridge.Metal.MTLCopyAllDevices() or ()), None)
    if native is None:
        raise DeviceError(
            "Metal has no GPU here: this process may run in a virtual machine without one, or in a"
            " session that may not use it (over ssh, as a service, or sandboxed); run it in the"
            " session of a user who is logged in at the screen"
        )
    return native
