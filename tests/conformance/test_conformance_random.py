"""Random numbers of kernels: those of the published generator, the same on every device."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm

# Counter, key and result: the known answers of Random123's file `kat_vectors`, philox4x32-10.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@sm.kernel
def philox(counter, key, out):
    words = sm.random.philox((counter[0], counter[1], counter[2], counter[3]), (key[0], key[1]))
    for k, word in enumerate(words):
        out[k] = word


@pytest.mark.parametrize(("counter", "key", "wanted"), KNOWN)
def test_known_answers(launch, counter, key, wanted):
    out = np.zeros(4, np.uint32)
    launch(philox, np.array(counter, np.uint32), np.array(key, np.uint32), out, grid=1)
    assert tuple(out.tolist()) == wanted


@sm.kernel
def draw(seed, start, bits, uniform, normal):
    i = sm.thread_position_in_grid().x
    bits[i] = sm.random.bits(seed, i + start)
    uniform[i] = sm.random.uniform(seed, i + start)
    normal[i] = sm.random.normal(seed, i + start)


def drawn(launch, seed, start=0, size=20_000):
    arrays = np.zeros(size, np.uint32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    launch(draw, seed, start, *arrays, grid=size)
    return arrays


def test_kernels_draw_what_the_host_draws(launch):
    bits, uniform, normal = drawn(launch, 1234, size=50)
    for i in range(50):
        assert bits[i] == sm.random.bits(1234, i)
        assert uniform[i] == sm.random.uniform(1234, i)
        assert abs(normal[i] - sm.random.normal(1234, i)) < 2e-6


def test_the_distributions(launch):
    bits, uniform, normal = drawn(launch, 7)
    assert len(np.unique(bits)) > 19_990
    assert uniform.min() >= 0
    assert uniform.max() < 1
    counts = np.histogram(uniform, 20, (0, 1))[0]
    # Chi-square of 19 degrees of freedom exceeds 60 with a probability of 4e-6.
    assert ((counts - 1000) ** 2 / 1000).sum() < 60
    assert abs(normal.mean()) < 0.04
    assert abs(normal.std() - 1) < 0.03
    assert abs((normal < -1).mean() - 0.1587) < 0.015


def test_seeds_counters_and_threads_differ(launch):
    first, *_ = drawn(launch, 1)
    again, *_ = drawn(launch, 1)
    other, *_ = drawn(launch, 2)
    later, *_ = drawn(launch, 1, 10_000)
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.999
    np.testing.assert_array_equal(first[10_000:], later[:10_000])
    assert abs(np.corrcoef(first.astype(float), other.astype(float))[0, 1]) < 0.05
