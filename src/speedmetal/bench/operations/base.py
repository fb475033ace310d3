"""What a benchmark operation is: cases, inputs, float64 reference, bytes and FLOPs.

An operation knows nothing of any framework. Its inputs and reference are NumPy arrays in one
canonical layout (activations channels-last, convolution weights ``(out, kernel..., in)``,
attention ``(batch, heads, length, head_size)``); each framework's adapter converts them to its
native layout before, and its outputs back after, the timed region.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout as Layout
from speedmetal.bench.contract import Params as Params

Array = NDArray[Any]
Arrays = dict[str, Array]  # inputs by name, in the order in which the operation takes them


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation, as a suite file may give it.

    Args:
        expected: What a valid value is, for messages: ``"a list of 3 positive integers"``.
        is_valid: Whether a value is as ``expected`` says.
    """

    expected: str
    is_valid: Callable[[Any], bool]


def shape(minimum_rank: int = 1, maximum_rank: int | None = None) -> Parameter:
    """A list of positive integers with a rank in the given range."""
    ranks = (
        f"{minimum_rank}"
        if maximum_rank == minimum_rank
        else f"{minimum_rank} or more"
        if maximum_rank is None
        else f"{minimum_rank} to {maximum_rank}"
    )

    def is_valid(value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(value) >= minimum_rank
            and (maximum_rank is None or len(value) <= maximum_rank)
            and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in value)
        )

    return Parameter(f"a list of {ranks} positive integers", is_valid)


def integer(minimum: int | None = None) -> Parameter:
    """An integer, at least ``minimum`` where one is given."""
    expected = "an integer" if minimum is None else f"an integer of at least {minimum}"

    def is_valid(value: Any) -> bool:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        return is_integer and (minimum is None or value >= minimum)

    return Parameter(expected, is_valid)


@dataclass(frozen=True)
class Work:
    """The least that any implementation must do: bytes to move and floating-point operations."""

    bytes_minimum: int
    flops: int


@dataclass(frozen=True)
class Case:
    """Parameters of an operation, and the suites that contain them.

    ``published`` marks the experiments of the published MLX benchmark; ``dtypes`` overrides the
    run's where it is given.
    """

    parameters: Params
    suites: tuple[str, ...] = ()
    published: bool = False
    dtypes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Stress:
    """Inputs on which a formula that is right on paper fails: see ``stress.py``.

    Args:
        inputs: Plain inputs made hard, from parameters, the inputs, the dtype's name and a
            generator.
        leniency: Factor on the tolerance by dtype: the condition number of the hardest rows, by
            which the rounding of the inputs' own size shows in a result.
    """

    inputs: Callable[[Params, Arrays, str, np.random.Generator], Arrays]
    leniency: Callable[[str], float] = lambda _: 1.0


@dataclass(frozen=True)
class Operation:
    """One operation of the benchmark.

    Args:
        name: Identifier, as in suite files and ``--ops``.
        title: Name in reports; for published experiments, the published spelling.
        family: Reports group by it.
        parameters: What a suite file may give, by name.
        label: Human spelling of the parameters (``"dim=64x128 axi=1"``).
        inputs: Makes the inputs, float32 or integer, from parameters and a seeded generator.
        reference: The result in the inputs' precision, a tuple of arrays. It is called with
            float64 inputs unless the operation is ``exact``.
        work: Least work, from parameters and the size of an element in bytes.
        problem: What is wrong with parameters that are each valid alone, or None.
        reduction_length: How many terms the longest sum has; error grows with its square root.
        scale: Magnitude of the result where the result's own root mean square does not tell
            (sums that may cancel); compared results are divided by the larger of the two.
        leniency: Factor on the tolerance where frameworks' definitions differ in their digits;
            each use says why.
        exact: Results must equal the reference bit for bit (data movement, sorting).
        nan_propagates: A NaN in the first input must appear in the output where the reference
            has it; False where NumPy's own meaning is not shared by all frameworks.
        stress: Hard inputs of the proof, beside a NaN; None where random numbers are hard enough.
        differentiable: Inputs with a gradient; none where the operation has no (unique) one.
        layouts: Layouts of inputs that are not plain, by name.
        output_layouts: Layouts of the outputs, where not all are plain.
        dtypes: The dtypes in which the operation is defined.
        cases: The cases that suites are made of.
    """

    name: str
    title: str
    family: str
    parameters: Mapping[str, Parameter]
    label: Callable[[Params], str]
    inputs: Callable[[Params, np.random.Generator], Arrays]
    reference: Callable[[Params, Arrays], tuple[Array, ...]]
    work: Callable[[Params, int], Work]
    problem: Callable[[Params], str | None] = lambda _: None
    reduction_length: Callable[[Params], int] = lambda _: 1
    scale: Callable[[Params], float] = lambda _: 0.0
    leniency: float = 1.0
    exact: bool = False
    nan_propagates: bool = False
    stress: Stress | None = None
    differentiable: tuple[str, ...] = ()
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    output_layouts: tuple[Layout, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "float16", "bfloat16", "float64")
    cases: tuple[Case, ...] = ()

    def layout_of(self, name: str) -> Layout:
        """Layout of an input."""
        return self.layouts.get(name, Layout.PLAIN)

    def output_layout(self, index: int) -> Layout:
        """Layout of an output."""
        return self.output_layouts[index] if self.output_layouts else Layout.PLAIN


def published_cases(*parameters: Params, quick: int | None = None) -> tuple[Case, ...]:
    """Published experiments; the one at index ``quick`` is also the operation's quick case."""
    return tuple(
        Case(p, ("mlx-benchmark", "quick") if i == quick else ("mlx-benchmark",), published=True)
        for i, p in enumerate(parameters)
    )


def quick_only(parameters: Params) -> tuple[Case, ...]:
    """A case for the quick suite alone, where the published ones take long."""
    return (Case(parameters, ("quick",)),)


def layer(*parameters: Params, quick: int | None = 0) -> tuple[Case, ...]:
    """Cases of the suite ``layers``; the one at index ``quick`` is also the quick case."""
    return tuple(
        Case(p, ("layers", "quick") if i == quick else ("layers",))
        for i, p in enumerate(parameters)
    )


def fused(*parameters: Params, dtypes: tuple[str, ...] | None = None) -> tuple[Case, ...]:
    """Cases of the suite ``fused``; the first one, in its first dtype, is also the quick case."""
    first, *others = (Case(p, ("fused",), dtypes=dtypes) for p in parameters)
    if dtypes is None:
        return (replace(first, suites=("fused", "quick")), *others)
    quick = Case(first.parameters, ("quick",), dtypes=dtypes[:1])
    return (first, quick, *others)


def dims(shape_: Sequence[int]) -> str:
    """Published spelling of a shape.

    Example:
        >>> dims([64, 1024])
        'dim=64x1024'
    """
    return "dim=" + "x".join(str(n) for n in shape_)


def elements(*shapes: Sequence[int]) -> int:
    """Number of elements of all shapes together."""
    return sum(math.prod(s) for s in shapes)


def normal(generator: np.random.Generator, shape_: Sequence[int]) -> Array:
    """Standard normal float32 of a shape, without exact zeros: there, some functions have a kink
    and no one derivative.
    """
    values = generator.standard_normal(tuple(shape_), dtype=np.float32)
    values[values == 0] = np.float32(1e-3)
    return values


def distinct(generator: np.random.Generator, shape_: Sequence[int]) -> Array:
    """Distinct float32 values in random order, of a shape: integers around zero.

    Integers are distinct in float32 up to 2^24; larger arrays repeat them.
    """
    size = math.prod(shape_)
    values = generator.permutation(size).astype(np.int32) % (1 << 24)
    return (values.astype(np.float32) - np.float32(size // 2)).reshape(shape_)


def uniform(
    generator: np.random.Generator, shape_: Sequence[int], low: float, high: float
) -> Array:
    """Uniform float32 in [low, high) of a shape."""
    values = generator.random(tuple(shape_), dtype=np.float32)
    values *= np.float32(high - low)
    values += np.float32(low)
    return values


def indices(generator: np.random.Generator, count: int, limit: int) -> Array:
    """Random int32 indices in [0, limit); the last row is among them, by construction."""
    values = generator.integers(0, limit, count, dtype=np.int32)
    values[generator.integers(0, count)] = limit - 1
    return values


def axis_problem(params: Params) -> str | None:
    """What is wrong with ``axis`` for ``shape``, or None."""
    rank = len(params["shape"])
    if -rank <= params["axis"] < rank:
        return None
    return f"axis: expected an axis of {params['shape']} ({-rank} to {rank - 1})"


def shape_without_axis(params: Params) -> list[int]:
    """The extents of a case's ``shape`` but for the one along its ``axis``."""
    axis = params["axis"] % len(params["shape"])
    return [n for i, n in enumerate(params["shape"]) if i != axis]


def axis_label(params: Params) -> str:
    """The label of a case with a shape and an axis, as published tables write it."""
    return f"{dims(params['shape'])} axi={params['axis']}"


SHAPE_AXIS: Mapping[str, Parameter] = {"shape": shape(), "axis": integer()}
