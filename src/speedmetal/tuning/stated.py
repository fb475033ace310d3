"""``@sm.autotune``: what a kernel is to choose among."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from speedmetal.errors import UserInputError
from speedmetal.frontend.notebooks import follow_reloads
from speedmetal.frontend.signature import with_article
from speedmetal.launch.kernel import Kernel
from speedmetal.tuning.autotuned import Autotuned
from speedmetal.tuning.configurations import candidates_of


def autotune(
    configurations: Iterable[Mapping[str, Any]] | None = None,
    /,
    *,
    key: Sequence[str] | None = None,
    tolerance: float | None = None,
    **lists: Any,
) -> Callable[[Kernel], Autotuned]:
    """Let a kernel choose its fastest configuration, by measuring: above ``@sm.kernel``.

    The first call with new types of arguments, or other sizes, runs each configuration, compares
    its results with those of the first one, and measures those that are right by the device's own
    clock, in rounds that take turns. The fastest is kept, in memory and on disk, for this device,
    this kernel and such arguments. What cannot be compiled or launched is skipped; the table
    (``f.tuned``) says why. Tuning changes no array: what the kernel writes to is made what it was.

    Args:
        configurations: Configurations one by one: ``[{"threads": 64, "tile": 8}, ...]``.
        key: Parameters that decide for which arguments a choice holds: of numbers their values, of
            arrays their exact shapes. None: of each array the extents, rounded up to powers of two,
            and so of the grid where it is stated in numbers. Types, strides that a kernel is
            compiled for, and values of static parameters count always.
        tolerance: How far floats of results may be from the first's: ``|x - r| <= tolerance *
            (|r| + largest |r|)``. None: 4e-11 for float64, 3e-5 for float32, 1e-2 for float16, 4e-2
            for bfloat16. Integers and bools must be equal.
        lists: Values of a static parameter, of ``threads`` or of ``groups``; every combination is a
            configuration. A configuration's numbers reach the kernel as ``sm.static`` ones.

    Raises:
        UserInputError: There is nothing to choose among; a name is none of the kernel's parameters;
            a value can be no static one; it does not stand above a kernel.

    Where nothing can be measured (inside ``sm.capture``, of kernels that print or assert, with
    ``debug``, or with ``SPEEDMETAL_AUTOTUNE=off``) a call takes what is known, else the first
    configuration, and says so in a warning, but for ``debug``.

    Example:
        >>> import numpy as np, speedmetal as sm
        >>> @sm.kernel
        ... def scale(a, b, each):
        ...     first = each * sm.thread_position_in_grid().x
        ...     for k in sm.static_range(each):
        ...         b[first + k] = 2 * a[first + k]
        >>> tuned = autotune(threads=[64, 256], each=[1, 4])(scale)
        >>> a, b = sm.arange(4096, device="cpu"), sm.zeros(4096, dtype=sm.int32, device="cpu")
        >>> tuned(a, b, grid=lambda c: 4096 // c.each)
        >>> int(b[9]), len(tuned.tuned[0].trials)
        (18, 4)
    """
    if isinstance(configurations, Kernel | types.FunctionType):
        raise UserInputError(
            "sm.autotune expected what to choose among; write @sm.autotune(threads=[128, 256])"
        )

    def tuned(kernel: Kernel) -> Autotuned:
        if not isinstance(kernel, Kernel):
            raise UserInputError(
                "sm.autotune expected a kernel, got"
                f" {with_article(type(kernel).__name__)}; write @sm.kernel below it, above `def`"
            )
        follow_reloads(Autotuned, _reload)
        names = kernel.parameters.names
        candidates = candidates_of(kernel.name, names, configurations, lists)
        fixed = [name for name in names if name not in vars(candidates[0].configuration)]
        for name in key or ():
            if name not in fixed:
                raise UserInputError(
                    f"sm.autotune of kernel {kernel.name!r}: key={name!r} is no parameter of it"
                    f" that is not tuned; these are {', '.join(fixed) or 'none'}"
                )
        return Autotuned(kernel, candidates, key, tolerance)

    return tuned


def _reload(old: Autotuned, new: Autotuned) -> None:
    """Make a kernel what it has become in a module that was loaded again."""
    vars(old).update(vars(new))
