"""Prices European options with the formula of Black and Scholes: plain functions, a dataclass
as an argument, one thread an option.

C = S N(d1) - K exp(-r T) N(d2), where d1 = (ln(S / K) + (r + v**2 / 2) T) / (v sqrt(T)) and
d2 = d1 - v sqrt(T)
(Black and Scholes, The Pricing of Options and Corporate Liabilities, 1973).

    python examples/black_scholes.py --options 1000000
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import speedmetal as sm


@dataclass(frozen=True)
class Market:
    """What is the same for all options, per year."""

    rate: float
    volatility: float


def normal_cdf(x):
    """The share of the normal distribution below x."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


def call_and_put(spot, strike, years, market):
    """Prices of the right to buy and of the right to sell at ``strike`` after so many years."""
    spread = market.volatility * math.sqrt(years)
    drift = (market.rate + 0.5 * market.volatility**2) * years
    d1 = (math.log(spot / strike) + drift) / spread
    d2 = d1 - spread
    discounted = strike * math.exp(-market.rate * years)
    call = spot * normal_cdf(d1) - discounted * normal_cdf(d2)
    put = discounted * normal_cdf(-d2) - spot * normal_cdf(-d1)
    return call, put


@sm.kernel
def price(spots, strikes, years, market, calls, puts):
    """Each thread prices one option."""
    i = sm.thread_position_in_grid().x
    calls[i], puts[i] = call_and_put(spots[i], strikes[i], years[i], market)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--options", type=int, default=1_000_000)
    count = parser.parse_args(argv).options

    generator = np.random.default_rng(5)
    spots = sm.array(generator.uniform(5, 30, count), sm.float32)
    strikes = sm.array(generator.uniform(1, 100, count), sm.float32)
    years = sm.array(generator.uniform(0.25, 10, count), sm.float32)
    calls, puts = sm.empty(count), sm.empty(count)
    market = Market(rate=0.02, volatility=0.3)
    price(spots, strikes, years, market, calls, puts, grid=count)

    # The same Python function in float64, on the host, for a sample.
    sample = range(0, count, max(1, count // 1000))
    host = [a.numpy().astype(np.float64) for a in (spots, strikes, years)]
    expected = np.array([call_and_put(*(a[i] for a in host), market) for i in sample]).T
    found = np.stack([calls.numpy()[sample], puts.numpy()[sample]])
    error = np.max(np.abs(found - expected))
    print(f"{count} options; largest error {error:.1e} in a sample of {len(sample)}")
    assert error < 1e-4

    forward = host[0] - host[1] * np.exp(-market.rate * host[2])
    parity = np.max(np.abs(calls.numpy() - puts.numpy() - forward))
    print(f"call - put = spot - discounted strike within {parity:.1e} for all")
    assert parity < 1e-4


if __name__ == "__main__":
    main()
