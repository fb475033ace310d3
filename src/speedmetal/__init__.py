"""speedmetal: program Apple GPUs, NVIDIA GPUs and CPUs in Python, and know how fast they are.

Names are imported when they are first used, so that the command line's help is there at once and
``import speedmetal`` costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # what type checkers and editors see; a test holds it against _HOMES
    from speedmetal import metal as metal
    from speedmetal import profile as profile
    from speedmetal.arrays.array import Array as Array
    from speedmetal.arrays.creation import arange as arange
    from speedmetal.arrays.creation import array as array
    from speedmetal.arrays.creation import asarray as asarray
    from speedmetal.arrays.creation import empty as empty
    from speedmetal.arrays.creation import empty_like as empty_like
    from speedmetal.arrays.creation import from_dlpack as from_dlpack
    from speedmetal.arrays.creation import full as full
    from speedmetal.arrays.creation import full_like as full_like
    from speedmetal.arrays.creation import linspace as linspace
    from speedmetal.arrays.creation import ones as ones
    from speedmetal.arrays.creation import ones_like as ones_like
    from speedmetal.arrays.creation import zeros as zeros
    from speedmetal.arrays.creation import zeros_like as zeros_like
    from speedmetal.backends.registry import default_device as default_device
    from speedmetal.backends.registry import device as device
    from speedmetal.backends.registry import devices as devices
    from speedmetal.backends.registry import memory_info as memory_info
    from speedmetal.backends.registry import synchronize as synchronize
    from speedmetal.dtypes import DType as DType
    from speedmetal.dtypes import bfloat16 as bfloat16
    from speedmetal.dtypes import bool_ as bool_
    from speedmetal.dtypes import complex64 as complex64
    from speedmetal.dtypes import float16 as float16
    from speedmetal.dtypes import float32 as float32
    from speedmetal.dtypes import float64 as float64
    from speedmetal.dtypes import int8 as int8
    from speedmetal.dtypes import int16 as int16
    from speedmetal.dtypes import int32 as int32
    from speedmetal.dtypes import int64 as int64
    from speedmetal.dtypes import uint8 as uint8
    from speedmetal.dtypes import uint16 as uint16
    from speedmetal.dtypes import uint32 as uint32
    from speedmetal.dtypes import uint64 as uint64
    from speedmetal.errors import CacheError as CacheError
    from speedmetal.errors import CompileError as CompileError
    from speedmetal.errors import DeviceError as DeviceError
    from speedmetal.errors import InternalError as InternalError
    from speedmetal.errors import KernelError as KernelError
    from speedmetal.errors import LaunchError as LaunchError
    from speedmetal.errors import SimulationError as SimulationError
    from speedmetal.errors import SpeedmetalError as SpeedmetalError
    from speedmetal.errors import UnknownNameError as UnknownNameError
    from speedmetal.errors import UserInputError as UserInputError
    from speedmetal.intrinsics.library import philox as random  # noqa: F401 - see _NAMESPACES
    from speedmetal.launch.kernel import Kernel as Kernel
    from speedmetal.launch.kernel import kernel as kernel
    from speedmetal.launch.modes import debug_level as debug_level
    from speedmetal.launch.modes import math_mode as math_mode
    from speedmetal.launch.reflection import code as code

# Where each name lives. Intrinsics (`sm.sin`) and constructs (`sm.threadgroup_array`) are looked up
# in their tables instead, which are the one list of them.
_HOMES = {
    "speedmetal.arrays.array": ("Array",),
    "speedmetal.arrays.creation": (
        *("arange", "array", "asarray", "empty", "empty_like", "from_dlpack", "full"),
        *("full_like", "linspace", "ones", "ones_like", "zeros", "zeros_like"),
    ),
    "speedmetal.backends.registry": (
        *("default_device", "device", "devices", "memory_info", "synchronize"),
    ),
    "speedmetal.dtypes": (
        *("DType", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
        *("uint64", "float16", "bfloat16", "float32", "float64", "complex64"),
    ),
    "speedmetal.errors": (
        *("SpeedmetalError", "UserInputError", "UnknownNameError", "CompileError", "LaunchError"),
        *("DeviceError", "CacheError", "KernelError", "SimulationError", "InternalError"),
    ),
    "speedmetal.launch.kernel": ("Kernel", "kernel"),
    "speedmetal.launch.modes": ("debug_level", "math_mode"),
    "speedmetal.launch.reflection": ("code",),
}
_NAMESPACES = {
    "metal": "speedmetal.metal",
    "profile": "speedmetal.profile",
    "random": "speedmetal.intrinsics.library.philox",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def _language() -> dict[str, Any]:
    """The names of the kernel language: intrinsics and constructs."""
    from speedmetal.intrinsics import TABLE, constructs

    return {**TABLE, **constructs.TABLE}


def __getattr__(name: str) -> Any:
    import importlib.util

    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _NAMESPACES:
        value = importlib.import_module(_NAMESPACES[name])
    elif name == "__all__":
        value = sorted(["__version__", *_HOME, *_NAMESPACES, *_language()])
    elif name.startswith("_"):  # what Python itself asks for must not import anything
        raise AttributeError(f"module 'speedmetal' has no attribute {name!r}")
    elif importlib.util.find_spec(f"speedmetal.{name}"):
        # A module, asked for before it was imported. (`from speedmetal import compiler` asks here
        # first; looking into the language's tables would import them for nothing.)
        value = importlib.import_module(f"speedmetal.{name}")
    else:
        value = _from_language(name)
    globals()[name] = value
    return value


def _from_language(name: str) -> Any:
    language = _language()
    if name in language:
        return language[name]
    import difflib

    near = difflib.get_close_matches(name, [*_HOME, *language], n=3)
    guess = f"; did you mean {' or '.join(near)}?" if near else ""
    raise AttributeError(f"module 'speedmetal' has no attribute {name!r}{guess}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_NAMESPACES, *_language()})
