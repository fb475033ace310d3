"""Memory is exchanged with other libraries without copies, and stays alive as long as needed."""

import gc
import os
import subprocess
import sys
import weakref
from array import array

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
    with pytest.raises(AttributeError, match="expected an object with __dlpack__, got list"):
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


# --- Buffers -------------------------------------------------------------------------------------


def test_writes_are_seen_on_both_sides_of_shared_memory():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    host, tensor, bytes_ = np.zeros(3, "f4"), torch.zeros(3), bytearray(3)
    numbers = array("f", [0, 0, 0])
    for theirs in (host, tensor, bytes_, numbers, memoryview(numbers)):
        ours = sm.asarray(theirs, copy=False)
        ours[0] = 7
        theirs[1] = 5
        assert [float(x) for x in theirs] == ours.tolist() == [7, 5, 0]
    ours = sm.zeros(3)
    for theirs in (ours.numpy(), np.asarray(ours, copy=False), torch.asarray(ours)):
        ours[0], theirs[1] = 3, 4
        assert theirs.tolist() == ours.tolist() == [3, 4, 0]
        ours[...] = 0


@pytest.mark.parametrize("dtype", ["float64", "int64", "float32", "bool"])
def test_torchs_asarray_keeps_dtype_and_shape(dtype):
    """It would take ``__buffer__``, if arrays had it, for bytes of float32: they have none."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ours = sm.array([[0, 1, 1], [1, 0, 1]], dtype)
    theirs = torch.asarray(ours)
    assert (tuple(theirs.shape), str(theirs.dtype)) == ((2, 3), f"torch.{dtype}")
    assert theirs.tolist() == ours.tolist()
    assert memoryview(ours.numpy()).tolist() == ours.tolist()


def test_immutable_arrays_see_what_is_written_to_ours():
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    ours = sm.zeros(3)
    theirs = jnp.from_dlpack(ours)
    ours[1] = 4
    assert theirs.tolist() == [0, 4, 0]


def test_mlx_is_imported_without_a_copy_and_exported_with_one():
    mx = pytest.importorskip("mlx.core", reason="mlx is not installed")
    theirs = mx.arange(6).reshape(2, 3).T
    mx.eval(theirs)
    ours = sm.asarray(theirs, copy=False)
    assert ours.address == address(np.asarray(memoryview(theirs)))
    assert (ours.strides, ours.is_readonly) == ((4, 12), True)
    source = sm.zeros(2)
    copied = mx.array(source)
    source[0] = 1
    assert copied.tolist() == [0, 0]  # as MLX does with all that it takes


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_lazy_arrays_are_computed_when_they_are_exported(dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    lazy = sm.ones(3, dtype) + 1
    assert lazy.pending is not None
    theirs = torch.from_dlpack(lazy)
    assert theirs.tolist() == [2, 2, 2]
    assert theirs.data_ptr() == lazy.address


def test_what_is_imported_that_kernels_cannot_use_is_copied():
    swapped = np.arange(3, dtype=">f4")
    uneven = np.frombuffer(bytearray(13), "f4", 3, 1)
    for host in (swapped, uneven):
        ours = sm.asarray(host)
        assert (ours.dtype, ours.tolist()) == (sm.float32, host.tolist())
        with pytest.raises(ValueError, match="without a copy; pass copy=None"):
            sm.asarray(host, copy=False)


def test_repeated_and_read_only_memory_is_imported_read_only():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    fixed = np.zeros(3)
    fixed.flags.writeable = False
    repeated = np.lib.stride_tricks.as_strided(np.ones(1), (3,), (0,))
    assert repeated.flags.writeable
    for theirs in (fixed, repeated, torch.ones(1).expand(3), memoryview(b"abc")):
        ours = sm.asarray(theirs, copy=False)
        with pytest.raises(sm.UserInputError, match="read-only"):
            ours[0] = 1
    assert sm.asarray(np.arange(6.0)[::-2]).strides == (-16,)


def test_tensors_that_cannot_be_shared_say_why():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(sm.UserInputError, match="gradient"):
        sm.asarray(torch.ones(2, requires_grad=True))
    with pytest.raises(sm.UserInputError, match="conjugate"):
        sm.asarray(torch.ones(2, dtype=torch.complex64).conj())


# --- The array API's own libraries ---------------------------------------------------------------


def test_array_api_compat_knows_our_arrays_and_computes_nothing():
    compat = pytest.importorskip("array_api_compat", reason="array-api-compat is not installed")
    lazy = sm.ones((100, 100)) + 1
    assert compat.array_namespace(lazy, 1.0) is sm
    assert compat.is_array_api_obj(lazy)
    assert compat.is_writeable_array(lazy)
    assert not compat.is_lazy_array(lazy)
    assert (compat.size(lazy), compat.device(lazy)) == (10_000, lazy.device)
    assert compat.to_device(lazy, "cpu") is lazy
    assert lazy.pending is not None


def test_array_api_extra_works_on_our_arrays():
    xpx = pytest.importorskip("array_api_extra", reason="array-api-extra is not installed")
    host = np.arange(6, dtype="f4").reshape(2, 3) ** 2
    x = sm.array(host)
    assert xpx.atleast_nd(x, ndim=3).shape == (1, 2, 3)
    np.testing.assert_allclose(xpx.cov(x).numpy(), np.cov(host), rtol=1e-5)
    assert xpx.at(x, x > 5).add(1, copy=True).tolist() == [[0, 1, 4], [10, 17, 26]]
    assert int(xpx.nunique(sm.array([1, 2, 2]))) == 2
    assert xpx.setdiff1d(sm.array([1, 2, 3]), sm.array([2])).tolist() == [1, 3]
    np.testing.assert_array_equal(xpx.kron(x, x).numpy(), np.kron(host, host))
    half = xpx.apply_where(x > 1, x, lambda part: part / 2, fill_value=-1.0)
    assert half.tolist() == [[-1, -1, 2], [4.5, 8, 12.5]]
    for found in (xpx.pad(x, 1), xpx.sinc(x), xpx.create_diagonal(x), xpx.nan_to_num(x)):
        assert isinstance(found, sm.Array)


def test_einops_rearranges_and_reduces_our_arrays():
    einops = pytest.importorskip("einops.array_api", reason="einops is not installed")
    host = np.arange(24, dtype="f4").reshape(2, 3, 4)
    x = sm.array(host)
    turned = einops.rearrange(x, "a b (c d) -> (a c) b d", d=2)
    assert isinstance(turned, sm.Array)
    want = host.reshape(2, 3, 2, 2).transpose(0, 2, 1, 3).reshape(4, 3, 2)
    np.testing.assert_array_equal(turned.numpy(), want)
    np.testing.assert_allclose(einops.reduce(x, "a b c -> b", "mean").numpy(), host.mean((0, 2)))
    assert einops.repeat(x, "a b c -> a r b c", r=5).shape == (2, 5, 3, 4)


def test_scikit_learn_computes_with_our_arrays():
    """A chain of estimators under `array_api_dispatch`; SciPy wants a switch at its start."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    pytest.importorskip("array_api_compat", reason="array-api-compat is not installed")
    out = in_new_process(
        "import numpy as np, sklearn, speedmetal as sm\n"
        "from sklearn.decomposition import PCA\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "host = np.random.default_rng(0).normal(size=(50, 4)).astype('f4')\n"
        "model = lambda: (StandardScaler(), PCA(2, svd_solver='full'))\n"
        "def run(x):\n"
        "    for step in model(): x = step.fit_transform(x)\n"
        "    return x\n"
        "want = run(host)\n"
        "with sklearn.config_context(array_api_dispatch=True): found = run(sm.asarray(host))\n"
        "np.testing.assert_allclose(abs(found.numpy()), abs(want), atol=1e-4)\n"
        "print(type(found) is sm.Array, found.dtype)\n"
    )
    assert out == "True float32\n"


def test_scipy_computes_with_our_arrays():
    pytest.importorskip("scipy", reason="SciPy is not installed")
    pytest.importorskip("array_api_compat", reason="array-api-compat is not installed")
    out = in_new_process(
        "import numpy as np, scipy.special, scipy.stats, speedmetal as sm\n"
        "host = np.random.default_rng(0).normal(size=(50, 4)).astype('f4')\n"
        "x = sm.asarray(host)\n"
        "for f in (scipy.stats.zscore, scipy.stats.skew, scipy.special.logsumexp,\n"
        "          lambda a: scipy.stats.ttest_ind(a[:, 0], a[:, 1]).pvalue):\n"
        "    np.testing.assert_allclose(np.asarray(f(x)), f(host), rtol=1e-3, atol=1e-5)\n"
        "    print(type(f(x)) is sm.Array)\n"
    )
    assert out == "True\n" * 4


def in_new_process(program):
    """What a program prints where SciPy was told to take other arrays than NumPy's."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return done.stdout


def test_xarray_labels_our_arrays_and_leaves_them_ours():
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    host = np.arange(6, dtype="f4").reshape(2, 3)
    data = {"dims": ("row", "column"), "coords": {"column": [10, 20, 30]}}
    ours, theirs = xarray.DataArray(sm.array(host), **data), xarray.DataArray(host, **data)
    for compute in (
        lambda d: d * 2 + d.sel(column=20),
        lambda d: d + d.sel(column=[10, 30]),  # aligned by label
        lambda d: d.mean("column"),
        lambda d: d.where(d > 2).std("row", ddof=1),
        lambda d: (d > 2).std("row"),
        lambda d: d.reindex(column=[20, 40]),
        lambda d: xarray.dot(d, d, dim="column"),
        lambda d: np.sin(d).cumsum("row"),
        lambda d: xarray.concat([d, d], "row"),
    ):
        assert isinstance(compute(ours).data, sm.Array)
        np.testing.assert_allclose(compute(ours).values, compute(theirs).values, rtol=1e-5)


def test_xarrays_arrays_answer_for_both():
    xarray = pytest.importorskip("xarray", reason="xarray is not installed")
    x = sm.arange(3)
    named = xarray.DataArray(x, dims="a")
    for found in (x + named, named + x, np.add(x, named)):
        assert isinstance(found, xarray.DataArray)
        assert found.values.tolist() == [0, 2, 4]


# --- Dask ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_dask_computes_with_blocks_of_ours(scheduler):
    dask = pytest.importorskip("dask", reason="Dask is not installed")
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    host = np.arange(64, dtype="f4").reshape(8, 8)
    x = da.from_array(sm.array(host), chunks=4, asarray=False)
    pad = np.pad(host, 1, mode="edge")
    with dask.config.set(scheduler=scheduler):
        for lazy, want in (
            (x.map_blocks(sm.sin), np.sin(host)),
            (x.sum(), host.sum()),
            (x.mean(axis=0), host.mean(axis=0)),
            (x.std(axis=1), host.std(axis=1)),
            (x.max(), host.max()),
            (x @ x.T, host @ host.T),
            (da.tensordot(x, x, axes=2), np.tensordot(host, host, axes=2)),
            ((x[1:6, ::2] + 1).T, (host[1:6, ::2] + 1).T),
            (x.map_overlap(beside, depth=1, boundary="nearest"), pad[:-2, 1:-1] + pad[2:, 1:-1]),
        ):
            found = lazy.compute()
            assert isinstance(found, sm.Array)
            np.testing.assert_allclose(found.numpy(), want, rtol=1e-5, atol=1e-6)


def beside(block):
    """The sum of the neighbours along the first axis."""
    return sm.roll(block, 1, axis=0) + sm.roll(block, -1, axis=0)


def test_dasks_arrays_answer_for_both():
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    da.register_chunk_type(sm.Array)
    x = sm.arange(4)
    cut = da.from_array(x, chunks=2, asarray=False)
    for lazy in (x + cut, cut + x, np.add(x, cut)):
        assert isinstance(lazy, da.Array)
        assert lazy.compute().tolist() == [0, 2, 4, 6]


def test_dask_knows_content_and_size():
    base = pytest.importorskip("dask.base", reason="Dask is not installed")
    sizeof = pytest.importorskip("dask.sizeof", reason="Dask is not installed")
    x = sm.zeros(1000)
    token = base.tokenize(x)
    assert token == base.tokenize(x.copy())
    x[0] = 1
    assert token != base.tokenize(x)
    assert 4000 < sizeof.sizeof(x) < 4500


def test_dasks_processes_exchange_arrays():
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    host = np.arange(64, dtype="f4").reshape(8, 8)
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        x = da.from_array(sm.array(host), chunks=4, asarray=False)
        found = (x.map_blocks(sm.sin) @ x.T).compute()
        assert isinstance(found, sm.Array)
        np.testing.assert_allclose(found.numpy(), np.sin(host) @ host.T, rtol=1e-4, atol=1e-3)
        sent = client.scatter(sm.arange(5) * 2)
        assert int(client.submit(sm.sum, sent).result()) == 20
