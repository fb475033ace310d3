"""PyTorch, CuPy and this library on one NVIDIA GPU: memory where it is, in the order of streams.

What comes first takes 50 ms of the GPU's time, so that what does not wait for it reads what was
there before, and the host takes no part in it: it is still there when the GPU has not finished.
"""

from __future__ import annotations

import gc
import threading
from contextlib import nullcontext

import numpy as np
import pytest

import speedmetal as sm

COUNT = 1 << 16
CYCLES = 100_000_000
"""50 ms, or more."""
LATE = """
extern "C" __global__ void late_add(float* x, float value, long long cycles, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    long long began = clock64();
    while (clock64() - began < cycles) {}
    if (i < n) x[i] += value;
}
"""


@pytest.fixture(autouse=True)
def _is_cuda(device):
    if device.kind != "cuda":
        pytest.skip(f"{device.name} shares no GPU with other libraries' streams")


@pytest.fixture
def torch():
    found = pytest.importorskip("torch", reason="torch is not installed")
    if not found.cuda.is_available():
        pytest.skip("this torch has no CUDA")
    return found


@pytest.fixture
def cupy():
    return pytest.importorskip("cupy", reason="cupy is not installed")


@pytest.fixture
def late_add(device):
    """A kernel that adds a number, late."""
    function = sm.cuda.library(LATE, device=device).function("late_add")

    def launch(x, value, cycles=CYCLES):
        function(x, value, cycles, COUNT, grid=COUNT)

    launch(sm.zeros(COUNT, device=device), 0.0, 1)
    device.synchronize()
    return launch


@sm.kernel
def double(out, x):
    i = sm.thread_position_in_grid().x
    out[i] = 2 * x[i]


class Torch:
    """PyTorch as the other library."""

    def __init__(self, torch):
        self.torch = torch

    def zeros(self):
        return self.torch.zeros(COUNT, device="cuda")

    def add_late(self, x, value, cycles=CYCLES):
        self.torch.cuda._sleep(cycles)
        x += value

    def stream(self):
        return self.torch.cuda.Stream()

    def entered(self, stream):
        return self.torch.cuda.stream(stream)

    def current(self):
        return self.torch.cuda.current_stream()

    def is_done(self):
        return self.current().query()

    def take(self, x):
        return self.torch.from_dlpack(x)

    def synchronize(self):
        self.torch.cuda.synchronize()

    def host(self, x):
        return x.cpu().numpy()


class Cupy:
    """CuPy as the other library."""

    def __init__(self, cupy):
        self.cupy = cupy
        self.kernel = cupy.RawKernel(LATE, "late_add")

    def zeros(self):
        return self.cupy.zeros(COUNT, self.cupy.float32)

    def add_late(self, x, value, cycles=CYCLES):
        arguments = (x, self.cupy.float32(value), self.cupy.int64(cycles), self.cupy.int32(COUNT))
        self.kernel((COUNT // 256,), (256,), arguments)

    def stream(self):
        return self.cupy.cuda.Stream(non_blocking=True)

    def entered(self, stream):
        return stream

    def current(self):
        return self.cupy.cuda.get_current_stream()

    def is_done(self):
        return self.current().done

    def take(self, x):
        return self.cupy.from_dlpack(x)

    def synchronize(self):
        self.cupy.cuda.runtime.deviceSynchronize()

    def host(self, x):
        return self.cupy.asnumpy(x)


def compile_all(device, other):
    """What the tests run, once: to compile it takes longer than what comes late."""
    theirs, out = other.zeros(), sm.empty(COUNT, device=device)
    double(out, theirs, grid=COUNT)
    result = sm.asarray(theirs) * 2 + out
    sm.eval(result)
    sm.eval(result + 16)
    found = other.take(out)
    found += 1
    other.add_late(found, 1, 1)
    assert other.host(found + 0).shape == (COUNT,)
    assert sm.asarray(found).numpy().shape == (COUNT,)


@pytest.fixture(
    params=[
        (name, kind) for name in ("torch", "cupy") for kind in ("default stream", "own stream")
    ],
    ids=" ".join,
)
def other(request, device, late_add):
    """The other library, in its default stream or in one of its own."""
    name, kind = request.param
    made = {"torch": Torch, "cupy": Cupy}[name](request.getfixturevalue(name))
    compile_all(device, made)
    late_add(sm.zeros(COUNT, device=device), 0.0, 1)
    made.synchronize()
    with made.entered(made.stream()) if kind == "own stream" else nullcontext():
        yield made
    made.synchronize()


# --- Memory where it is, in order ----------------------------------------------------------------


def test_what_another_library_does_late_comes_before_our_kernels(device, other):
    theirs = other.zeros()
    out = sm.empty(COUNT, device=device)
    other.add_late(theirs, 1)
    ours = sm.asarray(theirs)
    double(out, ours, grid=COUNT)
    assert not other.is_done()  # the host has not waited
    assert ours.device is device
    assert ours.numpy().min() == 1
    assert out.numpy().min() == 2


def test_what_we_do_late_comes_before_the_other_library(device, other, late_add):
    ours = sm.zeros(COUNT, device=device)
    late_add(ours, 1.0)
    theirs = other.take(ours)
    copied = theirs + 0
    assert not other.is_done()
    assert other.host(copied).min() == 1
    theirs += 1
    ours = sm.from_dlpack(theirs)
    assert ours.numpy().min() == 2


def test_kernels_take_their_arrays_in_the_order_of_their_stream(device, other, late_add):
    theirs, out = other.zeros(), other.zeros()
    other.add_late(theirs, 1)
    double(out, theirs, grid=COUNT)
    late_add(out, 1.0)
    again = out + 0
    assert not other.is_done()
    assert other.host(again).tolist() == [3] * COUNT


def test_a_block_in_their_stream(device, other, late_add):
    before = sm.zeros(COUNT, device=device)
    late_add(before, 1.0)
    theirs = other.zeros()
    other.add_late(theirs, 1)
    with sm.cuda.stream(other.current()) as work:
        assert not work.is_captured
        result = sm.asarray(theirs) * 2 + before
        sm.eval(result)
        late_add(result, 4.0)
        back = other.take(result)
        back += 8
    after = result + 16
    sm.eval(after)
    assert not other.is_done()
    assert after.numpy().tolist() == [2 + 1 + 4 + 8 + 16] * COUNT


def test_memory_that_we_let_go_is_not_taken_back_too_early(device, other, late_add):
    """Tensors go back to their library's allocator, which uses them again at once."""
    out = [sm.empty(COUNT, device=device) for _ in range(4)]
    for place in range(4):
        theirs = other.zeros()
        theirs += place
        ours = sm.asarray(theirs)
        del theirs
        late_add(ours, 0.0)
        double(out[place], ours, grid=COUNT)
        del ours
        again = other.zeros()  # of the same memory, if it is free
        again -= 100
        del again
    assert [x.numpy().tolist() for x in out] == [[2 * n] * COUNT for n in range(4)]


def test_memory_that_they_let_go_is_not_used_too_early(device, other):
    for _ in range(4):
        ours = sm.zeros(COUNT, device=device)
        theirs = other.take(ours)
        other.add_late(theirs, 5)
        del theirs, ours
        gc.collect()
        found = sm.ones(COUNT, device=device)
        assert found.numpy().max() == 1


def test_arrays_from_the_interface(device, cupy, torch, late_add):
    ours = sm.zeros((COUNT // 2, 2), device=device)
    late_add(ours, 1.0)
    theirs = cupy.asarray(ours.T)
    assert theirs.shape == (2, COUNT // 2)
    assert theirs.data.ptr == ours.address
    assert theirs.min() == 1
    late_add(ours, 1.0)
    tensor = torch.as_tensor(ours, device="cuda")
    assert tensor.data_ptr() == ours.address
    assert float(tensor.min()) == 2
    assert not hasattr(ours.astype(sm.bfloat16), "__cuda_array_interface__")
    assert sm.from_dlpack(torch.ones(2, dtype=torch.bfloat16, device="cuda")).dtype == sm.bfloat16


# --- Inside their graphs -------------------------------------------------------------------------


def test_in_a_graph_of_pytorch(device, torch):
    x, out = torch.arange(COUNT, device="cuda").float(), torch.zeros(COUNT, device="cuda")
    double(out, x, grid=COUNT)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), sm.cuda.stream(torch.cuda.current_stream()) as work:
        halved = x / 2
        double(out, halved, grid=COUNT)
        ours = sm.sqrt(sm.asarray(out)) + 1
        y = torch.from_dlpack(ours) * 3
    del ours
    assert work.is_captured
    assert work.size >= 2
    for value in (4.0, 9.0, 16.0):
        x.fill_(value)
        graph.replay()
        np.testing.assert_allclose(y.cpu().numpy(), 3 * (np.sqrt(value) + 1))
    advice = r"inside the capture, launch and exchange memory in"
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        x += 1
        with pytest.raises(sm.DeviceError, match=advice):
            double(out, x, grid=COUNT)
        with pytest.raises(sm.DeviceError, match=advice):
            sm.asarray(x)
    torch.cuda.synchronize()
    del graph, work


def test_in_a_graph_of_cupy(device, cupy):
    stream = cupy.cuda.Stream(non_blocking=True)
    x, out = cupy.arange(COUNT, dtype=cupy.float32), cupy.zeros(COUNT, cupy.float32)
    double(out, x, grid=COUNT)
    cupy.cuda.runtime.deviceSynchronize()
    with stream:
        stream.begin_capture()
        with sm.cuda.stream(stream) as work:
            double(out, x, grid=COUNT)
            result = sm.asarray(out) + 1
            sm.eval(result)
        graph = stream.end_capture()
    for value in (4.0, 9.0):
        with stream:
            x.fill(value)
            graph.launch(stream)
        stream.synchronize()
        assert cupy.asnumpy(cupy.from_dlpack(result)).tolist() == [2 * value + 1] * COUNT
    assert work.size >= 2


# --- Faults --------------------------------------------------------------------------------------


def test_what_cannot_be_taken(device, torch, cupy):
    x = torch.ones(4, device="cuda")
    out = sm.empty(4, device=device)
    with pytest.raises(sm.LaunchError, match=r"argument x: the tensor has a gradient.*detach"):
        double(out, x.clone().requires_grad_(), grid=4)
    with pytest.raises(sm.UserInputError, match=r"detach"):
        sm.asarray(x.clone().requires_grad_())
    with pytest.raises(sm.UserInputError, match="no dtype here is DLPack's type"):
        sm.from_dlpack(x.to(torch.float8_e4m3fn))
    with pytest.raises(sm.UserInputError, match=r"kernels cannot read torch\.float8_e4m3fn"):
        sm.asarray(x.to(torch.float8_e4m3fn))
    with pytest.raises(sm.LaunchError, match=r"kernels cannot read torch\.float8_e4m3fn"):
        double(out, x.to(torch.float8_e4m3fn), grid=4)
    with pytest.raises(sm.UserInputError, match=r"has no .*pass tensor\.to_dense\(\)"):
        sm.asarray(x.to_sparse())
    with pytest.raises(sm.LaunchError, match=r"share its memory with sm.from_dlpack"):
        double(out, torch.ones(4), grid=4)
    with pytest.raises(sm.UserInputError, match="expected a stream of CUDA, got a Stream"):
        sm.cuda.stream(torch.Stream(device="cpu")).__enter__()
    with pytest.raises(sm.DeviceError, match="0x7 is no stream of cuda: streams are addresses"):
        sm.cuda.stream(7).__enter__()
    with pytest.raises(BufferError, match="stream 0 is ambiguous"):
        out.__dlpack__(stream=0)


def test_two_threads_in_two_streams(device, torch, late_add):
    found = {}

    def work(number):
        with torch.cuda.stream(torch.cuda.Stream()), sm.cuda.stream(torch.cuda.current_stream()):
            x = torch.full((COUNT,), float(number), device="cuda")
            for _ in range(40):
                y = sm.asarray(x) * 2
                sm.eval(y)
                double(x, y, grid=COUNT)
                x /= 4
            late_add(x, 1.0)
            found[number] = x.cpu().numpy()

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    x = sm.ones(COUNT, device=device)
    for _ in range(40):
        x = x * 2 / 2
        sm.eval(x)
    for thread in threads:
        thread.join()
    assert {number: values.tolist() for number, values in found.items()} == {
        number: [number + 1] * COUNT for number in (1, 2, 3)
    }
    assert x.numpy().tolist() == [1] * COUNT


def test_memory_stays_the_same_in_a_long_loop(device, torch):
    x = torch.ones(1 << 20, device="cuda")
    sizes = []
    for turn in range(300):
        with sm.cuda.stream(torch.cuda.current_stream()):
            y = sm.asarray(x) + turn
            z = torch.from_dlpack(y * 2)
        assert z is not None
        del y, z
        if turn in (100, 299):
            torch.cuda.synchronize()
            device.synchronize()
            info = sm.memory_info(device)
            sizes.append(info.bytes_in_use + info.bytes_cached)
    assert sizes[1] <= sizes[0]
