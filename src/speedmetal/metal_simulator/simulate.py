"""Runs Metal Shading Language that was written by hand, on NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from speedmetal.errors import LaunchError, SimulationError, UnknownNameError, UserInputError
from speedmetal.metal_simulator.arguments import Binding, Placement, bind
from speedmetal.metal_simulator.execution import Dispatch, Execution, Size, execute
from speedmetal.metal_simulator.language.program import (
    Function,
    Program,
    compile_source,
)
from speedmetal.metal_simulator.memory import edge_of
from speedmetal.metal_simulator.settings import Order, Settings
from speedmetal.metal_simulator.textures import BoundTextures, Sampler, bind_textures
from speedmetal.msl.arguments import threadgroup_sizes

MathMode = Literal["safe", "relaxed", "fast"]
"""As of MTLCompileOptions; relaxed and fast are the same here."""

_DEFAULT_THREADS = 256


def simulate(
    source: str,
    *,
    language_version: tuple[int, int] = (3, 1),
    defines: Mapping[str, str] | None = None,
    constants: Mapping[int | str, object] | None = None,
    include_folders: Sequence[str | Path] = (),
    math_mode: MathMode = "safe",
    order: Order = "forward",
    check_races: bool = False,
    seed: int = 0,
    flush_denormals: bool = False,
    timeout: float | None = 20.0,
    strict: bool = True,
) -> SimulatedLibrary:
    """Compile the text of Metal kernels for this machine's CPU.

    What passes here is simulated: it has not run on Apple hardware.

    Args:
        source: Metal Shading Language.
        language_version: Of the language, as in MTLCompileOptions.
        defines: Macros of the preprocessor.
        constants: Values of function constants, by index or name.
        include_folders: Where ``#include "..."`` looks, in this order; by default nowhere.
        math_mode: ``"safe"``: IEEE 754 holds; ``"relaxed"`` or ``"fast"``: the compiler may take
            NaN and infinities not to occur, and reorder operations, as Metal's does by default.
        order: In which order threads and threadgroups run. In reverse, buffers begin at a page
            without access; else they end at one.
        check_races: Whether to look for accesses that nothing orders (slower).
        seed: Of the random order.
        flush_denormals: Whether numbers below the smallest normal one become 0.
        timeout: Seconds until a launch is ended; None: never.
        strict: Whether a barrier that not all threads reach, or a division of integers without a
            result, is an error; else it is counted.

    Raises:
        MslError: The text is not valid.
        UserInputError: A constant, a folder or the mode is not one that can be.
        DeviceError: There is no compiler for the simulator.

    Example:
        >>> library = simulate('''
        ... #include <metal_stdlib>
        ... using namespace metal;
        ... kernel void scale(device float* x [[buffer(0)]], constant float& by [[buffer(1)]],
        ...                   uint i [[thread_position_in_grid]]) { x[i] *= by; }
        ... ''')
        >>> x = np.arange(4, dtype=np.float32)
        >>> execution = library.function("scale")(x, 3.0, grid=4)
        >>> x
        array([0., 3., 6., 9.], dtype=float32)
    """
    if math_mode not in get_args(MathMode):
        raise UnknownNameError("math mode", str(math_mode), get_args(MathMode))
    program = compile_source(
        source,
        language_version=language_version,
        defines=defines or {},
        constants=constants or {},
        fast_math=math_mode != "safe",
        check_races=check_races,
        include_folders=include_folders,
    )
    _check_names(constants or {}, program)
    settings = Settings(
        order=order,
        seed=seed,
        check_races=check_races,
        flush_denormals=flush_denormals,
        timeout=timeout,
        strict=strict,
    )
    return SimulatedLibrary(program, settings)


def _check_names(constants: Mapping[int | str, object], program: Program) -> None:
    """Each value must be a constant's that there is."""
    known = {constant.name: constant.index for constant in program.constants}
    for key in constants:
        if isinstance(key, str) and key not in known:
            raise UnknownNameError("function constant", key, known)
        if not isinstance(key, str) and key not in known.values():
            listed = ", ".join(f"{name} (index {index})" for name, index in known.items())
            raise UserInputError(
                f"there is no function constant of index {key!r}; there are {listed or 'none'}"
            )


@dataclass(frozen=True, slots=True)
class SimulatedLibrary:
    """Compiled kernels.

    Args:
        program: What the text became.
        settings: How its kernels run.
    """

    program: Program
    settings: Settings

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of its kernels.

        Example:
            >>> simulate("kernel void first() {} kernel void second() {}").functions
            ('first', 'second')
        """
        return tuple(self.program.functions)

    def function(self, name: str) -> SimulatedFunction:
        """A kernel.

        Raises:
            UnknownNameError: The text has no kernel of this name.
        """
        found = self.program.functions.get(name)
        if found is None:
            raise UnknownNameError("kernel", name, self.program.functions)
        return SimulatedFunction(self.program, found, self.settings)


@dataclass(frozen=True, slots=True)
class SimulatedFunction:
    """A kernel; call it to run it.

    Args:
        program: Keeps the code.
        function: The kernel in it.
        settings: How it runs.
    """

    program: Program
    function: Function
    settings: Settings

    def __call__(
        self,
        *arguments: Any,
        grid: int | Sequence[int] | None = None,
        groups: int | Sequence[int] | None = None,
        threads: int | Sequence[int] | None = None,
        threadgroup_bytes: Mapping[int, int] | None = None,
        textures: Mapping[int, NDArray[Any] | None] | None = None,
        samplers: Mapping[int, Sampler] | None = None,
    ) -> Execution:
        """Run the kernel and wait for its end.

        Args:
            arguments: Argument ``n`` for ``[[buffer(n)]]``; None leaves an index free. Gaps among
                the kernel's indices need no None. A NumPy array is copied to device memory and,
                unless the kernel cannot write it, back. Python numbers get the declared type, and
                so do lists and tuples of them, or of such for vectors; NumPy numbers and ``bytes``
                must have it.
            grid: Threads along each axis.
            groups: Threadgroups along each axis, in place of ``grid``.
            threads: Of a threadgroup along each axis; up to 256 along x where it is left out.
            threadgroup_bytes: Sizes of the ``[[threadgroup(n)]]`` arguments, by index.
            textures: NumPy arrays by ``[[texture(n)]]``, shape ``(height, width)`` or ``(height,
                width, channels)`` with 1, 2 or 4 channels; copied back where the kernel may write.
            samplers: By ``[[sampler(n)]]``.

        Returns:
            What was counted.

        Raises:
            MslError: A function constant has no value, or the simulator does not know what the
                function needs.
            LaunchError: Arguments, grid or threads do not fit the kernel.
            SimulationError: A fault of the kernel, or a limit exceeded.
        """
        _ = self.function.entry  # an error where the simulator left the function out
        grid_size, threads_size = _sizes(self.function, grid, groups, threads)
        name, parameters = self.function.name, self.function.parameters
        sizes = threadgroup_sizes(name, parameters, threadgroup_bytes or {})
        placement = Placement(edge_of(self.settings.order), is_exact=not self.settings.check_races)
        execution: Execution | None = None
        while execution is None:
            bindings = bind(name, parameters, arguments, placement)
            bound = bind_textures(name, parameters, textures or {}, samplers or {}, arguments)
            dispatch = self._dispatch(bindings, bound, sizes, grid_size, threads_size)
            try:
                execution = execute(dispatch, self.settings)
            except SimulationError as error:
                if error.kind != "misaligned" or not placement.is_exact:
                    raise
                placement = replace(placement, is_exact=False)
        for binding in bindings:
            binding.read_back()
        bound.read_back()
        return execution

    def _dispatch(
        self,
        bindings: list[Binding],
        bound: BoundTextures,
        threadgroup_bytes: dict[int, int],
        grid: Size,
        threads: Size,
    ) -> Dispatch:
        return Dispatch(
            name=self.function.name,
            entry=self.function.entry,
            uses_fibers=self.function.uses_fibers,
            buffers={binding.parameter.index: binding.region for binding in bindings},
            threadgroup_bytes=threadgroup_bytes,
            static_threadgroup_bytes=self.function.static_threadgroup_bytes,
            grid=grid,
            threads=threads,
            threadgroup_arrays=self.function.threadgroup_arrays(threadgroup_bytes),
            text=self.function.text,
            bindings=bound.address,
            textures=bound.regions,
        )


# ---- sizes


def _sizes(
    function: Function,
    grid: int | Sequence[int] | None,
    groups: int | Sequence[int] | None,
    threads: int | Sequence[int] | None,
) -> tuple[Size, Size]:
    if (grid is None) == (groups is None):
        raise LaunchError(
            f"kernel {function.name!r}: give either grid (threads) or groups (threadgroups), got "
            f"{'neither' if grid is None else 'both'}"
        )
    limit = function.max_threads or 1024
    counted = _triple(
        function.name, "grid" if groups is None else "groups", grid if groups is None else groups
    )
    if threads is None:
        threads = min(_DEFAULT_THREADS, limit, counted[0] if groups is None else limit)
    size = _triple(function.name, "threads", threads)
    if math.prod(size) > limit and function.max_threads:
        raise LaunchError(
            f"kernel {function.name!r}: threads {size} are {math.prod(size)} in a threadgroup, but "
            f"it says [[max_total_threads_per_threadgroup({limit})]]; use fewer"
        )
    if groups is not None:
        x, y, z = (count * extent for count, extent in zip(counted, size, strict=True))
        return (x, y, z), size
    return counted, size


def _triple(name: str, what: str, value: Any) -> Size:
    extents = (value,) if isinstance(value, (int, np.integer)) else tuple(value)
    if not 1 <= len(extents) <= 3 or not all(
        isinstance(extent, (int, np.integer)) and extent >= 1 for extent in extents
    ):
        raise LaunchError(
            f"kernel {name!r}: {what} must be one to three integers of at least 1, got {value!r}"
        )
    x, y, z = (*(int(extent) for extent in extents), 1, 1)[:3]
    return x, y, z
