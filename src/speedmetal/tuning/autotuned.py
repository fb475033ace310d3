"""Kernels that choose their launch sizes and static parameters by measuring them."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from speedmetal.arrays.deferred.schedule import evaluating_alone
from speedmetal.backends.device import Device, entered_devices
from speedmetal.common.records import record
from speedmetal.errors import LaunchError, UserInputError
from speedmetal.launch.examined import Examined
from speedmetal.launch.kernel import Kernel
from speedmetal.launch.launcher import SourceReplacedError
from speedmetal.launch.modes import stated_math_mode
from speedmetal.launch.readers import READERS, reader_for
from speedmetal.system.disk_cache import default_cache
from speedmetal.tuning.configurations import Candidate
from speedmetal.tuning.keys import TuningKey, disk_key, exactly, key_of
from speedmetal.tuning.search import AutotuneWarning, UntunableError, search
from speedmetal.tuning.table import Tuning, Tunings, packed, unpacked

VARIABLE = "SPEEDMETAL_AUTOTUNE"
"""Environment variable: ``anew`` measures in each process what is on disk; ``off`` never measures,
and takes what is known, or else the first configuration."""
_MODES = ("", "anew", "off")

_KNOWN_KEPT = 1024
"""Calls that are remembered; beyond them all are forgotten, which costs each a look at its key."""

# CPython 3.11 calls methods of names that a module imports the slow way, of its own the fast one.
_entered_devices, _math_mode, _readers = entered_devices, stated_math_mode, READERS


@record(eq=False)
class _Call:
    """What a call gives besides what is tuned."""

    arguments: Sequence[Any]
    grid: Any
    groups: Any
    threads: Any
    debug: int | None
    device: str | Device | None


class Autotuned:
    """A kernel that chooses among configurations; made by ``@sm.autotune``. Calling it launches it.

    Attributes:
        kernel: The kernel itself, for launches that state everything.
    """

    def __init__(
        self,
        kernel: Kernel,
        candidates: Sequence[Candidate],
        key: Sequence[str] | None,
        tolerance: float | None,
    ) -> None:
        functools.update_wrapper(self, kernel.function)
        self.function = kernel.function  # inside kernels it is a function, as kernels are
        self.kernel = kernel
        self._candidates = tuple(candidates)
        self._tuned = tuple(vars(candidates[0].configuration))
        self._key, self._tolerance = key, tolerance
        self._parameters = kernel.parameters.without(self._tuned)
        self._arity = self._parameters.arity
        names = self._parameters.names
        by_value = {s.position for s in self._parameters.static}
        self._has_static = bool(self._parameters.static)
        self._by_value = sorted(by_value | {names.index(name) for name in key or ()})
        self._known: dict[tuple[Any, ...], Candidate] = {}
        self._tunings: dict[TuningKey, Tuning] = {}
        self._lock = threading.RLock()
        self._has_warned = False

    def __repr__(self) -> str:
        return f"<{self.kernel!r} tuned over {', '.join(self._tuned)}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The kernel with an instance for its first argument, as a function of a class has it."""
        return self if instance is None else types.MethodType(self, instance)

    def __getitem__(self, sizes: Any) -> None:
        """As for a kernel.

        Raises:
            LaunchError: Always.
        """
        self.kernel[sizes]

    def __copy__(self) -> Autotuned:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Autotuned:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        found: Any = sys.modules.get(self.function.__module__)
        name = self.function.__qualname__
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self and self.function.__module__ != "__main__":
            return name
        return Autotuned, (self.kernel, self._candidates, self._key, self._tolerance)

    # In one piece, because each call of a function costs a launch a fiftieth more.
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
        """Launch the kernel with the fastest configuration for such arguments.

        Where it is not known it is found first, which takes as long as some tens of launches of
        each configuration, and compiling them. The arrays that the kernel writes to are then made
        what they were, so that a call does what it does without tuning.

        Args:
            arguments: As for the kernel, without those that are tuned.
            grid: As for the kernel; it, ``groups`` and ``threads`` may be functions of the
                configuration: ``groups=lambda c: sm.cdiv(n, c.tile)``.
            groups: Instead of ``grid``.
            threads: Of a threadgroup, if they are not tuned.
            debug: 0, 1 or 2; at a level above 0 nothing is measured.
            device: Where to run; None: where the arrays are, or the default device.
            named: Arguments by the names of their parameters.

        Raises:
            LaunchError, CompileError, KernelError: As for the kernel.
        """
        given: Sequence[Any] = arguments
        if named or len(arguments) != self._arity:
            given = self._bind(arguments, named)
        plain = type(grid) is int and groups is None and threads is None
        size = grid if plain else (_counted(grid), _counted(groups), _counted(threads))
        key: list[Any] = [size, device, _entered_devices.get(), _math_mode.get()]
        try:
            key += [argument.layout for argument in given]  # of arrays alone, most often
        except AttributeError:
            self._add_kinds(key, given)
        try:
            chosen = self._known.get(tuple(key))
        except TypeError:  # no hash: the launch will say what
            chosen = None
        if chosen is None:
            chosen = self._choose(_Call(given, grid, groups, threads, debug, device), key)
        if plain:
            groups, threads = chosen.groups, chosen.threads
        else:
            grid, groups, threads = self._sizes(grid, groups, threads, chosen)
        if chosen.inserts:
            given = [*given]
            for place, value in chosen.inserts:
                given.insert(place, value)
        elif (
            (again := self.kernel.again)
            and type(given) is tuple
            and again(given, grid, groups, threads, debug, device)
        ):
            return
        if not self._has_static:
            try:
                self.kernel.launch_bound(given, grid, groups, threads, debug, device)
            except (LaunchError, SourceReplacedError):
                pass  # nothing was launched; the kernel says what is wrong, or takes its new source
            else:
                return
        self.kernel(*given, grid=grid, groups=groups, threads=threads, debug=debug, device=device)

    def _add_kinds(self, key: list[Any], given: Sequence[Any]) -> None:
        """Add to a key what the choice depends on of arguments that are not all arrays."""
        values: list[Any] = []
        for argument in given:
            kind = type(argument)
            (_readers.get(kind) or reader_for(kind))(argument, key, values)
        key += [exactly(given[place]) for place in self._by_value]

    def tune(
        self,
        /,
        *arguments: Any,
        grid: Any = None,
        groups: Any = None,
        threads: Any = None,
        device: str | Device | None = None,
        **named: Any,
    ) -> Tuning:
        """Measure anew for such arguments, and keep what is found; launch nothing for the user.

        Args:
            arguments: As for a call, as all that follow.
            grid: How many threads run.
            groups: Instead of ``grid``.
            threads: Of a threadgroup, if they are not tuned.
            device: Where to run.
            named: Arguments by the names of their parameters.

        Raises:
            LaunchError: The call is wrong, or such a launch cannot be measured: the kernel prints
                or asserts, the grid is empty, a graph is captured, or debugging is on.
            CompileError, KernelError: As for the kernel.
        """
        given = self._bind(arguments, named)
        call = _Call(given, grid, groups, threads, None, device)
        with self._choosing_alone():
            key = self._key_of(call)
            try:
                tuning = self._measure(call, key)
            except UntunableError as error:
                raise LaunchError(
                    f"kernel {self.kernel.name!r}: nothing measured: {error}"
                ) from None
            self._known.clear()  # other sizes may have the same key
            return tuning

    @property
    def tuned(self) -> Tunings:
        """What was found so far in this process, on disk or by measuring; shown as tables."""
        return Tunings(self._tunings.values())

    # --- What is launched ----------------------------------------------------------------------

    def _complete(self, call: _Call, candidate: Candidate) -> tuple[tuple[Any, ...], Any]:
        """All arguments, and grid, groups and threads, of a launch with a configuration."""
        arguments = [*call.arguments]
        for place, value in candidate.inserts:
            arguments.insert(place, value)
        return tuple(arguments), self._sizes(call.grid, call.groups, call.threads, candidate)

    def _launch(self, call: _Call, candidate: Candidate) -> None:
        arguments, (grid, groups, threads) = self._complete(call, candidate)
        sizes = {"grid": grid, "groups": groups, "threads": threads}
        self.kernel(*arguments, **sizes, debug=call.debug, device=call.device)

    def _examine(self, call: _Call, candidate: Candidate) -> Examined:
        arguments, sizes = self._complete(call, candidate)
        return self.kernel.examine(arguments, {}, sizes, call.debug, call.device)

    def _sizes(self, grid: Any, groups: Any, threads: Any, candidate: Candidate) -> tuple[Any, ...]:
        """Grid, groups and threads of a call with a configuration.

        Raises:
            LaunchError: The call states what is tuned.
        """
        configuration = candidate.configuration
        if candidate.threads is not None:
            if threads is not None:
                raise self._is_tuned("threads")
            threads = candidate.threads
        elif callable(threads):
            threads = threads(configuration)
        if candidate.groups is not None:
            if groups is not None:
                raise self._is_tuned("groups")
            groups = candidate.groups
        elif callable(groups):
            groups = groups(configuration)
        return grid(configuration) if callable(grid) else grid, groups, threads

    def _bind(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Sequence[Any]:
        for name in named:
            if name in self._tuned:
                raise self._is_tuned(name)
        return self._parameters.bind(arguments, named)

    def _is_tuned(self, name: str) -> LaunchError:
        return LaunchError(
            f"kernel {self.kernel.name!r}: {name} is chosen by sm.autotune; leave it out, or launch"
            " the kernel itself, which is the attribute .kernel"
        )

    # --- What is chosen ------------------------------------------------------------------------

    def _choose(self, call: _Call, fast_key: list[Any]) -> Candidate:
        """The configuration of a call whose like was not seen before."""
        with self._choosing_alone():
            key = self._key_of(call)
            tuning = self._tunings.get(key) or self._found_on_disk(key)
            if tuning is not None:
                chosen = self._candidates[tuning.chosen]
            else:
                try:
                    chosen = self._candidates[self._measure(call, key).chosen]
                except UntunableError as error:
                    self._warn(str(error))
                    chosen = self._candidates[0]
                    if error.may_pass:
                        return chosen
            if len(self._known) >= _KNOWN_KEPT:
                self._known.clear()
            with contextlib.suppress(TypeError):  # no hash
                self._known[tuple(fast_key)] = chosen
            return chosen

    @contextlib.contextmanager
    def _choosing_alone(self) -> Iterator[None]:
        """Keep other threads from choosing meanwhile.

        In this order, as captures have it: what is measured may have to be computed first.
        """
        with evaluating_alone(), self._lock:
            yield

    def _key_of(self, call: _Call) -> TuningKey:
        arguments = self._parameters.wrapped(call.arguments)
        sizes = call.grid, call.groups, call.threads
        names = self._parameters.names
        return key_of(self.kernel.name, names, arguments, sizes, call.device, self._key)

    def _found_on_disk(self, key: TuningKey) -> Tuning | None:
        if _mode() == "anew":
            return None
        name = disk_key(self.kernel.source, key, self._candidates, self._tolerance)
        entry = default_cache().get(name) if name else None
        texts = [repr(candidate.configuration) for candidate in self._candidates]
        found = unpacked(entry, texts) if entry is not None else None
        if found is None:
            return None
        return self._keep(key, Tuning(*self._labels(key), *found, is_from_disk=True))

    def _measure(self, call: _Call, key: TuningKey) -> Tuning:
        """Measure, and keep what was found, on disk as well.

        Raises:
            UntunableError: Nothing can be measured now.
        """
        if _mode() == "off":
            raise UntunableError(f"{VARIABLE}=off")
        if key.device.is_capturing:
            raise UntunableError(
                "a graph is being captured, and nothing runs; launch the kernel once before",
                may_pass=True,
            )
        if self.kernel.level_of(call.debug) > 0:
            raise UntunableError("", may_pass=True)
        trials, chosen = search(
            self.kernel.name,
            self._candidates,
            functools.partial(self._examine, call),
            functools.partial(self._launch, call),
            self._tolerance,
        )
        name = disk_key(self.kernel.source, key, self._candidates, self._tolerance)
        if name:
            default_cache().put(name, packed(trials, chosen))
        return self._keep(key, Tuning(*self._labels(key), trials, chosen))

    def _labels(self, key: TuningKey) -> tuple[str, str, str]:
        return self.kernel.name, f"{key.device.name} ({key.device.description})", str(key)

    def _keep(self, key: TuningKey, tuning: Tuning) -> Tuning:
        if len(self._tunings) >= _KNOWN_KEPT:
            self._tunings.clear()
        self._tunings[key] = tuning
        return tuning

    def _warn(self, reason: str) -> None:
        """Say once why nothing is measured; of what needs no reason, nothing."""
        if reason and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"sm.autotune of kernel {self.kernel.name!r}: nothing measured: {reason}; the first"
                f" configuration is used: {self._candidates[0].configuration}",
                AutotuneWarning,
                stacklevel=4,
            )


def _counted(size: Any) -> Any:
    """A size of a launch as a part of a key; functions make no difference."""
    if callable(size):
        return None
    return tuple(size) if isinstance(size, list) else size


def _mode() -> str:
    mode = os.environ.get(VARIABLE, "")
    if mode not in _MODES:
        raise UserInputError(f"{VARIABLE} is {mode!r}; expected anew or off, or nothing")
    return mode
