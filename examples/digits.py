"""Handwritten digits, told by a small convolutional network.

Its filters are random, and stay so: rectified and pooled, they are features enough for a last layer
that is fitted in one step, by ridge regression (Rahimi and Recht, 2008: random features). The
digits are scikit-learn's, 1797 images of 8 x 8 pixels.

python examples/digits.py --filters 48
"""

import argparse
from collections.abc import Sequence

import numpy as np
from sklearn.datasets import load_digits

import speedmetal as sm

CLASSES = 10
PENALTY = 3.0  # on large weights of the last layer


def features(images: sm.Array, filters: sm.Array, bias: sm.Array) -> sm.Array:
    """What the filters see in ``(count, 8, 8, 1)``: ``(count, 4 * 4 * filters)``."""
    seen = sm.nn.relu(sm.nn.conv2d(images, filters, bias, padding=1))
    return sm.nn.max_pool2d(seen, 2).reshape(images.shape[0], -1)


def fitted(seen: sm.Array, classes: sm.Array) -> sm.Array:
    """The last layer's weights: those with the least squares of errors, and not too large."""
    wanted = 2 * sm.nn.one_hot(classes, CLASSES) - 1
    grams = seen.T @ seen + PENALTY * sm.eye(seen.shape[1])
    return sm.linalg.solve(grams, seen.T @ wanted)


def told(seen: sm.Array, weights: sm.Array) -> sm.Array:
    """The class of each image."""
    return sm.argmax(seen @ weights, axis=1)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filters", type=int, default=48)
    parser.add_argument("--images", type=int, default=1797, help="a quarter is left out to test")
    options = parser.parse_args(argv)

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))[: options.images]
    images = sm.array((digits.images[order, :, :, None] / 16).astype(np.float32))
    classes = sm.array(digits.target[order].astype(np.int32))
    generator = np.random.default_rng(1)
    filters = sm.array(generator.normal(0, 0.5, (options.filters, 3, 3, 1)).astype(np.float32))
    bias = sm.array(generator.normal(0, 0.25, options.filters).astype(np.float32))

    count = 3 * options.images // 4
    seen = features(images, filters, bias)
    weights = fitted(seen[:count], classes[:count])
    found = told(seen[count:], weights)
    accuracy = float(sm.mean((found == classes[count:]).astype(sm.float32)))
    print(
        f"{options.filters} filters, {count} digits to fit: {accuracy:.1%} of {found.size} others"
    )
    assert accuracy >= 0.95
    wrong = np.flatnonzero(found.numpy() != classes[count:].numpy())[:1]
    for place in wrong:
        show(images[count + place, :, :, 0].numpy(), int(classes[count + place]), int(found[place]))


def show(image: np.ndarray, right: int, wrong: int) -> None:
    """An image that was taken for another digit, as text."""
    print(f"a {right} that was taken for a {wrong}:")
    for row in image:
        print("".join(" .:-=+*#@"[round(8 * float(pixel))] * 2 for pixel in row))


if __name__ == "__main__":
    main()
