"""Command buffers, encoders and events of the simulated API."""

import gc
import threading
from itertools import pairwise

import numpy as np
import pytest

from simulated_metal import Mac, finish
from speedmetal.metal_simulator.api import CommandBufferFault, MetalValidationError
from speedmetal.metal_simulator.settings import simulator_settings


class Machine(Mac):
    """A Mac with pipelines of the test's kernels, made once."""

    def __init__(self, **configuration):
        super().__init__(**configuration)
        self.queue = self.device.newCommandQueue()
        self._library = None
        self._states = {}

    def state(self, name):
        if self._library is None:
            self._library = self.library()
        if name not in self._states:
            self._states[name] = self.pipeline(self._library.newFunctionWithName_(name))
        return self._states[name]

    def encoder(self, name=None, command_buffer=None):
        made = command_buffer or self.queue.commandBuffer()
        encoder = made.computeCommandEncoder()
        if name is not None:
            encoder.setComputePipelineState_(self.state(name))
        return made, encoder


ONE = (1, 1, 1)


@pytest.fixture(scope="module")
def shared_mac():
    return Machine()


@pytest.fixture
def mac(shared_mac):
    with shared_mac.objc.autorelease_pool():
        yield shared_mac
    assert shared_mac.modules.reports == ()


def threads(count):
    return (count, 1, 1)


# Dispatching.


def test_a_kernel_runs_over_the_grid(mac):
    a, b = mac.buffer(np.arange(100, dtype=np.float32)), mac.buffer(np.full(100, 2, np.float32))
    c = mac.buffer(np.zeros(100, np.float32))
    made, encoder = mac.encoder("add")
    encoder.setBuffers_offsets_withRange_([a.native, b.native, c.native], [0, 0, 0], (0, 3))
    encoder.setBytes_length_atIndex_(np.uint32(90).tobytes(), 4, 3)
    encoder.dispatchThreads_threadsPerThreadgroup_(threads(100), threads(32))
    encoder.endEncoding()
    assert made.status() == mac.Metal.MTLCommandBufferStatusNotEnqueued
    assert finish(made) is None
    assert made.status() == mac.Metal.MTLCommandBufferStatusCompleted
    assert 0 < made.GPUStartTime() <= made.GPUEndTime()
    expected = np.arange(100, dtype=np.float32) + 2
    expected[90:] = 0
    assert (c.array == expected).all()


def test_threads_and_threadgroups(mac):
    x = mac.buffer(np.zeros(4, np.int32))
    for send, expected in (
        (lambda e: e.dispatchThreads_threadsPerThreadgroup_(threads(100), threads(32)), 100),
        (lambda e: e.dispatchThreadgroups_threadsPerThreadgroup_(threads(3), threads(32)), 96),
        (
            lambda e: e.dispatchThreadgroups_threadsPerThreadgroup_(
                mac.Metal.MTLSizeMake(2, 1, 1), mac.Metal.MTLSizeMake(8, 1, 1)
            ),
            16,
        ),
    ):
        made, encoder = mac.encoder("sized")
        encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
        send(encoder)
        encoder.endEncoding()
        assert finish(made) is None
        assert x.array[0] == expected


def test_an_indirect_dispatch_reads_its_groups_when_it_runs(mac):
    x, groups = mac.buffer(np.zeros(4, np.int32)), mac.buffer(np.zeros(4, np.uint32))
    made, encoder = mac.encoder("sized")
    encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
    encoder.dispatchThreadgroupsWithIndirectBuffer_indirectBufferOffset_threadsPerThreadgroup_(
        groups.native, 4, threads(8)
    )
    with pytest.raises(MetalValidationError, match="the buffer has no 12 bytes"):
        encoder.dispatchThreadgroupsWithIndirectBuffer_indirectBufferOffset_threadsPerThreadgroup_(
            groups.native, 8, threads(8)
        )
    encoder.endEncoding()
    groups.array[:] = [99, 5, 1, 1]
    assert finish(made) is None
    assert x.array[0] == 40


def test_threadgroup_memory(mac):
    x = mac.buffer(np.arange(8, dtype=np.int32))
    made, encoder = mac.encoder("reverse")
    encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
    with pytest.raises(
        MetalValidationError, match=r"threadgroup memory index 0, argument 'memory'"
    ):
        encoder.dispatchThreads_threadsPerThreadgroup_(threads(8), threads(8))
    with pytest.raises(MetalValidationError, match="30 is no multiple of 16"):
        encoder.setThreadgroupMemoryLength_atIndex_(30, 0)
    with pytest.raises(MetalValidationError, match="index 31; there are 31"):
        encoder.setThreadgroupMemoryLength_atIndex_(32, 31)
    encoder.setThreadgroupMemoryLength_atIndex_(32784, 0)
    with pytest.raises(MetalValidationError, match="32784 bytes of threadgroup memory"):
        encoder.dispatchThreads_threadsPerThreadgroup_(threads(8), threads(8))
    encoder.setThreadgroupMemoryLength_atIndex_(32, 0)
    encoder.dispatchThreads_threadsPerThreadgroup_(threads(8), threads(8))
    encoder.endEncoding()
    assert finish(made) is None
    assert x.array.tolist() == list(range(7, -1, -1))


@pytest.mark.parametrize(
    ("grid", "group", "text"),
    [
        ((1, 1, 1), (1025, 1, 1), "1025 threads per threadgroup; allowed are 1 to 1024"),
        ((1, 1, 1), (0, 1, 1), "0 threads per threadgroup"),
        ((0, 1, 1), (1, 1, 1), "each side has 1 to"),
        ((1 << 32, 1, 1), (1, 1, 1), "each side has 1 to"),
    ],
)
def test_sizes_are_checked(mac, grid, group, text):
    _, encoder = mac.encoder("increment")
    encoder.setBuffer_offset_atIndex_(mac.buffer(np.zeros(4, np.int32)).native, 0, 0)
    with pytest.raises(MetalValidationError, match=text):
        encoder.dispatchThreads_threadsPerThreadgroup_(grid, group)
    encoder.endEncoding()


def test_the_pipelines_own_limits_are_checked(mac):
    _, encoder = mac.encoder("narrow")
    encoder.setBuffer_offset_atIndex_(mac.buffer(np.zeros(4, np.int32)).native, 0, 0)
    with pytest.raises(MetalValidationError, match="allowed are 1 to 64"):
        encoder.dispatchThreads_threadsPerThreadgroup_(threads(128), threads(128))
    descriptor = mac.Metal.MTLComputePipelineDescriptor.alloc().init()
    descriptor.setComputeFunction_(mac.library().newFunctionWithName_("increment"))
    descriptor.setThreadGroupSizeIsMultipleOfThreadExecutionWidth_(True)
    state, _ = mac.device.newComputePipelineStateWithDescriptor_options_reflection_error_(
        descriptor, 0, None, None
    )
    encoder.setComputePipelineState_(state)
    with pytest.raises(MetalValidationError, match="a multiple of 32"):
        encoder.dispatchThreads_threadsPerThreadgroup_(threads(64), threads(33))
    encoder.endEncoding()


def test_every_buffer_must_be_bound(mac):
    x = mac.buffer(np.zeros(4, np.float32)).native
    _, encoder = mac.encoder()
    with pytest.raises(MetalValidationError, match="no compute pipeline is set"):
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.setComputePipelineState_(mac.state("add"))
    encoder.setBuffers_offsets_withRange_([x, None, x], [0, 0, 0], (0, 3))
    with pytest.raises(
        MetalValidationError, match="nothing is bound at buffer index 1, argument 'b'"
    ):
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.setBuffer_offset_atIndex_(x, 0, 1)
    with pytest.raises(MetalValidationError, match="buffer index 3, argument 'count'"):
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.setBytes_length_atIndex_(b"ab", 2, 3)
    with pytest.raises(
        MetalValidationError, match="'count' at buffer index 3 needs 4 bytes, 2 are"
    ):
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.setBuffer_offset_atIndex_(x, 0, 3)
    encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.setBuffer_offset_atIndex_(None, 0, 0)
    with pytest.raises(MetalValidationError, match="nothing is bound at buffer index 0"):
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.endEncoding()


def test_bindings_are_checked(mac):
    x = mac.buffer(np.zeros(4, np.float32)).native
    _, encoder = mac.encoder("add")
    for send in (
        lambda: encoder.setBuffer_offset_atIndex_(x, 0, 31),
        lambda: encoder.setBytes_length_atIndex_(b"abcd", 4, 31),
        lambda: encoder.setBuffers_offsets_withRange_([x, x], [0, 0], (30, 2)),
    ):
        with pytest.raises(MetalValidationError, match="buffer index 31; there are 31"):
            send()
    with pytest.raises(MetalValidationError, match="offset 17 of a buffer of 16 bytes"):
        encoder.setBuffer_offset_atIndex_(x, 17, 0)
    encoder.setBuffer_offset_atIndex_(x, 0, 0)
    with pytest.raises(MetalValidationError, match="offset 20 of a buffer of 16 bytes"):
        encoder.setBufferOffset_atIndex_(20, 0)
    with pytest.raises(MetalValidationError, match="no buffer is set at index 5"):
        encoder.setBufferOffset_atIndex_(0, 5)
    with pytest.raises(MetalValidationError, match="4097 bytes; allowed are 1 to 4096"):
        encoder.setBytes_length_atIndex_(bytes(4097), 4097, 0)
    with pytest.raises(MetalValidationError, match="0 bytes; allowed"):
        encoder.setBytes_length_atIndex_(b"", 0, 0)
    with pytest.raises(MetalValidationError, match="pipeline is nil"):
        encoder.setComputePipelineState_(None)
    encoder.endEncoding()


def test_offsets_must_be_aligned(mac):
    data = mac.buffer(np.arange(256, dtype=np.float32))
    _, encoder = mac.encoder("add")
    encoder.setBuffers_offsets_withRange_([data.native] * 3, [8, 0, 2], (0, 3))
    encoder.setBuffer_offset_atIndex_(data.native, 256, 3)
    with pytest.raises(
        MetalValidationError, match=r"offset 2 of device argument 'c' .* no multiple of 4"
    ):
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.setBufferOffset_atIndex_(16, 2)
    encoder.setBufferOffset_atIndex_(128, 3)
    with pytest.raises(
        MetalValidationError, match=r"offset 128 of constant argument 'count' .* no multiple of 256"
    ):
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.setBufferOffset_atIndex_(256, 3)
    encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.endEncoding()


def test_constants_from_buffers_and_offsets(mac):
    x, pairs = mac.buffer(np.zeros(8, np.float32)), np.zeros(128, np.float32)
    pairs[64:68] = [1, 2, 3, 4]
    constants = mac.buffer(pairs)
    made, encoder = mac.encoder("take")
    encoder.setBuffer_offset_atIndex_(x.native, 16, 0)
    encoder.setBuffer_offset_atIndex_(constants.native, 256, 1)
    encoder.dispatchThreads_threadsPerThreadgroup_(threads(4), threads(4))
    encoder.endEncoding()
    assert finish(made) is None
    assert x.array.tolist() == [0, 0, 0, 0, 5, 5, 5, 5]


def test_later_changes_of_bindings_do_not_reach_earlier_dispatches(mac):
    x, y = (mac.buffer(np.zeros(2, np.int32)) for _ in range(2))
    made, encoder = mac.encoder("increment")
    for target, times in ((x, 2), (y, 1)):
        encoder.setBuffer_offset_atIndex_(target.native, 0, 0)
        for _ in range(times):
            encoder.dispatchThreads_threadsPerThreadgroup_(threads(2), threads(2))
    encoder.endEncoding()
    assert finish(made) is None
    assert (x.array.tolist(), y.array.tolist()) == ([2, 2], [1, 1])


def test_faults_of_kernels_are_the_command_buffers_error(mac):
    x = mac.buffer(np.zeros(4, np.int32))
    made, encoder = mac.encoder("stray")
    encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
    encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.endEncoding()
    event = mac.device.newSharedEvent()
    made.encodeSignalEvent_value_(event, 1)
    error = finish(made)
    assert made.status() == mac.Metal.MTLCommandBufferStatusError
    assert error.domain() == mac.Metal.MTLCommandBufferErrorDomain
    assert error.code() == mac.Metal.MTLCommandBufferErrorPageFault
    assert "stray" in error.localizedDescription()
    assert "'x'" in error.localizedDescription()
    assert event.signaledValue() == 0  # what follows a fault never happens


def test_settings_of_the_committing_program_are_used(mac):
    x = mac.buffer(np.zeros(4, np.int32))
    seen = []
    made, encoder = mac.encoder("increment")
    encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
    encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
    encoder.endEncoding()
    with simulator_settings(observer=lambda dispatch, _: seen.append(dispatch.name)):
        made.commit()
    made.waitUntilCompleted()
    assert seen == ["increment"]


def test_races_are_looked_for_where_the_settings_ask(mac):
    source = "kernel void f(device int *x [[buffer(0)]]) { x[0] += 1; }"
    state = mac.pipeline(mac.library(source).newFunctionWithName_("f"))
    x = mac.buffer(np.zeros(1, np.int32))
    errors = []
    for check_races in (False, True):
        made, encoder = mac.encoder()
        encoder.setComputePipelineState_(state)
        encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
        encoder.dispatchThreads_threadsPerThreadgroup_(threads(8), threads(8))
        encoder.endEncoding()
        with simulator_settings(check_races=check_races):
            made.commit()
        made.waitUntilCompleted()
        errors.append(made.error())
    assert errors[0] is None
    assert "accesses conflict" in errors[1].localizedDescription()


def test_a_buffer_may_be_read_before_the_offset_that_it_is_bound_with(mac):
    """As far as it goes; races are seen there as well."""
    source = """kernel void f(device int *x [[buffer(0)]], constant int &at [[buffer(1)]],
                              uint i [[thread_position_in_grid]]) { if (i > 0) x[at] = int(i); }"""
    state = mac.pipeline(mac.library(source).newFunctionWithName_("f"))

    def told(at, count):
        x = mac.buffer(np.zeros(8, np.int32))
        made, encoder = mac.encoder()
        encoder.setComputePipelineState_(state)
        encoder.setBuffer_offset_atIndex_(x.native, 20, 0)
        encoder.setBytes_length_atIndex_(np.int32(at).tobytes(), 4, 1)
        encoder.dispatchThreads_threadsPerThreadgroup_(threads(count), threads(count))
        encoder.endEncoding()
        with simulator_settings(check_races=True):
            made.commit()
        made.waitUntilCompleted()
        return x.array.tolist(), str(made.error().localizedDescription()) if made.error() else ""

    for at in range(-5, 3):
        assert told(at, 2) == ([int(i == 5 + at) for i in range(8)], "")
    assert "element -6 of buffer 0 ('x', 3 elements of int), 4 bytes before its" in told(-6, 2)[1]
    assert "element 3 of buffer 0 ('x', 3 elements of int), 0 bytes behind its" in told(3, 2)[1]
    assert "buffer 0 ('x'), byte offset -20 (4 bytes): thread (1, 0, 0)" in told(-5, 3)[1]


FOLLOW = """
struct Table { device float* there; };
kernel void f(device float* x [[buffer(0)]], constant Table& table [[buffer(1)]]) {
  x[0] = table.there[2];
}
"""


def test_addresses_that_the_host_asked_for_are_no_faults():
    """Also where each access is held against the buffers that are bound."""
    mac = Machine()
    with mac.objc.autorelease_pool():
        state = mac.pipeline(mac.library(FOLLOW).newFunctionWithName_("f"))
        x, other = mac.buffer(np.zeros(1, np.float32)), mac.buffer(np.arange(3, dtype=np.float32))

        def told(address):
            made, encoder = mac.encoder()
            encoder.setComputePipelineState_(state)
            encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
            encoder.setBytes_length_atIndex_(np.uint64(address).tobytes(), 8, 1)
            encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
            encoder.endEncoding()
            with simulator_settings(check_races=True):
                made.commit()
            made.waitUntilCompleted()
            error = made.error()
            return "" if error is None else str(error.localizedDescription())

        guessed = other.array.ctypes.data
        assert f"read address {guessed + 8:#x}, which is in no buffer" in told(guessed)
        address = other.native.gpuAddress()
        assert told(address) == ""
        assert x.array[0] == 2
        assert "which is in no buffer" in told(address + 4)


def test_names_and_elements_are_told(mac):
    source = """kernel void f(device short2 *x [[buffer(0)]],
                              threadgroup float *t [[threadgroup(1)]]) {
      threadgroup int own[5];
      if (x[0].x == 0) x[3] = 1;
      if (x[0].x == 1) t[x[0].y] = own[1];
      if (x[0].x == 2) own[x[0].y] = 1;
    }"""
    state = mac.pipeline(mac.library(source).newFunctionWithName_("f"))
    for order, places in {
        "forward": ("element 3 of buffer 0 ('x', 3 elements of short2)",),
        "reverse": (
            "element 3 of buffer 0 ('x', 3 elements of short2)",
            "element -1 of [[threadgroup(1)]] ('t', 4 elements of float), 4 bytes before",
            "element -1 of 'own', an array of 5 (int[5])",
        ),
    }.items():
        for case, place in enumerate(places):
            with simulator_settings(order=order):
                x = mac.buffer(np.array([case, -1, 0, 0, 0, 0], np.int16))
                made, encoder = mac.encoder()
                encoder.setComputePipelineState_(state)
                encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
                encoder.setThreadgroupMemoryLength_atIndex_(16, 1)
                encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
                encoder.endEncoding()
                made.commit()
                made.waitUntilCompleted()
            assert place in made.error().localizedDescription()


# Rules of command buffers and encoders.


def test_one_encoder_at_a_time(mac):
    made, encoder = mac.encoder()
    for send in (
        made.computeCommandEncoder,
        made.blitCommandEncoder,
        made.commit,
        lambda: made.encodeSignalEvent_value_(mac.device.newEvent(), 1),
    ):
        with pytest.raises(
            MetalValidationError, match="encoder of the command buffer is still open"
        ):
            send()
    encoder.endEncoding()
    for send in (
        encoder.endEncoding,
        lambda: encoder.setComputePipelineState_(mac.state("add")),
        lambda: encoder.setBytes_length_atIndex_(b"abcd", 4, 0),
        lambda: encoder.setBuffer_offset_atIndex_(None, 0, 0),
        lambda: encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE),
        lambda: encoder.pushDebugGroup_("late"),
    ):
        with pytest.raises(MetalValidationError, match="used after endEncoding"):
            send()
    assert finish(made) is None


def test_nothing_is_encoded_after_commit(mac):
    made = mac.queue.commandBuffer()
    with pytest.raises(MetalValidationError, match="not committed"):
        made.waitUntilCompleted()
    made.enqueue()
    assert made.status() == mac.Metal.MTLCommandBufferStatusEnqueued
    with pytest.raises(MetalValidationError, match="enqueued already"):
        made.enqueue()
    made.commit()
    for send in (
        made.commit,
        made.computeCommandEncoder,
        lambda: made.addCompletedHandler_(print),
    ):
        with pytest.raises(MetalValidationError, match="the command buffer is committed"):
            send()
    made.waitUntilScheduled()
    made.waitUntilCompleted()


def test_debug_groups_must_be_closed(mac):
    made, encoder = mac.encoder()
    encoder.pushDebugGroup_("group")
    encoder.insertDebugSignpost_("here")
    with pytest.raises(MetalValidationError, match="1 debug groups are still open"):
        encoder.endEncoding()
    encoder.popDebugGroup()
    with pytest.raises(MetalValidationError, match="no debug group is open"):
        encoder.popDebugGroup()
    encoder.endEncoding()
    made.pushDebugGroup_("outer")
    with pytest.raises(MetalValidationError, match="1 debug groups are still open"):
        made.commit()
    made.popDebugGroup()
    assert finish(made) is None


def test_an_encoder_that_was_never_ended_is_reported():
    mac = Machine()
    with mac.objc.autorelease_pool():
        mac.queue.commandBuffer().computeCommandEncoder()
    assert mac.modules.reports == ("MTLComputeCommandEncoder was released without endEncoding",)


def test_command_buffers_keep_what_they_use():
    mac = Machine()
    with mac.objc.autorelease_pool():
        x = mac.device.newBufferWithLength_options_(16, 0)
        made, encoder = mac.encoder("increment")
        encoder.setBuffer_offset_atIndex_(x, 0, 0)
        encoder.dispatchThreads_threadsPerThreadgroup_(threads(4), threads(4))
        encoder.endEncoding()
        del x, encoder
    assert mac.modules.live_buffers == 1
    assert finish(made) is None
    assert mac.modules.live_buffers == 0
    assert mac.modules.reports == ()


def unretained(mac):
    made = mac.queue.commandBufferWithUnretainedReferences()
    assert not made.retainedReferences()
    _, encoder = mac.encoder("increment", made)
    x = mac.device.newBufferWithLength_options_(16, 0)
    encoder.setBuffer_offset_atIndex_(x, 0, 0)
    encoder.dispatchThreads_threadsPerThreadgroup_(threads(4), threads(4))
    encoder.endEncoding()
    return made, x


def test_without_retained_references_buffers_must_be_held():
    mac = Machine()
    with mac.objc.autorelease_pool():
        made, x = unretained(mac)
        assert finish(made) is None
        del x
        assert mac.modules.live_buffers == 0
        assert mac.modules.reports == ()
        made, x = unretained(mac)
        del x
        error = finish(made)
        assert error.code() == mac.Metal.MTLCommandBufferErrorInvalidResource
        assert "released before its command buffer was executed" in mac.modules.reports[0]
        mac.modules.configure(hang=True)
        made, x = unretained(mac)
        made.commit()
        del x
        mac.modules.configure(hang=False)
        made.waitUntilCompleted()
    assert "while a command buffer without retained references used it" in mac.modules.reports[1]


def test_a_queue_has_room_for_so_many_command_buffers():
    mac = Machine(hang=True)
    queue = mac.device.newCommandQueueWithMaxCommandBufferCount_(2)
    with mac.objc.autorelease_pool():
        first, second = queue.commandBuffer(), queue.commandBuffer()
        with pytest.raises(MetalValidationError, match="one more would wait for ever"):
            queue.commandBuffer()
        first.commit()
        made = []
        thread = threading.Thread(target=lambda: made.append(queue.commandBuffer()))
        thread.start()
        thread.join(0.05)
        assert made == []
        mac.modules.configure(hang=False)
        thread.join(10)
        assert len(made) == 1
        del second
    gc.collect()
    queue.commandBuffer()


def test_the_usual_queue_has_64(mac):
    queue = mac.device.newCommandQueue()
    with mac.objc.autorelease_pool():
        held = [queue.commandBuffer() for _ in range(64)]
        with pytest.raises(MetalValidationError, match="64 command buffers"):
            queue.commandBuffer()
        assert len(held) == 64


def test_command_buffers_run_in_the_order_of_their_commits(mac):
    x = mac.buffer(np.zeros(1, np.int32))
    order, all_made = [], []
    for number in range(5):
        made, encoder = mac.encoder("increment")
        encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
        encoder.endEncoding()
        made.addCompletedHandler_(lambda _, n=number: order.append((n, int(x.array[0]))))
        all_made.append(made)
    for made in all_made:
        made.commit()
    all_made[-1].waitUntilCompleted()
    assert order == [(n, n + 1) for n in range(5)]
    for before, after in pairwise(all_made):
        assert before.GPUEndTime() <= after.GPUStartTime()


def test_handlers_run_on_another_thread_with_the_command_buffer(mac):
    seen = []
    made = mac.queue.commandBuffer()
    made.addScheduledHandler_(lambda which: seen.append(("scheduled", which.status())))
    made.addCompletedHandler_(
        lambda which: seen.append(("completed", which is made, threading.current_thread().name))
    )
    assert finish(made) is None
    assert seen == [("scheduled", 3), ("completed", True, "simulated Metal queue")]


def test_a_handler_that_raises_is_reported():
    mac = Machine()
    made = mac.queue.commandBuffer()
    made.addCompletedHandler_(lambda _: 1 / 0)
    finish(made)
    assert "handler raised ZeroDivisionError" in mac.modules.reports[0]


# Faults.


def test_command_buffers_can_be_made_to_fail():
    fault = CommandBufferFault("MTLCommandBufferErrorDomain", 14, "Impacting Interactivity")
    mac = Machine(command_buffer_faults={1: fault})
    errors = [finish(mac.queue.commandBuffer()) for _ in range(3)]
    assert errors[0] is errors[2] is None
    assert errors[1].code() == 14
    assert errors[1].localizedDescription() == "Impacting Interactivity"
    assert mac.modules.commits == 3


def test_a_device_can_be_lost():
    mac = Machine()
    assert finish(mac.queue.commandBuffer()) is None
    mac.modules.configure(device_lost=True)
    error = finish(mac.queue.commandBuffer())
    assert error.code() == mac.Metal.MTLCommandBufferErrorDeviceRemoved


def test_a_device_can_hang():
    mac = Machine(hang=True)
    made = mac.queue.commandBuffer()
    made.commit()
    made.waitUntilScheduled()
    assert made.status() == mac.Metal.MTLCommandBufferStatusScheduled
    mac.modules.configure(hang=False)
    made.waitUntilCompleted()
    assert made.error() is None


def test_errors_say_how_far_encoders_came(mac):
    descriptor = mac.Metal.MTLCommandBufferDescriptor.alloc().init()
    descriptor.setErrorOptions_(mac.Metal.MTLCommandBufferErrorOptionEncoderExecutionStatus)
    made = mac.queue.commandBufferWithDescriptor_(descriptor)
    assert made.errorOptions() == 1
    x = mac.buffer(np.zeros(4, np.int32))
    for name in ("increment", "stray", "sized"):
        _, encoder = mac.encoder(name, made)
        encoder.setLabel_(f"the {name}")
        encoder.insertDebugSignpost_(name)
        encoder.setBuffer_offset_atIndex_(x.native, 0, 0)
        encoder.dispatchThreads_threadsPerThreadgroup_(ONE, ONE)
        encoder.endEncoding()
    error = finish(made)
    infos = error.userInfo()[mac.Metal.MTLCommandBufferEncoderInfoErrorKey]
    states = [getattr(mac.Metal, f"MTLCommandEncoderErrorState{name}") for name in (
        "Completed", "Faulted", "Pending"
    )]  # fmt: skip
    assert [info.errorState() for info in infos] == states
    assert [info.label() for info in infos] == ["the increment", "the stray", "the sized"]
    assert infos[1].debugSignposts() == ("stray",)


# Blits.


def test_blits_copy_and_fill(mac):
    x, y = mac.buffer(np.arange(8, dtype=np.int32)), mac.buffer(np.zeros(8, np.int32))
    made = mac.queue.commandBuffer()
    encoder = made.blitCommandEncoder()
    encoder.copyFromBuffer_sourceOffset_toBuffer_destinationOffset_size_(
        x.native, 8, y.native, 16, 12
    )
    encoder.fillBuffer_range_value_(y.native, (0, 8), -1)
    encoder.fillBuffer_range_value_(y.native, mac.Metal.NSMakeRange(28, 4), 1)
    encoder.endEncoding()
    assert finish(made) is None
    assert y.array.tolist() == [-1, -1, 0, 0, 2, 3, 4, 0x01010101]


@pytest.mark.parametrize(
    ("source", "target", "size", "text"),
    [
        (0, 0, 36, "reads bytes 0 to 36 of a buffer of 32"),
        (0, 16, 20, "writes bytes 16 to 36 of a buffer of 32"),
        (2, 0, 4, "source offset 2 is no multiple of 4"),
        (0, 2, 4, "destination offset 2 is no multiple"),
        (0, 0, 2, "size 2 is no multiple"),
        (0, 0, 0, "the size is 0"),
        (40, 0, 4, "offset 40 of a buffer of 32"),
    ],
)
def test_blits_are_checked(mac, source, target, size, text):
    x, y = (mac.buffer(np.zeros(8, np.int32)) for _ in range(2))
    encoder = mac.queue.commandBuffer().blitCommandEncoder()
    with pytest.raises(MetalValidationError, match=text):
        encoder.copyFromBuffer_sourceOffset_toBuffer_destinationOffset_size_(
            x.native, source, y.native, target, size
        )
    encoder.endEncoding()


def test_other_mistakes_with_blits(mac):
    x = mac.buffer(np.zeros(8, np.int32))
    encoder = mac.queue.commandBuffer().blitCommandEncoder()
    with pytest.raises(MetalValidationError, match="the ranges overlap"):
        encoder.copyFromBuffer_sourceOffset_toBuffer_destinationOffset_size_(
            x.native, 0, x.native, 4, 8
        )
    # PyObjC's metadata has a signed byte.
    with pytest.raises(ValueError, match="argument 2 is 255, expected -128 to 127"):
        encoder.fillBuffer_range_value_(x.native, (0, 4), 255)
    with pytest.raises(MetalValidationError, match="fillBuffer bytes 16 to 36"):
        encoder.fillBuffer_range_value_(x.native, (16, 20), 0)
    with pytest.raises(MetalValidationError, match="only managed buffers"):
        encoder.synchronizeResource_(x.native)
    with pytest.raises(MetalValidationError, match="the buffer is nil"):
        encoder.fillBuffer_range_value_(None, (0, 4), 0)
    encoder.endEncoding()


# Ordering between encoders and queues.


def test_barriers_fences_and_uses(mac):
    x = mac.buffer(np.zeros(4, np.int32))
    fence = mac.device.newFence()
    made = mac.queue.commandBuffer()
    encoder = made.computeCommandEncoderWithDispatchType_(mac.Metal.MTLDispatchTypeConcurrent)
    assert encoder.dispatchType() == mac.Metal.MTLDispatchTypeConcurrent
    encoder.memoryBarrierWithScope_(mac.Metal.MTLBarrierScopeBuffers)
    encoder.memoryBarrierWithResources_count_([x.native], 1)
    encoder.useResource_usage_(x.native, mac.Metal.MTLResourceUsageRead)
    encoder.useResources_count_usage_([x.native], 1, mac.Metal.MTLResourceUsageWrite)
    for send, text in (
        (lambda: encoder.waitForFence_(fence), "no encoder before this one updates the fence"),
        (lambda: encoder.memoryBarrierWithScope_(2), "a compute encoder has buffers only"),
        (lambda: encoder.useResource_usage_(x.native, 0), "no MTLResourceUsage"),
        (lambda: encoder.memoryBarrierWithResources_count_([None], 1), "a resource is nil"),
    ):
        with pytest.raises(MetalValidationError, match=text):
            send()
    encoder.updateFence_(fence)
    encoder.endEncoding()
    encoder = made.blitCommandEncoder()
    encoder.waitForFence_(fence)
    encoder.endEncoding()
    assert finish(made) is None


def test_events_order_queues(mac):
    event = mac.device.newSharedEvent()
    other = mac.device.newCommandQueue()
    waiting, signalling = mac.queue.commandBuffer(), other.commandBuffer()
    waiting.encodeWaitForEvent_value_(event, 3)
    signalling.encodeSignalEvent_value_(event, 3)
    waiting.commit()
    assert not event.waitUntilSignaledValue_timeoutMS_(3, 10)
    assert waiting.status() < mac.Metal.MTLCommandBufferStatusCompleted
    assert finish(signalling) is None
    waiting.waitUntilCompleted()
    assert waiting.error() is None
    assert event.waitUntilSignaledValue_timeoutMS_(3, 1000)
    assert event.signaledValue() == 3


def test_the_cpu_signals_events(mac):
    event = mac.device.newSharedEvent()
    made = mac.queue.commandBuffer()
    made.encodeWaitForEvent_value_(event, 1)
    made.commit()
    told = []
    listener = mac.Metal.MTLSharedEventListener.alloc().init()
    event.notifyListener_atValue_block_(listener, 2, lambda which, value: told.append(value))
    event.setSignaledValue_(1)
    made.waitUntilCompleted()
    assert told == []
    event.setSignaledValue_(2)
    assert told == [2]
    event.notifyListener_atValue_block_(listener, 1, lambda which, value: told.append(value))
    assert told == [2, 2]


def test_an_event_that_no_one_signals_is_a_timeout(mac):
    made = mac.queue.commandBuffer()
    made.encodeWaitForEvent_value_(mac.device.newEvent(), 1)
    with simulator_settings(timeout=0.05):
        made.commit()
    made.waitUntilCompleted()
    assert made.error().code() == mac.Metal.MTLCommandBufferErrorTimeout
    assert "no one signalled value 1" in made.error().localizedDescription()
