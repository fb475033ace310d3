"""Messages of the simulated API: what PyObjC accepts is accepted, all else is refused."""

import re

import numpy as np
import pytest

from simulated_metal import Mac
from speedmetal.metal_simulator.api import MetalValidationError


@pytest.fixture(scope="module")
def mac():
    return Mac()


@pytest.fixture(scope="module")
def buffer(mac):
    return mac.device.newBufferWithLength_options_(64, 0)


@pytest.fixture
def encoder(mac):
    encoder = mac.device.newCommandQueue().commandBuffer().computeCommandEncoder()
    yield encoder
    encoder.endEncoding()


@pytest.mark.parametrize(
    ("send", "error", "text"),
    [
        ("buffer.getBytes_length_(0, 4)", AttributeError, "no selector 'getBytes:length:'"),
        ("buffer.endEncoding()", AttributeError, "MTLCommandEncoder has it"),
        ("buffer.didModifyRang_((0, 1))", AttributeError, "did you mean didModifyRange_"),
        ("device.newBufferWithLength_options_(64)", TypeError, "missing 1 required"),
        ("device.newCommandQueue(1)", TypeError, "takes 1 positional argument"),
        ("device.newBufferWithLength_options_(64, a1=0)", TypeError, "positional-only"),
        ("device.newBufferWithLength_options_(64.0, 0)", TypeError, "expected uint for argument 0"),
        ("device.newBufferWithLength_options_('64', 0)", TypeError, "got str"),
        ("device.newBufferWithLength_options_(-1, 0)", ValueError, "argument 0 is -1"),
        ("device.newBufferWithLength_options_(1 << 64, 0)", ValueError, "expected 0 to"),
        ("device.supportsFamily_(None)", TypeError, "expected int"),
        ("device.newFunctionWithName_('f')", AttributeError, "MTLLibrary has it"),
        (
            "device.newLibraryWithSource_options_error_('', None, 0)",
            TypeError,
            "is passed as None",
        ),
        (
            "device.newLibraryWithSource_options_error_('', buffer, None)",
            TypeError,
            "expected MTLCompileOptions for argument 1, got MTLBuffer",
        ),
        ("device.newLibraryWithSource_options_error_(b'', None, None)", TypeError, "got bytes"),
        ("encoder.setBuffer_offset_atIndex_(buffer, 0.0, 1)", TypeError, "got float"),
        ("encoder.setBuffer_offset_atIndex_(device, 0, 1)", TypeError, "got MTLDevice"),
        ("encoder.setBytes_length_atIndex_('text', 4, 0)", TypeError, "got str"),
        ("encoder.setBytes_length_atIndex_(b'abc', 4, 0)", ValueError, "has 3 bytes, 4 are asked"),
        (
            "encoder.setBytes_length_atIndex_(numpy.zeros(8)[::2], 4, 0)",
            ValueError,
            "has gaps",
        ),
        (
            "encoder.dispatchThreads_threadsPerThreadgroup_((1, 1), (1, 1, 1))",
            ValueError,
            "has 2 fields, expected 3",
        ),
        (
            "encoder.dispatchThreads_threadsPerThreadgroup_((1, 1, 1.5), (1, 1, 1))",
            TypeError,
            "got float",
        ),
        (
            "encoder.dispatchThreads_threadsPerThreadgroup_(1, (1, 1, 1))",
            TypeError,
            "expected MTLSize",
        ),
        (
            "encoder.setBuffers_offsets_withRange_([buffer], [0, 0], (0, 1))",
            ValueError,
            "has 2 elements, the count is 1",
        ),
        (
            "encoder.setBuffers_offsets_withRange_([buffer, 1], [0, 0], (0, 2))",
            TypeError,
            "got int",
        ),
        ("encoder.setBuffers_offsets_withRange_(buffer, [0], (0, 1))", TypeError, "got MTLBuffer"),
        ("options.setFastMathEnabled_('yes')", TypeError, "expected bool"),
        ("options.setPreprocessorMacros_([1])", TypeError, "expected dict"),
        ("options.label()", AttributeError, "MTLCompileOptions has no selector"),
        ("metal.MTLBuffer", AttributeError, "no attribute 'MTLBuffer'"),
        ("metal.MTLResourceStorageShared", AttributeError, "did you mean"),
        ("metal.MTLSizeMake(1, 2)", TypeError, "takes 3 arguments"),
        ("metal.MTLSize(1, 2, 3, 4)", TypeError, "has 3 fields"),
        ("metal.MTLCompileOptions()", TypeError, r"alloc\(\).init\(\)"),
        ("metal.MTLCompileOptions.alloc().setMathMode_(0)", AttributeError, "setMathMode_"),
        ("metal.MTLCaptureManager.alloc().init()", MetalValidationError, "not made with alloc"),
    ],
)
def test_wrong_messages_are_refused(mac, buffer, encoder, send, error, text):
    names = {
        "device": mac.device,
        "buffer": buffer,
        "encoder": encoder,
        "options": mac.options(),
        "metal": mac.Metal,
        "numpy": np,
    }
    with pytest.raises(error, match=text):
        eval(send, names)  # noqa: S307 - the parameters above


def test_attributes_are_not_assigned(mac):
    options = mac.options()
    with pytest.raises(AttributeError, match=re.escape("send setFastMathEnabled_(value)")):
        options.fastMathEnabled = False
    with pytest.raises(AttributeError, match="not assigned"):
        options.anything = 1


def test_properties_are_methods_and_objects_keep_their_identity(mac, buffer):
    assert mac.device.name() == "Simulated Apple GPU"
    assert buffer.length() == 64
    assert buffer.device() is mac.device
    assert mac.Metal.MTLCreateSystemDefaultDevice() is mac.device
    assert mac.Metal.MTLCopyAllDevices() == (mac.device,)


def test_numpy_integers_and_structures_are_taken(mac):
    buffer = mac.device.newBufferWithLength_options_(np.int64(16), np.uint8(0))
    assert buffer.length() == 16
    size = mac.Metal.MTLSizeMake(2, 3, 4)
    assert (size.width, size.height, size.depth) == (2, 3, 4)
    assert size == (2, 3, 4)
    assert tuple(size) == (2, 3, 4)
    assert size[1] == 3
    assert len(size) == 3
    assert size != mac.Metal.MTLSize(2, 3)
    assert repr(size) == "<MTLSize width=2 height=3 depth=4>"
    size.width = 9
    assert tuple(size) == (9, 3, 4)
    span = mac.Metal.NSMakeRange(1, 2)
    assert (span.location, span.length) == (1, 2)
    assert mac.Foundation.NSRange(1, 2) == span
    assert mac.device.maxThreadsPerThreadgroup().width == 1024


def test_outputs_come_back_in_the_result(mac):
    cpu, gpu = mac.device.sampleTimestamps_gpuTimestamp_(None, None)
    assert cpu == gpu > 0


def test_messages_are_counted(mac):
    before = mac.modules.messages
    mac.device.name()
    mac.Metal.MTLCompileOptions.alloc().init()
    mac.Foundation.NSProcessInfo.processInfo()
    assert mac.modules.messages - before == 4


def test_violations_are_remembered_though_they_were_caught():
    other = Mac()
    assert other.modules.violations == ()
    with pytest.raises(MetalValidationError, match="memoryless"):
        other.device.newBufferWithLength_options_(4, other.Metal.MTLResourceStorageModeMemoryless)
    assert other.modules.violations == ("buffers cannot be memoryless",)


def test_an_object_says_what_it_answers(mac, buffer):
    assert buffer.respondsToSelector_("contents")
    assert buffer.respondsToSelector_(b"setPurgeableState:")
    assert not buffer.respondsToSelector_("endEncoding")
    assert "MTLBuffer" in buffer.description()


def test_younger_calls_do_not_exist_on_an_older_system():
    old = Mac(os_version=(14, 0))
    options = old.Metal.MTLCompileOptions.alloc().init()
    with pytest.raises(AttributeError, match=r"it came with 15\.0; guard its use"):
        options.setMathMode_(0)
    assert not options.respondsToSelector_("setMathMode:")
    assert not old.device.respondsToSelector_("newResidencySetWithDescriptor:error:")
    with pytest.raises(AttributeError, match="MTLLogStateDescriptor"):
        _ = old.Metal.MTLLogStateDescriptor
    with pytest.raises(AttributeError, match="MTLLogStateErrorDomain"):
        _ = old.Metal.MTLLogStateErrorDomain
    assert not old.objc.macos_available(15, 0)
    assert old.objc.macos_available(13, 3)
    process = old.Foundation.NSProcessInfo.processInfo()
    version = process.operatingSystemVersion()
    assert (version.majorVersion, version.minorVersion) == (14, 0)
    assert process.isOperatingSystemAtLeastVersion_((14, 0, 0))
    assert not process.isOperatingSystemAtLeastVersion_((14, 1, 0))
    new = Mac(os_version=(15, 0))
    new.Metal.MTLCompileOptions.alloc().init().setMathMode_(0)
    assert new.device.respondsToSelector_("newResidencySetWithDescriptor:error:")
    assert new.Metal.MTLLogStateErrorDomain == "MTLLogStateErrorDomain"


def test_a_mac_without_a_device():
    none = Mac(device_count=0)
    assert none.device is None
    assert none.Metal.MTLCopyAllDevices() == ()


def test_a_mac_with_two_devices():
    first, second = Mac(device_count=2).Metal.MTLCopyAllDevices()
    assert first.name() != second.name()
    assert first.registryID() != second.registryID()
    assert first.supportsFamily_(1007)
    assert not first.supportsFamily_(1009)


def test_foundation(mac, tmp_path):
    url = mac.Foundation.NSURL.fileURLWithPath_(str(tmp_path / "a b"))
    assert url.path() == str(tmp_path / "a b")
    assert url.isFileURL()
    assert url.absoluteString().startswith("file:///")
    assert url.absoluteString().endswith("a%20b")
    error = mac.Foundation.NSError.errorWithDomain_code_userInfo_(
        "here", -3, {mac.Foundation.NSLocalizedDescriptionKey: "it broke"}
    )
    assert (error.domain(), error.code()) == ("here", -3)
    assert error.localizedDescription() == "it broke"
    bare = mac.Foundation.NSError.errorWithDomain_code_userInfo_("here", 4, None)
    assert "here error 4" in bare.localizedDescription()
    assert mac.Metal.NSURL is mac.Foundation.NSURL
    assert mac.objc.lookUpClass("NSURL") is mac.Foundation.NSURL
    with pytest.raises(mac.objc.nosuchclass_error):
        mac.objc.lookUpClass("NSTexture")
