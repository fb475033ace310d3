"""Kernels on the GPU: loaded, and launched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from speedmetal.backends.c_family.layout import AXES
from speedmetal.backends.cuda.codegen.threadgroups import of_variant
from speedmetal.backends.cuda.driver.apart import apart, overlapping_pairs
from speedmetal.backends.cuda.driver.build import CudaCode, for_any_arrays, unpacked
from speedmetal.backends.cuda.driver.commands import Launch as LaunchCommand
from speedmetal.backends.cuda.driver.commands import LaunchPlan
from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.library import CudaError, Library
from speedmetal.backends.cuda.driver.multiprocessor import Multiprocessor
from speedmetal.backends.cuda.driver.stream import CudaStream
from speedmetal.backends.device import (
    BoundLaunch,
    DeviceLimits,
    DirectLaunch,
    Launch,
    Program,
    Residency,
)
from speedmetal.backends.packing import ADDRESS, CODES, Number, packer, size_of
from speedmetal.errors import InternalError, LaunchError

_THREADS = (256, 128, 64, 32)
"""Of a threadgroup, where nobody states them: the first that keeps the GPU busiest. Fewer than 128
help where each thread brings threadgroup memory of its own."""

ALIGNMENT_BYTES = 16
"""Where each threadgroup array begins that a launch asks memory for."""

_MAX_THREADS = 0  # CUfunction_attribute, cuda.h
_STATIC_BYTES = 1
_LOCAL_BYTES = 3
_REGISTERS = 4
_MAX_DYNAMIC_BYTES = 8
_POINTER_BYTES = 8


def load(
    context: Context,
    stream: CudaStream,
    limits: DeviceLimits,
    multiprocessor: Multiprocessor,
    code: bytes,
    kernel: str,
) -> CudaProgram:
    """A program from what :func:`speedmetal.backends.cuda.driver.build.built` made.

    Args:
        context: Where it is loaded.
        stream: Where it will run.
        limits: What one launch may ask for there.
        multiprocessor: What one of them has there.
        code: The bytes.
        kernel: The user's name of the kernel, for messages.

    Raises:
        InternalError: The code is damaged, or made for another GPU.
    """
    return CudaProgram(context, stream, limits, multiprocessor, unpacked(code), kernel)


class CudaProgram(Program):
    """A kernel that can be launched.

    Args:
        context: Where it is loaded.
        stream: Where it runs.
        limits: What one launch may ask for there.
        multiprocessor: What one of them has there.
        code: The kernel.
        kernel: The user's name of it.
    """

    thread_choices = _THREADS

    def __init__(
        self,
        context: Context,
        stream: CudaStream,
        limits: DeviceLimits,
        multiprocessor: Multiprocessor,
        code: CudaCode,
        kernel: str,
    ) -> None:
        self._context = context
        self._stream = stream
        self._device = context.name
        self._code = code
        self._kernel = kernel
        self.neighbours = code.neighbours
        self._places = _places(code)
        self._limits = limits
        self._allowed_bytes = limits.threadgroup_memory_bytes
        self._groups = of_variant(code.threadgroups)
        self.threadgroups = self._groups.most_groups
        self._multiprocessor = multiprocessor
        self._at_once: dict[tuple[int, int], int] = {}
        self._context.free()
        try:
            with self._context as library:
                module = library.handle("cuModuleLoadData", code.cubin)
                self._context.free_with(self, "cuModuleUnload", module)
                self._entry = library.handle("cuModuleGetFunction", module, code.entry.encode())
        except CudaError as error:
            raise InternalError(f"cuda load: kernel {kernel!r}: {error}") from error
        with self._context as library:
            self.threads_per_threadgroup = self._attribute(library, _MAX_THREADS)
            self._static_bytes = self._attribute(library, _STATIC_BYTES)
            if code.dynamic_bytes:
                most = self._allowed_bytes - self._static_bytes
                library.call("cuFuncSetAttribute", self._entry, _MAX_DYNAMIC_BYTES, most)

    def _attribute(self, library: Library, number: int) -> int:
        return library.number("cuFuncGetAttribute", number, self._entry)

    def groups_at_once(self, threads: int, lengths: Sequence[int]) -> int:
        asked = threads, self._dynamic_bytes(lengths)
        known = self._at_once.get(asked)
        if known is None:
            function = "cuOccupancyMaxActiveBlocksPerMultiprocessor"
            with self._context as library:
                known = self._at_once[asked] = library.number(function, self._entry, *asked)
        return known

    def residency(self, threads: int, lengths: Sequence[int]) -> Residency:
        groups = self.groups_at_once(threads, lengths)
        with self._context as library:
            registers = self._attribute(library, _REGISTERS)
            spilled = self._attribute(library, _LOCAL_BYTES)
        memory = self._static_bytes + self._dynamic_bytes(lengths)
        card = self._multiprocessor
        bounds = card.bounds(threads, registers, memory)
        least = min(bounds.values())
        limits = tuple(name for name, bound in bounds.items() if bound == least)
        return Residency(card.count, groups, card.threads, limits, registers, spilled, memory)

    def bind(self, launch: Launch) -> BoundLaunch:
        """What launches the kernel with these sizes and shapes.

        Raises:
            LaunchError: There would be more threadgroups, or one with more memory, than can be.
        """
        bound = self._bind(launch)
        if not self._code.written:
            return bound
        lie_apart, others = apart(self._code, launch), list[BoundLaunch]()

        def run(values: list[Any], *lengths: Sequence[int]) -> None:
            if lie_apart(values):
                bound(values, *lengths)
                return
            if not others:
                others.append(self._for_any_arrays.bind(launch))
            others[0](values, *lengths)

        if hasattr(bound, "direct"):
            pairs = list(overlapping_pairs(self._code, launch))
            run.direct = partial(self._direct, launch, pairs)  # type: ignore[attr-defined]
        return run

    @cached_property
    def _for_any_arrays(self) -> CudaProgram:
        """The kernel for arrays that do not lie apart, compiled where there are such."""
        card = self._limits, self._multiprocessor
        code = for_any_arrays(self._code)
        return CudaProgram(self._context, self._stream, *card, code, self._kernel)

    def _bind(self, launch: Launch) -> BoundLaunch:
        self._check_groups(launch)
        pieces = list(self._pieces(launch))
        pack, plan = packer(pieces), self._plan(launch, size_of(pieces))
        lengths = launch.threadgroup_lengths
        # Where numbers decide on the lengths, each launch brings them.
        known = self._dynamic_bytes(lengths) if self._is_complete(lengths) else 0
        check, stream = self._context.check, self._stream

        def run_with_care(values: list[Any], stated_lengths: Sequence[int] | None = None) -> None:
            check()
            dynamic = known if stated_lengths is None else self._dynamic_bytes(stated_lengths)
            mailbox = values[0] or None
            if mailbox is not None:
                values = [mailbox.address, *values[1:]]
            command = LaunchCommand(plan, pack(values), dynamic, mailbox)
            stream.launch(command, plan.label, 0, mailbox)

        if known or self._code.has_mailbox or not self._is_complete(lengths):
            return run_with_care
        context, launch_now = self._context, stream.launch_now

        def run(values: list[Any]) -> None:
            if context.problem:
                check()
            launch_now(plan, pack(values))

        run.direct = partial(self._direct, launch, ())  # type: ignore[attr-defined]
        return run

    def _direct(
        self, launch: Launch, pairs: Sequence[tuple[int, int, int, int]]
    ) -> DirectLaunch | None:
        """How machine code makes such a launch; None where the driver has no machine code."""
        pieces = list(self._pieces(launch))
        plan = self._plan(launch, size_of(pieces))
        numbers, place = [], 0
        for piece in pieces:
            if isinstance(piece, bytes):
                plan.memory[place : place + len(piece)] = piece
                place += len(piece)
            else:
                numbers.append((piece.place, CODES[piece.dtype.name], place, 0))
                place += piece.dtype.itemsize + piece.padding
        return plan.direct(self._stream, numbers, pairs)

    def _plan(self, launch: Launch, size_bytes: int) -> LaunchPlan:
        sizes = (*self._groups.by_hardware(launch.sizes.groups), *launch.sizes.threads)
        return LaunchPlan(
            self._context.library,
            self._kernel,
            self,
            self._entry,
            self._stream.native,
            sizes,
            size_bytes,
            self._places,
            len(self._code.arrays),
        )

    def _check_groups(self, launch: Launch) -> None:
        for axis, count, most in zip(
            AXES, launch.sizes.groups, self._groups.most_groups, strict=True
        ):
            if count > most:
                raise LaunchError(
                    f"kernel {self._kernel!r}: {count} threadgroups along {axis} requested,"
                    f" {self._device} allows {most}; use more threads along {axis}, or launch parts"
                )

    def _pieces(self, launch: Launch) -> Iterator[bytes | Number]:
        """The entry's parameters: the arrays, the structure, the mailbox; each is aligned to 8."""
        for number in self._code.arrays:
            yield Number(number + 1, ADDRESS)
        yield from self._code.layout.pieces(launch)
        if self._code.has_mailbox:
            yield Number(0, ADDRESS)

    def _is_complete(self, lengths: Sequence[int]) -> bool:
        return len(lengths) == self._code.dynamic_bytes.count(0)

    def _dynamic_bytes(self, lengths: Sequence[int]) -> int:
        """What a launch asks for.

        Args:
            lengths: Of the arrays that are sized at launch.
        """
        rest = iter(lengths)
        total = 0
        for known in self._code.dynamic_bytes:
            size = known or next(rest)
            total += -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        needed = self._static_bytes + total
        if needed > self._allowed_bytes:
            raise LaunchError(
                f"kernel {self._kernel!r} needs {needed} bytes of threadgroup memory, each array"
                f" rounded up to {ALIGNMENT_BYTES}; {self._device} allows {self._allowed_bytes};"
                " make its threadgroup arrays smaller"
            )
        return total


def _places(code: CudaCode) -> list[int]:
    """Where each of the entry's parameters begins in what is packed."""
    structure = _POINTER_BYTES * len(code.arrays)
    places = [*range(0, structure + 1, _POINTER_BYTES)]
    return [*places, structure + code.layout.size] if code.has_mailbox else places
