"""Random numbers: what a seed gives stays the same, and is distributed as it says.

Distributions are tested with seeds that stay the same, so that a test fails always or never. The
tests reject what chance gives less often than once in 10**4.
"""

import math
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_array import RemoteDevice

import speedmetal as sm
from speedmetal.arrays.randomness.generator import Generator, order_of
from speedmetal.dtypes import FLOATS, INTEGERS
from speedmetal.intrinsics.library.philox import bits4
from tiers import examples

LEAST = 1e-4
SIZE = 20_000
REMOTE = RemoteDevice()


def same(a, b):
    np.testing.assert_array_equal(a.numpy(), b.numpy())


# --- The stream ----------------------------------------------------------------------------------


def test_elements_are_made_of_the_words_that_kernels_get():
    found = Generator(7).random(11)
    words = [bits4(7, i // 4)[i % 4] for i in range(11)]
    assert found.tolist() == [float(word >> 8) * 2.0**-24 for word in words]
    assert found[0].item() == sm.random.uniform(7, 0)
    assert Generator(7).standard_normal(1).item() == pytest.approx(sm.random.normal(7, 0), abs=2e-6)


def test_the_place_moves_when_a_method_is_called_and_not_when_it_is_computed():
    one, other = Generator(3), Generator(3)
    first, second = one.random(5), one.random(5)
    sm.eval(second)
    same(first, other.random(5))
    same(second, other.random(5))
    assert first.pending is None


def test_a_state_is_pickled():
    rng = Generator(2**64 - 1)
    rng.random(9)
    again = pickle.loads(pickle.dumps(rng))  # noqa: S301 - our own bytes
    assert repr(again) == repr(rng) == "<Generator key=0xffffffffffffffff place=3 jumps=0>"
    same(again.random(9), rng.random(9))


def test_children_and_jumps_have_streams_of_their_own():
    rng = Generator(5)
    before = rng.random(8)
    children = [*rng.spawn(3), *rng.spawn(2), *children_of_a_child(rng)]
    streams = [before, *(child.random(8) for child in children)]
    streams += [Generator(5).jumped(jumps).random(8) for jumps in (1, 2, 2**32 - 1)]
    seen = {number for stream in streams for number in stream.tolist()}
    assert len(seen) == 8 * len(streams)
    same(Generator(5).jumped(0).random(8), before)
    same(Generator(5).jumped(2).random(8), Generator(5).jumped(1).jumped(1).random(8))
    same(Generator(5).spawn(5)[4].random(8), streams[5])


def children_of_a_child(rng):
    return rng.spawn(1)[0].spawn(2)


def test_threads_draw_different_numbers():
    rng, drawn = Generator(1), []
    threads = [
        threading.Thread(target=lambda: drawn.extend(rng.random(4).tolist() for _ in range(50)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({number for numbers in drawn for number in numbers}) == 800


def test_a_generator_without_seed_is_another_each_time():
    assert repr(Generator()) != repr(Generator())


def test_the_generator_of_the_module():
    sm.random.seed(4)
    expected = Generator(4)
    same(sm.random.random((2, 3)), expected.random((2, 3)))
    same(sm.random.uniform(size=3), expected.uniform(size=3))
    same(sm.random.uniform(2.0, 3.0), expected.uniform(2.0, 3.0))
    same(sm.random.normal(0, 1, 5), expected.normal(0, 1, 5))
    same(sm.random.integers(9, size=4), expected.integers(9, size=4))
    assert sm.random.default_rng(expected) is expected
    assert sm.random.random.__doc__.startswith("See :meth:`Generator.random`")


def test_uniform_and_normal_of_a_seed_and_a_counter_are_words_of_the_kernel_language():
    assert isinstance(sm.random.uniform(1, 2), np.float32)
    assert sm.random.uniform(seed=1, counter=2) == sm.random.uniform(np.int64(1), 2)
    numbers = sm.random.uniform(1, sm.arange(4))
    assert numbers[2].item() == sm.random.uniform(1, 2)

    @sm.kernel
    def draw(out):
        i = sm.thread_position_in_grid().x
        out[i] = sm.random.uniform(1, i) + sm.random.normal(1, i)

    out = np.zeros(4, np.float32)
    draw(out, grid=4)
    wanted = [sm.random.uniform(1, i) + sm.random.normal(1, i) for i in range(4)]
    np.testing.assert_allclose(out, wanted, atol=4e-6)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, **on: rng.random((3, 5), **on),
        lambda rng, **on: rng.normal(size=7, **on),
        lambda rng, **on: rng.integers(2**40, size=7, dtype=sm.int64, **on),
        lambda rng, **on: rng.gamma(0.4, size=7, **on),
        lambda rng, **on: rng.poisson(40.0, 7, **on),
        lambda rng, **on: rng.permutation(9, **on),
        lambda rng, **on: rng.choice(9, 5, **on),
    ],
)
def test_a_device_with_memory_of_its_own_draws_the_same(draw):
    there, here = draw(Generator(8), device=REMOTE), draw(Generator(8), device="cpu")
    assert there.device is REMOTE
    same(there, here)


# --- Shapes and parameters -----------------------------------------------------------------------


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.integers(0, 4), max_size=3).map(tuple))
def test_sizes(size):
    rng = Generator(0)
    for found in (
        rng.random(size),
        rng.normal(size=size),
        rng.integers(5, size=size),
        rng.exponential(size=size),
        rng.gamma(2.0, size=size),
        rng.beta(2.0, 3.0, size),
        rng.poisson(2.0, size),
        rng.bernoulli(0.5, size),
        rng.choice(4, size),
        rng.categorical(sm.zeros(3), size),
    ):
        assert found.shape == size
        assert found.numpy().shape == size
    assert rng.random().shape == ()
    assert rng.random(3).shape == (3,)


def test_parameters_are_broadcast():
    low, high = sm.array([[0.0], [10.0]]), sm.array([1.0, 2.0, 3.0])
    found = Generator(0).uniform(low, low + high)
    assert found.shape == (2, 3)
    assert found.dtype == np.float32
    assert (found.numpy() >= low.numpy()).all()
    means = sm.array([1.0, 100.0, 1e4])
    for drawn in (
        Generator(0).normal(means, 1.0, (500, 3)),
        Generator(0).exponential(means, (500, 3)),
        Generator(0).gamma(means, 1.0, (500, 3)),
        Generator(0).poisson(means, (500, 3)),
    ):
        np.testing.assert_allclose(drawn.numpy().mean(axis=0), means.numpy(), rtol=0.2)
    assert Generator(0).normal(np.float64(2), np.float64(3), 4).dtype == np.float32


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_floats_are_in_range(dtype):
    rng = Generator(1)
    uniform = rng.random(SIZE, dtype)
    assert uniform.dtype == dtype
    numbers = uniform.numpy().astype(np.float64)
    assert 0 <= numbers.min() < numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > LEAST or dtype.bits < 32
    normal = rng.standard_normal(SIZE, dtype)
    assert normal.dtype == dtype
    assert abs(normal.numpy().astype(np.float64).mean()) < 4 / math.sqrt(SIZE)


@settings(max_examples=examples(200), deadline=None)
@given(st.data())
def test_integers_are_in_range(data):
    dtype = data.draw(st.sampled_from(INTEGERS))
    bounds = st.integers(dtype.minimum, dtype.maximum)
    low, high = sorted((data.draw(bounds), data.draw(bounds)))
    found = Generator(data.draw(st.integers(0, 99))).integers(low, high, 8, dtype, endpoint=True)
    assert found.dtype == dtype
    assert all(low <= number <= high for number in found.tolist())


@pytest.mark.parametrize("count", [1, 2, 3, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1, 2**64])
def test_integers_are_shares_of_their_words(count):
    """The formula of exact integers: ``floor(x * count / 2**bits)``."""
    found = Generator(9).integers(0, count, 6, sm.uint64).tolist()
    for i, number in enumerate(found):
        each = 2 if count <= 2**32 else 1
        half = 4 // each * (i % each)
        words = bits4(9, i // each)[half : half + 4 // each]
        x = 0
        for word in words:
            x = x << 32 | int(word)
        assert number == x * count >> 32 * len(words)


# --- Distributions -------------------------------------------------------------------------------


def passes(numbers, distribution):
    """The test of Kolmogorov and Smirnov, which knows the whole distribution."""
    pvalue = stats.kstest(np.asarray(numbers, np.float64), distribution.cdf).pvalue
    assert pvalue > LEAST


CONTINUOUS = {
    "uniform": (lambda rng, dtype: rng.uniform(-1.0, 3.0, SIZE, dtype), stats.uniform(-1, 4)),
    "normal": (lambda rng, dtype: rng.normal(2.0, 3.0, SIZE, dtype), stats.norm(2, 3)),
    "exponential": (lambda rng, dtype: rng.exponential(0.5, SIZE, dtype), stats.expon(0, 0.5)),
}


@pytest.mark.parametrize("dtype", [sm.float32, sm.float64], ids=str)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_distributions(name, dtype):
    draw, distribution = CONTINUOUS[name]
    drawn = draw(Generator(11), dtype).numpy()
    assert drawn.dtype == dtype
    passes(drawn, distribution)
    passes(drawn[::2], distribution)
    # Neighbours have nothing to do with each other.
    assert abs(stats.spearmanr(drawn[::2], drawn[1::2]).statistic) < 4 / math.sqrt(SIZE / 2)


@pytest.mark.parametrize("shape", [0.05, 0.5, 1.0, 1.5, 30.0, 1e4])
def test_gamma(shape):
    drawn = Generator(12).gamma(shape, 2.0, SIZE).numpy()
    if shape < 0.1:  # most are so small that float32 has no number for them
        drawn = drawn[drawn > 1e-30]
        tail = stats.gamma(shape, scale=2).sf(1e-30)
        assert abs(drawn.size / SIZE - tail) < 4 * math.sqrt(tail * (1 - tail) / SIZE)
    else:
        passes(drawn, stats.gamma(shape, scale=2))


@pytest.mark.parametrize(
    ("a", "b"), [(0.5, 0.5), (1.0, 1.0), (2.0, 5.0), (0.1, 3.0), (300.0, 200.0)]
)
def test_beta(a, b):
    passes(Generator(13).beta(a, b, SIZE).numpy(), stats.beta(a, b))


def chi_square(numbers, probabilities):
    """Counts of whole numbers against their probabilities; those that are rare come together."""
    counts = np.bincount(numbers, minlength=len(probabilities)).astype(float)
    expected = np.asarray(probabilities) * numbers.size
    is_rare = expected < 10
    observed = np.append(counts[: len(expected)][~is_rare], counts[: len(expected)][is_rare].sum())
    wanted = np.append(expected[~is_rare], expected[is_rare].sum())
    if wanted[-1] < 1:
        assert observed[-1] < 12
        observed, wanted = observed[:-1], wanted[:-1]
    if wanted.size == 1:
        assert observed[0] == numbers.size
        return
    wanted *= observed.sum() / wanted.sum()
    assert stats.chisquare(observed, wanted).pvalue > LEAST


@pytest.mark.parametrize("mean", [0.0, 0.3, 4.0, 9.9, 10.0, 25.0, 300.0])
def test_poisson(mean):
    drawn = Generator(14).poisson(mean, SIZE).numpy()
    top = int(mean + 12 * math.sqrt(mean) + 20)
    chi_square(drawn, stats.poisson(mean).pmf(np.arange(top)) if mean else [1.0])


@pytest.mark.parametrize("mean", [1e4, 1e6])
def test_poisson_of_large_means(mean):
    drawn = Generator(15).poisson(mean, SIZE).numpy()
    spread = math.sqrt(mean)
    edges = np.floor(mean + spread * np.array([-2, -1, -0.5, 0, 0.5, 1, 2])) + 0.5
    probabilities = np.diff(np.concatenate([[0], stats.poisson(mean).cdf(edges), [1]]))
    chi_square(np.searchsorted(edges, drawn), probabilities)


@pytest.mark.parametrize("count", [2, 7, 100])
def test_integers_choices_and_categories_are_equally_likely(count):
    rng, equal = Generator(16), [1 / count] * count
    chi_square(rng.integers(count, size=SIZE).numpy(), equal)
    chi_square(rng.choice(count, SIZE).numpy(), equal)
    chi_square(rng.categorical(sm.zeros(count), SIZE).numpy(), equal)


def test_weights():
    p = np.array([0.1, 0.0, 0.6, 0.3])
    rng = Generator(17)
    chi_square(rng.choice(4, SIZE, p=p).numpy(), p)
    with np.errstate(divide="ignore"):
        logits = sm.asarray(np.log(p).astype(np.float32) + 5)
    drawn = rng.categorical(logits, SIZE)
    chi_square(drawn.numpy(), p)
    assert drawn.dtype == np.int32
    assert abs(rng.bernoulli(0.2, SIZE).numpy().mean() - 0.2) < 4 * 0.4 / math.sqrt(SIZE)


def test_categories_of_rows():
    logits = sm.array([[0.0, -math.inf], [-math.inf, 0.0], [0.0, 0.0]])
    drawn = Generator(0).categorical(logits, (400, 3)).numpy()
    assert drawn[:, 0].max() == 0
    assert drawn[:, 1].min() == 1
    assert 100 < drawn[:, 2].sum() < 300
    same(Generator(0).categorical(logits.T, axis=0), Generator(0).categorical(logits))


def test_orders_are_equally_likely():
    rng = Generator(18)
    orders = [tuple(rng.permutation(4).tolist()) for _ in range(2000)]
    numbers = {order: place for place, order in enumerate(sorted(set(orders)))}
    assert len(numbers) == 24
    chi_square(np.array([numbers[order] for order in orders]), [1 / 24] * 24)


def test_choices_without_replacement_follow_their_weights():
    rng, p = Generator(19), np.array([0.5, 0.3, 0.2])
    pairs = [tuple(rng.choice(3, 2, replace=False, p=p).tolist()) for _ in range(2000)]
    likely = {(i, j): p[i] * p[j] / (1 - p[i]) for i in range(3) for j in range(3) if i != j}
    order = sorted(likely)
    chi_square(np.array([order.index(pair) for pair in pairs]), [likely[pair] for pair in order])


# --- Permutations and choices of arrays ----------------------------------------------------------


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 6), st.integers(1, 4), st.integers(0, 1), st.integers(0, 99))
def test_permutations_have_the_same_elements(rows, columns, axis, seed):
    host = np.arange(rows * columns).reshape(rows, columns)
    x = sm.asarray(host.copy())
    moved = Generator(seed).permutation(x, axis=axis).numpy()
    np.testing.assert_array_equal(np.sort(moved, axis=axis), host)
    Generator(seed).shuffle(x, axis=axis)
    np.testing.assert_array_equal(x.numpy(), moved)
    chosen = Generator(seed).choice(x, host.shape[axis], replace=False, axis=axis).numpy()
    np.testing.assert_array_equal(np.sort(chosen, axis=axis), host)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.one_of(st.integers(0, 40), st.integers(0, 2**64 - 1)), max_size=40))
def test_keys_are_ordered_as_by_a_stable_argsort(keys):
    host = np.array(keys, np.uint64)
    np.testing.assert_array_equal(order_of(host), np.argsort(host, kind="stable"))


def test_chosen_shapes():
    x = sm.ones((2, 5, 3))
    assert Generator(0).choice(x, (4, 6), axis=1).shape == (2, 4, 6, 3)
    assert Generator(0).choice(x).shape == (5, 3)
    assert Generator(0).choice(7).shape == ()


# --- Messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda _: Generator(-1), "expected a seed from 0 to 2**64 - 1, got -1"),
        (
            lambda rng: rng.integers(3, 3),
            "integers: there is no whole number from 3 to 2; low must be below high",
        ),
        (
            lambda rng: rng.integers(0, 300, dtype=sm.uint8),
            "integers: uint8 holds 0 to 255, but numbers from 0 to 299 were asked for; give dtype=",
        ),
        (
            lambda rng: rng.integers(3, dtype=sm.float32),
            "integers: expected a dtype of integers, got float32",
        ),
        (
            lambda rng: rng.random(3, sm.int32),
            "random: expected a dtype of real floats, got int32",
        ),
        (lambda rng: rng.normal(0, -1.0), "normal: expected scale of 0.0 or more, got -1.0"),
        (
            lambda rng: rng.bernoulli(1.5),
            "bernoulli: expected p from 0.0 to 1.0, got 1.5",
        ),
        (
            lambda rng: rng.poisson(1e7),
            "poisson: expected lam from 0.0 to 1000000.0, got 10000000.0",
        ),
        (
            lambda rng: rng.normal([1.0], 1.0),
            (
                "normal: expected numbers or arrays of speedmetal as parameters, got list; an array"
                " is made by sm.asarray"
            ),
        ),
        (
            lambda rng: rng.normal(sm.ones(2), sm.ones(3)),
            "normal: parameters of shapes (2,), (3,) cannot be broadcast",
        ),
        (
            lambda rng: rng.normal(sm.ones(2), 1.0, 3),
            "normal: parameters of shapes (2,) cannot be broadcast to size 3",
        ),
        (lambda rng: rng.random(-1), "expected a shape of integers that are 0 or more, got -1"),
        (
            lambda rng: rng.choice(2, 3, replace=False),
            "choice: expected at most 2 elements without replace, got 3",
        ),
        (
            lambda rng: rng.choice(2, p=[0.5, 0.6]),
            "choice: expected probabilities that are 0 or more and sum to 1, got the sum 1.1",
        ),
        (
            lambda rng: rng.choice(2, p=[1.0]),
            "choice: expected p of shape (2,), one for each element, got (1,)",
        ),
        (
            lambda rng: rng.choice(0, 1),
            "choice: expected one element or more to choose from, got none",
        ),
        (
            lambda rng: rng.categorical(sm.ones((2, 3)), 3),
            (
                "categorical: expected a size that ends with (2,) and one category or more, got"
                " size (3,) for logits of shape (2, 3)"
            ),
        ),
        (
            lambda rng: rng.jumped(2**32),
            "jumped: expected 0 to 4294967295 jumps, got 4294967296",
        ),
        (lambda rng: rng.spawn(-1), "spawn: expected 0 generators or more, got -1"),
        (lambda rng: rng.permutation(-1), "permutation: expected 0 numbers or more, got -1"),
    ],
)
def test_messages(call, message):
    with pytest.raises(sm.UserInputError) as caught:
        call(Generator(0))
    assert str(caught.value) == message


def test_lists_and_numpys_arrays_are_chosen_from():
    items = [3, 5, 7]
    assert set(Generator(1).choice(items, 50).tolist()) == set(items)
    assert sorted(Generator(1).choice(np.array(items, "i2"), 3, False).tolist()) == items
    assert sorted(Generator(1).permutation(items).tolist()) == items


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sm.random.default_rng("x"),
            (
                "expected a whole number as seed, got a str; for parallel streams make one"
                " generator, and others with its spawn"
            ),
        ),
        (
            lambda: sm.random.normal((2, 3)),
            (
                "normal: expected numbers or arrays of speedmetal as parameters, got tuple; a shape"
                " is size=(2, 3), and an array is made by sm.asarray"
            ),
        ),
        (
            lambda: sm.random.permutation(2.5),
            "expected an array, a list or a whole number of elements, got 2.5",
        ),
    ],
)
def test_messages_say_what_to_give(call, message):
    with pytest.raises(sm.UserInputError) as caught:
        call()
    assert str(caught.value) == message
