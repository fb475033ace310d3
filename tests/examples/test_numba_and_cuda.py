"""What docs/coming-from.md says of Numba and CUDA C++, said by them.

Numba's own simulator runs its side of the page where there is no GPU; NVIDIA's compiler takes the
CUDA C++ of the page.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import speedmetal as sm
from nvrtc import needs_nvrtc
from speedmetal.backends.cuda.nvrtc import compile_library

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text()
SIZES = {"groups": 3, "threads": 4}

POSITIONS = {
    "cuda.grid(1)": "sm.thread_position_in_grid().x",
    "cuda.threadIdx.x": "sm.thread_position_in_threadgroup().x",
    "cuda.blockIdx.x": "sm.threadgroup_position_in_grid().x",
    "cuda.blockDim.x": "sm.threads_per_threadgroup().x",
    "cuda.gridDim.x": "sm.threadgroups_per_grid().x",
    "cuda.gridsize(1)": "sm.threads_per_grid().x",
}
"""Of a thread, in the words of both."""


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def simulated(program: str) -> list[float]:
    """What a program of Numba's leaves in ``found``, in its simulator."""
    pytest.importorskip("numba", reason="Numba is not installed")
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport json\nprint(json.dumps(found))"],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_numbas_programs_give_what_ours_give():
    theirs = [block for block in blocks("From Numba", "python") if "cuda." in block]
    program = "\n".join(
        [
            "import numpy as np",
            "from numba import cuda, float32",
            "n = 1000",
            "host_x, host_y = np.ones(n, 'f4'), np.ones(n, 'f4')",
            "r = cuda.to_device(np.zeros(1, 'f4'))",
            *theirs,
            "found = [*map(float, result[:3]), float(r.copy_to_host()[0])]",
        ]
    )
    ours = [block for block in blocks("From Numba", "python") if "sm." in block]
    assert "print(result[:3], r.item())" in section("From Numba")
    shown = re.search(r"```text\n\[(.*?)\] (.*?)\n```", section("From Numba"))
    assert shown is not None
    assert ours
    assert simulated(program) == [*map(float, shown[1].split()), float(shown[2])]


def test_positions_are_called_so():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `sm.")]
    for theirs, ours in POSITIONS.items():
        assert any(row.startswith(f"| `{ours}` |") and f"`{theirs}`" in row for row in rows)
    stores = "\n".join(f"    out[{n}, cuda.grid(1)] = {w}" for n, w in enumerate(POSITIONS))
    program = (
        f"import numpy as np\nfrom numba import cuda\n@cuda.jit\ndef k(out):\n{stores}\n"
        "out = np.zeros((6, 12), 'i4')\nk[3, 4](out)\nfound = out.ravel().tolist()"
    )

    @sm.kernel
    def ours(out):
        i = sm.thread_position_in_grid().x
        out[0, i] = i
        out[1, i] = sm.thread_position_in_threadgroup().x
        out[2, i] = sm.threadgroup_position_in_grid().x
        out[3, i] = sm.threads_per_threadgroup().x
        out[4, i] = sm.threadgroups_per_grid().x
        out[5, i] = sm.threads_per_grid().x

    out = sm.zeros((6, 12), sm.int32, device="cpu")
    ours(out, **SIZES)
    assert out.numpy().ravel().tolist() == simulated(program)


@needs_nvrtc
@pytest.mark.parametrize("title", ["From CuPy", "From CUDA C++"])
def test_nvidias_compiler_takes_the_pages_kernels(title):
    found = [block for block in blocks(title, "\\w+") if "__global__" in block]
    assert found
    for block in found:
        source = block.partition("\ndim3")[0]
        if quoted := re.search(r'r"""(.*?)"""', block, re.DOTALL):
            source = quoted[1]
        name = re.search(r"void (\w+)\(", source)
        assert name is not None
        code, symbols = compile_library(source, "sm_90", [], [name[1]])
        assert code
        assert name[1] in symbols
