"""``@sm.kernel``: Python functions as kernels, checks of their calls, and launches.

A launch that was made before with arguments of the same types, shapes and strides takes one look-up
from a cheap key to its *plan*, packs what changed (addresses, numbers) and calls compiled code.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn, overload

from speedmetal.backends.device import (
    SIMDGROUP_SIZE,
    BuildOptions,
    Device,
    Launch,
    Sizes,
    entered_devices,
)
from speedmetal.backends.registry import default_device
from speedmetal.backends.registry import device as device_named
from speedmetal.backends.targets import target_named
from speedmetal.compiler import pipeline
from speedmetal.errors import LaunchError, UserInputError
from speedmetal.frontend.notebooks import follow_reloads
from speedmetal.frontend.signature import Argument, is_aggregate, with_article
from speedmetal.frontend.sources import give_source
from speedmetal.launch.arguments import (
    READERS,
    check_devices,
    check_writable,
    checked_signature,
    device_of,
    largest_extent,
    launch_parameters,
    leaves,
    mixed_signature,
    reader_for,
    stated_types,
)
from speedmetal.launch.geometry import LaunchGeometry, requested
from speedmetal.launch.modes import (
    checked_debug,
    environment_debug,
    stated_debug_level,
    stated_math_mode,
)
from speedmetal.launch.parameters import parameters_of
from speedmetal.launch.plan import Plan, empty_plan, is_current, plan_for, run_with_care
from speedmetal.launch.threadgroup_memory import memory_check
from speedmetal.records import record

# CPython 3.11 calls methods of names that a module imports the slow way, of its own the fast one.
_debug_level = stated_debug_level
_math_mode = stated_math_mode
_entered_devices = entered_devices
_readers = READERS

_PLANS_KEPT = 1024
"""Plans of one kernel; beyond them all are forgotten, which costs each the time of one check."""
_COMPILED_KEPT = 256
"""Compiled kernels of one function; functions made anew for each call would fill the memory."""


@record
class KernelInfo:
    """What a compiled kernel needs and allows.

    Args:
        name: The kernel.
        device: Where it runs.
        threads_per_threadgroup: The most that a launch may ask for.
        threads_per_simdgroup: Width of a simdgroup.
        threadgroup_memory_bytes: Of its threadgroup arrays with constant shapes.
    """

    name: str
    device: str
    threads_per_threadgroup: int
    threads_per_simdgroup: int
    threadgroup_memory_bytes: int


class Kernel:
    """A Python function as a kernel; made by :func:`kernel`. Calling it launches it.

    Args:
        function: Written in the kernel language.
        name: In messages and in the target's source; None: the function's.
        debug: Level of its launches where neither the call nor ``sm.debug_level`` says another.
        source: Text with its ``def``, where Python does not keep it.
    """

    def __init__(
        self,
        function: types.FunctionType,
        *,
        name: str | None = None,
        debug: int | None = None,
        source: str | None = None,
    ) -> None:
        if source is not None:
            give_source(function, source)
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self._given_name = name
        self._debug = None if debug is None else checked_debug(debug)
        self._parts = _replaceable(function)
        self._parameters = parameters_of(function, self.name)
        self._arity = self._parameters.arity
        self._plans: dict[tuple[Any, ...], Plan] = {}
        self._compiled: dict[
            tuple[Device, pipeline.Specialisation, BuildOptions], pipeline.CompiledKernel
        ] = {}

    def __repr__(self) -> str:
        return f"<kernel {self.name}({', '.join(self._parameters.names)})>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The kernel with an instance for its first argument, as a function of a class has it."""
        return self if instance is None else types.MethodType(self, instance)

    def __copy__(self) -> Kernel:
        return self  # as copies of functions are: nothing in it can be changed

    def __deepcopy__(self, memo: dict[int, Any]) -> Kernel:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        from speedmetal.launch.pickling import reduced  # few kernels are ever pickled

        return reduced(self)

    @property
    def options(self) -> tuple[str | None, int | None]:
        """What ``@sm.kernel`` was given: the name, the debug level."""
        return self._given_name, self._debug

    def __getitem__(self, sizes: Any) -> NoReturn:
        """Say how kernels are launched here, to those who know ``kernel[groups, threads](...)``.

        Raises:
            LaunchError: Always.
        """
        parts = sizes if isinstance(sizes, tuple) else (sizes,)
        stated = zip(("groups", "threads"), parts, strict=False)
        options = ", ".join(f"{name}={size}" for name, size in stated)
        raise LaunchError(
            f"kernel {self.name!r}: sizes are options of the call: {self.name}(..., {options})"
        )

    # In one piece, because each call of a function costs a fortieth of the launch.
    def __call__(  # noqa: C901
        self,
        /,
        *arguments: Any,
        grid: Any = None,
        groups: Any = None,
        threads: Any = None,
        debug: int | None = None,
        device: str | Device | None = None,
        **named: Any,
    ) -> None:
        """Run the kernel once for every thread of a grid.

        Everything is checked before anything runs. On the CPU it has finished at return.

        Args:
            arguments: Arrays (ours; on the CPU NumPy's as well, without a copy), numbers, tuples,
                named tuples, frozen dataclasses, functions, partials, dtypes, strings.
            grid: How many threads run: an integer, or up to three (x, y, z). Where one of them is
                0, none does.
            groups: Instead of ``grid``: how many threadgroups run; needs ``threads``.
            threads: Threads of a threadgroup; None: chosen for the device.
            debug: 0, 1 or 2; see :func:`speedmetal.debug_level`.
            device: Where to run; None: where the arrays are, or the default device.
            named: Arguments by the names of their parameters.

        Raises:
            LaunchError: The call is wrong; nothing was launched.
            CompileError: The kernel is wrong; nothing was launched.
            KernelError: A thread failed, at debug level 1 or 2.
        """
        if debug is None:
            debug = _debug_level.get()
            if debug is None:
                debug = self._debug
        elif type(debug) is not int:  # True is no level, though it equals 1
            debug = checked_debug(debug)
        bound = arguments
        if named or len(arguments) != self._arity:
            bound = self._bound(arguments, named)
        key: list[Any] = [grid, debug, device, _entered_devices.get(), _math_mode.get()]
        if type(grid) is not int or groups is not None or threads is not None:
            # 1 == 1.0 == True, but only one of them is a size.
            key += (_kinds(grid), groups, _kinds(groups), threads, _kinds(threads))
        values: list[Any] = [0]
        for argument in bound:
            kind = type(argument)
            (_readers.get(kind) or reader_for(kind))(argument, key, values)
        try:
            plan = self._plans.get(tuple(key))
        except (TypeError, ValueError):  # no hash: sizes in a list, or the checks will say what
            if list in map(type, (grid, groups, threads)):
                grid, groups, threads = map(_without_list, (grid, groups, threads))
                sizes = {"grid": grid, "groups": groups, "threads": threads}
                self(*arguments, **sizes, debug=debug, device=device, **named)
                return
            plan = None
        if plan is None or not is_current(plan):
            if self._look_again():
                sizes = {"grid": grid, "groups": groups, "threads": threads}
                self(*arguments, **sizes, debug=debug, device=device, **named)
                return
            sizes_stated = (grid, groups, threads)
            plan = self._planned(key, values, bound, sizes_stated, debug, device)
        if plan.is_plain:
            plan.run(values)
        else:
            run_with_care(plan, values)

    def compile(
        self, *types: Any, debug: int | None = None, device: str | Device | None = None
    ) -> KernelInfo:
        """Compile without launching.

        Args:
            types: Arrays, numbers, dtypes or type strings, as :func:`speedmetal.code` takes them.
            debug: 0, 1 or 2.
            device: For which device; None: the default device.

        Raises:
            CompileError: The kernel is wrong, or the device cannot do what it asks for.
        """
        target = default_device() if device is None else device_named(device)
        signature = self.signature_for(types, target.kind)
        specialisation = self.specialisation(signature, self._debug_level(debug))
        compiled = self._compile(target, specialisation, target.variants[0])
        return KernelInfo(
            self.name,
            target.name,
            compiled.program.threads_per_threadgroup,
            SIMDGROUP_SIZE,
            compiled.metadata.threadgroup_memory_bytes,
        )

    def specialisation(
        self, signature: tuple[Argument, ...], debug: int = 0, largest: int = 0
    ) -> pipeline.Specialisation:
        """What is compiled for these types, where ``largest`` is the greatest size or extent."""
        return pipeline.Specialisation(
            self.function,
            self._given_name,
            signature,
            debug,
            pipeline.index_type_for(largest),
        )

    def signature_for(self, types: tuple[Any, ...], target: str = "cpu") -> tuple[Argument, ...]:
        """Argument types from arrays, numbers, dtypes and type strings, one for each parameter.

        Args:
            types: By position.
            target: Whose kernel it is to be.

        Raises:
            LaunchError: There are too few or too many.
            UserInputError: One of them is no type.
        """
        self._look_again()
        given = self._parameters.in_order(stated_types(types))
        return mixed_signature(given, has_float64=target_named(target).has_float64)

    # --- Functions whose code or defaults were replaced ----------------------------------------

    def _bound(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        try:
            return self._parameters.bound(arguments, named)
        except LaunchError:
            if not self._look_again():
                raise
        return self._parameters.bound(arguments, named)

    def _look_again(self) -> bool:
        """Take the function's parameters as they are now; whether they may have changed."""
        parts = _replaceable(self.function)
        if not any(map(operator.is_not, parts, self._parts)):
            return False
        self._parameters = parameters_of(self.function, self.name)
        self._arity, self._parts = self._parameters.arity, parts
        return True

    # --- The slow path: once for each key ------------------------------------------------------

    def _planned(
        self,
        key: list[Any],
        values: list[Any],
        arguments: tuple[Any, ...],
        stated_sizes: tuple[Any, Any, Any],
        debug: int | None,
        stated_device: str | Device | None,
    ) -> Plan:
        level = self._debug_level(debug)
        self._check_receiver(arguments)
        names = self._parameters.names
        device = (
            device_named(stated_device)
            if stated_device is not None
            else device_of(arguments) or default_device()
        )
        has_float64 = target_named(device.kind).has_float64
        signature = checked_signature(self.name, names, arguments, has_float64=has_float64)
        check_devices(self.name, arguments, device)
        request = requested(self.name, device, *stated_sizes)
        largest = max(*request.grid, largest_extent(arguments))
        specialisation = self.specialisation(signature, level, largest)
        variant = device.variant_for(request.grid, request.threads)
        compiled = self._compile(device, specialisation, variant)
        metadata = compiled.metadata
        sizes = self._sizes(device, compiled, request)
        check_writable(self.name, names, arguments, signature, metadata.written)
        if request.is_empty:
            return self._remembered(key, empty_plan(device, compiled))
        lengths, memory = memory_check(
            self.name,
            metadata,
            device,
            sizes.threads,
            list(leaves(arguments, signature)),
            values[1:],
        )
        parameters = tuple(launch_parameters(arguments, signature))
        launch = Launch(sizes, parameters, metadata.has_loops, () if memory else lengths)
        return self._remembered(key, plan_for(device, compiled, launch, memory))

    def _check_receiver(self, arguments: tuple[Any, ...]) -> None:
        """Whether a method was called on what a kernel can be given.

        Raises:
            LaunchError: It was not.
        """
        if not arguments or is_aggregate(arguments[0]):
            return
        cls = type(arguments[0])
        if any(found is self for base in cls.__mro__ for found in vars(base).values()):
            shown = with_article(cls.__name__)
            raise LaunchError(
                f"kernel {self.name!r} is a method of {cls.__name__}, and a kernel can not take"
                f" {shown}; write @dataclass(frozen=True) above class {cls.__name__}, with a field"
                " for each value, or @staticmethod above @sm.kernel"
            )

    def _remembered(self, key: list[Any], plan: Plan) -> Plan:
        if len(self._plans) >= _PLANS_KEPT:
            self._plans.clear()
        self._plans[tuple(key)] = plan
        return plan

    def _compile(
        self, device: Device, specialisation: pipeline.Specialisation, variant: str
    ) -> pipeline.CompiledKernel:
        math_mode = _math_mode.get() if device.has_math_modes else "safe"
        options = BuildOptions(variant, math_mode)
        known = self._compiled.get((device, specialisation, options))
        if known is None or not pipeline.is_current(known.dependencies):
            if len(self._compiled) >= _COMPILED_KEPT:
                self._compiled.clear()
            known = pipeline.compile_for(device, specialisation, options)
            # Without simdgroups the same code does for all sizes.
            same = (variant,) if known.metadata.uses_simdgroups else device.variants
            for each in same:
                self._compiled[device, specialisation, replace(options, variant=each)] = known
        return known

    def _sizes(
        self, device: Device, compiled: pipeline.CompiledKernel, request: LaunchGeometry
    ) -> Sizes:
        """The sizes of a launch: as stated, as far as this kernel can run with so many threads."""
        allowed = compiled.program.threads_per_threadgroup
        flat, looping = device.default_threads
        most = min(allowed, looping if compiled.metadata.has_loops else flat)
        sizes = request.sizes(most)
        if sizes.group_size > allowed:
            raise LaunchError(
                f"kernel {self.name!r}: {sizes.group_size} threads per threadgroup requested;"
                f" {device.name} allows {allowed} for this kernel, because of the registers that"
                " it needs; use fewer, or leave threads out"
            )
        return sizes

    def _debug_level(self, stated: int | None) -> int:
        for level in (stated, _debug_level.get(), self._debug):
            if level is not None:
                return checked_debug(level)
        return environment_debug()


@overload
def kernel(
    function: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    debug: int | None = None,
    source: str | None = None,
) -> Kernel: ...
@overload
def kernel(
    *, name: str | None = None, debug: int | None = None, source: str | None = None
) -> Callable[[Callable[..., Any]], Kernel]: ...
def kernel(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    debug: int | None = None,
    source: str | None = None,
) -> Kernel | Callable[[Callable[..., Any]], Kernel]:
    """Make a kernel of a Python function: ``@sm.kernel``, or ``@sm.kernel(name=..., ...)``.

    Nothing is compiled before the first launch.

    Args:
        function: Written in the kernel language, with its source in a file, a notebook, a doctest,
            or in the program of ``python -c``.
        name: In messages and in the target's source; None: the function's.
        debug: Level of its launches where nothing else says one.
        source: Where the function comes from nowhere of these, but from ``exec``: the text that was
            executed, which has the functions that it calls, or its ``def`` alone.

    Raises:
        UserInputError: It is no plain Python function, the name is no identifier, or the function
            is not in the source.

    Example:
        >>> import numpy as np, speedmetal as sm
        >>> def double(a):
        ...     i = sm.thread_position_in_grid().x
        ...     a[i] = 2 * a[i]
        >>> kernel(double)
        <kernel double(a)>
    """
    if name is not None and not (isinstance(name, str) and name.isidentifier() and name.isascii()):
        raise UserInputError(f"expected an ASCII identifier as a kernel's name, got {name!r}")
    if function is None:
        return functools.partial(_made, name=name, debug=debug, source=source)
    return _made(function, name=name, debug=debug, source=source)


def _made(function: Any, *, name: str | None, debug: int | None, source: str | None) -> Kernel:
    if isinstance(function, Kernel):
        function = function.function
    if not isinstance(function, types.FunctionType):
        raise UserInputError(
            f"@sm.kernel expected a plain Python function, got {type(function).__name__}"
            " (put it directly above `def`, below other decorators)"
        )
    follow_reloads(Kernel, _reload)
    return Kernel(function, name=name, debug=debug, source=source)


def _reload(old: Kernel, new: Kernel) -> None:
    """Make a kernel what it has become in a module that was loaded again."""
    vars(old).update(vars(new))


def _replaceable(function: types.FunctionType) -> tuple[Any, ...]:
    return function.__code__, function.__defaults__, function.__kwdefaults__


def _without_list(size: Any) -> Any:
    return tuple(size) if type(size) is list else size


def _kinds(size: Any) -> Any:
    return tuple(map(type, size)) if isinstance(size, (tuple, list)) else type(size)
