"""SDK facts: counters, captures, logs and residency."""

from __future__ import annotations

TABLE = """\
protocol MTLCounter 10.15
    name() -> string
protocol MTLCounterSet 10.15
    name() -> string
    counters() -> list
class MTLCounterSampleBufferDescriptor 10.15
    counterSet() -> MTLCounterSet
    setCounterSet_(MTLCounterSet)
    label() -> string
    setLabel_(string)
    storageMode() -> uint
    setStorageMode_(uint)
    sampleCount() -> uint
    setSampleCount_(uint)
protocol MTLCounterSampleBuffer 10.15
    device() -> MTLDevice
    label() -> string
    sampleCount() -> uint
    resolveCounterRange_(NSRange) -> NSData
class MTLCaptureManager 10.13
    + sharedCaptureManager() -> MTLCaptureManager
    newCaptureScopeWithDevice_(MTLDevice) -> MTLCaptureScope
    newCaptureScopeWithCommandQueue_(MTLCommandQueue) -> MTLCaptureScope
    defaultCaptureScope() -> MTLCaptureScope
    setDefaultCaptureScope_(MTLCaptureScope)
    supportsDestination_(int) -> bool @10.15
    startCaptureWithDescriptor_error_(MTLCaptureDescriptor, out NSError) -> bool @10.15
    stopCapture()
    isCapturing() -> bool
class MTLCaptureDescriptor 10.15
    captureObject() -> object
    setCaptureObject_(object)
    destination() -> int
    setDestination_(int)
    outputURL() -> NSURL
    setOutputURL_(NSURL)
protocol MTLCaptureScope 10.13
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
    commandQueue() -> MTLCommandQueue
    beginScope()
    endScope()
class MTLLogStateDescriptor 15.0 guarded
    level() -> int
    setLevel_(int)
    bufferSize() -> int
    setBufferSize_(int)
protocol MTLLogState 15.0 guarded
    addLogHandler_(block)
class MTLResidencySetDescriptor 15.0 guarded
    label() -> string
    setLabel_(string)
    initialCapacity() -> uint
    setInitialCapacity_(uint)
protocol MTLResidencySet 15.0 guarded
    label() -> string
    device() -> MTLDevice
    allocatedSize() -> uint
    allocationCount() -> uint
    allAllocations() -> list
    addAllocation_(MTLAllocation)
    removeAllocation_(MTLAllocation)
    removeAllAllocations()
    containsAllocation_(MTLAllocation) -> bool
    commit()
    requestResidency()
    endResidency()
"""
