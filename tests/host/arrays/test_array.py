"""The container: shape arithmetic is NumPy's, views share memory, memory is freed."""

import gc
import operator
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import speedmetal as sm
from speedmetal.arrays.array import upload
from speedmetal.backends.cpu.device import CpuDevice
from speedmetal.backends.device import Buffer
from speedmetal.dtypes import ALL


class RemoteDevice(CpuDevice):
    """The CPU with memory that the host reaches by copies alone."""

    name = "remote"
    shares_host_memory = False
    takes_numpy_arrays = False
    host_copy_bytes = 0

    def allocate(self, size_bytes):
        memory = super().allocate(size_bytes)
        return Buffer(self, memory.address, size_bytes, memory, None)

    def wrap(self, host):
        return None

    def copy_from_host(self, source, target):
        super().copy_from_host(source, target.owner)

    def copy_to_host(self, source, target):
        super().copy_to_host(source.owner, target)


@st.composite
def indexed(draw):
    host = draw(
        hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    )
    index = draw(hnp.basic_indices(host.shape, allow_newaxis=True, allow_ellipsis=True))
    return host, index


DEVICES = [sm.device("cpu"), RemoteDevice()]


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@given(case=indexed())
def test_views_have_numpys_shape_strides_and_elements(device, case):
    host, index = case
    has_ellipsis = any(part is Ellipsis for part in np.index_exp[index])
    ours = upload(host, device)[index]
    theirs = host[index if has_ellipsis else (*np.index_exp[index], ...)]
    assert ours.shape == theirs.shape
    assert ours.strides == theirs.strides or not theirs.size
    np.testing.assert_array_equal(ours.numpy(), theirs)
    if ours.size:
        base = upload(host, device)
        assert base[index].address - base.address == (
            theirs.__array_interface__["data"][0] - host.__array_interface__["data"][0]
        )


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@given(case=indexed(), value=st.floats(-9, 9, width=32))
def test_writing_reaches_the_elements_and_no_other(device, case, value):
    host, index = case
    ours = upload(host, device)
    ours[index] = value
    expected = host.copy()
    expected[index] = value
    np.testing.assert_array_equal(ours.numpy(), expected)


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
def test_shape_changes(device):
    a = upload(np.arange(24, dtype=np.int32).reshape(2, 3, 4), device)
    assert a.T.shape == (4, 3, 2)
    assert a.transpose(1, 0, 2).strides == (16, 48, 4)
    assert a.reshape(6, -1).address == a.address
    np.testing.assert_array_equal(a.T.reshape((4, 6)).numpy(), a.numpy().T.reshape(4, 6))
    assert a.T.reshape(24).address != a.address
    with pytest.raises(ValueError, match="copy"):
        a.T.reshape(24, copy=False)
    with pytest.raises(ValueError, match="reshape"):
        a.reshape(5)
    wide = a[0, 0].broadcast_to((5, 4))
    assert (wide.strides, wide.is_readonly) == ((0, 4), True)
    np.testing.assert_array_equal(wide.numpy(), np.broadcast_to([0, 1, 2, 3], (5, 4)))
    with pytest.raises(sm.UserInputError, match=r"read-only.*a\.copy"):
        wide[0] = 1
    wide.copy()[0] = 1


def test_moving_to_a_device_and_back():
    remote = RemoteDevice()
    a = sm.array([[1, 2], [3, 4]])
    moved = a.T.to(remote)
    assert moved.device is remote
    assert a.to("cpu") is a
    assert moved.to("cpu").tolist() == [[1, 3], [2, 4]]
    moved[0, 0] = a[1, 1]
    assert (moved[0, 0].item(), int(moved[0, 0]), operator.index(moved[0, 0])) == (4, 4, 4)
    with pytest.raises(BufferError, match=r"remote.*a\.numpy"):
        np.from_dlpack(moved)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(moved, copy=False)


def test_numpy_shares_memory_and_its_own_shape_is_its_own():
    a = sm.zeros((2, 3))
    host = a.numpy()
    host[1, 2] = 7
    assert a[1, 2].item() == 7
    a[0] = 4
    assert host[0, 0] == 4
    assert host.ctypes.data == a.address
    assert a.numpy() is not a.numpy()


def test_memory_lives_as_long_as_a_view_and_no_longer():
    gc.collect()
    before = sm.memory_info()
    a = sm.ones((1000,))
    address = a.address
    assert address % 64 == 0
    view = a[10:20]
    host = view.numpy()
    del a, view
    assert sm.memory_info().bytes_in_use - before.bytes_in_use == 4000
    assert host.sum() == 10
    del host
    after = sm.memory_info()
    assert after.bytes_in_use == before.bytes_in_use
    assert after.allocations == before.allocations + 1
    assert after.peak_bytes >= before.bytes_in_use + 4000


@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_every_dtype_goes_through_items_lists_and_pickles(dtype):
    a = sm.array([0, 1, 1], dtype)
    assert a.dtype == dtype
    assert a.tolist() == [0, 1, 1]
    assert a[1].item() == 1
    expected = bool if dtype.is_bool else int if dtype.is_integer else float
    assert type(a[1].item()) is (complex if dtype.is_complex else expected)
    again = pickle.loads(pickle.dumps(a[::-1]))  # noqa: S301 - our own bytes
    assert again.dtype == dtype
    assert again.tolist() == [1, 1, 0]
    assert a.astype("f64" if not dtype.is_complex else "c128")[2].item() == 1
    assert str(dtype) in repr(a)


def test_one_element_is_a_number():
    x = sm.array([[2.5]])
    assert (bool(x), int(x), float(x), complex(x)) == (True, 2, 2.5, 2.5)
    with pytest.raises(TypeError, match="only an integer array without axes"):
        operator.index(x)
    for convert in (int, float):
        with pytest.raises(TypeError, match="complex"):
            convert(sm.array(1j))


@pytest.mark.parametrize("shape", [(2,), (0,), (2, 1)])
def test_several_elements_are_no_number(shape):
    """Proves that the exceptions are those that users of NumPy and the array API wait for."""
    x, wanted = sm.zeros(shape, "i32"), f"expected an array of one element, got shape {shape}"
    with pytest.raises(ValueError, match=re.escape(wanted)) as truth:
        bool(x)
    assert str(truth.value) == (
        f"the truth of an array is that of its only element: {wanted};"
        " say which with sm.any(a), sm.all(a) or a[i]"
    )
    with pytest.raises(ValueError, match=re.escape(wanted)) as element:
        x.item()
    assert str(element.value) == f"{wanted}; take an element with a[i].item()"
    for convert in (int, float, complex):
        with pytest.raises(TypeError, match=re.escape(wanted)) as number:
            convert(x)
        name = convert.__name__
        assert str(number.value) == (
            f"{name}(a): {wanted}; convert an element, {name}(a[i]), or all with a.astype(dtype)"
        )
        assert isinstance(number.value, sm.UserInputError)
    with pytest.raises(TypeError, match="can be an index, got int32 of shape"):
        operator.index(x)


def test_length_and_iteration():
    a = sm.array([[1, 2], [3, 4]])
    assert len(a) == 2
    assert [row.tolist() for row in a] == [[1, 2], [3, 4]]
    next(iter(a))[0] = 9
    assert a[0, 0].item() == 9
    for use in (len, iter):
        with pytest.raises(TypeError, match="without axes"):
            use(a[0, 0])


def test_repr_is_numpys_with_dtype_and_device():
    assert repr(sm.zeros((0, 3))) == "Array([], shape=(0, 3), dtype=float32, device='cpu')"
    assert repr(sm.array(3)) == "Array(3, dtype=int32, device='cpu')"


@pytest.mark.parametrize("index", [1.0, "a", {0}, (0, 1.0)])
def test_other_indices_are_named(index):
    with pytest.raises(TypeError, match="expected integers, slices, None"):
        sm.zeros((2, 2))[index]
    with pytest.raises(TypeError, match="expected integers, slices, None"):
        sm.zeros((2, 2))[index] = 1


def test_index_outside():
    with pytest.raises(IndexError, match="out of bounds"):
        sm.zeros(2)[2]


def test_arrays_have_no_hash():
    with pytest.raises(TypeError, match="unhashable"):
        hash(sm.zeros(1))


@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_numpy_protocol(dtype):
    a = sm.ones((2, 2), dtype)
    host = np.asarray(a.T)
    assert host.dtype == dtype.numpy
    assert host.__array_interface__["data"][0] == a.address
    assert np.array(a).__array_interface__["data"][0] != a.address
    assert np.asarray(a, "c16").dtype == np.complex128


def test_empty_memory_repeats_nothing():
    """Proves that NumPy's strides of 0 where there are no elements make no array read-only."""
    x = sm.asarray(np.zeros((0, 2)))
    x[...] = 1
    assert not x.is_readonly


def test_one_element_is_formatted_and_rounded_as_a_number():
    x = sm.array([1.0, 2.345])
    assert f"{x[1]:.1f} {sm.array(7):03d} {x[0]}" == f"2.3 007 {x[0]!r}"
    assert round(x[1]) == 2
    assert isinstance(round(x[1]), int)
    assert round(x, 1).tolist() == pytest.approx([1.0, 2.3])
    with pytest.raises(TypeError) as caught:
        f"{x:.1f}"
    assert str(caught.value) == (
        "the format '.1f' is for one number, and the array has shape (2,); format x[i], or print"
        " with numpy.printoptions"
    )


def test_membership_asks_all_elements():
    x = sm.array([[1.0, 2.0], [3.0, 4.0]])
    assert 4 in x
    assert 5 not in x
    assert 1 not in sm.zeros(0)


def test_parts_of_complex_numbers_are_attributes():
    x = sm.array([1 + 2j, 3])
    assert (x.real.tolist(), x.imag.tolist()) == ([1, 3], [2, 0])
    assert sm.array([2.5]).real.tolist() == [2.5]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x == [1, 2],
        lambda x: x != (1, 2),
        lambda x: operator.add([1, 2], x),
        lambda x: x @ [1, 2],
        lambda x: operator.iadd(x, [1, 2]),
    ],
)
def test_lists_are_no_operands(call):
    with pytest.raises(
        sm.UserInputError, match=r"an operator takes arrays and numbers, got a (li|tu)"
    ):
        call(sm.ones(2))
