"""Fourier transforms by cuFFT.

Plans have tables on the GPU, so they are kept; what they work in comes from the device's pool with
each call. A plan that is forgotten is destroyed when the next one is made, unless a graph has it.
"""

from __future__ import annotations

import weakref
from collections import deque

from speedmetal.backends.cuda.libraries.bindings import CUDA_TYPES, Bindings
from speedmetal.backends.cuda.libraries.handles import Handles
from speedmetal.common.records import record
from speedmetal.dtypes import DType

FORWARD, INVERSE = -1, 1  # cufft.h
MOST_AXES = 3
"""Along which one plan transforms."""


@record
class Spread:
    """Where the elements of a stack of arrays are, in elements.

    Args:
        extents: Of the memory that the axes lie in, of which the first does not matter.
        stride: Between neighbours along the last axis.
        distance: From one array of the stack to the next.
    """

    extents: tuple[int, ...]
    stride: int
    distance: int


@record
class Transform:
    """What a plan does.

    Args:
        lengths: Along each axis; of real numbers, where one side is real.
        count: How many of them.
        source: Where they are read.
        source_type: Of the elements there.
        target: Where they are written.
        target_type: Of the elements there.
    """

    lengths: tuple[int, ...]
    count: int
    source: Spread
    source_type: DType
    target: Spread
    target_type: DType


class Plan:
    """A ``cufftHandle``.

    Args:
        library: Which makes it.
        transform: What for.
        forgotten: Gets the handle when this object is gone.

    Attributes:
        native: The handle.
        stream: That it works in, as a number; 0: none yet.
        workspace_bytes: What it works in.
    """

    __slots__ = ("__weakref__", "native", "stream", "workspace_bytes")

    def __init__(self, library: Bindings, transform: Transform, forgotten: deque[int]) -> None:
        t = transform
        self.native: int = library.call("create")
        self.stream = 0
        weakref.finalize(self, forgotten.append, self.native).atexit = False
        library.call("set_auto_allocation", self.native, 0)
        kinds = [CUDA_TYPES[dtype] for dtype in (t.source_type, t.target_type)]
        wide = CUDA_TYPES[t.source_type if t.source_type.is_complex else t.target_type]
        self.workspace_bytes: int = library.call(
            "xt_make_plan_many",
            *(self.native, len(t.lengths), t.lengths),
            *(t.source.extents, t.source.stride, t.source.distance, kinds[0]),
            *(t.target.extents, t.target.stride, t.target.distance, kinds[1]),
            *(t.count, wide),
        )


class Transforms:
    """What transforms, on one device.

    Args:
        handles: Of the device.
    """

    def __init__(self, handles: Handles) -> None:
        self._handles = handles
        self._library = handles.bindings("cufft")
        self._execute = self._library.prepared("xt_exec")
        self._forgotten: deque[int] = deque()

    def plan(self, transform: Transform) -> Plan:
        """How a transform is done.

        Raises:
            RoutineError: The library cannot do it.
        """
        with self._handles.asking():
            while self._forgotten:
                self._library.call("destroy", self._forgotten.popleft())
            return Plan(self._library, transform, self._forgotten)

    def run(self, plan: Plan, addresses: tuple[int, int], direction: int, kept: object) -> None:
        """Transform.

        Args:
            plan: Of :meth:`plan`.
            addresses: Of what is read, and of the result.
            direction: ``FORWARD`` or ``INVERSE``.
            kept: What keeps them alive until then.
        """
        library, native, execute = self._library, plan.native, self._execute

        def call(stream: int, workspace: int) -> None:
            if plan.stream != stream:
                library.call("set_stream", native, stream)
                plan.stream = stream
            if workspace:
                library.call("set_work_area", native, workspace)
            try:
                execute(native, *addresses, direction)
            except Exception as error:
                raise library.explained("xt_exec", error) from error

        self._handles.run("cufftXtExec", call, addresses, (plan, kept), plan.workspace_bytes)
