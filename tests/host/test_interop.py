"""Memory is exchanged with other libraries without copies, and stays alive as long as needed."""

import gc
import weakref

import ml_dtypes
import numpy as np
import pytest

import speedmetal as sm
from speedmetal.dtypes import ALL

pytestmark = pytest.mark.tier("default")

DTYPES = [d for d in ALL if d.part is not sm.float64]


def address(x):
    """Where a tensor of any library has its elements."""
    if hasattr(x, "data_ptr"):
        return x.data_ptr()
    if hasattr(x, "unsafe_buffer_pointer"):
        return x.unsafe_buffer_pointer()
    return x.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_torch_both_ways(dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ours = sm.array([[0, 1, 1], [1, 0, 1]], dtype)
    theirs = torch.from_dlpack(ours.T)
    assert theirs.shape == (3, 2)
    assert address(theirs) == ours.address
    theirs[0, 1] = 0
    assert ours.tolist() == [[0, 1, 1], [0, 0, 1]]
    back = sm.from_dlpack(theirs)
    assert back.dtype == dtype
    assert back.strides == ours.T.strides
    assert (back.address, back.is_readonly) == (ours.address, False)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
def test_jax_both_ways(dtype):
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    if dtype in (sm.int64, sm.uint64):
        pytest.skip("JAX has no 64-bit types unless it is told to at start")
    ours = sm.array([0, 1, 1], dtype)
    theirs = jnp.from_dlpack(ours)
    assert address(theirs) == ours.address
    back = sm.from_dlpack(theirs)
    assert (back.dtype, back.tolist(), back.address) == (dtype, [0, 1, 1], ours.address)
    assert back.is_readonly  # JAX's arrays are immutable


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
def test_mlx_both_ways(dtype):
    mx = pytest.importorskip("mlx.core", reason="mlx is not installed")
    ours = sm.array([0, 1, 1], dtype)
    theirs = mx.array(ours)
    assert theirs.tolist() == [0, 1, 1]
    assert sm.from_dlpack(theirs).dtype == dtype
    assert sm.from_dlpack(theirs).tolist() == [0, 1, 1]


def test_numpy_and_ml_dtypes_both_ways():
    host = np.arange(4, dtype=ml_dtypes.bfloat16)
    ours = sm.asarray(host)
    assert (ours.dtype, ours.address) == (sm.bfloat16, address(host))
    assert ours.numpy().dtype == ml_dtypes.bfloat16
    plain = sm.arange(3)
    assert address(np.from_dlpack(plain)) == plain.address
    assert sm.from_dlpack(np.arange(3)).dtype == sm.int64
    assert address(np.from_dlpack(sm.from_dlpack(plain))) == plain.address


def test_a_capsule_keeps_memory_alive_and_frees_it():
    gc.collect()
    before = sm.memory_info().bytes_in_use
    for dtype in ("f32", "bf16"):
        ours = sm.ones(1000, dtype)
        size = ours.nbytes
        theirs = ours.__dlpack__()
        unused = ours.__dlpack__(max_version=(1, 0))
        del ours
        assert sm.memory_info().bytes_in_use - before == size
        del theirs, unused
        assert sm.memory_info().bytes_in_use == before


def test_an_imported_object_is_kept_alive_and_freed():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensor = torch.ones(1000)
    watch = weakref.ref(tensor.untyped_storage())
    ours = sm.from_dlpack(tensor)
    view = ours[5:]
    del tensor, ours
    assert view.tolist() == [1] * 995
    del view
    gc.collect()
    assert watch() is None


def test_read_only_memory_is_not_handed_out_as_writable():
    readonly = sm.ones(1).broadcast_to(3)
    with pytest.raises(BufferError):
        readonly.__dlpack__()
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert sm.from_dlpack(np.from_dlpack(readonly)).is_readonly
    del torch


class Old:
    """A producer from before DLPack had versions, on a device of the given type."""

    def __init__(self, kind=1):
        self.kind = kind

    def __dlpack_device__(self):
        return (self.kind, 0)

    def __dlpack__(self, stream=None):
        return np.ones(2).__dlpack__()


def test_old_and_foreign_producers():
    assert sm.from_dlpack(Old()).tolist() == [1, 1]
    with pytest.raises(sm.UserInputError, match=r"a Old on another device .*type 2\); copy it"):
        sm.from_dlpack(Old(2))
    with pytest.raises(sm.UserInputError, match="expected an object with __dlpack__, got list"):
        sm.from_dlpack([1])


def test_xarray_carries_our_arrays_and_dtypes():
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    ours = sm.array([[1.0, 2.0], [3.0, 5.0]])
    carried = xarray.DataArray(ours, dims=("row", "column"))
    assert carried.dtype == sm.float32
    assert carried.mean("row").values.tolist() == [2.0, 3.5]
    assert carried.astype(sm.float64).dtype == sm.float64
    assert xarray.DataArray(ours.astype("bf16")).dtype == sm.bfloat16


def test_dask_cuts_our_arrays_and_knows_our_dtypes():
    dask_array = pytest.importorskip("dask.array", reason="Dask is not installed")
    ours = sm.arange(12).reshape(3, 4)
    cut = dask_array.from_array(ours, chunks=2, asarray=False)
    assert cut.dtype == sm.int32
    assert np.asarray(cut.compute()).tolist() == ours.tolist()
    assert dask_array.zeros(4, dtype=sm.float32).dtype == sm.float32


def test_scikit_learn_takes_our_arrays_and_dtypes():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.linear_model import LinearRegression
    from sklearn.utils import check_array

    ours = sm.array([[0.0], [1.0], [2.0]])
    assert check_array(ours, dtype=sm.float64).dtype == sm.float64
    model = LinearRegression().fit(ours, sm.array([1.0, 3.0, 5.0]))
    np.testing.assert_allclose(model.predict(ours), [1.0, 3.0, 5.0], rtol=1e-5)
