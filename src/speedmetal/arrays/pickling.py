"""Arrays in other processes and in files: pickled by content, dtype, shape and device.

With pickle's protocol 5 the content is a buffer, which whoever pickles may take out of band
(``buffer_callback``; Dask and Ray do): then nothing is copied where the host shares the memory.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from speedmetal.arrays.memory.copying import read_host, upload_elements
from speedmetal.arrays.memory.strided import HostArray, Strided
from speedmetal.backends.registry import device as find_device
from speedmetal.dtypes import as_dtype
from speedmetal.errors import UserInputError

_FIRST_WITH_BUFFERS = 5


def reduce_array(
    array: Strided, protocol: int
) -> tuple[Callable[..., Strided], tuple[type[Strided], Any, str, tuple[int, ...], str, str]]:
    """What an array is pickled as; a lazy one is computed first.

    Args:
        array: Of any layout; its elements stay in the order of memory if that is C's or Fortran's.
        protocol: Of pickle.
    """
    host = read_host(array)
    order = "F" if array.elements.is_f_contiguous and not array.elements.is_c_contiguous else "C"
    row_major = np.ascontiguousarray(host.T if order == "F" else host)
    content: Any = row_major.reshape(-1).view(np.uint8)  # bfloat16 is no dtype of buffers
    content = pickle.PickleBuffer(content) if protocol >= _FIRST_WITH_BUFFERS else content.tobytes()
    own = array.layout
    return restore_array, (type(array), content, own.dtype.name, own.shape, order, own.device.name)


def restore_array(
    cls: type[Strided], content: Any, dtype: str, shape: tuple[int, ...], order: str, device: str
) -> Strided:
    """An array of what :func:`reduce_array` wrote down, on the content itself where it can be.

    Args:
        cls: Of the array.
        content: The elements' bytes. They are copied if they cannot be written to.
        dtype: The name of its dtype.
        shape: Its extents.
        order: ``"C"``, or ``"F"`` where the first axis runs fastest.
        device: The name of the device it is on.

    Raises:
        UserInputError: The data is damaged: it does not fit together.
        DeviceError: This machine has no such device.
    """
    wanted, place = as_dtype(dtype), find_device(device)
    given, expected = memoryview(content).nbytes, prod(shape) * wanted.itemsize
    if given != expected or min(shape, default=0) < 0 or order not in ("C", "F"):
        raise UserInputError(
            f"the data of a pickled array is damaged: shape {shape} of {wanted.name} in order"
            f" {order!r} has {expected} bytes, but there are {given}; pickle it again"
        )
    flat = np.frombuffer(content, np.uint8).view(wanted.numpy)
    host: HostArray = flat.reshape(shape[::-1]).T if order == "F" else flat.reshape(shape)
    if host.flags.writeable and place.takes_numpy_arrays:
        shared = cls.wrap(host, place)
        if shared is not None:
            return shared
    return upload_elements(cls, host, place)
