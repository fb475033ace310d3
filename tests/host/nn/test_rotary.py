"""Rotary position embedding against the formula of its paper, in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.bench.operations.rotary import OPERATIONS
from tiers import examples


def turned(x, positions, base=10000.0, traditional=False):
    """RoFormer's equation 34, with pairs as in the paper, or made of halves."""
    size = x.shape[-1]
    angles = np.asarray(positions, "f8")[..., None] * base ** (
        -np.arange(0, size, 2) / max(size, 1)
    )
    cosine, sine = np.cos(angles), np.sin(angles)
    pairs = (
        (x[..., 0::2], x[..., 1::2]) if traditional else (x[..., : size // 2], x[..., size // 2 :])
    )
    a, b = (pair.astype("f8") for pair in pairs)
    both = [a * cosine - b * sine, b * cosine + a * sine]
    if traditional:
        return np.stack(both, axis=-1).reshape(x.shape)
    return np.concatenate(both, axis=-1)


def close(found, expected, dtype, largest=0.0):
    """As close as angles of the dtype to compute in allow: `largest` times its unit."""
    assert found.dtype == dtype
    unit = {2: 2.0**-10, 4: 2.0**-22, 8: 2.0**-51}[np.dtype(dtype).itemsize]
    angle = largest * (2.0**-51 if dtype == np.float64 else 2.0**-22)
    np.testing.assert_allclose(found.numpy(), expected, atol=5 * (unit + angle), rtol=2 * unit)


@st.composite
def tables(draw):
    """``(..., length, size)`` of some dtype, whose axes may lie in any order."""
    outer = draw(st.lists(st.sampled_from([1, 2, 3]), max_size=3))
    shape = (*outer, draw(st.sampled_from([0, 1, 2, 7, 33])), draw(st.sampled_from([0, 2, 6, 34])))
    dtype = draw(st.sampled_from([np.float32, np.float64, np.float16]))
    order = draw(st.permutations(range(len(shape))))
    whole = np.random.default_rng(draw(st.integers(0, 99))).uniform(
        -1, 1, [shape[k] for k in order]
    )
    return whole.astype(dtype).transpose(np.argsort(order))


@given(tables(), st.booleans(), st.sampled_from([0, 3, 1000]), st.sampled_from([10000.0, 500.0]))
@settings(max_examples=examples(80), deadline=None)
def test_it_is_the_papers_formula(x, traditional, offset, base):
    positions = offset + np.arange(x.shape[-2])
    found = sm.nn.rope(sm.asarray(x), offset=offset, base=base, traditional=traditional)
    expected = turned(x, positions, base, traditional)
    close(found, expected, x.dtype, offset + x.shape[-2])


@given(tables(), st.booleans(), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_positions_are_broadcast_over_rows(x, traditional, are_floats):
    """One for each row, or the same for all tables."""
    generator = np.random.default_rng(x.size)
    shape = x.shape[:-1] if generator.integers(2) else x.shape[-2:-1]
    positions = generator.integers(0, 50, shape)
    if are_floats:
        positions = (positions / 4).astype("f4")
    found = sm.nn.rope(sm.asarray(x), positions=sm.asarray(positions), traditional=traditional)
    close(found, turned(x, positions, traditional=traditional), x.dtype, 50)


@pytest.mark.parametrize("case", [(2, 3, 9, 8), (1, 1, 65, 64)])
def test_tables_of_cosines_and_sines_are_taken(case):
    """Those of the benchmark, whose reference is met to the last bits."""
    (operation,) = OPERATIONS
    params = dict(zip(("batch", "heads", "length", "head_size"), case, strict=True))
    inputs = operation.inputs(params, np.random.default_rng(0))
    (expected,) = operation.reference(params, {k: v.astype("f8") for k, v in inputs.items()})
    tables = {key: sm.asarray(inputs[key]) for key in ("cosine", "sine")}
    close(sm.nn.rope(sm.asarray(inputs["x"]), **tables), expected, np.float32)
    close(sm.nn.rope(sm.asarray(inputs["x"])), expected, np.float32, case[2])


def test_scores_depend_on_distances_alone():
    """What rotations are for: the product of a query and a key is that of their distance."""
    generator = np.random.default_rng(1)
    query, key = (sm.asarray(generator.standard_normal((1, 16))) for _ in range(2))

    def score(there, here):
        turned_ = sm.nn.rope(query, offset=there), sm.nn.rope(key, offset=here)
        return float(sm.sum(turned_[0] * turned_[1]))

    np.testing.assert_allclose(score(7, 3), score(104, 100), rtol=1e-10)
    assert abs(score(7, 3) - score(8, 3)) > 1e-3


def test_it_is_pytorchs_and_keeps_lengths():
    """As models write it in PyTorch; a rotation changes no length."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from speedmetal.bench.frameworks.torch.cells import CELLS

    x = torch.randn(2, 4, 10, 16)
    angles = torch.outer(torch.arange(10.0), 10000 ** (-torch.arange(0, 16, 2) / 16))
    expected = CELLS["rope"]({})(x, torch.cos(angles), torch.sin(angles))
    found = sm.nn.rope(sm.asarray(x.numpy()))
    close(found, expected.numpy(), np.float32, 10)
    lengths = np.linalg.norm(x.numpy(), axis=-1)
    np.testing.assert_allclose(np.linalg.norm(found.numpy(), axis=-1), lengths, rtol=1e-5)


def test_what_is_around_it_is_computed_in_its_kernel():
    x, shift = sm.ones((2, 3, 5, 8)), sm.arange(8.0)
    explained = str(sm.explain(sm.nn.rope(x * 2) * 3 + shift))
    assert "rope(a * 2.0) * 3.0 + b" in explained
    assert "1 step" in explained
    found = sm.nn.rope(x * 2) * 3 + shift
    expected = turned(2 * np.ones(x.shape), np.arange(5)) * 3 + np.arange(8)
    close(found, expected, np.float32, 10)
    stored = sm.nn.rope(sm.full(x.shape, 2.0))
    sm.eval(stored)
    np.testing.assert_array_equal(found.numpy(), (stored * 3 + shift).numpy())


def test_nan_and_infinity_stay_in_their_pair():
    x = np.ones((1, 6), np.float32)
    x[0, 1] = np.nan
    found = sm.nn.rope(sm.asarray(x), offset=2).numpy()[0]
    assert np.isnan(found).tolist() == [False, True, False, False, True, False]


ONE = sm.ones((3, 4))
WRONG = {
    r"x of shape \(..., length, size\) with an even size, got \(3, 5\)": (sm.ones((3, 5)), {}),
    r"x of shape \(..., length, size\) with an even size, got \(4,\)": (sm.ones(4), {}),
    r"an int as offset, got 1.5; give other positions": (ONE, {"offset": 1.5}),
    r"one of positions, an offset, and cosine and sine together; got cosine or sine and": (
        ONE,
        {"cosine": ONE},
    ),
    r"got positions and another": (ONE, {"positions": sm.arange(3), "offset": 1}),
    r"positions of a shape that is broadcast to \(3,\), got \(2,\)": (
        ONE,
        {"positions": sm.arange(2)},
    ),
    r"sine of a shape that is broadcast to \(3, 2\), got \(3, 4\)": (
        ONE,
        {"cosine": sm.ones((3, 2)), "sine": ONE},
    ),
    r"rope expected floats for x, got int32": (sm.ones((3, 4), sm.int32), {}),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_is_told(message):
    x, options = WRONG[message]
    with pytest.raises(sm.UserInputError, match=message):
        sm.nn.rope(x, **options)
