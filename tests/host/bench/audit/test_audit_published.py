"""Published tables are read cell by cell, and whatever is not as expected is named by its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedmetal.bench.audit import BACKENDS, PublishedCell, cases_to_rerun, load_published_cells
from speedmetal.errors import UserInputError
from strategies import NASTY_TEXTS

HERE = Path(__file__).parent
HEADER = "device,config,table,operation,arguments,backend,milliseconds\n"


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def message_of(path):
    with pytest.raises(UserInputError) as caught:
        load_published_cells(path)
    return str(caught.value).replace(str(path), path.name)


def test_markdown_gives_device_config_arguments_and_line():
    """A heading with text after it, a nan, and a heading without asterisks are understood."""
    cells = load_published_cells(HERE / "excerpt.md")
    first = PublishedCell(
        "M1", "(cores: 4E+4P+8GPU)", "detailed", "Softmax", "dim=64x1000000 axi=-1", "mlx_gpu",
        13.33, 11,
    )  # fmt: skip
    assert cells[0] == first
    assert list(dict.fromkeys((cell.device, cell.config) for cell in cells)) == [
        ("M1", "(cores: 4E+4P+8GPU)"),
        ("M4", "(6E+4P+10GPU+16GB) mlx: 0.20.0"),
        ("A100", "80GB 80GB PCIe ((Server) / Intel(R) Xeon(R) Gold 6254 CPU @ 3.10GHz, 754GB)"),
    ]
    assert len(cells) == 6 * 4 + 16 * 5 + 3 * 2
    assert sum(cell.milliseconds is None for cell in cells) == 2
    assert {cell.backend for cell in cells} == set(BACKENDS)  # no speed-up column


def test_markdown_and_csv_give_the_same_cells(tmp_path):
    """The same table in either form is the same cells, but for their lines."""
    cells = load_published_cells(HERE / "excerpt.md")
    rows = "".join(
        f'{c.device},"{c.config}",{c.table},{c.operation},{c.arguments},{c.backend},'
        f"{'' if c.milliseconds is None else c.milliseconds}\n"
        for c in cells
    )
    again = load_published_cells(write(tmp_path, "t.csv", HEADER + rows))
    assert [(c.key, c.milliseconds) for c in again] == [(c.key, c.milliseconds) for c in cells]


def test_average_tables_and_tables_of_other_things(tmp_path):
    """A row without arguments is of an average table; prose and other tables are passed over."""
    text = (
        "# Average\n| Option | Use |\n|---|---|\n| a | b |\n\n**M2 () - mlx 0.2.0**\n\n"
        "Average benchmark:\n| Operation | mlx_gpu | cpu |\n|-----|----|---|\n| Sum | 1.5 | nan |\n"
    )
    cells = load_published_cells(write(tmp_path, "average.md", text))
    assert cells == (
        PublishedCell("M2", "() - mlx 0.2.0", "average", "Sum", "", "mlx_gpu", 1.5, 11),
        PublishedCell("M2", "() - mlx 0.2.0", "average", "Sum", "", "cpu", None, 11),
    )


def test_one_device_that_two_files_spell_differently_is_one(tmp_path):
    """The slash of the average file's V100 heading is the comma of the detailed file."""
    heading = (
        "Tesla V100 PCIe (32Go / Intel Xeon Gold 5120 14 cores{} 28 threads @ 2.2GHz"
        " (Skylake), 60Go)"
    )
    table = "\n\n| Operation | cpu |\n|---|---|\n| Sum | 1 |\n"
    configs = {
        load_published_cells(write(tmp_path, "t.md", f"**{heading.format(mark)}**{table}"))[
            0
        ].config
        for mark in (",", " /")
    }
    assert len(configs) == 1


def test_cases_to_rerun_are_unique_and_in_file_order():
    """A case of several devices comes once; averages have no case."""
    cases = cases_to_rerun(load_published_cells(HERE / "excerpt.md"))
    assert cases[:2] == (
        ("Softmax", "dim=64x1000000 axi=-1"),
        ("Sort", "dim=64x128x1024 axi=0"),
    )
    assert len(cases) == len(set(cases)) == 17
    assert ("BCE", "") not in cases_to_rerun(load_published_cells(HERE / "unknown.csv"))


def test_no_such_file(tmp_path):
    """The message names the file and the cause."""
    assert message_of(tmp_path / "none.csv") == (
        "cannot read a published table from none.csv:"
        " [Errno 2] No such file or directory: 'none.csv'"
    )


def test_not_text(tmp_path):
    """A file that is not UTF-8 is refused in words."""
    path = tmp_path / "image.md"
    path.write_bytes(b"\xff\xd8\xff")
    assert message_of(path) == (
        "cannot read a published table from image.md:"
        " 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
    )


TABLE = "**M1 (8GB)**\n\n| Operation | cpu |\n|---|---|\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.md", "", "t.md:1: no table of times; expected a header line with 'Operation'"),
        (
            "t.csv",
            "device,config,time\n",
            (
                "t.csv:1: missing columns: table, operation, arguments, backend, milliseconds;"
                " expected the columns device,config,table,operation,arguments,backend,milliseconds"
            ),
        ),
        (
            "t.csv",
            HEADER,
            "t.csv:1: no times after the header line; expected one time a row",
        ),
        ("t.csv", HEADER + "M1,()\n", "t.csv:2: expected 7 columns, got fewer"),
        (
            "t.csv",
            HEADER + "M1,(),detailed,Sum,dim=8,cpu,fast\nM1,(),detailed,Sum,dim=8,rocm,1\n"
            "M1,(),daily,Sum,dim=8,cpu,1\n",
            (
                "t.csv:2: expected milliseconds (a number of at least 0, or nan) for cpu,"
                " got 'fast'\n"
                "t.csv:3: expected a backend out of mlx_gpu, mlx_gpu_compile, mlx_cpu, mps, cpu,"
                " cuda, got 'rocm'\n"
                "t.csv:4: expected a table out of detailed, average, got 'daily'"
            ),
        ),
        (
            "t.csv",
            HEADER + "M1,(),detailed,Sum,dim=8,cpu,1\n" * 2,
            (
                "t.csv:3: Sum / dim=8 of M1 () on cpu is given again; expected one time, the first"
                " is at line 2"
            ),
        ),
        (
            "t.md",
            "| Operation | cpu |\n|---|---|\n| Sum | 1 |\n",
            "t.md:1: expected a heading such as **M4 (6E+4P+10GPU)** before the table, got none",
        ),
        (
            "t.md",
            TABLE.replace("cpu", "xpu"),
            (
                "t.md:3: missing columns: expected times of mlx_gpu, mlx_gpu_compile, mlx_cpu, mps,"
                " cpu, cuda, got 'xpu'"
            ),
        ),
        ("t.md", TABLE + "| Sum | 1 | 2 |\n", "t.md:5: expected 2 columns, got 3"),
        (
            "t.md",
            TABLE + "| Sum | -1 |\n",
            "t.md:5: expected milliseconds (a number of at least 0, or nan) for cpu, got '-1'",
        ),
    ],
)
def test_bad_input(tmp_path, name, text, message):
    """Each mistake is named with file, line and what was expected; all of a file together."""
    assert message_of(write(tmp_path, name, text)) == message


def test_many_mistakes_are_cut(tmp_path):
    """A file that is wrong throughout does not fill the screen."""
    rows = "".join(f"M1,(),detailed,Sum,dim={n},cpu,x\n" for n in range(15))
    lines = message_of(write(tmp_path, "t.csv", HEADER + rows)).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "... and 5 more lines like these"


LINES = st.one_of(
    st.sampled_from((*NASTY_TEXTS, HEADER, TABLE, "| Sum / dim=8 | 1.5 |", "**A (b)**", "# c")),
    st.text('|*(),"\n\r\0 Oab1.e_-', max_size=30),
    st.just("M1,(),detailed,Sum,dim=8,cpu,1e3"),
)


@given(st.lists(LINES, max_size=8), st.sampled_from(["f.md", "f.csv"]))
def test_any_text_is_cells_or_a_message(tmp_path_factory, lines, name):
    """No file, however broken, ends in anything but cells or a message that names it."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    try:
        cells = load_published_cells(path)
    except UserInputError as error:
        cells, message = (), str(error)
    else:
        message = str(path)
        assert cells
    assert str(path) in message
    assert all(cell.milliseconds is None or cell.milliseconds >= 0 for cell in cells)


@pytest.mark.parametrize("time", ["1_0", "inf", "1e999", "٣", "-0.1", "0x10", "1,5"])
def test_only_plain_numbers_are_times(tmp_path, time):
    """What Python would take for a number, but no table prints, is refused."""
    path = write(tmp_path, "t.md", TABLE + f"| Sum | {time} |\n")
    assert message_of(path) == (
        f"t.md:5: expected milliseconds (a number of at least 0, or nan) for cpu, got {time!r}"
    )
