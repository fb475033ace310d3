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


# --- Arrays of random numbers --------------------------------------------------------------------

DRAWS = {
    "random": lambda rng, device: rng.random(1001, device=device),
    "random float16": lambda rng, device: rng.random(1001, sm.float16, device=device),
    "random bfloat16": lambda rng, device: rng.random(1001, sm.bfloat16, device=device),
    "random float64": lambda rng, device: rng.random(1001, sm.float64, device=device),
    "uniform": lambda rng, device: rng.uniform(-2.0, 5.0, (7, 11), device=device),
    "normal": lambda rng, device: rng.normal(1.0, 3.0, 1001, device=device),
    "normal float64": lambda rng, device: rng.standard_normal(1001, sm.float64, device=device),
    "exponential": lambda rng, device: rng.exponential(2.0, 1001, device=device),
    "integers": lambda rng, device: rng.integers(-5, 2**31 - 1, 1001, device=device),
    "wide integers": lambda rng, device: rng.integers(
        -(2**62), 2**62 + 3, 1001, sm.int64, device=device
    ),
    "all integers": lambda rng, device: rng.integers(0, 2**64, 99, sm.uint64, device=device),
    "gamma": lambda rng, device: rng.gamma(2.5, 3.0, 1001, device=device),
    "small gamma": lambda rng, device: rng.gamma(0.2, 1.0, 1001, device=device),
    "beta": lambda rng, device: rng.beta(0.5, 3.0, 1001, device=device),
    "small poisson": lambda rng, device: rng.poisson(3.0, 1001, device=device),
    "large poisson": lambda rng, device: rng.poisson(70.0, 1001, device=device),
    "bernoulli": lambda rng, device: rng.bernoulli(0.3, 1001, device=device),
    "permutation": lambda rng, device: rng.permutation(101, device=device),
    "choice": lambda rng, device: rng.choice(101, 57, p=np.full(101, 1 / 101), device=device),
    "categorical": lambda rng, device: rng.categorical(
        sm.array([0.5, -1.0, 2.0, 0.0], device=device), 1001
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_every_device_draws_the_same_bits(device, name):
    """Those of the CPU, where the bits of 64 are asked for as well."""
    if "float64" in name and not device.target.has_float64:
        with pytest.raises(sm.UserInputError, match=r"has no float64; give dtype=sm\.float32"):
            DRAWS[name](sm.random.default_rng(3), device)
        return
    there = DRAWS[name](sm.random.default_rng(3).jumped(2), device)
    here = DRAWS[name](sm.random.default_rng(3).jumped(2), sm.device("cpu"))
    assert there.device is device
    np.testing.assert_array_equal(there.numpy(), here.numpy())
