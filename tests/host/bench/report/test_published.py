"""The published layout: columns, padding, truncated speed-ups, and remarks on what has no time."""

import pytest
import synthetic
from synthetic import CASES

from speedmetal.bench.record import CaseRecord, Contender, Status
from speedmetal.bench.report import Options
from speedmetal.bench.report.published import render
from speedmetal.bench.store import Records

CPU = Contender(framework="torch", device="cpu", mode="eager", version="2.14.1")
CUDA = Contender(
    framework="torch", device="cuda", mode="eager", version="2.14.1", device_name="RTX 9090"
)


def exact(case_index: int, contender: Contender, seconds: float) -> CaseRecord:
    """A record all of whose samples are the same time but one."""
    return synthetic.case_record(CASES[case_index], contender, seconds, rounds=1)


def lines(*records: CaseRecord) -> list[str]:
    return render(Records((synthetic.ENVIRONMENT, *records)), Options()).splitlines()


def test_rows_are_the_published_ones() -> None:
    """Names, widths, two decimals and the speed-up, as in a table of the original."""
    found = lines(exact(0, CPU, 15e-3), exact(0, CUDA, 6e-5))
    assert found[found.index("* `cuda`: PyTorch on an NVIDIA GPU (CUDA)") + 2] == (
        "**RTX 9090 (Apple M9 Pro, 10P+4E+48GB)** speedmetal torch: 2.14.1"
    )
    table = [line for line in found if line.startswith("|")][:3]
    name = "Argmax / dim=64x1024x128 axi=0"
    assert table[0] == f"| Operation{' ' * (len(name) - 5)} | cpu | cuda | cuda/cpu speedup |"
    assert table[1] == f"|{'-' * (len(name) + 6)}|------|------|----------------|"
    cells = table[2].split(" | ")
    assert cells[0] == f"| {name}"
    assert [len(c) for c in cells[1:3]] == [6, 6]
    assert cells[3].endswith("% |")


@pytest.mark.parametrize(
    ("time", "base", "expected"),
    [
        (1.0, 1.449, "   +44%"),
        (1.0, 1.003, "    +0%"),
        (1.0, 0.997, "     0%"),
        (2.0, 1.0, "   -50%"),
        (0.001, 12.0, "+1199900%"),
        (float("nan"), 1.0, "   nan%"),
    ],
)
def test_speedups_are_truncated_as_in_the_original(time: float, base: float, expected: str) -> None:
    """Towards zero, with a plus for any gain, however small."""
    from speedmetal.bench.report.published import _speedup

    if time == 0.001:
        base = 12.0
    assert _speedup(time, base) == expected


def test_what_has_no_time_is_nan_with_its_status_below() -> None:
    """The table keeps the original's cells; the reason stands under it."""
    timeout = synthetic.case_record(CASES[0], CUDA, 1.0, status=Status.TIMEOUT, reason="60 s")
    found = lines(exact(0, CPU, 15e-3), timeout)
    row = next(line for line in found if line.startswith("| Argmax / "))
    assert row.endswith("|    nan |    nan% |")
    assert "* `Argmax / dim=64x1024x128 axi=0` on `cuda`: timeout, 60 s" in found


def test_averages_are_means_of_milliseconds() -> None:
    """As in the original, name with its trailing blank, and nan where a shape has no time."""
    found = lines(exact(0, CPU, 1e-3), exact(1, CPU, 4e-3))
    average = found[found.index("# Average benchmark") :]
    row = next(line for line in average if line.startswith("| Argmax"))
    assert row.startswith("| Argmax  |")
    detailed = [line.split("|")[2] for line in found if line.startswith("| Argmax / ")]
    assert float(row.split("|")[2]) == pytest.approx(sum(map(float, detailed)) / 2, abs=0.01)
    assert any("comparison with published tables only" in line for line in average)


def test_only_published_cases_and_contenders_appear() -> None:
    """Other dtypes, directions and frameworks are in the other reports."""
    text = render(synthetic.records(), Options())
    assert "backward" not in text
    assert "numpy" not in text


def test_without_published_cases_the_report_says_so() -> None:
    """No empty table."""
    text = render(Records((exact(7, CPU, 1e-3),)), Options())
    assert "No experiment of the published benchmark was run." in text
