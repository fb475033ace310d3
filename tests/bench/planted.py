"""Frameworks with a fault each, planted to see whether a run notices (`small_run.py` looks).

Each is NumPy but for its fault, and takes part through the same door as any other package's
framework: under the name ``"planted:NAME"``. Every worker of a run imports this file, so that it
imports nothing of the run itself.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Layout, Params
from speedmetal.bench.frameworks.base import Cell, Framework, Function, Settings, Tensor
from speedmetal.bench.frameworks.numpy.adapter import NumPyAdapter
from speedmetal.bench.frameworks.numpy.cells import CELLS
from speedmetal.bench.measure import clock
from speedmetal.bench.runner.worker import MEMORY_LIMIT_VARIABLE

Array = NDArray[Any]
FOREVER_SECONDS = 3600.0
HANGING_VARIABLE = "PLANTED_HANGING"


# -- Wrong results -----------------------------------------------------------------------------


class Honest(NumPyAdapter):
    """NumPy itself: what shows that the cases do not fail everybody."""


class SlowOnLarge(NumPyAdapter):
    """Honest, and slow where there is much to do: two seconds a call."""

    LARGE, SECONDS = 1 << 14, 2.0

    @staticmethod
    def _relu(x: Array) -> Array:
        if x.size >= SlowOnLarge.LARGE:
            time.sleep(SlowOnLarge.SECONDS)
        return np.maximum(x, 0)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": lambda _: SlowOnLarge._relu}


class DroppedAxis(NumPyAdapter):
    """The axis is taken and forgotten, as in the published MLX code of argmax, sum, softmax."""

    @staticmethod
    def _softmax(x: Array) -> Array:
        result = np.exp(x - x.max())
        return result / result.sum()

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "softmax": lambda _: DroppedAxis._softmax,
        "sum": lambda _: np.sum,
        "argmax": lambda _: np.argmax,
        "sort": lambda _: np.sort,
    }


class KeptAxis(NumPyAdapter):
    """Right values in a shape of its own: the summed axis stays as an axis of length 1."""

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "sum": lambda p: lambda x: np.sum(x, axis=p["axis"], keepdims=True),
    }


class ThrownAway(NumPyAdapter):
    """The result is made and dropped, and the input returned, as in the published scatters."""

    @staticmethod
    def _drop(cell: Cell) -> Cell:
        def dropping(params: Params) -> Function:
            function = cell(params)

            def call(x: Array, index: Array, updates: Array) -> Array:
                function(x, index, updates)
                return x

            return call

        return dropping

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "scatter": _drop(CELLS["scatter"]),
        "scatter_sum": _drop(CELLS["scatter_sum"]),
        "scatter_max": _drop(CELLS["scatter_max"]),
    }


class UnbroadcastIndex(NumPyAdapter):
    """The index reaches one column of each row, as in the published torch scatters."""

    @staticmethod
    def _one_column(combine: Any) -> Cell:
        def scatter(x: Array, index: Array, updates: Array) -> Array:
            result = x.copy()
            combine.at(result[:, 0], index, updates[:, 0])
            return result

        return lambda _: scatter

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "scatter_sum": _one_column(np.add),
        "scatter_max": _one_column(np.maximum),
    }


def _attention_with(apply_mask: Callable[[Array, Array], Array]) -> Cell:
    def cell(params: Params) -> Function:
        def attention(query: Array, key: Array, value: Array, mask: Array) -> Array:
            scores = np.matmul(query, np.swapaxes(key, -1, -2)) / np.float32(
                np.sqrt(params["head_size"])
            )
            scores = apply_mask(scores, mask)
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            return np.matmul(scores / scores.sum(axis=-1, keepdims=True), value)

        return attention

    return cell


class IgnoredMask(NumPyAdapter):
    """Attention without its mask."""

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "attention": _attention_with(lambda scores, _: scores),
    }


class BooleanMask(NumPyAdapter):
    """-inf filled into a bool mask makes it all True, and adding that adds one to every score, as
    in the published torch code."""

    @staticmethod
    def _add(scores: Array, mask: Array) -> Array:
        filled = mask.copy()
        filled[~mask] = -np.inf
        return scores + filled

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "attention": _attention_with(_add)}


class LogitLoss(NumPyAdapter):
    """Takes probabilities for logits and targets for integers, as in the published MLX BCE."""

    @staticmethod
    def _bce(x: Array, target: Array) -> Array:
        target = target.astype(np.int32)
        return np.mean(np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))).astype(x.dtype)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "bce": lambda _: LogitLoss._bce}


class HalfPrecision(NumPyAdapter):
    """A product in float16, handed out as float32."""

    @staticmethod
    def _matmul(a: Array, b: Array) -> Array:
        return (a.astype(np.float16) @ b.astype(np.float16)).astype(np.float32)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "matmul": lambda _: HalfPrecision._matmul}


class RoundedOperands(NumPyAdapter):
    """A product of operands rounded to 10 bits of mantissa, as TF32 matrix units do."""

    @staticmethod
    def _round(x: Array) -> Array:
        bits = x.view(np.uint32)
        return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32)

    @staticmethod
    def _matmul(a: Array, b: Array) -> Array:
        return RoundedOperands._round(a) @ RoundedOperands._round(b)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "matmul": lambda _: RoundedOperands._matmul}


class MissingTerm(NumPyAdapter):
    """A product whose sums leave out their last term."""

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "matmul": lambda _: lambda a, b: a[..., :-1] @ b[..., :-1, :],
    }


class ChangedInput(NumPyAdapter):
    """The right result, written over the input."""

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "relu": lambda _: lambda x: np.maximum(x, 0, out=x),
    }


class Constant(NumPyAdapter):
    """Zeros of the right shape, whatever the input."""

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": lambda _: np.zeros_like}


class OneElement(NumPyAdapter):
    """Right but for one element."""

    @staticmethod
    def _relu(x: Array) -> Array:
        result = np.maximum(x, 0)
        result.reshape(-1)[-1] += 0.01
        return result

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": lambda _: OneElement._relu}


class OwnInputs(NumPyAdapter):
    """Computes on random numbers of a seed of its own, not on what it was given."""

    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        generator = np.random.default_rng(0)
        return generator.standard_normal(array.shape).astype(array.dtype)


class SwallowedNan(NumPyAdapter):
    """NaN becomes zero on the way."""

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "relu": lambda _: lambda x: np.maximum(np.nan_to_num(x), 0),
    }


class ChannelsFirst(NumPyAdapter):
    """The result in another order of axes, which are of equal length: shape tells nothing."""

    @staticmethod
    def _convolution(params: Params) -> Function:
        function = CELLS["conv2d"](params)
        return lambda x, weight: np.ascontiguousarray(np.moveaxis(function(x, weight), -1, 1))

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "conv2d": _convolution}


class TwoOutputs(NumPyAdapter):
    """The right result, twice."""

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "relu": lambda _: lambda x: (np.maximum(x, 0), np.maximum(x, 0)),
    }


class DoubleResult(NumPyAdapter):
    """The right values in float64, where float32 was asked for."""

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "relu": lambda _: lambda x: np.maximum(x.astype(np.float64), 0),
    }


class FloatIndices(NumPyAdapter):
    """Positions as floating-point numbers."""

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "argmax": lambda p: lambda x: np.argmax(x, p["axis"]).astype(np.float32),
    }


class HonestGradient(NumPyAdapter):
    """NumPy with a derivative of relu by hand; faulty ones differ in :meth:`_slope`."""

    differentiates = True

    def gradient(self, function: Function, positions: Sequence[int], count: int) -> Function:
        return lambda x, cotangent: self._slope(x) * cotangent

    @staticmethod
    def _slope(x: Array) -> Array:
        return (x > 0).astype(x.dtype)


class NanGradient(HonestGradient):
    """A gradient that is right but for one NaN."""

    @staticmethod
    def _slope(x: Array) -> Array:
        slope = HonestGradient._slope(x)
        slope[0, 0] = np.nan
        return slope


class DroppedGradient(HonestGradient):
    """Passes the cotangent on, as if the function were the identity."""

    @staticmethod
    def _slope(x: Array) -> Array:
        return np.ones_like(x)


class DoubleGradient(HonestGradient):
    """A gradient in float64."""

    @staticmethod
    def _slope(x: Array) -> Array:
        return HonestGradient._slope(x).astype(np.float64)


class NaiveFormulas(NumPyAdapter):
    """Formulas that are right on paper: overflow, cancellation, and an epsilon in a logarithm."""

    @staticmethod
    def _softmax(params: Params) -> Function:
        def softmax(x: Array) -> Array:
            result = np.exp(x)
            return result / result.sum(axis=params["axis"], keepdims=True)

        return softmax

    @staticmethod
    def _layer_norm(x: Array) -> Array:
        mean = x.mean(axis=-1, keepdims=True)
        variance = np.square(x).mean(axis=-1, keepdims=True) - np.square(mean)
        return (x - mean) / np.sqrt(np.maximum(variance, 0) + np.float32(1e-5))

    @staticmethod
    def _cross_entropy(logits: Array, target: Array) -> Array:
        log_sum = np.log(np.exp(logits).sum(axis=-1))
        return np.mean(log_sum - logits[np.arange(len(target)), target])

    @staticmethod
    def _bce(p: Array, t: Array) -> Array:
        tiny = np.float32(1e-7)
        return -np.mean(t * np.log(p + tiny) + (1 - t) * np.log(1 - p + tiny))

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "softmax": _softmax,
        "layer_norm": lambda _: NaiveFormulas._layer_norm,
        "cross_entropy": lambda _: NaiveFormulas._cross_entropy,
        "bce": lambda _: NaiveFormulas._bce,
        "softplus": lambda _: lambda x: np.log(1 + np.exp(x)),
    }


class ListResult(NumPyAdapter):
    """The right result, in a list."""

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": lambda _: lambda x: [np.maximum(x, 0)]}


class NoResult(NumPyAdapter):
    """Computes, and forgets to return."""

    @staticmethod
    def _relu(x: Array) -> None:
        np.maximum(x, 0)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": lambda _: NoResult._relu}


# -- Work that is not done, or not then --------------------------------------------------------


class CachedByShape(NumPyAdapter):
    """Computes once for each shape and repeats that answer."""

    @staticmethod
    def _softmax(params: Params) -> Function:
        function = CELLS["softmax"](params)
        answers: dict[tuple[int, ...], Array] = {}

        def softmax(x: Array) -> Array:
            if x.shape not in answers:
                answers[x.shape] = function(x)
            return answers[x.shape]

        return softmax

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "softmax": _softmax}


class CachedByInput(NumPyAdapter):
    """Computes once for each array and repeats that answer, whatever the array holds by now."""

    @staticmethod
    def _relu(_: Params) -> Function:
        answers: dict[int, tuple[Array, Array]] = {}  # inputs are kept, so that ids are their own

        def relu(x: Array) -> Array:
            if id(x) not in answers:
                answers[id(x)] = (x, np.maximum(x, 0))
            return answers[id(x)][1]

        return relu

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": _relu}


def _remembering(most: int) -> Cell:
    """A sort that remembers its last results by what it was given."""

    def cell(params: Params) -> Function:
        answers: dict[bytes, Array] = {}

        def sort(x: Array) -> Array:
            key = x.reshape(-1)[:64].tobytes()
            if key not in answers:
                while len(answers) >= most:
                    del answers[next(iter(answers))]
                answers[key] = np.sort(x, axis=params["axis"])
            return answers[key].copy()

        return sort

    return cell


class CachedByContent(NumPyAdapter):
    """Computes once for the same values, wherever they lie: all its results are right."""

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "sort": _remembering(most=100)}


class LastRemembered(NumPyAdapter):
    """Remembers its last result alone: right again, and every call of a sample but the first."""

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "sort": _remembering(most=1)}


class SlowStart(NumPyAdapter):
    """Behind a delay that makes each time plausible, and all of them equal."""

    @staticmethod
    def _relu(x: Array) -> Array:
        time.sleep(0.05)
        return np.maximum(x, 0)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": lambda _: SlowStart._relu}


class ReusedBuffer(NumPyAdapter):
    """Writes all results into the same memory."""

    @staticmethod
    def _relu(params: Params) -> Function:
        buffer = np.empty(params["shape"], np.float32)
        return lambda x: np.maximum(x, 0, out=buffer)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": _relu}


class Unevaluated:
    """A result that is computed when somebody reads it."""

    def __init__(self, compute: Callable[[], Array]) -> None:
        self.compute = compute


class Lazy(NumPyAdapter):
    """Computes when a result is read; `force` does nothing."""

    @staticmethod
    def _put_off(cell: Cell) -> Cell:
        def putting_off(params: Params) -> Function:
            function = cell(params)
            return lambda x: Unevaluated(lambda: function(x))

        return putting_off

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "sort": _put_off(CELLS["sort"]),
        "relu": _put_off(CELLS["relu"]),
    }

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        return np.asarray(tensor.compute() if isinstance(tensor, Unevaluated) else tensor)

    def peek(self, tensor: Tensor) -> NDArray[Any]:
        return self.to_host(tensor, Layout.PLAIN).reshape(-1)[:1]


class _Turning(NumPyAdapter):
    """Knows when a case has come to its samples: the proof and the warm-up have no turns."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._turns = 0

    def begin(self, dtype: str) -> None:
        self._turns = 0

    def end_turn(self) -> None:
        self._turns += 1

    def _once_timed(self, then: Callable[[Array], Any], turns: int = 1) -> Cell:
        """A relu that does another thing after so many turns."""
        return lambda _: lambda x: then(x) if self._turns >= turns else np.maximum(x, 0)


class _Asynchronous(_Turning):
    """Computes in a thread of its own: a tensor is a promise, and reading it waits."""

    DELAY_SECONDS: ClassVar[float] = 0.0

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._pool = ThreadPoolExecutor(1)
        self.cells = {**CELLS, "relu": lambda _: self._later(lambda x: np.maximum(x, 0))}

    def _later(self, function: Function) -> Function:
        def compute(x: Array) -> Array:
            time.sleep(self.DELAY_SECONDS)
            return function(x)

        return lambda x: self._pool.submit(compute, x)

    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        return np.asarray(tensor.result() if isinstance(tensor, Future) else tensor)

    def peek(self, tensor: Tensor) -> NDArray[Any]:
        return self.to_host(tensor, Layout.PLAIN).reshape(-1)[:1]


class NotAwaited(_Asynchronous):
    """Nobody waits for the result: `force` does nothing."""

    DELAY_SECONDS = 0.03


class NotAwaitedWhenTimed(_Asynchronous):
    """Waits while the work is proved, and no more afterwards."""

    def force(self, outputs: Sequence[Tensor]) -> None:
        for output in outputs:
            if isinstance(output, Future) and self._turns == 0:
                output.result()


class NotAwaitedCeilings(NotAwaited):
    """Its ceilings are not waited for either: they would let everybody's times pass."""

    def copy(self, x: Tensor) -> Tensor:
        return self._pool.submit(super().copy, x)

    def read(self, x: Tensor) -> Tensor:
        return self._pool.submit(super().read, x)


class CachedCeilings(NumPyAdapter):
    """Copies once for each array."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._copies: dict[int, tuple[Array, Array]] = {}

    def copy(self, x: Tensor) -> Tensor:
        if id(x) not in self._copies:
            self._copies[id(x)] = (x, x + 1)
        return self._copies[id(x)][1]


class RememberedCeilings(NumPyAdapter):
    """Finds its maxima in a table of those that it knows: right, and faster than any memory."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._maxima: dict[tuple[int, bytes], Array] = {}

    def read(self, x: Tensor) -> Tensor:
        key = (x.size, x[:8].tobytes())
        if key not in self._maxima:
            self._maxima[key] = x.max()
        return self._maxima[key]


class WrongWhenTimed(_Turning):
    """Right while it is proved, garbage when it is timed."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self.cells = {**CELLS, "relu": self._once_timed(np.zeros_like)}


class WorksWhileWaking(_Turning):
    """Once it is timed, the first call of a turn computes, and the others return that."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._kept: Array | None = None
        self.cells = {**CELLS, "relu": self._once_timed(self._again)}

    def _again(self, x: Array) -> Array:
        if self._kept is None:
            self._kept = np.maximum(x, 0)
        return self._kept

    def end_turn(self) -> None:
        super().end_turn()
        self._kept = None


class RemembersWhenTimed(_Turning):
    """Computes while it is proved; once it is timed, it looks up what it was given before."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._answers: dict[bytes, Array] = {}
        self.cells = {**CELLS, "relu": self._once_timed(self._look_up)}

    def _look_up(self, x: Array) -> Array:
        key = x.reshape(-1)[:64].tobytes()
        if key not in self._answers:
            self._answers[key] = np.maximum(x, 0)
        return self._answers[key]


class WrongLater(_Turning):
    """Right in the first samples, garbage in those after them."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self.cells = {**CELLS, "relu": self._once_timed(np.zeros_like, turns=3)}


# -- Broken terms ------------------------------------------------------------------------------


class PatchedTime(NumPyAdapter):
    """Puts clocks of half the speed into the module `time`: the benchmark's own are bound."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        for name in ("perf_counter", "monotonic"):
            seconds, whole = getattr(time, name), getattr(time, f"{name}_ns")
            setattr(time, name, lambda seconds=seconds: seconds() / 2)
            setattr(time, f"{name}_ns", lambda whole=whole: whole() // 2)


class _OwnClock(NumPyAdapter):
    """Puts a clock of its own into the benchmark itself."""

    @staticmethod
    def _show(now: int) -> int:
        raise NotImplementedError

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        now = clock._now
        clock._now = lambda: self._show(now())


class HalfSpeedClock(_OwnClock):
    """A clock by which everything takes half as long."""

    @staticmethod
    def _show(now: int) -> int:
        return now // 2


class StoppedClock(_OwnClock):
    """A clock that stands still."""

    @staticmethod
    def _show(now: int) -> int:
        return 1


class ReversedClock(_OwnClock):
    """A clock that runs backwards."""

    @staticmethod
    def _show(now: int) -> int:
        return -now


class FastClock(_OwnClock):
    """A clock by which everything takes a hundred times as long."""

    @staticmethod
    def _show(now: int) -> int:
        return now * 100


class EndsLate(NumPyAdapter):
    """Sleeps at the end of each turn, so that the time runs out for the others."""

    def end_turn(self) -> None:
        time.sleep(0.2)


def _burn() -> None:
    while True:
        pass


class Saboteur(NumPyAdapter):
    """Computes on all cores while it is not its turn: a thread, as a library's pool would."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._turns = 0

    def end_turn(self) -> None:
        if self._turns == 0:
            threading.Thread(target=_burn, daemon=True).start()
        self._turns += 1


class ManyThreads(NumPyAdapter):
    """Computes on four threads where one is allowed."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self._pool = ThreadPoolExecutor(4)
        self.cells = {**CELLS, "relu": lambda _: self._relu}

    @staticmethod
    def _part(x: Array) -> Array:
        for _ in range(20):
            result = np.maximum(x, 0)
        return result

    def _relu(self, x: Array) -> Array:
        return np.concatenate(list(self._pool.map(self._part, np.array_split(x, 4))))


# -- Faults of the machine ---------------------------------------------------------------------

DEADLY_SHAPE = (31, 33)  # of the case in which the fault shows; others go well


def _in_deadly_case(cell: Cell, fault: Cell) -> Cell:
    return lambda params: (fault if tuple(params["shape"]) == DEADLY_SHAPE else cell)(params)


def _die(_: Array) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KilledInSample(_Turning):
    """Killed by the system in the middle of a sample."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        self.cells = {**CELLS, "relu": _in_deadly_case(CELLS["relu"], self._once_timed(_die))}


class Hangs(NumPyAdapter):
    """Never comes back; leaves a mark in the file that ``HANGING_VARIABLE`` names."""

    @staticmethod
    def _relu(_: Array) -> None:
        if HANGING_VARIABLE in os.environ:
            Path(os.environ[HANGING_VARIABLE]).touch()
        time.sleep(FOREVER_SECONDS)

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "relu": _in_deadly_case(CELLS["relu"], lambda _: Hangs._relu),
    }


class HangsInSample(_Turning):
    """Comes back while it is proved, and not when it is timed."""

    def __init__(self, device: str, settings: Settings) -> None:
        super().__init__(device, settings)
        hanging = self._once_timed(lambda _: time.sleep(FOREVER_SECONDS))
        self.cells = {**CELLS, "relu": _in_deadly_case(CELLS["relu"], hanging)}


class OutOfMemory(NumPyAdapter):
    """Asks for more memory than the process may have."""

    @staticmethod
    def _relu(x: Array) -> Array:
        return np.maximum(x, np.empty((1 << 32,), np.float32)[: x.shape[-1]])

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "relu": _in_deadly_case(CELLS["relu"], lambda _: OutOfMemory._relu),
    }


class Noisy(NumPyAdapter):
    """Prints to both outputs by every way there is, and reads its input."""

    @staticmethod
    def _relu(x: Array) -> Array:
        print("\0\xff garbage", "x" * 100)  # noqa: T201 - the fault
        print("garbage", file=sys.stderr)  # noqa: T201 - the fault
        os.write(1, b"\x00\x00\x00\x05garbage")
        os.write(2, b"\xff\xfe\n")
        assert sys.stdin.read() == ""
        return np.maximum(x, 0)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": lambda _: Noisy._relu}


class GarbageInPipe(NumPyAdapter):
    """Writes into the pipe that its replies go through."""

    @staticmethod
    def _relu(x: Array) -> Array:
        for descriptor in _writable_pipes():
            os.write(descriptor, b"\xff" * 64)
        return np.maximum(x, 0)

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "relu": _in_deadly_case(CELLS["relu"], lambda _: GarbageInPipe._relu),
    }


def _writable_pipes() -> Iterator[int]:
    for entry in list(Path("/dev/fd").iterdir()):
        descriptor = int(entry.name)
        if descriptor <= 2:
            continue
        try:
            is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
            mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        except OSError:  # the folder's own descriptor is closed by now
            continue
        if is_pipe and mode == os.O_WRONLY:
            yield descriptor


class Raises(NumPyAdapter):
    """Raises what no other case minds."""

    @staticmethod
    def _relu(_: Array) -> Array:
        raise ValueError("the kernel was\nnot found")

    cells: ClassVar[Mapping[str, Cell]] = {
        **CELLS,
        "relu": _in_deadly_case(CELLS["relu"], lambda _: Raises._relu),
    }


class SlowCell(NumPyAdapter):
    """Takes a while for each call: a case lasts long enough to be interrupted."""

    @staticmethod
    def _relu(x: Array) -> Array:
        time.sleep(0.03)
        return np.maximum(x, 0)

    cells: ClassVar[Mapping[str, Cell]] = {**CELLS, "relu": lambda _: SlowCell._relu}


# -- The frameworks ----------------------------------------------------------------------------


def _plant(adapter: type[NumPyAdapter], environment: Mapping[str, str] | None = None) -> Framework:
    return Framework(
        name=adapter.__name__,
        adapter=f"planted:{adapter.__name__}",
        packages=("numpy",),
        modes=("eager",),
        default_modes=("eager",),
        environment=lambda _: environment or {},
    )


HONEST = _plant(Honest)
SLOW_ON_LARGE = _plant(SlowOnLarge)
DROPPED_AXIS = _plant(DroppedAxis)
KEPT_AXIS = _plant(KeptAxis)
THROWN_AWAY = _plant(ThrownAway)
UNBROADCAST_INDEX = _plant(UnbroadcastIndex)
IGNORED_MASK = _plant(IgnoredMask)
BOOLEAN_MASK = _plant(BooleanMask)
LOGIT_LOSS = _plant(LogitLoss)
HALF_PRECISION = _plant(HalfPrecision)
ROUNDED_OPERANDS = _plant(RoundedOperands)
MISSING_TERM = _plant(MissingTerm)
CHANGED_INPUT = _plant(ChangedInput)
CONSTANT = _plant(Constant)
ONE_ELEMENT = _plant(OneElement)
OWN_INPUTS = _plant(OwnInputs)
SWALLOWED_NAN = _plant(SwallowedNan)
CHANNELS_FIRST = _plant(ChannelsFirst)
TWO_OUTPUTS = _plant(TwoOutputs)
DOUBLE_RESULT = _plant(DoubleResult)
FLOAT_INDICES = _plant(FloatIndices)
HONEST_GRADIENT = _plant(HonestGradient)
NAN_GRADIENT = _plant(NanGradient)
DROPPED_GRADIENT = _plant(DroppedGradient)
DOUBLE_GRADIENT = _plant(DoubleGradient)
CACHED_BY_SHAPE = _plant(CachedByShape)
CACHED_BY_INPUT = _plant(CachedByInput)
SLOW_START = _plant(SlowStart)
NOT_AWAITED = _plant(NotAwaited)
NOT_AWAITED_WHEN_TIMED = _plant(NotAwaitedWhenTimed)
NOT_AWAITED_CEILINGS = _plant(NotAwaitedCeilings)
WRONG_WHEN_TIMED = _plant(WrongWhenTimed)
WRONG_LATER = _plant(WrongLater)
CACHED_BY_CONTENT = _plant(CachedByContent)
LAST_REMEMBERED = _plant(LastRemembered)
REMEMBERS_WHEN_TIMED = _plant(RemembersWhenTimed)
WORKS_WHILE_WAKING = _plant(WorksWhileWaking)
REUSED_BUFFER = _plant(ReusedBuffer)
LAZY = _plant(Lazy)
NAIVE_FORMULAS = _plant(NaiveFormulas)
LIST_RESULT = _plant(ListResult)
NO_RESULT = _plant(NoResult)
CACHED_CEILINGS = _plant(CachedCeilings)
REMEMBERED_CEILINGS = _plant(RememberedCeilings)
UNEVALUATED_MLX = Framework(
    name="UnevaluatedMLX",
    adapter="planted_mlx:UnevaluatedMLX",
    packages=("mlx",),
    modes=("eager",),
    default_modes=("eager",),
    install="pip install mlx (macOS), pip install 'mlx[cpu]' (Linux)",
)
UNEVALUATED_SPEEDMETAL = Framework(
    name="UnevaluatedSpeedmetal",
    adapter="planted_speedmetal:UnevaluatedSpeedmetal",
    packages=("speedmetal",),
    modes=("compiled",),
    default_modes=("compiled",),
)
KILLED_IN_SAMPLE = _plant(KilledInSample)
HANGS = _plant(Hangs)
HANGS_IN_SAMPLE = _plant(HangsInSample)
OUT_OF_MEMORY = _plant(OutOfMemory, {MEMORY_LIMIT_VARIABLE: str(4 << 30)})
NOISY = _plant(Noisy)
GARBAGE_IN_PIPE = _plant(GarbageInPipe)
RAISES = _plant(Raises)
SLOW_CELL = _plant(SlowCell)
PATCHED_TIME = _plant(PatchedTime)
HALF_SPEED_CLOCK = _plant(HalfSpeedClock)
STOPPED_CLOCK = _plant(StoppedClock)
REVERSED_CLOCK = _plant(ReversedClock)
FAST_CLOCK = _plant(FastClock)
ENDS_LATE = _plant(EndsLate)
SABOTEUR = _plant(Saboteur)
MANY_THREADS = _plant(ManyThreads)
NOT_INSTALLED = Framework(
    name="NotInstalled",
    adapter="speedmetal_is_without_this_package:Adapter",
    packages=("speedmetal-is-without-this-package",),
    modes=("eager",),
    default_modes=("eager",),
    install="pip install speedmetal-is-without-this-package",
)
