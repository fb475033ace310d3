"""The input sets of a case in one worker: no call can know which values it will be given.

A worker holds two sets of inputs with different values, made from two seeds, and each sample takes
one of them at random. Between the untimed call and the timed ones, the set's values are exchanged
in place at random as well: a result that was kept from before is then a wrong one.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speedmetal.bench import environment
from speedmetal.bench.contract import Layout
from speedmetal.bench.frameworks.base import Adapter, Tensor
from speedmetal.bench.operations.base import Array, Operation
from speedmetal.bench.runner import proof
from speedmetal.bench.runner.data import open_array
from speedmetal.bench.runner.protocol import ArrayFile, Dataset
from speedmetal.errors import SpeedmetalError

SMALL_BYTES = 1 << 20  # up to here the values are written anew before every sample
EXCHANGE_SHARE = 1 / 8  # of the samples, where writing takes longer
COLD_FACTOR = 3  # of the last-level cache
COLD_SECONDS = 20.0  # to make sets that exceed the cache
COLD_MEMORY_SHARE = 0.25  # of what is available
PILOT_SETS = 32  # from their time that of all is told


class ColdError(SpeedmetalError):
    """The inputs are too small, or too slow to make, for the cache to be exceeded."""


@dataclass
class InputSet:
    """Tensors, and the number of the dataset whose values they hold."""

    tensors: list[Tensor]
    content: int


class Inputs:
    """Input sets of the case's datasets on an adapter.

    Args:
        adapter: Who makes the tensors.
        operation: Whose inputs they are.
        datasets: The values that sets may hold.
    """

    def __init__(self, adapter: Adapter, operation: Operation, datasets: Sequence[Dataset]) -> None:
        self._adapter = adapter
        self._operation = operation
        self._datasets = datasets
        self._kept: dict[int, list[Array]] = {}
        # Seeded by the system: not even the adapter's own process can foresee it.
        self._generator = np.random.default_rng()
        self._cold_index = 0
        self.sets: list[InputSet] = []

    @functools.cached_property
    def bytes(self) -> int:
        """Bytes of one set, as the files have them."""
        return sum(open_array(file).nbytes for file in _files(self._datasets[0]))

    @property
    def is_small(self) -> bool:
        return self.bytes <= SMALL_BYTES

    @property
    def count(self) -> int:
        return len(self.sets)

    # -- making ------------------------------------------------------------------------------

    def arrays(self, content: int) -> list[Array]:
        """The values of a dataset on the host; small ones stay in this process's own memory."""
        if content in self._kept:
            return self._kept[content]
        arrays = [open_array(file) for file in _files(self._datasets[content])]
        if sum(array.nbytes for array in arrays) <= SMALL_BYTES:
            self._kept[content] = arrays = [np.array(array) for array in arrays]
        return arrays

    def layouts(self) -> list[Layout]:
        """Layouts of a set's tensors, in order: of the inputs, then of the cotangents."""
        data = self._datasets[0]
        return [
            *(self._operation.layout_of(file.name) for file in data.inputs),
            *(self._operation.output_layout(i) for i, _ in enumerate(data.cotangents)),
        ]

    def load(self, content: int) -> InputSet:
        """A new set with the values of a dataset; it takes part once it is added to ``sets``."""
        return InputSet(self.make(self.arrays(content)), content)

    def make(self, arrays: Sequence[Array]) -> list[Tensor]:
        """New tensors of such values."""
        return [
            self._adapter.to_device(array, layout)
            for array, layout in zip(arrays, self.layouts(), strict=True)
        ]

    def rewrite(self, one: InputSet, content: int) -> None:
        """Give a set the values of another dataset, in its own memory where the adapter can."""
        one.tensors = [
            self._adapter.rewrite(tensor, array, layout)
            for tensor, array, layout in zip(
                one.tensors, self.arrays(content), self.layouts(), strict=True
            )
        ]
        one.content = content
        self._adapter.force(one.tensors)

    def changed(self, one: InputSet) -> list[str]:
        """Names of inputs of a set that are no longer what they were."""
        files = self._datasets[one.content].inputs
        return [
            file.name
            for file, array, tensor in zip(
                files, self.arrays(one.content), one.tensors, strict=False
            )
            if not self._holds(tensor, array, self._operation.layout_of(file.name))
        ]

    def _holds(self, tensor: Tensor, original: Array, layout: Layout) -> bool:
        host = self._adapter.to_host(tensor, layout)
        if host.dtype != original.dtype:  # integers in the framework's own index type
            host = host.astype(original.dtype)
        return proof.same_values(host, original)

    def make_cold(self, cache_bytes: int) -> None:
        """Make so many sets that together they exceed the last-level cache three times.

        Raises:
            ColdError: That takes too much time or memory.
        """
        self.sets = self.sets[:1]
        wanted = -(-COLD_FACTOR * cache_bytes // max(self.bytes, 1))
        start = time.perf_counter()
        room = COLD_MEMORY_SHARE * environment.available_memory_bytes()
        if wanted * self.bytes > room:
            raise ColdError(
                f"{self._cold_text(wanted, cache_bytes)}; there is memory for"
                f" {room / 2**20:.0f} MiB"
            )
        while self.count < wanted:
            if self.count >= PILOT_SETS:
                seconds = (time.perf_counter() - start) / self.count * wanted
                if seconds > COLD_SECONDS:
                    raise ColdError(
                        f"{self._cold_text(wanted, cache_bytes)}; to make them takes"
                        f" {seconds:.0f} s, at most {COLD_SECONDS:.0f} s are spent on it"
                    )
            self.sets.append(self.load(self.count % 2))

    def _cold_text(self, wanted: int, cache_bytes: int) -> str:
        return (
            f"the case cannot be made cold: {wanted} sets of inputs ({self.bytes} bytes each) are"
            f" needed to exceed the cache ({cache_bytes / 2**20:.3g} MiB) {COLD_FACTOR} times"
        )

    # -- sampling ----------------------------------------------------------------------------

    def draw(self) -> tuple[InputSet, InputSet]:
        """A set for the untimed call of the next sample, and the one that is timed.

        Two sets have different values at all times, so that no result is right for both.
        """
        timed, waking = self._generator.permutation(self.count)[[0, -1]]
        return self.sets[waking], self.sets[timed]

    def plan(self, timed: InputSet, *, surely_exchanged: bool = False) -> int:
        """Whose values the timed set of a sample is to hold.

        At random, of both where writing takes no time, else mostly those that it has.
        """
        share = 0.5 if self.is_small else EXCHANGE_SHARE
        is_exchanged = surely_exchanged or self._generator.random() < share
        return 1 - timed.content if is_exchanged else timed.content

    def write(self, one: InputSet, content: int) -> None:
        """Let a set hold these values: small ones are written anew, though they may be the same."""
        if self.is_small or one.content != content:
            self.rewrite(one, content)

    def write_and_touch(self, one: InputSet, content: int) -> None:
        """The same, for a set that is used next: the caches hold of it what they can.

        The untimed call was given another set, so that this one would be colder than in a program
        that goes on with its arrays. Reading it is no work that could be kept for the call.
        """
        was = one.content
        self.write(one, content)
        if not self.is_small and was == content:
            self._adapter.force([self._adapter.read(tensor) for tensor in one.tensors])

    def next_cold(self) -> InputSet:
        """The set that was longest out of use.

        One rotation for all samples: one that began anew with each sample would use the first sets
        only, which stay in the cache.
        """
        self._cold_index = (self._cold_index + 1) % self.count
        return self.sets[self._cold_index]

    @property
    def latest_cold(self) -> InputSet:
        """What :meth:`next_cold` gave last."""
        return self.sets[self._cold_index]

    def rolled(self) -> list[Array]:
        """Values that no call was ever given: a dataset's own, in another order.

        Every value stays in its array, so that probabilities are probabilities and indices point
        somewhere.
        """
        return [self._roll(array) for array in self.arrays(1)]

    def _roll(self, array: Array) -> Array:
        if array.dtype.kind == "b" or array.size < 2:
            return array
        shift = self._generator.integers(1, array.size)
        return np.roll(array.reshape(-1), shift).reshape(array.shape)

    def close(self) -> None:
        """Let go of all sets."""
        self.sets = []
        self._kept = {}


def _files(data: Dataset) -> list[ArrayFile]:
    return [*data.inputs, *data.cotangents]
