"""Whether every extra installs from wheels alone, for each Python and system, asked of uv.

    python tools/check_wheels.py                # all of them
    python tools/check_wheels.py --python 3.14 --extra bench

Nothing is installed. For each cell of the table ``uv pip compile --only-binary :all:`` must find
versions; where it does not, its reason is printed, and the exit status is 1, unless ``MISSING``
says why no wheel is expected there yet.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
PLATFORMS = ("macOS arm64", "Linux x86-64", "Linux arm64")
_OLDER = ("13.0", "manylinux_2_28")
_WITH_MLX = ("14.0", "manylinux_2_35")
"""The oldest macOS and C library: MLX's wheels need newer ones than the rest."""

EXTRAS = (
    *("", "bench", "cuda", "cuda-libraries", "metal-simulator", "doctor", "torch", "jax", "drjit"),
    "all",
)
"""What users install; no extra is the package alone."""

NEEDS_MLX = frozenset({"bench", "torch", "jax", "drjit", "all"})

MISSING: dict[tuple[str, str, str], str] = {}
"""(extra, Python, platform) for which no wheel is expected, and why."""


def resolve(extra: str, python: str, platform: str) -> str:
    """Why it does not resolve, in uv's words; nothing where it does."""
    macos, libc = _WITH_MLX if extra in NEEDS_MLX else _OLDER
    triple = {
        "macOS arm64": "aarch64-apple-darwin",
        "Linux x86-64": f"x86_64-{libc}",
        "Linux arm64": f"aarch64-{libc}",
    }[platform]
    command = [uv(), "pip", "compile", "--quiet", "--no-header", "--only-binary", ":all:"]
    command += ["--python-version", python, "--python-platform", triple]
    command += [f"--extra={extra}"] if extra else []
    done = subprocess.run(
        [*command, "pyproject.toml"],
        cwd=ROOT,
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": macos},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr.strip()


def uv() -> str:
    found = shutil.which("uv")
    return found or sys.exit('needs uv: pip install uv, or pip install -e ".[dev]"')


def check(extras: list[str], pythons: list[str]) -> int:
    """Print the table as it comes to be; the number of cells that nobody expected to fail."""
    unexpected = 0
    cells = list(itertools.product(extras, pythons, PLATFORMS))
    with ThreadPoolExecutor(4) as pool:  # each mostly waits for the index
        for cell, reason in zip(cells, pool.map(resolve, *zip(*cells, strict=True)), strict=True):
            extra, python, platform = cell
            because = MISSING.get(cell)
            word = "ok" if not reason else "missing, as expected" if because else "MISSING"
            print(f"{extra or 'speedmetal':16} {platform:13} {python:5} {word}", flush=True)
            if reason:
                print("    " + (because or reason.replace("\n", "\n    ")))
            unexpected += word == "MISSING"
    return unexpected


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", choices=PYTHONS, help="only this one")
    parser.add_argument("--extra", action="append", choices=EXTRAS, help="only this one")
    options = parser.parse_args()
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    unknown = set(EXTRAS) - {"", *declared["project"]["optional-dependencies"]}
    if unknown:
        sys.exit(f"pyproject.toml has no extras {sorted(unknown)}")
    unexpected = check(options.extra or list(EXTRAS), options.python or list(PYTHONS))
    print(f"{unexpected} do not resolve" if unexpected else "every extra resolves")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
