"""The search: each configuration is compiled, run and proved; those that are right are measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from speedmetal.errors import CompileError, LaunchError, OutOfMemoryError
from speedmetal.launch.examined import Examined
from speedmetal.tuning.configurations import Candidate
from speedmetal.tuning.measuring import Contender, measure
from speedmetal.tuning.proving import Saved, difference, may_differ_again
from speedmetal.tuning.table import Trial

_REFUSALS = (CompileError, LaunchError, OutOfMemoryError)
_FRAMES_TO_THE_CALL = 6
"""From a warning here to the call of the kernel."""


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
    done = _Search(kernel, candidates, launch)
    done.compile(examine)
    found = next(iter(done.launches.values()))
    if found.compiled.metadata.sites:
        raise UntunableError("it prints or asserts, and would do so many times")
    if 0 in found.sizes.grid:
        raise UntunableError("", may_pass=True)
    try:
        with Saved(done.launches.values()) as saved:
            done.prove(saved, tolerance)
            return done.measured(saved)
    except OutOfMemoryError as error:
        raise UntunableError(f"no memory to keep what it writes to: {error}") from error


class _Search:
    """What is known of the configurations, stage by stage.

    Attributes:
        launches: Of those that are still in the race, by number.
        reasons: Why the others are not.
    """

    def __init__(
        self, kernel: str, candidates: Sequence[Candidate], launch: Callable[[Candidate], None]
    ) -> None:
        self._kernel = kernel
        self._candidates = candidates
        self._launch = launch
        self._first_refusal: Exception | None = None
        self.launches: dict[int, Examined] = {}
        self.reasons: dict[int, str] = {}

    def compile(self, examine: Callable[[Candidate], Examined]) -> None:
        """Compile each, and see whether it could be launched.

        Raises:
            CompileError, LaunchError: The first's, where none could.
        """
        for number, candidate in enumerate(self._candidates):
            try:
                examined = examine(candidate)
                examined.check()
            except _REFUSALS as error:
                self._refuse(number, error)
            else:
                self.launches[number] = examined
        self._see_that_some_are_left()

    def prove(self, saved: Saved, tolerance: float | None) -> None:
        """Run each once, and leave out what cannot be launched, or gives other results."""
        expected = None
        for number in list(self.launches):
            saved.restore()
            try:
                self._launch(self._candidates[number])
            except _REFUSALS as error:
                self._refuse(number, error)
                continue
            if expected is None:
                expected = saved.results()
            elif reason := difference(saved.arrays, expected, tolerance):
                self._leave_out(number, reason)
                warnings.warn(
                    f"sm.autotune of kernel {self._kernel!r}: with"
                    f" {self._candidates[number].configuration} {reason}; it is not chosen",
                    AutotuneWarning,
                    stacklevel=_FRAMES_TO_THE_CALL,
                )
        self._see_that_some_are_left()

    def measured(self, saved: Saved) -> tuple[tuple[Trial, ...], int]:
        """The trials, and the number of the fastest."""
        numbers = list(self.launches)
        device = self.launches[numbers[0]].device
        times = measure(device, [self._contender(number) for number in numbers], saved.restore)
        seconds = dict(zip(numbers, times, strict=True))
        most = max(rounds for _, rounds in times)
        for number, (_, rounds) in seconds.items():
            if rounds < most:
                self.reasons[number] = f"left out after {rounds} of {most} rounds"
        trials = tuple(
            Trial(repr(c.configuration), seconds.get(n, (None,))[0], self.reasons.get(n, ""))
            for n, c in enumerate(self._candidates)
        )
        return trials, min(seconds, key=lambda number: seconds[number][0])

    def _contender(self, number: int) -> Contender:
        candidate = self._candidates[number]
        return Contender(lambda: self._launch(candidate), may_differ_again(self.launches[number]))

    def _refuse(self, number: int, error: Exception) -> None:
        self._first_refusal = self._first_refusal or error
        told = error.diagnostics[0].message if isinstance(error, CompileError) else str(error)
        self._leave_out(number, told.partition("\n")[0])

    def _leave_out(self, number: int, reason: str) -> None:
        self.launches.pop(number, None)
        self.reasons[number] = reason

    def _see_that_some_are_left(self) -> None:
        if not self.launches and self._first_refusal is not None:
            raise self._first_refusal
