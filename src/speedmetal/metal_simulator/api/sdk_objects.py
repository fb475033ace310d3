"""SDK facts: devices, libraries, functions, pipelines, archives and memory."""

from __future__ import annotations

TABLE = """\
protocol MTLDevice 10.11
    name() -> string
    registryID() -> uint @10.13
    architecture() -> MTLArchitecture @14.0
    hasUnifiedMemory() -> bool @10.15
    isLowPower() -> bool
    isHeadless() -> bool
    isRemovable() -> bool @10.13
    location() -> uint @10.15
    locationNumber() -> uint @10.15
    maxTransferRate() -> uint @10.15
    recommendedMaxWorkingSetSize() -> uint @10.12
    currentAllocatedSize() -> uint @10.13
    maxThreadsPerThreadgroup() -> MTLSize
    maxThreadgroupMemoryLength() -> uint @10.13
    maxBufferLength() -> uint @10.14
    argumentBuffersSupport() -> uint @10.13
    supportsFamily_(int) -> bool @10.15
    supportsDynamicLibraries() -> bool @11.0
    supportsFunctionPointers() -> bool @11.0
    supportsRaytracing() -> bool @11.0
    counterSets() -> list @10.15
    supportsCounterSampling_(uint) -> bool @11.0
    sampleTimestamps_gpuTimestamp_(out uint, out uint) @10.15
    maximumConcurrentCompilationTaskCount() -> uint @13.3
    shouldMaximizeConcurrentCompilation() -> bool @13.3
    setShouldMaximizeConcurrentCompilation_(bool) @13.3
    newLibraryWithSource_options_error_(string, MTLCompileOptions, out NSError) -> MTLLibrary
    newLibraryWithSource_options_completionHandler_(string, MTLCompileOptions, block)
    newComputePipelineStateWithFunction_error_(MTLFunction, out NSError) -> MTLComputePipelineState
    newComputePipelineStateWithFunction_options_reflection_error_(MTLFunction, uint, null,\
        out NSError) -> MTLComputePipelineState
    newComputePipelineStateWithDescriptor_options_reflection_error_(MTLComputePipelineDescriptor,\
        uint, null, out NSError) -> MTLComputePipelineState
    newComputePipelineStateWithFunction_completionHandler_(MTLFunction, block)
    newBinaryArchiveWithDescriptor_error_(MTLBinaryArchiveDescriptor, out NSError)\
        -> MTLBinaryArchive @11.0
    newBufferWithLength_options_(uint, uint) -> MTLBuffer
    newBufferWithBytes_length_options_(bytes[1], uint, uint) -> MTLBuffer
    newBufferWithBytesNoCopy_length_options_deallocator_(bytes[1], uint, uint, block) -> MTLBuffer
    heapBufferSizeAndAlignWithLength_options_(uint, uint) -> MTLSizeAndAlign @10.13
    newHeapWithDescriptor_(MTLHeapDescriptor) -> MTLHeap @10.13
    newCommandQueue() -> MTLCommandQueue
    newCommandQueueWithMaxCommandBufferCount_(uint) -> MTLCommandQueue
    newCommandQueueWithDescriptor_(MTLCommandQueueDescriptor) -> MTLCommandQueue @15.0 guarded
    newFence() -> MTLFence @10.13
    newEvent() -> MTLEvent @10.14
    newSharedEvent() -> MTLSharedEvent @10.14
    newCounterSampleBufferWithDescriptor_error_(MTLCounterSampleBufferDescriptor, out NSError)\
        -> MTLCounterSampleBuffer @10.15
    newLogStateWithDescriptor_error_(MTLLogStateDescriptor, out NSError)\
        -> MTLLogState @15.0 guarded
    newResidencySetWithDescriptor_error_(MTLResidencySetDescriptor, out NSError)\
        -> MTLResidencySet @15.0 guarded
class MTLArchitecture 14.0
    name() -> string
class MTLCompileOptions 10.11
    preprocessorMacros() -> dict
    setPreprocessorMacros_(dict)
    fastMathEnabled() -> bool
    setFastMathEnabled_(bool)
    mathMode() -> int @15.0 guarded
    setMathMode_(int) @15.0 guarded
    mathFloatingPointFunctions() -> int @15.0 guarded
    setMathFloatingPointFunctions_(int) @15.0 guarded
    languageVersion() -> uint
    setLanguageVersion_(uint)
    preserveInvariance() -> bool @11.0
    setPreserveInvariance_(bool) @11.0
    optimizationLevel() -> int @13.0
    setOptimizationLevel_(int) @13.0
    maxTotalThreadsPerThreadgroup() -> uint @13.3
    setMaxTotalThreadsPerThreadgroup_(uint) @13.3
    enableLogging() -> bool @15.0 guarded
    setEnableLogging_(bool) @15.0 guarded
protocol MTLLibrary 10.11
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
    functionNames() -> list
    type() -> int @11.0
    newFunctionWithName_(string) -> MTLFunction
    newFunctionWithName_constantValues_error_(string, MTLFunctionConstantValues, out NSError)\
        -> MTLFunction @10.12
protocol MTLFunction 10.11
    label() -> string @10.12
    setLabel_(string) @10.12
    device() -> MTLDevice
    name() -> string
    functionType() -> uint
    functionConstantsDictionary() -> dict @10.12
class MTLFunctionConstant 10.12
    name() -> string
    type() -> uint
    index() -> uint
    required() -> bool
class MTLFunctionConstantValues 10.12
    setConstantValue_type_atIndex_(address, uint, uint)
    setConstantValue_type_withName_(address, uint, string)
    setConstantValues_type_withRange_(address, uint, NSRange)
    reset()
protocol MTLComputePipelineState(MTLAllocation) 10.11
    label() -> string @10.13
    device() -> MTLDevice
    threadExecutionWidth() -> uint
    maxTotalThreadsPerThreadgroup() -> uint
    staticThreadgroupMemoryLength() -> uint @10.13
    supportIndirectCommandBuffers() -> bool @11.0
class MTLComputePipelineDescriptor 10.11
    label() -> string
    setLabel_(string)
    computeFunction() -> MTLFunction
    setComputeFunction_(MTLFunction)
    maxTotalThreadsPerThreadgroup() -> uint @10.14
    setMaxTotalThreadsPerThreadgroup_(uint) @10.14
    threadGroupSizeIsMultipleOfThreadExecutionWidth() -> bool
    setThreadGroupSizeIsMultipleOfThreadExecutionWidth_(bool)
    supportIndirectCommandBuffers() -> bool @11.0
    setSupportIndirectCommandBuffers_(bool) @11.0
    binaryArchives() -> list @11.0
    setBinaryArchives_(list) @11.0
    reset()
class MTLBinaryArchiveDescriptor 11.0
    url() -> NSURL
    setUrl_(NSURL)
protocol MTLBinaryArchive 11.0
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
    addComputePipelineFunctionsWithDescriptor_error_(MTLComputePipelineDescriptor, out NSError)\
        -> bool
    serializeToURL_error_(NSURL, out NSError) -> bool
protocol MTLAllocation 15.0 guarded
    allocatedSize() -> uint
protocol MTLResource(MTLAllocation) 10.11
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
    storageMode() -> uint
    cpuCacheMode() -> uint
    hazardTrackingMode() -> uint @10.15
    resourceOptions() -> uint @10.15
    setPurgeableState_(uint) -> uint
    heap() -> MTLHeap @10.13
    heapOffset() -> uint @10.15
    allocatedSize() -> uint @10.13
protocol MTLBuffer(MTLResource) 10.11
    length() -> uint
    contents() -> memory
    didModifyRange_(NSRange)
    gpuAddress() -> uint @13.0
    addDebugMarker_range_(string, NSRange) @10.12
    removeAllDebugMarkers() @10.12
class MTLHeapDescriptor 10.13
    size() -> uint
    setSize_(uint)
    storageMode() -> uint
    setStorageMode_(uint)
    cpuCacheMode() -> uint
    setCpuCacheMode_(uint)
    hazardTrackingMode() -> uint @10.15
    setHazardTrackingMode_(uint) @10.15
    resourceOptions() -> uint @10.15
    setResourceOptions_(uint) @10.15
    type() -> int @10.15
    setType_(int) @10.15
protocol MTLHeap(MTLAllocation) 10.13
    label() -> string
    setLabel_(string)
    device() -> MTLDevice
    size() -> uint
    usedSize() -> uint
    currentAllocatedSize() -> uint
    storageMode() -> uint
    cpuCacheMode() -> uint
    hazardTrackingMode() -> uint @10.15
    resourceOptions() -> uint @10.15
    type() -> int @10.15
    maxAvailableSizeWithAlignment_(uint) -> uint
    newBufferWithLength_options_(uint, uint) -> MTLBuffer
    newBufferWithLength_options_offset_(uint, uint, uint) -> MTLBuffer @10.15
    setPurgeableState_(uint) -> uint
"""
