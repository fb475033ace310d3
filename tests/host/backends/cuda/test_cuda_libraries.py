"""Products, transforms and decompositions by NVIDIA's libraries, of which NumPy stands in.

What a routine is told decides what it computes (`cuda_libraries`); kernels run on the host.
"""

from __future__ import annotations

import gc
import sys
import threading
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from cuda_foreign import OtherLibrary
from cuda_libraries import WORKSPACE_BYTES, Status, libraries
from cuda_machine import DryDriver, dry_device
from speedmetal.arrays.algebra import by_library, library_matrices, library_transforms, products
from speedmetal.backends import registry
from speedmetal.backends.cuda.libraries import bindings


@pytest.fixture(scope="module")
def machine(host):
    """A device, and the libraries that it has."""
    driver = DryDriver()
    driver.on_launch, driver.untold = host.run, ()
    made = dry_device(driver)
    made.time_limit_seconds = 20
    found = libraries(driver)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nvmath", types.ModuleType("nvmath"))
        for name, library in found.items():
            patch.setitem(sys.modules, f"nvmath.bindings.{name}", library)
        bindings.load.cache_clear()
        for kept in (
            by_library._ways,
            by_library._small,
            library_transforms._ways,
            library_transforms._plans,
        ):
            kept.clear()
        assert all(made.routines.has(name) for name in found)
        yield made, found
        bindings.load.cache_clear()


@pytest.fixture(scope="module")
def device(machine):
    return machine[0]


@pytest.fixture
def called(machine):
    """The routines that are called meanwhile, in order."""
    lists = {name: library.called for name, library in machine[1].items()}
    for calls in lists.values():
        calls.clear()
    return lists


def numbers(shape, dtype=np.float32, seed=0):
    random = np.random.default_rng(seed)
    found = random.uniform(-1, 1, shape)
    if np.dtype(dtype).kind == "c":
        found = found + 1j * random.uniform(-1, 1, shape)
    return found.astype(dtype)


def close(ours, expected, factor=200):
    found = ours.numpy()
    real = np.zeros((), found.dtype).real.dtype
    eps = 2**-8 if real.name == "bfloat16" else float(np.finfo(real).eps)
    assert found.shape == np.shape(expected)
    scale = max(float(np.abs(expected).max(initial=0)), 1)
    wide = np.complex128 if found.dtype.kind == "c" else np.float64
    np.testing.assert_allclose(found.astype(wide), expected, rtol=0, atol=factor * eps * scale)


# --- Products ------------------------------------------------------------------------------------


VIEWS = {
    "by rows": lambda x: x,
    "by columns": lambda x: np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2),
    "part of rows": lambda x: np.concatenate([x, x], axis=-1)[..., : x.shape[-1]],
    "part of columns": lambda x: np.concatenate([x, x], axis=-2)[..., : x.shape[-2], :],
    "backwards": lambda x: np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
}


def seen_alike(device, view, x):
    """Ours, whose elements lie as those of NumPy's view."""
    host = VIEWS[view](x)
    base = host
    while base.base is not None and base.base.size >= base.size:
        base = base.base
    whole = sm.array(np.ascontiguousarray(base), device=device)
    if view == "by rows":
        return whole
    if view == "by columns":
        return sm.array(np.ascontiguousarray(x.swapaxes(-1, -2)), device=device).mT
    if view == "part of rows":
        return sm.array(np.concatenate([x, x], axis=-1), device=device)[..., : x.shape[-1]]
    if view == "part of columns":
        return sm.array(np.concatenate([x, x], axis=-2), device=device)[..., : x.shape[-2], :]
    if view == "backwards":
        return sm.array(np.ascontiguousarray(x[..., ::-1]), device=device)[..., ::-1]
    return sm.array(np.repeat(x, 2, axis=-1), device=device)[..., ::2]


SHAPES = [
    ((3, 4), (4, 5)),
    ((1, 4), (4, 5)),
    ((3, 4), (4, 1)),
    ((1, 1), (1, 1)),
    ((3, 1), (1, 5)),
    ((2, 3, 4), (4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (3, 4, 5)),
    ((2, 1, 3, 4), (1, 3, 4, 5)),
    ((2, 2, 3, 4), (1, 1, 4, 5)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("views", [(a, b) for a in VIEWS for b in VIEWS], ids="-".join)
def test_products_of_views(device, called, shapes, views):
    a, b = numbers(shapes[0]), numbers(shapes[1], seed=1)
    left, right = (seen_alike(device, view, x) for view, x in zip(views, (a, b), strict=True))
    close(left @ right, a.astype(np.float64) @ b)
    assert called["cublasLt"] == ["matmul"]


@pytest.mark.parametrize("dtype", ["f2", "bfloat16", "f4", "f8", "c8", "c16"])
def test_products_of_dtypes(machine, dtype):
    """The library is told the type of sums, and that halves are not added up as halves."""
    device, found = machine
    kind = sm.bfloat16.numpy if dtype == "bfloat16" else np.dtype(dtype)
    a, b = numbers((7, 9), kind), numbers((9, 6), kind, 1)
    wide = np.complex128 if kind.kind == "c" else np.float64
    product = sm.array(a, device=device) @ sm.array(b, device=device)
    close(product, a.astype(wide) @ b.astype(wide), 4)
    asked = found["cublasLt"].asked[-1]
    assert asked["compute"] == (70 if kind.name in ("float64", "complex128") else 68)
    assert asked.get(3) == (2 if kind.itemsize == 2 else None)  # CUBLASLT_..._COMPUTE_TYPE


@pytest.mark.parametrize("mode", ["tf32", "fast"])
def test_products_of_float32_are_rounded_to_tf32_where_that_is_allowed(device, called, mode):
    """Also of operands that lie as they did in the other mode, and of small ones again."""
    a, b = np.zeros((4, 8), np.float32), np.ones((8, 4), np.float32)
    a[:, 0], a[:, 1] = 1 + 2.0**-20, -1
    x, y = sm.array(a, device=device), sm.array(b, device=device)
    for _ in range(3):
        assert ((x @ y).numpy() == np.float32(2.0**-20)).all()
        with sm.math_mode(mode):
            assert ((x @ y).numpy() == 0).all()
            wide = x.astype(sm.float64) @ y.astype(sm.float64)
        assert (wide.numpy() == 2.0**-20).all()
    assert called["cublasLt"].count("matmul") == 9


def test_products_tell_how_addresses_are_aligned(machine):
    device, found = machine
    whole = sm.array(numbers(200), device=device)
    left, right = whole[1:13].reshape((3, 4)), whole[20:40].reshape((4, 5))
    close(left @ right, left.numpy().astype(np.float64) @ right.numpy())
    asked = found["cublasLt"].asked[-1]
    assert [asked[place] for place in (5, 6, 7, 8)] == [16, 4, 256, 256]  # b comes first


def test_products_of_integers_are_our_kernels(device, called):
    x = sm.array(np.arange(6, dtype=np.int32).reshape(2, 3), device=device)
    assert products._way(x, x.T, (2, 2), "auto") is products.Way.BLOCKS
    assert called["cublasLt"] == []


def test_products_of_nothing(device, called):
    left, right = sm.zeros((2, 0), device=device), sm.zeros((0, 3), device=device)
    assert (left @ right).tolist() == [[0.0] * 3] * 2
    assert (sm.zeros((0, 4), device=device) @ sm.zeros((4, 3), device=device)).shape == (0, 3)
    assert called["cublasLt"] == []


def test_a_product_is_lazy_and_so_is_what_follows(device, called, monkeypatch):
    """But of a small one more is known than it costs: it is asked for at once."""
    monkeypatch.setitem(products._AT_ONCE, products.Way.LIBRARY, 5 * 6 * 7 - 1)
    a, b = numbers((5, 6)), numbers((6, 7), seed=1)
    found = (sm.array(a, device=device) @ sm.array(b, device=device)) * 2 + 1
    assert called["cublasLt"] == []
    close(found, 2 * (a.astype(np.float64) @ b) + 1)
    assert called["cublasLt"] == ["matmul"]


def test_products_of_expressions_and_of_products(device, called):
    a, b = numbers((5, 6)), numbers((6, 5), seed=1)
    left, right = sm.array(a, device=device), sm.array(b, device=device)
    found = (left * 2) @ (right - 1) @ (left @ right)
    wide = a.astype(np.float64)
    close(found, (wide * 2) @ (b - 1.0) @ (wide @ b))
    assert called["cublasLt"] == ["matmul"] * 3


def test_einsum_and_tensordot_and_vectors(device, called):
    a, b = numbers((2, 3, 4)), numbers((4, 3, 5), seed=1)
    left, right = sm.array(a, device=device), sm.array(b, device=device)
    close(sm.tensordot(left, right, axes=((1, 2), (1, 0))), np.tensordot(a, b, ((1, 2), (1, 0))))
    close(sm.einsum("ijk,kjl->il", left, right), np.einsum("ijk,kjl->il", a, b))
    close(sm.vecdot(left, left), (a.astype(np.float64) ** 2).sum(-1))
    close(left[0] @ left[0, 0], a[0] @ a[0, 0])
    assert called["cublasLt"] == ["matmul"] * 4


def test_routines_work_in_the_stream_of_another_library(machine, called, monkeypatch):
    """Handles that know one stream are told of another; no workspace is used in both."""
    device, found = machine
    monkeypatch.setitem(registry._present, "cuda", device)
    other = OtherLibrary(found["cublasLt"].driver)
    a = numbers((6, 6))
    symmetric = a @ a.T + 6 * np.eye(6, dtype=np.float32)
    x = sm.array(symmetric, device=device)
    with sm.cuda.stream(other):
        close(x @ x, symmetric.astype(np.float64) @ symmetric)
        close(sm.linalg.cholesky(x), np.linalg.cholesky(symmetric.astype(np.float64)))
        assert found["cusolverDn"].stream == other.number
        close(sm.fft.fft(sm.astype(x, sm.complex64)), np.fft.fft(symmetric))
    close(sm.linalg.cholesky(x), np.linalg.cholesky(symmetric.astype(np.float64)))
    assert found["cusolverDn"].stream == device.stream.native.value


def test_operands_live_until_the_product_is_done(device):
    """Their memory goes back to the pool while the library still reads it, and is not written."""
    a, b = numbers((40, 40)), numbers((40, 40), seed=1)
    found = sm.array(a, device=device) @ sm.array(b, device=device)
    sm.eval(found)
    gc.collect()
    others = [sm.array(np.full((40, 40), 9, np.float32), device=device) for _ in range(3)]
    close(found, a.astype(np.float64) @ b)
    del others


def test_a_graph_has_products(device):
    a, b = numbers((4, 4)), numbers((4, 4), seed=1)
    left, right = sm.array(a, device=device), sm.array(b, device=device)
    sm.eval(left @ right)
    with sm.capture(device) as graph:
        product = left @ right
        sm.eval(product)
    left[...] = 2 * a
    graph.replay()
    close(product, 2 * a.astype(np.float64) @ b)
    del product, left, right
    gc.collect()
    graph.replay()
    device.synchronize()


def test_memory_that_products_work_in_is_given_back(device):
    left, right = (sm.array(numbers((6, 6), seed=n), device=device) for n in range(2))
    sm.eval(left @ right)
    device.synchronize()
    device.empty_cache()
    before = device.memory_info().bytes_in_use
    sm.eval(left @ right)
    device.synchronize()
    gc.collect()
    assert device.memory_info().bytes_in_use >= before + WORKSPACE_BYTES
    device.empty_cache()
    assert device.memory_info().bytes_in_use == before


def test_no_algorithm_is_our_kernel(machine, monkeypatch):
    device, found = machine
    by_library._ways.clear()
    by_library._small.clear()
    monkeypatch.setattr(
        found["cublasLt"], "refusals", {"matmul_algo_get_heuristic": "NOT_SUPPORTED (15)"}
    )
    kernel = []
    monkeypatch.setattr(products, "_by_kernel", lambda *given: kernel.append(given) or given[0])
    left = sm.array(numbers((3, 3)), device=device)
    sm.eval(left @ left)
    assert len(kernel) == 1
    by_library._ways.clear()
    by_library._small.clear()


def test_a_refused_product_says_what_to_do(machine, monkeypatch):
    device = machine[0]
    left = sm.array(numbers((3, 3)), device=device)
    sm.eval(left @ left)
    library = device.routines.products

    def refuse(*_):
        raise Status("ALLOC_FAILED (3)")

    monkeypatch.setattr(library, "_multiply", refuse)
    sm.eval(left @ left)
    text = (
        "cuda: the launch of kernel 'cublasLtMatmul' was not done: RoutineError: cublasLtMatmul of"
        " NVIDIA's cuBLASLt answered ALLOC_FAILED (3); the GPU has no memory left: delete arrays,"
        " or call sm.empty_cache()"
    )
    with pytest.raises(sm.DeviceError) as raised:
        device.synchronize()
    assert str(raised.value) == text
    monkeypatch.undo()
    close(left @ left, left.numpy().astype(np.float64) @ left.numpy())


# --- Without the libraries -----------------------------------------------------------------------


@pytest.fixture
def bare(host, monkeypatch):
    """A device of a machine where nvmath-python is not installed."""

    def absent(name):
        raise ModuleNotFoundError("No module named 'nvmath'")

    monkeypatch.setattr(bindings, "importlib", types.SimpleNamespace(import_module=absent))
    bindings.load.cache_clear()
    driver = DryDriver()
    driver.on_launch, driver.untold = host.run, ()
    made = dry_device(driver)
    made.time_limit_seconds = 20
    yield made
    bindings.load.cache_clear()


def test_without_the_package_kernels_multiply(bare):
    x = sm.array(numbers((3, 3)), device=bare)
    assert products._way(x, x, (3, 3), "auto") is products.Way.BLOCKS
    with pytest.raises(sm.DeviceError) as raised:
        products.matmul(x, x, algorithm="vendor")
    assert str(raised.value) == (
        "NVIDIA's cuBLASLt was not found (ModuleNotFoundError: No module named 'nvmath'); install"
        " it with pip install 'nvmath-python[cu13]', or nvmath-python and nvidia-cublas"
    )


def test_without_the_package_the_host_decomposes_and_transforms(bare):
    x = numbers((3, 3))
    found = sm.linalg.inv(sm.array(x, device=bare))
    assert found.device is bare
    close(found, np.linalg.inv(x.astype(np.float64)), 1000)
    close(sm.fft.fft(sm.array(x, device=bare)), np.fft.fft(x))


def test_drivers_of_cuda_12_are_told_their_package(bare):
    with pytest.raises(sm.DeviceError, match=r"nvmath-python\[cu12\].*nvidia-cufft-cu12"):
        bindings.load("cufft", 12)


def test_integers_by_the_vendor_are_numpys(bare):
    x = np.arange(6, dtype=np.int32).reshape(2, 3)
    ours = sm.array(x, device=bare)
    assert products.matmul(ours, ours.T, algorithm="vendor").tolist() == (x @ x.T).tolist()


# --- Transforms ----------------------------------------------------------------------------------


SINGLE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("name", SINGLE)
@given(
    shape=st.sampled_from([(5,), (6,), (1,), (3, 4), (2, 3, 4), (2, 1, 5)]),
    axis=st.integers(0, 2),
    n=st.sampled_from([None, 1, 2, 3, 4, 7]),
    wide=st.booleans(),
    view=st.sampled_from(["whole", "transposed", "backwards"]),
)
def test_transforms_along_an_axis(device, name, norm, shape, axis, n, wide, view):
    axis %= len(shape)
    is_real = name in ("rfft", "ihfft")
    dtype = np.dtype(("f8" if wide else "f4") if is_real else ("c16" if wide else "c8"))
    x = numbers(shape, dtype)
    if name in ("irfft", "hfft") and n is None and shape[axis] == 1:
        n = 2
    ours = sm.array(x, device=device)
    if view == "transposed":
        x, ours = x.T, ours.T
        axis = x.ndim - 1 - axis
    elif view == "backwards":
        x, ours = x[::-1], ours[::-1]
    found = getattr(sm.fft, name)(ours, n=n, axis=axis, norm=norm)
    close(found, getattr(np.fft, name)(x, n=n, axis=axis, norm=norm), 50)


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@given(
    shape=st.sampled_from([(3, 4), (2, 3, 4), (2, 3, 2, 4), (2, 2, 2, 2, 2)]),
    axes=st.sampled_from([None, (0, 1), (1, 0), (-1,), (-2, -1), (0, -1)]),
    lengths=st.sampled_from([None, -1, 5, 2]),
)
def test_transforms_along_several_axes(device, name, shape, axes, lengths):
    x = numbers(shape, np.float32 if name == "rfftn" else np.complex64)
    s = None if lengths is None or axes is None else (lengths,) * len(axes)
    transform = getattr(sm.fft, name)
    found = transform(sm.array(x, device=device), s=s, axes=axes)
    close(found, transform(sm.array(x, device="cpu"), s=s, axes=axes).numpy(), 50)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("fft", np.complex64),
        ("fft", np.float32),
        ("fft", np.float64),
        ("ifft", np.complex64),
        ("ifft", np.float32),
        ("rfft", np.float32),
    ],
)
@pytest.mark.parametrize("norm", ["backward", "ortho"])
def test_small_transforms_are_asked_for_at_once_when_they_come_again(
    device, called, name, kind, norm
):
    transform = getattr(sm.fft, name)
    x = numbers((3, 8), kind)
    expected = getattr(np.fft, name)(x, norm=norm)
    close(transform(sm.array(x, device=device), norm=norm), expected)
    calls = len(called["cufft"])
    again = transform(sm.array(2 * x, device=device), norm=norm)
    assert len(called["cufft"]) == calls + 1
    close(again, 2 * expected)
    close(
        transform(sm.array(x, device=device), n=6, norm=norm),
        getattr(np.fft, name)(x, 6, norm=norm),
    )
    for index in (np.s_[:, ::-1], np.s_[:, 1::2], np.s_[1:, 1:7]):
        for _ in range(2):
            part = sm.array(x, device=device)[index]
            close(transform(part, norm=norm), getattr(np.fft, name)(x[index], norm=norm))


def test_one_plan_for_three_axes_and_two_for_more(machine, called):
    device = machine[0]
    sm.eval(sm.fft.fftn(sm.array(numbers((2, 3, 4), np.complex64), device=device)))
    assert len(called["cufft"]) == 1
    sm.eval(sm.fft.fftn(sm.array(numbers((2, 2, 3, 4), np.complex64), device=device)))
    assert len(called["cufft"]) == 3


def test_plans_are_kept_and_forgotten_ones_destroyed(machine):
    device, found = machine
    cufft = found["cufft"]
    library_transforms._ways.clear()
    library_transforms._repeated.clear()
    library_transforms._plans.clear()
    made = len(cufft.plans)
    x = sm.array(numbers((3, 8), np.complex64), device=device)
    for _ in range(3):
        sm.eval(sm.fft.fft(x))
    assert len(cufft.plans) == made + 1
    device.synchronize()
    library_transforms._ways.clear()
    library_transforms._repeated.clear()
    library_transforms._plans.clear()
    gc.collect()
    before = len(cufft.destroyed)
    sm.eval(sm.fft.ifft(x[:2]))
    assert len(cufft.destroyed) > before


def test_axes_in_the_middle_are_read_where_they_are(device, called):
    """The first axis of two has a stride of its own; only an axis between others takes a copy."""
    x = sm.array(numbers((4, 5, 6), np.complex64), device=device)
    placed = library_transforms.spread(x[0].T.elements, 1)
    assert (placed.stride, placed.distance) == (6, 1)
    assert library_transforms.spread(x.transpose((0, 2, 1)).elements, 1) is None
    close(sm.fft.fft(x, axis=1), np.fft.fft(x.numpy(), axis=1))


# --- Decompositions ------------------------------------------------------------------------------

KINDS = [np.float32, np.float64, np.complex64, np.complex128]
STACKS = [(), (1,), (3,), (2, 2)]


def positive(shape, dtype):
    x = numbers(shape, dtype)
    return x @ x.conj().swapaxes(-1, -2) + shape[-1] * np.eye(shape[-1], dtype=dtype)


def ours_of(device, x, by_columns):
    """Ours, whose elements lie by columns where that is asked for."""
    if not by_columns:
        return sm.array(x, device=device)
    return sm.array(np.ascontiguousarray(x.swapaxes(-1, -2)), device=device).mT


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("by_columns", [False, True])
@pytest.mark.parametrize("upper", [False, True])
def test_cholesky(device, dtype, stack, by_columns, upper):
    x = positive((*stack, 4, 4), dtype)
    other = np.tril(np.full((4, 4), 77), -1) if upper else np.triu(np.full((4, 4), 77), 1)
    found = sm.linalg.cholesky(ours_of(device, (x + other).astype(dtype), by_columns), upper=upper)
    close(found, np.linalg.cholesky(x, upper=upper))


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("by_columns", [False, True])
def test_eigh(device, dtype, stack, by_columns):
    x = positive((*stack, 4, 4), dtype)
    spoiled = x + np.triu(np.full((4, 4), 77), 1).astype(dtype)  # only the lower one is read
    values, vectors = sm.linalg.eigh(ours_of(device, spoiled, by_columns))
    close(values, np.linalg.eigvalsh(x))
    close(sm.linalg.eigvalsh(ours_of(device, spoiled, by_columns)), np.linalg.eigvalsh(x))
    v = vectors.numpy().astype(np.complex128)
    np.testing.assert_allclose(x @ v, v * values.numpy()[..., None, :], atol=3e-4)
    np.testing.assert_allclose(v.conj().swapaxes(-1, -2) @ v, np.eye(4) + 0 * x, atol=1e-4)


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("by_columns", [False, True])
def test_solve_and_inv(device, dtype, stack, by_columns):
    x, b = numbers((*stack, 4, 4), dtype) + 3 * np.eye(4, dtype=dtype), numbers((4, 3), dtype, 1)
    ours, sides = ours_of(device, x, by_columns), ours_of(device, b, by_columns)
    close(sm.linalg.inv(ours), np.linalg.inv(x))
    close(sm.linalg.solve(ours, sides), np.linalg.solve(x, b))
    close(sm.linalg.solve(ours, sides[:, 0]), np.linalg.solve(x, b[:, 0]))
    many = np.broadcast_to(b, (2, *(1 for _ in stack), 4, 3))
    close(sm.linalg.solve(ours, sm.array(many, device=device)), np.linalg.solve(x, many))


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 3), (3, 1)])
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_qr(device, dtype, stack, shape, mode):
    x = numbers((*stack, *shape), dtype)
    q, r = (part.numpy() for part in sm.linalg.qr(sm.array(x, device=device), mode))
    expected = np.linalg.qr(x, mode)
    assert (q.shape, r.shape) == (expected.Q.shape, expected.R.shape)
    np.testing.assert_allclose(q @ r, x, atol=1e-5)
    side = q.shape[-1]
    np.testing.assert_allclose(
        q.conj().swapaxes(-1, -2) @ q,
        np.broadcast_to(np.eye(side), (*stack, side, side)),
        atol=1e-5,
    )
    assert (np.tril(r, -1) == 0).all()


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 3), (40, 3), (3, 40)])
@pytest.mark.parametrize("full", [False, True])
def test_svd(device, dtype, stack, shape, full):
    x = numbers((*stack, *shape), dtype)
    u, s, vh = sm.linalg.svd(sm.array(x, device=device), full_matrices=full)
    expected = np.linalg.svd(x, full)
    close(s, expected.S)
    close(sm.linalg.svdvals(sm.array(x, device=device)), expected.S)
    u, s, vh = u.numpy(), s.numpy(), vh.numpy()
    assert (u.shape, vh.shape) == (expected.U.shape, expected.Vh.shape)
    few = s.shape[-1]
    np.testing.assert_allclose((u[..., :few] * s[..., None, :]) @ vh[..., :few, :], x, atol=1e-5)
    for own in (u.conj().swapaxes(-1, -2) @ u, vh @ vh.conj().swapaxes(-1, -2)):
        np.testing.assert_allclose(
            own, np.broadcast_to(np.eye(own.shape[-1]), own.shape), atol=1e-5
        )


def test_columns_of_zeros_are_reflected_by_nothing(device):
    """LAPACK's factor is 0 then, which has no reciprocal."""
    x = np.zeros((2, 4, 3), np.float32)
    x[0, 0] = x[1, :, 1] = 1
    q, r = (part.numpy() for part in sm.linalg.qr(sm.array(x, device=device), "complete"))
    np.testing.assert_allclose(q @ r, x, atol=1e-6)
    np.testing.assert_allclose(q.swapaxes(-1, -2) @ q, [np.eye(4)] * 2, atol=1e-6)


def test_integers_are_computed_in_float32(device):
    whole = sm.linalg.inv(sm.array([[2, 0], [0, 4]], device=device))
    assert whole.tolist() == [[0.5, 0.0], [0.0, 0.25]]


def wrong(stack, dtype=np.float32):
    x = np.broadcast_to(np.eye(3, dtype=dtype), (*stack, 3, 3)).copy()
    x[(-1,) * len(stack)] = 0
    return x


REFUSED = {
    "cholesky": (lambda x: sm.linalg.cholesky(x - 1), "is not positive definite"),
    "inv": (sm.linalg.inv, "is singular"),
    "solve": (lambda x: sm.linalg.solve(x, sm.ones((3, 1), device=x.device)), "is singular"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    ("stack", "which"), [((), "the matrix"), ((2, 3), "matrix [1, 2] of the stack")]
)
def test_matrices_that_have_not_what_is_needed(device, name, stack, which):
    call, reason = REFUSED[name]
    x = wrong(stack)
    if name == "cholesky":
        x = x * 3 + 1
        x[(-1,) * len(stack)] = 0
    with pytest.raises(sm.linalg.LinAlgError) as raised:
        call(sm.array(x, device=device))
    assert str(raised.value) == f"{name}: {which} {reason}"


@pytest.mark.parametrize("name", ["eigh", "eigvalsh", "svd", "svdvals"])
def test_nan_is_refused(device, name):
    x = sm.array(np.full((3, 3), np.nan, np.float32), device=device)
    with pytest.raises(sm.linalg.LinAlgError) as raised:
        getattr(sm.linalg, name)(x)
    assert str(raised.value) == (
        f"{name}: the matrix has NaN or infinite elements, or no solution was found"
    )


def test_small_matrices_are_done_at_once(device, called):
    x = sm.array(positive((5, 3, 3), np.float32), device=device)
    sm.linalg.cholesky(x)
    sm.linalg.inv(x)
    sm.linalg.eigh(x)
    sm.linalg.svd(x)
    assert called["cublas"] == ["getrf_batched", "getrs_batched"]
    sm.linalg.qr(x)
    assert called["cublas"][2:] == ["geqrf_batched", "getrf_batched", "getrs_batched"]
    assert called["cusolverDn"] == ["potrf_batched", "xsyevd", "gesvdj"]


def test_determinants_go_into_a_graph_at_once(device):
    """Nothing about a size has to be there before; `det` and `slogdet` bring nothing either."""
    for function in (sm.linalg.det, lambda x: sm.linalg.slogdet(x).sign):
        n = 7 if function is sm.linalg.det else 9
        x = numbers((n, n))
        ours = sm.array(x, device=device)
        with sm.capture(device) as graph:
            found = function(ours)
            sm.eval(found)
        graph.replay()
        close(found, np.asarray(function(sm.array(x, device="cpu"))), 100)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_a_determinant_overflows_no_sooner_than_it_must(device, dtype):
    """The product of the diagonal leaves the type on its way, and comes back."""
    large = np.finfo(dtype).max ** 0.6
    sizes = np.array([large, 2, large, 3, 1 / large, 5, 1 / large, 7])
    x = np.stack([np.diag(sizes), np.diag(sizes)[::-1]]).astype(dtype)
    x[:, 0] *= 1j if np.iscomplexobj(x) else -1
    found = sm.linalg.det(sm.array(x, device=device)).numpy()
    np.testing.assert_allclose(found, [210 * x[0, 0, 0] / large] * 2, rtol=1e-5)


def test_stacks_may_have_more_matrices_than_a_grid_has_threads_along_z(device):
    """Which are 65,535 threadgroups of up to 64."""
    count = 65535 * 64 + 1
    x = np.zeros((count, 1, 1), np.float32)
    x[-1] = 2
    ours = sm.array(x, device=device)
    library_matrices._keep_triangle(ours, upper=True)
    assert ours[-1].item() == 2


def test_older_libraries_do_eigenvalues_one_by_one(machine, called, monkeypatch):
    device, found = machine
    x = positive((3, 4, 4), np.float32)
    monkeypatch.setattr(
        found["cusolverDn"],
        "xsyev_batched_buffer_size",
        lambda *_: (_ for _ in ()).throw(Status("function cusolverDnXsyevBatched not found")),
        raising=False,
    )
    close(sm.linalg.eigvalsh(sm.array(x, device=device)), np.linalg.eigvalsh(x))
    assert called["cusolverDn"] == ["xsyevd"] * 3


def test_qr_does_not_wait(machine):
    """What was asked for is under way when it returns; a decomposition that may fail waits."""
    device = machine[0]
    x = sm.array(numbers((4, 4)), device=device)
    device.synchronize()
    sm.linalg.qr(x)
    assert "cusolverDnSorgqr" in device.stream.labels_in_flight()
    sm.linalg.inv(x)
    assert device.stream.labels_in_flight() == []


def test_no_thread_calls_a_library_while_another_asks_it(machine, monkeypatch):
    """Its handles are for one thread at a time."""
    device, found = machine
    is_asked, seen = threading.Event(), []

    def call(_stream, _workspace):
        seen.append(is_asked.is_set())

    other = threading.Thread(target=lambda: device.call_routine("other", call, (), None, 0))

    def asked(*_):
        is_asked.set()
        other.start()
        other.join(0.2)
        is_asked.clear()
        return (96, 16)

    monkeypatch.setattr(found["cusolverDn"], "xgetrf_buffer_size", asked, raising=False)
    sm.linalg.det(sm.array(numbers((4, 4)), device=device))
    other.join()
    device.synchronize()
    assert seen == [False]
