"""Every test here runs on every device of the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import speedmetal as sm

DEVICES = tuple(device.name for device in sm.devices())


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Any:
    """A device of this machine."""
    return sm.device(request.param)


@pytest.fixture
def launch(device: Any) -> Callable[..., None]:
    """Launches a kernel on the device; NumPy arrays among the arguments are read and written.

    The CPU works on them in place. Elsewhere their content goes to the device and comes back.
    """

    def run(kernel: sm.Kernel, *arguments: Any, **options: Any) -> None:
        if device.kind == "cpu":
            kernel(*arguments, device=device, **options)
            return
        given = [sm.array(a, device=device) if _is_array(a) else a for a in arguments]
        kernel(*given, device=device, **options)
        sm.synchronize()
        for original, moved in zip(arguments, given, strict=True):
            if _is_array(original) and original.flags.writeable:
                original[...] = moved.numpy()

    return run


def _is_array(argument: Any) -> bool:
    return isinstance(argument, np.ndarray)
