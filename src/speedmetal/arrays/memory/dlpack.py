"""Exchange of memory with other libraries through DLPack.

NumPy writes and reads the capsules (https://dmlc.github.io/dlpack/latest/), except that it does
not know bfloat16: there the dtype that stands in the capsule's struct is changed, from and to an
unsigned integer of the same size. Of memory that the host cannot read it describes the address
alone, and the device is changed in the same way.
"""

from __future__ import annotations

import ctypes
import struct
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from speedmetal.dtypes import DType, bfloat16, find_dtype, is_bfloat16_class
from speedmetal.errors import UserInputError
from speedmetal.launch.foreign import ForeignMemory, launch_strides, number_of

DEVICE_CPU = (1, 0)
"""DLPack's pair of device type (kDLCPU) and number."""

_CODE_UNSIGNED, _CODE_BFLOAT = 1, 4  # DLDataTypeCode
# Where DLTensor stands in each struct. It begins with a pointer, a device of two int32, an int32,
# and the `dtype` (code, bits: bytes; lanes).
_TENSOR_OFFSETS = {b"dltensor": 0, b"dltensor_versioned": 32}
_DEVICE_OFFSET, _DTYPE_OFFSET = 8, 20
# DLTensor, dlpack.h: address, device and its number, axes, code, bits and lanes of the dtype, where
# the shape and the strides are, the offset of the first element.
_TENSOR = struct.Struct("=QiiiBBHQQQ")
# DLManagedTensorVersioned: behind its version, context and deleter the flags, then the DLTensor.
_VERSIONED_TENSOR = struct.Struct("=8x8x8xQQiiiBBHQQQ")
_IS_READONLY = 1
_KINDS = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 5: "complex"}
_CODE_BOOL = 6

_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_capsule_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is_valid.restype = ctypes.c_int
_capsule_is_valid.argtypes = [ctypes.py_object, ctypes.c_char_p]
_bytes_at = ctypes.string_at


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


def export_device_memory(
    array: Any, place: tuple[int, int], max_version: tuple[int, int] | None, stream: Any
) -> Any:
    """A DLPack capsule on memory of a device that the host cannot read.

    Args:
        array: An :class:`~speedmetal.Array`; its memory is kept alive as by :func:`export_dlpack`.
        place: DLPack's pair of the device.
        max_version: The protocol's.
        stream: Where it will be used, which waits for what the device was asked to do.

    Raises:
        BufferError: There is no such stream.
        TypeError: It is no number.
    """
    if stream is not None and type(stream) is not int:
        raise TypeError(f"expected a stream's number, or None, got {type(stream).__name__}")
    memory = np.asarray(_Addressed(array))
    array.device.exchange.lend(array.buffer, stream)
    capsule = export_dlpack(memory.view(array.dtype), max_version=max_version)
    words = (ctypes.c_int32 * 2).from_address(_tensor_in(capsule) + _DEVICE_OFFSET)
    words[0], words[1] = place
    return capsule


class _Addressed:
    """Memory that NumPy is told of and never reads; of bfloat16 as an integer of the same size."""

    def __init__(self, array: Any) -> None:
        dtype = array.dtype
        word = np.dtype(np.uint16) if is_bfloat16_class(dtype.type) else dtype
        self.array = array
        self.__array_interface__ = {
            "version": 3,
            "shape": array.shape,
            "strides": array.strides,
            "typestr": word.str,
            "data": (array.address, array.is_readonly),
        }


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


def describe_capsule(capsule: Any) -> ForeignMemory | None:
    """What a capsule on memory of a GPU says; None where it is of another kind of device.

    The capsule itself keeps the memory: it is not taken apart, and gives it back when it goes.

    Raises:
        UserInputError: Its dtype is unknown here.
    """
    if _capsule_is_valid(capsule, b"dltensor_versioned"):
        managed = _capsule_pointer(capsule, b"dltensor_versioned")
        flags, *rest = _VERSIONED_TENSOR.unpack(_bytes_at(managed, _VERSIONED_TENSOR.size))
    elif _capsule_is_valid(capsule, b"dltensor"):
        flags = _IS_READONLY  # perhaps: it is too old to say anything
        rest = [*_TENSOR.unpack(_bytes_at(_capsule_pointer(capsule, b"dltensor"), _TENSOR.size))]
    else:
        raise UserInputError(f"expected a DLPack capsule that nobody has used, got {capsule!r}")
    address, kind, device, ndim, code, bits, lanes, shape_at, strides_at, offset = rest
    number = number_of((kind, device))
    if number is None:
        return None
    dtype = _dtype_of(code, bits, lanes)
    size = dtype.itemsize
    shape = _integers_at(shape_at, ndim)
    if strides_at:
        strides = tuple([step * size for step in _integers_at(strides_at, ndim)])
    else:
        strides = launch_strides(shape, size)
    is_readonly = bool(flags & _IS_READONLY)
    return ForeignMemory(number, address + offset, dtype, shape, strides, is_readonly, None)


def _integers_at(address: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f"={count}q", _bytes_at(address, 8 * count)) if count else ()


@cache
def _dtype_of(code: int, bits: int, lanes: int) -> DType:
    name = "bool" if code == _CODE_BOOL and bits == 8 else f"{_KINDS.get(code)}{bits}"
    if lanes == 1 and (code in _KINDS or code == _CODE_BOOL):
        with suppress(UserInputError):
            return find_dtype(name)
    raise UserInputError(
        f"no dtype here is DLPack's type {code} of {bits} bits and {lanes} lanes; convert the array"
        " in its library"
    )


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
    at = _tensor_in(capsule)
    code = ctypes.c_uint8.from_address(at + _DTYPE_OFFSET) if at else None
    if code is None or code.value != old:
        return False
    code.value = new
    return True


def _tensor_in(capsule: Any) -> int:
    """The address of a capsule's DLTensor; 0: somebody has used it, or it is none."""
    for name, offset in _TENSOR_OFFSETS.items():
        if _capsule_is_valid(capsule, name):
            address: int = _capsule_pointer(capsule, name)
            return address + offset
    return 0
