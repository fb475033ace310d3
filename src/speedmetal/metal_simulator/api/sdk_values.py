"""SDK facts: constants, structures and functions."""

from __future__ import annotations

# An enumeration's prefix, then its members and their values.
ENUMERATIONS = """\
MTLResource: CPUCacheModeDefaultCache=0 HazardTrackingModeDefault=0 StorageModeShared=0 \
    CPUCacheModeWriteCombined=1 StorageModeManaged=16 StorageModePrivate=32 \
    StorageModeMemoryless=48 HazardTrackingModeUntracked=256 HazardTrackingModeTracked=512
MTLStorageMode: Shared=0 Managed=1 Private=2 Memoryless=3
MTLCPUCacheMode: DefaultCache=0 WriteCombined=1
MTLHazardTrackingMode: Default=0 Untracked=1 Tracked=2
MTLPurgeableState: KeepCurrent=1 NonVolatile=2 Volatile=3 Empty=4
MTLGPUFamily: Apple1=1001 Apple2=1002 Apple3=1003 Apple4=1004 Apple5=1005 Apple6=1006 Apple7=1007 \
    Apple8=1008 Apple9=1009 Apple10=1010 Mac1=2001 Mac2=2002 Common1=3001 Common2=3002 \
    Common3=3003 MacCatalyst1=4001 MacCatalyst2=4002 Metal3=5001 Metal4=5002
MTLLanguageVersion: 1_0=65536 1_1=65537 1_2=65538 2_0=131072 2_1=131073 2_2=131074 2_3=131075 \
    2_4=131076 3_0=196608 3_1=196609 3_2=196610 4_0=262144
MTLMathMode: Safe=0 Relaxed=1 Fast=2
MTLMathFloatingPointFunctions: Fast=0 Precise=1
MTLLibraryOptimizationLevel: Default=0 Size=1
MTLLibraryType: Executable=0 Dynamic=1
MTLLibraryError: Unsupported=1 Internal=2 CompileFailure=3 CompileWarning=4 FunctionNotFound=5 \
    FileNotFound=6
MTLFunctionType: Vertex=1 Fragment=2 Kernel=3 Visible=5 Intersection=6 Mesh=7 Object=8
MTLDataType: None=0 Struct=1 Array=2 Float=3 Float2=4 Float3=5 Float4=6 Half=16 Half2=17 Half3=18 \
    Half4=19 Int=29 Int2=30 Int3=31 Int4=32 UInt=33 UInt2=34 UInt3=35 UInt4=36 Short=37 Short2=38 \
    Short3=39 Short4=40 UShort=41 UShort2=42 UShort3=43 UShort4=44 Char=45 Char2=46 Char3=47 \
    Char4=48 UChar=49 UChar2=50 UChar3=51 UChar4=52 Bool=53 Bool2=54 Bool3=55 Bool4=56 Pointer=60 \
    Long=81 Long2=82 Long3=83 Long4=84 ULong=85 ULong2=86 ULong3=87 ULong4=88 BFloat=121 \
    BFloat2=122 BFloat3=123 BFloat4=124
MTLPipelineOption: None=0 ArgumentInfo=1 BindingInfo=1 BufferTypeInfo=2 FailOnBinaryArchiveMiss=4
MTLBinaryArchiveError: None=0 InvalidFile=1 UnexpectedElement=2 CompilationFailure=3 \
    InternalError=4
MTLDispatchType: Serial=0 Concurrent=1
MTLBarrierScope: Buffers=1 Textures=2 RenderTargets=4
MTLResourceUsage: Read=1 Write=2 Sample=4
MTLCommandBufferStatus: NotEnqueued=0 Enqueued=1 Committed=2 Scheduled=3 Completed=4 Error=5
MTLCommandBufferError: None=0 Internal=1 Timeout=2 PageFault=3 AccessRevoked=4 Blacklisted=4 \
    NotPermitted=7 OutOfMemory=8 InvalidResource=9 Memoryless=10 DeviceRemoved=11 \
    StackOverflow=12
MTLCommandBufferErrorOption: None=0 EncoderExecutionStatus=1
MTLCommandEncoderErrorState: Unknown=0 Completed=1 Affected=2 Pending=3 Faulted=4
MTLCounterSamplingPoint: AtStageBoundary=0 AtDrawBoundary=1 AtDispatchBoundary=2 \
    AtTileDispatchBoundary=3 AtBlitBoundary=4
MTLCounterSampleBufferError: OutOfMemory=0 Invalid=1 Internal=2
MTLCaptureDestination: DeveloperTools=1 GPUTraceDocument=2
MTLCaptureError: NotSupported=1 AlreadyCapturing=2 InvalidDescriptor=3
MTLLogLevel: Undefined=0 Debug=1 Info=2 Notice=3 Error=4 Fault=5
MTLLogStateError: InvalidSize=1 Invalid=2
MTLHeapType: Automatic=0 Placement=1 Sparse=2
MTLDeviceLocation: BuiltIn=0 Slot=1 External=2 Unspecified=18446744073709551615
MTLArgumentBuffersTier: 1=0 2=1
MTLCounter: DontSample=18446744073709551615 ErrorValue=18446744073709551615
"""

# Strings that a framework exports; their text is the framework's own affair.
STRINGS = """\
MTLLibraryErrorDomain @10.11
MTLCommandBufferErrorDomain @10.11
MTLBinaryArchiveDomain @11.0
MTLCaptureErrorDomain @10.15
MTLCounterErrorDomain @10.15
MTLLogStateErrorDomain @15.0 guarded
MTLCommonCounterTimestamp @10.15
MTLCommonCounterSetTimestamp @10.15
MTLCommandBufferEncoderInfoErrorKey @11.0
"""

# A structure's fields, in order, each with its kind.
STRUCTURES = """\
MTLSize: width=uint height=uint depth=uint
MTLOrigin: x=uint y=uint z=uint
MTLSizeAndAlign: size=uint align=uint
NSRange: location=uint length=uint
NSOperatingSystemVersion: majorVersion=int minorVersion=int patchVersion=int
"""

FUNCTIONS = """\
MTLCreateSystemDefaultDevice() -> MTLDevice @10.11
MTLCopyAllDevices() -> list @10.11
MTLSizeMake(uint, uint, uint) -> MTLSize @10.11
MTLOriginMake(uint, uint, uint) -> MTLOrigin @10.11
NSMakeRange(uint, uint) -> NSRange @10.11
"""
