"""Random numbers: ``sm.random``.

Outside kernels, a :class:`Generator` is a stream of numbers that a seed decides, and the functions
of this module draw from one that is always there: ``sm.random.seed(7)`` starts it anew.

Inside kernels, ``bits``, ``bits4``, ``uniform`` and ``normal`` of a seed and a counter need no
state; see :mod:`speedmetal.intrinsics.library.philox`. They work outside, too, on numbers and
arrays: so ``uniform`` and ``normal`` of two whole numbers, or of arrays of them, mean a seed and a
counter; everything else is drawn from the generator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.randomness.generator import Generator
from speedmetal.intrinsics.library import philox as _words
from speedmetal.intrinsics.library.philox import bits, bits4, philox

__all__ = [
    "Generator",
    "bernoulli",
    "beta",
    "bits",
    "bits4",
    "categorical",
    "choice",
    "default_rng",
    "exponential",
    "gamma",
    "integers",
    "normal",
    "permutation",
    "philox",
    "poisson",
    "random",
    "seed",
    "shuffle",
    "standard_normal",
    "uniform",
]


def default_rng(seed: int | Generator | None = None) -> Generator:
    """A new generator; a generator that is given is given back.

    Args:
        seed: A whole number from 0 to 2**64 - 1; None: one that the system makes.

    Raises:
        UserInputError: The seed is outside.

    Example:
        >>> default_rng(3).integers(10, size=3).tolist() == default_rng(3).integers(
        ...     10, size=3
        ... ).tolist()
        True
    """
    return seed if isinstance(seed, Generator) else Generator(seed)


_default = [Generator()]


def seed(seed: int | None = None) -> None:
    """Start the generator of this module's functions anew.

    Args:
        seed: As of :func:`default_rng`.

    Example:
        >>> import speedmetal as sm
        >>> sm.random.seed(1)
        >>> first = sm.random.random(3).tolist()
        >>> sm.random.seed(1)
        >>> sm.random.random(3).tolist() == first
        True
    """
    _default[0] = Generator(seed)


def _of_default(name: str) -> Callable[..., Array]:
    """The function that calls a method of the generator of this module."""
    method = getattr(Generator, name)

    @functools.wraps(method)
    def function(*arguments: Any, **options: Any) -> Any:
        return getattr(_default[0], name)(*arguments, **options)

    function.__doc__ = f"See :meth:`Generator.{name}`; it draws from the generator of this module."
    del function.__wrapped__
    return function


class Drawn:
    """A function that draws from the generator, and a word of the kernel language of that name.

    Inside kernels it is ``function``: there the compiler takes an object with these two attributes
    for what it wraps.

    Args:
        function: In the kernel language, of a seed and a counter.
        draws: Of the generator.
    """

    def __init__(self, function: Callable[..., Any], draws: Callable[..., Array]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._draws = draws
        self.__doc__ = (
            f"{function.__doc__}\nIn every other call: see :meth:`Generator.{function.__name__}`."
        )

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if len(arguments) + len(options) == 2 and _is_seed_and_counter(arguments, options):
            return self.function(*arguments, **options)
        return self._draws(*arguments, **options)


def _is_seed_and_counter(arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
    return set(options) <= {"seed", "counter"} and all(
        isinstance(value, int | np.integer)
        or (hasattr(value, "dtype") and np.dtype(value.dtype).kind in "iu")
        for value in (*arguments, *options.values())
    )


bernoulli = _of_default("bernoulli")
beta = _of_default("beta")
categorical = _of_default("categorical")
choice = _of_default("choice")
exponential = _of_default("exponential")
gamma = _of_default("gamma")
integers = _of_default("integers")
permutation = _of_default("permutation")
poisson = _of_default("poisson")
random = _of_default("random")
shuffle = _of_default("shuffle")
standard_normal = _of_default("standard_normal")

uniform = Drawn(_words.uniform, _of_default("uniform"))
normal = Drawn(_words.normal, _of_default("normal"))
