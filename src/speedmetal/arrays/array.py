"""The container: device memory with a dtype, a shape and strides."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from types import EllipsisType
from typing import Any, ClassVar

import numpy as np

from speedmetal.arrays.dlpack import DEVICE_CPU, export_dlpack
from speedmetal.arrays.indexing import Index, integer_of
from speedmetal.arrays.shapes import c_strides
from speedmetal.backends.cpu.device import address_of
from speedmetal.backends.device import Buffer, Device, DeviceArray, layout_of
from speedmetal.backends.registry import device as device_named
from speedmetal.dtypes import DType, as_dtype, from_numpy, named
from speedmetal.errors import UserInputError

HostArray = np.ndarray[Any, Any]


class Array(DeviceArray):
    """An array in the memory of a device.

    Arrays are made by :func:`speedmetal.array`, :func:`speedmetal.asarray`, ``zeros``, ``empty``
    and their like, not by calling this class. Basic indexing, ``transpose``, ``broadcast_to`` and,
    where possible, ``reshape`` give *views*, which share memory with the array and keep it alive;
    the memory is freed with its last view. ``strides`` are in **bytes**, as NumPy's.

    Operators come with a later release; until then ``a.numpy()`` gives a NumPy array on the same
    memory (on the CPU), and kernels take arrays as arguments.

    Example:
        >>> import speedmetal as sm
        >>> a = sm.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> a
        Array([[1., 2., 3.],
               [4., 5., 6.]], dtype=float32, device='cpu')
        >>> a[:, ::-1].strides
        (12, -4)
        >>> a[0] = 0.0
        >>> a.numpy().sum()
        np.float32(15.0)
    """

    __slots__ = ("__weakref__", "_buffer", "_view")

    _buffer: Buffer
    _view: HostArray

    # Comparison will be elementwise; like all objects of that kind, arrays have no hash.
    __hash__: ClassVar[None] = None  # type: ignore[assignment]
    # NumPy's functions would return NumPy arrays without a word.
    __array_ufunc__: ClassVar[None] = None

    def __init__(self, buffer: Buffer, view: HostArray, address: int) -> None:
        """For speedmetal alone.

        Args:
            buffer: The memory.
            view: The array as NumPy sees it, from which shape, strides and writability are read.
                Where the host does not share the memory it is a stand-in that has only these, and
                whose elements are never touched.
            address: Of the first element, on the device.
        """
        self._buffer = buffer
        self._view = view
        self.address = address
        self.layout = layout_of(
            from_numpy(view.dtype),
            view.shape,
            view.strides,
            buffer.device,
            not view.flags.writeable,
        )

    # --- What it is --------------------------------------------------------------------------

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements, as NumPy's (bfloat16 is ``ml_dtypes``'); equal to ours."""
        return self.layout.dtype.numpy

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents."""
        return self.layout.shape

    @property
    def strides(self) -> tuple[int, ...]:
        """The distances in memory between neighbours along each axis, in bytes."""
        return self.layout.strides

    @property
    def device(self) -> Device:
        """Where the memory is."""
        return self.layout.device

    @property
    def is_readonly(self) -> bool:
        """Whether it views memory that may not be written to."""
        return self.layout.is_readonly

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.layout.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._view.size

    @property
    def itemsize(self) -> int:
        """The size of one element, in bytes."""
        return self._view.itemsize

    @property
    def nbytes(self) -> int:
        """``size * itemsize``."""
        return self._view.nbytes

    # --- Views -------------------------------------------------------------------------------

    def _viewed(self, view: HostArray) -> Array:
        """The array that has the shape and strides of ``view``, a view of this one's."""
        offset = address_of(view) - address_of(self._view) if view.size else 0
        return Array(self._buffer, view, self.address + offset)

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Array:
        """A view: integers, slices (with negative steps), ``None`` and ``...``.

        An index for every axis gives an array without axes; ``.item()`` makes a number of it.

        Raises:
            IndexError: An integer is outside, or there are too many.
            TypeError: Another kind of index.
        """
        # The Ellipsis makes NumPy return an array where it would read the element.
        checked = _checked_index(index)
        return self._viewed(self._view[checked if Ellipsis in checked else (*checked, ...)])

    def __setitem__(self, index: Index | tuple[Index, ...], value: Any) -> None:
        """Write a number or an array, broadcast to the place and converted to this dtype.

        Raises:
            UserInputError: The array is read-only.
            IndexError, TypeError: As for reading.
        """
        self._check_writable()
        checked = _checked_index(index)
        source = value.numpy() if isinstance(value, Array) else value
        if self._is_shared:
            self._current_view()[checked] = source
            return
        content = self._downloaded()
        self._on_host(content)[checked] = source
        self.device.copy_from_host(content, self._buffer)

    @property
    def _is_shared(self) -> bool:
        """Whether the host reads and writes the same bytes."""
        return self._buffer.is_shared

    def _current_view(self) -> HostArray:
        """The shared memory, after everything that the device was asked to do with it."""
        self.device.synchronize()
        return self._view

    def _check_writable(self) -> None:
        if self.is_readonly:
            raise UserInputError(
                "the array is read-only, because it was made from read-only memory or by"
                " broadcast_to; write to a copy: a.copy()"
            )

    @property
    def T(self) -> Array:  # noqa: N802 - the array API's name
        """The view with the axes in reverse order."""
        return self._viewed(self._view.T)

    def transpose(self, *axes: int) -> Array:
        """The view whose axis ``k`` is this array's ``axes[k]``; if none are given, reversed."""
        return self._viewed(self._view.transpose(*axes))

    def reshape(self, *shape: Any, copy: bool | None = None) -> Array:
        """The same elements, in C order, in another shape; one extent may be -1.

        Args:
            shape: Integers, or one tuple of them.
            copy: None: a view where strides allow it, else a copy; True: a copy; False: a view.

        Raises:
            ValueError: The sizes differ, or ``copy`` is False and a view is not possible.
        """
        extents = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        if copy:
            return self.copy().reshape(extents)
        try:
            return self._viewed(np.reshape(self._view, extents, copy=False))
        except ValueError as error:
            if copy is False or "copy" not in str(error):
                raise
        return self.copy().reshape(extents)

    def broadcast_to(self, shape: int | tuple[int, ...]) -> Array:
        """The read-only view of this shape, in which axes of extent 1 are repeated."""
        return self._viewed(np.broadcast_to(self._view, shape))

    def view(self, dtype: Any) -> Array:
        """The same bytes as elements of another dtype of the same size.

        Raises:
            UserInputError: It has another size, or is no dtype.

        >>> import speedmetal as sm
        >>> sm.array([1.0, -2.0]).view(sm.uint32)
        Array([1065353216, 3221225472], dtype=uint32, device='cpu')
        """
        wanted, own = as_dtype(dtype), self.layout.dtype
        if wanted.itemsize != own.itemsize:
            raise UserInputError(
                f"view expected a dtype of {own.itemsize} bytes, as {own} has, got {wanted} of"
                f" {wanted.itemsize}; astype converts"
            )
        return self._viewed(self._view.view(wanted.numpy))

    # --- Copies and conversions --------------------------------------------------------------

    def numpy(self) -> HostArray:
        """A NumPy array: on the same memory where the device shares it, else a copy.

        On shared memory writes are seen on both sides; it is read-only where this array is. What
        the device was asked to do is done at return; what it is asked later needs
        ``sm.synchronize()`` before the NumPy array shows it.
        """
        if self._is_shared:
            # Its own object: setting its shape must not change ours.
            return self._current_view().view()
        return self._on_host(self._downloaded())

    def _downloaded(self) -> HostArray:
        content = np.empty(self._buffer.size_bytes, np.uint8)
        self.device.copy_to_host(self._buffer, content)
        return content

    def _on_host(self, content: HostArray) -> HostArray:
        """This array in a copy of the whole buffer."""
        start = self.address - self._buffer.address
        return np.ndarray(self.shape, self._view.dtype, content.data, start, self.strides)

    def copy(self) -> Array:
        """A writable copy in C order, on the same device."""
        return upload(self.numpy(), self.device)

    def astype(self, dtype: Any, *, copy: bool = True) -> Array:
        """The elements converted to another dtype, with NumPy's rules.

        Args:
            dtype: As :func:`speedmetal.dtypes.as_dtype` takes it.
            copy: Whether to copy where the dtype is already right.
        """
        wanted = as_dtype(dtype)
        if wanted is self.layout.dtype:
            return self.copy() if copy else self
        return upload(self.numpy().astype(wanted.numpy), self.device)

    def to(self, device: str | Device) -> Array:
        """The array on a device: itself where it is there already, else a copy."""
        target = device_named(device)
        return self if target is self.device else upload(self.numpy(), target)

    def item(self) -> bool | int | float | complex:
        """The only element, as a Python number.

        Raises:
            UserInputError: There is not exactly one element.
        """
        if self.size != 1:
            raise UserInputError(
                f"expected an array of one element, got shape {self.shape};"
                " take an element with a[i].item()"
            )
        element = self.numpy().reshape(())[()]
        if self.layout.dtype.is_float:  # bfloat16's own `item` gives no Python number
            return float(element)
        number: bool | int | complex = element.item()
        return number

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        host = self.numpy()
        wide = np.float64 if self.layout.dtype.is_float else host.dtype
        return host.astype(wide, copy=False).tolist()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        number = self.item()
        if isinstance(number, complex):
            raise TypeError("a complex number cannot be converted to int; take its real part")
        return int(number)

    def __float__(self) -> float:
        number = self.item()
        if isinstance(number, complex):
            raise TypeError("a complex number cannot be converted to float; take its real part")
        return float(number)

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.ndim or not self.layout.dtype.is_integer:
            raise TypeError(
                "only an integer array without axes can be an index,"
                f" got {self.layout.dtype} of shape {self.shape}"
            )
        return operator.index(int(self))

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("an array without axes has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        if not self.ndim:
            raise TypeError("an array without axes cannot be iterated over; use .item()")
        return (self[position] for position in range(self.shape[0]))

    def __repr__(self) -> str:
        body = np.array2string(self.numpy(), separator=", ", prefix="Array(")
        shape = "" if self.size else f"shape={self.shape}, "
        return f"Array({body}, {shape}dtype={self.layout.dtype}, device={self.device.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        host = np.ascontiguousarray(self.numpy())
        return _restored, (host.tobytes(), self.layout.dtype.name, self.shape, self.device.name)

    # --- Exchange with other libraries -------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> HostArray:  # noqa: FBT001 - NumPy's protocol
        """NumPy's conversion protocol; a copy of shared memory only if one is asked for."""
        if copy is False and not self._is_shared:
            raise ValueError(f"an array on {self.device.name} cannot become NumPy's without a copy")
        host = self.numpy()
        if dtype is not None and np.dtype(dtype) != host.dtype:
            if copy is False:
                raise ValueError(f"converting {self.dtype} to {np.dtype(dtype)} needs a copy")
            return host.astype(dtype)
        return host.copy() if copy and self._is_shared else host

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """NumPy's interface; absent where it has no word for the dtype or no access."""
        if not self._is_shared or self._view.dtype.kind == "V":
            raise AttributeError("__array_interface__")
        interface: dict[str, Any] = self._current_view().__array_interface__
        return interface

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """DLPack's export, without a copy unless one is asked for.

        Raises:
            BufferError: The array cannot be described; for a read-only one only a consumer that
                knows DLPack 1.0 can be told.
        """
        self.__dlpack_device__()
        return export_dlpack(
            self._current_view(),
            stream=stream,
            max_version=max_version,
            dl_device=dl_device,
            copy=copy,
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's pair of device type and number."""
        if not self._is_shared:
            raise BufferError(f"arrays on {self.device.name} have no DLPack export; use a.numpy()")
        return DEVICE_CPU


def upload(host: HostArray, device: Device) -> Array:
    """A new array on ``device`` with a copy of ``host``, in C order."""
    fresh = allocated(host.shape, from_numpy(host.dtype), device)
    if fresh._is_shared:  # noqa: SLF001 - of the class above
        fresh._view[...] = host  # noqa: SLF001 - fresh memory, which no kernel knows
    else:
        device.copy_from_host(np.ascontiguousarray(host), fresh._buffer)  # noqa: SLF001
    return fresh


def allocated(shape: tuple[int, ...], dtype: DType, device: Device) -> Array:
    """A new array in C order, with undefined content."""
    size_bytes = dtype.itemsize
    for extent in shape:
        size_bytes *= extent
    buffer = device.allocate(size_bytes)
    if (host := buffer.host) is not None:
        return Array(buffer, np.ndarray(shape, dtype.numpy, host.data), buffer.address)
    anchor = np.empty((1,) * len(shape), dtype.numpy)
    stand_in = np.lib.stride_tricks.as_strided(anchor, shape, c_strides(shape, dtype.itemsize))
    return Array(buffer, stand_in, buffer.address)


def wrapped(host: HostArray, device: Device) -> Array | None:
    """An array on the memory of a NumPy array, which it keeps alive; None: the device cannot."""
    buffer = device.wrap(host)
    return None if buffer is None else Array(buffer, host, buffer.address)


def _restored(content: bytes, dtype: str, shape: tuple[int, ...], device: str) -> Array:
    """The inverse of pickling."""
    host = np.frombuffer(content, named(dtype).numpy).reshape(shape)
    return upload(host, device_named(device))


def _checked_index(index: Any) -> tuple[Any, ...]:
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(
        part if part is None or isinstance(part, (slice, EllipsisType)) else integer_of(part)
        for part in parts
    )


def _refused(symbol: str) -> Callable[..., Any]:
    def method(_: Array, *_operands: Any) -> Any:
        raise TypeError(
            f"sm.Array has no operator {symbol} yet; compute with a kernel, or on NumPy arrays:"
            " a.numpy()"
        )

    return method


_OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "matmul": "@", "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
}  # fmt: skip
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_UNARY = {"neg": "-", "pos": "+", "invert": "~", "abs": "abs()"}
for _name, _symbol in (_OPERATORS | _COMPARISONS | _UNARY).items():
    setattr(Array, f"__{_name}__", _refused(_symbol))
for _name, _symbol in _OPERATORS.items():
    setattr(Array, f"__r{_name}__", _refused(_symbol))
