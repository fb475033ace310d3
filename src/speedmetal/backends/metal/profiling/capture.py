"""GPU traces: everything that a device does in a stretch of a program, for Xcode.

Metal writes a trace only where the process was started with permission for it: the environment
variable ``MTL_CAPTURE_ENABLED=1`` (before macOS 14 ``METAL_CAPTURE_ENABLED=1``), or the key
``MetalCaptureEnabled`` of an application's property list. Setting it later does nothing, because
Metal reads it once, when the first device is made.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speedmetal.backends.metal.driver.device import MetalDevice
from speedmetal.backends.metal.driver.errors import describe_error
from speedmetal.backends.metal.profiling.debug_groups import annotate_launches
from speedmetal.errors import DeviceError, UserInputError

SUFFIX = ".gputrace"
"""Of the folders that Metal writes and Xcode opens."""

LONGEST_STOP_SECONDS = 60.0
"""How long a trace may take to be written."""

# Codes of MTLCaptureErrorDomain (Apple's SDK 26.5).
_NOT_SUPPORTED = 1
_ALREADY_CAPTURING = 2

_PERMISSION = (
    "start the program with the environment variables MTL_CAPTURE_ENABLED=1 and"
    " METAL_CAPTURE_ENABLED=1, which Metal reads once at its start: setting them in Python is too"
    " late"
)


@contextmanager
def capture_trace(device: MetalDevice, path: Path) -> Iterator[None]:
    """Write a trace of everything that a device is asked for inside.

    What was asked before is finished first, what is asked inside is finished before the trace ends.

    Args:
        device: What is watched, with all its queues.
        path: The file of the trace; it must not exist, and end in ``.gputrace``.

    Raises:
        UserInputError: The path cannot be used.
        DeviceError: Metal writes no traces here; the message says what to do.
    """
    _check_path(path)
    device.synchronize()
    manager = _start_capture(device, path)
    try:
        with annotate_launches(device.queues):
            yield
    finally:
        try:
            device.synchronize()
        finally:
            _stop(device, manager, path)


def _check_path(path: Path) -> None:
    if path.suffix != SUFFIX:
        raise UserInputError(
            f"expected a path that ends in {SUFFIX}, as Xcode wants it, got {str(path)!r}; write"
            f" {str(path.with_suffix(SUFFIX))!r}"
        )
    if path.exists():
        raise UserInputError(
            f"{str(path)!r} exists, and Metal does not replace traces; choose another name, or"
            " remove it"
        )
    if not path.parent.is_dir():
        raise UserInputError(
            f"the folder {str(path.parent)!r} of the trace does not exist; make it"
        )


def _start_capture(device: MetalDevice, path: Path) -> Any:
    """The capture manager, which is capturing."""
    bridge = device.bridge
    metal = bridge.Metal
    with bridge.objc.autorelease_pool():
        manager = metal.MTLCaptureManager.sharedCaptureManager()
        destination = metal.MTLCaptureDestinationGPUTraceDocument
        if not manager.supportsDestination_(destination):
            raise DeviceError(f"Metal writes no GPU traces in this process; {_PERMISSION}")
        descriptor = metal.MTLCaptureDescriptor.alloc().init()
        descriptor.setCaptureObject_(device.native)
        descriptor.setDestination_(destination)
        descriptor.setOutputURL_(bridge.Foundation.NSURL.fileURLWithPath_(str(path.absolute())))
        is_started, error = manager.startCaptureWithDescriptor_error_(descriptor, None)
        if not is_started:
            raise _refusal(error)
    return manager


def _refusal(error: Any) -> DeviceError:
    code = 0 if error is None else int(error.code())
    advice = {
        _NOT_SUPPORTED: _PERMISSION,
        _ALREADY_CAPTURING: "another capture is running in this process: end it first",
    }.get(code, "look at the path, and whether there is room on the disk")
    return DeviceError(f"Metal does not start a GPU trace: {describe_error(error)}; {advice}")


def _stop(device: MetalDevice, manager: Any, path: Path) -> None:
    with device.bridge.objc.autorelease_pool():
        manager.stopCapture()
        # The trace is written after the call returns.
        deadline = time.monotonic() + LONGEST_STOP_SECONDS
        while manager.isCapturing():
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"Metal has not finished the trace {str(path)!r} after"
                    f" {LONGEST_STOP_SECONDS:.0f} s; capture fewer launches"
                )
            time.sleep(0.001)
