"""Prices options by simulation: random paths of a share, each an array operation.

A path follows dS = r S dt + v S dW; an Asian call pays what the mean price on the way is above the
strike. A European call, of which the formula of Black and Scholes is known, checks the paths.
(P. Boyle, Options: a Monte Carlo approach, Journal of Financial Economics 4, 1977.)

    python examples/option_pricing.py --paths 1000000
"""

import argparse
import math
from collections.abc import Sequence

import speedmetal as sm

SPOT, STRIKE, RATE, VOLATILITY, YEARS = 100.0, 105.0, 0.05, 0.3, 1.0


def black_scholes() -> float:
    """The price of the European call."""
    spread = VOLATILITY * math.sqrt(YEARS)
    d1 = (math.log(SPOT / STRIKE) + (RATE + VOLATILITY**2 / 2) * YEARS) / spread

    def below(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    return SPOT * below(d1) - STRIKE * math.exp(-RATE * YEARS) * below(d1 - spread)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paths", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=52)
    options = parser.parse_args(argv)

    generator = sm.random.Generator(7)
    step = YEARS / options.steps
    drift = (RATE - VOLATILITY**2 / 2) * step
    price = sm.full(options.paths, SPOT)
    total = sm.zeros(options.paths)
    for _ in range(options.steps):
        noise = generator.normal(size=options.paths)
        price = price * sm.exp(drift + VOLATILITY * math.sqrt(step) * noise)
        total = total + price
        sm.eval(price, total)

    discount = math.exp(-RATE * YEARS)
    european = discount * sm.maximum(price - STRIKE, 0.0)
    asian = discount * sm.maximum(total / options.steps - STRIKE, 0.0)
    for name, payoff in (("European", european), ("Asian", asian)):
        error = float(payoff.std()) / math.sqrt(options.paths)
        print(f"{name} call: {float(payoff.mean()):.3f} +- {2 * error:.3f}")
    exact = black_scholes()
    print(f"European call by the formula: {exact:.3f}")
    error = float(european.std()) / math.sqrt(options.paths)
    assert abs(float(european.mean()) - exact) < 4 * error


if __name__ == "__main__":
    main()
