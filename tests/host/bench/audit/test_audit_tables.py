"""The detectors tell from numbers alone what a table's program did, or say that they cannot."""

import pytest

from speedmetal.bench.audit.published import PublishedCell
from speedmetal.bench.audit.tables import Finding, axis_finding, scatter_finding
from speedmetal.bench.audit.traffic import axis_of, least_milliseconds, minimum_bytes


def cells(operation, times, backend="mlx_gpu"):
    """Cells of one device; ``times`` maps arguments to milliseconds."""
    return [
        PublishedCell("M9", "()", "detailed", operation, arguments, backend, time)
        for arguments, time in times.items()
    ]


def over_axes(operation, *times):
    return cells(operation, {f"dim=64x128x128 axi={n}": time for n, time in enumerate(times)})


def test_equal_times_over_axes_show_a_dropped_axis():
    """Sum and Sort that take the same time along every axis were the same call."""
    table = over_axes("Sum", 3.38, 3.37, 3.40) + over_axes("Sort", 1.70, 1.69, 1.69)
    assert axis_finding(table) is Finding.SHOWN


def test_one_disturbed_row_does_not_hide_it():
    """The first row of a suite is slow with warm-up; medians pass over it."""
    disturbed = over_axes("Argmax", 1.85, 1.46, 1.46) + over_axes("Sort", 1.99, 1.99, 1.98)
    assert axis_finding(disturbed) is Finding.UNCLEAR  # one group against one
    assert axis_finding(disturbed + over_axes("Sum", 3.38, 3.37, 3.40)) is Finding.SHOWN


def test_different_times_over_axes_refute_it():
    """Axes that were really used differ."""
    table = over_axes("Sum", 11.36, 9.74, 14.82) + over_axes("Sort", 34.19, 18.08, 3.20)
    assert axis_finding(table) is Finding.REFUTED


@pytest.mark.parametrize("table", [over_axes("Sum", 2.0, 2.0, 2.0), over_axes("Sum", 2.0), []])
def test_one_group_of_rows_says_nothing(table):
    """A single bandwidth-bound Sum may take the same time along all axes by its nature."""
    assert axis_finding(table) is Finding.UNCLEAR


def test_torch_says_nothing_of_mlx():
    """Equal times of other backends are not MLX's."""
    table = over_axes("Sum", 1.0, 1.0) + over_axes("Sort", 1.0, 1.0)
    other = [PublishedCell(*c.key[:5], "mps", c.milliseconds) for c in table]
    assert axis_finding(other) is Finding.UNCLEAR


@pytest.mark.parametrize(
    ("small", "large", "finding"),
    [
        (0.03, 0.04, Finding.SHOWN),
        (0.0, 0.0, Finding.SHOWN),
        (0.20, 0.90, Finding.REFUTED),
        (0.0, 1.53, Finding.REFUTED),
        (0.20, 0.25, Finding.UNCLEAR),
    ],
)
def test_scatter_time_against_rows(small, large, finding):
    """A scatter whose time does not grow with 100,000 times the rows did not run."""
    times = {"dim=64x16 dim=10": small, "dim=64x16 dim=1000000": large}
    assert scatter_finding(cells("ScatterSum", times)) is finding


def test_scatter_of_one_size_says_nothing():
    assert scatter_finding(cells("ScatterMax", {"dim=64x16 dim=10": 0.0})) is Finding.UNCLEAR


@pytest.mark.parametrize(
    ("operation", "arguments", "expected"),
    [
        ("Sum", "dim=64x128x128x128 axi=0", 4 * 64 * 128**3),
        ("Concat", "dim=1000000x64 dim=1000000x32 axi=1", 4 * 2 * 96_000_000),
        ("MatMul", "dim=1000x64x256 dim=256x32", 4 * (1000 * 64 * 288 + 256 * 32)),
        ("Conv1d", "dim=100x256x3 dim=8x3x3", 4 * (100 * 256 * 3 + 8 * 9 + 100 * 254 * 8)),
        ("Gather", "dim=64x256 dim=1000", 4 * 1000 * 257),
        ("Scatter", "dim=64x16 dim=10", None),  # overwritten rows could be skipped
        ("Conv1d", "dim=100", None),  # no such shape
        ("Softmax", "", None),
    ],
)
def test_minimum_bytes(operation, arguments, expected):
    """Inputs are read once and outputs written once; where that is not known nothing is said."""
    assert minimum_bytes(operation, arguments) == expected


def test_least_time_leaves_out_the_cache():
    """268 MB on an M4 less its 16 MiB of cache, at 1.5 times 120 GB/s."""
    assert least_milliseconds("M4", "SumAll", "dim=1024x65536") == pytest.approx(
        (2**28 - 2**24) / 180e9 * 1e3
    )
    assert least_milliseconds("M4", "SumAll", "dim=1000") == 0.0
    assert least_milliseconds("M9", "SumAll", "dim=1000") is None


def test_axis_counts_from_the_front():
    assert [axis_of(text) for text in ("dim=8x4 axi=-1", "dim=8x4 axi=0", "dim=8x4")] == [
        1,
        0,
        None,
    ]
