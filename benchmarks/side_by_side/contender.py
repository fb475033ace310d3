"""What a contender is: a framework, a variant of it, and a call that is ready to be timed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[Any]]


class Kind(StrEnum):
    """What a contender's time is compared for."""

    OURS = "ours"
    PEER = "peer"
    REFERENCE = "reference"  # shown, but no kernel is expected to meet it: BLAS, a plain copy


@dataclass(frozen=True)
class Ready:
    """A contender with its inputs in place.

    Args:
        call: One whole computation, finished at return.
        fetch: The arrays of the result, as NumPy's, from what `call` returned.
        written: Memory that each call writes; it is spoilt before a proof, so that nothing that an
            earlier call left there can pass for a result.
    """

    call: Callable[[], Any]
    fetch: Callable[[Any], tuple[NDArray[Any], ...]]
    written: tuple[NDArray[Any], ...] = ()


Prepare = Callable[[Inputs], Ready]
Table = Mapping[str, Mapping[str, Prepare | str]]


@dataclass(frozen=True)
class Contender:
    """One row of a case's table."""

    framework: str
    variant: str
    kind: Kind = Kind.PEER

    @property
    def variant_key(self) -> str:
        """Its key in the framework's table."""
        return (REFERENCE_PREFIX if self.kind is Kind.REFERENCE else "") + self.variant

    @property
    def label(self) -> str:
        return f"{self.framework} ({self.variant})" if self.variant else self.framework


@dataclass(frozen=True)
class FrameworkRecord:
    """A framework: its name, its distributions, the folders that have a module with its table."""

    name: str
    packages: tuple[str, ...]
    folders: tuple[str, ...] = ("contenders",)

    def table(self) -> Table:
        """The framework's table; imports the framework."""
        table: dict[str, Mapping[str, Prepare | str]] = {}
        for folder in self.folders:
            table |= importlib.import_module(f"{folder}.with_{self.name}").TABLE
        return table


_KERNELS, _ARRAYS = "contenders", "contenders.arrays"
_ALL = (_KERNELS, _ARRAYS)
ALL_FRAMEWORKS = (
    FrameworkRecord("speedmetal", ("speedmetal", "llvmlite"), _ALL),
    FrameworkRecord("numba", ("numba",)),
    FrameworkRecord("numpy", ("numpy", "scipy"), _ALL),
    FrameworkRecord("torch", ("torch",), _ALL),
    FrameworkRecord("jax", ("jax", "jaxlib"), _ALL),
    FrameworkRecord("warp", ("warp-lang",)),
    FrameworkRecord("mlx", ("mlx", "mlx-cpu"), _ALL),
    FrameworkRecord("drjit", ("drjit",), _ALL),
    FrameworkRecord("numexpr", ("numexpr",), (_ARRAYS,)),
)
FRAMEWORKS = tuple(record for record in ALL_FRAMEWORKS if _KERNELS in record.folders)
ARRAY_FRAMEWORKS = tuple(record for record in ALL_FRAMEWORKS if _ARRAYS in record.folders)
REFERENCE_PREFIX = "reference: "  # of a variant that is no peer


def contender_of(framework: str, variant: str) -> Contender:
    """The contender that a table's entry describes.

    >>> contender_of("numpy", "reference: BLAS")
    Contender(framework='numpy', variant='BLAS', kind=<Kind.REFERENCE: 'reference'>)
    """
    if variant.startswith(REFERENCE_PREFIX):
        return Contender(framework, variant.removeprefix(REFERENCE_PREFIX), Kind.REFERENCE)
    return Contender(framework, variant, Kind.OURS if framework == "speedmetal" else Kind.PEER)


def in_place(
    function: Callable[..., object],
    arguments: tuple[Any, ...],
    outputs: tuple[NDArray[Any], ...],
) -> Ready:
    """A function that writes its results into `outputs`, which are its last arguments."""
    everything = (*arguments, *outputs)
    return Ready(lambda: function(*everything), lambda _: outputs, outputs)


def spoil(arrays: tuple[NDArray[Any], ...]) -> None:
    """Fill with what no result contains: NaN, or the smallest integer."""
    for array in arrays:
        array.fill(np.nan if array.dtype.kind == "f" else np.iinfo(array.dtype).min)
