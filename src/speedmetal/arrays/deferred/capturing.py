"""``with sm.capture() as graph:``: launches that are done again with one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from speedmetal.arrays.deferred.pending import drop_computed
from speedmetal.arrays.deferred.schedule import evaluate, evaluating_alone, memory_read
from speedmetal.backends.device import Device, LaunchGraph
from speedmetal.backends.registry import default_device
from speedmetal.backends.registry import device as find_device
from speedmetal.launch.waiting import WAITING


class Graph:
    """Launches that were captured; made by :func:`capture`."""

    def __init__(self, launches: LaunchGraph) -> None:
        self._launches = launches

    def __len__(self) -> int:
        """How many launches it has."""
        return self._launches.size

    def replay(self) -> None:
        """Do all launches again, in their order, on the same arrays and with the same numbers.

        As a launch it runs later than it is asked for, after everything that was asked before.
        Lazy arrays that read memory of the graph are computed first.

        Raises:
            DeviceError: The block of its capture was not left, or by an exception.
        """
        if WAITING:
            evaluate([reader for reader in drop_computed() if self._is_read_by(reader)])
        self._launches.replay()

    def _is_read_by(self, reader: object) -> bool:
        return any(self._launches.holds(memory.address) for memory in memory_read(reader))


@contextmanager
def capture(device: str | Device | None = None) -> Iterator[Graph]:
    """Take launches into a graph, which does them again with one call of the driver.

    Inside the block nothing runs: launches, and what :func:`speedmetal.eval` computes, go into the
    graph. A replay costs the host about as much as one launch, however many there are, and the GPU
    less between them. It uses the arrays that were there then, where they were, and the numbers
    as they were; the graph keeps the memory of its arrays. So write new input into the same arrays
    (``x[:] = ...``) and read results from the same ones.

    Before the block everything that was asked for is done, and lazy arrays are computed. Inside it
    nothing can be waited for, read, or brought from the host; kernels that may print or fail
    (``debug``) cannot be launched. Other threads that launch, or compute lazy arrays, wait for the
    end of the block.

    Args:
        device: Whose launches; None: the default device's. It must be an NVIDIA GPU.

    Raises:
        DeviceError: The device has no graphs; the block asks for what no graph can do; inside
            another capture.

    Example:
        A step of a simulation, many times:

        .. code-block:: python

            with sm.capture() as step:
                advance(x, v, grid=x.size)
                collide(x, v, grid=x.size)
            for _ in range(1000):
                step.replay()
            print(x)
    """
    found = default_device() if device is None else find_device(device)
    evaluate([array for array in drop_computed() if array.layout.device is found])
    # In this order: who evaluates may wait for what a capture keeps to itself.
    with evaluating_alone(), found.capture() as launches:
        yield Graph(launches)
