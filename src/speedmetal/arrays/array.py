"""The container: device memory with a dtype, a shape and strides."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

import speedmetal
from speedmetal.arrays.assembling import dense_copy
from speedmetal.arrays.deferred.graph import apply, peeked
from speedmetal.arrays.deferred.lazy import Lazy
from speedmetal.arrays.deferred.pending import Step
from speedmetal.arrays.deferred.schedule import assign_lazily, before_write, evaluate
from speedmetal.arrays.members import Members
from speedmetal.arrays.memory.conversion import convert_on_host
from speedmetal.arrays.memory.copying import (
    assign_host,
    bring_elements,
    can_convert,
    copy_elements,
    read_host,
    upload_elements,
    write_host,
)
from speedmetal.arrays.memory.dlpack import DEVICE_CPU, export_device_memory, export_dlpack
from speedmetal.arrays.memory.indexing import checked_index
from speedmetal.arrays.memory.selection import has_arrays
from speedmetal.arrays.memory.shapes import complete_shape, extents_of
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.operators import Operators
from speedmetal.arrays.pickling import reduce_array
from speedmetal.arrays.printing import shown, summary_of
from speedmetal.arrays.promotion import is_same_kind
from speedmetal.backends.device import Device
from speedmetal.backends.registry import device as find_device
from speedmetal.dtypes import as_dtype, bfloat16
from speedmetal.errors import ElementCountError, ScalarConversionError, UserInputError
from speedmetal.frontend.structure import CAST
from speedmetal.launch.waiting import WAITING

_FIRST_VERSION = "2021.12"
"""Of the array API; each version has all of those before."""

_PYTHONS_NUMBERS = frozenset({bool, int, float, complex})

_words: dict[str, Callable[..., Any]] = {}
"""What words of the kernel language do with arrays, as far as they were called."""


class Array(Operators, Members, Lazy):
    """An array in the memory of a device.

    Arrays are made by :func:`speedmetal.array`, :func:`speedmetal.asarray`, ``zeros``, ``empty``
    and their like, not by calling this class. Basic indexing, ``transpose``, ``broadcast_to`` and,
    where possible, ``reshape`` give *views*, which share memory with the array and keep it alive;
    the memory is freed with its last view. ``strides`` are in **bytes**, as NumPy's.

    Arithmetic is *lazy*: an operation makes no memory. What is computed elementwise becomes one
    kernel when a value is asked for, by printing, converting, indexing, or :func:`speedmetal.eval`.
    Arrays can be written to, and views share memory, as in NumPy.

    Example:
        >>> import speedmetal as sm
        >>> a = sm.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> a
        Array([[1., 2., 3.],
               [4., 5., 6.]], dtype=float32, device='cpu')
        >>> a[:, ::-1].strides
        (12, -4)
        >>> a[0] = 0.0
        >>> 2 * a + 1
        Array([[ 1.,  1.,  1.],
               [ 9., 11., 13.]], dtype=float32, device='cpu')
    """

    __slots__ = ("__weakref__",)

    # Comparison is elementwise; like all objects of that kind, arrays have no hash.
    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    @staticmethod
    def __speedmetal_function__(name: str, *operands: Any, **options: Any) -> Any:
        """Do a function of ``speedmetal`` that is a word of the kernel language as well."""
        function = _words.get(name)
        if function is None:
            from speedmetal.arrays.elementwise.words import function_named  # which makes arrays

            function = _words[name] = function_named(name)
        return function(*operands, **options)

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
        return self.elements.size

    @property
    def itemsize(self) -> int:
        """The size of one element, in bytes."""
        return self.layout.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """``size * itemsize``."""
        return self.elements.nbytes

    # --- Views -------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Array:
        """A view by integers, slices (with negative steps), ``None`` and ``...``; else a new array.

        An index for every axis gives an array without axes; ``.item()`` makes a number of it.
        Arrays of integers and masks, of this library, NumPy's or lists, take elements by NumPy's
        rules, see :func:`speedmetal.take` for the simplest case. Places are checked at once.

        Raises:
            IndexError: An integer is outside, or there are too many parts; index arrays have
                another dtype, a mask has another shape, or they do not go together.
            TypeError: Another kind of index.

        Example:
            >>> import speedmetal as sm
            >>> x = sm.array([3.0, 1.0, 2.0])
            >>> x[[2, 0]]
            Array([2., 3.], dtype=float32, device='cpu')
            >>> x[x > 1]
            Array([3., 2.], dtype=float32, device='cpu')
        """
        if type(index) is Array and index.layout.shape:  # before the exception that says so
            rows: Array = self._get_chosen(index)
            return rows
        try:
            if self.pending is None:
                return self.with_elements(self.elements[index])
            return self._view(lambda elements: elements[index])
        except (TypeError, IndexError):
            if not has_arrays(index):
                raise
        chosen: Array = self._get_chosen(index)
        return chosen

    def __setitem__(self, index: Any, value: Any) -> None:
        """Write a number or an array, broadcast to the place and converted to this dtype.

        What is written is what the value was before, also where it is a view of the same memory.
        Where an index array has a place twice, the last value stays.
        Numbers and lists of Python's must fit, as in NumPy; else the conversion is that of
        :meth:`astype`. It runs on the device.

        Raises:
            UserInputError: The array is read-only.
            ValueError: The value's shape cannot be broadcast.
            IndexError, TypeError: As for reading.
        """
        self.check_writable()
        try:
            basic = checked_index(index)
        except TypeError:
            if not has_arrays(index):
                raise
            before_write(self)
            self._set_chosen(index, value)
            return
        if WAITING:
            before_write(self.with_elements(self.elements[basic]))
        if self.is_sooner_on_host(self.buffer.size_bytes):
            if type(value) not in _PYTHONS_NUMBERS:
                value = convert_on_host(self.host_value(value), self.layout.dtype)
            self.on_host()[basic] = value
            return
        target = self.with_elements(self.elements[basic])
        if isinstance(value, Array):
            assign_lazily(target, value if value.device is self.device else value.to(self.device))
        else:
            assign_host(target, self.host_value(value))

    def update(self, operation: str, function: Callable[[Any, Any], Any], other: Any) -> Array:
        """Write the result of a function of the array and another operand to the array itself.

        Args:
            operation: What it is called in messages.
            function: It is called once nothing waits any more to read what is overwritten.
            other: What comes second.

        Raises:
            UserInputError: The result has another shape, or a dtype of another kind.
        """
        self.check_writable()
        before_write(self)
        result = function(self, other)
        if result.shape != self.shape:
            raise UserInputError(
                f"the result of {operation} has shape {result.shape}, which an array of shape"
                f" {self.shape} cannot hold in place; write x = x ... for a new array"
            )
        own, found = self.layout.dtype, result.layout.dtype
        if not is_same_kind(own, found):
            raise UserInputError(
                f"{operation} of {own.name} gives {found.name}, which an array of {own.name} cannot"
                " hold in place; write x = x ... for a new array"
            )
        assign_lazily(self, result)
        return self

    def host_value(self, value: Any) -> HostArray:
        """What is to be written, as a NumPy array; Python's numbers have this array's dtype."""
        if isinstance(value, Array):
            return value.numpy()
        return np.asarray(value, None if hasattr(value, "__array__") else self.dtype)

    def check_writable(self) -> None:
        """Raise UserInputError where the array is read-only."""
        if self.is_readonly:
            raise UserInputError(
                "the array is read-only, because it was made from read-only memory or by"
                " broadcast_to; write to a copy: a.copy()"
            )

    @property
    def T(self) -> Array:  # noqa: N802 - the array API's name
        """The view with the axes in reverse order."""
        return self._view(lambda elements: elements.transpose())

    @property
    def real(self) -> Array:
        """The real parts, as :func:`speedmetal.real` gives them: no view, unlike NumPy's."""
        parts: Array = self._real()
        return parts

    @property
    def imag(self) -> Array:
        """The imaginary parts, as :func:`speedmetal.imag` gives them: no view, unlike NumPy's."""
        parts: Array = self._imag()
        return parts

    @property
    def mT(self) -> Array:  # noqa: N802 - the array API's name
        """The view of ``(..., rows, columns)`` as ``(..., columns, rows)``.

        Raises:
            UserInputError: There are fewer than two axes.
        """
        if self.ndim < 2:
            raise UserInputError(f"mT expected two axes or more, got shape {self.shape}")
        return self._view(lambda elements: elements.moveaxis(-1, -2))

    def _view(self, step: Step, *, is_readonly: bool = False) -> Array:
        view = self.viewed(step, is_readonly=is_readonly)
        assert view is not None
        return view

    def transpose(self, *axes: Any) -> Array:
        """The view whose axis ``k`` is this array's ``axes[k]``; if none are given, reversed.

        Args:
            axes: Integers, or one tuple of them.
        """
        if not axes or axes == (None,):
            return self.T
        order = tuple(axes[0]) if len(axes) == 1 and np.iterable(axes[0]) else axes
        return self._view(lambda elements: elements.transpose(order))

    def reshape(self, *shape: Any, copy: bool | None = None) -> Array:
        """The same elements, in C order, in another shape; one extent may be -1.

        Args:
            shape: Integers, or one tuple of them.
            copy: None: a view where strides allow it, else a copy; True: a copy; False: a view.

        Raises:
            ValueError: The sizes differ, or ``copy`` is False and a view is not possible.
        """
        is_whole = len(shape) == 1 and type(shape[0]) is not int and np.iterable(shape[0])
        extents = tuple(shape[0]) if is_whole else shape
        extents = complete_shape(extents_of(extents, least=-1), self.shape)
        view = None if copy else self.viewed(lambda elements: elements.reshape(extents))
        if view is not None:
            return view
        if copy is False:
            raise ValueError(
                f"strides {self.strides} of shape {self.shape} allow no view of shape {extents};"
                " leave out copy=False"
            )
        return (self.copy() if self.pending is None else dense_copy(self)).reshape(extents)

    def broadcast_to(self, shape: int | tuple[int, ...]) -> Array:
        """The read-only view of this shape, in which axes of extent 1 are repeated."""
        return self._view(lambda elements: elements.broadcast_to(shape), is_readonly=True)

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
        return self.with_elements(self.elements.view(wanted))

    # --- Copies and conversions --------------------------------------------------------------

    def numpy(self) -> HostArray:
        """A NumPy array: on the same memory where the device shares it, else a copy.

        On shared memory writes are seen on both sides; it is read-only where this array is. What
        the device was asked to do is done at return; what it is asked later needs
        ``sm.synchronize()`` before the NumPy array shows it.
        """
        return read_host(self)

    def copy_to(self, host: HostArray) -> None:
        """Write the elements to a NumPy array that is there already.

        It is complete at return; but where it is page-locked (:func:`speedmetal.cuda.pinned_empty`)
        and this array on that GPU, the copy is only asked for: wait with ``sm.synchronize()``
        before it is read.

        Args:
            host: Of the same shape and dtype, writable.

        Raises:
            UserInputError: It is not such an array.

        Example:
            >>> import speedmetal as sm
            >>> host = np.zeros(3, np.float32)
            >>> sm.ones(3).copy_to(host)
            >>> host
            array([1., 1., 1.], dtype=float32)
        """
        is_array = isinstance(host, np.ndarray)
        if not is_array or host.shape != self.shape or host.dtype != self.dtype:
            given = f"{host.dtype} {host.shape}" if is_array else type(host).__name__
            raise UserInputError(
                f"copy_to expected a NumPy array of {self.dtype} {self.shape}, got {given}; convert"
                " with x.astype(...) and x.reshape(...) before, or take x.numpy()"
            )
        if not host.flags.writeable:
            raise UserInputError("copy_to expected a NumPy array that can be written to")
        write_host(self, host)

    def copy(self) -> Array:
        """A writable copy in C order, on the same device."""
        return copy_elements(self)

    def astype(self, dtype: Any, *, copy: bool = True) -> Array:
        """The elements converted to another dtype, on the device.

        Floats become integers by being cut towards zero and held to their range, NaN becomes 0;
        integers wrap; of complex numbers the real part is taken; everything but 0 is True.

        Args:
            dtype: As :func:`speedmetal.dtypes.as_dtype` takes it.
            copy: Whether to copy where the dtype is already right.
        """
        wanted = as_dtype(dtype)
        if wanted is self.layout.dtype:
            return self.copy() if copy else self
        is_small = self.pending is None and self.is_sooner_on_host(self.nbytes)
        if is_small or not can_convert(self, wanted):
            return copy_elements(self, wanted)
        result: Array = apply(CAST, self, dtype=wanted)
        return result

    def to(self, device: str | Device) -> Array:
        """The array on a device: itself where it is there already, else a copy in C order.

        From one NVIDIA GPU to another nobody waits: the copy comes behind what the first was asked
        for, and before what either is asked for next.
        """
        target = find_device(device)
        return self if target is self.device else bring_elements(self, target)

    def to_device(self, device: str | Device, /, *, stream: Any = None) -> Array:
        """The array API's name for :meth:`to`.

        Raises:
            UserInputError: ``stream`` is not None: copies are done in the order of the devices.
        """
        if stream is not None:
            raise UserInputError(f"to_device takes no stream, got {stream!r}; leave it out")
        return self.to(device)

    def item(self) -> bool | int | float | complex:
        """The only element, as a Python number.

        Raises:
            ElementCountError: There is not exactly one element.
        """
        if self.size != 1:
            raise ElementCountError(f"{self._not_one_element()}; take an element with a[i].item()")
        element = read_host(peeked(self)).reshape(())[()]
        if self.layout.dtype.is_float:  # bfloat16's own `item` gives no Python number
            return float(element)
        number: bool | int | complex = element.item()
        return number

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        host = read_host(peeked(self))
        wide = np.float64 if self.layout.dtype.is_float else host.dtype
        return host.astype(wide, copy=False).tolist()

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ElementCountError(
                f"the truth of an array is that of its only element: {self._not_one_element()};"
                " say which with sm.any(a), sm.all(a) or a[i]"
            )
        return bool(self.item())

    def __int__(self) -> int:
        number = self._as_number("int")
        if isinstance(number, complex):
            raise ScalarConversionError(
                "a complex number cannot be converted to int; take its real part"
            )
        return int(number)

    def __float__(self) -> float:
        number = self._as_number("float")
        if isinstance(number, complex):
            raise ScalarConversionError(
                "a complex number cannot be converted to float; take its real part"
            )
        return float(number)

    def __complex__(self) -> complex:
        return complex(self._as_number("complex"))

    def __index__(self) -> int:
        if self.ndim or not self.layout.dtype.is_integer:
            raise ScalarConversionError(
                "only an integer array without axes can be an index,"
                f" got {self.layout.dtype} of shape {self.shape}"
            )
        return operator.index(int(self))

    def _as_number(self, kind: str) -> bool | int | float | complex:
        if self.size != 1:
            raise ScalarConversionError(
                f"{kind}(a): {self._not_one_element()}; convert an element, {kind}(a[i]), or all"
                " with a.astype(dtype)"
            )
        return self.item()

    def _not_one_element(self) -> str:
        return f"expected an array of one element, got shape {self.shape}"

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("an array without axes has no length")
        return self.shape[0]

    def __contains__(self, value: Any) -> bool:
        """Whether an element equals the value."""
        return bool((self == value).any())

    def __iter__(self) -> Iterator[Array]:
        if not self.ndim:
            raise TypeError("an array without axes cannot be iterated over; use .item()")
        evaluate((self,))  # once, and not for each element
        return (self[position] for position in range(self.shape[0]))

    def __repr__(self) -> str:
        body = np.array2string(shown(self), separator=", ", prefix="Array(", **summary_of(self))
        shape = "" if self.size else f"shape={self.shape}, "
        return f"Array({body}, {shape}dtype={self.layout.dtype}, device={self.device.name!r})"

    def __format__(self, spec: str) -> str:
        """An array without axes as its number, others as text."""
        if not spec:
            return str(self)
        if self.ndim:
            raise TypeError(
                f"the format {spec!r} is for one number, and the array has shape {self.shape};"
                " format x[i], or print with numpy.printoptions"
            )
        return format(self.item(), spec)

    def __round__(self, ndigits: int | None = None) -> Any:
        """Python's ``round``: of an array without axes, and to digits of any."""
        return round(float(self)) if ndigits is None else self.round(ndigits)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle the content, with protocol 5 as a buffer that need not be copied."""
        return reduce_array(self, protocol)

    def __sizeof__(self) -> int:
        """The bytes of the object and of its elements, in memory or to be: Dask asks for it."""
        return object.__sizeof__(self) + self.nbytes

    # --- Exchange with other libraries -------------------------------------------------------

    __array_priority__ = 100
    """Among the arrays that Dask multiplies with NumPy's, ours says how (``tensordot``)."""

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The module with the array API's functions: ``speedmetal``.

        Raises:
            UserInputError: It does not know this version of the array API.
        """
        known = speedmetal.__array_api_version__
        if api_version is not None and not _FIRST_VERSION <= api_version <= known:
            raise UserInputError(
                f"there is no version {api_version!r} of the array API here; known are"
                f" {_FIRST_VERSION} to {known}"
            )
        return speedmetal

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> HostArray:  # noqa: FBT001 - NumPy's protocol
        """NumPy's conversion protocol; a copy of shared memory only if one is asked for."""
        if copy is False and not self.is_shared:
            raise ValueError(f"an array on {self.device.name} cannot become NumPy's without a copy")
        host = self.numpy()
        if dtype is not None and np.dtype(dtype) != host.dtype:
            if copy is False:
                raise ValueError(f"converting {self.dtype} to {np.dtype(dtype)} needs a copy")
            return host.astype(dtype)
        return host.copy() if copy and self.is_shared else host

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """NumPy's interface; absent where it has no word for the dtype or no access."""
        if not self.is_shared or self.dtype.kind == "V":
            raise AttributeError("__array_interface__")
        interface: dict[str, Any] = self.numpy().__array_interface__
        return interface

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The CUDA array interface, version 3; absent of arrays that are not on an NVIDIA GPU.

        Memory is made of a lazy array. ``stream`` is where it is computed; whoever looks at it
        waits for that. The legacy default stream does so already, for who does not (PyTorch).

        Raises:
            AttributeError: It has no word for the device or the dtype; so ``hasattr`` is False.
        """
        exchange, dtype = self.device.exchange, self.layout.dtype
        if exchange is None or dtype is bfloat16:
            raise AttributeError  # whose message is that of all that is absent
        address = self.address if self.size else 0
        exchange.lend_to_anyone(self.buffer)
        return {
            "version": 3,
            "shape": self.shape,
            "typestr": self.dtype.str,
            "strides": None if self.elements.is_c_contiguous else self.strides,
            "data": (address, self.is_readonly),
            "stream": exchange.stream_number,
        }

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """DLPack's export, without a copy unless one is asked for.

        On an NVIDIA GPU ``stream`` waits, by an event, for all that was asked for: 1 or None is the
        legacy default stream, 2 the thread's, else it is a stream's number; with -1 nothing waits.
        What is written there comes before what this library does with the array next only where
        that waits as well: inside ``with sm.cuda.stream(...)``, or after ``sm.from_dlpack`` of what
        has been written. When both have let go, ours waits for all that the GPU was asked for
        before another array has the memory.

        Raises:
            BufferError: The array cannot be described, or there is no such stream; for a read-only
                one only a consumer that knows DLPack 1.0 can be told.
            TypeError: ``stream`` is no number.
        """
        place = self.__dlpack_device__()
        if DEVICE_CPU not in (place, dl_device):
            if dl_device not in (None, place):
                raise BufferError(f"arrays on {self.device.name} are not on DLPack's {dl_device}")
            array = self.copy() if copy else self
            return export_device_memory(array, place, max_version, stream)
        if place != DEVICE_CPU:
            if copy is False:
                raise BufferError(f"arrays on {self.device.name} get to the host by copies alone")
            return export_dlpack(self.numpy(), max_version=max_version)
        return export_dlpack(
            self.numpy(),
            stream=stream,
            max_version=max_version,
            dl_device=dl_device,
            copy=copy,
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's pair of device type and number."""
        if self.is_shared:
            return DEVICE_CPU
        place = self.device.dlpack_device
        if place is None:
            raise BufferError(f"arrays on {self.device.name} have no DLPack export; use a.numpy()")
        return place


def upload(host: HostArray, device: Device) -> Array:
    """A new array on ``device`` with a copy of ``host``, in C order."""
    return upload_elements(Array, host, device)
