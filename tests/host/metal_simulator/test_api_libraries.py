"""Libraries, functions with constants, pipelines and archives of the simulated API."""

import numpy as np
import pytest

from simulated_metal import SOURCE, Mac, finish
from speedmetal.metal_simulator.api import MetalValidationError

SMALL = "kernel void f(device int *x [[buffer(0)]]) { x[0] = VALUE; }"


@pytest.fixture(scope="module")
def mac():
    return Mac()


@pytest.fixture(scope="module")
def library(mac):
    return mac.library()


def run_on(mac, state, values):
    """A function with one buffer, over as many threads as the buffer has elements."""
    with mac.objc.autorelease_pool():
        shared = mac.buffer(values)
        command_buffer = mac.device.newCommandQueue().commandBuffer()
        encoder = command_buffer.computeCommandEncoder()
        encoder.setComputePipelineState_(state)
        encoder.setBuffer_offset_atIndex_(shared.native, 0, 0)
        size = (len(shared.array), 1, 1)
        encoder.dispatchThreads_threadsPerThreadgroup_(size, size)
        encoder.endEncoding()
        error = finish(command_buffer)
        assert error is None, error.localizedDescription()
        return shared.array.copy()


def test_a_library_has_its_kernels(mac, library):
    assert {"add", "increment", "reverse"} <= set(library.functionNames())
    assert library.newFunctionWithName_("subtract") is None
    function = library.newFunctionWithName_("add")
    assert function.name() == "add"
    assert function.functionType() == mac.Metal.MTLFunctionTypeKernel
    assert function.device() is mac.device
    library.setLabel_("kernels")
    assert library.label() == "kernels"


def test_diagnostics_are_in_the_error(mac):
    text = mac.error_text("kernel void f(device float *x [[buffer(0)]]) {\n  x[0] = nothing;\n}")
    assert "nothing" in text
    assert "2:" in text


def test_macros_and_compilations(mac):
    before = mac.modules.compilations
    options = mac.options()
    options.setPreprocessorMacros_({"VALUE": 5})
    library, error = mac.device.newLibraryWithSource_options_error_(SMALL, options, None)
    assert error is None
    assert mac.modules.compilations == before + 1
    state = mac.pipeline(library.newFunctionWithName_("f"))
    assert run_on(mac, state, np.zeros(1, np.int32)) == [5]
    assert mac.modules.compilations == before + 1


def test_a_library_can_be_asked_for_with_a_handler(mac):
    given = []
    options = mac.options()
    options.setPreprocessorMacros_({"VALUE": "1"})
    mac.device.newLibraryWithSource_options_completionHandler_(
        SMALL, options, lambda *answer: given.append(answer)
    )
    ((library, error),) = given
    assert error is None
    assert library.functionNames() == ("f",)


def test_language_versions():
    old = Mac(os_version=(14, 5))
    options = old.options()
    assert options.languageVersion() == old.Metal.MTLLanguageVersion3_1
    options.setLanguageVersion_(old.Metal.MTLLanguageVersion3_2)
    library, error = old.device.newLibraryWithSource_options_error_(SMALL, options, None)
    assert library is None
    assert "does not know Metal language 3.2" in error.localizedDescription()
    with pytest.raises(MetalValidationError, match="no constant of MTLLanguageVersion"):
        options.setLanguageVersion_(31)


def test_fast_math_is_on_until_it_is_switched_off(mac):
    options = mac.Metal.MTLCompileOptions.alloc().init()
    assert options.fastMathEnabled()
    assert options.mathMode() == mac.Metal.MTLMathModeFast
    options.setMathMode_(mac.Metal.MTLMathModeSafe)
    assert not options.fastMathEnabled()
    options.setFastMathEnabled_(True)
    assert options.mathMode() == mac.Metal.MTLMathModeFast


def test_fast_math_reaches_the_compiler(mac):
    source = (
        "#include <metal_stdlib>\nusing namespace metal;\n"
        "kernel void f(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])"
        " { x[i] = isnan(x[i]) ? 1.0f : 0.0f; }"
    )
    found = []
    for mode in (mac.Metal.MTLMathModeSafe, mac.Metal.MTLMathModeFast):
        options = mac.Metal.MTLCompileOptions.alloc().init()
        options.setMathMode_(mode)
        library, _ = mac.device.newLibraryWithSource_options_error_(source, options, None)
        state = mac.pipeline(library.newFunctionWithName_("f"))
        found.append(run_on(mac, state, np.full(4, np.nan, np.float32)).tolist())
    assert found == [[1, 1, 1, 1], [0, 0, 0, 0]]


def test_compilation_can_be_made_to_fail(mac):
    broken = Mac(fail_compile="the compiler has stopped")
    assert broken.error_text(SMALL) == "the compiler has stopped"
    broken.modules.configure(fail_compile=None)
    options = broken.options()
    options.setPreprocessorMacros_({"VALUE": "1"})
    assert broken.device.newLibraryWithSource_options_error_(SMALL, options, None)[0] is not None


def constant(mac, value, kind, key=0):
    values = mac.Metal.MTLFunctionConstantValues.alloc().init()
    if isinstance(key, int):
        values.setConstantValue_type_atIndex_(value.ctypes.data, kind, key)
    else:
        values.setConstantValue_type_withName_(value.ctypes.data, kind, key)
    return values


def test_function_constants_are_read_from_memory(mac, library):
    metal = mac.Metal
    stride = np.array([5], np.int32)
    for key in (0, "stride"):
        values = constant(mac, stride, metal.MTLDataTypeInt, key)
        function, error = library.newFunctionWithName_constantValues_error_("advance", values, None)
        assert error is None
        assert run_on(mac, mac.pipeline(function), np.arange(3, dtype=np.int32)).tolist() == [
            5,
            6,
            7,
        ]
    (described,) = function.functionConstantsDictionary().values()
    assert (described.name(), described.index(), described.required()) == ("stride", 0, True)
    assert described.type() == metal.MTLDataTypeInt
    values.reset()
    function, _ = library.newFunctionWithName_constantValues_error_("advance", values, None)
    state, error = mac.device.newComputePipelineStateWithFunction_error_(function, None)
    assert state is None
    assert "needs values of its constants stride" in error.localizedDescription()


def test_a_bfloat_constant(mac, library):
    half = np.array([0x3FC0], np.uint16)  # 1.5
    values = constant(mac, half, mac.Metal.MTLDataTypeBFloat, 1)
    function, _ = library.newFunctionWithName_constantValues_error_("enlarge", values, None)
    assert run_on(mac, mac.pipeline(function), np.ones(2, np.float32)).tolist() == [1.5, 1.5]


def test_wrong_constants(mac, library):
    values = mac.Metal.MTLFunctionConstantValues.alloc().init()
    with pytest.raises(MetalValidationError, match="address is null"):
        values.setConstantValue_type_atIndex_(0, mac.Metal.MTLDataTypeInt, 0)
    with pytest.raises(MetalValidationError, match="no type of a function constant"):
        values.setConstantValue_type_atIndex_(
            np.zeros(1).ctypes.data, mac.Metal.MTLDataTypeStruct, 0
        )
    with pytest.raises(TypeError, match="expected address"):
        values.setConstantValue_type_atIndex_(np.zeros(1), mac.Metal.MTLDataTypeInt, 0)
    function, error = library.newFunctionWithName_constantValues_error_("none", values, None)
    assert function is None
    assert error.code() == mac.Metal.MTLLibraryErrorFunctionNotFound


def test_several_constants_at_once(mac):
    source = (
        "constant int a [[function_constant(2)]];\nconstant int b [[function_constant(3)]];\n"
        "kernel void f(device int *x [[buffer(0)]]) { x[0] = 10 * a + b; }"
    )
    values = mac.Metal.MTLFunctionConstantValues.alloc().init()
    numbers = np.array([4, 2], np.int32)
    values.setConstantValues_type_withRange_(numbers.ctypes.data, mac.Metal.MTLDataTypeInt, (2, 2))
    library = mac.library(source)
    function, _ = library.newFunctionWithName_constantValues_error_("f", values, None)
    assert run_on(mac, mac.pipeline(function), np.zeros(1, np.int32)) == [42]


def test_a_pipeline_describes_itself(mac, library):
    state = mac.pipeline(library.newFunctionWithName_("narrow"))
    assert state.threadExecutionWidth() == 32
    assert state.maxTotalThreadsPerThreadgroup() == 64
    descriptor = mac.Metal.MTLComputePipelineDescriptor.alloc().init()
    descriptor.setComputeFunction_(library.newFunctionWithName_("increment"))
    descriptor.setMaxTotalThreadsPerThreadgroup_(128)
    descriptor.setLabel_("one")
    state, _ = mac.device.newComputePipelineStateWithDescriptor_options_reflection_error_(
        descriptor, 0, None, None
    )
    assert (state.maxTotalThreadsPerThreadgroup(), state.label()) == (128, "one")
    assert state.staticThreadgroupMemoryLength() == 0
    descriptor.reset()
    assert descriptor.label() is None
    with pytest.raises(MetalValidationError, match="needs a function"):
        mac.device.newComputePipelineStateWithDescriptor_options_reflection_error_(
            descriptor, 0, None, None
        )


def test_too_much_threadgroup_memory_is_no_pipeline(mac):
    source = (
        "kernel void f(device int *x [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {\n"
        "  threadgroup int memory[8000];\n  memory[i] = x[i];\n  x[i] = memory[i];\n}"
    )
    function = mac.library(source).newFunctionWithName_("f")
    assert mac.pipeline(function).staticThreadgroupMemoryLength() == 32000
    small = Mac(max_threadgroup_memory=16384)
    function = small.library(source).newFunctionWithName_("f")
    state, error = small.device.newComputePipelineStateWithFunction_error_(function, None)
    assert state is None
    assert "32000 bytes of threadgroup memory" in error.localizedDescription()


def archive_of(mac, path):
    descriptor = mac.Metal.MTLBinaryArchiveDescriptor.alloc().init()
    if path is not None:
        descriptor.setUrl_(mac.Foundation.NSURL.fileURLWithPath_(str(path)))
    return mac.device.newBinaryArchiveWithDescriptor_error_(descriptor, None)


def pipeline_descriptor(mac, source, name, archive):
    descriptor = mac.Metal.MTLComputePipelineDescriptor.alloc().init()
    descriptor.setComputeFunction_(mac.library(source).newFunctionWithName_(name))
    descriptor.setBinaryArchives_([archive])
    return descriptor


def test_archives_keep_functions_on_disk(mac, tmp_path):
    path = tmp_path / "archive"
    archive, error = archive_of(mac, None)
    assert error is None
    url = mac.Foundation.NSURL.fileURLWithPath_(str(path))
    descriptor = pipeline_descriptor(mac, SOURCE, "increment", archive)
    assert archive.addComputePipelineFunctionsWithDescriptor_error_(descriptor, None) == (
        True,
        None,
    )
    assert archive.serializeToURL_error_(url, None) == (True, None)

    other = Mac()
    read, error = archive_of(other, path)
    assert error is None
    fail_on_miss = other.Metal.MTLPipelineOptionFailOnBinaryArchiveMiss

    def make(name):
        wanted = pipeline_descriptor(other, SOURCE, name, read)
        return other.device.newComputePipelineStateWithDescriptor_options_reflection_error_(
            wanted, fail_on_miss, None, None
        )

    state, _ = make("increment")
    assert state is not None
    assert other.modules.archive_hits == 1
    state, error = make("sized")
    assert state is None
    assert "no binary archive has function 'sized'" in error.localizedDescription()


def test_unreadable_archives_are_refused(mac, tmp_path):
    path = tmp_path / "archive"
    for content in ("not an archive", "{}", '{"format": "other", "entries": []}', "[]"):
        path.write_text(content)
        archive, error = archive_of(mac, path)
        assert archive is None
        assert error.domain() == mac.Metal.MTLBinaryArchiveDomain
        assert error.code() == mac.Metal.MTLBinaryArchiveErrorInvalidFile
    assert archive_of(mac, tmp_path / "missing")[0] is None
    archive, _ = archive_of(mac, None)
    archive.serializeToURL_error_(mac.Foundation.NSURL.fileURLWithPath_(str(path)), None)
    assert archive_of(mac, path)[0] is not None
    assert archive_of(Mac(refuse_archives=True), path)[0] is None
    nowhere = mac.Foundation.NSURL.fileURLWithPath_(str(tmp_path / "no" / "folder"))
    written, error = archive.serializeToURL_error_(nowhere, None)
    assert not written
    assert "No such file" in error.localizedDescription()
