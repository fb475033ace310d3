"""Generators of random numbers: a key, and a place in its stream.

Numbers are words of Philox 4x32-10 (see :mod:`speedmetal.intrinsics.library.philox`) for a counter
of 128 bits: so a kernel makes any number of them at once, and what comes of a seed depends neither
on the device nor on the number of threads. Element ``i`` of ``Generator(seed).random(n)`` is made
of the word that a kernel gets by ``sm.random.bits4(seed, i // 4)[i % 4]``.

Integers, uniform numbers, permutations and choices have the same bits on every device. The others
are computed with this library's own logarithm, exponential, cosine and square root, which are made
of the same operations everywhere; only in fast math, where a device may choose others, may they
differ, by rounding.
"""

from __future__ import annotations

import functools
import math
import operator
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from speedmetal.arrays.arguments import checked_extents, device_of
from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.creation import array
from speedmetal.arrays.deferred.following import (
    Follower,
    followed,
    follower_layouts,
    takes_alike,
)
from speedmetal.arrays.deferred.graph import common_device
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.host_routines import operands_of
from speedmetal.arrays.indices.taking import take
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import Device
from speedmetal.dtypes import (
    DEFAULT_FLOAT,
    DEFAULT_INT,
    DType,
    as_dtype,
    float32,
    float64,
    int64,
    uint64,
)
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import with_article
from speedmetal.intrinsics.library.philox import philox

Size = int | Sequence[int] | None
Parameter = float | Array

_WORD = 0xFFFFFFFF
_SPAWNED = 0xFFFFFFFE
"""The third word of counters from which keys of children are made; see ``kernels/random.py``."""
_MOST_JUMPS = 2**32
_LARGEST_MEAN = 1e6


class Generator:
    """A stream of random numbers that a seed decides.

    Methods take the arguments of NumPy's ``Generator``, and give arrays: ``size`` is their shape
    (None: that to which the parameters are broadcast), ``device`` where they are (None: the default
    device). They are lazy; the place in the stream moves when a method is called.

    Args:
        seed: A whole number from 0 to 2**64 - 1; None: one that the system makes.

    Example:
        >>> rng = Generator(7)
        >>> rng.random(3).tolist() == Generator(7).random(3).tolist()
        True
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and not hasattr(seed, "__index__"):
            raise UserInputError(
                f"expected a whole number as seed, got {with_article(type(seed).__name__)};"
                " for parallel streams make one generator, and others with its spawn"
            )
        given = secrets.randbits(64) if seed is None else operator.index(seed)
        if not 0 <= given < 2**64:
            raise UserInputError(f"expected a seed from 0 to 2**64 - 1, got {given}")
        self._key = given
        self._place = self._jumps = self._children = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Generator key={self._key:#x} place={self._place} jumps={self._jumps}>"

    def __getstate__(self) -> dict[str, int]:
        """The state as four whole numbers; ``__setstate__`` takes them, and so does pickling."""
        with self._lock:
            return {
                "key": self._key,
                "place": self._place,
                "jumps": self._jumps,
                "children": self._children,
            }

    def __setstate__(self, state: dict[str, int]) -> None:
        self._key, self._place = state["key"], state["place"]
        self._jumps, self._children = state["jumps"], state["children"]
        self._lock = threading.Lock()

    # --- Streams for parallel work ---------------------------------------------------------------

    def spawn(self, count: int) -> list[Generator]:
        """Generators with keys of their own, made of this one's: for parts of a parallel program.

        Each call makes others; the numbers of this generator do not change by it. Two keys of
        ``k`` are equal with a probability of ``k**2 / 2**65``.

        Args:
            count: How many.

        Example:
            >>> first, second = Generator(1).spawn(2)
            >>> first.random(2).tolist() != second.random(2).tolist()
            True
        """
        number = operator.index(count)
        if number < 0:
            raise UserInputError(f"spawn: expected 0 generators or more, got {number}")
        with self._lock:
            first = self._children
            self._children += number
        return [Generator(self._child_key(place)) for place in range(first, first + number)]

    def _child_key(self, place: int) -> int:
        counter = (place & _WORD, place >> 32, _SPAWNED, self._jumps)
        words = philox(
            tuple(np.uint32(word) for word in counter),  # type: ignore[arg-type]
            (np.uint32(self._key & _WORD), np.uint32(self._key >> 32)),
        )
        return int(words[0]) << 32 | int(words[1])

    def jumped(self, jumps: int = 1) -> Generator:
        """A generator so many times 2**66 words further on in the stream.

        No program draws as many, so that the streams of ``rng.jumped(1)``, ``rng.jumped(2)`` have
        nothing in common. This generator stays where it is.

        Args:
            jumps: 0 or more; in all fewer than 2**32.

        Example:
            >>> rng = Generator(1)
            >>> rng.jumped().random(2).tolist() == rng.random(2).tolist()
            False
        """
        total = self._jumps + operator.index(jumps)
        if not self._jumps <= total < _MOST_JUMPS:
            raise UserInputError(
                f"jumped: expected 0 to {_MOST_JUMPS - 1 - self._jumps} jumps, got {jumps}"
            )
        found = Generator(0)
        found.__setstate__({**self.__getstate__(), "jumps": total})
        return found

    def _take(self, blocks: int) -> tuple[np.uint64, np.uint64, np.uint32]:
        """The stream from its place on, which moves by so many blocks of four words."""
        with self._lock:
            place = self._place
            self._place = (place + blocks) % 2**64
        return np.uint64(self._key), np.uint64(place), np.uint32(self._jumps)

    # --- Uniform numbers -------------------------------------------------------------------------

    def random(self, size: Size = None, dtype: Any = DEFAULT_FLOAT, *, device: Any = None) -> Array:
        """Uniform numbers in [0, 1).

        Args:
            size: The shape; None: one number, without axes.
            dtype: Of real floats; all multiples of the epsilon below 1 are equally likely: of
                2**-24 for float32, 2**-53 for float64, 2**-11 for float16, 2**-8 for bfloat16.
            device: Where; None: the default device.

        Raises:
            UserInputError: The dtype is another, or the device has no float64.

        Example:
            >>> Generator(0).random(2)
            Array([0.39904642, 0.88052016], dtype=float32, device='cpu')
        """
        target, wanted = device_of(device), _float_type("random", dtype)
        from speedmetal.arrays.kernels.random import uniforms

        return self._draw("random", uniforms, _shape(size), wanted, target)

    def uniform(
        self,
        low: Parameter = 0.0,
        high: Parameter = 1.0,
        size: Size = None,
        dtype: Any = DEFAULT_FLOAT,
        *,
        device: Any = None,
    ) -> Array:
        """Uniform numbers from ``low`` on, below ``high``; rounding may give ``high``.

        Args:
            low: A number or an array.
            high: The same.
            size: The shape; None: that to which both are broadcast.
            dtype: Of real floats.
            device: Where; None: that of the arrays, or the default device.

        Example:
            >>> Generator(0).uniform(-1.0, 1.0, 2)
            Array([-0.20190716,  0.76104033], dtype=float32, device='cpu')
        """
        shape, target = _broadcast("uniform", size, device, low, high)
        least, end = _plain(low), _plain(high)
        return _moved(self.random(shape, dtype, device=target), end - least, least)

    def integers(
        self,
        low: int,
        high: int | None = None,
        size: Size = None,
        dtype: Any = DEFAULT_INT,
        endpoint: bool = False,  # noqa: FBT001, FBT002 - as in NumPy
        *,
        device: Any = None,
    ) -> Array:
        """Whole numbers from ``low`` to ``high``, without it; all are equally likely.

        Two probabilities differ by less than one part in 2**32, see ``kernels/random.py``.

        Args:
            low: The least; with ``high`` None it is 0, and ``low`` is taken for ``high``.
            high: What comes after the greatest.
            size: The shape; None: one number, without axes.
            dtype: Of integers.
            endpoint: Whether ``high`` is among them.
            device: Where; None: the default device.

        Raises:
            UserInputError: There is no such number, or the dtype does not hold all.

        Example:
            >>> Generator(0).integers(1, 6, 5, endpoint=True)
            Array([3, 5, 6, 5, 1], dtype=int32, device='cpu')
        """
        wanted, target = as_dtype(dtype), device_of(device)
        if not wanted.is_integer:
            raise UserInputError(f"integers: expected a dtype of integers, got {wanted}")
        first, last = (0, low) if high is None else (low, high)
        first, last = operator.index(first), operator.index(last) - (not endpoint)
        if last < first:
            raise UserInputError(
                f"integers: there is no whole number from {first} to {last}; low must be below high"
            )
        if first < wanted.minimum or last > wanted.maximum:
            raise UserInputError(
                f"integers: {wanted} holds {wanted.minimum} to {wanted.maximum}, but numbers from"
                f" {first} to {last} were asked for; give dtype="
            )
        return self._whole_numbers(first, last - first + 1, _shape(size), wanted, target)

    def _whole_numbers(
        self, first: int, count: int, shape: tuple[int, ...], dtype: DType, target: Device
    ) -> Array:
        from speedmetal.arrays.kernels.random import below_32_bits, below_64_bits

        low = np.uint64(first % 2**64)
        if count <= 2**32:
            make = functools.partial(below_32_bits, low=low, count=np.uint32(count % 2**32))
            return self._draw("integers", make, shape, dtype, target, each=2)
        make = functools.partial(below_64_bits, low=low, count=np.uint64(count % 2**64))
        return self._draw("integers", make, shape, dtype, target, each=1)

    def bernoulli(self, p: Parameter = 0.5, size: Size = None, *, device: Any = None) -> Array:
        """Bools that are True with probability ``p``.

        Args:
            p: A number or an array, from 0 to 1.
            size: The shape; None: that of ``p``.
            device: Where; None: that of ``p``, or the default device.

        Example:
            >>> Generator(0).bernoulli(0.5, 4)
            Array([ True, False, False, False], dtype=bool_, device='cpu')
        """
        _check_numbers("bernoulli", "p", p, 0.0, 1.0)
        shape, target = _broadcast("bernoulli", size, device, p)
        drawn: Array = self.random(shape, device=target) < _plain(p)
        return drawn

    # --- Other distributions ---------------------------------------------------------------------

    def standard_normal(
        self, size: Size = None, dtype: Any = DEFAULT_FLOAT, *, device: Any = None
    ) -> Array:
        """Normal variates of mean 0 and variance 1, by Box and Muller's formula.

        Args:
            size: The shape; None: one number, without axes.
            dtype: Of real floats. Those of float32 are at most 6.66 in size, of float64 8.6.
            device: Where; None: the default device.

        Example:
            >>> Generator(0).standard_normal((2, 3)).shape
            (2, 3)
        """
        target, wanted = device_of(device), _float_type("standard_normal", dtype)
        from speedmetal.arrays.kernels.random import normals

        return self._draw("normal", normals, _shape(size), wanted, target)

    def normal(
        self,
        loc: Parameter = 0.0,
        scale: Parameter = 1.0,
        size: Size = None,
        dtype: Any = DEFAULT_FLOAT,
        *,
        device: Any = None,
    ) -> Array:
        """Normal variates.

        Args:
            loc: Their mean, a number or an array.
            scale: Their standard deviation, the same.
            size: The shape; None: that to which both are broadcast.
            dtype: Of real floats.
            device: Where; None: that of the arrays, or the default device.

        Example:
            >>> abs(Generator(0).normal(5.0, 0.1, 1000).numpy().mean() - 5.0) < 0.02
            np.True_
        """
        _check_numbers("normal", "scale", scale, 0.0)
        shape, target = _broadcast("normal", size, device, loc, scale)
        found = self.standard_normal(shape, dtype, device=target)
        return _moved(found, _plain(scale), _plain(loc))

    def exponential(
        self,
        scale: Parameter = 1.0,
        size: Size = None,
        dtype: Any = DEFAULT_FLOAT,
        *,
        device: Any = None,
    ) -> Array:
        """Exponential variates, whose density falls as ``exp(-x / scale)``.

        Args:
            scale: Their mean, a number or an array.
            size: The shape; None: that of ``scale``.
            dtype: Of real floats.
            device: Where; None: that of the array, or the default device.

        Example:
            >>> Generator(0).exponential(2.0, 1000).numpy().min() >= 0
            np.True_
        """
        _check_numbers("exponential", "scale", scale, 0.0)
        shape, target = _broadcast("exponential", size, device, scale)
        wanted = _float_type("exponential", dtype)
        from speedmetal.arrays.kernels.random import exponentials

        found = self._draw("exponential", exponentials, shape, wanted, target)
        return _moved(found, _plain(scale), 0.0)

    def gamma(
        self,
        shape: Parameter,
        scale: Parameter = 1.0,
        size: Size = None,
        *,
        device: Any = None,
    ) -> Array:
        """Gamma variates, in float32, whose density is as ``x**(shape - 1) * exp(-x / scale)``.

        Args:
            shape: Positive, a number or an array.
            scale: The same.
            size: The shape of the result; None: that to which both are broadcast.
            device: Where; None: that of the arrays, or the default device.

        Example:
            >>> abs(Generator(0).gamma(3.0, 1.0, 1000).numpy().mean() - 3.0) < 0.2
            np.True_
        """
        _check_numbers("gamma", "shape", shape, 0.0)
        _check_numbers("gamma", "scale", scale, 0.0)
        extents, target = _broadcast("gamma", size, device, shape, scale)
        from speedmetal.arrays.kernels.random import draw_gamma

        found = self._reject("gamma", draw_gamma, extents, float32, target, shape)
        return _moved(found, _plain(scale), 0.0)

    def beta(self, a: Parameter, b: Parameter, size: Size = None, *, device: Any = None) -> Array:
        """Beta variates, in float32, whose density is as ``x**(a - 1) * (1 - x)**(b - 1)``.

        Args:
            a: Positive, a number or an array.
            b: The same.
            size: The shape of the result; None: that to which both are broadcast.
            device: Where; None: that of the arrays, or the default device.

        Example:
            >>> abs(Generator(0).beta(2.0, 2.0, 1000).numpy().mean() - 0.5) < 0.05
            np.True_
        """
        _check_numbers("beta", "a", a, 0.0)
        _check_numbers("beta", "b", b, 0.0)
        extents, target = _broadcast("beta", size, device, a, b)
        from speedmetal.arrays.kernels.random import draw_beta

        return self._reject("beta", draw_beta, extents, float32, target, a, b)

    def poisson(
        self,
        lam: Parameter = 1.0,
        size: Size = None,
        dtype: Any = DEFAULT_INT,
        *,
        device: Any = None,
    ) -> Array:
        """Poisson variates: how many of many rare events happen.

        Args:
            lam: Their mean, a number or an array, from 0 to 10**6: it is computed in float32.
            size: The shape; None: that of ``lam``.
            dtype: Of integers.
            device: Where; None: that of the array, or the default device.

        Example:
            >>> abs(Generator(0).poisson(4.0, 1000).numpy().mean() - 4.0) < 0.3
            np.True_
        """
        _check_numbers("poisson", "lam", lam, 0.0, _LARGEST_MEAN)
        wanted = as_dtype(dtype)
        if not wanted.is_integer:
            raise UserInputError(f"poisson: expected a dtype of integers, got {wanted}")
        extents, target = _broadcast("poisson", size, device, lam)
        from speedmetal.arrays.kernels.random import draw_poisson

        return self._reject("poisson", draw_poisson, extents, wanted, target, lam)

    # --- Choices ---------------------------------------------------------------------------------

    def categorical(
        self, logits: Array, size: Size = None, *, axis: int = -1, dtype: Any = DEFAULT_INT
    ) -> Array:
        """Categories, each with a probability that is as ``exp`` of its logit.

        Args:
            logits: ``(..., categories)``, real; -inf for what never comes.
            size: The shape, whose last extents are those of the other axes; None: these alone.
            axis: That of the categories.
            dtype: Of integers.

        Returns:
            The places of the categories.

        Raises:
            UserInputError: There is no category, or the shape has other extents.

        Example:
            >>> import speedmetal as sm
            >>> Generator(0).categorical(sm.array([0.0, -float("inf")]), 3)
            Array([0, 0, 0], dtype=int32, device='cpu')
        """
        (array,) = operands_of("categorical", logits)
        (place,) = axes_of(axis, array.ndim)
        rows = array.transpose((*(k for k in range(array.ndim) if k != place), place))
        batch, categories = rows.shape[:-1], rows.shape[-1]
        extents = batch if size is None else _shape(size)
        if not categories or extents[len(extents) - len(batch) :] != batch:
            raise UserInputError(
                f"categorical: expected a size that ends with {batch} and one category or more, got"
                f" size {extents} for logits of shape {array.shape}"
            )
        from speedmetal.arrays.kernels.random import draw_categorical

        flat = rows.reshape((math.prod(batch), categories)).astype(float32, copy=False)
        stream = self._take(math.prod(extents))
        return _lazy(
            "categorical",
            (flat,),
            lambda out: draw_categorical(out, flat, stream, grid=out.size),
            extents,
            as_dtype(dtype),
            array.device,
        )

    def permutation(self, x: Any, axis: int = 0, *, device: Any = None) -> Array:
        """The elements along an axis in random order; all orders are equally likely.

        Keys of 64 bits are drawn on the device, and sorted by NumPy.

        Args:
            x: An array or a list, or a whole number ``n``, which means the numbers below it.
            axis: Along which.
            device: Where the result of a number is; None: the default device.

        Example:
            >>> sorted(Generator(0).permutation(4).tolist())
            [0, 1, 2, 3]
        """
        x = _array_or_count(x, device)
        if isinstance(x, Array):
            (place,) = axes_of(axis, x.ndim)
            order = self._order(x.shape[place], x.device)
            return take(x, upload(order, x.device), axis=place)
        count, target = x, device_of(device)
        if count < 0:
            raise UserInputError(f"permutation: expected 0 numbers or more, got {count}")
        wanted = DEFAULT_INT if count <= DEFAULT_INT.maximum else int64
        return upload(self._order(count, target).astype(wanted.numpy), target)

    def shuffle(self, x: Array, axis: int = 0) -> None:
        """Put the elements along an axis into random order, in place; see :meth:`permutation`.

        Args:
            x: An array that may be written to.
            axis: Along which.
        """
        x[...] = self.permutation(x, axis=axis)

    def choice(
        self,
        a: Any,
        size: Size = None,
        replace: bool = True,  # noqa: FBT001, FBT002 - as in NumPy
        p: Any = None,
        axis: int = 0,
        *,
        device: Any = None,
    ) -> Array:
        """Elements along an axis, chosen at random.

        Args:
            a: An array or a list, or a whole number ``n``, which means the numbers below it.
            size: The shape that comes in the place of the axis; None: one element.
            replace: Whether an element may be chosen again.
            p: The probability of each, which sum to 1; None: all are equal.
            axis: Along which.
            device: Where the result of a number is; None: the default device.

        Raises:
            UserInputError: ``p`` has another length or sum, or there are too few elements.

        Example:
            >>> Generator(0).choice(10, 3, replace=False).shape
            (3,)
        """
        a = _array_or_count(a, device)
        (place,) = axes_of(axis, a.ndim) if isinstance(a, Array) else (0,)
        count = a.shape[place] if isinstance(a, Array) else a
        target = a.device if isinstance(a, Array) else device_of(device)
        shape = _shape(size)
        number = math.prod(shape)
        weights = None if p is None else _probabilities(p, count)
        if count < 1 and number:
            raise UserInputError("choice: expected one element or more to choose from, got none")
        if replace:
            places = self._places(count, number, weights, target)
        else:
            places = self._distinct_places(count, number, weights, target)
        places = places.reshape(shape)
        if isinstance(a, Array):
            return take(a, upload(places, target), axis=place)
        wanted = DEFAULT_INT if count <= DEFAULT_INT.maximum else int64
        return upload(places.astype(wanted.numpy), target)

    def _places(
        self, count: int, number: int, weights: HostArray | None, target: Device
    ) -> HostArray:
        if weights is None:
            return self._whole_numbers(0, count, (number,), int64, target).numpy()
        ends = np.cumsum(weights)
        ends /= ends[-1]
        return np.searchsorted(ends, self._units(number, target), side="right")

    def _distinct_places(
        self, count: int, number: int, weights: HostArray | None, target: Device
    ) -> HostArray:
        available = count if weights is None else int(np.count_nonzero(weights))
        if number > available:
            raise UserInputError(
                f"choice: expected at most {available} elements without replace, got {number}"
            )
        if weights is None:
            return self._order(count, target)[:number]
        # P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a reservoir" (2006).
        with np.errstate(divide="ignore"):
            keys = -np.log1p(-self._units(count, target)) / weights
        return np.argsort(keys, kind="stable")[:number]

    def _order(self, count: int, target: Device) -> HostArray:
        """A random order of so many elements: that of 64 random bits for each."""
        return order_of(self._keys(count, target))

    def _keys(self, count: int, target: Device) -> HostArray:
        """So many uint64 of random bits, for NumPy."""
        from speedmetal.arrays.kernels.random import words_of_64_bits

        return self._draw("bits", words_of_64_bits, (count,), uint64, target, each=2).numpy()

    def _units(self, count: int, target: Device) -> HostArray:
        """So many float64 in [0, 1), also of devices that have no float64."""
        return (self._keys(count, target) >> np.uint64(11)) * 2.0**-53

    # --- Kernels ---------------------------------------------------------------------------------

    def _draw(
        self,
        name: str,
        make: Callable[..., Any],
        shape: tuple[int, ...],
        dtype: DType,
        target: Device,
        each: int | None = None,
    ) -> Array:
        """What a function makes of the next words.

        Args:
            name: For people.
            make: See the kernel ``draw``.
            shape: Of the result.
            dtype: The same.
            target: Where it is.
            each: How many elements it makes of four words; None: four, or two of float64.
        """
        _check_float64(name, dtype, target)
        each = each or (2 if dtype is float64 else 4)
        blocks = -(-math.prod(shape) // each)
        stream = self._take(blocks)

        def write(out: Array) -> None:
            from speedmetal.arrays.kernels.random import draw

            draw(out, make, stream, grid=blocks)

        return _lazy(name, (), write, shape, dtype, target, takes=takes_alike)

    def _reject(
        self,
        name: str,
        kernel: Any,
        shape: tuple[int, ...],
        dtype: DType,
        target: Device,
        *parameters: Parameter,
    ) -> Array:
        """What a kernel makes that has a block for each element, and parameters."""
        count = math.prod(shape)
        stream = self._take(count)
        arrays = [_spread(parameter, shape, target) for parameter in parameters]
        return _lazy(
            name,
            tuple(arrays),
            lambda out: kernel(out, *arrays, stream, grid=count),
            shape,
            dtype,
            target,
        )


def order_of(keys: HostArray) -> HostArray:
    """What a stable ``argsort`` gives, in a fraction of its time.

    The places stand in the low bits of what is sorted, in place of bits of the keys; where the
    others are equal, the keys decide.

    >>> order_of(np.array([3, 1, 3, 1], np.uint64))
    array([1, 3, 0, 2])
    """
    bits = np.uint64(max(len(keys) - 1, 0).bit_length())
    places = np.arange(len(keys), dtype=np.uint64)
    packed = np.sort(keys >> bits << bits | places)
    order = (packed & np.uint64((1 << int(bits)) - 1)).astype(np.int64)
    high = packed >> bits
    is_equal = high[1:] == high[:-1]
    if is_equal.any():
        tied = np.flatnonzero(np.append(is_equal, False) | np.append(False, is_equal))
        order[tied] = order[tied][np.argsort(keys[order[tied]], kind="stable")]
    return order


def _lazy(
    name: str,
    operands: tuple[Array, ...],
    write: Callable[[Array], None],
    shape: tuple[int, ...],
    dtype: DType,
    device: Device,
    takes: Callable[[Follower], bool] | None = None,
) -> Array:
    """A lazy array whose elements are written as those of a vector; ``takes`` as of a call."""

    def run(follower: Follower | None = None) -> list[Array]:
        stored = dtype if follower is None else follower.array.layout.dtype
        result = Array.allocate(shape, stored, device)
        if result.size:
            write(_as_vector(result, follower))
        return [result]

    (found,) = call(Array, Call(name, operands, run, takes=takes), [(shape, dtype)], device)
    array: Array = found
    return array


def _as_vector(target: Array, follower: Follower | None) -> Any:
    """An array in C order as an argument of a kernel, with what is computed of what it stores."""
    flat = target.reshape((target.size,))
    places = [each.reshape(flat.shape) for each in follower_layouts(follower, target.shape)]
    return followed(follower, flat, [place for place in places if place is not None])[0]


# --- Parameters ----------------------------------------------------------------------------------


def _array_or_count(x: Any, device: Any) -> Array | int:
    """What elements are taken from: an array, what can be one, or as many numbers as were given."""
    if isinstance(x, Array):
        return x
    if hasattr(x, "__index__") and not np.ndim(x):
        return operator.index(x)
    made = array(x, None, device)
    if not made.ndim:
        raise UserInputError(f"expected an array, a list or a whole number of elements, got {x!r}")
    return made


def _shape(size: Size) -> tuple[int, ...]:
    return () if size is None else checked_extents(size)


def _broadcast(
    name: str, size: Size, device: Any, *parameters: Parameter
) -> tuple[tuple[int, ...], Device]:
    """The shape of a result, and where it is.

    Raises:
        UserInputError: A parameter is neither a number nor an array, or cannot be broadcast.
    """
    arrays = [parameter for parameter in parameters if isinstance(parameter, Array)]
    for parameter in parameters:
        if not isinstance(parameter, Array | int | float | np.number):
            raise UserInputError(
                f"{name}: expected numbers or arrays of speedmetal as parameters, got"
                f" {type(parameter).__name__}{_advice_for(parameter)}"
            )
    if arrays:
        common_device(name, arrays)
    target = arrays[0].device if arrays and device is None else device_of(device)
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        if size is not None:
            extents = _shape(size)
            if np.broadcast_shapes(shape, extents) != extents:
                raise ValueError  # noqa: TRY301 - as above
            shape = extents
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise UserInputError(
            f"{name}: parameters of shapes {shapes} cannot be broadcast"
            + ("" if size is None else f" to size {size}")
        ) from None
    return shape, target


def _advice_for(parameter: Any) -> str:
    """What to do with what is no parameter: other libraries have the shape in its place."""
    shape = f"; a shape is size={parameter}, and" if isinstance(parameter, tuple) else ";"
    return f"{shape} an array is made by sm.asarray"


def _spread(parameter: Parameter, shape: tuple[int, ...], device: Device) -> Array:
    """A parameter for each element, as a vector; of a number one element that repeats."""
    if isinstance(parameter, Array):
        return parameter.broadcast_to(shape).reshape(-1)
    one = upload(np.array([parameter], np.float32), device)
    return one.broadcast_to((math.prod(shape),))


def _plain(parameter: Parameter) -> Any:
    """An array, or a number as Python's, which leaves the dtype to the array it meets."""
    return parameter if isinstance(parameter, Array) else float(parameter)


def _moved(array: Array, scale: Any, offset: Any) -> Array:
    """``array * scale + offset``, without what changes nothing."""
    scaled = array if type(scale) is float and scale == 1.0 else array * scale
    moved: Array = scaled if type(offset) is float and offset == 0.0 else scaled + offset
    return moved


def _check_numbers(
    name: str, word: str, value: Parameter, least: float, greatest: float = math.inf
) -> None:
    """That a number is in its range; arrays are not looked at, since they may be lazy."""
    if isinstance(value, int | float) and not least <= value <= greatest:
        bounds = f"of {least} or more" if greatest == math.inf else f"from {least} to {greatest}"
        raise UserInputError(f"{name}: expected {word} {bounds}, got {value}")


def _float_type(name: str, dtype: Any) -> DType:
    wanted = as_dtype(dtype)
    if not wanted.is_float:
        raise UserInputError(f"{name}: expected a dtype of real floats, got {wanted}")
    return wanted


def _check_float64(name: str, dtype: DType, device: Device) -> None:
    if dtype is float64 and not device.target.has_float64:
        raise UserInputError(f"{name}: {device.name} has no float64; give dtype=sm.float32")


def _probabilities(p: Any, count: int) -> HostArray:
    weights = np.asarray(p.numpy() if isinstance(p, Array) else p, np.float64)
    if weights.shape != (count,):
        raise UserInputError(
            f"choice: expected p of shape ({count},), one for each element, got {weights.shape}"
        )
    total = weights.sum()
    if not (weights >= 0).all() or not abs(total - 1) <= 1e-5:
        raise UserInputError(
            f"choice: expected probabilities that are 0 or more and sum to 1, got the sum {total}"
        )
    return weights
