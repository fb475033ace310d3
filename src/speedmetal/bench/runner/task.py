"""One case on one contender, inside its worker: make, call, prove, warm, sample."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Function, Tensor
from speedmetal.bench.measure import affinity, calibrate, clock
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.operations.base import Array
from speedmetal.bench.record import CaseSpec, Check, Status
from speedmetal.bench.runner import proof, remembered
from speedmetal.bench.runner.cache_buffer import CacheBuffer
from speedmetal.bench.runner.card_samples import Call, CardSampler
from speedmetal.bench.runner.data import open_array
from speedmetal.bench.runner.finished import Reader, Reading
from speedmetal.bench.runner.footprint import PeakMemory
from speedmetal.bench.runner.inputs import ColdError, Inputs, InputSet
from speedmetal.bench.runner.protocol import (
    Dataset,
    Prepare,
    Prepared,
    Sample,
    Sampled,
    Worked,
)
from speedmetal.bench.runner.results import ProvedOutputs, as_outputs, form_failure
from speedmetal.bench.suites import ITEMSIZE

SMALL_OUTPUTS = 1 << 14  # elements
QUEUED_BYTES = 2 << 30  # of results that are in flight at once
FIRST, SECOND, HARD = 0, 1, 2  # the datasets, by number
UNKNOWN_CACHE = (
    "the size of this device's cache is not told by any framework here, so that nobody knows what"
    " to write to empty it; leave out --l2 cold"
)
# A call that holds more than this for a moment is remarked on.
MEMORY_FACTOR, MEMORY_BYTES = 4, 512 << 20


@dataclass
class _Proof:
    """What came of proving, step by step; the first failure ends it."""

    errors: proof.Errors = field(default_factory=proof.Errors)
    outputs: int = 0
    second_seed: str = ""
    failures: list[str] = field(default_factory=list)
    unfair: str = ""
    notes: list[str] = field(default_factory=list)
    first_seconds: float = 0.0
    call_seconds: float = 0.0


class Task:
    """A case on an adapter; made by :meth:`prepare`, used up by :meth:`close`."""

    def __init__(
        self, adapter: Adapter, mode: str, request: Prepare, buffer: CacheBuffer | None = None
    ) -> None:
        self._adapter = adapter
        self._request = request
        self._case: CaseSpec = request.case
        self._operation = OPERATIONS[request.case.operation]
        self._function = self._make_function(mode)
        hard = [request.stress] if request.stress is not None else []
        self._datasets = [request.data, request.second, *hard]
        self._inputs = Inputs(adapter, self._operation, self._datasets)
        self._proved: dict[int, ProvedOutputs] = {}  # by dataset
        self._buffer = buffer
        self._card = CardSampler(adapter, buffer, is_cold=self._is_l2_cold) if buffer else None
        self._found = _Proof()
        self.device_peak: int | None = None

    def _make_function(self, mode: str) -> Function:
        function = self._adapter.cells[self._case.operation](self._case.parameters)
        compiled = mode == "compiled"
        if self._is_backward:
            names = [file.name for file in self._request.data.inputs]
            positions = [names.index(name) for name in self._operation.differentiable]
            make = self._adapter.compile_gradient if compiled else self._adapter.gradient
            return make(function, positions, len(names))
        return self._adapter.compile(function) if compiled else function

    @property
    def _is_backward(self) -> bool:
        return self._case.direction == "backward"

    @property
    def _is_cold(self) -> bool:
        return self._request.cache == "cold"

    @property
    def _is_l2_cold(self) -> bool:
        return self._request.l2 == "cold"

    # -- preparing ---------------------------------------------------------------------------

    def prepare(self) -> Prepared:
        """Prove the values, whoever else is at work meanwhile."""
        if self._is_l2_cold and not self._request.cache_bytes:
            return Prepared(Status.UNSUPPORTED, UNKNOWN_CACHE)
        self._adapter.begin(self._case.dtype)
        found = self._found
        self._prove(found)
        return self._failure(found) or self._prepared(found, found.call_seconds)

    def settle(self) -> Prepared:
        """Prove what is told by time, and find how long a call takes once it is warm."""
        found = self._found
        self._prove_computed(found)
        failure = self._failure(found)
        if failure:
            return failure
        try:
            self._hold_inputs(found)
        except ColdError as error:
            return Prepared(Status.UNSUPPORTED, str(error), self._check(found))
        prepared = self._warm_up(found)
        peak = self._adapter.device_peak_bytes()
        held = self._buffer.bytes if self._buffer else 0
        self.device_peak = None if peak is None else max(0, peak - held)
        return prepared

    def _check(self, found: _Proof) -> Check:
        tolerance = proof.tolerance_of(self._operation, self._case)
        return proof.check_of(
            found.errors, tolerance, found.outputs, found.second_seed, found.failures
        )

    def _failure(self, found: _Proof) -> Prepared | None:
        """The answer where a step of the proof failed."""
        check = self._check(found)
        if found.failures:
            return Prepared(Status.WRONG, check.failure, check)
        return Prepared(Status.UNFAIR, found.unfair, check) if found.unfair else None

    def _hold_inputs(self, found: _Proof) -> None:
        """Keep the sets of inputs that the samples take."""
        if self._is_cold:
            self._inputs.make_cold(self._request.cache_bytes)
        elif self._request.input_sets == 1:
            found.notes.append(
                "memory: one set of inputs is held, not two; its values are exchanged in place"
            )

    def _warm_up(self, found: _Proof) -> Prepared:
        _, inputs = self._inputs.draw()
        with affinity.BusyThreads() as busy:
            warm = calibrate.warm_up(lambda: self._call(inputs.tensors), found.call_seconds)
        return self._prepared(found, warm, busy.count)

    def _prepared(self, found: _Proof, call_seconds: float, busy_threads: int = 1) -> Prepared:
        return Prepared(
            Status.OK,
            check=self._check(found),
            first_call_nanoseconds=round(found.first_seconds * 1e9),
            call_nanoseconds=round(call_seconds * 1e9),
            busy_threads=busy_threads,
            input_sets=self._inputs.count,
            notes=found.notes,
        )

    def _call(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """One forced call."""
        outputs = as_outputs(self._function(*tensors))
        self._adapter.force(outputs)
        return outputs

    def _time_call(self, inputs: InputSet) -> tuple[float, Sequence[Tensor]]:
        start = time.perf_counter()
        outputs = self._call(inputs.tensors)
        return time.perf_counter() - start, outputs

    # -- proving -----------------------------------------------------------------------------

    def _prove(self, found: _Proof) -> None:
        """The proof of the values; steps after a failure would tell nothing more."""
        inputs = self._inputs.load(FIRST)
        self._inputs.sets = [inputs]
        outputs = self._prove_values(inputs, found)
        if not found.failures:
            self._prove_others(outputs, found)
        del outputs
        for step in (self._prove_in_place, self._prove_hard, self._restore):
            if not found.failures:
                step(inputs, found)

    def _prove_values(self, inputs: InputSet, found: _Proof) -> Sequence[Tensor]:
        """Form and values of the first result, and inputs that stay what they were."""
        start = time.perf_counter()
        outputs = as_outputs(self._function(*inputs.tensors))
        form = form_failure(outputs, self._output_count)
        if form:
            found.failures.append(form)
            return ()
        self._adapter.force(outputs)
        found.first_seconds = time.perf_counter() - start
        hosts = self._read(outputs)
        found.outputs = len(outputs)
        found.errors = self._compare(hosts, self._request.data)
        found.failures += found.errors.failures
        found.failures += self._changed(inputs)
        self._proved[FIRST] = ProvedOutputs.of(hosts)
        return outputs

    @property
    def _output_count(self) -> int:
        if self._is_backward:
            return len(self._operation.differentiable)
        return len(self._request.data.outputs)

    def _changed(self, inputs: InputSet) -> list[str]:
        return [f"input {name} was changed in place" for name in self._inputs.changed(inputs)]

    def _prove_others(self, earlier: Sequence[Tensor], found: _Proof) -> None:
        """Other inputs must give other results, and right ones where a reference is at hand; and
        the result of the call before must still be what it was.
        """
        inputs = self._inputs.load(SECOND)
        if self._request.input_sets > 1:
            self._inputs.sets.append(inputs)
        with PeakMemory() as memory:
            found.call_seconds, outputs = self._time_call(inputs)
        hosts = self._read(outputs)
        self._remark_memory(memory.growth_bytes, hosts, found)
        data = self._request.second
        has_reference = bool(data.outputs or data.slopes)
        found.second_seed = "reference" if has_reference else "changed"
        if self._proved[FIRST].matches(hosts):
            found.failures.append("other inputs give the same result")
            return
        if not self._adapter.reuses_outputs and not self._is_kept(earlier):
            found.failures.append(
                "results of different calls share memory: the first is no longer what it was"
            )
        if has_reference:
            errors = self._compare(hosts, data)
            found.failures += [f"with other inputs: {text}" for text in errors.failures]
        found.failures += self._changed(inputs)
        self._proved[SECOND] = ProvedOutputs.of(hosts)

    def _is_kept(self, outputs: Sequence[Tensor]) -> bool:
        return self._proved[FIRST].matches(self._read(outputs))

    def _remark_memory(self, growth: int, hosts: Sequence[Array], found: _Proof) -> None:
        terms = MEMORY_FACTOR * (self._inputs.bytes + sum(host.nbytes for host in hosts))
        if growth > terms + MEMORY_BYTES:
            found.notes.append(
                f"memory: a call takes {growth / 2**30:.2f} GiB for a moment,"
                f" {growth * MEMORY_FACTOR / max(terms, 1):.0f} times its inputs and outputs"
            )

    def _prove_in_place(self, inputs: InputSet, found: _Proof) -> None:
        """Other values in the same arrays: results must follow."""
        self._inputs.rewrite(inputs, SECOND)
        if not self._is_proved(self._read(self._call(inputs.tensors)), SECOND):
            found.failures.append("other values in the same arrays do not give their result")

    def _prove_computed(self, found: _Proof) -> None:
        """Results must be finished when they are forced, and computed each time."""
        inputs = self._inputs.sets[FIRST]
        reading = self._time_reading(inputs, found.call_seconds)
        if reading.failure:
            found.failures.append(reading.failure)
            return
        new_seconds, found.call_seconds = found.call_seconds, reading.call_seconds
        if not remembered.is_suspicious(new_seconds, reading.call_seconds):
            return
        # The first call on these values may have been slowed by others' proofs.
        if not remembered.is_suspicious(self._new_call_seconds(), reading.call_seconds):
            return
        if self._inputs.bytes > remembered.MOST_BYTES:
            found.notes.append(
                "whether results are remembered was not looked into: there is much to make anew"
            )
        else:
            found.unfair = remembered.recall(self._call, self._inputs).failure

    def _new_call_seconds(self) -> float:
        """Time of a call on values that were never given to any."""
        tensors = self._inputs.make(self._inputs.rolled())
        self._adapter.force(tensors)
        seconds, _ = self._time_call(InputSet(tensors, SECOND))
        return seconds

    def _time_reading(self, inputs: InputSet, call_seconds: float) -> Reading:
        hosts = self._read(self._call(inputs.tensors))
        values = [(host, self._output_layout(i)) for i, host in enumerate(hosts)]
        reader = Reader(self._adapter, lambda: self._call(inputs.tensors), values, call_seconds)
        return reader.read()

    def _prove_hard(self, inputs: InputSet, found: _Proof) -> None:
        """Large, far, constant and tiny rows, and a NaN."""
        data = self._request.stress
        if data is None:
            return
        self._inputs.rewrite(inputs, HARD)
        errors = self._compare(self._read(self._call(inputs.tensors)), data, is_hard=True)
        failures = [f"with hard inputs: {text}" for text in errors.failures]
        reason = self._adapter.unstable.get(self._case.operation, "")
        if reason and failures:
            found.notes.append(f"{'; '.join(failures)} ({reason})")
        else:
            found.failures += failures

    def _restore(self, inputs: InputSet, _: _Proof) -> None:
        self._inputs.rewrite(inputs, FIRST)

    def _read(self, outputs: Sequence[Tensor]) -> list[Array]:
        """Outputs on the host."""
        return [self._adapter.to_host(o, self._output_layout(i)) for i, o in enumerate(outputs)]

    def _output_layout(self, index: int) -> Layout:
        if self._is_backward:
            names = self._operation.differentiable
            return self._operation.layout_of(names[index]) if index < len(names) else Layout.PLAIN
        return self._operation.output_layout(index)

    def _compare(self, hosts: list[Array], data: Dataset, *, is_hard: bool = False) -> proof.Errors:
        if self._is_backward:
            shapes = {file.name: tuple(file.shape) for file in data.inputs}
            expected = proof.GradientData(
                [shapes[name] for name in self._operation.differentiable], data.slopes
            )
            return proof.compare_gradients(self._operation, self._case, data.seed, hosts, expected)
        references = [open_array(file) for file in data.outputs]
        stress = self._operation.stress
        leniency, rms = 1.0, [file.rms for file in data.outputs]
        if is_hard:
            rms = []  # of the whole, not of the part
            hosts, references = proof.telling_parts(hosts, references)
            leniency = stress.leniency(self._case.dtype) if stress is not None else 1.0
        return proof.compare_outputs(self._operation, self._case, hosts, references, leniency, rms)

    @property
    def _has_small_outputs(self) -> bool:
        """Whether looking at a result costs nothing: then every sample's is."""
        return sum(math.prod(shape) for shape in self._proved[FIRST].shapes) <= SMALL_OUTPUTS

    def _is_proved(self, hosts: Sequence[Array], content: int) -> bool:
        tolerance = proof.tolerance_of(self._operation, self._case).largest
        return self._proved[content].matches(hosts, 2 * tolerance)

    # -- sampling ----------------------------------------------------------------------------

    def sample(self, request: Sample) -> Sampled:
        """Take one sample and let go of what it made.

        The untimed call is given other inputs than the timed ones, so that nothing of their work
        can be done in it.
        """
        affinity.stay_on(request.processors)
        begun = clock.now_nanoseconds()
        call, latest = self._timed_call(request)
        started, force = self._started(call), self._adapter.force
        if self._request.timing_mode == "throughput":
            timed = clock.time_throughput(started, force, request.calls)
        elif self._is_l2_cold and self._buffer:
            timed = clock.time_apart(call, force, request.calls, self._buffer.overwrite)
        else:
            timed = clock.time_latency(call, force, request.calls)
        verify = request.verify or self._has_small_outputs
        failure = self._failure_of(timed.outputs, latest()) if verify else ""
        return Sampled(
            nanoseconds=timed.nanoseconds,
            **self._beside(request, started),
            cpu_nanoseconds=timed.usage.cpu_nanoseconds,
            page_faults=timed.usage.page_faults,
            context_switches=timed.usage.context_switches,
            untimed_nanoseconds=clock.now_nanoseconds() - begun - timed.nanoseconds,
            failure=failure,
        )

    def _beside(self, request: Sample, started: Call) -> dict[str, Any]:
        """What else is measured of a card in this turn.

        Of calls so long that nothing wakes for them, nothing: there all measures say the same.
        """
        if self._card is None or not request.wake:
            return {}
        mode = self._request.timing_mode
        return self._card.beside(started, request.calls, self._most_in_flight, mode)

    @property
    def _most_in_flight(self) -> int:
        """Calls whose results have room beside each other."""
        elements = sum(math.prod(shape) for shape in self._proved[FIRST].shapes)
        return max(1, QUEUED_BYTES // max(1, elements * ITEMSIZE[self._case.dtype]))

    def work(self, seconds: float) -> Worked:
        """Call for so long, many calls in flight."""
        assert self._card is not None, "work was asked for where there is no card"
        _, inputs = self._inputs.draw()
        started = self._started(lambda: as_outputs(self._function(*inputs.tensors)))
        return self._card.work(started, self._most_in_flight, seconds)

    def _timed_call(self, request: Sample) -> tuple[Call, Callable[[], int]]:
        """The call to time, ready to be made; and, afterwards, whose values the last one had."""
        function = self._function
        if self._is_cold:
            return self._cold_call(request)
        waking, timed = self._inputs.draw()
        content = self._inputs.plan(timed)
        if waking is not timed:
            self._inputs.write(waking, 1 - content)
        if request.wake:
            self._call(waking.tensors)
        self._inputs.write_and_touch(timed, content)
        tensors = timed.tensors
        return (lambda: as_outputs(function(*tensors))), (lambda: content)

    def _started(self, call: Call) -> Call:
        """A call after which its work is under way, though nobody waits for it yet."""

        def started() -> Sequence[Tensor]:
            outputs = call()
            self._adapter.start(outputs)
            return outputs

        return started

    def _cold_call(self, request: Sample) -> tuple[Call, Callable[[], int]]:
        function, inputs = self._function, self._inputs
        if request.wake:
            self._call(inputs.next_cold().tensors)
        return (
            lambda: as_outputs(function(*inputs.next_cold().tensors)),
            lambda: inputs.latest_cold.content,
        )

    def verify(self) -> str:
        """What is wrong with the result of one more call: what is right may not stay so.

        Its values are exchanged first, in the memory of those that were there when it was timed.
        """
        _, inputs = self._inputs.draw()
        self._inputs.write(inputs, self._inputs.plan(inputs, surely_exchanged=True))
        return self._failure_of(self._call(inputs.tensors), inputs.content)

    def _failure_of(self, outputs: Sequence[Tensor], content: int) -> str:
        form = form_failure(outputs, self._output_count)
        if form:
            return f"a timed call gave another result than the proved one: {form}"
        if self._is_proved(self._read(outputs), content):
            return ""
        return "a timed call gave another result than the proved one"

    def close(self) -> None:
        """Let go of the case's memory."""
        self._inputs.close()
        self._proved = {}
        self._adapter.release()
