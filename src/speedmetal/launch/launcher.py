"""Launches of one kernel, whatever it was compiled from.

A launch that was made before with arguments of the same types, shapes and strides takes one look-up
from a cheap key to its *plan*, packs what changed (addresses, numbers) and calls compiled code.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.backends.device import (
    BuildOptions,
    Device,
    DeviceArray,
    Launch,
    Sizes,
    entered_devices,
)
from speedmetal.backends.registry import default_device
from speedmetal.backends.registry import device as find_device
from speedmetal.common.records import replace
from speedmetal.compiler import pipeline
from speedmetal.compiler.source import KernelSource, Specialisation, index_type_for
from speedmetal.errors import CompileError
from speedmetal.frontend.signature import Argument, ExpressionArgument, all_leaves
from speedmetal.frontend.structure import COSTLY_FROM, Structure
from speedmetal.launch.arguments import (
    BoundArguments,
    Named,
    bind,
    check_writable,
    device_among,
    flatten,
)
from speedmetal.launch.examined import Examined, with_sizes
from speedmetal.launch.foreign_arguments import ForeignArgumentError
from speedmetal.launch.geometry import resolve_geometry
from speedmetal.launch.modes import (
    check_debug_level,
    environment_debug,
    stated_debug_level,
    stated_math_mode,
)
from speedmetal.launch.plan import (
    Plan,
    dependencies_of,
    empty_plan,
    is_current,
    plan_for,
    run_with_care,
)
from speedmetal.launch.readers import (
    LAUNCH_READERS,
    READERS,
    launch_reader_for,
    read_argument,
    reader_for,
)
from speedmetal.launch.waiting import WAITING

# CPython 3.11 calls methods of names that a module imports the slow way, of its own the fast one.
_debug_level = stated_debug_level
_math_mode = stated_math_mode
_entered_devices = entered_devices
_readers = READERS
_launch_readers = LAUNCH_READERS
_waiting = WAITING

_PLANS_KEPT = 1024
"""Plans of one kernel; beyond them all are forgotten, which costs each the time of one check."""
_COMPILED_KEPT = 256
"""Compiled kernels of one source; functions made anew for each call would fill the memory."""


class SourceReplacedError(Exception):
    """The source's parameters may be others than those that the arguments were bound to."""


class Launcher:
    """Checks, compiles and launches one kernel.

    Args:
        source: What it is compiled from.
        names: Of its parameters.
        debug: Level of its launches where neither the call nor ``sm.debug_level`` says another.

    Attributes:
        in_memory: The parameters whose lazy arrays are computed before a launch: it has written to
            such, or read costly elements more than once.
        again: Makes a launch of the plans that were launched most, by machine code; whether it was
            one of these. It takes the arguments of :meth:`launch`. None: there is none.
    """

    __slots__ = (
        "_again",
        "_debug",
        "_state",
        "again",
        "compiled",
        "in_memory",
        "names",
        "plans",
        "source",
    )

    def __init__(
        self, source: KernelSource, names: Sequence[str], *, debug: int | None = None
    ) -> None:
        self.source = source
        self.names = names
        self._debug = debug
        self._state = source.state()
        self.in_memory: frozenset[str] = frozenset()
        self.again: Callable[..., bool] | None = None
        self._again: list[Any] = []
        self.plans: dict[tuple[Any, ...], Plan] = {}
        self.compiled: dict[
            tuple[Device, Specialisation, BuildOptions], pipeline.CompiledKernel
        ] = {}

    @property
    def is_stale(self) -> bool:
        """Whether the source's parameters may have changed since this was made."""
        return any(map(operator.is_not, self.source.state(), self._state))

    # In one piece, because each call of a function costs a fortieth of the launch.
    def launch(  # noqa: C901, PLR0912
        self,
        arguments: Sequence[Any],
        grid: Any,
        groups: Any,
        threads: Any,
        debug: int | None,
        device: str | Device | None,
    ) -> None:
        """Run the kernel once for every thread of a grid.

        Args:
            arguments: One for each parameter.
            grid: See :meth:`speedmetal.launch.kernel.Kernel.__call__`, as for all that follow.
            groups: Instead of ``grid``.
            threads: Of a threadgroup.
            debug: The level.
            device: Where to run.

        Raises:
            LaunchError: The call is wrong; nothing was launched.
            CompileError: The kernel is wrong; nothing was launched.
            KernelError: A thread failed, at debug level 1 or 2.
            SourceReplacedError: The arguments have to be bound again.
        """
        if debug is None:
            debug = _debug_level.get()
            if debug is None:
                debug = self._debug
        elif type(debug) is not int:  # True is no level, though it equals 1
            debug = check_debug_level(debug)
        if self.in_memory:
            self._make_memory(arguments)
        key: list[Any] = [grid, threads, debug, device, _entered_devices.get(), _math_mode.get()]
        is_plain = threads is None or type(threads) is int
        if not is_plain or type(grid) is not int or groups is not None:
            # 1 == 1.0 == True, but only one of them is a size.
            key += (_kinds(grid), groups, _kinds(groups), _kinds(threads))
        values: list[Any] = [0]
        for argument in arguments:
            kind = type(argument)
            (_launch_readers.get(kind) or launch_reader_for(kind))(argument, key, values)
        try:
            plan = self.plans.get(tuple(key))
        except (TypeError, ValueError):  # no hash: sizes in a list, or the checks will say what
            if list in map(type, (grid, groups, threads)):
                grid, groups, threads = map(_without_list, (grid, groups, threads))
                self.launch(arguments, grid, groups, threads, debug, device)
                return
            plan = None
        if values[0]:
            self._launch_borrowed(plan, values)
            return
        if plan is None or not is_current(plan):
            plan = self._make_plan(key, values, arguments, (grid, groups, threads), debug, device)
        if plan.written and _waiting and self._before_write(plan, arguments):
            self.launch(arguments, grid, groups, threads, debug, device)  # of what they are now
            return
        if plan.is_plain:
            plan.run(values)
        else:
            run_with_care(plan, values)

    def _launch_borrowed(self, plan: Plan | None, values: list[Any]) -> None:
        """Launch a plan with arrays of other libraries among the arguments.

        Raises:
            ForeignArgumentError: It must be made first, for arrays of ours that lie so; or lazy
                arrays wait for what it writes to.
        """
        if plan is None or not is_current(plan) or (plan.written and _waiting):
            raise ForeignArgumentError
        borrowed, values[0] = values[0], 0
        with borrowed:
            if plan.is_plain:
                plan.run(values)
            else:
                run_with_care(plan, values)

    def prepare(
        self,
        arguments: Sequence[Any],
        grid: Any,
        groups: Any = None,
        threads: Any = None,
        work: int | None = None,
        debug: int | None = 0,
    ) -> Plan:
        """The plan of a launch that is not made: for those who keep plans themselves.

        Args:
            arguments: One for each parameter, on one device.
            grid: As for :meth:`launch`, as what follows.
            groups: Instead of ``grid``.
            threads: Of a threadgroup.
            work: About how many expressions all threads compute, where they loop and it is known.
            debug: The level of debugging; None: as it is stated around the launch.
        """
        level = self.level_of(debug)
        key: list[Any] = [grid, threads, level, None, _entered_devices.get(), _math_mode.get()]
        key += (_kinds(grid), groups, _kinds(groups), _kinds(threads))
        values: list[Any] = [0]
        for argument in arguments:
            kind = type(argument)
            (_readers.get(kind) or reader_for(kind))(argument, key, values)
        plan = self.plans.get(tuple(key))
        if plan is None or not is_current(plan):
            sizes = (grid, groups, threads)
            plan = self._make_plan(key, values, arguments, sizes, level, None, work)
        return plan

    def compile(
        self, device: Device, signature: tuple[Argument, ...], debug: int | None
    ) -> pipeline.CompiledKernel:
        """Compile for arguments of these types, without a launch.

        Raises:
            CompileError: The kernel is wrong, or the device cannot do what it asks for.
        """
        specialisation = Specialisation(self.source, signature, self.level_of(debug))
        return self._compile(device, specialisation, device.variants[0])

    # --- The slow path: once for each key ------------------------------------------------------

    def _make_plan(
        self,
        key: list[Any] | None,
        values: list[Any],
        arguments: Sequence[Any],
        stated_sizes: tuple[Any, Any, Any],
        debug: int | None,
        stated_device: str | Device | None,
        work: int | None = None,
    ) -> Plan:
        found = self._examine(values, arguments, stated_sizes, debug, stated_device)
        name, compiled, bound = self.source.name, found.compiled, found.bound
        metadata, device = compiled.metadata, found.device
        key = key if found.may_come_again else None
        check_writable(name, bound, metadata.written)
        if 0 in found.sizes.grid:
            return self._remember_plan(key, empty_plan(device, compiled))
        lengths, memory = found.memory()
        parameters = tuple(leaf.parameter for leaf in bound.leaves)
        if work is None and not metadata.has_loops:
            work = metadata.size * math.prod(found.sizes.grid)
        launch = Launch(found.sizes, parameters, () if memory else lengths, work)
        written = _places(found.items, found.written)
        then = None
        if key:
            facts, writes = dependencies_of(compiled), bool(written)
            then = self._known_again(key, stated_sizes, arguments, facts, writes=writes)
        plan = plan_for(device, compiled, launch, memory, written, then)
        return self._remember_plan(key, plan)

    def _known_again(
        self,
        key: list[Any],
        sizes: tuple[Any, Any, Any],
        arguments: Sequence[Any],
        facts: tuple[tuple[Any, ...], tuple[Any, ...]],
        *,
        writes: bool,
    ) -> Callable[[Any], None] | None:
        """What has machine code know the calls for a plan, which it launches by then.

        None: it knows no such calls. By then another plan may have the key: so what is to hold is
        said here, not asked of the plans.
        """
        _, _, debug, device, *_ = key
        kinds = tuple(map(_kind_of, arguments))
        classes = {kind for kind, layout in kinds if layout is not None}
        is_known = len(classes) == 1 and (object, None) not in kinds and debug is self._debug
        if not is_known or device is not None or not _are_plain_sizes(sizes):
            return None

        def know(direct: Any) -> None:
            from speedmetal.launch.direct import MOST_CALLS, direct_call

            if not direct.takes(kinds):
                return
            before = self._again[-1] if 0 < len(self._again) < MOST_CALLS else None
            made = direct_call(direct, kinds, key, facts, before, writes=writes)
            self._again = [made] if before is None else [*self._again, made]
            self.again = made.call

        return know

    def examine(
        self,
        arguments: Sequence[Any],
        sizes: tuple[Any, Any, Any],
        debug: int | None,
        device: str | Device | None,
    ) -> Examined:
        """What a launch would be, which is not made.

        Args:
            arguments: One for each parameter.
            sizes: Grid, groups and threads, as for :meth:`launch`.
            debug: The level.
            device: Where it would run.

        Raises:
            LaunchError, CompileError, SourceReplacedError: As for :meth:`launch`.
        """
        if self.in_memory:
            self._make_memory(arguments)
        return self._examine(_values_of(arguments), arguments, sizes, debug, device)

    def _examine(
        self,
        values: list[Any],
        arguments: Sequence[Any],
        stated_sizes: tuple[Any, Any, Any],
        debug: int | None,
        stated_device: str | Device | None,
    ) -> Examined:
        """The same; the values become those of the arguments as they are then."""
        if self.is_stale:
            raise SourceReplacedError
        name, level = self.source.name, self.level_of(debug)
        items = flatten(self.names, arguments)
        device = (
            find_device(stated_device)
            if stated_device is not None
            else device_among(items) or default_device()
        )
        has_float64 = device.target.has_float64
        bound = bind(name, self.names, arguments, items, device, has_float64=has_float64)
        geometry = resolve_geometry(name, device, *stated_sizes)
        index_type = index_type_for(max(*geometry.grid, bound.largest))
        specialisation = Specialisation(self.source, bound.signature, level, index_type)
        variant = device.variant_for(geometry.grid, geometry.threads)
        asked = arguments, stated_sizes, debug, stated_device
        try:
            compiled = self._compile(device, specialisation, variant)
        except CompileError:
            if not _has_lazy(items, bound):
                raise
            for _, item in items:
                if isinstance(item, DeviceArray):
                    _ = item.address  # which is made for who asks
            found = self._examine_in_memory(values, *asked)
            self.in_memory |= {items[place][0] for place in _places(items, found.written)}
            return found
        again = _read_again(items, bound, compiled.metadata.loads, math.prod(geometry.grid))
        if again:
            self.in_memory |= again
            self._make_memory(arguments)
            return self._examine_in_memory(values, *asked)
        unsized = Sizes(geometry.grid, (1, 1, 1), geometry.grid)
        found = Examined(name, device, compiled, bound, items, values[1:], unsized)
        return with_sizes(found, geometry)

    # --- Lazy arrays among the arguments -------------------------------------------------------

    def _before_write(self, plan: Plan, arguments: Sequence[Any]) -> bool:
        """Let lazy arrays read what a launch will write to; whether any had to be computed."""
        items = flatten(self.names, arguments)
        computed = [items[place][1].before_write() for place in plan.written]
        return any(computed)

    def _make_memory(self, arguments: Sequence[Any]) -> None:
        for name, item in flatten(self.names, arguments):
            if name in self.in_memory and isinstance(item, DeviceArray):
                _ = item.address  # which is made for who asks

    def _examine_in_memory(self, values: list[Any], *asked: Any) -> Examined:
        """A launch whose arguments are in memory more than when it began: no key stands for it.

        Args:
            values: Of the launch; those of the arguments as they are now take their place.
            asked: As for :meth:`_examine`.

        Raises:
            CompileError: The kernel does not take them.
        """
        values[:] = _values_of(asked[0])
        return replace(self._examine(values, *asked), may_come_again=False)

    def _remember_plan(self, key: list[Any] | None, plan: Plan) -> Plan:
        if key is None:
            return plan
        if len(self.plans) >= _PLANS_KEPT:
            self.plans.clear()
        self.plans[tuple(key)] = plan
        return plan

    def _compile(
        self, device: Device, specialisation: Specialisation, variant: str
    ) -> pipeline.CompiledKernel:
        options = BuildOptions(variant, device.target.mode_for(_math_mode.get()))
        known = self.compiled.get((device, specialisation, options))
        if known is None or not pipeline.is_current(known.dependencies):
            if len(self.compiled) >= _COMPILED_KEPT:
                self.compiled.clear()
            known = pipeline.compile_for(device, specialisation, options)
            for each in known.metadata.variants:
                self.compiled[device, specialisation, replace(options, variant=each)] = known
        return known

    def level_of(self, stated: int | None) -> int:
        """The debug level of a launch, as stated in its call or around it."""
        for level in (stated, _debug_level.get(), self._debug):
            if level is not None:
                return check_debug_level(level)
        return environment_debug()


def _kind_of(argument: Any) -> tuple[type, Any]:
    """The class and, of an array in memory, the layout; ``object`` where it is something else."""
    kind = type(argument)
    if kind is float or (kind is int and -0x8000_0000 <= argument <= 0x7FFF_FFFF):
        return kind, None
    is_array = isinstance(argument, DeviceArray) and getattr(argument, "pending", argument) is None
    return (kind, argument.layout) if is_array else (object, None)


def _are_plain_sizes(sizes: tuple[Any, Any, Any]) -> bool:
    """Whether a grid, and threads if they are stated, are integers or tuples of such."""
    grid, groups, threads = sizes
    is_stated = groups is None and grid is not None
    return is_stated and all(
        type(extent) is int
        for size in (grid, () if threads is None else threads)
        for extent in (size if type(size) is tuple else (size,))
    )


def _values_of(arguments: Sequence[Any]) -> list[Any]:
    """The values of a launch, the mailbox's first."""
    values: list[Any] = [0]
    for argument in arguments:
        read_argument(argument, [], values)
    return values


def _read_again(
    items: Sequence[Named], bound: BoundArguments, loads: Sequence[int | None], threads: int
) -> frozenset[str]:
    """The parameters given costly expressions whose elements are computed more than once.

    Args:
        items: What was given.
        bound: The same, taken apart.
        loads: For each parameter of the compiled kernel, how many elements a thread reads.
        threads: Of the grid. Where so many as there are elements read them in loops, each reads
            several.
    """
    places = {id(leaf.value): number for number, leaf in enumerate(bound.leaves)}
    found = set()
    for name, item in items:
        pending = getattr(item, "pending", None)
        if not isinstance(pending, Structure) or pending.cost < COSTLY_FROM:
            continue
        elements = math.prod(item.layout.shape)
        for leaf in item.leaves:
            times = loads[places[id(leaf)]] if id(leaf) in places else 0
            if threads >= elements if times is None else threads * times >= 2 * elements:
                found.add(name)
    return frozenset(found)


def _has_lazy(items: Sequence[Named], bound: BoundArguments) -> bool:
    """Whether an array was given whose memory is not made."""
    return any(
        isinstance(kind, ExpressionArgument) and isinstance(item, DeviceArray)
        for (_, item), kind in zip(items, all_leaves(bound.signature), strict=True)
    )


def _places(items: Sequence[Named], arrays: Sequence[Any]) -> tuple[int, ...]:
    """Where these arrays of ours are among the arguments."""
    wanted = {id(array) for array in arrays if isinstance(array, DeviceArray)}
    return tuple(place for place, (_, item) in enumerate(items) if id(item) in wanted)


def _without_list(size: Any) -> Any:
    return tuple(size) if type(size) is list else size


def _kinds(size: Any) -> Any:
    return tuple(map(type, size)) if isinstance(size, (tuple, list)) else type(size)
