"""``@sm.kernel``: Python functions as kernels, called as functions are."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, overload

from speedmetal.backends.device import SIMDGROUP_SIZE, Device
from speedmetal.backends.registry import default_device
from speedmetal.backends.registry import device as find_device
from speedmetal.backends.targets import find_target
from speedmetal.common.records import record
from speedmetal.compiler.source import PythonSource, Specialisation
from speedmetal.errors import LaunchError, UserInputError
from speedmetal.frontend.notebooks import follow_reloads
from speedmetal.frontend.signature import Argument, is_aggregate, with_article
from speedmetal.frontend.sources import give_source
from speedmetal.launch.arguments import mixed_signature, stated_types
from speedmetal.launch.examined import Examined
from speedmetal.launch.foreign_arguments import ForeignArgumentError, call_among_others
from speedmetal.launch.launcher import Launcher, SourceReplacedError
from speedmetal.launch.modes import check_debug_level
from speedmetal.launch.parameters import Parameters, parameters_of
from speedmetal.launch.plan import Plan


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

    Attributes:
        launch_bound: Launches with an argument for each parameter, static ones wrapped; see
            :meth:`Launcher.launch`.
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
        self._debug = None if debug is None else check_debug_level(debug)
        self._source = PythonSource(function, name)
        self._take_parameters()

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
        from speedmetal.launch.pickling import reduce_kernel  # few kernels are ever pickled

        return reduce_kernel(self)

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

    # In one piece, because each call of a function costs a twentieth of the launch.
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
            arguments: Arrays (ours; on the CPU NumPy's as well, on an NVIDIA GPU PyTorch's tensors
                and what has ``__cuda_array_interface__``, without a copy), numbers, tuples, named
                tuples, frozen dataclasses, functions, partials, dtypes, strings.
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
        again = self._launcher.again
        if again and not named and again(arguments, grid, groups, threads, debug, device):
            return
        bound: Sequence[Any] = arguments
        if named or len(arguments) != self._arity:
            bound = self._bind(arguments, named)
        elif self._static:  # in one piece: this is all that an annotation costs a launch
            bound = [*arguments]
            for position, ints, others in self._static:
                value = bound[position]
                known = ints.get(value) if type(value) is int else others.get(id(value))
                if known is None:
                    bound = self._bind(arguments, named)
                    break
                bound[position] = known
        try:
            self.launch_bound(bound, grid, groups, threads, debug, device)
        except ForeignArgumentError:
            is_foreign = True
        except SourceReplacedError:
            self._take_parameters()
            is_foreign = False
        except LaunchError:
            self._check_receiver(bound)
            raise
        else:
            return
        # Again, outside of the handlers: errors must not tell of these.
        sizes = {"grid": grid, "groups": groups, "threads": threads}
        anew = functools.partial(self, **sizes, debug=debug, device=device)
        if is_foreign:
            call_among_others(self.name, anew, arguments, named, self._parameters.names)
        else:
            anew(*arguments, **named)

    def prepare(
        self,
        *arguments: Any,
        grid: Any = None,
        groups: Any = None,
        threads: Any = None,
        work: int | None = None,
        debug: int | None = 0,
    ) -> Plan:
        """The plan of a launch that is not made; see :meth:`Launcher.prepare`."""
        return self._launcher.prepare(arguments, grid, groups, threads, work, debug)

    def examine(
        self,
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        sizes: tuple[Any, Any, Any],
        debug: int | None = None,
        device: str | Device | None = None,
    ) -> Examined:
        """A launch, checked and compiled, that is not made; see :meth:`Launcher.examine`."""
        self._look_again()
        bound = self._bind(arguments, named)
        try:
            return self._launcher.examine(bound, sizes, debug, device)
        except LaunchError:
            self._check_receiver(bound)
            raise

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
        target = default_device() if device is None else find_device(device)
        signature = self.signature_for(types, target.kind)
        compiled = self._launcher.compile(target, signature, debug)
        return KernelInfo(
            self.name,
            target.name,
            target.most_threads(compiled.program),
            SIMDGROUP_SIZE,
            compiled.metadata.threadgroup_memory_bytes,
        )

    @property
    def again(self) -> Callable[..., bool] | None:
        """What makes launches by machine code, if anything; see :class:`Launcher`."""
        return self._launcher.again

    @property
    def source(self) -> PythonSource:
        """What it is compiled from."""
        return self._source

    @property
    def parameters(self) -> Parameters:
        """Its parameters as they are now."""
        self._look_again()
        return self._parameters

    def level_of(self, debug: int | None) -> int:
        """The debug level of a launch for which a call states this one, or none."""
        return self._launcher.level_of(debug)

    def specialisation(self, signature: tuple[Argument, ...], debug: int = 0) -> Specialisation:
        """What is compiled for arguments of these types, none with 2**31 elements or more."""
        return Specialisation(self._source, signature, debug)

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
        return mixed_signature(given, has_float64=find_target(target).has_float64)

    # --- Functions whose code or defaults were replaced ----------------------------------------

    def _take_parameters(self) -> None:
        """Take the function's parameters as they are now."""
        self._parameters = parameters_of(self.function, self.name)
        self._arity = self._parameters.arity
        self._static = [(p.position, p.ints, p.others) for p in self._parameters.static]
        self._launcher = Launcher(self._source, self._parameters.names, debug=self._debug)
        self.launch_bound = self._launcher.launch

    def _look_again(self) -> bool:
        """Take the parameters again if they may have changed; whether they may have."""
        if not self._launcher.is_stale:
            return False
        self._take_parameters()
        return True

    def _bind(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Sequence[Any]:
        try:
            return self._parameters.bind(arguments, named)
        except LaunchError:
            if not self._look_again():
                raise
        return self._parameters.bind(arguments, named)

    def _check_receiver(self, arguments: Sequence[Any]) -> None:
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
            ) from None


def kernel_of(given: Any) -> Kernel | None:
    """A kernel itself, or that of what chooses its sizes (``@sm.autotune``); else None."""
    found = getattr(given, "kernel", given)
    return found if isinstance(found, Kernel) else None


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
        return functools.partial(_make_kernel, name=name, debug=debug, source=source)
    return _make_kernel(function, name=name, debug=debug, source=source)


def _make_kernel(
    function: Any, *, name: str | None, debug: int | None, source: str | None
) -> Kernel:
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
