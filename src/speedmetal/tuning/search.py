"""The search: each configuration is compiled, run and proved; those that are right are measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from speedmetal.backends.device import Device
from speedmetal.errors import CompileError, LaunchError, OutOfMemoryError
from speedmetal.launch.examined import Examined
from speedmetal.tuning.configurations import Candidate
from speedmetal.tuning.measuring import ROUNDS, Contender, measure
from speedmetal.tuning.proving import Saved, difference, may_differ_again
from speedmetal.tuning.table import Trial

_REFUSALS = (CompileError, LaunchError, OutOfMemoryError)


class AutotuneWarning(UserWarning):
    """Tuning could not be done, or a configuration gave other results than the first."""


class UntunableError(Exception):
    """Nothing can be measured; the message says why.

    Attributes:
        may_pass: Whether a later call may be measured.
    """

    def __init__(self, reason: str, *, may_pass: bool = False) -> None:
        super().__init__(reason)
        self.may_pass = may_pass


def search(
    kernel: str,
    candidates: Sequence[Candidate],
    examine: Callable[[Candidate], Examined],
    launch: Callable[[Candidate], None],
    tolerance: float | None,
) -> tuple[tuple[Trial, ...], int]:
    """A trial of each configuration, and the number of the fastest; arrays are as before at return.

    Args:
        kernel: Its name, for messages.
        candidates: The configurations.
        examine: What a launch of one would be.
        launch: Asks for it.
        tolerance: Of the results' floats; None: by their dtype.

    Raises:
        CompileError, LaunchError: Of the first configuration, where none can be launched.
        KernelError, DeviceError: One failed while it ran.
        UntunableError: The kernel reports, or there is no memory to keep what it writes to.
    """
    reasons: dict[int, str] = {}
    launches, first_refusal = _compiled(candidates, examine, reasons)
    if not launches:
        assert first_refusal is not None
        raise first_refusal
    found = next(iter(launches.values()))
    if found.compiled.metadata.sites:
        raise UntunableError("it prints or asserts, and would do so many times")
    if 0 in found.sizes.grid:
        raise UntunableError("", may_pass=True)
    try:
        saved = Saved(launches.values())
    except OutOfMemoryError as error:
        raise UntunableError(f"no memory to keep what it writes to: {error}") from error
    try:
        refused = _prove(kernel, candidates, launches, launch, saved, tolerance, reasons)
        if not launches:
            raise refused
        times = _measured(found.device, candidates, launches, launch, saved)
    finally:
        saved.restore()
    return _trials(candidates, times, reasons)


def _compiled(
    candidates: Sequence[Candidate],
    examine: Callable[[Candidate], Examined],
    reasons: dict[int, str],
) -> tuple[dict[int, Examined], Exception | None]:
    """The launches that can be, by number; why others cannot goes into ``reasons``."""
    launches, first = {}, None
    for number, candidate in enumerate(candidates):
        try:
            examined = examine(candidate)
            examined.check()
            launches[number] = examined
        except _REFUSALS as error:
            reasons[number] = _in_short(error)
            first = first or error
    return launches, first


def _prove(
    kernel: str,
    candidates: Sequence[Candidate],
    launches: dict[int, Examined],
    launch: Callable[[Candidate], None],
    saved: Saved,
    tolerance: float | None,
    reasons: dict[int, str],
) -> Exception:
    """Run each once, and take those out of the launches that fail or give other results.

    Returns:
        Why the first of those was refused that could not be launched.
    """
    expected = None
    refusal: Exception = UntunableError("no configuration can be launched")
    for number in list(launches):
        saved.restore()
        try:
            launch(candidates[number])
            results = saved.results()
        except _REFUSALS as error:
            reasons[number] = _in_short(error)
            refusal = error if expected is None and len(reasons) == 1 else refusal
            del launches[number]
            continue
        if expected is None:
            expected = results
        elif reason := difference(results, expected, tolerance):
            del launches[number]
            reasons[number] = reason
            warnings.warn(
                f"sm.autotune of kernel {kernel!r}: with {candidates[number].configuration}"
                f" {reason}; it is not chosen",
                AutotuneWarning,
                stacklevel=2,
            )
    return refusal


def _measured(
    device: Device,
    candidates: Sequence[Candidate],
    launches: dict[int, Examined],
    launch: Callable[[Candidate], None],
    saved: Saved,
) -> dict[int, tuple[float, int]]:
    def contender(number: int) -> Contender:
        candidate = candidates[number]
        return Contender(lambda: launch(candidate), may_differ_again(launches[number]))

    numbers = list(launches)
    return dict(
        zip(numbers, measure(device, [*map(contender, numbers)], saved.restore), strict=True)
    )


def _trials(
    candidates: Sequence[Candidate], times: dict[int, tuple[float, int]], reasons: dict[int, str]
) -> tuple[tuple[Trial, ...], int]:
    most = max(rounds for _, rounds in times.values())
    for number, (_, rounds) in times.items():
        if rounds < most:
            reasons[number] = f"left out after {rounds} of {most} rounds"
    trials = tuple(
        Trial(repr(c.configuration), times.get(n, (None,))[0], reasons.get(n, ""))
        for n, c in enumerate(candidates)
    )
    return trials, min(times, key=lambda number: times[number][0])


def _in_short(error: Exception) -> str:
    """The first line that says what is wrong."""
    if isinstance(error, CompileError):
        return str(error.diagnostics[0].message)
    return str(error).partition("\n")[0]


__all__ = ["ROUNDS", "AutotuneWarning", "UntunableError", "search"]
