"""What a stream of CUDA is asked to do: launches and copies.

A command has a ``label``, the kernel's name (None: it is no launch), and ``issue``, which gives it
to the driver inside ``with context:`` without waiting. For that, the host's side of a copy must be
page-locked; else the driver may wait, beyond any time limit, for all that the stream does before.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from speedmetal.backends.cuda.driver.library import Library


class Command(Protocol):
    """What is asked for."""

    @property
    def label(self) -> str | None:
        """The kernel's name; None: it is no launch."""

    def issue(self, library: Library, stream: Any) -> None:
        """Give it to the driver.

        Raises:
            CudaError: The driver refuses it.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """Copy bytes between the host and the GPU.

    Args:
        function: The driver's, for this direction.
        target: Address.
        source: Address.
        size_bytes: How many.
    """

    label: ClassVar[None] = None
    function: str
    target: int
    source: int
    size_bytes: int

    def issue(self, library: Library, stream: Any) -> None:
        library.call(self.function, self.target, self.source, self.size_bytes, stream)


def upload(address: int, host_address: int, size_bytes: int) -> Copy:
    """Copy from the host to the GPU."""
    return Copy("cuMemcpyHtoDAsync_v2", address, host_address, size_bytes)


def download(address: int, host_address: int, size_bytes: int) -> Copy:
    """Copy from the GPU to the host."""
    return Copy("cuMemcpyDtoHAsync_v2", host_address, address, size_bytes)


@dataclass(frozen=True, slots=True, eq=False)
class Mailbox:
    """Where one launch reports, as a launch's first value.

    Args:
        address: On the GPU.
        before: Fills it from the host's words.
        after: Brings it to the host's words.
        memory: What keeps the GPU's memory.
    """

    address: int
    before: Copy
    after: Copy
    memory: object


class Launch:
    """Run a kernel.

    Args:
        label: The kernel's name.
        entry: The ``CUfunction``.
        sizes: Threadgroups along x, y and z, then threads of each.
        dynamic_bytes: Threadgroup memory that the launch asks for.
        arguments: The entry's parameters, packed.
        places: Where each of them begins.
        mailbox: Where it reports; None: it does not.
    """

    __slots__ = ("_arguments", "_dynamic_bytes", "_entry", "_mailbox", "_places", "_sizes", "label")

    def __init__(
        self,
        label: str,
        entry: Any,
        sizes: tuple[int, ...],
        dynamic_bytes: int,
        arguments: bytes,
        places: list[int],
        mailbox: Mailbox | None,
    ) -> None:
        self.label = label
        self._entry = entry
        self._sizes = sizes
        self._dynamic_bytes = dynamic_bytes
        self._arguments = arguments
        self._places = places
        self._mailbox = mailbox

    def issue(self, library: Library, stream: Any) -> None:
        mailbox = self._mailbox
        if mailbox is None:
            self._launch(library, stream)
            return
        mailbox.before.issue(library, stream)
        self._launch(library, stream)
        # In the same batch, so that it is here when the launch has finished, whatever comes after.
        mailbox.after.issue(library, stream)

    def _launch(self, library: Library, stream: Any) -> None:
        memory = ctypes.create_string_buffer(self._arguments, len(self._arguments))
        start = ctypes.addressof(memory)  # the driver copies what is there before it returns
        places = self._places
        parameters = (ctypes.c_void_p * len(places))(*[start + place for place in places])
        library.call(
            "cuLaunchKernel",
            *(self._entry, *self._sizes, self._dynamic_bytes, stream, parameters, None),
        )
