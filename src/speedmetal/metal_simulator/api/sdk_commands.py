"""SDK facts: events, queues, command buffers and encoders."""

from __future__ import annotations

TABLE = """\
protocol MTLFence 10.13
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
protocol MTLEvent 10.14
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
protocol MTLSharedEvent(MTLEvent) 10.14
    signaledValue() -> uint
    setSignaledValue_(uint)
    notifyListener_atValue_block_(MTLSharedEventListener, uint, block)
    waitUntilSignaledValue_timeoutMS_(uint, uint) -> bool @12.0
class MTLSharedEventListener 10.14
    + sharedListener() -> MTLSharedEventListener @26.0 guarded
class MTLCommandQueueDescriptor 15.0 guarded
    maxCommandBufferCount() -> uint
    setMaxCommandBufferCount_(uint)
    logState() -> MTLLogState
    setLogState_(MTLLogState)
protocol MTLCommandQueue 10.11
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
    commandBuffer() -> MTLCommandBuffer
    commandBufferWithUnretainedReferences() -> MTLCommandBuffer
    commandBufferWithDescriptor_(MTLCommandBufferDescriptor) -> MTLCommandBuffer @11.0
    addResidencySet_(MTLResidencySet) @15.0 guarded
    removeResidencySet_(MTLResidencySet) @15.0 guarded
class MTLCommandBufferDescriptor 11.0
    retainedReferences() -> bool
    setRetainedReferences_(bool)
    errorOptions() -> uint
    setErrorOptions_(uint)
    logState() -> MTLLogState @15.0 guarded
    setLogState_(MTLLogState) @15.0 guarded
protocol MTLCommandBuffer 10.11
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
    commandQueue() -> MTLCommandQueue
    retainedReferences() -> bool
    errorOptions() -> uint @11.0
    enqueue()
    commit()
    addScheduledHandler_(block)
    addCompletedHandler_(block)
    waitUntilScheduled()
    waitUntilCompleted()
    status() -> uint
    error() -> NSError
    kernelStartTime() -> double @10.15
    kernelEndTime() -> double @10.15
    GPUStartTime() -> double @10.15
    GPUEndTime() -> double @10.15
    encodeSignalEvent_value_(MTLEvent, uint) @10.14
    encodeWaitForEvent_value_(MTLEvent, uint) @10.14
    computeCommandEncoder() -> MTLComputeCommandEncoder
    computeCommandEncoderWithDispatchType_(uint) -> MTLComputeCommandEncoder @10.14
    computeCommandEncoderWithDescriptor_(MTLComputePassDescriptor) -> MTLComputeCommandEncoder @11.0
    blitCommandEncoder() -> MTLBlitCommandEncoder
    pushDebugGroup_(string) @10.13
    popDebugGroup() @10.13
    useResidencySet_(MTLResidencySet) @15.0 guarded
protocol MTLCommandEncoder 10.11
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
    endEncoding()
    insertDebugSignpost_(string)
    pushDebugGroup_(string)
    popDebugGroup()
protocol MTLComputeCommandEncoder(MTLCommandEncoder) 10.11
    dispatchType() -> uint @10.14
    setComputePipelineState_(MTLComputePipelineState)
    setBytes_length_atIndex_(bytes[1], uint, uint)
    setBuffer_offset_atIndex_(MTLBuffer, uint, uint)
    setBufferOffset_atIndex_(uint, uint)
    setBuffers_offsets_withRange_(MTLBuffer[2], uint[2], NSRange)
    setThreadgroupMemoryLength_atIndex_(uint, uint)
    dispatchThreads_threadsPerThreadgroup_(MTLSize, MTLSize) @10.13
    dispatchThreadgroups_threadsPerThreadgroup_(MTLSize, MTLSize)
    dispatchThreadgroupsWithIndirectBuffer_indirectBufferOffset_threadsPerThreadgroup_(MTLBuffer,\
        uint, MTLSize)
    memoryBarrierWithScope_(uint) @10.14
    memoryBarrierWithResources_count_(MTLResource[1], uint) @10.14
    useResource_usage_(MTLResource, uint) @10.13
    useResources_count_usage_(MTLResource[1], uint, uint) @10.13
    updateFence_(MTLFence) @10.13
    waitForFence_(MTLFence) @10.13
    sampleCountersInBuffer_atSampleIndex_withBarrier_(MTLCounterSampleBuffer, uint, bool) @10.15
protocol MTLBlitCommandEncoder(MTLCommandEncoder) 10.11
    copyFromBuffer_sourceOffset_toBuffer_destinationOffset_size_(MTLBuffer, uint, MTLBuffer, uint,\
        uint)
    fillBuffer_range_value_(MTLBuffer, NSRange, byte)
    synchronizeResource_(MTLResource)
    updateFence_(MTLFence) @10.13
    waitForFence_(MTLFence) @10.13
    resolveCounters_inRange_destinationBuffer_destinationOffset_(MTLCounterSampleBuffer, NSRange,\
        MTLBuffer, uint) @10.15
protocol MTLCommandBufferEncoderInfo 11.0
    label() -> string
    debugSignposts() -> list
    errorState() -> int
class MTLComputePassDescriptor 11.0
    + computePassDescriptor() -> MTLComputePassDescriptor
    dispatchType() -> uint
    setDispatchType_(uint)
    sampleBufferAttachments() -> MTLComputePassSampleBufferAttachmentDescriptorArray
class MTLComputePassSampleBufferAttachmentDescriptorArray 11.0
    objectAtIndexedSubscript_(uint) -> MTLComputePassSampleBufferAttachmentDescriptor
    setObject_atIndexedSubscript_(MTLComputePassSampleBufferAttachmentDescriptor, uint)
class MTLComputePassSampleBufferAttachmentDescriptor 11.0
    sampleBuffer() -> MTLCounterSampleBuffer
    setSampleBuffer_(MTLCounterSampleBuffer)
    startOfEncoderSampleIndex() -> uint
    setStartOfEncoderSampleIndex_(uint)
    endOfEncoderSampleIndex() -> uint
    setEndOfEncoderSampleIndex_(uint)
"""
