"""Arrays of other libraries on a GPU: PyTorch's tensors, and what has the CUDA array interface.

PyTorch's tensors are read by their attributes: their interface names no stream, and has no
bfloat16.
Version 3 of the interface: https://nvidia.github.io/numba-cuda/user/cuda_array_interface.html
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np

from speedmetal.backends import registry
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType, find_dtype, from_numpy, is_supported
from speedmetal.errors import UserInputError

KDL_CUDA, _KDL_CUDA_MANAGED = 2, 13  # DLDeviceType, dlpack.h


@record(eq=False)
class ForeignMemory:
    """Elements in the memory of a GPU, as another library has them.

    Args:
        number: Of the GPU.
        address: Of the first element.
        dtype: Of the elements.
        shape: Extents.
        strides: In bytes.
        is_readonly: Whether it says so.
        stream: The one that its library works in now; None: it says none.
    """

    number: int
    address: int
    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    is_readonly: bool
    stream: int | None

    @property
    def is_repeated(self) -> bool:
        """Whether elements lie on each other, so that what threads write there has no order."""
        return 0 in self.strides and any(
            n > 1 and not step for n, step in zip(self.shape, self.strides, strict=True)
        )

    def check_alignment(self) -> None:
        """Refuse elements that kernels cannot read.

        Raises:
            UserInputError: They are not aligned.
        """
        size = self.dtype.itemsize
        if self.address % size or any(step % size for step in self.strides):
            raise UserInputError(
                f"elements of {self.dtype.name} are not aligned to their size of {size} bytes"
                f" (address {self.address:#x}, strides {self.strides}); make a copy in its library"
            )


def device_numbered(number: int) -> Device:
    """The device of ours on an NVIDIA GPU.

    Raises:
        DeviceError: There is none.
    """
    return registry.device(f"cuda:{number}" if number else "cuda")


def number_of(place: tuple[Any, int]) -> int | None:
    """The number of the GPU that DLPack's pair means; None: another kind of device."""
    kind, number = place
    return int(number) if int(kind) in (KDL_CUDA, _KDL_CUDA_MANAGED) else None


# --- What an array of another library is ---------------------------------------------------------


def described(value: Any) -> ForeignMemory | None:
    """An array of another library, where it is on an NVIDIA GPU.

    Raises:
        UserInputError: It is there, and kernels cannot read it; says what to do.
    """
    if is_torch_class(type(value)):
        return _of_torch(value) if value.is_cuda else None
    interface = getattr(value, "__cuda_array_interface__", None)
    return None if interface is None else _of_interface(value, interface)


def is_torch_class(kind: type) -> bool:
    """Whether objects of a class are tensors of PyTorch."""
    known = _torch_classes.get(kind)
    if known is None:
        known = _torch_classes[kind] = any(
            base.__name__ == "Tensor" and base.__module__ == "torch" for base in kind.__mro__
        )
    return known


_torch_classes: dict[type, bool] = {}


def _of_torch(tensor: Any) -> ForeignMemory:
    dtype, shape, strides = torch_layout(tensor.dtype, tensor.shape, _checked_steps(tensor))
    number = tensor.get_device()
    address = _address_of(tensor)
    return ForeignMemory(number, address, dtype, shape, strides, False, torch_stream(tensor))


def _address_of(tensor: Any) -> int:
    try:
        address: int = tensor.data_ptr()
    except RuntimeError as error:
        text = f"the tensor has no elements side by side ({error}); pass tensor.to_dense()"
        raise UserInputError(text) from None
    return address


def _checked_steps(tensor: Any) -> tuple[int, ...]:
    """The strides of a tensor, in elements, if these are all that it is.

    Raises:
        UserInputError: They are not.
    """
    if tensor.requires_grad:
        raise UserInputError(
            "the tensor has a gradient, of which kernels know nothing; pass tensor.detach()"
        )
    if tensor.is_conj() or tensor.is_neg():
        raise UserInputError(
            "the tensor is conjugated or negated when PyTorch reads it; pass"
            " tensor.resolve_conj().resolve_neg()"
        )
    try:
        steps: tuple[int, ...] = tensor.stride()
    except RuntimeError as error:
        text = f"the tensor has no strides ({error}); pass tensor.to_dense()"
        raise UserInputError(text) from None
    return steps


@lru_cache(maxsize=1024)
def torch_layout(
    dtype: Any, shape: Any, steps: tuple[int, ...]
) -> tuple[DType, tuple[int, ...], tuple[int, ...]]:
    """What PyTorch says of a tensor's elements: the type, the extents, the strides in bytes."""
    name = str(dtype).removeprefix("torch.")
    try:
        found = find_dtype(name)
    except UserInputError as error:
        raise UserInputError(f"kernels cannot read {dtype}; convert the tensor: {error}") from None
    return found, tuple(shape), tuple([step * found.itemsize for step in steps])


def torch_stream(tensor: Any) -> int:
    """PyTorch's current stream on the GPU of a tensor."""
    torch = sys.modules["torch"]
    try:
        # As its own compiler and Triton do: the public function makes an object, in ten times as
        # long as the rest of a tensor takes.
        number: int = torch._C._cuda_getCurrentRawStream(tensor.get_device())  # noqa: SLF001
    except AttributeError:
        number = torch.cuda.current_stream(tensor.device).cuda_stream
    return number


def _of_interface(value: Any, interface: Mapping[str, Any]) -> ForeignMemory:
    dtype = _named_dtype(interface["typestr"])
    if dtype is None or interface.get("mask") is not None:
        is_masked = dtype is not None
        what = "a mask" if is_masked else f"elements of {np.dtype(interface['typestr'])}"
        raise UserInputError(
            f"kernels cannot read {type(value).__name__} with {what}; convert it in its library"
        )
    shape, strides = tuple(interface["shape"]), interface.get("strides")
    if strides is None:
        strides = launch_strides(shape, dtype.itemsize)
    address, is_readonly = interface["data"]
    place = value.__dlpack_device__() if hasattr(value, "__dlpack_device__") else (KDL_CUDA, 0)
    return ForeignMemory(
        number_of(place) or 0,
        int(address or 0),
        dtype,
        shape,
        tuple(strides),
        is_readonly=bool(is_readonly),
        stream=interface.get("stream"),
    )


@cache
def _named_dtype(name: str) -> DType | None:
    """The type with NumPy's name; None: there is none here."""
    found = np.dtype(name)
    return from_numpy(found) if is_supported(found) and found.isnative else None


@lru_cache(maxsize=1024)
def launch_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of elements in C order without gaps.

    >>> launch_strides((2, 3), 4)
    (12, 4)
    """
    strides: list[int] = []
    step = itemsize
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))
