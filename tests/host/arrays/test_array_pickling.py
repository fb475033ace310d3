# ruff: noqa: S301 - what is unpickled comes from here
"""Arrays are pickled with their content, dtype, shape and device; without copies by protocol 5."""

import multiprocessing
import os
import pickle

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.arrays.pickling import restore_array

pytestmark = pytest.mark.tier("default")

BASE = sm.arange(12).reshape(3, 4)
LAYOUTS = {
    "C order": lambda: BASE,
    "Fortran's order": lambda: BASE.T,
    "turned round": lambda: BASE[::-1, ::2],
    "repeated": lambda: BASE.broadcast_to((2, 3, 4)),
    "lazy": lambda: BASE + 1,
    "bfloat16": lambda: BASE.astype("bf16"),
    "no axes": lambda: BASE[1, 2],
    "empty": lambda: BASE[:0],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_content_comes_back_and_can_be_written_to(layout, protocol):
    x = LAYOUTS[layout]()
    again = pickle.loads(pickle.dumps(x, protocol))
    assert (again.dtype, again.shape, again.tolist()) == (x.dtype, x.shape, x.tolist())
    again[...] = 1
    assert x.tolist() == LAYOUTS[layout]().tolist()


@pytest.mark.parametrize("layout", ["C order", "Fortran's order", "lazy", "bfloat16"])
def test_buffers_out_of_band_are_the_memory_itself(layout):
    x = LAYOUTS[layout]()
    buffers = []
    data = pickle.dumps(x, 5, buffer_callback=buffers.append)
    (buffer,) = buffers
    assert len(data) < 200
    assert np.frombuffer(buffer, np.uint8).ctypes.data == x.address
    again = pickle.loads(data, buffers=buffers)
    assert (again.address, again.strides) == (x.address, x.strides)


def test_buffers_that_cannot_be_written_to_are_copied():
    buffers = []
    data = pickle.dumps(BASE, 5, buffer_callback=buffers.append)
    content = bytes(buffers[0])
    again = pickle.loads(data, buffers=[content])
    again[0, 0] = 9
    assert content == BASE.numpy().tobytes()


@pytest.mark.parametrize(
    ("shape", "order", "size"),
    [((3,), "C", 11), ((4,), "C", 12), ((-3, -1), "C", 12), ((3,), "K", 12)],
)
def test_damaged_data_is_told(shape, order, size):
    with pytest.raises(sm.UserInputError, match=rf"damaged: shape .* but there are {size}"):
        restore_array(sm.Array, bytes(size), "f32", shape, order, "cpu")


def test_data_of_another_machine_is_told():
    with pytest.raises(sm.DeviceError, match="device"):
        restore_array(sm.Array, bytes(4), "f32", (1,), "C", "nowhere")


def work(x):
    """What a process does with an array: a kernel on an expression, and a product."""
    return sm.sum(sm.sin(x) * 2) + x @ x


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_exchange_arrays(method):
    arrays = [sm.arange(6, dtype="f32"), sm.ones(5) + 1, sm.ones(300_000)]
    with multiprocessing.get_context(method).Pool(1) as pool:
        found = pool.map(work, arrays)
    np.testing.assert_allclose(
        [float(x) for x in found], [float(work(x)) for x in arrays], rtol=1e-5
    )


def test_a_fork_computes_what_was_lazy_before():
    sm.eval(sm.ones(1_000_000) + 1)  # with the threads of the parent
    lazy = sm.ones(1_000_000) + 1
    child = os.fork()
    if not child:
        status = 1  # also where something is raised: the child must run no other test
        try:
            status = int(float(lazy.sum()) != 2_000_000)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert float(lazy.sum()) == 2_000_000
