"""Machine code of hand-written kernels on the GPU."""

from __future__ import annotations

from typing import Any

from speedmetal.backends.cuda.driver.commands import Launch, LaunchPlan
from speedmetal.backends.cuda.driver.device import CudaDevice
from speedmetal.backends.cuda.handwritten.calls import Passed
from speedmetal.backends.device import Sizes

# CUfunction_attribute, cuda.h
_MAX_THREADS = 0
_STATIC_BYTES = 1
_MAX_DYNAMIC_BYTES = 8
_MOST_PLANS = 256


class Module:
    """What NVRTC has made of a source, loaded.

    Args:
        device: Where it is loaded.
        cubin: The machine code.
    """

    def __init__(self, device: CudaDevice, cubin: bytes) -> None:
        self.device = device
        with device.context as library:
            self._native = library.handle("cuModuleLoadData", cubin)
        device.context.free_with(self, "cuModuleUnload", self._native)

    def entry(self, symbol: str) -> Any:
        """The ``CUfunction`` of a kernel, by its name in the machine code."""
        with self.device.context as library:
            return library.handle("cuModuleGetFunction", self._native, symbol.encode())


class Entry:
    """One kernel of a module.

    Args:
        module: Which; it is kept.
        name: The user's.
        symbol: Its name in the machine code.

    Attributes:
        threads_per_threadgroup: The most that a launch may ask for.
        threadgroup_memory_bytes: Of the arrays whose sizes the source states.
    """

    def __init__(self, module: Module, name: str, symbol: str) -> None:
        self._module = module
        self._name = name
        self._native = module.entry(symbol)
        self._plans: dict[tuple[Any, ...], LaunchPlan] = {}
        device = module.device
        with device.context as library:
            number = library.number
            self.threads_per_threadgroup = number("cuFuncGetAttribute", _MAX_THREADS, self._native)
            self.threadgroup_memory_bytes = number(
                "cuFuncGetAttribute", _STATIC_BYTES, self._native
            )
            most = device.limits.threadgroup_memory_bytes - self.threadgroup_memory_bytes
            library.call("cuFuncSetAttribute", self._native, _MAX_DYNAMIC_BYTES, most)

    def launch(self, sizes: Sizes, what: Passed, dynamic_bytes: int) -> None:
        """Ask for a launch.

        Args:
            sizes: Of it.
            what: The arguments.
            dynamic_bytes: Threadgroup memory that it asks for.
        """
        stream = self._module.device.stream
        plan = self._plan(sizes, what)
        stream.launch(Launch(plan, what.content, dynamic_bytes, None), self._name, 0, None)

    def _plan(self, sizes: Sizes, what: Passed) -> LaunchPlan:
        key = (sizes.groups, sizes.threads, what.places, len(what.content))
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            device = self._module.device
            plan = self._plans[key] = LaunchPlan(
                *(device.context.library, self._name, self, self._native, device.stream.native),
                (*sizes.groups, *sizes.threads),
                len(what.content),
                list(what.places),
                what.array_count,
            )
        return plan
