"""Every Hypothesis strategy of the tests, in one place."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import speedmetal as sm
from speedmetal.arrays.assembling import dense_copy
from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    CeilingRecord,
    Check,
    Conditions,
    Contender,
    CopyPoint,
    EnvironmentRecord,
    FindingRecord,
    Memory,
    Record,
    RunRecord,
    Status,
    Timing,
)

# Texts that break naive writers: line ends of all kinds, quotes, separators of CSV and Markdown,
# HTML, terminal markup, nulls, right-to-left and combining marks, characters beyond 16 bits.
NASTY_TEXTS = (
    *(
        "",
        " ",
        "\n",
        "\r\n",
        "\u2028\u2029",
        "\x85",
        "\0",
        "\t|\t",
        "a|b",
        'say "no"',
        "it's",
        "\\",
    ),
    *("a,b;c", "<script>alert(1)</script>", "&amp;", "[bold]x[/bold]", "{{ x }}", "%s", "\x1b[31m"),
    *("\u202eevil", "e\u0301", "\U0001f40d", "\ufeff", "=1+1", "None", "nan", "../../etc"),
)


def texts(max_size: int = 30) -> st.SearchStrategy[str]:
    """Any text that UTF-8 can carry, often a nasty one."""
    plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=max_size)
    return st.one_of(st.sampled_from(NASTY_TEXTS), plain)


finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=1e-12, max_value=1e12)
sizes = st.integers(min_value=0, max_value=2**62)
counts = st.integers(min_value=1, max_value=10_000)
nanoseconds = st.integers(min_value=1, max_value=10**15)
# What operations use as parameters: numbers, words, switches, shapes.
parameter_values = st.one_of(
    st.integers(min_value=-(2**53), max_value=2**53),
    finite,
    st.booleans(),
    st.none(),
    texts(10),
    st.lists(st.integers(min_value=0, max_value=2**31), max_size=4),
)
parameters = st.dictionaries(texts(10), parameter_values, max_size=5)
string_maps = st.dictionaries(texts(10), texts(20), max_size=4)

specs = st.builds(
    CaseSpec,
    operation=texts(10),
    title=texts(10),
    family=texts(10),
    arguments=texts(),
    parameters=parameters,
    dtype=st.sampled_from(["float32", "float16", "bfloat16"]),
    precision=st.sampled_from(["ieee", "tf32"]),
    direction=st.sampled_from(["forward", "backward"]),
    published=st.booleans(),
    bytes_minimum=sizes,
    flops=sizes,
)

contenders = st.builds(
    Contender,
    framework=st.sampled_from(["numpy", "mlx", "torch", "jax", "drjit", "speedmetal"]),
    device=st.sampled_from(["cpu", "gpu", "mps", "cuda"]),
    mode=st.sampled_from(["eager", "compiled"]),
    version=texts(10),
    device_name=texts(),
)

checks = st.builds(
    Check,
    max_absolute=finite,
    max_relative=finite,
    rms_relative=finite,
    tolerance_max=finite,
    tolerance_rms=finite,
    elements=sizes,
    outputs=counts,
    nan_matches=st.booleans(),
    second_seed=st.sampled_from(["reference", "changed"]),
    passed=st.booleans(),
    failure=texts(),
)


@st.composite
def timings(draw: st.DrawFn, max_rounds: int = 12) -> Timing:
    """Timings whose lists belong together: one round and one position a sample."""
    samples = draw(st.lists(nanoseconds, min_size=1, max_size=max_rounds))
    control = draw(st.lists(nanoseconds, max_size=len(samples)))
    return Timing(
        mode=draw(st.sampled_from(["latency", "throughput"])),
        cache=draw(st.sampled_from(["warm", "cold"])),
        calls_per_sample=draw(counts),
        samples_nanoseconds=samples,
        rounds=list(range(len(samples))),
        positions=draw(
            st.lists(
                st.integers(min_value=0, max_value=9), min_size=len(samples), max_size=len(samples)
            )
        ),
        first_call_nanoseconds=draw(nanoseconds),
        input_sets=draw(counts),
        device_nanoseconds=draw(st.one_of(st.just([]), st.just(samples))),
        control_nanoseconds=control,
        control_rounds=list(range(len(control))),
        converged=draw(st.booleans()),
        wake_call=draw(st.booleans()),
    )


memories = st.builds(
    Memory,
    host_resident=st.none() | sizes,
    host_peak=st.none() | sizes,
    device_peak=st.none() | sizes,
)

conditions = st.builds(
    Conditions,
    load_before=st.none() | finite,
    load_after=st.none() | finite,
    frequency_before_mhz=st.none() | finite,
    frequency_after_mhz=st.none() | finite,
    temperature_before_celsius=st.none() | finite,
    temperature_after_celsius=st.none() | finite,
)

sessions = st.integers(min_value=1, max_value=99)
run_ids = texts(12)
times = st.just("2025-03-04T05:06:07Z")

case_records = st.builds(
    CaseRecord,
    run_id=run_ids,
    session=sessions,
    time_utc=times,
    case=specs,
    contender=contenders,
    environment=texts(12),
    group=texts(12),
    status=st.sampled_from(Status),
    reason=texts(),
    check=st.none() | checks,
    timing=st.none() | timings(),
    memory=st.none() | memories,
    conditions=st.none() | conditions,
    notes=st.lists(texts(), max_size=3),
).filter(lambda record: record.timing is not None or not record.status.has_time)

# Powers of two: sizes of all magnitudes are equally likely.
working_sets = st.integers(min_value=0, max_value=40).map(lambda power: 2**power)
copy_points = st.builds(CopyPoint, working_set_bytes=working_sets, bytes_per_second=positive)

ceiling_records = st.builds(
    CeilingRecord,
    run_id=run_ids,
    session=sessions,
    time_utc=times,
    environment=texts(12),
    device=texts(12),
    copy=st.lists(copy_points, max_size=4),
    read=st.lists(copy_points, max_size=4),
    flops_per_second=st.dictionaries(texts(10), positive, max_size=3),
    call_floor_seconds=st.dictionaries(texts(10), positive, max_size=3),
)

environment_records = st.builds(
    EnvironmentRecord,
    system=texts(),
    chip=texts(),
    cores=counts,
    core_split=texts(8),
    memory_bytes=sizes,
    last_level_cache_bytes=sizes,
    python=texts(12),
    threads=counts,
    governor=texts(12),
    packages=string_maps,
    devices=string_maps,
    variables=string_maps,
    settings=string_maps,
)

run_records = st.builds(
    RunRecord,
    run_id=run_ids,
    time_utc=times,
    suite=texts(12),
    command=texts(),
    settings=parameters,
    speedmetal_version=texts(8),
    resumed=st.booleans(),
)

finding_records = st.builds(
    FindingRecord,
    run_id=run_ids,
    session=sessions,
    time_utc=times,
    kind=texts(12),
    message=texts(),
    contender=texts(12),
    operation=texts(12),
)

records: st.SearchStrategy[Record] = st.one_of(
    case_records, ceiling_records, environment_records, run_records, finding_records
)


def samples(min_size: int = 1, max_size: int = 40) -> st.SearchStrategy[np.ndarray]:
    """Times in seconds, from nanoseconds to hours, equal ones included."""
    seconds = st.one_of(
        st.floats(min_value=1e-9, max_value=1e4), st.sampled_from([1e-6, 1e-3, 0.1, 1.0])
    )
    return st.lists(seconds, min_size=min_size, max_size=max_size).map(np.array)


@st.composite
def paired_samples(
    draw: st.DrawFn, min_size: int = 1, max_size: int = 40
) -> tuple[np.ndarray, np.ndarray]:
    """Times of two contenders in the same rounds."""
    top = draw(samples(min_size, max_size))
    return top, draw(samples(top.size, top.size))


# --- Ranges ----------------------------------------------------------------------------------


@st.composite
def ranges_near_ends(draw: st.DrawFn, dtype: np.dtype) -> tuple[int, int, int]:
    """Start, stop and step of a range of an integer type, mostly near the ends of the type.

    The step is such that the range often ends about ``stop``, or about the type's end. The range
    may be empty, or have many turns.
    """
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    near = st.integers(0, 20)
    ends = st.one_of(
        near.map(lambda n: low + n),
        near.map(lambda n: high - n),
        near.map(lambda n: max(low, n - 10)),
        st.integers(low, high),
    )
    start, stop = draw(ends), draw(ends)
    turns, beside = draw(st.integers(1, 8)), draw(st.integers(-1, 1))
    falls = low < 0 and draw(st.one_of(st.just(stop < start), st.booleans()))
    to_stop, to_end = abs(stop - start), start - low if falls else high - start
    sizes = [1, 2, 7, to_stop // turns + beside, to_end // turns + beside, high, -low]
    size = max(draw(st.sampled_from(sizes)), 1)
    return start, stop, -min(size, -low) if falls else min(size, high)


# --- Views of arrays -------------------------------------------------------------------------


@st.composite
def views(
    draw: st.DrawFn,
    dtypes: st.SearchStrategy[np.dtype],
    extents: st.SearchStrategy[int] | None = None,
    max_axes: int = 4,
) -> np.ndarray:
    """NumPy's arrays of any strides: transposed, backwards, stepped, repeated along axes.

    The elements are small whole numbers, of which sums are exact in every type; no two runs of them
    are the same.
    """
    if extents is None:
        extents = st.sampled_from([0, 1, 2, 3, 5, 17, 33])
    shape = tuple(draw(st.lists(extents, max_size=max_axes)))
    steps = [draw(st.sampled_from([1, 1, 1, 2, -1, -3])) for _ in shape]
    whole = tuple(extent * abs(step) for extent, step in zip(shape, steps, strict=True))
    seed = draw(st.integers(0, 1 << 16))
    dtype = draw(dtypes)
    low = -3 if dtype.kind in "ifc" else 0
    host = np.random.default_rng(seed).integers(low, 4, whole).astype(dtype)
    view = host[tuple(slice(None, None, step) for step in steps)]
    view = view.transpose(draw(st.permutations(range(len(shape)))))
    if view.ndim and draw(st.integers(0, 7)) == 0:
        axis = draw(st.integers(0, view.ndim - 1))
        view = np.broadcast_to(np.take(view, [0], axis) if view.shape[axis] else view, view.shape)
    return view


def axes_for(ndim: int) -> st.SearchStrategy[int | tuple[int, ...] | None]:
    """None, an axis, or several in any order, counted from either end."""
    if not ndim:
        return st.sampled_from([None, ()])
    axis = st.integers(-ndim, ndim - 1)
    several = st.lists(axis, max_size=ndim, unique_by=lambda n: n % ndim).map(tuple)
    return st.one_of(st.none(), axis, several)


# --- Arrays ------------------------------------------------------------------------------------

ARRAY_DTYPES = ("bool", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8")


@st.composite
def array_pairs(
    draw: st.DrawFn,
    *,
    shapes: st.SearchStrategy[tuple[int, ...]] | None = None,
    dtypes: st.SearchStrategy[str] | None = None,
    states: tuple[str, ...] = ("stored", "expression", "view", "call"),
) -> tuple[np.ndarray, sm.Array]:
    """The same small integers in an array of NumPy's and in one of ours, both of the same strides.

    Ours is in memory, or it is an expression, a view of one, or the result of a call: not computed.
    """
    shape = draw(
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
        if shapes is None
        else shapes
    )
    dtype = np.dtype(draw(st.sampled_from(ARRAY_DTYPES) if dtypes is None else dtypes))
    step = draw(st.sampled_from([1, 1, -1, 2]))
    order = draw(st.permutations(range(len(shape))))
    whole = tuple(shape[axis] * abs(step) for axis in order)
    values = draw(hnp.arrays(dtype, whole, elements=st.integers(0, 1 if dtype.kind == "b" else 9)))
    index = (*(slice(None, None, step) for _ in shape), ...)
    places = np.argsort(order)
    state = draw(st.sampled_from(states))
    ours = sm.array(values)
    if state == "view":
        ours = _as_expression(ours)
    elif state == "call":
        ours = dense_copy(ours)
    ours = ours[index].transpose(*places) if shape else ours
    if state == "expression":
        ours = _as_expression(ours)
    return values[index].transpose(places), ours


def _as_expression(array: sm.Array) -> sm.Array:
    return array | False if array.dtype == bool else array + 0


def axes_of(ndim: int, *, least: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    """Different axes, some counted from the end."""
    signs = st.lists(st.booleans(), min_size=ndim, max_size=ndim)
    orders = st.permutations(range(ndim))
    counts = st.integers(least, ndim)

    def axes(order: list[int], are_negative: list[bool], count: int) -> tuple[int, ...]:
        pairs = zip(order, are_negative, strict=True)
        return tuple(axis - ndim if negative else axis for axis, negative in pairs)[:count]

    return st.builds(axes, orders, signs, counts)


# --- Arrays --------------------------------------------------------------------------------------

_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, -1.5, 2.5, 3.7, -7.0, 100.0, 1e-3, math.inf, -math.inf)


def elements(dtype: sm.DType) -> st.SearchStrategy:
    """Numbers of a type, often special ones: zeros, infinities, NaN, halves, the ends."""
    if dtype.is_bool:
        return st.booleans()
    if dtype.is_integer:
        ends = st.sampled_from([0, 1, 2, 3, 7, dtype.minimum, dtype.maximum])
        return ends | st.integers(dtype.minimum, dtype.maximum) | st.integers(0, 20)
    limits = sm.finfo(dtype)
    real = st.sampled_from([*_FLOATS, math.nan, limits.max, limits.smallest_normal])
    real |= st.floats(-20, 20, width=16)
    return st.builds(complex, real, real) if dtype.is_complex else real


@st.composite
def host_arrays(draw: st.DrawFn, dtype: sm.DType, shape: tuple[int, ...]) -> np.ndarray:
    """A NumPy array of a type, see :func:`elements`."""
    size = math.prod(shape)
    values = draw(st.lists(elements(dtype), min_size=size, max_size=size))
    return np.array(values, object).astype(dtype.numpy).reshape(shape)


@st.composite
def laid_out(draw: st.DrawFn, host: np.ndarray) -> sm.Array:
    """An array of ours with the same elements, whose strides are any."""
    way = draw(st.sampled_from(["plain", "transposed", "reversed", "stepped"]))
    if way == "transposed":
        return sm.array(host.T.copy()).T
    if host.ndim and way == "reversed":
        return sm.array(np.ascontiguousarray(host[..., ::-1]))[..., ::-1]
    if host.ndim and way == "stepped":
        return sm.array(np.repeat(host, 2, axis=-1))[..., ::2]
    return sm.array(host)


shapes = st.sampled_from([(), (1,), (5,), (3, 4), (2, 1, 3), (0, 2)])
pairs_of_shapes = st.sampled_from(
    [((5,), (5,)), ((3, 4), (4,)), ((), (3, 2)), ((2, 1, 3), (4, 1)), ((0, 2), (1, 1))]
)
"""Shapes that are broadcast to one."""
