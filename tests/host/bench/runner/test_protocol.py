"""Frames in a pipe: whole, torn, foreign, oversized, late."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench.record import CopyPoint, Memory
from speedmetal.bench.runner import protocol
from speedmetal.bench.runner.protocol import (
    CeilingsMeasured,
    ChannelClosedError,
    ChannelError,
    ChannelTimeoutError,
    Failed,
    Finish,
    Finished,
    Hello,
    MakeDataset,
    MeasureCeilings,
    Prepared,
    Reply,
    Request,
    Sample,
    Sampled,
)
from strategies import checks, memories, nanoseconds, specs, string_maps, texts

Pipe = tuple[int, int]

replies: st.SearchStrategy[Reply] = st.one_of(
    st.builds(
        Sampled,
        nanoseconds,
        begun_nanoseconds=nanoseconds,
        clock_nanoseconds=nanoseconds,
        device_nanoseconds=st.none() | nanoseconds,
        cpu_nanoseconds=nanoseconds,
        idle_cpu_nanoseconds=nanoseconds,
        failure=texts(),
    ),
    st.builds(Failed, texts(), texts()),
    st.builds(Hello, string_maps, st.floats(min_value=0, max_value=1e6)),
    st.builds(Finished, memories),
    st.builds(Prepared, texts(), texts(), st.none() | checks, nanoseconds, nanoseconds),
    st.just(CeilingsMeasured([CopyPoint(working_set_bytes=1, bytes_per_second=2.0)], [], {}, 0.0)),
)
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Sample, nanoseconds, st.booleans(), st.booleans()),
    st.builds(MakeDataset, specs, nanoseconds, texts(), st.booleans(), st.booleans()),
    st.builds(MeasureCeilings, st.lists(nanoseconds), st.lists(texts()), st.just(0.5)),
    st.just(Finish()),
)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """(reading end, writing end)."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:  # the test closed it
            continue


def test_a_reply_arrives_as_it_was_sent(pipe: Pipe) -> None:
    """Proves the round trip of any reply."""

    @given(replies)
    def check(reply: Reply) -> None:
        protocol.send(pipe[1], reply)
        assert protocol.receive_reply(pipe[0], 5.0) == reply

    check()


def test_a_request_arrives_as_it_was_sent(pipe: Pipe) -> None:
    """Proves the round trip of any request."""

    @given(requests)
    def check(request: Request) -> None:
        protocol.send(pipe[1], request)
        assert protocol.receive_request(pipe[0]) == request

    check()


def test_frames_keep_their_order(pipe: Pipe) -> None:
    """Proves that several frames in the pipe are read one by one."""
    sent = [Sampled(n) for n in range(1, 6)]
    for reply in sent:
        protocol.send(pipe[1], reply)
    assert [protocol.receive_reply(pipe[0], 5.0) for _ in sent] == sent


def test_a_frame_larger_than_the_pipe_arrives(pipe: Pipe) -> None:
    """Proves that writing goes on where the pipe takes only a part at a time."""
    reply = Failed("crash", "x" * (1 << 20))
    writer = threading.Thread(target=protocol.send, args=(pipe[1], reply))
    writer.start()
    assert protocol.receive_reply(pipe[0], 10.0) == reply
    writer.join()


def test_a_frame_in_pieces_arrives(pipe: Pipe) -> None:
    """Proves that a frame that comes byte by byte is put together."""
    data = msgspec.msgpack.encode(Sampled(7))
    frame = struct.pack(">I", len(data)) + data

    def trickle() -> None:
        for i in range(len(frame)):
            os.write(pipe[1], frame[i : i + 1])

    writer = threading.Thread(target=trickle)
    writer.start()
    assert protocol.receive_reply(pipe[0], 10.0) == Sampled(7)
    writer.join()


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 10])
def test_a_torn_frame_means_that_the_process_is_gone(length: int, pipe: Pipe) -> None:
    """Proves that an end in the middle of a frame is told as the end of the process."""
    data = msgspec.msgpack.encode(Sampled(7))
    os.write(pipe[1], (struct.pack(">I", len(data)) + data)[:length])
    os.close(pipe[1])
    with pytest.raises(ChannelClosedError, match=r"^the process is gone$"):
        protocol.receive_reply(pipe[0], 5.0)


@pytest.mark.parametrize("length", [0, 3, 10])
def test_a_frame_that_does_not_come_times_out(length: int, pipe: Pipe) -> None:
    """Proves that the time limit holds for the whole frame, begun or not."""
    data = msgspec.msgpack.encode(Sampled(7))
    os.write(pipe[1], (struct.pack(">I", len(data)) + data)[:length])
    with pytest.raises(ChannelTimeoutError, match=r"^no answer in time$"):
        protocol.receive_reply(pipe[0], 0.01)


def test_an_answer_that_is_there_needs_no_time(pipe: Pipe) -> None:
    """Proves that a limit of zero still reads what has arrived."""
    protocol.send(pipe[1], Sampled(7))
    assert protocol.receive_reply(pipe[0], 0.0) == Sampled(7)


def test_an_oversized_frame_is_garbage(pipe: Pipe) -> None:
    """Proves the full text, and that nothing of the size is allocated."""
    os.write(pipe[1], b"\xff\xff\xff\xff and more")
    with pytest.raises(ChannelError) as caught:
        protocol.receive_reply(pipe[0], 5.0)
    assert str(caught.value) == "sent garbage: a frame of 4294967295 bytes"


@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_reply_or_garbage(data: bytes) -> None:
    """Proves that no bytes raise anything but what the coordinator expects."""
    reading, writing = os.pipe()
    try:
        os.write(writing, struct.pack(">I", len(data)) + data)
        with contextlib.suppress(ChannelError):
            protocol.receive_reply(reading, 5.0)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_request_is_no_reply(pipe: Pipe) -> None:
    """Proves that the two directions are not mixed up."""
    protocol.send(pipe[1], Sample(1, wake=True, verify=True))
    with pytest.raises(ChannelError, match=r"^sent garbage: Invalid value 'Sample'"):
        protocol.receive_reply(pipe[0], 5.0)


def test_nobody_reads(pipe: Pipe) -> None:
    """Proves that sending to a process that has ended is told as such."""
    os.close(pipe[0])
    with pytest.raises(ChannelClosedError, match=r"^the process is gone$"):
        protocol.send(pipe[1], Finished(Memory()))
