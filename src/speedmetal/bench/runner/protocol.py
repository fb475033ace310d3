"""What the coordinator and its workers say to each other, and the pipe that carries it.

A frame is its length (4 bytes, big-endian) and a MessagePack object. The worker that holds an
unanswered request holds the turn: the coordinator sends a request that computes to one at a time.
"""

from __future__ import annotations

import os
import selectors
import struct
import time
from typing import TypeVar

import msgspec

from speedmetal.bench.record import CaseSpec, Check, CopyPoint, Memory
from speedmetal.errors import SpeedmetalError

_LENGTH = struct.Struct(">I")
_MAXIMUM_FRAME = 64 << 20


class ArrayFile(msgspec.Struct, frozen=True):
    """An array in a raw file that all processes of a run map into memory.

    ``rms`` is the root mean square of a reference's finite elements, which all who are compared
    with it need; 0.0 where nobody computed it.
    """

    name: str
    path: str
    dtype: str
    shape: list[int]
    rms: float = 0.0


class Dataset(msgspec.Struct, frozen=True):
    """Inputs of one case from one seed, with the float64 reference where it was computed.

    For a backward case ``cotangents`` are the factors of the outputs, and ``slopes`` the
    derivatives of sum(cotangent * output) along random directions, two per differentiable input
    (see ``proof.py``).
    """

    seed: int
    inputs: list[ArrayFile]
    outputs: list[ArrayFile]  # empty: not computed
    cotangents: list[ArrayFile] = []
    slopes: list[float] = []
    has_nan: bool = False


class MakeDataset(msgspec.Struct, frozen=True, tag=True):
    """To the reference worker: make the data of a case; with ``stress``, hard inputs."""

    case: CaseSpec
    seed: int
    folder: str
    reference: bool
    stress: bool = False


class DatasetMade(msgspec.Struct, frozen=True, tag=True):
    dataset: Dataset


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Take a case: make it, call it, and prove its values.

    Nothing of it depends on how long anything takes: others may be at work beside it.

    ``stress`` has hard inputs, where the reference is cheap enough for them. ``input_sets`` says
    how many sets of inputs there is memory for, one or two (more where the cache is to be cold).
    """

    case: CaseSpec
    data: Dataset
    second: Dataset
    timing_mode: str
    cache: str
    cache_bytes: int
    l2: str = ""  # "warm" | "cold": of a card, whose cache holds cache_bytes (0: unknown)
    stress: Dataset | None = None
    input_sets: int = 2


class Settle(msgspec.Struct, frozen=True, tag=True):
    """End the proof of a prepared case with what is told by time, and warm it up.

    Whether results are finished when they are forced, and whether they are remembered: for this
    the worker has the machine for itself, as in a turn.
    """


class Prepared(msgspec.Struct, frozen=True, tag=True):
    """The answer to :class:`Prepare` and to :class:`Settle`: ``status`` is ok, wrong, unfair,
    unsupported, or what an exception meant. The first answer has only an idea of the times.
    """

    status: str
    reason: str = ""
    check: Check | None = None
    first_call_nanoseconds: int = 0
    call_nanoseconds: int = 0
    busy_threads: int = 1  # threads that had a tenth or more of the calls' CPU time
    input_sets: int = 1
    notes: list[str] = []


class Sample(msgspec.Struct, frozen=True, tag=True):
    """Take one sample now, on these processors (anywhere where there are none).

    ``verify`` asks whether the last result is still the proved one.
    """

    calls: int
    wake: bool
    verify: bool
    processors: list[int] = []


class Sampled(msgspec.Struct, frozen=True, tag=True):
    """A sample, and what the process used during it.

    ``failure`` says what is wrong with the last result; "" where it was right or not looked at.
    """

    nanoseconds: int
    begun_nanoseconds: int = 0  # what the worker's clock says at the start of the turn
    clock_nanoseconds: int = 0  # and at its end
    device_nanoseconds: int | None = None
    device_calls: int = 0
    device_waited: bool = False  # for the host, between the marks
    queued_nanoseconds: int | None = None
    queued_calls: int = 0
    cpu_nanoseconds: int = 0
    page_faults: int = 0
    context_switches: int = 0
    untimed_nanoseconds: int = 0  # on its inputs, the untimed call, and a look at its result
    idle_cpu_nanoseconds: int = 0  # CPU time since the end of the last turn
    failure: str = ""


class Finish(msgspec.Struct, frozen=True, tag=True):
    """Forget the case and give its memory back.

    ``verify`` asks for one more call first, and whether its result is still the proved one.
    """

    verify: bool = False


class Finished(msgspec.Struct, frozen=True, tag=True):
    """``failure`` says what is wrong with the last call's result, as in :class:`Sampled`."""

    memory: Memory
    failure: str = ""


class Work(msgspec.Struct, frozen=True, tag=True):
    """Call the case's function, many calls in flight, for so long: to see what it takes of energy.

    No sample comes of it.
    """

    seconds: float


class Worked(msgspec.Struct, frozen=True, tag=True):
    calls: int
    seconds: float


class MeasureCeilings(msgspec.Struct, frozen=True, tag=True):
    """Measure what this contender reaches: bandwidth by size, products by dtype, call floor.

    Without sizes and dtypes, the call floor alone.
    """

    sizes_bytes: list[int]
    dtypes: list[str]
    seconds: float


class CeilingsMeasured(msgspec.Struct, frozen=True, tag=True):
    copy: list[CopyPoint]
    read: list[CopyPoint]
    flops_per_second: dict[str, float]
    call_floor_seconds: float


class Hello(msgspec.Struct, frozen=True, tag=True):
    """From a worker, once it is ready."""

    settings: dict[str, str]
    start_seconds: float


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The request raised; the worker lives on."""

    status: str
    reason: str


Request = MakeDataset | Prepare | Settle | Sample | Finish | Work | MeasureCeilings
Reply = DatasetMade | Prepared | Sampled | Finished | Worked | CeilingsMeasured | Hello | Failed

_Message = TypeVar("_Message")

_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPLIES: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


class ChannelError(SpeedmetalError):
    """The other side is gone, silent for too long, or talks nonsense."""


class ChannelClosedError(ChannelError):
    """The other side is gone."""


class ChannelTimeoutError(ChannelError):
    """No whole answer came in time."""


def send(descriptor: int, message: Request | Reply) -> None:
    """Write one frame.

    Raises:
        ChannelClosedError: Nobody reads any more.
    """
    data = _ENCODER.encode(message)
    frame = _LENGTH.pack(len(data)) + data
    try:
        while frame:
            frame = frame[os.write(descriptor, frame) :]
    except BrokenPipeError as error:
        raise ChannelClosedError("the process is gone") from error


def receive_request(descriptor: int) -> Request:
    """Read one request, however long it takes.

    Raises:
        ChannelClosedError: The coordinator is gone.
    """
    return _decode(_REQUESTS, _receive(descriptor, None))


def receive_reply(descriptor: int, timeout_seconds: float) -> Reply:
    """Read one reply.

    Raises:
        ChannelClosedError: The worker is gone.
        ChannelTimeoutError: It did not answer in time.
        ChannelError: It answered with something that is no reply.
    """
    return _decode(_REPLIES, _receive(descriptor, time.monotonic() + timeout_seconds))


def _receive(descriptor: int, deadline: float | None) -> bytes:
    (length,) = _LENGTH.unpack(_read_exactly(descriptor, _LENGTH.size, deadline))
    if length > _MAXIMUM_FRAME:
        raise ChannelError(f"sent garbage: a frame of {length} bytes")
    return _read_exactly(descriptor, length, deadline)


def _read_exactly(descriptor: int, count: int, deadline: float | None) -> bytes:
    parts = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(parts) < count:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not selector.select(wait):
                raise ChannelTimeoutError("no answer in time")
            part = os.read(descriptor, count - len(parts))
            if not part:
                raise ChannelClosedError("the process is gone")
            parts += part
    return bytes(parts)


def _decode(decoder: msgspec.msgpack.Decoder[_Message], data: bytes) -> _Message:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChannelError(f"sent garbage: {error}") from error
