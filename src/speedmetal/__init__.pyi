"""Written by tools/generate_stub.py from the tables of names, intrinsics and constructs."""

from collections.abc import Iterator
from typing import Any, overload

from speedmetal.arrays.array import Array as Array
from speedmetal.arrays.algebra.contraction import einsum as einsum
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
from speedmetal.arrays.datatypes import astype as astype
from speedmetal.arrays.datatypes import can_cast as can_cast
from speedmetal.arrays.datatypes import finfo as finfo
from speedmetal.arrays.datatypes import iinfo as iinfo
from speedmetal.arrays.datatypes import isdtype as isdtype
from speedmetal.arrays.datatypes import promote_types as promote_types
from speedmetal.arrays.datatypes import result_type as result_type
from speedmetal.arrays.shaping.diagonals import diag as diag
from speedmetal.arrays.shaping.diagonals import diagonal as diagonal
from speedmetal.arrays.shaping.diagonals import eye as eye
from speedmetal.arrays.shaping.diagonals import identity as identity
from speedmetal.arrays.shaping.diagonals import tril as tril
from speedmetal.arrays.shaping.diagonals import triu as triu
from speedmetal.arrays.elementwise.activations import gelu as gelu
from speedmetal.arrays.elementwise.activations import relu as relu
from speedmetal.arrays.elementwise.activations import sigmoid as sigmoid
from speedmetal.arrays.elementwise.activations import silu as silu
from speedmetal.arrays.elementwise.activations import softplus as softplus
from speedmetal.arrays.elementwise.aliases import absolute as absolute
from speedmetal.arrays.elementwise.aliases import arccos as arccos
from speedmetal.arrays.elementwise.aliases import arccosh as arccosh
from speedmetal.arrays.elementwise.aliases import arcsin as arcsin
from speedmetal.arrays.elementwise.aliases import arcsinh as arcsinh
from speedmetal.arrays.elementwise.aliases import arctan as arctan
from speedmetal.arrays.elementwise.aliases import arctan2 as arctan2
from speedmetal.arrays.elementwise.aliases import arctanh as arctanh
from speedmetal.arrays.elementwise.aliases import deg2rad as deg2rad
from speedmetal.arrays.elementwise.aliases import mod as mod
from speedmetal.arrays.elementwise.aliases import rad2deg as rad2deg
from speedmetal.arrays.elementwise.arithmetic import add as add
from speedmetal.arrays.elementwise.arithmetic import divide as divide
from speedmetal.arrays.elementwise.arithmetic import float_power as float_power
from speedmetal.arrays.elementwise.arithmetic import heaviside as heaviside
from speedmetal.arrays.elementwise.arithmetic import lcm as lcm
from speedmetal.arrays.elementwise.arithmetic import lerp as lerp
from speedmetal.arrays.elementwise.arithmetic import multiply as multiply
from speedmetal.arrays.elementwise.arithmetic import negative as negative
from speedmetal.arrays.elementwise.arithmetic import positive as positive
from speedmetal.arrays.elementwise.arithmetic import power as power
from speedmetal.arrays.elementwise.arithmetic import reciprocal as reciprocal
from speedmetal.arrays.elementwise.arithmetic import square as square
from speedmetal.arrays.elementwise.arithmetic import subtract as subtract
from speedmetal.arrays.elementwise.arithmetic import true_divide as true_divide
from speedmetal.arrays.elementwise.bits import bitwise_and as bitwise_and
from speedmetal.arrays.elementwise.bits import bitwise_invert as bitwise_invert
from speedmetal.arrays.elementwise.bits import bitwise_left_shift as bitwise_left_shift
from speedmetal.arrays.elementwise.bits import bitwise_not as bitwise_not
from speedmetal.arrays.elementwise.bits import bitwise_or as bitwise_or
from speedmetal.arrays.elementwise.bits import bitwise_right_shift as bitwise_right_shift
from speedmetal.arrays.elementwise.bits import bitwise_xor as bitwise_xor
from speedmetal.arrays.elementwise.bits import invert as invert
from speedmetal.arrays.elementwise.bits import left_shift as left_shift
from speedmetal.arrays.elementwise.bits import logical_and as logical_and
from speedmetal.arrays.elementwise.bits import logical_not as logical_not
from speedmetal.arrays.elementwise.bits import logical_or as logical_or
from speedmetal.arrays.elementwise.bits import logical_xor as logical_xor
from speedmetal.arrays.elementwise.bits import right_shift as right_shift
from speedmetal.arrays.elementwise.comparisons import allclose as allclose
from speedmetal.arrays.elementwise.comparisons import array_equal as array_equal
from speedmetal.arrays.elementwise.comparisons import equal as equal
from speedmetal.arrays.elementwise.comparisons import greater as greater
from speedmetal.arrays.elementwise.comparisons import greater_equal as greater_equal
from speedmetal.arrays.elementwise.comparisons import isclose as isclose
from speedmetal.arrays.elementwise.comparisons import less as less
from speedmetal.arrays.elementwise.comparisons import less_equal as less_equal
from speedmetal.arrays.elementwise.comparisons import not_equal as not_equal
from speedmetal.arrays.elementwise.complex_numbers import conjugate as conjugate
from speedmetal.arrays.elementwise.complex_numbers import imag as imag
from speedmetal.arrays.elementwise.complex_numbers import real as real
from speedmetal.arrays.elementwise.exponentials import logaddexp as logaddexp
from speedmetal.arrays.elementwise.exponentials import logaddexp2 as logaddexp2
from speedmetal.arrays.elementwise.rounding import clip as clip
from speedmetal.arrays.elementwise.rounding import nan_to_num as nan_to_num
from speedmetal.arrays.elementwise.rounding import round as round
from speedmetal.arrays.evaluation import eval as eval
from speedmetal.arrays.evaluation import no_fusion as no_fusion
from speedmetal.arrays.explaining import explain as explain
from speedmetal.arrays.indices.taking import put_along_axis as put_along_axis
from speedmetal.arrays.indices.taking import take as take
from speedmetal.arrays.indices.taking import take_along_axis as take_along_axis
from speedmetal.arrays.shaping.grids import fromfunction as fromfunction
from speedmetal.arrays.shaping.grids import geomspace as geomspace
from speedmetal.arrays.shaping.grids import indices as indices
from speedmetal.arrays.shaping.grids import logspace as logspace
from speedmetal.arrays.shaping.grids import meshgrid as meshgrid
from speedmetal.arrays.user_functions.higher_order import accumulate as accumulate
from speedmetal.arrays.user_functions.higher_order import count as count
from speedmetal.arrays.user_functions.higher_order import findall as findall
from speedmetal.arrays.user_functions.higher_order import map as map
from speedmetal.arrays.user_functions.higher_order import mapreduce as mapreduce
from speedmetal.arrays.user_functions.higher_order import reduce as reduce
from speedmetal.arrays.user_functions.higher_order import stencil as stencil
from speedmetal.arrays.order.histograms import bincount as bincount
from speedmetal.arrays.order.histograms import digitize as digitize
from speedmetal.arrays.order.histograms import histogram as histogram
from speedmetal.arrays.inspection import __array_namespace_info__ as __array_namespace_info__
from speedmetal.arrays.inspection import e as e
from speedmetal.arrays.inspection import inf as inf
from speedmetal.arrays.inspection import nan as nan
from speedmetal.arrays.inspection import newaxis as newaxis
from speedmetal.arrays.inspection import pi as pi
from speedmetal.arrays.order.interpolation import interp as interp
from speedmetal.arrays.shaping.joining import column_stack as column_stack
from speedmetal.arrays.shaping.joining import concat as concat
from speedmetal.arrays.shaping.joining import concatenate as concatenate
from speedmetal.arrays.shaping.joining import dstack as dstack
from speedmetal.arrays.shaping.joining import hstack as hstack
from speedmetal.arrays.shaping.joining import stack as stack
from speedmetal.arrays.shaping.joining import vstack as vstack
from speedmetal.arrays.shaping.manipulation import array_split as array_split
from speedmetal.arrays.shaping.manipulation import atleast_1d as atleast_1d
from speedmetal.arrays.shaping.manipulation import atleast_2d as atleast_2d
from speedmetal.arrays.shaping.manipulation import atleast_3d as atleast_3d
from speedmetal.arrays.shaping.manipulation import broadcast_arrays as broadcast_arrays
from speedmetal.arrays.shaping.manipulation import broadcast_shapes as broadcast_shapes
from speedmetal.arrays.shaping.manipulation import broadcast_to as broadcast_to
from speedmetal.arrays.shaping.manipulation import expand_dims as expand_dims
from speedmetal.arrays.shaping.manipulation import flatten as flatten
from speedmetal.arrays.shaping.manipulation import flip as flip
from speedmetal.arrays.shaping.manipulation import moveaxis as moveaxis
from speedmetal.arrays.shaping.manipulation import permute_dims as permute_dims
from speedmetal.arrays.shaping.manipulation import ravel as ravel
from speedmetal.arrays.shaping.manipulation import reshape as reshape
from speedmetal.arrays.shaping.manipulation import rot90 as rot90
from speedmetal.arrays.shaping.manipulation import split as split
from speedmetal.arrays.shaping.manipulation import squeeze as squeeze
from speedmetal.arrays.shaping.manipulation import swapaxes as swapaxes
from speedmetal.arrays.shaping.manipulation import transpose as transpose
from speedmetal.arrays.shaping.manipulation import unstack as unstack
from speedmetal.arrays.along_axes.nan_reductions import nanmax as nanmax
from speedmetal.arrays.along_axes.nan_reductions import nanmean as nanmean
from speedmetal.arrays.along_axes.nan_reductions import nanmin as nanmin
from speedmetal.arrays.along_axes.nan_reductions import nanprod as nanprod
from speedmetal.arrays.along_axes.nan_reductions import nanstd as nanstd
from speedmetal.arrays.along_axes.nan_reductions import nansum as nansum
from speedmetal.arrays.along_axes.nan_reductions import nanvar as nanvar
from speedmetal.arrays.shaping.neighbours import convolve as convolve
from speedmetal.arrays.shaping.neighbours import diff as diff
from speedmetal.arrays.shaping.padding import pad as pad
from speedmetal.arrays.algebra.products import dot as dot
from speedmetal.arrays.algebra.products import inner as inner
from speedmetal.arrays.algebra.products import matmul as matmul
from speedmetal.arrays.algebra.products import matrix_transpose as matrix_transpose
from speedmetal.arrays.algebra.products import outer as outer
from speedmetal.arrays.algebra.products import tensordot as tensordot
from speedmetal.arrays.algebra.products import vdot as vdot
from speedmetal.arrays.algebra.products import vecdot as vecdot
from speedmetal.arrays.along_axes.quantiles import median as median
from speedmetal.arrays.along_axes.quantiles import nanmedian as nanmedian
from speedmetal.arrays.along_axes.quantiles import nanquantile as nanquantile
from speedmetal.arrays.along_axes.quantiles import percentile as percentile
from speedmetal.arrays.along_axes.quantiles import quantile as quantile
from speedmetal.arrays.shaping.rearranging import kron as kron
from speedmetal.arrays.shaping.rearranging import repeat as repeat
from speedmetal.arrays.shaping.rearranging import roll as roll
from speedmetal.arrays.shaping.rearranging import tile as tile
from speedmetal.arrays.along_axes.reductions import all as all
from speedmetal.arrays.along_axes.reductions import any as any
from speedmetal.arrays.along_axes.reductions import argmax as argmax
from speedmetal.arrays.along_axes.reductions import argmin as argmin
from speedmetal.arrays.along_axes.reductions import average as average
from speedmetal.arrays.along_axes.reductions import count_nonzero as count_nonzero
from speedmetal.arrays.along_axes.reductions import max as max
from speedmetal.arrays.along_axes.reductions import mean as mean
from speedmetal.arrays.along_axes.reductions import min as min
from speedmetal.arrays.along_axes.reductions import prod as prod
from speedmetal.arrays.along_axes.reductions import std as std
from speedmetal.arrays.along_axes.reductions import sum as sum
from speedmetal.arrays.along_axes.reductions import var as var
from speedmetal.arrays.files.saving import load as load
from speedmetal.arrays.files.saving import save as save
from speedmetal.arrays.files.saving import save_safetensors as save_safetensors
from speedmetal.arrays.files.saving import savez as savez
from speedmetal.arrays.along_axes.scans import cummax as cummax
from speedmetal.arrays.along_axes.scans import cummin as cummin
from speedmetal.arrays.along_axes.scans import cumprod as cumprod
from speedmetal.arrays.along_axes.scans import cumsum as cumsum
from speedmetal.arrays.along_axes.scans import cumulative_prod as cumulative_prod
from speedmetal.arrays.along_axes.scans import cumulative_sum as cumulative_sum
from speedmetal.arrays.along_axes.scans import logcumsumexp as logcumsumexp
from speedmetal.arrays.indices.scattering import add_at as add_at
from speedmetal.arrays.indices.scattering import scatter as scatter
from speedmetal.arrays.indices.scattering import scatter_add as scatter_add
from speedmetal.arrays.indices.scattering import scatter_max as scatter_max
from speedmetal.arrays.indices.scattering import scatter_min as scatter_min
from speedmetal.arrays.indices.scattering import scatter_mul as scatter_mul
from speedmetal.arrays.indices.scattering import scatter_sub as scatter_sub
from speedmetal.arrays.indices.scattering import segment_max as segment_max
from speedmetal.arrays.indices.scattering import segment_min as segment_min
from speedmetal.arrays.indices.scattering import segment_prod as segment_prod
from speedmetal.arrays.indices.scattering import segment_sum as segment_sum
from speedmetal.arrays.indices.searching import argwhere as argwhere
from speedmetal.arrays.indices.searching import flatnonzero as flatnonzero
from speedmetal.arrays.indices.searching import nonzero as nonzero
from speedmetal.arrays.indices.searching import searchsorted as searchsorted
from speedmetal.arrays.order.sets import isin as isin
from speedmetal.arrays.order.sets import unique as unique
from speedmetal.arrays.order.sets import unique_all as unique_all
from speedmetal.arrays.order.sets import unique_counts as unique_counts
from speedmetal.arrays.order.sets import unique_inverse as unique_inverse
from speedmetal.arrays.order.sets import unique_values as unique_values
from speedmetal.arrays.along_axes.softmaxes import log_softmax as log_softmax
from speedmetal.arrays.along_axes.softmaxes import logsumexp as logsumexp
from speedmetal.arrays.along_axes.softmaxes import softmax as softmax
from speedmetal.arrays.order.sorting import argpartition as argpartition
from speedmetal.arrays.order.sorting import argsort as argsort
from speedmetal.arrays.order.sorting import lexsort as lexsort
from speedmetal.arrays.order.sorting import partition as partition
from speedmetal.arrays.order.sorting import sort as sort
from speedmetal.arrays.order.sorting import topk as topk
from speedmetal.arrays.deferred.capturing import capture as capture
from speedmetal.backends.registry import default_device as default_device
from speedmetal.backends.registry import device as device
from speedmetal.backends.registry import devices as devices
from speedmetal.backends.registry import empty_cache as empty_cache
from speedmetal.backends.registry import memory_info as memory_info
from speedmetal.backends.registry import synchronize as synchronize
from speedmetal.dtypes import DType as DType
from speedmetal.dtypes import bool_ as bool
from speedmetal.dtypes import bool_ as bool_
from speedmetal.dtypes import int8 as int8
from speedmetal.dtypes import int16 as int16
from speedmetal.dtypes import int32 as int32
from speedmetal.dtypes import int64 as int64
from speedmetal.dtypes import uint8 as uint8
from speedmetal.dtypes import uint16 as uint16
from speedmetal.dtypes import uint32 as uint32
from speedmetal.dtypes import uint64 as uint64
from speedmetal.dtypes import float16 as float16
from speedmetal.dtypes import bfloat16 as bfloat16
from speedmetal.dtypes import float32 as float32
from speedmetal.dtypes import float64 as float64
from speedmetal.dtypes import complex64 as complex64
from speedmetal.dtypes import complex128 as complex128
from speedmetal.errors import SpeedmetalError as SpeedmetalError
from speedmetal.errors import UserInputError as UserInputError
from speedmetal.errors import UnknownNameError as UnknownNameError
from speedmetal.errors import CompileError as CompileError
from speedmetal.errors import LaunchError as LaunchError
from speedmetal.errors import DeviceError as DeviceError
from speedmetal.errors import CacheError as CacheError
from speedmetal.errors import KernelError as KernelError
from speedmetal.errors import SimulationError as SimulationError
from speedmetal.errors import InternalError as InternalError
from speedmetal.errors import FileFormatError as FileFormatError
from speedmetal.errors import OutOfMemoryError as OutOfMemoryError
from speedmetal.frontend.static import static as static
from speedmetal.launch.kernel import Kernel as Kernel
from speedmetal.launch.kernel import kernel as kernel
from speedmetal.launch.modes import debug_level as debug_level
from speedmetal.launch.modes import math_mode as math_mode
from speedmetal.launch.reflection import code as code
from speedmetal.launch.resident_threads import Occupancy as Occupancy
from speedmetal.launch.resident_threads import occupancy as occupancy
from speedmetal.tuning.autotuned import Autotuned as Autotuned
from speedmetal.tuning.stated import autotune as autotune
from speedmetal.tuning.search import AutotuneWarning as AutotuneWarning
from speedmetal.arrays.algebra import linalg as linalg
from speedmetal.arrays.algebra import fft as fft
from speedmetal import cuda as cuda
from speedmetal import metal as metal
from speedmetal import nn as nn
from speedmetal import profile as profile
from speedmetal.arrays.randomness import random as random
from speedmetal.arrays.algebra import sparse as sparse

__version__: str
__array_api_version__: str

__all__ = [
    "Array",
    "AutotuneWarning",
    "Autotuned",
    "CacheError",
    "CompileError",
    "DType",
    "DeviceError",
    "FileFormatError",
    "InternalError",
    "Kernel",
    "KernelError",
    "LaunchError",
    "Occupancy",
    "OutOfMemoryError",
    "SimulationError",
    "SpeedmetalError",
    "UnknownNameError",
    "UserInputError",
    "__array_api_version__",
    "__array_namespace_info__",
    "__version__",
    "abs",
    "absolute",
    "accumulate",
    "acos",
    "acosh",
    "add",
    "add_at",
    "all",
    "allclose",
    "angle",
    "any",
    "arange",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "argwhere",
    "array",
    "array_equal",
    "array_split",
    "asarray",
    "asin",
    "asinh",
    "astype",
    "async_copy",
    "async_copy_group",
    "async_copy_wait",
    "atan",
    "atan2",
    "atanh",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "atomic_add",
    "atomic_and",
    "atomic_compare_exchange",
    "atomic_exchange",
    "atomic_load",
    "atomic_max",
    "atomic_min",
    "atomic_or",
    "atomic_store",
    "atomic_sub",
    "atomic_update",
    "atomic_xor",
    "autotune",
    "average",
    "bfloat16",
    "bincount",
    "bitcast",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "bool",
    "bool_",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "can_cast",
    "capture",
    "cbrt",
    "cdiv",
    "ceil",
    "clamp",
    "clip",
    "clz",
    "code",
    "column_stack",
    "complex128",
    "complex64",
    "concat",
    "concatenate",
    "conj",
    "conjugate",
    "convolve",
    "copysign",
    "cos",
    "cosh",
    "cospi",
    "count",
    "count_nonzero",
    "ctz",
    "cuda",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "debug_level",
    "default_device",
    "deg2rad",
    "degrees",
    "device",
    "devices",
    "diag",
    "diagonal",
    "diff",
    "digitize",
    "divide",
    "dot",
    "dstack",
    "e",
    "einsum",
    "empty",
    "empty_cache",
    "empty_like",
    "equal",
    "erf",
    "erfc",
    "erfinv",
    "eval",
    "exp",
    "exp10",
    "exp2",
    "expand_dims",
    "explain",
    "expm1",
    "eye",
    "fft",
    "findall",
    "finfo",
    "flatnonzero",
    "flatten",
    "flip",
    "float16",
    "float32",
    "float64",
    "float_power",
    "floor",
    "floor_divide",
    "fma",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "frexp_exponent",
    "frexp_mantissa",
    "from_dlpack",
    "fromfunction",
    "full",
    "full_like",
    "gamma",
    "gcd",
    "gelu",
    "geomspace",
    "greater",
    "greater_equal",
    "heaviside",
    "histogram",
    "hstack",
    "hypot",
    "identity",
    "ieee_remainder",
    "iinfo",
    "imag",
    "indices",
    "inf",
    "inner",
    "int16",
    "int32",
    "int64",
    "int8",
    "int_pow",
    "interp",
    "invert",
    "isclose",
    "isdtype",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "kernel",
    "kron",
    "lcm",
    "ldexp",
    "left_shift",
    "lerp",
    "less",
    "less_equal",
    "lexsort",
    "lgamma",
    "linalg",
    "linspace",
    "load",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "logaddexp",
    "logaddexp2",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logspace",
    "logsumexp",
    "map",
    "mapreduce",
    "math_mode",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "median",
    "memory_info",
    "meshgrid",
    "metal",
    "min",
    "minimum",
    "mod",
    "modf",
    "moveaxis",
    "mulhi",
    "multiply",
    "nan",
    "nan_to_num",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "negative",
    "newaxis",
    "nextafter",
    "nn",
    "no_fusion",
    "nonzero",
    "not_equal",
    "occupancy",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "partition",
    "percentile",
    "permute_dims",
    "pi",
    "polar",
    "popcount",
    "positive",
    "pow",
    "power",
    "prod",
    "profile",
    "promote_types",
    "put_along_axis",
    "quad_all",
    "quad_and",
    "quad_any",
    "quad_ballot",
    "quad_broadcast",
    "quad_max",
    "quad_min",
    "quad_or",
    "quad_product",
    "quad_shuffle",
    "quad_shuffle_down",
    "quad_shuffle_up",
    "quad_shuffle_xor",
    "quad_sum",
    "quad_xor",
    "quantile",
    "rad2deg",
    "radians",
    "random",
    "ravel",
    "real",
    "reciprocal",
    "rect",
    "reduce",
    "relu",
    "remainder",
    "repeat",
    "reshape",
    "result_type",
    "reverse_bits",
    "right_shift",
    "rint",
    "roll",
    "rot90",
    "round",
    "rsqrt",
    "save",
    "save_safetensors",
    "savez",
    "scatter",
    "scatter_add",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_sub",
    "searchsorted",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "select",
    "sigmoid",
    "sign",
    "signbit",
    "silu",
    "simd_all",
    "simd_and",
    "simd_any",
    "simd_ballot",
    "simd_broadcast",
    "simd_broadcast_first",
    "simd_is_first",
    "simd_max",
    "simd_min",
    "simd_or",
    "simd_prefix_exclusive_product",
    "simd_prefix_exclusive_sum",
    "simd_prefix_inclusive_product",
    "simd_prefix_inclusive_sum",
    "simd_product",
    "simd_shuffle",
    "simd_shuffle_down",
    "simd_shuffle_up",
    "simd_shuffle_xor",
    "simd_sum",
    "simd_xor",
    "simdgroup_barrier",
    "simdgroup_index_in_threadgroup",
    "simdgroup_load",
    "simdgroup_matrix",
    "simdgroup_matrix_fill",
    "simdgroup_multiply",
    "simdgroup_multiply_accumulate",
    "simdgroup_store",
    "simdgroups_per_threadgroup",
    "sin",
    "sincos",
    "sinh",
    "sinpi",
    "softmax",
    "softplus",
    "sort",
    "sparse",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "static",
    "static_range",
    "std",
    "stencil",
    "subtract",
    "sum",
    "swapaxes",
    "synchronize",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tanpi",
    "tensordot",
    "thread_array",
    "thread_index_in_simdgroup",
    "thread_index_in_threadgroup",
    "thread_position_in_grid",
    "thread_position_in_threadgroup",
    "threadgroup_array",
    "threadgroup_barrier",
    "threadgroup_position_in_grid",
    "threadgroups_per_grid",
    "threads_per_grid",
    "threads_per_simdgroup",
    "threads_per_threadgroup",
    "tile",
    "topk",
    "transpose",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unstack",
    "var",
    "vdot",
    "vecdot",
    "vstack",
    "where",
    "zeros",
    "zeros_like",
]

class _Position:
    """A place or an extent with three axes."""

    x: Any
    y: Any
    z: Any
    def __iter__(self) -> Iterator[Any]: ...

def thread_position_in_grid() -> _Position:
    """Position of the thread in the grid, in threads."""

def thread_position_in_threadgroup() -> _Position:
    """Position of the thread in its threadgroup, in threads."""

def threadgroup_position_in_grid() -> _Position:
    """Position of the thread's threadgroup, in threadgroups."""

def threads_per_threadgroup() -> _Position:
    """Threads of the thread's own threadgroup; fewer than asked for at the grid's edge."""

def threadgroups_per_grid() -> _Position:
    """Threadgroups in the grid, those at the edge included."""

def threads_per_grid() -> _Position:
    """Threads in the grid: what ``grid`` said."""

def thread_index_in_threadgroup() -> Any:
    """``x + width * (y + height * z)`` of the position in the threadgroup."""

def thread_index_in_simdgroup() -> Any:
    """The thread's lane: 0 to 31."""

def simdgroup_index_in_threadgroup() -> Any:
    """Number of the thread's simdgroup: thread index // 32."""

def threads_per_simdgroup() -> Any:
    """Threads in a full simdgroup: 32 on every target."""

def simdgroups_per_threadgroup() -> Any:
    """Simdgroups of the threadgroup: ceil(threads / 32)."""

def abs(x: Any) -> Any:
    """|x|. The least signed integer stays itself. NaN stays NaN."""

def minimum(a: Any, b: Any) -> Any:
    """The smaller operand. NaN where either is NaN. minimum(-0.0, 0.0) is either zero."""

def maximum(a: Any, b: Any) -> Any:
    """The greater operand. NaN where either is NaN. maximum(-0.0, 0.0) is either zero."""

def fmin(a: Any, b: Any) -> Any:
    """The smaller operand; the other one where one is NaN."""

def fmax(a: Any, b: Any) -> Any:
    """The greater operand; the other one where one is NaN."""

def floor(x: Any) -> Any:
    """The greatest whole number not above x, as a float. NaN and infinities stay."""

def ceil(x: Any) -> Any:
    """The least whole number not below x, as a float. NaN and infinities stay."""

def trunc(x: Any) -> Any:
    """x without its fraction, as a float. NaN and infinities stay."""

def rint(x: Any) -> Any:
    """The nearest whole number, halves to the even one, as a float. NaN and infinities stay."""

def sqrt(x: Any) -> Any:
    """The square root, rounded to nearest. NaN below zero; -0.0 stays; inf gives inf."""

def fma(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` with one rounding, to float32 where the type is smaller. NaN for 0 * inf and
    for inf - inf.
    """

def copysign(a: Any, b: Any) -> Any:
    """|a| with the sign bit of b. A NaN's sign counts, too."""

def isnan(x: Any) -> Any:
    """Whether x is NaN."""

def fmod(a: Any, b: Any) -> Any:
    """``a - b * trunc(a / b)``, exact, with the sign of a. NaN for b = 0 and for infinite a; a
    for infinite b.
    """

def remainder(a: Any, b: Any) -> Any:
    """Python's ``a % b``, with the sign of b. NaN for b = 0 and for infinite a."""

def floor_divide(a: Any, b: Any) -> Any:
    """Python's ``a // b`` as NumPy computes it: ``(a - a % b) / b``, made whole. a / b for b =
    0; NaN for infinite a.
    """

def ieee_remainder(a: Any, b: Any) -> Any:
    """``a - b * n`` with the whole n nearest to a / b, the even one of two; exact. NaN for b = 0
    and for infinite a.
    """

def isinf(x: Any) -> Any:
    """Whether x is an infinity; false for NaN."""

def isfinite(x: Any) -> Any:
    """Whether x is neither infinite nor NaN."""

def signbit(x: Any) -> Any:
    """Whether the sign bit is set: for -0.0 and for negative NaN, too."""

def sign(x: Any) -> Any:
    """-1, 0 or 1. NaN stays, and so does a zero's sign."""

def clamp(x: Any, low: Any, high: Any) -> Any:
    """``minimum(maximum(x, low), high)``. NaN where any operand is NaN."""

def degrees(x: Any) -> Any:
    """Radians to degrees: ``x * (180 / pi)``. NaN and infinities stay."""

def radians(x: Any) -> Any:
    """Degrees to radians: ``x * (pi / 180)``. NaN and infinities stay."""

def frexp_mantissa(x: Any) -> Any:
    """The m in [0.5, 1), with the sign of x, of ``x = m * 2**e``. Zeros, NaN, infinities stay."""

def frexp_exponent(x: Any) -> Any:
    """The e of ``x = m * 2**e`` with m in [0.5, 1). 0 for zeros, NaN and infinities."""

def ldexp(x: Any, exponent: Any) -> Any:
    """``x * 2**exponent``, rounded once. NaN, infinities and zeros stay."""

def nextafter(a: Any, b: Any) -> Any:
    """The neighbour of a, in a's type, in the direction of b; b where they are equal; NaN where
    either is NaN.
    """

def int_pow(base: Any, exponent: Any) -> Any:
    """``base ** exponent`` of integers, which wraps. A negative exponent gives 0, and the exact
    power for the bases 1 and -1.
    """

def gcd(a: Any, b: Any) -> Any:
    """The greatest integer that divides both; the size of the other where one is 0. The least
    signed integer stays itself.
    """

def sin(x: Any) -> Any:
    """The sine of x radians. NaN at the infinities; -0.0 stays."""

def cos(x: Any) -> Any:
    """The cosine of x radians. NaN at the infinities."""

def tan(x: Any) -> Any:
    """The tangent of x radians. NaN at the infinities; -0.0 stays."""

def sinpi(x: Any) -> Any:
    """sin(pi * x). NaN at the infinities; a zero with the sign of x at whole numbers."""

def cospi(x: Any) -> Any:
    """cos(pi * x). NaN at the infinities; +0.0 at halves."""

def tanpi(x: Any) -> Any:
    """tan(pi * x): sinpi(x) / cospi(x). NaN at the infinities."""

def asin(x: Any) -> Any:
    """The angle in [-pi/2, pi/2] whose sine is x. NaN where |x| > 1; -0.0 stays."""

def acos(x: Any) -> Any:
    """The angle in [0, pi] whose cosine is x. NaN where |x| > 1."""

def atan(x: Any) -> Any:
    """The angle in [-pi/2, pi/2] whose tangent is x; the ends at the infinities."""

def atan2(y: Any, x: Any) -> Any:
    """The angle in [-pi, pi] of the point (x, y). Zeros and infinities as in C99, annex F."""

def sinh(x: Any) -> Any:
    """(exp(x) - exp(-x)) / 2. Overflows to an infinity from |x| > 89.4159; -0.0 stays."""

def cosh(x: Any) -> Any:
    """(exp(x) + exp(-x)) / 2. Overflows to inf from |x| > 89.4159."""

def tanh(x: Any) -> Any:
    """sinh(x) / cosh(x). -1 and 1 at the infinities; -0.0 stays."""

def asinh(x: Any) -> Any:
    """log(x + sqrt(x * x + 1)). Infinities and -0.0 stay."""

def acosh(x: Any) -> Any:
    """log(x + sqrt(x * x - 1)). NaN where x < 1; inf at inf."""

def atanh(x: Any) -> Any:
    """log((1 + x) / (1 - x)) / 2. Infinite at -1 and 1; NaN where |x| > 1."""

def exp(x: Any) -> Any:
    """e ** x. inf above 88.7228, 0 below -103.972 (float32); 0 at -inf."""

def exp2(x: Any) -> Any:
    """2 ** x, exact at whole numbers. inf from 128, 0 from -150 (float32)."""

def exp10(x: Any) -> Any:
    """10 ** x. inf above 38.5318, 0 below -45.1545 (float32)."""

def expm1(x: Any) -> Any:
    """e ** x - 1, without cancellation near 0. -1 at -inf; -0.0 stays."""

def log(x: Any) -> Any:
    """The natural logarithm. -inf at 0, NaN below 0, inf at inf."""

def log2(x: Any) -> Any:
    """The logarithm of base 2, exact at powers of 2. -inf at 0, NaN below 0, inf at inf."""

def log10(x: Any) -> Any:
    """The logarithm of base 10. -inf at 0, NaN below 0, inf at inf."""

def log1p(x: Any) -> Any:
    """log(1 + x), without cancellation near 0. -inf at -1, NaN below; -0.0 stays."""

def pow(a: Any, b: Any) -> Any:
    """a ** b. NaN for a < 0 with b not whole; zeros, infinities and NaN as in C99, annex F:
    pow(1, b) and pow(a, 0) are 1 whatever the other is.
    """

def rsqrt(x: Any) -> Any:
    """1 / sqrt(x). inf at 0.0, -inf at -0.0, NaN below 0, 0 at inf."""

def cbrt(x: Any) -> Any:
    """The real cube root, of negative numbers too. Infinities and zeros stay."""

def hypot(a: Any, b: Any) -> Any:
    """sqrt(a * a + b * b) without overflow on the way. inf where either is infinite."""

def erf(x: Any) -> Any:
    """2 / sqrt(pi) times the integral of exp(-t * t) from 0 to x. -1 and 1 at the infinities."""

def erfc(x: Any) -> Any:
    """1 - erf(x), without cancellation. 0 at inf, 2 at -inf."""

def erfinv(x: Any) -> Any:
    """The y with erf(y) = x. Infinite at -1 and 1; NaN where |x| > 1."""

def gamma(x: Any) -> Any:
    """The gamma function. inf at 0.0, -inf at -0.0; NaN at negative whole numbers and at -inf;
    inf above 35.0401 (float32).
    """

def lgamma(x: Any) -> Any:
    """log(|gamma(x)|). inf at 0, at negative whole numbers and at the infinities. Left of 0,
    where it has zeros, the bound is in units in the last place of lgamma(-x) + 4.
    """

def popcount(x: Any) -> Any:
    """How many bits of ``x`` are 1."""

def clz(x: Any) -> Any:
    """How many zeros stand above the highest 1; the width of the type for 0."""

def ctz(x: Any) -> Any:
    """How many zeros stand below the lowest 1; the width of the type for 0."""

def reverse_bits(x: Any) -> Any:
    """The bits of ``x`` in the opposite order."""

def mulhi(a: Any, b: Any) -> Any:
    """The high half of the exact product: ``(a * b) >> width`` without overflow."""

def simd_sum(x: Any, width: Any = 32) -> Any:
    """The sum over the active threads; the order of a float sum is unspecified. `width` (a
    constant: 2, 4, 8, 16 or 32) makes each group of so many neighbouring lanes reduce its own
    values.
    """

def simd_product(x: Any, width: Any = 32) -> Any:
    """The product over the active threads; order as in sum. `width` (a constant: 2, 4, 8, 16 or
    32) makes each group of so many neighbouring lanes reduce its own values.
    """

def simd_min(x: Any, width: Any = 32) -> Any:
    """The least value of the active threads; a NaN among them gives NaN. `width` (a constant: 2,
    4, 8, 16 or 32) makes each group of so many neighbouring lanes reduce its own values.
    """

def simd_max(x: Any, width: Any = 32) -> Any:
    """The greatest value of the active threads; a NaN among them gives NaN. `width` (a constant:
    2, 4, 8, 16 or 32) makes each group of so many neighbouring lanes reduce its own values.
    """

def simd_and(x: Any, width: Any = 32) -> Any:
    """The bitwise and over the active threads. `width` (a constant: 2, 4, 8, 16 or 32) makes
    each group of so many neighbouring lanes reduce its own values.
    """

def simd_or(x: Any, width: Any = 32) -> Any:
    """The bitwise or over the active threads. `width` (a constant: 2, 4, 8, 16 or 32) makes each
    group of so many neighbouring lanes reduce its own values.
    """

def simd_xor(x: Any, width: Any = 32) -> Any:
    """The bitwise exclusive or over the active threads. `width` (a constant: 2, 4, 8, 16 or 32)
    makes each group of so many neighbouring lanes reduce its own values.
    """

def simd_shuffle(x: Any, lane: Any) -> Any:
    """The value of the thread with that lane. Lanes are those of the simdgroup."""

def simd_shuffle_up(x: Any, delta: Any) -> Any:
    """The value of the thread ``delta`` lanes below; own value if none. Lanes are those of the
    simdgroup.
    """

def simd_shuffle_down(x: Any, delta: Any) -> Any:
    """The value of the thread ``delta`` lanes above; own value if none. Lanes are those of the
    simdgroup.
    """

def simd_shuffle_xor(x: Any, mask: Any) -> Any:
    """The value of the thread whose lane is own lane ^ ``mask``. Lanes are those of the
    simdgroup.
    """

def simd_broadcast(x: Any, lane: Any) -> Any:
    """The value of the thread with that lane, which is the same for all. Lanes are those of the
    simdgroup.
    """

def simd_ballot(predicate: Any) -> Any:
    """A bit for each lane of the simdgroup: set where it is active and the predicate true."""

def simd_any(predicate: Any) -> Any:
    """Whether the predicate is true in any active thread."""

def simd_all(predicate: Any) -> Any:
    """Whether the predicate is true in all active threads."""

def simd_prefix_inclusive_sum(x: Any) -> Any:
    """The sum over the active threads up to this one, itself included."""

def simd_prefix_exclusive_sum(x: Any) -> Any:
    """The sum over the active threads before this one; 0 in the first."""

def simd_prefix_inclusive_product(x: Any) -> Any:
    """The product over the active threads up to this one, included."""

def simd_prefix_exclusive_product(x: Any) -> Any:
    """The product over the active threads before this; 1 in the first."""

def simd_broadcast_first(x: Any) -> Any:
    """The value of the active thread of lowest lane."""

def simd_is_first() -> Any:
    """Whether the thread is the active one of lowest lane."""

def quad_sum(x: Any) -> Any:
    """The sum over the active threads; the order of a float sum is unspecified."""

def quad_product(x: Any) -> Any:
    """The product over the active threads; order as in sum."""

def quad_min(x: Any) -> Any:
    """The least value of the active threads; a NaN among them gives NaN."""

def quad_max(x: Any) -> Any:
    """The greatest value of the active threads; a NaN among them gives NaN."""

def quad_and(x: Any) -> Any:
    """The bitwise and over the active threads."""

def quad_or(x: Any) -> Any:
    """The bitwise or over the active threads."""

def quad_xor(x: Any) -> Any:
    """The bitwise exclusive or over the active threads."""

def quad_shuffle(x: Any, lane: Any) -> Any:
    """The value of the thread with that lane. Lanes are those of the quad."""

def quad_shuffle_up(x: Any, delta: Any) -> Any:
    """The value of the thread ``delta`` lanes below; own value if none. Lanes are those of the
    quad.
    """

def quad_shuffle_down(x: Any, delta: Any) -> Any:
    """The value of the thread ``delta`` lanes above; own value if none. Lanes are those of the
    quad.
    """

def quad_shuffle_xor(x: Any, mask: Any) -> Any:
    """The value of the thread whose lane is own lane ^ ``mask``. Lanes are those of the quad."""

def quad_broadcast(x: Any, lane: Any) -> Any:
    """The value of the thread with that lane, which is the same for all. Lanes are those of the
    quad.
    """

def quad_ballot(predicate: Any) -> Any:
    """A bit for each lane of the quad: set where it is active and the predicate true."""

def quad_any(predicate: Any) -> Any:
    """Whether the predicate is true in any active thread."""

def quad_all(predicate: Any) -> Any:
    """Whether the predicate is true in all active threads."""

def simdgroup_matrix_fill(value: Any) -> Any:
    """The 8x8 matrix whose elements are ``value``."""

def simdgroup_multiply(a: Any, b: Any) -> Any:
    """The matrix product ``a @ b``."""

def simdgroup_multiply_accumulate(a: Any, b: Any, c: Any) -> Any:
    """``a @ b + c``."""

def threadgroup_array(shape: Any, dtype: Any) -> Any:
    """Memory that the threads of a threadgroup share; its values at first are unspecified.
    `shape` has constants, or expressions over scalar parameters, sizes of arrays and
    threads_per_threadgroup(). A launch for which the arrays do not fit into the device's
    threadgroup memory is refused.
    """

def thread_array(shape: Any, dtype: Any) -> Any:
    """Memory of each thread's own, of a constant shape; its values at first are unspecified. A
    thread has 16 KiB.
    """

def threadgroup_barrier(memory: Any = "threadgroup") -> None:
    """Every thread of the threadgroup arrives; writes before it to the named memory are seen
    after it. `memory` is "threadgroup", "device", "all" or "none". Where some threads go round
    it, the result is undefined; debug level 2 finds it.
    """

def simdgroup_barrier(memory: Any = "threadgroup") -> None:
    """The same among the threads of a simdgroup."""

def atomic_load(array: Any, index: Any) -> Any:
    """Reads an element at once."""

def atomic_store(array: Any, index: Any, value: Any) -> None:
    """Writes an element at once; returns nothing."""

def atomic_exchange(array: Any, index: Any, value: Any) -> Any:
    """Writes an element. The old value is returned. `index` is an int, or a tuple with an int
    for each axis.
    """

def atomic_compare_exchange(array: Any, index: Any, expected: Any, desired: Any) -> Any:
    """Writes `desired` where the element has the bits of `expected`. The old value is returned.
    `index` is an int, or a tuple with an int for each axis.
    """

def atomic_add(array: Any, index: Any, value: Any) -> Any:
    """Adds to an element. The old value is returned. `index` is an int, or a tuple with an int
    for each axis.
    """

def atomic_sub(array: Any, index: Any, value: Any) -> Any:
    """Subtracts from an element. The old value is returned. `index` is an int, or a tuple with
    an int for each axis.
    """

def atomic_min(array: Any, index: Any, value: Any) -> Any:
    """Makes an element the smaller of itself and `value`. The old value is returned. `index` is
    an int, or a tuple with an int for each axis.
    """

def atomic_max(array: Any, index: Any, value: Any) -> Any:
    """Makes an element the greater of itself and `value`. The old value is returned. `index` is
    an int, or a tuple with an int for each axis.
    """

def atomic_and(array: Any, index: Any, value: Any) -> Any:
    """Bitwise and into an element. The old value is returned. `index` is an int, or a tuple with
    an int for each axis.
    """

def atomic_or(array: Any, index: Any, value: Any) -> Any:
    """Bitwise or into an element. The old value is returned. `index` is an int, or a tuple with
    an int for each axis.
    """

def atomic_xor(array: Any, index: Any, value: Any) -> Any:
    """Bitwise exclusive or into an element. The old value is returned. `index` is an int, or a
    tuple with an int for each axis.
    """

def atomic_update(array: Any, index: Any, function: Any, value: Any) -> Any:
    """Makes an element `function(element, value)`, by compare-and-exchange until it succeeds;
    `function` must have no effects. The old value is returned. `index` is an int, or a tuple
    with an int for each axis.
    """

@overload
def static_range(stop: Any, /) -> range:
    """A `range` over constants whose loop is unrolled: the loop variable is a constant."""

@overload
def static_range(start: Any, stop: Any, step: Any = 1, /) -> range:
    """A `range` over constants whose loop is unrolled: the loop variable is a constant."""

def cdiv(a: Any, b: Any) -> Any:
    """The quotient of integers rounded up."""

def simdgroup_matrix(value: Any, dtype: Any, shape: Any = (8, 8)) -> Any:
    """A matrix, held by the threads of a simdgroup together, filled with `value`. Its rows and
    columns, `shape`, are multiples of 8.
    """

def simdgroup_load(array: Any, origin: Any, transpose: Any = False, shape: Any = (8, 8)) -> Any:
    """The block of a two-dimensional array that starts at `origin`, (row, column), as a matrix
    of `shape`; with `transpose`, a block of the transposed shape, transposed.
    """

def simdgroup_store(matrix: Any, array: Any, origin: Any) -> None:
    """Writes a matrix into a two-dimensional array, from `origin` on: (row, column)."""

def async_copy(array: Any, index: Any, source: Any, source_index: Any, count: Any) -> None:
    """The thread copies `count` neighbours along the last axis, from `source`, in device memory,
    to `array`, in threadgroup memory, and goes on without waiting for them where the device can;
    elsewhere it copies at once. They are there after sm.async_copy_wait(), for other threads
    after a barrier behind that; until then nobody accesses them. `count` is a constant, at most
    16; NVIDIA GPUs copy 4, 8 or 16 bytes at once where both places are multiples of as many.
    """

def async_copy_group() -> None:
    """The copies that the thread has asked for since the last group form a group, for
    sm.async_copy_wait(); it may be empty.
    """

def async_copy_wait(pending: Any = 0) -> None:
    """The thread waits for its copies, except those of its latest `pending` groups, a constant.
    With 0 it waits for those that are in no group, too.
    """

def bitcast(x: Any, dtype: Any) -> Any:
    """The same bits as another type of the same size."""

def select(condition: Any, when_true: Any, when_false: Any) -> Any:
    """One of two values, both of which are evaluated; numbers are promoted to a common type."""

def sincos(x: Any) -> tuple[Any, Any]:
    """The pair (sin(x), cos(x))."""

def frexp(x: Any) -> tuple[Any, Any]:
    """The pair (mantissa, exponent): mantissa * 2**exponent is x, 0.5 <= |mantissa| < 1."""

def modf(x: Any) -> tuple[Any, Any]:
    """The pair (fraction, whole part), both floats with the sign of x; NaN gives NaN twice."""

def conj(z: Any) -> Any:
    """The complex conjugate; a real number itself."""

def angle(z: Any) -> Any:
    """The angle of a complex number, from -pi to pi: atan2(z.imag, z.real)."""

def polar(z: Any) -> tuple[Any, Any]:
    """The pair (abs(z), angle(z))."""

def rect(r: Any, phi: Any) -> Any:
    """The complex number r * (cos(phi) + i sin(phi))."""

def where(condition: Any, when_true: Any, when_false: Any) -> Any:
    """One of two values, both of which are evaluated; numbers are promoted to a common type."""
