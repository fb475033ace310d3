"""The known defects of published cells, as a table of rules, and the judge that applies them.

A rule names the operations and backends that it concerns and says, cell by cell, on what grounds
it applies. Of the published tables the program is known, so the grounds are its code. Of any other
table the same code may have been used: the rule then applies as "possible", unless the numbers of
that table show the defect or refute it (see :mod:`.tables`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from speedmetal.bench.audit.published import (
    BACKENDS,
    GPU_BACKENDS,
    MLX_BACKENDS,
    TORCH_BACKENDS,
    PublishedCell,
)
from speedmetal.bench.audit.tables import ROUNDING, DeviceTable, Finding, device_tables
from speedmetal.bench.audit.traffic import MEMORIES, axis_of, least_milliseconds, shapes_of

PROGRAM = "TristanBilot/mlx-benchmark at 85c5376"


class Kind(StrEnum):
    """What is wrong with a cell."""

    NOT_DONE = "not done"  # the labelled work did not run
    PARTIAL = "partial"  # a part of the labelled work ran
    DIFFERENT = "different"  # another function than the label's or the other column's
    IMPLAUSIBLE = "implausible"  # faster than the device's memory or its launches can be
    UNEQUAL = "unequal"  # the right function, under other conditions than the other column
    MISSING = "missing"  # no time, and no reason


class Grounds(StrEnum):
    """What a judgement rests on."""

    CODE = "code"  # the program that made this table is known
    NUMBERS = "numbers"  # the table's own times show it
    POSSIBLE = "possible"  # so does the known program; whether it made this table is not known


Applies = Callable[[PublishedCell, DeviceTable], Grounds | None]


@dataclass(frozen=True)
class Rule:
    """One defect: where it applies, what it means for the cell, and how it is known."""

    name: str
    kind: Kind
    operations: tuple[str, ...]  # () for all
    backends: tuple[str, ...]
    applies: Applies
    reason: str
    evidence: str

    def grounds(self, cell: PublishedCell, table: DeviceTable) -> Grounds | None:
        """On what grounds the rule applies to a cell; None where it does not."""
        if self.operations and cell.operation not in self.operations:
            return None
        return self.applies(cell, table) if cell.backend in self.backends else None


@dataclass(frozen=True)
class Judgement:
    """What one rule says of one cell."""

    cell: PublishedCell
    rule: str
    kind: Kind
    grounds: Grounds
    reason: str


@dataclass(frozen=True)
class Counts:
    """Numbers of cells; a cell that several rules name counts once in each kind."""

    cells: int
    possible: int  # judgements whose grounds are only "possible"
    by_kind: dict[str, int] = field(default_factory=dict)
    by_rule: dict[str, int] = field(default_factory=dict)
    by_operation: dict[str, dict[str, int]] = field(default_factory=dict)  # kind, operation
    by_backend: dict[str, dict[str, int]] = field(default_factory=dict)  # kind, backend


def judge(
    cells: Iterable[PublishedCell], rules: tuple[Rule, ...] | None = None
) -> tuple[Judgement, ...]:
    """Apply the rules (all of ``RULES`` unless others are given) to every cell, in file order."""
    cells = tuple(cells)
    tables = device_tables(cells)
    found = []
    for cell in cells:
        table = tables[cell.device, cell.config]
        for rule in RULES if rules is None else rules:
            grounds = rule.grounds(cell, table)
            if grounds is not None:
                reason = f"possible: {rule.reason}" if grounds is Grounds.POSSIBLE else rule.reason
                found.append(Judgement(cell, rule.name, rule.kind, grounds, reason))
    return tuple(found)


def count(judgements: Iterable[Judgement], table: str = "detailed") -> Counts:
    """Count the judged cells of the detailed tables (or of the averages).

    The averages are means of the detailed rows, so counting both would count a defect twice.
    """
    own = [judgement for judgement in judgements if judgement.cell.table == table]
    kinds = {(j.kind.value, j.cell) for j in own}
    by_operation: dict[str, Counter[str]] = {}
    by_backend: dict[str, Counter[str]] = {}
    for kind, cell in kinds:
        by_operation.setdefault(kind, Counter())[cell.operation] += 1
        by_backend.setdefault(kind, Counter())[cell.backend] += 1
    rank = {kind.value: place for place, kind in enumerate(Kind)}
    return Counts(
        cells=len({j.cell for j in own}),
        possible=sum(j.grounds is Grounds.POSSIBLE for j in own),
        by_kind=_sort_counts(Counter(kind for kind, _ in kinds), rank),
        by_rule=_sort_counts(
            Counter(j.rule for j in own), {r.name: i for i, r in enumerate(RULES)}
        ),
        by_operation={kind: _sort_counts(by_operation[kind]) for kind in sorted(by_operation)},
        by_backend={kind: _sort_counts(by_backend[kind]) for kind in sorted(by_backend)},
    )


def _sort_counts(counter: Counter[str], rank: dict[str, int] | None = None) -> dict[str, int]:
    ranks = rank or {}
    return dict(sorted(counter.items(), key=lambda item: (ranks.get(item[0], 0), item[0])))


# ---- Predicates. A missing time is judged by the rule of missing times alone. ----


def _by_code(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    if cell.milliseconds is None:
        return None
    return Grounds.POSSIBLE if table.origin is None else Grounds.CODE


def _by_finding(finding: Finding) -> Grounds | None:
    by_finding = {Finding.SHOWN: Grounds.NUMBERS, Finding.UNCLEAR: Grounds.POSSIBLE}
    return by_finding.get(finding)


def _axis_dropped(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    if cell.milliseconds is None:
        return None
    if table.origin is None:
        return _by_finding(table.axis_dropped)
    return None if table.origin.axis_passed else Grounds.CODE


def _axis_dropped_to_last(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    # An average row has no axis in its name; two of the three rows behind it are concerned.
    shapes = shapes_of(cell.arguments)
    if shapes and axis_of(cell.arguments) in (None, len(shapes[0]) - 1):
        return None
    return _axis_dropped(cell, table)


def _scatter_dropped(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    if cell.milliseconds is None:
        return None
    return Grounds.CODE if table.origin is not None else _by_finding(table.scatter_dropped)


def _has_tf32(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    if table.origin is not None and not table.origin.has_tf32:
        return None
    return _by_code(cell, table)


def _linear_unfused(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    # Any table made today is of the later program, so nothing is said of unknown ones.
    if table.origin is None or table.origin.linear_is_addmm is not False:
        return None
    return _by_code(cell, table)


def _faster_than_memory(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    del table  # the device's name is enough
    least = least_milliseconds(cell.device, cell.operation, cell.arguments)
    if least is None or cell.milliseconds is None:
        return None
    if cell.backend == "cpu" and not MEMORIES[cell.device].serves_cpu:
        return None  # the memory of the card's host is not known
    return Grounds.NUMBERS if cell.milliseconds + ROUNDING < least else None


def _no_time_at_all(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    del table  # holds on any device
    return Grounds.NUMBERS if cell.milliseconds == 0 else None


def _has_no_time(cell: PublishedCell, table: DeviceTable) -> Grounds | None:
    del table  # holds on any device
    return Grounds.NUMBERS if cell.milliseconds is None else None


_ACTIVATIONS = ("ReLU", "LeakyReLU", "PReLU", "SeLU", "Softplus")

RULES: tuple[Rule, ...] = (
    Rule(
        name="axis dropped",
        kind=Kind.NOT_DONE,
        operations=("Argmax", "Sum"),
        backends=MLX_BACKENDS,
        applies=_axis_dropped,
        reason="MLX was called without the axis, so it reduced the whole array to one number",
        evidence="simple_operations.py:67-71: the axis is put in kwargs, the call gets none;"
        " output shape () where torch's has all other axes",
    ),
    Rule(
        name="sort axis dropped",
        kind=Kind.NOT_DONE,
        operations=("Sort",),
        backends=MLX_BACKENDS,
        applies=_axis_dropped_to_last,
        reason="MLX was called without the axis, so it sorted along the last one, which is"
        " contiguous; only rows that ask for the last axis are right",
        evidence="simple_operations.py:67-71; equal times for axes 0, 1 and 2",
    ),
    Rule(
        name="softmax axis dropped",
        kind=Kind.NOT_DONE,
        operations=("Softmax",),
        backends=MLX_BACKENDS,
        applies=_axis_dropped,
        reason="MLX was called without the axis: it normalised over the whole array, by five"
        " separate kernels in place of its one fused kernel; mx.compile then gains what the"
        " fused kernel would have given",
        evidence="simple_operations.py:67-71 and softmax in mlx/ops.cpp: no axis means all axes,"
        " as Max, Subtract, Exp, Sum, Divide",
    ),
    Rule(
        name="scatter never ran",
        kind=Kind.NOT_DONE,
        operations=("ScatterSum", "ScatterMax"),
        backends=MLX_BACKENDS,
        applies=_scatter_dropped,
        reason="the scattered array was thrown away and the untouched input returned, so MLX,"
        " being lazy, computed nothing",
        evidence="gather_scatter.py:74-80: the result of x.at[y].add(z) is not used",
    ),
    Rule(
        name="scatter of one column",
        kind=Kind.PARTIAL,
        operations=("ScatterSum", "ScatterMax"),
        backends=TORCH_BACKENDS,
        applies=_by_code,
        reason="the index has one column and scatter_reduce does not broadcast it: 1 of 16 or 1"
        " of 32 columns was written",
        evidence="gather_scatter.py:68: index.unsqueeze(1)",
    ),
    Rule(
        name="BCE of logits",
        kind=Kind.DIFFERENT,
        operations=("BCE",),
        backends=MLX_BACKENDS,
        applies=_by_code,
        reason="MLX computed the loss of logits with integer targets, torch the loss of"
        " probabilities with float targets",
        evidence="binary_cross_entropy.py:28,34,42: with_logits is left at its default, True",
    ),
    Rule(
        name="attention without mask",
        kind=Kind.DIFFERENT,
        operations=("ScaledDotProductAttention",),
        backends=BACKENDS,
        applies=_by_code,
        reason="the causal mask was filled into a bool tensor and became 1 everywhere: nothing is"
        " masked; the head size of 1024 is also beyond MLX's fused kernels",
        evidence="scaled_dot_product_attention.py:31-32: masked_fill_(..., -inf) of a bool tensor",
    ),
    Rule(
        name="convolution in TF32",
        kind=Kind.DIFFERENT,
        operations=("Conv1d", "Conv2d"),
        backends=("cuda",),
        applies=_has_tf32,
        reason="cuDNN convolves in TF32 by default (10 bits of mantissa), while the matrix"
        " products of the same table are float32",
        evidence="torch.backends.cudnn.allow_tf32 is True, cuda.matmul.allow_tf32 is False",
    ),
    Rule(
        name="faster than memory",
        kind=Kind.IMPLAUSIBLE,
        operations=(),
        backends=BACKENDS,
        applies=_faster_than_memory,
        reason="the bytes beyond the last cache cannot be moved in that time, even at 1.5 times"
        " the bandwidth of the data sheet",
        evidence="the time itself, against the device's data sheet",
    ),
    Rule(
        name="no time at all",
        kind=Kind.IMPLAUSIBLE,
        operations=(),
        backends=GPU_BACKENDS,
        applies=_no_time_at_all,
        reason="0.00 ms is less than 5 microseconds: no GPU is started and waited for in that time",
        evidence="the time itself",
    ),
    Rule(
        name="input not contiguous",
        kind=Kind.UNEQUAL,
        operations=("Conv1d",),
        backends=TORCH_BACKENDS,
        applies=_by_code,
        reason="torch got a transposed view, so a copy to its own layout may be timed with it",
        evidence="conv.py:21-22: torch.transpose without contiguous()",
    ),
    Rule(
        name="channels last only",
        kind=Kind.UNEQUAL,
        operations=("Conv2d",),
        backends=TORCH_BACKENDS,
        applies=_by_code,
        reason="torch got a permuted view (channels last); its default layout was never measured",
        evidence="conv.py:47-48: torch.permute without contiguous()",
    ),
    Rule(
        name="linear without addmm",
        kind=Kind.UNEQUAL,
        operations=("Linear",),
        backends=MLX_BACKENDS,
        applies=_linear_unfused,
        reason="measured as a product and a sum; newer tables have one addmm under the same name",
        evidence="linear.py, changed by 872b6ec on 2024-03-06",
    ),
    Rule(
        name="wider index",
        kind=Kind.UNEQUAL,
        operations=("Gather", "Scatter"),
        backends=TORCH_BACKENDS,
        applies=_by_code,
        reason="torch reads 8-byte indices where MLX reads 4-byte ones",
        evidence="utils.py:98-104: torch.randint gives int64, mx.random.randint int32",
    ),
    Rule(
        name="index output too",
        kind=Kind.UNEQUAL,
        operations=("Argmax", "Sort"),
        backends=TORCH_BACKENDS,
        applies=_by_code,
        reason="torch gives int64 indices (with Sort: beside the values), MLX uint32 or none",
        evidence="torch.argmax and torch.sort, against mx.argmax and mx.sort",
    ),
    Rule(
        name="compiled twice",
        kind=Kind.UNEQUAL,
        operations=_ACTIVATIONS,
        backends=("mlx_gpu_compile",),
        applies=_by_code,
        reason="the functions of mlx.nn are compiled already, so the column compares compiled"
        " with compiled",
        evidence="mlx/nn/layers/activations.py: @partial(mx.compile, shapeless=True)",
    ),
    Rule(
        name="no time given",
        kind=Kind.MISSING,
        operations=(),
        backends=BACKENDS,
        applies=_has_no_time,
        reason="nan: any error of the call was turned into nan and its reason lost",
        evidence="base_benchmark.py:108-111",
    ),
)
