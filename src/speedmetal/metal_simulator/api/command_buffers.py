"""Queues and command buffers: what is committed runs on a thread of the queue, in order."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import ref

from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.buffers import Buffer
from speedmetal.metal_simulator.api.commands import Command, ResourceLostError, Signal, Wait
from speedmetal.metal_simulator.api.compute_passes import ComputePassDescriptor
from speedmetal.metal_simulator.api.encoders import (
    BlitCommandEncoder,
    CommandEncoder,
    ComputeCommandEncoder,
)
from speedmetal.metal_simulator.api.events import Event
from speedmetal.metal_simulator.api.foundation import LOCALIZED_DESCRIPTION, Error, failure
from speedmetal.metal_simulator.api.instruments import ResidencySet
from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.validation import MetalValidationError, require
from speedmetal.metal_simulator.api.worker import Worker
from speedmetal.metal_simulator.settings import Settings, current_settings

NOT_ENQUEUED, ENQUEUED, COMMITTED, SCHEDULED, COMPLETED, FAILED = (
    sdk.ENUMERATIONS[f"MTLCommandBufferStatus{name}"]
    for name in ("NotEnqueued", "Enqueued", "Committed", "Scheduled", "Completed", "Error")
)
DEFAULT_LIMIT = 64
_ERROR_DOMAIN = "MTLCommandBufferErrorDomain"
_CODES_OF_FAULTS = {
    "out of bounds": "MTLCommandBufferErrorPageFault",
    "timeout": "MTLCommandBufferErrorTimeout",
}
# Where `userInfo` has the kind of a fault that the simulator found in a kernel.
SIMULATED_FAULT = "SimulatedFault"
_DISPATCH_TYPES = (0, 1)
_SERIAL = sdk.ENUMERATIONS["MTLDispatchTypeSerial"]

Handler = Callable[..., Any]


class CommandQueueDescriptor(Native):
    """``MTLCommandQueueDescriptor``."""

    OWNER = "MTLCommandQueueDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "maxCommandBufferCount": DEFAULT_LIMIT,
        "logState": None,
    }

    __slots__ = ()


class CommandQueue(Labelled):
    """``MTLCommandQueue``."""

    OWNER = "MTLCommandQueue"

    __slots__ = ("_limit", "_lock", "_open", "_slot", "_uncommitted", "residency", "worker")

    def __init__(self, system: System, device: Native, limit: int) -> None:
        super().__init__(system, device)
        require(limit > 0, "a command queue holds at least one command buffer")
        self._limit = limit
        self._open = 0
        self._uncommitted = 0
        # An object may be released, and its finaliser run, while this thread holds the lock.
        self._lock = threading.RLock()
        self._slot = threading.Condition(self._lock)  # a slot is free
        self.worker = Worker("simulated Metal queue")
        self.residency: list[ResidencySet] = []

    def commandBuffer(self) -> CommandBuffer:
        return self._make(retained=True)

    def commandBufferWithUnretainedReferences(self) -> CommandBuffer:
        return self._make(retained=False)

    def commandBufferWithDescriptor_(
        self, descriptor: CommandBufferDescriptor | None
    ) -> CommandBuffer:
        if descriptor is None:
            raise MetalValidationError("commandBufferWithDescriptor: the descriptor is nil")
        made = self._make(retained=descriptor.properties["retainedReferences"])
        made.error_options = descriptor.properties["errorOptions"]
        return made

    def _make(self, *, retained: bool) -> CommandBuffer:
        with self._lock:
            if self._open >= self._limit:
                require(
                    self._uncommitted < self._limit,
                    f"{self._limit} command buffers of the queue are not committed; one more would "
                    "wait for ever",
                )
                self._slot.wait_for(lambda: self._open < self._limit)
            self._open += 1
            self._uncommitted += 1
        made = CommandBuffer(self, retained=retained)
        self.system.autorelease(made)
        return made

    def note_commit(self) -> None:
        """One of the queue's command buffers was committed."""
        with self._lock:
            self._uncommitted -= 1

    def note_finish(self, *, committed: bool) -> None:
        """One of the queue's command buffers is done, or was released without a commit."""
        with self._lock:
            self._open -= 1
            if not committed:
                self._uncommitted -= 1
            self._slot.notify()

    def addResidencySet_(self, residency: ResidencySet | None) -> None:
        if residency is None:
            raise MetalValidationError("addResidencySet: the set is nil")
        if residency not in self.residency:
            self.residency.append(residency)

    def removeResidencySet_(self, residency: ResidencySet | None) -> None:
        if residency not in self.residency:
            raise MetalValidationError("removeResidencySet: the queue has no such set")
        self.residency.remove(residency)


class CommandBufferDescriptor(Native):
    """``MTLCommandBufferDescriptor``."""

    OWNER = "MTLCommandBufferDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "retainedReferences": True,
        "errorOptions": 0,
        "logState": None,
    }

    __slots__ = ()


class EncoderInfo(Native):
    """``MTLCommandBufferEncoderInfo``: how far an encoder came."""

    OWNER = "MTLCommandBufferEncoderInfo"

    __slots__ = ("_label", "_signposts", "_state")

    def __init__(self, system: System, label: str | None, signposts: list[str], state: str) -> None:
        super().__init__(system)
        self._label = label
        self._signposts = signposts
        self._state = sdk.ENUMERATIONS[f"MTLCommandEncoderErrorState{state}"]

    def label(self) -> str | None:
        return self._label

    def debugSignposts(self) -> list[str]:
        return self._signposts

    def errorState(self) -> int:
        return self._state


class CommandBuffer(Labelled):
    """``MTLCommandBuffer``."""

    OWNER = "MTLCommandBuffer"

    __slots__ = (
        "_completed_handlers",
        "_done",
        "_encoder",
        "_encoders",
        "_error",
        "_fault",
        "_gpu_times",
        "_groups",
        "_queue",
        "_retained",
        "_scheduled",
        "_scheduled_handlers",
        "_settings",
        "_status",
        "_watched",
        "commands",
        "error_options",
    )

    def __init__(self, queue: CommandQueue, *, retained: bool) -> None:
        super().__init__(queue.system, queue.device())
        self._queue = queue
        self._retained = retained
        self._status = NOT_ENQUEUED
        self._encoder: ref[CommandEncoder] | None = None
        # Label, signposts and first command of each encoder, for what an error says of them.
        self._encoders: list[tuple[str | None, list[str], int]] = []
        self._error: Error | None = None
        self._fault: Any = None
        self._gpu_times = (0.0, 0.0)
        self._groups = 0
        # Buffers that it uses without keeping them.
        self._watched: list[ref[Buffer]] = []
        self._scheduled_handlers: list[Handler] = []
        self._completed_handlers: list[Handler] = []
        self._settings: Settings | None = None
        # Locks that are held until the state is reached: cheaper than events.
        self._scheduled = threading.Lock()
        self._scheduled.acquire()
        self._done = threading.Lock()
        self._done.acquire()
        self.commands: list[Command] = []
        self.error_options = 0

    def __del__(self) -> None:
        if self._status < COMMITTED:
            self._queue.note_finish(committed=False)

    # What it is.

    def commandQueue(self) -> CommandQueue:
        return self._queue

    def retainedReferences(self) -> bool:
        return self._retained

    def errorOptions(self) -> int:
        return self.error_options

    def status(self) -> int:
        return self._status

    def error(self) -> Error | None:
        return self._error

    def GPUStartTime(self) -> float:
        return self._gpu_times[0]

    def GPUEndTime(self) -> float:
        return self._gpu_times[1]

    def kernelStartTime(self) -> float:
        return self._gpu_times[0]

    def kernelEndTime(self) -> float:
        return self._gpu_times[1]

    # Encoding.

    def hold(self, buffer: Buffer) -> Buffer | ref[Buffer]:
        """How a command refers to a buffer: it keeps it, unless references are not retained."""
        if self._retained:
            return buffer
        reference = ref(buffer)
        self._watched.append(reference)
        return reference

    def _recording(self, what: str) -> None:
        if self._status >= COMMITTED:
            raise MetalValidationError(f"{what}: the command buffer is committed")
        if self._encoder is not None:
            raise MetalValidationError(f"{what}: an encoder of the command buffer is still open")

    def _open_encoder(self, encoder: Any) -> Any:
        self._encoder = ref(encoder)
        self._encoders.append((None, encoder.signposts, len(self.commands)))
        self.system.autorelease(encoder)
        return encoder

    def note_encoder_end(self, encoder: CommandEncoder) -> None:
        """An encoder ended: another may begin."""
        self._encoder = None
        _, signposts, first = self._encoders[-1]
        self._encoders[-1] = (encoder.properties["label"], signposts, first)

    def computeCommandEncoder(self) -> ComputeCommandEncoder:
        return self.computeCommandEncoderWithDispatchType_(_SERIAL)

    def computeCommandEncoderWithDispatchType_(self, dispatch_type: int) -> ComputeCommandEncoder:
        self._recording("computeCommandEncoder")
        if dispatch_type not in _DISPATCH_TYPES:
            raise MetalValidationError(f"{dispatch_type} is no MTLDispatchType")
        made: ComputeCommandEncoder = self._open_encoder(
            ComputeCommandEncoder(self, dispatch_type, ((), ()))
        )
        return made

    def computeCommandEncoderWithDescriptor_(
        self, descriptor: ComputePassDescriptor | None
    ) -> ComputeCommandEncoder:
        self._recording("computeCommandEncoderWithDescriptor")
        if descriptor is None:
            raise MetalValidationError("computeCommandEncoderWithDescriptor: it is nil")
        dispatch_type: int = descriptor.properties["dispatchType"]
        made: ComputeCommandEncoder = self._open_encoder(
            ComputeCommandEncoder(self, dispatch_type, descriptor.samples())
        )
        return made

    def blitCommandEncoder(self) -> BlitCommandEncoder:
        self._recording("blitCommandEncoder")
        made: BlitCommandEncoder = self._open_encoder(BlitCommandEncoder(self))
        return made

    def encodeSignalEvent_value_(self, event: Event | None, value: int) -> None:
        self._recording("encodeSignalEvent")
        if event is None:
            raise MetalValidationError("encodeSignalEvent: the event is nil")
        self.commands.append(Signal(event, value))

    def encodeWaitForEvent_value_(self, event: Event | None, value: int) -> None:
        self._recording("encodeWaitForEvent")
        if event is None:
            raise MetalValidationError("encodeWaitForEvent: the event is nil")
        self.commands.append(Wait(event, value))

    def pushDebugGroup_(self, text: str | None) -> None:
        require(text is not None, "pushDebugGroup: the text is nil")
        self._groups += 1

    def popDebugGroup(self) -> None:
        require(self._groups, "popDebugGroup: no debug group is open")
        self._groups -= 1

    def useResidencySet_(self, residency: ResidencySet | None) -> None:
        self._recording("useResidencySet")
        require(residency is not None, "useResidencySet: the set is nil")

    def addScheduledHandler_(self, handler: Handler | None) -> None:
        self._add_handler(self._scheduled_handlers, handler, "addScheduledHandler")

    def addCompletedHandler_(self, handler: Handler | None) -> None:
        self._add_handler(self._completed_handlers, handler, "addCompletedHandler")

    def _add_handler(self, handlers: list[Handler], handler: Handler | None, what: str) -> None:
        require(self._status < COMMITTED, f"{what}: the command buffer is committed")
        if handler is None:
            raise MetalValidationError(f"{what}: the block is nil")
        handlers.append(handler)

    # Execution.

    def enqueue(self) -> None:
        require(self._status == NOT_ENQUEUED, "enqueue: the command buffer is enqueued already")
        self._status = ENQUEUED

    def commit(self) -> None:
        self._recording("commit")
        require(self._groups == 0, f"commit: {self._groups} debug groups are still open")
        self._status = COMMITTED
        self._settings = current_settings()
        system = self.system
        with system.lock:
            self._fault = system.configuration.command_buffer_faults.get(system.commits)
            system.commits += 1
            if system.capture is not None:
                system.capture.append([type(command).__name__ for command in self.commands])
        if system.borrowed:
            for buffer in tuple(system.borrowers):
                buffer.check_owner()
        if not self._retained:
            self._watch(1)
        self._queue.note_commit()
        self._queue.worker.submit(self)

    def waitUntilScheduled(self) -> None:
        require(self._status >= COMMITTED, "waitUntilScheduled: it is not committed")
        with self._scheduled:
            pass

    def waitUntilCompleted(self) -> None:
        require(self._status >= COMMITTED, "waitUntilCompleted: it is not committed")
        with self._done:
            pass

    def run(self) -> None:
        """Execute the commands, on the queue's thread."""
        self._status = SCHEDULED
        self._call(self._scheduled_handlers)
        self._scheduled.release()
        start = time.monotonic()
        position = -1
        try:
            self._stop_for_faults()
            assert self._settings is not None
            for position, command in enumerate(self.commands):  # noqa: B007 - read when one fails
                command.run(self._settings)
        except Exception as error:  # noqa: BLE001 - whatever happens on a GPU becomes its error
            self._error = self._error_of(error, position)
        self._gpu_times = (start, time.monotonic())
        self._status = COMPLETED if self._error is None else FAILED
        self.commands = []
        self._watch(-1)
        self._queue.note_finish(committed=True)
        self._call(self._completed_handlers)
        self._done.release()

    def _watch(self, change: int) -> None:
        """Tell buffers that are not kept that they are in flight, or no longer."""
        for reference in self._watched:
            buffer = reference()
            if buffer is not None:
                buffer.in_flight += change

    def _stop_for_faults(self) -> None:
        system = self.system
        if system.configuration.hang:
            with system.changed:
                system.changed.wait_for(lambda: not system.configuration.hang)
        if system.configuration.device_lost or self._fault is not None:
            raise _InjectedError

    def _call(self, handlers: list[Handler]) -> None:
        for handler in handlers:
            try:
                handler(self)
            except Exception as error:  # noqa: BLE001 - a Mac's process would end here
                self.system.report(f"a command buffer's handler raised {error!r}")
        handlers.clear()

    def _error_of(self, error: Exception, position: int) -> Error:
        system = self.system
        information = self._encoder_information(position)
        if isinstance(error, _InjectedError):
            if self._fault is not None:
                more = {LOCALIZED_DESCRIPTION: self._fault.description, **information}
                return Error(system, self._fault.domain, self._fault.code, more)
            text, code = "the device was removed", "MTLCommandBufferErrorDeviceRemoved"
        elif isinstance(error, SimulationError):
            text = str(error)
            code = _CODES_OF_FAULTS.get(error.kind, "MTLCommandBufferErrorInternal")
            information[SIMULATED_FAULT] = error.kind
        elif isinstance(error, ResourceLostError):
            text, code = str(error), "MTLCommandBufferErrorInvalidResource"
            system.report(text)
        else:
            text = f"{type(error).__name__}: {error}"
            code = "MTLCommandBufferErrorInternal"
        return failure(system, _ERROR_DOMAIN, code, text, **information)

    def _encoder_information(self, position: int) -> dict[str, Any]:
        wanted = sdk.ENUMERATIONS["MTLCommandBufferErrorOptionEncoderExecutionStatus"]
        if not self.error_options & wanted:
            return {}
        firsts = [first for _, _, first in self._encoders]
        faulted = max((i for i, first in enumerate(firsts) if first <= position), default=-1)
        states = ("Completed", "Faulted", "Pending")
        infos = [
            EncoderInfo(
                self.system, label, signposts, states[(index >= faulted) + (index > faulted)]
            )
            for index, (label, signposts, _) in enumerate(self._encoders)
        ]
        return {"MTLCommandBufferEncoderInfoErrorKey": infos}


class _InjectedError(Exception):
    """The configuration says that this command buffer fails."""


NATIVES: tuple[type[Native], ...] = (
    CommandQueueDescriptor,
    CommandQueue,
    CommandBufferDescriptor,
    EncoderInfo,
    CommandBuffer,
)
