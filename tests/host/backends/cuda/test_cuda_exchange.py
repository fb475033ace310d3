"""Memory and streams of other libraries, behind the stand-in for the driver: streams run late."""

from __future__ import annotations

import ctypes
import gc
import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

import speedmetal as sm
from cuda_foreign import DlpackTensor, InterfaceTensor, OtherLibrary
from cuda_machine import CONTEXT, DryDriver, dry_device, forget_devices
from nvrtc import NEEDS_NVRTC
from speedmetal.arrays.memory import borrowing
from speedmetal.backends import registry
from speedmetal.dtypes import ALL
from speedmetal.launch import foreign, foreign_arguments, kernel

pytestmark = [*NEEDS_NVRTC, pytest.mark.usefixtures("nobody_waits")]

COUNT = 4
WAITS = ("cuEventQuery", "cuStreamQuery", "cuCtxSynchronize")
"""By which the host finds out whether something is done, or waits for it."""


@sm.kernel
def doubled(out, x):
    i = sm.thread_position_in_grid().x
    out[i] = 2 * x[i]


class Doubling(DryDriver):
    """The stand-in, whose one kernel doubles four numbers when its stream comes to it."""

    def __init__(self):
        super().__init__()
        self.on_launch = self.double

    def double(self, launched):
        out, x = (self.seen(launched.bytes_of(place, 8)) for place in (0, 1))
        self.launches.append(launched)

        def run():
            out[:] = 2 * x

        return run

    @staticmethod
    def seen(address):
        memory = (ctypes.c_char * (4 * COUNT)).from_address(int.from_bytes(address, "little"))
        return np.frombuffer(memory, np.float32)


@pytest.fixture
def driver():
    return Doubling()


@pytest.fixture
def device(driver, monkeypatch):
    made = dry_device(driver)
    monkeypatch.setitem(registry._present, "cuda", made)
    yield made
    forget_devices()


@pytest.fixture
def other(driver, device):
    return OtherLibrary(driver)


def ones(device, value=1.0):
    return sm.array(np.full(COUNT, value, np.float32), device=device)


def launch(out, x):
    doubled(out, x, grid=COUNT)


def seen(array):
    """What is in the card's memory now, whatever is still to be done."""
    return Doubling.seen(array.address.to_bytes(8, "little")).tolist()


# --- Their memory here ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DlpackTensor, InterfaceTensor])
def test_an_array_on_another_librarys_memory_comes_behind_its_stream(driver, device, other, kind):
    """Nothing is copied, and the host waits for nothing."""
    theirs = other.tensor(np.zeros(COUNT, np.float32), kind)
    other.do(lambda: theirs.view.fill(3))
    out = ones(device)
    device.synchronize()
    driver.calls.clear()
    ours = sm.asarray(theirs)
    launch(out, ours)
    assert not set(driver.calls) & set(WAITS)
    assert ours.address == theirs.address
    assert (ours.device, ours.dtype, ours.shape) == (device, sm.float32, (COUNT,))
    assert out.numpy().tolist() == [6] * COUNT
    assert ours.numpy().tolist() == [3] * COUNT


@pytest.mark.parametrize("kind", [DlpackTensor, InterfaceTensor])
def test_strides_readonly_and_copies(device, other, kind):
    host = np.arange(12, dtype=np.int16).reshape(3, 4)
    theirs = other.tensor(host, kind)
    theirs.view = theirs.view[::-1, ::2]
    ours = sm.asarray(theirs)
    assert (ours.shape, ours.strides) == ((3, 2), (-8, 4))
    memory = (ctypes.c_uint8 * ours.buffer.size_bytes).from_address(ours.buffer.address)
    np.testing.assert_array_equal(ours.in_bytes(np.frombuffer(memory, np.uint8)), host[::-1, ::2])
    assert ours.buffer.size_bytes == (2 * 4 + 2 + 1) * 2
    copied = sm.array(theirs)
    assert copied.address not in (ours.address, theirs.address)
    theirs.view = np.lib.stride_tricks.as_strided(theirs.view, (5, 2), (0, 4))
    assert sm.asarray(theirs).is_readonly
    assert sm.asarray(theirs, dtype="f32").dtype == sm.float32
    assert sm.asarray(theirs, device="cpu").device.name == "cpu"
    with pytest.raises(ValueError, match="another dtype or device needs a copy"):
        sm.asarray(theirs, dtype="f32", copy=False)
    empty = sm.asarray(other.tensor(np.zeros((0, 3)), kind))
    assert (empty.shape, empty.size) == ((0, 3), 0)


def test_two_arrays_on_the_same_memory_know_of_each_other(device, other):
    """What a lazy array will read is computed before the memory is written to by another way."""
    theirs = other.tensor(np.ones(COUNT, np.float32))
    first, second = sm.asarray(theirs), sm.asarray(theirs)
    lazy = first + 1
    assert first.shares_bytes(second)
    assert lazy.pending is not None
    second[...] = 5.0
    assert lazy.pending is None


def test_memory_is_kept_until_our_launches_are_done(driver, device, other):
    """Its library takes memory that is let go for what its own stream does next."""
    theirs = other.tensor(np.ones(COUNT, np.float32), InterfaceTensor)
    watch = weakref.ref(theirs)
    out = ones(device, 0.0)
    ours = sm.asarray(theirs)
    view = theirs.view
    weakref.finalize(theirs, view.fill, 99)  # an allocator that has no stream but its own
    driver.is_held = True
    launch(out, ours)
    del ours, theirs
    gc.collect()
    sm.empty(COUNT, device=device)
    assert watch() is not None
    driver.is_held = False
    assert out.numpy().tolist() == [2] * COUNT
    device.synchronize()
    assert watch() is None


def test_memory_is_let_go_at_once_where_its_own_stream_did_everything(driver, device, other):
    out = ones(device)
    driver.is_held = True
    with sm.cuda.stream(other):
        theirs = other.tensor(np.ones(COUNT, np.float32), InterfaceTensor)
        watch = weakref.ref(theirs)
        ours = sm.asarray(theirs)
        launch(out, ours)
        del ours, theirs
        assert watch() is None
        theirs = other.tensor(np.ones(COUNT, np.float32), InterfaceTensor)
        watch = weakref.ref(theirs)
        ours = sm.asarray(theirs)
    launch(out, ours)  # elsewhere
    del ours, theirs
    assert watch() is not None
    driver.is_held = False


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (np.dtype(">f4"), "elements of >f4; convert it in its library"),
        (np.dtype("M8[s]"), r"elements of datetime64\[s\]; convert"),
    ],
)
def test_dtypes_that_are_not_known(device, other, dtype, message):
    theirs = other.tensor(np.zeros(4, dtype), InterfaceTensor)
    with pytest.raises(
        sm.UserInputError, match=f"kernels cannot read InterfaceTensor with {message}"
    ):
        sm.asarray(theirs)
    with pytest.raises(sm.LaunchError, match=f"kernel 'doubled': argument x: .*{message}"):
        launch(ones(device), theirs)


def test_what_cannot_be_read(device, other):
    theirs = other.tensor(np.zeros(9, np.uint8), InterfaceTensor)
    theirs.view = theirs.view[1:].view(np.float32)
    with pytest.raises(sm.UserInputError, match=r"float32 are not aligned .* make a copy in its"):
        sm.asarray(theirs)
    masked = other.tensor(np.zeros(4, np.float32), type("Masked", (InterfaceTensor,), {
        "__cuda_array_interface__": property(lambda self: {
            **InterfaceTensor.__cuda_array_interface__.fget(self), "mask": object()})
    }))  # fmt: skip
    with pytest.raises(sm.UserInputError, match="cannot read Masked with a mask"):
        sm.asarray(masked)


def test_a_tensor_of_another_gpu(device, other, monkeypatch):
    theirs = other.tensor(np.zeros(4, np.float32))
    theirs.place = (2, 5)
    with pytest.raises(sm.UserInputError, match=r"a DlpackTensor on another device .*cuda:5"):
        sm.asarray(theirs)
    with pytest.raises(sm.LaunchError, match="cuda:5"):
        launch(ones(device), theirs)


# --- Ours there ----------------------------------------------------------------------------------


def test_the_interface_of_our_arrays(device):
    lazy = ones(device) + 1
    found = lazy.__cuda_array_interface__
    assert lazy.pending is None
    assert found == {
        "version": 3,
        "shape": (COUNT,),
        "typestr": "<f4",
        "strides": None,
        "data": (lazy.address, False),
        "stream": device.stream.native.value,
    }
    matrix = sm.zeros((2, 3), device=device)
    assert matrix.T.__cuda_array_interface__["strides"] == (4, 12)
    assert sm.zeros((0, 3), device=device).__cuda_array_interface__["data"][0] == 0
    assert matrix.broadcast_to((5, 2, 3)).__cuda_array_interface__["data"][1]
    assert not hasattr(sm.ones(3, device="cpu"), "__cuda_array_interface__")
    with pytest.raises(AttributeError, match="it is there of arrays on NVIDIA GPUs"):
        _ = sm.ones(3, device="cpu").__cuda_array_interface__
    with pytest.raises(AttributeError, match="not bfloat16, of which DLPack tells"):
        _ = sm.ones(3, "bf16", device=device).__cuda_array_interface__


@pytest.mark.parametrize("given", [None, 1, 2, "other", -1])
def test_their_stream_waits_for_ours_and_nobody_else(driver, device, other, given):
    stream = {None: 1, "other": other.number}.get(given, given)
    reader = other if given == "other" else OtherLibrary(driver, 1 if given == -1 else stream)
    x, out = ones(device), ones(device)
    device.synchronize()
    driver.calls.clear()
    launch(out, x)
    out.__dlpack__(stream=other.number if given == "other" else given, max_version=(1, 0))
    assert not set(driver.calls) & set(WAITS)
    found = []
    reader.do(lambda: found.append(seen(out)))
    reader.finish()
    assert found == [[1 if given == -1 else 2] * COUNT]


def test_streams_that_are_none(device):
    x = ones(device)
    with pytest.raises(BufferError, match=r"stream 0 is ambiguous in DLPack; pass 1 for"):
        x.__dlpack__(stream=0)
    with pytest.raises(BufferError, match=r"0xabc is no stream of cuda: streams are addresses"):
        x.__dlpack__(stream=0xABC)
    with pytest.raises(TypeError, match="expected a stream's number, or None, got str"):
        x.__dlpack__(stream="1")


@pytest.mark.parametrize(("given", "is_old"), [(1, False), (None, True), (-1, False), (-1, True)])
def test_memory_that_was_lent_waits_for_what_others_do(driver, device, other, given, is_old):
    """Who had it last may still write to it: in a default stream, or in one that nobody named."""
    if is_old:
        device.context.library._functions.pop("cuCtxRecordEvent")
    if given != -1:
        other = OtherLibrary(driver, 1)
    x = ones(device)
    device.synchronize()
    memory, address = Doubling.seen(x.address.to_bytes(8, "little")), x.address
    capsule = x.__dlpack__(stream=given)
    other.do(lambda: memory.fill(7))
    del capsule, x
    gc.collect()
    driver.calls.clear()
    is_freed = is_old and given == -1
    if is_freed:
        other.finish()  # the driver frees no memory before
    found = ones(device, 3.0)
    assert ("cuMemFree_v2" in driver.calls) == is_freed
    assert is_freed or found.address == address
    assert found.numpy().tolist() == [3] * COUNT
    other.finish()
    assert seen(found) == [3] * COUNT


# --- In their stream -----------------------------------------------------------------------------


def test_their_stream_waits_for_ours_on_entry(driver, device, other):
    x, out = ones(device), ones(device, 0.0)
    device.synchronize()
    driver.calls.clear()
    launch(out, x)
    found = []
    with sm.cuda.stream(other) as work:
        other.do(lambda: found.append(seen(out)))
    assert not set(driver.calls) & set(WAITS)
    assert not work.is_captured
    other.finish()
    assert found == [[2] * COUNT]


def test_ours_waits_for_their_stream_on_exit(driver, device, other):
    x, out = ones(device), ones(device, 0.0)
    device.synchronize()
    driver.calls.clear()
    memory = Doubling.seen(x.address.to_bytes(8, "little"))
    with sm.cuda.stream(other):
        other.do(lambda: memory.fill(5))
    launch(out, x)
    assert not set(driver.calls) & set(WAITS)
    assert out.numpy().tolist() == [10] * COUNT


def test_launches_inside_a_block_are_in_their_stream(driver, device, other):
    """Two of them: a batch is begun by the first, and the second goes the short way."""
    theirs = other.tensor(np.zeros(COUNT, np.float32))
    first, second = ones(device, 0.0), ones(device, 0.0)
    found = []
    with sm.cuda.stream(other):
        other.do(lambda: theirs.view.fill(5))
        ours = sm.asarray(theirs)
        assert first.__cuda_array_interface__["stream"] == other.number
        launch(first, ours)
        launch(first, ours)
        launch(second, first)
        other.do(lambda: found.append(seen(second)))
    other.finish()
    assert found == [[20] * COUNT]


def test_work_that_nothing_orders_would_be_seen(driver, device, other):
    """The stand-in runs streams independently: without waits the other stream comes too early."""
    x, out = ones(device), ones(device, 0.0)
    device.synchronize()
    launch(out, x)
    found = []
    other.do(lambda: found.append(seen(out)))
    other.finish()
    assert found == [[0] * COUNT]


def test_copies_and_reports_inside_a_block(driver, device, other):
    with sm.cuda.stream(other):
        x, out = ones(device, 4.0), ones(device)
        launch(out, x)
        assert out.numpy().tolist() == [8] * COUNT
        assert not device.stream.labels_in_flight()
        doubled(out, out, grid=COUNT, debug=1)
        assert device.stream_in_use.pending_deliveries == 1
        device.synchronize()
    assert out.numpy().tolist() == [16] * COUNT


def test_the_cards_time_inside_a_block(driver, device, other):
    """While launches are timed they may be gathered: they are given to the driver on exit."""
    x, out = ones(device), ones(device)
    launch(out, x)
    with sm.profile.gpu_time(device) as measured:
        with sm.cuda.stream(other):
            launch(out, x)
            launch(out, out)
        launch(x, out)
    assert [name for span in measured.spans for name in span.kernels] == ["doubled"] * 3
    assert x.numpy().tolist() == [8] * COUNT


def test_memory_is_reused_in_the_order_of_one_thread(driver, device, other):
    """Alone, a thread takes at once what it has let go, inside of blocks and outside."""
    driver.is_held = True
    x = sm.empty(COUNT, device=device)
    address = x.address
    del x
    for _ in range(3):
        with sm.cuda.stream(other):
            x = sm.empty(COUNT, device=device)
            launch(x, x)
            assert x.address == address
            del x
            x = sm.empty(COUNT, device=device)
            assert x.address == address
            del x
        x = sm.empty(COUNT, device=device)
        launch(x, x)
        assert x.address == address
        del x
    driver.is_held = False
    assert len(device.streams) == 2


def test_memory_that_another_thread_may_use_elsewhere_waits(driver, device, other):
    driver.is_held = True
    inside = sm.cuda.stream(other)
    with inside:
        x = sm.empty(COUNT, device=device)
        launch(x, x)
        addresses = [x.address]
        del x
        thread = threading.Thread(  # whose work goes into our own stream
            target=lambda: addresses.append(sm.empty(COUNT, device=device).address)
        )
        thread.start()
        thread.join()
    assert addresses[0] != addresses[1]
    driver.is_held = False


def test_streams_are_given_as_numbers_and_objects(driver, device, other):
    class Cupys:
        ptr = other.number
        device_id = 0

    class Protocol:
        def __cuda_stream__(self):
            return 0, other.number

    class Property:
        __cuda_stream__ = (0, other.number)

    for given in (other, other.number, Cupys(), Protocol(), Property()):
        with sm.cuda.stream(given):
            assert device.stream_in_use.native.value == other.number
            with sm.cuda.stream(other.number):
                assert device.stream_in_use.native.value == other.number
            with sm.cuda.stream(0):
                assert device.stream_in_use.native.value == 1
            assert device.stream_in_use.native.value == other.number
        assert device.stream_in_use is device.stream
    assert device.stream.visits == 0
    with pytest.raises(sm.UserInputError, match=r"expected a stream of CUDA, got a str; pass its"):
        sm.cuda.stream("1").__enter__()
    with pytest.raises(sm.DeviceError, match="0xabc is no stream of cuda"):
        sm.cuda.stream(0xABC).__enter__()
    elsewhere = OtherLibrary(driver)
    driver.owners[elsewhere.number] = CONTEXT + 1
    with pytest.raises(sm.DeviceError, match="is a stream of another GPU, or of another context"):
        sm.cuda.stream(elsewhere).__enter__()


def test_few_objects_stand_for_many_streams(driver, device):
    out = ones(device)
    for _ in range(20):
        with sm.cuda.stream(OtherLibrary(driver)):
            launch(out, out)
        device.synchronize()
    assert len(device.streams) == 2


def test_a_stream_that_is_gone_is_not_asked_for_anything(driver, device, other):
    """What a driver answers by ending the process: here it is an assertion."""
    x, out = ones(device), ones(device)
    given = out.__dlpack__(stream=other.number)
    with sm.cuda.stream(other):
        launch(out, x)
        inside = sm.empty(COUNT, device=device)
        launch(inside, x)
    driver.destroyed.add(other.number)
    del inside, given
    launch(x, out)
    gc.collect()
    ones(device)
    device.synchronize()
    assert x.numpy().tolist() == [4] * COUNT


def test_the_owner_of_a_stream_lives_as_long_as_the_block(driver, device, other):
    class Owner:
        ptr = other.number

        def __del__(self):
            driver.destroyed.add(other.number)

    with sm.cuda.stream(Owner()):
        gc.collect()
        launch(ones(device), ones(device))
    gc.collect()
    assert other.number in driver.destroyed
    device.synchronize()


# --- Captures ------------------------------------------------------------------------------------


class Capture:
    """The other library captures its stream."""

    def __init__(self, other):
        self.driver, self.number = other.driver, other.number

    def __enter__(self):
        self.driver.captures[self.number] = []
        return self

    def __exit__(self, *_):
        self.runs = self.driver.captures.pop(self.number)

    def replay(self):
        for run in self.runs:
            run()


def test_a_capture_takes_launches_and_memory(driver, device, other):
    theirs = other.tensor(np.ones(COUNT, np.float32))
    out = ones(device)
    launch(out, theirs)
    kept = weakref.ref(out.buffer.owner)
    lent = ones(device)
    capsule = lent.__dlpack__(stream=1)
    device.synchronize()
    driver.calls.clear()
    with Capture(other) as graph, sm.cuda.stream(other) as work:
        del lent, capsule
        launch(out, theirs)
        made = sm.empty(COUNT, device=device)
        launch(made, out)
    assert not set(driver.calls) & {*WAITS, "cuEventRecord", "cuStreamWaitEvent"}
    assert driver.capture_mode == 0
    assert work.is_captured
    assert work.size == 2
    assert repr(work) == "<work of a stream: 2 captured launches>"
    addresses = (out.address, made.address)
    found = [Doubling.seen(address.to_bytes(8, "little")) for address in addresses]
    before = device.memory_info().bytes_in_use
    del out, made
    gc.collect()
    assert kept() is None
    assert device.memory_info().bytes_in_use == before
    others = [sm.empty(COUNT, device=device).address for _ in range(3)]
    assert not {*addresses} & {*others}
    for value in (3, 5):
        theirs.view.fill(value)
        graph.replay()
        assert [numbers.tolist() for numbers in found] == [[2 * value] * COUNT, [4 * value] * COUNT]
    assert all(map(work.holds, addresses))
    del work
    gc.collect()
    device.synchronize()
    assert device.memory_info().bytes_in_use == 0
    assert addresses[1] not in driver.memory  # it was the graph's alone


def test_borrowed_memory_is_held_in_captures_of_both_kinds(driver, device, other):
    out = ones(device)
    theirs = other.tensor(np.ones(COUNT, np.float32), InterfaceTensor)
    watch = weakref.ref(theirs)
    ours = sm.asarray(theirs)
    launch(out, ours)
    with Capture(other), sm.cuda.stream(other) as work:
        launch(out, ours)
    with sm.capture() as graph:
        launch(out, ours)
    del ours, theirs
    device.synchronize()
    for holder in ("work", "graph"):
        assert watch() is not None
        if holder == "work":
            del work
        else:
            del graph
        gc.collect()
        device.synchronize()
    assert watch() is None


def test_what_a_capture_cannot_do(driver, device, other):
    x, out = ones(device), ones(device)
    launch(out, x)
    advice = r"inside sm\.cuda\.stream\(\) of a stream that another library captures"
    theirs = other.tensor(np.ones(COUNT, np.float32), InterfaceTensor)
    with Capture(other):
        with sm.cuda.stream(other):
            with pytest.raises(sm.DeviceError, match=f"cannot wait {advice}"):
                device.synchronize()
            with pytest.raises(sm.DeviceError, match=f"cannot copy .*{advice}"):
                out.numpy()
            with pytest.raises(sm.DeviceError, match=f"cannot launch kernel 'doubled' .*{advice}"):
                doubled(out, x, grid=COUNT, debug=1)
            with pytest.raises(sm.DeviceError, match=f"cannot capture another graph {advice}"):
                sm.capture().__enter__()
            with pytest.raises(sm.DeviceError, match=f"into another stream, .*{advice}"):
                sm.cuda.stream(1).__enter__()
            with pytest.raises(BufferError, match="that is captured cannot wait for work outside"):
                out.__dlpack__(stream=1)
            assert hasattr(out, "__cuda_array_interface__")
        for take in (lambda: launch(out, theirs), lambda: sm.asarray(theirs)):
            with pytest.raises(sm.DeviceError, match=r"inside the capture, launch and exchange"):
                take()
    device.synchronize()


def test_our_own_capture_and_theirs_are_not_mixed(device, other):
    launch(ones(device), ones(device))
    with sm.capture(), pytest.raises(sm.DeviceError, match="cannot go into another stream"):
        sm.cuda.stream(other).__enter__()
    advice = r"cuda cannot capture inside sm\.cuda\.stream"
    with sm.cuda.stream(other), pytest.raises(sm.DeviceError, match=advice):
        sm.capture().__enter__()


def test_captures_that_begin_or_end_inside_a_block(driver, device, other):
    capture = Capture(other)
    with (
        pytest.raises(sm.DeviceError, match="Did its capture begin inside the block"),
        sm.cuda.stream(other),
    ):
        capture.__enter__()
    with (
        pytest.raises(sm.DeviceError, match=r"the capture of stream .* ended inside"),
        sm.cuda.stream(other),
    ):
        capture.__exit__()
    device.synchronize()


# --- Arguments of kernels ------------------------------------------------------------------------


@pytest.mark.parametrize("is_ours_first", [False, True])
@pytest.mark.parametrize("kind", [DlpackTensor, InterfaceTensor])
def test_a_launch_takes_its_place_in_their_stream(driver, device, other, kind, is_ours_first):
    x, out = (other.tensor(np.zeros(COUNT, np.float32), kind) for _ in range(2))
    other.do(lambda: x.view.fill(4))
    driver.calls.clear()
    launch(out, x)
    assert not set(driver.calls) & set(WAITS)
    other.do(lambda: out.view.__iadd__(1))
    if is_ours_first:
        device.synchronize()
        assert out.view.tolist() == [8] * COUNT
    other.finish()
    assert out.view.tolist() == [9] * COUNT


def test_a_launch_inside_a_block_of_their_stream_asks_for_no_events(driver, device, other):
    x, out = (other.tensor(np.ones(COUNT, np.float32)) for _ in range(2))
    with sm.cuda.stream(other):
        launch(out, x)
        driver.calls.clear()
        launch(out, x)
    called = driver.calls[: driver.calls.index("cuEventRecord")]
    assert "cuStreamWaitEvent" not in called
    other.finish()
    assert out.view.tolist() == [2] * COUNT


def test_a_launch_of_several_arrays_orders_their_stream_once(driver, device, other):
    """With the context current, as a launch leaves it, two events and two waits are all."""
    x, out = (other.tensor(np.ones(COUNT, np.float32), InterfaceTensor) for _ in range(2))
    launch(out, x)
    driver.current.append(CONTEXT)
    driver.calls.clear()
    launch(out, x)
    driver.current.pop()
    order = ["cuEventRecord", "cuStreamWaitEvent"]
    expected = [*order, "cuLaunchKernelEx", *order]
    assert [name for name in driver.calls if name in expected] == expected
    assert "cuCtxPushCurrent_v2" not in driver.calls


@pytest.mark.parametrize("kind", [DlpackTensor, InterfaceTensor])
def test_a_launch_like_one_before_takes_its_plan(device, other, kind, monkeypatch):
    """Of arrays of ours that lie so, and of theirs."""
    x, out, ours = (
        *(other.tensor(np.ones(COUNT, np.float32), kind) for _ in range(2)),
        ones(device),
    )
    launch(out, x)
    monkeypatch.setattr(kernel, "call_among_others", None)
    other.do(lambda: x.view.fill(4))
    launch(out, x)
    launch(x, out)
    launch(x, ours)
    launch(ours, out)
    other.finish()
    assert (out.view[0], x.view[0], ours.numpy()[0]) == (8, 2, 16)


def test_a_stream_that_is_not_current_is_ordered_all_the_same(driver, device, other):
    x, out = (other.tensor(np.ones(COUNT, np.float32)) for _ in range(2))
    launch(out, x)
    driver.current[:] = [CONTEXT + 1]
    launch(out, x)
    assert driver.current == [CONTEXT + 1]
    driver.current.clear()
    other.finish()
    assert out.view.tolist() == [2] * COUNT


def test_a_kernel_that_has_met_them_takes_ours_and_refuses_others(driver, device, other):
    x, out = (other.tensor(np.ones(COUNT, np.float32)) for _ in range(2))
    launch(out, x)
    ours, found = ones(device), ones(device)
    launch(found, ours)
    assert found.numpy().tolist() == [2] * COUNT
    launch(x, found)  # one of each
    other.finish()
    assert x.view.tolist() == [4] * COUNT
    odd = other.tensor(np.zeros(COUNT * 4 + 4, np.uint8), InterfaceTensor)
    odd.view = odd.view[1 : 1 + 4 * COUNT].view(np.float32)
    with pytest.raises(sm.LaunchError, match=r"argument x: .* are not aligned to their size"):
        launch(out, odd)


def test_arguments_by_name_and_in_tuples(driver, device, other):
    x, out = (other.tensor(np.ones(COUNT, np.float32)) for _ in range(2))
    doubled(x=x, out=out, grid=COUNT)
    other.finish()
    assert out.view.tolist() == [2] * COUNT

    @sm.kernel
    def paired(arrays):
        i = sm.thread_position_in_grid().x
        arrays[0][i] = arrays[1][i]

    paired((out, x), grid=COUNT)
    assert driver.launches[-1].entry.startswith("paired")
    readonly = other.tensor(np.ones(COUNT, np.float32))
    readonly.view = np.broadcast_to(readonly.view[:1], COUNT)
    with pytest.raises(sm.LaunchError, match="writes to argument out, which is read-only"):
        launch(readonly, x)


def test_hand_written_kernels_take_them(driver, device, other):
    source = 'extern "C" __global__ void doubled(float* out, const float* x) { *out = *x; }'
    function = sm.cuda.library(source, device=device).function("doubled")
    x, out = (other.tensor(np.ones(COUNT, np.float32)) for _ in range(2))
    function(out, x, grid=COUNT)
    other.finish()
    assert out.view.tolist() == [2] * COUNT
    with pytest.raises(sm.LaunchError, match="expected elements of float32, got float64"):
        function(out, other.tensor(np.ones(COUNT)), grid=COUNT)


# --- PyTorch's tensors, whose memory is the host's, as the stand-in's is -------------------------


@pytest.fixture
def torch(other, monkeypatch):
    found = pytest.importorskip("torch", reason="torch is not installed")
    for module in (foreign, foreign_arguments, borrowing):
        monkeypatch.setattr(module, "torch_stream", lambda _tensor: other.number)

    class OnCard(found.Tensor):
        is_cuda = True

        def get_device(self):
            return 0

    return SimpleNamespace(
        arange=lambda *args, **options: found.arange(*args, **options).as_subclass(OnCard),
        module=found,
        on_card=lambda x: x.as_subclass(OnCard),
    )


@pytest.mark.parametrize("name", [dtype.name for dtype in ALL])
def test_tensors_of_every_dtype(device, torch, name):
    theirs = getattr(torch.module, name.rstrip("_"))
    tensor = torch.arange(12).reshape(3, 4).to(theirs)[:, 1:].T
    ours = sm.asarray(torch.on_card(tensor))
    assert ours.layout.dtype.name == name
    assert (ours.address, ours.shape) == (tensor.data_ptr(), (3, 3))
    assert ours.strides == tuple(step * ours.itemsize for step in tensor.stride())
    assert not ours.is_readonly


def test_a_kernel_takes_tensors_in_the_order_of_their_stream(device, other, torch):
    x, out = torch.arange(4.0), torch.arange(4.0)
    other.do(lambda: x.fill_(4.0))
    launch(out, x)
    device.synchronize()
    assert out.tolist() == [8.0] * COUNT
    assert sm.asarray(torch.on_card(torch.module.ones(1).expand(5))).is_readonly


def test_a_tensor_is_looked_at_anew_by_every_launch(device, other, torch):
    """Nothing that may change of it is taken from the launch before."""
    x, out = torch.arange(4.0), torch.arange(4.0)
    launch(out, x)
    x.set_(torch.module.arange(8.0)[::2])
    launch(out, x)
    device.synchronize()
    assert out.tolist() == [0, 2, 4, 6]  # the stand-in's kernel reads what is side by side
    x.requires_grad_()
    with pytest.raises(sm.LaunchError, match="argument x: the tensor has a gradient"):
        launch(out, x)
    with pytest.raises(sm.LaunchError, match="argument out: the tensor has a gradient"):
        doubled(x=out.detach(), out=x, grid=COUNT)


def test_tensors_that_are_more_than_memory(device, torch):
    x = torch.arange(4.0)
    odd = {
        r"has a gradient, .* tensor\.detach\(\)$": torch.on_card(
            torch.module.ones(4)
        ).requires_grad_(),
        r"is conjugated or negated .*; pass tensor\.resolve_conj\(\)": torch.on_card(
            torch.module.ones(4, dtype=torch.module.complex64).conj()
        ),
        r"or negated when PyTorch .* pass tensor\.resolve_conj\(\)\.resolve_neg\(\)": torch.on_card(
            torch.module.ones(4, dtype=torch.module.complex64).conj().imag
        ),
    }
    for message, tensor in odd.items():
        for take in (lambda t: launch(t, x), sm.asarray):
            with pytest.raises((sm.LaunchError, sm.UserInputError), match=message):
                take(tensor)
    uneven = torch.on_card(torch.module.frombuffer(bytearray(17), dtype=x.dtype, count=4, offset=1))
    for take in (lambda t: launch(t, x), sm.asarray):
        with pytest.raises((sm.LaunchError, sm.UserInputError), match="float32 are not aligned to"):
            take(uneven)
    float8 = torch.on_card(torch.module.ones(4).to(torch.module.float8_e4m3fn))
    with pytest.raises(sm.UserInputError, match=r"kernels cannot read torch\.float8_e4m3fn"):
        sm.asarray(float8)
    with pytest.raises(sm.LaunchError, match=r"argument x: a kernel can not take a Tensor.*share"):
        launch(ones(device), torch.module.ones(4))
