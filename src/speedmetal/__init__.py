"""speedmetal: program Apple GPUs, NVIDIA GPUs and CPUs in Python, and know how fast they are.

Names are imported when they are first used, so that the command line's help is there at once and
``import speedmetal`` costs next to nothing. What type checkers and editors see of them is
``__init__.pyi``, which ``tools/generate_stub.py`` writes from the tables.
"""

__version__ = "0.1.0"
__array_api_version__ = "2025.12"  # of the Python array API standard

# Where each name lives. Intrinsics (`sm.sin`) and constructs (`sm.threadgroup_array`) are looked up
# in their tables instead, which are the one list of them.
_HOMES = {
    "speedmetal.arrays.array": ("Array",),
    "speedmetal.arrays.algebra.contraction": ("einsum",),
    "speedmetal.arrays.creation": (
        *("arange", "array", "asarray", "empty", "empty_like", "from_dlpack", "full"),
        *("full_like", "linspace", "ones", "ones_like", "zeros", "zeros_like"),
    ),
    "speedmetal.arrays.datatypes": (
        *("astype", "can_cast", "finfo", "iinfo", "isdtype", "promote_types", "result_type"),
    ),
    "speedmetal.arrays.shaping.diagonals": ("diag", "diagonal", "eye", "identity", "tril", "triu"),
    "speedmetal.arrays.elementwise.activations": (
        *("gelu", "relu", "sigmoid", "silu", "softplus"),
    ),
    "speedmetal.arrays.elementwise.aliases": (
        *("absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh"),
        *("deg2rad", "mod", "rad2deg"),
    ),
    "speedmetal.arrays.elementwise.arithmetic": (
        *("add", "divide", "float_power", "heaviside", "lcm", "lerp", "multiply", "negative"),
        *("positive", "power", "reciprocal", "square", "subtract", "true_divide"),
    ),
    "speedmetal.arrays.elementwise.bits": (
        *("bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or"),
        *("bitwise_right_shift", "bitwise_xor", "invert", "left_shift", "logical_and"),
        *("logical_not", "logical_or", "logical_xor", "right_shift"),
    ),
    "speedmetal.arrays.elementwise.comparisons": (
        *("allclose", "array_equal", "equal", "greater", "greater_equal", "isclose", "less"),
        *("less_equal", "not_equal"),
    ),
    "speedmetal.arrays.elementwise.complex_numbers": ("conjugate", "imag", "real"),
    "speedmetal.arrays.elementwise.exponentials": ("logaddexp", "logaddexp2"),
    "speedmetal.arrays.elementwise.rounding": ("clip", "nan_to_num", "round"),
    "speedmetal.arrays.evaluation": ("eval", "no_fusion"),
    "speedmetal.arrays.explaining": ("explain",),
    "speedmetal.arrays.indices.taking": ("put_along_axis", "take", "take_along_axis"),
    "speedmetal.arrays.shaping.grids": (
        "fromfunction",
        "geomspace",
        "indices",
        "logspace",
        "meshgrid",
    ),
    "speedmetal.arrays.user_functions.higher_order": (
        *("accumulate", "count", "findall", "map", "mapreduce", "reduce", "stencil"),
    ),
    "speedmetal.arrays.order.histograms": ("bincount", "digitize", "histogram"),
    "speedmetal.arrays.inspection": (
        *("__array_namespace_info__", "e", "inf", "nan", "newaxis", "pi"),
    ),
    "speedmetal.arrays.order.interpolation": ("interp",),
    "speedmetal.arrays.shaping.joining": (
        *("column_stack", "concat", "concatenate", "dstack", "hstack", "stack", "vstack"),
    ),
    "speedmetal.arrays.shaping.manipulation": (
        *("array_split", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays"),
        *("broadcast_shapes", "broadcast_to", "expand_dims", "flatten", "flip"),
        *("moveaxis", "permute_dims", "ravel", "reshape", "rot90", "split"),
        *("squeeze", "swapaxes", "transpose", "unstack"),
    ),
    "speedmetal.arrays.along_axes.nan_reductions": (
        *("nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar"),
    ),
    "speedmetal.arrays.shaping.neighbours": ("convolve", "diff"),
    "speedmetal.arrays.shaping.padding": ("pad",),
    "speedmetal.arrays.algebra.products": (
        *("dot", "inner", "matmul", "matrix_transpose", "outer", "tensordot", "vdot", "vecdot"),
    ),
    "speedmetal.arrays.along_axes.quantiles": (
        *("median", "nanmedian", "nanquantile", "percentile", "quantile"),
    ),
    "speedmetal.arrays.shaping.rearranging": ("kron", "repeat", "roll", "tile"),
    "speedmetal.arrays.along_axes.reductions": (
        *("all", "any", "argmax", "argmin", "average", "count_nonzero", "max", "mean", "min"),
        *("prod", "std", "sum", "var"),
    ),
    "speedmetal.arrays.files.saving": ("load", "save", "save_safetensors", "savez"),
    "speedmetal.arrays.along_axes.scans": (
        *("cummax", "cummin", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum"),
        "logcumsumexp",
    ),
    "speedmetal.arrays.indices.scattering": (
        *("add_at", "scatter", "scatter_add", "scatter_max", "scatter_min", "scatter_mul"),
        *("scatter_sub", "segment_max", "segment_min", "segment_prod", "segment_sum"),
    ),
    "speedmetal.arrays.indices.searching": ("argwhere", "flatnonzero", "nonzero", "searchsorted"),
    "speedmetal.arrays.order.sets": (
        *("isin", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"),
    ),
    "speedmetal.arrays.along_axes.softmaxes": ("log_softmax", "logsumexp", "softmax"),
    "speedmetal.arrays.order.sorting": (
        *("argpartition", "argsort", "lexsort", "partition", "sort", "topk"),
    ),
    "speedmetal.arrays.deferred.capturing": ("capture",),
    "speedmetal.backends.registry": (
        *("default_device", "device", "devices", "empty_cache", "memory_info", "synchronize"),
    ),
    "speedmetal.dtypes": (
        *("DType", "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
        *("uint64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
    ),
    "speedmetal.errors": (
        *("SpeedmetalError", "UserInputError", "UnknownNameError", "CompileError", "LaunchError"),
        *("DeviceError", "CacheError", "KernelError", "SimulationError", "InternalError"),
        *("FileFormatError", "OutOfMemoryError"),
    ),
    "speedmetal.frontend.static": ("static",),
    "speedmetal.launch.kernel": ("Kernel", "kernel"),
    "speedmetal.launch.modes": ("debug_level", "math_mode"),
    "speedmetal.launch.reflection": ("code",),
    "speedmetal.launch.resident_threads": ("Occupancy", "occupancy"),
    "speedmetal.tuning.autotuned": ("Autotuned",),
    "speedmetal.tuning.stated": ("autotune",),
    "speedmetal.tuning.search": ("AutotuneWarning",),
}
_NAMESPACES = {
    "linalg": "speedmetal.arrays.algebra.linalg",
    "fft": "speedmetal.arrays.algebra.fft",
    "cuda": "speedmetal.cuda",
    "metal": "speedmetal.metal",
    "nn": "speedmetal.nn",
    "profile": "speedmetal.profile",
    "random": "speedmetal.arrays.randomness.random",
    "sparse": "speedmetal.arrays.algebra.sparse",
}
# Names of the array API that are Python's own, so that no module but this one may have them.
_ALIASES = {"bool": "bool_"}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def _language() -> dict[str, object]:
    """The names of the kernel language: intrinsics and constructs."""
    from speedmetal.intrinsics import TABLE, constructs

    return {**TABLE, **constructs.TABLE}


def __getattr__(name: str) -> object:
    if name.startswith("_") and name != "__all__" and name not in _HOME:
        # What Python itself asks for must not import anything.
        raise AttributeError(f"module 'speedmetal' has no attribute {name!r}")
    from speedmetal.common.garbage import rare_collections

    with rare_collections():
        value = _find(name)
    globals()[name] = value
    return value


def _find(name: str) -> object:
    from importlib import import_module

    if name == "bfloat16":  # whoever asks for it may go on with np.dtype("bfloat16")
        import_module("ml_dtypes")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), _ALIASES.get(name, name))
    if name in _NAMESPACES:
        return import_module(_NAMESPACES[name])
    if name == "__all__":
        return sorted(["__array_api_version__", "__version__", *_HOME, *_NAMESPACES, *_language()])
    if _is_module(name):
        # A module, asked for before it was imported. (`from speedmetal import compiler` asks here
        # first; looking into the language's tables would import them for nothing.)
        return import_module(f"speedmetal.{name}")
    return _from_language(name)


def _is_module(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(f"speedmetal.{name}") is not None


def _from_language(name: str) -> object:
    language = _language()
    if name in language:
        return language[name]
    import difflib
    import sys

    homes = [space for space in _PARTS if name in _names_of(space)]
    near = difflib.get_close_matches(name, [*_HOME, *language], n=3)
    found = [f"sm.{space}.{name}" for space in homes] or near
    guess = f"; did you mean {' or '.join(found)}?" if found else ""
    if not homes and callable(getattr(sys.modules.get("numpy"), name, None)):
        guess = f"; np.{name} takes arrays of speedmetal" + guess
    raise AttributeError(f"module 'speedmetal' has no attribute {name!r}{guess}")


_PARTS = ("linalg", "fft", "random", "nn")


def _names_of(space: str) -> list[str]:
    from importlib import import_module

    return import_module(_NAMESPACES[space]).__all__


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_NAMESPACES, *_language()})
