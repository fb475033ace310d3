"""What was meant by a name that does not exist: a near one, or ours for another language's."""

from __future__ import annotations

from collections.abc import Iterable

from speedmetal import dtypes
from speedmetal.intrinsics import TABLE, constructs
from speedmetal.intrinsics.record import IntrinsicKind

FOREIGN: dict[str, str] = {
    # CUDA C++
    "threadIdx": "sm.thread_position_in_threadgroup()",
    "blockIdx": (
        "sm.threadgroup_position_in_grid(), or sm.thread_position_in_grid() for"
        " blockIdx * blockDim + threadIdx"
    ),
    "blockDim": "sm.threads_per_threadgroup()",
    "gridDim": "sm.threadgroups_per_grid()",
    "warpSize": "sm.threads_per_simdgroup()",
    "__syncthreads": "sm.threadgroup_barrier()",
    "__syncwarp": "sm.simdgroup_barrier()",
    "__threadfence": 'sm.threadgroup_barrier(memory="device")',
    "__shared__": "sm.threadgroup_array(shape, dtype)",
    "__shfl_sync": "sm.simd_shuffle(x, lane)",
    "__shfl_up_sync": "sm.simd_shuffle_up(x, delta)",
    "__shfl_down_sync": "sm.simd_shuffle_down(x, delta)",
    "__shfl_xor_sync": "sm.simd_shuffle_xor(x, mask)",
    "__ballot_sync": "sm.simd_ballot(p)",
    "__any_sync": "sm.simd_any(p)",
    "__all_sync": "sm.simd_all(p)",
    "__popc": "sm.popcount(x)",
    "__clz": "sm.clz(x)",
    "__brev": "sm.reverse_bits(x)",
    "__fdividef": "a / b",
    "printf": 'print("x =", x)',
    "make_float2": "a tuple, (x, y)",
    "make_float4": "a tuple, (x, y, z, w)",
    "atomicAdd": "sm.atomic_add(array, index, value)",
    "atomicSub": "sm.atomic_sub(array, index, value)",
    "atomicMin": "sm.atomic_min(array, index, value)",
    "atomicMax": "sm.atomic_max(array, index, value)",
    "atomicAnd": "sm.atomic_and(array, index, value)",
    "atomicOr": "sm.atomic_or(array, index, value)",
    "atomicXor": "sm.atomic_xor(array, index, value)",
    "atomicExch": "sm.atomic_exchange(array, index, value)",
    "atomicCAS": "sm.atomic_compare_exchange(array, index, expected, desired)",
    # Python's other kernel languages
    "grid": "sm.thread_position_in_grid()",
    "gridsize": "sm.threads_per_grid()",
    "syncthreads": "sm.threadgroup_barrier()",
    "syncwarp": "sm.simdgroup_barrier()",
    "shared": "sm.threadgroup_array(shape, dtype)",
    "local": "sm.thread_array(shape, dtype)",
    "laneid": "sm.thread_index_in_simdgroup()",
    "warpsize": "sm.threads_per_simdgroup()",
    "program_id": "sm.threadgroup_position_in_grid()",
    "tid": "sm.thread_position_in_grid()",
    "thread_id": "sm.thread_position_in_grid()",
    "atomic": "sm.atomic_add(array, index, value)",
    "shared_array": "sm.threadgroup_array(shape, dtype)",
    "local_array": "sm.thread_array(shape, dtype)",
    # C and Python's own
    "true": "True",
    "false": "False",
    "null": "None",
    "float": "sm.float32",
    "double": "sm.float64",
    "half": "sm.float16",
    "int": "sm.int32",
    "uint": "sm.uint32",
    "fabs": "abs(x)",
    "fmaxf": "max(a, b)",
    "fminf": "min(a, b)",
    "M_PI": "math.pi",
    "INFINITY": "math.inf",
    "NAN": "math.nan",
    # Random numbers
    "random": "sm.random.uniform(seed, counter)",
    "rand": "sm.random.uniform(seed, counter)",
    "uniform": "sm.random.uniform(seed, counter)",
    "randn": "sm.random.normal(seed, counter)",
    "gauss": "sm.random.normal(seed, counter)",
    "normal": "sm.random.normal(seed, counter)",
    "randint": "sm.random.bits(seed, counter)",
    # OpenCL
    "get_global_id": "sm.thread_position_in_grid()",
    "get_local_id": "sm.thread_position_in_threadgroup()",
    "get_group_id": "sm.threadgroup_position_in_grid()",
    "get_local_size": "sm.threads_per_threadgroup()",
    "get_num_groups": "sm.threadgroups_per_grid()",
    "get_global_size": "sm.threads_per_grid()",
    "barrier": "sm.threadgroup_barrier()",
    "atomic_inc": "sm.atomic_add(array, index, 1)",
    "atomic_dec": "sm.atomic_sub(array, index, 1)",
    "atomic_cmpxchg": "sm.atomic_compare_exchange(array, index, expected, desired)",
    # Metal attributes and functions
    "dispatch_threads_per_threadgroup": "sm.threads_per_threadgroup()",
    "thread_index_in_quadgroup": "sm.thread_index_in_simdgroup() % 4",
    "dispatch_simdgroups_per_threadgroup": "sm.simdgroups_per_threadgroup()",
    "atomic_fetch_add_explicit": "sm.atomic_add(array, index, value)",
    "atomic_fetch_sub_explicit": "sm.atomic_sub(array, index, value)",
    "atomic_fetch_min_explicit": "sm.atomic_min(array, index, value)",
    "atomic_fetch_max_explicit": "sm.atomic_max(array, index, value)",
    "as_type": "sm.bitcast(x, dtype)",
}
"""Words of other kernel languages, and ours."""

_POSITIONS = {name for name, record in TABLE.items() if record.kind is IntrinsicKind.POSITION}
_OURS: dict[str, str] = {
    **{name: f"sm.{name}" for name in (*(d.name for d in dtypes.ALL), *constructs.TABLE, *TABLE)},
    **{name: f"sm.{name}()" for name in _POSITIONS},
}
"""Our own names, as kernels write them."""


def unknown_name(name: str, visible: Iterable[str]) -> str:
    """What to say about a name that nothing has.

    >>> unknown_name("__expf", [])
    "the name '__expf' does not exist; did you mean sm.exp?"
    >>> unknown_name("X", ["x"])
    "the name 'X' does not exist; did you mean x?"
    """
    plain = name.strip("_")
    ours = _OURS.get(plain) or _OURS.get(plain.removesuffix("f"))
    near = suggest_names(name, visible)
    if ours is not None and name not in FOREIGN:
        near = f"; did you mean {ours}?"
    return f"the name {name!r} does not exist{near}"


def suggest_names(name: str, visible: Iterable[str]) -> str:
    """``; did you mean ...?``, or nothing.

    >>> suggest_names("threadIdx", []), suggest_names("lenght", ["length", "width"])
    ('; did you mean sm.thread_position_in_threadgroup()?', '; did you mean length?')
    >>> suggest_names("q", [])
    ''
    """
    if name in FOREIGN:
        return f"; did you mean {FOREIGN[name]}?"
    names = sorted(set(visible))
    near = [other for other in names if other.lower() == name.lower()]
    if not near:
        import difflib  # for messages alone

        near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""
