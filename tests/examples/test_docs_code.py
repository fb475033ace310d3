"""What the documentation shows is what happens: its Python blocks run, its outputs are compared.

How a page is read:

* The ``python`` blocks of a page run in order, in one namespace, each as its own file: lines in
  messages are those that a reader has who copies the block. The first line of a block may name the
  file: ``# saxpy.py``.
* The block that follows a ``python`` block at once, in another language, is its output: what it
  printed, and the exception that ended it. ``...`` stands for any text, as in doctests; in LLVM's
  language the numbers of values and labels do not count.
* ``<!-- output compared only on x86-64 with AVX-512 -->`` before a block says what it says.
* ``<!-- not run: why -->`` before a block takes it out (another system's code).
* Blocks that name a ``conftest.py`` or ``test_....py`` are run by pytest, beside the page's files.

``SPEEDMETAL_UPDATE_GOLDEN=1`` writes the outputs into the pages, except those that have ``...``.
"""

import contextlib
import doctest
import io
import itertools
import linecache
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from speedmetal.backends.cpu.codegen.vector_unit import AVX512
from speedmetal.backends.cpu.jit import vector_unit

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (
    *("../README", "first-kernel", "coming-from", "debugging", "how-it-works", "language"),
    *(
        "metal",
        "metal-simulator",
        "evaluation",
        "arrays",
        "coming-from-arrays",
        "dask",
        "layers",
        "write-a-layer",
    ),
)
COMPARISON = doctest.ELLIPSIS | doctest.REPORT_NDIFF

_BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^\n]+ -->\n+)?(?P<host><!-- output compared only [^\n]+ -->\n+)?"
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^(?P=indent)```$(?P<gap>\n*)",
    re.MULTILINE | re.DOTALL,
)

_LLVM_NUMBER = re.compile(r"(?<=%t)\d+|\.\d+(?=:|,|$)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code, and the output that the page shows for it, if any."""

    line: int
    text: str
    output: str | None
    language: str = ""  # of the output
    needs_avx512: bool = False  # for the output that the page shows
    place: tuple[int, int] = (0, 0)  # of the output, in the page

    @property
    def file(self) -> str:
        """The name of the file that the block is."""
        named = re.match(r"# (\w+\.py)\n", self.text)
        return named[1] if named else f"<block in line {self.line}>"

    @property
    def is_for_pytest(self) -> bool:
        """Whether pytest runs it."""
        return self.file == "conftest.py" or self.file.startswith("test_")


def blocks(page: str) -> list[Block]:
    """The blocks to run, in order."""
    found = []
    matches = list(_BLOCK.finditer(page))
    for match, following in itertools.zip_longest(matches, matches[1:]):
        if match["language"] != "python" or match["skip"]:
            continue
        shows = following and following.start() == match.end() and following["language"] != "python"
        is_output = shows and not following["skip"]
        line = page.count("\n", 0, match.start("text")) + 1
        block = Block(line, match["text"], None)
        if is_output:
            span = following.span("text")
            needs = bool(match["host"])
            block = Block(
                line, match["text"], following["text"], following["language"], needs, span
            )
        found.append(block)
    return found


def run_block(block: Block, namespace: dict[str, object]) -> str:
    """Everything that the block prints, and its exception if the page shows one."""
    # Kernels read their source, which Python's own cache of lines hands out.
    lines = block.text.splitlines(keepends=True)
    linecache.cache[block.file] = (len(block.text), None, lines, block.file)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(block.text, block.file, "exec"), namespace)  # noqa: S102 - the repository's own
        except Exception as error:
            if block.output is None:
                raise
            notes = getattr(error, "__notes__", [])
            printed.write("\n".join([f"{type(error).__name__}: {error}", *notes, ""]))
    return printed.getvalue()


def check_block(block: Block, namespace: dict[str, object]) -> None:
    """Run a block and hold its output against the page.

    Raises:
        AssertionError: They differ; the message has both, and the line in the page.
    """
    printed = run_block(block, namespace)
    if block.needs_avx512 and vector_unit() is not AVX512:
        return
    expected = block.output or ""
    shown, found = expected, printed
    if block.language == "llvm":
        shown, found = (_LLVM_NUMBER.sub("", text) for text in (expected, printed))
    if not doctest.OutputChecker().check_output(shown, found, COMPARISON):
        raise AssertionError(f"line {block.line}: expected\n{expected}\ngot\n{printed}")


@pytest.mark.parametrize("name", PAGES)
def test_page(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every block of the page runs, and prints what the page says."""
    monkeypatch.chdir(tmp_path)
    if name == "dask":
        pytest.importorskip("dask.array", reason="Dask is not installed")
    page = (DOCS / f"{name}.md").read_text()
    found = blocks(page)
    assert found
    namespace: dict[str, object] = {"__name__": "__main__"}
    if os.environ.get("SPEEDMETAL_UPDATE_GOLDEN") == "1":
        (DOCS / f"{name}.md").write_text(updated(page, found, namespace))
        return
    for block in found:
        if not block.is_for_pytest:
            check_block(block, namespace)


def run_tests_of(page: str, folder: Path) -> tuple[int, str]:
    """What pytest says of the page's tests, in a folder with all of its files."""
    for block in blocks(page):
        if not block.file.startswith("<"):
            (folder / block.file).write_text(block.text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["metal-simulator"])
def test_tests_of_a_page_pass_and_can_fail(name: str, tmp_path: Path) -> None:
    """The tests that a page shows pass, and find a barrier that is taken out of its kernel."""
    page = (DOCS / f"{name}.md").read_text()
    barrier = "    threadgroup_barrier(mem_flags::mem_threadgroup);\n"
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.mkdir()
    wrong.mkdir()
    assert run_tests_of(page, right)[0] == 0
    status, told = run_tests_of(page.replace(barrier, "", 1), wrong)
    assert status == 1, told
    assert "4 failed, 1 passed" in told


def updated(page: str, found: list[Block], namespace: dict[str, object]) -> str:
    """The page with what its blocks print."""
    outputs = [(block, run_block(block, namespace)) for block in found if not block.is_for_pytest]
    for block, printed in reversed(outputs):
        if block.output is not None and "..." not in block.output:
            start, end = block.place
            page = page[:start] + printed + page[end:]
    return page


def test_outputs_are_updated_in_their_places() -> None:
    """Only outputs change, and those with an ellipsis do not."""
    page = "```python\nprint(1)\nprint(2)\n```\n\n```text\n?\n```\n\n" * 2
    once = page.replace("?", "1\n...", 1)
    assert updated(once, blocks(once), {}) == page.replace("?", "1\n...", 1).replace("?", "1\n2")


@pytest.mark.parametrize("name", [page.stem for page in sorted(DOCS.glob("*.md"))])
def test_links_lead_somewhere(name: str) -> None:
    """Files that a page links to are there, and the headings in them, too."""
    page = DOCS / f"{name}.md"
    assert list(broken_links(page, page.read_text())) == []


def test_links_that_lead_nowhere_are_told() -> None:
    """Of files, and of headings in this page and in others; not of code."""
    text = "# A b\n[1](method.md) [2](nowhere.md) [3](#a-b) [4](#c) [5](method.md#c) `[6](x.md)`"
    found = list(broken_links(DOCS / "index.md", text))
    assert found == ["nowhere.md", "#c", "method.md#c"]


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Links of a page's text to files or headings that are not there."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            yield target
        elif heading:
            linked = file.read_text() if path else text
            headings = re.findall(r"^#+ (.+)$", linked, re.MULTILINE)
            if heading not in [anchor(title) for title in headings]:
                yield target


def anchor(title: str) -> str:
    """How GitHub names the anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_wrong_output_is_seen() -> None:
    """A page whose output is not what the code prints fails; so does a silent exception."""
    page = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n"
    with pytest.raises(AssertionError, match="expected\n3"):
        check_block(blocks(page)[0], {})
    with pytest.raises(ZeroDivisionError):
        check_block(blocks("```python\n1 / 0\n```\n")[0], {})
    check_block(blocks("```python\n1 / 0\n```\n```text\nZeroDiv...: ...\n```\n")[0], {})


def test_numbers_in_llvm_do_not_count() -> None:
    """Of values and labels, not of anything else."""
    page = "```python\nprint('%t7 = add i32 %t6, 1\\nbr label %end.8')\n```\n\n```llvm\n{}\n```\n"
    check_block(blocks(page.format("%t17 = add i32 %t16, 1\nbr label %end.18"))[0], {})
    with pytest.raises(AssertionError):
        check_block(blocks(page.format("%t7 = add i32 %t6, 2\nbr label %end.8"))[0], {})


def test_blocks_of_other_systems_are_not_run() -> None:
    """Neither other languages nor marked blocks; what follows a marked block is no output."""
    page = (
        "<!-- not run: Numba -->\n```python\nimport absent\n```\n\n```cpp\nint x;\n```\n\n"
        "```python\npass\n```\n\nText.\n\n```text\nno output\n```\n"
    )
    assert [(b.line, b.text, b.output) for b in blocks(page)] == [(11, "pass\n", None)]
