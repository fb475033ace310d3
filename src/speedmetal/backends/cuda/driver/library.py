"""The functions of NVIDIA's driver (``libcuda``) that are used here, through their C interface.

By ctypes and not by the package ``cuda-bindings``: the library comes with the driver itself, these
functions have been the same since CUDA 4, and nothing has to be installed beside them.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_float, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any

from speedmetal.errors import DeviceError

SUCCESS = 0  # CUresult, cuda.h
OUT_OF_MEMORY = 2
NOT_READY = 600

_NAMES = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")

_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (POINTER(c_int),),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetPCIBusId": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDeviceCanAccessPeer": (POINTER(c_int), c_int, c_int),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuCtxPushCurrent_v2": (c_void_p,),
    "cuCtxPopCurrent_v2": (POINTER(c_void_p),),
    "cuCtxGetCurrent": (POINTER(c_void_p),),
    "cuCtxSetCurrent": (c_void_p,),
    "cuCtxEnablePeerAccess": (c_void_p, c_uint),
    "cuCtxSynchronize": (),
    "cuStreamCreate": (POINTER(c_void_p), c_uint),
    "cuStreamQuery": (c_void_p,),
    "cuStreamWaitEvent": (c_void_p, c_void_p, c_uint),
    "cuStreamGetCtx": (c_void_p, POINTER(c_void_p)),
    "cuStreamIsCapturing": (c_void_p, POINTER(c_int)),
    "cuThreadExchangeStreamCaptureMode": (POINTER(c_int),),
    "cuEventCreate": (POINTER(c_void_p), c_uint),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventQuery": (c_void_p,),
    "cuEventElapsedTime": (POINTER(c_float), c_void_p, c_void_p),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemGetInfo_v2": (POINTER(c_size_t), POINTER(c_size_t)),
    "cuMemAllocHost_v2": (POINTER(c_void_p), c_size_t),
    "cuMemFreeHost": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuMemcpyPeerAsync": (c_uint64, c_void_p, c_uint64, c_void_p, c_size_t, c_void_p),
    "cuModuleLoadData": (POINTER(c_void_p), c_char_p),
    "cuModuleUnload": (c_void_p,),
    "cuModuleGetFunction": (POINTER(c_void_p), c_void_p, c_char_p),
    "cuFuncGetAttribute": (POINTER(c_int), c_int, c_void_p),
    "cuOccupancyMaxActiveBlocksPerMultiprocessor": (POINTER(c_int), c_void_p, c_int, c_size_t),
    "cuFuncSetAttribute": (c_void_p, c_int, c_int),
    "cuLaunchKernelEx": (),  # see `prepared`
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cuGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_uint64),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphDestroy": (c_void_p,),
    "cuGraphExecDestroy": (c_void_p,),
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
}


_OF_NEWER_DRIVERS: dict[str, tuple[Any, ...]] = {
    "cuCtxRecordEvent": (c_void_p, c_void_p),  # CUDA 12.5
}


class CudaError(DeviceError):
    """The driver refused something.

    Attributes:
        code: The ``CUresult``.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Library:
    """The driver.

    Args:
        native: The library, as ctypes gives it.

    Attributes:
        device_count: The GPUs that it finds, once :meth:`start` has found any.
    """

    device_count = 0

    def __init__(self, native: Any) -> None:
        self._functions = {name: getattr(native, name) for name in _ARGUMENTS}
        for name in _OF_NEWER_DRIVERS:
            with contextlib.suppress(AttributeError):
                self._functions[name] = getattr(native, name)
        types = _ARGUMENTS | _OF_NEWER_DRIVERS
        for name, function in self._functions.items():
            function.argtypes = types[name] or None
            function.restype = c_int

    def has(self, function: str) -> bool:
        """Whether the driver is new enough for a function."""
        return function in self._functions

    def start(self) -> None:
        """Have the driver look for GPUs.

        Raises:
            CudaError: It finds none that it can use.
        """
        self.call("cuInit", 0)
        self.device_count = self.number("cuDeviceGetCount")

    def result(self, function: str, *arguments: Any) -> int:
        """Call a function; its ``CUresult``."""
        return int(self._functions[function](*arguments))

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function.

        Raises:
            CudaError: It failed.
        """
        self.check(function, self._functions[function](*arguments))

    def check(self, function: str, code: int) -> None:
        """See whether a function did what it was asked for.

        Raises:
            CudaError: Its ``CUresult`` says that it failed.
        """
        if code != SUCCESS:
            raise CudaError(f"{function}: {self.meaning(code)}", code)

    def prepared(self, function: str) -> Callable[..., int]:
        """A function for calls with objects of ctypes, which takes half the time of others."""
        found: Callable[..., int] = self._functions[function]
        return found

    def meaning(self, code: int) -> str:
        """A ``CUresult`` for people: its name, and what the driver says of it."""
        words = []
        for function in ("cuGetErrorName", "cuGetErrorString"):
            text = c_char_p()
            self.result(function, code, ctypes.byref(text))
            words.append((text.value or b"?").decode(errors="replace"))
        return f"{words[0]} ({code}: {words[1]})"

    def number(self, function: str, *arguments: Any) -> int:
        """What a function writes to its first parameter, an ``int``.

        Raises:
            CudaError: It failed.
        """
        found = c_int()
        self.call(function, ctypes.byref(found), *arguments)
        return found.value

    def handle(self, function: str, *arguments: Any) -> c_void_p:
        """The same of a pointer."""
        found = c_void_p()
        self.call(function, ctypes.byref(found), *arguments)
        return found


@functools.cache
def library() -> Library:
    """The driver of this machine.

    Raises:
        DeviceError: There is none, or it finds no GPU.
    """
    native = _open_library()
    try:
        found = Library(native)
    except AttributeError as error:
        raise DeviceError(
            f"NVIDIA's driver is too old for speedmetal ({error}); install a newer one"
        ) from error
    try:
        found.start()
    except CudaError as error:
        raise DeviceError(
            f"NVIDIA's driver is installed, but finds no GPU that it can use: {error}; see what"
            " nvidia-smi says, and in a container pass the GPU on (docker run --gpus all)"
        ) from error
    if found.device_count == 0:
        raise DeviceError(
            "NVIDIA's driver is installed, but there is no GPU for it; CUDA_VISIBLE_DEVICES may"
            " hide it"
        )
    return found


def _open_library() -> Any:
    for name in _NAMES:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(name)
    raise DeviceError(
        "NVIDIA's driver was not found: running on an NVIDIA GPU needs it to be installed;"
        ' sm.code(..., target="cuda") shows the CUDA source on every machine'
    )
