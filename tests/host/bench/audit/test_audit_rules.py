"""Every rule names exactly the cells that it is about, with grounds that fit what is known."""

from pathlib import Path

import pytest

from speedmetal.bench.audit import (
    RULES,
    Grounds,
    Kind,
    PublishedCell,
    count,
    judge,
    load_published_cells,
)
from speedmetal.bench.audit.tables import Finding, device_tables
from speedmetal.bench.audit.traffic import MEMORIES

HERE = Path(__file__).parent
CSV = HERE.parents[3].parent / "shared" / "data" / "mlx_benchmark_published.csv"
published = pytest.mark.skipif(not CSV.exists(), reason="the published table is not at hand")


def cell(operation, arguments, backend, milliseconds=1.0, *, device="M4", config=None):
    configs = {
        "M1": "(cores: 4E+4P+8GPU)",
        "M4": "(6E+4P+10GPU+16GB) mlx: 0.20.0",
        "RTX4090": "((Desktop) / 10th Gen Intel Core i9-10940X @ 3.30GHz 128GB)",
        "Tesla V100 NVLink": (
            "(32Go / Intel Xeon Gold 6148 20 cores, 40 threads @ 2.4 GHz (Skylake), 60Go)"
        ),
    }
    config = configs.get(device, "()") if config is None else config
    return PublishedCell(device, config, "detailed", operation, arguments, backend, milliseconds)


def rules_of(one):
    return [judgement.rule for judgement in judge([one])]


SORT = "dim=64x128x1024 axi="
CONV = "dim=100x28x28x3 dim=8x3x3x3"
SDPA = "dim=64x8x16x1024 dim=64x8x16x1024 dim=64x8x16x1024"

CAUGHT = [
    ("axis dropped", cell("Sum", "dim=64x128 axi=1", "mlx_cpu")),
    ("axis dropped", cell("Argmax", "dim=64x128 axi=1", "mlx_gpu")),
    ("sort axis dropped", cell("Sort", SORT + "0", "mlx_gpu")),
    ("softmax axis dropped", cell("Softmax", "dim=64x16 axi=-1", "mlx_gpu_compile")),
    ("scatter never ran", cell("ScatterMax", "dim=64x16 dim=10", "mlx_gpu")),
    ("scatter of one column", cell("ScatterSum", "dim=64x16 dim=10", "cpu")),
    ("BCE of logits", cell("BCE", "dim=1000 dim=1000", "mlx_cpu", device="M1")),
    ("attention without mask", cell("ScaledDotProductAttention", SDPA, "mps")),
    ("convolution in TF32", cell("Conv2d", CONV, "cuda", device="RTX4090")),
    ("faster than memory", cell("Sigmoid", "dim=64x1000000", "mps", 0.9)),
    ("no time at all", cell("Sigmoid", "dim=8", "mps", 0.0)),
    ("input not contiguous", cell("Conv1d", "dim=100x256x3 dim=8x3x3", "cpu")),
    ("channels last only", cell("Conv2d", CONV, "mps")),
    ("linear without addmm", cell("Linear", "dim=8x4 dim=4x8 dim=8", "mlx_gpu", device="M1")),
    ("wider index", cell("Gather", "dim=64x256 dim=10", "mps")),
    ("index output too", cell("Argmax", "dim=64x128 axi=1", "cpu")),
    ("compiled twice", cell("SeLU", "dim=128x16x1024", "mlx_gpu_compile")),
    ("no time given", cell("ScatterMax", "dim=64x16 dim=10", "mps", None)),
]


@pytest.mark.parametrize(("rule", "one"), CAUGHT, ids=[f"{r}-{c.operation}" for r, c in CAUGHT])
def test_rule_catches(rule, one):
    """The rule names the cell; without the rule nothing says the same."""
    assert rule in rules_of(one)
    others = tuple(other for other in RULES if other.name != rule)
    assert rule not in [judgement.rule for judgement in judge([one], others)]


def test_every_rule_is_caught_by_a_case():
    assert {rule for rule, _ in CAUGHT} == {rule.name for rule in RULES}
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    "one",
    [
        cell("Sum", "dim=64x128 axi=1", "mlx_gpu", device="M1"),  # before the axis was dropped
        cell("Softmax", "dim=64x16 axi=-1", "mlx_gpu", device="M1"),
        cell("Sort", SORT + "2", "mlx_gpu"),  # the last axis is the default
        cell("Sum", "dim=64x128 axi=1", "mps"),  # torch was given the axis
        cell("SumAll", "dim=1000", "mlx_gpu"),
        cell("MatMul", "dim=8x4 dim=4x8", "mlx_gpu"),
        cell("Linear", "dim=8x4 dim=4x8 dim=8", "mlx_gpu"),  # addmm
        cell("ReLU", "dim=128x16x1024", "mlx_gpu"),
        cell("Sigmoid", "dim=64x1000000", "mps", 6.0),
        cell("Sum", "dim=64x1000000 axi=0", "cpu", 0.01, device="RTX4090", config="(x)"),
    ],
)
def test_good_cells_pass(one):
    """Cells that did the labelled work at a possible speed are not named."""
    assert rules_of(one) == []


def test_a_host_processor_is_not_held_against_its_cards_memory():
    """The bandwidth of a CUDA table is the card's; its cpu column ran on a host not known."""
    pair = [
        cell("SumAll", "dim=1000000x128", backend, 0.1, device="RTX4090")
        for backend in ("cpu", "cuda")
    ]
    assert [(j.rule, j.cell.backend) for j in judge(pair)] == [("faster than memory", "cuda")]


def test_tf32_needs_hardware_that_has_it():
    """Volta has no TF32: its convolutions are float32."""
    assert rules_of(cell("Conv2d", CONV, "cuda", device="Tesla V100 NVLink")) == [
        "channels last only"
    ]


def test_an_unknown_table_is_judged_by_its_numbers():
    """Shown by numbers, refuted by numbers, or only possible; the word is in the reason."""
    judgements = judge(load_published_cells(HERE / "unknown.csv"))
    assert [(j.cell.operation, j.cell.backend, j.rule, j.grounds) for j in judgements] == [
        ("Argmax", "mlx_gpu", "axis dropped", Grounds.NUMBERS),
        ("Argmax", "mlx_gpu", "axis dropped", Grounds.NUMBERS),
        ("Sum", "mlx_gpu", "axis dropped", Grounds.NUMBERS),
        ("Sum", "mlx_gpu", "axis dropped", Grounds.NUMBERS),
        ("ScatterSum", "mps", "scatter of one column", Grounds.POSSIBLE),
        ("BCE", "mlx_gpu", "BCE of logits", Grounds.POSSIBLE),
        ("BCE", "mlx_gpu", "no time given", Grounds.NUMBERS),
    ]
    assert [j.reason.startswith("possible: ") for j in judgements] == [
        j.grounds is Grounds.POSSIBLE for j in judgements
    ]


def test_count_counts_cells_not_judgements():
    """A cell that two rules of a kind name is one cell of that kind; averages are apart."""
    both = cell("ScatterSum", "dim=1024x32 dim=1000000", "mlx_gpu", 0.0)
    counts = count(judge([both]))
    assert counts.cells == 1
    assert counts.by_kind == {"not done": 1, "implausible": 1}
    assert counts.by_rule == {"scatter never ran": 1, "faster than memory": 1, "no time at all": 1}
    assert counts.by_operation["implausible"] == {"ScatterSum": 1}
    assert counts.by_backend["implausible"] == {"mlx_gpu": 1}
    assert count(judge([both]), "average").cells == 0


@pytest.fixture(scope="module")
def published_cells():
    return load_published_cells(CSV)


@published
def test_counts_of_the_published_benchmark(published_cells):
    """The size of the damage: 624 + 468 of 3,857 MLX cells, 276 torch scatters, 188 losses."""
    judgements = judge(published_cells)
    counts = count(judgements)
    rules = counts.by_rule
    mlx = [c for c in published_cells if c.table == "detailed" and c.backend.startswith("mlx")]
    axis = ("axis dropped", "sort axis dropped", "softmax axis dropped")
    assert len(mlx) == 3857
    assert sum(rules[name] for name in axis) == 624
    assert rules["scatter never ran"] == 468
    assert counts.by_kind[Kind.NOT_DONE] == 1092
    assert rules["scatter of one column"] == counts.by_kind[Kind.PARTIAL] == 276
    assert rules["BCE of logits"] == 188
    assert rules["attention without mask"] == 60
    assert rules["no time given"] == counts.by_kind[Kind.MISSING] == 132
    assert count(judgements, "average").by_rule["no time given"] == 22
    assert counts.possible == 0


@published
def test_every_published_table_is_known_and_its_numbers_agree(published_cells):
    """Of 21 tables 13 are of the later program: no number contradicts, and 11 show it alone."""
    tables = device_tables(published_cells).values()
    assert len(tables) == 21
    assert all(table.origin is not None and table.device in MEMORIES for table in tables)
    mlx = [t for t in tables if any(c.backend == "mlx_gpu" for c in t.cells)]
    first = [t for t in mlx if t.origin.axis_passed]
    later = [t for t in mlx if not t.origin.axis_passed]
    assert [t.axis_dropped for t in first] == [Finding.REFUTED] * 4
    assert [t.scatter_dropped for t in later] == [Finding.SHOWN] * 13
    assert sorted(t.axis_dropped for t in later) == [Finding.SHOWN] * 11 + [Finding.UNCLEAR] * 2
    compiled = [t for t in mlx if any(c.backend == "mlx_gpu_compile" for c in t.cells)]
    assert compiled == later
