"""Products mean what NumPy's mean: of any shapes, strides and dtypes, by either algorithm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_array import RemoteDevice

import speedmetal as sm
from speedmetal.arrays.algebra import products
from speedmetal.arrays.array import upload
from speedmetal.arrays.host_routines import in_parts
from speedmetal.common.records import replace
from speedmetal.dtypes import ALL
from tiers import examples

DTYPES = [dtype for dtype in ALL if not dtype.is_bool]
REMOTE = RemoteDevice()


def whole_numbers(draw, shape, dtype):
    """Small whole numbers, so that sums are exact in any order, where types are wide enough."""
    low = 0 if dtype.kind.name == "UNSIGNED" else -3
    seed = draw(st.integers(0, 2**16))
    numbers = np.random.default_rng(seed).integers(low, 4, shape)
    host = numbers.astype(dtype.numpy)
    return host * dtype.numpy.type(1 + 1j) if dtype.is_complex else host


@st.composite
def placed(draw, shape, dtype):
    """An array that lies in memory in C order, transposed, reversed or with gaps."""
    how = draw(st.sampled_from(["plain", "transposed", "reversed", "gaps"]))
    host = whole_numbers(draw, shape, dtype)
    if not shape:
        return host
    if how == "transposed":
        return np.ascontiguousarray(host.T).T
    if how == "reversed":
        return np.ascontiguousarray(host[::-1])[::-1]
    if how == "gaps":
        return np.repeat(host, 2, axis=-1)[..., ::2]
    return host


@st.composite
def factors(draw, dtypes=DTYPES):
    """Two arrays that ``@`` takes, vectors among them."""
    shapes = draw(
        hnp.mutually_broadcastable_shapes(
            signature=np.matmul.signature, max_side=5, min_side=0, max_dims=2
        )
    )
    return tuple(
        draw(placed(shape, draw(st.sampled_from(dtypes)))) for shape in shapes.input_shapes
    )


def in_numpy(a, b):
    """The exact product, as NumPy's objects or widest numbers compute it."""
    wide = np.complex128 if "c" in (a.dtype.kind, b.dtype.kind) else np.float64
    return a.astype(wide) @ b.astype(wide)


@pytest.mark.parametrize("algorithm", ["vendor", "native"])
@settings(max_examples=examples(200), deadline=None)
@given(factors=factors())
def test_matmul(algorithm, factors):
    a, b = factors
    dtype = sm.dtypes.promote(*(sm.dtypes.from_numpy(x.dtype) for x in factors))
    if dtype is None:
        with pytest.raises(sm.UserInputError, match="matmul: no dtype holds both"):
            products.matmul(sm.asarray(a), sm.asarray(b))
        return
    result = products.matmul(sm.asarray(a), sm.asarray(b), algorithm=algorithm)
    assert result.dtype == dtype
    wanted = in_numpy(a, b)
    assert result.shape == wanted.shape
    np.testing.assert_array_equal(result.numpy().astype(wanted.dtype), wanted)


@settings(max_examples=examples(40), deadline=None)
@given(factors=factors([sm.float32]))
def test_a_device_with_memory_of_its_own_multiplies_by_the_kernel_or_by_copies(factors):
    a, b = (upload(x, REMOTE) for x in factors)
    for algorithm in products.ALGORITHMS:
        result = products.matmul(a, b, algorithm=algorithm)
        assert result.device is REMOTE
        np.testing.assert_array_equal(result.numpy(), in_numpy(*factors).astype(np.float32))


@pytest.mark.parametrize("dtype", [sm.float32, sm.int32, sm.float16], ids=str)
@pytest.mark.parametrize(
    "shapes",
    [
        ((64, 32, 40), (64, 40, 16)),
        ((9, 7, 32, 40), (40, 33)),
        ((300, 200), (200, 300)),
        ((5, 1, 64, 64), (40, 64, 64)),
        ((1, 64, 64), (90, 64, 64)),
    ],
    ids=str,
)
def test_large_products_are_cut_into_parts(monkeypatch, shapes, dtype):
    monkeypatch.setattr("speedmetal.arrays.host_routines.default_threads", lambda: 3)
    monkeypatch.setattr("speedmetal.arrays.host_routines.LEAST_PART", 1000)
    generator = np.random.default_rng(3)
    a, b = (generator.integers(-2, 3, shape).astype(dtype.numpy) for shape in shapes)
    for algorithm in ("vendor", "auto"):
        result = products.matmul(sm.asarray(a), sm.asarray(b), algorithm=algorithm).numpy()
        np.testing.assert_array_equal(result.astype(np.float64), in_numpy(a, b))


def test_stacks_of_more_matrices_than_a_launch_has_threadgroups(monkeypatch):
    limits = replace(REMOTE.limits, threadgroups=(100, 2, 1))
    monkeypatch.setattr(RemoteDevice, "limits", limits)
    generator = np.random.default_rng(0)
    a, b = (generator.integers(-3, 4, (5, 3, 3)).astype(np.float32) for _ in range(2))
    for left in (upload(a, REMOTE), upload(a, REMOTE) + 0.0):
        np.testing.assert_array_equal((left @ upload(b, REMOTE)).numpy(), a @ b)


def test_parts_cover_a_range_once(monkeypatch):
    monkeypatch.setattr("speedmetal.arrays.host_routines.default_threads", lambda: 4)
    for count in (1, 3, 4, 9, 101):
        parts = in_parts(range(count).__getitem__, count, 1 << 30)
        assert len(parts) == min(count, 4)
        assert [k for part in parts for k in part] == list(range(count))


def test_float16_and_bfloat16_are_summed_in_float32():
    n = 4096
    for dtype in (sm.float16, sm.bfloat16):
        for algorithm in ("vendor", "native"):
            ones = sm.full((1, n), 0.1, dtype)
            total = products.matmul(ones, ones.T, algorithm=algorithm)
            wanted = (np.float64(ones[0, 0].item()) ** 2 * n).astype(dtype.numpy)
            assert total.item() == wanted


def test_integers_wrap_and_bools_tell_any():
    x = sm.full((1, 3), 100, sm.int8)
    for algorithm in ("vendor", "native"):
        assert products.matmul(x, x.T, algorithm=algorithm).item() == np.int64(30000).astype("i1")
        mask = sm.array([[True, False], [False, False]])
        found = products.matmul(mask, mask, algorithm=algorithm)
        assert found.tolist() == [[True, False], [False, False]]


def test_it_is_lazy_and_reads_what_was_there():
    x = sm.ones((2, 2))
    product = (x + 1.0) @ x
    assert product.pending is not None
    x[0, 0] = 100.0
    assert product.tolist() == [[4.0, 4.0], [4.0, 4.0]]


def test_stacks_times_one_matrix_are_one_product(monkeypatch):
    seen = []
    real = np.matmul

    def spy(a, b, out):
        seen.append((a.shape, b.shape))
        return real(a, b, out=out)

    monkeypatch.setattr(products.np, "matmul", spy)
    sm.eval(
        sm.ones((3, 4, 5)) @ sm.ones((5, 6)),
        sm.ones((3, 5, 4)).transpose(0, 2, 1) @ sm.ones((5, 6)),
    )
    assert sorted(seen) == [((3, 4, 5), (5, 6)), ((12, 5), (5, 6))]


def test_transposed_operands_reach_blas_on_their_own_memory():
    host = np.zeros((4, 6), np.float32)
    for view in (host, host.T, host[:, ::-1][:, ::-1], host[1:3, 1:4], host.T[1:3]):
        assert products._as_blas_takes_it(view) is view
    for view in (host[:, ::2], host[::-1], np.broadcast_to(host[0], (4, 6))):
        assert products._as_blas_takes_it(view).flags.c_contiguous


@st.composite
def paired(draw):
    """Operands of tensordot, and the axes."""
    count = draw(st.integers(0, 2))
    inner = tuple(draw(st.integers(0, 4)) for _ in range(count))
    own = [tuple(draw(st.lists(st.integers(0, 4), max_size=2))) for _ in range(2)]
    hosts, axes = [], []
    for others in own:
        order = draw(st.permutations(range(len(others) + count)))
        shape = (*inner, *others)
        host = draw(placed(tuple(shape[axis] for axis in order), sm.float32))
        signs = [draw(st.booleans()) for _ in inner]
        places = [order.index(axis) for axis in range(count)]
        axes.append([p - host.ndim if s else p for p, s in zip(places, signs, strict=True)])
        hosts.append(host)
    return hosts, tuple(axes)


@settings(max_examples=examples(100), deadline=None)
@given(paired())
def test_tensordot(case):
    (a, b), axes = case
    result = products.tensordot(sm.asarray(a), sm.asarray(b), axes=axes)
    np.testing.assert_array_equal(result.numpy(), np.tensordot(a, b, axes))
    count = min(a.ndim, b.ndim, 1)
    if a.shape[a.ndim - count :] == b.shape[:count]:
        result = products.tensordot(sm.asarray(a), sm.asarray(b), axes=count)
        np.testing.assert_array_equal(result.numpy(), np.tensordot(a, b, count))


@settings(max_examples=examples(100), deadline=None)
@given(st.data())
def test_vecdot_conjugates_the_first(data):
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(signature="(n),(n)->()", max_dims=2, max_side=4)
    )
    dtype = data.draw(st.sampled_from([sm.float32, sm.complex64, sm.int32, sm.float16]))
    a, b = (data.draw(placed(shape, dtype)) for shape in shapes.input_shapes)
    wide = complex if dtype.is_complex else float
    wanted = np.vecdot(a.astype(wide), b.astype(wide)).astype(dtype.numpy)
    np.testing.assert_array_equal(products.vecdot(sm.asarray(a), sm.asarray(b)).numpy(), wanted)
    if a.ndim == b.ndim > 1:
        moved = (sm.asarray(np.moveaxis(x, -1, -2)) for x in (a, b))
        np.testing.assert_array_equal(products.vecdot(*moved, axis=-2).numpy(), wanted)


@pytest.mark.parametrize("name", ["dot", "inner", "outer", "vdot"])
@pytest.mark.parametrize(
    "shapes",
    [((3,), (3,)), ((2, 3), (3,)), ((), (3,)), ((2, 3), (2, 3)), ((2, 3), (4, 3, 2)), ((2, 3), ())],
    ids=str,
)
def test_functions_of_numpys(name, shapes):
    generator = np.random.default_rng(0)
    parts = [generator.integers(-3, 4, (2, *s)) for s in shapes]
    a, b = ((real + 1j * imag).astype(np.complex64) for real, imag in parts)
    try:
        wanted = getattr(np, name)(a, b)
    except ValueError:
        with pytest.raises(sm.UserInputError):
            getattr(products, name)(sm.asarray(a), sm.asarray(b))
        return
    result = getattr(products, name)(sm.asarray(a), sm.asarray(b))
    np.testing.assert_array_equal(result.numpy(), wanted)


def test_matrix_transpose_is_a_view():
    x = sm.zeros((5, 2, 3))
    turned = products.matrix_transpose(x)
    turned[0, 2, 1] = 7.0
    assert x[0, 1, 2].item() == 7.0


def test_numpys_arrays_may_stand_on_either_side_of_the_operator():
    x, host = sm.ones((2, 2)), np.full((2, 2), 2, np.float32)
    for product in (x @ host, host @ x):
        assert isinstance(product, sm.Array)
        assert product.tolist() == [[4.0, 4.0], [4.0, 4.0]]
    assert products.matmul(x, [1.0, 2.0]).tolist() == [3.0, 3.0]
    with pytest.raises(TypeError, match="an operator takes arrays and numbers, got a list"):
        x @ [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sm.ones((2, 3)) @ sm.ones((2, 3)),
            (
                "matmul: 3 columns of shape (2, 3) do not go together with 2 rows of shape (2, 3);"
                " they must be as many"
            ),
        ),
        (
            lambda: sm.ones((2, 1, 3)) @ sm.ones((3, 3, 1)),
            (
                "matmul: the stacks of shapes (2, 1, 3) and (3, 3, 1) do not go together; counted"
                " from the matrices, two extents must be equal, or one of them 1"
            ),
        ),
        (
            lambda: sm.ones(()) @ sm.ones(3),
            "matmul takes arrays with axes, got shapes () and (3,); multiply by a number with *",
        ),
        (
            lambda: products.matmul(sm.ones(3), sm.ones(3), algorithm="fast"),
            "unknown algorithm 'fast'; did you mean auto? Valid algorithms: auto, native, vendor",
        ),
        (
            lambda: products.tensordot(sm.ones((2, 3)), sm.ones((2, 3)), axes=1),
            (
                "tensordot: axes (1,) of shape (2, 3) have extents (3,), axes (0,) of shape (2, 3)"
                " have (2,); they must be equal"
            ),
        ),
        (
            lambda: products.tensordot(sm.ones(2), sm.ones(2), axes=2),
            "tensordot: expected 0 to 1 axes for shapes (2,) and (2,), got 2",
        ),
        (
            lambda: products.vecdot(sm.ones((2, 3)), sm.ones((2, 4))),
            "vecdot: axis -1 has extents 3 and 4 in shapes (2, 3) and (2, 4); they must be equal",
        ),
        (
            lambda: products.matrix_transpose(sm.ones(3)),
            "matrix_transpose takes arrays of two axes or more, got shape (3,)",
        ),
        (
            lambda: products.matmul(sm.ones(3), upload(np.ones(3, "f"), REMOTE)),
            "matmul: the arrays are on cpu and remote; move one of them with x.to(device)",
        ),
    ],
)
def test_messages(call, message):
    with pytest.raises(sm.UserInputError) as caught:
        call()
    assert str(caught.value) == message
