"""The public sources of MLX's Metal kernels: where they are, and one text of many files.

They come from PyPI's wheels, which carry the headers that MLX itself compiles at run time, or from
a checkout of MLX, which has the `.metal` files too. Nothing of them is kept in this repository.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGE = "mlx-metal"
VERSION = "0.32.4"
PLATFORM = "macosx_14_0_arm64"
KERNELS = "mlx/backend/metal/kernels"

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"[^\n]*\n?', re.MULTILINE)
# MLX's own instantiations in a `.metal` file: hundreds, of which few are wanted.
_INSTANCES = re.compile(
    r"^[ \t]*(?:#define instantiate_(?:[^\n]*\\\n)*[^\n]*\n"
    r"|instantiate_\w+\((?:[^()]|\([^()]*\))*\)[ \t]*;?)",
    re.MULTILINE,
)
_ONCE = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+once[^\n]*\n?", re.MULTILINE)


class SourcesError(Exception):
    """MLX's sources are not to be had; the text says why."""


@dataclass(frozen=True)
class Sources:
    """A folder with MLX's sources.

    Args:
        root: The folder that has `mlx/backend/metal/kernels`.
        origin: What it is, for the report.
    """

    root: Path
    origin: str

    def has(self, name: str) -> bool:
        """Whether there is a file, named from the folder of the kernels."""
        return (self.root / KERNELS / name).is_file()

    def text(self, *names: str) -> str:
        """Files of the folder of the kernels as one text, each included file once."""
        seen: set[str] = set()
        return "".join(self._flat(f"{KERNELS}/{name}", seen) for name in names)

    def _flat(self, path: str, seen: set[str]) -> str:
        if path in seen:
            return ""
        seen.add(path)
        text = _ONCE.sub("", (self.root / path).read_text())
        if path.endswith(".metal"):
            text = _INSTANCES.sub("", text)
        pieces, at = [], 0
        for include in _INCLUDE.finditer(text):
            pieces += [text[at : include.start()], self._flat(include[1], seen)]
            at = include.end()
        return "".join([*pieces, text[at:], "\n"])

    def files(self) -> list[str]:
        """All files with kernels, named from the folder of the kernels."""
        folder = self.root / KERNELS
        paths = sorted([*folder.rglob("*.h"), *folder.rglob("*.metal")])
        return [str(path.relative_to(folder)) for path in paths]


def checkout(folder: Path) -> Sources:
    """A clone of MLX, or an unpacked wheel.

    Raises:
        SourcesError: The folder has no kernels.
    """
    for root in (folder, folder / "mlx" / "include"):
        if (root / KERNELS / "utils.h").is_file():
            return Sources(root, f"{folder.name}")
    raise SourcesError(f"{folder} has no {KERNELS}/utils.h")


def find_installed_sources() -> Sources:
    """The headers inside an installed `mlx`.

    Raises:
        SourcesError: MLX is not installed, or its package has no headers.
    """
    spec = importlib.util.find_spec("mlx")
    for location in (spec.submodule_search_locations or []) if spec else []:
        root = Path(location) / "include"
        if (root / KERNELS / "utils.h").is_file():
            return Sources(root, f"the installed package mlx {version('mlx')}")
    raise SourcesError("the package mlx is not installed, or it has no Metal headers")


def download(folder: Path) -> Sources:
    """Fetches the pinned wheel with pip, and unpacks its headers.

    Raises:
        SourcesError: The wheel cannot be fetched.
    """
    target = folder / f"{PACKAGE}-{VERSION}"
    root = target / "mlx" / "include"
    origin = f"{PACKAGE} {VERSION} of PyPI"
    if (root / KERNELS / "utils.h").is_file():
        return Sources(root, origin)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
    ]
    command += ["--platform", PLATFORM, "--only-binary=:all:", f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SourcesError(done.stderr.strip() or "pip download failed")
    (wheel,) = folder.glob(f"{PACKAGE.replace('-', '_')}-{VERSION}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if f"/{KERNELS}/" in f"/{name}"]
        archive.extractall(target, [*names])
    return Sources(root, origin)
