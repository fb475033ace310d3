"""Adds two vectors: the smallest kernel there is.

python examples/vector_add.py --size 1000000
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm


@sm.kernel
def vector_add(a, b, c):
    """Each thread adds one pair of elements."""
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000)
    options = parser.parse_args(argv)

    generator = np.random.default_rng(0)
    a = sm.array(generator.standard_normal(options.size, np.float32))
    b = sm.array(generator.standard_normal(options.size, np.float32))
    c = sm.empty(options.size)
    vector_add(a, b, c, grid=c.size)

    np.testing.assert_array_equal(c.numpy(), a.numpy() + b.numpy())
    print(f"{c.size} sums, each equal to NumPy's")


if __name__ == "__main__":
    main()
