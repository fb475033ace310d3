"""Where time goes: GPU traces for Xcode, the GPU's own clock, names for launches.

These are for understanding a program. For comparisons between frameworks there is ``speedmetal
bench``, which proves results and gives intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from speedmetal.backends.device import Device
from speedmetal.backends.registry import default_device, present_devices
from speedmetal.backends.registry import device as find_device
from speedmetal.errors import DeviceError, UserInputError

if TYPE_CHECKING:
    from speedmetal.backends.metal.driver.device import MetalDevice
    from speedmetal.backends.stream_device import StreamDevice
    from speedmetal.backends.submission import Timing


@contextmanager
def capture(path: str | PathLike[str], *, device: str | Device | None = None) -> Iterator[None]:
    """Write a GPU trace for Xcode, of everything inside ``with sm.profile.capture(path):``.

    What was asked of the device before is finished first, what is asked inside is finished at the
    end. The process must have been started with ``MTL_CAPTURE_ENABLED=1``. Not run on a Mac yet.

    Args:
        path: Of the trace; it must not exist, and end in ``.gputrace``.
        device: A Metal device; None: the default one.

    Raises:
        UserInputError: The path cannot be used.
        DeviceError: The device is no Metal device, or Metal writes no traces here; the message
            says what to do.

    Example:
        >>> with capture("step.gputrace", device="cpu"):
        ...     pass  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        speedmetal.errors.DeviceError: GPU traces are made by Metal devices, and this is cpu; ...
    """
    from speedmetal.backends.metal.profiling.capture import capture_trace

    with capture_trace(_metal(device, "GPU traces are made"), Path(path)):
        yield


def _metal(given: str | Device | None, what: str) -> MetalDevice:
    from speedmetal.backends.metal.driver.device import MetalDevice

    found = default_device() if given is None else find_device(given)
    if not isinstance(found, MetalDevice):
        raise DeviceError(
            f"{what} by Metal devices, and this is {found.name}; name one: device='metal'"
        )
    return found


# --- Time ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which a device ran some launches.

    Args:
        kernels: The names of the launches, in order. Of a kernel that was launched by its name it
            is that; of one that computes a lazy array it is what is computed, as
            :func:`speedmetal.explain` writes it, and the kernel in brackets:
            ``"sqrt(a * a + b * b) * 0.5 [copy]"``.
        start_seconds: When the first launch began, on the device's clock.
        end_seconds: When the last launch ended, on the device's clock.
    """

    kernels: tuple[str, ...]
    start_seconds: float
    end_seconds: float


@dataclass(slots=True)
class DeviceTime:
    """What :func:`gpu_time` measured; complete when its block has ended.

    Args:
        spans: In the order in which they were finished: one for each command buffer on a GPU, one
            for each launch on the CPU.
    """

    spans: list[Span] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long the device worked: spans that overlap count once.

        Example:
            >>> DeviceTime([Span((), 0.0, 2.0), Span((), 1.0, 3.0), Span((), 5.0, 6.0)]).seconds
            4.0
        """
        total, reached = 0.0, float("-inf")
        for span in sorted(self.spans, key=lambda span: span.start_seconds):
            total += max(0.0, span.end_seconds - max(span.start_seconds, reached))
            reached = max(reached, span.end_seconds)
        return total


@contextmanager
def gpu_time(device: str | Device | None = None) -> Iterator[DeviceTime]:
    """Measure how long a device works on what it is asked for inside the block.

    On a GPU that is the time of its command buffers, on NVIDIA's of what was submitted together, by
    its own clock: neither Python's work nor the way to the GPU counts, but gaps between launches
    that were submitted together do. On the CPU it
    is the wall time of the launches. What was asked for before is finished first, what is asked for
    inside is finished at the end.

    Args:
        device: What is measured; None: the default device.

    Raises:
        KernelError: A kernel failed, before or inside the block.

    Evaluation model::

        synchronize; run the block; synchronize
        seconds = length of the union of [GPUStartTime, GPUEndTime] of all command buffers

    To name what lazy arrays are computed by (see :class:`Span`) takes Python some tens of
    microseconds for each evaluation inside the block, between launches.

    Example:
        >>> import speedmetal as sm
        >>> a = sm.zeros(1000)
        >>> @sm.kernel
        ... def increment(a):
        ...     a[sm.thread_position_in_grid().x] += 1
        >>> with gpu_time() as measured:
        ...     increment(a, grid=a.size)
        >>> measured.seconds > 0
        True
        >>> with gpu_time() as measured:
        ...     sm.eval(sm.sqrt(a) * 0.5)
        ...     sm.eval((a * a).sum())
        >>> for span in measured.spans:
        ...     print(span.kernels)
        ('sqrt(a) * 0.5 [copy]',)
        ('sum(a * a) [reduce_rows]',)
    """
    from speedmetal.backends.launch_names import naming
    from speedmetal.backends.stream_device import StreamDevice

    measured = default_device() if device is None else find_device(device)
    result = DeviceTime()
    measured.synchronize()
    with ExitStack() as stack:
        stack.enter_context(naming())
        if isinstance(measured, StreamDevice):
            stack.enter_context(_record_on_streams(measured, result))
        else:
            stack.enter_context(_record_on_cpu(result))
        yield result
        measured.synchronize()


@contextmanager
def _record_on_streams(device: StreamDevice, result: DeviceTime) -> Iterator[None]:
    """Take down every batch, and tell whoever did so before as well."""
    from speedmetal.backends.launch_names import Names

    before = [(stream, stream.recorder, stream.label_list) for stream in device.streams]

    def recorder_beside(other: Callable[[Timing], None] | None) -> Callable[[Timing], None]:
        def record(timing: Timing) -> None:
            start, end = timing.start_seconds, timing.end_seconds
            result.spans.append(Span(timing.labels, start, end))
            if other is not None:
                other(timing)

        return record

    for stream, other, _ in before:
        stream.recorder = recorder_beside(other)
        stream.keep_labels_in(Names)
    try:
        yield
    finally:
        for stream, other, label_list in before:
            stream.recorder = other
            stream.keep_labels_in(label_list)


@contextmanager
def _record_on_cpu(result: DeviceTime) -> Iterator[None]:
    from speedmetal.backends.cpu.driver import recorders

    def record(name: str, started: float, ended: float) -> None:
        result.spans.append(Span((name,), started, ended))

    recorders.append(record)
    try:
        yield
    finally:
        recorders.remove(record)


# --- Names ---------------------------------------------------------------------------------------


@contextmanager
def label(name: str) -> Iterator[None]:
    """Name a stretch of a program: ``with sm.profile.label("forward"):``.

    Launches inside carry the name before their kernel's (``forward/vadd``), in the messages of
    errors that come later, and in what :func:`gpu_time` takes down. On Metal devices they are also
    debug groups of that name, which GPU traces and the Metal instruments of Xcode show; this costs
    two messages for each launch. On the CPU, where a failing launch raises at its call, the name
    changes nothing.

    Args:
        name: For people; not empty.

    Raises:
        UserInputError: It is empty, or no text.

    Example:
        >>> with label("forward"):
        ...     pass
    """
    from speedmetal.backends.metal.driver.device import MetalDevice
    from speedmetal.backends.metal.driver.labels import label_launches
    from speedmetal.backends.metal.profiling.debug_groups import annotate_launches

    if not (isinstance(name, str) and name):
        raise UserInputError(f"expected a name as a text that is not empty, got {name!r}")
    queues = [
        q for found in present_devices() if isinstance(found, MetalDevice) for q in found.queues
    ]
    with label_launches(name), annotate_launches(queues):
        yield


__all__ = ["DeviceTime", "Span", "capture", "gpu_time", "label"]
