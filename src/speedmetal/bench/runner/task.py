"""One case on one contender, inside its worker: make, call, prove, warm, sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Function, Tensor
from speedmetal.bench.measure import affinity, calibrate, clock
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.operations.base import Array
from speedmetal.bench.record import CaseSpec, Check, Status
from speedmetal.bench.runner import proof
from speedmetal.bench.runner.data import dtype_of, open_array
from speedmetal.bench.runner.finished import (
    ATTEMPTS,
    peek_seconds,
    unfinished_reason,
    waiting_seconds,
)
from speedmetal.bench.runner.protocol import ArrayFile, Dataset, Prepare, Prepared, Sample, Sampled

PROBES = 64  # elements of the last result that are compared with the proved ones
MAXIMUM_INPUT_SETS = 256


@dataclass
class ProvedOutputs:
    """A few elements of the proved result, by which later results are recognised."""

    positions: list[tuple[Array, ...]]
    values: list[Array]

    def matches(self, hosts: Sequence[Array], tolerance: float = 0.0) -> bool:
        """Whether these outputs have the remembered values, within a relative tolerance."""
        return len(hosts) == len(self.values) and all(
            _is_close(np.asarray(host[position]), value, tolerance)
            for host, position, value in zip(hosts, self.positions, self.values, strict=True)
        )


class Task:
    """A case on an adapter; made by :meth:`prepare`, used up by :meth:`close`."""

    def __init__(self, adapter: Adapter, mode: str, request: Prepare) -> None:
        self._adapter = adapter
        self._request = request
        self._case: CaseSpec = request.case
        self._operation = OPERATIONS[request.case.operation]
        self._function = self._make_function(mode)
        self._input_sets: list[list[Tensor]] = []
        self._rotation: Iterator[list[Tensor]] = iter(())
        self._proved: ProvedOutputs | None = None
        self._clock = adapter.device_clock()

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

    # -- preparing ---------------------------------------------------------------------------

    def prepare(self) -> Prepared:
        """Prove the work and find how many calls make a sample."""
        self._adapter.begin(self._case.dtype)
        self._input_sets = [self._load(self._request.data)]
        first_seconds, outputs = self._time_call()
        check, call_seconds = self._prove(outputs, first_seconds)
        del outputs
        if not check.passed:
            return Prepared(Status.WRONG, check.failure, check)
        self._add_cold_inputs()
        call = self._calls()
        with affinity.BusyThreads() as busy:
            warm = calibrate.warm_up(lambda: self._adapter.force(call()), call_seconds)
        return Prepared(
            Status.OK,
            check=check,
            first_call_nanoseconds=round(first_seconds * 1e9),
            call_nanoseconds=round(warm * 1e9),
            busy_threads=busy.count,
            input_sets=len(self._input_sets),
        )

    def _load(self, data: Dataset) -> list[Tensor]:
        tensors = [
            self._adapter.to_device(open_array(file), self._operation.layout_of(file.name))
            for file in data.inputs
        ]
        return tensors + [
            self._adapter.to_device(open_array(file), self._operation.output_layout(i))
            for i, file in enumerate(data.cotangents)
        ]

    def _calls(self) -> Callable[[], Sequence[Tensor]]:
        """The call that is timed; it rotates over the input sets where there are several."""
        function = self._function
        if len(self._input_sets) == 1:
            inputs = self._input_sets[0]
            return lambda: _as_tuple(function(*inputs))
        sets = self._rotation
        return lambda: _as_tuple(function(*next(sets)))

    def _time_call(self) -> tuple[float, Sequence[Tensor]]:
        call = self._calls()
        start = time.perf_counter()
        outputs = call()
        self._adapter.force(outputs)
        return time.perf_counter() - start, outputs

    def _add_cold_inputs(self) -> None:
        if self._request.cache != "cold":
            return
        size = sum(
            int(np.prod(f.shape)) * dtype_of(f.dtype).itemsize for f in self._request.data.inputs
        )
        wanted = -(-3 * self._request.cache_bytes // max(size, 1))
        for _ in range(min(wanted, MAXIMUM_INPUT_SETS) - 1):
            self._input_sets.append(self._load(self._request.data))
        # One rotation for all samples: one that began anew with each sample would use the first
        # sets only, which stay in the cache.
        self._rotation = cycle(self._input_sets)

    # -- proving -----------------------------------------------------------------------------

    def _prove(self, outputs: Sequence[Tensor], seconds: float) -> tuple[Check, float]:
        """The whole proof; returns it with the time of a warm call in seconds."""
        failures: list[str] = []
        unfinished, hosts = self._read_outputs(outputs, seconds)
        if unfinished:
            failures.append(unfinished)
        errors = self._compare(hosts, self._request.data)
        failures += errors.failures
        self._proved = _remember(hosts)
        failures += self._changed_inputs()
        tolerance = proof.tolerance_of(self._operation, self._case)
        if failures:  # nothing more to learn from a second seed
            return proof.check_of(errors, tolerance, len(outputs), "", failures), seconds
        del hosts
        outputs = ()
        second_seed, seconds, second_failures = self._prove_second_seed()
        check = proof.check_of(
            errors, tolerance, len(self._proved.values), second_seed, second_failures
        )
        return check, seconds

    def _read_outputs(self, outputs: Sequence[Tensor], seconds: float) -> tuple[str, list[Array]]:
        """Outputs on the host; and whether reading them shows that they were not finished.

        Where reading takes long, it may be because there is much to transfer: then one element is
        read, of new results.
        """
        hosts, long = self._time_read(outputs)
        if long <= waiting_seconds(seconds):
            return "", hosts

        def forced_call() -> Sequence[Tensor]:
            return self._time_call()[1]

        peek_seconds(self._adapter, forced_call)
        reason = ""
        for _ in range(ATTEMPTS):
            reason = unfinished_reason(self._adapter, forced_call, seconds, long)
            if not reason:
                break
        return reason, hosts

    def _time_read(self, outputs: Sequence[Tensor]) -> tuple[list[Array], float]:
        start = time.perf_counter()
        hosts = [self._adapter.to_host(o, self._output_layout(i)) for i, o in enumerate(outputs)]
        return hosts, time.perf_counter() - start

    def _output_layout(self, index: int) -> Layout:
        if self._is_backward:
            names = self._operation.differentiable
            return self._operation.layout_of(names[index]) if index < len(names) else Layout.PLAIN
        return self._operation.output_layout(index)

    def _compare(self, hosts: list[Array], data: Dataset) -> proof.Errors:
        if self._is_backward:
            shapes = {file.name: tuple(file.shape) for file in data.inputs}
            expected = proof.GradientData(
                [shapes[name] for name in self._operation.differentiable], data.slopes
            )
            return proof.compare_gradients(self._operation, self._case, data.seed, hosts, expected)
        references = [open_array(file) for file in data.outputs]
        return proof.compare_outputs(self._operation, self._case, hosts, references)

    def _changed_inputs(self) -> list[str]:
        return [
            f"input {file.name} was changed in place"
            for file, tensor in zip(self._request.data.inputs, self._input_sets[0], strict=False)
            if not self._holds(tensor, file)
        ]

    def _holds(self, tensor: Tensor, file: ArrayFile) -> bool:
        layout = self._operation.layout_of(file.name)
        host = self._adapter.to_host(tensor, layout)
        original = open_array(file)
        if host.dtype != original.dtype:  # integers in the framework's own index type
            host = host.astype(original.dtype)
        return proof.same_values(host, original)

    def _prove_second_seed(self) -> tuple[str, float, list[str]]:
        """Other inputs must give other results, and right ones where a reference is at hand."""
        first_inputs = self._input_sets
        self._input_sets = [self._load(self._request.second)]
        seconds, outputs = self._time_call()
        unfinished, hosts = self._read_outputs(outputs, seconds)
        self._input_sets = first_inputs
        failures = [unfinished] if unfinished else []
        if self._proved is not None and self._proved.matches(hosts):
            return "changed", seconds, [*failures, "other inputs give the same result"]
        if not (self._request.second.outputs or self._request.second.slopes):
            return "changed", seconds, failures
        errors = self._compare(hosts, self._request.second)
        failures += [f"with other inputs: {text}" for text in errors.failures]
        return "reference", seconds, failures

    # -- sampling ----------------------------------------------------------------------------

    def sample(self, request: Sample) -> Sampled:
        """Take one sample and let go of what it made."""
        affinity.stay_on(request.processors)
        call = self._calls()
        if request.wake:
            self._adapter.force(call())
        timing = (
            clock.time_throughput
            if self._request.timing_mode == "throughput"
            else clock.time_latency
        )
        timed = timing(call, self._adapter.force, request.calls, self._clock)
        failure = self._failure_of(timed.outputs) if request.verify else ""
        return Sampled(
            nanoseconds=timed.nanoseconds,
            device_nanoseconds=timed.device_nanoseconds,
            cpu_nanoseconds=timed.usage.cpu_nanoseconds,
            page_faults=timed.usage.page_faults,
            context_switches=timed.usage.context_switches,
            failure=failure,
        )

    def verify(self) -> str:
        """What is wrong with the result of one more call: what is right may not stay so."""
        _, outputs = self._time_call()
        return self._failure_of(outputs)

    def _failure_of(self, outputs: Sequence[Tensor]) -> str:
        hosts, _ = self._time_read(outputs)
        assert self._proved is not None  # samples come after the proof
        tolerance = proof.tolerance_of(self._operation, self._case).largest
        if self._proved.matches(hosts, 2 * tolerance):
            return ""
        return "a timed call gave another result than the proved one"

    def close(self) -> None:
        """Let go of the case's memory."""
        self._input_sets = []
        self._rotation = iter(())
        self._proved = None
        self._adapter.release()


def _is_close(values: Array, remembered: Array, tolerance: float) -> bool:
    kind = np.complex128 if remembered.dtype.kind == "c" else np.float64
    new, old = values.astype(kind), remembered.astype(kind)
    scale = np.maximum(np.abs(old), np.sqrt(np.nanmean(np.square(np.abs(old)))))
    with np.errstate(invalid="ignore"):
        close = np.abs(new - old) <= tolerance * scale
    return bool(np.all(close | (new == old) | (np.isnan(new) & np.isnan(old))))


def _as_tuple(result: Any) -> Sequence[Tensor]:
    return result if isinstance(result, tuple) else (result,)


def _probe_positions(generator: np.random.Generator, host: Array) -> tuple[Array, ...]:
    """Random elements; of a result that is zero nearly everywhere, some that are not."""
    positions = tuple(generator.integers(0, max(n, 1), PROBES) for n in host.shape)
    if not host.shape or np.any(host[positions]):
        return positions
    nonzero = np.flatnonzero(host)
    if nonzero.size == 0:
        return positions
    return np.unravel_index(generator.choice(nonzero, PROBES), host.shape)


def _remember(hosts: list[Array]) -> ProvedOutputs:
    generator = np.random.default_rng(0)
    positions = [_probe_positions(generator, host) for host in hosts]
    values = [np.array(host[p]) for host, p in zip(hosts, positions, strict=True)]
    return ProvedOutputs(positions, values)
