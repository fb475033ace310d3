"""Arrays of other libraries as arguments of kernels.

A launch reads them where they are, and takes its place in the order of their library's current
stream: ours waits for that before the launch, that one for ours behind it, by events. Inside
``with sm.cuda.stream(...)`` of that stream it is the same stream, and nothing is to be done. So
memory that the library takes back behind the launch is reused behind it as well.

The first launch of a kind takes :class:`ForeignArray` in place of them, and makes a plan as of
arrays of ours. One like it reads what that plan is known by, and their addresses, as it does of
ours: of a tensor its dtype, shape and strides, and whether its elements are all that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np

from speedmetal.backends.device import Device, DeviceArray, LaunchLayout, launch_layout
from speedmetal.dtypes import DType
from speedmetal.errors import DeviceError, LaunchError, UserInputError
from speedmetal.frontend.signature import argument_type, is_aggregate, numbers_among, record_items
from speedmetal.launch.arguments import advice_for
from speedmetal.launch.foreign import (
    ForeignMemory,
    described,
    device_numbered,
    is_torch_class,
    torch_layout,
    torch_stream,
)


class ForeignArgumentError(LaunchError):
    """A launch was given an array of another library, which calls of kernels borrow."""

    def __init__(self) -> None:
        super().__init__("an array of another library; make one of ours of it first: sm.asarray(x)")


class ForeignArray(DeviceArray):
    """An array of another library as a launch sees it, for as long as that takes.

    Attributes:
        lender: The array itself.
    """

    __slots__ = ("lender",)

    def __init__(self, address: int, layout: LaunchLayout, lender: object) -> None:
        self.address = address
        self.layout = layout
        self.lender = lender

    @property
    def dtype(self) -> DType:
        """Of the elements."""
        return self.layout.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents."""
        return self.layout.shape

    @property
    def strides(self) -> tuple[int, ...]:
        """In bytes."""
        return self.layout.strides

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.layout.dtype.itemsize


def call_among_others(
    kernel: str,
    call: Callable[..., None],
    arguments: Sequence[Any],
    named: Mapping[str, Any],
    names: Sequence[str],
) -> None:
    """Call what launches a kernel, with what it takes in place of other libraries' arrays.

    Args:
        kernel: Its name, for messages.
        call: Launches it.
        arguments: By position.
        named: By name.
        names: Of the parameters, for messages.

    Raises:
        LaunchError: One of them cannot be given to a kernel; nothing was launched.
    """
    borrowed = Borrowed()
    place: int | str = 0
    try:
        own = []
        for place, value in enumerate(arguments):  # noqa: B007 - for the message
            own.append(borrowed.taken(value))
        own_named = {}
        for place, value in named.items():
            own_named[place] = borrowed.taken(value)
    # PyTorch raises a RuntimeError of tensors without memory.
    except (DeviceError, UserInputError, RuntimeError) as error:
        name = names[place] if type(place) is int and place < len(names) else place
        text = f"kernel {kernel!r}: argument {name}: {error}"
        raise LaunchError(text) from None
    with borrowed:
        call(*own, **own_named)


class Borrowed:
    """Arrays of other libraries, for one launch; around it, it comes in the order of their streams.

    Attributes:
        number: Of the GPU that the last tensor of PyTorch is on; -1: there was none.
        device: That GPU.
    """

    __slots__ = ("_behind", "_streams", "device", "number")

    def __init__(self) -> None:
        self._streams: list[tuple[Device, int]] = []
        self.number = -1
        self.device: Device | None = None
        self._behind: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        streams = self._streams if len(self._streams) == 1 else dict.fromkeys(self._streams)
        for device, stream in streams:
            assert device.exchange is not None
            let_follow = device.exchange.follow(stream)
            if let_follow is not None:
                self._behind.append(let_follow)

    def __exit__(self, *_error: object) -> None:
        for let_follow in self._behind:
            let_follow()

    def come_by_tensor(self, tensor: Any, number: int) -> None:
        """Note the stream of the first tensor of PyTorch on a GPU."""
        self.device, self.number = device_numbered(number), number
        self._streams.append((self.device, torch_stream(tensor)))

    def read_described(self, value: Any) -> tuple[LaunchLayout, int]:
        """Any of them.

        Raises:
            DeviceError, UserInputError, RuntimeError: It cannot be given to a kernel; says why.
        """
        memory = described(value)
        if memory is None:
            _refuse(value)
        memory.check_alignment()
        device = device_numbered(memory.number)
        if memory.stream is not None:
            self._streams.append((device, memory.stream))
        return _layout_of(memory, device), memory.address

    def taken(self, value: Any) -> Any:
        """What a launch takes for an argument.

        Raises:
            DeviceError, UserInputError, RuntimeError: It cannot be given to a kernel.
        """
        kind = type(value)
        take = _takers.get(kind) or _taker(kind)
        return take(self, value)

    def as_it_is(self, value: Any) -> Any:
        """One of ours, or a number."""
        return value

    def tensor(self, tensor: Any) -> ForeignArray:
        """One of PyTorch."""
        key: list[Any] = []
        values: list[Any] = [self]
        try:
            read_tensor(tensor, key, values)
        except ForeignArgumentError:
            return self.by_interface(tensor)  # which says why
        return ForeignArray(values[1], key[0], tensor)

    def by_interface(self, value: Any) -> ForeignArray:
        """One that is described in full."""
        layout, address = self.read_described(value)
        return ForeignArray(address, layout, value)

    def other(self, value: Any) -> Any:
        """A tuple or a record, in which there may be such; or what is of some other use."""
        if is_aggregate(value):
            return _with_items(value, list(map(self.taken, record_items(value))))
        is_array = getattr(value, "__cuda_array_interface__", None) is not None
        return self.by_interface(value) if is_array else value


_takers: dict[type, Callable[[Borrowed, Any], Any]] = {}


def _taker(kind: type) -> Callable[[Borrowed, Any], Any]:
    """How arguments of a class are taken; remembered."""
    found: Callable[[Borrowed, Any], Any]
    if issubclass(kind, DeviceArray | np.ndarray | int | float):
        found = Borrowed.as_it_is
    elif is_torch_class(kind):
        found = Borrowed.tensor
    else:
        is_array = hasattr(kind, "__cuda_array_interface__")
        found = Borrowed.by_interface if is_array else Borrowed.other
    _takers[kind] = found
    return found


def read_tensor(tensor: Any, key: list[Any], values: list[Any]) -> None:
    """Read a tensor of PyTorch for a launch, as an array of ours that lies so.

    The first of the values becomes what keeps the order.

    Raises:
        ForeignArgumentError: It must be looked at more closely.
    """
    borrowed = values[0]
    if not borrowed:
        borrowed = values[0] = Borrowed()
    if not tensor.is_cuda:
        raise ForeignArgumentError
    try:
        number = tensor.get_device()
        if number != borrowed.number:
            borrowed.come_by_tensor(tensor, number)
        address = tensor.data_ptr()
        layout, misaligned, is_complex = _layout_of_tensor(
            tensor.dtype, tensor.shape, tensor.stride(), borrowed.device
        )
    except (DeviceError, RuntimeError, UserInputError):
        raise ForeignArgumentError from None
    if address & misaligned or tensor.requires_grad or tensor.is_neg():
        raise ForeignArgumentError
    if is_complex and tensor.is_conj():
        raise ForeignArgumentError
    key.append(layout)
    values.append(address)


def read_described(value: Any, key: list[Any], values: list[Any]) -> None:
    """As :func:`read_tensor`, an array with the CUDA array interface."""
    borrowed = values[0]
    if not borrowed:
        borrowed = values[0] = Borrowed()
    try:
        layout, address = borrowed.read_described(value)
    except (DeviceError, UserInputError, RuntimeError):
        raise ForeignArgumentError from None
    key.append(layout)
    values.append(address)


def _refuse(value: Any) -> NoReturn:
    """Say what is taken, of what looks like an array of a GPU and is none.

    Raises:
        UserInputError: Always.
    """
    text = f"a {type(value).__name__} that is on no GPU"
    try:
        argument_type(value, numbers_among((), has_float64=True))
    except UserInputError as error:
        text = str(error)
    raise UserInputError(f"{text}{advice_for(value)}")


def _layout_of(memory: ForeignMemory, device: Device) -> LaunchLayout:
    is_readonly = memory.is_readonly or memory.is_repeated
    return launch_layout(memory.dtype, memory.shape, memory.strides, device, is_readonly)


@lru_cache(maxsize=1024)
def _layout_of_tensor(
    dtype: Any, shape: Any, steps: tuple[int, ...], device: Device
) -> tuple[LaunchLayout, int, bool]:
    """What a launch knows of a tensor besides its address.

    Returns:
        All of that, the bits that no address has, and whether there are complex numbers.
    """
    found = ForeignMemory(0, 0, *torch_layout(dtype, shape, steps), False, None)
    return _layout_of(found, device), found.dtype.itemsize - 1, found.dtype.is_complex


def _with_items(value: Any, items: Iterable[Any]) -> Any:
    """A tuple or a record with other items, where they are others."""
    found = tuple(items)
    if all(new is old for new, old in zip(found, record_items(value), strict=True)):
        return value
    if type(value) is tuple:
        return found
    if isinstance(value, tuple):
        return type(value)(*found)
    raise UserInputError(
        f"a {type(value).__name__} with an array of another library in it; make an array of ours"
        " of that first: sm.asarray(x)"
    )
