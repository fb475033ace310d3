"""What can be compiled to a kernel: a Python function, or IR that a program builds.

The compiler asks a source for three things: its key, its IR, and what that depends on. Whatever
gives these is compiled, kept on disk and launched as ``@sm.kernel`` functions are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from speedmetal.common.records import record
from speedmetal.compiler.fingerprint import Fingerprint
from speedmetal.dtypes import DType, int32, int64
from speedmetal.frontend import capture
from speedmetal.frontend.signature import Argument
from speedmetal.ir.types import greatest_index
from speedmetal.source import NOWHERE, SourceSpan

if TYPE_CHECKING:
    from speedmetal.frontend.infer import InferredKernel
    from speedmetal.ir.nodes import Kernel


class KernelSource(ABC):
    """What a kernel is compiled from. Equal sources give the same code for the same arguments."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The kernel's name in messages."""

    @property
    @abstractmethod
    def place(self) -> SourceSpan:
        """Where it starts, for messages."""

    @abstractmethod
    def state(self) -> tuple[Any, ...]:
        """What its parameters depend on and a program may replace; compared by identity."""

    @abstractmethod
    def add_key(self, fingerprint: Fingerprint) -> None:
        """Add what tells it from every other source, in every process.

        Raises:
            UnkeyableError: There is no such text; the code is not kept on disk.
        """

    @abstractmethod
    def infer(self, variant: Specialisation, *, has_float64: bool) -> InferredKernel:
        """Its typed IR for one variant, and the names outside it that the IR depends on.

        Raises:
            CompileError: It is not valid for these arguments.
        """


@record
class Specialisation:
    """What one compiled kernel is made from.

    Args:
        source: What the kernel is.
        signature: The types of its arguments.
        debug: Level 0, 1 or 2.
        index_type: int32, or int64 where sizes need it.
    """

    source: KernelSource
    signature: tuple[Argument, ...]
    debug: int = 0
    index_type: DType = int32


@record
class PythonSource(KernelSource):
    """A function written in the kernel language.

    Args:
        function: The user's, a plain Python function.
        given_name: Of the kernel; None: the function's.
    """

    function: Any
    given_name: str | None = None

    @property
    def name(self) -> str:
        return self.given_name or str(self.function.__name__)

    @property
    def place(self) -> SourceSpan:
        return capture.first_line(self.function.__code__)

    def state(self) -> tuple[Any, ...]:
        function = self.function
        return function.__code__, function.__defaults__, function.__kwdefaults__

    def add_key(self, fingerprint: Fingerprint) -> None:
        fingerprint.add(self.given_name)
        fingerprint.add(self.function)

    def infer(self, variant: Specialisation, *, has_float64: bool) -> InferredKernel:
        # Where the code comes from disk, the front end is not needed.
        from speedmetal.frontend.infer import infer_kernel

        return infer_kernel(
            self.function,
            variant.signature,
            name=self.given_name,
            index_type=variant.index_type,
            debug=variant.debug,
            has_float64=has_float64,
        )


@record
class IrSource(KernelSource):
    """IR that a program builds. Two with the same name and key are the same kernel.

    Args:
        given_name: Of the kernel.
        key: Tells it from others of that name, in every process: it is part of the key on disk.
        build: The kernel for one variant: its parameters are the leaves of the signature, its
            ``debug`` and ``index_type`` the variant's. It depends on the key and the variant alone.
    """

    given_name: str
    key: str
    build: Callable[[Specialisation], Kernel]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IrSource):
            return NotImplemented
        return (self.given_name, self.key) == (other.given_name, other.key)

    def __hash__(self) -> int:
        return hash((self.given_name, self.key))

    @property
    def name(self) -> str:
        return self.given_name

    @property
    def place(self) -> SourceSpan:
        return NOWHERE

    def state(self) -> tuple[Any, ...]:
        return ()

    def add_key(self, fingerprint: Fingerprint) -> None:
        fingerprint.add((self.given_name, self.key))

    def infer(self, variant: Specialisation, *, has_float64: bool) -> InferredKernel:
        del has_float64  # the target's check refuses what it lacks
        from speedmetal.frontend.infer import InferredKernel
        from speedmetal.ir.verify import verify

        kernel = self.build(variant)
        verify(kernel, "build")
        return InferredKernel(kernel, ())


def index_type_for(largest: int) -> DType:
    """The narrower type that holds the greatest position or extent of a launch, with headroom.

    >>> index_type_for(2**31 - 2**16 - 1), index_type_for(2**31 - 2**16)
    (int32, int64)
    """
    return int32 if largest <= greatest_index(int32) else int64
