"""NumPy's own format of an array, ``.npy``: what NumPy's module for it reads and writes.

Headers are read by ``numpy.lib.format``; the sizes are compared with the file's before any memory
is made, and Python objects, which could run code when they are read, are refused.
"""

from __future__ import annotations

import math
from tokenize import TokenError
from typing import IO, Any, NamedTuple

import numpy as np

from speedmetal.arrays.memory.strided import HostArray
from speedmetal.dtypes import ALL, bfloat16, is_supported
from speedmetal.errors import FileFormatError, UserInputError

MAGIC = b"\x93NUMPY"

# NumPy evaluates the header as a literal, and takes it into tokens where that fails; it lets some
# of the errors of both pass.
_FAULTS = (ValueError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError)


class Header(NamedTuple):
    """What the elements in a file are: ``order`` is "C" or "F"."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Any

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], size: int) -> Header:
    """The header at the place of a file; then its elements follow.

    Args:
        file: At its first byte.
        size: How many bytes are in it.

    Raises:
        FileFormatError: It is damaged, holds something else than numbers, or its elements are not
            as many bytes as follow.
    """
    start = file.tell()
    try:
        version = np.lib.format.read_magic(file)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise FileFormatError(
                f"has version {version[0]}.{version[1]} of the npy format, which only arrays of"
                " records have; known are 1.0 and 2.0"
            )
        shape, is_fortran, dtype = readers[version](file)
    except _FAULTS as error:
        raise FileFormatError(f"has a damaged npy header: {error}") from None
    header = Header(dtype, shape, "F" if is_fortran else "C")
    _check(header, size - (file.tell() - start))
    return header


def _check(header: Header, following: int) -> None:
    dtype = header.dtype
    if dtype.hasobject:
        raise FileFormatError(
            "holds pickled Python objects, which could run code when they are read; only numbers"
            " are read"
        )
    if not is_supported(dtype.newbyteorder("=")):
        raise FileFormatError(
            f"holds elements of {dtype}; supported are"
            f" {', '.join(known.name for known in ALL if known is not bfloat16)}"
        )
    if any(extent < 0 for extent in header.shape):
        raise FileFormatError(f"has a damaged npy header: its shape is {header.shape}")
    if header.nbytes != following:
        what = "it was cut short" if header.nbytes > following else "the others belong to nothing"
        raise FileFormatError(
            f"has {following} bytes of elements, but {dtype} of shape {header.shape} takes"
            f" {header.nbytes}: {what}"
        )


def write(file: IO[bytes], host: HostArray, name: str) -> None:
    """Write the header and the elements.

    Raises:
        UserInputError: It is of bfloat16, for which the format has no word.
    """
    if host.dtype == bfloat16:
        raise UserInputError(
            f"the npy format has no bfloat16, the dtype of {name}; use sm.save_safetensors, or save"
            " x.astype(sm.float32)"
        )
    np.lib.format.write_array(file, host, allow_pickle=False)
