"""Random numbers: the paper's known answers, the same bits everywhere, and sound statistics."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.intrinsics.library import philox as random

COUNT = 1 << 18

# The known answers that the authors publish with Random123 ("kat_vectors", philox4x32 10).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter, key, expected):
    words = random.philox(tuple(map(np.uint32, counter)), tuple(map(np.uint32, key)))
    assert tuple(map(int, words)) == expected


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_made_without_a_warning(seed, counter):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert random.bits(seed, counter) == random.bits4(seed, counter)[0]
        assert 0 <= random.uniform(seed, counter) < 1
        assert abs(random.normal(seed, counter)) < 6.7


def test_all_bits_of_seed_and_counter_count():
    one = random.bits4(0, 0)
    for k in range(63):
        assert random.bits4(1 << k, 0) != one
        assert random.bits4(0, 1 << k) != one


@sm.kernel
def _draw(seed, words, others, uniforms, normals):
    i = sm.thread_position_in_grid().x
    words[i] = sm.random.bits(seed, i)
    _, _, third, _ = sm.random.bits4(seed, i)
    others[i] = third
    uniforms[i] = sm.random.uniform(seed, i)
    normals[i] = sm.random.normal(seed, i)


@pytest.mark.parametrize("seed", [0, 1, -5, 2**40 + 17])
def test_kernels_and_python_make_the_same_bits(seed):
    size = 5000
    words, others = np.empty((2, size), np.uint32)
    uniforms, normals = np.empty((2, size), np.float32)
    _draw(np.int64(seed), words, others, uniforms, normals, grid=size)
    counters = np.arange(size)
    np.testing.assert_array_equal(words, random.bits(seed, counters))
    np.testing.assert_array_equal(others, random.bits4(seed, counters)[2])
    np.testing.assert_array_equal(uniforms, random.uniform(seed, counters))
    np.testing.assert_array_equal(
        normals.view(np.int32), random.normal(seed, counters).view(np.int32)
    )


def test_uniform_numbers_are_uniform():
    """Bins, neighbours' correlation, and each bit, within five standard deviations."""
    x = random.uniform(11, np.arange(COUNT)).astype(np.float64)
    counts, _ = np.histogram(x, 256, (0, 1))
    chi_square = np.sum((counts - COUNT / 256) ** 2) / (COUNT / 256)
    assert abs(chi_square - 255) < 5 * np.sqrt(2 * 255)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 5 / np.sqrt(COUNT)
    multiples = x * 2**24
    assert np.all(multiples == np.floor(multiples))


def test_every_bit_is_set_half_the_time():
    words = random.bits(12, np.arange(COUNT))
    shares = np.mean((words[:, None] >> np.arange(32, dtype=np.uint32)) & 1, axis=0)
    assert np.max(np.abs(shares - 0.5)) < 5 * 0.5 / np.sqrt(COUNT)


def test_streams_of_different_seeds_are_unrelated():
    a, b = (random.uniform(seed, np.arange(COUNT)) for seed in (1, 2))
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(COUNT)


def test_normal_numbers_are_normal():
    x = random.normal(13, np.arange(COUNT)).astype(np.float64)
    root = np.sqrt(COUNT)
    assert abs(np.mean(x)) < 5 / root
    assert abs(np.mean(x**2) - 1) < 5 * np.sqrt(2) / root
    assert abs(np.mean(x**3)) < 5 * np.sqrt(15) / root
    assert abs(np.mean(x**4) - 3) < 5 * np.sqrt(96) / root
    # Shares below -2, -1, 0, 1, 2 of the normal distribution.
    for limit, share in ((-2, 0.022750), (-1, 0.158655), (0, 0.5), (1, 0.841345), (2, 0.977250)):
        assert abs(np.mean(x < limit) - share) < 5 * np.sqrt(share * (1 - share)) / root
