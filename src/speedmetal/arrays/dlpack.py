"""Exchange of memory with other libraries through DLPack, on the host.

NumPy writes and reads the capsules (https://dmlc.github.io/dlpack/latest/), except that it does
not know bfloat16: there the dtype that stands in the capsule's struct is changed, from and to an
unsigned integer of the same size.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from speedmetal.dtypes import bfloat16, is_bfloat16_class
from speedmetal.errors import UserInputError

DEVICE_CPU = (1, 0)
"""DLPack's pair of device type (kDLCPU) and number."""

_CODE_UNSIGNED, _CODE_BFLOAT = 1, 4  # DLDataTypeCode
# Where DLTensor's `dtype` (code, bits: bytes; lanes) stands: behind a pointer, a device of two
# int32 and an int32; in the versioned struct DLTensor itself follows 32 bytes.
_DTYPE_OFFSETS = {b"dltensor": 20, b"dltensor_versioned": 32 + 20}

_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_capsule_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is_valid.restype = ctypes.c_int
_capsule_is_valid.argtypes = [ctypes.py_object, ctypes.c_char_p]


def export_dlpack(view: np.ndarray[Any, Any], **options: Any) -> Any:
    """A DLPack capsule that shares the memory of ``view``, of any dtype of speedmetal.

    Args:
        view: What to share; kept alive by the capsule and by what is made of it.
        options: The protocol's ``max_version``, ``dl_device``, ``copy`` and ``stream``.
    """
    if not is_bfloat16_class(view.dtype.type):
        return view.__dlpack__(**options)
    capsule = view.view(np.uint16).__dlpack__(**options)
    _replace_code(capsule, _CODE_UNSIGNED, _CODE_BFLOAT)
    return capsule


def import_dlpack(source: Any) -> np.ndarray[Any, Any]:
    """A NumPy array on the memory of an object with ``__dlpack__``; read-only where that is.

    Raises:
        UserInputError: The object is not in the host's memory, or has a dtype unknown here.
    """
    kind, _ = source.__dlpack_device__()
    if kind != DEVICE_CPU[0]:
        raise UserInputError(
            f"from_dlpack expected an object in the CPU's memory, got a {type(source).__name__} on"
            f" another device (DLPack device type {int(kind)}); copy it to the CPU first"
        )
    producer = _Producer(source)
    try:
        array = np.from_dlpack(producer)
    except (BufferError, RuntimeError, TypeError) as error:
        raise UserInputError(f"from_dlpack: {type(source).__name__}: {error}") from error
    return array.view(bfloat16.numpy) if producer.is_bfloat16 else array


class _Producer:
    """Hands NumPy the capsule of another object, with bfloat16 called an unsigned integer."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.is_bfloat16 = False

    def __dlpack_device__(self) -> tuple[int, int]:
        return DEVICE_CPU

    def __dlpack__(self, **options: Any) -> Any:
        try:
            capsule = self._source.__dlpack__(**options)
        except TypeError:  # a producer from before the protocol had versions
            capsule = self._source.__dlpack__()
        self.is_bfloat16 = _replace_code(capsule, _CODE_BFLOAT, _CODE_UNSIGNED)
        return capsule


def _replace_code(capsule: Any, old: int, new: int) -> bool:
    """Change the dtype's code in a capsule that nobody has used yet; whether it was ``old``."""
    for name, offset in _DTYPE_OFFSETS.items():
        if _capsule_is_valid(capsule, name):
            code = ctypes.c_uint8.from_address(_capsule_pointer(capsule, name) + offset)
            if code.value == old:
                code.value = new
                return True
    return False
