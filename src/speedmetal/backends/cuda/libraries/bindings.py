"""NVIDIA's libraries, through the low-level bindings of the package nvmath-python.

By the package and not by ctypes, as the driver is: it finds the libraries where wheels and toolkits
put them, knows what their functions take in CUDA 12 and in 13, and a call costs 1 us less than one
of ctypes with as many arguments. It is optional, and takes half a second to import, so that it is
first looked for when something is multiplied, transformed or solved on the GPU.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from speedmetal.common.records import record
from speedmetal.dtypes import bfloat16, complex64, complex128, float16, float32, float64
from speedmetal.errors import DeviceError


@record
class Name:
    """What a library is called.

    Args:
        title: NVIDIA's word for it.
        prefix: Of its functions.
        package: On PyPI, where ``{}`` is "" for CUDA 13 and "-cu12" for CUDA 12.
    """

    title: str
    prefix: str
    package: str


CUDA_TYPES = {float32: 0, float64: 1, float16: 2, complex64: 4, complex128: 5, bfloat16: 14}
"""cudaDataType_t, library_types.h."""

NAMES = {
    "cublasLt": Name("cuBLASLt", "cublasLt", "nvidia-cublas{}"),
    "cublas": Name("cuBLAS", "cublas", "nvidia-cublas{}"),
    "cufft": Name("cuFFT", "cufft", "nvidia-cufft{}"),
    "cusolverDn": Name("cuSOLVER", "cusolverDn", "nvidia-cusolver{}"),
}
"""By their names in nvmath-python."""

_ADVICE = (
    ("NOT_INITIALIZED", "it may not go with this driver, or have no memory: install {package}"),
    ("ALLOC_FAILED", "the GPU has no memory left: delete arrays, or call sm.empty_cache()"),
    ("ARCH_MISMATCH", "this GPU is not one of its: install an older or newer {package}"),
    ("NOT_SUPPORTED", "install a newer {package}, or move the arrays with x.to('cpu')"),
    ("NOT_IMPLEMENTED", "install a newer {package}, or move the arrays with x.to('cpu')"),
    ("EXEC", "a kernel before it may have failed: call sm.synchronize() earlier to see which"),
    ("INVALID_SIZE", "take a shorter transform, or move the array with x.to('cpu')"),
    ("not found", "install a newer {package}"),
)
"""What to do, by a part of a status' name."""
_REPORT = "please report this with the shapes and dtypes"


class RoutineError(DeviceError):
    """A library of NVIDIA's did not do what it was asked for."""


class Bindings:
    """One of NVIDIA's libraries.

    Args:
        name: A key of `NAMES`.
        module: Of nvmath-python.
        package: What has the library, on PyPI.
    """

    def __init__(self, name: str, module: Any, package: str) -> None:
        self._name = NAMES[name]
        self._module = module
        self._package = package

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function, by its name in nvmath-python.

        Raises:
            RoutineError: Its status is another than success.
        """
        try:
            return getattr(self._module, function)(*arguments)
        except Exception as error:
            raise self.explained(function, error) from error

    def prepared(self, function: str) -> Callable[..., Any]:
        """A function for frequent calls; what it raises goes through :meth:`explained`."""
        found: Callable[..., Any] = getattr(self._module, function)
        return found

    def explained(self, function: str, error: Exception) -> RoutineError:
        """What a function raised, for people: its name, the status, and what to do."""
        status = str(error) or type(error).__name__
        advice = next((text for part, text in _ADVICE if part in status), _REPORT)
        return RoutineError(
            f"{symbol(self._name.prefix, function)} of NVIDIA's {self._name.title} answered"
            f" {status}; {advice.format(package=self._package)}"
        )


def symbol(prefix: str, function: str) -> str:
    """A function's name in C.

    >>> symbol("cublasLt", "matmul_algo_get_heuristic")
    'cublasLtMatmulAlgoGetHeuristic'
    """
    return prefix + "".join(part[:1].upper() + part[1:] for part in function.split("_"))


@cache
def load(name: str, cuda: int) -> Bindings:
    """A library for the driver of a CUDA version.

    Args:
        name: A key of `NAMES`.
        cuda: The first number of the version.

    Raises:
        DeviceError: It is not installed; says what to install.
    """
    suffix = "" if cuda >= 13 else f"-cu{cuda}"
    package = NAMES[name].package.format(suffix)
    try:
        module = importlib.import_module(f"nvmath.bindings.{name}")
        if name not in _VERSION_NEEDS_HANDLE:
            module.get_version()  # which loads the library itself
        else:
            module.destroy(module.create())
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise DeviceError(
            f"NVIDIA's {NAMES[name].title} was not found ({reason}); install it with"
            f" pip install 'nvmath-python[cu{min(cuda, 13)}]', or nvmath-python and {package}"
        ) from error
    return Bindings(name, module, package)


_VERSION_NEEDS_HANDLE = ("cublas", "cusolverDn")
