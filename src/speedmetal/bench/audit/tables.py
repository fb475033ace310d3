"""One device's table: what is known of its origin, and what its own numbers show.

The published program changed over the years that its tables span, so the same row name stands for
different work in different tables. Of the published tables the version is known; of any other
table only the numbers can tell, by the two detectors here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from statistics import median, median_high, median_low

from speedmetal.bench.audit.published import MLX_BACKENDS, PublishedCell
from speedmetal.bench.audit.traffic import axis_of, shapes_of

ROUNDING = 0.005  # milliseconds: times are printed with two decimals
GROUPS_NEEDED = 2  # of operation, shape and backend, before anything is said
SAME_WORK = 0.02  # relative difference within which times over axes count as the same
OTHER_WORK = 0.10  # and above which they count as different
GROWTH_FACTOR = 1.5  # what 1000 times as many rows must at least cost
GROWTH_MILLISECONDS = 0.02  # growth that rounding and jitter explain
ROWS_FACTOR = 1000


class Finding(StrEnum):
    """What the numbers of a table say of one defect."""

    SHOWN = "shown"
    REFUTED = "refuted"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Origin:
    """What is known of a published table.

    ``axis_passed``: measured before 2024-02-14. The change of that day (a6b191a) added the
    compiled column and, in the same lines, stopped handing the axis to MLX; so each published
    table with a compiled column is of the later program. The four without one also show it in
    their numbers: their Sum and Sort times differ between axes by 1.4 to 10 times.

    ``linear_is_addmm``: its Linear rows were measured after 2024-03-06 (872b6ec). None: no MLX.

    ``has_tf32``: the GPU has TF32 units (NVIDIA Ampere or later).
    """

    axis_passed: bool = False
    linear_is_addmm: bool | None = None
    has_tf32: bool = False


_FIRST = Origin(axis_passed=True, linear_is_addmm=False)
_COMPILED = Origin(linear_is_addmm=False)
_ADDMM = Origin(linear_is_addmm=True)

# The 21 published tables, by device and config as the CSV and the headings give them.
ORIGINS: dict[tuple[str, str], Origin] = {
    ("M1", "(cores: 4E+4P+8GPU)"): _FIRST,
    ("M1 Pro", "(2E+8P+16GPU+16GB) - mlx: 0.5.0"): _ADDMM,  # its Linear rows came with 872b6ec
    ("M1 Max", "(64GB) mlx 0.2.0"): _COMPILED,
    ("M1 Ultra", "(4E+16P+48GPU+64GB) mlx: 0.29.3 torch: 2.8.0"): _ADDMM,
    ("M2", "() - mlx 0.2.0"): _FIRST,
    ("M2 Pro", "(cores: 4E+6P+16GPU) mlx 0.12.2 torch 2.1.2"): _ADDMM,
    ("M2 Max", "(cores: 4E+8P+38GPU) mlx 0.5.0 torch 2.2.1"): _COMPILED,
    ("M2 Ultra", "(cores: 8E+16P+76GPU) mlx 0.7.0"): _ADDMM,
    ("M3", "(RAM: 16GB) - mlx 0.2.0"): _FIRST,
    ("M3", "(4E+4P+10GPU+16GB) - mlx 0.30.1"): _ADDMM,
    ("M3 Pro", "(cores: 6E+5P+14GPU)"): _FIRST,
    ("M3 Max", "(cores: 4E+12P+40GPU) mlx 0.2.0"): _COMPILED,
    ("M4", "(6E+4P+10GPU+16GB) mlx: 0.20.0"): _ADDMM,
    ("M4 Pro", "(4E+8P+16GPU+24GB) mlx: 0.20.0"): _ADDMM,
    ("M4 Pro", "(4E+10P+20GPU+24GB) mlx: 0.24.1"): _ADDMM,
    ("M4 Max", "(4E+12P+40GPU+128GB) mlx: 0.20.0"): _ADDMM,
    ("M3 Ultra", "(8E+20P+60GPU+96GB) mlx: 0.24.1"): _ADDMM,
    (
        "Tesla V100 PCIe",
        "(32Go / Intel Xeon Gold 5120 14 cores, 28 threads @ 2.2GHz (Skylake), 60Go)",
    ): Origin(),
    (
        "Tesla V100 NVLink",
        "(32Go / Intel Xeon Gold 6148 20 cores, 40 threads @ 2.4 GHz (Skylake), 60Go)",
    ): Origin(),
    (
        "RTX4090",
        "((Desktop) / 10th Gen Intel Core i9-10940X @ 3.30GHz 128GB)",
    ): Origin(has_tf32=True),
    (
        "A100",
        "80GB 80GB PCIe ((Server) / Intel(R) Xeon(R) Gold 6254 CPU @ 3.10GHz, 754GB)",
    ): Origin(has_tf32=True),
}


@dataclass(frozen=True)
class DeviceTable:
    """The cells of one device and config, with what is known and shown of them."""

    device: str
    config: str
    cells: tuple[PublishedCell, ...]
    origin: Origin | None  # None: not one of the published tables
    axis_dropped: Finding
    scatter_dropped: Finding


def device_tables(cells: Iterable[PublishedCell]) -> dict[tuple[str, str], DeviceTable]:
    """The tables of a file, by device and config."""
    members: dict[tuple[str, str], list[PublishedCell]] = defaultdict(list)
    for cell in cells:
        members[cell.device, cell.config].append(cell)
    return {
        key: DeviceTable(
            *key, tuple(own), ORIGINS.get(key), axis_finding(own), scatter_finding(own)
        )
        for key, own in members.items()
    }


def axis_finding(cells: Sequence[PublishedCell]) -> Finding:
    """Whether MLX's Argmax, Sum and Sort take the same time along every axis of one shape.

    Different axes are different memory patterns: the tables that ran them differ by 10 % to 900 %.
    Calls that lost the axis are one and the same call, so their times agree within 2 %. Medians
    over pairs of axes, then over operations and backends, decide: a single row may be disturbed,
    the first of a suite nearly always is. A bandwidth-bound Sum can agree by chance, so nothing
    is said of a single group of rows.
    """
    differences = list(_axis_differences(cells))
    if len(differences) < GROUPS_NEEDED:
        return Finding.UNCLEAR
    # Of an even number the less convincing of the two middle ones counts.
    if median_high(differences) <= SAME_WORK:
        return Finding.SHOWN
    return Finding.REFUTED if median_low(differences) > OTHER_WORK else Finding.UNCLEAR


def _axis_differences(cells: Iterable[PublishedCell]) -> Iterator[float]:
    """For each operation, shape and backend, the median relative difference between two axes."""
    groups: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for cell in cells:
        axis = axis_of(cell.arguments)
        if cell.operation not in ("Argmax", "Sum", "Sort") or cell.backend not in MLX_BACKENDS:
            continue
        if axis is not None and cell.milliseconds:
            shape = cell.arguments.split(" axi=")[0]
            groups[cell.operation, shape, cell.backend][axis] = cell.milliseconds
    for times in groups.values():
        pairs = [sorted(pair) for pair in combinations(times.values(), 2)]
        if pairs:
            # Equal times may be printed with this difference: two decimals, each half a unit off.
            yield median(max(0.0, high - 2 * ROUNDING - low) / low for low, high in pairs)


def scatter_finding(cells: Sequence[PublishedCell]) -> Finding:
    """Whether MLX's ScatterSum and ScatterMax take the same time for any number of rows.

    A scatter must read what it scatters: 1000 times as many rows cannot be free. The numbers show
    that nothing ran where the median growth is at most 0.02 ms; they refute it where the median
    pair grows by more than that and to at least 1.5 times.
    """
    pairs = list(_size_pairs(cells))
    if not pairs:
        return Finding.UNCLEAR
    if median(large - small for small, large in pairs) <= GROWTH_MILLISECONDS:
        return Finding.SHOWN
    # 0.00 stands for anything below the rounding.
    factor = median(large / max(small, ROUNDING) for small, large in pairs)
    return Finding.REFUTED if factor >= GROWTH_FACTOR else Finding.UNCLEAR


def _size_pairs(cells: Iterable[PublishedCell]) -> Iterator[tuple[float, float]]:
    """For each operation, width and backend, the times of the fewest and of the most rows."""
    groups: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for cell in cells:
        if cell.operation not in ("ScatterSum", "ScatterMax") or cell.backend not in MLX_BACKENDS:
            continue
        target, _, _ = cell.arguments.partition(" ")
        shapes = shapes_of(cell.arguments)
        if shapes and cell.milliseconds is not None:
            groups[cell.operation, target, cell.backend][shapes[-1][0]] = cell.milliseconds
    for times in groups.values():
        least, most = min(times), max(times)
        if most >= ROWS_FACTOR * least:
            yield times[least], times[most]
