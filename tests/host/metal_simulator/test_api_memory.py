"""Buffers of the simulated API: their memory, their limits, who owns them and for how long."""

import gc
import mmap

import numpy as np
import pytest

from simulated_metal import Mac
from speedmetal.metal_simulator.api import MetalValidationError

OUT = {"type": b"^@", "type_modifier": b"o"}


@pytest.fixture
def mac():
    mac = Mac()
    yield mac
    assert mac.modules.reports == ()


def test_memory_is_shared_with_numpy(mac):
    buffer = mac.device.newBufferWithLength_options_(16, 0)
    memory = buffer.contents()
    assert isinstance(memory, mac.objc.varlist)
    view = np.frombuffer(memory.as_buffer(16), np.float32)
    assert np.isnan(view).all()  # undefined content is poisoned
    view[:] = 1.5
    assert np.frombuffer(buffer.contents().as_buffer(8), np.float32).tolist() == [1.5, 1.5]
    assert memory.as_tuple(4) == (0, 0, 192, 63)
    assert memory[3] == 63
    with pytest.raises(MetalValidationError, match="beyond the buffer, which has 16 bytes"):
        memory.as_buffer(17)
    with pytest.raises(MetalValidationError, match="negative"):
        _ = memory[-1]


def test_bytes_are_copied(mac):
    source = np.arange(4, dtype=np.int16)
    buffer = mac.device.newBufferWithBytes_length_options_(source, 8, 0)
    source[:] = 0
    assert np.frombuffer(buffer.contents().as_buffer(8), np.int16).tolist() == [0, 1, 2, 3]
    private = mac.Metal.MTLResourceStorageModePrivate
    with pytest.raises(MetalValidationError, match="the CPU cannot write to a private buffer"):
        mac.device.newBufferWithBytes_length_options_(source, 8, private)


def test_private_memory_is_not_shown(mac):
    options = mac.Metal.MTLResourceStorageModePrivate
    buffer = mac.device.newBufferWithLength_options_(16, options)
    assert buffer.contents() is mac.objc.NULL
    assert not mac.objc.NULL
    assert buffer.contents() is not None
    assert buffer.storageMode() == mac.Metal.MTLStorageModePrivate


def test_options(mac):
    metal = mac.Metal
    options = (
        metal.MTLResourceHazardTrackingModeUntracked | metal.MTLResourceCPUCacheModeWriteCombined
    )
    buffer = mac.device.newBufferWithLength_options_(16, options)
    assert buffer.resourceOptions() == options
    assert buffer.hazardTrackingMode() == metal.MTLHazardTrackingModeUntracked
    assert buffer.cpuCacheMode() == metal.MTLCPUCacheModeWriteCombined
    plain = mac.device.newBufferWithLength_options_(16, 0)
    assert plain.hazardTrackingMode() == metal.MTLHazardTrackingModeTracked
    for wrong in (1 << 12, metal.MTLResourceStorageModeMemoryless):
        with pytest.raises(MetalValidationError, match=r"not known|memoryless"):
            mac.device.newBufferWithLength_options_(16, wrong)
    plain.setLabel_("plain")
    assert plain.label() == "plain"
    assert plain.allocatedSize() == plain.length() == 16
    assert plain.heap() is None
    with pytest.raises(MetalValidationError, match="no MTLPurgeableState"):
        plain.setPurgeableState_(0)


def test_nil_where_there_is_no_memory():
    mac = Mac(memory_bytes=1000, max_buffer_length=500)
    new = mac.device.newBufferWithLength_options_
    assert new(0, 0) is None
    assert new(501, 0) is None
    held = [new(500, 0), new(400, 0)]
    assert new(200, 0) is None
    assert mac.modules.live_bytes == mac.device.currentAllocatedSize() == 900
    held.clear()
    assert mac.modules.live_bytes == 0
    mac.modules.configure(fail_allocations_over=100)
    assert new(101, 0) is None
    assert new(100, 0) is not None


def test_managed_memory_has_two_sides(mac):
    options = mac.Metal.MTLResourceStorageModeManaged
    buffer = mac.device.newBufferWithLength_options_(8, options)
    shared = mac.device.newBufferWithLength_options_(8, 0)
    view = np.frombuffer(buffer.contents().as_buffer(8), np.int32)
    seen = np.frombuffer(shared.contents().as_buffer(8), np.int32)

    def blit(encode):
        command_buffer = mac.device.newCommandQueue().commandBuffer()
        encoder = command_buffer.blitCommandEncoder()
        encode(encoder)
        encoder.endEncoding()
        command_buffer.commit()
        command_buffer.waitUntilCompleted()
        assert command_buffer.error() is None

    def copy(source, target):
        def encode(encoder):
            encoder.copyFromBuffer_sourceOffset_toBuffer_destinationOffset_size_(
                source, 0, target, 0, 8
            )

        return encode

    view[:] = [1, 2]
    blit(copy(buffer, shared))
    assert seen.tolist() == [-1, -1]  # the GPU was not told
    buffer.didModifyRange_((0, 4))
    blit(copy(buffer, shared))
    assert seen.tolist() == [1, -1]
    seen[:] = [7, 8]
    blit(copy(shared, buffer))
    assert view.tolist() == [1, 2]
    blit(lambda encoder: encoder.synchronizeResource_(buffer))
    assert view.tolist() == [7, 8]
    with pytest.raises(MetalValidationError, match="bytes 4 to 12 of a buffer of 8"):
        buffer.didModifyRange_((4, 8))
    with pytest.raises(MetalValidationError, match="only for managed"):
        shared.didModifyRange_((0, 8))


def borrowed(mac, memory, size, handler=None):
    return mac.device.newBufferWithBytesNoCopy_length_options_deallocator_(memory, size, 0, handler)


def test_memory_without_a_copy(mac):
    page = mac.modules.configuration.page_size
    memory = mmap.mmap(-1, 2 * page)
    released = []
    buffer = borrowed(mac, memory, page, lambda *facts: released.append(facts))
    memory[:4] = b"abcd"
    assert bytes(buffer.contents().as_buffer(4)) == b"abcd"
    address = buffer.gpuAddress()
    del buffer
    assert released == [(address, page)]
    with pytest.raises(MetalValidationError, match="length 100 is no multiple of the page"):
        borrowed(mac, memory, 100)
    array = np.frombuffer(memory, np.uint8)
    with pytest.raises(MetalValidationError, match="is no multiple of the page"):
        borrowed(mac, array[16 : 16 + page], page)
    with pytest.raises(MetalValidationError, match="cannot be written to"):
        borrowed(mac, bytes(page), page)
    assert borrowed(mac, memory, 0) is None
    del array


def test_memory_without_a_copy_must_be_held(mac):
    page = mac.modules.configuration.page_size
    memory = mmap.mmap(-1, page)
    buffer = borrowed(mac, np.frombuffer(memory, np.uint8), page)
    command_buffer = mac.device.newCommandQueue().commandBuffer()
    command_buffer.commit()
    del memory
    command_buffer = mac.device.newCommandQueue().commandBuffer()
    with pytest.raises(MetalValidationError, match="no longer held"):
        command_buffer.commit()
    assert buffer.length() == page


def test_buffers_die_with_their_last_reference(mac):
    first = mac.device.newBufferWithLength_options_(16, 0)
    second = mac.device.newBufferWithLength_options_(32, 0)
    assert (mac.modules.live_buffers, mac.modules.live_bytes) == (2, 48)
    del first
    assert (mac.modules.live_buffers, mac.modules.live_bytes) == (1, 32)
    del second
    assert (mac.modules.live_buffers, mac.modules.live_bytes) == (0, 0)


def test_an_old_bridge_leaks_what_new_methods_give():
    mac = Mac(core_version="12.2.2")
    buffer = mac.device.newBufferWithLength_options_(16, 0)
    del buffer
    gc.collect()
    assert mac.modules.live_buffers == 1
    assert mac.modules.over_retained == 1
    mac.objc.registerMetaDataForSelector(
        b"NSObject",
        b"newBufferWithLength:options:",
        {"retval": {"type": b"@", "already_retained": True}, "arguments": {}},
    )
    buffer = mac.device.newBufferWithLength_options_(16, 0)
    del buffer
    assert mac.modules.live_buffers == 1
    # Objects of classes were always right, and so are results that the caller does not own.
    mac.Metal.MTLCompileOptions.alloc().init()
    mac.Metal.MTLCompileOptions.new()
    queue = mac.device.newCommandQueue()
    with mac.objc.autorelease_pool():
        queue.commandBuffer()
    assert mac.modules.over_retained == 2


@pytest.mark.parametrize("version", ["11.1", "12.2.2"])
def test_which_bridges_leak(version):
    mac = Mac(core_version=version)
    assert mac.objc.__version__ == version
    mac.device.newEvent()
    assert mac.modules.over_retained == 1


def test_a_registration_must_restate_everything(mac):
    register = mac.objc.registerMetaDataForSelector
    retained = {"type": b"@", "already_retained": True}
    selector = b"newFunctionWithName:constantValues:error:"
    register(b"NSObject", selector, {"retval": retained, "arguments": {4: OUT}})
    with pytest.raises(MetalValidationError, match=r"argument 4 must say 'type_modifier': b'o'"):
        register(b"NSObject", selector, {"retval": retained, "arguments": {4: {"type": b"^@"}}})
    with pytest.raises(MetalValidationError, match="'c_array_length_in_arg': 3"):
        register(
            b"NSObject",
            b"newBufferWithBytes:length:options:",
            {"retval": retained, "arguments": {2: {"type_modifier": b"n"}}},
        )
    with pytest.raises(MetalValidationError, match="there is no selector 'newThing'"):
        register(b"NSObject", b"newThing", {"retval": retained})
    with pytest.raises(MetalValidationError, match="callers do not own what it gives"):
        register(b"NSObject", b"commandBuffer", {"retval": retained})
    with pytest.raises(MetalValidationError, match="MTLFence has no 'newEvent'"):
        register(b"MTLFence", b"newEvent", {"retval": retained})


def test_a_view_that_outlives_its_buffer_is_reported():
    mac = Mac()
    buffer = mac.device.newBufferWithLength_options_(16, 0)
    view = np.frombuffer(buffer.contents().as_buffer(16), np.int32)
    del buffer
    assert mac.modules.reports == ("a view of a buffer's memory outlives the buffer",)
    view[:] = 3  # the simulator keeps the memory; a Mac would not
    assert len(mac.modules.reports) == 1
    other = mac.device.newBufferWithLength_options_(16, 0)
    view = np.frombuffer(other.contents().as_buffer(16), np.int32)
    del view, other
    assert len(mac.modules.reports) == 1


def test_autoreleased_objects_need_a_pool(mac):
    queue = mac.device.newCommandQueue()
    with mac.objc.autorelease_pool():
        queue.commandBuffer()
    assert mac.modules.unpooled == 0
    queue.commandBuffer()
    assert mac.modules.unpooled == 1


def test_heaps(mac):
    descriptor = mac.Metal.MTLHeapDescriptor.alloc().init()
    with pytest.raises(MetalValidationError, match="the size is 0"):
        mac.device.newHeapWithDescriptor_(descriptor)
    size, alignment = mac.device.heapBufferSizeAndAlignWithLength_options_(100, 0)
    assert (size, alignment) == (256, 256)
    descriptor.setSize_(4 * size)
    assert descriptor.resourceOptions() == (
        mac.Metal.MTLResourceStorageModePrivate | mac.Metal.MTLResourceHazardTrackingModeUntracked
    )
    descriptor.setResourceOptions_(mac.Metal.MTLResourceStorageModeShared)
    heap = mac.device.newHeapWithDescriptor_(descriptor)
    buffers = [heap.newBufferWithLength_options_(100, 0) for _ in range(4)]
    assert [buffer.heapOffset() for buffer in buffers] == [0, 256, 512, 768]
    assert buffers[0].heap() is heap
    assert heap.newBufferWithLength_options_(1, 0) is None
    assert heap.usedSize() == heap.size() == 1024
    buffers.pop()
    assert heap.maxAvailableSizeWithAlignment_(256) == 256
    with pytest.raises(MetalValidationError, match="the heap's storage mode"):
        heap.newBufferWithLength_options_(1, mac.Metal.MTLResourceStorageModePrivate)
    with pytest.raises(MetalValidationError, match="placement heaps"):
        heap.newBufferWithLength_options_offset_(1, 0, 0)
    descriptor.setType_(mac.Metal.MTLHeapTypePlacement)
    placement = mac.device.newHeapWithDescriptor_(descriptor)
    assert placement.newBufferWithLength_options_offset_(16, 0, 512).heapOffset() == 512
    with pytest.raises(MetalValidationError, match="no multiple of 256"):
        placement.newBufferWithLength_options_offset_(16, 0, 16)
