"""Losses against formulas in double precision, and PyTorch's."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.arrays.along_axes.normalising import LONG
from speedmetal.bench.operations import losses as references
from speedmetal.nn.losses import _PART
from strategies import laid_out
from tiers import examples

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
F = torch.nn.functional
pytestmark = pytest.mark.filterwarnings("ignore:reduction")  # which PyTorch will change
nn = sm.nn
T = torch.from_numpy
REDUCTIONS = ["mean", "sum", "none"]


def normal(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def uniform(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.001, 0.999, shape).astype(np.float32)


def close(found: sm.Array, expected: object, tolerance: float = 3e-6) -> None:
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found.numpy().astype("f8"), expected.astype("f8"), rtol=tolerance, atol=tolerance
    )


def doubles(*arrays: np.ndarray) -> list:
    return [T(np.asarray(each, np.float64)) for each in arrays]


# --- Of two arrays -------------------------------------------------------------------------------

PAIRS = {
    "mse": (nn.mse_loss, F.mse_loss, normal),
    "l1": (nn.l1_loss, F.l1_loss, normal),
    "huber": (
        lambda *a, **o: nn.huber_loss(*a, delta=0.7, **o),
        lambda *a, **o: F.huber_loss(*a, delta=0.7, **o),
        normal,
    ),
    "smooth l1": (
        lambda *a, **o: nn.smooth_l1_loss(*a, beta=0.7, **o),
        lambda *a, **o: F.smooth_l1_loss(*a, beta=0.7, **o),
        normal,
    ),
    "smooth l1 of 0": (
        lambda *a, **o: nn.smooth_l1_loss(*a, beta=0.0, **o),
        lambda *a, **o: F.smooth_l1_loss(*a, beta=0.0, **o),
        normal,
    ),
    "kl": (nn.kl_div, F.kl_div, uniform),
    "kl of logarithms": (
        lambda *a, **o: nn.kl_div(*a, log_target=True, **o),
        lambda *a, **o: F.kl_div(*a, log_target=True, **o),
        normal,
    ),
    "bce": (nn.binary_cross_entropy, F.binary_cross_entropy, uniform),
    "bce of logits": (
        nn.binary_cross_entropy_with_logits,
        F.binary_cross_entropy_with_logits,
        uniform,
    ),
}
KINDS = sorted(PAIRS)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(), (1,), (3, 40), (_PART * 2 + 77,)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_they_are_pytorchs(kind, shape, reduction):
    ours, theirs, make = PAIRS[kind]
    x, target = make(*shape), make(*shape, seed=2)
    found = ours(sm.asarray(x), sm.asarray(target), reduction=reduction)
    assert found.dtype == sm.float32
    scale = 3e-6 if reduction != "sum" else 3e-6 * max(1, x.size**0.5)
    close(found, theirs(*doubles(x, target), reduction=reduction).numpy(), scale)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=examples(16), deadline=None)
def test_of_any_strides_and_of_expressions(kind, data):
    """Proves that operands' strides, and what is fused into the kernel, do not matter."""
    ours, _, make = PAIRS[kind]
    shape = data.draw(st.sampled_from([(5,), (3, 4), (2, 1, 3), (0, 2), (20, 33)]))
    x, target = make(*shape), make(*shape, seed=2)
    reduction = data.draw(st.sampled_from(REDUCTIONS))
    expected = ours(sm.asarray(x), sm.asarray(target), reduction=reduction).numpy()
    arrays = data.draw(laid_out(x)), data.draw(laid_out(target))
    close(ours(*arrays, reduction=reduction), expected)
    halves = arrays[0] * 0.5 + arrays[0] * 0.5
    close(ours(halves, arrays[1] * 1.0, reduction=reduction), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_of_other_types(kind, dtype):
    kind_of = np.dtype(getattr(ml_dtypes, dtype, dtype))
    ours, theirs, make = PAIRS[kind]
    x, target = make(70, 30).astype(kind_of), make(70, 30, seed=2).astype(kind_of)
    found = ours(sm.asarray(x), sm.asarray(target))
    assert found.dtype == kind_of
    tolerance = {"float16": 2e-3, "bfloat16": 1e-2, "float64": 1e-12}[dtype]
    close(found, theirs(*doubles(x, target), reduction="mean").numpy(), tolerance)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(1,), (5,), (4, 1), (4, 5)], ids=str)
@pytest.mark.parametrize("kind", ["mse", "l1", "huber", "smooth l1", "bce", "bce of logits"])
def test_weights(kind, shape, reduction):
    ours, theirs, make = PAIRS[kind]
    x, target, weight = make(4, 5), make(4, 5, seed=2), uniform(*shape, seed=3)
    found = ours(*map(sm.asarray, (x, target, weight)), reduction=reduction)
    losses = theirs(*doubles(x, target), reduction="none").numpy()
    wide = np.broadcast_to(weight, losses.shape)
    count = losses.size if "bce" in kind else wide.sum(dtype="f8")
    expected = {
        "none": wide * losses,
        "sum": (wide * losses).sum(),
        "mean": (wide * losses).sum() / count,
    }
    close(found, expected[reduction])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("has_weight", [False, True])
def test_positive_weights(reduction, has_weight):
    x, target, share = normal(40, 5) * 30, uniform(40, 5, seed=2), uniform(5, seed=3) * 7
    weight = uniform(40, 1, seed=4) if has_weight else None
    found = nn.binary_cross_entropy_with_logits(
        *(sm.array(x), sm.array(target), None if weight is None else sm.array(weight)),
        pos_weight=sm.array(share),
        reduction=reduction,
    )
    expected = F.binary_cross_entropy_with_logits(
        *doubles(x, target),
        weight=None if weight is None else doubles(weight)[0],
        pos_weight=doubles(share)[0],
        reduction=reduction,
    )
    close(found, expected.numpy(), 1e-5)


def test_extreme_probabilities_and_logits():
    """Proves that logarithms are held at -100, small ones count, and no exponential overflows."""
    x = np.array([0.0, 1.0, 0.0, 1.0, 1e-8, 1 - 6e-8, 1e-40, np.nan], np.float32)
    target = np.array([1, 0, 0, 1, 0, 1, 1, 1], np.float32)
    found = nn.binary_cross_entropy(sm.array(x), sm.array(target), reduction="none").numpy()
    wide = x.astype("f8")
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(wide), -100), np.maximum(np.log1p(-wide), -100)
    np.testing.assert_allclose(found, -(target * logs[0] + (1 - target) * logs[1]), rtol=3e-6)
    x = np.array([1e4, -1e4, 3e38, -3e38, 100.0, -100.0, np.inf, np.nan], np.float32)
    target = np.array([0, 1, 1, 0, 1, 0, 1, 1], np.float32)
    found = nn.binary_cross_entropy_with_logits(
        sm.array(x), sm.array(target), reduction="none"
    ).numpy()
    expected = [1e4, 1e4, 0, 0, np.exp(-100.0), np.exp(-100.0), np.nan, np.nan]
    np.testing.assert_allclose(found, expected, rtol=3e-6, atol=2e-45)


def test_what_is_0_in_a_target_has_no_divergence():
    x = np.array([-np.inf, -1.0], np.float32)
    found = nn.kl_div(sm.array(x), sm.array([0.0, 1.0]), reduction="none")
    assert found.tolist() == [0.0, 1.0]
    logs = sm.array([-np.inf, 0.0], dtype=sm.float32)
    assert nn.kl_div(sm.array(x), logs, log_target=True, reduction="none").tolist() == [0.0, 1.0]
    rows = uniform(3, 4)
    found = nn.kl_div(sm.log(sm.array(rows)), sm.array(rows[::-1].copy()), reduction="batchmean")
    expected = F.kl_div(
        doubles(rows)[0].log(), doubles(rows[::-1].copy())[0], reduction="batchmean"
    )
    close(found, expected.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_a_mean_of_many_keeps_its_digits(kind):
    """Proves that a million are not added one after the other, by a lane: equal terms are rounded
    the same way every time, so that the mean would lose four digits."""
    ours, theirs, _ = PAIRS[kind]
    one = np.array([0.3, 0.7], np.float32)
    x, target = (sm.array(each).broadcast_to((2_000_003,)) for each in one)
    found = float(ours(x, target))
    expected = float(theirs(*doubles(one[:1], one[1:]), reduction="mean"))
    assert abs(found - expected) <= 3e-6 * abs(expected)


def test_one_pass():
    """Proves that losses are not stored: all that is written are the totals of parts."""
    x, target = sm.array(uniform(300, 400)), sm.array(uniform(300, 400, seed=2))
    for loss in (nn.binary_cross_entropy, nn.binary_cross_entropy_with_logits, nn.mse_loss):
        steps = sm.explain(loss(x * 0.5, target)).steps
        assert not [step for step in steps if step.name == "elementwise"]


def test_the_mean_of_nothing_is_nan():
    nothing = sm.zeros((0, 3))
    for kind in KINDS:
        ours, _, _ = PAIRS[kind]
        assert np.isnan(float(ours(nothing, nothing)))
        assert float(ours(nothing, nothing, reduction="sum")) == 0
        assert ours(nothing, nothing, reduction="none").shape == (0, 3)
    assert np.isnan(float(nn.cross_entropy(nothing, sm.zeros(0, sm.int32))))


# --- Of classes ----------------------------------------------------------------------------------


def check_classes(x, target, axis, **options) -> None:
    arrays = {key: sm.array(v) if isinstance(v, np.ndarray) else v for key, v in options.items()}
    found = nn.cross_entropy(sm.asarray(x), sm.asarray(target), axis=axis, **arrays)
    moved = np.moveaxis(x, axis, 1) if x.ndim > 1 else x
    if target.dtype.kind == "f" and x.ndim > 1:
        target = np.moveaxis(target, axis, 1)
    options = {k: doubles(v)[0] if isinstance(v, np.ndarray) else v for k, v in options.items()}
    labels = T(np.ascontiguousarray(target))
    wide = labels.double() if target.dtype.kind == "f" else labels.long()
    expected = F.cross_entropy(doubles(np.ascontiguousarray(moved))[0], wide, **options)
    close(found, expected.numpy(), 1e-5)


SHAPES = [((7, 5), 1), ((7, 300), 1), ((5, 7), 0), ((3, 6, 40), 2), ((3, 40, 6), 1), ((1, 1), 1)]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("has_weight", [False, True])
@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
@pytest.mark.parametrize("target", ["labels", "ignored", "probabilities"])
def test_cross_entropy(shape, axis, target, has_weight, smoothing, reduction):
    rng = np.random.default_rng(5)
    x, classes = normal(*shape) * 5, shape[axis]
    rows = tuple(n for k, n in enumerate(shape) if k != axis)
    if target == "probabilities":
        of = scipy.special.softmax(normal(*shape, seed=3), axis).astype(np.float32)
    else:
        of = rng.integers(0, classes, rows)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    if target == "ignored":
        options["ignore_index"] = -7
        of.reshape(-1)[1::3] = -7
    if has_weight:
        options["weight"] = uniform(classes, seed=4)
    check_classes(x, of, axis, **options)


@pytest.mark.parametrize("shape", [(3, LONG + 5), (9, LONG + 5)])
def test_long_rows(shape):
    check_classes(normal(*shape), np.arange(shape[0]), 1)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint64"])
def test_labels_of_any_integers(dtype):
    x = normal(6, 5)
    found = nn.cross_entropy(sm.array(x), sm.array(np.arange(6) % 5, dtype=dtype))
    close(found, F.cross_entropy(doubles(x)[0], T(np.arange(6) % 5)).numpy())


def test_large_logits_and_special_rows():
    x = np.array([[1e4, 0, -1e4], [3e38, 3e38, 0], [-np.inf, 0, 0], [np.nan, 0, 0]], np.float32)
    found = nn.cross_entropy(sm.array(x), sm.array([2, 0, 1, 1]), reduction="none").numpy()
    np.testing.assert_allclose(found, [2e4, np.log(2), np.log(2), np.nan], rtol=1e-6)
    impossible = nn.cross_entropy(sm.array(x[2:3]), sm.array([0]))
    assert float(impossible) == np.inf


def test_all_rows_may_be_ignored():
    x, labels = sm.array(normal(3, 4)), sm.array([-100] * 3)
    assert np.isnan(float(nn.cross_entropy(x, labels)))
    assert float(nn.cross_entropy(x, labels, reduction="sum")) == 0
    assert nn.nll_loss(x, labels, reduction="none").tolist() == [0, 0, 0]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("has_weight", [False, True])
def test_nll_loss(reduction, has_weight):
    x, labels = normal(6, 4, 3), np.random.default_rng(1).integers(0, 4, (6, 3))
    labels[2, 1] = -100
    weight = uniform(4, seed=2) if has_weight else None
    given = None if weight is None else sm.array(weight)
    found = nn.nll_loss(sm.array(x), sm.array(labels), given, axis=1, reduction=reduction)
    theirs = None if weight is None else doubles(weight)[0]
    close(found, F.nll_loss(doubles(x)[0], T(labels), theirs, reduction=reduction).numpy())


# --- The benchmark's references, and what is wrong -----------------------------------------------


@pytest.mark.parametrize("operation", references.OPERATIONS, ids=lambda o: o.name)
def test_they_are_the_benchmarks_operations(operation):
    parameters = {"shape": [70, 30]}
    inputs = operation.inputs(parameters, np.random.default_rng(1))
    (expected,) = operation.reference(
        parameters, {k: v.astype("f8") if v.dtype.kind == "f" else v for k, v in inputs.items()}
    )
    arrays = [sm.array(each) for each in inputs.values()]
    ours = {"bce": nn.binary_cross_entropy, "cross_entropy": nn.cross_entropy}
    close(ours[operation.name](*arrays), expected)


REFUSED = [
    (lambda x: nn.mse_loss(x, x[0]), r"mse_loss expected a target of the shape \(2, 3\) of what"),
    (lambda x: nn.mse_loss(x, x.astype(sm.int32)), "mse_loss expected floats for target, got int"),
    (lambda x: nn.mse_loss(x, x, reduction="avg"), "unknown reduction 'avg'"),
    (lambda x: nn.kl_div(x, x, reduction="average"), "unknown reduction 'average'"),
    (lambda x: nn.mse_loss(x, x, sm.ones(4)), r"weight that is broadcast to \(2, 3\), got shape"),
    (lambda x: nn.huber_loss(x, x, delta=0.0), "huber_loss expected delta above 0, got 0.0"),
    (lambda x: nn.smooth_l1_loss(x, x, beta=-1.0), "smooth_l1_loss expected beta of 0 or more"),
    (
        lambda x: nn.binary_cross_entropy_with_logits(x, x, pos_weight=sm.ones(2)),
        r"expected pos_weight that is broadcast to \(2, 3\), got shape \(2,\)",
    ),
    (
        lambda x: nn.cross_entropy(x, sm.array([1])),
        r"expected labels of shape \(2,\), one for each",
    ),
    (lambda x: nn.cross_entropy(x, x[0]), r"expected probabilities of the logits' shape \(2, 3\)"),
    (
        lambda x: nn.cross_entropy(x, x, sm.ones(2)),
        r"expected weight of shape \(3,\), one for each",
    ),
    (lambda x: nn.cross_entropy(x, x, label_smoothing=1.5), "label_smoothing from 0 to 1, got 1.5"),
    (lambda x: nn.nll_loss(x, x[:, 0]), "nll_loss expected labels as integers, got float32"),
    (
        lambda x: nn.cross_entropy(x[:, :0], x),
        "cross_entropy expected one class or more, got shape",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(sm.UserInputError, match=message):
        call(sm.ones((2, 3)))


@pytest.mark.parametrize("label", [3, -1])
def test_labels_that_are_no_class(label):
    with pytest.raises(IndexError, match=rf"expected labels from 0 to 2, or .*-100, got {label}"):
        nn.cross_entropy(sm.ones((2, 3)), sm.array([0, label]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("label", [0, 1, 2])
def test_smoothed_losses_of_impossible_classes_are_infinite(label, weighted):
    logits = np.array([[0.5, -np.inf, 1.0]], np.float32)
    weight = np.array([1.0, 2.0, 0.5], np.float32) if weighted else None
    shares = None if weight is None else sm.array(weight)
    found = nn.cross_entropy(sm.array(logits), sm.array([label]), shares, label_smoothing=0.1)
    assert float(found) == np.inf
