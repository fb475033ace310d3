"""Code that magics of notebooks run is found in the notebook's history."""

import codeop
import sys
import types

import pytest

import speedmetal as sm
from speedmetal.frontend.capture import capture
from speedmetal.frontend.notebooks import cell_of

KERNEL = "def put(c):\n    c[0] = 1\n"
CELLS = [
    "%%time\n" + KERNEL.replace("1", "2"),
    "%%time\n\n# a comment\n" + KERNEL,
    "%%time\n" + KERNEL,
    "put = 3\n",
    "%%html\n<p>put</p>\n",
    "%%time\ntwice = lambda x: 2 * x\n",
]


@pytest.fixture
def notebook(monkeypatch):
    """What IPython's magics leave of a cell: code without source, and the history."""
    history = types.SimpleNamespace(input_hist_raw=[])
    shell = types.SimpleNamespace(
        history_manager=history, transform_cell=lambda text: text, compile=codeop.Compile()
    )
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))

    def run(cell):
        history.input_hist_raw.append(cell)
        names = {}
        text = cell.partition("\n")[2]
        exec(shell.compile(text, "<timed exec>", "exec"), names)  # noqa: S102 - our own text
        return names

    run.history = history
    return run


def test_the_cell_that_has_the_very_code_is_taken(notebook):
    found = [notebook(cell)["put"] for cell in CELLS[:3]]
    notebook.history.input_hist_raw += CELLS[3:]
    cells = ["".join(cell_of(function.__code__)) for function in found]
    assert cells == [cell.partition("\n")[2] for cell in CELLS[:3]]
    assert [capture(function).source.text.first_line for function in found] == [1, 3, 1]
    c = sm.zeros(1)
    for function, value in zip(found, (2, 1, 1), strict=True):
        sm.kernel(function)(c, grid=1)
        assert c[0].item() == value


def test_lambdas_of_cells(notebook):
    twice = notebook(CELLS[5])["twice"]

    @sm.kernel
    def put(c, x):
        c[0] = twice(x)

    c = sm.zeros(1)
    put(c, 4.0, grid=1)
    assert c[0].item() == 8


def test_what_no_cell_has_is_told(notebook):
    put = notebook("%%time\n" + KERNEL.replace("1", "5"))["put"]
    notebook.history.input_hist_raw[:] = CELLS[1:]
    with pytest.raises(sm.CompileError) as caught:
        sm.kernel(put)(sm.zeros(1), grid=1)
    assert str(caught.value) == (
        "1 error in kernel 'put'\n\n<timed exec>:1:1: error: the source of 'put' is not available:"
        " Python does not keep that of functions typed at its prompt, read from the standard input,"
        " given to exec or defined inside %%timeit; put it into a file or a notebook cell, or give"
        " the text: @sm.kernel(source=...)"
    )


def test_without_a_notebook_there_are_no_cells(monkeypatch):
    code = compile("1", "<timed exec>", "exec")
    assert cell_of(code) == []
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert cell_of(code) == []


@pytest.mark.skipif("IPython" in sys.modules, reason="a shell of its own is already there")
def test_cells_and_reloads_of_ipython_itself(tmp_path, monkeypatch):
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="needs IPython")
    monkeypatch.syspath_prepend(tmp_path)
    text = "import speedmetal as sm\ndef step(x):\n    return x + 1\n@sm.kernel\ndef put(c):\n"
    path = tmp_path / "edited_kernels.py"
    path.write_text(text + "    c[0] = step(0)\n")
    shell = interactive.InteractiveShell.instance()

    def run(cell):
        shell.run_cell(cell, store_history=True).raise_error()
        return shell.user_ns["c"][0].item()

    run("import speedmetal as sm\nc = sm.zeros(1)")
    assert run("%%time\n@sm.kernel\ndef seven(c):\n    c[0] = 7\nseven(c, grid=1)") == 7
    run("%load_ext autoreload\n%autoreload 2\nfrom edited_kernels import put, step")
    run("@sm.kernel\ndef mine(c):\n    c[0] = 10 * step(0)")
    assert (run("put(c, grid=1)"), run("mine(c, grid=1)")) == (1, 10)
    path.write_text(text.replace("x + 1", "x + 20") + "    c[0] = step(0) + 0.5\n")
    assert (run("put(c, grid=1)"), run("mine(c, grid=1)")) == (20.5, 200)
