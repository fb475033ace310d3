"""Counters, captures, logs and residency sets of the simulated API."""

import json
import struct

import pytest

from simulated_metal import Mac, finish
from speedmetal.metal_simulator.api import MetalValidationError


@pytest.fixture
def mac():
    mac = Mac(os_version=(15, 0))
    yield mac
    assert mac.modules.reports == ()


def sample_buffer(mac, count, storage=0):
    (counter_set,) = mac.device.counterSets()
    assert counter_set.name() == mac.Metal.MTLCommonCounterSetTimestamp
    assert [c.name() for c in counter_set.counters()] == [mac.Metal.MTLCommonCounterTimestamp]
    descriptor = mac.Metal.MTLCounterSampleBufferDescriptor.alloc().init()
    descriptor.setCounterSet_(counter_set)
    descriptor.setSampleCount_(count)
    descriptor.setStorageMode_(storage)
    descriptor.setLabel_("times")
    return mac.device.newCounterSampleBufferWithDescriptor_error_(descriptor, None)


def timed_encoder(mac, command_buffer, samples, start, end):
    descriptor = mac.Metal.MTLComputePassDescriptor.computePassDescriptor()
    attachment = descriptor.sampleBufferAttachments().objectAtIndexedSubscript_(0)
    attachment.setSampleBuffer_(samples)
    attachment.setStartOfEncoderSampleIndex_(start)
    attachment.setEndOfEncoderSampleIndex_(end)
    return command_buffer.computeCommandEncoderWithDescriptor_(descriptor)


def test_encoders_are_timed(mac):
    assert mac.device.supportsCounterSampling_(mac.Metal.MTLCounterSamplingPointAtStageBoundary)
    assert not mac.device.supportsCounterSampling_(
        mac.Metal.MTLCounterSamplingPointAtDispatchBoundary
    )
    samples, error = sample_buffer(mac, 4)
    assert error is None
    assert (samples.sampleCount(), samples.label()) == (4, "times")
    made = mac.device.newCommandQueue().commandBuffer()
    timed_encoder(mac, made, samples, 0, 1).endEncoding()
    timed_encoder(mac, made, samples, 2, mac.Metal.MTLCounterDontSample).endEncoding()
    target = mac.device.newBufferWithLength_options_(32, 0)
    blit = made.blitCommandEncoder()
    blit.resolveCounters_inRange_destinationBuffer_destinationOffset_(samples, (0, 3), target, 8)
    blit.endEncoding()
    assert finish(made) is None
    data = samples.resolveCounterRange_((0, 4))
    assert data.length() == 32
    times = struct.unpack("<4Q", bytes(data))
    assert 0 < times[0] <= times[1] <= times[2] < times[3]
    assert times[3] == mac.Metal.MTLCounterErrorValue
    assert bytes(target.contents().as_buffer(32))[8:] == bytes(data)[:24]
    with pytest.raises(MetalValidationError, match="samples 3 to 5 of 4"):
        samples.resolveCounterRange_((3, 2))


def test_wrong_sample_buffers(mac):
    for count in (0, 1 << 20):
        samples, error = sample_buffer(mac, count)
        assert samples is None
        assert error.domain() == mac.Metal.MTLCounterErrorDomain
    private, _ = sample_buffer(mac, 2, mac.Metal.MTLStorageModePrivate)
    with pytest.raises(MetalValidationError, match="resolve on the GPU"):
        private.resolveCounterRange_((0, 1))
    samples, _ = sample_buffer(mac, 2)
    made = mac.device.newCommandQueue().commandBuffer()
    with pytest.raises(MetalValidationError, match="samples 2 to 3 of 2"):
        timed_encoder(mac, made, samples, 0, 2)
    encoder = made.computeCommandEncoder()
    with pytest.raises(MetalValidationError, match="stage boundaries only"):
        encoder.sampleCountersInBuffer_atSampleIndex_withBarrier_(samples, 0, True)
    encoder.endEncoding()
    attachments = mac.Metal.MTLComputePassDescriptor.alloc().init().sampleBufferAttachments()
    with pytest.raises(MetalValidationError, match="4 sample attachments"):
        attachments.objectAtIndexedSubscript_(4)
    one = mac.Metal.MTLComputePassSampleBufferAttachmentDescriptor.alloc().init()
    one.setSampleBuffer_(samples)
    attachments.setObject_atIndexedSubscript_(one, 1)
    assert attachments.objectAtIndexedSubscript_(1).sampleBuffer() is samples
    attachments.setObject_atIndexedSubscript_(None, 1)
    assert attachments.objectAtIndexedSubscript_(1).sampleBuffer() is None


def capture_of(mac, path, what):
    descriptor = mac.Metal.MTLCaptureDescriptor.alloc().init()
    descriptor.setCaptureObject_(what)
    descriptor.setDestination_(mac.Metal.MTLCaptureDestinationGPUTraceDocument)
    descriptor.setOutputURL_(mac.Foundation.NSURL.fileURLWithPath_(str(path)))
    manager = mac.Metal.MTLCaptureManager.sharedCaptureManager()
    return manager, manager.startCaptureWithDescriptor_error_(descriptor, None)


def test_captures_are_written(mac, tmp_path, monkeypatch):
    monkeypatch.setenv("MTL_CAPTURE_ENABLED", "1")
    path = tmp_path / "trace.gputrace"
    queue = mac.device.newCommandQueue()
    manager, (started, error) = capture_of(mac, path, queue)
    assert (started, error) == (True, None)
    assert manager.isCapturing()
    assert mac.Metal.MTLCaptureManager.sharedCaptureManager() is manager
    _, (started, error) = capture_of(mac, tmp_path / "other", queue)
    assert not started
    assert error.code() == mac.Metal.MTLCaptureErrorAlreadyCapturing
    made = queue.commandBuffer()
    made.encodeSignalEvent_value_(mac.device.newEvent(), 1)
    finish(made)
    manager.stopCapture()
    assert not manager.isCapturing()
    assert json.loads((path / "commands.json").read_text()) == [["Signal"]]
    for where, what in ((path, queue), (tmp_path / "other", None)):
        _, (started, error) = capture_of(mac, where, what)
        assert not started
        assert error.code() == mac.Metal.MTLCaptureErrorInvalidDescriptor


def test_captures_must_be_allowed(mac, tmp_path, monkeypatch):
    monkeypatch.delenv("MTL_CAPTURE_ENABLED", raising=False)
    manager, (started, error) = capture_of(mac, tmp_path / "trace", mac.device)
    assert not started
    assert error.code() == mac.Metal.MTLCaptureErrorNotSupported
    destination = mac.Metal.MTLCaptureDestinationGPUTraceDocument
    assert not manager.supportsDestination_(destination)


def test_capture_scopes(mac):
    manager = mac.Metal.MTLCaptureManager.sharedCaptureManager()
    queue = mac.device.newCommandQueue()
    scope = manager.newCaptureScopeWithCommandQueue_(queue)
    assert scope.commandQueue() is queue
    assert scope.device() is mac.device
    manager.setDefaultCaptureScope_(scope)
    assert manager.defaultCaptureScope() is scope
    with pytest.raises(MetalValidationError, match="has not begun"):
        scope.endScope()
    scope.beginScope()
    with pytest.raises(MetalValidationError, match="has begun already"):
        scope.beginScope()
    scope.endScope()
    assert manager.newCaptureScopeWithDevice_(mac.device).commandQueue() is None


def test_log_states(mac):
    descriptor = mac.Metal.MTLLogStateDescriptor.alloc().init()
    descriptor.setLevel_(mac.Metal.MTLLogLevelDebug)
    descriptor.setBufferSize_(1 << 20)
    logs, error = mac.device.newLogStateWithDescriptor_error_(descriptor, None)
    assert error is None
    logs.addLogHandler_(lambda *_: None)
    with pytest.raises(MetalValidationError, match="block is nil"):
        logs.addLogHandler_(None)
    descriptor.setBufferSize_(16)
    logs, error = mac.device.newLogStateWithDescriptor_error_(descriptor, None)
    assert logs is None
    assert error.code() == mac.Metal.MTLLogStateErrorInvalidSize
    of_queue = mac.Metal.MTLCommandQueueDescriptor.alloc().init()
    of_queue.setMaxCommandBufferCount_(3)
    assert mac.device.newCommandQueueWithDescriptor_(of_queue).commandBuffer().status() == 0


def test_residency_sets(mac):
    descriptor = mac.Metal.MTLResidencySetDescriptor.alloc().init()
    descriptor.setLabel_("resident")
    resident, error = mac.device.newResidencySetWithDescriptor_error_(descriptor, None)
    assert error is None
    assert resident.label() == "resident"
    buffer = mac.device.newBufferWithLength_options_(64, 0)
    resident.addAllocation_(buffer)
    resident.addAllocation_(buffer)
    assert resident.allAllocations() == (buffer,)
    assert resident.containsAllocation_(buffer)
    assert (resident.allocationCount(), resident.allocatedSize()) == (1, 0)
    resident.commit()
    assert resident.allocatedSize() == 64
    resident.requestResidency()
    queue = mac.device.newCommandQueue()
    queue.addResidencySet_(resident)
    made = queue.commandBuffer()
    made.useResidencySet_(resident)
    assert finish(made) is None
    queue.removeResidencySet_(resident)
    with pytest.raises(MetalValidationError, match="the queue has no such set"):
        queue.removeResidencySet_(resident)
    resident.removeAllocation_(buffer)
    with pytest.raises(MetalValidationError, match="the set does not have it"):
        resident.removeAllocation_(buffer)
    resident.removeAllAllocations()
    resident.endResidency()
